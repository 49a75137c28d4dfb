#!/usr/bin/env python3
"""Writes library.txt, the expected values of the standard library: library.py REF >library.txt.

REF is a folder of reference tables (columns x_dec, f_hex, d1_hex, d1_scale_hex; computed with mpmath at 768 bits and more);
about 40 points of each are taken. Functions that have no table are computed here, with mpmath at 300 bits, from formulas
that are written apart from examples/*.act."""
import struct, sys
from mpmath import mp, mpf, exp, log, sqrt, tanh

mp.prec = 300
TABLES = [  # table, function, settings
    ("sigmoid", "sigmoid", ""), ("tanh", "tanh", ""), ("relu", "relu", ""), ("leaky_relu_001", "leaky_relu", ""),
    ("elu", "elu", ""), ("elu_a05", "elu", "alpha=0.5"), ("selu", "selu", ""), ("celu", "celu", ""),
    ("celu_a2", "celu", "alpha=2"), ("relu6", "relu6", ""), ("hardtanh", "hardtanh", ""), ("hardtanh", "clip", ""),
    ("hardsigmoid", "hardsigmoid", ""), ("hardswish", "hardswish", ""), ("softplus", "softplus", ""),
    ("softplus_b2", "softplus", "beta=2"), ("softsign", "softsign", ""), ("tanhshrink", "tanhshrink", ""),
    ("softshrink", "softshrink", ""), ("hardshrink", "hardshrink", ""), ("threshold", "threshold", "threshold=0.1 value=20"),
    ("logsigmoid", "logsigmoid", ""), ("silu", "silu", ""), ("swish_b15", "swish", "beta=1.5"), ("mish", "mish", ""),
    ("gelu", "gelu", ""), ("gelu_tanh", "gelu_tanh", ""), ("quick_gelu", "quick_gelu", ""),
    ("squared_relu", "squared_relu", ""), ("exp", "exponential", ""), ("gaussian", "gaussian", ""),
    ("snake_a1", "snake", ""), ("snake_a07", "snake", "f=0.7"), ("logcosh", "log_cosh", "")]
f32 = lambda v: mpf(struct.unpack("f", struct.pack("f", v))[0])
FORMULAS = {  # value, derivative, sum of |terms of the derivative| where that is more than one
    "identity": (lambda x: x, lambda x: 1),
    "square": (lambda x: x*x, lambda x: 2*x),
    "lisht": (lambda x: x*tanh(x), lambda x: tanh(x) + x/mp.cosh(x)**2),
    "squareplus": (lambda x: (x + sqrt(x*x + 4))/2, lambda x: (1 + x/sqrt(x*x + 4))/2),
    "sparse_plus": (lambda x: 0 if x <= -1 else x if x >= 1 else (x + 1)**2/4, lambda x: 0 if x <= -1 else 1 if x >= 1 else (x + 1)/2),
    "sparse_sigmoid": (lambda x: min(max(x + 1, 0), 2)/2, lambda x: mpf(-1 < x < 1)/2),
    "thresholded_relu": (lambda x: x if x > 1 else 0, lambda x: x > 1),
    "shrink": (lambda x: x if abs(x) > 0.5 else 0, lambda x: abs(x) > 0.5),
    "xielu": (lambda x: mpf("0.8")*x*x + x/2 if x > 0 else mpf("0.8")*(mp.expm1(min(x, f32(-1e-6))) - x) + x/2,
              lambda x: mpf("1.6")*x + 0.5 if x > 0 else mpf("0.8")*((exp(x) if x <= f32(-1e-6) else 0) - 1) + 0.5,
              lambda x: mpf("0.8")*abs(x if x > 0 else mp.expm1(x)) + 0.5),
    "logit": (lambda x: log(x/(1 - x)), lambda x: 1/(x*(1 - x))),
    "log1mexp": (lambda x: log(1 - exp(-x)), lambda x: 1/mp.expm1(x))}
POINTS = [-100, -20, -8.5, -3, -1, -0.75, -0.5, -0.25, -1e-3, -1e-7, -1e-30, 0, 1e-30, 1e-7, 1e-3, 0.25, 0.3, 0.5, 0.6931, 0.75, 0.9,
          1, 3, 8.5, 20, 60]
DOMAIN = {"logit": (1e-30, 0.95), "log1mexp": (1e-30, 60)}

def hexed(v): return float(v).hex()

def main(ref):
    print("# Made by library.py: name settings, then for each point x, f(x), f'(x), sum of |terms of f'|.")
    for table, name, settings in TABLES:
        lines = [l.rstrip("\n").split("\t") for l in open(f"{ref}/{table}.tsv") if not l.startswith("#")]
        head, rows = lines[0], lines[1:]
        at = {c: head.index(c) for c in ("x_bits", "f_hex", "d1_hex", "d1_scale_hex")}
        print(name, settings)
        step = max(1, len(rows)//40)
        for i, r in enumerate(rows):
            x = struct.unpack(">f", bytes.fromhex(r[at["x_bits"]]))[0]
            # plain results only: subnormal ones have their own tests
            if (i % step and abs(x) not in (0, 0.5, 1, 3, 6)) or abs(x) > 88: continue
            print("\t" + "\t".join([x.hex()] + [r[at[c]] for c in ("f_hex", "d1_hex", "d1_scale_hex")]))
    for name, (f, d, *terms) in FORMULAS.items():
        print(name)
        lo, hi = DOMAIN.get(name, (-1000, 1000))
        for p in POINTS:
            if lo <= p <= hi:
                x = f32(p)
                print("\t" + "\t".join([hexed(x), hexed(f(x)), hexed(d(x)), hexed(terms[0](x) if terms else abs(d(x)))]))

main(sys.argv[1])
