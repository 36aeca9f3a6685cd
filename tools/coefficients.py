#!/usr/bin/env python3
"""Fit the polynomial and rational approximations used in shaders/math and shaders/act.

Needs mpmath. Prints, for each function, the coefficients (lowest power first) as decimal numbers
with 9 significant digits, the least that identifies an f32, and the largest relative error of the
fit itself (relative to the whole that the fit is a part of), measured on 4,000 points with the coefficients already rounded to f32.
"""

import struct

from mpmath import cos, erf, erfc, exp, expm1, findroot, floor, log1p, lu_solve, matrix, mp, mpf, pi, sin, sqrt, tanh

mp.dps = 50


def f32(x):
    """Round to the nearest f32."""
    return mpf(struct.unpack("f", struct.pack("f", float(x)))[0])


def nodes(a, b, n):
    """Chebyshev nodes of [a, b]."""
    return [(a + b) / 2 + (b - a) / 2 * cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def horner(c, x):
    y = mpf(0)
    for k in reversed(c):
        y = y * x + k
    return y


def solve(rows, rhs):
    """Least squares, by the normal equations in 50 digits."""
    m = len(rows[0])
    a, b = matrix(m, m), matrix(m, 1)
    for row, r in zip(rows, rhs):
        for i in range(m):
            b[i] += row[i] * r
            for j in range(m):
                a[i, j] += row[i] * row[j]
    return list(lu_solve(a, b))


def report(name, kind, coefficients, approximation, f, scale, a, b):
    worst = max(abs((approximation(x) - f(x)) / scale(x)) for x in nodes(a, b, 4000))
    print(f"{name}: {kind}, error {float(worst):.2e} ({float(worst) * 2**24:.3f} x 2^-24)")
    for label, c in coefficients:
        print(f"  {label}: " + ", ".join(f"{float(k):.9g}" for k in c))


def polynomial(name, f, a, b, degree, fixed=()):
    """f(x) ~ sum c_k x^k, least relative error; the leading coefficients may be fixed.

    Coefficients are rounded to f32 one by one, lowest first, the rest being fitted again.
    """
    points = nodes(mpf(a), mpf(b), 8 * (degree + 1))
    c = [mpf(k) for k in fixed]
    while len(c) <= degree:
        free = range(len(c), degree + 1)
        rows = [[x**k / f(x) for k in free] for x in points]
        rhs = [1 - horner(c, x) / f(x) for x in points]
        c.append(f32(solve(rows, rhs)[0]))
    report(name, f"polynomial of degree {degree}", [("c", c)], lambda x: horner(c, x), f, f, mpf(a), mpf(b))
    return c


def rational(name, f, scale, a, b, p_degree, q_degree, rounds=12):
    """f(x) ~ P(x) / Q(x), Q(0) = 1, least error relative to scale(x), by iterated weights."""
    points = nodes(mpf(a), mpf(b), 16 * (p_degree + q_degree))
    weight = [mpf(1)] * len(points)
    for _ in range(rounds):
        rows, rhs = [], []
        for x, w in zip(points, weight):
            w, y = w / scale(x), f(x)
            row = [w * x**k for k in range(p_degree + 1)]
            row += [-w * y * x**k for k in range(1, q_degree + 1)]
            rows.append(row)
            rhs.append(w * y)
        s = solve(rows, rhs)
        p, q = s[: p_degree + 1], [mpf(1)] + s[p_degree + 1 :]
        weight = [1 / horner(q, x) for x in points]
    p, q = [f32(k) for k in p], [f32(k) for k in q]
    g = lambda x: horner(p, x) / horner(q, x)
    report(name, f"rational ({p_degree}, {q_degree})", [("p", p), ("q", q)], g, f, scale, mpf(a), mpf(b))


if __name__ == "__main__":
    half_ln2 = float(mp.log(2) / 2) * 1.001
    polynomial("exp(r)", exp, -half_ln2, half_ln2, 6, fixed=(1, 1))
    polynomial("log1p(q) / q", lambda q: log1p(q) / q, 1e-9, 1, 8, fixed=(1,))
    polynomial(
        "(tanh(x) / x - 1) / x^2, of x^2",
        lambda s: (tanh(sqrt(s)) / sqrt(s) - 1) / s,
        1e-6,
        0.36,
        5,
    )

    polynomial("(exp(x) - 1 - x) / x^2", lambda x: (expm1(x) - x) / x**2, -1, -1e-9, 6)
    polynomial(
        "(1 - tanh(x) / x) / x^2, of x^2",
        lambda s: (1 - tanh(sqrt(s)) / sqrt(s)) / s,
        1e-9,
        1,
        7,
    )
    polynomial("(tanh(x) / x)^2, of x^2", lambda s: (tanh(sqrt(s)) / sqrt(s)) ** 2, 1e-9, 0.81, 7, fixed=(1,))

    # The derivative of alpha (exp(x / alpha) - 1) with respect to alpha, with z = x / alpha, by its Taylor
    # series: expm1(z) - z exp(z) is -z^2 sum (n - 1) / n! z^(n - 2).
    polynomial(
        "(z exp(z) - expm1(z)) / z^2",
        lambda z: horner([(n - 1) / mp.factorial(n) for n in range(2, 50)], z),
        -1.02,
        0.66,
        7,
    )

    # The normal distribution's upper tail Q(a), without its exponential.
    c = sqrt(2 * pi)
    tail = lambda a: erfc(a / sqrt(2)) / 2 * exp(a * a / 2)
    # a tail(a) = u / (c u + P(a)) with u = a Q(a): P / Q is 1 / tail(a) - c a.
    rational("1 / tail(a) - c a", lambda a: 1 / tail(a) - c * a, lambda a: 1 / tail(a), 0, 15, 4, 5)
    # a / c - tail(a) = (a - root) (1/2 + P(a) / Q(a)).
    root = findroot(lambda a: tail(a) - a / c, 0.75)
    head = f32(root)
    print(f"root of tail(a) - a / c: {float(head):.9g} + {float(root - head):.9g}")
    factor = lambda a: (a / c - tail(a)) / (a - root)
    rational("(a / c - tail(a)) / (a - root) - 1/2", lambda a: factor(a) - 0.5, factor, 0, 20, 4, 4)

    polynomial("(sin(t) / t - 1) / t^2, of t^2", lambda s: (sin(sqrt(s)) / sqrt(s) - 1) / s, 1e-9, 2.4677, 4)
    polynomial("sin(u pi / 2) / u - 1, of u^2", lambda s: sin(pi / 2 * sqrt(s)) / sqrt(s) - 1, 1e-9, 0.999, 5)
    polynomial("erf(x) / x - 1, of x^2", lambda s: erf(sqrt(s)) / sqrt(s) - 1, 1e-9, 1, 6)

    mp.dps = 80
    turn = 1 / (2 * pi)
    words = [int(floor(turn * 2 ** (32 * k))) % 2**32 for k in range(1, 7)]
    print("1 / (2 pi), 32 bits each:", ", ".join(f"{word:#010x}" for word in words))
