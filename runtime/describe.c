/* What the functions of a module say of themselves: names, inputs, params, doc comments and source,
 * as actc.h gives them. Made once when the module is, in its arena, so that anyone may read it
 * later. */
#include <string.h>

#include "runtime.h"

static const char *axes_text(Arena *arena, const Axis *axes) {
    if (!axes) return "";
    Buf b;
    buf_init(&b, arena);
    for (const Axis *a = axes; a; a = a->next)
        buf_printf(&b, "%s%s", a == axes ? "[" : ", ", a->name);
    buf_putc(&b, ']');
    return b.s;
}

static const char *source_text(Arena *arena, const Source *source, Span span) {
    return arena_copy(arena, source->text + span.begin, span.end - span.begin);
}

/* ---- learnables of a pipeline ---- */

typedef struct {
    const Def *f;
    const Param *param;
    const Call *call;
} Learnable;

typedef struct {
    Learnable *items;
    size_t count, cap;
    size_t *steps; /* that are left for the module */
    bool cut;      /* there are more */
} Learnables;

/* A pipeline of pipelines of … may have any number of stages: so many are visited in a module, so
 * many levels deep, and so many learnables told of one. */
enum { MOST_STEPS = 100000, MOST_LEARNABLES = 200, MOST_LEVELS = 100 };

/* Those of the stages, also of pipelines among them, in order. */
static void find_learnables(Arena *arena, const Def *d, unsigned level, Learnables *out) {
    uint32_t i = 0;
    for (; i < d->body->count && out->count < MOST_LEARNABLES && *out->steps; i++) {
        --*out->steps;
        const Expr *stage = d->body->items[i];
        if (stage->kind != EXPR_CALL || stage->call->ref.kind != REF_DEF) continue;
        const Def *f = stage->call->ref.def;
        if (f->kind == DEF_PIPELINE && level < MOST_LEVELS)
            find_learnables(arena, f, level + 1, out);
        else if (f->kind == DEF_PIPELINE)
            out->cut = true;
        for (uint32_t k = 0; f->kind == DEF_FUNCTION && k < f->nparams; k++)
            if (f->params[k].learn)
                *ARENA_PUSH(arena, out->items, out->count, out->cap) =
                    (Learnable){f, &f->params[k], stage->call};
    }
    if (i < d->body->count) out->cut = true;
}

/* The axes, as numbers where the stage gives their sizes. */
static const char *sized_axes(Arena *arena, const Learnable *l) {
    if (!l->param->axes) return "";
    Buf b;
    buf_init(&b, arena);
    for (const Axis *a = l->param->axes; a; a = a->next) {
        uint32_t k = 0;
        while (k < l->f->naxes && strcmp(l->f->axes[k].name, a->name) != 0) k++;
        const uint32_t given = l->call->sizes && k < l->f->naxes ? l->call->sizes[k] : 0;
        const uint32_t size = given ? given : k < l->f->naxes ? l->f->axes[k].size : 0;
        buf_puts(&b, a == l->param->axes ? "[" : ", ");
        if (size)
            buf_printf(&b, "%u", (unsigned)size);
        else
            buf_puts(&b, a->name);
    }
    buf_putc(&b, ']');
    return b.s;
}

/* Names that clash get the number of their stage among those that clash: W1, b1, W2, b2. */
static const char *learnable_name(Arena *arena, const Learnables *all, size_t at) {
    const char *name = all->items[at].param->name;
    unsigned before = 0, others = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (i == at || strcmp(all->items[i].param->name, name) != 0) continue;
        others++;
        before += i < at;
    }
    if (!others) return name;
    Buf b;
    buf_init(&b, arena);
    buf_printf(&b, "%s%u", name, before + 1);
    return b.s;
}

static actc_parameter *describe_learnables(Arena *arena, const Def *d, size_t *count,
                                           size_t *steps) {
    Learnables all = {.steps = steps};
    find_learnables(arena, d, 0, &all);
    actc_parameter *out = ARENA_ARRAY(arena, actc_parameter, all.count + 1);
    for (size_t i = 0; i < all.count; i++) {
        const Learnable *l = &all.items[i];
        const Expr *value = l->param->value;
        out[i] = (actc_parameter){.name = learnable_name(arena, &all, i),
                                  .axes = sized_axes(arena, l),
                                  .default_value =
                                      value ? source_text(arena, l->f->source, value->span) : NULL,
                                  .is_learnable = true};
    }
    *count = all.count;
    if (all.cut) out[(*count)++] = (actc_parameter){.name = "…", .axes = ""};
    return out;
}

/* ---- definitions ---- */

static actc_definition describe(Arena *arena, const Def *d, size_t *steps) {
    actc_parameter *inputs = ARENA_ARRAY(arena, actc_parameter, d->ninputs);
    for (uint32_t i = 0; i < d->ninputs; i++)
        inputs[i] = (actc_parameter){.name = d->inputs[i].name,
                                     .axes = axes_text(arena, d->inputs[i].axes)};
    actc_parameter *params = ARENA_ARRAY(arena, actc_parameter, d->nparams);
    for (uint32_t i = 0; i < d->nparams; i++) {
        const Param *p = &d->params[i];
        params[i] = (actc_parameter){
            .name = p->name,
            .axes = axes_text(arena, p->axes),
            .default_value = p->value ? source_text(arena, d->source, p->value->span) : NULL,
            .is_learnable = p->learn,
            .is_condition = p->kind == KIND_CONDITION};
    }
    size_t count = d->nparams;
    if (d->kind == DEF_PIPELINE) params = describe_learnables(arena, d, &count, steps);
    return (actc_definition){.name = def_name(d),
                             .doc = d->doc ? d->doc : "",
                             .source = source_text(arena, d->source, d->span),
                             .inputs = inputs,
                             .input_count = d->ninputs,
                             .params = params,
                             .param_count = count};
}

void describe_module(actc_module *m) {
    const size_t n = module_def_count(m->tree);
    size_t steps = MOST_STEPS;
    m->functions = ARENA_ARRAY(&m->arena, actc_definition, n);
    for (size_t i = 0; i < n; i++)
        if (module_def(m->tree, i)->kind != DEF_CONSTANT)
            m->functions[m->function_count++] = describe(&m->arena, module_def(m->tree, i), &steps);
}

size_t actc_module_file_count(const actc_module *m) { return m && m->tree ? m->tree->nused : 0; }

const char *actc_module_file(const actc_module *m, size_t index) {
    return index < actc_module_file_count(m) ? m->tree->used[index]->path : NULL;
}

size_t actc_module_function_count(const actc_module *m) { return m ? m->function_count : 0; }

const actc_definition *actc_module_function(const actc_module *m, size_t index) {
    return m && index < m->function_count ? &m->functions[index] : NULL;
}

const actc_definition *actc_module_find(const actc_module *m, const char *name) {
    for (size_t i = 0; m && name && i < m->function_count; i++)
        if (strcmp(m->functions[i].name, name) == 0) return &m->functions[i];
    return NULL;
}

const char *actc_module_function_name(const actc_module *m, size_t index) {
    const actc_definition *d = actc_module_function(m, index);
    return d ? d->name : NULL;
}
