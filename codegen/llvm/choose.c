/* Several processors in one object. A kernel's symbol is an indirect function: the system's loader
 * (or the start-up code of a static program) calls its resolver, and binds the symbol to the
 * address that comes back.
 *
 *     which():   asks cpuid and xgetbv once, and gives the index of the best variant that this
 *                processor can run; the last one, if it can run none
 *     <symbol>.resolve():  the address of that variant's function
 *
 * Resolvers run before the object's other symbols are bound, so they use nothing from outside, not
 * even __cpu_model; and they must run anywhere, so they are compiled for plain x86-64. */
#include "llvm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHICH "actc.which"

/* What the processor says of itself, word by word. */
enum {
    LEAF1_ECX,
    LEAF7_EBX,
    LEAF7_ECX,
    LEAF7_EDX,
    LEAF7_1_EAX,
    LEAF7_1_EDX,
    EXT1_ECX,
    XCR0,
    WORDS
};

#define BIT(n) (1u << (n))

/* Bits that an instruction set needs. */
static const struct {
    unsigned isa;
    int word;
    unsigned bits;
} needs[] = {
    /* x86-64-v3: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 MOVBE POPCNT OSXSAVE AVX F16C; BMI AVX2 BMI2; LZCNT
     */
    {ISA_AVX2, LEAF1_ECX,
     BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(27) | BIT(28) |
         BIT(29)},
    {ISA_AVX2, LEAF7_EBX, BIT(3) | BIT(5) | BIT(8)},
    {ISA_AVX2, EXT1_ECX, BIT(5)},
    {ISA_AVX2, XCR0, BIT(1) | BIT(2)},
    {ISA_FMA, LEAF1_ECX, BIT(12)},
    {ISA_F, LEAF7_EBX, BIT(16) | BIT(28)},
    {ISA_F, XCR0, BIT(5) | BIT(6) | BIT(7)},
    {ISA_VL, LEAF7_EBX, BIT(31)},
    {ISA_BW, LEAF7_EBX, BIT(30)},
    {ISA_DQ, LEAF7_EBX, BIT(17)},
    {ISA_VNNI, LEAF7_ECX, BIT(11)},
    {ISA_VBMI, LEAF7_ECX, BIT(1)},
    {ISA_VBMI, LEAF7_EBX, BIT(21)},
    {ISA_VBMI2, LEAF7_ECX, BIT(6) | BIT(12)},
    {ISA_VPOPCNT, LEAF7_ECX, BIT(14)},
    {ISA_BF16, LEAF7_1_EAX, BIT(5)},
    {ISA_FP16, LEAF7_EDX, BIT(23)},
    {ISA_GFNI, LEAF7_ECX, BIT(8)},
    {ISA_VAES, LEAF7_ECX, BIT(9) | BIT(10)},
    {ISA_AVXVNNI, LEAF7_1_EAX, BIT(4)},
    {ISA_INT8, LEAF7_1_EAX, BIT(23)},
    {ISA_INT8, LEAF7_1_EDX, BIT(4) | BIT(5)},
    {ISA_INT16, LEAF7_1_EDX, BIT(10)},
    {ISA_XOP, EXT1_ECX, BIT(11) | BIT(16) | BIT(21)},
};

typedef struct {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef at;
    LLVMTypeRef i32, pointer;
} Chooser;

static LLVMValueRef number(const Chooser *c, unsigned v) { return LLVMConstInt(c->i32, v, 0); }

static LLVMBasicBlockRef block(const Chooser *c, LLVMValueRef f) {
    return LLVMAppendBasicBlockInContext(c->context, f, "");
}

/* An instruction that takes numbers in registers and gives `nout` of them as a struct. */
static LLVMValueRef assembly(const Chooser *c, const char *text, const char *constraints,
                             unsigned nout, LLVMValueRef *args, unsigned nargs) {
    LLVMTypeRef out[4] = {c->i32, c->i32, c->i32, c->i32}, in[2] = {c->i32, c->i32};
    LLVMTypeRef result = LLVMStructTypeInContext(c->context, out, nout, 0);
    LLVMTypeRef type = LLVMFunctionType(result, in, nargs, 0);
    LLVMValueRef code = LLVMGetInlineAsm(type, text, strlen(text), constraints, strlen(constraints),
                                         1, 0, LLVMInlineAsmDialectATT, 0);
    return LLVMBuildCall2(c->at, type, code, args, nargs, "");
}

static LLVMValueRef cpuid(const Chooser *c, unsigned leaf, unsigned subleaf) {
    LLVMValueRef args[] = {number(c, leaf), number(c, subleaf)};
    return assembly(c, "cpuid", "={ax},={bx},={cx},={dx},0,2,~{dirflag},~{fpsr},~{flags}", 4, args,
                    2);
}

static LLVMValueRef part(const Chooser *c, LLVMValueRef v, unsigned k) {
    return LLVMBuildExtractValue(c->at, v, k, "");
}

/* `v` where the condition holds, else 0. */
static LLVMValueRef only_if(const Chooser *c, LLVMValueRef condition, LLVMValueRef v) {
    return LLVMBuildSelect(c->at, condition, v, number(c, 0), "");
}

static LLVMValueRef has_bit(const Chooser *c, LLVMValueRef v, unsigned bit) {
    return LLVMBuildICmp(c->at, LLVMIntNE, LLVMBuildAnd(c->at, v, number(c, BIT(bit)), ""),
                         number(c, 0), "");
}

/* Where there is no leaf 7, cpuid gives the highest leaf there is, which must not count. */
static void ask_cpuid(const Chooser *c, LLVMValueRef words[WORDS]) {
    LLVMValueRef most = part(c, cpuid(c, 0, 0), 0);
    LLVMValueRef has7 = LLVMBuildICmp(c->at, LLVMIntUGE, most, number(c, 7), "");
    words[LEAF1_ECX] = part(c, cpuid(c, 1, 0), 2);
    LLVMValueRef leaf7 = cpuid(c, 7, 0), leaf7_1 = cpuid(c, 7, 1);
    LLVMValueRef subleaves = only_if(c, has7, part(c, leaf7, 0));
    LLVMValueRef has7_1 = LLVMBuildICmp(c->at, LLVMIntUGE, subleaves, number(c, 1), "");
    words[LEAF7_EBX] = only_if(c, has7, part(c, leaf7, 1));
    words[LEAF7_ECX] = only_if(c, has7, part(c, leaf7, 2));
    words[LEAF7_EDX] = only_if(c, has7, part(c, leaf7, 3));
    words[LEAF7_1_EAX] = only_if(c, has7_1, part(c, leaf7_1, 0));
    words[LEAF7_1_EDX] = only_if(c, has7_1, part(c, leaf7_1, 3));
    words[EXT1_ECX] = part(c, cpuid(c, 0x80000001u, 0), 2);
}

/* Whether the words have all that the variant needs. */
static LLVMValueRef can_run(const Chooser *c, const Variant *v, LLVMValueRef const words[WORDS]) {
    LLVMValueRef missing = number(c, 0);
    for (int w = 0; w < WORDS; w++) {
        unsigned bits = 0;
        for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
            if (needs[i].word == w && (v->isa & needs[i].isa)) bits |= needs[i].bits;
        }
        if (!bits) continue;
        LLVMValueRef absent =
            LLVMBuildAnd(c->at, LLVMBuildNot(c->at, words[w], ""), number(c, bits), "");
        missing = LLVMBuildOr(c->at, missing, absent, "");
    }
    return LLVMBuildICmp(c->at, LLVMIntEQ, missing, number(c, 0), "");
}

/* An internal function without arguments, for any x86-64. */
static LLVMValueRef add_function(const Chooser *c, const char *name, LLVMTypeRef result) {
    LLVMValueRef f = LLVMAddFunction(c->module, name, LLVMFunctionType(result, NULL, 0, 0));
    const unsigned kind = LLVMGetEnumAttributeKindForName("nounwind", 8);
    LLVMAddAttributeAtIndex(f, LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(c->context, kind, 0));
    LLVMSetLinkage(f, LLVMInternalLinkage);
    build_for(f, "x86-64", "");
    return f;
}

/* cpuid is slow where a hypervisor answers it, so the answer is kept: the variant's index + 1, or 0
 * while nobody has asked. Threads that ask at the same time store the same. */
static LLVMValueRef add_which(const Chooser *c, const Machine *m) {
    LLVMValueRef known = LLVMAddGlobal(c->module, c->i32, "actc.known");
    LLVMSetInitializer(known, number(c, 0));
    LLVMSetLinkage(known, LLVMInternalLinkage);
    LLVMValueRef f = add_function(c, WHICH, c->i32);
    LLVMBasicBlockRef entry = block(c, f), ask = block(c, f), vectors = block(c, f),
                      choose = block(c, f), done = block(c, f);
    LLVMPositionBuilderAtEnd(c->at, entry);
    LLVMValueRef old = LLVMBuildLoad2(c->at, c->i32, known, "");
    LLVMSetOrdering(old, LLVMAtomicOrderingMonotonic);
    LLVMBuildCondBr(c->at, LLVMBuildICmp(c->at, LLVMIntNE, old, number(c, 0), ""), done, ask);

    LLVMValueRef words[WORDS];
    LLVMPositionBuilderAtEnd(c->at, ask);
    ask_cpuid(c, words);
    /* OSXSAVE: without it xgetbv is no instruction. */
    LLVMBuildCondBr(c->at, has_bit(c, words[LEAF1_ECX], 27), vectors, choose);
    LLVMPositionBuilderAtEnd(c->at, vectors);
    LLVMValueRef zero = number(c, 0);
    LLVMValueRef states = part(c, assembly(c, "xgetbv", "={ax},={dx},{cx}", 2, &zero, 1), 0);
    LLVMBuildBr(c->at, choose);

    LLVMPositionBuilderAtEnd(c->at, choose);
    LLVMBasicBlockRef from[] = {ask, vectors};
    LLVMValueRef either[] = {zero, states};
    words[XCR0] = LLVMBuildPhi(c->at, c->i32, "");
    LLVMAddIncoming(words[XCR0], either, from, 2);
    LLVMValueRef found = number(c, (unsigned)m->nvariants);
    for (size_t i = m->nvariants - 1; i-- > 0;)
        found = LLVMBuildSelect(c->at, can_run(c, &m->variants[i], words),
                                number(c, (unsigned)i + 1), found, "");
    LLVMSetOrdering(LLVMBuildStore(c->at, found, known), LLVMAtomicOrderingMonotonic);
    LLVMBuildBr(c->at, done);

    LLVMPositionBuilderAtEnd(c->at, done);
    LLVMBasicBlockRef ends[] = {entry, choose};
    LLVMValueRef result[] = {old, found};
    LLVMValueRef phi = LLVMBuildPhi(c->at, c->i32, "");
    LLVMAddIncoming(phi, result, ends, 2);
    LLVMBuildRet(c->at, LLVMBuildSub(c->at, phi, number(c, 1), ""));
    return f;
}

const char *choose_function(LLVMModuleRef module, const Machine *m, const char *name,
                            LLVMTypeRef type, LLVMValueRef const *functions) {
    static const char suffix[] = ".resolve";
    const size_t n = strlen(name) + sizeof suffix;
    char *resolver_name = malloc(n);
    if (!resolver_name) return backend_fail("out of memory");
    snprintf(resolver_name, n, "%s%s", name, suffix);
    Chooser c = {.context = LLVMGetModuleContext(module), .module = module};
    c.i32 = LLVMInt32TypeInContext(c.context);
    c.pointer = LLVMPointerTypeInContext(c.context, 0);
    c.at = LLVMCreateBuilderInContext(c.context);
    LLVMValueRef which = LLVMGetNamedFunction(module, WHICH);
    if (!which) which = add_which(&c, m);
    LLVMValueRef resolver = add_function(&c, resolver_name, c.pointer);
    LLVMPositionBuilderAtEnd(c.at, block(&c, resolver));
    LLVMValueRef index = LLVMBuildCall2(c.at, LLVMGlobalGetValueType(which), which, NULL, 0, "");
    LLVMValueRef address = functions[m->nvariants - 1];
    for (size_t i = m->nvariants - 1; i-- > 0;) {
        LLVMValueRef this_one = LLVMBuildICmp(c.at, LLVMIntEQ, index, number(&c, (unsigned)i), "");
        address = LLVMBuildSelect(c.at, this_one, functions[i], address, "");
    }
    LLVMBuildRet(c.at, address);
    LLVMAddGlobalIFunc(module, name, strlen(name), type, 0, resolver);
    LLVMDisposeBuilder(c.at);
    free(resolver_name);
    return NULL;
}
