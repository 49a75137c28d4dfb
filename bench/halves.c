/* The same functions on arrays of f32, f16 and bf16, turn by turn in one process: what conversion
 * costs where the cache is fast, and what half the bytes save where it is not.
 *
 * Nanoseconds per element, the smallest of many repeats. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"
#include "clock.h"

typedef void Unary(size_t n, const void *x, void *y);

static const char *const functions[] = {"relu", "silu", "gelu", "tanh"};
static const size_t sizes[] = {16 * 1024, 1024 * 1024};
static const struct {
    const char *name;
    actc_dtype dtype;
    size_t bytes;
} types[] = {{"f32", ACTC_F32, 4}, {"f16", ACTC_F16, 2}, {"bf16", ACTC_BF16, 2}};
enum { TYPES = sizeof types / sizeof *types };

/* Between 2^-2 and 2^3, of both signs. */
static void *make_array(int type, size_t n) {
    char *p = aligned_alloc(64, n * types[type].bytes);
    if (!p) exit(3);
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        const uint32_t exponent = (seed >> 16) % 5, random = seed ^ seed >> 13;
        const uint32_t single = (seed & 0x80000000u) | (125 + exponent) << 23 | (random & 0x7fffff);
        const uint16_t f16 =
            (uint16_t)(seed >> 16 & 0x8000) | (uint16_t)((13 + exponent) << 10 | (random & 0x3ff));
        const uint16_t half = types[type].dtype == ACTC_F16 ? f16 : (uint16_t)(single >> 16);
        if (types[type].bytes == 4)
            memcpy(p + 4 * i, &single, 4);
        else
            memcpy(p + 2 * i, &half, 2);
    }
    return p;
}

static void measure(actc_kernel *const kernels[TYPES], size_t n, double best[TYPES]) {
    void *x[TYPES], *y[TYPES];
    for (int t = 0; t < TYPES; t++)
        x[t] = make_array(t, n), y[t] = make_array(t, n), best[t] = 1e30;
    const size_t inner = n > 100000 ? 1 : 20;
    const double end = clock_ns() + 0.9e9;
    while (clock_ns() < end)
        for (int t = 0; t < TYPES; t++) {
            Unary *f = (Unary *)actc_kernel_function(kernels[t]);
            const double start = clock_ns();
            for (size_t i = 0; i < inner; i++) f(n, x[t], y[t]);
            const double each = (clock_ns() - start) / (double)(n * inner);
            if (each < best[t]) best[t] = each;
        }
    for (int t = 0; t < TYPES; t++) free(x[t]), free(y[t]);
}

int main(void) {
    actc_context *ctx;
    actc_module *module;
    if (actc_context_create(NULL, &ctx) || actc_module_library(ctx, &module)) return 3;
    printf("%-18s %9s %10s %10s %10s %10s %10s\n", "ns per element", "elements", "f32", "f16",
           "bf16", "f32/f16", "f32/bf16");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        actc_kernel *kernels[TYPES];
        for (int t = 0; t < TYPES; t++) {
            const actc_kernel_options options = {.size = sizeof options, .dtype = types[t].dtype};
            actc_diagnostics *d;
            if (actc_kernel_compile(module, functions[i], &options, &kernels[t], &d)) {
                fputs(actc_diagnostics_text(d), stderr);
                return 3;
            }
        }
        for (size_t s = 0; s < 2; s++) {
            double best[TYPES];
            measure(kernels, sizes[s], best);
            printf("%-8s %-9s %9zu %10.3f %10.3f %10.3f %10.2f %10.2f\n", functions[i], "forward",
                   sizes[s], best[0], best[1], best[2], best[0] / best[1], best[0] / best[2]);
        }
        for (int t = 0; t < TYPES; t++) actc_kernel_release(kernels[t]);
    }
    actc_module_release(module);
    actc_context_release(ctx);
    return 0;
}
