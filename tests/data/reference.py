#!/usr/bin/env python3
"""Writes reference.txt, exact values of whole functions: reference.py REF >reference.txt.

REF is a folder of reference tables (columns x_bits, f_hex, d1_hex, d1_left_hex, d1_right_hex, d1_scale_hex), computed with
mpmath at 768 and 1536 bits and rounded once to double; all their points are taken."""
import re, struct, sys

S = "1/(1+exp(-x))"
BCE = f"-(PARAM*log({S})+(1-PARAM)*log(1-{S}))"
TABLES = [  # table, function or formula and settings; PARAM is the table's parameter, a float
    ("sigmoid", "sigmoid"), ("tanh", "tanh"), ("relu", "relu"), ("leaky_relu_001", "leaky_relu negative_slope=PARAM"),
    ("leaky_relu_003", "leaky_relu negative_slope=PARAM"), ("prelu", "leaky_relu negative_slope=PARAM"), ("elu", "elu"),
    ("elu_a05", "elu alpha=PARAM"), ("selu", "selu"),
    ("selu_f32c", "1.05070102214813232421875*(x>0?x:1.67326319217681884765625*(exp(x)-1))"), ("celu", "celu"),
    ("celu_a2", "celu alpha=PARAM"), ("relu6", "relu6"), ("hardtanh", "hardtanh"), ("hardsigmoid", "hardsigmoid"),
    ("hardswish", "hardswish"), ("softplus", "softplus"), ("softplus_t20", "x>20?x:log(1+exp(x))"),
    ("softplus_b2", "softplus beta=PARAM"), ("softsign", "softsign"), ("tanhshrink", "tanhshrink"),
    ("softshrink", "softshrink"), ("hardshrink", "hardshrink"), ("threshold", "threshold threshold=PARAM value=20"),
    ("logsigmoid", "logsigmoid"), ("silu", "silu"), ("swish_b15", "swish beta=PARAM"), ("mish", "mish"), ("gelu", "gelu"),
    ("gelu_tanh", "gelu_tanh"),
    ("gelu_tanh_f32c", "0.5*x*(1+tanh(0.79788458347320556640625*(x+0.0447149984538555145263671875*x^3)))"),
    ("quick_gelu", "quick_gelu"), ("quick_gelu_f32c", "x/(1+exp(-1.70200002193450927734375*x))"),
    ("squared_relu", "squared_relu"), ("exp", "exponential"), ("expm1", "exp(x)-1"), ("log1p", "log(1+x)"),
    ("log1psq", "log(1+x^2)"), ("gaussian", "gaussian"), ("snake_a1", "snake"), ("snake_a07", "snake f=PARAM"),
    ("logcosh", "log_cosh"), ("logcosh", "log(cosh(x))"), ("huber", "abs(x)<=1?0.5*x^2:abs(x)-0.5"), ("bce_logits_t0", BCE),
    ("bce_logits_t1", BCE), ("bce_logits_t03", BCE), ("mse", "(x-0.5)^2")]

def short(v):
    return "nan" if v != v else re.sub(r"\.?0*p", "p", v.hex()) if "." in v.hex() else v.hex()

def main(ref):
    print("# Made by reference.py: function settings, then for each point x, f(x), f'(x); if it is not |f'(x)|, the sum of")
    print("# |terms of f'|; where they differ, the derivatives on the left and on the right. At nan there is no limit.")
    for table, what in TABLES:
        lines = [l.rstrip("\n") for l in open(f"{ref}/{table}.tsv")]
        params = [l.split("= ")[1] for l in lines if l.startswith("# param ")]
        rows = [l.split("\t") for l in lines if not l.startswith("#")]
        at = [rows[0].index(c + "_hex") for c in ("f", "d1", "d1_scale", "d1_left", "d1_right")]
        bits = rows[0].index("x_bits")
        print(what.replace("PARAM", params[0]) if params else what)
        for r in rows[1:]:
            x = struct.unpack(">f", bytes.fromhex(r[bits]))[0]
            f, d, terms, left, right = (float.fromhex(r[c]) for c in at)
            more = [terms, left, right] if left < right or right < left else [] if terms == abs(d) or d != d else [terms]
            print("\t" + "\t".join(short(v) for v in [x, f, d, *more]))

if __name__ == "__main__":
    main(sys.argv[1])
