/* From text to a checked tree, and from the tree to a graph. The map of this folder, in the order
 * in which data flows:
 *
 *   text --parse.c (act.l, act.y, ast.c)--> definitions --resolve.c--> names bound --check.c,
 * axes.c--> checked --lower.c--> Graph
 *
 * `use` brings in other files, which sema.c loads through a Loader. A text is lexed as a whole, cut
 * where definitions begin, and each definition is parsed alone, so that a broken one spoils no
 * other. A tree is never deeper than LIMIT_DEPTH, which is what makes recursion over it safe. */
#ifndef ACTC_FRONTEND_H
#define ACTC_FRONTEND_H

#include <string.h>

#include "ir.h"

enum {
    LIMIT_TEXT = 16 << 20,     /* bytes of a text */
    LIMIT_DEPTH = 1000,        /* levels of parentheses, and of a tree */
    LIMIT_NAME = 200,          /* bytes of a name */
    LIMIT_NUMBER = 4000,       /* bytes of a number; a thousand digits are fine */
    LIMIT_EXPONENT = 16384,    /* |number| lies within 2^-this and 2^this */
    LIMIT_FREE = 1000,         /* inputs of an expression */
    LIMIT_AXES = 30,           /* names of axes in a definition */
    LIMIT_INLINE_DEPTH = 2000, /* levels of trees within trees when calls are written out */
    LIMIT_STEPS = 1000000,     /* tree nodes visited by a lowering */
    LIMIT_NODES = 100000,      /* graph nodes made by it */
    LIMIT_FILES = 100,         /* files brought in by `use` */
    LIMIT_FILE_DEPTH = 30      /* files that use files that use … */
};

/* ---- the tree ---- */

/* Bytes of the source of the definition; `end` is behind the last one. */
typedef struct {
    uint32_t begin, end;
} Span;

typedef struct Module Module; /* one checked text */
typedef struct Def Def;       /* one definition of it */
typedef struct Expr Expr;
typedef struct Call Call;
typedef struct Arg Arg;
typedef struct Axis Axis;

typedef enum {
#define OPERATOR(id, text, precedence) OPERATOR_##id,
#include "operators.def"
#undef OPERATOR
    OPERATOR_COUNT
} Operator;

/* What a name stands for; filled in by resolve.c. */
typedef enum {
    REF_NONE,     /* unknown, and reported */
    REF_LOCAL,    /* `slot`: inputs, then params, then `where` names */
    REF_DEF,      /* `def` */
    REF_OP,       /* `op`, an elementary function */
    REF_CONSTANT, /* `slot`: a Constant */
    REF_RANDOM,   /* `slot`: 0 uniform, 1 normal */
    REF_REDUCTION /* `slot`: a Reduction */
} RefKind;

typedef struct {
    RefKind kind;
    uint32_t slot;
    Op op;
    Def *def;
} Ref;

typedef enum { CONSTANT_PI, CONSTANT_E, CONSTANT_INF } Constant;
typedef enum {
    REDUCTION_SUM,
    REDUCTION_MEAN,
    REDUCTION_MAX,
    REDUCTION_MIN,
    REDUCTION_PROD
} Reduction;

typedef enum {
    EXPR_BAD,     /* stands for a mistake that has been reported */
    EXPR_NUMBER,  /* text */
    EXPR_TRUTH,   /* truth */
    EXPR_NAME,    /* text, ref */
    EXPR_UNARY,   /* op, arg[0] */
    EXPR_BINARY,  /* op, arg[0], arg[1] */
    EXPR_COMPARE, /* items[count], ops[count - 1]: a < b <= c */
    EXPR_COND,    /* arg[0] ? arg[1] : arg[2] */
    EXPR_CALL,    /* call: f(…) */
    EXPR_REDUCE,  /* call: sum[axes](…) */
    EXPR_PIPE /* items[count]: a → b → c; `op` is 1 where the first is a stage too, not a value */
} ExprKind;

struct Expr {
    uint8_t kind, op;
    uint16_t depth; /* levels below and with this one */
    Span span;
    union {
        struct {
            const char *text; /* interned; a number as it was written */
            Ref ref;
        };
        bool truth;
        Expr *arg[3];
        struct {
            Expr **items;
            uint8_t *ops;
            uint32_t count;
        };
        Call *call;
    };
};

struct Axis {
    const char *name; /* ".." for the rest, "*" for all */
    Span span;
    Axis *next;
};

struct Arg {
    const char *name; /* NULL: by its place */
    Span span;        /* of the name */
    bool param;       /* stands behind ';' or has a name */
    Expr *value;
    Arg *next;
};

struct Call {
    const char *name;
    Span name_span;
    Ref ref;
    Axis *axes; /* EXPR_REDUCE */
    Arg *args;
    bool semicolon; /* f(;…) or f(…;…) was written */
    bool stage; /* an operand of → that gets its first input from there; written without parentheses
                   if no args */
    /* For a definition: the value of each input and then of each param; NULL where the default
     * holds, or, in a stage, where the value flows in. Filled in by check.c. */
    Expr **bound;
    uint32_t *sizes; /* by check.c: of the axes of one with learnables, 0 where not given */
};

/* What a value is. Unknown is a param without a default, until its first use decides. */
typedef enum { KIND_UNKNOWN, KIND_NUMBER, KIND_CONDITION, KIND_BAD } Kind;

typedef struct {
    const char *name;
    Span span;
    Axis *axes; /* NULL: none written */
} Input;

typedef struct {
    const char *name;
    Span span;
    bool learn;
    Axis *axes;
    Expr *value; /* NULL: no default */
    Kind kind;   /* by check.c */
} Param;

/* `where name = value`, or `grad name = value`. */
typedef struct {
    const char *name;
    Span span;
    Expr *value;
    uint32_t slot; /* of a grad's input or learnable */
    bool meant;    /* of a grad: it stood in parentheses, and is not compared with the derivative */
} Local;

typedef struct {
    Def *def;
    Span span;
} Use;

/* An axis of a definition: one that it declares, in order of first appearance, or one that a call
 * in it brought along. */
typedef struct {
    const char *name;
    uint32_t size; /* 0 where the source does not fix it */
} DefAxis;

typedef enum { DEF_FUNCTION, DEF_PIPELINE, DEF_CONSTANT } DefKind;
typedef enum { DEF_NEW, DEF_ACTIVE, DEF_DONE } DefState;

struct Def {
    const char *name, *doc; /* doc: the text of its ## lines, or NULL */
    const Source *source;
    Span name_span, span;
    bool has_list;      /* name(…) = …, not name = … */
    bool bad;           /* has errors: uses of it are silent */
    uint8_t state;      /* DefState, for the order of checking */
    DefKind kind;       /* by check.c */
    const char *varies; /* by check.c: a learnable or random number in it; NULL: constant */
    Input *inputs;      /* of a pipeline, by check.c: those of its first stage, without slots */
    Param *params;
    Local *wheres, *grads;
    uint32_t ninputs, nparams, nwheres, ngrads;
    Expr *body;
    /* By axes.c: axis k is bit k + 1 of an AxisSet. */
    DefAxis *axes;
    uint32_t naxes, ndeclared;
    AxisSet result;    /* the axes of its value */
    bool loose, split; /* they are not known; `..` among them is not all that the inputs' is */
    uint8_t *tail;     /* the axes that what `..` stands for must end in, from the right */
    uint32_t ntail;
    const Def *before; /* the definition in front of it in the text */
    Use *uses;         /* the definitions named in it, by resolve.c */
    size_t nuses, uses_cap;
};

typedef struct {
    Def **items;
    size_t count, cap;
} DefList;

/* `use "path"`. */
typedef struct {
    const char *path; /* as written */
    const Source *source;
    Span span;
} FileUse;

typedef struct {
    FileUse *items;
    size_t count, cap;
    bool broken; /* there is a `use` that did not parse */
} Files;

struct Module {
    Arena *arena;
    Intern *names;
    const char *path; /* of its file, to be compared with others */
    const Module **
        used; /* where names are looked up next: what it uses, and what those use; the last first */
    size_t nused, used_cap;
    const Module *library; /* and then */
    bool active;           /* being loaded: who uses it now makes a circle */
    bool incomplete;       /* a file that it uses could not be read: an unknown name may be there */
    Files files;
    size_t at; /* of `files`: what is being loaded for it */
    DefList defs;
    Def **table; /* by name, open addressing; table_cap is a power of two */
    size_t table_cap;
};

/* Whether two names of trees are one; most are interned. */
static inline bool same(const char *a, const char *b) { return a == b || strcmp(a, b) == 0; }

/* ---- parse.c: text to definitions ---- */

/* Appends the definitions of the text and the files that it uses, in its order; mistakes are in
 * `diags`. */
void parse_text(Arena *arena, Intern *names, Diags *diags, const Source *source, DefList *out,
                Files *files);
/* One expression, perhaps with `where`, as the body of a definition without a name. NULL with a
 * diagnostic. */
Def *parse_expression(Arena *arena, Intern *names, Diags *diags, const Source *source);
/* Where a range of a source is in these diagnostics; adds the source if they do not have it. */
Loc source_loc(Diags *diags, const Source *source, Span span);

/* ---- ast.c: making and printing trees ---- */

/* The tree in canonical source form, for `show --stage=ast`. */
void def_print(const Def *d, Buf *out);
void expr_print(const Expr *e, Buf *out);
/* Parts of it: `name(inputs; params) =`, `grad x = e`. */
void def_print_head(const Def *d, Buf *out);
void grad_print(const Local *g, Buf *out);
void axes_print(const Axis *axes, Buf *out); /* [.., d], or nothing */
/* A name as the tree has it: Greek letters in ASCII. */
char *name_ascii(Arena *arena, const char *name);
/* For messages: 'name', in quotes, or "the expression". */
const char *def_called(const Def *d, Arena *arena);

/* ---- fmt.c: a text in canonical form ---- */

/* The whole text with its comments; false with diagnostics where it does not parse. Names need not
 * mean anything. */
bool frontend_format(Arena *arena, Intern *names, Diags *diags, Source text, Buf *out);

/* ---- elementary.c: the names that the language itself has ---- */

/* An elementary function, a constant, a random number or a reduction (by `call`: what f(…) can
 * mean, else what a plain name can). REF_NONE if it is none. */
Ref elementary_find(const char *name, bool call);
/* Whether a definition is the library's own of an elementary function, which has no params. */
bool elementary_is(const Def *d);
/* Whether it is a reduction in front of [axes](…); max and min are so there. */
bool elementary_reduction(const char *name, Reduction *out);
/* The value of a number as written, at the precision of v; false if it is beyond LIMIT_EXPONENT. */
bool number_value(const char *text, mpfr_ptr v);
/* How many arguments it takes; max is UINT32_MAX for min and max. */
void elementary_arity(Op op, uint32_t *min, uint32_t *max);
/* "; write 'log'" for the name of a function in other languages, or of a value; NULL if it is none.
 */
const char *elementary_foreign(const char *name, bool call);
/* As diag_nearer, over all these names. */
const char *elementary_nearer(const char *name, bool call, const char *best);

/* ---- resolve.c: names to what they stand for ---- */

/* Makes the module's table of its definitions, reporting those defined twice. */
void resolve_table(Module *m, Diags *diags);
/* Binds the names in a definition. With `free`, unknown names become inputs, in order of
 * appearance. */
void resolve_def(const Module *m, Arena *arena, Diags *diags, Def *d, bool free);
/* Makes a name or a call an operand of →; false if `e` is neither. */
bool resolve_stage(Arena *arena, Expr *e);
/* The definition that a name means in `m`, what it uses, or its libraries; NULL if none. The second
 * looks only in `m`. */
Def *module_find(const Module *m, const char *name);
Def *module_find_own(const Module *m, const char *name);
/* "; did you mean 'softplus'?" for the nearest function (or, not `call`, constant), or "". `best`
 * is the nearest among other candidates, or NULL. */
const char *module_hint(const Module *m, Arena *arena, const char *name, bool call,
                        const char *best);
/* Whether m uses `other`, perhaps through a file that it uses. */
bool module_uses(const Module *m, const Module *other);
/* The name in a slot, and where it is declared. */
const char *def_slot_name(const Def *d, uint32_t slot, Span *span);
/* The first slot of a param. */
static inline uint32_t def_first_param(const Def *d) { return d->has_list ? d->ninputs : 0; }
static inline uint32_t def_slots(const Def *d) {
    return def_first_param(d) + d->nparams + d->nwheres;
}

/* ---- check.c: one definition ---- */

/* After those that it uses; `d->bad` if there are mistakes. */
void check_def(const Module *m, Arena *arena, Diags *diags, Def *d);
/* Binds and checks a definition of which only the value matters: a constant of that kind for
 * `param`. */
bool check_constant(const Module *m, Arena *arena, Diags *diags, Def *d, Kind kind,
                    const char *param);

/* ---- grads.c: `grad` clauses against the derivative ---- */

/* Warns where an override is not the derivative that it stands in for, and does not seem to be
 * meant so: the body has a derivative there (it is not 0, as for round), the override is no
 * constant, and was not written in parentheses. */
void check_overrides(const Module *m, Diags *diags);

/* ---- shadow.c: names that hide others ---- */

/* Names of `other`, which m is about to use, that mean something else already. */
void shadow_uses(const Module *m, Diags *diags, const FileUse *use, const Module *other);
/* Definitions of m, and names in them, that hide others. */
void shadow_definitions(const Module *m, Diags *diags);

/* ---- sema.c: modules ---- */

/* Reads the file at `path` for `use`: its text, followed by a NUL, in the arena, or false and why
 * not (static text). */
typedef struct {
    bool (*read)(void *user, Arena *arena, const char *path, const char **text, size_t *len,
                 const char **why);
    void *user;
} Loader;

/* Parses and checks a text. Always gives a module; mistakes are in `diags`. `library` holds names
 * that this text may use and shadow (NULL for the library itself). What it uses is read through
 * `loader` (NULL: nothing can be), by paths relative to the source's name. Everything lives in
 * `arena`. */
Module *frontend_parse(Arena *arena, Intern *names, Diags *diags, Source source,
                       const Module *library, const Loader *loader);
size_t module_def_count(const Module *m);
const Def *module_def(const Module *m, size_t index); /* those of this text, in its order */
const char *def_name(const Def *d);                   /* "f" for an expression */

/* A module without definitions above `library`, which may be shared: `frontend_function` on it
 * writes into `arena` alone. */
Module *frontend_layer(Arena *arena, Intern *names, const Module *library);

/* What stands for NAME on the command line: a definition's name (of `m` or its library), a
 * pipeline, or an expression whose free names are its inputs in order of appearance. NULL with a
 * diagnostic where it is none of these, and without one where it uses a definition with errors. */
const Def *frontend_function(Module *m, Diags *diags, Source text);

/* ---- lower.c ---- */

/* A param's value as the user gave it (--set alpha=0.5); the value is a constant expression of the
 * language. */
typedef struct {
    const char *name, *value;
} Setting;

/* The function as a graph over `real` numbers: definitions inlined, constants folded, inputs and
 * learnables as variables in declared order, one output (named y, or z where an input has that
 * name). NULL with diagnostics. */
Graph *frontend_lower(Arena *arena, const Module *m, const Def *d, Type real,
                      const Setting *settings, size_t nsettings, Diags *diags);
/* The same, but an expression without inputs is a graph too: of a constant. */
Graph *frontend_lower_value(Arena *arena, const Module *m, const Def *d, Type real,
                            const Setting *settings, size_t nsettings, Diags *diags);

/* For check_overrides: the body without its `grad` clauses as the first output, then what each
 * clause gives, all for one element: inputs and learnables are scalars whatever their axes, and
 * reductions are refused. Params have their defaults (1/2 or true where there is none), or, with
 * `vary`, other values, which are appended to `params`. */
Graph *frontend_lower_overrides(Arena *arena, const Module *m, const Def *d, Type real, bool vary,
                                Buf *params, Diags *diags);

/* ---- std.c: examples/.act files, embedded by the build ---- */

size_t library_source_count(void);
Source library_source(size_t index);
/* All of them as one module. */
Module *frontend_library(Arena *arena, Intern *names, Diags *diags);

#endif
