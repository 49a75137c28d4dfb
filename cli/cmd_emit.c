/* actc emit [FILE] [NAME…] --kind=… -o BASE: functions ahead of time, as C, headers and objects.
 *
 * Everything is made in memory first; then all files are written under temporary names, and only
 * when that worked do they get their own. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name, *ending;
    actc_format format; /* what the library makes for it */
    bool link;
} Kind;

static const Kind kinds[] = {
    {"c", ".c", ACTC_FORMAT_C, false},          {"h", ".h", ACTC_FORMAT_HEADER, false},
    {"obj", ".o", ACTC_FORMAT_OBJECT, false},   {"asm", ".s", ACTC_FORMAT_ASSEMBLY, false},
    {"llvm", ".ll", ACTC_FORMAT_LLVM, false},   {"bc", ".bc", ACTC_FORMAT_BITCODE, false},
    {"shared", ".so", ACTC_FORMAT_OBJECT, true}};

enum { KINDS = sizeof kinds / sizeof *kinds, MOST_PRODUCTS = KINDS + 1 };

/* One file to be. */
typedef struct {
    char *path;
    actc_bytes bytes; /* the library's, or */
    char *own;        /* malloc'ed here */
    size_t own_size;
    OutFile out;
} Product;

typedef struct {
    const Args *args;
    Program program;
    bool wanted[KINDS];
    const char *name; /* --name, or what stands for it */
    Product products[MOST_PRODUCTS];
    size_t count;
} Emit;

static Exit no_memory(void) {
    say_error("out of memory");
    return EXIT_MACHINE;
}

static Exit file_error(const char *path, const IoError *e) {
    say_file_error(path, e->text);
    return EXIT_MACHINE;
}

/* ---- the command line ---- */

static Exit check_base(const char *base) {
    if (!base) {
        say_error("where to? -o BASE is missing, such as -o kernels for kernels.c and kernels.h");
        return EXIT_USAGE;
    }
    const char *slash = strrchr(base, '/'), *file = slash ? slash + 1 : base;
    if (!strcmp(base, "-")) {
        say_error("-o takes the name of files without their ending; 'actc show --stage=c' prints");
        return EXIT_USAGE;
    }
    if (!*file || !strcmp(file, ".") || !strcmp(file, "..")) {
        say_error("-o '%s' names a folder; a file's name without its ending must follow", base);
        return EXIT_USAGE;
    }
    /* It stands in the C file's #include. */
    for (const char *s = file; *s; s++)
        if (*s == '"' || *s == '\\' || (unsigned char)*s < ' ') {
            say_error("-o: the file's name must not contain quotes, backslashes or line ends");
            return EXIT_USAGE;
        }
    return EXIT_DONE;
}

static Exit want_kind(Emit *m, const char *name, size_t length) {
    char text[32];
    const char *near = NULL;
    snprintf(text, sizeof text, "%.*s", (int)(length < 31 ? length : 31), name);
    for (size_t i = 0; i < KINDS; i++) {
        if (!strcmp(kinds[i].name, text)) {
            m->wanted[i] = true;
            return EXIT_DONE;
        }
        near = say_nearer(text, kinds[i].name, near);
    }
    if (near)
        say_error("there is no kind '%s'; did you mean '%s'?", text, near);
    else
        say_error("there is no kind '%s'; the kinds are " KIND_NAMES, text);
    return EXIT_USAGE;
}

/* Whether a kind is asked for that depends on the machine; only the code generator knows machines.
 */
static bool makes_code(const Emit *m) {
    for (size_t i = 0; i < KINDS; i++)
        if (m->wanted[i] && kinds[i].format != ACTC_FORMAT_C &&
            kinds[i].format != ACTC_FORMAT_HEADER)
            return true;
    return false;
}

static Exit read_kinds(Emit *m, const char *list) {
    for (const char *s = list;; s++) {
        const size_t n = strcspn(s, ",");
        const Exit ex = want_kind(m, s, n);
        if (ex != EXIT_DONE) return ex;
        s += n;
        if (!*s) return EXIT_DONE;
    }
}

static Exit check_arguments(Emit *m) {
    const Args *a = m->args;
    if (a->arrays.count) {
        say_error("emit takes no arrays ('%s=…'); a param is --set %s=…", a->arrays.items[0].name,
                  a->arrays.items[0].name);
        return EXIT_USAGE;
    }
    if (a->order < 1 || a->order > 2) {
        say_error("emit knows --order 1 and 2, not %s", a->order_text);
        return EXIT_USAGE;
    }
    if (a->name && !names_is_name(a->name)) {
        say_error("--name takes a name, not '%s'", a->name);
        return EXIT_USAGE;
    }
    Exit ex = check_base(a->base);
    if (ex == EXIT_DONE) ex = read_kinds(m, a->kinds ? a->kinds : "c,h");
    if (ex == EXIT_DONE && a->target && m->wanted[KINDS - 1]) {
        say_error("shared libraries are linked for this machine only, not for --target=%s; "
                  "--kind=obj makes an object for it",
                  a->target);
        ex = EXIT_USAGE;
    }
    if (ex == EXIT_DONE && (a->target || a->cpu) && !makes_code(m)) {
        say_error("C is for any machine: --%s goes with --kind=obj, asm, llvm, bc or shared",
                  a->target ? "target" : "cpu");
        ex = EXIT_USAGE;
    }
    return ex;
}

/* Which functions there are, and what the only one is called where it has no name of its own. */
static Exit check_functions(Emit *m) {
    const Args *a = m->args;
    const bool text = a->text || a->file_count;
    const size_t n =
        a->function_count ? a->function_count : actc_module_function_count(m->program.module);
    if (!n) {
        say_error(text ? "which functions? the text defines none"
                       : "which functions? such as 'actc emit mish gelu -o kernels'");
        return EXIT_USAGE;
    }
    if (n > 1 && (a->name || a->settings.count)) {
        say_error("%s is for one function, and there are %zu", a->name ? "--name" : "--set", n);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < a->function_count && n > 1; i++)
        if (!names_is_name(a->functions[i])) {
            say_error("'%s' has no name: give it one in a file, or emit it alone with --name",
                      a->functions[i]);
            return EXIT_USAGE;
        }
    m->name = a->name;
    if (!m->name && a->function && !names_is_name(a->function)) {
        const char *slash = strrchr(a->base, '/');
        m->name = slash ? slash + 1 : a->base;
    }
    return EXIT_DONE;
}

/* ---- making ---- */

static Product *add_product(Emit *m, const char *ending) {
    Product *p = &m->products[m->count];
    const size_t n = strlen(m->args->base) + strlen(ending) + 1;
    *p = (Product){.out = {.fd = -1}};
    p->path = malloc(n);
    if (!p->path) return NULL;
    snprintf(p->path, n, "%s%s", m->args->base, ending);
    m->count++;
    return p;
}

static Exit call_library(const Emit *m, actc_format format, actc_bytes *out) {
    const Args *a = m->args;
    actc_kind functions[4] = {ACTC_FORWARD};
    size_t n = 1;
    if (a->backward) functions[n++] = ACTC_BACKWARD;
    if (a->fused) functions[n++] = ACTC_FORWARD_BACKWARD;
    if (a->order == 2) functions[n++] = ACTC_BACKWARD2;
    const actc_emit_options options = {
        .size = sizeof options,
        .functions = a->functions,
        .function_count = a->function_count,
        .kinds = functions,
        .kind_count = n,
        .dtype = a->dtype,
        .settings = a->settings.items,
        .setting_count = a->settings.count,
        .name = m->name,
        .prefix = a->prefix,
        .base = a->base,
        .target = a->target,
        .cpu = a->cpu,
        .math = a->math,
    };
    actc_diagnostics *diagnostics = NULL;
    const actc_status status = actc_emit(m->program.module, format, &options, out, &diagnostics);
    if (status == ACTC_OK && m->count > 1) { /* said with the first file */
        actc_diagnostics_release(diagnostics);
        return EXIT_DONE;
    }
    const Exit ex = say_status(status, diagnostics, "emit");
    /* Targets, processors and names come from the command line. */
    return status == ACTC_E_ARGUMENT ? EXIT_USAGE : ex;
}

static Exit make_product(Emit *m, const Kind *kind) {
    Product *p = add_product(m, kind->ending);
    IoError e;
    if (!p) return no_memory();
    const Exit ex = call_library(m, kind->format, &p->bytes);
    if (ex != EXIT_DONE || !kind->link) return ex;
    return link_shared(&p->bytes, &p->own, &p->own_size, &e) ? EXIT_DONE : file_error(p->path, &e);
}

/* What make takes for something else gets a backslash, or a second dollar. */
static size_t put_escaped(char *to, const char *name) {
    size_t n = 0;
    for (const char *s = name; *s; s++) {
        if (*s == ' ' || *s == '#' || *s == '\\') to[n++] = '\\';
        if (*s == '$') to[n++] = '$';
        to[n++] = *s;
    }
    return n;
}

/* BASE.d: the other outputs come from FILE and what it uses. */
static Exit make_dependencies(Emit *m) {
    const Args *a = m->args;
    const actc_module *module = m->program.module;
    const bool from_file = a->file_count && strcmp(a->files[0], "-") != 0;
    size_t room = 8 + (from_file ? 2 * strlen(a->files[0]) : 0), n = 0;
    for (size_t i = 0; i < actc_module_file_count(module); i++)
        room += 2 * strlen(actc_module_file(module, i)) + 1;
    for (size_t i = 0; i < m->count; i++) room += 2 * strlen(m->products[i].path) + 1;
    const size_t others = m->count;
    Product *p = add_product(m, ".d");
    if (!p || !(p->own = malloc(room))) return no_memory();
    for (size_t i = 0; i < others; i++) {
        if (i) p->own[n++] = ' ';
        n += put_escaped(p->own + n, m->products[i].path);
    }
    p->own[n++] = ':';
    if (from_file) {
        p->own[n++] = ' ';
        n += put_escaped(p->own + n, a->files[0]);
    }
    for (size_t i = 0; i < actc_module_file_count(module); i++) {
        p->own[n++] = ' ';
        n += put_escaped(p->own + n, actc_module_file(module, i));
    }
    p->own[n++] = '\n';
    p->own_size = n;
    return EXIT_DONE;
}

static Exit make_all(Emit *m) {
    for (size_t i = 0; i < KINDS; i++) {
        if (!m->wanted[i]) continue;
        const Exit ex = make_product(m, &kinds[i]);
        if (ex != EXIT_DONE) return ex;
    }
    return m->args->depend ? make_dependencies(m) : EXIT_DONE;
}

/* ---- writing ---- */

static Exit write_one(Product *p) {
    IoError e;
    const char *data = p->own ? p->own : p->bytes.data;
    const size_t size = p->own ? p->own_size : p->bytes.size;
    const bool ok = out_open(&p->out, p->path, &e) && out_write(&p->out, data, size, &e) &&
                    out_close(&p->out, &e);
    return ok ? EXIT_DONE : file_error(p->path, &e);
}

/* Temporaries first, then devices and pipes, then the renaming: a failure on the way leaves nothing
 * behind. */
static Exit write_all(Emit *m) {
    for (int straight = 0; straight < 2; straight++)
        for (size_t i = 0; i < m->count; i++) {
            if (out_is_straight(m->products[i].path) != (straight == 1)) continue;
            const Exit ex = write_one(&m->products[i]);
            if (ex != EXIT_DONE) return ex;
        }
    for (size_t i = 0; i < m->count; i++) {
        IoError e;
        if (out_commit(&m->products[i].out, &e)) continue;
        const Exit ex = file_error(m->products[i].path, &e);
        if (i)
            say_error("'%s' and what stands before it is written already", m->products[i - 1].path);
        return ex;
    }
    return EXIT_DONE;
}

static void end_emit(Emit *m) {
    for (size_t i = 0; i < m->count; i++) {
        Product *p = &m->products[i];
        out_end(&p->out);
        actc_bytes_release(&p->bytes);
        free(p->own);
        free(p->path);
    }
    program_close(&m->program);
}

Exit cmd_emit(const Args *args) {
    static Exit (*const steps[])(Emit *) = {check_functions, make_all, write_all};
    Emit emit = {.args = args};
    Exit ex = check_arguments(&emit);
    if (ex == EXIT_DONE) ex = program_parse(args, &emit.program);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && ex == EXIT_DONE; i++)
        ex = steps[i](&emit);
    end_emit(&emit);
    return ex;
}
