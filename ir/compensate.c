/* Functions that amplify a rounding error: of their argument, and of their own result where that
 * is subnormal.
 *
 * compensate_arguments: exp(u) multiplies the error of u by u, and so do the tails of sigmoid,
 * erfc, … and sin far out. Where u is a product or a sum of exact values, what its rounding loses
 * is known: u = h + l, h the value as the machine computes it, l small (by fma and the two-sum of
 * Knuth, constants in two parts). Then f(u) is f(h) + f'(h)*l, and as l is tiny, f' need not be
 * accurate: exp(h)*l is one fma more. Where l would be infinite or has no effect it is left out, by
 * one comparison.
 *
 * split_tails: c*f(u) where f(u) = exp(v) or behaves so in its tail: the factor exp(v) is subnormal
 * or 0 before the product is. There it is (c*w)*w with w = exp(v/2), in a guard that ordinary
 * arguments do not enter. */
#include <float.h>
#include <math.h>

#include "ir.h"

/* ---- arguments in two parts ---- */

typedef struct {
    Node *h, *l; /* l NULL: 0 */
} Two;

static Node *op(Graph *g, Op o, Node *a, Node *b) { return simplify_op(g, o, a, b, NULL); }
static Node *fma_of(Graph *g, Node *a, Node *b, Node *c) { return graph_op(g, OP_FMA, a, b, c); }
static Node *float_of(Graph *g, const Node *like, double v) {
    return graph_float(g, (Type)like->type, v);
}

static Node *sum_of(Graph *g, Node *a, Node *b) {
    return !a ? b : !b ? a : graph_op(g, OP_ADD, a, b, NULL);
}

/* a*b without the algebra of simplify.c, which would move constants. */
static Node *times(Graph *g, Node *a, Node *b) {
    return !a || !b ? NULL : graph_op(g, OP_MUL, a, b, NULL);
}

static Two constant_in_two(Graph *g, Node *n) {
    const Type t = (Type)n->type;
    NUMBER_TEMP(h, NUMBER_BITS);
    NUMBER_TEMP(l, NUMBER_BITS);
    fold_decode(h, n->bits, t);
    mpfr_sub(l, n->num, h, MPFR_RNDN);
    return (Two){graph_number(g, t, h), mpfr_regular_p(l) ? graph_number(g, t, l) : NULL};
}

static bool is_power_of_two(const Node *n) {
    return node_is_const(n) && mpfr_regular_p(n->num) && mpfr_min_prec(n->num) == 1;
}

static Two product_in_two(Graph *g, Two a, Two b) {
    Node *h = graph_op(g, OP_MUL, a.h, b.h, NULL);
    Node *l = NULL;
    if (!is_power_of_two(a.h) && !is_power_of_two(b.h))
        l = fma_of(g, a.h, b.h, graph_op(g, OP_NEG, h, NULL, NULL));
    if (b.l) l = l ? fma_of(g, a.h, b.l, l) : times(g, a.h, b.l);
    if (a.l) l = l ? fma_of(g, a.l, b.h, l) : times(g, a.l, b.h);
    return (Two){h, l};
}

static Two sum_in_two(Graph *g, Op add, Two a, Two b) {
    if (add == OP_SUB) {
        b.h = graph_op(g, OP_NEG, b.h, NULL, NULL);
        if (b.l) b.l = graph_op(g, OP_NEG, b.l, NULL, NULL);
    }
    Node *h = graph_op(g, OP_ADD, a.h, b.h, NULL);
    Node *part = graph_op(g, OP_SUB, h, a.h, NULL);
    Node *lost =
        graph_op(g, OP_ADD, graph_op(g, OP_SUB, a.h, graph_op(g, OP_SUB, h, part, NULL), NULL),
                 graph_op(g, OP_SUB, b.h, part, NULL), NULL);
    return (Two){h, sum_of(g, lost, sum_of(g, a.l, b.l))};
}

enum { DEEPEST_ARGUMENT = 12 };

static Two in_two(Graph *g, Node *n, int depth) {
    const Two whole = {n, NULL};
    if (depth > DEEPEST_ARGUMENT) return whole;
    switch ((int)n->op) {
    case OP_CONST:
        return mpfr_regular_p(n->num) ? constant_in_two(g, n) : whole;
    case OP_NEG: {
        const Two a = in_two(g, n->arg[0], depth + 1);
        return (Two){graph_op(g, OP_NEG, a.h, NULL, NULL),
                     a.l ? graph_op(g, OP_NEG, a.l, NULL, NULL) : NULL};
    }
    case OP_ABS: {
        const Two a = in_two(g, n->arg[0], depth + 1);
        if (!a.l) return whole;
        return (Two){op(g, OP_ABS, a.h, NULL),
                     graph_op(g, OP_SELECT, graph_op(g, OP_LT, a.h, float_of(g, n, 0), NULL),
                              graph_op(g, OP_NEG, a.l, NULL, NULL), a.l)};
    }
    case OP_MAX:
    case OP_MIN: { /* a clamp far out */
        const int k = node_is_const(n->arg[0]) ? 1 : 0;
        if (!node_is_const(n->arg[1 - k])) return whole;
        const Two a = in_two(g, n->arg[k], depth + 1);
        return a.l ? (Two){graph_op(g, (Op)n->op, n->arg[1 - k], a.h, NULL), a.l} : whole;
    }
    case OP_MUL:
        return product_in_two(g, in_two(g, n->arg[0], depth + 1), in_two(g, n->arg[1], depth + 1));
    case OP_POW: {
        if (!node_is(n->arg[1], 2) && !node_is(n->arg[1], 3)) return whole;
        const Two a = in_two(g, n->arg[0], depth + 1), square = product_in_two(g, a, a);
        return node_is(n->arg[1], 2) ? square : product_in_two(g, square, a);
    }
    case OP_DIV: { /* by a constant: h*c = a - rest */
        if (!node_is_const(n->arg[1]) || !mpfr_regular_p(n->arg[1]->num)) return whole;
        const Two a = in_two(g, n->arg[0], depth + 1), c = in_two(g, n->arg[1], depth + 1);
        Node *h = graph_op(g, OP_DIV, a.h, c.h, NULL), *minus = graph_op(g, OP_NEG, h, NULL, NULL);
        Node *rest = fma_of(g, minus, c.h, a.h);
        if (c.l) rest = fma_of(g, minus, c.l, rest);
        rest = sum_of(g, rest, a.l);
        NUMBER_TEMP(inverse, NUMBER_BITS);
        mpfr_ui_div(inverse, 1, n->arg[1]->num, MPFR_RNDN);
        return (Two){h, times(g, rest, graph_number(g, (Type)n->type, inverse))};
    }
    case OP_ADD:
    case OP_SUB:
        /* A row's maximum is taken off elsewhere; there results are what matters, not tails. */
        if (n->arg[0]->axes && n->arg[1]->axes && n->arg[0]->axes != n->arg[1]->axes) return whole;
        return sum_in_two(g, (Op)n->op, in_two(g, n->arg[0], depth + 1),
                          in_two(g, n->arg[1], depth + 1));
    default:
        return whole;
    }
}

/* ---- corrections ---- */

/* l where lo < h < hi, else 0; also where h is infinite and l therefore NaN. */
static Node *within(Graph *g, Two u, double lo, double hi) {
    const double middle = (lo + hi) / 2, half = (hi - lo) / 2;
    Node *h = middle != 0 ? graph_op(g, OP_SUB, u.h, float_of(g, u.h, middle), NULL) : u.h;
    Node *in = graph_op(g, OP_LT, graph_op(g, OP_ABS, h, NULL, NULL), float_of(g, u.h, half), NULL);
    return graph_op(g, OP_SELECT, in, u.l, float_of(g, u.h, 0));
}

/* y*(1 + k*l) */
static Node *corrected(Graph *g, Node *y, Node *k, Node *l) {
    return fma_of(g, y, k ? graph_op(g, OP_MUL, k, l, NULL) : l, y);
}

static Node *unit_clamp(Graph *g, Node *h) {
    return simplify_op(g, OP_CLAMP, h, float_of(g, h, -1), float_of(g, h, 1));
}

/* At most the largest finite number, so that an overflow stays one. */
static Node *finite(Graph *g, Node *y) {
    return graph_op(g, OP_MIN, float_of(g, y, y->type == TYPE_F32 ? (double)FLT_MAX : DBL_MAX), y,
                    NULL);
}

/* y + l*d, where y is the sine or cosine of h and d its derivative; far out l is no longer small.
 */
static Node *turned_angle(Graph *g, Two u, Node *y, Node *d) {
    const double far = u.h->type == TYPE_F64 ? 1e9 : 2000;
    Node *size = graph_op(g, OP_ABS, u.h, NULL, NULL);
    Node *slow = fma_of(g, y, op(g, OP_COS, u.l, NULL),
                        graph_op(g, OP_MUL, d, op(g, OP_SIN, u.l, NULL), NULL));
    return graph_op(g, OP_GUARD, graph_op(g, OP_LT, float_of(g, y, far), size, NULL), slow,
                    fma_of(g, d, u.l, y));
}

/* f(h + l), for the functions whose relative error grows with h. */
static Node *apply_in_two(Graph *g, Op f, Two u) {
    const bool f64 = u.h->type == TYPE_F64;
    const double end = f64 ? 760 : 112; /* beyond it exp is 0, or infinite */
    Node *y = op(g, f, u.h, NULL);
    switch ((int)f) {
    case OP_EXP:
        return fma_of(g, finite(g, y), within(g, u, -end, end), y);
    case OP_EXP2:
        return fma_of(
            g, finite(g, y),
            times(g, float_of(g, y, 0x1.62e42fefa39efp-1), within(g, u, -1.5 * end, 1.5 * end)), y);
    case OP_SINH:
    case OP_COSH:
        return fma_of(g, finite(g, y), times(g, unit_clamp(g, u.h), within(g, u, -end, end)), y);
    case OP_EXPM1:
        return fma_of(g, finite(g, y), within(g, u, 0, end), y);
    case OP_SIGMOID: /* the other half of s*(1 - s)*l has no effect */
    case OP_SOFTPLUS:
        return corrected(g, y, NULL, within(g, u, -end, 0));
    case OP_LOGSIGMOID:
        return corrected(g, y, float_of(g, y, -1), within(g, u, 0, end));
    case OP_SECH2:
        return corrected(g, y, times(g, float_of(g, y, -2), unit_clamp(g, u.h)),
                         within(g, u, -end, end));
    case OP_NORMCDF: /* its derivative is about -h times itself */
        return corrected(g, y, graph_op(g, OP_NEG, u.h, NULL, NULL), within(g, u, -end, 0));
    case OP_ERFC:
        return corrected(g, y, times(g, float_of(g, y, -2), u.h), within(g, u, 0, end));
    case OP_SIN:
        return turned_angle(g, u, y, op(g, OP_COS, u.h, NULL));
    case OP_COS:
        return turned_angle(g, u, y, graph_op(g, OP_NEG, op(g, OP_SIN, u.h, NULL), NULL, NULL));
    default:
        return NULL;
    }
}

static bool amplifies(Op f) {
    switch ((int)f) {
    case OP_EXP:
    case OP_EXP2:
    case OP_EXPM1:
    case OP_SINH:
    case OP_COSH:
    case OP_SIGMOID:
    case OP_SOFTPLUS:
    case OP_LOGSIGMOID:
    case OP_SECH2:
    case OP_NORMCDF:
    case OP_ERFC:
    case OP_SIN:
    case OP_COS:
        return true;
    default:
        return false;
    }
}

/* u without its sign: f(3*x) and f(-3*x) are to share their work. */
static Node *turn_out_sign(Graph *g, Node *u) {
    if (u->op != OP_MUL || !node_is_const(u->arg[0]) || !(mpfr_sgn(u->arg[0]->num) < 0)) return u;
    Node *positive =
        graph_op(g, OP_MUL, graph_op(g, OP_NEG, u->arg[0], NULL, NULL), u->arg[1], NULL);
    return graph_op(g, OP_NEG, positive, NULL, NULL);
}

/* Every node, from the leaves up, becomes what `change` makes of it, if that is not NULL; `was` is
 * the node before its arguments changed. */
static void rebuild(Graph *g, Node *change(Graph *, Node *, const Node *was, void *), void *user) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
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
        map[i] = changed ? graph_like(g, n, arg) : n;
        Node *now = change(g, map[i], n, user);
        if (now) map[i] = now;
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}

static Node *compensate_node(Graph *g, Node *n, const Node *was, void *user) {
    (void)user, (void)was;
    if (!amplifies((Op)n->op)) return NULL;
    Node *u = turn_out_sign(g, n->arg[0]);
    Two two = in_two(g, u, 0);
    if (two.l) return apply_in_two(g, (Op)n->op, two);
    return u != n->arg[0] ? op(g, (Op)n->op, u, NULL) : NULL;
}

void compensate_arguments(Graph *g) { rebuild(g, compensate_node, NULL); }

/* ---- tails ---- */

/* f(u) is exp(v)*rest where `in` holds: there f(u) itself may be subnormal. */
typedef struct {
    Node *in, *v, *rest;
} Tail;

static bool find_tail(Graph *g, Node *f, Tail *t) {
    const bool f64 = f->type == TYPE_F64;
    const double end = f64 ? -700 : -80;
    Node *u = f->nargs ? f->arg[0] : NULL;
    *t = (Tail){NULL, NULL, NULL};
    if (f->op == OP_MUL && node_is_const(f->arg[0])) {
        if (!find_tail(g, f->arg[1], t)) return false;
        t->rest = t->rest ? op(g, OP_MUL, f->arg[0], t->rest) : f->arg[0];
        return true;
    }
    if (f->op == OP_TANH || f->op == OP_ERF || f->op == OP_ATAN || f->op == OP_SIN ||
        f->op == OP_SINH || f->op == OP_ASINH || f->op == OP_EXPM1 || f->op == OP_LOG1P) {
        if (!find_tail(g, u, t)) return false; /* as small arguments they are these, times f'(0) */
        NUMBER_TEMP(k, NUMBER_BITS);
        mpfr_const_pi(k, MPFR_RNDN);
        mpfr_sqrt(k, k, MPFR_RNDN);
        mpfr_ui_div(k, 2, k, MPFR_RNDN);
        if (f->op == OP_ERF) {
            Node *slope = graph_number(g, (Type)f->type, k);
            t->rest = t->rest ? op(g, OP_MUL, slope, t->rest) : slope;
        }
        return true;
    }
    if (f->op == OP_SECH2) {
        const Node *inner = u->op == OP_MUL && node_is_const(u->arg[0]) ? u->arg[1] : u;
        if (inner->op == OP_SOFTPLUS) return false; /* beside a sigmoid, which vanishes sooner */
        t->v = op(g, OP_MUL, float_of(g, f, -2), op(g, OP_ABS, u, NULL));
        t->rest = float_of(g, f, 4);
        t->in = graph_op(g, OP_LT, float_of(g, f, -end / 2), op(g, OP_ABS, u, NULL), NULL);
        return true;
    } else if (f->op == OP_NORMCDF || f->op == OP_ERFC) {
        const bool norm = f->op == OP_NORMCDF;
        Node *square = op(g, OP_POW, u, float_of(g, f, 2)), *half = float_of(g, f, 0.5);
        t->v = op(g, OP_NEG, norm ? op(g, OP_MUL, half, square) : square, NULL);
        NUMBER_TEMP(r, NUMBER_BITS);
        mpfr_sqrt_ui(r, 2, MPFR_RNDN);
        mpfr_ui_div(r, 1, r, MPFR_RNDN);
        Node *scaled = op(g, OP_MUL, graph_number(g, (Type)f->type, r), op(g, OP_NEG, u, NULL));
        t->rest = op(g, OP_ERFCX, norm ? scaled : u, NULL);
        if (norm) t->rest = op(g, OP_MUL, half, t->rest);
        t->in = norm ? graph_op(g, OP_LT, u, float_of(g, f, f64 ? -37 : -12.5), NULL)
                     : graph_op(g, OP_LT, float_of(g, f, f64 ? 26 : 8.75), u, NULL);
        return true;
    } else if (f->op == OP_LOGSIGMOID) {
        u = op(g, OP_NEG, u, NULL);
        t->rest = float_of(g, f, -1);
    } else if (f->op != OP_EXP && f->op != OP_SIGMOID && f->op != OP_SOFTPLUS) {
        return false;
    }
    t->v = u;
    t->in = graph_op(g, OP_LT, u, float_of(g, f, end), NULL);
    return true;
}

/* At most about 1: what it is multiplied with does not make the result larger. */
static bool is_small(const Node *n) {
    switch ((int)n->op) {
    case OP_CONST:
        return mpfr_number_p(n->num) && mpfr_cmpabs_ui(n->num, 1) <= 0;
    case OP_VAR:
        return false;
    case OP_SIGMOID:
    case OP_TANH:
    case OP_SECH2:
    case OP_NORMCDF:
    case OP_ERF:
    case OP_SIN:
    case OP_COS:
    case OP_SIGN:
    case OP_STEP:
        return true;
    case OP_NEG:
    case OP_ABS:
        return is_small(n->arg[0]);
    case OP_MUL:
        return is_small(n->arg[0]) && is_small(n->arg[1]);
    case OP_POW:
        return is_small(n->arg[0]) && node_is_const(n->arg[1]) && mpfr_sgn(n->arg[1]->num) > 0;
    default:
        return false;
    }
}

/* An exponential: with it the product is no tail, and rules may know better. */
static bool grows_fast(const Node *n) {
    return n->op == OP_EXP || n->op == OP_EXP2 || n->op == OP_EXPM1 || n->op == OP_SINH ||
           n->op == OP_COSH;
}

enum { MOST_FACTORS = 8 };

typedef struct {
    bool *inner; /* products that stand only in longer ones */
    int guards;
} Tails;

static size_t factors_of(Node *n, Node **out, size_t count, size_t reserve) {
    if (n->op == OP_MUL && count + reserve + 2 <= MOST_FACTORS) {
        count = factors_of(n->arg[0], out, count, reserve + 1);
        return factors_of(n->arg[1], out, count, reserve);
    }
    out[count] = n;
    return count + 1;
}

static bool is_cotangent(const Graph *g, const Node *n) {
    return n->op == OP_VAR && g->vars[n->attr].kind == VAR_COTANGENT;
}

static Node *split_tail(Graph *g, Node *n, const Node *was, void *user) {
    Tails *tails = user;
    if ((n->op != OP_MUL && n->op != OP_DMUL) || tails->inner[was->id]) return NULL;
    Node *factors[2 * MOST_FACTORS], *c = NULL;
    size_t count = factors_of(n->arg[0], factors, 0, 1);
    count = factors_of(n->arg[1], factors, count, 0);
    bool small = true;
    for (size_t i = 0; i < count; i++) small = small && is_small(factors[i]);
    if (small) return NULL;
    for (size_t i = 0; i < count; i++) {
        Tail t;
        if (node_is_const(factors[i]) || !find_tail(g, factors[i], &t)) continue;
        bool grows = false, huge = false;
        for (size_t k = 0; k < count; k++) {
            if (k == i) continue;
            if (is_cotangent(g, factors[k])) return NULL;
            grows = grows || !is_small(factors[k]);
            huge = huge || grows_fast(factors[k]);
            c = c ? op(g, (Op)n->op, c, factors[k]) : factors[k];
        }
        if (!grows || huge) return NULL;
        if (t.rest) c = op(g, (Op)n->op, c, t.rest);
        /* No other guard's slow side may share w: it would be computed for every element then. */
        Node *v = graph_op(g, OP_MAX, float_of(g, n, -4000 - 1.0 * tails->guards++), t.v, NULL);
        Node *w = op(g, OP_EXP, op(g, OP_MUL, float_of(g, n, 0.5), v), NULL);
        /* An fma of 0, so that nobody makes w*w one exponential again. */
        Node *slow = graph_op(g, (Op)n->op, c, w, NULL);
        slow = n->op == OP_MUL ? fma_of(g, slow, w, float_of(g, n, -0.0))
                               : graph_op(g, OP_DMUL, slow, w, NULL);
        return graph_op(g, OP_GUARD, t.in, slow, n);
    }
    return NULL;
}

void split_tails(Graph *g) {
    const bool *needed = graph_needed(g);
    Tails tails = {.inner = ARENA_ARRAY(g->arena, bool, g->nnodes + 1)};
    for (size_t i = 0; i < g->nnodes; i++) tails.inner[i] = g->nodes[i]->op == OP_MUL;
    for (size_t i = 0; i < g->nnodes; i++)
        for (int k = 0; needed[i] && g->nodes[i]->op != OP_MUL && k < g->nodes[i]->nargs; k++)
            tails.inner[g->nodes[i]->arg[k]->id] = false;
    for (size_t i = 0; i < g->nouts; i++) tails.inner[g->outs[i].node->id] = false;
    rebuild(g, split_tail, &tails);
}
