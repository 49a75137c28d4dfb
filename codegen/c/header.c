/* The header of an emitted C file: include guard, extern "C", one prototype for each plan. */
#include "c.h"

#include <ctype.h>
#include <string.h>

static void guard(const char *base, Buf *out) {
    const char *s = strrchr(base, '/') ? strrchr(base, '/') + 1 : base;
    buf_puts(out, "ACTC_");
    for (; *s; s++)
        buf_putc(out, isalnum((unsigned char)*s) ? (char)toupper((unsigned char)*s) : '_');
    buf_puts(out, "_H");
}

/* `rows * d`, of an array in the workspace. */
static void put_product(const Plan *p, const char *const *sizes, AxisSet axes, Buf *out) {
    const char *sign = "";
    for (unsigned bit = 0; bit <= MAX_AXES; bit++) {
        if (!(axes >> bit & 1)) continue;
        buf_puts(out, sign);
        sign = " * ";
        const char *name = NULL;
        for (size_t i = 0; i < p->nsizes; i++)
            if (p->sizes[i].axis == (AxisSet)1 << bit) name = sizes[i];
        if (name)
            buf_puts(out, name);
        else
            buf_printf(out, "%llu", (unsigned long long)p->graph->axes[bit - 1].size);
    }
}

/* A comment: the axes of each array. */
static void put_shapes(const Plan *p, Buf *out) {
    if (p->elementwise) {
        buf_puts(out, "/* elementwise */\n");
        return;
    }
    const Graph *g = p->graph;
    const char **names = c_argument_names(p);
    const char *const *sizes = c_size_names(p, names);
    Buf comment;
    buf_init(&comment, out->arena);
    buf_puts(&comment, "/*");
    for (size_t i = 0; i < p->nargs; i++) {
        const PlanArg *a = &p->args[i];
        const uint8_t *order = a->output ? g->outs[a->index].order : g->vars[a->index].order;
        const uint8_t rank = a->output ? g->outs[a->index].rank : g->vars[a->index].rank;
        buf_printf(&comment, "%s %s[", i ? "," : "", names[p->nparams + i]);
        for (uint8_t k = 0; k < rank; k++) {
            buf_puts(&comment, k ? ", " : "");
            put_product(p, sizes, (AxisSet)1 << order[k], &comment);
        }
        buf_puts(&comment, rank ? "]" : "1]");
    }
    buf_puts(&comment, " */");
    write_line(comment.s, 0, out);
}

/* It stands in the header, so that objects need not define it. */
static void put_workspace(const Plan *p, Buf *out) {
    const char *const *sizes = c_size_names(p, c_argument_names(p));
    Buf head, sum, unused;
    buf_init(&head, out->arena);
    buf_init(&sum, out->arena);
    buf_init(&unused, out->arena);
    AxisSet used = 0;
    for (size_t i = 0; i < p->nsaved; i++) {
        if (!p->saved[i]->axes) continue;
        if (sum.len) buf_puts(&sum, " + ");
        put_product(p, sizes, p->saved[i]->axes, &sum);
        used |= p->saved[i]->axes;
    }
    buf_printf(&head, "static inline size_t %s_workspace(", p->symbol);
    for (size_t i = 0; i < p->nsizes; i++) {
        buf_printf(&head, "%ssize_t %s", i ? ", " : "", sizes[i]);
        if (!(used & p->sizes[i].axis)) buf_printf(&unused, "    (void)%s;\n", sizes[i]);
    }
    buf_puts(&head, p->nsizes ? ")" : "void)");
    buf_puts(out, "/* How many elements the workspace of that function must have, for the same "
                  "sizes. */\n");
    write_line(head.s, 0, out);
    buf_puts(out, "{\n");
    if (unused.len) buf_puts(out, unused.s);
    Buf result;
    buf_init(&result, out->arena);
    buf_printf(&result, "return %s;", sum.s);
    write_line(result.s, 4, out);
    buf_puts(out, "}\n");
}

void c_header(const Plan *const *plans, size_t n, const CFile *file, Buf *out) {
    bool plain = true;
    for (size_t i = 0; i < n; i++) plain = plain && plans[i]->elementwise;
    if (plain)
        buf_puts(out, "/* Made by actc. Arrays hold n elements, contiguous; an output may be the "
                      "same array as an input,\n"
                      " * but arrays must not overlap otherwise. The functions may be called from "
                      "any thread.");
    else
        buf_puts(
            out,
            "/* Made by actc. Arrays are row-major and contiguous, their sizes stand above each "
            "function. An output\n"
            " * may be the same array as an input of an elementwise function, of n elements "
            "each; else\n"
            " * arrays must not overlap. The functions may be called from any "
            "thread.");
    Buf halves;
    buf_init(&halves, out->arena);
    c_halves_comment(plans, n, " * ", &halves);
    while (halves.len && halves.s[halves.len - 1] == '\n') halves.s[--halves.len] = 0;
    buf_printf(out, "%s%s */\n#ifndef ", halves.len ? "\n" : "", halves.s);
    guard(file->base, out);
    buf_puts(out, "\n#define ");
    guard(file->base, out);
    buf_puts(out, "\n\n#include <stddef.h>\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern "
                  "\"C\" {\n#endif\n\n");
    for (size_t i = 0; i < n; i++) {
        Buf prototype;
        buf_init(&prototype, out->arena);
        c_prototype(plans[i], c_argument_names(plans[i]), &prototype);
        buf_putc(&prototype, ';');
        if (!plain) put_shapes(plans[i], out);
        write_line(prototype.s, 0, out);
        if (plan_needs_workspace(plans[i])) put_workspace(plans[i], out);
    }
    buf_puts(out, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}
