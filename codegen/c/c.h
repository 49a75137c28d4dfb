/* C text from plans. The map of this folder. */
#ifndef ACTC_CODEGEN_C_H
#define ACTC_CODEGEN_C_H

#include "codegen.h"

/* ---- helpers.c: the files of helpers/, embedded by the build ---- */

/* Small functions that stand at the top of a file if a statement needs them; each is a real C file,
 * tested as one. */
typedef enum {
    HELPER_BITS_F32,
    HELPER_BITS_F64,
    HELPER_BF16,
    HELPER_F16,
    HELPER_REDUCE,
    HELPER_PRODUCT_64,
    HELPER_PRODUCT_F32,
    HELPER_PRODUCT_F64,
    HELPER_COUNT
} Helper;
const char *helper_text(Helper h);
/* What every file begins with: guards against contraction and options that change results. */
const char *preamble_text(void);

/* Reductions: operation and type. */
enum { REDUCTIONS = 10 };
/* What makes the functions of reductions that were used. */
void write_reductions(const bool *reduces, const bool *lanes, Buf *out);

/* ---- statements.c: one kernel's computation ---- */

typedef struct {
    const Plan *plan;
    const char **variables; /* the C name of each of graph->vars */
    const char *prefix;     /* of temporaries: no argument begins so, followed by a digit */
    uint32_t *temporaries;  /* for each node: 0, or the number of its temporary */
    uint32_t *uses;
    bool *added; /* for each node: its value may come to an addition, with which a product must not
                    fuse */
    bool helpers[HELPER_COUNT]; /* those that were used */
    bool reduces[REDUCTIONS], lanes[REDUCTIONS]; /* the kinds of reductions that were used */
    const char **texts; /* for each node: what stands for it, instead of a temporary; or NULL */
    bool name_all;      /* every step gets a temporary */
} Writer;

/* The argument's element `text`, as an expression in the type that is computed in; and the node's
 * value, in the type of the argument's elements. */
void write_load(Writer *w, const PlanArg *a, const char *text, Buf *out);
void write_store(Writer *w, const PlanArg *a, const Node *n, Buf *out);
/* Declarations and assignments of a block, indented; then an expression for a node that the block
 * has computed. */
void write_prologue(const Writer *w, int indent, Buf *out); /* what all blocks need */
void write_block(Writer *w, const PlanBlock *block, int indent, Buf *out);
/* As write_block, with temporaries numbered from *next, which moves on. */
void write_block_from(Writer *w, const PlanBlock *block, int indent, uint32_t *next, Buf *out);
void write_value(Writer *w, const Node *n, Buf *out);
/* A line of code, indented, broken where it is too long. */
void write_line(const char *line, int indent, Buf *out);
void writer_init(Writer *w, const Plan *plan, const char **variables);

/* ---- nests.c: kernels with reductions ---- */

/* The function's body, without braces. */
void write_nests(Writer *w, const char *const *names, Buf *out);

/* ---- names.c ---- */

const char *c_type(Type t);
/* The arguments' names as C identifiers that clash neither with each other nor with `n`: params,
 * then args. */
const char **c_argument_names(const Plan *p);
/* Those of its sizes, which clash with none of these. */
const char **c_size_names(const Plan *p, const char *const *names);
/* `void elu_forward(size_t n, const float *x, float *y)` without an end. */
void c_prototype(const Plan *p, const char *const *names, Buf *out);
/* A sentence about what the elements of uint16_t arrays are, with `indent` in front; nothing where
 * there are none. */
void c_halves_comment(const Plan *const *plans, size_t n, const char *indent, Buf *out);
/* Text inside a comment: no end of it, no trigraph or backslash at a line's end. */
void c_comment(const char *text, Buf *out);

#endif
