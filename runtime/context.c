/* Contexts: the code generator, opened when it is first needed. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

static char *copy_text(const char *s) {
    char *p = malloc(strlen(s) + 1);
    return p ? strcpy(p, s) : NULL;
}

actc_status actc_context_create(const actc_context_options *options, actc_context **out) {
    if (!out) return ACTC_E_ARGUMENT;
    *out = NULL;
    if (options && options->size < sizeof(actc_context_options)) return ACTC_E_ARGUMENT;
    actc_context *ctx = calloc(1, sizeof *ctx);
    if (!ctx) return ACTC_E_MEMORY;
    atomic_init(&ctx->references, 1);
    ctx->allocator = allocator_libc;
    if (options && options->library_folder && !(ctx->library_folder = copy_text(options->library_folder))) {
        free(ctx);
        return ACTC_E_MEMORY;
    }
    if (pthread_mutex_init(&ctx->lock, NULL) != 0) {
        free(ctx->library_folder);
        free(ctx);
        return ACTC_E_SYSTEM;
    }
    *out = ctx;
    return ACTC_OK;
}

actc_context *context_retain(actc_context *ctx) {
    atomic_fetch_add(&ctx->references, 1);
    return ctx;
}

void actc_context_release(actc_context *ctx) {
    if (!ctx || atomic_fetch_sub(&ctx->references, 1) != 1) return;
    if (ctx->jit) ctx->backend->destroy(ctx->jit);
    pthread_mutex_destroy(&ctx->lock);
    free(ctx->library_folder);
    free(ctx);
}

/* Never closed again: LLVM registers things that outlive its last user, and opening it twice costs 10 ms. */
static void *open_in(const char *folder, size_t length, const char *below) {
    char path[4096];
    const int n = snprintf(path, sizeof path, "%.*s%slibactc-llvm.so", (int)length, folder, below);
    return n > 0 && n < (int)sizeof path ? dlopen(path, RTLD_LAZY | RTLD_LOCAL) : NULL;
}

static void *open_library(const actc_context *ctx) {
    if (ctx->library_folder) return open_in(ctx->library_folder, strlen(ctx->library_folder), "/");
    Dl_info here;
    if (!dladdr((void *)(uintptr_t)actc_version, &here) || !here.dli_fname) return NULL;
    const char *slash = strrchr(here.dli_fname, '/');
    if (!slash) return dlopen("libactc-llvm.so", RTLD_LAZY | RTLD_LOCAL);
    const size_t length = (size_t)(slash - here.dli_fname) + 1;
    void *library = open_in(here.dli_fname, length, "");
    return library ? library : open_in(here.dli_fname, length, "actc/");
}

const char *context_open_backend(actc_context *ctx) {
    if (ctx->jit) return NULL;
    if (!ctx->backend) {
        void *library = open_library(ctx);
        if (!library) {
            const char *why = dlerror();
            return why ? why : "libactc-llvm.so is not beside libactc";
        }
        BackendFn *get;
        void *symbol = dlsym(library, BACKEND_SYMBOL);
        memcpy(&get, &symbol, sizeof get); /* ISO C has no conversion from object to function pointers */
        const Backend *backend = get ? get() : NULL;
        if (!backend || backend->version != BACKEND_VERSION) return "libactc-llvm.so is of another version";
        ctx->backend = backend;
    }
    const Target host = {NULL, NULL, NULL};
    return ctx->backend->create(&host, &ctx->jit);
}
