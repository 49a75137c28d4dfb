/* Local algebra on one new node: identities that change neither a value (beyond the sign of a zero,
 * and a rounding that exact constants save) nor what happens at an infinity or a NaN. So x*0 and x
 * - x stay; x*1, --x and 2*(3*x) go.
 *
 * It also chooses one spelling where there are several, so that rules need not know them all: x*x
 * is x^2, signs move outwards from products and quotients, x + -c is x - c, x/2 is 0.5*x, constants
 * stand on the left of products. */
#include <math.h>

#include "ir.h"

/* ---- NaN ---- */

enum { NAN_BUDGET = 200, MAX_COMPARED = 16 };

static bool carries(const Node *n, const Node *cause, int *budget);

static bool condition_compares(const Node *c, const Node *cause, int *budget) {
    if (c->op == OP_AND || c->op == OP_OR)
        return condition_compares(c->arg[0], cause, budget) ||
               condition_compares(c->arg[1], cause, budget);
    if (c->op == OP_NOT) return condition_compares(c->arg[0], cause, budget);
    for (int k = 0; k < c->nargs; k++)
        if (type_is_float((Type)c->arg[k]->type) && carries(c->arg[k], cause, budget)) return true;
    return false;
}

static bool carries(const Node *n, const Node *cause, int *budget) {
    if (n == cause) return true;
    if (n->id <= cause->id || --*budget < 0)
        return false; /* older than its cause, or too much work */
    if (n->op == OP_COND && condition_compares(n->arg[0], cause, budget)) return true;
    if (n->op == OP_COND || n->op == OP_SELECT || n->op == OP_GUARD)
        return carries(n->arg[1], cause, budget) && carries(n->arg[2], cause, budget);
    if (n->op == OP_POW && node_is_const(n->arg[1]) && !mpfr_zero_p(n->arg[1]->num))
        return carries(n->arg[0], cause, budget);
    if (!op_info[n->op].strict) return false;
    for (int k = 0; k < n->nargs; k++)
        if (carries(n->arg[k], cause, budget)) return true;
    return false;
}

bool node_carries_nan(const Node *n, const Node *cause) {
    int budget = NAN_BUDGET;
    return carries(n, cause, &budget);
}

size_t condition_operands(const Node *c, const Node **out, size_t n, size_t cap) {
    if (c->op == OP_AND || c->op == OP_OR || c->op == OP_NOT) {
        for (int k = 0; k < c->nargs; k++) n = condition_operands(c->arg[k], out, n, cap);
        return n;
    }
    for (int k = 0; k < c->nargs; k++) {
        const Node *a = c->arg[k];
        if (!type_is_float((Type)a->type) || node_is_const(a)) continue;
        bool seen = false;
        for (size_t i = 0; i < n && i < cap; i++) seen = seen || out[i] == a;
        if (seen) continue;
        if (n < cap) out[n] = a;
        n++;
    }
    return n;
}

bool nodes_carry_condition(const Node *c, const Node *value) {
    const Node *compared[MAX_COMPARED];
    const size_t n = condition_operands(c, compared, 0, MAX_COMPARED);
    if (n > MAX_COMPARED) return false;
    for (size_t i = 0; i < n; i++)
        if (!node_carries_nan(value, compared[i])) return false;
    return true;
}

/* ---- identities ---- */

static Node *raw(Graph *g, Op op, Node *a, Node *b) { return graph_op(g, op, a, b, NULL); }
static Node *simple(Graph *g, Op op, Node *a, Node *b) { return simplify_op(g, op, a, b, NULL); }

static bool is_neg(const Node *n) { return n->op == OP_NEG; }

static bool is_negative_const(const Node *n) {
    return node_is_const(n) && n->num && mpfr_regular_p(n->num) && mpfr_sgn(n->num) < 0;
}

static bool is_power_of_two(const Node *n) {
    return node_is_const(n) && n->num && mpfr_regular_p(n->num) && mpfr_min_prec(n->num) == 1;
}

/* A finite constant other than 0. */
static bool is_plain_const(const Node *n) {
    return node_is_const(n) && n->num && mpfr_regular_p(n->num);
}

/* op(a, b) of constants, or NULL where it would be 0 or infinite in its type: then the steps
 * between are not to be skipped. */
static Node *merged(Graph *g, Op op, Node *a, Node *b) {
    Node *n = raw(g, op, a, b);
    NUMBER_TEMP(v, 53);
    fold_decode(v, n->bits, (Type)n->type);
    return mpfr_regular_p(v) ? n : NULL;
}

/* c*x with a constant c, whichever way round it was first written: its c, else NULL; and its x. */
static Node *factor_of(const Node *n) {
    if (n->op != OP_MUL) return NULL;
    return is_plain_const(n->arg[0]) ? n->arg[0] : is_plain_const(n->arg[1]) ? n->arg[1] : NULL;
}
static Node *rest_of(const Node *n) { return n->arg[factor_of(n) == n->arg[0]]; }

static Node *simplify_add(Graph *g, Node *a, Node *b) {
    if (node_is(a, 0.0) || node_is(a, -0.0)) return b;
    if (node_is(b, 0.0) || node_is(b, -0.0)) return a;
    if (is_neg(b)) return simple(g, OP_SUB, a, b->arg[0]);
    if (is_neg(a)) return simple(g, OP_SUB, b, a->arg[0]);
    if (is_negative_const(b)) return simple(g, OP_SUB, a, raw(g, OP_NEG, b, NULL));
    if (is_negative_const(a)) return simple(g, OP_SUB, b, raw(g, OP_NEG, a, NULL));
    if (a == b) return simple(g, OP_MUL, graph_float(g, (Type)a->type, 2), a);
    if (a->op == OP_SUM && b->op == OP_SUM && a->attr == b->attr && a->axes == b->axes)
        return graph_reduce(g, OP_SUM, simple(g, OP_ADD, a->arg[0], b->arg[0]), a->attr);
    if (a->op == OP_COND && b->op == OP_COND && a->arg[0] == b->arg[0])
        return simplify_op(g, OP_COND, a->arg[0], simple(g, OP_ADD, a->arg[1], b->arg[1]),
                           simple(g, OP_ADD, a->arg[2], b->arg[2]));
    return raw(g, OP_ADD, a, b);
}

static Node *simplify_sub(Graph *g, Node *a, Node *b) {
    if (node_is(b, 0.0) || node_is(b, -0.0)) return a;
    if (node_is(a, 0.0) || node_is(a, -0.0)) return simple(g, OP_NEG, b, NULL);
    if (is_neg(b)) return simple(g, OP_ADD, a, b->arg[0]);
    if (is_negative_const(b)) return simple(g, OP_ADD, a, raw(g, OP_NEG, b, NULL));
    if (is_neg(a)) return simple(g, OP_NEG, simple(g, OP_ADD, a->arg[0], b), NULL);
    return raw(g, OP_SUB, a, b);
}

static Node *simplify_mul(Graph *g, Node *a, Node *b) {
    if (node_is_const(b) && !node_is_const(a)) { /* constants on the left */
        Node *t = a;
        a = b;
        b = t;
    }
    if (node_is(a, 1)) return b;
    if (node_is(a, -1)) return simple(g, OP_NEG, b, NULL);
    if (is_neg(a)) return simple(g, OP_NEG, simple(g, OP_MUL, a->arg[0], b), NULL);
    if (is_neg(b)) {
        if (is_plain_const(a)) return simple(g, OP_MUL, raw(g, OP_NEG, a, NULL), b->arg[0]);
        return simple(g, OP_NEG, simple(g, OP_MUL, a, b->arg[0]), NULL);
    }
    if (is_plain_const(a) && factor_of(b)) { /* exact constants: one rounding less */
        Node *c = merged(g, OP_MUL, a, factor_of(b));
        if (c) return simple(g, OP_MUL, c, rest_of(b));
    }
    if (factor_of(a)) return simple(g, OP_MUL, factor_of(a), simple(g, OP_MUL, rest_of(a), b));
    if (factor_of(b) && !node_is_const(a))
        return simple(g, OP_MUL, factor_of(b), simple(g, OP_MUL, a, rest_of(b)));
    if (is_plain_const(a) && b->op == OP_DIV && is_plain_const(b->arg[0])) {
        Node *c = merged(g, OP_MUL, a, b->arg[0]);
        if (c) return simple(g, OP_DIV, c, b->arg[1]);
    }
    /* a choice with a constant factor in a branch: one rounding less there */
    if (is_plain_const(a) && b->op == OP_COND &&
        (factor_of(b->arg[1]) || factor_of(b->arg[2]) || is_plain_const(b->arg[1]) ||
         is_plain_const(b->arg[2])))
        return simplify_op(g, OP_COND, b->arg[0], simple(g, OP_MUL, a, b->arg[1]),
                           simple(g, OP_MUL, a, b->arg[2]));
    /* z*(1/y) is one quotient */
    if (a->op == OP_DIV && node_is(a->arg[0], 1)) return simple(g, OP_DIV, b, a->arg[1]);
    if (b->op == OP_DIV && node_is(b->arg[0], 1)) return simple(g, OP_DIV, a, b->arg[1]);
    if (a == b && !node_is_const(a)) return simple(g, OP_POW, a, graph_float(g, (Type)a->type, 2));
    return raw(g, OP_MUL, a, b);
}

static Node *simplify_div(Graph *g, Node *a, Node *b) {
    if (node_is(b, 1)) return a;
    if (node_is(b, -1)) return simple(g, OP_NEG, a, NULL);
    if (is_power_of_two(b)) {
        Node *c = merged(g, OP_DIV, graph_float(g, (Type)b->type, 1), b);
        if (c) return simple(g, OP_MUL, c, a);
    }
    if (is_neg(a)) return simple(g, OP_NEG, simple(g, OP_DIV, a->arg[0], b), NULL);
    if (is_neg(b)) return simple(g, OP_NEG, simple(g, OP_DIV, a, b->arg[0]), NULL);
    if (is_plain_const(b) && factor_of(a)) {
        Node *c = merged(g, OP_DIV, factor_of(a), b);
        if (c) return simple(g, OP_MUL, c, rest_of(a));
    }
    return raw(g, OP_DIV, a, b);
}

static Node *simplify_neg(Graph *g, Node *a) {
    if (is_neg(a)) return a->arg[0];
    if (a->op == OP_SUB) return raw(g, OP_SUB, a->arg[1], a->arg[0]);
    if (factor_of(a)) return simple(g, OP_MUL, raw(g, OP_NEG, factor_of(a), NULL), rest_of(a));
    return raw(g, OP_NEG, a, NULL);
}

static Node *simplify_pow(Graph *g, Node *a, Node *b) {
    if (node_is(b, 1)) return a;
    if (node_is(b, 0) || node_is(b, -0.0)) return graph_float(g, (Type)a->type, 1);
    if (node_is(b, 2) && (is_neg(a) || a->op == OP_ABS)) return simple(g, OP_POW, a->arg[0], b);
    return raw(g, OP_POW, a, b);
}

static Node *simplify_choice(Graph *g, Op op, Node *c, Node *a, Node *b) {
    if (node_is_const(c)) return c->bits ? a : b;
    if (c->op == OP_NOT) return simplify_choice(g, op, c->arg[0], b, a);
    if (a == b && (op != OP_COND || nodes_carry_condition(c, a))) return a;
    if (a->op == op && a->arg[0] == c) a = a->arg[1];
    if (b->op == op && b->arg[0] == c) b = b->arg[2];
    return graph_op(g, op, c, a, b);
}

static Node *simplify_logic(Graph *g, Op op, Node *a, Node *b) {
    if (node_is_const(b)) {
        Node *t = a;
        a = b;
        b = t;
    }
    if (node_is_const(a)) return (a->bits != 0) == (op == OP_AND) ? b : a;
    return a == b ? a : raw(g, op, a, b);
}

/* A derivative that is a constant on one side of a condition is multiplied there, not everywhere.
 */
static Node *simplify_dmul(Graph *g, Node *a, Node *b) {
    if (node_is_const(b)) {
        Node *t = a;
        a = b;
        b = t;
    }
    if (is_plain_const(a)) return simple(g, OP_MUL, a, b);
    if (is_neg(a)) return simple(g, OP_NEG, simple(g, OP_DMUL, a->arg[0], b), NULL);
    if (is_neg(b)) return simple(g, OP_NEG, simple(g, OP_DMUL, a, b->arg[0]), NULL);
    if (factor_of(a)) return simple(g, OP_MUL, factor_of(a), simple(g, OP_DMUL, rest_of(a), b));
    if (factor_of(b)) return simple(g, OP_MUL, factor_of(b), simple(g, OP_DMUL, a, rest_of(b)));
    if (a->op == OP_COND && b->op != OP_COND) {
        Node *t = a;
        a = b;
        b = t;
    }
    if (b->op == OP_COND && a->op != OP_COND &&
        (node_is_const(b->arg[1]) || node_is_const(b->arg[2])))
        return simplify_op(g, OP_COND, b->arg[0], simple(g, OP_DMUL, a, b->arg[1]),
                           simple(g, OP_DMUL, a, b->arg[2]));
    return raw(g, OP_DMUL, a, b);
}

/* An identity may lead to the next one further inside, so deep nests would be deep recursion; they
 * are left as they are. */
enum { DEEPEST_IDENTITY = 64 };

static Node *identities(Graph *g, Op op, Node *a, Node *b, Node *c) {
    switch (op) {
    case OP_ADD:
        return simplify_add(g, a, b);
    case OP_SUB:
        return simplify_sub(g, a, b);
    case OP_MUL:
        return simplify_mul(g, a, b);
    case OP_DIV:
        return simplify_div(g, a, b);
    case OP_NEG:
        return simplify_neg(g, a);
    case OP_ABS:
        return is_neg(a) || a->op == OP_ABS ? simple(g, OP_ABS, a->arg[0], NULL)
                                            : raw(g, op, a, NULL);
    case OP_TANH:
    case OP_SINH:
    case OP_SIN:
    case OP_TAN:
    case OP_ATAN:
    case OP_ASINH:
    case OP_ERF:
        return is_neg(a) ? simple(g, OP_NEG, raw(g, op, a->arg[0], NULL), NULL)
                         : raw(g, op, a, NULL);
    case OP_COS:
    case OP_COSH:
    case OP_SECH2:
        return raw(g, op, is_neg(a) || a->op == OP_ABS ? a->arg[0] : a, NULL);
    case OP_POW:
        return simplify_pow(g, a, b);
    case OP_MAX:
    case OP_MIN:
        return a == b ? a : raw(g, op, a, b);
    case OP_NOT:
        return a->op == OP_NOT ? a->arg[0] : raw(g, op, a, NULL);
    case OP_AND:
    case OP_OR:
        return simplify_logic(g, op, a, b);
    case OP_COND:
    case OP_SELECT:
    case OP_GUARD:
        return simplify_choice(g, op, a, b, c);
    case OP_DMUL:
        return simplify_dmul(g, a, b);
    default:
        return graph_op(g, op, a, b, c); /* nothing is known of the others */
    }
}

Node *simplify_op(Graph *g, Op op, Node *a, Node *b, Node *c) {
    Node *const arg[3] = {a, b, c};
    bool constant = true, bad = false;
    for (int k = 0; k < op_info[op].nargs; k++) {
        constant = constant && node_is_const(arg[k]);
        bad = bad || arg[k]->op == OP_BAD;
    }
    if (bad || constant || g->simplifying >= DEEPEST_IDENTITY) return graph_op(g, op, a, b, c);
    g->simplifying++;
    Node *n = identities(g, op, a, b, c);
    g->simplifying--;
    return n;
}

Node *simplify_like(Graph *g, const Node *n, Node *const arg[3]) {
    if (op_is_reduction((Op)n->op)) return graph_reduce(g, (Op)n->op, arg[0], n->attr);
    return simplify_op(g, (Op)n->op, arg[0], arg[1], arg[2]);
}
