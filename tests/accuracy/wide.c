/* Elementary functions of arrays, in f64, by the C library. This file alone is compiled with
 * -ffast-math, which lets gcc call the vector functions of glibc; there is nothing in it that the
 * compiler could rearrange. */
#include "wide.h"

#include <math.h>

#define WIDE(f)                                                                                    \
    void wide_##f(size_t n, const double *restrict x, double *restrict y) {                        \
        for (size_t i = 0; i < n; i++) y[i] = f(x[i]);                                             \
    }
#include "wide.def"
