#!/usr/bin/env python3
"""Run ONNX's own node tests of activations through the command, and keep their arrays for the tests.

For each test of one node with one of the operators below, on floats: the chain that stands for the node with its
attributes, x, the operand of PRelu, and the expected y. The arrays go, as float32, to the folder onnx beside this file, with a line for
each test in cases.txt: its name, the chain, and further options of `nonlin run`, apart by tabs.

    python3 onnx_nodes.py [the command, with options such as --adapter TEXT]

With a command, each test runs through it, and the exit code says whether all passed. Needs onnx and numpy.
"""

import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

FOLDER = pathlib.Path(__file__).parent / "onnx"

OPERATORS = [
    "Celu", "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu", "Shrink",
    "Hardmax", "LogSoftmax", "Sigmoid", "Softmax", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu",
]  # fmt: skip

# ONNX's names are taken by the command; those whose attributes have defaults of ONNX's own need them said.
DEFAULTS = {
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
}


def text(value):
    if isinstance(value, int):
        return str(value)
    return f"'{value.decode()}'" if isinstance(value, bytes) else repr(float(np.float32(value)))


def chain(node, inputs):
    """The chain's text, and options for an operand."""
    attributes = dict(DEFAULTS.get(node.op_type, {}))
    attributes.update({a.name: onnx.helper.get_attribute_value(a) for a in node.attribute})
    if node.op_type == "Clip":
        # A bound that is left out has an empty name.
        bounds = [kind for kind, name in zip(["min", "max"], node.input[1:]) if name]
        attributes.update({kind: value.item() for kind, value in zip(bounds, inputs[1:])})
    if node.op_type == "PRelu":
        return "PRelu(@w)", ["--arg", "w=w.npy", "--channel-axis", "-1"]
    inner = ", ".join(f"{name}={text(value)}" for name, value in attributes.items())
    return f"{node.op_type}({inner})", []


def cases():
    for case in collect_testcases(None):
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in OPERATORS or not case.data_sets:
            continue
        inputs, outputs = ([array(value) for value in values] for values in case.data_sets[0])
        if inputs[0].dtype not in (np.float16, np.float32, np.float64):
            continue
        yield case.name, nodes[0], inputs, outputs[0]


def array(value):
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def passes(command, folder, text, options, dtype, y):
    line = [*command, "run", text, "--x", "x.npy", "--y", "y.npy", *options]
    if dtype == np.float16:
        line += ["--dtype", "f16"]
    ran = subprocess.run(line, cwd=folder, capture_output=True, text=True)
    if ran.returncode != 0:
        return ran.stderr.strip()
    got = np.load(folder / "y.npy").astype(np.float64)
    near = np.allclose(got, y.astype(np.float64), rtol=1e-3 if dtype == np.float16 else 1e-6, atol=1e-7)
    return None if near and got.shape == y.shape else f"other values: {got} for {y}"


def main():
    command, lines, failed = sys.argv[1:], [], 0
    FOLDER.mkdir(exist_ok=True)
    for name, node, inputs, y in cases():
        line, options = chain(node, inputs)
        folder = pathlib.Path(tempfile.mkdtemp())
        np.save(folder / "x.npy", inputs[0])
        np.save(FOLDER / f"{name}_x.npy", inputs[0].astype(np.float32))
        np.save(FOLDER / f"{name}_y.npy", y.astype(np.float32))
        if node.op_type == "PRelu":
            np.save(folder / "w.npy", inputs[1])
            np.save(FOLDER / f"{name}_w.npy", inputs[1].astype(np.float32))
        lines.append("\t".join([name, line, " ".join(options)]))
        if command:
            problem = passes(command, folder, line, options, inputs[0].dtype, y)
            failed += problem is not None
            print(f"{'ok  ' if problem is None else 'FAIL'} {name}: {line}{'' if problem is None else ': ' + problem}")
    (FOLDER / "cases.txt").write_text("".join(f"{line}\n" for line in lines))
    print(f"onnx {onnx.__version__}: {len(lines)} tests" + (f", {failed} failed" if command else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
