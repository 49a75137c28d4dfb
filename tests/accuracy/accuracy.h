/* Are the elementary functions as exact as ir/expand claims? The parts of the program, in the order
 * in which data flows; main.c says how it is called. */
#ifndef ACTC_TESTS_ACCURACY_H
#define ACTC_TESTS_ACCURACY_H

#include <stdio.h>

#include "actc.h"
#include "ir.h"

/* ---- claims.c: what is claimed ---- */

typedef struct {
    char name[32];
    Type type;
    double ulp;
    bool exhaustive; /* else the largest error observed */
} Claim;

/* Reads every `claim: NAME TYPE max ULP ulp, exhaustive|observed` of the C files in a folder. */
void claims_read(const char *folder);
/* The claim about an operation, or NULL. What is rounded once needs no words: sqrt, floor, abs, …
 */
const Claim *claims_find(Op op, Type type);
/* Whether an operation is a function that claims are about. */
bool claims_concern(Op op);

/* ---- reference.c: what is right ---- */

enum { REFERENCE_BITS = 160 };

/* op(x, y) in MPFR, at r's precision. */
void reference(Op op, mpfr_ptr r, mpfr_srcptr x, mpfr_srcptr y);
/* |y - r| in ulp of r, a subnormal's the subnormal step; a NaN meets a NaN, a zero has its sign,
 * and beyond the largest number an infinity counts as the next power of two. Infinity where y is
 * altogether wrong. */
double error_in_ulp(mpfr_srcptr r, double y, Type type);
/* The same for encoded arguments and an encoded result. */
double error_at(Op op, Type type, uint64_t x, uint64_t y, uint64_t result);
double decode(uint64_t bits, Type type);
uint64_t encode(double v, Type type);

/* ---- samples.c: where to look ---- */

enum { SAMPLES_FIRST = 4096 };

/* The i-th pair of arguments (y for binary operations only): recorded hard cases, edges and all
 * pairs of them, then arguments of all exponents, where the functions are used, and where they are
 * hard. The same for each run. */
void sample(Op op, Type type, uint64_t i, uint64_t *x, uint64_t *y);
/* How many of them are not random. */
uint64_t samples_fixed(Op op, Type type);
/* Reads recorded cases, lines `NAME TYPE X [Y]`; appends one that is not there yet. */
void samples_read(const char *path);
void samples_record(const char *path, Op op, Type type, uint64_t x, uint64_t y);

/* ---- kernels.c: what is judged ---- */

typedef void Unary32(size_t n, const float *x, float *y);

typedef struct {
    actc_context *context;
    actc_module *module;
    void *library; /* the emitted C, compiled; NULL: not wanted */
} Kernels;

/* All functions, compiled by the JIT on demand, and by `cc` as C where that is not NULL. */
void kernels_open(Kernels *k, const char *cc);
void kernels_close(Kernels *k);
actc_function *kernels_jit(const Kernels *k, Op op, Type type);
actc_function *kernels_c(const Kernels *k, Op op);

/* ---- sampled.c: some arguments, judged by MPFR ---- */

typedef struct {
    double worst; /* ulp */
    uint64_t x, y;
    uint64_t samples;
} Sampled;

/* `function` NULL: the expansion is evaluated operation by operation as every backend must. Else
 * the kernel is judged, by that many threads. */
Sampled sampled_measure(Op op, Type type, uint64_t n, actc_function *function, unsigned threads);
/* A hash of an f32 function's results at the first SAMPLES_FIRST arguments: tells whether an
 * expansion is still what was certified. */
uint32_t sampled_fingerprint(Op op, actc_function *function);

/* ---- wide.c, oracle.c: what is right, fast ---- */

enum { BLOCK = 2048 };

typedef struct {
    Op op;
    /* r = f(x) for n <= BLOCK finite arguments; t is room for n numbers. */
    void (*f)(size_t n, const double *x, double *r, double *t);
    int bound;          /* log2 of the relative error that f may have */
    double from, to;    /* the domain: NaN outside */
    double least, most; /* beyond these f is taken at them: the result is out of f32's range, or
                           nearer to the limit than `bound` */
    int parity;         /* 1 even, -1 odd, 0 neither */
    int left, right;    /* as |x| grows: 1 f rises, -1 it falls, 0 neither */
} Oracle;

/* NULL: there is none. */
const Oracle *oracle_find(Op op);
/* f at n floats that ascend or descend; NaN outside the domain and for NaN. */
void oracle_apply(const Oracle *o, size_t n, const float *x, double *r, double *room);

/* ---- judge.c: a block of results ---- */

/* For each y its error in ulp of r, at most `2^bound` of r too small; 0 where both are NaN,
 * infinity where signs differ, NaN where one is NaN. Returns the largest; infinity for a NaN. */
double judge(size_t n, const float *y, const double *r, int bound, double *error);
/* How many of n results differ in bits, all NaNs alike, when `flip` is applied to the second. */
size_t judge_differing(size_t n, const float *a, const float *b, uint32_t flip);
/* How many of the n - 1 steps go against the direction; how many results are outside [lo, hi]; how
 * many equal v. */
size_t judge_steps_back(size_t n, const float *y, int direction);
size_t judge_outside(size_t n, const float *y, float lo, float hi);
size_t judge_equal(size_t n, const float *y, float v);

/* ---- sweep.c: all 2^32 floats ---- */

typedef struct {
    uint64_t checked; /* floats */
    double worst;     /* ulp, by MPFR; no other is larger by more than the oracle's bound */
    uint32_t worst_x;
    uint64_t exceeded; /* beyond the claim */
    uint64_t decided;  /* by MPFR, where the oracle could not */
    uint64_t unlike;   /* the JIT's bits and the C's differ */
    uint64_t asymmetric;
    uint64_t outside;     /* beyond f(0) or f(±infinity), where f is monotone */
    uint64_t unsaturated; /* arguments at which f has left its limit again */
    uint64_t back;        /* steps against the direction of a monotone f: for information */
    uint64_t audited;     /* arguments at which the oracle was compared with MPFR */
    double oracle_error;  /* the largest relative error of the oracle there */
    uint32_t exceeded_x, unlike_x, asymmetric_x, outside_x; /* one of each */
    bool oracle_is_wrong, interrupted;
    double seconds;
} Sweep;

/* Of each 2^part blocks of floats one is swept; c may be NULL. */
Sweep sweep_run(const Oracle *o, double claim, Unary32 *jit, Unary32 *c, unsigned threads,
                unsigned part);
/* Whether it came to its end and nothing was wrong. */
bool sweep_is_good(const Sweep *s);
/* Lets Ctrl-C end the sweep that runs; whether it did. */
void sweep_catch_interrupt(void);
bool sweep_interrupted(void);

/* ---- table.c: the tables of docs/numerics.md ---- */

/* A table stands between `<!-- NAME: begin -->` and `<!-- NAME: end -->`, its rows in the order of
 * ops.def. A row begins with `| FUNCTION | TYPE |`; the others of the table stay as they are. */
void table_put(const char *path, const char *table, Op op, Type type, const char *row);
/* Copies the row without its first two cells; false: there is none. */
bool table_get(const char *path, const char *table, Op op, Type type, char *row, size_t size);

#endif
