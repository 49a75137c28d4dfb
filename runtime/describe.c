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

static actc_definition describe(Arena *arena, const Def *d) {
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
    return (actc_definition){.name = def_name(d),
                             .doc = d->doc ? d->doc : "",
                             .source = source_text(arena, d->source, d->span),
                             .inputs = inputs,
                             .input_count = d->ninputs,
                             .params = params,
                             .param_count = d->nparams};
}

void describe_module(actc_module *m) {
    const size_t n = module_def_count(m->tree);
    m->functions = ARENA_ARRAY(&m->arena, actc_definition, n);
    for (size_t i = 0; i < n; i++)
        if (module_def(m->tree, i)->kind != DEF_CONSTANT)
            m->functions[m->function_count++] = describe(&m->arena, module_def(m->tree, i));
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
