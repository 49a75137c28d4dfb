/* Diagnostics as the caller gets them: text that outlives the compilation. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

/* A list that could not be allocated is not worth failing for: the status says enough. */
static void set_text(actc_diagnostics **out, const char *text, size_t n) {
    actc_diagnostics *d = malloc(sizeof *d);
    char *copy = malloc(n + 1);
    if (!d || !copy) {
        free(d);
        free(copy);
        return;
    }
    memcpy(copy, text, n);
    copy[n] = 0;
    d->text = copy;
    actc_diagnostics_release(*out);
    *out = d;
}

actc_status fail(actc_diagnostics **out, actc_status status, const char *fmt, ...) {
    if (!out) return status;
    char text[1024];
    va_list args;
    va_start(args, fmt);
    const int head = snprintf(text, sizeof text, "error: ");
    int n = vsnprintf(text + head, sizeof text - (size_t)head - 1, fmt, args);
    va_end(args);
    n = n < 0 ? head : head + n;
    if (n > (int)sizeof text - 2) n = (int)sizeof text - 2;
    text[n] = '\n';
    set_text(out, text, (size_t)n + 1);
    return status;
}

void export_diagnostics(const Diags *d, actc_diagnostics **out) {
    if (!out || d->count == 0) return;
    Buf text;
    buf_init(&text, d->arena);
    diags_text(d, &text);
    set_text(out, text.s, text.len);
}

const char *actc_diagnostics_text(const actc_diagnostics *d) { return d ? d->text : ""; }

void actc_diagnostics_release(actc_diagnostics *d) {
    if (!d) return;
    free(d->text);
    free(d);
}

actc_status give_text(const Buf *b, char **out) {
    *out = malloc(b->len + 1);
    if (!*out) return ACTC_E_MEMORY;
    memcpy(*out, b->s, b->len + 1);
    return ACTC_OK;
}
