/* actc help [COMMAND]: made from commands.def and options.def. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *name, *operands, *summary;
} CommandRow;

static const CommandRow rows[] = {
#define COMMAND(id, name, operands, summary) {#name, operands, summary},
#define LATER(name, summary)
#include "commands.def"
#undef COMMAND
#undef LATER
};

static const char *const examples[] = {
    [CMD_CHECK] = "  actc check my.act other.act\n"
                  "  actc check -e 'f(x) = x*tanh(x)'\n",
    [CMD_LIST] = "  actc list\n"
                 "  actc list my.act\n"
                 "  actc list elu\n",
    [CMD_FMT] = "  actc fmt my.act\n"
                "  actc fmt -i my.act other.act\n"
                "  actc fmt --check my.act\n",
    [CMD_RUN] = "  actc run mish x=x.npy -o y.npy\n"
                "  actc run my.act elu x=x.npy -o y=y.npy --set alpha=0.5\n"
                "  actc run mish --backward x=x.npy dy=dy.npy -o dx=dx.npy\n"
                "  actc run 'tanh -> leaky_relu(0.03)' x=x.npy -o y.npy\n"
                "  actc run 'x*tanh(softplus(x))' x=- -o - <x.npy >y.npy\n",
    [CMD_EVAL] = "  actc eval gelu x=0.5\n"
                 "  actc eval elu x=-1/3 --set alpha=0.5 --order 2\n"
                 "  actc eval 'tanh(x)*y' x=0.5 y=pi\n",
    [CMD_DERIVE] = "  actc derive mish\n"
                   "  actc derive my.act swiglu --wrt gate --order 2\n"
                   "  actc derive gelu --latex\n",
    [CMD_EMIT] = "  actc emit mish gelu --backward -o kernels\n"
                 "  actc emit my.act --kind=h,obj --cpu=x86-64-v3,x86-64-v4 -o build/my -MD\n"
                 "  actc emit 'x*tanh(x)' --name=smooth --kind=shared -o libsmooth\n",
    [CMD_VERIFY] = "  actc verify mish\n"
                   "  actc verify my.act\n"
                   "  actc verify 'log(1 + x^2)' --max-ulp=4,6\n"
                   "  actc verify gelu --exhaustive\n",
    [CMD_SHOW] = "  actc show gelu\n"
                 "  actc show my.act mish --stage=grad\n"
                 "  actc show swish --stage=asm --backward --set beta=2\n",
    [CMD_HELP] = "  actc help run\n",
};

static const char *const notes[] = {
    [CMD_CHECK] = "Each FILE ends in .act, or is - for standard input.\n",
    [CMD_LIST] = "Without FILE the standard library. With NAME only that function, with all of its "
                 "comment.\n",
    [CMD_FMT] = "One spelling for each operator, ASCII names, no parentheses that precedence does "
                "not need.\n",
    [CMD_RUN] =
        "FILE ends in .act, or is - for standard input; without it NAME is of the standard\n"
        "library. NAME is a definition, a pipeline or an expression; it may be left out\n"
        "where FILE defines one function. Arrays are .npy files of f32 or f64, or - for\n"
        "standard input and output. Inputs broadcast as in NumPy.\n",
    [CMD_EVAL] =
        "Prints y = …, dy/dx = …, d2y/dx2 = … for each input, computed in high precision and\n"
        "rounded once. Values are numbers or constant expressions. FILE and NAME are those\n"
        "of 'actc run'.\n",
    [CMD_DERIVE] =
        "What it prints is an expression again, for 'actc eval' among others. FILE and NAME\n"
        "are those of 'actc run'.\n",
    [CMD_EMIT] =
        "Writes X_forward for each function X: BASE.c, BASE.h (kinds c and h), BASE.o (obj),\n"
        "BASE.s (asm), BASE.ll (llvm), BASE.bc (bc), BASE.so (shared, linked by $CC or cc).\n"
        "They need neither actc nor LLVM. --backward adds X_backward, --fused\n"
        "X_forward_backward, --order 2 X_backward2. Without NAME all functions of FILE.\n"
        "A pipeline or expression is called as --name says, else BASE.\n",
    [CMD_VERIFY] =
        "Runs the function and its gradient (dy = 1) and compares them with the formula as\n"
        "written, in as many bits as it takes: largest error in ulp and where, wrong signs,\n"
        "NaN, infinities. A gradient's ulp is that of its largest term. The symbolic\n"
        "derivative is compared with difference quotients. A line '## claim: 4 ulp,\n"
        "gradient 6 ulp' above a definition is checked, or --max-ulp instead; what is not\n"
        "met ends with status 1. Without NAME all functions of FILE.\n",
    [CMD_SHOW] = "FILE and NAME are those of 'actc run'.\n",
    [CMD_HELP] = "",
};

static void print_general(void) {
    puts("actc compiles activation functions, written as mathematics, to vector code.\n\n"
         "Usage: actc COMMAND [options] [FILE.act | -] [NAME] [name=array.npy …]\n");
    for (size_t i = 0; i < CMD_COUNT; i++) printf("  %-7s  %s\n", rows[i].name, rows[i].summary);
    puts("\n'actc COMMAND --help' says more. 'actc --version' tells the version.\n"
         "Exit status: 0 done, 1 the input is wrong, 2 the command line is wrong,\n"
         "3 the machine failed (file, memory, disk), 70 a bug in actc.");
}

void help_command(CommandId command) {
    const CommandRow *r = &rows[command];
    printf("Usage: actc %s [options] %s\n\n%s\n\n%s%s", r->name, r->operands, r->summary,
           notes[command], *notes[command] ? "\n" : "");
    args_print_options(command);
    printf("\nExamples:\n%s", examples[command]);
}

Exit cmd_help(const Args *args) {
    if (args->file_count || args->arrays.count) {
        say_error("help takes the name of a command");
        return EXIT_USAGE;
    }
    if (!args->function) {
        print_general();
        return EXIT_DONE;
    }
    const char *near = NULL;
    for (size_t i = 0; i < CMD_COUNT; i++) {
        if (!strcmp(args->function, rows[i].name)) {
            help_command((CommandId)i);
            return EXIT_DONE;
        }
        near = say_nearer(args->function, rows[i].name, near);
    }
    if (near)
        say_error("unknown command '%s'; did you mean '%s'?", args->function, near);
    else
        say_error("unknown command '%s'; see 'actc help'", args->function);
    return EXIT_USAGE;
}
