"""Fits the polynomials of shaders/wide: their coefficients as whole numbers, by mpmath.

    python tools/wide.py

Each is evaluated by Horner's scheme in fixed point, its last three or four steps with 64 binary digits, those before with
32. Polynomials interpolate at Chebyshev's nodes, which is within a small factor of the best.
"""

import mpmath as mp

mp.mp.prec = 300


def fit(f, low, high, degree):
    """Coefficients of powers of x, and the largest error."""
    n = degree + 1
    nodes = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (mp.mpf(k) + 0.5) / n) for k in range(n)]
    matrix = mp.matrix([[x**power for power in range(n)] for x in nodes])
    coefficients = list(mp.lu_solve(matrix, mp.matrix([f(x) for x in nodes])))
    tried = [low + (high - low) * mp.mpf(k) / 400 for k in range(401)]
    error = max(abs(mp.polyval(coefficients[::-1], x) - f(x)) for x in tried)
    return coefficients, error


def show(name, f, low, high, degree, exact, scale=0):
    """`exact` coefficients in 64 digits; the others in 32, times 2^scale."""
    coefficients, error = fit(f, mp.mpf(low), mp.mpf(high), degree)
    print(f"{name}: error 2^{mp.nstr(mp.log(error, 2), 4)}")
    for power, c in reversed(list(enumerate(coefficients))):
        if power >= exact:
            v = int(mp.nint(c * mp.mpf(2) ** (32 + scale)))
            assert abs(v) < 2**32, (power, c)
            print(f"    x^{power}: {'-' if v < 0 else ''}0x{abs(v):08x}u  ({mp.nstr(c, 5)})")
        else:
            v = int(mp.nint(c * mp.mpf(2) ** 64))
            assert abs(v) < 2**64, (power, c)
            print(f"    x^{power}: {'-' if v < 0 else ''}vec2(0x{abs(v) >> 32:08x}u, 0x{abs(v) & 0xffffffff:08x}u)  ({mp.nstr(c, 5)})")


def expm1_rest(r):
    """((e^r - 1) / r - 1) / 2 r"""
    return mp.mpf(1) / 4 if r == 0 else (mp.expm1(r) / r - 1) / r / 2


def atanh_rest(w):
    """(atanh(u) / u - 1) / 2 u^2 of w = u^2"""
    return mp.mpf(1) / 6 if w == 0 else (mp.atanh(mp.sqrt(w)) / mp.sqrt(w) - 1) / w / 2


def tail_ratio(u):
    """Q(a) e^(a^2 / 2) of the normal distribution, of u = a / (a + 4)"""
    a = 4 * u / (1 - u)
    return mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2


def show_units(name, coefficients):
    """Signed, in units of 2^-61, for w_signed_times."""
    print(name)
    for power, c in reversed(list(enumerate(coefficients))):
        v = int(mp.nint(c * mp.mpf(2) ** 61)) % 2**64
        print(f"    x^{power}: vec2(0x{v >> 32:08x}u, 0x{v & 0xffffffff:08x}u)  ({mp.nstr(c, 5)})")


def show_wide(name, v):
    e = int(mp.floor(mp.log(v, 2)))
    m = int(mp.nint(v * mp.mpf(2) ** (63 - e)))
    print(f"{name}: Wide(false, {e}, 0x{m >> 32:08x}u, 0x{m & 0xffffffff:08x}u)")


def alternating(term, count):
    return [(-1) ** n * term(n) for n in range(count)]


if __name__ == "__main__":
    show("w_expm1_ratio", expm1_rest, 0, mp.log(2) + mp.mpf(2) ** -14, 8, 2, 5)
    show("w_log1p", atanh_rest, 0, mp.mpf(1) / 9, 7, 1, 3)
    coefficients, error = fit(tail_ratio, mp.mpf(0), mp.mpf("14.5") / mp.mpf("18.5"), 18)
    show_units(f"w_tail_ratio: error 2^{mp.nstr(mp.log(error, 2), 4)}", coefficients)
    show_units("wide_erf", alternating(lambda n: 1 / (mp.factorial(n) * (2 * n + 1)), 8))
    show_units("w_sine_of, sines", alternating(lambda n: 1 / mp.factorial(2 * n + 1), 9))
    show_units("w_sine_of, cosines", alternating(lambda n: 1 / mp.factorial(2 * n), 9))
    scale = mp.mpf("1.0507009873554805")
    for name, v in [
        ("WIDE_SELU_UP", scale),
        ("WIDE_SELU_DOWN", scale * mp.mpf("1.6732632423543772")),
        ("WIDE_QUICK_GELU", mp.mpf("1.702")),
        ("WIDE_GELU_TANH_LINE", 2 * mp.sqrt(2 / mp.pi)),
        ("WIDE_GELU_TANH_CUBIC", mp.mpf("0.044715")),
        ("WIDE_ERF_SLOPE", 2 / mp.sqrt(mp.pi)),
        ("W_DENSITY", 1 / mp.sqrt(2 * mp.pi)),
        ("sqrt(2)", mp.sqrt(2)),
        ("2 pi", 2 * mp.pi),
    ]:
        show_wide(name, v)
    v = int(mp.floor(mp.mpf(2) ** 256 / (2 * mp.pi)))
    print("1 / (2 pi):", [f"0x{(v >> (224 - 32 * n)) & 0xffffffff:08x}u" for n in range(7)])
