/* Running a kernel whose arrays have axes: which dimension of each tensor is which axis, whether
 * all agree on the sizes, and one call for everything.
 *
 * A named axis is one dimension, `..` all the dimensions that are left over, which must be the same
 * wherever it stands. The kernel gets contiguous arrays: tensors that are not, and outputs that
 * overlap an input, go through copies. */
#include <string.h>

#include "runtime.h"

/* ---- what a kernel keeps of its plan ---- */

static bool keep_layout(const Allocator *from, KernelAxes *a, size_t i, const uint8_t *order,
                        uint8_t rank) {
    KernelLayout *l = &a->layouts[i];
    l->names = memory_array(from, rank + 1u, sizeof *l->names);
    l->sizes = memory_array(from, rank + 1u, sizeof *l->sizes);
    if (!l->names || !l->sizes) return false;
    l->rank = rank;
    for (uint8_t k = 0; k < rank; k++) {
        l->order[k] = order[k];
        l->names[k] = a->names[order[k]];
        l->sizes[k] = (size_t)a->fixed[order[k]];
    }
    return true;
}

void axes_free(KernelAxes *a) {
    if (!a) return;
    for (size_t i = 0; i < a->nlayouts && a->layouts; i++) {
        memory_free(a->layouts[i].names);
        memory_free(a->layouts[i].sizes);
    }
    for (size_t i = 0; i <= MAX_AXES; i++) memory_free(a->names[i]);
    memory_free(a->layouts);
    memory_free(a->saved);
    memory_free(a);
}

KernelAxes *axes_of_plan(const Allocator *from, const Plan *p) {
    const Graph *g = p->graph;
    KernelAxes *a = memory_new(from, sizeof *a);
    if (!a) return NULL;
    a->nlayouts = p->nargs;
    a->layouts = memory_array(from, p->nargs, sizeof *a->layouts);
    a->saved = memory_array(from, p->nsaved + 1, sizeof *a->saved);
    bool complete = a->layouts && a->saved;
    for (size_t i = 0; i <= g->naxes && complete; i++) {
        const char *name = i ? g->axes[i - 1].name : "..";
        a->names[i] = memory_text(from, name, strlen(name));
        a->fixed[i] = i ? g->axes[i - 1].size : 0;
        complete = a->names[i] != NULL;
    }
    for (size_t i = 0; i < p->nargs && complete; i++) {
        const PlanArg *arg = &p->args[i];
        const Output *o = arg->output ? &g->outs[arg->index] : NULL;
        const Var *v = arg->output ? NULL : &g->vars[arg->index];
        complete = keep_layout(from, a, i, o ? o->order : v->order, o ? o->rank : v->rank);
    }
    a->nsizes = p->nsizes;
    a->all = p->nsizes && strcmp(p->sizes[0].name, "n") == 0;
    for (size_t i = 0; i < p->nsizes; i++)
        while (!(p->sizes[i].axis >> a->order[i] & 1)) a->order[i]++;
    for (size_t i = 0; i < p->nsaved && complete; i++)
        if (p->saved[i]->axes) a->saved[a->nsaved++] = p->saved[i]->axes;
    if (complete) return a;
    axes_free(a);
    return NULL;
}

size_t axes_workspace(const KernelAxes *a, const uint64_t *sizes) {
    uint64_t all = 0;
    for (size_t i = 0; i < a->nsaved; i++) {
        uint64_t count = 1;
        for (unsigned bit = 0; bit <= MAX_AXES; bit++) {
            if (!(a->saved[i] >> bit & 1)) continue;
            if (sizes[bit] && count > (uint64_t)INT64_MAX / 16 / sizes[bit]) return SIZE_MAX;
            count *= sizes[bit];
        }
        all += count;
        if (all > (uint64_t)INT64_MAX / 16) return SIZE_MAX;
    }
    return (size_t)all;
}

/* ---- sizes from shapes ---- */

typedef struct {
    uint64_t sizes[MAX_AXES + 1]; /* of `..` the product */
    int32_t of[MAX_AXES + 1];     /* the argument that says so, plus 1; 0: none yet */
    int32_t rest_ndim;
    const int64_t *rest;
} Bound;

static const char *axes_text(const KernelLayout *l, char *buf, size_t cap) {
    size_t at = 0;
    buf[at++] = '[';
    for (uint8_t k = 0; k < l->rank; k++) {
        const size_t n = strlen(l->names[k]);
        if (at + n + 8 > cap) break;
        if (k) buf[at++] = ',', buf[at++] = ' ';
        memcpy(buf + at, l->names[k], n);
        at += n;
    }
    buf[at++] = ']';
    buf[at] = 0;
    return buf;
}

static actc_status disagree(const actc_kernel *k, const actc_tensor *const *args, const Bound *b,
                            size_t i, unsigned bit, int64_t size, actc_diagnostics **diagnostics) {
    char one[SHAPE_TEXT], other[SHAPE_TEXT];
    const size_t first = (size_t)b->of[bit] - 1;
    return fail(diagnostics, ACTC_E_SHAPE,
                "the axis '%s' has size %lld in '%s' %s and %lld in '%s' %s", k->axes->names[bit],
                (long long)b->sizes[bit], k->args[first].name,
                shape_text(one, sizeof one, args[first]->ndim, args[first]->shape), (long long)size,
                k->args[i].name, shape_text(other, sizeof other, args[i]->ndim, args[i]->shape));
}

static actc_status bind_named(const actc_kernel *k, const actc_tensor *const *args, Bound *b,
                              size_t i, unsigned bit, int64_t size,
                              actc_diagnostics **diagnostics) {
    const uint64_t fixed = k->axes->fixed[bit];
    char text[SHAPE_TEXT];
    if (fixed && (uint64_t)size != fixed)
        return fail(diagnostics, ACTC_E_SHAPE,
                    "the axis '%s' of '%s' %s has size %lld, and must have %llu",
                    k->axes->names[bit], k->args[i].name,
                    shape_text(text, sizeof text, args[i]->ndim, args[i]->shape), (long long)size,
                    (unsigned long long)fixed);
    if (b->of[bit] && b->sizes[bit] != (uint64_t)size)
        return disagree(k, args, b, i, bit, size, diagnostics);
    if (!b->of[bit]) b->of[bit] = (int32_t)i + 1;
    b->sizes[bit] = (uint64_t)size;
    return ACTC_OK;
}

static actc_status bind_rest(const actc_kernel *k, const actc_tensor *const *args, Bound *b,
                             size_t i, int32_t ndim, const int64_t *shape,
                             actc_diagnostics **diagnostics) {
    bool same = !b->of[0] || b->rest_ndim == ndim;
    for (int32_t d = 0; d < ndim && same && b->of[0]; d++) same = shape[d] == b->rest[d];
    if (!same) {
        char one[SHAPE_TEXT], other[SHAPE_TEXT];
        const size_t first = (size_t)b->of[0] - 1;
        return fail(
            diagnostics, ACTC_E_SHAPE,
            "'%s' %s and '%s' %s must have the same sizes in the axes that '..' stands "
            "for",
            k->args[first].name, shape_text(one, sizeof one, args[first]->ndim, args[first]->shape),
            k->args[i].name, shape_text(other, sizeof other, args[i]->ndim, args[i]->shape));
    }
    if (b->of[0]) return ACTC_OK;
    b->of[0] = (int32_t)i + 1;
    b->rest_ndim = ndim;
    b->rest = shape;
    b->sizes[0] = 1;
    for (int32_t d = 0; d < ndim; d++) {
        if (shape[d] && b->sizes[0] > (uint64_t)INT64_MAX / 8 / (uint64_t)shape[d]) b->sizes[0] = 0;
        b->sizes[0] *= (uint64_t)shape[d];
    }
    return ACTC_OK;
}

/* A number may also stand in an array of one element. */
static bool is_number(const KernelLayout *l, const actc_tensor *t) {
    return l->rank == 0 && (t->ndim == 0 || (t->ndim == 1 && t->shape[0] == 1));
}

static actc_status bind(const actc_kernel *k, const actc_tensor *const *args, Bound *b, size_t i,
                        actc_diagnostics **diagnostics) {
    const KernelLayout *l = &k->axes->layouts[i];
    const actc_tensor *t = args[i];
    uint8_t rest = 0;
    while (rest < l->rank && l->order[rest] != 0) rest++;
    const bool open = rest < l->rank;
    const int32_t named = l->rank - open, left = t->ndim - named;
    if (is_number(l, t)) return ACTC_OK;
    if (left < 0 || (!open && left > 0)) {
        char shape[SHAPE_TEXT], axes[SHAPE_TEXT];
        return fail(diagnostics, ACTC_E_SHAPE, "'%s' has the shape %s, and its axes are %s",
                    k->args[i].name, shape_text(shape, sizeof shape, t->ndim, t->shape),
                    axes_text(l, axes, sizeof axes));
    }
    actc_status status = ACTC_OK;
    int32_t d = 0;
    for (uint8_t a = 0; a < l->rank && status == ACTC_OK; a++) {
        if (a == rest) {
            status = bind_rest(k, args, b, i, left, t->shape + d, diagnostics);
            d += left;
        } else {
            status = bind_named(k, args, b, i, l->order[a], t->shape[d], diagnostics);
            d++;
        }
    }
    return status;
}

static actc_status bind_all(const actc_kernel *k, const actc_tensor *const *args, Bound *b,
                            actc_diagnostics **diagnostics) {
    *b = (Bound){.rest_ndim = 0};
    for (unsigned bit = 0; bit <= MAX_AXES; bit++) b->sizes[bit] = k->axes->fixed[bit];
    actc_status status = ACTC_OK;
    for (size_t i = 0; i < k->nargs && status == ACTC_OK; i++)
        if (args[i]->ndim >= 0) status = bind(k, args, b, i, diagnostics);
    return status;
}

actc_status axes_shapes(const actc_kernel *k, actc_tensor *const *args,
                        actc_diagnostics **diagnostics) {
    Bound b;
    const actc_status status = bind_all(k, (const actc_tensor *const *)args, &b, diagnostics);
    for (size_t i = 0; i < k->nargs && status == ACTC_OK; i++) {
        actc_tensor *t = args[i];
        const KernelLayout *l = &k->axes->layouts[i];
        const uint32_t of = k->gradient_of[i];
        if (t->ndim >= 0) continue;
        if (of != NO_ARGUMENT && l->rank == 0 && args[of]->ndim >= 0) {
            t->ndim = args[of]->ndim;
            memcpy(t->shape, args[of]->shape, (size_t)t->ndim * sizeof *t->shape);
            continue;
        }
        t->ndim = 0;
        for (uint8_t a = 0; a < l->rank; a++) {
            const unsigned bit = l->order[a];
            if (!b.of[bit] && !k->axes->fixed[bit])
                return fail(diagnostics, ACTC_E_SHAPE,
                            "nothing says which size the axis '%s' of '%s' has", l->names[a],
                            k->args[i].name);
            const int32_t more = bit ? 1 : b.rest_ndim;
            if (t->ndim + more > TENSOR_DIMENSIONS)
                return fail(diagnostics, ACTC_E_SHAPE, "'%s' would have more than %d dimensions",
                            k->args[i].name, TENSOR_DIMENSIONS);
            for (int32_t d = 0; d < more; d++)
                t->shape[t->ndim++] = bit ? (int64_t)b.sizes[bit] : b.rest[d];
        }
    }
    return status;
}

/* ---- running ---- */

typedef struct {
    char *low, *high; /* bytes, high is behind the last */
} Extent;

static Extent extent_of(const actc_tensor *t, size_t bytes) {
    int64_t low = 0, high = 0, dense = 1;
    for (int32_t d = t->ndim; d-- > 0;) {
        const int64_t stride = t->strides ? t->strides[d] : dense;
        if (t->shape[d] == 0) return (Extent){NULL, NULL};
        *(stride < 0 ? &low : &high) += stride * (t->shape[d] - 1);
        dense *= t->shape[d];
    }
    char *data = (char *)t->data + t->byte_offset;
    return (Extent){data + low * (int64_t)bytes, data + (high + 1) * (int64_t)bytes};
}

static bool overlaps_another(const actc_kernel *k, const actc_tensor *const *args, size_t output) {
    const Extent e = extent_of(args[output], dtype_info[k->args[output].dtype].bytes);
    for (size_t i = 0; i < k->nargs; i++) {
        const Extent o = extent_of(args[i], dtype_info[k->args[i].dtype].bytes);
        if (i != output && (uintptr_t)o.low < (uintptr_t)e.high &&
            (uintptr_t)e.low < (uintptr_t)o.high)
            return true;
    }
    return false;
}

static size_t bytes_of(const actc_kernel *k, const actc_tensor *const *args, size_t i) {
    size_t count = 1;
    for (int32_t d = 0; d < args[i]->ndim; d++) count *= (size_t)args[i]->shape[d];
    return count * dtype_info[k->args[i].dtype].bytes;
}

enum { ALIGNMENT = 64 };

static void *aligned(void *memory) {
    return (char *)memory + (ALIGNMENT - (uintptr_t)memory % ALIGNMENT) % ALIGNMENT;
}

/* Element 0 of each array: the tensor's own, or a copy's in `copies`. */
static actc_status make_arrays(const actc_kernel *k, const actc_tensor *const *args, void **arrays,
                               void **copies) {
    const Allocator *from = &k->module->context->allocator;
    for (size_t i = 0; i < k->nargs; i++) {
        const bool output = i >= k->ninputs;
        arrays[i] = (char *)args[i]->data + args[i]->byte_offset;
        if (tensor_is_contiguous(args[i]) && !(output && overlaps_another(k, args, i))) continue;
        copies[i] = memory_array(from, bytes_of(k, args, i) + ALIGNMENT, 1);
        if (!copies[i]) return ACTC_E_MEMORY;
        arrays[i] = aligned(copies[i]);
        if (!output) tensor_copy(args[i], dtype_info[k->args[i].dtype].bytes, arrays[i], true);
    }
    return ACTC_OK;
}

actc_status axes_run(const actc_kernel *k, const actc_tensor *const *args,
                     actc_diagnostics **diagnostics) {
    const Allocator *from = &k->module->context->allocator;
    const KernelAxes *a = k->axes;
    Bound b;
    actc_status status = bind_all(k, args, &b, diagnostics);
    if (status != ACTC_OK) return status;
    uint64_t sizes[MAX_AXES + 1];
    for (size_t i = 0; i < a->nsizes; i++) sizes[i] = b.sizes[a->order[i]];
    const size_t elements = axes_workspace(a, b.sizes);
    if (elements == SIZE_MAX) return ACTC_E_MEMORY;
    const size_t bytes = dtype_info[k->args[0].dtype].type == TYPE_F64 ? 8 : 4;
    void **arrays = memory_array(from, k->nargs, sizeof *arrays);
    void **copies = memory_array(from, k->nargs, sizeof *copies);
    void *workspace = elements ? memory_array(from, elements * bytes + ALIGNMENT, 1) : NULL;
    if (!arrays || !copies || (elements && !workspace)) status = ACTC_E_MEMORY;
    if (status == ACTC_OK) status = make_arrays(k, args, arrays, copies);
    if (status == ACTC_OK) {
        kernel_call(k, &(KernelCall){.end = a->nsizes ? sizes[0] : 1,
                                     .sizes = sizes,
                                     .arrays = arrays,
                                     .workspace = workspace ? aligned(workspace) : NULL});
        for (size_t i = k->ninputs; i < k->nargs; i++)
            if (copies[i])
                tensor_copy(args[i], dtype_info[k->args[i].dtype].bytes, arrays[i], false);
    }
    for (size_t i = 0; copies && i < k->nargs; i++) memory_free(copies[i]);
    memory_free(workspace);
    memory_free(copies);
    memory_free(arrays);
    return status;
}
