/* Applies the table rules.def from the leaves up, at each node until no rule matches.
 *
 * Patterns are small graphs of their own, built by the same simplifier as the subject, so a pattern
 * and what it matches have one spelling. Matching goes modulo commutation with backtracking;
 * constants agree within 2^-240, as they may have been computed along different ways. */
#include <string.h>

#include "ir.h"

typedef struct {
    const char *name, *left, *right, *domain, *why;
    bool late;
} RuleText;

static const RuleText rule_texts[] = {
#define RULE(name, left, right, domain, why) {#name, left, right, domain, why, false},
#define LATE(name, left, right, domain, why) {#name, left, right, domain, why, true},
#include "rules.def"
#undef RULE
#undef LATE
};

enum { NRULES = sizeof rule_texts / sizeof *rule_texts, NPATTERN_VARS = 3, LONGEST_CHAIN = 64 };

size_t rule_count(void) { return NRULES; }

const char *rule_at(size_t index, const char **left, const char **right, const char **domain) {
    *left = rule_texts[index].left;
    *right = rule_texts[index].right;
    *domain = rule_texts[index].domain;
    return rule_texts[index].name;
}

const char *rule_why(const char *name) {
    for (size_t i = 0; i < NRULES; i++)
        if (strcmp(rule_texts[i].name, name) == 0) return rule_texts[i].why;
    return strcmp(name, "common_factor") == 0 ? "what may cancel or vanish stands together"
                                              : "a quotient of polynomials in one exponential";
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

const Rules *rules_new(Arena *arena, Type real) {
    const char *error;
    size_t at;
    Rules *rules = ARENA_NEW(arena, Rules);
    Graph *g = rules->patterns = graph_new(arena, "rules", real);
    const Binding vars[NPATTERN_VARS] = {{"a", graph_var(g, VAR_INPUT, "a", real, AXES_REST)},
                                         {"b", graph_var(g, VAR_INPUT, "b", real, AXES_REST)},
                                         {"c", graph_var(g, VAR_INPUT, "c", real, AXES_REST)}};
    for (size_t i = 0; i < NRULES; i++)
        rules->left[i] = graph_read_expr(g, rule_texts[i].left, vars, NPATTERN_VARS, &error, &at);
    return rules;
}

static const Rules *load_rules(Graph *g) {
    if (!g->rules) g->rules = rules_new(g->arena, g->real);
    return g->rules;
}

static Node *read_side(Graph *g, const char *text, const Match *m) {
    static const char *const names[NPATTERN_VARS] = {"a", "b", "c"};
    const char *error;
    size_t at;
    Binding vars[NPATTERN_VARS];
    size_t n = 0;
    for (; n < NPATTERN_VARS && m->bound[n]; n++) vars[n] = (Binding){names[n], m->bound[n]};
    return graph_read_expr(g, text, vars, n, &error, &at);
}

/* The right side of rule i over what its left side matched; NULL outside its domain. */
static Node *build(Graph *g, size_t i, const Match *m) {
    if (*rule_texts[i].domain) {
        const Node *holds = read_side(g, rule_texts[i].domain, m);
        if (!holds || !node_is_const(holds) || !holds->bits) return NULL;
    }
    return read_side(g, rule_texts[i].right, m);
}

/* ---- sums and products of several ---- */

enum { MOST_PARTS = 8, MOST_PATTERN_PARTS = 4 };

/* The terms of a sum, or the factors of a product. */
typedef struct {
    Node *part[MOST_PARTS];
    bool minus[MOST_PARTS]; /* of terms */
    size_t count;
} Parts;

/* Appends those of n; what there is no room to split (`reserve` places are promised) stays whole.
 */
static void collect(Node *n, bool product, bool minus, size_t reserve, Parts *to) {
    const bool splits = product ? n->op == OP_MUL : n->op == OP_ADD || n->op == OP_SUB;
    if (!product && n->op == OP_NEG) {
        collect(n->arg[0], product, !minus, reserve, to);
    } else if (splits && to->count + reserve + 2 <= MOST_PARTS) {
        collect(n->arg[0], product, minus, reserve + 1, to);
        collect(n->arg[1], product, minus != (n->op == OP_SUB), reserve, to);
    } else {
        to->part[to->count] = n;
        to->minus[to->count++] = minus;
    }
}

/* Matches the parts of the pattern from `k` on with unused parts of the subject, all signs alike
 * or all turned. */
static bool match_parts(Graph *g, const Parts *p, size_t k, const Parts *n, bool turned,
                        unsigned *used, Match *m) {
    if (k == p->count) return true;
    for (size_t i = 0; i < n->count; i++) {
        const Match before = *m;
        if (*used >> i & 1 || (p->minus[k] != n->minus[i]) != turned) continue;
        *used |= 1u << i;
        if (match(g, p->part[k], n->part[i], m) && match_parts(g, p, k + 1, n, turned, used, m))
            return true;
        *used &= ~(1u << i);
        *m = before;
    }
    return false;
}

/* A sum or product may stand anywhere in a longer one: x*p*q matches p*q; and -p - q matches p + q.
 */
static Node *apply_in_parts(Graph *g, size_t i, const Node *left, Node *n) {
    const bool product = n->op == OP_MUL;
    Parts pattern = {.count = 0}, subject = {.count = 0};
    collect((Node *)left, product, false, 0, &pattern);
    collect(n, product, false, 0, &subject);
    if (pattern.count > MOST_PATTERN_PARTS || pattern.count > subject.count) return NULL;
    for (int turned = 0; turned <= !product; turned++) {
        Match m = {{NULL}};
        unsigned used = 0;
        if (!match_parts(g, &pattern, 0, &subject, turned, &used, &m)) continue;
        Node *y = build(g, i, &m);
        if (!y) return NULL;
        if (turned) y = simplify_op(g, OP_NEG, y, NULL, NULL);
        Node *rest = NULL;
        for (size_t k = 0; k < subject.count; k++) {
            if (used >> k & 1) continue;
            Node *part = subject.part[k];
            if (product)
                rest = rest ? simplify_op(g, OP_MUL, rest, part, NULL) : part;
            else if (rest)
                rest = simplify_op(g, subject.minus[k] ? OP_SUB : OP_ADD, rest, part, NULL);
            else
                rest = subject.minus[k] ? simplify_op(g, OP_NEG, part, NULL, NULL) : part;
        }
        return rest ? simplify_op(g, product ? OP_MUL : OP_ADD, rest, y, NULL) : y;
    }
    return NULL;
}

/* ---- common factors ---- */

enum { MOST_COMMON = 8, LARGEST_SPLIT_POWER = 4, SHORT_BITS = 12 };

typedef struct {
    Node *factor[MOST_COMMON];
    size_t count;
    mpfr_ptr k; /* the constant ones */
} Factors;

static bool list_factors(Node *n, Factors *f) {
    if (n->op == OP_NEG) {
        mpfr_neg(f->k, f->k, MPFR_RNDN);
        return list_factors(n->arg[0], f);
    }
    if (n->op == OP_MUL) return list_factors(n->arg[0], f) && list_factors(n->arg[1], f);
    if (n->op == OP_DIV && node_is_const(n->arg[1])) {
        mpfr_div(f->k, f->k, n->arg[1]->num, MPFR_RNDN);
        return mpfr_regular_p(f->k) && list_factors(n->arg[0], f);
    }
    if (node_is_const(n)) {
        mpfr_mul(f->k, f->k, n->num, MPFR_RNDN);
        return mpfr_number_p(f->k);
    }
    int times = 1;
    if (n->op == OP_POW && node_is_const(n->arg[1]) && mpfr_integer_p(n->arg[1]->num) &&
        mpfr_sgn(n->arg[1]->num) > 0 && mpfr_cmp_ui(n->arg[1]->num, LARGEST_SPLIT_POWER) <= 0) {
        times = (int)mpfr_get_si(n->arg[1]->num, MPFR_RNDN);
        n = n->arg[0];
    }
    while (times-- > 0) {
        if (f->count == MOST_COMMON) return false;
        f->factor[f->count++] = n;
    }
    return true;
}

static Node *multiply(Graph *g, Node *a, Node *b) {
    return a ? simplify_op(g, OP_MUL, a, b, NULL) : b;
}

static Node *rest_of_factors(Graph *g, const Factors *f, Type t) {
    Node *n = NULL;
    for (size_t i = 0; i < f->count; i++)
        if (f->factor[i]) n = multiply(g, n, f->factor[i]);
    Node *k = graph_number(g, t, f->k);
    return n ? simplify_op(g, OP_MUL, k, n, NULL) : k;
}

static bool is_short(mpfr_srcptr v) { return mpfr_regular_p(v) && mpfr_min_prec(v) <= SHORT_BITS; }

/* a*b + a*c is a*(b + c): what may cancel or vanish stands together then. And 3*x + 6 is 3*(x + 2),
 * so that it is right near -2, where 2 has few digits. */
static Node *take_out_factors(Graph *g, Node *n) {
    const Type t = (Type)n->type;
    if ((n->op != OP_ADD && n->op != OP_SUB) || n->arg[0] == n->arg[1]) return NULL;
    NUMBER_TEMP(k0, NUMBER_BITS);
    NUMBER_TEMP(k1, NUMBER_BITS);
    mpfr_set_ui(k0, 1, MPFR_RNDN);
    mpfr_set_ui(k1, 1, MPFR_RNDN);
    Factors f[2] = {{.k = k0}, {.k = k1}};
    if (!list_factors(n->arg[0], &f[0]) || !list_factors(n->arg[1], &f[1])) return NULL;
    if (!mpfr_regular_p(k0) || !mpfr_regular_p(k1)) return NULL;
    Node *common = NULL;
    for (size_t i = 0; i < f[0].count; i++)
        for (size_t j = 0; j < f[1].count; j++)
            if (f[0].factor[i] && f[0].factor[i] == f[1].factor[j]) {
                common = multiply(g, common, f[0].factor[i]);
                f[0].factor[i] = f[1].factor[j] = NULL;
            }
    const bool constant = f[0].count == 0 || f[1].count == 0;
    if (!common && !constant) return NULL;
    const int one = f[0].count ? 0 : 1; /* its constant goes out */
    NUMBER_TEMP(q, NUMBER_BITS);
    NUMBER_TEMP(out, NUMBER_BITS);
    mpfr_set(out, one ? k1 : k0, MPFR_RNDN);
    mpfr_div(q, one ? k0 : k1, out, MPFR_RNDN);
    const bool shared =
        is_short(q) && (!is_short(out) || mpfr_cmpabs_ui(q, 1) == 0) && mpfr_cmpabs_ui(out, 1) != 0;
    if (!common && !shared) return NULL;
    if (shared) { /* k*(x + q) */
        mpfr_set_ui(one ? k1 : k0, 1, MPFR_RNDN);
        mpfr_set(one ? k0 : k1, q, MPFR_RNDN);
        common = multiply(g, common, graph_number(g, t, out));
    }
    Node *sum =
        simplify_op(g, (Op)n->op, rest_of_factors(g, &f[0], t), rest_of_factors(g, &f[1], t), NULL);
    return simplify_op(g, OP_MUL, common, sum, NULL);
}

/* A rule that only gives a value its derivative has done so where it stands under stop. */
static bool gives_derivative(size_t i) {
    static const char given[] = "custom(stop(";
    return strncmp(rule_texts[i].right, given, sizeof given - 1) == 0;
}

static Node *apply_one(Graph *g, const Rules *rules, bool late, bool stopped, Node *n,
                       const char **name) {
    for (size_t i = 0; i < NRULES; i++) {
        if (stopped && gives_derivative(i)) continue;
        const Node *left = rules->left[i];
        const bool sums = left && (left->op == OP_ADD || left->op == OP_SUB) &&
                          (n->op == OP_ADD || n->op == OP_SUB);
        if (!left || (left->op != n->op && !sums) || (rule_texts[i].late && !late)) continue;
        Match m = {{NULL}};
        Node *right = NULL;
        if (match(g, left, n, &m))
            right = build(g, i, &m);
        else if (left->op == OP_MUL || left->op == OP_ADD || left->op == OP_SUB)
            right = apply_in_parts(g, i, left, n);
        *name = rule_texts[i].name;
        if (right && right != n) return right;
    }
    Node *product = take_out_factors(g, n);
    *name = "common_factor";
    return product ? product : n;
}

typedef struct {
    Graph *g;
    const Rules *rules;
    bool late;
    const bool *stopped; /* stands under a stop, by id */
    size_t count;        /* of `stopped` */
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
    Node *now = simplify_like(g, n, arg);
    const char *name = NULL;
    const size_t before = g->nnodes;
    Node *next =
        apply_one(g, w->rules, w->late, now->id < w->count && w->stopped[now->id], now, &name);
    if (next == now) return now;
    w->fired++;
    if (w->trace) w->trace(w->user, g, name, now, next);
    return settle(w, next, before, budget - 1);
}

static size_t apply_table(Graph *g, bool late, RewriteTrace *trace, void *user) {
    const Rules *rules = load_rules(g);
    const size_t count = g->nnodes;
    Rewriter w = {.g = g, .rules = rules, .late = late, .trace = trace, .user = user};
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    bool *needed = graph_needed(g);
    bool *stopped = ARENA_ARRAY(g->arena, bool, count + 1);
    for (size_t i = 0; i < count; i++)
        if (needed[i] && g->nodes[i]->op == OP_STOP) stopped[g->nodes[i]->arg[0]->id] = true;
    w.stopped = stopped;
    w.count = count;
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
        Node *now = simplify_like(g, n, arg);
        /* simplification may have made inner nodes that a rule matches */
        now = settle(&w, now, before < now->id ? before : now->id, LONGEST_CHAIN);
        map[i] = now;
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
    return w.fired;
}

size_t rewrite_graph(Graph *g, bool late, RewriteTrace *trace, void *user) {
    size_t fired = apply_table(g, late, trace, user);
    const size_t found = rewrite_exponentials(g, late, trace, user);
    if (found) fired += found + apply_table(g, late, trace, user);
    return fired;
}

void drop_overrides(Graph *g) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i], *arg[3] = {NULL, NULL, NULL};
        if (!needed[i]) continue;
        for (int k = 0; k < n->nargs; k++) arg[k] = map[n->arg[k]->id];
        map[i] = n->nargs == 0 ? n
                 : n->op == OP_STOP || n->op == OP_CUSTOM
                     ? arg[0]
                     : simplify_like(g, n, arg);
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}
