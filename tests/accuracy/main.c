/* Holds what ir/expand claims?
 *
 *   accuracy [-n SAMPLES] [NAME…]            arguments of all kinds, evaluated as every backend
 * must accuracy --dense=SAMPLES [NAME…]         many more of them, by the JIT: f64, and pow
 *   accuracy --exhaustive [NAME…]            all 2^32 floats, by the JIT and by the emitted C: f32
 *   accuracy --certified [NAME…]             is the table of exhaustive results about these
 * expansions?
 *
 * NAME are operations of ops.def; without any, all that claims are about. Options: --threads=N (all
 * processors), --cc=COMMAND (the compiler of emitted C; empty: none), --part=K (only
 * one block of 2048 floats in 2^K), --write (put the results into
 * docs/numerics.md), --record (and the worst arguments into tests/data/hard_cases.txt).
 *
 * Fails where a claim is exceeded, or is missing for a type; the exhaustive mode also where the JIT
 * and C differ, or symmetry, limits or the oracle are not as sweep.c demands. Ctrl-C ends it after
 * printing what has been done. */
#define _GNU_SOURCE /* popen */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accuracy.h"

#define NUMERICS  ACTC_SOURCE_FOLDER "/docs/numerics.md"
#define RECORDED  ACTC_SOURCE_FOLDER "/tests/data/hard_cases.txt"
#define CERTIFIED "certified"
#define OBSERVED  "observed"

typedef struct {
    enum { SAMPLED, DENSE, EXHAUSTIVE, CHECK_TABLE } mode;
    uint64_t samples;
    unsigned threads, part;
    const char *cc;
    bool write, record;
    char **names;
    int count;
    char commit[64];
} Options;

static bool wanted(const Options *o, Op op) {
    if (!claims_concern(op)) return false;
    for (int i = 0; i < o->count; i++)
        if (strcmp(o->names[i], op_info[op].name) == 0) return true;
    return o->count == 0;
}

static const char *type_name(Type type) { return type == TYPE_F64 ? "f64" : "f32"; }

/* The commit that the code is at, with a + where it has been changed since. */
static void find_commit(char *commit, size_t size) {
    FILE *f = popen("cd " ACTC_SOURCE_FOLDER " && git rev-parse --short=10 HEAD && "
                    "git diff --quiet HEAD -- ir codegen runtime || echo +",
                    "r");
    const size_t n = f ? fread(commit, 1, size - 1, f) : 0;
    commit[n] = 0;
    if (!f || pclose(f) != 0 || n < 10) snprintf(commit, size, "?");
    char *newline;
    while ((newline = strchr(commit, '\n'))) memmove(newline, newline + 1, strlen(newline));
}

/* So that what is printed is a bound. */
static double rounded_up(double v) { return ceil(v * 1000) / 1000; }

/* ---- some arguments ---- */

static int check_samples(const Options *o, const Kernels *k, Op op, Type type) {
    const Claim *claim = claims_find(op, type);
    printf("%-10s %s", op_info[op].name, type_name(type));
    if (!claim) {
        puts("  no claim");
        return 1;
    }
    actc_function *function = k ? kernels_jit(k, op, type) : NULL;
    const Sampled m = sampled_measure(op, type, o->samples, function, o->threads);
    const bool holds = m.worst <= claim->ulp;
    printf("  %.3f of %.2f ulp at %a", rounded_up(m.worst), claim->ulp, decode(m.x, type));
    if (op_info[op].nargs == 2) printf(", %a", decode(m.y, type));
    puts(holds ? "" : "  EXCEEDED");
    fflush(stdout);
    if (o->record && (m.worst > 0.5 || !holds)) samples_record(RECORDED, op, type, m.x, m.y);
    if (o->write && k) {
        char row[256], where[128];
        snprintf(where, sizeof where, op_info[op].nargs == 2 ? "%a, %a" : "%a", decode(m.x, type),
                 decode(m.y, type));
        snprintf(row, sizeof row, " %.2f | %.3f | `%s` | %.1f million | %s |", claim->ulp,
                 rounded_up(m.worst), where, (double)m.samples * 1e-6, o->commit);
        table_put(NUMERICS, OBSERVED, op, type, row);
    }
    return !holds;
}

static int check_all_samples(const Options *o, const Kernels *k) {
    int failures = 0;
    for (int op = 0; op < OP_COUNT; op++)
        for (Type type = TYPE_F32; type <= TYPE_F64; type++)
            if (wanted(o, (Op)op) && (!k || type == TYPE_F64 || op_info[op].nargs == 2))
                failures += check_samples(o, k, (Op)op, type);
    return failures;
}

/* ---- all arguments ---- */

static double float_at(uint32_t u) { return decode(u, TYPE_F32); }

static void print_sweep(const Oracle *o, const Sweep *s, const Claim *claim, bool c) {
    printf("%-10s f32  %.3f of %.2f ulp at %a, %.1f s", op_info[o->op].name, rounded_up(s->worst),
           claim->ulp, float_at(s->worst_x), s->seconds);
    if (s->checked < UINT64_C(1) << 32 && !s->interrupted)
        printf(", of 2^%.0f floats only", log2((double)s->checked));
    if (s->interrupted) printf(", INTERRUPTED after %.0f %%", (double)s->checked * 0x1p-32 * 100);
    printf("\n    MPFR decided %llu, audited %llu: oracle within 2^%.1f\n",
           (unsigned long long)s->decided, (unsigned long long)s->audited,
           s->oracle_error > 0 ? log2(s->oracle_error) : -INFINITY);
    if (s->back) printf("    %llu steps back\n", (unsigned long long)s->back);
#define WRONG(field, text, example)                                                                \
    if (s->field)                                                                                  \
    printf("    WRONG: %llu " text ", as at %a\n", (unsigned long long)s->field, float_at(example))
    WRONG(exceeded, "results exceed the claim", s->exceeded_x);
    WRONG(unlike, "results differ between JIT and C", s->unlike_x);
    WRONG(asymmetric, "results are not symmetric", s->asymmetric_x);
    WRONG(outside, "results lie beyond f(0) or the limit", s->outside_x);
#undef WRONG
    if (s->unsaturated) puts("    WRONG: leaves its limit again");
    if (s->oracle_is_wrong) puts("    WRONG: the oracle exceeds its bound");
    if (!c) puts("    C was not compared");
    fflush(stdout);
}

static int certify(const Options *o, const Kernels *k, const Oracle *oracle) {
    const Op op = oracle->op;
    const Claim *claim = claims_find(op, TYPE_F32);
    if (!claim) {
        printf("%-10s f32  no claim\n", op_info[op].name);
        return 1;
    }
    actc_function *jit = kernels_jit(k, op, TYPE_F32), *c = k->library ? kernels_c(k, op) : NULL;
    const uint32_t fingerprint = sampled_fingerprint(op, jit);
    if (fingerprint != sampled_fingerprint(op, NULL)) {
        printf("%-10s f32  WRONG: the JIT differs from the expansion\n", op_info[op].name);
        return 1;
    }
    /* ±0, ±infinity, and where functions end, are MPFR's alone. */
    const Sampled m = sampled_measure(op, TYPE_F32, 0, jit, 1);
    Sweep s = sweep_run(oracle, claim->ulp, (Unary32 *)jit, (Unary32 *)c, o->threads, o->part);
    if (m.worst > s.worst) {
        s.worst = m.worst;
        s.worst_x = (uint32_t)m.x;
        if (m.worst > claim->ulp) s.exceeded++, s.exceeded_x = s.worst_x;
    }
    print_sweep(oracle, &s, claim, c != NULL);
    if (s.interrupted) return 1;
    if (o->record && (s.worst > 0.5 || s.exceeded))
        samples_record(RECORDED, op, TYPE_F32, s.exceeded ? s.exceeded_x : s.worst_x, 0);
    if (!sweep_is_good(&s)) return 1;
    if (o->write && c && s.checked == UINT64_C(1) << 32) {
        char row[256];
        snprintf(row, sizeof row, " %.2f | %.3f | `%a` | %llu | %08x | %s |", claim->ulp,
                 rounded_up(s.worst), float_at(s.worst_x), (unsigned long long)s.back, fingerprint,
                 o->commit);
        table_put(NUMERICS, CERTIFIED, op, TYPE_F32, row);
    }
    return 0;
}

static int certify_all(const Options *o) {
    int failures = 0;
    Kernels k;
    kernels_open(&k, o->cc);
    sweep_catch_interrupt();
    if (o->count) { /* in the order given */
        for (int i = 0; i < o->count && !sweep_interrupted(); i++) {
            const Oracle *oracle = oracle_find(op_by_name(o->names[i]));
            if (oracle) failures += certify(o, &k, oracle);
        }
    } else {
        for (int op = 0; op < OP_COUNT && !sweep_interrupted(); op++)
            if (oracle_find((Op)op)) failures += certify(o, &k, oracle_find((Op)op));
    }
    kernels_close(&k);
    return failures;
}

/* What is claimed exhaustively must have been shown, of the expansion as it is now. */
static int check_table(const Options *o) {
    int failures = 0;
    for (int op = 0; op < OP_COUNT; op++) {
        const Claim *claim = wanted(o, (Op)op) ? claims_find((Op)op, TYPE_F32) : NULL;
        if (!claim) continue;
        char row[256];
        const char *wrong = NULL;
        double at, worst;
        uint32_t fingerprint;
        const bool there = table_get(NUMERICS, CERTIFIED, (Op)op, TYPE_F32, row, sizeof row);
        /* A row must be true, whatever the claim says of itself. */
        if (!there && !claim->exhaustive) continue;
        if (!there)
            wrong = "is not in the table";
        else if (sscanf(row, " %lf | %lf | `%*[^`]` | %*u | %x |", &at, &worst, &fingerprint) != 3)
            wrong = "has a row that cannot be read";
        else if (worst > claim->ulp)
            wrong = "was certified with a larger error";
        else if (fingerprint != sampled_fingerprint((Op)op, NULL))
            wrong = "has changed since it was certified";
        if (!wrong) continue;
        failures++;
        printf("%s f32 %s\n", op_info[op].name, wrong);
    }
    if (failures) puts("cmake --build build --target certify measures anew (minutes)");
    return failures;
}

/* ---- the command line ---- */

static const char *value_of(const char *argument, const char *option) {
    const size_t n = strlen(option);
    return strncmp(argument, option, n) == 0 ? argument + n : NULL;
}

static Options read_options(int argc, char **argv) {
    Options o = {.samples = 3000, .cc = ACTC_CC, .names = argv + 1};
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    o.threads = processors > 0 ? (unsigned)processors : 1;
    for (int i = 1; i < argc; i++) {
        const char *v;
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            o.samples = strtoull(argv[++i], NULL, 10);
        } else if ((v = value_of(argv[i], "--dense="))) {
            o.mode = DENSE;
            o.samples = strtoull(v, NULL, 10);
        } else if (strcmp(argv[i], "--exhaustive") == 0) {
            o.mode = EXHAUSTIVE;
        } else if (strcmp(argv[i], "--certified") == 0) {
            o.mode = CHECK_TABLE;
        } else if ((v = value_of(argv[i], "--threads="))) {
            o.threads = (unsigned)strtoul(v, NULL, 10);
        } else if ((v = value_of(argv[i], "--part="))) {
            o.part = (unsigned)strtoul(v, NULL, 10);
            if (o.part > 16) o.part = 16;
        } else if ((v = value_of(argv[i], "--cc="))) {
            o.cc = *v ? v : NULL;
        } else if (strcmp(argv[i], "--write") == 0) {
            o.write = true;
        } else if (strcmp(argv[i], "--record") == 0) {
            o.record = true;
        } else if (argv[i][0] == '-' || !claims_concern(op_by_name(argv[i]))) {
            fprintf(stderr, "accuracy: what is '%s'?\n", argv[i]);
            exit(2);
        } else {
            o.names[o.count++] = argv[i];
        }
    }
    if (o.write) find_commit(o.commit, sizeof o.commit);
    return o;
}

int main(int argc, char **argv) {
    const Options o = read_options(argc, argv);
    claims_read(ACTC_SOURCE_FOLDER "/ir/expand");
    samples_read(RECORDED);
    switch (o.mode) {
    case SAMPLED:
        return check_all_samples(&o, NULL) != 0;
    case DENSE: {
        Kernels k;
        kernels_open(&k, NULL);
        const int failures = check_all_samples(&o, &k);
        kernels_close(&k);
        return failures != 0;
    }
    case EXHAUSTIVE:
        return certify_all(&o) != 0;
    case CHECK_TABLE:
        return check_table(&o) != 0;
    }
    return 2;
}
