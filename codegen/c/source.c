/* A C file: what it is and how to build it, guards, helpers, and one function for each plan. */
#include "c.h"

#include <string.h>

/* The element of an array, as a local of the loop: x_i for x[i], unless an argument is called that.
 */
static const char *element_name(const Plan *p, const char *const *names, const char *name) {
    Buf b;
    buf_init(&b, p->graph->arena);
    buf_printf(&b, "%s_i", name);
    for (size_t k = 0; k < p->nparams + p->nargs; k++)
        if (strcmp(names[k], b.s) == 0) {
            buf_putc(&b, '_');
            k = (size_t)-1; /* from the first again */
        }
    return b.s;
}

/* clang warns where it is told to vectorise and may not: sqrt sets errno, unless -fno-math-errno
 * says otherwise. */
static bool has_sqrt(const Graph *g) {
    const bool *needed = graph_needed(g);
    for (size_t i = 0; i < g->nnodes; i++)
        if (g->nodes[i]->op == OP_SQRT && needed[g->nodes[i]->id]) return true;
    return false;
}

typedef struct {
    bool helpers[HELPER_COUNT], reduces[REDUCTIONS], lanes[REDUCTIONS];
} Used;

static void note_used(Used *used, const Writer *w) {
    for (int h = 0; h < HELPER_COUNT; h++) used->helpers[h] = used->helpers[h] || w->helpers[h];
    for (int r = 0; r < REDUCTIONS; r++) {
        used->reduces[r] = used->reduces[r] || w->reduces[r];
        used->lanes[r] = used->lanes[r] || w->lanes[r];
    }
}

/* const float x_i = x[i]; for an array that is needed. */
static void read_element(Writer *w, const char **names, size_t arg, const char *index, int indent,
                         Buf *out) {
    const Plan *p = w->plan;
    const PlanArg *a = &p->args[arg];
    const char *name = names[p->nparams + arg];
    if (!graph_needed(p->graph)[p->graph->vars[a->index].node->id]) return;
    w->variables[a->index] = element_name(p, names, name);
    Buf element, line;
    buf_init(&element, out->arena);
    buf_init(&line, out->arena);
    buf_printf(&element, "%s[%s]", name, index);
    buf_printf(&line, "const %s %s = ", c_type(type_arithmetic(a->type)), w->variables[a->index]);
    write_load(w, a, element.s, &line);
    buf_putc(&line, ';');
    write_line(line.s, indent, out);
}

static void function(const Plan *p, Used *used, Buf *out) {
    const Graph *g = p->graph;
    Arena *arena = g->arena;
    const char **names = c_argument_names(p);
    const char **variables = ARENA_ARRAY(arena, const char *, g->nvars + 1);
    for (size_t i = 0; i < p->nparams; i++) variables[p->params[i].index] = names[i];
    Buf prototype;
    buf_init(&prototype, arena);
    c_prototype(p, names, &prototype);
    write_line(prototype.s, 0, out);
    buf_puts(out, "{\n");
    Writer w;
    writer_init(&w, p, names);
    w.variables = variables;
    write_prologue(&w, 4, out);
    if (!p->elementwise) {
        write_nests(&w, names, out);
        buf_puts(out, "}\n");
        note_used(used, &w);
        return;
    }
    const bool *needed = graph_needed(g);
    for (size_t i = 0; i < p->nargs; i++)
        if (!p->args[i].output && g->vars[p->args[i].index].node->axes == 0)
            read_element(&w, names, i, "0", 4, out);
    write_block(&w, &p->uniform, 4, out);
    if (!has_sqrt(g)) buf_puts(out, "    EACH_ELEMENT\n");
    buf_puts(out, "    for (size_t i = 0; i < n; i++) {\n");
    /* everything is read and computed before anything is written: an output may be an input */
    for (size_t i = 0; i < p->nargs; i++)
        if (!p->args[i].output && g->vars[p->args[i].index].node->axes)
            read_element(&w, names, i, "i", 8, out);
    write_block(&w, &p->loop, 8, out);
    const bool several = g->nouts > 1;
    for (int pass = several ? 0 : 1; pass < 2; pass++)
        for (size_t i = 0; i < p->nargs; i++) {
            const PlanArg *a = &p->args[i];
            const char *name = names[p->nparams + i];
            if (!a->output) continue;
            Buf line;
            buf_init(&line, arena);
            if (pass == 0)
                buf_printf(&line, "const %s %s = ", c_type(a->type), element_name(p, names, name));
            else
                buf_printf(&line, "%s[i] = ", name);
            if (pass == 1 && several)
                buf_puts(&line, element_name(p, names, name));
            else
                write_store(&w, a, g->outs[a->index].node, &line);
            buf_putc(&line, ';');
            write_line(line.s, 8, out);
        }
    buf_puts(out, "    }\n");
    /* arrays that the gradient does not need are arguments all the same */
    for (size_t i = 0; i < p->nargs; i++)
        if (!p->args[i].output && !needed[g->vars[p->args[i].index].node->id])
            buf_printf(out, "    (void)%s;\n", names[p->nparams + i]);
    for (size_t i = 0; i < p->nparams; i++)
        if (!needed[g->vars[p->params[i].index].node->id])
            buf_printf(out, "    (void)%s;\n", names[i]);
    buf_puts(out, "}\n");
    note_used(used, &w);
}

static void comment_lines(const char *text, Buf *out) {
    for (const char *s = text; *s;) {
        const size_t n = strcspn(s, "\n");
        Buf line, clean, broken;
        buf_init(&line, out->arena);
        buf_init(&clean, out->arena);
        buf_init(&broken, out->arena);
        buf_write(&line, s, n);
        c_comment(line.s, &clean);
        write_line(clean.s, 3, &broken); /* the first three columns make room for the frame */
        for (const char *b = broken.s; *b;) {
            const size_t m = strcspn(b, "\n");
            buf_printf(out, " * %.*s\n", (int)m - 3, b + 3);
            b += m + (b[m] == '\n');
        }
        s += n + (s[n] == '\n');
    }
}

void c_source(const Plan *const *plans, size_t n, const CFile *file, Buf *out) {
    Buf functions;
    Used used = {.helpers = {false}};
    buf_init(&functions, out->arena);
    for (size_t i = 0; i < n; i++) {
        buf_putc(&functions, '\n');
        if (file->notes && file->notes[i] && *file->notes[i]) {
            buf_puts(&functions, "/*\n");
            comment_lines(file->notes[i], &functions);
            buf_puts(&functions, " */\n");
        }
        function(plans[i], &used, &functions);
    }
    buf_puts(out, "/* Made by actc; standalone C99.\n");
    c_halves_comment(plans, n, " * ", out);
    if (file->command) comment_lines(file->command, out);
    buf_puts(out, " *\n * Build it with\n *     cc -std=c99 -O3 -march=native -fno-math-errno "
                  "-fno-trapping-math -c ");
    c_comment(file->base, out);
    buf_puts(out, ".c\n"
                  " * where -march=native may be any processor (one with fused multiply-add is "
                  "much faster) and the\n"
                  " * last two options let gcc use vector instructions; none of them changes a bit "
                  "of the results. */\n");
    buf_printf(out,
               "#include \"%s.h\"\n\n#include <math.h>\n#include <stddef.h>\n#include "
               "<stdint.h>\n#include <string.h>\n\n",
               strrchr(file->base, '/') ? strrchr(file->base, '/') + 1 : file->base);
    buf_puts(out, preamble_text());
    for (int h = 0; h < HELPER_COUNT; h++)
        if (used.helpers[h]) buf_printf(out, "\n%s", helper_text((Helper)h));
    write_reductions(used.reduces, used.lanes, out);
    buf_puts(out, functions.s);
}
