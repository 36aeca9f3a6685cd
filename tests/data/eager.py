#!/usr/bin/env python3
"""Write the arrays of the folder eager: bias, silu, gate and residual in bfloat16 and float16, operation by operation, as
PyTorch computes and rounds them.

bf16.npy and f16.npy hold x, g, r and y, and b (one value for each of 64 channels, repeated), as float32, which has all of
their values: shape (5, 1024).

Needs torch and numpy. Written with torch 2.15.0.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F

FOLDER = pathlib.Path(__file__).parent / "eager"
FOLDER.mkdir(exist_ok=True)

for name, dtype in [("bf16", torch.bfloat16), ("f16", torch.float16)]:
    torch.manual_seed(0)
    x, g, r = (torch.randn(16, 64).mul(scale).to(dtype) for scale in (3.0, 2.0, 1.0))
    b = torch.randn(64).to(dtype)
    y = F.silu(x + b) * g + r
    rows = [x, g, r, y, b.expand(16, 64)]
    np.save(FOLDER / f"{name}.npy", torch.stack([row.float().reshape(-1) for row in rows]).numpy())
