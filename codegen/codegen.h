/* From plans to code. A backend sees primitives only: every operation of the plan is a PRIM row of ops.def and every
 * constant is exact in its type.
 *
 * The LLVM backend is a loadable module of its own (libactc-llvm), so that nothing else needs LLVM in the process; it
 * is reached through the table `Backend` below. It prints nothing, sets no process-global option of LLVM, and takes no
 * memory from an arena (whose way out must not cross LLVM's frames). */
#ifndef ACTC_CODEGEN_H
#define ACTC_CODEGEN_H

#include <stddef.h>
#include <stdint.h>

#include "ir.h"

/* ---- the kernel ABI (docs/architecture.md) ---- */

/* One call of a kernel through its uniform entry, `<symbol>__call(const KernelCall *)`. Fields are only ever added at
 * the end. The plain C signature of design.md section 4 is a second entry of the same code, `<symbol>`. */
typedef struct {
    uint64_t begin, end;        /* the range of the outermost size (elements or rows) to compute */
    const uint64_t *sizes;      /* all sizes in the order of the signature */
    void *const *arrays;        /* in the order of Plan.args; element 0 of the whole array, not of the range */
    const int64_t *strides;     /* elements; for each array, for each of its axes; NULL: all contiguous */
    const uint64_t *params;     /* run-time params, one slot each, encoded in the kernel's type in the low bits */
    uint64_t seed, offset;      /* of random numbers */
    void *workspace;            /* as many bytes as the kernel asked for, aligned to 64 */
} KernelCall;

typedef void KernelEntry(const KernelCall *call);

/* ---- c/ ---- */

/* What stands around the kernels of one C file. Texts are UTF-8; comments are cleaned of what would end them. */
typedef struct {
    const char *base;           /* the file's name without .c: names the header and its guard */
    const char *command;        /* how it was made, for the comment; or NULL */
    const char *const *notes;   /* for each plan: lines for its comment (formula, gradient, error); NULL or "" for none */
} CFile;

/* A C identifier from a name of the language: Greek letters by their names, other bytes as _xx; words that C or C++
 * reserve, and names that this backend needs for itself, get a `_` behind. */
char *c_identifier(Arena *arena, const char *name);
/* The two files, C99, for plans whose symbols are C identifiers and differ from each other. */
void c_source(const Plan *const *plans, size_t n, const CFile *file, Buf *out);
void c_header(const Plan *const *plans, size_t n, const CFile *file, Buf *out);

/* ---- llvm/ ---- */

/* What code is made for. NULL in `triple` means this machine, NULL in `cpu` this machine's processor. */
typedef struct {
    const char *triple, *cpu, *features;
} Target;

typedef enum { EMIT_OBJECT, EMIT_ASSEMBLY, EMIT_LLVM, EMIT_BITCODE } EmitKind;

typedef struct {
    char *data; /* ends in a NUL that is not counted; released by Backend.free_bytes */
    size_t size;
} Bytes;

typedef struct Jit Jit;         /* a JIT with its target machine; used by one thread at a time */
typedef struct JitCode JitCode; /* code in memory: one object with any number of kernels */

/* Functions return NULL, or a message in static or thread-owned storage, valid until the next call on that thread. */
typedef struct {
    int version; /* BACKEND_VERSION of the header that it was compiled with */
    const char *(*create)(const Target *target, Jit **out);
    void (*destroy)(Jit *jit); /* its code must have been unloaded; NULL is fine */
    /* All plans in one module, to object, assembly, LLVM text or bitcode. With a message, `out` is empty. */
    const char *(*emit)(Jit *jit, const Plan *const *plans, size_t n, EmitKind kind, Bytes *out);
    void (*free_bytes)(Bytes *bytes);
    /* Links an object that `emit` made into memory; `entry` then finds its symbols, or gives NULL. */
    const char *(*load)(Jit *jit, const Bytes *object, JitCode **out);
    void *(*entry)(JitCode *code, const char *symbol);
    void (*unload)(JitCode *code); /* NULL is fine */
} Backend;

enum { BACKEND_VERSION = 1 };
/* The one symbol that libactc-llvm exports. */
#define BACKEND_SYMBOL "actc_llvm_backend"
typedef const Backend *BackendFn(void);

#endif
