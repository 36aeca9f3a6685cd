#!/usr/bin/env python3
"""Write the arrays of the folder layers: what PyTorch's modules and autograd compute in float64.

Each layer is written here with torch's own modules, as a user would write it, with no formula for a gradient.
cases.txt has a line for each case: its name, the layer, the order of x in memory, the shape as N x C x H x W, the
settings, and, in their order in <name>.npy (float64, all in one row), the tensors with their lengths. "d."
stands before a gradient, "new." before a running statistic after the step. All of x, dy and the parameters
are f32 values.

Needs torch and numpy. Written with torch 2.15.0, numpy 2.4.6.
"""

import pathlib
import zlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).parent / "layers"

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)


def norm_of(kind, channels, eps, momentum):
    return None if kind == "none" else nn.BatchNorm2d(channels, eps=eps, momentum=momentum)


def norm_names(mark, norm):
    if norm is None:
        return {}
    return {
        f"bn{mark}_weight": norm.weight,
        f"bn{mark}_bias": norm.bias,
        f"running_mean{mark}": norm.running_mean,
        f"running_var{mark}": norm.running_var,
    }


def after(norm, x):
    return x if norm is None else norm(x)


class FReLU(nn.Module):
    def __init__(self, channels, kernel=(3, 3), bias=0, norm="eval", light=0, eps=1e-5, momentum=0.1):
        super().__init__()
        kernels = [(1, kernel[1]), (kernel[0], 1)] if light else [kernel]
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, channels, k, padding=(k[0] // 2, k[1] // 2), groups=channels, bias=bool(bias))
            for k in kernels
        )
        self.norms = nn.ModuleList(norm_of(norm, channels, eps, momentum) for _ in kernels)

    def forward(self, x):
        return torch.maximum(x, sum(after(bn, conv(x)) for conv, bn in zip(self.convs, self.norms)))

    def names(self):
        names = {}
        for mark, conv, norm in zip(("", "2"), self.convs, self.norms):
            names[f"weight{mark}"] = conv.weight
            if conv.bias is not None:
                names[f"bias{mark}"] = conv.bias
            names |= norm_names(mark, norm)
        return names


class MetaAcon(nn.Module):
    def __init__(self, channels, reduction=16, minimum=16, norm="none", eps=1e-5, momentum=0.1):
        super().__init__()
        hidden = max(minimum, channels // reduction)
        self.fc1, self.fc2 = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)
        self.bn1, self.bn2 = norm_of(norm, hidden, eps, momentum), norm_of(norm, channels, eps, momentum)
        self.p1 = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.p2 = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x):
        mean = x.mean(dim=(2, 3), keepdim=True)
        beta = torch.sigmoid(after(self.bn2, self.fc2(after(self.bn1, self.fc1(mean)))))
        u = (self.p1 - self.p2) * x
        return u * torch.sigmoid(beta * u) + self.p2 * x

    def names(self):
        names = {"p1": self.p1, "p2": self.p2}
        for name, fc in (("fc1", self.fc1), ("fc2", self.fc2)):
            names |= {f"{name}_weight": fc.weight, f"{name}_bias": fc.bias}
        return names | norm_names("1", self.bn1) | norm_names("2", self.bn2)


class DynamicReLU(nn.Module):
    def __init__(self, channels, variant="B", k=2, reduction=4, lambda_slope=1.0, lambda_intercept=0.5,
                 initial_slopes=(1.0,), initial_intercepts=(), temperature=10.0, gamma=None):
        super().__init__()
        hidden, self.variant, self.k = max(1, channels // reduction), variant, k
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, 2 * k * (1 if variant == "A" else channels))
        filled = lambda values: [*values, *[0.0] * (k - len(values))]
        self.initial = torch.tensor(filled(initial_slopes) + filled(initial_intercepts))
        self.lambdas = torch.tensor([lambda_slope] * k + [lambda_intercept] * k)
        self.temperature, self.gamma = temperature, gamma
        if variant == "C":
            self.spatial = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        samples, _, height, width = x.shape
        q = self.fc2(F.relu(self.fc1(x.mean(dim=(2, 3)))))
        theta = 2 * torch.sigmoid(q) - 1
        coefficients = self.initial + self.lambdas * theta.view(samples, -1, 1, 1, 2 * self.k)
        slopes, intercepts = coefficients[..., : self.k], coefficients[..., self.k :]
        y = (x.unsqueeze(-1) * slopes + intercepts).max(dim=-1).values
        if self.variant == "C":
            s = self.spatial(x).view(samples, -1) / self.temperature
            softmax = torch.softmax(s, dim=1).view(samples, 1, height, width)
            if self.gamma is None:
                y = y * F.hardtanh(height * width * softmax, 0, 3) / 3
            else:
                y = y * torch.clamp(self.gamma * softmax, max=1)
        return y

    def names(self):
        names = {}
        for name, fc in (("fc1", self.fc1), ("fc2", self.fc2)):
            names |= {f"{name}_weight": fc.weight, f"{name}_bias": fc.bias}
        if self.variant == "C":
            names |= {"spatial_weight": self.spatial.weight, "spatial_bias": self.spatial.bias}
        return names


LAYERS = {"frelu": FReLU, "meta_acon": MetaAcon, "dynamic_relu": DynamicReLU}


def whole(random, shape, low=-2, high=2):
    return random.randint(low, high + 1, size=shape).astype(np.float64)


def frelu_ties(random, values):
    """Whole numbers, and one channel whose window copies x."""
    values["x"] = whole(random, values["x"].shape)
    values["weight"] = whole(random, values["weight"].shape, -1, 1)
    values["weight"][0] = 0.0
    values["weight"][0, 0, 1, 1] = 1.0


def frelu_zero(random, values):
    """T = 0 everywhere, behind a batch norm."""
    values["x"] = whole(random, values["x"].shape, -1, 1)
    values["weight"][:] = 0.0
    for name in ("bn_bias", "running_mean"):
        values[name][:] = 0.0


def dynamic_ties(random, values):
    """θ = 0, so that all lines but the first are 0."""
    values["x"] = whole(random, values["x"].shape, -1, 1)
    values["fc2_weight"][:] = 0.0
    values["fc2_bias"][:] = 0.0


def equal_lines(random, values):
    """Each channel's second line is its first, whatever x is."""
    for name in ("fc2_weight", "fc2_bias"):
        k = 3
        rows = values[name].reshape(-1, 2, k, *values[name].shape[1:])
        rows[:, :, 1] = rows[:, :, 0]


def dead(random, values):
    """The first hidden value is 0 in front of its relu, and behind it."""
    values["fc1_weight"][0] = 0.0
    values["fc1_bias"][0] = 0.0


def louder(random, values):
    """A softmax far from even."""
    values["spatial_weight"] *= 4.0


# Name, layer, shape as N x C x H x W, order in memory, settings, what changes the drawn values.
CASES = [
    ("frelu_plain", "frelu", (2, 3, 4, 5), "nchw", dict(norm="none"), None),
    ("frelu_bias", "frelu", (2, 3, 4, 5), "nhwc", dict(norm="none", bias=1, kernel=(5, 3)), None),
    ("frelu_point", "frelu", (1, 2, 3, 3), "nchw", dict(norm="none", bias=1, kernel=(1, 1)), None),
    ("frelu_evaluation", "frelu", (2, 3, 5, 4), "nchw", dict(), None),
    ("frelu_evaluation_bias", "frelu", (1, 4, 3, 7), "nhwc", dict(bias=1), None),
    ("frelu_training", "frelu", (2, 3, 5, 4), "nchw", dict(norm="train"), None),
    ("frelu_training_bias", "frelu", (3, 2, 3, 5), "nhwc", dict(norm="train", bias=1), None),
    ("frelu_training_one", "frelu", (1, 3, 4, 3), "nchw", dict(norm="train", kernel=(3, 7)), None),
    ("frelu_training_places", "frelu", (4, 3, 1, 1), "nchw", dict(norm="train"), None),
    ("frelu_training_eps", "frelu", (2, 2, 3, 5), "nchw", dict(norm="train", eps=1e-3, momentum=0.03), None),
    ("frelu_light_plain", "frelu", (2, 2, 4, 5), "nchw", dict(norm="none", light=1, kernel=(5, 3)), None),
    ("frelu_light_evaluation", "frelu", (2, 2, 5, 4), "nhwc", dict(light=1), None),
    ("frelu_light_training", "frelu", (2, 3, 5, 4), "nchw", dict(light=1, norm="train"), None),
    ("frelu_light_training_bias", "frelu", (1, 2, 5, 7), "nchw",
     dict(light=1, norm="train", bias=1, kernel=(5, 7)), None),
    ("frelu_wide_window", "frelu", (2, 2, 2, 3), "nchw", dict(kernel=(7, 7)), None),
    ("frelu_one_place", "frelu", (3, 2, 1, 1), "nhwc", dict(kernel=(7, 7), bias=1), None),
    ("frelu_ties", "frelu", (2, 3, 4, 5), "nchw", dict(norm="none"), frelu_ties),
    ("frelu_ties_training", "frelu", (2, 2, 3, 5), "nchw", dict(norm="train"), frelu_zero),
    ("frelu_ties_evaluation", "frelu", (2, 2, 3, 5), "nhwc", dict(), frelu_zero),
    ("meta_acon", "meta_acon", (2, 6, 3, 5), "nchw", dict(), None),
    ("meta_acon_last", "meta_acon", (2, 6, 3, 5), "nhwc", dict(minimum=4), None),
    ("meta_acon_reduced", "meta_acon", (3, 12, 2, 3), "nchw", dict(minimum=2, reduction=4), None),
    ("meta_acon_rounded", "meta_acon", (1, 7, 3, 3), "nhwc", dict(minimum=1, reduction=2), None),
    ("meta_acon_one_place", "meta_acon", (1, 3, 1, 1), "nchw", dict(minimum=2), None),
    ("meta_acon_evaluation", "meta_acon", (2, 5, 4, 3), "nchw", dict(minimum=3, norm="eval"), None),
    ("meta_acon_training", "meta_acon", (4, 5, 3, 2), "nchw", dict(minimum=3, norm="train"), None),
    ("meta_acon_training_last", "meta_acon", (5, 4, 1, 3), "nhwc",
     dict(minimum=2, norm="train", eps=1e-3, momentum=0.03), None),
    ("dynamic_a", "dynamic_relu", (2, 6, 3, 5), "nchw", dict(variant="A"), None),
    ("dynamic_a_1", "dynamic_relu", (2, 5, 4, 3), "nhwc", dict(variant="A", k=1), None),
    ("dynamic_a_3", "dynamic_relu", (3, 8, 2, 3), "nhwc", dict(variant="A", k=3, reduction=2), None),
    ("dynamic_a_one_place", "dynamic_relu", (1, 4, 1, 1), "nchw", dict(variant="A"), None),
    ("dynamic_b", "dynamic_relu", (2, 8, 3, 4), "nchw", dict(), None),
    ("dynamic_b_1", "dynamic_relu", (1, 3, 5, 3), "nchw", dict(k=1), None),
    ("dynamic_b_3", "dynamic_relu", (2, 5, 3, 3), "nhwc", dict(k=3, reduction=2), None),
    ("dynamic_b_4", "dynamic_relu", (2, 4, 3, 3), "nchw",
     dict(k=4, reduction=2, lambda_slope=0.75, lambda_intercept=1.5, initial_slopes=(1.0, -0.5, 0.25),
          initial_intercepts=(0.125, -0.25)), None),
    ("dynamic_b_one_place", "dynamic_relu", (3, 4, 1, 1), "nhwc", dict(), None),
    ("dynamic_c", "dynamic_relu", (2, 6, 3, 5), "nchw", dict(variant="C"), None),
    ("dynamic_c_last", "dynamic_relu", (1, 5, 5, 3), "nhwc", dict(variant="C", k=3, reduction=2), None),
    ("dynamic_c_1", "dynamic_relu", (3, 3, 1, 3), "nchw", dict(variant="C", k=1, temperature=2.0), None),
    ("dynamic_c_clamped", "dynamic_relu", (2, 4, 3, 5), "nchw",
     dict(variant="C", reduction=2, temperature=1.0), louder),
    ("dynamic_c_gamma", "dynamic_relu", (2, 4, 3, 3), "nhwc",
     dict(variant="C", reduction=2, temperature=4.0, gamma=7.5), None),
    ("dynamic_c_one_place", "dynamic_relu", (2, 4, 1, 1), "nchw", dict(variant="C"), None),
    ("dynamic_a_ties", "dynamic_relu", (2, 4, 3, 3), "nchw", dict(variant="A"), dynamic_ties),
    ("dynamic_b_ties", "dynamic_relu", (2, 4, 3, 3), "nhwc", dict(k=3, reduction=2), dynamic_ties),
    ("dynamic_b_equal_lines", "dynamic_relu", (2, 3, 3, 3), "nchw",
     dict(k=3, reduction=1, initial_slopes=(0.5, 0.5)), equal_lines),
    ("dynamic_b_dead", "dynamic_relu", (2, 4, 3, 3), "nchw", dict(reduction=2), dead),
    ("dynamic_c_ties", "dynamic_relu", (2, 4, 3, 3), "nchw", dict(variant="C", k=3), dynamic_ties),
]


def setting(value):
    if isinstance(value, tuple):
        return ",".join(str(v) for v in value)
    return str(value)


def ties(layer, module, x):
    """How many elements the maximum finds equal."""
    found = []
    maximum, max_of = torch.maximum, torch.Tensor.max

    def counted(a, b):
        found.append(int((a == b).sum()))
        return maximum(a, b)

    def counted_lines(lines, dim):
        found.append(int(((lines == max_of(lines, dim=dim, keepdim=True).values).sum(dim=dim) > 1).sum()))
        return max_of(lines, dim=dim)

    torch.maximum, torch.Tensor.max = counted, counted_lines
    try:
        module(x)
    finally:
        torch.maximum, torch.Tensor.max = maximum, max_of
    return sum(found)


def run(name, layer, shape, order, settings, change):
    random = np.random.RandomState(zlib.crc32(name.encode()))
    module = LAYERS[layer](shape[1], **settings)
    names = module.names()
    values = {"x": random.randn(*shape), "dy": random.randn(*shape)}
    for parameter, tensor in names.items():
        drawn = random.randn(*tensor.shape) * 0.75
        if "running_var" in parameter:
            drawn = np.exp(drawn)
        if "bn" in parameter and "weight" in parameter:
            drawn += 1.0
        values[parameter] = drawn
    if change:
        change(random, values)
    values = {key: value.astype(np.float32).astype(np.float64) for key, value in values.items()}
    with torch.no_grad():
        for parameter, tensor in names.items():
            tensor.copy_(torch.from_numpy(values[parameter]))

    training = settings.get("norm") == "train"
    tied = ties(layer, module.train(False), torch.from_numpy(values["x"]))
    assert (tied > 5) == (change in (frelu_ties, frelu_zero, dynamic_ties, equal_lines)), (name, tied)
    module.train(training)
    x = torch.from_numpy(values["x"]).requires_grad_()
    y = module(x)
    y.backward(torch.from_numpy(values["dy"]))
    values["y"] = y.detach().numpy()
    if training:
        for parameter, tensor in names.items():
            if "running" in parameter:
                values[f"new.{parameter}"] = tensor.numpy().copy()
    values["d.x"] = x.grad.numpy()
    for parameter, tensor in names.items():
        if "running" not in parameter:
            values[f"d.{parameter}"] = tensor.grad.numpy()
    if order == "nhwc":
        for key in ("x", "dy", "y", "d.x"):
            values[key] = values[key].transpose(0, 2, 3, 1)

    words = [name, layer, order, "x".join(str(length) for length in shape)]
    words += [f"{key}={setting(value)}" for key, value in settings.items()]
    tensors = " ".join(f"{key}:{value.size}" for key, value in values.items())
    np.save(FOLDER / f"{name}.npy", np.concatenate([value.ravel() for value in values.values()]))
    return " ".join(words) + " | " + tensors + "\n"


FOLDER.mkdir(exist_ok=True)
for old in FOLDER.glob("*.npy"):
    old.unlink()
(FOLDER / "cases.txt").write_text("".join(run(*case) for case in CASES))
print(f"{len(CASES)} cases, {sum(file.stat().st_size for file in FOLDER.iterdir())} bytes")
