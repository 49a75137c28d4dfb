/* What outlives a compilation: contexts, modules, kernels, and the calls of actc.h on them. */
#ifndef ACTC_RUNTIME_H
#define ACTC_RUNTIME_H

#include <pthread.h>
#include <stdatomic.h>

#include "actc.h"
#include "codegen.h"
#include "frontend.h"

/* ---- types ---- */

struct actc_diagnostics {
    char *text;
};

struct actc_context {
    atomic_size_t references;
    Allocator allocator;
    char *library_folder;     /* or NULL */
    pthread_mutex_t lock;     /* guards what follows, and every use of `jit` */
    const Backend *backend;   /* NULL until the first kernel is compiled */
    Jit *jit;
};

struct actc_module {
    atomic_size_t references;
    actc_context *context;
    pthread_mutex_t lock; /* guards the tree: looking up a function may add to it */
    jmp_buf out;          /* where the arena jumps; set by whoever holds the lock */
    Arena arena;
    Intern names;
    Diags diags;
    Module *tree;
};

struct actc_kernel {
    atomic_size_t references;
    actc_module *module;
    JitCode *code;
    actc_function *function;
    KernelEntry *entry;
    actc_kind kind;
    size_t nargs, ninputs; /* inputs come first */
    actc_argument *args;
    uint32_t *gradient_of; /* for each output of a backward kernel: the argument whose gradient it is, else NO_ARGUMENT */
};

enum { NO_ARGUMENT = UINT32_MAX };

/* ---- diagnostics.c ---- */

/* Makes *out (if it is not NULL) say this, and returns `status`. */
actc_status fail(actc_diagnostics **out, actc_status status, const char *fmt, ...) ACTC_PRINTF(3, 4);
/* Makes *out hold the items of d, if there are any. */
void export_diagnostics(const Diags *d, actc_diagnostics **out);
/* *out becomes a copy of the text, for the caller of the library. */
actc_status give_text(const Buf *b, char **out);

/* ---- context.c ---- */

actc_context *context_retain(actc_context *ctx);
/* Opens the code generator if it is not open yet; the lock is held. NULL, or why not (lives as long as ctx->lock is
 * held). */
const char *context_open_backend(actc_context *ctx);

/* ---- module.c ---- */

actc_module *module_retain(actc_module *m);

/* ---- compile.c ---- */

/* What to compile. */
typedef struct {
    Arena *arena;
    Module *tree;
    const char *function;
    const char *name, *prefix; /* of the C symbol; NULL: the function's own name, no prefix */
    actc_kind kind;
    Type type;
    const Setting *settings;
    size_t nsettings;
    Diags *diags;
} CompileJob;
/* NULL where `diags` or *internal_error say why; everything is in job->arena. A graph at a stage up to STAGE_EXPANDED: */
Graph *compile_graph(const CompileJob *job, Stage stage, const char **internal_error);
Plan *compile_plan(const CompileJob *job, const char **internal_error);
/* The definition alone. */
const Def *compile_function(const CompileJob *job);
/* Fills settings and type from the public options; ACTC_OK or why not. */
actc_status read_options(const actc_kernel_options *in, actc_kernel_options *out, actc_diagnostics **diagnostics);

/* ---- compilation.c ---- */

/* One use of the compiler. Between begin and end the module is locked; out of memory jumps to `out`, which the caller sets
 * right after begin and where it ends the compilation. */
typedef struct {
    actc_module *module;
    jmp_buf out;
    Arena arena;
    Setting *settings;
} Compilation;
actc_status compilation_begin(Compilation *c, actc_module *m, const actc_kernel_options *options);
void compilation_end(Compilation *c);
CompileJob compilation_job(Compilation *c, const char *function, const actc_kernel_options *options);
/* Why a job gave nothing, as a status and in *diagnostics. */
actc_status compilation_failure(Compilation *c, const char *internal_error, actc_diagnostics **diagnostics);

#endif
