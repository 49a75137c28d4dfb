/* erf, erfc, erfcx, normcdf.
 *
 * erf f32: x + x*P(x^2) below 1; 1 - 2^(x*p(x)) above, where p = log2(erfc(x))/x is nearly a polynomial.
 * The others rest on erfcx(x) = exp(x^2)*erfc(x) = r*P(r), r = 1/(x + 5/2), for x >= 0, which is smooth up to infinity:
 * erfc(x) = exp(-x^2)*erfcx(x), normcdf(x) = exp(-x^2/2)*erfcx(-x/sqrt(2))/2 for x < 0; on the other side
 * erfc(-x) = 2 - erfc(x), normcdf(-x) = 1 - normcdf(x), erfcx(-x) = 2*exp(x^2) - erfcx(x).
 * f32 computes them in f64 and rounds once: x^2 is exact there and the tails come out right, subnormal results too.
 *
 * claim: erf f32 max 4 ulp, exhaustive
 * claim: erfc f32 max 4 ulp, exhaustive
 * claim: erfcx f32 max 4 ulp, exhaustive
 * claim: normcdf f32 max 4 ulp, exhaustive */
#include "expand/expand.h"

static Node *erf_f32(Graph *g, Node *a) {
    static const double small[] = {0x1.06eba8p-3, -0x1.81273ep-2, 0x1.ce2ce6p-4, -0x1.b7f716p-6,
        0x1.53f1dcp-8, -0x1.a34e26p-11, 0x1.47662ap-14};
    static const double log2_erfc[] = {-0x1.a0dc0cp0, -0x1.d508cap-1, -0x1.3ab65cp-3, 0x1.1b9c64p-5, -0x1.62b8f6p-8, 0x1.082fe8p-11, -0x1.4ef59ep-16};
    static const double exp2_f32[] = {0x1.62e43p-1, 0x1.ebfbd8p-3, 0x1.c6af74p-5, 0x1.3b3098p-7,
        0x1.5f0ccap-10, 0x1.3fabfep-13};
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
    static const double c[] = {0x1.20dd750391cecp-1, 0x1.6914d333c780fp+0, 0x1.9f3e27a5f6d9dp+1,
        0x1.accaa9ce1a31ep+2, 0x1.7c6d73a0441dap+3, 0x1.0068b3909e392p+4, 0x1.0e625b430579dp+4,
        -0x1.6203026cbf9e9p+6, 0x1.8132052688bb6p+8, -0x1.1b14983dd8e32p+11, 0x1.61e584f86353dp+12,
        -0x1.8fef30e873339p+12, 0x1.5e18fadcf0184p+11};
    Node *r = quo(g, num(g, x, 1), add(g, x, num(g, x, 2.5)));
    return mul(g, r, POLY(g, r, c));
}

Node *expand_erf(Graph *g, Node *a) { return erf_f32(g, a); }

Node *expand_erfc(Graph *g, Node *a) {
    Node *x = widen(g, at_most(g, magnitude(g, a), 10.125));
    Node *y = mul(g, exp_wide(g, neg(g, mul(g, x, x))), erfcx_wide(g, x));
    return narrow(g, sel(g, lt(g, a, num(g, a, 0)), sub(g, num(g, x, 2), y), y));
}

Node *expand_erfcx(Graph *g, Node *a) {
    Node *x = widen(g, magnitude(g, a)), *y = erfcx_wide(g, x);
    Node *e = exp_wide(g, at_most(g, mul(g, x, x), 91));
    return narrow(g, sel(g, lt(g, a, num(g, a, 0)), sub(g, add(g, e, e), y), y));
}

Node *expand_normcdf(Graph *g, Node *a) {
    Node *x = widen(g, at_most(g, magnitude(g, a), 14.5));
    Node *half = num(g, x, 0.5), *e = exp_wide(g, mul(g, mul(g, x, num(g, x, -0.5)), x));
    Node *y = mul(g, mul(g, half, e), erfcx_wide(g, mul(g, x, num(g, x, 0x1.6a09e667f3bcdp-1))));
    return narrow(g, sel(g, lt(g, a, num(g, a, 0)), y, sub(g, num(g, x, 1), y)));
}
