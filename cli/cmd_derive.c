/* actc derive [FILE] NAME: the derivative as one expression, which `actc eval` takes again, or as
 * LaTeX. */
#include "cli.h"

Exit cmd_derive(const Args *args) {
    if (args->arrays.count) {
        say_error("derive takes no values ('%s=…'); 'actc eval' does", args->arrays.items[0].name);
        return EXIT_USAGE;
    }
    Program program;
    const Exit ex = program_open(args, &program);
    if (ex != EXIT_DONE) return ex;
    const actc_kernel_options options = {
        .size = sizeof options,
        .dtype = args->has_dtype ? args->dtype : ACTC_F64,
        .settings = args->settings.items,
        .setting_count = args->settings.count,
    };
    char *text = NULL;
    actc_diagnostics *diagnostics = NULL;
    const actc_status status = actc_derive(program.module, program.function, args->wrt, args->order,
                                           args->latex, &options, &text, &diagnostics);
    const Exit end = say_text(status, diagnostics, program.function, text);
    program_close(&program);
    return end;
}
