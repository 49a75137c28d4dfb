/* What a compilation costs: warm in one process, and from the start of a process to its first
 * result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actc.h"
#include "clock.h"

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *what, double *ms, int n) {
    qsort(ms, (size_t)n, sizeof *ms, by_size);
    printf("%-36s min %7.2f ms   median %7.2f ms   (%d)\n", what, ms[0], ms[n / 2], n);
}

enum { ROUNDS = 40 };

static int warm(actc_module *module, const char *name, actc_kind kind) {
    double ms[ROUNDS];
    char label[64];
    for (int i = 0; i < ROUNDS; i++) {
        const actc_kernel_options options = {.size = sizeof options, .kind = kind};
        actc_kernel *k;
        const double start = clock_ns();
        if (actc_kernel_compile(module, name, &options, &k, NULL) != ACTC_OK) return 1;
        ms[i] = (clock_ns() - start) * 1e-6;
        actc_kernel_release(k);
    }
    snprintf(label, sizeof label, "%s %s", name,
             kind == ACTC_FORWARD    ? "forward"
             : kind == ACTC_BACKWARD ? "backward"
                                     : "forward + backward");
    report(label, ms, ROUNDS);
    return 0;
}

/* exec to exit of `actc run mish` on 64 numbers, read from and written to files. */
static int cold(const char *in, const char *out) {
    double ms[ROUNDS];
    char x[300];
    snprintf(x, sizeof x, "x=%s", in);
    for (int i = 0; i < ROUNDS; i++) {
        const double start = clock_ns();
        const pid_t child = fork();
        if (child == 0) {
            execl(ACTC_COMMAND, ACTC_COMMAND, "run", "mish", x, "-o", out, (char *)NULL);
            _exit(3);
        }
        int status;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status) return 1;
        ms[i] = (clock_ns() - start) * 1e-6;
    }
    report("exec to result on disk (actc run)", ms, ROUNDS);
    return 0;
}

static int write_numbers(const char *path) {
    FILE *f = fopen(path, "wb");
    if (!f) return 1;
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
    static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (64,), }";
    memcpy(header + 10, text, sizeof text - 1);
    header[127] = '\n';
    float x[64];
    for (int i = 0; i < 64; i++) x[i] = (float)i - 32;
    const int bad = fwrite(header, sizeof header, 1, f) != 1 || fwrite(x, sizeof x, 1, f) != 1;
    return fclose(f) != 0 || bad;
}

int main(void) {
    actc_context *ctx;
    actc_module *module;
    if (actc_context_create(NULL, &ctx) || actc_module_parse(ctx, "bench", "", 0, &module, NULL))
        return 3;
    int bad = 0;
    static const char *const names[] = {"relu", "sigmoid", "mish", "gelu",
                                        "tanh -> leaky_relu(0.03)"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (actc_kind kind = ACTC_FORWARD; kind <= ACTC_BACKWARD; kind++)
            bad |= warm(module, names[i], kind);
    bad |= warm(module, "mish", ACTC_FORWARD_BACKWARD);
    actc_module_release(module);
    actc_context_release(ctx);
    char folder[] = "/tmp/actc-bench-XXXXXX", in[64], out[64];
    if (!mkdtemp(folder)) return 3;
    snprintf(in, sizeof in, "%s/x.npy", folder);
    snprintf(out, sizeof out, "%s/y.npy", folder);
    bad |= write_numbers(in) || cold(in, out);
    unlink(in);
    unlink(out);
    rmdir(folder);
    return bad ? 3 : 0;
}
