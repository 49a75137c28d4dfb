/* Kernels with reductions: the plan's nests as loops over vectors.
 *
 * Scalar loops run over the groups; the innermost loop of a pass takes one vector of elements of
 * the lane group: the inner group, or `across` the last outer one, of which one vector at a time is
 * worked on. The last vector is masked. What has no lane group is the same in every lane.
 *
 * The 64 lanes of a row's reduction are an array on the stack; a block of rows has one vector
 * across. Blocks are added pairwise, as docs/architecture.md says. */
#include <stdlib.h>
#include <string.h>

#include "llvm.h"

enum { LANES = 64, ROW_BLOCK = 4096, COLUMN_BLOCK = 1024, LEVELS = 54 };

struct Nests {
    LLVMValueRef at[MAX_AXES + 1],
        size[MAX_AXES + 1];          /* of each group: where its loop is, and its size */
    LLVMValueRef axis[MAX_AXES + 1]; /* by bit: the size of an axis */
    LLVMValueRef *saved;             /* by slot: an array, or a variable on the stack */
    int lane_group;                  /* -1: none, outside the vector loops */
    LLVMValueRef left; /* elements of the lane group from the first lane on, at most `lanes` */
    LLVMValueRef mask;
};

static LLVMValueRef constant(const Build *b, uint64_t v) { return LLVMConstInt(b->index, v, 0); }

static LLVMValueRef multiply(Build *b, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildMul(b->at, x, y, "");
}

static unsigned bytes_of(Type type) {
    return type == TYPE_F64 || type == TYPE_I64 ? 8 : type_is_half(type) ? 2 : 4;
}

/* ---- loops ---- */

typedef struct {
    LLVMBasicBlockRef head, exit;
    LLVMValueRef i, step;
} Loop;

/* for (i = from; i < to; i += step) { */
static Loop begin_loop(Build *b, LLVMValueRef from, LLVMValueRef to, LLVMValueRef step) {
    Loop l = {.head = LLVMAppendBasicBlockInContext(b->context, b->function, "head"), .step = step};
    LLVMBasicBlockRef body = LLVMAppendBasicBlockInContext(b->context, b->function, "body"),
                      before = LLVMGetInsertBlock(b->at);
    l.exit = LLVMAppendBasicBlockInContext(b->context, b->function, "exit");
    LLVMBuildBr(b->at, l.head);
    LLVMPositionBuilderAtEnd(b->at, l.head);
    l.i = LLVMBuildPhi(b->at, b->index, "");
    LLVMAddIncoming(l.i, &from, &before, 1);
    LLVMBuildCondBr(b->at, LLVMBuildICmp(b->at, LLVMIntULT, l.i, to, ""), body, l.exit);
    LLVMPositionBuilderAtEnd(b->at, body);
    return l;
}

/* } */
static void end_loop(Build *b, const Loop *l) {
    LLVMValueRef next = LLVMBuildAdd(b->at, l->i, l->step, "");
    LLVMBasicBlockRef from = LLVMGetInsertBlock(b->at);
    LLVMBuildBr(b->at, l->head);
    LLVMAddIncoming(l->i, &next, &from, 1);
    LLVMPositionBuilderAtEnd(b->at, l->exit);
}

static LLVMValueRef least(Build *b, LLVMValueRef x, LLVMValueRef y) {
    return LLVMBuildSelect(b->at, LLVMBuildICmp(b->at, LLVMIntULT, x, y, ""), x, y, "");
}

/* A variable in the entry block. */
static LLVMValueRef variable(Build *b, LLVMTypeRef type, unsigned count) {
    LLVMValueRef v =
        LLVMBuildArrayAlloca(b->before, type, LLVMConstInt(b->scalar[TYPE_I32], count, 0), "");
    LLVMSetAlignment(v, 16);
    return v;
}

static LLVMValueRef entry_of(Build *b, LLVMTypeRef type, LLVMValueRef array, LLVMValueRef i) {
    return LLVMBuildGEP2(b->at, type, array, &i, 1, "");
}

/* ---- places ---- */

static unsigned group_of_axis(const Plan *p, unsigned bit) {
    unsigned group = 0;
    while (!(p->groups[group].axes >> bit & 1)) group++;
    return group;
}

/* The element of an array with these axes at the place where the loops are; `*stride` is from lane
 * to lane, NULL where all lanes have the same element. */
static LLVMValueRef place(Build *b, const uint8_t *order, size_t rank, LLVMValueRef *stride) {
    const Plan *p = b->plan;
    LLVMValueRef at = NULL;
    *stride = NULL;
    for (size_t k = 0; k < rank;) {
        const unsigned group = group_of_axis(p, order[k]);
        if (*stride) *stride = multiply(b, *stride, b->nests->size[group]);
        if ((int)group == b->nests->lane_group) *stride = constant(b, 1);
        at = at ? LLVMBuildAdd(b->at, multiply(b, at, b->nests->size[group]), b->nests->at[group],
                               "")
                : b->nests->at[group];
        while (k < rank && group_of_axis(p, order[k]) == group) k++;
    }
    return at ? at : constant(b, 0);
}

static size_t ascending(AxisSet axes, uint8_t *order) {
    size_t rank = 0;
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (axes >> bit & 1) order[rank++] = (uint8_t)bit;
    return rank;
}

static bool is_one(LLVMValueRef v) {
    return LLVMIsAConstantInt(v) && LLVMConstIntGetZExtValue(v) == 1;
}

static bool can_mask(const Build *b, Type type) { return !type_is_half(type) || b->masks_halves; }

/* Copies the lanes that there are between an array and a vector on the stack, one by one. */
static void copy_lanes(Build *b, Type type, LLVMValueRef array, LLVMValueRef stride,
                       LLVMValueRef buffer, bool store) {
    LLVMTypeRef t = b->scalar[type];
    const Loop l = begin_loop(b, constant(b, 0), b->nests->left, constant(b, 1));
    LLVMValueRef far = entry_of(b, t, array, multiply(b, l.i, stride)),
                 near = entry_of(b, t, buffer, l.i);
    LLVMBuildStore(b->at, LLVMBuildLoad2(b->at, t, store ? near : far, ""), store ? far : near);
    end_loop(b, &l);
}

static LLVMValueRef load(Build *b, Type type, LLVMValueRef array, const uint8_t *order,
                         size_t rank) {
    LLVMValueRef stride, at = place(b, order, rank, &stride);
    LLVMValueRef p = entry_of(b, b->scalar[type], array, at), v;
    if (!stride) {
        LLVMValueRef one = LLVMBuildLoad2(b->at, b->scalar[type], p, "");
        LLVMSetAlignment(one, bytes_of(type));
        return op_splat(b, type, one);
    }
    if (is_one(stride) && can_mask(b, type)) {
        LLVMTypeRef types[] = {b->vector[type], b->pointer};
        LLVMValueRef args[] = {p, LLVMConstInt(b->scalar[TYPE_I32], bytes_of(type), 0),
                               b->nests->mask, LLVMConstNull(b->vector[type])};
        return op_intrinsic(b, "llvm.masked.load", types, 2, args, 4);
    }
    LLVMValueRef buffer = variable(b, b->vector[type], 1);
    LLVMSetAlignment(LLVMBuildStore(b->at, LLVMConstNull(b->vector[type]), buffer), 16);
    copy_lanes(b, type, p, stride, buffer, false);
    v = LLVMBuildLoad2(b->at, b->vector[type], buffer, "");
    LLVMSetAlignment(v, 16);
    return v;
}

static LLVMValueRef first_lane(Build *b, LLVMValueRef v) {
    return LLVMBuildExtractElement(b->at, v, LLVMConstInt(b->scalar[TYPE_I32], 0, 0), "");
}

static void store(Build *b, Type type, LLVMValueRef v, LLVMValueRef array, const uint8_t *order,
                  size_t rank) {
    LLVMValueRef stride, at = place(b, order, rank, &stride);
    LLVMValueRef p = entry_of(b, b->scalar[type], array, at);
    if (!stride) {
        LLVMSetAlignment(LLVMBuildStore(b->at, first_lane(b, v), p), bytes_of(type));
    } else if (is_one(stride) && can_mask(b, type)) {
        LLVMTypeRef types[] = {b->vector[type], b->pointer};
        LLVMValueRef args[] = {v, p, LLVMConstInt(b->scalar[TYPE_I32], bytes_of(type), 0),
                               b->nests->mask};
        op_intrinsic(b, "llvm.masked.store", types, 2, args, 4);
    } else {
        LLVMValueRef buffer = variable(b, b->vector[type], 1);
        LLVMSetAlignment(LLVMBuildStore(b->at, v, buffer), 16);
        copy_lanes(b, type, p, stride, buffer, true);
    }
}

static LLVMValueRef array_of(Build *b, uint32_t arg) {
    return LLVMGetParam(b->function, (unsigned)(b->plan->nsizes + b->plan->nparams + arg));
}

static LLVMValueRef load_arg(Build *b, uint32_t arg) {
    const Plan *p = b->plan;
    const PlanArg *a = &p->args[arg];
    const Graph *g = p->graph;
    const uint8_t *order = a->output ? g->outs[a->index].order : g->vars[a->index].order;
    const size_t rank = a->output ? g->outs[a->index].rank : g->vars[a->index].rank;
    LLVMValueRef v = load(b, a->type, array_of(b, arg), order, rank);
    return type_is_half(a->type) ? half_widen(b, a->type, v) : v;
}

static const char *store_arg(Build *b, const PlanStore *s) {
    const PlanArg *a = &b->plan->args[s->arg];
    const Output *o = &b->plan->graph->outs[a->index];
    LLVMValueRef v = build_value(b, s->node);
    if (!v)
        return backend_fail("internal error: an output is not computed in the plan of %.100s",
                            b->plan->symbol);
    if (type_is_half(a->type)) v = half_narrow(b, a->type, v);
    store(b, a->type, v, array_of(b, s->arg), o->order, o->rank);
    return NULL;
}

/* ---- steps that only nests have ---- */

/* 0, 1, 2, … in lanes of that type. */
static LLVMValueRef lane_numbers(const Build *b, Type type) {
    LLVMValueRef lane[64];
    for (unsigned i = 0; i < b->lanes; i++) lane[i] = LLVMConstInt(b->scalar[type], i, 0);
    return LLVMConstVector(lane, b->lanes);
}

static LLVMValueRef emit_index(Build *b, const Node *n) {
    uint8_t order[MAX_AXES + 1];
    LLVMValueRef stride, at = place(b, order, ascending(n->attr, order), &stride);
    LLVMTypeRef t = b->scalar[n->type];
    if (n->type == TYPE_I32) at = LLVMBuildTrunc(b->at, at, t, "");
    LLVMValueRef v = op_splat(b, n->type, at);
    if (!stride) return v;
    if (n->type == TYPE_I32) stride = LLVMBuildTrunc(b->at, stride, t, "");
    LLVMValueRef lanes =
        LLVMBuildMul(b->at, lane_numbers(b, n->type), op_splat(b, n->type, stride), "");
    return LLVMBuildAdd(b->at, v, lanes, "");
}

static LLVMValueRef product_of_sizes(Build *b, AxisSet axes) {
    LLVMValueRef all = NULL;
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (axes >> bit & 1)
            all = all ? multiply(b, all, b->nests->axis[bit]) : b->nests->axis[bit];
    return all ? all : constant(b, 1);
}

static LLVMValueRef load_saved(Build *b, uint32_t slot) {
    const Node *n = b->plan->saved[slot];
    uint8_t order[MAX_AXES + 1];
    return load(b, (Type)n->type, b->nests->saved[slot], order, ascending(n->axes, order));
}

LLVMValueRef nests_step(Build *b, const PlanStep *step) {
    const Node *n = step->node;
    if (step->from == STEP_BUFFER) return load_arg(b, step->slot);
    if (step->from == STEP_SAVED) return load_saved(b, step->slot);
    if (n->op == OP_INDEX) return emit_index(b, n);
    if (n->op == OP_ELEMENTS)
        return op_splat(
            b, n->type,
            LLVMBuildUIToFP(b->at, product_of_sizes(b, n->attr), b->scalar[n->type], ""));
    if (n->op != OP_VAR) return NULL;
    for (uint32_t k = 0; k < b->plan->nargs; k++)
        if (!b->plan->args[k].output && b->plan->args[k].index == n->attr) return load_arg(b, k);
    return NULL; /* a param */
}

/* ---- reductions ---- */

static uint64_t identity_bits(const Node *n) {
    const bool wide = n->type == TYPE_F64 || n->type == TYPE_I64;
    switch ((Op)n->op) {
    case OP_PROD:
        return wide ? 0x3ff0000000000000 : 0x3f800000;
    case OP_LARGEST:
        return wide ? 0xfff0000000000000 : 0xff800000;
    case OP_SMALLEST:
        return wide ? 0x7ff0000000000000 : 0x7f800000;
    case OP_IFIRST:
        return wide ? INT64_MAX : INT32_MAX;
    default:
        return 0;
    }
}

/* a and b, vectors or numbers, as the helper reduce.c.in joins them. */
static LLVMValueRef join(Build *b, const Node *n, LLVMValueRef x, LLVMValueRef y) {
    LLVMValueRef less;
    switch ((Op)n->op) {
    case OP_PROD:
        return LLVMBuildFMul(b->at, x, y, "");
    case OP_LARGEST:
    case OP_SMALLEST:
        less = LLVMBuildFCmp(b->at, n->op == OP_LARGEST ? LLVMRealOGT : LLVMRealOLT, y, x, "");
        less = LLVMBuildOr(b->at, less, LLVMBuildFCmp(b->at, LLVMRealUNO, y, y, ""), "");
        return LLVMBuildSelect(b->at, less, y, x, "");
    case OP_IFIRST:
        return LLVMBuildSelect(b->at, LLVMBuildICmp(b->at, LLVMIntULT, y, x, ""), y, x, "");
    default:
        return LLVMBuildFAdd(b->at, x, y, "");
    }
}

/* One reduction while its pass runs. */
typedef struct {
    const Node *node;
    LLVMTypeRef type;         /* of what blocks give: a number in a row, a vector across */
    LLVMValueRef lanes;       /* the accumulators */
    LLVMValueRef part, total; /* results of blocks that wait for others; the result */
} Reduction;

static void store16(Build *b, LLVMValueRef v, LLVMValueRef p) {
    LLVMSetAlignment(LLVMBuildStore(b->at, v, p), 4);
}

static LLVMValueRef load16(Build *b, LLVMTypeRef t, LLVMValueRef p) {
    LLVMValueRef v = LLVMBuildLoad2(b->at, t, p, "");
    LLVMSetAlignment(v, 4);
    return v;
}

static unsigned vectors_of(const Build *b, bool across) { return across ? 1 : LANES / b->lanes; }

static void reset(Build *b, const Reduction *r, bool across) {
    const Type t = (Type)r->node->type;
    for (unsigned u = 0; u < vectors_of(b, across); u++)
        store16(b, op_constant(b, t, identity_bits(r->node)),
                entry_of(b, b->vector[t], r->lanes, constant(b, u)));
}

/* acc[slot] = join(acc[slot], value), where the mask holds. */
static void accumulate(Build *b, const Reduction *r, LLVMValueRef value, LLVMValueRef slot) {
    const Type t = (Type)r->node->type;
    LLVMValueRef p = entry_of(b, b->vector[t], r->lanes, slot);
    LLVMValueRef old = load16(b, b->vector[t], p);
    store16(b, LLVMBuildSelect(b->at, b->nests->mask, join(b, r->node, old, value), old, ""), p);
}

/* The 64 lanes by halving. */
static LLVMValueRef join_lanes(Build *b, const Reduction *r) {
    const Type t = (Type)r->node->type;
    LLVMValueRef acc[LANES], places[64];
    unsigned count = vectors_of(b, false);
    for (unsigned u = 0; u < count; u++)
        acc[u] = load16(b, b->vector[t], entry_of(b, b->vector[t], r->lanes, constant(b, u)));
    for (count /= 2; count; count /= 2)
        for (unsigned u = 0; u < count; u++) acc[u] = join(b, r->node, acc[u], acc[u + count]);
    for (unsigned half = b->lanes / 2; half; half /= 2) {
        for (unsigned i = 0; i < b->lanes; i++)
            places[i] = LLVMConstInt(b->scalar[TYPE_I32], (i + half) % b->lanes, 0);
        LLVMValueRef other = LLVMBuildShuffleVector(b->at, acc[0], LLVMGetPoison(b->vector[t]),
                                                    LLVMConstVector(places, b->lanes), "");
        acc[0] = join(b, r->node, acc[0], other);
    }
    return first_lane(b, acc[0]);
}

/* if (condition) { … } else { … } is three blocks that the caller fills: then, otherwise, join. */
typedef struct {
    LLVMBasicBlockRef yes, no, after;
} Fork;

static Fork fork(Build *b, LLVMValueRef condition) {
    Fork f = {LLVMAppendBasicBlockInContext(b->context, b->function, "yes"),
              LLVMAppendBasicBlockInContext(b->context, b->function, "no"),
              LLVMAppendBasicBlockInContext(b->context, b->function, "after")};
    LLVMBuildCondBr(b->at, condition, f.yes, f.no);
    LLVMPositionBuilderAtEnd(b->at, f.yes);
    return f;
}

static LLVMValueRef bit_set(Build *b, LLVMValueRef blocks, LLVMValueRef level) {
    LLVMValueRef bit =
        LLVMBuildAnd(b->at, LLVMBuildLShr(b->at, blocks, level, ""), constant(b, 1), "");
    return LLVMBuildICmp(b->at, LLVMIntNE, bit, constant(b, 0), "");
}

/* After the first `blocks` blocks one more: as a binary counter adds. */
static void add_block(Build *b, const Reduction *r, LLVMValueRef value, LLVMValueRef blocks) {
    LLVMBasicBlockRef head = LLVMAppendBasicBlockInContext(b->context, b->function, "carry"),
                      body = LLVMAppendBasicBlockInContext(b->context, b->function, "carried"),
                      exit = LLVMAppendBasicBlockInContext(b->context, b->function, "placed"),
                      before = LLVMGetInsertBlock(b->at);
    LLVMBuildBr(b->at, head);
    LLVMPositionBuilderAtEnd(b->at, head);
    LLVMValueRef level = LLVMBuildPhi(b->at, b->index, ""), v = LLVMBuildPhi(b->at, r->type, "");
    LLVMBuildCondBr(b->at, bit_set(b, blocks, level), body, exit);
    LLVMPositionBuilderAtEnd(b->at, body);
    LLVMValueRef sum =
        join(b, r->node, load16(b, r->type, entry_of(b, r->type, r->part, level)), v);
    LLVMValueRef next = LLVMBuildAdd(b->at, level, constant(b, 1), ""), zero = constant(b, 0);
    LLVMBuildBr(b->at, head);
    LLVMAddIncoming(level, &zero, &before, 1);
    LLVMAddIncoming(v, &value, &before, 1);
    LLVMAddIncoming(level, &next, &body, 1);
    LLVMAddIncoming(v, &sum, &body, 1);
    LLVMPositionBuilderAtEnd(b->at, exit);
    store16(b, v, entry_of(b, r->type, r->part, level));
}

/* What the waiting results give together, from the lowest level up; blocks > 0. */
static LLVMValueRef join_parts(Build *b, const Reduction *r, LLVMValueRef blocks) {
    LLVMTypeRef flag = b->scalar[TYPE_BOOL];
    LLVMValueRef lowest_args[] = {blocks, LLVMConstInt(flag, 1, 0)};
    LLVMValueRef lowest = op_intrinsic(b, "llvm.cttz", &b->index, 1, lowest_args, 2);
    LLVMValueRef first = load16(b, r->type, entry_of(b, r->type, r->part, lowest));
    LLVMValueRef result = r->total;
    store16(b, first, result);
    const Loop l = begin_loop(b, LLVMBuildAdd(b->at, lowest, constant(b, 1), ""),
                              constant(b, LEVELS), constant(b, 1));
    Fork f = fork(b, bit_set(b, blocks, l.i));
    LLVMValueRef part = load16(b, r->type, entry_of(b, r->type, r->part, l.i));
    store16(b, join(b, r->node, part, load16(b, r->type, result)), result);
    LLVMBuildBr(b->at, f.after);
    LLVMPositionBuilderAtEnd(b->at, f.no);
    LLVMBuildBr(b->at, f.after);
    LLVMPositionBuilderAtEnd(b->at, f.after);
    end_loop(b, &l);
    return load16(b, r->type, result);
}

/* ---- passes ---- */

static void set_mask(Build *b, LLVMValueRef from, LLVMValueRef to) {
    LLVMTypeRef i32 = b->scalar[TYPE_I32];
    struct Nests *t = b->nests;
    t->left = least(b, LLVMBuildSub(b->at, to, from, ""), constant(b, b->lanes));
    LLVMValueRef count = op_splat(b, TYPE_I32, LLVMBuildTrunc(b->at, t->left, i32, ""));
    t->mask = LLVMBuildICmp(b->at, LLVMIntULT, lane_numbers(b, TYPE_I32), count, "mask");
}

static const char *missing(const Build *b) {
    return backend_fail(
        "internal error: a reduction's argument is not computed in the plan of %.100s",
        b->plan->symbol);
}

static const char *emit_body(Build *b, const PlanPass *pass, const Reduction *reductions,
                             LLVMValueRef slot) {
    const char *error = build_block(b, &pass->body);
    LLVMValueRef values[64];
    for (size_t i = 0; !error && i < pass->nstores && i < 64; i++) {
        values[i] =
            build_value(b, pass->stores[i].node); /* all are computed before one is written */
        if (!values[i]) error = missing(b);
    }
    for (size_t i = 0; !error && i < pass->nreductions; i++) {
        LLVMValueRef v = build_value(b, pass->reductions[i]->arg[0]);
        if (!v) return missing(b);
        accumulate(b, &reductions[i], v, slot);
    }
    for (size_t i = 0; !error && i < pass->nstores; i++) error = store_arg(b, &pass->stores[i]);
    return error;
}

/* The elements from `from` to `to` of the inner group. */
static const char *emit_range(Build *b, const PlanNest *nest, const PlanPass *pass,
                              const Reduction *reductions, LLVMValueRef from, LLVMValueRef to) {
    struct Nests *t = b->nests;
    const Loop l = begin_loop(b, from, to, constant(b, nest->across ? 1 : b->lanes));
    t->at[nest->inner] = l.i;
    LLVMValueRef slot = constant(b, 0);
    if (!nest->across) {
        t->lane_group = nest->inner;
        set_mask(b, l.i, to);
        LLVMValueRef lane = LLVMBuildAnd(b->at, l.i, constant(b, LANES - 1), "");
        slot = LLVMBuildUDiv(b->at, lane, constant(b, b->lanes), "");
    }
    const char *error = emit_body(b, pass, reductions, slot);
    if (error) return error;
    if (!nest->across) t->lane_group = -1;
    end_loop(b, &l);
    return NULL;
}

static const char *emit_pass(Build *b, const PlanNest *nest, const PlanPass *pass) {
    struct Nests *t = b->nests;
    const bool across = nest->across;
    LLVMValueRef size = t->size[nest->inner], zero = constant(b, 0);
    const char *error = build_block(b, &pass->before);
    if (error || !pass->nreductions)
        return error ? error : emit_range(b, nest, pass, NULL, zero, size);
    Reduction *reductions = calloc(pass->nreductions, sizeof *reductions);
    if (!reductions) return backend_fail("out of memory");
    for (size_t i = 0; i < pass->nreductions; i++) {
        Reduction *r = &reductions[i];
        const Type type = (Type)pass->reductions[i]->type;
        *r = (Reduction){.node = pass->reductions[i],
                         .type = across ? b->vector[type] : b->scalar[type]};
        r->lanes = variable(b, b->vector[type], vectors_of(b, across));
        r->part = variable(b, r->type, LEVELS);
        r->total = variable(b, r->type, 1);
        LLVMValueRef none = op_constant(b, type, identity_bits(r->node));
        store16(b, across ? none : first_lane(b, none), r->total);
    }
    LLVMValueRef block = constant(b, across ? COLUMN_BLOCK : ROW_BLOCK);
    const Loop l = begin_loop(b, zero, size, block);
    for (size_t i = 0; i < pass->nreductions; i++) reset(b, &reductions[i], across);
    LLVMValueRef end =
        LLVMBuildAdd(b->at, l.i, least(b, LLVMBuildSub(b->at, size, l.i, ""), block), "");
    error = emit_range(b, nest, pass, reductions, l.i, end);
    if (!error) {
        /* one block is the result; of several each is added to those before it */
        LLVMValueRef only = LLVMBuildICmp(b->at, LLVMIntULE, size, block, "");
        LLVMValueRef *values = calloc(pass->nreductions, sizeof *values);
        if (!values) error = backend_fail("out of memory");
        for (size_t i = 0; !error && i < pass->nreductions; i++)
            values[i] = across ? load16(b, reductions[i].type, reductions[i].lanes)
                               : join_lanes(b, &reductions[i]);
        if (!error) {
            LLVMValueRef blocks = LLVMBuildUDiv(b->at, l.i, block, "");
            Fork f = fork(b, only);
            for (size_t i = 0; i < pass->nreductions; i++)
                store16(b, values[i], reductions[i].total);
            LLVMBuildBr(b->at, f.after);
            LLVMPositionBuilderAtEnd(b->at, f.no);
            for (size_t i = 0; i < pass->nreductions; i++)
                add_block(b, &reductions[i], values[i], blocks);
            LLVMBuildBr(b->at, f.after);
            LLVMPositionBuilderAtEnd(b->at, f.after);
            end_loop(b, &l);
            Fork several = fork(b, LLVMBuildICmp(b->at, LLVMIntUGT, size, block, ""));
            LLVMValueRef up = LLVMBuildSub(b->at, size, constant(b, 1), "");
            blocks = LLVMBuildAdd(b->at, LLVMBuildUDiv(b->at, up, block, ""), constant(b, 1), "");
            for (size_t i = 0; i < pass->nreductions; i++) join_parts(b, &reductions[i], blocks);
            LLVMBuildBr(b->at, several.after);
            LLVMPositionBuilderAtEnd(b->at, several.no);
            LLVMBuildBr(b->at, several.after);
            LLVMPositionBuilderAtEnd(b->at, several.after);
            for (size_t i = 0; i < pass->nreductions; i++) {
                LLVMValueRef v = load16(b, reductions[i].type, reductions[i].total);
                b->values[reductions[i].node->id] =
                    across ? v : op_splat(b, reductions[i].node->type, v);
            }
        }
        free(values);
    }
    free(reductions);
    return error;
}

/* ---- nests ---- */

static void save(Build *b, uint32_t slot) {
    const Node *n = b->plan->saved[slot];
    uint8_t order[MAX_AXES + 1];
    store(b, (Type)n->type, b->values[n->id], b->nests->saved[slot], order,
          ascending(n->axes, order));
}

static const char *emit_nest(Build *b, const PlanNest *nest) {
    struct Nests *t = b->nests;
    Loop loops[MAX_AXES + 1];
    const char *error = build_block(b, &nest->uniform);
    for (size_t i = 0; !error && i < nest->nouter; i++) {
        const uint8_t group = nest->outer[i];
        const bool lanes = nest->across && i == nest->nouter - 1;
        loops[i] = begin_loop(b, constant(b, 0), t->size[group], constant(b, lanes ? b->lanes : 1));
        t->at[group] = loops[i].i;
        if (lanes) {
            t->lane_group = group;
            set_mask(b, loops[i].i, t->size[group]);
        }
    }
    for (size_t k = 0; !error && k < nest->npasses; k++)
        error = emit_pass(b, nest, &nest->passes[k]);
    if (!error) error = build_block(b, &nest->after);
    for (size_t i = 0; !error && i < nest->nstores; i++) error = store_arg(b, &nest->stores[i]);
    for (size_t i = 0; !error && i < nest->nsaved; i++) save(b, nest->saved[i]);
    if (error) return error;
    t->lane_group = -1;
    for (size_t i = nest->nouter; i-- > 0;) end_loop(b, &loops[i]);
    return NULL;
}

static void read_sizes(Build *b) {
    const Plan *p = b->plan;
    struct Nests *t = b->nests;
    for (size_t i = 0; i < p->graph->naxes; i++)
        t->axis[i + 1] = constant(b, p->graph->axes[i].size);
    for (size_t i = 0; i < p->nsizes; i++) {
        unsigned bit = 0;
        while (!(p->sizes[i].axis >> bit & 1)) bit++;
        t->axis[bit] = LLVMGetParam(b->function, (unsigned)i);
    }
    for (size_t i = 0; i < p->ngroups; i++) t->size[i] = product_of_sizes(b, p->groups[i].axes);
}

static void place_saved(Build *b) {
    const Plan *p = b->plan;
    LLVMValueRef at = constant(b, 0);
    for (size_t i = 0; i < p->nsaved; i++) {
        const Node *n = p->saved[i];
        if (!n->axes) {
            b->nests->saved[i] = variable(b, b->scalar[n->type], 1);
            continue;
        }
        LLVMValueRef workspace = LLVMGetParam(b->function, LLVMCountParams(b->function) - 1);
        b->nests->saved[i] = entry_of(b, b->scalar[n->type], workspace, at);
        at = LLVMBuildAdd(b->at, at, product_of_sizes(b, n->axes), "");
    }
}

const char *nests_function(Build *b) {
    const Plan *p = b->plan;
    struct Nests t = {.lane_group = -1};
    t.saved = calloc(p->nsaved + 1, sizeof *t.saved);
    if (!t.saved) return backend_fail("out of memory");
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(b->context, b->function, "entry"),
                      start = LLVMAppendBasicBlockInContext(b->context, b->function, "start");
    b->nests = &t;
    LLVMPositionBuilderAtEnd(b->at, entry);
    LLVMPositionBuilderBefore(b->before, LLVMBuildBr(b->at, start));
    LLVMPositionBuilderAtEnd(b->at, start);
    read_sizes(b);
    place_saved(b);
    b->i = constant(b, 0); /* everything is in loops, also constants */
    const char *error = NULL;
    for (size_t i = 0; !error && i < p->nnests; i++) error = emit_nest(b, &p->nests[i]);
    if (!error) LLVMBuildRetVoid(b->at);
    b->i = NULL;
    b->nests = NULL;
    free(t.saved);
    return error;
}
