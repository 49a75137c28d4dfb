/* Reads the text form of graphs (print.c), the derivatives of ops.def and the rules of rules.def.
 * It is small on purpose: people's text goes through frontend/. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

typedef struct {
    const char *s, *at;
    Graph *g;
    Node *(*op)(Graph *g, Op op, Node *a, Node *b, Node *c);
    Binding *bound;
    size_t nbound, bound_cap;
    const char *error;
    const char *error_at;
    int depth;
} Reader;

enum { DEEPEST_READ = 500 };

static Node *read_cond(Reader *r);

static Node *fail(Reader *r, const char *message) {
    if (!r->error) r->error = message, r->error_at = r->at;
    return graph_bad(r->g, r->g->real);
}

static void skip_space(Reader *r) {
    while (isspace((unsigned char)*r->at)) r->at++;
}

static bool is_name_char(char c) {
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static bool take(Reader *r, const char *sign) {
    skip_space(r);
    const size_t n = strlen(sign);
    if (strncmp(r->at, sign, n) != 0) return false;
    if (is_name_char(sign[n - 1]) && is_name_char(r->at[n])) return false;
    if (strcmp(sign, "<") == 0 && r->at[1] == '=') return false;
    if (strcmp(sign, ">") == 0 && r->at[1] == '=') return false;
    if (strcmp(sign, "=") == 0 && r->at[1] == '=') return false;
    r->at += n;
    return true;
}

static bool expect(Reader *r, const char *sign) {
    if (take(r, sign)) return true;
    fail(r, "expected another sign here");
    return false;
}

static size_t name_length(Reader *r) {
    skip_space(r);
    size_t n = 0;
    if (isdigit((unsigned char)*r->at)) return 0;
    while (is_name_char(r->at[n])) n++;
    return n;
}

/* Types that do not fit are the reader's error, not an assertion. */
static Node *make(Reader *r, Op op, Node *a, Node *b, Node *c) {
    const char *sig = op_info[op].signature;
    Node *const arg[3] = {a, b, c};
    int f = -1, x = -1, i = -1;
    if (r->error) return graph_bad(r->g, r->g->real);
    for (int k = 0; k < op_info[op].nargs; k++) {
        const int t = arg[k]->type;
        int *seen = sig[k + 1] == 'f' ? &f : sig[k + 1] == 'i' ? &i : sig[k + 1] == 'x' ? &x : NULL;
        const bool fits = sig[k + 1] == 'f'   ? type_is_float((Type)t)
                          : sig[k + 1] == 'i' ? type_is_int((Type)t)
                          : sig[k + 1] == 'b' ? t == TYPE_BOOL
                          : sig[k + 1] == 'w' ? t == TYPE_F64
                          : sig[k + 1] == 'l' ? t == TYPE_I64
                                              : true;
        if (!fits || (seen && *seen >= 0 && *seen != t)) return fail(r, "arguments of wrong types");
        if (seen) *seen = t;
    }
    return r->op(r->g, op, a, b, c);
}

static Node *number(Reader *r, mpfr_ptr v) {
    Type t = r->g->real;
    if (*r->at == 'd' && !is_name_char(r->at[1]))
        t = TYPE_F64, r->at++;
    else if (*r->at == 'f' && !is_name_char(r->at[1]))
        t = TYPE_F32, r->at++;
    return graph_number(r->g, t, v);
}

static Node *read_number(Reader *r) {
    char *end;
    const bool hex = r->at[0] == '0' && (r->at[1] == 'x' || r->at[1] == 'X');
    const char *s = r->at;
    if (hex) { /* an integer ends in i or l; a float has an exponent */
        const unsigned long long v = strtoull(s, &end, 16);
        if (*end == 'i' || *end == 'l') {
            r->at = end + 1;
            return graph_int(r->g, *end == 'i' ? TYPE_I32 : TYPE_I64, (int64_t)v);
        }
    } else {
        const unsigned long long v = strtoull(s, &end, 10);
        if ((*end == 'i' || *end == 'l') && !is_name_char(end[1])) {
            r->at = end + 1;
            return graph_int(r->g, *end == 'i' ? TYPE_I32 : TYPE_I64, (int64_t)v);
        }
    }
    NUMBER_TEMP(v, NUMBER_BITS);
    mpfr_strtofr(v, s, &end, hex ? 16 : 10, MPFR_RNDN);
    Node *n;
    if (end == s) {
        n = fail(r, "expected a number");
    } else {
        r->at = end;
        n = number(r, v);
    }
    return n;
}

static Node *read_rounded(Reader *r, Type t) {
    Node *n = read_cond(r);
    expect(r, ")");
    if (r->error || !node_is_const(n) || !n->num) return fail(r, "expected a constant to round");
    NUMBER_TEMP(v, NUMBER_BITS);
    fold_decode(v, fold_encode(n->num, t), t);
    n = number(r, v);
    return n;
}

static Node *read_constant(Reader *r, const char *s, size_t n) {
    NUMBER_TEMP(v, NUMBER_BITS);
    bool known = true;
    if (n == 2 && memcmp(s, "pi", 2) == 0)
        mpfr_const_pi(v, MPFR_RNDN);
    else if (n == 1 && *s == 'e')
        mpfr_set_ui(v, 1, MPFR_RNDN), mpfr_exp(v, v, MPFR_RNDN);
    else if (n >= 3 && n <= 4 && memcmp(s, "inf", 3) == 0)
        mpfr_set_inf(v, 1), r->at = s + 3;
    else if (n >= 3 && n <= 4 && memcmp(s, "nan", 3) == 0)
        mpfr_set_nan(v), r->at = s + 3;
    else
        known = false;
    Node *c = known ? number(r, v) : NULL;
    if (c && r->at < s + n) return fail(r, "unknown name");
    return c;
}

static const char *read_word(Reader *r);

/* A name that is new is bound here. Fills `order` with sets of one; false after an error. */
static bool read_axes(Reader *r, AxisSet *order, size_t *rank) {
    *rank = 0;
    if (!expect(r, "[")) return false;
    if (take(r, "]")) return true;
    do {
        AxisSet bit = 0;
        if (take(r, "..")) {
            bit = AXES_REST;
        } else {
            const char *name = read_word(r);
            for (size_t i = 0; i < r->g->naxes; i++)
                if (strcmp(r->g->axes[i].name, name) == 0) bit = (AxisSet)2 << i;
            if (!bit && !r->error) bit = graph_axis(r->g, name, 0);
        }
        if (!bit || *rank > MAX_AXES) return fail(r, "too many axes"), false;
        order[(*rank)++] = bit;
    } while (!r->error && take(r, ","));
    return expect(r, "]");
}

static AxisSet union_of(const AxisSet *order, size_t rank) {
    AxisSet all = 0;
    for (size_t i = 0; i < rank; i++) all |= order[i];
    return all;
}

/* sum[d](x), elements[d], index[d]. */
static Node *read_over_axes(Reader *r, const char *s, size_t n) {
    static const struct {
        const char *name;
        Op op;
    } words[] = {{"sum", OP_SUM},       {"prod", OP_PROD},     {"max", OP_LARGEST},
                 {"min", OP_SMALLEST},  {"ifirst", OP_IFIRST}, {"elements", OP_ELEMENTS},
                 {"index", OP_INDEX}};
    AxisSet order[MAX_AXES + 1];
    size_t rank;
    Op op = OP_COUNT;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].name) == n && memcmp(words[i].name, s, n) == 0) op = words[i].op;
    if (op == OP_COUNT) return fail(r, "unknown reduction");
    if (!read_axes(r, order, &rank)) return graph_bad(r->g, r->g->real);
    const AxisSet axes = union_of(order, rank);
    const Type real = r->g->real;
    if (op == OP_ELEMENTS) return graph_elements(r->g, real, axes);
    if (op == OP_INDEX) return graph_index(r->g, real == TYPE_F32 ? TYPE_I32 : TYPE_I64, axes);
    if (!expect(r, "(")) return graph_bad(r->g, real);
    Node *a = read_cond(r);
    expect(r, ")");
    if (r->error) return graph_bad(r->g, real);
    if (op == OP_IFIRST ? !type_is_int((Type)a->type) : !type_is_float((Type)a->type))
        return fail(r, "arguments of wrong types");
    return graph_reduce(r->g, op, a, axes);
}

static Node *read_name(Reader *r) {
    const char *s = r->at;
    const size_t n = name_length(r);
    if (!n) return fail(r, "expected an expression");
    r->at += n;
    for (size_t i = r->nbound; i-- > 0;)
        if (strncmp(r->bound[i].name, s, n) == 0 && !r->bound[i].name[n]) return r->bound[i].node;
    if (n == 4 && memcmp(s, "true", 4) == 0) return graph_bool(r->g, true);
    if (n == 5 && memcmp(s, "false", 5) == 0) return graph_bool(r->g, false);
    Node *c = read_constant(r, s, n);
    if (c) return c;
    if (*r->at == '[') return read_over_axes(r, s, n);
    if (!take(r, "(")) return fail(r, "unknown name");
    if (n == 3 && memcmp(s, "f32", 3) == 0) return read_rounded(r, TYPE_F32);
    if (n == 3 && memcmp(s, "f64", 3) == 0) return read_rounded(r, TYPE_F64);
    char name[32];
    if (n >= sizeof name) return fail(r, "unknown operation");
    memcpy(name, s, n);
    name[n] = 0;
    const Op op = op_by_name(name);
    if (op == OP_COUNT || op_is_reduction(op) || op == OP_ELEMENTS || op == OP_INDEX)
        return fail(r, "unknown operation");
    Node *arg[3] = {NULL, NULL, NULL};
    for (int k = 0; k < op_info[op].nargs; k++) {
        if (k) expect(r, ",");
        arg[k] = read_cond(r);
    }
    expect(r, ")");
    return make(r, op, arg[0], arg[1], arg[2]);
}

static Node *read_atom(Reader *r) {
    skip_space(r);
    if (take(r, "(")) {
        Node *n = read_cond(r);
        expect(r, ")");
        return n;
    }
    if (isdigit((unsigned char)*r->at) || *r->at == '.') return read_number(r);
    return read_name(r);
}

static Node *read_unary(Reader *r) {
    if (++r->depth > DEEPEST_READ) {
        r->depth--;
        return fail(r, "nested too deeply");
    }
    Node *n;
    if (take(r, "-")) {
        n = read_unary(r);
        n = make(r, OP_NEG, n, NULL, NULL);
    } else {
        n = read_atom(r);
        if (take(r, "^")) n = make(r, OP_POW, n, read_unary(r), NULL);
    }
    r->depth--;
    return n;
}

static Node *read_product(Reader *r) {
    Node *n = read_unary(r);
    for (;;) {
        if (take(r, "*"))
            n = make(r, OP_MUL, n, read_unary(r), NULL);
        else if (take(r, "/"))
            n = make(r, OP_DIV, n, read_unary(r), NULL);
        else
            return n;
    }
}

static Node *read_sum(Reader *r) {
    Node *n = read_product(r);
    for (;;) {
        if (take(r, "+"))
            n = make(r, OP_ADD, n, read_product(r), NULL);
        else if (take(r, "-"))
            n = make(r, OP_SUB, n, read_product(r), NULL);
        else
            return n;
    }
}

static Node *read_compare(Reader *r) {
    Node *a = read_sum(r);
    if (take(r, "<=")) return make(r, OP_LE, a, read_sum(r), NULL);
    if (take(r, "<")) return make(r, OP_LT, a, read_sum(r), NULL);
    if (take(r, "==")) return make(r, OP_EQ, a, read_sum(r), NULL);
    if (take(r, "!=")) return make(r, OP_NE, a, read_sum(r), NULL);
    if (take(r, ">=")) return make(r, OP_LE, read_sum(r), a, NULL);
    if (take(r, ">")) return make(r, OP_LT, read_sum(r), a, NULL);
    return a;
}

static Node *read_not(Reader *r) {
    if (!take(r, "not")) return read_compare(r);
    if (++r->depth > DEEPEST_READ) return fail(r, "nested too deeply");
    Node *n = read_not(r);
    r->depth--;
    return make(r, OP_NOT, n, NULL, NULL);
}

static Node *read_and(Reader *r) {
    Node *n = read_not(r);
    while (take(r, "and")) n = make(r, OP_AND, n, read_not(r), NULL);
    return n;
}

static Node *read_or(Reader *r) {
    Node *n = read_and(r);
    while (take(r, "or")) n = make(r, OP_OR, n, read_and(r), NULL);
    return n;
}

static Node *read_cond(Reader *r) {
    Node *c = read_or(r);
    if (!take(r, "?")) return c;
    if (++r->depth > DEEPEST_READ) return fail(r, "nested too deeply");
    Node *a = read_cond(r);
    expect(r, ":");
    Node *b = read_cond(r);
    r->depth--;
    return make(r, OP_COND, c, a, b);
}

static void bind(Reader *r, const char *name, Node *node) {
    *ARENA_PUSH(r->g->arena, r->bound, r->nbound, r->bound_cap) = (Binding){name, node};
}

static const char *read_word(Reader *r) {
    const size_t n = name_length(r);
    if (!n) {
        fail(r, "expected a name");
        return "";
    }
    r->at += n;
    return arena_copy(r->g->arena, r->at - n, n);
}

static void read_vars(Reader *r) {
    if (!expect(r, "(") || take(r, ")")) return;
    do {
        VarKind kind = VAR_INPUT;
        if (take(r, "param"))
            kind = VAR_PARAM;
        else if (take(r, "learn"))
            kind = VAR_LEARN;
        else if (take(r, "cotangent"))
            kind = VAR_COTANGENT;
        const char *name = read_word(r);
        AxisSet order[MAX_AXES + 1] = {AXES_REST};
        size_t rank = kind != VAR_PARAM;
        if (*r->at == '[' && !read_axes(r, order, &rank)) return;
        bind(r, name, graph_array(r->g, kind, name, r->g->real, order, rank));
    } while (!r->error && take(r, ","));
    expect(r, ")");
}

/* `where` stands behind the body but must be read first: it is found by its word. */
static void read_where(Reader *r, const char *where) {
    if (!where) return;
    r->at = where;
    expect(r, "where");
    do {
        const char *name = read_word(r);
        if (expect(r, "=")) bind(r, name, read_cond(r));
    } while (!r->error && take(r, ","));
    skip_space(r);
    if (!r->error && *r->at) fail(r, "something behind the end");
}

/* `=`, or axes and then `=`. */
static bool names_output(Reader *r) {
    skip_space(r);
    if (*r->at == '[')
        while (*r->at && *r->at++ != ']') {
        }
    return take(r, "=");
}

static void read_output(Graph *g, const char *name, Node *value, const AxisSet *order, size_t rank) {
    graph_output_over(g, name, value, union_of(order, rank));
    Output *out = &g->outs[g->nouts - 1];
    for (size_t i = 0; i < rank; i++) {
        out->order[i] = 0;
        while (order[i] >> out->order[i] != 1) out->order[i]++;
    }
}

Graph *graph_read(Arena *arena, const char *text, Type real, const char **error, size_t *at) {
    Reader r = {.s = text, .at = text, .op = graph_op};
    size_t n = 0;
    while (isspace((unsigned char)*r.at)) r.at++;
    while (is_name_char(r.at[n])) n++;
    r.g = graph_new(arena, arena_copy(arena, r.at, n), real);
    r.at += n;
    const char *where = strstr(text, "\n    where ");
    read_vars(&r);
    /* dumps of expanded graphs hold only primitives and machine constants, which exact arithmetic
     * leaves alone */
    if (expect(&r, "=")) {
        const char *body = r.at;
        read_where(&r, where);
        r.at = body;
        const bool named =
            take(&r, "(") && name_length(&r) > 0 && (r.at += name_length(&r), names_output(&r));
        r.at = body;
        if (named) {
            take(&r, "(");
            do {
                const char *name = read_word(&r);
                AxisSet order[MAX_AXES + 1];
                size_t rank = 0;
                const bool given = *r.at == '[';
                if (given) read_axes(&r, order, &rank);
                if (!expect(&r, "=")) break;
                Node *value = read_cond(&r);
                const AxisSet axes = union_of(order, rank);
                if (given && (value->axes & ~axes))
                    fail(&r, "an output with too few axes");
                else if (given)
                    read_output(r.g, name, value, order, rank);
                else
                    graph_output(r.g, name, value);
            } while (!r.error && take(&r, ","));
            expect(&r, ")");
        } else {
            graph_output(r.g, "y", read_cond(&r));
        }
        skip_space(&r);
        if (!r.error && r.at != (where ? where + 5 : r.s + strlen(r.s)))
            fail(&r, "something behind the end");
    }
    if (!r.error) return r.g;
    *error = r.error;
    *at = (size_t)(r.error_at - text);
    return NULL;
}

Node *graph_read_expr(Graph *g, const char *text, const Binding *bindings, size_t n,
                      const char **error, size_t *at) {
    Reader r = {.s = text, .at = text, .g = g, .op = simplify_op};
    for (size_t i = 0; i < n; i++) bind(&r, bindings[i].name, bindings[i].node);
    const char *where = strstr(text, " where ");
    read_where(&r, where);
    r.at = text;
    Node *node = read_cond(&r);
    skip_space(&r);
    if (!r.error && r.at != (where ? where + 1 : text + strlen(text)))
        fail(&r, "something behind the end");
    if (!r.error) return node;
    *error = r.error;
    *at = (size_t)(r.error_at - text);
    return NULL;
}
