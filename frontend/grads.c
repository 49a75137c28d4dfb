/* `grad` clauses against the derivative that they replace, at a few points in high precision. A
 * clause is there either to say the derivative better, and then it must be the derivative, or to
 * say another one: for what has none (round), a constant for what is linear in pieces (-lambda to
 * reverse a gradient, 1 to pass it through a clamp), or because somebody wrote it in parentheses.
 */
#include "frontend.h"

#include <math.h>
#include <string.h>

enum {
    NEAR = 11,
    FAR = 6,
    FAR_VARIABLES = 3, /* so many variables are tried far out, one after the other */
    /* Far out exp(x)^2 - exp(2*x) must still cancel to nothing. */
    NEAR_PRECISION = 128,
    FAR_PRECISION = 640,
    MOST_NODES = 20000 /* of all graphs of a module together: a text of a million clauses is not
                          tried for hours */
};

static const double near[NEAR] = {0.43, -0.37, 1.61, -1.27, 0.11, -0.83,
                                  2.9,  -3.3,  0.71, -0.07, 7.3};
static const double far[FAR] = {13.1, -17.3, 41.9, -57.7, 120.3, -141.1};

typedef struct {
    const Local *said;
    bool *reported;
    bool constant;
    double slope; /* where the clause is a constant: the first derivative that was not 0 */
} Clause;

/* What is tried of one definition, with one set of params. */
typedef struct {
    const Def *d;
    Diags *diags;
    const char *params; /* of those that do not have their defaults: ", a = 1" */
    Graph *g;
    Clause *clauses;
    size_t count;
    mpfr_ptr *vars, *outs; /* what a clause gives, and the derivative, in turn */
} Trial;

static mpfr_ptr new_number(Arena *arena) {
    mpfr_ptr v = arena_alloc(arena, sizeof *v);
    number_init(v, arena_alloc(arena, mpfr_custom_get_size(FAR_PRECISION)), FAR_PRECISION);
    return v;
}

/* By more than rounding. */
static bool differ(double a, double b) {
    return fabs(a - b) > 1e-6 * fmax(fabs(a), fabs(b)) + 1e-12;
}

/* What is no number tells nothing, and a derivative of 0 has any other. A constant is only held
 * against a derivative that has had two values beside 0. */
static bool is_wrong(Clause *c, mpfr_srcptr given, mpfr_srcptr derivative) {
    if (!mpfr_number_p(given) || !mpfr_number_p(derivative) || mpfr_zero_p(derivative))
        return false;
    const double a = mpfr_get_d(given, MPFR_RNDN), b = mpfr_get_d(derivative, MPFR_RNDN);
    if (c->constant && c->slope == 0) c->slope = b;
    return differ(a, b) && (!c->constant || differ(c->slope, b));
}

static void report(const Trial *t, const Local *clause, mpfr_srcptr given, mpfr_srcptr derivative) {
    Buf where, a, b;
    buf_init(&where, t->diags->arena);
    buf_init(&a, t->diags->arena);
    buf_init(&b, t->diags->arena);
    for (size_t i = 0; i < t->g->nvars; i++)
        buf_printf(&where, "%s%s = %.4g", i ? ", " : "", t->g->vars[i].name,
                   mpfr_get_d(t->vars[i], MPFR_RNDN));
    buf_puts(&where, t->params);
    buf_printf(&a, "%.6g", mpfr_get_d(given, MPFR_RNDN));
    buf_printf(&b, "%.6g", mpfr_get_d(derivative, MPFR_RNDN));
    const Loc loc = source_loc(t->diags, t->d->source, clause->value->span);
    diag_report(t->diags, loc, DIAG_GRAD_DIFFERS, clause->name, a.s, where.s, t->d->name, b.s);
    diag_report(t->diags, loc, DIAG_NOTE_MEANT, clause->name);
}

static void try_point(Trial *t, unsigned precision) {
    eval_real(t->g, (const mpfr_srcptr *)t->vars, t->outs, precision);
    for (size_t i = 0; i < t->count; i++) {
        Clause *c = &t->clauses[i];
        if (*c->reported || !is_wrong(c, t->outs[2 * i], t->outs[2 * i + 1])) continue;
        *c->reported = true;
        report(t, c->said, t->outs[2 * i], t->outs[2 * i + 1]);
    }
}

static void try_points(Trial *t) {
    const size_t n = t->g->nvars;
    for (size_t point = 0; point < NEAR; point++) {
        for (size_t i = 0; i < n; i++)
            mpfr_set_d(t->vars[i], near[(point + 4 * i) % NEAR], MPFR_RNDN);
        try_point(t, NEAR_PRECISION);
    }
    for (size_t k = 0; k < n && k < FAR_VARIABLES; k++)
        for (size_t point = 0; point < FAR; point++) {
            for (size_t i = 0; i < n; i++)
                mpfr_set_d(t->vars[i], i == k ? far[point] : near[(point + 4 * i) % NEAR],
                           MPFR_RNDN);
            try_point(t, FAR_PRECISION);
        }
}

static Node *find_variable(const Graph *g, const char *name) {
    size_t i = 0;
    while (strcmp(g->vars[i].name, name) != 0) i++;
    return g->vars[i].node;
}

/* Tries the clauses of one definition; returns how many nodes that took. With `vary` all params
 * have other values than their defaults: with a = 0, a*x would say nothing of its derivative. */
static size_t try_clauses(const Module *m, const Def *d, Diags *diags, bool vary, bool *reported) {
    Diags silent; /* what cannot be lowered yet is not tried */
    diags_init(&silent, m->arena);
    Buf params;
    buf_init(&params, m->arena);
    Graph *g = frontend_lower_overrides(m->arena, m, d, TYPE_F64, vary, &params, &silent);
    if (!g || g->nnodes > MOST_NODES) return g ? g->nnodes : 0;
    Node **given = ARENA_ARRAY(m->arena, Node *, d->ngrads),
         **derivative = ARENA_ARRAY(m->arena, Node *, d->ngrads);
    Node **wrt = ARENA_ARRAY(m->arena, Node *, d->ngrads), *y = g->outs[0].node;
    Trial t = {.d = d, .diags = diags, .params = params.s, .g = g};
    t.clauses = ARENA_ARRAY(m->arena, Clause, d->ngrads);
    for (uint32_t i = 0; i < d->ngrads; i++) {
        if (d->grads[i].meant) continue;
        given[t.count] = g->outs[i + 1].node;
        wrt[t.count] = find_variable(g, d->grads[i].name);
        t.clauses[t.count++] = (Clause){.said = &d->grads[i],
                                        .reported = &reported[i],
                                        .constant = node_is_const(g->outs[i + 1].node)};
    }
    if (t.count == 0) return g->nnodes;
    diff_reverse(g, y, wrt, derivative, t.count);
    g->nouts = 0;
    for (size_t i = 0; i < t.count; i++) {
        graph_output(g, "given", given[i]);
        graph_output(g, "derivative", derivative[i]);
    }
    t.outs = ARENA_ARRAY(m->arena, mpfr_ptr, g->nouts);
    t.vars = ARENA_ARRAY(m->arena, mpfr_ptr, g->nvars);
    for (size_t i = 0; i < g->nouts; i++) t.outs[i] = new_number(m->arena);
    for (size_t i = 0; i < g->nvars; i++) t.vars[i] = new_number(m->arena);
    try_points(&t);
    return g->nnodes;
}

static bool has_params(const Def *d) {
    for (uint32_t i = 0; i < d->nparams; i++)
        if (!d->params[i].learn) return true;
    return false;
}

void check_overrides(const Module *m, Diags *diags) {
    size_t nodes = 0;
    for (size_t i = 0; i < m->defs.count && nodes < MOST_NODES; i++) {
        const Def *d = m->defs.items[i];
        if (d->bad || d->ngrads == 0) continue;
        bool *reported = ARENA_ARRAY(m->arena, bool, d->ngrads);
        nodes += try_clauses(m, d, diags, false, reported) + 10;
        if (has_params(d)) nodes += try_clauses(m, d, diags, true, reported);
    }
}
