/* A checked definition as a graph: calls written out, constants folded (by graph_op), params
 * rounded to the kernel's type. One call with the same arguments is lowered once, and what is still
 * too large is refused.
 *
 * Beside its node, a value carries whether it varies as written, that is, whether an input or a
 * learnable occurs in it: by that, and not by what folding leaves, the ties of min and max are
 * decided. */
#include "frontend.h"

#include <string.h>

typedef struct {
    Node *node;
    bool varies;
    AxisSet axes; /* as written: folding may leave the node fewer */
} Value;

/* What an axis of a definition is in the graph: `..` may be several. */
typedef struct {
    const char *name;
    AxisSet set;
} AxisName;

/* A definition being written out. */
typedef struct Frame Frame;
struct Frame {
    const Def *d;
    Value *slots;
    const Value *inputs; /* of a pipeline, which has no slots for them */
    AxisName *axes;
    size_t naxes;
    const Frame *up;
    Span call; /* in up->d */
};

typedef struct {
    const Def *d;
    const Value *args; /* inputs, then params */
    size_t count;
    Value result;
} Memo;

typedef struct {
    Graph *g;
    Arena *arena;
    const Module *m;
    Diags *diags;
    const Def *root;
    Memo *memo; /* open addressing; cap is a power of two */
    size_t memo_count, memo_cap;
    unsigned steps, depth;
    bool failed;                  /* an error was reported: everything is bad from here */
    const char *last[LIMIT_AXES]; /* of the root's inputs without axes: the last ones, which calls
                                     need by name; the rest is `..` */
    unsigned nlast;
    bool again;   /* more of these are needed: begin again */
    bool reduces; /* something does: the result need not have all axes of the inputs */
} Lowering;

static Value lower(Lowering *l, const Frame *f, const Expr *e);

/* ---- errors ---- */

static Value bad_value(Lowering *l, Kind kind) {
    l->failed = true;
    return (Value){.node = graph_bad(l->g, kind == KIND_CONDITION ? TYPE_BOOL : l->g->real),
                   .varies = true};
}

#define REPORT(l, f, span, ...)                                                                    \
    (diag_report((l)->diags, source_loc((l)->diags, (f)->d->source, (span)), __VA_ARGS__),         \
     note_calls((l), (f)))

static void note_calls(Lowering *l, const Frame *f) {
    enum { MOST = 6 };
    l->failed = true;
    for (int i = 0; f->up && i < MOST; i++, f = f->up)
        if (f->call.end > f->call.begin)
            diag_report(l->diags, source_loc(l->diags, f->up->d->source, f->call),
                        DIAG_NOTE_IN_CALL, def_name(f->d));
}

static Value unsupported(Lowering *l, const Frame *f, Span span, const char *what) {
    REPORT(l, f, span, DIAG_UNSUPPORTED, what);
    return bad_value(l, KIND_NUMBER);
}

/* ---- operations ---- */

static Value apply(Lowering *l, Op op, Value a, Value b) {
    Node *n = graph_op(l->g, op, a.node, b.node, NULL);
    return (Value){n, a.varies || b.varies, a.axes | b.axes};
}

static Value apply1(Lowering *l, Op op, Value a) {
    return (Value){graph_op(l->g, op, a.node, NULL, NULL), a.varies, a.axes};
}

/* MAX and MIN give their derivative at a tie to their first argument. In the language a tie of max
 * goes to the constant side, else to the first; a tie of min to the side that is not constant, else
 * to the second. */
static Value apply_extreme(Lowering *l, Op op, Value a, Value b) {
    const bool swap = op == OP_MAX ? a.varies && !b.varies : !a.varies || b.varies;
    return swap ? apply(l, op, b, a) : apply(l, op, a, b);
}

static Value apply_op(Lowering *l, Op op, const Value *args, size_t n) {
    if (op == OP_MIN || op == OP_MAX) {
        Value v = args[0];
        for (size_t i = 1; i < n; i++) v = apply_extreme(l, op, v, args[i]);
        return v;
    }
    Value v = {.varies = false};
    for (size_t i = 0; i < n; i++) {
        v.varies = v.varies || args[i].varies;
        v.axes |= args[i].axes;
    }
    v.node =
        graph_op(l->g, op, args[0].node, n > 1 ? args[1].node : NULL, n > 2 ? args[2].node : NULL);
    return v;
}

static Value choose(Lowering *l, Value c, Value a, Value b) {
    Graph *g = l->g;
    Node *n;
    if (node_is_const(c.node)) {
        n = c.node->bits ? a.node : b.node;
    } else if (a.node->type == TYPE_BOOL) { /* of conditions it is logic */
        Node *yes = graph_op(g, OP_AND, c.node, a.node, NULL);
        Node *no = graph_op(g, OP_AND, graph_op(g, OP_NOT, c.node, NULL, NULL), b.node, NULL);
        n = graph_op(g, OP_OR, yes, no, NULL);
    } else {
        n = graph_op(g, OP_COND, c.node, a.node, b.node);
    }
    return (Value){n, a.varies || b.varies || c.varies, a.axes | b.axes | c.axes};
}

/* ---- calls ---- */

static Value call_def(Lowering *l, const Frame *up, Span span, const Def *d, const Value *args,
                      const Call *call);

/* The value of a param as part of the kernel: a number is rounded to the kernel's type. */
static Value fix_param(Lowering *l, const Frame *f, Span span, const Param *p, Value v) {
    if (l->failed) return bad_value(l, p->kind);
    const Node *n = v.node;
    if (!node_is_const(n) || (n->num && mpfr_nan_p(n->num))) {
        REPORT(l, f, span, DIAG_NO_VALUE, p->name);
        return bad_value(l, p->kind);
    }
    if (!n->num) return (Value){.node = v.node};
    NUMBER_TEMP(rounded, NUMBER_BITS);
    fold_decode(rounded, fold_encode(n->num, l->g->real), l->g->real);
    return (Value){.node = graph_number(l->g, l->g->real, rounded)};
}

static Value default_param(Lowering *l, const Frame *up, Span call, const Def *d, const Param *p) {
    /* A default sees no local names. */
    const Frame f = {.d = d, .up = up, .call = call};
    return fix_param(l, &f, p->value->span, p, lower(l, &f, p->value));
}

/* A call or a stage; `flow` are the values that come from outside: through the arrow, or the inputs
 * of a pipeline. */
static Value lower_call(Lowering *l, const Frame *f, const Expr *e, const Value *flow,
                        size_t nflow) {
    const Call *call = e->call;
    if (call->ref.kind == REF_OP) {
        size_t n = nflow;
        for (const Arg *a = call->args; a; a = a->next) n++;
        Value *args = ARENA_ARRAY(l->arena, Value, n);
        for (size_t i = 0; i < nflow; i++) args[i] = flow[i];
        n = nflow;
        for (const Arg *a = call->args; a; a = a->next) args[n++] = lower(l, f, a->value);
        return l->failed ? bad_value(l, KIND_NUMBER) : apply_op(l, call->ref.op, args, n);
    }
    if (call->ref.kind == REF_RANDOM)
        return unsupported(l, f, e->span, "uniform() and normal() are");
    if (call->ref.kind != REF_DEF || !call->bound) return bad_value(l, KIND_NUMBER);
    const Def *d = call->ref.def;
    Value *args = ARENA_ARRAY(l->arena, Value, (size_t)d->ninputs + d->nparams);
    for (uint32_t i = 0; i < d->ninputs; i++)
        args[i] = i < nflow ? flow[i] : lower(l, f, call->bound[i]);
    for (uint32_t i = 0; i < d->nparams && !l->failed; i++) {
        const Expr *value = call->bound[d->ninputs + i];
        if (d->params[i].learn) continue; /* made where its axes are known */
        args[d->ninputs + i] = value
                                   ? fix_param(l, f, value->span, &d->params[i], lower(l, f, value))
                                   : default_param(l, f, e->span, d, &d->params[i]);
    }
    return l->failed ? bad_value(l, KIND_NUMBER) : call_def(l, f, e->span, d, args, call);
}

static Value lower_pipe(Lowering *l, const Frame *f, const Expr *e) {
    Value flow = {.node = NULL};
    for (uint32_t i = 0; i < e->count && !l->failed; i++) {
        if (i > 0)
            flow = lower_call(l, f, e->items[i], &flow, 1);
        else if (e->op)
            flow = lower_call(l, f, e->items[i], f->inputs, f->d->ninputs);
        else
            flow = lower(l, f, e->items[i]);
    }
    return l->failed ? bad_value(l, KIND_NUMBER) : flow;
}

/* ---- expressions ---- */

static Value lower_name(Lowering *l, const Frame *f, const Expr *e) {
    if (e->ref.kind == REF_LOCAL) return f->slots[e->ref.slot];
    if (e->ref.kind == REF_DEF) return call_def(l, f, e->span, e->ref.def, NULL, NULL);
    if (e->ref.kind != REF_CONSTANT) return bad_value(l, KIND_NUMBER);
    NUMBER_TEMP(v, NUMBER_BITS);
    switch ((Constant)e->ref.slot) {
    case CONSTANT_PI:
        mpfr_const_pi(v, MPFR_RNDN);
        break;
    case CONSTANT_E:
        mpfr_set_ui(v, 1, MPFR_RNDN);
        mpfr_exp(v, v, MPFR_RNDN);
        break;
    case CONSTANT_INF:
        mpfr_set_inf(v, 1);
        break;
    }
    return (Value){.node = graph_number(l->g, l->g->real, v)};
}

static Value lower_number(Lowering *l, const Expr *e) {
    NUMBER_TEMP(v, NUMBER_BITS);
    number_value(e->text, v);
    return (Value){.node = graph_number(l->g, l->g->real, v)};
}

static Value compare(Lowering *l, Operator op, Value a, Value b) {
    switch (op) {
    case OPERATOR_LT:
        return apply(l, OP_LT, a, b);
    case OPERATOR_LE:
        return apply(l, OP_LE, a, b);
    case OPERATOR_GT:
        return apply(l, OP_LT, b, a);
    case OPERATOR_GE:
        return apply(l, OP_LE, b, a);
    case OPERATOR_EQ:
        return apply(l, OP_EQ, a, b);
    case OPERATOR_NE:
        return apply(l, OP_NE, a, b);
    case OPERATOR_PIPE:
    case OPERATOR_COND:
    case OPERATOR_OR:
    case OPERATOR_AND:
    case OPERATOR_NOT:
    case OPERATOR_ADD:
    case OPERATOR_SUB:
    case OPERATOR_MUL:
    case OPERATOR_DIV:
    case OPERATOR_NEG:
    case OPERATOR_POS:
    case OPERATOR_POW:
    case OPERATOR_ROOT:
    case OPERATOR_COUNT:
        break;
    }
    return bad_value(l, KIND_CONDITION);
}

static Value lower_operator(Lowering *l, const Frame *f, const Expr *e) {
    const Value a = lower(l, f, e->arg[0]);
    const Value b = e->kind == EXPR_BINARY ? lower(l, f, e->arg[1]) : a;
    if (l->failed) return bad_value(l, KIND_NUMBER);
    switch ((Operator)e->op) {
    case OPERATOR_OR:
        return apply(l, OP_OR, a, b);
    case OPERATOR_AND:
        return apply(l, OP_AND, a, b);
    case OPERATOR_NOT:
        return apply1(l, OP_NOT, a);
    case OPERATOR_ADD:
        return apply(l, OP_ADD, a, b);
    case OPERATOR_SUB:
        return apply(l, OP_SUB, a, b);
    case OPERATOR_MUL:
        return apply(l, OP_MUL, a, b);
    case OPERATOR_DIV:
        return apply(l, OP_DIV, a, b);
    case OPERATOR_POW:
        return apply(l, OP_POW, a, b);
    case OPERATOR_NEG:
        return apply1(l, OP_NEG, a);
    case OPERATOR_POS:
        return a;
    case OPERATOR_ROOT:
        return apply1(l, OP_SQRT, a);
    case OPERATOR_PIPE:
    case OPERATOR_COND:
    case OPERATOR_LT:
    case OPERATOR_LE:
    case OPERATOR_GT:
    case OPERATOR_GE:
    case OPERATOR_EQ:
    case OPERATOR_NE:
    case OPERATOR_COUNT:
        break;
    }
    return bad_value(l, KIND_NUMBER);
}

/* a < b < c is a < b and b < c, with b computed once. */
static Value lower_comparison(Lowering *l, const Frame *f, const Expr *e) {
    Value last = lower(l, f, e->items[0]), all = {.node = NULL};
    for (uint32_t i = 1; i < e->count && !l->failed; i++) {
        const Value next = lower(l, f, e->items[i]);
        if (l->failed) break;
        const Value one = compare(l, (Operator)e->ops[i - 1], last, next);
        all = all.node ? apply(l, OP_AND, all, one) : one;
        last = next;
    }
    return l->failed ? bad_value(l, KIND_CONDITION) : all;
}

static AxisSet find_axis(const Frame *f, const char *name) {
    for (size_t i = 0; i < f->naxes; i++)
        if (strcmp(f->axes[i].name, name) == 0) return f->axes[i].set;
    return 0;
}

static Value lower_reduction(Lowering *l, const Frame *f, const Expr *e) {
    const Call *call = e->call;
    Value v = lower(l, f, call->args->value);
    if (l->failed) return v;
    AxisSet axes = 0;
    for (const Axis *a = call->axes; a; a = a->next)
        axes |= strcmp(a->name, "*") == 0 ? v.axes : find_axis(f, a->name);
    if (!(axes & v.axes)) {
        REPORT(l, f, e->span, DIAG_AXIS_ABSENT, call->name, call->axes->name);
        return bad_value(l, KIND_NUMBER);
    }
    Graph *g = l->g;
    l->reduces = true;
    switch ((Reduction)call->ref.slot) {
    case REDUCTION_SUM:
        v.node = graph_reduce(g, OP_SUM, v.node, axes);
        break;
    case REDUCTION_MEAN: {
        Node *sum = graph_reduce(g, OP_SUM, v.node, axes);
        v.node = graph_op(g, OP_DIV, sum, graph_elements(g, g->real, axes), NULL);
        break;
    }
    case REDUCTION_MAX:
        v.node = graph_reduce(g, OP_LARGEST, v.node, axes);
        break;
    case REDUCTION_MIN:
        v.node = graph_reduce(g, OP_SMALLEST, v.node, axes);
        break;
    case REDUCTION_PROD:
        v.node = graph_reduce(g, OP_PROD, v.node, axes);
        break;
    }
    v.axes &= ~axes;
    return v;
}

static Value lower_branches(Lowering *l, const Frame *f, const Expr *e) {
    const Value c = lower(l, f, e->arg[0]), a = lower(l, f, e->arg[1]), b = lower(l, f, e->arg[2]);
    return l->failed ? bad_value(l, KIND_NUMBER) : choose(l, c, a, b);
}

static Value lower_expr(Lowering *l, const Frame *f, const Expr *e) {
    switch ((ExprKind)e->kind) {
    case EXPR_BAD:
        break;
    case EXPR_NUMBER:
        return lower_number(l, e);
    case EXPR_TRUTH:
        return (Value){.node = graph_bool(l->g, e->truth)};
    case EXPR_NAME:
        return lower_name(l, f, e);
    case EXPR_UNARY:
    case EXPR_BINARY:
        return lower_operator(l, f, e);
    case EXPR_COMPARE:
        return lower_comparison(l, f, e);
    case EXPR_COND:
        return lower_branches(l, f, e);
    case EXPR_CALL:
        return lower_call(l, f, e, NULL, 0);
    case EXPR_REDUCE:
        return lower_reduction(l, f, e);
    case EXPR_PIPE:
        return lower_pipe(l, f, e);
    }
    return bad_value(l, KIND_NUMBER);
}

static Value lower(Lowering *l, const Frame *f, const Expr *e) {
    if (l->failed) return bad_value(l, KIND_NUMBER);
    if (++l->steps > LIMIT_STEPS || l->g->nnodes > LIMIT_NODES) {
        const Span span =
            l->root->name_span.end > l->root->name_span.begin ? l->root->name_span : l->root->span;
        REPORT(l, &(Frame){.d = l->root}, span, DIAG_TOO_LARGE, def_called(l->root, l->arena),
               LIMIT_NODES);
        return bad_value(l, KIND_NUMBER);
    }
    if (l->depth == LIMIT_INLINE_DEPTH) {
        REPORT(l, f, e->span, DIAG_INLINE_DEPTH, def_called(l->root, l->arena), LIMIT_INLINE_DEPTH);
        return bad_value(l, KIND_NUMBER);
    }
    l->depth++;
    const Value v = lower_expr(l, f, e);
    l->depth--;
    return v;
}

/* ---- definitions ---- */

/* ---- axes ---- */

/* The axes of a value, from the outermost: as its array has them, else in the order of the graph.
 */
static size_t ordered_axes(const Graph *g, Value v, AxisSet *out) {
    size_t n = 0;
    if (v.node->op == OP_VAR && v.node->axes == v.axes) {
        const Var *var = &g->vars[v.node->attr];
        for (; n < var->rank; n++) out[n] = (AxisSet)1 << var->order[n];
        return n;
    }
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (v.axes >> bit & 1) out[n++] = (AxisSet)1 << bit;
    return n;
}

static bool bind_axis(Lowering *l, const Frame *f, const Axis *a, AxisSet set) {
    Frame *frame = (Frame *)f;
    for (size_t i = 0; i < f->naxes; i++)
        if (strcmp(f->axes[i].name, a->name) == 0) {
            if (f->axes[i].set == set) return true;
            REPORT(l, f, a->span, DIAG_AXIS_DIFFERS, a->name, def_name(f->d));
            return false;
        }
    frame->axes[frame->naxes++] = (AxisName){a->name, set};
    return true;
}

/* The inputs of the whole function that have no axes get one more, in front of those that they
 * have: everything is lowered once more. */
static bool need_axis(Lowering *l, const Frame *f, const Axis *a) {
    bool open = l->nlast < LIMIT_AXES;
    for (uint32_t i = 0; i < l->root->ninputs; i++) open = open && !l->root->inputs[i].axes;
    if (open) {
        for (unsigned i = l->nlast++; i > 0; i--) l->last[i] = l->last[i - 1];
        l->last[0] = a->name;
        l->again = l->failed = true;
    } else {
        REPORT(l, f, a->span, DIAG_AXIS_MISSING, a->name, def_name(f->d));
    }
    return false;
}

/* Axes of an input are those of its argument, aligned at the right; `..` stands for what is left.
 */
static bool bind_input(Lowering *l, const Frame *f, const Input *in, Value arg) {
    AxisSet have[MAX_AXES + 1];
    const size_t n = ordered_axes(l->g, arg, have);
    const Axis *formal[LIMIT_AXES + 1];
    size_t count = 0, rest = SIZE_MAX, left = 0, right = n;
    for (const Axis *a = in->axes; a; a = a->next) {
        if (strcmp(a->name, "..") == 0) rest = count;
        formal[count++] = a;
    }
    const bool open = rest != SIZE_MAX;
    for (size_t k = count; k-- > (open ? rest + 1 : 0);) {
        const bool last = !open && k == 0 && right == 1; /* x[n, c] of [.., d]: n is `..` */
        if (right == left || (have[right - 1] == AXES_REST && !last))
            return need_axis(l, f, formal[k]);
        if (!bind_axis(l, f, formal[k], have[--right])) return false;
    }
    for (size_t k = 0; open && k < rest; k++) {
        if (left == right || have[left] == AXES_REST) {
            REPORT(l, f, formal[k]->span, DIAG_AXIS_MISSING, formal[k]->name, def_name(f->d));
            return false;
        }
        if (!bind_axis(l, f, formal[k], have[left++])) return false;
    }
    AxisSet others = 0;
    for (size_t k = left; k < right; k++) others |= have[k];
    if (open) return bind_axis(l, f, formal[rest], others);
    if (!others) return true;
    REPORT(l, f, in->span, DIAG_AXES_LEFT, in->name, def_name(f->d), (int)count);
    return false;
}

/* All named axes of the definition are in the frame, in order of first appearance: those that no
 * input binds are new. Sizes that a stage gives become those of the axes. */
static void bind_axes(Lowering *l, const Frame *f, const Value *args, const Call *call) {
    const Def *d = f->d;
    for (uint32_t i = 0; i < d->ninputs && !l->failed; i++)
        if (d->inputs[i].axes) bind_input(l, f, &d->inputs[i], args[i]);
    size_t index = 0;
    const char *seen[LIMIT_AXES];
    for (uint32_t i = 0; i < d->ninputs + d->nparams && !l->failed; i++) {
        const Axis *a = i < d->ninputs ? d->inputs[i].axes : d->params[i - d->ninputs].axes;
        for (; a && !l->failed; a = a->next) {
            if (strcmp(a->name, "..") == 0) continue;
            bool first = true;
            for (size_t k = 0; k < index; k++) first = first && strcmp(seen[k], a->name) != 0;
            if (!first) continue;
            const uint64_t size = call && call->sizes ? call->sizes[index] : 0;
            seen[index++] = a->name;
            AxisSet set = find_axis(f, a->name);
            if (!set) {
                set = graph_axis(l->g, a->name, size);
                if (!set) REPORT(l, f, a->span, DIAG_AXES_TOO_MANY, MAX_AXES);
                if (set) bind_axis(l, f, a, set);
            } else if (size && set != AXES_REST) {
                NamedAxis *axis = &l->g->axes[__builtin_ctz(set) - 1];
                axis->size = size;
            }
        }
    }
}

/* A learnable of this call: an array of its own. */
static Value make_learnable(Lowering *l, const Frame *f, const Param *p) {
    AxisSet order[MAX_AXES + 1], axes = 0;
    size_t n = 0;
    for (const Axis *a = p->axes; a; a = a->next) {
        order[n] = find_axis(f, a->name);
        axes |= order[n++];
    }
    Node *node = graph_array(l->g, VAR_LEARN, p->name, l->g->real, order, n);
    if (p->value && !l->failed) {
        const Frame outside = {.d = f->d, .up = f->up, .call = f->call};
        const Value v = lower(l, &outside, p->value);
        if (node_is_const(v.node)) l->g->vars[node->attr].init = v.node;
    }
    return (Value){node, true, axes};
}

/* Arguments and `where` names. With `stop`, those that have a `grad` clause carry no derivative of
 * their own. */
static void fill_slots(Lowering *l, const Frame *f, const Value *args, bool stop) {
    const Def *d = f->d;
    uint32_t n = 0;
    if (d->has_list)
        for (uint32_t i = 0; i < d->ninputs + d->nparams; i++) f->slots[n++] = args[i];
    for (uint32_t i = 0; stop && i < d->ngrads; i++) {
        Value *v = &f->slots[d->grads[i].slot];
        v->node = graph_op(l->g, OP_STOP, v->node, NULL, NULL);
    }
    for (uint32_t i = 0; i < d->nwheres; i++) f->slots[n++] = lower(l, f, d->wheres[i].value);
}

static size_t count_axes(const Def *d) {
    size_t n = 0;
    for (uint32_t i = 0; i < d->ninputs; i++)
        for (const Axis *a = d->inputs[i].axes; a; a = a->next) n++;
    for (uint32_t i = 0; i < d->nparams; i++)
        for (const Axis *a = d->params[i].axes; a; a = a->next) n++;
    return n;
}

static Value lower_def(Lowering *l, const Frame *up, Span span, const Def *d, const Value *given,
                       const Call *call) {
    Value *slots = ARENA_ARRAY(l->arena, Value, def_slots(d)), *args = NULL;
    Frame f = {.d = d, .slots = slots, .inputs = given, .up = up, .call = span};
    f.axes = ARENA_ARRAY(l->arena, AxisName, count_axes(d) + 1);
    if (d->kind == DEF_FUNCTION) {
        bind_axes(l, &f, given, call);
        args = ARENA_ARRAY(l->arena, Value, (size_t)d->ninputs + d->nparams);
        for (uint32_t i = 0; i < d->ninputs + d->nparams && !l->failed; i++)
            args[i] = i >= d->ninputs && d->params[i - d->ninputs].learn
                          ? make_learnable(l, &f, &d->params[i - d->ninputs])
                          : given[i];
    }
    if (l->failed) return bad_value(l, KIND_NUMBER);
    fill_slots(l, &f, args, true);
    Value v = lower(l, &f, d->body);
    if (d->ngrads == 0 || l->failed) return v;
    /* The clauses see the inputs themselves, not what the body sees of them. */
    fill_slots(l, &f, args, false);
    for (uint32_t i = 0; i < d->ngrads; i++) {
        const Value e = lower(l, &f, d->grads[i].value);
        if (l->failed) break;
        const Value x = slots[d->grads[i].slot];
        if ((x.axes | e.axes) & ~v.axes)
            return unsupported(
                l, &f, d->grads[i].span,
                "derivatives that are given for axes that the value does not have are");
        v.node = graph_op(l->g, OP_CUSTOM, v.node, x.node, e.node);
        v.varies = v.varies || e.varies;
    }
    return v;
}

static uint64_t hash_call(const Def *d, const Value *args, size_t n) {
    uint64_t h = hash_bytes(&d, sizeof d, 0);
    for (size_t i = 0; i < n; i++)
        h = hash_bytes(&args[i].node, sizeof args[i].node, h) + args[i].varies;
    return h;
}

static bool same_call(const Memo *m, const Def *d, const Value *args, size_t n) {
    if (m->d != d || m->count != n) return false;
    for (size_t i = 0; i < n; i++)
        if (m->args[i].node != args[i].node || m->args[i].varies != args[i].varies) return false;
    return true;
}

static Memo *find_call(const Lowering *l, const Def *d, const Value *args, size_t n) {
    size_t at = hash_call(d, args, n) & (l->memo_cap - 1);
    while (l->memo[at].d && !same_call(&l->memo[at], d, args, n)) at = (at + 1) & (l->memo_cap - 1);
    return &l->memo[at];
}

static void grow_memo(Lowering *l) {
    const Memo *old = l->memo;
    const size_t cap = l->memo_cap;
    l->memo_cap = cap ? cap * 2 : 64;
    l->memo = ARENA_ARRAY(l->arena, Memo, l->memo_cap);
    for (size_t i = 0; i < cap; i++)
        if (old[i].d) *find_call(l, old[i].d, old[i].args, old[i].count) = old[i];
}

static Value call_def(Lowering *l, const Frame *up, Span span, const Def *d, const Value *args,
                      const Call *call) {
    if (d->bad) return bad_value(l, KIND_NUMBER);
    const size_t n = d->kind == DEF_CONSTANT ? 0 : (size_t)d->ninputs + d->nparams;
    /* each call has learnables and random numbers of its own */
    if (d->varies) return lower_def(l, up, span, d, args, call);
    if (2 * l->memo_count >= l->memo_cap) grow_memo(l);
    const Memo *known = find_call(l, d, args, n);
    if (known->d) return known->result;
    const Value result = lower_def(l, up, span, d, args, call);
    if (2 * l->memo_count >= l->memo_cap) grow_memo(l);
    *find_call(l, d, args, n) = (Memo){d, args, n, result};
    l->memo_count++;
    return result;
}

/* ---- settings ---- */

static const Source *setting_source(Lowering *l, const Setting *s, bool value) {
    Buf name, text;
    buf_init(&name, l->diags->arena);
    buf_init(&text, l->diags->arena);
    buf_puts(&name, "--set");
    if (value) buf_printf(&name, " %s", s->name);
    if (!value) buf_printf(&text, "%s=", s->name);
    buf_puts(&text, s->value);
    Source *source = ARENA_NEW(l->diags->arena, Source);
    *source = (Source){.name = name.s, .text = text.s, .len = text.len};
    return source;
}

static Value read_setting(Lowering *l, const Setting *s, const Param *p) {
    Intern names; /* the module's may be in use by another thread */
    intern_init(&names, l->arena);
    Def *d = parse_expression(l->arena, &names, l->diags, setting_source(l, s, true));
    if (!d) return bad_value(l, p->kind);
    d->has_list = true;
    if (!check_constant(l->m, l->arena, l->diags, d, p->kind, p->name))
        return bad_value(l, p->kind);
    Value *slots = ARENA_ARRAY(l->arena, Value, def_slots(d));
    const Frame f = {.d = d, .slots = slots};
    for (uint32_t i = 0; i < d->nwheres; i++) slots[i] = lower(l, &f, d->wheres[i].value);
    return fix_param(l, &f, d->body->span, p, lower(l, &f, d->body));
}

/* The settings must be params of the function, each set once. */
static void check_settings(Lowering *l, const Setting *settings, size_t n) {
    const Def *d = l->root;
    for (size_t i = 0; i < n; i++) {
        const char *name = settings[i].name, *best = NULL;
        const Param *found = NULL;
        bool twice = false, input = false;
        for (uint32_t k = 0; k < d->nparams; k++) {
            if (strcmp(d->params[k].name, name) == 0) found = &d->params[k];
            if (!d->params[k].learn) best = diag_nearer(name, d->params[k].name, best);
        }
        for (uint32_t k = 0; k < d->ninputs; k++)
            input = input || strcmp(d->inputs[k].name, name) == 0;
        for (size_t k = 0; k < i; k++) twice = twice || strcmp(settings[k].name, name) == 0;
        if (found && !found->learn && !twice) continue;
        l->failed = true;
        const Loc loc = source_loc(l->diags, setting_source(l, &settings[i], false),
                                   (Span){0, (uint32_t)strlen(name)});
        Buf hint;
        buf_init(&hint, l->arena);
        if (best) buf_printf(&hint, "; did you mean '%s'?", best);
        if (twice)
            diag_report(l->diags, loc, DIAG_SETTING_TWICE, name);
        else if (found)
            diag_report(l->diags, loc, DIAG_SETTING_LEARN, name, def_called(d, l->arena));
        else if (input)
            diag_report(l->diags, loc, DIAG_SETTING_INPUT, name, def_called(d, l->arena));
        else
            diag_report(l->diags, loc, DIAG_SETTING_UNKNOWN, def_called(d, l->arena), name, hint.s);
    }
}

/* ---- the function ---- */

static Value root_param(Lowering *l, const Param *p, const Setting *settings, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(settings[i].name, p->name) == 0) return read_setting(l, &settings[i], p);
    if (p->learn) return (Value){.node = NULL};
    if (p->value) return default_param(l, NULL, (Span){0, 0}, l->root, p);
    REPORT(l, &(Frame){.d = l->root}, p->span, DIAG_MISSING_PARAM, p->name, def_name(l->root));
    return bad_value(l, p->kind);
}

typedef struct {
    const Setting *items;
    size_t count;
} Settings;

static bool has_input(const Def *d, const char *name) {
    for (uint32_t i = 0; i < d->ninputs; i++)
        if (strcmp(d->inputs[i].name, name) == 0) return true;
    return false;
}

/* An input of the whole function, with axes of its own where it names them. */
static Value root_input(Lowering *l, const Input *in) {
    AxisSet order[MAX_AXES + 1] = {AXES_REST}, axes = 0;
    size_t n = 0;
    if (!in->axes) {
        n = 1 + l->nlast;
        for (unsigned i = 0; i < l->nlast; i++) order[1 + i] = (AxisSet)2 << i; /* the first axes */
    }
    for (const Axis *a = in->axes; a; a = a->next) {
        AxisSet bit = strcmp(a->name, "..") == 0 ? AXES_REST : 0;
        for (size_t i = 0; i < l->g->naxes && !bit; i++)
            if (strcmp(l->g->axes[i].name, a->name) == 0) bit = (AxisSet)2 << i;
        order[n++] = bit ? bit : graph_axis(l->g, a->name, 0);
    }
    for (size_t i = 0; i < n; i++) axes |= order[i];
    return (Value){graph_array(l->g, VAR_INPUT, in->name, l->g->real, order, n), true, axes};
}

/* What clashes gets the number of its place among those that clash: W1, b1, W2, b2. */
static const char *numbered(Lowering *l, const char *name, size_t number) {
    Buf b;
    buf_init(&b, l->arena);
    buf_printf(&b, "%s%zu", name, number);
    return b.s;
}

static void rename_clashes(Lowering *l) {
    Graph *g = l->g;
    const char **before = ARENA_ARRAY(l->arena, const char *, g->nvars + g->naxes);
    for (size_t i = 0; i < g->nvars; i++) before[i] = g->vars[i].name;
    for (size_t i = 0; i < g->naxes; i++) before[g->nvars + i] = g->axes[i].name;
    for (size_t i = 0; i < g->nvars; i++) {
        size_t same = 0, place = 0;
        for (size_t k = 0; k < g->nvars; k++)
            if (strcmp(before[k], before[i]) == 0) {
                same++;
                place += k <= i;
            }
        if (same > 1 && g->vars[i].kind == VAR_LEARN)
            g->vars[i].name = numbered(l, before[i], place);
    }
    for (size_t i = 0; i < g->naxes; i++) {
        size_t same = 0, place = 0;
        for (size_t k = 0; k < g->naxes; k++)
            if (strcmp(before[g->nvars + k], before[g->nvars + i]) == 0) {
                same++;
                place += k <= i;
            }
        if (same > 1) g->axes[i].name = numbered(l, before[g->nvars + i], place);
    }
}

static bool lower_once(Lowering *l, const Settings *settings) {
    const Def *d = l->root;
    for (unsigned i = 0; i < l->nlast; i++) graph_axis(l->g, l->last[i], 0);
    Value *args = ARENA_ARRAY(l->arena, Value, (size_t)d->ninputs + d->nparams);
    AxisSet all = 0;
    for (uint32_t i = 0; i < d->ninputs; i++) {
        args[i] = root_input(l, &d->inputs[i]);
        all |= args[i].axes;
    }
    for (uint32_t i = 0; i < d->nparams; i++)
        args[d->ninputs + i] = root_param(l, &d->params[i], settings->items, settings->count);
    const Value y =
        l->failed ? bad_value(l, KIND_NUMBER) : call_def(l, NULL, (Span){0, 0}, d, args, NULL);
    if (l->failed) return false;
    graph_output_over(l->g,
                      !has_input(d, "y")   ? "y"
                      : !has_input(d, "z") ? "z"
                                           : "out",
                      y.node, l->reduces ? y.axes : y.axes | all);
    graph_drop_unused(l->g, VAR_LEARN);
    rename_clashes(l);
    return true;
}

static Graph *lower_root(Arena *arena, const Module *m, const Def *d, Type real,
                         const Setting *settings, size_t nsettings, Diags *diags, bool constants) {
    Lowering l = {.g = graph_new(arena, def_name(d), real),
                  .arena = arena,
                  .m = m,
                  .diags = diags,
                  .root = d};
    const Frame root = {.d = d};
    const Span name = d->name_span.end > d->name_span.begin ? d->name_span : d->span;
    if (d->bad) return NULL;
    if (d->ninputs == 0 && !constants) {
        REPORT(&l, &root, name, DIAG_NO_INPUTS, def_called(d, arena));
        return NULL;
    }
    check_settings(&l, settings, nsettings);
    if (l.failed) return NULL;
    while (!lower_once(&l, &(Settings){settings, nsettings})) {
        if (!l.again) return NULL;
        Lowering next = {.g = graph_new(arena, def_name(d), real),
                         .arena = arena,
                         .m = m,
                         .diags = diags,
                         .root = d,
                         .steps = l.steps,
                         .nlast = l.nlast};
        memcpy(next.last, l.last, sizeof next.last);
        l = next;
    }
    return l.g;
}

Graph *frontend_lower(Arena *arena, const Module *m, const Def *d, Type real,
                      const Setting *settings, size_t nsettings, Diags *diags) {
    return lower_root(arena, m, d, real, settings, nsettings, diags, false);
}

Graph *frontend_lower_value(Arena *arena, const Module *m, const Def *d, Type real,
                            const Setting *settings, size_t nsettings, Diags *diags) {
    return lower_root(arena, m, d, real, settings, nsettings, diags, true);
}

/* Another value than the default, of the same sign and about as large. */
static Value vary_param(Lowering *l, const Param *p, Value v, Buf *said) {
    if (!v.node->num) {
        buf_printf(said, ", %s = %s", p->name, v.node->bits ? "false" : "true");
        return (Value){.node = graph_bool(l->g, !v.node->bits)};
    }
    NUMBER_TEMP(number, NUMBER_BITS);
    if (mpfr_zero_p(v.node->num))
        mpfr_set_d(number, 0.4375, MPFR_RNDN);
    else
        mpfr_mul_d(number, v.node->num, 1.25, MPFR_RNDN);
    buf_printf(said, ", %s = %.4g", p->name, mpfr_get_d(number, MPFR_RNDN));
    return (Value){.node = graph_number(l->g, l->g->real, number)};
}

static Value trial_param(Lowering *l, const Param *p, bool vary, Buf *said) {
    Value v = {.node = NULL};
    if (p->learn)
        return (Value){graph_var(l->g, VAR_LEARN, p->name, l->g->real, AXES_REST), true, AXES_REST};
    if (p->value)
        v = default_param(l, NULL, (Span){0, 0}, l->root, p);
    else
        v.node =
            p->kind == KIND_CONDITION ? graph_bool(l->g, true) : graph_float(l->g, l->g->real, 0.5);
    return vary && !l->failed ? vary_param(l, p, v, said) : v;
}

Graph *frontend_lower_overrides(Arena *arena, const Module *m, const Def *d, Type real, bool vary,
                                Buf *params, Diags *diags) {
    Lowering l = {.g = graph_new(arena, def_name(d), real),
                  .arena = arena,
                  .m = m,
                  .diags = diags,
                  .root = d};
    const Frame root = {.d = d, .slots = ARENA_ARRAY(arena, Value, def_slots(d))};
    Value *args = ARENA_ARRAY(arena, Value, (size_t)d->ninputs + d->nparams);
    for (uint32_t i = 0; i < d->ninputs; i++)
        args[i] =
            (Value){graph_var(l.g, VAR_INPUT, d->inputs[i].name, real, AXES_REST), true, AXES_REST};
    for (uint32_t i = 0; i < d->nparams && !l.failed; i++)
        args[d->ninputs + i] = trial_param(&l, &d->params[i], vary, params);
    if (l.failed) return NULL;
    fill_slots(&l, &root, args, false);
    const Value y = lower(&l, &root, d->body);
    if (!l.failed) graph_output(l.g, "y", y.node);
    for (uint32_t i = 0; i < d->ngrads && !l.failed; i++) {
        const Value e = lower(&l, &root, d->grads[i].value);
        graph_output(l.g, d->grads[i].name, e.node);
    }
    return l.failed || l.reduces ? NULL : l.g;
}
