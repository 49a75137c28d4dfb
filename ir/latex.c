/* One expression as LaTeX: fractions, powers, roots, cases; what occurs several times and is not
 * small gets a name. */
#include <string.h>

#include "ir.h"

/* L_NEGATIVE begins with a minus sign. */
enum { L_SUM, L_NEGATIVE, L_PRODUCT, L_POWER, L_ATOM };

typedef struct {
    const Graph *g;
    Buf *out;
    uint32_t *names;
    const Node *unsigned_once; /* a negative constant whose sign stands in front already */
} Latex;

static void write(Latex *l, const Node *n, int around);

/* alpha is \alpha, a word of several letters upright. */
static void write_name(Latex *l, const char *name) {
    static const char *const greek[] = {"alpha", "beta",  "gamma", "delta",  "epsilon", "zeta",
                                        "eta",   "theta", "kappa", "lambda", "mu",      "nu",
                                        "xi",    "pi",    "rho",   "sigma",  "tau",     "phi",
                                        "chi",   "psi",   "omega"};
    for (size_t i = 0; i < sizeof greek / sizeof *greek; i++)
        if (strcmp(greek[i], name) == 0) {
            buf_printf(l->out, "\\%s", name);
            return;
        }
    if (!name[1]) {
        buf_puts(l->out, name);
        return;
    }
    buf_puts(l->out, "\\mathrm{");
    for (const char *s = name; *s; s++) {
        if (*s == '_') buf_putc(l->out, '\\');
        buf_putc(l->out, *s);
    }
    buf_putc(l->out, '}');
}

static bool is_named(const Latex *l, const Node *n) {
    return n->op > OP_BAD && n->id < l->g->nnodes && l->g->nodes[n->id] == n && l->names[n->id];
}

/* A constant as it came about (sqrt(2/pi)), where its digits are many. */
static const Node *shown(const Latex *l, const Node *n) {
    NUMBER_TEMP(pi, NUMBER_BITS);
    Buf shortest;
    buf_init(&shortest, l->out->arena);
    mpfr_const_pi(pi, MPFR_RNDN);
    while (n->op == OP_CONST && n->num && n->form && !mpfr_equal_p(n->num, pi) &&
           mpfr_regular_p(n->num) && !print_shortest(&shortest, n->num, 6, TYPE_BOOL))
        n = n->form;
    return n;
}

/* The negative constant with whose sign the text of a term begins, or NULL. */
static const Node *leading_negative(const Latex *l, const Node *n) {
    for (;;) {
        if (is_named(l, n)) return NULL;
        n = shown(l, n);
        if (n->op == OP_MUL)
            n = n->arg[0];
        else
            return n->op == OP_CONST && n->num && !mpfr_nan_p(n->num) && mpfr_signbit(n->num)
                       ? n
                       : NULL;
    }
}

static void write_number(Latex *l, const Node *n, int around) {
    mpfr_srcptr v = n->num;
    const bool negative = mpfr_signbit(v) && l->unsigned_once != n;
    const bool paren = negative && around > L_NEGATIVE;
    NUMBER_TEMP(pi, NUMBER_BITS);
    mpfr_const_pi(pi, MPFR_RNDN);
    if (l->unsigned_once == n) l->unsigned_once = NULL;
    if (paren) buf_puts(l->out, "\\left(");
    if (mpfr_nan_p(v)) {
        buf_puts(l->out, "\\mathrm{NaN}");
    } else {
        if (negative) buf_putc(l->out, '-');
        if (mpfr_inf_p(v))
            buf_puts(l->out, "\\infty");
        else if (mpfr_zero_p(v))
            buf_putc(l->out, '0');
        else if (mpfr_equal_p(v, pi))
            buf_puts(l->out, "\\pi");
        else {
            Buf digits;
            buf_init(&digits, l->out->arena);
            print_shortest(&digits, v, 17, (Type)n->type);
            const char *e = strchr(digits.s, 'e');
            if (e)
                buf_printf(l->out, "%.*s\\cdot 10^{%s}", (int)(e - digits.s), digits.s, e + 1);
            else
                buf_puts(l->out, digits.s);
        }
    }
    if (paren) buf_puts(l->out, "\\right)");
}

static void write_call(Latex *l, const char *command, const Node *n) {
    buf_puts(l->out, command);
    buf_puts(l->out, "\\left(");
    for (int k = 0; k < n->nargs; k++) {
        if (k) buf_puts(l->out, ", ");
        write(l, n->arg[k], L_SUM);
    }
    buf_puts(l->out, "\\right)");
}

static void write_between(Latex *l, const char *open, const Node *n, const char *close) {
    buf_puts(l->out, open);
    write(l, n, L_SUM);
    buf_puts(l->out, close);
}

static void write_infix(Latex *l, const Node *n, const char *sign, int left, int right) {
    write(l, n->arg[0], left);
    buf_puts(l->out, sign);
    write(l, n->arg[1], right);
}

/* Functions that LaTeX or mathematicians have a command for. */
static const char *command_of(Op op) {
    switch (op) {
    case OP_SIN:
        return "\\sin";
    case OP_COS:
        return "\\cos";
    case OP_TAN:
        return "\\tan";
    case OP_ASIN:
        return "\\arcsin";
    case OP_ACOS:
        return "\\arccos";
    case OP_ATAN:
        return "\\arctan";
    case OP_SINH:
        return "\\sinh";
    case OP_COSH:
        return "\\cosh";
    case OP_TANH:
        return "\\tanh";
    case OP_LOG:
        return "\\ln";
    case OP_LOG2:
        return "\\log_2";
    case OP_MAX:
        return "\\max";
    case OP_MIN:
        return "\\min";
    case OP_SIGMOID:
        return "\\sigma";
    case OP_NORMCDF:
        return "\\Phi";
    case OP_SECH2:
        return "\\operatorname{sech}^2";
    default:
        return NULL;
    }
}

static int precedence(const Latex *l, const Node *n) {
    switch ((Op)n->op) {
    case OP_ADD:
    case OP_SUB:
    case OP_COND:
        return L_SUM;
    case OP_NEG:
        return L_NEGATIVE;
    case OP_MUL:
        return leading_negative(l, n) && !l->unsigned_once ? L_NEGATIVE : L_PRODUCT;
    case OP_DIV:
        return L_PRODUCT;
    case OP_POW:
    case OP_EXP:
    case OP_EXP2:
        return L_POWER;
    default:
        return L_ATOM;
    }
}

/* Factors stand beside each other, with a dot where digits would meet. */
static void write_product(Latex *l, const Node *n) {
    Buf right, *out = l->out;
    write(l, n->arg[0], L_NEGATIVE);
    buf_init(&right, out->arena);
    l->out = &right;
    write(l, n->arg[1], L_PRODUCT);
    l->out = out;
    buf_puts(out, right.s[0] >= '0' && right.s[0] <= '9' ? " \\cdot " : " \\, ");
    buf_puts(out, right.s);
}

static void write_op(Latex *l, const Node *n) {
    const char *command = command_of((Op)n->op);
    if (command) {
        write_call(l, command, n);
        return;
    }
    switch ((Op)n->op) {
    case OP_ADD: {
        write(l, n->arg[0], L_SUM);
        l->unsigned_once = leading_negative(l, n->arg[1]);
        buf_puts(l->out, l->unsigned_once ? " - " : " + ");
        write(l, n->arg[1], L_SUM);
        return;
    }
    case OP_SUB:
        write_infix(l, n, " - ", L_SUM, L_PRODUCT);
        return;
    case OP_MUL:
        write_product(l, n);
        return;
    case OP_DIV:
        write_between(l, "\\frac{", n->arg[0], "}");
        write_between(l, "{", n->arg[1], "}");
        return;
    case OP_NEG:
        buf_putc(l->out, '-');
        write(l, n->arg[0], L_PRODUCT);
        return;
    case OP_ABS:
        write_between(l, "\\left|", n->arg[0], "\\right|");
        return;
    case OP_RSQRT:
        write_between(l, "\\frac{1}{\\sqrt{", n->arg[0], "}}");
        return;
    case OP_SQRT:
        write_between(l, "\\sqrt{", n->arg[0], "}");
        return;
    case OP_FLOOR:
        write_between(l, "\\left\\lfloor ", n->arg[0], "\\right\\rfloor ");
        return;
    case OP_CEIL:
        write_between(l, "\\left\\lceil ", n->arg[0], "\\right\\rceil ");
        return;
    case OP_EXP:
        write_between(l, "e^{", n->arg[0], "}");
        return;
    case OP_EXP2:
        write_between(l, "2^{", n->arg[0], "}");
        return;
    case OP_POW:
        write(l, n->arg[0], L_ATOM);
        write_between(l, "^{", n->arg[1], "}");
        return;
    case OP_LT:
    case OP_LE: {
        const bool turned = node_is_const(n->arg[0]); /* x > 0 rather than 0 < x */
        write(l, n->arg[turned], L_SUM);
        buf_puts(l->out, n->op == OP_LT ? (turned ? " > " : " < ") : turned ? " \\ge " : " \\le ");
        write(l, n->arg[!turned], L_SUM);
        return;
    }
    case OP_EQ:
        write_infix(l, n, " = ", L_SUM, L_SUM);
        return;
    case OP_NE:
        write_infix(l, n, " \\ne ", L_SUM, L_SUM);
        return;
    case OP_AND:
        write_infix(l, n, " \\land ", L_SUM, L_SUM);
        return;
    case OP_OR:
        write_infix(l, n, " \\lor ", L_SUM, L_SUM);
        return;
    case OP_NOT:
        buf_puts(l->out, "\\lnot ");
        write_between(l, "\\left(", n->arg[0], "\\right)");
        return;
    case OP_COND:
        write_between(l, "\\begin{cases} ", n->arg[1], " & ");
        write_between(l, "\\text{if } ", n->arg[0], " \\\\ ");
        write_between(l, "", n->arg[2], " & \\text{otherwise} \\end{cases}");
        return;
    default: {
        Buf name;
        buf_init(&name, l->out->arena);
        buf_printf(&name, "\\operatorname{%s}", op_info[n->op].name);
        write_call(l, name.s, n);
    }
    }
}

static void write(Latex *l, const Node *n, int around) {
    if (is_named(l, n)) {
        buf_printf(l->out, "t_{%u}", (unsigned)l->names[n->id]);
        return;
    }
    n = shown(l, n);
    if (n->op == OP_CONST) {
        if (n->num)
            write_number(l, n, around);
        else
            buf_puts(l->out, n->bits ? "\\text{true}" : "\\text{false}");
    } else if (n->op == OP_VAR) {
        write_name(l, l->g->vars[n->attr].name);
    } else {
        const bool paren = precedence(l, n) < around;
        if (paren) buf_puts(l->out, "\\left(");
        write_op(l, n);
        if (paren) buf_puts(l->out, "\\right)");
    }
}

/* Names for what is used several times and is more than a function of a variable; and to keep nests
 * shallow. */
static void choose_names(Latex *l, const Node *root) {
    enum { DEEPEST = 24 };
    const Graph *g = l->g;
    uint32_t *uses = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1);
    uint8_t *depth = ARENA_ARRAY(g->arena, uint8_t, g->nnodes + 1);
    uint32_t next = 1;
    uses[root->id] = 1;
    for (size_t i = root->id + 1u; i-- > 0;)
        for (int k = 0; uses[i] && k < g->nodes[i]->nargs; k++) uses[g->nodes[i]->arg[k]->id]++;
    for (size_t i = 0; i <= root->id; i++) {
        const Node *n = g->nodes[i];
        for (int k = 0; k < n->nargs; k++)
            if (depth[n->arg[k]->id] >= depth[i]) depth[i] = (uint8_t)(depth[n->arg[k]->id] + 1);
        if (n->type != TYPE_BOOL && ((uses[i] > 1 && depth[i] > 1) || depth[i] >= DEEPEST)) {
            l->names[i] = uses[i] ? next++ : 0;
            depth[i] = 0;
        }
    }
}

void node_print_latex(const Graph *g, const Node *n, Buf *out) {
    Latex l = {.g = g, .out = out, .names = ARENA_ARRAY(g->arena, uint32_t, g->nnodes + 1)};
    choose_names(&l, n);
    write(&l, n, L_SUM);
    const char *before = " \\quad\\text{where } ";
    for (size_t i = 0; i < g->nnodes; i++) {
        const uint32_t name = l.names[i];
        if (!name) continue;
        buf_printf(out, "%st_{%u} = ", before, (unsigned)name);
        before = ",\\; ";
        l.names[i] = 0;
        write(&l, g->nodes[i], L_SUM);
        l.names[i] = name;
    }
}
