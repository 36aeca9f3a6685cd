"""Writes tests/derive/kinks.txt: what PyTorch's autograd has at kinks.

Each line: WGSL of x and a; a; then for each x: x, d/dx and d/da. Run: python3 tests/derive/kinks.py > tests/derive/kinks.txt
"""

import torch

T = torch.tensor
CASES = [
    ("abs(x) * a", lambda x, a: torch.abs(x) * a, 2.0, [-1.5, 0.0, 1.5]),
    ("max(x, a)", torch.maximum, 0.5, [-1.0, 0.5, 1.0]),
    ("min(x, a)", torch.minimum, 0.5, [-1.0, 0.5, 1.0]),
    ("max(a, 2.0 * x)", lambda x, a: torch.maximum(a, 2.0 * x), 0.5, [-1.0, 0.25, 1.0]),
    ("max(x, x * a)", lambda x, a: torch.maximum(x, x * a), 0.5, [-1.0, 0.0, 1.0]),
    ("clamp(x, -1.0, a)", lambda x, a: torch.clamp(x, T(-1.0, dtype=a.dtype), a), 1.0, [-2.0, -1.0, 0.0, 1.0, 2.0]),
    ("clamp(x, a, 1.0)", lambda x, a: torch.clamp(x, a, T(1.0, dtype=a.dtype)), -1.0, [-2.0, -1.0, 0.0, 1.0, 2.0]),
    ("clamp(x, a, 1.0)", lambda x, a: torch.clamp(x, a, T(1.0, dtype=a.dtype)), 2.0, [0.0, 1.0, 1.5, 3.0]),
    ("clamp(a * x, -1.0, 1.0)", lambda x, a: torch.clamp(a * x, -1.0, 1.0), 2.0, [-1.0, -0.5, 0.0, 0.5, 1.0]),
    ("saturate(a * x)", lambda x, a: torch.clamp(a * x, 0.0, 1.0), 2.0, [-0.5, 0.0, 0.25, 0.5, 1.0]),
    ("floor(x) * a", lambda x, a: torch.floor(x) * a, 2.0, [-1.0, 0.0, 0.5]),
    ("ceil(x) * a", lambda x, a: torch.ceil(x) * a, 2.0, [-1.0, 0.0, 0.5]),
    ("round(x) * a", lambda x, a: torch.round(x) * a, 2.0, [-0.5, 0.5, 1.5]),
    ("trunc(x) * a", lambda x, a: torch.trunc(x) * a, 2.0, [-1.0, 0.0, 0.5]),
    ("fract(a * x)", lambda x, a: a * x - torch.floor(a * x), 2.0, [-0.75, 0.0, 0.5]),
    ("sign(x) * a", lambda x, a: torch.sign(x) * a, 2.0, [-1.0, 0.0, 1.0]),
    ("step(a, x) * x", lambda x, a: (x >= a).to(x.dtype) * x, 0.5, [0.0, 0.5, 1.0]),
    ("x % a", torch.fmod, 1.5, [-3.5, -1.5, 0.0, 1.0, 3.0]),
    ("sqrt(x * a)", lambda x, a: torch.sqrt(x * a), 2.0, [0.5, 2.0]),
    ("pow(x, a)", torch.pow, 2.5, [0.0, 0.5, 2.0]),
    ("pow(x, a)", torch.pow, 0.0, [0.5, 2.0]),
    ("pow(x, 2.0) * a", lambda x, a: torch.pow(x, 2.0) * a, 1.5, [0.0, 0.5, -2.0]),
    ("length(vec2(x, a * x))", lambda x, a: torch.linalg.vector_norm(torch.stack([x, a * x])), 2.0, [-1.0, 0.0, 1.0]),
    ("distance(vec2(x, 1.0), vec2(a, 1.0))", lambda x, a: torch.linalg.vector_norm(torch.stack([x - a, x * 0.0])), 2.0, [-1.0, 2.0, 3.0]),
    ("select(a * x, x * x, x > 0.0)", lambda x, a: torch.where(x > 0.0, x * x, a * x), 2.0, [-1.0, 0.0, 1.0]),
    ("mix(x, a, 0.25)", lambda x, a: torch.lerp(x, a, 0.25), 2.0, [-1.0, 2.0]),
    ("atan2(x, a)", torch.atan2, 0.5, [-1.0, 0.0, 2.0]),
    ("inverseSqrt(x) * a", lambda x, a: torch.rsqrt(x) * a, 2.0, [0.25, 2.0]),
    ("tanh(a * x)", lambda x, a: torch.tanh(a * x), 2.0, [-30.0, -0.5, 0.0, 30.0]),
]

for text, function, a, xs in CASES:
    fields = [text, repr(a)]
    for x in xs:
        # Numbers as f32 holds them.
        both = [T(v, dtype=torch.float32).to(torch.float64).requires_grad_() for v in (x, a)]
        y = function(*both)
        dx, da = torch.autograd.grad(y, both, allow_unused=True)
        dx, da = [0.0 if d is None else d.item() for d in (dx, da)] if y.requires_grad else (0.0, 0.0)
        fields += [repr(x), repr(dx), repr(da)]
    print("; ".join(fields))
