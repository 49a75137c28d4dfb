/* The axes of values, for check.c: which there are, which are the same, and how long.
 *
 * A definition's signature is the list of its axes (Def.axes), those of its result, and what the
 * shapes hidden in `..` must end in (Def.tail): `f(x) = x → linear(3, 4)` needs an x whose last
 * axis has 3 elements. A call aligns the axes of each input with those of its argument, from the
 * right and, in front of `..`, from the left; thereby each axis of the definition becomes one of
 * the caller, and the caller's are found to be the same as each other or to have a size. What the
 * result has beside those is new. Where two known sizes meet, they must agree. */
#include "checker.h"

#include <string.h>

/* ---- sets ---- */

static AxisSet bit_of(unsigned axis) { return (AxisSet)2 << axis; }

static unsigned known(const Checker *c, unsigned axis) {
    while (c->axes[axis].same != axis) axis = c->axes[axis].same;
    return axis;
}

AxisSet axes_known(const Checker *c, AxisSet set) {
    AxisSet out = set & AXES_REST;
    for (unsigned i = 0; i < c->naxes; i++)
        if (set & bit_of(i)) out |= bit_of(known(c, i));
    return out;
}

AxisSet axes_find(const Checker *c, const char *name) {
    if (strcmp(name, "..") == 0) return AXES_REST;
    for (unsigned i = 0; i < c->naxes; i++)
        if (c->axes[i].declared && same(c->axes[i].name, name)) return bit_of(i);
    return 0;
}

static AxisSet tail_set(const Checker *c) {
    AxisSet set = 0;
    for (unsigned i = 0; i < c->ntail; i++) set |= bit_of(known(c, c->tail[i]));
    return set;
}

/* Those that came with calls and are not part of what `..` stands for. */
static AxisSet new_axes(const Checker *c, AxisSet set) {
    AxisSet out = 0;
    for (unsigned i = 0; i < c->naxes; i++)
        if ((set & bit_of(i)) && !c->axes[i].declared) out |= bit_of(i);
    return out & ~tail_set(c);
}

/* Shapes without names meet as in NumPy, by their places. Where one has given axes away or got
 * some, the result is not known. */
static bool meet(const Checker *c, const Info *a, const Info *b) {
    if (a->axes == b->axes || !a->axes || !b->axes) return true;
    if (new_axes(c, a->axes) != new_axes(c, b->axes)) return false;
    return !(a->split && b->split);
}

Info axes_join(const Checker *c, Info a, Info b) {
    a.axes = axes_known(c, a.axes);
    b.axes = axes_known(c, b.axes);
    return (Info){.kind = a.kind,
                  .varies = a.varies ? a.varies : b.varies,
                  .axes = a.axes | b.axes,
                  .loose = a.loose || b.loose || !meet(c, &a, &b),
                  .split = a.split || b.split};
}

/* ---- making ---- */

AxisSet axes_declare(Checker *c, const Axis *list, bool learn) {
    AxisSet set = 0;
    for (const Axis *a = list; a; a = a->next) {
        if (strcmp(a->name, "*") == 0) {
            REPORT(c, a->span, DIAG_AXIS_STAR);
            continue;
        }
        if (strcmp(a->name, "..") == 0) {
            if (learn)
                REPORT(c, a->span, DIAG_LEARN_REST);
            else if (set & AXES_REST)
                REPORT(c, a->span, DIAG_AXIS_TWICE, a->name);
            else if (c->rests++ == 0)
                c->before_rest = c->naxes;
            set |= learn ? 0 : AXES_REST;
            continue;
        }
        AxisSet bit = axes_find(c, a->name);
        if (!bit) {
            if (c->naxes == LIMIT_AXES) {
                REPORT(c, a->span, DIAG_AXES_TOO_MANY, LIMIT_AXES);
                return set;
            }
            bit = bit_of(c->naxes);
            c->axes[c->naxes] = (AxisVar){
                .name = a->name, .declared = true, .same = (uint8_t)c->naxes, .at = a->span};
            c->naxes++;
        } else if (set & bit) {
            REPORT(c, a->span, DIAG_AXIS_TWICE, a->name);
        }
        set |= bit;
    }
    return set;
}

/* An axis of a call; AXIS_VARS if there is no room, and then its value is loose. */
static unsigned make(Checker *c, AxisVar axis) {
    if (c->naxes == AXIS_VARS) return AXIS_VARS;
    axis.same = (uint8_t)c->naxes;
    c->axes[c->naxes] = axis;
    return c->naxes++;
}

/* ---- one call ---- */

typedef struct {
    Checker *c;
    const Call *call;
    const Def *f;
    uint8_t image[AXIS_VARS]; /* for each axis of f: the caller's, AXIS_VARS if there is none yet */
    Info rest;                /* what `..` of f stands for */
    bool failed;
} Alignment;

/* The axes of a value in their order, from which they are taken. */
typedef struct {
    Info *info;
    unsigned taken; /* axes taken out of its `..` */
} Row;

static uint32_t size_of(const Alignment *al, unsigned axis) {
    const uint32_t given = al->call->sizes ? al->call->sizes[axis] : 0;
    return given ? given : al->f->axes[axis].size;
}

static AxisVar describe(const Alignment *al, unsigned axis) {
    return (AxisVar){.name = al->f->axes[axis].name,
                     .size = size_of(al, axis),
                     .of = al->f,
                     .of_axis = al->f->axes[axis].name,
                     .at = al->call->name_span};
}

static void note_size(const Alignment *al, const AxisVar *v) {
    if (v->of)
        NOTE(al->c, al->c->d->source, v->at, DIAG_NOTE_SIZE, v->of_axis, def_name(v->of),
             (unsigned)v->size);
}

/* The axis `axis` of f is v's: their sizes must agree. */
static void give_size(Alignment *al, unsigned axis, AxisVar *v) {
    const AxisVar mine = describe(al, axis);
    if (!mine.size || mine.size == v->size) return;
    if (!v->size) {
        v->size = mine.size;
        v->of = mine.of;
        v->of_axis = mine.of_axis;
        v->at = mine.at;
        return;
    }
    REPORT(al->c, mine.at, DIAG_SIZES_DIFFER, mine.name, def_name(al->f), (unsigned)mine.size,
           (unsigned)v->size, v->of_axis, def_name(v->of));
    note_size(al, v);
    al->failed = true;
}

/* Both axes of the caller are the same one. */
static void unite(Alignment *al, unsigned axis, unsigned a, unsigned b) {
    Checker *c = al->c;
    a = known(c, a);
    b = known(c, b);
    if (a == b) return;
    AxisVar *u = &c->axes[a], *v = &c->axes[b];
    if (u->declared && v->declared) {
        REPORT(c, al->call->name_span, DIAG_AXES_CLASH, al->f->axes[axis].name, def_name(al->f),
               u->name, v->name);
        al->failed = true;
        return;
    }
    if (u->size && v->size && u->size != v->size) {
        REPORT(c, al->call->name_span, DIAG_SIZES_MEET, al->f->axes[axis].name, def_name(al->f),
               (unsigned)u->size, (unsigned)v->size);
        note_size(al, u);
        note_size(al, v);
        al->failed = true;
        return;
    }
    /* The declared one stays, or the older one, which outer values may have. */
    const bool keep_u = u->declared || (!v->declared && a < b);
    AxisVar *stays = keep_u ? u : v, *goes = keep_u ? v : u;
    goes->same = (uint8_t)(keep_u ? a : b);
    if (stays->size || !goes->size) return;
    stays->size = goes->size;
    stays->of = goes->of;
    stays->of_axis = goes->of_axis;
    stays->at = goes->at;
}

static void bind(Alignment *al, unsigned axis, unsigned to) {
    if (to == AXIS_VARS) {
        al->rest.loose = true;
        return;
    }
    give_size(al, axis, &al->c->axes[known(al->c, to)]);
    if (al->failed) return;
    if (al->image[axis] == AXIS_VARS)
        al->image[axis] = (uint8_t)to;
    else
        unite(al, axis, al->image[axis], to);
}

/* The next axis from the end of what `..` stands for. That of a definition's only `..` is known by
 * its place; of several nobody knows which is the longest. */
static unsigned split_rest(Alignment *al, Row *row, unsigned axis) {
    Checker *c = al->c;
    const unsigned place = row->taken++;
    if (row->info->split || c->rests != 1 || place > c->ntail) {
        AxisVar v = describe(al, axis);
        v.size = 0;
        return make(c, v);
    }
    if (place == c->ntail) {
        AxisVar v = describe(al, axis);
        v.size = 0;
        const unsigned made = make(c, v);
        if (made == AXIS_VARS) return made;
        c->tail[c->ntail++] = (uint8_t)made;
    }
    return c->tail[place];
}

/* Takes the last axis, or the first, for one of f; false if there is none. */
static bool take(Alignment *al, Row *row, unsigned axis, bool last) {
    const Checker *c = al->c;
    Info *info = row->info;
    const bool rest = info->axes & AXES_REST;
    for (unsigned k = 0; k < c->naxes; k++) {
        const unsigned i = last ? c->naxes - 1 - k : k;
        if (!(info->axes & bit_of(i))) continue;
        if (rest && (last ? i < c->before_rest : i >= c->before_rest)) break;
        info->axes &= ~bit_of(i);
        bind(al, axis, i);
        return true;
    }
    if (!rest) return false;
    if (last)
        bind(al, axis, split_rest(al, row, axis));
    else
        al->rest.loose = true;
    return true;
}

static unsigned find_axis(const Def *f, const char *name) {
    unsigned k = 0;
    while (k < f->naxes && !same(f->axes[k].name, name)) k++;
    return k;
}

static unsigned count_axes(AxisSet set) {
    unsigned n = 0;
    for (set &= ~(AxisSet)AXES_REST; set; set &= set - 1) n++;
    return n;
}

static const char *plural(unsigned n) { return n == 1 ? "is" : "es"; }

static void report_axes(Alignment *al, Span at, DiagId id, const Input *in, unsigned needs,
                        unsigned has) {
    Buf list;
    buf_init(&list, al->c->arena);
    axes_print(in->axes, &list);
    REPORT(al->c, at, id, in->name, list.s, def_name(al->f), needs, plural(needs), has);
    if (al->f->name_span.end > al->f->name_span.begin)
        NOTE(al->c, al->f->source, in->span, DIAG_NOTE_DEFINED, in->name);
    al->failed = true;
}

/* The axes of one input and those of its argument. What is left belongs to `..`. */
static void align_input(Alignment *al, const Input *in, Info arg, Span at) {
    unsigned names[AXIS_VARS], n = 0, front = 0;
    bool rest = false;
    for (const Axis *a = in->axes; a; a = a->next) {
        if (strcmp(a->name, "..") == 0) {
            rest = true;
            front = n;
        } else {
            names[n] = find_axis(al->f, a->name);
            if (names[n++] == al->f->naxes) { /* there was no room for it */
                al->rest.loose = true;
                return;
            }
        }
    }
    const unsigned has = count_axes(arg.axes);
    Row row = {&arg, 0};
    bool enough = true;
    for (unsigned i = n; i-- > front && enough && !al->failed;)
        enough = take(al, &row, names[i], true);
    for (unsigned i = 0; i < front && enough && !al->failed; i++)
        enough = take(al, &row, names[i], false);
    if (al->failed) return;
    arg.split = arg.split || row.taken > 0;
    if (!enough)
        report_axes(al, at, DIAG_AXES_FEW, in, n, has);
    else if (rest)
        al->rest = axes_join(al->c, al->rest, arg);
    else if (count_axes(arg.axes) && !arg.split)
        report_axes(al, at, DIAG_AXES_MANY, in, n, has);
}

/* The first stage: the pipeline has its axes. */
static void take_over(Alignment *al) {
    Checker *c = al->c;
    const Def *f = al->f;
    for (uint32_t i = 0; i < f->ninputs; i++) {
        if (!f->inputs[i].axes && c->rests++ == 0) c->before_rest = c->naxes;
        for (const Axis *a = f->inputs[i].axes; a; a = a->next) {
            if (strcmp(a->name, "..") == 0) {
                if (c->rests++ == 0) c->before_rest = c->naxes;
                continue;
            }
            const unsigned k = find_axis(f, a->name);
            if (k == f->naxes) /* there was no room for it */
                al->rest.loose = true;
            else if (al->image[k] == AXIS_VARS)
                bind(al, k, make(c, describe(al, k)));
        }
    }
    if (c->rests) al->rest.axes = AXES_REST;
}

/* What `..` of f must end in. */
static void align_tail(Alignment *al) {
    const Def *f = al->f;
    Info left = al->rest;
    left.axes = axes_known(al->c, left.axes);
    Row row = {&left, 0};
    if (al->rest.loose) return;
    for (unsigned i = 0; i < f->ntail && !al->failed; i++) {
        if (take(al, &row, f->tail[i], true)) continue;
        REPORT(al->c, al->call->name_span, DIAG_TAIL_FEW, def_name(f), f->ntail, plural(f->ntail),
               count_axes(al->rest.axes));
        al->failed = true;
    }
    left.split = left.split || row.taken > 0;
    if (f->split) al->rest = left;
}

Info axes_call(Checker *c, const Call *call, const Info *args, const Span *spans) {
    const Def *f = call->ref.def;
    const Info unknown = {.loose = true};
    Alignment al = {.c = c, .call = call, .f = f};
    memset(al.image, AXIS_VARS, sizeof al.image);
    if (!args) take_over(&al);
    for (uint32_t i = 0; args && i < f->ninputs && !al.failed; i++) {
        Info arg = args[i];
        arg.axes = axes_known(c, arg.axes);
        if (arg.loose)
            al.rest.loose = true;
        else if (f->inputs[i].axes)
            align_input(&al, &f->inputs[i], arg, spans[i]);
        else
            al.rest = axes_join(c, al.rest, arg);
    }
    if (!al.failed) align_tail(&al);
    if (al.failed) return unknown;
    Info out = {.loose = al.rest.loose || f->loose, .split = al.rest.split || f->split};
    if (f->result & AXES_REST) out.axes = al.rest.axes;
    for (unsigned k = 0; k < f->naxes; k++) {
        if (!(f->result & bit_of(k))) continue;
        if (al.image[k] == AXIS_VARS) bind(&al, k, make(c, describe(&al, k)));
        if (al.image[k] == AXIS_VARS)
            out.loose = true;
        else
            out.axes |= bit_of(al.image[k]);
    }
    out.axes = axes_known(c, out.axes);
    return out;
}

void axes_forget(Checker *c, unsigned first, Info *flow) {
    uint8_t moved[AXIS_VARS];
    const AxisSet keep = axes_known(c, flow->axes) | tail_set(c);
    unsigned n = first;
    for (unsigned i = 0; i < c->naxes; i++) {
        moved[i] = (uint8_t)i;
        if (i < first) continue;
        const unsigned is = known(c, i);
        moved[i] = is < i ? moved[is] : (uint8_t)n;
        if (is < i || !(keep & bit_of(i))) continue;
        c->axes[n] = c->axes[i];
        c->axes[n].same = (uint8_t)n;
        n++;
    }
    AxisSet axes = flow->axes & AXES_REST;
    for (unsigned i = 0; i < c->naxes; i++)
        if (flow->axes & bit_of(i)) axes |= bit_of(moved[i]);
    flow->axes = axes;
    for (unsigned i = 0; i < c->ntail; i++) c->tail[i] = moved[c->tail[i]];
    c->naxes = n;
}

void axes_finish(Checker *c, Info body) {
    Def *d = c->d;
    d->axes = ARENA_ARRAY(c->arena, DefAxis, c->naxes);
    d->naxes = c->naxes;
    for (unsigned i = 0; i < c->naxes; i++)
        d->axes[i] = (DefAxis){c->axes[i].name, c->axes[known(c, i)].size};
    d->result = axes_known(c, body.axes);
    d->loose = body.loose;
    d->split = body.split;
    d->ntail = c->ntail;
    d->tail = ARENA_ARRAY(c->arena, uint8_t, c->ntail);
    for (unsigned i = 0; i < c->ntail; i++) d->tail[i] = (uint8_t)known(c, c->tail[i]);
}
