/* Modules: one parsed text above the standard library. */
#include <string.h>

#include "runtime.h"

static void destroy(actc_module *m) {
    arena_free(&m->arena);
    actc_context_release(m->context);
    memory_free(m);
}

static actc_module *new_module(actc_context *ctx) {
    actc_module *m = memory_new(&ctx->allocator, sizeof *m);
    if (!m) return NULL;
    atomic_init(&m->references, 1);
    m->context = actc_context_retain(ctx);
    return m;
}

/* In place of a text that is refused by its length alone: nothing of it is read, so a length that
 * is wrong (such as ftell's -1) does no harm. Messages look for the end of its first line. */
const char too_long[] = "\n\n\n";

actc_status actc_module_parse(actc_context *ctx, const char *name, const char *text, size_t length,
                              actc_module **out, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (out) *out = NULL;
    if (!ctx || !name || (!text && length) || !out)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_module_parse: an argument is NULL");
    /* Nothing can be wrong with an empty text, so the library waits until a compilation needs it:
     * most of the time from the start of a process to a kernel that is on disk. */
    const Library *library = length ? context_library(ctx) : NULL;
    actc_module *m = library || !length ? new_module(ctx) : NULL;
    if (!m) return ACTC_E_MEMORY;
    jmp_buf no_memory;
    arena_init(&m->arena, ctx->allocator, 0, &no_memory);
    if (!length) {
        m->key = key_of_module("", 0, NULL);
        *out = m;
        return ACTC_OK;
    }
    if (setjmp(no_memory)) {
        destroy(m);
        compilation_forget();
        return ACTC_E_MEMORY;
    }
    Diags diags;
    diags_init(&diags, &m->arena);
    intern_init(&m->names, &m->arena);
    m->names.parent = &library->names;
    const bool refused = length > LIMIT_TEXT;
    const Source source = {.name = arena_strdup(&m->arena, name),
                           .text = refused ? too_long : arena_copy(&m->arena, text, length),
                           .len = length};
    m->tree = frontend_parse(&m->arena, &m->names, &diags, source, library->tree, &file_loader);
    compilation_forget();
    export_diagnostics(&diags, diagnostics);
    if (diags.errors) {
        destroy(m);
        return ACTC_E_SOURCE;
    }
    m->key = key_of_module(source.text, length, m->tree);
    describe_module(m);
    m->arena.out = NULL; /* nothing is added any more */
    *out = m;
    return ACTC_OK;
}

actc_status actc_module_library(actc_context *ctx, actc_module **out) {
    if (out) *out = NULL;
    if (!ctx || !out) return ACTC_E_ARGUMENT;
    const Library *library = context_library(ctx);
    actc_module *m = library ? new_module(ctx) : NULL;
    if (!m) return ACTC_E_MEMORY;
    jmp_buf no_memory;
    arena_init(&m->arena, ctx->allocator, 0, &no_memory);
    if (setjmp(no_memory)) {
        destroy(m);
        return ACTC_E_MEMORY;
    }
    intern_init(&m->names, &m->arena);
    m->names.parent = &library->names;
    m->tree = library->tree;
    m->key = key_of_module("", 0, NULL); /* its functions are every module's */
    describe_module(m);
    m->arena.out = NULL;
    *out = m;
    return ACTC_OK;
}

actc_module *actc_module_retain(actc_module *m) {
    if (m) atomic_fetch_add(&m->references, 1);
    return m;
}

void actc_module_release(actc_module *m) {
    if (m && atomic_fetch_sub(&m->references, 1) == 1) destroy(m);
}

const Def *module_function(const actc_module *m, size_t index) {
    for (size_t i = 0; m->tree && i < module_def_count(m->tree); i++) {
        const Def *d = module_def(m->tree, i);
        if (d->kind != DEF_CONSTANT && index-- == 0) return d;
    }
    return NULL;
}
