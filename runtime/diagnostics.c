/* Diagnostics as the caller gets them: text that outlives the compilation. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

/* The items in one piece of memory with their strings; NULL without memory. */
static actc_diagnostic *copy_items(const actc_diagnostic *items, size_t count) {
    size_t size = count * sizeof *items;
    for (size_t i = 0; i < count; i++)
        size += strlen(items[i].id) + strlen(items[i].message) + strlen(items[i].excerpt) + 4 +
                (items[i].file ? strlen(items[i].file) : 0);
    actc_diagnostic *copy = malloc(size + 1);
    if (!copy) return NULL;
    if (count) memcpy(copy, items, count * sizeof *items);
    char *at = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        const char **strings[] = {&copy[i].id, &copy[i].message, &copy[i].excerpt, &copy[i].file};
        for (size_t k = 0; k < 4; k++) {
            if (!*strings[k]) continue;
            const size_t n = strlen(*strings[k]) + 1;
            memcpy(at, *strings[k], n);
            *strings[k] = at;
            at += n;
        }
    }
    return copy;
}

/* A list that could not be allocated is not worth failing for: the status says enough. */
static void set_items(actc_diagnostics **out, const char *text, size_t n,
                      const actc_diagnostic *items, size_t count) {
    actc_diagnostics *d = malloc(sizeof *d);
    char *copy = malloc(n + 1);
    actc_diagnostic *all = copy_items(items, count);
    if (!d || !copy || !all) {
        free(d);
        free(copy);
        free(all);
        return;
    }
    memcpy(copy, text, n);
    copy[n] = 0;
    *d = (actc_diagnostics){copy, all, count};
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
    char message[sizeof text];
    memcpy(message, text + head, (size_t)(n - head));
    message[n - head] = 0;
    const actc_diagnostic item = {
        .severity = ACTC_ERROR, .id = "", .message = message, .excerpt = ""};
    set_items(out, text, (size_t)n + 1, &item, 1);
    return status;
}

static actc_diagnostic describe(const Diags *d, const Diag *item) {
    static const actc_severity severities[] = {[DIAG_ERROR] = ACTC_ERROR,
                                               [DIAG_WARNING] = ACTC_WARNING,
                                               [DIAG_NOTE] = ACTC_NOTE,
                                               [DIAG_REMARK] = ACTC_NOTE};
    Buf id, excerpt;
    buf_init(&id, d->arena);
    buf_init(&excerpt, d->arena);
    diag_name(item->id, &id);
    diag_excerpt(d, item, &excerpt);
    actc_diagnostic out = {.severity = severities[item->severity],
                           .id = id.s,
                           .message = item->text,
                           .excerpt = excerpt.s,
                           .file = d->sources[item->loc.source].name,
                           .begin = item->loc.begin,
                           .end = item->loc.end};
    diag_place(d, item->loc, &out.line, &out.column);
    const Loc end = {item->loc.source, item->loc.end, item->loc.end};
    diag_place(d, end, &out.end_line, &out.end_column);
    /* A combining mark has no column of its own. */
    const bool empty = out.end_line == out.line && out.end_column <= out.column;
    if (empty && out.end > out.begin) out.end_column = out.column + 1;
    return out;
}

void export_diagnostics(const Diags *d, actc_diagnostics **out) {
    if (!out || d->count == 0) return;
    Buf text;
    buf_init(&text, d->arena);
    diags_text(d, &text);
    actc_diagnostic *items = ARENA_ARRAY(d->arena, actc_diagnostic, d->count);
    for (size_t i = 0; i < d->count; i++) items[i] = describe(d, &d->items[i]);
    set_items(out, text.s, text.len, items, d->count);
}

size_t actc_diagnostics_count(const actc_diagnostics *d) { return d ? d->count : 0; }

actc_status actc_diagnostics_item(const actc_diagnostics *d, size_t index, actc_diagnostic *out) {
    if (!out) return ACTC_E_ARGUMENT;
    if (index >= actc_diagnostics_count(d)) return ACTC_E_NOT_FOUND;
    *out = d->items[index];
    return ACTC_OK;
}

const char *actc_diagnostics_text(const actc_diagnostics *d) { return d ? d->text : ""; }

void actc_diagnostics_release(actc_diagnostics *d) {
    if (!d) return;
    free(d->text);
    free(d->items);
    free(d);
}

actc_status give_text(const Allocator *from, const Buf *b, char **out) {
    *out = memory_text(from, b->s, b->len);
    return *out ? ACTC_OK : ACTC_E_MEMORY;
}
