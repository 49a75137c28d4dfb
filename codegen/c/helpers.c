/* The helpers, which the build writes as bytes into helpers.inc, in the order of their files'
 * names. */
#include "c.h"

#include <string.h>

#define EMBEDDED(index, name, ...) static const char text_##index[] = {__VA_ARGS__ 0};
#include "helpers.inc"
#undef EMBEDDED

static const struct {
    const char *name, *text;
} files[] = {
#define EMBEDDED(index, name, ...) {name, text_##index},
#include "helpers.inc"
#undef EMBEDDED
};

static const char *file_text(const char *name) {
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, name) == 0) return files[i].text;
    return "";
}

const char *preamble_text(void) { return file_text("preamble.c.in"); }

const char *helper_text(Helper h) {
    switch (h) {
    case HELPER_BITS_F32:
        return file_text("bits_f32.c.in");
    case HELPER_BITS_F64:
        return file_text("bits_f64.c.in");
    case HELPER_BF16:
        return file_text("bf16.c.in");
    case HELPER_F16:
        return file_text("f16.c.in");
    case HELPER_REDUCE:
        return file_text("reduce.c.in");
    case HELPER_PRODUCT_64:
        return file_text("product_64.c.in");
    case HELPER_PRODUCT_F32:
        return file_text("product_f32.c.in");
    case HELPER_PRODUCT_F64:
        return file_text("product_f64.c.in");
    case HELPER_COUNT:
        break;
    }
    return "";
}
