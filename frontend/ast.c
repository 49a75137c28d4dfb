/* Making trees, for the grammar, and printing them in canonical form: one spelling for each
 * operator, ASCII names, no parentheses that precedence does not need. */
#include "parse.h"

#include <string.h>

/* ---- making ---- */

/* α is alpha, wherever it stands in a name. */
static const char *greek_name(const char *s, size_t *len) {
    static const char *const lower[] = {
        "alpha", "beta",   "gamma",   "delta", "epsilon", "zeta",    "eta",  "theta", "iota",
        "kappa", "lambda", "mu",      "nu",    "xi",      "omicron", "pi",   "rho",   "sigma",
        "sigma", "tau",    "upsilon", "phi",   "chi",     "psi",     "omega"};
    static const char *const upper[] = {
        "Alpha", "Beta",   "Gamma",   "Delta", "Epsilon", "Zeta",    "Eta",  "Theta", "Iota",
        "Kappa", "Lambda", "Mu",      "Nu",    "Xi",      "Omicron", "Pi",   "Rho",   "Sigma",
        "Sigma", "Tau",    "Upsilon", "Phi",   "Chi",     "Psi",     "Omega"};
    const unsigned char *u = (const unsigned char *)s;
    *len = 2;
    const uint32_t c = (u[0] & 0x1fu) << 6 | (u[1] & 0x3fu);
    if (c >= 0x3b1 && c <= 0x3c9) return lower[c - 0x3b1];
    if (c >= 0x391 && c <= 0x3a9) return upper[c - 0x391];
    if (c == 0xb5) return "mu";
    if (c == 0x3d1) return "theta";
    if (c == 0x3d5) return "phi";
    if (c == 0x3f5) return "epsilon";
    *len = 3; /* ∞, the only other character beyond ASCII that a NAME has */
    return "inf";
}

const char *ast_name(Parser *p, Span s) {
    const char *text = p->source->text + s.begin;
    const size_t n = s.end - s.begin;
    size_t i = 0;
    while (i < n && !((unsigned char)text[i] & 0x80)) i++;
    if (n > LIMIT_NAME) {
        if (!p->failed) parse_error(p, s, DIAG_NAME_TOO_LONG, "name", LIMIT_NAME);
        return intern_text(p->names, text, 1);
    }
    if (i == n) return intern_text(p->names, text, n);
    char ascii[LIMIT_NAME * 4]; /* two bytes become at most seven */
    size_t len = 0;
    for (i = 0; i < n;) {
        if (!((unsigned char)text[i] & 0x80)) {
            ascii[len++] = text[i++];
            continue;
        }
        size_t used;
        const char *name = greek_name(text + i, &used);
        const size_t m = strlen(name);
        memcpy(ascii + len, name, m);
        len += m;
        i += used;
    }
    return intern_text(p->names, ascii, len);
}

char *name_ascii(Arena *arena, const char *name) {
    Buf b;
    buf_init(&b, arena);
    for (const char *s = name; *s;) {
        size_t used;
        const bool two =
            ((unsigned char)s[0] & 0xe0) == 0xc0 && ((unsigned char)s[1] & 0xc0) == 0x80;
        const char *letter = two ? greek_name(s, &used) : NULL;
        if (letter && used == 2)
            buf_puts(&b, letter);
        else
            buf_write(&b, s, two ? 2 : 1);
        s += two ? 2 : 1;
    }
    return b.s;
}

static Expr *make(Parser *p, ExprKind kind, Span s, unsigned depth) {
    if (p->failed) return p->bad;
    if (depth > LIMIT_DEPTH) {
        parse_too_deep(p, s);
        return p->bad;
    }
    Expr *e = ARENA_NEW(p->arena, Expr);
    e->kind = (uint8_t)kind;
    e->span = s;
    e->depth = (uint16_t)depth;
    return e;
}

static unsigned deeper(unsigned depth, const Expr *e) {
    return e && e->depth >= depth ? e->depth + 1u : depth;
}

Expr *ast_number(Parser *p, Span s) {
    Expr *e = make(p, EXPR_NUMBER, s, 1);
    if (e == p->bad) return e;
    if (s.end - s.begin > LIMIT_NUMBER) {
        parse_error(p, s, DIAG_NAME_TOO_LONG, "number", LIMIT_NUMBER);
        return p->bad;
    }
    e->text = intern_text(p->names, p->source->text + s.begin, s.end - s.begin);
    return e;
}

Expr *ast_truth(Parser *p, Span s, bool truth) {
    Expr *e = make(p, EXPR_TRUTH, s, 1);
    if (e != p->bad) e->truth = truth;
    return e;
}

Expr *ast_variable(Parser *p, Span s, const char *name) {
    Expr *e = make(p, EXPR_NAME, s, 1);
    if (e != p->bad) e->text = name;
    return e;
}

Expr *ast_unary(Parser *p, Span s, Operator op, Expr *a) {
    Expr *e = make(p, EXPR_UNARY, s, deeper(1, a));
    if (e == p->bad) return e;
    e->op = (uint8_t)op;
    e->arg[0] = a;
    return e;
}

Expr *ast_binary(Parser *p, Span s, Operator op, Expr *a, Expr *b) {
    Expr *e = make(p, EXPR_BINARY, s, deeper(deeper(1, a), b));
    if (e == p->bad) return e;
    e->op = (uint8_t)op;
    e->arg[0] = a;
    e->arg[1] = b;
    return e;
}

Expr *ast_cond(Parser *p, Span s, Expr *c, Expr *a, Expr *b) {
    Expr *e = make(p, EXPR_COND, s, deeper(deeper(deeper(1, a), b), c));
    if (e == p->bad) return e;
    e->arg[0] = c;
    e->arg[1] = a;
    e->arg[2] = b;
    return e;
}

static void take_items(Parser *p, Expr *e, ExprList list) {
    e->count = list.count;
    e->items = ARENA_ARRAY(p->arena, Expr *, list.count);
    e->ops = ARENA_ARRAY(p->arena, uint8_t, list.count);
    uint32_t n = 0;
    for (const ExprItem *i = list.first; i; i = i->next) {
        e->items[n] = i->e;
        if (n > 0) e->ops[n - 1] = i->op;
        n++;
    }
}

Expr *ast_compare(Parser *p, Span s, ExprList list) {
    unsigned depth = 1;
    for (const ExprItem *i = list.first; i; i = i->next) depth = deeper(depth, i->e);
    /* A chain is lowered to a chain of `and`. */
    Expr *e = make(p, EXPR_COMPARE, s, depth + list.count);
    if (e != p->bad) take_items(p, e, list);
    return e;
}

/* (a → b) → c is one pipe of three; the items double as they grow, and `op` holds nothing yet. */
Expr *ast_pipe(Parser *p, Span s, Expr *a, Expr *b) {
    if (a->kind == EXPR_PIPE && a->span.begin == s.begin) {
        const uint32_t n = a->count;
        if (n >= LIMIT_DEPTH) {
            if (!p->failed) parse_too_deep(p, s);
            return p->bad;
        }
        if ((n & (n - 1)) == 0) {
            Expr **more = ARENA_ARRAY(p->arena, Expr *, 2 * (size_t)n);
            memcpy(more, a->items, n * sizeof *more);
            a->items = more;
        }
        a->items[a->count++] = b;
        a->span = s;
        if (b->depth >= a->depth) a->depth = (uint16_t)(b->depth + 1);
        if (a->depth > LIMIT_DEPTH && !p->failed) parse_too_deep(p, s);
        return a;
    }
    Expr *e = make(p, EXPR_PIPE, s, deeper(deeper(1, a), b));
    if (e == p->bad) return e;
    e->items = ARENA_ARRAY(p->arena, Expr *, 2);
    e->items[0] = a;
    e->items[1] = b;
    e->count = 2;
    return e;
}

static unsigned args_depth(ArgList args) {
    unsigned depth = 1;
    for (const Arg *a = args.first; a; a = a->next) depth = deeper(depth, a->value);
    return depth;
}

Expr *ast_call(Parser *p, Span s, const char *name, Span name_span, ArgList args, bool semicolon) {
    Expr *e = make(p, EXPR_CALL, s, args_depth(args));
    if (e == p->bad) return e;
    e->call = ARENA_NEW(p->arena, Call);
    *e->call =
        (Call){.name = name, .name_span = name_span, .args = args.first, .semicolon = semicolon};
    return e;
}

Expr *ast_reduce(Parser *p, Span s, const char *name, Span name_span, AxisList axes, ArgList args) {
    Expr *e = make(p, EXPR_REDUCE, s, args_depth(args));
    if (e == p->bad) return e;
    e->call = ARENA_NEW(p->arena, Call);
    *e->call = (Call){.name = name, .name_span = name_span, .args = args.first, .axes = axes.first};
    return e;
}

ExprList list_add(Parser *p, ExprList list, uint8_t op, Expr *e) {
    ExprItem *i = ARENA_NEW(p->arena, ExprItem);
    *i = (ExprItem){e, op, NULL};
    if (list.last)
        list.last->next = i;
    else
        list.first = i;
    list.last = i;
    list.count++;
    return list;
}

Arg *arg_new(Parser *p, const char *name, Span span, Expr *value) {
    Arg *a = ARENA_NEW(p->arena, Arg);
    *a = (Arg){.name = name, .span = span, .param = name != NULL, .value = value};
    return a;
}

ArgList arg_add(ArgList list, Arg *a) {
    if (list.last)
        list.last->next = a;
    else
        list.first = a;
    list.last = a;
    return list;
}

ArgList arg_join(ArgList list, ArgList params) {
    for (Arg *a = params.first; a; a = a->next) a->param = true;
    if (!list.last) return params;
    list.last->next = params.first;
    list.last = params.last;
    return list;
}

AxisList axis_add(Parser *p, AxisList list, const char *name, Span span) {
    Axis *a = ARENA_NEW(p->arena, Axis);
    *a = (Axis){name, span, NULL};
    if (list.last)
        list.last->next = a;
    else
        list.first = a;
    list.last = a;
    return list;
}

DeclItem *decl_new(Parser *p, const char *name, Span span, bool learn, Axis *axes, Expr *value) {
    DeclItem *i = ARENA_NEW(p->arena, DeclItem);
    *i = (DeclItem){.name = name, .span = span, .learn = learn, .axes = axes, .value = value};
    return i;
}

DeclList decl_add(DeclList list, DeclItem *item) {
    if (list.last)
        list.last->next = item;
    else
        list.first = item;
    list.last = item;
    list.count++;
    return list;
}

static Local *take_locals(Parser *p, DeclList list) {
    if (list.count == 0) return NULL;
    Local *locals = ARENA_ARRAY(p->arena, Local, list.count), *l = locals;
    for (const DeclItem *i = list.first; i; i = i->next)
        *l++ = (Local){.name = i->name, .span = i->span, .value = i->value, .meant = i->meant};
    return locals;
}

void ast_define(Parser *p, Span s, const char *name, Span name_span, bool has_list, DeclList inputs,
                DeclList params, Expr *body, DeclList wheres, DeclList grads) {
    if (p->failed) return;
    Def *d = ARENA_NEW(p->arena, Def);
    *d = (Def){.name = name,
               .source = p->source,
               .name_span = name_span,
               .span = s,
               .has_list = has_list,
               .body = body};
    if (inputs.count) d->inputs = ARENA_ARRAY(p->arena, Input, inputs.count);
    for (const DeclItem *i = inputs.first; i; i = i->next)
        d->inputs[d->ninputs++] = (Input){i->name, i->span, i->axes};
    if (params.count) d->params = ARENA_ARRAY(p->arena, Param, params.count);
    for (const DeclItem *i = params.first; i; i = i->next)
        d->params[d->nparams++] =
            (Param){i->name, i->span, i->learn, i->axes, i->value, KIND_UNKNOWN};
    d->wheres = take_locals(p, wheres);
    d->nwheres = wheres.count;
    d->grads = take_locals(p, grads);
    d->ngrads = grads.count;
    p->def = d;
}

/* ---- printing ---- */

static const struct {
    const char *text;
    unsigned precedence;
} operators[] = {
#define OPERATOR(id, text, precedence) {text, precedence},
#include "operators.def"
#undef OPERATOR
};

static void print(const Expr *e, Buf *out, unsigned level);

void axes_print(const Axis *axes, Buf *out) {
    if (!axes) return;
    buf_putc(out, '[');
    for (const Axis *a = axes; a; a = a->next) {
        buf_puts(out, a->name);
        if (a->next) buf_puts(out, ", ");
    }
    buf_putc(out, ']');
}

static void print_call(const Call *c, Buf *out) {
    buf_puts(out, c->name);
    axes_print(c->axes, out);
    if (c->stage && !c->args) return;
    buf_putc(out, '(');
    bool params = false;
    for (const Arg *a = c->args; a; a = a->next) {
        if (c->semicolon && a->param && !params) {
            buf_puts(out, "; ");
            params = true;
        } else if (a != c->args) {
            buf_puts(out, ", ");
        }
        if (a->name) buf_printf(out, "%s=", a->name);
        print(a->value, out, 0);
    }
    buf_putc(out, ')');
}

static unsigned precedence_of(const Expr *e) {
    switch ((ExprKind)e->kind) {
    case EXPR_PIPE:
        return e->count > 1 ? operators[OPERATOR_PIPE].precedence : 99;
    case EXPR_COND:
        return operators[OPERATOR_COND].precedence;
    case EXPR_COMPARE:
        return operators[OPERATOR_LT].precedence;
    case EXPR_UNARY:
    case EXPR_BINARY:
        return operators[e->op].precedence;
    case EXPR_BAD:
    case EXPR_NUMBER:
    case EXPR_TRUTH:
    case EXPR_NAME:
    case EXPR_CALL:
    case EXPR_REDUCE:
        break;
    }
    return 99;
}

static void print_binary(const Expr *e, Buf *out) {
    const unsigned p = operators[e->op].precedence;
    const char *text = operators[e->op].text;
    if (e->op == OPERATOR_POW) {
        print(e->arg[0], out, p + 1);
        buf_puts(out, text);
        const Expr *b = e->arg[1];
        /* An exponent may carry signs. */
        while (b->kind == EXPR_UNARY && (b->op == OPERATOR_NEG || b->op == OPERATOR_POS)) {
            buf_puts(out, operators[b->op].text);
            b = b->arg[0];
        }
        print(b, out, p);
        return;
    }
    print(e->arg[0], out, p);
    buf_printf(out, e->op == OPERATOR_MUL || e->op == OPERATOR_DIV ? "%s" : " %s ", text);
    print(e->arg[1], out, p + 1);
}

/* In parentheses where the context binds tighter than `e`. */
static void print(const Expr *e, Buf *out, unsigned level) {
    const bool parens = precedence_of(e) < level;
    if (parens) buf_putc(out, '(');
    switch ((ExprKind)e->kind) {
    case EXPR_BAD:
        buf_puts(out, "?");
        break;
    case EXPR_NUMBER:
    case EXPR_NAME:
        buf_puts(out, e->text);
        break;
    case EXPR_TRUTH:
        buf_puts(out, e->truth ? "true" : "false");
        break;
    case EXPR_UNARY:
        buf_puts(out, operators[e->op].text);
        print(e->arg[0], out, operators[e->op].precedence);
        break;
    case EXPR_BINARY:
        print_binary(e, out);
        break;
    case EXPR_COMPARE:
        for (uint32_t i = 0; i < e->count; i++) {
            if (i > 0) buf_printf(out, " %s ", operators[e->ops[i - 1]].text);
            print(e->items[i], out, operators[OPERATOR_LT].precedence + 1);
        }
        break;
    case EXPR_COND:
        print(e->arg[0], out, operators[OPERATOR_COND].precedence + 1);
        buf_puts(out, " ? ");
        print(e->arg[1], out, operators[OPERATOR_COND].precedence);
        buf_puts(out, " : ");
        print(e->arg[2], out, operators[OPERATOR_COND].precedence);
        break;
    case EXPR_CALL:
    case EXPR_REDUCE:
        print_call(e->call, out);
        break;
    case EXPR_PIPE:
        for (uint32_t i = 0; i < e->count; i++) {
            if (i > 0) buf_puts(out, " → ");
            print(e->items[i], out, operators[OPERATOR_PIPE].precedence + 1);
        }
        break;
    }
    if (parens) buf_putc(out, ')');
}

void expr_print(const Expr *e, Buf *out) { print(e, out, 0); }

static void print_param(const Param *p, Buf *out) {
    buf_printf(out, "%s%s", p->learn ? "learn " : "", p->name);
    axes_print(p->axes, out);
    if (!p->value) return;
    buf_puts(out, " = ");
    expr_print(p->value, out);
}

static void print_doc(const char *doc, Buf *out) {
    while (*doc) {
        const size_t n = strcspn(doc, "\n");
        buf_puts(out, n ? "## " : "##");
        buf_write(out, doc, n);
        buf_putc(out, '\n');
        doc += n + (doc[n] != 0);
    }
}

void def_print_head(const Def *d, Buf *out) {
    buf_puts(out, d->name);
    if (d->has_list) {
        buf_putc(out, '(');
        for (uint32_t i = 0; i < d->ninputs; i++) {
            if (i > 0) buf_puts(out, ", ");
            buf_puts(out, d->inputs[i].name);
            axes_print(d->inputs[i].axes, out);
        }
        for (uint32_t i = 0; i < d->nparams; i++) {
            buf_puts(out, i > 0 ? ", " : "; ");
            print_param(&d->params[i], out);
        }
        buf_putc(out, ')');
    }
    buf_puts(out, " =");
}

void grad_print(const Local *g, Buf *out) {
    buf_printf(out, g->meant ? "grad %s = (" : "grad %s = ", g->name);
    expr_print(g->value, out);
    if (g->meant) buf_putc(out, ')');
}

void def_print(const Def *d, Buf *out) {
    if (d->doc) print_doc(d->doc, out);
    if (d->name) {
        def_print_head(d, out);
        buf_putc(out, ' ');
    }
    expr_print(d->body, out);
    for (uint32_t i = 0; i < d->nwheres; i++) {
        buf_printf(out, "%s%s = ", i > 0 ? ",\n          " : "\n    where ", d->wheres[i].name);
        expr_print(d->wheres[i].value, out);
    }
    for (uint32_t i = 0; i < d->ngrads; i++) {
        buf_puts(out, "\n    ");
        grad_print(&d->grads[i], out);
    }
    buf_putc(out, '\n');
}

const char *def_called(const Def *d, Arena *arena) {
    if (!d->name) return "the expression";
    Buf b;
    buf_init(&b, arena);
    buf_printf(&b, "'%s'", d->name);
    return b.s;
}
