/* The LLVM backend: plan → LLVM module → object → code in memory.
 *
 * Errors are messages: NULL means done. They are made by `backend_fail` and live until the next one
 * on that thread. Nothing here takes memory from an arena, and nothing that a plan or a target may
 * contain lets LLVM print or abort: names of processors are looked up first, and a module is
 * verified before it is compiled. */
#ifndef ACTC_LLVM_H
#define ACTC_LLVM_H

#include <stdbool.h>

#include <llvm-c/Core.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Orc.h>
#include <llvm-c/TargetMachine.h>

#include "base/compiler.h"
#include "codegen.h"
#include "compat.h"

/* ---- backend.c ---- */

/* Returns the formatted text. */
const char *backend_fail(const char *fmt, ...) ACTC_PRINTF(1, 2);
/* As backend_fail("what: text"), and releases `error` or `text`. */
const char *backend_fail_error(const char *what, LLVMErrorRef error);
const char *backend_fail_text(const char *what, char *text);

/* ---- target.c: which machine ---- */

/* Instruction sets on which vector code depends, as bits; on x86. AVX2 stands for all of x86-64-v3
 * but FMA, F for AVX512CD as well. */
enum {
    ISA_AVX2 = 1 << 0,
    ISA_FMA = 1 << 1,
    ISA_F = 1 << 2,
    ISA_VL = 1 << 3,
    ISA_BW = 1 << 4,
    ISA_DQ = 1 << 5,
    ISA_VNNI = 1 << 6,
    ISA_VBMI = 1 << 7,  /* and IFMA */
    ISA_VBMI2 = 1 << 8, /* and BITALG */
    ISA_VPOPCNT = 1 << 9,
    ISA_BF16 = 1 << 10,
    ISA_FP16 = 1 << 11,
    ISA_GFNI = 1 << 12,
    ISA_VAES = 1 << 13, /* and VPCLMULQDQ */
    ISA_AVXVNNI = 1 << 14,
    ISA_INT8 = 1 << 15, /* AVXVNNIINT8, AVXIFMA, AVXNECONVERT */
    ISA_INT16 = 1 << 16,
    ISA_XOP = 1 << 17, /* and FMA4, TBM */
    ISA_F16C = 1 << 18
};

/* A processor that code is made for. */
typedef struct {
    const char *name;      /* static; NULL where the target machine's own is the only one */
    const char *features;  /* for LLVM; with a name only */
    unsigned isa;          /* what a machine must have to run its code */
    unsigned vector_bytes; /* of the widest vectors to use */
    bool converts_f16;     /* has instructions for it */
} Variant;

enum { MAX_VARIANTS = 16 };

typedef struct {
    LLVMTargetMachineRef machine; /* for the least of the processors */
    LLVMTargetDataRef layout;
    char *triple;                   /* normalised; from LLVM */
    Variant variants[MAX_VARIANTS]; /* best first; each kernel is compiled for each */
    size_t nvariants;
    bool runs_here; /* its code can be run in this process */
} Machine;

const char *machine_open(const Target *target, Machine *out);
void machine_close(Machine *m); /* also one that is all zeros */

/* ---- build.c: plan → module ---- */

/* The local symbol of a kernel's code is `<symbol>__body`. */
#define BODY_SUFFIX "__body"
#define CALL_SUFFIX "__call"

/* A module while it is being made. Vectors of all types have `lanes` elements. */
typedef struct {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef at, before; /* `before` emits what is computed before the loop */
    const Plan *plan;
    unsigned lanes, vector_bytes;
    bool converts_f16, masks_halves;                          /* has instructions for these */
    LLVMTypeRef scalar[TYPE_BF16 + 1], vector[TYPE_BF16 + 1]; /* a half is 16 bits */
    LLVMTypeRef pointer, index;
    LLVMValueRef function;
    LLVMValueRef *values; /* by Node.id; vectors */
    LLVMValueRef i;       /* the loop's first element; NULL outside the loop */
    struct Nests *nests;  /* while a kernel with reductions is made; else NULL */
} Build;

/* Adds `<symbol>` and `<symbol>__call` to the module; with `loadable` the latter only where the
 * runtime needs it. */
const char *build_kernel(LLVMModuleRef module, const Machine *machine, const Plan *plan,
                         bool loadable);
/* Makes LLVM compile the function for this processor. */
void build_for(LLVMValueRef function, const char *cpu, const char *features);

/* Emits a block of steps; the value of a node, NULL if there is none. */
const char *build_block(Build *b, const PlanBlock *block);
LLVMValueRef build_value(Build *b, const Node *n);

/* ---- nests.c: loops for reductions ---- */

/* Fills b->function, for a plan that is not elementwise. */
const char *nests_function(Build *b);
/* The value of a step that reads an array or tells of sizes; NULL for others. */
LLVMValueRef nests_step(Build *b, const PlanStep *step);

/* ---- choose.c: several processors in one object ---- */

/* Adds `name`, which the system's loader resolves to that one of the functions, one for each of the
 * machine's variants, that this processor can run. */
const char *choose_function(LLVMModuleRef module, const Machine *machine, const char *name,
                            LLVMTypeRef type, LLVMValueRef const *functions);

/* ---- ops.c: one operation ---- */

/* Every primitive but constants, variables and guards; NULL for what is none. Emits at b->at. */
LLVMValueRef op_emit(Build *b, const Node *n, LLVMValueRef const arg[3]);
/* The encoding in every lane. */
LLVMValueRef op_constant(Build *b, Type type, uint64_t bits);
LLVMValueRef op_splat(Build *b, Type type, LLVMValueRef scalar);
/* Calls an intrinsic overloaded on `types`. */
LLVMValueRef op_intrinsic(Build *b, const char *name, LLVMTypeRef *types, size_t ntypes,
                          LLVMValueRef *args, unsigned nargs);

/* ---- half.c: f16 and bf16 ---- */

/* A vector of halves as f32, and back, rounded to nearest even. */
LLVMValueRef half_widen(Build *b, Type type, LLVMValueRef v);
LLVMValueRef half_narrow(Build *b, Type type, LLVMValueRef v);

/* ---- jit.c: object → memory ---- */

struct Jit {
    Machine machine;
    LLVMOrcLLJITRef lljit; /* made at the first load */
    LLVMOrcJITDylibRef *free_dylibs;
    size_t nfree, free_cap;
    unsigned ndylibs;
};

const char *jit_load(Jit *jit, const Bytes *object, JitCode **out);
void *jit_entry(JitCode *code, const char *symbol);
void jit_unload(JitCode *code);
void jit_close(Jit *jit);

#endif
