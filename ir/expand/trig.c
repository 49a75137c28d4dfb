/* sin, cos, tan.
 *
 * q = round(x*2/pi), r = x - q*pi/2 in [-pi/4, pi/4]; then the polynomial of sin or cos and a sign,
 * as q mod 4 says. pi/2 comes in three parts for |x| < 2^16 (f64: 2^27): the first difference is
 * exact, the next keeps its rounding error, for an ulp of r may be two of sin r. tan f32 does
 * without that, in f64; tan f64 carries the errors into its quotient. Beyond, a slow path (Payne
 * and Hanek) multiplies x by those bits of 2/pi that matter, as x's exponent says: f32 by pieces of
 * 28 bits in f64, where the products are exact; f64 by integer arithmetic.
 *
 * claim: sin f32 max 0.88 ulp, exhaustive
 * claim: cos f32 max 0.90 ulp, exhaustive
 * claim: tan f32 max 0.80 ulp, exhaustive
 * claim: sin f64 max 0.90 ulp, observed
 * claim: cos f64 max 0.90 ulp, observed
 * claim: tan f64 max 1.20 ulp, observed */
#include "expand/expand.h"

/* r + lo = x - q*pi/2 (lo may be NULL), and q in the low bits of `turns`. */
typedef struct {
    Node *r, *lo, *turns;
} Reduced;

static const double sin_wide[] = {-0x1.5555554c5f72ap-3, 0x1.1111085d02fb6p-7,
                                  -0x1.a00f745d68f6bp-13, 0x1.6ccf5d9b649d6p-19};
static const double cos_wide[] = {1, -0x1.ffffffcb1439fp-2, 0x1.55553c5186745p-5,
                                  -0x1.6c07e1fa39ddap-10, 0x1.9912fe16f583p-16};
static const double sin_f32[] = {-0x1.555556p-3, 0x1.111164p-7, -0x1.a0485cp-13, 0x1.77dd08p-19};
static const double cos_f32[] = {1, -0.5, 0x1.55554ap-5, -0x1.6c0c28p-10, 0x1.99e818p-16};

static const double sin_f64[] = {-0x1.5555555555548p-3,  0x1.111111110f74cp-7,
                                 -0x1.a01a019beebd7p-13, 0x1.71de355b4ef37p-19,
                                 -0x1.ae5e5114a021p-26,  0x1.5d8d1fe5b9253p-33};
static const double cos_f64[] = {1,
                                 -0.5,
                                 0x1.555555555554bp-5,
                                 -0x1.6c16c16c15009p-10,
                                 0x1.a01a019c8d111p-16,
                                 -0x1.27e4f7ef88f7bp-22,
                                 0x1.1ee9da20008d8p-29,
                                 -0x1.8fa582fd0cddp-37};

/* r^2, with what lo adds to it. */
static Node *square(Graph *g, Reduced x) {
    return x.lo ? mad(g, x.r, x.r, mul(g, add(g, x.r, x.r), x.lo)) : mul(g, x.r, x.r);
}
static Node *sin_poly(Graph *g, Reduced x) {
    Node *r2 = square(g, x), *r3 = mul(g, x.r, r2);
    if (!x.lo) return mad(g, r3, POLY(g, r2, sin_wide), x.r);
    return add(g, mad(g, r3, is_f64(r2) ? POLY(g, r2, sin_f64) : POLY(g, r2, sin_f32), x.lo), x.r);
}
static Node *cos_poly(Graph *g, Reduced x) {
    Node *r2 = square(g, x);
    if (!x.lo) return POLY(g, r2, cos_wide);
    return is_f64(r2) ? POLY(g, r2, cos_f64) : POLY(g, r2, cos_f32);
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
    Node *second =
        iand(g, ishl(g, q, is_f64(x.r) ? 62 : 30), inum(g, q, is_f64(x.r) ? INT64_MIN : INT32_MIN));
    return flip_sign(g, k ? sel(g, odd, s, c) : sel(g, odd, c, s), second);
}

/* f64, |x| < 2^20 or so, from f32. */
static Reduced reduce_wide(Graph *g, Node *x) {
    Node *m = num(g, x, 0x1.8p52), *turns = mad(g, x, num(g, x, 0x1.45f306dc9c883p-1), m),
         *q = sub(g, turns, m);
    Node *r = mad(g, q, num(g, x, -0x1.921fb54442d18p+0), x);
    return (Reduced){mad(g, q, num(g, x, -0x1.1a62633145c07p-54), r), NULL, turns};
}

/* f64, 2^15 <= |x|, from f32. */
static Reduced reduce_huge(Graph *g, Node *x) {
    static const double pieces[] = {0x1.45f306cp-1,  0x1.c9c882ap-29,  0x1.4fe13a8p-59,
                                    0x1.f47d4dp-86,  0x1.bb81b6cp-113, 0x1.4acc9ep-143,
                                    0x1.0e4107cp-170};
    /* Piece i is a multiple of 2^-28(i+1), and x of 2^(e-23). */
    Node *m = magnitude(g, x), *above[3], *p[4];
    for (int i = 0; i < 3; i++)
        above[i] = le(g, num(g, x, i == 0 ? 0x1p53 : i == 1 ? 0x1p81 : 0x1p109), m);
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

/* |x| < 2^16 in f32, 2^27 in f64: pi/2 = a + b + c, where x - q*a is exact. */
static Reduced reduce(Graph *g, Node *x) {
    const bool f64 = is_f64(x);
    Node *m = num(g, x, f64 ? 0x1.8p52 : 0x1.8p23);
    Node *turns = mad(g, x, num(g, x, f64 ? 0x1.45f306dc9c883p-1 : 0x1.45f306p-1), m),
         *q = sub(g, turns, m);
    Node *a = num(g, x, f64 ? -0x1.921fb54442d18p+0 : -0x1.921fb4p+0);
    Node *b = num(g, x, f64 ? -0x1.1a62633145c07p-54 : -0x1.4442d2p-24);
    Node *c = num(g, x, f64 ? 0x1.f1976b7ed8fbcp-110 : 0x1.ee59dap-50);
    Node *exact = mad(g, q, a, x), *p = mul(g, q, b);
    Node *r = add(g, exact, p), *lost = sub(g, p, sub(g, r, exact));
    return (Reduced){r, add(g, lost, mad(g, q, c, mad(g, q, b, neg(g, p)))), turns};
}

/* a < b, both unsigned. */
static Node *below(Graph *g, Node *a, Node *b) {
    Node *top = inum(g, a, INT64_MIN);
    return ilt(g, ixor(g, a, top), ixor(g, b, top));
}

/* Bit k of i is set. */
static Node *bit(Graph *g, Node *i, int k) {
    Node *mask = inum(g, i, (int64_t)((uint64_t)1 << k));
    return ieq(g, iand(g, i, mask), mask);
}

/* f64, 2^27 <= |x|: x = M*2^E, and of 2/pi, shifted by E, the 192 bits from 2 downwards are
 * multiplied by the integer M. The words lie so that the upper four bits of the exponent (below its
 * first) choose one, and the lower six its bit. */
static Reduced reduce_huge_f64(Graph *g, Node *x) {
    static const uint64_t words[] = {
        0x0000000000000517, 0xcc1b727220a94fe1, 0x3abe8fa9a6ee06db, 0x14acc9e21c820ff2,
        0x8b1d5ef5de2b0db9, 0x2371d2126e970032, 0x4977504e8c90e7f0, 0xef58e5894d39f744,
        0x11afa975da24274c, 0xe38135a2fbf209cc, 0x8eb1cc1a99cfa4e4, 0x22fc5defc941d8ff,
        0xc4bffef02cc07f79, 0x788c5ad05368fb69, 0xb3f6793e584dba7a, 0x31fb34f2ff516ba9,
        0x3dd63f5f2f8bd9e8, 0x39cfbc529497535f, 0xdafd88fc6ae842b0};
    Node *i = bits(g, x), *one = inum(g, i, 1), *w[4], *v[3];
    for (int k = 0; k < 4; k++) {
        Node *t[16];
        for (int j = 0; j < 16; j++) t[j] = inum(g, i, (int64_t)words[j + k]);
        for (int level = 0; level < 4; level++)
            for (int j = 0; j < 8 >> level; j++)
                t[j] = sel(g, bit(g, i, 58 + level), t[2 * j + 1], t[2 * j]);
        w[k] = t[0];
    }
    /* Shifting left by b is multiplying by 2^b. */
    Node *power = one;
    for (int k = 0; k < 6; k++) power = sel(g, bit(g, i, 52 + k), ishl(g, power, 1 << k), power);
    for (int k = 0; k < 3; k++) v[k] = ior(g, imul(g, w[k], power), umulh(g, w[k + 1], power));
    Node *m = ior(g, iand(g, i, inum(g, i, 0xfffffffffffff)), inum(g, i, 0x10000000000000));
    Node *carry = umulh(g, m, v[2]), *low = iadd(g, imul(g, m, v[1]), carry);
    Node *high = iadd(g, imul(g, m, v[0]), umulh(g, m, v[1]));
    high = iadd(g, high, sel(g, below(g, low, carry), one, inum(g, i, 0)));
    /* Two bits of quarter turns, then a signed fraction in [-1/2, 1/2). */
    Node *turns = ushr(g, iadd(g, high, inum(g, i, (int64_t)1 << 61)), 62);
    Node *f = ior(g, ishl(g, high, 2), ushr(g, low, 62)), *rest = ishl(g, low, 2);
    Node *a = mul(g, itof(g, ishr(g, f, 32)), num(g, x, 0x1p-32));
    Node *b = mul(g, itof(g, iand(g, f, inum(g, i, 0xffffffff))), num(g, x, 0x1p-64));
    Node *c = mul(g, itof(g, ushr(g, rest, 11)), num(g, x, 0x1p-117));
    Node *hi = add(g, a, b), *lo = add(g, add(g, sub(g, a, hi), b), c);
    Node *r = add(g, hi, lo), *r_lo = add(g, sub(g, hi, r), lo);
    Node *p = num(g, x, 0x1.921fb54442d18p+0), *y = mul(g, r, p);
    Node *y_lo = mad(g, r, p, neg(g, y));
    y_lo = add(g, y_lo, mad(g, r, num(g, x, 0x1.1a62633145c07p-54), mul(g, r_lo, p)));
    y = sel(g, lt(g, mag(g, x), num(g, x, __builtin_inf())), y, num(g, x, __builtin_nan("")));
    return (Reduced){y, y_lo, asfloat(g, turns)};
}

static Node *is_huge(Graph *g, Node *magnitude) {
    return le(g, num(g, magnitude, is_f64(magnitude) ? 0x1p27 : 0x1p16), magnitude);
}

/* sin(x + k*pi/2), x huge. */
static Node *sine_huge(Graph *g, Node *x, int k) {
    return is_f64(x) ? sine(g, reduce_huge_f64(g, x), k)
                     : narrow(g, sine(g, reduce_huge(g, widen(g, x)), k));
}

Node *expand_sin(Graph *g, Node *a) {
    Node *x = magnitude(g, a);
    Node *y = guard(g, is_huge(g, x), sine_huge(g, x, 0), sine(g, reduce(g, x), 0));
    return flip_sign(g, y, sign_of(g, a));
}

Node *expand_cos(Graph *g, Node *a) {
    /* The slow path takes -x, so that it shares no node with sin's: each guard keeps its own. */
    Node *x = magnitude(g, a);
    return guard(g, is_huge(g, x), sine_huge(g, neg(g, x), 1), sine(g, reduce(g, x), 1));
}

static Node *tangent(Graph *g, Reduced x) {
    Node *odd = is_odd(g, x.turns), *s = sin_poly(g, x), *c = cos_poly(g, x);
    return quo(g, sel(g, odd, neg(g, c), s), sel(g, odd, s, c));
}

/* The same for f64, where sine and cosine carry their rounding errors into the quotient. */
static Node *tangent_f64(Graph *g, Reduced x) {
    Node *odd = is_odd(g, x.turns), *one = num(g, x.r, 1), *r2 = square(g, x);
    Node *s = sin_poly(g, x), *c = cos_poly(g, x);
    Node *s_lo = add(g, sub(g, x.r, s), mad(g, mul(g, x.r, r2), POLY(g, r2, sin_f64), x.lo));
    Node *c_lo = mad(g, r2, poly(g, r2, cos_f64 + 1, 7), sub(g, one, c));
    Node *top = sel(g, odd, neg(g, c), s), *top_lo = sel(g, odd, neg(g, c_lo), s_lo);
    Node *bottom = sel(g, odd, s, c), *bottom_lo = sel(g, odd, s_lo, c_lo);
    Node *inverse = quo(g, one, bottom), *y = mul(g, top, inverse), *minus = neg(g, y);
    Node *error = add(g, mad(g, minus, bottom, top), mad(g, minus, bottom_lo, top_lo));
    return mad(g, error, inverse, y);
}

Node *expand_tan(Graph *g, Node *a) {
    Node *x = magnitude(g, a), *w = is_f64(a) ? x : widen(g, x);
    Node *slow = is_f64(a) ? tangent_f64(g, reduce_huge_f64(g, w)) : tangent(g, reduce_huge(g, w));
    Node *fast = is_f64(a) ? tangent_f64(g, reduce(g, w)) : tangent(g, reduce_wide(g, w));
    Node *y = guard(g, is_huge(g, x), slow, fast);
    return flip_sign(g, is_f64(a) ? y : narrow(g, y), sign_of(g, a));
}
