/* How the library behaves: out of memory at any allocation, many threads, many kernels, misuse,
 * what it says of itself. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"

typedef void Unary(size_t, const float *, float *);

static const char text[] = "## Twice.\n"
                           "## Really.\n"
                           "twice(x) = 2*x\n"
                           "k = sqrt(2/pi)\n"
                           "f(a, b; p = 1/2, on = true) = on ? a*k + twice(b)*p : b\n"
                           "must(x; p) = x*p\n"
                           "pipe = tanh -> leaky_relu(0.03)\n";

static actc_context *context;
static actc_module *module;

static void setup(void) {
    ck_assert_int_eq(actc_context_create(NULL, &context), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(context, "api.act", text, strlen(text), &module, NULL),
                     ACTC_OK);
}

static void teardown(void) {
    actc_module_release(module);
    actc_context_release(context);
}

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

/* ---- out of memory ---- */

typedef struct {
    long left; /* allocations that succeed; below 0: all do */
    long live, calls;
    bool failed;
} Failing;

static void *failing_resize(void *user, void *p, size_t n) {
    Failing *f = user;
    if (n == 0) {
        f->live -= p != NULL;
        free(p);
        return NULL;
    }
    f->calls++;
    if (f->left == 0) {
        f->failed = true;
        return NULL;
    }
    if (f->left > 0) f->left--;
    void *q = realloc(p, n);
    f->live += q && !p;
    return q;
}

/* All that takes memory; gives the first status that is not ACTC_OK. */
static actc_status use_everything(Failing *f) {
    const actc_context_options options = {.size = sizeof options,
                                          .library_folder = ACTC_BUILD_FOLDER,
                                          .resize = failing_resize,
                                          .resize_user = f};
    const actc_setting half = {"p", "1/2"}, point[] = {{"a", "1"}, {"b", "sqrt(2)"}};
    const actc_kernel_options set = {
        .size = sizeof set, .kind = ACTC_BACKWARD, .settings = &half, .setting_count = 1};
    const actc_request requests[] = {{"f", &set}, {"a + b", NULL}, {"f", NULL}};
    const actc_emit_options emit = {.size = sizeof emit};
    const char *names[] = {"f"};
    const actc_emit_options object = {
        .size = sizeof object, .functions = names, .function_count = 1};
    actc_context *ctx = NULL;
    actc_module *m = NULL, *library = NULL;
    actc_kernel *k[3] = {NULL, NULL, NULL};
    char *derivative = NULL, *value = NULL, *dump = NULL, *assembly = NULL, *formatted = NULL;
    actc_bytes c = {NULL, 0}, o = {NULL, 0};
    float data[4] = {1, 2, 3, 4}, out[4] = {0};
    int64_t shape[] = {2, 2}, transposed[] = {1, 2};
    const actc_tensor a = tensor(data, 2, shape, NULL), b = tensor(data, 2, shape, transposed),
                      y = tensor(out, 2, shape, NULL);
    const actc_tensor *const tensors[] = {&a, &b, &y};

    actc_status s = actc_context_create(&options, &ctx);
    if (s == ACTC_OK)
        s = actc_module_parse(ctx, "oom.act", "f(a, b; p = 1) = p*a*tanh(b)\n", 29, &m, NULL);
    if (s == ACTC_OK) s = actc_module_library(ctx, &library);
    if (s == ACTC_OK) s = actc_kernels_compile(m, requests, 3, k, NULL);
    if (s == ACTC_OK) s = actc_kernel_run(k[1], tensors, 3, NULL);
    if (s == ACTC_OK && out[1] != 5) s = ACTC_E_INTERNAL;
    if (s == ACTC_OK) s = actc_derive(m, "f", "a", 1, 0, NULL, &derivative, NULL);
    if (s == ACTC_OK) s = actc_eval(m, "f", point, 2, 1, NULL, &value, NULL);
    if (s == ACTC_OK) s = actc_show(m, "f", "plan", NULL, &dump, NULL);
    if (s == ACTC_OK) s = actc_show(m, "f", "asm", NULL, &assembly, NULL);
    if (s == ACTC_OK) s = actc_format_text(ctx, "oom.act", text, strlen(text), &formatted, NULL);
    if (s == ACTC_OK) s = actc_emit(m, ACTC_FORMAT_C, &emit, &c, NULL);
    if (s == ACTC_OK) s = actc_emit(m, ACTC_FORMAT_OBJECT, &object, &o, NULL);

    for (int i = 0; i < 3; i++) actc_kernel_release(k[i]);
    actc_text_release(derivative), actc_text_release(value), actc_text_release(dump),
        actc_text_release(assembly), actc_text_release(formatted);
    actc_bytes_release(&c), actc_bytes_release(&o);
    actc_module_release(library), actc_module_release(m), actc_context_release(ctx);
    return s;
}

START_TEST(any_allocation_may_fail) {
    long swept = 0;
    for (;; swept++) {
        Failing f = {.left = swept};
        const actc_status s = use_everything(&f);
        ck_assert_msg(f.live == 0, "allocation %ld fails: %ld blocks are left", swept, f.live);
        if (!f.failed) {
            ck_assert_int_eq(s, ACTC_OK);
            break;
        }
        ck_assert_msg(s == ACTC_E_MEMORY, "allocation %ld fails: %s", swept, actc_status_text(s));
    }
    ck_assert_int_gt(swept, 50);
    if (getenv("ACTC_TEST_VERBOSE")) printf("allocations swept: %ld\n", swept);
}
END_TEST

START_TEST(a_context_is_usable_after_no_memory) {
    Failing f = {.left = -1};
    const actc_context_options options = {.size = sizeof options,
                                          .library_folder = ACTC_BUILD_FOLDER,
                                          .resize = failing_resize,
                                          .resize_user = &f};
    actc_context *ctx;
    actc_module *m;
    actc_kernel *k;
    ck_assert_int_eq(actc_context_create(&options, &ctx), ACTC_OK);
    f.left = 0; /* the library is parsed by the first call that has the memory */
    ck_assert_int_eq(actc_module_parse(ctx, "x", "", 0, &m, NULL), ACTC_E_MEMORY);
    f.left = -1;
    ck_assert_int_eq(actc_module_parse(ctx, "x", "", 0, &m, NULL), ACTC_OK);
    for (long n = 0;; n++) {
        f.left = n;
        const actc_status s = actc_kernel_compile(m, "mish", NULL, &k, NULL);
        if (s == ACTC_OK) break;
        ck_assert_int_eq(s, ACTC_E_MEMORY);
    }
    const float x = 0;
    float y = 1;
    ((Unary *)actc_kernel_function(k))(1, &x, &y);
    ck_assert_float_eq(y, 0);
    actc_kernel_release(k), actc_module_release(m), actc_context_release(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

/* ---- many ---- */

static long resident_kib(void) {
    long pages = 0, all;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld %ld", &all, &pages) != 2) pages = 0;
    if (f) fclose(f);
    return pages * 4;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { WARM = 100, GROWTH = INT32_MAX }; /* shadow memory grows */
#else
enum { WARM = 500, GROWTH = 4096 };
#endif

START_TEST(kernels_are_freed) {
    const char *many = getenv("ACTC_TEST_KERNELS"); /* 10,000 in the test labelled `long` */
    const int kernels = many ? atoi(many) : 2 * WARM;
    Failing f = {.left = -1};
    const actc_context_options options = {.size = sizeof options,
                                          .library_folder = ACTC_BUILD_FOLDER,
                                          .resize = failing_resize,
                                          .resize_user = &f};
    actc_context *ctx;
    actc_module *m;
    ck_assert_int_eq(actc_context_create(&options, &ctx), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(ctx, "x", "", 0, &m, NULL), ACTC_OK);
    actc_kernel *first; /* the library is parsed for it */
    ck_assert_int_eq(actc_kernel_compile(m, "relu", NULL, &first, NULL), ACTC_OK);
    actc_kernel_release(first);
    const long live = f.live;
    long warm = 0;
    for (int i = 0; i < kernels; i++) {
        char formula[40];
        snprintf(formula, sizeof formula, "max(x, %d) + local_%d", i, i);
        actc_kernel *k;
        ck_assert_int_eq(actc_kernel_compile(m, formula, NULL, &k, NULL), ACTC_OK);
        const float x = -1, more = 1;
        float y;
        ((void (*)(size_t, const float *, const float *, float *))actc_kernel_function(k))(
            1, &x, &more, &y);
        ck_assert_float_eq(y, (float)i + 1);
        actc_kernel_release(k);
        if (i == WARM) warm = resident_kib();
    }
    ck_assert_int_eq(f.live, live);
    const long grown = resident_kib() - warm;
    if (getenv("ACTC_TEST_VERBOSE"))
        printf("after %d kernels %ld KiB more than after %d\n", kernels, grown, WARM);
    ck_assert_int_lt(grown, GROWTH);
    actc_module_release(m), actc_context_release(ctx);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(memory_of_living_kernels) {
    enum { LIVING = 200 };
    actc_kernel *k[LIVING], *first; /* loads the code generator */
    ck_assert_int_eq(actc_kernel_compile(module, "gelu", NULL, &first, NULL), ACTC_OK);
    const long before = resident_kib();
    for (int i = 0; i < LIVING; i++) {
        char formula[40];
        snprintf(formula, sizeof formula, "gelu(x) + %d", i);
        ck_assert_int_eq(actc_kernel_compile(module, formula, NULL, &k[i], NULL), ACTC_OK);
    }
    const double each = (double)(resident_kib() - before) / LIVING;
    if (getenv("ACTC_TEST_VERBOSE")) printf("memory of a kernel: %.1f KiB\n", each);
    for (int i = 0; i < LIVING; i++) actc_kernel_release(k[i]);
    actc_kernel_release(first);
    ck_assert_double_lt(each, GROWTH / 64.0);
}
END_TEST

/* ---- threads ---- */

static void *work(void *arg) {
    const unsigned self = (unsigned)(uintptr_t)arg;
    static const char *const names[] = {"mish", "x*tanh(softplus(x))", "threshold(0.5, 1)", "pipe",
                                        "twice"};
    actc_module *own;
    if (actc_module_parse(context, "own.act", text, strlen(text), &own, NULL) != ACTC_OK)
        return "parse";
    for (unsigned i = 0; i < 6; i++) {
        const char *name = names[(self + i) % 5];
        const actc_kernel_options options = {.size = sizeof options, .kind = ACTC_BACKWARD};
        const actc_request both[] = {{name, NULL}, {name, &options}};
        actc_kernel *k[2];
        if (actc_kernels_compile(i % 2 ? own : module, both, 2, k, NULL) != ACTC_OK)
            return "compile";
        float x[33], y[33], dx[33];
        for (int j = 0; j < 33; j++) x[j] = (float)j + 1;
        int64_t shape[] = {33};
        const actc_tensor tx = tensor(x, 1, shape, NULL), ty = tensor(y, 1, shape, NULL),
                          td = tensor(dx, 1, shape, NULL);
        const actc_tensor *const forward[] = {&tx, &ty}, *const backward[] = {&tx, &tx, &td};
        if (actc_kernel_run(k[0], forward, 2, NULL) != ACTC_OK ||
            actc_kernel_run(k[1], backward, 3, NULL) != ACTC_OK)
            return "run";
        if (!(y[32] > 0) || !(dx[0] > 0)) return "values";
        actc_diagnostics *d = NULL;
        actc_kernel *bad = NULL;
        if (actc_kernel_compile(module, "sofplus(x)", NULL, &bad, &d) != ACTC_E_SOURCE || !d)
            return "mistakes";
        actc_diagnostics_release(d);
        char *shown = NULL;
        if (actc_derive(module, name, NULL, 1, 0, NULL, &shown, NULL) != ACTC_OK) return "derive";
        actc_text_release(shown);
        actc_kernel_release(k[1]), actc_kernel_release(k[0]);
    }
    actc_module_release(own);
    return NULL;
}

START_TEST(threads_share_a_context) {
    enum { THREADS = 16 };
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        ck_assert_msg(!bad, "%s", (char *)bad);
    }
}
END_TEST

/* ---- what the library says ---- */

START_TEST(functions_describe_themselves) {
    ck_assert_uint_eq(actc_module_function_count(module), 4);
    const actc_definition *d = actc_module_find(module, "twice");
    ck_assert_str_eq(d->name, "twice");
    ck_assert_str_eq(d->doc, "Twice.\nReally.");
    ck_assert_uint_eq(d->input_count, 1);
    ck_assert_uint_eq(d->param_count, 0);
    ck_assert_ptr_nonnull(strstr(d->source, "twice(x) = 2*x"));
    d = actc_module_function(module, 1);
    ck_assert_str_eq(d->name, "f");
    ck_assert_uint_eq(d->input_count, 2);
    ck_assert_str_eq(d->inputs[1].name, "b");
    ck_assert_str_eq(d->params[0].default_value, "1/2");
    ck_assert_int_eq(d->params[1].is_condition, 1);
    ck_assert_ptr_null(actc_module_find(module, "must")->params[0].default_value);
    ck_assert_ptr_null(actc_module_function(module, 4));
    ck_assert_ptr_null(actc_module_find(module, "k"));
    ck_assert_ptr_null(actc_module_find(module, "mish"));

    actc_module *library;
    ck_assert_int_eq(actc_module_library(context, &library), ACTC_OK);
    for (size_t i = 0; i < actc_module_function_count(library); i++)
        ck_assert_msg(*actc_module_function(library, i)->doc, "%s has no comment",
                      actc_module_function_name(library, i));
    ck_assert_str_eq(actc_module_find(library, "elu")->params[0].name, "alpha");
    actc_kernel *k;
    ck_assert_int_eq(actc_kernel_compile(library, "elu", NULL, &k, NULL), ACTC_OK);
    actc_module_release(library);
    ck_assert_uint_eq(actc_kernel_argument_count(k), 2);
    actc_kernel_release(k);
}
END_TEST

static void count_lines(void *user, const char *message) {
    ck_assert_ptr_null(strchr(message, '\n'));
    atomic_fetch_add((atomic_int *)user, 1);
}

START_TEST(the_log_hears_of_compilations) {
    atomic_int lines;
    atomic_init(&lines, 0);
    const actc_context_options options = {
        .size = sizeof options, .log = count_lines, .log_user = &lines};
    actc_context *ctx;
    actc_module *m;
    actc_kernel *k;
    ck_assert_int_eq(actc_context_create(&options, &ctx), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(ctx, "x", "", 0, &m, NULL), ACTC_OK);
    ck_assert_int_eq(actc_kernel_compile(m, "relu", NULL, &k, NULL), ACTC_OK);
    ck_assert_int_ge(atomic_load(&lines), 1);
    actc_kernel_release(k), actc_module_release(m), actc_context_release(ctx);
}
END_TEST

/* Tensors of halves: broadcast, with strides, and none of another type of the same size. */
static void try_halves(int which) {
    static const struct {
        actc_dtype dtype;
        uint8_t code;
        uint16_t one, two, three;
    } halves[] = {{ACTC_F16, 2, 0x3c00, 0x4000, 0x4200}, {ACTC_BF16, 4, 0x3f80, 0x4000, 0x4040}};
    const actc_kernel_options o = {.size = sizeof o, .dtype = halves[which].dtype};
    const uint16_t one = halves[which].one, two = halves[which].two, three = halves[which].three;
    actc_kernel *k;
    actc_argument arg;
    ck_assert_int_eq(actc_kernel_compile(module, "a*b + a", &o, &k, NULL), ACTC_OK);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(actc_kernel_argument(k, i, &arg), ACTC_OK);
        ck_assert_int_eq(arg.dtype, halves[which].dtype);
    }
    uint16_t a[2] = {one, two}, b[6] = {one, 0, two, 0, 0, 0}, y[4] = {9, 9, 9, 9};
    int64_t column[] = {2, 1}, row[] = {2}, both[] = {2, 2}, second[] = {2}, turned[] = {1, 2};
    actc_tensor tensors[] = {
        {.data = a,
         .device = {1, 0},
         .ndim = 2,
         .dtype = {halves[which].code, 16, 1},
         .shape = column},
        {.data = b, .device = {1, 0}, .ndim = 1, .shape = row, .strides = second},
        {.data = y, .device = {1, 0}, .ndim = 2, .shape = both, .strides = turned}};
    tensors[1].dtype = tensors[2].dtype = tensors[0].dtype;
    const actc_tensor *args[] = {&tensors[0], &tensors[1], &tensors[2]};
    ck_assert_int_eq(actc_kernel_run(k, args, 3, NULL), ACTC_OK);
    const uint16_t four = two + (two - one), six = three + (two - one);
    ck_assert_uint_eq(y[0], two);
    ck_assert_uint_eq(y[1], four);
    ck_assert_uint_eq(y[2], three);
    ck_assert_uint_eq(y[3], six);
    tensors[1].dtype.code = halves[1 - which].code;
    actc_diagnostics *d;
    ck_assert_int_eq(actc_kernel_run(k, args, 3, &d), ACTC_E_SHAPE);
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d), "must have elements of type"));
    actc_diagnostics_release(d), actc_kernel_release(k);
    const actc_kernel_options beyond = {.size = sizeof beyond, .dtype = (actc_dtype)4};
    ck_assert_int_eq(actc_kernel_compile(module, "relu", &beyond, &k, NULL), ACTC_E_ARGUMENT);
}

START_TEST(halves_are_dtypes) {
    for (int i = 0; i < 2; i++) try_halves(i);
}
END_TEST

START_TEST(batches_are_all_or_nothing) {
    const actc_kernel_options f64 = {.size = sizeof f64, .dtype = ACTC_F64},
                              wrong = {.size = sizeof wrong, .kind = (actc_kind)9};
    const actc_request good[] = {{"relu", NULL}, {"relu", &f64}, {"relu", NULL}},
                       bad[] = {{"relu", NULL}, {"rleu", NULL}},
                       odd[] = {{"relu", NULL}, {"relu", &wrong}},
                       none[] = {{"relu", NULL}, {NULL, NULL}};
    actc_kernel *k[3];
    ck_assert_int_eq(actc_kernels_compile(module, good, 3, k, NULL), ACTC_OK);
    const float x[] = {-1, 2};
    float y[2];
    actc_kernel_release(k[0]);
    ck_assert_ptr_eq(actc_kernel_retain(k[2]), k[2]);
    actc_kernel_release(k[2]);
    ((Unary *)actc_kernel_function(k[2]))(2, x, y);
    ck_assert_float_eq(y[0], 0);
    ck_assert_float_eq(y[1], 2);
    actc_argument arg;
    ck_assert_int_eq(actc_kernel_argument(k[1], 0, &arg), ACTC_OK);
    ck_assert_int_eq(arg.dtype, ACTC_F64);
    actc_kernel_release(k[1]), actc_kernel_release(k[2]);
    actc_diagnostics *d;
    ck_assert_int_eq(actc_kernels_compile(module, bad, 2, k, &d), ACTC_E_SOURCE);
    ck_assert_ptr_null(k[0]);
    ck_assert_ptr_nonnull(strstr(actc_diagnostics_text(d), "rleu"));
    actc_diagnostics_release(d);
    ck_assert_int_eq(actc_kernels_compile(module, odd, 2, k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernels_compile(module, none, 2, k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernels_compile(module, NULL, 2, k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernels_compile(module, good, 2, NULL, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernels_compile(module, NULL, 0, NULL, NULL), ACTC_OK);
}
END_TEST

/* ---- misuse ---- */

START_TEST(null_is_a_status) {
    actc_module *m;
    actc_kernel *k;
    char *s;
    actc_bytes b;
    actc_argument arg;
    actc_diagnostic item;
    const actc_emit_options emit = {.size = sizeof emit}, tiny = {.size = 1};
    const actc_context_options small = {.size = 1};
    actc_context *ctx;
    ck_assert_int_eq(actc_context_create(&small, &ctx), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_module_parse(context, NULL, "", 0, &m, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_module_parse(context, "x", NULL, 3, &m, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_module_parse(context, "x", "", 0, NULL, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_module_library(NULL, &m), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_module_library(context, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_compile(module, "relu", NULL, NULL, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_show(NULL, "relu", "ast", NULL, &s, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_show(module, "relu", "no", NULL, &s, NULL), ACTC_E_NOT_FOUND);
    ck_assert_int_eq(actc_derive(module, NULL, NULL, 1, 0, NULL, &s, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_eval(module, "relu", NULL, 1, 1, NULL, &s, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_emit(module, ACTC_FORMAT_C, NULL, &b, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_emit(module, ACTC_FORMAT_C, &tiny, &b, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_emit(module, (actc_format)99, &emit, &b, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_emit(NULL, ACTC_FORMAT_C, &emit, &b, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_ne(actc_kernel_argument(NULL, 0, &arg), ACTC_OK);
    ck_assert_int_ne(actc_diagnostics_item(NULL, 0, &item), ACTC_OK);
    ck_assert_uint_eq(actc_kernel_argument_count(NULL), 0);
    ck_assert_uint_eq(actc_module_function_count(NULL), 0);
    ck_assert_ptr_null((void *)(uintptr_t)actc_kernel_function(NULL));
    ck_assert_ptr_null(actc_module_function(NULL, 0));
    ck_assert_ptr_null(actc_module_find(NULL, "x"));
    ck_assert_ptr_null(actc_module_find(module, NULL));
    ck_assert_ptr_null(actc_context_retain(NULL));
    ck_assert_ptr_null(actc_module_retain(NULL));
    ck_assert_ptr_null(actc_kernel_retain(NULL));
    ck_assert_str_eq(actc_diagnostics_text(NULL), "");
    ck_assert_ptr_nonnull(actc_status_text((actc_status)1000));
    actc_text_release(NULL), actc_bytes_release(NULL), actc_diagnostics_release(NULL);
    const actc_setting nameless = {NULL, "1"};
    const actc_kernel_options set = {.size = sizeof set, .settings = &nameless, .setting_count = 1},
                              lost = {.size = sizeof lost, .setting_count = 1};
    ck_assert_int_eq(actc_kernel_compile(module, "elu", &set, &k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_compile(module, "elu", &lost, &k, NULL), ACTC_E_ARGUMENT);
    const actc_kernel_options negative = {.size = sizeof negative, .kind = (actc_kind)-1};
    ck_assert_int_eq(actc_kernel_compile(module, "elu", &negative, &k, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_kernel_compile(module, "must", NULL, &k, NULL), ACTC_E_SOURCE);
}
END_TEST

/* A module of no text can be asked everything. */
START_TEST(an_empty_text_is_a_module) {
    actc_module *m;
    actc_kernel *k;
    ck_assert_int_eq(actc_module_parse(context, "none", "", 0, &m, NULL), ACTC_OK);
    ck_assert_uint_eq(actc_module_function_count(m), 0);
    ck_assert_ptr_null(actc_module_function(m, 0));
    ck_assert_ptr_null(actc_module_function_name(m, 0));
    ck_assert_ptr_null(actc_module_find(m, "relu"));
    ck_assert_uint_eq(actc_module_file_count(m), 0);
    ck_assert_ptr_null(actc_module_file(m, 0));
    ck_assert_int_eq(actc_kernel_compile(m, "relu", NULL, &k, NULL), ACTC_OK);
    actc_kernel_release(k), actc_module_release(m);
}
END_TEST

/* Refused by its length, before anything is read or copied. */
START_TEST(a_text_may_be_too_long) {
    const size_t lengths[] = {((size_t)16 << 20) + 1, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        actc_module *m;
        actc_diagnostics *d;
        char *formatted;
        ck_assert_int_eq(actc_format_text(context, "long", "f(x) = x", lengths[i], &formatted, &d),
                         ACTC_E_SOURCE);
        actc_diagnostics_release(d);
        ck_assert_int_eq(actc_module_parse(context, "long", "f(x) = x", lengths[i], &m, &d),
                         ACTC_E_SOURCE);
        ck_assert_ptr_null(m);
        ck_assert_str_eq(actc_diagnostics_text(d),
                         "long:1:1: error: the text is larger than 16 MB\n");
        actc_diagnostics_release(d);
    }
}
END_TEST

START_TEST(owners_are_counted) {
    actc_kernel *k;
    actc_module *m;
    actc_context *ctx;
    ck_assert_int_eq(actc_context_create(NULL, &ctx), ACTC_OK);
    ck_assert_ptr_eq(actc_context_retain(ctx), ctx);
    actc_context_release(ctx);
    ck_assert_int_eq(actc_module_parse(ctx, "x", text, strlen(text), &m, NULL), ACTC_OK);
    actc_context_release(ctx); /* the module keeps it */
    ck_assert_ptr_eq(actc_module_retain(m), m);
    actc_module_release(m);
    ck_assert_int_eq(actc_kernel_compile(m, "twice", NULL, &k, NULL), ACTC_OK);
    actc_module_release(m); /* the kernel keeps it */
    const float x = 3;
    float y;
    ((Unary *)actc_kernel_function(k))(1, &x, &y);
    ck_assert_float_eq(y, 6);
    actc_kernel_release(k);
}
END_TEST

static void add(Suite *s, const char *name, const TTest *const *tests) {
    TCase *t = tcase_create(name);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 500);
    for (; *tests; tests++) tcase_add_test(t, *tests);
    suite_add_tcase(s, t);
}

int main(void) {
    const TTest *const memory[] = {any_allocation_may_fail, a_context_is_usable_after_no_memory,
                                   NULL};
    const TTest *const many[] = {kernels_are_freed, memory_of_living_kernels, NULL};
    const TTest *const threads[] = {threads_share_a_context, NULL};
    const TTest *const calls[] = {functions_describe_themselves,
                                  the_log_hears_of_compilations,
                                  halves_are_dtypes,
                                  batches_are_all_or_nothing,
                                  null_is_a_status,
                                  an_empty_text_is_a_module,
                                  a_text_may_be_too_long,
                                  owners_are_counted,
                                  NULL};
    Suite *s = suite_create("api");
    add(s, "memory", memory);
    add(s, "many", many);
    add(s, "threads", threads);
    add(s, "calls", calls);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
