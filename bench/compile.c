/* What a compilation costs: the first kernel of a process, the next ones, ten in a batch, from the
 * cache on disk, and formulas of thousands of operations. The cache is off where it is not what is
 * measured. */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actc.h"
#include "clock.h"

extern char **environ;

enum { ROUNDS = 40, BATCH = 10 };

static const char *const names[] = {"relu", "sigmoid", "mish", "gelu"};
enum { NAMES = sizeof names / sizeof *names };

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *ms, int n) {
    qsort(ms, (size_t)n, sizeof *ms, by_size);
    printf("%-36s min %8.3f ms   median %8.3f ms   (%d)\n", what, ms[0], ms[n / 2], n);
    fflush(stdout);
}

static actc_module *open_module(const char *cache, actc_context **ctx) {
    const actc_context_options options = {.size = sizeof options, .cache_folder = cache};
    actc_module *module = NULL;
    if (actc_context_create(&options, ctx) == ACTC_OK)
        actc_module_parse(*ctx, "bench", "", 0, &module, NULL);
    return module;
}

/* ---- in one process: time of the processor ---- */

static int warm(actc_module *module, const char *name, actc_kind kind) {
    double ms[ROUNDS];
    char label[64];
    for (int i = 0; i < ROUNDS; i++) {
        const actc_kernel_options options = {.size = sizeof options, .kind = kind};
        actc_kernel *k;
        const double start = clock_cpu_ns();
        if (actc_kernel_compile(module, name, &options, &k, NULL) != ACTC_OK) return 1;
        ms[i] = (clock_cpu_ns() - start) * 1e-6;
        actc_kernel_release(k);
    }
    snprintf(label, sizeof label, "next kernel: %s %s", name,
             kind == ACTC_FORWARD    ? "forward"
             : kind == ACTC_BACKWARD ? "backward"
                                     : "forward + backward");
    report(label, ms, ROUNDS);
    return 0;
}

/* Each of ten different kernels: the function with ten params that all go into its code. */
static int batch(actc_module *module, const char *name, actc_kind kind) {
    double ms[ROUNDS];
    char label[64], formulas[BATCH][64];
    const actc_kernel_options options = {.size = sizeof options, .kind = kind};
    actc_request requests[BATCH];
    for (int i = 0; i < BATCH; i++) {
        snprintf(formulas[i], sizeof formulas[i], "%s -> leaky_relu(0.%d1)", name, i);
        requests[i] = (actc_request){i ? formulas[i] : name, &options};
    }
    for (int r = 0; r < ROUNDS / 4; r++) {
        actc_kernel *k[BATCH];
        const double start = clock_cpu_ns();
        if (actc_kernels_compile(module, requests, BATCH, k, NULL) != ACTC_OK) return 1;
        ms[r] = (clock_cpu_ns() - start) * 1e-6 / BATCH;
        for (int i = 0; i < BATCH; i++) actc_kernel_release(k[i]);
    }
    snprintf(label, sizeof label, "each of ten: %s %s", name,
             kind == ACTC_FORWARD ? "forward" : "backward");
    report(label, ms, ROUNDS / 4);
    return 0;
}

/* Forward and backward of five functions, as a program would ask for them. */
static int mixed_batch(actc_module *module) {
    static const char *const five[] = {"relu", "sigmoid", "tanh", "mish", "gelu"};
    const actc_kernel_options kinds[] = {{.size = sizeof *kinds, .kind = ACTC_FORWARD},
                                         {.size = sizeof *kinds, .kind = ACTC_BACKWARD}};
    actc_request requests[BATCH];
    double ms[ROUNDS];
    for (int i = 0; i < BATCH; i++) requests[i] = (actc_request){five[i / 2], &kinds[i % 2]};
    for (int r = 0; r < ROUNDS / 4; r++) {
        actc_kernel *k[BATCH];
        const double start = clock_cpu_ns();
        if (actc_kernels_compile(module, requests, BATCH, k, NULL) != ACTC_OK) return 1;
        ms[r] = (clock_cpu_ns() - start) * 1e-6 / BATCH;
        for (int i = 0; i < BATCH; i++) actc_kernel_release(k[i]);
    }
    report("each of ten: five functions, both", ms, ROUNDS / 4);
    return 0;
}

/* The same kernel asked for while it lives. */
static int again(actc_module *module) {
    double ms[ROUNDS];
    actc_kernel *first, *k;
    if (actc_kernel_compile(module, "mish", NULL, &first, NULL) != ACTC_OK) return 1;
    for (int i = 0; i < ROUNDS; i++) {
        const double start = clock_cpu_ns();
        if (actc_kernel_compile(module, "mish", NULL, &k, NULL) != ACTC_OK) return 1;
        ms[i] = (clock_cpu_ns() - start) * 1e-6;
        actc_kernel_release(k);
    }
    actc_kernel_release(first);
    report("from memory: mish forward", ms, ROUNDS);
    return 0;
}

/* ---- long formulas ---- */

/* x*c + c' in a chain of lines, two operations each; every tenth line a sigmoid. */
static char *long_formula(int operations) {
    char *text = malloc((size_t)operations * 60 + 200);
    if (!text) return NULL;
    int n = sprintf(text, "f(x) = v%d where v0 = x", operations / 2);
    for (int i = 1; i <= operations / 2; i++)
        n += sprintf(text + n, ",\n v%d = v%d*%d.%03d + %d.5", i, i - 1, i % 2, 371 + i % 500,
                     i % 7);
    return text;
}

static int long_one(actc_context *ctx, int operations) {
    enum { TIMES = 3 };
    double ms[TIMES];
    char label[64], *text = long_formula(operations);
    for (int i = 0; text && i < TIMES; i++) {
        actc_module *m;
        actc_kernel *k;
        const double start = clock_cpu_ns();
        if (actc_module_parse(ctx, "long", text, strlen(text), &m, NULL) != ACTC_OK) return 1;
        if (actc_kernel_compile(m, "f", NULL, &k, NULL) != ACTC_OK) return 1;
        ms[i] = (clock_cpu_ns() - start) * 1e-6;
        actc_kernel_release(k), actc_module_release(m);
    }
    free(text);
    snprintf(label, sizeof label, "formula of %d operations", operations);
    report(label, ms, TIMES);
    return 0;
}

/* ---- from exec ---- */

/* What the child does: a kernel, a result, and how late it was when each was there. */
static int child(const char *name, const char *cache) {
    actc_context *ctx;
    actc_module *m = open_module(*cache ? cache : NULL, &ctx);
    actc_kernel *k;
    if (!m || actc_kernel_compile(m, name, NULL, &k, NULL) != ACTC_OK) return 1;
    double times[2] = {clock_ns(), 0};
    float x[64] = {1}, y[64];
    ((void (*)(size_t, const float *, float *))actc_kernel_function(k))(64, x, y);
    times[1] = clock_ns();
    return write(STDOUT_FILENO, times, sizeof times) != sizeof times;
}

static int from_exec(const char *self, const char *name, const char *cache) {
    double ms[2][ROUNDS];
    char label[64];
    for (int i = 0; i < ROUNDS; i++) {
        int pipes[2], status;
        if (pipe(pipes) != 0) return 1;
        posix_spawn_file_actions_t actions;
        if (posix_spawn_file_actions_init(&actions) != 0) return 1;
        posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
        char *const words[] = {(char *)(size_t)self, (char *)(size_t)name, (char *)(size_t)cache,
                               NULL};
        pid_t pid;
        double times[2];
        const double start = clock_ns();
        if (posix_spawn(&pid, self, &actions, NULL, words, environ) != 0) return 1;
        close(pipes[1]);
        const int bad = read(pipes[0], times, sizeof times) != sizeof times;
        close(pipes[0]);
        posix_spawn_file_actions_destroy(&actions);
        if (waitpid(pid, &status, 0) < 0 || status || bad) return 1;
        for (int k = 0; k < 2; k++) ms[k][i] = (times[k] - start) * 1e-6;
    }
    snprintf(label, sizeof label, "exec to %s: %s", *cache ? "function, from disk" : "first result",
             name);
    report(label, ms[*cache ? 0 : 1], ROUNDS);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3) return child(argv[1], argv[2]);
    int bad = 0;
    actc_context *ctx;
    actc_module *module = open_module(NULL, &ctx);
    if (!module) return 3;
    for (size_t i = 0; i < NAMES; i++) bad |= from_exec(argv[0], names[i], "");
    for (size_t i = 0; i < NAMES; i++)
        for (actc_kind kind = ACTC_FORWARD; kind <= ACTC_BACKWARD; kind++)
            bad |= warm(module, names[i], kind);
    bad |= warm(module, "mish", ACTC_FORWARD_BACKWARD);
    for (size_t i = 0; i < NAMES; i++)
        for (actc_kind kind = ACTC_FORWARD; kind <= ACTC_BACKWARD; kind++)
            bad |= batch(module, names[i], kind);
    bad |= mixed_batch(module);
    bad |= again(module);
    static const int lengths[] = {1000, 2000, 5000, 10000};
    for (size_t i = 0; i < 4; i++) bad |= long_one(ctx, lengths[i]);
    actc_module_release(module), actc_context_release(ctx);

    char folder[] = "/tmp/actc-bench-XXXXXX", command[64];
    if (!mkdtemp(folder)) return 3;
    for (size_t i = 0; i < NAMES; i++) bad |= from_exec(argv[0], names[i], folder);
    snprintf(command, sizeof command, "rm -r %s", folder);
    bad |= system(command) != 0;
    return bad ? 3 : 0;
}
