/* Kernels as bytes, for the cache on disk: what they are called and take, and their object.
 *
 * Numbers are of 32 bits in this machine's order, texts have their length in front. Reading trusts
 * nothing: a record that breaks a rule gives no kernels. */
#include <string.h>

#include "runtime.h"

/* ---- writing ---- */

typedef struct {
    char *at; /* NULL: only counts */
    size_t size;
} Writer;

static void put(Writer *w, const void *p, size_t n) {
    if (w->at) memcpy(w->at + w->size, p, n);
    w->size += n;
}

static void put_number(Writer *w, uint32_t v) { put(w, &v, sizeof v); }

static void put_text(Writer *w, const char *s, size_t n) {
    put_number(w, (uint32_t)n);
    put(w, s, n);
}

static void put_all(Writer *w, actc_kernel *const *kernels, const char *const *symbols, size_t n,
                    const Bytes *object) {
    put_number(w, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        const actc_kernel *k = kernels[i];
        put_text(w, symbols[i], strlen(symbols[i]));
        put_number(w, k->kind);
        put_number(w, k->entry != NULL);
        put_number(w, (uint32_t)k->nargs);
        for (size_t j = 0; j < k->nargs; j++) {
            put_text(w, k->args[j].name, strlen(k->args[j].name));
            put_number(w, k->args[j].role);
            put_number(w, k->args[j].dtype);
            put_number(w, k->gradient_of[j]);
            put_number(w, k->args[j].has_initial != 0);
            put(w, &k->args[j].initial, sizeof k->args[j].initial);
        }
    }
    put_text(w, object->data, object->size);
}

/* Roles and types are one number each, and so is what a gradient belongs to. Kernels whose
 * arguments have axes are not kept. */
_Static_assert(sizeof(void *) != 8 || sizeof(actc_argument) == 56,
               "actc_argument has changed: see put_all and read_argument");

char *record_write(const Allocator *from, actc_kernel *const *kernels, const char *const *symbols,
                   size_t n, const Bytes *object, size_t *size) {
    Writer w = {NULL, 0};
    put_all(&w, kernels, symbols, n, object);
    *size = w.size;
    w = (Writer){memory_new(from, w.size), 0};
    if (w.at) put_all(&w, kernels, symbols, n, object);
    return w.at;
}

/* ---- reading ---- */

typedef struct {
    const char *at;
    size_t left;
    bool bad;
} Reader;

static const char *take(Reader *r, size_t n) {
    if (n > r->left) r->bad = true;
    if (r->bad) return NULL;
    const char *p = r->at;
    r->at += n;
    r->left -= n;
    return p;
}

static uint32_t take_number(Reader *r) {
    uint32_t v = 0;
    const char *p = take(r, sizeof v);
    if (p) memcpy(&v, p, sizeof v);
    return v;
}

/* Enumerators are small, and more of them come: which ones there are the key decides, since it
 * names this very library. */
enum { MOST = 15 };

/* A number that is at most this. */
static uint32_t take_up_to(Reader *r, uint32_t most) {
    const uint32_t v = take_number(r);
    if (v > most) r->bad = true;
    return v > most ? 0 : v;
}

static const char *take_text(Reader *r, size_t *n) {
    *n = take_number(r);
    const char *s = take(r, *n);
    if (!s || memchr(s, '\0', *n)) r->bad = true;
    return r->bad ? NULL : s;
}

typedef struct {
    const char *name;
    size_t length;
    bool with_entry;
} Symbol;

/* Sets *status where there is no memory. */
static bool read_argument(Reader *r, const Allocator *from, actc_kernel *k, actc_status *status) {
    size_t n;
    const char *name = take_text(r, &n);
    const actc_role role = (actc_role)take_up_to(r, MOST);
    const actc_dtype dtype = (actc_dtype)take_up_to(r, MOST);
    const uint32_t of = take_number(r);
    const bool has_initial = take_up_to(r, 1) != 0;
    double initial = 0;
    const char *bytes = take(r, sizeof initial);
    if (bytes) memcpy(&initial, bytes, sizeof initial);
    if (r->bad || (of != NO_ARGUMENT && of >= k->nargs)) return false;
    if (role != ACTC_OUTPUT && k->ninputs < k->nargs) return false; /* inputs come first */
    char *copy = memory_text(from, name, n);
    if (!copy) {
        *status = ACTC_E_MEMORY;
        return false;
    }
    k->gradient_of[k->nargs] = of;
    k->args[k->nargs++] = (actc_argument){
        .name = copy, .role = role, .dtype = dtype, .initial = initial, .has_initial = has_initial};
    if (role != ACTC_OUTPUT) k->ninputs++;
    return true;
}

static actc_kernel *read_kernel(Reader *r, const Allocator *from, Symbol *symbol,
                                actc_status *status) {
    symbol->name = take_text(r, &symbol->length);
    const actc_kind kind = (actc_kind)take_up_to(r, MOST);
    symbol->with_entry = take_up_to(r, 1) != 0;
    const uint32_t count = take_number(r);
    if (r->bad || !count || count > r->left || (!symbol->with_entry && count > KERNEL_PLAIN_ARRAYS))
        return NULL;
    actc_kernel *k = memory_new(from, sizeof *k);
    if (k) {
        atomic_init(&k->references, 1);
        k->kind = kind;
        k->args = memory_array(from, count, sizeof *k->args);
        k->gradient_of = memory_array(from, count, sizeof *k->gradient_of);
    }
    bool complete = k && k->args && k->gradient_of;
    if (!complete) *status = ACTC_E_MEMORY;
    while (complete && k->nargs < count) complete = read_argument(r, from, k, status);
    if (complete) return k;
    if (k) kernel_free(k);
    return NULL;
}

static bool find_entries(const Code *code, const Bytes *object, const Symbol *symbol,
                         actc_kernel *k) {
    char name[512];
    if (symbol->length + 7 > sizeof name) return false;
    memcpy(name, symbol->name, symbol->length);
    name[symbol->length] = '\0';
    return code_entries(code, object, name, symbol->with_entry, k);
}

actc_status record_read(actc_context *ctx, const char *record, size_t size, actc_kernel **kernels,
                        size_t n, bool *found) {
    Reader r = {record, size, false};
    actc_status status = ACTC_OK;
    Code *code = NULL;
    size_t done = 0;
    *found = false;
    Symbol *symbols = memory_array(&ctx->allocator, n, sizeof *symbols);
    if (!symbols) return ACTC_E_MEMORY;
    if (take_number(&r) != n) r.bad = true;
    while (done < n && !r.bad) {
        kernels[done] = read_kernel(&r, &ctx->allocator, &symbols[done], &status);
        if (!kernels[done]) break;
        done++;
    }
    const size_t length = take_number(&r);
    const char *data = take(&r, length);
    bool complete = done == n && data && !r.left && status == ACTC_OK;
    if (complete) {
        const Bytes object = {(char *)(uintptr_t)data, length};
        code = code_new(ctx);
        if (!code) status = ACTC_E_MEMORY;
        complete = code && code_load(code, &object, true) == NULL;
        for (size_t i = 0; i < n && complete; i++)
            complete = find_entries(code, &object, &symbols[i], kernels[i]);
    }
    for (size_t i = 0; i < done; i++) {
        if (complete) {
            kernels[i]->code = code_retain(code);
        } else {
            kernel_free(kernels[i]);
            kernels[i] = NULL;
        }
    }
    code_release(code);
    memory_free(symbols);
    *found = complete;
    return status;
}
