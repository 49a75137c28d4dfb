/* rsqrt: r = 1/sqrt(x), corrected by the residuals of both roundings: with s = sqrt(x), d = 1 - r*s
 * and e = x - s*s (exact), the result is r + r*(d - e*r^2/2). Tiny x are scaled by 2^k first, so
 * that e does not underflow. rsqrt(-0) is -infinity, as IEEE 754 has it.
 *
 * claim: rsqrt f32 max 0.51 ulp, exhaustive
 * claim: rsqrt f64 max 0.51 ulp, observed */
#include "expand/expand.h"

Node *expand_rsqrt(Graph *g, Node *a) {
    const bool f64 = is_f64(a);
    Node *tiny = lt(g, a, num(g, a, f64 ? 0x1p-512 : 0x1p-64));
    Node *x = sel(g, tiny, mul(g, a, num(g, a, f64 ? 0x1p512 : 0x1p64)), a);
    Node *s = sqroot(g, x), *r = quo(g, num(g, a, 1), s);
    Node *d = mad(g, neg(g, r), s, num(g, a, 1)), *e = mad(g, neg(g, s), s, x);
    Node *t = mad(g, mul(g, mul(g, e, num(g, a, -0.5)), r), r, d);
    Node *y = mad(g, r, t, r);
    /* 0 and infinity: the residuals are NaN. */
    y = sel(g, lt(g, mag(g, t), num(g, a, 1)), y, r);
    return mul(g, y, sel(g, tiny, num(g, a, f64 ? 0x1p256 : 0x1p32), num(g, a, 1)));
}
