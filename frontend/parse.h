/* What the lexer (act.l), the grammar (act.y), the tree's constructors (ast.c) and their driver
 * (parse.c) share. Nobody else includes this. */
#ifndef ACTC_PARSE_H
#define ACTC_PARSE_H

#include "frontend.h"

enum {
    TOKEN_FIRST = 1, /* it is the first on its line */
    TOKEN_HEAD = 2   /* a definition, or a `use`, begins here */
};

typedef struct {
    uint32_t begin, end;
    uint32_t match; /* of a parenthesis or bracket: the index of the other one; of all others, and
                       of lone ones, 0 */
    uint16_t kind;  /* a token of act.y */
    uint16_t flags;
} Token;

/* The ## lines before a token. */
typedef struct {
    size_t token;
    uint32_t begin, end;
} Doc;

typedef struct {
    Arena *arena;
    const char *text;
    Token *tokens;
    size_t count, cap;
    Doc *docs;
    size_t ndocs, docs_cap;
    uint32_t line;     /* where the line of the next token begins */
    bool line_started; /* there was a token on it */
} Lexer;

/* ---- act.l ---- */

/* All tokens of a text of `len` bytes, which is valid UTF-8 and followed by two NULs; it is
 * scratch. */
void lex_text(Lexer *lx, char *text, size_t len);

/* ---- act.y ---- */

/* Lists in the order of the text, while they grow. */
typedef struct ExprItem ExprItem;
struct ExprItem {
    Expr *e;
    uint8_t op; /* of a comparison: the one before e */
    ExprItem *next;
};
typedef struct {
    ExprItem *first, *last;
    uint32_t count;
} ExprList;
typedef struct {
    Arg *first, *last;
} ArgList;
typedef struct {
    Axis *first, *last;
} AxisList;
typedef struct DeclItem DeclItem;
struct DeclItem {
    const char *name;
    Span span;
    bool learn;
    bool meant; /* its value stood in parentheses */
    Axis *axes;
    Expr *value;
    DeclItem *next;
};
typedef struct {
    DeclItem *first, *last;
    uint32_t count;
} DeclList;

typedef struct {
    Arena *arena;
    Intern *names;
    Diags *diags;
    const Source *source;
    Lexer *lexer;
    int start;             /* the token that says what is parsed; 0 once act_yylex gave it */
    size_t begin, at, end; /* tokens */
    size_t bad_character;  /* the token that was the last to be reported as one */
    bool failed;           /* an error was reported: stay silent */
    bool broken;           /* an error was reported that does not keep the rest from being parsed */
    Expr *bad;
    Def *def; /* the result */
    Span use; /* the file name of a `use` in its quotes, or empty */
} Parser;

/* 0 if the tokens are what `start` says. */
int act_yyparse(Parser *p);
bool parse_can_end(int kind); /* whether a token of this kind can end an operand */
void parse_too_deep(Parser *p, Span at);
#define parse_error(p, span, ...)                                                                  \
    ((p)->failed = true,                                                                           \
     diag_report((p)->diags, source_loc((p)->diags, (p)->source, (span)), __VA_ARGS__))

/* ---- mistakes.c ---- */

/* What the grammar calls for an error: the token that does not fit and those that would, as people
 * call them. */
void parse_unexpected(Parser *p, int token, Span at, const char *const *expected, size_t n);
/* Reports what cannot begin a definition at p->begin; false if it can. */
bool mistake_head(Parser *p);
/* Whether a token is a reserved word, and not `&&`. */
bool mistake_reserved(const Parser *p, size_t token);
void mistake_character(Parser *p, size_t token);
void mistake_number(Parser *p, size_t token);

/* ---- ast.c ---- */

const char *ast_name(Parser *p, Span s); /* interned; Greek letters by their ASCII names */
Expr *ast_number(Parser *p, Span s);
Expr *ast_truth(Parser *p, Span s, bool truth);
Expr *ast_variable(Parser *p, Span s, const char *name);
Expr *ast_unary(Parser *p, Span s, Operator op, Expr *a);
Expr *ast_binary(Parser *p, Span s, Operator op, Expr *a, Expr *b);
Expr *ast_compare(Parser *p, Span s, ExprList list);
Expr *ast_cond(Parser *p, Span s, Expr *c, Expr *a, Expr *b);
Expr *ast_call(Parser *p, Span s, const char *name, Span name_span, ArgList args, bool semicolon);
Expr *ast_reduce(Parser *p, Span s, const char *name, Span name_span, AxisList axes, ArgList args);
Expr *ast_pipe(Parser *p, Span s, Expr *a, Expr *b);

ExprList list_add(Parser *p, ExprList list, uint8_t op, Expr *e);
ArgList arg_add(ArgList list, Arg *a);
ArgList arg_join(ArgList list, ArgList params); /* the second list stood behind a semicolon */
Arg *arg_new(Parser *p, const char *name, Span span, Expr *value);
AxisList axis_add(Parser *p, AxisList list, const char *name, Span span);
DeclList decl_add(DeclList list, DeclItem *item);
DeclItem *decl_new(Parser *p, const char *name, Span span, bool learn, Axis *axes, Expr *value);
void ast_define(Parser *p, Span s, const char *name, Span name_span, bool has_list, DeclList inputs,
                DeclList params, Expr *body, DeclList wheres, DeclList grads);

#endif
