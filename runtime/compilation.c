/* One use of the compiler: an arena, names and messages of its own, in a layer above the module.
 * The module itself is only read, so any number of compilations run at once, and what they make
 * goes when they end. */
#include <string.h>

#include "runtime.h"

/* MPFR keeps constants and spare numbers for each thread; a thread that ends would leak them. */
void compilation_forget(void) { mpfr_free_cache2(MPFR_FREE_LOCAL_CACHE); }

void compilation_end(Compilation *c) {
    arena_free(&c->arena);
    compilation_forget();
}

void compilation_begin(Compilation *c, actc_module *m) {
    *c = (Compilation){.module = m};
    arena_init(&c->arena, m->context->allocator, 0, &c->out);
}

CompileJob compilation_job(Compilation *c, const char *function,
                           const actc_kernel_options *options) {
    if (!c->tree) {
        diags_init(&c->diags, &c->arena);
        intern_init(&c->names, &c->arena);
        const Library *library = c->module->tree ? NULL : context_library(c->module->context);
        if (!c->module->tree && !library) longjmp(c->out, 1);
        c->names.parent = library ? &library->names : &c->module->names;
        c->tree = frontend_layer(&c->arena, &c->names, library ? library->tree : c->module->tree);
    }
    Setting *settings = ARENA_ARRAY(&c->arena, Setting, options->setting_count);
    for (size_t i = 0; i < options->setting_count; i++)
        settings[i] =
            (Setting){name_ascii(&c->arena, options->settings[i].name), options->settings[i].value};
    const Type type = dtype_info[options->dtype].type;
    const struct Rules *rules = context_rules(c->module->context, type_arithmetic(type));
    if (!rules) longjmp(c->out, 1);
    return (CompileJob){.arena = &c->arena,
                        .rules = rules,
                        .tree = c->tree,
                        .function = function,
                        .kind = options->kind,
                        .type = type,
                        .math = options->math,
                        .settings = settings,
                        .nsettings = options->setting_count,
                        .diags = &c->diags};
}

/* Why there is no plan, once the job has ended. */
actc_status compilation_failure(Compilation *c, const char *internal_error,
                                actc_diagnostics **diagnostics) {
    if (internal_error)
        return fail(diagnostics, ACTC_E_INTERNAL, "a bug in actc: %s", internal_error);
    export_diagnostics(&c->diags, diagnostics);
    return ACTC_E_SOURCE;
}
