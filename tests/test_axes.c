/* Kernels whose arrays have axes, through the library: what they say of themselves, shapes, and
 * results against plain loops in f64, at the sizes where their loops change. */
#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"

static const char text[] =
    "softmax(x[.., d]) = e/sum[d](e) where e = exp(x - max[d](x))\n"
    "affine(x[n, c]; learn g[c] = 1.5, learn b[c]) = g*(x - mean[n](x)) + b\n"
    "twice(x[.., i]; learn W[o, i] = 1) = s/max[o](s) where s = sum[i](W*x)\n"
    "plain(x) = 2*x\n"
    "half(x[n, c]) = x/2\n";

static actc_context *context;
static actc_module *module;

static void begin(void) {
    ck_assert_int_eq(actc_context_create(NULL, &context), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(context, "axes.act", text, strlen(text), &module, NULL),
                     ACTC_OK);
}

static void end(void) {
    actc_module_release(module);
    actc_context_release(context);
}

static actc_kernel *compile(const char *function, actc_kind kind, actc_dtype dtype) {
    const actc_kernel_options options = {.size = sizeof options, .kind = kind, .dtype = dtype};
    actc_kernel *k = NULL;
    ck_assert_int_eq(actc_kernel_compile(module, function, &options, &k, NULL), ACTC_OK);
    return k;
}

static actc_tensor tensor(void *data, int bits, int32_t ndim, int64_t *shape, int64_t *strides) {
    return (actc_tensor){.data = data,
                         .device = {1, 0},
                         .ndim = ndim,
                         .dtype = {2, (uint8_t)bits, 1},
                         .shape = shape,
                         .strides = strides};
}

/* Values from -4 to 4 without order. */
static double value(size_t i) { return (double)((uint32_t)(i * 2654435761u) >> 8) / 0x1p21 - 4; }

START_TEST(says) {
    actc_kernel *k = compile("softmax", ACTC_FORWARD, ACTC_F32);
    ck_assert_uint_eq(actc_kernel_size_count(k), 2);
    ck_assert_str_eq(actc_kernel_size_name(k, 0), "rows");
    ck_assert_str_eq(actc_kernel_size_name(k, 1), "d");
    ck_assert_ptr_null(actc_kernel_size_name(k, 2));
    ck_assert_uint_eq(actc_kernel_workspace(k, (size_t[]){3, 4}), 0);
    actc_argument a;
    ck_assert_int_eq(actc_kernel_argument(k, 0, &a), ACTC_OK);
    ck_assert_uint_eq(a.rank, 2);
    ck_assert_str_eq(a.axes[0], "..");
    ck_assert_str_eq(a.axes[1], "d");
    actc_kernel_release(k);
    k = compile("affine", ACTC_FORWARD, ACTC_F32);
    ck_assert_int_eq(actc_kernel_argument(k, 1, &a), ACTC_OK);
    ck_assert(a.role == ACTC_LEARNABLE && a.has_initial && a.initial == 1.5 && a.rank == 1);
    ck_assert_int_eq(actc_kernel_argument(k, 2, &a), ACTC_OK);
    ck_assert(a.role == ACTC_LEARNABLE && !a.has_initial);
    actc_kernel_release(k);
    k = compile("twice(3, 5)", ACTC_FORWARD, ACTC_F32);
    ck_assert_int_eq(actc_kernel_argument(k, 1, &a), ACTC_OK);
    ck_assert(a.rank == 2 && a.sizes[0] == 5 && a.sizes[1] == 3);
    ck_assert_uint_eq(actc_kernel_size_count(k), 1);
    ck_assert_uint_ge(actc_kernel_workspace(k, (size_t[]){7}), 7 * 5);
    ck_assert_uint_eq(actc_kernel_workspace(k, (size_t[]){SIZE_MAX / 2}), SIZE_MAX);
    actc_kernel_release(k);
    k = compile("plain", ACTC_FORWARD, ACTC_F32);
    ck_assert_uint_eq(actc_kernel_size_count(k), 1);
    ck_assert_str_eq(actc_kernel_size_name(k, 0), "n");
    ck_assert_int_eq(actc_kernel_argument(k, 0, &a), ACTC_OK);
    ck_assert(!a.axes && !a.rank);
    actc_kernel_release(k);
}
END_TEST

START_TEST(shapes) {
    actc_kernel *k = compile("affine", ACTC_BACKWARD, ACTC_F32);
    int64_t x[32] = {4, 3}, other[6][32];
    actc_tensor t[7] = {tensor(NULL, 32, 2, x, NULL)};
    actc_tensor *all[7] = {&t[0]};
    for (int i = 1; i < 7; i++) {
        t[i] = tensor(NULL, 32, -1, other[i - 1], NULL);
        all[i] = &t[i];
    }
    ck_assert_uint_eq(actc_kernel_argument_count(k), 7);
    ck_assert_int_eq(actc_kernel_shapes(k, all, 7, NULL), ACTC_OK);
    for (int i = 1; i < 7; i++) {
        const bool small = i == 1 || i == 2 || i == 5 || i == 6; /* g, b, dg, db */
        ck_assert_int_eq(t[i].ndim, small ? 1 : 2);
        ck_assert_int_eq(t[i].shape[t[i].ndim - 1], 3);
    }
    t[1].shape[0] = 2;
    t[4].ndim = -1;
    actc_diagnostics *d = NULL;
    ck_assert_int_eq(actc_kernel_shapes(k, all, 7, &d), ACTC_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d),
                                 "the axis 'c' has size 3 in 'x' (4, 3) and 2 in 'g' (2,)"));
    actc_diagnostics_release(d);
    t[1].ndim = t[0].ndim = -1;
    t[3].ndim = t[5].ndim = t[6].ndim = t[2].ndim = -1;
    ck_assert_int_eq(actc_kernel_shapes(k, all, 7, NULL), ACTC_E_SHAPE);
    actc_kernel_release(k);
}
END_TEST

/* y = softmax(x) and dx = y*(dy - sum(y*dy)) of each row. */
static void reference(const double *x, const double *dy, double *y, double *dx, size_t d) {
    double most = -INFINITY, sum = 0, dot = 0;
    for (size_t i = 0; i < d; i++) most = fmax(most, x[i]);
    for (size_t i = 0; i < d; i++) sum += y[i] = exp(x[i] - most);
    for (size_t i = 0; i < d; i++) dot += (y[i] /= sum) * dy[i];
    for (size_t i = 0; i < d; i++) dx[i] = y[i] * (dy[i] - dot);
}

/* The row's largest element also gets the rounding error of a sum that is 0: the gradient of what
 * is subtracted. Also from and to arrays that are laid out the other way round, with the same bits.
 */
static void check_softmax(actc_kernel *forward, actc_kernel *backward, size_t rows, size_t d) {
    const size_t n = rows * d;
    float *x = malloc(6 * n * sizeof *x), *dy = x + n, *y = dy + n, *dx = y + n, *turned = dx + n,
          *y2 = turned + n;
    double *r = malloc(4 * n * sizeof *r);
    ck_assert(x && r);
    for (size_t i = 0; i < n; i++) {
        r[i] = x[i] = (float)value(i);
        r[n + i] = dy[i] = (float)value(i + n);
        turned[i % d * rows + i / d] = x[i];
    }
    int64_t shape[] = {(int64_t)rows, (int64_t)d}, strides[] = {1, (int64_t)rows};
    const actc_tensor tx = tensor(x, 32, 2, shape, NULL), ty = tensor(y, 32, 2, shape, NULL),
                      tdy = tensor(dy, 32, 2, shape, NULL), tdx = tensor(dx, 32, 2, shape, NULL),
                      tt = tensor(turned, 32, 2, shape, strides),
                      ty2 = tensor(y2, 32, 2, shape, strides);
    ck_assert_int_eq(actc_kernel_run(forward, (const actc_tensor *[]){&tx, &ty}, 2, NULL), ACTC_OK);
    ck_assert_int_eq(actc_kernel_run(backward, (const actc_tensor *[]){&tx, &tdy, &tdx}, 3, NULL),
                     ACTC_OK);
    ck_assert_int_eq(actc_kernel_run(forward, (const actc_tensor *[]){&tt, &ty2}, 2, NULL),
                     ACTC_OK);
    for (size_t i = 0; i < rows; i++)
        reference(r + i * d, r + n + i * d, r + 2 * n + i * d, r + 3 * n + i * d, d);
    for (size_t i = 0; i < n; i++) {
        const double wanted = r[2 * n + i], gradient = r[3 * n + i];
        ck_assert_msg(fabs(y[i] - wanted) <= 4e-7 * wanted, "%zu x %zu, y[%zu] = %a, not %a", rows,
                      d, i, (double)y[i], wanted);
        ck_assert_msg(fabs(dx[i] - gradient) <= 1e-5 * wanted + 5e-7,
                      "%zu x %zu, dx[%zu] = %a, not %a", rows, d, i, (double)dx[i], gradient);
        ck_assert_msg(memcmp(&y[i], &y2[i % d * rows + i / d], sizeof *y) == 0,
                      "%zu x %zu, turned, [%zu]", rows, d, i);
    }
    /* the output over the input */
    ck_assert_int_eq(actc_kernel_run(forward, (const actc_tensor *[]){&tx, &tx}, 2, NULL), ACTC_OK);
    ck_assert_int_eq(memcmp(x, y, n * sizeof *x), 0);
    free(x);
    free(r);
}

START_TEST(softmax) {
    static const size_t sizes[] = {1, 2, 15, 16, 17, 63, 64, 65, 4095, 4096, 4097, 9000};
    actc_kernel *forward = compile("softmax", ACTC_FORWARD, ACTC_F32),
                *backward = compile("softmax", ACTC_BACKWARD, ACTC_F32);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_softmax(forward, backward, 3, sizes[i]);
    check_softmax(forward, backward, 1025, 17);
    actc_kernel_release(forward);
    actc_kernel_release(backward);
}
END_TEST

/* affine's gradients in f64: dg = sum of dy*(x - mean), db = sum of dy, over the rows. */
START_TEST(columns) {
    static const size_t batches[] = {1, 1023, 1024, 1025, 3000}, widths[] = {1, 3, 65};
    actc_kernel *k = compile("affine", ACTC_BACKWARD, ACTC_F64);
    for (size_t p = 0; p < 15; p++) {
        const size_t n = batches[p / 3], c = widths[p % 3];
        double *x = malloc((3 * n * c + 4 * c) * sizeof *x), *dy = x + n * c, *dx = dy + n * c,
               *g = dx + n * c, *b = g + c, *dg = b + c, *db = dg + c;
        ck_assert(x != NULL);
        for (size_t i = 0; i < n * c; i++) x[i] = value(i), dy[i] = value(3 * i + 1);
        for (size_t i = 0; i < c; i++) g[i] = b[i] = value(i);
        int64_t whole[] = {(int64_t)n, (int64_t)c}, row[] = {(int64_t)c};
        const actc_tensor t[] = {tensor(x, 64, 2, whole, NULL),  tensor(g, 64, 1, row, NULL),
                                 tensor(b, 64, 1, row, NULL),    tensor(dy, 64, 2, whole, NULL),
                                 tensor(dx, 64, 2, whole, NULL), tensor(dg, 64, 1, row, NULL),
                                 tensor(db, 64, 1, row, NULL)};
        const actc_tensor *all[7];
        for (int i = 0; i < 7; i++) all[i] = &t[i];
        ck_assert_int_eq(actc_kernel_run(k, all, 7, NULL), ACTC_OK);
        for (size_t j = 0; j < c; j++) {
            double mean = 0, sum = 0, dot = 0;
            for (size_t i = 0; i < n; i++) mean += x[i * c + j] / (double)n;
            for (size_t i = 0; i < n; i++) {
                sum += dy[i * c + j];
                dot += dy[i * c + j] * (x[i * c + j] - mean);
            }
            ck_assert(fabs(db[j] - sum) <= 1e-11 * (double)n);
            ck_assert(fabs(dg[j] - dot) <= 1e-11 * (double)n);
            for (size_t i = 0; i < n; i++)
                ck_assert(fabs(dx[i * c + j] - g[j] * (dy[i * c + j] - sum / (double)n)) <= 1e-11);
        }
        free(x);
    }
    actc_kernel_release(k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("axes");
    TCase *c = tcase_create("axes");
    tcase_set_timeout(c, 120);
    tcase_add_checked_fixture(c, begin, end);
    tcase_add_test(c, says);
    tcase_add_test(c, shapes);
    tcase_add_test(c, softmax);
    tcase_add_test(c, columns);
    suite_add_tcase(s, c);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
