/* actc show [FILE] NAME --stage=…: what the compiler made of a function, as text. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* The names of STAGE_NAMES, apart from each other. */
static Exit check_stage(const char *stage) {
    char names[] = STAGE_NAMES;
    const char *near = NULL;
    char *rest = NULL;
    for (char *name = strtok_r(names, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest)) {
        if (!strcmp(name, stage)) return EXIT_DONE;
        near = say_nearer(stage, name, near);
    }
    if (near)
        say_error("there is no stage '%s'; did you mean '%s'?", stage, near);
    else
        say_error("there is no stage '%s'; the stages are " STAGE_NAMES, stage);
    return EXIT_USAGE;
}

static actc_kind kind_of(const Args *args, const char *stage) {
    if (args->order == 2) return ACTC_BACKWARD2;
    if (args->fused) return ACTC_FORWARD_BACKWARD;
    return args->backward || !strcmp(stage, "grad") ? ACTC_BACKWARD : ACTC_FORWARD;
}

Exit cmd_show(const Args *args) {
    const char *stage = args->stage ? args->stage : "graph";
    Program program;
    if (args->arrays.count) {
        say_error("show takes no arrays ('%s=…'); a param is --set %s=…",
                  args->arrays.items[0].name, args->arrays.items[0].name);
        return EXIT_USAGE;
    }
    if (args->order < 1 || args->order > 2) {
        say_error("show knows --order 1 and 2, not %s", args->order_text);
        return EXIT_USAGE;
    }
    Exit ex = check_stage(stage);
    if (ex == EXIT_DONE) ex = program_open(args, &program);
    if (ex != EXIT_DONE) return ex;

    const actc_kernel_options options = {
        .size = sizeof options,
        .kind = kind_of(args, stage),
        .dtype = args->dtype,
        .settings = args->settings.items,
        .setting_count = args->settings.count,
        .math = args->math,
    };
    char *text = NULL;
    actc_diagnostics *diagnostics = NULL;
    const actc_status status =
        actc_show(program.module, program.function, stage, &options, &text, &diagnostics);
    ex = say_text(status, diagnostics, program.function, text);
    if (ex == EXIT_DONE && args->trace) {
        const actc_status traced =
            actc_trace(program.module, program.function, stage, &options, &text, &diagnostics);
        ex = say_text(traced, diagnostics, program.function, text);
    }
    program_close(&program);
    return ex;
}
