/* All 2^32 floats, by several threads.
 *
 * A block of floats of ascending magnitude and their negatives go through the JIT's kernel and the
 * emitted C; their results must have the same bits. The oracle judges them, in f64. It errs a
 * little, so MPFR decides wherever an error comes so near to the claim that this could matter,
 * where a sign or a NaN differs, and about every error that is larger than any before. So no result
 * beyond the claim escapes as long as the oracle keeps its bound, which an audit looks after: MPFR
 * recomputes one argument, chosen at random, of every eighth block, where the oracle may have at
 * most a quarter of its bound.
 *
 * Demanded of the order of results, where f is monotone: on each side of 0 all results lie between
 * f(0) and f(infinity) (for asin and acos: f of the domain's end); and f, having reached this
 * limit, never leaves it. Single steps back of an ulp or so may happen between rounded results;
 * they are counted. Odd and even functions are so in every bit. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accuracy.h"

enum {
    MOST_DECIDED = 100000, /* beyond so many failures the oracle decides alone: all is wrong */
    AUDITED = 8            /* on each side of 0, one block in so many */
};

static const uint64_t all_blocks = (UINT64_C(1) << 31) / BLOCK;

/* A signal handler can reach nothing else. */
static volatile sig_atomic_t interrupted;

typedef struct {
    const Oracle *o;
    double claim;
    unsigned part;
    uint64_t blocks; /* a power of two */
    Unary32 *jit, *c;
    float end[2][2]; /* right and left of 0: f at 0 and at the limit */
    atomic_uint_fast64_t next, done;
} Job;

typedef struct {
    Job *job;
    Sweep s;
    double worst_seen; /* by the oracle */
    /* Right and left: the first magnitude at which f has its limit, and the last where not. */
    uint32_t first_at[2], last_off[2];
    /* Of one block, right and left of 0; and the next float, for the step to it. */
    float x[2][BLOCK + 1], y[2][BLOCK + 1], other[BLOCK + 1];
    double r[BLOCK], error[BLOCK], room[2 * BLOCK];
} Worker;

static uint32_t bits_of(float f) {
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

static float float_of(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* ---- errors ---- */

static void decide(Worker *w, float x, float y, double seen) {
    const Oracle *o = w->job->o;
    Sweep *s = &w->s;
    const double limit = w->job->claim;
    const bool hopeless = s->exceeded >= MOST_DECIDED;
    const double e = hopeless ? seen : error_at(o->op, TYPE_F32, bits_of(x), 0, bits_of(y));
    /* An infinite error that the oracle alone sees (the sign of a zero) is none. */
    if (seen > w->worst_seen && (isfinite(seen) || isinf(e))) w->worst_seen = seen;
    s->decided += !hopeless;
    if (!(e <= limit)) {
        s->exceeded++;
        s->exceeded_x = bits_of(x);
    }
    if (!(e <= s->worst)) {
        s->worst = e;
        s->worst_x = bits_of(x);
    }
}

static void judge_side(Worker *w, int side) {
    const Oracle *o = w->job->o;
    const double slack = ldexp(1, o->bound + 24), sure = fmax(w->job->claim - slack, 0);
    oracle_apply(o, BLOCK, w->x[side], w->r, w->room);
    const double worst = judge(BLOCK, w->y[side], w->r, o->bound, w->error);
    if (worst <= sure && worst <= w->worst_seen) return;
    for (size_t i = 0; i < BLOCK; i++)
        if (!(w->error[i] <= sure) || (w->error[i] == worst && worst > w->worst_seen))
            decide(w, w->x[side][i], w->y[side][i], w->error[i]);
}

/* Splitmix64 by Steele, Lea and Flood. */
static uint64_t mix(uint64_t x) {
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static void audit(Worker *w, int side, uint64_t block) {
    const Oracle *o = w->job->o;
    const size_t i = mix(block) % BLOCK;
    NUMBER_TEMP(x, REFERENCE_BITS);
    NUMBER_TEMP(r, REFERENCE_BITS);
    NUMBER_TEMP(d, REFERENCE_BITS);
    fold_decode(x, bits_of(w->x[side][i]), TYPE_F32);
    reference(o->op, r, x, x);
    if (!mpfr_regular_p(r) || mpfr_get_exp(r) > 129 || mpfr_get_exp(r) < -150) return;
    mpfr_set_d(d, w->r[i], MPFR_RNDN);
    mpfr_sub(d, d, r, MPFR_RNDN);
    mpfr_div(d, d, r, MPFR_RNDN);
    const double e = fabs(mpfr_get_d(d, MPFR_RNDU));
    w->s.audited++;
    if (e > w->s.oracle_error) w->s.oracle_error = e;
    if (!(e <= ldexp(0.25, o->bound))) w->s.oracle_is_wrong = true;
}

/* ---- the order of results ---- */

static void find_limit(Worker *w, int side, uint32_t first) {
    const float limit = w->job->end[side][1];
    const size_t equal = judge_equal(BLOCK, w->y[side], limit);
    if (equal > 0) {
        uint32_t i = 0;
        while (w->y[side][i] != limit) i++;
        if (first + i < w->first_at[side]) w->first_at[side] = first + i;
    }
    if (equal < BLOCK) {
        uint32_t i = BLOCK;
        while (i > 0 && (w->y[side][i - 1] == limit || isnan(w->y[side][i - 1]))) i--;
        if (i > 0 && first + i - 1 > w->last_off[side]) w->last_off[side] = first + i - 1;
    }
}

static void check_order(Worker *w, int side, uint32_t first) {
    const int direction = side ? w->job->o->left : w->job->o->right;
    if (direction == 0) return;
    const float *end = w->job->end[side];
    const float lo = direction > 0 ? end[0] : end[1], hi = direction > 0 ? end[1] : end[0];
    const size_t outside = judge_outside(BLOCK, w->y[side], lo, hi);
    w->s.back += judge_steps_back(BLOCK + 1, w->y[side], direction);
    w->s.outside += outside;
    for (size_t i = 0; outside && i < BLOCK; i++)
        if (w->y[side][i] < lo || w->y[side][i] > hi) w->s.outside_x = bits_of(w->x[side][i]);
    find_limit(w, side, first);
}

/* ---- one block ---- */

static uint32_t first_unlike(const float *a, const float *b, uint32_t flip) {
    size_t i = 0;
    while (judge_differing(1, a + i, b + i, flip) == 0) i++;
    return (uint32_t)i;
}

static void sweep_block(Worker *w, uint64_t block) {
    const Job *job = w->job;
    const uint32_t first = (uint32_t)(block * BLOCK), sign = 0x80000000u;
    for (uint32_t i = 0; i <= BLOCK; i++) {
        /* Behind the last float comes a NaN, not zero. */
        const uint32_t u = first + i < sign ? first + i : sign - 1;
        w->x[0][i] = float_of(u);
        w->x[1][i] = float_of(u | sign);
    }
    for (int side = 0; side < 2; side++) {
        job->jit(BLOCK + 1, w->x[side], w->y[side]);
        if (job->c) {
            job->c(BLOCK, w->x[side], w->other);
            const size_t unlike = judge_differing(BLOCK, w->y[side], w->other, 0);
            w->s.unlike += unlike;
            if (unlike) w->s.unlike_x = bits_of(w->x[side][first_unlike(w->y[side], w->other, 0)]);
        }
        check_order(w, side, first);
    }
    const uint32_t flip = job->o->parity < 0 ? sign : 0;
    const size_t asymmetric =
        job->o->parity ? judge_differing(BLOCK, w->y[0], w->y[1], flip) : BLOCK;
    if (job->o->parity && asymmetric) {
        w->s.asymmetric += asymmetric;
        w->s.asymmetric_x = bits_of(w->x[0][first_unlike(w->y[0], w->y[1], flip)]);
    }
    judge_side(w, 0);
    if (block % AUDITED == 0) audit(w, 0, block);
    /* What mirrors the right side in every bit errs as it does. */
    if (asymmetric) judge_side(w, 1);
    if (asymmetric && block % AUDITED == 1) audit(w, 1, block);
    w->s.checked += 2 * BLOCK;
}

static void *work(void *argument) {
    Worker *w = argument;
    Job *job = w->job;
    for (uint64_t b; !interrupted && (b = job->next++) < job->blocks; job->done++) {
        /* far-apart blocks one after the other: the time left is then the same everywhere */
        const uint64_t k = b * 40503 % job->blocks;
        sweep_block(w, (k << job->part) + mix(k) % (UINT64_C(1) << job->part));
    }
    mpfr_free_cache();
    return NULL;
}

/* ---- all ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show_progress(const Job *job, double start) {
    const uint64_t done = job->done;
    const double spent = now() - start;
    if (!isatty(STDERR_FILENO) || done == 0 || spent < 0.5) return;
    fprintf(stderr, "\r%s f32: %d %%, %.0f s left \x1b[K", op_info[job->o->op].name,
            (int)(100 * done / job->blocks), spent * (double)(job->blocks - done) / (double)done);
}

static void merge(Sweep *into, const Sweep *s) {
#define SUM(field) into->field += s->field
#define ONE(field, of)                                                                             \
    if (s->of) into->field = s->field
    ONE(exceeded_x, exceeded);
    ONE(unlike_x, unlike);
    ONE(asymmetric_x, asymmetric);
    ONE(outside_x, outside);
    SUM(checked);
    SUM(exceeded);
    SUM(decided);
    SUM(unlike);
    SUM(asymmetric);
    SUM(outside);
    SUM(back);
    SUM(audited);
#undef SUM
#undef ONE
    if (s->worst > into->worst) {
        into->worst = s->worst;
        into->worst_x = s->worst_x;
    }
    if (s->oracle_error > into->oracle_error) into->oracle_error = s->oracle_error;
    into->oracle_is_wrong = into->oracle_is_wrong || s->oracle_is_wrong;
}

static void find_ends(Job *job) {
    for (int side = 0; side < 2; side++) {
        const float sign = side ? -1 : 1;
        const double end = side ? -job->o->from : job->o->to;
        const float at[2] = {0 * sign, sign * (isinf(end) || end <= 0 ? INFINITY : (float)end)};
        job->jit(2, at, job->end[side]);
    }
}

Sweep sweep_run(const Oracle *o, double claim, Unary32 *jit, Unary32 *c, unsigned threads,
                unsigned part) {
    enum { MOST_THREADS = 256 };
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    if (threads < 1) threads = 1;
    Job job = {.o = o, .claim = claim, .part = part, .jit = jit, .c = c};
    job.blocks = all_blocks >> part;
    find_ends(&job);
    Worker *workers = calloc(threads, sizeof *workers);
    pthread_t ids[MOST_THREADS];
    if (!workers) exit(3);
    const double start = now();
    for (unsigned i = 0; i < threads; i++) {
        workers[i].job = &job;
        workers[i].first_at[0] = workers[i].first_at[1] = UINT32_MAX;
        if (pthread_create(&ids[i], NULL, work, &workers[i])) exit(3);
    }
    while (job.done < job.blocks && !interrupted) {
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        show_progress(&job, start);
    }
    Sweep s = {0};
    uint32_t first_at[2] = {UINT32_MAX, UINT32_MAX}, last_off[2] = {0, 0};
    for (unsigned i = 0; i < threads; i++) {
        const Worker *w = &workers[i];
        pthread_join(ids[i], NULL);
        merge(&s, &w->s);
        for (int side = 0; side < 2; side++) {
            if (w->first_at[side] < first_at[side]) first_at[side] = w->first_at[side];
            if (w->last_off[side] > last_off[side]) last_off[side] = w->last_off[side];
        }
    }
    if (isatty(STDERR_FILENO)) fputs("\r\x1b[K", stderr);
    for (int side = 0; side < 2; side++)
        if ((side ? o->left : o->right) && first_at[side] < last_off[side])
            s.unsaturated += last_off[side] - first_at[side];
    s.interrupted = interrupted;
    s.seconds = now() - start;
    free(workers);
    return s;
}

bool sweep_is_good(const Sweep *s) {
    return !s->interrupted && s->exceeded == 0 && s->unlike == 0 && s->asymmetric == 0 &&
           s->outside == 0 && s->unsaturated == 0 && !s->oracle_is_wrong;
}

bool sweep_interrupted(void) { return interrupted != 0; }

static void on_interrupt(int signal) { interrupted = signal; }

void sweep_catch_interrupt(void) {
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}
