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
    actc_diagnostic *items; /* their strings stand behind them in the same piece of memory */
    size_t count;
};

/* SHA-256 of what determines something. */
typedef struct {
    uint8_t bytes[32];
} Key;

typedef struct {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t length; /* bytes so far */
} Hash;

/* A checked text in memory of its own; never changed once it is there. */
typedef struct {
    Arena arena;
    Intern names;
    Module *tree;
} Library;

enum { KERNEL_SLOTS = 1024 };

struct actc_context {
    atomic_size_t references;
    Allocator allocator;
    void (*log)(void *user, const char *message); /* or NULL */
    void *log_user;
    char *library_folder;         /* or NULL */
    char *cache_folder;           /* or NULL */
    uint64_t cache_bytes;         /* most that stays in it */
    pthread_mutex_t library_lock; /* guards the making of `library` */
    struct { /* the rules of rewriting, as patterns for f32 and f64: as the library */
        Arena arena;
        const struct Rules *patterns;
    } rules[2];
    Library
        library; /* the standard library, parsed when the first module is; `tree` is NULL before */
    pthread_mutex_t lock;   /* guards what follows, and every use of `jit` */
    const Backend *backend; /* NULL until the first kernel is compiled */
    Jit *jit;
    pthread_mutex_t kernels_lock;       /* guards what follows */
    actc_kernel *kernels[KERNEL_SLOTS]; /* living ones by their keys; not owned */
    Key machine;                        /* what code on disk depends on besides its source */
    bool machine_asked, machine_known;
};

struct actc_module {
    atomic_size_t references;
    actc_context *context;
    Key key; /* of its text and what that uses */
    Arena arena;
    Intern names; /* above the library's */
    Module *tree; /* as all of the module not changed once it is parsed: shared without a lock. NULL
                     for an empty text: compilations then stand right above the library */
    actc_definition *functions;
    size_t function_count;
};

/* Code that image.c loaded. */
typedef struct {
    void *base; /* NULL: none */
    size_t size;
} Image;

/* One object in memory, of the kernels that were compiled together. */
typedef struct {
    atomic_size_t references;
    actc_context *context; /* a reference */
    Image image;
    JitCode *linked; /* what LLVM loaded, or NULL */
} Code;

/* The axes of one array from the outermost, as numbers of bits in an AxisSet. */
typedef struct {
    uint8_t order[MAX_AXES + 1], rank;
    const char **names; /* ".." and others */
    size_t *sizes;      /* that the source fixes; else 0 */
} KernelLayout;

/* Of a kernel that is not elementwise. */
typedef struct {
    char *names[MAX_AXES + 1];
    uint64_t fixed[MAX_AXES + 1];
    uint8_t order[MAX_AXES + 1]; /* the axes whose sizes the signature begins with */
    size_t nsizes;
    bool all; /* the first of them is `n`, not `rows` */
    KernelLayout *layouts;
    size_t nlayouts;
    AxisSet *saved; /* the arrays in the workspace */
    size_t nsaved;
} KernelAxes;

struct actc_kernel {
    atomic_size_t references;
    actc_module *module;
    Code *code;
    actc_function *function;
    KernelEntry *entry; /* NULL where `function` says all: use kernel_call */
    actc_kind kind;
    size_t nargs, ninputs; /* inputs come first */
    actc_argument *args;
    uint32_t *gradient_of; /* for each output of a backward kernel: the argument whose gradient it
                              is, else NO_ARGUMENT */
    KernelAxes *axes;      /* NULL: elementwise */
    bool cached;           /* is among the context's kernels, under its key */
    Key key;
    actc_kernel *next;
};

#define NO_ARGUMENT UINT32_MAX

/* ---- dtype.c ---- */

enum { DTYPE_COUNT = ACTC_BF16 + 1 };

typedef struct {
    const char *name;
    Type type;
    unsigned char bytes, code; /* of an element; in DLPack */
} DtypeInfo;
extern const DtypeInfo dtype_info[DTYPE_COUNT];
actc_dtype dtype_of(Type t);

/* ---- diagnostics.c ---- */

/* Makes *out (if it is not NULL) say this, and returns `status`. */
actc_status fail(actc_diagnostics **out, actc_status status, const char *fmt, ...)
    ACTC_PRINTF(3, 4);
/* Makes *out hold the items of d, if there are any. */
void export_diagnostics(const Diags *d, actc_diagnostics **out);
/* *out becomes a copy of the text, for the caller of the library. */
actc_status give_text(const Allocator *from, const Buf *b, char **out);

/* ---- memory.c ---- */

/* Zeroed, ended with memory_free (NULL is fine); NULL where there is no memory. */
void *memory_new(const Allocator *from, size_t size);
void *memory_array(const Allocator *from, size_t count, size_t size);
/* A copy of n bytes, with a NUL behind them. */
char *memory_text(const Allocator *from, const char *s, size_t n);
void memory_free(void *p);

/* ---- sha256.c ---- */

void hash_begin(Hash *h);
void hash_add(Hash *h, const void *data, size_t n);
void hash_add_number(Hash *h, uint64_t v);
/* With its length, so that two texts in a row are not another two. */
void hash_add_text(Hash *h, const char *s, size_t n);
Key hash_end(Hash *h);

/* ---- context.c ---- */

/* The standard library; NULL where there is no memory for it. */
const Library *context_library(actc_context *ctx);
/* The rules for graphs of this type; NULL where there is no memory for them. */
const struct Rules *context_rules(actc_context *ctx, Type real);
/* Seconds, of a clock that only goes forward. */
double clock_now(void);
/* Tells the caller's log, if there is one. No lock may be held that the log could want. */
void context_log(const actc_context *ctx, const char *fmt, ...) ACTC_PRINTF(2, 3);
/* Opens the code generator if it is not open yet; the lock is held. NULL, or why not (lives as long
 * as ctx->lock is held). */
const char *context_open_backend(actc_context *ctx);
/* Where the code generator's file is; false if it is nowhere. */
bool context_backend_path(const actc_context *ctx, char *path, size_t size);

/* ---- files.c ---- */

/* Reads what `use` names from the file system. */
extern const Loader file_loader;

/* ---- module.c ---- */

/* What stands for a text of more than LIMIT_TEXT bytes. */
extern const char too_long[];

/* The definitions of the text that are not constants, in its order; NULL beyond the last. */
const Def *module_function(const actc_module *m, size_t index);

/* ---- describe.c ---- */

/* Fills m->functions; may run out of memory. */
void describe_module(actc_module *m);

/* ---- image.c ---- */

/* Whether there is a loader for this machine at all. */
#if defined(__x86_64__) && defined(__linux__)
enum { IMAGE_LOADER = 1 };
#else
enum { IMAGE_LOADER = 0 };
#endif
/* Loads an object for this machine without LLVM; false where it cannot. */
bool image_load(const char *object, size_t size, Image *out);
/* The address of a global symbol in the code; `object` is what the image was loaded from. */
void *image_find(const Image *image, const char *object, size_t size, const char *name);
void image_unload(Image *image);

/* ---- code.c ---- */

enum { LIMIT_SYMBOL = 500 };

/* NULL where there is no memory. */
Code *code_new(actc_context *ctx);
Code *code_retain(Code *code);
void code_release(Code *code);
/* NULL, or what is wrong; no lock may be held. What was `stored` LLVM's linker gets only where
 * there is no loader of ours: that one reads nothing outside the bytes, whatever they are. */
const char *code_load(Code *code, const Bytes *object, bool stored);
/* Finds the kernel's function, and its uniform entry, in code that was loaded from this object;
 * false if they are missing. */
bool code_entries(const Code *code, const Bytes *object, const char *symbol, bool with_entry,
                  actc_kernel *k);

/* ---- key.c ---- */

/* Of this compiler, with the code generator in that file, and this processor; false where they do
 * not tell. */
bool key_of_machine(const char *backend, Key *out);
Key key_of_module(const char *text, size_t length, const Module *tree);
Key key_of_request(const actc_module *m, const char *function, const actc_kernel_options *o);

/* ---- record.c ---- */

/* Kernels of one object as bytes, to be ended with memory_free; NULL where there is no memory. */
char *record_write(const Allocator *from, actc_kernel *const *kernels, const char *const *symbols,
                   size_t n, const Bytes *object, size_t *size);
/* The n kernels, loaded and without a module, if the record is right (*found). ACTC_E_MEMORY. */
actc_status record_read(actc_context *ctx, const char *record, size_t size, actc_kernel **kernels,
                        size_t n, bool *found);

/* ---- cache.c ---- */

/* A living kernel of this key, with one more owner, or NULL. */
actc_kernel *cache_find(actc_context *ctx, const Key *key);
void cache_add(actc_context *ctx, actc_kernel *k, const Key *key);
void cache_remove(actc_context *ctx, actc_kernel *k);
/* From disk: the kernels that were made together for these keys, as record_read gives them. */
actc_status cache_read(actc_context *ctx, const Key *keys, size_t n, actc_kernel **kernels,
                       bool *found);
/* To disk, if there is a folder and it can be written to. ACTC_E_MEMORY. */
actc_status cache_write(actc_context *ctx, const Key *keys, size_t n, actc_kernel *const *kernels,
                        const char *const *symbols, const Bytes *object);

/* ---- kernel.c ---- */

/* The handle alone, not its code. */
void kernel_free(actc_kernel *k);

/* Through the uniform entry, or the plain signature. Arrays are contiguous. */
void kernel_call(const actc_kernel *k, const KernelCall *call);
/* A kernel of a plan that no public call makes, named as a forward one. Never jumps. */
actc_status kernel_of_plan(actc_module *module, const Plan *plan, actc_kernel **out,
                           actc_diagnostics **diagnostics);

/* ---- axes.c ---- */

/* NULL where there is no memory. */
KernelAxes *axes_of_plan(const Allocator *from, const Plan *p);
void axes_free(KernelAxes *a); /* NULL is fine */
/* Elements of the workspace, for sizes by axis; SIZE_MAX: more than memory holds. */
size_t axes_workspace(const KernelAxes *a, const uint64_t *sizes);
/* Fills the shapes of tensors whose ndim is negative. */
actc_status axes_shapes(const actc_kernel *k, actc_tensor *const *args,
                        actc_diagnostics **diagnostics);
/* actc_kernel_run on tensors that are right by themselves. */
actc_status axes_run(const actc_kernel *k, const actc_tensor *const *args,
                     actc_diagnostics **diagnostics);

/* ---- tensor.c ---- */

enum { TENSOR_DIMENSIONS = 32, SHAPE_TEXT = 512 };
/* "(3, 4)", in buf. */
const char *shape_text(char *buf, size_t cap, int ndim, const int64_t *shape);
bool tensor_is_contiguous(const actc_tensor *t);
/* Between the tensor and a contiguous buffer: to that one if `gather`. */
void tensor_copy(const actc_tensor *t, size_t bytes, char *buffer, bool gather);

/* ---- compile.c ---- */

/* What to compile. */
typedef struct {
    Arena *arena;
    Module *tree;
    const char *function;
    const char *name, *prefix; /* of the C symbol; NULL: the function's own name, no prefix */
    actc_kind kind;
    Type type;      /* of the arrays, and of what is rounded for people */
    const struct Rules *rules; /* for graphs of the type's arithmetic */
    actc_math math;
    RewriteTrace *trace; /* told each rule that fires; NULL */
    void *trace_user;
    bool constants; /* what has no inputs is a function too */
    const Setting *settings;
    size_t nsettings;
    Diags *diags;
} CompileJob;
/* NULL where `diags` or *internal_error say why; everything is in job->arena. A graph at a stage up
 * to STAGE_EXPANDED: */
Graph *compile_graph(const CompileJob *job, Stage stage, const char **internal_error);
Plan *compile_plan(const CompileJob *job, const char **internal_error);
/* The definition alone. */
const Def *compile_function(const CompileJob *job);
/* Fills settings and type from the public options; ACTC_OK or why not. */
actc_status read_options(const actc_kernel_options *in, actc_kernel_options *out,
                         actc_diagnostics **diagnostics);

/* ---- compilation.c ---- */

/* One use of the compiler. Out of memory jumps to `out`, which the caller sets right after begin
 * and where it ends the compilation. */
typedef struct {
    actc_module *module;
    jmp_buf out;
    Arena arena;
    Intern names;
    Diags diags;
    Module *tree; /* a layer above the module's; NULL before the first job */
} Compilation;
void compilation_begin(Compilation *c, actc_module *m);
void compilation_end(Compilation *c);
/* Gives back what high precision keeps for the thread; to be called at the end of each public call
 * that may use it. */
void compilation_forget(void);
/* A job over text that lives as long as the compilation. */
CompileJob compilation_job(Compilation *c, const char *function,
                           const actc_kernel_options *options);
/* Why a job gave nothing, as a status and in *diagnostics. */
actc_status compilation_failure(Compilation *c, const char *internal_error,
                                actc_diagnostics **diagnostics);

/* ---- examine.c: what a function is at a point, and how far a result is from that ---- */

enum { VERIFY_INPUTS = 16 };

/* A function that is verified: the formula as written with its symbolic derivatives, which say what
 * is right; and the compiler's own form of it as an f64 graph, which says what the terms of a
 * derivative are and makes the quick oracle of sweep.c. Quantity 0 is the value, 1 + i the
 * derivative with respect to input i. Only read once it is made. */
typedef struct {
    Type type; /* of the kernel */
    size_t inputs, quantities;
    Graph *written, *stable;
    Node **exact;   /* for each quantity, of `written` */
    Node **quick;   /* the same of `stable` */
    Node **terms;   /* of `stable`: for each derivative the sum of the sizes of its terms; [0] NULL */
    bool *depends;  /* of the value on each input */
    bool overridden; /* a `grad` clause has its say */
} Subject;
/* NULL as compile_graph. */
Subject *subject_make(const CompileJob *job, const char **internal_error);
/* The quick oracle, an f64 kernel: for each quantity its value, then for each derivative its terms.
 */
Plan *subject_oracle(const Subject *s);
/* log2 of the ulp at |v| in a format; of a subnormal the subnormal step. */
long ulp_exponent(Type t, mpfr_srcptr v);

typedef enum {
    EXACT_NUMBER,
    EXACT_POLE, /* the formula is infinite there: 1/0 */
    EXACT_NAN,  /* NaN is right; so is `v` where `removable` */
    EXACT_NONE, /* nothing is demanded: no limit at infinity, a derivative where there is no value */
    EXACT_UNDECIDED /* the most bits do not say */
} ExactKind;

typedef struct {
    ExactKind kind;
    bool removable;
    bool at_limit;  /* the point is infinite */
    bool has_scale; /* `scale` is there; of derivatives only */
    mpfr_t v, scale;
} Exact;

/* What one thread needs to examine a subject. */
typedef struct {
    const Subject *subject;
    Encloser exact, terms, value;
    mpfr_srcptr *vars; /* the point */
    mpfr_ptr *at;      /* the same, to be written */
    Exact *out;        /* for each quantity */
    Exact *steps;      /* of a limit: TREND_STEPS times as many */
    unsigned undecided;
    double spent;          /* operations times bits; whoever examines for long sets it back */
    mpfr_prec_t start;     /* bits to begin with at the next point */
    mpfr_prec_t most_bits; /* that were needed */
} Examiner;
void examiner_make(Examiner *x, Arena *arena, const Subject *s);
/* Fills x->out for the point, given as encodings in the kernel's type. */
void examine(Examiner *x, const uint64_t *point);

typedef enum {
    FAULT_NAN,        /* NaN where a number is right */
    FAULT_NUMBER,     /* a number where NaN is right */
    FAULT_INFINITY,   /* an infinity where a number is right */
    FAULT_NO_INFINITY, /* none, or the other one, where one is right */
    FAULT_SIGN,
    FAULT_KINK, /* what is right two floats further, on the other side of a kink: no error in ulp */
    FAULT_COUNT,
    FAULT_NONE = FAULT_COUNT
} Fault;
/* A result at the point that was examined last: its fault, and its error in ulp where that is a
 * number. False where nothing is demanded. */
bool judge(Examiner *x, const uint64_t *point, size_t quantity, uint64_t result, double *ulp,
           Fault *fault);

typedef enum { SLOPE_AGREES, SLOPE_KINK, SLOPE_DIFFERS, SLOPE_UNKNOWN } Slope;
/* The symbolic derivative with respect to an input against difference quotients; `*quotient` is the
 * central one. The point is finite. */
Slope examine_slope(Examiner *x, const uint64_t *point, size_t input, double *given,
                    double *quotient);
/* What is decided at the point: which branches are taken, and with `signs` the signs of all
 * quantities. Points between which it changes have a kink, or a root, between them. */
uint64_t examine_signature(Examiner *x, const uint64_t *point, bool signs);

/* ---- points.c: where to look ---- */

typedef struct {
    uint64_t *bits; /* count*inputs encodings */
    size_t inputs, count, cap;
    size_t kinks; /* how many of them, at the end, stand beside a kink or a root */
} Points;
void points_make(Points *p, Arena *arena, Examiner *x);
/* Floats in the order of their values as integers in the same order; -0 is next to 0. */
int64_t float_rank(uint64_t bits, Type type);
uint64_t float_of_rank(int64_t rank, Type type);

/* ---- tally.c: what was found ---- */

typedef struct {
    uint64_t points, judged, undecided;
    double worst, sum; /* of errors in ulp */
    bool has_worst;
    uint64_t worst_at[VERIFY_INPUTS], worst_result;
    uint64_t undecided_at[VERIFY_INPUTS]; /* the first of them */
    uint64_t faults[FAULT_COUNT];
    uint64_t fault_at[FAULT_COUNT][VERIFY_INPUTS], fault_result[FAULT_COUNT]; /* the first of them */
} Tally;
/* One judged result, or what judge() said nothing about. */
void tally_add(Tally *t, const uint64_t *point, size_t inputs, uint64_t result, bool judged,
               double ulp, Fault fault);
void tally_undecided(Tally *t, const uint64_t *point, size_t inputs);
void tally_fault(Tally *t, const uint64_t *point, size_t inputs, uint64_t result, Fault fault);
void tally_worst(Tally *t, const uint64_t *point, size_t inputs, uint64_t result, double ulp);
/* `from` comes after `to`: at a tie the first one stays. */
void tally_merge(Tally *to, const Tally *from, size_t inputs);

/* Of one derivative against difference quotients. */
typedef struct {
    size_t points, kinks, wrong;
    uint64_t at[VERIFY_INPUTS]; /* the first wrong one */
    double given, quotient;
} Slopes;

/* ---- sweep.c: all 2^32 floats ---- */

typedef struct {
    const Subject *subject; /* of one input, f32 */
    const actc_kernel *forward, *backward, *oracle;
    unsigned threads;
    /* Called now and then from the caller's thread; not 0 stops. May be NULL. */
    int (*progress)(void *user, double done, double seconds_left);
    void *user;
    Tally tallies[2];   /* begin as the sampled points left them */
    uint64_t probed;    /* floats of which only the worst were examined */
    uint64_t uncovered; /* floats that only samples of their neighbourhood speak for */
    mpfr_prec_t most_bits;
    bool stopped;
} Sweep;
/* Two million floats beside what was sampled already: larger errors, and faults, that are found
 * among them, always the same. */
actc_status sweep_probe(Sweep *s, const Allocator *from);
/* ACTC_OK, also when stopped; else ACTC_E_MEMORY or ACTC_E_SYSTEM. */
actc_status sweep_run(Sweep *s, const Allocator *from);

#endif
