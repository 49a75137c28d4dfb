/* `grad` clauses against the derivative that they replace, at a few points in high precision. A
 * clause is there either to say the derivative better, and then it must be the derivative, or to
 * say another one: for what has none (round), as a straight-through estimator (a constant), or
 * because somebody wrote it in parentheses. */
#include "frontend.h"

#include <math.h>

enum {
    POINTS = 11,
    PRECISION = 128,
    MOST_NODES = 20000 /* of all graphs of a module together: a text of a million clauses is not
                          tried for hours */
};

static const double values[POINTS] = {0.43, -0.37, 1.61, -1.27, 0.11, -0.83,
                                      2.9,  -3.3,  0.71, -0.07, 7.3};

static mpfr_ptr new_number(Arena *arena) {
    mpfr_ptr v = arena_alloc(arena, sizeof *v);
    number_init(v, arena_alloc(arena, mpfr_custom_get_size(PRECISION)), PRECISION);
    return v;
}

/* Whether they differ by more than rounding; what is no number tells nothing. */
static bool differ(mpfr_srcptr given, mpfr_srcptr derivative) {
    if (!mpfr_number_p(given) || !mpfr_number_p(derivative) || mpfr_zero_p(derivative))
        return false;
    const double a = mpfr_get_d(given, MPFR_RNDN), b = mpfr_get_d(derivative, MPFR_RNDN);
    return fabs(a - b) > 1e-6 * fmax(fabs(a), fabs(b)) + 1e-12;
}

static void report(const Def *d, const Local *clause, Diags *diags, const Graph *g,
                   const mpfr_srcptr *vars, mpfr_srcptr given, mpfr_srcptr derivative) {
    Buf where, a, b;
    buf_init(&where, diags->arena);
    buf_init(&a, diags->arena);
    buf_init(&b, diags->arena);
    for (size_t i = 0; i < g->nvars; i++)
        buf_printf(&where, "%s%s = %.4g", i ? ", " : "", g->vars[i].name,
                   mpfr_get_d(vars[i], MPFR_RNDN));
    buf_printf(&a, "%.6g", mpfr_get_d(given, MPFR_RNDN));
    buf_printf(&b, "%.6g", mpfr_get_d(derivative, MPFR_RNDN));
    const Loc loc = source_loc(diags, d->source, clause->value->span);
    diag_report(diags, loc, DIAG_GRAD_DIFFERS, clause->name, a.s, where.s, d->name, b.s);
    diag_report(diags, loc, DIAG_NOTE_MEANT, clause->name);
}

static bool is_tried(const Local *clause, const Node *given) {
    return !clause->meant && !node_is_const(given);
}

/* Tries the clauses of one definition; returns how many nodes that took. */
static size_t try_clauses(const Module *m, const Def *d, Diags *diags) {
    Diags silent; /* what cannot be lowered yet is not tried */
    diags_init(&silent, m->arena);
    Graph *g = frontend_lower_overrides(m->arena, m, d, TYPE_F64, &silent);
    if (!g || g->nnodes > MOST_NODES) return g ? g->nnodes : 0;
    Node **given = ARENA_ARRAY(m->arena, Node *, d->ngrads),
         **derivative = ARENA_ARRAY(m->arena, Node *, d->ngrads);
    Node **wrt = ARENA_ARRAY(m->arena, Node *, d->ngrads), *y = g->outs[0].node;
    const Local **clauses = ARENA_ARRAY(m->arena, const Local *, d->ngrads);
    size_t n = 0;
    for (uint32_t i = 0; i < d->ngrads; i++) {
        if (!is_tried(&d->grads[i], g->outs[i + 1].node)) continue;
        given[n] = g->outs[i + 1].node;
        wrt[n] = g->vars[d->grads[i].slot]
                     .node; /* the slots of inputs come first, and so do their variables */
        clauses[n++] = &d->grads[i];
    }
    if (n == 0) return g->nnodes;
    diff_reverse(g, y, wrt, derivative, n);
    g->nouts = 0;
    for (size_t i = 0; i < n; i++) {
        graph_output(g, "given", given[i]);
        graph_output(g, "derivative", derivative[i]);
    }
    mpfr_ptr *outs = ARENA_ARRAY(m->arena, mpfr_ptr, g->nouts),
             *vars = ARENA_ARRAY(m->arena, mpfr_ptr, g->nvars);
    for (size_t i = 0; i < g->nouts; i++) outs[i] = new_number(m->arena);
    for (size_t i = 0; i < g->nvars; i++) vars[i] = new_number(m->arena);
    bool *reported = ARENA_ARRAY(m->arena, bool, n);
    for (size_t point = 0; point < POINTS; point++) {
        for (size_t i = 0; i < g->nvars; i++)
            mpfr_set_d(vars[i], values[(point + 4 * i) % POINTS], MPFR_RNDN);
        eval_real(g, (const mpfr_srcptr *)vars, outs, PRECISION);
        for (size_t i = 0; i < n; i++) {
            if (reported[i] || !differ(outs[2 * i], outs[2 * i + 1])) continue;
            reported[i] = true;
            report(d, clauses[i], diags, g, (const mpfr_srcptr *)vars, outs[2 * i],
                   outs[2 * i + 1]);
        }
    }
    return g->nnodes;
}

void check_overrides(const Module *m, Diags *diags) {
    size_t nodes = 0;
    for (size_t i = 0; i < m->defs.count && nodes < MOST_NODES; i++) {
        const Def *d = m->defs.items[i];
        if (d->bad || d->ngrads == 0) continue;
        nodes += try_clauses(m, d, diags) + 10;
    }
}
