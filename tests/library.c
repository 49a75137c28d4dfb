/* The standard library against high-precision values: data/library.txt, made by data/library.py, and
 * data/reference.txt, made by data/reference.py. Every function there is compiled forward and
 * backward for f32, all its points are run as one array, and its largest errors compared with its
 * row of `claims`. A NaN or an infinity that only one side has, or another sign, is an infinite
 * error. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"

typedef void Forward(size_t, const float *, float *);
typedef void Backward(size_t, const float *, const float *, float *);

/* The bounds of the project, in ulp; the gradient's errors against the sum of its terms, which does not blame a function for a
 * derivative that crosses zero. What is not listed has at most 4 and 5. */
static const struct {
    const char *name;
    double value, gradient;
} claims[] = {{"", 4, 5},
              {"relu", 0.5, 0.5},
              {"leaky_relu", 0.5, 0.5},
              {"relu6", 0.5, 0.5},
              {"hardtanh", 0.5, 0.5},
              {"softshrink", 0.5, 0.5},
              {"hardshrink", 0.5, 0.5},
              {"threshold", 0.5, 0.5},
              {"squared_relu", 0.5, 0.5},
              {"hardsigmoid", 1, 0.5},
              {"hardswish", 2, 2},
              {"exponential", 1, 1},
              {"exp(x)-1", 1, 1},
              {"tanh", 1, 1.5},
              {"elu", 1.5, 1.5},
              {"celu", 1.5, 1.5},
              {"selu", 2, 2},
              {"sigmoid", 3, 5},
              {"softplus", 3, 5},
              {"logsigmoid", 3, 5},
              {"softsign", 3, 5},
              {"swish", 4, 6},
              {"silu", 4, 6},
              {"mish", 4, 6},
              {"gelu", 6, 8},
              {"gelu_tanh", 6, 8},
              {"quick_gelu", 6, 8},
              {"gaussian", 2, 6},
              {"snake", 8, 6}};

/* Of f32, gradual underflow included. */
static double ulp(double v) {
    int e;
    frexp(v, &e);
    return ldexp(1, (v == 0 || e < -125 ? -125 : e) - 24);
}

enum { MOST_POINTS = 400 };

typedef struct {
    char name[160], settings[64];
    actc_kernel *kernels[2];
    double value, gradient;       /* the largest errors */
    double at_value, at_gradient; /* and where */
    size_t n;                     /* points: */
    float x[MOST_POINTS];
    /* f(x), f'(x), |terms of f'(x)|, f' on the left and on the right */
    double exact[MOST_POINTS][5];
} Function;

static bool good(const Function *f) {
    double value = claims[0].value, gradient = claims[0].gradient;
    for (size_t i = 1; i < sizeof claims / sizeof *claims; i++)
        if (strcmp(claims[i].name, f->name) == 0)
            value = claims[i].value, gradient = claims[i].gradient;
    if (f->value <= value && f->gradient <= gradient && !getenv("ACTC_TEST_VERBOSE")) return true;
    printf("%-40s %-24s value %.2f at %.9g, gradient %.2f at %.9g\n", f->name, f->settings,
           f->value, f->at_value, f->gradient, f->at_gradient);
    return f->value <= value && f->gradient <= gradient;
}

static void compile(actc_module *m, Function *f, const char *line) {
    char settings[64];
    actc_setting set[4];
    size_t n = 0;
    *f = (Function){.value = 0};
    sscanf(line, "%159s %63[^\n]", f->name, f->settings);
    strcpy(settings, f->settings);
    for (char *s = strtok(settings, " "); s; s = strtok(NULL, " ")) {
        char *value = strchr(s, '=');
        *value = 0;
        set[n++] = (actc_setting){s, value + 1};
    }
    const actc_kernel_options forward = {.size = sizeof forward,
                                         .settings = set,
                                         .setting_count = n},
                              backward = {.size = sizeof backward,
                                          .kind = ACTC_BACKWARD,
                                          .settings = set,
                                          .setting_count = n};
    const actc_request requests[] = {{f->name, &forward}, {f->name, &backward}};
    ck_assert_msg(actc_kernels_compile(m, requests, 2, f->kernels, NULL) == ACTC_OK, "%s", line);
}

static void add_point(Function *f, const char *line) {
    double v[6];
    int n = 0;
    for (char *at = (char *)(size_t)line, *end; n < 6; n++, at = end) {
        v[n] = strtod(at, &end);
        if (end == at) break;
    }
    ck_assert_msg((n == 3 || n == 4 || n == 6) && f->n < MOST_POINTS, "%s: %s", f->name, line);
    double *exact = f->exact[f->n];
    f->x[f->n++] = (float)v[0];
    exact[0] = v[1], exact[1] = v[2];
    exact[2] = n > 3 ? v[3] : v[2];
    exact[3] = n > 4 ? v[4] : v[2];
    exact[4] = n > 4 ? v[5] : v[2];
}

/* |y - exact| in ulp of `of`. */
static double error(float y, double exact, double of) {
    if (isnan(y) || isnan(exact)) return isnan(y) && isnan(exact) ? 0 : (double)INFINITY;
    const float rounded = (float)exact;
    if (isinf(y) || isinf(rounded)) return y == rounded ? 0 : (double)INFINITY;
    return fabs((double)y - exact) / ulp(of);
}

static void compare(Function *f) {
    float y[MOST_POINTS], dx[MOST_POINTS], dy[MOST_POINTS];
    for (size_t i = 0; i < f->n; i++) dy[i] = 1;
    ((Forward *)actc_kernel_function(f->kernels[0]))(f->n, f->x, y);
    ((Backward *)actc_kernel_function(f->kernels[1]))(f->n, f->x, dy, dx);
    for (size_t i = 0; i < f->n; i++) {
        const double *exact = f->exact[i], left = fmin(exact[3], exact[4]),
                     right = fmax(exact[3], exact[4]);
        const double value = error(y[i], exact[0], exact[0]);
        if (value > f->value) f->value = value, f->at_value = (double)f->x[i];
        /* No derivative where there is no limit; at a kink any between those at its sides. */
        if (isnan(exact[1]) && !isnan(f->x[i])) continue;
        if (left < right && (double)dx[i] >= left && (double)dx[i] <= right) continue;
        const double gradient = error(dx[i], exact[1], fmax(fabs(exact[1]), fabs(exact[2])));
        if (gradient > f->gradient) f->gradient = gradient, f->at_gradient = (double)f->x[i];
    }
}

static void release(Function *f) {
    for (int i = 0; i < 2; i++) actc_kernel_release(f->kernels[i]);
}

static void check_table(const char *path, int least) {
    actc_context *ctx;
    actc_module *m;
    ck_assert_int_eq(actc_context_create(NULL, &ctx), ACTC_OK);
    ck_assert_int_eq(actc_module_library(ctx, &m), ACTC_OK);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    static Function f;
    char line[512];
    int bad = 0, points = 0;
    bool more = true;
    f.name[0] = 0;
    while (more) {
        more = fgets(line, sizeof line, file);
        if (more && line[0] == '#') continue;
        if (more && line[0] == '\t') {
            add_point(&f, line + 1);
            points++;
            continue;
        }
        if (f.name[0]) {
            compare(&f);
            bad += !good(&f);
            release(&f);
        }
        if (more) compile(m, &f, line);
    }
    fclose(file);
    actc_module_release(m), actc_context_release(ctx);
    ck_assert_int_gt(points, least);
    ck_assert_int_eq(bad, 0);
}

START_TEST(values_and_gradients) {
    check_table(ACTC_SOURCE_FOLDER "/tests/data/library.txt", 1000);
}
END_TEST

START_TEST(whole_functions) {
    check_table(ACTC_SOURCE_FOLDER "/tests/data/reference.txt", 14000);
}
END_TEST

int main(void) {
    Suite *s = suite_create("library");
    TCase *t = tcase_create("library");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, values_and_gradients);
    tcase_add_test(t, whole_functions);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
