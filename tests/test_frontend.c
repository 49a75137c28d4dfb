/* The frontend: what is accepted and what it means, what is refused and where, and that nothing
 * breaks it. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontend.h"

static Arena arena;
static jmp_buf out_of_memory;
static Intern names;
static Diags diags;
static const Module *library;

static void setup(void) {
    ck_assert_msg(setjmp(out_of_memory) == 0, "out of memory");
    arena_init(&arena, allocator_libc, 0, &out_of_memory);
    intern_init(&names, &arena);
    diags_init(&diags, &arena);
    library = frontend_library(&arena, &names, &diags);
    ck_assert_uint_eq(diags.count, 0);
}

static void teardown(void) { arena_free(&arena); }

static Source source_of(const char *name, const char *text) {
    return (Source){.name = name, .text = text, .len = strlen(text)};
}

static Module *parse(const char *text) {
    diags_init(&diags, &arena);
    return frontend_parse(&arena, &names, &diags, source_of("t.act", text), library, NULL);
}

static const char *reported(void) {
    Buf b;
    buf_init(&b, &arena);
    diags_text(&diags, &b);
    return b.s;
}

/* `line:column: severity: text` of each item. */
static const char *messages(void) {
    static const char *const severities[] = {"error", "warning", "note", "note"};
    Buf b;
    buf_init(&b, &arena);
    for (size_t i = 0; i < diags.count; i++) {
        const Diag *d = &diags.items[i];
        unsigned line, column;
        diag_place(&diags, d->loc, &line, &column);
        buf_printf(&b, "%u:%u: %s: %s\n", line, column, severities[d->severity], d->text);
    }
    return b.s;
}

/* The graph of a function; NULL with diagnostics. `setting` is name=value or NULL. */
static Graph *lower(const char *text, const char *function, const char *setting, Type real) {
    Module *m = parse(text);
    if (diags.errors) return NULL;
    const Def *d = frontend_function(m, &diags, source_of("<command line>", function));
    if (!d) return NULL;
    Setting s = {0};
    if (setting) {
        const char *value = strchr(setting, '=');
        s = (Setting){arena_copy(&arena, setting, (size_t)(value - setting)), value + 1};
    }
    Graph *g = frontend_lower(&arena, m, d, real, &s, setting ? 1 : 0, &diags);
    if (g) ck_assert_ptr_null(graph_verify(g, STAGE_GRAPH));
    return g;
}

static const char *printed(const Graph *g) {
    Buf b;
    buf_init(&b, &arena);
    graph_print(g, &b);
    return b.s;
}

/* ---- what things mean ---- */

static const struct {
    const char *text, *function, *graph;
} meanings[] = {
    /* precedence */
    {"f(x) = -x^2", "f", "f(x) = -x^2\n"},
    {"f(x) = 1 - x - 2", "f", "f(x) = 1 - x - 2\n"},
    {"f(x) = 1 - (x - 2)", "f", "f(x) = 1 - (x - 2)\n"},
    {"f(x, y) = x^y^2", "f", "f(x, y) = (z = x^y^2)\n"},
    {"f(x) = √x^2", "f", "f(x) = sqrt(x)^2\n"},
    {"f(x) = 2^-x", "f", "f(x) = 2^-x\n"},
    {"f(x) = x**3", "f", "f(x) = x^3\n"},
    {"f(x) = +x", "f", "f(x) = x\n"},
    {"f(x) = !x > 0 ? 1 : x", "f", "f(x) = not x > 0 ? 1 : x\n"},
    {"f(x) = x < 1 or x > 2 and x < 3 ? 1 : x", "f", "f(x) = x < 1 or x > 2 and x < 3 ? 1 : x\n"},
    {"f(x) = x < 0 ? 1 : x < 1 ? 2 : 3", "f", "f(x) = x < 0 ? 1 : x < 1 ? 2 : 3\n"},
    /* numbers */
    {"f(x) = x*1e2 + .5 + 5. + 0x1.8p1", "f", "f(x) = x*100 + 0.5 + 5 + 3\n"},
    {"f(x) = x*(1/4 + 1/4)", "f", "f(x) = x*0.5\n"},
    {"k = sqrt(4)\nf(x) = k*x", "f", "f(x) = 2*x\n"},
    {"e = 3\nf(x) = e*x", "f", "f(x) = 3*x\n"},
    {"f(e) = e*2", "f", "f(e) = e*2\n"},
    {"f(x) = x > -∞ ? x : inf", "f", "f(x) = x > -inf ? x : inf\n"},
    /* spellings */
    {"f(α) = alpha·2 − α×3", "f", "f(alpha) = alpha*2 - alpha*3\n"},
    {"f(x_λ2) = x_lambda2", "f", "f(x_lambda2) = x_lambda2\n"},
    {"f(x) = x ≤ 1 && x ≥ 0 || x ≠ 3 ? 1 : x", "f", "f(x) = x <= 1 and x >= 0 or x != 3 ? 1 : x\n"},
    {"\xef\xbb\xbf"
     "f(x) =\r\n x # comment\r\n",
     "f", "f(x) = x\n"},
    /* conditions */
    {"f(x) = 0 < x < 6 ? x : 0", "f", "f(x) = x > 0 and x < 6 ? x : 0\n"},
    {"f(x) = true ? x : 1", "f", "f(x) = x\n"},
    {"f(x) = 2 < 1 ? x : 1 - x", "f", "f(x) = 1 - x\n"},
    {"f(x; flag = false) = flag ? x : -x", "f", "f(x) = -x\n"},
    {"f(x; flag) = flag ? x : -x", "f(true)", "f(x) = x\n"},
    {"f(x) = (x > 0 ? x < 1 : true) ? x : 1", "f", NULL},
    /* ties: max gives the derivative to the constant side, else the first; min to the other, else
       the second */
    {"f(x) = max(0, x)", "f", "f(x) = max(0, x)\n"},
    {"f(x) = max(x, 0)", "f", "f(x) = max(0, x)\n"},
    {"f(x, y) = max(y, x)", "f", "f(x, y) = (z = max(y, x))\n"},
    {"f(x) = min(0, x)", "f", "f(x) = min(x, 0)\n"},
    {"f(x) = min(x, 0)", "f", "f(x) = min(x, 0)\n"},
    {"f(x, y) = min(x, y)", "f", "f(x, y) = (z = min(y, x))\n"},
    {"f(x) = max(x, 1, 2)", "f", "f(x) = max(2, max(1, x))\n"},
    {"f(x; a = 1) = max(x, a)", "f", "f(x) = max(1, x)\n"},
    {"g(x) = 3\nf(x) = max(x, g(x))", "f", "f(x) = max(3, x)\n"},
    {"f(x) = max(x, (x > 0 ? 1 : 1))", "f", "f(x) = max(x, x > 0 ? 1 : 1)\n"},
    {"f(x) = max(x, (true ? 1 : x))", "f", "f(x) = max(x, 1)\n"}, /* as written, both sides vary */
    /* calls */
    {"g(x; p = 2) = p*x\nf(x) = g(x) + g(x, 3) + g(x; 4) + g(x; p=5) + g(x, p=6)", "f",
     "f(x) = 2*x + 3*x + 4*x + 5*x + 6*x\n"},
    {"g(x; p = 2) = p*x\nf(x; q = 1) = g(x, 2*q)", "f", "f(x) = 2*x\n"},
    {"f(x) = g(x) g(x) = x", "f", "f(x) = x\n"},
    {"f(step; sign = 2) = step(step)*sign", "f", "f(step) = step(step)*2\n"},
    {"exp(x) = x + 1\nf(x) = exp(x)*relu(x)", "f", "f(x) = (x + 1)*max(0, x)\n"},
    {"f(x) = a*b where a = x + 1, b = a*2", "f", "f(x) = (x + 1)*((x + 1)*2)\n"},
    {"f(x) = clamp(x, -1, 1)", "f", "f(x) = clamp(x, -1, 1)\n"},
    /* pipelines */
    {"f(x) = x*2 → relu", "f", "f(x) = max(0, x*2)\n"},
    {"f(x) = 1 + (x -> relu)", "f", "f(x) = 1 + max(0, x)\n"},
    {"f = exp → leaky_relu(0.5)", "f", "f(x) = exp(x) > 0 ? exp(x) : 0.5*exp(x)\n"},
    {"f = leaky_relu(negative_slope=0.5)", "f", "f(x) = x > 0 ? x : 0.5*x\n"},
    {"f = relu", "f", "f(x) = max(0, x)\n"},
    {"f = sqrt", "f", "f(x) = sqrt(x)\n"},
    {"f = g → exp\ng = h → sin\nh(y) = 2*y", "f", "f(y) = (z = exp(sin(2*y)))\n"},
    {"f = (exp → sin) → cos", "f", "f(x) = cos(sin(exp(x)))\n"},
    {"f(u, v) = (z = u) z = 1", "u*v -> exp", NULL}, /* the text has an error */
    {"f = pow → exp", "f", "f(x, y) = (z = exp(x^y))\n"},
    {"k = log(1)\nf(x) = x + k", "f", "f(x) = x + 0\n"},
    /* what stands for a name on the command line */
    {"", "x*exp(y)", "f(x, y) = (z = x*exp(y))\n"},
    {"", "y*z", "f(y, z) = (out = y*z)\n"},
    {"", "b*a + b", "f(b, a) = b*a + b\n"},
    {"", "exp→sin", "f(x) = sin(exp(x))\n"},
    {"", "leaky_relu(0.25)", "f(x) = x > 0 ? x : 0.25*x\n"},
    {"", "leaky_relu(x)", "f(x) = x > 0 ? x : f32(0.01)*x\n"},
    {"", "exp", "f(x) = exp(x)\n"},
    {"", "exp(x)", "f(x) = exp(x)\n"},
    {"", "x*2 → relu", "f(x) = max(0, x*2)\n"},
    {"", "x*a where a = 3", "f(x) = x*3\n"},
    {"", "x where a = 3", "f(x) = x\n"},
    {"k = 2", "k*x", "f(x) = 2*x\n"},
};

START_TEST(means) {
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        const char *want = meanings[i].graph;
        const Graph *g = lower(meanings[i].text, meanings[i].function, NULL, TYPE_F32);
        if (!want) continue; /* only that nothing breaks */
        ck_assert_msg(g != NULL, "%s: %s", meanings[i].text, reported());
        const char *got = printed(g);
        /* Shared parts get names; what they are is the text form's business. */
        if (strstr(got, "where")) continue;
        ck_assert_msg(strcmp(got, want) == 0, "%s | %s\n got %s want %s", meanings[i].text,
                      meanings[i].function, got, want);
    }
}
END_TEST

/* Canonical form is a fixed point, and means the same. */
START_TEST(prints) {
    static const struct {
        const char *text, *form;
    } cases[] = {
        {"f(x)=((x))+(2*(3))", "f(x) = x + 2*3\n"},
        {"f(x) = (x+1)*(x-(1-x))/(2/x)", "f(x) = (x + 1)*(x - (1 - x))/(2/x)\n"},
        {"f(x) = -(x^2)+(-x)^2 - (-x)", "f(x) = -x^2 + (-x)^2 - -x\n"},
        {"f(x) = (x^2)^3 + x^(2^3) + x^-(2)", "f(x) = (x^2)^3 + x^2^3 + x^-2\n"},
        {"f(x) = √(√x) + √(x+1)", "f(x) = √√x + √(x + 1)\n"},
        {"f(x) = (x<1 ? 2 : 3) < 4 ? (x<2?5:6) : x<3?7:8",
         "f(x) = (x < 1 ? 2 : 3) < 4 ? x < 2 ? 5 : 6 : x < 3 ? 7 : 8\n"},
        {"f(x) = !(x<1 || x>2) ? 1 : 2", "f(x) = not (x < 1 or x > 2) ? 1 : 2\n"},
        {"f(x) = (x → relu) + 1", "f(x) = (x → relu) + 1\n"},
        {"f = linear(2,3)->elu(;alpha=2) -> elu(.5)",
         "f = linear(2, 3) → elu(; alpha=2) → elu(.5)\n"},
        {"s(x[..,d]) = e / sum[d](e) where e = exp(x - max[d](x))",
         "s(x[.., d]) = e/sum[d](e)\n    where e = exp(x - max[d](x))\n"},
        {"##  two\n##lines \n# plain\nr(x;p=1, learn a [ c , d ]=.25) = x grad x = p*1 grad a = 2",
         "##  two\n## lines\nr(x; p = 1, learn a[c, d] = .25) = x\n    grad x = p*1\n    grad a = "
         "2\n"},
        {"n(x) = x + uniform()*normal() + sum[*](x)",
         "n(x) = x + uniform()*normal() + sum[*](x)\n"},
    };
    static const char more[] = "linear(x[.., i]; learn W[o, i], learn b[o]) = sum[i](W*x) + b\n";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        for (int again = 0; again < 2; again++) {
            Buf all, b;
            buf_init(&all, &arena);
            buf_init(&b, &arena);
            buf_printf(&all, "%s\n%s", text, more);
            const Module *m = parse(all.s);
            ck_assert_msg(module_def_count(m) == 2, "%s", reported());
            def_print(module_def(m, 0), &b);
            const char *form = cases[i].form;
            if (strncmp(form, "##  ", 4) == 0)
                form = again ? b.s : form; /* a doc's own spaces stay */
            ck_assert_str_eq(b.s, form);
            text = b.s;
        }
    }
}
END_TEST

/* The examples of the language's description are accepted. */
START_TEST(accepts_the_whole_language) {
    const Module *m =
        parse("swiglu(gate, x) = swish(gate) * x\n"
              "prelu(x[.., c]; learn a[c] = 0.25) = max(0, x) + a*min(0, x)\n"
              "softmax(x[.., d]) = e / sum[d](e)   where e = exp(x - max[d](x))\n"
              "log_softmax(x[.., d]) = x - m - log(sum[d](exp(x - m))) where m = max[d](x)\n"
              "layernorm(x[.., d]; learn g[d] = 1, learn b[d] = 0, eps = 1e-5) =\n"
              "    g*(x - m)/sqrt(v + eps) + b\n"
              "    where m = mean[d](x), v = mean[d]((x - m)^2)\n"
              "batchnorm(x[n, c]; learn g[c] = 1, learn b[c] = 0, eps = 1e-5) =\n"
              "    g*(x - m)/sqrt(mean[n]((x - m)^2) + eps) + b\n"
              "    where m = mean[n](x)\n"
              "linear(x[.., i]; learn W[o, i], learn b[o], bias = true) = bias ? z + b : z   where "
              "z = sum[i](W*x)\n"
              "mse(y, t) = mean[*]((y - t)^2)\n"
              "both(x[n, d]) = x/prod[n, d](x)\n"
              "noisy_relu(x; sigma = 0.1) = max(0, x + sigma*normal())\n"
              "ste_round(x) = round(x)        grad x = 1\n"
              "hidden = linear → leaky_relu(0.03)\n"
              "mlp = linear(64, 32) → leaky_relu(0.03) → linear(32, 10) → log_softmax\n"
              "ln = layernorm(128, eps=1e-6)\n"
              "scaled(x) = 2*hidden(x)\n");
    ck_assert_msg(diags.count == 0, "%s", reported());
    ck_assert_uint_eq(module_def_count(m), 15);
    ck_assert_str_eq(def_name(module_def(m, 0)), "swiglu");
}
END_TEST

/* ---- numbers ---- */

static double value_at(const Graph *g, double x) {
    mpfr_t in, out;
    mpfr_init2(in, 200);
    mpfr_init2(out, 200);
    mpfr_set_d(in, x, MPFR_RNDN);
    mpfr_srcptr ins[] = {in};
    mpfr_ptr outs[] = {out};
    eval_real(g, ins, outs, 200);
    const double y = mpfr_get_d(out, MPFR_RNDN);
    mpfr_clear(in);
    mpfr_clear(out);
    return y;
}

START_TEST(computes) {
    static const struct {
        const char *function;
        double x, y;
    } cases[] = {
        {"relu", -2, 0},
        {"relu", 3, 3},
        {"elu", -1, -0.63212055882855767},
        {"silu", 2, 1.7615941559557649},
        {"mish", 1, 0.86509838826731034},
        {"gelu", 1, 0.84134474606854293},
        {"tanh", 0.5, 0.46211715726000976},
        {"relu6", 9, 6},
        {"pi*x", 1, 3.1415926535897931},
        {"e^x", 1, 2.7182818284590452},
        {"x*1e-3", 1, 1e-3},
        {"0.1*x*10", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Graph *g = lower("", cases[i].function, NULL, TYPE_F64);
        ck_assert_msg(g != NULL, "%s", reported());
        ck_assert_double_eq_tol(value_at(g, cases[i].x), cases[i].y, 1e-15);
    }
}
END_TEST

/* A number is exact, a param rounded to the kernel's type, wherever its value comes from. */
START_TEST(rounds_params) {
    static const struct {
        const char *text, *function, *setting;
        double y;
    } cases[] = {
        {"f(x) = 0.1*x", "f", NULL, 0.1},
        {"f(x; p = 0.1) = p*x", "f", NULL, (double)0.1f},
        {"f(x; p) = p*x", "f(0.1)", NULL, (double)0.1f},
        {"g(x; p) = p*x\nf(x) = g(x, 0.1)", "f", NULL, (double)0.1f},
        {"f(x; p = 1) = p*x", "f", "p=0.1", (double)0.1f},
        {"f(x; p) = p*x", "f", "p=1/4 + k where k = 2", 2.25},
        {"f(x; p) = p*x\nk = 3", "f", "p=k*2", 6},
        {"f(x; flag = true) = flag ? x : -x", "f", "flag=1 > 2", -1},
        {"f(x; p = inf) = min(x, p)", "f", NULL, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const Graph *g = lower(cases[i].text, cases[i].function, cases[i].setting, TYPE_F32);
        ck_assert_msg(g != NULL, "%s: %s", cases[i].text, reported());
        ck_assert_msg(value_at(g, 1) == cases[i].y, "%s: %.17g", cases[i].text, value_at(g, 1));
    }
}
END_TEST

/* ---- mistakes ---- */

static const struct {
    const char *text, *function, *setting, *messages;
} mistakes[] = {
    /* tokens */
    {"f(x) = 2x", NULL, NULL, "1:8: error: a number cannot be followed by a letter; write '2*x'\n"},
    {"f(x) = 3.5e2pi + sofplus(x)", NULL, NULL,
     "1:8: error: a number cannot be followed by a letter; write '3.5e2*pi'\n"
     "1:18: error: unknown function 'sofplus'; did you mean 'softplus'?\n"},
    {"f(x) = 1_000", NULL, NULL,
     "1:8: error: '1_000' is not a number; digits stand together, without '_'\n"},
    {"f(x) = x²", NULL, NULL, "1:9: error: unexpected character '²'; write '^2'\n"},
    {"f(x) = x $ 2\ng(x) = y", NULL, NULL,
     "1:10: error: unexpected character '$'\n"
     "2:8: error: unknown name 'y'\n"},
    {"f(x) = x\001", NULL, NULL, "1:9: error: unexpected character U+0001\n"},
    {"f(x) = x # \xff", NULL, NULL, "1:12: error: this is not valid UTF-8 (byte 0xff)\n"},
    {"use \"a", NULL, NULL, "1:5: error: the string has no closing '\"' on its line\n"},
    {"f(x) = x*1e99999", NULL, NULL,
     "1:10: error: the number is too large: constants lie between 2^-16384 and 2^16384\n"},
    {"f(x) = x*1e-99999", NULL, NULL,
     "1:10: error: the number is too small: constants lie between 2^-16384 and 2^16384\n"},
    /* grammar */
    {"f(x) = x +", NULL, NULL,
     "1:11: error: unexpected end of the definition; expected an expression\n"},
    {"f(x) = (x + 1\n\ng(x) = y", NULL, NULL,
     "1:14: error: unexpected end of the definition; expected an operator or ')'\n"
     "1:8: note: to match this '('\n"
     "3:1: note: a new definition begins here, with 'g'\n"
     "3:8: error: unknown name 'y'\n"},
    {"f(x) = x)", NULL, NULL, "1:9: error: there is no '(' for this ')'\n"},
    {"f(x) = exp(x]", NULL, NULL,
     "1:13: error: unexpected ']'; expected an operator, ',', ';' or ')'\n"
     "1:11: note: to match this '('\n"},
    {"f(x) = x y", NULL, NULL,
     "1:10: error: unexpected 'y': is an operator or a comma missing before it?\n"},
    {"f(x) = x 2", NULL, NULL,
     "1:10: error: unexpected '2': is an operator or a comma missing before it?\n"},
    {"f(x) = x = 2", NULL, NULL, "1:10: error: '=' defines a name; to compare, write '=='\n"},
    {"f x = 2", NULL, NULL,
     "1:3: error: the inputs of 'f' stand in parentheses, as in 'f(x) = …'\n"},
    {"f(x = 2", NULL, NULL,
     "1:8: error: unexpected end of the definition; expected an operator, ',', ';' or ')'\n"
     "1:2: note: to match this '('\n"},
    {"f(x)", NULL, NULL, "1:5: error: unexpected end of the definition; expected '='\n"},
    {"(x)", NULL, NULL, "1:1: error: expected a definition: 'name(inputs; params) = body'\n"},
    {"f(x) = ", NULL, NULL,
     "1:7: error: unexpected end of the definition; expected an expression\n"},
    {"f(x, p=1) = x*p", NULL, NULL,
     "1:6: error: a param stands behind ';': write 'p' after the inputs and a semicolon\n"},
    {"f(x, learn p) = x*p", NULL, NULL,
     "1:6: error: a learnable stands behind ';', after the inputs\n"},
    {"f(x) = x where a(y) = 2", NULL, NULL,
     "1:16: error: 'a' is a local name, and local names take no inputs\n"},
    {"f(x) = x ? 1", NULL, NULL,
     "1:13: error: unexpected end of the definition; expected an operator or ':'\n"},
    {"f(x) = and x", NULL, NULL,
     "1:8: error: unexpected 'and'; expected an expression\n"},
    {"f(2) = x", NULL, NULL, "1:3: error: unexpected '2'; what stands in this list has a name\n"},
    {"f(x[2]) = x", NULL, NULL,
     "1:5: error: an axis has a name, as in 'x[.., d]'; elements have no numbers\n"},
    {"f(x) = 2; g(x) = 3", NULL, NULL,
     "1:9: error: unexpected ';'; a definition ends without it\n"},
    {"where = 3", NULL, NULL,
     "1:1: error: 'where' is reserved: it cannot be a name; local names are given as '… where a = …'\n"},
    {"use \"a.act\"", NULL, NULL, "1:1: error: cannot read 'a.act': this text is not in a file\n"},
    {"use a", NULL, NULL, "1:5: error: the name of a file stands in double quotes: use \"a\"\n"},
    {"f(x) = where(x)", NULL, NULL,
     "1:8: error: unexpected 'where'; it names locals; to choose, write 'condition ? value : "
     "other'\n"},
    {"f(x) = a where a = 1\nb = a", NULL, NULL,
     "2:5: error: unknown name 'a'; a definition without a list of inputs has no free names\n"
     "2:1: note: missing ',' before 'b'?\n"},
    {"f(x) = x*(2 where a = 2)", NULL, NULL,
     "1:13: error: unexpected 'where'; expected an operator or ')'\n"},
    {"f(x) = a(x) b(x) = x", NULL, NULL, "1:8: error: unknown function 'a'\n"},
    {"f(x) = f(x", NULL, NULL,
     "1:11: error: unexpected end of the definition; expected an operator, ',', ';' or ')'\n"
     "1:9: note: to match this '('\n"},
    {"f(x) = \"x\"", NULL, NULL,
     "1:8: error: unexpected string; text stands only in 'use \"file.act\"'; comments begin with "
     "'#', documentation with '##'\n"},
    /* names */
    {"f(x) = sofplus(x)", NULL, NULL,
     "1:8: error: unknown function 'sofplus'; did you mean 'softplus'?\n"},
    {"f(x) = sin(y) + yy", NULL, NULL,
     "1:12: error: unknown name 'y'\n"
     "1:17: error: unknown name 'yy'\n"},
    {"f(xy) = yx", NULL, NULL, "1:9: error: unknown name 'yx'; did you mean 'xy'?\n"},
    {"f(x) = x\nf(x) = 2", NULL, NULL,
     "2:1: error: 'f' is defined twice\n"
     "1:1: note: 'f' is first defined here\n"},
    {"f(x, x) = x", NULL, NULL,
     "1:6: error: the name 'x' is used twice in 'f'\n"
     "1:3: note: 'x' is first defined here\n"},
    {"f(x; x = 1) = x", NULL, NULL,
     "1:6: error: the name 'x' is used twice in 'f'\n"
     "1:3: note: 'x' is first defined here\n"},
    {"f(x) = x where x = 1", NULL, NULL,
     "1:16: error: the name 'x' is used twice in 'f'\n"
     "1:3: note: 'x' is first defined here\n"},
    {"f(x) = b where b = c, c = 1", NULL, NULL,
     "1:20: error: 'c' is used before it is defined\n"
     "1:23: note: 'c' is defined here\n"},
    {"f(x; a = 1, b = a) = x", NULL, NULL,
     "1:17: error: a default is a constant: it cannot use 'a'\n"},
    {"f(x) = f(x)", NULL, NULL, "1:8: error: 'f' is recursive: a function cannot use itself\n"},
    {"f(x) = g(x)\ng(x) = h(x)\nh(x) = f(x)\nk(x) = f(x)", NULL, NULL,
     "3:8: error: 'f' is recursive: a function cannot use itself\n"
     "1:8: note: 'f' uses 'g' here\n"
     "2:8: note: 'g' uses 'h' here\n"
     "3:8: note: 'h' uses 'f' here\n"},
    {"f = f", NULL, NULL, "1:5: error: 'f' is recursive: a function cannot use itself\n"},
    {"f(x) = x > 0 ? x : y where y = z + x, z = 1", NULL, NULL,
     "1:32: error: 'z' is used before it is defined\n"
     "1:39: note: 'z' is defined here\n"},
    {"k = 2*k", NULL, NULL, "1:7: error: 'k' is recursive: a function cannot use itself\n"},
    {"f(x) = x(2)", NULL, NULL,
     "1:8: error: 'x' is an input, not a function; to multiply, write 'x*(…)'\n"},
    {"f(x; a = 1) = a(x)", NULL, NULL,
     "1:15: error: 'a' is a param, not a function; to multiply, write 'a*(…)'\n"},
    {"f(x) = pi(x)", NULL, NULL, "1:8: error: 'pi' is a constant, not a function\n"},
    {"k = 1\nf(x) = k(x)", NULL, NULL,
     "2:8: error: 'k' is a constant, not a function\n"
     "1:1: note: 'k' is defined here\n"},
    {"f(x) = relu", NULL, NULL,
     "1:8: error: 'relu' is a function: give it its arguments, as in 'relu(…)'\n"},
    {"f(x) = sin*2", NULL, NULL,
     "1:8: error: 'sin' is a function: give it its arguments, as in 'sin(…)'\n"},
    {"f(x) = sum(x)", NULL, NULL,
     "1:8: error: 'sum' is a reduction: name the axis, as in 'sum[d](…)' or 'sum[*](…)'\n"},
    {"f(x) = sum", NULL, NULL,
     "1:8: error: 'sum' is a reduction: name the axis, as in 'sum[d](…)' or 'sum[*](…)'\n"},
    {"f(x) = exp[d](x)", NULL, NULL,
     "1:8: error: 'exp' is not a reduction; those are sum, mean, max, min and prod\n"},
    {"f(x) = x grad y = 1", NULL, NULL,
     "1:15: error: 'y' is no input or learnable of 'f'; write 'grad x = …'\n"},
    {"f(x; p = 1) = x grad p = 1", NULL, NULL,
     "1:22: error: 'p' is no input or learnable of 'f'; write 'grad x = …'\n"},
    {"f(x) = x grad x = 1 grad x = 2", NULL, NULL,
     "1:26: error: the gradient for 'x' is given twice\n"
     "1:15: note: the first one is here\n"},
    {"k = x", NULL, NULL,
     "1:5: error: unknown name 'x'; a definition without a list of inputs has no free names: write "
     "'k(x) = …'\n"},
    {"k = pu", NULL, NULL,
     "1:5: error: unknown name 'pu'; a definition without a list of inputs has no free names; did "
     "you mean 'pi'?\n"},
    /* calls */
    {"f(x) = exp(x, 2)", NULL, NULL, "1:8: error: 'exp' takes 1 argument, not 2\n"},
    {"f(x) = max(x)", NULL, NULL, "1:8: error: 'max' takes at least 2 arguments, not 1\n"},
    {"f(x) = clamp(x)", NULL, NULL, "1:8: error: 'clamp' takes 3 arguments, not 1\n"},
    {"f(x) = elu(x, 1, 2)", NULL, NULL,
     "1:18: error: too many arguments: 'elu' takes 1 argument and 1 param\n"
     "14:1: note: 'elu' is defined here\n"},
    {"f(x) = elu()", NULL, NULL,
     "1:8: error: the input 'x' of 'elu' is missing\n"
     "14:1: note: 'elu' is defined here\n"},
    {"g(x; p) = p*x\nf(x) = g(x)", NULL, NULL,
     "2:8: error: 'p' has no default: give 'g' a value for it\n"
     "1:6: note: 'p' is defined here\n"},
    {"f(x) = elu(x, 2, alpha=1)", NULL, NULL, "1:24: error: the param 'alpha' is given twice\n"},
    {"f(x) = elu(x=1)", NULL, NULL,
     "1:12: error: 'x' is an input of 'elu': give it by its place, without a name\n"},
    {"f(x) = elu(x, alhpa=1)", NULL, NULL,
     "1:15: error: 'elu' has no param 'alhpa'; did you mean 'alpha'?\n"
     "14:1: note: 'elu' is defined here\n"},
    {"f(x) = elu(x; a=1)", NULL, NULL,
     "1:15: error: 'elu' has no param 'a'; it has 'alpha'\n"
     "14:1: note: 'elu' is defined here\n"},
    {"g(x; learn a) = a*x\nf(x) = g(x; a=1)", NULL, NULL,
     "2:13: error: 'a' is a learnable of 'g': it is an argument of the kernel, not of a call\n"},
    {"f(x) = elu(alpha=1, x)", NULL, NULL,
     "1:21: error: an argument without a name cannot follow one with a name\n"},
    {"f(x) = sin(x; 2)", NULL, NULL,
     "1:15: error: 'sin' has no params; give its arguments by their places\n"},
    {"f(x) = sin(x, p=2)", NULL, NULL,
     "1:15: error: 'sin' has no params; give its arguments by their places\n"},
    {"f = sin(2) → exp", NULL, NULL, "1:9: error: 'sin' has no params; write 'sin' alone\n"},
    {"f = relu(2) → exp", NULL, NULL,
     "1:10: error: 'relu' has no params; write 'relu' alone\n"
     "8:1: note: 'relu' is defined here\n"},
    {"f(x) = elu(x, x)", NULL, NULL,
     "1:15: error: the param 'alpha' needs a constant, and this depends on 'x'\n"
     "14:8: note: 'alpha' is defined here\n"},
    {"f(x) = x → pow", NULL, NULL,
     "1:12: error: a stage takes one value, and 'pow' takes 2 arguments\n"},
    {"f = exp → max", NULL, NULL,
     "1:11: error: a stage takes one value, and 'max' takes 2 arguments\n"},
    {"f(x) = x → 3", NULL, NULL,
     "1:12: error: a number is not a stage of a pipeline: a stage is a function's name, perhaps "
     "with params\n"},
    {"f = 3 → exp", NULL, NULL,
     "1:5: error: a number is not a stage of a pipeline: a stage is a function's name, perhaps "
     "with params\n"},
    {"f(x) = x → (x > 0)", NULL, NULL,
     "1:13: error: an expression is not a stage of a pipeline: a stage is a function's name, "
     "perhaps with params\n"},
    {"l(x[.., i]; learn W[o, i]) = sum[i](x*W)\nf = l(1, 2, 3)", NULL, NULL,
     "2:13: error: too many sizes: 'l' has 2 named axes\n"},
    {"l(x[.., i]; learn W[o, i]) = sum[i](x*W)\nf = l(1.5)", NULL, NULL,
     "2:7: error: the size of an axis is a whole number from 1 to 2^31 - 1\n"},
    {"f(x) = normal(2)", NULL, NULL, "1:8: error: 'normal' takes no arguments; for another range write 'm + s*normal()'\n"},
    {"f = elu(2, 3)", NULL, NULL,
     "1:12: error: too many arguments: 'elu' takes 1 param; here a call gives params only\n"
     "14:1: note: 'elu' is defined here\n"},
    {"f = sin → normal", NULL, NULL,
     "1:11: error: a stage takes one value, and 'normal' takes none\n"},
    {"f = relu → elu(1,2)", NULL, NULL,
     "1:18: error: too many arguments: 'elu' takes 1 param; here a call gives params only\n"
     "14:1: note: 'elu' is defined here\n"},
    /* kinds */
    {"f(x) = (x > 0) + 1", NULL, NULL,
     "1:9: error: expected a number, but this is a condition; write '… ? 1 : 0'\n"},
    {"f(x) = x ? 1 : 2", NULL, NULL,
     "1:8: error: expected a condition, but this is a number; write 'x != 0'\n"},
    {"f(x) = x + 1 and true", NULL, NULL,
     "1:8: error: expected a condition, but this is a number; write 'x + 1 != 0'\n"},
    {"f(x) = x > 0", NULL, NULL,
     "1:8: error: the result of 'f' is a condition, not a number; write '… ? 1 : 0'\n"},
    {"f(x) = x > 0 ? 1 : true", NULL, NULL,
     "1:8: error: one branch is a number, the other a condition\n"},
    {"f(x) = (x < 1) < 2 ? 1 : 2", NULL, NULL,
     "1:9: error: a condition is not compared: write 'c' for 'c == true', and 'not c' for 'c == "
     "false'\n"},
    {"f(x; a = true) = a*x", NULL, NULL,
     "1:18: error: expected a number, but this is a condition; write '… ? 1 : 0'\n"},
    {"f(x; a) = a ? a*x : 1", NULL, NULL,
     "1:15: error: expected a number, but this is a condition; write '… ? 1 : 0'\n"},
    {"f(x) = exp(x < 1)", NULL, NULL,
     "1:12: error: expected a number, but this is a condition; write '… ? 1 : 0'\n"},
    {"f(x; a = normal()) = a*x", NULL, NULL,
     "1:10: error: a default must be a constant, and this depends on 'normal'\n"},
    {"k = normal()", NULL, NULL,
     "1:5: error: a definition without inputs must be a constant, and this depends on 'normal'\n"},
    {"f(x; learn a = true) = a*x", NULL, NULL,
     "1:16: error: expected a number, but this is a condition; write '… ? 1 : 0'\n"},
    {"g(x; a = true) = a ? x : 1\nf(x) = g(x, 1)", NULL, NULL,
     "2:13: error: expected a condition, but this is a number; write 'true' or 'false'\n"},
    /* axes */
    {"f(x[d, d]) = x", NULL, NULL, "1:8: error: the axis 'd' stands twice in one list\n"},
    {"f(x[*]) = x", NULL, NULL, "1:5: error: '*' stands alone, and only in reductions\n"},
    {"f(x; learn a[..]) = a*x", NULL, NULL, "1:14: error: the axes of a learnable have names\n"},
    {"f(x; a[c] = 1) = a*x", NULL, NULL,
     "1:6: error: the param 'a' is a scalar; with axes it is a learnable: 'learn a[…]'\n"},
    {"f(x[.., d]) = sum[e](x)", NULL, NULL, "1:19: error: unknown axis 'e'; there is 'd'\n"},
    {"f(x[.., dim]) = sum[dum](x)", NULL, NULL,
     "1:21: error: unknown axis 'dum'; did you mean 'dim'?\n"},
    {"f(x) = sum[d](x)", NULL, NULL,
     "1:12: error: unknown axis 'd'; an input names its axes, as in 'x[.., d]'\n"},
    {"f(x[n, d]; learn a[d]) = sum[n](a)*x", NULL, NULL,
     "1:30: error: the argument of 'sum' has no axis 'n'\n"},
    {"f(x[d]) = sum[d, d](x)", NULL, NULL, "1:18: error: the axis 'd' stands twice in one list\n"},
    {"f(x[d]) = sum[d, *](x)", NULL, NULL,
     "1:18: error: '*' stands alone, and only in reductions\n"},
    {"f(x[.., d]) = sum[..](x)", NULL, NULL,
     "1:19: error: a reduction names its axes, or '*' for all of them\n"},
    {"f(x[d]) = sum[d](x, x)", NULL, NULL, "1:11: error: 'sum' takes 1 argument, not 2\n"},
    {"f(x[n], y[n, d]) = x*y grad x = y", NULL, NULL,
     "1:33: error: the gradient for 'x' must have the axes of 'x'\n"},
    /* allowed, but perhaps not meant */
    {"f(x) = x*x grad x = x", NULL, NULL,
     "1:21: warning: the gradient for 'x' is 0.43 where x = 0.43, but the derivative of 'f' is "
     "0.86 there\n"
     "1:21: note: in parentheses it counts as meant: 'grad x = (…)'\n"},
    {"relu(x; slope = 0) = max(0, x)", NULL, NULL,
     "1:1: note: this 'relu' hides the standard one, which takes other arguments\n"
     "8:1: note: 'relu' is defined here\n"},
    {"relu(y) = 2*y", NULL, NULL, ""},
    /* functions and settings */
    {"", "sofplus", NULL, "1:1: error: unknown function 'sofplus'; did you mean 'softplus'?\n"},
    {"", "2*3", NULL, "1:1: error: the expression has no inputs: there is nothing to compile\n"},
    {"k = 1", "k", NULL, "1:1: error: 'k' has no inputs: there is nothing to compile\n"},
    {"", "", NULL, "1:1: error: expected an expression\n"},
    {"", "x y", NULL, "1:3: error: unexpected 'y': is an operator or a comma missing before it?\n"},
    {"", "tanh → nowhere", NULL, "1:8: error: unknown function 'nowhere'\n"},
    {"", "x > 0", NULL,
     "1:1: error: the result of the expression is a condition, not a number; write '… ? 1 : 0'\n"},
    {"", "e", NULL, "1:1: error: the expression has no inputs: there is nothing to compile\n"},
    {"", "elu(alpha=x)", NULL, "1:11: error: unknown name 'x'\n"},
    {"", "elu", "alhpa=1", "1:1: error: 'elu' has no param 'alhpa'; did you mean 'alpha'?\n"},
    {"", "elu", "x=1", "1:1: error: 'x' is an input of 'elu', not a param\n"},
    {"f(x; learn a) = a*x", "f(2)", NULL, "1:3: error: too many sizes: 'f' has 0 named axes\n"},
    {"f(x; learn a) = a*x", "f", "a=1",
     "1:1: error: 'a' is a learnable of 'f', not a param: it is an array\n"},
    {"", "elu", "alpha=q", "1:1: error: unknown name 'q'\n"},
    {"", "elu", "alpha=1 <",
     "1:4: error: unexpected end of the expression; expected an expression\n"},
    {"", "elu", "alpha=1 < 2",
     "1:1: error: expected a number, but this is a condition; write '… ? 1 : 0'\n"},
    {"", "elu", "alpha=0/0", "1:1: error: the value of 'alpha' is not a number\n"},
    {"", "elu", "alpha=normal()",
     "1:1: error: the param 'alpha' needs a constant, and this depends on 'normal'\n"},
    {"f(x; p) = p*x", "f", NULL, "1:6: error: 'p' has no default: give 'f' a value for it\n"},
    {"", "tanh → elu", "alpha=1", "1:1: error: the expression has no param 'alpha'\n"},
    {"f(x;p=0/0) = p*x", "f", NULL, "1:7: error: the value of 'p' is not a number\n"},
    /* what is not there yet */
    {"f(x) = x*normal()", "f", NULL, "1:10: error: uniform() and normal() are not supported yet\n"},
};

START_TEST(reports) {
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        const Graph *g =
            lower(mistakes[i].text, mistakes[i].function ? mistakes[i].function : "relu",
                  mistakes[i].setting, TYPE_F32);
        if (mistakes[i].function) ck_assert_ptr_null(g);
        ck_assert_msg(strcmp(messages(), mistakes[i].messages) == 0, "%s\n got:\n%swant:\n%s",
                      mistakes[i].text, messages(), mistakes[i].messages);
        ck_assert_ptr_nonnull(reported());
    }
    /* What the functions of the API do not let happen: a module with errors is used. */
    Module *m = parse("f(x) = y\ng(x) = 2");
    ck_assert_ptr_null(frontend_function(m, &diags, source_of("", "f")));
    ck_assert_ptr_null(frontend_function(m, &diags, source_of("", "f(x) + 1")));
    ck_assert_ptr_null(frontend_lower(&arena, m, module_def(m, 0), TYPE_F32, NULL, 0, &diags));
    ck_assert_str_eq(messages(), "1:8: error: unknown name 'y'\n");
    /* One name set twice. */
    const Setting twice[] = {{"alpha", "1"}, {"alpha", "2"}};
    m = parse("");
    frontend_lower(&arena, m, frontend_function(m, &diags, source_of("", "elu")), TYPE_F32, twice,
                   2, &diags);
    ck_assert_str_eq(reported(), "--set:1:1: error: the param 'alpha' is set twice\n"
                                 "    1 | alpha=2\n      | ^~~~~\n");
}
END_TEST

START_TEST(shows_the_place) {
    /* A tab reaches to the next stop, a wide character takes two cells, and the caret stands below
     * its range. */
    parse("f(x) = 1*x\n\n\tg(x) =\tπ*sofplus(x) # 日本\nh(日) = x");
    ck_assert_str_eq(reported(),
                     "t.act:3:11: error: unknown function 'sofplus'; did you mean 'softplus'?\n"
                     "    3 |         g(x) =  π*sofplus(x) # 日本\n"
                     "      |                   ^~~~~~~\n"
                     "t.act:4:3: error: unexpected character '日'\n"
                     "    4 | h(日) = x\n"
                     "      |   ^~\n");
    /* A range over several lines ends with its first; a long line is cut to what is around the
     * range. */
    parse("f(x) = exp(x,\n  x)");
    ck_assert_str_eq(reported(), "t.act:1:8: error: 'exp' takes 1 argument, not 2\n"
                                 "    1 | f(x) = exp(x,\n"
                                 "      |        ^~~~~~\n");
    Buf b;
    buf_init(&b, &arena);
    buf_puts(&b, "f(x) = ");
    for (int i = 0; i < 100; i++) buf_puts(&b, "x + ");
    buf_puts(&b, "y");
    parse(b.s);
    ck_assert_ptr_nonnull(strstr(reported(), "t.act:1:408: error: unknown name 'y'\n    1 | …"));
    ck_assert_uint_lt(strlen(reported()), 300);
}
END_TEST

START_TEST(suggests) {
    static const struct {
        const char *name, *candidate;
        bool near;
    } cases[] = {{"sofplus", "softplus", true},
                 {"rleu", "relu", true},
                 {"Relu", "relu", true},
                 {"elu", "relu", true},
                 {"x", "y", false},
                 {"tanh", "softmax", false},
                 {"ab", "ba", true},
                 {"foo", "bar", false},
                 {"", "a", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg((diag_nearer(cases[i].name, cases[i].candidate, NULL) != NULL) ==
                          cases[i].near,
                      "%s", cases[i].name);
    ck_assert_str_eq(diag_nearer("relu", "elu", "relu6"), "relu6"); /* the first of equals */
    ck_assert_str_eq(diag_nearer("sofplus", "softplus", "softsign"), "softplus");
}
END_TEST

/* ---- texts of any size ---- */

static char *repeat(const char *head, const char *part, size_t n, const char *tail) {
    const size_t h = strlen(head), p = strlen(part), t = strlen(tail);
    char *s = malloc(h + n * p + t + 1), *at = s;
    memcpy(at, head, h);
    at += h;
    for (size_t i = 0; i < n; i++, at += p) memcpy(at, part, p);
    memcpy(at, tail, t + 1);
    return s;
}

/* ---- files ---- */

/* Files by name: pairs of name and text, ended by NULL. A name that ends in '*' is the head of any
 * name. */
static bool read_given(void *user, Arena *a, const char *path, const char **text, size_t *len,
                       const char **why) {
    (void)a;
    *why = "there is no such file";
    for (const char *const *f = user; *f; f += 2) {
        const size_t n = strlen(*f);
        if ((*f)[n - 1] == '*' ? strncmp(*f, path, n - 1) != 0 : strcmp(*f, path) != 0) continue;
        *text = f[1];
        *len = strlen(f[1]);
        return true;
    }
    return false;
}

static Module *parse_files(const char *const *files) {
    const Loader loader = {read_given, (void *)files};
    diags_init(&diags, &arena);
    return frontend_parse(&arena, &names, &diags, source_of(files[0], files[1]), library, &loader);
}

START_TEST(uses_files) {
    static const struct {
        const char *files[9], *graph, *messages;
    } cases[] = {
        {{"d/a.act", "use \"b.act\"\nf(x) = g(x)", "d/b.act", "g(x) = 2*x"}, "f(x) = 2*x\n", ""},
        {{"d/a.act", "use \"../e/./b.act\"\nf(x) = g(x)", "e/b.act", "g(x) = 2*x"},
         "f(x) = 2*x\n",
         ""},
        {{"<stdin>", "f(x) = g(x) use \"/b.act\"", "/b.act", "g(x) = 2*x"}, "f(x) = 2*x\n", ""},
        /* what a used file uses is there too; each file is read once */
        {{"a", "use \"b\" use \"c\" f(x) = g(x)*h(x)", "b", "use \"c\" g(x) = h(x)", "c",
          "h(x) = 2*x"},
         "f(x) = 2*x*(2*x)\n",
         ""},
        {{"a", "use \"b\" use \"c\" f(x) = g(x)", "b", "g(x) = 1*x", "c", "g(x) = 2*x"},
         "f(x) = 2*x\n",
         "1:9: note: the 'g' of 'c' hides the one of 'b'\n1:1: note: 'g' is defined here\n"},
        {{"a", "use \"b\" f(x) = g(x) g(x) = x", "b", "g(x) = 2*x"},
         "f(x) = x\n",
         "1:21: note: this 'g' hides the one of 'b'\n1:1: note: 'g' is defined here\n"},
        {{"a", "use \"b\" f(x) = g(x)", "b", "relu(x) = 2*x g(x) = relu(x)"}, "f(x) = 2*x\n", ""},
        {{"a", "use \"a\" f(x) = x"}, NULL, "1:1: error: the file 'a' uses itself\n"},
        {{"a", "use \"b\" f(x) = x", "b", "use \"c\" g(x) = h(x)", "c", "use \"a\" h(x) = 2"},
         NULL,
         "1:1: error: the file 'a' uses itself\n1:1: note: 'b' is used here\n1:1: note: 'c' is "
         "used here\n"},
        /* a file that is not there makes no other errors */
        {{"a", "use \"b\" f(x) = g(x) + y k = z"},
         NULL,
         "1:1: error: cannot read 'b': there is no such file\n"},
        {{"a", "use \"b\" f(x) = g(x)", "b", "g(x) = y"}, NULL, "1:8: error: unknown name 'y'\n"},
        {{"d/a", "use \"d*/a\" f(x) = x", "d/d*", "use \"d/a\""},
         NULL,
         "1:1: error: files use each other more than 30 levels deep\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Module *m = parse_files(cases[i].files);
        ck_assert_msg(strcmp(messages(), cases[i].messages) == 0, "%zu: %s", i, messages());
        if (!cases[i].graph) continue;
        const Graph *g = frontend_lower(&arena, m, frontend_function(m, &diags, source_of("", "f")),
                                        TYPE_F32, NULL, 0, &diags);
        ck_assert_ptr_nonnull(g);
        if (!strstr(printed(g), "where")) ck_assert_str_eq(printed(g), cases[i].graph);
    }
    Buf b;
    buf_init(&b, &arena);
    for (int i = 0; i < 200; i++) buf_printf(&b, "use \"f%d\"\n", i);
    parse_files((const char *const[]){"a", b.s, "f*", "g(x) = x", NULL});
    ck_assert_ptr_nonnull(strstr(reported(), "error: more than 100 files are used"));
    char *large = repeat("# ", "x", LIMIT_TEXT / 2 + 10, "");
    parse_files((const char *const[]){"a", "use \"b\" use \"c\"", "b", large, "c", large, NULL});
    ck_assert_str_eq(messages(),
                     "1:9: error: the files that are used have more than 16 MB together\n");
    free(large);
}
END_TEST

/* ---- overrides ---- */

START_TEST(compares_overrides) {
    static const struct {
        const char *text;
        bool warns;
    } cases[] = {
        {"f(x) = round(x) grad x = 1", false},
        {"f(x) = round(x) grad x = x*x", false}, /* round has no derivative of its own */
        {"f(x) = clamp(round(4*x)/4, -1, 1) grad x = -1 < x < 1 ? 1 : 0", false},
        {"f(x) = x grad x = -1", false}, /* a constant */
        {"f(x; s = 2) = x grad x = -s", false},
        {"f(x) = s where s = 1/(1 + exp(-x)) grad x = s*(1 - s)", false}, /* right */
        {"f(x) = s where s = 1/(1 + exp(-x)) grad x = s*(1 + s)", true},
        {"f(x) = s where s = 1/(1 + exp(-x)) grad x = (s*(1 + s))", false}, /* meant */
        {"f(x) = s where s = 1/(1 + exp(-x)) grad x = (s)*(1 + s)", true},
        {"f(x; a) = a*x^2 grad x = 2*a*x", false},
        {"f(x; a) = a ? x^2 : x grad x = 2*x", true},
        {"f(x, y) = x*y grad x = y grad y = x", false},
        {"f(x, y) = x*y grad y = 2*x", true},
        {"f(x) = log(x) grad x = 1/x", false},
        {"f(x[.., d]) = x*x grad x = x", true},
        {"f(x[.., d]) = x*sum[d](x) grad x = x", false}, /* a reduction: not tried */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        parse(cases[i].text);
        ck_assert_uint_eq(diags.errors, 0);
        const bool warned = diags.count > 0 && diags.items[0].id == DIAG_GRAD_DIFFERS;
        ck_assert_msg(warned == cases[i].warns, "%s: %s", cases[i].text, reported());
        ck_assert_uint_eq(diags.count, warned ? 2 : 0);
    }
}
END_TEST

START_TEST(formats) {
    static const char *const cases[][2] = {
        {"", ""},
        {"#c", "#c\n"},
        {"f(x)=x#c", "f(x) = x  #c\n"},
        {"\n\n\nf(x)=(x)\n\n\n\ng(x)=x\nh(x)=x", "f(x) = x\n\ng(x) = x\nh(x) = x\n"},
        {"f(x)=a where a=x,b=a", "f(x) = a\n    where a = x, b = a\n"},
        {"f(x)=a where a=x,#1\nb=a#2", "f(x) = a\n    where a = x,  #1\n          b = a  #2\n"},
        {"f(x) = x ## no doc\ng(x)=x", "f(x) = x  ## no doc\ng(x) = x\n"},
        {"use   \"a#b\"f(x)=x", "use \"a#b\"\nf(x) = x\n"},
        {"f(x)=x grad x = ((1))", "f(x) = x\n    grad x = (1)\n"},
        {"\xef\xbb\xbf f(x) = x\r\n\r\n# c \t\r\n", "f(x) = x\n\n# c\n"},
        {"f(x)= #a\n#b\n x +#c\n#d\n1 #e\n", "f(x) =  #a\n    #b\n    x + 1  #c\n#d\n#e\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i][0];
        for (int again = 0; again < 2; again++) {
            Buf b;
            buf_init(&b, &arena);
            ck_assert(frontend_format(&arena, &names, &diags, source_of("t.act", text), &b));
            ck_assert_str_eq(b.s, cases[i][1]);
            text = b.s;
        }
    }
    Buf b;
    buf_init(&b, &arena);
    ck_assert(!frontend_format(&arena, &names, &diags, source_of("t.act", "f(x) ="), &b));
}
END_TEST

/* ---- hostile texts ---- */

START_TEST(bounds_nesting) {
    static const struct {
        const char *head, *part;
        size_t n;
        const char *tail, *function; /* NULL: refused */
    } cases[] = {
        {"f(x) = ", "(", 100000, "x", NULL},
        {"f(x) = ", "x+", 1000000, "x", NULL},
        {"f(x) = ", "x^", 100000, "x", NULL},
        {"f(x) = ", "-", 100000, "x", NULL},
        {"f(x) = ", "x>0 ? x : ", 50000, "x", NULL},
        {"f(x) = ", "x>0 ? ", 50000, "x", NULL},
        {"f(x) = ", "√", 50000, "x", NULL},
        {"f(x) = ", "!", 50000, "x", NULL},
        {"f(x) = ", "x<", 50000, "x", NULL},
        {"f = ", "relu→", 50000, "relu", NULL},
        {"f(x) = ", "exp(", 50000, "x", NULL},
        {"f(x) = ", "sum[", 50000, "x", NULL},
        {"f(x) = ", "x+", 990, "x", "f"},
        {"f(x) = ", "x^", 990, "x", "f"},
        {"f(x) = ", "-", 990, "x", "f"},
        {"f(x) = ", "x>0 ? x : ", 990, "x", "f"},
        {"f = ", "relu→", 990, "relu", "f"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeat(cases[i].head, cases[i].part, cases[i].n, cases[i].tail);
        const Graph *g = lower(text, "f", NULL, TYPE_F32);
        if (cases[i].function) {
            ck_assert_msg(g != NULL, "%s: %s", cases[i].part, reported());
        } else {
            ck_assert_uint_eq(diags.errors, 1);
            ck_assert_msg(diags.items[0].id == DIAG_TOO_DEEP, "%s: %s", cases[i].part, reported());
            ck_assert_uint_lt(strlen(reported()), 1000);
        }
        free(text);
    }
}
END_TEST

START_TEST(bounds_inlining) {
    Buf b;
    for (int kind = 0; kind < 2; kind++) {
        buf_init(&b, &arena);
        buf_puts(&b, "f0(x) = x*x\n");
        for (int i = 0; i < 30; i++)
            buf_printf(&b, kind ? "f%d(x) = f%d(x + 1)*f%d(x + 2)\n" : "f%d(x) = f%d(x)*f%d(x)\n",
                       i + 1, i, i);
        const Graph *g = lower(b.s, "f30", NULL, TYPE_F32);
        if (kind == 0) {
            ck_assert_ptr_nonnull(g);
            ck_assert_uint_lt(g->nnodes, 40);
        } else {
            ck_assert_ptr_null(g);
            ck_assert_int_eq(diags.items[0].id, DIAG_TOO_LARGE);
        }
    }
    buf_init(&b, &arena);
    buf_puts(&b, "f0(x) = x\n");
    for (int i = 0; i < 5000; i++) buf_printf(&b, "f%d(x) = f%d(x)\n", i + 1, i);
    ck_assert_ptr_nonnull(lower(b.s, "f500", NULL, TYPE_F32));
    ck_assert_ptr_null(lower(b.s, "f5000", NULL, TYPE_F32));
    ck_assert_int_eq(diags.items[0].id, DIAG_INLINE_DEPTH);
}
END_TEST

START_TEST(bounds_sizes) {
    char *text = repeat("# ", "x", LIMIT_TEXT, "");
    parse(text);
    ck_assert_int_eq(diags.items[0].id, DIAG_FILE_TOO_LARGE);
    free(text);
    text = repeat("", "f", 300, "(x) = x");
    parse(text);
    ck_assert_int_eq(diags.items[0].id, DIAG_NAME_TOO_LONG);
    free(text);
    text = repeat("f(x) = x*0.", "3", 1000, "");
    ck_assert_ptr_nonnull(lower(text, "f", NULL, TYPE_F32));
    free(text);
    text = repeat("f(x) = x*0.", "3", 5000, "");
    parse(text);
    ck_assert_int_eq(diags.items[0].id, DIAG_NAME_TOO_LONG);
    free(text);
    text = repeat("f(x) = ", "sofplus(x) + ", 300, "x");
    parse(text);
    ck_assert_uint_eq(diags.count, DIAG_MAX_ERRORS + 1);
    ck_assert_int_eq(diags.items[DIAG_MAX_ERRORS].id, DIAG_NOTE_TOO_MANY);
    free(text);
    Buf b;
    buf_init(&b, &arena);
    buf_puts(&b, "f(x[a");
    for (int i = 0; i < 40; i++) buf_printf(&b, ", a%d", i);
    buf_puts(&b, "]) = x");
    parse(b.s);
    ck_assert_int_eq(diags.items[0].id, DIAG_AXES_TOO_MANY);
    buf_init(&b, &arena);
    buf_puts(&b, "max(a");
    for (int i = 0; i < 2000; i++) buf_printf(&b, ", a%d", i);
    buf_puts(&b, ")");
    ck_assert_ptr_null(lower("", b.s, NULL, TYPE_F32));
    ck_assert_int_eq(diags.items[diags.count - 1].id, DIAG_TOO_MANY_INPUTS);
}
END_TEST

START_TEST(survives_bytes) {
    static const char nul[] = "f(x) = x\0 + 1\ng(x) = sofplus(x)";
    diags_init(&diags, &arena);
    frontend_parse(&arena, &names, &diags,
                   (Source){.name = "t.act", .text = nul, .len = sizeof nul - 1}, library, NULL);
    ck_assert_str_eq(messages(),
                     "1:9: error: a NUL byte in the text\n"
                     "2:8: error: unknown function 'sofplus'; did you mean 'softplus'?\n");
    /* Noise over the language's own pieces, with a fixed seed. */
    static const char *const pieces[] = {
        "f",      "(",       ")",   "x",    "=",        "\n", "where ", "grad ", "learn ",
        ",",      ";",       "[",   "]",    "..",       "2",  "+",      "-",     "*",
        "^",      "√",       "→",   "?",    ":",        "<",  "==",     "not ",  "true",
        "sum",    "relu",    " ",   "use ", "\"",       "#",  "##",     "\xff",  "α",
        "elu(x)", "f(x) = ", "1e9", "and ", "normal()", "*",  "sum[d]("};
    uint64_t state = 1;
    for (int i = 0; i < 20000; i++) {
        Buf b;
        buf_init(&b, &arena);
        for (int n = 0; n < 40; n++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            if (state >> 60 == 0) break;
            buf_puts(&b, pieces[(state >> 33) % (sizeof pieces / sizeof *pieces)]);
        }
        Module *m = parse(b.s);
        Buf all;
        buf_init(&all, &arena);
        for (size_t k = 0; k < module_def_count(m); k++) def_print(module_def(m, k), &all);
        if (!diags.errors && module_def_count(m))
            lower(b.s, def_name(module_def(m, 0)), NULL, TYPE_F32);
        lower("", b.s, NULL, TYPE_F32);
        reported();
        if (i % 100 == 0) { /* start again, lest memory grows */
            teardown();
            setup();
        }
    }
}
END_TEST

/* Allocation number k fails, for k = 1, 2, …, until all succeed: nothing leaks (the sanitizer
 * looks), nothing hangs. */
static size_t allocations_left;

static void *scarce(void *user, void *p, size_t n) {
    (void)user;
    if (n == 0) {
        free(p);
        return NULL;
    }
    if (allocations_left == 0) return NULL;
    allocations_left--;
    return realloc(p, n);
}

START_TEST(survives_no_memory) {
    static const char text[] = "hidden = tanh → leaky_relu(0.03)\nf(x; p = 1) = hidden(x)*p where "
                               "a = x\ng(x) = sofplus(x)\n";
    char *large = repeat(text, "h(x) = x*(2 + exp(x))\n", 1000, "");
    volatile size_t failures = 0;
    for (volatile size_t k = 0;; k++) {
        Arena a;
        jmp_buf out;
        arena_init(&a, (Allocator){scarce, NULL}, 0, &out);
        allocations_left = k;
        if (setjmp(out) == 0) {
            Intern in;
            Diags d;
            intern_init(&in, &a);
            diags_init(&d, &a);
            const Module *lib = frontend_library(&a, &in, &d);
            Module *m = frontend_parse(&a, &in, &d, source_of("t.act", large), lib, NULL);
            const Def *f = frontend_function(m, &d, source_of("", "hidden → sin"));
            if (f) frontend_lower(&a, m, f, TYPE_F32, NULL, 0, &d);
            arena_free(&a);
            break;
        }
        failures = failures + 1;
        arena_free(&a);
    }
    free(large);
    ck_assert_uint_gt(failures, 3);
}
END_TEST

int main(void) {
    Suite *s = suite_create("frontend");
    TCase *t = tcase_create("frontend");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 300);
    tcase_add_test(t, means);
    tcase_add_test(t, prints);
    tcase_add_test(t, accepts_the_whole_language);
    tcase_add_test(t, computes);
    tcase_add_test(t, rounds_params);
    tcase_add_test(t, reports);
    tcase_add_test(t, shows_the_place);
    tcase_add_test(t, suggests);
    tcase_add_test(t, uses_files);
    tcase_add_test(t, compares_overrides);
    tcase_add_test(t, formats);
    tcase_add_test(t, bounds_nesting);
    tcase_add_test(t, bounds_inlining);
    tcase_add_test(t, bounds_sizes);
    tcase_add_test(t, survives_bytes);
    tcase_add_test(t, survives_no_memory);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
