/* sinh, cosh, tanh, asinh, sech2.
 *
 * sinh, cosh: |x| = n*ln 2 + r. With C = cosh r - 1, S = sinh r (even and odd polynomials) and
 *   u, v = (2^n +- 2^-n)/2: sinh = v + (S*u + C*v), cosh = u + (C*u + S*v). There is no division
 * and no cancellation. f32 computes this in f64 and rounds once. tanh: x + x^3*P(x^2) below 31/32
 * (f64: 11/16), 1 - 2/(1 + E) above, where E = exp(2|x|) may be a little rough. sech2: 4e/(1 + e)^2
 * with e = exp(-2|x|); 4e comes from one scaling, so the tail loses nothing. asinh: f32 takes
 * log(|x| + sqrt(x^2 + 1)) in f64, x - x^3/6 for small |x|; f64 takes log1p.
 *
 * claim: sinh f32 max 0.51 ulp, exhaustive
 * claim: cosh f32 max 0.51 ulp, exhaustive
 * claim: tanh f32 max 1.00 ulp, exhaustive
 * claim: asinh f32 max 0.51 ulp, exhaustive
 * claim: sech2 f32 max 2.50 ulp, exhaustive
 * claim: sinh f64 max 1.90 ulp, observed
 * claim: cosh f64 max 1.60 ulp, observed
 * claim: tanh f64 max 1.25 ulp, observed
 * claim: asinh f64 max 1.75 ulp, observed
 * claim: sech2 f64 max 1.60 ulp, observed */
#include "expand/expand.h"

/* The parts of sinh and cosh of |x|, with c = cosh r - 1. */
typedef struct {
    Node *s, *c, *u, *v;
} Halves;

/* f64, 0 <= x < 700. */
static Halves halves_wide(Graph *g, Node *x) {
    static const double sh[] = {0x1.555555737088dp-3, 0x1.1110b1e27a654p-7, 0x1.a16fcf6169ac8p-13};
    static const double ch[] = {0x1.000000430fdd2p-1, 0x1.5554804640df6p-5, 0x1.6d9684f686d9cp-10};
    /* The encoding of 2^(n-1) comes from the low bits, that of 2^(-n-1) from their difference to
     * 2044. */
    Node *m = num(g, x, 0x1.8p52 + 1022);
    Node *shifted = mad(g, x, num(g, x, 0x1.71547652b82fep0), m);
    Node *r = mad(g, sub(g, shifted, m), num(g, x, -0x1.62e42fefa39efp-1), x), *r2 = mul(g, r, r);
    Node *up = ishl(g, bits(g, shifted), 52);
    Node *down = isub(g, inum(g, up, (int64_t)((uint64_t)2044 << 52)), up);
    Node *half = asfloat(g, up), *inverse = asfloat(g, down);
    return (Halves){
        .s = mad(g, mul(g, r, r2), POLY(g, r2, sh), r),
        .c = mul(g, r2, POLY(g, r2, ch)),
        .u = add(g, half, inverse),
        .v = sub(g, half, inverse),
    };
}

/* f64, 0 <= x: half of what sinh and cosh need, since 2^n overflows before they do. */
static Halves halves_f64(Graph *g, Node *x) {
    static const double sh[] = {0x1.5555555555555p-3,  0x1.111111111130bp-7,
                                0x1.a01a019f12f3dp-13, 0x1.71de3e3a51b22p-19,
                                0x1.ae568bf3e4ca5p-26, 0x1.73e1af3e84794p-33};
    static const double ch[] = {0.5,
                                0x1.5555555555558p-5,
                                0x1.6c16c16c1500cp-10,
                                0x1.a01a01ad7699fp-16,
                                0x1.27e4cc27da2fcp-22,
                                0x1.1f8bb45f0ecf7p-29};
    Node *m = num(g, x, 0x1.8p52 + 1021);
    Node *shifted = mad(g, x, num(g, x, 0x1.71547652b82fep0), m), *n = sub(g, shifted, m);
    Node *r = mad(g, n, num(g, x, -0x1.62e42fefa39efp-1), x);
    r = mad(g, n, num(g, x, -0x1.abc9e3b39803fp-56), r);
    Node *r2 = mul(g, r, r), *up = ishl(g, bits(g, shifted), 52);
    Node *down = isub(g, inum(g, up, (int64_t)((uint64_t)2042 << 52)), up);
    Node *half = asfloat(g, up);
    /* 2^-n counts for small n only; for large n its exponent would wrap. */
    Node *inverse = sel(g, lt(g, x, num(g, x, 64)), asfloat(g, down), num(g, x, 0));
    return (Halves){
        .s = mad(g, mul(g, r, r2), POLY(g, r2, sh), r),
        .c = mul(g, r2, POLY(g, r2, ch)),
        .u = add(g, half, inverse),
        .v = sub(g, half, inverse),
    };
}

Node *expand_sinh(Graph *g, Node *a) {
    Node *x = at_most(g, magnitude(g, a), is_f64(a) ? 710.5 : 90), *y;
    if (is_f64(a)) {
        Halves h = halves_f64(g, x);
        y = add(g, h.v, mad(g, h.s, h.u, mul(g, h.c, h.v)));
        /* Half of a subnormal is not exact. */
        y = sel(g, lt(g, x, num(g, x, 0x1p-30)), x, add(g, y, y));
    } else {
        Halves h = halves_wide(g, widen(g, x));
        y = narrow(g, add(g, h.v, mad(g, h.s, h.u, mul(g, h.c, h.v))));
    }
    return with_sign(g, y, sign_of(g, a));
}

Node *expand_cosh(Graph *g, Node *a) {
    Node *x = at_most(g, magnitude(g, a), is_f64(a) ? 710.5 : 90);
    Halves h = is_f64(a) ? halves_f64(g, x) : halves_wide(g, widen(g, x));
    Node *y = add(g, h.u, mad(g, h.s, h.v, mul(g, h.c, h.u)));
    return is_f64(a) ? add(g, y, y) : narrow(g, y);
}

Node *expand_tanh(Graph *g, Node *a) {
    static const double odd_f32[] = {-0x1.555548p-2,  0x1.110e62p-3, -0x1.b9bb7ep-5,
                                     0x1.62fdaap-6,   -0x1.11b7ep-7, 0x1.6fb8aep-9,
                                     -0x1.65236ap-11, 0x1.5e2056p-14};
    static const double odd_f64[] = {
        -0x1.5555555555529p-2,  0x1.111111110e0a8p-3,   -0x1.ba1ba1b7cca1cp-5,
        0x1.664f481167c93p-6,   -0x1.226e2896d212ap-7,  0x1.d6d1f9360e42dp-9,
        -0x1.7d8c9557221b8p-10, 0x1.3495bf231be16p-11,  -0x1.ec7e20f5a111cp-13,
        0x1.71a02b7fcdeabp-14,  -0x1.c620dbc2ae5c8p-16, 0x1.4228abd9ca8c6p-18};
    static const double exp2_f32[] = {0x1.62e43p-1,  0x1.ebfbd8p-3,  0x1.c6af74p-5,
                                      0x1.3b3098p-7, 0x1.5f0ccap-10, 0x1.3fabfep-13};
    static const double exp2_f64[] = {
        0x1.62e42fefa39efp-1,  0x1.ebfbdff82c58dp-3,  0x1.c6b08d704a182p-5,  0x1.3b2ab6fba53b7p-7,
        0x1.5d87fe7888e23p-10, 0x1.430912f701c95p-13, 0x1.ffcbfcdb0622bp-17, 0x1.62c027b32f57cp-20,
        0x1.b5242367168cap-24, 0x1.e4bbd028bd8b7p-28, 0x1.eafd3c19649ffp-32, 0x1.de2e93bda7bc1p-36};
    const bool f64 = is_f64(a);
    Node *x = at_most(g, magnitude(g, a), f64 ? 20 : 9.125), *one = num(g, a, 1);
    Node *m = num(g, x, f64 ? 0x1.8p52 + 1023 : 0x1.8p23 + 127);
    Node *k = num(g, x, f64 ? 0x1.71547652b82fep1 : 0x1.715476p1);
    Node *shifted = mad(g, x, k, m), *r = mad(g, x, k, sub(g, m, shifted));
    Node *power = asfloat(g, ishl(g, bits(g, shifted), fraction_bits(a)));
    /* 1 + E, where only the small part of E = 2^n + 2^n*(2^r - 1) is rounded. */
    Node *d = mad(g, mul(g, power, r), f64 ? POLY(g, r, exp2_f64) : POLY(g, r, exp2_f32),
                  add(g, one, power));
    Node *large = sub(g, one, quo(g, num(g, x, 2), d));
    Node *x2 = mul(g, x, x);
    Node *small = mad(g, mul(g, x, x2), f64 ? POLY(g, x2, odd_f64) : POLY(g, x2, odd_f32), x);
    Node *y = sel(g, lt(g, x, num(g, x, f64 ? 0.6875 : 0.96875)), small, large);
    return with_sign(g, y, sign_of(g, a));
}

/* log1p(x + x^2/(1 + sqrt(1 + x^2))), and log(x) + ln 2 where 1 no longer counts. */
static Node *asinh_f64(Graph *g, Node *x) {
    Node *one = num(g, x, 1), *zero = num(g, x, 0), *big = lt(g, num(g, x, 0x1p60), x);
    Node *small = sel(g, big, zero, x), *x2 = mul(g, small, small);
    Node *t = quo(g, x2, add(g, one, sqroot(g, add(g, one, x2))));
    Node *y = log1p_scaled(g, add(g, x, t), sel(g, big, one, zero));
    return sel(g, lt(g, x, num(g, x, __builtin_inf())), y, x);
}

Node *expand_asinh(Graph *g, Node *a) {
    Node *x = magnitude(g, a);
    if (is_f64(a)) return with_sign(g, asinh_f64(g, x), sign_of(g, a));
    x = widen(g, x);
    Node *x2 = mul(g, x, x);
    Node *y = log_wide(g, add(g, x, sqroot(g, add(g, x2, num(g, x, 1)))));
    Node *small = mad(g, mul(g, x, x2), num(g, x, -0x1.5555555555555p-3), x);
    y = narrow(g, sel(g, lt(g, x, num(g, x, 0x1p-10)), small, y));
    return with_sign(g, y, sign_of(g, a));
}

Node *expand_sech2(Graph *g, Node *a) {
    Node *x = at_most(g, magnitude(g, a), is_f64(a) ? 375 : 53);
    Node *e4 = exp_times(g, neg(g, add(g, x, x)), 2);
    Node *one = num(g, a, 1), *c = mad(g, e4, num(g, a, 0.0625), num(g, a, 0.5));
    Node *d = mad(g, e4, c, one);
    if (!is_f64(a)) return quo(g, e4, d);
    /* f64 takes along what d and the division have lost. */
    Node *lost = mad(g, e4, c, sub(g, one, d)), *r = quo(g, one, d);
    Node *y = mul(g, e4, r), *minus = neg(g, y);
    return mad(g, mad(g, minus, lost, mad(g, minus, d, e4)), r, y);
}
