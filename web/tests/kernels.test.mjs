// The folders of kernels, in Node: that they have the form, and that what they dispatch is what recipes give.
// NONLIN_KERNELS is the folder that they were written to.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { folder, KERNELS } from "../kernels/kernels.mjs";
import { madeOf } from "../kernels/variants.mjs";
import { prepared } from "./kernels_loader.js";

const root = process.env.NONLIN_KERNELS;
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const of = (kernel) => {
  const text = (path) => readFileSync(`${root}/nonlin.${kernel.name}/build/webgpu/${path}`, "utf8");
  return { text, json: (path) => JSON.parse(text(path)) };
};
/** Names that expressions have already. */
const RESERVED = ["repeat", "tunables", "dtypes", "ranks", "shapes", "present", "args", "attrs", "device", "rows", "dim", "outer", "inner"];

test("what is written is what the sources give, and there is a folder for each", () => {
  assert.deepEqual(readdirSync(root).sort(), KERNELS.map(({ name }) => `nonlin.${name}`).sort());
  for (const kernel of KERNELS) {
    for (const [path, text] of Object.entries(folder(kernel, version))) {
      assert.equal(readFileSync(`${root}/nonlin.${kernel.name}/${path}`, "utf8"), text, path);
    }
  }
});

test("metadata names the manifest, every file with its digest, and every variant with its shader", () => {
  for (const kernel of KERNELS) {
    const { text, json } = of(kernel);
    const { name, backend, webgpu, digest } = json("metadata.json");
    const manifest = json("manifest.json");
    assert.equal(name, `${manifest.domain}.${manifest.name}`);
    assert.deepEqual([backend.type, webgpu.manifestSpec, digest.algorithm], ["webgpu", "2.1", "sha256"]);
    const there = readdirSync(`${root}/${name}/build/webgpu`).filter((file) => file !== "metadata.json");
    assert.deepEqual(Object.keys(digest.files).sort(), there.sort());
    for (const [path, sum] of Object.entries(digest.files)) {
      assert.equal(createHash("sha256").update(text(path)).digest("base64"), sum, path);
    }
    assert.deepEqual(Object.keys(webgpu.variants), manifest.variants.map(({ id }) => id));
    for (const { id, passes } of manifest.variants) assert.deepEqual(webgpu.variants[id], [passes[0].shader]);
  }
});

test("manifests have what the form knows, and nothing else", () => {
  const known = ["domain", "name", "description", "sinceVersion", "typeConstraints", "inputs", "outputs", "derive", "variants"];
  for (const kernel of KERNELS) {
    const manifest = of(kernel).json("manifest.json");
    assert.deepEqual(Object.keys(manifest).filter((key) => !known.includes(key)), []);
    assert.deepEqual(manifest.typeConstraints, { T: ["float32", "float16"] });
    const ports = { ...manifest.inputs, ...manifest.outputs };
    for (const [name, { dtype }] of Object.entries(ports)) assert.ok(/^[A-Za-z_]\w*$/.test(name) && ["T", "float32"].includes(dtype));
    for (const { id, when, derive, passes, ...others } of manifest.variants) {
      assert.deepEqual(others, {});
      assert.match(id, /^[A-Za-z0-9]\w*$/);
      assert.ok(when.length > 0 && when.every((clause) => clause.length > 0) && passes.length === 1);
      for (const name of [...Object.keys(derive), ...Object.keys(manifest.derive ?? {})]) assert.ok(!RESERVED.includes(name), name);
      const [{ bindings }] = passes;
      assert.deepEqual(bindings.slice(0, -1), [...kernel.inputs, ...kernel.outputs]);
      const fields = bindings.at(-1).struct.map(({ name }) => name);
      assert.equal(new Set(fields).size, fields.length);
    }
  }
});

test("shaders need no feature, and bind as manifests say", () => {
  for (const kernel of KERNELS) {
    const { text, json } = of(kernel);
    for (const { passes: [{ shader, bindings }] } of json("manifest.json").variants) {
      const wgsl = text(shader);
      const code = wgsl.replace(/\/\/.*/g, "");
      assert.ok(!/\bf16\b|subgroup|^enable/m.test(code), shader);
      // Of Jinja there are names between braces, and nothing else that it would take for its own.
      assert.ok(!/\{[{%#-]|[-%#}]\}/.test(wgsl.replace(/\{\{ \w+ \}\}/g, "")), shader);
      assert.match(code, /@compute @workgroup_size\(\w+\)\s*fn main\(/);
      const modes = [...wgsl.matchAll(/@binding\((\d+)\) var<(storage, \w+|uniform)>/g)].map(([, , mode]) => mode);
      const want = bindings.map((name) => (name.struct ? "uniform" : kernel.outputs.includes(name) ? "storage, read_write" : "storage, read"));
      assert.deepEqual(modes, want, shader);
    }
  }
});

const ELEMENTS = [1, 2, 3, 4, 5, 8, 255, 256, 257, 1023, 1024, 1028, 4097, 1_000_000, 1_000_001, 33_553_408].map((count) => [count]);
const columns = [...Array(300).keys()].map((index) => index + 1);
const wide = [508, 509, 511, 512, 513, 516, 1020, 1024, 1025, 2044, 2047, 2048, 2049, 2052, 2056, 3072, 3076, 4096, 5000, 6144, 7777, 8191,
  8192, 8193, 8196, 10_000, 12_288, 16_384, 16_385, 32_768, 50_257, 128_256];
const ROWS = [...columns, ...wide].flatMap((length) => [[1, length], [2, 3, length], [64, length]]);
const MANY = [[70_000, 8], [100_000, 7], [65_534, 512], [1_000_000, 32], [16_383, 2048], [4_194_176, 8], [3, 1_000_001], [1, 33_000_000]];

test("whatever the shape, what is dispatched is the recipe", () => {
  let compared = 0;
  for (const kernel of KERNELS) {
    const { text, json } = of(kernel);
    const manifest = json("manifest.json");
    for (const shape of kernel.isOfRows ? [...ROWS, ...MANY] : [...ELEMENTS, [3, 5, 7], [64, 28, 28]]) {
      const length = kernel.isOfRows ? shape.at(-1) : shape.reduce((product, length) => product * length, 1);
      for (const dtype of length % 4 === 0 ? ["float32", "float16"] : ["float32"]) {
        const shapes = Object.fromEntries(kernel.inputs.map((name) => [name, shape]));
        const own = prepared(manifest, text, dtype, shapes);
        const { dispatches, scratchBytes } = madeOf(kernel, dtype, shape);
        const what = `${kernel.name} ${dtype} ${shape}`;
        assert.ok(dispatches.length === 1 && scratchBytes === 0, what);
        const [{ wgsl, uniform, workgroups }] = dispatches;
        assert.equal(own.wgsl, wgsl.trimEnd(), what);
        assert.deepEqual(workgroups, [own.workgroups, 1, 1], what);
        own.struct.forEach(({ name }, index) => {
          // What the text does not mention may be anything.
          if (name.startsWith("_") || wgsl.includes(`args.${name}`)) assert.equal(own.uniform[index], uniform[index], `${what} ${name}`);
        });
        compared += 1;
      }
    }
  }
  console.log(`${compared} dispatches compared`);
});

test("there is a variant for every case, and one for every variant", () => {
  for (const kernel of KERNELS) {
    const { text, json } = of(kernel);
    const manifest = json("manifest.json");
    const taken = (file) =>
      json(file).cases.map(({ inputs }) => {
        const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
        return prepared(manifest, text, inputs.dy.dtype, shapes).variant;
      });
    assert.ok(taken("bench.json").length > 0);
    assert.deepEqual([...new Set(taken("test.json"))].sort(), manifest.variants.map(({ id }) => id).sort());
  }
});

test("what no variant is for is refused", () => {
  for (const kernel of KERNELS) {
    const { text, json } = of(kernel);
    const shapes = (shape) => Object.fromEntries(kernel.inputs.map((name) => [name, shape]));
    const manifest = json("manifest.json");
    const works = (dtype, all) => prepared(manifest, text, dtype, all).variant;
    assert.ok(works("float32", shapes([2, 6])));
    assert.throws(() => works("float32", { ...shapes([2, 6]), dy: [2, 5] }), /no variant/);
    assert.throws(() => works("float16", shapes([3, 3])), /no variant/);
    assert.throws(() => works("float32", shapes([2 ** 15, 2 ** 10 + 4])), /no variant/);
  }
});
