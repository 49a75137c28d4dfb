/* ir/enclose.c: the exact value is in the interval, and with enough bits the interval is narrow. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

enum { MANY_BITS = 700, VALUES = 24 };

static jmp_buf out;
static Arena arena;

static void begin(void) {
    arena_init(&arena, allocator_libc, 0, &out);
    if (setjmp(out)) ck_abort_msg("out of memory");
}
static void end(void) {
    arena_free(&arena);
    mpfr_free_cache();
}

static mpfr_ptr number(mpfr_prec_t precision) {
    mpfr_ptr v = arena_alloc(&arena, sizeof *v);
    number_init(v, arena_alloc(&arena, mpfr_custom_get_size(precision)), precision);
    return v;
}

static bool holds(const Interval *i, mpfr_srcptr v) {
    switch ((IntervalKind)i->kind) {
    case INTERVAL_ANY:
        return true;
    case INTERVAL_NAN:
        return mpfr_nan_p(v) != 0;
    case INTERVAL_REAL:
        return mpfr_lessequal_p(i->lo, v) && mpfr_lessequal_p(v, i->hi);
    case INTERVAL_EXP: {
        NUMBER_TEMP(u, MANY_BITS);
        mpfr_abs(u, v, MPFR_RNDN);
        mpfr_log(u, u, MPFR_RNDN);
        return (i->sign == 0 || mpfr_sgn(v) == i->sign) && mpfr_lessequal_p(u, i->hi) &&
               (i->sign == 0 || mpfr_lessequal_p(i->lo, u));
    }
    case INTERVAL_TRUTH:
        return mpfr_zero_p(v) ? i->may_fail : i->may_hold;
    }
    return false;
}

static const Op unary[] = {OP_NEG,   OP_ABS,   OP_SQRT,     OP_FLOOR,      OP_CEIL,   OP_ROUND,
                           OP_TRUNC, OP_SIGN,  OP_STEP,     OP_EXP,        OP_EXP2,   OP_EXPM1,
                           OP_LOG,   OP_LOG2,  OP_LOG1P,    OP_RSQRT,      OP_SIN,    OP_COS,
                           OP_TAN,   OP_ASIN,  OP_ACOS,     OP_ATAN,       OP_SINH,   OP_COSH,
                           OP_TANH,  OP_ASINH, OP_ERF,      OP_ERFC,       OP_ERFCX,  OP_SIGMOID,
                           OP_SECH2, OP_STOP,  OP_SOFTPLUS, OP_LOGSIGMOID, OP_NORMCDF};
static const Op binary[] = {OP_ADD,  OP_SUB, OP_MUL, OP_DIV, OP_MAX, OP_MIN, OP_POW,
                            OP_DMUL, OP_LT,  OP_LE,  OP_EQ,  OP_NE,  OP_ORD};

static const double values[VALUES] = {0.43,  -0.37, 1.61, -1.27, 0.11,  -0.83, 2.9,   -3.3,
                                      1,     -1,    0,    1e-9,  -1e-9, 1e9,   -1e9,  1e30,
                                      -1e30, 700.5, -745, 3,     -2,    0.5,   1e-40, -26.5};

/* One operation on arguments that are only known as intervals (v/3 at few bits), and as points. */
static void check_op(Op op, bool blur, mpfr_prec_t precision) {
    Graph *g = graph_new(&arena, "f", TYPE_F64);
    const int n = op_info[op].nargs;
    Node *x[2] = {graph_var(g, VAR_INPUT, "x", TYPE_F64, AXES_REST),
                  graph_var(g, VAR_INPUT, "y", TYPE_F64, AXES_REST)};
    Node *three = graph_float(g, TYPE_F64, 3), *arg[2];
    for (int k = 0; k < 2; k++) arg[k] = blur ? graph_op(g, OP_DIV, x[k], three, NULL) : x[k];
    Node *root = graph_op(g, op, arg[0], n > 1 ? arg[1] : NULL, NULL);
    Encloser e;
    enclose_prepare(&e, &arena, g, &root, 1);
    mpfr_ptr vars[2] = {number(64), number(64)};
    mpfr_ptr a[2] = {number(MANY_BITS), number(MANY_BITS)}, v = number(MANY_BITS);
    for (int i = 0; i < VALUES; i++)
        for (int k = 0; k < (n > 1 ? VALUES : 1); k++) {
            mpfr_set_d(vars[0], values[i], MPFR_RNDN);
            mpfr_set_d(vars[1], values[k], MPFR_RNDN);
            for (int j = 0; j < 2; j++)
                blur ? mpfr_div_ui(a[j], vars[j], 3, MPFR_RNDN)
                     : mpfr_set(a[j], vars[j], MPFR_RNDN);
            fold_real(op, v, a[0], n > 1 ? a[1] : NULL, NULL);
            enclose_at(&e, (const mpfr_srcptr *)vars, precision);
            const Interval *r = e.values[root->id];
            /* numbers out of MPFR's range are for the tests below; a pole has either sign */
            if (mpfr_inf_p(v) || (mpfr_zero_p(v) && r->kind == INTERVAL_EXP)) continue;
            if (mpfr_nan_p(v) && op == OP_POW && values[k] == 0) continue;
            if (mpfr_zero_p(v) && mpfr_underflow_p()) {
                mpfr_clear_flags();
                continue;
            }
            ck_assert_msg(holds(r, v), "%s(%g, %g)%s at %ld bits: kind %d", op_info[op].name,
                          values[i], values[k], blur ? " of thirds" : "", (long)precision, r->kind);
        }
}

START_TEST(exact_values_are_inside) {
    for (int blur = 0; blur < 2; blur++)
        for (mpfr_prec_t p = 16; p <= 256; p *= 4) {
            for (size_t i = 0; i < sizeof unary / sizeof *unary; i++) check_op(unary[i], blur, p);
            for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
                check_op(binary[i], blur, p);
        }
}
END_TEST

/* The value and derivative of a formula at x, by intervals that shrink; false if they do not. */
static bool value_at(const char *text, double x, bool derivative, double *v) {
    const char *error;
    size_t at;
    Graph *g = graph_read(&arena, text, TYPE_F32, &error, &at);
    ck_assert_msg(g != NULL, "%s", text);
    Node *root = g->outs[0].node, *var = g->vars[0].node, *d;
    if (derivative) {
        diff_reverse(g, root, &var, &d, 1);
        root = d;
    }
    Encloser e;
    enclose_prepare(&e, &arena, g, &root, 1);
    mpfr_ptr to = number(64);
    mpfr_set_d(to, x, MPFR_RNDN);
    const mpfr_srcptr vars[1] = {to};
    for (mpfr_prec_t p = 64; p <= 4096; p *= 2) {
        enclose_at(&e, vars, p);
        const Interval *i = e.values[root->id];
        if (i->kind == INTERVAL_EXP && i->sign && mpfr_cmp_si(i->hi, -1000) < 0) {
            *v = 0;
            return true;
        }
        if (i->kind == INTERVAL_EXP && i->sign && mpfr_cmp_si(i->lo, 1000) > 0) {
            *v = i->sign * INFINITY;
            return true;
        }
        if (i->kind != INTERVAL_REAL) continue;
        const double low = mpfr_get_d(i->lo, MPFR_RNDN), high = mpfr_get_d(i->hi, MPFR_RNDN);
        *v = low;
        if (low == high) return true;
    }
    return false;
}

static const struct {
    const char *text;
    double x, value, derivative; /* NAN: not asked for */
} cases[] = {
    /* what is beyond MPFR's exponents cancels */
    {"f(x) = (y = (exp(x) - exp(-x))/(exp(x) + exp(-x)))", 1e30, 1, 0},
    {"f(x) = (y = (exp(x) - exp(-x))/(exp(x) + exp(-x)))", -1e38, -1, 0},
    {"f(x) = (y = exp(x)/(1 + exp(x)))", 1e19, 1, 0},
    {"f(x) = (y = exp(x)/(1 + exp(x)))", -1e19, 0, 0},
    {"f(x) = (y = log(1 + exp(x)))", 1e20, 1e20, 1},
    {"f(x) = (y = log(1 + exp(x)))", -1e20, 0, 0},
    {"f(x) = (y = log(cosh(x)))", 1e20, 1e20, 1},
    {"f(x) = (y = log(exp(x)))", -3e12, -3e12, 1},
    {"f(x) = (y = sqrt(exp(x)*exp(-x)))", 1e15, 1, 0},
    {"f(x) = (y = exp(x)*exp(-x) - 1)", 3e10, 0, 0},
    {"f(x) = (y = x*(1 + erf(x)))", -1e10, 0, 0},
    {"f(x) = (y = exp(exp(x)))", 1e10, INFINITY, INFINITY},
    {"f(x) = (y = exp(-exp(x)))", 1e10, 0, 0},
    {"f(x) = (y = exp(x^3)/exp(x^3))", 1e12, 1, 0},
    {"f(x) = (y = pow(exp(x), 0.5)/exp(x/2))", 1e12, 1, 0},
    /* the textbook form cancels or overflows */
    {"f(x) = (y = log(1 + x^2))", 0x1p-70, 0x1p-140, 0x1p-69},
    {"f(x) = (y = log(1 + x^2))", 0x1p100, 138.62943611198907, 0x1p-99},
    {"f(x) = (y = x - tanh(x))", 0x1p-60, 0x1.5555555555555p-182, 0x1p-120},
    {"f(x) = (y = sqrt(x^2 + 1) - 1)", 0x1p-60, 0x1p-121, 0x1p-60},
    {"f(x) = (y = (1 - cos(x))/x^2)", 0x1p-100, 0.5, -0x1.5555555555555p-104},
    {"f(x) = (y = sin(x))", 0x1p100, -0.8721836054182673, 0.48917865697472146},
    /* choices */
    {"f(x) = (y = x > 0 ? x : exp(x) - 1)", -0x1p-60, -0x1p-60, 1},
    {"f(x) = (y = max(x, 0))", -3, 0, 0},
    {"f(x) = (y = clamp(x, 0, 6))", 7, 6, 0},
    {"f(x) = (y = pow(x, 3))", -2, -8, 12},
    {"f(x) = (y = pow(x, -2))", -2, 0.25, 0.25},
};

START_TEST(enough_bits_decide) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int d = 0; d < 2; d++) {
            const double want = d ? cases[i].derivative : cases[i].value;
            double got = NAN;
            ck_assert_msg(value_at(cases[i].text, cases[i].x, d, &got),
                          "%s at %g, derivative %d: not decided", cases[i].text, cases[i].x, d);
            ck_assert_msg(got == want || fabs(got - want) <= 0x1p-51 * fabs(want) ||
                              (want == 0 && fabs(got) < 1e-300),
                          "%s at %g, derivative %d: %.17g, not %.17g", cases[i].text, cases[i].x, d,
                          got, want);
        }
}
END_TEST

int main(void) {
    Suite *s = suite_create("enclose");
    TCase *t = tcase_create("enclose");
    tcase_add_checked_fixture(t, begin, end);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, exact_values_are_inside);
    tcase_add_test(t, enough_bits_decide);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
