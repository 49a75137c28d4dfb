/* sin, cos, tan.
 *
 * q = round(x*2/pi), r = x - q*pi/2 in [-pi/4, pi/4]; then the polynomial of sin or cos and a sign, as q mod 4 says.
 * f32: pi/2 in three parts for |x| < 2^16: the first difference is exact, the next keeps its rounding error, for an ulp of r
 * may be two of sin r; tan does without that in f64.
 * Beyond, a slow path multiplies x by 28-bit pieces of 2/pi in f64: the products are exact, and of those that are
 * multiples of 4 by themselves, which is a question of x's exponent, none is looked at (Payne and Hanek).
 *
 * claim: sin f32 max 4 ulp, exhaustive
 * claim: cos f32 max 4 ulp, exhaustive
 * claim: tan f32 max 4 ulp, exhaustive */
#include "expand/expand.h"

/* r + lo = x - q*pi/2 (lo may be NULL), and q in the low bits of `turns`. */
typedef struct {
    Node *r, *lo, *turns;
} Reduced;

static const double sin_wide[] = {-0x1.5555554c5f72ap-3, 0x1.1111085d02fb6p-7, -0x1.a00f745d68f6bp-13,
    0x1.6ccf5d9b649d6p-19};
static const double cos_wide[] = {1, -0x1.ffffffcb1439fp-2, 0x1.55553c5186745p-5, -0x1.6c07e1fa39ddap-10,
    0x1.9912fe16f583p-16};
static const double sin_f32[] = {-0x1.555556p-3, 0x1.111164p-7, -0x1.a0485cp-13, 0x1.77dd08p-19};
static const double cos_f32[] = {1, -0.5, 0x1.55554ap-5, -0x1.6c0c28p-10, 0x1.99e818p-16};

/* r^2, with what lo adds to it. */
static Node *square(Graph *g, Reduced x) {
    return x.lo ? mad(g, x.r, x.r, mul(g, add(g, x.r, x.r), x.lo)) : mul(g, x.r, x.r);
}
static Node *sin_poly(Graph *g, Reduced x) {
    Node *r2 = square(g, x), *r3 = mul(g, x.r, r2);
    if (is_f64(r2)) return mad(g, r3, POLY(g, r2, sin_wide), x.r);
    return add(g, mad(g, r3, POLY(g, r2, sin_f32), x.lo), x.r);
}
static Node *cos_poly(Graph *g, Reduced x) {
    Node *r2 = square(g, x);
    return is_f64(r2) ? POLY(g, r2, cos_wide) : POLY(g, r2, cos_f32);
}

static Node *is_odd(Graph *g, Node *turns) {
    Node *q = bits(g, turns);
    return ieq(g, iand(g, q, inum(g, q, 1)), inum(g, q, 1));
}

/* sin(x + k*pi/2) for k = 0 or 1. */
static Node *sine(Graph *g, Reduced x, int k) {
    Node *odd = is_odd(g, x.turns), *s = sin_poly(g, x), *c = cos_poly(g, x);
    Node *q = bits(g, x.turns);
    if (k) q = iadd(g, q, inum(g, q, k));
    Node *second = iand(g, ishl(g, q, is_f64(x.r) ? 62 : 30), inum(g, q, is_f64(x.r) ? INT64_MIN : INT32_MIN));
    return flip_sign(g, k ? sel(g, odd, s, c) : sel(g, odd, c, s), second);
}

/* f64, |x| < 2^20 or so, from f32. */
static Reduced reduce_wide(Graph *g, Node *x) {
    Node *m = num(g, x, 0x1.8p52), *turns = mad(g, x, num(g, x, 0x1.45f306dc9c883p-1), m), *q = sub(g, turns, m);
    Node *r = mad(g, q, num(g, x, -0x1.921fb54442d18p+0), x);
    return (Reduced){mad(g, q, num(g, x, -0x1.1a62633145c07p-54), r), NULL, turns};
}

/* f64, 2^15 <= |x|, from f32. */
static Reduced reduce_huge(Graph *g, Node *x) {
    static const double pieces[] = {0x1.45f306cp-1, 0x1.c9c882ap-29, 0x1.4fe13a8p-59, 0x1.f47d4dp-86,
        0x1.bb81b6cp-113, 0x1.4acc9ep-143, 0x1.0e4107cp-170};
    /* Piece i is a multiple of 2^-28(i+1), and x of 2^(e-23). */
    Node *m = magnitude(g, x), *above[3], *p[4];
    for (int i = 0; i < 3; i++) above[i] = le(g, num(g, x, i == 0 ? 0x1p53 : i == 1 ? 0x1p81 : 0x1p109), m);
    for (int j = 0; j < 4; j++) {
        Node *c = num(g, x, pieces[j]);
        for (int i = 0; i < 3; i++) c = sel(g, above[i], num(g, x, pieces[j + i + 1]), c);
        p[j] = mul(g, x, c);
        /* Whole turns go. */
        if (j < 2) p[j] = mad(g, rnd(g, mul(g, p[j], num(g, x, 0.25))), num(g, x, -4), p[j]);
    }
    Node *k = num(g, x, 0x1.8p52), *turns = add(g, add(g, p[0], p[1]), k), *q = sub(g, turns, k);
    Node *f = add(g, add(g, add(g, sub(g, p[0], q), p[1]), p[2]), p[3]);
    return (Reduced){mul(g, f, num(g, x, 0x1.921fb54442d18p+0)), NULL, turns};
}

/* f32, |x| < 2^16. */
static Reduced reduce_f32(Graph *g, Node *x) {
    Node *m = num(g, x, 0x1.8p23), *turns = mad(g, x, num(g, x, 0x1.45f306p-1), m), *q = sub(g, turns, m);
    Node *exact = mad(g, q, num(g, x, -0x1.921fb4p+0), x), *c = num(g, x, -0x1.4442d2p-24);
    Node *p = mul(g, q, c), *r = add(g, exact, p), *lost = sub(g, p, sub(g, r, exact));
    Node *lo = mad(g, q, num(g, x, 0x1.ee59dap-50), mad(g, q, c, neg(g, p)));
    return (Reduced){r, add(g, lost, lo), turns};
}

static Node *is_huge(Graph *g, Node *magnitude) { return le(g, num(g, magnitude, 0x1p16), magnitude); }

Node *expand_sin(Graph *g, Node *a) {
    Node *x = magnitude(g, a);
    Node *slow = narrow(g, sine(g, reduce_huge(g, widen(g, x)), 0));
    Node *y = guard(g, is_huge(g, x), slow, sine(g, reduce_f32(g, x), 0));
    return flip_sign(g, y, sign_of(g, a));
}

Node *expand_cos(Graph *g, Node *a) {
    /* The slow path takes -x, so that it shares no node with sin's: each guard keeps its own. */
    Node *x = magnitude(g, a);
    Node *slow = narrow(g, sine(g, reduce_huge(g, widen(g, neg(g, x))), 1));
    return guard(g, is_huge(g, x), slow, sine(g, reduce_f32(g, x), 1));
}

static Node *tangent(Graph *g, Reduced x) {
    Node *odd = is_odd(g, x.turns), *s = sin_poly(g, x), *c = cos_poly(g, x);
    return quo(g, sel(g, odd, neg(g, c), s), sel(g, odd, s, c));
}

Node *expand_tan(Graph *g, Node *a) {
    Node *x = magnitude(g, a), *w = widen(g, x);
    Node *y = guard(g, is_huge(g, x), tangent(g, reduce_huge(g, w)), tangent(g, reduce_wide(g, w)));
    return flip_sign(g, narrow(g, y), sign_of(g, a));
}
