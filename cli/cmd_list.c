/* actc list [FILE] [NAME]: functions, their inputs, params and defaults, and what their comments
 * say. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t put(FILE *to, const char *text) {
    if (to) fputs(text, to);
    return strlen(text);
}

/* `elu(x; alpha = 1)`, printed where `to` is not NULL; returns its length in bytes. */
static size_t put_head(const actc_definition *d, FILE *to) {
    size_t n = put(to, d->name) + put(to, "(");
    for (size_t i = 0; i < d->input_count; i++)
        n += put(to, i ? ", " : "") + put(to, d->inputs[i].name) + put(to, d->inputs[i].axes);
    for (size_t i = 0; i < d->param_count; i++) {
        const actc_parameter *p = &d->params[i];
        n += put(to, i ? ", " : "; ") + put(to, p->is_learnable ? "learn " : "") +
             put(to, p->name) + put(to, p->axes);
        if (p->default_value) n += put(to, " = ") + put(to, p->default_value);
    }
    return n + put(to, ")");
}

static void list_all(const actc_module *module) {
    enum { WIDEST = 44 }; /* longer heads have their comment on the next line */
    const size_t n = actc_module_function_count(module);
    size_t width = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t head = put_head(actc_module_function(module, i), NULL);
        if (head > width && head <= WIDEST) width = head;
    }
    for (size_t i = 0; i < n; i++) {
        const actc_definition *d = actc_module_function(module, i);
        const size_t head = put_head(d, stdout), line = strcspn(d->doc, "\n");
        if (line && head > width)
            printf("\n%*s  %.*s", (int)width, "", (int)line, d->doc);
        else if (line)
            printf("%*s  %.*s", (int)(width - head), "", (int)line, d->doc);
        putchar('\n');
    }
}

static void list_one(const actc_definition *d) {
    put_head(d, stdout);
    putchar('\n');
    for (const char *s = d->doc; *s;) {
        const size_t n = strcspn(s, "\n");
        printf("    %.*s\n", (int)n, s);
        s += n + (s[n] != 0);
    }
}

static const actc_definition *find(const actc_module *module, const char *name) {
    const char *near = NULL;
    for (size_t i = 0; i < actc_module_function_count(module); i++) {
        const actc_definition *d = actc_module_function(module, i);
        if (names_equal(d->name, name)) return d;
        near = say_nearer(name, d->name, near);
    }
    if (near)
        say_error("there is no function '%s'; did you mean '%s'?", name, near);
    else
        say_error("there is no function '%s'", name);
    return NULL;
}

Exit cmd_list(const Args *args) {
    if (args->arrays.count) {
        say_error("list takes no values ('%s=…')", args->arrays.items[0].name);
        return EXIT_USAGE;
    }
    Program program;
    Exit ex = program_parse(args, &program);
    if (ex != EXIT_DONE) return ex;
    actc_module *library = NULL;
    if (!args->file_count && !args->text)
        ex = say_status(actc_module_library(program.context, &library), NULL,
                        "the standard library");
    const actc_module *module = library ? library : program.module;
    if (ex == EXIT_DONE && args->function) {
        const actc_definition *d = find(module, args->function);
        if (d)
            list_one(d);
        else
            ex = EXIT_INPUT;
    } else if (ex == EXIT_DONE) {
        list_all(module);
    }
    actc_module_release(library);
    program_close(&program);
    return ex;
}
