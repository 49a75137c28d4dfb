/* asin, acos, atan.
 *
 * asin x = x + x^3*P(x^2) up to 1/2; above, pi/2 - 2*asin(s), s = sqrt((1 - x)/2), where the root
 * carries its rounding error; acos is pi/2 - asin, put together so that nothing cancels. Sums with
 * pi/2 carry theirs as well.
 * atan x = base + atan(t) with t = x, (x - 1)/(x + 1) or -1/x for |x| < 0.6, < 2.4, beyond.
 *
 * claim: asin f32 max 0.65 ulp, exhaustive
 * claim: acos f32 max 0.60 ulp, exhaustive
 * claim: atan f32 max 0.95 ulp, exhaustive
 * claim: asin f64 max 0.65 ulp, observed
 * claim: acos f64 max 0.62 ulp, observed
 * claim: atan f64 max 0.95 ulp, observed */
#include "expand/expand.h"

/* pi/2 in two parts. */
static double half_pi_hi(const Node *like) {
    return is_f64(like) ? 0x1.921fb54442d18p+0 : 0x1.921fb6p+0;
}
static double half_pi_lo(const Node *like) {
    return is_f64(like) ? 0x1.1a62633145c07p-54 : -0x1.777a5cp-25;
}

/* asin of |x| or, from 1/2 on, of sqrt((1 - |x|)/2), as t + w. */
typedef struct {
    Node *x, *small, *t, *w;
} Arc;

static Arc arc(Graph *g, Node *a) {
    static const double f32[] = {0x1.55554cp-3, 0x1.33389ep-4, 0x1.6caab6p-5,
                                 0x1.04af34p-5, 0x1.d7924cp-7, 0x1.33d432p-5};
    static const double f64[] = {0x1.5555555555577p-3, 0x1.333333332e133p-4, 0x1.6db6db721247bp-5,
                                 0x1.f1c71a95002fbp-6, 0x1.6e8bdedebf9dfp-6, 0x1.1c49f077d5bc7p-6,
                                 0x1.ca1f8af1f0a3ap-7, 0x1.75859dad05d78p-7, 0x1.613c1e6ed740ap-7,
                                 0x1.e5fbe88dfb6c3p-9, 0x1.639a894e22b07p-6, -0x1.57fad0deac95ep-6,
                                 0x1.0b45e9f72f00bp-5};
    Node *x = magnitude(g, a), *small = lt(g, x, num(g, x, 0.5));
    Node *z = mad(g, x, num(g, x, -0.5), num(g, x, 0.5)), *s = sqroot(g, z);
    /* What s lacks. The summand keeps 0/0 away and changes no other quotient. */
    Node *lack = quo(g, mad(g, neg(g, s), s, z), mad(g, s, num(g, s, 2), num(g, s, 0x1p-100)));
    Node *t = sel(g, small, x, s), *t2 = sel(g, small, mul(g, x, x), z);
    Node *p = is_f64(a) ? POLY(g, t2, f64) : POLY(g, t2, f32);
    Node *w = mad(g, mul(g, t, t2), p, sel(g, small, num(g, x, 0), lack));
    return (Arc){x, small, t, w};
}

/* base + (t + w), where |base| >= |t| or base = 0. */
static Node *sum(Graph *g, Node *base_hi, Node *base_lo, Node *t, Node *w) {
    Node *d = add(g, base_hi, t);
    return add(g, d, add(g, sub(g, t, sub(g, d, base_hi)), add(g, base_lo, w)));
}

Node *expand_asin(Graph *g, Node *a) {
    Arc y = arc(g, a);
    Node *zero = num(g, a, 0), *k = sel(g, y.small, num(g, a, 1), num(g, a, -2));
    Node *hi = sel(g, y.small, zero, num(g, a, half_pi_hi(a))),
         *lo = sel(g, y.small, zero, num(g, a, half_pi_lo(a)));
    return with_sign(g, sum(g, hi, lo, mul(g, k, y.t), mul(g, k, y.w)), sign_of(g, a));
}

Node *expand_acos(Graph *g, Node *a) {
    Arc y = arc(g, a);
    Node *zero = num(g, a, 0), *below = lt(g, a, zero), *hi = num(g, a, half_pi_hi(a)),
         *lo = num(g, a, half_pi_lo(a));
    Node *k = sel(g, y.small, num(g, a, -1), num(g, a, 2));
    k = sel(g, below, neg(g, k), k);
    hi = sel(g, y.small, hi, sel(g, below, add(g, hi, hi), zero));
    lo = sel(g, y.small, lo, sel(g, below, add(g, lo, lo), zero));
    return sum(g, hi, lo, mul(g, k, y.t), mul(g, k, y.w));
}

Node *expand_atan(Graph *g, Node *a) {
    static const double f32[] = {-0x1.555534p-2, 0x1.998b6cp-3, -0x1.238ef4p-3,
                                 0x1.b5b594p-4,  -0x1.254fp-4,  0x1.d7a6d6p-6};
    static const double f64[] = {
        -0x1.5555555555539p-2, 0x1.999999999628p-3,  -0x1.249249236622bp-3, 0x1.c71c715fa95dcp-4,
        -0x1.745d0cac8a268p-4, 0x1.3b12fc93c0821p-4, -0x1.1108d04ea2d0fp-4, 0x1.e158d337c69b9p-5,
        -0x1.abef51bda1697p-5, 0x1.77de5437ec5ccp-5, -0x1.35f321697d52fp-5, 0x1.b279b58112fb3p-6,
        -0x1.b5c3f2dcbe6bcp-7, 0x1.c59c4b55fd67ep-9};
    Node *x = magnitude(g, a), *zero = num(g, x, 0), *one = num(g, x, 1);
    Node *small = lt(g, x, num(g, x, 0.6015625)), *medium = lt(g, x, num(g, x, 2.375));
    Node *top = sel(g, small, x, sel(g, medium, sub(g, x, one), num(g, x, -1)));
    Node *t = quo(g, top, sel(g, small, one, sel(g, medium, add(g, x, one), x)));
    const double p = half_pi_hi(x), q = half_pi_lo(x);
    Node *hi = sel(g, small, zero, sel(g, medium, num(g, x, p / 2), num(g, x, p)));
    Node *lo = sel(g, small, zero, sel(g, medium, num(g, x, q / 2), num(g, x, q)));
    Node *t2 = mul(g, t, t);
    Node *w = mad(g, mul(g, t, t2), is_f64(a) ? POLY(g, t2, f64) : POLY(g, t2, f32), lo);
    return with_sign(g, add(g, hi, add(g, t, w)), sign_of(g, a));
}
