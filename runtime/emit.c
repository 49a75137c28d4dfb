/* Ahead of time: `actc_emit` makes C, headers, objects and the backends' texts of several functions
 * at once. */
#include <ctype.h>
#include <string.h>

#include "runtime.h"

static const actc_kind forward_only[] = {ACTC_FORWARD};

static actc_status check_options(const actc_module *m, const actc_emit_options *in,
                                 actc_emit_options *o, actc_diagnostics **diagnostics) {
    if (in->size < sizeof in->size)
        return fail(diagnostics, ACTC_E_ARGUMENT,
                    "emit options: size is not sizeof(actc_emit_options)");
    memcpy(o, in,
           in->size < sizeof *o ? in->size : sizeof *o); /* an older program knows fewer fields */
    if (!o->kind_count) {
        o->kinds = forward_only;
        o->kind_count = 1;
    }
    if (!o->base) o->base = "kernels";
    if (!o->kinds || (o->function_count && !o->functions))
        return fail(diagnostics, ACTC_E_ARGUMENT, "emit options: an array is NULL");
    for (size_t i = 0; i < o->kind_count; i++)
        if (o->kinds[i] > ACTC_BACKWARD2)
            return fail(diagnostics, ACTC_E_ARGUMENT, "emit options: unknown kind");
    for (const char *s = o->prefix ? o->prefix : ""; *s; s++)
        if (!isalpha((unsigned char)*s) && *s != '_' &&
            (s == o->prefix || !isdigit((unsigned char)*s)))
            return fail(diagnostics, ACTC_E_ARGUMENT, "the prefix '%s' cannot begin a name in C",
                        o->prefix);
    const size_t count = o->function_count ? o->function_count : actc_module_function_count(m);
    if (!count) return fail(diagnostics, ACTC_E_ARGUMENT, "there is no function to emit");
    if (count > 1 && o->name)
        return fail(diagnostics, ACTC_E_ARGUMENT, "a name can be given to one function, not to %zu",
                    count);
    if (count > 1 && o->setting_count)
        return fail(diagnostics, ACTC_E_ARGUMENT, "params can be set for one function, not for %zu",
                    count);
    return ACTC_OK;
}

/* Lines of text without the ## that doc comments have in front. */
static void put_doc(const char *text, Buf *out) {
    for (const char *s = text; *s;) {
        const size_t n = strcspn(s, "\n"), skip = strncmp(s, "## ", 3) == 0 ? 3 : 0;
        buf_write(out, s + skip, n - skip + (s[n] == '\n'));
        s += n + (s[n] == '\n');
    }
}

/* What the comment above a C function says: the formula as written, and the gradient. */
static const char *describe(Compilation *c, const CompileJob *job) {
    Buf text;
    const char *internal_error;
    CompileJob plain = *job;
    plain.kind = ACTC_FORWARD;
    buf_init(&text, &c->arena);
    const Def *def = compile_function(&plain);
    Buf source;
    buf_init(&source, &c->arena);
    if (def) def_print(def, &source);
    put_doc(source.s, &text);
    Graph *g = compile_graph(&plain, STAGE_STABLE, &internal_error);
    if (!g || job->kind == ACTC_FORWARD) return text.s;
    const char *y = g->outs[0].name;
    Node *value = g->outs[0].node;
    if (!graph_is_elementwise(g)) {
        diff_backward(g, false);
        rewrite_graph(g, false, NULL, NULL);
        graph_print(g, &text);
        return text.s;
    }
    for (size_t i = 0; i < g->nvars; i++) {
        Node *d;
        diff_reverse(g, value, &g->vars[i].node, &d, 1);
        g->nouts = 0;
        graph_output(g, y, d);
        rewrite_graph(g, false, NULL, NULL);
        buf_printf(&text, "%sd%s/d%s = ", text.len && text.s[text.len - 1] != '\n' ? "\n" : "", y,
                   g->vars[i].name);
        node_print(g, g->outs[0].node, &text);
    }
    return text.s;
}

static actc_status emit_code(actc_context *ctx, actc_format format, const actc_emit_options *o,
                             const Plan *const *plans, size_t n, actc_bytes *out,
                             actc_diagnostics **diagnostics) {
    static const EmitKind kinds[] = {[ACTC_FORMAT_OBJECT] = EMIT_OBJECT,
                                     [ACTC_FORMAT_ASSEMBLY] = EMIT_ASSEMBLY,
                                     [ACTC_FORMAT_LLVM] = EMIT_LLVM,
                                     [ACTC_FORMAT_BITCODE] = EMIT_BITCODE};
    const bool host = !o->target && !o->cpu;
    const Target target = {o->target, o->cpu, NULL};
    Bytes bytes = {NULL, 0};
    Jit *jit = NULL;
    actc_status status = ACTC_OK;
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    /* What the caller said of the target is checked here. */
    const char *refused = error || host ? NULL : ctx->backend->create(&target, &jit);
    if (!error && !refused)
        error = ctx->backend->emit(host ? ctx->jit : jit, plans, n, kinds[format], &bytes);
    if (refused) {
        status = fail(diagnostics, ACTC_E_ARGUMENT, "%s", refused);
    } else if (error) {
        status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    } else {
        out->data = memory_text(&ctx->allocator, bytes.data, bytes.size);
        if (out->data)
            out->size = bytes.size;
        else
            status = ACTC_E_MEMORY;
        ctx->backend->free_bytes(&bytes);
    }
    if (jit) ctx->backend->destroy(jit);
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

static actc_status emit(Compilation *c, actc_format format, const actc_emit_options *o,
                        actc_bytes *out, actc_diagnostics **diagnostics) {
    actc_module *m = c->module;
    const size_t functions = o->function_count ? o->function_count : actc_module_function_count(m);
    const Plan **plans = ARENA_ARRAY(&c->arena, const Plan *, functions * o->kind_count);
    const char **notes = ARENA_ARRAY(&c->arena, const char *, functions * o->kind_count);
    size_t n = 0;
    for (size_t i = 0; i < functions; i++)
        for (size_t k = 0; k < o->kind_count; k++) {
            const actc_kernel_options one = {.kind = o->kinds[k],
                                             .dtype = o->dtype,
                                             .settings = o->settings,
                                             .setting_count = o->setting_count,
                                             .math = o->math};
            const char *name =
                o->function_count ? o->functions[i] : def_name(module_function(m, i));
            if (!name)
                return fail(diagnostics, ACTC_E_ARGUMENT, "emit options: a function is NULL");
            CompileJob job = compilation_job(c, name, &one);
            job.name = o->name;
            job.prefix = o->prefix;
            const char *internal_error;
            const Plan *plan = compile_plan(&job, &internal_error);
            if (!plan) return compilation_failure(c, internal_error, diagnostics);
            for (size_t j = 0; j < n; j++)
                if (strcmp(plans[j]->symbol, plan->symbol) == 0)
                    return fail(diagnostics, ACTC_E_ARGUMENT,
                                "two functions would both be called '%s' in C", plan->symbol);
            if (format == ACTC_FORMAT_C) notes[n] = describe(c, &job);
            plans[n++] = plan;
        }
    export_diagnostics(&c->diags, diagnostics);
    if (format != ACTC_FORMAT_C && format != ACTC_FORMAT_HEADER)
        return emit_code(m->context, format, o, plans, n, out, diagnostics);
    Buf text;
    buf_init(&text, &c->arena);
    (format == ACTC_FORMAT_C ? c_source : c_header)(
        plans, n, &(CFile){.base = o->base, .notes = notes}, &text);
    const actc_status status = give_text(&m->context->allocator, &text, &out->data);
    if (status == ACTC_OK) out->size = text.len;
    return status;
}

actc_status actc_emit(actc_module *module, actc_format format, const actc_emit_options *options,
                      actc_bytes *out, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (out) *out = (actc_bytes){NULL, 0};
    if (!module || !options || !out)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_emit: an argument is NULL");
    if (format > ACTC_FORMAT_BITCODE)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_emit: unknown format");
    actc_emit_options o = {.size = 0};
    actc_status status = check_options(module, options, &o, diagnostics);
    if (status != ACTC_OK) return status;
    const actc_kernel_options given = {.size = sizeof given,
                                       .dtype = o.dtype,
                                       .settings = o.settings,
                                       .setting_count = o.setting_count};
    actc_kernel_options checked;
    status = read_options(&given, &checked, diagnostics);
    if (status != ACTC_OK) return status;
    Compilation c;
    compilation_begin(&c, module);
    if (setjmp(c.out)) {
        compilation_end(&c);
        return ACTC_E_MEMORY;
    }
    status = emit(&c, format, &o, out, diagnostics);
    compilation_end(&c);
    return status;
}

void actc_bytes_release(actc_bytes *bytes) {
    if (!bytes) return;
    memory_free(bytes->data);
    *bytes = (actc_bytes){NULL, 0};
}
