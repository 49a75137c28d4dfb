/* One kernel's computation as C statements: one for each node that is used more than once, the
 * others inside them.
 *
 * Every primitive is one C operation, or one function of math.h that compilers know as an
 * instruction. Integers are unsigned, so they wrap; conditions are ints joined by & and |, so
 * nothing branches. */
#include "c.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEEPEST = 4, WIDTH = 100 };

static void expression(Writer *w, const Node *n, bool paren, Buf *out);

/* Whether an operation's value is worth a name although it is used once: nests stay readable. */
static bool is_leaf(const Node *n) { return n->op == OP_CONST || n->op == OP_VAR; }

/* t1 or t12_i, for the prefix t. */
static bool starts_numbered(const char *name, const char *prefix) {
    const size_t n = strlen(prefix);
    return strncmp(name, prefix, n) == 0 && name[n] >= '0' && name[n] <= '9';
}

/* A multiplication, or what compilers turn into one: fma(a, b, -0), a division by a power of two. */
static bool is_product(const Node *n) {
    if (n->op == OP_FMA) return node_is(n->arg[2], -0.0);
    if (n->op != OP_DIV) return n->op == OP_MUL;
    const Node *by = n->arg[1];
    return by->op == OP_CONST && mpfr_regular_p(by->num) && mpfr_min_prec(by->num) == 1 &&
           mpfr_get_exp(by->num) > -120 && mpfr_get_exp(by->num) < 120;
}

/* Which values come to an addition, also as one of two choices or negated: compilers move products
 * through these. */
static void find_added(Writer *w, const bool *needed) {
    const Graph *g = w->plan->graph;
    /* narrow_f16 adds */
    for (size_t i = 0; i < g->nouts; i++) w->added[g->outs[i].node->id] = g->storage == TYPE_F16;
    for (size_t i = g->nnodes; i-- > 0;) { /* users stand behind what they use */
        const Node *n = g->nodes[i];
        const bool adds = n->op == OP_ADD || n->op == OP_SUB || n->op == OP_SUM;
        const bool passes = n->op == OP_NEG || n->op == OP_ABS || n->op == OP_SELECT ||
                            n->op == OP_GUARD || n->op == OP_WIDEN || n->op == OP_NARROW;
        for (int k = 0; needed[i] && k < n->nargs; k++)
            if (adds || (passes && w->added[i])) w->added[n->arg[k]->id] = true;
    }
    for (size_t i = 0; i < g->nnodes; i++)
        if (needed[i] && w->added[i] && is_product(g->nodes[i]))
            w->helpers[g->nodes[i]->type == TYPE_F32 ? HELPER_PRODUCT_F32 : HELPER_PRODUCT_F64] =
                true;
}

void writer_init(Writer *w, const Plan *plan, const char **variables) {
    const Graph *g = plan->graph;
    *w = (Writer){.plan = plan, .variables = variables, .prefix = "t"};
    w->temporaries = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    w->uses = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    const bool *needed = graph_needed(g);
    for (size_t i = 0; i < g->nnodes; i++)
        for (int k = 0; needed[i] && k < g->nodes[i]->nargs; k++)
            w->uses[g->nodes[i]->arg[k]->id] +=
                g->nodes[i]->op == OP_ORD ? 2 : 1; /* stands twice in its text */
    for (size_t i = 0; i < g->nouts; i++) w->uses[g->outs[i].node->id]++;
    w->added = ARENA_ARRAY(g->arena, bool, g->nnodes + 1);
    find_added(w, needed);
    /* no argument may be called like a temporary */
    static const char *const prefixes[] = {"t",         "t_",         "tmp",        "tmp_",
                                           "temporary", "temporary_", "temporary__"};
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++) {
        bool clash = false;
        for (size_t i = 0; i < plan->nparams + plan->nargs; i++)
            clash = clash || starts_numbered(variables[i], prefixes[k]);
        w->prefix = prefixes[k];
        if (!clash) break;
    }
}

void write_line(const char *line, int indent, Buf *out) {
    const int first = indent;
    for (const char *s = line; *s;) {
        size_t n = strlen(s);
        const size_t room = (size_t)(WIDTH - indent);
        if (n > room) {
            /* at the last comma that fits, else at the last space; where nothing fits, the line
             * stays long */
            size_t comma = 0, space = 0;
            for (size_t i = 1; i <= room; i++)
                if (s[i] == ' ') {
                    space = i;
                    if (s[i - 1] == ',') comma = i;
                }
            if (2 * comma >= room)
                n = comma;
            else if (space)
                n = space;
        }
        buf_printf(out, "%*s%.*s\n", indent, "", (int)n, s);
        s += n + (s[n] == ' ');
        indent = first + 4;
    }
}

/* Digits are made by hand: printf's decimal point is the locale's. A multiple of 1/8, exactly:
 * 0.5f, -104.0f, 9.125f. */
static void short_decimal(double v, const char *suffix, Buf *out) {
    static const char *const eighths[] = {"0", "125", "25", "375", "5", "625", "75", "875"};
    const unsigned long k = (unsigned long)(8 * fabs(v));
    buf_printf(out, "%s%lu.%s%s", signbit(v) ? "-" : "", k / 8, eighths[k % 8], suffix);
}

/* What %a prints: -0x1.8p+1. */
static void hexadecimal(double v, const char *suffix, Buf *out) {
    enum { MANTISSA = 52, BIAS = 1023 };
    uint64_t u;
    memcpy(&u, &v, sizeof u);
    const int exponent = (int)(u >> MANTISSA & 0x7ff);
    char digits[16];
    int n = snprintf(digits, sizeof digits, "%013llx",
                     (unsigned long long)(u & (((uint64_t)1 << MANTISSA) - 1)));
    while (n && digits[n - 1] == '0') n--;
    buf_printf(out, "%s0x%d%s%.*sp%+d%s", signbit(v) ? "-" : "", exponent != 0, n ? "." : "", n,
               digits, exponent ? exponent - BIAS : 1 - BIAS, suffix);
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
        if (mpfr_nan_p(n->num))
            buf_puts(out, "NAN");
        else if (mpfr_inf_p(n->num))
            buf_puts(out, v < 0 ? "-INFINITY" : "INFINITY");
        else if (v > -1e6 && v < 1e6 && 8 * v == (double)(long)(8 * v))
            short_decimal(v, suffix, out);
        else
            hexadecimal(v, suffix, out);
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

/* How far to shift: below 64, so any type will do. */
static void shift(Writer *w, const char *sign, const Node *n, Buf *out) {
    expression(w, n->arg[0], true, out);
    buf_puts(out, sign);
    if (n->arg[1]->op == OP_CONST)
        buf_printf(out, "%u", (unsigned)n->arg[1]->bits);
    else
        expression(w, n->arg[1], true, out);
}

/* x > 0 rather than 0 < x. */
static void compare(Writer *w, const char *sign, const char *turned, const Node *n, Buf *out) {
    const bool turn = n->arg[0]->op == OP_CONST;
    expression(w, n->arg[turn], true, out);
    buf_puts(out, turn ? turned : sign);
    expression(w, n->arg[!turn], true, out);
}

static void infix(Writer *w, const char *sign, const Node *n, Buf *out) {
    expression(w, n->arg[0], true, out);
    buf_puts(out, sign);
    expression(w, n->arg[1], true, out);
}

/* A product that must not fuse with an addition; see helpers/product_f32.c.in. */
static void product(Writer *w, const Node *n, Buf *out) {
    const char *type = n->type == TYPE_F32 ? "f32" : "f64";
    buf_printf(out, "product_%s(", type);
    expression(w, n->arg[0], false, out);
    buf_puts(out, ", ");
    if (n->op == OP_DIV) buf_puts(out, "1 / ");
    expression(w, n->arg[1], n->op == OP_DIV, out);
    buf_printf(out, ", zero_%s)", type);
}

static void cast(Writer *w, const char *type, const Node *n, Buf *out) {
    buf_printf(out, "(%s)", type);
    expression(w, n, true, out);
}

static void bits(Writer *w, const Node *n, Buf *out) {
    const bool wide = n->arg[0]->type == TYPE_F64 || n->arg[0]->type == TYPE_I64;
    w->helpers[wide ? HELPER_BITS_F64 : HELPER_BITS_F32] = true;
    buf_puts(out, n->op == OP_BITS ? (wide ? "bits_f64(" : "bits_f32(")
                  : wide           ? "from_bits_f64("
                                   : "from_bits_f32(");
    expression(w, n->arg[0], false, out);
    buf_putc(out, ')');
}

/* not (x == x), written out. */
static bool is_nan_test(const Writer *w, const Node *n) {
    const Node *a = n->arg[0];
    return n->op == OP_NOT && a->op == OP_ORD && a->arg[0] == a->arg[1] && !w->temporaries[a->id];
}

static void operation(Writer *w, const Node *n, Buf *out) {
    const bool wide = n->nargs && (n->arg[0]->type == TYPE_I64);
    const char *signed_type = wide ? "int64_t" : "int32_t";
    if (w->added[n->id] && is_product(n)) {
        product(w, n, out);
        return;
    }
    switch ((Op)n->op) {
    case OP_ADD:
    case OP_IADD:
        infix(w, " + ", n, out);
        return;
    case OP_SUB:
    case OP_ISUB:
        infix(w, " - ", n, out);
        return;
    case OP_MUL:
    case OP_IMUL:
        infix(w, " * ", n, out);
        return;
    case OP_DIV:
        infix(w, " / ", n, out);
        return;
    case OP_NEG:
        buf_putc(out, '-');
        if (is_negative(n->arg[0])) buf_putc(out, ' '); /* "--" is another sign */
        expression(w, n->arg[0], true, out);
        return;
    case OP_ABS:
        call(w, "fabs", n, out);
        return;
    case OP_FMA:
        call(w, "fma", n, out);
        return;
    case OP_SQRT:
        call(w, "sqrt", n, out);
        return;
    case OP_FLOOR:
        call(w, "floor", n, out);
        return;
    case OP_CEIL:
        call(w, "ceil", n, out);
        return;
    case OP_ROUND:
        call(w, "rint", n, out);
        return;
    case OP_TRUNC:
        call(w, "trunc", n, out);
        return;
    case OP_LT:
        compare(w, " < ", " > ", n, out);
        return;
    case OP_LE:
        compare(w, " <= ", " >= ", n, out);
        return;
    case OP_EQ:
    case OP_IEQ:
        infix(w, " == ", n, out);
        return;
    case OP_NE:
        infix(w, " != ", n, out);
        return;
    case OP_ORD:
        for (int k = 0; k < (n->arg[0] == n->arg[1] ? 1 : 2); k++) {
            buf_puts(out, k ? ") & (" : n->arg[0] == n->arg[1] ? "" : "(");
            expression(w, n->arg[k], true, out);
            buf_puts(out, " == ");
            expression(w, n->arg[k], true, out);
        }
        if (n->arg[0] != n->arg[1]) buf_putc(out, ')');
        return;
    case OP_AND:
        infix(w, " & ", n, out);
        return;
    case OP_OR:
        infix(w, " | ", n, out);
        return;
    case OP_NOT:
        if (is_nan_test(w, n)) {
            expression(w, n->arg[0]->arg[0], true, out);
            buf_puts(out, " != ");
            expression(w, n->arg[0]->arg[0], true, out);
            return;
        }
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
    case OP_ASFLOAT:
        bits(w, n, out);
        return;
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
    case OP_IAND:
        infix(w, " & ", n, out);
        return;
    case OP_IOR:
        infix(w, " | ", n, out);
        return;
    case OP_IXOR:
        infix(w, " ^ ", n, out);
        return;
    case OP_ISHL:
        shift(w, " << ", n, out);
        return;
    case OP_USHR:
        shift(w, " >> ", n, out);
        return;
    case OP_ISHR:
        buf_printf(out, "(%s)(", c_type((Type)n->type));
        cast(w, signed_type, n->arg[0], out);
        buf_puts(out, " >> ");
        if (n->arg[1]->op == OP_CONST)
            buf_printf(out, "%u", (unsigned)n->arg[1]->bits);
        else
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
    case OP_WIDEN:
        cast(w, "double", n->arg[0], out);
        return;
    case OP_NARROW:
        cast(w, "float", n->arg[0], out);
        return;
    case OP_IWIDEN:
        buf_puts(out, "(uint64_t)(int64_t)");
        cast(w, "int32_t", n->arg[0], out);
        return;
    case OP_INARROW:
        cast(w, "uint32_t", n->arg[0], out);
        return;
    case OP_GUARD: /* in a block of its own */
    case OP_SUM:
    case OP_PROD:
    case OP_LARGEST:
    case OP_SMALLEST:
    case OP_IFIRST:
    case OP_ELEMENTS:
    case OP_INDEX:
    case OP_CONST:
    case OP_VAR:
    case OP_BAD:
#define PRIM(id, name, sig, props, d0, d1, d2)
#define EXPAND(id, name, sig, props, d0, d1, d2) case OP_##id:
#include "ops.def"
#undef PRIM
#undef EXPAND
    case OP_COUNT:
        return;
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
    case OP_ASFLOAT:
    case OP_CONST:
        return true;
    default:
        return false;
    }
}

static void expression(Writer *w, const Node *n, bool paren, Buf *out) {
    const uint32_t t = w->temporaries[n->id];
    if (w->texts && w->texts[n->id]) {
        buf_puts(out, w->texts[n->id]);
        return;
    }
    if (t) {
        buf_printf(out, "%s%u", w->prefix, (unsigned)t);
        return;
    }
    paren = paren && !is_atom(n) && !(w->added[n->id] && is_product(n));
    if (paren) buf_putc(out, '(');
    if (n->op == OP_CONST)
        constant(n, out);
    else if (n->op == OP_VAR)
        buf_puts(out, w->variables[n->attr]);
    else
        operation(w, n, out);
    if (paren) buf_putc(out, ')');
}

void write_value(Writer *w, const Node *n, Buf *out) { expression(w, n, false, out); }

static const char *use_half(Writer *w, Type t) {
    w->helpers[HELPER_BITS_F32] = w->helpers[t == TYPE_F16 ? HELPER_F16 : HELPER_BF16] = true;
    return t == TYPE_F16 ? "f16" : "bf16";
}

void write_load(Writer *w, const PlanArg *a, const char *text, Buf *out) {
    if (type_is_half(a->type))
        buf_printf(out, "widen_%s(%s)", use_half(w, a->type), text);
    else
        buf_puts(out, text);
}

void write_store(Writer *w, const PlanArg *a, const Node *n, Buf *out) {
    if (type_is_half(a->type)) buf_printf(out, "narrow_%s(", use_half(w, a->type));
    expression(w, n, false, out);
    if (type_is_half(a->type)) buf_putc(out, ')');
}

/* How deep the text of n nests, names counting as nothing. */
static int nesting(const Writer *w, const Node *n) {
    int deepest = 0;
    if (w->temporaries[n->id] || is_leaf(n) || (w->texts && w->texts[n->id])) return 0;
    for (int k = 0; k < n->nargs; k++) {
        const int d = nesting(w, n->arg[k]);
        if (d > deepest) deepest = d;
    }
    return deepest + 1;
}

static void declare(Writer *w, const Node *n, uint32_t *next, int indent, Buf *out) {
    Buf line;
    buf_init(&line, out->arena);
    buf_printf(&line, "const %s %s%u = ", c_type((Type)n->type), w->prefix, (unsigned)*next);
    expression(w, n, false, &line);
    buf_putc(&line, ';');
    write_line(line.s, indent, out);
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
    Buf fast, condition, slow;
    buf_init(&fast, out->arena);
    buf_init(&condition, out->arena);
    buf_init(&slow, out->arena);
    buf_printf(&fast, "%s %s%u = ", c_type((Type)n->type), w->prefix, (unsigned)name);
    expression(w, n->arg[2], false, &fast);
    buf_putc(&fast, ';');
    write_line(fast.s, indent, out);
    buf_puts(&condition, "if (");
    expression(w, n->arg[0], false, &condition);
    buf_puts(&condition, ") {");
    write_line(condition.s, indent, out);
    if (step->slow) write_steps(w, step->slow, indent + 4, next, out);
    buf_printf(&slow, "%s%u = ", w->prefix, (unsigned)name);
    expression(w, n->arg[1], false, &slow);
    buf_putc(&slow, ';');
    write_line(slow.s, indent + 4, out);
    buf_printf(out, "%*s}\n", indent, "");
    w->temporaries[n->id] = name;
}

static void write_steps(Writer *w, const PlanBlock *block, int indent, uint32_t *next, Buf *out) {
    for (size_t i = 0; i < block->count; i++) {
        const Node *n = block->steps[i].node;
        if (w->texts && w->texts[n->id]) continue; /* it has been computed elsewhere */
        if (n->op == OP_GUARD)
            write_guard(w, &block->steps[i], indent, next, out);
        else if (!is_leaf(n) && (w->name_all || w->uses[n->id] > 1 || nesting(w, n) >= DEEPEST))
            declare(w, n, next, indent, out);
    }
}

void write_prologue(const Writer *w, int indent, Buf *out) {
    if (w->helpers[HELPER_PRODUCT_F32])
        buf_printf(out, "%*sconst float zero_f32 = minus_zero_f32();\n", indent, "");
    if (w->helpers[HELPER_PRODUCT_F64])
        buf_printf(out, "%*sconst double zero_f64 = minus_zero_f64();\n", indent, "");
}

void write_block_from(Writer *w, const PlanBlock *block, int indent, uint32_t *next, Buf *out) {
    write_steps(w, block, indent, next, out);
}

void write_block(Writer *w, const PlanBlock *block, int indent, Buf *out) {
    uint32_t next = next_temporary(w);
    write_steps(w, block, indent, &next, out);
}
