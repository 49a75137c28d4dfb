/* Makes nodes: each (operation, arguments) once, typed by the operation's signature, constants
 * folded. */
#include <assert.h>
#include <string.h>

#include "ir.h"

Graph *graph_new(Arena *arena, const char *name, Type real) {
    Graph *g = ARENA_NEW(arena, Graph);
    *g = (Graph){.arena = arena,
                 .name = arena_strdup(arena, name),
                 .real = real,
                 .storage = real,
                 .table_cap = 256};
    g->table = ARENA_ARRAY(arena, Node *, g->table_cap);
    return g;
}

/* ---- hash-consing ---- */

static uint64_t hash_number(mpfr_srcptr v) {
    if (!mpfr_regular_p(v))
        return mpfr_nan_p(v) ? 1 : (mpfr_inf_p(v) ? 2 : 4) + (mpfr_signbit(v) != 0);
    const mpfr_exp_t e = mpfr_get_exp(v);
    const uint64_t h = hash_bytes(&e, sizeof e, (uint64_t)(mpfr_signbit(v) != 0));
    return hash_bytes(mpfr_custom_get_significand(v), mpfr_custom_get_size(mpfr_get_prec(v)), h);
}

static uint64_t hash_node(const Node *n) {
    uint64_t key[6] = {n->op, n->type, n->attr, n->num ? hash_number(n->num) : n->bits};
    uint64_t ids[3] = {0};
    for (int i = 0; i < n->nargs; i++) ids[i] = n->arg[i]->id + 1u;
    if (op_info[n->op].commutative && ids[0] > ids[1]) { /* a + b and b + a are one node */
        const uint64_t t = ids[0];
        ids[0] = ids[1];
        ids[1] = t;
    }
    key[4] = ids[0] << 32 | ids[1];
    key[5] = ids[2];
    return hash_bytes(key, sizeof key, 0);
}

static bool same_number(mpfr_srcptr a, mpfr_srcptr b) {
    if (mpfr_nan_p(a) || mpfr_nan_p(b)) return mpfr_nan_p(a) && mpfr_nan_p(b);
    return mpfr_equal_p(a, b) && !mpfr_signbit(a) == !mpfr_signbit(b);
}

static bool same_node(const Node *a, const Node *b) {
    if (a->op != b->op || a->type != b->type || a->attr != b->attr) return false;
    if (a->op == OP_CONST)
        return a->num ? b->num && same_number(a->num, b->num) : !b->num && a->bits == b->bits;
    if (op_info[a->op].commutative && a->arg[0] == b->arg[1] && a->arg[1] == b->arg[0] &&
        a->arg[2] == b->arg[2])
        return true;
    return a->arg[0] == b->arg[0] && a->arg[1] == b->arg[1] && a->arg[2] == b->arg[2];
}

static void grow_table(Graph *g) {
    const size_t cap = g->table_cap * 2;
    Node **table = ARENA_ARRAY(g->arena, Node *, cap);
    for (size_t i = 0; i < g->table_cap; i++)
        for (Node *n = g->table[i], *next; n; n = next) {
            next = n->next;
            const size_t at = hash_node(n) & (cap - 1);
            n->next = table[at];
            table[at] = n;
        }
    g->table = table;
    g->table_cap = cap;
}

/* A node like this one, whether there is one or not. `like->num` is copied. */
static Node *make_node(Graph *g, const Node *like) {
    if (g->nnodes > g->table_cap) grow_table(g);
    const size_t at = hash_node(like) & (g->table_cap - 1);
    Node *n = ARENA_NEW(g->arena, Node);
    *n = *like;
    if (like->num) {
        const mpfr_prec_t p = mpfr_get_prec(like->num);
        n->num = arena_alloc(g->arena, sizeof *n->num);
        void *limbs = arena_alloc(g->arena, mpfr_custom_get_size(p));
        number_init(n->num, limbs, p);
        mpfr_set(n->num, like->num, MPFR_RNDN);
    }
    n->id = (uint32_t)g->nnodes;
    n->next = g->table[at];
    g->table[at] = n;
    *ARENA_PUSH(g->arena, g->nodes, g->nnodes, g->nodes_cap) = n;
    return n;
}

/* The node equal to `like`, made now if there is none. */
static Node *intern_node(Graph *g, const Node *like) {
    for (Node *n = g->table[hash_node(like) & (g->table_cap - 1)]; n; n = n->next)
        if (same_node(n, like)) return n;
    return make_node(g, like);
}

/* ---- leaves ---- */

AxisSet graph_axis(Graph *g, const char *name, uint64_t size) {
    if (g->naxes == MAX_AXES) return 0;
    *ARENA_PUSH(g->arena, g->axes, g->naxes, g->axes_cap) =
        (NamedAxis){arena_strdup(g->arena, name), size};
    return (AxisSet)1 << g->naxes;
}

Node *graph_array(Graph *g, VarKind kind, const char *name, Type type, const AxisSet *order,
                  size_t rank) {
    Node like = {.op = OP_VAR, .type = (uint8_t)type, .attr = (uint32_t)g->nvars};
    Var v = {.name = arena_strdup(g->arena, name), .kind = kind, .rank = (uint8_t)rank};
    for (size_t i = 0; i < rank; i++) {
        while (order[i] >> v.order[i] != 1) v.order[i]++;
        like.axes |= order[i];
    }
    v.node = make_node(g, &like); /* one for each variable, also where others were dropped */
    *ARENA_PUSH(g->arena, g->vars, g->nvars, g->vars_cap) = v;
    return v.node;
}

Node *graph_var(Graph *g, VarKind kind, const char *name, Type type, AxisSet axes) {
    AxisSet order[MAX_AXES + 1];
    size_t rank = 0;
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (axes & (AxisSet)1 << bit) order[rank++] = (AxisSet)1 << bit;
    return graph_array(g, kind, name, type, order, rank);
}

void graph_output_over(Graph *g, const char *name, Node *value, AxisSet axes) {
    assert((value->axes & ~axes) == 0);
    *ARENA_PUSH(g->arena, g->outs, g->nouts, g->outs_cap) =
        (Output){.name = arena_strdup(g->arena, name), .node = value, .axes = axes};
    Output *out = &g->outs[g->nouts - 1];
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (axes >> bit & 1) out->order[out->rank++] = (uint8_t)bit;
}

void graph_output_like(Graph *g, const char *name, Node *value, const Var *like) {
    const Var layout = *like; /* of an array that may move */
    graph_output_over(g, name, value, layout.node->axes);
    Output *out = &g->outs[g->nouts - 1];
    memcpy(out->order, layout.order, sizeof out->order);
    out->rank = layout.rank;
}

void graph_output(Graph *g, const char *name, Node *value) {
    graph_output_over(g, name, value, value->axes ? value->axes : AXES_REST);
}

Node *graph_number(Graph *g, Type type, mpfr_srcptr v) {
    assert(type_is_float(type));
    NUMBER_TEMP(exact, NUMBER_BITS);
    const uint64_t bits = fold_encode(v, type);
    if (g->expanded)
        fold_decode(exact, bits, type);
    else
        mpfr_set(exact, v, MPFR_RNDN);
    const Node like = {.op = OP_CONST, .type = (uint8_t)type, .num = exact, .bits = bits};
    return intern_node(g, &like);
}

Node *graph_float(Graph *g, Type type, double v) {
    NUMBER_TEMP(x, 53);
    mpfr_set_d(x, v, MPFR_RNDN);
    return graph_number(g, type, x);
}

Node *graph_int(Graph *g, Type type, int64_t v) {
    assert(type_is_int(type));
    const uint64_t bits = type == TYPE_I32 ? (uint32_t)v : (uint64_t)v;
    const Node like = {.op = OP_CONST, .type = (uint8_t)type, .bits = bits};
    return intern_node(g, &like);
}

Node *graph_bool(Graph *g, bool v) {
    const Node like = {.op = OP_CONST, .type = TYPE_BOOL, .bits = v};
    return intern_node(g, &like);
}

Node *graph_bad(Graph *g, Type type) {
    const Node like = {.op = OP_BAD, .type = (uint8_t)type};
    return intern_node(g, &like);
}

bool node_is(const Node *n, double v) {
    if (n->op != OP_CONST || !n->num || mpfr_nan_p(n->num)) return false;
    return mpfr_cmp_d(n->num, v) == 0 && (v != 0 || !mpfr_signbit(n->num) == !(1 / v < 0));
}

/* ---- operations ---- */

static Type integer_of(Type t) { return t == TYPE_F32 ? TYPE_I32 : TYPE_I64; }
static Type float_of(Type t) { return t == TYPE_I32 ? TYPE_F32 : TYPE_F64; }

/* The result's type by the signature of ops.def; asserts that the arguments fit it. */
static Type result_type(Op op, Node *const arg[3], int nargs) {
    const char *sig = op_info[op].signature;
    Type f = TYPE_BOOL, i = TYPE_BOOL, x = TYPE_BOOL;
    bool has_f = false, has_i = false;
    for (int k = 0; k < nargs; k++) {
        const Type t = arg[k]->type;
        switch (sig[k + 1]) {
        case 'f':
            assert(type_is_float(t) && (!has_f || f == t));
            f = t;
            has_f = true;
            break;
        case 'i':
            assert(type_is_int(t) && (!has_i || i == t));
            i = t;
            has_i = true;
            break;
        case 'x':
            assert(k == 0 || sig[k] != 'x' || x == t);
            x = t;
            break;
        case 'b':
            assert(t == TYPE_BOOL);
            break;
        case 'w':
            assert(t == TYPE_F64);
            break;
        case 'l':
            assert(t == TYPE_I64);
            break;
        default:
            assert(!"a signature of ops.def");
        }
    }
    switch (sig[0]) {
    case 'f':
        return has_f ? f : has_i ? float_of(i) : TYPE_F32;
    case 'i':
        return has_i ? i : has_f ? integer_of(f) : TYPE_I32;
    case 'x':
        return x;
    case 'w':
        return TYPE_F64;
    case 'l':
        return TYPE_I64;
    default:
        return TYPE_BOOL;
    }
}

/* What an argument is to fold_real: its number, or its truth as 0 or 1. */
static mpfr_srcptr number_of(const Node *n, mpfr_ptr truth) {
    if (!n) return NULL;
    if (n->num) return n->num;
    mpfr_set_ui(truth, (unsigned long)(n->bits & 1), MPFR_RNDN);
    return truth;
}

/* Beyond this a constant prints as its digits: that says more. */
enum { DEEPEST_FORM = 4 };

static Node *fold_exact(Graph *g, Op op, Type type, Node *const arg[3]) {
    NUMBER_TEMP(r, NUMBER_BITS);
    NUMBER_TEMP(t0, 2);
    NUMBER_TEMP(t1, 2);
    NUMBER_TEMP(t2, 2);
    if (!fold_real(op, r, number_of(arg[0], t0), number_of(arg[1], t1), number_of(arg[2], t2)))
        return NULL;
    if (type == TYPE_BOOL) return graph_bool(g, !mpfr_zero_p(r));
    const size_t before = g->nnodes;
    Node *n = graph_number(g, type, r);
    uint32_t depth = 1; /* a form's attr is its depth */
    for (int k = 0; k < op_info[op].nargs; k++)
        if (arg[k]->form && arg[k]->form->attr >= depth) depth = arg[k]->form->attr + 1;
    if (g->nnodes > before &&
        depth <= DEEPEST_FORM) { /* new: how it came about, as a node outside the table */
        Node *form = ARENA_NEW(g->arena, Node);
        *form = (Node){.op = (uint16_t)op,
                       .type = (uint8_t)type,
                       .nargs = op_info[op].nargs,
                       .attr = depth,
                       .arg = {arg[0], arg[1], arg[2]}};
        n->form = form;
    }
    return n;
}

static Node *fold_machine(Graph *g, Op op, Type type, Node *const arg[3]) {
    uint64_t v[3] = {0};
    for (int k = 0; k < 3; k++)
        if (arg[k]) v[k] = arg[k]->bits;
    const uint64_t bits = fold_bits(op, type, (Type)arg[0]->type, v);
    if (type == TYPE_BOOL) return graph_bool(g, bits != 0);
    if (type_is_int(type)) return graph_int(g, type, (int64_t)bits);
    NUMBER_TEMP(r, 53);
    fold_decode(r, bits, type);
    return graph_number(g, type, r);
}

Node *graph_op(Graph *g, Op op, Node *a, Node *b, Node *c) {
    Node *const arg[3] = {a, b, c};
    const int nargs = op_info[op].nargs;
    assert(op > OP_BAD && op < OP_COUNT && !op_is_reduction(op));
    bool constant = true;
    AxisSet axes = 0;
    const Type type = result_type(op, arg, nargs);
    for (int k = 0; k < nargs; k++) {
        if (arg[k]->op == OP_BAD) return graph_bad(g, type);
        constant = constant && node_is_const(arg[k]);
        axes |= arg[k]->axes;
    }
    for (int k = nargs; k < 3; k++) assert(!arg[k]);
    if (constant) {
        if (g->expanded) {
            if (op_info[op].prim) return fold_machine(g, op, type, arg);
        } else {
            Node *n = fold_exact(g, op, type, arg);
            if (n) return n;
        }
    }
    const Node like = {.op = (uint16_t)op,
                       .type = (uint8_t)type,
                       .nargs = (uint8_t)nargs,
                       .axes = axes,
                       .arg = {a, b, c}};
    return intern_node(g, &like);
}

void graph_drop_unused(Graph *g, VarKind kind) {
    const bool *needed = graph_needed(g);
    size_t kept = 0;
    for (size_t i = 0; i < g->nvars; i++) {
        if (g->vars[i].kind == kind && !needed[g->vars[i].node->id]) continue;
        g->vars[i].node->attr = (uint32_t)kept; /* variables are not looked up in the table */
        g->vars[kept++] = g->vars[i];
    }
    g->nvars = kept;
}

Node *graph_elements(Graph *g, Type type, AxisSet axes) {
    NUMBER_TEMP(n, NUMBER_BITS);
    mpfr_set_ui(n, 1, MPFR_RNDN);
    AxisSet open = axes & AXES_REST;
    for (size_t i = 0; i < g->naxes; i++)
        if (axes & (AxisSet)2 << i) {
            if (g->axes[i].size)
                mpfr_mul_ui(n, n, (unsigned long)g->axes[i].size, MPFR_RNDN);
            else
                open |= (AxisSet)2 << i;
        }
    Node *fixed = graph_number(g, type, n);
    if (!open) return fixed;
    const Node like = {.op = OP_ELEMENTS, .type = (uint8_t)type, .attr = open};
    Node *count = intern_node(g, &like);
    return open == axes ? count : graph_op(g, OP_MUL, fixed, count, NULL);
}

Node *graph_index(Graph *g, Type type, AxisSet axes) {
    assert(type_is_int(type));
    const Node like = {.op = OP_INDEX, .type = (uint8_t)type, .axes = axes, .attr = axes};
    return intern_node(g, &like);
}

Node *graph_reduce(Graph *g, Op op, Node *a, AxisSet axes) {
    assert(op_is_reduction(op));
    if (a->op == OP_BAD) return a;
    const AxisSet absent = axes & ~a->axes;
    Node *n = a;
    if (axes & a->axes) {
        const Node like = {.op = (uint16_t)op,
                           .type = a->type,
                           .nargs = 1,
                           .axes = a->axes & ~axes,
                           .attr = axes & a->axes,
                           .arg = {a}};
        n = intern_node(g, &like);
    }
    if (!absent || (op != OP_SUM && op != OP_PROD)) return n;
    Node *times = graph_elements(g, (Type)a->type, absent);
    return graph_op(g, op == OP_SUM ? OP_MUL : OP_POW, n, times, NULL);
}

Node *graph_like(Graph *g, const Node *n, Node *const arg[3]) {
    if (op_is_reduction((Op)n->op)) return graph_reduce(g, (Op)n->op, arg[0], n->attr);
    return graph_op(g, (Op)n->op, arg[0], arg[1], arg[2]);
}

bool *graph_needed(const Graph *g) {
    bool *needed = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < g->nouts; i++) needed[g->outs[i].node->id] = true;
    for (size_t i = g->nnodes; i-- > 0;)
        if (needed[i])
            for (int k = 0; k < g->nodes[i]->nargs; k++) needed[g->nodes[i]->arg[k]->id] = true;
    return needed;
}

bool graph_is_elementwise(const Graph *g) {
    const bool *needed = graph_needed(g);
    const AxisSet axes = g->nouts ? g->outs[0].axes : AXES_REST;
    for (size_t i = 0; i < g->nouts; i++)
        if (g->outs[i].axes != axes) return false;
    for (size_t i = 0; i < g->nvars; i++)
        if (g->vars[i].node->axes && g->vars[i].node->axes != axes) return false;
    for (size_t i = 0; i < g->nnodes; i++)
        if (needed[i] && (op_is_reduction((Op)g->nodes[i]->op) || g->nodes[i]->op == OP_ELEMENTS ||
                          g->nodes[i]->op == OP_INDEX))
            return false;
    return true;
}
