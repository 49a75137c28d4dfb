/* The library from outside: every standard function against formulas in double, sizes, tensors,
 * misuse. */
#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"

static actc_context *context;
static actc_module *module;

static void setup(void) {
    ck_assert_int_eq(actc_context_create(NULL, &context), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(context, "none", "", 0, &module, NULL), ACTC_OK);
}
static void teardown(void) {
    actc_module_release(module);
    actc_context_release(context);
}

static actc_kernel *compile(actc_module *m, const char *function, actc_kind kind) {
    const actc_kernel_options options = {.size = sizeof options, .kind = kind};
    actc_kernel *k = NULL;
    actc_diagnostics *d = NULL;
    const actc_status status = actc_kernel_compile(m, function, &options, &k, &d);
    ck_assert_msg(status == ACTC_OK, "%s: %s %s", function, actc_status_text(status),
                  actc_diagnostics_text(d));
    actc_diagnostics_release(d);
    return k;
}

typedef void Forward(size_t n, const float *x, float *y);
typedef void Backward(size_t n, const float *x, const float *dy, float *dx);
typedef void Both(size_t n, const float *x, const float *dy, float *y, float *dx);

/* ---- the standard functions against their formulas, in double and in forms that do not cancel
 * ---- */

static double sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double normal_cdf(double x) { return 0.5 * erfc(-x / sqrt(2)); }
static double sech2(double x) { return 4 / (exp(2 * x) + 2 + exp(-2 * x)); }

static double f_sigmoid(double x) { return sigmoid(x); }
static double d_sigmoid(double x) { return sigmoid(x) * sigmoid(-x); }
static double d_tanh(double x) { return sech2(x); }
static double f_relu(double x) { return x > 0 ? x : 0; }
static double d_relu(double x) { return x > 0; }
static double f_leaky(double x) { return x > 0 ? x : (double)0.01f * x; }
static double d_leaky(double x) { return x > 0 ? 1 : (double)0.01f; }
static double f_elu(double x) { return x > 0 ? x : expm1(x); }
static double d_elu(double x) { return x > 0 ? 1 : exp(x); }
static double f_selu(double x) {
    return 1.0507009873554804934 * (x > 0 ? x : 1.6732632423543772848 * expm1(x));
}
static double d_selu(double x) {
    return 1.0507009873554804934 * (x > 0 ? 1 : 1.6732632423543772848 * exp(x));
}
static double f_relu6(double x) { return fmin(fmax(x, 0), 6); }
static double d_relu6(double x) { return x > 0 && x < 6; }
static double f_softplus(double x) { return softplus(x); }
static double d_softplus(double x) { return sigmoid(x); }
static double f_silu(double x) { return x * sigmoid(x); }
static double d_silu(double x) { return sigmoid(x) * (1 + x * sigmoid(-x)); }
static double f_mish(double x) { return x * tanh(softplus(x)); }
static double d_mish(double x) { return tanh(softplus(x)) + x * sech2(softplus(x)) * sigmoid(x); }
static double f_gelu(double x) { return x * normal_cdf(x); }
static double d_gelu(double x) {
    return normal_cdf(x) + x * exp(-x * x / 2) / sqrt(2 * 3.14159265358979323846);
}

static const struct {
    const char *name;
    double (*f)(double), (*d)(double);
    double scale; /* the terms of the derivative cancel near its root: the largest of them, relative
                     to 1 */
} standard[] = {
    {"sigmoid", f_sigmoid, d_sigmoid, 0},
    {"tanh", tanh, d_tanh, 0},
    {"relu", f_relu, d_relu, 0},
    {"leaky_relu", f_leaky, d_leaky, 0},
    {"elu", f_elu, d_elu, 0},
    {"selu", f_selu, d_selu, 0},
    {"celu", f_elu, d_elu, 0},
    {"relu6", f_relu6, d_relu6, 0},
    {"softplus", f_softplus, d_softplus, 0},
    {"silu", f_silu, d_silu, 0.3},
    {"swish", f_silu, d_silu, 0.3},
    {"mish", f_mish, d_mish, 0.3},
    {"gelu", f_gelu, d_gelu, 0.3},
};

static float sample(int i, int n) {
    if (i % 3 == 0) return (float)(-16 + 32.0 * i / n);                 /* where things happen */
    if (i % 3 == 1) return ldexpf((i & 8) ? 1.3f : -1.7f, i % 60 - 50); /* towards 0 */
    return (float)(-80 + 160.0 * i / n);
}

/* 2e-6 is 17 ulp, as far as a plain form may go where its argument is rounded (gelu's tail). */
static void check_close(const char *name, const char *what, float x, float got, double want,
                        double scale) {
    const double bound = 2e-6 * fmax(fabs(want), scale) * (fabs(x) > 5 ? 10 : 1) + 1e-37;
    ck_assert_msg(fabs((double)got - want) <= bound, "%s: %s at %.9g is %.9g, not %.9g", name, what,
                  (double)x, (double)got, want);
}

START_TEST(standard_function_is_right) {
    enum { N = 20000 };
    const char *name = standard[_i].name;
    float *x = malloc(4 * N), *dy = malloc(4 * N), *y = malloc(4 * N), *dx = malloc(4 * N),
          *y2 = malloc(4 * N), *dx2 = malloc(4 * N);
    for (int i = 0; i < N; i++) {
        x[i] = sample(i, N);
        dy[i] = (float)(i % 7 - 3);
    }
    actc_kernel *forward = compile(module, name, ACTC_FORWARD),
                *backward = compile(module, name, ACTC_BACKWARD),
                *both = compile(module, name, ACTC_FORWARD_BACKWARD);
    ((Forward *)actc_kernel_function(forward))(N, x, y);
    ((Backward *)actc_kernel_function(backward))(N, x, dy, dx);
    ((Both *)actc_kernel_function(both))(N, x, dy, y2, dx2);
    for (int i = 0; i < N; i++) {
        check_close(name, "value", x[i], y[i], standard[_i].f(x[i]), 0);
        check_close(name, "gradient", x[i], dx[i], dy[i] * standard[_i].d(x[i]),
                    fabsf(dy[i]) * standard[_i].scale);
    }
    ck_assert_mem_eq(y, y2, 4 * N);
    ck_assert_mem_eq(dx, dx2, 4 * N);
    actc_kernel_release(forward), actc_kernel_release(backward), actc_kernel_release(both);
    free(x), free(dy), free(y), free(dx), free(y2), free(dx2);
}
END_TEST

/* ---- sizes, in place, big ---- */

START_TEST(any_size_and_in_place) {
    actc_kernel *k = compile(module, "mish", ACTC_FORWARD);
    Forward *f = (Forward *)actc_kernel_function(k);
    float x[80], y[80], all[80];
    for (int i = 0; i < 80; i++) x[i] = (float)i / 5 - 8;
    f(80, x, all);
    for (size_t n = 0; n <= 67; n++) {
        for (int i = 0; i < 80; i++) y[i] = 77;
        f(n, x, y);
        ck_assert_mem_eq(y, all, n * sizeof *y);
        for (size_t i = n; i < 80; i++) ck_assert_float_eq(y[i], 77);
        memcpy(y, x, sizeof y);
        f(n, y, y);
        ck_assert_mem_eq(y, all, n * sizeof *y);
        ck_assert_mem_eq(y + n, x + n, (80 - n) * sizeof *y);
    }
    actc_kernel_release(k);
}
END_TEST

START_TEST(ten_million_elements) {
    const size_t n = 10000000;
    actc_kernel *k = compile(module, "tanh -> leaky_relu(0.03)", ACTC_FORWARD);
    float *x = malloc(4 * n);
    for (size_t i = 0; i < n; i++) x[i] = (float)(i % 2001) / 100 - 10;
    ((Forward *)actc_kernel_function(k))(n, x, x);
    for (size_t i = 0; i < n; i += 997) {
        const double t = tanh((double)((float)(i % 2001) / 100 - 10));
        ck_assert_float_eq_tol(x[i], t > 0 ? t : (double)0.03f * t, 1e-6);
    }
    free(x);
    actc_kernel_release(k);
}
END_TEST

/* ---- params ---- */

START_TEST(settings_change_params) {
    const actc_setting setting = {"alpha", "1/2"};
    const actc_kernel_options options = {
        .size = sizeof options, .settings = &setting, .setting_count = 1};
    actc_kernel *k;
    ck_assert_int_eq(actc_kernel_compile(module, "elu", &options, &k, NULL), ACTC_OK);
    const float x = -1;
    float y;
    ((Forward *)actc_kernel_function(k))(1, &x, &y);
    ck_assert_float_eq_tol(y, 0.5 * expm1(-1), 1e-7);
    actc_kernel_release(k);

    const actc_setting wrong = {"beta", "1"};
    const actc_kernel_options bad = {.size = sizeof bad, .settings = &wrong, .setting_count = 1};
    actc_diagnostics *d;
    ck_assert_int_eq(actc_kernel_compile(module, "elu", &bad, &k, &d), ACTC_E_SOURCE);
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d), "beta"));
    actc_diagnostics_release(d);
}
END_TEST

START_TEST(user_definitions_shadow) {
    static const char text[] = "relu(x) = max(0.1*x, x)\nf(x) = relu(x)*2\n";
    actc_module *m;
    ck_assert_int_eq(actc_module_parse(context, "user.act", text, strlen(text), &m, NULL), ACTC_OK);
    ck_assert_uint_eq(actc_module_function_count(m), 2);
    ck_assert_str_eq(actc_module_function_name(m, 1), "f");
    actc_kernel *k = compile(m, "f", ACTC_FORWARD);
    const float x = -10;
    float y;
    ((Forward *)actc_kernel_function(k))(1, &x, &y);
    ck_assert_float_eq(y, -2);
    actc_module_release(m); /* the kernel keeps it */
    ((Forward *)actc_kernel_function(k))(1, &x, &y);
    ck_assert_float_eq(y, -2);
    actc_kernel_release(k);
}
END_TEST

/* ---- tensors ---- */

static actc_tensor tensor(float *data, int ndim, int64_t *shape, int64_t *strides) {
    actc_tensor t;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.device.device_type = 1;
    t.ndim = ndim;
    t.dtype.code = 2;
    t.dtype.bits = 32;
    t.dtype.lanes = 1;
    t.shape = shape;
    t.strides = strides;
    return t;
}

START_TEST(tensors_broadcast_and_stride) {
    actc_kernel *k = compile(module, "a - 2*b", ACTC_FORWARD);
    ck_assert_uint_eq(actc_kernel_argument_count(k), 3);
    actc_argument arg;
    ck_assert_int_eq(actc_kernel_argument(k, 1, &arg), ACTC_OK);
    ck_assert_str_eq(arg.name, "b");
    ck_assert_int_eq(arg.role, ACTC_INPUT);
    float a[3 * 4], b[4], y[3 * 4];
    for (int i = 0; i < 12; i++) a[i] = (float)i;
    for (int i = 0; i < 4; i++) b[i] = (float)(10 * i);
    int64_t sa[] = {3, 4}, column_major[] = {1, 3}, sb[] = {4}, reversed[] = {-1}, sy[] = {3, 4};
    actc_tensor ta = tensor(a, 2, sa, column_major), tb = tensor(b + 3, 1, sb, reversed),
                ty = tensor(y, 2, sy, NULL);
    const actc_tensor *args[] = {&ta, &tb, &ty};
    ck_assert_int_eq(actc_kernel_run(k, args, 3, NULL), ACTC_OK);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 4; j++)
            ck_assert_float_eq(y[4 * i + j], (float)(i + 3 * j) - 2 * 10 * (3 - j));
    actc_kernel_release(k);
}
END_TEST

START_TEST(large_strided_tensors_go_through_buffers) {
    enum { ROWS = 300, COLUMNS = 50 };
    actc_kernel *k = compile(module, "relu", ACTC_BACKWARD);
    static float x[ROWS * COLUMNS], dy[ROWS * COLUMNS], dx[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = (float)(i % 11 - 5), dy[i] = (float)i;
    int64_t shape[] = {ROWS, COLUMNS}, transposed[] = {1, ROWS};
    actc_tensor tx = tensor(x, 2, shape, NULL), tdy = tensor(dy, 2, shape, transposed),
                tdx = tensor(dx, 2, shape, NULL);
    const actc_tensor *args[] = {&tx, &tdy, &tdx};
    ck_assert_int_eq(actc_kernel_run(k, args, 3, NULL), ACTC_OK);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            ck_assert_float_eq(dx[i * COLUMNS + j], x[i * COLUMNS + j] > 0 ? dy[j * ROWS + i] : 0);
    actc_kernel_release(k);
}
END_TEST

START_TEST(tensors_are_checked) {
    actc_kernel *k = compile(module, "a + b", ACTC_FORWARD);
    float a[6] = {0}, y[6];
    int64_t two_three[] = {2, 3}, three_two[] = {3, 2}, four[] = {4}, negative[] = {-2, 3},
            huge[] = {INT64_MAX, 3};
    actc_tensor good = tensor(a, 2, two_three, NULL), out = tensor(y, 2, two_three, NULL),
                other = tensor(a, 2, three_two, NULL), bad_shape = tensor(a, 1, four, NULL),
                bad_type = good, bad_device = good, no_data = tensor(NULL, 2, two_three, NULL),
                neg = tensor(a, 2, negative, NULL), big = tensor(a, 2, huge, NULL);
    bad_type.dtype.bits = 64;
    bad_device.device.device_type = 2;
    const actc_tensor *const wrong[][3] = {
        {&good, &other, &out},      {&good, &bad_shape, &out}, {&good, &bad_type, &out},
        {&good, &bad_device, &out}, {&good, &no_data, &out},   {&good, &good, &other},
        {&neg, &good, &out},        {&big, &good, &out},       {&good, NULL, &out}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        actc_diagnostics *d = NULL;
        const actc_status status = actc_kernel_run(k, wrong[i], 3, &d);
        ck_assert_msg(status == ACTC_E_SHAPE || status == ACTC_E_ARGUMENT, "case %zu: %d", i,
                      (int)status);
        ck_assert_uint_gt(strlen(actc_diagnostics_text(d)), 10);
        actc_diagnostics_release(d);
    }
    const actc_tensor *args[] = {&good, &good, &out};
    ck_assert_int_eq(actc_kernel_run(k, args, 2, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_run(k, args, 3, NULL), ACTC_OK);
    actc_kernel_release(k);
}
END_TEST

/* ---- mistakes and misuse ---- */

START_TEST(source_errors_are_located) {
    static const char text[] = "f(x) = x +\ng(x) = sofplus(x)\n";
    actc_module *m = (actc_module *)1;
    actc_diagnostics *d;
    ck_assert_int_eq(actc_module_parse(context, "bad.act", text, strlen(text), &m, &d),
                     ACTC_E_SOURCE);
    ck_assert_ptr_null(m);
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d), "bad.act:2:8"));
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d), "softplus"));
    actc_diagnostic item;
    ck_assert_uint_eq(actc_diagnostics_count(d),
                      3); /* and a note: where the next definition begins */
    ck_assert_uint_eq(actc_diagnostics_count(NULL), 0);
    ck_assert_int_eq(actc_diagnostics_item(d, 3, &item), ACTC_E_NOT_FOUND);
    ck_assert_int_eq(actc_diagnostics_item(d, 2, &item), ACTC_OK);
    ck_assert_int_eq(item.severity, ACTC_ERROR);
    ck_assert_str_eq(item.id, "unknown-function");
    ck_assert_str_eq(item.file, "bad.act");
    ck_assert_str_eq(item.message, "unknown function 'sofplus'; did you mean 'softplus'?");
    ck_assert_str_eq(item.excerpt, "    2 | g(x) = sofplus(x)\n      |        ^~~~~~~\n");
    ck_assert(item.line == 2 && item.column == 8 && item.end_line == 2 && item.end_column == 15);
    ck_assert(item.begin == 18 && item.end == 25);
    actc_diagnostics_release(d);
    /* What is allowed but may not be meant comes with a module. */
    static const char doubtful[] = "f(x) = x*x grad x = x";
    ck_assert_int_eq(actc_module_parse(context, "f.act", doubtful, strlen(doubtful), &m, &d),
                     ACTC_OK);
    ck_assert_int_eq(actc_diagnostics_item(d, 0, &item), ACTC_OK);
    ck_assert_int_eq(item.severity, ACTC_WARNING);
    actc_diagnostics_release(d);
    actc_module_release(m);
    /* What concerns no text has no place. */
    ck_assert_int_eq(actc_module_parse(NULL, "x", "", 0, &m, &d), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_diagnostics_item(d, 0, &item), ACTC_OK);
    ck_assert_ptr_null(item.file);
    actc_diagnostics_release(d);
    actc_kernel *k = compile(module, "relu", ACTC_FORWARD); /* the context is as good as before */
    actc_kernel_release(k);
}
END_TEST

START_TEST(formats_a_text) {
    static const char text[] = "f(x)=((x))*2 # twice", wrong[] = "f(x) = (";
    char *form;
    actc_diagnostics *d;
    ck_assert_int_eq(actc_format_text(context, "f.act", text, strlen(text), &form, &d), ACTC_OK);
    ck_assert_ptr_null(d);
    ck_assert_str_eq(form, "f(x) = x*2  # twice\n");
    actc_text_release(form);
    ck_assert_int_eq(actc_format_text(context, "f.act", wrong, strlen(wrong), &form, &d),
                     ACTC_E_SOURCE);
    ck_assert_ptr_null(form);
    ck_assert_uint_eq(actc_diagnostics_count(d), 1);
    actc_diagnostics_release(d);
}
END_TEST

START_TEST(misuse_is_a_status) {
    actc_kernel *k;
    ck_assert_int_eq(actc_context_create(NULL, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_module_parse(NULL, "x", "", 0, NULL, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_compile(NULL, "relu", NULL, &k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_compile(module, NULL, NULL, &k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_compile(module, "no_such_thing", NULL, &k, NULL), ACTC_E_SOURCE);
    ck_assert_int_eq(actc_kernel_compile(module, "", NULL, &k, NULL), ACTC_E_SOURCE);
    const actc_kernel_options small = {.size = 4};
    ck_assert_int_eq(actc_kernel_compile(module, "relu", &small, &k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_run(NULL, NULL, 0, NULL), ACTC_E_ARGUMENT);
    actc_kernel_release(NULL), actc_module_release(NULL), actc_context_release(NULL),
        actc_diagnostics_release(NULL);
    const actc_context_options nowhere = {.size = sizeof nowhere, .library_folder = "/nonexistent"};
    actc_context *c;
    actc_module *m;
    actc_diagnostics *d;
    ck_assert_int_eq(actc_context_create(&nowhere, &c), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(c, "x", "", 0, &m, NULL), ACTC_OK);
    ck_assert_int_eq(actc_kernel_compile(m, "relu", NULL, &k, &d), ACTC_E_BACKEND);
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d), "libactc-llvm"));
    actc_diagnostics_release(d);
    char *text;
    ck_assert_int_eq(actc_show(m, "relu", "expanded", NULL, &text, NULL),
                     ACTC_OK); /* needs no LLVM */
    actc_text_release(text);
    actc_module_release(m);
    actc_context_release(c);
}
END_TEST

/* ---- threads ---- */

static void *compile_and_run(void *arg) {
    static const char *const names[] = {"mish", "elu", "gelu", "relu6"};
    for (int i = 0; i < 10; i++) {
        actc_kernel *k;
        if (actc_kernel_compile(module, names[((uintptr_t)arg + (unsigned)i) % 4], NULL, &k,
                                NULL) != ACTC_OK)
            return (void *)1;
        float x[33], y[33];
        for (int j = 0; j < 33; j++) x[j] = (float)j;
        ((Forward *)actc_kernel_function(k))(33, x, y);
        if (!(y[32] > 5)) return (void *)1;
        actc_kernel_release(k);
    }
    return NULL;
}

START_TEST(threads_share_a_module) {
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, compile_and_run, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        ck_assert_ptr_null(bad);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("runtime");
    TCase *t = tcase_create("runtime");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, standard_function_is_right, 0,
                        (int)(sizeof standard / sizeof *standard));
    tcase_add_test(t, any_size_and_in_place);
    tcase_add_test(t, ten_million_elements);
    tcase_add_test(t, settings_change_params);
    tcase_add_test(t, user_definitions_shadow);
    tcase_add_test(t, tensors_broadcast_and_stride);
    tcase_add_test(t, large_strided_tensors_go_through_buffers);
    tcase_add_test(t, tensors_are_checked);
    tcase_add_test(t, source_errors_are_located);
    tcase_add_test(t, formats_a_text);
    tcase_add_test(t, misuse_is_a_status);
    tcase_add_test(t, threads_share_a_module);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
