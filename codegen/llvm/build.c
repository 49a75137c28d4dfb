/* A plan becomes two functions: `<symbol>`, with the C signature, and `<symbol>__call`, which takes
 * a KernelCall.
 *
 *     <symbol>(n, params…, arrays…):
 *         the loop over all full vectors, in place in the arrays
 *         if elements are left: they are loaded under a mask into buffers on the stack, the
 * function calls itself for these, and the results are stored under the mask
 *
 * So the body is compiled only once, nothing past the end is touched, and tail and body compute the
 * same bits. A vector's inputs are all loaded before its outputs are stored, and the tail's inputs
 * before anything of the tail is stored, so an output may be an input's array.
 *
 * Compile time decided the form. An outer loop, which ran the inner one over the arrays and then
 * over the buffers, cost 8 % more instructions for sigmoid, and 13 % more for relu: pointers had to
 * be merged, and loop passes ran on two loops. `<symbol>__call` is another 9 to 14 %. With AVX-512
 * the loop could do without a tail, under a mask that is full but for the last vector: 7 to 16 % less
 * time to compile, but the mask takes a port that the arithmetic needs, and loops ran up to 6 %
 * slower.
 *
 * The C function is an alias of the internal function that holds the code: calls inside the object
 * need no relocation. For several processors there is an internal function for each (choose.c). */
#include "llvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

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
    return LLVMGetParam(b->function, (unsigned)(b->plan->nsizes + b->plan->nparams + k));
}

static LLVMValueRef element(Build *b, Type type, LLVMValueRef array, LLVMValueRef i) {
    return LLVMBuildGEP2(b->at, b->scalar[type], array, &i, 1, "");
}

static unsigned type_bytes(Type type) {
    return type == TYPE_F64 || type == TYPE_I64 ? 8 : type_is_half(type) ? 2 : 4;
}

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
        *out = op_splat(b, n->type, LLVMGetParam(b->function, (unsigned)(p->nsizes + (size_t)(param - p->params))));
        return NULL;
    }
    const PlanArg *a = find_var(p->args, p->nargs, n->attr);
    if (!a || type_arithmetic(a->type) != n->type) return internal(b, "a variable is no argument");
    const size_t k = (size_t)(a - p->args);
    if (!arg_varies(p, a)) {
        LLVMValueRef one = LLVMBuildLoad2(b->at, b->scalar[a->type], pointer_argument(b, k), "");
        *out = op_splat(b, a->type, one);
    } else {
        if (!b->i) return internal(b, "a uniform value has axes");
        *out = load_vector(b, a->type, element(b, a->type, pointer_argument(b, k), b->i));
    }
    if (type_is_half(a->type)) *out = half_widen(b, a->type, *out);
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

LLVMValueRef build_value(Build *b, const Node *n) {
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
    LLVMValueRef cond = build_value(b, n->arg[0]), fast = build_value(b, n->arg[2]);
    if (!cond || !fast) return internal(b, "a step stands before its arguments");
    LLVMBasicBlockRef slow_block = new_block(b, "slow"), join = new_block(b, "join");
    LLVMValueRef any = op_intrinsic(b, "llvm.vector.reduce.or", &b->vector[TYPE_BOOL], 1, &cond, 1);
    expect_not_taken(b, LLVMBuildCondBr(b->at, any, slow_block, join));
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(b->at)};

    set_block(b, slow_block);
    const char *error = step->slow ? build_block(b, step->slow) : NULL;
    if (error) return error;
    LLVMValueRef slow = build_value(b, n->arg[1]);
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
    if (b->nests) {
        LLVMValueRef v = nests_step(b, step);
        if (v) *out = v;
        if (v) return NULL;
    }
    if (n->op == OP_VAR) return emit_var(b, n, out);
    if (n->op == OP_GUARD) return emit_guard(b, step, out);
    if (n->op == OP_CONST) return build_value(b, n) ? NULL : internal(b, "a constant has no value");
    for (unsigned k = 0; k < n->nargs; k++) {
        arg[k] = build_value(b, n->arg[k]);
        if (!arg[k]) return internal(b, "a step stands before its arguments");
    }
    *out = op_emit(b, n, arg);
    return *out ? NULL : internal(b, "an operation is not primitive");
}

const char *build_block(Build *b, const PlanBlock *block) {
    for (size_t i = 0; i < block->count; i++) {
        const char *error = emit_step(b, &block->steps[i]);
        if (error) return error;
    }
    return NULL;
}

/* ---- the loop ---- */

/* Which of the first lanes the tail has. With 512-bit vectors a mask is a register of bits. */
static LLVMValueRef tail_mask(Build *b, LLVMValueRef left) {
    LLVMTypeRef i32 = b->scalar[TYPE_I32];
    if (b->vector_bytes == 64) {
        LLVMTypeRef bits = LLVMIntTypeInContext(b->context, b->lanes);
        LLVMValueRef all = LLVMConstAllOnes(b->index);
        LLVMValueRef mask = LLVMBuildNot(b->at, LLVMBuildShl(b->at, all, left, ""), "");
        mask = LLVMBuildTrunc(b->at, mask, bits, "");
        return LLVMBuildBitCast(b->at, mask, b->vector[TYPE_BOOL], "mask");
    }
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
        LLVMValueRef v = build_value(b, n);
        if (!v || n->type != type_arithmetic(a->type))
            return internal(b, "an output is not computed");
        if (type_is_half(a->type)) v = half_narrow(b, a->type, v);
        store_vector(b, a->type, v, element(b, a->type, pointer_argument(b, k), b->i));
    }
    return NULL;
}

/* The loop over whole vectors, from 0 to `full` > 0; then `after`. */
static const char *emit_loop(Build *b, LLVMBasicBlockRef after, LLVMValueRef full) {
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(b->at)}, loop = new_block(b, "loop");
    LLVMPositionBuilderBefore(b->before, LLVMBuildBr(b->at, loop));
    set_block(b, loop);
    LLVMValueRef i = b->i = LLVMBuildPhi(b->at, b->index, "i");
    const char *error = build_block(b, &b->plan->loop);
    if (!error) error = store_outputs(b);
    b->i = NULL;
    if (error) return error;
    LLVMValueRef next = LLVMBuildAdd(b->at, i, index_constant(b, b->lanes), "");
    LLVMValueRef more = LLVMBuildICmp(b->at, LLVMIntULT, next, full, "");
    LLVMBuildCondBr(b->at, more, loop, after);
    LLVMValueRef values[] = {index_constant(b, 0), next};
    from[1] = LLVMGetInsertBlock(b->at);
    LLVMAddIncoming(i, values, from, 2);
    return NULL;
}

/* A loop that copies an element of each input, or output, between arrays and buffers; `left` > 0 of
 * them. For halves where masks are of wider elements: LLVM would branch for each element. */
static void emit_copies(Build *b, LLVMValueRef full, LLVMValueRef left, LLVMValueRef *buffers,
                        bool outputs) {
    const Plan *p = b->plan;
    LLVMBasicBlockRef from[2] = {LLVMGetInsertBlock(b->at)}, loop = new_block(b, "copy"),
                      after = new_block(b, "copied");
    LLVMBuildBr(b->at, loop);
    set_block(b, loop);
    LLVMValueRef i = LLVMBuildPhi(b->at, b->index, "");
    LLVMValueRef j = LLVMBuildAdd(b->at, full, i, "");
    for (size_t k = 0; k < p->nargs; k++) {
        const PlanArg *a = &p->args[k];
        if (a->output != outputs || !arg_varies(p, a)) continue;
        LLVMValueRef array = element(b, a->type, pointer_argument(b, k), j);
        LLVMValueRef buffer = element(b, a->type, buffers[k], i);
        LLVMValueRef one = LLVMBuildLoad2(b->at, b->scalar[a->type], outputs ? buffer : array, "");
        LLVMBuildStore(b->at, one, outputs ? array : buffer);
    }
    LLVMValueRef values[] = {index_constant(b, 0),
                             LLVMBuildAdd(b->at, i, index_constant(b, 1), "")};
    from[1] = loop;
    LLVMAddIncoming(i, values, from, 2);
    LLVMBuildCondBr(b->at, LLVMBuildICmp(b->at, LLVMIntULT, values[1], left, ""), loop, after);
    set_block(b, after);
}

static bool has_halves(const Plan *p) {
    bool any = false;
    for (size_t k = 0; k < p->nargs; k++) any |= type_is_half(p->args[k].type);
    return any;
}

/* The last elements: through buffers for one vector, on which the function calls itself. */
static void emit_tail(Build *b, LLVMValueRef full, LLVMValueRef left, LLVMValueRef *args) {
    const Plan *p = b->plan;
    const size_t first = 1 + p->nparams;
    const bool one_by_one = has_halves(p) && !b->masks_halves;
    LLVMValueRef mask = one_by_one ? NULL : tail_mask(b, left);
    LLVMValueRef *buffers = args + first;
    for (unsigned k = 0; k < LLVMCountParams(b->function); k++) {
        if (k < first || !arg_varies(p, &p->args[k - first]))
            args[k] = LLVMGetParam(b->function, k);
    }
    args[0] = index_constant(b, b->lanes);
    for (size_t k = 0; k < p->nargs; k++) {
        const PlanArg *a = &p->args[k];
        if (a->output || !arg_varies(p, a)) continue;
        LLVMValueRef from = element(b, a->type, pointer_argument(b, k), full);
        LLVMValueRef v =
            one_by_one ? LLVMConstNull(b->vector[a->type]) : masked_load(b, a->type, from, mask);
        store_vector(b, a->type, v, buffers[k]);
    }
    if (one_by_one) emit_copies(b, full, left, buffers, false);
    LLVMBuildCall2(b->at, LLVMGlobalGetValueType(b->function), b->function, args,
                   (unsigned)(first + p->nargs), "");
    if (one_by_one) emit_copies(b, full, left, buffers, true);
    for (size_t k = 0; k < p->nargs && !one_by_one; k++) {
        const PlanArg *a = &p->args[k];
        if (!a->output) continue;
        LLVMValueRef to = element(b, a->type, pointer_argument(b, k), full);
        masked_store(b, a->type, load_vector(b, a->type, buffers[k]), to, mask);
    }
}

static LLVMValueRef is_zero(Build *b, LLVMValueRef v) {
    return LLVMBuildICmp(b->at, LLVMIntEQ, v, index_constant(b, 0), "");
}

/* `args` has room for all arguments. */
static const char *emit_function(Build *b, LLVMValueRef *args) {
    const Plan *p = b->plan;
    if (!p->elementwise) return nests_function(b);
    LLVMBasicBlockRef entry = new_block(b, "entry"), setup = new_block(b, "setup"),
                      after = new_block(b, "after"), tail = new_block(b, "tail"),
                      done = new_block(b, "done");
    LLVMValueRef n = LLVMGetParam(b->function, 0);
    set_block(b, entry);
    for (size_t k = 0; k < p->nargs; k++) {
        if (!arg_varies(p, &p->args[k])) continue;
        LLVMValueRef buffer = LLVMBuildAlloca(b->at, b->vector[p->args[k].type], "buffer");
        LLVMSetAlignment(buffer, 16); /* more would cost every call an aligned frame */
        args[1 + p->nparams + k] = buffer;
    }
    LLVMValueRef full =
        LLVMBuildAnd(b->at, n, index_constant(b, ~(uint64_t)(b->lanes - 1)), "full");
    LLVMValueRef left = LLVMBuildAnd(b->at, n, index_constant(b, b->lanes - 1), "left");
    LLVMBuildCondBr(b->at, is_zero(b, full), after, setup);
    set_block(b, setup);
    const char *error = build_block(b, &p->uniform);
    if (!error) error = emit_loop(b, after, full);
    if (error) return error;
    set_block(b, after);
    LLVMBuildCondBr(b->at, is_zero(b, left), done, tail);
    set_block(b, tail);
    emit_tail(b, full, left, args);
    LLVMBuildBr(b->at, done);
    set_block(b, done);
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

/* `<symbol>__call`: the range of a KernelCall becomes plain arguments of `body`. */
static LLVMValueRef emit_call_entry(Build *b, const char *name, LLVMValueRef body,
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
    if (p->elementwise) args[n++] = LLVMBuildSub(b->at, end, begin, "");
    LLVMValueRef sizes = field(b, call, offsetof(KernelCall, sizes), b->pointer);
    for (size_t k = 0; !p->elementwise && k < p->nsizes; k++)
        args[n++] = field(b, sizes, k * sizeof(uint64_t), b->index);
    LLVMValueRef params =
        p->nparams ? field(b, call, offsetof(KernelCall, params), b->pointer) : NULL;
    for (size_t k = 0; k < p->nparams; k++)
        args[n++] = field(b, params, k * sizeof(uint64_t), b->scalar[p->params[k].type]);
    LLVMValueRef arrays = field(b, call, offsetof(KernelCall, arrays), b->pointer);
    for (size_t k = 0; k < p->nargs; k++) {
        LLVMValueRef array = field(b, arrays, k * sizeof(void *), b->pointer);
        args[n++] = p->elementwise && arg_varies(p, &p->args[k]) ? element(b, p->args[k].type, array, begin) : array;
    }
    if (plan_needs_workspace(p))
        args[n++] = field(b, call, offsetof(KernelCall, workspace), b->pointer);
    LLVMTypeRef body_type = LLVMGlobalGetValueType(body);
    LLVMSetTailCall(LLVMBuildCall2(b->at, body_type, body, args, n, ""), 1);
    LLVMBuildRetVoid(b->at);
    return f;
}

/* What this backend can compile at all, before anything is made. */
static const char *check_plan(const Build *b) {
    const Plan *p = b->plan;
    if (!p->nargs) return internal(b, "no array");
    for (size_t k = 0; k < p->nargs; k++) {
        if (!type_is_float(type_arithmetic(p->args[k].type)))
            return internal(b, "an array that is not of floats");
    }
    for (size_t k = 0; k < p->nparams; k++) {
        if (!type_is_float(p->params[k].type))
            return internal(b, "a run-time param that is no float");
    }
    if (LLVMGetNamedFunction(b->module, p->symbol) ||
        LLVMGetNamedGlobalAlias(b->module, p->symbol, strlen(p->symbol)) ||
        LLVMGetNamedGlobalIFunc(b->module, p->symbol, strlen(p->symbol)))
        return backend_fail("two kernels are called %.200s", p->symbol);
    return NULL;
}

static void set_scalars(Build *b) {
    b->scalar[TYPE_BOOL] = LLVMInt1TypeInContext(b->context);
    b->scalar[TYPE_I32] = LLVMInt32TypeInContext(b->context);
    b->scalar[TYPE_I64] = b->index = LLVMInt64TypeInContext(b->context);
    b->scalar[TYPE_F32] = LLVMFloatTypeInContext(b->context);
    b->scalar[TYPE_F64] = LLVMDoubleTypeInContext(b->context);
    b->scalar[TYPE_F16] = b->scalar[TYPE_BF16] = LLVMInt16TypeInContext(b->context);
    b->pointer = LLVMPointerTypeInContext(b->context, 0);
}

static void set_vectors(Build *b, const Variant *v) {
    unsigned widest = 4;
    for (size_t k = 0; k < b->plan->nargs; k++) {
        if (type_bytes(b->plan->args[k].type) > widest) widest = type_bytes(b->plan->args[k].type);
    }
    b->vector_bytes = v->vector_bytes;
    b->lanes = v->vector_bytes / widest;
    b->converts_f16 = v->converts_f16;
    b->masks_halves = v->vector_bytes == 64;
    for (int t = 0; t <= TYPE_BF16; t++) b->vector[t] = LLVMVectorType(b->scalar[t], b->lanes);
}

/* The C signature; `types` has room for all arguments. */
static LLVMTypeRef plain_type(const Build *b, LLVMTypeRef *types) {
    const Plan *p = b->plan;
    unsigned n = 0;
    for (size_t k = 0; k < p->nsizes; k++) types[n++] = b->index;
    for (size_t k = 0; k < p->nparams; k++) types[n++] = b->scalar[p->params[k].type];
    for (size_t k = 0; k < p->nargs; k++) types[n++] = b->pointer;
    if (plan_needs_workspace(p)) types[n++] = b->pointer;
    return LLVMFunctionType(LLVMVoidTypeInContext(b->context), types, n, 0);
}

void build_for(LLVMValueRef function, const char *cpu, const char *features) {
    LLVMAddTargetDependentFunctionAttr(function, "target-cpu", cpu);
    LLVMAddTargetDependentFunctionAttr(function, "target-features", features);
}

/* `name` becomes `<symbol><suffix>`, and behind that `.<processor>` where there are several. */
static const char *local_name(const Plan *p, const char *suffix, const Variant *v, char *name,
                              size_t size) {
    snprintf(name, size, "%s%s%s%s", p->symbol, suffix, v && v->name ? "." : "",
             v && v->name ? v->name : "");
    for (char *c = name + strlen(p->symbol); *c; c++) {
        if (*c == '-') *c = '_';
    }
    return name;
}

/* The code for one processor, and `*call` for it if that is not NULL. */
static const char *emit_variant(Build *b, const Variant *v, LLVMTypeRef type, LLVMValueRef *scratch,
                                char *name, size_t size, LLVMValueRef *body, LLVMValueRef *call) {
    local_name(b->plan, BODY_SUFFIX, v, name, size);
    *body = b->function = LLVMAddFunction(b->module, name, type);
    LLVMSetLinkage(*body, LLVMInternalLinkage);
    set_attribute(b, *body, "nounwind");
    if (v->name) build_for(*body, v->name, v->features);
    const char *error = emit_function(b, scratch);
    if (error || !call) return error;
    local_name(b->plan, CALL_SUFFIX, v, name, size);
    *call = emit_call_entry(b, name, *body, scratch);
    if (!v->name) return NULL;
    LLVMSetLinkage(*call, LLVMInternalLinkage);
    build_for(*call, v->name, v->features);
    return NULL;
}

/* `scratch` has room for all arguments of the C function. */
static const char *emit_kernel(Build *b, const Machine *m, bool with_call, LLVMTypeRef type,
                               LLVMValueRef *scratch, char *name, size_t size) {
    const Plan *p = b->plan;
    LLVMValueRef bodies[MAX_VARIANTS], calls[MAX_VARIANTS];
    for (size_t i = 0; i < m->nvariants; i++) {
        set_vectors(b, &m->variants[i]);
        memset(b->values, 0, (p->graph->nnodes + 1) * sizeof *b->values);
        const char *error = emit_variant(b, &m->variants[i], type, scratch, name, size, &bodies[i],
                                         with_call ? &calls[i] : NULL);
        if (error) return error;
    }
    if (m->nvariants == 1) {
        LLVMAddAlias2(b->module, type, 0, bodies[0], p->symbol);
        return NULL;
    }
    const char *error = choose_function(b->module, m, p->symbol, type, bodies);
    if (error || !with_call) return error;
    return choose_function(b->module, m, local_name(p, CALL_SUFFIX, NULL, name, size),
                           LLVMGlobalGetValueType(calls[0]), calls);
}

static bool plain_is_enough(const Plan *p) {
    return p->elementwise && p->nparams == 0 && p->nargs <= KERNEL_PLAIN_ARRAYS;
}

const char *build_kernel(LLVMModuleRef module, const Machine *machine, const Plan *plan,
                         bool loadable) {
    enum { LONGEST_CPU = 40 };
    Build b = {.context = LLVMGetModuleContext(module), .module = module, .plan = plan};
    const size_t name_size = strlen(plan->symbol) + sizeof BODY_SUFFIX + LONGEST_CPU,
                 nargs = plan->nsizes + plan->nparams + plan->nargs + 1;
    char *name = malloc(name_size);
    LLVMTypeRef *types = calloc(nargs, sizeof *types);
    LLVMValueRef *scratch = calloc(nargs, sizeof *scratch);
    b.values = calloc(plan->graph->nnodes + 1, sizeof *b.values);
    const char *error = NULL;
    if (!name || !types || !scratch || !b.values) error = out_of_memory();
    if (!error) error = check_plan(&b);
    if (!error) {
        set_scalars(&b);
        b.at = LLVMCreateBuilderInContext(b.context);
        b.before = LLVMCreateBuilderInContext(b.context);
        error = emit_kernel(&b, machine, !loadable || !plain_is_enough(plan), plain_type(&b, types),
                            scratch, name, name_size);
        LLVMDisposeBuilder(b.at);
        LLVMDisposeBuilder(b.before);
    }
    free(name), free(types), free(scratch), free(b.values);
    return error;
}
