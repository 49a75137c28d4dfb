/* The functions as users get them: through the library, by its JIT and as emitted C. */
#define _GNU_SOURCE /* mkdtemp, dlopen */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accuracy.h"

/* What the comment of the emitted file tells to use. */
#define OPTIONS "-std=c99 -O3 -march=native -fno-math-errno -fno-trapping-math -shared -fPIC"

static void fail(const char *what, const actc_diagnostics *d) {
    fprintf(stderr, "accuracy: %s\n%s", what, d ? actc_diagnostics_text(d) : "");
    exit(3);
}

/* One definition for each operation; the names of the operations themselves are taken. */
static void define(Buf *text) {
    for (int op = 0; op < OP_COUNT; op++) {
        if (!claims_concern((Op)op)) continue;
        const char *name = op_info[op].name;
        if (op_info[op].nargs == 2)
            buf_printf(text, "f_%s(x, y) = %s(x, y)\n", name, name);
        else
            buf_printf(text, "f_%s(x) = %s(x)\n", name, name);
    }
}

static void write_file(const char *path, actc_module *m, actc_format format) {
    const actc_emit_options options = {.size = sizeof options, .base = "kernels"};
    actc_bytes bytes;
    actc_diagnostics *d;
    if (actc_emit(m, format, &options, &bytes, &d)) fail("actc_emit", d);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes.data, 1, bytes.size, f) != bytes.size || fclose(f)) fail(path, NULL);
    actc_bytes_release(&bytes);
}

static void *compile_c(actc_module *m, const char *cc) {
    char folder[] = "/tmp/actc-accuracy-XXXXXX", command[1024], path[64];
    if (!mkdtemp(folder)) fail(folder, NULL);
    snprintf(path, sizeof path, "%s/kernels.c", folder);
    write_file(path, m, ACTC_FORMAT_C);
    snprintf(path, sizeof path, "%s/kernels.h", folder);
    write_file(path, m, ACTC_FORMAT_HEADER);
    snprintf(path, sizeof path, "%s/kernels.so", folder);
    snprintf(command, sizeof command, "%s " OPTIONS " %s/kernels.c -o %s -lm", cc, folder, path);
    void *library = system(command) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    if (system(command) != 0 || !library) fail("the emitted C does not compile", NULL);
    return library;
}

void kernels_open(Kernels *k, const char *cc) {
    *k = (Kernels){0};
    Arena arena;
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) fail("out of memory", NULL);
    arena_init(&arena, allocator_libc, 0, &out_of_memory);
    Buf text;
    buf_init(&text, &arena);
    define(&text);
    actc_diagnostics *d = NULL;
    if (actc_context_create(NULL, &k->context) ||
        actc_module_parse(k->context, "accuracy", text.s, text.len, &k->module, &d))
        fail("cannot parse the functions", d);
    arena_free(&arena);
    if (cc) k->library = compile_c(k->module, cc);
}

void kernels_close(Kernels *k) {
    if (k->library) dlclose(k->library);
    actc_module_release(k->module);
    actc_context_release(k->context);
}

actc_function *kernels_jit(const Kernels *k, Op op, Type type) {
    char name[64];
    snprintf(name, sizeof name, "f_%s", op_info[op].name);
    const actc_kernel_options options = {.size = sizeof options,
                                         .dtype = type == TYPE_F64 ? ACTC_F64 : ACTC_F32};
    actc_kernel *kernel;
    actc_diagnostics *d;
    if (actc_kernel_compile(k->module, name, &options, &kernel, &d)) fail(name, d);
    /* never released: it lives as long as the program */
    return actc_kernel_function(kernel);
}

actc_function *kernels_c(const Kernels *k, Op op) {
    char name[64];
    snprintf(name, sizeof name, "f_%s_forward", op_info[op].name);
    void *symbol = dlsym(k->library, name);
    if (!symbol) fail(name, NULL);
    actc_function *function;
    memcpy(&function, &symbol, sizeof function);
    return function;
}
