/* The command line, taken apart: options by getopt_long from options.def, operands by what they
 * look like. Options and operands may stand in any order. */
#include "cli.h"
#include "npy.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN(command) (1u << CMD_##command)
#define ALL         (~0u)

typedef enum {
#define OPTION(id, letter, name, value, commands, help) OPT_##id,
#define LATER(id, name, value, commands)                OPT_##id,
#include "options.def"
#undef OPTION
#undef LATER
    OPT_COUNT
} OptionId;

typedef struct {
    const char *name, *value, *help; /* help NULL: not supported yet */
    char letter;
    unsigned commands;
} OptionRow;

static const OptionRow options[] = {
#define OPTION(id, letter, name, value, commands, help) {name, value, help, letter, commands},
#define LATER(id, name, value, commands)                {name, value, NULL, 0, commands},
#include "options.def"
#undef OPTION
#undef LATER
};

static const char *const commands[] = {
#define COMMAND(id, name, operands, summary) #name,
#define LATER(name, summary)
#include "commands.def"
#undef COMMAND
#undef LATER
};

/* getopt_long's answers for options: beyond any character. */
enum { FIRST_ANSWER = 256 };

/* ---- operands ---- */

bool args_is_assignment(const char *arg, size_t *name_length) {
    size_t n = 0;
    for (;; n++) {
        const unsigned char c = (unsigned char)arg[n];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c > 127;
        if (!letter && !(n && c >= '0' && c <= '9')) break;
    }
    *name_length = n;
    return n && arg[n] == '=' && arg[n + 1] != '=';
}

static bool ends_in(const char *s, const char *end) {
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

/* Adds `name=value` of `text`, whose '=' is overwritten. The rooms were made for argc entries. Each
 * name is given once; without `what` the library sees to that. */
static Exit add_assignment(Assignments *list, char *text, size_t name_length, const char *what) {
    const char *value = text + name_length + 1;
    text[name_length] = '\0';
    if (!*value) {
        say_error("nothing follows '%s='", text);
        return EXIT_USAGE;
    }
    for (size_t i = 0; what && i < list->count; i++)
        if (names_equal(list->items[i].name, text)) {
            say_error("%s '%s' is given twice", what, text);
            return EXIT_USAGE;
        }
    list->items[list->count++] = (Assignment){text, value};
    return EXIT_DONE;
}

static Exit add_operand(CommandId command, Args *a, char *operand) {
    size_t n;
    if (!strcmp(operand, "-") || ends_in(operand, ".act")) {
        a->files[a->file_count++] = operand;
        return EXIT_DONE;
    }
    if (args_is_assignment(operand, &n))
        return add_assignment(&a->arrays, operand, n, command == CMD_EVAL ? "value" : "array");
    if (!*operand) {
        say_error("an operand is empty");
        return EXIT_USAGE;
    }
    /* check and fmt take files only, and say so. */
    const bool several =
        command == CMD_EMIT || command == CMD_VERIFY || command == CMD_CHECK || command == CMD_FMT;
    if (a->function && !several) {
        say_error("more than one NAME: '%s' and '%s'", a->function, operand);
        return EXIT_USAGE;
    }
    if (!a->function) a->function = operand;
    a->functions[a->function_count++] = operand;
    return EXIT_DONE;
}

/* ---- options ---- */

static Exit add_output(Args *a, char *text) {
    size_t n;
    if (args_is_assignment(text, &n)) return add_assignment(&a->outputs, text, n, "output");
    if (!*text) {
        say_error("-o needs a file");
        return EXIT_USAGE;
    }
    a->outputs.items[a->outputs.count++] = (Assignment){"", text};
    return EXIT_DONE;
}

static Exit add_setting(Args *a, char *text) {
    size_t n;
    if (args_is_assignment(text, &n)) return add_assignment(&a->settings, text, n, NULL);
    say_error("--set takes PARAM=VALUE, such as alpha=0.5, not '%s'", text);
    return EXIT_USAGE;
}

static Exit add_axis(Args *a, char *text) {
    size_t n;
    const bool named = args_is_assignment(text, &n);
    const char *digits = named ? text + n + 1 + (text[n + 1] == '-') : "";
    const size_t count = strspn(digits, "0123456789");
    if (named && count && count <= 4 && !digits[count])
        return add_assignment(&a->axes, text, n, NULL);
    say_error("--axis takes AXIS=DIMENSION, such as d=1 or d=-1, not '%s'", text);
    return EXIT_USAGE;
}

static Exit set_dtype(Args *a, const char *text) {
    static const actc_dtype types[] = {ACTC_F32, ACTC_F64, ACTC_F16, ACTC_BF16};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(text, npy_dtype_name(types[i]))) {
            a->dtype = types[i];
            a->has_dtype = true;
            return EXIT_DONE;
        }
    say_error("there is no type '%s'; f32, f64, f16 and bf16 are there", text);
    return EXIT_USAGE;
}

static Exit set_math(Args *a, const char *text) {
    if (!strcmp(text, "fast"))
        a->math = ACTC_MATH_FAST;
    else if (!strcmp(text, "exact"))
        a->math = ACTC_MATH_EXACT;
    else {
        say_error("there is no --math=%s; fast and exact are there", text);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static Exit set_order(Args *a, const char *text) {
    if (text[0] < '0' || text[0] > '8' || text[1]) {
        say_error("--order takes a number from 0 to 8, not '%s'", text);
        return EXIT_USAGE;
    }
    a->order = (unsigned)(text[0] - '0');
    a->order_text = text;
    return EXIT_DONE;
}

static Exit set_threads(Args *a, const char *text) {
    const size_t digits = strspn(text, "0123456789");
    a->threads = digits && digits <= 4 && !text[digits] ? (unsigned)atoi(text) : 0;
    if (a->threads) return EXIT_DONE;
    say_error("--threads takes a number from 1 to 9999, not '%s'", text);
    return EXIT_USAGE;
}

/* -MD as compilers have it: only these two letters together. */
static Exit set_depend(Args *a, const char *behind) {
    if (behind && strcmp(behind, "D") != 0) {
        say_error("there is no option '-M%s'; '-MD' is there", behind);
        return EXIT_USAGE;
    }
    a->depend = true;
    return EXIT_DONE;
}

static Exit set_diagnostics(Args *a, const char *text) {
    a->json = !strcmp(text, "json");
    if (a->json || !strcmp(text, "text")) return EXIT_DONE;
    say_error("--diagnostics is text or json, not '%s'", text);
    return EXIT_USAGE;
}

static Exit set_color(Args *a, const char *text) {
    static const char *const modes[] = {
        [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        a->color = (ColorMode)i;
        if (!strcmp(text, modes[i])) return EXIT_DONE;
    }
    say_error("--color is auto, always or never, not '%s'", text);
    return EXIT_USAGE;
}

static Exit once(const char **place, const char *value, OptionId id) {
    if (*place) {
        say_error("--%s is given twice", options[id].name);
        return EXIT_USAGE;
    }
    *place = value;
    return EXIT_DONE;
}

static Exit add_option(Args *a, OptionId id, char *value) {
    switch (id) {
    case OPT_TEXT:
        return once(&a->text, value, id);
    case OPT_OUTPUT:
        return add_output(a, value);
    case OPT_BASE:
        return once(&a->base, value, id);
    case OPT_KINDS:
        return once(&a->kinds, value, id);
    case OPT_ORDER:
    case OPT_ORDER_12:
        return set_order(a, value);
    case OPT_WRT:
        return once(&a->wrt, value, id);
    case OPT_LATEX:
        a->latex = true;
        return EXIT_DONE;
    case OPT_NAME:
        return once(&a->name, value, id);
    case OPT_PREFIX:
        return once(&a->prefix, value, id);
    case OPT_TARGET:
        return once(&a->target, value, id);
    case OPT_CPU:
        return once(&a->cpu, value, id);
    case OPT_DEPEND:
        return set_depend(a, value);
    case OPT_BACKWARD:
        a->backward = true;
        return EXIT_DONE;
    case OPT_FUSED:
        a->fused = true;
        return EXIT_DONE;
    case OPT_SET:
        return add_setting(a, value);
    case OPT_AXIS:
        return add_axis(a, value);
    case OPT_DTYPE:
    case OPT_DTYPE_64:
    case OPT_DTYPE_32:
    case OPT_DTYPE_VERIFY:
        return set_dtype(a, value);
    case OPT_STAGE:
        return once(&a->stage, value, id);
    case OPT_EXHAUSTIVE:
        a->exhaustive = true;
        return EXIT_DONE;
    case OPT_MAX_ULP:
        return once(&a->max_ulp, value, id);
    case OPT_THREADS_ALL:
        return set_threads(a, value);
    case OPT_TRACE:
        a->trace = true;
        return EXIT_DONE;
    case OPT_MATH:
        return set_math(a, value);
    case OPT_IN_PLACE:
        a->in_place = true;
        return EXIT_DONE;
    case OPT_UNCHANGED:
        a->only_check = true;
        return EXIT_DONE;
    case OPT_DIAGNOSTICS:
        return set_diagnostics(a, value);
    case OPT_COLOR:
        return set_color(a, value);
    case OPT_HELP:
        a->help = true;
        return EXIT_DONE;
    case OPT_SEED:
    case OPT_OFFSET:
    case OPT_THREADS:
    case OPT_RUNTIME:
    case OPT_SAVE:
        say_error("--%s is not supported yet", options[id].name);
        return EXIT_USAGE;
    case OPT_COUNT:
        break;
    }
    return EXIT_BUG;
}

/* Explains an argument that is no option of this command. */
static Exit refuse_option(CommandId command, const char *arg, int letter) {
    if (letter > 0 && letter < FIRST_ANSWER) {
        say_error("'%s' has no option '-%c'; an expression that begins with '-' stands behind '--'",
                  commands[command], letter);
        return EXIT_USAGE;
    }
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg + 2, "="), arg + 2);
    const char *near = NULL;
    bool elsewhere = false;
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const bool ours = options[i].commands >> command & 1;
        if (!ours && !strcmp(options[i].name, name)) elsewhere = true;
        if (ours) near = say_nearer(name, options[i].name, near);
    }
    if (elsewhere)
        say_error("'%s' has no option '--%s'; other commands do", commands[command], name);
    else if (near)
        say_error("unknown option '--%s'; did you mean '--%s'?", name, near);
    else
        say_error("unknown option '--%s'; see 'actc %s --help'", name, commands[command]);
    return EXIT_USAGE;
}

/* One step of getopt_long: an option, an operand (answer 1), or a mistake. */
static Exit take(CommandId command, Args *a, int answer, char **argv) {
    if (answer == 1) return add_operand(command, a, optarg);
    if (answer >= FIRST_ANSWER) return add_option(a, (OptionId)(answer - FIRST_ANSWER), optarg);
    if (answer == ':') {
        say_error("'%s' needs a value", argv[optind - 1]);
        return EXIT_USAGE;
    }
    if (answer == '?' && optopt >= FIRST_ANSWER) {
        say_error("'--%s' takes no value", options[optopt - FIRST_ANSWER].name);
        return EXIT_USAGE;
    }
    if (answer == '?') return refuse_option(command, argv[optind - 1], optopt);
    for (size_t i = 0; i < OPT_COUNT; i++)
        if (options[i].letter == answer && options[i].commands >> command & 1)
            /* -M alone means something else to compilers */
            return i == OPT_DEPEND && !optarg ? set_depend(a, "")
                                              : add_option(a, (OptionId)i, optarg);
    return EXIT_BUG;
}

static bool make_room(Args *a, size_t argc) {
    Assignment *pairs = calloc(4 * argc * sizeof *pairs + 2 * argc * sizeof *a->files, 1);
    if (!pairs) {
        say_error("out of memory");
        return false;
    }
    a->memory = pairs;
    a->arrays.items = pairs;
    a->outputs.items = pairs + argc;
    a->settings.items = pairs + 2 * argc;
    a->axes.items = pairs + 3 * argc;
    a->files = (const char **)(pairs + 4 * argc);
    a->functions = a->files + argc;
    return true;
}

Exit args_read(CommandId command, int argc, char **argv, Args *out) {
    struct option longs[OPT_COUNT + 1];
    char shorts[3 * OPT_COUNT + 3] = "-:"; /* operands in order; a missing value is told apart */
    size_t nlong = 0, nshort = 2;
    *out = (Args){.order = 1};
    for (int i = 0; i < OPT_COUNT; i++) {
        if (!(options[i].commands >> command & 1)) continue;
        longs[nlong++] =
            (struct option){options[i].name, options[i].value ? required_argument : no_argument,
                            NULL, FIRST_ANSWER + i};
        if (!options[i].letter) continue;
        shorts[nshort++] = options[i].letter;
        if (options[i].value || i == OPT_DEPEND) shorts[nshort++] = ':';
        if (i == OPT_DEPEND) shorts[nshort++] = ':'; /* what stands right behind it, if anything */
    }
    longs[nlong] = (struct option){0};
    shorts[nshort] = '\0';
    if (!make_room(out, (size_t)argc)) return EXIT_MACHINE;

    Exit ex = EXIT_DONE;
    int answer;
    opterr = 0;
    while (ex == EXIT_DONE && (answer = getopt_long(argc, argv, shorts, longs, NULL)) != -1)
        ex = take(command, out, answer, argv);
    while (ex == EXIT_DONE && optind < argc) ex = add_operand(command, out, argv[optind++]);
    if (ex != EXIT_DONE) args_free(out);
    return ex;
}

void args_free(Args *args) {
    free(args->memory);
    *args = (Args){0};
}

/* Columns that a text takes: bytes that continue a character take none. */
static int width(const char *s) {
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

void args_print_options(CommandId command) {
    for (size_t i = 0; i < OPT_COUNT; i++) {
        const OptionRow *o = &options[i];
        if (!(o->commands >> command & 1) || !o->help) continue;
        char left[64];
        snprintf(left, sizeof left, "%s%c%s--%s%s%s", o->letter ? "-" : " ",
                 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name, o->value ? "=" : "",
                 o->value ? o->value : "");
        if (i == OPT_DEPEND) snprintf(left, sizeof left, "-MD");
        const int n = width(left);
        if (n > 30)
            printf("  %s\n%34s%s\n", left, "", o->help);
        else
            printf("  %s%*s  %s\n", left, 30 - n, "", o->help);
    }
}
