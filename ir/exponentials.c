/* Quotients of polynomials in an exponential, however they are spelled.
 *
 * Every value is seen as c*R(E): c is any expression, E = exp(q*b), and R a quotient of polynomials
 * with constant coefficients of 256 bits. tanh, sigmoid, sinh, … are such quotients; sums with
 * the same c, products, quotients and small powers of them are again; so are exp(log(w)) and
 * tanh(softplus(a)). So 1/(1 + exp(-x)), exp(x)/(exp(x) + 1) and (1 + tanh(x/2))/2 become one R,
 * E/(1 + E), which has a name: sigmoid(x). Logarithms of an R are sums of softplus.
 *
 * R without a name is left as written until nothing is to be differentiated any more (`late`):
 * its derivative is then such a quotient as well. Then it is computed from n = exp(-|u|), u = q*b,
 * which cannot overflow: numerator and denominator are polynomials in n for either sign of u. They
 * do not cancel if their coefficients have one sign; a factor E^m - 1 of the numerator becomes
 * tanh(m*u/2). Whatever does not go stays as it was. */
#include <math.h>
#include <string.h>

#include "ir.h"

enum { MOST_DEGREE = 16, MOST_FACTORS = 3, MOST_POWER = 4, ZERO_BITS = 200 };

typedef struct {
    int degree;
    mpfr_ptr c[MOST_DEGREE + 1];
} Poly;

/* c * E^shift * top / (under[0]^power[0] * …): no polynomial has the factor E, those under the line
 * have constant term 1. `base` NULL: a constant times c. */
typedef struct {
    Node *c; /* NULL: 1 */
    Node *base;
    mpfr_ptr unit; /* E = exp(unit*base) */
    int shift;
    const Poly *top;
    int nunder;
    const Poly *under[MOST_FACTORS];
    int power[MOST_FACTORS];
    bool single; /* one function times what is not exponential: nothing to gain */
} Rep;

typedef struct {
    Graph *g;
    bool late;
    RewriteTrace *trace;
    void *user;
    size_t fired;
    Rep **reps;   /* for each node of the pass's beginning; NULL: not such a quotient */
    Node **plain; /* the node itself, over new arguments */
    Node **made;  /* what it becomes; NULL: not yet needed */
} Pass;

/* ---- numbers and polynomials ---- */

static mpfr_ptr number(Graph *g, double v) {
    mpfr_ptr n = arena_alloc(g->arena, sizeof *n);
    number_init(n, arena_alloc(g->arena, mpfr_custom_get_size(NUMBER_BITS)), NUMBER_BITS);
    mpfr_set_d(n, v, MPFR_RNDN);
    return n;
}

static mpfr_ptr number_copy(Graph *g, mpfr_srcptr v) {
    mpfr_ptr n = number(g, 0);
    mpfr_set(n, v, MPFR_RNDN);
    return n;
}

static bool is_number(mpfr_srcptr a, double v) {
    NUMBER_TEMP(d, NUMBER_BITS);
    mpfr_sub_d(d, a, v, MPFR_RNDN);
    return mpfr_zero_p(d) || (mpfr_regular_p(a) && mpfr_get_exp(d) < mpfr_get_exp(a) - ZERO_BITS);
}

static Poly *poly_new(Graph *g, int degree) {
    Poly *p = ARENA_NEW(g->arena, Poly);
    p->degree = degree;
    for (int i = 0; i <= degree; i++) p->c[i] = number(g, 0);
    return p;
}

static Poly *poly_constant(Graph *g, mpfr_srcptr v) {
    Poly *p = poly_new(g, 0);
    mpfr_set(p->c[0], v, MPFR_RNDN);
    return p;
}

/* a + b*E^m */
static Poly *poly_two(Graph *g, double a, double b, int m) {
    Poly *p = poly_new(g, m);
    mpfr_set_d(p->c[0], a, MPFR_RNDN);
    mpfr_set_d(p->c[m], b, MPFR_RNDN);
    return p;
}

/* Drops coefficients that are only rounding errors; the factor E^k goes too, and k is returned. A
 * polynomial without anything left is 0. */
static int poly_trim(Poly *p) {
    mpfr_exp_t top = 0;
    bool any = false;
    for (int i = 0; i <= p->degree; i++)
        if (mpfr_regular_p(p->c[i]) && (!any || mpfr_get_exp(p->c[i]) > top))
            top = mpfr_get_exp(p->c[i]), any = true;
    for (int i = 0; i <= p->degree; i++)
        if (mpfr_regular_p(p->c[i]) && mpfr_get_exp(p->c[i]) < top - ZERO_BITS)
            mpfr_set_zero(p->c[i], 1);
    while (p->degree > 0 && mpfr_zero_p(p->c[p->degree])) p->degree--;
    int k = 0;
    while (k < p->degree && mpfr_zero_p(p->c[k])) k++;
    for (int i = k; k && i <= p->degree; i++) p->c[i - k] = p->c[i];
    p->degree -= k;
    return k;
}

static bool poly_is_zero(const Poly *p) { return p->degree == 0 && mpfr_zero_p(p->c[0]); }

static Poly *poly_mul(Graph *g, const Poly *a, const Poly *b) {
    if (a->degree + b->degree > MOST_DEGREE) return NULL;
    Poly *p = poly_new(g, a->degree + b->degree);
    for (int i = 0; i <= a->degree; i++)
        for (int j = 0; j <= b->degree; j++)
            mpfr_fma(p->c[i + j], a->c[i], b->c[j], p->c[i + j], MPFR_RNDN);
    return p;
}

static Poly *poly_power(Graph *g, const Poly *a, int k) {
    Poly *p = poly_two(g, 1, 1, 0);
    while (k-- > 0 && p) p = poly_mul(g, p, a);
    return p;
}

/* a*E^i + b*E^j */
static Poly *poly_add(Graph *g, const Poly *a, int i, const Poly *b, int j) {
    const int da = a->degree + i, db = b->degree + j;
    if (da > MOST_DEGREE || db > MOST_DEGREE) return NULL;
    Poly *p = poly_new(g, da > db ? da : db);
    mpfr_exp_t top = -1000000000;
    for (int k = 0; k <= a->degree; k++) {
        mpfr_set(p->c[k + i], a->c[k], MPFR_RNDN);
        if (mpfr_regular_p(a->c[k]) && mpfr_get_exp(a->c[k]) > top) top = mpfr_get_exp(a->c[k]);
    }
    for (int k = 0; k <= b->degree; k++) mpfr_add(p->c[k + j], p->c[k + j], b->c[k], MPFR_RNDN);
    for (int k = 0; k <= p->degree; k++) /* what is left of terms that cancel */
        if (mpfr_regular_p(p->c[k]) && mpfr_get_exp(p->c[k]) < top - ZERO_BITS)
            mpfr_set_zero(p->c[k], 1);
    return p;
}

/* a(E^k) */
static const Poly *poly_stretch(Graph *g, const Poly *a, int k) {
    if (k == 1) return a;
    if (a->degree * k > MOST_DEGREE) return NULL;
    Poly *p = poly_new(g, a->degree * k);
    for (int i = 0; i <= a->degree; i++) mpfr_set(p->c[i * k], a->c[i], MPFR_RNDN);
    return p;
}

static bool poly_equal(const Poly *a, const Poly *b) {
    if (a->degree != b->degree) return false;
    NUMBER_TEMP(d, NUMBER_BITS);
    for (int i = 0; i <= a->degree; i++) {
        mpfr_sub(d, a->c[i], b->c[i], MPFR_RNDN);
        if (!mpfr_zero_p(d) && mpfr_get_exp(d) > -ZERO_BITS) return false;
    }
    return true;
}

/* a/d where that leaves nothing, else NULL. */
static Poly *poly_divide(Graph *g, const Poly *a, const Poly *d) {
    if (d->degree > a->degree || d->degree == 0) return NULL;
    Poly *rest = poly_add(g, a, 0, poly_new(g, 0), 0), *q = poly_new(g, a->degree - d->degree);
    mpfr_exp_t top = -1000000000;
    for (int i = 0; i <= a->degree; i++)
        if (mpfr_regular_p(a->c[i]) && mpfr_get_exp(a->c[i]) > top) top = mpfr_get_exp(a->c[i]);
    NUMBER_TEMP(t, NUMBER_BITS);
    for (int i = q->degree; i >= 0; i--) {
        mpfr_div(q->c[i], rest->c[i + d->degree], d->c[d->degree], MPFR_RNDN);
        for (int j = 0; j <= d->degree; j++) {
            mpfr_mul(t, q->c[i], d->c[j], MPFR_RNDN);
            mpfr_sub(rest->c[i + j], rest->c[i + j], t, MPFR_RNDN);
        }
    }
    for (int i = 0; i < d->degree; i++)
        if (mpfr_regular_p(rest->c[i]) && mpfr_get_exp(rest->c[i]) > top - ZERO_BITS) return NULL;
    return q;
}

/* p with p*p = a, for a with constant term 1; else NULL. */
static Poly *poly_root(Graph *g, const Poly *a) {
    if (a->degree % 2 || a->degree == 0) return NULL;
    Poly *p = poly_new(g, a->degree / 2);
    NUMBER_TEMP(t, NUMBER_BITS);
    mpfr_set_ui(p->c[0], 1, MPFR_RNDN);
    for (int k = 1; k <= p->degree; k++) {
        mpfr_set(t, a->c[k], MPFR_RNDN);
        for (int i = 1; i < k; i++) {
            NUMBER_TEMP(u, NUMBER_BITS);
            mpfr_mul(u, p->c[i], p->c[k - i], MPFR_RNDN);
            mpfr_sub(t, t, u, MPFR_RNDN);
        }
        mpfr_div_2ui(p->c[k], t, 1, MPFR_RNDN);
    }
    return poly_equal(poly_mul(g, p, p), a) ? p : NULL;
}

/* +1 or -1 if all coefficients have that sign or are 0; else 0. */
static int poly_sign(const Poly *p) {
    int sign = 0;
    for (int i = 0; i <= p->degree; i++) {
        const int s = mpfr_sgn(p->c[i]);
        if (s && sign && s != sign) return 0;
        if (s) sign = s;
    }
    return sign;
}

/* ---- quotients ---- */

static Rep *rep_constant(Graph *g, mpfr_srcptr v, Node *c) {
    Rep *r = ARENA_NEW(g->arena, Rep);
    r->top = poly_constant(g, v);
    r->c = c;
    return r;
}

static Rep *rep_of_node(Graph *g, Node *n) { return rep_constant(g, number(g, 1), n); }

/* u = unit*base, the base without constant factors. */
static void split_argument(Graph *g, Node *u, Node **base, mpfr_ptr *unit) {
    mpfr_ptr q = number(g, 1);
    for (;;) {
        if (u->op == OP_NEG) {
            mpfr_neg(q, q, MPFR_RNDN);
            u = u->arg[0];
        } else if (u->op == OP_MUL && node_is_const(u->arg[0]) && mpfr_regular_p(u->arg[0]->num)) {
            mpfr_mul(q, q, u->arg[0]->num, MPFR_RNDN);
            u = u->arg[1];
        } else if (u->op == OP_MUL && node_is_const(u->arg[1]) && mpfr_regular_p(u->arg[1]->num)) {
            mpfr_mul(q, q, u->arg[1]->num, MPFR_RNDN);
            u = u->arg[0];
        } else if (u->op == OP_DIV && node_is_const(u->arg[1]) && mpfr_regular_p(u->arg[1]->num)) {
            mpfr_div(q, q, u->arg[1]->num, MPFR_RNDN);
            u = u->arg[0];
        } else if (u->op == OP_SUB && u->arg[0]->id > u->arg[1]->id) { /* one of a - b, b - a */
            mpfr_neg(q, q, MPFR_RNDN);
            u = graph_op(g, OP_SUB, u->arg[1], u->arg[0], NULL);
        } else {
            break;
        }
    }
    *base = u;
    *unit = q;
}

/* E -> E^k. */
static bool rep_stretch(Graph *g, Rep *r, int k) {
    r->shift *= k;
    if (!(r->top = poly_stretch(g, r->top, k))) return false;
    for (int i = 0; i < r->nunder; i++)
        if (!(r->under[i] = poly_stretch(g, r->under[i], k))) return false;
    return true;
}

/* E -> 1/E. */
static void rep_mirror(Graph *g, Rep *r) {
    r->shift = -r->shift - r->top->degree;
    for (int i = -1; i < r->nunder; i++) {
        const Poly *p = i < 0 ? r->top : r->under[i];
        Poly *m = poly_new(g, p->degree);
        for (int k = 0; k <= p->degree; k++) mpfr_set(m->c[k], p->c[p->degree - k], MPFR_RNDN);
        if (i < 0) {
            r->top = m;
            continue;
        }
        r->shift += p->degree * r->power[i];
        NUMBER_TEMP(lead, NUMBER_BITS);
        mpfr_set(lead, m->c[0], MPFR_RNDN); /* the constant term is to be 1 */
        Poly *top = poly_add(g, r->top, 0, poly_new(g, 0), 0);
        for (int k = 0; k <= m->degree; k++) mpfr_div(m->c[k], m->c[k], lead, MPFR_RNDN);
        for (int j = 0; j < r->power[i]; j++)
            for (int k = 0; k <= top->degree; k++) mpfr_div(top->c[k], top->c[k], lead, MPFR_RNDN);
        r->top = top;
        r->under[i] = m;
    }
}

/* Brings two quotients to one base and one unit; changes them. */
static bool rep_align(Graph *g, Rep *a, Rep *b) {
    enum { MOST_RATIO = 8 };
    if (!a->base || !b->base) return true;
    if (a->base != b->base) return false;
    NUMBER_TEMP(t, NUMBER_BITS);
    mpfr_div(t, a->unit, b->unit, MPFR_RNDN);
    if (mpfr_sgn(t) < 0) {
        rep_mirror(g, b);
        mpfr_ptr unit = number_copy(g, b->unit);
        mpfr_neg(unit, unit, MPFR_RNDN);
        b->unit = unit;
        mpfr_neg(t, t, MPFR_RNDN);
    }
    for (int p = 1; p <= MOST_RATIO; p++) {
        NUMBER_TEMP(r, NUMBER_BITS);
        mpfr_ui_div(r, (unsigned)p, t, MPFR_RNDN); /* a's unit is p/r of b's */
        const double d = mpfr_get_d(r, MPFR_RNDN);
        if (!(d > 0.5 && d < MOST_RATIO + 0.5) || !is_number(r, rint(d))) continue;
        mpfr_ptr unit = number_copy(g, a->unit);
        mpfr_div_ui(unit, unit, (unsigned)p, MPFR_RNDN);
        if (!rep_stretch(g, a, p) || !rep_stretch(g, b, (int)rint(d))) return false;
        a->unit = b->unit = unit;
        return true;
    }
    return false;
}

/* Puts a polynomial under the line. */
static bool rep_put_under(Graph *g, Rep *r, const Poly *p, int power) {
    if (power <= 0) return true;
    Poly *copy = poly_add(g, p, 0, poly_new(g, 0), 0),
         *top = poly_add(g, r->top, 0, poly_new(g, 0), 0);
    NUMBER_TEMP(lead, NUMBER_BITS);
    mpfr_set(lead, p->c[0], MPFR_RNDN);
    for (int k = 0; k <= p->degree; k++) mpfr_div(copy->c[k], copy->c[k], lead, MPFR_RNDN);
    for (int j = 0; j < power; j++)
        for (int k = 0; k <= top->degree; k++) mpfr_div(top->c[k], top->c[k], lead, MPFR_RNDN);
    r->top = top;
    if (copy->degree == 0) return true;
    for (Poly *root; (root = poly_root(g, copy)) != NULL;) copy = root, power *= 2;
    for (int i = 0; i < r->nunder; i++)
        if (poly_equal(r->under[i], copy)) {
            r->power[i] += power;
            return r->power[i] <= 2 * MOST_POWER;
        }
    if (r->nunder == MOST_FACTORS) return false;
    r->under[r->nunder] = copy;
    r->power[r->nunder++] = power;
    return true;
}

/* Takes out of the fraction what stands above and below the line. */
static void rep_cancel(Graph *g, Rep *r) {
    Poly *top = poly_add(g, r->top, 0, poly_new(g, 0), 0);
    r->shift += poly_trim(top);
    r->top = top;
    if (poly_is_zero(top)) {
        r->nunder = r->shift = 0;
        return;
    }
    for (int i = 0; i < r->nunder; i++) {
        const Poly *q;
        while (r->power[i] > 0 && (q = poly_divide(g, r->top, r->under[i])) != NULL) {
            r->top = q;
            r->power[i]--;
        }
        if (r->power[i] == 0) {
            r->under[i] = r->under[--r->nunder];
            r->power[i] = r->power[r->nunder];
            i--;
        }
    }
}

static Node *product(Graph *g, Node *a, Node *b) {
    return !a ? b : !b ? a : simplify_op(g, OP_MUL, a, b, NULL);
}

static Rep *rep_mul(Graph *g, const Rep *x, const Rep *y) {
    Rep *a = ARENA_NEW(g->arena, Rep), *b = ARENA_NEW(g->arena, Rep);
    *a = *x, *b = *y;
    if (!rep_align(g, a, b)) return NULL;
    if (!a->base) a->base = b->base, a->unit = b->unit;
    a->single = (a->single && !y->base) || (b->single && !x->base);
    a->c = product(g, a->c, b->c);
    a->shift += b->shift;
    if (!(a->top = poly_mul(g, a->top, b->top))) return NULL;
    for (int i = 0; i < b->nunder; i++)
        if (!rep_put_under(g, a, b->under[i], b->power[i])) return NULL;
    rep_cancel(g, a);
    return a;
}

static Rep *rep_invert(Graph *g, const Rep *x) {
    if (poly_is_zero(x->top)) return NULL;
    Rep *r = ARENA_NEW(g->arena, Rep);
    *r = *x;
    r->nunder = 0;
    r->single = false;
    r->shift = -x->shift;
    r->c = x->c ? simplify_op(g, OP_DIV, graph_float(g, (Type)x->c->type, 1), x->c, NULL) : NULL;
    const Poly *top = poly_two(g, 1, 1, 0);
    for (int i = 0; i < x->nunder && top; i++) {
        const Poly *p = poly_power(g, x->under[i], x->power[i]);
        top = p ? poly_mul(g, top, p) : NULL;
    }
    if (!top) return NULL;
    r->top = top;
    return rep_put_under(g, r, x->top, 1) ? r : NULL;
}

/* x + sign*y, which have the same c. */
static Rep *rep_add(Graph *g, const Rep *x, const Rep *y, int sign) {
    Rep *a = ARENA_NEW(g->arena, Rep), *b = ARENA_NEW(g->arena, Rep);
    *a = *x, *b = *y;
    if (a->c != b->c || !rep_align(g, a, b)) return NULL;
    if (!a->base) a->base = b->base, a->unit = b->unit;
    const Poly *p = a->top, *q = b->top;
    Rep *sum = ARENA_NEW(g->arena, Rep);
    *sum = *a;
    /* the common denominator, and what each numerator lacks of it */
    for (int i = 0; i < b->nunder; i++) {
        int k = 0;
        while (k < sum->nunder && !poly_equal(sum->under[k], b->under[i])) k++;
        const int have = k < sum->nunder ? sum->power[k] : 0, more = b->power[i] - have;
        if (k == sum->nunder) {
            if (k == MOST_FACTORS) return NULL;
            sum->under[sum->nunder++] = b->under[i];
        }
        if (more > 0) {
            const Poly *lack = poly_power(g, b->under[i], more);
            if (!lack || !(p = poly_mul(g, p, lack))) return NULL;
            sum->power[k] = b->power[i];
        }
    }
    for (int i = 0; i < sum->nunder; i++) {
        int have = 0;
        for (int k = 0; k < b->nunder; k++)
            if (poly_equal(sum->under[i], b->under[k])) have = b->power[k];
        const Poly *lack = poly_power(g, sum->under[i], sum->power[i] - have);
        if (!lack || !(q = poly_mul(g, q, lack))) return NULL;
    }
    if (sign < 0) {
        Poly *minus = poly_new(g, q->degree);
        for (int i = 0; i <= q->degree; i++) mpfr_neg(minus->c[i], q->c[i], MPFR_RNDN);
        q = minus;
    }
    const int low = a->shift < b->shift ? a->shift : b->shift;
    if (!(sum->top = poly_add(g, p, a->shift - low, q, b->shift - low))) return NULL;
    sum->shift = low;
    sum->single = false;
    rep_cancel(g, sum);
    return sum;
}

static Rep *rep_power(Graph *g, const Rep *x, int k) {
    Rep *r = rep_constant(g, number(g, 1), NULL);
    const Rep *factor = k < 0 ? rep_invert(g, x) : x;
    if (!factor) return NULL;
    for (int i = 0; i < (k < 0 ? -k : k) && r; i++) r = rep_mul(g, r, factor);
    /* The square of a function is as good as that, and cheaper than another exponential. */
    if (r && k > 0) r->single = x->single;
    return r;
}

/* ---- what an operation makes of quotients ---- */

/* exp(times*u) */
static Rep *rep_exp(Graph *g, Node *u, int times) {
    Rep *r = rep_constant(g, number(g, 1), NULL);
    split_argument(g, u, &r->base, &r->unit);
    NUMBER_TEMP(k, NUMBER_BITS);
    mpfr_mul_si(k, r->unit, times, MPFR_RNDN);
    /* exp(k*softplus(v)) = (1 + exp(v))^k */
    if ((r->base->op == OP_SOFTPLUS || r->base->op == OP_LOGSIGMOID) && mpfr_integer_p(k) &&
        mpfr_cmpabs_ui(k, MOST_POWER) <= 0) {
        const bool log_of = r->base->op == OP_LOGSIGMOID;
        Rep *e = rep_exp(g, r->base->arg[0], log_of ? -1 : 1);
        Rep *one = rep_constant(g, number(g, 1), NULL);
        const int n = (int)mpfr_get_si(k, MPFR_RNDN);
        if (e) e = rep_add(g, one, e, 1);
        return e ? rep_power(g, e, log_of ? -n : n) : NULL;
    }
    r->shift = times;
    if (mpfr_sgn(r->unit) < 0) { /* units are positive */
        mpfr_neg(r->unit, r->unit, MPFR_RNDN);
        r->shift = -times;
    }
    return r;
}

static Rep *rep_function(Graph *g, Op op, Node *u) {
    Rep *one = rep_constant(g, number(g, 1), NULL);
    const bool twice = op == OP_TANH || op == OP_SECH2 || op == OP_SINH || op == OP_COSH;
    Rep *e = rep_exp(g, u, twice ? 2 : 1);
    if (!e) return NULL;
    Rep *half = rep_constant(g, number(g, 0.5), NULL);
    switch ((int)op) {
    case OP_EXP:
        return e;
    case OP_EXPM1:
        return rep_add(g, e, one, -1);
    case OP_SIGMOID:
    case OP_TANH:
    case OP_SECH2: {
        Rep *d = rep_add(g, e, one, 1);
        if (d) d = rep_invert(g, d);
        if (!d) return NULL;
        if (op == OP_SIGMOID) return rep_mul(g, e, d);
        if (op == OP_TANH) {
            Rep *t = rep_add(g, e, one, -1);
            return t ? rep_mul(g, t, d) : NULL;
        }
        Rep *s = rep_mul(g, e, d);
        s = s ? rep_mul(g, s, d) : NULL;
        return s ? rep_mul(g, rep_constant(g, number(g, 4), NULL), s) : NULL;
    }
    default: {
        Rep *s = rep_add(g, e, one, op == OP_SINH ? -1 : 1), *down = rep_exp(g, u, -1);
        s = s && down ? rep_mul(g, s, down) : NULL;
        return s ? rep_mul(g, half, s) : NULL;
    }
    }
}

/* ---- names ---- */

static Node *multiple(Graph *g, mpfr_srcptr k, Node *n) {
    return simplify_op(g, OP_MUL, graph_number(g, (Type)n->type, k), n, NULL);
}

/* (j/2)*u where E = exp(u). */
static Node *argument(Graph *g, const Rep *r, int j, bool halved) {
    NUMBER_TEMP(k, NUMBER_BITS);
    mpfr_mul_si(k, r->unit, j, MPFR_RNDN);
    if (halved) mpfr_div_2ui(k, k, 1, MPFR_RNDN);
    return multiple(g, k, r->base);
}

static Node *call(Graph *g, Op op, Node *a) { return simplify_op(g, op, a, NULL, NULL); }

static Node *power_of(Graph *g, Node *a, int k) {
    return simplify_op(g, OP_POW, a, graph_float(g, (Type)a->type, k), NULL);
}

/* p is a + b*E^m with m >= 1. */
static bool has_two_terms(const Poly *p) {
    for (int i = 1; i < p->degree; i++)
        if (!mpfr_zero_p(p->c[i])) return false;
    return p->degree >= 1;
}

static bool is_one_plus(const Poly *p) {
    return has_two_terms(p) && is_number(p->c[0], 1) && is_number(p->c[p->degree], 1);
}

/* p is k*(E^m - 1): its k. */
static bool is_minus_one(const Poly *p, mpfr_ptr k) {
    NUMBER_TEMP(s, NUMBER_BITS);
    if (!has_two_terms(p)) return false;
    mpfr_div(s, p->c[0], p->c[p->degree], MPFR_RNDN);
    mpfr_set(k, p->c[p->degree], MPFR_RNDN);
    return is_number(s, -1);
}

/* E^shift*top where nothing stands under the line. */
static Node *name_sum(Graph *g, const Rep *r) {
    NUMBER_TEMP(k, NUMBER_BITS);
    const Poly *p = r->top;
    const int m = p->degree;
    if (m == 0) return multiple(g, p->c[0], call(g, OP_EXP, argument(g, r, r->shift, false)));
    if (is_minus_one(p, k)) {
        if (r->shift == 0) return multiple(g, k, call(g, OP_EXPM1, argument(g, r, m, false)));
        if (r->shift == -m) {
            mpfr_neg(k, k, MPFR_RNDN);
            return multiple(g, k, call(g, OP_EXPM1, argument(g, r, -m, false)));
        }
        mpfr_mul_2ui(k, k, 1, MPFR_RNDN);
        return 2 * r->shift == -m ? multiple(g, k, call(g, OP_SINH, argument(g, r, m, true)))
                                  : NULL;
    }
    if (2 * r->shift != -m || !has_two_terms(p)) return NULL;
    mpfr_div(k, p->c[0], p->c[m], MPFR_RNDN);
    if (!is_number(k, 1)) return NULL;
    mpfr_mul_2ui(k, p->c[0], 1, MPFR_RNDN);
    return multiple(g, k, call(g, OP_COSH, argument(g, r, m, true)));
}

/* E^(jm)*(E^m - 1)^t/(1 + E^m)^p: products of sigmoid and tanh. */
static Node *name_logistic(Graph *g, const Rep *r) {
    const int m = r->under[0]->degree;
    int p = r->power[0], tanhs = 0;
    NUMBER_TEMP(k, NUMBER_BITS);
    const Poly *top = r->top, *less;
    const Poly *factor = poly_two(g, -1, 1, m);
    while (top->degree > 0 && (less = poly_divide(g, top, factor)) != NULL) top = less, tanhs++;
    mpfr_set(k, top->c[0], MPFR_RNDN);
    p -= tanhs;
    if (top->degree > 0 || p < 0 || p > MOST_POWER || r->shift % m) return NULL;
    const int j = r->shift / m;
    if (j < 0 || j > p) return NULL;
    Node *y = NULL;
    if (tanhs) y = power_of(g, call(g, OP_TANH, argument(g, r, m, true)), tanhs);
    NUMBER_TEMP(quarter, NUMBER_BITS);
    mpfr_div_2ui(quarter, k, 2, MPFR_RNDN);
    if (p == 2 && j == 1 && (tanhs || is_number(quarter, 1) || is_number(quarter, -1))) {
        mpfr_set(k, quarter, MPFR_RNDN);
        y = product(g, y, call(g, OP_SECH2, argument(g, r, m, true)));
    } else if (p == 2 * j && j > 1) { /* its derivative has the tanh that n - s would lose */
        mpfr_div_2ui(k, k, 2 * (unsigned)j, MPFR_RNDN);
        y = product(g, y, power_of(g, call(g, OP_SECH2, argument(g, r, m, true)), j));
    } else {
        if (j) y = product(g, y, power_of(g, call(g, OP_SIGMOID, argument(g, r, m, false)), j));
        if (p > j)
            y = product(g, y, power_of(g, call(g, OP_SIGMOID, argument(g, r, -m, false)), p - j));
    }
    return y ? multiple(g, k, y) : NULL;
}

/* E^m*(2 + E^m)/(2 + 2*E^m + E^2m) is tanh(softplus(mu)). */
static Node *name_tanh_of_softplus(Graph *g, const Rep *r) {
    const Poly *d = r->under[0];
    const int m = d->degree / 2;
    if (r->power[0] != 1 || d->degree % 2 || r->top->degree != m || r->shift != m ||
        !has_two_terms(r->top))
        return NULL;
    for (int i = 1; i < d->degree; i++)
        if (!is_number(d->c[i], i == m ? 1 : 0)) return NULL;
    NUMBER_TEMP(t, NUMBER_BITS);
    mpfr_div(t, r->top->c[0], r->top->c[m], MPFR_RNDN);
    if (!is_number(d->c[2 * m], 0.5) || !is_number(t, 2)) return NULL;
    mpfr_mul_2ui(t, r->top->c[m], 1, MPFR_RNDN);
    return multiple(g, t, call(g, OP_TANH, call(g, OP_SOFTPLUS, argument(g, r, m, false))));
}

static Node *name(Graph *g, const Rep *r) {
    if (r->nunder == 0) return name_sum(g, r);
    if (r->nunder > 1) return NULL;
    if (is_one_plus(r->under[0])) return name_logistic(g, r);
    return name_tanh_of_softplus(g, r);
}

/* ---- without a name ---- */

/* The polynomial in n for u < 0 and, with its coefficients reversed, for u >= 0. */
static Node *horner(Graph *g, const Poly *p, Node *below, Node *n) {
    const Type t = (Type)n->type;
    Node *y = NULL;
    for (int i = p->degree; i >= 0; i--) {
        Node *left = graph_number(g, t, p->c[i]), *right = graph_number(g, t, p->c[p->degree - i]);
        Node *c = left == right ? left : graph_op(g, OP_SELECT, below, left, right);
        y = !y              ? c
            : node_is(c, 0) ? simplify_op(g, OP_MUL, y, n, NULL)
            : node_is(y, 1) ? simplify_op(g, OP_ADD, n, c, NULL)
                            : graph_op(g, OP_FMA, y, n, c);
    }
    return y;
}

static Node *compute(Graph *g, const Rep *r) {
    Rep rest = *r;
    Node *y = NULL;
    int sign = poly_sign(rest.top);
    for (int m = rest.top->degree; m >= 1 && !sign; m--) { /* E^m - 1 = tanh(mu/2)*(E^m + 1) */
        const Poly *less = poly_divide(g, rest.top, poly_two(g, -1, 1, m));
        const Poly *top = less ? poly_mul(g, less, poly_two(g, 1, 1, m)) : NULL;
        if (!top) continue;
        rest.top = top;
        y = product(g, y, call(g, OP_TANH, argument(g, r, m, true)));
        sign = poly_sign(top);
        rep_cancel(g, &rest);
        m = rest.top->degree + 1;
    }
    if (!sign) return NULL;
    int right = -rest.shift - rest.top->degree;
    for (int i = 0; i < rest.nunder; i++) {
        if (poly_sign(rest.under[i]) <= 0) return NULL;
        right += rest.power[i] * rest.under[i]->degree;
    }
    const int left = rest.shift; /* the powers of n before the fraction */
    if (left < 0 || right < 0) return NULL;
    Node *u = argument(g, &rest, 1, false), *zero = graph_float(g, (Type)u->type, 0);
    Node *n = call(g, OP_EXP, call(g, OP_NEG, call(g, OP_ABS, u)));
    Node *below = simplify_op(g, OP_LT, u, zero, NULL);
    Node *under = NULL;
    for (int i = 0; i < rest.nunder; i++)
        under = product(g, under, power_of(g, horner(g, rest.under[i], below, n), rest.power[i]));
    Node *fraction = horner(g, rest.top, below, n);
    if (under) fraction = simplify_op(g, OP_DIV, fraction, under, NULL);
    if (left || right) {
        Node *one = graph_float(g, (Type)u->type, 1);
        Node *l = left ? power_of(g, n, left) : one, *h = right ? power_of(g, n, right) : one;
        fraction = simplify_op(g, OP_MUL, l == h ? l : graph_op(g, OP_SELECT, below, l, h),
                               fraction, NULL);
    }
    return product(g, fraction, y);
}

/* ---- logarithms ---- */

/* log(r), or NULL. */
static Node *logarithm(Graph *g, const Rep *r) {
    if (r->c || !r->base || r->nunder > 1) return NULL;
    const Poly *p = r->nunder ? r->under[0] : r->top;
    if (!has_two_terms(p) || (r->nunder && r->top->degree)) return NULL;
    int times = r->nunder ? -r->power[0] : 1, shift = r->shift;
    const int m = p->degree;
    NUMBER_TEMP(k, NUMBER_BITS); /* k*E^shift*(1 + ratio*E^m)^times */
    NUMBER_TEMP(ratio, NUMBER_BITS);
    mpfr_set(k, r->top->c[0], MPFR_RNDN);
    mpfr_div(ratio, p->c[m], p->c[0], MPFR_RNDN);
    if (mpfr_sgn(k) <= 0 || mpfr_sgn(ratio) <= 0) return NULL;
    const Type t = (Type)r->base->type;
    if (is_number(ratio, 1) && is_number(k, 1)) {
        const bool down = shift == -m * times;
        if (shift == 0 || down) {
            Node *v = argument(g, r, down ? -m : m, false);
            if (times == -1) return call(g, OP_LOGSIGMOID, call(g, OP_NEG, v));
            return simplify_op(g, OP_MUL, graph_float(g, t, times), call(g, OP_SOFTPLUS, v), NULL);
        }
        if (times != 1 && times != -1) return NULL;
        if (times < 0) shift = -shift; /* of the inverse */
        Node *low = argument(g, r, shift, false), *high = argument(g, r, shift + m, false);
        Node *gap = call(g, OP_NEG, call(g, OP_ABS, argument(g, r, m, false)));
        Node *y = simplify_op(g, OP_ADD, simplify_op(g, OP_MAX, high, low, NULL),
                              call(g, OP_SOFTPLUS, gap), NULL);
        /* Its derivative at 0 is not that of max and abs. */
        Node *left = call(g, OP_SIGMOID, argument(g, r, -m, false)),
             *right = call(g, OP_SIGMOID, argument(g, r, m, false));
        NUMBER_TEMP(slope, NUMBER_BITS);
        mpfr_mul_si(slope, r->unit, shift, MPFR_RNDN);
        left = multiple(g, slope, left);
        mpfr_mul_si(slope, r->unit, shift + m, MPFR_RNDN);
        right = multiple(g, slope, right);
        y = simplify_op(g, OP_CUSTOM, call(g, OP_STOP, y), r->base,
                        simplify_op(g, OP_ADD, left, right, NULL));
        return times < 0 ? call(g, OP_NEG, y) : y;
    }
    const bool cosh_like = is_number(ratio, 1) && 2 * shift == -m * times &&
                           is_number(k, times > 0 ? 0.5 : 2) && (times == 1 || times == -1);
    if (cosh_like) {
        Node *y = call(g, OP_LOG, call(g, OP_COSH, argument(g, r, m, true)));
        return times < 0 ? call(g, OP_NEG, y) : y;
    }
    if (shift != 0 || times != 1 || mpfr_cmp_ui(k, 1) < 0) return NULL;
    NUMBER_TEMP(l, NUMBER_BITS);
    mpfr_log(l, ratio, MPFR_RNDN);
    Node *v = simplify_op(g, OP_ADD, argument(g, r, m, false), graph_number(g, t, l), NULL);
    mpfr_log(l, k, MPFR_RNDN);
    return simplify_op(g, OP_ADD, graph_number(g, t, l), call(g, OP_SOFTPLUS, v), NULL);
}

/* ---- the pass ---- */

static void tell(Pass *w, const char *what, const Node *before, const Node *after) {
    w->fired++;
    if (w->trace) w->trace(w->user, w->g, what, before, after);
}

static Node *make(Pass *w, const Node *n) {
    Node **made = &w->made[n->id];
    if (*made) return *made;
    Graph *g = w->g;
    const Rep *r = w->reps[n->id];
    *made = w->plain[n->id];
    if (!r || !r->base || r->single || poly_is_zero(r->top)) return *made;
    Node *y = name(g, r);
    const bool named = y != NULL;
    if (!y && w->late && r->nunder) y = compute(g, r);
    if (!y) return *made;
    y = product(g, r->c, y);
    if (y == *made) return y;
    tell(w, named ? "exponentials" : "exponentials_without_name", *made, y);
    return *made = y;
}

static Node *as_written(Pass *w, const Node *n, bool *changed) {
    Node *arg[3] = {NULL, NULL, NULL};
    *changed = false;
    for (int k = 0; k < n->nargs; k++) {
        arg[k] = make(w, n->arg[k]);
        *changed = *changed || arg[k] != n->arg[k];
    }
    return *changed ? simplify_like(w->g, n, arg) : (Node *)n;
}

static const Rep *rep_at(Pass *w, const Node *n) {
    if (!w->reps[n->id]) w->reps[n->id] = rep_of_node(w->g, make(w, n));
    return w->reps[n->id];
}

/* The quotient that n is, of its arguments'; NULL where it is none. */
static Rep *combine(Pass *w, const Node *n) {
    Graph *g = w->g;
    const Rep *a = n->nargs > 0 ? w->reps[n->arg[0]->id] : NULL,
              *b = n->nargs > 1 ? w->reps[n->arg[1]->id] : NULL;
    const bool exponential = (a && a->base) || (b && b->base);
    switch ((int)n->op) {
    case OP_CONST:
        return mpfr_number_p(n->num) ? rep_constant(g, n->num, NULL) : NULL;
    case OP_NEG:
        return a ? rep_mul(g, rep_constant(g, number(g, -1), NULL), a) : NULL;
    case OP_ADD:
    case OP_SUB:
        if (!exponential) return NULL;
        a = rep_at(w, n->arg[0]), b = rep_at(w, n->arg[1]);
        return rep_add(g, a, b, n->op == OP_SUB ? -1 : 1);
    case OP_MUL:
        if (!exponential && !node_is_const(n->arg[0]) && !node_is_const(n->arg[1])) return NULL;
        return rep_mul(g, rep_at(w, n->arg[0]), rep_at(w, n->arg[1]));
    case OP_DIV: {
        if (!b || (!b->base && !node_is_const(n->arg[1]))) return NULL;
        if (b->c) return NULL;
        Rep *inverse = rep_invert(g, b);
        return inverse ? rep_mul(g, rep_at(w, n->arg[0]), inverse) : NULL;
    }
    case OP_POW: {
        const Node *k = n->arg[1];
        if (!a || !a->base || !node_is_const(k) || !mpfr_integer_p(k->num) ||
            mpfr_cmpabs_ui(k->num, MOST_POWER) > 0)
            return NULL;
        return rep_power(g, a, (int)mpfr_get_si(k->num, MPFR_RNDN));
    }
    case OP_EXP:
    case OP_EXPM1:
    case OP_SIGMOID:
    case OP_TANH:
    case OP_SECH2:
    case OP_SINH:
    case OP_COSH: {
        Node *u = make(w, n->arg[0]);
        Rep *r = node_is_const(u) ? NULL : rep_function(g, (Op)n->op, u);
        if (r) r->single = true;
        return r;
    }
    default:
        return NULL;
    }
}

/* What a logarithm becomes, or NULL. */
static Node *combine_log(Pass *w, const Node *n) {
    Graph *g = w->g;
    const Rep *a = w->reps[n->arg[0]->id];
    if (!a || !a->base) return NULL;
    if (n->op == OP_LOG1P) {
        if (a->c) return NULL;
        a = rep_add(g, rep_constant(g, number(g, 1), NULL), a, 1);
    }
    return a ? logarithm(g, a) : NULL;
}

size_t rewrite_exponentials(Graph *g, bool late, RewriteTrace *trace, void *user) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
    bool any = false;
    for (size_t i = 0; i < count && !any; i++) {
        const int op = g->nodes[i]->op;
        any = needed[i] && (op == OP_EXP || op == OP_EXPM1 || op == OP_SIGMOID || op == OP_TANH ||
                            op == OP_SECH2 || op == OP_SINH || op == OP_COSH);
    }
    if (!any) return 0;
    Pass w = {.g = g, .late = late, .trace = trace, .user = user};
    w.reps = ARENA_ARRAY(g->arena, Rep *, count + 1);
    w.plain = ARENA_ARRAY(g->arena, Node *, count + 1);
    w.made = ARENA_ARRAY(g->arena, Node *, count + 1);
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        w.plain[i] = n;
        if (!type_is_float((Type)n->type) && n->nargs == 0) {
            w.made[i] = n;
            continue;
        }
        bool changed;
        if (type_is_float((Type)n->type)) w.reps[i] = combine(&w, n);
        w.plain[i] = n->nargs ? as_written(&w, n, &changed) : n;
        if (n->op == OP_LOG || n->op == OP_LOG1P) {
            Node *y = combine_log(&w, n);
            if (y && y != w.plain[i]) {
                tell(&w, "logarithm_of_exponentials", w.plain[i], y);
                w.plain[i] = y;
            }
        }
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = make(&w, g->outs[i].node);
    return w.fired;
}
