/* See intern.h. */
#include "base/intern.h"

#include <string.h>

uint64_t hash_bytes(const void *p, size_t n, uint64_t seed) {
    const unsigned char *s = p;
    uint64_t h = seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) h = (h ^ s[i]) * 0x100000001b3u;
    return h ^ (h >> 32);
}

void intern_init(Intern *in, Arena *arena) {
    *in = (Intern){.arena = arena, .cap = 64};
    in->slots = ARENA_ARRAY(arena, const char *, in->cap);
}

static void grow(Intern *in) {
    const size_t cap = in->cap * 2;
    const char **slots = ARENA_ARRAY(in->arena, const char *, cap);
    for (size_t i = 0; i < in->cap; i++) {
        const char *s = in->slots[i];
        if (!s) continue;
        size_t at = hash_bytes(s, strlen(s), 0) & (cap - 1);
        while (slots[at]) at = (at + 1) & (cap - 1);
        slots[at] = s;
    }
    in->slots = slots;
    in->cap = cap;
}

/* Where the text is, or the free slot where it belongs. */
static size_t find(const Intern *in, const char *s, size_t n, uint64_t hash) {
    size_t at = hash & (in->cap - 1);
    for (; in->slots[at]; at = (at + 1) & (in->cap - 1))
        if (strncmp(in->slots[at], s, n) == 0 && in->slots[at][n] == 0) break;
    return at;
}

const char *intern_text(Intern *in, const char *s, size_t n) {
    const uint64_t hash = hash_bytes(s, n, 0);
    for (const Intern *up = in->parent; up; up = up->parent) {
        const char *known = up->slots[find(up, s, n, hash)];
        if (known) return known;
    }
    if (in->count * 2 >= in->cap) grow(in);
    const size_t at = find(in, s, n, hash);
    if (in->slots[at]) return in->slots[at];
    in->count++;
    return in->slots[at] = arena_copy(in->arena, s, n);
}

const char *intern_name(Intern *in, const char *s) { return intern_text(in, s, strlen(s)); }
