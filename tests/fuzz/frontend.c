/* Fuzzing the frontend: any bytes as a text of definitions, as an expression of the command line,
 * and as a param's value. Beside what the sanitizers find: a refusal has a diagnostic, a graph
 * verifies, canonical form reads back to itself. A byte \f ends the text; what follows are the
 * files "a.act", "b.act", … for `use`. */
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

enum { MEMORY = 512 << 20, MOST_FILES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    const char *text[MOST_FILES];
    size_t len[MOST_FILES], count;
} Pieces;

static void require(bool condition) {
    if (!condition) abort();
}

static bool read_piece(void *user, Arena *arena, const char *path, const char **text, size_t *len,
                       const char **why) {
    const Pieces *p = user;
    (void)arena;
    *why = "there is no such file";
    if (path[0] < 'a' || (size_t)(path[0] - 'a') + 1 >= p->count || strcmp(path + 1, ".act") != 0)
        return false;
    const size_t i = (size_t)(path[0] - 'a') + 1;
    *text = p->text[i];
    *len = p->len[i];
    return true;
}

static Pieces cut(Arena *arena, const uint8_t *data, size_t size) {
    Pieces p = {.count = 0};
    const uint8_t *end = data + size;
    while (p.count < MOST_FILES) {
        const uint8_t *stop = size ? memchr(data, '\f', (size_t)(end - data)) : NULL;
        if (!stop || p.count + 1 == MOST_FILES) stop = end;
        p.len[p.count] = (size_t)(stop - data);
        p.text[p.count] = arena_copy(arena, (const char *)data, p.len[p.count]);
        p.count++;
        if (stop == end) break;
        data = stop + 1;
    }
    return p;
}

static const char *print_all(Arena *arena, const Module *m) {
    Buf b;
    buf_init(&b, arena);
    for (size_t i = 0; i < module_def_count(m); i++) def_print(module_def(m, i), &b);
    return b.s;
}

static void lower_all(Arena *arena, const Module *m) {
    for (size_t i = 0; i < module_def_count(m) && i < 4; i++) {
        Diags d;
        diags_init(&d, arena);
        Graph *g = frontend_lower(arena, m, module_def(m, i), TYPE_F32, NULL, 0, &d);
        require(g ? !graph_verify(g, STAGE_GRAPH) : d.errors > 0);
        Buf b;
        buf_init(&b, arena);
        diags_text(&d, &b);
    }
}

static void try_text(Arena *arena, const Module *library, const Pieces *p) {
    Intern names;
    Diags d, again;
    Buf b;
    intern_init(&names, arena);
    diags_init(&d, arena);
    diags_init(&again, arena);
    buf_init(&b, arena);
    const Loader files = {read_piece, (void *)p};
    const Source source = {.name = "t", .text = p->text[0], .len = p->len[0]};
    Module *m = frontend_parse(arena, &names, &d, source, library, &files);
    diags_text(&d, &b);
    const char *form = print_all(arena, m);
    if (d.errors == 0) lower_all(arena, m);
    if (d.errors == 0 && m->files.count == 0) {
        const Source printed = {.name = "p", .text = form, .len = strlen(form)};
        const Module *same = frontend_parse(arena, &names, &again, printed, library, &files);
        require(again.errors == 0 && strcmp(form, print_all(arena, same)) == 0);
    }
    Diags e;
    diags_init(&e, arena);
    const Def *f = frontend_function(m, &e, source);
    require(f || d.errors + e.errors > 0);
    const Graph *g = f ? frontend_lower(arena, m, f, TYPE_F64, NULL, 0, &e) : NULL;
    require(g ? !graph_verify(g, STAGE_GRAPH) : d.errors + e.errors > 0);
    diags_text(&e, &b);
}

/* The form that `actc fmt` writes keeps what the text says, and itself. */
static void try_format(Arena *arena, const Pieces *p) {
    Intern names;
    Diags d;
    Buf once, twice;
    intern_init(&names, arena);
    diags_init(&d, arena);
    buf_init(&once, arena);
    buf_init(&twice, arena);
    if (!frontend_format(arena, &names, &d,
                         (Source){.name = "t", .text = p->text[0], .len = p->len[0]}, &once)) {
        require(d.errors > 0);
        return;
    }
    require(frontend_format(arena, &names, &d,
                            (Source){.name = "u", .text = once.s, .len = once.len}, &twice));
    require(strcmp(once.s, twice.s) == 0);
    const Source texts[] = {{.name = "v", .text = p->text[0], .len = p->len[0]},
                            {.name = "w", .text = once.s, .len = once.len}};
    const char *said[2];
    for (int i = 0; i < 2; i++) {
        DefList defs = {0};
        Files files = {0};
        Buf b;
        buf_init(&b, arena);
        parse_text(arena, &names, &d, &texts[i], &defs, &files);
        for (size_t k = 0; k < defs.count; k++) {
            defs.items[k]->doc = NULL;
            def_print(defs.items[k], &b);
        }
        for (size_t k = 0; k < files.count; k++) buf_printf(&b, "%s\n", files.items[k].path);
        said[i] = b.s;
    }
    require(strcmp(said[0], said[1]) == 0);
}

static void try_setting(Arena *arena, Module *library, const char *text) {
    Diags d;
    diags_init(&d, arena);
    const Def *elu = frontend_function(library, &d, (Source){.name = "c", .text = "elu", .len = 3});
    const Setting s = {"alpha", text};
    require(elu != NULL);
    const Graph *g = frontend_lower(arena, library, elu, TYPE_F32, &s, 1, &d);
    require(g || d.errors > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static Arena library_arena;
    static Intern library_names;
    static Module *library;
    jmp_buf out;
    if (!library) {
        Diags d;
        require(setjmp(out) == 0);
        arena_init(&library_arena, allocator_libc, 0, &out);
        intern_init(&library_names, &library_arena);
        diags_init(&d, &library_arena);
        library = frontend_library(&library_arena, &library_names, &d);
        require(d.errors == 0);
    }
    Arena arena;
    arena_init(&arena, allocator_libc, MEMORY, &out);
    if (setjmp(out) == 0) {
        const Pieces p = cut(&arena, data, size);
        /* The library is not to grow: what stands for a name is parsed into a module above it. */
        Intern names;
        intern_init(&names, &arena);
        library_arena.out = &out;
        try_text(&arena, library, &p);
        try_format(&arena, &p);
        try_setting(&arena, frontend_layer(&arena, &names, library), p.text[0]);
    }
    arena_free(&arena);
    return 0;
}
