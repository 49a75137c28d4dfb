/* How `use` reads files. */
#include <stdio.h>
#include <sys/stat.h>

#include "runtime.h"

/* The memory is taken before the file is open: running out of it jumps away. What is no plain file
 * may never end, or wait for ever. */
static bool read_file(void *user, Arena *arena, const char *path, const char **text, size_t *len,
                      const char **why) {
    (void)user;
    struct stat info;
    *why = "there is no such file";
    if (stat(path, &info) != 0) return false;
    *why = "it is no plain file";
    if (!S_ISREG(info.st_mode)) return false;
    *why = "it is larger than 16 MB";
    if (info.st_size > LIMIT_TEXT) return false;
    char *s = arena_alloc(arena, (size_t)info.st_size + 1);
    FILE *f = fopen(path, "rb");
    *why = "it may not be read";
    if (!f) return false;
    *len = fread(s, 1, (size_t)info.st_size, f);
    const bool failed = ferror(f) != 0;
    fclose(f);
    *why = "reading it failed";
    *text = s;
    return !failed;
}

const Loader file_loader = {.read = read_file};
