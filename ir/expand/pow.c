/* pow, as IEEE 754 and C's Annex F have it: |a|^b = exp(b*log|a|), with the sign of an odd integer power of a negative a.
 * f32 computes this in f64 and rounds once.
 *
 * claim: pow f32 max 4 ulp, observed */
#include "expand/expand.h"

/* The magnitude of pow: f32. */
static Node *power_f32(Graph *g, Node *x, Node *b) {
    Node *w = widen(g, x);
    Node *l = sel(g, eq(g, x, num(g, x, 0)), num(g, w, -__builtin_inf()), log_wide(g, w));
    Node *t = mul(g, widen(g, b), l);
    return narrow(g, exp_wide(g, at_most(g, at_least(g, t, -110), 90)));
}

static Node *is_integer(Graph *g, Node *b) { return eq(g, graph_op(g, OP_TRUNC, b, NULL, NULL), b); }

Node *expand_pow(Graph *g, Node *a, Node *b) {
    Node *zero = num(g, a, 0), *one = num(g, a, 1), *x = mag(g, a);
    /* An infinite exponent would give 0*inf for |a| = 1; the largest finite one does what it should. */
    const double most = is_f64(a) ? 0x1.fffffffffffffp1023 : 0x1.fffffep127;
    Node *y = power_f32(g, x, at_most(g, at_least(g, b, -most), most));
    Node *integer = is_integer(g, b), *even = is_integer(g, mul(g, b, num(g, b, 0.5)));
    Node *odd = both(g, integer, not_(g, even)), *sign = sign_of(g, a);
    y = with_sign(g, y, sel(g, odd, sign, inum(g, sign, 0)));
    Node *negative = both(g, lt(g, a, zero), lt(g, num(g, a, -__builtin_inf()), a));
    y = sel(g, both(g, negative, not_(g, either(g, integer, graph_op(g, OP_NE, b, b, NULL)))),
            num(g, a, __builtin_nan("")), y);
    return sel(g, either(g, eq(g, a, one), eq(g, b, zero)), one, y);
}
