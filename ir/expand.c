/* From mathematics to primitives: constants are rounded to their types, every EXPAND row is
 * rewritten. The functions are in expand/; here are the choices, with what a NaN does to them. */
#include <assert.h>
#include <float.h>
#include <math.h>

#include "expand/expand.h"

static Node *op1(Graph *g, Op op, Node *a) { return graph_op(g, op, a, NULL, NULL); }
static Node *op2(Graph *g, Op op, Node *a, Node *b) { return graph_op(g, op, a, b, NULL); }
static Node *choose(Graph *g, Node *c, Node *a, Node *b) {
    return a == b ? a : graph_op(g, OP_SELECT, c, a, b);
}
static Node *nan_of(Graph *g, Type t) { return graph_float(g, t, (double)NAN); }

/* ---- conditions ---- */

/* Neither operand of any comparison in the (expanded) condition is NaN. */
static Node *all_ordered(Graph *g, const Node *condition, Node *const *map) {
    const size_t n = condition_operands(condition, NULL, 0, 0);
    const Node **compared = ARENA_ARRAY(g->arena, const Node *, n);
    const size_t distinct = condition_operands(condition, compared, 0, n);
    Node *ordered = NULL;
    for (size_t i = 0; i < distinct; i += 2) {
        Node *a = map[compared[i]->id];
        Node *b = i + 1 < distinct && compared[i + 1]->type == compared[i]->type
                      ? map[compared[i + 1]->id]
                      : a;
        if (b == a && i + 1 < distinct) i--; /* of another type: on its own */
        Node *one = op2(g, OP_ORD, a, b);
        ordered = ordered ? op2(g, OP_AND, ordered, one) : one;
    }
    return ordered ? ordered : graph_bool(g, true);
}

/* Where such a condition holds, none of its comparisons met a NaN. */
static bool holds_only_ordered(const Node *c) {
    if (c->op == OP_AND) return holds_only_ordered(c->arg[0]) && holds_only_ordered(c->arg[1]);
    return c->op == OP_LT || c->op == OP_LE || c->op == OP_EQ || c->op == OP_ORD;
}

static bool is_single(const Node *condition) {
    return condition->op == OP_LT || condition->op == OP_LE;
}

/* A NaN fails every comparison and so takes the second value: that is enough where the second value
 * is NaN then anyway. Where the first one is, the comparison is turned round; else the NaN is put
 * in by hand. */
static Node *expand_cond(Graph *g, const Node *n, Node *const *map) {
    const Node *c = n->arg[0];
    Node *cond = map[c->id], *a = map[n->arg[1]->id], *b = map[n->arg[2]->id];
    if (node_is_const(cond)) return cond->bits ? a : b;
    if (holds_only_ordered(c) && nodes_carry_condition(c, n->arg[2])) return choose(g, cond, a, b);
    if (is_single(c) && nodes_carry_condition(c, n->arg[1])) {
        const Op turned = c->op == OP_LT ? OP_LE : OP_LT; /* not a < b: b <= a */
        return choose(g, op2(g, turned, map[c->arg[1]->id], map[c->arg[0]->id]), b, a);
    }
    if (nodes_carry_condition(c, n->arg[1]) && nodes_carry_condition(c, n->arg[2]))
        return choose(g, cond, a, b);
    if (!type_is_float((Type)n->type)) return choose(g, cond, a, b);
    Node *ordered = all_ordered(g, c, map), *nan = nan_of(g, (Type)n->type);
    if (a == b) return choose(g, ordered, a, nan);
    if (!holds_only_ordered(c)) a = choose(g, ordered, a, nan);
    return choose(g, cond, a, choose(g, ordered, b, nan));
}

/* ---- simple functions ---- */

static bool is_ordered_const(const Node *n) { return node_is_const(n) && !mpfr_nan_p(n->num); }

/* One comparison and one choice where a side is constant: that form is a single maximum instruction
 * and keeps a NaN. */
static Node *expand_extreme(Graph *g, Node *a, Node *b, bool max) {
    if (is_ordered_const(b)) {
        Node *t = a;
        a = b;
        b = t;
    }
    Node *b_loses = max ? op2(g, OP_LT, b, a) : op2(g, OP_LT, a, b);
    Node *m = choose(g, b_loses, a, b); /* NaN in b gives b */
    return is_ordered_const(a) ? m : choose(g, op2(g, OP_ORD, a, a), m, a);
}

static Node *expand_sign(Graph *g, Node *a) {
    const Type t = (Type)a->type;
    Node *zero = graph_float(g, t, 0);
    return choose(g, op2(g, OP_LT, zero, a), graph_float(g, t, 1),
                  choose(g, op2(g, OP_LT, a, zero), graph_float(g, t, -1), a));
}

static Node *expand_step(Graph *g, Node *a) {
    const Type t = (Type)a->type;
    Node *zero = graph_float(g, t, 0);
    return choose(g, op2(g, OP_LT, zero, a), graph_float(g, t, 1),
                  choose(g, op2(g, OP_LE, a, zero), zero, a));
}

/* The product is NaN without a NaN argument only for 0 times infinity, which is to be 0. */
static Node *expand_dmul(Graph *g, Node *a, Node *b) {
    const Type t = (Type)a->type;
    Node *zero = graph_float(g, t, 0);
    if (node_is(a, 0.0) || node_is(a, -0.0)) return choose(g, op2(g, OP_ORD, b, b), zero, b);
    if (node_is(b, 0.0) || node_is(b, -0.0)) return choose(g, op2(g, OP_ORD, a, a), zero, a);
    Node *p = op2(g, OP_MUL, a, b);
    Node *fine = op2(g, OP_ORD, p, p);
    return choose(g, op2(g, OP_AND, op1(g, OP_NOT, fine), op2(g, OP_ORD, a, b)), zero, p);
}

/* x^n by repeated squaring, from the most significant bit down; n >= 1. */
static Node *integer_power(Graph *g, Node *x, unsigned n) {
    unsigned bit = 1;
    while (bit <= n / 2) bit *= 2;
    Node *p = x;
    while (bit /= 2) {
        p = op2(g, OP_MUL, p, p);
        if (n & bit) p = op2(g, OP_MUL, p, x);
    }
    return p;
}

enum { LARGEST_SQUARED_POWER = 64 };

static Node *expand_power(Graph *g, Node *a, Node *b) {
    const Type t = (Type)a->type;
    if (node_is_const(b) && mpfr_integer_p(b->num) &&
        mpfr_cmpabs_ui(b->num, LARGEST_SQUARED_POWER) <= 0 && !mpfr_zero_p(b->num)) {
        const long n = mpfr_get_si(b->num, MPFR_RNDN);
        Node *p = integer_power(g, a, (unsigned)(n < 0 ? -n : n));
        return n < 0 ? op2(g, OP_DIV, graph_float(g, t, 1), p) : p;
    }
    if (node_is(b, 0.5)) { /* pow(-0, 0.5) is +0 and pow(-inf, 0.5) is inf; else it is the root */
        Node *inf = graph_float(g, t, (double)INFINITY), *zero = graph_float(g, t, 0);
        Node *root = op1(g, OP_SQRT, op2(g, OP_ADD, a, zero));
        return choose(g, op2(g, OP_EQ, a, op1(g, OP_NEG, inf)), inf, root);
    }
    return expand_pow(g, a, b);
}

/* u of a product u*normcdf(u) in f32, where u may have been kept from -infinity (limits.c); else
 * NULL. */
static const Node *find_gelu(const Node *n) {
    if (n->op != OP_MUL || n->type != TYPE_F32) return NULL;
    for (int k = 0; k < 2; k++) {
        const Node *u = n->arg[k], *cdf = n->arg[!k];
        if (cdf->op != OP_NORMCDF) continue;
        if (u->op == OP_MAX && node_is(u->arg[0], -(double)FLT_MAX)) u = u->arg[1];
        if (u == cdf->arg[0]) return u;
    }
    return NULL;
}

/* u of exp(-0.5*u^2) in f32; else NULL. */
static const Node *find_bell(const Node *n) {
    const Node *m = n->arg[0];
    if (n->type != TYPE_F32 || m->op != OP_MUL) return NULL;
    const Node *c = m->arg[!node_is_const(m->arg[0])], *square = m->arg[node_is_const(m->arg[0])];
    return node_is(c, -0.5) && square->op == OP_POW && node_is(square->arg[1], 2) ? square->arg[0]
                                                                                  : NULL;
}

/* ---- where a value matters ---- */

/* Which variable's sign decides whether an expm1(u) matters, u = x, 2*x, x/3: NULL if u is no such
 * thing. */
static const Node *direction(const Node *u) {
    while ((u->op == OP_MUL && node_is_const(u->arg[0]) && mpfr_sgn(u->arg[0]->num) > 0) ||
           (u->op == OP_DIV && node_is_const(u->arg[1]) && mpfr_sgn(u->arg[1]->num) > 0))
        u = u->arg[u->op == OP_MUL];
    return u->op == OP_VAR ? u : NULL;
}

/* The argument of a choice that only matters where x > 0 does not hold for a variable x, and that
 * x: 0 if there is none. */
static int below_zero(const Node *n, const Node **x) {
    if (n->op != OP_COND) return 0;
    const Node *c = n->arg[0];
    if (c->op != OP_LT && c->op != OP_LE) return 0;
    const bool above = node_is(c->arg[0], 0.0) || node_is(c->arg[0], -0.0); /* 0 < x */
    *x = c->arg[above];
    if (!above && !node_is(c->arg[1], 0.0) && !node_is(c->arg[1], -0.0)) return 0;
    return (*x)->op == OP_VAR ? (above ? 2 : 1) : 0;
}

/* By node id: the variable x if the value does not matter where x > 0, as in x > 0 ? x : exp(x)
 * - 1. Expansion chooses by select, so whatever then stands there is thrown away. */
static const Node **find_limited(const Graph *g, const bool *needed) {
    const Node **limit = ARENA_ARRAY(g->arena, const Node *, g->nnodes + 1);
    bool *used = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < g->nouts; i++) used[g->outs[i].node->id] = true;
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i], *x = NULL;
        if (!needed[i]) continue;
        const int below = below_zero(n, &x);
        for (int k = 0; k < n->nargs; k++) {
            const size_t a = n->arg[k]->id;
            const Node *here = below == k && k > 0 ? x : limit[i];
            limit[a] = !used[a] || limit[a] == here ? here : NULL;
            used[a] = true;
        }
    }
    return limit;
}

static bool is_output(const Graph *g, const Node *n) {
    for (size_t i = 0; i < g->nouts; i++)
        if (g->outs[i].node == n) return true;
    return false;
}

static Node *expand_node(Graph *g, const Node *n, Node *const *map, const Node *limit) {
    Node *a = map[n->arg[0]->id];
    if (op_is_reduction((Op)n->op)) return graph_reduce(g, (Op)n->op, a, n->attr);
    Node *b = n->nargs > 1 ? map[n->arg[1]->id] : NULL,
         *c = n->nargs > 2 ? map[n->arg[2]->id] : NULL;
    switch ((Op)n->op) {
    case OP_MUL: {
        const Node *u = find_gelu(n);
        return u ? expand_normcdf_times(g, map[u->id]) : graph_op(g, OP_MUL, a, b, NULL);
    }
    case OP_COND:
        return expand_cond(g, n, map);
    case OP_MAX:
        return expand_extreme(g, a, b, true);
    case OP_MIN:
        return expand_extreme(g, a, b, false);
    case OP_CLAMP:
        return expand_extreme(g, c, expand_extreme(g, b, a, true), false);
    case OP_SIGN:
        return expand_sign(g, a);
    case OP_STEP:
        return expand_step(g, a);
    case OP_DMUL:
        return expand_dmul(g, a, b);
    case OP_STOP:
    case OP_CUSTOM:
        return a;
    case OP_POW:
        return expand_power(g, a, b);
    case OP_EXP: {
        const Node *u = find_bell(n);
        return u ? expand_bell(g, map[u->id]) : expand_exp(g, a);
    }
    case OP_EXP2:
        return expand_exp2(g, a);
    case OP_EXPM1:
        return limit && limit == direction(n->arg[0]) ? expand_expm1_below(g, a)
                                                      : expand_expm1(g, a);
    case OP_LOG:
        return expand_log(g, a);
    case OP_LOG2:
        return expand_log2(g, a);
    case OP_LOG1P:
        return expand_log1p(g, a);
    case OP_RSQRT:
        return expand_rsqrt(g, a);
    case OP_SIN:
        return expand_sin(g, a);
    case OP_COS:
        return expand_cos(g, a);
    case OP_TAN:
        return expand_tan(g, a);
    case OP_ASIN:
        return expand_asin(g, a);
    case OP_ACOS:
        return expand_acos(g, a);
    case OP_ATAN:
        return expand_atan(g, a);
    case OP_SINH:
        return expand_sinh(g, a);
    case OP_COSH:
        return expand_cosh(g, a);
    case OP_TANH:
        return expand_tanh(g, a);
    case OP_ASINH:
        return expand_asinh(g, a);
    case OP_ERF:
        return expand_erf(g, a);
    case OP_ERFC:
        return expand_erfc(g, a);
    case OP_ERFCX:
        return expand_erfcx(g, a);
    case OP_SIGMOID:
        return expand_sigmoid(g, a);
    case OP_SOFTPLUS:
        return expand_softplus(g, a);
    case OP_LOGSIGMOID:
        return expand_logsigmoid(g, a);
    case OP_SECH2:
        return expand_sech2(g, a);
    case OP_NORMCDF:
        return (is_output(g, n) ? expand_normcdf_alone : expand_normcdf)(g, a);
    default:
        assert(op_info[n->op].prim);
        return graph_op(g, (Op)n->op, a, b, c);
    }
}

void expand_graph(Graph *g) {
    const size_t count = g->nnodes;
    bool *needed = graph_needed(g);
    const Node **limits = find_limited(g, needed);
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    g->expanded = true;
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        if (n->op == OP_CONST && n->num)
            map[i] = graph_number(g, (Type)n->type, n->num);
        else
            map[i] = n->nargs ? expand_node(g, n, map, limits[i]) : n;
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}
