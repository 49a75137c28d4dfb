/* actc eval [FILE] NAME x=0.5: the value and the derivatives at a point, one a line. */
#include "cli.h"

Exit cmd_eval(const Args *args) {
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
    const actc_status status =
        actc_eval(program.module, program.function, args->arrays.items, args->arrays.count,
                  args->order, &options, &text, &diagnostics);
    const Exit end = say_text(status, diagnostics, program.function, text);
    program_close(&program);
    return end;
}
