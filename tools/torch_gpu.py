#!/usr/bin/env python3
"""What PyTorch takes for the work that nonlin does, on this machine's GPU: eager, and compiled by torch.compile.

    python3 tools/torch_gpu.py [--beside FOLDER] [--out FILE.jsonl] [--only WORD]

Each time stands beside that of PyTorch's own copy of the same bytes: forward, x.copy_() (a read and a write), backward,
torch.add(x, dy, out=dx) (two reads and a write). So the ratios can be set beside nonlin's, which has its own copy, and the
copies beside each other. --beside names a folder in which tools/gpu_kit/run.sh has left what `nonlin bench --json` printed,
bench-NAME-DTYPE.json: then the table has nonlin's ratios too.

The method is that of `nonlin bench`: buffers take turns, so that no cache holds what is read next; a sample repeats the work
until it takes 5 ms, by the GPU's own clock; the median of samples counts. Backward is autograd's from a forward pass that is not
timed, with the gradients of all parameters. What a form cannot do is said in the table's place.

Needs torch, and nothing that has to be fetched. --device cpu is for trying the script.
"""

import argparse
import json
import signal
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F

# Bytes that a copy goes through before it comes to the same buffers again, and the most sets of buffers: as in nonlin.
BEFORE_AGAIN = 512 << 20
MOST_SETS = 8
SAMPLE_MS = 5.0
MOST_REPEATS = 1000
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


class Clock:
    """Milliseconds between two points of the device's queue."""

    def __init__(self, device):
        self.is_cuda = device == "cuda"

    def mark(self):
        if not self.is_cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, start, end):
        if not self.is_cuda:
            return (end - start) * 1e3
        torch.cuda.synchronize()
        return start.elapsed_time(end)


def sample(clock, turns, repeats, first):
    """Milliseconds of one turn, where they go on behind each other."""
    start = clock.mark()
    for index in range(first, first + repeats):
        turns[index % len(turns)]()
    return clock.between(start, clock.mark()) / repeats


def median(clock, turns, samples):
    """The median over samples of work that is there on several sets of buffers."""
    for turn in turns * 2:
        turn()
    repeats = 1
    while True:
        once = sample(clock, turns, repeats, 0)
        wanted = SAMPLE_MS / max(once, 1e-6)
        if 0.9 * wanted <= repeats or repeats >= MOST_REPEATS:
            break
        repeats = min(MOST_REPEATS, int(min(wanted, 10 * repeats)) + 1)
    return statistics.median(sample(clock, turns, repeats, index * repeats) for index in range(samples))


class Work:
    """What is measured: a name, a function of tensors, and what makes them; all but the first are parameters or gates."""

    def __init__(self, name, function, *shapes):
        self.name = name
        self.function = function
        # Of each tensor a shape, what is about its middle, and how far it goes from there.
        self.shapes = shapes


def plain(elements):
    """Activations, and others of x alone."""
    x = ((elements,), 0.0, 3.0)
    functions = {
        "identity": lambda x: x.clone(),
        "relu": F.relu,
        "leaky_relu": F.leaky_relu,
        "elu": F.elu,
        "selu": F.selu,
        "celu": F.celu,
        "sigmoid": torch.sigmoid,
        "logsigmoid": F.logsigmoid,
        "tanh": torch.tanh,
        "silu": F.silu,
        "gelu": F.gelu,
        "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
        "mish": F.mish,
        "softplus": F.softplus,
        "softsign": F.softsign,
        "hardsigmoid": F.hardsigmoid,
        "hardswish": F.hardswish,
        "hardtanh": F.hardtanh,
        "tanhshrink": F.tanhshrink,
        "softshrink": F.softshrink,
        "hardshrink": F.hardshrink,
    }
    for name, function in functions.items():
        yield Work(name, function, x)
    yield Work("constants", lambda x: F.silu(x * 0.5) * 2.0, x)
    rows = ((elements // 1024, 1024), 0.0, 3.0)
    yield Work("softmax", lambda x: F.softmax(x, -1), rows)
    yield Work("scaled_softmax", lambda x: F.softmax(x * 0.125, -1), rows)


def learned(elements):
    """Gates, and parameters with a value for each channel, whose elements lie beside each other (nchw) or channels do."""
    x = ((elements,), 0.0, 3.0)
    yield Work("swiglu", lambda x, g: F.silu(x) * g, x, x)
    yield Work("geglu", lambda x, g: F.gelu(x) * g, x, x)
    layouts = {
        "nchw": ((32, 256, elements // 8192), (1, 256, 1)),
        "nhwc": ((elements // 256, 256), (1, 256)),
    }
    for layout, (shape, each) in layouts.items():
        x, one, zero, slope = (shape, 0.0, 3.0), (each, 1.0, 0.2), (each, 0.0, 0.2), (each, 0.25, 0.1)

        def acon_c(x, p, q, b):
            d = (p - q) * x
            return d * torch.sigmoid(b * d) + q * x

        def block(x, s, b, r):
            return F.dropout(F.mish(x * s + b), 0.1) + r

        yield Work(f"prelu-{layout}", lambda x, w: F.prelu(x, w.flatten()), x, slope)
        yield Work(f"swish-{layout}", lambda x, b: x * torch.sigmoid(b * x), x, one)
        yield Work(f"acon_c-{layout}", acon_c, x, one, zero, one)
        yield Work(f"block-{layout}", block, x, one, zero, x)


def layers(shape):
    """Layers on images, with nonlin's defaults for what is squeezed."""
    n, c, h, w = shape
    x, hidden = (shape, 0.0, 1.0), max(c // 4, 1)
    each = lambda middle: ((1, c, 1, 1), middle, 0.2)
    squeezed = max(c // 16, 16)

    def frelu(x, weight, gamma, beta):
        t = F.conv2d(x, weight, padding=1, groups=c)
        return torch.maximum(x, F.batch_norm(t, None, None, gamma, beta, training=True))

    def meta_acon(x, p, q, w1, b1, w2, b2):
        beta = torch.sigmoid(F.linear(F.linear(x.mean((2, 3)), w1, b1), w2, b2))[:, :, None, None]
        d = (p - q) * x
        return d * torch.sigmoid(beta * d) + q * x

    def dyrelu_b(x, w1, b1, w2, b2):
        t = 2 * torch.sigmoid(F.linear(F.relu(F.linear(x.mean((2, 3)), w1, b1)), w2, b2)) - 1
        a1, a2, s1, s2 = t.view(n, c, 4).unbind(-1)
        wide = lambda t: t[:, :, None, None]
        return torch.maximum(x * wide(1 + a1) + wide(0.5 * s1), x * wide(a2) + wide(0.5 * s2))

    yield Work("frelu", frelu, x, ((c, 1, 3, 3), 0.0, 0.3), ((c,), 1.0, 0.2), ((c,), 0.0, 0.2))
    sums = lambda outputs, inputs: (((outputs, inputs), 0.0, inputs**-0.5), ((outputs,), 0.0, 0.1))
    yield Work("meta_acon", meta_acon, x, each(1.0), each(0.0), *sums(squeezed, c), *sums(c, squeezed))
    yield Work("dyrelu_b", dyrelu_b, x, *sums(hidden, c), *sums(4 * c, hidden))


class Bench:
    def __init__(self, options):
        self.options = options
        self.clock = Clock(options.device)
        self.out = open(options.out, "w") if options.out else None
        self.copies = {}

    def tell(self, row):
        if self.out:
            print(json.dumps(row), file=self.out, flush=True)
        return row

    def sets(self, elements, dtype):
        if self.options.device == "cpu":
            return 1
        bytes_of_copy = 2 * elements * dtype.itemsize
        return max(1, min(MOST_SETS, -(-BEFORE_AGAIN // bytes_of_copy)))

    def tensors(self, shapes, dtype):
        made = []
        for shape, middle, reach in shapes:
            tensor = torch.empty(shape, device=self.options.device).uniform_(middle - reach, middle + reach)
            made.append(tensor.to(dtype).requires_grad_())
        return made

    def copy(self, elements, name):
        """Nanoseconds an element, forward and backward."""
        dtype = DTYPES[name]
        if (elements, name) not in self.copies:
            new = lambda: torch.rand(elements, device=self.options.device).to(dtype)
            sets = [(new(), new(), new()) for _ in range(self.sets(elements, dtype))]
            ways = {
                "forward": [lambda x=x, y=y: y.copy_(x) for x, _, y in sets],
                "backward": [lambda x=x, d=d, y=y: torch.add(x, d, out=y) for x, d, y in sets],
            }
            found = {}
            for way, turns in ways.items():
                ms = median(self.clock, turns, self.options.samples)
                found[way] = ms * 1e6 / elements
                moved = (2 if way == "forward" else 3) * elements * dtype.itemsize
                self.tell({"name": "copy", "pass": way, "dtype": name, "elements": elements,
                           "ns": found[way], "gb_per_s": moved / ms / 1e6})
            self.copies[elements, name] = found
        return self.copies[elements, name]

    def turns(self, function, sets, forward):
        """The pass on each set; backward from a graph that stays."""
        if forward:
            def run(tensors):
                with torch.no_grad():
                    return function(*tensors)
            return [lambda tensors=tensors: run(tensors) for tensors in sets]
        turns = []
        for tensors in sets:
            y = function(*tensors)
            dy = torch.rand_like(y) * 2 - 1
            turns.append(lambda y=y, t=tensors, dy=dy: torch.autograd.grad(y, t, dy, retain_graph=True))
        return turns

    def measure(self, work, name):
        """Rows of a work: of each form and pass its time, and that over the copy's."""
        dtype = DTYPES[name]
        elements = torch.Size(work.shapes[0][0]).numel()
        copies = self.copy(elements, name)
        sets = [self.tensors(work.shapes, dtype) for _ in range(self.sets(elements, dtype))]
        for form in ("eager", "compile"):
            for way in ("forward", "backward"):
                row = {"name": work.name, "pass": way, "dtype": name, "form": form, "elements": elements}
                try:
                    function = work.function if form == "eager" else torch.compile(work.function)
                    turns = self.turns(function, sets, way == "forward")
                    ns = median(self.clock, turns, self.options.samples) * 1e6 / elements
                    row |= {"ns": ns, "to_copy": ns / copies[way]}
                except Exception as error:  # What PyTorch cannot do is a result, too.
                    row["failed"] = f"{type(error).__name__}: {error}"[:300]
                yield self.tell(row)
                turns = None
                if self.options.device == "cuda":
                    torch.cuda.empty_cache()
        torch.compiler.reset()


def of_nonlin(folder, name, way, dtype):
    """nonlin's ratio to its copy, where it was measured."""
    if folder is None:
        return None
    for file, chain in ((f"bench-{name}-{dtype}.json", None), (f"bench-all-{dtype}.json", name)):
        try:
            document = json.loads((folder / file).read_text())
        except (OSError, ValueError):
            continue
        for row in document.get("passes") or document.get("results") or []:
            of_this = chain is None or row.get("chain", "").split("(")[0] == chain
            if of_this and row.get("pass") == way and "fused" in row:
                return row["fused"]["ratio_to_copy"]
    return None


def table(rows, folder):
    """Ratios beside each other: nonlin, eager, compiled."""
    lines = ["| | pass | dtype | nonlin, to its copy | eager, to torch's copy | compiled |", "|---|---|---|---|---|---|"]
    cells = {}
    for row in rows:
        figure = f"{row['to_copy']:.2f}" if "to_copy" in row else "failed"
        cells.setdefault((row["name"], row["pass"], row["dtype"]), {})[row["form"]] = figure
    for (name, way, dtype), figures in cells.items():
        own = of_nonlin(folder, name, way, dtype)
        own = "-" if own is None else f"{own:.2f}"
        lines.append(f"| {name} | {way} | {dtype} | {own} | {figures.get('eager', '-')} | {figures.get('compile', '-')} |")
    return "\n".join(lines)


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--elements", type=int, default=1 << 26)
    parser.add_argument("--layer", default="64x64x112x112", help="samples, channels, height and width")
    parser.add_argument("--dtypes", default="f32,f16", help="of " + ", ".join(DTYPES))
    parser.add_argument("--samples", type=int, default=11)
    parser.add_argument("--only", default="", help="what has this in its name")
    parser.add_argument("--beside", type=Path, help="the folder with nonlin's results")
    parser.add_argument("--out", help="a JSON line for each measurement")
    return parser.parse_args()


def main():
    given = options()
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch sees no GPU; --device cpu tries the script")
    name = torch.cuda.get_device_name() if given.device == "cuda" else "the processor"
    # A graph that stays is run backward again and again, which compiled ones do not allow unless they are told.
    try:
        import torch._functorch.config as config
        config.donated_buffer = False
    except (ImportError, AttributeError):
        pass  # Older ones allow it.
    bench = Bench(given)
    bench.tell({"device": name, "torch": torch.__version__})
    shape = tuple(int(length) for length in given.layer.split("x"))
    rows = []
    # Where time is short, what was measured until then is told.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        for dtype in given.dtypes.split(","):
            works = [*plain(given.elements), *learned(given.elements)]
            # nonlin times layers in f32.
            works += layers(shape) if dtype == "f32" else []
            for work in works:
                if given.only in work.name:
                    for row in bench.measure(work, dtype):
                        rows.append(row)
    finally:
        show(bench, rows, name, given.beside)


def show(bench, rows, name, beside):
    print(f"torch {torch.__version__} on {name}\n")
    for (elements, dtype), copies in bench.copies.items():
        print(f"A copy of {elements} {dtype}: {copies['forward']:.4g} ns an element forward, {copies['backward']:.4g} backward.")
    print("\n" + table(rows, beside), flush=True)


main()
