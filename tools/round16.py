"""What every activation, with its default parameters, makes of all 65,536 inputs of f16 and bf16, correctly rounded.

Formulas are written from the mathematics, evaluated by mpmath with 300 bits or more, and rounded once, by integers, to
nearest even; at kinks the slopes are those of docs/KINKS.md. Nothing here is taken from the library's Rust or WGSL.

    python tools/round16.py write tests/data/round16.txt    a hash for each activation, pass and dtype
    python tools/round16.py show silu backward f16 0x3c00   a single input
    python tools/round16.py arrays FOLDER                   all results as .npy, to compare with

A hash is 64-bit FNV-1a over the results' two bytes, the lower first, in the order of the inputs' bits. NaN is 0x7e00 in
f16 and 0x7fc0 in bf16, and zero has no sign: `max` of zeros may give either on a GPU.
"""

import functools
import sys

import mpmath
import numpy as np
from mpmath import mp, mpf

mp.prec = 300
INF, NAN = mpf("inf"), mpf("nan")
# Bits of significand, and the exponent of the last place of subnormals.
FORMATS = {"f16": (11, -24, 0x7C00, 0x7E00), "bf16": (8, -133, 0x7F80, 0x7FC0)}


def f32(text):
    return mpf(float(np.float32(text)))


@functools.lru_cache(maxsize=1 << 17)
def exp(x):
    return mp.exp(x)


@functools.lru_cache(maxsize=1 << 17)
def expm1(x):
    return mp.expm1(x)


@functools.lru_cache(maxsize=1 << 17)
def log_of_one_and_exp(x):
    return max(x, mpf(0)) + mp.log1p(exp(-abs(x)))


@functools.lru_cache(maxsize=1 << 17)
def tail(a):
    """Q(a) of the normal distribution."""
    return mp.erfc(a / mp.sqrt(2)) / 2


def density(x):
    return exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def sigmoid(x):
    return 1 / (1 + exp(-x)) if x > 0 else exp(x) / (1 + exp(x))


def tanh(x):
    m = expm1(2 * abs(x))
    return mp.sign(x) * (m / (m + 2))


def bell(x):
    """sigmoid(x) sigmoid(-x)"""
    return sigmoid(x) * sigmoid(-x)


def swish_slope(z):
    return sigmoid(z) * (1 + z * sigmoid(-z))


def mish(x):
    """tanh(log(1 + e^x)) = ((1 + e^x)^2 - 1) / ((1 + e^x)^2 + 1), and its derivative, 4 e^x (1 + e^x) / (...)^2"""
    q = exp(x)
    up = q * (q + 2)
    return up / (up + 2), 4 * q * (1 + q) / (up + 2) ** 2


def gelu_tanh_inner(x):
    c = mpf("0.044715")
    k = mp.sqrt(2 / mp.pi)
    return 2 * k * (x + c * x**3), 2 * k * (1 + 3 * c * x * x)


def squareplus(x, b):
    with mp.workprec(700):
        h = mp.sqrt(x * x + b)
        return (x + h) / 2, (1 + x / h) / 2


def acon(x, p1, p2, beta):
    z = beta * (p1 - p2) * x
    s, r = sigmoid(z), sigmoid(-z)
    return (p1 * s + p2 * r) * x, p1 * s + p2 * r + (p1 - p2) * z * s * r


def tanhshrink(x):
    # Both are as large as x, and what is left is x^3 / 3.
    with mp.workprec(600):
        return x - mp.tanh(x)


def xielu(x, p, n, beta, eps):
    if x > 0:
        return p * x * x + beta * x, 2 * p * x + beta
    y = n * (expm1(min(x, eps)) - x) + beta * x
    slope = expm1(x) if x < eps else mpf(-1) if x > eps else exp(x) / 2 - 1
    return y, n * slope + beta


def situ(x, beta):
    v = x / beta
    t = tanh(v)
    return beta * t * sigmoid(x), (1 - t * t) * sigmoid(x) + beta * t * bell(x)


def step_between(x, low, high):
    return mpf(1) if low < x < high else mpf(0)


def of(y, dx, limits):
    """Value and derivative, and their limits at -inf and at inf."""
    return y, dx, [mpf(limit) for limit in limits.split()]


SELU_UP = mpf("1.0507009873554805")
SELU_DOWN = SELU_UP * mpf("1.6732632423543772")
ALPHA6, SLOPE, FIFTH = f32("0.16666667"), f32("0.01"), f32("0.2")
STAR, BIAS = f32("0.8944272"), f32("-0.4472136")
XIELU = (f32("0.8"), f32("0.8"), mpf(0.5), f32("-1e-6"))
MU, SIGMA = f32("0.707107"), f32("0.282095")
ONE, ZERO = mpf(1), mpf(0)

FUNCTIONS = {
    "identity": of(lambda x: x, lambda x: ONE, "-inf inf 1 1"),
    "relu": of(lambda x: max(x, ZERO), lambda x: ONE if x > 0 else ZERO, "0 inf 0 1"),
    "relu6": of(lambda x: min(max(x, ZERO), mpf(6)), lambda x: step_between(x, 0, 6), "0 6 0 0"),
    "leaky_relu": of(lambda x: x if x > 0 else SLOPE * x, lambda x: ONE if x > 0 else SLOPE, f"-inf inf {SLOPE} 1"),
    "prelu": of(lambda x: x if x > 0 else x / 4, lambda x: ONE if x > 0 else ONE / 4, "-inf inf 0.25 1"),
    "relu_squared": of(lambda x: max(x, ZERO) ** 2, lambda x: 2 * max(x, ZERO), "0 inf 0 inf"),
    "threshold": of(lambda x: x if x > 0 else ZERO, lambda x: ONE if x > 0 else ZERO, "0 inf 0 1"),
    "thresholded_relu": of(lambda x: x if x > 1 else ZERO, lambda x: ONE if x > 1 else ZERO, "0 inf 0 1"),
    "elu": of(lambda x: x if x > 0 else expm1(x), lambda x: ONE if x > 0 else exp(x), "-1 inf 0 1"),
    "selu": of(
        lambda x: SELU_UP * x if x > 0 else SELU_DOWN * expm1(x),
        lambda x: SELU_UP if x > 0 else SELU_DOWN * exp(x),
        f"{-SELU_DOWN} inf 0 {SELU_UP}",
    ),
    "celu": of(lambda x: x if x > 0 else expm1(x), lambda x: ONE if x > 0 else exp(x), "-1 inf 0 1"),
    "sigmoid": of(sigmoid, bell, "0 1 0 0"),
    "logsigmoid": of(lambda x: -log_of_one_and_exp(-x), lambda x: sigmoid(-x), "-inf 0 1 0"),
    "tanh": of(tanh, lambda x: 4 * bell(2 * x), "-1 1 0 0"),
    "silu": of(lambda x: x * sigmoid(x), swish_slope, "0 inf 0 1"),
    "swish": of(lambda x: x * sigmoid(x), swish_slope, "0 inf 0 1"),
    "quick_gelu": of(
        lambda x: x * sigmoid(mpf("1.702") * x), lambda x: swish_slope(mpf("1.702") * x), "0 inf 0 1"
    ),
    "gelu": of(
        lambda x: x * tail(-x), lambda x: tail(-x) + x * density(x), "0 inf 0 1"
    ),
    "gelu_tanh": of(
        lambda x: x * sigmoid(gelu_tanh_inner(x)[0]),
        lambda x: sigmoid(gelu_tanh_inner(x)[0])
        * (1 + x * sigmoid(-gelu_tanh_inner(x)[0]) * gelu_tanh_inner(x)[1]),
        "0 inf 0 1",
    ),
    "mish": of(lambda x: x * mish(x)[0], lambda x: mish(x)[0] + x * mish(x)[1], "0 inf 0 1"),
    "softplus": of(
        lambda x: x if x > 20 else log_of_one_and_exp(x), lambda x: ONE if x > 20 else sigmoid(x), "0 inf 0 1"
    ),
    "softsign": of(lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, "-1 1 0 0"),
    "hardsigmoid": of(
        lambda x: min(max(x + 3, ZERO), mpf(6)) / 6, lambda x: step_between(x, -3, 3) / 6, "0 1 0 0"
    ),
    "onnx_hardsigmoid": of(
        lambda x: min(max(FIFTH * x + 0.5, ZERO), ONE),
        lambda x: FIFTH if 0 < FIFTH * x + 0.5 < 1 else ZERO,
        "0 1 0 0",
    ),
    "hardswish": of(
        lambda x: x * min(max(x + 3, ZERO), mpf(6)) / 6,
        lambda x: ZERO if x <= -3 else ONE if x >= 3 else (2 * x + 3) / 6,
        "0 inf 0 1",
    ),
    "hardtanh": of(lambda x: min(max(x, -ONE), ONE), lambda x: step_between(x, -1, 1), "-1 1 0 0"),
    "hard_mish": of(
        lambda x: x * min(max(x + 2, ZERO), mpf(2)) / 2,
        lambda x: ZERO if x < -2 else ONE if x >= 0 else x + 1,
        "0 inf 0 1",
    ),
    "tanhshrink": of(tanhshrink, lambda x: tanh(x) ** 2, "-inf inf 1 1"),
    "softshrink": of(
        lambda x: mp.sign(x) * max(abs(x) - 0.5, ZERO), lambda x: ONE if abs(x) > 0.5 else ZERO, "-inf inf 1 1"
    ),
    "hardshrink": of(
        lambda x: x if abs(x) > 0.5 else ZERO, lambda x: ONE if abs(x) > 0.5 else ZERO, "-inf inf 1 1"
    ),
    "shrink": of(lambda x: x if abs(x) > 0.5 else ZERO, lambda x: ONE if abs(x) > 0.5 else ZERO, "-inf inf 1 1"),
    "sparse_plus": of(
        lambda x: ZERO if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
        lambda x: min(max(x + 1, ZERO), mpf(2)) / 2,
        "0 inf 0 1",
    ),
    "sparse_sigmoid": of(
        lambda x: min(max(x + 1, ZERO), mpf(2)) / 2,
        lambda x: ONE / 2 if abs(x) < 1 else ONE / 4 if abs(x) == 1 else ZERO,
        "0 1 0 0",
    ),
    "squareplus": of(lambda x: squareplus(x, 4)[0], lambda x: squareplus(x, 4)[1], "0 inf 0 1"),
    "star_relu": of(
        lambda x: STAR * max(x, ZERO) ** 2 + BIAS, lambda x: 2 * STAR * max(x, ZERO), f"{BIAS} inf 0 inf"
    ),
    "xielu": of(
        lambda x: xielu(x, *XIELU)[0], lambda x: xielu(x, *XIELU)[1], f"inf inf {XIELU[2] - XIELU[1]} inf"
    ),
    "acon_b": of(lambda x: acon(x, 1, 0.25, 1)[0], lambda x: acon(x, 1, 0.25, 1)[1], "-inf inf 0.25 1"),
    "acon_c": of(lambda x: acon(x, 1, 0.25, 1)[0], lambda x: acon(x, 1, 0.25, 1)[1], "-inf inf 0.25 1"),
    "abs": of(abs, mp.sign, "inf inf -1 1"),
    "exp": of(exp, exp, "0 inf 0 inf"),
    "expm1": of(expm1, exp, "-1 inf 0 inf"),
    "erf": of(
        lambda x: mp.erf(x) if abs(x) < 1 else mp.sign(x) * (1 - mp.erfc(abs(x))),
        lambda x: 2 / mp.sqrt(mp.pi) * exp(-x * x),
        "-1 1 0 0",
    ),
    "sine": of(mp.sin, mp.cos, "nan nan nan nan"),
    "snake": of(lambda x: x + mp.sin(x) ** 2, lambda x: 1 + mp.sin(2 * x), "-inf inf nan nan"),
    "snake_beta": of(lambda x: x + mp.sin(x) ** 2, lambda x: 1 + mp.sin(2 * x), "-inf inf nan nan"),
    "step": of(lambda x: ONE if x > 0 else ZERO, lambda x: ZERO, "0 1 0 0"),
    "smelu": of(
        lambda x: ZERO if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
        lambda x: min(max(x + 1, ZERO), mpf(2)) / 2,
        "0 inf 0 1",
    ),
    "laplace": of(
        lambda x: tail(-(x - MU) / SIGMA), lambda x: density((x - MU) / SIGMA) / SIGMA, "0 1 0 0"
    ),
    "sqrtsoftplus": of(
        lambda x: mp.sqrt(log_of_one_and_exp(x)),
        lambda x: sigmoid(x) / (2 * mp.sqrt(log_of_one_and_exp(x))),
        "0 inf 0 0",
    ),
    "situ": of(lambda x: situ(x, ONE)[0], lambda x: situ(x, ONE)[1], "0 1 0 0"),
    "onednn_hardswish": of(
        lambda x: x * min(max(ALPHA6 * x + 0.5, ZERO), ONE),
        lambda x: ZERO if ALPHA6 * x + 0.5 <= 0 else ONE if ALPHA6 * x + 0.5 >= 1 else 2 * ALPHA6 * x + 0.5,
        "0 inf 0 1",
    ),
}


def value(bits, dtype):
    """The number that these bits are, exactly."""
    digits, last, infinite, _ = FORMATS[dtype]
    magnitude = bits & 0x7FFF
    sign = -1 if bits & 0x8000 else 1
    if magnitude >= infinite:
        return sign * INF if magnitude == infinite else NAN
    exponent, fraction = magnitude >> (digits - 1), magnitude & ((1 << (digits - 1)) - 1)
    if exponent > 0:
        fraction += 1 << (digits - 1)
    return mp.ldexp(mpf(sign * fraction), last + max(exponent, 1) - 1)


def rounded(v, dtype):
    """The bits of the nearest number, of two the even one; zero has no sign."""
    digits, last, infinite, nan = FORMATS[dtype]
    if mp.isnan(v):
        return nan
    if v == 0:
        return 0
    sign = 0x8000 if v < 0 else 0
    if mp.isinf(v):
        return sign | infinite
    _, man, exponent, size = v._mpf_
    man = int(man)
    # The exponent of the last place that is kept.
    place = max(exponent + size - digits, last)
    shift = place - exponent
    if shift <= 0:
        whole = man << -shift
    elif shift > size + 1:
        whole = 0
    else:
        whole, rest, half = man >> shift, man & ((1 << shift) - 1), 1 << (shift - 1)
        whole += rest > half or (rest == half and whole & 1)
    # What rounds up to the next power of two is right in these bits too.
    bits = whole + ((place - last) << (digits - 1)) if whole else 0
    bits = min(bits, infinite)
    return sign | bits if bits else 0


def result(name, which, bits, dtype):
    x = value(bits, dtype)
    if mp.isnan(x):
        return FORMATS[dtype][3]
    limits = FUNCTIONS[name][2]
    if mp.isinf(x):
        return rounded(limits[2 * which + (x > 0)], dtype)
    return rounded(FUNCTIONS[name][which](x), dtype)


def every(name, which, dtype):
    return np.array([result(name, which, bits, dtype) for bits in range(1 << 16)], dtype=np.uint16)


def fnv(values):
    state = 0xCBF29CE484222325
    for byte in values.astype("<u2").tobytes():
        state = ((state ^ byte) * 0x100000001B3) & (2**64 - 1)
    return state


def each():
    for dtype in FORMATS:
        for name in FUNCTIONS:
            for which, title in enumerate(["forward", "backward"]):
                yield name, title, dtype, every(name, which, dtype)
        for cache in (exp, expm1, log_of_one_and_exp, tail):
            cache.cache_clear()


def main(command, *rest):
    if command == "show":
        name, title, dtype, bits = rest
        which = ["forward", "backward"].index(title)
        x = value(int(bits, 0), dtype)
        print(mp.nstr(x, 20), mp.nstr(FUNCTIONS[name][which](x), 30), hex(result(name, which, int(bits, 0), dtype)))
        return
    lines = []
    for name, title, dtype, values in each():
        lines.append(f"{name} {title} {dtype} {fnv(values):016x}\n")
        if len(rest) > 1 or command == "arrays":
            np.save(f"{rest[-1]}/{name}-{title}-{dtype}.npy", values)
        print(lines[-1], end="", flush=True)
    if command == "write":
        with open(rest[0], "w") as out:
            out.writelines(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
