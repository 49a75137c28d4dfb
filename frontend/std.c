/* The standard library: the files of examples/, which the build writes as bytes into library.inc
 * (cmake/embed.cmake). */
#include "frontend.h"

#define EMBEDDED(index, name, ...) static const unsigned char text_##index[] = {__VA_ARGS__ 0};
#include "library.inc"
#undef EMBEDDED

static const Source sources[] = {
#define EMBEDDED(index, name, ...)                                                                 \
    {"<library>/" name, (const char *)text_##index, sizeof text_##index - 1, true},
#include "library.inc"
#undef EMBEDDED
};

size_t library_source_count(void) { return sizeof sources / sizeof *sources; }

Source library_source(size_t index) { return sources[index]; }
