/* From an expanded graph to a kernel: its arguments in order, and its loops (schedule.c).
 *
 * Arrays of halves (f16, bf16) are widened where they are read and narrowed where they are written:
 * that is a matter of their arguments' types, and no step. */
#include <assert.h>
#include <string.h>

#include "schedule.h"

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

/* `..` is the number of rows where other axes have names, and of all elements where none has. */
static void add_sizes(Plan *p) {
    const Graph *g = p->graph;
    AxisSet all = 0;
    for (size_t i = 0; i < g->nvars; i++) all |= g->vars[i].node->axes;
    for (size_t i = 0; i < g->nouts; i++) all |= g->outs[i].axes;
    p->sizes = ARENA_ARRAY(g->arena, PlanSize, g->naxes + 1);
    if (all & AXES_REST)
        p->sizes[p->nsizes++] = (PlanSize){all == AXES_REST ? "n" : "rows", AXES_REST};
    for (size_t i = 0; i < g->naxes; i++)
        if (all >> (i + 1) & 1 && !g->axes[i].size)
            p->sizes[p->nsizes++] = (PlanSize){g->axes[i].name, (AxisSet)2 << i};
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
    add_sizes(p);
    const char *error = schedule(p);
    assert(!error);
    (void)error;
    if (p->elementwise) {
        p->uniform = p->nests[0].passes[0].before;
        p->loop = p->nests[0].passes[0].body;
    }
    return p;
}

bool plan_needs_workspace(const Plan *p) {
    for (size_t i = 0; i < p->nsaved; i++)
        if (p->saved[i]->axes) return true;
    return false;
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

static void print_groups(const Plan *p, const uint8_t *groups, size_t n, Buf *out) {
    const Graph *g = p->graph;
    for (size_t i = 0; i < n; i++) {
        const AxisSet axes = p->groups[groups[i]].axes;
        const char *sign = i ? ", " : "";
        for (unsigned bit = 0; bit <= MAX_AXES; bit++)
            if (axes >> bit & 1) {
                buf_printf(out, "%s%s", sign, bit ? g->axes[bit - 1].name : "..");
                sign = "*";
            }
    }
}

static void print_stores(const Plan *p, const PlanStore *stores, size_t n, Buf *out) {
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i ? ", " : ", stores ", p->args[stores[i].arg].name);
}

static void print_nest(const Plan *p, const PlanNest *nest, Buf *out) {
    int indent = 4;
    if (nest->nouter) {
        buf_puts(out, "    for each ");
        print_groups(p, nest->outer, nest->nouter, out);
        buf_puts(out, nest->across ? ", in vectors of the last\n" : "\n");
        indent = 8;
    }
    for (size_t k = 0; k < nest->npasses; k++) {
        const PlanPass *pass = &nest->passes[k];
        if (pass->before.count) buf_printf(out, "%*sonce: %zu steps\n", indent, "", pass->before.count);
        buf_printf(out, "%*sover ", indent, "");
        print_groups(p, &nest->inner, 1, out);
        buf_printf(out, ": %zu steps", pass->body.count);
        for (size_t i = 0; i < pass->nreductions; i++)
            buf_printf(out, ", %s", op_info[pass->reductions[i]->op].name);
        print_stores(p, pass->stores, pass->nstores, out);
        buf_putc(out, '\n');
        if (count_guards(&pass->body))
            buf_printf(out, "%*sslow paths: %zu, of %zu steps\n", indent + 4, "",
                       count_guards(&pass->body), count_slow(&pass->body));
    }
    if (nest->after.count || nest->nstores) {
        buf_printf(out, "%*sthen: %zu steps", indent, "", nest->after.count);
        print_stores(p, nest->stores, nest->nstores, out);
        buf_putc(out, '\n');
    }
}

void plan_print(const Plan *p, Buf *out) {
    buf_printf(out, "%s(", p->symbol);
    for (size_t i = 0; i < p->nsizes; i++)
        buf_printf(out, "%s%s", i ? ", " : "", p->sizes[i].name);
    for (size_t i = 0; i < p->nparams; i++)
        buf_printf(out, ", %s %s", type_name(p->params[i].type), p->params[i].name);
    for (size_t i = 0; i < p->nargs; i++)
        buf_printf(out, ", %s%s *%s", p->args[i].output ? "" : "const ", type_name(p->args[i].type),
                   p->args[i].name);
    buf_puts(out, ")\n");
    if (p->elementwise) {
        buf_printf(out, "    once: %zu steps\n    for each element: %zu steps\n", p->uniform.count,
                   p->loop.count);
        if (count_guards(&p->loop))
            buf_printf(out, "    slow paths: %zu, of %zu steps\n", count_guards(&p->loop),
                       count_slow(&p->loop));
        return;
    }
    for (size_t i = 0; i < p->nnests; i++) print_nest(p, &p->nests[i], out);
}
