/* The side of actc: what the JIT makes of every function of the library, as rows for the driver,
 * and everything that actc can emit of them.
 *
 *     jit emit FOLDER FILE.act…    FOLDER/rows.c; C and header for each file and type; objects in
 * folders of their own jit run FILE.act… -- …       driver.c with the JIT's kernels */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "actc.h"
#include "same_bits.h"

enum { MOST_ROWS = 4096 };

typedef struct {
    actc_context *ctx;
    actc_module **modules; /* one for each file */
    char **names;          /* the files', without folder and ending */
    size_t count;
} Library;

static const actc_kind kinds[] = {ACTC_FORWARD, ACTC_BACKWARD, ACTC_FORWARD_BACKWARD,
                                  ACTC_BACKWARD2};
static const char *const kind_names[] = {"forward", "backward", "forward_backward", "backward2"};
static const struct {
    actc_dtype dtype;
    const char *name, *prefix; /* the types share a program, so one of them has a prefix */
    size_t size;
    unsigned mantissa;
} types[] = {{ACTC_F32, "f32", NULL, 4, 23},
             {ACTC_F64, "f64", "f64_", 8, 52},
             {ACTC_F16, "f16", "f16_", 2, 10},
             {ACTC_BF16, "bf16", "bf16_", 2, 7}};
enum { TYPES = sizeof types / sizeof *types };

static void fail(const char *what, const actc_diagnostics *d) {
    fprintf(stderr, "%s\n%s", what, d ? actc_diagnostics_text(d) : "");
    exit(1);
}

/* A text that is never freed: the program ends soon. */
static char *join(const char *a, const char *b, const char *c, const char *d) {
    const size_t size = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 1;
    char *s = malloc(size);
    if (!s) exit(3);
    snprintf(s, size, "%s%s%s%s", a, b, c, d);
    return s;
}

static void write_file(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, size, f) != size || fclose(f))
        fail(join("cannot write ", path, "", ""), NULL);
}

static void read_library(Library *lib, char **paths, size_t count) {
    *lib = (Library){.count = count};
    lib->modules = calloc(count, sizeof *lib->modules);
    lib->names = calloc(count, sizeof *lib->names);
    if (!lib->modules || !lib->names || actc_context_create(NULL, &lib->ctx)) exit(3);
    for (size_t i = 0; i < count; i++) {
        FILE *f = fopen(paths[i], "rb");
        if (!f) fail(join("cannot read ", paths[i], "", ""), NULL);
        static char text[1 << 20];
        const size_t length = fread(text, 1, sizeof text, f);
        fclose(f);
        actc_diagnostics *d;
        if (actc_module_parse(lib->ctx, paths[i], text, length, &lib->modules[i], &d))
            fail(paths[i], d);
        const char *name = strrchr(paths[i], '/') ? strrchr(paths[i], '/') + 1 : paths[i];
        lib->names[i] = join(name, "", "", "");
        lib->names[i][strcspn(name, ".")] = 0;
    }
}

/* ---- the JIT's kernels ---- */

#define CALL(T)                                                                                    \
    T *b[MOST_ARRAYS] = {0};                                                                       \
    for (size_t k = 0; row->roles[k]; k++) b[k] = a[k];                                            \
    switch (strlen(row->roles)) {                                                                  \
    case 2:                                                                                        \
        ((void (*)(size_t, T *, T *))row->function)(n, b[0], b[1]);                                \
        return;                                                                                    \
    case 3:                                                                                        \
        ((void (*)(size_t, T *, T *, T *))row->function)(n, b[0], b[1], b[2]);                     \
        return;                                                                                    \
    case 4:                                                                                        \
        ((void (*)(size_t, T *, T *, T *, T *))row->function)(n, b[0], b[1], b[2], b[3]);          \
        return;                                                                                    \
    case 5:                                                                                        \
        ((void (*)(size_t, T *, T *, T *, T *, T *))row->function)(n, b[0], b[1], b[2], b[3],      \
                                                                   b[4]);                          \
        return;                                                                                    \
    case 6:                                                                                        \
        ((void (*)(size_t, T *, T *, T *, T *, T *, T *))row->function)(n, b[0], b[1], b[2], b[3], \
                                                                        b[4], b[5]);               \
        return;                                                                                    \
    case 7:                                                                                        \
        ((void (*)(size_t, T *, T *, T *, T *, T *, T *, T *))row->function)(                      \
            n, b[0], b[1], b[2], b[3], b[4], b[5], b[6]);                                          \
        return;                                                                                    \
    case 8:                                                                                        \
        ((void (*)(size_t, T *, T *, T *, T *, T *, T *, T *, T *))row->function)(                 \
            n, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]);                                    \
        return;                                                                                    \
    }                                                                                              \
    fail("a kernel with more arrays than jit.c can call", NULL);

static void call_f32(const Row *row, size_t n, void *const *a) { CALL(float) }
static void call_half(const Row *row, size_t n, void *const *a) { CALL(uint16_t) }
static void call_f64(const Row *row, size_t n, void *const *a) { CALL(double) }

static size_t compile_all(const Library *lib, Row *rows) {
    size_t count = 0;
    for (size_t t = 0; t < TYPES; t++)
        for (size_t m = 0; m < lib->count; m++)
            for (size_t f = 0; f < actc_module_function_count(lib->modules[m]); f++)
                for (size_t k = 0; k < 4; k++) {
                    const char *name = actc_module_function_name(lib->modules[m], f);
                    const actc_kernel_options options = {
                        .size = sizeof options, .kind = kinds[k], .dtype = types[t].dtype};
                    actc_kernel *kernel;
                    actc_diagnostics *d;
                    if (actc_kernel_compile(lib->modules[m], name, &options, &kernel, &d))
                        fail(join(name, " ", kind_names[k], types[t].name), d);
                    char *roles = calloc(MOST_ARRAYS + 1, 1);
                    const size_t arrays = actc_kernel_argument_count(kernel);
                    if (!roles || count == MOST_ROWS || arrays > MOST_ARRAYS) exit(3);
                    for (size_t i = 0; i < arrays; i++) {
                        actc_argument argument;
                        actc_kernel_argument(kernel, i, &argument);
                        roles[i] = argument.role == ACTC_OUTPUT      ? 'o'
                                   : argument.role == ACTC_COTANGENT ? 'c'
                                                                     : 'i';
                    }
                    rows[count++] = (Row){.name = join(types[t].prefix ? types[t].prefix : "", name,
                                                       "_", kind_names[k]),
                                          .size = types[t].size,
                                          .mantissa = types[t].mantissa,
                                          .roles = roles,
                                          .call = types[t].size == 2   ? call_half
                                                  : types[t].size == 4 ? call_f32
                                                                       : call_f64,
                                          .function = actc_kernel_function(kernel)};
                }
    return count;
}

/* ---- emitting ---- */

static void write_rows(const Library *lib, const char *folder, const Row *rows, size_t count) {
    FILE *f = fopen(join(folder, "/rows.c", "", ""), "w");
    if (!f) fail("cannot write rows.c", NULL);
    fputs("#include \"same_bits.h\"\n", f);
    for (size_t m = 0; m < lib->count; m++)
        for (size_t t = 0; t < TYPES; t++)
            fprintf(f, "#include \"%s_%s.h\"\n", lib->names[m], types[t].name);
    for (size_t i = 0; i < count; i++) {
        fprintf(f, "static void call_%zu(const Row *r, size_t n, void *const *a) { (void)r, %s(n",
                i, rows[i].name);
        for (size_t k = 0; rows[i].roles[k]; k++) fprintf(f, ", a[%zu]", k);
        fputs("); }\n", f);
    }
    fputs("static const Row rows[] = {\n", f);
    for (size_t i = 0; i < count; i++)
        fprintf(f, "    {\"%s\", %zu, %u, \"%s\", call_%zu, 0},\n", rows[i].name, rows[i].size,
                rows[i].mantissa, rows[i].roles, i);
    fprintf(f,
            "};\nint main(int argc, char **argv) { return driver_main(argc, argv, rows, %zu); }\n",
            count);
    if (fclose(f)) fail("cannot write rows.c", NULL);
}

/* Everything of one format, for one target, into files `folder/NAME_TYPE.ending`; one line about
 * time and size. */
static void emit_all(const Library *lib, actc_format format, const char *target, const char *cpu,
                     const char *folder, const char *ending) {
    size_t size = 0;
    struct timespec begin, end;
    mkdir(folder, 0777);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t m = 0; m < lib->count; m++)
        for (size_t t = 0; t < TYPES; t++) {
            char *base = join(lib->names[m], "_", types[t].name, "");
            const actc_emit_options options = {.size = sizeof options,
                                               .kinds = kinds,
                                               .kind_count = 4,
                                               .dtype = types[t].dtype,
                                               .prefix = types[t].prefix,
                                               .base = base,
                                               .target = target,
                                               .cpu = cpu};
            actc_bytes bytes;
            actc_diagnostics *d;
            if (actc_emit(lib->modules[m], format, &options, &bytes, &d))
                fail(join("emit ", base, " ", folder), d);
            write_file(join(folder, "/", base, ending), bytes.data, bytes.size);
            size += bytes.size;
            actc_bytes_release(&bytes);
        }
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double s =
        (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    printf("%-8s %5.2f s %8.1f kB  (%s%s%s)\n", ending, s, (double)size / 1000,
           target ? target : "this machine", cpu ? ", " : "", cpu ? cpu : "");
}

static void emit_library(const Library *lib, const char *folder, const Row *rows, size_t count) {
    mkdir(folder, 0777);
    write_rows(lib, folder, rows, count);
    emit_all(lib, ACTC_FORMAT_C, NULL, NULL, folder, ".c");
    emit_all(lib, ACTC_FORMAT_HEADER, NULL, NULL, folder, ".h");
    emit_all(lib, ACTC_FORMAT_OBJECT, NULL, NULL, join(folder, "/host", "", ""), ".o");
    emit_all(lib, ACTC_FORMAT_OBJECT, "aarch64-linux-gnu", NULL, join(folder, "/aarch64", "", ""),
             ".o");
#if defined(__x86_64__)
    emit_all(lib, ACTC_FORMAT_OBJECT, NULL, "x86-64-v3", join(folder, "/x86-64-v3", "", ""), ".o");
    emit_all(lib, ACTC_FORMAT_OBJECT, NULL, "x86-64-v4", join(folder, "/x86-64-v4", "", ""), ".o");
#endif
}

int main(int argc, char **argv) {
    static Row rows[MOST_ROWS];
    Library lib;
    if (argc > 3 && strcmp(argv[1], "emit") == 0) {
        read_library(&lib, argv + 3, (size_t)argc - 3);
        emit_library(&lib, argv[2], rows, compile_all(&lib, rows));
        return 0;
    }
    int files = 2;
    while (files < argc && strcmp(argv[files], "--") != 0) files++;
    if (files == argc || strcmp(argv[1], "run") != 0) {
        fputs("usage: jit emit FOLDER FILE.act… | jit run FILE.act… -- …\n", stderr);
        return 2;
    }
    read_library(&lib, argv + 2, (size_t)files - 2);
    return driver_main(argc - files, argv + files, rows, compile_all(&lib, rows));
}
