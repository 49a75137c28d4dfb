/* Gradients: reverse mode over the graph, with the derivatives of ops.def.
 *
 * A graph is cut where axes change: at reductions, at what they reduce, and at what is broadcast.
 * Between the cuts everything is elementwise, and one walk finds the derivatives of what is
 * computed there with respect to the cuts below it; the cotangent is multiplied last (dmul), so
 * that where a derivative is 0 the result is. The adjoint of a broadcast is a sum over the axes
 * that it adds, that of a sum a broadcast.
 *
 * Walking from the value back to the variables, each node collects contributions (path, adjoint). A
 * derivative of the form `c ? d : 0` does not become a factor: the condition joins the
 * contribution's path, and what arrives is d times the adjoint. Where paths meet, the sum is built
 * as nested conditions over what they do not share. So a branch that is not taken is chosen away,
 * never multiplied by 0, and cannot inject a NaN; and the cost stays linear. */
#include <assert.h>
#include <string.h>

#include "ir.h"

/* A conjunction of conditions, outermost first; each path is made once, so equal paths are equal
 * pointers. */
typedef struct Path Path;
struct Path {
    Path *parent;
    Node *condition;
    bool taken; /* the condition holds, or not */
    int depth;
    Path *next; /* another one that ends in this condition */
};

typedef struct Part Part;
struct Part {
    Path *path;
    Node *adjoint;
    Part *next; /* in the order in which they came */
};

typedef struct {
    Part *first, *last;
} Parts;

typedef struct {
    Graph *g;
    Path root;
    Parts *parts;  /* for each node */
    bool *depends; /* on a variable that matters */
    bool *target;  /* one of them */
    Path **ending; /* for each condition up to `count`: the paths that end in it */
    size_t count;
} Diff;

static Path *path_extend(Diff *d, Path *parent, Node *condition, bool taken) {
    while (condition->id >= d->count) { /* made by a derivative: room for it */
        const size_t more = d->count * 2 + 16;
        Path **ending = ARENA_ARRAY(d->g->arena, Path *, more);
        memcpy(ending, d->ending, d->count * sizeof *ending);
        d->ending = ending;
        d->count = more;
    }
    for (Path *p = d->ending[condition->id]; p; p = p->next)
        if (p->parent == parent && p->taken == taken) return p;
    Path *p = ARENA_NEW(d->g->arena, Path);
    *p = (Path){.parent = parent,
                .condition = condition,
                .taken = taken,
                .depth = parent->depth + 1,
                .next = d->ending[condition->id]};
    return d->ending[condition->id] = p;
}

static Path *path_at_depth(Path *p, int depth) {
    while (p->depth > depth) p = p->parent;
    return p;
}

static Path *path_common(Path *p, Path *q) {
    p = path_at_depth(p, q->depth);
    q = path_at_depth(q, p->depth);
    while (p != q) p = p->parent, q = q->parent;
    return p;
}

static void add_part(Diff *d, Parts *to, Path *path, Node *adjoint) {
    for (Part *p = to->first; p; p = p->next)
        if (p->path == path) {
            p->adjoint = simplify_op(d->g, OP_ADD, p->adjoint, adjoint, NULL);
            return;
        }
    Part *p = ARENA_NEW(d->g->arena, Part);
    *p = (Part){.path = path, .adjoint = adjoint};
    if (to->last)
        to->last->next = p;
    else
        to->first = p;
    to->last = p;
}

/* The sum of the parts as seen on the path `base`, which all of them extend; 0 off their paths. The
 * deepest part is lifted by one condition at a time, together with the part on the condition's
 * other side, until all are at the base. */
static Node *join(Diff *d, const Parts *parts, Path *base) {
    Graph *g = d->g;
    Parts all = {NULL, NULL};
    for (Part *p = parts->first; p; p = p->next) add_part(d, &all, p->path, p->adjoint);
    for (;;) {
        Part *deepest = all.first, *other = NULL;
        for (Part *p = all.first; p; p = p->next)
            if (p->path->depth > deepest->path->depth) deepest = p;
        Path *path = deepest->path;
        if (path == base) return deepest->adjoint;
        Parts rest = {NULL, NULL};
        for (Part *p = all.first; p; p = p->next) {
            if (p == deepest) continue;
            if (p->path->parent == path->parent && p->path->condition == path->condition)
                other = p;
            else
                add_part(d, &rest, p->path, p->adjoint);
        }
        Node *zero = graph_float(g, (Type)deepest->adjoint->type, 0);
        Node *here = deepest->adjoint, *there = other ? other->adjoint : zero;
        add_part(d, &rest, path->parent,
                 simplify_op(g, OP_COND, path->condition, path->taken ? here : there,
                             path->taken ? there : here));
        all = rest;
    }
}

static Node *local_derivative(Graph *g, Node *n, int k) {
    const Binding bindings[] = {{"a", n->arg[0]}, {"b", n->arg[1]}, {"c", n->arg[2]}, {"y", n}};
    const char *text = op_info[n->op].derivative[k], *error = NULL;
    size_t at;
    if (!*text) return NULL;
    Node *local = graph_read_expr(g, text, bindings, 4, &error, &at);
    assert(local && "a derivative of ops.def");
    return local;
}

static void propagate(Diff *d, Node *n, Path *path, Node *adjoint) {
    Graph *g = d->g;
    for (int k = 0; k < n->nargs; k++) {
        Node *arg = n->arg[k];
        if (!d->depends[arg->id]) continue;
        Node *local = local_derivative(g, n, k);
        if (!local || node_is(local, 0.0) || node_is(local, -0.0)) continue;
        Path *p = path;
        while (local->op == OP_COND) { /* `c ? d : 0` is a path */
            const bool no = node_is(local->arg[2], 0.0), yes = node_is(local->arg[1], 0.0);
            if (no == yes) break;
            p = path_extend(d, p, local->arg[0], no);
            local = local->arg[no ? 1 : 2];
        }
        add_part(d, &d->parts[arg->id], p, simplify_op(g, OP_MUL, adjoint, local, NULL));
    }
}

/* With `ends` the walk goes no further than the n nodes. */
static void reverse(Graph *g, Node *y, Node *const *wrt, Node **out, size_t n, bool ends) {
    Diff d = {.g = g};
    const size_t count = (size_t)y->id + 1;
    d.parts = ARENA_ARRAY(g->arena, Parts, count);
    d.depends = ARENA_ARRAY(g->arena, bool, count);
    d.target = ARENA_ARRAY(g->arena, bool, count);
    d.ending = ARENA_ARRAY(g->arena, Path *, count);
    d.count = count;
    for (size_t i = 0; i < n; i++) {
        out[i] = graph_float(g, (Type)y->type, 0);
        if (wrt[i]->id >= count) continue;
        d.depends[wrt[i]->id] = true;
        d.target[wrt[i]->id] = ends;
    }
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < g->nodes[i]->nargs; k++)
            if (d.depends[g->nodes[i]->arg[k]->id] && type_is_float((Type)g->nodes[i]->type))
                d.depends[i] = true;
    add_part(&d, &d.parts[y->id], &d.root, graph_float(g, (Type)y->type, 1));
    for (size_t i = count; i-- > 0;) {
        Parts *parts = &d.parts[i];
        if (!parts->first) continue;
        for (size_t w = 0; w < n; w++)
            if (wrt[w]->id == i) out[w] = join(&d, parts, &d.root);
        Path *path = parts->first->path;
        for (Part *p = parts->first->next; p; p = p->next) path = path_common(path, p->path);
        if (d.depends[i] && (!d.target[i] || g->nodes[i] == y))
            propagate(&d, g->nodes[i], path, join(&d, parts, path));
    }
}

void diff_reverse(Graph *g, Node *y, Node *const *wrt, Node **out, size_t n) {
    reverse(g, y, wrt, out, n, false);
}

/* ---- between the cuts ---- */

typedef struct {
    Graph *g;
    bool *matters; /* by node: depends on a variable that is asked for */
    bool *cut;     /* the walk from above ends here */
    Node **adjoint;
    size_t count;
} Adjoints;

static void add_adjoint(Adjoints *a, const Node *to, Node *part) {
    Node **sum = &a->adjoint[to->id];
    *sum = *sum ? simplify_op(a->g, OP_ADD, *sum, part, NULL) : part;
}

/* Where axes change. */
static void find_cuts(Adjoints *a) {
    const Graph *g = a->g;
    for (size_t i = 0; i < a->count; i++) {
        const Node *n = g->nodes[i];
        if (!a->matters[i]) continue;
        if (op_is_reduction((Op)n->op)) a->cut[i] = true;
        for (int k = 0; k < n->nargs; k++)
            if (a->matters[n->arg[k]->id] && n->arg[k]->axes != n->axes)
                a->cut[n->arg[k]->id] = true;
    }
}

/* The first place along the axes where the reduced value is reached. */
static Node *is_first(Graph *g, Node *n) {
    Node *value = n->arg[0];
    const Type t = (Type)value->type == TYPE_F32 ? TYPE_I32 : TYPE_I64;
    Node *index = graph_index(g, t, n->attr);
    Node *reached = simplify_op(g, OP_EQ, value, n, NULL);
    Node *beyond = graph_int(g, t, t == TYPE_I32 ? INT32_MAX : INT64_MAX);
    Node *place = simplify_op(g, OP_SELECT, reached, index, beyond);
    Node *first = graph_reduce(g, OP_IFIRST, place, n->attr);
    /* the comparison of floats lets a NaN through, which makes the derivative NaN */
    return simplify_op(g, OP_AND, reached, simplify_op(g, OP_IEQ, index, first, NULL), NULL);
}

/* The derivative of a product with respect to one factor: the product of the others. */
static Node *other_factors(Graph *g, Node *n) {
    Node *x = n->arg[0];
    const Type t = (Type)x->type;
    Node *zero = graph_float(g, t, 0), *one = graph_float(g, t, 1);
    Node *is_zero = simplify_op(g, OP_EQ, x, zero, NULL);
    Node *zeros = graph_reduce(g, OP_SUM, simplify_op(g, OP_COND, is_zero, one, zero), n->attr);
    Node *rest = graph_reduce(g, OP_PROD, simplify_op(g, OP_COND, is_zero, one, x), n->attr);
    Node *only = simplify_op(g, OP_AND, is_zero, simplify_op(g, OP_EQ, zeros, one, NULL), NULL);
    Node *none = simplify_op(g, OP_EQ, zeros, zero, NULL);
    return simplify_op(g, OP_COND, only, rest,
                       simplify_op(g, OP_COND, none, simplify_op(g, OP_DIV, n, x, NULL), zero));
}

static void reduction_adjoint(Adjoints *a, Node *n) {
    Graph *g = a->g;
    Node *dy = a->adjoint[n->id], *zero = graph_float(g, (Type)n->type, 0);
    switch ((Op)n->op) {
    case OP_SUM:
        break;
    case OP_PROD:
        dy = simplify_op(g, OP_DMUL, dy, other_factors(g, n), NULL);
        break;
    case OP_LARGEST:
    case OP_SMALLEST:
        dy = simplify_op(g, OP_COND, is_first(g, n), dy, zero);
        break;
    default:
        return; /* integers have no derivative */
    }
    add_adjoint(a, n->arg[0], dy);
}

/* From a cut to those below it. `axes` are those that its array has. */
static void segment_adjoint(Adjoints *a, Node *n, AxisSet axes) {
    Graph *g = a->g;
    Node **below = ARENA_ARRAY(g->arena, Node *, n->id + 1);
    Node **local = ARENA_ARRAY(g->arena, Node *, n->id + 1);
    bool *seen = ARENA_ARRAY(g->arena, bool, n->id + 1);
    size_t count = 0;
    seen[n->id] = true;
    for (size_t i = n->id + 1; i-- > 0;) {
        if (!seen[i] || !a->matters[i]) continue;
        Node *m = g->nodes[i];
        if (m != n && a->cut[i]) {
            below[count++] = m;
            continue;
        }
        for (int k = 0; k < m->nargs; k++) seen[m->arg[k]->id] = true;
    }
    reverse(g, n, below, local, count, true);
    for (size_t i = count; i-- > 0;) {
        Node *part = simplify_op(g, OP_DMUL, a->adjoint[n->id], local[i], NULL);
        add_adjoint(a, below[i], graph_reduce(g, OP_SUM, part, axes & ~below[i]->axes));
    }
}

void diff_adjoint(Graph *g, Node *y, AxisSet axes, Node *dy, Node *const *wrt, Node **out,
                  size_t n) {
    const size_t count = (size_t)y->id + 1;
    Adjoints a = {.g = g, .count = count};
    a.matters = ARENA_ARRAY(g->arena, bool, count);
    a.cut = ARENA_ARRAY(g->arena, bool, count);
    a.adjoint = ARENA_ARRAY(g->arena, Node *, count);
    for (size_t i = 0; i < n; i++)
        if (wrt[i]->id < count) a.matters[wrt[i]->id] = a.cut[wrt[i]->id] = true;
    for (size_t i = 0; i < count; i++)
        for (int k = 0; k < g->nodes[i]->nargs; k++)
            if (a.matters[g->nodes[i]->arg[k]->id] && type_is_float((Type)g->nodes[i]->type))
                a.matters[i] = true;
    find_cuts(&a);
    a.cut[y->id] = true;
    a.adjoint[y->id] = dy;
    for (size_t i = count; i-- > 0;) {
        Node *node = g->nodes[i];
        if (!a.adjoint[i] || !a.matters[i] || node->nargs == 0) continue;
        if (op_is_reduction((Op)node->op))
            reduction_adjoint(&a, node);
        else
            segment_adjoint(&a, node, node == y ? axes : node->axes);
    }
    for (size_t i = 0; i < n; i++) {
        const bool reached = wrt[i]->id < count && a.adjoint[wrt[i]->id];
        if (reached && wrt[i] == y)
            out[i] = graph_reduce(g, OP_SUM, dy, axes & ~y->axes);
        else if (reached)
            out[i] = a.adjoint[wrt[i]->id];
        else
            out[i] = simplify_op(g, OP_DMUL, dy, graph_float(g, (Type)y->type, 0), NULL);
    }
}

static const char *prefixed(Graph *g, const char *prefix, const char *name) {
    Buf b;
    buf_init(&b, g->arena);
    buf_printf(&b, "%s%s", prefix, name);
    return b.s;
}

/* d, but NaN where x is: a constant derivative does not know x. */
static Node *nan_where(Graph *g, Node *x, Node *d) {
    if (node_carries_nan(d, x)) return d;
    return graph_op(g, OP_COND, graph_op(g, OP_EQ, x, x, NULL), d, d);
}

/* An array like the output's. */
static Node *cotangent_of(Graph *g, const Output *out) {
    AxisSet order[MAX_AXES + 1];
    for (size_t i = 0; i < out->rank; i++) order[i] = (AxisSet)1 << out->order[i];
    return graph_array(g, VAR_COTANGENT, prefixed(g, "d", out->name), (Type)out->node->type, order,
                       out->rank);
}

void diff_backward(Graph *g, bool keep_value) {
    assert(g->nouts == 1);
    Node *y = g->outs[0].node;
    const size_t nvars = g->nvars;
    const bool *needed = graph_needed(g);
    Node **wrt = ARENA_ARRAY(g->arena, Node *, nvars), **d = ARENA_ARRAY(g->arena, Node *, nvars);
    size_t n = 0;
    for (size_t i = 0; i < nvars; i++)
        if (g->vars[i].kind == VAR_INPUT || g->vars[i].kind == VAR_LEARN)
            wrt[n++] = g->vars[i].node;
    const AxisSet axes = g->outs[0].axes;
    Node *dy = cotangent_of(g, &g->outs[0]);
    diff_adjoint(g, y, axes, dy, wrt, d, n);
    if (!keep_value) g->nouts = 0;
    for (size_t i = 0; i < n; i++) {
        Node *dx = d[i];
        if (needed[wrt[i]->id] && g->vars[wrt[i]->attr].kind == VAR_INPUT &&
            wrt[i]->axes == y->axes)
            dx = nan_where(g, wrt[i], dx);
        graph_output_like(g, prefixed(g, "d", g->vars[wrt[i]->attr].name), dx,
                          &g->vars[wrt[i]->attr]);
    }
}

void diff_backward2(Graph *g) {
    const size_t nvars = g->nvars, nouts = g->nouts;
    Node **wrt = ARENA_ARRAY(g->arena, Node *, nvars), **d = ARENA_ARRAY(g->arena, Node *, nvars);
    Node **sums = ARENA_ARRAY(g->arena, Node *, nvars);
    size_t n = 0;
    for (size_t i = 0; i < nvars; i++)
        if (g->vars[i].kind != VAR_PARAM) wrt[n++] = g->vars[i].node;
    for (size_t k = 0; k < nouts; k++) {
        Node *dx = g->outs[k].node;
        const AxisSet axes = g->outs[k].axes;
        Node *ddx = cotangent_of(g, &g->outs[k]);
        diff_adjoint(g, dx, axes, ddx, wrt, d, n);
        for (size_t i = 0; i < n; i++)
            sums[i] = sums[i] ? simplify_op(g, OP_ADD, sums[i], d[i], NULL) : d[i];
    }
    g->nouts = 0;
    for (size_t i = 0; i < n; i++)
        graph_output_like(g, prefixed(g, "d_", g->vars[wrt[i]->attr].name), sums[i],
                          &g->vars[wrt[i]->attr]);
}
