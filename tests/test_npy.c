/* cli/npy.c and cli/io.c: what is accepted, what is refused and how, and that no bytes at all crash
 * the reader. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "half.h"
#include "npy.h"

/* ---- the header's text ---- */

typedef struct {
    const char *text;
    actc_dtype dtype;
    bool fortran;
    int ndim;
    int64_t shape[4];
} Good;

static const Good good[] = {
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", ACTC_F32, false, 2, {3, 4}},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4), }   \n", ACTC_F32, true, 2, {3, 4}},
    {"{\"shape\":(3,4),\"fortran_order\":True,\"descr\":\"<f8\"}", ACTC_F64, true, 2, {3, 4}},
    {"  {  'descr'  :  '<f4'  ,\n'fortran_order'\t: False, 'shape': ( ) }",
     ACTC_F32,
     false,
     0,
     {0}},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", ACTC_F32, false, 0, {0}},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}", ACTC_F32, false, 1, {7}},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", ACTC_F32, false, 1, {0}},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 0L, 2L)}",
     ACTC_F32,
     false,
     3,
     {3, 0, 2}},
    {"{u'descr': b'<f4', 'fortran_order': False, 'shape': (1,2,3,4,)}",
     ACTC_F32,
     false,
     4,
     {1, 2, 3, 4}},
    {"{'descr': 'f4', 'fortran_order': False, 'shape': (2,)}", ACTC_F32, false, 1, {2}},
    {"{'descr': '=f8', 'fortran_order': False, 'shape': (2,)}", ACTC_F64, false, 1, {2}},
    {"{'descr': '>f2', 'fortran_order': False, 'shape': (2,)}", ACTC_F16, false, 1, {2}},
    {"{'descr': '<u2', 'fortran_order': True, 'shape': (2, 3)}", ACTC_BF16, true, 2, {2, 3}},
    {"{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", ACTC_F32, false, 1, {2}},
    /* One index that counts: both orders are the same, and C is what NumPy calls it. */
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (1, 5)}", ACTC_F32, false, 2, {1, 5}},
    {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 0, 5)}", ACTC_F32, false, 3, {2, 0, 5}},
};

START_TEST(header_good) {
    const Good *g = &good[_i];
    NpyHeader h;
    IoError e;
    ck_assert_msg(npy_parse_header(g->text, strlen(g->text), &h, &e), "%s: %s", g->text, e.text);
    ck_assert_int_eq(h.dtype, g->dtype);
    ck_assert_int_eq(h.fortran, g->fortran);
    ck_assert_int_eq(h.ndim, g->ndim);
    size_t count = 1;
    for (int i = 0; i < g->ndim; i++) {
        ck_assert_int_eq(h.shape[i], g->shape[i]);
        count *= (size_t)g->shape[i];
    }
    ck_assert_uint_eq(h.count, count);
}
END_TEST

#define SHAPE(s) "{'descr': '<f4', 'fortran_order': False, 'shape': " s "}"
#define DESCR(s) "{'descr': " s ", 'fortran_order': False, 'shape': (2,)}"

/* A header, and what stands in the refusal. */
static const char *const bad[][2] = {
    {"", "no dict"},
    {" ", "no dict"},
    {"[1, 2]", "no dict"},
    {"{", "quoted string"},
    {"{}", "'descr' is missing"},
    {"{'descr': '<f4', 'shape': (2,)}", "'fortran_order' is missing"},
    {"{'descr': '<f4', 'fortran_order': False}", "'shape' is missing"},
    {"{'fortran_order': False, 'shape': (2,)}", "'descr' is missing"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", "a key other than"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (2,)}", "occurs twice"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", "',' or '}'"},
    {"{'descr' '<f4', 'fortran_order': False, 'shape': (2,)}", "':' is missing"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", "',' or '}'"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "something follows"},
    {"{'descr': '<f4', 'fortran_order': false, 'shape': (2,)}", "True or False"},
    {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", "True or False"},
    {"{'descr", "does not end"},
    {"{'de\\x73cr': '<f4'}", "escape"},
    {"{descr: '<f4'}", "quoted string"},
    {SHAPE("(3)"), "tuple of integers"},
    {SHAPE("3"), "tuple of integers"},
    {SHAPE("[3, 4]"), "tuple of integers"},
    {SHAPE("(3.0,)"), "',' or ')'"},
    {SHAPE("(None,)"), "tuple of integers"},
    {SHAPE("(3 4)"), "',' or ')'"},
    {SHAPE("(,)"), "tuple of integers"},
    {SHAPE("(3,,4)"), "tuple of integers"},
    {SHAPE("(3,"), "tuple of integers"},
    {SHAPE("(-1,)"), "negative"},
    {SHAPE("(3, -4)"), "negative"},
    {SHAPE("(9223372036854775808,)"), "too large"},
    {SHAPE("(99999999999999999999999999999,)"), "too large"},
    {SHAPE("(9223372036854775807,)"), "too large"},
    {SHAPE("(4294967296, 4294967296)"), "too large"},
    {SHAPE("(4294967296, 0, 4294967296)"), "too large"},
    {SHAPE("(2147483648, 2147483648, 2)"), "too large"},
    {SHAPE("(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
           "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"),
     "more than 64"},
    {DESCR("'<i8'"), "integers ('<i8'); actc takes f32 ('<f4'), f64 ('<f8'), f16 ('<f2') and bf16 "
                     "(its bits, '<u2')"},
    {DESCR("'|u1'"), "unsigned integers ('|u1')"},
    {DESCR("'|b1'"), "booleans"},
    {DESCR("'<f16'"), "floats of this size ('<f16')"},
    {DESCR("'<i2'"), "integers ('<i2')"},
    {DESCR("'<u4'"), "unsigned integers ('<u4')"},
    {DESCR("'<f16'"), "floats of this size ('<f16')"},
    {DESCR("'<c8'"), "complex numbers ('<c8')"},
    {DESCR("'|O'"), "Python objects"},
    {DESCR("'<U5'"), "text"},
    {DESCR("'|S5'"), "bytes"},
    {DESCR("'<M8[ns]'"), "dates"},
    {DESCR("'|V8'"), "structures"},
    {DESCR("[('a', '<f4'), ('b', '<i4')]"), "structures"},
    {DESCR("('<f4', (2,))"), "structures"},
    {DESCR("''"), "this type"},
    {DESCR("'<'"), "this type"},
    {DESCR("'f44'"), "floats of this size"},
    {DESCR("'\x01\x1b[31m'"), "this type ('??[31m')"},
    {DESCR("4"), "quoted string"},
    {DESCR("None"), "quoted string"},
};

START_TEST(header_bad) {
    NpyHeader h;
    IoError e = {.text = ""};
    ck_assert_msg(!npy_parse_header(bad[_i][0], strlen(bad[_i][0]), &h, &e), "%s", bad[_i][0]);
    ck_assert_msg(strstr(e.text, bad[_i][1]) != NULL, "%s\n gives: %s\n expected: %s", bad[_i][0],
                  e.text, bad[_i][1]);
    ck_assert(!e.machine);
}
END_TEST

/* xorshift64; the seed is fixed, so a failure repeats. */
static uint64_t next_random(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    return *s ^= *s << 17;
}

/* Good headers, cut and with bytes exchanged, in memory of exactly their length, so that sanitizers
 * see an overrun. */
START_TEST(header_random) {
    static const char tokens[] = "{}()[]',\":<>=|fF0123456789-L TrueFalsdcop\n\0\\\x80\xff";
    uint64_t s = 20240607;
    for (int round = 0; round < 200000; round++) {
        const Good *g = &good[next_random(&s) % (sizeof good / sizeof *good)];
        size_t n = strlen(g->text);
        if (next_random(&s) % 2) n = next_random(&s) % (n + 1);
        char *text = malloc(n ? n : 1);
        memcpy(text, g->text, n);
        for (uint64_t k = next_random(&s) % 4; k && n; k--)
            text[next_random(&s) % n] = tokens[next_random(&s) % (sizeof tokens - 1)];
        NpyHeader h;
        IoError e = {.text = ""};
        if (npy_parse_header(text, n, &h, &e)) {
            ck_assert_int_ge(h.ndim, 0);
            ck_assert_uint_le(h.count, PTRDIFF_MAX / npy_dtype_size(h.dtype));
            for (int i = 0; i < h.ndim; i++) ck_assert_int_ge(h.shape[i], 0);
        } else
            ck_assert_uint_gt(strlen(e.text), 0);
        free(text);
    }
}
END_TEST

/* ---- files ---- */

static char folder[200];

static void enter_folder(void) {
    const char *temporary = getenv("TMPDIR");
    if (!temporary || strlen(temporary) > 100) temporary = "/tmp";
    snprintf(folder, sizeof folder, "%s/test_npy_XXXXXX", temporary);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void) {
    ck_assert_int_eq(chdir("/"), 0);
    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static void put_file(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

/* A file's bytes: the magic, a version, a header without padding, the elements. */
static size_t make_file(char *out, int version, const char *header, const void *data, size_t n) {
    const size_t length = strlen(header), start = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (char)version;
    out[7] = 0;
    for (size_t i = 8; i < start; i++) out[i] = (char)(length >> 8 * (i - 8) & 0xff);
    memcpy(out + start, header, length);
    memcpy(out + start + length, data, n);
    return start + length + n;
}

/* Opens and loads; the message where that fails. */
static const char *load(const char *path, actc_dtype as, NpyHeader *h, void **data, IoError *e) {
    NpyFile f;
    if (!npy_open(&f, path, e)) return e->text;
    *h = f.header;
    const bool ok = npy_load(&f, as, data, e);
    npy_close(&f);
    return ok ? NULL : e->text;
}

START_TEST(versions_and_orders) {
    static const unsigned char little[] = {0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0}; /* 1.5, -2 */
    static const unsigned char big[] = {0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0};
    static const unsigned char wide[] = {0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0};
    char bytes[512];
    NpyHeader h;
    IoError e;
    for (int version = 1; version <= 3; version++) {
        for (int order = 0; order < 3; order++) {
            const char *header = order == 0 ? "{'descr':'<f4','fortran_order':False,'shape':(2,)}"
                                 : order == 1
                                     ? "{'descr':'>f4','fortran_order':False,'shape':(2,)}"
                                     : "{'descr':'>f8','fortran_order':False,'shape':(2,)}";
            const void *data = order == 0 ? little : order == 1 ? big : wide;
            const size_t n = make_file(bytes, version, header, data, order == 2 ? 16 : 8);
            put_file("a.npy", bytes, n);
            void *p;
            ck_assert_msg(!load("a.npy", ACTC_F32, &h, &p, &e), "%s", e.text);
            ck_assert_uint_eq((uintptr_t)p % 64, 0);
            ck_assert(((float *)p)[0] == 1.5f && ((float *)p)[1] == -2.0f);
            free(p);
            ck_assert_msg(!load("a.npy", ACTC_F64, &h, &p, &e), "%s", e.text);
            ck_assert(((double *)p)[0] == 1.5 && ((double *)p)[1] == -2.0);
            free(p);
        }
    }
}
END_TEST

/* From every type to every other, rounded once: 1 + 2^-8 + 2^-30 lies above the middle between two
 * bf16, which rounding to f32 first would not know. */
START_TEST(halves) {
    static const unsigned char f16[] = {0x3e, 0x00, 0xc0, 0x00}, bf16[] = {0xc0, 0x3f, 0x00, 0xc0};
    static const double fine[2] = {1 + 0x1p-8 + 0x1p-30, 1 + 0x1p-11 + 0x1p-40};
    char bytes[512];
    NpyHeader h;
    IoError e;
    void *p;
    for (int k = 0; k < 2; k++) {
        const char *header = k ? "{'descr':'<u2','fortran_order':False,'shape':(2,)}"
                               : "{'descr':'>f2','fortran_order':False,'shape':(2,)}";
        put_file("a.npy", bytes, make_file(bytes, 1, header, k ? bf16 : f16, 4));
        for (actc_dtype as = ACTC_F32; as <= ACTC_BF16; as++) {
            ck_assert_msg(!load("a.npy", as, &h, &p, &e), "%s", e.text);
            ck_assert_int_eq(h.dtype, k ? ACTC_BF16 : ACTC_F16);
            if (as == ACTC_F32) ck_assert(((float *)p)[0] == 1.5f && ((float *)p)[1] == -2.0f);
            if (as == ACTC_F64) ck_assert(((double *)p)[0] == 1.5 && ((double *)p)[1] == -2.0);
            if (as >= ACTC_F16) {
                ck_assert_uint_eq(((uint16_t *)p)[0], as == ACTC_F16 ? 0x3e00 : 0x3fc0);
                ck_assert_uint_eq(((uint16_t *)p)[1], 0xc000);
            }
            free(p);
        }
    }
    const char *header = "{'descr':'<f8','fortran_order':False,'shape':(2,)}";
    put_file("a.npy", bytes, make_file(bytes, 1, header, fine, 16));
    ck_assert_msg(!load("a.npy", ACTC_BF16, &h, &p, &e), "%s", e.text);
    ck_assert_uint_eq(((uint16_t *)p)[0], 0x3f81);
    free(p);
    ck_assert_msg(!load("a.npy", ACTC_F16, &h, &p, &e), "%s", e.text);
    ck_assert_uint_eq(((uint16_t *)p)[1], 0x3c01);
    free(p);
}
END_TEST

/* All halves come back, and the tie behind each goes to the even one. */
START_TEST(all_halves) {
    for (actc_dtype type = ACTC_F16; type <= ACTC_BF16; type++)
        for (unsigned u = 0; u < 0x10000; u++) {
            const double v = half_to_double((uint16_t)u, type);
            const unsigned infinity = type == ACTC_F16 ? 0x7c00 : 0x7f80;
            if ((u & 0x7fff) > infinity) {
                ck_assert(v != v && (half_from_double(v, type) & 0x7fff) > infinity);
                continue;
            }
            ck_assert_uint_eq(half_from_double(v, type), u);
            if ((u & 0x7fff) + 1 >= infinity) continue;
            const double tie = v + (half_to_double((uint16_t)(u + 1), type) - v) / 2;
            ck_assert_uint_eq(half_from_double(tie, type), u + (u & 1));
            ck_assert_uint_eq(half_from_double(nextafter(tie, v), type), u);
            ck_assert_uint_eq(half_from_double(nextafter(tie, 2 * tie), type), u + 1);
        }
    ck_assert_uint_eq(half_from_double(65519.99, ACTC_F16), 0x7bff);
    ck_assert_uint_eq(half_from_double(-65520, ACTC_F16), 0xfc00);
    ck_assert_uint_eq(half_from_double(1e300, ACTC_BF16), 0x7f80);
    ck_assert_uint_eq(half_from_double(-0x1p-1074, ACTC_F16), 0x8000);
    ck_assert_uint_eq(half_from_double(0x1.8p-25, ACTC_F16), 1);
}
END_TEST

/* Every proper prefix of a file is refused with a message; with something behind it, it is taken.
 */
START_TEST(truncated) {
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    char bytes[512];
    const size_t n = make_file(
        bytes, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", data, 24);
    NpyHeader h;
    IoError e;
    void *p;
    for (size_t cut = 0; cut < n; cut++) {
        put_file("a.npy", bytes, cut);
        const char *message = load("a.npy", ACTC_F32, &h, &p, &e);
        ck_assert_msg(message != NULL, "%zu bytes of %zu were enough", cut, n);
        ck_assert(!e.machine);
        const char *expected = cut == 0 ? "empty" : cut < 6 ? "not a .npy file" : "truncated";
        ck_assert_msg(strstr(message, expected) != NULL, "%zu: %s", cut, message);
    }
    memcpy(bytes + n, "garbage", 7);
    put_file("a.npy", bytes, n + 7);
    ck_assert_msg(!load("a.npy", ACTC_F32, &h, &p, &e), "%s", e.text);
    ck_assert_mem_eq(p, data, sizeof data);
    free(p);
}
END_TEST

START_TEST(not_npy) {
    static const struct {
        const char *bytes;
        size_t n;
        const char *message;
    } cases[] = {
        {"hello world, this is text\n", 26, "not a .npy file"},
        {"PK\3\4\0\0\0\0\0\0\0\0", 12, ".npz archive"},
        {"\x93NUMPY\4\0\2\0{}", 12, "format version 4.0"},
        {"\x93NUMPY\0\0\2\0{}", 12, "format version 0.0"},
        {"\x93NUMPY\1\1\2\0{}", 12, "format version 1.1"},
        {"\x93NUMPY\1\0\xff\xff{}", 12, "truncated in its header"},
        {"\x93NUMPY\2\0\xff\xff\xff\xff{}", 14, "too long"},
        {"\x93NUMPY\1\0\0\0", 10, "no dict"},
        {"\x93NUMPX\1\0\2\0{}", 12, "not a .npy file"},
    };
    NpyHeader h;
    IoError e;
    void *p;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_file("a.npy", cases[i].bytes, cases[i].n);
        const char *message = load("a.npy", ACTC_F32, &h, &p, &e);
        ck_assert_msg(message && strstr(message, cases[i].message), "%zu: %s", i, message);
        ck_assert(!e.machine);
    }
    ck_assert_ptr_nonnull(load("missing.npy", ACTC_F32, &h, &p, &e));
    ck_assert(e.machine);
    ck_assert_ptr_nonnull(load(".", ACTC_F32, &h, &p, &e));
    ck_assert(e.machine);
}
END_TEST

/* A small file, and a pipe, that promise a terabyte: refused without making room for it. */
START_TEST(promises) {
    char bytes[512];
    const size_t n = make_file(
        bytes, 1, "{'descr':'<f4','fortran_order':False,'shape':(1048576,262144)}", "1234", 4);
    NpyHeader h;
    IoError e;
    void *p;
    put_file("a.npy", bytes, n);
    ck_assert_ptr_nonnull(load("a.npy", ACTC_F32, &h, &p, &e));
    ck_assert(!e.machine &&
              strstr(e.text, "truncated: 4 bytes for shape (1048576, 262144) of f32"));

    if (access("/dev/fd/0", F_OK) != 0) return; /* no /proc here */
    int ends[2];
    char path[32];
    ck_assert_int_eq(pipe(ends), 0);
    ck_assert_int_eq(write(ends[1], bytes, n), n);
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    ck_assert_ptr_nonnull(load(path, ACTC_F32, &h, &p, &e));
    ck_assert_msg(!e.machine && strstr(e.text, "truncated: 4 bytes"), "%s", e.text);
    close(ends[0]);
}
END_TEST

/* ---- writing ---- */

static bool write_file(const char *path, const NpyHeader *h, const void *data, IoError *e) {
    OutFile f;
    const bool ok =
        out_open(&f, path, e) && npy_write(&f, h, data, e) && out_close(&f, e) && out_commit(&f, e);
    out_end(&f);
    return ok;
}

static size_t count_files(void) {
    FILE *list = popen("ls -A | wc -l", "r");
    size_t n = 0;
    ck_assert_int_eq(fscanf(list, "%zu", &n), 1);
    pclose(list);
    return n;
}

/* The very bytes of numpy.save (NumPy 1.25 and later): shape, order, and the header as it stands
 * there. */
START_TEST(written_as_numpy) {
    static const struct {
        NpyHeader h;
        const char *dict;
        size_t total;
    } cases[] = {
        {{.ndim = 0}, "{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 128},
        {{.ndim = 1, .shape = {0}},
         "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
         128},
        {{.ndim = 1, .shape = {3}},
         "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
         128},
        {{.ndim = 2, .shape = {2, 3}},
         "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
         128},
        {{.ndim = 2, .shape = {2, 3}, .fortran = true},
         "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
         128},
        {{.ndim = 3, .shape = {3, 0, 2}, .dtype = ACTC_F64},
         "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 0, 2), }",
         128},
    };
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NpyHeader h = cases[i].h;
        IoError e;
        unsigned char bytes[512];
        ck_assert(npy_count(&h));
        ck_assert_msg(write_file("a.npy", &h, data, &e), "%s", e.text);
        FILE *f = fopen("a.npy", "rb");
        const size_t n = fread(bytes, 1, sizeof bytes, f);
        fclose(f);
        const size_t start = cases[i].total, dict = strlen(cases[i].dict);
        ck_assert_uint_eq(n, start + h.count * npy_dtype_size(h.dtype));
        ck_assert_mem_eq(bytes, "\x93NUMPY\1\0", 8);
        ck_assert_uint_eq(bytes[8] + 256u * bytes[9], start - 10);
        ck_assert_mem_eq(bytes + 10, cases[i].dict, dict);
        for (size_t k = 10 + dict; k < start - 1; k++) ck_assert_int_eq(bytes[k], ' ');
        ck_assert_int_eq(bytes[start - 1], '\n');
        ck_assert_mem_eq(bytes + start, data, n - start);
    }
}
END_TEST

START_TEST(written_and_read) {
    for (int ndim = 0; ndim <= NPY_MAX_DIMENSIONS; ndim++) {
        NpyHeader h = {.ndim = ndim, .dtype = ACTC_F64, .fortran = ndim % 2}, back;
        for (int i = 0; i < ndim; i++) h.shape[i] = i < 3 ? 2 : i == 40 ? INT64_MAX / 100 : 1;
        if (ndim > 40) h.shape[0] = 0, h.shape[1] = h.shape[2] = 1;
        double data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        IoError e;
        void *p;
        ck_assert(npy_count(&h));
        ck_assert_msg(write_file("a.npy", &h, data, &e), "%s", e.text);
        ck_assert_msg(!load("a.npy", ACTC_F64, &back, &p, &e), "%s", e.text);
        ck_assert_int_eq(back.ndim, ndim);
        ck_assert_int_eq(back.fortran, h.fortran);
        ck_assert_mem_eq(back.shape, h.shape, (size_t)ndim * sizeof h.shape[0] + !ndim);
        ck_assert_mem_eq(p, data, h.count * sizeof *data);
        free(p);
    }
}
END_TEST

START_TEST(failures_leave_nothing) {
    static const float data[2] = {1, 2};
    NpyHeader h = {.ndim = 1, .shape = {2}, .count = 2};
    IoError e;
    ck_assert(!write_file("/dev/full", &h, data, &e));
    ck_assert(e.machine && strstr(e.text, "No space left"));
    ck_assert(write_file("/dev/null", &h, data, &e));
    ck_assert(!write_file("missing/a.npy", &h, data, &e) && e.machine);
    ck_assert_int_eq(mkdir("is_a_folder", 0777), 0);
    ck_assert(!write_file("is_a_folder", &h, data, &e) && e.machine);

    /* Written but not committed: what was there stays, and no temporary is left. */
    OutFile f;
    put_file("a.npy", "before", 6);
    ck_assert(out_open(&f, "a.npy", &e) && out_write(&f, data, 8, &e));
    out_end(&f);
    ck_assert(out_open(&f, "a.npy", &e) && out_write(&f, data, 8, &e) && out_close(&f, &e));
    out_end(&f);
    char text[8] = "";
    FILE *in = fopen("a.npy", "rb");
    ck_assert_uint_eq(fread(text, 1, sizeof text, in), 6);
    fclose(in);
    ck_assert_str_eq(text, "before");
    ck_assert_uint_eq(count_files(), 2);
}
END_TEST

START_TEST(mode_and_links) {
    static const float data[2] = {1, 2};
    const NpyHeader h = {.ndim = 1, .shape = {2}, .count = 2};
    IoError e;
    struct stat s;
    const mode_t mask = umask(027);
    ck_assert_msg(write_file("a.npy", &h, data, &e), "%s", e.text);
    umask(mask);
    ck_assert_int_eq(stat("a.npy", &s), 0);
    ck_assert_int_eq(s.st_mode & 0777, 0640);
    ck_assert_int_eq(symlink("a.npy", "link.npy"), 0);
    ck_assert_msg(write_file("link.npy", &h, data, &e), "%s", e.text);
    ck_assert_int_eq(lstat("link.npy", &s), 0);
    ck_assert(S_ISLNK(s.st_mode));
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    ck_assert_msg(write_file(name, &h, data, &e), "%s", e.text);
    ck_assert_uint_eq(count_files(), 3);
}
END_TEST

START_TEST(text_limit) {
    char *text;
    size_t n;
    IoError e;
    char bytes[1000] = "";
    put_file("a.act", bytes, 1000);
    ck_assert(io_read_text("a.act", 2000, &text, &n, &e));
    ck_assert_uint_eq(n, 1000);
    free(text);
    /* no more than that is read: the caller sees that there may be more */
    ck_assert(io_read_text("a.act", 999, &text, &n, &e));
    ck_assert_uint_eq(n, 999);
    free(text);
    ck_assert(io_read_text("/dev/zero", 1 << 20, &text, &n, &e));
    ck_assert_uint_eq(n, 1 << 20);
    free(text);
    put_file("a.act", bytes, 0);
    ck_assert(io_read_text("a.act", 10, &text, &n, &e));
    ck_assert_uint_eq(n, 0);
    free(text);
    ck_assert(!io_read_text(".", 10, &text, &n, &e) && e.machine);
}
END_TEST

static TCase *file_case(const char *name) {
    TCase *c = tcase_create(name);
    tcase_add_checked_fixture(c, enter_folder, leave_folder);
    tcase_set_timeout(c, 60);
    return c;
}

int main(void) {
    Suite *suite = suite_create("npy");
    TCase *header = tcase_create("header"), *read = file_case("read"), *write = file_case("write");
    tcase_set_timeout(header, 60);
    tcase_add_loop_test(header, header_good, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(header, header_bad, 0, sizeof bad / sizeof *bad);
    tcase_add_test(header, header_random);
    tcase_add_test(read, versions_and_orders);
    tcase_add_test(read, halves);
    tcase_add_test(read, all_halves);
    tcase_add_test(read, truncated);
    tcase_add_test(read, not_npy);
    tcase_add_test(read, promises);
    tcase_add_test(read, text_limit);
    tcase_add_test(write, written_as_numpy);
    tcase_add_test(write, written_and_read);
    tcase_add_test(write, failures_leave_nothing);
    tcase_add_test(write, mode_and_links);
    suite_add_tcase(suite, header);
    suite_add_tcase(suite, read);
    suite_add_tcase(suite, write);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
