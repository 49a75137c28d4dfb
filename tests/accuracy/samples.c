/* Arguments to look at. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"

/* ---- recorded cases ---- */

enum { MOST_RECORDED = 4096 };

typedef struct {
    Op op;
    Type type;
    uint64_t x, y;
} Case;

static Case recorded[MOST_RECORDED];
static size_t recorded_count;

void samples_read(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) {
        fprintf(stderr, "accuracy: cannot open %s\n", path);
        exit(3);
    }
    char line[256], name[32], type[8], x[64], y[64];
    while (fgets(line, sizeof line, f)) {
        if (line[0] == '#') continue;
        const int fields = sscanf(line, "%31s %7s %63s %63s", name, type, x, y);
        const Op op = fields >= 3 ? op_by_name(name) : OP_COUNT;
        if (op == OP_COUNT || op_info[op].nargs != fields - 2 || recorded_count == MOST_RECORDED) {
            fprintf(stderr, "accuracy: %s: not a case: %s", path, line);
            exit(1);
        }
        Case *c = &recorded[recorded_count++];
        *c = (Case){.op = op, .type = strcmp(type, "f64") == 0 ? TYPE_F64 : TYPE_F32};
        c->x = encode(strtod(x, NULL), c->type);
        if (fields == 4) c->y = encode(strtod(y, NULL), c->type);
    }
    fclose(f);
}

void samples_record(const char *path, Op op, Type type, uint64_t x, uint64_t y) {
    for (size_t i = 0; i < recorded_count; i++) {
        const Case *c = &recorded[i];
        if (c->op == op && c->type == type && c->x == x && c->y == y) return;
    }
    FILE *f = fopen(path, "a");
    if (!f) {
        fprintf(stderr, "accuracy: cannot write %s\n", path);
        exit(3);
    }
    fprintf(f, "%s %s %a", op_info[op].name, type == TYPE_F64 ? "f64" : "f32", decode(x, type));
    if (op_info[op].nargs == 2) fprintf(f, " %a", decode(y, type));
    fputc('\n', f);
    fclose(f);
}

/* ---- edges ---- */

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

/* ---- the rest ---- */

/* Random numbers that depend on the index only: splitmix64 by Steele, Lea and Flood. */
static uint64_t random_bits(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}
/* In [-1, 1). */
static double random_unit(uint64_t *s) { return (double)(int64_t)random_bits(s) * 0x1p-63; }

/* v, or a close neighbour. */
static uint64_t beside(double v, Type type, uint64_t *s) {
    const int steps = (int)(random_bits(s) % 9) - 4;
    const uint64_t u = encode(v, type) + (uint64_t)(int64_t)steps;
    return type == TYPE_F64 ? u : (uint32_t)u;
}

static uint64_t any(Type type, uint64_t *s) {
    return type == TYPE_F64 ? random_bits(s) : random_bits(s) >> 32;
}

static uint64_t sample_one(Type type, uint64_t i, uint64_t *s) {
    const bool f64 = type == TYPE_F64;
    switch (i % 10) {
    case 0:
        return any(type, s);
    case 1:
        return encode(4 * random_unit(s), type);
    case 2:
        return encode(30 * random_unit(s), type);
    case 3:
        return encode((f64 ? 760 : 110) * random_unit(s), type);
    case 4:
        return encode(1 + ldexp(random_unit(s), -(int)(random_bits(s) % (f64 ? 52 : 24))), type);
    case 5:
        return encode(ldexp(random_unit(s), 2 - (int)(random_bits(s) % 60)), type);
    case 6: { /* where exp chooses another power of two */
        const double k = rint((f64 ? 1076 : 151) * random_unit(s)) + 0.5;
        return beside(random_bits(s) & 1 ? k : k * 0x1.62e42fefa39efp-1, type, s);
    }
    case 7: { /* next to a multiple of pi/4 */
        const double k = rint(ldexp(random_unit(s), (int)(random_bits(s) % 40)));
        return beside(k * 0x1.921fb54442d18p-1, type, s);
    }
    case 8: /* next to a power of two, or to sqrt(1/2) times one, where log chooses another */
        return beside(ldexp(random_bits(s) & 1 ? 1 : 0x1.6a09e667f3bcdp-1,
                            (int)((f64 ? 1074 : 149) * random_unit(s))),
                      type, s);
    default:
        return beside(edges[random_bits(s) % EDGES], type, s);
    }
}

/* Powers. */
static void sample_two(Type type, uint64_t i, uint64_t *s, uint64_t *x, uint64_t *y) {
    static const double exponents[] = {2,    3,   4,   5,    -1, -2, 0.5,
                                       -0.5, 1.5, 2.5, 0.25, 1,  10, 1. / 3};
    const bool f64 = type == TYPE_F64;
    const double top = f64 ? 1024 : 128, low = f64 ? -1074 : -149;
    *x = sample_one(type, i / 8, s);
    const double l = log2(fabs(decode(*x, type)));
    const bool usual = isfinite(l) && l != 0;
    switch (i % 8) {
    case 0:
        *y = sample_one(type, random_bits(s), s);
        return;
    case 1: /* neither huge nor tiny */
    case 2:
        *y = usual ? encode(1.05 * top * random_unit(s) / l, type) : any(type, s);
        return;
    case 3: /* where the result overflows, underflows, or is subnormal */
        *y = beside((random_bits(s) & 1 ? top : low - random_unit(s)) / (usual ? l : 1), type, s);
        return;
    case 4: { /* a base beside 1 and a large exponent, of either sign */
        const double d = ldexp(random_unit(s), -(int)(random_bits(s) % (f64 ? 52 : 23)));
        *x = encode(random_bits(s) & 1 ? 1 + d : -1 - d, type);
        const double k = log2(fabs(decode(*x, type)));
        *y = encode(rint(top * random_unit(s) / (k == 0 ? 1 : k)), type);
        return;
    }
    case 5: /* short numbers: exact results, and half-way between two */
        *x = encode(ldexp((double)(random_bits(s) % (f64 ? 1u << 27 : 1u << 13)),
                          (int)(random_bits(s) % 40) - 20),
                    type);
        *y = encode(exponents[random_bits(s) % (sizeof exponents / sizeof *exponents)], type);
        return;
    case 6: /* results beside 1 */
        *y = usual
                 ? encode(ldexp(random_unit(s), -(int)(random_bits(s) % (f64 ? 60 : 30))) / l, type)
                 : any(type, s);
        return;
    default: /* integers to integers */
        *x = encode(rint(1000 * random_unit(s)), type);
        *y = encode(rint(40 * random_unit(s)), type);
    }
}

static uint64_t recorded_of(Op op, Type type, uint64_t index, const Case **found) {
    uint64_t n = 0;
    for (size_t k = 0; k < recorded_count; k++)
        if (recorded[k].op == op && recorded[k].type == type && n++ == index && found)
            *found = &recorded[k];
    return n;
}

uint64_t samples_fixed(Op op, Type type) {
    return recorded_of(op, type, 0, NULL) + (op_info[op].nargs == 2 ? EDGES * EDGES : EDGES);
}

void sample(Op op, Type type, uint64_t i, uint64_t *x, uint64_t *y) {
    const bool two = op_info[op].nargs == 2;
    const uint64_t known = recorded_of(op, type, 0, NULL);
    const Case *c = NULL;
    *x = *y = 0;
    if (i < known) {
        recorded_of(op, type, i, &c);
        *x = c->x;
        *y = c->y;
        return;
    }
    i -= known;
    if (i < (two ? EDGES * EDGES : EDGES)) {
        *x = encode(edges[two ? i / EDGES : i], type);
        *y = two ? encode(edges[i % EDGES], type) : 0;
        return;
    }
    uint64_t state = i;
    random_bits(&state);
    if (two)
        sample_two(type, i, &state, x, y);
    else
        *x = sample_one(type, i, &state);
}
