/* Running a kernel on tensors: shapes checked and broadcast, strides honoured.
 *
 * Where all arrays are dense and laid out alike, one call does it, on the caller's memory. Else the
 * elements go through buffers of CHUNK elements: gathered in the order of the output's indices,
 * computed, and put back. */
#include <string.h>

#include "runtime.h"

enum {
    MAX_DIMS = TENSOR_DIMENSIONS,
    CHUNK = 2048,
    CPU = 1,
    FEW = 8 /* arguments that need no memory */
};

typedef struct {
    int ndim;
    int64_t shape[MAX_DIMS];
    uint64_t count;
} Shape;

/* One tensor seen as having the common shape: its strides in elements, 0 where it is broadcast. */
typedef struct {
    char *data;
    int64_t strides[MAX_DIMS];
} View;

static actc_status check_tensor(const actc_kernel *k, size_t i, const actc_tensor *t,
                                actc_diagnostics **diagnostics) {
    const actc_argument *a = &k->args[i];
    const DtypeInfo *type = &dtype_info[a->dtype];
    if (!t) return fail(diagnostics, ACTC_E_ARGUMENT, "argument '%s' is NULL", a->name);
    if (t->device.device_type != CPU)
        return fail(diagnostics, ACTC_E_ARGUMENT, "argument '%s' is not in the CPU's memory",
                    a->name);
    if (t->dtype.code != type->code || t->dtype.lanes != 1 || t->dtype.bits != 8 * type->bytes)
        return fail(diagnostics, ACTC_E_SHAPE, "argument '%s' must have elements of type %s",
                    a->name, type->name);
    if (t->ndim < 0 || t->ndim > MAX_DIMS)
        return fail(diagnostics, ACTC_E_SHAPE,
                    "argument '%s' has %d dimensions; 0 to %d are supported", a->name, (int)t->ndim,
                    MAX_DIMS);
    if (t->ndim && !t->shape)
        return fail(diagnostics, ACTC_E_ARGUMENT, "argument '%s' has no shape", a->name);
    uint64_t count = 1;
    for (int d = 0; d < t->ndim; d++) {
        if (t->shape[d] < 0)
            return fail(diagnostics, ACTC_E_SHAPE, "argument '%s' has a negative size", a->name);
        if (t->shape[d] && count > (uint64_t)INT64_MAX / 8 / (uint64_t)t->shape[d])
            return fail(diagnostics, ACTC_E_SHAPE,
                        "argument '%s' has more elements than memory can hold", a->name);
        count *= (uint64_t)t->shape[d];
    }
    if (count && !t->data)
        return fail(diagnostics, ACTC_E_ARGUMENT, "argument '%s' has no data", a->name);
    return ACTC_OK;
}

/* ---- shapes ---- */

const char *shape_text(char *buf, size_t cap, int ndim, const int64_t *shape) {
    size_t at = 0;
    buf[at++] = '(';
    for (int d = 0; d < ndim && at + 24 < cap; d++) {
        char digits[24];
        int n = 0;
        for (uint64_t v = (uint64_t)shape[d]; v || !n; v /= 10) digits[n++] = (char)('0' + v % 10);
        if (d) buf[at++] = ',', buf[at++] = ' ';
        while (n) buf[at++] = digits[--n];
    }
    if (ndim == 1) buf[at++] = ',';
    buf[at++] = ')';
    buf[at] = 0;
    return buf;
}

/* As NumPy: aligned at the right, sizes equal or 1. */
static bool broadcast(Shape *s, int ndim, const int64_t *shape) {
    Shape r = {.ndim = ndim > s->ndim ? ndim : s->ndim};
    for (int d = 0; d < r.ndim; d++) {
        const int i = s->ndim - 1 - d, j = ndim - 1 - d;
        const int64_t a = i >= 0 ? s->shape[i] : 1, b = j >= 0 ? shape[j] : 1;
        if (a != b && a != 1 && b != 1) return false;
        r.shape[r.ndim - 1 - d] = a == 1 ? b : a;
    }
    *s = r;
    return true;
}

static bool same_shape(const Shape *s, const actc_tensor *t) {
    if (s->ndim != t->ndim) return false;
    for (int d = 0; d < s->ndim; d++)
        if (s->shape[d] != t->shape[d]) return false;
    return true;
}

static actc_status common_shape(const actc_kernel *k, const actc_tensor *const *args, Shape *s,
                                actc_diagnostics **diagnostics) {
    char one[SHAPE_TEXT], other[SHAPE_TEXT];
    *s = (Shape){.ndim = 0};
    for (size_t i = 0; i < k->ninputs; i++) {
        const actc_tensor *t = args[i];
        if (k->args[i].role == ACTC_LEARNABLE && t->ndim && (t->ndim > 1 || t->shape[0] != 1))
            return fail(diagnostics, ACTC_E_SHAPE,
                        "the learnable '%s' has the shape %s and is a number: () or (1,)",
                        k->args[i].name, shape_text(one, sizeof one, t->ndim, t->shape));
    }
    for (size_t i = 0; i < k->ninputs; i++)
        if (k->args[i].role == ACTC_INPUT && !broadcast(s, args[i]->ndim, args[i]->shape))
            return fail(
                diagnostics, ACTC_E_SHAPE,
                "the shape %s of '%s' does not broadcast with %s, that of the inputs before it",
                shape_text(one, sizeof one, args[i]->ndim, args[i]->shape), k->args[i].name,
                shape_text(other, sizeof other, s->ndim, s->shape));
    s->count = 1;
    for (int d = 0; d < s->ndim; d++) {
        if (s->shape[d] && s->count > (uint64_t)INT64_MAX / 8 / (uint64_t)s->shape[d])
            return fail(diagnostics, ACTC_E_SHAPE,
                        "the inputs broadcast to more elements than memory can hold");
        s->count *= (uint64_t)s->shape[d];
    }
    for (size_t i = 0; i < k->nargs; i++) {
        const actc_role role = k->args[i].role;
        if (role != ACTC_OUTPUT && role != ACTC_COTANGENT) continue;
        if (k->gradient_of[i] != NO_ARGUMENT && !same_shape(s, args[k->gradient_of[i]]))
            return fail(
                diagnostics, ACTC_E_UNSUPPORTED,
                "'%s': the gradient of an input that is broadcast (%s to %s) is not supported yet",
                k->args[i].name,
                shape_text(one, sizeof one, args[k->gradient_of[i]]->ndim,
                           args[k->gradient_of[i]]->shape),
                shape_text(other, sizeof other, s->ndim, s->shape));
        if (!same_shape(s, args[i]))
            return fail(diagnostics, ACTC_E_SHAPE, "'%s' has the shape %s and must have %s",
                        k->args[i].name, shape_text(one, sizeof one, args[i]->ndim, args[i]->shape),
                        shape_text(other, sizeof other, s->ndim, s->shape));
    }
    return ACTC_OK;
}

/* ---- layouts ---- */

static View view_of(const actc_tensor *t, const Shape *s) {
    View v = {.data = (char *)t->data + t->byte_offset};
    int64_t dense = 1;
    for (int d = s->ndim - 1, i = t->ndim - 1; d >= 0; d--, i--) {
        if (i < 0) continue; /* a dimension that the tensor does not have: stride 0 */
        v.strides[d] = t->shape[i] == 1 ? 0 : t->strides ? t->strides[i] : dense;
        dense *= t->shape[i];
    }
    return v;
}

/* Whether the elements lie one behind the other in some order of the dimensions. */
static bool is_dense(const View *v, const Shape *s) {
    int64_t expected = 1;
    bool done[MAX_DIMS] = {false};
    for (int round = 0; round < s->ndim; round++) {
        int next = -1;
        for (int d = 0; d < s->ndim; d++)
            if (!done[d] && (s->shape[d] == 1 || v->strides[d] == expected)) next = d;
        if (next < 0) return false;
        done[next] = true;
        expected *= s->shape[next];
    }
    return true;
}

static bool alike(const View *a, const View *b, const Shape *s) {
    for (int d = 0; d < s->ndim; d++)
        if (s->shape[d] != 1 && a->strides[d] != b->strides[d]) return false;
    return true;
}

/* Copies `count` elements between a view, from its element `start` in the order of the indices on,
 * and a buffer. */
static void transfer(const View *v, const Shape *s, uint64_t start, size_t count, size_t size,
                     char *buffer, bool gather) {
    int64_t index[MAX_DIMS];
    int64_t at = 0;
    uint64_t rest = start;
    for (int d = s->ndim - 1; d >= 0; d--) {
        index[d] = (int64_t)(rest % (uint64_t)s->shape[d]);
        rest /= (uint64_t)s->shape[d];
        at += index[d] * v->strides[d];
    }
    for (size_t i = 0; i < count; i++) {
        char *element = v->data + at * (int64_t)size;
        if (gather)
            memcpy(buffer + i * size, element, size);
        else
            memcpy(element, buffer + i * size, size);
        for (int d = s->ndim - 1; d >= 0; d--) {
            at += v->strides[d];
            if (++index[d] < s->shape[d]) break;
            at -= index[d] * v->strides[d];
            index[d] = 0;
        }
    }
}

void tensor_copy(const actc_tensor *t, size_t bytes, char *buffer, bool gather) {
    Shape s = {.ndim = t->ndim, .count = 1};
    for (int d = 0; d < t->ndim; d++) s.count *= (uint64_t)(s.shape[d] = t->shape[d]);
    const View v = view_of(t, &s);
    if (s.count) transfer(&v, &s, 0, s.count, bytes, buffer, gather);
}

static actc_status run_through_buffers(const actc_kernel *k, const View *views, const Shape *s) {
    const Allocator *from = &k->module->context->allocator;
    char *memory = memory_array(from, k->nargs, CHUNK * 8 + 64);
    void **arrays = memory_array(from, k->nargs, sizeof *arrays);
    if (!memory || !arrays) {
        memory_free(memory);
        memory_free(arrays);
        return ACTC_E_MEMORY;
    }
    for (size_t i = 0; i < k->nargs; i++) arrays[i] = memory + i * (CHUNK * 8 + 64);
    for (uint64_t start = 0; start < s->count; start += CHUNK) {
        const size_t n = s->count - start < CHUNK ? (size_t)(s->count - start) : CHUNK;
        const uint64_t sizes[1] = {n};
        for (size_t i = 0; i < k->ninputs; i++)
            transfer(&views[i], s, start, n, dtype_info[k->args[i].dtype].bytes, arrays[i], true);
        kernel_call(k, &(KernelCall){.end = n, .sizes = sizes, .arrays = arrays});
        for (size_t i = k->ninputs; i < k->nargs; i++)
            transfer(&views[i], s, start, n, dtype_info[k->args[i].dtype].bytes, arrays[i], false);
    }
    memory_free(memory);
    memory_free(arrays);
    return ACTC_OK;
}

static actc_status run_views(const actc_kernel *k, const actc_tensor *const *args, View *views,
                             void **arrays, const Shape *s) {
    bool direct = true;
    for (size_t i = 0; i < k->nargs; i++) {
        views[i] = view_of(args[i], s);
        arrays[i] = views[i].data;
        if (k->args[i].role == ACTC_LEARNABLE) continue; /* one number for all */
        direct = direct && (i ? alike(&views[0], &views[i], s) : is_dense(&views[0], s));
    }
    if (!direct) return run_through_buffers(k, views, s);
    const uint64_t sizes[1] = {s->count};
    kernel_call(k, &(KernelCall){.end = s->count, .sizes = sizes, .arrays = arrays});
    return ACTC_OK;
}

bool tensor_is_contiguous(const actc_tensor *t) {
    if (!t->strides) return true;
    int64_t expected = 1;
    for (int d = t->ndim - 1; d >= 0; d--) {
        if (t->shape[d] != 1 && t->strides[d] != expected) return false;
        expected *= t->shape[d];
    }
    return true;
}

/* The common case, which should cost little more than the call itself: few arrays, contiguous, of
 * one shape. */
static bool run_alike(const actc_kernel *k, const actc_tensor *const *args) {
    if (k->nargs > FEW) return false;
    const actc_tensor *first = args[0];
    void *arrays[FEW];
    uint64_t count = 1;
    for (int d = 0; d < first->ndim; d++) count *= (uint64_t)first->shape[d];
    for (size_t i = 0; i < k->nargs; i++) {
        const actc_tensor *t = args[i];
        if (k->args[i].role == ACTC_LEARNABLE || t->ndim != first->ndim || !tensor_is_contiguous(t))
            return false;
        for (int d = 0; d < t->ndim; d++)
            if (t->shape[d] != first->shape[d]) return false;
        arrays[i] = (char *)t->data + t->byte_offset;
    }
    const uint64_t sizes[1] = {count};
    if (count) kernel_call(k, &(KernelCall){.end = count, .sizes = sizes, .arrays = arrays});
    return true;
}

actc_status actc_kernel_shapes(const actc_kernel *k, actc_tensor *const *args, size_t count,
                               actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (!k || (!args && count))
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_kernel_shapes: an argument is NULL");
    if (count != k->nargs)
        return fail(diagnostics, ACTC_E_ARGUMENT, "the kernel takes %zu arrays, %zu were given",
                    k->nargs, count);
    for (size_t i = 0; i < count; i++)
        if (!args[i] || !args[i]->shape || args[i]->ndim > MAX_DIMS)
            return fail(diagnostics, ACTC_E_ARGUMENT,
                        "argument '%s' has no shape, or more than %d dimensions", k->args[i].name,
                        MAX_DIMS);
    if (k->axes) return axes_shapes(k, args, diagnostics);
    Shape s = {.ndim = 0};
    for (size_t i = 0; i < k->ninputs; i++)
        if (k->args[i].role == ACTC_INPUT && args[i]->ndim >= 0 &&
            !broadcast(&s, args[i]->ndim, args[i]->shape))
            return fail(diagnostics, ACTC_E_SHAPE, "the shapes of the inputs do not broadcast");
    for (size_t i = 0; i < count; i++) {
        if (args[i]->ndim >= 0) continue;
        const uint32_t of = k->gradient_of[i];
        const actc_tensor *like = of != NO_ARGUMENT ? args[of] : NULL;
        args[i]->ndim = k->args[i].role == ACTC_LEARNABLE ? 0 : like ? like->ndim : s.ndim;
        if (args[i]->ndim > 0)
            memcpy(args[i]->shape, like ? like->shape : s.shape,
                   (size_t)args[i]->ndim * sizeof *s.shape);
    }
    return ACTC_OK;
}

actc_status actc_kernel_run(const actc_kernel *k, const actc_tensor *const *args, size_t count,
                            actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (!k || (!args && count))
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_kernel_run: an argument is NULL");
    if (count != k->nargs)
        return fail(diagnostics, ACTC_E_ARGUMENT, "the kernel takes %zu arrays, %zu were given",
                    k->nargs, count);
    for (size_t i = 0; i < count; i++) {
        const actc_status status = check_tensor(k, i, args[i], diagnostics);
        if (status != ACTC_OK) return status;
    }
    if (k->axes) return axes_run(k, args, diagnostics);
    if (run_alike(k, args)) return ACTC_OK;
    Shape s;
    const actc_status status = common_shape(k, args, &s, diagnostics);
    if (status != ACTC_OK || s.count == 0) return status;
    if (count <= FEW) {
        View views[FEW];
        void *arrays[FEW];
        return run_views(k, args, views, arrays, &s);
    }
    View *views = memory_array(&k->module->context->allocator, count, sizeof *views);
    void **arrays = memory_array(&k->module->context->allocator, count, sizeof *arrays);
    const actc_status ran = views && arrays ? run_views(k, args, views, arrays, &s) : ACTC_E_MEMORY;
    memory_free(views);
    memory_free(arrays);
    return ran;
}
