/* A text in canonical form: each definition as def_print has it, `use` lines as they are, one empty
 * line where there were any, and all comments. A comment on a line of its own stays on one, in
 * front of what follows it; one behind something stays behind the part of the definition (head,
 * body, `where` name, `grad`) in which it stood. */
#include "frontend.h"

#include <string.h>

enum { WIDTH = 100 }; /* of a line with head and body; longer ones break behind '=' */

typedef struct {
    Span span;
    bool alone; /* nothing but space stands in front of it on its line */
    bool used;
} Comment;

/* A definition or a `use`. */
typedef struct {
    Span span;
    const Def *def;
    const FileUse *use;
} Item;

typedef struct {
    Arena *arena;
    const char *text;
    size_t len;
    Comment *comments;
    size_t count, cap;
    size_t next; /* of the comments: the first that is not printed */
    Buf *out;
    size_t at; /* in the text: behind what was printed last */
} Formatter;

/* The language has strings only on one line, so that this needs no lexer. */
static void find_comments(Formatter *f) {
    bool alone = true;
    for (size_t i = 0; i < f->len; i++) {
        const char c = f->text[i];
        if (c == '\n') alone = true;
        if (c == '"') {
            size_t end = i + 1;
            while (end < f->len && f->text[end] != '"' && f->text[end] != '\n' &&
                   f->text[end] != '\r')
                end++;
            if (end < f->len && f->text[end] == '"') i = end;
        }
        if (c == '#') {
            const char *newline = memchr(f->text + i, '\n', f->len - i);
            size_t end = newline ? (size_t)(newline - f->text) : f->len;
            const size_t next = end;
            while (end > i && strchr(" \t\r\f\v", f->text[end - 1])) end--;
            *ARENA_PUSH(f->arena, f->comments, f->count, f->cap) =
                (Comment){{(uint32_t)i, (uint32_t)end}, alone, false};
            i = next - 1;
        } else if (!strchr(" \t\r\f\v\n", c)) {
            alone = false;
        }
    }
}

/* Whether an empty line stands before `at`, behind what was printed last. */
static bool has_gap(const Formatter *f, size_t at) {
    unsigned newlines = 0;
    for (size_t i = at; i > f->at; i--) {
        const char c = f->text[i - 1];
        if (c == '\n')
            newlines++;
        else if (!strchr(" \t\r\f\v", c))
            break;
    }
    return newlines > 1;
}

/* `plain`: it must not become the documentation of what follows. */
static void put_comment(Formatter *f, Comment *c, bool plain) {
    uint32_t begin = c->span.begin;
    while (plain && begin + 1 < c->span.end && f->text[begin + 1] == '#') begin++;
    buf_write(f->out, f->text + begin, c->span.end - begin);
    buf_putc(f->out, '\n');
    c->used = true;
}

/* Comments up to `end`, each on its own line. One that stood behind something, or in a definition
 * and now moves behind it (`moved`), is no documentation. */
static void put_lines(Formatter *f, size_t end, const char *indent, bool moved) {
    for (; f->next < f->count && f->comments[f->next].span.begin < end; f->next++) {
        Comment *c = &f->comments[f->next];
        if (c->used) continue;
        if (!*indent && f->out->len && has_gap(f, c->span.begin)) buf_putc(f->out, '\n');
        buf_puts(f->out, indent);
        put_comment(f, c, moved || !c->alone);
        f->at = c->span.end;
    }
}

static void put_alone(Formatter *f, size_t end, const char *indent) {
    put_lines(f, end, indent, false);
}

/* The comment behind a part that ends before `end`: the first one there that is not alone. */
static Comment *find_behind(const Formatter *f, size_t end) {
    for (size_t i = f->next; i < f->count && f->comments[i].span.begin < end; i++)
        if (!f->comments[i].alone && !f->comments[i].used) return &f->comments[i];
    return NULL;
}

/* Ends the line of a part; `end` is where the next part begins. */
static void end_part(Formatter *f, size_t end) {
    Comment *c = find_behind(f, end);
    if (!c) {
        buf_putc(f->out, '\n');
        return;
    }
    buf_puts(f->out, "  ");
    put_comment(f, c, false);
}

static size_t line_end(const Formatter *f, size_t at) {
    const char *newline = memchr(f->text + at, '\n', f->len - at);
    return newline ? (size_t)(newline - f->text) : f->len;
}

/* `where` and all its names on one line, if that is not too long and no comment stands in front of
 * the last one (those in its value move behind it). */
static bool put_short_where(Formatter *f, const Def *d) {
    Buf line;
    buf_init(&line, f->arena);
    buf_puts(&line, "    where ");
    for (uint32_t i = 0; i < d->nwheres && line.len <= WIDTH; i++) {
        buf_printf(&line, "%s%s = ", i ? ", " : "", d->wheres[i].name);
        expr_print(d->wheres[i].value, &line);
    }
    if (line.len > WIDTH) return false;
    const uint32_t begin = d->wheres[0].span.begin, end = d->wheres[d->nwheres - 1].span.begin;
    for (size_t i = f->next; i < f->count && f->comments[i].span.begin < end; i++)
        if (f->comments[i].span.begin > begin) return false;
    end_part(f, begin);
    put_alone(f, begin, "    ");
    buf_write(f->out, line.s, line.len);
    return true;
}

static void put_where(Formatter *f, const Def *d) {
    for (uint32_t i = 0; i < d->nwheres; i++) {
        const char *indent = i ? "          " : "    ";
        const size_t at = d->wheres[i].span.begin;
        if (i) buf_putc(f->out, ',');
        end_part(f, at);
        put_alone(f, at, indent);
        buf_printf(f->out, "%s%s%s = ", indent, i ? "" : "where ", d->wheres[i].name);
        expr_print(d->wheres[i].value, f->out);
    }
}

static void put_def(Formatter *f, const Def *d) {
    const size_t body = d->body->span.begin, end = line_end(f, d->span.end);
    Buf head, value;
    buf_init(&head, f->arena);
    buf_init(&value, f->arena);
    def_print_head(d, &head);
    expr_print(d->body, &value);
    buf_write(f->out, head.s, head.len);
    bool alone = false; /* comments on lines of their own in the head */
    for (size_t i = f->next; i < f->count && f->comments[i].span.begin < body; i++)
        alone = alone || f->comments[i].alone;
    if (alone || find_behind(f, body)) {
        end_part(f, body);
        put_alone(f, body, "    ");
        buf_puts(f->out, "    ");
    } else {
        buf_puts(f->out, head.len + 1 + value.len > WIDTH ? "\n    " : " ");
    }
    buf_write(f->out, value.s, value.len);
    if (d->nwheres && !put_short_where(f, d)) put_where(f, d);
    for (uint32_t i = 0; i < d->ngrads; i++) {
        const size_t at = d->grads[i].span.begin;
        end_part(f, at);
        put_alone(f, at, "    ");
        buf_puts(f->out, "    ");
        grad_print(&d->grads[i], f->out);
    }
    end_part(f, end);
    /* What stood alone in the last part comes behind the definition. */
    f->at = d->span.end;
    put_lines(f, d->span.end, "", true);
    f->at = d->span.end;
}

static void put_item(Formatter *f, const Item *item) {
    put_alone(f, item->span.begin, "");
    if (f->out->len && has_gap(f, item->span.begin)) buf_putc(f->out, '\n');
    if (item->def) {
        put_def(f, item->def);
    } else {
        buf_printf(f->out, "use \"%s\"", item->use->path);
        end_part(f, line_end(f, item->span.end));
        f->at = item->span.end;
        put_lines(f, item->span.end, "", true);
    }
    f->at = item->span.end;
}

bool frontend_format(Arena *arena, Intern *names, Diags *diags, Source text, Buf *out) {
    Source *source = ARENA_NEW(arena, Source);
    *source = text;
    DefList defs = {0};
    Files files = {0};
    const size_t errors = diags->errors;
    parse_text(arena, names, diags, source, &defs, &files);
    if (diags->errors > errors) return false;
    Formatter f = {.arena = arena, .text = text.text, .len = text.len, .out = out};
    if (text.len >= 3 && memcmp(text.text, "\xef\xbb\xbf", 3) == 0) f.at = 3;
    find_comments(&f);
    for (size_t d = 0, u = 0; d < defs.count || u < files.count;) {
        const bool use = u < files.count &&
                         (d == defs.count || files.items[u].span.begin < defs.items[d]->span.begin);
        Item item = {0};
        if (use)
            item = (Item){.span = files.items[u].span, .use = &files.items[u]}, u++;
        else
            item = (Item){.span = defs.items[d]->span, .def = defs.items[d]}, d++;
        put_item(&f, &item);
    }
    put_alone(&f, f.len, "");
    return true;
}
