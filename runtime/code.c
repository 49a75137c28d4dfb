/* Code in memory: one object of kernels that were made together, loaded by image.c, or by LLVM
 * where that declines. */
#include <string.h>

#include "runtime.h"

Code *code_new(actc_context *ctx) {
    Code *code = memory_new(&ctx->allocator, sizeof *code);
    if (!code) return NULL;
    atomic_init(&code->references, 1);
    code->context = actc_context_retain(ctx);
    return code;
}

Code *code_retain(Code *code) {
    atomic_fetch_add(&code->references, 1);
    return code;
}

void code_release(Code *code) {
    if (!code || atomic_fetch_sub(&code->references, 1) != 1) return;
    actc_context *ctx = code->context;
    image_unload(&code->image);
    if (code->linked) {
        pthread_mutex_lock(&ctx->lock);
        ctx->backend->unload(code->linked);
        pthread_mutex_unlock(&ctx->lock);
    }
    memory_free(code);
    actc_context_release(ctx);
}

const char *code_load(Code *code, const Bytes *object, bool stored) {
    if (image_load(object->data, object->size, &code->image)) return NULL;
    if (stored && IMAGE_LOADER) return "it is no object of ours";
    actc_context *ctx = code->context;
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    if (!error) error = ctx->backend->load(ctx->jit, object, &code->linked);
    pthread_mutex_unlock(&ctx->lock);
    return error;
}

static void *find(const Code *code, const Bytes *object, const char *symbol) {
    if (code->image.base) return image_find(&code->image, object->data, object->size, symbol);
    pthread_mutex_lock(&code->context->lock);
    void *address = code->context->backend->entry(code->linked, symbol);
    pthread_mutex_unlock(&code->context->lock);
    return address;
}

bool code_entries(const Code *code, const Bytes *object, const char *symbol, bool with_entry,
                  actc_kernel *k) {
    void *function = find(code, object, symbol), *entry = NULL;
    if (with_entry) {
        static const char suffix[] = "__call";
        char name[LIMIT_SYMBOL + sizeof suffix];
        const size_t n = strlen(symbol);
        if (n > LIMIT_SYMBOL) return false;
        memcpy(name, symbol, n);
        memcpy(name + n, suffix, sizeof suffix);
        entry = find(code, object, name);
    }
    /* ISO C has no conversion to function pointers. */
    memcpy(&k->function, &function, sizeof function);
    memcpy(&k->entry, &entry, sizeof entry);
    return function && (entry || !with_entry);
}
