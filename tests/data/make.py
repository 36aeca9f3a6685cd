#!/usr/bin/env python3
"""Write the arrays of this folder.

digits_x.npy and digits_dy.npy are what a hidden layer of a small network sees: a 64-64-10 perceptron,
trained here on the UCI handwritten digits (1,797 images of 8 x 8; E. Alpaydin and C. Kaynak, 1998,
CC BY 4.0; as scikit-learn ships them), gives the layer's values before its activation and the loss's
gradients behind it, for 512 images: shape (512, 64), float32.

torch/<number>.npy holds, for each text chain in torch/chains.txt (one a line), y and dx as PyTorch computes
them in float64, from the first 1,024 elements: shape (2, 1024), float64.

Needs torch, numpy and scikit-learn. Written with torch 2.15.0, numpy 2.4.6.
"""

import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).parent
COUNT = 1024


def f32(value):
    """A parameter as the library holds it."""
    return float(np.float32(value))


def sparse_plus(x):
    """jax.nn.sparse_plus."""
    return torch.where(x <= -1, 0.0, torch.where(x >= 1, x, (x + 1) ** 2 / 4))


def xielu(x, alpha_p, alpha_n, beta, eps):
    """transformers.activations.XIELUActivation, given the effective alpha_p and alpha_n."""
    up = alpha_p * x * x + beta * x
    down = (torch.expm1(torch.minimum(x, torch.tensor(eps, dtype=x.dtype))) - x) * alpha_n + beta * x
    return torch.where(x > 0, up, down)


CHAINS = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, f32(0.01)),
    "leaky_relu(negative_slope=0.3)": lambda x: F.leaky_relu(x, f32(0.3)),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "swish": lambda x: x * torch.sigmoid(x),
    "swish(beta=1.5)": lambda x: x * torch.sigmoid(1.5 * x),
    # F.hardsigmoid's float64 gradient is 1/6 rounded to float32.
    "hardsigmoid": lambda x: F.relu6(x + 3) / 6,
    "hardswish": F.hardswish,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "mish": F.mish,
    "softplus": F.softplus,
    "softplus(beta=2, threshold=3)": lambda x: F.softplus(x, 2.0, 3.0),
    "identity": lambda x: x * 1.0,
    "abs": torch.abs,
    "exp": torch.exp,
    "relu_squared": lambda x: F.relu(x) ** 2,
    "threshold": lambda x: F.threshold(x, 0.0, 0.0),
    "threshold(threshold=-0.5, value=2)": lambda x: F.threshold(x, -0.5, 2.0),
    "thresholded_relu": lambda x: F.threshold(x, 1.0, 0.0),
    "elu": F.elu,
    "elu(alpha=0.5)": lambda x: F.elu(x, 0.5),
    "selu": F.selu,
    "celu": F.celu,
    "celu(alpha=2)": lambda x: F.celu(x, 2.0),
    "logsigmoid": F.logsigmoid,
    "quick_gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "softsign": F.softsign,
    "hardtanh": F.hardtanh,
    "hardtanh(min_val=-0.5, max_val=2)": lambda x: F.hardtanh(x, -0.5, 2.0),
    "hard_mish": lambda x: 0.5 * x * (x + 2).clamp(0, 2),
    "tanhshrink": F.tanhshrink,
    "softshrink": F.softshrink,
    "hardshrink": F.hardshrink,
    "shrink": F.hardshrink,
    "shrink(lambd=0.25, bias=0.25)": lambda x: F.softshrink(x, 0.25),
    "onnx_hardsigmoid": lambda x: torch.clamp(f32(0.2) * x + 0.5, 0, 1),
    "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": lambda x: torch.clamp(x + 1, 0, 2) / 2,
    "star_relu": lambda x: f32(0.8944271909999159) * F.relu(x) ** 2 + f32(-0.4472135954999579),
    "xielu": lambda x: xielu(x, f32(0.8), f32(0.8), 0.5, f32(-1e-6)),
    "acon_b": lambda x: 0.75 * x * torch.sigmoid(0.75 * x) + 0.25 * x,
    "acon_c(p1=1.5, p2=-0.5, beta=2)": lambda x: 2 * x * torch.sigmoid(4 * x) - 0.5 * x,
    "scale(0.5) | silu | scale(2)": lambda x: 2 * F.silu(0.5 * x),
    "scale(-3) | mish | scale(0.25) | tanh": lambda x: torch.tanh(0.25 * F.mish(-3 * x)),
    "prelu": lambda x: F.prelu(x, torch.tensor(0.25, dtype=x.dtype)),
    "expm1": torch.expm1,
    "erf": torch.erf,
    "sine": torch.sin,
    "sine(omega=30)": lambda x: torch.sin(30 * x),
    "snake": lambda x: x + torch.sin(x) ** 2,
    "snake(alpha=0.3)": lambda x: x + torch.sin(f32(0.3) * x) ** 2 / f32(0.3),
    "snake_beta(alpha=2, beta=0.5)": lambda x: x + torch.sin(2 * x) ** 2 / 0.5,
    "step": lambda x: (x > 0).to(x.dtype) + 0 * x,
    "smelu": lambda x: torch.where(x <= -1, 0.0, torch.where(x >= 1, x, (x + 1) ** 2 / 4)),
    "smelu(beta=0.5)": lambda x: torch.where(x <= -0.5, 0.0, torch.where(x >= 0.5, x, (x + 0.5) ** 2 / 2)),
    # transformers.activations.LaplaceActivation.
    "laplace": lambda x: 0.5 * (1 + torch.erf((x - f32(0.707107)) / (f32(0.282095) * 2**0.5))),
    "sqrtsoftplus": lambda x: torch.sqrt(F.softplus(x, 1.0, 100.0)),
    "situ(beta=2)": lambda x: 2 * torch.tanh(x / 2) * torch.sigmoid(x),
    # oneDNN's eltwise_hardswish.
    "onednn_hardswish(alpha=0.5, beta=0.25)": lambda x: x * torch.clamp(0.5 * x + 0.25, 0, 1),
}


def hidden_layer():
    """A trained network's hidden layer: its values, and the loss's gradients behind its activation."""
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.data / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target)
    first, second = torch.nn.Linear(64, 64), torch.nn.Linear(64, 10)
    optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], lr=1e-2)
    for step in range(300):
        loss = F.cross_entropy(second(F.silu(first(images))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss after training: {loss.item():.4f}")
    x = first(images[:512])
    y = F.silu(x).detach().requires_grad_()
    F.cross_entropy(second(y), labels[:512], reduction="sum").backward()
    return x.detach().numpy(), y.grad.numpy()


x, dy = hidden_layer()
np.save(HERE / "digits_x.npy", x)
np.save(HERE / "digits_dy.npy", dy)
print(f"x from {x.min()} to {x.max()}, |dy| up to {abs(dy).max()}")

(HERE / "torch").mkdir(exist_ok=True)
(HERE / "torch" / "chains.txt").write_text("".join(f"{chain}\n" for chain in CHAINS))
for number, function in enumerate(CHAINS.values(), 1):
    inputs = torch.tensor(x.ravel()[:COUNT].astype(np.float64), requires_grad=True)
    y = function(inputs)
    y.backward(torch.tensor(dy.ravel()[:COUNT].astype(np.float64)))
    np.save(HERE / "torch" / f"{number}.npy", np.stack([y.detach().numpy(), inputs.grad.numpy()]))
