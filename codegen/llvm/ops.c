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

/* ---- a*2^k ---- */

static bool is_shift(const Node *n, Op op, const Node *of, uint64_t by) {
    return n->op == (unsigned)op && n->arg[0] == of && node_is_const(n->arg[1]) &&
           n->arg[1]->bits == by;
}

/* The product a*2^k: `shifted` is bias + k. NULL: it is another product. */
typedef struct {
    const Node *a, *shifted;
    double bias;
} Scaling;

/* The float in whose low bits the exponent of n, a power of two, stands; NULL if there is none. */
static const Node *power_of(const Node *n, uint64_t fraction) {
    if (n->op != OP_ASFLOAT) return NULL;
    const Node *up = n->arg[0];
    if (up->op != OP_ISHL || !is_shift(up, OP_ISHL, up->arg[0], fraction)) return NULL;
    return up->arg[0];
}

/* a*2^h*2^(i - h), h = i >> 1, as scale() in ir/expand/exp.c makes it; or a*2^(i + 64)*2^-64 (f64:
 * 512), as exp_negative() does. The bits of a `shifted` between 2^23 and 2^24 are i; elsewhere
 * these products make no sense. */
static Scaling find_scaling(const Node *n) {
    const Scaling none = {NULL, NULL, 0};
    const bool f32 = n->type == TYPE_F32;
    const uint64_t fraction = f32 ? 23 : 52;
    const Node *inner = n->arg[0];
    if (inner->op != OP_MUL) return none;
    const Node *i1 = power_of(inner->arg[1], fraction), *i2 = power_of(n->arg[1], fraction);
    if (!i1) return none;
    if (i1->op == OP_BITS && node_is(n->arg[1], f32 ? 0x1p-64 : 0x1p-512))
        return (Scaling){inner->arg[0], i1->arg[0],
                         f32 ? 0x1.8p23 + 127 + 64 : 0x1.8p52 + 1023 + 512};
    if (!i2 || i1->op != OP_ISHR || !is_shift(i1, OP_ISHR, i1->arg[0], 1)) return none;
    const Node *i = i1->arg[0];
    if (i->op != OP_BITS || i2->op != OP_ISUB || i2->arg[0] != i || i2->arg[1] != i1) return none;
    return (Scaling){inner->arg[0], i->arg[0], f32 ? 0x1.8p23 + 254 : 0x1.8p52 + 2046};
}

/* k, which was mostly computed before. */
static LLVMValueRef exponent(Build *b, const Scaling *s, const Node *user) {
    const Node *const *nodes = (const Node *const *)b->plan->graph->nodes;
    for (uint32_t id = s->shifted->id + 1; id < user->id; id++) {
        const Node *n = nodes[id];
        if (n->op == OP_SUB && n->arg[0] == s->shifted && node_is(n->arg[1], s->bias) &&
            b->values[id])
            return b->values[id];
    }
    NUMBER_TEMP(v, 53);
    mpfr_set_d(v, s->bias, MPFR_RNDN);
    LLVMValueRef bias = op_constant(b, user->type, fold_encode(v, user->type));
    return LLVMBuildFSub(b->at, b->values[s->shifted->id], bias, "");
}

/* AVX-512 has one instruction for such a product. It rounds once, and so do they: their first step
 * is exact. NULL where it cannot be. */
static LLVMValueRef scale(Build *b, const Node *n) {
    const unsigned width = n->type == TYPE_F32 ? 4 : 8;
    if (b->vector_bytes != 64 || b->lanes * width != 64) return NULL;
    const Scaling s = find_scaling(n);
    if (!s.a || !b->values[s.a->id] || !b->values[s.shifted->id]) return NULL;
    LLVMValueRef args[] = {b->values[s.a->id], exponent(b, &s, n),
                           LLVMGetPoison(b->vector[n->type]),
                           LLVMConstAllOnes(LLVMIntTypeInContext(b->context, b->lanes)),
                           LLVMConstInt(b->scalar[TYPE_I32], 4, 0)}; /* 4: the mode in force */
    return op_intrinsic(
        b, width == 4 ? "llvm.x86.avx512.mask.scalef.ps.512" : "llvm.x86.avx512.mask.scalef.pd.512",
        NULL, 0, args, 5);
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
    case OP_MUL: {
        LLVMValueRef scaled = scale(b, n);
        return scaled ? scaled : LLVMBuildFMul(at, x, y, "");
    }
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

        /* Of the loops, not of one operation. */
    case OP_SUM:
    case OP_PROD:
    case OP_LARGEST:
    case OP_SMALLEST:
    case OP_IFIRST:
    case OP_ELEMENTS:
    case OP_INDEX:

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
