/* Mistakes of syntax: what to say of a token that does not fit, or is none. What people bring from
 * other languages is recognised, so that the message can name the cure. */
#include "act.tab.h"
#include "parse.h"

#include <string.h>

/* ---- tokens as text ---- */

static bool can_begin(int kind) {
    return kind == NAME || kind == NUMBER || kind == TRUE || kind == FALSE || kind == OPEN ||
           kind == ROOT || kind == STRING;
}

static bool among(const char *what, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(what, list[i]) == 0) return true;
    return false;
}

/* "; expected an expression or ')'": operators are one thing, and so is what begins an expression.
 */
static void describe_expected(Buf *out, const char *const *expected, size_t n) {
    static const char *const starters[] = {"a name", "a number", "'true'", "'false'", "'not'",
                                           "'+'",    "'-'",      "'√'",    "'('"};
    static const char *const operators[] = {"'→'", "'?'",  "'and'", "'or'", "'<'", "'<='",
                                            "'>'", "'>='", "'=='",  "'!='", "'+'", "'-'",
                                            "'*'", "'/'",  "'^'",   "'('",  "'['"};
    static const char *const ends[] = {"'where'", "'grad'", "the end"};
    const bool expression = among("a number", expected, n), operator= !expression &&
        among("'+'", expected, n);
    const char *say[8];
    size_t count = 0;
    if (expression) say[count++] = "an expression";
    if (operator) say[count++] = "an operator";
    for (size_t i = 0; i < n; i++) {
        if (expression && among(expected[i], starters, sizeof starters / sizeof *starters))
            continue;
        if (operator&& among(expected[i], operators, sizeof operators / sizeof *operators))
            continue;
        if (operator&& among(expected[i], ends, sizeof ends / sizeof *ends)) continue;
        /* Behind a lone name in a call, which could give a param; nobody forgets that there. */
        if (operator&& strcmp(expected[i], "'='") == 0) continue;
        if (count == sizeof say / sizeof *say) return;
        say[count++] = expected[i];
    }
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? "; expected " : i + 1 == count ? " or " : ", ", say[i]);
}

static void describe_token(const Parser *p, Buf *out, int token, Span at) {
    enum { MOST = 40 };
    size_t n = at.end - at.begin;
    const char *s = p->source->text + at.begin;
    if (token == STRING) {
        buf_puts(out, "string");
        return;
    }
    const bool cut = n > MOST;
    if (cut) {
        n = MOST;
        while ((unsigned char)s[n] >> 6 == 2) n--;
    }
    buf_printf(out, "'%.*s%s'", (int)n, s, cut ? "…" : "");
}

/* The innermost parenthesis that is open at the current token and never closed. */
static void note_open(Parser *p, size_t begin) {
    for (size_t i = p->at; i-- > begin;) {
        const Token *t = &p->lexer->tokens[i];
        if ((t->kind == OPEN || t->kind == OPEN_AXES) && t->match == 0) {
            diag_report(p->diags, source_loc(p->diags, p->source, (Span){t->begin, t->end}),
                        DIAG_NOTE_OPENED, t->kind == OPEN ? "(" : "[");
            return;
        }
    }
}

/* ---- what other languages have ---- */

static Span span_of(const Parser *p, size_t i) {
    const Token *t = &p->lexer->tokens[i];
    return (Span){t->begin, t->end};
}

static bool is_text(const Parser *p, size_t i, const char *text) {
    const Span s = span_of(p, i);
    return strlen(text) == s.end - s.begin &&
           memcmp(p->source->text + s.begin, text, s.end - s.begin) == 0;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool mistake_reserved(const Parser *p, size_t i) {
    switch (p->lexer->tokens[i].kind) {
    case WHERE:
    case GRAD:
    case LEARN:
    case USE:
    case AND:
    case OR:
    case NOT:
    case TRUE:
    case FALSE:
        return is_letter(p->source->text[p->lexer->tokens[i].begin]);
    }
    return false;
}

/* Two tokens without space between them that somebody took for one. */
static const char *pair_cure(const Parser *p, size_t i, bool head) {
    static const struct {
        int first, second;
        const char *cure;
    } pairs[] = {{ASSIGN, GT, "'>=', or '->' in a pipeline"},
                 {ASSIGN, LT, "'<='"},
                 {LT, GT, "'!='"},
                 {COLON, ASSIGN, "'='"},
                 {EQ, ASSIGN, "'=='"},
                 {NE, ASSIGN, "'!='"},
                 {OVER, OVER, "'#' in front of a comment, or 'floor(a/b)'"},
                 {OVER, TIMES, "'#' in front of each line of a comment"},
                 {PLUS, ASSIGN, "a new name behind 'where'"},
                 {MINUS, ASSIGN, "a new name behind 'where'"},
                 {TIMES, ASSIGN, "a new name behind 'where'"},
                 {OVER, ASSIGN, "a new name behind 'where'"}};
    if (i + 1 >= p->lexer->count) return NULL;
    const Token *t = &p->lexer->tokens[i];
    if (t[0].end != t[1].begin) return NULL;
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        if (pairs[k].first == t[0].kind && pairs[k].second == t[1].kind)
            return head && t[0].kind == ASSIGN ? "'='" : pairs[k].cure;
    return NULL;
}

static bool report_pair(Parser *p, size_t i, bool head) {
    const char *cure = pair_cure(p, i, head);
    if (!cure) return false;
    const Span at = {p->lexer->tokens[i].begin, p->lexer->tokens[i + 1].end};
    parse_error(p, at, DIAG_NO_OPERATOR, (int)(at.end - at.begin), p->source->text + at.begin,
                cure);
    return true;
}

/* What to write in place of a word of another language. */
static const char *word_cure(const Parser *p, size_t i) {
    static const struct {
        const char *word, *cure;
    } words[] = {{"if", "write 'condition ? value : other'"},
                 {"then", "write 'condition ? value : other'"},
                 {"else", "write 'condition ? value : other'"},
                 {"otherwise", "write 'condition ? value : other'"},
                 {"when", "write 'condition ? value : other'"},
                 {"derivative", "write 'grad x = …'"},
                 {"gradient", "write 'grad x = …'"},
                 {"diff", "write 'grad x = …'"},
                 {"elif", "write 'condition ? value : condition ? value : other'"},
                 {"def", "a definition begins with its name: 'f(x) = …'"},
                 {"function", "a definition begins with its name: 'f(x) = …'"},
                 {"func", "a definition begins with its name: 'f(x) = …'"},
                 {"fun", "a definition begins with its name: 'f(x) = …'"},
                 {"fn", "a definition begins with its name: 'f(x) = …'"},
                 {"lambda", "a function is a definition: 'f(x) = …'"},
                 {"return", "the value stands behind '=': 'f(x) = …'"},
                 {"with", "local names follow the body: '… where a = …'"},
                 {"let", "local names follow the body: '… where a = …'"},
                 {"var", "a definition begins with its name: 'k = …'"},
                 {"const", "a definition begins with its name: 'k = …'"},
                 {"float", "a definition begins with its name, without a type"},
                 {"double", "a definition begins with its name, without a type"},
                 {"import", "write 'use \"file.act\"'; elementary functions are there already"},
                 {"from", "write 'use \"file.act\"'; elementary functions are there already"},
                 {"include", "write 'use \"file.act\"'"},
                 {"class", "a file holds functions: 'f(x) = …'"},
                 {"for", "an operation is for all elements; over an axis write 'sum[d](…)'"},
                 {"is", "write '=='"},
                 {"mod", "write 'a - b*floor(a/b)'"}};
    if (p->lexer->tokens[i].kind != NAME) return NULL;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (is_text(p, i, words[k].word)) return words[k].cure;
    return NULL;
}

/* Whether the word stands earlier in the definition: then it is a name of its own. */
static bool is_declared(const Parser *p, size_t at) {
    const Span word = span_of(p, at);
    const char *text = p->source->text + word.begin;
    for (size_t i = p->begin; i < at; i++) {
        const Span s = span_of(p, i);
        if (s.end - s.begin == word.end - word.begin &&
            memcmp(p->source->text + s.begin, text, s.end - s.begin) == 0)
            return true;
    }
    return false;
}

/* Such a word at the token that does not fit, or in front of it, perhaps of its parentheses. */
static bool report_word(Parser *p, size_t here) {
    size_t at[3], n = 0;
    if (here < p->end) at[n++] = here;
    if (here > p->begin) {
        const Token *before = &p->lexer->tokens[here - 1];
        at[n++] = here - 1;
        if (before->kind == CLOSE && before->match >= p->begin + 2) at[n++] = before->match - 2;
    }
    for (size_t i = 0; i < n; i++) {
        const char *cure = word_cure(p, at[i]);
        if (!cure || is_declared(p, at[i])) continue;
        const Span span = span_of(p, at[i]);
        parse_error(p, span, DIAG_NO_WORD, (int)(span.end - span.begin),
                    p->source->text + span.begin, cure);
        return true;
    }
    return false;
}

/* ---- a token that does not fit ---- */

typedef struct {
    size_t here;       /* the token; p->end if it is missing */
    int token, before; /* kinds */
    const char *const *expected;
    size_t n;
    Span at;
    const char *what; /* the token in quotes */
} Misfit;

static bool wants(const Misfit *m, const char *what) { return among(what, m->expected, m->n); }

static bool only(const Misfit *m, const char *what) {
    return m->n == 1 && strcmp(m->expected[0], what) == 0;
}

static void report_reserved(Parser *p, size_t i) {
    const Span at = span_of(p, i);
    const int kind = p->lexer->tokens[i].kind;
    const char *use = kind == GRAD    ? "; a derivative is given as 'grad x = …'"
                      : kind == WHERE ? "; local names are given as '… where a = …'"
                      : kind == LEARN ? "; a learnable is given as 'learn a = …'"
                      : kind == USE   ? "; a file is used as 'use \"file.act\"'"
                                      : "";
    parse_error(p, at, DIAG_RESERVED, (int)(at.end - at.begin), p->source->text + at.begin, use);
}

static bool has_before(const Parser *p, size_t here, int kind) {
    for (size_t i = p->begin; i < here; i++)
        if (p->lexer->tokens[i].kind == kind) return true;
    return false;
}

static bool misfit_clause(Parser *p, const Misfit *m) {
    const char *hint = NULL;
    const bool local =
        m->before == NAME && m->here > p->begin + 1 && p->lexer->tokens[m->here - 2].kind == WHERE;
    if (local && m->token >= LT && m->token <= NE && m->token != EQ)
        hint = "names with values stand behind 'where'; a condition is 'condition ? value : other'";
    else if (m->token == GRAD && m->before == COMMA)
        hint = "no ',' stands in front of it";
    else if (m->token == GRAD && m->before == WHERE)
        hint = "it needs no 'where'";
    else if (m->token == OPEN && (m->before == WHERE || m->before == GRAD) && !wants(m, "'('"))
        hint = "names follow without parentheses: '… where a = …'";
    else if (m->token == COMMA && m->here + 2 < p->end &&
             p->lexer->tokens[m->here + 1].kind == NAME &&
             p->lexer->tokens[m->here + 2].kind == ASSIGN && !wants(m, "','"))
        hint = "local names follow the body: '… where a = …'";
    else if (m->token == COMMA && m->here + 1 < p->end &&
             p->lexer->tokens[m->here + 1].kind == GRAD)
        hint = "clauses follow each other without it";
    else if (m->token == WHERE && has_before(p, m->here, GRAD))
        hint = "it stands in front of 'grad'";
    else if (m->token == WHERE && has_before(p, m->here, WHERE))
        hint = "the names behind one 'where' are separated by ','";
    else if (m->token == WHERE && m->here + 1 < p->end &&
             p->lexer->tokens[m->here + 1].kind == OPEN)
        hint = "it names locals; to choose, write 'condition ? value : other'";
    if (hint) parse_error(p, m->at, DIAG_SYNTAX_HINT, m->what, hint);
    return hint != NULL;
}

static bool misfit_reserved(Parser *p, const Misfit *m) {
    const bool name = wants(m, "a name"), expression = wants(m, "a number");
    if (m->token != END && mistake_reserved(p, m->here)) {
        const bool operator= m->token == AND || m->token == OR;
        if (!name || (expression && (operator|| m->token == WHERE))) return false;
        report_reserved(p, m->here);
        return true;
    }
    if (!name || expression || m->before == END || !mistake_reserved(p, m->here - 1)) return false;
    if (m->token != ASSIGN && (m->before != LEARN || m->token == END)) return false;
    report_reserved(p, m->here - 1);
    return true;
}

/* In the head of a definition. */
static bool misfit_head(Parser *p, const Misfit *m) {
    const Token *tokens = p->lexer->tokens;
    const Span name = span_of(p, p->begin);
    const int length = (int)(name.end - name.begin);
    const char *text = p->source->text + name.begin;
    const bool item = tokens[p->begin].flags & TOKEN_HEAD;
    if (item && m->here == p->begin + 1 && wants(m, "'='") && wants(m, "'('")) {
        if (m->token == END) {
            /* The definition that follows on the same line was meant. */
            if (p->end == p->lexer->count || (tokens[p->end].flags & TOKEN_FIRST)) return false;
            parse_error(p, name, DIAG_SYNTAX_HINT, "word",
                        "a definition begins with its name: 'f(x) = …'");
            return true;
        }
        if (m->token == ARROW) {
            parse_error(p, m->at, DIAG_SYNTAX_HINT, m->what, "a pipeline has a name: 'f = g → h'");
            return true;
        }
        const bool input =
            m->token == NAME && m->here + 1 < p->end && tokens[m->here + 1].kind == ASSIGN;
        if (!input && m->token != OPEN_AXES) return false;
        parse_error(p, m->at, DIAG_HEAD_LIST, length, text);
        return true;
    }
    if (!only(m, "'='") || m->token == END || m->before != CLOSE) return false;
    parse_error(p, m->at, DIAG_HEAD_ASSIGN, m->what);
    return true;
}

/* x[d] where a value stands, and numbers in place of axes. */
static bool misfit_axes(Parser *p, const Misfit *m) {
    const Token *tokens = p->lexer->tokens;
    if (m->before == CLOSE_AXES && only(m, "'('") && tokens[m->here - 1].match >= 2) {
        const size_t name = tokens[m->here - 1].match - 2;
        const Span at = {tokens[name].begin, tokens[m->here - 1].end};
        Reduction which;
        const char *called = ast_name(p, span_of(p, name));
        if (elementary_reduction(called, &which))
            parse_error(p, at, DIAG_REDUCTION_ARG, called);
        else
            parse_error(p, at, DIAG_AXES_HERE, called);
        return true;
    }
    if ((m->token != NUMBER && m->token != MINUS && m->token != COLON) || !wants(m, "'..'") ||
        wants(m, "a number"))
        return false;
    parse_error(p, m->at, DIAG_AXIS_NUMBER);
    return true;
}

/* 1,5 */
static bool is_decimal(const Parser *p, size_t comma) {
    const Token *t = &p->lexer->tokens[comma];
    return comma + 1 < p->end && t[1].kind == NUMBER && t[-1].end == t->begin &&
           t->end == t[1].begin;
}

static bool misfit_sign(Parser *p, const Misfit *m) {
    const bool operand = wants(m, "'+'") && !wants(m, "a number");
    const Token *tokens = p->lexer->tokens;
    const bool assigned = m->token == ASSIGN && m->before == NAME && operand && !wants(m, "'='");
    const char *hint = NULL;
    if (tokens[p->begin].kind == USE && m->here > p->begin + 1 && m->token != END)
        hint = "each 'use' names one file, and nothing else";
    else if ((m->token == SEMICOLON || m->token == COMMA) && wants(m, "':'"))
        hint = "a choice is 'condition ? value : other'";
    else if (assigned && (tokens[m->here - 1].flags & TOKEN_FIRST))
        hint = "local names follow the body: '… where a = …'";
    else if (m->token == COMMA && m->before == NUMBER && is_decimal(p, m->here))
        hint = "decimals stand behind '.', as in '1.5'";
    else if (m->token == SEMICOLON && operand && !wants(m, "')'"))
        hint = "a definition ends without it";
    else if (m->token == COLON && wants(m, "')'") && !wants(m, "'?'"))
        hint = "types are not written";
    else if (m->token == COLON && wants(m, "'='") && wants(m, "','"))
        hint = "types are not written";
    else if (m->token == COLON && operand && !wants(m, "'='"))
        hint = "a choice is 'condition ? value : other'";
    else if (m->token == SEMICOLON && operand && wants(m, "','") && !wants(m, "';'"))
        hint = "the params behind one ';' are separated by ','";
    else if (m->token == LEARN && operand &&
             (!wants(m, "','") || (tokens[m->here].flags & TOKEN_FIRST)))
        hint = "a learnable stands in the list of a definition: 'f(x; learn a = …) = …'";
    else if (m->token == TIMES && wants(m, "'learn'"))
        hint = "params stand behind ';'";
    else if (m->token == NUMBER && wants(m, "'learn'"))
        hint = "what stands in this list has a name";
    else if (m->token == NOT && operand && !mistake_reserved(p, m->here))
        hint = "it stands in front of a condition";
    else if (m->token == OPEN_AXES && wants(m, "a number"))
        hint = "there are no lists: a value has axes with names, and functions are composed as 'f "
               "→ g'";
    else if (m->token == COMMA && operand && !wants(m, "','"))
        hint = "a value is one expression";
    else if (m->token == STRING)
        hint = "text stands only in 'use \"file.act\"'; comments begin with '#', documentation "
               "with '##'";
    if (!hint) return false;
    parse_error(p, m->at, DIAG_SYNTAX_HINT, m->what, hint);
    return true;
}

/* The function of sin^2(x). */
static const char *powered_function(Parser *p, size_t here) {
    const Token *t = &p->lexer->tokens[here];
    if (here < p->begin + 3 || t[-1].kind != NUMBER || t[-2].kind != POWER || t[-3].kind != NAME)
        return NULL;
    const char *name = ast_name(p, span_of(p, here - 3));
    return elementary_find(name, true).kind == REF_OP ? name : NULL;
}

static void misfit_operand(Parser *p, const Misfit *m) {
    Buf hint;
    buf_init(&hint, p->arena);
    const char *power = powered_function(p, m->here);
    if (power) {
        buf_printf(&hint, " A power stands behind the arguments: '%s(…)^2'", power);
    } else if (m->before == NAME && m->token != STRING) {
        const char *name = ast_name(p, span_of(p, m->here - 1));
        const RefKind kind = elementary_find(name, true).kind;
        if (kind == REF_OP || kind == REF_RANDOM)
            buf_printf(&hint, " Arguments stand in parentheses: '%s(…)'", name);
    } else if (m->token == OPEN) {
        buf_puts(&hint, " To multiply, write '*('");
    }
    parse_error(p, m->at, DIAG_MISSING_OPERATOR, m->what, hint.s);
}

void parse_unexpected(Parser *p, int token, Span at, const char *const *expected, size_t n) {
    const Token *tokens = p->lexer->tokens;
    if (p->broken) { /* most often the same mistake */
        p->failed = true;
        return;
    }
    Misfit m = {.here = token == END ? p->end : p->at - 1,
                .token = token,
                .expected = expected,
                .n = n,
                .at = at};
    m.before = m.here > p->begin ? tokens[m.here - 1].kind : END;
    const bool operand = wants(&m, "'+'") && !wants(&m, "a number");
    Buf what, wanted;
    buf_init(&what, p->arena);
    buf_init(&wanted, p->arena);
    describe_expected(&wanted, expected, n);
    if (token != END) describe_token(p, &what, token, at);
    m.what = what.s;
    const bool head = m.here > p->begin && tokens[m.here - 1].kind == CLOSE;
    if (token != END && (report_pair(p, m.here, head && only(&m, "'='")) ||
                         (m.here > p->begin && report_pair(p, m.here - 1, true))))
        return;
    if (misfit_clause(p, &m) || misfit_reserved(p, &m) || report_word(p, m.here) ||
        misfit_head(p, &m) || misfit_axes(p, &m) || misfit_sign(p, &m))
        return;
    if (token == END) {
        const bool item = p->begin < p->end && (tokens[p->begin].flags & TOKEN_HEAD);
        parse_error(p, at, DIAG_SYNTAX_END, item ? "the definition" : "the expression", wanted.s);
    } else if (token == ASSIGN && operand) {
        parse_error(p, at, DIAG_ASSIGN_IN_EXPR);
    } else if (token == OPEN && m.before == NAME && only(&m, "'='")) {
        parse_error(p, span_of(p, m.here - 1), DIAG_LOCAL_FUNCTION,
                    ast_name(p, span_of(p, m.here - 1)));
    } else if ((token == CLOSE || token == CLOSE_AXES) && tokens[m.here].match == 0 &&
               !wants(&m, "')'") && !wants(&m, "']'")) {
        parse_error(p, at, DIAG_LONE_CLOSE, token == CLOSE ? "(" : "[", m.what);
    } else if (operand && can_begin(token) && parse_can_end(m.before)) {
        misfit_operand(p, &m);
    } else {
        parse_error(p, at, DIAG_SYNTAX, what.s, wanted.s);
    }
    if (among("')'", expected, n) || among("']'", expected, n)) note_open(p, p->begin);
    if (token == END && p->end < p->lexer->count && tokens[p->end].kind == NAME) {
        const Span next = {tokens[p->end].begin, tokens[p->end].end};
        diag_report(p->diags, source_loc(p->diags, p->source, next), DIAG_NOTE_HEAD,
                    ast_name(p, next));
    }
}

/* ---- heads that are none ---- */

/* The rest of the line behind a token, without space and quotes. */
static Span rest_of_line(const Parser *p, size_t i) {
    const char *text = p->source->text;
    uint32_t begin = p->lexer->tokens[i].end, end = begin;
    while (end < p->source->len && text[end] != '\n' && text[end] != '#') end++;
    while (begin < end && strchr(" \t\r'\"", text[begin])) begin++;
    while (end > begin && strchr(" \t\r'\";", text[end - 1])) end--;
    return (Span){begin, end};
}

bool mistake_head(Parser *p) {
    const Token *t = &p->lexer->tokens[p->begin];
    const int next = p->begin + 1 < p->end ? t[1].kind : END;
    if (!(t->flags & TOKEN_HEAD) && t->kind == LEARN) {
        parse_error(p, span_of(p, p->begin), DIAG_SYNTAX_HINT, "'learn'",
                    "a learnable stands in the list of a definition: 'f(x; learn a = …) = …'");
        return true;
    }
    if (!(t->flags & TOKEN_HEAD)) {
        if (report_pair(p, p->begin, false)) return true;
        parse_error(p, span_of(p, p->begin), DIAG_NO_DEFINITION);
        return true;
    }
    if (t->kind == BAD_NUMBER) {
        parse_error(p, span_of(p, p->begin), DIAG_DIGIT_NAME);
        return true;
    }
    const char *cure = word_cure(p, p->begin);
    if (cure && next != ASSIGN && next != OPEN && next != OPEN_AXES) {
        const Span at = span_of(p, p->begin);
        parse_error(p, at, DIAG_NO_WORD, (int)(at.end - at.begin), p->source->text + at.begin,
                    cure);
        return true;
    }
    if (t->kind == USE && next != STRING && next != BAD_STRING && next != END) {
        const Span path = rest_of_line(p, p->begin);
        enum { MOST = 60 };
        if (next == ASSIGN || next == OPEN) {
            report_reserved(p, p->begin);
            return true;
        }
        if (path.end == path.begin || path.end - path.begin > MOST) return false;
        parse_error(p, path, DIAG_USE_QUOTES, (int)(path.end - path.begin),
                    p->source->text + path.begin);
        return true;
    }
    if (t->kind == USE || !mistake_reserved(p, p->begin)) return false;
    report_reserved(p, p->begin);
    return true;
}

/* ---- tokens that are none ---- */

/* What stands in front of a dot in Python, and is no value. */
static bool is_package(const Parser *p, size_t i) {
    static const char *const names[] = {"torch", "nn",  "F",  "np",    "numpy",  "math",
                                        "jnp",   "jax", "tf", "keras", "random", "self"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (is_text(p, i, names[k])) return true;
    return false;
}

/* The second dot of sum[i=1..n]. */
static bool is_bound(const Parser *p, size_t i) {
    if (i == p->begin || p->lexer->tokens[i - 1].kind != NUMBER) return false;
    while (i-- > p->begin) {
        const int kind = p->lexer->tokens[i].kind;
        if (kind == OPEN_AXES) return true;
        if (kind != NUMBER && kind != ASSIGN && kind != NAME) break;
    }
    return false;
}

/* A character that nobody can see: spaces, and signs about how others are shown. 0 if it is none.
 */
static unsigned invisible(const char *s, size_t n) {
    const unsigned char *u = (const unsigned char *)s;
    unsigned c = 0;
    if (n == 2) c = (u[0] & 31u) << 6 | (u[1] & 63u);
    if (n == 3) c = (u[0] & 15u) << 12 | (u[1] & 63u) << 6 | (u[2] & 63u);
    const bool is = (c >= 0x80 && c < 0xa0) || c == 0xad || c == 0x180e || c == 0x3000 ||
                    (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
                    (c >= 0x205f && c <= 0x206f) || c == 0xfeff;
    return is ? c : 0;
}

void mistake_character(Parser *p, size_t i) {
    const Span at = span_of(p, i);
    static const struct {
        const char *text, *hint;
    } hints[] = {
        {"²", "; write '^2'"},
        {"³", "; write '^3'"},
        {"÷", "; write '/'"},
        {"&", "; write 'and'"},
        {"|", "; write 'or', or abs(…) for an absolute value"},
        {"'", "; a derivative is given as 'grad x = …', and a file's name stands in double quotes"},
        {"`", ""},
        {"\\", "; a definition goes on in the next line without it"},
        {"@", "; over the axis i write 'sum[i](a*b)'"},
        {"~", "; write 'not'"},
        {"{", "; a body stands behind '=' without braces, and a part of it in '('"},
        {"}", "; a body stands behind '=' without braces"},
        {"–", "; write '-'"},
        {"—", "; write '-'"},
        {"⁄", "; write '/'"},
        {"∗", "; write '*'"},
        {"∙", "; write '*'"},
        {"⋅", "; write '*'"},
        {"“", "; write '\"'"},
        {"”", "; write '\"'"},
        {"½", "; write '(1/2)'"},
        {"⇒", "; write '→'"},
        {"∧", "; write 'and'"},
        {"∨", "; write 'or'"},
        {"¬", "; write 'not'"},
        {"∑", "; write 'sum[d](…)'"},
        {"…", "; write '..'"},
        {"%", "; write 'a - b*floor(a/b)'"},
        {"⇐", "; write '<='"},
        {"↦", "; write '='"},
        {"⟶", "; write '→'"},
        {"‑", "; write '-'"},
        {"⩽", "; write '<='"},
        {"⩾", "; write '>='"},
        {"∕", "; write '/'"},
        {"⁻", "; write '^-'"},
        {"ⁿ", "; write '^n'"},
        {"¹", "; write '^1'"},
        {"₀", "; write '_0'"},
        {"₁", "; write '_1'"},
        {"₂", "; write '_2'"},
        {"∏", "; write 'prod[d](…)'"},
        {"‘", "; a file's name stands in double quotes"},
        {"’", "; a derivative is given as 'grad x = …', and a file's name stands in double quotes"},
        {"（", "; write '('"},
        {"）", "; write ')'"},
        {"，", "; write ','"},
        {"；", "; write ';'"},
        {"＝", "; write '='"}};
    const char *s = p->source->text + at.begin;
    const size_t n = at.end - at.begin;
    const char *hint = "";
    if (p->diags->errors > DIAG_MAX_ERRORS) { /* a text of these only */
        p->failed = true;
        return;
    }
    if (p->failed && is_text(p, i, "}")) return; /* one mistake with the '{' */
    for (size_t k = 0; k < sizeof hints / sizeof *hints; k++)
        if (is_text(p, i, hints[k].text)) hint = hints[k].hint;
    Buf what, dotted;
    buf_init(&what, p->arena);
    buf_init(&dotted, p->arena);
    /* The same character again is most often the same mistake. */
    const size_t last = p->bad_character;
    p->bad_character = i;
    if (last >= p->begin && last < i &&
        p->lexer->tokens[last].end - p->lexer->tokens[last].begin == n &&
        memcmp(p->source->text + p->lexer->tokens[last].begin, s, n) == 0 && p->failed)
        return;
    if (is_text(p, i, ".")) {
        const Token *t = &p->lexer->tokens[i];
        const int next = i + 1 < p->end ? t[1].kind : END;
        const bool method = i > p->begin && t[-1].kind == NAME && i + 3 < p->end && next == NAME &&
                            t[2].kind == OPEN && t[3].kind == CLOSE && !is_package(p, i - 1);
        Reduction which;
        if (i > p->begin && t[-1].kind == REST)
            buf_puts(&dotted, "; write '..'");
        else if (method)
            buf_printf(&dotted, "; write '%s%s(%s)'", ast_name(p, span_of(p, i + 1)),
                       elementary_reduction(ast_name(p, span_of(p, i + 1)), &which) ? "[d]" : "",
                       ast_name(p, span_of(p, i - 1)));
        else if (is_bound(p, i))
            buf_puts(&dotted, "; an axis has a name, and no bounds: 'sum[i](…)'");
        else if (next == NAME)
            buf_printf(&dotted, "; names have no dots: write '%s'", ast_name(p, span_of(p, i + 1)));
        else if (next == WHERE)
            buf_puts(&dotted, "; to choose, write 'condition ? value : other'");
        hint = dotted.s;
    }
    const unsigned unseen = invisible(s, n);
    if (unseen) {
        buf_printf(&what, "U+%04X", unseen);
        hint = "; it cannot be seen: delete it, or write a space";
    } else {
        buf_printf(&what, "'%.*s'", (int)n, s);
    }
    /* 50%, not a % b */
    const int after = i + 1 < p->end ? p->lexer->tokens[i + 1].kind : END;
    if (is_text(p, i, "%") && !can_begin(after)) hint = "; write '/100'";
    parse_error(p, at, DIAG_BAD_CHARACTER, what.s, hint);
}

static size_t digits_from(const char *s, size_t n, size_t i) {
    while (i < n && s[i] >= '0' && s[i] <= '9') i++;
    return i;
}

static const char *number_cure(const char *s, size_t n) {
    if (n > 1 && (s[1] == 'x' || s[1] == 'X')) return "; hexadecimal digits are 0-9 and a-f";
    if (n > 1 && s[0] == '0' && strchr("bBoO", s[1])) return "; numbers are decimal or hexadecimal";
    if (memchr(s, '_', n)) return "; digits stand together, without '_'";
    if (n > 1 && strchr("fFlL", s[n - 1])) return "; a number has no suffix";
    if (memchr(s, 'e', n) || memchr(s, 'E', n))
        return "; an exponent is a whole number, as in '1e-5'";
    return "";
}

/* 2x is 2*x; 1_000, 1e and 0.5f are no numbers. */
void mistake_number(Parser *p, size_t token) {
    const Span at = span_of(p, token);
    const char *s = p->source->text + at.begin;
    size_t n = at.end - at.begin, i = 0;
    while (i < n && ((s[i] >= '0' && s[i] <= '9') || s[i] == '.')) i++;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        size_t j = i + 1;
        if (j < n && (s[j] == '+' || s[j] == '-')) j++;
        const size_t end = digits_from(s, n, j);
        if (end > j && end < n) i = end;
    }
    const size_t begin = i;
    const char c = i < n ? s[i] : '_';
    /* 1e, 1e+ and 0xg; 0.5f. But 2e is twice e where nothing follows that an exponent has. */
    const char after = s + n < p->source->text + p->source->len ? s[n] : ' ';
    const bool exponent = (c == 'e' || c == 'E') && digits_from(s, n, begin + 1) == n &&
                          (n > begin + 1 || after == '+' || after == '-' || memchr(s, '.', begin) ||
                           (begin == 1 && s[0] == '1'));
    const bool hex = begin == 1 && s[0] == '0' && (c == 'x' || c == 'X');
    const bool radix =
        begin == 1 && n > 2 && s[0] == '0' && strchr("bBoO", c) && s[2] >= '0' && s[2] <= '9';
    const bool suffix = memchr(s, '.', begin) && n == begin + 1 && strchr("fFlL", c);
    const bool name =
        c != '_' && !memchr(s + i, '.', n - i) && !exponent && !hex && !radix && !suffix;
    enum { MOST = 40 };
    const char *cure = name ? "" : number_cure(s, n);
    if (n > MOST) {
        n = MOST;
        while ((unsigned char)s[n] >> 6 == 2) n--;
    }
    if (name && i < n)
        parse_error(p, at, DIAG_NUMBER_NAME, (int)i, s, (int)(n - i), s + i);
    else
        parse_error(p, at, DIAG_BAD_NUMBER, (int)n, s, cure);
}
