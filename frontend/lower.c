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
} Value;

/* A definition being written out. */
typedef struct Frame Frame;
struct Frame {
    const Def *d;
    Value *slots;
    const Value *inputs; /* of a pipeline, which has no slots for them */
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
    bool failed; /* an error was reported: everything is bad from here */
} Lowering;

static Value lower(Lowering *l, const Frame *f, const Expr *e);

/* ---- errors ---- */

static Value bad_value(Lowering *l, Kind kind) {
    l->failed = true;
    return (Value){graph_bad(l->g, kind == KIND_CONDITION ? TYPE_BOOL : l->g->real), true};
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
    return (Value){n, a.varies || b.varies};
}

static Value apply1(Lowering *l, Op op, Value a) {
    return (Value){graph_op(l->g, op, a.node, NULL, NULL), a.varies};
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
    for (size_t i = 0; i < n; i++) v.varies = v.varies || args[i].varies;
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
    return (Value){n, a.varies || b.varies || c.varies};
}

/* ---- calls ---- */

static Value call_def(Lowering *l, const Frame *up, Span call, const Def *d, const Value *args);

/* The value of a param as part of the kernel: a number is rounded to the kernel's type. */
static Value fix_param(Lowering *l, const Frame *f, Span span, const Param *p, Value v) {
    if (l->failed) return bad_value(l, p->kind);
    const Node *n = v.node;
    if (!node_is_const(n) || (n->num && mpfr_nan_p(n->num))) {
        REPORT(l, f, span, DIAG_NO_VALUE, p->name);
        return bad_value(l, p->kind);
    }
    if (!n->num) return (Value){v.node, false};
    NUMBER_TEMP(rounded, NUMBER_BITS);
    fold_decode(rounded, fold_encode(n->num, l->g->real), l->g->real);
    return (Value){graph_number(l->g, l->g->real, rounded), false};
}

static Value default_param(Lowering *l, const Frame *up, Span call, const Def *d, const Param *p) {
    if (p->learn)
        return unsupported(l, &(Frame){.d = d, .up = up, .call = call}, p->span, "learnables are");
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
        args[d->ninputs + i] = value
                                   ? fix_param(l, f, value->span, &d->params[i], lower(l, f, value))
                                   : default_param(l, f, e->span, d, &d->params[i]);
    }
    return l->failed ? bad_value(l, KIND_NUMBER) : call_def(l, f, e->span, d, args);
}

static Value lower_pipe(Lowering *l, const Frame *f, const Expr *e) {
    Value flow = {NULL, false};
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
    if (e->ref.kind == REF_DEF) return call_def(l, f, e->span, e->ref.def, NULL);
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
    return (Value){graph_number(l->g, l->g->real, v), false};
}

static Value lower_number(Lowering *l, const Expr *e) {
    NUMBER_TEMP(v, NUMBER_BITS);
    number_value(e->text, v);
    return (Value){graph_number(l->g, l->g->real, v), false};
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
    Value last = lower(l, f, e->items[0]), all = {NULL, false};
    for (uint32_t i = 1; i < e->count && !l->failed; i++) {
        const Value next = lower(l, f, e->items[i]);
        if (l->failed) break;
        const Value one = compare(l, (Operator)e->ops[i - 1], last, next);
        all = all.node ? apply(l, OP_AND, all, one) : one;
        last = next;
    }
    return l->failed ? bad_value(l, KIND_CONDITION) : all;
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
        return (Value){graph_bool(l->g, e->truth), false};
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
        return unsupported(l, f, e->span, "reductions are");
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

/* What the graph cannot say yet. */
static void check_supported(Lowering *l, const Frame *f) {
    const Def *d = f->d;
    for (uint32_t i = 0; d->kind == DEF_FUNCTION && i < d->ninputs && !l->failed; i++)
        if (d->inputs[i].axes) unsupported(l, f, d->inputs[i].axes->span, "named axes are");
    for (uint32_t i = 0; i < d->nparams && !l->failed; i++)
        if (d->params[i].learn) unsupported(l, f, d->params[i].span, "learnables are");
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

static Value lower_def(Lowering *l, const Frame *up, Span call, const Def *d, const Value *args) {
    Value *slots = ARENA_ARRAY(l->arena, Value, def_slots(d));
    const Frame f = {.d = d, .slots = slots, .inputs = args, .up = up, .call = call};
    check_supported(l, &f);
    if (l->failed) return bad_value(l, KIND_NUMBER);
    fill_slots(l, &f, args, true);
    Value v = lower(l, &f, d->body);
    if (d->ngrads == 0 || l->failed) return v;
    /* The clauses see the inputs themselves, not what the body sees of them. */
    fill_slots(l, &f, args, false);
    for (uint32_t i = 0; i < d->ngrads; i++) {
        const Value e = lower(l, &f, d->grads[i].value);
        if (l->failed) break;
        v.node = graph_op(l->g, OP_CUSTOM, v.node, slots[d->grads[i].slot].node, e.node);
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

static Value call_def(Lowering *l, const Frame *up, Span call, const Def *d, const Value *args) {
    if (d->bad) return bad_value(l, KIND_NUMBER);
    const size_t n = d->kind == DEF_CONSTANT ? 0 : (size_t)d->ninputs + d->nparams;
    if (2 * l->memo_count >= l->memo_cap) grow_memo(l);
    const Memo *known = find_call(l, d, args, n);
    if (known->d) return known->result;
    const Value result = lower_def(l, up, call, d, args);
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
    if (p->value || p->learn) return default_param(l, NULL, (Span){0, 0}, l->root, p);
    REPORT(l, &(Frame){.d = l->root}, p->span, DIAG_MISSING_PARAM, p->name, def_name(l->root));
    return bad_value(l, p->kind);
}

static bool has_input(const Def *d, const char *name) {
    for (uint32_t i = 0; i < d->ninputs; i++)
        if (strcmp(d->inputs[i].name, name) == 0) return true;
    return false;
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
    check_supported(&l, &root);
    check_settings(&l, settings, nsettings);
    if (l.failed) return NULL;
    Value *args = ARENA_ARRAY(arena, Value, (size_t)d->ninputs + d->nparams);
    for (uint32_t i = 0; i < d->ninputs; i++)
        args[i] = (Value){graph_var(l.g, VAR_INPUT, d->inputs[i].name, real, AXES_REST), true};
    for (uint32_t i = 0; i < d->nparams; i++)
        args[d->ninputs + i] = root_param(&l, &d->params[i], settings, nsettings);
    const Value y =
        l.failed ? bad_value(&l, KIND_NUMBER) : call_def(&l, NULL, (Span){0, 0}, d, args);
    if (l.failed) return NULL;
    graph_output(l.g, !has_input(d, "y") ? "y" : !has_input(d, "z") ? "z" : "out", y.node);
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
        return (Value){graph_bool(l->g, !v.node->bits), false};
    }
    NUMBER_TEMP(number, NUMBER_BITS);
    if (mpfr_zero_p(v.node->num))
        mpfr_set_d(number, 0.4375, MPFR_RNDN);
    else
        mpfr_mul_d(number, v.node->num, 1.25, MPFR_RNDN);
    buf_printf(said, ", %s = %.4g", p->name, mpfr_get_d(number, MPFR_RNDN));
    return (Value){graph_number(l->g, l->g->real, number), false};
}

static Value trial_param(Lowering *l, const Param *p, bool vary, Buf *said) {
    Value v = {NULL, false};
    if (p->learn) return (Value){graph_var(l->g, VAR_LEARN, p->name, l->g->real, AXES_REST), true};
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
        args[i] = (Value){graph_var(l.g, VAR_INPUT, d->inputs[i].name, real, AXES_REST), true};
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
    return l.failed ? NULL : l.g;
}
