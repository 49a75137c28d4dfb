/* The mathematics: a typed, hash-consed expression graph and the passes over it, in the order in
 * which data flows.
 *
 * A Graph lives in an arena. Nodes are immutable, made once for each (operation, arguments), and
 * numbered so that arguments come before their users: ascending ids are a topological order. A pass
 * makes new nodes in the same graph and points the outputs at them; what is no longer reachable
 * from an output is simply not visited again. */
#ifndef ACTC_IR_H
#define ACTC_IR_H

#include <mpfr.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/diag.h"
#include "base/intern.h"

/* ---- types ---- */

/* The last two are of elements in memory only: a kernel computes with them in f32, so no node has
 * such a type. */
typedef enum { TYPE_BOOL, TYPE_I32, TYPE_I64, TYPE_F32, TYPE_F64, TYPE_F16, TYPE_BF16 } Type;

static inline bool type_is_float(Type t) { return t == TYPE_F32 || t == TYPE_F64; }
static inline bool type_is_half(Type t) { return t == TYPE_F16 || t == TYPE_BF16; }
/* What elements of this type are computed in. */
static inline Type type_arithmetic(Type t) { return type_is_half(t) ? TYPE_F32 : t; }
static inline bool type_is_int(Type t) { return t == TYPE_I32 || t == TYPE_I64; }

typedef enum {
#define PRIM(id, name, sig, props, d0, d1, d2) OP_##id,
#define EXPAND                                 PRIM
#include "ops.def"
#undef PRIM
#undef EXPAND
    OP_COUNT
} Op;

typedef enum {
#define STAGE(id, name, is_graph) STAGE_##id,
#include "stages.def"
#undef STAGE
    STAGE_COUNT
} Stage;

/* Axes of a graph, one bit each; bit 0 is `..`, all the others of an array. An empty set is a
 * scalar. */
typedef uint32_t AxisSet;
enum { AXES_REST = 1u };

typedef struct Node Node;
struct Node {
    uint16_t op;  /* Op */
    uint8_t type; /* Type */
    uint8_t nargs;
    uint32_t id;   /* index into Graph.nodes */
    AxisSet axes;  /* those on which the value depends */
    uint32_t attr; /* VAR: index into Graph.vars; reductions, ELEMENTS, INDEX: their AxisSet */
    Node *arg[3];
    /* CONST only. `num` is the exact real value (256 bits; NULL for integers and conditions),
     * `bits` its encoding rounded to `type`, or the integer. `form`, if there is one, is how it
     * came about (sqrt(2/pi)): for people. */
    mpfr_ptr num;
    uint64_t bits;
    const Node *form;
    Node *next; /* in the hash table */
};

/* A named axis; bit i + 1 of an AxisSet stands for Graph.axes[i]. */
typedef struct {
    const char *name;
    uint64_t size; /* 0: it comes with the call */
} NamedAxis;
enum { MAX_AXES = 31 };

/* Kinds of variables in the order in which kernels take them. */
typedef enum { VAR_PARAM, VAR_INPUT, VAR_LEARN, VAR_COTANGENT } VarKind;

typedef struct {
    const char *name;
    VarKind kind;
    Node *node;
    uint8_t order[MAX_AXES + 1]; /* its axes from the outermost: bit numbers, of which 0 is `..` */
    uint8_t rank;                /* how many there are */
    Node *init;                  /* of a learnable: what it begins with, a constant; or NULL */
} Var;

typedef struct {
    const char *name;
    Node *node;
    AxisSet axes; /* those of the array, of which the value may lack some */
    uint8_t order[MAX_AXES + 1], rank; /* as of Var */
} Output;

typedef struct {
    Arena *arena;
    const char *name; /* of the function */
    Type real;        /* what the kernel computes in */
    Type storage;     /* of its arrays: `real`, or a half that is computed in it */
    bool expanded;    /* constants are rounded to their type and folded as the machine computes */
    int simplifying;  /* simplify.c: how deep it is in identities */
    const struct Rules *rules; /* rewrite.c: the table, read for this graph's type */
    Node **nodes;
    size_t nnodes, nodes_cap;
    Node **table;
    size_t table_cap;
    NamedAxis *axes; /* in order of first appearance */
    size_t naxes, axes_cap;
    Var *vars; /* declared order within a kind */
    size_t nvars, vars_cap;
    Output *outs;
    size_t nouts, outs_cap;
} Graph;

/* ---- ops.c: what ops.def says ---- */

typedef struct {
    const char *name;
    const char *signature;
    uint8_t nargs;
    bool prim, commutative, strict;
    const char *derivative[3];
} OpInfo;

extern const OpInfo op_info[OP_COUNT];
/* The operation of that name, or OP_COUNT. */
Op op_by_name(const char *name);

/* A number of the given precision on the stack: nothing to clear, so nothing leaks when the arena
 * jumps out. */
#define NUMBER_TEMP(v, precision)                                                                  \
    mp_limb_t v##_limbs[(precision) / 32 + 1];                                                     \
    mpfr_t v;                                                                                      \
    number_init(v, v##_limbs, (precision))

static inline void number_init(mpfr_ptr v, void *limbs, mpfr_prec_t precision) {
    mpfr_custom_init(limbs, precision);
    mpfr_custom_init_set(v, MPFR_ZERO_KIND, 0, precision, limbs);
}

/* ---- graph.c: making nodes ---- */

Graph *graph_new(Arena *arena, const char *name, Type real);
/* Its axes in the order of the graph's. */
Node *graph_var(Graph *g, VarKind kind, const char *name, Type type, AxisSet axes);
/* Its axes in the order given: names, of which ".." is the rest. */
Node *graph_array(Graph *g, VarKind kind, const char *name, Type type, const AxisSet *order,
                  size_t rank);
/* `axes` are those of the array; without them, as an elementwise function's. */
void graph_output_over(Graph *g, const char *name, Node *value, AxisSet axes);
void graph_output(Graph *g, const char *name, Node *value);
/* With the layout of this variable: its gradient. */
void graph_output_like(Graph *g, const char *name, Node *value, const Var *like);
/* Takes variables of that kind that no output needs away. */
void graph_drop_unused(Graph *g, VarKind kind);
/* A new axis, as a set of one; 0 where there are MAX_AXES already. */
AxisSet graph_axis(Graph *g, const char *name, uint64_t size);

/* Arguments beyond the operation's count are NULL. Types must fit the signature (asserted). Where
 * all arguments are constants the result is one: exact (256 bits) before expansion, as the machine
 * computes after it. */
Node *graph_op(Graph *g, Op op, Node *a, Node *b, Node *c);
/* SUM, PROD, LARGEST, SMALLEST or IFIRST over `axes`; those that `a` does not have count as that
 * many equal elements. */
Node *graph_reduce(Graph *g, Op op, Node *a, AxisSet axes);
Node *graph_elements(Graph *g, Type type, AxisSet axes);
Node *graph_index(Graph *g, Type type, AxisSet axes);
/* The node that n, which has arguments, is with others: what a pass makes of it. */
Node *graph_like(Graph *g, const Node *n, Node *const arg[3]);
static inline bool op_is_reduction(Op op) { return op >= OP_SUM && op <= OP_IFIRST; }

/* Constants. A float constant is exact until expansion; `graph_number` copies v. */
enum { NUMBER_BITS = 256 };
Node *graph_number(Graph *g, Type type, mpfr_srcptr v);
Node *graph_float(Graph *g, Type type, double v);
Node *graph_int(Graph *g, Type type, int64_t v);
Node *graph_bool(Graph *g, bool v);
Node *graph_bad(Graph *g, Type type);
/* Whether all arrays that are more than a number have the same axes, and nothing is reduced. */
bool graph_is_elementwise(const Graph *g);
/* What the outputs need, by node id: one flag for each node there is now. */
bool *graph_needed(const Graph *g);

static inline bool node_is_const(const Node *n) { return n->op == OP_CONST; }
/* A float constant of exactly this value; 0 also matches -0 only if `v` is that zero. */
bool node_is(const Node *n, double v);

/* ---- fold.c: one operation on constants ---- */

/* r = op(args) in MPFR at r's precision; false if the operation has no real meaning. Conditions are
 * 0 and 1. */
bool fold_real(Op op, mpfr_ptr r, mpfr_srcptr a, mpfr_srcptr b, mpfr_srcptr c);
/* The encoding of v rounded to nearest in `type` (a float type or a half), subnormals and overflow
 * included; and back. */
uint64_t fold_encode(mpfr_srcptr v, Type type);
void fold_decode(mpfr_ptr v, uint64_t bits, Type type);
/* A PRIM operation on encoded values exactly as every backend must compute it; `type` is the
 * result's, `from` the first argument's. */
uint64_t fold_bits(Op op, Type type, Type from, const uint64_t arg[3]);

/* ---- print.c, latex.c, read.c: the text form ---- */

/* Prints `name(vars) = body where t1 = …`; nodes used more than once get a name. Several outputs:
 * `= (y = …, dx = …)`. What is printed reads back to the same graph: a float is a short decimal, or
 * how it came about (sqrt(2/pi)), or f32(0.1) for the nearest f32, or hexadecimal. */
void graph_print(const Graph *g, Buf *out);
/* One expression over the variables of g in the language's own syntax, with `where` for what occurs
 * several times. Constants that are neither short nor came about simply print with as many digits
 * as matter. */
void node_print(const Graph *g, const Node *n, Buf *out);
/* The shortest decimal of at most `most` digits that reads back to |v|: exactly where `type` is
 * TYPE_BOOL, else when both are rounded to that type. */
bool print_shortest(Buf *out, mpfr_srcptr v, size_t most, Type type);
/* The same as LaTeX, without surrounding dollars. */
void node_print_latex(const Graph *g, const Node *n, Buf *out);
/* Reads what graph_print printed. NULL and a message at `*error` (static text; `*at` the byte) for
 * anything else. */
Graph *graph_read(Arena *arena, const char *text, Type real, const char **error, size_t *at);

/* An expression in which names are bound by the caller, `where` may bind more, simplified as it is
 * built: for derivatives and rules. */
typedef struct {
    const char *name;
    Node *node;
} Binding;
Node *graph_read_expr(Graph *g, const char *text, const Binding *bindings, size_t n,
                      const char **error, size_t *at);

/* ---- verify.c ---- */

/* NULL, or what is wrong: types, argument order, and what `stage` promises (after STAGE_EXPANDED
 * only PRIM rows and constants that their types can hold). */
const char *graph_verify(const Graph *g, Stage stage);

/* ---- simplify.c: algebra that changes neither the value nor an edge ---- */

/* As graph_op, after local identities (x*1, x+0, --x, …). */
Node *simplify_op(Graph *g, Op op, Node *a, Node *b, Node *c);
/* As graph_like, after local identities. */
Node *simplify_like(Graph *g, const Node *n, Node *const arg[3]);
/* Whether a NaN in `cause` always makes `n` NaN. */
bool node_carries_nan(const Node *n, const Node *cause);
/* The different floats that a condition compares, constants left out: appended to the n of `out`;
 * returns the new count, which may exceed `cap`. */
size_t condition_operands(const Node *condition, const Node **out, size_t n, size_t cap);
/* Whether each NaN that the condition compares makes `value` NaN anyway. */
bool nodes_carry_condition(const Node *condition, const Node *value);

/* ---- rewrite.c: the table rules.def, to a fixed point ---- */

typedef void RewriteTrace(void *user, const Graph *g, const char *rule, const Node *before,
                          const Node *after);
/* Rewrites the outputs into stable forms; returns how many rules fired. `late`: nothing will be
 * differentiated any more, so forms that only serve the value may come in too. `trace` may be NULL.
 */
size_t rewrite_graph(Graph *g, bool late, RewriteTrace *trace, void *user);
/* The table as patterns for graphs of this type. They are only read from then on, so Graph.rules of
 * many graphs, in any thread, may point to them; a graph that has none gets its own. */
const struct Rules *rules_new(Arena *arena, Type real);
/* stop(a) becomes a, custom(v, x, d) becomes v: where nothing is to be differentiated any more, but
 * people are to read it. */
void drop_overrides(Graph *g);
/* Why a rule that a trace named is good. */
const char *rule_why(const char *name);
/* The table, for its tests: the name of a rule, its two sides over the variables a, b and c, and
 * the condition under which they are the same, which may be empty. */
size_t rule_count(void);
const char *rule_at(size_t index, const char **left, const char **right, const char **domain);

/* ---- exponentials.c ---- */

/* A part of rewrite_graph: quotients of polynomials in an exponential, which have names however
 * they are spelled. */
size_t rewrite_exponentials(Graph *g, bool late, RewriteTrace *trace, void *user);

/* ---- diff.c: gradients ---- */

/* The derivative of the (float) node y with respect to each of the n nodes, elementwise: reverse
 * mode with seed 1. A condition becomes a path, not a factor: what is not on the path never meets
 * the value. */
void diff_reverse(Graph *g, Node *y, Node *const *wrt, Node **d, size_t n);
/* The vector-Jacobian product of y, whose array has `axes`, with the cotangent dy: for each of the
 * n variables the sum of dy*(dy/dx) over the axes that x does not have. */
void diff_adjoint(Graph *g, Node *y, AxisSet axes, Node *dy, Node *const *wrt, Node **d, size_t n);
/* For the only output, y: adds a cotangent dy and outputs dx for each input and learnable; keeps y
 * only if `keep_value`. */
void diff_backward(Graph *g, bool keep_value);
/* After diff_backward without the value: its vector-Jacobian product. Adds a cotangent ddx for each
 * output dx, and gives d_x = sum of ddx*(d dx/d x) for each input and learnable x and for dy. */
void diff_backward2(Graph *g);

/* ---- limits.c: infinity times what vanishes ---- */

/* Makes products like x*sigmoid(x) give their limits at infinite arguments, where that is 0; after
 * differentiation. */
void limit_products(Graph *g);
/* Limits of whatever else would be NaN at an infinity of its only variable; the last thing before
 * expansion. */
void limit_ends(Graph *g);

/* ---- compensate.c: what functions amplify ---- */

/* Products with what vanishes before they do, like x*sigmoid(x), keep their bits there; before the
 * last rewrite_graph. */
void split_tails(Graph *g);
/* Functions that amplify the rounding error of their argument get it, too; after it. */
void compensate_arguments(Graph *g);

/* ---- promote.c ---- */

/* Computes a graph over f32 in f64, rounding each output once; before expansion. */
void promote_graph(Graph *g);

/* ---- expand.c, expand/: operations into primitives ---- */

/* Rounds constants to their types and rewrites every EXPAND row; sets g->expanded. */
void expand_graph(Graph *g);

/* ---- eval.c: plain evaluation, the reference of tests ---- */

/* An expanded graph, prepared for evaluation at many points; lives in the graph's arena. */
typedef struct {
    const Graph *graph;
    const Node **order;
    size_t count;
    uint64_t *values;
} Evaluator;
void eval_prepare(Evaluator *e, const Graph *g);
/* Values of the outputs at one point: `vars[i]` is the encoding of g->vars[i], `outs[i]` gets that
 * of g->outs[i]; every operation is computed by fold_bits. */
void eval_bits(Evaluator *e, const uint64_t *vars, uint64_t *outs);
/* The outputs of a graph that is not expanded, in MPFR; vars and outs are initialised by the
 * caller. */
void eval_real(const Graph *g, const mpfr_srcptr *vars, const mpfr_ptr *outs,
               mpfr_prec_t precision);

/* ---- enclose.c: intervals that hold the exact values ---- */

typedef enum {
    INTERVAL_REAL,  /* lo <= v <= hi; a point that is infinite, where the formula has a pole */
    INTERVAL_EXP,   /* v = sign*exp(u), lo <= u <= hi; where sign is 0, |v| <= exp(hi) */
    INTERVAL_TRUTH, /* of a condition: may_hold, may_fail */
    INTERVAL_NAN,   /* it is NaN */
    INTERVAL_ANY    /* nothing is known */
} IntervalKind;

typedef struct {
    uint8_t kind;
    int8_t sign;
    bool may_hold, may_fail;
    bool of_nan; /* the condition compares a NaN */
    mpfr_t lo, hi;
    void *limbs[2];
} Interval;

/* What some nodes of a graph need, prepared for evaluation at many points. It belongs to one
 * thread; the graph is only read. */
typedef struct {
    Arena *arena;
    const Graph *graph;
    const Node **order;
    size_t count;
    Interval **values; /* by node id; NULL for what is not needed */
    Interval temp[6];
    mpfr_prec_t precision, room;
    bool constants; /* are in place for this precision */
} Encloser;
void enclose_prepare(Encloser *e, Arena *arena, const Graph *g, Node *const *roots, size_t n);
/* Intervals for all nodes that the roots need; `vars[i]` is the value of g->vars[i]. */
void enclose_at(Encloser *e, const mpfr_srcptr *vars, mpfr_prec_t precision);

/* ---- plan.c: what a kernel is ---- */

typedef enum {
    KERNEL_FORWARD,
    KERNEL_BACKWARD,
    KERNEL_FORWARD_BACKWARD,
    KERNEL_BACKWARD2
} KernelKind;

typedef struct {
    const char *name;
    Type type;    /* of the elements; of a param the type it is passed in */
    VarKind kind; /* of a variable; not for outputs */
    bool output;
    uint32_t index; /* into Graph.vars or Graph.outs */
} PlanArg;

/* One node to compute: a load for a variable, an operation else; constants have no steps. Steps
 * stand in topological order; those under a GUARD's slow edge that nothing else needs stand in that
 * guard's block, which is computed only where it is entered. */
typedef enum {
    STEP_COMPUTE,
    STEP_BUFFER, /* from the output `slot`, where an earlier pass has put it */
    STEP_SAVED   /* a reduction of an earlier nest: Plan.saved[slot] */
} StepFrom;
typedef struct PlanBlock PlanBlock;
typedef struct {
    const Node *node;
    const PlanBlock *slow; /* GUARD only: what must be computed before its slow value */
    StepFrom from;
    uint32_t slot;
} PlanStep;
struct PlanBlock {
    PlanStep *steps;
    size_t count, cap;
};

/* What a pass stores for each element: a value in the array Plan.args[arg]. */
typedef struct {
    const Node *node;
    uint32_t arg;
} PlanStore;

/* A run of axes that everything treats as one, so that one loop does for them. */
typedef struct {
    AxisSet axes;
} PlanGroup;

/* A size in the signature: of all axes that `..` stands for, or of one that the call decides. */
typedef struct {
    const char *name;
    AxisSet axis;
} PlanSize;

/* One loop over the inner group. */
typedef struct {
    PlanBlock before; /* for each element of the outer groups, in front of this loop */
    PlanBlock body;
    const Node **reductions; /* that are complete behind this loop */
    size_t nreductions;
    PlanStore *stores; /* outputs, and values that a later pass reads back (STEP_BUFFER) */
    size_t nstores;
} PlanPass;

/* Loops over the outer groups, from the outermost, and in them one loop after the other over the
 * inner group. Lanes of vectors are elements of the inner group or, with `across`, of the last outer
 * one. */
typedef struct {
    PlanBlock uniform; /* once, in front of everything */
    uint8_t *outer;    /* groups */
    size_t nouter;
    uint8_t inner;
    bool across;
    PlanPass *passes;
    size_t npasses;
    PlanBlock after; /* for each element of the outer groups, behind the last loop */
    PlanStore *stores;
    size_t nstores;
    uint32_t *saved; /* of Plan.saved: reductions of this nest for later ones */
    size_t nsaved;
} PlanNest;

typedef struct {
    const char *symbol; /* elu_forward */
    KernelKind kind;
    const Graph *graph; /* expanded */
    PlanArg *args; /* the kernel's pointers in the order of the C signature, behind the sizes and
                      run-time params */
    size_t nargs;
    PlanArg *params; /* run-time params */
    size_t nparams;
    PlanSize *sizes; /* what the signature begins with */
    size_t nsizes;
    PlanGroup *groups; /* in the order of the axes */
    size_t ngroups;
    PlanNest *nests;
    size_t nnests;
    const Node **saved; /* each an array over the outer groups of its nest in the workspace */
    size_t nsaved;
    /* Of an elementwise kernel, which is one nest of one pass over one group: */
    bool elementwise;
    PlanBlock uniform; /* computed once for a call: depends on no axis */
    PlanBlock loop;    /* computed for every element */
} Plan;

/* Whether something is saved that is more than a number. */
bool plan_needs_workspace(const Plan *p);
/* Splits reductions over several axes that not everything in the graph treats as one, from the
 * innermost outwards; in front of plan_make. */
void plan_split(Graph *g);
Plan *plan_make(Graph *g, KernelKind kind, const char *symbol);
void plan_print(const Plan *p, Buf *out);

#endif
