/* Where to look: floats of all exponents, evenly over several ranges, edges, and the neighbours of
 * every kink and root that bisection finds. The same points in every run. */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

enum {
    PER_BINADE_32 = 8, /* of each sign */
    PER_BINADE_64 = 2,
    PER_RANGE = 1500,
    COMBINATIONS = 9000, /* of several inputs */
    MOST_CHANGES = 128,  /* that are bisected */
    NEIGHBOURS = 2,      /* on each side of a change */
    LINES = 48,          /* of several inputs: along which changes are looked for */
    LINE_POINTS = 64,
    MOST_OPERATIONS = 4000000 /* for all points of one input together */
};

/* ---- floats in order ---- */

int64_t float_rank(uint64_t bits, Type type) {
    const uint64_t sign = type == TYPE_F64 ? (uint64_t)1 << 63 : (uint64_t)1 << 31;
    return bits & sign ? -(int64_t)(bits & (sign - 1)) - 1 : (int64_t)bits;
}

uint64_t float_of_rank(int64_t rank, Type type) {
    const uint64_t sign = type == TYPE_F64 ? (uint64_t)1 << 63 : (uint64_t)1 << 31;
    return rank < 0 ? sign | (uint64_t)(-(rank + 1)) : (uint64_t)rank;
}

static uint64_t infinity_bits(Type t) { return t == TYPE_F64 ? 0x7ff0000000000000u : 0x7f800000u; }

static uint64_t encode(double v, Type type) {
    uint64_t u = 0;
    if (type == TYPE_F64) {
        memcpy(&u, &v, sizeof v);
        return u;
    }
    const float f = (float)v;
    uint32_t w;
    memcpy(&w, &f, sizeof w);
    return w;
}

/* ---- chance, always the same ---- */

typedef struct {
    uint64_t state;
} Random;

static uint64_t random_bits(Random *r) { /* splitmix64, Steele and others 2014 */
    uint64_t z = r->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double random_unit(Random *r) { return (double)(random_bits(r) >> 11) * 0x1p-53; }

static size_t random_below(Random *r, size_t n) { return (size_t)(random_bits(r) % n); }

/* ---- one input ---- */

typedef struct {
    Arena *arena;
    Type type;
    uint64_t *bits;
    size_t count, cap;
} Pool;

static void put(Pool *p, uint64_t bits) { *ARENA_PUSH(p->arena, p->bits, p->count, p->cap) = bits; }

static void add_edges(Pool *p) {
    static const double numbers[] = {
        0,   1,   2,   3,   4,   5,    6,   8,   10,   16,    17,   20,   88,     89,     103,
        104, 128, 709, 710, 745, 1000, 0.5, 0.1, 1e-3, 1e-10, 1e10, 1e30, 0x1p23, 0x1p24, 0x1p-24};
    const uint64_t inf = infinity_bits(p->type), sign = encode(-0.0, p->type),
                   normal = p->type == TYPE_F64 ? (uint64_t)1 << 52 : (uint64_t)1 << 23;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        put(p, encode(numbers[i], p->type));
        put(p, encode(-numbers[i], p->type));
    }
    const uint64_t others[] = {1, 2, normal - 1, normal, normal + 1, inf - 1, inf - 2, inf};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put(p, others[i]);
        put(p, others[i] | sign);
    }
    put(p, inf | (normal >> 1)); /* a NaN */
}

static void add_binades(Pool *p, Random *r) {
    const int bits = p->type == TYPE_F64 ? 52 : 23, last = p->type == TYPE_F64 ? 2046 : 254;
    const int each = p->type == TYPE_F64 ? PER_BINADE_64 : PER_BINADE_32;
    const uint64_t sign = encode(-0.0, p->type), mask = ((uint64_t)1 << bits) - 1;
    for (int e = 1; e <= last; e++)
        for (int i = 0; i < 2 * each; i++)
            put(p, ((uint64_t)e << bits) | (random_bits(r) & mask) | (i & 1 ? sign : 0));
    for (int k = 0; k < bits; k++) /* subnormals of all sizes */
        for (int i = 0; i < 4; i++) put(p, (random_bits(r) & mask) >> k | (i & 1 ? sign : 0));
}

static void add_ranges(Pool *p, Random *r) {
    static const double ends[] = {1, 4, 20, 120, 1000};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        for (int k = 0; k < PER_RANGE; k++)
            put(p, encode(ends[i] * (2 * random_unit(r) - 1), p->type));
}

static int by_rank(int64_t a, int64_t b) { return (a > b) - (a < b); }
static int by_rank_32(const void *a, const void *b) {
    return by_rank(float_rank(*(const uint64_t *)a, TYPE_F32),
                   float_rank(*(const uint64_t *)b, TYPE_F32));
}
static int by_rank_64(const void *a, const void *b) {
    return by_rank(float_rank(*(const uint64_t *)a, TYPE_F64),
                   float_rank(*(const uint64_t *)b, TYPE_F64));
}

static void sort(Pool *p) {
    qsort(p->bits, p->count, sizeof *p->bits, p->type == TYPE_F64 ? by_rank_64 : by_rank_32);
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++)
        if (n == 0 || p->bits[n - 1] != p->bits[i]) p->bits[n++] = p->bits[i];
    p->count = n;
}

/* ---- changes ---- */

static void add_point(Points *p, Arena *arena, const uint64_t *point) {
    if ((p->count + 1) * p->inputs > p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 1024 * p->inputs;
        uint64_t *bits = ARENA_ARRAY(arena, uint64_t, cap);
        if (p->count) memcpy(bits, p->bits, p->count * p->inputs * sizeof *bits);
        p->bits = bits;
        p->cap = cap;
    }
    memcpy(p->bits + p->count++ * p->inputs, point, p->inputs * sizeof *point);
}

/* Finds a change of signature between the two values of an input and adds what stands beside it. */
static void bisect(Points *p, Arena *arena, Examiner *x, uint64_t *point, size_t input,
                   uint64_t low, uint64_t high, uint64_t signature) {
    const Type t = x->subject->type;
    const uint64_t keep = point[input], inf = infinity_bits(t), sign = encode(-0.0, t);
    int64_t a = float_rank(low, t), b = float_rank(high, t);
    while (b - a > 1) {
        const int64_t mid = a + (b - a) / 2;
        point[input] = float_of_rank(mid, t);
        if (examine_signature(x, point, true) == signature)
            a = mid;
        else
            b = mid;
    }
    for (int64_t k = a - NEIGHBOURS; k <= b + NEIGHBOURS; k++) {
        point[input] = float_of_rank(k, t);
        if ((point[input] & ~sign) > inf) continue;
        add_point(p, arena, point);
        p->kinks++;
    }
    point[input] = keep;
}

/* Bisects between neighbours of the sorted values, nearest to 0 first: there they are kinks, far
 * out they are the roots of something periodic. */
static void add_changes(Points *p, Arena *arena, Examiner *x, uint64_t *point, size_t input,
                        const uint64_t *sorted, size_t n, size_t most) {
    const Type t = x->subject->type;
    const uint64_t inf = infinity_bits(t), sign = encode(-0.0, t);
    size_t middle = 0;
    while (middle < n && float_rank(sorted[middle], t) < 0) middle++;
    for (int way = 0; way < 2; way++) {
        size_t found = 0, i = middle;
        bool first = true;
        uint64_t before = 0, last = 0;
        while ((way ? i < n : i > 0) && found < most / 2) {
            const uint64_t v = sorted[way ? i++ : --i];
            if ((v & ~sign) > inf) break;
            point[input] = v;
            const uint64_t now = examine_signature(x, point, true);
            if (!first && now != before) {
                bisect(p, arena, x, point, input, way ? last : v, way ? v : last,
                       way ? before : now);
                found++;
            }
            first = false;
            before = now;
            last = v;
        }
    }
    if (middle > 0 && middle < n) { /* and across 0 */
        point[input] = sorted[middle - 1];
        const uint64_t before = examine_signature(x, point, true);
        bisect(p, arena, x, point, input, sorted[middle - 1], sorted[middle], before);
    }
}

/* ---- all ---- */

static bool is_moderate(uint64_t bits, Type t) {
    const double most = 200, least = 0x1p-20;
    const uint64_t size = bits & ~encode(-0.0, t);
    return size >= encode(least, t) && size <= encode(most, t);
}

static void combine(Points *p, Arena *arena, Examiner *x, Random *r, const Pool *pool) {
    const Type t = x->subject->type;
    const size_t n = p->inputs;
    uint64_t point[VERIFY_INPUTS];
    Pool plain = {.arena = arena, .type = t}, edges = {.arena = arena, .type = t};
    for (size_t i = 0; i < pool->count; i++)
        if (is_moderate(pool->bits[i], t)) put(&plain, pool->bits[i]);
    add_edges(&edges);
    const size_t room = MOST_OPERATIONS / (x->exact.count + 1) + 16;
    for (size_t k = 0; k < (room < COMBINATIONS ? room : COMBINATIONS); k++) {
        const uint64_t kind = random_bits(r) % 16;
        for (size_t i = 0; i < n; i++) {
            const Pool *from = kind < 10 ? &plain : pool;
            point[i] = from->bits[random_below(r, from->count)];
        }
        const size_t a = random_below(r, n), b = random_below(r, n);
        if (kind == 0) point[a] = point[b];
        if (kind == 1) { /* neighbours */
            point[a] = float_of_rank(float_rank(point[b], t) + (random_bits(r) & 1 ? 1 : -1), t);
        }
        if (kind == 2) point[a] = edges.bits[random_below(r, edges.count)];
        add_point(p, arena, point);
    }
    for (size_t i = 0; i < n; i++) { /* an edge, and something plain beside it */
        for (size_t k = 0; k < edges.count; k++) {
            for (size_t j = 0; j < n; j++) point[j] = plain.bits[random_below(r, plain.count)];
            point[i] = edges.bits[k];
            add_point(p, arena, point);
        }
    }
    for (size_t k = 0; k < LINES && k <= room / 128; k++) {
        Pool line = {.arena = arena, .type = t};
        for (size_t j = 0; j < n; j++) point[j] = plain.bits[random_below(r, plain.count)];
        for (size_t j = 0; j < LINE_POINTS; j++)
            put(&line, plain.bits[random_below(r, plain.count)]);
        sort(&line);
        add_changes(p, arena, x, point, k % n, line.bits, line.count, 4);
    }
}

/* Of a formula of thousands of operations fewer points, so that they take seconds. */
static void thin_out(Pool *p, const Examiner *x) {
    const size_t step = p->count * x->exact.count / MOST_OPERATIONS + 1;
    size_t n = 0;
    for (size_t i = 0; i < p->count; i += step) p->bits[n++] = p->bits[i];
    p->count = n;
}

void points_make(Points *p, Arena *arena, Examiner *x) {
    const Type t = x->subject->type;
    Random r = {20240229};
    Pool pool = {.arena = arena, .type = t};
    *p = (Points){.inputs = x->subject->inputs};
    add_binades(&pool, &r);
    add_ranges(&pool, &r);
    thin_out(&pool, x);
    add_edges(&pool);
    sort(&pool);
    if (p->inputs > 1) {
        combine(p, arena, x, &r, &pool);
        return;
    }
    uint64_t point[1] = {0};
    const size_t most = 2 + MOST_OPERATIONS / 64 / (x->exact.count + 1);
    for (size_t i = 0; i < pool.count; i++) add_point(p, arena, &pool.bits[i]);
    add_changes(p, arena, x, point, 0, pool.bits, pool.count,
                most < MOST_CHANGES ? most : MOST_CHANGES);
}
