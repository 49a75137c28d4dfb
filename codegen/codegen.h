/* From plans to code. A backend sees primitives only: every operation of the plan is a PRIM row of
 * ops.def and every constant is exact in its type.
 *
 * The LLVM backend is a loadable module of its own (libactc-llvm), so that nothing else needs LLVM
 * in the process; it is reached through the table `Backend` below. It prints nothing, sets no
 * process-global option of LLVM, and takes no memory from an arena (whose way out must not cross
 * LLVM's frames). */
#ifndef ACTC_CODEGEN_H
#define ACTC_CODEGEN_H

#include <stddef.h>
#include <stdint.h>

#include "ir.h"

/* ---- the kernel ABI (docs/architecture.md) ---- */

/* One call of a kernel through its uniform entry, `<symbol>__call(const KernelCall *)`. Fields are
 * only ever added at the end. The plain C signature of design.md section 4 is a second entry of the
 * same code, `<symbol>`; it is the only one in EMIT_LOADABLE where it says all (kernel_call in
 * runtime/kernel.c makes the call). */
typedef struct {
    uint64_t begin, end;   /* the range of the outermost size (elements or rows) to compute */
    const uint64_t *sizes; /* all sizes in the order of the signature */
    void *const
        *arrays; /* in the order of Plan.args; element 0 of the whole array, not of the range */
    const int64_t
        *strides; /* elements; for each array, for each of its axes; NULL: all contiguous */
    const uint64_t
        *params; /* run-time params, one slot each, encoded in the kernel's type in the low bits */
    uint64_t seed, offset; /* of random numbers */
    void *workspace;       /* as many bytes as the kernel asked for, aligned to 64 */
} KernelCall;

typedef void KernelEntry(const KernelCall *call);

/* Up to how many arrays the runtime calls a kernel without run-time params by its plain signature.
 * Making the uniform entry costs a tenth of such a kernel's compile time. */
enum { KERNEL_PLAIN_ARRAYS = 8 };

/* ---- c/ ---- */

/* What stands around the kernels of one C file. Texts are UTF-8; comments are cleaned of what would
 * end them. */
typedef struct {
    const char *base;         /* the file's name without .c: names the header and its guard */
    const char *command;      /* how it was made, for the comment; or NULL */
    const char *const *notes; /* for each plan: lines for its comment (formula, gradient, error);
                                 NULL or "" for none */
} CFile;

/* A C identifier from a name of the language; bytes that cannot stand in one become _xx. Where it
 * stands alone: words that C or C++ reserve, and names that this backend needs for itself, get a
 * `_` behind. */
char *c_identifier(Arena *arena, const char *name);
/* As the first part of an identifier, of `int_forward`. */
char *c_symbol(Arena *arena, const char *name);
/* The two files, C99, for plans whose symbols are C identifiers and differ from each other. */
void c_source(const Plan *const *plans, size_t n, const CFile *file, Buf *out);
void c_header(const Plan *const *plans, size_t n, const CFile *file, Buf *out);

/* ---- llvm/ ---- */

/* What code is made for. NULL in `triple` means this machine, NULL in `cpu` this machine's
 * processor. */
typedef struct {
    const char *triple, *cpu, *features;
} Target;

/* EMIT_LOADABLE is an object for `load`: without the uniform entries of kernels that have no
 * run-time params and at most KERNEL_PLAIN_ARRAYS arrays. */
typedef enum { EMIT_OBJECT, EMIT_LOADABLE, EMIT_ASSEMBLY, EMIT_LLVM, EMIT_BITCODE } EmitKind;

typedef struct {
    char *data; /* ends in a NUL that is not counted; released by Backend.free_bytes */
    size_t size;
} Bytes;

typedef struct Jit Jit;         /* a JIT with its target machine; used by one thread at a time */
typedef struct JitCode JitCode; /* code in memory: one object with any number of kernels */

/* Functions return NULL, or a message in static or thread-owned storage, valid until the next call
 * on that thread. */
typedef struct {
    int version; /* BACKEND_VERSION of the header that it was compiled with */
    const char *(*create)(const Target *target, Jit **out);
    void (*destroy)(Jit *jit); /* its code must have been unloaded; NULL is fine */
    /* All plans in one module, to object, assembly, LLVM text or bitcode. With a message, `out` is
     * empty. */
    const char *(*emit)(Jit *jit, const Plan *const *plans, size_t n, EmitKind kind, Bytes *out);
    void (*free_bytes)(Bytes *bytes);
    /* Links an object that `emit` made (EMIT_LOADABLE or EMIT_OBJECT) into memory; `entry` then
     * finds its symbols, or gives NULL. */
    const char *(*load)(Jit *jit, const Bytes *object, JitCode **out);
    void *(*entry)(JitCode *code, const char *symbol);
    void (*unload)(JitCode *code); /* NULL is fine */
} Backend;

enum { BACKEND_VERSION = 2 };
/* The one symbol that libactc-llvm exports. */
#define BACKEND_SYMBOL "actc_llvm_backend"
typedef const Backend *BackendFn(void);

#endif
