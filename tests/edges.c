/* Every standard function of one input at the edges of its type: a NaN gives NaN, in value and
 * gradient; a cotangent of NaN gives NaN; the same bits come out wherever an element stands, in
 * arrays of 1 to 67 elements, and nothing is written beyond them. The limits themselves are in
 * golden/run/limits.act. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"

typedef void Forward(size_t, const float *, float *);
typedef void Backward(size_t, const float *, const float *, float *);

enum { LONGEST = 67, BEYOND = 16 };

static const float edges[] = {NAN,        INFINITY,  -INFINITY,  0,       -0.0f,   0x1p-149f,
                              -0x1p-149f, 0x1p-127f, -0x1p-127f, FLT_MIN, FLT_MAX, -FLT_MAX,
                              1,          -1,        3,          -3,      6,       0.5f,
                              -0.5f,      0.1f,      20,         -87.5f,  -95,     -104,
                              88.75f,     1e10f,     -1e10f,     -13.5f};
enum { EDGES = sizeof edges / sizeof *edges };

static uint32_t bits_of(float v) {
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static bool same(float a, float b) { return (isnan(a) && isnan(b)) || bits_of(a) == bits_of(b); }

static void check_function(actc_module *m, const char *name) {
    actc_kernel *k[2];
    for (int i = 0; i < 2; i++) {
        const actc_kernel_options o = {.size = sizeof o, .kind = i ? ACTC_BACKWARD : ACTC_FORWARD};
        ck_assert_msg(actc_kernel_compile(m, name, &o, &k[i], NULL) == ACTC_OK, "%s", name);
    }
    Forward *f = (Forward *)actc_kernel_function(k[0]);
    Backward *b = (Backward *)actc_kernel_function(k[1]);
    float value[EDGES], gradient[EDGES];
    const float one = 1, nan = NAN;
    for (int i = 0; i < EDGES; i++) {
        float broken;
        f(1, &edges[i], &value[i]);
        b(1, &edges[i], &one, &gradient[i]);
        b(1, &edges[i], &nan, &broken);
        ck_assert_msg(isnan(broken), "%s: a cotangent of NaN at %g gives %g", name,
                      (double)edges[i], (double)broken);
        if (!isnan(edges[i])) continue;
        ck_assert_msg(isnan(value[i]), "%s of NaN is %g", name, (double)value[i]);
        ck_assert_msg(isnan(gradient[i]), "%s' of NaN is %g", name, (double)gradient[i]);
    }
    for (size_t n = 1; n <= LONGEST; n++) {
        float x[LONGEST], dy[LONGEST], y[LONGEST + BEYOND], dx[LONGEST + BEYOND];
        for (size_t i = 0; i < LONGEST + BEYOND; i++) y[i] = dx[i] = 1234.5f;
        for (size_t i = 0; i < n; i++) x[i] = edges[(i * 5 + n) % EDGES], dy[i] = 1;
        f(n, x, y);
        b(n, x, dy, dx);
        for (size_t i = 0; i < n; i++) {
            const size_t e = (i * 5 + n) % EDGES;
            ck_assert_msg(same(y[i], value[e]) && same(dx[i], gradient[e]),
                          "%s at %g, element %zu of %zu: %a and %a, alone %a and %a", name,
                          (double)x[i], i, n, (double)y[i], (double)dx[i], (double)value[e],
                          (double)gradient[e]);
        }
        for (size_t i = n; i < LONGEST + BEYOND; i++)
            ck_assert_msg(y[i] == 1234.5f && dx[i] == 1234.5f, "%s writes beyond %zu", name, n);
    }
    for (int i = 0; i < 2; i++) actc_kernel_release(k[i]);
}

START_TEST(edges_of_the_library) {
    actc_context *ctx;
    actc_module *m;
    ck_assert_int_eq(actc_context_create(NULL, &ctx), ACTC_OK);
    ck_assert_int_eq(actc_module_library(ctx, &m), ACTC_OK);
    int checked = 0;
    for (size_t i = 0; i < actc_module_function_count(m); i++) {
        const char *name = actc_module_function_name(m, i);
        actc_kernel *k;
        size_t arguments;
        if (actc_kernel_compile(m, name, NULL, &k, NULL) != ACTC_OK) continue; /* needs params */
        arguments = actc_kernel_argument_count(k);
        actc_kernel_release(k);
        if (arguments != 2) continue;
        check_function(m, name);
        checked++;
    }
    ck_assert_int_gt(checked, 40);
    actc_module_release(m);
    actc_context_release(ctx);
}
END_TEST

int main(void) {
    Suite *s = suite_create("edges");
    TCase *t = tcase_create("edges");
    tcase_set_timeout(t, 600);
    tcase_add_test(t, edges_of_the_library);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
