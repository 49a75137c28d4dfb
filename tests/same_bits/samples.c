/* Inputs: bit patterns from all over the type.
 *
 * The first half sweeps all signs and exponents in ascending order, with evenly spread mantissas,
 * the lowest bits random, so that neighbours take the same path; subnormals, infinities and NaNs
 * are among them. The second half stays where functions have their structure, 2^-20 to 2^12, in
 * shuffled order, so that each vector is mixed; half of these are short numbers (where kinks are)
 * and what stands directly beside them. */
#include <string.h>

#include "same_bits.h"

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators. */
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint64_t pattern(unsigned samples, const Row *row, uint64_t i) {
    const size_t size = row->size;
    const unsigned width = row->mantissa, bias = (unsigned)row_bias(row);
    const unsigned exponents = 8 * (unsigned)size - width; /* bits of sign and exponent */
    if (size == 2) return (i < 65536 ? i : i * 0x9e3779b1u) & 0xffff;
    const uint64_t half = UINT64_C(1) << (samples - 1), ones = (UINT64_C(1) << width) - 1;
    if (i < half) {
        const unsigned each =
            samples - 1 - exponents; /* bits of the index that choose a mantissa */
        const uint64_t j = i & ((UINT64_C(1) << each) - 1);
        uint64_t mantissa = j << (width - each) | (mix(i) & (ones >> each));
        if (j == 0) mantissa = 0;
        if (j == (UINT64_C(1) << each) - 1) mantissa = ones;
        return i >> each << width | mantissa;
    }
    const uint64_t q = (i * 0x9e3779b1u) & (half - 1), r = mix(q + half);
    const uint64_t sign = q & 1, exponent = bias - 20 + (q >> 1) % 32;
    uint64_t bits = sign << (size * 8 - 1) | exponent << width;
    switch (r & 7) {
    case 0:
    case 1:
        return bits | (r >> 8 & 255) << (width - 8);
    case 2:
        return (bits | (r >> 8 & 255) << (width - 8)) + 1;
    case 3:
        return (bits | (r >> 8 & 255) << (width - 8)) - 1;
    default:
        return bits | (r >> 8 & ones);
    }
}

static void put(void *out, size_t size, size_t index, uint64_t bits) {
    const uint32_t narrow = (uint32_t)bits;
    const uint16_t half = (uint16_t)bits;
    if (size == 2)
        memcpy((char *)out + 2 * index, &half, 2);
    else if (size == 4)
        memcpy((char *)out + 4 * index, &narrow, 4);
    else
        memcpy((char *)out + 8 * index, &bits, 8);
}

void sample_inputs(unsigned samples, const Row *row, unsigned array, uint64_t first, size_t n,
                   void *out) {
    const uint64_t mask = (UINT64_C(1) << samples) - 1;
    for (size_t k = 0; k < n; k++) {
        /* further inputs: the same values in another order */
        const uint64_t i = array ? ((first + k) * 0x2545f491u + array) & mask : first + k;
        put(out, row->size, k, samples == ALL_PATTERNS ? i : pattern(samples, row, i));
    }
}

void sample_cotangents(const Row *row, unsigned array, uint64_t first, size_t n, void *out) {
    const size_t size = row->size;
    const unsigned width = row->mantissa;
    const uint64_t bias = row_bias(row), sign = UINT64_C(1) << (size * 8 - 1);
    const uint64_t one = bias << width, infinity = row_infinity(row);
    const uint64_t list[] = {one,
                             one,
                             one,
                             one | sign,
                             0,
                             sign,
                             infinity,
                             infinity | sign,
                             infinity | UINT64_C(1) << (width - 1),   /* NaN */
                             1,                                       /* the smallest subnormal */
                             sign | UINT64_C(0x12345) << width >> 20, /* another one */
                             UINT64_C(1) << width,                    /* the smallest normal */
                             infinity - 1,                            /* the largest */
                             (bias > 40 ? bias - 40 : bias - 8) << width | UINT64_C(3)
                                                                               << (width - 3)};
    for (size_t k = 0; k < n; k++) {
        const uint64_t r = mix((first + k) * 2 + (uint64_t)array * 0x1000000000u), choice = r % 20;
        uint64_t bits = r >> 8; /* 14, 15: any bits at all */
        if (choice < sizeof list / sizeof *list)
            bits = list[choice];
        else if (choice > 15)
            bits = (r & sign) | ((bias - 2 + choice % 4) << width) |
                   (bits & ((UINT64_C(1) << width) - 1));
        put(out, size, k, bits);
    }
}
