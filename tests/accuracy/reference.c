/* See accuracy.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"

uint64_t encode(double v, Type type) {
    if (type == TYPE_F64) {
        uint64_t u;
        memcpy(&u, &v, sizeof u);
        return u;
    }
    const float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

double decode(uint64_t bits, Type type) {
    if (type == TYPE_F64) {
        double v;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    const uint32_t u = (uint32_t)bits;
    float f;
    memcpy(&f, &u, sizeof f);
    return (double)f;
}

void reference(Op op, mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y) {
    if (!fold_real(op, r, x, y, NULL)) abort();
    /* The compiler does not fold the sine of a huge angle; MPFR can. */
    if (mpfr_nan_p(r) && mpfr_regular_p(x)) {
        if (op == OP_SIN) mpfr_sin(r, x, MPFR_RNDN);
        if (op == OP_COS) mpfr_cos(r, x, MPFR_RNDN);
        if (op == OP_TAN) mpfr_tan(r, x, MPFR_RNDN);
    }
}

double error_in_ulp(mpfr_srcptr r, double y, Type type) {
    const int digits = type == TYPE_F64 ? 53 : 24, top = type == TYPE_F64 ? 1024 : 128;
    const int least = type == TYPE_F64 ? -1074 : -149;
    if (mpfr_nan_p(r) || isnan(y)) return mpfr_nan_p(r) && isnan(y) ? 0 : (double)INFINITY;
    if (mpfr_zero_p(r) || mpfr_inf_p(r)) {
        const double v = mpfr_get_d(r, MPFR_RNDN);
        return v == y && !signbit(v) == !signbit(y) ? 0 : (double)INFINITY;
    }
    if (!mpfr_signbit(r) == !!signbit(y)) return (double)INFINITY;
    NUMBER_TEMP(d, REFERENCE_BITS + 64);
    if (isinf(y)) {
        if (mpfr_get_exp(r) > top) return 0;
        mpfr_set_ui_2exp(d, 1, top, MPFR_RNDN);
        if (y < 0) mpfr_neg(d, d, MPFR_RNDN);
    } else {
        mpfr_set_d(d, y, MPFR_RNDN);
    }
    long ulp = mpfr_get_exp(r) - digits;
    if (ulp < least) ulp = least;
    if (ulp > top - digits) ulp = top - digits;
    mpfr_sub(d, d, r, MPFR_RNDN);
    mpfr_mul_2si(d, d, -ulp, MPFR_RNDN);
    return fabs(mpfr_get_d(d, MPFR_RNDN));
}

double error_at(Op op, Type type, uint64_t x, uint64_t y, uint64_t result) {
    NUMBER_TEMP(a, REFERENCE_BITS);
    NUMBER_TEMP(b, REFERENCE_BITS);
    NUMBER_TEMP(r, REFERENCE_BITS);
    fold_decode(a, x, type);
    fold_decode(b, y, type);
    reference(op, r, a, b);
    return error_in_ulp(r, decode(result, type), type);
}
