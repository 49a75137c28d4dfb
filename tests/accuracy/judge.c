/* Loops over a block of results, written so that compilers make vector code of them. */
#include <math.h>
#include <string.h>

#include "accuracy.h"

static uint64_t bits_of(double v) {
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static double float_of(uint64_t u) {
    double v;
    memcpy(&v, &u, sizeof v);
    return v;
}

double judge(size_t n, const float *y, const double *r, int bound, double *error) {
    const double nearer = 1 - ldexp(1, bound), top = 0x1p128;
    int64_t worst = 0; /* positive doubles compare as their encodings do */
    for (size_t i = 0; i < n; i++) {
        const double v = (double)y[i];
        /* The ulp is that of the smallest number that the exact result can be. */
        int64_t e = (int64_t)(bits_of(fabs(r[i]) * nearer) >> 52);
        e = e < 1023 - 126 ? 1023 - 126 : e > 1023 + 127 ? 1023 + 127 : e;
        const double per_ulp = float_of((uint64_t)(2 * 1023 + 23 - e) << 52);
        const double limit = fabs(v) > top ? top : (double)INFINITY;
        const double yc = v > top ? top : v < -top ? -top : v;
        const double rc = r[i] > limit ? limit : r[i] < -limit ? -limit : r[i];
        double d = fabs(yc - rc) * per_ulp;
        d = (bits_of(v) ^ bits_of(r[i])) >> 63 ? (double)INFINITY : d;
        d = v != v && r[i] != r[i] ? 0 : d;
        error[i] = d;
        const int64_t order = (int64_t)(bits_of(d) & INT64_MAX);
        worst = order > worst ? order : worst;
    }
    const double w = float_of((uint64_t)worst);
    return w == w ? w : (double)INFINITY;
}

size_t judge_differing(size_t n, const float *a, const float *b, uint32_t flip) {
    const int32_t infinity = 0x7f800000;
    int32_t differing = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t u, v;
        memcpy(&u, &a[i], sizeof u);
        memcpy(&v, &b[i], sizeof v);
        const int32_t p = u & INT32_MAX, q = v & INT32_MAX, less = p < q ? p : q;
        const int32_t unlike = u ^ v ^ (int32_t)flip;
        differing += (less > infinity ? 0 : unlike) != 0 ? 1 : 0;
    }
    return (size_t)differing;
}

size_t judge_steps_back(size_t n, const float *y, int direction) {
    uint32_t back = 0;
    if (direction > 0)
        for (size_t i = 0; i + 1 < n; i++) back += y[i + 1] < y[i];
    else
        for (size_t i = 0; i + 1 < n; i++) back += y[i + 1] > y[i];
    return back;
}

size_t judge_outside(size_t n, const float *y, float lo, float hi) {
    uint32_t outside = 0;
    for (size_t i = 0; i < n; i++) outside += (y[i] < lo) | (y[i] > hi);
    return outside;
}

size_t judge_equal(size_t n, const float *y, float v) {
    uint32_t equal = 0;
    for (size_t i = 0; i < n; i++) equal += y[i] == v;
    return equal;
}
