/* See buf.h. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

static void reserve(Buf *b, size_t more) {
    if (b->cap - b->len > more) return;
    size_t cap = b->cap ? b->cap * 2 : 256;
    while (cap - b->len <= more) cap *= 2;
    char *s = arena_alloc(b->arena, cap);
    memcpy(s, b->s, b->len);
    b->s = s;
    b->cap = cap;
}

void buf_init(Buf *b, Arena *arena) {
    *b = (Buf){.arena = arena, .s = arena_alloc(arena, 16), .cap = 16};
}

void buf_write(Buf *b, const char *s, size_t n) {
    reserve(b, n);
    memcpy(b->s + b->len, s, n);
    b->len += n;
    b->s[b->len] = 0;
}

void buf_putc(Buf *b, char c) { buf_write(b, &c, 1); }

void buf_puts(Buf *b, const char *s) { buf_write(b, s, strlen(s)); }

void buf_vprintf(Buf *b, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    if (n > 0) {
        reserve(b, (size_t)n + 1);
        vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
}

void buf_printf(Buf *b, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    buf_vprintf(b, fmt, args);
    va_end(args);
}
