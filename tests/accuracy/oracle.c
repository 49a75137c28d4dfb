/* Every function in f64, with a bound for its error, far more exact than f32 needs: the bound in
 * ulp of f32 is 2^(bound + 24) at most, 2^-18 for the worst of them. Where that could matter to a
 * claim, sweep.c asks MPFR.
 *
 * The bounds. glibc's vector functions err by less than 4 ulp of f64 each (its manual, "Errors in
 * Math Functions", tells about the scalar ones, which do better; its vector ones are made to that
 * limit), 2^-50 of the result. We allow 2^-48 for one call, because nobody has proved them, and
 * compare with MPFR at 65,000 to 200,000 arguments in each sweep, which must find no error beyond a
 * quarter of the bound. What is added to that:
 *
 *   sqrt, rsqrt   one and two roundings: 2^-52.
 *   sigmoid, sech2, softplus, logsigmoid   sums of positive terms and a quotient, a few roundings
 *               more and no cancellation; exp(-|x|) errs by 2^-48 at most, and its share in the
 *               result is at most 2 (sech2).
 *   erfcx       exp(x^2)*erfc(x): x^2 is exact, x having 24 bits. From 20 on the asymptotic series
 *               (DLMF 7.12.1), which alternates: its error is below the first term left out,
 *               17!!/800^9 < 2^-61.
 *   normcdf     erfc(u)/2, u = -x/sqrt(2) off by 2^-52, which erfc amplifies by at most
 *               2u^2 + 2 < 260 (|x| <= 16): 2^-43.9, seen 2^-44.9. The audit wants four times what
 *               is seen: 2^-42. */
#include <math.h>

#include "accuracy.h"
#include "wide.h"

#define INF ((double)INFINITY)
enum { EXACT = -1000 }; /* no error at all */

/* ---- functions of their own ---- */

#define DIRECT(f)                                                                                  \
    static void direct_##f(size_t n, const double *x, double *r, double *t) {                      \
        (void)t;                                                                                   \
        wide_##f(n, x, r);                                                                         \
    }
#define WIDE DIRECT
#include "wide.def"

#define LOOP(name, value)                                                                          \
    static void name(size_t n, const double *x, double *r, double *t) {                            \
        (void)t;                                                                                   \
        for (size_t i = 0; i < n; i++) r[i] = (value);                                             \
    }
LOOP(exact_abs, fabs(x[i]))
LOOP(exact_floor, floor(x[i]))
LOOP(exact_ceil, ceil(x[i]))
LOOP(exact_round, rint(x[i]))
LOOP(exact_trunc, trunc(x[i]))
LOOP(exact_sign, x[i] == 0 ? x[i] : copysign(1, x[i]))
LOOP(exact_step, x[i] > 0 ? 1.0 : 0.0)
LOOP(root, sqrt(x[i]))
LOOP(reciprocal_root, 1 / sqrt(x[i]))

static double larger(double a, double b) { return a > b ? a : b; }

/* exp(k*|x|), where k*|x| is taken at -700 beyond that: nothing there is larger than 2^-1000. */
static void decay(size_t n, const double *x, double k, double *e, double *t) {
    for (size_t i = 0; i < n; i++) t[i] = larger(k * fabs(x[i]), -700);
    wide_exp(n, t, e);
}

static void sigmoid(size_t n, const double *x, double *r, double *t) {
    decay(n, x, -1, r, t);
    for (size_t i = 0; i < n; i++) r[i] = (x[i] < 0 ? r[i] : 1) / (1 + r[i]);
}

static void softplus(size_t n, const double *x, double *r, double *t) {
    decay(n, x, -1, r, t);
    wide_log1p(n, r, t);
    for (size_t i = 0; i < n; i++) r[i] = larger(x[i], 0) + t[i];
}

static void logsigmoid(size_t n, const double *x, double *r, double *t) {
    decay(n, x, -1, r, t);
    wide_log1p(n, r, t);
    for (size_t i = 0; i < n; i++) r[i] = -(larger(-x[i], 0) + t[i]);
}

static void sech2(size_t n, const double *x, double *r, double *t) {
    decay(n, x, -2, r, t);
    for (size_t i = 0; i < n; i++) r[i] = 4 * r[i] / ((1 + r[i]) * (1 + r[i]));
}

static double erfcx_far(double x) {
    const double z = -1 / (2 * x * x);
    double s = 1;
    for (int k = 8; k >= 1; k--) s = 1 + (2 * k - 1) * z * s;
    return s / x * 0x1.20dd750429b6dp-1; /* 1/sqrt(pi) */
}

static void erfcx(size_t n, const double *x, double *r, double *t) {
    enum { PART = 64 };
    double e[PART];
    for (size_t i = 0; i < n; i++) t[i] = -larger(-x[i], -20);
    wide_erfc(n, t, r);
    for (size_t i = 0; i < n; i++) t[i] *= t[i];
    for (size_t i = 0; i < n; i += PART) {
        const size_t m = n - i < PART ? n - i : PART;
        wide_exp(m, t + i, e);
        for (size_t k = 0; k < m; k++) r[i + k] *= e[k];
    }
    for (size_t i = 0; i < n; i++)
        if (x[i] >= 20) r[i] = erfcx_far(x[i]);
}

static void normcdf(size_t n, const double *x, double *r, double *t) {
    for (size_t i = 0; i < n; i++) t[i] = x[i] * -0x1.6a09e667f3bcdp-1;
    wide_erfc(n, t, r);
    for (size_t i = 0; i < n; i++) r[i] *= 0.5;
}

/* ---- the table ---- */

/* f32 overflows at 128*log(2) = 88.8 and has nothing below -150*log(2) = -104. */
static const Oracle oracles[] = {
    {OP_EXP, direct_exp, -48, -INF, INF, -110, 95, 0, -1, 1},
    {OP_EXP2, direct_exp2, -48, -INF, INF, -160, 135, 0, -1, 1},
    {OP_EXPM1, direct_expm1, -48, -INF, INF, -60, 95, 0, -1, 1},
    {OP_LOG, direct_log, -48, 0, INF, 0, INF, 0, 0, 1},
    {OP_LOG2, direct_log2, -48, 0, INF, 0, INF, 0, 0, 1},
    {OP_LOG1P, direct_log1p, -48, -1, INF, -1, INF, 0, -1, 1},
    {OP_SQRT, root, -50, 0, INF, 0, INF, 0, 0, 1},
    {OP_RSQRT, reciprocal_root, -50, 0, INF, 0, INF, 0, 0, -1},
    {OP_ABS, exact_abs, EXACT, -INF, INF, -INF, INF, 1, 1, 1},
    {OP_FLOOR, exact_floor, EXACT, -INF, INF, -INF, INF, 0, -1, 1},
    {OP_CEIL, exact_ceil, EXACT, -INF, INF, -INF, INF, 0, -1, 1},
    {OP_ROUND, exact_round, EXACT, -INF, INF, -INF, INF, -1, -1, 1},
    {OP_TRUNC, exact_trunc, EXACT, -INF, INF, -INF, INF, -1, -1, 1},
    {OP_SIGN, exact_sign, EXACT, -INF, INF, -INF, INF, -1, -1, 1},
    {OP_STEP, exact_step, EXACT, -INF, INF, -INF, INF, 0, -1, 1},
    {OP_SIN, direct_sin, -48, -INF, INF, -INF, INF, -1, 0, 0},
    {OP_COS, direct_cos, -48, -INF, INF, -INF, INF, 1, 0, 0},
    {OP_TAN, direct_tan, -48, -INF, INF, -INF, INF, -1, 0, 0},
    {OP_ASIN, direct_asin, -48, -1, 1, -1, 1, -1, -1, 1},
    {OP_ACOS, direct_acos, -48, -1, 1, -1, 1, 0, 1, -1},
    {OP_ATAN, direct_atan, -48, -INF, INF, -0x1p60, 0x1p60, -1, -1, 1},
    {OP_SINH, direct_sinh, -48, -INF, INF, -95, 95, -1, -1, 1},
    {OP_COSH, direct_cosh, -48, -INF, INF, -95, 95, 1, 1, 1},
    {OP_TANH, direct_tanh, -48, -INF, INF, -40, 40, -1, -1, 1},
    {OP_ASINH, direct_asinh, -48, -INF, INF, -INF, INF, -1, -1, 1},
    {OP_ERF, direct_erf, -48, -INF, INF, -8, 8, -1, -1, 1},
    {OP_ERFC, direct_erfc, -48, -INF, INF, -8, 12, 0, 1, -1},
    {OP_ERFCX, erfcx, -46, -INF, INF, -12, INF, 0, 1, -1},
    {OP_SIGMOID, sigmoid, -46, -INF, INF, -110, 60, 0, -1, 1},
    {OP_SOFTPLUS, softplus, -46, -INF, INF, -110, INF, 0, -1, 1},
    {OP_LOGSIGMOID, logsigmoid, -46, -INF, INF, -INF, 110, 0, -1, 1},
    {OP_SECH2, sech2, -46, -INF, INF, -60, 60, 1, -1, -1},
    {OP_NORMCDF, normcdf, -42, -INF, INF, -16, 16, 0, -1, 1},
};

const Oracle *oracle_find(Op op) {
    for (size_t i = 0; i < sizeof oracles / sizeof *oracles; i++)
        if (oracles[i].op == op) return &oracles[i];
    return NULL;
}

void oracle_apply(const Oracle *o, size_t n, const float *x, double *r, double *room) {
    const double from = o->from, to = o->to, least = o->least, most = o->most;
    double *a = room, *t = room + n;
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        v = v < from ? 0.5 : v;
        v = v <= to ? v : 0.5; /* a NaN too */
        v = v < least ? least : v;
        a[i] = v > most ? most : v;
    }
    o->f(n, a, r, t);
    for (size_t i = 0; i < n; i++) {
        const double v = (double)x[i];
        r[i] = v < from ? (double)NAN : r[i];
        r[i] = v <= to ? r[i] : (double)NAN;
    }
}
