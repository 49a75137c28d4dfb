/* Some arguments, each judged by MPFR. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "accuracy.h"

enum { BATCH = 256 };

/* ---- results of the function for a batch ---- */

typedef void Unary64(size_t n, const double *x, double *y);
typedef void Binary32(size_t n, const float *x, const float *y, float *z);
typedef void Binary64(size_t n, const double *x, const double *y, double *z);

typedef struct {
    Op op;
    Type type;
    actc_function *function; /* NULL: evaluate */
    Evaluator evaluator;
} Subject;

static void prepare_evaluator(Arena *arena, Subject *s) {
    const char *name = op_info[s->op].name;
    const bool binary = op_info[s->op].nargs == 2;
    Graph *g = graph_new(arena, name, s->type);
    Node *x = graph_var(g, VAR_INPUT, "x", s->type, AXES_REST);
    Node *y = binary ? graph_var(g, VAR_INPUT, "y", s->type, AXES_REST) : NULL;
    graph_output(g, "z", graph_op(g, s->op, x, y, NULL));
    expand_graph(g);
    const char *wrong = graph_verify(g, STAGE_EXPANDED);
    if (wrong) {
        fprintf(stderr, "accuracy: %s: %s\n", name, wrong);
        exit(1);
    }
    eval_prepare(&s->evaluator, g);
}

static void call_f32(const Subject *s, size_t n, const uint64_t *x, const uint64_t *y,
                     uint64_t *z) {
    float a[BATCH], b[BATCH], c[BATCH];
    for (size_t i = 0; i < n; i++) {
        const uint32_t u = (uint32_t)x[i], v = (uint32_t)y[i];
        memcpy(&a[i], &u, sizeof u);
        memcpy(&b[i], &v, sizeof v);
    }
    if (op_info[s->op].nargs == 2)
        ((Binary32 *)s->function)(n, a, b, c);
    else
        ((Unary32 *)s->function)(n, a, c);
    for (size_t i = 0; i < n; i++) {
        uint32_t u;
        memcpy(&u, &c[i], sizeof u);
        z[i] = u;
    }
}

static void call_f64(const Subject *s, size_t n, const uint64_t *x, const uint64_t *y,
                     uint64_t *z) {
    double a[BATCH], b[BATCH], c[BATCH];
    memcpy(a, x, n * sizeof *a);
    memcpy(b, y, n * sizeof *b);
    if (op_info[s->op].nargs == 2)
        ((Binary64 *)s->function)(n, a, b, c);
    else
        ((Unary64 *)s->function)(n, a, c);
    memcpy(z, c, n * sizeof *z);
}

static void call(Subject *s, size_t n, const uint64_t *x, const uint64_t *y, uint64_t *z) {
    if (s->function) {
        (s->type == TYPE_F64 ? call_f64 : call_f32)(s, n, x, y, z);
        return;
    }
    for (size_t i = 0; i < n; i++) eval_bits(&s->evaluator, (const uint64_t[]){x[i], y[i]}, &z[i]);
}

/* ---- measuring ---- */

typedef struct {
    Subject *subject;
    uint64_t total;
    atomic_uint_fast64_t next;
} Job;

typedef struct {
    Job *job;
    Sampled m;
} Worker;

static void measure_batch(Worker *w, uint64_t first, size_t n) {
    Subject *s = w->job->subject;
    uint64_t x[BATCH], y[BATCH], z[BATCH];
    for (size_t i = 0; i < n; i++) sample(s->op, s->type, first + i, &x[i], &y[i]);
    call(s, n, x, y, z);
    for (size_t i = 0; i < n; i++) {
        const double e = error_at(s->op, s->type, x[i], y[i], z[i]);
        if (!(e <= w->m.worst)) {
            w->m.worst = e;
            w->m.x = x[i];
            w->m.y = y[i];
        }
    }
}

static void *work(void *argument) {
    Worker *w = argument;
    const uint64_t total = w->job->total;
    for (uint64_t i; (i = atomic_fetch_add(&w->job->next, BATCH)) < total;)
        measure_batch(w, i, total - i < BATCH ? (size_t)(total - i) : BATCH);
    mpfr_free_cache();
    return NULL;
}

static Sampled measure(Subject *s, uint64_t n, unsigned threads) {
    enum { MOST_THREADS = 64 };
    Worker workers[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    Job job = {.subject = s, .total = n};
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    for (unsigned i = 0; i < threads; i++) {
        workers[i] = (Worker){.job = &job};
        if (i > 0 && pthread_create(&ids[i], NULL, work, &workers[i])) exit(3);
    }
    work(&workers[0]);
    Sampled m = workers[0].m;
    for (unsigned i = 1; i < threads; i++) {
        pthread_join(ids[i], NULL);
        if (workers[i].m.worst > m.worst) m = workers[i].m;
    }
    m.samples = n;
    return m;
}

Sampled sampled_measure(Op op, Type type, uint64_t n, actc_function *function, unsigned threads) {
    Subject s = {.op = op, .type = type, .function = function};
    const uint64_t all = n + samples_fixed(op, type);
    if (function) return measure(&s, all, threads);
    Arena arena;
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) exit(3);
    arena_init(&arena, allocator_libc, 0, &out_of_memory);
    prepare_evaluator(&arena, &s);
    const Sampled m = measure(&s, all, 1);
    arena_free(&arena);
    return m;
}

/* ---- fingerprints ---- */

static uint32_t hash(Subject *s) {
    uint64_t h = 0xcbf29ce484222325u;
    for (uint64_t first = 0; first < SAMPLES_FIRST; first += BATCH) {
        uint64_t x[BATCH], y[BATCH], z[BATCH];
        /* without the recorded cases, whose number grows */
        const uint64_t from = first + samples_fixed(s->op, s->type);
        for (uint64_t i = 0; i < BATCH; i++) sample(s->op, s->type, from + i, &x[i], &y[i]);
        call(s, BATCH, x, y, z);
        for (size_t i = 0; i < BATCH; i++) {
            const uint64_t bits = (z[i] & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : z[i];
            h = (h ^ bits) * 0x9e3779b97f4a7c15u;
            h ^= h >> 29;
        }
    }
    return (uint32_t)(h >> 32);
}

uint32_t sampled_fingerprint(Op op, actc_function *function) {
    Subject s = {.op = op, .type = TYPE_F32, .function = function};
    if (function) return hash(&s);
    Arena arena;
    jmp_buf out_of_memory;
    if (setjmp(out_of_memory)) exit(3);
    arena_init(&arena, allocator_libc, 0, &out_of_memory);
    prepare_evaluator(&arena, &s);
    const uint32_t h = hash(&s);
    arena_free(&arena);
    return h;
}
