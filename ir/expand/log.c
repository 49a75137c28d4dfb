/* log, log2, log1p.
 *
 * x = 2^k*(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), by integer arithmetic on the encoding; f is
 * exact. log x = k*ln 2 + f - f^2/2 + f^3*P(f), where k*hi + f carries its rounding error and the
 * rest is small; f64 takes fdlibm's series in s = f/(2 + f) instead of P.
 * log1p scales x and 1 by the power of two of 1 + x, so that f = x*2^-k + (2^-k - 1) is exact, or
 * as good as that, without 1 + x being so.
 * k is never made an integer: k*2^23 converts to a float as well, and the constants are scaled.
 *
 * claim: log f32 max 0.87 ulp, exhaustive
 * claim: log2 f32 max 1.00 ulp, exhaustive
 * claim: log1p f32 max 1.00 ulp, exhaustive
 * claim: log f64 max 0.75 ulp, observed
 * claim: log2 f64 max 0.85 ulp, observed
 * claim: log1p f64 max 0.85 ulp, observed */
#include "expand/expand.h"

Node *log_split(Graph *g, Node *x, Node **k) {
    const bool f64 = is_f64(x);
    Node *tiny = lt(g, x, num(g, x, f64 ? 0x1p-1022 : 0x1p-126));
    const double up = f64 ? 0x1p52 : 0x1p23;
    Node *i = bits(g, sel(g, tiny, mul(g, x, num(g, x, up)), x));
    Node *e = iand(g, isub(g, i, inum(g, i, encode(x, f64 ? 0x1.6a09e667f3bcdp-1 : 0x1.6a09e6p-1))),
                   inum(g, i, f64 ? (int64_t)0xfff0000000000000 : (int32_t)0xff800000));
    *k = add(g, itof(g, e),
             sel(g, tiny, num(g, x, f64 ? -52 * 0x1p52 : -23 * 0x1p23), num(g, x, 0)));
    return sub(g, asfloat(g, isub(g, i, e)), num(g, x, 1));
}

/* y where lo < x < infinity, and what log has elsewhere: -inf at lo, NaN below, x at infinity and
 * NaN. */
static Node *edges(Graph *g, Node *x, Node *y, double lo) {
    Node *inf = num(g, x, __builtin_inf());
    y = sel(g, lt(g, x, inf), y, x);
    return sel(
        g, lt(g, num(g, x, lo), x), y,
        sel(g, eq(g, x, num(g, x, lo)), num(g, x, -__builtin_inf()), num(g, x, __builtin_nan(""))));
}

/* log(1 + f) without its first term f: f32 by a polynomial, of which there are two; f64 by f = s*(2
 * + f), which makes log(1 + f) = f - h + s*(h + z*R(z)), h = f^2/2, z = s^2. `more` is added early.
 */
static Node *rest(Graph *g, Node *f, Node *more, const double *c, int n) {
    static const double r[] = {0x1.5555555555555p-1, 0x1.999999999ap-2,    0x1.24924923cdbe1p-2,
                               0x1.c71c72f00d137p-3, 0x1.745ca8007b58cp-3, 0x1.3b2a64928edd3p-3,
                               0x1.0e821e3e4734fp-3, 0x1.16e404dbfe197p-3};
    if (!is_f64(f)) return mad(g, mul(g, f, f), mad(g, f, poly(g, f, c, n), num(g, f, -0.5)), more);
    Node *s = quo(g, f, add(g, f, num(g, f, 2))), *z = mul(g, s, s);
    Node *half = mul(g, f, num(g, f, 0.5)), *h = mul(g, half, f);
    return mad(g, s, mad(g, z, POLY(g, z, r), h), mad(g, neg(g, half), f, more));
}

/* k*ln 2 + log(1 + f), where k comes times 2^23 (2^52). */
static Node *join(Graph *g, Node *k, Node *f, const double *c, int n) {
    const bool f64 = is_f64(f);
    Node *lo = num(g, f, f64 ? 0x1.a39ef35793c76p-33 * 0x1p-52 : 0x1.0bfbe8p-15 * 0x1p-23);
    Node *hi = num(g, f, f64 ? 0x1.62e42feep-1 * 0x1p-52 : 0x1.62ep-1 * 0x1p-23);
    Node *w = rest(g, f, mul(g, k, lo), c, n);
    Node *sum = mad(g, k, hi, f), *err = add(g, mad(g, k, hi, neg(g, sum)), f);
    return add(g, sum, add(g, w, err));
}

Node *expand_log(Graph *g, Node *a) {
    static const double c[] = {0x1.55557p-2,  -0x1.000234p-2, 0x1.99944ep-3, -0x1.5466fep-3,
                               0x1.239ce2p-3, -0x1.0e96ccp-3, 0x1.015974p-3, -0x1.2a6f78p-4};
    Node *k, *f = log_split(g, a, &k);
    return edges(g, a, join(g, k, f, c, 8), 0);
}

/* log2(1 + f) = log(1 + f)*log2(e) with both factors in two parts, then k is added. */
static Node *log2_f64(Graph *g, Node *k, Node *f) {
    Node *l = num(g, f, 0x1.71547652b82fep0);
    Node *w = rest(g, f, num(g, f, 0), NULL, 0), *hi = add(g, f, w), *lo = add(g, sub(g, f, hi), w);
    Node *p = mul(g, hi, l), *q = mad(g, hi, l, neg(g, p));
    q = mad(g, lo, l, mad(g, hi, num(g, f, 0x1.777d0ffda0d24p-56), q));
    k = mul(g, k, num(g, f, 0x1p-52));
    Node *sum = add(g, k, p);
    return add(g, sum, add(g, add(g, sub(g, k, sum), p), q));
}

Node *expand_log2(Graph *g, Node *a) {
    static const double c[] = {-0x1.71547p-1,  0x1.ec7094p-2,  -0x1.715ac8p-2,
                               0x1.277ef4p-2,  -0x1.eab182p-3, 0x1.a2e684p-3,
                               -0x1.877ae4p-3, 0x1.7e0e22p-3,  -0x1.c36726p-4};
    Node *k, *f = log_split(g, a, &k);
    if (is_f64(a)) return edges(g, a, log2_f64(g, k, f), 0);
    Node *w = mad(g, f, num(g, a, 0x1.4ae0cp-26), mul(g, mul(g, f, f), POLY(g, f, c)));
    Node *y = mad(g, f, num(g, a, 0x1.715476p0), w);
    return edges(g, a, mad(g, k, num(g, a, 0x1p-23), y), 0);
}

/* log(1 + a) for a > -1, plus extra*ln 2; `extra` (NULL is 0) comes times 2^23 (2^52). */
static Node *log1p_core(Graph *g, Node *a, Node *extra) {
    static const double c[] = {0x1.5555a4p-2, -0x1.000042p-2, 0x1.996966p-3, -0x1.54ef16p-3,
                               0x1.2886b8p-3, -0x1.0d93f4p-3, 0x1.aca08ep-4, -0x1.713e36p-5};
    Node *i = bits(g, add(g, a, num(g, a, 1)));
    Node *e = iand(g, isub(g, i, inum(g, i, encode(a, 0.75))),
                   inum(g, i, is_f64(a) ? (int64_t)0xfff0000000000000 : (int32_t)0xff800000));
    /* 4*2^-k: 2^-k itself would be subnormal for the largest arguments. */
    Node *s = asfloat(g, isub(g, inum(g, i, encode(a, 4)), e));
    Node *f = add(g, asfloat(g, isub(g, bits(g, a), e)), mad(g, s, num(g, a, 0.25), num(g, a, -1)));
    Node *k = itof(g, e);
    return join(g, extra ? add(g, k, extra) : k, f, c, 8);
}

Node *expand_log1p(Graph *g, Node *a) {
    return edges(g, a, with_sign(g, log1p_core(g, a, NULL), sign_of(g, a)), -1);
}

Node *log1p_scaled(Graph *g, Node *a, Node *k) {
    return log1p_core(g, a, mul(g, k, num(g, k, 0x1p52)));
}

Node *log_wide(Graph *g, Node *a) {
    static const double c[] = {0x1.55555560a58dbp-2,  -0x1.000000c166155p-2, 0x1.99998b2f670b2p-3,
                               -0x1.5554a1338a17dp-3, 0x1.2494b90ee8f16p-3,  -0x1.001df4b076dc6p-3,
                               0x1.c6e14d6abdf48p-4,  -0x1.9511b4017530ep-4, 0x1.72495aad27596p-4,
                               -0x1.7c64c502a3308p-4, 0x1.7561b8f295351p-4,  -0x1.8b118a7a28cfcp-5};
    Node *i = bits(g, a);
    Node *e = iand(g, isub(g, i, inum(g, i, encode(a, 0x1.6a09e667f3bcdp-1))),
                   inum(g, i, (int64_t)0xfff0000000000000));
    Node *f = sub(g, asfloat(g, isub(g, i, e)), num(g, a, 1)), *f2 = mul(g, f, f);
    Node *w = mad(g, f2, mad(g, f, POLY(g, f, c), num(g, f, -0.5)), f);
    Node *y = mad(g, itof(g, e), num(g, a, 0x1.62e42fefa39efp-53), w);
    return sel(g, lt(g, a, num(g, a, __builtin_inf())), y, a);
}
