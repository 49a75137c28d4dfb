/* Contexts: the standard library, parsed when it is first needed, and the code generator, opened
 * when that is. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <stdio.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "runtime.h"

actc_status actc_context_create(const actc_context_options *options, actc_context **out) {
    if (!out) return ACTC_E_ARGUMENT;
    *out = NULL;
    actc_context_options o = {.size = sizeof o};
    if (options && options->size < sizeof options->size) return ACTC_E_ARGUMENT;
    if (options) memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
    const Allocator from = o.resize ? (Allocator){o.resize, o.resize_user} : allocator_libc;
    actc_context *ctx = memory_new(&from, sizeof *ctx);
    if (!ctx) return ACTC_E_MEMORY;
    atomic_init(&ctx->references, 1);
    ctx->allocator = from;
    ctx->log = o.log;
    ctx->log_user = o.log_user;
    if (o.library_folder &&
        !(ctx->library_folder = memory_text(&from, o.library_folder, strlen(o.library_folder)))) {
        memory_free(ctx);
        return ACTC_E_MEMORY;
    }
    bool ready = pthread_mutex_init(&ctx->lock, NULL) == 0;
    if (ready && pthread_mutex_init(&ctx->library_lock, NULL) != 0) {
        pthread_mutex_destroy(&ctx->lock);
        ready = false;
    }
    if (!ready) {
        memory_free(ctx->library_folder);
        memory_free(ctx);
        return ACTC_E_SYSTEM;
    }
    *out = ctx;
    return ACTC_OK;
}

actc_context *actc_context_retain(actc_context *ctx) {
    if (ctx) atomic_fetch_add(&ctx->references, 1);
    return ctx;
}

void actc_context_release(actc_context *ctx) {
    if (!ctx || atomic_fetch_sub(&ctx->references, 1) != 1) return;
    if (ctx->jit) ctx->backend->destroy(ctx->jit);
    if (ctx->library.tree) arena_free(&ctx->library.arena);
    pthread_mutex_destroy(&ctx->library_lock);
    pthread_mutex_destroy(&ctx->lock);
    memory_free(ctx->library_folder);
    memory_free(ctx);
}

double clock_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void context_log(const actc_context *ctx, const char *fmt, ...) {
    if (!ctx->log) return;
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ctx->log(ctx->log_user, text);
}

/* ---- the standard library ---- */

/* The way out of memory ends here, so that it crosses no lock. */
static bool parse_library(Library *library, Allocator from) {
    jmp_buf out;
    arena_init(&library->arena, from, 0, &out);
    if (setjmp(out)) {
        arena_free(&library->arena);
        return false;
    }
    Diags diags;
    diags_init(&diags, &library->arena);
    intern_init(&library->names, &library->arena);
    Module *tree = frontend_library(&library->arena, &library->names, &diags);
    library->arena.out = NULL; /* nothing is added any more */
    library->tree = tree;
    return true;
}

const Library *context_library(actc_context *ctx) {
    pthread_mutex_lock(&ctx->library_lock);
    const bool ready = ctx->library.tree || parse_library(&ctx->library, ctx->allocator);
    pthread_mutex_unlock(&ctx->library_lock);
    compilation_forget();
    return ready ? &ctx->library : NULL;
}

/* ---- the code generator ---- */

/* Never closed again: LLVM registers things that outlive its last user, and opening it twice costs
 * 10 ms. */
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
        memcpy(&get, &symbol,
               sizeof get); /* ISO C has no conversion from object to function pointers */
        const Backend *backend = get ? get() : NULL;
        if (!backend || backend->version != BACKEND_VERSION)
            return "libactc-llvm.so is of another version";
        ctx->backend = backend;
    }
    const Target host = {NULL, NULL, NULL};
    return ctx->backend->create(&host, &ctx->jit);
}
