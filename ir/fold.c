/* One operation on constants: as mathematics (MPFR), and as the machine computes it (bits). */
#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "ir.h"

/* Beyond this exponent the reduction of an angle would cost megabytes; the answer is then NaN. */
enum { LARGEST_ANGLE_EXPONENT = 20000 };

static bool angle_is_huge(mpfr_srcptr a) {
    return mpfr_regular_p(a) && mpfr_get_exp(a) > LARGEST_ANGLE_EXPONENT;
}

/* The functions below have no MPFR routine; `t` has 64 bits more than r, and takes the last
 * rounding but one. */

static void sigmoid(mpfr_ptr t, mpfr_srcptr a) { /* 1/(1 + exp(-a)) */
    mpfr_neg(t, a, MPFR_RNDN);
    mpfr_exp(t, t, MPFR_RNDN);
    mpfr_add_ui(t, t, 1, MPFR_RNDN);
    mpfr_ui_div(t, 1, t, MPFR_RNDN);
}

static void softplus(mpfr_ptr t, mpfr_srcptr a) { /* log1p(exp(a)) */
    mpfr_exp(t, a, MPFR_RNDN);
    if (mpfr_inf_p(t))
        mpfr_set(t, a, MPFR_RNDN);
    else
        mpfr_log1p(t, t, MPFR_RNDN);
}

static void sech2(mpfr_ptr t, mpfr_srcptr a) {
    mpfr_cosh(t, a, MPFR_RNDN);
    mpfr_sqr(t, t, MPFR_RNDN);
    mpfr_ui_div(t, 1, t, MPFR_RNDN);
}

static void
normcdf(mpfr_ptr t,
        mpfr_srcptr a) { /* erfc(-a/sqrt 2)/2; the argument's error is amplified by a^2 */
    mpfr_t u;
    const mpfr_exp_t e = mpfr_regular_p(a) ? mpfr_get_exp(a) : 0;
    mpfr_init2(u, mpfr_get_prec(t) + (e > 0 && e < 64 ? 2 * e : 0));
    mpfr_sqrt_ui(u, 2, MPFR_RNDN);
    mpfr_div(u, a, u, MPFR_RNDN);
    mpfr_neg(u, u, MPFR_RNDN);
    mpfr_erfc(t, u, MPFR_RNDN);
    mpfr_div_2ui(t, t, 1, MPFR_RNDN);
    mpfr_clear(u);
}

static void erfcx(mpfr_ptr t, mpfr_srcptr a) {
    mpfr_t u;
    if (mpfr_regular_p(a) && mpfr_sgn(a) > 0 &&
        mpfr_get_exp(a) > 13) { /* exp(a^2) would leave MPFR's range of exponents */
        /* 1/(a sqrt pi) * sum (-1)^k (2k-1)!!/(2a^2)^k, DLMF 7.12.1; 16 terms leave less than
         * 2^-330 */
        mpfr_t term;
        mpfr_inits2(mpfr_get_prec(t), u, term, (mpfr_ptr)0);
        mpfr_sqr(u, a, MPFR_RNDN);
        mpfr_mul_2ui(u, u, 1, MPFR_RNDN);
        mpfr_set_ui(term, 1, MPFR_RNDN);
        mpfr_set_ui(t, 1, MPFR_RNDN);
        for (unsigned long k = 1; k <= 16; k++) {
            mpfr_mul_ui(term, term, 2 * k - 1, MPFR_RNDN);
            mpfr_div(term, term, u, MPFR_RNDN);
            mpfr_neg(term, term, MPFR_RNDN);
            mpfr_add(t, t, term, MPFR_RNDN);
        }
        mpfr_const_pi(u, MPFR_RNDN);
        mpfr_sqrt(u, u, MPFR_RNDN);
        mpfr_mul(u, u, a, MPFR_RNDN);
        mpfr_div(t, t, u, MPFR_RNDN);
        mpfr_clears(u, term, (mpfr_ptr)0);
        return;
    }
    mpfr_init2(u, 2 * mpfr_get_prec(a) + 64);
    mpfr_sqr(u, a, MPFR_RNDN);
    mpfr_t v;
    mpfr_init2(v, mpfr_get_prec(t));
    mpfr_exp(v, u, MPFR_RNDN);
    mpfr_erfc(t, a, MPFR_RNDN);
    if (!(mpfr_inf_p(v) && mpfr_zero_p(t))) mpfr_mul(t, t, v, MPFR_RNDN);
    mpfr_clears(u, v, (mpfr_ptr)0);
}

static void composed(void f(mpfr_ptr, mpfr_srcptr), mpfr_ptr r, mpfr_srcptr a) {
    mpfr_t t;
    mpfr_init2(t, mpfr_get_prec(r) + 64);
    f(t, a);
    mpfr_set(r, t, MPFR_RNDN);
    mpfr_clear(t);
}

static void set_bool(mpfr_ptr r, bool v) { mpfr_set_ui(r, v, MPFR_RNDN); }

bool fold_real(Op op, mpfr_ptr r, mpfr_srcptr a, mpfr_srcptr b, mpfr_srcptr c) {
    const mpfr_rnd_t N = MPFR_RNDN;
    switch (op) {
    case OP_ADD:
        mpfr_add(r, a, b, N);
        return true;
    case OP_SUB:
        mpfr_sub(r, a, b, N);
        return true;
    case OP_MUL:
        mpfr_mul(r, a, b, N);
        return true;
    case OP_DIV:
        mpfr_div(r, a, b, N);
        return true;
    case OP_NEG:
        mpfr_neg(r, a, N);
        return true;
    case OP_ABS:
        mpfr_abs(r, a, N);
        return true;
    case OP_FMA:
        mpfr_fma(r, a, b, c, N);
        return true;
    case OP_SQRT:
        mpfr_sqrt(r, a, N);
        return true;
    case OP_FLOOR:
        mpfr_floor(r, a);
        return true;
    case OP_CEIL:
        mpfr_ceil(r, a);
        return true;
    case OP_ROUND:
        mpfr_roundeven(r, a);
        return true;
    case OP_TRUNC:
        mpfr_trunc(r, a);
        return true;
    case OP_LT:
        set_bool(r, mpfr_less_p(a, b));
        return true;
    case OP_LE:
        set_bool(r, mpfr_lessequal_p(a, b));
        return true;
    case OP_EQ:
        set_bool(r, mpfr_equal_p(a, b));
        return true;
    case OP_NE:
        set_bool(r, !mpfr_equal_p(a, b));
        return true;
    case OP_ORD:
        set_bool(r, !mpfr_unordered_p(a, b));
        return true;
    case OP_AND:
        set_bool(r, !mpfr_zero_p(a) && !mpfr_zero_p(b));
        return true;
    case OP_OR:
        set_bool(r, !mpfr_zero_p(a) || !mpfr_zero_p(b));
        return true;
    case OP_NOT:
        set_bool(r, mpfr_zero_p(a));
        return true;
    case OP_SELECT:
    case OP_GUARD:
    case OP_COND:
        mpfr_set(r, mpfr_zero_p(a) ? c : b, N);
        return true;
    case OP_MAX:
    case OP_MIN:
        if (mpfr_nan_p(a) || mpfr_nan_p(b))
            mpfr_set_nan(r);
        else
            mpfr_set(r, (op == OP_MAX ? mpfr_less_p(a, b) : mpfr_less_p(b, a)) ? b : a, N);
        return true;
    case OP_CLAMP:
        if (mpfr_nan_p(a) || mpfr_nan_p(b) || mpfr_nan_p(c))
            mpfr_set_nan(r);
        else
            mpfr_set(r,
                     mpfr_less_p(a, b)   ? (mpfr_less_p(c, b) ? c : b)
                     : mpfr_less_p(c, a) ? c
                                         : a,
                     N);
        return true;
    case OP_SIGN:
        if (mpfr_nan_p(a))
            mpfr_set_nan(r);
        else if (mpfr_zero_p(a))
            mpfr_set(r, a, N);
        else
            mpfr_set_si(r, mpfr_sgn(a), N);
        return true;
    case OP_STEP:
        if (mpfr_nan_p(a))
            mpfr_set_nan(r);
        else
            set_bool(r, mpfr_sgn(a) > 0);
        return true;
    case OP_DMUL:
        if (mpfr_nan_p(a) || mpfr_nan_p(b))
            mpfr_set_nan(r);
        else if (mpfr_zero_p(a) || mpfr_zero_p(b))
            mpfr_set_zero(r, 1);
        else
            mpfr_mul(r, a, b, N);
        return true;
    case OP_STOP:
    case OP_CUSTOM:
        mpfr_set(r, a, N);
        return true;
    case OP_EXP:
        mpfr_exp(r, a, N);
        return true;
    case OP_EXP2:
        mpfr_exp2(r, a, N);
        return true;
    case OP_EXPM1:
        mpfr_expm1(r, a, N);
        return true;
    case OP_LOG:
        mpfr_log(r, a, N);
        return true;
    case OP_LOG2:
        mpfr_log2(r, a, N);
        return true;
    case OP_LOG1P:
        mpfr_log1p(r, a, N);
        return true;
    case OP_RSQRT: /* MPFR gives +inf for -0, IEEE 754 -inf */
        mpfr_rec_sqrt(r, a, N);
        if (mpfr_zero_p(a)) mpfr_set_inf(r, mpfr_signbit(a) ? -1 : 1);
        return true;
    case OP_SIN:
    case OP_COS:
    case OP_TAN:
        if (angle_is_huge(a))
            mpfr_set_nan(r);
        else
            (op == OP_SIN ? mpfr_sin : op == OP_COS ? mpfr_cos : mpfr_tan)(r, a, N);
        return true;
    case OP_ASIN:
        mpfr_asin(r, a, N);
        return true;
    case OP_ACOS:
        mpfr_acos(r, a, N);
        return true;
    case OP_ATAN:
        mpfr_atan(r, a, N);
        return true;
    case OP_SINH:
        mpfr_sinh(r, a, N);
        return true;
    case OP_COSH:
        mpfr_cosh(r, a, N);
        return true;
    case OP_TANH:
        mpfr_tanh(r, a, N);
        return true;
    case OP_ASINH:
        mpfr_asinh(r, a, N);
        return true;
    case OP_ERF:
        mpfr_erf(r, a, N);
        return true;
    case OP_ERFC:
        mpfr_erfc(r, a, N);
        return true;
    case OP_ERFCX:
        composed(erfcx, r, a);
        return true;
    case OP_POW:
        mpfr_pow(r, a, b, N);
        return true;
    case OP_SIGMOID:
        composed(sigmoid, r, a);
        return true;
    case OP_SOFTPLUS:
        composed(softplus, r, a);
        return true;
    case OP_LOGSIGMOID: {
        mpfr_t t;
        mpfr_init2(t, mpfr_get_prec(a));
        mpfr_neg(t, a, N);
        composed(softplus, r, t);
        mpfr_neg(r, r, N);
        mpfr_clear(t);
        return true;
    }
    case OP_SECH2:
        composed(sech2, r, a);
        return true;
    case OP_NORMCDF:
        composed(normcdf, r, a);
        return true;
    case OP_CONST:
    case OP_VAR:
    case OP_BAD:
    case OP_BITS:
    case OP_ASFLOAT:
    case OP_IADD:
    case OP_ISUB:
    case OP_IMUL:
    case OP_UMULH:
    case OP_IAND:
    case OP_IOR:
    case OP_IXOR:
    case OP_ISHL:
    case OP_ISHR:
    case OP_USHR:
    case OP_IEQ:
    case OP_ILT:
    case OP_ITOF:
    case OP_WIDEN:
    case OP_NARROW:
    case OP_IWIDEN:
    case OP_INARROW:
    case OP_SUM:
    case OP_PROD:
    case OP_LARGEST:
    case OP_SMALLEST:
    case OP_IFIRST:
    case OP_ELEMENTS:
    case OP_INDEX:
    case OP_COUNT:
        return false;
    }
    return false;
}

static float to_f32(uint64_t bits) {
    const uint32_t u = (uint32_t)bits;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static double to_f64(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

static uint64_t of_f32(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static uint64_t of_f64(double d) {
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

/* A half: how many binary digits its numbers have, and the exponents of its smallest step and of
 * what is too large. */
typedef struct {
    int digits, least, beyond;
} HalfFormat;

static HalfFormat half_format(Type t) {
    return t == TYPE_F16 ? (HalfFormat){11, -24, 16} : (HalfFormat){8, -133, 128};
}

static uint64_t half_infinity(HalfFormat f) {
    return (uint64_t)(f.beyond - f.least - f.digits + 2) << (f.digits - 1);
}

/* The encodings of positive numbers ascend with them, by 1 from each to the next: a number of k
 * steps, at the least exponent e where k has no more than all digits, is k and a full set of
 * mantissas for each exponent below e. */
static uint64_t encode_half(mpfr_srcptr v, HalfFormat f) {
    const uint64_t infinity = half_infinity(f), sign = mpfr_signbit(v) ? 0x8000 : 0;
    if (mpfr_nan_p(v)) return infinity | UINT64_C(1) << (f.digits - 2);
    if (mpfr_zero_p(v)) return sign;
    if (mpfr_inf_p(v) || mpfr_get_exp(v) > f.beyond) return sign | infinity;
    const int top = (int)(mpfr_get_exp(v) < f.least - 1 ? f.least - 1 : mpfr_get_exp(v));
    if (top < f.least) return sign; /* below half a step */
    /* exactly half a step goes to the even neighbour, 0 */
    if (top == f.least) return sign | (mpfr_min_prec(v) > 1);
    const int step = top - f.digits < f.least ? f.least : top - f.digits;
    mp_limb_t limb[1];
    mpfr_t rounded;
    number_init(rounded, limb, top - step);
    mpfr_set(rounded, v, MPFR_RNDN);
    const uint64_t steps = (uint64_t)ldexp(fabs(mpfr_get_d(rounded, MPFR_RNDN)), -step);
    const uint64_t bits = ((uint64_t)(step - f.least) << (f.digits - 1)) + steps;
    return sign | (bits < infinity ? bits : infinity);
}

static void decode_half(mpfr_ptr v, uint64_t bits, HalfFormat f) {
    const uint64_t magnitude = bits & 0x7fff, infinity = half_infinity(f);
    const uint64_t exponent = magnitude >> (f.digits - 1),
                   mantissa = magnitude & ((UINT64_C(1) << (f.digits - 1)) - 1);
    const uint64_t steps = mantissa | (exponent ? UINT64_C(1) << (f.digits - 1) : 0);
    if (magnitude > infinity)
        mpfr_set_nan(v);
    else if (magnitude == infinity)
        mpfr_set_inf(v, 1);
    else if (magnitude == 0)
        mpfr_set_zero(v, 1);
    else
        mpfr_set_ui_2exp(v, steps, f.least + (exponent ? (long)exponent - 1 : 0), MPFR_RNDN);
    if (bits & 0x8000) mpfr_neg(v, v, MPFR_RNDN);
}

uint64_t fold_encode(mpfr_srcptr v, Type type) {
    if (type_is_half(type)) return encode_half(v, half_format(type));
    if (mpfr_nan_p(v)) return type == TYPE_F32 ? 0x7fc00000u : 0x7ff8000000000000u;
    return type == TYPE_F32 ? of_f32(mpfr_get_flt(v, MPFR_RNDN)) : of_f64(mpfr_get_d(v, MPFR_RNDN));
}

void fold_decode(mpfr_ptr v, uint64_t bits, Type type) {
    if (type_is_half(type))
        decode_half(v, bits, half_format(type));
    else if (type == TYPE_F32)
        mpfr_set_flt(v, to_f32(bits), MPFR_RNDN);
    else
        mpfr_set_d(v, to_f64(bits), MPFR_RNDN);
}

static uint64_t float32(Op op, const uint64_t arg[3]) {
    const float a = to_f32(arg[0]), b = to_f32(arg[1]), c = to_f32(arg[2]);
    switch (op) {
    case OP_ADD:
        return of_f32(a + b);
    case OP_SUB:
        return of_f32(a - b);
    case OP_MUL:
        return of_f32(a * b);
    case OP_DIV:
        return of_f32(a / b);
    case OP_FMA:
        return of_f32(fmaf(a, b, c));
    case OP_SQRT:
        return of_f32(sqrtf(a));
    case OP_FLOOR:
        return of_f32(floorf(a));
    case OP_CEIL:
        return of_f32(ceilf(a));
    case OP_ROUND:
        return of_f32(nearbyintf(a));
    case OP_TRUNC:
        return of_f32(truncf(a));
    case OP_NEG:
        return arg[0] ^ 0x80000000u;
    case OP_ABS:
        return arg[0] & 0x7fffffffu;
    case OP_LT:
        return a < b;
    case OP_LE:
        return a <= b;
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_ORD:
        return !isunordered(a, b);
    case OP_WIDEN:
        return of_f64((double)a);
    default:
        assert(!"a float operation");
        return 0;
    }
}

static uint64_t float64(Op op, const uint64_t arg[3]) {
    const double a = to_f64(arg[0]), b = to_f64(arg[1]), c = to_f64(arg[2]);
    switch (op) {
    case OP_ADD:
        return of_f64(a + b);
    case OP_SUB:
        return of_f64(a - b);
    case OP_MUL:
        return of_f64(a * b);
    case OP_DIV:
        return of_f64(a / b);
    case OP_FMA:
        return of_f64(fma(a, b, c));
    case OP_SQRT:
        return of_f64(sqrt(a));
    case OP_FLOOR:
        return of_f64(floor(a));
    case OP_CEIL:
        return of_f64(ceil(a));
    case OP_ROUND:
        return of_f64(nearbyint(a));
    case OP_TRUNC:
        return of_f64(trunc(a));
    case OP_NEG:
        return arg[0] ^ 0x8000000000000000u;
    case OP_ABS:
        return arg[0] & 0x7fffffffffffffffu;
    case OP_LT:
        return a < b;
    case OP_LE:
        return a <= b;
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_ORD:
        return !isunordered(a, b);
    case OP_NARROW:
        return of_f32((float)a);
    default:
        assert(!"a float operation");
        return 0;
    }
}

static uint64_t upper_product(uint64_t a, uint64_t b) {
    const uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    const uint64_t mid = ah * bl + (al * bl >> 32);
    return ah * bh + (mid >> 32) + (((mid & 0xffffffffu) + al * bh) >> 32);
}

static uint64_t integer(Op op, Type type, Type from, const uint64_t arg[3]) {
    const bool wide = from == TYPE_I64;
    const uint64_t mask = wide ? ~(uint64_t)0 : 0xffffffffu;
    const uint64_t a = arg[0] & mask, b = arg[1] & mask;
    const int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;
    switch (op) {
    case OP_IADD:
        return (a + b) & mask;
    case OP_ISUB:
        return (a - b) & mask;
    case OP_IMUL:
        return (a * b) & mask;
    case OP_UMULH:
        return wide ? upper_product(a, b) : a * b >> 32;
    case OP_IAND:
        return a & b;
    case OP_IOR:
        return a | b;
    case OP_IXOR:
        return a ^ b;
    case OP_ISHL:
        return (a << b) & mask;
    case OP_USHR:
        return a >> b;
    /* a right shift of a negative number is the implementation's choice in C; this is not */
    case OP_ISHR:
        return (sa < 0 ? ~(~(uint64_t)sa >> b) : a >> b) & mask;
    case OP_IEQ:
        return a == b;
    case OP_ILT:
        return sa < sb;
    case OP_ITOF:
        return type == TYPE_F32 ? of_f32((float)sa) : of_f64((double)sa);
    case OP_ASFLOAT:
        return a;
    case OP_IWIDEN:
        return (uint64_t)sa;
    case OP_INARROW:
        return a & 0xffffffffu;
    default:
        assert(!"an integer operation");
        return 0;
    }
}

uint64_t fold_bits(Op op, Type type, Type from, const uint64_t arg[3]) {
    switch (op) {
    case OP_AND:
        return arg[0] & arg[1];
    case OP_OR:
        return arg[0] | arg[1];
    case OP_NOT:
        return !arg[0];
    case OP_SELECT:
    case OP_GUARD:
        return arg[0] ? arg[1] : arg[2];
    case OP_BITS:
        return arg[0];
    default:
        if (from == TYPE_F32) return float32(op, arg);
        if (from == TYPE_F64) return float64(op, arg);
        return integer(op, type, from, arg);
    }
}
