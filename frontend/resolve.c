/* Names to what they stand for: local names, then this module's definitions, then the library's,
 * then what the language itself has. Functions and values are looked up apart, so an input named
 * `step` hides no function. */
#include "frontend.h"

#include <string.h>

enum {
    FEW = 16,         /* up to so many local names are searched one by one */
    CANDIDATES = 5000 /* so many definitions are tried for a hint */
};

/* ---- modules ---- */

void resolve_table(Module *m, Diags *diags) {
    m->table_cap = 16;
    while (m->table_cap < 2 * m->defs.count) m->table_cap *= 2;
    m->table = ARENA_ARRAY(m->arena, Def *, m->table_cap);
    for (size_t i = 0; i < m->defs.count; i++) {
        Def *d = m->defs.items[i];
        size_t at = hash_bytes(d->name, strlen(d->name), 0) & (m->table_cap - 1);
        while (m->table[at] && !same(m->table[at]->name, d->name))
            at = (at + 1) & (m->table_cap - 1);
        const Def *first = m->table[at];
        if (!first || first->body->kind == EXPR_BAD) {
            m->table[at] = d;
            continue;
        }
        d->bad = true;
        if (d->body->kind == EXPR_BAD) continue; /* did not parse: perhaps it is no definition */
        diag_report(diags, source_loc(diags, d->source, d->name_span), DIAG_REDEFINED, d->name);
        diag_report(diags, source_loc(diags, first->source, first->name_span), DIAG_NOTE_FIRST,
                    d->name);
    }
}

static Def *find_hashed(const Module *m, const char *name, uint64_t hash) {
    for (size_t at = hash & (m->table_cap - 1); m->table[at]; at = (at + 1) & (m->table_cap - 1))
        if (same(m->table[at]->name, name)) return m->table[at];
    return NULL;
}

Def *module_find_own(const Module *m, const char *name) {
    return find_hashed(m, name, hash_bytes(name, strlen(name), 0));
}

Def *module_find(const Module *m, const char *name) {
    const uint64_t hash = hash_bytes(name, strlen(name), 0);
    for (; m; m = m->library) {
        Def *d = find_hashed(m, name, hash);
        for (size_t i = 0; !d && i < m->nused; i++) d = find_hashed(m->used[i], name, hash);
        if (d) return d;
    }
    return NULL;
}

bool module_uses(const Module *m, const Module *other) {
    for (size_t i = 0; i < m->nused; i++)
        if (m->used[i] == other) return true;
    return false;
}

static const char *nearest_def(const Module *m, const char *name, bool call, const char *best) {
    for (size_t i = 0; i < m->defs.count && i < CANDIDATES; i++)
        if (call || !m->defs.items[i]->has_list)
            best = diag_nearer(name, m->defs.items[i]->name, best);
    return best;
}

const char *module_hint(const Module *m, Arena *arena, const char *name, bool call,
                        const char *best) {
    for (; m; m = m->library) {
        best = nearest_def(m, name, call, best);
        for (size_t i = 0; i < m->nused; i++) best = nearest_def(m->used[i], name, call, best);
    }
    const char *foreign = elementary_foreign(name, call);
    if (foreign) return foreign;
    best = elementary_nearer(name, call, best);
    if (!best) return "";
    Buf hint;
    buf_init(&hint, arena);
    buf_printf(&hint, "; did you mean '%s'?", best);
    return hint.s;
}

/* ---- local names ---- */

typedef struct {
    const Module *m;
    Arena *arena;
    Diags *diags;
    Def *d;
    uint32_t visible; /* slots below are; the others are `where` names that come later */
    bool no_locals;   /* in a default */
    bool collecting;  /* unknown names become inputs */
    bool both;        /* it was said that a name is a function and a local value */
    bool comma;       /* it was said that a comma may be missing in front of this definition */
    uint32_t *table;  /* slot + 1 by name, open addressing; NULL if there are few */
    size_t table_cap;
} Resolver;

#define REPORT(r, span, ...)                                                                       \
    ((r)->d->bad = true,                                                                           \
     diag_report((r)->diags, source_loc((r)->diags, (r)->d->source, (span)), __VA_ARGS__))
#define NOTE(r, span, ...)                                                                         \
    diag_report((r)->diags, source_loc((r)->diags, (r)->d->source, (span)), __VA_ARGS__)

const char *def_slot_name(const Def *d, uint32_t slot, Span *span) {
    const uint32_t params = def_first_param(d), wheres = params + d->nparams;
    if (slot < params) return *span = d->inputs[slot].span, d->inputs[slot].name;
    if (slot < wheres) return *span = d->params[slot - params].span, d->params[slot - params].name;
    return *span = d->wheres[slot - wheres].span, d->wheres[slot - wheres].name;
}

static bool find_local(const Resolver *r, const char *name, uint32_t *slot) {
    Span span;
    const uint32_t n = def_slots(r->d);
    if (!r->table) {
        for (*slot = 0; *slot < n; ++*slot)
            if (same(def_slot_name(r->d, *slot, &span), name)) return true;
        return false;
    }
    size_t at = hash_bytes(name, strlen(name), 0) & (r->table_cap - 1);
    for (; r->table[at]; at = (at + 1) & (r->table_cap - 1)) {
        *slot = r->table[at] - 1;
        if (same(def_slot_name(r->d, *slot, &span), name)) return true;
    }
    return false;
}

static void add_locals(Resolver *r) {
    const uint32_t n = def_slots(r->d);
    r->table = NULL;
    if (n > FEW) {
        r->table_cap = 64;
        while (r->table_cap < 2 * (size_t)n) r->table_cap *= 2;
        r->table = ARENA_ARRAY(r->arena, uint32_t, r->table_cap);
    }
    for (uint32_t slot = 0; slot < n; slot++) {
        Span span, other;
        const char *name = def_slot_name(r->d, slot, &span);
        uint32_t first;
        if (find_local(r, name, &first) && first < slot) {
            def_slot_name(r->d, first, &other);
            REPORT(r, span, DIAG_NAME_TWICE, name, def_called(r->d, r->arena));
            NOTE(r, other, DIAG_NOTE_FIRST, name);
        } else if (r->table) {
            size_t at = hash_bytes(name, strlen(name), 0) & (r->table_cap - 1);
            while (r->table[at]) at = (at + 1) & (r->table_cap - 1);
            r->table[at] = slot + 1;
        }
    }
}

static const char *nearest_local(const Resolver *r, const char *name) {
    const char *best = NULL;
    Span span;
    for (uint32_t slot = 0; slot < r->visible && slot < CANDIDATES; slot++)
        best = diag_nearer(name, def_slot_name(r->d, slot, &span), best);
    return best;
}

/* ---- trees ---- */

static void resolve(Resolver *r, Expr *e);

static void use_def(Resolver *r, Def *def, Span span) {
    *ARENA_PUSH(r->arena, r->d->uses, r->d->nuses, r->d->uses_cap) = (Use){def, span};
}

/* Searching for what was meant is slow; nobody sees it any more. */
static bool enough(const Resolver *r) { return r->diags->errors >= DIAG_MAX_ERRORS; }

/* Whether the definition in front of d has `where` names and knows this one. */
static bool known_before(const Def *d, const char *name) {
    const Def *before = d->before;
    Span span;
    for (uint32_t i = 0; before && before->nwheres && i < def_slots(before) && i < CANDIDATES; i++)
        if (same(def_slot_name(before, i, &span), name)) return true;
    return false;
}

static void unknown_name(Resolver *r, Expr *e) {
    const char *name = e->text;
    uint32_t slot;
    if (r->m->incomplete) {
        r->d->bad = true;
        return;
    }
    if (enough(r)) {
        REPORT(r, e->span, DIAG_UNKNOWN_NAME, name, "");
        return;
    }
    if (r->no_locals && find_local(r, name, &slot)) {
        REPORT(r, e->span, DIAG_PARAM_IN_DEFAULT, name);
        return;
    }
    const char *hint =
        module_hint(r->m, r->arena, name, false, r->no_locals ? NULL : nearest_local(r, name));
    if (r->d->has_list || !r->d->name) {
        REPORT(r, e->span, DIAG_UNKNOWN_NAME, name, hint);
        return;
    }
    /* `where a = 1 b = x` makes b a definition; the name was known in the one before. Saying so
     * once is enough. */
    const bool known = known_before(r->d, name);
    if (known && r->comma) {
        r->d->bad = true;
        return;
    }
    Buf cure;
    buf_init(&cure, r->arena);
    if (!*hint && !known) {
        if (r->d->body->kind == EXPR_PIPE)
            buf_puts(&cure, "; a stage gets its value through '→', and in parentheses its params");
        else
            buf_printf(&cure, ": write '%s(%s) = …'", r->d->name, name);
        hint = cure.s;
    }
    REPORT(r, e->span, DIAG_FREE_NAME, name, hint);
    if (known) NOTE(r, r->d->name_span, DIAG_NOTE_COMMA, r->d->name);
    r->comma = r->comma || known;
}

static void resolve_name(Resolver *r, Expr *e) {
    uint32_t slot;
    Span span;
    if (!r->no_locals && find_local(r, e->text, &slot)) {
        if (slot < r->visible) {
            e->ref = (Ref){.kind = REF_LOCAL, .slot = slot};
            return;
        }
        REPORT(r, e->span, DIAG_USED_BEFORE, e->text);
        def_slot_name(r->d, slot, &span);
        NOTE(r, span, DIAG_NOTE_DEFINED, e->text);
        return;
    }
    Def *def = module_find(r->m, e->text);
    if (def) {
        e->ref = (Ref){.kind = REF_DEF, .def = def};
        use_def(r, def, e->span);
        return;
    }
    e->ref = elementary_find(e->text, false);
    if (e->ref.kind == REF_NONE) unknown_name(r, e);
}

/* One name for a function and a local value in one definition. */
static void remark_both(Resolver *r, const Call *c) {
    uint32_t slot;
    Span span;
    if (r->both || !r->m->library || !find_local(r, c->name, &slot)) return;
    r->both = true;
    def_slot_name(r->d, slot, &span);
    NOTE(r, c->name_span, DIAG_SHADOWS_BOTH, c->name, c->name);
    NOTE(r, span, DIAG_NOTE_DEFINED, c->name);
}

/* h = x → relu, where x was to be an input. */
static bool is_first_stage(const Def *d, const Call *c) {
    return !d->has_list && d->name && c->stage && !c->args && d->body->kind == EXPR_PIPE &&
           d->body->items[0]->kind == EXPR_CALL && d->body->items[0]->call == c;
}

static const char *input_hint(Resolver *r, const char *name) {
    Buf hint;
    buf_init(&hint, r->arena);
    buf_printf(&hint, "; for an input write '%s(%s) = …'", r->d->name, name);
    return hint.s;
}

static void resolve_function(Resolver *r, Call *c) {
    Def *def = module_find(r->m, c->name);
    if (def) {
        c->ref = (Ref){.kind = REF_DEF, .def = def};
        use_def(r, def, c->name_span);
        remark_both(r, c);
        return;
    }
    c->ref = elementary_find(c->name, true);
    if (c->ref.kind == REF_OP || c->ref.kind == REF_RANDOM) remark_both(r, c);
    if (c->ref.kind != REF_NONE) return;
    uint32_t slot;
    if (r->m->incomplete) {
        r->d->bad = true;
        return;
    }
    if (find_local(r, c->name, &slot)) {
        const uint32_t params = def_first_param(r->d);
        const char *what = slot < params                   ? "an input"
                           : slot < params + r->d->nparams ? "a param"
                                                           : "a local name";
        Buf hint;
        buf_init(&hint, r->arena);
        if (c->args) buf_printf(&hint, "; to multiply, write '%s*(…)'", c->name);
        REPORT(r, c->name_span, DIAG_NOT_A_FUNCTION, c->name, what, hint.s);
    } else if (elementary_find(c->name, false).kind == REF_CONSTANT) {
        REPORT(r, c->name_span, DIAG_NOT_A_FUNCTION, c->name, "a constant", "");
    } else {
        const char *hint = enough(r) ? "" : module_hint(r->m, r->arena, c->name, true, NULL);
        if (!*hint && is_first_stage(r->d, c)) hint = input_hint(r, c->name);
        REPORT(r, c->name_span, DIAG_UNKNOWN_FUNCTION, c->name, hint);
    }
}

bool resolve_stage(Arena *arena, Expr *e) {
    if (e->kind == EXPR_NAME) {
        Call *c = ARENA_NEW(arena, Call);
        *c = (Call){.name = e->text, .name_span = e->span, .ref = e->ref};
        e->kind = EXPR_CALL;
        e->call = c;
    }
    if (e->kind != EXPR_CALL) return false;
    e->call->stage = true;
    return true;
}

static size_t count_stages(const Expr *e) {
    if (e->kind != EXPR_PIPE) return 1;
    size_t n = 0;
    for (uint32_t i = 0; i < e->count; i++) n += count_stages(e->items[i]);
    return n;
}

static void take_stages(Expr *e, Expr **out, uint32_t *n) {
    if (e->kind == EXPR_PIPE)
        for (uint32_t i = 0; i < e->count; i++) take_stages(e->items[i], out, n);
    else
        out[(*n)++] = e;
}

/* (f → g) → h is f → g → h. A first value keeps its parentheses. */
static void flatten(Resolver *r, Expr *e) {
    const uint32_t first = e->op ? 0 : 1;
    size_t n = first;
    for (uint32_t i = first; i < e->count; i++) n += count_stages(e->items[i]);
    if (n == e->count) return;
    Expr **items = ARENA_ARRAY(r->arena, Expr *, n);
    uint32_t count = first;
    items[0] = e->items[0];
    for (uint32_t i = first; i < e->count; i++) take_stages(e->items[i], items, &count);
    e->items = items;
    e->count = count;
}

static const char *what_it_is(const Expr *e) {
    switch ((ExprKind)e->kind) {
    case EXPR_NUMBER:
        return "a number";
    case EXPR_TRUTH:
        return "a truth value";
    case EXPR_REDUCE:
        return "a reduction";
    case EXPR_BAD:
    case EXPR_NAME:
    case EXPR_UNARY:
    case EXPR_BINARY:
    case EXPR_COMPARE:
    case EXPR_COND:
    case EXPR_CALL:
    case EXPR_PIPE:
        break;
    }
    return "an expression";
}

static void resolve_pipe(Resolver *r, Expr *e) {
    flatten(r, e);
    for (uint32_t i = 0; i < e->count; i++) {
        Expr *item = e->items[i];
        if (i == 0 && !e->op) {
            resolve(r, item);
        } else if (resolve_stage(r->arena, item)) {
            resolve(r, item);
        } else {
            if (r->collecting) continue;
            REPORT(r, item->span, DIAG_NOT_A_STAGE, what_it_is(item));
            item->kind = EXPR_BAD;
        }
    }
}

static void collect(Resolver *r, const Expr *e) {
    uint32_t slot;
    if (find_local(r, e->text, &slot) || module_find(r->m, e->text)) return;
    if (elementary_find(e->text, false).kind != REF_NONE) return;
    if (r->d->ninputs > LIMIT_FREE) return;
    size_t n = r->d->ninputs, cap = n;
    if (n & (n - 1)) { /* room is left up to the next power of two */
        cap = 1;
        while (cap < n) cap *= 2;
    }
    *ARENA_PUSH(r->arena, r->d->inputs, n, cap) = (Input){.name = e->text, .span = e->span};
    r->d->ninputs++;
}

static void resolve(Resolver *r, Expr *e) {
    switch ((ExprKind)e->kind) {
    case EXPR_BAD:
    case EXPR_NUMBER:
    case EXPR_TRUTH:
        break;
    case EXPR_NAME:
        if (r->collecting)
            collect(r, e);
        else
            resolve_name(r, e);
        break;
    case EXPR_UNARY:
        resolve(r, e->arg[0]);
        break;
    case EXPR_BINARY:
        resolve(r, e->arg[0]);
        resolve(r, e->arg[1]);
        break;
    case EXPR_COND:
        for (int i = 0; i < 3; i++) resolve(r, e->arg[i]);
        break;
    case EXPR_COMPARE:
        for (uint32_t i = 0; i < e->count; i++) resolve(r, e->items[i]);
        break;
    case EXPR_CALL:
        if (!r->collecting) resolve_function(r, e->call);
        for (Arg *a = e->call->args; a; a = a->next) resolve(r, a->value);
        break;
    case EXPR_REDUCE: {
        Reduction which;
        if (elementary_reduction(e->call->name, &which))
            e->call->ref = (Ref){.kind = REF_REDUCTION, .slot = which};
        else if (!r->collecting)
            REPORT(r, e->call->name_span, DIAG_NOT_A_REDUCTION, e->call->name);
        for (Arg *a = e->call->args; a; a = a->next) resolve(r, a->value);
        break;
    }
    case EXPR_PIPE:
        resolve_pipe(r, e);
        break;
    }
}

static void resolve_grads(Resolver *r) {
    Def *d = r->d;
    if (d->ngrads == 0) return;
    const Local **first = ARENA_ARRAY(r->arena, const Local *, def_slots(d));
    for (uint32_t i = 0; i < d->ngrads; i++) {
        Local *g = &d->grads[i];
        uint32_t slot;
        const uint32_t params = def_first_param(d);
        const bool known = find_local(r, g->name, &slot) && slot < params + d->nparams &&
                           (slot < params || d->params[slot - params].learn);
        if (!known) {
            Buf hint;
            buf_init(&hint, r->arena);
            if (d->ninputs) buf_printf(&hint, "; write 'grad %s = …'", d->inputs[0].name);
            REPORT(r, g->span, DIAG_GRAD_TARGET, g->name, d->name, hint.s);
        } else if (first[slot]) {
            REPORT(r, g->span, DIAG_GRAD_TWICE, g->name);
            NOTE(r, first[slot]->span, DIAG_NOTE_GIVEN);
        } else {
            g->slot = slot;
            first[slot] = g;
        }
        resolve(r, g->value);
    }
}

static void resolve_values(Resolver *r) {
    Def *d = r->d;
    /* In a pipeline without a list the first operand is a stage as well. */
    if (d->body->kind == EXPR_PIPE) d->body->op = !d->has_list;
    r->visible = def_slots(d);
    resolve(r, d->body);
    for (uint32_t i = 0; i < d->nwheres; i++) {
        r->visible = def_first_param(d) + d->nparams + i;
        resolve(r, d->wheres[i].value);
    }
}

void resolve_def(const Module *m, Arena *arena, Diags *diags, Def *d, bool free) {
    if (d->body->kind == EXPR_BAD) return;
    Resolver r = {.m = m, .arena = arena, .diags = diags, .d = d};
    if (free) {
        r.collecting = true;
        resolve_values(&r);
        r.collecting = false;
        if (d->ninputs > LIMIT_FREE) {
            REPORT(&r, d->inputs[LIMIT_FREE].span, DIAG_TOO_MANY_INPUTS, LIMIT_FREE);
            return;
        }
    }
    add_locals(&r);
    r.no_locals = true;
    for (uint32_t i = 0; i < d->nparams; i++)
        if (d->params[i].value) resolve(&r, d->params[i].value);
    r.no_locals = false;
    resolve_values(&r);
    r.visible = def_slots(d);
    resolve_grads(&r);
}
