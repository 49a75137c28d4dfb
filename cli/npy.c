/* .npy in and out. The header is a Python dict in text, so it is parsed as one: nothing in it is
 * trusted, and each refusal says what was found. */
#include "npy.h"

#include "half.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[6] = "\x93NUMPY";

/* NumPy refuses headers of more than 10,000 bytes; nothing that we take is near that. */
enum { MAX_HEADER = 1 << 16, DATA_ALIGN = 64, HEADER_ALIGN = 64, LARGE_PAGE = 1 << 21 };

/* NumPy has no bf16; its bits are stored as unsigned integers. */
static const struct {
    const char *name, *descr;
    size_t size;
} dtypes[] = {[ACTC_F32] = {"f32", "f4", 4},
              [ACTC_F64] = {"f64", "f8", 8},
              [ACTC_F16] = {"f16", "f2", 2},
              [ACTC_BF16] = {"bf16", "u2", 2}};

enum { DTYPES = sizeof dtypes / sizeof *dtypes };

#define TAKEN "f32 ('<f4'), f64 ('<f8'), f16 ('<f2') and bf16 (its bits, '<u2')"

size_t npy_dtype_size(actc_dtype dtype) { return dtypes[dtype].size; }

const char *npy_dtype_name(actc_dtype dtype) { return dtypes[dtype].name; }

static bool machine_is_little(void) {
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

void npy_shape_text(const NpyHeader *h, char *out, size_t size) {
    size_t n = (size_t)snprintf(out, size, "(");
    for (int i = 0; i < h->ndim && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%" PRId64, i ? ", " : "", h->shape[i]);
    if (n < size) snprintf(out + n, size - n, h->ndim == 1 ? ",)" : ")");
}

bool npy_count(NpyHeader *h) {
    /* As NumPy: the other sizes must make sense even where one is 0. */
    uint64_t count = 1;
    int longer = 0;
    bool empty = false;
    for (int i = 0; i < h->ndim; i++) {
        const uint64_t n = (uint64_t)h->shape[i];
        longer += n > 1;
        if (n == 0)
            empty = true;
        else if (count > (uint64_t)PTRDIFF_MAX / npy_dtype_size(h->dtype) / n)
            return false;
        else
            count *= n;
    }
    h->count = empty ? 0 : (size_t)count;
    if (empty || longer < 2) h->fortran = false;
    return true;
}

/* ---- the header's text ---- */

typedef struct {
    const char *at, *end;
    IoError *error;
} Parser;

static bool refuse(Parser *p, const char *what) {
    return io_fail(p->error, false, "its header is broken: %s", what);
}

static void skip_space(Parser *p) {
    while (p->at < p->end && *p->at && strchr(" \t\r\n\f", *p->at)) p->at++;
}

/* The next character that is no space, not taken; 0 at the end. */
static char peek(Parser *p) {
    skip_space(p);
    return p->at < p->end ? *p->at : '\0';
}

static bool take(Parser *p, char c) {
    if (peek(p) != c || p->at == p->end) return false;
    p->at++;
    return true;
}

/* A string without escapes; what stands in a header that we accept has none. */
static bool parse_string(Parser *p, char *out, size_t size) {
    if (peek(p) == 'u' || peek(p) == 'b') p->at++;
    const char quote = p->at < p->end ? *p->at : '\0';
    if (quote != '\'' && quote != '"') return refuse(p, "a quoted string is missing");
    size_t n = 0;
    for (p->at++; p->at < p->end && *p->at != quote; p->at++) {
        if (*p->at == '\\' || *p->at == '\n') return refuse(p, "an escape in a string");
        if (n + 1 < size) out[n++] = *p->at;
    }
    out[n] = '\0';
    if (p->at == p->end) return refuse(p, "a string does not end");
    p->at++;
    return true;
}

static bool parse_bool(Parser *p, bool *out) {
    skip_space(p);
    const size_t left = (size_t)(p->end - p->at);
    if (left >= 4 && !memcmp(p->at, "True", 4))
        *out = true, p->at += 4;
    else if (left >= 5 && !memcmp(p->at, "False", 5))
        *out = false, p->at += 5;
    else
        return refuse(p, "'fortran_order' must be True or False");
    return true;
}

static bool parse_size(Parser *p, int64_t *out) {
    if (peek(p) == '-') return refuse(p, "a size in 'shape' is negative");
    if (peek(p) < '0' || peek(p) > '9') return refuse(p, "'shape' must be a tuple of integers");
    int64_t n = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        if (n > (INT64_MAX - 9) / 10) return refuse(p, "a size in 'shape' is too large");
        n = 10 * n + (*p->at - '0');
    }
    if (p->at < p->end && *p->at == 'L') p->at++; /* Python 2 wrote long integers so */
    *out = n;
    return true;
}

/* `()`, `(3,)`, `(3, 4)`, `(3, 4,)`; in Python `(3)` is no tuple. */
static bool parse_shape(Parser *p, NpyHeader *h) {
    bool comma = false;
    if (!take(p, '(')) return refuse(p, "'shape' must be a tuple of integers");
    h->ndim = 0;
    while (!take(p, ')')) {
        if (h->ndim && !comma) return refuse(p, "a ',' or ')' is missing in 'shape'");
        if (h->ndim == NPY_MAX_DIMENSIONS) return refuse(p, "more than 64 dimensions");
        if (!parse_size(p, &h->shape[h->ndim])) return false;
        h->ndim++;
        comma = take(p, ',');
    }
    if (h->ndim == 1 && !comma) return refuse(p, "'shape' must be a tuple of integers");
    return true;
}

static const char *kind_name(char kind) {
    switch (kind) {
    case 'b':
    case '?':
        return "booleans";
    case 'i':
        return "integers";
    case 'u':
        return "unsigned integers";
    case 'f':
        return "floats of this size";
    case 'c':
        return "complex numbers";
    case 'S':
    case 'a':
        return "bytes";
    case 'U':
        return "text";
    case 'V':
        return "structures";
    case 'O':
        return "Python objects";
    case 'M':
    case 'm':
        return "dates";
    default:
        return "this type";
    }
}

static bool parse_dtype(Parser *p, NpyHeader *h) {
    const char c = peek(p);
    if (c == '[' || c == '(')
        return io_fail(p->error, false, "its elements are structures; actc takes " TAKEN);
    char text[48];
    if (!parse_string(p, text, sizeof text)) return false;
    const char *s = text;
    const char order = *s && strchr("<>=|", *s) ? *s++ : '=';
    int type = 0;
    while (type < DTYPES && strcmp(s, dtypes[type].descr) != 0) type++;
    if (type == DTYPES) {
        const char *kind = kind_name(*s);
        for (char *q = text; *q; q++)
            if ((unsigned char)*q < ' ' || *q == 127) *q = '?';
        return io_fail(p->error, false, "its elements are %s ('%s'); actc takes " TAKEN, kind,
                       text);
    }
    h->dtype = (actc_dtype)type;
    h->swapped = order == (machine_is_little() ? '>' : '<');
    return true;
}

bool npy_parse_header(const char *text, size_t length, NpyHeader *out, IoError *e) {
    Parser p = {text, text + length, e};
    bool descr = false, order = false, shape = false, comma = true;
    *out = (NpyHeader){0};
    if (!take(&p, '{')) return refuse(&p, "no dict");
    while (!take(&p, '}')) {
        char key[32];
        if (!comma) return refuse(&p, "a ',' or '}' is missing");
        if (!parse_string(&p, key, sizeof key)) return false;
        if (!take(&p, ':')) return refuse(&p, "a ':' is missing");
        bool *seen, ok;
        if (!strcmp(key, "descr"))
            seen = &descr, ok = parse_dtype(&p, out);
        else if (!strcmp(key, "fortran_order"))
            seen = &order, ok = parse_bool(&p, &out->fortran);
        else if (!strcmp(key, "shape"))
            seen = &shape, ok = parse_shape(&p, out);
        else
            return refuse(&p, "a key other than 'descr', 'fortran_order' and 'shape'");
        if (!ok) return false;
        if (*seen) return refuse(&p, "a key occurs twice");
        *seen = true;
        comma = take(&p, ',');
    }
    skip_space(&p);
    if (p.at != p.end) return refuse(&p, "something follows the dict");
    if (!descr) return refuse(&p, "'descr' is missing");
    if (!order) return refuse(&p, "'fortran_order' is missing");
    if (!shape) return refuse(&p, "'shape' is missing");
    char sizes[200];
    npy_shape_text(out, sizes, sizeof sizes);
    if (!npy_count(out)) return io_fail(e, false, "its shape %s is too large for memory", sizes);
    return true;
}

/* ---- reading ---- */

/* The magic, the version, the header's length, the header. */
static bool read_header(NpyFile *f, IoError *e) {
    unsigned char start[12];
    size_t got;
    if (!io_read_some(f->fd, start, 10, &got, e)) return false;
    if (got == 0) return io_fail(e, false, "it is empty, not a .npy file");
    if (got >= 4 && !memcmp(start, "PK\3\4", 4))
        return io_fail(e, false, "it is a .npz archive; actc takes single .npy files");
    if (got < sizeof magic || memcmp(start, magic, sizeof magic) != 0)
        return io_fail(e, false, "it is not a .npy file");
    if (got < 10) return io_fail(e, false, "it is truncated in its header");
    const unsigned major = start[6], minor = start[7];
    if (major < 1 || major > 3 || minor != 0)
        return io_fail(e, false, "format version %u.%u is not known; 1.0, 2.0 and 3.0 are", major,
                       minor);
    size_t length = start[8] | (size_t)start[9] << 8;
    if (major > 1) {
        if (!io_read_some(f->fd, start + 10, 2, &got, e)) return false;
        if (got < 2) return io_fail(e, false, "it is truncated in its header");
        length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (length > MAX_HEADER)
        return io_fail(e, false, "its header of %zu bytes is too long", length);
    char *text = malloc(length + 1);
    if (!text) return io_fail(e, true, "out of memory");
    bool ok = io_read_some(f->fd, text, length, &got, e);
    if (ok && got < length) ok = io_fail(e, false, "it is truncated in its header");
    ok = ok && npy_parse_header(text, length, &f->header, e);
    free(text);
    return ok;
}

bool npy_open(NpyFile *f, const char *path, IoError *e) {
    *f = (NpyFile){.fd = !strcmp(path, "-") ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
    if (f->fd < 0) return io_fail_errno(e, "cannot open it");
    if (read_header(f, e)) return true;
    npy_close(f);
    return false;
}

void npy_close(NpyFile *f) {
    if (f->fd > STDIN_FILENO) close(f->fd);
    f->fd = -1;
}

/* Touching fresh pages costs more than any kernel; in large arrays, large pages make that cheaper.
 */
static void *alloc_bytes(size_t size) {
    const size_t align = size < 2 * LARGE_PAGE ? DATA_ALIGN : LARGE_PAGE;
    if (size > SIZE_MAX - align) return NULL;
    const size_t rounded = (size + align) / align * align;
    void *p = aligned_alloc(align, rounded);
#ifdef MADV_HUGEPAGE
    if (p && align == LARGE_PAGE) madvise(p, rounded, MADV_HUGEPAGE);
#endif
    return p;
}

void *npy_alloc(size_t count, actc_dtype dtype) {
    if (count > (size_t)PTRDIFF_MAX / npy_dtype_size(dtype)) return NULL;
    return alloc_bytes(count * npy_dtype_size(dtype));
}

static bool truncated(const NpyHeader *h, size_t have, IoError *e) {
    char shape[200];
    npy_shape_text(h, shape, sizeof shape);
    return io_fail(e, false, "it is truncated: %zu bytes for shape %s of %s, which takes %zu", have,
                   shape, npy_dtype_name(h->dtype), h->count * npy_dtype_size(h->dtype));
}

/* The bytes that a regular file has left; SIZE_MAX for what has no length. */
static size_t bytes_left(int fd) {
    struct stat s;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return SIZE_MAX;
    const off_t at = lseek(fd, 0, SEEK_CUR);
    return at < 0 ? SIZE_MAX : at >= s.st_size ? 0 : (size_t)(s.st_size - at);
}

/* All `size` bytes. A file's length is known, so room is made once; a pipe may promise much and
 * hold little, so there room grows with what came. */
static bool read_data(NpyFile *f, size_t size, void **out, IoError *e) {
    const size_t left = bytes_left(f->fd);
    if (left != SIZE_MAX && left < size) return truncated(&f->header, left, e);
    size_t room = left != SIZE_MAX || size < (1 << 24) ? size : 1 << 24;
    size_t have = 0;
    char *data = alloc_bytes(room);
    if (!data) return io_fail(e, true, "out of memory");
    for (;;) {
        size_t got;
        bool ok = io_read_some(f->fd, data + have, room - have, &got, e);
        have += got;
        if (ok && have == size) break;
        if (ok && have < room) ok = truncated(&f->header, have, e);
        char *larger = NULL;
        if (ok) {
            room = size / 2 < room ? size : 2 * room;
            larger = alloc_bytes(room);
            if (larger)
                memcpy(larger, data, have);
            else
                ok = io_fail(e, true, "out of memory");
        }
        free(data);
        if (!ok) return false;
        data = larger;
    }
    *out = data;
    return true;
}

static void swap2(void *data, size_t count) {
    uint16_t *p = data;
    for (size_t i = 0; i < count; i++) p[i] = (uint16_t)(p[i] >> 8 | p[i] << 8);
}

static void swap4(void *data, size_t count) {
    uint32_t *p = data;
    for (size_t i = 0; i < count; i++) {
        const uint32_t v = p[i];
        p[i] = v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
    }
}

static void swap8(void *data, size_t count) {
    uint64_t *p = data;
    for (size_t i = 0; i < count; i++) {
        uint64_t v = p[i];
        v = (v >> 8 & 0x00ff00ff00ff00ff) | (v & 0x00ff00ff00ff00ff) << 8;
        v = (v >> 16 & 0x0000ffff0000ffff) | (v & 0x0000ffff0000ffff) << 16;
        p[i] = v >> 32 | v << 32;
    }
}

static double get_element(const void *data, size_t i, actc_dtype type) {
    switch (type) {
    case ACTC_F32:
        return ((const float *)data)[i];
    case ACTC_F64:
        return ((const double *)data)[i];
    case ACTC_F16:
    case ACTC_BF16:
        return half_to_double(((const uint16_t *)data)[i], type);
    }
    return 0;
}

static void put_element(void *data, size_t i, actc_dtype type, double v) {
    switch (type) {
    case ACTC_F32:
        ((float *)data)[i] = (float)v;
        return;
    case ACTC_F64:
        ((double *)data)[i] = v;
        return;
    case ACTC_F16:
    case ACTC_BF16:
        ((uint16_t *)data)[i] = half_from_double(v, type);
        return;
    }
}

/* Through f64, which holds every value of every type: so each element is rounded once. */
static bool convert(void **data, size_t count, actc_dtype from, actc_dtype to, IoError *e) {
    if (from == to) return true;
    void *converted = npy_alloc(count, to);
    if (!converted) return io_fail(e, true, "out of memory");
    for (size_t i = 0; i < count; i++) put_element(converted, i, to, get_element(*data, i, from));
    free(*data);
    *data = converted;
    return true;
}

bool npy_load(NpyFile *f, actc_dtype as, void **data, IoError *e) {
    const NpyHeader *h = &f->header;
    void *read = NULL;
    if (!read_data(f, h->count * npy_dtype_size(h->dtype), &read, e)) return false;
    const size_t size = npy_dtype_size(h->dtype);
    if (h->swapped) (size == 2 ? swap2 : size == 4 ? swap4 : swap8)(read, h->count);
    if (!convert(&read, h->count, h->dtype, as, e)) {
        free(read);
        return false;
    }
    *data = read;
    return true;
}

/* ---- writing ---- */

bool npy_write(OutFile *f, const NpyHeader *h, const void *data, IoError *e) {
    char shape[NPY_MAX_DIMENSIONS * 22 + 4], header[sizeof shape + 256], first[24] = "";
    npy_shape_text(h, shape, sizeof shape);
    size_t n = 10;
    n += (size_t)snprintf(header + n, sizeof header - n,
                          "{'descr': '%c%s', 'fortran_order': %s, 'shape': %s, }",
                          machine_is_little() ? '<' : '>', dtypes[h->dtype].descr,
                          h->fortran ? "True" : "False", shape);
    /* NumPy leaves room for the growing axis to reach 21 digits, then pads to 64. */
    size_t spaces = 0;
    if (h->ndim > 0) {
        const int64_t growing = h->shape[h->fortran ? h->ndim - 1 : 0];
        spaces = 21 - (size_t)snprintf(first, sizeof first, "%" PRId64, growing);
    }
    spaces += HEADER_ALIGN - (n + spaces + 1) % HEADER_ALIGN;
    memset(header + n, ' ', spaces);
    n += spaces;
    header[n++] = '\n';
    memcpy(header, magic, sizeof magic);
    header[6] = 1;
    header[7] = 0;
    header[8] = (char)((n - 10) & 0xff);
    header[9] = (char)((n - 10) >> 8);
    return out_write(f, header, n, e) && out_write(f, data, h->count * npy_dtype_size(h->dtype), e);
}
