/* Modules: one parsed text with the standard library below it. */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

/* Everything that may jump; the caller has set m->out. */
static void parse(actc_module *m, const char *name, const char *text, size_t length) {
    intern_init(&m->names, &m->arena);
    diags_init(&m->diags, &m->arena);
    const Module *library = NULL;
    for (size_t i = 0; i < library_source_count(); i++)
        library = frontend_parse(&m->arena, &m->names, &m->diags, library_source(i), library);
    const Source source = {.name = arena_strdup(&m->arena, name), .text = arena_copy(&m->arena, text, length), .len = length};
    m->tree = frontend_parse(&m->arena, &m->names, &m->diags, source, library);
}

static void destroy(actc_module *m) {
    arena_free(&m->arena);
    pthread_mutex_destroy(&m->lock);
    actc_context_release(m->context);
    free(m);
}

actc_status actc_module_parse(actc_context *ctx, const char *name, const char *text, size_t length,
                              actc_module **out, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (out) *out = NULL;
    if (!ctx || !name || (!text && length) || !out)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_module_parse: an argument is NULL");
    actc_module *m = calloc(1, sizeof *m);
    if (!m) return ACTC_E_MEMORY;
    if (pthread_mutex_init(&m->lock, NULL) != 0) {
        free(m);
        return ACTC_E_SYSTEM;
    }
    atomic_init(&m->references, 1);
    m->context = context_retain(ctx);
    arena_init(&m->arena, ctx->allocator, 0, &m->out);
    if (setjmp(m->out)) {
        destroy(m);
        return ACTC_E_MEMORY;
    }
    parse(m, name, text ? text : "", length);
    export_diagnostics(&m->diags, diagnostics);
    if (m->diags.errors) {
        destroy(m);
        return ACTC_E_SOURCE;
    }
    *out = m;
    return ACTC_OK;
}

actc_module *module_retain(actc_module *m) {
    atomic_fetch_add(&m->references, 1);
    return m;
}

void actc_module_release(actc_module *m) {
    if (m && atomic_fetch_sub(&m->references, 1) == 1) destroy(m);
}

size_t actc_module_function_count(const actc_module *m) { return m ? module_def_count(m->tree) : 0; }

const char *actc_module_function_name(const actc_module *m, size_t index) {
    return m && index < module_def_count(m->tree) ? def_name(module_def(m->tree, index)) : NULL;
}
