/* Checks one definition, after those that it uses: what is a number and what a condition, which
 * arguments a call gives to which inputs and params, what must be constant, which axes there are.
 * What a mistake gives is KIND_BAD, about which everything after it is silent. */
#include "checker.h"

#include <string.h>

static const Info bad = {.kind = KIND_BAD, .loose = true};

static Info check(Checker *c, Expr *e);

/* ---- kinds ---- */

/* A param without a default is what its first use needs. */
static void decide(Checker *c, const Expr *e, Info *info, Kind kind) {
    info->kind = kind;
    if (e->kind != EXPR_NAME || e->ref.kind != REF_LOCAL) return;
    const uint32_t param = e->ref.slot - def_first_param(c->d);
    c->slots[e->ref.slot].kind = kind;
    if (e->ref.slot >= def_first_param(c->d) && param < c->d->nparams)
        c->d->params[param].kind = kind;
}

static Info want(Checker *c, Expr *e, Kind kind) {
    Info info = check(c, e);
    if (info.kind == KIND_UNKNOWN) decide(c, e, &info, kind);
    if (info.kind == kind || info.kind == KIND_BAD) return info;
    if (kind == KIND_NUMBER) {
        REPORT(c, e->span, DIAG_WANTS_NUMBER);
    } else {
        /* A number where a condition must be is most often C's truth. */
        Buf hint;
        buf_init(&hint, c->arena);
        if (e->kind == EXPR_NUMBER) {
            buf_puts(&hint, "; write 'true' or 'false'");
        } else if (e->depth <= 3 && e->kind != EXPR_COND && e->kind != EXPR_PIPE) {
            buf_puts(&hint, "; write '");
            expr_print(e, &hint);
            buf_puts(&hint, " != 0'");
        }
        REPORT(c, e->span, DIAG_WANTS_CONDITION, hint.s);
    }
    return bad;
}

/* ---- reductions ---- */

/* "; there is 'n', 'd'". */
static void list_axes(const Checker *c, Buf *out) {
    unsigned n = 0;
    for (unsigned i = 0; i < c->naxes; i++)
        if (c->axes[i].declared)
            buf_printf(out, "%s'%s'", n++ ? ", " : "; there is ", c->axes[i].name);
    if (!n) buf_puts(out, "; an input names its axes, as in 'x[.., d]'");
}

static Info check_reduction(Checker *c, Expr *e) {
    Call *call = e->call;
    const bool one = call->args && !call->args->next && !call->args->name;
    Info info = bad;
    for (Arg *a = call->args; a; a = a->next) info = want(c, a->value, KIND_NUMBER);
    if (call->ref.kind != REF_REDUCTION) return bad;
    if (!one) {
        unsigned n = 0;
        for (const Arg *a = call->args; a; a = a->next) n++;
        REPORT(c, e->span, DIAG_TOO_FEW_ARGS, call->name, "1 argument", n);
        return bad;
    }
    AxisSet gone = 0;
    info.axes = axes_known(c, info.axes);
    for (const Axis *a = call->axes; a; a = a->next) {
        if (strcmp(a->name, "*") == 0) {
            if (call->axes->next) REPORT(c, a->span, DIAG_AXIS_STAR);
            gone = ~(AxisSet)0;
            continue;
        }
        if (strcmp(a->name, "..") == 0) {
            REPORT(c, a->span, DIAG_AXIS_REST_REDUCED);
            continue;
        }
        const AxisSet bit = axes_find(c, a->name);
        if (!bit) {
            const char *best = NULL;
            for (unsigned i = 0; i < c->naxes; i++)
                if (c->axes[i].declared) best = diag_nearer(a->name, c->axes[i].name, best);
            Buf hint;
            buf_init(&hint, c->arena);
            if (best)
                buf_printf(&hint, "; did you mean '%s'?", best);
            else
                list_axes(c, &hint);
            REPORT(c, a->span, DIAG_UNKNOWN_AXIS, a->name, hint.s);
        } else if (gone & bit) {
            REPORT(c, a->span, DIAG_AXIS_TWICE, a->name);
        } else if (!(info.axes & bit) && !info.loose) {
            REPORT(c, a->span, DIAG_AXIS_ABSENT, call->name, a->name);
        }
        gone |= bit;
    }
    info.axes &= ~gone;
    if (gone == ~(AxisSet)0) info.loose = info.split = false;
    return info;
}

/* ---- calls ---- */

static bool has_learnables(const Def *f) {
    for (uint32_t i = 0; i < f->nparams; i++)
        if (f->params[i].learn) return true;
    return false;
}

/* "2 arguments", "1 argument and 2 params". */
static const char *count_text(Checker *c, uint32_t inputs, uint32_t params) {
    Buf text;
    buf_init(&text, c->arena);
    if (inputs || !params) buf_printf(&text, "%u argument%s", inputs, inputs == 1 ? "" : "s");
    if (inputs && params) buf_puts(&text, " and ");
    if (params) buf_printf(&text, "%u param%s", params, params == 1 ? "" : "s");
    return text.s;
}

static uint32_t count_params(const Def *f) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->nparams; i++) n += !f->params[i].learn;
    return n;
}

static Info give_input(Checker *c, Call *call, uint32_t i, Expr *value) {
    call->bound[i] = value;
    return want(c, value, KIND_NUMBER);
}

static void give_param(Checker *c, Call *call, uint32_t i, Expr *value) {
    const Def *f = call->ref.def;
    const Param *param = &f->params[i];
    Expr **bound = &call->bound[f->ninputs + i];
    if (*bound) {
        REPORT(c, value->span, DIAG_PARAM_TWICE, param->name);
        return;
    }
    *bound = value;
    const Info info = want(c, value, param->kind == KIND_CONDITION ? KIND_CONDITION : KIND_NUMBER);
    if (info.kind != KIND_BAD && info.varies) {
        REPORT(c, value->span, DIAG_PARAM_NOT_CONSTANT, param->name, info.varies);
        NOTE(c, f->source, param->span, DIAG_NOTE_DEFINED, param->name);
    }
}

/* "; its params are a, b". */
static void list_params(const Def *f, Buf *out) {
    enum { MOST = 8 };
    unsigned n = 0;
    for (uint32_t i = 0; i < f->nparams && n < MOST; i++)
        if (!f->params[i].learn)
            buf_printf(out, "%s '%s'", n++ ? "," : "; it has", f->params[i].name);
}

static void give_named(Checker *c, Call *call, const Arg *a) {
    const Def *f = call->ref.def;
    for (uint32_t i = 0; i < f->nparams; i++) {
        if (!same(f->params[i].name, a->name)) continue;
        if (f->params[i].learn) {
            REPORT(c, a->span, DIAG_LEARN_GIVEN, a->name, call->name);
            check(c, a->value);
        } else {
            give_param(c, call, i, a->value);
        }
        return;
    }
    check(c, a->value);
    for (uint32_t i = 0; i < f->ninputs; i++) {
        if (!same(f->inputs[i].name, a->name)) continue;
        REPORT(c, a->span, DIAG_INPUT_NAMED, a->name, call->name);
        return;
    }
    const char *best = NULL;
    for (uint32_t i = 0; i < f->nparams; i++)
        if (!f->params[i].learn) best = diag_nearer(a->name, f->params[i].name, best);
    Buf hint;
    buf_init(&hint, c->arena);
    if (best)
        buf_printf(&hint, "; did you mean '%s'?", best);
    else if (count_params(f) == 0 && has_learnables(f) && call->stage)
        buf_puts(&hint, "; sizes are given by their places, without names");
    else
        list_params(f, &hint);
    REPORT(c, a->span, DIAG_UNKNOWN_PARAM, call->name, a->name, hint.s);
    if (f->name_span.end > f->name_span.begin && f->source)
        NOTE(c, f->source, f->name_span, DIAG_NOTE_DEFINED, call->name);
}

/* linear(64, 32): the sizes of the named axes, in order of first appearance. */
static bool give_size(Checker *c, const Call *call, const Arg *a, unsigned index) {
    const Def *f = call->ref.def;
    if (index >= f->ndeclared) {
        REPORT(c, a->value->span, DIAG_STAGE_SIZES, call->name, (int)f->ndeclared,
               f->ndeclared == 1 ? "is" : "es",
               count_params(f) ? "; here params are given with their names" : "");
        return false;
    }
    bool good = a->value->kind == EXPR_NUMBER;
    if (good) {
        NUMBER_TEMP(v, NUMBER_BITS);
        good = number_value(a->value->text, v) && mpfr_integer_p(v) && mpfr_cmp_ui(v, 1) >= 0 &&
               mpfr_cmp_ui(v, 0x7fffffff) <= 0;
        if (good) call->sizes[index] = (uint32_t)mpfr_get_ui(v, MPFR_RNDN);
    }
    if (!good)
        REPORT(c, a->value->span, DIAG_STAGE_SIZE,
               a->value->kind == EXPR_NUMBER || a->value->kind == EXPR_UNARY ? "" : ", in digits");
    return good;
}

static void check_args(Checker *c, const Call *call) {
    /* What an unknown function takes may be functions. */
    const bool unknown = call->ref.kind == REF_NONE;
    for (const Arg *a = call->args; a; a = a->next)
        if (!unknown || a->value->kind != EXPR_NAME) check(c, a->value);
}

/* What to write in place of a stage that gives something. */
static const char *stage_hint(Checker *c, const Call *call) {
    const Def *d = c->d;
    const bool alone = d->kind == DEF_PIPELINE && d->body->count == 1;
    Buf hint;
    buf_init(&hint, c->arena);
    if (!alone) {
        buf_printf(&hint, "; write '%s' alone", call->name);
    } else if (d->name) {
        Expr value = {.kind = EXPR_CALL, .depth = 1, .call = &(Call){0}};
        *value.call = *call;
        value.call->stage = false;
        buf_printf(&hint,
                   "; a call alone after '=' gives only those: write '%s', or '%s() = ", call->name,
                   d->name);
        expr_print(&value, &hint);
        buf_puts(&hint, "' for its value");
    } else {
        const char *input = "x";
        if (call->ref.kind == REF_DEF && call->ref.def->ninputs)
            input = call->ref.def->inputs[0].name;
        buf_printf(&hint, "; a call alone gives only those: write '%s', and %s=… beside it",
                   call->name, input);
    }
    return hint.s;
}

/* `flow` is the value that comes through the arrow into a stage; NULL in an expression, and for the
 * first stage of a pipeline, whose inputs are the pipeline's. */
static Info call_def(Checker *c, Expr *e, const Info *flow) {
    Call *call = e->call;
    const Def *f = call->ref.def;
    if (f->kind == DEF_CONSTANT && !f->bad) {
        REPORT(c, call->name_span, DIAG_NOT_A_FUNCTION, call->name, "a constant", "");
        NOTE(c, f->source, f->name_span, DIAG_NOTE_DEFINED, call->name);
        check_args(c, call);
        return bad;
    }
    if (f->bad) {
        check_args(c, call);
        return bad;
    }
    call->bound = ARENA_ARRAY(c->arena, Expr *, (size_t)f->ninputs + f->nparams);
    Info *args = ARENA_ARRAY(c->arena, Info, (size_t)f->ninputs + 1);
    Span *spans = ARENA_ARRAY(c->arena, Span, (size_t)f->ninputs + 1);
    const bool sizes = call->stage && has_learnables(f);
    if (sizes) call->sizes = ARENA_ARRAY(c->arena, uint32_t, f->naxes);
    uint32_t input = 0, param = 0;
    unsigned size = 0;
    bool named = false, failed = false;
    const size_t errors = c->diags->errors;
    for (const Arg *a = call->args; a && !failed; a = a->next) {
        if (a->name) {
            named = true;
            give_named(c, call, a);
            continue;
        }
        if (named) {
            REPORT(c, a->value->span, DIAG_POSITIONAL_LATE);
            failed = true;
        } else if (sizes) {
            failed = !give_size(c, call, a, size++);
        } else if (!call->stage && !a->param && input < f->ninputs) {
            args[input] = give_input(c, call, input, a->value);
            spans[input++] = a->value->span;
        } else {
            while (param < f->nparams && f->params[param].learn) param++;
            if (param < f->nparams) {
                give_param(c, call, param++, a->value);
                continue;
            }
            failed = true;
            if (a->value->kind == EXPR_NAME && a->value->ref.kind == REF_NONE) {
                c->d->bad = true; /* as resolve.c said */
                return bad;
            }
            if (call->stage && count_params(f) == 0)
                REPORT(c, a->value->span, DIAG_NO_PARAMS, call->name, stage_hint(c, call));
            else
                REPORT(c, a->value->span, DIAG_TOO_MANY_ARGS, call->name,
                       count_text(c, call->stage ? 0 : f->ninputs, count_params(f)),
                       call->stage         ? "; here a call gives params only"
                       : has_learnables(f) ? "; sizes are given to a stage: 'x → f(64, 32)'"
                                           : "");
            NOTE(c, f->source, f->name_span, DIAG_NOTE_DEFINED, call->name);
        }
    }
    if (failed || c->diags->errors > errors) return bad;
    if (flow && f->ninputs != 1) {
        REPORT(c, call->name_span, DIAG_STAGE_INPUTS, call->name, count_text(c, f->ninputs, 0));
        return bad;
    }
    if (!call->stage && input < f->ninputs) {
        REPORT(c, e->span, DIAG_MISSING_INPUT, f->inputs[input].name, call->name);
        NOTE(c, f->source, f->name_span, DIAG_NOTE_DEFINED, call->name);
        return bad;
    }
    for (uint32_t i = 0; i < f->nparams; i++) {
        if (f->params[i].learn || f->params[i].value || call->bound[f->ninputs + i]) continue;
        REPORT(c, call->name_span, DIAG_MISSING_PARAM, f->params[i].name, call->name);
        NOTE(c, f->source, f->params[i].span, DIAG_NOTE_DEFINED, f->params[i].name);
        return bad;
    }
    if (flow) {
        args[0] = *flow;
        spans[0] = call->name_span;
    }
    const bool first = call->stage && !flow;
    Info result = axes_call(c, call, first ? NULL : args, spans);
    result.kind = c->diags->errors > errors ? KIND_BAD : KIND_NUMBER;
    for (uint32_t i = 0; !first && i < f->ninputs; i++) {
        if (args[i].kind == KIND_BAD) result.kind = KIND_BAD;
        if (!result.varies) result.varies = args[i].varies;
    }
    if (first && f->ninputs) result.varies = f->inputs[0].name;
    if (!result.varies) result.varies = f->varies;
    return result;
}

static Info call_elementary(Checker *c, Expr *e, const Info *flow) {
    Call *call = e->call;
    uint32_t least, most, n = 0;
    elementary_arity(call->ref.op, &least, &most);
    Info result = flow ? *flow : (Info){.kind = KIND_NUMBER};
    if (call->stage && call->args) {
        REPORT(c, call->args->value->span, DIAG_NO_PARAMS, call->name, stage_hint(c, call));
        check_args(c, call);
        return bad;
    }
    if (call->stage && !flow) {
        c->rests = least;
        return (Info){.kind = KIND_NUMBER, .varies = "x", .axes = AXES_REST};
    }
    for (const Arg *a = call->args; a; a = a->next) {
        if (a->param) {
            Reduction which;
            Buf hint;
            buf_init(&hint, c->arena);
            buf_puts(&hint, "; give its arguments by their places");
            if (elementary_reduction(call->name, &which))
                buf_printf(&hint, "; over an axis it is '%s[d](…)'", call->name);
            REPORT(c, a->name ? a->span : a->value->span, DIAG_NO_PARAMS, call->name, hint.s);
            check(c, a->value);
            return bad;
        }
        const Info info = want(c, a->value, KIND_NUMBER);
        result = n++ == 0 && !flow ? info : axes_join(c, result, info);
        if (info.kind == KIND_BAD) result.kind = KIND_BAD;
    }
    if (flow && least != 1) {
        REPORT(c, call->name_span, DIAG_STAGE_INPUTS, call->name, count_text(c, least, 0));
        return bad;
    }
    if (!flow && (n < least || n > most)) {
        Buf takes;
        buf_init(&takes, c->arena);
        if (most > least)
            buf_printf(&takes, "at least %u arguments", least);
        else
            buf_puts(&takes, count_text(c, least, 0));
        REPORT(c, e->span, DIAG_TOO_FEW_ARGS, call->name, takes.s, (int)n);
        return bad;
    }
    return result;
}

static Info check_call(Checker *c, Expr *e, const Info *flow) {
    Call *call = e->call;
    switch (call->ref.kind) {
    case REF_DEF:
        return call_def(c, e, flow);
    case REF_OP:
        return call_elementary(c, e, flow);
    case REF_RANDOM:
        if (call->stage && !call->args) {
            REPORT(c, call->name_span, DIAG_STAGE_INPUTS, call->name, "none");
            return bad;
        }
        if (call->args)
            REPORT(c, e->span, DIAG_RANDOM_ARGS, call->name,
                   call->ref.slot ? "m + s*normal()" : "lo + (hi - lo)*uniform()");
        return (Info){.kind = KIND_NUMBER, .varies = call->name};
    case REF_REDUCTION:
        REPORT(c, call->name_span, DIAG_REDUCTION_AXES, call->name, call->name, call->name);
        break;
    case REF_NONE:
    case REF_LOCAL:
    case REF_CONSTANT:
        break;
    }
    check_args(c, call);
    return bad;
}

static Info check_pipe(Checker *c, Expr *e) {
    Info flow = {.kind = KIND_NUMBER};
    unsigned known = c->naxes; /* axes that other values may have */
    for (uint32_t i = 0; i < e->count; i++) {
        Expr *item = e->items[i];
        if (i == 0 && !e->op)
            flow = want(c, item, KIND_NUMBER);
        else if (item->kind != EXPR_CALL)
            flow = bad;
        else
            flow = check_call(c, item, i == 0 ? NULL : &flow);
        if (i == 0) known = c->naxes;
        axes_forget(c, known, &flow);
    }
    return flow;
}

/* ---- the other expressions ---- */

static Info check_name(Checker *c, Expr *e) {
    switch (e->ref.kind) {
    case REF_LOCAL:
        return c->slots[e->ref.slot];
    case REF_CONSTANT:
        return (Info){.kind = KIND_NUMBER};
    case REF_DEF:
        if (e->ref.def->bad) return bad;
        if (e->ref.def->kind == DEF_CONSTANT) return (Info){.kind = KIND_NUMBER};
        break;
    case REF_OP:
    case REF_RANDOM:
        break;
    case REF_REDUCTION:
        REPORT(c, e->span, DIAG_REDUCTION_AXES, e->text, e->text, e->text);
        return bad;
    case REF_NONE:
        return bad;
    }
    REPORT(c, e->span, DIAG_NOT_CALLED, e->text, e->text);
    return bad;
}

static Info check_number(Checker *c, const Expr *e) {
    NUMBER_TEMP(v, NUMBER_BITS);
    const bool good = number_value(e->text, v),
               large = mpfr_inf_p(v) || (!mpfr_zero_p(v) && mpfr_get_exp(v) > 0);
    if (good) return (Info){.kind = KIND_NUMBER};
    REPORT(c, e->span, DIAG_NUMBER_RANGE, large ? "large" : "small", LIMIT_EXPONENT,
           LIMIT_EXPONENT);
    return bad;
}

static Info check_branches(Checker *c, Expr *e) {
    const Info condition = want(c, e->arg[0], KIND_CONDITION);
    Info a = check(c, e->arg[1]), b = check(c, e->arg[2]);
    if (a.kind == KIND_UNKNOWN)
        decide(c, e->arg[1], &a, b.kind == KIND_CONDITION ? b.kind : KIND_NUMBER);
    if (b.kind == KIND_UNKNOWN)
        decide(c, e->arg[2], &b, a.kind == KIND_CONDITION ? a.kind : KIND_NUMBER);
    Info result = axes_join(c, axes_join(c, a, b), condition);
    if (condition.kind == KIND_BAD || a.kind == KIND_BAD || b.kind == KIND_BAD) {
        result.kind = KIND_BAD;
    } else if (a.kind != b.kind) {
        REPORT(c, e->span, DIAG_BRANCHES_DIFFER);
        result.kind = KIND_BAD;
    }
    return result;
}

static Info check_operands(Checker *c, Expr *e) {
    const bool logic = e->op == OPERATOR_AND || e->op == OPERATOR_OR || e->op == OPERATOR_NOT;
    const Kind kind = logic ? KIND_CONDITION : KIND_NUMBER;
    const Info a = want(c, e->arg[0], kind);
    if (e->kind == EXPR_UNARY) return a;
    const Info b = want(c, e->arg[1], kind);
    Info result = axes_join(c, a, b);
    if (b.kind == KIND_BAD) result.kind = KIND_BAD;
    return result;
}

static Info check_comparison(Checker *c, Expr *e) {
    Info result = {.kind = KIND_CONDITION};
    for (uint32_t i = 0; i < e->count; i++) {
        Info info = check(c, e->items[i]);
        if (info.kind == KIND_UNKNOWN) decide(c, e->items[i], &info, KIND_NUMBER);
        if (info.kind == KIND_CONDITION) {
            REPORT(c, e->items[i]->span, DIAG_CONDITION_COMPARED);
            info = bad;
        }
        const bool wrong = result.kind == KIND_BAD || info.kind == KIND_BAD;
        result = axes_join(c, result, info);
        result.kind = wrong ? KIND_BAD : KIND_CONDITION;
    }
    return result;
}

static Info check(Checker *c, Expr *e) {
    switch ((ExprKind)e->kind) {
    case EXPR_BAD:
        return bad;
    case EXPR_NUMBER:
        return check_number(c, e);
    case EXPR_TRUTH:
        return (Info){.kind = KIND_CONDITION};
    case EXPR_NAME:
        return check_name(c, e);
    case EXPR_UNARY:
    case EXPR_BINARY:
        return check_operands(c, e);
    case EXPR_COMPARE:
        return check_comparison(c, e);
    case EXPR_COND:
        return check_branches(c, e);
    case EXPR_CALL:
        return check_call(c, e, NULL);
    case EXPR_REDUCE:
        return check_reduction(c, e);
    case EXPR_PIPE:
        return check_pipe(c, e);
    }
    return bad;
}

/* ---- definitions ---- */

/* Without a list: a pipeline if the body is stages, or one function's name, or a call, which gives
 * params; otherwise a constant. Elementary functions have no params, so that a call of one gives
 * its value. */
static DefKind classify(Checker *c, Def *d) {
    if (d->has_list) return DEF_FUNCTION;
    Expr *e = d->body;
    if (e->kind == EXPR_PIPE) return DEF_PIPELINE;
    bool stage = false;
    if (e->kind == EXPR_NAME)
        stage =
            e->ref.kind == REF_OP || (e->ref.kind == REF_DEF && e->ref.def->kind != DEF_CONSTANT);
    else if (e->kind == EXPR_CALL && e->call->ref.kind == REF_DEF)
        stage = e->call->ref.def->kind != DEF_CONSTANT && !elementary_is(e->call->ref.def);
    if (!stage) return DEF_CONSTANT;
    resolve_stage(c->arena, e);
    Expr *pipe = ARENA_NEW(c->arena, Expr);
    *pipe = (Expr){.kind = EXPR_PIPE, .op = 1, .depth = e->depth, .span = e->span};
    pipe->items = ARENA_ARRAY(c->arena, Expr *, 1);
    pipe->items[0] = e;
    pipe->count = 1;
    d->body = pipe;
    return DEF_PIPELINE;
}

/* The inputs of a pipeline are those of its first stage. */
static void take_inputs(Checker *c, Def *d) {
    const Expr *first = d->body->items[0];
    if (first->kind != EXPR_CALL) return;
    const Call *call = first->call;
    if (call->ref.kind == REF_DEF) {
        d->inputs = call->ref.def->inputs;
        d->ninputs = call->ref.def->ninputs;
    } else if (call->ref.kind == REF_OP) {
        static const char *const names[][3] = {{"x"}, {"x", "y"}, {"x", "lo", "hi"}};
        uint32_t most;
        elementary_arity(call->ref.op, &d->ninputs, &most);
        d->inputs = ARENA_ARRAY(c->arena, Input, d->ninputs);
        for (uint32_t i = 0; i < d->ninputs; i++)
            d->inputs[i] = (Input){.name = names[d->ninputs - 1][i], .span = call->name_span};
    }
}

static void check_params(Checker *c) {
    Def *d = c->d;
    for (uint32_t i = 0; i < d->nparams; i++) {
        Param *p = &d->params[i];
        Info *slot = &c->slots[def_first_param(d) + i];
        Info value = {.kind = KIND_UNKNOWN};
        if (p->value) value = check(c, p->value);
        if (p->learn) {
            if (value.kind == KIND_CONDITION) REPORT(c, p->value->span, DIAG_WANTS_NUMBER);
            if (value.varies)
                REPORT(c, p->value->span, DIAG_CONSTANT_VARIES, "what a learnable begins with",
                       value.varies);
            *slot = (Info){
                .kind = KIND_NUMBER, .varies = p->name, .axes = axes_declare(c, p->axes, true)};
            if (!d->varies) d->varies = p->name;
        } else {
            if (p->axes) REPORT(c, p->span, DIAG_PARAM_AXES, p->name, p->name);
            if (value.varies)
                REPORT(c, p->value->span, DIAG_CONSTANT_VARIES, "a default", value.varies);
            *slot = (Info){.kind = value.kind};
        }
        p->kind = slot->kind;
    }
}

static void check_grads(Checker *c) {
    const Def *d = c->d;
    for (uint32_t i = 0; i < d->ngrads; i++) {
        const Local *g = &d->grads[i];
        const Info info = want(c, g->value, KIND_NUMBER);
        if (d->bad || info.kind == KIND_BAD) continue;
        const Info *target = &c->slots[g->slot];
        if (!info.loose && !info.split && !target->loose &&
            (axes_known(c, info.axes) & ~target->axes))
            REPORT(c, g->value->span, DIAG_GRAD_AXES, g->name, g->name);
    }
}

void check_def(const Module *m, Arena *arena, Diags *diags, Def *d) {
    if (d->body->kind == EXPR_BAD) return;
    AxisVar room[AXIS_VARS];
    Checker c = {.m = m, .arena = arena, .diags = diags, .d = d, .axes = room};
    c.slots = ARENA_ARRAY(arena, Info, def_slots(d));
    d->kind = classify(&c, d);
    for (uint32_t i = 0; i < def_first_param(d); i++) {
        const Input *in = &d->inputs[i];
        if (!in->axes && c.rests++ == 0) c.before_rest = c.naxes;
        const AxisSet axes = in->axes ? axes_declare(&c, in->axes, false) : AXES_REST;
        c.slots[i] = (Info){.kind = KIND_NUMBER, .varies = in->name, .axes = axes};
    }
    check_params(&c);
    d->ndeclared = c.naxes;
    const uint32_t wheres = def_first_param(d) + d->nparams;
    for (uint32_t i = 0; i < d->nwheres; i++) c.slots[wheres + i] = check(&c, d->wheres[i].value);
    Info body = check(&c, d->body);
    if (body.kind == KIND_UNKNOWN) decide(&c, d->body, &body, KIND_NUMBER);
    if (body.kind == KIND_CONDITION)
        REPORT(&c, d->body->span, DIAG_RESULT_CONDITION, def_called(d, arena));
    if (d->kind == DEF_CONSTANT && body.varies && body.kind != KIND_BAD)
        REPORT(&c, d->body->span, DIAG_CONSTANT_VARIES, "a definition without inputs", body.varies);
    check_grads(&c);
    for (uint32_t i = 0; i < d->nparams; i++)
        if (d->params[i].kind == KIND_UNKNOWN) d->params[i].kind = KIND_NUMBER;
    if (d->kind == DEF_PIPELINE) take_inputs(&c, d);
    axes_finish(&c, body);
    /* Random numbers and learnables of the functions that it calls. */
    for (size_t i = 0; i < d->nuses && !d->varies; i++) d->varies = d->uses[i].def->varies;
    if (body.kind == KIND_BAD) d->bad = true;
}

bool check_constant(const Module *m, Arena *arena, Diags *diags, Def *d, Kind kind,
                    const char *param) {
    resolve_def(m, arena, diags, d, false);
    AxisVar room[AXIS_VARS];
    Checker c = {.m = m, .arena = arena, .diags = diags, .d = d, .axes = room};
    c.slots = ARENA_ARRAY(arena, Info, def_slots(d));
    for (uint32_t i = 0; i < d->nwheres; i++)
        c.slots[def_first_param(d) + d->nparams + i] = check(&c, d->wheres[i].value);
    const Info info = want(&c, d->body, kind);
    if (info.kind != KIND_BAD && info.varies)
        REPORT(&c, d->body->span, DIAG_PARAM_NOT_CONSTANT, param, info.varies);
    return !d->bad && info.kind != KIND_BAD;
}
