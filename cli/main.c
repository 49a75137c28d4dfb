/* actc COMMAND …: finds the command, reads its arguments, carries it out. */
#include "cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name;
    CommandId id;
    Exit (*run)(const Args *args); /* NULL: not supported yet */
} Command;

static const Command commands[] = {
#define COMMAND(id, name, operands, summary) {#name, CMD_##id, cmd_##name},
#define LATER(name, summary)                 {#name, CMD_COUNT, NULL},
#include "commands.def"
#undef COMMAND
#undef LATER
};

static const Command *find_command(const char *name) {
    const char *near = NULL;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (!strcmp(commands[i].name, name)) return &commands[i];
        near = say_nearer(name, commands[i].name, near);
    }
    if (name[0] == '-')
        say_error("a command comes first, not '%s'; see 'actc help'", name);
    else if (near)
        say_error("unknown command '%s'; did you mean '%s'?", name, near);
    else
        say_error("unknown command '%s'; see 'actc help'", name);
    return NULL;
}

static Exit run_command(int argc, char **argv) {
    const Command *command = find_command(argv[0]);
    Args args;
    if (!command) return EXIT_USAGE;
    if (!command->run) {
        say_error("'%s' is not supported yet", command->name);
        return EXIT_USAGE;
    }
    Exit ex = args_read(command->id, argc, argv, &args);
    if (ex != EXIT_DONE) return ex;
    say_style(args.json, args.color, command->id == CMD_CHECK);
    if (args.help)
        help_command(command->id);
    else
        ex = command->run(&args);
    args_free(&args);
    return ex;
}

/* What was printed must have arrived: a full disk is no success. */
static Exit finish(Exit ex) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return ex;
    say_error("cannot write to standard output%s%s", errno ? ": " : "",
              errno ? strerror(errno) : "");
    return ex == EXIT_DONE ? EXIT_MACHINE : ex;
}

int main(int argc, char **argv) {
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a failed write, which cleans up and says so */
    if (argc < 2) {
        say_error("a command is missing; see 'actc help'");
        return EXIT_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("actc %s\n", actc_version());
        return finish(EXIT_DONE);
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        const Args none = {0};
        return finish(cmd_help(&none));
    }
    return finish(run_command(argc - 1, argv + 1));
}
