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

typedef struct {
    LLVMTargetMachineRef machine;
    LLVMTargetDataRef layout;
    char *triple;          /* normalised; from LLVM */
    unsigned vector_bytes; /* of the widest vectors to use */
    bool runs_here;        /* its code can be run in this process */
} Machine;

const char *machine_open(const Target *target, Machine *out);
void machine_close(Machine *m); /* also one that is all zeros */

/* ---- build.c: plan → module ---- */

/* A module while it is being made. Vectors of all types have `lanes` elements. */
typedef struct {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef at, before; /* `before` emits what is computed before the loop */
    const Plan *plan;
    unsigned lanes, vector_bytes;
    LLVMTypeRef scalar[TYPE_F64 + 1], vector[TYPE_F64 + 1];
    LLVMTypeRef pointer, index;
    LLVMValueRef function;
    LLVMValueRef *values; /* by Node.id; vectors */
    LLVMValueRef *arrays; /* by argument: element 0 of what the loop works on */
    LLVMValueRef i;       /* the loop's first element; NULL outside the loop */
} Build;

/* Adds `<symbol>` and `<symbol>__call` to the module. */
const char *build_kernel(LLVMModuleRef module, const Machine *machine, const Plan *plan);

/* ---- ops.c: one operation ---- */

/* Every primitive but constants, variables and guards; NULL for what is none. Emits at b->at. */
LLVMValueRef op_emit(Build *b, const Node *n, LLVMValueRef const arg[3]);
/* The encoding in every lane. */
LLVMValueRef op_constant(Build *b, Type type, uint64_t bits);
LLVMValueRef op_splat(Build *b, Type type, LLVMValueRef scalar);
/* Calls an intrinsic overloaded on `types`. */
LLVMValueRef op_intrinsic(Build *b, const char *name, LLVMTypeRef *types, size_t ntypes,
                          LLVMValueRef *args, unsigned nargs);

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
