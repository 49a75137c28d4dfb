/* Where libFuzzer is not there: mutate SECONDS FILE… feeds the harness with the files and with
 * random edits of them. The same seed makes the same edits; what breaks it is in the file
 * `crash-input` of the current folder. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 4096 };

typedef struct {
    uint8_t bytes[LARGEST];
    size_t size;
} Text;

static uint64_t state = 1;

static size_t pick(size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return n ? (size_t)(state >> 33) % n : 0;
}

static void replace(Text *t, size_t at, size_t gone, const uint8_t *with, size_t n) {
    if (t->size - gone + n > LARGEST) return;
    memmove(t->bytes + at + n, t->bytes + at + gone, t->size - at - gone);
    memmove(t->bytes + at, with, n);
    t->size += n - gone;
}

static void edit(Text *t, const Text *all, size_t count) {
    static const char *const pieces[] = {"(",        ")",          "[",      "]",
                                         ",",        ";",          "=",      " = ",
                                         "where ",   " grad x = ", "learn ", "use \"a.act\"\n",
                                         "\f",       "->",         "?",      ":",
                                         "x",        "f(x) = ",    "1e9",    "..",
                                         "*",        "^",          "-",      "\n",
                                         "\"",       "#",          "##",     "sum[d]",
                                         "\xff",     "α",          "√",      "normal()",
                                         "elu(0.5)", "not ",       "<",      "and "};
    uint8_t piece[LARGEST];
    const size_t at = pick(t->size + 1), left = t->size - at;
    const Text *other = &all[pick(count)];
    const size_t from = pick(other->size),
                 n = pick(other->size - from < 64 ? other->size - from : 64);
    switch (pick(5)) {
    case 0:
        replace(t, at, pick(left < 16 ? left + 1 : 16), t->bytes, 0);
        break;
    case 1: {
        const char *p = pieces[pick(sizeof pieces / sizeof *pieces)];
        replace(t, at, 0, (const uint8_t *)p, strlen(p));
        break;
    }
    case 2:
        if (left) t->bytes[at] = (uint8_t)pick(256);
        break;
    case 3:
        replace(t, at, pick(left < 64 ? left + 1 : 64), other->bytes + from, n);
        break;
    case 4:
        memcpy(piece, t->bytes + at, left < 64 ? left : 64);
        replace(t, pick(t->size + 1), 0, piece, left < 64 ? left : 64);
        break;
    }
}

static void try_one(const Text *t) {
    FILE *f = fopen("crash-input", "wb");
    if (f) {
        fwrite(t->bytes, 1, t->size, f);
        fclose(f);
    }
    LLVMFuzzerTestOneInput(t->bytes, t->size);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fputs("usage: mutate SECONDS FILE…\n", stderr);
        return 2;
    }
    const time_t end = time(NULL) + atoi(argv[1]);
    const size_t count = (size_t)argc - 2;
    Text *all = calloc(count + 1, sizeof *all);
    if (!all) return 3;
    for (size_t i = 0; i < count; i++) {
        FILE *f = fopen(argv[i + 2], "rb");
        if (!f) {
            perror(argv[i + 2]);
            return 3;
        }
        all[i].size = fread(all[i].bytes, 1, LARGEST, f);
        fclose(f);
        try_one(&all[i]);
    }
    size_t runs = count;
    Text *t = &all[count];
    while (time(NULL) < end)
        for (int i = 0; i < 20; i++, runs++) {
            *t = all[pick(count)];
            for (size_t edits = 1 + pick(6); edits > 0; edits--) edit(t, all, count);
            try_one(t);
        }
    remove("crash-input");
    printf("%zu texts\n", runs);
    free(all);
    return 0;
}
