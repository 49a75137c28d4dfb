/* Kernels of actc beside the same function in C (peer.c), in one process on the same arrays, turn
 * by turn.
 *
 * Prints nanoseconds per element: the smallest of many repeats, which is what the machine can do
 * when nobody disturbs it. Some address layouts slow a kernel for a whole process: believe a loss
 * only if it recurs over several runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"
#include "clock.h"
#include "peer.h"

typedef void Unary(size_t n, const float *x, float *y);
typedef void Binary(size_t n, const float *x, const float *dy, float *dx);

static const struct {
    const char *name;
    actc_kind kind;
    Unary *forward;
    Binary *backward;
} rows[] = {
    {"relu", ACTC_FORWARD, peer_relu, NULL},
    {"sigmoid", ACTC_FORWARD, peer_sigmoid, NULL},
    {"tanh", ACTC_FORWARD, peer_tanh, NULL},
    {"elu", ACTC_FORWARD, peer_elu, NULL},
    {"softplus", ACTC_FORWARD, peer_softplus, NULL},
    {"silu", ACTC_FORWARD, peer_silu, NULL},
    {"mish", ACTC_FORWARD, peer_mish, NULL},
    {"gelu", ACTC_FORWARD, peer_gelu, NULL},
    {"sigmoid", ACTC_BACKWARD, NULL, peer_sigmoid_backward},
    {"mish", ACTC_BACKWARD, NULL, peer_mish_backward},
};

static const size_t sizes[] = {16 * 1024, 1024 * 1024};

static float *make_array(size_t n, unsigned seed) {
    float *p = aligned_alloc(64, n * sizeof *p);
    if (!p) exit(3);
    for (size_t i = 0; i < n; i++) { /* between -8 and 8 */
        seed = seed * 1664525u + 1013904223u;
        p[i] = (float)(seed >> 8) * 0x1p-20f - 8;
    }
    return p;
}

static void measure(const actc_kernel *k, size_t row, size_t n, double *ours, double *theirs) {
    float *x = make_array(n, 1), *dy = make_array(n, 2), *out = make_array(n, 3);
    actc_function *f = actc_kernel_function(k);
    const size_t inner = n > 100000 ? 1 : 20;
    *ours = *theirs = 1e30;
    const double end = clock_ns() + 0.6e9;
    while (clock_ns() < end)
        for (int who = 0; who < 2; who++) {
            const double start = clock_ns();
            for (size_t i = 0; i < inner; i++) {
                if (rows[row].forward)
                    (who ? rows[row].forward : (Unary *)f)(n, x, out);
                else
                    (who ? rows[row].backward : (Binary *)f)(n, x, dy, out);
            }
            const double t = (clock_ns() - start) / (double)(n * inner);
            double *best = who ? theirs : ours;
            if (t < *best) *best = t;
        }
    free(x);
    free(dy);
    free(out);
}

int main(void) {
    actc_context *ctx;
    actc_module *module;
    if (actc_context_create(NULL, &ctx) || actc_module_parse(ctx, "bench", "", 0, &module, NULL))
        return 3;
    printf("%-18s %9s %10s %10s %8s\n", "ns per element", "elements", "actc", "gcc -O3*", "ratio");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const actc_kernel_options options = {.size = sizeof options, .kind = rows[i].kind};
        actc_kernel *k;
        actc_diagnostics *d;
        if (actc_kernel_compile(module, rows[i].name, &options, &k, &d) != ACTC_OK) {
            fputs(actc_diagnostics_text(d), stderr);
            return 3;
        }
        for (size_t s = 0; s < 2; s++) {
            double ours, theirs;
            measure(k, i, sizes[s], &ours, &theirs);
            printf("%-8s %-9s %9zu %10.3f %10.3f %8.2f\n", rows[i].name,
                   rows[i].forward ? "forward" : "backward", sizes[s], ours, theirs, theirs / ours);
        }
        actc_kernel_release(k);
    }
    printf("* gcc -O3 -march=native -ffast-math, with libmvec\n");
    actc_module_release(module);
    actc_context_release(ctx);
    return 0;
}
