/* Names: equal text is one pointer, so names are compared with ==. */
#ifndef ACTC_INTERN_H
#define ACTC_INTERN_H

#include <stdint.h>

#include "base/arena.h"

typedef struct Intern {
    Arena *arena;
    const struct Intern *parent; /* or NULL: its names are these too; it must not change any more */
    const char **slots;          /* open addressing; cap is a power of two */
    size_t count, cap;
} Intern;

void intern_init(Intern *in, Arena *arena);
/* The one copy of these n bytes, ended by a NUL. */
const char *intern_text(Intern *in, const char *s, size_t n);
const char *intern_name(Intern *in, const char *s);

/* FNV-1a over bytes; `seed` chains. */
uint64_t hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
