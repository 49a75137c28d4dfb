/* actc check FILE…: parses and checks; all that it has to say goes to stderr. */
#include "cli.h"

static Exit worse(Exit a, Exit b) { return a > b ? a : b; }

static Exit refuse(const Args *args) {
    if (args->function)
        say_error("'%s' is no file of definitions: its name must end in .act", args->function);
    else if (args->arrays.count)
        say_error("check takes files, not '%s=…'", args->arrays.items[0].name);
    else
        say_error("which file? such as 'actc check my.act'");
    return EXIT_USAGE;
}

Exit cmd_check(const Args *args) {
    if (args->function || args->arrays.count || (!args->file_count && !args->text))
        return refuse(args);
    actc_context *context;
    Exit ex = say_status(actc_context_create(NULL, &context), NULL, "cannot start");
    if (ex != EXIT_DONE) return ex;
    if (args->text) {
        actc_module *module = NULL;
        ex = source_parse(context, NULL, args->text, &module);
        actc_module_release(module);
    }
    for (size_t i = 0; i < args->file_count; i++) {
        actc_module *module = NULL;
        ex = worse(ex, source_parse(context, args->files[i], NULL, &module));
        actc_module_release(module);
    }
    actc_context_release(context);
    return ex;
}
