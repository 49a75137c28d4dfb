/* The LLVM backend against plain evaluation: small graphs of primitives are compiled, loaded and
 * run, and every element must have the bits that eval_bits gives (a NaN equals a NaN). Arrays lie
 * between pages that may not be touched. */
#define _DEFAULT_SOURCE
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "llvm_backend.h"

enum { MAX_ARRAYS = 8, MAX_N = 1000 };

/* ---- arrays between guard pages ---- */

typedef struct {
    char *pages;
    size_t size, page;
} Fenced;

static Fenced fence(size_t bytes) {
    Fenced f = {NULL, 0, (size_t)sysconf(_SC_PAGESIZE)};
    f.size = (bytes + f.page - 1) / f.page * f.page;
    f.pages = mmap(NULL, f.size + 2 * f.page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(f.pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(f.pages + f.page, f.size, PROT_READ | PROT_WRITE), 0);
    return f;
}

/* `bytes` that begin right behind the first guard page, or end right before the last. */
static char *fenced(const Fenced *f, size_t bytes, bool at_end) {
    return f->pages + f->page + (at_end ? f->size - bytes : 0);
}

static void unfence(Fenced *f) { munmap(f->pages, f->size + 2 * f->page); }

/* ---- values ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * 0x2545F4914F6CDD1Du;
}

static size_t size_of(Type t) { return t == TYPE_F64 ? 8 : 4; }

static uint64_t encode(Type t, double v) {
    uint64_t bits = 0;
    float f = (float)v;
    if (t == TYPE_F64)
        memcpy(&bits, &v, 8);
    else
        memcpy(&bits, &f, 4);
    return bits;
}

static uint64_t random_value(Type t) {
    static const double special[] = {
        0.0,      -0.0,    1,        -1,     0.5,       -0.5,      1.5,         2.5,
        -2.5,     3.5,     1e-40,    -1e-45, 8388607.5, 8388608.5, 1e30,        -1e30,
        3.4e38,   1e-38,   1e-310,   5e-324, 1e308,     0.1,       2147483648., -2147483649.,
        16777217, 1 / 0.0, -1 / 0.0, 0 / 0.0};
    const uint64_t r = random_bits();
    switch (r >> 62) {
    case 0:
        return encode(t, special[r % (sizeof special / sizeof *special)]);
    case 1:
        return t == TYPE_F64 ? random_bits() : random_bits() & 0xFFFFFFFFu;
    default:
        return encode(t, ((double)(r % 2000001) - 1000000) / 65536);
    }
}

static bool is_nan(Type t, uint64_t b) {
    return t == TYPE_F64 ? (b << 1) > 0xFFE0000000000000u : (uint32_t)(b << 1) > 0xFF000000u;
}

static uint64_t get(const char *array, Type t, size_t i) {
    uint64_t bits = 0;
    memcpy(&bits, array + i * size_of(t), size_of(t));
    return bits;
}

static void put(char *array, Type t, size_t i, uint64_t bits) {
    memcpy(array + i * size_of(t), &bits, size_of(t));
}

/* ---- kernels ---- */

/* Outputs from which all bits of any value can be told, though NaNs compare equal. */
static void output(Kernel *k, Node *v) {
    const bool narrow = type_is_float(v->type) && v->type != k->type;
    if (v->type == TYPE_BOOL) v = op3(k, OP_SELECT, v, real(k, 1), real(k, 0));
    if (v->type == TYPE_I64 && k->type == TYPE_F32) {
        Node *high = op2(k, OP_USHR, v, graph_int(k->g, TYPE_I64, 32));
        output(k, op1(k, OP_INARROW, high));
        v = op1(k, OP_INARROW, v);
    }
    if (type_is_int(v->type)) {
        const int half = v->type == TYPE_I32 ? 16 : 32;
        Node *low =
            op2(k, OP_IAND, v, graph_int(k->g, (Type)v->type, (int64_t)((1ull << half) - 1)));
        graph_output(k->g, "high",
                     op1(k, OP_ITOF, op2(k, OP_USHR, v, graph_int(k->g, (Type)v->type, half))));
        v = op1(k, OP_ITOF, low);
    }
    if (narrow) v = op1(k, OP_NARROW, v);
    graph_output(k->g, "y", v);
}

static void call_plain(void *entry, size_t n, char *const *a, size_t count) {
    typedef void F4(size_t, void *, void *, void *, void *);
    typedef void F5(size_t, void *, void *, void *, void *, void *);
    typedef void F7(size_t, void *, void *, void *, void *, void *, void *, void *);
    typedef void F8(size_t, void *, void *, void *, void *, void *, void *, void *, void *);
    F4 *f4;
    F5 *f5;
    F7 *f7;
    F8 *f8;
    memcpy(&f4, &entry, sizeof f4), memcpy(&f5, &entry, sizeof f5);
    memcpy(&f7, &entry, sizeof f7), memcpy(&f8, &entry, sizeof f8);
    switch (count) {
    case 4:
        f4(n, a[0], a[1], a[2], a[3]);
        return;
    case 5:
        f5(n, a[0], a[1], a[2], a[3], a[4]);
        return;
    case 7:
        f7(n, a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        return;
    case 8:
        f8(n, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
        return;
    default:
        ck_abort_msg("no signature for %zu arrays", count);
    }
}

static void call_range(void *entry, size_t first, size_t end, char *const *a,
                       const uint64_t *params) {
    KernelEntry *f;
    memcpy(&f, &entry, sizeof f);
    void *arrays[MAX_ARRAYS];
    for (int i = 0; i < MAX_ARRAYS; i++) arrays[i] = a[i];
    const uint64_t size = end;
    const KernelCall call = {
        .begin = first, .end = end, .sizes = &size, .arrays = arrays, .params = params};
    f(&call);
}

static JitCode *compile_loadable(Jit *with, Graph *g, const char *symbol) {
    const Plan *plan = plan_make(g, KERNEL_FORWARD, symbol);
    Bytes object;
    JitCode *code;
    check_ok(backend->emit(with, &plan, 1, EMIT_LOADABLE, &object));
    check_ok(backend->load(with, &object, &code));
    backend->free_bytes(&object);
    return code;
}

/* Compares outputs[first..end) with eval_bits on the copies of the inputs; what is outside must be
 * `untouched`. */
static void compare(const Kernel *k, char *const *in, char *const *out, size_t n, size_t first,
                    size_t end, int what) {
    Evaluator e;
    eval_prepare(&e, k->g);
    const uint64_t untouched = k->type == TYPE_F64 ? 0x5A5A5A5A5A5A5A5Au : 0x5A5A5A5Au;
    for (size_t i = 0; i < n; i++) {
        uint64_t vars[INPUTS], want[MAX_ARRAYS];
        for (int v = 0; v < INPUTS; v++) vars[v] = get(in[v], k->type, i);
        eval_bits(&e, vars, want);
        for (size_t o = 0; o < k->g->nouts; o++) {
            const uint64_t got = get(out[o], k->type, i);
            if (i < first || i >= end) {
                if (got != untouched)
                    ck_abort_msg("case %d: element %zu outside %zu..%zu changed", what, i, first,
                                 end);
                continue;
            }
            if (got == want[o] || (is_nan(k->type, got) && is_nan(k->type, want[o]))) continue;
            ck_abort_msg("case %d, output %zu of %zu, element %zu of %zu: f(%#lx, %#lx, %#lx) = "
                         "%#lx, not %#lx",
                         what, o, k->g->nouts, i, n, vars[0], vars[1], vars[2], got, want[o]);
        }
    }
}

static void check_run(const Kernel *k, JitCode *code, size_t n, bool at_end, int what) {
    const size_t count = INPUTS + k->g->nouts, bytes = n * size_of(k->type);
    void *plain = backend->entry(code, "f_forward"),
         *ranged = backend->entry(code, "f_forward__call");
    ck_assert(plain && ranged && !backend->entry(code, "nothing"));
    Fenced f[MAX_ARRAYS], copies[INPUTS];
    char *a[MAX_ARRAYS] = {0}, *in[INPUTS];
    for (size_t i = 0; i < count; i++) {
        f[i] = fence(bytes + 1);
        a[i] = fenced(&f[i], bytes, at_end);
        memset(a[i], 0x5A, bytes);
    }
    for (int v = 0; v < INPUTS; v++) {
        copies[v] = fence(bytes + 1);
        in[v] = fenced(&copies[v], bytes, true);
        for (size_t i = 0; i < n; i++) put(in[v], k->type, i, random_value(k->type));
        memcpy(a[v], in[v], bytes);
    }
    call_plain(plain, n, a, count);
    compare(k, in, a + INPUTS, n, 0, n, what);
    const size_t first = n / 3, end = n - n / 5;
    for (size_t o = INPUTS; o < count; o++) memset(a[o], 0x5A, bytes);
    call_range(ranged, first, end, a, NULL);
    compare(k, in, a + INPUTS, n, first, end, what);
    for (int v = 0; v < INPUTS; v++) { /* in place: the first output is one of the inputs */
        char *b[MAX_ARRAYS];
        memcpy(b, a, sizeof b);
        for (int w = 0; w < INPUTS; w++) memcpy(a[w], in[w], bytes);
        b[INPUTS] = b[v];
        call_plain(plain, n, b, count);
        compare(k, in, b + INPUTS, n, 0, n, what);
    }
    for (size_t i = 0; i < count; i++) unfence(&f[i]);
    for (int v = 0; v < INPUTS; v++) unfence(&copies[v]);
}

static void check_kernel(const Kernel *k, int what) {
    static const size_t sizes[] = {0, 1, 15, 16, 17, 31, 33, 67, MAX_N};
    Jit *const jits[] = {jit, least};
    for (int j = 0; j < 2 && jits[j]; j++) {
        JitCode *code = compile(jits[j], k->g, "f_forward");
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            check_run(k, code, sizes[i], true, what);
            check_run(k, code, sizes[i], false, what);
        }
        backend->unload(code);
    }
}

/* ---- every primitive ---- */

/* An argument of that signature letter, from input `i`; x is taken as `any`. */
static Node *argument(Kernel *k, char letter, char any, int i) {
    Node *x = k->in[i];
    switch (letter) {
    case 'f':
        return x;
    case 'i':
        return op1(k, OP_BITS, x);
    case 'b':
        return op2(k, OP_LT, x, k->in[(i + 1) % INPUTS]);
    case 'w':
        return op2(k, OP_MUL, op1(k, OP_WIDEN, x), op1(k, OP_WIDEN, k->in[(i + 1) % INPUTS]));
    case 'l':
        return op2(k, OP_IMUL, op1(k, OP_IWIDEN, op1(k, OP_BITS, x)),
                   graph_int(k->g, TYPE_I64, 0x123456789));
    case 'x':
        return argument(k, any, any, i);
    default:
        ck_abort_msg("signature letter %c", letter);
        return NULL;
    }
}

static void check_op(Op op, Type t, char any, int shift) {
    const OpInfo *info = &op_info[op];
    Kernel k = begin(t);
    Node *a[3] = {NULL, NULL, NULL};
    for (int i = 0; i < info->nargs; i++) a[i] = argument(&k, info->signature[i + 1], any, i);
    if (op == OP_ISHL || op == OP_ISHR || op == OP_USHR)
        a[1] = graph_int(k.g, t == TYPE_F32 ? TYPE_I32 : TYPE_I64, shift);
    output(&k, graph_op(k.g, op, a[0], a[1], a[2]));
    check_kernel(&k, op);
}

START_TEST(each_primitive) {
    const Op op = (Op)_i;
    if (!op_info[op].prim || op <= OP_BAD) return;
    if (op_is_reduction(op) || op == OP_ELEMENTS || op == OP_INDEX) return; /* of loops */
    const char *sig = op_info[op].signature;
    const bool f32_only = strchr(sig, 'w') || strchr(sig, 'l');
    for (Type t = TYPE_F32; t <= TYPE_F64; t++) {
        if (t == TYPE_F64 && f32_only) continue;
        if (op == OP_ISHL || op == OP_ISHR || op == OP_USHR) {
            check_op(op, t, 'f', 0);
            check_op(op, t, 'f', 1);
            check_op(op, t, 'f', t == TYPE_F32 ? 31 : 63);
        } else if (strchr(sig, 'x')) {
            check_op(op, t, 'f', 0);
            check_op(op, t, 'i', 0);
            check_op(op, t, 'b', 0);
        } else {
            check_op(op, t, 'f', 0);
        }
    }
}
END_TEST

/* f64 and i64 arithmetic inside an f32 kernel. */
START_TEST(wide_inside) {
    Kernel k = begin(TYPE_F32);
    Node *x = op1(&k, OP_WIDEN, k.in[0]), *y = op1(&k, OP_WIDEN, k.in[1]);
    Node *q = op2(&k, OP_DIV, op1(&k, OP_SQRT, op1(&k, OP_ABS, x)), op1(&k, OP_FLOOR, y));
    Node *l = op2(&k, OP_UMULH, op1(&k, OP_BITS, x), op1(&k, OP_BITS, y));
    output(&k, op3(&k, OP_SELECT, op2(&k, OP_LT, x, y), q, op1(&k, OP_ITOF, l)));
    output(&k, op2(&k, OP_ISUB, l, op1(&k, OP_BITS, q)));
    check_kernel(&k, 0);
}
END_TEST

/* What LLVM could be tempted to change: contraction, x*0, x - x, x + 0, comparisons with
 * themselves, -(a - b). */
START_TEST(nothing_is_fast) {
    const Type t = (Type)_i;
    Kernel k = begin(t);
    Node *x = k.in[0], *y = k.in[1], *z = k.in[2];
    Node *sum = op2(&k, OP_ADD, op2(&k, OP_MUL, x, y), z);
    output(&k, op2(&k, OP_SUB, sum, op3(&k, OP_FMA, x, y, z)));
    Node *zero = op2(&k, OP_MUL, op2(&k, OP_SUB, x, x), real(&k, 0));
    output(&k, op2(&k, OP_ADD, zero, op2(&k, OP_ADD, x, real(&k, 0))));
    Node *a = op1(&k, OP_NEG, op2(&k, OP_SUB, y, z)), *b = op2(&k, OP_DIV, x, real(&k, 3));
    output(&k, op3(&k, OP_SELECT, op2(&k, OP_NE, x, x), a, op1(&k, OP_ROUND, b)));
    output(&k, op3(&k, OP_SELECT, op1(&k, OP_NOT, op2(&k, OP_LT, x, y)), x,
                   op2(&k, OP_ADD, y, real(&k, -0.0))));
    check_kernel(&k, 0);
}
END_TEST

/* ---- guards ---- */

START_TEST(guards) {
    const Type t = (Type)_i;
    Kernel k = begin(t);
    Node *x = k.in[0], *y = k.in[1], *z = k.in[2];
    Node *shared = op2(&k, OP_ADD, x, y); /* used inside and outside */
    Node *inner_slow = op2(&k, OP_DIV, op1(&k, OP_SQRT, shared), z);
    Node *inner =
        op3(&k, OP_GUARD, op2(&k, OP_LT, y, real(&k, -10)), inner_slow, op2(&k, OP_MUL, x, z));
    Node *flag = op3(&k, OP_GUARD, op2(&k, OP_LT, z, inner), op2(&k, OP_ORD, inner, y),
                     op2(&k, OP_LE, x, y));
    Node *slow = op3(&k, OP_SELECT, flag, inner, op1(&k, OP_NEG, inner));
    Node *outer = op3(&k, OP_GUARD, op2(&k, OP_LT, x, real(&k, -14)), slow, shared);
    Node *bits = op3(&k, OP_GUARD, op2(&k, OP_LT, outer, y), op1(&k, OP_BITS, inner_slow),
                     op1(&k, OP_BITS, z));
    graph_output(k.g, "o", outer);
    graph_output(k.g, "s", op1(&k, OP_ASFLOAT, bits));
    check_kernel(&k, 0);
}
END_TEST

/* ---- run-time params, learnables without axes, uniform outputs ---- */

START_TEST(uniform_values) {
    Kernel k = begin(TYPE_F32);
    Node *p = graph_var(k.g, VAR_PARAM, "p", TYPE_F32, 0),
         *q = graph_var(k.g, VAR_PARAM, "q", TYPE_F32, 0);
    Node *l = graph_var(k.g, VAR_LEARN, "l", TYPE_F32, 0);
    Node *u = op3(&k, OP_GUARD, op2(&k, OP_LT, p, q), op2(&k, OP_SUB, q, p), op2(&k, OP_DIV, p, q));
    graph_output(k.g, "y", op3(&k, OP_FMA, k.in[0], u, l));
    graph_output(k.g, "u", u);
    graph_output(k.g, "c", real(&k, 7));
    JitCode *code = compile(jit, k.g, "f_forward");
    enum { N = 37 };
    float x[N], y[N], unused[N] = {0}, v[N], c[N], learned = 0.25f;
    for (int i = 0; i < N; i++) x[i] = (float)i;
    typedef void F(size_t, float, float, float *, float *, float *, float *, float *, float *,
                   float *);
    void *entry = backend->entry(code, "f_forward");
    F *f;
    memcpy(&f, &entry, sizeof f);
    f(N, 3, 2, x, unused, unused, &learned, y, v, c);
    for (int i = 0; i < N; i++) ck_assert(y[i] == 1.5f * x[i] + 0.25f && v[i] == 1.5f && c[i] == 7);
    f(0, 3, 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    char *arrays[MAX_ARRAYS] = {(char *)x, (char *)unused, (char *)unused, (char *)&learned,
                                (char *)y, (char *)v,      (char *)c};
    const uint64_t params[] = {encode(TYPE_F32, 1), encode(TYPE_F32, 5)};
    call_range(backend->entry(code, "f_forward__call"), 20, 30, arrays, params);
    for (int i = 0; i < N; i++) ck_assert(y[i] == (i < 20 || i >= 30 ? 1.5f : 4) * x[i] + 0.25f);
    backend->unload(code);
}
END_TEST

/* ---- loading ---- */

static float run_one(JitCode *code, float x) {
    float y = 0;
    char *a[] = {(char *)&x, (char *)&x, (char *)&x, (char *)&y};
    call_plain(backend->entry(code, "f_forward"), 1, a, 4);
    return y;
}

static long pages_used(void) {
    long total = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(f, "%ld %ld", &total, &resident), 2);
    fclose(f);
    return total;
}

START_TEST(same_names_live_together) {
    JitCode *code[50];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 50; i++) code[i] = compile(jit, scale_graph(i), "f_forward");
        for (int i = 0; i < 50; i++) ck_assert(run_one(code[i], 2) == 2.0f * (float)i);
        for (int i = 0; i < 50; i += 2) backend->unload(code[i]);
        for (int i = 1; i < 50; i += 2) ck_assert(run_one(code[i], 3) == 3.0f * (float)i);
        for (int i = 1; i < 50; i += 2) backend->unload(code[i]);
    }
}
END_TEST

START_TEST(memory_is_bounded) {
    const Plan *plan = plan_make(scale_graph(2), KERNEL_FORWARD, "f_forward");
    long before = 0;
    for (int i = 0; i < 1000; i++) {
        Bytes object;
        JitCode *code;
        check_ok(backend->emit(jit, &plan, 1, EMIT_OBJECT, &object));
        check_ok(backend->load(jit, &object, &code));
        ck_assert(run_one(code, 1) == 2);
        backend->free_bytes(&object);
        backend->unload(code);
        if (i == 200) before = pages_used();
    }
#if defined(__SANITIZE_ADDRESS__) /* which keeps what was freed */
    (void)before;
#else
    ck_assert_int_le(pages_used() - before, 512);
#endif
}
END_TEST

START_TEST(several_plans) {
    const Plan *plans[] = {plan_make(scale_graph(2), KERNEL_FORWARD, "f_forward"),
                           plan_make(scale_graph(3), KERNEL_FORWARD, "g_forward")};
    Bytes object;
    JitCode *code;
    check_ok(backend->emit(jit, plans, 2, EMIT_OBJECT, &object));
    check_ok(backend->load(jit, &object, &code));
    ck_assert(backend->entry(code, "f_forward") && backend->entry(code, "g_forward__call"));
    ck_assert(run_one(code, 5) == 10);
    backend->unload(code);
    /* What the disk cache may hand us. */
    for (size_t cut = 0; cut < object.size; cut += 7) {
        const Bytes part = {object.data, cut};
        if (!backend->load(jit, &part, &code)) backend->unload(code);
    }
    object.data[18] = 40; /* ARM */
    ck_assert_ptr_nonnull(backend->load(jit, &object, &code));
    backend->free_bytes(&object);
    plans[1] = plans[0];
    ck_assert_ptr_nonnull(strstr(backend->emit(jit, plans, 2, EMIT_OBJECT, &object), "f_forward"));
    ck_assert_ptr_null(object.data);
}
END_TEST

static void *compile_many(void *unused) {
    (void)unused;
    Jit *own = create(NULL, NULL, NULL);
    for (int i = 0; i < 20; i++) {
        Arena a;
        jmp_buf out;
        if (setjmp(out)) return "memory";
        arena_init(&a, allocator_libc, 0, &out);
        Graph *g = graph_new(&a, "f", TYPE_F32);
        g->expanded = true;
        Node *x = graph_var(g, VAR_INPUT, "x", TYPE_F32, AXES_REST);
        graph_output(g, "y", graph_op(g, OP_ADD, x, graph_float(g, TYPE_F32, i), NULL));
        JitCode *code = compile(own, g, "f_forward");
        backend->unload(code);
        arena_free(&a);
    }
    backend->destroy(own);
    return NULL;
}

START_TEST(threads_have_their_own) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, compile_many, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *error;
        pthread_join(threads[i], &error);
        ck_assert_ptr_null(error);
    }
}
END_TEST

/* The loader's own objects: the plain signature says all, unless there are run-time params. */
START_TEST(loadable) {
    JitCode *code = compile_loadable(jit, scale_graph(2), "f_forward");
    ck_assert(run_one(code, 5) == 10);
    ck_assert_ptr_null(backend->entry(code, "f_forward__call"));
    backend->unload(code);
    Kernel k = begin(TYPE_F32);
    Node *p = graph_var(k.g, VAR_PARAM, "p", TYPE_F32, 0);
    graph_output(k.g, "y", op2(&k, OP_MUL, k.in[0], p));
    code = compile_loadable(jit, k.g, "f_forward");
    ck_assert_ptr_nonnull(backend->entry(code, "f_forward__call"));
    backend->unload(code);
}
END_TEST

int main(void) {
    const Case cases[] = {{"primitives", each_primitive, 0, OP_COUNT},
                          {"wide", wide_inside, 0, 1},
                          {"strict", nothing_is_fast, TYPE_F32, TYPE_F64 + 1},
                          {"guards", guards, TYPE_F32, TYPE_F64 + 1},
                          {"uniform", uniform_values, 0, 1},
                          {"loadable", loadable, 0, 1},
                          {"names", same_names_live_together, 0, 1},
                          {"memory", memory_is_bounded, 0, 1},
                          {"several", several_plans, 0, 1},
                          {"threads", threads_have_their_own, 0, 1}};
    return run_tests("llvm_run", cases, sizeof cases / sizeof *cases);
}
