/* Kernels: from functions' names to code in memory, and calling it. */
#include <string.h>

#include "runtime.h"

/* ---- compiling ---- */

static actc_role role_of(const PlanArg *a) {
    if (a->output) return ACTC_OUTPUT;
    switch (a->kind) {
    case VAR_LEARN:
        return ACTC_LEARNABLE;
    case VAR_COTANGENT:
        return ACTC_COTANGENT;
    case VAR_PARAM:
    case VAR_INPUT:
        return ACTC_INPUT;
    }
    return ACTC_INPUT;
}

static void kernel_free(actc_kernel *k) {
    for (size_t i = 0; i < k->nargs; i++) memory_free((char *)(uintptr_t)k->args[i].name);
    memory_free(k->args);
    memory_free(k->gradient_of);
    memory_free(k);
}

/* The kernel's own copy of what the plan says of its arguments. */
static actc_kernel *describe(const Allocator *from, const Plan *p, actc_kind kind) {
    actc_kernel *k = memory_new(from, sizeof *k);
    if (!k) return NULL;
    atomic_init(&k->references, 1);
    k->kind = kind;
    k->args = memory_array(from, p->nargs, sizeof *k->args);
    k->gradient_of = memory_array(from, p->nargs, sizeof *k->gradient_of);
    bool complete = k->args && k->gradient_of;
    for (size_t i = 0; i < p->nargs && complete; i++) {
        const PlanArg *a = &p->args[i];
        char *name = memory_text(from, a->name, strlen(a->name));
        complete = name != NULL;
        if (!name) break;
        k->args[k->nargs++] = (actc_argument){name, role_of(a), dtype_of(a->type)};
        if (!a->output) k->ninputs++;
        k->gradient_of[i] = NO_ARGUMENT;
        for (size_t j = 0; j < i && a->output; j++)
            if (!p->args[j].output && p->args[j].kind != VAR_COTANGENT && a->name[0] == 'd' &&
                strcmp(a->name + 1, p->args[j].name) == 0 &&
                (kind == ACTC_BACKWARD || a->index > 0))
                k->gradient_of[i] = (uint32_t)j;
    }
    if (complete) return k;
    kernel_free(k);
    return NULL;
}

/* Finds the kernel's entries in its code; false if they are missing. */
static bool find_entries(const Backend *backend, const Plan *plan, actc_kernel *k) {
    char symbol[512];
    void *function = backend->entry(k->code->code, plan->symbol);
    const size_t n = strlen(plan->symbol);
    if (n + 7 < sizeof symbol) {
        memcpy(symbol, plan->symbol, n);
        memcpy(symbol + n, "__call", 7);
        void *entry = backend->entry(k->code->code, symbol);
        memcpy(&k->entry, &entry, sizeof entry); /* ISO C has no conversion to function pointers */
    }
    memcpy(&k->function, &function, sizeof function);
    return k->function && (k->entry || (!plan->nparams && plan->nargs <= KERNEL_PLAIN_ARRAYS));
}

static void code_release(Code *code) {
    if (!code || atomic_fetch_sub(&code->references, 1) != 1) return;
    actc_context *ctx = code->context;
    pthread_mutex_lock(&ctx->lock);
    if (code->code) ctx->backend->unload(code->code);
    pthread_mutex_unlock(&ctx->lock);
    memory_free(code);
    actc_context_release(ctx);
}

/* One object for all plans, in memory; each kernel becomes an owner of it. */
static actc_status generate(actc_context *ctx, const Plan *const *plans, size_t n,
                            actc_kernel **kernels, actc_diagnostics **diagnostics) {
    Code *code = memory_new(&ctx->allocator, sizeof *code);
    if (!code) return ACTC_E_MEMORY;
    atomic_init(&code->references, 1);
    code->context = actc_context_retain(ctx);
    actc_status status = ACTC_OK;
    Bytes object = {NULL, 0};
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    if (!error) error = ctx->backend->emit(ctx->jit, plans, n, EMIT_LOADABLE, &object);
    if (!error) {
        error = ctx->backend->load(ctx->jit, &object, &code->code);
        ctx->backend->free_bytes(&object);
    }
    for (size_t i = 0; i < n && !error; i++) {
        kernels[i]->code = code;
        if (!find_entries(ctx->backend, plans[i], kernels[i]))
            error = "the kernel's symbols are missing";
    }
    if (error) status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    pthread_mutex_unlock(&ctx->lock);
    for (size_t i = 0; i < n && status == ACTC_OK; i++) atomic_fetch_add(&code->references, 1);
    code_release(code);
    return status;
}

/* A name of its own for each kernel of an object. */
static void make_symbols_differ(Arena *arena, Plan *const *plans, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(plans[i]->symbol, plans[j]->symbol) == 0) {
                Buf symbol;
                buf_init(&symbol, arena);
                buf_printf(&symbol, "%s_%zu", plans[i]->symbol, i);
                plans[i]->symbol = symbol.s;
                j = SIZE_MAX; /* and compare that one, too */
            }
}

static actc_status compile(Compilation *c, const actc_request *requests, size_t n,
                           actc_kernel **out, actc_diagnostics **diagnostics) {
    actc_context *ctx = c->module->context;
    Plan **plans = ARENA_ARRAY(&c->arena, Plan *, n);
    actc_kind *kinds = ARENA_ARRAY(&c->arena, actc_kind, n);
    for (size_t i = 0; i < n; i++) {
        actc_kernel_options o;
        const actc_status status = read_options(requests[i].options, &o, diagnostics);
        if (status != ACTC_OK) return status;
        const CompileJob job = compilation_job(c, requests[i].function, &o);
        const char *internal_error;
        plans[i] = compile_plan(&job, &internal_error);
        if (!plans[i]) return compilation_failure(c, internal_error, diagnostics);
        kinds[i] = o.kind;
    }
    make_symbols_differ(&c->arena, plans, n);
    export_diagnostics(&c->diags, diagnostics); /* warnings; nothing below may jump */
    actc_status status = ACTC_OK;
    for (size_t i = 0; i < n && status == ACTC_OK; i++)
        if (!(out[i] = describe(&ctx->allocator, plans[i], kinds[i]))) status = ACTC_E_MEMORY;
    if (status == ACTC_OK) status = generate(ctx, (const Plan *const *)plans, n, out, diagnostics);
    for (size_t i = 0; i < n; i++) {
        if (status == ACTC_OK) {
            out[i]->module = actc_module_retain(c->module);
        } else if (out[i]) {
            kernel_free(out[i]);
            out[i] = NULL;
        }
    }
    return status;
}

actc_status actc_kernels_compile(actc_module *module, const actc_request *requests, size_t count,
                                 actc_kernel **out, actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    for (size_t i = 0; out && i < count; i++) out[i] = NULL;
    bool complete = module && (!count || (requests && out));
    for (size_t i = 0; complete && i < count; i++) complete = requests[i].function;
    if (!complete)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_kernels_compile: an argument is NULL");
    if (!count) return ACTC_OK;
    const double start = clock_now();
    Compilation c;
    compilation_begin(&c, module);
    actc_status status;
    if (setjmp(c.out))
        status = ACTC_E_MEMORY;
    else
        status = compile(&c, requests, count, out, diagnostics);
    compilation_end(&c);
    context_log(module->context, "%s %s%s in %.3f ms%s%s",
                status == ACTC_OK ? "compiled" : "did not compile", requests[0].function,
                count > 1 ? " and others" : "", (clock_now() - start) * 1e3,
                status == ACTC_OK ? "" : ": ", status == ACTC_OK ? "" : actc_status_text(status));
    return status;
}

actc_status actc_kernel_compile(actc_module *module, const char *function,
                                const actc_kernel_options *options, actc_kernel **out,
                                actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (out) *out = NULL;
    if (!module || !function || !out)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_kernel_compile: an argument is NULL");
    return actc_kernels_compile(module, &(actc_request){function, options}, 1, out, diagnostics);
}

actc_kernel *actc_kernel_retain(actc_kernel *k) {
    if (k) atomic_fetch_add(&k->references, 1);
    return k;
}

void actc_kernel_release(actc_kernel *k) {
    if (!k || atomic_fetch_sub(&k->references, 1) != 1) return;
    actc_module *module = k->module;
    code_release(k->code);
    kernel_free(k);
    actc_module_release(module);
}

/* ---- running ---- */

/* What the uniform entry would do, for kernels that take a size and at most KERNEL_PLAIN_ARRAYS
 * arrays. A learnable without axes does not move with the range. */
static void call_plain(const actc_kernel *k, const KernelCall *call) {
    char *a[KERNEL_PLAIN_ARRAYS] = {NULL};
    const size_t n = (size_t)(call->end - call->begin);
    for (size_t i = 0; i < k->nargs; i++) {
        const size_t first = k->args[i].role == ACTC_LEARNABLE ? 0 : (size_t)call->begin;
        a[i] = (char *)call->arrays[i] + first * dtype_info[k->args[i].dtype].bytes;
    }
#define P , char *
    switch (k->nargs) {
    case 1:
        ((void (*)(size_t P))k->function)(n, a[0]);
        return;
    case 2:
        ((void (*)(size_t P P))k->function)(n, a[0], a[1]);
        return;
    case 3:
        ((void (*)(size_t P P P))k->function)(n, a[0], a[1], a[2]);
        return;
    case 4:
        ((void (*)(size_t P P P P))k->function)(n, a[0], a[1], a[2], a[3]);
        return;
    case 5:
        ((void (*)(size_t P P P P P))k->function)(n, a[0], a[1], a[2], a[3], a[4]);
        return;
    case 6:
        ((void (*)(size_t P P P P P P))k->function)(n, a[0], a[1], a[2], a[3], a[4], a[5]);
        return;
    case 7:
        ((void (*)(size_t P P P P P P P))k->function)(n, a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        return;
    case 8:
        ((void (*)(size_t P P P P P P P P))k->function)(n, a[0], a[1], a[2], a[3], a[4], a[5], a[6],
                                                        a[7]);
        return;
    }
#undef P
}

void kernel_call(const actc_kernel *k, const KernelCall *call) {
    if (k->entry)
        k->entry(call);
    else
        call_plain(k, call);
}

size_t actc_kernel_argument_count(const actc_kernel *k) { return k ? k->nargs : 0; }

actc_status actc_kernel_argument(const actc_kernel *k, size_t index, actc_argument *out) {
    if (!k || !out || index >= k->nargs) return ACTC_E_ARGUMENT;
    *out = k->args[index];
    return ACTC_OK;
}

actc_function *actc_kernel_function(const actc_kernel *k) { return k ? k->function : NULL; }
