/* Derivatives as formulas and as numbers: `actc_derive` and `actc_eval`. No code is made for them. */
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

static const Var *find_input(const Graph *g, const char *name) {
    for (size_t i = 0; i < g->nvars; i++)
        if (!name || strcmp(g->vars[i].name, name) == 0) return &g->vars[i];
    return NULL;
}

static actc_status derive(Compilation *c, const CompileJob *job, const char *wrt, unsigned order, int latex, Buf *out,
                          actc_diagnostics **diagnostics) {
    const char *internal_error;
    Graph *g = compile_graph(job, STAGE_STABLE, &internal_error);
    if (!g) return compilation_failure(c, internal_error, diagnostics);
    const Var *x = find_input(g, wrt);
    if (!x && wrt) return fail(diagnostics, ACTC_E_NOT_FOUND, "'%s' has no input '%s'", g->name, wrt);
    if (!x) return fail(diagnostics, ACTC_E_NOT_FOUND, "'%s' has no inputs", g->name);
    Node *y = g->outs[0].node;
    for (unsigned i = 0; i < order; i++) y = derive_once(g, y, x->node);
    (latex ? node_print_latex : node_print)(g, y, out);
    buf_putc(out, '\n');
    return ACTC_OK;
}

actc_status actc_derive(actc_module *module, const char *function, const char *wrt, unsigned order, int latex,
                        const actc_kernel_options *options, char **text, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !text) return fail(diagnostics, ACTC_E_ARGUMENT, "actc_derive: an argument is NULL");
    if (order > MOST_ORDER) return fail(diagnostics, ACTC_E_ARGUMENT, "derivatives go up to order %d", MOST_ORDER);
    actc_kernel_options o;
    actc_status status = read_options(options ? options : &plain_f64, &o, diagnostics);
    if (status != ACTC_OK) return status;
    o.kind = ACTC_FORWARD;
    Compilation c;
    status = compilation_begin(&c, module, &o);
    if (status != ACTC_OK) return status;
    if (setjmp(c.out)) {
        compilation_end(&c);
        return ACTC_E_MEMORY;
    }
    const CompileJob job = compilation_job(&c, function, &o);
    Buf out;
    buf_init(&out, &c.arena);
    status = derive(&c, &job, wrt, order, latex, &out, diagnostics);
    if (status == ACTC_OK) status = give_text(&out, text);
    compilation_end(&c);
    return status;
}

/* ---- values ---- */

static mpfr_ptr new_number(Arena *arena, mpfr_prec_t precision) {
    mpfr_ptr v = arena_alloc(arena, sizeof *v);
    number_init(v, arena_alloc(arena, mpfr_custom_get_size(precision)), precision);
    return v;
}

/* A number as people write it (also inf and nan), or a constant expression of the language; rounded to the type. */
static bool read_value(const CompileJob *job, const char *text, mpfr_ptr v) {
    char *end;
    mpfr_strtofr(v, text, &end, 0, MPFR_RNDN);
    if (end == text || *end) {
        CompileJob constant = *job;
        const char *internal_error;
        constant.function = text;
        constant.nsettings = 0;
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
    if (mpfr_inf_p(rounded)) buf_puts(out, "inf");
    else if (mpfr_zero_p(rounded)) buf_putc(out, '0');
    else print_shortest(out, rounded, 17, type);
}

/* Evaluates until twice the precision gives the same rounded results; the last word is that of LAST_PRECISION. */
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

static actc_status evaluate_at(Compilation *c, const CompileJob *job, const actc_setting *inputs, size_t count,
                               unsigned order, Buf *out, actc_diagnostics **diagnostics) {
    const char *internal_error;
    Graph *g = compile_graph(job, STAGE_STABLE, &internal_error);
    if (!g) return compilation_failure(c, internal_error, diagnostics);
    for (size_t i = 0; i < count; i++) {
        if (!find_input(g, inputs[i].name))
            return fail(diagnostics, ACTC_E_NOT_FOUND, "'%s' has no input '%s'", g->name, inputs[i].name);
        for (size_t j = 0; j < i; j++)
            if (strcmp(inputs[i].name, inputs[j].name) == 0)
                return fail(diagnostics, ACTC_E_ARGUMENT, "'%s' is given twice", inputs[i].name);
    }
    mpfr_srcptr *vars = ARENA_ARRAY(job->arena, mpfr_srcptr, g->nvars + 1);
    for (size_t k = 0; k < g->nvars; k++) {
        const char *text = NULL;
        for (size_t i = 0; i < count; i++)
            if (strcmp(inputs[i].name, g->vars[k].name) == 0) text = inputs[i].value;
        if (!text) return fail(diagnostics, ACTC_E_ARGUMENT, "the input '%s' has no value", g->vars[k].name);
        mpfr_ptr v = new_number(job->arena, NUMBER_BITS);
        if (!read_value(job, text, v)) {
            if (c->module->diags.errors) return compilation_failure(c, NULL, diagnostics);
            return fail(diagnostics, ACTC_E_ARGUMENT, "'%s=%s' is not a number", g->vars[k].name, text);
        }
        vars[k] = v;
    }
    const Output y = g->outs[0];
    Node **derivatives = ARENA_ARRAY(job->arena, Node *, g->nvars * order + 1);
    for (size_t k = 0; k < g->nvars; k++) {
        Node *d = y.node;
        for (unsigned i = 0; i < order; i++) derivatives[k * order + i] = d = derive_once(g, d, g->vars[k].node);
    }
    g->nouts = 0;
    graph_output(g, y.name, y.node);
    for (size_t i = 0; i < g->nvars * order; i++) graph_output(g, "", derivatives[i]);
    mpfr_ptr *values = ARENA_ARRAY(job->arena, mpfr_ptr, g->nouts);
    for (size_t i = 0; i < g->nouts; i++) values[i] = new_number(job->arena, LAST_PRECISION);
    evaluate(g, vars, values, job->type);
    buf_printf(out, "%s = ", y.name);
    print_value(out, values[0], job->type);
    for (size_t k = 0; k < g->nvars; k++)
        for (unsigned i = 0; i < order; i++) {
            if (i == 0) buf_printf(out, "\nd%s/d%s = ", y.name, g->vars[k].name);
            else buf_printf(out, "\nd%u%s/d%s%u = ", i + 1, y.name, g->vars[k].name, i + 1);
            print_value(out, values[1 + k * order + i], job->type);
        }
    buf_putc(out, '\n');
    return ACTC_OK;
}

actc_status actc_eval(actc_module *module, const char *function, const actc_setting *inputs, size_t input_count,
                      unsigned order, const actc_kernel_options *options, char **text, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !text || (input_count && !inputs))
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_eval: an argument is NULL");
    if (order > MOST_ORDER) return fail(diagnostics, ACTC_E_ARGUMENT, "derivatives go up to order %d", MOST_ORDER);
    actc_kernel_options o;
    actc_status status = read_options(options ? options : &plain_f64, &o, diagnostics);
    if (status != ACTC_OK) return status;
    o.kind = ACTC_FORWARD;
    Compilation c;
    status = compilation_begin(&c, module, &o);
    if (status != ACTC_OK) return status;
    if (setjmp(c.out)) {
        compilation_end(&c);
        return ACTC_E_MEMORY;
    }
    const CompileJob job = compilation_job(&c, function, &o);
    Buf out;
    buf_init(&out, &c.arena);
    status = evaluate_at(&c, &job, inputs, input_count, order, &out, diagnostics);
    if (status == ACTC_OK) status = give_text(&out, text);
    compilation_end(&c);
    return status;
}
