/* Axes that belong together: two neighbours are one group where every value and every reduction has
 * both or neither, and every array has them side by side in the same order. */
#include "schedule.h"

/* Whether bit `b` may follow bit `a` in one group. */
static bool belong(const Graph *g, const bool *needed, unsigned a, unsigned b) {
    const AxisSet both = (AxisSet)1 << a | (AxisSet)1 << b;
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!needed[i]) continue;
        const AxisSet over = op_is_reduction((Op)n->op) || n->op == OP_INDEX || n->op == OP_ELEMENTS
                                 ? n->attr & both
                                 : 0;
        if (over && over != both) return false;
        if ((n->axes & both) && (n->axes & both) != both) return false;
    }
    for (size_t i = 0; i < g->nouts; i++) {
        const AxisSet axes = g->outs[i].axes & both;
        if (axes && axes != both) return false;
    }
    for (size_t i = 0; i < g->nvars; i++) {
        const Var *v = &g->vars[i];
        if (!(v->node->axes & both)) continue;
        if ((v->node->axes & both) != both) return false;
        for (unsigned k = 0; k < v->rank; k++)
            if (v->order[k] == a && (k + 1 == v->rank || v->order[k + 1] != b)) return false;
    }
    return true;
}

size_t find_groups(const Graph *g, AxisSet *groups) {
    const bool *needed = graph_needed(g);
    size_t n = 0;
    unsigned last = 0;
    AxisSet all = 0;
    for (size_t i = 0; i < g->nvars; i++) all |= g->vars[i].node->axes;
    for (size_t i = 0; i < g->nouts; i++) all |= g->outs[i].axes;
    for (unsigned bit = 0; bit <= MAX_AXES; bit++) {
        if (!(all >> bit & 1)) continue;
        if (n && belong(g, needed, last, bit))
            groups[n - 1] |= (AxisSet)1 << bit;
        else
            groups[n++] = (AxisSet)1 << bit;
        last = bit;
    }
    return n;
}

/* What treats the axes of a reduction as one does so in everything that is reduced: up to the
 * reductions and the values without any of these axes below it. */
static bool is_flat(const Graph *g, const Node *n) {
    bool *seen = ARENA_ARRAY(g->arena, bool, n->id + 1);
    seen[n->arg[0]->id] = true;
    for (size_t i = n->id; i-- > 0;) {
        const Node *m = g->nodes[i];
        const AxisSet axes = m->axes & n->attr;
        if (!seen[i] || !axes) continue;
        if (axes != n->attr) return false;
        if (op_is_reduction((Op)m->op)) continue;
        for (int k = 0; k < m->nargs; k++) seen[m->arg[k]->id] = true;
    }
    return true;
}

void plan_split(Graph *g) {
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
        map[i] = changed ? simplify_like(g, n, arg) : n;
        if (!op_is_reduction((Op)n->op) || (n->attr & (n->attr - 1)) == 0 || is_flat(g, n)) continue;
        /* the groups of its axes as everything in the graph has them, the last one first */
        AxisSet groups[MAX_AXES + 1];
        Node *now = arg[0];
        for (size_t k = find_groups(g, groups); k-- > 0;)
            if (groups[k] & n->attr) now = graph_reduce(g, (Op)n->op, now, groups[k] & n->attr);
        map[i] = now;
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}
