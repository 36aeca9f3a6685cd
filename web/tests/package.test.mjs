// The package as npm packs it, in Node, where there is no GPU. NONLIN_PACKAGE is the folder that it was unpacked to.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { brotliCompressSync } from "node:zlib";

const folder = process.env.NONLIN_PACKAGE;
const nonlin = await import(pathToFileURL(`${folder}/index.js`));

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
  const bytes = brotliCompressSync(readFileSync(`${folder}/pkg/nonlin_bg.wasm`)).length;
  console.log(`${bytes} bytes of WebAssembly, compressed by Brotli`);
  assert.ok(bytes <= 250 * 1024, `${bytes} bytes`);
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
  assert.deepEqual(chain.passes, ["forward", "backward"]);
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

test("a layer's recipe", () => {
  const options = { shape: [2, 4, 8, 8] };
  const { buffers } = nonlin.layerRecipe("frelu(norm=none)", "backward", options);
  assert.deepEqual(Object.keys(buffers), ["dx", "dy", "gradients", "parameters", "x"]);
  assert.equal(buffers.parameters, 4 * 9 * 4);
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
    [() => nonlin.functions("silu", "2"), /cannot begin names/],
    [() => nonlin.reference("silu", { x: "text" }), /Float32Array/],
    [() => nonlin.compare("silu", { x: [1] }, { y: [1, 2] }), /2/],
    [() => nonlin.compare("silu", { x: [1] }, {}), /nothing to compare/],
  ];
  for (const [work, words] of cases) assert.throws(work, (error) => error instanceof Error && words.test(error.message), `${work}`);
});
