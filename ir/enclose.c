/* Enclosures: for each node of a graph that is not expanded an interval in which its exact value
 * lies, so that a reference can be believed. With more bits the intervals shrink; who asks goes on
 * until they are narrow enough.
 *
 * Every operation is MPFR's, rounded outwards; a condition that an interval does not decide gives
 * the hull of both branches. MPFR's exponents end at 2^30, and exp(x) is beyond them from x = 7e8
 * on, where the quotient of two such numbers may well be 1: there a value is kept by its logarithm,
 * v = ±exp(u) with an interval for u.
 *
 * Conventions of IEEE 754 hold at points: 1/0 and log(0) are infinite, 0/0 is NaN, a conditional
 * whose condition compares a NaN is NaN. A constant is the number of NUMBER_BITS bits that the
 * graph has. */
#include <assert.h>

#include "ir.h"

/* A real interval keeps its exponents within 2^EDGE, so that one product of two is within MPFR's
 * range; exp(x) is taken by its logarithm from |x| = 2^EXP_EDGE on. */
enum { EDGE_LOG2 = 28, EXP_EDGE = 27, LARGEST_ANGLE = 20000 };
static const mpfr_exp_t edge = (mpfr_exp_t)1 << EDGE_LOG2;

#define DOWN MPFR_RNDD
#define UP   MPFR_RNDU

/* ---- making intervals ---- */

static void set_nan(Interval *r) { r->kind = INTERVAL_NAN; }
static void set_any(Interval *r) { r->kind = INTERVAL_ANY; }

static void set_truth(Interval *r, bool may_hold, bool may_fail) {
    r->kind = INTERVAL_TRUTH;
    r->may_hold = may_hold;
    r->may_fail = may_fail;
    r->of_nan = false;
}

static void set_si(Interval *r, long v) {
    r->kind = INTERVAL_REAL;
    mpfr_set_si(r->lo, v, MPFR_RNDN);
    mpfr_set_si(r->hi, v, MPFR_RNDN);
}

static void copy(Interval *r, const Interval *a) {
    r->kind = a->kind;
    r->sign = a->sign;
    r->may_hold = a->may_hold;
    r->may_fail = a->may_fail;
    r->of_nan = a->of_nan;
    if (a->kind != INTERVAL_REAL && a->kind != INTERVAL_EXP) return;
    mpfr_set(r->lo, a->lo, DOWN);
    mpfr_set(r->hi, a->hi, UP);
}

static void widen(Interval *r) {
    mpfr_nextbelow(r->lo);
    mpfr_nextabove(r->hi);
}

static void swap(Interval *r) { mpfr_swap(r->lo, r->hi); }

static bool is_real(const Interval *a) { return a->kind == INTERVAL_REAL; }
static bool is_exp(const Interval *a) { return a->kind == INTERVAL_EXP; }
static bool is_point(const Interval *a) { return is_real(a) && mpfr_equal_p(a->lo, a->hi); }
static bool is_zero(const Interval *a) {
    return is_real(a) && mpfr_zero_p(a->lo) && mpfr_zero_p(a->hi);
}
static bool is_infinite(const Interval *a) { return is_point(a) && mpfr_inf_p(a->lo); }

/* +1, -1: all of it has this sign, a zero at an end apart; 0: not known, or zero. */
static int sign_of(const Interval *a) {
    if (is_exp(a)) return a->sign;
    if (!is_real(a) || is_zero(a)) return 0;
    return mpfr_sgn(a->lo) >= 0 ? 1 : mpfr_sgn(a->hi) <= 0 ? -1 : 0;
}

/* Whether x is 2^k or more in size. */
static bool at_least(mpfr_srcptr x, int k) {
    return mpfr_inf_p(x) || (mpfr_regular_p(x) && mpfr_get_exp(x) > k);
}
static bool above_edge(const Interval *a) {
    return mpfr_sgn(a->lo) > 0 && at_least(a->lo, EXP_EDGE);
}
static bool below_edge(const Interval *a) {
    return mpfr_sgn(a->hi) < 0 && at_least(a->hi, EXP_EDGE);
}

/* ---- the two forms ---- */

static void to_real(Interval *r, const Interval *a) {
    if (!is_exp(a)) {
        copy(r, a);
        return;
    }
    r->kind = INTERVAL_REAL;
    mpfr_exp(r->lo, a->lo, DOWN);
    mpfr_exp(r->hi, a->hi, UP);
    if (a->sign > 0) return;
    if (a->sign == 0) {
        mpfr_neg(r->lo, r->hi, DOWN);
        return;
    }
    swap(r);
    mpfr_neg(r->lo, r->lo, DOWN);
    mpfr_neg(r->hi, r->hi, UP);
}

/* |v| <= exp(hi), whatever the sign. */
static void forget_sign(Interval *r) {
    r->kind = INTERVAL_EXP;
    r->sign = 0;
    mpfr_set_inf(r->lo, -1);
}

/* What is not 0, by its logarithm. */
static void to_exp(Interval *r, const Interval *a) {
    const int sign = sign_of(a);
    copy(r, a);
    if (is_exp(a)) return;
    assert(!is_zero(a));
    r->kind = INTERVAL_EXP;
    r->sign = (int8_t)sign;
    if (sign < 0) swap(r);
    mpfr_abs(r->lo, r->lo, DOWN);
    mpfr_abs(r->hi, r->hi, UP);
    if (sign == 0) mpfr_max(r->hi, r->lo, r->hi, UP);
    mpfr_log(r->lo, r->lo, DOWN);
    mpfr_log(r->hi, r->hi, UP);
    if (sign == 0) forget_sign(r);
}

static bool beyond(mpfr_srcptr v) {
    return mpfr_regular_p(v) && (mpfr_get_exp(v) > edge || mpfr_get_exp(v) < -edge);
}

/* The form that suits the size; what came out as NaN from infinite ends says nothing. */
static void settle(Interval *r) {
    if (r->kind != INTERVAL_REAL && r->kind != INTERVAL_EXP) return;
    if (mpfr_nan_p(r->lo) || mpfr_nan_p(r->hi)) {
        set_any(r);
        return;
    }
    if (is_exp(r) && r->sign == 0) {
        if (!at_least(r->hi, EXP_EDGE)) to_real(r, r);
    } else if (is_exp(r)) {
        if (!at_least(r->lo, EXP_EDGE) && !at_least(r->hi, EXP_EDGE)) to_real(r, r);
    } else if ((beyond(r->lo) || beyond(r->hi)) && mpfr_regular_p(r->lo) && mpfr_regular_p(r->hi) &&
               mpfr_sgn(r->lo) == mpfr_sgn(r->hi)) {
        to_exp(r, r);
    }
}

static void hull(Interval *r, const Interval *a, const Interval *b, Interval *t) {
    if (a->kind == INTERVAL_NAN && b->kind == INTERVAL_NAN) {
        set_nan(r);
        return;
    }
    to_real(r, a);
    to_real(t, b);
    if (!is_real(r) || !is_real(t)) {
        set_any(r);
        return;
    }
    mpfr_min(r->lo, r->lo, t->lo, DOWN);
    mpfr_max(r->hi, r->hi, t->hi, UP);
}

/* ---- arithmetic ---- */

static void negate(Interval *r, const Interval *a) {
    copy(r, a);
    if (is_exp(r)) r->sign = (int8_t)-r->sign;
    if (!is_real(r)) return;
    swap(r);
    mpfr_neg(r->lo, r->lo, DOWN);
    mpfr_neg(r->hi, r->hi, UP);
}

static void absolute(Interval *r, const Interval *a) {
    copy(r, a);
    if (is_exp(r) && r->sign == 0) to_real(r, a);
    if (is_exp(r)) r->sign = 1;
    if (!is_real(r) || (mpfr_sgn(r->lo) >= 0 && !mpfr_signbit(r->lo))) return;
    if (mpfr_sgn(r->hi) <= 0) {
        swap(r);
        mpfr_abs(r->lo, r->lo, DOWN);
        mpfr_abs(r->hi, r->hi, UP);
        return;
    }
    mpfr_neg(r->lo, r->lo, UP);
    mpfr_max(r->hi, r->lo, r->hi, UP);
    mpfr_set_zero(r->lo, 1);
}

/* t = log(e^a + e^b), rounded the given way. */
static void log_sum(mpfr_ptr r, mpfr_srcptr a, mpfr_srcptr b, mpfr_rnd_t way) {
    mpfr_srcptr large = mpfr_less_p(a, b) ? b : a, small = large == a ? b : a;
    mpfr_t t;
    if (mpfr_inf_p(large)) {
        mpfr_set(r, large, way);
        return;
    }
    mpfr_init2(t, mpfr_get_prec(r));
    mpfr_sub(t, small, large, way);
    mpfr_exp(t, t, way);
    mpfr_log1p(t, t, way);
    mpfr_add(r, large, t, way);
    mpfr_clear(t);
}

/* log(e^a - e^b), a > b. */
static void log_difference(mpfr_ptr r, mpfr_srcptr a, mpfr_srcptr b, mpfr_rnd_t way) {
    mpfr_t t;
    if (mpfr_inf_p(a)) {
        mpfr_set(r, a, way);
        return;
    }
    mpfr_init2(t, mpfr_get_prec(r));
    mpfr_sub(t, b, a, way == UP ? DOWN : UP);
    mpfr_expm1(t, t, way == UP ? DOWN : UP);
    mpfr_neg(t, t, MPFR_RNDN);
    mpfr_log(t, t, way);
    mpfr_add(r, a, t, way);
    mpfr_clear(t);
}

/* a + b of two in the form exp. */
static void add_exps(Interval *r, const Interval *a, const Interval *b) {
    const Interval *large = a->sign && mpfr_greater_p(a->lo, b->hi)   ? a
                            : b->sign && mpfr_greater_p(b->lo, a->hi) ? b
                                                                      : NULL;
    r->kind = INTERVAL_EXP;
    if (a->sign && a->sign == b->sign) {
        r->sign = a->sign;
        log_sum(r->lo, a->lo, b->lo, DOWN);
        log_sum(r->hi, a->hi, b->hi, UP);
    } else if (large) {
        const Interval *small = large == a ? b : a;
        r->sign = large->sign;
        log_difference(r->lo, large->lo, small->hi, DOWN);
        if (small->sign)
            log_difference(r->hi, large->hi, small->lo, UP);
        else
            log_sum(r->hi, large->hi, small->hi, UP);
    } else if (a->sign && b->sign) { /* at most what the ends leave of the larger one */
        mpfr_min(r->lo, a->lo, b->lo, DOWN);
        mpfr_max(r->hi, a->hi, b->hi, UP);
        if (mpfr_equal_p(r->lo, r->hi)) {
            set_si(r, 0);
            return;
        }
        log_difference(r->hi, r->hi, r->lo, UP);
        forget_sign(r);
    } else {
        log_sum(r->hi, a->hi, b->hi, UP);
        forget_sign(r);
    }
}

/* Whether it can stand beside one in the form exp. */
static bool has_exp(const Interval *a) { return is_exp(a) || (is_real(a) && !is_zero(a)); }

static void add(Encloser *e, Interval *r, const Interval *a, const Interval *b) {
    Interval *s = &e->temp[0], *t = &e->temp[1];
    if (is_zero(b) && is_exp(a)) {
        copy(r, a);
        return;
    }
    if (is_zero(a) && is_exp(b)) {
        copy(r, b);
        return;
    }
    if ((is_exp(a) || is_exp(b)) && has_exp(a) && has_exp(b)) {
        to_exp(s, a);
        to_exp(t, b);
        add_exps(r, s, t);
        settle(r);
        return;
    }
    to_real(s, a);
    to_real(t, b);
    r->kind = INTERVAL_REAL;
    mpfr_add(r->lo, s->lo, t->lo, DOWN);
    mpfr_add(r->hi, s->hi, t->hi, UP);
    if (mpfr_nan_p(r->lo) && is_infinite(s) && is_infinite(t))
        set_nan(r);
    else if (mpfr_zero_p(r->lo) && mpfr_zero_p(r->hi)) /* not the zero of rounding down */
        mpfr_add(r->lo, s->lo, t->lo, MPFR_RNDN), mpfr_set(r->hi, r->lo, MPFR_RNDN);
    settle(r);
}

/* The ends of {s op t}: least and largest of the four corners; a corner that has no value (0 times
 * infinity, where both are only bounds) gives none. */
typedef int Binary(mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t);

static void corners(Interval *r, const Interval *s, const Interval *t, Binary *op,
                    bool none_is_zero) {
    mpfr_srcptr a[2] = {s->lo, s->hi}, b[2] = {t->lo, t->hi};
    const int na = is_point(s) ? 1 : 2, nb = is_point(t) ? 1 : 2;
    mpfr_t v;
    mpfr_init2(v, mpfr_get_prec(r->lo));
    bool first = true;
    r->kind = INTERVAL_REAL;
    for (int i = 0; i < na; i++)
        for (int k = 0; k < nb; k++) {
            const int inexact = op(v, a[i], b[k], DOWN);
            if (mpfr_nan_p(v)) {
                if (!none_is_zero) continue;
                mpfr_set_zero(v, 1);
            }
            if (first || mpfr_less_p(v, r->lo)) mpfr_set(r->lo, v, DOWN);
            if (inexact) mpfr_nextabove(v);
            if (first || mpfr_greater_p(v, r->hi)) mpfr_set(r->hi, v, UP);
            first = false;
        }
    mpfr_clear(v);
    if (first) set_any(r);
}

static void multiply(Encloser *e, Interval *r, const Interval *a, const Interval *b) {
    Interval *s = &e->temp[0], *t = &e->temp[1];
    if ((is_exp(a) || is_exp(b)) && has_exp(a) && has_exp(b)) {
        to_exp(s, a);
        to_exp(t, b);
        r->kind = INTERVAL_EXP;
        r->sign = (int8_t)(s->sign * t->sign);
        mpfr_add(r->lo, s->lo, t->lo, DOWN);
        mpfr_add(r->hi, s->hi, t->hi, UP);
        if (!r->sign) forget_sign(r);
        settle(r);
        return;
    }
    to_real(s, a);
    to_real(t, b);
    if ((is_infinite(s) && is_zero(t)) || (is_infinite(t) && is_zero(s))) {
        set_nan(r);
        return;
    }
    if ((is_infinite(s) && !sign_of(t)) || (is_infinite(t) && !sign_of(s))) {
        set_any(r);
        return;
    }
    corners(r, s, t, mpfr_mul, true);
    settle(r);
}

static void divide(Encloser *e, Interval *r, const Interval *a, const Interval *b) {
    Interval *s = &e->temp[0], *t = &e->temp[1];
    if ((is_exp(a) || is_exp(b)) && has_exp(a) && sign_of(b)) {
        to_exp(s, a);
        to_exp(t, b);
        r->kind = INTERVAL_EXP;
        r->sign = (int8_t)(s->sign * t->sign);
        if (!r->sign) mpfr_set_inf(s->lo, -1);
        mpfr_sub(r->lo, s->lo, t->hi, DOWN);
        mpfr_sub(r->hi, s->hi, t->lo, UP);
        settle(r);
        return;
    }
    to_real(s, a);
    to_real(t, b);
    if (is_zero(t)) {
        if (is_zero(s))
            set_nan(r);
        else if (!sign_of(s) || mpfr_zero_p(s->lo) || mpfr_zero_p(s->hi))
            set_any(r);
        else
            corners(r, s, t, mpfr_div, false);
        return;
    }
    if (is_infinite(s) && is_infinite(t)) {
        set_nan(r);
        return;
    }
    if (mpfr_sgn(t->lo) < 0 && mpfr_sgn(t->hi) > 0) {
        set_any(r);
        return;
    }
    if (!is_point(t)) { /* a zero at an end stands for what is beside it */
        if (mpfr_zero_p(t->lo)) mpfr_setsign(t->lo, t->lo, 0, MPFR_RNDN);
        if (mpfr_zero_p(t->hi)) mpfr_setsign(t->hi, t->hi, 1, MPFR_RNDN);
    }
    corners(r, s, t, mpfr_div, false);
    settle(r);
}

/* ---- functions of one argument ---- */

typedef int Unary(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);

static void increasing(Interval *r, const Interval *a, Unary *f) {
    r->kind = INTERVAL_REAL;
    const int inexact = f(r->lo, a->lo, DOWN);
    if (!is_point(a)) {
        f(r->hi, a->hi, UP);
    } else {
        mpfr_set(r->hi, r->lo, MPFR_RNDN);
        if (inexact) mpfr_nextabove(r->hi);
    }
    settle(r);
}

static void decreasing(Interval *r, const Interval *a, Unary *f) {
    r->kind = INTERVAL_REAL;
    const int inexact = f(r->lo, a->hi, DOWN);
    if (!is_point(a)) {
        f(r->hi, a->lo, UP);
    } else {
        mpfr_set(r->hi, r->lo, MPFR_RNDN);
        if (inexact) mpfr_nextabove(r->hi);
    }
    settle(r);
}

/* Those that fold.c computes, with an error below the last place; none but logsigmoid, which is not
 * among them, is ever negative. */
static void folded(Interval *r, const Interval *a, Op op, bool rising) {
    r->kind = INTERVAL_REAL;
    fold_real(op, r->lo, rising ? a->lo : a->hi, NULL, NULL);
    if (is_point(a))
        mpfr_set(r->hi, r->lo, MPFR_RNDN);
    else
        fold_real(op, r->hi, rising ? a->hi : a->lo, NULL, NULL);
    widen(r);
    if (mpfr_sgn(r->lo) < 0) mpfr_set_zero(r->lo, 1);
    settle(r);
}

/* Of a tiny argument what is the argument, but for a factor that nobody can see. */
static void tiny_itself(Interval *r, const Interval *a) {
    copy(r, a);
    widen(r);
}

static bool is_tiny(const Interval *a) { return is_exp(a) && mpfr_sgn(a->hi) < 0; }

static int rec_sqrt(mpfr_ptr r, mpfr_srcptr a, mpfr_rnd_t way) {
    const int inexact = mpfr_rec_sqrt(r, a, way);
    if (mpfr_zero_p(a)) mpfr_set_inf(r, mpfr_signbit(a) ? -1 : 1);
    return inexact;
}

/* exp(u) by its logarithm. */
static void exp_of(Interval *r, const Interval *u) {
    r->kind = INTERVAL_EXP;
    r->sign = 1;
    mpfr_set(r->lo, u->lo, DOWN);
    mpfr_set(r->hi, u->hi, UP);
}

static void scale_by_log2(Interval *r, bool divide_by) {
    mpfr_t c[2];
    mpfr_inits2(mpfr_get_prec(r->lo), c[0], c[1], (mpfr_ptr)0);
    mpfr_const_log2(c[0], DOWN);
    mpfr_const_log2(c[1], UP);
    Binary *op = divide_by ? mpfr_div : mpfr_mul;
    const bool low = (mpfr_sgn(r->lo) < 0) != divide_by, high = (mpfr_sgn(r->hi) < 0) == divide_by;
    op(r->lo, r->lo, c[low], DOWN);
    op(r->hi, r->hi, c[high], UP);
    mpfr_clears(c[0], c[1], (mpfr_ptr)0);
}

static void exponential(Interval *r, const Interval *a, Op op) {
    if (above_edge(a) || (op != OP_EXPM1 && below_edge(a))) {
        exp_of(r, a);
        if (op == OP_EXP2) scale_by_log2(r, false);
        if (op == OP_EXPM1) mpfr_nextbelow(r->lo);
        return;
    }
    increasing(r, a, op == OP_EXP ? mpfr_exp : op == OP_EXP2 ? mpfr_exp2 : mpfr_expm1);
}

/* sin and cos change no faster than their argument. */
static void wave(Interval *r, const Interval *a, Unary *f) {
    r->kind = INTERVAL_REAL;
    const bool huge = !mpfr_number_p(a->lo) || !mpfr_number_p(a->hi) ||
                      at_least(a->lo, LARGEST_ANGLE) || at_least(a->hi, LARGEST_ANGLE);
    if (is_infinite(a)) {
        set_nan(r);
        return;
    }
    if (huge) {
        mpfr_set_si(r->lo, -1, MPFR_RNDN);
        mpfr_set_si(r->hi, 1, MPFR_RNDN);
        return;
    }
    if (is_point(a)) {
        increasing(r, a, f);
        return;
    }
    mpfr_t width;
    mpfr_init2(width, 64);
    mpfr_sub(width, a->hi, a->lo, UP);
    f(r->lo, a->lo, DOWN);
    mpfr_set(r->hi, r->lo, MPFR_RNDN);
    mpfr_nextabove(r->hi);
    mpfr_sub(r->lo, r->lo, width, DOWN);
    mpfr_add(r->hi, r->hi, width, UP);
    if (mpfr_cmp_si(r->lo, -1) < 0) mpfr_set_si(r->lo, -1, MPFR_RNDN);
    if (mpfr_cmp_si(r->hi, 1) > 0) mpfr_set_si(r->hi, 1, MPFR_RNDN);
    mpfr_clear(width);
}

/* sinh and cosh of what is huge: e^|a|/2. */
static void half_exp(Interval *r, const Interval *a, bool odd) {
    const int sign = sign_of(a);
    absolute(r, a);
    exp_of(r, r);
    mpfr_t c;
    mpfr_init2(c, mpfr_get_prec(r->lo));
    mpfr_const_log2(c, UP);
    mpfr_sub(r->lo, r->lo, c, DOWN);
    mpfr_nextbelow(c);
    mpfr_sub(r->hi, r->hi, c, UP);
    mpfr_clear(c);
    widen(r);
    if (odd) r->sign = (int8_t)sign;
}

/* erfc(t) = exp(-t^2)/(t sqrt(pi)) * sum (-1)^k (2k - 1)!!/(2 t^2)^k, DLMF 7.12.1, where any two
 * successive partial sums have the value between them: far out, where MPFR's own answer is 0. The
 * logarithm of it, at one t. */
enum { TAIL_EDGE = 13, TAIL_TERMS = 8 };

static void log_erfc(mpfr_ptr r, mpfr_srcptr t, mpfr_rnd_t way) {
    const mpfr_prec_t p = mpfr_get_prec(r);
    const mpfr_rnd_t back = way == UP ? DOWN : UP;
    mpfr_t u, square, term, sum;
    mpfr_inits2(p + 32, u, square, term, sum, (mpfr_ptr)0);
    mpfr_sqr(square, t, MPFR_RNDN);
    mpfr_set_ui(term, 1, MPFR_RNDN);
    mpfr_set_ui(sum, 1, MPFR_RNDN);
    for (unsigned long k = 1; k <= TAIL_TERMS - (way == UP ? 0 : 1);
         k++) { /* up: the last one is + */
        mpfr_mul_ui(term, term, 2 * k - 1, MPFR_RNDN);
        mpfr_div(term, term, square, MPFR_RNDN);
        mpfr_div_2ui(term, term, 1, MPFR_RNDN);
        (k % 2 ? mpfr_sub : mpfr_add)(sum, sum, term, MPFR_RNDN);
    }
    mpfr_log(sum, sum, way); /* 32 more bits cover the roundings of the sum */
    mpfr_set(r, sum, way);
    (way == UP ? mpfr_nextabove : mpfr_nextbelow)(r);
    mpfr_const_pi(u, back);
    mpfr_log(u, u, back);
    mpfr_div_2ui(u, u, 1, back);
    mpfr_sub(r, r, u, way);
    mpfr_log(u, t, back);
    mpfr_sub(r, r, u, way);
    mpfr_sqr(u, t, back);
    mpfr_sub(r, r, u, way);
    mpfr_clears(u, square, term, sum, (mpfr_ptr)0);
}

static void error_complement(Interval *r, const Interval *t) {
    if (!mpfr_number_p(t->lo) || mpfr_sgn(t->lo) < 0 || !at_least(t->lo, TAIL_EDGE)) {
        decreasing(r, t, mpfr_erfc);
        return;
    }
    r->kind = INTERVAL_EXP;
    r->sign = 1;
    log_erfc(r->lo, t->hi, DOWN);
    log_erfc(r->hi, t->lo, UP);
    settle(r);
}

/* erfc(-a/sqrt 2)/2 */
static void normcdf(Interval *r, const Interval *a, Interval *t) {
    if (mpfr_sgn(a->hi) >= 0 || !at_least(a->hi, TAIL_EDGE + 1) || !mpfr_number_p(a->lo)) {
        folded(r, a, OP_NORMCDF, true);
        return;
    }
    mpfr_t c;
    mpfr_init2(c, mpfr_get_prec(t->lo));
    negate(t, a);
    mpfr_sqrt_ui(c, 2, UP);
    mpfr_div(t->lo, t->lo, c, DOWN);
    mpfr_nextbelow(c);
    mpfr_div(t->hi, t->hi, c, UP);
    error_complement(r, t);
    if (is_real(r)) {
        mpfr_div_2ui(r->lo, r->lo, 1, DOWN);
        mpfr_div_2ui(r->hi, r->hi, 1, UP);
        mpfr_clear(c);
        return;
    }
    mpfr_const_log2(c, UP);
    mpfr_sub(r->lo, r->lo, c, DOWN);
    mpfr_nextbelow(c);
    mpfr_sub(r->hi, r->hi, c, UP);
    mpfr_clear(c);
}

/* Where the argument leaves what a function is defined for: NaN, or nothing is known. True if it
 * does. */
static bool outside(Interval *r, const Interval *a, long least, long most, bool bounded) {
    if (mpfr_cmp_si(a->lo, least) >= 0 && (!bounded || mpfr_cmp_si(a->hi, most) <= 0)) return false;
    if (mpfr_cmp_si(a->hi, least) < 0 || (bounded && mpfr_cmp_si(a->lo, most) > 0))
        set_nan(r);
    else
        set_any(r);
    return true;
}

/* A function of an argument in the form exp; false if the real form says as much. */
static bool of_exp(Interval *r, const Interval *a, Op op) {
    const bool tiny = is_tiny(a);
    switch ((int)op) {
    case OP_LOG:
    case OP_LOG2:
    case OP_SQRT:
    case OP_RSQRT:
        if (a->sign <= 0) {
            if (a->sign < 0)
                set_nan(r);
            else
                set_any(r);
            return true;
        }
        copy(r, a);
        if (op == OP_LOG || op == OP_LOG2) {
            r->kind = INTERVAL_REAL;
            if (op == OP_LOG2) scale_by_log2(r, true);
        } else {
            mpfr_div_2ui(r->lo, r->lo, 1, DOWN);
            mpfr_div_2ui(r->hi, r->hi, 1, UP);
            if (op == OP_RSQRT) {
                swap(r);
                mpfr_neg(r->lo, r->lo, DOWN);
                mpfr_neg(r->hi, r->hi, UP);
            }
        }
        return true;
    case OP_LOG1P:
        if (!tiny && a->sign > 0 && mpfr_sgn(a->lo) > 0) {
            copy(r, a);
            r->kind = INTERVAL_REAL;
            widen(r);
            return true;
        }
        break;
    case OP_EXPM1:
    case OP_SIN:
    case OP_TAN:
    case OP_ASIN:
    case OP_ATAN:
    case OP_SINH:
    case OP_TANH:
    case OP_ASINH:
        break;
    default:
        return false;
    }
    if (!tiny) return false;
    tiny_itself(r, a);
    return true;
}

static void function(Encloser *e, Interval *r, const Interval *a, Op op) {
    Interval *s = &e->temp[0], *t = &e->temp[1];
    if (is_exp(a)) {
        if (of_exp(r, a, op)) return;
        to_real(s, a);
        a = s;
    }
    switch ((int)op) {
    case OP_SQRT:
        if (!outside(r, a, 0, 0, false)) increasing(r, a, mpfr_sqrt);
        return;
    case OP_RSQRT:
        if (!outside(r, a, 0, 0, false)) decreasing(r, a, rec_sqrt);
        return;
    case OP_LOG:
        if (!outside(r, a, 0, 0, false)) increasing(r, a, mpfr_log);
        return;
    case OP_LOG2:
        if (!outside(r, a, 0, 0, false)) increasing(r, a, mpfr_log2);
        return;
    case OP_LOG1P:
        if (!outside(r, a, -1, 0, false)) increasing(r, a, mpfr_log1p);
        return;
    case OP_ASIN:
        if (!outside(r, a, -1, 1, true)) increasing(r, a, mpfr_asin);
        return;
    case OP_ACOS:
        if (!outside(r, a, -1, 1, true)) decreasing(r, a, mpfr_acos);
        return;
    case OP_EXP:
    case OP_EXP2:
    case OP_EXPM1:
        exponential(r, a, op);
        return;
    case OP_SIN:
        wave(r, a, mpfr_sin);
        return;
    case OP_COS:
        wave(r, a, mpfr_cos);
        return;
    case OP_TAN:
        wave(&e->temp[2], a, mpfr_sin);
        wave(&e->temp[3], a, mpfr_cos);
        if (e->temp[2].kind == INTERVAL_NAN)
            set_nan(r);
        else
            divide(e, r, &e->temp[2], &e->temp[3]);
        return;
    case OP_ATAN:
        increasing(r, a, mpfr_atan);
        return;
    case OP_SINH:
        if (above_edge(a) || below_edge(a))
            half_exp(r, a, true);
        else
            increasing(r, a, mpfr_sinh);
        return;
    case OP_COSH:
        absolute(t, a);
        if (above_edge(t))
            half_exp(r, t, false);
        else
            increasing(r, t, mpfr_cosh);
        return;
    case OP_TANH:
        increasing(r, a, mpfr_tanh);
        return;
    case OP_ASINH:
        increasing(r, a, mpfr_asinh);
        return;
    case OP_ERF:
        increasing(r, a, mpfr_erf);
        return;
    case OP_ERFC:
        error_complement(r, a);
        return;
    case OP_ERFCX: /* far out fold.c has a series that is good for 320 bits */
        folded(r, a, op, false);
        if (is_real(r) && mpfr_get_prec(r->lo) > 256 && mpfr_cmp_si(a->hi, 4096) > 0) {
            mpfr_t margin;
            mpfr_init2(margin, 64);
            mpfr_div_2ui(margin, r->hi, 320, UP);
            mpfr_sub(r->lo, r->lo, margin, DOWN);
            mpfr_add(r->hi, r->hi, margin, UP);
            mpfr_clear(margin);
        }
        return;
    case OP_SIGMOID:
    case OP_SOFTPLUS:
        if (below_edge(a)) {
            exp_of(r, a);
            widen(r);
        } else {
            folded(r, a, op, true);
        }
        return;
    case OP_LOGSIGMOID:
        negate(t, a);
        function(e, r, t, OP_SOFTPLUS);
        copy(t, r);
        negate(r, t);
        return;
    case OP_SECH2:
        absolute(t, a);
        if (above_edge(t)) { /* 4 e^(-2|a|) */
            half_exp(r, t, false);
            swap(r);
            mpfr_mul_si(r->lo, r->lo, -2, DOWN);
            mpfr_mul_si(r->hi, r->hi, -2, UP);
            widen(r);
        } else {
            folded(r, t, op, false);
        }
        return;
    case OP_NORMCDF:
        normcdf(r, a, t);
        return;
    case OP_FLOOR:
    case OP_CEIL:
    case OP_ROUND:
    case OP_TRUNC:
    case OP_SIGN:
        r->kind = INTERVAL_REAL;
        fold_real(op, r->lo, a->lo, NULL, NULL);
        fold_real(op, r->hi, a->hi, NULL, NULL);
        return;
    case OP_STEP:
        r->kind = INTERVAL_REAL;
        mpfr_set_ui(r->lo, mpfr_sgn(a->lo) > 0, MPFR_RNDN);
        mpfr_set_ui(r->hi, mpfr_sgn(a->hi) > 0, MPFR_RNDN);
        return;
    }
    set_any(r);
}

/* ---- powers ---- */

static bool is_integer_point(const Interval *b) { return is_point(b) && mpfr_integer_p(b->lo); }

static bool is_odd(mpfr_srcptr n) {
    mpfr_t half;
    mpfr_init2(half, mpfr_get_prec(n));
    mpfr_div_2ui(half, n, 1, MPFR_RNDN);
    const bool odd = !mpfr_integer_p(half);
    mpfr_clear(half);
    return odd;
}

/* |a|^b by b*log|a|. */
static void power_by_log(Encloser *e, Interval *r, const Interval *a, const Interval *b) {
    Interval *u = &e->temp[2], *s = &e->temp[3];
    to_exp(s, a);
    u->kind = INTERVAL_REAL;
    mpfr_set(u->lo, s->lo, DOWN);
    mpfr_set(u->hi, s->hi, UP);
    copy(s, u);
    multiply(e, u, s, b);
    if (!is_real(u)) {
        to_real(s, u);
        copy(u, s);
    }
    if (!is_real(u)) {
        set_any(r);
        return;
    }
    exp_of(r, u);
    settle(r);
}

static bool is_large_power(const Interval *a, const Interval *b) {
    mpfr_exp_t most = 0;
    for (int i = 0; i < 2; i++) {
        mpfr_srcptr v = i ? a->hi : a->lo;
        if (!mpfr_regular_p(v)) continue;
        const mpfr_exp_t x = mpfr_get_exp(v), size = x < 0 ? -x : x;
        if (size > most) most = size;
    }
    const double y = mpfr_get_d(b->hi, MPFR_RNDN), z = mpfr_get_d(b->lo, MPFR_RNDN);
    const double largest =
        (y < 0 ? -y : y) > (z < 0 ? -z : z) ? (y < 0 ? -y : y) : (z < 0 ? -z : z);
    return largest * ((double)most + 1) > 0x1p27;
}

static void power(Encloser *e, Interval *r, const Interval *a, const Interval *b) {
    Interval *s = &e->temp[4], *t = &e->temp[5];
    if (is_zero(b)) {
        set_si(r, 1);
        return;
    }
    if (is_point(a) && mpfr_cmp_si(a->lo, 1) == 0) {
        set_si(r, 1);
        return;
    }
    if (a->kind == INTERVAL_NAN || b->kind == INTERVAL_NAN) {
        set_nan(r);
        return;
    }
    if (a->kind == INTERVAL_ANY || b->kind == INTERVAL_ANY || is_exp(b)) {
        set_any(r);
        return;
    }
    if (is_exp(a) && a->sign == 0) {
        to_real(&e->temp[3], a);
        a = &e->temp[3];
    }
    const bool whole = is_integer_point(b);
    const bool odd = whole && is_odd(b->lo);
    copy(t, b);
    if (is_exp(a) ||
        (sign_of(a) && mpfr_regular_p(a->lo) && mpfr_regular_p(a->hi) && is_large_power(a, b))) {
        const int sign = sign_of(a);
        if (sign < 0 && !whole) {
            r->kind = is_point(b) ? INTERVAL_NAN : INTERVAL_ANY;
            return;
        }
        copy(s, a);
        power_by_log(e, r, s, t);
        if (sign < 0 && odd) {
            copy(s, r);
            negate(r, s);
        }
        return;
    }
    if (!whole) {
        if (mpfr_sgn(a->hi) < 0 && is_point(b) && mpfr_number_p(b->lo))
            set_nan(r);
        else if (mpfr_sgn(a->lo) < 0)
            set_any(r);
        else {
            copy(s, a);
            corners(r, s, t, mpfr_pow, false);
            settle(r);
        }
        return;
    }
    if (odd)
        copy(s, a);
    else
        absolute(s, a);
    if (mpfr_sgn(t->lo) < 0 && !is_point(s) && mpfr_sgn(s->lo) <= 0 && mpfr_sgn(s->hi) >= 0) {
        if (mpfr_sgn(s->lo) < 0 && mpfr_sgn(s->hi) > 0) {
            set_any(r);
            return;
        }
        if (mpfr_zero_p(s->lo)) mpfr_setsign(s->lo, s->lo, 0, MPFR_RNDN);
        if (mpfr_zero_p(s->hi)) mpfr_setsign(s->hi, s->hi, 1, MPFR_RNDN);
    }
    corners(r, s, t, mpfr_pow, false);
    settle(r);
}

/* ---- comparisons and choices ---- */

/* What a < b, a <= b, a == b may be. */
static void compare(Encloser *e, Interval *r, const Interval *a, const Interval *b, Op op) {
    if (a->kind == INTERVAL_NAN || b->kind == INTERVAL_NAN) {
        set_truth(r, op == OP_NE, op != OP_NE);
        r->of_nan = true;
        return;
    }
    if (a->kind == INTERVAL_ANY || b->kind == INTERVAL_ANY) {
        set_any(r);
        return;
    }
    Interval *s = &e->temp[0], *t = &e->temp[1];
    if (op == OP_ORD) {
        set_truth(r, true, false);
        return;
    }
    bool less, more, same; /* what is possible */
    if (is_exp(a) && is_exp(b) && a->sign && a->sign == b->sign) {
        const bool lower = mpfr_less_p(a->lo, b->hi), higher = mpfr_greater_p(a->hi, b->lo);
        less = a->sign > 0 ? lower : higher;
        more = a->sign > 0 ? higher : lower;
        same = mpfr_lessequal_p(a->lo, b->hi) && mpfr_lessequal_p(b->lo, a->hi);
    } else if ((is_exp(a) && is_zero(b)) || (is_exp(b) && is_zero(a))) {
        const int sign = is_exp(a) ? a->sign : -b->sign;
        less = sign <= 0;
        more = sign >= 0;
        same = sign == 0;
    } else {
        to_real(s, a);
        to_real(t, b);
        less = mpfr_less_p(s->lo, t->hi);
        more = mpfr_greater_p(s->hi, t->lo);
        same = mpfr_lessequal_p(s->lo, t->hi) && mpfr_lessequal_p(t->lo, s->hi);
    }
    switch ((int)op) {
    case OP_LT:
        set_truth(r, less, more || same);
        return;
    case OP_LE:
        set_truth(r, less || same, more);
        return;
    case OP_EQ:
        set_truth(r, same, less || more);
        return;
    default:
        set_truth(r, less || more, same);
        return;
    }
}

static void logic(Interval *r, const Interval *a, const Interval *b, Op op) {
    const bool nan =
        (a->kind == INTERVAL_TRUTH && a->of_nan) || (b && b->kind == INTERVAL_TRUTH && b->of_nan);
    if (nan)
        set_truth(r, true, true);
    else if (a->kind != INTERVAL_TRUTH || (b && b->kind != INTERVAL_TRUTH))
        set_any(r);
    else if (op == OP_NOT)
        set_truth(r, a->may_fail, a->may_hold);
    else if (op == OP_AND)
        set_truth(r, a->may_hold && b->may_hold, a->may_fail || b->may_fail);
    else
        set_truth(r, a->may_hold || b->may_hold, a->may_fail && b->may_fail);
    r->of_nan = nan;
}

static void choose(Encloser *e, Interval *r, const Interval *c, const Interval *a,
                   const Interval *b) {
    if (c->kind != INTERVAL_TRUTH)
        set_any(r);
    else if (!c->may_fail)
        copy(r, a);
    else if (!c->may_hold)
        copy(r, b);
    else
        hull(r, a, b, &e->temp[0]);
}

static void extreme(Encloser *e, Interval *r, const Interval *a, const Interval *b, Op op) {
    Interval *truth = &e->temp[2];
    if (op == OP_MAX)
        compare(e, truth, a, b, OP_LT);
    else
        compare(e, truth, b, a, OP_LT);
    if (!truth->may_hold || !truth->may_fail) {
        copy(r, truth->may_hold ? b : a);
        return;
    }
    Interval *s = &e->temp[0], *t = &e->temp[1];
    to_real(s, a);
    to_real(t, b);
    r->kind = INTERVAL_REAL;
    (op == OP_MAX ? mpfr_max : mpfr_min)(r->lo, s->lo, t->lo, DOWN);
    (op == OP_MAX ? mpfr_max : mpfr_min)(r->hi, s->hi, t->hi, UP);
}

/* ---- a node ---- */

static void set_constant(Interval *r, const Node *n) {
    if (!n->num) {
        set_truth(r, n->bits != 0, n->bits == 0);
        return;
    }
    r->kind = INTERVAL_REAL;
    mpfr_set(r->lo, n->num, DOWN);
    mpfr_set(r->hi, n->num, UP);
    if (mpfr_nan_p(n->num)) set_nan(r);
}

static void enclose_op(Encloser *e, Interval *r, const Node *n) {
    const Interval *a = e->values[n->arg[0]->id],
                   *b = n->nargs > 1 ? e->values[n->arg[1]->id] : NULL,
                   *c = n->nargs > 2 ? e->values[n->arg[2]->id] : NULL;
    const Op op = (Op)n->op;
    switch ((int)op) { /* those that are not strict, or take conditions */
    case OP_COND:
        if (a->kind == INTERVAL_TRUTH && a->of_nan) {
            set_nan(r);
            return;
        }
        choose(e, r, a, b, c);
        return;
    case OP_SELECT:
    case OP_GUARD:
        choose(e, r, a, b, c);
        return;
    case OP_AND:
    case OP_OR:
    case OP_NOT:
        logic(r, a, b, op);
        return;
    case OP_LT:
    case OP_LE:
    case OP_EQ:
    case OP_NE:
    case OP_ORD:
        compare(e, r, a, b, op);
        return;
    case OP_POW:
        power(e, r, a, b);
        return;
    case OP_CUSTOM:
    case OP_STOP:
        copy(r, a);
        return;
    }
    bool nan = false, any = false;
    for (int k = 0; k < n->nargs; k++) {
        nan = nan || e->values[n->arg[k]->id]->kind == INTERVAL_NAN;
        any = any || e->values[n->arg[k]->id]->kind == INTERVAL_ANY;
    }
    if (nan || any) {
        r->kind = nan ? INTERVAL_NAN : INTERVAL_ANY;
        return;
    }
    switch ((int)op) {
    case OP_ADD:
        add(e, r, a, b);
        return;
    case OP_SUB:
        if (n->arg[0] == n->arg[1] && !is_infinite(a)) {
            set_si(r, 0);
            return;
        }
        negate(&e->temp[4], b);
        add(e, r, a, &e->temp[4]);
        return;
    case OP_MUL:
        multiply(e, r, a, b);
        if (n->arg[0] == n->arg[1] && is_real(r) && mpfr_sgn(r->lo) < 0) mpfr_set_zero(r->lo, 1);
        return;
    case OP_FMA:
        multiply(e, &e->temp[4], a, b);
        if (e->temp[4].kind == INTERVAL_NAN || e->temp[4].kind == INTERVAL_ANY)
            copy(r, &e->temp[4]);
        else
            add(e, r, &e->temp[4], c);
        return;
    case OP_DMUL:
        if (is_zero(a) || is_zero(b))
            set_si(r, 0);
        else
            multiply(e, r, a, b);
        return;
    case OP_DIV:
        divide(e, r, a, b);
        return;
    case OP_NEG:
        negate(r, a);
        return;
    case OP_ABS:
        absolute(r, a);
        return;
    case OP_MAX:
    case OP_MIN:
        extreme(e, r, a, b, op);
        return;
    case OP_CLAMP: /* as fold.c has it, also where the bounds cross */
        extreme(e, &e->temp[3], a, b, OP_MAX);
        copy(&e->temp[4], &e->temp[3]);
        extreme(e, r, &e->temp[4], c, OP_MIN);
        return;
    default:
        function(e, r, a, op);
        return;
    }
}

/* ---- all of a graph ---- */

static void set_precision(Encloser *e, Interval *v, mpfr_prec_t precision) {
    const size_t size = mpfr_custom_get_size(precision);
    if (e->room < precision) { /* grows, and keeps what it has */
        v->limbs[0] = arena_alloc(e->arena, size);
        v->limbs[1] = arena_alloc(e->arena, size);
    }
    number_init(v->lo, v->limbs[0], precision);
    number_init(v->hi, v->limbs[1], precision);
}

void enclose_prepare(Encloser *e, Arena *arena, const Graph *g, Node *const *roots, size_t n) {
    *e = (Encloser){.arena = arena, .graph = g};
    bool *needed = ARENA_ARRAY(arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < n; i++) needed[roots[i]->id] = true;
    e->values = ARENA_ARRAY(arena, Interval *, g->nnodes + 1);
    e->order = ARENA_ARRAY(arena, const Node *, g->nnodes + 1);
    for (size_t i = g->nnodes; i-- > 0;)
        for (int k = 0; needed[i] && k < g->nodes[i]->nargs; k++)
            needed[g->nodes[i]->arg[k]->id] = true;
    for (size_t i = 0; i < g->nnodes; i++) {
        if (!needed[i]) continue;
        e->order[e->count++] = g->nodes[i];
        e->values[i] = ARENA_NEW(arena, Interval);
    }
}

void enclose_at(Encloser *e, const mpfr_srcptr *vars, mpfr_prec_t precision) {
    enum { TEMPS = sizeof e->temp / sizeof *e->temp };
    if (e->precision != precision) {
        for (size_t i = 0; i < e->count; i++)
            set_precision(e, e->values[e->order[i]->id], precision);
        for (size_t i = 0; i < TEMPS; i++) set_precision(e, &e->temp[i], precision);
        if (e->room < precision) e->room = precision;
        e->precision = precision;
        e->constants = false;
    }
    for (size_t i = 0; i < e->count; i++) {
        const Node *n = e->order[i];
        Interval *r = e->values[n->id];
        if (n->op == OP_CONST) {
            if (!e->constants) set_constant(r, n);
        } else if (n->op == OP_VAR) {
            r->kind = mpfr_nan_p(vars[n->attr]) ? INTERVAL_NAN : INTERVAL_REAL;
            mpfr_set(r->lo, vars[n->attr], DOWN);
            mpfr_set(r->hi, vars[n->attr], UP);
        } else {
            enclose_op(e, r, n);
        }
    }
    e->constants = true;
}
