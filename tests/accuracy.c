/* The claims in ir/expand against MPFR.
 *
 *   accuracy [-n SAMPLES] [NAME…]
 *
 * Each `claim: NAME TYPE max ULP ulp, …` there is checked for y = NAME(x): the graph is expanded
 * and evaluated as every backend must, at arguments of all exponents, near what the functions are
 * used for, and at edges. An ulp is that of the exact result, a subnormal's the subnormal step; a
 * zero has its sign, a NaN meets a NaN, and beyond the largest number an infinity counts as the
 * next power of two. Fails where a claim is exceeded, or is missing for a type. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

enum { PRECISION = 160, CLAIMS_MAX = 128 };

typedef struct {
    char name[32];
    Type type;
    double ulp;
} Claim;

static Claim claims[CLAIMS_MAX];
static size_t nclaims;

/* ---- claims ---- */

static void read_claims(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) return;
    char line[512], name[32], type[8];
    double ulp;
    while (fgets(line, sizeof line, f)) {
        const char *at = strstr(line, "claim:");
        if (!at || sscanf(at, "claim: %31s %7s max %lf ulp", name, type, &ulp) != 3) continue;
        if (nclaims == CLAIMS_MAX) abort();
        Claim *c = &claims[nclaims++];
        strcpy(c->name, name);
        c->type = strcmp(type, "f64") == 0 ? TYPE_F64 : TYPE_F32;
        c->ulp = ulp;
    }
    fclose(f);
}

static void read_folder(const char *folder) {
    DIR *d = opendir(folder);
    if (!d) {
        fprintf(stderr, "accuracy: cannot open %s\n", folder);
        exit(3);
    }
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        const size_t n = strlen(e->d_name);
        char path[1024];
        if (n < 3 || strcmp(e->d_name + n - 2, ".c") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        read_claims(path);
    }
    closedir(d);
}

/* What expand.c itself does is exact, and has no claim. */
static bool needs_claim(Op op) {
    switch ((int)op) {
    case OP_COND:
    case OP_MAX:
    case OP_MIN:
    case OP_CLAMP:
    case OP_SIGN:
    case OP_STEP:
    case OP_DMUL:
    case OP_STOP:
    case OP_CUSTOM:
        return false;
    }
    return !op_info[op].prim;
}

/* ---- samples ---- */

static uint64_t state = 88172645463325252u;

static uint64_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
/* In [-1, 1). */
static double random_unit(void) { return (double)(int64_t)random_bits() * 0x1p-63; }

static uint64_t encode(double v, Type type) {
    if (type == TYPE_F64) {
        uint64_t u;
        memcpy(&u, &v, sizeof u);
        return u;
    }
    const float f = (float)v;
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static double decode(uint64_t bits, Type type) {
    if (type == TYPE_F64) {
        double v;
        memcpy(&v, &bits, sizeof v);
        return v;
    }
    const uint32_t u = (uint32_t)bits;
    float f;
    memcpy(&f, &u, sizeof f);
    return (double)f;
}

static const double edges[] = {0.0,
                               -0.0,
                               1,
                               -1,
                               0.5,
                               -0.5,
                               2,
                               -2,
                               3,
                               -3,
                               1.5,
                               -1.5,
                               0.25,
                               1e10,
                               -1e10,
                               (double)INFINITY,
                               -(double)INFINITY,
                               (double)NAN,
                               0x1p-149,
                               -0x1p-149,
                               0x1p-126,
                               0x1.fffffep127,
                               -0x1.fffffep127,
                               0x1p-1074,
                               -0x1p-1074,
                               0x1p-1022,
                               0x1.fffffffffffffp1023,
                               -0x1.fffffffffffffp1023,
                               0x1.fffffep-1,
                               -0x1.fffffep-1,
                               0x1.000002p0,
                               88.7228391,
                               88.75,
                               -87.5,
                               -103.97,
                               -104.5,
                               128,
                               -126,
                               -149,
                               -150.5,
                               709.7827,
                               709.79,
                               -708.5,
                               -745.13,
                               -745.2,
                               1024,
                               -1022,
                               -1074,
                               -1075.5,
                               9.0109,
                               16.6355,
                               10.0542,
                               -13.5,
                               16777215,
                               8388609.5,
                               65535.9,
                               65536,
                               0x1.921fb6p0,
                               0x1.921fb54442d18p0,
                               0x1.921fb54442d18p1,
                               0x1.6ac5b262ca1ffp849,
                               1e22,
                               0x1p27};
enum { EDGES = sizeof edges / sizeof *edges };

/* The i-th argument; the first EDGES are the edges. */
static uint64_t sample(size_t i, Type type) {
    if (i < EDGES) return encode(edges[i], type);
    const uint64_t any = type == TYPE_F64 ? random_bits() : random_bits() >> 32;
    switch (i % 6) {
    case 0:
        return any;
    case 1:
        return encode(4 * random_unit(), type);
    case 2:
        return encode(30 * random_unit(), type);
    case 3:
        return encode((type == TYPE_F64 ? 760 : 110) * random_unit(), type);
    case 4:
        return encode(1 + ldexp(random_unit(), -(int)(random_bits() % 24)), type);
    default:
        return encode(ldexp(random_unit(), 2 - (int)(random_bits() % 60)), type);
    }
}

/* ---- measuring ---- */

static bool reference(Op op, mpfr_ptr r, mpfr_srcptr a, mpfr_srcptr b) {
    if (!fold_real(op, r, a, b, NULL)) return false;
    /* The compiler does not fold the sine of a huge angle; MPFR can. */
    if (mpfr_nan_p(r) && mpfr_regular_p(a)) {
        if (op == OP_SIN) mpfr_sin(r, a, MPFR_RNDN);
        if (op == OP_COS) mpfr_cos(r, a, MPFR_RNDN);
        if (op == OP_TAN) mpfr_tan(r, a, MPFR_RNDN);
    }
    return true;
}

/* |y - r| in ulp of r; infinity for a wrong NaN, infinity or sign of zero. */
static double error_in_ulp(mpfr_srcptr r, double y, Type type) {
    const int digits = type == TYPE_F64 ? 53 : 24, top = type == TYPE_F64 ? 1024 : 128;
    const int least = type == TYPE_F64 ? -1074 : -149;
    if (mpfr_nan_p(r) || isnan(y)) return mpfr_nan_p(r) && isnan(y) ? 0 : (double)INFINITY;
    if (mpfr_zero_p(r) || mpfr_inf_p(r)) {
        const double v = mpfr_get_d(r, MPFR_RNDN);
        return v == y && !signbit(v) == !signbit(y) ? 0 : (double)INFINITY;
    }
    if (!mpfr_signbit(r) == !!signbit(y)) return (double)INFINITY;
    NUMBER_TEMP(d, PRECISION + 64);
    if (isinf(y)) {
        if (mpfr_get_exp(r) > top) return 0;
        mpfr_set_ui_2exp(d, 1, top, MPFR_RNDN);
        if (y < 0) mpfr_neg(d, d, MPFR_RNDN);
    } else {
        mpfr_set_d(d, y, MPFR_RNDN);
    }
    long ulp = mpfr_get_exp(r) - digits;
    if (ulp < least) ulp = least;
    if (ulp > top - digits) ulp = top - digits;
    mpfr_sub(d, d, r, MPFR_RNDN);
    mpfr_mul_2si(d, d, -ulp, MPFR_RNDN);
    return fabs(mpfr_get_d(d, MPFR_RNDN));
}

typedef struct {
    double worst, x, y;
    size_t samples;
} Measure;

static Measure measure(Arena *arena, Op op, Type type, size_t n) {
    const bool binary = op_info[op].nargs == 2;
    Graph *g = graph_new(arena, op_info[op].name, type);
    Node *x = graph_var(g, VAR_INPUT, "x", type, AXES_REST);
    Node *y = binary ? graph_var(g, VAR_INPUT, "y", type, AXES_REST) : NULL;
    graph_output(g, "z", graph_op(g, op, x, y, NULL));
    expand_graph(g);
    const char *wrong = graph_verify(g, STAGE_EXPANDED);
    if (wrong) {
        fprintf(stderr, "accuracy: %s: %s\n", op_info[op].name, wrong);
        exit(1);
    }
    Evaluator e;
    eval_prepare(&e, g);
    NUMBER_TEMP(a, PRECISION);
    NUMBER_TEMP(b, PRECISION);
    NUMBER_TEMP(r, PRECISION);
    Measure m = {.samples = binary ? EDGES * EDGES + n : EDGES + n};
    for (size_t i = 0; i < m.samples; i++) {
        uint64_t in[2] = {0, 0}, out;
        if (binary && i < EDGES * EDGES) {
            in[0] = encode(edges[i / EDGES], type);
            in[1] = encode(edges[i % EDGES], type);
        } else {
            in[0] = sample(binary ? i - EDGES * EDGES + EDGES : i, type);
            if (binary) {
                /* Half of the powers are neither huge nor tiny. */
                const double l = log2(fabs(decode(in[0], type))),
                             top = type == TYPE_F64 ? 1080 : 152;
                in[1] = i & 1 && isfinite(l) && l != 0 ? encode(top * random_unit() / l, type)
                                                       : sample(EDGES + i, type);
            }
        }
        eval_bits(&e, in, &out);
        fold_decode(a, in[0], type);
        fold_decode(b, in[1], type);
        if (!reference(op, r, a, b)) continue;
        const double u = error_in_ulp(r, decode(out, type), type);
        if (u > m.worst) m = (Measure){u, decode(in[0], type), decode(in[1], type), m.samples};
    }
    return m;
}

static bool wanted(const char *name, char **names, int n) {
    for (int i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return n == 0;
}

/* Returns how many claims do not hold. */
static int check_claims(Arena *arena, char **names, int count, size_t samples) {
    int failures = 0;
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = &op_info[op];
        if (!needs_claim((Op)op) || !wanted(info->name, names, count)) continue;
        for (Type type = TYPE_F32; type <= TYPE_F64; type++) {
            const Claim *claim = NULL;
            for (size_t i = 0; i < nclaims; i++)
                if (strcmp(claims[i].name, info->name) == 0 && claims[i].type == type)
                    claim = &claims[i];
            printf("%-10s %s", info->name, type == TYPE_F64 ? "f64" : "f32");
            if (!claim) {
                printf("  no claim\n");
                failures++;
                continue;
            }
            const Measure m = measure(arena, (Op)op, type, samples);
            printf("  %.3f of %.2f ulp at %a", m.worst, claim->ulp, m.x);
            if (info->nargs == 2) printf(", %a", m.y);
            printf("%s\n", m.worst <= claim->ulp ? "" : "  EXCEEDED");
            if (m.worst > claim->ulp) failures++;
        }
    }
    return failures;
}

int main(int argc, char **argv) {
    static Arena arena;
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) return 3;
    arena_init(&arena, allocator_libc, 0, &out_of_memory);
    read_folder(ACTC_SOURCE_FOLDER "/ir/expand");
    const int skip = argc > 2 && strcmp(argv[1], "-n") == 0 ? 3 : 1;
    const size_t samples = skip == 3 ? (size_t)strtoull(argv[2], NULL, 10) : 3000;
    const int failures = check_claims(&arena, argv + skip, argc - skip, samples);
    arena_free(&arena);
    return failures ? 1 : 0;
}
