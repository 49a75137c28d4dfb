/* Reading and writing files, with every failure noticed. */
#include "io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Linux moves at most 2^31 - 4096 bytes a call. */
enum { MOST_AT_ONCE = 1 << 30 };

bool io_fail(IoError *e, bool machine, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    e->machine = machine;
    vsnprintf(e->text, sizeof e->text, fmt, args);
    va_end(args);
    return false;
}

bool io_fail_errno(IoError *e, const char *what) {
    return io_fail(e, true, "%s: %s", what, strerror(errno));
}

bool io_read_some(int fd, void *data, size_t n, size_t *got, IoError *e) {
    *got = 0;
    while (*got < n) {
        const size_t left = n - *got;
        const ssize_t r =
            read(fd, (char *)data + *got, left < MOST_AT_ONCE ? left : (size_t)MOST_AT_ONCE);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return io_fail_errno(e, "cannot read it");
        if (r == 0) break;
        *got += (size_t)r;
    }
    return true;
}

/* Opens what can be read to an end, without waiting for whom a pipe's other end belongs to. */
static int open_text(const char *path, IoError *e) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat s;
    if (fd < 0) {
        io_fail_errno(e, "cannot open it");
        return -1;
    }
    const char *what = NULL;
    if (fstat(fd, &s) == 0 && S_ISDIR(s.st_mode)) what = "it is a folder";
    if (!what && S_ISFIFO(s.st_mode)) what = "it is a pipe: read it with '-' and '<'";
    if (!what) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        return fd;
    }
    close(fd);
    io_fail(e, true, "%s", what);
    return -1;
}

bool io_read_text(const char *path, size_t limit, char **text, size_t *length, IoError *e) {
    const bool standard = !strcmp(path, "-");
    const int fd = standard ? STDIN_FILENO : open_text(path, e);
    if (fd < 0) return false;
    size_t have = 0, room = 1 << 16;
    char *buffer = malloc(room);
    bool ok = buffer || io_fail(e, true, "out of memory");
    while (ok) {
        size_t got;
        const size_t want = (room - 1 < limit ? room - 1 : limit) - have; /* a NUL follows */
        ok = io_read_some(fd, buffer + have, want, &got, e);
        have += got;
        if (!ok || got < want || have == limit) break;
        char *larger = realloc(buffer, room *= 2);
        if (!larger)
            ok = io_fail(e, true, "out of memory");
        else
            buffer = larger;
    }
    if (!standard) close(fd);
    if (!ok) {
        free(buffer);
        return false;
    }
    buffer[have] = '\0';
    *text = buffer;
    *length = have;
    return true;
}

static bool is_stdout(const char *path) {
    return !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
}

/* Names of what this process has open: renaming onto them would miss whoever holds the other end.
 */
static bool is_descriptor(const char *path) {
    return is_stdout(path) || !strcmp(path, "/dev/stderr") || !strncmp(path, "/dev/fd/", 8) ||
           !strncmp(path, "/proc/", 6);
}

bool out_is_straight(const char *path) {
    struct stat s;
    if (is_descriptor(path)) return true;
    return stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode);
}

/* A new file beside f->path. The mode is that of the file it replaces, else what umask leaves, as
 * for any new file; mkstemp's would be private. */
static bool open_temporary(OutFile *f, IoError *e) {
    const char *slash = strrchr(f->path, '/');
    const size_t folder = slash ? (size_t)(slash - f->path) + 1 : 0;
    const size_t size = folder + 64;
    f->temporary = malloc(size);
    if (!f->temporary) return io_fail(e, true, "out of memory");
    memcpy(f->temporary, f->path, folder);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(f->temporary + folder, size - folder, ".actc-%ld-%u.tmp", (long)getpid(), i);
        f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (f->fd >= 0 || errno != EEXIST) break;
    }
    struct stat old;
    if (f->fd >= 0) {
        if (stat(f->path, &old) == 0) (void)fchmod(f->fd, old.st_mode & 0777);
        return true;
    }
    io_fail_errno(e, "cannot write to its folder");
    free(f->temporary);
    f->temporary = NULL;
    return false;
}

bool out_open(OutFile *f, const char *path, IoError *e) {
    struct stat s;
    *f = (OutFile){.fd = -1, .straight = out_is_straight(path)};
    if (f->straight) {
        f->fd = is_stdout(path) ? dup(STDOUT_FILENO) : open(path, O_WRONLY | O_CLOEXEC);
        return f->fd >= 0 || io_fail_errno(e, "cannot open it");
    }
    if (stat(path, &s) == 0 && S_ISDIR(s.st_mode))
        return io_fail(e, true, "cannot write it: it is a folder");
    /* A link stays one: what it points to is replaced. */
    f->path = realpath(path, NULL);
    if (!f->path) f->path = strdup(path);
    if (!f->path) return io_fail(e, true, "out of memory");
    return open_temporary(f, e);
}

bool out_write(OutFile *f, const void *data, size_t n, IoError *e) {
    for (size_t done = 0; done < n;) {
        const size_t left = n - done;
        const ssize_t w = write(f->fd, (const char *)data + done,
                                left < MOST_AT_ONCE ? left : (size_t)MOST_AT_ONCE);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return io_fail_errno(e, "cannot write it");
        done += (size_t)w;
    }
    return true;
}

bool out_close(OutFile *f, IoError *e) {
    const int r = close(f->fd);
    f->fd = -1;
    return r == 0 || io_fail_errno(e, "cannot write it");
}

bool out_commit(OutFile *f, IoError *e) {
    if (f->straight) return true;
    if (rename(f->temporary, f->path) != 0) return io_fail_errno(e, "cannot rename onto it");
    free(f->temporary);
    f->temporary = NULL;
    return true;
}

void out_end(OutFile *f) {
    if (f->fd >= 0) close(f->fd);
    if (f->temporary) unlink(f->temporary);
    free(f->temporary);
    free(f->path);
    *f = (OutFile){.fd = -1};
}
