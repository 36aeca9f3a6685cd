// The package as npm packs it, in Node, where there is no GPU. NONLIN_PACKAGE is the folder that it was unpacked to.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { brotliCompressSync } from "node:zlib";

const folder = process.env.NONLIN_PACKAGE;
const nonlin = await import(pathToFileURL(`${folder}/index.js`));
const custom = await import(pathToFileURL(`${folder}/custom.js`));

/** A file as servers send it. */
const compressed = (file) => brotliCompressSync(readFileSync(`${folder}/pkg/${file}`)).length;

test("the package has what its manifest names, and nothing else", () => {
  const { files, exports } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const there = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`.slice(folder.length + 1));
  assert.deepEqual(there.sort(), [...files, "README.md", "package.json"].sort());
  for (const { types, default: code } of Object.values(exports)) {
    assert.ok(there.includes(types.slice(2)) && there.includes(code.slice(2)), code);
  }
});

test("the module is at most 250 KiB, as servers send it", () => {
  const bytes = compressed("nonlin_bg.wasm");
  console.log(`${bytes} bytes of WebAssembly, compressed by Brotli`);
  assert.ok(bytes <= 250 * 1024, `${bytes} bytes`);
  const own = compressed("nonlin_custom_bg.wasm");
  console.log(`${own} bytes of the module with activations of the page's own`);
  assert.ok(own <= 500 * 1024, `${own} bytes`);
});

test("the list has activations, presets and layers", () => {
  const { activations, presets, layers } = nonlin.list();
  assert.ok(activations.length >= 51 && presets.length >= 20 && layers.length === 5);
  const silu = activations.find(({ name }) => name === "silu");
  assert.equal(silu.formula, "x * sigmoid(x)");
  for (const { name } of activations) assert.equal(nonlin.parse(name).operands.length, 0, name);
});

test("a chain is understood", () => {
  const chain = nonlin.parse("scale(0.5) | nn.SiLU() | gate(@g)");
  assert.equal(chain.text, "scale(0.5) | silu | gate(@g)");
  assert.deepEqual(chain.operands, ["g"]);
  assert.deepEqual(chain.values, [0.5]);
  assert.deepEqual(chain.passes, ["forward", "backward", "double-backward"]);
  assert.deepEqual(nonlin.parse("quick_gelu").passes, ["forward", "backward"]);
});

test("functions are WGSL", () => {
  assert.match(nonlin.functions("scale(0.5) | silu", "act"), /fn act_y\(x: f32, c: act_Scalars\) -> f32/);
});

test("a recipe has kernels, bindings and numbers", () => {
  const options = { shape: [4, 8, 100], operands: { w: { length: 8 } }, gradients: ["w"] };
  const { dispatches, buffers, scratchBytes } = nonlin.recipe("prelu(weight=@w)", "backward", options);
  assert.deepEqual(buffers, { "@w": 32, "d@w": 32, dx: 12800, dy: 12800, x: 12800 });
  assert.equal(dispatches.length, 2);
  assert.ok(scratchBytes > 0);
  for (const { wgsl, bindings, uniform, workgroups } of dispatches) {
    assert.match(wgsl, /@compute/);
    assert.ok(bindings.every(({ offset, size }) => offset % 256 === 0 && size > 0));
    assert.ok(uniform.length % 4 === 0 && workgroups.length === 3);
  }
  const [{ bindings }] = dispatches;
  assert.deepEqual(bindings.filter(({ written }) => written).map(({ buffer }) => buffer), ["dx", "scratch"]);
});

test("a result may take the place of what it comes from", () => {
  const { dispatches, buffers } = nonlin.recipe("silu", "forward", { shape: [64], inPlace: { y: "x" } });
  assert.deepEqual(buffers, { x: 256 });
  assert.equal(dispatches[0].bindings.length, 1);
});

test("buffers may end with their elements", () => {
  const [padded, exact] = [false, true].map((exact) => nonlin.recipe("silu", "forward", { shape: [63], exact }));
  assert.deepEqual([padded.buffers.x, exact.buffers.x], [256, 252]);
  assert.match(padded.dispatches[0].wgsl, /x: array<vec4<u32>>;/);
  assert.match(exact.dispatches[0].wgsl, /x: array<u32>;/);
});

test("a layer's recipe", () => {
  const options = { shape: [2, 4, 8, 8] };
  const { buffers } = nonlin.layerRecipe("frelu(norm=none)", "backward", options);
  assert.deepEqual(Object.keys(buffers), ["dx", "dy", "gradients", "parameters", "x"]);
  assert.equal(buffers.parameters, 4 * 9 * 4);
});

test("a layer's parameters, reference and comparison", () => {
  const options = { shape: [1, 1, 1, 2] };
  const chain = "frelu(norm=none)";
  assert.deepEqual(nonlin.layerParameters(chain, options), [
    { name: "weight", shape: [1, 1, 3, 3], learned: true, offset: 0, length: 9 },
  ]);
  const arrays = { x: [1, -2], parameters: Float32Array.from({ length: 9 }, () => 0.5) };
  assert.deepEqual(nonlin.layerReference(chain, arrays, options).y, Float64Array.of(1, -0.5));
  const both = { ...arrays, dy: [1, 1] };
  const { dx, gradients } = nonlin.layerReference(chain, both, options);
  assert.deepEqual([...dx, ...gradients], [1.5, 0.5, 0, 0, 0, 1, -2, 0, 0, 0, 0]);
  const right = nonlin.layerCompare(chain, both, { y: [1, -0.5], dx: [...dx], gradients: [...gradients] }, options);
  assert.deepEqual(right.map(({ tensor, passed }) => [tensor, passed]), [["y", true], ["dx", true], ["weight", true]]);
  const [wrong] = nonlin.layerCompare(chain, arrays, { y: [1, -0.5001] }, options);
  assert.ok(!wrong.passed && wrong.failed === 1 && wrong.worst.index === 1 && wrong.allowed < 1e-4);
});

test("a layer that trains renews its running statistics", () => {
  const options = { shape: [2, 1, 2, 2], order: "nhwc", dtype: "bf16" };
  const layer = "frelu(norm=train)";
  const parameters = nonlin.layerParameters(layer, options);
  const unlearned = parameters.filter(({ learned }) => !learned).map(({ name }) => name);
  assert.equal(unlearned.length, 2, `${unlearned}`);
  const { offset, length } = parameters.at(-1);
  const all = Float32Array.from({ length: offset + length }, (_, i) => 1 + 0.1 * i);
  const x = Uint16Array.of(0x3f80, 0xc000, 0x4040, 0x3f00, 0xbf80, 0x4080, 0x3e80, 0xc080);
  const { y, parameters: renewed } = nonlin.layerReference(layer, { x, parameters: all }, options);
  assert.ok(renewed.length === all.length && renewed.some((value, i) => value !== all[i]));
  const bits = new Uint16Array(new Uint32Array(Float32Array.from(y).buffer).map((bits) => (bits + 0x8000) >>> 16));
  const found = nonlin.layerCompare(layer, { x, parameters: all }, { y: bits, parameters: Float32Array.from(renewed) }, options);
  assert.deepEqual(found.map(({ tensor }) => tensor).sort(), ["y", ...unlearned].sort());
  assert.ok(found.every(({ passed }) => passed), JSON.stringify(found));
  assert.throws(() => nonlin.layerCompare(layer, { x, parameters: all }, { y: bits }, options), /parameters/);
});

test("the reference is f64, and results are held against it", () => {
  const x = Float32Array.of(-2, 0, 1, NaN);
  const { y } = nonlin.reference("silu", { x });
  assert.ok(y instanceof Float64Array && Math.abs(y[2] - 0.7310585786300049) < 1e-15 && Number.isNaN(y[3]));
  const [right] = nonlin.compare("silu", { x }, { y: Float32Array.from(y) });
  assert.ok(right.passed && right.compared === 4 && right.tensor === "y");
  const [wrong] = nonlin.compare("silu", { x }, { y: [y[0], 0, 0.7310599, NaN] });
  assert.ok(!wrong.passed && wrong.failed === 1 && wrong.worst.index === 2 && wrong.worst.ulp > 20);
  // A number in the place of NaN fails.
  assert.ok(!nonlin.compare("silu", { x }, { y: [y[0], 0, y[2], 0] })[0].passed);
});

test("gradients of operands", () => {
  const arrays = { x: [-1, 2, -3, 4], dy: [1, 1, 1, 1], w: [0.5, 0.25] };
  const options = { shape: [2, 2], gradients: ["w"] };
  const { dx, gradients } = nonlin.reference("prelu(weight=@w)", arrays, options);
  assert.deepEqual([...dx], [0.5, 1, 0.5, 1]);
  assert.deepEqual([...gradients.w], [-4, 0]);
  const results = { dx: [0.5, 1, 0.5, 1], gradients: { w: [-4, 0] } };
  const found = nonlin.compare("prelu(weight=@w)", arrays, results, options);
  assert.deepEqual(found.map(({ tensor, passed }) => [tensor, passed]), [["dx", true], ["w", true]]);
});

test("rows, and operands that are broadcast", () => {
  const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));
  const options = { shape: [2, 2, 3], operands: { m: { shape: [2, 1, 3] } } };
  const { y } = nonlin.reference("residual(@m) | softmax", { x, m: [0, 0, -Infinity, 0, 0, 0] }, options);
  assert.ok(y[2] === 0 && y[5] === 0 && y[8] > 0);
  assert.ok(Math.abs(y[0] + y[1] - 1) < 1e-12);
});

test("f16 comes as its bits", () => {
  const x = Uint16Array.of(0x3c00, 0xc000);
  const [found] = nonlin.compare("relu", { x }, { y: Uint16Array.of(0x3c00, 0) }, { dtype: "f16" });
  assert.ok(found.passed && found.misrounded === 0);
});

test("mistakes are errors with the library's words", () => {
  const cases = [
    [() => nonlin.parse("silu | gelo"), /step 2: unknown activation "gelo"; did you mean "gelu"\?/],
    [() => nonlin.recipe("silu", "sideways", { shape: [4] }), /unknown pass "sideways"/],
    [() => nonlin.recipe("silu", "forward", {}), /shape is missing/],
    [() => nonlin.recipe("silu", "forward", { shape: [1.5] }), /whole number/],
    [() => nonlin.recipe("silu", "forward", { shape: [4], colour: 1 }), /the options may not have "colour"/],
    [() => nonlin.recipe("silu", "forward", { shape: [4], dtype: "f8" }), /f8/],
    [() => nonlin.recipe("silu", "forward", { shape: [2 ** 40, 2 ** 40] }), /2\^64/],
    [() => nonlin.recipe("silu", "backward-from-y", { shape: [4] }), /silu/],
    [() => nonlin.recipe("gate(@g)", "forward", { shape: [4] }), /operand @g/],
    [() => nonlin.recipe("gate(@g)", "forward", { shape: [4], operands: { g: { length: 3 } } }), /3/],
    [() => nonlin.recipe("softmax", "forward", { shape: [4], axis: 2 }), /axis 2/],
    [() => nonlin.recipe("silu", "forward", { shape: [4], inPlace: { y: "z" } }), /place of z/],
    [() => nonlin.layerRecipe("frelu", "forward", { shape: [4] }), /four lengths/],
    [() => nonlin.layerReference("frelu", { x: [1], parameters: [1] }, { shape: [1, 1, 1, 1] }), /parameters must have 13 elements/],
    [() => nonlin.layerReference("frelu", { x: [1] }, { shape: [1, 1, 1, 1] }), /no parameters/],
    [() => nonlin.layerCompare("frelu", { x: [1], parameters: Array(13).fill(1) }, {}, { shape: [1, 1, 1, 1] }), /nothing to compare/],
    [() => nonlin.functions("silu", "2"), /cannot begin names/],
    [() => nonlin.reference("silu", { x: "text" }), /Float32Array/],
    [() => nonlin.compare("silu", { x: [1] }, { y: [1, 2] }), /2/],
    [() => nonlin.compare("silu", { x: [1] }, {}), /nothing to compare/],
  ];
  for (const [work, words] of cases) assert.throws(work, (error) => error instanceof Error && words.test(error.message), `${work}`);
});

/** An activation that the library has not. */
const hill = {
  name: "hill",
  parameters: { width: 1, height: 1 },
  wgsl: `
fn act_hill(x: f32, width: f32, height: f32) -> f32 { return height / (1.0 + x * x * width); }
fn act_hill_dx(x: f32, width: f32, height: f32) -> f32 {
    let y = 1.0 / (1.0 + x * x * width);
    return -2.0 * x * width * height * y * y;
}
fn act_hill_d_height(x: f32, width: f32, height: f32) -> f32 { return 1.0 / (1.0 + x * x * width); }`,
  y: (x, width, height) => height / (1 + x * x * width),
  dx: (x, width, height) => (-2 * x * width * height) / (1 + x * x * width) ** 2,
};

test("an activation of one's own goes through everything", () => {
  const told = custom.define(hill);
  assert.equal(told.text, "hill(width=1, height=1)");
  assert.deepEqual([told.values, told.operands], [[1, 1], []]);
  assert.deepEqual(custom.parse("hill(width=@w, height=@h)").learnable, ["h"]);
  const chain = "scale(2) | hill(width=0.5)";
  assert.match(custom.functions(chain, "own"), /fn own_act_hill\(x: f32, width: f32, height: f32\) -> f32/);
  const { dispatches } = custom.recipe(chain, "backward", { shape: [100] });
  assert.match(dispatches[0].wgsl, /act_hill_dx\(/);
  const { y } = custom.reference(chain, { x: [1, 0] });
  assert.deepEqual([...y], [1 / 3, 1]);
  const { dx } = custom.reference(chain, { x: [1], dy: [1] });
  assert.ok(Math.abs(dx[0] + 4 / 9) < 1e-15);
  assert.ok(custom.compare(chain, { x: [1] }, { y: [1 / 3] })[0].passed);
  assert.ok(!custom.compare(chain, { x: [1] }, { y: [0.33334] })[0].passed);
  custom.define({ ...hill, budget: 1000 });
  assert.ok(custom.compare(chain, { x: [1] }, { y: [0.33334] })[0].passed);
  const learned = { shape: [2, 2], operands: { h: { length: 2 } }, gradients: ["h"] };
  assert.equal(custom.recipe("hill(height=@h)", "backward", learned).buffers["d@h"], 16);
  assert.throws(() => nonlin.parse(chain), /unknown activation "hill"/);
});

test("mistakes in an activation of one's own are told", () => {
  const cases = [
    [() => custom.define({ ...hill, name: "gelu" }), /activation gelu: the name is taken/],
    [() => custom.define({ ...hill, wgsl: hill.wgsl.replace("x * x", "x * z") }), /hill.wgsl:2:/],
    [() => custom.define({ ...hill, wgsl: "fn act_hill() {}" }), /activation hill: it must be fn act_hill\(x: f32, width: f32, height: f32\)/],
    [() => custom.define({ ...hill, parameters: { width: "wide" } }), /an object of numbers/],
    [() => custom.define({ ...hill, wgsl: undefined }), /wgsl must be a text/],
    [() => custom.define({ ...hill, dx: undefined }), /both of them/],
    [() => custom.define({ ...hill, budget: 0 }), /budget/],
    [() => custom.define({ ...hill, colour: 1 }), /may not have "colour"/],
    [() => custom.define(1), /must be an object/],
  ];
  for (const [work, words] of cases) assert.throws(work, (error) => error instanceof Error && words.test(error.message), `${work}`);
  custom.define({ ...hill, y: undefined, dx: undefined });
  assert.throws(() => custom.reference("hill", { x: [1] }), /hill/);
  custom.define({ ...hill, y: () => { throw new RangeError("too steep"); } });
  assert.throws(() => custom.reference("hill", { x: [1] }), /hill's y threw for x = 1: too steep/);
  custom.define({ ...hill, dx: () => "steep" });
  assert.throws(() => custom.compare("hill", { x: [1], dy: [1] }, { dx: [1] }), /hill's dx gave no number for x = 1/);
  custom.define(hill);
  assert.ok(custom.compare("hill", { x: [1] }, { y: [0.5] })[0].passed);
});
