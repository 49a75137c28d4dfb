/* Widening and narrowing of f16 and bf16, in code for several processors and in the emitted C by
 * several compilers, against arithmetic in f64: all halves, and of the 2^32 floats all ties between
 * two halves, their neighbours, and random ones; all of them if ACTC_TEST_ALL is set. */
#define _POSIX_C_SOURCE 200809L
#include <check.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "llvm_backend.h"

typedef void Widen(size_t, const uint16_t *, float *);
typedef void Narrow(size_t, const float *, uint16_t *);

enum { BLOCK = 1 << 16 };

static const struct Half {
    const char *name;
    Type type;
    int digits, least; /* of a number's mantissa; exponent of the smallest step */
    uint16_t infinity;
} half_types[] = {{"f16", TYPE_F16, 11, -24, 0x7c00}, {"bf16", TYPE_BF16, 8, -133, 0x7f80}};

typedef struct {
    const struct Half *half;
    char what[100];
    Widen *widen;
    Narrow *narrow;
    double step[256], per_step[256]; /* of narrowing, by the exponent's bits of a float: how many
                                        steps' exponents above the least, and steps in 1 */
    size_t wrong, count;
} Conversion;

/* ---- what is right ---- */

static bool is_nan(const struct Half *h, uint16_t u) { return (u & 0x7fff) > h->infinity; }

static double value_of(const struct Half *h, uint16_t u) {
    const int exponent = (u & 0x7fff) >> (h->digits - 1);
    const int mantissa = u & ((1 << (h->digits - 1)) - 1);
    double v = exponent ? ldexp(mantissa + (1 << (h->digits - 1)), h->least + exponent - 1)
                        : ldexp(mantissa, h->least);
    if ((u & 0x7fff) == h->infinity) v = INFINITY;
    if (is_nan(h, u)) v = NAN;
    return u & 0x8000 ? -v : v;
}

/* The exponent of the steps between halves, beside a float with these exponent bits. */
static int step_at(const struct Half *h, unsigned exponent) {
    const int full = (int)(exponent ? exponent : 1) - 126 - h->digits;
    return full < h->least ? h->least : full;
}

static uint16_t nearest(const Conversion *c, float x) {
    const struct Half *h = c->half;
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    const unsigned exponent = u >> 23 & 0xff;
    const uint16_t sign = (uint16_t)(u >> 16 & 0x8000);
    if (exponent == 0xff) return (uint16_t)(sign | (u << 9 ? 0x7fff : h->infinity));
    const double steps = nearbyint(fabs((double)x) * c->per_step[exponent]);
    const long bits = ((long)c->step[exponent] << (h->digits - 1)) + (long)steps;
    return (uint16_t)(sign | (bits < h->infinity ? bits : h->infinity));
}

static Conversion conversion(const struct Half *h) {
    Conversion c = {.half = h};
    for (unsigned e = 0; e < 256; e++) {
        c.step[e] = step_at(h, e) - h->least;
        c.per_step[e] = ldexp(1, -step_at(h, e));
    }
    return c;
}

/* ---- comparing ---- */

static void check_widening(Conversion *c) {
    static uint16_t in[BLOCK];
    static float out[BLOCK];
    for (size_t i = 0; i < BLOCK; i++) in[i] = (uint16_t)i;
    /* also the tail */
    c->widen(BLOCK - 1, in, out);
    c->widen(1, in + BLOCK - 1, out + BLOCK - 1);
    for (size_t i = 0; i < BLOCK; i++, c->count++) {
        const double want = value_of(c->half, in[i]), got = out[i];
        const bool right =
            isnan(want) ? isnan(got) : got == want && !signbit(got) == !signbit(want);
        if (!right && c->wrong++ < 5)
            printf("%s: widened %04x is %a, not %a\n", c->what, in[i], got, want);
    }
}

static void check_narrowing(Conversion *c, const float *in, size_t n) {
    static uint16_t out[BLOCK];
    c->narrow(n, in, out);
    for (size_t i = 0; i < n; i++, c->count++) {
        const uint16_t want = nearest(c, in[i]);
        const bool right = is_nan(c->half, want) ? is_nan(c->half, out[i]) : out[i] == want;
        if (!right && c->wrong++ < 5)
            printf("%s: narrowed %a is %04x, not %04x\n", c->what, (double)in[i], out[i], want);
    }
}

static float float_of(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Around each half and each tie behind it; ties are floats, those of the smallest bf16 too. */
static void check_ties(Conversion *c) {
    static float in[BLOCK];
    size_t n = 0;
    for (uint32_t u = 0; u < BLOCK; u++) {
        const double low = value_of(c->half, (uint16_t)u);
        if (!isfinite(low)) continue;
        double high = value_of(c->half, (uint16_t)(u + 1));
        if (isinf(high)) high = copysign(ldexp(1, c->half->type == TYPE_F16 ? 16 : 128), high);
        const double at[] = {low, low + (high - low) / 2};
        for (int k = 0; k < 2; k++) {
            const float x = (float)at[k];
            ck_assert(x == at[k]);
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            if (n + 5 > BLOCK) check_narrowing(c, in, n), n = 0;
            for (uint32_t d = 0; d < 5; d++) in[n++] = float_of(bits + d - 2);
        }
    }
    check_narrowing(c, in, n);
}

static void check_floats(Conversion *c) {
    static float in[BLOCK];
    const char *all = getenv("ACTC_TEST_ALL");
    uint32_t state = 1;
    for (uint32_t block = 0; block < (all ? 65536 : 64); block++) {
        for (uint32_t i = 0; i < BLOCK; i++) {
            state = state * 1664525u + 1013904223u;
            in[i] = float_of(all ? block << 16 | i : state ^ state >> 15);
        }
        check_narrowing(c, in, BLOCK);
    }
    /* NaNs whose payload stands in bits that go */
    for (uint32_t i = 0; i < 64; i++)
        in[i] = float_of((i & 32 ? 0xff800000 : 0x7f800000) | 1u << i % 23);
    check_narrowing(c, in, 64);
}

/* What is right here is what constants are rounded to. */
START_TEST(reference_is_right) {
    const struct Half *half = &half_types[_i];
    const Conversion c = conversion(half);
    uint32_t state = 7;
    NUMBER_TEMP(v, 64);
    for (int i = 0; i < 1 << 18; i++) {
        state = state * 1664525u + 1013904223u;
        const float x = float_of(i & 1 ? state ^ state >> 15 : (state & 0xffff8000) ^ state >> 31);
        mpfr_set_flt(v, x, MPFR_RNDN);
        const uint16_t a = nearest(&c, x), b = (uint16_t)fold_encode(v, half->type);
        ck_assert_msg(a == b || (is_nan(half, a) && is_nan(half, b)), "%a", (double)x);
    }
}
END_TEST

static size_t check_all(Conversion *c) {
    check_widening(c);
    check_ties(c);
    check_floats(c);
    if (getenv("ACTC_TEST_VERBOSE"))
        printf("%s: %zu conversions, %zu wrong\n", c->what, c->count, c->wrong);
    return c->wrong;
}

/* ---- code ---- */

/* Kernels that only convert: a half in, a float out, and the other way round. */
static void make_plans(Type half, const Plan *plans[2]) {
    static const char *const symbols[] = {"widen", "narrow"};
    for (int k = 0; k < 2; k++) {
        Graph *g = graph_new(&arena, "f", TYPE_F32);
        g->expanded = true;
        g->storage = half;
        graph_output(g, "y", graph_var(g, VAR_INPUT, "x", TYPE_F32, AXES_REST));
        Plan *p = plan_make(g, KERNEL_FORWARD, symbols[k]);
        p->args[!k].type = TYPE_F32;
        plans[k] = p;
    }
}

static const struct {
    const char *cpu, *features;
} processors[] = {
    {NULL, NULL}, {"x86-64-v3", NULL}, {"x86-64-v3", "-f16c"}, {"x86-64", "+avx2,+fma"}};

static void set_functions(Conversion *c, void *widen, void *narrow) {
    ck_assert(widen && narrow);
    memcpy(&c->widen, &widen, sizeof widen);
    memcpy(&c->narrow, &narrow, sizeof narrow);
}

START_TEST(code_converts) {
    const struct Half *half = &half_types[_i % 2];
#if !defined(__x86_64__)
    if (_i > 1) return;
#endif
    Jit *made = create(NULL, processors[_i / 2].cpu, processors[_i / 2].features);
    const Plan *plans[2];
    make_plans(half->type, plans);
    Bytes object;
    JitCode *code;
    check_ok(backend->emit(made, plans, 2, EMIT_OBJECT, &object));
    check_ok(backend->load(made, &object, &code));
    backend->free_bytes(&object);
    Conversion c = conversion(half);
    snprintf(c.what, sizeof c.what, "%s by code for %s %s", half->name,
             processors[_i / 2].cpu ? processors[_i / 2].cpu : "this processor",
             processors[_i / 2].features ? processors[_i / 2].features : "");
    set_functions(&c, backend->entry(code, "widen"), backend->entry(code, "narrow"));
    ck_assert_uint_eq(check_all(&c), 0);
    backend->unload(code);
    backend->destroy(made);
}
END_TEST

/* LLVM has library functions for conversions, which nothing would bring along. */
START_TEST(code_calls_nothing) {
    static const Target targets[] = {{"x86_64-linux-gnu", "x86-64-v3", NULL},
                                     {"x86_64-linux-gnu", "x86-64-v3", "-f16c"},
                                     {"x86_64-linux-gnu", "x86-64-v4", NULL},
                                     {"x86_64-linux-gnu", "knl", NULL},
                                     {"x86_64-linux-gnu", "sapphirerapids", NULL},
                                     {"x86_64-linux-gnu", "znver4,haswell", NULL},
                                     {"aarch64-linux-gnu", NULL, NULL},
                                     {"aarch64-linux-gnu", "neoverse-v2", NULL}};
    const Target *t = &targets[_i / 2];
    Jit *made = create(t->triple, t->cpu, t->features);
    const Plan *plans[2];
    Bytes text;
    make_plans(half_types[_i % 2].type, plans);
    check_ok(backend->emit(made, plans, 2, EMIT_ASSEMBLY, &text));
    ck_assert_msg(!strstr(text.data, "call\t_") && !strstr(text.data, "bl\t_") &&
                      !strstr(text.data, "@PLT"),
                  "%s", text.data);
    const bool converts = strstr(text.data, "vcvtps2ph") || strstr(text.data, "fcvtn");
    ck_assert_int_eq(converts, half_types[_i % 2].type == TYPE_F16 &&
                                   !(t->features && strstr(t->features, "-f16c")));
    backend->free_bytes(&text);
    backend->destroy(made);
}
END_TEST

/* ---- C ---- */

static const char *const compilers[] = {"gcc", "clang-14", "clang-19"};
static const char *const options[] = {"-O3 -march=native -fno-math-errno -fno-trapping-math", "-O0",
                                      "-O3 -march=native -ffp-contract=fast", "-O2"};
enum {
    COMPILERS = sizeof compilers / sizeof *compilers,
    OPTIONS = sizeof options / sizeof *options
};

static bool run(const char *folder, const char *command) {
    char all[1000];
    snprintf(all, sizeof all, "cd %s && { %s; }", folder, command);
    return system(all) == 0;
}

static void write_text(const char *folder, const char *name, const Buf *text) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    ck_assert(f && fwrite(text->s, 1, text->len, f) == text->len && fclose(f) == 0);
}

START_TEST(c_converts) {
    if (getenv("ACTC_TEST_ALL") && _i / 2 / COMPILERS > 0) return; /* minutes each */
    const struct Half *half = &half_types[_i % 2];
    const char *compiler = compilers[_i / 2 % COMPILERS], *flags = options[_i / 2 / COMPILERS];
    char folder[] = "/tmp/actc-halves-XXXXXX", command[400], path[100];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(command, sizeof command, "command -v %s >/dev/null", compiler);
    if (run(folder, command)) {
        const Plan *plans[2];
        make_plans(half->type, plans);
        const CFile file = {.base = "halves"};
        Buf text;
        buf_init(&text, &arena);
        c_source(plans, 2, &file, &text);
        write_text(folder, "halves.c", &text);
        buf_init(&text, &arena);
        c_header(plans, 2, &file, &text);
        write_text(folder, "halves.h", &text);
        snprintf(command, sizeof command,
                 "%s -std=c99 -Wall -Wextra -pedantic -Wconversion -Werror %s -shared -fPIC "
                 "halves.c -o halves.so -lm",
                 compiler, flags);
        ck_assert_msg(run(folder, command), "%s", command);
        snprintf(path, sizeof path, "%s/halves.so", folder);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        ck_assert_msg(library != NULL, "%s", dlerror());
        Conversion c = conversion(half);
        snprintf(c.what, sizeof c.what, "%s by %s %s", half->name, compiler, flags);
        set_functions(&c, dlsym(library, "widen"), dlsym(library, "narrow"));
        ck_assert_uint_eq(check_all(&c), 0);
        dlclose(library);
    } else {
        printf("skipped: there is no %s\n", compiler);
    }
    snprintf(command, sizeof command, "rm -f halves.*; cd / && rmdir %s", folder);
    run(folder, command);
}
END_TEST

int main(void) {
    const Case cases[] = {
        {"reference", reference_is_right, 0, 2},
        {"code", code_converts, 0, 2 * (int)(sizeof processors / sizeof *processors)},
        {"no calls", code_calls_nothing, 0, 16},
        {"C", c_converts, 0, 2 * COMPILERS * OPTIONS}};
    return run_tests("halves", cases, sizeof cases / sizeof *cases);
}
