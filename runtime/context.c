/* Contexts: the standard library, parsed when it is first needed, and the code generator, opened
 * when that is. */
#define _GNU_SOURCE /* dladdr */
#include <dlfcn.h>
#include <stdio.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

enum { DEFAULT_CACHE = 64 << 20 };

static actc_status copy_path(const Allocator *from, const char *path, char **out) {
    *out = path && *path ? memory_text(from, path, strlen(path)) : NULL;
    return path && *path && !*out ? ACTC_E_MEMORY : ACTC_OK;
}

static bool make_locks(actc_context *ctx) {
    pthread_mutex_t *const locks[] = {&ctx->lock, &ctx->library_lock, &ctx->kernels_lock};
    for (size_t i = 0; i < 3; i++) {
        if (pthread_mutex_init(locks[i], NULL) == 0) continue;
        while (i-- > 0) pthread_mutex_destroy(locks[i]);
        return false;
    }
    return true;
}

static void free_context(actc_context *ctx) {
    memory_free(ctx->library_folder);
    memory_free(ctx->cache_folder);
    memory_free(ctx);
}

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
    ctx->cache_bytes = o.cache_bytes ? o.cache_bytes : DEFAULT_CACHE;
    actc_status status = copy_path(&from, o.library_folder, &ctx->library_folder);
    if (status == ACTC_OK) status = copy_path(&from, o.cache_folder, &ctx->cache_folder);
    if (status == ACTC_OK && !make_locks(ctx)) status = ACTC_E_SYSTEM;
    if (status != ACTC_OK) {
        free_context(ctx);
        return status;
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
    for (int i = 0; i < 2; i++)
        if (ctx->rules[i].patterns) arena_free(&ctx->rules[i].arena);
    pthread_mutex_destroy(&ctx->library_lock);
    pthread_mutex_destroy(&ctx->kernels_lock);
    pthread_mutex_destroy(&ctx->lock);
    free_context(ctx);
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

static bool read_rules(actc_context *ctx, Type real, int at) {
    jmp_buf out;
    Arena *arena = &ctx->rules[at].arena;
    arena_init(arena, ctx->allocator, 0, &out);
    if (setjmp(out)) {
        arena_free(arena);
        return false;
    }
    const struct Rules *patterns = rules_new(arena, real);
    arena->out = NULL; /* nothing is added any more */
    ctx->rules[at].patterns = patterns;
    return true;
}

const struct Rules *context_rules(actc_context *ctx, Type real) {
    const int at = real == TYPE_F64;
    pthread_mutex_lock(&ctx->library_lock);
    const bool ready = ctx->rules[at].patterns || read_rules(ctx, real, at);
    pthread_mutex_unlock(&ctx->library_lock);
    compilation_forget();
    return ready ? ctx->rules[at].patterns : NULL;
}

/* ---- the code generator ---- */

static bool is_there(char *path, size_t size, const char *folder, size_t length,
                     const char *below) {
    const int n = snprintf(path, size, "%.*s%slibactc-llvm.so", (int)length, folder, below);
    return n > 0 && (size_t)n < size && access(path, R_OK) == 0;
}

bool context_backend_path(const actc_context *ctx, char *path, size_t size) {
    if (ctx->library_folder)
        return is_there(path, size, ctx->library_folder, strlen(ctx->library_folder), "/");
    Dl_info here;
    if (!dladdr((void *)(uintptr_t)actc_version, &here) || !here.dli_fname) return false;
    const char *slash = strrchr(here.dli_fname, '/');
    const size_t length = slash ? (size_t)(slash - here.dli_fname) + 1 : 0;
    return slash && (is_there(path, size, here.dli_fname, length, "") ||
                     is_there(path, size, here.dli_fname, length, "actc/"));
}

/* Never closed again: LLVM registers things that outlive its last user, and opening it twice costs
 * 10 ms. */
static void *open_library(const actc_context *ctx) {
    char path[4096];
    const bool found = context_backend_path(ctx, path, sizeof path);
    if (!found && ctx->library_folder) /* for the system to say what is wrong */
        is_there(path, sizeof path, ctx->library_folder, strlen(ctx->library_folder), "/");
    else if (!found)
        memcpy(path, "libactc-llvm.so", sizeof "libactc-llvm.so");
    return dlopen(path, RTLD_LAZY | RTLD_LOCAL);
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
