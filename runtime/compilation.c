/* One use of the compiler: its arena, and the lock on the module whose tree it reads. */
#include <stdlib.h>

#include "runtime.h"

void compilation_end(Compilation *s) {
    arena_free(&s->arena);
    free(s->settings);
    s->module->diags.count = s->module->diags.errors = 0;
    pthread_mutex_unlock(&s->module->lock);
}

actc_status compilation_begin(Compilation *s, actc_module *m, const actc_kernel_options *options) {
    *s = (Compilation){.module = m};
    if (options->setting_count) {
        s->settings = calloc(options->setting_count, sizeof *s->settings);
        if (!s->settings) return ACTC_E_MEMORY;
        for (size_t i = 0; i < options->setting_count; i++)
            s->settings[i] = (Setting){options->settings[i].name, options->settings[i].value};
    }
    pthread_mutex_lock(&m->lock);
    m->diags.count = m->diags.errors = 0;
    arena_init(&s->arena, m->context->allocator, 0, &s->out);
    m->arena.out = &s->out;
    return ACTC_OK;
}

CompileJob compilation_job(Compilation *s, const char *function, const actc_kernel_options *options) {
    return (CompileJob){.arena = &s->arena,
                        .tree = s->module->tree,
                        .function = arena_strdup(&s->module->arena, function),
                        .kind = options->kind,
                        .type = options->dtype == ACTC_F64 ? TYPE_F64 : TYPE_F32,
                        .settings = s->settings,
                        .nsettings = options->setting_count,
                        .diags = &s->module->diags};
}

/* Why there is no plan, once the job has ended. */
actc_status compilation_failure(Compilation *s, const char *internal_error, actc_diagnostics **diagnostics) {
    if (internal_error) return fail(diagnostics, ACTC_E_INTERNAL, "a bug in actc: %s", internal_error);
    export_diagnostics(&s->module->diags, diagnostics);
    return ACTC_E_SOURCE;
}
