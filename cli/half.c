/* f16 and bf16 from and to f64, by the bits of all three. */
#include "half.h"

#include <string.h>

enum { WIDE_MANTISSA = 52, WIDE_BIAS = 1023 };

typedef struct {
    int mantissa, bias; /* bits of the one, value of the other */
} Format;

static Format format_of(actc_dtype type) {
    return type == ACTC_F16 ? (Format){10, 15} : (Format){7, 127};
}

/* u/2^drop to the nearest integer, ties to even; drop > 0. */
static uint64_t shift_rounded(uint64_t u, int drop) {
    if (drop > 63) return 0;
    const uint64_t half = UINT64_C(1) << (drop - 1);
    return (u + (half - 1) + (u >> drop & 1)) >> drop;
}

uint16_t half_from_double(double v, actc_dtype type) {
    const Format f = format_of(type);
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    const uint16_t sign = (uint16_t)(u >> 48 & 0x8000);
    const uint64_t infinity = (uint64_t)(2 * f.bias + 1) << f.mantissa;
    u &= INT64_MAX;
    if (v != v) return (uint16_t)(sign | infinity | UINT64_C(1) << (f.mantissa - 1));
    const int exponent = (int)(u >> WIDE_MANTISSA) - WIDE_BIAS + f.bias; /* in the half */
    const int drop = WIDE_MANTISSA - f.mantissa;
    uint64_t bits;
    if (exponent > 0) {
        bits = shift_rounded(u - ((uint64_t)(WIDE_BIAS - f.bias) << WIDE_MANTISSA), drop);
    } else { /* a subnormal, or 0: the leading 1 becomes part of the mantissa */
        const uint64_t one = UINT64_C(1) << WIDE_MANTISSA;
        bits = shift_rounded((u & (one - 1)) | one, drop + 1 - exponent);
    }
    return (uint16_t)(sign | (bits < infinity ? bits : infinity));
}

double half_to_double(uint16_t bits, actc_dtype type) {
    const Format f = format_of(type);
    uint64_t u = (uint64_t)(bits & 0x7fff) << (WIDE_MANTISSA - f.mantissa);
    const uint64_t exponent = u >> WIDE_MANTISSA;
    const uint64_t one = UINT64_C(1) << WIDE_MANTISSA;
    double v;
    if (exponent == 0) { /* a subnormal is what it adds to the smallest normal */
        double least;
        const uint64_t smallest = (uint64_t)(WIDE_BIAS - f.bias + 1) << WIDE_MANTISSA;
        u += smallest;
        memcpy(&least, &smallest, sizeof least);
        memcpy(&v, &u, sizeof v);
        v -= least;
    } else {
        u += (uint64_t)(WIDE_BIAS - f.bias) * one;
        if (exponent == (uint64_t)(2 * f.bias + 1)) u |= UINT64_C(0x7ff) << WIDE_MANTISSA;
        memcpy(&v, &u, sizeof v);
    }
    return bits & 0x8000 ? -v : v;
}
