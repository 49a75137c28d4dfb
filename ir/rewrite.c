/* Applies the table rules.def from the leaves up, at each node until no rule matches.
 *
 * Patterns are small graphs of their own, built by the same simplifier as the subject, so a pattern
 * and what it matches have one spelling. Matching goes modulo commutation with backtracking;
 * constants agree within 2^-240, as they may have been computed along different ways. */
#include <string.h>

#include "ir.h"

typedef struct {
    const char *name, *left, *right;
    bool late;
} RuleText;

static const RuleText rule_texts[] = {
#define RULE(name, left, right) {#name, left, right, false},
#define LATE(name, left, right) {#name, left, right, true},
#include "rules.def"
#undef RULE
#undef LATE
};

enum { NRULES = sizeof rule_texts / sizeof *rule_texts, NPATTERN_VARS = 3, LONGEST_CHAIN = 64 };

size_t rule_count(void) { return NRULES; }

const char *rule_at(size_t index, const char **left, const char **right) {
    *left = rule_texts[index].left;
    *right = rule_texts[index].right;
    return rule_texts[index].name;
}

struct Rules {
    Graph *patterns; /* the left sides */
    Node *left[NRULES];
};
typedef struct Rules Rules;

typedef struct {
    Node *bound[NPATTERN_VARS];
} Match;

static bool same_constant(const Node *p, const Node *n) {
    if (!node_is_const(n) || p->type != n->type) return false;
    if (!p->num) return p->bits == n->bits;
    if (!mpfr_regular_p(p->num) || !mpfr_regular_p(n->num))
        return !mpfr_nan_p(p->num) && mpfr_equal_p(p->num, n->num);
    NUMBER_TEMP(d, NUMBER_BITS);
    mpfr_sub(d, p->num, n->num, MPFR_RNDN);
    return mpfr_zero_p(d) || mpfr_get_exp(d) < mpfr_get_exp(p->num) - 240;
}

static bool bind(const Node *var, Node *n, Match *m) {
    if (!m->bound[var->attr]) m->bound[var->attr] = n;
    return m->bound[var->attr] == n;
}

static bool is_negative_multiple(const Node *n) {
    return n->op == OP_MUL && ((node_is_const(n->arg[0]) && mpfr_sgn(n->arg[0]->num) < 0) ||
                               (node_is_const(n->arg[1]) && mpfr_sgn(n->arg[1]->num) < 0));
}

static bool match(Graph *g, const Node *p, Node *n, Match *m) {
    if (p->op == OP_VAR) return bind(p, n, m);
    if (p->op == OP_CONST) return same_constant(p, n);
    if (p->op == OP_NEG && p->arg[0]->op == OP_VAR &&
        n->op != OP_NEG) { /* -a is -3*x where a is 3*x */
        if (!m->bound[p->arg[0]->attr] && !is_negative_multiple(n)) return false;
        return bind(p->arg[0], simplify_op(g, OP_NEG, n, NULL, NULL), m);
    }
    if (p->op != n->op) return false;
    const Match before = *m;
    bool all = true;
    for (int k = 0; k < p->nargs && all; k++) all = match(g, p->arg[k], n->arg[k], m);
    if (all || !op_info[p->op].commutative) return all;
    *m = before;
    return match(g, p->arg[0], n->arg[1], m) && match(g, p->arg[1], n->arg[0], m);
}

/* The left sides, read once for a graph. */
static const Rules *load_rules(Graph *subject) {
    const char *error;
    size_t at;
    if (subject->rules) return subject->rules;
    const Type real = subject->real;
    Rules *rules = ARENA_NEW(subject->arena, Rules);
    Graph *g = rules->patterns = graph_new(subject->arena, "rules", real);
    const Binding vars[NPATTERN_VARS] = {{"a", graph_var(g, VAR_INPUT, "a", real, AXES_REST)},
                                         {"b", graph_var(g, VAR_INPUT, "b", real, AXES_REST)},
                                         {"c", graph_var(g, VAR_INPUT, "c", real, AXES_REST)}};
    for (size_t i = 0; i < NRULES; i++)
        rules->left[i] = graph_read_expr(g, rule_texts[i].left, vars, NPATTERN_VARS, &error, &at);
    return subject->rules = rules;
}

/* The right side of rule i over what its left side matched. */
static Node *build(Graph *g, size_t i, const Match *m) {
    static const char *const names[NPATTERN_VARS] = {"a", "b", "c"};
    const char *error;
    size_t at;
    Binding vars[NPATTERN_VARS];
    size_t n = 0;
    for (; n < NPATTERN_VARS && m->bound[n]; n++) vars[n] = (Binding){names[n], m->bound[n]};
    return graph_read_expr(g, rule_texts[i].right, vars, n, &error, &at);
}

enum { MOST_FACTORS = 8 };

/* Appends the factors of n; a product that there is no room to split (`reserve` places are
 * promised) stays whole. */
static size_t collect_factors(Node *n, Node **out, size_t count, size_t reserve) {
    if (n->op == OP_MUL && count + reserve + 2 <= MOST_FACTORS) {
        count = collect_factors(n->arg[0], out, count, reserve + 1);
        return collect_factors(n->arg[1], out, count, reserve);
    }
    out[count] = n;
    return count + 1;
}

/* A product of two may stand anywhere in a longer one: x*p*q matches p*q. */
static Node *apply_in_product(Graph *g, size_t i, const Node *left, Node *n) {
    Node *factors[MOST_FACTORS];
    const size_t count = collect_factors(n, factors, 0, 0);
    for (size_t p = 0; p < count && count > 2; p++)
        for (size_t q = 0; q < count; q++) {
            Match m = {{NULL}};
            if (p == q || !match(g, left->arg[0], factors[p], &m) ||
                !match(g, left->arg[1], factors[q], &m))
                continue;
            Node *product = NULL;
            for (size_t k = 0; k < count; k++)
                if (k != p && k != q)
                    product =
                        product ? simplify_op(g, OP_MUL, product, factors[k], NULL) : factors[k];
            Node *right = build(g, i, &m);
            return right && product ? simplify_op(g, OP_MUL, product, right, NULL) : right;
        }
    return NULL;
}

static Node *apply_one(Graph *g, const Rules *rules, bool late, Node *n, const char **name) {
    for (size_t i = 0; i < NRULES; i++) {
        const Node *left = rules->left[i];
        if (!left || left->op != n->op || (rule_texts[i].late && !late)) continue;
        Match m = {{NULL}};
        Node *right = NULL;
        if (match(g, left, n, &m))
            right = build(g, i, &m);
        else if (left->op == OP_MUL)
            right = apply_in_product(g, i, left, n);
        *name = rule_texts[i].name;
        if (right && right != n) return right;
    }
    return n;
}

typedef struct {
    Graph *g;
    const Rules *rules;
    bool late;
    RewriteTrace *trace;
    void *user;
    size_t fired;
} Rewriter;

/* What a rule built may match again, inside too: its new nodes are those above `first`. */
static Node *settle(Rewriter *w, Node *n, size_t first, int budget) {
    Graph *g = w->g;
    if (n->id < first || n->nargs == 0 || budget <= 0) return n;
    Node *arg[3] = {NULL, NULL, NULL};
    for (int k = 0; k < n->nargs; k++) arg[k] = settle(w, n->arg[k], first, budget - 1);
    Node *now = simplify_op(g, (Op)n->op, arg[0], arg[1], arg[2]);
    const char *name = NULL;
    const size_t before = g->nnodes;
    Node *next = apply_one(g, w->rules, w->late, now, &name);
    if (next == now) return now;
    w->fired++;
    if (w->trace) w->trace(w->user, name, now, next);
    return settle(w, next, before, budget - 1);
}

size_t rewrite_graph(Graph *g, bool late, RewriteTrace *trace, void *user) {
    const Rules *rules = load_rules(g);
    const size_t count = g->nnodes;
    Rewriter w = {.g = g, .rules = rules, .late = late, .trace = trace, .user = user};
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    bool *needed = graph_needed(g);
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        if (n->nargs == 0) {
            map[i] = n;
            continue;
        }
        Node *arg[3] = {NULL, NULL, NULL};
        for (int k = 0; k < n->nargs; k++) arg[k] = map[n->arg[k]->id];
        const size_t before = g->nnodes;
        Node *now = simplify_op(g, (Op)n->op, arg[0], arg[1], arg[2]);
        /* simplification may have made inner nodes that a rule matches */
        now = settle(&w, now, before < now->id ? before : now->id, LONGEST_CHAIN);
        map[i] = now;
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
    return w.fired;
}
