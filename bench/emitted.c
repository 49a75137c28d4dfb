/* Emitted C beside the JIT, in one process on the same arrays, turn by turn; and what emitting the
 * library costs.
 *
 *     emitted EXAMPLES_FOLDER [COMPILER…]     compilers: gcc clang-14 clang-19, where they are
 * installed
 *
 * Prints nanoseconds per element, the smallest of many repeats, and how many times the JIT's each
 * compiler needs with the options that the comment of the file names. Compiles into a folder of its
 * own under TMPDIR. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actc.h"
#include "clock.h"

#define OPTIONS "-std=c99 -O3 -march=native -fno-math-errno -fno-trapping-math -shared -fPIC"

typedef void Unary(size_t n, const float *x, float *y);
typedef void Binary(size_t n, const float *x, const float *dy, float *dx);

enum { N = 16 * 1024, MOST = 4, REPEATS = 20 };

static const struct {
    const char *name;
    actc_kind kind;
    const char *symbol;
} rows[] = {
    {"sigmoid", ACTC_FORWARD, "sigmoid_forward"},   {"mish", ACTC_FORWARD, "mish_forward"},
    {"gelu", ACTC_FORWARD, "gelu_forward"},         {"tanh", ACTC_FORWARD, "tanh_forward"},
    {"sigmoid", ACTC_BACKWARD, "sigmoid_backward"}, {"mish", ACTC_BACKWARD, "mish_backward"},
    {"gelu", ACTC_BACKWARD, "gelu_backward"},       {"tanh", ACTC_BACKWARD, "tanh_backward"},
};

static const actc_kind kinds[] = {ACTC_FORWARD, ACTC_BACKWARD, ACTC_FORWARD_BACKWARD,
                                  ACTC_BACKWARD2};

static void fail(const char *what, const actc_diagnostics *d) {
    fprintf(stderr, "%s\n%s", what, d ? actc_diagnostics_text(d) : "");
    exit(3);
}

/* Dynamic symbols are objects to C and functions to POSIX. */
static void *symbol(void *library, const char *name) {
    void *p = dlsym(library, name);
    if (!p) fail(name, NULL);
    return p;
}

/* ---- speed ---- */

static void write_kernels(actc_module *m, actc_format format, const char *path) {
    static const char *const names[] = {"sigmoid", "mish", "gelu", "tanh"};
    const actc_emit_options options = {.size = sizeof options,
                                       .functions = names,
                                       .function_count = 4,
                                       .kinds = kinds,
                                       .kind_count = 2,
                                       .base = "kernels"};
    actc_bytes bytes;
    actc_diagnostics *d;
    if (actc_emit(m, format, &options, &bytes, &d)) fail("actc_emit", d);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes.data, 1, bytes.size, f) != bytes.size || fclose(f)) fail(path, NULL);
    actc_bytes_release(&bytes);
}

static void *build(const char *compiler, const char *folder) {
    char command[1024], path[512];
    snprintf(command, sizeof command,
             "command -v %s >/dev/null && %s " OPTIONS " %s/kernels.c -o %s/%s.so -lm", compiler,
             compiler, folder, folder, compiler);
    if (system(command) != 0) return NULL;
    snprintf(path, sizeof path, "%s/%s.so", folder, compiler);
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static void measure(bool forward, void *const *functions, size_t count, double *best) {
    static _Alignas(64) float x[N], dy[N], out[N];
    unsigned seed = 1;
    for (size_t i = 0; i < N; i++) { /* between -8 and 8 */
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) * 0x1p-20f - 8;
        dy[i] = 1.25f;
    }
    for (size_t k = 0; k < count; k++) best[k] = 1e30;
    const double end = clock_ns() + 0.5e9;
    while (clock_ns() < end)
        for (size_t k = 0; k < count; k++) {
            Unary *unary;
            Binary *binary;
            memcpy(&unary, &functions[k], sizeof unary);
            memcpy(&binary, &functions[k], sizeof binary);
            const double start = clock_ns();
            for (int i = 0; i < REPEATS; i++) {
                if (forward)
                    unary(N, x, out);
                else
                    binary(N, x, dy, out);
            }
            const double t = (clock_ns() - start) / ((double)N * REPEATS);
            if (t < best[k]) best[k] = t;
        }
}

static void compare_speed(actc_module *m, const char *const *compilers, size_t count,
                          const char *folder) {
    char path[512];
    snprintf(path, sizeof path, "%s/kernels.h", folder);
    write_kernels(m, ACTC_FORMAT_HEADER, path);
    snprintf(path, sizeof path, "%s/kernels.c", folder);
    write_kernels(m, ACTC_FORMAT_C, path);
    void *libraries[MOST];
    size_t built = 0;
    printf("%-18s %8s", "ns per element", "JIT");
    for (size_t i = 0; i < count && i < MOST; i++) {
        libraries[built] = build(compilers[i], folder);
        if (libraries[built]) built++, printf(" %9s ratio", compilers[i]);
    }
    putchar('\n');
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const actc_kernel_options options = {.size = sizeof options, .kind = rows[r].kind};
        actc_kernel *kernel;
        actc_diagnostics *d;
        if (actc_kernel_compile(m, rows[r].name, &options, &kernel, &d)) fail(rows[r].name, d);
        void *functions[MOST + 1];
        double best[MOST + 1];
        actc_function *jit = actc_kernel_function(kernel);
        memcpy(&functions[0], &jit, sizeof jit);
        for (size_t i = 0; i < built; i++) functions[i + 1] = symbol(libraries[i], rows[r].symbol);
        measure(rows[r].kind == ACTC_FORWARD, functions, built + 1, best);
        printf("%-18s %8.3f", rows[r].symbol, best[0]);
        for (size_t i = 0; i < built; i++)
            printf(" %9.3f %5.2f", best[i + 1], best[i + 1] / best[0]);
        putchar('\n');
        actc_kernel_release(kernel);
    }
    for (size_t i = 0; i < built; i++) dlclose(libraries[i]);
}

/* ---- what emitting costs ---- */

static void measure_emission(actc_context *ctx, const char *path) {
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    if (!f) fail(path, NULL);
    const size_t length = fread(text, 1, sizeof text, f);
    fclose(f);
    actc_module *m;
    actc_diagnostics *d;
    if (actc_module_parse(ctx, path, text, length, &m, &d)) fail(path, d);
    static const struct {
        actc_format format;
        const char *name;
    } formats[] = {
        {ACTC_FORMAT_C, "C"}, {ACTC_FORMAT_HEADER, "header"}, {ACTC_FORMAT_OBJECT, "object"}};
    for (size_t i = 0; i < 3; i++)
        for (int wide = 0; wide < 2; wide++) {
            const actc_emit_options options = {.size = sizeof options,
                                               .kinds = kinds,
                                               .kind_count = 4,
                                               .dtype = wide ? ACTC_F64 : ACTC_F32};
            double best = 1e30;
            size_t size = 0;
            for (int k = 0; k < 5; k++) {
                actc_bytes bytes;
                const double start = clock_ns();
                if (actc_emit(m, formats[i].format, &options, &bytes, &d)) fail("actc_emit", d);
                const double t = clock_ns() - start;
                if (t < best) best = t;
                size = bytes.size;
                actc_bytes_release(&bytes);
            }
            printf("%s, %zu functions x 4 kinds, %s, %-7s %8.1f ms %8.1f kB\n",
                   strrchr(path, '/') + 1, actc_module_function_count(m), wide ? "f64" : "f32",
                   formats[i].name, best * 1e-6, (double)size * 1e-3);
        }
    actc_module_release(m);
}

int main(int argc, char **argv) {
    static const char *const usual[] = {"gcc", "clang-14", "clang-19"};
    actc_context *ctx;
    actc_module *m;
    char folder[256], path[4096];
    if (argc < 2) return fputs("usage: emitted EXAMPLES_FOLDER [COMPILER…]\n", stderr), 2;
    snprintf(folder, sizeof folder, "%s/actc-bench-XXXXXX",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(folder)) fail(folder, NULL);
    if (actc_context_create(NULL, &ctx) || actc_module_parse(ctx, "bench", "", 0, &m, NULL))
        return 3;
    if (argc > 2)
        compare_speed(m, (const char *const *)argv + 2, (size_t)argc - 2, folder);
    else
        compare_speed(m, usual, 3, folder);
    DIR *examples = opendir(argv[1]);
    if (!examples) fail(argv[1], NULL);
    for (struct dirent *e; (e = readdir(examples));) {
        const size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 4, ".act") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", argv[1], e->d_name);
        measure_emission(ctx, path);
    }
    closedir(examples);
    actc_module_release(m);
    actc_context_release(ctx);
    snprintf(path, sizeof path, "rm -r '%s'", folder);
    return system(path) ? 3 : 0;
}
