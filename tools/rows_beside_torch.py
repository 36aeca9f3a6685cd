#!/usr/bin/env python3
"""How far steps over whole rows are from the exact result, nonlin on an adapter and PyTorch on the CPU, on the same f32 inputs.

    python3 tools/rows_beside_torch.py target/debug/nonlin [--adapter NAME]

Needs numpy and torch. Exact is float64 with the same f32 inputs. Prints, for each function, length of rows and pass, the
largest error of any element, relative to the largest element of its row.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

LENGTHS = [(4096, 64), (512, 1024), (64, 4096), (4, 70_000)]


def functions(columns):
    shape = (columns,)
    functional = torch.nn.functional
    return {
        "softmax": lambda x: functional.softmax(x, -1),
        "log_softmax": lambda x: functional.log_softmax(x, -1),
        "rms_norm(eps=1e-5)": lambda x: functional.rms_norm(x, shape, eps=1e-5),
        "layer_norm(eps=1e-5)": lambda x: functional.layer_norm(x, shape, eps=1e-5),
    }


def by_torch(function, x, dy):
    x = torch.from_numpy(x).requires_grad_()
    y = function(x)
    y.backward(torch.from_numpy(dy))
    return y.detach().numpy(), x.grad.numpy()


def by_nonlin(command, chain, x, dy):
    with tempfile.TemporaryDirectory() as folder:
        path = {name: str(Path(folder, f"{name}.npy")) for name in ("x", "dy", "y", "dx")}
        np.save(path["x"], x)
        np.save(path["dy"], dy)
        line = [*command, chain]
        for name in path:
            line += [f"--{name}", path[name]]
        subprocess.run(line, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return np.load(path["y"]), np.load(path["dx"])


def error(found, exact):
    off = np.abs(found.astype(np.float64) - exact)
    return (off / np.abs(exact).max(axis=1, keepdims=True)).max()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nonlin")
    parser.add_argument("--adapter")
    arguments = parser.parse_args()
    command = [arguments.nonlin, "run"] + (["--adapter", arguments.adapter] if arguments.adapter else [])
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads\n")
    print("| | rows of | nonlin, forward | PyTorch, forward | nonlin, backward | PyTorch, backward |")
    print("|---|---|---|---|---|---|")
    for rows, columns in LENGTHS:
        random = np.random.default_rng(columns)
        x = (4 * random.standard_normal((rows, columns))).astype(np.float32)
        dy = random.standard_normal((rows, columns)).astype(np.float32)
        for chain, function in functions(columns).items():
            exact = by_torch(function, x.astype(np.float64), dy.astype(np.float64))
            theirs = by_torch(function, x, dy)
            ours = by_nonlin(command, chain, x, dy)
            cells = [f"{error(f, e):.1e}" for e, *both in zip(exact, ours, theirs) for f in both]
            print(f"| {chain} | {columns:,} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
