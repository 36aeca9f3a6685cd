#!/usr/bin/env python3
"""PyTorch's own f32 kernels, for `nonlin check --exhaustive --peer 'python3 tools/torch_peer.py'`.

Answers requests as cli/src/exhaustive.rs describes them. Only functions that PyTorch has a kernel for are
answered. Needs torch and numpy.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F

FUNCTIONS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu(negative_slope=0.01)": F.leaky_relu,
    "threshold(threshold=0, value=0)": lambda x: F.threshold(x, 0.0, 0.0),
    "elu(alpha=1)": F.elu,
    "selu": F.selu,
    "celu(alpha=1)": F.celu,
    "sigmoid": torch.sigmoid,
    "logsigmoid": F.logsigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "mish": F.mish,
    "softplus(beta=1, threshold=20)": F.softplus,
    "softsign": F.softsign,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "hardtanh(min_val=-1, max_val=1)": F.hardtanh,
    "tanhshrink": F.tanhshrink,
    "softshrink(lambd=0.5)": F.softshrink,
    "hardshrink(lambd=0.5)": F.hardshrink,
    "abs": torch.abs,
    "exp": torch.exp,
}


def main():
    torch.set_num_threads(1)
    out = sys.stdout.buffer
    out.write(f"PyTorch {torch.__version__.split('+')[0]}, its f32 kernels on the CPU\n".encode())
    out.flush()
    for line in sys.stdin:
        chain, which, first, count = line.rstrip("\n").split("\t")
        function = FUNCTIONS.get(chain)
        if function is None:
            out.write(b"no\n")
        else:
            bits = np.arange(int(first), int(first) + int(count), dtype=np.uint64).astype(np.uint32)
            x = torch.from_numpy(bits.view(np.float32))
            if which == "backward":
                x.requires_grad_()
                function(x).backward(torch.ones_like(x))
                result = x.grad
            else:
                result = function(x)
            out.write(b"ok\n" + result.numpy().tobytes())
        out.flush()


main()
