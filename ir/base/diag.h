/* What is wrong with a source text, as data and as text.
 *
 * A Loc is a range of bytes of one source. Only this file knows lines, columns and carets. Messages
 * are rows of diag.def. Nothing is printed here: `diag_text` makes the text that a person reads. */
#ifndef ACTC_DIAG_H
#define ACTC_DIAG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"

typedef struct {
    uint32_t source;     /* index into Diags.sources */
    uint32_t begin, end; /* bytes; end is behind the last one */
} Loc;

/* A note belongs to the item before it; a remark is a note that stands alone. */
typedef enum { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE, DIAG_REMARK } Severity;

typedef enum {
#define DIAG(id, severity, text) DIAG_##id,
#include "base/diag.def"
#undef DIAG
    DIAG_COUNT
} DiagId;

typedef struct {
    const char *name; /* as the user knows it: a path, "<stdin>", "<command line>" */
    const char *text; /* ends in a NUL, which is not counted */
    size_t len;
    bool internal; /* the standard library: its name is shown, its place is not the user's */
} Source;

typedef struct {
    DiagId id;
    Severity severity;
    Loc loc;
    const char *text;
} Diag;

typedef struct {
    Arena *arena;
    Source *sources;
    size_t nsources, sources_cap;
    Diag *items; /* in the order of reporting; notes stand behind what they explain */
    size_t count, cap;
    size_t errors;
} Diags;

/* After this many errors no more are recorded. */
enum { DIAG_MAX_ERRORS = 100 };

void diags_init(Diags *d, Arena *arena);
/* Copies nothing: name and text must live as long as `d`. Returns the index for Loc.source. */
uint32_t diags_add_source(Diags *d, Source source);

/* Records a row of diag.def with its text filled in. A DIAG_NOTE row belongs to the item before it.
 */
void diag_report(Diags *d, Loc loc, DiagId id, ...);

/* Puts the items from index `from` on, each with its notes, in the order of their places. */
void diags_sort(Diags *d, size_t from);

/* 1-based line and column of a byte; the column counts characters as a terminal shows them. */
void diag_place(const Diags *d, Loc loc, unsigned *line, unsigned *column);
/* The source line and a caret under the range; nothing where a line would tell nothing. */
void diag_excerpt(const Diags *d, const Diag *item, Buf *out);
/* "error", "warning", "note"; and which row it is, as machines read it: "unknown-function". */
const char *diag_severity(Severity severity);
void diag_name(DiagId id, Buf *out);
/* `file.act:3:17: error: …` and the excerpt; one item, or all of them. */
void diag_text(const Diags *d, const Diag *item, Buf *out);
void diags_text(const Diags *d, Buf *out);

/* The candidate nearest to `name` if it is near enough to be a slip of the pen, else `best`. Call
 * with best = NULL for the first candidate and the last answer for each next one. */
const char *diag_nearer(const char *name, const char *candidate, const char *best);

#endif
