"""The constants of erfcx and normcdf in ../erf.c: python3 erfcx.py (needs mpmath).

erfcx(x) = r*P(r), r = 1/(x + K): P is analytic on [0, 1/K], and a Chebyshev interpolant is near enough to minimax."""
import mpmath as mp

mp.mp.prec = 300


def erfcx(x):
    if x < 60:
        return mp.exp(x * x) * mp.erfc(x)
    z, s, t = 1 / (2 * x * x), mp.mpf(1), mp.mpf(1)
    for k in range(1, 40):
        t *= -(2 * k - 1) * z
        s += t
    return s / mp.sqrt(mp.pi) / x


def chebyshev(f, a, b, degree):
    """The interpolant's coefficients in powers of (x - mid)/half, and its largest error seen."""
    n = degree + 1
    nodes = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / n) for k in range(n)]
    mid, half = (a + b) / 2, (b - a) / 2
    values = [f(mid + half * t) for t in nodes]
    c = [sum(values[k] * mp.cos(mp.pi * j * (k + mp.mpf(1) / 2) / n) for k in range(n)) * 2 / n for j in range(n)]
    c[0] /= 2
    # Chebyshev to monomial
    t0, t1 = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    out = [mp.mpf(0)] * n
    for j in range(n):
        for i, v in enumerate(t0):
            out[i] += c[j] * v
        t2 = [mp.mpf(0)] + [2 * v for v in t1]
        for i, v in enumerate(t0):
            t2[i] -= v
        t0, t1 = t1, t2
    return out, mid, half


def shifted(c, mid, half):
    """The same polynomial in powers of x."""
    out = [mp.mpf(0)]
    for v in reversed(c):
        new = [mp.mpf(0)] * (len(out) + 1)
        for i, o in enumerate(out):
            new[i + 1] += o / half
            new[i] -= o * mid / half
        new[0] += v
        out = new
    return out[:len(c)]


def show(name, c, f, a, b):
    c = [mp.mpf(float(v)) for v in c]
    worst = max(abs(mp.polyval(c[::-1], x) / f(x) - 1) for x in (a + (b - a) * k / 997 for k in range(1, 998)))
    print("//", name, "relative error 2^%.1f" % float(mp.log(worst, 2)))
    print("    " + ", ".join(float(v).hex() for v in c))


def show_single(name, c, f, a, b):
    """The coefficients rounded to f32: the even ones, then the odd ones."""
    c = [mp.mpf(float(mp.nint(mp.ldexp(v, 24 - mp.frexp(v)[1])) * mp.mpf(2) ** (mp.frexp(v)[1] - 24))) for v in c]
    worst = max(abs(mp.polyval(c[::-1], x) - f(x)) for x in (a + (b - a) * k / 997 for k in range(998)))
    print("//", name, "absolute error 2^%.1f" % float(mp.log(worst, 2)))
    for first in (0, 1):
        print("    " + ", ".join(float(v).hex().replace("0000000p", "p") for v in c[first::2]))


def ratio(k):
    return lambda r: erfcx(1 / r - k) / r if r else 1 / mp.sqrt(mp.pi)


if __name__ == "__main__":
    K = mp.mpf(5) / 2
    f = ratio(K)
    for d in (12, 13):
        show("erfcx wide, K = 2.5", shifted(*chebyshev(f, mp.mpf(0), 1 / K, d)), f, mp.mpf(0), 1 / K)

    # f64: erfcx(x)*(1 + 2x) = 1 + (1 + q)*N(q), q = (x - K)/(x + K) in [-1, 1]
    K = mp.mpf(4)

    def n_of(q):
        if q == 1:
            return 1 / mp.sqrt(mp.pi) - mp.mpf(1) / 2
        x = K * (1 + q) / (1 - q)
        return (erfcx(x) * (1 + 2 * x) - 1) / (1 + q)

    for d in (26,):
        c, mid, half = chebyshev(n_of, mp.mpf(-1), mp.mpf(1), d)
        show("N, f64", c, n_of, mp.mpf(-1), mp.mpf(1))

    # f32: normcdf(-z)*exp(z^2/2) = y*(1 + D(w)), y = C/(z + K), w = 4.5*y - 1.125, for z in [0, 14.2]
    K, C = mp.mpf(9) / 8, mp.mpf(71) / 128

    def d_of(w):
        y = (w + mp.mpf(9) / 8) / mp.mpf(4.5)
        return erfcx((C / y - K) / mp.sqrt(2)) / 2 / y - 1

    a, b = (mp.mpf(4.5) * C / (z + K) - mp.mpf(9) / 8 for z in (mp.mpf("14.2"), 0))
    show_single("D, normcdf f32", shifted(*chebyshev(d_of, a, b, 14)), d_of, a, b)
