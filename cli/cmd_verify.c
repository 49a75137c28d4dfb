/* actc verify [FILE] [NAME…]: how exact compiled functions are, and whether they keep what is
 * claimed of them. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

/* One Ctrl-C may arrive twice (as timeout(1) sends it); who insists ends the process at once. */
static void interrupt(int number) {
    if (interrupted < 2)
        interrupted++;
    else
        signal(number, SIG_DFL);
}

typedef struct {
    const char *function;
    bool shown; /* a line of progress stands on the terminal */
    int percent;
} Progress;

static void clear_progress(Progress *p) {
    if (p->shown) fputs("\r\033[K", stderr);
    p->shown = false;
}

/* Stops after Ctrl-C; tells a terminal how far it is. */
static int progress(void *user, double done, double seconds_left) {
    enum { WIDTH = 24 };
    Progress *p = user;
    const int percent = (int)(done * 1000);
    if (isatty(STDERR_FILENO) && percent != p->percent) {
        const int full = (int)(done * WIDTH);
        fprintf(stderr, "\r%s [", p->function);
        for (int i = 0; i < WIDTH; i++) fputc(i < full ? '#' : '.', stderr);
        fprintf(stderr, "] %.1f %%", done * 100);
        if (seconds_left >= 0)
            fprintf(stderr, ", %d:%02d left", (int)seconds_left / 60, (int)seconds_left % 60);
        fputs("\033[K", stderr);
        p->shown = true;
        p->percent = percent;
    }
    return interrupted != 0;
}

static Exit verify_one(const Args *args, const Program *program, const char *function) {
    Progress state = {.function = function, .percent = -1};
    const actc_verify_options options = {
        .size = sizeof options,
        .dtype = args->dtype,
        .settings = args->settings.items,
        .setting_count = args->settings.count,
        .claim = args->max_ulp,
        .exhaustive = args->exhaustive,
        .threads = args->threads,
        .progress = progress,
        .progress_user = &state,
    };
    actc_verification result;
    char *text = NULL;
    actc_diagnostics *diagnostics = NULL;
    const actc_status status =
        actc_verify(program->module, function, &options, &result, &text, &diagnostics);
    clear_progress(&state);
    const Exit ex = say_text(status, diagnostics, function, text);
    fflush(stdout);
    return ex == EXIT_DONE && !(result.passed && result.complete) ? EXIT_INPUT : ex;
}

Exit cmd_verify(const Args *args) {
    if (args->arrays.count) {
        say_error("verify takes no values ('%s=…'); params are set by --set %s=…",
                  args->arrays.items[0].name, args->arrays.items[0].name);
        return EXIT_USAGE;
    }
    Program program;
    Exit ex = args->function_count || args->file_count || args->text ? program_parse(args, &program)
                                                                     : program_open(args, &program);
    if (ex != EXIT_DONE) return ex;
    const size_t named = args->function_count,
                 count = named ? named : actc_module_function_count(program.module);
    if (!count) {
        say_error("which function? the text defines none");
        ex = EXIT_USAGE;
    }
    interrupted = 0;
    struct sigaction action = {.sa_handler = interrupt}, before;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before);
    for (size_t i = 0; i < count && !interrupted; i++) {
        if (i) putchar('\n');
        const Exit one =
            verify_one(args, &program,
                       named ? args->functions[i] : actc_module_function_name(program.module, i));
        if (one > ex) ex = one;
    }
    sigaction(SIGINT, &before, NULL);
    program_close(&program);
    return ex;
}
