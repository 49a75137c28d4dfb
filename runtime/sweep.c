/* All 2^32 floats of a function of one input, in minutes.
 *
 * Each result is compared with an f64 kernel of the compiler's own form of the function (value,
 * derivative, the terms of the derivative); only what looks worse than the worst so far, or wrong
 * in kind, is examined in high precision. Why that may be believed:
 *
 * - The f64 kernel is not trusted as such. The floats are taken in segments of 2^20, 1/8 of a
 * binade; in each, SAMPLES floats (its ends among them) are examined against the formula as
 * written, and the kernel has to be right there within 2^-10 f32 ulp, its terms within some
 * percent. Where it is not, pieces of 2^14 are tried the same way, and what fails then is judged by
 * its samples alone and counted as not covered.
 * - So an error is overlooked only if f64 and f32 kernels are wrong together by more than what is
 *   reported, in a stretch of less than a piece that no sample meets and where no branch of the
 *   formula changes (kinks and roots are examined before, one by one).
 * - What is reported as largest error was examined in high precision. The true one may be larger by
 *   what the f64 kernel is off, and by MARGIN, below which records are not chased.
 *
 * Threads take segments in turn; each has an arena and an examiner of its own.
 *
 * A probe does the same with two million floats, for larger errors than a few thousand points show:
 * what it reports was examined, what the oracle alone says counts for nothing. */
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

enum {
    SEGMENT_LOG2 = 20,
    SEGMENTS = 1 << (32 - SEGMENT_LOG2),
    PIECE_LOG2 = 14,
    BLOCK = 4096,
    SAMPLES = 16,
    TRIES = 256, /* faults of one kind in a segment that are examined before the oracle decides */
    MOST_EXAMINED = 20000, /* in a segment */
    MOST_THREADS = 256,
    PROBES = 512 /* blocks */
};
static const double MARGIN = 0x1p-20, TRUST = 0x1p-10;

typedef struct {
    Sweep *sweep;
    atomic_uint next, done, running;
    atomic_bool stop, failed;
} Shared;

typedef struct {
    Shared *shared;
    Allocator from;
    Arena arena;
    jmp_buf out;
    Examiner examiner;
    Tally tallies[2];
    uint64_t uncovered, state;
    bool probing;
    unsigned examined; /* in this segment */
    unsigned tried[2][FAULT_COUNT], confirmed[2][FAULT_COUNT];
    float x[BLOCK], dy[BLOCK], result[2][BLOCK];
    double wide[BLOCK], exact[2][BLOCK], terms[BLOCK], error[BLOCK];
} Worker;

/* ---- blocks ---- */

static void call(const actc_kernel *k, size_t n, void *const *arrays) {
    const uint64_t size = n;
    kernel_call(k, &(KernelCall){.end = n, .sizes = &size, .arrays = arrays});
}

/* Results and oracle for w->x[0 … n - 1]. */
static void compute(Worker *w, size_t n) {
    const Sweep *s = w->shared->sweep;
    for (size_t i = 0; i < n; i++) w->wide[i] = (double)w->x[i];
    call(s->forward, n, (void *const[]){w->x, w->result[0]});
    call(s->backward, n, (void *const[]){w->x, w->dy, w->result[1]});
    call(s->oracle, n, (void *const[]){w->wide, w->exact[0], w->exact[1], w->terms});
}

static uint64_t bits_of(float v) {
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static float float_of(uint32_t u) {
    float v;
    memcpy(&v, &u, sizeof v);
    return v;
}

/* Errors in f32 ulp at max(|exact|, terms); NaN where either is no number. */
static void measure(const float *result, const double *exact, const double *terms, double *error,
                    size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double r = exact[i];
        double size = fabs(r);
        if (terms) size = terms[i] > size ? terms[i] : size;
        size = size > 0x1p-126 ? size : 0x1p-126;
        size = size < 0x1p127 ? size : 0x1p127;
        uint64_t u;
        memcpy(&u, &size, sizeof u);
        u = ((uint64_t)(2 * 1023 + 23) << 52) - (u & (uint64_t)0x7ff << 52); /* 1/ulp */
        double unit;
        memcpy(&unit, &u, sizeof unit);
        error[i] = fabs((double)result[i] - r) * unit;
    }
}

/* ---- judging ---- */

static const double bound = 0x1.ffffffp127; /* rounds to infinity from here on */

static Fault quick_fault(double exact, double result) {
    if (isnan(result)) return isnan(exact) ? FAULT_NONE : FAULT_NAN;
    if (isnan(exact)) return FAULT_NUMBER;
    if (fabs(exact) >= bound)
        return isinf(result) && signbit(result) == signbit(exact) ? FAULT_NONE : FAULT_NO_INFINITY;
    if (isinf(result)) return FAULT_INFINITY;
    return exact * result < 0 && fabs(exact) > 0x1p-150 ? FAULT_SIGN : FAULT_NONE;
}

/* Asks high precision about one result. */
static void examine_one(Worker *w, size_t q, uint64_t x, uint64_t result, Fault expected) {
    Tally *t = &w->tallies[q];
    double ulp;
    Fault fault;
    examine(&w->examiner, &x);
    w->examined++;
    if (expected != FAULT_NONE) w->tried[q][expected]++;
    if (!judge(&w->examiner, &x, q, result, &ulp, &fault)) return;
    if (fault != FAULT_NONE) tally_fault(t, &x, 1, result, fault);
    if (expected != FAULT_NONE && fault == expected) w->confirmed[q][expected]++;
    if (fault != FAULT_NAN && fault != FAULT_NUMBER) tally_worst(t, &x, 1, result, ulp);
}

static void judge_block(Worker *w, size_t q, size_t n) {
    Tally *t = &w->tallies[q];
    const double *exact = w->exact[q], *error = w->error;
    const float *result = w->result[q];
    measure(result, exact, q ? w->terms : NULL, w->error, n);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double e = error[i];
        if (e <= t->worst + MARGIN && !(exact[i] * (double)result[i] < 0)) {
            sum += e;
            continue;
        }
        const Fault fault = quick_fault(exact[i], (double)result[i]);
        if (fault == FAULT_NONE && !(e > t->worst + MARGIN && isfinite(e))) {
            if (isfinite(e)) sum += e;
            continue;
        }
        if ((fault == FAULT_NAN || fault == FAULT_NUMBER) && !w->probing)
            t->judged--;
        else if (isfinite(e))
            sum += e;
        const uint64_t x = bits_of(w->x[i]), bits = bits_of(result[i]);
        if (fault != FAULT_NONE && w->tried[q][fault] >= TRIES) {
            if (w->confirmed[q][fault] && !w->probing) t->faults[fault]++;
        } else if (w->examined < MOST_EXAMINED) {
            examine_one(w, q, x, bits, fault);
        }
    }
    if (w->probing) return;
    t->sum += sum;
    t->points += n;
    t->judged += n;
}

/* ---- trust ---- */

static uint32_t random_below(Worker *w, uint32_t n) {
    uint64_t z = w->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) % n);
}

static bool close_to(const Exact *e, size_t q, double quick, double terms) {
    switch (e->kind) {
    case EXACT_NONE:
        return true;
    case EXACT_UNDECIDED:
        return false;
    case EXACT_NAN:
        return isnan(quick);
    case EXACT_POLE:
        return isinf(quick);
    case EXACT_NUMBER:
        break;
    }
    const double v = mpfr_get_d(e->v, MPFR_RNDN);
    if (fabs(v) >= bound) return fabs(quick) >= bound && signbit(quick) == signbit(v);
    mpfr_srcptr size = e->v;
    if (q > 0 && e->has_scale) {
        const double scale = mpfr_get_d(e->scale, MPFR_RNDN);
        if (!(fabs(terms - scale) <= 0.05 * scale + 0x1p-149)) return false;
        if (mpfr_cmpabs(e->scale, e->v) > 0) size = e->scale;
    }
    return fabs(quick - v) <= ldexp(TRUST, (int)ulp_exponent(TYPE_F32, size));
}

/* Whether the oracle is right at samples of the 2^log2 floats from `first` on; judges them, too. */
static bool is_trusted(Worker *w, uint32_t first, int log2) {
    const uint32_t n = (uint32_t)1 << log2;
    bool trusted = true;
    for (int i = 0; i < SAMPLES; i++)
        w->x[i] = float_of(first + (i == 0 ? 0 : i == 1 ? n - 1 : random_below(w, n)));
    compute(w, SAMPLES);
    for (int i = 0; i < SAMPLES && trusted; i++) {
        const uint64_t x = bits_of(w->x[i]);
        examine(&w->examiner, &x);
        for (size_t q = 0; q < 2; q++) {
            trusted = trusted && close_to(&w->examiner.out[q], q, w->exact[q][i], w->terms[i]);
            double ulp;
            Fault fault;
            if (judge(&w->examiner, &x, q, bits_of(w->result[q][i]), &ulp, &fault) &&
                fault != FAULT_NAN && fault != FAULT_NUMBER)
                tally_worst(&w->tallies[q], &x, 1, bits_of(w->result[q][i]), ulp);
        }
    }
    return trusted;
}

/* One result, for which the oracle has nothing to say. */
static void judge_sample(Worker *w, size_t q, uint64_t x, uint64_t result) {
    double ulp = 0;
    Fault fault = FAULT_NONE;
    examine(&w->examiner, &x);
    const bool judged = judge(&w->examiner, &x, q, result, &ulp, &fault);
    if (w->examiner.out[q].kind == EXACT_UNDECIDED) tally_undecided(&w->tallies[q], &x, 1);
    tally_add(&w->tallies[q], &x, 1, result, judged, ulp, fault);
}

/* Where the oracle is not to be trusted: the samples alone. */
static void judge_samples(Worker *w, uint32_t first, int log2) {
    const uint32_t n = (uint32_t)1 << log2;
    for (int i = 0; i < SAMPLES; i++) w->x[i] = float_of(first + random_below(w, n));
    compute(w, SAMPLES);
    for (int i = 0; i < SAMPLES; i++)
        for (size_t q = 0; q < 2; q++)
            judge_sample(w, q, bits_of(w->x[i]), bits_of(w->result[q][i]));
    w->uncovered += n - SAMPLES;
}

/* ---- segments ---- */

static void sweep_floats(Worker *w, uint32_t first, int log2) {
    const uint32_t n = (uint32_t)1 << log2;
    for (uint32_t at = 0; at < n && !atomic_load(&w->shared->stop); at += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; i++) w->x[i] = float_of(first + at + i);
        compute(w, BLOCK);
        judge_block(w, 0, BLOCK);
        judge_block(w, 1, BLOCK);
    }
}

/* An infinity, and NaNs, for which NaN is right. */
static void sweep_nans(Worker *w, uint32_t first) {
    const bool depends = w->shared->sweep->subject->depends[0];
    for (uint32_t at = 0; at < (uint32_t)1 << SEGMENT_LOG2; at += BLOCK) {
        for (uint32_t i = 0; i < BLOCK; i++) w->x[i] = float_of(first + at + i);
        compute(w, BLOCK);
        for (size_t q = 0; q < 2; q++)
            for (uint32_t i = 0; i < BLOCK; i++) {
                const uint64_t x = bits_of(w->x[i]);
                if (isinf(w->x[i])) {
                    judge_sample(w, q, x, bits_of(w->result[q][i]));
                    continue;
                }
                w->tallies[q].points++;
                if (!depends || isnan(w->result[q][i])) continue;
                tally_fault(&w->tallies[q], &x, 1, bits_of(w->result[q][i]), FAULT_NUMBER);
            }
    }
}

static void sweep_segment(Worker *w, uint32_t segment) {
    const uint32_t first = segment << SEGMENT_LOG2;
    w->examined = 0;
    w->examiner.spent = 0;
    w->state = segment;
    memset(w->tried, 0, sizeof w->tried);
    memset(w->confirmed, 0, sizeof w->confirmed);
    if ((first & 0x7f800000u) == 0x7f800000u) {
        sweep_nans(w, first);
    } else if (is_trusted(w, first, SEGMENT_LOG2)) {
        sweep_floats(w, first, SEGMENT_LOG2);
    } else {
        for (uint32_t at = 0; at < (uint32_t)1 << SEGMENT_LOG2; at += (uint32_t)1 << PIECE_LOG2) {
            if (atomic_load(&w->shared->stop)) return;
            if (is_trusted(w, first + at, PIECE_LOG2))
                sweep_floats(w, first + at, PIECE_LOG2);
            else
                judge_samples(w, first + at, PIECE_LOG2);
        }
    }
}

/* Half of the floats evenly over all bits, half where functions are used. */
static void probe(Worker *w) {
    static const double ends[] = {1, 4, 16, 110};
    for (int block = 0; block < PROBES; block++) {
        for (int i = 0; i < BLOCK; i++) {
            const uint32_t u = random_below(w, UINT32_MAX);
            w->x[i] = i & 1 ? float_of(u) : (float)(ends[i / 2 % 4] * ((double)u * 0x1p-31 - 1));
            if (!isfinite(w->x[i])) w->x[i] = 1;
        }
        compute(w, BLOCK);
        judge_block(w, 0, BLOCK);
        judge_block(w, 1, BLOCK);
    }
}

static void begin_tallies(Worker *w, const Sweep *s) { /* what is no record needs no proof */
    for (size_t q = 0; q < 2; q++) {
        w->tallies[q] = (Tally){.has_worst = s->tallies[q].has_worst,
                                .worst = s->tallies[q].worst,
                                .worst_result = s->tallies[q].worst_result};
        memcpy(w->tallies[q].worst_at, s->tallies[q].worst_at, sizeof s->tallies[q].worst_at);
    }
    for (size_t i = 0; i < BLOCK; i++) w->dy[i] = 1;
}

actc_status sweep_probe(Sweep *s, const Allocator *from) {
    Shared shared = {.sweep = s};
    Worker *w = memory_new(from, sizeof *w);
    if (!w) return ACTC_E_MEMORY;
    w->shared = &shared;
    w->probing = true;
    begin_tallies(w, s);
    arena_init(&w->arena, *from, 0, &w->out);
    actc_status status = ACTC_OK;
    if (setjmp(w->out)) {
        status = ACTC_E_MEMORY;
    } else {
        examiner_make(&w->examiner, &w->arena, s->subject);
        probe(w);
    }
    arena_free(&w->arena);
    for (size_t q = 0; q < 2; q++) { /* of faults that are known already the samples tell more */
        for (int f = 0; f < FAULT_COUNT; f++)
            if (s->tallies[q].faults[f]) w->tallies[q].faults[f] = 0;
        tally_merge(&s->tallies[q], &w->tallies[q], 1);
    }
    s->probed = (uint64_t)PROBES * BLOCK;
    memory_free(w);
    return status;
}

/* The order of segments: spread over all exponents, so that the time left can be told. */
static uint32_t spread(uint32_t i) { return i * 1597u % SEGMENTS; }

static void *work(void *p) {
    Worker *w = p;
    Shared *shared = w->shared;
    arena_init(&w->arena, w->from, 0, &w->out);
    if (setjmp(w->out)) {
        atomic_store(&shared->failed, true);
        atomic_store(&shared->stop, true);
    } else {
        examiner_make(&w->examiner, &w->arena, shared->sweep->subject);
        for (uint32_t i;
             !atomic_load(&shared->stop) && (i = atomic_fetch_add(&shared->next, 1)) < SEGMENTS;) {
            sweep_segment(w, spread(i));
            atomic_fetch_add(&shared->done, 1);
        }
    }
    arena_free(&w->arena);
    compilation_forget();
    atomic_fetch_sub(&shared->running, 1);
    return NULL;
}

static void watch(Shared *shared, double start) {
    const Sweep *s = shared->sweep;
    while (atomic_load(&shared->running) > 0) {
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        const double done = (double)atomic_load(&shared->done) / SEGMENTS,
                     spent = clock_now() - start;
        if (s->progress && done < 1 && !atomic_load(&shared->stop) &&
            s->progress(s->user, done, done > 0 ? spent * (1 - done) / done : -1))
            atomic_store(&shared->stop, true);
    }
}

actc_status sweep_run(Sweep *s, const Allocator *from) {
    Shared shared = {.sweep = s};
    unsigned n = s->threads;
    if (!n) {
        const long cores = sysconf(_SC_NPROCESSORS_ONLN);
        n = cores > 0 ? (unsigned)cores : 1;
    }
    if (n > MOST_THREADS) n = MOST_THREADS;
    Worker *workers = memory_array(from, n, sizeof *workers);
    pthread_t *threads = memory_array(from, n, sizeof *threads);
    if (!workers || !threads) {
        memory_free(workers);
        memory_free(threads);
        return ACTC_E_MEMORY;
    }
    const double start = clock_now();
    unsigned started = 0;
    for (; started < n; started++) {
        Worker *w = &workers[started];
        w->shared = &shared;
        w->from = *from;
        begin_tallies(w, s);
        atomic_fetch_add(&shared.running, 1);
        if (pthread_create(&threads[started], NULL, work, w) != 0) {
            atomic_fetch_sub(&shared.running, 1);
            break;
        }
    }
    watch(&shared, start);
    for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
    s->stopped = atomic_load(&shared.done) < SEGMENTS;
    for (unsigned i = 0; i < started; i++) {
        s->uncovered += workers[i].uncovered;
        if (workers[i].examiner.most_bits > s->most_bits)
            s->most_bits = workers[i].examiner.most_bits;
        for (size_t q = 0; q < 2; q++) tally_merge(&s->tallies[q], &workers[i].tallies[q], 1);
    }
    memory_free(workers);
    memory_free(threads);
    if (atomic_load(&shared.failed)) return ACTC_E_MEMORY;
    return started ? ACTC_OK : ACTC_E_SYSTEM;
}
