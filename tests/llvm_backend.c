/* See llvm_backend.h. */
#include "llvm_backend.h"

#include <check.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

const Backend *backend;
Jit *jit, *least;
Arena arena;
static jmp_buf no_memory;

static const Backend *open_backend(void) {
    void *library = dlopen(ACTC_BUILD_FOLDER "/libactc-llvm.so", RTLD_NOW | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    void *symbol = dlsym(library, BACKEND_SYMBOL);
    BackendFn *function;
    memcpy(&function, &symbol, sizeof function);
    return function();
}

void check_ok(const char *error) { ck_assert_msg(!error, "%s", error); }

Jit *create(const char *triple, const char *cpu, const char *features) {
    const Target target = {triple, cpu, features};
    Jit *made;
    check_ok(backend->create(&target, &made));
    return made;
}

static void setup(void) {
    if (setjmp(no_memory)) ck_abort_msg("out of memory");
    arena_init(&arena, allocator_libc, 0, &no_memory);
    if (!backend) backend = open_backend();
    ck_assert_int_eq(backend->version, BACKEND_VERSION);
    jit = create(NULL, NULL, NULL);
#if defined(__x86_64__)
    least = create(NULL, "x86-64-v3", NULL);
#endif
}

static void teardown(void) {
    backend->destroy(jit);
    backend->destroy(least);
    arena_free(&arena);
}

/* ---- kernels ---- */

Kernel begin(Type t) {
    static const char *const names[INPUTS] = {"x", "y", "z"};
    Kernel k = {.g = graph_new(&arena, "f", t), .type = t};
    k.g->expanded = true;
    for (int i = 0; i < INPUTS; i++) k.in[i] = graph_var(k.g, VAR_INPUT, names[i], t, AXES_REST);
    return k;
}

Node *op1(Kernel *k, Op op, Node *a) { return graph_op(k->g, op, a, NULL, NULL); }
Node *op2(Kernel *k, Op op, Node *a, Node *b) { return graph_op(k->g, op, a, b, NULL); }
Node *op3(Kernel *k, Op op, Node *a, Node *b, Node *c) { return graph_op(k->g, op, a, b, c); }
Node *real(Kernel *k, double v) { return graph_float(k->g, k->type, v); }

Graph *scale_graph(double by) {
    Kernel k = begin(TYPE_F32);
    graph_output(k.g, "y", op2(&k, OP_MUL, k.in[0], real(&k, by)));
    return k.g;
}

JitCode *compile(Jit *with, Graph *g, const char *symbol) {
    const Plan *plan = plan_make(g, KERNEL_FORWARD, symbol);
    Bytes object;
    JitCode *code;
    check_ok(backend->emit(with, &plan, 1, EMIT_OBJECT, &object));
    check_ok(backend->load(with, &object, &code));
    backend->free_bytes(&object);
    return code;
}

int run_tests(const char *name, const Case *cases, size_t n) {
    Suite *suite = suite_create(name);
    for (size_t i = 0; i < n; i++) {
        TCase *c = tcase_create(cases[i].name);
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_loop_test(c, cases[i].test, cases[i].from, cases[i].to);
        tcase_set_timeout(c, 300);
        suite_add_tcase(suite, c);
    }
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
