/* Defines an activation at run time, runs it forward and backward, and trains with it.
 *
 *     define 'x*tanh(softplus(x))' -2 -1 0 1 2
 *
 * prints x, y and dy/dx for each number, then fits the line under the activation, f(w*x + b), to a
 * step. */
#include <actc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void Forward(size_t n, const float *x, float *y);
typedef void Backward(size_t n, const float *x, const float *dy, float *dx);

enum { MOST = 64, SAMPLES = 64, STEPS = 2000 };

/* Plain gradient descent on mean((f(w*x + b) - target)^2); gives the last loss. */
static float train(Forward *forward, Backward *backward, float rate, int steps) {
    float x[SAMPLES], target[SAMPLES], z[SAMPLES], y[SAMPLES], dy[SAMPLES], dz[SAMPLES];
    float w = 0.5f, b = 0, loss = 0;
    for (int i = 0; i < SAMPLES; i++) {
        x[i] = 4.0f * (float)i / (SAMPLES - 1) - 2;
        target[i] = x[i] > 0 ? 1.0f : 0.0f;
    }
    for (int step = 0; step <= steps; step++) {
        float dw = 0, db = 0;
        for (int i = 0; i < SAMPLES; i++) z[i] = w * x[i] + b;
        forward(SAMPLES, z, y);
        loss = 0;
        for (int i = 0; i < SAMPLES; i++) {
            loss += (y[i] - target[i]) * (y[i] - target[i]) / SAMPLES;
            dy[i] = 2 * (y[i] - target[i]) / SAMPLES;
        }
        backward(SAMPLES, z, dy, dz);
        for (int i = 0; i < SAMPLES; i++) dw += dz[i] * x[i], db += dz[i];
        if (step < steps) w -= rate * dw, b -= rate * db;
    }
    return loss;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: define 'FORMULA in x' [number…]\n");
        return 2;
    }
    actc_context *ctx = NULL;
    actc_module *module = NULL;
    actc_kernel *kernels[2] = {NULL, NULL};
    actc_diagnostics *said = NULL;
    const actc_kernel_options backward_options = {.size = sizeof backward_options,
                                                  .kind = ACTC_BACKWARD};
    const actc_request requests[2] = {{argv[1], NULL}, {argv[1], &backward_options}};

    actc_status status = actc_context_create(NULL, &ctx);
    /* A module may be empty: the formula is given to the compiler as it is. */
    if (status == ACTC_OK) status = actc_module_parse(ctx, "none", "", 0, &module, &said);
    if (status == ACTC_OK) status = actc_kernels_compile(module, requests, 2, kernels, &said);
    if (status == ACTC_OK && actc_kernel_argument_count(kernels[0]) != 2) {
        fprintf(stderr, "the formula must have one input\n");
        status = ACTC_E_ARGUMENT;
    }
    if (status != ACTC_OK) {
        fprintf(stderr, "%s%s\n", actc_diagnostics_text(said), actc_status_text(status));
    } else {
        Forward *forward = (Forward *)actc_kernel_function(kernels[0]);
        Backward *backward = (Backward *)actc_kernel_function(kernels[1]);
        float x[MOST], y[MOST], dx[MOST], ones[MOST];
        size_t n = 0;
        for (; n < MOST && n + 2 < (size_t)argc; n++) x[n] = strtof(argv[n + 2], NULL), ones[n] = 1;
        forward(n, x, y);
        backward(n, x, ones, dx);
        for (size_t i = 0; i < n; i++)
            printf("f(%g) = %.9g, f'(%g) = %.9g\n", x[i], y[i], x[i], dx[i]);
        printf("loss %.3f, after training %.3f\n", train(forward, backward, 0.1f, 0),
               train(forward, backward, 0.1f, STEPS));
    }
    actc_diagnostics_release(said);
    for (int i = 0; i < 2; i++) actc_kernel_release(kernels[i]);
    actc_module_release(module);
    actc_context_release(ctx);
    return status == ACTC_OK ? 0 : 1;
}
