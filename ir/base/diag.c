/* See diag.h. A source line is shown with its tabs as spaces and cut to a window around the range,
 * so that the caret stands right whatever the characters, and a line of 16 MB costs no more than
 * another. */
#include "base/diag.h"

#include <string.h>

typedef struct {
    const char *name;
    Severity severity;
    const char *text;
} Row;

static const Row rows[DIAG_COUNT] = {
#define DIAG(id, severity, text) {#id, DIAG_##severity, text},
#include "base/diag.def"
#undef DIAG
};

enum {
    TAB = 8,           /* distance of tab stops */
    WINDOW = 100,      /* columns of a source line that are shown */
    WINDOW_BEFORE = 60 /* of these, at most so many bytes before the range */
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

void diags_init(Diags *d, Arena *arena) { *d = (Diags){.arena = arena}; }

uint32_t diags_add_source(Diags *d, Source source) {
    *ARENA_PUSH(d->arena, d->sources, d->nsources, d->sources_cap) = source;
    return (uint32_t)(d->nsources - 1);
}

static void record(Diags *d, Loc loc, DiagId id, va_list args) {
    Buf text;
    buf_init(&text, d->arena);
    buf_vprintf(&text, rows[id].text, args);
    *ARENA_PUSH(d->arena, d->items, d->count, d->cap) =
        (Diag){.id = id, .severity = rows[id].severity, .loc = loc, .text = text.s};
}

static void record_row(Diags *d, Loc loc, DiagId id, ...) {
    va_list args;
    va_start(args, id);
    record(d, loc, id, args);
    va_end(args);
}

void diag_report(Diags *d, Loc loc, DiagId id, ...) {
    if (rows[id].severity == DIAG_ERROR) d->errors++;
    /* Warnings are bounded too: `count` holds everything. */
    if (d->errors > DIAG_MAX_ERRORS || d->count > 8 * DIAG_MAX_ERRORS) {
        if (d->count && d->items[d->count - 1].id != DIAG_NOTE_TOO_MANY)
            record_row(d, loc, DIAG_NOTE_TOO_MANY,
                       d->errors > DIAG_MAX_ERRORS ? DIAG_MAX_ERRORS : 8 * DIAG_MAX_ERRORS,
                       d->errors > DIAG_MAX_ERRORS ? "errors" : "messages");
        return;
    }
    va_list args;
    va_start(args, id);
    record(d, loc, id, args);
    va_end(args);
}

void diags_sort(Diags *d, size_t from) {
    const size_t n = d->count;
    Diag *sorted = ARENA_ARRAY(d->arena, Diag, n + 1);
    Diag *const items = d->items;
    size_t done = 0; /* by insertion: there are few hundred at most */
    for (size_t i = from, size; i < n; i += size) {
        size = 1;
        while (i + size < n && items[i + size].severity == DIAG_NOTE) size++;
        const Loc at = items[i].loc;
        size_t place = done;
        for (size_t k = done; k-- > 0;) {
            if (sorted[k].severity == DIAG_NOTE) continue;
            const Loc other = sorted[k].loc;
            if (other.source < at.source || (other.source == at.source && other.begin <= at.begin))
                break;
            place = k;
        }
        memmove(sorted + place + size, sorted + place, (done - place) * sizeof *sorted);
        memcpy(sorted + place, items + i, size * sizeof *sorted);
        done += size;
    }
    if (done) memcpy(items + from, sorted, done * sizeof *sorted);
}

/* One character of UTF-8 at s, which has n > 0 bytes; anything invalid is one byte, shown as
 * U+FFFD. */
static size_t decode(const char *s, size_t n, uint32_t *c) {
    const unsigned char *u = (const unsigned char *)s;
    *c = 0xfffd;
    const size_t len = u[0] < 0x80   ? 1
                       : u[0] < 0xc2 ? 0
                       : u[0] < 0xe0 ? 2
                       : u[0] < 0xf0 ? 3
                       : u[0] < 0xf5 ? 4
                                     : 0;
    if (len == 0 || len > n) return 1;
    uint32_t v = len == 1 ? u[0] : u[0] & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++) {
        if ((u[i] & 0xc0) != 0x80) return 1;
        v = v << 6 | (u[i] & 0x3f);
    }
    *c = v;
    return len;
}

/* Cells that a terminal needs for a character: the wide blocks of East Asia and pictures 2,
 * combining marks 0. */
static unsigned width(uint32_t c) {
    static const struct {
        uint32_t lo, hi;
        unsigned width;
    } odd[] = {{0x0300, 0x036f, 0},   {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},
               {0x200b, 0x200f, 0},   {0x20d0, 0x20ff, 0},   {0x2e80, 0x303e, 2},
               {0x3041, 0x4dbf, 2},   {0x4e00, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},
               {0xf900, 0xfaff, 2},   {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},
               {0xff00, 0xff60, 2},   {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2},
               {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2}, {0x20000, 0x3fffd, 2}};
    if (c < odd[0].lo) return 1;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (c >= odd[i].lo && c <= odd[i].hi) return odd[i].width;
    return 1;
}

/* The bytes of the line that holds loc.begin, without its end. */
static void find_line(const Source *s, Loc loc, size_t *begin, size_t *end) {
    size_t b = loc.begin < s->len ? loc.begin : s->len, e = b;
    while (b > 0 && s->text[b - 1] != '\n') b--;
    if (b == 0 && s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0)
        b = e = loc.begin > 3 ? e : 3, b = 3; /* a byte order mark is no character of it */
    const char *newline = memchr(s->text + e, '\n', s->len - e);
    e = newline ? (size_t)(newline - s->text) : s->len;
    if (e > b && s->text[e - 1] == '\r') e--;
    *begin = b;
    *end = e;
}

void diag_place(const Diags *d, Loc loc, unsigned *line, unsigned *column) {
    const Source *s = &d->sources[loc.source];
    size_t begin, end;
    find_line(s, loc, &begin, &end);
    *line = *column = 1;
    for (const char *p = s->text; (p = memchr(p, '\n', (size_t)(s->text + begin - p))); p++)
        ++*line;
    for (size_t i = begin; i < loc.begin && i < end;) {
        if ((unsigned char)s->text[i] < 0x80) { /* lines may be long */
            ++*column;
            i++;
            continue;
        }
        uint32_t c;
        i += decode(s->text + i, s->len - i, &c);
        if (width(c) > 0) ++*column;
    }
}

static void put_cells(Buf *out, char c, unsigned n) {
    while (n--) buf_putc(out, c);
}

/* The source line and the caret range below it. */
static void show_line(const Source *s, Loc loc, unsigned line, Buf *out) {
    size_t begin, end;
    find_line(s, loc, &begin, &end);
    size_t at = begin;
    if (loc.begin > begin + WINDOW_BEFORE && end - begin > WINDOW) {
        at = loc.begin - WINDOW_BEFORE;
        while (at > begin && ((unsigned char)s->text[at] & 0xc0) == 0x80) at--;
    }
    buf_printf(out, "%5u | ", line);
    unsigned column = 0, from = 0, to = 0; /* cells; the range is [from, to) */
    bool open = false, closed = false;
    if (at > begin) {
        buf_puts(out, "…");
        column++;
    }
    while (at < end && column < WINDOW) {
        uint32_t c;
        const size_t len = decode(s->text + at, s->len - at, &c);
        if (!open && at + len > loc.begin) from = column, open = true;
        if (!closed && at >= loc.end && open) to = column, closed = true;
        if (c == '\t') {
            const unsigned n = TAB - column % TAB;
            put_cells(out, ' ', n);
            column += n;
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0xfffd) {
            buf_puts(out, "\xef\xbf\xbd");
            column++;
        } else {
            buf_write(out, s->text + at, len);
            column += width(c);
        }
        at += len;
    }
    if (!open) from = column;
    if (!closed) to = column;
    if (at < end) buf_puts(out, "…");
    buf_puts(out, "\n      | ");
    put_cells(out, ' ', from);
    buf_putc(out, '^');
    if (to > from + 1) put_cells(out, '~', to - from - 1);
    buf_putc(out, '\n');
}

const char *diag_severity(Severity severity) {
    static const char *const names[] = {"error", "warning", "note", "note"};
    return names[severity];
}

void diag_name(DiagId id, Buf *out) {
    for (const char *s = rows[id].name; *s; s++) buf_putc(out, *s == '_' ? '-' : lower(*s));
}

void diag_excerpt(const Diags *d, const Diag *item, Buf *out) {
    unsigned line, column;
    if (item->id == DIAG_NOTE_TOO_MANY || item->id == DIAG_FILE_TOO_LARGE) return;
    diag_place(d, item->loc, &line, &column);
    show_line(&d->sources[item->loc.source], item->loc, line, out);
}

void diag_text(const Diags *d, const Diag *item, Buf *out) {
    unsigned line, column;
    diag_place(d, item->loc, &line, &column);
    buf_printf(out, "%s:%u:%u: %s: %s\n", d->sources[item->loc.source].name, line, column,
               diag_severity(item->severity), item->text);
    diag_excerpt(d, item, out);
}

void diags_text(const Diags *d, Buf *out) {
    for (size_t i = 0; i < d->count; i++) diag_text(d, &d->items[i], out);
}

enum { NEARER_MAX = 40 }; /* longer names are not compared */

/* Edits that make b of a: insert, delete, replace, swap neighbours (optimal string alignment). A
 * change of case alone is no edit. */
static unsigned distance(const char *a, size_t n, const char *b, size_t m) {
    unsigned rows3[3][NEARER_MAX + 1];
    unsigned *before = rows3[0], *last = rows3[1], *row = rows3[2];
    for (size_t j = 0; j <= m; j++) last[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            unsigned best = last[j - 1] + !same;
            if (last[j] + 1 < best) best = last[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]) && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        unsigned *const spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[m];
}

const char *diag_nearer(const char *name, const char *candidate, const char *best) {
    const size_t n = strlen(name), m = strlen(candidate);
    if (n == 0 || m == 0 || n > NEARER_MAX || m > NEARER_MAX) return best;
    /* A slip: one edit in a short name, about one in three characters in a longer one; a name of
     * one letter is never taken for another. */
    const unsigned allowed = n < 3 ? (n == 2) : n < 6 ? 1 : n < 9 ? 2 : 3;
    if (n + allowed < m || m + allowed < n) return best;
    const unsigned here = distance(name, n, candidate, m);
    if (here > allowed || here >= (n < m ? m : n)) return best;
    return best && distance(name, n, best, strlen(best)) <= here ? best : candidate;
}
