/* The compiler as one visible function: one line for each pass. */
#include <string.h>

#include "runtime.h"

static const char *const suffixes[] = {
    [ACTC_FORWARD] = "_forward", [ACTC_BACKWARD] = "_backward", [ACTC_FORWARD_BACKWARD] = "_forward_backward"};

static const KernelKind kinds[] = {[ACTC_FORWARD] = KERNEL_FORWARD,
                                   [ACTC_BACKWARD] = KERNEL_BACKWARD,
                                   [ACTC_FORWARD_BACKWARD] = KERNEL_FORWARD_BACKWARD};

/* Verifies what a pass made, and ends here with its dump if this is the stage asked for. */
#define STAGE_DONE(S)                                                                              \
    do {                                                                                           \
        if ((*internal_error = graph_verify(g, S))) return NULL;                                   \
        if (stage == (S)) {                                                                        \
            graph_print(g, dump);                                                                  \
            return NULL;                                                                           \
        }                                                                                          \
    } while (0)

Plan *compile_plan(const CompileJob *job, Stage stage, Buf *dump, const char **internal_error) {
    *internal_error = NULL;
    const Source named = {.name = "<command line>", .text = job->function, .len = strlen(job->function)};
    const Def *def = frontend_function(job->tree, job->diags, named);
    if (!def) return NULL;
    if (stage == STAGE_AST) {
        def_print(def, dump);
        return NULL;
    }
    Graph *g = frontend_lower(job->arena, job->tree, def, job->type, job->settings, job->nsettings, job->diags);
    if (!g) return NULL;
    STAGE_DONE(STAGE_GRAPH);
    rewrite_graph(g, false, NULL, NULL);
    STAGE_DONE(STAGE_STABLE);
    if (job->kind != ACTC_FORWARD) diff_backward(g, job->kind == ACTC_FORWARD_BACKWARD);
    rewrite_graph(g, true, NULL, NULL);
    STAGE_DONE(STAGE_GRAD);
    expand_graph(g);
    STAGE_DONE(STAGE_EXPANDED);
    Buf symbol;
    buf_init(&symbol, job->arena);
    buf_printf(&symbol, "%s%s", g->name, suffixes[job->kind]);
    return plan_make(g, kinds[job->kind], symbol.s);
}

actc_status read_options(const actc_kernel_options *in, actc_kernel_options *out, actc_diagnostics **diagnostics) {
    *out = (actc_kernel_options){.size = sizeof *out};
    if (!in) return ACTC_OK;
    if (in->size < sizeof *in) return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: size is not sizeof(actc_kernel_options)");
    *out = *in;
    if (out->kind > ACTC_FORWARD_BACKWARD) return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: unknown kind");
    if (out->dtype > ACTC_F64) return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: unknown dtype");
    if (out->setting_count && !out->settings) return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: settings is NULL");
    for (size_t i = 0; i < out->setting_count; i++)
        if (!out->settings[i].name || !out->settings[i].value)
            return fail(diagnostics, ACTC_E_ARGUMENT, "kernel options: a setting has no name or no value");
    return ACTC_OK;
}
