/* A graph over f32 as one that computes in f64 and rounds its results once: math = exact. The bits
 * that f64 has more cover what its functions lose, and its range all that f32 can hold, so neither
 * compensation nor split tails are needed. Constants keep their exact values until they are rounded
 * to f64. */
#include "ir.h"

void promote_graph(Graph *g) {
    const size_t count = g->nnodes;
    const bool *needed = graph_needed(g);
    Node **map = ARENA_ARRAY(g->arena, Node *, count + 1);
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!needed[i]) continue;
        map[i] = n;
        if (n->type == TYPE_F32 && n->op == OP_CONST) {
            map[i] = graph_number(g, TYPE_F64, n->num);
        } else if (n->type == TYPE_F32 && n->nargs == 0) {
            map[i] = graph_op(g, OP_WIDEN, n, NULL, NULL);
        } else if (n->nargs) {
            Node *arg[3] = {NULL, NULL, NULL};
            for (int k = 0; k < n->nargs; k++) arg[k] = map[n->arg[k]->id];
            map[i] = graph_op(g, (Op)n->op, arg[0], arg[1], arg[2]);
        }
    }
    for (size_t i = 0; i < g->nouts; i++) {
        Node *y = map[g->outs[i].node->id];
        const bool wide = g->outs[i].node->type == TYPE_F32 && y->type == TYPE_F64;
        g->outs[i].node = wide ? graph_op(g, OP_NARROW, y, NULL, NULL) : y;
    }
}
