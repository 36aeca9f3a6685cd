#!/usr/bin/env python3
"""Write kinks.txt beside this file, and docs/KINKS.md: what others' automatic differentiation gives at the inputs where an
activation's formula changes.

A line is `activation knot whose slope`. The first line for an activation and a knot is that of the source which its room
names; the tests hold the library to it. The others are there to compare.

Needs torch, jax and timm (of timm, only the file of its activations is loaded).
"""

import importlib.util
import pathlib

import jax
import jax.numpy as jnp
import torch
import torch.nn.functional as F

jax.config.update("jax_enable_x64", True)


def timm_activations():
    folder = pathlib.Path(importlib.util.find_spec("timm").origin).parent
    spec = importlib.util.spec_from_file_location("activations", folder / "layers" / "activations_me.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


timm = timm_activations()
ZERO = torch.zeros((), dtype=torch.float64)

# Of ONNX's operators, which have no gradient of their own: the operators' definitions, differentiated by PyTorch.
PEERS = {
    "relu": ([0.0], {"torch": F.relu, "jax": jax.nn.relu}),
    "relu6": ([0.0, 6.0], {"torch": F.relu6, "jax": jax.nn.relu6}),
    "leaky_relu": ([0.0], {"torch": F.leaky_relu, "jax": jax.nn.leaky_relu}),
    "prelu": ([0.0], {"torch": lambda x: F.prelu(x, torch.full((1,), 0.25, dtype=x.dtype))}),
    "relu_squared": ([0.0], {"torch": lambda x: F.relu(x) ** 2, "jax": lambda x: jax.nn.relu(x) ** 2}),
    "threshold": ([0.0], {"torch": lambda x: F.threshold(x, 0.0, 0.0)}),
    "thresholded_relu": ([1.0], {"onnx": lambda x: torch.where(1.0 < x, x, ZERO)}),
    "elu": ([0.0], {"torch": F.elu, "jax": jax.nn.elu}),
    "selu": ([0.0], {"torch": F.selu, "jax": jax.nn.selu}),
    "celu": ([0.0], {"torch": F.celu, "jax": jax.nn.celu}),
    "softplus": ([20.0], {"torch": F.softplus, "jax": jax.nn.softplus}),
    "softsign": ([0.0], {"torch": F.softsign, "jax": jax.nn.soft_sign}),
    "hardsigmoid": ([-3.0, 3.0], {"torch": F.hardsigmoid, "jax": jax.nn.hard_sigmoid}),
    "onnx_hardsigmoid": (
        [-2.5, 2.5],
        {"onnx": lambda x: torch.clamp(0.2 * x + 0.5, 0.0, 1.0)},
    ),
    "hardswish": ([-3.0, 3.0], {"torch": F.hardswish, "jax": jax.nn.hard_swish}),
    "hardtanh": ([-1.0, 1.0], {"torch": F.hardtanh, "jax": jax.nn.hard_tanh}),
    # timm's own derivative, which its models run; and the same value as PyTorch differentiates it.
    "hard_mish": ([-2.0, 0.0], {"timm": timm.hard_mish_me, "torch": timm.hard_mish_fwd}),
    "softshrink": ([-0.5, 0.5], {"torch": F.softshrink}),
    "hardshrink": ([-0.5, 0.5], {"torch": F.hardshrink}),
    "shrink": (
        [-0.5, 0.5],
        {"onnx": lambda x: torch.where(x < -0.5, x, torch.where(x > 0.5, x, ZERO))},
    ),
    "sparse_plus": ([-1.0, 1.0], {"jax": jax.nn.sparse_plus}),
    "sparse_sigmoid": ([-1.0, 1.0], {"jax": jax.nn.sparse_sigmoid}),
    "star_relu": ([0.0], {"torch": lambda x: 0.894427 * F.relu(x) ** 2 - 0.447214}),
    "xielu": (
        [0.0],
        {
            "torch": lambda x: torch.where(
                x > 0,
                0.8 * x * x + 0.5 * x,
                (torch.expm1(torch.clamp(x, max=-1e-6)) - x) * 0.8 + 0.5 * x,
            )
        },
    ),
    "abs": ([0.0], {"torch": torch.abs, "jax": jnp.abs}),
    # PyTorch has no gradient of its step, which is zero; jnp's is.
    "step": ([0.0], {"jax": lambda x: jnp.heaviside(x, 0.0)}),
    "smelu": (
        [-1.0, 1.0],
        {"torch": lambda x: torch.where(x <= -1, ZERO, torch.where(x >= 1, x, (x + 1) ** 2 / 4))},
    ),
    # As oneDNN's formula has it, and as PyTorch differentiates the value.
    "onednn_hardswish": (
        [-3.0, 3.0],
        {
            "onednn": lambda x: x * torch.where(x / 6 + 0.5 <= 0, ZERO, torch.where(x / 6 + 0.5 >= 1, ZERO + 1, x / 6 + 0.5)),
            "torch": lambda x: x * torch.clamp(x / 6 + 0.5, 0, 1),
        },
    ),
}


def slope(whose, f, x):
    if whose == "jax":
        return float(jax.grad(f)(x))
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    f(x).backward()
    return float(x.grad)


def short(value):
    return f"{value:.9g}"


def table(found):
    """docs/KINKS.md, of (activation, knot, {whose: slope})."""
    others = ["torch", "jax", "timm"]
    lines = [
        "# Kinks",
        "",
        "Where an activation's formula changes, it has two slopes, and everybody chooses. nonlin does as the source that each",
        "activation names: PyTorch where it has the function, else ONNX's definition (differentiated by PyTorch), timm or JAX.",
        "`tests/data/kinks.py` ran them and wrote this page and the numbers that `tests/reference.rs` holds the reference to; the",
        "GPU is held to the reference. Parameters are the defaults.",
        "",
        f"PyTorch {torch.__version__.split('+')[0]}, JAX {jax.__version__}, in float64. Where timm has two forms, \"timm\" is the one with a",
        "derivative of its own, which its models run, and \"PyTorch\" differentiates the other.",
        "",
        "| activation | at | slope | as | PyTorch | JAX | timm |",
        "|---|---|---|---|---|---|---|",
    ]
    names = {"onednn": "oneDNN's formula", "torch": "PyTorch", "jax": "JAX", "timm": "timm", "onnx": "ONNX"}
    for name, knot, slopes in found:
        source = next(iter(slopes))
        cells = [name, short(knot), short(slopes[source]), names[source]]
        cells += [short(slopes[whose]) if whose in slopes else "" for whose in others]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    found = [
        (name, knot, {whose: slope(whose, f, knot) for whose, f in peers.items()})
        for name, (knots, peers) in PEERS.items()
        for knot in knots
    ]
    lines = [
        f"{name} {knot} {whose} {value}\n"
        for name, knot, slopes in found
        for whose, value in slopes.items()
    ]
    here = pathlib.Path(__file__)
    here.with_name("kinks.txt").write_text("".join(lines))
    (here.parents[2] / "docs" / "KINKS.md").write_text(table(found))
    print(f"torch {torch.__version__}, jax {jax.__version__}: {len(lines)} lines")


if __name__ == "__main__":
    main()
