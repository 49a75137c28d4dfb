/* Files: a whole text in, and results out in one piece or not at all. */
#ifndef ACTC_CLI_IO_H
#define ACTC_CLI_IO_H

#include <stdbool.h>
#include <stddef.h>

/* What went wrong with a file; the caller knows its name. */
typedef struct {
    bool machine; /* the machine's failure, not the content's */
    char text[400];
} IoError;

/* Fills `e` and gives false, so that a function can end in it. */
bool io_fail(IoError *e, bool machine, const char *fmt, ...);
/* The same, with errno's text: "cannot open it: No such file or directory". */
bool io_fail_errno(IoError *e, const char *what);

/* Up to `n` bytes of a file or a pipe, fewer only at its end. */
bool io_read_some(int fd, void *data, size_t n, size_t *got, IoError *e);
/* The first `limit` bytes of a file ("-": standard input), or all; a NUL follows, which is not counted;
 * free() it. */
bool io_read_text(const char *path, size_t limit, char **text, size_t *length, IoError *e);

/* A file to be: written under another name in the same folder, then renamed, so that a file of that
 * name is complete or as it was. What is no regular file (a terminal, a pipe, /dev/null; "-" is
 * standard output) is written straight. */
typedef struct {
    int fd; /* -1: not open */
    bool straight;
    char *path;      /* where it goes, links followed */
    char *temporary; /* NULL: there is none, or no longer */
} OutFile;

/* Whether writing to `path` goes straight to a device or a pipe. */
bool out_is_straight(const char *path);
bool out_open(OutFile *f, const char *path, IoError *e);
bool out_write(OutFile *f, const void *data, size_t n, IoError *e);
/* Closes it, with all data handed to the system; then out_commit gives it its name. */
bool out_close(OutFile *f, IoError *e);
bool out_commit(OutFile *f, IoError *e);
/* Ends it in whatever state; a temporary that was not committed is removed. */
void out_end(OutFile *f);

#endif
