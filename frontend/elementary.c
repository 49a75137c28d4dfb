/* The names that the language itself has: elementary functions, constants, random numbers,
 * reductions. A user's definition or local name of the same name comes before them. */
#include "frontend.h"

#include <string.h>

static const struct {
    const char *name;
    Op op;
} functions[] = {
#define ELEMENTARY(name, op) {#name, OP_##op},
#include "elementary.def"
#undef ELEMENTARY
};

static const char *const constants[] = {
    [CONSTANT_PI] = "pi", [CONSTANT_E] = "e", [CONSTANT_INF] = "inf"};

static const char *const randoms[] = {"uniform", "normal"};

static const char *const reductions[] = {[REDUCTION_SUM] = "sum",
                                         [REDUCTION_MEAN] = "mean",
                                         [REDUCTION_MAX] = "max",
                                         [REDUCTION_MIN] = "min",
                                         [REDUCTION_PROD] = "prod"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

Ref elementary_find(const char *name, bool call) {
    for (uint32_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i].name, name) == 0)
            return (Ref){.kind = REF_OP, .op = functions[i].op};
    if (!call) {
        for (uint32_t i = 0; i < COUNT(constants); i++)
            if (strcmp(constants[i], name) == 0) return (Ref){.kind = REF_CONSTANT, .slot = i};
    }
    for (uint32_t i = 0; i < COUNT(randoms); i++)
        if (strcmp(randoms[i], name) == 0) return (Ref){.kind = REF_RANDOM, .slot = i};
    for (uint32_t i = 0; i < COUNT(reductions); i++)
        if (strcmp(reductions[i], name) == 0) return (Ref){.kind = REF_REDUCTION, .slot = i};
    return (Ref){.kind = REF_NONE};
}

bool elementary_is(const Def *d) {
    return d->source->internal && d->nparams == 0 && elementary_find(d->name, true).kind == REF_OP;
}

bool elementary_reduction(const char *name, Reduction *out) {
    for (uint32_t i = 0; i < COUNT(reductions); i++) {
        if (strcmp(reductions[i], name) != 0) continue;
        *out = (Reduction)i;
        return true;
    }
    return false;
}

bool number_value(const char *text, mpfr_ptr v) {
    mpfr_strtofr(v, text, NULL, 0, MPFR_RNDN);
    if (mpfr_inf_p(v)) return false;
    if (!mpfr_zero_p(v))
        return mpfr_get_exp(v) <= LIMIT_EXPONENT && mpfr_get_exp(v) >= -LIMIT_EXPONENT;
    /* Zero must be written as one, not be an underflow. */
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    for (const char *s = text; *s && !strchr(hex ? "pP" : "eE", *s); s++)
        if ((*s >= '1' && *s <= '9') || (hex && s > text + 1 && strchr("abcdefABCDEF", *s)))
            return false;
    return true;
}

void elementary_arity(Op op, uint32_t *min, uint32_t *max) {
    *min = *max = op_info[op].nargs;
    if (op == OP_MIN || op == OP_MAX) *max = UINT32_MAX;
}

const char *elementary_foreign(const char *name, bool call) {
    static const struct {
        const char *name, *cure;
        bool call;
    } foreign[] = {{"ln", "; write 'log'", true},
                   {"log10", "; write 'log(x)/log(10)'", true},
                   {"arctan", "; write 'atan'", true},
                   {"arcsin", "; write 'asin'", true},
                   {"arccos", "; write 'acos'", true},
                   {"arcsinh", "; write 'asinh'", true},
                   {"acosh", "; write 'log(x + sqrt(x^2 - 1))'", true},
                   {"atanh", "; write 'log1p(2*x/(1 - x))/2'", true},
                   {"cot", "; write '1/tan(x)'", true},
                   {"sech", "; write '1/cosh(x)'", true},
                   {"sgn", "; write 'sign'", true},
                   {"fabs", "; write 'abs'", true},
                   {"power", "; write 'x^y'", true},
                   {"cbrt", "; write 'sign(x)*abs(x)^(1/3)'", true},
                   {"maximum", "; write 'max'", true},
                   {"minimum", "; write 'min'", true},
                   {"fmax", "; write 'max'", true},
                   {"fmin", "; write 'min'", true},
                   {"average", "; write 'mean[d](…)'", true},
                   {"fmod", "; write 'a - b*floor(a/b)'", true},
                   {"mod", "; write 'a - b*floor(a/b)'", true},
                   {"heaviside", "; write 'step'", true},
                   {"Phi", "; write 'normcdf'", true},
                   {"rand", "; write 'uniform()'", true},
                   {"random", "; write 'uniform()'", true},
                   {"randn", "; write 'normal()'", true},
                   {"matmul", "; over the axis i write 'sum[i](a*b)'", true},
                   {"dot", "; over the axis i write 'sum[i](a*b)'", true},
                   {"logsumexp", "; write 'm + log(sum[d](exp(x - m))) where m = max[d](x)'", true},
                   {"norm", "; write 'sqrt(sum[d](x^2))'", true},
                   {"var", "; write 'mean[d]((x - m)^2) where m = mean[d](x)'", true},
                   {"Sequential", "; write 'f → g → h'", true},
                   {"compose", "; write 'f → g → h'", true},
                   {"float", "; a number needs none", true},
                   {"if", "; write 'condition ? value : other'", true},
                   {"iif", "; write 'condition ? value : other'", true},
                   {"ifelse", "; write 'condition ? value : other'", true},
                   {"cond", "; write 'condition ? value : other'", true},
                   {"select", "; write 'condition ? value : other'", true},
                   {"std", "; write 'sqrt(mean[d]((x - m)^2)) where m = mean[d](x)'", true},
                   {"let", "; local names follow the body: '… where a = …'", false},
                   {"True", "; write 'true'", false},
                   {"False", "; write 'false'", false},
                   {"TRUE", "; write 'true'", false},
                   {"FALSE", "; write 'false'", false},
                   {"infinity", "; write 'inf'", false},
                   {"Infinity", "; write 'inf'", false},
                   {"nan", "; write '0/0'", false},
                   {"NaN", "; write '0/0'", false},
                   {"M_PI", "; write 'pi'", false},
                   {"None", "", false}};
    for (size_t i = 0; i < COUNT(foreign); i++)
        if (foreign[i].call == call && strcmp(foreign[i].name, name) == 0) return foreign[i].cure;
    return NULL;
}

const char *elementary_nearer(const char *name, bool call, const char *best) {
    if (call) {
        for (size_t i = 0; i < COUNT(functions); i++)
            best = diag_nearer(name, functions[i].name, best);
        for (size_t i = 0; i < COUNT(randoms); i++) best = diag_nearer(name, randoms[i], best);
        for (size_t i = 0; i < COUNT(reductions); i++)
            best = diag_nearer(name, reductions[i], best);
    } else {
        for (size_t i = 0; i < COUNT(constants); i++) best = diag_nearer(name, constants[i], best);
    }
    return best;
}
