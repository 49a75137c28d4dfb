/* The standard library against high-precision values: data/library.txt, made by data/library.py.
 * Every function there is compiled forward and backward for f32 and its largest errors compared
 * with its row of `claims`. */
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

typedef struct {
    char name[64], settings[64];
    actc_kernel *kernels[2];
    double value, gradient;       /* the largest errors */
    double at_value, at_gradient; /* and where */
} Function;

static bool good(const Function *f) {
    double value = claims[0].value, gradient = claims[0].gradient;
    for (size_t i = 1; i < sizeof claims / sizeof *claims; i++)
        if (strcmp(claims[i].name, f->name) == 0)
            value = claims[i].value, gradient = claims[i].gradient;
    if (f->value <= value && f->gradient <= gradient && !getenv("ACTC_TEST_VERBOSE")) return true;
    printf("%-20s %-24s value %.2f at %.9g, gradient %.2f at %.9g\n", f->name, f->settings,
           f->value, f->at_value, f->gradient, f->at_gradient);
    return f->value <= value && f->gradient <= gradient;
}

static void compile(actc_module *m, Function *f, const char *line) {
    char settings[64];
    actc_setting set[4];
    size_t n = 0;
    *f = (Function){.value = 0};
    sscanf(line, "%63s %63[^\n]", f->name, f->settings);
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

static void compare(Function *f, const char *line) {
    double v[4];
    char *at = (char *)(size_t)line;
    for (int i = 0; i < 4; i++) v[i] = strtod(at, &at);
    const float x = (float)v[0], one = 1;
    float y, dx;
    ((Forward *)actc_kernel_function(f->kernels[0]))(1, &x, &y);
    ((Backward *)actc_kernel_function(f->kernels[1]))(1, &x, &one, &dx);
    const double value = fabs((double)y - v[1]) / ulp(v[1]),
                 gradient = fabs((double)dx - v[2]) / ulp(fmax(fabs(v[2]), v[3]));
    if (!(value <= f->value)) f->value = value, f->at_value = v[0];
    if (!(gradient <= f->gradient)) f->gradient = gradient, f->at_gradient = v[0];
}

static void release(Function *f) {
    for (int i = 0; i < 2; i++) actc_kernel_release(f->kernels[i]);
}

START_TEST(values_and_gradients) {
    actc_context *ctx;
    actc_module *m;
    ck_assert_int_eq(actc_context_create(NULL, &ctx), ACTC_OK);
    ck_assert_int_eq(actc_module_library(ctx, &m), ACTC_OK);
    FILE *file = fopen(ACTC_SOURCE_FOLDER "/tests/data/library.txt", "r");
    ck_assert_ptr_nonnull(file);
    Function f = {.value = 0};
    char line[512];
    int bad = 0, points = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#') continue;
        if (line[0] == '\t') {
            compare(&f, line + 1);
            points++;
            continue;
        }
        if (f.name[0]) bad += !good(&f);
        release(&f);
        compile(m, &f, line);
    }
    bad += !good(&f);
    release(&f);
    fclose(file);
    actc_module_release(m), actc_context_release(ctx);
    ck_assert_int_gt(points, 1000);
    ck_assert_int_eq(bad, 0);
}
END_TEST

int main(void) {
    Suite *s = suite_create("library");
    TCase *t = tcase_create("library");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, values_and_gradients);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
