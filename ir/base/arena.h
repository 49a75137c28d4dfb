/* Memory of one compilation: allocated piece by piece, freed as a whole.
 *
 * Running out (of memory, or of the limit) does not return: it jumps to the public function that
 * was called, which set `out` with setjmp and answers ACTC_E_MEMORY. So nobody checks, and nobody
 * may hold a lock or an object of a foreign library (LLVM, a FILE) across an allocation. */
#ifndef ACTC_ARENA_H
#define ACTC_ARENA_H

#include <setjmp.h>
#include <stddef.h>

/* Where memory comes from. `resize(user, p, n)` is realloc; n = 0 frees. */
typedef struct {
    void *(*resize)(void *user, void *p, size_t n);
    void *user;
} Allocator;

extern const Allocator allocator_libc;

typedef struct ArenaChunk ArenaChunk;

typedef struct {
    ArenaChunk *chunks;
    char *at, *end;
    size_t used, limit; /* bytes taken from the allocator, and how many may be */
    Allocator from;
    jmp_buf *out;
} Arena;

/* `limit` 0 means none. */
void arena_init(Arena *a, Allocator from, size_t limit, jmp_buf *out);
void arena_free(Arena *a);

/* Zeroed, aligned to 16 bytes, never NULL. */
void *arena_alloc(Arena *a, size_t size);
void *arena_array(Arena *a, size_t count, size_t size);
/* A copy of n bytes, with a NUL behind them. */
char *arena_copy(Arena *a, const char *s, size_t n);
char *arena_strdup(Arena *a, const char *s);

#define ARENA_NEW(a, T)      ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_array((a), (n), sizeof(T)))

/* Makes room for one more element in a growing array of the arena: `p` has `n` elements and room
 * for `*cap`. */
void *arena_grow(Arena *a, void *p, size_t n, size_t *cap, size_t size);
#define ARENA_PUSH(a, p, n, cap) ((p) = arena_grow((a), (p), (n), &(cap), sizeof *(p)), &(p)[(n)++])

#endif
