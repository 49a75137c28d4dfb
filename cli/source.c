/* From the command line's FILE, TEXT and NAME to a module and the name of a function in it. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io.h"

/* A device has no end: one byte more than the language takes, of which the library says so. */
static const size_t max_source = ((size_t)16 << 20) + 1;

const char *source_name(const char *file) {
    return !file ? "<command line>" : !strcmp(file, "-") ? "<stdin>" : file;
}

Exit source_read(const char *file, char **text, size_t *length) {
    IoError e;
    if (io_read_text(file, max_source, text, length, &e)) return EXIT_DONE;
    say_file_error(source_name(file), e.text);
    return e.machine ? EXIT_MACHINE : EXIT_INPUT;
}

Exit source_parse(actc_context *context, const char *file, const char *text, actc_module **out) {
    size_t length = text ? strlen(text) : 0;
    char *read = NULL;
    if (file) {
        const Exit ex = source_read(file, &read, &length);
        if (ex != EXIT_DONE) return ex;
    }
    actc_diagnostics *diagnostics = NULL;
    const actc_status status = actc_module_parse(context, source_name(file), read ? read : text,
                                                 length, out, &diagnostics);
    free(read);
    return say_status(status, diagnostics, source_name(file));
}

static Exit choose_function(const Args *args, Program *p) {
    const size_t n = actc_module_function_count(p->module);
    p->function = args->function;
    if (p->function) return EXIT_DONE;
    if (n == 1) {
        p->function = actc_module_function_name(p->module, 0);
        return EXIT_DONE;
    }
    if (!args->text && !args->file_count) {
        say_error("which function? such as 'mish', 'tanh -> leaky_relu(0.03)' or 'x*tanh(x)'");
    } else if (n == 0) {
        say_error("which function? the text defines none");
    } else {
        fputs("actc: error: which function? there are ", stderr);
        for (size_t i = 0; i < n && i < 20; i++)
            fprintf(stderr, "%s%s", i ? ", " : "", actc_module_function_name(p->module, i));
        fputs(n > 20 ? ", …\n" : "\n", stderr);
    }
    return EXIT_USAGE;
}

Exit program_parse(const Args *args, Program *out) {
    *out = (Program){0};
    if (args->file_count > 1) {
        say_error("more than one FILE: '%s' and '%s'", args->files[0], args->files[1]);
        return EXIT_USAGE;
    }
    if (args->file_count && args->text) {
        say_error("-e TEXT stands in place of FILE '%s'; give one of them", args->files[0]);
        return EXIT_USAGE;
    }
    char folder[4096];
    const actc_context_options options = {.size = sizeof options,
                                          .cache_folder = cache_folder(folder, sizeof folder)};
    Exit ex = say_status(actc_context_create(&options, &out->context), NULL, "cannot start");
    if (ex == EXIT_DONE)
        ex = source_parse(out->context, args->file_count ? args->files[0] : NULL,
                          args->text ? args->text : "", &out->module);
    if (ex != EXIT_DONE) program_close(out);
    return ex;
}

Exit program_open(const Args *args, Program *out) {
    Exit ex = program_parse(args, out);
    if (ex != EXIT_DONE) return ex;
    ex = choose_function(args, out);
    if (ex != EXIT_DONE) program_close(out);
    return ex;
}

void program_close(Program *p) {
    actc_module_release(p->module);
    actc_context_release(p->context);
    *p = (Program){0};
}
