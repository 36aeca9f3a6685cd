"""Writes the arrays beside this script: inputs as NumPy writes them, and expected results.

The chain is `scale(0.5) | silu`: y = z * sigmoid(z) with z = x / 2, computed in f64 from x rounded
to f32, and rounded to f32. Needs nothing but NumPy.
"""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
RNG = np.random.default_rng(2)


def write(name, x, dy):
    def save(what, array):
        np.save(HERE / f"{name}_{what}.npy", array)

    z = 0.5 * x.astype(np.float32).astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-z))
    y = z * sigmoid
    dx = dy.astype(np.float32) * 0.5 * (sigmoid + z * sigmoid * (1 - sigmoid))
    order = "F" if x.flags.f_contiguous and not x.flags.c_contiguous else "C"
    save("x", x)
    save("dy", dy)
    save("y", np.asarray(y, dtype="<f4", order=order))
    save("dx", np.asarray(dx, dtype="<f4", order=order))


def array(shape, dtype="<f4", order="C"):
    return np.asarray(RNG.normal(0, 4, shape), dtype=dtype, order=order)


write("c", array((2, 3, 4)), array((2, 3, 4)))
write("fortran", array((3, 4), order="F"), array((3, 4), order="F"))
write("c_with_fortran_dy", array((2, 3, 4)), array((2, 3, 4), order="F"))
write("fortran_with_c_dy", array((2, 3, 4), order="F"), array((2, 3, 4)))
write("f64", array((5,), "<f8"), array((5,), ">f8"))
write("big_endian", array((7, 1), ">f4"), array((7, 1), ">f4"))
write("scalar", array(()), array(()))
write("empty", array((0, 4)), array((0, 4)))
