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

void kernel_free(actc_kernel *k) {
    for (size_t i = 0; i < k->nargs; i++) memory_free((char *)(uintptr_t)k->args[i].name);
    axes_free(k->axes);
    memory_free(k->args);
    memory_free(k->gradient_of);
    memory_free(k);
}

/* What a learnable begins with, rounded to the type of its array. */
static void keep_initial(const Plan *p, const PlanArg *a, actc_argument *arg) {
    if (a->output || a->kind != VAR_LEARN) return;
    const Node *init = p->graph->vars[a->index].init;
    if (!init || !init->num) return;
    NUMBER_TEMP(v, 53);
    fold_decode(v, fold_encode(init->num, a->type), a->type);
    arg->initial = mpfr_get_d(v, MPFR_RNDN);
    arg->has_initial = 1;
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
    if (complete && !p->elementwise) complete = (k->axes = axes_of_plan(from, p)) != NULL;
    for (size_t i = 0; i < p->nargs && complete; i++) {
        const PlanArg *a = &p->args[i];
        char *name = memory_text(from, a->name, strlen(a->name));
        complete = name != NULL;
        if (!name) break;
        actc_argument *arg = &k->args[k->nargs++];
        *arg = (actc_argument){.name = name, .role = role_of(a), .dtype = dtype_of(a->type)};
        if (k->axes) {
            const KernelLayout *l = &k->axes->layouts[i];
            arg->rank = l->rank;
            arg->axes = l->names;
            arg->sizes = l->sizes;
        }
        keep_initial(p, a, arg);
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

/* The kernels that are not there yet, and are made together. */
typedef struct {
    size_t count;
    const actc_request **requests;
    actc_kernel_options *options;
    Key *keys;
    Plan **plans;
    const char **symbols;
    actc_kernel **kernels; /* NULL before they are made */
} Batch;

static Batch new_batch(Arena *arena, size_t n) {
    return (Batch){.requests = ARENA_ARRAY(arena, const actc_request *, n),
                   .options = ARENA_ARRAY(arena, actc_kernel_options, n),
                   .keys = ARENA_ARRAY(arena, Key, n),
                   .plans = ARENA_ARRAY(arena, Plan *, n),
                   .symbols = ARENA_ARRAY(arena, const char *, n),
                   .kernels = ARENA_ARRAY(arena, actc_kernel *, n)};
}

/* The runtime calls the others by their plain signature. */
static bool needs_entry(const Plan *p) {
    return !p->elementwise || p->nparams || p->nargs > KERNEL_PLAIN_ARRAYS;
}

/* One object for all plans, in memory, and on disk if `keep`; each kernel becomes an owner of it.
 */
static actc_status generate(actc_context *ctx, Batch *b, bool keep,
                            actc_diagnostics **diagnostics) {
    Bytes object = {NULL, 0};
    Code *code = code_new(ctx);
    if (!code) return ACTC_E_MEMORY;
    pthread_mutex_lock(&ctx->lock);
    const char *error = context_open_backend(ctx);
    if (!error)
        error = ctx->backend->emit(ctx->jit, (const Plan *const *)b->plans, b->count, EMIT_LOADABLE,
                                   &object);
    actc_status status = ACTC_OK;
    if (error) status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    pthread_mutex_unlock(&ctx->lock);
    if (!error && (error = code_load(code, &object, false)))
        status = fail(diagnostics, ACTC_E_BACKEND, "code generation: %s", error);
    for (size_t i = 0; i < b->count && status == ACTC_OK; i++)
        if (!code_entries(code, &object, b->symbols[i], needs_entry(b->plans[i]), b->kernels[i]))
            status = fail(diagnostics, ACTC_E_BACKEND,
                          "code generation: the kernel's symbols are missing");
    for (size_t i = 0; i < b->count; i++) keep = keep && b->plans[i]->elementwise;
    if (status == ACTC_OK && keep && (code->image.base || !IMAGE_LOADER))
        status = cache_write(ctx, b->keys, b->count, b->kernels, b->symbols, &object);
    if (object.data) ctx->backend->free_bytes(&object);
    for (size_t i = 0; i < b->count && status == ACTC_OK; i++)
        b->kernels[i]->code = code_retain(code);
    code_release(code);
    return status;
}

/* From texts to kernels with code. */
static actc_status make(Compilation *c, Batch *b, bool *silent, actc_diagnostics **diagnostics) {
    actc_context *ctx = c->module->context;
    for (size_t i = 0; i < b->count; i++) {
        const CompileJob job = compilation_job(c, b->requests[i]->function, &b->options[i]);
        const char *internal_error;
        b->plans[i] = compile_plan(&job, &internal_error);
        if (!b->plans[i]) return compilation_failure(c, internal_error, diagnostics);
    }
    make_symbols_differ(&c->arena, b->plans, b->count);
    export_diagnostics(&c->diags, diagnostics); /* warnings; nothing below may jump */
    *silent = c->diags.count == 0;
    actc_status status = ACTC_OK;
    for (size_t i = 0; i < b->count && status == ACTC_OK; i++) {
        b->symbols[i] = b->plans[i]->symbol;
        b->kernels[i] = describe(&ctx->allocator, b->plans[i], b->options[i].kind);
        if (!b->kernels[i]) status = ACTC_E_MEMORY;
    }
    if (status == ACTC_OK) status = generate(ctx, b, *silent, diagnostics);
    for (size_t i = 0; i < b->count && status != ACTC_OK; i++)
        if (b->kernels[i]) kernel_free(b->kernels[i]);
    return status;
}

/* Kernels that are there get one more owner; the rest comes from disk, or is compiled. What had
 * something to say is compiled each time, to say it again. On failure `out` may hold kernels. */
static actc_status compile(Compilation *c, const actc_request *requests, size_t n,
                           actc_kernel **out, const char **how, actc_diagnostics **diagnostics) {
    actc_context *ctx = c->module->context;
    Batch b = new_batch(&c->arena, n);
    size_t *places = ARENA_ARRAY(&c->arena, size_t, n);
    for (size_t i = 0; i < n; i++) {
        const actc_status status =
            read_options(requests[i].options, &b.options[b.count], diagnostics);
        if (status != ACTC_OK) return status;
        b.keys[b.count] = key_of_request(c->module, requests[i].function, &b.options[b.count]);
        if ((out[i] = cache_find(ctx, &b.keys[b.count]))) continue;
        b.requests[b.count] = &requests[i];
        places[b.count++] = i;
    }
    bool found = false, silent = true;
    *how = "had";
    if (!b.count) return ACTC_OK;
    actc_status status = cache_read(ctx, b.keys, b.count, b.kernels, &found);
    *how = found ? "read" : "compiled";
    if (status == ACTC_OK && !found) status = make(c, &b, &silent, diagnostics);
    for (size_t i = 0; i < b.count && status == ACTC_OK; i++) {
        actc_kernel *k = out[places[i]] = b.kernels[i];
        k->module = actc_module_retain(c->module);
        if (silent) cache_add(ctx, k, &b.keys[i]);
    }
    return status;
}

actc_status kernel_of_plan(actc_module *module, const Plan *plan, actc_kernel **out,
                           actc_diagnostics **diagnostics) {
    actc_context *ctx = module->context;
    actc_kernel *k = describe(&ctx->allocator, plan, ACTC_FORWARD);
    if (!k) return ACTC_E_MEMORY;
    Batch b = {.count = 1,
               .plans = (Plan *[]){(Plan *)plan},
               .symbols = (const char *[]){plan->symbol},
               .kernels = &k};
    const actc_status status = generate(ctx, &b, false, diagnostics);
    if (status == ACTC_OK) {
        k->module = actc_module_retain(module);
        *out = k;
    } else {
        kernel_free(k);
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
    const char *how = "compiled";
    Compilation c;
    compilation_begin(&c, module);
    actc_status status;
    if (setjmp(c.out))
        status = ACTC_E_MEMORY;
    else
        status = compile(&c, requests, count, out, &how, diagnostics);
    compilation_end(&c);
    for (size_t i = 0; i < count && status != ACTC_OK; i++) {
        actc_kernel_release(out[i]);
        out[i] = NULL;
    }
    context_log(module->context, "%s %s%s in %.3f ms%s%s",
                status == ACTC_OK ? how : "did not compile", requests[0].function,
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
    cache_remove(module->context, k);
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

size_t actc_kernel_size_count(const actc_kernel *k) {
    return !k ? 0 : k->axes ? k->axes->nsizes : 1;
}

const char *actc_kernel_size_name(const actc_kernel *k, size_t index) {
    if (index >= actc_kernel_size_count(k)) return NULL;
    if (!k->axes) return "n";
    const unsigned bit = k->axes->order[index];
    return bit ? k->axes->names[bit] : k->axes->all ? "n" : "rows";
}

size_t actc_kernel_workspace(const actc_kernel *k, const size_t *sizes) {
    if (!k || !k->axes || (!sizes && k->axes->nsizes)) return 0;
    uint64_t all[MAX_AXES + 1];
    for (unsigned bit = 0; bit <= MAX_AXES; bit++) all[bit] = k->axes->fixed[bit];
    for (size_t i = 0; i < k->axes->nsizes; i++) all[k->axes->order[i]] = sizes[i];
    return axes_workspace(k->axes, all);
}

actc_function *actc_kernel_function(const actc_kernel *k) { return k ? k->function : NULL; }
