/* See accuracy.h. */
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"

enum { MOST_TEXT = 1 << 20 };

static void fail(const char *path, const char *what) {
    fprintf(stderr, "accuracy: %s: %s\n", path, what);
    exit(3);
}

/* The file, for free(); the table's rows are *begin to *end. */
static char *read_table(const char *path, const char *table, char **begin, char **end) {
    char *text = malloc(MOST_TEXT + 1), mark[64];
    FILE *f = fopen(path, "rb");
    if (!f || !text) fail(path, "cannot be read");
    const size_t n = fread(text, 1, MOST_TEXT, f);
    fclose(f);
    if (n == MOST_TEXT) fail(path, "is too long");
    text[n] = 0;
    snprintf(mark, sizeof mark, "<!-- %s: begin -->\n", table);
    *begin = strstr(text, mark);
    snprintf(mark, sizeof mark, "<!-- %s: end -->\n", table);
    *end = *begin ? strstr(*begin, mark) : NULL;
    if (!*end) fail(path, "the table's marks are missing");
    return text;
}

static void key_of(char *key, size_t size, Op op, Type type) {
    snprintf(key, size, "\n| %s | %s |", op_info[op].name, type == TYPE_F64 ? "f64" : "f32");
}

/* Where the row's first cell begins, in [begin, end); NULL: it is not there. */
static const char *find(const char *begin, const char *end, Op op, Type type) {
    char key[64];
    key_of(key, sizeof key, op, type);
    const char *at = strstr(begin, key);
    return at && at < end ? at + 1 : NULL;
}

bool table_get(const char *path, const char *table, Op op, Type type, char *row, size_t size) {
    char *begin, *end, *text = read_table(path, table, &begin, &end), key[64];
    key_of(key, sizeof key, op, type);
    const char *at = find(begin, end, op, type);
    if (at) {
        at += strlen(key) - 1;
        snprintf(row, size, "%.*s", (int)strcspn(at, "\n"), at);
    }
    free(text);
    return at != NULL;
}

void table_put(const char *path, const char *table, Op op, Type type, const char *row) {
    char *begin, *end, *text = read_table(path, table, &begin, &end);
    FILE *f = fopen(path, "wb");
    if (!f) fail(path, "cannot be written");
    /* the mark, the head of the table and the line under it */
    const char *head = begin;
    for (int i = 0; i < 3; i++) head += strcspn(head, "\n") + 1;
    fwrite(text, 1, (size_t)(head - text), f);
    for (int o = 0; o < OP_COUNT; o++)
        for (Type t = TYPE_F32; t <= TYPE_F64; t++) {
            const char *old = find(begin, end, (Op)o, t);
            if ((Op)o == op && t == type) {
                char key[64];
                key_of(key, sizeof key, op, type);
                fprintf(f, "%s%s\n", key + 1, row);
            } else if (old) {
                fwrite(old, 1, strcspn(old, "\n") + 1, f);
            }
        }
    fputs(end, f);
    if (fclose(f)) fail(path, "cannot be written");
    free(text);
}
