/* Linking a shared library: the object goes into a folder of its own, the system's compiler driver
 * links it there, and the result is read back, so that it is written as any other output is. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MOST_WORDS = 64 };

typedef struct {
    char folder[4096], object[4096 + 16], library[4096 + 16];
} Workshop;

static bool open_workshop(Workshop *w, IoError *e) {
    const char *where = getenv("TMPDIR");
    if (!where || !*where) where = "/tmp";
    *w = (Workshop){.folder = ""};
    const int n = snprintf(w->folder, sizeof w->folder, "%s/actc-XXXXXX", where);
    if (n < 0 || n >= (int)sizeof w->folder || !mkdtemp(w->folder)) {
        w->folder[0] = '\0';
        return io_fail(e, true, "cannot make a temporary folder in '%.200s': %s", where,
                       strerror(errno));
    }
    snprintf(w->object, sizeof w->object, "%s/object.o", w->folder);
    snprintf(w->library, sizeof w->library, "%s/library.so", w->folder);
    return true;
}

static void close_workshop(const Workshop *w) {
    if (!w->folder[0]) return;
    unlink(w->object);
    unlink(w->library);
    rmdir(w->folder);
}

static bool write_object(const Workshop *w, const actc_bytes *object, IoError *e) {
    OutFile f = {.fd = open(w->object, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    const bool ok = f.fd >= 0 || io_fail_errno(e, "cannot make a temporary file");
    const bool written = ok && out_write(&f, object->data, object->size, e) && out_close(&f, e);
    out_end(&f);
    return written;
}

/* Its standard output is ours for errors: what this command prints is its own. */
static int spawn(char **words, pid_t *child) {
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error) return error;
    error = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!error) error = posix_spawnp(child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool run_linker(char **words, IoError *e) {
    pid_t child;
    int status = 0;
    const int error = spawn(words, &child);
    if (error)
        return io_fail(e, true,
                       "cannot run '%.200s', which links it: %s; install a C compiler or say in CC "
                       "which one to take",
                       words[0], strerror(error));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return io_fail_errno(e, "cannot wait for the linker");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    return io_fail(e, true, "'%.200s -shared' could not link it", words[0]);
}

/* $CC may carry options, as in make: CC="gcc -m64". */
static bool link_in(const Workshop *w, IoError *e) {
    const char *given = getenv("CC");
    char text[4096], *words[MOST_WORDS + 8], *rest = NULL;
    size_t n = 0;
    snprintf(text, sizeof text, "%s", given ? given : "");
    for (char *s = strtok_r(text, " \t", &rest); s && n < MOST_WORDS;
         s = strtok_r(NULL, " \t", &rest))
        words[n++] = s;
    char cc[] = "cc", shared[] = "-shared", output[] = "-o";
    if (!n) words[n++] = cc;
    char object[sizeof w->object], library[sizeof w->library];
    memcpy(object, w->object, sizeof object);
    memcpy(library, w->library, sizeof library);
    words[n++] = shared;
    words[n++] = output;
    words[n++] = library;
    words[n++] = object;
    words[n] = NULL;
    return run_linker(words, e);
}

bool link_shared(const actc_bytes *object, char **library, size_t *size, IoError *e) {
    Workshop w;
    const bool ok = open_workshop(&w, e) && write_object(&w, object, e) && link_in(&w, e) &&
                    io_read_text(w.library, (size_t)1 << 40, library, size, e);
    close_workshop(&w);
    return ok;
}
