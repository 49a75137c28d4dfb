"""Numbers in parts that ../*.c use: python3 parts.py (needs mpmath)."""
import mpmath as mp

mp.mp.prec = 2000


def rounded(v, bits):
    scale = mp.mpf(2) ** (bits - 1 - mp.floor(mp.log(abs(v), 2)))
    return mp.nint(v * scale) / scale


def parts(name, v, *bits):
    out = []
    for b in bits:
        p = rounded(v, b)
        out.append(float(p).hex())
        v -= p
    print(name, *out)


ln2, turn = mp.log(2), 2 / mp.pi
parts("ln 2, exp f32", ln2, 24, 24)
parts("ln 2, exp f64", ln2, 53, 53)
parts("ln 2, log f32", ln2, 12, 24)
high = mp.floor(ln2 * 2**32) / 2**32
print("ln 2, log f64", float(high).hex(), float(ln2 - high).hex())
parts("log2(e)", 1 / ln2, 53, 53)
parts("sqrt(2)", mp.sqrt(2), 53, 53)
parts("pi/2, invtrig f32", mp.pi / 2, 24, 24)
parts("pi/2, trig f32", mp.pi / 2, 23, 24, 24)
parts("pi/2, trig f64", mp.pi / 2, 53, 53, 53)
print("2/pi by 28 bits", *(float(mp.mpf(int(turn * mp.mpf(2) ** (28 * (i + 1))) & (1 << 28) - 1) / mp.mpf(2) ** (28 * (i + 1))).hex() for i in range(7)))
parts("2/pi", turn, 53)
parts("2/pi, trig f32", turn, 24)
parts("sqrt(1/2), log f32", mp.sqrt(mp.mpf(1) / 2), 24)
parts("1/sqrt(pi)", 1 / mp.sqrt(mp.pi), 53)
bits = int(turn * mp.mpf(2) ** 1400)
print("2/pi behind 53 zeros", *("0x%016x" % (bits >> 1453 - 64 * (k + 1) & (1 << 64) - 1) for k in range(19)))
