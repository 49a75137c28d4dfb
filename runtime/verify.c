/* `actc_verify`: a compiled function against its formula, and what is to be said of it.
 *
 * The kernels are those that any program gets (JIT, forward, and backward with dy = 1). examine.c
 * says what is right, points.c where to look, sweep.c looks everywhere; here the parts meet, claims
 * are read, and the report is written. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime.h"

/* MOST_STEPS: operations of all slopes of an input, so that a huge formula takes seconds. */
enum { SLOPES = 500, MOST_STEPS = 200000, BETWEEN_PROGRESS = 64 };

/* ---- claims ---- */

/* What errors may be; HUGE_VAL where nothing is said. */
typedef struct {
    double value, gradient;
    const char *source; /* for the report: "claim", "--max-ulp"; NULL: none */
} Claim;

static const char *skip(const char *s) { return s + strspn(s, " \t"); }

/* A number, and perhaps the unit. */
static const char *read_ulp(const char *s, double *ulp) {
    char *end;
    s = skip(s);
    if (!strchr("0123456789.", *s) || !*s) return NULL;
    *ulp = strtod(s, &end);
    if (end == s || !isfinite(*ulp)) return NULL;
    s = skip(end);
    return strncmp(s, "ulp", 3) == 0 ? skip(s + 3) : s;
}

/* `4 ulp, gradient 6 ulp`; the words may be left out. */
static bool read_claim(const char *s, const char *end, Claim *c) {
    if (!(s = read_ulp(s, &c->value)) || s > end) return false;
    if (s == end) return true;
    if (*s != ',') return false;
    s = skip(s + 1);
    if (strncmp(s, "gradient", 8) == 0) s += 8;
    if (!(s = read_ulp(s, &c->gradient)) || s > end) return false;
    return s == end;
}

static const char *dtype_name(Type t) { return t == TYPE_F64 ? "f64" : "f32"; }

/* The line `claim: …` of a comment that is about this type; one that names no type is about all. */
static bool find_claim(const char *doc, Type type, Claim *c, const char **wrong, size_t *length) {
    for (const char *line = doc; line && *line;) {
        const size_t n = strcspn(line, "\n");
        const char *s = skip(line), *end = line + n;
        while (end > s && strchr(" \t\r.", end[-1])) end--;
        if (strncmp(s, "claim:", 6) == 0) {
            s = skip(s + 6);
            const bool typed = s + 3 <= end && (s[0] == 'f' || s[0] == 'b');
            const size_t word = strcspn(s, " \t\n");
            if (!typed || (strncmp(s, dtype_name(type), word) == 0 && word == 3)) {
                c->source = "claim";
                if (!read_claim(typed ? s + word : s, end, c)) {
                    *wrong = line;
                    *length = n;
                    return false;
                }
                return true;
            }
        }
        line += n + (line[n] != 0);
    }
    return true;
}

/* ---- a run ---- */

typedef struct {
    actc_module *module;
    const char *function;
    actc_verify_options options;
    actc_kernel *forward, *backward, *oracle;
    /* of the compilation: */
    Compilation *c;
    Subject *subject;
    Examiner examiner;
    Points points;
    Tally *tallies; /* for each quantity */
    Slopes *slopes; /* for each input */
    Claim claim;
    uint64_t uncovered, probed;
    mpfr_prec_t most_bits;
    bool swept, stopped, passed;
} Run;

static bool proceed(Run *r, double done) {
    if (r->options.progress && r->options.progress(r->options.progress_user, done, -1))
        r->stopped = true;
    return !r->stopped;
}

/* The results of both kernels at all points: out[0] values, out[1 + i] derivatives. */
static void run_kernels(Run *r, void **out) {
    Arena *arena = &r->c->arena;
    const size_t n = r->points.count, inputs = r->points.inputs,
                 size = r->subject->type == TYPE_F64 ? 8 : 4;
    void *forward[VERIFY_INPUTS + 1], *backward[2 * VERIFY_INPUTS + 1];
    for (size_t i = 0; i < inputs; i++) {
        char *a = arena_array(arena, n, size);
        for (size_t k = 0; k < n; k++) {
            const uint64_t bits = r->points.bits[k * inputs + i];
            const uint32_t half = (uint32_t)bits;
            memcpy(a + k * size, size == 8 ? (const void *)&bits : &half, size);
        }
        forward[i] = backward[i] = a;
    }
    char *dy = arena_array(arena, n, size);
    for (size_t k = 0; k < n; k++) {
        const double one = 1;
        const float one_f = 1;
        memcpy(dy + k * size, size == 8 ? (const void *)&one : &one_f, size);
    }
    for (size_t q = 0; q <= inputs; q++) out[q] = arena_array(arena, n, size);
    forward[inputs] = out[0];
    backward[inputs] = dy;
    for (size_t i = 0; i < inputs; i++) backward[inputs + 1 + i] = out[1 + i];
    const uint64_t count = n;
    kernel_call(r->forward, &(KernelCall){.end = n, .sizes = &count, .arrays = forward});
    kernel_call(r->backward, &(KernelCall){.end = n, .sizes = &count, .arrays = backward});
}

static uint64_t load(const void *array, size_t i, Type t) {
    uint64_t wide;
    uint32_t half;
    if (t == TYPE_F64) {
        memcpy(&wide, (const char *)array + 8 * i, 8);
        return wide;
    }
    memcpy(&half, (const char *)array + 4 * i, 4);
    return half;
}

static void judge_points(Run *r) {
    const Subject *s = r->subject;
    void *results[VERIFY_INPUTS + 1];
    run_kernels(r, results);
    for (size_t k = 0; k < r->points.count; k++) {
        const uint64_t *point = r->points.bits + k * s->inputs;
        if (k % BETWEEN_PROGRESS == 0 &&
            !proceed(r, r->options.exhaustive ? 0 : 0.9 * (double)k / (double)r->points.count))
            return;
        examine(&r->examiner, point);
        for (size_t q = 0; q < s->quantities; q++) {
            double ulp;
            Fault fault;
            const uint64_t result = load(results[q], k, s->type);
            const bool judged = judge(&r->examiner, point, q, result, &ulp, &fault);
            if (r->examiner.out[q].kind == EXACT_UNDECIDED)
                tally_undecided(&r->tallies[q], point, s->inputs);
            tally_add(&r->tallies[q], point, s->inputs, result, judged, ulp, fault);
        }
    }
}

static void check_slopes(Run *r) {
    const Subject *s = r->subject;
    const size_t plain = r->points.count - r->points.kinks,
                 few = MOST_STEPS / (r->examiner.exact.count + 1) + 4,
                 step = plain / (few < SLOPES ? few : SLOPES) + 1;
    for (size_t k = 0; k < r->points.count; k = k >= plain         ? k + 1
                                                : k + step < plain ? k + step
                                                                   : plain) {
        const uint64_t *point = r->points.bits + k * s->inputs;
        if (!proceed(r,
                     r->options.exhaustive ? 0 : 0.9 + 0.1 * (double)k / (double)r->points.count))
            return;
        for (size_t i = 0; i < s->inputs; i++) {
            Slopes *all = &r->slopes[i];
            double given, quotient;
            const Slope slope = examine_slope(&r->examiner, point, i, &given, &quotient);
            if (slope == SLOPE_UNKNOWN) continue;
            all->points++;
            all->kinks += slope == SLOPE_KINK;
            if (slope != SLOPE_DIFFERS) continue;
            if (all->wrong++) continue;
            memcpy(all->at, point, s->inputs * sizeof *point);
            all->given = given;
            all->quotient = quotient;
        }
    }
}

static actc_status sweep(Run *r, actc_diagnostics **diagnostics) {
    Plan *plan = subject_oracle(r->subject);
    actc_status status = kernel_of_plan(r->module, plan, &r->oracle, diagnostics);
    if (status != ACTC_OK) return status;
    Sweep s = {.subject = r->subject,
               .forward = r->forward,
               .backward = r->backward,
               .oracle = r->oracle,
               .threads = r->options.threads,
               .progress = r->options.progress,
               .user = r->options.progress_user,
               .most_bits = r->most_bits};
    if (!r->options.exhaustive) {
        for (size_t q = 0; q < 2; q++) s.tallies[q] = r->tallies[q];
        status = sweep_probe(&s, &r->module->context->allocator);
        for (size_t q = 0; q < 2; q++) r->tallies[q] = s.tallies[q];
        r->probed = s.probed;
        return status;
    }
    for (size_t q = 0; q < 2; q++) { /* everything is counted anew */
        s.tallies[q] = (Tally){.has_worst = r->tallies[q].has_worst,
                               .worst = r->tallies[q].worst,
                               .worst_result = r->tallies[q].worst_result};
        s.tallies[q].worst_at[0] = r->tallies[q].worst_at[0];
    }
    status = sweep_run(&s, &r->module->context->allocator);
    for (size_t q = 0; q < 2; q++) r->tallies[q] = s.tallies[q];
    r->uncovered = s.uncovered;
    r->most_bits = s.most_bits;
    r->stopped = s.stopped;
    r->swept = true;
    return status;
}

/* ---- the report ---- */

static void put_number(Buf *out, mpfr_srcptr v, Type type, bool exact) {
    char text[64];
    NUMBER_TEMP(rounded, 64);
    fold_decode(rounded, fold_encode(v, type), type);
    if (exact && mpfr_number_p(rounded) && !mpfr_zero_p(rounded)) {
        mpfr_snprintf(text, sizeof text, "%.*Rg", type == TYPE_F64 ? 21 : 12, v);
        buf_puts(out, text);
    } else if (mpfr_nan_p(rounded)) {
        buf_puts(out, "nan");
    } else {
        if (mpfr_signbit(rounded)) buf_putc(out, '-');
        if (mpfr_inf_p(rounded))
            buf_puts(out, "inf");
        else if (mpfr_zero_p(rounded))
            buf_putc(out, '0');
        else
            print_shortest(out, rounded, 17, type);
    }
}

/* In decimal, and where that is not plain, in hexadecimal. */
static void put_float(Buf *out, uint64_t bits, Type type) {
    NUMBER_TEMP(v, 64);
    fold_decode(v, bits, type);
    put_number(out, v, type, false);
    if (mpfr_regular_p(v) && !mpfr_integer_p(v)) buf_printf(out, " (%a)", mpfr_get_d(v, MPFR_RNDN));
}

static void put_point(Buf *out, const Subject *s, const uint64_t *point) {
    for (size_t i = 0; i < s->inputs; i++) {
        buf_printf(out, "%s%s = ", i ? ", " : "", s->written->vars[i].name);
        put_float(out, point[i], s->type);
    }
}

static void put_right(Buf *out, const Exact *e, Type type) {
    switch (e->kind) {
    case EXACT_NUMBER:
        put_number(out, e->v, type, true);
        buf_puts(out, e->at_limit ? " is the limit" : " is right");
        return;
    case EXACT_NAN:
        if (e->removable) {
            put_number(out, e->v, type, true);
            buf_puts(out, " or nan is right");
        } else {
            buf_puts(out, "nan is right");
        }
        return;
    case EXACT_POLE:
        buf_puts(out, "an infinity is right");
        return;
    case EXACT_NONE:
    case EXACT_UNDECIDED:
        buf_puts(out, "nothing is demanded");
        return;
    }
}

/* `x = 1 (…): 2, where 3 is right` */
static void put_case(Run *r, Buf *out, size_t q, const uint64_t *point, uint64_t result) {
    examine(&r->examiner, point);
    put_point(out, r->subject, point);
    buf_puts(out, ": ");
    put_float(out, result, r->subject->type);
    buf_puts(out, ", where ");
    put_right(out, &r->examiner.out[q], r->subject->type);
    buf_putc(out, '\n');
}

static const char *quantity_name(Run *r, size_t q) {
    Buf b;
    const Graph *g = r->subject->written;
    buf_init(&b, &r->c->arena);
    if (q == 0)
        buf_puts(&b, g->outs[0].name);
    else
        buf_printf(&b, "d%s/d%s", g->outs[0].name, g->vars[q - 1].name);
    return b.s;
}

static void put_ulp(Buf *out, double ulp) {
    if (ulp == 0)
        buf_putc(out, '0');
    else if (isinf(ulp))
        buf_puts(out, "infinitely many");
    else
        buf_printf(out, "%.*g", ulp < 1 ? 3 : ulp < 1000 ? 4 : 6, ulp);
}

static void put_large(Buf *out, double ulp) {
    if (isfinite(ulp) && ulp >= 1e6)
        buf_printf(out, "%.2e", ulp);
    else
        put_ulp(out, ulp);
}

static void put_tally(Run *r, Buf *out, size_t q, int width) {
    static const char *const faults[] = {
        [FAULT_NAN] = "NaN where a number is right",
        [FAULT_NUMBER] = "a number where NaN is right",
        [FAULT_INFINITY] = "infinite where a number is right",
        [FAULT_NO_INFINITY] = "not the infinity that is right",
        [FAULT_SIGN] = "of the wrong sign",
        [FAULT_KINK] = "as on the other side of a kink, a float or two away",
    };
    const Tally *t = &r->tallies[q];
    const char *name = quantity_name(r, q);
    buf_printf(out, "  %s%*s  ", name, width - (int)strlen(name), "");
    if (!t->has_worst) {
        buf_puts(out, "nothing could be judged\n");
    } else {
        put_large(out, t->worst);
        buf_puts(out, " ulp at most, ");
        put_large(out, t->judged ? t->sum / (double)t->judged : 0);
        buf_puts(out, " on average\n");
        if (t->worst > 0) {
            buf_printf(out, "  %*s  at ", width, "");
            put_case(r, out, q, t->worst_at, t->worst_result);
        }
    }
    for (int f = 0; f < FAULT_COUNT; f++) {
        if (!t->faults[f]) continue;
        buf_printf(out, "  %*s  %llu %s, as at ", width, "", (unsigned long long)t->faults[f],
                   faults[f]);
        put_case(r, out, q, t->fault_at[f], t->fault_result[f]);
    }
    if (t->undecided) {
        buf_printf(out, "  %*s  %llu not decided, as at ", width, "",
                   (unsigned long long)t->undecided);
        put_point(out, r->subject, t->undecided_at);
        buf_putc(out, '\n');
    }
}

static void put_slopes(Run *r, Buf *out) {
    const Subject *s = r->subject;
    for (size_t i = 0; i < s->inputs; i++) {
        const Slopes *all = &r->slopes[i];
        const char *name = quantity_name(r, i + 1);
        if (!all->points) {
            buf_printf(out, "  %s was not compared with difference quotients\n", name);
            continue;
        }
        if (!all->wrong) {
            buf_printf(out, "  %s is the derivative: difference quotients at %zu points agree",
                       name, all->points);
            buf_puts(out, all->kinks ? "" : "\n");
            if (all->kinks) buf_printf(out, ", at %zu of them on one side\n", all->kinks);
            continue;
        }
        buf_printf(out,
                   s->overridden
                       ? "  %s is as `grad` gives it, and not the derivative at %zu of %zu "
                         "points, as at "
                       : "  %s is NOT the derivative at %zu of %zu points, as at ",
                   name, all->wrong, all->points);
        put_point(out, s, all->at);
        buf_printf(out, ": %.9g, where the quotient is %.9g\n", all->given, all->quotient);
    }
}

static void put_claim(Run *r, Buf *out) {
    const Claim *c = &r->claim;
    double gradient = 0;
    uint64_t kinds[2] = {0, 0};
    bool judged = true;
    for (size_t q = 0; q < r->subject->quantities; q++) {
        const Tally *t = &r->tallies[q];
        if (q > 0 && t->has_worst && t->worst > gradient) gradient = t->worst;
        kinds[q > 0] += t->faults[FAULT_NAN] + t->faults[FAULT_NUMBER];
        if (q == 0 || isfinite(c->gradient)) judged = judged && t->has_worst;
    }
    if (!c->source) return;
    buf_printf(out, "  %s: %g ulp", c->source, c->value);
    if (isfinite(c->gradient)) buf_printf(out, ", gradient %g ulp", c->gradient);
    const bool value = r->tallies[0].worst <= c->value && !kinds[0],
               slope = !isfinite(c->gradient) || (gradient <= c->gradient && !kinds[1]);
    if (value && slope && judged) {
        buf_puts(out, r->stopped ? ": met so far\n" : ": met\n");
        return;
    }
    r->passed = false;
    buf_puts(out, ": NOT met");
    if (!value) {
        buf_puts(out, kinds[0] ? ", the value is wrong in kind" : ", the value has ");
        if (!kinds[0]) put_large(out, r->tallies[0].worst);
    }
    if (!slope) {
        buf_puts(out, kinds[1] ? ", the gradient is wrong in kind" : ", the gradient has ");
        if (!kinds[1]) put_large(out, gradient);
    }
    buf_putc(out, '\n');
}

static void report(Run *r, Buf *out) {
    const Subject *s = r->subject;
    const uint64_t points = r->tallies[0].points;
    int width = 0;
    for (size_t q = 0; q < s->quantities; q++)
        if ((int)strlen(quantity_name(r, q)) > width) width = (int)strlen(quantity_name(r, q));
    r->most_bits = r->examiner.most_bits > r->most_bits ? r->examiner.most_bits : r->most_bits;
    if (r->swept && !r->stopped)
        buf_printf(out, "%s, %s: all %llu floats", s->written->name, dtype_name(s->type),
                   (unsigned long long)points);
    else
        buf_printf(out, "%s, %s: %llu points", s->written->name, dtype_name(s->type),
                   (unsigned long long)points);
    if (r->probed) buf_printf(out, " and the worst of %llu more", (unsigned long long)r->probed);
    buf_printf(out, ", against the formula in up to %ld bits\n", (long)r->most_bits);
    if (r->stopped) buf_puts(out, "  stopped: what follows is what was seen until then\n");
    if (r->uncovered)
        buf_printf(out, "  %llu floats are judged by samples among them only\n",
                   (unsigned long long)r->uncovered);
    r->passed = true;
    for (size_t q = 0; q < s->quantities; q++) put_tally(r, out, q, width);
    put_slopes(r, out);
    for (size_t i = 0; i < s->inputs && !s->overridden; i++)
        r->passed = r->passed && !r->slopes[i].wrong;
    put_claim(r, out);
}

/* ---- */

static actc_status refuse(Run *r, const Subject *s, actc_diagnostics **diagnostics) {
    const Graph *g = s->written;
    for (size_t i = 0; i < g->nvars; i++)
        if (g->vars[i].kind != VAR_INPUT || g->vars[i].node->axes != AXES_REST)
            return fail(diagnostics, ACTC_E_UNSUPPORTED,
                        "'%s' has named axes or learnables; verify looks at elementwise functions",
                        g->name);
    if (s->inputs > VERIFY_INPUTS)
        return fail(diagnostics, ACTC_E_UNSUPPORTED, "'%s' has %zu inputs; verify takes up to %d",
                    g->name, s->inputs, VERIFY_INPUTS);
    if (r->options.exhaustive && s->inputs != 1)
        return fail(diagnostics, ACTC_E_UNSUPPORTED,
                    "'%s' has %zu inputs; all floats are gone through for one input only", g->name,
                    s->inputs);
    if (r->options.exhaustive && s->type != TYPE_F32)
        return fail(diagnostics, ACTC_E_UNSUPPORTED,
                    "there are 2^64 numbers in f64; all of f32 can be gone through");
    return ACTC_OK;
}

static actc_status choose_claim(Run *r, const CompileJob *job, actc_diagnostics **diagnostics) {
    r->claim = (Claim){HUGE_VAL, HUGE_VAL, NULL};
    if (r->options.claim) {
        r->claim.source = "demanded";
        if (read_claim(r->options.claim, r->options.claim + strlen(r->options.claim), &r->claim))
            return ACTC_OK;
        return fail(diagnostics, ACTC_E_ARGUMENT,
                    "'%s' is no bound; write it as 4 or 4,6: ulp of the value, of the gradient",
                    r->options.claim);
    }
    const Def *def = compile_function(job);
    const char *wrong = NULL;
    size_t length = 0;
    if (!def || find_claim(def->doc, job->type, &r->claim, &wrong, &length)) return ACTC_OK;
    return fail(diagnostics, ACTC_E_SOURCE,
                "'%s': the claim cannot be read: '%.*s'; write ## claim: 4 ulp, gradient 6 ulp",
                def->name, (int)length, wrong);
}

static actc_status run_all(Run *r, const CompileJob *job, Buf *out,
                           actc_diagnostics **diagnostics) {
    const char *internal_error;
    r->subject = subject_make(job, &internal_error);
    if (!r->subject) return compilation_failure(r->c, internal_error, diagnostics);
    const Subject *s = r->subject;
    actc_status status = refuse(r, s, diagnostics);
    if (status == ACTC_OK) status = choose_claim(r, job, diagnostics);
    if (status != ACTC_OK) return status;
    examiner_make(&r->examiner, job->arena, s);
    r->tallies = ARENA_ARRAY(job->arena, Tally, s->quantities);
    r->slopes = ARENA_ARRAY(job->arena, Slopes, s->inputs + 1);
    points_make(&r->points, job->arena, &r->examiner);
    judge_points(r);
    if (!r->stopped) check_slopes(r);
    if (!r->stopped && s->inputs == 1 && s->type == TYPE_F32) status = sweep(r, diagnostics);
    if (status == ACTC_OK) report(r, out);
    return status;
}

/* Out of memory lands here, so that the kernels of the run are released by the caller. */
static actc_status run_compilation(Run *r, char **text, actc_diagnostics **diagnostics) {
    Compilation c;
    compilation_begin(&c, r->module);
    r->c = &c;
    if (setjmp(c.out)) {
        compilation_end(&c);
        return ACTC_E_MEMORY;
    }
    const actc_kernel_options o = {.size = sizeof o,
                                   .dtype = r->options.dtype,
                                   .settings = r->options.settings,
                                   .setting_count = r->options.setting_count};
    const CompileJob job = compilation_job(&c, r->function, &o);
    Buf out;
    buf_init(&out, &c.arena);
    actc_status status = run_all(r, &job, &out, diagnostics);
    if (status == ACTC_OK) status = give_text(&r->module->context->allocator, &out, text);
    compilation_end(&c);
    return status;
}

static actc_status compile_both(Run *r, actc_diagnostics **diagnostics) {
    actc_kernel_options forward = {.size = sizeof forward,
                                   .dtype = r->options.dtype,
                                   .settings = r->options.settings,
                                   .setting_count = r->options.setting_count};
    actc_kernel_options backward = forward;
    backward.kind = ACTC_BACKWARD;
    const actc_request requests[] = {{r->function, &forward}, {r->function, &backward}};
    actc_kernel *kernels[2] = {NULL, NULL};
    const actc_status status = actc_kernels_compile(r->module, requests, 2, kernels, diagnostics);
    r->forward = kernels[0];
    r->backward = kernels[1];
    return status;
}

actc_status actc_verify(actc_module *module, const char *function,
                        const actc_verify_options *options, actc_verification *result, char **text,
                        actc_diagnostics **diagnostics) {
    if (diagnostics) *diagnostics = NULL;
    if (text) *text = NULL;
    if (result) *result = (actc_verification){0};
    if (!module || !function || !text)
        return fail(diagnostics, ACTC_E_ARGUMENT, "actc_verify: an argument is NULL");
    if (options && options->size < sizeof options->size)
        return fail(diagnostics, ACTC_E_ARGUMENT,
                    "verify options: size is not sizeof(actc_verify_options)");
    Run r = {.module = module, .function = function, .options = {.size = sizeof r.options}};
    if (options)
        memcpy(&r.options, options,
               options->size < sizeof r.options ? options->size : sizeof r.options);
    actc_status status = compile_both(&r, diagnostics);
    if (status == ACTC_OK) {
        if (diagnostics) { /* warnings, which the second compilation gives again */
            actc_diagnostics_release(*diagnostics);
            *diagnostics = NULL;
        }
        status = run_compilation(&r, text, diagnostics);
    }
    if (status == ACTC_OK && result) {
        result->passed = r.passed;
        result->complete = !r.stopped;
    }
    actc_kernel_release(r.forward);
    actc_kernel_release(r.backward);
    actc_kernel_release(r.oracle);
    return status;
}
