/* Loads a file of definitions, says what is in it, and runs one function on tensors: a matrix and a
 * row that is broadcast along it.
 *
 *     load gates.act swiglu */
#include <actc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole file, to be freed; NULL if it cannot be read. */
static char *read_file(const char *path, size_t *size) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    char *text = NULL;
    *size = 0;
    for (size_t room = 4096;; room *= 2) {
        char *more = realloc(text, room);
        if (!more) break;
        text = more;
        *size += fread(text + *size, 1, room - *size, f);
        if (*size < room) {
            fclose(f);
            return text;
        }
    }
    free(text);
    fclose(f);
    return NULL;
}

static void list(const actc_module *module) {
    for (size_t i = 0; i < actc_module_function_count(module); i++) {
        const actc_definition *f = actc_module_function(module, i);
        printf("%s(", f->name);
        for (size_t k = 0; k < f->input_count; k++)
            printf("%s%s%s", k ? ", " : "", f->inputs[k].name, f->inputs[k].axes);
        for (size_t k = 0; k < f->param_count; k++)
            printf("%s%s = %s", k ? ", " : "; ", f->params[k].name,
                   f->params[k].default_value ? f->params[k].default_value : "?");
        printf(")  %s\n", f->doc);
    }
}

static actc_tensor tensor(float *data, int ndim, int64_t *shape) {
    actc_tensor t;
    memset(&t, 0, sizeof t); /* contiguous, nothing skipped */
    t.data = data;
    t.device.device_type = 1; /* memory of the CPU */
    t.dtype.code = 2;         /* float */
    t.dtype.bits = 32;
    t.dtype.lanes = 1;
    t.ndim = ndim;
    t.shape = shape;
    return t;
}

static actc_status run(actc_module *module, const char *function, actc_diagnostics **said) {
    actc_kernel *kernel = NULL;
    actc_status status = actc_kernel_compile(module, function, NULL, &kernel, said);
    if (status != ACTC_OK) return status;
    float matrix[6] = {-2, -1, 0, 1, 2, 3}, row[3] = {1, 2, 3}, result[6];
    int64_t shape[2] = {2, 3};
    const actc_tensor a = tensor(matrix, 2, shape), b = tensor(row, 1, shape + 1),
                      y = tensor(result, 2, shape);
    const actc_tensor *one[2] = {&a, &y}, *two[3] = {&a, &b, &y};
    const size_t count = actc_kernel_argument_count(kernel);
    status = actc_kernel_run(kernel, count == 2 ? one : two, count <= 3 ? count : 3, said);
    if (status == ACTC_OK)
        for (int i = 0; i < 2; i++)
            printf("%.6g %.6g %.6g\n", result[3 * i], result[3 * i + 1], result[3 * i + 2]);
    actc_kernel_release(kernel);
    return status;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: load FILE.act FUNCTION\n");
        return 2;
    }
    size_t size;
    char *text = read_file(argv[1], &size);
    if (!text) {
        perror(argv[1]);
        return 1;
    }
    actc_context *ctx = NULL;
    actc_module *module = NULL;
    actc_diagnostics *said = NULL;
    actc_status status = actc_context_create(NULL, &ctx);
    if (status == ACTC_OK) status = actc_module_parse(ctx, argv[1], text, size, &module, &said);
    free(text); /* the module has its own copy */
    if (status == ACTC_OK) {
        fputs(actc_diagnostics_text(said), stderr); /* warnings, if there are any */
        actc_diagnostics_release(said);
        said = NULL;
        list(module);
        status = run(module, argv[2], &said);
    }
    if (status != ACTC_OK)
        fprintf(stderr, "%s%s\n", actc_diagnostics_text(said), actc_status_text(status));
    actc_diagnostics_release(said);
    actc_module_release(module);
    actc_context_release(ctx);
    return status == ACTC_OK ? 0 : 1;
}
