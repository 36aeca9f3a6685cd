// What runs in the browser: recipes on the page's own GPU, each tensor compared with the reference. Leaves what it found in
// window.found.
import { compare, layerCompare, layerParameters, layerRecipe, list, recipe } from "nonlin";
import * as own from "nonlin/custom";
import { bind, createBuffer, read, write } from "nonlin/run";

/** Numbers that look random, from -8 to 8, and what is special. */
function inputs(count, seed) {
  const special = [0, -0, 1, -1, 3, -3, 6, Infinity, -Infinity, NaN, 1e-38, -1e-38, 3e38, -3e38, 88, -104];
  let state = seed;
  return Float32Array.from({ length: count }, (_, index) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return index % 64 < special.length && seed === 1 ? special[index % 64] : (state / 2 ** 32) * 16 - 8;
  });
}

/** The upper half of each f32: bf16, cut off, which is as good as rounded for a test's inputs. */
const bf16 = (values) => Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16);

/** Buffers for a recipe, filled with the arrays of their names. */
function filled(device, made, arrays) {
  const buffers = {};
  for (const [name, bytes] of Object.entries(made.buffers)) {
    buffers[name] = createBuffer(device, bytes);
    const values = arrays[name.replace(/^@/, "")];
    if (values) write(device, buffers[name], values);
  }
  return buffers;
}

function submit(device, made, buffers) {
  const record = bind(device, made, buffers);
  const encoder = device.createCommandEncoder();
  const compute = encoder.beginComputePass();
  record(compute);
  compute.end();
  device.queue.submit([encoder.finish()]);
  record.destroy();
}

async function run(device, { nonlin = { compare, recipe }, chain, pass = "forward", options, operands = {} }) {
  const made = nonlin.recipe(chain, pass, { ...options, limits: device.limits });
  const count = options.shape.reduce((product, length) => product * length, 1);
  const isWide = (options.dtype ?? "f32") === "f32";
  const stored = (values) => (isWide ? values : bf16(values));
  const arrays = { x: stored(inputs(count, 1)), ...operands };
  if (pass === "backward") arrays.dy = stored(inputs(count, 2));
  const buffers = filled(device, made, arrays);
  submit(device, made, buffers);
  const Stored = isWide ? Float32Array : Uint16Array;
  const all = async (name, Type, length) => new Type(await read(device, buffers[name])).slice(0, length);
  const results = {};
  if (buffers.y) results.y = await all("y", Stored, count);
  if (buffers.dx) results.dx = await all("dx", Stored, count);
  for (const name of options.gradients ?? []) {
    results.gradients ??= {};
    results.gradients[name] = await all(`d@${name}`, Float32Array, operands[name].length);
  }
  Object.values(buffers).forEach((buffer) => buffer.destroy());
  return nonlin.compare(chain, arrays, results, options);
}

/** A layer, both ways: what forward saves is there for backward. */
async function runLayer(device, layer, options) {
  const count = options.shape.reduce((product, length) => product * length, 1);
  const all = layerParameters(layer, options);
  const { offset, length } = all.at(-1);
  const parameters = inputs(offset + length, 5).map((value) => value / 16);
  // A variance is above zero.
  for (const { name, offset, length } of all) if (name.endsWith("_var")) parameters.fill(0.75, offset, offset + length);
  const arrays = { x: inputs(count, 6), dy: inputs(count, 7), parameters };
  const [forward, backward] = ["forward", "backward"].map((pass) => layerRecipe(layer, pass, { ...options, limits: device.limits }));
  const buffers = filled(device, { buffers: { ...forward.buffers, ...backward.buffers } }, arrays);
  submit(device, forward, buffers);
  submit(device, backward, buffers);
  const got = async (name, length) => new Float32Array(await read(device, buffers[name])).slice(0, length);
  const results = { y: await got("y", count), dx: await got("dx", count) };
  for (const name of ["parameters", "gradients"]) results[name] = await got(name, parameters.length);
  Object.values(buffers).forEach((buffer) => buffer.destroy());
  return layerCompare(layer, arrays, results, options);
}

/** Every activation, both passes, in f32 and bf16; operands with gradients; rows. */
function cases() {
  const all = [];
  for (const { name } of list().activations) {
    for (const pass of ["forward", "backward"]) {
      all.push({ chain: name, pass, options: { shape: [4097] } });
      all.push({ chain: name, pass, options: { shape: [1001], dtype: "bf16" } });
    }
  }
  const w = Float32Array.from({ length: 6 }, (_, i) => 0.1 * (i + 1));
  const shape = [5, 6, 70];
  const learned = { shape, operands: { w: { length: 6 } }, gradients: ["w"] };
  all.push({ chain: "prelu(weight=@w)", pass: "backward", options: learned, operands: { w } });
  all.push({ chain: "swish(beta=@w)", pass: "backward", options: { ...learned, shape: [300, 6] }, operands: { w } });
  const g = inputs(2100, 3);
  const gated = { shape, operands: { g: { length: 2100 } } };
  for (const pass of ["forward", "backward"]) {
    const gradients = pass === "backward" ? ["g"] : [];
    all.push({ chain: "swiglu_oai", pass, options: { ...gated, gradients }, operands: { g } });
    all.push({ chain: "scale(0.5) | dropout(0.1) | residual(@g)", pass, options: { ...gated, seed: 7 }, operands: { g } });
    const m = Float32Array.from({ length: 128 }, (_, i) => (i % 5 === 0 ? -Infinity : 0));
    const rows = { shape: [2, 3, 8, 64], operands: { m: { shape: [2, 1, 1, 64] } } };
    all.push({ chain: "tanh | scale(4) | residual(@m) | softmax", pass, options: rows, operands: { m } });
    all.push({ chain: "tanh | log_softmax", pass, options: { shape: [3, 5000] } });
    all.push({ nonlin: own, chain: "scale(0.5) | hill(width=0.3) | silu", pass, options: { shape: [4097] } });
  }
  return all;
}

own.define({
  name: "hill",
  parameters: { width: 1 },
  wgsl: `
fn act_hill(x: f32, width: f32) -> f32 { return 1.0 / (1.0 + x * x * width); }
fn act_hill_dx(x: f32, width: f32) -> f32 {
    let y = act_hill(x, width);
    return select(-2.0 * x * width * y * y, 0.0, y == 0.0);
}`,
  y: (x, width) => 1 / (1 + x * x * width),
  dx: (x, width) => (Number.isFinite(x) ? (-2 * x * width) / (1 + x * x * width) ** 2 : x === x ? 0 : NaN),
  // Far out its derivative underflows before its factors do.
  budget: 8,
});

const found = { adapter: "", compared: 0, wrong: [], errors: [] };
try {
  const adapter = await navigator.gpu.requestAdapter();
  found.adapter = `${adapter.info.vendor} ${adapter.info.architecture}`;
  const device = await adapter.requestDevice();
  device.onuncapturederror = ({ error }) => found.errors.push(error.message);
  for (const each of cases()) {
    for (const { tensor, compared, passed, worst } of await run(device, each)) {
      found.compared += compared;
      const what = `${each.chain} ${each.pass} ${each.options.dtype ?? "f32"} ${tensor}`;
      if (!passed) found.wrong.push(`${what}: ${JSON.stringify(worst)}`);
    }
  }
  const layers = ["frelu", "frelu(norm=train, light)", "meta_acon", "dyrelu_a", "dyrelu_b", "dyrelu_c"];
  // Rows that are no whole words, and rows that are.
  for (const [layer, shape] of layers.flatMap((layer) => [[layer, [2, 8, 9, 7]], [layer, [2, 4, 20, 16]]])) {
    for (const { tensor, compared, passed, ...told } of await runLayer(device, layer, { shape })) {
      found.compared += compared;
      if (!passed) found.wrong.push(`${layer} ${shape} ${tensor}: ${JSON.stringify(told)}`);
    }
  }
  // A harness that finds nothing wrong proves nothing: another chain's reference must refuse.
  const [other] = compare("gelu", { x: [1] }, { y: [0.7310586] });
  found.refuses = !other.passed;
} catch (error) {
  found.errors.push(`${error.stack ?? error}`);
}
window.found = found;
