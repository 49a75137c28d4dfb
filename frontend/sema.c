/* From a text to a checked module: parsed with the files that it uses, names bound, each definition
 * checked after those that it uses; and what stands for NAME on the command line. */
#include "frontend.h"

#include <string.h>

/* ---- order ---- */

typedef struct {
    Def *d;
    size_t next; /* of its uses */
} Visit;

static void report_recursion(Diags *diags, const Visit *stack, size_t top, Def *target) {
    enum { MOST = 8 };
    const Def *last = stack[top].d;
    const Use *use = &last->uses[stack[top].next - 1];
    diag_report(diags, source_loc(diags, last->source, use->span), DIAG_RECURSIVE, target->name);
    size_t first = top;
    while (stack[first].d != target) first--;
    for (size_t i = first; i <= top; i++) {
        stack[i].d->bad = true;
        const Use *u = &stack[i].d->uses[stack[i].next - 1];
        if (first < top && i < first + MOST)
            diag_report(diags, source_loc(diags, stack[i].d->source, u->span), DIAG_NOTE_CALLS,
                        stack[i].d->name, u->def->name);
    }
}

/* Checks d after what it uses, with a stack of its own: a chain of calls may be as long as the
 * text. */
static void check_ordered(Module *m, Arena *arena, Diags *diags, Def *root) {
    Visit *stack = NULL;
    size_t n = 0, cap = 0;
    if (root->state != DEF_NEW) return;
    *ARENA_PUSH(arena, stack, n, cap) = (Visit){root, 0};
    root->state = DEF_ACTIVE;
    while (n > 0) {
        Visit *v = &stack[n - 1];
        if (v->next < v->d->nuses) {
            Def *used = v->d->uses[v->next++].def;
            if (used->state == DEF_ACTIVE) {
                report_recursion(diags, stack, n - 1, used);
            } else if (used->state == DEF_NEW) {
                used->state = DEF_ACTIVE;
                *ARENA_PUSH(arena, stack, n, cap) = (Visit){used, 0};
            }
            continue;
        }
        Def *d = v->d;
        n--;
        check_def(m, arena, diags, d);
        d->state = DEF_DONE;
    }
}

/* ---- entry points ---- */

static Module *new_module(Arena *arena, Intern *names, const Module *library) {
    Module *m = ARENA_NEW(arena, Module);
    *m = (Module){.arena = arena, .names = names, .library = library};
    return m;
}

static void add_source(Module *m, Diags *diags, Source source) {
    Source *s = ARENA_NEW(m->arena, Source);
    *s = source;
    parse_text(m->arena, m->names, diags, s, &m->defs, &m->files);
}

static void check_module(Module *m, Diags *diags) {
    resolve_table(m, diags);
    for (size_t i = 0; i < m->defs.count; i++)
        resolve_def(m, m->arena, diags, m->defs.items[i], false);
    for (size_t i = 0; i < m->defs.count; i++) check_ordered(m, m->arena, diags, m->defs.items[i]);
}

/* ---- files ---- */

typedef struct {
    Arena *arena;
    Intern *names;
    Diags *diags;
    const Module *library;
    const Loader *loader;
    Module **files;
    size_t count, cap, bytes;
    bool full; /* a limit was reached: nothing more is read */
} Load;

/* `path` as seen from the file `from`, without "." and "name/.." parts, so that equal files mostly
 * have equal paths. */
static char *join_paths(Arena *arena, const char *from, const char *path) {
    Buf b;
    buf_init(&b, arena);
    const char *slash = strrchr(from, '/');
    if (path[0] != '/' && slash) buf_write(&b, from, (size_t)(slash - from) + 1);
    buf_puts(&b, path);
    char *s = b.s, *to = s;
    for (const char *at = s; *at;) {
        size_t n = strcspn(at, "/");
        const bool more = at[n] == '/';
        if (n == 0 && to > s) { /* "//" */
            at++;
            continue;
        }
        if (n == 1 && at[0] == '.' && more) {
            at += 2;
            continue;
        }
        if (n == 2 && at[0] == '.' && at[1] == '.' && to > s && to[-1] == '/') {
            char *start = to - 1;
            while (start > s && start[-1] != '/') start--;
            const bool up = to - start == 3 && start[0] == '.' && start[1] == '.';
            if (!up && start < to - 1) {
                to = start;
                at += n + more;
                continue;
            }
        }
        memmove(to, at, n + more);
        to += n + more;
        at += n + more;
    }
    *to = 0;
    return s;
}

static Module *load_module(Load *l, Source source, unsigned depth);

/* The circle of files that `target` closes: who uses whom. */
static void report_cycle(Load *l, const FileUse *use, const Module *target) {
    diag_report(l->diags, source_loc(l->diags, use->source, use->span), DIAG_USE_CYCLE,
                target->path);
    bool within = false;
    for (size_t i = 0; i < l->count; i++) {
        const Module *m = l->files[i];
        within = within || m == target;
        if (!within || !m->active) continue;
        const FileUse *u = &m->files.items[m->at];
        if (u != use)
            diag_report(l->diags, source_loc(l->diags, u->source, u->span), DIAG_NOTE_USES,
                        u->path);
    }
}

/* The module of a used file, read now if it was not; NULL with a diagnostic. */
static Module *load_use(Load *l, const FileUse *use, unsigned depth) {
    const Loc loc = source_loc(l->diags, use->source, use->span);
    const char *path = join_paths(l->arena, use->source->name, use->path),
               *why = "this text is not in a file";
    for (size_t i = 0; i < l->count; i++) {
        if (strcmp(l->files[i]->path, path) != 0) continue;
        if (!l->files[i]->active) return l->files[i];
        report_cycle(l, use, l->files[i]);
        return NULL;
    }
    Source source = {.name = path};
    l->full = true; /* but for what follows */
    if (depth == LIMIT_FILE_DEPTH) {
        diag_report(l->diags, loc, DIAG_USE_TOO_DEEP, LIMIT_FILE_DEPTH);
    } else if (l->count > LIMIT_FILES) {
        diag_report(l->diags, loc, DIAG_USE_TOO_MANY, LIMIT_FILES);
    } else if (!l->loader ||
               !l->loader->read(l->loader->user, l->arena, path, &source.text, &source.len, &why)) {
        l->full = l->diags->errors >= DIAG_MAX_ERRORS;
        diag_report(l->diags, loc, DIAG_USE_UNREADABLE, use->path, why);
    } else if ((l->bytes += source.len) > LIMIT_TEXT) {
        diag_report(l->diags, loc, DIAG_USE_TOO_LARGE);
    } else {
        l->full = false;
        return load_module(l, source, depth + 1);
    }
    return NULL;
}

/* What m uses, and what that uses, in front of what it used before. */
static void add_used(Module *m, const Module *other) {
    const Module **used = NULL;
    size_t n = 0, cap = 0;
    *ARENA_PUSH(m->arena, used, n, cap) = other;
    for (size_t i = 0; i < other->nused; i++)
        if (!module_uses(m, other->used[i])) *ARENA_PUSH(m->arena, used, n, cap) = other->used[i];
    for (size_t i = 0; i < m->nused; i++) *ARENA_PUSH(m->arena, used, n, cap) = m->used[i];
    m->used = used;
    m->nused = n;
    m->used_cap = cap;
    m->incomplete = m->incomplete || other->incomplete;
}

static Module *load_module(Load *l, Source source, unsigned depth) {
    Module *m = new_module(l->arena, l->names, l->library);
    m->path = join_paths(l->arena, "", source.name);
    *ARENA_PUSH(l->arena, l->files, l->count, l->cap) = m;
    add_source(m, l->diags, source);
    m->active = true;
    m->incomplete = m->files.broken;
    for (m->at = 0; m->at < m->files.count && !l->full; m->at++) {
        const FileUse *use = &m->files.items[m->at];
        const Module *other = load_use(l, use, depth);
        m->incomplete = m->incomplete || !other;
        if (!other || module_uses(m, other)) continue;
        shadow_uses(m, l->diags, use, other);
        add_used(m, other);
    }
    m->active = false;
    check_module(m, l->diags);
    shadow_definitions(m, l->diags);
    check_overrides(m, l->diags);
    return m;
}

size_t module_def_count(const Module *m) { return m->defs.count; }
const Def *module_def(const Module *m, size_t index) { return m->defs.items[index]; }
const char *def_name(const Def *d) { return d->name ? d->name : "f"; }

Module *frontend_library(Arena *arena, Intern *names, Diags *diags) {
    Module *m = new_module(arena, names, NULL);
    for (size_t i = 0; i < library_source_count(); i++) add_source(m, diags, library_source(i));
    check_module(m, diags);
    return m;
}

Module *frontend_parse(Arena *arena, Intern *names, Diags *diags, Source source,
                       const Module *library, const Loader *loader) {
    Load l = {.arena = arena, .names = names, .diags = diags, .library = library, .loader = loader};
    const size_t before = diags->count;
    Module *m = load_module(&l, source, 0);
    diags_sort(diags, before);
    return m;
}

Module *frontend_layer(Arena *arena, Intern *names, const Module *library) {
    Module *m = new_module(arena, names, library);
    resolve_table(m, NULL); /* nothing can be defined twice */
    return m;
}

/* Whether a tree holds a name that means nothing yet: then it is an expression over inputs. */
static bool has_free_name(const Module *m, const Expr *e) {
    switch ((ExprKind)e->kind) {
    case EXPR_NAME:
        return !module_find(m, e->text) && elementary_find(e->text, false).kind == REF_NONE;
    case EXPR_UNARY:
        return has_free_name(m, e->arg[0]);
    case EXPR_BINARY:
        return has_free_name(m, e->arg[0]) || has_free_name(m, e->arg[1]);
    case EXPR_COND:
        return has_free_name(m, e->arg[0]) || has_free_name(m, e->arg[1]) ||
               has_free_name(m, e->arg[2]);
    case EXPR_COMPARE:
    case EXPR_PIPE:
        for (uint32_t i = 0; i < e->count; i++)
            if (has_free_name(m, e->items[i])) return true;
        return false;
    case EXPR_CALL:
    case EXPR_REDUCE:
        for (const Arg *a = e->call->args; a; a = a->next)
            if (has_free_name(m, a->value)) return true;
        return false;
    case EXPR_BAD:
    case EXPR_NUMBER:
    case EXPR_TRUTH:
        break;
    }
    return false;
}

/* Whether the first operand of a pipeline, or all of the text, stands for a function and not for a
 * value. */
static bool is_stage(const Module *m, const Expr *e) {
    if (e->kind == EXPR_NAME) return true;
    if (e->kind == EXPR_PIPE) {
        /* x → tanh: an input, where it is not the slip of a pen for a function. */
        const Expr *first = e->items[0];
        const bool free = first->kind == EXPR_NAME && has_free_name(m, first);
        return free ? *module_hint(m, m->arena, first->text, true, NULL) : is_stage(m, first);
    }
    if (e->kind != EXPR_CALL) return false;
    for (const Arg *a = e->call->args; a; a = a->next)
        if (!a->param && has_free_name(m, a->value)) return false; /* elu(x): x is an input */
    const Def *f = module_find(m, e->call->name);
    return f && f->kind != DEF_CONSTANT && !elementary_is(f);
}

const Def *frontend_function(Module *m, Diags *diags, Source text) {
    Source *source = ARENA_NEW(m->arena, Source);
    *source = text;
    Def *d = parse_expression(m->arena, m->names, diags, source);
    if (!d || d->bad) return NULL;
    Expr *e = d->body;
    /* With parentheses or local names a lone name that means nothing is an input. */
    const bool alone = e->kind == EXPR_NAME && e->span.begin == d->span.begin && d->nwheres == 0;
    if (alone) {
        Def *named = module_find(m, e->text);
        if (named) return named->bad ? NULL : named;
        const Ref ref = elementary_find(e->text, false);
        if (ref.kind == REF_NONE) {
            diag_report(diags, source_loc(diags, source, e->span), DIAG_UNKNOWN_FUNCTION, e->text,
                        module_hint(m, m->arena, e->text, true, NULL));
            return NULL;
        }
    }
    d->has_list = !is_stage(m, e) || (e->kind == EXPR_NAME && has_free_name(m, e));
    resolve_def(m, m->arena, diags, d, d->has_list);
    if (d->ninputs <= LIMIT_FREE) check_def(m, m->arena, diags, d);
    return d->bad ? NULL : d;
}
