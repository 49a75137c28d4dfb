/* Prints the text form of a graph, which read.c reads back to the same graph:
 *
 *     elu_backward(x, cotangent dy) = (dx = x > 0 ? dy : dmul(dy, t1))
 *         where t1 = exp(x)
 *
 * Expressions are the language's, with every operation of ops.def as a function. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

/* ---- printing ---- */

enum { P_COND, P_OR, P_AND, P_NOT, P_COMPARE, P_SUM, P_PRODUCT, P_UNARY, P_POWER, P_ATOM };

static const char *const kind_words[] = {[VAR_PARAM] = "param ",
                                         [VAR_INPUT] = "",
                                         [VAR_LEARN] = "learn ",
                                         [VAR_COTANGENT] = "cotangent "};

typedef struct {
    const Graph *g;
    Buf *out;
    uint32_t *names; /* for each node: 0, or the number of its name t1, t2, … */
    const char *prefix;
    bool language; /* for people and the frontend: no f32(0.1), no hexadecimal digits beyond the
                      type */
    const Node *unsigned_once; /* a negative constant whose sign stands in front already: a - 2*b */
} Printer;

static void print(Printer *p, const Node *n, int around);

static const char *infix(Op op, int *prec) {
    switch (op) {
    case OP_ADD:
        *prec = P_SUM;
        return " + ";
    case OP_SUB:
        *prec = P_SUM;
        return " - ";
    case OP_MUL:
        *prec = P_PRODUCT;
        return "*";
    case OP_DIV:
        *prec = P_PRODUCT;
        return "/";
    case OP_POW:
        *prec = P_POWER;
        return "^";
    case OP_LT:
        *prec = P_COMPARE;
        return " < ";
    case OP_LE:
        *prec = P_COMPARE;
        return " <= ";
    case OP_EQ:
        *prec = P_COMPARE;
        return " == ";
    case OP_NE:
        *prec = P_COMPARE;
        return " != ";
    case OP_AND:
        *prec = P_AND;
        return " and ";
    case OP_OR:
        *prec = P_OR;
        return " or ";
    default:
        return NULL;
    }
}

/* Digits and exponent as people write them: 0.001, 1e-07, 120. */
static void put_decimal(Buf *out, const char *digits, mpfr_exp_t exp10) {
    const long n = (long)strlen(digits);
    if (exp10 > 21 || exp10 < -5) {
        buf_putc(out, digits[0]);
        if (n > 1) buf_putc(out, '.');
        buf_puts(out, digits + 1);
        buf_printf(out, "e%ld", (long)exp10 - 1);
    } else if (exp10 <= 0) {
        buf_puts(out, "0.");
        for (long i = exp10; i < 0; i++) buf_putc(out, '0');
        buf_puts(out, digits);
    } else {
        for (long i = 0; i < exp10; i++) buf_putc(out, i < n ? digits[i] : '0');
        if (n > exp10) buf_putc(out, '.'), buf_puts(out, digits + exp10);
    }
}

/* The shortest decimal of at most `most` digits that reads back to v, rounded to `type` unless that
 * is TYPE_BOOL. */
bool print_shortest(Buf *out, mpfr_srcptr v, size_t most, Type type) {
    NUMBER_TEMP(back, NUMBER_BITS);
    NUMBER_TEMP(target, NUMBER_BITS);
    if (type == TYPE_BOOL)
        mpfr_set(target, v, MPFR_RNDN);
    else
        fold_decode(target, fold_encode(v, type), type);
    bool found = false;
    for (size_t digits = 1; digits <= most && !found; digits++) {
        mpfr_exp_t e;
        char s[64];
        mpfr_get_str(s, &e, 10, digits, target, MPFR_RNDN);
        char *d = s[0] == '-' ? s + 1 : s, text[96];
        size_t len = strlen(d);
        while (len > 1 && d[len - 1] == '0') d[--len] = 0;
        text[0] = '.';
        memcpy(text + 1, d, len + 1);
        size_t at = len + 1;
        text[at++] = 'e';
        char num[24];
        int k = 0;
        for (long x = labs((long)e); x || !k; x /= 10) num[k++] = (char)('0' + x % 10);
        if (e < 0) text[at++] = '-';
        while (k) text[at++] = num[--k];
        text[at] = 0;
        mpfr_strtofr(back, text, NULL, 10, MPFR_RNDN);
        if (type != TYPE_BOOL) fold_decode(back, fold_encode(back, type), type);
        if (mpfr_cmpabs(back, target) == 0) {
            put_decimal(out, d, e);
            found = true;
        }
    }
    return found;
}

/* A number that is not short. What is a value of its type, as params are, prints as people wrote it
 * (0.01); else enough digits that nothing computed from it in a type is off by them. */
static bool put_precise(Buf *out, mpfr_srcptr v, Type type) {
    enum { EXACT = 40, DIGITS = 25 };
    char s[EXACT];
    mpfr_exp_t e;
    NUMBER_TEMP(same, NUMBER_BITS);
    fold_decode(same, fold_encode(v, type), type);
    if (mpfr_equal_p(same, v) && print_shortest(out, v, 17, type)) return true;
    if (print_shortest(out, v, EXACT, TYPE_BOOL)) return true;
    mpfr_get_str(s, &e, 10, DIGITS, v, MPFR_RNDN);
    size_t n = strlen(s);
    while (n > 1 && s[n - 1] == '0') s[--n] = 0;
    put_decimal(out, s, e);
    return true;
}

/* f32(0.1), if v is a number of that type with a short name. */
static bool put_rounded(Buf *out, mpfr_srcptr v, uint64_t bits, Type type) {
    NUMBER_TEMP(same, NUMBER_BITS);
    fold_decode(same, bits, type);
    if (mpfr_cmpabs(same, v) != 0) return false;
    const size_t open = out->len;
    buf_puts(out, type == TYPE_F32 ? "f32(" : "f64(");
    if (print_shortest(out, v, 17, type)) {
        buf_putc(out, ')');
        return true;
    }
    out->len = open;
    out->s[open] = 0;
    return false;
}

static void put_hexadecimal(Buf *out, mpfr_srcptr v) {
    char text[128]; /* 64 digits and an exponent */
    const double d = mpfr_get_d(v, MPFR_RNDN);
    if (mpfr_cmp_d(v, d) == 0)
        buf_printf(out, "%a", d); /* the familiar 0x1.8p+1 */
    else if (mpfr_snprintf(text, sizeof text, "%Ra", v) > 0)
        buf_puts(out, text);
}

static bool is_named_constant(mpfr_srcptr v, const char **name) {
    NUMBER_TEMP(c, NUMBER_BITS);
    mpfr_const_pi(c, MPFR_RNDN);
    *name = mpfr_equal_p(c, v) ? "pi" : NULL;
    if (!*name) {
        mpfr_set_ui(c, 1, MPFR_RNDN);
        mpfr_exp(c, c, MPFR_RNDN);
        if (mpfr_equal_p(c, v)) *name = "e";
    }
    return *name != NULL;
}

/* Whether a constant prints as it came about: sqrt(2/pi). */
static bool uses_form(const Graph *g, const Node *n) {
    if (n->op != OP_CONST || !n->num || !n->form || g->expanded || !mpfr_regular_p(n->num))
        return false;
    const char *name;
    NUMBER_TEMP(size, NUMBER_BITS);
    mpfr_abs(size, n->num, MPFR_RNDN);
    Buf scratch;
    buf_init(&scratch, g->arena);
    return !is_named_constant(size, &name) && !print_shortest(&scratch, n->num, 17, TYPE_BOOL);
}

/* The negative constant with whose sign the text of a term begins, or NULL. */
static const Node *leading_negative(const Printer *p, const Node *n) {
    for (;;) {
        if (p->names && p->names[n->id] && p->g->nodes[n->id] == n) return NULL;
        if (uses_form(p->g, n))
            n = n->form;
        else if (n->op == OP_MUL || n->op == OP_DIV)
            n = n->arg[0];
        else
            return n->op == OP_CONST && n->num && !mpfr_nan_p(n->num) && mpfr_signbit(n->num)
                       ? n
                       : NULL;
    }
}

static void print_number(Printer *p, const Node *n, int around) {
    Buf *out = p->out;
    mpfr_srcptr v = n->num;
    const bool real = n->type == p->g->real;
    const char *name;
    if (mpfr_nan_p(v)) {
        buf_puts(out, "nan");
    } else {
        const bool negative = mpfr_signbit(v) != 0 && p->unsigned_once != n;
        if (p->unsigned_once == n) p->unsigned_once = NULL;
        const bool paren = negative && around > P_UNARY;
        NUMBER_TEMP(size, NUMBER_BITS);
        mpfr_abs(size, v, MPFR_RNDN);
        if (is_named_constant(v, &name)) {
            buf_puts(out, name);
        } else if (mpfr_inf_p(v) || mpfr_zero_p(v)) {
            if (paren) buf_putc(out, '(');
            buf_puts(out, negative ? "-" : "");
            buf_puts(out, mpfr_inf_p(v) ? "inf" : "0");
            if (paren) buf_putc(out, ')');
        } else {
            const size_t start = out->len;
            if (paren) buf_putc(out, '(');
            if (negative) buf_putc(out, '-');
            const Type t = (Type)n->type;
            if (print_shortest(out, size, p->g->expanded ? 7 : 17, TYPE_BOOL)) {
                if (paren) buf_putc(out, ')');
            } else if (uses_form(p->g, n)) {
                out->len = start;
                out->s[start] = 0;
                print(p, n->form, around);
            } else {
                if (p->language ? !put_precise(out, size, t)
                                : p->g->expanded || (!put_rounded(out, size, n->bits, t) &&
                                                     !print_shortest(out, size, 40, TYPE_BOOL)))
                    put_hexadecimal(out, size);
                if (paren) buf_putc(out, ')');
            }
        }
    }
    if (!real) buf_putc(out, n->type == TYPE_F64 ? 'd' : 'f');
}

static void print_constant(Printer *p, const Node *n, int around) {
    if (n->num)
        print_number(p, n, around);
    else if (n->type == TYPE_BOOL)
        buf_puts(p->out, n->bits ? "true" : "false");
    else if (n->type == TYPE_I32)
        buf_printf(p->out, "0x%xi", (unsigned)n->bits);
    else
        buf_printf(p->out, "0x%llxl", (unsigned long long)n->bits);
}

/* [.., n, d]: their names, in the order of a variable's array or of the graph. */
static void put_axes(const Graph *g, AxisSet axes, const uint8_t *order, size_t rank, Buf *out) {
    uint8_t all[MAX_AXES + 1];
    if (!order) {
        rank = 0;
        for (unsigned bit = 0; bit <= MAX_AXES; bit++)
            if (axes >> bit & 1) all[rank++] = (uint8_t)bit;
        order = all;
    }
    buf_putc(out, '[');
    for (size_t i = 0; i < rank; i++)
        buf_printf(out, "%s%s", i ? ", " : "", order[i] ? g->axes[order[i] - 1].name : "..");
    buf_putc(out, ']');
}

/* Reductions have the language's names. */
static const char *axes_word(Op op) {
    return op == OP_LARGEST ? "max" : op == OP_SMALLEST ? "min" : op_info[op].name;
}

static bool has_axes_word(Op op) {
    return op_is_reduction(op) || op == OP_ELEMENTS || op == OP_INDEX;
}

static void print_op(Printer *p, const Node *n, int around) {
    Buf *out = p->out;
    int prec = P_ATOM;
    if (has_axes_word((Op)n->op)) {
        buf_puts(out, axes_word((Op)n->op));
        put_axes(p->g, n->attr, NULL, 0, out);
        if (!n->nargs) return;
        buf_putc(out, '(');
        print(p, n->arg[0], P_COND);
        buf_putc(out, ')');
        return;
    }
    const char *sign = infix((Op)n->op, &prec);
    if (n->op == OP_COND) prec = P_COND;
    if (n->op == OP_NEG) prec = P_UNARY;
    if (n->op == OP_NOT) prec = P_NOT;
    const bool paren = prec < around;
    if (paren) buf_putc(out, '(');
    if (n->op == OP_COND) {
        print(p, n->arg[0], P_OR);
        buf_puts(out, " ? ");
        print(p, n->arg[1], P_OR);
        buf_puts(out, " : ");
        print(p, n->arg[2], P_COND);
    } else if (n->op == OP_NEG) {
        buf_putc(out, '-');
        print(p, n->arg[0], P_POWER);
    } else if (n->op == OP_NOT) {
        buf_puts(out, "not ");
        print(p, n->arg[0], P_COMPARE);
    } else if (sign && n->op == OP_POW) {
        print(p, n->arg[0], P_ATOM);
        buf_puts(out, sign);
        print(p, n->arg[1], P_UNARY);
    } else if (sign) {
        const Node *a = n->arg[0], *b = n->arg[1];
        if ((n->op == OP_LT || n->op == OP_LE) && node_is_const(a)) { /* x > 0 rather than 0 < x */
            const Node *t = a;
            a = b;
            b = t;
            sign = n->op == OP_LT ? " > " : " >= ";
        }
        print(p, a, prec == P_COMPARE ? prec + 1 : prec);
        if (n->op == OP_ADD && p->language && (p->unsigned_once = leading_negative(p, b)))
            sign = " - ";
        buf_puts(out, sign);
        print(p, b, prec + 1);
    } else {
        buf_puts(out, op_info[n->op].name);
        buf_putc(out, '(');
        for (int k = 0; k < n->nargs; k++) {
            if (k) buf_puts(out, ", ");
            print(p, n->arg[k], P_COND);
        }
        buf_putc(out, ')');
    }
    if (paren) buf_putc(out, ')');
}

static void print(Printer *p, const Node *n, int around) {
    if (p->names && n->op > OP_BAD && p->names[n->id] && p->g->nodes[n->id] == n)
        buf_printf(p->out, "%s%u", p->prefix, (unsigned)p->names[n->id]);
    else if (n->op == OP_CONST)
        print_constant(p, n, around);
    else if (n->op == OP_VAR)
        buf_puts(p->out, p->g->vars[n->attr].name);
    else if (n->op == OP_BAD)
        buf_puts(p->out, "bad()");
    else
        print_op(p, n, around);
}

/* A name for temporaries that no variable or output has. */
static const char *free_prefix(const Graph *g) {
    static const char *const prefixes[] = {"t", "t_", "t__", "t___", "t____", "t_____"};
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++) {
        bool clash = false;
        const size_t len = strlen(prefixes[k]);
        for (size_t i = 0; i < g->nvars + g->nouts; i++) {
            const char *s = i < g->nvars ? g->vars[i].name : g->outs[i - g->nvars].name;
            if (strncmp(s, prefixes[k], len) == 0 && isdigit((unsigned char)s[len])) clash = true;
        }
        if (!clash) return prefixes[k];
    }
    return "t______";
}

/* Deep nests would be deep recursion and unreadable: from this depth on a node gets a name of its
 * own. */
enum { DEEPEST_PRINTED = 12 };

static void choose_names(const Graph *g, const Node *const *roots, size_t nroots, Printer *p) {
    uint32_t *uses = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    uint8_t *depth = ARENA_ARRAY(g->arena, uint8_t, g->nnodes + 1);
    for (size_t i = 0; i < nroots; i++) uses[roots[i]->id]++;
    for (size_t i = g->nnodes; i-- > 0;)
        if (uses[i])
            for (int k = 0; k < g->nodes[i]->nargs; k++) uses[g->nodes[i]->arg[k]->id]++;
    p->names = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    uint32_t next = 1;
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!uses[i] || n->nargs == 0) continue;
        for (int k = 0; k < n->nargs; k++)
            if (depth[n->arg[k]->id] >= depth[i]) depth[i] = (uint8_t)(depth[n->arg[k]->id] + 1);
        const bool trivial = n->op == OP_NEG && n->arg[0]->nargs == 0;
        if ((uses[i] > 1 && !trivial) || g->expanded || depth[i] >= DEEPEST_PRINTED) {
            p->names[i] = next++;
            depth[i] = 0;
        }
    }
}

static void print_where(Printer *p, const char *where, const char *comma) {
    for (size_t i = 0; i < p->g->nnodes; i++) {
        const uint32_t name = p->names[i];
        if (!name) continue;
        buf_printf(p->out, "%s%s%u = ", where, p->prefix, (unsigned)name);
        where = comma;
        p->names[i] = 0;
        print(p, p->g->nodes[i], P_COND);
        p->names[i] = name;
    }
}

/* What graph_output takes for the array's axes. */
static AxisSet usual_axes(const Node *n) { return n->axes ? n->axes : AXES_REST; }

void graph_print(const Graph *g, Buf *out) {
    Printer p = {.g = g, .out = out, .prefix = free_prefix(g)};
    const Node **roots = ARENA_ARRAY(g->arena, const Node *, g->nouts + 1);
    for (size_t i = 0; i < g->nouts; i++) roots[i] = g->outs[i].node;
    choose_names(g, roots, g->nouts, &p);
    buf_printf(out, "%s(", g->name);
    for (size_t i = 0; i < g->nvars; i++) {
        const Var *v = &g->vars[i];
        buf_printf(out, "%s%s%s", i ? ", " : "", kind_words[v->kind], v->name);
        if (v->node->axes != (v->kind == VAR_PARAM ? 0 : AXES_REST))
            put_axes(g, v->node->axes, v->order, v->rank, out);
    }
    buf_puts(out, ") = ");
    const bool bare = g->nouts == 1 && strcmp(g->outs[0].name, "y") == 0 &&
                      g->outs[0].axes == usual_axes(g->outs[0].node);
    if (!bare) buf_putc(out, '(');
    for (size_t i = 0; i < g->nouts; i++) {
        if (i) buf_puts(out, ", ");
        if (!bare) buf_puts(out, g->outs[i].name);
        if (g->outs[i].axes != usual_axes(g->outs[i].node))
            put_axes(g, g->outs[i].axes, g->outs[i].order, g->outs[i].rank, out);
        if (!bare) buf_puts(out, " = ");
        print(&p, g->outs[i].node, P_COND);
    }
    if (!bare) buf_putc(out, ')');
    print_where(&p, "\n    where ", ",\n          ");
    buf_putc(out, '\n');
}

void node_print(const Graph *g, const Node *n, Buf *out) {
    Printer p = {.g = g, .out = out, .prefix = free_prefix(g), .language = true};
    choose_names(g, &n, 1, &p);
    print(&p, n, P_COND);
    print_where(&p, " where ", ", ");
}
