/* actc fmt FILE…: definitions in canonical form. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Exit write_file(const char *file, const char *text) {
    IoError e;
    OutFile out;
    bool good = out_open(&out, file, &e);
    if (good) {
        good =
            out_write(&out, text, strlen(text), &e) && out_close(&out, &e) && out_commit(&out, &e);
        out_end(&out);
    }
    if (good) return EXIT_DONE;
    say_file_error(file, e.text);
    return e.machine ? EXIT_MACHINE : EXIT_INPUT;
}

/* One file, or standard input, or the text of -e. */
static Exit format(actc_context *context, const Args *args, const char *file, const char *text) {
    const char *name = source_name(file);
    char *read = NULL;
    size_t length = text ? strlen(text) : 0;
    Exit ex = file ? source_read(file, &read, &length) : EXIT_DONE;
    if (ex != EXIT_DONE) return ex;
    if (read) text = read;
    char *form = NULL;
    actc_diagnostics *diagnostics = NULL;
    const actc_status status = actc_format_text(context, name, text, length, &form, &diagnostics);
    ex = say_status(status, diagnostics, name);
    if (ex == EXIT_DONE) {
        const bool same = strlen(form) == length && !memcmp(form, text, length);
        const bool place = args->in_place && file && strcmp(file, "-") != 0;
        if (args->only_check && !same) {
            say_file_error(name, "it is not as 'actc fmt' writes it");
            ex = EXIT_INPUT;
        } else if (place && !same) {
            ex = write_file(file, form);
        } else if (!args->only_check && !place) {
            fputs(form, stdout);
        }
    }
    actc_text_release(form);
    free(read);
    return ex;
}

Exit cmd_fmt(const Args *args) {
    if (args->function || args->arrays.count || (!args->file_count && !args->text)) {
        if (args->function)
            say_error("'%s' is no file of definitions: its name must end in .act", args->function);
        else
            say_error("which file? such as 'actc fmt my.act'");
        return EXIT_USAGE;
    }
    actc_context *context;
    Exit ex = say_status(actc_context_create(NULL, &context), NULL, "cannot start");
    if (ex != EXIT_DONE) return ex;
    if (args->text) ex = format(context, args, NULL, args->text);
    for (size_t i = 0; i < args->file_count; i++) {
        const Exit one = format(context, args, args->files[i], NULL);
        if (one > ex) ex = one;
    }
    actc_context_release(context);
    return ex;
}
