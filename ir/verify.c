/* Checks what every pass must leave behind. */
#include <string.h>

#include "ir.h"

static const char *check_types(const Node *n) {
    const char *sig = op_info[n->op].signature;
    int f = -1, x = -1, i = -1;
    for (int k = 0; k < n->nargs; k++) {
        const int t = n->arg[k]->type;
        switch (sig[k + 1]) {
        case 'f':
            if (!type_is_float((Type)t) || (f >= 0 && f != t))
                return "a float argument of another type";
            f = t;
            break;
        case 'i':
            if (!type_is_int((Type)t) || (i >= 0 && i != t))
                return "an integer argument of another type";
            i = t;
            break;
        case 'x':
            if (x >= 0 && x != t) return "branches of different types";
            x = t;
            break;
        case 'b':
            if (t != TYPE_BOOL) return "a condition that is a number";
            break;
        default:
            break;
        }
    }
    if (sig[0] == 'b' && n->type != TYPE_BOOL) return "a comparison that is a number";
    if (sig[0] == 'x' && n->nargs && n->type != x)
        return "a result of another type than its branches";
    if (sig[0] == 'f' && f >= 0 && n->type != f)
        return "a result of another type than its arguments";
    return NULL;
}

static const char *check_node(const Graph *g, const Node *n, Stage stage) {
    if (n->op >= OP_COUNT) return "an unknown operation";
    if (n->op == OP_BAD)
        return stage >= STAGE_STABLE ? "a mistake that was reported but not stopped" : NULL;
    if (n->op == OP_VAR)
        return n->attr < g->nvars && g->vars[n->attr].node == n ? NULL : "an unknown variable";
    if (n->op == OP_CONST) {
        if (type_is_float((Type)n->type) != (n->num != NULL))
            return "a constant without its number";
        if (stage < STAGE_EXPANDED || !n->num || mpfr_nan_p(n->num)) return NULL;
        NUMBER_TEMP(v, 53);
        fold_decode(v, n->bits, (Type)n->type);
        return mpfr_equal_p(v, n->num) ? NULL : "a constant that its type cannot hold";
    }
    if (n->nargs != op_info[n->op].nargs) return "a wrong number of arguments";
    if (stage >= STAGE_EXPANDED && !op_info[n->op].prim)
        return "an operation that was not expanded";
    AxisSet axes = 0;
    for (int k = 0; k < n->nargs; k++) {
        if (n->arg[k]->id >= n->id) return "an argument that comes after its user";
        axes |= n->arg[k]->axes;
    }
    if (op_is_reduction((Op)n->op)) {
        if (!n->attr || (n->attr & ~axes)) return "a reduction over axes that are not there";
        axes &= ~n->attr;
    } else if (n->op == OP_INDEX) {
        axes = n->attr;
    }
    if (axes != n->axes) return "axes that are not its arguments'";
    if ((n->op == OP_ISHL || n->op == OP_ISHR || n->op == OP_USHR) &&
        (!node_is_const(n->arg[1]) || n->arg[1]->bits >= (n->type == TYPE_I32 ? 32u : 64u)))
        return "a shift by something else than a constant below the width";
    return check_types(n);
}

const char *graph_verify(const Graph *g, Stage stage) {
    bool *needed = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < g->nouts; i++) {
        if (!g->outs[i].node) return "an output without a value";
        if (g->outs[i].node->axes & ~g->outs[i].axes) return "an output with too few axes";
        needed[g->outs[i].node->id] = true;
    }
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (n->id != i) return "a node with a wrong number";
        if (!needed[i]) continue;
        for (int k = 0; k < n->nargs; k++) needed[n->arg[k]->id] = true;
        const char *wrong = check_node(g, n, stage);
        if (wrong) return wrong;
    }
    return NULL;
}
