/* The command line: what is said to it (args.c, names.c), what it says (say.c), what it reads and
 * writes (io.c, npy.c), linking (link.c), and one file for each command. It knows of actc only what
 * include/actc.h tells. */
#ifndef ACTC_CLI_H
#define ACTC_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "actc.h"
#include "io.h"

#if defined(__GNUC__)
#define CLI_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define CLI_PRINTF(fmt, first)
#endif

/* How the process ends. */
typedef enum {
    EXIT_DONE = 0,
    EXIT_INPUT = 1,   /* the input is wrong, or a check failed */
    EXIT_USAGE = 2,   /* the command line is wrong */
    EXIT_MACHINE = 3, /* file, memory, disk */
    EXIT_BUG = 70
} Exit;

#define STAGE_NAMES "ast, graph, stable, grad, expanded, plan, llvm, asm, c"

#define KIND_NAMES "c, h, obj, asm, llvm, bc, shared"

typedef enum {
#define COMMAND(id, name, operands, summary) CMD_##id,
#define LATER(name, summary)
#include "commands.def"
#undef COMMAND
#undef LATER
    CMD_COUNT
} CommandId;

/* ---- args.c ---- */

typedef enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } ColorMode;

/* `name=value`, the pair that the library takes for a param; an empty name is one that was left out
 * (-o FILE). */
typedef actc_setting Assignment;

typedef struct {
    Assignment *items;
    size_t count;
} Assignments;

typedef struct {
    const char **files; /* operands that end in .act, and "-" */
    size_t file_count;
    const char *text;       /* -e */
    const char *function;   /* the first NAME, or NULL */
    const char **functions; /* all of them; only emit and verify take several */
    size_t function_count;
    Assignments arrays;   /* x=x.npy; for eval values, x=0.5 */
    Assignments outputs;  /* -o of run */
    Assignments settings; /* --set */
    Assignments axes;     /* --axis */
    const char *stage;    /* --stage, or NULL; so are the next ones */
    const char *base, *kinds, *name, *prefix, *target, *cpu, *wrt;
    const char *order_text; /* --order as it was given, or NULL */
    unsigned order;         /* 1 if not given */
    bool has_dtype;
    actc_dtype dtype;
    actc_math math;
    bool backward, fused, latex, trace;
    bool depend;               /* -MD */
    const char *max_ulp; /* --max-ulp, or NULL */
    bool exhaustive;
    unsigned threads;    /* --threads; 0: not given */
    bool json;                 /* --diagnostics=json */
    ColorMode color;           /* --color */
    bool in_place, only_check; /* of fmt */
    bool help;                 /* --help was among the options; the rest is unchecked then */
    void *memory;
} Args;

/* argv[0] is the command's name. A mistake is reported, and EXIT_USAGE the answer. */
Exit args_read(CommandId command, int argc, char **argv, Args *out);
void args_free(Args *args);
/* Whether `arg` is `name=…`, and how long the name is: a letter, _ or any byte beyond ASCII, then
 * digits too; what follows is no second `=`, since `x==2` is an expression. */
bool args_is_assignment(const char *arg, size_t *name_length);
/* The options of a command for its --help, one a line. */
void args_print_options(CommandId command);

/* ---- names.c ---- */

/* Whether two names are the same in the language: a Greek letter is its ASCII name. */
bool names_equal(const char *a, const char *b);
/* Whether it is a name, not an expression or a pipeline. */
bool names_is_name(const char *text);

/* ---- cache.c ---- */

/* The folder for compiled kernels, in `out`; NULL: none. */
const char *cache_folder(char *out, size_t size);

/* ---- link.c ---- */

/* A shared library from an object, by the system's compiler ($CC, or cc); `*library` is malloc'ed.
 */
bool link_shared(const actc_bytes *object, char **library, size_t *size, IoError *e);

/* ---- say.c ---- */

/* How all that follows is said: as text or, `json`, as one object a line; in colour or not; with
 * remarks about what is right but may surprise, or without. Without this call: plain text. */
void say_style(bool json, ColorMode color, bool remarks);
/* `actc: error: …` on stderr. */
void say_error(const char *fmt, ...) CLI_PRINTF(1, 2);
/* `FILE: error: …`: what is wrong with a whole file. */
void say_file_error(const char *file, const char *text);
/* Prints what a call of the library had to say, releases it, and gives the process's exit status;
 * `what` stands in the message where a failure came without diagnostics. */
Exit say_status(actc_status status, actc_diagnostics *diagnostics, const char *what);
/* The same, and where all is well prints the text that the call gave; releases it. */
Exit say_text(actc_status status, actc_diagnostics *diagnostics, const char *what, char *text);
/* The candidate nearest to `name` if it is near enough to be a slip of the pen, else `best`; call
 * with best = NULL for the first candidate and the last answer for each next one. */
const char *say_nearer(const char *name, const char *candidate, const char *best);

/* ---- source.c ---- */

/* The definitions and the function that the arguments name. */
typedef struct {
    actc_context *context;
    actc_module *module;
    const char *function;
} Program;

/* Parses FILE, standard input, -e TEXT, or nothing (the standard library alone). */
Exit program_parse(const Args *args, Program *out);
/* The same, and finds NAME where it was left out. */
Exit program_open(const Args *args, Program *out);
void program_close(Program *p);
/* What a FILE (NULL: the text of -e) is called in messages. */
const char *source_name(const char *file);
/* Its text, to be ended with free(). */
Exit source_read(const char *file, char **text, size_t *length);
/* Reads and checks one FILE ("-": standard input), or `text` where `file` is NULL. */
Exit source_parse(actc_context *context, const char *file, const char *text, actc_module **out);

/* ---- cmd_*.c ---- */

#define COMMAND(id, name, operands, summary) Exit cmd_##name(const Args *args);
#define LATER(name, summary)
#include "commands.def"
#undef COMMAND
#undef LATER

/* ---- cmd_help.c ---- */

void help_command(CommandId command);

#endif
