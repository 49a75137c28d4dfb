/* Kernels: from a function's name to code in memory. Also `actc_show`, which takes the same road and stops on it. */
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

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
    const Plan *plan = compile_plan(&job, &internal_error);
    if (plan) export_diagnostics(&module->diags, diagnostics); /* warnings; nothing below may jump */
    actc_kernel *k = plan ? describe(plan, o.kind) : NULL;
    if (!plan) status = compilation_failure(&s, internal_error, diagnostics);
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
