/* The header of an emitted C file: include guard, extern "C", one prototype for each plan. */
#include "c.h"

#include <ctype.h>
#include <string.h>

static void guard(const char *base, Buf *out) {
    const char *s = strrchr(base, '/') ? strrchr(base, '/') + 1 : base;
    buf_puts(out, "ACTC_");
    for (; *s; s++)
        buf_putc(out, isalnum((unsigned char)*s) ? (char)toupper((unsigned char)*s) : '_');
    buf_puts(out, "_H");
}

void c_header(const Plan *const *plans, size_t n, const CFile *file, Buf *out) {
    buf_puts(out, "/* Made by actc. Arrays hold n elements, contiguous; an output may be the same "
                  "array as an input,\n"
                  " * but arrays must not overlap otherwise. The functions may be called from any "
                  "thread.");
    Buf halves;
    buf_init(&halves, out->arena);
    c_halves_comment(plans, n, " * ", &halves);
    while (halves.len && halves.s[halves.len - 1] == '\n') halves.s[--halves.len] = 0;
    buf_printf(out, "%s%s */\n#ifndef ", halves.len ? "\n" : "", halves.s);
    guard(file->base, out);
    buf_puts(out, "\n#define ");
    guard(file->base, out);
    buf_puts(out, "\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern "
                  "\"C\" {\n#endif\n\n");
    for (size_t i = 0; i < n; i++) {
        Buf prototype;
        buf_init(&prototype, out->arena);
        c_prototype(plans[i], c_argument_names(plans[i]), &prototype);
        buf_putc(&prototype, ';');
        write_line(prototype.s, 0, out);
    }
    buf_puts(out, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}
