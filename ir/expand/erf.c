/* erf, erfc, erfcx, normcdf.
 *
 * erf f32: x + x*P(x^2) below 1; 1 - 2^(x*p(x)) above, where p = log2(erfc(x))/x is nearly a
 * polynomial.
 * The others rest on erfcx(x) = exp(x^2)*erfc(x), for x >= 0, which is smooth up to infinity:
 * erfc(x) = exp(-x^2)*erfcx(x), normcdf(x) = exp(-x^2/2)*erfcx(-x/sqrt(2))/2 for x < 0; on the
 * other side erfc(-x) = 2 - erfc(x), normcdf(-x) = 1 - normcdf(x), erfcx(-x) = 2*exp(x^2) -
 * erfcx(x). f32 computes erfc and erfcx in f64 and rounds once: x^2 is exact there and the tails
 * come out right, subnormal results too; so it does normcdf where that is the result. As a part of
 * others, of which gelu and its derivative are made, normcdf stays in f32: within 1.12 ulp for
 * x >= -3 and 1.76 below, in half the time. f64 carries the rounding errors of x^2, of exp and of erfcx along
 * to the product.
 *
 * claim: erf f32 max 0.99 ulp, exhaustive
 * claim: erfc f32 max 0.52 ulp, exhaustive
 * claim: erfcx f32 max 0.52 ulp, exhaustive
 * claim: normcdf f32 max 0.52 ulp, exhaustive
 * claim: erf f64 max 1.05 ulp, observed
 * claim: erfc f64 max 1.20 ulp, observed
 * claim: erfcx f64 max 1.60 ulp, observed
 * claim: normcdf f64 max 1.20 ulp, observed */
#include "expand/expand.h"

static Node *erf_f32(Graph *g, Node *a) {
    static const double small[] = {0x1.06eba8p-3, -0x1.81273ep-2,  0x1.ce2ce6p-4, -0x1.b7f716p-6,
                                   0x1.53f1dcp-8, -0x1.a34e26p-11, 0x1.47662ap-14};
    static const double log2_erfc[] = {-0x1.a0dc0cp0,  -0x1.d508cap-1, -0x1.3ab65cp-3,
                                       0x1.1b9c64p-5,  -0x1.62b8f6p-8, 0x1.082fe8p-11,
                                       -0x1.4ef59ep-16};
    static const double exp2_f32[] = {0x1.62e43p-1,  0x1.ebfbd8p-3,  0x1.c6af74p-5,
                                      0x1.3b3098p-7, 0x1.5f0ccap-10, 0x1.3fabfep-13};
    Node *x = at_most(g, magnitude(g, a), 3.9375), *x2 = mul(g, x, x);
    Node *near = mad(g, x, POLY(g, x2, small), x);
    Node *p = POLY(g, x, log2_erfc), *m = num(g, x, 0x1.8p23 + 127);
    Node *shifted = mad(g, x, p, m), *r = mad(g, x, p, sub(g, m, shifted));
    Node *power = asfloat(g, ishl(g, bits(g, shifted), 23));
    /* 1 - 2^n*2^r, of which only the small part is rounded. */
    Node *far = mad(g, neg(g, mul(g, power, r)), POLY(g, r, exp2_f32), sub(g, num(g, x, 1), power));
    return with_sign(g, sel(g, lt(g, x, num(g, x, 1)), near, far), sign_of(g, a));
}

/* erfcx(x) in f64 for the sake of f32, x >= 0. */
static Node *erfcx_wide(Graph *g, Node *x) {
    static const double c[] = {
        0x1.20dd750391cecp-1, 0x1.6914d333c780fp+0,   0x1.9f3e27a5f6d9dp+1,  0x1.accaa9ce1a31ep+2,
        0x1.7c6d73a0441dap+3, 0x1.0068b3909e392p+4,   0x1.0e625b430579dp+4,  -0x1.6203026cbf9e9p+6,
        0x1.8132052688bb6p+8, -0x1.1b14983dd8e32p+11, 0x1.61e584f86353dp+12, -0x1.8fef30e873339p+12,
        0x1.5e18fadcf0184p+11};
    Node *r = quo(g, num(g, x, 1), add(g, x, num(g, x, 2.5)));
    return mul(g, r, POLY(g, r, c));
}

/* f64, x >= 0: erfcx(k*x) = y + c, where k = k_hi + k_lo. With u = k*x, v = 2u/(u + 4) and q = v -
 * 1 it is (1 + v*N(q))/(1 + 2u); the errors of both sums and of the division go into c. */
static void erfcx_parts(Graph *g, Node *x, double k_hi, double k_lo, Node **y, Node **c) {
    static const double n[] = {
        0x1.dd2c8b74febf6p-3,   -0x1.7d8f1c4524742p-2,  0x1.8d4ecb405c600p-2,
        -0x1.47938f4c73119p-2,  0x1.c0398cb6f19afp-3,   -0x1.00428c8fe8784p-3,
        0x1.e1a95643107f4p-5,   -0x1.625ed09917d72p-6,  0x1.63f2604f3bf94p-8,
        -0x1.a2bedc9ac12b3p-12, -0x1.77d65686c907fp-12, 0x1.4dcd883a72675p-13,
        -0x1.1ed555c214a27p-17, -0x1.09eeb917d2c7cp-16, 0x1.36b7d0cc2a743p-18,
        0x1.21cd41cf30793p-20,  -0x1.a76ca83a4ec72p-21, -0x1.3e61bf75e2d15p-25,
        0x1.f236291a969a2p-24,  -0x1.4ba704ff094afp-28, -0x1.259ecbe538375p-26,
        0x1.8b1ed37ec0d68p-30,  0x1.5d6f2883d09fep-29,  -0x1.d681e9ab62e34p-33,
        -0x1.6f0dffad14eacp-32, 0x1.25d6933b24632p-36,  0x1.d4ea01c39fdb5p-36};
    Node *one = num(g, x, 1), *two_k = num(g, x, 2 * k_hi), *u = mul(g, x, num(g, x, k_hi));
    Node *v = quo(g, add(g, u, u), add(g, u, num(g, x, 4))), *q = sub(g, v, one);
    Node *d = mad(g, x, two_k, one), *lack = mad(g, x, two_k, sub(g, one, d));
    if (k_lo != 0) lack = mad(g, x, num(g, x, 2 * k_lo), lack);
    Node *p = POLY(g, q, n), *top = mad(g, v, p, one), *r = quo(g, one, d);
    Node *more = mad(g, v, p, sub(g, one, top));
    *y = mul(g, top, r);
    Node *minus = neg(g, *y);
    *c = mul(g, r, mad(g, minus, lack, add(g, more, mad(g, minus, d, top))));
}

/* f64: exp(hi + lo)*(y + c). */
static Node *product(Graph *g, Node *hi, Node *lo, Node *y, Node *c) {
    ExpParts e = exp_parts(g, hi, lo);
    return scale(g, mad(g, e.p, y, mad(g, e.p, c, mul(g, e.q, y))), e.shifted);
}

/* f64: exp(-x^2)*erfcx(x), x >= 0 and clamped. */
static Node *erfc_positive(Graph *g, Node *x) {
    Node *y, *c, *x2 = mul(g, x, x);
    erfcx_parts(g, x, 1, 0, &y, &c);
    return product(g, neg(g, x2), neg(g, mad(g, x, x, neg(g, x2))), y, c);
}

static Node *erf_f64(Graph *g, Node *a) {
    static const double small[] = {
        0x1.06eba8214db68p-3,   -0x1.812746b0379b1p-2, 0x1.ce2f21a04081ep-4,
        -0x1.b82ce311eb2e8p-6,  0x1.565bccf783b69p-8,  -0x1.c02db0064bb23p-11,
        0x1.f9a2b5fc15964p-14,  -0x1.f4ca0b6fc8e6p-17, 0x1.b97d74d2f0fc6p-20,
        -0x1.5bf97757f7cbdp-23, 0x1.d6c10f85a249ep-27, -0x1.aaad1e012a4a3p-31};
    Node *x = at_most(g, magnitude(g, a), 6), *x2 = mul(g, x, x);
    Node *near = mad(g, x, POLY(g, x2, small), x);
    Node *far = sub(g, num(g, x, 1), erfc_positive(g, x));
    return with_sign(g, sel(g, lt(g, x, num(g, x, 1)), near, far), sign_of(g, a));
}

static Node *erfc_f64(Graph *g, Node *a) {
    Node *y = erfc_positive(g, at_most(g, magnitude(g, a), 27.25));
    return sel(g, lt(g, a, num(g, a, 0)), sub(g, num(g, a, 2), y), y);
}

static Node *erfcx_f64(Graph *g, Node *a) {
    /* Beyond 2^500 the parts would overflow, and the result is 1/(sqrt(pi)*x), to the last bit. */
    Node *x = magnitude(g, a), *z = at_most(g, x, 0x1p500), *y, *c;
    erfcx_parts(g, z, 1, 0, &y, &c);
    Node *right = sel(g, lt(g, num(g, x, 0x1p500), x), quo(g, num(g, x, 0x1.20dd750429b6dp-1), x),
                      add(g, y, c));
    /* 2*exp(x^2) - y, in parts as long as y counts: they would overflow a little early. */
    Node *w = at_most(g, x, 26.75), *w2 = mul(g, w, w);
    ExpParts e = exp_parts(g, w2, mad(g, w, w, neg(g, w2)));
    Node *p = add(g, e.p, e.p), *q = add(g, e.q, e.q), *hi = scale(g, p, e.shifted);
    Node *t = sub(g, hi, y), *lost = sub(g, sub(g, hi, t), y);
    Node *near = add(g, t, add(g, lost, sub(g, scale(g, q, e.shifted), c)));
    Node *far = scale(g, add(g, p, q), e.shifted);
    Node *left = sel(g, lt(g, w, num(g, x, 26)), near, far);
    return sel(g, lt(g, a, num(g, a, 0)), left, right);
}

static Node *normcdf_f64(Graph *g, Node *a) {
    Node *x = at_most(g, magnitude(g, a), 38.625), *y, *c, *h = mul(g, x, num(g, x, -0.5));
    erfcx_parts(g, x, 0x1.6a09e667f3bcdp-1, -0x1.bdd3413b26456p-55, &y, &c);
    Node *half = num(g, x, 0.5), *x2 = mul(g, h, x);
    y = product(g, x2, mad(g, h, x, neg(g, x2)), mul(g, half, y), mul(g, half, c));
    return sel(g, lt(g, a, num(g, a, 0)), y, sub(g, num(g, a, 1), y));
}

Node *expand_erf(Graph *g, Node *a) { return is_f64(a) ? erf_f64(g, a) : erf_f32(g, a); }

Node *expand_erfc(Graph *g, Node *a) {
    if (is_f64(a)) return erfc_f64(g, a);
    Node *x = widen(g, at_most(g, magnitude(g, a), 10.125));
    Node *y = mul(g, exp_wide(g, neg(g, mul(g, x, x))), erfcx_wide(g, x));
    return narrow(g, sel(g, lt(g, a, num(g, a, 0)), sub(g, num(g, x, 2), y), y));
}

Node *expand_erfcx(Graph *g, Node *a) {
    if (is_f64(a)) return erfcx_f64(g, a);
    Node *x = widen(g, magnitude(g, a)), *y = erfcx_wide(g, x);
    Node *e = exp_wide(g, at_most(g, mul(g, x, x), 91));
    return narrow(g, sel(g, lt(g, a, num(g, a, 0)), sub(g, add(g, e, e), y), y));
}

/* exp(-z^2/2), whose exponent is exact in two parts. */
static ExpReduced exp_of_half_square(Graph *g, Node *z) {
    Node *half = mul(g, z, num(g, z, -0.5)), *power = mul(g, half, z);
    return exp_reduced(g, power, mad(g, half, z, neg(g, power)));
}

Node *expand_bell(Graph *g, Node *a) {
    Node *z = at_most(g, magnitude(g, a), 14.5);
    const ExpReduced e = exp_of_half_square(g, z);
    Node *low = add(g, e.q, mad(g, add(g, e.r, e.q), e.lost, e.lost)), *u = add(g, e.r, low);
    return mul(g, mad(g, e.power, u, e.power), num(g, z, 0x1p-64));
}

/* normcdf for arguments below 0, times 2^64, and for the others. */
typedef struct {
    Node *below, *above;
} Sides;

/* For z = |a|, normcdf(-z) = exp(-z^2/2)*y*(1 + D), where y = c/(z + k) and D is smooth, and small
 * where the result is not. What the exponent and y have lost by rounding is collected in t and
 * multiplied in as 1 + t. So the largest errors are those of the last steps. */
static Sides normcdf_f32(Graph *g, Node *a) {
    /* D = even(w^2) + w*odd(w^2), w = 4.5*y - 1.125: two short chains instead of a long one. */
    static const double even[] = {-0x1.95a3a4p-9,  -0x1.ee0ddep-4,  0x1.02edf4p-7,  0x1.963eeep-8,
                                  -0x1.54bbe6p-11, -0x1.998028p-11, 0x1.553ca8p-14, 0x1.f067b2p-15};
    static const double odd[] = {0x1.c5251ep-4,  0x1.f4aa3cp-6,  -0x1.8611d2p-7, -0x1.6861e2p-10,
                                 0x1.005aaap-10, 0x1.7a2f2cp-12, -0x1.7e3b0cp-13};
    const double k = 1.125, c = 0.5546875;
    Node *z = at_most(g, magnitude(g, a), 14.5), *one = num(g, z, 1);
    Node *shifted_z = add(g, z, num(g, z, k)), *y = quo(g, num(g, z, c), shifted_z);
    Node *lost = sub(g, z, sub(g, shifted_z, num(g, z, k))), *minus_y = neg(g, y);
    Node *rest = mad(g, minus_y, lost, mad(g, minus_y, shifted_z, num(g, z, c)));
    const ExpReduced e = exp_of_half_square(g, z);
    Node *t = mad(g, rest, num(g, z, 1 / c), e.lost);
    Node *w = mad(g, y, num(g, z, 4.5), num(g, z, -1.125)), *w2 = mul(g, w, w);
    Node *d = mad(g, POLY(g, w2, odd), w, POLY(g, w2, even));
    d = add(g, d, mad(g, t, d, t));
    /* (1 + r + q)*(1 + d) = p + u, where p takes all of 1 + r but its rounding error. */
    Node *p = add(g, one, e.r), *u = mad(g, add(g, e.r, e.q), d, add(g, e.q, d));
    u = add(g, u, add(g, sub(g, one, p), e.r));
    Node *scaled = mul(g, y, e.power), *top = mul(g, scaled, p);
    Node *low = mad(g, scaled, u, mad(g, scaled, p, neg(g, top)));
    Node *tail = add(g, top, low), *unit = num(g, z, 0x1p-64);
    return (Sides){tail, mad(g, neg(g, tail), unit, one)};
}

Node *expand_normcdf(Graph *g, Node *a) {
    if (is_f64(a)) return normcdf_f64(g, a);
    const Sides s = normcdf_f32(g, a);
    return sel(g, lt(g, a, num(g, a, 0)), mul(g, s.below, num(g, a, 0x1p-64)), s.above);
}

Node *expand_normcdf_alone(Graph *g, Node *a) {
    if (is_f64(a)) return normcdf_f64(g, a);
    Node *x = widen(g, at_most(g, magnitude(g, a), 14.5));
    Node *half = num(g, x, 0.5), *e = exp_wide(g, mul(g, mul(g, x, num(g, x, -0.5)), x));
    Node *y = mul(g, mul(g, half, e), erfcx_wide(g, mul(g, x, num(g, x, 0x1.6a09e667f3bcdp-1))));
    return narrow(g, sel(g, lt(g, a, num(g, a, 0)), y, sub(g, num(g, x, 1), y)));
}

/* Multiplied before the last scaling, so that a subnormal normcdf(a) is no loss. From -16 on the
 * product is 0. */
Node *expand_normcdf_times(Graph *g, Node *a) {
    const Sides s = normcdf_f32(g, a);
    Node *below = mul(g, mul(g, at_least(g, a, -16), s.below), num(g, a, 0x1p-64));
    return sel(g, lt(g, a, num(g, a, 0)), below, mul(g, a, s.above));
}
