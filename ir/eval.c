/* Plain evaluation of a graph at one point: the reference that generated code is compared with. */
#include "ir.h"

void eval_prepare(Evaluator *e, const Graph *g) {
    const bool *needed = graph_needed(g);
    *e = (Evaluator){.graph = g};
    e->values = ARENA_ARRAY(g->arena, uint64_t, g->nnodes + 1);
    e->order = ARENA_ARRAY(g->arena, const Node *, g->nnodes + 1);
    for (size_t i = 0; i < g->nnodes; i++) {
        if (!needed[i]) continue;
        if (g->nodes[i]->op == OP_CONST)
            e->values[i] = g->nodes[i]->bits;
        else
            e->order[e->count++] = g->nodes[i];
    }
}

void eval_bits(Evaluator *e, const uint64_t *vars, uint64_t *outs) {
    for (size_t i = 0; i < e->count; i++) {
        const Node *n = e->order[i];
        if (n->op == OP_VAR) {
            e->values[n->id] = vars[n->attr];
            continue;
        }
        uint64_t arg[3] = {0};
        for (int k = 0; k < n->nargs; k++) arg[k] = e->values[n->arg[k]->id];
        e->values[n->id] = fold_bits((Op)n->op, (Type)n->type, (Type)n->arg[0]->type, arg);
    }
    for (size_t i = 0; i < e->graph->nouts; i++) outs[i] = e->values[e->graph->outs[i].node->id];
}

/* Whether the condition compares a NaN, which makes a COND NaN. */
static bool condition_is_nan(const Node *c, mpfr_t *values) {
    bool nan = false;
    for (int k = 0; k < c->nargs && !nan; k++)
        nan = type_is_float((Type)c->arg[k]->type) ? mpfr_nan_p(values[c->arg[k]->id]) != 0
                                                   : condition_is_nan(c->arg[k], values);
    return nan;
}

void eval_real(const Graph *g, const mpfr_srcptr *vars, const mpfr_ptr *outs,
               mpfr_prec_t precision) {
    const bool *needed = graph_needed(g);
    mpfr_t *values = ARENA_ARRAY(g->arena, mpfr_t, g->nnodes + 1);
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!needed[i]) continue;
        number_init(values[i], arena_alloc(g->arena, mpfr_custom_get_size(precision)), precision);
        if (n->op == OP_VAR)
            mpfr_set(values[i], vars[n->attr], MPFR_RNDN);
        else if (n->op == OP_CONST && n->num)
            mpfr_set(values[i], n->num, MPFR_RNDN);
        else if (n->op == OP_CONST)
            mpfr_set_ui(values[i], n->bits != 0, MPFR_RNDN);
        else if ((n->op == OP_COND) && condition_is_nan(n->arg[0], values))
            mpfr_set_nan(values[i]);
        else
            fold_real((Op)n->op, values[i], values[n->arg[0]->id],
                      n->nargs > 1 ? values[n->arg[1]->id] : NULL,
                      n->nargs > 2 ? values[n->arg[2]->id] : NULL);
    }
    for (size_t i = 0; i < g->nouts; i++) mpfr_set(outs[i], values[g->outs[i].node->id], MPFR_RNDN);
}
