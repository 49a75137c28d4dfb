/* What a function is at a point, and how far a result is from that.
 *
 * The reference is the formula as written, before any rewrite, and its symbolic derivative,
 * enclosed in intervals (ir/enclose.c) of ever more bits until they are 2^-16 ulp narrow. So it is
 * right where the textbook form cancels or overflows.
 *
 * At an infinite input the mathematical limit is right. It is found by going there: TREND_STEPS
 * points, each with 1.3 times the exponent of the one before. What settles, or steadily grows or
 * shrinks, has a limit; for anything else nothing is demanded. The same way, from both sides,
 * decides what is right beside NaN where the formula is 0/0.
 *
 * An error is in units of the ulp at the exact result; of a derivative at max(|f'|, the sum of the
 * sizes of its terms), terms being those of the derivative as the compiler writes it
 * (`--stage=grad` with dy = 1): every + and - taken as + between absolute values, also inside
 * products, quotients and powers. */
#include <math.h>
#include <string.h>

#include "runtime.h"

enum {
    NARROW_BITS = 16,  /* an interval is narrow at 2^-16 ulp */
    LAST_BITS = 8192,  /* the most for a point */
    FEWER_BITS = 1024, /* … once PATIENCE points were not decided */
    PATIENCE = 64,
    LEAST_BITS = 256,
    EXACT_BITS = 192, /* of what is handed out */
    LARGE_ERROR = 64, /* in ulp: looked at again beside kinks, where it is right … */
    BESIDE_KINK = 16, /* … within this */
    SLOPE_BITS = 1024,
    SLOPE_STEP = 160, /* difference quotients: h = 2^-160 min(1, |x|) */
    TREND_STEPS = 8,
    TREND_BITS = 16384
};

/* In operations times bits: a second or so at once, a minute in all. */
static const double MOST_AT_ONCE = 1e7, MOST_SPENT = 1e9;

/* ---- formats ---- */

typedef struct {
    int precision, emin, emax;
} Format;

/* The exponent of what stands for numbers beyond every format; e^±FAR_LOG is beyond as well. */
enum { FAR = 1 << 24, FAR_LOG = 100000 };

static Format format_of(Type t) {
    return t == TYPE_F64 ? (Format){53, -1022, 1023} : (Format){24, -126, 127};
}

long ulp_exponent(Type t, mpfr_srcptr v) {
    const Format f = format_of(t);
    long e = mpfr_regular_p(v) ? (mpfr_get_exp(v) > f.emax ? f.emax : (long)mpfr_get_exp(v) - 1)
             : mpfr_inf_p(v)   ? f.emax
                               : f.emin;
    if (e < f.emin) e = f.emin;
    return e - (f.precision - 1);
}

/* Whether |v| rounds to infinity. */
static bool overflows(Type t, mpfr_srcptr v) {
    const Format f = format_of(t);
    NUMBER_TEMP(bound, 64);
    mpfr_set_ui_2exp(bound, 2, f.emax, MPFR_RNDN);
    NUMBER_TEMP(half, 64);
    mpfr_set_ui_2exp(half, 1, f.emax - f.precision, MPFR_RNDN);
    mpfr_sub(bound, bound, half, MPFR_RNDN);
    return mpfr_cmpabs(v, bound) >= 0;
}

/* ---- making a subject ---- */

/* The same graph over another type. */
static Graph *with_type(const Graph *g, Type t) {
    Graph *to = graph_new(g->arena, g->name, t);
    const bool *needed = graph_needed(g);
    Node **map = ARENA_ARRAY(g->arena, Node *, g->nnodes + 1);
    for (size_t i = 0; i < g->nvars; i++)
        map[g->vars[i].node->id] =
            graph_var(to, g->vars[i].kind, g->vars[i].name, t, g->vars[i].node->axes);
    for (size_t i = 0; i < g->nnodes; i++) {
        const Node *n = g->nodes[i];
        if (!needed[i] || map[i]) continue;
        if (n->op == OP_CONST)
            map[i] = n->num ? graph_number(to, t, n->num) : graph_bool(to, n->bits != 0);
        else
            map[i] = graph_op(to, (Op)n->op, map[n->arg[0]->id],
                              n->nargs > 1 ? map[n->arg[1]->id] : NULL,
                              n->nargs > 2 ? map[n->arg[2]->id] : NULL);
    }
    for (size_t i = 0; i < g->nouts; i++)
        graph_output(to, g->outs[i].name, map[g->outs[i].node->id]);
    return to;
}

static bool is_plain_power(const Node *n) {
    return n->op == OP_POW && node_is_const(n->arg[1]) && n->arg[1]->num &&
           mpfr_integer_p(n->arg[1]->num) && mpfr_sgn(n->arg[1]->num) > 0;
}

/* The sum of the sizes of the terms of `root`. */
static Node *terms_of(Graph *g, Node *root) {
    const size_t count = (size_t)root->id + 1;
    Node **size = ARENA_ARRAY(g->arena, Node *, count);
    bool *wanted = ARENA_ARRAY(g->arena, bool, count);
    wanted[root->id] = true;
    for (size_t i = count; i-- > 0;) {
        const Node *n = g->nodes[i];
        if (!wanted[i]) continue;
        switch ((int)n->op) {
        case OP_ADD:
        case OP_SUB:
        case OP_MUL:
        case OP_DMUL:
            wanted[n->arg[1]->id] = true;
            wanted[n->arg[0]->id] = true;
            break;
        case OP_DIV:
        case OP_NEG:
        case OP_ABS:
            wanted[n->arg[0]->id] = true;
            break;
        case OP_COND:
            wanted[n->arg[1]->id] = true;
            wanted[n->arg[2]->id] = true;
            break;
        default:
            if (is_plain_power(n)) wanted[n->arg[0]->id] = true;
        }
    }
    for (size_t i = 0; i < count; i++) {
        Node *n = g->nodes[i];
        if (!wanted[i]) continue;
        Node *a = n->nargs > 0 ? size[n->arg[0]->id] : NULL,
             *b = n->nargs > 1 ? size[n->arg[1]->id] : NULL;
        switch ((int)n->op) {
        case OP_ADD:
        case OP_SUB:
            size[i] = simplify_op(g, OP_ADD, a, b, NULL);
            break;
        case OP_MUL:
        case OP_DMUL:
            size[i] = simplify_op(g, (Op)n->op, a, b, NULL);
            break;
        case OP_DIV:
            size[i] =
                simplify_op(g, OP_DIV, a, simplify_op(g, OP_ABS, n->arg[1], NULL, NULL), NULL);
            break;
        case OP_NEG:
        case OP_ABS:
            size[i] = a;
            break;
        case OP_COND:
            size[i] = simplify_op(g, OP_COND, n->arg[0], b, size[n->arg[2]->id]);
            break;
        default:
            size[i] = is_plain_power(n) ? simplify_op(g, OP_POW, a, n->arg[1], NULL)
                                        : simplify_op(g, OP_ABS, n, NULL, NULL);
        }
    }
    return size[root->id];
}

static Node **derive_all(Graph *g, const Subject *s) {
    Node **all = ARENA_ARRAY(g->arena, Node *, s->quantities),
         **wrt = ARENA_ARRAY(g->arena, Node *, s->inputs + 1);
    all[0] = g->outs[0].node;
    for (size_t i = 0; i < s->inputs; i++) wrt[i] = g->vars[i].node;
    diff_reverse(g, all[0], wrt, all + 1, s->inputs);
    return all;
}

Subject *subject_make(const CompileJob *job, const char **internal_error) {
    Graph *g = compile_graph(job, STAGE_GRAPH, internal_error);
    if (!g) return NULL;
    Subject *s = ARENA_NEW(job->arena, Subject);
    *s = (Subject){.type = job->type, .inputs = g->nvars, .quantities = g->nvars + 1, .written = g};
    s->depends = ARENA_ARRAY(job->arena, bool, s->inputs + 1);
    s->terms = ARENA_ARRAY(job->arena, Node *, s->quantities);
    s->quick = ARENA_ARRAY(job->arena, Node *, s->quantities);
    const bool *needed = graph_needed(g);
    for (size_t i = 0; i < s->inputs; i++) s->depends[i] = needed[g->vars[i].node->id];
    for (size_t i = 0; i < g->nnodes; i++)
        s->overridden = s->overridden || (needed[i] && g->nodes[i]->op == OP_CUSTOM);
    Graph *stable = s->stable = with_type(g, TYPE_F64); /* params are rounded to `type` already */
    s->exact = derive_all(g, s);
    rewrite_graph(stable, false, NULL, NULL);
    Node **quick = derive_all(stable, s);
    stable->nouts = 0;
    for (size_t i = 0; i < s->quantities; i++) graph_output(stable, "", quick[i]);
    rewrite_graph(stable, false, NULL, NULL);
    for (size_t i = 0; i < s->quantities; i++) {
        s->quick[i] = stable->outs[i].node;
        if (i > 0) s->terms[i] = terms_of(stable, s->quick[i]);
    }
    for (size_t i = 1; i < s->quantities; i++) graph_output(stable, "", s->terms[i]);
    return s;
}

Plan *subject_oracle(const Subject *s) {
    Arena *arena = s->stable->arena;
    Graph *g = with_type(s->stable, TYPE_F64);
    limit_products(g);
    rewrite_graph(g, true, NULL, NULL);
    expand_graph(g);
    for (size_t i = 0; i < g->nouts; i++) {
        Buf name;
        buf_init(&name, arena);
        buf_printf(&name, "out%zu", i);
        g->outs[i].name = name.s;
    }
    return plan_make(g, KERNEL_FORWARD, "oracle");
}

/* ---- examiners ---- */

static void new_number(Arena *arena, mpfr_ptr v, mpfr_prec_t precision) {
    number_init(v, arena_alloc(arena, mpfr_custom_get_size(precision)), precision);
}

static Exact *new_exacts(Arena *arena, size_t n) {
    Exact *all = ARENA_ARRAY(arena, Exact, n);
    for (size_t i = 0; i < n; i++) {
        new_number(arena, all[i].v, EXACT_BITS);
        new_number(arena, all[i].scale, EXACT_BITS);
    }
    return all;
}

void examiner_make(Examiner *x, Arena *arena, const Subject *s) {
    *x = (Examiner){.subject = s};
    enclose_prepare(&x->exact, arena, s->written, s->exact, s->quantities);
    enclose_prepare(&x->value, arena, s->written, s->exact, 1);
    enclose_prepare(&x->terms, arena, s->stable, s->terms + 1, s->quantities - 1);
    mpfr_ptr *at = ARENA_ARRAY(arena, mpfr_ptr, s->inputs + 1);
    for (size_t i = 0; i < s->inputs; i++) {
        at[i] = arena_alloc(arena, sizeof *at[i]);
        new_number(arena, at[i], TREND_BITS);
    }
    x->at = at;
    x->vars = (mpfr_srcptr *)at;
    x->out = new_exacts(arena, s->quantities);
    x->steps = new_exacts(arena, s->quantities * TREND_STEPS);
}

/* ---- one point ---- */

static const Interval *found(const Encloser *e, const Node *n) { return e->values[n->id]; }

/* Whether the interval says what there is to know; then it is in *out. */
static bool decide(Type t, const Interval *i, Exact *out) {
    switch ((IntervalKind)i->kind) {
    case INTERVAL_NAN:
        out->kind = EXACT_NAN;
        return true;
    case INTERVAL_EXP: /* far beyond any format */
        if (i->sign && mpfr_cmp_si(i->lo, FAR_LOG) > 0)
            mpfr_set_si_2exp(out->v, i->sign, FAR, MPFR_RNDN);
        else if (mpfr_cmp_si(i->hi, -FAR_LOG) < 0 && i->sign == 0)
            mpfr_set_zero(out->v, 1);
        else if (mpfr_cmp_si(i->hi, -FAR_LOG) < 0)
            mpfr_set_si_2exp(out->v, i->sign, -FAR, MPFR_RNDN);
        else
            return false;
        out->kind = EXACT_NUMBER;
        return true;
    case INTERVAL_REAL:
        break;
    case INTERVAL_TRUTH:
    case INTERVAL_ANY:
        return false;
    }
    if (mpfr_inf_p(i->lo) && mpfr_equal_p(i->lo, i->hi)) {
        out->kind = EXACT_POLE;
        return true;
    }
    out->kind = EXACT_NUMBER;
    if (mpfr_sgn(i->lo) == mpfr_sgn(i->hi) && overflows(t, i->lo) && overflows(t, i->hi)) {
        mpfr_set(out->v, mpfr_sgn(i->lo) > 0 ? i->lo : i->hi, MPFR_RNDN);
        if (mpfr_inf_p(out->v)) mpfr_set_si_2exp(out->v, mpfr_sgn(i->lo), FAR, MPFR_RNDN);
        return true;
    }
    if (!mpfr_number_p(i->lo) || !mpfr_number_p(i->hi)) return false;
    NUMBER_TEMP(width, 64);
    mpfr_sub(width, i->hi, i->lo, MPFR_RNDU);
    mpfr_srcptr size = mpfr_cmpabs(i->lo, i->hi) < 0 ? i->lo : i->hi; /* the smaller ulp */
    if (out->has_scale && mpfr_cmpabs(size, out->scale) < 0) size = out->scale;
    if (!mpfr_zero_p(width) && mpfr_get_exp(width) > ulp_exponent(t, size) - NARROW_BITS)
        return false;
    mpfr_add(out->v, i->lo, i->hi, MPFR_RNDN);
    mpfr_div_2ui(out->v, out->v, 1, MPFR_RNDN);
    if (mpfr_equal_p(i->lo, i->hi)) mpfr_set(out->v, i->lo, MPFR_RNDN);
    return true;
}

/* The scales of the derivatives; a percent is good enough. */
static void find_scales(Examiner *x, Exact *out) {
    const Subject *s = x->subject;
    for (size_t q = 0; q < s->quantities; q++) out[q].has_scale = false;
    for (mpfr_prec_t p = 96; p <= 384; p *= 2) {
        bool all = true;
        enclose_at(&x->terms, x->vars, p);
        for (size_t q = 1; q < s->quantities; q++) {
            const Interval *i = found(&x->terms, s->terms[q]);
            if (out[q].has_scale || i->kind == INTERVAL_NAN) continue;
            all = false;
            if (i->kind != INTERVAL_REAL || !mpfr_number_p(i->hi) || mpfr_sgn(i->lo) < 0) continue;
            NUMBER_TEMP(twice, 64);
            mpfr_mul_d(twice, i->lo, 1.01, MPFR_RNDD);
            out[q].has_scale = mpfr_lessequal_p(i->hi, twice);
            mpfr_set(out[q].scale, i->lo, MPFR_RNDN);
        }
        if (all) return;
    }
}

/* All quantities at x->vars, which are finite. */
static void examine_numbers(Examiner *x, Exact *out, mpfr_prec_t last) {
    const Subject *s = x->subject;
    bool known[VERIFY_INPUTS + 1] = {false};
    find_scales(x, out);
    /* Neighbours need as many bits. */
    const mpfr_prec_t least = s->type == TYPE_F64 ? 128 : 96;
    mpfr_prec_t p = x->start > least ? x->start : least;
    for (int tries = 1; p <= last || tries == 1; p = p < 128 ? 256 : 2 * p, tries++) {
        bool all = true;
        if (p > last) p = last;
        enclose_at(&x->exact, x->vars, p);
        x->spent += (double)p * (double)x->exact.count;
        x->start = tries == 1 ? p / 2 : p;
        if (p > x->most_bits) x->most_bits = p;
        for (size_t q = 0; q < s->quantities; q++) {
            if (!known[q]) known[q] = decide(s->type, found(&x->exact, s->exact[q]), &out[q]);
            /* no derivative where there is no value */
            if (q > 0 && known[0] && out[0].kind != EXACT_NUMBER) {
                known[q] = true;
                out[q].kind = EXACT_NONE;
            }
            all = all && known[q];
        }
        if (all) return;
    }
    for (size_t q = 0; q < s->quantities; q++)
        if (!known[q]) out[q].kind = EXACT_UNDECIDED;
}

/* How many bits a point may take at most: fewer for formulas of thousands of operations, and once
 * many points were not decided, or much was spent. */
static mpfr_prec_t patience(const Examiner *x, mpfr_prec_t bits) {
    if (x->undecided >= PATIENCE && bits > FEWER_BITS) bits = FEWER_BITS;
    while (bits > LEAST_BITS &&
           (x->spent > MOST_SPENT || (double)bits * (double)x->exact.count > MOST_AT_ONCE))
        bits /= 2;
    return bits;
}

/* ---- limits ---- */

/* What steps[0], steps[stride], … tend to. */
static void conclude(Type t, const Exact *steps, size_t stride, Exact *out) {
    const Exact *last = &steps[(TREND_STEPS - 1) * stride], *before = last - stride;
    bool grows = true, shrinks = true;
    out->kind = EXACT_NONE;
    out->has_scale = false;
    size_t numbers = 0, nans = 0;
    for (size_t k = 0; k < TREND_STEPS; k++) {
        numbers += steps[k * stride].kind == EXACT_NUMBER;
        nans += steps[k * stride].kind == EXACT_NAN;
    }
    if (nans == TREND_STEPS) out->kind = EXACT_NAN; /* outside of where it is defined */
    if (numbers != TREND_STEPS) return;
    NUMBER_TEMP(d, 128);
    mpfr_sub(d, last->v, before->v, MPFR_RNDN);
    const bool settled = mpfr_zero_p(d) ||
                         mpfr_get_exp(d) < ulp_exponent(t, last->v) - NARROW_BITS / 2 ||
                         (overflows(t, last->v) && overflows(t, before->v) &&
                          mpfr_sgn(last->v) == mpfr_sgn(before->v));
    for (size_t k = 1; k < TREND_STEPS; k++) {
        mpfr_srcptr a = steps[(k - 1) * stride].v, b = steps[k * stride].v;
        const bool same = mpfr_sgn(a) == mpfr_sgn(b);
        mpfr_mul_d(d, a, 1.2, MPFR_RNDN);
        grows = grows && same && mpfr_cmpabs(b, d) > 0;
        mpfr_div_d(d, a, 1.2, MPFR_RNDN);
        shrinks = shrinks && mpfr_cmpabs(b, d) < 0;
    }
    if (!settled && !grows && !shrinks) return;
    out->kind = EXACT_NUMBER;
    mpfr_set(out->v, last->v, MPFR_RNDN);
    if (!settled && grows) mpfr_set_si_2exp(out->v, mpfr_sgn(last->v), FAR, MPFR_RNDN);
    if (!settled && shrinks) mpfr_set_zero(out->v, 1);
}

/* Goes to the point: infinite inputs by growing ones, or, where `side` is not 0, to the only input
 * from that side. */
static bool approach(Examiner *x, const mpfr_srcptr *to, int side, bool all) {
    const Subject *s = x->subject;
    double exponent = s->type == TYPE_F64 ? 1100 : 150;
    for (size_t k = 0; k < TREND_STEPS; k++, exponent *= 1.3) {
        for (size_t i = 0; i < s->inputs; i++) {
            if (side) {
                mpfr_set_ui_2exp(x->at[i], 1, -(mpfr_exp_t)exponent, MPFR_RNDN);
                if (!mpfr_zero_p(to[i])) mpfr_mul(x->at[i], x->at[i], to[i], MPFR_RNDN);
                mpfr_setsign(x->at[i], x->at[i], side < 0, MPFR_RNDN);
                mpfr_add(x->at[i], x->at[i], to[i], MPFR_RNDN);
            } else if (mpfr_inf_p(to[i])) {
                mpfr_set_si_2exp(x->at[i], mpfr_sgn(to[i]), (mpfr_exp_t)exponent, MPFR_RNDN);
            } else {
                mpfr_set(x->at[i], to[i], MPFR_RNDN);
            }
        }
        Exact *step = &x->steps[k * s->quantities];
        examine_numbers(x, step, patience(x, all ? TREND_BITS : TREND_BITS / 4));
        bool any = !side;
        for (size_t q = 0; q < s->quantities; q++) any = any || step[q].kind == EXACT_NUMBER;
        if (!any) return false;
    }
    return true;
}

/* Points at infinity; `to` is where. With several infinite inputs there is no one way to go; where
 * another one is 0, 0 times infinity may also be NaN. */
static void examine_limit(Examiner *x, const mpfr_srcptr *to, size_t infinite) {
    const Subject *s = x->subject;
    const bool there = infinite == 1 && approach(x, to, 0, s->inputs == 1);
    bool zero = false;
    for (size_t i = 0; i < s->inputs; i++) zero = zero || mpfr_zero_p(to[i]);
    for (size_t q = 0; q < s->quantities; q++) {
        Exact *out = &x->out[q];
        out->kind = EXACT_NONE;
        out->has_scale = false;
        out->at_limit = true;
        if (there) conclude(s->type, x->steps + q, s->quantities, out);
        out->removable = zero && out->kind == EXACT_NUMBER;
        if (out->removable) out->kind = EXACT_NAN;
    }
}

/* Where the formula is NaN at a number, the limit from both sides is as good. */
static void remove_nans(Examiner *x, const mpfr_srcptr *to) {
    const Subject *s = x->subject;
    bool any = false;
    for (size_t q = 0; q < s->quantities; q++) any = any || x->out[q].kind == EXACT_NAN;
    if (!any) return;
    Exact left[VERIFY_INPUTS + 1];
    mp_limb_t limbs[VERIFY_INPUTS + 1][EXACT_BITS / 32 + 1];
    const bool has_left = s->inputs == 1 && approach(x, to, -1, false);
    for (size_t q = 0; q < s->quantities && has_left; q++) {
        number_init(left[q].v, limbs[q], EXACT_BITS);
        conclude(s->type, x->steps + q, s->quantities, &left[q]);
    }
    const bool both = has_left && approach(x, to, 1, false);
    for (size_t q = 0; q < s->quantities; q++) {
        Exact *out = &x->out[q];
        if (out->kind != EXACT_NAN) continue;
        if (both) conclude(s->type, x->steps + q, s->quantities, out);
        NUMBER_TEMP(d, 128);
        if (both && out->kind == EXACT_NUMBER && left[q].kind == EXACT_NUMBER)
            mpfr_sub(d, out->v, left[q].v, MPFR_RNDN);
        out->removable =
            both && out->kind == EXACT_NUMBER && left[q].kind == EXACT_NUMBER &&
            (mpfr_zero_p(d) || mpfr_get_exp(d) < ulp_exponent(s->type, out->v) - NARROW_BITS / 2);
        /* a derivative without a limit is whatever comes out */
        out->kind = q > 0 && !out->removable ? EXACT_NONE : EXACT_NAN;
    }
}

/* ---- */

void examine(Examiner *x, const uint64_t *point) {
    const Subject *s = x->subject;
    size_t infinite = 0, nans = 0;
    mpfr_t to[VERIFY_INPUTS];
    mpfr_srcptr where[VERIFY_INPUTS];
    mp_limb_t limbs[VERIFY_INPUTS][64 / 32 + 1];
    for (size_t i = 0; i < s->inputs; i++) {
        number_init(to[i], limbs[i], 64);
        where[i] = to[i];
        fold_decode(to[i], point[i], s->type);
        infinite += s->depends[i] && mpfr_inf_p(to[i]);
        nans += s->depends[i] && mpfr_nan_p(to[i]);
        mpfr_set(x->at[i], to[i], MPFR_RNDN);
    }
    for (size_t q = 0; q < s->quantities; q++)
        x->out[q].removable = x->out[q].has_scale = x->out[q].at_limit = false;
    if (nans) {
        for (size_t q = 0; q < s->quantities; q++)
            x->out[q].kind =
                q == 0 || (mpfr_nan_p(to[q - 1]) && s->depends[q - 1]) ? EXACT_NAN : EXACT_NONE;
        return;
    }
    if (infinite) {
        examine_limit(x, where, infinite);
        return;
    }
    examine_numbers(x, x->out, patience(x, LAST_BITS));
    for (size_t q = 0; q < s->quantities; q++) x->undecided += x->out[q].kind == EXACT_UNDECIDED;
    remove_nans(x, where);
}

/* ---- judging ---- */

static Fault fault_of(Type t, const Exact *e, mpfr_srcptr got) {
    if (mpfr_nan_p(got)) return FAULT_NAN;
    const bool too_large = overflows(t, e->v);
    if (mpfr_inf_p(got) && !too_large) return FAULT_INFINITY;
    if (too_large && !(mpfr_inf_p(got) && mpfr_sgn(got) == mpfr_sgn(e->v)))
        return FAULT_NO_INFINITY;
    if (mpfr_zero_p(got) || mpfr_zero_p(e->v) || mpfr_sgn(got) == mpfr_sgn(e->v)) return FAULT_NONE;
    return fold_encode(e->v, t) << 1 == 0 ? FAULT_NONE : FAULT_SIGN; /* a rounded -1e-60 is 0 */
}

static bool judge_alone(const Examiner *x, size_t quantity, uint64_t result, double *ulp,
                        Fault *fault) {
    const Type t = x->subject->type;
    const Exact *e = &x->out[quantity];
    NUMBER_TEMP(got, 64);
    fold_decode(got, result, t);
    *ulp = 0;
    *fault = FAULT_NONE;
    switch (e->kind) {
    case EXACT_NONE:
    case EXACT_UNDECIDED:
        return false;
    case EXACT_NAN:
        if (mpfr_nan_p(got)) return true;
        if (e->removable) break;
        *fault = FAULT_NUMBER;
        return true;
    case EXACT_POLE:
        *fault = mpfr_nan_p(got) ? FAULT_NAN : mpfr_inf_p(got) ? FAULT_NONE : FAULT_NO_INFINITY;
        if (*fault != FAULT_NONE) *ulp = HUGE_VAL;
        return true;
    case EXACT_NUMBER:
        break;
    }
    *fault = fault_of(t, e, got);
    if (mpfr_nan_p(got)) return true;
    if (mpfr_inf_p(got) && overflows(t, e->v) && mpfr_sgn(got) == mpfr_sgn(e->v)) return true;
    if (e->at_limit && (*fault == FAULT_INFINITY || *fault == FAULT_NO_INFINITY)) {
        /* of several inputs another one may have come to nothing before it met the infinity */
        *ulp = x->subject->inputs == 1 ? HUGE_VAL : 0;
        return true;
    }
    /* infinities stand for the power of two behind the largest number */
    const Format f = format_of(t);
    NUMBER_TEMP(exact, EXACT_BITS);
    mpfr_set(exact, e->v, MPFR_RNDN);
    if (mpfr_inf_p(got)) mpfr_set_si_2exp(got, mpfr_sgn(got), f.emax + 1, MPFR_RNDN);
    if (overflows(t, exact)) mpfr_set_si_2exp(exact, mpfr_sgn(exact), f.emax + 1, MPFR_RNDN);
    mpfr_srcptr size = exact;
    if (quantity > 0 && e->has_scale && mpfr_cmpabs(e->scale, exact) > 0) size = e->scale;
    const long unit = ulp_exponent(t, size);
    mpfr_sub(exact, exact, got, MPFR_RNDN);
    mpfr_div_2si(exact, exact, unit, MPFR_RNDN);
    *ulp = fabs(mpfr_get_d(exact, MPFR_RNDN));
    return true;
}

/* ---- slopes ---- */

static bool near(double a, double b) {
    return fabs(a - b) <= 0x1p-40 * fmax(fabs(a), fabs(b)) + 0x1p-120;
}

/* The middle of an interval; false if it is wide. */
static bool middle(const Interval *i, mpfr_ptr v) {
    if (i->kind != INTERVAL_REAL || !mpfr_number_p(i->lo) || !mpfr_number_p(i->hi)) return false;
    NUMBER_TEMP(width, 64);
    mpfr_sub(width, i->hi, i->lo, MPFR_RNDU);
    mpfr_set(v, i->lo, MPFR_RNDN);
    return mpfr_zero_p(width) || mpfr_get_exp(width) < -SLOPE_STEP - 300 ||
           (mpfr_regular_p(v) && mpfr_get_exp(width) < mpfr_get_exp(v) - SLOPE_STEP - 300);
}

Slope examine_slope(Examiner *x, const uint64_t *point, size_t input, double *given,
                    double *quotient) {
    const Subject *s = x->subject;
    for (size_t i = 0; i < s->inputs; i++) {
        fold_decode(x->at[i], point[i], s->type);
        if (!mpfr_number_p(x->at[i])) return SLOPE_UNKNOWN;
        if (mpfr_regular_p(x->at[i]) &&
            (mpfr_get_exp(x->at[i]) > 100 || mpfr_get_exp(x->at[i]) < -100))
            return SLOPE_UNKNOWN;
    }
    NUMBER_TEMP(y, SLOPE_BITS);
    NUMBER_TEMP(d, SLOPE_BITS);
    NUMBER_TEMP(at, 64);
    NUMBER_TEMP(h, 64);
    enclose_at(&x->exact, x->vars, SLOPE_BITS);
    if (!middle(found(&x->exact, s->exact[0]), y) ||
        !middle(found(&x->exact, s->exact[1 + input]), d))
        return SLOPE_UNKNOWN;
    *given = mpfr_get_d(d, MPFR_RNDN);
    mpfr_set(at, x->at[input], MPFR_RNDN);
    mpfr_set_ui(h, 1, MPFR_RNDN);
    if (mpfr_regular_p(at) && mpfr_get_exp(at) < 0) mpfr_abs(h, at, MPFR_RNDN);
    mpfr_div_2ui(h, h, SLOPE_STEP, MPFR_RNDN);
    double side[2];
    for (int k = 0; k < 2; k++) {
        (k ? mpfr_add : mpfr_sub)(x->at[input], at, h, MPFR_RNDN);
        enclose_at(&x->value, x->vars, SLOPE_BITS);
        if (!middle(found(&x->value, s->exact[0]), d)) return SLOPE_UNKNOWN;
        mpfr_sub(d, d, y, MPFR_RNDN);
        mpfr_div(d, d, h, MPFR_RNDN);
        side[k] = k ? mpfr_get_d(d, MPFR_RNDN) : -mpfr_get_d(d, MPFR_RNDN);
    }
    *quotient = 0.5 * (side[0] + side[1]);
    if (near(side[0], side[1])) return near(*given, *quotient) ? SLOPE_AGREES : SLOPE_DIFFERS;
    /* A kink: the derivative of the branch taken, or between both; at a jump also 0, as of floor.
     */
    const double low = fmin(side[0], side[1]), high = fmax(side[0], side[1]);
    const bool jump = fabs(low) > 0x1p60 || fabs(high) > 0x1p60,
               both = fabs(low) > 0x1p60 && fabs(high) > 0x1p60;
    if (near(*given, low) || near(*given, high) || both || (jump && *given == 0)) return SLOPE_KINK;
    if (!jump && low < *given && *given < high) return SLOPE_KINK;
    return SLOPE_DIFFERS;
}

/* ---- signatures ---- */

static unsigned sign_code(const Interval *i) {
    if (i->kind == INTERVAL_EXP) return i->sign > 0 ? 1 : i->sign < 0 ? 2 : 3;
    if (i->kind != INTERVAL_REAL) return 3;
    return mpfr_sgn(i->lo) > 0 ? 1 : mpfr_sgn(i->hi) < 0 ? 2 : 0;
}

static bool is_less(const Interval *a, const Interval *b) {
    return a->kind == INTERVAL_REAL && b->kind == INTERVAL_REAL && mpfr_less_p(a->lo, b->lo);
}

uint64_t examine_signature(Examiner *x, const uint64_t *point, bool signs) {
    const Subject *s = x->subject;
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < s->inputs; i++) fold_decode(x->at[i], point[i], s->type);
    enclose_at(&x->exact, x->vars, 64);
    for (size_t i = 0; i < x->exact.count; i++) {
        const Node *n = x->exact.order[i];
        const Interval *a = n->nargs > 0 ? found(&x->exact, n->arg[0]) : NULL,
                       *b = n->nargs > 1 ? found(&x->exact, n->arg[1]) : NULL,
                       *c = n->nargs > 2 ? found(&x->exact, n->arg[2]) : NULL;
        unsigned code;
        switch ((int)n->op) {
        case OP_LT:
        case OP_LE:
        case OP_EQ:
        case OP_NE:
            code = found(&x->exact, n)->may_hold;
            break;
        case OP_MAX:
        case OP_MIN:
            code = is_less(a, b);
            break;
        case OP_CLAMP:
            code = is_less(a, b) + 2 * is_less(c, a);
            break;
        case OP_ABS:
        case OP_SIGN:
        case OP_STEP:
            code = sign_code(a);
            break;
        default:
            continue;
        }
        h = (h ^ (code + 17)) * 0x100000001b3u;
        h ^= h >> 29;
    }
    for (size_t q = 0; q < s->quantities && signs; q++) {
        h = (h ^ (sign_code(found(&x->exact, s->exact[q])) + 5)) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return h;
}

/* ---- beside kinks ---- */

/* Whether the result is right two floats further at most, where another branch is taken: a
 * condition on a rounded sum may turn that late. */
static bool is_beside_kink(Examiner *x, const uint64_t *point, size_t quantity, uint64_t result) {
    enum { FLOATS = 2 };
    const Subject *s = x->subject;
    const uint64_t here = examine_signature(x, point, false);
    uint64_t beside[VERIFY_INPUTS];
    memcpy(beside, point, s->inputs * sizeof *beside);
    for (size_t i = 0; i < s->inputs; i++) {
        for (int k = -FLOATS; k <= FLOATS; k++) {
            double ulp;
            Fault fault;
            beside[i] = float_of_rank(float_rank(point[i], s->type) + k, s->type);
            if (k == 0 || examine_signature(x, beside, false) == here) continue;
            examine(x, beside);
            if (judge_alone(x, quantity, result, &ulp, &fault) && fault == FAULT_NONE &&
                ulp <= BESIDE_KINK)
                return true;
        }
        beside[i] = point[i];
    }
    return false;
}

bool judge(Examiner *x, const uint64_t *point, size_t quantity, uint64_t result, double *ulp,
           Fault *fault) {
    if (!judge_alone(x, quantity, result, ulp, fault)) return false;
    if (*ulp < LARGE_ERROR || !isfinite(*ulp) || (*fault != FAULT_NONE && *fault != FAULT_SIGN))
        return true;
    if (is_beside_kink(x, point, quantity, result)) {
        *ulp = 0;
        *fault = FAULT_KINK;
    }
    examine(x, point);
    return true;
}
