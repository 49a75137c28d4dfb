/* The grammar. It builds trees and nothing else; what a tree means is for resolve.c and sema.c. One parse is of one
 * definition (parse.c cuts the text), or of one expression; an invented first token says which. */
%require "3.8"
%expect 0
%define api.pure full
%define api.prefix {act_yy}
%define api.location.type {Span}
%define parse.error custom
%define parse.lac full
%locations
%param {Parser *p}

%code requires {
#include "parse.h"
}

%union {
    Expr *expr;
    const char *name;
    ExprList exprs;
    Arg *arg;
    ArgList args;
    AxisList axes;
    DeclItem *decl;
    DeclList decls;
    Operator op;
}

%code {
#define YYLLOC_DEFAULT(current, rhs, n)                              \
    do {                                                             \
        if (n) {                                                     \
            (current).begin = YYRHSLOC(rhs, 1).begin;                \
            (current).end = YYRHSLOC(rhs, n).end;                    \
        } else {                                                     \
            (current).begin = (current).end = YYRHSLOC(rhs, 0).end;  \
        }                                                            \
    } while (0)

/* The stack has its full size from the start, so that it never allocates, and no jump out of here can leak. (That of
 * LAC holds what empty rules add, which is less than it begins with.) */
#define YYMAXDEPTH 6000
#define YYINITDEPTH YYMAXDEPTH
#define YYMALLOC(n) ((void)(n), NULL)
#define YYFREE(p) ((void)(p))

static int act_yylex(ACT_YYSTYPE *value, Span *span, Parser *p);
static void act_yyerror(const Span *span, Parser *p, const char *message);
#define NONE(type) ((type){0})
}

%token END 0            "the end"
%token START_ITEM START_EXPRESSION
%token BAD_NUMBER BAD_STRING BAD_CHARACTER BAD_BYTE
%token <name> NAME      "a name"
%token NUMBER           "a number"
%token STRING           "a file name in quotes"
%token WHERE            "'where'"
%token GRAD             "'grad'"
%token LEARN            "'learn'"
%token USE              "'use'"
%token AND              "'and'"
%token OR               "'or'"
%token NOT              "'not'"
%token TRUE             "'true'"
%token FALSE            "'false'"
%token ARROW            "'→'"
%token QUESTION         "'?'"
%token COLON            "':'"
%token LT               "'<'"
%token LE               "'<='"
%token GT               "'>'"
%token GE               "'>='"
%token EQ               "'=='"
%token NE               "'!='"
%token PLUS             "'+'"
%token MINUS            "'-'"
%token TIMES            "'*'"
%token OVER             "'/'"
%token POWER            "'^'"
%token ROOT             "'√'"
%token ASSIGN           "'='"
%token COMMA            "','"
%token SEMICOLON        "';'"
%token OPEN             "'('"
%token CLOSE            "')'"
%token OPEN_AXES        "'['"
%token CLOSE_AXES       "']'"
%token REST             "'..'"

%type <expr> expression conditional disjunction conjunction negation comparison sum product signed power exponent root
%type <expr> primary default
%type <exprs> chain
%type <op> relation
%type <args> arguments argument_list
%type <arg> argument
%type <axes> axes axis_list
%type <decl> input param local grad
%type <decls> inputs input_list params where locals grads

%%

text:
    START_ITEM item
  | START_EXPRESSION expression where
        { ast_define(p, @$, NULL, @2, false, NONE(DeclList), NONE(DeclList), $2, $3, NONE(DeclList)); }
  ;

item:
    NAME OPEN inputs CLOSE ASSIGN expression where grads
        { ast_define(p, @$, $1, @1, true, $3, NONE(DeclList), $6, $7, $8); }
  | NAME OPEN inputs SEMICOLON params CLOSE ASSIGN expression where grads
        { ast_define(p, @$, $1, @1, true, $3, $5, $8, $9, $10); }
  | NAME ASSIGN expression where grads
        { ast_define(p, @$, $1, @1, false, NONE(DeclList), NONE(DeclList), $3, $4, $5); }
  | USE STRING
        { p->use = @2; }
  ;

inputs:
    %empty                        { $$ = NONE(DeclList); }
  | input_list
  ;

input_list:
    input                         { $$ = decl_add(NONE(DeclList), $1); }
  | input_list COMMA input        { $$ = decl_add($1, $3); }
  ;

input:
    NAME axes                     { $$ = decl_new(p, $1, @1, false, $2.first, NULL); }
  | NAME axes ASSIGN expression
        { if (!p->failed) parse_error(p, @$, DIAG_MISPLACED_PARAM, $1);
          $$ = decl_new(p, $1, @1, false, $2.first, NULL); }
  | LEARN NAME axes default
        { if (!p->failed) parse_error(p, @$, DIAG_MISPLACED_LEARN);
          $$ = decl_new(p, $2, @2, true, $3.first, $4); }
  ;

params:
    param                         { $$ = decl_add(NONE(DeclList), $1); }
  | params COMMA param            { $$ = decl_add($1, $3); }
  ;

param:
    NAME axes default             { $$ = decl_new(p, $1, @1, false, $2.first, $3); }
  | LEARN NAME axes default       { $$ = decl_new(p, $2, @2, true, $3.first, $4); }
  ;

default:
    %empty                        { $$ = NULL; }
  | ASSIGN expression             { $$ = $2; }
  ;

axes:
    %empty                        { $$ = NONE(AxisList); }
  | OPEN_AXES axis_list CLOSE_AXES { $$ = $2; }
  ;

axis_list:
    NAME                          { $$ = axis_add(p, NONE(AxisList), $1, @1); }
  | REST                          { $$ = axis_add(p, NONE(AxisList), "..", @1); }
  | TIMES                         { $$ = axis_add(p, NONE(AxisList), "*", @1); }
  | axis_list COMMA NAME          { $$ = axis_add(p, $1, $3, @3); }
  | axis_list COMMA REST          { $$ = axis_add(p, $1, "..", @3); }
  | axis_list COMMA TIMES         { $$ = axis_add(p, $1, "*", @3); }
  ;

where:
    %empty                        { $$ = NONE(DeclList); }
  | WHERE locals                  { $$ = $2; }
  ;

locals:
    local                         { $$ = decl_add(NONE(DeclList), $1); }
  | locals COMMA local            { $$ = decl_add($1, $3); }
  ;

local:
    NAME ASSIGN expression        { $$ = decl_new(p, $1, @1, false, NULL, $3); }
  ;

grads:
    %empty                        { $$ = NONE(DeclList); }
  | grads grad                    { $$ = decl_add($1, $2); }
  ;

grad:
    GRAD NAME ASSIGN expression
        { $$ = decl_new(p, $2, @2, false, NULL, $4);
          $$->meant = @4.begin < $4->span.begin; }
  ;

expression:
    conditional
  | expression ARROW conditional  { $$ = ast_pipe(p, @$, $1, $3); }
  ;

conditional:
    disjunction
  | disjunction QUESTION conditional COLON conditional { $$ = ast_cond(p, @$, $1, $3, $5); }
  ;

disjunction:
    conjunction
  | disjunction OR conjunction    { $$ = ast_binary(p, @$, OPERATOR_OR, $1, $3); }
  ;

conjunction:
    negation
  | conjunction AND negation      { $$ = ast_binary(p, @$, OPERATOR_AND, $1, $3); }
  ;

negation:
    comparison
  | NOT negation                  { $$ = ast_unary(p, @$, OPERATOR_NOT, $2); }
  ;

comparison:
    sum
  | chain                         { $$ = ast_compare(p, @$, $1); }
  ;

chain:
    sum relation sum              { $$ = list_add(p, list_add(p, NONE(ExprList), 0, $1), (uint8_t)$2, $3); }
  | chain relation sum            { $$ = list_add(p, $1, (uint8_t)$2, $3); }
  ;

relation:
    LT                            { $$ = OPERATOR_LT; }
  | LE                            { $$ = OPERATOR_LE; }
  | GT                            { $$ = OPERATOR_GT; }
  | GE                            { $$ = OPERATOR_GE; }
  | EQ                            { $$ = OPERATOR_EQ; }
  | NE                            { $$ = OPERATOR_NE; }
  ;

sum:
    product
  | sum PLUS product              { $$ = ast_binary(p, @$, OPERATOR_ADD, $1, $3); }
  | sum MINUS product             { $$ = ast_binary(p, @$, OPERATOR_SUB, $1, $3); }
  ;

product:
    signed
  | product TIMES signed          { $$ = ast_binary(p, @$, OPERATOR_MUL, $1, $3); }
  | product OVER signed           { $$ = ast_binary(p, @$, OPERATOR_DIV, $1, $3); }
  ;

signed:
    power
  | MINUS signed                  { $$ = ast_unary(p, @$, OPERATOR_NEG, $2); }
  | PLUS signed                   { $$ = ast_unary(p, @$, OPERATOR_POS, $2); }
  ;

power:
    root
  | root POWER exponent           { $$ = ast_binary(p, @$, OPERATOR_POW, $1, $3); }
  ;

exponent:
    power
  | MINUS exponent                { $$ = ast_unary(p, @$, OPERATOR_NEG, $2); }
  | PLUS exponent                 { $$ = ast_unary(p, @$, OPERATOR_POS, $2); }
  ;

root:
    primary
  | ROOT root                     { $$ = ast_unary(p, @$, OPERATOR_ROOT, $2); }
  ;

primary:
    NUMBER                        { $$ = ast_number(p, @1); }
  | TRUE                          { $$ = ast_truth(p, @1, true); }
  | FALSE                         { $$ = ast_truth(p, @1, false); }
  | NAME                          { $$ = ast_variable(p, @1, $1); }
  | NAME OPEN arguments CLOSE     { $$ = ast_call(p, @$, $1, @1, $3, false); }
  | NAME OPEN arguments SEMICOLON argument_list CLOSE
        { $$ = ast_call(p, @$, $1, @1, arg_join($3, $5), true); }
  | NAME OPEN_AXES axis_list CLOSE_AXES OPEN arguments CLOSE
        { $$ = ast_reduce(p, @$, $1, @1, $3, $6); }
  | OPEN expression CLOSE         { $$ = $2; }
  ;

arguments:
    %empty                        { $$ = NONE(ArgList); }
  | argument_list
  ;

argument_list:
    argument                      { $$ = arg_add(NONE(ArgList), $1); }
  | argument_list COMMA argument  { $$ = arg_add($1, $3); }
  ;

argument:
    expression                    { $$ = arg_new(p, NULL, @1, $1); }
  | NAME ASSIGN expression        { $$ = arg_new(p, $1, @1, $3); }
  ;

%%

static int act_yylex(ACT_YYSTYPE *value, Span *span, Parser *p) {
    const Token *tokens = p->lexer->tokens;
    if (p->start) {
        const int start = p->start;
        const uint32_t at = p->at < p->end ? tokens[p->at].begin : 0;
        p->start = 0;
        *span = (Span){at, at};
        return start;
    }
    if (p->at == p->end) {
        /* Behind the last token, where something is missing, not where the next definition begins. */
        const uint32_t at = p->end ? tokens[p->end - 1].end : 0;
        *span = (Span){at, at};
        return END;
    }
    const Token *t = &tokens[p->at++];
    *span = (Span){t->begin, t->end};
    if (t->kind == NAME) value->name = ast_name(p, *span);
    return t->kind;
}

/* Only for a full stack: errors of syntax are reported below. */
static void act_yyerror(const Span *span, Parser *p, const char *message) {
    (void)message;
    if (!p->failed) parse_too_deep(p, *span);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
    enum { MOST = 64 };
    yysymbol_kind_t kinds[MOST];
    const char *names[MOST];
    const int n = yypcontext_expected_tokens(context, kinds, MOST);
    for (int i = 0; i < n; i++) names[i] = yysymbol_name(kinds[i]);
    const yysymbol_kind_t found = yypcontext_token(context);
    int token = END;
    if (found == YYSYMBOL_ASSIGN) token = ASSIGN;
    else if (found != YYSYMBOL_YYEOF) token = p->lexer->tokens[p->at - 1].kind;
    if (!p->failed) parse_unexpected(p, token, *yypcontext_location(context), names, n > 0 ? (size_t)n : 0);
    return 0;
}
