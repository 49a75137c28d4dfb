/* Whole functions against their formulas as written.
 *
 *   whole [-n SAMPLES] [-d f32|f64] [-x] [-v] [TEXT…]
 *
 * Each TEXT is a definition f(x) = …, or the name of a standard function; without any, the rows of
 * data/whole.txt, each `value-bound gradient-bound TEXT`. The compiled kernels, value and gradient,
 * are compared at stratified inputs with the formula as it was written, evaluated in so many bits
 * that what cancels there does not matter.
 *
 * -x: with math = exact, where all bounds are 0.51.
 *
 * An error counts in ulp of the exact result, a subnormal's in subnormal steps; that of a gradient
 * in ulp of the sum of its terms' magnitudes, which does not blame it for crossing zero. A NaN or
 * an infinity that the other side lacks is an infinite error. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"
#include "ir.h"

enum { AS_WRITTEN_BITS = 2400, AS_WRITTEN_BITS_F32 = 900, STABLE_BITS = 320, TEXT_MAX = 4096 };

/* Beyond this the textbook forms leave even MPFR's range, or need more bits; the stable ones do
 * not. */
static const double largest_as_written = 300;

/* ---- inputs ---- */

static uint64_t state = 88172645463325252u;
static uint64_t random_bits(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static double random_unit(void) { return (double)(int64_t)random_bits() * 0x1p-63; }

static double sample(size_t i, bool f64) {
    double v;
    switch (i % 8) {
    case 0: { /* all exponents */
        const int e = f64 ? (int)(random_bits() % 2100) - 1076 : (int)(random_bits() % 277) - 149;
        v = ldexp(random_unit(), e);
        break;
    }
    case 1:
    case 2:
        v = (f64 ? 760 : 112) * random_unit();
        break;
    case 3:
        v = (f64 ? 40 : 16) * random_unit();
        break;
    case 4:
        v = 8 * random_unit();
        break;
    case 5:
        v = 1.5 * random_unit();
        break;
    case 6:
        v = ldexp(random_unit(), -(int)(random_bits() % 12));
        break;
    default:
        v = random_bits() & 1 ? -84 - 27 * fabs(random_unit()) : -9 - 6 * fabs(random_unit());
    }
    v = f64 ? v : (double)(float)v;
    return v == 0 ? 1 : v; /* at a kink the parts of a textbook form have no derivative */
}

/* ---- the reference ---- */

typedef struct {
    Arena arena;
    Graph *g;
    Node **scale; /* for each node of the gradient: |its terms| */
} Reference;

static Node *magnitude(Graph *g, Node *n) { return graph_op(g, OP_ABS, n, NULL, NULL); }

/* The sum of the magnitudes of n's terms, products multiplied out. */
static Node *terms(Graph *g, Node *n, int depth) {
    if (depth > 24) return magnitude(g, n);
    switch ((int)n->op) {
    case OP_ADD:
    case OP_SUB:
        return graph_op(g, OP_ADD, terms(g, n->arg[0], depth + 1), terms(g, n->arg[1], depth + 1),
                        NULL);
    case OP_MUL:
    case OP_DMUL:
        return graph_op(g, OP_MUL, terms(g, n->arg[0], depth + 1), terms(g, n->arg[1], depth + 1),
                        NULL);
    case OP_NEG:
        return terms(g, n->arg[0], depth + 1);
    case OP_POW:
        return node_is(n->arg[1], 2)
                   ? graph_op(g, OP_POW, terms(g, n->arg[0], depth + 1), n->arg[1], NULL)
                   : magnitude(g, n);
    case OP_DIV:
        return graph_op(g, OP_DIV, terms(g, n->arg[0], depth + 1), magnitude(g, n->arg[1]), NULL);
    case OP_COND:
        return graph_op(g, OP_COND, n->arg[0], terms(g, n->arg[1], depth + 1),
                        terms(g, n->arg[2], depth + 1));
    default:
        return magnitude(g, n);
    }
}

/* Outputs: value, gradient, magnitude of the gradient's terms. */
static bool reference_make(Reference *r, const char *text, Type real, bool rewrite, bool late,
                           jmp_buf *out_of_memory) {
    const char *error;
    size_t at;
    arena_init(&r->arena, allocator_libc, 0, out_of_memory);
    r->g = graph_read(&r->arena, text, real, &error, &at);
    if (!r->g) {
        fprintf(stderr, "whole: %s at byte %zu of %s\n", error, at, text);
        return false;
    }
    Node *x = r->g->vars[0].node, *d;
    if (rewrite) rewrite_graph(r->g, false, NULL, NULL);
    diff_reverse(r->g, r->g->outs[0].node, &x, &d, 1);
    graph_output(r->g, "d", d);
    if (rewrite) rewrite_graph(r->g, false, NULL, NULL);
    if (late) rewrite_graph(r->g, true, NULL, NULL);
    d = r->g->outs[1].node;
    graph_output(r->g, "scale", terms(r->g, d, 0));
    return true;
}

static void reference_at(Reference *r, double x, mpfr_t out[3], mpfr_prec_t bits) {
    Arena *const arena = r->g->arena;
    Arena scratch;
    arena_init(&scratch, allocator_libc, 0, arena->out);
    NUMBER_TEMP(in, 64);
    mpfr_set_d(in, x, MPFR_RNDN);
    const mpfr_srcptr vars[] = {in, in, in, in};
    const mpfr_ptr outs[] = {out[0], out[1], out[2]};
    r->g->arena = &scratch;
    eval_real(r->g, vars, outs, bits);
    r->g->arena = arena;
    arena_free(&scratch);
}

/* ---- errors ---- */

/* |y - r| in ulp of `of`. */
static double error_in_ulp(mpfr_srcptr r, mpfr_srcptr of, double y, bool f64) {
    const int digits = f64 ? 53 : 24, top = f64 ? 1024 : 128, least = f64 ? -1074 : -149;
    if (mpfr_nan_p(r) || isnan(y)) return mpfr_nan_p(r) && isnan(y) ? 0 : (double)INFINITY;
    if (mpfr_inf_p(r)) return mpfr_get_d(r, MPFR_RNDN) == y ? 0 : (double)INFINITY;
    NUMBER_TEMP(d, AS_WRITTEN_BITS);
    if (isinf(y)) {
        if (mpfr_zero_p(r) || mpfr_get_exp(r) > top) return 0;
        mpfr_set_ui_2exp(d, 1, top, MPFR_RNDN);
        if (y < 0) mpfr_neg(d, d, MPFR_RNDN);
    } else {
        mpfr_set_d(d, y, MPFR_RNDN);
    }
    long ulp = mpfr_regular_p(of) ? mpfr_get_exp(of) - digits : least;
    if (ulp < least) ulp = least;
    if (ulp > top - digits) ulp = top - digits;
    mpfr_sub(d, d, r, MPFR_RNDN);
    mpfr_mul_2si(d, d, -ulp, MPFR_RNDN);
    return fabs(mpfr_get_d(d, MPFR_RNDN));
}

typedef struct {
    double value, gradient, at_value, at_gradient;
} Worst;

typedef void Forward32(size_t, const float *, float *);
typedef void Backward32(size_t, const float *, const float *, float *);
typedef void Forward64(size_t, const double *, double *);
typedef void Backward64(size_t, const double *, const double *, double *);

static void run(actc_kernel *const k[2], bool f64, const double *x, double *y, double *d,
                size_t n) {
    actc_function *const f = actc_kernel_function(k[0]), *const b = actc_kernel_function(k[1]);
    if (f64) {
        double *one = malloc(n * sizeof *one);
        for (size_t i = 0; i < n; i++) one[i] = 1;
        ((Forward64 *)f)(n, x, y);
        ((Backward64 *)b)(n, x, one, d);
        free(one);
        return;
    }
    float *in = malloc(n * sizeof *in), *out = malloc(n * sizeof *out),
          *one = malloc(n * sizeof *one);
    for (size_t i = 0; i < n; i++) in[i] = (float)x[i], one[i] = 1;
    ((Forward32 *)f)(n, in, out);
    for (size_t i = 0; i < n; i++) y[i] = (double)out[i];
    ((Backward32 *)b)(n, in, one, out);
    for (size_t i = 0; i < n; i++) d[i] = (double)out[i];
    free(in);
    free(out);
    free(one);
}

static actc_math math = ACTC_MATH_DEFAULT;

static bool compile(actc_context *ctx, const char *text, char *name, bool f64, actc_kernel *k[2],
                    char **graph) {
    actc_module *m;
    actc_diagnostics *diagnostics = NULL;
    const bool definition = strchr(text, '=') != NULL;
    const char *source = definition ? text : "";
    size_t n = strcspn(text, "( =");
    memcpy(name, text, n);
    name[n] = 0;
    if (!definition) strcpy(name, text);
    const actc_dtype type = f64 ? ACTC_F64 : ACTC_F32;
    bool good =
        actc_module_parse(ctx, "whole", source, strlen(source), &m, &diagnostics) == ACTC_OK;
    for (int i = 0; i < 2 && good; i++) {
        const actc_kernel_options o = {.size = sizeof o,
                                       .kind = i ? ACTC_BACKWARD : ACTC_FORWARD,
                                       .dtype = type,
                                       .math = math};
        good = actc_kernel_compile(m, name, &o, &k[i], &diagnostics) == ACTC_OK;
        if (good && !i) good = actc_show(m, name, "graph", &o, graph, &diagnostics) == ACTC_OK;
    }
    if (!good) fprintf(stderr, "%s", actc_diagnostics_text(diagnostics));
    actc_module_release(m);
    return good;
}

static bool measure(actc_context *ctx, const char *text, bool f64, size_t n, bool verbose,
                    Worst *w) {
    char name[TEXT_MAX];
    actc_kernel *k[2];
    char *graph;
    jmp_buf out_of_memory;
    Reference written, stable, far;
    if (setjmp(out_of_memory)) exit(3);
    const Type real = f64 ? TYPE_F64 : TYPE_F32;
    *w = (Worst){0};
    if (!compile(ctx, text, name, f64, k, &graph)) return false;
    if (!reference_make(&written, graph, real, false, false, &out_of_memory) ||
        !reference_make(&stable, graph, real, true, false, &out_of_memory) ||
        !reference_make(&far, graph, real, true, true, &out_of_memory))
        return false;
    double *x = malloc(n * sizeof *x), *y = malloc(n * sizeof *y), *d = malloc(n * sizeof *d);
    for (size_t i = 0; i < n; i++) x[i] = sample(i, f64);
    run(k, f64, x, y, d, n);
    mpfr_t exact[3], also[3];
    for (int i = 0; i < 3; i++) {
        mpfr_init2(exact[i], AS_WRITTEN_BITS);
        mpfr_init2(also[i], AS_WRITTEN_BITS);
    }
    for (size_t i = 0; i < n; i++) {
        reference_at(&stable, x[i], also, STABLE_BITS);
        if (fabs(x[i]) <= largest_as_written) {
            reference_at(&written, x[i], exact, f64 ? AS_WRITTEN_BITS : AS_WRITTEN_BITS_F32);
            if (mpfr_nan_p(exact[0])) reference_at(&far, x[i], exact, STABLE_BITS);
            mpfr_set(exact[2], also[2], MPFR_RNDN);
            if (mpfr_cmpabs(exact[2], exact[1]) < 0) mpfr_abs(exact[2], exact[1], MPFR_RNDN);
        } else {
            reference_at(&far, x[i], exact, STABLE_BITS);
            mpfr_set(exact[2], also[2], MPFR_RNDN);
            if (!mpfr_number_p(exact[2]) || mpfr_cmpabs(exact[2], exact[1]) < 0)
                mpfr_abs(exact[2], exact[1], MPFR_RNDN);
        }
        /* Without bits there is nothing to compare with: no limit, or no domain. */
        const double v = mpfr_nan_p(exact[0]) && fabs(x[i]) > largest_as_written
                             ? 0
                             : error_in_ulp(exact[0], exact[0], y[i], f64);
        const double g = mpfr_nan_p(exact[1]) ? 0 : error_in_ulp(exact[1], exact[2], d[i], f64);
        if (verbose && (v > 1e3 || g > 1e3) && (v > w->value || g > w->gradient))
            printf("    at %a (%g): value %a, exact %a (%g ulp); gradient %a, exact %a (%g ulp)\n",
                   x[i], x[i], y[i], mpfr_get_d(exact[0], MPFR_RNDN), v, d[i],
                   mpfr_get_d(exact[1], MPFR_RNDN), g);
        if (v > w->value) w->value = v, w->at_value = x[i];
        if (g > w->gradient) w->gradient = g, w->at_gradient = x[i];
    }
    for (int i = 0; i < 3; i++) {
        mpfr_clear(exact[i]);
        mpfr_clear(also[i]);
    }
    free(x);
    free(y);
    free(d);
    arena_free(&written.arena);
    arena_free(&stable.arena);
    arena_free(&far.arena);
    actc_text_release(graph);
    actc_kernel_release(k[0]);
    actc_kernel_release(k[1]);
    return true;
}

static bool report(actc_context *ctx, const char *text, double value, double gradient, bool f64,
                   size_t n, bool verbose) {
    Worst w;
    if (!measure(ctx, text, f64, n, verbose, &w)) return false;
    const bool good = w.value <= value && w.gradient <= gradient;
    printf("%8.2f at %-12.7g %8.2f at %-12.7g %s%s\n", w.value, w.at_value, w.gradient,
           w.at_gradient, text, good ? "" : "  EXCEEDED");
    fflush(stdout);
    return good;
}

int main(int argc, char **argv) {
    size_t n = 2000;
    bool f64 = false, verbose = false, good = true;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "-n") && i + 1 < argc) n = (size_t)strtoull(argv[++i], NULL, 10);
        if (!strcmp(argv[i], "-d") && i + 1 < argc) f64 = !strcmp(argv[++i], "f64");
        if (!strcmp(argv[i], "-x")) math = ACTC_MATH_EXACT;
        if (!strcmp(argv[i], "-v")) verbose = true;
    }
    actc_context *ctx;
    if (actc_context_create(NULL, &ctx)) return 3;
    mpfr_set_emax(mpfr_get_emax_max());
    mpfr_set_emin(mpfr_get_emin_min());
    if (i < argc) {
        for (; i < argc; i++)
            good =
                report(ctx, argv[i], (double)INFINITY, (double)INFINITY, f64, n, verbose) && good;
    } else {
        FILE *f = fopen(ACTC_SOURCE_FOLDER "/tests/data/whole.txt", "r");
        char line[TEXT_MAX];
        if (!f) return 3;
        while (fgets(line, sizeof line, f)) {
            double value, gradient;
            int at = 0;
            line[strcspn(line, "\n")] = 0;
            if (line[0] == '#' || sscanf(line, "%lf %lf %n", &value, &gradient, &at) < 2) continue;
            if (math == ACTC_MATH_EXACT) value = gradient = 0.51;
            good = report(ctx, line + at, value, gradient, f64, n, verbose) && good;
        }
        fclose(f);
    }
    actc_context_release(ctx);
    mpfr_free_cache();
    return good ? 0 : 1;
}
