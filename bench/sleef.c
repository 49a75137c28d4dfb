/* The elementary functions by SLEEF's vectors of this machine's width; n is a multiple of 16. */
#include <immintrin.h>
#include <sleef.h>
#include <stddef.h>

#if defined __AVX512F__
enum { LANES = 16 };
#define VECTOR       __m512
#define LOAD         _mm512_loadu_ps
#define STORE        _mm512_storeu_ps
#define CALL(f, ulp) Sleef_##f##16_##ulp
#else
enum { LANES = 8 };
#define VECTOR       __m256
#define LOAD         _mm256_loadu_ps
#define STORE        _mm256_storeu_ps
#define CALL(f, ulp) Sleef_##f##8_##ulp
#endif

#define ROW(name, c, sleef, ulp, lo, hi)                                                           \
    void sleef_##name(size_t n, const float *x, float *y);                                         \
    void sleef_##name(size_t n, const float *x, float *y) {                                        \
        for (size_t i = 0; i < n; i += LANES) {                                                    \
            const VECTOR v = LOAD(x + i);                                                          \
            STORE(y + i, CALL(sleef, ulp)(v));                                                     \
        }                                                                                          \
    }
#include "elementary.def"
