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

bool parse_can_end(int kind) {
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

void parse_too_deep(Parser *p, Span at) {
    /* The range may be the whole text: show where it begins. */
    const Span begin = {at.begin, at.begin + 1};
    parse_error(p, begin, DIAG_TOO_DEEP, LIMIT_DEPTH);
}

/* ---- tokens that are none ---- */

/* Reports tokens that are none. A bad number is still a number to the grammar; after the others
 * nothing is parsed. */
static void check_tokens(Parser *p) {
    bool stop = false;
    unsigned depth = 0;
    p->failed = false;
    for (size_t i = p->begin; i < p->end; i++) {
        Token *t = &p->lexer->tokens[i];
        const Span at = {t->begin, t->end};
        switch (t->kind) {
        case BAD_BYTE:
            stop = true;
            break;
        case BAD_CHARACTER:
            mistake_character(p, i);
            p->failed = stop = true;
            break;
        case BAD_NUMBER:
            mistake_number(p, i);
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

/* What no name can be, and somebody took for one: where it stands first on its line and '='
 * follows, it begins a definition, though a wrong one. */
static bool is_wrong_name(const Parser *p, size_t i) {
    const Token *t = &p->lexer->tokens[i];
    return (t->flags & TOKEN_FIRST) && (t->kind == BAD_NUMBER || mistake_reserved(p, i));
}

/* NAME(…) = at a place where an operand cannot stand. */
static bool is_head_name(const Parser *p, size_t i) {
    const Token *t = &p->lexer->tokens[i];
    if (t->kind != NAME) return is_wrong_name(p, i);
    return i == 0 || (t->flags & TOKEN_FIRST) || parse_can_end(t[-1].kind);
}

/* While a parenthesis is open, its `match` links to the one around it (as index + 1). */
static void match_parentheses(Parser *p) {
    Lexer *lx = p->lexer;
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
                              tokens[i + 1].kind == ASSIGN && is_head_name(p, begin - 1);
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

/* NAME = at the very beginning of a line, where no list of such goes on: what stands in front is
 * unfinished. */
static bool is_fresh(const Parser *p, size_t i) {
    const Token *t = &p->lexer->tokens[i];
    if (t->kind != NAME || i == 0 || p->source->text[t->begin - 1] != '\n') return false;
    switch (t[-1].kind) {
    case WHERE:
    case GRAD:
    case LEARN:
    case COMMA:
    case SEMICOLON:
        return false;
    }
    return true;
}

static void mark_heads(Parser *p) {
    Lexer *lx = p->lexer;
    match_parentheses(p);
    size_t depth = 0;
    for (size_t i = 0; i < lx->count; i++) {
        Token *t = &lx->tokens[i];
        if (t->match && (t->kind == OPEN || t->kind == OPEN_AXES)) depth++;
        if (t->match && (t->kind == CLOSE || t->kind == CLOSE_AXES)) depth--;
        const bool first = t->flags & TOKEN_FIRST, after = i == 0 || parse_can_end(t[-1].kind);
        if (t->kind == USE && (first || (depth == 0 && after))) t->flags |= TOKEN_HEAD;
        const bool assigned = i + 1 < lx->count && t[1].kind == ASSIGN;
        if (assigned && (is_wrong_name(p, i) || (depth == 0 && is_fresh(p, i))))
            t->flags |= TOKEN_HEAD;
        if (t->kind != NAME || depth > 0 || !after) continue;
        /* Behind a name that was taken for a head by its place, `x = …` is not another one. */
        const bool behind = i > 0 && (t[-1].flags & TOKEN_HEAD) && !first;
        if (assigned && !behind)
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
    const bool head = p->lexer->tokens[p->begin].flags & TOKEN_HEAD;
    if (p->start == START_ITEM && head && mistake_head(p)) return;
    check_tokens(p);
    if (p->failed || (p->start == START_ITEM && !head && mistake_head(p))) return;
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

/* What is most often a part of the definition in front, which did not parse: `x = …` on the same
 * line, and an indented line `a + 1`. */
static bool is_tail(const Parser *p) {
    const Token *t = &p->lexer->tokens[p->begin];
    if (t->kind != NAME || p->begin + 1 >= p->end) return false;
    if (!(t->flags & TOKEN_FIRST)) return t[1].kind == ASSIGN;
    return t->begin > 0 && strchr(" \t", p->source->text[t->begin - 1]) && t[1].kind >= ARROW &&
           t[1].kind <= POWER;
}

/* `use other.act`, not `use = 1`. */
static bool names_file(const Parser *p) {
    const Token *t = &p->lexer->tokens[p->begin];
    return t->kind == USE && p->begin + 1 < p->end && t[1].kind != ASSIGN && t[1].kind != OPEN;
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
    Parser p = {.arena = arena, .names = names, .diags = diags, .source = source, .lexer = &lexer};
    mark_heads(&p);
    const Def *before = NULL;
    size_t doc = 0;
    for (size_t i = 0; i < lexer.count;) {
        p.begin = i++;
        while (i < lexer.count && !(lexer.tokens[i].flags & TOKEN_HEAD)) i++;
        p.end = i;
        p.start = START_ITEM;
        if ((p.failed || p.broken) && is_tail(&p))
            p.failed = true;
        else
            parse_item(&p);
        if (!p.failed && p.use.end > p.use.begin) {
            take_use(&p, files);
            continue;
        }
        if (p.failed && names_file(&p)) files->broken = true;
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
    Parser p = {.arena = arena, .names = names, .diags = diags, .source = source, .lexer = &lexer};
    match_parentheses(&p);
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
