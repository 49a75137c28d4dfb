/* From an expanded graph to a kernel: its arguments in order, and what is computed where.
 *
 * Arrays of halves (f16, bf16) are widened where they are read and narrowed where they are written:
 * that is a matter of their arguments' types, and no step.
 *
 * What depends on no axis is computed once for a call; the rest for every element. A step that only
 * the slow value of one GUARD needs stands in that guard's block: the place of a step is the
 * innermost block that all its uses are in. */
#include <assert.h>
#include <string.h>

#include "ir.h"

typedef struct Place Place;
struct Place {
    Place *parent;
    int depth;
    PlanBlock *block;
};

static Place *common(Place *p, Place *q) {
    while (p != q)
        if (p->depth >= q->depth)
            p = p->parent;
        else
            q = q->parent;
    return p;
}

static void use(Place **places, const Node *n, Place *at) {
    places[n->id] = places[n->id] ? common(places[n->id], at) : at;
}

static void place_steps(Plan *p) {
    const Graph *g = p->graph;
    Arena *arena = g->arena;
    Place **places = ARENA_ARRAY(arena, Place *, g->nnodes + 1); /* NULL: not needed */
    Place **slow = ARENA_ARRAY(arena, Place *, g->nnodes + 1);   /* of a GUARD: its block */
    Place loop = {NULL, 0, &p->loop}, uniform = {NULL, 0, &p->uniform};
    for (size_t i = 0; i < g->nouts; i++)
        use(places, g->outs[i].node, g->outs[i].node->axes ? &loop : &uniform);
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!places[i]) continue;
        if (n->axes == 0) places[i] = &uniform; /* a GUARD among them computes both sides */
        for (int k = 0; k < n->nargs; k++) {
            Place *at = places[i];
            if (n->op == OP_GUARD && k == 1 && n->axes != 0) {
                slow[i] = ARENA_NEW(arena, Place);
                *slow[i] = (Place){places[i], places[i]->depth + 1, ARENA_NEW(arena, PlanBlock)};
                at = slow[i];
            }
            if (n->arg[k]->axes == 0) at = &uniform;
            use(places, n->arg[k], at);
        }
    }
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!places[i] || n->op == OP_CONST) continue;
        PlanBlock *b = places[i]->block;
        *ARENA_PUSH(arena, b->steps, b->count, b->cap) =
            (PlanStep){n, slow[i] ? slow[i]->block : NULL};
    }
}

/* Of the elements of an array that holds this node's values. */
static Type stored(const Graph *g, const Node *n) {
    return n->type == g->real ? g->storage : (Type)n->type;
}

static void add_args(Plan *p, VarKind kind) {
    const Graph *g = p->graph;
    for (size_t i = 0; i < g->nvars; i++)
        if (g->vars[i].kind == kind)
            p->args[p->nargs++] =
                (PlanArg){g->vars[i].name, stored(g, g->vars[i].node), kind, false, (uint32_t)i};
}

Plan *plan_make(Graph *g, KernelKind kind, const char *symbol) {
    assert(g->expanded);
    Plan *p = ARENA_NEW(g->arena, Plan);
    *p = (Plan){.symbol = arena_strdup(g->arena, symbol), .kind = kind, .graph = g};
    p->args = ARENA_ARRAY(g->arena, PlanArg, g->nvars + g->nouts);
    p->params = ARENA_ARRAY(g->arena, PlanArg, g->nvars);
    for (size_t i = 0; i < g->nvars; i++)
        if (g->vars[i].kind == VAR_PARAM)
            p->params[p->nparams++] = (PlanArg){g->vars[i].name, (Type)g->vars[i].node->type,
                                                VAR_PARAM, false, (uint32_t)i};
    add_args(p, VAR_INPUT);
    add_args(p, VAR_LEARN);
    add_args(p, VAR_COTANGENT);
    for (size_t i = 0; i < g->nouts; i++)
        p->args[p->nargs++] =
            (PlanArg){g->outs[i].name, stored(g, g->outs[i].node), VAR_INPUT, true, (uint32_t)i};
    place_steps(p);
    return p;
}

static const char *type_name(Type t) {
    switch (t) {
    case TYPE_BOOL:
        return "bool";
    case TYPE_I32:
        return "i32";
    case TYPE_I64:
        return "i64";
    case TYPE_F32:
        return "f32";
    case TYPE_F64:
        return "f64";
    case TYPE_F16:
        return "f16";
    case TYPE_BF16:
        return "bf16";
    }
    return "?";
}

static size_t count_slow(const PlanBlock *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->steps[i].slow) n += b->steps[i].slow->count + count_slow(b->steps[i].slow);
    return n;
}

static size_t count_guards(const PlanBlock *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++)
        if (b->steps[i].slow) n += 1 + count_guards(b->steps[i].slow);
    return n;
}

void plan_print(const Plan *p, Buf *out) {
    buf_printf(out, "%s(n", p->symbol);
    for (size_t i = 0; i < p->nparams; i++)
        buf_printf(out, ", %s %s", type_name(p->params[i].type), p->params[i].name);
    for (size_t i = 0; i < p->nargs; i++)
        buf_printf(out, ", %s%s *%s", p->args[i].output ? "" : "const ", type_name(p->args[i].type),
                   p->args[i].name);
    buf_printf(out, ")\n    once: %zu steps\n    for each element: %zu steps\n", p->uniform.count,
               p->loop.count);
    if (count_guards(&p->loop))
        buf_printf(out, "    slow paths: %zu, of %zu steps\n", count_guards(&p->loop),
                   count_slow(&p->loop));
}
