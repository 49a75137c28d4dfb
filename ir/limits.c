/* What a value is at plus and minus infinity, where IEEE arithmetic says NaN: inf - inf, 0*inf,
 * inf/inf.
 *
 * limit_products: products of a factor that grows without bound and one that vanishes faster:
 * x*sigmoid(x) at -infinity is 0, but -inf times 0 is NaN. Where the growing factor is a polynomial
 * and the other one vanishes exponentially, the limit is 0.
 *
 * If the growing factor is x itself and it is known at which end the other one vanishes, x is kept
 * finite there, by one comparison: max(x, -largest)*sigmoid(x). Else the product becomes dmul,
 * which takes 0 times infinity for 0. Finite arguments give the same bits as before. To be done
 * after differentiation: nothing here has a useful derivative.
 *
 * limit_ends: whatever else depends on one variable only and is NaN at an infinity of it. It is
 * evaluated in many bits at three very large arguments; where it settles there, grows or vanishes
 * beyond doubt, that is its limit, and is chosen at the infinity. A value that oscillates stays
 * NaN. Nothing is added to what is right anyway. */
#include <float.h>
#include <math.h>

#include "ir.h"

/* How a value behaves where its variables go to infinity. */
typedef enum { UNKNOWN, GROWING, BOUNDED, VANISHING } Growth;

/* GROWING: at most a polynomial. VANISHING: bounded, and 0 only in exponential limits, at the ends
 * that are named if there is only one variable x, whose coefficient has a known sign. */
typedef struct {
    Growth growth;
    Node *x;          /* the variable, for `left` and `right`; NULL: not known */
    bool left, right; /* vanishes for x to -infinity, +infinity */
    int level;  /* it grows, or its argument does: 0 as a polynomial, 1 as an exponential, … */
    bool grows; /* has a factor that grows, so it may do so at the other end */
} Behaviour;

static int sign_of_constant(const Node *n) {
    return node_is_const(n) && n->num && mpfr_regular_p(n->num) ? mpfr_sgn(n->num) : 0;
}

/* +1 or -1 if u is a positive or negative multiple of a variable (which *x becomes), else 0. */
static int direction(Node *u, Node **x) {
    if (u->op == OP_VAR) {
        *x = u;
        return 1;
    }
    if (u->op == OP_NEG) return -direction(u->arg[0], x);
    if (u->op == OP_MUL && sign_of_constant(u->arg[0]))
        return sign_of_constant(u->arg[0]) * direction(u->arg[1], x);
    if (u->op == OP_MUL && sign_of_constant(u->arg[1]))
        return sign_of_constant(u->arg[1]) * direction(u->arg[0], x);
    if (u->op == OP_DIV && sign_of_constant(u->arg[1]))
        return sign_of_constant(u->arg[1]) * direction(u->arg[0], x);
    return 0;
}

/* Of a function that vanishes where its argument u goes to -infinity (`below`), to +infinity
 * (`above`). */
static Behaviour vanishing(Node *u, const Behaviour *of_u, bool below, bool above) {
    Behaviour b = {.growth = BOUNDED};
    if (of_u->growth != GROWING) return b;
    b.growth = VANISHING;
    b.level = of_u->level;
    const int way = direction(u, &b.x);
    if (way == 0) b.x = NULL;
    b.left = way > 0 ? below : above;
    b.right = way > 0 ? above : below;
    return b;
}

static Growth worse(Growth a, Growth b) { return a < b ? a : b; }

static bool is_even_power(const Node *n) {
    if (n->op == OP_ABS) return true;
    return n->op == OP_POW && node_is_const(n->arg[1]) && mpfr_integer_p(n->arg[1]->num) &&
           mpfr_get_si(n->arg[1]->num, MPFR_RNDN) % 2 == 0 && mpfr_sgn(n->arg[1]->num) > 0;
}

/* u <= 0 and unbounded below: -|v|, -3*v^2. */
static bool is_negative(const Node *u) {
    if (u->op == OP_NEG) return is_even_power(u->arg[0]) || u->arg[0]->op == OP_EXP;
    return u->op == OP_MUL && ((sign_of_constant(u->arg[0]) < 0 && is_even_power(u->arg[1])) ||
                               (sign_of_constant(u->arg[1]) < 0 && is_even_power(u->arg[0])));
}

static Behaviour product_of(const Behaviour *a, const Behaviour *b) {
    Behaviour p = {.growth = worse(a->growth, b->growth),
                   .level = a->level > b->level ? a->level : b->level};
    if (a->growth != VANISHING && b->growth != VANISHING) return p;
    if (p.growth == UNKNOWN) return p;
    /* what grows faster than the other one vanishes is not beaten */
    if ((a->growth == GROWING && a->level > b->level) ||
        (b->growth == GROWING && b->level > a->level))
        return (Behaviour){.growth = UNKNOWN};
    const bool grows = a->growth == GROWING || b->growth == GROWING || a->grows || b->grows;
    p.growth = VANISHING;
    /* 0 where either is, if the other is bounded */
    if (a->growth == VANISHING && b->growth == VANISHING && a->x == b->x)
        p = (Behaviour){.growth = VANISHING,
                        .x = a->x,
                        .left = a->left || b->left,
                        .right = a->right || b->right};
    else if (a->growth == BOUNDED)
        p = *b;
    else if (b->growth == BOUNDED)
        p = *a;
    p.grows = grows;
    return p;
}

/* Of what is as bad as the worse of a and b. */
static Behaviour sum_of(const Behaviour *a, const Behaviour *b) {
    Growth w = worse(a->growth, b->growth);
    if (w == VANISHING) w = BOUNDED;
    if (w == BOUNDED && (a->grows || b->grows)) w = GROWING;
    return (Behaviour){.growth = w, .level = a->level > b->level ? a->level : b->level};
}

static Behaviour behaviour_of(Node *n, const Behaviour *known) {
    const Behaviour *a = n->nargs > 0 ? &known[n->arg[0]->id] : NULL,
                    *b = n->nargs > 1 ? &known[n->arg[1]->id] : NULL,
                    *c = n->nargs > 2 ? &known[n->arg[2]->id] : NULL;
    const Behaviour bounded = {.growth = BOUNDED}, growing = {.growth = GROWING},
                    unknown = {.growth = UNKNOWN};
    switch ((Op)n->op) {
    case OP_CONST:
        return n->num && mpfr_number_p(n->num) ? bounded : unknown;
    case OP_VAR:
        return growing;
    case OP_NEG:
    case OP_ABS:
        return *a;
    case OP_ADD:
    case OP_SUB:
    case OP_MAX:
    case OP_MIN:
        return sum_of(a, b);
    case OP_MUL:
        return product_of(a, b);
    case OP_DIV:
        return sign_of_constant(n->arg[1]) ? *a : unknown;
    case OP_POW:
        return is_even_power(n) || (node_is_const(n->arg[1]) && mpfr_integer_p(n->arg[1]->num) &&
                                    mpfr_sgn(n->arg[1]->num) > 0)
                   ? *a
                   : unknown;
    case OP_COND:
        return sum_of(b, c);
    case OP_SOFTPLUS:
    case OP_LOGSIGMOID:
        return a->growth >= GROWING ? growing : unknown;
    case OP_SIGMOID:
    case OP_NORMCDF:
        return vanishing(n->arg[0], a, true, false);
    case OP_ERFC:
        return vanishing(n->arg[0], a, false, true);
    case OP_TANH: /* tanh(softplus(u)) vanishes as e^u does */
        return n->arg[0]->op == OP_SOFTPLUS
                   ? vanishing(n->arg[0]->arg[0], &known[n->arg[0]->arg[0]->id], true, false)
                   : bounded;
    case OP_SECH2: /* of softplus it goes to 1 at the left */
        return n->arg[0]->op == OP_SOFTPLUS
                   ? vanishing(n->arg[0]->arg[0], &known[n->arg[0]->arg[0]->id], false, true)
                   : vanishing(n->arg[0], a, true, true);
    case OP_EXP: {
        if (a->growth != GROWING) return a->growth >= BOUNDED ? bounded : unknown;
        if (!is_negative(n->arg[0])) return (Behaviour){.growth = GROWING, .level = a->level + 1};
        if (n->arg[0]->op == OP_NEG && n->arg[0]->arg[0]->op == OP_EXP)
            return (Behaviour){.growth = VANISHING, .level = a->level};
        Node *inner = n->arg[0]->op == OP_NEG ? n->arg[0]->arg[0]
                                              : n->arg[0]->arg[node_is_const(n->arg[0]->arg[0])];
        Behaviour v = {.growth = VANISHING, .left = true, .right = true};
        if (direction(inner->arg[0], &v.x) == 0) v.x = NULL;
        return v;
    }
    case OP_SIN:
    case OP_COS:
    case OP_ATAN:
    case OP_ERF:
    case OP_SIGN:
    case OP_STEP:
        return a->growth != UNKNOWN ? bounded : unknown;
    default:
        return unknown;
    }
}

/* The factors of a vanishing product: those that grow, the others, and how these behave together.
 */
typedef struct {
    Node *grows, *rest;
    Behaviour behaviour;
} Factors;

enum { DEEPEST_PRODUCT = 64 };

static void split(Graph *g, Node *n, const Behaviour *known, Node *const *map, int depth,
                  Factors *f) {
    if (n->op == OP_MUL && known[n->id].growth == VANISHING && depth < DEEPEST_PRODUCT) {
        split(g, n->arg[0], known, map, depth + 1, f);
        split(g, n->arg[1], known, map, depth + 1, f);
        return;
    }
    const bool grows = known[n->id].growth == GROWING;
    Node **to = grows ? &f->grows : &f->rest;
    *to = *to ? simplify_op(g, OP_MUL, *to, map[n->id], NULL) : map[n->id];
    if (!grows) f->behaviour = product_of(&f->behaviour, &known[n->id]);
}

/* The product without its NaN; NULL where there is nothing to do. */
static Node *tame(Graph *g, Node *n, const Behaviour *known, Node *const *map) {
    const Type t = (Type)n->type;
    const double largest = t == TYPE_F32 ? (double)FLT_MAX : DBL_MAX;
    Factors f = {NULL, NULL, {.growth = BOUNDED}};
    split(g, n, known, map, 0, &f);
    Node *grows = f.grows, *rest = f.rest;
    const Behaviour b = f.behaviour;
    if (!grows || !rest) return NULL;
    if (b.x && b.x == grows && (b.left || b.right)) {
        Node *x = grows;
        if (b.left) x = graph_op(g, OP_MAX, graph_float(g, t, -largest), x, NULL);
        if (b.right) x = graph_op(g, OP_MIN, graph_float(g, t, largest), x, NULL);
        return simplify_op(g, OP_MUL, x, rest, NULL);
    }
    return simplify_op(g, OP_DMUL, grows, rest, NULL);
}

void limit_products(Graph *g) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
    Behaviour *known = ARENA_ARRAY(g->arena, Behaviour, count + 1);
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    for (size_t i = 0; i < count; i++) {
        if (needed[i] && type_is_float((Type)g->nodes[i]->type))
            known[i] = behaviour_of(g->nodes[i], known);
    }
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        map[i] = n;
        if (n->nargs == 0) continue;
        Node *tamed =
            n->op == OP_MUL && known[i].growth == VANISHING ? tame(g, n, known, map) : NULL;
        if (tamed) {
            map[i] = tamed;
            continue;
        }
        Node *arg[3] = {NULL, NULL, NULL};
        bool changed = false;
        for (int k = 0; k < n->nargs; k++) {
            arg[k] = map[n->arg[k]->id];
            changed = changed || arg[k] != n->arg[k];
        }
        if (changed) map[i] = simplify_like(g, n, arg);
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}

/* ---- what is left ---- */

enum { LIMIT_BITS = 160, SETTLED_BITS = 40, NO_FLOAT_BITS = 1200 };

typedef struct {
    Graph *g;
    const size_t *order; /* ids of the nodes that the value needs, ascending */
    size_t count;
    mpfr_t *values; /* by id */
} Probe;

/* The value at x = v; `rounded`: as the machine finds it, which overflows. */
static void probe_at(const Probe *p, mpfr_srcptr v, bool rounded, mpfr_ptr out) {
    for (size_t i = 0; i < p->count; i++) {
        const Node *n = p->g->nodes[p->order[i]];
        mpfr_ptr r = p->values[n->id];
        if (n->op == OP_VAR)
            mpfr_set(r, v, MPFR_RNDN);
        else if (n->op == OP_CONST && n->num)
            mpfr_set(r, n->num, MPFR_RNDN);
        else if (n->op == OP_CONST)
            mpfr_set_ui(r, n->bits != 0, MPFR_RNDN);
        else if (!fold_real((Op)n->op, r, p->values[n->arg[0]->id],
                            n->nargs > 1 ? p->values[n->arg[1]->id] : NULL,
                            n->nargs > 2 ? p->values[n->arg[2]->id] : NULL))
            mpfr_set_nan(r);
        if (rounded && n->nargs && type_is_float((Type)n->type))
            fold_decode(r, fold_encode(r, (Type)n->type), (Type)n->type);
    }
    mpfr_set(out, p->values[p->order[p->count - 1]], MPFR_RNDN);
}

/* After probe_at an infinity: whether something swings there for ever. */
static bool oscillates(const Probe *p) {
    for (size_t i = 0; i < p->count; i++) {
        const Node *n = p->g->nodes[p->order[i]];
        if ((n->op == OP_SIN || n->op == OP_COS || n->op == OP_TAN) &&
            mpfr_inf_p(p->values[n->arg[0]->id]))
            return true;
    }
    return false;
}

/* Nothing in any of our types. A factor of e^x may have been stopped there, by a comparison that
 * keeps the others from overflowing: then the product grows again, for an x that no type has. */
static bool is_nothing(mpfr_srcptr y) {
    return mpfr_zero_p(y) || (mpfr_regular_p(y) && mpfr_get_exp(y) < -NO_FLOAT_BITS);
}

/* The limit that three values on the way to infinity tell; NaN if they do not. */
static void tell_limit(mpfr_t y[3], mpfr_ptr limit) {
    mpfr_set_nan(limit);
    if (mpfr_nan_p(y[0]) || mpfr_nan_p(y[1]) || mpfr_nan_p(y[2])) return;
    NUMBER_TEMP(d, LIMIT_BITS);
    mpfr_sub(d, y[2], y[1], MPFR_RNDN);
    const bool same_sign = !mpfr_signbit(y[1]) == !mpfr_signbit(y[2]);
    const bool tiny = mpfr_zero_p(y[2]) || mpfr_get_exp(y[2]) < -SETTLED_BITS;
    if (mpfr_inf_p(y[2]) || (mpfr_regular_p(y[2]) && mpfr_get_exp(y[2]) > SETTLED_BITS &&
                             mpfr_cmpabs(y[2], y[1]) > 0 && mpfr_cmpabs(y[1], y[0]) > 0)) {
        if (same_sign) mpfr_set_inf(limit, mpfr_sgn(y[2]));
    } else if ((tiny && mpfr_cmpabs(y[2], y[1]) <= 0 && mpfr_cmpabs(y[1], y[0]) <= 0) ||
               (is_nothing(y[0]) && is_nothing(y[1]) && is_nothing(y[2]))) {
        mpfr_set_zero(limit, mpfr_signbit(y[2]) ? -1 : 1);
    } else if (mpfr_regular_p(y[2]) &&
               (mpfr_zero_p(d) || mpfr_get_exp(d) < mpfr_get_exp(y[2]) - SETTLED_BITS)) {
        mpfr_set(limit, y[2], MPFR_RNDN);
    }
}

/* The limit for x to the infinity of that sign; NaN if there is none that we can see. */
static void find_limit(const Probe *p, int sign, mpfr_ptr limit) {
    /* Far out first; less far where an exponential would leave even MPFR's range. */
    static const int exponents[2][3] = {{100, 200, 400}, {20, 24, 28}};
    NUMBER_TEMP(v, LIMIT_BITS);
    NUMBER_TEMP(y0, LIMIT_BITS);
    NUMBER_TEMP(y1, LIMIT_BITS);
    NUMBER_TEMP(y2, LIMIT_BITS);
    mpfr_t y[3];
    mpfr_set_nan(limit);
    for (int set = 0; set < 2 && mpfr_nan_p(limit); set++) {
        y[0][0] = y0[0], y[1][0] = y1[0], y[2][0] = y2[0];
        for (int i = 0; i < 3; i++) {
            mpfr_set_si_2exp(v, sign, exponents[set][i], MPFR_RNDN);
            probe_at(p, v, false, y[i]);
        }
        tell_limit(y, limit);
    }
}

/* y with its limits. */
static Node *with_limits(Graph *g, Node *y, Node *x, mpfr_t *values) {
    bool *in = ARENA_ARRAY(g->arena, bool, (size_t)y->id + 1);
    size_t *order = ARENA_ARRAY(g->arena, size_t, (size_t)y->id + 1), count = 0;
    in[y->id] = true;
    for (size_t i = (size_t)y->id + 1; i-- > 0;)
        for (int k = 0; in[i] && k < g->nodes[i]->nargs; k++) in[g->nodes[i]->arg[k]->id] = true;
    for (size_t i = 0; i <= y->id; i++) {
        if (!in[i]) continue;
        order[count++] = i;
        if (!mpfr_custom_get_significand(values[i]))
            number_init(values[i], arena_alloc(g->arena, mpfr_custom_get_size(LIMIT_BITS)),
                        LIMIT_BITS);
    }
    const Probe p = {g, order, count, values};
    NUMBER_TEMP(at, LIMIT_BITS);
    NUMBER_TEMP(limit, LIMIT_BITS);
    Node *result = y;
    for (int sign = -1; sign <= 1; sign += 2) {
        mpfr_set_inf(at, sign);
        probe_at(&p, at, true, limit);
        if (!mpfr_nan_p(limit) || oscillates(&p)) continue;
        find_limit(&p, sign, limit);
        if (mpfr_nan_p(limit)) continue;
        Node *inf = graph_float(g, (Type)x->type, sign < 0 ? -INFINITY : INFINITY);
        result = graph_op(g, OP_SELECT, graph_op(g, OP_EQ, x, inf, NULL),
                          graph_number(g, (Type)y->type, limit), result);
    }
    return result;
}

void limit_ends(Graph *g) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
    /* A variable that a node depends on, and whether there are several. */
    Node **only = ARENA_ARRAY(g->arena, Node *, count + 1);
    bool *maximal = ARENA_ARRAY(g->arena, bool, count + 1);
    bool *is_several = ARENA_ARRAY(g->arena, bool, count + 1);
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        if (n->op == OP_VAR) only[i] = n;
        for (int k = 0; k < n->nargs; k++) {
            const size_t a = n->arg[k]->id;
            if (is_several[a] || (only[i] && only[a] && only[i] != only[a])) is_several[i] = true;
            if (only[a]) only[i] = only[a];
        }
        for (int k = 0; k < n->nargs; k++)
            if (is_several[i] && !is_several[n->arg[k]->id]) maximal[n->arg[k]->id] = true;
    }
    for (size_t i = 0; i < g->nouts; i++)
        if (!is_several[g->outs[i].node->id]) maximal[g->outs[i].node->id] = true;
    mpfr_t *values = ARENA_ARRAY(g->arena, mpfr_t, count + 1);
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        Node *arg[3] = {NULL, NULL, NULL};
        bool changed = false;
        for (int k = 0; k < n->nargs; k++) {
            arg[k] = map[n->arg[k]->id];
            changed = changed || arg[k] != n->arg[k];
        }
        map[i] = changed ? simplify_like(g, n, arg) : n;
        if (maximal[i] && n->nargs && only[i] && type_is_float((Type)n->type))
            map[i] = with_limits(g, n, only[i], values);
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}
