/* f16 and bf16 in memory, f32 in registers. In vectors a half is an integer of 16 bits.
 *
 * x86 with F16C, and every AArch64, converts f16 by an instruction. All else is integer arithmetic,
 * the same as in codegen/c/helpers/: LLVM would call library functions, and the instruction for
 * bf16 (AVX512_BF16) takes subnormals for 0. Results are the same bits either way, but for NaNs'.
 */
#include "llvm.h"

static LLVMTypeRef integers(const Build *b) { return b->vector[TYPE_I32]; }

static LLVMValueRef number(Build *b, uint32_t v) { return op_constant(b, TYPE_I32, v); }

static LLVMValueRef real(Build *b, uint32_t bits) { return op_constant(b, TYPE_F32, bits); }

static LLVMValueRef as_float(Build *b, LLVMValueRef v) {
    return LLVMBuildBitCast(b->at, v, b->vector[TYPE_F32], "");
}

static LLVMValueRef as_integer(Build *b, LLVMValueRef v) {
    return LLVMBuildBitCast(b->at, v, integers(b), "");
}

static LLVMValueRef add(Build *b, LLVMValueRef v, uint32_t n) {
    return LLVMBuildAdd(b->at, v, number(b, n), "");
}

static LLVMValueRef mask(Build *b, LLVMValueRef v, uint32_t n) {
    return LLVMBuildAnd(b->at, v, number(b, n), "");
}

static LLVMValueRef left(Build *b, LLVMValueRef v, unsigned n) {
    return LLVMBuildShl(b->at, v, number(b, n), "");
}

static LLVMValueRef right(Build *b, LLVMValueRef v, unsigned n) {
    return LLVMBuildLShr(b->at, v, number(b, n), "");
}

static LLVMValueRef below(Build *b, LLVMValueRef v, uint32_t n) {
    return LLVMBuildICmp(b->at, LLVMIntULT, v, number(b, n), "");
}

static LLVMValueRef choose(Build *b, LLVMValueRef cond, LLVMValueRef yes, LLVMValueRef no) {
    return LLVMBuildSelect(b->at, cond, yes, no, "");
}

static LLVMValueRef is_number(Build *b, LLVMValueRef v) {
    return LLVMBuildFCmp(b->at, LLVMRealORD, v, v, "");
}

static LLVMTypeRef halves(const Build *b) {
    return LLVMVectorType(LLVMHalfTypeInContext(b->context), b->lanes);
}

/* v without its lowest `drop` bits, rounded to nearest, ties to even. */
static LLVMValueRef shift_rounded(Build *b, LLVMValueRef v, unsigned drop) {
    LLVMValueRef odd = mask(b, right(b, v, drop), 1);
    LLVMValueRef sum = LLVMBuildAdd(b->at, add(b, v, (1u << (drop - 1)) - 1), odd, "");
    return right(b, sum, drop);
}

static LLVMValueRef widen_f16(Build *b, LLVMValueRef h) {
    LLVMValueRef magnitude = left(b, mask(b, h, 0x7fff), 13),
                 sign = left(b, mask(b, h, 0x8000), 16);
    /* the exponent's bias becomes 127; infinity and NaN have the largest exponent in both */
    LLVMValueRef finite = below(b, magnitude, 0x0f800000);
    LLVMValueRef bias = choose(b, finite, number(b, 112u << 23), number(b, 224u << 23));
    LLVMValueRef normal = LLVMBuildAdd(b->at, magnitude, bias, "");
    /* a subnormal is what it adds to 2^-14 */
    LLVMValueRef sum = as_float(b, add(b, magnitude, 113u << 23));
    LLVMValueRef subnormal = as_integer(b, LLVMBuildFSub(b->at, sum, real(b, 113u << 23), ""));
    LLVMValueRef u = choose(b, below(b, magnitude, 1u << 23), subnormal, normal);
    return as_float(b, LLVMBuildOr(b->at, u, sign, ""));
}

/* Below 2^-14 the steps are 2^-24, as those of an f32 beside 0.5. */
static LLVMValueRef narrow_f16(Build *b, LLVMValueRef v) {
    const uint32_t half = 0x3f000000;
    LLVMValueRef u = as_integer(b, v), magnitude = mask(b, u, 0x7fffffff);
    LLVMValueRef sum = LLVMBuildFAdd(b->at, as_float(b, magnitude), real(b, half), "");
    LLVMValueRef subnormal = add(b, as_integer(b, sum), 0u - half);
    LLVMValueRef normal = shift_rounded(b, add(b, magnitude, 0u - (112u << 23)), 13);
    LLVMValueRef bits = choose(b, below(b, magnitude, 113u << 23), subnormal, normal);
    bits = choose(b, below(b, magnitude, 0x477ff000), bits, number(b, 0x7c00));
    bits = choose(b, is_number(b, v), bits, number(b, 0x7e00));
    return LLVMBuildOr(b->at, bits, mask(b, right(b, u, 16), 0x8000), "");
}

LLVMValueRef half_widen(Build *b, Type type, LLVMValueRef v) {
    if (type == TYPE_F16 && b->converts_f16)
        return LLVMBuildFPExt(b->at, LLVMBuildBitCast(b->at, v, halves(b), ""), b->vector[TYPE_F32],
                              "");
    LLVMValueRef u = LLVMBuildZExt(b->at, v, integers(b), "");
    return type == TYPE_F16 ? widen_f16(b, u) : as_float(b, left(b, u, 16));
}

LLVMValueRef half_narrow(Build *b, Type type, LLVMValueRef v) {
    if (type == TYPE_F16 && b->converts_f16)
        return LLVMBuildBitCast(b->at, LLVMBuildFPTrunc(b->at, v, halves(b), ""), b->vector[type],
                                "");
    /* A NaN whose payload stands in the lower half alone would become infinity. */
    LLVMValueRef u =
        type == TYPE_F16
            ? narrow_f16(b, v)
            : choose(b, is_number(b, v), shift_rounded(b, as_integer(b, v), 16), number(b, 0x7fc0));
    return LLVMBuildTrunc(b->at, u, b->vector[type], "");
}
