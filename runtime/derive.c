/* Derivatives as formulas and as numbers: `actc_derive` and `actc_eval`. No code is made for them.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

enum { MOST_ORDER = 8, FIRST_PRECISION = 256, LAST_PRECISION = 8192 };

static const actc_kernel_options plain_f64 = {.size = sizeof plain_f64, .dtype = ACTC_F64};

/* The derivative of y with respect to x, simplified; the only output of g meanwhile. */
static Node *derive_once(Graph *g, Node *y, Node *x) {
    Node *d;
    diff_reverse(g, y, &x, &d, 1);
    g->nouts = 0;
    graph_output(g, "d", d);
    rewrite_graph(g, false, NULL, NULL);
    return g->outs[0].node;
}

/* Whether it is a function of numbers: nothing in it has named axes or is reduced. */
static bool is_of_numbers(const Graph *g) {
    return graph_is_elementwise(g) && !(g->outs[0].axes & ~AXES_REST);
}

static actc_status refuse_axes(const Graph *g, const char *command,
                               actc_diagnostics **diagnostics) {
    return fail(diagnostics, ACTC_E_UNSUPPORTED,
                "'%s' has named axes or reductions; %s looks at elementwise functions", g->name,
                command);
}

static const Var *find_input(const Graph *g, const char *name) {
    for (size_t i = 0; i < g->nvars; i++)
        if (!name || strcmp(g->vars[i].name, name) == 0) return &g->vars[i];
    return NULL;
}

static bool has_overrides(const Graph *g) {
    const bool *needed = graph_needed(g);
    for (size_t i = 0; i < g->nnodes; i++)
        if (needed[i] && (g->nodes[i]->op == OP_STOP || g->nodes[i]->op == OP_CUSTOM)) return true;
    return false;
}

static actc_status derive(Compilation *c, const CompileJob *job, const char *wrt, unsigned order,
                          int latex, Buf *out, actc_diagnostics **diagnostics) {
    const char *internal_error;
    Graph *g = compile_graph(job, STAGE_STABLE, &internal_error);
    if (!g) return compilation_failure(c, internal_error, diagnostics);
    const Var *x = find_input(g, wrt ? name_ascii(&c->arena, wrt) : NULL);
    if (!x && wrt)
        return fail(diagnostics, ACTC_E_NOT_FOUND, "'%s' has no input '%s'", g->name, wrt);
    if (!x) return fail(diagnostics, ACTC_E_NOT_FOUND, "'%s' has no inputs", g->name);
    if (order && !is_of_numbers(g)) return refuse_axes(g, "derive", diagnostics);
    Node *y = g->outs[0].node;
    for (unsigned i = 0; i < order; i++) y = derive_once(g, y, x->node);
    if (has_overrides(g)) {
        /* What says where derivatives come from is no longer of use, and the language cannot say
         * it. */
        drop_overrides(g);
        y = g->outs[0].node;
    }
    /* A lone name would be taken for that of a function. */
    if (!latex && y->op == OP_VAR) buf_puts(out, "1*");
    (latex ? node_print_latex : node_print)(g, y, out);
    buf_putc(out, '\n');
    return ACTC_OK;
}

actc_status actc_derive(actc_module *module, const char *function, const char *wrt, unsigned order,
                        int latex, const actc_kernel_options *options, char **text,
                        actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !text)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_derive: an argument is NULL");
    if (order > MOST_ORDER)
        return fail(diagnostics, ACTC_E_ARGUMENT, "derivatives go up to order %d", MOST_ORDER);
    actc_kernel_options o;
    actc_status status = read_options(options ? options : &plain_f64, &o, diagnostics);
    if (status != ACTC_OK) return status;
    o.kind = ACTC_FORWARD;
    Compilation c;
    compilation_begin(&c, module);
    if (setjmp(c.out)) {
        compilation_end(&c);
        return ACTC_E_MEMORY;
    }
    const CompileJob job = compilation_job(&c, function, &o);
    Buf out;
    buf_init(&out, &c.arena);
    status = derive(&c, &job, wrt, order, latex, &out, diagnostics);
    if (status == ACTC_OK) status = give_text(&module->context->allocator, &out, text);
    compilation_end(&c);
    return status;
}

/* ---- values ---- */

static mpfr_ptr new_number(Arena *arena, mpfr_prec_t precision) {
    mpfr_ptr v = arena_alloc(arena, sizeof *v);
    number_init(v, arena_alloc(arena, mpfr_custom_get_size(precision)), precision);
    return v;
}

/* A number as people write it (also inf and nan), or a constant expression of the language; rounded
 * to the type. */
static bool read_value(const CompileJob *job, const char *text, mpfr_ptr v) {
    char *end;
    mpfr_strtofr(v, text, &end, 0, MPFR_RNDN);
    if (end == text || *end) {
        CompileJob constant = *job;
        const char *internal_error;
        constant.function = text;
        constant.nsettings = 0;
        constant.constants = true;
        const Graph *g = compile_graph(&constant, STAGE_GRAPH, &internal_error);
        if (!g) return false;
        const Node *n = g->outs[0].node;
        if (!node_is_const(n) || !n->num) return false;
        mpfr_set(v, n->num, MPFR_RNDN);
    }
    fold_decode(v, fold_encode(v, job->type), job->type);
    return true;
}

static void print_value(Buf *out, mpfr_srcptr v, Type type) {
    NUMBER_TEMP(rounded, 53);
    fold_decode(rounded, fold_encode(v, type), type);
    if (mpfr_nan_p(rounded)) {
        buf_puts(out, "nan");
        return;
    }
    if (mpfr_signbit(rounded)) buf_putc(out, '-');
    if (mpfr_inf_p(rounded))
        buf_puts(out, "inf");
    else if (mpfr_zero_p(rounded))
        buf_putc(out, '0');
    else
        print_shortest(out, rounded, 17, type);
}

/* Evaluates until twice the precision gives the same rounded results; the last word is that of
 * LAST_PRECISION. */
static void evaluate(const Graph *g, const mpfr_srcptr *vars, const mpfr_ptr *outs, Type type) {
    uint64_t *before = ARENA_ARRAY(g->arena, uint64_t, g->nouts + 1);
    for (mpfr_prec_t p = FIRST_PRECISION; p <= LAST_PRECISION; p *= 2) {
        bool same = p > FIRST_PRECISION;
        eval_real(g, vars, outs, p);
        for (size_t i = 0; i < g->nouts; i++) {
            const uint64_t now = fold_encode(outs[i], type);
            same = same && now == before[i];
            before[i] = now;
        }
        if (same) return;
    }
}

/* The given values by the graph's variables; names may be Greek letters. An expression that does
 * not use a name (a derivative may be constant) ignores its value. */
static actc_status read_point(Compilation *c, const CompileJob *job, const Graph *g,
                              const actc_setting *inputs, size_t count, mpfr_srcptr *vars,
                              actc_diagnostics **diagnostics) {
    const Def *def = compile_function(job);
    for (size_t i = 0; i < count; i++) {
        const char *name = name_ascii(job->arena, inputs[i].name);
        const Var *var = find_input(g, name);
        if (!var && def && def->name)
            return fail(diagnostics, ACTC_E_NOT_FOUND, "'%s' has no input '%s'", g->name, name);
        if (!var) continue;
        mpfr_srcptr *place = &vars[var - g->vars];
        if (*place) return fail(diagnostics, ACTC_E_ARGUMENT, "'%s' is given twice", name);
        if (inputs[i].value[0] == '[')
            return fail(diagnostics, ACTC_E_UNSUPPORTED,
                        "'%s=%s': values along an axis are not supported yet", name,
                        inputs[i].value);
        mpfr_ptr v = new_number(job->arena, NUMBER_BITS);
        if (!read_value(job, inputs[i].value, v)) {
            if (c->diags.errors) return compilation_failure(c, NULL, diagnostics);
            return fail(diagnostics, ACTC_E_ARGUMENT, "'%s=%s' is not a number", name,
                        inputs[i].value);
        }
        *place = v;
    }
    for (size_t k = 0; k < g->nvars; k++)
        if (!vars[k])
            return fail(diagnostics, ACTC_E_ARGUMENT, "the input '%s' has no value: add %s=0.5",
                        g->vars[k].name, g->vars[k].name);
    return ACTC_OK;
}

static actc_status evaluate_at(Compilation *c, const CompileJob *job, const actc_setting *inputs,
                               size_t count, unsigned order, Buf *out,
                               actc_diagnostics **diagnostics) {
    const char *internal_error;
    Graph *g = compile_graph(job, STAGE_STABLE, &internal_error);
    if (!g) return compilation_failure(c, internal_error, diagnostics);
    if (!is_of_numbers(g)) return refuse_axes(g, "eval", diagnostics);
    mpfr_srcptr *vars = ARENA_ARRAY(job->arena, mpfr_srcptr, g->nvars + 1);
    const actc_status status = read_point(c, job, g, inputs, count, vars, diagnostics);
    if (status != ACTC_OK) return status;
    const Output y = g->outs[0];
    Node **derivatives = ARENA_ARRAY(job->arena, Node *, g->nvars * order + 1);
    for (size_t k = 0; k < g->nvars; k++) {
        Node *d = y.node;
        for (unsigned i = 0; i < order; i++)
            derivatives[k * order + i] = d = derive_once(g, d, g->vars[k].node);
    }
    g->nouts = 0;
    graph_output(g, y.name, y.node);
    for (size_t i = 0; i < g->nvars * order; i++) graph_output(g, "", derivatives[i]);
    mpfr_ptr *values = ARENA_ARRAY(job->arena, mpfr_ptr, g->nouts);
    for (size_t i = 0; i < g->nouts; i++) values[i] = new_number(job->arena, LAST_PRECISION);
    limit_products(g);
    evaluate(g, vars, values, job->type);
    buf_printf(out, "%s = ", y.name);
    print_value(out, values[0], job->type);
    for (size_t k = 0; k < g->nvars; k++)
        for (unsigned i = 0; i < order; i++) {
            if (i == 0)
                buf_printf(out, "\nd%s/d%s = ", y.name, g->vars[k].name);
            else
                buf_printf(out, "\nd%u%s/d%s%u = ", i + 1, y.name, g->vars[k].name, i + 1);
            print_value(out, values[1 + k * order + i], job->type);
        }
    buf_putc(out, '\n');
    return ACTC_OK;
}

actc_status actc_eval(actc_module *module, const char *function, const actc_setting *inputs,
                      size_t input_count, unsigned order, const actc_kernel_options *options,
                      char **text, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !text || (input_count && !inputs))
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_eval: an argument is NULL");
    for (size_t i = 0; i < input_count; i++)
        if (!inputs[i].name || !inputs[i].value)
            return fail(diagnostics, ACTC_E_ARGUMENT,
                        "actc_eval: an input has no name or no value");
    if (order > MOST_ORDER)
        return fail(diagnostics, ACTC_E_ARGUMENT, "derivatives go up to order %d", MOST_ORDER);
    actc_kernel_options o;
    actc_status status = read_options(options ? options : &plain_f64, &o, diagnostics);
    if (status != ACTC_OK) return status;
    o.kind = ACTC_FORWARD;
    Compilation c;
    compilation_begin(&c, module);
    if (setjmp(c.out)) {
        compilation_end(&c);
        return ACTC_E_MEMORY;
    }
    CompileJob job = compilation_job(&c, function, &o);
    job.constants = true;
    Buf out;
    buf_init(&out, &c.arena);
    status = evaluate_at(&c, &job, inputs, input_count, order, &out, diagnostics);
    if (status == ACTC_OK) status = give_text(&module->context->allocator, &out, text);
    compilation_end(&c);
    return status;
}
