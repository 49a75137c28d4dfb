/* Runs kernels on sampled inputs and prints hashes of their results, the elements themselves, or
 * what goes wrong at the edges of arrays. See same_bits.h for the commands. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "same_bits.h"

enum { BLOCK = 4096, BLOCK_OF_ALL = 65536, LONGEST = 67, LONGER = 497 };

/* A whole number of pages, also where these are large. */
enum { AREA = 65536, GUARDED = 4096 };

typedef struct {
    const Row *row;
    size_t count; /* of arrays */
    void *arrays[MOST_ARRAYS];
} Run;

static void *allocate(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) exit(3);
    return p;
}

static void begin(Run *run, const Row *row, size_t most) {
    *run = (Run){.row = row, .count = strlen(row->roles)};
    if (run->count > MOST_ARRAYS) exit(3);
    for (size_t k = 0; k < run->count; k++) run->arrays[k] = allocate(most * row->size);
}

static void end(Run *run) {
    for (size_t k = 0; k < run->count; k++) free(run->arrays[k]);
}

static void fill(const Run *run, unsigned samples, uint64_t first, size_t n) {
    for (size_t k = 0; k < run->count; k++) {
        const unsigned array = (unsigned)k;
        if (run->row->roles[k] == 'c')
            sample_cotangents(run->row, array, first, n, run->arrays[k]);
        else if (run->row->roles[k] != 'o')
            sample_inputs(samples, run->row, array, first, n, run->arrays[k]);
    }
}

/* An element's bits, all NaNs alike. */
static uint64_t element(const void *array, const Row *row, size_t i) {
    const char *at = (const char *)array + i * row->size;
    uint64_t u = 0;
    uint32_t single;
    uint16_t half;
    if (row->size == 2)
        memcpy(&half, at, 2), u = half;
    else if (row->size == 4)
        memcpy(&single, at, 4), u = single;
    else
        memcpy(&u, at, 8);
    const uint64_t infinity = row_infinity(row), sign = UINT64_C(1) << (8 * row->size - 1);
    return (u & ~sign) > infinity ? infinity + 1 : u;
}

static uint64_t hash(const Run *run, size_t n) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t k = 0; k < run->count; k++)
        for (size_t i = 0; run->row->roles[k] == 'o' && i < n; i++) {
            h = (h ^ element(run->arrays[k], run->row, i)) * 0x9e3779b97f4a7c15u;
            h ^= h >> 29;
        }
    return h;
}

static size_t block_size(unsigned samples) {
    return samples == ALL_PATTERNS ? BLOCK_OF_ALL : BLOCK;
}

/* Of a half there are not so many: all 2^16, in four orders. */
static unsigned samples_of(const Row *row, unsigned samples) {
    return row->size == 2 && samples > 18 ? 18 : samples;
}

static void print_hashes(const Row *row, unsigned samples) {
    samples = samples_of(row, samples);
    const size_t block = block_size(samples);
    Run run;
    begin(&run, row, block);
    for (uint64_t first = 0; first < UINT64_C(1) << samples; first += block) {
        fill(&run, samples, first, block);
        row->call(row, block, run.arrays);
        printf("%s %" PRIu64 " %016" PRIx64 "\n", row->name, first / block, hash(&run, block));
    }
    end(&run);
}

static void print_block(const Row *row, unsigned samples, uint64_t number) {
    samples = samples_of(row, samples);
    const size_t block = block_size(samples);
    const int digits = (int)row->size * 2;
    Run run;
    begin(&run, row, block);
    fill(&run, samples, number * block, block);
    row->call(row, block, run.arrays);
    for (size_t i = 0; i < block; i++)
        for (size_t k = 0; k < run.count; k++)
            printf("%s%0*" PRIx64 "%s",
                   row->roles[k] == 'o' && row->roles[k - 1] != 'o' ? "-> " : "", digits,
                   element(run.arrays[k], row, i), k + 1 < run.count ? " " : "\n");
    end(&run);
}

/* ---- edges ---- */

/* Memory that ends, or begins, where none may be touched, its other side full of guard bytes. */
typedef struct {
    unsigned char *area; /* before and behind it nothing may be touched */
    unsigned char *near; /* the end of the area that the array is at, GUARDED bytes */
    unsigned char *array;
} Fenced;

static void fence(Fenced *f) {
    unsigned char *p = mmap(NULL, 3 * AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + AREA, AREA, PROT_READ | PROT_WRITE)) exit(3);
    f->area = p + AREA;
}

static void unfence(const Fenced *f) { munmap(f->area - AREA, 3 * AREA); }

static void place(Fenced *f, size_t bytes, bool at_end, const void *content) {
    f->near = f->area + (at_end ? AREA - GUARDED : 0);
    f->array = at_end ? f->area + AREA - bytes : f->area;
    memset(f->near, 0xa5, GUARDED);
    if (content) memcpy(f->array, content, bytes);
}

static bool guard_is_whole(const Fenced *f, size_t bytes) {
    for (const unsigned char *p = f->near; p < f->near + GUARDED; p++) {
        if (p == f->array) p += bytes;
        if (p < f->near + GUARDED && *p != 0xa5) return false;
    }
    return true;
}

static bool same(const Row *row, const void *a, const void *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (element(a, row, i) != element(b, row, i)) return false;
    return true;
}

/* Runs n elements with output k in the memory of the array place_of[k] (its own, if that is k). */
static int try_layout(const Run *expected, Fenced *fenced, size_t n, bool at_end,
                      const size_t *place_of, const char *what) {
    const Row *row = expected->row;
    const size_t bytes = n * row->size;
    void *arrays[MOST_ARRAYS];
    int wrong = 0;
    for (size_t k = 0; k < expected->count; k++)
        place(&fenced[k], bytes, at_end, row->roles[k] == 'o' ? NULL : expected->arrays[k]);
    for (size_t k = 0; k < expected->count; k++) arrays[k] = fenced[place_of[k]].array;
    row->call(row, n, arrays);
    for (size_t k = 0; k < expected->count; k++) {
        bool overwritten = false;
        for (size_t o = 0; o < expected->count; o++)
            overwritten = overwritten || (o != k && place_of[o] == k);
        if (!guard_is_whole(&fenced[k], bytes))
            wrong = 1,
            printf("%s: %s, n = %zu: array %zu: written outside\n", row->name, what, n, k);
        if (!overwritten && !same(row, arrays[k], expected->arrays[k], n))
            wrong = 1, printf("%s: %s, n = %zu: array %zu: other values\n", row->name, what, n, k);
    }
    return wrong;
}

static int check_edges(const Row *row, Fenced *fenced, size_t *tried) {
    int wrong = 0;
    Run run;
    begin(&run, row, BLOCK);
    for (uint64_t part = 3; part < 16; part += 8) { /* of the sweep, and of the shuffled half */
        fill(&run, 16, part * BLOCK, BLOCK);
        row->call(row, BLOCK, run.arrays);
        size_t own[MOST_ARRAYS], place_of[MOST_ARRAYS];
        for (size_t k = 0; k < MOST_ARRAYS; k++) own[k] = k;
        for (size_t n = 0; n <= LONGEST; n++, *tried += 2)
            for (int at_end = 0; at_end < 2; at_end++)
                wrong |= try_layout(&run, fenced, n, at_end, own, "short");
        const size_t inputs = strcspn(row->roles, "o"), outputs = run.count - inputs;
        /* the outputs in place of as many inputs, from each input on */
        for (size_t from = 0; from < inputs; from++)
            for (size_t used = 1; used <= outputs && used <= inputs; used++, ++*tried) {
                memcpy(place_of, own, sizeof own);
                for (size_t o = 0; o < used; o++) place_of[inputs + o] = (from + o) % inputs;
                wrong |= try_layout(&run, fenced, part == 3 ? LONGEST : LONGER, true, place_of,
                                    "in place");
            }
    }
    end(&run);
    return wrong;
}

static int edges(const Row *rows, size_t count) {
    Fenced fenced[MOST_ARRAYS];
    size_t tried = 0;
    int wrong = 0;
    for (size_t k = 0; k < MOST_ARRAYS; k++) fence(&fenced[k]);
    for (size_t i = 0; i < count; i++) wrong |= check_edges(&rows[i], fenced, &tried);
    for (size_t k = 0; k < MOST_ARRAYS; k++) unfence(&fenced[k]);
    printf("%zu kernels, %zu layouts of arrays: %s\n", count, tried, wrong ? "WRONG" : "right");
    return wrong;
}

static const Row *find(const Row *rows, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    fprintf(stderr, "there is no kernel '%s'\n", name);
    exit(2);
}

int driver_main(int argc, char **argv, const Row *rows, size_t count) {
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "edges") == 0) return edges(rows, count);
    const unsigned samples = argc < 3                      ? 0
                             : strcmp(argv[2], "all") == 0 ? ALL_PATTERNS
                                                           : (unsigned)strtoul(argv[2], NULL, 10);
    const bool possible = samples == ALL_PATTERNS || (samples >= 16 && samples <= 24);
    if (possible && strcmp(command, "hash") == 0) {
        for (size_t i = 0; argc == 3 && i < count; i++) print_hashes(&rows[i], samples);
        for (int i = 3; i < argc; i++) print_hashes(find(rows, count, argv[i]), samples);
    } else if (possible && strcmp(command, "dump") == 0 && argc == 5) {
        print_block(find(rows, count, argv[3]), samples, strtoul(argv[4], NULL, 10));
    } else {
        fputs("usage: hash SAMPLES [NAME…] | dump SAMPLES NAME BLOCK | edges\n", stderr);
        return 2;
    }
    return fflush(stdout) || ferror(stdout) ? 3 : 0;
}
