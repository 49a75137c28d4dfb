/* The judge, judged: kernels with a mistake, each of which a sweep must find. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"

enum { PART = 9, THREADS = 2 };

/* ---- kernels ---- */

static float next_up(float v) {
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    u++;
    memcpy(&v, &u, sizeof u);
    return v;
}

#define KERNEL(name, value)                                                                        \
    static void name(size_t n, const float *x, float *y) {                                         \
        for (size_t i = 0; i < n; i++) {                                                           \
            const float v = x[i];                                                                  \
            y[i] = (value);                                                                        \
        }                                                                                          \
    }
#define BETWEEN(lo, hi) (v >= (lo) && v < (hi))

KERNEL(root, sqrtf(v))
KERNEL(root_off, BETWEEN(2, 4) ? next_up(sqrtf(v)) : sqrtf(v))
KERNEL(root_tiny_off, BETWEEN(0x1p-132f, 0x1p-120f) ? next_up(sqrtf(v)) : sqrtf(v))
KERNEL(root_not_nan, v < -3 ? 0 : sqrtf(v))
KERNEL(root_of_infinity, isinf(v) ? 0x1.fffffep127f : sqrtf(v))
KERNEL(truncated, truncf(v))
KERNEL(zero_without_sign, BETWEEN(-1, -0.5f) ? 0 : truncf(v))
KERNEL(not_odd, BETWEEN(-4, -2) ? -1 : truncf(v))
KERNEL(exponential, (float)exp((double)v))
KERNEL(no_overflow, v > 90 ? 0x1.fffffep127f : (float)exp((double)v))
KERNEL(early_overflow, v > 88.7f ? INFINITY : (float)exp((double)v))
KERNEL(early_zero, v < -100 ? 0 : (float)exp((double)v))
KERNEL(sigmoid, (float)(1 / (1 + exp(-(double)v))))
KERNEL(above_one, BETWEEN(30, 1e30f) ? 0x1.000002p0f : (float)(1 / (1 + exp(-(double)v))))
KERNEL(leaves_one, BETWEEN(60, 70) ? 0x1.fffffep-1f : (float)(1 / (1 + exp(-(double)v))))

static Sweep sweep(Op op, double claim, Unary32 *jit, Unary32 *c) {
    return sweep_run(oracle_find(op), claim, jit, c, THREADS, PART);
}

static bool good(Op op, double claim, Unary32 *f) {
    const Sweep s = sweep(op, claim, f, f);
    return sweep_is_good(&s);
}

/* ---- tests ---- */

START_TEST(right_kernels_pass) {
    ck_assert(good(OP_SQRT, 0.5, root));
    ck_assert(good(OP_TRUNC, 0, truncated));
    ck_assert(good(OP_EXP, 0.501, exponential));
    ck_assert(good(OP_SIGMOID, 0.501, sigmoid));
}
END_TEST

START_TEST(errors_are_found) {
    ck_assert(!good(OP_EXP, 0.49, exponential));
    static const struct {
        Op op;
        Unary32 *f;
    } wrong[] = {
        {OP_SQRT, root_off},           {OP_SQRT, root_tiny_off}, {OP_SQRT, root_not_nan},
        {OP_TRUNC, zero_without_sign}, {OP_EXP, no_overflow},    {OP_EXP, early_zero},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const Sweep s = sweep(wrong[i].op, 0.9, wrong[i].f, NULL);
        ck_assert_msg(s.exceeded > 0 && !sweep_is_good(&s), "kernel %zu", i);
    }
    /* the largest error is the one that MPFR finds */
    const Sweep s = sweep(OP_SQRT, 0.9, root_off, NULL);
    float x;
    memcpy(&x, &s.worst_x, sizeof x);
    ck_assert(x >= 2 && x < 4 && s.worst > 1 && s.worst <= 1.5);
}
END_TEST

START_TEST(infinity_is_judged) {
    /* blocks are chosen at random: only the samples are sure to look there */
    const Sampled m = sampled_measure(OP_SQRT, TYPE_F32, 0, (actc_function *)root_of_infinity, 1);
    ck_assert(isinf(m.worst));
    const Sampled r = sampled_measure(OP_SQRT, TYPE_F32, 0, (actc_function *)root, 1);
    ck_assert(r.worst <= 0.5);
    const Sweep s = sweep(OP_EXP, 0.9, early_overflow, NULL);
    ck_assert(s.worst <= 0.9 || s.exceeded > 0);
}
END_TEST

START_TEST(other_bits_are_found) {
    const Sweep s = sweep(OP_SQRT, 1.5, root, root_off);
    ck_assert(s.unlike > 0 && s.exceeded == 0 && !sweep_is_good(&s));
}
END_TEST

START_TEST(disorder_is_found) {
    Sweep s = sweep(OP_TRUNC, 1e9, not_odd, NULL);
    ck_assert(s.asymmetric > 0 && !sweep_is_good(&s));
    s = sweep(OP_SIGMOID, 3, above_one, NULL);
    ck_assert(s.outside > 0 && s.exceeded == 0 && !sweep_is_good(&s));
    s = sweep(OP_SIGMOID, 2, leaves_one, NULL);
    ck_assert(s.unsaturated > 0 && s.outside == 0 && s.exceeded == 0 && !sweep_is_good(&s));
}
END_TEST

/* The fast judgement is that of MPFR, where r is exact. */
START_TEST(judge_agrees_with_mpfr) {
    static const float special[] = {0, -0.f, INFINITY, -INFINITY, NAN, 0x1p-149f, 0x1.fffffep127f};
    NUMBER_TEMP(r, REFERENCE_BITS);
    for (int i = 0; i < 200000; i++) {
        uint64_t u, v, unused;
        float y;
        sample(OP_EXP, TYPE_F32, 1000 + (uint64_t)i, &u, &unused);
        sample(OP_EXP, TYPE_F64, 1000 + (uint64_t)i, &v, &unused);
        y = i % 8 ? (float)decode(u, TYPE_F32) : special[i / 8 % 7];
        double x = decode(v, TYPE_F64), error;
        if (i & 1) x = (double)y * (1 + ldexp((double)(i % 64), -27));
        mpfr_set_d(r, x, MPFR_RNDN);
        const double worst = judge(1, &y, &x, -1000, &error),
                     exact = error_in_ulp(r, (double)y, TYPE_F32);
        ck_assert_msg(worst == exact || fabs(worst - exact) <= 1e-12 * exact, "%a of %a: %g, %g",
                      (double)y, x, worst, exact);
    }
}
END_TEST

int main(void) {
    samples_read(ACTC_SOURCE_FOLDER "/tests/data/hard_cases.txt");
    Suite *suite = suite_create("accuracy");
    TCase *c = tcase_create("harness");
    tcase_add_test(c, right_kernels_pass);
    tcase_add_test(c, errors_are_found);
    tcase_add_test(c, infinity_is_judged);
    tcase_add_test(c, other_bits_are_found);
    tcase_add_test(c, disorder_is_found);
    tcase_add_test(c, judge_agrees_with_mpfr);
    tcase_set_timeout(c, 300);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
