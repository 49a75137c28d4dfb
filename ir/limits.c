/* Products of a factor that grows without bound and one that vanishes faster: x*sigmoid(x) at
 * -infinity is 0, but -inf times 0 is NaN. Where the growing factor is a polynomial and the other
 * one vanishes exponentially, the limit is 0.
 *
 * If the growing factor is x itself and it is known at which end the other one vanishes, x is kept
 * finite there, by one comparison: max(x, -largest)*sigmoid(x). Else the product becomes dmul,
 * which takes 0 times infinity for 0. Finite arguments give the same bits as before. To be done
 * after differentiation: nothing here has a useful derivative. */
#include <float.h>

#include "ir.h"

/* How a value behaves where its variables go to infinity. */
typedef enum { UNKNOWN, GROWING, BOUNDED, VANISHING } Growth;

/* GROWING: at most a polynomial. VANISHING: bounded, and 0 only in exponential limits, at the ends
 * that are named if there is only one variable x, whose coefficient has a known sign. */
typedef struct {
    Growth growth;
    Node *x;          /* the variable, for `left` and `right`; NULL: not known */
    bool left, right; /* vanishes for x to -infinity, +infinity */
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
    Behaviour b = {BOUNDED, NULL, false, false};
    if (of_u->growth != GROWING) return b;
    b.growth = VANISHING;
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
    if (u->op == OP_NEG) return is_even_power(u->arg[0]);
    return u->op == OP_MUL && ((sign_of_constant(u->arg[0]) < 0 && is_even_power(u->arg[1])) ||
                               (sign_of_constant(u->arg[1]) < 0 && is_even_power(u->arg[0])));
}

static Behaviour product_of(const Behaviour *a, const Behaviour *b) {
    Behaviour p = {worse(a->growth, b->growth), NULL, false, false};
    if (a->growth != VANISHING && b->growth != VANISHING) return p;
    if (p.growth == UNKNOWN) return p;
    p.growth = VANISHING;
    /* 0 where either is, if the other is bounded */
    if (a->growth == VANISHING && b->growth == VANISHING && a->x == b->x)
        p = (Behaviour){VANISHING, a->x, a->left || b->left, a->right || b->right};
    else if (a->growth == BOUNDED)
        p = *b;
    else if (b->growth == BOUNDED)
        p = *a;
    return p;
}

static Behaviour behaviour_of(Node *n, const Behaviour *known) {
    const Behaviour *a = n->nargs > 0 ? &known[n->arg[0]->id] : NULL,
                    *b = n->nargs > 1 ? &known[n->arg[1]->id] : NULL,
                    *c = n->nargs > 2 ? &known[n->arg[2]->id] : NULL;
    const Behaviour bounded = {BOUNDED, NULL, false, false},
                    growing = {GROWING, NULL, false, false},
                    unknown = {UNKNOWN, NULL, false, false};
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
    case OP_MIN: {
        const Growth w = worse(a->growth, b->growth);
        return w == VANISHING ? bounded : (Behaviour){w, NULL, false, false};
    }
    case OP_MUL:
        return product_of(a, b);
    case OP_DIV:
        return sign_of_constant(n->arg[1]) ? *a : unknown;
    case OP_POW:
        return is_even_power(n) || (node_is_const(n->arg[1]) && mpfr_integer_p(n->arg[1]->num) &&
                                    mpfr_sgn(n->arg[1]->num) > 0)
                   ? *a
                   : unknown;
    case OP_COND: {
        const Growth w = worse(b->growth, c->growth);
        return w == VANISHING ? bounded : (Behaviour){w, NULL, false, false};
    }
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
        if (!is_negative(n->arg[0]) || a->growth != GROWING) return unknown;
        Node *inner = n->arg[0]->op == OP_NEG ? n->arg[0]->arg[0]
                                              : n->arg[0]->arg[node_is_const(n->arg[0]->arg[0])];
        Behaviour v = {VANISHING, NULL, true, true};
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
    Factors f = {NULL, NULL, {BOUNDED, NULL, false, false}};
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
        if (changed) map[i] = simplify_op(g, (Op)n->op, arg[0], arg[1], arg[2]);
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}
