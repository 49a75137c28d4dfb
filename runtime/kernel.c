/* Kernels: from a function's name to code in memory. Also `actc_show`, which takes the same road and stops on it. */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

/* One use of the compiler: its arena, and the lock on the module whose tree it reads. */
typedef struct {
    actc_module *module;
    jmp_buf out;
    Arena arena;
    Setting *settings;
} Compilation;

static void compilation_end(Compilation *s) {
    arena_free(&s->arena);
    free(s->settings);
    s->module->diags.count = s->module->diags.errors = 0;
    pthread_mutex_unlock(&s->module->lock);
}

static actc_status compilation_begin(Compilation *s, actc_module *m, const actc_kernel_options *options) {
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

static CompileJob compilation_job(Compilation *s, const char *function, const actc_kernel_options *options) {
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
static actc_status why_not(Compilation *s, const char *internal_error, actc_diagnostics **diagnostics) {
    if (internal_error) return fail(diagnostics, ACTC_E_INTERNAL, "a bug in actc: %s", internal_error);
    export_diagnostics(&s->module->diags, diagnostics);
    return ACTC_E_SOURCE;
}

/* ---- compiling ---- */

static actc_role role_of(const PlanArg *a) {
    if (a->output) return ACTC_OUTPUT;
    switch (a->kind) {
    case VAR_LEARN: return ACTC_LEARNABLE;
    case VAR_COTANGENT: return ACTC_COTANGENT;
    case VAR_PARAM:
    case VAR_INPUT: return ACTC_INPUT;
    }
    return ACTC_INPUT;
}

static void kernel_free(actc_kernel *k) {
    for (size_t i = 0; i < k->nargs; i++) free((char *)(uintptr_t)k->args[i].name);
    free(k->args);
    free(k->gradient_of);
    free(k);
}

/* The kernel's own copy of what the plan says of its arguments. */
static actc_kernel *describe(const Plan *p, actc_kind kind) {
    actc_kernel *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    atomic_init(&k->references, 1);
    k->kind = kind;
    k->args = calloc(p->nargs + 1, sizeof *k->args);
    k->gradient_of = calloc(p->nargs + 1, sizeof *k->gradient_of);
    bool complete = k->args && k->gradient_of;
    for (size_t i = 0; i < p->nargs && complete; i++) {
        const PlanArg *a = &p->args[i];
        const size_t n = strlen(a->name) + 1;
        char *name = malloc(n);
        complete = name != NULL;
        if (!name) break;
        k->args[k->nargs++] = (actc_argument){memcpy(name, a->name, n), role_of(a),
                                              a->type == TYPE_F64 ? ACTC_F64 : ACTC_F32};
        if (!a->output) k->ninputs++;
        k->gradient_of[i] = NO_ARGUMENT;
        for (size_t j = 0; j < i && a->output; j++)
            if (!p->args[j].output && p->args[j].kind != VAR_COTANGENT && a->name[0] == 'd' &&
                strcmp(a->name + 1, p->args[j].name) == 0 && (kind == ACTC_BACKWARD || a->index > 0))
                k->gradient_of[i] = (uint32_t)j;
    }
    if (complete) return k;
    kernel_free(k);
    return NULL;
}

static actc_status generate(actc_context *ctx, const Plan *plan, actc_kernel *k, actc_diagnostics **diagnostics) {
    actc_status status = ACTC_OK;
    Bytes object = {NULL, 0};
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    if (!error) error = ctx->backend->emit(ctx->jit, &plan, 1, EMIT_OBJECT, &object);
    if (!error) {
        error = ctx->backend->load(ctx->jit, &object, &k->code);
        ctx->backend->free_bytes(&object);
    }
    if (!error) {
        char symbol[512];
        void *function = ctx->backend->entry(k->code, plan->symbol);
        const size_t n = strlen(plan->symbol);
        if (n + 7 < sizeof symbol) {
            memcpy(symbol, plan->symbol, n);
            memcpy(symbol + n, "__call", 7);
            void *entry = ctx->backend->entry(k->code, symbol);
            memcpy(&k->entry, &entry, sizeof entry); /* ISO C has no conversion to function pointers */
        }
        memcpy(&k->function, &function, sizeof function);
        if (!k->function || !k->entry) {
            ctx->backend->unload(k->code);
            error = "the kernel's symbols are missing";
        }
    }
    if (error) status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

actc_status actc_kernel_compile(actc_module *module, const char *function, const actc_kernel_options *options,
                                actc_kernel **out, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (out) *out = NULL;
    if (!module || !function || !out) return fail(diagnostics, ACTC_E_ARGUMENT, "actc_kernel_compile: an argument is NULL");
    actc_kernel_options o;
    actc_status status = read_options(options, &o, diagnostics);
    if (status != ACTC_OK) return status;
    Compilation s;
    status = compilation_begin(&s, module, &o);
    if (status != ACTC_OK) return status;
    if (setjmp(s.out)) {
        compilation_end(&s);
        return ACTC_E_MEMORY;
    }
    const CompileJob job = compilation_job(&s, function, &o);
    const char *internal_error;
    const Plan *plan = compile_plan(&job, STAGE_PLAN, NULL, &internal_error);
    if (plan) export_diagnostics(&module->diags, diagnostics); /* warnings; nothing below may jump */
    actc_kernel *k = plan ? describe(plan, o.kind) : NULL;
    if (!plan) status = why_not(&s, internal_error, diagnostics);
    else if (!k) status = ACTC_E_MEMORY;
    else status = generate(module->context, plan, k, diagnostics);
    if (status == ACTC_OK) {
        k->module = module_retain(module);
        *out = k;
    } else if (k) {
        kernel_free(k);
    }
    compilation_end(&s);
    return status;
}

void actc_kernel_release(actc_kernel *k) {
    if (!k || atomic_fetch_sub(&k->references, 1) != 1) return;
    actc_context *ctx = k->module->context;
    pthread_mutex_lock(&ctx->lock);
    ctx->backend->unload(k->code);
    pthread_mutex_unlock(&ctx->lock);
    actc_module_release(k->module);
    kernel_free(k);
}

size_t actc_kernel_argument_count(const actc_kernel *k) { return k ? k->nargs : 0; }

actc_status actc_kernel_argument(const actc_kernel *k, size_t index, actc_argument *out) {
    if (!k || !out || index >= k->nargs) return ACTC_E_ARGUMENT;
    *out = k->args[index];
    return ACTC_OK;
}

actc_function *actc_kernel_function(const actc_kernel *k) { return k ? k->function : NULL; }

/* ---- showing ---- */

static bool stage_by_name(const char *name, Stage *out) {
    static const char *const names[] = {
#define STAGE(id, stage, is_graph) #stage,
#include "stages.def"
#undef STAGE
    };
    for (int i = 0; i < STAGE_COUNT; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (Stage)i;
            return true;
        }
    return false;
}

static actc_status show_code(actc_context *ctx, const Plan *plan, Stage stage, char **text, actc_diagnostics **diagnostics) {
    actc_status status = ACTC_OK;
    Bytes bytes = {NULL, 0};
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    if (!error) error = ctx->backend->emit(ctx->jit, &plan, 1, stage == STAGE_ASM ? EMIT_ASSEMBLY : EMIT_LLVM, &bytes);
    if (error) {
        status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    } else {
        *text = malloc(bytes.size + 1);
        if (*text) memcpy(*text, bytes.data, bytes.size), (*text)[bytes.size] = 0;
        else status = ACTC_E_MEMORY;
        ctx->backend->free_bytes(&bytes);
    }
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

actc_status actc_show(actc_module *module, const char *function, const char *stage_name,
                      const actc_kernel_options *options, char **text, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (!module || !function || !stage_name || !text) return fail(diagnostics, ACTC_E_ARGUMENT, "actc_show: an argument is NULL");
    Stage stage;
    if (!stage_by_name(stage_name, &stage)) return fail(diagnostics, ACTC_E_NOT_FOUND, "unknown stage '%s'", stage_name);
    actc_kernel_options o;
    actc_status status = read_options(options, &o, diagnostics);
    if (status != ACTC_OK) return status;
    Compilation s;
    status = compilation_begin(&s, module, &o);
    if (status != ACTC_OK) return status;
    if (setjmp(s.out)) {
        compilation_end(&s);
        return ACTC_E_MEMORY;
    }
    const CompileJob job = compilation_job(&s, function, &o);
    const char *internal_error;
    Buf dump;
    buf_init(&dump, &s.arena);
    const Plan *plan = compile_plan(&job, stage, &dump, &internal_error);
    if (plan && stage == STAGE_PLAN) plan_print(plan, &dump);
    if (plan && stage == STAGE_C) c_source(&plan, 1, &(CFile){.base = plan->graph->name}, &dump);
    if (internal_error || module->diags.errors) {
        status = why_not(&s, internal_error, diagnostics);
    } else if (stage == STAGE_LLVM || stage == STAGE_ASM) {
        status = show_code(module->context, plan, stage, text, diagnostics);
    } else {
        export_diagnostics(&module->diags, diagnostics);
        *text = malloc(dump.len + 1);
        if (*text) memcpy(*text, dump.s, dump.len + 1);
        else status = ACTC_E_MEMORY;
    }
    compilation_end(&s);
    return status;
}

void actc_text_release(char *text) { free(text); }
