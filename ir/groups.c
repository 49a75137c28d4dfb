/* Axes that belong together: two neighbours are one group where every value and every reduction has
 * both or neither, and every array has them side by side in the same order. */
#include "schedule.h"

static bool adjacent(const uint8_t *order, size_t rank, unsigned a, unsigned b) {
    for (size_t k = 0; k + 1 < rank; k++)
        if (order[k] == a) return order[k + 1] == b;
    return false;
}

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
        const Output *o = &g->outs[i];
        if (!(o->axes & both)) continue;
        if ((o->axes & both) != both || !adjacent(o->order, o->rank, a, b)) return false;
    }
    for (size_t i = 0; i < g->nvars; i++) {
        const Var *v = &g->vars[i];
        if (!(v->node->axes & both)) continue;
        if ((v->node->axes & both) != both) return false;
        if (!adjacent(v->order, v->rank, a, b)) return false;
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

void plan_split(Graph *g) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
    AxisSet groups[MAX_AXES + 1];
    const size_t ngroups = find_groups(g, groups);
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
        map[i] = n;
        if (!op_is_reduction((Op)n->op)) {
            if (changed) map[i] = graph_like(g, n, arg);
            continue;
        }
        Node *now = arg[0];
        for (size_t k = ngroups; k-- > 0;) /* the last group first */
            if (groups[k] & n->attr) now = graph_reduce(g, (Op)n->op, now, groups[k] & n->attr);
        map[i] = now;
    }
    for (size_t i = 0; i < g->nouts; i++) g->outs[i].node = map[g->outs[i].node->id];
}
