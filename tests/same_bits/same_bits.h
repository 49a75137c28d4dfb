/* The same bits everywhere (docs/architecture.md): every kernel of the library, built in every way,
 * on the same inputs.
 *
 * One program, driver.c, is linked with each build of the kernels: those of the JIT (jit.c),
 * objects, and the emitted C by several compilers for several processors. It prints hashes of the
 * results; check.sh compares them with the JIT's. */
#ifndef SAME_BITS_H
#define SAME_BITS_H

#include <stddef.h>
#include <stdint.h>

enum { MOST_ARRAYS = 8 };

typedef struct Row {
    const char *name;  /* the C function's */
    size_t size;       /* of an element, in bytes */
    unsigned mantissa; /* bits of it that are not sign and exponent */
    const char *roles; /* one letter for each array: i input, c cotangent, o output */
    void (*call)(const struct Row *row, size_t n, void *const *arrays);
    void (*function)(void); /* for `call`, if it needs to know */
} Row;

/* The exponent's bits of 1. */
static inline uint64_t row_bias(const Row *row) {
    return (UINT64_C(1) << (8 * row->size - 2 - row->mantissa)) - 1;
}
static inline uint64_t row_infinity(const Row *row) {
    return (2 * row_bias(row) + 1) << row->mantissa;
}

/* ---- driver.c ---- */

/* hash SAMPLES [NAME…]      a line `name block hash` for each block of 2^SAMPLES elements of each
 * kernel dump SAMPLES NAME BLOCK   the elements of a block, all arrays in hexadecimal edges short
 * lengths, ends of memory, outputs in place of inputs SAMPLES is 16 to 24, or `all`: every f32.
 * Returns the program's status. */
int driver_main(int argc, char **argv, const Row *rows, size_t count);

/* ---- samples.c ---- */

enum { ALL_PATTERNS = 32 };

/* Fills `out` with n values of the row's type, elements `first`… of 2^samples; `array` tells apart
 * several arrays of the same role. Of halves all 2^16 are among the first 2^16. Integer arithmetic
 * only, so that every machine makes the same ones. */
void sample_inputs(unsigned samples, const Row *row, unsigned array, uint64_t first, size_t n,
                   void *out);
void sample_cotangents(const Row *row, unsigned array, uint64_t first, size_t n, void *out);

#endif
