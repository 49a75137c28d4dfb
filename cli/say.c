/* What the command line says on stderr. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How this process talks: set once, when its arguments are read. */
static bool as_json, in_color, say_remarks;

void say_style(bool json, ColorMode color, bool remarks) {
    const char *none = getenv("NO_COLOR"), *terminal = getenv("TERM");
    const bool able =
        isatty(STDERR_FILENO) && !(none && *none) && !(terminal && !strcmp(terminal, "dumb"));
    as_json = json;
    say_remarks = remarks;
    in_color = color == COLOR_ALWAYS || (color == COLOR_AUTO && able);
}

/* ---- JSON ---- */

/* The length of the UTF-8 character at s; 0 if it is none. */
static size_t utf8_length(const unsigned char *s) {
    const size_t n = *s < 0x80   ? 1
                     : *s < 0xc2 ? 0
                     : *s < 0xe0 ? 2
                     : *s < 0xf0 ? 3
                     : *s < 0xf5 ? 4
                                 : 0;
    for (size_t i = 1; i < n; i++)
        if (s[i] >> 6 != 2) return 0;
    if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] >= 0xa0)) return 0;
    return (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] >= 0x90) ? 0 : n;
}

static void put_json(const char *key, const char *text) {
    fprintf(stderr, "\"%s\": \"", key);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        const size_t n = utf8_length(s);
        if (n == 0)
            fputs("\\ufffd", stderr);
        else if (*s == '"' || *s == '\\')
            fprintf(stderr, "\\%c", *s);
        else if (*s < 0x20)
            fprintf(stderr, "\\u%04x", *s);
        else
            fwrite(s, 1, n, stderr);
        s += n ? n : 1;
    }
    fputc('"', stderr);
}

static const char *const severities[] = {
    [ACTC_ERROR] = "error", [ACTC_WARNING] = "warning", [ACTC_NOTE] = "note"};

static void put_object(const actc_diagnostic *d) {
    fputc('{', stderr);
    put_json("severity", severities[d->severity]);
    if (*d->id) fputs(", ", stderr), put_json("id", d->id);
    if (d->file) {
        fputs(", ", stderr);
        put_json("file", d->file);
        if (d->line)
            fprintf(stderr,
                    ", \"line\": %u, \"column\": %u, \"endLine\": %u, \"endColumn\": %u, "
                    "\"begin\": %zu, \"end\": %zu",
                    d->line, d->column, d->end_line, d->end_column, d->begin, d->end);
    }
    fputs(", ", stderr);
    put_json("message", d->message);
    fputs("}\n", stderr);
}

/* ---- text ---- */

static void put_colored(const char *color, const char *text) {
    if (in_color)
        fprintf(stderr, "\033[%sm%s\033[0m", color, text);
    else
        fputs(text, stderr);
}

static void put_diagnostic(const actc_diagnostic *d) {
    static const char *const colors[] = {
        [ACTC_ERROR] = "1;31", [ACTC_WARNING] = "1;35", [ACTC_NOTE] = "1;36"};
    if (as_json) {
        put_object(d);
        return;
    }
    char place[32] = "";
    if (d->line) snprintf(place, sizeof place, ":%u:%u", d->line, d->column);
    if (in_color) fputs("\033[1m", stderr);
    fprintf(stderr, "%s%s: ", d->file ? d->file : "actc", place);
    put_colored(colors[d->severity], severities[d->severity]);
    if (in_color) fputs("\033[0;1m", stderr);
    fprintf(stderr, ": %s", d->message);
    fputs(in_color ? "\033[0m\n" : "\n", stderr);
    /* The second line of an excerpt is the caret's. */
    const char *newline = strchr(d->excerpt, '\n'), *caret = newline ? strchr(newline, '^') : NULL;
    if (!in_color || !caret) {
        fputs(d->excerpt, stderr);
        return;
    }
    fwrite(d->excerpt, 1, (size_t)(caret - d->excerpt), stderr);
    fprintf(stderr, "\033[1;32m%.*s\033[0m\n", (int)strcspn(caret, "\n"), caret);
}

void say_error(const char *fmt, ...) {
    char text[2000];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    put_diagnostic(
        &(actc_diagnostic){.severity = ACTC_ERROR, .id = "", .message = text, .excerpt = ""});
}

void say_file_error(const char *file, const char *text) {
    put_diagnostic(&(actc_diagnostic){
        .severity = ACTC_ERROR, .id = "", .file = file, .message = text, .excerpt = ""});
}

static Exit exit_of(actc_status status) {
    switch (status) {
    case ACTC_OK:
        return EXIT_DONE;
    case ACTC_E_SOURCE:
    case ACTC_E_ARGUMENT:
    case ACTC_E_SHAPE:
    case ACTC_E_NOT_FOUND:
    case ACTC_E_UNSUPPORTED:
        return EXIT_INPUT;
    case ACTC_E_MEMORY:
    case ACTC_E_BACKEND:
    case ACTC_E_SYSTEM:
        return EXIT_MACHINE;
    case ACTC_E_INTERNAL:
        return EXIT_BUG;
    }
    return EXIT_BUG;
}

Exit say_status(actc_status status, actc_diagnostics *diagnostics, const char *what) {
    const size_t n = actc_diagnostics_count(diagnostics);
    bool said = false; /* a note that explains nothing said here is left out: `check` has those */
    for (size_t i = 0; i < n; i++) {
        actc_diagnostic d;
        actc_diagnostics_item(diagnostics, i, &d);
        if (d.severity != ACTC_NOTE)
            said = true;
        else if (!strncmp(d.id, "shadows", 7))
            said = say_remarks;
        if (said) put_diagnostic(&d);
    }
    if (!n && status != ACTC_OK) say_error("%s: %s", what, actc_status_text(status));
    if (status == ACTC_E_INTERNAL && !as_json)
        fputs("This is a bug in actc; please report it.\n", stderr);
    actc_diagnostics_release(diagnostics);
    return exit_of(status);
}

Exit say_text(actc_status status, actc_diagnostics *diagnostics, const char *what, char *text) {
    const Exit ex = say_status(status, diagnostics, what);
    if (ex == EXIT_DONE) {
        const size_t n = strlen(text);
        fputs(text, stdout);
        if (n && text[n - 1] != '\n') putchar('\n');
    }
    actc_text_release(text);
    return ex;
}

/* Edit distance, neighbours exchanged counting as one; names longer than 40 are never slips. */
static size_t distance(const char *a, const char *b) {
    enum { MOST = 40 };
    const size_t n = strlen(a), m = strlen(b);
    size_t row[3][MOST + 1];
    if (n > MOST || m > MOST) return MOST;
    for (size_t j = 0; j <= m; j++) row[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *now = row[i % 3];
        const size_t *above = row[(i + 2) % 3], *twice = row[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t least = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < least) least = above[j] + 1;
            if (now[j - 1] + 1 < least) least = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                twice[j - 2] + 1 < least)
                least = twice[j - 2] + 1;
            now[j] = least;
        }
    }
    return row[n % 3][m];
}

const char *say_nearer(const char *name, const char *candidate, const char *best) {
    const size_t d = distance(name, candidate), n = strlen(name);
    if (d > 1 + n / 4 || d >= strlen(candidate) || d >= n) return best;
    return best && distance(name, best) <= d ? best : candidate;
}
