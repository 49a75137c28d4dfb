/* Where this user's compiled kernels are kept: $ACTC_CACHE, empty for nowhere, else
 * $XDG_CACHE_HOME/actc, else ~/.cache/actc. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

static const char *join(const char *folder, const char *below, char *out, size_t size) {
    const int n = snprintf(out, size, "%s%s", folder, below);
    return n > 0 && (size_t)n < size ? out : NULL;
}

const char *cache_folder(char *out, size_t size) {
    const char *given = getenv("ACTC_CACHE"), *caches = getenv("XDG_CACHE_HOME"),
               *home = getenv("HOME");
    if (given) return *given ? join(given, "", out, size) : NULL;
    /* The specification wants relative paths ignored. */
    if (caches && *caches == '/') return join(caches, "/actc", out, size);
    return home && *home == '/' ? join(home, "/.cache/actc", out, size) : NULL;
}
