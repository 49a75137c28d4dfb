/* Remarks about names that hide others: allowed, and perhaps not meant. `actc check` shows them. */
#include "frontend.h"

#include <string.h>

enum { REMARKS = 10 /* of each kind, for one module */ };

static void note_definition(Diags *diags, const Def *d) {
    diag_report(diags, source_loc(diags, d->source, d->name_span), DIAG_NOTE_DEFINED, d->name);
}

/* The definition of this name in what m uses, the last file first. */
static const Def *find_used(const Module *m, const char *name) {
    const Def *d = NULL;
    for (size_t i = 0; !d && i < m->nused; i++) d = module_find_own(m->used[i], name);
    return d;
}

/* ---- files ---- */

void shadow_uses(const Module *m, Diags *diags, const FileUse *use, const Module *other) {
    size_t remarks = 0;
    for (size_t k = 0; m->nused && k <= other->nused; k++) {
        const Module *file = k ? other->used[k - 1] : other;
        if (k && module_uses(m, file)) continue;
        for (size_t i = 0; i < file->defs.count && remarks < REMARKS; i++) {
            const Def *d = file->defs.items[i], *hidden = find_used(m, d->name);
            if (!hidden) continue;
            diag_report(diags, source_loc(diags, use->source, use->span), DIAG_SHADOWS_EACH,
                        d->name, d->source->name, hidden->source->name);
            note_definition(diags, hidden);
            remarks++;
        }
    }
}

/* ---- definitions ---- */

static bool same_lists(const Def *a, const Def *b) {
    if (a->ninputs != b->ninputs || a->nparams != b->nparams) return false;
    for (uint32_t i = 0; i < a->nparams; i++)
        if (strcmp(a->params[i].name, b->params[i].name) != 0) return false;
    return true;
}

/* What the language itself means by the name, where d takes other arguments. */
static bool remark_elementary(Diags *diags, const Def *d) {
    const Loc loc = source_loc(diags, d->source, d->name_span);
    const Ref ref = elementary_find(d->name, false);
    uint32_t least, most;
    switch (ref.kind) {
    case REF_OP:
        elementary_arity(ref.op, &least, &most);
        if (d->kind != DEF_CONSTANT && d->nparams == 0 && d->ninputs >= least && d->ninputs <= most)
            return false;
        diag_report(diags, loc, DIAG_SHADOWS_ELEMENTARY, d->name, most > least ? "at least " : "",
                    least, least == 1 ? "" : "s");
        return true;
    case REF_CONSTANT:
        diag_report(diags, loc, DIAG_SHADOWS_CONSTANT, d->name, d->name);
        return true;
    case REF_RANDOM:
        diag_report(diags, loc, DIAG_SHADOWS_RANDOM, d->name, d->name);
        return true;
    case REF_REDUCTION:
        diag_report(diags, loc, DIAG_SHADOWS_REDUCTION, d->name, d->name);
        return true;
    case REF_NONE:
    case REF_LOCAL:
    case REF_DEF:
        break;
    }
    return false;
}

/* Any of a used file, and of the standard ones those that take other arguments. */
static bool remark_definition(const Module *m, Diags *diags, const Def *d) {
    const Loc loc = source_loc(diags, d->source, d->name_span);
    const Def *hidden = find_used(m, d->name);
    if (hidden) {
        diag_report(diags, loc, DIAG_SHADOWS_USED, d->name, hidden->source->name);
    } else {
        hidden = module_find(m->library, d->name);
        if (!hidden) return remark_elementary(diags, d);
        if (same_lists(d, hidden)) return false;
        diag_report(diags, loc, DIAG_SHADOWS_STANDARD, d->name);
    }
    note_definition(diags, hidden);
    return true;
}

/* A value's name hides constants; functions are looked up apart. `e` is everybody's name for what
 * was exp(…), and no news. */
static bool remark_local(const Module *m, Diags *diags, const Def *d, uint32_t slot) {
    Span span;
    const char *name = def_slot_name(d, slot, &span);
    const Def *hidden = module_find(m, name);
    const bool constant =
        hidden ? hidden->kind == DEF_CONSTANT && hidden->state == DEF_DONE
               : strcmp(name, "e") != 0 && elementary_find(name, false).kind == REF_CONSTANT;
    if (!constant) return false;
    diag_report(diags, source_loc(diags, d->source, span), DIAG_SHADOWS_CONSTANT, name, name);
    if (hidden) note_definition(diags, hidden);
    return true;
}

void shadow_definitions(const Module *m, Diags *diags) {
    size_t remarks = 0, locals = 0;
    for (size_t i = 0; m->library && i < m->defs.count; i++) {
        const Def *d = m->defs.items[i];
        if (d->bad) continue;
        if (remarks < REMARKS) remarks += remark_definition(m, diags, d);
        for (uint32_t slot = 0; slot < def_slots(d) && locals < REMARKS; slot++)
            locals += remark_local(m, diags, d, slot);
    }
}
