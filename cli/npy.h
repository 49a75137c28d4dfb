/* NumPy's .npy files: format 1.0, 2.0 and 3.0, f32, f64, f16, and bf16 as integers of 16 bits, both
 * byte orders, C and Fortran order, any shape.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef ACTC_CLI_NPY_H
#define ACTC_CLI_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actc.h"
#include "io.h"

enum { NPY_MAX_DIMENSIONS = 64 }; /* NumPy's own limit */

typedef struct {
    actc_dtype dtype;
    bool swapped; /* the other byte order than this machine's */
    bool fortran; /* the first index runs fastest; false where that makes no difference */
    int ndim;
    int64_t shape[NPY_MAX_DIMENSIONS];
    size_t count; /* elements; their bytes fit a ptrdiff_t */
} NpyHeader;

typedef struct {
    int fd; /* -1: not open */
    NpyHeader header;
} NpyFile;

size_t npy_dtype_size(actc_dtype dtype);
const char *npy_dtype_name(actc_dtype dtype); /* "f32" */
/* "(3, 4)", as NumPy writes it. */
void npy_shape_text(const NpyHeader *h, char *out, size_t size);
/* Sets `count` from the shape, and `fortran` to false where it says nothing; false where the bytes
 * overflow. */
bool npy_count(NpyHeader *h);

/* The text behind the magic: a Python dict. */
bool npy_parse_header(const char *text, size_t length, NpyHeader *out, IoError *e);

/* Opens a file ("-": standard input) and reads its header; then npy_load reads the elements,
 * converted to `as`, into memory aligned to 64 bytes, the caller's to free(). What follows the
 * elements is ignored, as NumPy does. */
bool npy_open(NpyFile *f, const char *path, IoError *e);
bool npy_load(NpyFile *f, actc_dtype as, void **data, IoError *e);
void npy_close(NpyFile *f);

/* Room for count elements, aligned to 64 bytes, at least one byte; NULL: out of memory. */
void *npy_alloc(size_t count, actc_dtype dtype);

/* Header and elements, in this machine's byte order, the bytes that numpy.save writes. */
bool npy_write(OutFile *f, const NpyHeader *h, const void *data, IoError *e);

#endif
