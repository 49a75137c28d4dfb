/* A graph over f32 as one that computes in f64 and rounds its results once: math = exact. The bits
 * that f64 has more cover what its functions lose, and its range all that f32 can hold, so neither
 * compensation nor split tails are needed. Constants keep their exact values until they are rounded
 * to f64.
 *
 * What is stored as a half is rounded twice, to f32 and then to the half. The first rounding is to
 * odd (Boldo, Melquiond, 2008): of two neighbours the one whose last bit is set, so that the second
 * one sees on which side of a tie the f64 was. */
#include "ir.h"

static Node *round_to_odd(Graph *g, Node *wide) {
    Node *near = graph_op(g, OP_NARROW, wide, NULL, NULL);
    Node *back = graph_op(g, OP_ABS, graph_op(g, OP_WIDEN, near, NULL, NULL), NULL, NULL);
    Node *size = graph_op(g, OP_ABS, wide, NULL, NULL),
         *bits = graph_op(g, OP_BITS, near, NULL, NULL);
    Node *one = graph_int(g, TYPE_I32, 1), *zero = graph_int(g, TYPE_I32, 0);
    Node *even = graph_op(g, OP_IEQ, graph_op(g, OP_IAND, bits, one, NULL), zero, NULL);
    /* NaN and what is exact are neither above nor below */
    Node *above = graph_op(g, OP_AND, even, graph_op(g, OP_LT, size, back, NULL), NULL);
    Node *below = graph_op(g, OP_AND, even, graph_op(g, OP_LT, back, size, NULL), NULL);
    bits = graph_op(g, OP_SELECT, above, graph_op(g, OP_ISUB, bits, one, NULL),
                    graph_op(g, OP_SELECT, below, graph_op(g, OP_IADD, bits, one, NULL), bits));
    return graph_op(g, OP_ASFLOAT, bits, NULL, NULL);
}

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
            map[i] = graph_like(g, n, arg);
        }
    }
    for (size_t i = 0; i < g->nouts; i++) {
        Node *y = map[g->outs[i].node->id];
        const bool wide = g->outs[i].node->type == TYPE_F32 && y->type == TYPE_F64;
        if (wide && type_is_half(g->storage)) y = round_to_odd(g, y);
        g->outs[i].node = y->type == TYPE_F64 && wide ? graph_op(g, OP_NARROW, y, NULL, NULL) : y;
    }
}
