/* Gradients: reverse mode over the graph, with the derivatives of ops.def.
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

void diff_reverse(Graph *g, Node *y, Node *const *wrt, Node **out, size_t n) {
    Diff d = {.g = g};
    const size_t count = (size_t)y->id + 1;
    d.parts = ARENA_ARRAY(g->arena, Parts, count);
    d.depends = ARENA_ARRAY(g->arena, bool, count);
    d.ending = ARENA_ARRAY(g->arena, Path *, count);
    d.count = count;
    for (size_t i = 0; i < n; i++) {
        out[i] = graph_float(g, (Type)y->type, 0);
        if (wrt[i]->id < count) d.depends[wrt[i]->id] = true;
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
        if (d.depends[i]) propagate(&d, g->nodes[i], path, join(&d, parts, path));
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
    Node *dy = graph_var(g, VAR_COTANGENT, prefixed(g, "d", g->outs[0].name), (Type)y->type,
                         y->axes | AXES_REST);
    diff_reverse(g, y, wrt, d, n);
    if (!keep_value) g->nouts = 0;
    for (size_t i = 0; i < n; i++) {
        Node *dx = simplify_op(g, OP_DMUL, dy, d[i], NULL);
        if (needed[wrt[i]->id] && g->vars[wrt[i]->attr].kind == VAR_INPUT &&
            wrt[i]->axes == y->axes)
            dx = nan_where(g, wrt[i], dx);
        graph_output(g, prefixed(g, "d", g->vars[wrt[i]->attr].name), dx);
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
        Node *ddx = graph_var(g, VAR_COTANGENT, prefixed(g, "d", g->outs[k].name), (Type)dx->type,
                              AXES_REST);
        diff_reverse(g, dx, wrt, d, n);
        for (size_t i = 0; i < n; i++) {
            Node *part = simplify_op(g, OP_DMUL, ddx, d[i], NULL);
            sums[i] = sums[i] ? simplify_op(g, OP_ADD, sums[i], part, NULL) : part;
        }
    }
    g->nouts = 0;
    for (size_t i = 0; i < n; i++)
        graph_output(g, prefixed(g, "d_", g->vars[wrt[i]->attr].name), sums[i]);
}
