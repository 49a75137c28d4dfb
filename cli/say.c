/* What the command line says on stderr. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void say_error(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("actc: error: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
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
    const char *text = diagnostics ? actc_diagnostics_text(diagnostics) : "";
    const size_t n = strlen(text);
    /* What concerns no place of a text begins with its severity. */
    if (!strncmp(text, "error: ", 7)) fputs("actc: ", stderr);
    fputs(text, stderr);
    if (n && text[n - 1] != '\n') fputc('\n', stderr);
    if (!n && status != ACTC_OK) say_error("%s: %s", what, actc_status_text(status));
    if (status == ACTC_E_INTERNAL) fputs("This is a bug in actc; please report it.\n", stderr);
    actc_diagnostics_release(diagnostics);
    return exit_of(status);
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
