/* Text that grows, in an arena. Always ends in a NUL that is not counted. */
#ifndef ACTC_BUF_H
#define ACTC_BUF_H

#include <stdarg.h>

#include "base/arena.h"
#include "base/compiler.h"

typedef struct {
    Arena *arena;
    char *s;
    size_t len, cap;
} Buf;

void buf_init(Buf *b, Arena *arena);
void buf_putc(Buf *b, char c);
void buf_puts(Buf *b, const char *s);
void buf_write(Buf *b, const char *s, size_t n);
void buf_printf(Buf *b, const char *fmt, ...) ACTC_PRINTF(2, 3);
void buf_vprintf(Buf *b, const char *fmt, va_list args);

#endif
