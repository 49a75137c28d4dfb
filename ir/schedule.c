/* From an expanded graph to nests of loops.
 *
 * Reductions are taken in the order of the graph. The first one that is left opens a nest: its
 * group is the inner loop, the other groups of what it reduces are the outer loops. All reductions
 * over the same group of values with the same axes join it, in a later pass where they need the
 * results of an earlier one, and so do the outputs that then are known. What later nests need of a
 * nest's reductions is saved, as an array over its outer groups. Outputs that no reduction waits
 * for make nests of one pass.
 *
 * A pass computes again what an earlier pass of the nest has computed, unless that costs more than
 * loading it: then the earlier pass stores it into an output that the last pass will overwrite. */
#include "schedule.h"

#include <assert.h>
#include <string.h>

enum { NOT_DONE = -1, WORTH_A_BUFFER = 6 /* steps */ };

typedef struct {
    Plan *p;
    const Graph *g;
    const bool *needed;
    int *nest_of;      /* of each reduction: its nest, or NOT_DONE */
    int *pass_of;      /* and its pass there */
    uint32_t *slot_of; /* where it is saved, plus 1; 0: nowhere */
    bool *written;     /* of each output */
} Schedule;

/* ---- groups ---- */

static unsigned groups_of(const Plan *p, AxisSet axes) {
    unsigned mask = 0;
    for (size_t i = 0; i < p->ngroups; i++)
        if (p->groups[i].axes & axes) mask |= 1u << i;
    return mask;
}

static uint8_t highest(unsigned mask) {
    uint8_t n = 0;
    while (mask >>= 1) n++;
    return n;
}

/* ---- what a value waits for ---- */

/* The last pass of nest `k` whose reductions n needs, or -1 for none; -2 if it needs a reduction
 * that neither this nest nor an earlier one has. */
static int waits_for(const Schedule *s, const Node *root, int k) {
    bool *seen = ARENA_ARRAY(s->g->arena, bool, root->id + 1);
    int pass = -1;
    seen[root->id] = true;
    for (size_t i = root->id + 1; i-- > 0;) {
        const Node *n = s->g->nodes[i];
        if (!seen[i]) continue;
        if (op_is_reduction((Op)n->op)) {
            if (s->nest_of[i] == NOT_DONE) return -2;
            if (s->nest_of[i] == k && s->pass_of[i] > pass) pass = s->pass_of[i];
            continue;
        }
        for (int a = 0; a < n->nargs; a++) seen[n->arg[a]->id] = true;
    }
    return pass;
}

/* ---- placing steps ---- */

typedef struct Place Place;
struct Place {
    Place *parent;
    int depth;
    PlanBlock *block;
};

static Place *common(Place *p, Place *q) {
    while (p != q)
        if (p->depth >= q->depth)
            p = p->parent;
        else
            q = q->parent;
    return p;
}

static void use(Place **places, const Node *n, Place *at) {
    places[n->id] = places[n->id] ? common(places[n->id], at) : at;
}

/* A step that only the slow value of one GUARD needs stands in that guard's block: the place of a
 * step is the innermost block that all its uses are in. */
void place_steps(const Graph *g, PlanBlock *block, const Node *const *roots, size_t nroots,
                 bool *available, Inside *inside, const void *user) {
    Arena *arena = g->arena;
    Place **places = ARENA_ARRAY(arena, Place *, g->nnodes + 1); /* NULL: not needed */
    Place **slow = ARENA_ARRAY(arena, Place *, g->nnodes + 1);   /* of a GUARD: its block */
    Place top = {NULL, 0, block};
    for (size_t i = 0; i < nroots; i++) use(places, roots[i], &top);
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!places[i] || available[i] || !inside(user, n)) continue;
        for (int k = 0; k < n->nargs; k++) {
            Place *at = places[i];
            if (n->op == OP_GUARD && k == 1) {
                slow[i] = ARENA_NEW(arena, Place);
                *slow[i] = (Place){places[i], places[i]->depth + 1, ARENA_NEW(arena, PlanBlock)};
                at = slow[i];
            }
            use(places, n->arg[k], at);
        }
    }
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!places[i] || n->op == OP_CONST || available[i] || !inside(user, n)) continue;
        PlanBlock *b = places[i]->block;
        *ARENA_PUSH(arena, b->steps, b->count, b->cap) =
            (PlanStep){.node = n, .slow = slow[i] ? slow[i]->block : NULL};
        available[i] = true;
    }
}

/* ---- one nest ---- */

typedef struct {
    Schedule *s;
    PlanNest *nest;
    unsigned inner, outer; /* groups, as masks */
    const Node **buffered; /* with the output that holds each */
    uint32_t *buffers;
    size_t nbuffered;
} Nest;

typedef enum { LEVEL_UNIFORM, LEVEL_OUTER, LEVEL_INNER } Level;

static Level level_of(const Nest *t, const Node *n) {
    const unsigned groups = groups_of(t->s->p, n->axes);
    if (groups & t->inner) return LEVEL_INNER;
    return groups || !t->outer ? LEVEL_OUTER : LEVEL_UNIFORM;
}

static bool is_inner(const void *t, const Node *n) { return level_of(t, n) == LEVEL_INNER; }
static bool is_outer(const void *t, const Node *n) { return level_of(t, n) == LEVEL_OUTER; }
static bool is_uniform(const void *t, const Node *n) { return level_of(t, n) == LEVEL_UNIFORM; }

/* How many operations a pass would have to do again. */
static unsigned cost(const Nest *t, const Node *root) {
    bool *seen = ARENA_ARRAY(t->s->g->arena, bool, root->id + 1);
    unsigned n = 0;
    seen[root->id] = true;
    for (size_t i = root->id + 1; i-- > 0 && n < WORTH_A_BUFFER;) {
        const Node *m = t->s->g->nodes[i];
        if (!seen[i] || level_of(t, m) != LEVEL_INNER || m->nargs == 0) continue;
        n++;
        for (int k = 0; k < m->nargs; k++) seen[m->arg[k]->id] = true;
    }
    return n;
}

typedef struct {
    const Node **items;
    size_t count, cap;
} Roots;

static void add_root(const Nest *t, Roots *r, const Node *n) {
    *ARENA_PUSH(t->s->g->arena, r->items, r->count, r->cap) = n;
}

/* What pass `k` computes: arguments of its reductions, and the outputs in the last one. */
static Roots roots_of(const Nest *t, size_t k) {
    Roots r = {NULL, 0, 0};
    const PlanPass *pass = &t->nest->passes[k];
    for (size_t i = 0; i < pass->nreductions; i++) add_root(t, &r, pass->reductions[i]->arg[0]);
    for (size_t i = 0; i < pass->nstores; i++) add_root(t, &r, pass->stores[i].node);
    return r;
}

/* Marks what a pass needs and computes for itself. */
static void mark_computed(const Nest *t, Roots roots, bool *marks) {
    const Graph *g = t->s->g;
    for (size_t i = 0; i < roots.count; i++) marks[roots.items[i]->id] = true;
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!marks[i]) continue;
        if (level_of(t, n) != LEVEL_INNER || op_is_reduction((Op)n->op)) {
            marks[i] = false;
            continue;
        }
        for (int k = 0; k < n->nargs; k++) marks[n->arg[k]->id] = true;
    }
}

/* An output over the inner group, of that type, that no value waits in yet; false if there is none.
 */
static bool free_output(const Nest *t, const Node *n, uint32_t *arg) {
    const PlanPass *last = &t->nest->passes[t->nest->npasses - 1];
    for (size_t i = 0; i < last->nstores; i++) {
        bool taken = t->s->p->args[last->stores[i].arg].type != (Type)n->type;
        for (size_t k = 0; k < t->nbuffered; k++)
            taken = taken || t->buffers[k] == last->stores[i].arg;
        if (taken) continue;
        *arg = last->stores[i].arg;
        return true;
    }
    return false;
}

/* The topmost values of the last pass that an earlier one has and that are worth a buffer. */
static void choose_buffers(Nest *t) {
    const Graph *g = t->s->g;
    const size_t last = t->nest->npasses - 1;
    if (last == 0 || t->nest->across || !t->outer) return;
    bool *want = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    bool **computed = ARENA_ARRAY(g->arena, bool *, last);
    for (size_t k = 0; k < last; k++) {
        computed[k] = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
        mark_computed(t, roots_of(t, k), computed[k]);
    }
    const Roots roots = roots_of(t, last);
    for (size_t i = 0; i < roots.count; i++) want[roots.items[i]->id] = true;
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!want[i] || level_of(t, n) != LEVEL_INNER || n->nargs == 0) continue;
        size_t first = 0;
        while (first < last && !computed[first][i]) first++;
        uint32_t arg;
        if (first < last && type_is_float((Type)n->type) && cost(t, n) >= WORTH_A_BUFFER &&
            free_output(t, n, &arg)) {
            PlanPass *pass = &t->nest->passes[first];
            PlanStore *stores = ARENA_ARRAY(g->arena, PlanStore, pass->nstores + 1);
            memcpy(stores, pass->stores, pass->nstores * sizeof *stores);
            stores[pass->nstores++] = (PlanStore){n, arg};
            pass->stores = stores;
            t->buffered[t->nbuffered] = n;
            t->buffers[t->nbuffered++] = arg;
            continue;
        }
        for (int k = 0; k < n->nargs; k++) want[n->arg[k]->id] = true;
    }
}

static void push_step(const Nest *t, PlanBlock *b, PlanStep step) {
    *ARENA_PUSH(t->s->g->arena, b->steps, b->count, b->cap) = step;
}

/* Saved reductions of earlier nests that the roots need on this level become steps. */
static void load_saved(const Nest *t, PlanBlock *block, Roots roots, bool *available,
                       Inside *inside) {
    const Graph *g = t->s->g;
    bool *seen = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < roots.count; i++) seen[roots.items[i]->id] = true;
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!seen[i] || available[i] || !inside(t, n)) continue;
        if (op_is_reduction((Op)n->op)) continue;
        for (int k = 0; k < n->nargs; k++) seen[n->arg[k]->id] = true;
    }
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!seen[i] || available[i] || !op_is_reduction((Op)n->op) || !inside(t, n)) continue;
        assert(t->s->slot_of[i]);
        push_step(t, block,
                  (PlanStep){.node = n, .from = STEP_SAVED, .slot = t->s->slot_of[i] - 1});
        available[i] = true;
    }
}

/* The values of other levels below these roots. */
static Roots below(const Nest *t, Roots roots, const bool *available, Inside *inside) {
    const Graph *g = t->s->g;
    Roots out = {NULL, 0, 0};
    bool *seen = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < roots.count; i++) seen[roots.items[i]->id] = true;
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!seen[i] || available[i]) continue;
        if (!inside(t, n)) {
            add_root(t, &out, n);
            continue;
        }
        if (op_is_reduction((Op)n->op)) continue;
        for (int k = 0; k < n->nargs; k++) seen[n->arg[k]->id] = true;
    }
    return out;
}

/* Steps of one level for the roots; what they need of the level below is added to `more`. */
static void fill(const Nest *t, PlanBlock *block, Roots roots, bool *available, Inside *inside,
                 Roots *more) {
    const Roots lower = below(t, roots, available, inside);
    for (size_t i = 0; more && i < lower.count; i++) add_root(t, more, lower.items[i]);
    load_saved(t, block, roots, available, inside);
    place_steps(t->s->g, block, roots.items, roots.count, available, inside, t);
}

static void fill_nest(Nest *t) {
    const Graph *g = t->s->g;
    PlanNest *nest = t->nest;
    bool *available = ARENA_ARRAY(g->arena, bool, g->nnodes + 1); /* uniform and outer values */
    Roots once = {NULL, 0, 0};
    for (size_t k = 0; k < nest->npasses; k++) {
        PlanPass *pass = &nest->passes[k];
        bool *here = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
        memcpy(here, available, g->nnodes * sizeof *here);
        for (size_t i = 0; i < t->nbuffered; i++) {
            bool later = true;
            for (size_t j = k; j < nest->npasses; j++)
                for (size_t q = 0; q < nest->passes[j].nstores; q++)
                    later = later && (nest->passes[j].stores[q].node != t->buffered[i] ||
                                      j == nest->npasses - 1);
            if (!later) continue;
            push_step(
                t, &pass->body,
                (PlanStep){.node = t->buffered[i], .from = STEP_BUFFER, .slot = t->buffers[i]});
            here[t->buffered[i]->id] = true;
        }
        Roots outer = {NULL, 0, 0};
        fill(t, &pass->body, roots_of(t, k), here, is_inner, &outer);
        fill(t, &pass->before, outer, available, is_outer, &once);
        for (size_t i = 0; i < pass->nreductions; i++) available[pass->reductions[i]->id] = true;
    }
    Roots outer = {NULL, 0, 0};
    for (size_t i = 0; i < nest->nstores; i++) add_root(t, &outer, nest->stores[i].node);
    fill(t, &nest->after, outer, available, is_outer, &once);
    fill(t, &nest->uniform, once, available, is_uniform, NULL);
}

/* ---- nests ---- */

static PlanNest *new_nest(Schedule *s, unsigned domain, uint8_t inner) {
    Plan *p = s->p;
    Arena *arena = s->g->arena;
    PlanNest *nest = &p->nests[p->nnests++];
    nest->inner = inner;
    nest->outer = ARENA_ARRAY(arena, uint8_t, p->ngroups + 1);
    for (uint8_t i = 0; i < p->ngroups; i++)
        if (domain >> i & 1 && i != inner) nest->outer[nest->nouter++] = i;
    nest->across = nest->nouter && nest->outer[nest->nouter - 1] > inner;
    return nest;
}

/* The plan's argument that holds output i. */
static uint32_t output_arg(const Plan *p, size_t i) {
    for (uint32_t k = 0; k < p->nargs; k++)
        if (p->args[k].output && p->args[k].index == i) return k;
    return 0;
}

/* The outputs whose values are known in this nest and whose arrays are its domain, or its outer
 * groups. */
static void take_outputs(Schedule *s, int k, unsigned domain) {
    Plan *p = s->p;
    const Graph *g = s->g;
    PlanNest *nest = &p->nests[k];
    PlanPass *last = &nest->passes[nest->npasses - 1];
    last->stores = ARENA_ARRAY(g->arena, PlanStore, g->nouts);
    nest->stores = ARENA_ARRAY(g->arena, PlanStore, g->nouts);
    const unsigned outer = domain & ~(1u << nest->inner);
    for (size_t i = 0; i < g->nouts; i++) {
        const unsigned axes = groups_of(p, g->outs[i].axes);
        const Node *n = g->outs[i].node;
        if (s->written[i] || (axes != domain && axes != outer)) continue;
        if (waits_for(s, n, k) == -2) continue;
        s->written[i] = true;
        if (axes == domain)
            last->stores[last->nstores++] = (PlanStore){n, output_arg(p, i)};
        else
            nest->stores[nest->nstores++] = (PlanStore){n, output_arg(p, i)};
    }
}

static bool *wanted_later(const Schedule *s, int k) {
    const Graph *g = s->g;
    bool *seen = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    for (size_t i = 0; i < g->nouts; i++)
        if (!s->written[i]) seen[g->outs[i].node->id] = true;
    for (size_t i = 0; i < g->nnodes; i++)
        if (op_is_reduction((Op)g->nodes[i]->op) && s->needed[i] && s->nest_of[i] == NOT_DONE)
            seen[i] = true;
    for (size_t i = g->nnodes; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!seen[i] || (op_is_reduction((Op)n->op) && s->nest_of[i] != NOT_DONE)) continue;
        for (int a = 0; a < n->nargs; a++) seen[n->arg[a]->id] = true;
    }
    (void)k;
    return seen;
}

static void save_reductions(Schedule *s, int k) {
    Plan *p = s->p;
    const Graph *g = s->g;
    PlanNest *nest = &p->nests[k];
    const bool *wanted = wanted_later(s, k);
    nest->saved = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    for (size_t i = 0; i < g->nnodes; i++) {
        if (!wanted[i] || s->nest_of[i] != k) continue;
        s->slot_of[i] = (uint32_t)p->nsaved + 1;
        nest->saved[nest->nsaved++] = (uint32_t)p->nsaved;
        p->saved[p->nsaved++] = g->nodes[i];
    }
}

static void finish_nest(Schedule *s, int k, unsigned domain) {
    Arena *arena = s->g->arena;
    PlanNest *nest = &s->p->nests[k];
    take_outputs(s, k, domain);
    save_reductions(s, k);
    Nest t = {.s = s, .nest = nest, .inner = 1u << nest->inner};
    t.outer = domain & ~t.inner;
    t.buffered = ARENA_ARRAY(arena, const Node *, s->g->nouts + 1);
    t.buffers = ARENA_ARRAY(arena, uint32_t, s->g->nouts + 1);
    choose_buffers(&t);
    fill_nest(&t);
}

/* The nest that the reduction opens, with all that can join. */
static void reduction_nest(Schedule *s, const Node *first) {
    Plan *p = s->p;
    const Graph *g = s->g;
    const int k = (int)p->nnests;
    const unsigned domain = groups_of(p, first->arg[0]->axes);
    PlanNest *nest = new_nest(s, domain, highest(groups_of(p, first->attr)));
    nest->passes = ARENA_ARRAY(g->arena, PlanPass, g->nnodes + 1);
    nest->npasses = 1;
    for (size_t i = first->id; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!s->needed[i] || !op_is_reduction((Op)n->op) || s->nest_of[i] != NOT_DONE) continue;
        if (n->attr != first->attr || groups_of(p, n->arg[0]->axes) != domain) continue;
        const int after = waits_for(s, n->arg[0], k);
        if (after == -2) continue;
        s->nest_of[i] = k;
        s->pass_of[i] = after + 1;
        PlanPass *pass = &nest->passes[after + 1];
        if (nest->npasses < (size_t)after + 2) nest->npasses = (size_t)after + 2;
        if (!pass->reductions)
            pass->reductions = ARENA_ARRAY(g->arena, const Node *, g->nnodes + 1);
        pass->reductions[pass->nreductions++] = n;
    }
    /* outputs over the whole domain that need the last results take one more pass */
    int last = -1;
    for (size_t i = 0; i < g->nouts; i++)
        if (!s->written[i] && groups_of(p, g->outs[i].axes) == domain) {
            const int after = waits_for(s, g->outs[i].node, k);
            if (after > last) last = after;
        }
    if ((size_t)(last + 2) > nest->npasses) nest->npasses = (size_t)(last + 2);
    finish_nest(s, k, domain);
}

static void output_nest(Schedule *s, size_t output) {
    const unsigned domain = groups_of(s->p, s->g->outs[output].axes);
    const int k = (int)s->p->nnests;
    PlanNest *nest = new_nest(s, domain, highest(domain));
    nest->passes = ARENA_ARRAY(s->g->arena, PlanPass, 1);
    nest->npasses = 1;
    finish_nest(s, k, domain);
}

const char *schedule(Plan *p) {
    const Graph *g = p->graph;
    AxisSet groups[MAX_AXES + 1];
    p->ngroups = find_groups(g, groups);
    p->groups = ARENA_ARRAY(g->arena, PlanGroup, p->ngroups + 1);
    for (size_t i = 0; i < p->ngroups; i++) p->groups[i].axes = groups[i];
    Schedule s = {.p = p, .g = g, .needed = graph_needed(g)};
    s.nest_of = ARENA_ARRAY(g->arena, int, g->nnodes + 1);
    s.pass_of = ARENA_ARRAY(g->arena, int, g->nnodes + 1);
    s.slot_of = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    s.written = ARENA_ARRAY(g->arena, bool, g->nouts + 1);
    p->nests = ARENA_ARRAY(g->arena, PlanNest, g->nnodes + g->nouts + 1);
    p->saved = ARENA_ARRAY(g->arena, const Node *, g->nnodes + 1);
    for (size_t i = 0; i < g->nnodes; i++) s.nest_of[i] = NOT_DONE;
    for (size_t i = 0; i < g->nnodes; i++)
        if (s.needed[i] && op_is_reduction((Op)g->nodes[i]->op) && s.nest_of[i] == NOT_DONE) {
            if (groups_of(p, g->nodes[i]->attr) & (groups_of(p, g->nodes[i]->attr) - 1))
                return "a reduction over axes that are not one group";
            reduction_nest(&s, g->nodes[i]);
        }
    for (size_t i = 0; i < g->nouts; i++)
        if (!s.written[i]) output_nest(&s, i);
    bool elements = false;
    for (size_t i = 0; i < g->nnodes; i++) {
        const Op op = (Op)g->nodes[i]->op;
        elements = elements || (s.needed[i] && (op == OP_ELEMENTS || op == OP_INDEX));
    }
    const bool any_shape =
        p->nsizes == 1 && p->sizes[0].axis == AXES_REST; /* and no axis is fixed */
    p->elementwise = p->nnests == 1 && p->ngroups == 1 && p->groups[0].axes == AXES_REST &&
                     any_shape && graph_is_elementwise(g) && !elements;
    return NULL;
}
