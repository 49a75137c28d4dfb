/* See peer.h. Compiled with -O3 -march=native -ffast-math: gcc calls the vector functions of
 * glibc's libmvec. */
#include "peer.h"

#include <math.h>

void peer_sigmoid(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = 1 / (1 + expf(-x[i]));
}

void peer_tanh(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = tanhf(x[i]);
}

void peer_relu(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : 0;
}

void peer_elu(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : expf(x[i]) - 1;
}

void peer_softplus(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = log1pf(expf(x[i]));
}

void peer_silu(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] / (1 + expf(-x[i]));
}

void peer_mish(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * tanhf(log1pf(expf(x[i])));
}

void peer_gelu(size_t n, const float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] * 0.5f * (1 + erff(x[i] * 0.70710678f));
}

void peer_sigmoid_backward(size_t n, const float *restrict x, const float *restrict dy,
                           float *restrict dx) {
    for (size_t i = 0; i < n; i++) {
        const float s = 1 / (1 + expf(-x[i]));
        dx[i] = dy[i] * s * (1 - s);
    }
}

void peer_mish_backward(size_t n, const float *restrict x, const float *restrict dy,
                        float *restrict dx) {
    for (size_t i = 0; i < n; i++) {
        const float e = expf(x[i]), t = tanhf(log1pf(e));
        dx[i] = dy[i] * (t + x[i] * (1 - t * t) * e / (1 + e));
    }
}
