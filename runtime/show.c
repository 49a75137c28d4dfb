/* `actc_show`: what a stage of the compiler made, as text. */
#include <string.h>

#include "runtime.h"

static bool stage_by_name(const char *name, Stage *out) {
    static const char *const names[] = {
#define STAGE(id, stage, is_graph) #stage,
#include "stages.def"
#undef STAGE
    };
    for (int i = 0; i < STAGE_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (Stage)i;
            return true;
        }
    return false;
}

static actc_status show_code(actc_context *ctx, const Plan *plan, Stage stage, char **text,
                             actc_diagnostics **diagnostics) {
    actc_status status = ACTC_OK;
    Bytes bytes = {NULL, 0};
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    if (!error)
        error = ctx->backend->emit(ctx->jit, &plan, 1,
                                   stage == STAGE_ASM ? EMIT_ASSEMBLY : EMIT_LLVM, &bytes);
    if (error) {
        status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    } else {
        *text = memory_text(&ctx->allocator, bytes.data, bytes.size);
        if (!*text) status = ACTC_E_MEMORY;
        ctx->backend->free_bytes(&bytes);
    }
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

/* ---- which rules fired ---- */

enum { LONGEST_TRACED = 300 };

typedef struct {
    Arena *arena;
    Buf *out;
} Tracer;

static void put_node(Tracer *t, const Graph *g, const Node *n) {
    Buf text;
    buf_init(&text, t->arena);
    node_print(g, n, &text);
    const bool whole = text.len <= LONGEST_TRACED;
    buf_write(t->out, text.s, whole ? text.len : LONGEST_TRACED);
    if (!whole) buf_puts(t->out, " ...");
}

static void trace_rule(void *user, const Graph *g, const char *rule, const Node *before,
                       const Node *after) {
    Tracer *t = user;
    buf_printf(t->out, "# %s: ", rule);
    put_node(t, g, before);
    buf_puts(t->out, " -> ");
    put_node(t, g, after);
    buf_printf(t->out, "\n#     %s\n", rule_why(rule));
}

actc_status actc_trace(actc_module *module, const char *function, const char *stage_name,
                       const actc_kernel_options *options, char **text,
                       actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !stage_name || !text)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_trace: an argument is NULL");
    Stage stage;
    if (!stage_by_name(stage_name, &stage))
        return fail(diagnostics, ACTC_E_NOT_FOUND, "unknown stage '%s'", stage_name);
    actc_kernel_options o;
    actc_status status = read_options(options, &o, diagnostics);
    if (status != ACTC_OK) return status;
    Compilation s;
    compilation_begin(&s, module);
    if (setjmp(s.out)) {
        compilation_end(&s);
        return ACTC_E_MEMORY;
    }
    CompileJob job = compilation_job(&s, function, &o);
    Buf dump;
    buf_init(&dump, &s.arena);
    Tracer tracer = {.arena = &s.arena, .out = &dump};
    job.trace = trace_rule;
    job.trace_user = &tracer;
    const char *internal_error = NULL;
    if (stage != STAGE_AST)
        compile_graph(&job, stage < STAGE_EXPANDED ? stage : STAGE_EXPANDED, &internal_error);
    if (internal_error || s.diags.errors) {
        status = compilation_failure(&s, internal_error, diagnostics);
    } else {
        export_diagnostics(&s.diags, diagnostics);
        status = give_text(&module->context->allocator, &dump, text);
    }
    compilation_end(&s);
    return status;
}

actc_status actc_show(actc_module *module, const char *function, const char *stage_name,
                      const actc_kernel_options *options, char **text,
                      actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !stage_name || !text)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_show: an argument is NULL");
    Stage stage;
    if (!stage_by_name(stage_name, &stage))
        return fail(diagnostics, ACTC_E_NOT_FOUND, "unknown stage '%s'", stage_name);
    actc_kernel_options o;
    actc_status status = read_options(options, &o, diagnostics);
    if (status != ACTC_OK) return status;
    Compilation s;
    compilation_begin(&s, module);
    if (setjmp(s.out)) {
        compilation_end(&s);
        return ACTC_E_MEMORY;
    }
    const CompileJob job = compilation_job(&s, function, &o);
    const char *internal_error;
    Buf dump;
    buf_init(&dump, &s.arena);
    const Plan *plan = NULL;
    if (stage == STAGE_AST) {
        const Def *def = compile_function(&job);
        internal_error = NULL;
        if (def) def_print(def, &dump);
    } else if (stage <= STAGE_EXPANDED) {
        const Graph *g = compile_graph(&job, stage, &internal_error);
        if (g) graph_print(g, &dump);
    } else {
        plan = compile_plan(&job, &internal_error);
        if (plan && stage == STAGE_PLAN) plan_print(plan, &dump);
        if (plan && stage == STAGE_C)
            c_source(&plan, 1, &(CFile){.base = plan->graph->name}, &dump);
    }
    if (internal_error || s.diags.errors) {
        status = compilation_failure(&s, internal_error, diagnostics);
    } else if (stage == STAGE_LLVM || stage == STAGE_ASM) {
        status = show_code(module->context, plan, stage, text, diagnostics);
    } else {
        export_diagnostics(&s.diags, diagnostics);
        status = give_text(&module->context->allocator, &dump, text);
    }
    compilation_end(&s);
    return status;
}

void actc_text_release(char *text) { memory_free(text); }
