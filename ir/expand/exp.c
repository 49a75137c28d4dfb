/* exp, exp2, expm1.
 *
 * n = round(x/ln 2) by adding 1.5*2^23 (2^52), which leaves n in the low bits of the sum;
 * r = x - n*ln 2 with ln 2 in two parts, where fma makes the first step exact; a minimax polynomial
 * of exp(r) whose first two coefficients are 1; the power of two in two steps, so that a subnormal
 * result is rounded only once more and overflow comes by itself.
 * expm1 is (2^n - 1) + 2^n*(exp(r) - 1), where the sum of the two large terms carries its rounding
 * error: they cancel for n = 1.
 *
 * claim: exp f32 max 0.90 ulp, exhaustive
 * claim: exp2 f32 max 0.88 ulp, exhaustive
 * claim: expm1 f32 max 0.90 ulp, exhaustive
 * claim: exp f64 max 0.90 ulp, observed
 * claim: exp2 f64 max 0.85 ulp, observed
 * claim: expm1 f64 max 1.10 ulp, observed */
#include "expand/expand.h"

static const double log2_e = 0x1.71547652b82fep0, log2_e_f32 = 0x1.715476p0;

/* ln 2 in two parts, for each type. */
static double ln2_hi(const Node *like) {
    return is_f64(like) ? 0x1.62e42fefa39efp-1 : 0x1.62e43p-1;
}
static double ln2_lo(const Node *like) {
    return is_f64(like) ? 0x1.abc9e3b39803fp-56 : -0x1.05c61p-29;
}

/* What is added to round to an integer; `bias` then stands in the low bits too. */
static Node *magic(Graph *g, Node *like, int bias) {
    return num(g, like, (is_f64(like) ? 0x1.8p52 : 0x1.8p23) + bias);
}

/* Twice the exponent's bias: scale() halves it. */
static int scale_bias(const Node *like) { return is_f64(like) ? 2046 : 254; }

Node *scale(Graph *g, Node *a, Node *shifted) {
    const int f = fraction_bits(a);
    Node *i = bits(g, shifted), *half = ishr(g, i, 1);
    Node *s1 = asfloat(g, ishl(g, half, f)), *s2 = asfloat(g, ishl(g, isub(g, i, half), f));
    return mul(g, mul(g, a, s1), s2);
}

/* exp(r) for |r| <= ln(2)/2. */
static Node *exp_poly(Graph *g, Node *r) {
    static const double f32[] = {
        1, 1, 0x1.fffffap-2, 0x1.555492p-3, 0x1.555a28p-5, 0x1.12398ep-7, 0x1.694ac4p-10};
    static const double f64[] = {1,
                                 1,
                                 0x1.000000000000ap-1,
                                 0x1.55555555554fdp-3,
                                 0x1.55555555506a4p-5,
                                 0x1.1111111126ecbp-7,
                                 0x1.6c16c1847f532p-10,
                                 0x1.a01a012edb89cp-13,
                                 0x1.a0199942cc23cp-16,
                                 0x1.71df1b0872d9bp-19,
                                 0x1.28ae1ad62dc4ap-22,
                                 0x1.ad900f7770f34p-26};
    return is_f64(r) ? POLY(g, r, f64) : POLY(g, r, f32);
}

ExpReduced exp_reduced(Graph *g, Node *hi, Node *lo) {
    static const double c[] = {0x1.fffffap-2, 0x1.555492p-3, 0x1.555a28p-5, 0x1.12398ep-7,
                               0x1.694ac4p-10};
    Node *m = magic(g, hi, 127 + 64), *shifted = mad(g, hi, num(g, hi, log2_e_f32), m);
    Node *n = sub(g, shifted, m), *r = mad(g, n, num(g, hi, -ln2_hi(hi)), hi);
    return (ExpReduced){
        .r = r,
        .q = mul(g, mul(g, r, r), POLY(g, r, c)),
        .lost = mad(g, n, num(g, hi, -ln2_lo(hi)), lo),
        .power = asfloat(g, ishl(g, bits(g, shifted), 23)),
    };
}

Node *exp_times(Graph *g, Node *a, int k) {
    Node *m = magic(g, a, scale_bias(a));
    Node *shifted = mad(g, a, num(g, a, is_f64(a) ? log2_e : log2_e_f32), m);
    Node *n = sub(g, shifted, m);
    Node *r = mad(g, n, num(g, a, -ln2_lo(a)), mad(g, n, num(g, a, -ln2_hi(a)), a));
    return scale(g, exp_poly(g, r), k ? add(g, shifted, num(g, a, k)) : shifted);
}

/* Here n <= 0, so the scaling is cheaper: 2^(n + 64) is normal (f64: 2^(n + 512)), and a constant
 * factor takes 2^64 away again, rounding only where the result is subnormal. Adding to the exponent
 * instead of the first multiplication would turn some NaN into numbers. */
Node *exp_negative(Graph *g, Node *x) {
    Node *a = neg(g, at_most(g, magnitude(g, x), is_f64(x) ? 746 : 104));
    Node *m = magic(g, a, is_f64(a) ? 1023 + 512 : 127 + 64);
    Node *shifted = mad(g, a, num(g, a, is_f64(a) ? log2_e : log2_e_f32), m);
    Node *n = sub(g, shifted, m);
    Node *r = mad(g, n, num(g, a, -ln2_lo(a)), mad(g, n, num(g, a, -ln2_hi(a)), a));
    Node *power = asfloat(g, ishl(g, bits(g, shifted), fraction_bits(a)));
    return mul(g, mul(g, exp_poly(g, r), power), num(g, a, is_f64(a) ? 0x1p-512 : 0x1p-64));
}

Node *expand_exp(Graph *g, Node *a) {
    if (a->op == OP_NEG && a->arg[0]->op == OP_ABS) return exp_negative(g, a);
    a = at_most(g, at_least(g, a, is_f64(a) ? -746 : -104), is_f64(a) ? 710 : 89);
    return exp_times(g, a, 0);
}

Node *expand_exp2(Graph *g, Node *a) {
    static const double f32[] = {1,
                                 0x1.62e43p-1,
                                 0x1.ebfbd8p-3,
                                 0x1.c6af74p-5,
                                 0x1.3b3096p-7,
                                 0x1.5f0cb6p-10,
                                 0x1.3fadb6p-13};
    static const double f64[] = {1,
                                 0x1.62e42fefa39efp-1,
                                 0x1.ebfbdff82c58dp-3,
                                 0x1.c6b08d704a182p-5,
                                 0x1.3b2ab6fba53b7p-7,
                                 0x1.5d87fe7888e23p-10,
                                 0x1.430912f701c95p-13,
                                 0x1.ffcbfcdb0622bp-17,
                                 0x1.62c027b32f57cp-20,
                                 0x1.b5242367168cap-24,
                                 0x1.e4bbd028bd8b7p-28,
                                 0x1.eafd3c19649ffp-32,
                                 0x1.de2e93bda7bc1p-36};
    a = at_most(g, at_least(g, a, is_f64(a) ? -1076 : -151), is_f64(a) ? 1025 : 129);
    Node *m = magic(g, a, scale_bias(a));
    Node *shifted = add(g, a, m), *r = sub(g, a, sub(g, shifted, m));
    return scale(g, is_f64(a) ? POLY(g, r, f64) : POLY(g, r, f32), shifted);
}

/* (exp(r) - 1 - r)/r^2 for |r| <= ln(2)/2. */
static Node *expm1_poly(Graph *g, Node *r) {
    static const double f32[] = {0.5,           0x1.555554p-3,  0x1.5554fp-5,
                                 0x1.111306p-7, 0x1.6d4376p-10, 0x1.9e0c3cp-13};
    static const double f64[] = {0.5,
                                 0x1.5555555555559p-3,
                                 0x1.555555555554dp-5,
                                 0x1.111111110f653p-7,
                                 0x1.6c16c16c1abp-10,
                                 0x1.a01a01b004d51p-13,
                                 0x1.a01a018e0ed14p-16,
                                 0x1.71ddf80ab45d1p-19,
                                 0x1.27e51337f9467p-22,
                                 0x1.af5f36a0aaa12p-26,
                                 0x1.1f1a3e0ae778p-29};
    return is_f64(r) ? POLY(g, r, f64) : POLY(g, r, f32);
}

/* 2^n*(exp(r) - 1) + (2^n - 1) does not cancel for n <= 0. The sign is lost only for -0. */
Node *expand_expm1_below(Graph *g, Node *a) {
    Node *x = at_least(g, a, is_f64(a) ? -38 : -18), *m = magic(g, x, is_f64(a) ? 1023 : 127);
    Node *shifted = mad(g, x, num(g, x, is_f64(a) ? log2_e : log2_e_f32), m),
         *n = sub(g, shifted, m);
    Node *r = mad(g, n, num(g, x, -ln2_lo(x)), mad(g, n, num(g, x, -ln2_hi(x)), x));
    Node *u = mad(g, mul(g, r, r), expm1_poly(g, r), r);
    Node *power = asfloat(g, ishl(g, bits(g, shifted), fraction_bits(a)));
    return with_sign(g, mad(g, power, u, sub(g, power, num(g, x, 1))), sign_of(g, a));
}

Node *expand_expm1(Graph *g, Node *a) {
    Node *x = at_most(g, at_least(g, a, is_f64(a) ? -38 : -18), is_f64(a) ? 710 : 89);
    /* With half of 2^n: 2^n itself would overflow before the result does. */
    Node *m = magic(g, x, scale_bias(a) / 2 - 1);
    Node *shifted = mad(g, x, num(g, x, is_f64(a) ? log2_e : log2_e_f32), m);
    Node *n = sub(g, shifted, m);
    Node *half = asfloat(g, ishl(g, bits(g, shifted), fraction_bits(a)));
    /* r = hi + lo; hi is exact. */
    Node *hi = mad(g, n, num(g, x, -ln2_hi(x)), x), *lo = mul(g, n, num(g, x, -ln2_lo(x)));
    Node *r = add(g, hi, lo), *r2 = mul(g, r, r);
    Node *low = mad(g, r2, expm1_poly(g, r), lo);
    /* (2^n - 1) + 2^n*hi with its rounding error. */
    Node *one = sub(g, half, num(g, a, 0.5)), *sum = mad(g, half, hi, one);
    Node *err = mad(g, half, hi, sub(g, one, sum));
    /* What 2^n - 1 itself has lost: 1, from n = 25 on. */
    Node *lost = sub(g, sub(g, half, one), num(g, a, 0.5));
    Node *y = add(g, sum, add(g, mad(g, half, low, err), lost));
    /* Tiny arguments, whose half is not exact, and -0. r2 is 0 for no others. */
    return sel(g, eq(g, r2, num(g, a, 0)), a, add(g, y, y));
}

Node *exp_wide(Graph *g, Node *a) {
    static const double c[] = {1,
                               0x1.00000000e645p0,
                               0x1.000000427735p-1,
                               0x1.5555534f681ffp-3,
                               0x1.55548152c02c4p-5,
                               0x1.11130bf1f170dp-7,
                               0x1.6d95b78484e06p-10,
                               0x1.9e8e7de8c175ep-13};
    Node *m = magic(g, a, 1023);
    Node *shifted = mad(g, a, num(g, a, log2_e), m), *n = sub(g, shifted, m);
    Node *p = POLY(g, mad(g, n, num(g, a, -ln2_hi(a)), a), c);
    return mul(g, p, asfloat(g, ishl(g, bits(g, shifted), 52)));
}

ExpParts exp_parts(Graph *g, Node *hi, Node *lo) {
    static const double c[] = {0x1.000000000000ap-1,  0x1.55555555554fdp-3,  0x1.55555555506a4p-5,
                               0x1.1111111126ecbp-7,  0x1.6c16c1847f532p-10, 0x1.a01a012edb89cp-13,
                               0x1.a0199942cc23cp-16, 0x1.71df1b0872d9bp-19, 0x1.28ae1ad62dc4ap-22,
                               0x1.ad900f7770f34p-26};
    Node *m = magic(g, hi, scale_bias(hi)), *one = num(g, hi, 1);
    Node *shifted = mad(g, hi, num(g, hi, log2_e), m), *n = sub(g, shifted, m);
    Node *r = mad(g, n, num(g, hi, -ln2_hi(hi)), hi),
         *tail = mad(g, n, num(g, hi, -ln2_lo(hi)), lo);
    Node *sum = add(g, r, tail), *rest = add(g, sub(g, r, sum), tail);
    Node *q = mad(g, mul(g, sum, sum), POLY(g, sum, c), rest);
    Node *p = add(g, one, sum), *lost = add(g, sub(g, one, p), sum);
    return (ExpParts){p, add(g, lost, q), shifted};
}
