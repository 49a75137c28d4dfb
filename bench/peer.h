/* Activations as one writes them in C, for the compiler to make the best of. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#include <stddef.h>

void peer_sigmoid(size_t n, const float *x, float *y);
void peer_tanh(size_t n, const float *x, float *y);
void peer_relu(size_t n, const float *x, float *y);
void peer_elu(size_t n, const float *x, float *y);
void peer_softplus(size_t n, const float *x, float *y);
void peer_silu(size_t n, const float *x, float *y);
void peer_mish(size_t n, const float *x, float *y);
void peer_gelu(size_t n, const float *x, float *y);

void peer_sigmoid_backward(size_t n, const float *x, const float *dy, float *dx);
void peer_mish_backward(size_t n, const float *x, const float *dy, float *dx);

#endif
