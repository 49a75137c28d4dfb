/* actc: activation functions, compiled.
 *
 *     actc_context *ctx;
 *     actc_module *mod;
 *     actc_kernel *elu;
 *     const char *text = "elu(x; alpha = 1) = x > 0 ? x : alpha*(exp(x) - 1)";
 *     actc_context_create(NULL, &ctx);
 *     actc_module_parse(ctx, "elu.act", text, strlen(text), &mod, NULL);
 *     actc_kernel_compile(mod, "elu", NULL, &elu, NULL);
 *     void (*f)(size_t, const float *, float *) = (void (*)(size_t, const float *, float *))actc_kernel_function(elu);
 *     f(n, x, y);
 *     actc_kernel_release(elu), actc_module_release(mod), actc_context_release(ctx);
 *
 * Every call that can fail returns a status. Where it takes `actc_diagnostics **`, that may be NULL; else it gets a list
 * (to be released by the caller, who owns it) whenever there is something to say, and NULL otherwise. Nothing here
 * prints, exits or aborts. Handles may be used from any thread; one handle may be released only once, when no other
 * thread uses it. A module keeps its context alive, a kernel its module. */
#ifndef ACTC_H
#define ACTC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(ACTC_BUILDING) && defined(__GNUC__)
#define ACTC_API __attribute__((visibility("default")))
#else
#define ACTC_API
#endif

typedef enum actc_status {
    ACTC_OK = 0,
    ACTC_E_SOURCE = 1,      /* the source text is wrong; see the diagnostics */
    ACTC_E_ARGUMENT = 2,    /* an argument of the call is wrong */
    ACTC_E_SHAPE = 3,       /* shapes or element types do not fit */
    ACTC_E_NOT_FOUND = 4,   /* no such name */
    ACTC_E_MEMORY = 5,      /* out of memory */
    ACTC_E_BACKEND = 6,     /* the code generator is missing or failed */
    ACTC_E_SYSTEM = 7,      /* the operating system refused */
    ACTC_E_INTERNAL = 8,    /* a bug in actc */
    ACTC_E_UNSUPPORTED = 9  /* not supported yet */
} actc_status;

/* One sentence; static. */
ACTC_API const char *actc_status_text(actc_status status);
/* "0.1.0"; static. */
ACTC_API const char *actc_version(void);

/* ---- diagnostics ---- */

typedef struct actc_diagnostics actc_diagnostics;

/* All messages as a person reads them: file:line:column, the source line, a caret. Lives as long as `d`. */
ACTC_API const char *actc_diagnostics_text(const actc_diagnostics *d);

/* The same as data. A note explains the item before it, or stands alone. Strings live as long as the list. */
typedef enum actc_severity { ACTC_ERROR = 0, ACTC_WARNING = 1, ACTC_NOTE = 2 } actc_severity;

typedef struct actc_diagnostic {
    actc_severity severity;
    const char *id;      /* which message it is: "unknown-function"; "" for what concerns no text */
    const char *message; /* one line, without place and severity */
    const char *file;    /* the name of the text; NULL for what concerns none, and then the rest is 0 or "" */
    unsigned line, column, end_line, end_column; /* from 1; columns count characters; the end is behind the last one */
    size_t begin, end;   /* the same range in bytes of the text, from 0 */
    const char *excerpt; /* the source line and a caret under the range, as in the text */
} actc_diagnostic;

ACTC_API size_t actc_diagnostics_count(const actc_diagnostics *d); /* NULL is fine: 0 */
/* Fills `out`; ACTC_E_NOT_FOUND beyond the last. */
ACTC_API actc_status actc_diagnostics_item(const actc_diagnostics *d, size_t index, actc_diagnostic *out);
ACTC_API void actc_diagnostics_release(actc_diagnostics *d); /* NULL is fine */

/* ---- contexts ---- */

typedef struct actc_context actc_context;

typedef struct actc_context_options {
    size_t size;                /* sizeof(actc_context_options) */
    const char *library_folder; /* where libactc-llvm is; NULL: beside libactc, or in its folder `actc` */
    /* Where memory comes from, as realloc takes it: n = 0 frees and gives NULL; NULL for n > 0 is out of memory. Called
     * from any thread that uses the context. NULL: the C library. (LLVM, the numbers of constant folding and
     * diagnostics use the C library in any case.) */
    void *(*resize)(void *user, void *p, size_t n);
    void *resize_user;
    /* Gets a line, without its end, for each thing that takes time: what was compiled, and how long it took. Called from
     * the thread that did it. NULL: nobody listens. */
    void (*log)(void *user, const char *message);
    void *log_user;
} actc_context_options;

/* `options` may be NULL. The code generator is loaded when the first kernel is compiled. */
ACTC_API actc_status actc_context_create(const actc_context_options *options, actc_context **out);
ACTC_API actc_context *actc_context_retain(actc_context *ctx); /* one more owner; gives `ctx` */
ACTC_API void actc_context_release(actc_context *ctx);         /* NULL is fine */

/* ---- modules: one parsed text ---- */

typedef struct actc_module actc_module;

/* Parses and checks `length` bytes; `name` stands in messages. The text is copied. The standard library is visible in
 * every module; a definition of the same name shadows it. With errors: ACTC_E_SOURCE and no module. */
ACTC_API actc_status actc_module_parse(actc_context *ctx, const char *name, const char *text, size_t length,
                                       actc_module **out, actc_diagnostics **diagnostics);
/* The standard library as a module, for looking around in it. */
ACTC_API actc_status actc_module_library(actc_context *ctx, actc_module **out);
ACTC_API actc_module *actc_module_retain(actc_module *module); /* one more owner; gives `module` */
ACTC_API void actc_module_release(actc_module *module);        /* NULL is fine */

/* An input, a param or a learnable of a function. */
typedef struct actc_parameter {
    const char *name;
    const char *axes;          /* "[.., d]"; "": none are named */
    const char *default_value; /* of a param or a learnable, as text of the language; NULL: it has none */
    int is_learnable;          /* a tensor with a gradient, not a number */
    int is_condition;          /* true or false, not a number */
} actc_parameter;

/* What a function says of itself. All of it lives as long as the module. */
typedef struct actc_definition {
    const char *name;
    const char *doc;    /* the text of its ## lines; "": none */
    const char *source; /* the definition as written */
    const actc_parameter *inputs;
    size_t input_count;
    const actc_parameter *params; /* and learnables, as declared */
    size_t param_count;
} actc_definition;

/* The functions that the text defines (not the standard library's), in its order; NULL beyond the last. */
ACTC_API size_t actc_module_function_count(const actc_module *module);
ACTC_API const actc_definition *actc_module_function(const actc_module *module, size_t index);
ACTC_API const char *actc_module_function_name(const actc_module *module, size_t index);
ACTC_API const actc_definition *actc_module_find(const actc_module *module, const char *name);

/* ---- kernels: one compiled function ---- */

typedef struct actc_kernel actc_kernel;

/* Forward: outputs from inputs. Backward: dx = dy*(dy/dx) for each input, from inputs and dy. Both in one pass. And the
 * vector-Jacobian product of backward: from inputs, dy and the cotangent ddx of dx, for each input, d_x and d_dy. */
typedef enum actc_kind {
    ACTC_FORWARD = 0,
    ACTC_BACKWARD = 1,
    ACTC_FORWARD_BACKWARD = 2,
    ACTC_BACKWARD2 = 3
} actc_kind;

typedef enum actc_dtype { ACTC_F32 = 0, ACTC_F64 = 1 } actc_dtype;

/* A param's value, as text of the language: "0.5", "1/3", "true". */
typedef struct actc_setting {
    const char *name, *value;
} actc_setting;

typedef struct actc_kernel_options {
    size_t size; /* sizeof(actc_kernel_options) */
    actc_kind kind;
    actc_dtype dtype;
    const actc_setting *settings;
    size_t setting_count;
} actc_kernel_options;

/* `function` is the name of a definition, a pipeline ("tanh -> leaky_relu(0.03)") or an expression whose free names are
 * its inputs ("x*tanh(softplus(x))"). `options` may be NULL: forward, f32, defaults. */
ACTC_API actc_status actc_kernel_compile(actc_module *module, const char *function, const actc_kernel_options *options,
                                         actc_kernel **out, actc_diagnostics **diagnostics);
ACTC_API actc_kernel *actc_kernel_retain(actc_kernel *kernel); /* one more owner; gives `kernel` */
ACTC_API void actc_kernel_release(actc_kernel *kernel);        /* NULL is fine; its code is gone with the last owner */

/* Several kernels of one module at once, which takes less time than one by one. `out` has `count` places. All of them are
 * compiled or, with an error, none. Their memory is shared: code goes when the last of them is released. */
typedef struct actc_request {
    const char *function;
    const actc_kernel_options *options; /* may be NULL */
} actc_request;
ACTC_API actc_status actc_kernels_compile(actc_module *module, const actc_request *requests, size_t count,
                                          actc_kernel **out, actc_diagnostics **diagnostics);

typedef enum actc_role { ACTC_INPUT = 0, ACTC_LEARNABLE = 1, ACTC_COTANGENT = 2, ACTC_OUTPUT = 3 } actc_role;

typedef struct actc_argument {
    const char *name; /* lives as long as the kernel */
    actc_role role;
    actc_dtype dtype;
} actc_argument;

/* The arrays that the kernel takes, in the order of its C signature. */
ACTC_API size_t actc_kernel_argument_count(const actc_kernel *kernel);
ACTC_API actc_status actc_kernel_argument(const actc_kernel *kernel, size_t index, actc_argument *out);

/* The function itself: for an elementwise kernel `void f(size_t n, const T *input, …, T *output, …)`, n elements each,
 * arrays contiguous; output and input may be the same array but not overlap otherwise. Lives as long as the kernel. */
typedef void actc_function(void);
ACTC_API actc_function *actc_kernel_function(const actc_kernel *kernel);

/* A tensor, laid out as DLPack's DLTensor (and the same type, where its header was included before). */
#ifdef DLPACK_DLPACK_H_
typedef DLTensor actc_tensor;
#else
typedef struct actc_tensor {
    void *data;
    struct {
        int32_t device_type; /* 1: CPU */
        int32_t device_id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code; /* 2: float */
        uint8_t bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape;   /* ndim sizes */
    int64_t *strides; /* in elements; NULL: row-major and contiguous */
    uint64_t byte_offset;
} actc_tensor;
#endif

/* Runs the kernel on checked tensors, `count` = actc_kernel_argument_count, in that order. Inputs broadcast against each
 * other as in NumPy, strides are honoured; outputs must have the broadcast shape, gradients their input's. Arrays of
 * outputs may be those of inputs of the same layout but must not overlap otherwise. */
ACTC_API actc_status actc_kernel_run(const actc_kernel *kernel, const actc_tensor *const *arguments, size_t count,
                                     actc_diagnostics **diagnostics);

/* ---- ahead of time ---- */

/* What can be made of functions: a C file, its header, or code for a machine. */
typedef enum actc_format {
    ACTC_FORMAT_C = 0,
    ACTC_FORMAT_HEADER = 1,
    ACTC_FORMAT_OBJECT = 2,
    ACTC_FORMAT_ASSEMBLY = 3,
    ACTC_FORMAT_LLVM = 4,
    ACTC_FORMAT_BITCODE = 5
} actc_format;

typedef struct actc_emit_options {
    size_t size;                  /* sizeof(actc_emit_options) */
    const char *const *functions; /* as for actc_kernel_compile */
    size_t function_count;        /* 0: all that the module's text defines */
    const actc_kind *kinds;       /* one C function for each of these of each function */
    size_t kind_count;            /* 0: forward */
    actc_dtype dtype;
    const actc_setting *settings; /* of params of the one function, if there is only one */
    size_t setting_count;
    const char *name;             /* what to call the one function, if there is only one; NULL: its own name */
    const char *prefix;           /* before every C name; NULL: none */
    const char *base;             /* the file's name without an ending: of the header that the C file includes */
    const char *target;           /* a triple such as "aarch64-linux-gnu"; NULL: this machine */
    const char *cpu;              /* a processor; several, separated by commas, in one object that chooses when it is
                                   * loaded; NULL: this machine's, or the target's plainest */
} actc_emit_options;

typedef struct actc_bytes {
    char *data; /* ends in a NUL that is not counted */
    size_t size;
} actc_bytes;

/* Makes the text or the object of all functions. C and headers need no code generator. The bytes are the caller's, to be
 * ended with actc_bytes_release. */
ACTC_API actc_status actc_emit(actc_module *module, actc_format format, const actc_emit_options *options,
                               actc_bytes *out, actc_diagnostics **diagnostics);
ACTC_API void actc_bytes_release(actc_bytes *bytes); /* NULL is fine */

/* ---- experimental: may change in any release ---- */

/* What a stage made of a function: "ast", "graph", "stable", "grad", "expanded", "plan", "llvm", "asm" or "c". The text
 * is the
 * caller's, to be ended with actc_text_release. */
ACTC_API actc_status actc_show(actc_module *module, const char *function, const char *stage,
                               const actc_kernel_options *options, char **text, actc_diagnostics **diagnostics);

/* The derivative with respect to the input `wrt` (NULL: the first), of the given order, as one expression of the language
 * that can be parsed again, or as LaTeX. Params are rounded to `options`' type; f64 where that is NULL. */
ACTC_API actc_status actc_derive(actc_module *module, const char *function, const char *wrt, unsigned order, int latex,
                                 const actc_kernel_options *options, char **text, actc_diagnostics **diagnostics);

/* The value and the derivatives up to `order` with respect to each input, at a point: one setting for each input. Computed
 * in high precision and rounded once to `options`' type (f64 where that is NULL): lines `y = 0.5`, `dy/dx = 0.25`,
 * `d2y/dx2 = 0`. */
ACTC_API actc_status actc_eval(actc_module *module, const char *function, const actc_setting *inputs, size_t input_count,
                               unsigned order, const actc_kernel_options *options, char **text,
                               actc_diagnostics **diagnostics);

/* A text of definitions in canonical form, with its comments. It must parse; its names need not mean anything. */
ACTC_API actc_status actc_format_text(actc_context *ctx, const char *name, const char *text, size_t length, char **out,
                                      actc_diagnostics **diagnostics);
ACTC_API void actc_text_release(char *text); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
