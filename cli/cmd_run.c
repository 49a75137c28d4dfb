/* actc run [FILE] NAME x=x.npy … -o y=y.npy …: arrays in, arrays out.
 *
 * Everything that can be wrong is found before anything large happens: the headers of the arrays
 * are read first, then the function is compiled, names and shapes are compared, and only then
 * elements are read. Results are written when all of them are there, so an output may be an input's
 * file. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "npy.h"

/* One array that the kernel takes. */
typedef struct {
    actc_argument arg;
    const char *path; /* NULL: an output that nobody asked for, or a learnable's default */
    NpyFile *file;    /* inputs */
    NpyHeader header;
    void *data;
    int64_t shape[NPY_MAX_DIMENSIONS], strides[NPY_MAX_DIMENSIONS]; /* of the tensor */
    actc_tensor tensor;
} Slot;

typedef struct {
    const Args *args;
    NpyFile *files; /* one for each of args->arrays */
    actc_dtype dtype;
    Program program;
    actc_kernel *kernel;
    Slot *slots;
    actc_tensor **tensors;
    OutFile *outs; /* one for each slot */
    size_t count;
} Run;

static Exit file_error(const char *path, const IoError *e, const char *standard) {
    say_file_error(!strcmp(path, "-") ? standard : path, e->text);
    return e->machine ? EXIT_MACHINE : EXIT_INPUT;
}

static Exit no_memory(void) {
    say_error("out of memory");
    return EXIT_MACHINE;
}

/* ---- before anything is read ---- */

static Exit check_arguments(const Args *args) {
    size_t from_stdin = args->file_count && !strcmp(args->files[0], "-"), to_stdout = 0;
    if (!args->outputs.count) {
        say_error("no output is asked for; add -o FILE.npy or -o NAME=FILE.npy");
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < args->arrays.count; i++)
        from_stdin += !strcmp(args->arrays.items[i].value, "-");
    for (size_t i = 0; i < args->outputs.count; i++) {
        const char *path = args->outputs.items[i].value;
        to_stdout += !strcmp(path, "-");
        for (size_t j = 0; j < i; j++)
            if (!strcmp(path, args->outputs.items[j].value) && !out_is_straight(path)) {
                say_error("two outputs go to '%s'", path);
                return EXIT_USAGE;
            }
    }
    if (from_stdin > 1 || to_stdout > 1) {
        say_error("'-' stands for standard %s more than once", from_stdin > 1 ? "input" : "output");
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* ---- headers, and the type to compute in ---- */

static Exit open_arrays(Run *r) {
    const Assignments *arrays = &r->args->arrays;
    if (!(r->files = calloc(arrays->count + 1, sizeof *r->files))) return no_memory();
    for (size_t i = 0; i < arrays->count; i++) r->files[i].fd = -1;
    for (size_t i = 0; i < arrays->count; i++) {
        IoError e;
        if (!npy_open(&r->files[i], arrays->items[i].value, &e))
            return file_error(arrays->items[i].value, &e, "<stdin>");
    }
    return EXIT_DONE;
}

/* bf16 must be asked for: its arrays look like arrays of integers. */
static Exit choose_dtype(Run *r) {
    const Assignments *arrays = &r->args->arrays;
    const bool has = r->args->has_dtype;
    r->dtype = has || !arrays->count ? r->args->dtype : r->files[0].header.dtype;
    for (size_t i = 0; i < arrays->count; i++) {
        const actc_dtype dtype = r->files[i].header.dtype;
        if (dtype == ACTC_BF16 && !(has && r->dtype == ACTC_BF16)) {
            say_error("the elements of '%s' are unsigned integers ('<u2'); --dtype=bf16 takes them "
                      "as the bits of bf16",
                      arrays->items[i].name);
            return EXIT_INPUT;
        }
        if (has || dtype == r->dtype) continue;
        say_error("'%s' is %s but '%s' is %s; --dtype=%s or --dtype=%s converts",
                  arrays->items[0].name, npy_dtype_name(r->dtype), arrays->items[i].name,
                  npy_dtype_name(dtype), npy_dtype_name(r->dtype), npy_dtype_name(dtype));
        return EXIT_INPUT;
    }
    return EXIT_DONE;
}

static Exit compile(Run *r) {
    const actc_kernel_options options = {
        .size = sizeof options,
        .kind = r->args->backward ? ACTC_BACKWARD : ACTC_FORWARD,
        .dtype = r->dtype,
        .settings = r->args->settings.items,
        .setting_count = r->args->settings.count,
        .math = r->args->math,
    };
    actc_diagnostics *diagnostics = NULL;
    const actc_status status = actc_kernel_compile(r->program.module, r->program.function, &options,
                                                   &r->kernel, &diagnostics);
    const Exit ex = say_status(status, diagnostics, r->program.function);
    if (status == ACTC_E_UNSUPPORTED && r->dtype == ACTC_F64)
        fputs("--dtype=f32 converts the arrays.\n", stderr);
    return ex;
}

/* ---- which array is which ---- */

static bool is_output(const Slot *s) { return s->arg.role == ACTC_OUTPUT; }

/* "x, dy": the names that the kernel takes, or gives. */
static void list_names(const Run *r, bool outputs, char *out, size_t size) {
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < r->count && n < size; i++)
        if (is_output(&r->slots[i]) == outputs)
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? ", " : "", r->slots[i].arg.name);
}

static Slot *find_slot(Run *r, const char *name, bool output) {
    for (size_t i = 0; i < r->count; i++)
        if (is_output(&r->slots[i]) == output && names_equal(r->slots[i].arg.name, name))
            return &r->slots[i];
    return NULL;
}

static Exit unknown_name(const Run *r, const char *name, bool output) {
    char names[1000];
    list_names(r, output, names, sizeof names);
    const char *hint = "";
    if (!r->args->backward && name[0] == 'd' && name[1]) hint = "; gradients need --backward";
    say_error("'%s' %s %s; there is no '%s'%s", r->program.function, output ? "gives" : "takes",
              names, name, hint);
    return EXIT_USAGE;
}

static Exit match_inputs(Run *r) {
    const Assignments *arrays = &r->args->arrays;
    for (size_t i = 0; i < arrays->count; i++) {
        Slot *s = find_slot(r, arrays->items[i].name, false);
        if (!s) return unknown_name(r, arrays->items[i].name, false);
        s->path = arrays->items[i].value;
        s->file = &r->files[i];
        s->header = r->files[i].header;
    }
    for (size_t i = 0; i < r->count; i++) {
        const Slot *s = &r->slots[i];
        if (is_output(s) || s->path || s->arg.has_initial) continue;
        char names[1000];
        if (s->arg.role == ACTC_LEARNABLE) {
            say_error("'%s' needs values for the learnable '%s', which has no default: add "
                      "%s=FILE.npy",
                      r->program.function, s->arg.name, s->arg.name);
            return EXIT_USAGE;
        }
        list_names(r, false, names, sizeof names);
        say_error("'%s' takes %s; '%s' is missing: add %s=FILE.npy", r->program.function, names,
                  s->arg.name, s->arg.name);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

static Exit match_outputs(Run *r) {
    const Assignments *outputs = &r->args->outputs;
    size_t given = 0;
    Slot *only = NULL;
    for (size_t i = 0; i < r->count; i++)
        if (is_output(&r->slots[i])) only = &r->slots[i], given++;
    for (size_t i = 0; i < outputs->count; i++) {
        const char *name = outputs->items[i].name;
        Slot *s = *name ? find_slot(r, name, true) : given == 1 ? only : NULL;
        if (!s && *name) return unknown_name(r, name, true);
        if (!s) {
            char names[1000];
            list_names(r, true, names, sizeof names);
            say_error("'%s' gives %s; say which one: -o %s=%s", r->program.function, names,
                      only ? only->arg.name : "NAME", outputs->items[i].value);
            return EXIT_USAGE;
        }
        if (s->path) {
            say_error("output '%s' is given twice", s->arg.name);
            return EXIT_USAGE;
        }
        s->path = outputs->items[i].value;
    }
    return EXIT_DONE;
}

static Exit match_names(Run *r) {
    r->count = actc_kernel_argument_count(r->kernel);
    r->slots = calloc(r->count + 1, sizeof *r->slots);
    r->tensors = calloc(r->count + 1, sizeof *r->tensors);
    r->outs = calloc(r->count + 1, sizeof *r->outs);
    if (!r->slots || !r->tensors || !r->outs) return no_memory();
    for (size_t i = 0; i < r->count; i++) {
        const actc_status status = actc_kernel_argument(r->kernel, i, &r->slots[i].arg);
        if (status != ACTC_OK) return say_status(status, NULL, "cannot ask for the arguments");
        r->outs[i].fd = -1;
    }
    const Exit ex = match_inputs(r);
    return ex == EXIT_DONE ? match_outputs(r) : ex;
}

/* ---- shapes ---- */

static Exit shape_error(const char *what, const Slot *a, const char *b_name, const NpyHeader *b) {
    char first[400], second[400];
    npy_shape_text(&a->header, first, sizeof first);
    npy_shape_text(b, second, sizeof second);
    say_error("'%s' %s and '%s' %s %s", a->arg.name, first, b_name, second, what);
    return EXIT_INPUT;
}

/* Widens `to` by one more shape: aligned at the right, sizes are equal or one of them is 1. */
static bool broadcast(NpyHeader *to, const NpyHeader *shape) {
    NpyHeader wide = *to;
    wide.ndim = to->ndim > shape->ndim ? to->ndim : shape->ndim;
    for (int i = 1; i <= wide.ndim; i++) {
        const int64_t a = i <= to->ndim ? to->shape[to->ndim - i] : 1;
        const int64_t b = i <= shape->ndim ? shape->shape[shape->ndim - i] : 1;
        if (a != b && a != 1 && b != 1) return false;
        wide.shape[wide.ndim - i] = a == 1 ? b : a;
    }
    *to = wide;
    return true;
}

static bool same_shape(const NpyHeader *a, const NpyHeader *b) {
    return a->ndim == b->ndim && !memcmp(a->shape, b->shape, (size_t)a->ndim * sizeof a->shape[0]);
}

/* The shape of what the function gives: that of all its inputs together, in the layout of the
 * first. */
static Exit result_shape(const Run *r, NpyHeader *out) {
    const Slot *first = NULL;
    *out = (NpyHeader){.dtype = r->dtype};
    for (size_t i = 0; i < r->count; i++) {
        const Slot *s = &r->slots[i];
        if (s->arg.role != ACTC_INPUT) continue;
        if (!broadcast(out, &s->header))
            return shape_error("do not broadcast", s, first->arg.name, out);
        if (!first) out->fortran = s->header.fortran, first = s;
    }
    if (npy_count(out)) return EXIT_DONE;
    say_error("the result is too large for memory");
    return EXIT_INPUT;
}

/* ---- axes ---- */

static bool is_rest(const char *axis) { return !strcmp(axis, ".."); }

/* The dimension that --axis gives to an axis; false: none. */
static bool given_dimension(const Run *r, const char *axis, long *out) {
    const Assignments *axes = &r->args->axes;
    for (size_t i = 0; i < axes->count; i++)
        if (names_equal(axes->items[i].name, axis)) {
            *out = strtol(axes->items[i].value, NULL, 10);
            return true;
        }
    return false;
}

/* Arrays of one axis have no choice; learnables, and what is shaped like them, keep their order. */
static bool follows_option(const Run *r, const Slot *s) {
    if (s->arg.rank < 2 || s->arg.role == ACTC_LEARNABLE) return false;
    for (size_t i = 0; i < r->count && is_output(s); i++) {
        const actc_argument *a = &r->slots[i].arg;
        if (a->role == ACTC_LEARNABLE && s->arg.name[0] == 'd' && !strcmp(s->arg.name + 1, a->name))
            return false;
    }
    return true;
}

/* order[k] becomes the dimension of the array that is dimension k of the tensor, whose axes are in
 * the kernel's order. */
static Exit order_dimensions(const Run *r, const Slot *s, int ndim, int *order) {
    const int rank = (int)s->arg.rank;
    int rest = 0, of[NPY_MAX_DIMENSIONS];
    bool taken[NPY_MAX_DIMENSIONS] = {false};
    for (int d = 0; d < ndim; d++) order[d] = d;
    while (rest < rank && !is_rest(s->arg.axes[rest])) rest++;
    const int named = rank - (rest < rank), left = ndim - named;
    if (!follows_option(r, s) || left < 0 || (rest == rank && left)) return EXIT_DONE;
    for (int k = 0; k < rank; k++) {
        long d = 0;
        of[k] = -1;
        if (k == rest || !given_dimension(r, s->arg.axes[k], &d)) continue;
        const long from_start = d < 0 ? d + ndim : d;
        if (from_start < 0 || from_start >= ndim || taken[from_start]) {
            say_error(from_start < 0 || from_start >= ndim
                          ? "--axis %s=%ld: '%s' has %d dimensions"
                          : "--axis %s=%ld: another axis is that dimension of '%s', of %d",
                      s->arg.axes[k], d, s->arg.name, ndim);
            return EXIT_INPUT;
        }
        of[k] = (int)from_start;
        taken[from_start] = true;
    }
    for (int k = 0, d = 0; k < rest; k++) {
        while (of[k] < 0 && taken[d]) d++;
        if (of[k] < 0) taken[of[k] = d] = true;
    }
    for (int k = rank - 1, d = ndim - 1; k > rest; k--) {
        while (of[k] < 0 && taken[d]) d--;
        if (of[k] < 0) taken[of[k] = d] = true;
    }
    int n = 0;
    for (int k = 0; k < rank; k++) {
        if (k != rest) order[n++] = of[k];
        for (int d = 0; k == rest && d < ndim; d++)
            if (!taken[d]) order[n++] = d;
    }
    return EXIT_DONE;
}

/* The slot's array as the kernel sees it. */
static Exit make_tensor(Run *r, Slot *s) {
    const int n = s->header.ndim;
    int order[NPY_MAX_DIMENSIONS];
    int64_t strides[NPY_MAX_DIMENSIONS], stride = 1;
    const Exit ex = order_dimensions(r, s, n, order);
    if (ex != EXIT_DONE) return ex;
    for (int i = 0; i < n; i++) {
        const int d = s->header.fortran ? i : n - 1 - i;
        strides[d] = stride;
        stride *= s->header.shape[d];
    }
    for (int k = 0; k < n; k++) {
        s->shape[k] = s->header.shape[order[k]];
        s->strides[k] = strides[order[k]];
    }
    s->tensor = (actc_tensor){
        .data = s->data,
        .device = {1, 0},
        .ndim = n,
        .dtype = {r->dtype == ACTC_BF16 ? 4 : 2, (uint8_t)(8 * npy_dtype_size(r->dtype)), 1},
        .shape = s->shape,
        .strides = s->strides,
    };
    r->tensors[s - r->slots] = &s->tensor;
    return EXIT_DONE;
}

static Exit check_axes(const Run *r) {
    for (size_t i = 0; i < r->args->axes.count; i++) {
        bool found = false;
        for (size_t k = 0; k < r->count; k++)
            for (size_t a = 0; a < r->slots[k].arg.rank; a++)
                found = found || names_equal(r->slots[k].arg.axes[a], r->args->axes.items[i].name);
        if (found) continue;
        say_error("'%s' has no axis '%s'", r->program.function, r->args->axes.items[i].name);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}

/* Outputs, and learnables that are not given, get the shapes that follow from the others. */
static Exit shape_by_axes(Run *r) {
    Exit ex = check_axes(r);
    const Slot *first = NULL;
    for (size_t i = 0; i < r->count && ex == EXIT_DONE; i++) {
        Slot *s = &r->slots[i];
        ex = make_tensor(r, s);
        if (!s->file) s->tensor.ndim = -1;
        if (!first && s->file && s->arg.role == ACTC_INPUT) first = s;
    }
    if (ex != EXIT_DONE) return ex;
    actc_diagnostics *diagnostics = NULL;
    const actc_status status = actc_kernel_shapes(r->kernel, r->tensors, r->count, &diagnostics);
    ex = say_status(status, diagnostics, r->program.function);
    for (size_t i = 0; i < r->count && ex == EXIT_DONE; i++) {
        Slot *s = &r->slots[i];
        if (s->file) continue;
        int order[NPY_MAX_DIMENSIONS];
        const int n = s->tensor.ndim;
        ex = order_dimensions(r, s, n, order);
        s->header = (NpyHeader){.dtype = r->dtype, .ndim = n};
        for (int k = 0; k < n && ex == EXIT_DONE; k++) s->header.shape[order[k]] = s->shape[k];
        s->header.fortran = first && first->header.fortran && first->header.ndim == n;
        if (ex == EXIT_DONE && !npy_count(&s->header)) {
            say_error("'%s' is too large for memory", s->arg.name);
            return EXIT_INPUT;
        }
    }
    return ex;
}

/* Outputs get their shapes: results the common one, gradients those of the inputs and learnables,
 * in that order. */
static Exit shape_outputs(Run *r) {
    if (r->count && r->slots[0].arg.axes) return shape_by_axes(r);
    if (r->args->axes.count) {
        say_error("'%s' has no axis '%s': none of its axes has a name", r->program.function,
                  r->args->axes.items[0].name);
        return EXIT_USAGE;
    }
    NpyHeader result;
    const Exit ex = result_shape(r, &result);
    if (ex != EXIT_DONE) return ex;
    size_t source = 0;
    for (size_t i = 0; i < r->count; i++) {
        Slot *s = &r->slots[i];
        if (s->arg.role == ACTC_COTANGENT && !same_shape(&s->header, &result))
            return shape_error("differ in shape", s, s->arg.name + 1, &result);
        if (!is_output(s)) continue;
        s->header = result;
        if (!r->args->backward) continue;
        while (source < r->count && r->slots[source].arg.role != ACTC_INPUT &&
               r->slots[source].arg.role != ACTC_LEARNABLE)
            source++;
        if (source == r->count) {
            say_error("a bug in actc: '%s' is the gradient of nothing", s->arg.name);
            return EXIT_BUG;
        }
        s->header = r->slots[source++].header;
        s->header.dtype = r->dtype;
        if (!npy_count(&s->header)) return no_memory();
    }
    return EXIT_DONE;
}

/* ---- elements ---- */

/* What a learnable begins with; the value is one of its type. */
static bool fill(Slot *s, actc_dtype dtype) {
    s->header.dtype = dtype;
    if (!npy_count(&s->header) || !(s->data = npy_alloc(s->header.count, dtype))) return false;
    const double v = s->arg.initial;
    for (size_t i = 0; i < s->header.count; i++) {
        if (dtype == ACTC_F64)
            ((double *)s->data)[i] = v;
        else if (dtype == ACTC_F32)
            ((float *)s->data)[i] = (float)v;
        else
            ((uint16_t *)s->data)[i] = half_from_double(v, dtype);
    }
    return true;
}

static Exit load(Run *r) {
    for (size_t i = 0; i < r->count; i++) {
        Slot *s = &r->slots[i];
        IoError e;
        if (!is_output(s) && !s->file) {
            if (!fill(s, r->dtype)) return no_memory();
            continue;
        }
        if (!is_output(s) && !npy_load(s->file, r->dtype, &s->data, &e))
            return file_error(s->path, &e, "<stdin>");
        if (is_output(s) && !(s->data = npy_alloc(s->header.count, r->dtype))) {
            say_error("out of memory for '%s' of %zu elements", s->arg.name, s->header.count);
            return EXIT_MACHINE;
        }
    }
    return EXIT_DONE;
}

static Exit compute(Run *r) {
    for (size_t i = 0; i < r->count; i++) {
        const Exit ex = make_tensor(r, &r->slots[i]);
        if (ex != EXIT_DONE) return ex;
    }
    actc_diagnostics *diagnostics = NULL;
    const actc_status status =
        actc_kernel_run(r->kernel, (const actc_tensor *const *)r->tensors, r->count, &diagnostics);
    return say_status(status, diagnostics, r->program.function);
}

/* ---- results ---- */

static Exit write_one(const Run *r, size_t i) {
    const Slot *s = &r->slots[i];
    IoError e;
    const bool ok = out_open(&r->outs[i], s->path, &e) &&
                    npy_write(&r->outs[i], &s->header, s->data, &e) && out_close(&r->outs[i], &e);
    return ok ? EXIT_DONE : file_error(s->path, &e, "<stdout>");
}

/* Files under their temporary names first, then devices and pipes, then the renaming: a failure on
 * the way leaves nothing behind. */
static Exit write_outputs(Run *r) {
    for (int straight = 0; straight < 2; straight++)
        for (size_t i = 0; i < r->count; i++) {
            const Slot *s = &r->slots[i];
            if (!is_output(s) || !s->path || out_is_straight(s->path) != (straight == 1)) continue;
            const Exit ex = write_one(r, i);
            if (ex != EXIT_DONE) return ex;
        }
    const char *written = NULL;
    for (size_t i = 0; i < r->count; i++) {
        const Slot *s = &r->slots[i];
        IoError e;
        if (!is_output(s) || !s->path) continue;
        if (!out_commit(&r->outs[i], &e)) {
            const Exit ex = file_error(s->path, &e, "<stdout>");
            if (written) say_error("'%s' and what stands before it is written already", written);
            return ex;
        }
        written = s->path;
    }
    return EXIT_DONE;
}

static void end_run(Run *r) {
    for (size_t i = 0; r->files && i < r->args->arrays.count; i++) npy_close(&r->files[i]);
    for (size_t i = 0; r->slots && i < r->count; i++) free(r->slots[i].data);
    for (size_t i = 0; r->outs && i < r->count; i++) out_end(&r->outs[i]);
    free(r->files);
    free(r->slots);
    free(r->tensors);
    free(r->outs);
    actc_kernel_release(r->kernel);
    program_close(&r->program);
}

Exit cmd_run(const Args *args) {
    static Exit (*const steps[])(Run *) = {open_arrays,   choose_dtype, compile, match_names,
                                           shape_outputs, load,         compute, write_outputs};
    Run run = {.args = args};
    Exit ex = check_arguments(args);
    if (ex == EXIT_DONE) ex = program_open(args, &run.program);
    for (size_t i = 0; i < sizeof steps / sizeof *steps && ex == EXIT_DONE; i++)
        ex = steps[i](&run);
    end_run(&run);
    return ex;
}
