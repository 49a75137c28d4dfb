/* Expansions: one function for each EXPAND row, building it from PRIM rows. They run after
 * constants have been rounded, so every node here is an operation of the machine: rounded once,
 * fused only where we say mad().
 *
 * Each file opens with the idea and one `claim: NAME TYPE max ULP ulp, exhaustive|observed` for
 * each function and type; tests/accuracy/ reads these lines. The constants come from
 * coefficients/. */
#ifndef ACTC_IR_EXPAND_H
#define ACTC_IR_EXPAND_H

#include <string.h>

#include "ir.h"

/* ---- the notation of this folder ---- */

/* A constant of the type of `like`. */
static inline Node *num(Graph *g, const Node *like, double v) {
    return graph_float(g, (Type)like->type, v);
}
static inline Node *inum(Graph *g, const Node *like, int64_t v) {
    return graph_int(g, (Type)like->type, v);
}

static inline Node *add(Graph *g, Node *a, Node *b) { return graph_op(g, OP_ADD, a, b, NULL); }
static inline Node *sub(Graph *g, Node *a, Node *b) { return graph_op(g, OP_SUB, a, b, NULL); }
static inline Node *mul(Graph *g, Node *a, Node *b) { return graph_op(g, OP_MUL, a, b, NULL); }
static inline Node *quo(Graph *g, Node *a, Node *b) { return graph_op(g, OP_DIV, a, b, NULL); }
static inline Node *neg(Graph *g, Node *a) { return graph_op(g, OP_NEG, a, NULL, NULL); }
static inline Node *mag(Graph *g, Node *a) { return graph_op(g, OP_ABS, a, NULL, NULL); }
static inline Node *mad(Graph *g, Node *a, Node *b, Node *c) {
    return graph_op(g, OP_FMA, a, b, c);
}
static inline Node *sqroot(Graph *g, Node *a) { return graph_op(g, OP_SQRT, a, NULL, NULL); }
static inline Node *rnd(Graph *g, Node *a) { return graph_op(g, OP_ROUND, a, NULL, NULL); }

static inline Node *lt(Graph *g, Node *a, Node *b) { return graph_op(g, OP_LT, a, b, NULL); }
static inline Node *le(Graph *g, Node *a, Node *b) { return graph_op(g, OP_LE, a, b, NULL); }
static inline Node *eq(Graph *g, Node *a, Node *b) { return graph_op(g, OP_EQ, a, b, NULL); }
static inline Node *both(Graph *g, Node *a, Node *b) { return graph_op(g, OP_AND, a, b, NULL); }
static inline Node *either(Graph *g, Node *a, Node *b) { return graph_op(g, OP_OR, a, b, NULL); }
static inline Node *not_(Graph *g, Node *a) { return graph_op(g, OP_NOT, a, NULL, NULL); }
static inline Node *sel(Graph *g, Node *c, Node *a, Node *b) {
    return graph_op(g, OP_SELECT, c, a, b);
}
static inline Node *guard(Graph *g, Node *c, Node *slow, Node *fast) {
    return graph_op(g, OP_GUARD, c, slow, fast);
}

static inline Node *bits(Graph *g, Node *a) { return graph_op(g, OP_BITS, a, NULL, NULL); }
static inline Node *asfloat(Graph *g, Node *a) { return graph_op(g, OP_ASFLOAT, a, NULL, NULL); }
static inline Node *itof(Graph *g, Node *a) { return graph_op(g, OP_ITOF, a, NULL, NULL); }
static inline Node *widen(Graph *g, Node *a) { return graph_op(g, OP_WIDEN, a, NULL, NULL); }
static inline Node *narrow(Graph *g, Node *a) { return graph_op(g, OP_NARROW, a, NULL, NULL); }
static inline Node *iadd(Graph *g, Node *a, Node *b) { return graph_op(g, OP_IADD, a, b, NULL); }
static inline Node *isub(Graph *g, Node *a, Node *b) { return graph_op(g, OP_ISUB, a, b, NULL); }
static inline Node *imul(Graph *g, Node *a, Node *b) { return graph_op(g, OP_IMUL, a, b, NULL); }
static inline Node *umulh(Graph *g, Node *a, Node *b) { return graph_op(g, OP_UMULH, a, b, NULL); }
static inline Node *iand(Graph *g, Node *a, Node *b) { return graph_op(g, OP_IAND, a, b, NULL); }
static inline Node *ior(Graph *g, Node *a, Node *b) { return graph_op(g, OP_IOR, a, b, NULL); }
static inline Node *ixor(Graph *g, Node *a, Node *b) { return graph_op(g, OP_IXOR, a, b, NULL); }
static inline Node *ieq(Graph *g, Node *a, Node *b) { return graph_op(g, OP_IEQ, a, b, NULL); }
static inline Node *ilt(Graph *g, Node *a, Node *b) { return graph_op(g, OP_ILT, a, b, NULL); }
static inline Node *ishl(Graph *g, Node *a, int k) {
    return graph_op(g, OP_ISHL, a, inum(g, a, k), NULL);
}
static inline Node *ishr(Graph *g, Node *a, int k) {
    return graph_op(g, OP_ISHR, a, inum(g, a, k), NULL);
}
static inline Node *ushr(Graph *g, Node *a, int k) {
    return graph_op(g, OP_USHR, a, inum(g, a, k), NULL);
}

static inline bool is_f64(const Node *a) { return a->type == TYPE_F64; }

/* The smaller (larger) of a and the constant; a NaN stays. One instruction on most machines. */
static inline Node *at_most(Graph *g, Node *a, double v) {
    Node *k = num(g, a, v);
    return sel(g, lt(g, k, a), k, a);
}
static inline Node *at_least(Graph *g, Node *a, double v) {
    Node *k = num(g, a, v);
    return sel(g, lt(g, a, k), k, a);
}

/* c[0] + c[1]*x + … + c[n-1]*x^(n-1) by Horner's rule. */
static inline Node *poly(Graph *g, Node *x, const double *c, int n) {
    Node *y = num(g, x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) y = mad(g, y, x, num(g, x, c[i]));
    return y;
}
#define POLY(g, x, c) poly(g, x, c, (int)(sizeof(c) / sizeof *(c)))

/* The encoding of v, and the masks of sign and fraction, in the type of `like`. */
static inline int64_t encode(const Node *like, double v) {
    if (is_f64(like)) {
        int64_t i;
        memcpy(&i, &v, sizeof i);
        return i;
    }
    const float f = (float)v;
    int32_t i;
    memcpy(&i, &f, sizeof i);
    return i;
}
static inline int fraction_bits(const Node *like) { return is_f64(like) ? 52 : 23; }

/* The sign bit of a; a value with that sign bit added, or flipped. */
static inline Node *sign_of(Graph *g, Node *a) {
    Node *b = bits(g, a);
    return iand(g, b, inum(g, b, is_f64(a) ? INT64_MIN : INT32_MIN));
}
static inline Node *with_sign(Graph *g, Node *magnitude, Node *sign) {
    return asfloat(g, ior(g, bits(g, magnitude), sign));
}
static inline Node *flip_sign(Graph *g, Node *a, Node *sign) {
    return asfloat(g, ixor(g, bits(g, a), sign));
}

/* |a|, the same node for a and -a, so that f(x) and f(-x) share their work; and a without its
 * minus. */
static inline Node *strip_neg(Node *a, bool *negated) {
    *negated = a->op == OP_NEG;
    return *negated ? a->arg[0] : a;
}
static inline Node *magnitude(Graph *g, Node *a) {
    bool negated;
    a = strip_neg(a, &negated);
    return a->op == OP_ABS ? a : mag(g, a);
}

/* ---- exp.c ---- */
/* exp(-|a|): what the logistic family has in common. */
Node *exp_negative(Graph *g, Node *a);
Node *expand_exp(Graph *g, Node *a);
Node *expand_exp2(Graph *g, Node *a);
Node *expand_expm1(Graph *g, Node *a);
/* The same, cheaper, for a <= 0 or NaN; anything else gives anything. */
Node *expand_expm1_below(Graph *g, Node *a);
/* 2^n for the integer n that stands in the low bits of `shifted` (n + 1.5*2^23 or 1.5*2^52), times
 * a, in two steps: right also where the result is subnormal. |n| is at most twice the largest
 * exponent, and `a` not so small or large that the first step rounds. codegen/llvm/ops.c knows this
 * form and has one instruction for it where there is one. */
Node *scale(Graph *g, Node *a, Node *shifted);
/* exp(a)*2^k where a has been clamped to what does not overflow the scaling (f32 [-105.4, 89], f64
 * [-750, 710]). */
Node *exp_times(Graph *g, Node *a, int k);
/* f32: exp(hi + lo) = 2^-64*power*(1 + r + q)*(1 + lost) for -105 < hi <= 0, |lo| small beside it;
 * r is exact. */
typedef struct {
    Node *r, *q, *lost, *power;
} ExpReduced;
ExpReduced exp_reduced(Graph *g, Node *hi, Node *lo);
/* exp(a) in f64 for the sake of f32 functions: relative error below 2^-34, |a| < 700. */
Node *exp_wide(Graph *g, Node *a);
/* exp(hi + lo) = (p + q)*2^n in f64, |lo| small beside |hi|, hi clamped as for exp_times: scale(p +
 * q, shifted). The sum is left to the caller, who may multiply first; q is an addend of up to 0.1,
 * not only a rounding error. */
typedef struct {
    Node *p, *q, *shifted;
} ExpParts;
ExpParts exp_parts(Graph *g, Node *hi, Node *lo);

/* ---- log.c ---- */
Node *expand_log(Graph *g, Node *a);
Node *expand_log2(Graph *g, Node *a);
Node *expand_log1p(Graph *g, Node *a);
/* f and k in x = 2^k*(1 + f), sqrt(1/2) <= 1 + f < sqrt(2), x > 0; *k comes times 2^23 (2^52). */
Node *log_split(Graph *g, Node *x, Node **k);
/* log(2^k*(1 + a)) for f64, a >= 0; infinite a gives garbage. */
Node *log1p_scaled(Graph *g, Node *a, Node *k);
/* log(a) in f64 for the sake of f32 functions: relative error below 2^-37, for normal a > 0 only
 * (and infinity, NaN). */
Node *log_wide(Graph *g, Node *a);

/* ---- root.c ---- */
Node *expand_rsqrt(Graph *g, Node *a);

/* ---- trig.c ---- */
Node *expand_sin(Graph *g, Node *a);
Node *expand_cos(Graph *g, Node *a);
Node *expand_tan(Graph *g, Node *a);

/* ---- invtrig.c ---- */
Node *expand_asin(Graph *g, Node *a);
Node *expand_acos(Graph *g, Node *a);
Node *expand_atan(Graph *g, Node *a);

/* ---- hyperbolic.c ---- */
Node *expand_sinh(Graph *g, Node *a);
Node *expand_cosh(Graph *g, Node *a);
Node *expand_tanh(Graph *g, Node *a);
Node *expand_asinh(Graph *g, Node *a);
Node *expand_sech2(Graph *g, Node *a);

/* ---- erf.c ---- */
Node *expand_erf(Graph *g, Node *a);
Node *expand_erfc(Graph *g, Node *a);
Node *expand_erfcx(Graph *g, Node *a);
Node *expand_normcdf(Graph *g, Node *a);
/* As a result of its own, more exactly. */
Node *expand_normcdf_alone(Graph *g, Node *a);
/* exp(-a^2/2), as in the derivative of normcdf, with which it shares its steps; f32. */
Node *expand_bell(Graph *g, Node *a);
/* a*normcdf(a), which is gelu, with its limits; f32. */
Node *expand_normcdf_times(Graph *g, Node *a);

/* ---- pow.c ---- */
Node *expand_pow(Graph *g, Node *a, Node *b);

/* ---- logistic.c ---- */
Node *expand_sigmoid(Graph *g, Node *a);
Node *expand_softplus(Graph *g, Node *a);
Node *expand_logsigmoid(Graph *g, Node *a);

#endif
