/* What a call costs besides the work: the raw function and checked tensors, 64 elements. */
#include <stdio.h>
#include <string.h>

#include "actc.h"
#include "clock.h"

typedef void Forward(size_t, const float *, float *);

enum { N = 64, CALLS = 200000, ROUNDS = 15 };

static actc_tensor tensor(float *data, int64_t *shape) {
    actc_tensor t;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.device.device_type = 1;
    t.ndim = 1;
    t.dtype.code = 2;
    t.dtype.bits = 32;
    t.dtype.lanes = 1;
    t.shape = shape;
    return t;
}

int main(void) {
    static const char *const names[] = {"identity", "relu", "mish"};
    actc_context *ctx;
    actc_module *m;
    if (actc_context_create(NULL, &ctx) != ACTC_OK || actc_module_library(ctx, &m) != ACTC_OK)
        return 1;
    for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
        actc_kernel *k;
        if (actc_kernel_compile(m, names[f], NULL, &k, NULL) != ACTC_OK) return 1;
        Forward *raw = (Forward *)actc_kernel_function(k);
        float x[N] = {0.5f}, y[N];
        int64_t shape[] = {N};
        const actc_tensor tx = tensor(x, shape), ty = tensor(y, shape);
        const actc_tensor *const args[] = {&tx, &ty};
        double best_raw = 1e9, best_checked = 1e9;
        for (int round = 0; round < ROUNDS; round++) {
            double start = clock_ns();
            for (int i = 0; i < CALLS; i++) raw(N, x, y);
            const double each = (clock_ns() - start) / CALLS;
            if (each < best_raw) best_raw = each;
            start = clock_ns();
            for (int i = 0; i < CALLS; i++)
                if (actc_kernel_run(k, args, 2, NULL) != ACTC_OK) return 1;
            const double checked = (clock_ns() - start) / CALLS;
            if (checked < best_checked) best_checked = checked;
        }
        printf("%-10s 64 elements: raw %6.1f ns   checked tensors %6.1f ns\n", names[f], best_raw,
               best_checked);
        actc_kernel_release(k);
    }
    actc_module_release(m), actc_context_release(ctx);
    return 0;
}
