/* Elementary functions, f32: kernels of actc beside libmvec and, where it is installed, SLEEF, in
 * one process on the same arrays, turn by turn.
 *
 *     elementary [NAME…]
 *
 * Prints nanoseconds per element, the smallest of many repeats, and how many times actc's the
 * others need. bench/torch_elementary.py does the same with PyTorch. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"
#include "clock.h"

typedef void Unary(size_t n, const float *x, float *y);

#define ROW(name, c, sleef, ulp, lo, hi) Unary libmvec_##name;
#include "elementary.def"
#undef ROW
#ifdef HAVE_SLEEF
#define ROW(name, c, sleef, ulp, lo, hi) Unary sleef_##name;
#include "elementary.def"
#undef ROW
#define SLEEF(name) sleef_##name
#else
#define SLEEF(name) NULL
#endif

enum { ACTC, LIBMVEC, SLEEF_, WHO };

static const struct {
    const char *name;
    Unary *peer[WHO];
    float lo, hi;
} rows[] = {
#define ROW(name, c, sleef, ulp, lo, hi) {#name, {NULL, libmvec_##name, SLEEF(name)}, lo, hi},
#include "elementary.def"
#undef ROW
};

static const size_t sizes[] = {16 * 1024, 1024 * 1024};

static void measure(Unary *const *who, size_t n, const float *x, float *y, double *best) {
    const size_t inner = n > 100000 ? 1 : 20;
    for (int k = 0; k < WHO; k++) best[k] = 1e30;
    const double end = clock_ns() + 0.3e9;
    for (int round = 0; round < 20 || clock_ns() < end; round++)
        for (int k = 0; k < WHO; k++) {
            if (!who[k]) continue;
            const double start = clock_ns();
            for (size_t i = 0; i < inner; i++) who[k](n, x, y);
            const double t = (clock_ns() - start) / (double)(n * inner);
            if (t < best[k]) best[k] = t;
        }
}

static void measure_row(actc_module *module, size_t r, float *x, float *y) {
    char text[32];
    snprintf(text, sizeof text, "%s(x)", rows[r].name);
    actc_kernel *kernel;
    actc_diagnostics *d;
    if (actc_kernel_compile(module, text, NULL, &kernel, &d) != ACTC_OK) {
        fputs(actc_diagnostics_text(d), stderr);
        exit(3);
    }
    Unary *const who[WHO] = {(Unary *)actc_kernel_function(kernel), rows[r].peer[LIBMVEC],
                             rows[r].peer[SLEEF_]};
    for (size_t s = 0; s < 2; s++) {
        unsigned seed = 1;
        for (size_t i = 0; i < sizes[s]; i++) {
            seed = seed * 1664525u + 1013904223u;
            x[i] = rows[r].lo + (rows[r].hi - rows[r].lo) * (float)(seed >> 8) * 0x1p-24f;
        }
        double best[WHO];
        measure(who, sizes[s], x, y, best);
        printf("%-6s %8zu %8.3f %8.3f %6.2f", rows[r].name, sizes[s], best[ACTC], best[LIBMVEC],
               best[LIBMVEC] / best[ACTC]);
        if (who[SLEEF_]) printf(" %8.3f %6.2f", best[SLEEF_], best[SLEEF_] / best[ACTC]);
        putchar('\n');
        fflush(stdout);
    }
    actc_kernel_release(kernel);
}

int main(int argc, char **argv) {
    actc_context *ctx;
    actc_module *module;
    float *x = aligned_alloc(64, sizes[1] * sizeof *x),
          *y = aligned_alloc(64, sizes[1] * sizeof *y);
    if (!x || !y || actc_context_create(NULL, &ctx) ||
        actc_module_parse(ctx, "bench", "", 0, &module, NULL))
        return 3;
    printf("ns     elements     actc  libmvec  ratio%s\n",
           rows[0].peer[SLEEF_] ? "    SLEEF  ratio" : "");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bool wanted = argc < 2;
        for (int i = 1; i < argc; i++) wanted = wanted || strcmp(argv[i], rows[r].name) == 0;
        if (wanted) measure_row(module, r, x, y);
    }
    actc_module_release(module);
    actc_context_release(ctx);
    free(x);
    free(y);
    return 0;
}
