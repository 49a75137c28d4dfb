/* Takes memory in growing chunks from an allocator and gives it out by bumping a pointer. */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct ArenaChunk {
    ArenaChunk *next;
    size_t size;
};

enum { ALIGN = 16, FIRST_CHUNK = 16 * 1024, LARGEST_CHUNK = 1024 * 1024 };

static void *libc_resize(void *user, void *p, size_t n) {
    (void)user;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, n);
}

const Allocator allocator_libc = {libc_resize, NULL};

void arena_init(Arena *a, Allocator from, size_t limit, jmp_buf *out) {
    *a = (Arena){.from = from, .limit = limit, .out = out};
}

void arena_free(Arena *a) {
    for (ArenaChunk *c = a->chunks, *next; c; c = next) {
        next = c->next;
        a->from.resize(a->from.user, c, 0);
    }
    a->chunks = NULL;
    a->at = a->end = NULL;
    a->used = 0;
}

static size_t round_up(size_t n) { return (n + (ALIGN - 1)) & ~(size_t)(ALIGN - 1); }

static void add_chunk(Arena *a, size_t need) {
    const size_t head = round_up(sizeof(ArenaChunk));
    size_t size = a->chunks ? a->chunks->size * 2 : FIRST_CHUNK;
    if (size > LARGEST_CHUNK) size = LARGEST_CHUNK;
    if (need > SIZE_MAX / 2 - head) longjmp(*a->out, 1);
    if (size < need + head) size = need + head;
    if (a->limit && size > a->limit - a->used) longjmp(*a->out, 1);
    ArenaChunk *c = a->from.resize(a->from.user, NULL, size);
    if (!c) longjmp(*a->out, 1);
    a->used += size;
    c->size = size;
    c->next = a->chunks;
    a->chunks = c;
    a->at = (char *)c + head;
    a->end = (char *)c + size;
}

void *arena_alloc(Arena *a, size_t size) {
    if (size > SIZE_MAX / 2) longjmp(*a->out, 1);
    size = round_up(size ? size : 1);
    if ((size_t)(a->end - a->at) < size) add_chunk(a, size);
    void *p = a->at;
    a->at += size;
    return memset(p, 0, size);
}

void *arena_array(Arena *a, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) longjmp(*a->out, 1);
    return arena_alloc(a, count * size);
}

char *arena_copy(Arena *a, const char *s, size_t n) {
    char *p = arena_alloc(a, n + 1);
    if (n) memcpy(p, s, n);
    return p;
}

char *arena_strdup(Arena *a, const char *s) { return arena_copy(a, s, strlen(s)); }

void *arena_grow(Arena *a, void *p, size_t n, size_t *cap, size_t size) {
    if (n < *cap) return p;
    const size_t more = *cap ? *cap * 2 : 8;
    void *q = arena_array(a, more, size);
    if (n) memcpy(q, p, n * size);
    *cap = more;
    return q;
}
