/* Text to definitions: lex the whole text, match parentheses, find where definitions begin, and run
 * the grammar once for each. A definition begins at NAME(…) = or NAME = where an operand cannot
 * continue what stands before; so an unfinished one ends where the next begins. */
#include "parse.h"
#include "act.tab.h"

#include <string.h>

enum {
    ENCODING_ERRORS = 10 /* a text with more wrong bytes than this is not text */
};

Loc source_loc(Diags *diags, const Source *source, Span span) {
    uint32_t i = 0;
    while (i < diags->nsources && diags->sources[i].text != source->text) i++;
    if (i == diags->nsources) i = diags_add_source(diags, *source);
    return (Loc){i, span.begin, span.end};
}

/* ---- errors of syntax ---- */

static bool can_end(int kind) {
    switch (kind) {
    case NAME:
    case NUMBER:
    case STRING:
    case TRUE:
    case FALSE:
    case CLOSE:
    case CLOSE_AXES:
    case BAD_NUMBER:
    case BAD_STRING:
    case BAD_CHARACTER:
    case BAD_BYTE:
        return true;
    }
    return false;
}

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

void parse_unexpected(Parser *p, int token, Span at, const char *const *expected, size_t n) {
    const Token *tokens = p->lexer->tokens;
    const size_t here = token == END ? p->end : p->at - 1; /* the token that does not fit */
    const int before = here > p->begin ? tokens[here - 1].kind : END;
    const bool operand = among("'+'", expected, n) && !among("a number", expected, n);
    Buf what, wanted;
    buf_init(&what, p->arena);
    buf_init(&wanted, p->arena);
    describe_expected(&wanted, expected, n);
    if (token == END) {
        const bool item = p->begin < p->end && (tokens[p->begin].flags & TOKEN_HEAD);
        parse_error(p, at, DIAG_SYNTAX_END, item ? "the definition" : "the expression", wanted.s);
    } else if (token == ASSIGN && operand) {
        parse_error(p, at, DIAG_ASSIGN_IN_EXPR);
    } else if (token == OPEN && before == NAME && n == 1 && strcmp(expected[0], "'='") == 0) {
        const Token *t = &tokens[here - 1];
        parse_error(p, ((Span){t->begin, t->end}), DIAG_LOCAL_FUNCTION,
                    ast_name(p, (Span){t->begin, t->end}));
    } else {
        describe_token(p, &what, token, at);
        if (operand && can_begin(token) && can_end(before))
            parse_error(p, at, DIAG_MISSING_OPERATOR, what.s);
        else
            parse_error(p, at, DIAG_SYNTAX, what.s, wanted.s);
    }
    if (among("')'", expected, n) || among("']'", expected, n)) note_open(p, p->begin);
    if (token == END && p->end < p->lexer->count && tokens[p->end].kind == NAME) {
        const Span next = {tokens[p->end].begin, tokens[p->end].end};
        diag_report(p->diags, source_loc(p->diags, p->source, next), DIAG_NOTE_HEAD,
                    ast_name(p, next));
    }
}

void parse_too_deep(Parser *p, Span at) {
    /* The range may be the whole text: show where it begins. */
    const Span begin = {at.begin, at.begin + 1};
    parse_error(p, begin, DIAG_TOO_DEEP, LIMIT_DEPTH);
}

/* ---- tokens that are none ---- */

static void report_character(Parser *p, Span at) {
    static const struct {
        const char *text, *hint;
    } hints[] = {{"²", "; write '^2'"},
                 {"³", "; write '^3'"},
                 {"÷", "; write '/'"},
                 {"&", "; write 'and'"},
                 {"|", "; write 'or', or abs(…) for an absolute value"},
                 {"'", ""},
                 {"{", "; write '('"},
                 {"}", "; write ')'"},
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
                 {".", ""},
                 {"%", ""},
                 {"（", "; write '('"},
                 {"）", "; write ')'"},
                 {"，", "; write ','"},
                 {"；", "; write ';'"},
                 {"＝", "; write '='"}};
    const char *s = p->source->text + at.begin;
    const size_t n = at.end - at.begin;
    const char *hint = "";
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strlen(hints[i].text) == n && memcmp(hints[i].text, s, n) == 0) hint = hints[i].hint;
    Buf what;
    buf_init(&what, p->arena);
    buf_printf(&what, "'%.*s'", (int)n, s);
    parse_error(p, at, DIAG_BAD_CHARACTER, what.s, hint);
}

/* 2x is 2*x; 1_000 and 1e5.5x are no numbers. */
static void report_number(Parser *p, Span at) {
    const char *s = p->source->text + at.begin;
    size_t n = at.end - at.begin, i = 0;
    while (i < n && ((s[i] >= '0' && s[i] <= '9') || s[i] == '.')) i++;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        size_t j = i + 1;
        if (j < n && (s[j] == '+' || s[j] == '-')) j++;
        const size_t digits = j;
        while (j < n && s[j] >= '0' && s[j] <= '9') j++;
        if (j > digits && j < n) i = j;
    }
    const bool name = i < n && s[i] != '_' && !memchr(s + i, '.', n - i);
    enum { MOST = 40 };
    if (n > MOST) {
        n = MOST;
        while ((unsigned char)s[n] >> 6 == 2) n--;
    }
    if (name && i < n)
        parse_error(p, at, DIAG_NUMBER_NAME, (int)i, s, (int)(n - i), s + i);
    else
        parse_error(p, at, DIAG_BAD_NUMBER, (int)n, s);
}

/* Reports tokens that are none. A bad number is still a number to the grammar; after the others
 * nothing is parsed. */
static void check_tokens(Parser *p) {
    bool stop = false;
    unsigned depth = 0;
    for (size_t i = p->begin; i < p->end; i++) {
        Token *t = &p->lexer->tokens[i];
        const Span at = {t->begin, t->end};
        switch (t->kind) {
        case BAD_BYTE:
            stop = true;
            break;
        case BAD_CHARACTER:
            report_character(p, at);
            stop = true;
            break;
        case BAD_NUMBER:
            report_number(p, at);
            t->kind = NUMBER;
            p->broken = true;
            break;
        case BAD_STRING:
            parse_error(p, at, DIAG_OPEN_STRING);
            stop = true;
            break;
        case OPEN:
        case OPEN_AXES:
            if (++depth <= LIMIT_DEPTH) break;
            parse_too_deep(p, at);
            p->failed = true;
            return;
        case CLOSE:
        case CLOSE_AXES:
            if (depth > 0) depth--;
            break;
        }
    }
    p->failed = stop;
}

/* ---- bytes ---- */

static size_t utf8_length(const unsigned char *s, size_t n) {
    if (s[0] < 0x80) return 1;
    const size_t len = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
    if (len == 0 || len > n) return 0;
    for (size_t i = 1; i < len; i++)
        if (s[i] >> 6 != 2) return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0))
        return 0; /* overlong, surrogates */
    if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90)) return 0;
    return len;
}

/* A copy for the lexer, in which each wrong byte is a 1; NULL if the text is refused. */
static char *check_bytes(Arena *arena, Diags *diags, const Source *source) {
    const size_t n = source->len;
    if (n > LIMIT_TEXT) {
        diag_report(diags, source_loc(diags, source, (Span){0, 0}), DIAG_FILE_TOO_LARGE);
        return NULL;
    }
    char *copy = arena_alloc(arena, n + 2);
    memcpy(copy, source->text, n);
    unsigned char *u = (unsigned char *)copy;
    size_t i = n >= 3 && memcmp(u, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte order mark */
    memset(u, ' ', i);
    unsigned errors = 0;
    for (bool good = true; i < n;) {
        const bool control = (u[i] < 0x20 && !(u[i] >= '\t' && u[i] <= '\r')) || u[i] == 0x7f;
        const size_t len = control ? 0 : utf8_length(u + i, n - i);
        if (len > 0) {
            good = true;
            i += len;
            continue;
        }
        /* A run of wrong bytes is one mistake. */
        if (good) {
            const Loc loc = source_loc(diags, source, (Span){(uint32_t)i, (uint32_t)i + 1});
            if (++errors > ENCODING_ERRORS) return NULL;
            if (u[i] == 0) {
                diag_report(diags, loc, DIAG_NUL_BYTE);
            } else if (control) {
                Buf what;
                buf_init(&what, diags->arena);
                buf_printf(&what, "U+%04X", u[i]);
                diag_report(diags, loc, DIAG_BAD_CHARACTER, what.s, "");
            } else {
                diag_report(diags, loc, DIAG_BAD_UTF8, u[i]);
            }
        }
        good = false;
        u[i++] = 1;
    }
    return copy;
}

/* ---- where definitions begin ---- */

/* NAME(…) = at a place where an operand cannot stand. */
static bool is_head_name(const Lexer *lx, size_t i) {
    return lx->tokens[i].kind == NAME &&
           (i == 0 || (lx->tokens[i].flags & TOKEN_FIRST) || can_end(lx->tokens[i - 1].kind));
}

/* While a parenthesis is open, its `match` links to the one around it (as index + 1). */
static void match_parentheses(Lexer *lx) {
    Token *tokens = lx->tokens;
    uint32_t top = 0, open[2] = {0, 0}; /* how many of ( and [ are open */
    for (size_t i = 0; i < lx->count; i++) {
        const int kind = tokens[i].kind;
        if (kind == OPEN || kind == OPEN_AXES) {
            tokens[i].match = top;
            top = (uint32_t)i + 1;
            open[kind == OPEN_AXES]++;
        } else if (kind == CLOSE || kind == CLOSE_AXES) {
            const int wanted = kind == CLOSE ? OPEN : OPEN_AXES;
            if (open[kind == CLOSE_AXES] == 0) continue;
            for (;;) {
                Token *t = &tokens[top - 1];
                const uint32_t at = top;
                top = t->match;
                open[t->kind == OPEN_AXES]--;
                t->match = 0;
                if (t->kind != wanted) continue;
                t->match = (uint32_t)i + 1;
                tokens[i].match = at;
                break;
            }
            /* The head of a definition: what is still open around it never closes. */
            const size_t begin = tokens[i].match - 1;
            const bool head = kind == CLOSE && begin > 0 && i + 1 < lx->count &&
                              tokens[i + 1].kind == ASSIGN && is_head_name(lx, begin - 1);
            if (!head) continue;
            tokens[begin - 1].flags |= TOKEN_HEAD;
            while (top) {
                Token *t = &tokens[top - 1];
                top = t->match;
                t->match = 0;
            }
            open[0] = open[1] = 0;
        }
    }
    while (top) {
        Token *t = &tokens[top - 1];
        top = t->match;
        t->match = 0;
    }
}

static void mark_heads(Lexer *lx) {
    match_parentheses(lx);
    size_t depth = 0;
    for (size_t i = 0; i < lx->count; i++) {
        Token *t = &lx->tokens[i];
        if (t->match && (t->kind == OPEN || t->kind == OPEN_AXES)) depth++;
        if (t->match && (t->kind == CLOSE || t->kind == CLOSE_AXES)) depth--;
        const bool first = t->flags & TOKEN_FIRST, after = i == 0 || can_end(t[-1].kind);
        if (t->kind == USE && (first || (depth == 0 && after))) t->flags |= TOKEN_HEAD;
        if (t->kind != NAME || depth > 0 || !after) continue;
        /* Behind a name that was taken for a head by its place, `x = …` is not another one. */
        const bool behind = i > 0 && (t[-1].flags & TOKEN_HEAD) && !first;
        if (i + 1 < lx->count && t[1].kind == ASSIGN && !behind)
            t->flags |= TOKEN_HEAD;
        else if (first)
            t->flags |= TOKEN_HEAD;
    }
}

/* ---- items ---- */

/* The text of ## lines without the signs. */
static const char *doc_text(const Parser *p, const Doc *doc) {
    Buf out;
    buf_init(&out, p->arena);
    const char *s = p->source->text + doc->begin, *end = p->source->text + doc->end;
    while (s < end) {
        const char *newline = memchr(s, '\n', (size_t)(end - s));
        const char *stop = newline ? newline : end, *next = newline ? newline + 1 : end;
        while (s < stop && *s != '#') s++;
        const bool is_doc = stop - s >= 2 && s[1] == '#'; /* plain comments may stand between */
        if (is_doc) {
            s += 2;
            if (s < stop && *s == ' ') s++;
            while (stop > s && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r')) stop--;
            if (out.len) buf_putc(&out, '\n');
            buf_write(&out, s, (size_t)(stop - s));
        }
        s = next;
    }
    return out.s;
}

static void parse_item(Parser *p) {
    Expr bad = {.kind = EXPR_BAD, .depth = 1};
    p->bad = &bad;
    p->def = NULL;
    p->use = (Span){0, 0};
    p->failed = p->broken = false;
    p->at = p->begin;
    check_tokens(p);
    if (p->failed) return;
    if (p->start == START_ITEM && !(p->lexer->tokens[p->begin].flags & TOKEN_HEAD)) {
        const Token *t = &p->lexer->tokens[p->begin];
        parse_error(p, ((Span){t->begin, t->end}), DIAG_NO_DEFINITION);
        return;
    }
    if (act_yyparse(p) != 0) p->failed = true;
    if (p->failed) p->def = NULL;
    if (p->def) p->def->bad = p->broken;
}

/* A definition that could not be parsed is still known by its name, so that its uses are not errors
 * too. */
static Def *broken_def(Parser *p) {
    const Token *t = &p->lexer->tokens[p->begin];
    if (t->kind != NAME || !(t->flags & TOKEN_HEAD)) return NULL;
    const bool known = p->failed;
    p->failed = true;
    Def *d = ARENA_NEW(p->arena, Def);
    d->name_span = d->span = (Span){t->begin, t->end};
    d->name = ast_name(p, d->name_span);
    d->source = p->source;
    d->bad = true;
    d->has_list = true;
    d->body = ARENA_NEW(p->arena, Expr);
    d->body->depth = 1;
    p->failed = known;
    return d;
}

static void take_use(Parser *p, Files *files) {
    const Token *t = &p->lexer->tokens[p->begin];
    const Span path = {p->use.begin + 1, p->use.end - 1};
    *ARENA_PUSH(p->arena, files->items, files->count, files->cap) = (FileUse){
        .path = arena_copy(p->arena, p->source->text + path.begin, path.end - path.begin),
        .source = p->source,
        .span = {t->begin, p->use.end},
    };
}

void parse_text(Arena *arena, Intern *names, Diags *diags, const Source *source, DefList *out,
                Files *files) {
    char *text = check_bytes(arena, diags, source);
    if (!text) return;
    Lexer lexer = {.arena = arena};
    lex_text(&lexer, text, source->len);
    mark_heads(&lexer);
    Parser p = {.arena = arena, .names = names, .diags = diags, .source = source, .lexer = &lexer};
    const Def *before = NULL;
    size_t doc = 0;
    for (size_t i = 0; i < lexer.count;) {
        p.begin = i++;
        while (i < lexer.count && !(lexer.tokens[i].flags & TOKEN_HEAD)) i++;
        p.end = i;
        p.start = START_ITEM;
        parse_item(&p);
        if (!p.failed && p.use.end > p.use.begin) {
            take_use(&p, files);
            continue;
        }
        Def *d = p.failed ? broken_def(&p) : p.def;
        if (!d) continue;
        while (doc < lexer.ndocs && lexer.docs[doc].token < p.begin) doc++;
        if (doc < lexer.ndocs && lexer.docs[doc].token == p.begin)
            d->doc = doc_text(&p, &lexer.docs[doc]);
        d->before = before;
        before = d;
        *ARENA_PUSH(arena, out->items, out->count, out->cap) = d;
    }
}

Def *parse_expression(Arena *arena, Intern *names, Diags *diags, const Source *source) {
    char *text = check_bytes(arena, diags, source);
    if (!text) return NULL;
    Lexer lexer = {.arena = arena};
    lex_text(&lexer, text, source->len);
    match_parentheses(&lexer);
    Parser p = {.arena = arena, .names = names, .diags = diags, .source = source, .lexer = &lexer};
    for (size_t i = 0; i < lexer.count; i++) lexer.tokens[i].flags &= (uint16_t)~TOKEN_HEAD;
    if (lexer.count == 0) {
        parse_error(&p, ((Span){0, 0}), DIAG_EMPTY_TEXT);
        return NULL;
    }
    p.end = lexer.count;
    p.start = START_EXPRESSION;
    parse_item(&p);
    return p.def;
}
