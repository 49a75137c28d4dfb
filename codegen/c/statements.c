/* One kernel's computation as C statements: one for each node that is used more than once, the others inside them.
 *
 * Every primitive is one C operation, or one function of math.h that compilers know as an instruction. Integers are
 * unsigned, so they wrap; conditions are ints joined by & and |, so nothing branches. */
#include "c.h"

#include <string.h>

enum { DEEPEST = 4 };

static void expression(Writer *w, const Node *n, bool paren, Buf *out);

/* Whether an operation's value is worth a name although it is used once: nests stay readable. */
static bool is_leaf(const Node *n) { return n->op == OP_CONST || n->op == OP_VAR; }

void writer_init(Writer *w, const Plan *plan, const char **variables) {
    const Graph *g = plan->graph;
    *w = (Writer){.plan = plan, .variables = variables, .prefix = "t"};
    w->temporaries = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    w->uses = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    const bool *needed = graph_needed(g);
    for (size_t i = 0; i < g->nnodes; i++)
        for (int k = 0; needed[i] && k < g->nodes[i]->nargs; k++)
            w->uses[g->nodes[i]->arg[k]->id] += g->nodes[i]->op == OP_ORD ? 2 : 1; /* stands twice in its text */
    for (size_t i = 0; i < g->nouts; i++) w->uses[g->outs[i].node->id]++;
    /* no argument may be called like a temporary */
    static const char *const prefixes[] = {"t", "t_", "tmp", "tmp_"};
    for (size_t k = 0; k < 4; k++) {
        bool clash = false;
        for (size_t i = 0; i < plan->nparams + plan->nargs; i++)
            clash = clash || strncmp(variables[i], prefixes[k], strlen(prefixes[k])) == 0;
        w->prefix = prefixes[k];
        if (!clash) break;
    }
}

static void constant(const Node *n, Buf *out) {
    if (n->type == TYPE_BOOL) {
        buf_putc(out, n->bits ? '1' : '0');
    } else if (n->type == TYPE_I32) {
        buf_printf(out, n->bits < 1000 ? "%luu" : "0x%lxu", (unsigned long)n->bits);
    } else if (n->type == TYPE_I64) {
        buf_printf(out, "UINT64_C(0x%llx)", (unsigned long long)n->bits);
    } else {
        const char *suffix = n->type == TYPE_F32 ? "f" : "";
        const double v = mpfr_get_d(n->num, MPFR_RNDN);
        if (mpfr_nan_p(n->num)) buf_puts(out, "NAN");
        else if (mpfr_inf_p(n->num)) buf_puts(out, v < 0 ? "-INFINITY" : "INFINITY");
        else if (v == (double)(long)v && v > -1e6 && v < 1e6) buf_printf(out, mpfr_signbit(n->num) ? "-%ld.0%s" : "%ld.0%s", (long)(v < 0 ? -v : v), suffix);
        else buf_printf(out, "%a%s", v, suffix);
    }
}

static bool is_negative(const Node *n) { return n->num && mpfr_signbit(n->num); }

static void call(Writer *w, const char *name, const Node *n, Buf *out) {
    buf_puts(out, name);
    buf_puts(out, n->arg[0]->type == TYPE_F32 ? "f(" : "(");
    for (int k = 0; k < n->nargs; k++) {
        if (k) buf_puts(out, ", ");
        expression(w, n->arg[k], false, out);
    }
    buf_putc(out, ')');
}

static void infix(Writer *w, const char *sign, const Node *n, Buf *out) {
    expression(w, n->arg[0], true, out);
    buf_puts(out, sign);
    expression(w, n->arg[1], true, out);
}

static void cast(Writer *w, const char *type, const Node *n, Buf *out) {
    buf_printf(out, "(%s)", type);
    expression(w, n, true, out);
}

static void bits(Writer *w, const Node *n, Buf *out) {
    const bool wide = n->arg[0]->type == TYPE_F64 || n->arg[0]->type == TYPE_I64;
    w->helpers[wide ? HELPER_BITS_F64 : HELPER_BITS_F32] = true;
    buf_puts(out, n->op == OP_BITS ? (wide ? "bits_f64(" : "bits_f32(") : wide ? "from_bits_f64(" : "from_bits_f32(");
    expression(w, n->arg[0], false, out);
    buf_putc(out, ')');
}

static void operation(Writer *w, const Node *n, Buf *out) {
    const bool wide = n->nargs && (n->arg[0]->type == TYPE_I64);
    const char *signed_type = wide ? "int64_t" : "int32_t";
    switch ((Op)n->op) {
    case OP_ADD:
    case OP_IADD: infix(w, " + ", n, out); return;
    case OP_SUB:
    case OP_ISUB: infix(w, " - ", n, out); return;
    case OP_MUL:
    case OP_IMUL: infix(w, " * ", n, out); return;
    case OP_DIV: infix(w, " / ", n, out); return;
    case OP_NEG:
        buf_putc(out, '-');
        expression(w, n->arg[0], true, out);
        return;
    case OP_ABS: call(w, "fabs", n, out); return;
    case OP_FMA: call(w, "fma", n, out); return;
    case OP_SQRT: call(w, "sqrt", n, out); return;
    case OP_FLOOR: call(w, "floor", n, out); return;
    case OP_CEIL: call(w, "ceil", n, out); return;
    case OP_ROUND: call(w, "rint", n, out); return;
    case OP_TRUNC: call(w, "trunc", n, out); return;
    case OP_LT: infix(w, " < ", n, out); return;
    case OP_LE: infix(w, " <= ", n, out); return;
    case OP_EQ:
    case OP_IEQ: infix(w, " == ", n, out); return;
    case OP_NE: infix(w, " != ", n, out); return;
    case OP_ORD:
        for (int k = 0; k < (n->arg[0] == n->arg[1] ? 1 : 2); k++) {
            buf_puts(out, k ? ") & (" : n->arg[0] == n->arg[1] ? "" : "(");
            expression(w, n->arg[k], true, out);
            buf_puts(out, " == ");
            expression(w, n->arg[k], true, out);
        }
        if (n->arg[0] != n->arg[1]) buf_putc(out, ')');
        return;
    case OP_AND: infix(w, " & ", n, out); return;
    case OP_OR: infix(w, " | ", n, out); return;
    case OP_NOT:
        buf_putc(out, '!');
        expression(w, n->arg[0], true, out);
        return;
    case OP_SELECT:
        expression(w, n->arg[0], true, out);
        buf_puts(out, " ? ");
        expression(w, n->arg[1], true, out);
        buf_puts(out, " : ");
        expression(w, n->arg[2], true, out);
        return;
    case OP_BITS:
    case OP_ASFLOAT: bits(w, n, out); return;
    case OP_UMULH:
        if (wide) {
            w->helpers[HELPER_PRODUCT_64] = true;
            buf_puts(out, "upper_product(");
            expression(w, n->arg[0], false, out);
            buf_puts(out, ", ");
            expression(w, n->arg[1], false, out);
            buf_putc(out, ')');
        } else {
            buf_puts(out, "(uint32_t)((");
            cast(w, "uint64_t", n->arg[0], out);
            buf_puts(out, " * ");
            expression(w, n->arg[1], true, out);
            buf_puts(out, ") >> 32)");
        }
        return;
    case OP_IAND: infix(w, " & ", n, out); return;
    case OP_IOR: infix(w, " | ", n, out); return;
    case OP_IXOR: infix(w, " ^ ", n, out); return;
    case OP_ISHL: infix(w, " << ", n, out); return;
    case OP_USHR: infix(w, " >> ", n, out); return;
    case OP_ISHR:
        buf_printf(out, "(%s)(", c_type((Type)n->type));
        cast(w, signed_type, n->arg[0], out);
        buf_puts(out, " >> ");
        expression(w, n->arg[1], true, out);
        buf_putc(out, ')');
        return;
    case OP_ILT:
        cast(w, signed_type, n->arg[0], out);
        buf_puts(out, " < ");
        cast(w, signed_type, n->arg[1], out);
        return;
    case OP_ITOF:
        buf_printf(out, "(%s)", c_type((Type)n->type));
        cast(w, signed_type, n->arg[0], out);
        return;
    case OP_WIDEN: cast(w, "double", n->arg[0], out); return;
    case OP_NARROW: cast(w, "float", n->arg[0], out); return;
    case OP_IWIDEN:
        buf_puts(out, "(uint64_t)(int64_t)");
        cast(w, "int32_t", n->arg[0], out);
        return;
    case OP_INARROW: cast(w, "uint32_t", n->arg[0], out); return;
    case OP_GUARD: /* in a block of its own */
    case OP_CONST:
    case OP_VAR:
    case OP_BAD:
#define PRIM(id, name, sig, props, d0, d1, d2)
#define EXPAND(id, name, sig, props, d0, d1, d2) case OP_##id:
#include "ops.def"
#undef PRIM
#undef EXPAND
    case OP_COUNT: return;
    }
}

/* Whether the text of n stands without parentheses beside any operator. */
static bool is_atom(const Node *n) {
    switch ((Op)n->op) {
    case OP_VAR:
    case OP_ABS:
    case OP_FMA:
    case OP_SQRT:
    case OP_FLOOR:
    case OP_CEIL:
    case OP_ROUND:
    case OP_TRUNC:
    case OP_BITS:
    case OP_ASFLOAT: return true;
    case OP_CONST: return !is_negative(n);
    default: return false;
    }
}

static void expression(Writer *w, const Node *n, bool paren, Buf *out) {
    const uint32_t t = w->temporaries[n->id];
    if (t) {
        buf_printf(out, "%s%u", w->prefix, (unsigned)t);
        return;
    }
    paren = paren && !is_atom(n);
    if (paren) buf_putc(out, '(');
    if (n->op == OP_CONST) constant(n, out);
    else if (n->op == OP_VAR) buf_puts(out, w->variables[n->attr]);
    else operation(w, n, out);
    if (paren) buf_putc(out, ')');
}

void write_value(Writer *w, const Node *n, Buf *out) { expression(w, n, false, out); }

/* How deep the text of n nests, names counting as nothing. */
static int nesting(const Writer *w, const Node *n) {
    int deepest = 0;
    if (w->temporaries[n->id] || is_leaf(n)) return 0;
    for (int k = 0; k < n->nargs; k++) {
        const int d = nesting(w, n->arg[k]);
        if (d > deepest) deepest = d;
    }
    return deepest + 1;
}

static void declare(Writer *w, const Node *n, uint32_t *next, int indent, Buf *out) {
    buf_printf(out, "%*sconst %s %s%u = ", indent, "", c_type((Type)n->type), w->prefix, (unsigned)*next);
    expression(w, n, false, out);
    buf_puts(out, ";\n");
    w->temporaries[n->id] = (*next)++;
}

static uint32_t next_temporary(const Writer *w) {
    uint32_t most = 0;
    for (size_t i = 0; i < w->plan->graph->nnodes; i++)
        if (w->temporaries[i] > most) most = w->temporaries[i];
    return most + 1;
}

static void write_steps(Writer *w, const PlanBlock *block, int indent, uint32_t *next, Buf *out);

static void write_guard(Writer *w, const PlanStep *step, int indent, uint32_t *next, Buf *out) {
    const Node *n = step->node;
    const uint32_t name = (*next)++;
    buf_printf(out, "%*s%s %s%u = ", indent, "", c_type((Type)n->type), w->prefix, (unsigned)name);
    expression(w, n->arg[2], false, out);
    buf_printf(out, ";\n%*sif (", indent, "");
    expression(w, n->arg[0], false, out);
    buf_puts(out, ") {\n");
    if (step->slow) write_steps(w, step->slow, indent + 4, next, out);
    buf_printf(out, "%*s%s%u = ", indent + 4, "", w->prefix, (unsigned)name);
    expression(w, n->arg[1], false, out);
    buf_printf(out, ";\n%*s}\n", indent, "");
    w->temporaries[n->id] = name;
}

static void write_steps(Writer *w, const PlanBlock *block, int indent, uint32_t *next, Buf *out) {
    for (size_t i = 0; i < block->count; i++) {
        const Node *n = block->steps[i].node;
        if (n->op == OP_GUARD) write_guard(w, &block->steps[i], indent, next, out);
        else if (!is_leaf(n) && (w->uses[n->id] > 1 || nesting(w, n) >= DEEPEST)) declare(w, n, next, indent, out);
    }
}

void write_block(Writer *w, const PlanBlock *block, int indent, Buf *out) {
    uint32_t next = next_temporary(w);
    write_steps(w, block, indent, &next, out);
}
