/* The elementary functions in loops, compiled with -O3 -march=native -ffast-math: gcc calls the
 * vector functions of glibc's libmvec (up to 4 ulp). */
#include <math.h>
#include <stddef.h>

#define ROW(name, c, sleef, ulp, lo, hi)                                                           \
    void libmvec_##name(size_t n, const float *x, float *y);                                       \
    void libmvec_##name(size_t n, const float *restrict x, float *restrict y) {                    \
        for (size_t i = 0; i < n; i++) y[i] = c(x[i]);                                             \
    }
#include "elementary.def"
