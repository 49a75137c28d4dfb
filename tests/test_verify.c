/* actc_verify through the library: what it says as data, stopping, threads, memory, misuse. What
 * its text says is in tests/golden/verify. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"

static const char source[] = "## claim: 0.5 ulp, gradient 0 ulp\n"
                             "kept(x) = x > 0 ? x/4 : 0*x\n"
                             "## claim: 0 ulp\n"
                             "broken(x) = x*x\n"
                             "sum(x, y) = x + y\n";

static actc_context *context;
static actc_module *module;

static void setup(void) {
    ck_assert_int_eq(actc_context_create(NULL, &context), ACTC_OK);
    ck_assert_int_eq(actc_module_parse(context, "v.act", source, strlen(source), &module, NULL),
                     ACTC_OK);
}

static void teardown(void) {
    actc_module_release(module);
    actc_context_release(context);
}

START_TEST(claims_are_results) {
    actc_verification result;
    char *text = NULL, *again = NULL;
    ck_assert_int_eq(actc_verify(module, "broken", NULL, &result, &text, NULL), ACTC_OK);
    ck_assert(!result.passed && result.complete);
    ck_assert(strstr(text, "NOT met"));
    ck_assert_int_eq(actc_verify(module, "broken", NULL, NULL, &again, NULL), ACTC_OK);
    ck_assert_str_eq(text, again);
    actc_text_release(text);
    actc_text_release(again);
    const actc_verify_options loose = {.size = sizeof loose, .claim = "1"};
    ck_assert_int_eq(actc_verify(module, "broken", &loose, &result, &text, NULL), ACTC_OK);
    ck_assert(result.passed && result.complete);
    actc_text_release(text);
}
END_TEST

/* ---- stopping ---- */

typedef struct {
    int calls, most;
    double last;
    bool falls;
} Watch;

static int watch(void *user, double done, double seconds_left) {
    Watch *w = user;
    (void)seconds_left;
    w->falls = w->falls || done < w->last || done > 1;
    w->last = done;
    return ++w->calls >= w->most;
}

START_TEST(progress_can_stop) {
    for (int exhaustive = 0; exhaustive < 2; exhaustive++) {
        /* the points before a sweep call some 200 times */
        Watch w = {.most = exhaustive ? 800 : 20};
        const actc_verify_options o = {.size = sizeof o,
                                       .exhaustive = exhaustive,
                                       .threads = 2,
                                       .progress = watch,
                                       .progress_user = &w};
        actc_verification result;
        char *text = NULL;
        ck_assert_int_eq(actc_verify(module, "broken", &o, &result, &text, NULL), ACTC_OK);
        ck_assert(!result.complete && !w.falls);
        ck_assert_int_eq(w.calls, w.most);
        ck_assert(strstr(text, "stopped"));
        actc_text_release(text);
    }
}
END_TEST

/* ---- threads ---- */

static void *verify_sum(void *user) {
    char **text = user;
    if (actc_verify(module, "sum", NULL, NULL, text, NULL) != ACTC_OK) *text = NULL;
    return NULL;
}

START_TEST(several_at_once) {
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    char *texts[THREADS] = {NULL};
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, verify_sum, &texts[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_ptr_nonnull(texts[i]);
        ck_assert_str_eq(texts[i], texts[0]);
    }
    for (int i = 0; i < THREADS; i++) actc_text_release(texts[i]);
}
END_TEST

/* ---- memory ---- */

typedef struct {
    atomic_long left; /* allocations that succeed; below 0: all do */
    atomic_long live;
} Failing;

static void *failing_resize(void *user, void *p, size_t n) {
    Failing *f = user;
    if (n == 0) {
        if (p) atomic_fetch_sub(&f->live, 1);
        free(p);
        return NULL;
    }
    if (atomic_load(&f->left) >= 0 && atomic_fetch_sub(&f->left, 1) <= 0) {
        atomic_store(&f->left, 0);
        return NULL;
    }
    void *q = realloc(p, n);
    if (q && !p) atomic_fetch_add(&f->live, 1);
    return q;
}

static int stop_late(void *user, double done, double seconds_left) {
    (void)seconds_left;
    (void)user;
    return done > 0;
}

START_TEST(memory_may_run_out_anywhere) {
    for (int exhaustive = 0; exhaustive < 2; exhaustive++) {
        actc_status status = ACTC_E_MEMORY;
        long failures = 0;
        for (long n = 0; status != ACTC_OK; n += n < 60 ? 1 : 7) {
            Failing f = {.left = -1};
            const actc_context_options o = {
                .size = sizeof o, .resize = failing_resize, .resize_user = &f};
            actc_context *ctx = NULL;
            actc_module *mod = NULL;
            ck_assert_int_eq(actc_context_create(&o, &ctx), ACTC_OK);
            ck_assert_int_eq(actc_module_parse(ctx, "v.act", source, strlen(source), &mod, NULL),
                             ACTC_OK);
            for (int type = 0; type < 2; type++) { /* what a context keeps once it has compiled */
                const actc_kernel_options k = {.size = sizeof k, .dtype = (actc_dtype)type};
                char *shown = NULL;
                ck_assert_int_eq(actc_show(mod, "kept", "stable", &k, &shown, NULL), ACTC_OK);
                actc_text_release(shown);
            }
            const long before = atomic_load(&f.live);
            const actc_verify_options v = {
                .size = sizeof v, .exhaustive = exhaustive, .threads = 2, .progress = stop_late};
            char *text = NULL;
            atomic_store(&f.left, n);
            status = actc_verify(mod, "kept", &v, NULL, &text, NULL);
            atomic_store(&f.left, -1);
            ck_assert_msg(status == ACTC_OK || status == ACTC_E_MEMORY, "%s",
                          actc_status_text(status));
            failures += status != ACTC_OK;
            actc_text_release(text);
            ck_assert_msg(atomic_load(&f.live) == before, "%ld blocks are left after %ld",
                          atomic_load(&f.live) - before, n);
            actc_module_release(mod);
            actc_context_release(ctx);
            ck_assert_int_eq(atomic_load(&f.live), 0);
        }
        ck_assert_int_gt(failures, 10);
    }
}
END_TEST

/* ---- misuse ---- */

static void fails(actc_status status, const char *function, const actc_verify_options *o,
                  const char *says) {
    actc_diagnostics *d = NULL;
    char *text = (char *)1;
    actc_verification result = {1, 1};
    ck_assert_int_eq(actc_verify(module, function, o, &result, &text, &d), status);
    ck_assert_ptr_null(text);
    ck_assert(!result.passed && !result.complete);
    ck_assert_msg(strstr(actc_diagnostics_text(d), says) != NULL, "%s", actc_diagnostics_text(d));
    actc_diagnostics_release(d);
}

START_TEST(misuse_is_told) {
    char *text;
    ck_assert_int_eq(actc_verify(NULL, "sum", NULL, NULL, &text, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_verify(module, NULL, NULL, NULL, &text, NULL), ACTC_E_ARGUMENT);
    ck_assert_int_eq(actc_verify(module, "sum", NULL, NULL, NULL, NULL), ACTC_E_ARGUMENT);
    fails(ACTC_E_ARGUMENT, "sum", &(actc_verify_options){.size = 1}, "size is not");
    fails(ACTC_E_ARGUMENT, "sum",
          &(actc_verify_options){.size = sizeof(actc_verify_options), .claim = "few"},
          "'few' is no bound");
    fails(ACTC_E_ARGUMENT, "sum",
          &(actc_verify_options){.size = sizeof(actc_verify_options), .dtype = (actc_dtype)77},
          "unknown dtype");
    fails(ACTC_E_UNSUPPORTED, "sum",
          &(actc_verify_options){.size = sizeof(actc_verify_options), .exhaustive = 1}, "2 inputs");
    fails(ACTC_E_SOURCE, "nothing", NULL, "unknown function");
}
END_TEST

int main(void) {
    Suite *s = suite_create("verify");
    TCase *t = tcase_create("verify");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 600);
    tcase_add_test(t, claims_are_results);
    tcase_add_test(t, progress_can_stop);
    tcase_add_test(t, several_at_once);
    tcase_add_test(t, memory_may_run_out_anywhere);
    tcase_add_test(t, misuse_is_told);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
