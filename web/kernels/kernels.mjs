// The kernels that there are, and the folder of each: what the Hub's kernels for WebGPU consist of.
import { createHash } from "node:crypto";
import { benches, budget, tests } from "./cases.mjs";
import { DTYPES, ROW_NAMES, variants } from "./variants.mjs";

/** The version of the manifest's form. */
const SPEC = "2.1";

const TELLS = {
  x: "What the activation was applied to.",
  y: "What the forward pass gave.",
  up: "What the activation's value was multiplied by.",
  dy: "The gradient of the result.",
  dx: "The gradient of what the activation was applied to.",
  dup: "The gradient of what its value was multiplied by.",
};

const plain = (name, chain) => ({
  name: `${name}Backward`,
  file: `${chain.replaceAll("_", "-")}-backward`,
  chain,
  activation: chain,
  pass: "backward",
  inputs: ["x", "dy"],
  outputs: ["dx"],
});

export const KERNELS = [
  plain("Relu", "relu"),
  plain("Silu", "silu"),
  plain("Gelu", "gelu"),
  plain("GeluTanh", "gelu_tanh"),
  {
    ...plain("Swiglu", "swiglu"),
    chain: "silu | gate(@up)",
    activation: "silu",
    operands: ["up"],
    inputs: ["x", "dy", "up"],
    outputs: ["dx", "dup"],
  },
  { ...plain("Softmax", "softmax"), pass: "backward-from-y", isOfRows: true, inputs: ["y", "dy"] },
];

function manifest(kernel, all) {
  const told = (name) => ({ description: TELLS[name] });
  const inputs = kernel.inputs.map((name) => [name, { ...told(name), dtype: "T" }]);
  // Gradients of operands are f32, whatever those are.
  const of = { dx: kernel.inputs[0], dup: "up" };
  const outputs = kernel.outputs.map((name) => [
    name,
    { ...told(name), dtype: name === "dx" ? "T" : "float32", shape: `shapes.${of[name]}` },
  ]);
  return {
    domain: "nonlin",
    name: kernel.name,
    description: `The backward pass of ${kernel.chain}${kernel.isOfRows ? " along the last axis, from its result" : ""}.`,
    sinceVersion: 1,
    typeConstraints: { T: Object.keys(DTYPES) },
    inputs: Object.fromEntries(inputs),
    outputs: Object.fromEntries(outputs),
    ...(kernel.isOfRows ? { derive: ROW_NAMES(kernel) } : {}),
    variants: all.map(({ variant }) => variant),
  };
}

function metadata(kernel, all, files, version) {
  const digest = (text) => createHash("sha256").update(text).digest("base64");
  return {
    name: `nonlin.${kernel.name}`,
    version: 1,
    license: "apache-2.0",
    backend: { type: "webgpu" },
    source: { package: "nonlin", version },
    webgpu: { manifestSpec: SPEC, variants: Object.fromEntries(all.map(({ variant, file }) => [variant.id, [file]])) },
    digest: {
      algorithm: "sha256",
      files: Object.fromEntries(Object.entries(files).map(([path, text]) => [path, digest(text)])),
    },
  };
}

function card(kernel, all) {
  const id = `nonlin.${kernel.name}`;
  const shape = kernel.isOfRows ? "[rows, columns]" : "[batch, features]";
  const inputs = kernel.inputs.map((name) => `  ${name}: { data: ${name}s, shape: ${shape} },`).join("\n");
  const ports = (names) => names.map((name) => `- \`${name}\`: ${TELLS[name]}`).join("\n");
  const ulp = budget(kernel);
  const error = ulp
    ? `Float32 results are within ${ulp} units in the last place of the gradient in f64, for every x.`
    : "Sums are taken in a fixed order.";
  return `---
license: apache-2.0
tags: [kernel, webgpu, wgsl]
---

# ${id}

The backward pass of \`${kernel.chain}\`${kernel.isOfRows ? ", along the last axis, from its result" : ""}, for WebGPU. ${error} NaN gives NaN.
No feature of the device is needed, for float16 neither.

\`\`\`js
import { getKernel } from "@huggingface/kernels";

const backward = await getKernel("OWNER/${id}", { version: 1, trustRemoteCode: true });
const { ${kernel.outputs.join(", ")} } = await backward({
${inputs}
});
\`\`\`

## Inputs
${ports(kernel.inputs)}

All have one shape and one type, float32 or float16${kernel.isOfRows ? "; rows of float16 have a multiple of 4 columns" : "; float16 in multiples of 4 elements"}.

## Outputs
${ports(kernel.outputs)}${kernel.outputs.length > 1 ? " It is float32." : ""}

## Files
${all.length} variants. The shaders are what nonlin's recipes give, \`cargo xtask kernels\` makes this folder, and its tests compare with
\`test.json\`, whose results are computed in f64.
`;
}

/** Lists of numbers and words on a line each. */
function json(value) {
  const text = JSON.stringify(value, undefined, 1);
  return `${text.replace(/\[\n[^[\]{}]*\]/g, (list) => list.replace(/\n */g, " "))}\n`;
}

/** The files of a kernel's repository, by path. */
export function folder(kernel, version) {
  const all = variants(kernel);
  const files = { "manifest.json": json(manifest(kernel, all)), "test.json": json(tests(kernel)), "bench.json": json(benches(kernel)) };
  for (const { file, text } of all) files[file] = `${text.trimEnd()}\n`;
  files["metadata.json"] = json(metadata(kernel, all, files, version));
  const built = Object.entries(files).map(([path, text]) => [`build/webgpu/${path}`, text]);
  return { "README.md": card(kernel, all), ...Object.fromEntries(built) };
}
