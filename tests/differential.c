/* Random expressions of fixed seeds: the compiled kernel against plain evaluation of the same tree,
 * bit for bit, and both against the expression as it was written, in high precision, within a bound
 * from running error analysis. */
#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen.h"

enum { EXPRESSIONS = 150, POINTS = 67, PRECISION = 160 };

static Arena arena;
static jmp_buf out_of_memory;
static const Backend *backend;
static Jit *jit;

static void setup(void) {
    ck_assert_msg(setjmp(out_of_memory) == 0, "out of memory");
    arena_init(&arena, allocator_libc, 0, &out_of_memory);
    void *library = dlopen(ACTC_BUILD_FOLDER "/libactc-llvm.so", RTLD_LAZY | RTLD_LOCAL);
    ck_assert_msg(library != NULL, "%s", dlerror());
    void *symbol = dlsym(library, BACKEND_SYMBOL);
    BackendFn *get;
    memcpy(&get, &symbol, sizeof get);
    backend = get();
    const Target host = {NULL, NULL, NULL};
    const char *error = backend->create(&host, &jit);
    ck_assert_msg(!error, "%s", error);
}

static void teardown(void) {
    backend->destroy(jit);
    arena_free(&arena);
}

/* ---- random expressions ---- */

typedef struct {
    Graph *g;
    Node *x, *z;
    uint64_t state;
} Maker;

static uint32_t random_below(Maker *m, uint32_t n) { /* xorshift64* */
    m->state ^= m->state >> 12;
    m->state ^= m->state << 25;
    m->state ^= m->state >> 27;
    return (uint32_t)(m->state * 0x2545f4914f6cdd1du >> 33) % n;
}

static Node *op1(Graph *g, Op op, Node *a) { return graph_op(g, op, a, NULL, NULL); }
static Node *op2(Graph *g, Op op, Node *a, Node *b) { return graph_op(g, op, a, b, NULL); }

static Node *constant(Maker *m) {
    return graph_float(m->g, m->g->real, 0.125 + random_below(m, 16) / 8.0);
}

/* Conditions only compare inputs with constants: what is compared is exact, so no rounding decides
 * a branch. */
static Node *condition(Maker *m) {
    static const Op ops[] = {OP_LT, OP_LE, OP_EQ, OP_NE};
    Node *c = op2(m->g, ops[random_below(m, 4)], random_below(m, 2) ? m->x : m->z, constant(m));
    switch (random_below(m, 4)) {
    case 0:
        return op2(m->g, OP_AND, c, op2(m->g, OP_LT, op1(m->g, OP_NEG, m->x), m->z));
    case 1:
        return op1(m->g, OP_NOT, c);
    default:
        return c;
    }
}

static Node *expression(Maker *m, int depth) {
    static const Op smooth[] = {OP_TANH,    OP_SIGMOID, OP_SOFTPLUS, OP_LOGSIGMOID, OP_SECH2,
                                OP_SIN,     OP_COS,     OP_ATAN,     OP_ASINH,      OP_ERF,
                                OP_NORMCDF, OP_NEG,     OP_ABS};
    static const Op binary[] = {OP_ADD, OP_SUB, OP_MUL, OP_MAX, OP_MIN};
    Graph *g = m->g;
    if (depth == 0) return random_below(m, 3) ? (random_below(m, 3) ? m->x : m->z) : constant(m);
    Node *a = expression(m, depth - 1);
    switch (random_below(m, 8)) {
    case 0:
        return graph_op(g, OP_COND, condition(m), a, expression(m, depth - 1));
    case 1:
        return op2(g, OP_DIV, a, op2(g, OP_ADD, graph_float(g, g->real, 1), op2(g, OP_MUL, a, a)));
    case 2:
        return op1(g, OP_EXP, op1(g, OP_NEG, op1(g, OP_ABS, a)));
    case 3:
        return op1(g, random_below(m, 2) ? OP_SQRT : OP_LOG,
                   op2(g, OP_ADD, constant(m), op2(g, OP_POW, a, graph_float(g, g->real, 2))));
    case 4:
    case 5:
        return op2(g, binary[random_below(m, 5)], a, expression(m, depth - 1));
    default:
        return op1(g, smooth[random_below(m, sizeof smooth / sizeof *smooth)], a);
    }
}

static Graph *make(uint64_t seed) {
    Maker m = {.state = seed * 0x9e3779b97f4a7c15u + 1};
    m.g = graph_new(&arena, "f", TYPE_F32);
    m.x = graph_var(m.g, VAR_INPUT, "x", TYPE_F32, AXES_REST);
    m.z = graph_var(m.g, VAR_INPUT, "z", TYPE_F32, AXES_REST);
    graph_output(m.g, "y", expression(&m, 1 + (int)(seed % 5)));
    return m.g;
}

/* ---- the bound: sum over all nodes of |d output/d node| times its size, times what its rounding
 * may cost ---- */

/* Adds outputs `bound 0`, … whose sum of absolute values is the bound in ulp for output `which`. */
static Graph *make_bound(uint64_t seed, int which) {
    Graph *g = make(seed);
    diff_backward(g, true);
    Node *y = g->outs[which].node;
    const bool *needed = graph_needed(g);
    Node **all = ARENA_ARRAY(&arena, Node *, g->nnodes),
         **d = ARENA_ARRAY(&arena, Node *, g->nnodes);
    size_t n = 0;
    for (size_t i = 0; i <= y->id; i++)
        if (needed[i] && type_is_float((Type)g->nodes[i]->type) && g->nodes[i]->nargs)
            all[n++] = g->nodes[i];
    diff_reverse(g, y, all, d, n);
    g->nouts = 0;
    graph_output(g, "y", y);
    for (size_t i = 0; i < n; i++) graph_output(g, "b", op2(g, OP_MUL, d[i], all[i]));
    return g;
}

static void check_against_reals(uint64_t seed, int which, const float *x, const float *z,
                                const float *dy, const float *got) {
    Graph *g = make_bound(seed, which);
    mpfr_ptr *outs = ARENA_ARRAY(&arena, mpfr_ptr, g->nouts);
    for (size_t i = 0; i < g->nouts; i++) {
        outs[i] = arena_alloc(&arena, sizeof *outs[i]);
        number_init(outs[i], arena_alloc(&arena, mpfr_custom_get_size(PRECISION)), PRECISION);
    }
    NUMBER_TEMP(vx, 53);
    NUMBER_TEMP(vz, 53);
    NUMBER_TEMP(vdy, 53);
    const mpfr_srcptr vars[] = {vx, vz, vdy};
    for (int i = 0; i < POINTS; i += 8) {
        mpfr_set_d(vx, (double)x[i], MPFR_RNDN);
        mpfr_set_d(vz, (double)z[i], MPFR_RNDN);
        mpfr_set_d(vdy, (double)dy[i], MPFR_RNDN);
        eval_real(g, vars, outs, PRECISION);
        const double y = mpfr_get_d(outs[0], MPFR_RNDN);
        double sum = fabs(y);
        for (size_t k = 1; k < g->nouts; k++) sum += fabs(mpfr_get_d(outs[k], MPFR_RNDN));
        if (!isfinite(y) || !isfinite(sum)) continue;
        ck_assert_msg(fabs((double)got[i] - y) <= 8 * 0x1p-24 * sum + 1e-36,
                      "expression %d, output %d at x = %.9g, z = %.9g: %.9g, not %.9g (bound %g)",
                      (int)seed, which, (double)x[i], (double)z[i], (double)got[i], y,
                      8 * 0x1p-24 * sum);
    }
}

START_TEST(kernels_agree_with_evaluation) {
    Graph *g = make((uint64_t)_i);
    rewrite_graph(g, false, NULL, NULL);
    diff_backward(g, true);
    limit_products(g);
    split_tails(g);
    rewrite_graph(g, true, NULL, NULL);
    compensate_arguments(g);
    limit_ends(g);
    expand_graph(g);
    const char *wrong = graph_verify(g, STAGE_EXPANDED);
    ck_assert_msg(!wrong, "%s", wrong);
    const Plan *plan = plan_make(g, KERNEL_FORWARD_BACKWARD, "f");
    Bytes object;
    JitCode *code;
    const char *error = backend->emit(jit, &plan, 1, EMIT_OBJECT, &object);
    ck_assert_msg(!error, "%s", error);
    error = backend->load(jit, &object, &code);
    ck_assert_msg(!error, "%s", error);
    backend->free_bytes(&object);
    void (*f)(size_t, const float *, const float *, const float *, float *, float *, float *);
    void *symbol = backend->entry(code, "f");
    memcpy(&f, &symbol, sizeof f);

    static const float special[] = {0,   -0.0f,  1,       -1,    INFINITY, -INFINITY,
                                    NAN, 1e-40f, -1e-40f, 3e38f, -3e38f,   0.5f};
    float x[POINTS], z[POINTS], dy[POINTS], out[3][POINTS];
    Maker m = {.state = (uint64_t)_i + 77};
    for (int i = 0; i < POINTS; i++) {
        x[i] = (float)(int)random_below(&m, 8001) / 1000 - 4;
        z[i] = (float)(int)random_below(&m, 8001) / 1000 - 4;
        dy[i] = (float)(int)random_below(&m, 17) / 4 - 2;
        if (i % 8 == 3) x[i] = special[random_below(&m, 12)];
        if (i % 8 == 5) z[i] = special[random_below(&m, 12)];
        if (i % 8 == 7) dy[i] = special[random_below(&m, 12)];
    }
    f(POINTS, x, z, dy, out[0], out[1], out[2]);
    Evaluator e;
    eval_prepare(&e, g);
    for (int i = 0; i < POINTS; i++) {
        uint64_t vars[3] = {0}, want[3];
        memcpy(&vars[0], &x[i], 4);
        memcpy(&vars[1], &z[i], 4);
        memcpy(&vars[2], &dy[i], 4);
        eval_bits(&e, vars, want);
        for (int k = 0; k < 3; k++) {
            uint32_t got;
            memcpy(&got, &out[k][i], 4);
            float expected;
            const uint32_t bits = (uint32_t)want[k];
            memcpy(&expected, &bits, 4);
            ck_assert_msg(
                got == bits || (isnan(out[k][i]) && isnan(expected)),
                "expression %d, output %d at x = %.9g, z = %.9g, dy = %.9g: %.9g, not %.9g", _i, k,
                (double)x[i], (double)z[i], (double)dy[i], (double)out[k][i], (double)expected);
        }
    }
    for (int k = 0; k < 3; k++) check_against_reals((uint64_t)_i, k, x, z, dy, out[k]);
    backend->unload(code);
}
END_TEST

int main(void) {
    Suite *s = suite_create("differential");
    TCase *t = tcase_create("differential");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, kernels_agree_with_evaluation, 0, EXPRESSIONS);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
