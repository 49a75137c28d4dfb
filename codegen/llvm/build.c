/* A plan becomes two functions: `<symbol>`, with the C signature, and `<symbol>__call`, which takes
 * a KernelCall.
 *
 *     <symbol>(n, params…, arrays…):
 *         the loop over all full vectors, in place in the arrays
 *         if elements are left: they are loaded under a mask into buffers on the stack, the same
 * loop runs once over these, and its results are stored under the mask
 *
 * So the body is compiled only once, nothing past the end is touched, and tail and body compute the
 * same bits. A vector's inputs are all loaded before its outputs are stored, and the tail's inputs
 * before anything of the tail is stored, so an output may be an input's array.
 *
 * The C function is an alias of the internal function that holds the code: calls inside the object
 * need no relocation. */
#include "llvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

static const char *emit_block(Build *b, const PlanBlock *block);

static const char *out_of_memory(void) { return backend_fail("out of memory"); }

static const char *internal(const Build *b, const char *what) {
    return backend_fail("internal error: %s in the plan of %.100s", what, b->plan->symbol);
}

/* ---- what the plan says about its arguments ---- */

/* A learnable without axes is an array of one element for all. */
static bool arg_varies(const Plan *p, const PlanArg *a) {
    return a->output || p->graph->vars[a->index].node->axes != 0;
}

static const PlanArg *find_var(const PlanArg *args, size_t n, uint32_t index) {
    for (size_t i = 0; i < n; i++) {
        if (!args[i].output && args[i].index == index) return &args[i];
    }
    return NULL;
}

static LLVMValueRef index_constant(const Build *b, uint64_t v) {
    return LLVMConstInt(b->index, v, 0);
}

/* The function's argument that holds PlanArg k of the plan. */
static LLVMValueRef pointer_argument(const Build *b, size_t k) {
    return LLVMGetParam(b->function, (unsigned)(1 + b->plan->nparams + k));
}

static LLVMValueRef element(Build *b, Type type, LLVMValueRef array, LLVMValueRef i) {
    return LLVMBuildGEP2(b->at, b->scalar[type], array, &i, 1, "");
}

static unsigned type_bytes(Type type) { return type == TYPE_F64 || type == TYPE_I64 ? 8 : 4; }

/* Arrays are aligned as their elements, no more. */
static LLVMValueRef load_vector(Build *b, Type type, LLVMValueRef p) {
    LLVMValueRef v = LLVMBuildLoad2(b->at, b->vector[type], p, "");
    LLVMSetAlignment(v, type_bytes(type));
    return v;
}

static void store_vector(Build *b, Type type, LLVMValueRef v, LLVMValueRef p) {
    LLVMSetAlignment(LLVMBuildStore(b->at, v, p), type_bytes(type));
}

static LLVMBasicBlockRef new_block(Build *b, const char *name) {
    return LLVMAppendBasicBlockInContext(b->context, b->function, name);
}

static void set_block(Build *b, LLVMBasicBlockRef block) { LLVMPositionBuilderAtEnd(b->at, block); }

/* ---- steps ---- */

static const char *emit_var(Build *b, const Node *n, LLVMValueRef *out) {
    const Plan *p = b->plan;
    const PlanArg *param = find_var(p->params, p->nparams, n->attr);
    if (param) {
        *out = op_splat(b, n->type, LLVMGetParam(b->function, (unsigned)(1 + (param - p->params))));
        return NULL;
    }
    const PlanArg *a = find_var(p->args, p->nargs, n->attr);
    if (!a || a->type != n->type) return internal(b, "a variable is no argument");
    const size_t k = (size_t)(a - p->args);
    if (!arg_varies(p, a)) {
        LLVMValueRef one = LLVMBuildLoad2(b->at, b->scalar[n->type], pointer_argument(b, k), "");
        *out = op_splat(b, n->type, one);
        return NULL;
    }
    if (!b->i) return internal(b, "a uniform value has axes");
    *out = load_vector(b, n->type, element(b, n->type, b->arrays[k], b->i));
    return NULL;
}

static void set_metadata(const Build *b, LLVMValueRef of, const char *kind, LLVMMetadataRef *parts,
                         size_t n) {
    LLVMMetadataRef node = LLVMMDNodeInContext2(b->context, parts, n);
    LLVMSetMetadata(of, LLVMGetMDKindIDInContext(b->context, kind, (unsigned)strlen(kind)),
                    LLVMMetadataAsValue(b->context, node));
}

/* A float constant of the loop, as a scalar that is loaded and spread before it. That is where LLVM
 * would move it anyway, but a vector constant in the loop takes code generation a sixth more time:
 * it is made of as many nodes as lanes. */
static LLVMValueRef loaded_constant(Build *b, const Node *n) {
    LLVMTypeRef scalar = b->scalar[n->type];
    LLVMValueRef global = LLVMAddGlobal(b->module, scalar, "c");
    LLVMSetInitializer(
        global,
        LLVMConstBitCast(
            LLVMConstInt(LLVMIntTypeInContext(b->context, 8 * type_bytes(n->type)), n->bits, 0),
            scalar));
    LLVMSetGlobalConstant(global, 1);
    LLVMSetLinkage(global, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(global, LLVMGlobalUnnamedAddr);
    LLVMBuilderRef at = b->at;
    b->at = b->before;
    LLVMValueRef load = LLVMBuildLoad2(b->at, scalar, global, "");
    set_metadata(b, load, "invariant.load", NULL, 0);
    LLVMValueRef v = op_splat(b, n->type, load);
    b->at = at;
    return v;
}

/* Integers stay in the code, where they are shift counts and masks, zeros because they cost
 * nothing, and what takes more than one register because each half would take one. */
static bool is_loaded(const Build *b, const Node *n) {
    return b->i && type_is_float(n->type) && n->bits &&
           b->lanes * type_bytes(n->type) <= b->vector_bytes;
}

static LLVMValueRef value_of(Build *b, const Node *n) {
    LLVMValueRef *v = &b->values[n->id];
    if (*v || n->op != OP_CONST) return *v;
    if (is_loaded(b, n)) return *v = loaded_constant(b, n);
    return b->i ? *v = op_constant(b, n->type, n->bits) : op_constant(b, n->type, n->bits);
}

/* Taking the slow path is rare: blocks are laid out, and values kept in registers, for the other
 * case. */
static void expect_not_taken(Build *b, LLVMValueRef branch) {
    LLVMMetadataRef parts[] = {LLVMMDStringInContext2(b->context, "branch_weights", 14),
                               LLVMValueAsMetadata(LLVMConstInt(b->scalar[TYPE_I32], 1, 0)),
                               LLVMValueAsMetadata(LLVMConstInt(b->scalar[TYPE_I32], 2000, 0))};
    set_metadata(b, branch, "prof", parts, 3);
}

/* GUARD(cond, slow, fast): if any lane's condition holds, computes the slow block and chooses by
 * lane. */
static const char *emit_guard(Build *b, const PlanStep *step, LLVMValueRef *out) {
    const Node *n = step->node;
    LLVMValueRef cond = value_of(b, n->arg[0]), fast = value_of(b, n->arg[2]);
    if (!cond || !fast) return internal(b, "a step stands before its arguments");
    LLVMBasicBlockRef slow_block = new_block(b, "slow"), join = new_block(b, "join");
    LLVMValueRef any = op_intrinsic(b, "llvm.vector.reduce.or", &b->vector[TYPE_BOOL], 1, &cond, 1);
    expect_not_taken(b, LLVMBuildCondBr(b->at, any, slow_block, join));
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(b->at)};

    set_block(b, slow_block);
    const char *error = step->slow ? emit_block(b, step->slow) : NULL;
    if (error) return error;
    LLVMValueRef slow = value_of(b, n->arg[1]);
    if (!slow) return internal(b, "a guard's slow value is not computed");
    LLVMValueRef value[2] = {fast, LLVMBuildSelect(b->at, cond, slow, fast, "")};
    LLVMBuildBr(b->at, join);
    from[1] = LLVMGetInsertBlock(b->at);

    set_block(b, join);
    *out = LLVMBuildPhi(b->at, b->vector[n->type], "");
    LLVMAddIncoming(*out, value, from, 2);
    return NULL;
}

static const char *emit_step(Build *b, const PlanStep *step) {
    const Node *n = step->node;
    LLVMValueRef *out = &b->values[n->id], arg[3] = {NULL, NULL, NULL};
    if (n->op == OP_VAR) return emit_var(b, n, out);
    if (n->op == OP_GUARD) return emit_guard(b, step, out);
    if (n->op == OP_CONST) return value_of(b, n) ? NULL : internal(b, "a constant has no value");
    for (unsigned k = 0; k < n->nargs; k++) {
        arg[k] = value_of(b, n->arg[k]);
        if (!arg[k]) return internal(b, "a step stands before its arguments");
    }
    *out = op_emit(b, n, arg);
    return *out ? NULL : internal(b, "an operation is not primitive");
}

static const char *emit_block(Build *b, const PlanBlock *block) {
    for (size_t i = 0; i < block->count; i++) {
        const char *error = emit_step(b, &block->steps[i]);
        if (error) return error;
    }
    return NULL;
}

/* ---- the loop ---- */

typedef struct {
    LLVMBasicBlockRef entry, pass, loop, after, check, tail, finish, done;
} Blocks;

/* Which of the first lanes the tail has. */
static LLVMValueRef tail_mask(Build *b, LLVMValueRef left) {
    LLVMTypeRef i32 = b->scalar[TYPE_I32];
    LLVMValueRef lane[64];
    for (unsigned i = 0; i < b->lanes; i++) lane[i] = LLVMConstInt(i32, i, 0);
    LLVMValueRef count = op_splat(b, TYPE_I32, LLVMBuildTrunc(b->at, left, i32, ""));
    return LLVMBuildICmp(b->at, LLVMIntSLT, LLVMConstVector(lane, b->lanes), count, "mask");
}

static LLVMValueRef masked_load(Build *b, Type type, LLVMValueRef p, LLVMValueRef mask) {
    LLVMValueRef align = LLVMConstInt(b->scalar[TYPE_I32], type_bytes(type), 0);
    LLVMValueRef args[] = {p, align, mask, LLVMConstNull(b->vector[type])};
    LLVMTypeRef types[] = {b->vector[type], b->pointer};
    return op_intrinsic(b, "llvm.masked.load", types, 2, args, 4);
}

static void masked_store(Build *b, Type type, LLVMValueRef v, LLVMValueRef p, LLVMValueRef mask) {
    LLVMValueRef align = LLVMConstInt(b->scalar[TYPE_I32], type_bytes(type), 0);
    LLVMValueRef args[] = {v, p, align, mask};
    LLVMTypeRef types[] = {b->vector[type], b->pointer};
    op_intrinsic(b, "llvm.masked.store", types, 2, args, 4);
}

/* Stores the results of one vector. */
static const char *store_outputs(Build *b) {
    const Plan *p = b->plan;
    for (size_t k = 0; k < p->nargs; k++) {
        const PlanArg *a = &p->args[k];
        if (!a->output) continue;
        const Node *n = p->graph->outs[a->index].node;
        LLVMValueRef v = value_of(b, n);
        if (!v || n->type != a->type) return internal(b, "an output is not computed");
        store_vector(b, a->type, v, element(b, a->type, b->arrays[k], b->i));
    }
    return NULL;
}

/* The block `pass` chooses what the loop works on: the arrays up to `full`, or the buffers for one
 * vector. It also computes the uniform values, for a kernel has few. Returns the loop's end, and
 * whether it is the tail's turn in *in_tail. */
static const char *emit_pass(Build *b, const Blocks *at, LLVMValueRef full,
                             LLVMValueRef const *buffers, LLVMValueRef *end,
                             LLVMValueRef *in_tail) {
    LLVMBasicBlockRef from[] = {at->entry, at->tail};
    set_block(b, at->pass);
    for (size_t k = 0; k < b->plan->nargs; k++) {
        if (!buffers[k]) continue;
        LLVMValueRef both[] = {pointer_argument(b, k), buffers[k]};
        b->arrays[k] = LLVMBuildPhi(b->at, b->pointer, "");
        LLVMAddIncoming(b->arrays[k], both, from, 2);
    }
    LLVMTypeRef flag = b->scalar[TYPE_BOOL];
    LLVMValueRef ends[] = {full, index_constant(b, b->lanes)};
    LLVMValueRef flags[] = {LLVMConstInt(flag, 0, 0), LLVMConstInt(flag, 1, 0)};
    *end = LLVMBuildPhi(b->at, b->index, "end");
    *in_tail = LLVMBuildPhi(b->at, flag, "in_tail");
    LLVMAddIncoming(*end, ends, from, 2);
    LLVMAddIncoming(*in_tail, flags, from, 2);
    return emit_block(b, &b->plan->uniform);
}

/* From where `pass` ends: the loop from 0 to `end` over b->arrays. */
static const char *emit_loop(Build *b, const Blocks *at, LLVMValueRef end) {
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(b->at)};
    LLVMPositionBuilderBefore(b->before, LLVMBuildBr(b->at, at->loop));
    set_block(b, at->loop);
    LLVMValueRef i = b->i = LLVMBuildPhi(b->at, b->index, "i");
    const char *error = emit_block(b, &b->plan->loop);
    if (!error) error = store_outputs(b);
    b->i = NULL;
    if (error) return error;
    LLVMValueRef next = LLVMBuildAdd(b->at, i, index_constant(b, b->lanes), "");
    LLVMValueRef more = LLVMBuildICmp(b->at, LLVMIntULT, next, end, "");
    LLVMBuildCondBr(b->at, more, at->loop, at->after);
    LLVMValueRef values[] = {index_constant(b, 0), next};
    from[1] = LLVMGetInsertBlock(b->at);
    LLVMAddIncoming(i, values, from, 2);
    return NULL;
}

/* Moves the tail between the arrays and the buffers: inputs in (`out` false), outputs back. */
static void move_tail(Build *b, bool out, LLVMValueRef full, LLVMValueRef left,
                      LLVMValueRef const *buffers) {
    LLVMValueRef mask = tail_mask(b, left);
    for (size_t k = 0; k < b->plan->nargs; k++) {
        const PlanArg *a = &b->plan->args[k];
        if (!buffers[k] || a->output != out) continue;
        LLVMValueRef p = element(b, a->type, pointer_argument(b, k), full);
        if (out)
            masked_store(b, a->type, load_vector(b, a->type, buffers[k]), p, mask);
        else
            store_vector(b, a->type, masked_load(b, a->type, p, mask), buffers[k]);
    }
}

static LLVMValueRef is_zero(Build *b, LLVMValueRef v) {
    return LLVMBuildICmp(b->at, LLVMIntEQ, v, index_constant(b, 0), "");
}

static const char *emit_function(Build *b, LLVMValueRef *buffers) {
    const Plan *p = b->plan;
    const Blocks at = {new_block(b, "entry"),  new_block(b, "pass"),  new_block(b, "loop"),
                       new_block(b, "after"),  new_block(b, "check"), new_block(b, "tail"),
                       new_block(b, "finish"), new_block(b, "done")};
    LLVMValueRef n = LLVMGetParam(b->function, 0), end, in_tail;
    set_block(b, at.entry);
    for (size_t k = 0; k < p->nargs; k++) {
        if (arg_varies(p, &p->args[k]))
            buffers[k] = LLVMBuildAlloca(b->at, b->vector[p->args[k].type], "buffer");
    }
    LLVMValueRef full =
        LLVMBuildAnd(b->at, n, index_constant(b, ~(uint64_t)(b->lanes - 1)), "full");
    LLVMValueRef left = LLVMBuildAnd(b->at, n, index_constant(b, b->lanes - 1), "left");
    LLVMBuildCondBr(b->at, is_zero(b, full), at.check, at.pass);

    const char *error = emit_pass(b, &at, full, buffers, &end, &in_tail);
    if (!error) error = emit_loop(b, &at, end);
    if (error) return error;

    /* After the tail's turn its results are moved; after the other it is the tail's turn, if there
     * is one. */
    set_block(b, at.after);
    LLVMBuildCondBr(b->at, in_tail, at.finish, at.check);
    set_block(b, at.check);
    LLVMBuildCondBr(b->at, is_zero(b, left), at.done, at.tail);
    set_block(b, at.tail);
    move_tail(b, false, full, left, buffers);
    LLVMBuildBr(b->at, at.pass);
    set_block(b, at.finish);
    move_tail(b, true, full, left, buffers);
    LLVMBuildBr(b->at, at.done);
    set_block(b, at.done);
    LLVMBuildRetVoid(b->at);
    return NULL;
}

/* ---- functions ---- */

static void set_attribute(Build *b, LLVMValueRef f, const char *name) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(b->context, kind, 0));
}

static void *field(Build *b, LLVMValueRef base, size_t offset, LLVMTypeRef type) {
    LLVMValueRef at = index_constant(b, offset);
    LLVMValueRef p = LLVMBuildGEP2(b->at, LLVMInt8TypeInContext(b->context), base, &at, 1, "");
    return LLVMBuildLoad2(b->at, type, p, "");
}

/* `<symbol>__call`: the range of a KernelCall becomes plain arguments. */
static void emit_call_entry(Build *b, const char *name, LLVMTypeRef body_type, LLVMValueRef body,
                            LLVMValueRef *args) {
    const Plan *p = b->plan;
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(b->context), &b->pointer, 1, 0);
    LLVMValueRef f = b->function = LLVMAddFunction(b->module, name, type);
    set_attribute(b, f, "nounwind");
    /* A handful of loads: without optimisation LLVM writes them as well, in a third of the time. */
    set_attribute(b, f, "optnone");
    set_attribute(b, f, "noinline");
    set_block(b, new_block(b, "entry"));
    LLVMValueRef call = LLVMGetParam(f, 0);
    LLVMValueRef begin = field(b, call, offsetof(KernelCall, begin), b->index);
    LLVMValueRef end = field(b, call, offsetof(KernelCall, end), b->index);
    unsigned n = 0;
    args[n++] = LLVMBuildSub(b->at, end, begin, "");
    LLVMValueRef params =
        p->nparams ? field(b, call, offsetof(KernelCall, params), b->pointer) : NULL;
    for (size_t k = 0; k < p->nparams; k++)
        args[n++] = field(b, params, k * sizeof(uint64_t), b->scalar[p->params[k].type]);
    LLVMValueRef arrays = field(b, call, offsetof(KernelCall, arrays), b->pointer);
    for (size_t k = 0; k < p->nargs; k++) {
        LLVMValueRef array = field(b, arrays, k * sizeof(void *), b->pointer);
        args[n++] = arg_varies(p, &p->args[k]) ? element(b, p->args[k].type, array, begin) : array;
    }
    LLVMSetTailCall(LLVMBuildCall2(b->at, body_type, body, args, n, ""), 1);
    LLVMBuildRetVoid(b->at);
}

static const char *emit_functions(Build *b, LLVMTypeRef *types, LLVMValueRef *scratch, char *name,
                                  size_t size) {
    const Plan *p = b->plan;
    unsigned n = 0;
    types[n++] = b->index;
    for (size_t k = 0; k < p->nparams; k++) types[n++] = b->scalar[p->params[k].type];
    for (size_t k = 0; k < p->nargs; k++) types[n++] = b->pointer;
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(b->context), types, n, 0);
    snprintf(name, size, "%s__body", p->symbol);
    LLVMValueRef body = b->function = LLVMAddFunction(b->module, name, type);
    LLVMSetLinkage(body, LLVMInternalLinkage);
    set_attribute(b, body, "nounwind");
    const char *error = emit_function(b, scratch);
    if (error) return error;
    LLVMAddAlias2(b->module, type, 0, body, p->symbol);
    snprintf(name, size, "%s__call", p->symbol);
    emit_call_entry(b, name, type, body, scratch);
    return NULL;
}

/* What this backend can compile at all, before anything is made. */
static const char *check_plan(const Build *b, char *name, size_t size) {
    const Plan *p = b->plan;
    if (!p->nargs) return internal(b, "no array");
    for (size_t k = 0; k < p->nargs; k++) {
        if (!type_is_float(p->args[k].type)) return internal(b, "an array that is not of floats");
    }
    for (size_t k = 0; k < p->nparams; k++) {
        if (!type_is_float(p->params[k].type))
            return internal(b, "a run-time param that is no float");
    }
    snprintf(name, size, "%s__call", p->symbol);
    if (LLVMGetNamedFunction(b->module, p->symbol) || LLVMGetNamedFunction(b->module, name) ||
        LLVMGetNamedGlobalAlias(b->module, p->symbol, strlen(p->symbol)))
        return backend_fail("two kernels are called %.200s", p->symbol);
    return NULL;
}

static void set_types(Build *b, unsigned vector_bytes) {
    unsigned widest = 4;
    for (size_t k = 0; k < b->plan->nargs; k++) {
        if (type_bytes(b->plan->args[k].type) > widest) widest = type_bytes(b->plan->args[k].type);
    }
    b->vector_bytes = vector_bytes;
    b->lanes = vector_bytes / widest;
    b->scalar[TYPE_BOOL] = LLVMInt1TypeInContext(b->context);
    b->scalar[TYPE_I32] = LLVMInt32TypeInContext(b->context);
    b->scalar[TYPE_I64] = b->index = LLVMInt64TypeInContext(b->context);
    b->scalar[TYPE_F32] = LLVMFloatTypeInContext(b->context);
    b->scalar[TYPE_F64] = LLVMDoubleTypeInContext(b->context);
    b->pointer = LLVMPointerTypeInContext(b->context, 0);
    for (int t = 0; t <= TYPE_F64; t++) b->vector[t] = LLVMVectorType(b->scalar[t], b->lanes);
}

const char *build_kernel(LLVMModuleRef module, const Machine *machine, const Plan *plan) {
    Build b = {.context = LLVMGetModuleContext(module), .module = module, .plan = plan};
    const size_t name_size = strlen(plan->symbol) + sizeof "__body",
                 nargs = 1 + plan->nparams + plan->nargs;
    char *name = malloc(name_size);
    LLVMTypeRef *types = calloc(nargs, sizeof *types);
    LLVMValueRef *scratch = calloc(nargs, sizeof *scratch);
    b.values = calloc(plan->graph->nnodes + 1, sizeof *b.values);
    b.arrays = calloc(plan->nargs + 1, sizeof *b.arrays);
    const char *error = NULL;
    if (!name || !types || !scratch || !b.values || !b.arrays) error = out_of_memory();
    if (!error) error = check_plan(&b, name, name_size);
    if (!error) {
        set_types(&b, machine->vector_bytes);
        b.at = LLVMCreateBuilderInContext(b.context);
        b.before = LLVMCreateBuilderInContext(b.context);
        error = emit_functions(&b, types, scratch, name, name_size);
        LLVMDisposeBuilder(b.at);
        LLVMDisposeBuilder(b.before);
    }
    free(name), free(types), free(scratch), free(b.values), free(b.arrays);
    return error;
}
