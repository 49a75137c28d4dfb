/* One primitive of the plan on whole vectors.
 *
 * Arithmetic is IEEE 754 as written: no fast-math flag is set, and LLVM fuses a multiply-add only
 * where llvm.fma says so. Comparisons give vectors of i1. */
#include "llvm.h"

#include <string.h>

enum { MAX_LANES = 64 };

LLVMValueRef op_constant(Build *b, Type type, uint64_t bits) {
    static const unsigned width[] = {
        [TYPE_BOOL] = 1, [TYPE_I32] = 32, [TYPE_I64] = 64, [TYPE_F32] = 32,
        [TYPE_F64] = 64, [TYPE_F16] = 16, [TYPE_BF16] = 16};
    const unsigned w = width[type];
    LLVMValueRef lane[MAX_LANES];
    LLVMValueRef c = LLVMConstInt(LLVMIntTypeInContext(b->context, w),
                                  w < 64 ? bits & ((1ull << w) - 1) : bits, 0);
    if (type_is_float(type)) c = LLVMConstBitCast(c, b->scalar[type]); /* exact, also for a NaN */
    for (unsigned i = 0; i < b->lanes; i++) lane[i] = c;
    return LLVMConstVector(lane, b->lanes);
}

LLVMValueRef op_splat(Build *b, Type type, LLVMValueRef scalar) {
    LLVMTypeRef vector = b->vector[type];
    LLVMTypeRef i32 = b->scalar[TYPE_I32];
    LLVMValueRef one =
        LLVMBuildInsertElement(b->at, LLVMGetPoison(vector), scalar, LLVMConstInt(i32, 0, 0), "");
    return LLVMBuildShuffleVector(b->at, one, LLVMGetPoison(vector),
                                  LLVMConstNull(b->vector[TYPE_I32]), "");
}

LLVMValueRef op_intrinsic(Build *b, const char *name, LLVMTypeRef *types, size_t ntypes,
                          LLVMValueRef *args, unsigned nargs) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    LLVMValueRef f = LLVMGetIntrinsicDeclaration(b->module, id, types, ntypes);
    return LLVMBuildCall2(b->at, LLVMGlobalGetValueType(f), f, args, nargs, "");
}

/* A function of floats to a float of the same type. */
static LLVMValueRef math(Build *b, const char *name, Type type, LLVMValueRef const arg[3],
                         unsigned nargs) {
    LLVMValueRef args[3] = {arg[0], arg[1], arg[2]};
    return op_intrinsic(b, name, &b->vector[type], 1, args, nargs);
}

static LLVMValueRef multiply_high(Build *b, Type type, LLVMValueRef x, LLVMValueRef y) {
    const unsigned width = type == TYPE_I64 ? 64 : 32;
    LLVMTypeRef wide = LLVMVectorType(LLVMIntTypeInContext(b->context, 2 * width), b->lanes);
    LLVMValueRef shift[MAX_LANES];
    for (unsigned i = 0; i < b->lanes; i++)
        shift[i] = LLVMConstInt(LLVMGetElementType(wide), width, 0);
    x = LLVMBuildZExt(b->at, x, wide, "");
    y = LLVMBuildZExt(b->at, y, wide, "");
    LLVMValueRef high =
        LLVMBuildLShr(b->at, LLVMBuildMul(b->at, x, y, ""), LLVMConstVector(shift, b->lanes), "");
    return LLVMBuildTrunc(b->at, high, b->vector[type], "");
}

LLVMValueRef op_emit(Build *b, const Node *n, LLVMValueRef const arg[3]) {
    LLVMBuilderRef at = b->at;
    LLVMValueRef x = arg[0], y = arg[1];
    LLVMTypeRef type = b->vector[n->type];
    switch ((Op)n->op) {
    case OP_CONST:
    case OP_VAR:
    case OP_GUARD:
    case OP_BAD:
        return NULL;

    case OP_ADD:
        return LLVMBuildFAdd(at, x, y, "");
    case OP_SUB:
        return LLVMBuildFSub(at, x, y, "");
    case OP_MUL:
        return LLVMBuildFMul(at, x, y, "");
    case OP_DIV:
        return LLVMBuildFDiv(at, x, y, "");
    case OP_NEG:
        return LLVMBuildFNeg(at, x, "");
    case OP_ABS:
        return math(b, "llvm.fabs", n->type, arg, 1);
    case OP_FMA:
        return math(b, "llvm.fma", n->type, arg, 3);
    case OP_SQRT:
        return math(b, "llvm.sqrt", n->type, arg, 1);
    case OP_FLOOR:
        return math(b, "llvm.floor", n->type, arg, 1);
    case OP_CEIL:
        return math(b, "llvm.ceil", n->type, arg, 1);
    case OP_ROUND:
        return math(b, "llvm.roundeven", n->type, arg, 1);
    case OP_TRUNC:
        return math(b, "llvm.trunc", n->type, arg, 1);

    case OP_LT:
        return LLVMBuildFCmp(at, LLVMRealOLT, x, y, "");
    case OP_LE:
        return LLVMBuildFCmp(at, LLVMRealOLE, x, y, "");
    case OP_EQ:
        return LLVMBuildFCmp(at, LLVMRealOEQ, x, y, "");
    case OP_NE:
        return LLVMBuildFCmp(at, LLVMRealUNE, x, y, "");
    case OP_ORD:
        return LLVMBuildFCmp(at, LLVMRealORD, x, y, "");
    case OP_AND:
        return LLVMBuildAnd(at, x, y, "");
    case OP_OR:
        return LLVMBuildOr(at, x, y, "");
    case OP_NOT:
        return LLVMBuildNot(at, x, "");
    case OP_SELECT:
        return LLVMBuildSelect(at, x, y, arg[2], "");

    case OP_BITS:
    case OP_ASFLOAT:
        return LLVMBuildBitCast(at, x, type, "");
    case OP_IADD:
        return LLVMBuildAdd(at, x, y, "");
    case OP_ISUB:
        return LLVMBuildSub(at, x, y, "");
    case OP_IMUL:
        return LLVMBuildMul(at, x, y, "");
    case OP_UMULH:
        return multiply_high(b, n->type, x, y);
    case OP_IAND:
        return LLVMBuildAnd(at, x, y, "");
    case OP_IOR:
        return LLVMBuildOr(at, x, y, "");
    case OP_IXOR:
        return LLVMBuildXor(at, x, y, "");
    case OP_ISHL:
        return LLVMBuildShl(at, x, y, "");
    case OP_ISHR:
        return LLVMBuildAShr(at, x, y, "");
    case OP_USHR:
        return LLVMBuildLShr(at, x, y, "");
    case OP_IEQ:
        return LLVMBuildICmp(at, LLVMIntEQ, x, y, "");
    case OP_ILT:
        return LLVMBuildICmp(at, LLVMIntSLT, x, y, "");
    case OP_ITOF:
        return LLVMBuildSIToFP(at, x, type, "");
    case OP_WIDEN:
        return LLVMBuildFPExt(at, x, type, "");
    case OP_NARROW:
        return LLVMBuildFPTrunc(at, x, type, "");
    case OP_IWIDEN:
        return LLVMBuildSExt(at, x, type, "");
    case OP_INARROW:
        return LLVMBuildTrunc(at, x, type, "");

        /* Rows that expansion has rewritten. */
#define PRIM(id, name, sig, props, d0, d1, d2)
#define EXPAND(id, name, sig, props, d0, d1, d2) case OP_##id:
#include "ops.def"
#undef PRIM
#undef EXPAND
    case OP_COUNT:
        return NULL;
    }
    return NULL;
}
