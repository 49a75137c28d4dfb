/* Kernels with reductions: the plan's nests as loops.
 *
 * The vector loop is the innermost one, over 64 elements at most, of the inner group or, `across`,
 * of the last outer one; compilers vectorise it. A reduction has 64 accumulators: in a row these
 * are its lanes, across they belong to 64 columns. */
#include "c.h"

#include <stdarg.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

enum { LANES = 64, ROW_BLOCK = 4096, COLUMN_BLOCK = 1024, LEVELS = 54 };

typedef struct {
    Writer *w;
    const Plan *p;
    const char *const *names, *const *sizes;
    const char **at;         /* for each group: its index */
    const char **group_size; /* and its size, an expression of high precedence */
    Buf *out;
    uint32_t next; /* number of the next temporary */
} Nests;

static const char *text(const Nests *t, const char *fmt, ...) ACTC_PRINTF(2, 3);
static const char *text(const Nests *t, const char *fmt, ...) {
    Buf b;
    va_list args;
    buf_init(&b, t->p->graph->arena);
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    return b.s;
}

static void line(Nests *t, int indent, const char *fmt, ...) ACTC_PRINTF(3, 4);
static void line(Nests *t, int indent, const char *fmt, ...) {
    Buf b;
    va_list args;
    buf_init(&b, t->p->graph->arena);
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    write_line(b.s, indent, t->out);
}

/* ---- reductions ---- */

static const struct {
    Op op;
    const char *name, *f32, *f64, *joined; /* identities; the last for a and b */
} kinds[] = {
    {OP_SUM, "sum", "0", "0", "a + b"},
    {OP_PROD, "prod", "1", "1", "a * b"},
    {OP_LARGEST, "largest", "-INFINITY", "-INFINITY", "b > a || b != b ? b : a"},
    {OP_SMALLEST, "smallest", "INFINITY", "INFINITY", "b < a || b != b ? b : a"},
    {OP_IFIRST, "first", "0x7fffffffu", "UINT64_C(0x7fffffffffffffff)", "b < a ? b : a"},
};

static size_t kind_of(const Node *n) {
    size_t k = 0;
    while (kinds[k].op != (Op)n->op) k++;
    return 2 * k + (n->type == TYPE_F64 || n->type == TYPE_I64);
}

static const char *kind_type(size_t kind) {
    if (kinds[kind / 2].op == OP_IFIRST) return kind % 2 ? "uint64_t" : "uint32_t";
    return kind % 2 ? "double" : "float";
}

static const char *identity(size_t kind) {
    return kind % 2 ? kinds[kind / 2].f64 : kinds[kind / 2].f32;
}

void write_reductions(const bool *reduces, const bool *lanes, Buf *out) {
    for (size_t k = 0; k < REDUCTIONS; k++) {
        if (!reduces[k]) continue;
        const char *bits = k % 2 ? "64" : "32";
        buf_printf(out, "\nREDUCTION(%s_%s, %s, %s, %s)\n", kinds[k / 2].name, bits, kind_type(k),
                   identity(k), kinds[k / 2].joined);
        if (lanes[k])
            buf_printf(out, "REDUCTION_OF_LANES(%s_%s, %s)\n", kinds[k / 2].name, bits,
                       kind_type(k));
    }
}

/* sum_32, after noting that it is used. */
static const char *function_of(Nests *t, const Node *n, bool lanes) {
    const size_t k = kind_of(n);
    t->w->helpers[HELPER_REDUCE] = t->w->reduces[k] = true;
    t->w->lanes[k] = t->w->lanes[k] || lanes;
    return text(t, "%s_%s", kinds[k / 2].name, k % 2 ? "64" : "32");
}

/* ---- sizes and places ---- */

static const char *axis_size(const Nests *t, unsigned bit) {
    const AxisSet axis = (AxisSet)1 << bit;
    for (size_t i = 0; i < t->p->nsizes; i++)
        if (t->p->sizes[i].axis == axis) return t->sizes[i];
    return text(t, "(size_t)%llu", (unsigned long long)t->p->graph->axes[bit - 1].size);
}

/* The product of the sizes of some axes. */
static const char *product_of(const Nests *t, AxisSet axes) {
    const char *all = NULL;
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (axes >> bit & 1)
            all = all ? text(t, "%s * %s", all, axis_size(t, bit)) : axis_size(t, bit);
    return all ? all : "1";
}

static bool is_taken(const Nests *t, const char *name) {
    for (size_t i = 0; i < t->p->nparams + t->p->nargs; i++)
        if (strcmp(t->names[i], name) == 0) return true;
    for (size_t i = 0; i < t->p->nsizes; i++)
        if (strcmp(t->sizes[i], name) == 0) return true;
    for (size_t i = 0; i < t->p->ngroups; i++)
        if (t->at[i] && strcmp(t->at[i], name) == 0) return true;
    return false;
}

static const char *free_name(const Nests *t, const char *name) {
    while (is_taken(t, name)) name = text(t, "%s_", name);
    return name;
}

static void name_groups(Nests *t) {
    const Graph *g = t->p->graph;
    for (size_t i = 0; i < t->p->ngroups; i++) {
        const AxisSet axes = t->p->groups[i].axes;
        unsigned bit = 0;
        while (!(axes >> bit & 1)) bit++;
        const char *name = bit ? c_identifier(g->arena, g->axes[bit - 1].name) : "row";
        t->at[i] = free_name(t, bit ? text(t, "at_%s", name) : name);
        const char *size = product_of(t, axes);
        if (axes & (axes - 1)) {
            const char *named = free_name(t, text(t, "size_%s", bit ? name : "rows"));
            line(t, 4, "const size_t %s = %s;", named, size);
            size = named;
        }
        t->group_size[i] = size;
    }
}

/* The element of an array with these axes, in this order, where the loops are: (row * d + at_d). */
static const char *place(const Nests *t, const uint8_t *order, size_t rank) {
    const char *at = NULL;
    for (size_t k = 0; k < rank;) {
        size_t group = 0;
        while (!(t->p->groups[group].axes >> order[k] & 1)) group++;
        at = !at ? t->at[group]
                 : text(t, strchr(at, ' ') ? "(%s) * %s + %s" : "%s * %s + %s", at,
                        t->group_size[group], t->at[group]);
        while (k < rank && t->p->groups[group].axes >> order[k] & 1) k++;
    }
    return at ? at : "0";
}

static const char *place_of_axes(const Nests *t, AxisSet axes) {
    uint8_t order[MAX_AXES + 1];
    size_t rank = 0;
    for (unsigned bit = 0; bit <= MAX_AXES; bit++)
        if (axes >> bit & 1) order[rank++] = (uint8_t)bit;
    return place(t, order, rank);
}

static const char *element_of_arg(const Nests *t, uint32_t arg) {
    const Graph *g = t->p->graph;
    const PlanArg *a = &t->p->args[arg];
    const char *name = t->names[t->p->nparams + arg];
    const Output *o = &g->outs[a->index];
    if (a->output) return text(t, "%s[%s]", name, place(t, o->order, o->rank));
    const Var *v = &g->vars[a->index];
    return text(t, "%s[%s]", name, place(t, v->order, v->rank));
}

static const char *saved_element(const Nests *t, uint32_t slot) {
    const Node *n = t->p->saved[slot];
    return n->axes ? text(t, "saved%u[%s]", (unsigned)slot, place_of_axes(t, n->axes))
                   : text(t, "saved%u", (unsigned)slot);
}

/* ---- steps ---- */

static uint32_t arg_of_var(const Plan *p, uint32_t var) {
    for (uint32_t i = 0; i < p->nargs; i++)
        if (!p->args[i].output && p->args[i].index == var) return i;
    return UINT32_MAX;
}

static const char *loaded(Nests *t, uint32_t arg) {
    Buf b;
    buf_init(&b, t->p->graph->arena);
    write_load(t->w, &t->p->args[arg], element_of_arg(t, arg), &b);
    return b.s;
}

/* What stands for the steps that compute nothing. */
static void name_leaves(Nests *t, const PlanBlock *block) {
    for (size_t i = 0; i < block->count; i++) {
        const PlanStep *s = &block->steps[i];
        const Node *n = s->node;
        const char **to = &t->w->texts[n->id];
        if (s->slow) name_leaves(t, s->slow);
        if (s->from == STEP_BUFFER)
            *to = element_of_arg(t, s->slot);
        else if (s->from == STEP_SAVED)
            *to = saved_element(t, s->slot);
        else if (n->op == OP_INDEX)
            *to = text(t, "(uint%s_t)(%s)", n->type == TYPE_I64 ? "64" : "32",
                       place_of_axes(t, n->attr));
        else if (n->op == OP_ELEMENTS)
            *to = text(t, "(%s)(%s)", n->type == TYPE_F64 ? "double" : "float",
                       product_of(t, n->attr));
        else if (n->op == OP_VAR && arg_of_var(t->p, n->attr) != UINT32_MAX)
            *to = loaded(t, arg_of_var(t->p, n->attr));
    }
}

static void forget(Nests *t, const PlanBlock *block) {
    for (size_t i = 0; i < block->count; i++) {
        const PlanStep *s = &block->steps[i];
        if (s->slow) forget(t, s->slow);
        t->w->texts[s->node->id] = NULL;
        t->w->temporaries[s->node->id] = 0;
    }
}

/* Loads get a name, so that what is read does not depend on what is written. */
static void read_arrays(Nests *t, const PlanBlock *block, int indent) {
    for (size_t i = 0; i < block->count; i++) {
        const PlanStep *s = &block->steps[i];
        if (s->node->op != OP_VAR && s->from == STEP_COMPUTE) continue;
        const char **name = &t->w->texts[s->node->id];
        if (!*name) continue; /* a param */
        const char *local = text(t, "%s%u", t->w->prefix, (unsigned)t->next++);
        line(t, indent, "const %s %s = %s;", c_type((Type)s->node->type), local, *name);
        *name = local;
    }
}

static void block_steps(Nests *t, const PlanBlock *block, int indent, bool name_all) {
    t->w->name_all = name_all;
    write_block_from(t->w, block, indent, &t->next, t->out);
    t->w->name_all = false;
}

static void write_stores(Nests *t, const PlanStore *stores, size_t n, int indent) {
    for (size_t i = 0; i < n; i++) {
        Buf value;
        buf_init(&value, t->p->graph->arena);
        write_store(t->w, &t->p->args[stores[i].arg], stores[i].node, &value);
        line(t, indent, "%s = %s;", element_of_arg(t, stores[i].arg), value.s);
    }
}

static const char *value_text(Nests *t, const Node *n) {
    Buf b;
    buf_init(&b, t->p->graph->arena);
    write_value(t->w, n, &b);
    return b.s;
}

/* ---- a pass ---- */

static bool is_step(const PlanBlock *block, const Node *n) {
    for (size_t i = 0; i < block->count; i++)
        if (block->steps[i].node == n) return true;
    return false;
}

/* The body for one element, with its stores and what it gives to the reductions. */
static void write_body(Nests *t, const PlanPass *pass, const char *const *accumulators,
                       int indent) {
    name_leaves(t, &pass->body);
    read_arrays(t, &pass->body, indent);
    block_steps(t, &pass->body, indent, false);
    for (size_t i = 0; i < pass->nstores && pass->nstores > 1; i++) { /* compute all, then write */
        const Node *n = pass->stores[i].node;
        if (t->w->temporaries[n->id] || t->w->texts[n->id] || !is_step(&pass->body, n)) continue;
        const char *local = text(t, "%s%u", t->w->prefix, (unsigned)t->next++);
        line(t, indent, "const %s %s = %s;", c_type((Type)n->type), local, value_text(t, n));
        t->w->texts[n->id] = local;
    }
    for (size_t i = 0; i < pass->nreductions; i++)
        line(t, indent, "%s[l] = %s_join(%s[l], %s);", accumulators[i],
             function_of(t, pass->reductions[i], false), accumulators[i],
             value_text(t, pass->reductions[i]->arg[0]));
    write_stores(t, pass->stores, pass->nstores, indent);
    forget(t, &pass->body);
}

/* Names t12_lane and so on for the reductions of a pass; the numbers of their results. */
static uint32_t *number_reductions(Nests *t, const PlanPass *pass) {
    uint32_t *numbers = ARENA_ARRAY(t->p->graph->arena, uint32_t, pass->nreductions + 1);
    for (size_t i = 0; i < pass->nreductions; i++) numbers[i] = t->next++;
    return numbers;
}

static void declare_parts(Nests *t, const PlanPass *pass, const uint32_t *numbers, const char *each,
                          int indent) {
    for (size_t i = 0; i < pass->nreductions; i++) {
        const char *type = kind_type(kind_of(pass->reductions[i]));
        line(t, indent, "%s %s%u_lane[%d], %s%u_part[%d%s];", type, t->w->prefix,
             (unsigned)numbers[i], LANES, t->w->prefix, (unsigned)numbers[i], LEVELS, each);
    }
    if (pass->nreductions) line(t, indent, "uint64_t blocks = 0;");
}

static const char **accumulators_of(Nests *t, const PlanPass *pass, const uint32_t *numbers) {
    const char **names = ARENA_ARRAY(t->p->graph->arena, const char *, pass->nreductions + 1);
    for (size_t i = 0; i < pass->nreductions; i++)
        names[i] = text(t, "%s%u_lane", t->w->prefix, (unsigned)numbers[i]);
    return names;
}

static void reset_lanes(Nests *t, const PlanPass *pass, const char *const *accumulators,
                        int indent) {
    for (size_t i = 0; i < pass->nreductions; i++)
        line(t, indent, "for (int l = 0; l < %d; l++) %s[l] = %s;", LANES, accumulators[i],
             identity(kind_of(pass->reductions[i])));
}

static void along_pass(Nests *t, const PlanNest *nest, const PlanPass *pass, int indent) {
    const char *at = t->at[nest->inner], *size = t->group_size[nest->inner];
    const char *prefix = t->w->prefix;
    name_leaves(t, &pass->before);
    block_steps(t, &pass->before, indent, true);
    if (!pass->nreductions) {
        line(t, indent, "EACH_ELEMENT");
        line(t, indent, "for (size_t %s = 0; %s < %s; %s++) {", at, at, size, at);
        write_body(t, pass, NULL, indent + 4);
        line(t, indent, "}");
        return;
    }
    const uint32_t *numbers = number_reductions(t, pass);
    const char **accumulators = accumulators_of(t, pass, numbers);
    for (size_t i = 0; i < pass->nreductions; i++)
        line(t, indent, "%s %s%u;", kind_type(kind_of(pass->reductions[i])), prefix,
             (unsigned)numbers[i]);
    line(t, indent, "{");
    declare_parts(t, pass, numbers, "", indent + 4);
    line(t, indent + 4, "for (size_t first = 0; first < %s; first += %d) {", size, ROW_BLOCK);
    line(t, indent + 8, "const size_t end = %s - first < %d ? %s : first + %d;", size, ROW_BLOCK,
         size, ROW_BLOCK);
    reset_lanes(t, pass, accumulators, indent + 8);
    line(t, indent + 8, "for (size_t chunk = first; chunk < end; chunk += %d) {", LANES);
    line(t, indent + 12, "const size_t lanes = end - chunk < %d ? end - chunk : %d;", LANES, LANES);
    line(t, indent + 12, "EACH_ELEMENT");
    line(t, indent + 12, "for (size_t l = 0; l < lanes; l++) {");
    line(t, indent + 16, "const size_t %s = chunk + l;", at);
    write_body(t, pass, accumulators, indent + 16);
    line(t, indent + 12, "}");
    line(t, indent + 8, "}");
    for (size_t i = 0; i < pass->nreductions; i++) {
        const char *f = function_of(t, pass->reductions[i], true);
        line(t, indent + 8, "%s_block(%s%u_part, blocks, %s_lanes(%s));", f, prefix,
             (unsigned)numbers[i], f, accumulators[i]);
    }
    line(t, indent + 8, "blocks++;");
    line(t, indent + 4, "}");
    for (size_t i = 0; i < pass->nreductions; i++) {
        line(t, indent + 4, "%s%u = %s_total(%s%u_part, blocks);", prefix, (unsigned)numbers[i],
             function_of(t, pass->reductions[i], true), prefix, (unsigned)numbers[i]);
        t->w->temporaries[pass->reductions[i]->id] = numbers[i];
    }
    line(t, indent, "}");
}

/* ---- across: 64 columns at a time ---- */

static bool is_letter(char c) { return c == '_' || (c && strchr(LETTERS, c)); }

/* Where a name stands in the text from `from` on, or NULL. */
static const char *find_name(const char *from, const char *name) {
    const size_t n = strlen(name);
    for (const char *s = from; (s = strstr(s, name)); s += n)
        if ((s == from || !is_letter(s[-1])) && !is_letter(s[n])) return s;
    return NULL;
}

/* The loop over the lanes, whose body is made meanwhile: where it stands must be given back. */
static Buf *begin_lanes(Nests *t, Buf *body) {
    Buf *out = t->out;
    buf_init(body, t->p->graph->arena);
    t->out = body;
    return out;
}

/* The index of the column is there only where the body reads it. */
static void end_lanes(Nests *t, const PlanNest *nest, const Buf *body, Buf *out, int indent) {
    const char *at = t->at[nest->outer[nest->nouter - 1]];
    t->out = out;
    line(t, indent, "EACH_ELEMENT");
    line(t, indent, "for (size_t l = 0; l < lanes; l++) {");
    if (body->len && find_name(body->s, at)) line(t, indent + 4, "const size_t %s = tile + l;", at);
    if (body->len) buf_puts(t->out, body->s);
    line(t, indent, "}");
}

/* Without the lines of arrays that are written and never read: `float t4_at[64];` and
 * `t4_at[l] = t4;`. */
static void put_read(Nests *t, const char *code, Buf *out) {
    const char *s = code;
    while (*s) {
        const size_t n = strcspn(s, "\n") + 1;
        const size_t blanks = strspn(s, " ");
        const char *in = s + blanks;
        const char *at = strstr(in, "_at[");
        const bool declares = at && at < s + n && strncmp(at, "_at[64];\n", 9) == 0,
                   writes = at && at < s + n && strncmp(at, "_at[l] = ", 9) == 0;
        bool read = true;
        if (declares || writes) {
            const char *first = at;
            while (first > in && is_letter(first[-1])) first--;
            const char *name = text(t, "%.*s_at", (int)(at - first), first);
            read = false;
            for (const char *use = code; (use = find_name(use, name)); use++) {
                const char *begin = use;
                while (begin > code && begin[-1] == ' ') begin--;
                const bool alone = begin == code || begin[-1] == '\n';
                const char *behind = use + strlen(name);
                read = read || (strncmp(behind, "[64];", 5) != 0 &&
                                !(alone && strncmp(behind, "[l] = ", 6) == 0));
            }
        }
        if (read) buf_write(out, s, n);
        s += n;
    }
}

/* A block of values of the columns: each becomes an array of 64. */
static void across_block(Nests *t, const PlanNest *nest, const PlanBlock *block,
                         const PlanStore *stores, size_t nstores, int indent) {
    name_leaves(t, block);
    bool computes = nstores > 0;
    for (size_t i = 0; i < block->count; i++) {
        const PlanStep *s = &block->steps[i];
        if (t->w->texts[s->node->id] || s->node->op == OP_VAR) continue;
        computes = true;
    }
    if (!computes) return;
    const uint32_t first = t->next;
    Buf lanes, body, *out = begin_lanes(t, &lanes);
    buf_init(&body, t->p->graph->arena);
    block_steps(t, block, indent + 4, true);
    write_stores(t, stores, nstores, indent + 4);
    for (size_t i = 0; i < block->count; i++) {
        const Node *n = block->steps[i].node;
        const uint32_t number = t->w->temporaries[n->id];
        if (!number || number < first) continue;
        line(t, indent + 4, "%s%u_at[l] = %s%u;", t->w->prefix, (unsigned)number, t->w->prefix,
             (unsigned)number);
    }
    end_lanes(t, nest, &lanes, &body, indent);
    t->out = out;
    for (size_t i = 0; i < block->count; i++) {
        const Node *n = block->steps[i].node;
        const uint32_t number = t->w->temporaries[n->id];
        if (!number || number < first) continue;
        line(t, indent, "%s %s%u_at[%d];", c_type((Type)n->type), t->w->prefix, (unsigned)number,
             LANES);
        t->w->texts[n->id] = text(t, "%s%u_at[l]", t->w->prefix, (unsigned)number);
    }
    buf_puts(t->out, body.s);
}

static void across_pass(Nests *t, const PlanNest *nest, const PlanPass *pass, int indent) {
    const char *at = t->at[nest->inner], *size = t->group_size[nest->inner];
    const char *prefix = t->w->prefix;
    across_block(t, nest, &pass->before, NULL, 0, indent);
    const uint32_t *numbers = number_reductions(t, pass);
    const char **accumulators = accumulators_of(t, pass, numbers);
    for (size_t i = 0; i < pass->nreductions; i++)
        line(t, indent, "%s %s%u_at[%d];", kind_type(kind_of(pass->reductions[i])), prefix,
             (unsigned)numbers[i], LANES);
    int inside = indent;
    if (pass->nreductions) {
        line(t, indent, "{");
        declare_parts(t, pass, numbers, text(t, " * %d", LANES), indent + 4);
        line(t, indent + 4, "for (size_t first = 0; first < %s; first += %d) {", size,
             COLUMN_BLOCK);
        line(t, indent + 8, "const size_t end = %s - first < %d ? %s : first + %d;", size,
             COLUMN_BLOCK, size, COLUMN_BLOCK);
        reset_lanes(t, pass, accumulators, indent + 8);
        inside = indent + 8;
    }
    line(t, inside, "for (size_t %s = %s; %s < %s; %s++) {", at, pass->nreductions ? "first" : "0",
         at, pass->nreductions ? "end" : size, at);
    Buf lanes, *out = begin_lanes(t, &lanes);
    write_body(t, pass, accumulators, inside + 8);
    end_lanes(t, nest, &lanes, out, inside + 4);
    line(t, inside, "}");
    if (!pass->nreductions) return;
    for (size_t i = 0; i < pass->nreductions; i++)
        line(t, indent + 8,
             "for (size_t l = 0; l < lanes; l++) %s_block(%s%u_part + %d * l, blocks, %s[l]);",
             function_of(t, pass->reductions[i], false), prefix, (unsigned)numbers[i], LEVELS,
             accumulators[i]);
    line(t, indent + 8, "blocks++;");
    line(t, indent + 4, "}");
    for (size_t i = 0; i < pass->nreductions; i++) {
        const Node *n = pass->reductions[i];
        line(
            t, indent + 4,
            "for (size_t l = 0; l < lanes; l++) %s%u_at[l] = %s_total(%s%u_part + %d * l, blocks);",
            prefix, (unsigned)numbers[i], function_of(t, n, false), prefix, (unsigned)numbers[i],
            LEVELS);
        t->w->texts[n->id] = text(t, "%s%u_at[l]", prefix, (unsigned)numbers[i]);
    }
    line(t, indent, "}");
}

/* ---- a nest ---- */

static void save_reductions(Nests *t, const PlanNest *nest, int indent) {
    for (size_t i = 0; i < nest->nsaved; i++)
        line(t, indent, "%s = %s;", saved_element(t, nest->saved[i]),
             value_text(t, t->p->saved[nest->saved[i]]));
}

static void write_nest(Nests *t, const PlanNest *nest) {
    int indent = 4;
    name_leaves(t, &nest->uniform);
    block_steps(t, &nest->uniform, indent, true);
    const size_t loops = nest->nouter - nest->across;
    for (size_t i = 0; i < loops; i++, indent += 4) {
        const char *at = t->at[nest->outer[i]];
        line(t, indent, "for (size_t %s = 0; %s < %s; %s++) {", at, at,
             t->group_size[nest->outer[i]], at);
    }
    if (nest->across) {
        const char *size = t->group_size[nest->outer[loops]];
        line(t, indent, "for (size_t tile = 0; tile < %s; tile += %d) {", size, LANES);
        indent += 4;
        line(t, indent, "const size_t lanes = %s - tile < %d ? %s - tile : %d;", size, LANES, size,
             LANES);
    }
    const bool braces = nest->nouter == 0 && t->p->nnests > 1;
    if (braces) line(t, indent, "{"), indent += 4;
    for (size_t k = 0; k < nest->npasses; k++)
        (nest->across ? across_pass : along_pass)(t, nest, &nest->passes[k], indent);
    if (nest->across) {
        across_block(t, nest, &nest->after, nest->stores, nest->nstores, indent);
        if (nest->nsaved) {
            Buf lanes, *out = begin_lanes(t, &lanes);
            save_reductions(t, nest, indent + 4);
            end_lanes(t, nest, &lanes, out, indent);
        }
    } else {
        name_leaves(t, &nest->after);
        block_steps(t, &nest->after, indent, true);
        write_stores(t, nest->stores, nest->nstores, indent);
        save_reductions(t, nest, indent);
    }
    while (indent > 4) line(t, indent -= 4, "}");
    forget(t, &nest->uniform);
    for (size_t k = 0; k < nest->npasses; k++) {
        forget(t, &nest->passes[k].before);
        for (size_t i = 0; i < nest->passes[k].nreductions; i++) {
            t->w->texts[nest->passes[k].reductions[i]->id] = NULL;
            t->w->temporaries[nest->passes[k].reductions[i]->id] = 0;
        }
    }
    forget(t, &nest->after);
}

static void declare_saved(Nests *t) {
    const char *offset = NULL;
    for (size_t i = 0; i < t->p->nsaved; i++) {
        const Node *n = t->p->saved[i];
        if (!n->axes) {
            line(t, 4, "%s saved%zu;", c_type((Type)n->type), i);
            continue;
        }
        /* integers are kept in the bytes of floats of their width */
        line(t, 4, "%s *const saved%zu = (%s *)%s%s%s%s;", c_type((Type)n->type), i,
             c_type((Type)n->type), offset ? "(" : "", "workspace", offset ? " + " : "",
             offset ? text(t, "%s)", offset) : "");
        const char *size = product_of(t, n->axes);
        offset = offset ? text(t, "%s + %s", offset, size) : size;
    }
}

void write_nests(Writer *w, const char *const *names, Buf *out) {
    const Plan *p = w->plan;
    Arena *arena = p->graph->arena;
    Nests t = {.w = w, .p = p, .names = names, .out = out, .next = 1};
    t.sizes = c_size_names(p, names);
    t.at = ARENA_ARRAY(arena, const char *, p->ngroups + 1);
    t.group_size = ARENA_ARRAY(arena, const char *, p->ngroups + 1);
    w->texts = ARENA_ARRAY(arena, const char *, p->graph->nnodes + 1);
    name_groups(&t);
    declare_saved(&t);
    for (size_t i = 0; i < p->nnests; i++) {
        Buf code;
        buf_init(&code, arena);
        t.out = &code;
        write_nest(&t, &p->nests[i]);
        t.out = out;
        put_read(&t, code.s, out);
    }
    const bool *needed = graph_needed(p->graph);
    for (size_t i = 0; i < p->nargs; i++)
        if (!p->args[i].output && !needed[p->graph->vars[p->args[i].index].node->id])
            line(&t, 4, "(void)%s;", names[p->nparams + i]);
}
