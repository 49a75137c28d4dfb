/* Names and types as C spells them. */
#include "c.h"

#include <ctype.h>
#include <string.h>

/* Words of C99 to C23 and of C++ to C++23, macros of the headers that an emitted file includes, and
 * what the file defines itself. */
static const char *const taken[] = {"alignas",
                                    "alignof",
                                    "and",
                                    "and_eq",
                                    "asm",
                                    "auto",
                                    "bitand",
                                    "bitor",
                                    "bool",
                                    "break",
                                    "case",
                                    "catch",
                                    "char",
                                    "char16_t",
                                    "char32_t",
                                    "char8_t",
                                    "class",
                                    "compl",
                                    "concept",
                                    "const",
                                    "const_cast",
                                    "consteval",
                                    "constexpr",
                                    "constinit",
                                    "continue",
                                    "co_await",
                                    "co_return",
                                    "co_yield",
                                    "decltype",
                                    "default",
                                    "delete",
                                    "do",
                                    "double",
                                    "dynamic_cast",
                                    "else",
                                    "enum",
                                    "explicit",
                                    "export",
                                    "extern",
                                    "false",
                                    "float",
                                    "for",
                                    "friend",
                                    "goto",
                                    "if",
                                    "inline",
                                    "int",
                                    "long",
                                    "mutable",
                                    "namespace",
                                    "new",
                                    "noexcept",
                                    "not",
                                    "not_eq",
                                    "nullptr",
                                    "operator",
                                    "or",
                                    "or_eq",
                                    "private",
                                    "protected",
                                    "public",
                                    "register",
                                    "reinterpret_cast",
                                    "requires",
                                    "restrict",
                                    "return",
                                    "short",
                                    "signed",
                                    "sizeof",
                                    "static",
                                    "static_assert",
                                    "static_cast",
                                    "struct",
                                    "switch",
                                    "template",
                                    "this",
                                    "thread_local",
                                    "throw",
                                    "true",
                                    "try",
                                    "typedef",
                                    "typeid",
                                    "typename",
                                    "typeof",
                                    "typeof_unqual",
                                    "union",
                                    "unsigned",
                                    "using",
                                    "virtual",
                                    "void",
                                    "volatile",
                                    "wchar_t",
                                    "while",
                                    "xor",
                                    "xor_eq",
                                    "fortran",
                                    "linux",
                                    "unix",
                                    "main",
                                    "errno",
                                    "i",
                                    "n",
                                    "NULL",
                                    "INFINITY",
                                    "NAN",
                                    "EACH_ELEMENT",
                                    "size_t",
                                    "memcpy",
                                    "fma",
                                    "fmaf",
                                    "sqrt",
                                    "sqrtf",
                                    "fabs",
                                    "fabsf",
                                    "floor",
                                    "floorf",
                                    "ceil",
                                    "ceilf",
                                    "rint",
                                    "rintf",
                                    "trunc",
                                    "truncf",
                                    "bits_f32",
                                    "bits_f64",
                                    "from_bits_f32",
                                    "from_bits_f64",
                                    "workspace",
                                    "widen_bf16",
                                    "narrow_bf16",
                                    "widen_f16",
                                    "narrow_f16",
                                    "upper_product",
                                    "product_f32",
                                    "product_f64",
                                    "minus_zero_f32",
                                    "minus_zero_f64",
                                    "zero_f32",
                                    "zero_f64"};

/* Whether it may be a macro of math.h, stdint.h, or what these bring along in one of the compilers'
 * dialects. */
static bool is_macro(const char *s) {
    static const char *const begins[] = {"M_",          "FP_",   "HUGE_VAL", "MATH_",  "INT",
                                         "UINT",        "SIZE_", "PTRDIFF_", "WCHAR_", "WINT_",
                                         "SIG_ATOMIC_", "SNAN",  "MAXFLOAT"};
    for (const char *c = s; *c; c++)
        if (islower((unsigned char)*c)) return false;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
        if (strncmp(s, begins[i], strlen(begins[i])) == 0) return true;
    return false;
}

static bool is_taken(const char *s) {
    const size_t len = strlen(s);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(taken[i], s) == 0) return true;
    if (len > 2 && strcmp(s + len - 2, "_t") == 0 &&
        (strncmp(s, "int", 3) == 0 || strncmp(s, "uint", 4) == 0))
        return true;
    return is_macro(s);
}

char *c_symbol(Arena *arena, const char *name) {
    Buf b;
    buf_init(&b, arena);
    for (const unsigned char *s = (const unsigned char *)name; *s; s++) {
        if (isalnum(*s) || *s == '_')
            buf_putc(&b, (char)*s);
        else
            buf_printf(&b, "_%02x", *s);
    }
    if (!b.len || isdigit((unsigned char)b.s[0]) || b.s[0] == '_') {
        Buf prefixed;
        buf_init(&prefixed, arena);
        buf_printf(&prefixed, "f%s", b.s);
        b = prefixed;
    }
    return b.s;
}

char *c_identifier(Arena *arena, const char *name) {
    Buf b;
    buf_init(&b, arena);
    buf_puts(&b, c_symbol(arena, name));
    if (is_taken(b.s)) buf_putc(&b, '_');
    return b.s;
}

const char *c_type(Type t) {
    switch (t) {
    case TYPE_BOOL:
        return "int";
    case TYPE_I32:
        return "uint32_t";
    case TYPE_I64:
        return "uint64_t";
    case TYPE_F32:
        return "float";
    case TYPE_F64:
        return "double";
    case TYPE_F16:
    case TYPE_BF16:
        return "uint16_t";
    }
    return "void";
}

static const char *unused_name(Arena *arena, const char *name, const char *const *names, size_t n) {
    Buf b;
    buf_init(&b, arena);
    buf_puts(&b, name);
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], b.s) == 0) {
            buf_putc(&b, '_');
            i = (size_t)-1; /* from the first again */
        }
    return b.s;
}

const char **c_argument_names(const Plan *p) {
    Arena *arena = p->graph->arena;
    const char **names = ARENA_ARRAY(arena, const char *, p->nparams + p->nargs + 1);
    for (size_t i = 0; i < p->nparams + p->nargs; i++) {
        const char *name = i < p->nparams ? p->params[i].name : p->args[i - p->nparams].name;
        names[i] = unused_name(arena, c_identifier(arena, name), names, i);
    }
    return names;
}

const char **c_size_names(const Plan *p, const char *const *names) {
    Arena *arena = p->graph->arena;
    const size_t n = p->nparams + p->nargs;
    const char **all = ARENA_ARRAY(arena, const char *, n + p->nsizes + 1);
    for (size_t i = 0; i < n; i++) all[i] = names[i];
    for (size_t i = 0; i < p->nsizes; i++) {
        const char *name = p->sizes[i].name;
        if (strcmp(name, "n") != 0) name = c_identifier(arena, name); /* no argument is called n */
        all[n + i] = unused_name(arena, name, all, n + i);
    }
    return all + n;
}

void c_prototype(const Plan *p, const char *const *names, Buf *out) {
    const char **sizes = c_size_names(p, names);
    buf_printf(out, "void %s(", p->symbol);
    for (size_t i = 0; i < p->nsizes; i++)
        buf_printf(out, "%ssize_t %s", i ? ", " : "", sizes[i]);
    for (size_t i = 0; i < p->nparams; i++)
        buf_printf(out, ", %s %s", c_type(p->params[i].type), names[i]);
    for (size_t i = 0; i < p->nargs; i++)
        buf_printf(out, ", %s%s *%s", p->args[i].output ? "" : "const ", c_type(p->args[i].type),
                   names[p->nparams + i]);
    if (plan_needs_workspace(p)) buf_printf(out, ", %s *workspace", c_type(p->graph->real));
    buf_putc(out, ')');
}

void c_halves_comment(const Plan *const *plans, size_t n, const char *indent, Buf *out) {
    bool has[TYPE_BF16 + 1] = {false};
    for (size_t i = 0; i < n; i++) has[plans[i]->graph->storage] = true;
    if (has[TYPE_F16])
        buf_printf(out, "%sElements of uint16_t arrays%s are binary16 (f16) of IEEE 754.\n", indent,
                   has[TYPE_BF16] ? " of some functions" : "");
    if (has[TYPE_BF16])
        buf_printf(out, "%sElements of uint16_t arrays%s are bf16, the upper half of a float.\n",
                   indent, has[TYPE_F16] ? " of the others" : "");
}

void c_comment(const char *text, Buf *out) {
    for (const char *s = text; *s; s++) {
        if ((s[0] == '*' && s[1] == '/') || (s[0] == '/' && s[1] == '*')) {
            buf_putc(out, *s);
            buf_putc(out, ' ');
        } else if (*s == '\\' || (s[0] == '?' && s[1] == '?')) {
            buf_puts(out, *s == '\\' ? "/" : "? ");
        } else {
            buf_putc(out, *s);
        }
    }
}
