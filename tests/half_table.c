/* half_table [NAME…]: how many of the 65,536 halves a function of the standard library does not
 * round correctly, in value and in gradient for dy = 1: the compiled kernel against the function's
 * graph in MPFR, rounded once. The sign of a zero, NaNs' bits, and gradients where a number has no
 * value, do not count.
 *
 * Prints a table of docs/numerics.md. The rows that are there must not say less than what comes
 * out: else the status is 1. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actc.h"
#include "frontend.h"

enum { HALVES = 1 << 16, FIRST_PRECISION = 192, LAST_PRECISION = 6144, OUTPUTS = 2 };

static const struct {
    const char *name;
    actc_dtype dtype;
    Type type;
    uint16_t infinity;
} types[] = {{"bf16", ACTC_BF16, TYPE_BF16, 0x7f80}, {"f16", ACTC_F16, TYPE_F16, 0x7c00}};

typedef uint16_t Halves[HALVES];

static void fail(const char *what, const char *why) {
    fprintf(stderr, "half_table: %s: %s\n", what, why);
    exit(3);
}

static jmp_buf no_memory;

static void compute(actc_module *m, const char *name, int type, Halves *y, Halves *dx) {
    static Halves x, dy;
    for (int k = 0; k < 2; k++) {
        const actc_kernel_options o = {
            .size = sizeof o, .kind = k ? ACTC_BACKWARD : ACTC_FORWARD, .dtype = types[type].dtype};
        actc_kernel *kernel;
        if (actc_kernel_compile(m, name, &o, &kernel, NULL)) fail(name, "does not compile");
        for (size_t i = 0; i < HALVES; i++) {
            x[i] = (uint16_t)i;
            dy[i] = types[type].type == TYPE_F16 ? 0x3c00 : 0x3f80;
        }
        actc_function *f = actc_kernel_function(kernel);
        if (k)
            ((void (*)(size_t, const uint16_t *, const uint16_t *, uint16_t *))f)(HALVES, x, dy,
                                                                                  *dx);
        else
            ((void (*)(size_t, const uint16_t *, uint16_t *))f)(HALVES, x, *y);
        actc_kernel_release(kernel);
    }
}

/* y and dx of a function of one input as a graph that is not expanded; NULL for others. */
static Graph *make_graph(Arena *arena, Module *m, const char *name) {
    Diags diags;
    diags_init(&diags, arena);
    const Source source = {.name = "half_table", .text = name, .len = strlen(name)};
    const Def *def = frontend_function(m, &diags, source);
    Graph *g = def ? frontend_lower(arena, m, def, TYPE_F32, NULL, 0, &diags) : NULL;
    if (!g || g->nvars != 1) return NULL;
    rewrite_graph(g, false, NULL, NULL);
    diff_backward(g, true);
    rewrite_graph(g, false, NULL, NULL);
    limit_products(g);
    return g->nouts == OUTPUTS ? g : NULL;
}

/* Until twice the precision rounds to the same halves. */
static void evaluate(Graph *g, uint16_t x, Type type, uint16_t want[OUTPUTS]) {
    static mp_limb_t limbs[OUTPUTS][LAST_PRECISION / 32 + 1];
    mpfr_t out[OUTPUTS];
    NUMBER_TEMP(in, 64);
    NUMBER_TEMP(one, 64);
    fold_decode(in, x, type);
    mpfr_set_ui(one, 1, MPFR_RNDN);
    const mpfr_srcptr vars[] = {in, one};
    const mpfr_ptr outs[] = {out[0], out[1]};
    uint64_t before[OUTPUTS] = {0};
    for (mpfr_prec_t p = FIRST_PRECISION; p <= LAST_PRECISION; p *= 2) {
        bool same = p > FIRST_PRECISION;
        for (int i = 0; i < OUTPUTS; i++) number_init(out[i], limbs[i], p);
        eval_real(g, vars, outs, p);
        for (int i = 0; i < OUTPUTS; i++) {
            const uint64_t now = fold_encode(out[i], type);
            same = same && now == before[i];
            before[i] = now;
            want[i] = (uint16_t)now;
        }
        if (same) return;
    }
}

static bool right(int type, uint16_t got, uint16_t want) {
    const uint16_t infinity = types[type].infinity;
    const int a = got & 0x7fff, b = want & 0x7fff;
    return got == want || (a == 0 && b == 0) || (a > infinity && b > infinity);
}

static void count_wrong(Graph *g, const char *name, int type, Halves *const results[OUTPUTS],
                        int wrong[OUTPUTS]) {
    Arena scratch, *own = g->arena;
    const bool verbose = getenv("ACTC_TEST_VERBOSE") != NULL;
    arena_init(&scratch, allocator_libc, 0, &no_memory);
    g->arena = &scratch; /* what an evaluation takes can go after it */
    for (uint32_t x = 0; x < HALVES; x++) {
        uint16_t want[OUTPUTS];
        if ((x & 0x7fff) > types[type].infinity)
            want[0] = want[1] = 0x7fff;
        else
            evaluate(g, (uint16_t)x, types[type].type, want);
        for (int i = 0; i < OUTPUTS; i++) {
            const uint16_t got = (*results[i])[x];
            const bool outside =
                (want[0] & 0x7fff) > types[type].infinity && (x & 0x7fff) <= types[type].infinity;
            if ((i && outside) || right(type, got, want[i])) continue;
            wrong[i]++;
            if (verbose)
                fprintf(stderr, "%s %s: %s(%04x) = %04x, not %04x\n", types[type].name, name,
                        i ? "gradient" : "value", x, got, want[i]);
        }
        if (x % 64 == 0) {
            arena_free(&scratch);
            arena_init(&scratch, allocator_libc, 0, &no_memory);
        }
    }
    arena_free(&scratch);
    g->arena = own;
}

/* Whether the documented row allows so many. */
static bool documented(const char *name, const int wrong[2][OUTPUTS]) {
    FILE *f = fopen(ACTC_SOURCE_FOLDER "/docs/numerics.md", "r");
    char line[512];
    int at[4];
    bool inside = false, ok = false;
    while (f && fgets(line, sizeof line, f)) {
        char row[64];
        if (strstr(line, "halves: ")) inside = strstr(line, "halves: begin") != NULL;
        if (!inside ||
            sscanf(line, "| %63s | %d | %d | %d | %d |", row, &at[0], &at[1], &at[2], &at[3]) != 5)
            continue;
        if (strcmp(row, name) == 0)
            ok = wrong[0][0] <= at[0] && wrong[0][1] <= at[1] && wrong[1][0] <= at[2] &&
                 wrong[1][1] <= at[3];
    }
    if (f) fclose(f);
    return ok;
}

/* 0, or 1 where it is worse than documented. */
static int print_row(actc_module *module, const char *name) {
    static Halves y, dx;
    Arena arena;
    Intern names;
    Diags diags;
    int wrong[2][OUTPUTS] = {{0}};
    Halves *const results[] = {&y, &dx};
    arena_init(&arena, allocator_libc, 0, &no_memory);
    intern_init(&names, &arena);
    diags_init(&diags, &arena);
    Module *m = frontend_layer(&arena, &names, frontend_library(&arena, &names, &diags));
    Graph *g = make_graph(&arena, m, name);
    for (int t = 0; g && t < 2; t++) {
        compute(module, name, t, &y, &dx);
        count_wrong(g, name, t, results, wrong[t]);
    }
    const bool taken = g != NULL;
    arena_free(&arena);
    if (!taken) return 0;
    printf("| %s | %d | %d | %d | %d |\n", name, wrong[0][0], wrong[0][1], wrong[1][0],
           wrong[1][1]);
    fflush(stdout);
    return !documented(name, (const int(*)[OUTPUTS])wrong);
}

int main(int argc, char **argv) {
    actc_context *ctx;
    actc_module *m;
    if (setjmp(no_memory)) fail("memory", "there is not enough");
    if (actc_context_create(NULL, &ctx) || actc_module_library(ctx, &m)) fail("actc", "no library");
    puts("| function | bf16 value | gradient | f16 value | gradient |\n|---|---|---|---|---|");
    int worse = 0;
    for (size_t i = 0; argc < 2 && i < actc_module_function_count(m); i++)
        worse |= print_row(m, actc_module_function_name(m, i));
    for (int i = 1; i < argc; i++) worse |= print_row(m, argv[i]);
    if (worse) fputs("half_table: more than docs/numerics.md says\n", stderr);
    actc_module_release(m), actc_context_release(ctx);
    mpfr_free_cache();
    return worse;
}
