/* The compiler as one visible function: one line for each pass. */
#include <string.h>

#include "runtime.h"

static const struct {
    const char *suffix;
    KernelKind kind;
} kinds[] = {[ACTC_FORWARD] = {"_forward", KERNEL_FORWARD},
             [ACTC_BACKWARD] = {"_backward", KERNEL_BACKWARD},
             [ACTC_FORWARD_BACKWARD] = {"_forward_backward", KERNEL_FORWARD_BACKWARD},
             [ACTC_BACKWARD2] = {"_backward2", KERNEL_BACKWARD2}};

/* Verifies what a pass made, and ends here if this is the stage asked for. */
#define STAGE_DONE(S)                                                                              \
    do {                                                                                           \
        if ((*internal_error = graph_verify(g, S))) return NULL;                                   \
        if (stage == (S)) return g;                                                                \
    } while (0)

Graph *compile_graph(const CompileJob *job, Stage stage, const char **internal_error) {
    *internal_error = NULL;
    const Def *def = compile_function(job);
    Graph *g = NULL;
    if (def)
        g = (job->constants ? frontend_lower_value : frontend_lower)(
            job->arena, job->tree, def, type_arithmetic(job->type), job->settings, job->nsettings,
            job->diags);
    if (!g) return NULL;
    g->storage = job->type;
    g->rules = job->rules;
    STAGE_DONE(STAGE_GRAPH);
    rewrite_graph(g, false, job->trace, job->trace_user);
    STAGE_DONE(STAGE_STABLE);
    if (job->kind != ACTC_FORWARD) diff_backward(g, job->kind == ACTC_FORWARD_BACKWARD);
    if (job->kind == ACTC_BACKWARD2) {
        rewrite_graph(g, false, job->trace, job->trace_user);
        diff_backward2(g);
    }
    rewrite_graph(g, false, job->trace, job->trace_user);
    STAGE_DONE(STAGE_GRAD);
    limit_products(g);
    const bool wide = job->math == ACTC_MATH_EXACT && g->real == TYPE_F32;
    if (!wide) split_tails(g);
    rewrite_graph(g, true, job->trace, job->trace_user);
    if (!wide) compensate_arguments(g);
    if (graph_is_elementwise(g)) limit_ends(g); /* it knows functions of one element only */
    if (wide) promote_graph(g);
    expand_graph(g);
    plan_split(g);
    STAGE_DONE(STAGE_EXPANDED);
    return g;
}

const Def *compile_function(const CompileJob *job) {
    const Source named = {
        .name = "<command line>", .text = job->function, .len = strlen(job->function)};
    return frontend_function(job->tree, job->diags, named);
}

Plan *compile_plan(const CompileJob *job, const char **internal_error) {
    Graph *g = compile_graph(job, STAGE_EXPANDED, internal_error);
    if (!g) return NULL;
    Buf symbol;
    buf_init(&symbol, job->arena);
    buf_printf(&symbol, "%s%s%s", job->prefix ? job->prefix : "",
               c_symbol(job->arena, job->name ? job->name : g->name), kinds[job->kind].suffix);
    return plan_make(g, kinds[job->kind].kind, symbol.s);
}

actc_status read_options(const actc_kernel_options *in, actc_kernel_options *out,
                         actc_diagnostics **diagnostics) {
    *out = (actc_kernel_options){.size = sizeof *out};
    if (!in) return ACTC_OK;
    if (in->size < sizeof in->size)
        return fail(diagnostics, ACTC_E_ARGUMENT,
                    "kernel options: size is not sizeof(actc_kernel_options)");
    memcpy(out, in,
           in->size < sizeof *out ? in->size
                                  : sizeof *out); /* an older program knows fewer fields */
    if (out->kind > ACTC_BACKWARD2)
        return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: unknown kind");
    if ((unsigned)out->dtype >= DTYPE_COUNT)
        return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: unknown dtype");
    if (out->math > ACTC_MATH_EXACT)
        return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: unknown math");
    if (out->setting_count && !out->settings)
        return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: settings is NULL");
    for (size_t i = 0; i < out->setting_count; i++)
        if (!out->settings[i].name || !out->settings[i].value)
            return fail(diagnostics, ACTC_E_ARGUMENT,
                        "kernel options: a setting has no name or no value");
    return ACTC_OK;
}
