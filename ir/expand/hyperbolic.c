/* sinh, cosh, tanh, asinh, sech2.
 *
 * sinh and cosh: |x| = n*ln 2 + r; with C = cosh r, S = sinh r (even and odd polynomials) and u, v = (2^n +- 2^-n)/2:
 * sinh = S*u + C*v, cosh = C*u + S*v: no division and no cancellation. f32 computes this in f64 and rounds once.
 * tanh: x + x^3*P(x^2) below 31/32, 1 - 2/(1 + E) with E = exp(2|x|) above; E may be a little rough there.
 * sech2: 4e/(1 + e)^2 with e = exp(-2|x|), where 4e comes from one scaling, so that nothing is lost in the tail.
 * asinh: f32 takes log(|x| + sqrt(x^2 + 1)) in f64, and x - x^3/6 for small |x|.
 *
 * claim: sinh f32 max 4 ulp, exhaustive
 * claim: cosh f32 max 4 ulp, exhaustive
 * claim: tanh f32 max 4 ulp, exhaustive
 * claim: asinh f32 max 4 ulp, exhaustive
 * claim: sech2 f32 max 4 ulp, exhaustive */
#include "expand/expand.h"

/* The parts of sinh and cosh of |x|. */
typedef struct {
    Node *s, *c, *u, *v;
} Halves;

/* f64, 0 <= x < 700. */
static Halves halves_wide(Graph *g, Node *x) {
    static const double sh[] = {0x1.555555737088dp-3, 0x1.1110b1e27a654p-7, 0x1.a16fcf6169ac8p-13};
    static const double ch[] = {1, 0x1.000000430fdd2p-1, 0x1.5554804640df6p-5, 0x1.6d9684f686d9cp-10};
    /* The encoding of 2^(n-1) comes from the low bits, that of 2^(-n-1) from their difference to 2044. */
    Node *m = num(g, x, 0x1.8p52 + 1022);
    Node *shifted = mad(g, x, num(g, x, 0x1.71547652b82fep0), m);
    Node *r = mad(g, sub(g, shifted, m), num(g, x, -0x1.62e42fefa39efp-1), x), *r2 = mul(g, r, r);
    Node *up = ishl(g, bits(g, shifted), 52);
    Node *down = isub(g, inum(g, up, (int64_t)((uint64_t)2044 << 52)), up);
    Node *half = asfloat(g, up), *inverse = asfloat(g, down);
    return (Halves){
        .s = mad(g, mul(g, r, r2), POLY(g, r2, sh), r),
        .c = POLY(g, r2, ch),
        .u = add(g, half, inverse),
        .v = sub(g, half, inverse),
    };
}

Node *expand_sinh(Graph *g, Node *a) {
    Halves h = halves_wide(g, widen(g, at_most(g, magnitude(g, a), 90)));
    return with_sign(g, narrow(g, mad(g, h.s, h.u, mul(g, h.c, h.v))), sign_of(g, a));
}

Node *expand_cosh(Graph *g, Node *a) {
    Halves h = halves_wide(g, widen(g, at_most(g, magnitude(g, a), 90)));
    return narrow(g, mad(g, h.c, h.u, mul(g, h.s, h.v)));
}

Node *expand_tanh(Graph *g, Node *a) {
    static const double odd[] = {-0x1.555548p-2, 0x1.110e62p-3, -0x1.b9bb7ep-5, 0x1.62fdaap-6,
        -0x1.11b7ep-7, 0x1.6fb8aep-9, -0x1.65236ap-11, 0x1.5e2056p-14};
    static const double exp2_f32[] = {0x1.62e43p-1, 0x1.ebfbd8p-3, 0x1.c6af74p-5, 0x1.3b3098p-7,
        0x1.5f0ccap-10, 0x1.3fabfep-13};
    Node *x = at_most(g, magnitude(g, a), 9.125), *one = num(g, a, 1);
    Node *m = num(g, x, 0x1.8p23 + 127), *k = num(g, x, 0x1.715476p1);
    Node *shifted = mad(g, x, k, m), *r = mad(g, x, k, sub(g, m, shifted));
    Node *power = asfloat(g, ishl(g, bits(g, shifted), 23));
    /* 1 + E, where only the small part of E = 2^n + 2^n*(2^r - 1) is rounded. */
    Node *d = mad(g, mul(g, power, r), POLY(g, r, exp2_f32), add(g, one, power));
    Node *large = sub(g, one, quo(g, num(g, x, 2), d));
    Node *x2 = mul(g, x, x), *small = mad(g, mul(g, x, x2), POLY(g, x2, odd), x);
    return with_sign(g, sel(g, lt(g, x, num(g, x, 0.96875)), small, large), sign_of(g, a));
}

Node *expand_asinh(Graph *g, Node *a) {
    Node *x = widen(g, magnitude(g, a)), *x2 = mul(g, x, x);
    Node *y = log_wide(g, add(g, x, sqroot(g, add(g, x2, num(g, x, 1)))));
    Node *small = mad(g, mul(g, x, x2), num(g, x, -0x1.5555555555555p-3), x);
    y = narrow(g, sel(g, lt(g, x, num(g, x, 0x1p-10)), small, y));
    return with_sign(g, y, sign_of(g, a));
}

Node *expand_sech2(Graph *g, Node *a) {
    Node *x = at_most(g, magnitude(g, a), is_f64(a) ? 375 : 53);
    Node *e4 = exp_times(g, neg(g, add(g, x, x)), 2);
    Node *d = mad(g, e4, mad(g, e4, num(g, a, 0.0625), num(g, a, 0.5)), num(g, a, 1));
    return quo(g, e4, d);
}
