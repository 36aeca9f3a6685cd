// What the page's modules compute without a browser. NONLIN_SITE is the folder that the page was put together in.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { problems } from "./report.mjs";

// Node takes files for modules where a package.json says so; a site has none.
const site = mkdtempSync(join(tmpdir(), "nonlin-site-"));
cpSync(process.env.NONLIN_SITE, site, { recursive: true });
writeFileSync(join(site, "package.json"), '{"type": "module"}');
after(() => rmSync(site, { recursive: true }));
const load = (name) => import(pathToFileURL(join(site, name)));

const nonlin = await load("nonlin/index.js");
const { locate, steps, tooLong, tooMuch, LONGEST } = await load("mistake.js");
const { STEPS, complete, words } = await load("complete.js");
const known = words(nonlin.list());

/** What a chain's mistake points at, with what the library says of it. */
function pointed(text) {
  try {
    nonlin.parse(text);
  } catch (error) {
    const { start, end, ...rest } = locate(text, error.message);
    return { at: text.slice(start, end), start, ...rest };
  }
  throw new Error(`${text} is a chain`);
}

test("mistakes are pointed at", () => {
  const cases = [
    ["silu | gelo", "gelo", 7], ["gelo | silu", "gelo", 0], ["silu | gate(@g | foo) | silu", "foo", 17], ["silu |  scale(x)", "x", 14],
    ["leaky_relu(negative_slop=2)", "negative_slop", 11], ["silu | scale(", "scale(", 7], ["silu | | tanh", "|", 7], ["softmax | softmax", "softmax", 10],
  ];
  for (const [text, at, start] of cases) {
    const found = pointed(text);
    assert.deepEqual([found.at, found.start], [at, start], text);
    assert.ok(found.message.length < 300 && !found.message.startsWith("step"), found.message);
  }
  assert.equal(pointed("silu | gelo").instead, "gelu");
  assert.equal(pointed("silu | foo").instead, undefined);
});

test("a chain that is too long is refused before it is read", () => {
  assert.equal(tooLong("x".repeat(LONGEST)), null);
  assert.match(tooLong("x".repeat(LONGEST + 1)), /2000 characters here; this has 2001/);
});

test("a kernel of very many steps is not given to the GPU", () => {
  assert.equal(tooMuch("tanh | ".repeat(15) + "tanh"), null);
  assert.match(tooMuch("tanh | ".repeat(16) + "tanh"), /at most 16 steps at once; this chain has 17/);
  assert.match(tooMuch(`gate(@g | ${"tanh | ".repeat(15)}tanh)`), /has 17/);
});

test("the page's version is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  assert.ok(readFileSync(join(site, "main.js"), "utf8").includes(`const VERSION = "${version}";`), version);
});

test("steps are split outside parentheses", () => {
  assert.deepEqual(steps(" a | b(c | d) |e").map(({ text, start }) => [text, start]), [["a", 1], ["b(c | d)", 5], ["e", 15]]);
});

test("completion knows names, aliases and parameters, and all of it can be written", () => {
  const texts = (text, caret = text.length) => complete(known, text, caret).found.map(({ text: found }) => found);
  assert.equal(texts("silu | gel")[0], "gelu");
  assert.ok(texts("tanh | gate(@g | ta").includes("tanh"));
  assert.deepEqual(texts("swish("), ["beta="]);
  assert.deepEqual(texts("acon_c(p1=2, p"), ["p1=", "p2="]);
  assert.ok(texts("nn_gel").length === 0 && texts("silu s").length === 0);
  const { start, end } = complete(known, "silu | gexx | tanh", 9);
  assert.deepEqual([start, end], [7, 11]);
  for (const [text] of STEPS) assert.doesNotThrow(() => nonlin.parse(text.replace(/^causal.*/, "$& | softmax")), text);
});

test("operands have the defaults of what they stand for", async () => {
  const { initial, kindOf, operandsFor } = await load("operands.js");
  const { activations } = nonlin.list();
  assert.equal(initial("prelu(weight=@w)", "w", activations), 0.25);
  assert.equal(initial("silu | gate(@g)", "g", activations), 1);
  for (const text of ["bias(@b) | silu", "layer_norm(weight=@w, bias=@b)"]) assert.equal(initial(text, "b", activations), 0);
  assert.deepEqual([kindOf("silu | gate(@g)", "g"), kindOf("scale(@s)", "s")], ["element", "one"]);
  const { options, arrays } = operandsFor(nonlin.parse("scale(@s) | gate(@g)"), [2, 3], () => 5);
  assert.deepEqual([options.s.length, options.g.length, arrays.g.length, arrays.s[0]], [1, 6, 6, 5]);
});

test("inputs are the same on every machine, and have what is special", async () => {
  const { halves, singles, slopes } = await load("inputs.js");
  const x = singles(32768);
  assert.deepEqual([...singles(32768)].map(String), [...x].map(String));
  assert.ok(x.some(Number.isNaN) && x.includes(Infinity) && x.includes(-Infinity) && x.includes(88) && x.includes(0));
  const subnormal = x.filter((value) => value !== 0 && Math.abs(value) < 1.1754943508222875e-38);
  assert.ok(subnormal.length > 400, `${subnormal.length}`);
  assert.ok(x.filter((value) => Math.abs(value) < 12).length > 16000);
  assert.equal(new Set(halves()).size, 65536);
  for (const dtype of ["f16", "bf16"]) {
    const bits = slopes(1000, dtype);
    const all = dtype === "f16" ? 0x7c00 : 0x7f80;
    assert.ok(bits.every((one) => (one & all) !== all), "finite");
    assert.ok(new Set(bits).size > 800);
  }
});

test("axes have round numbers", async () => {
  const { logTicks, path, ticks } = await load("axes.js");
  assert.deepEqual(ticks(-6, 6, 6), [-6, -4, -2, 0, 2, 4, 6]);
  assert.ok(ticks(-1e-3, 0.9, 5).every((value) => !Object.is(value, -0)));
  assert.deepEqual(logTicks(0.004, 2), [0.01, 0.1, 1]);
  const same = (value) => value;
  assert.equal(path([0, 1, 2, 3], [1, NaN, 3, 4], same, same, [0, 9]), "M0.00 1.00M2.00 3.00L3.00 4.00");
});

test("a curve's range is the whole of it, or a part of what is far larger", async () => {
  const { range } = await load("plot.js");
  assert.ok(range([[0, 6]], 12)[1] > 6);
  const [low, high] = range([[0, 1e30], [NaN, -Infinity]], 12);
  assert.ok(low < 0 && high < 20);
  assert.ok(range([[]], 12).every(Number.isFinite));
});

test("numbers are read, and what is none is refused", async () => {
  const { numbersOf, ulps } = await load("numbers.js");
  assert.deepEqual([...numbersOf("[1, -2.5]\n3e2;nan -inf")], [1, -2.5, 300, NaN, -Infinity]);
  assert.throws(() => numbersOf("1 two"), /Number 2 is none: “two”/);
  assert.throws(() => numbersOf("1 ".repeat(257)), /At most 256 numbers; these are 257/);
  assert.throws(() => numbersOf("1".repeat(1e6)), /At most 16,384 characters; these are 1,000,000/);
  assert.throws(() => numbersOf(" "), /no number/);
  assert.deepEqual([ulps(1, 1), ulps(1 + 2 ** -23, 1), ulps(NaN, NaN)], [0, 1, 0]);
});

test("numbers are shown", async () => {
  const { short, whole } = await load("dom.js");
  assert.deepEqual([0, -0, 1.5, -1e-7, 1e30, NaN, -Infinity, null].map((value) => short(value)), ["0", "−0", "1.5", "−1e−7", "1e30", "NaN", "−∞", "–"]);
  assert.deepEqual([whole(5), whole(1234567)], ["5", "1,234,567"]);
});

test("software adapters are known for what they are", async () => {
  const { described } = await load("gpu.js");
  const kinds = [
    [{ vendor: "google", architecture: "swiftshader" }, false, true], [{ description: "llvmpipe (LLVM 15)" }, false, true],
    [{ description: "Microsoft Basic Render Driver" }, false, true], [{ vendor: "nvidia", architecture: "ada" }, false, false],
    [{ vendor: "apple", architecture: "metal-3" }, false, false], [{}, true, true],
  ];
  for (const [info, isFallback, software] of kinds) assert.equal(described(info, isFallback).software, software, JSON.stringify(info));
});

test("a report has its schema, and what has not is found out", async () => {
  const { printed, reportOf, systemOf } = await load("report.js");
  const { described } = await load("gpu.js");
  const { entry } = await load("check.js");
  const x = Float32Array.of(1, Infinity);
  const [exact] = nonlin.compare("relu", { x }, { y: x });
  const [wrong] = nonlin.compare("silu", { x }, { y: [1, NaN] });
  const checks = [exact, wrong].map((outcome) => entry({ chain: "silu", pass: "forward", dtype: "f32" }, outcome).row);
  assert.equal(checks[0].worst_ulp, 0);
  assert.deepEqual([checks[1].wrong, checks[1].at, checks[1].worst_ulp], [2, "Infinity", null]);
  const rows = [{ chain: "silu", pass: "forward", dtype: "f32", ns: 1, copy: 1.1, unfused_ns: null }];
  const speed = { elements: 4, clock: "host", copy_ns: 0.9, rows };
  const navigator = { userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36" };
  const make = () => JSON.parse(printed(reportOf({ version: "0.1.0", about: described({ vendor: "x" }, false), checks, speed, navigator })));
  assert.deepEqual(problems(make()), []);
  assert.deepEqual(problems(JSON.parse(printed(reportOf({ version: "0.1.0", checks: [], navigator })))), []);
  assert.equal(systemOf(navigator), "Chrome 156, Linux");
  const breaks = [
    (report) => delete report.adapter.driver, (report) => (report.more = 1), (report) => (report.checks[0].wrong = "0"), (report) => (report.schema = 2),
    (report) => (report.checks[1].pass = "sideways"), (report) => (report.speed.rows[0].ns = null), (report) => (report.adapter.kind = "gpu"),
    (report) => (report.made = "today"), (report) => (report.speed = null), (report) => delete report.checks[0].at,
  ];
  for (const spoil of breaks) {
    const report = make();
    spoil(report);
    assert.equal(problems(report).length, 1, `${spoil}`);
  }
});

test("the network begins as the Rust example's does", async () => {
  const { Noise, digitsOf, orderOf, parametersOf } = await load("network.js");
  // SplitMix64 of seed 0, as its authors print it.
  assert.equal(new Noise(0).next(), 0xe220a8397b1dcdafn);
  const { images, labels, count } = digitsOf(readFileSync(join(site, "digits.bin")));
  assert.equal(count, 1797);
  assert.ok(images.every((pixel) => pixel >= 0 && pixel <= 1) && labels.every((label) => label < 10));
  assert.deepEqual([...orderOf(3, 1)].sort((a, b) => a - b), Array.from({ length: 1440 }, (_, i) => i));
  const { layers, values } = parametersOf(1, { w: 0.25 });
  for (const { own } of layers.slice(0, 2)) assert.ok(own.w % 64 === 0 && values[own.w + 15] === 0.25 && values[own.w + 16] !== 0.25);
  assert.deepEqual(layers[2].own, {});
});

test("learned parameters begin at their activation's defaults", async () => {
  const { epochMeans, learnedOf } = await load("train_view.js");
  assert.deepEqual(learnedOf("acon_c(p1=@p1, p2=@p2, beta=@b)", nonlin.list().activations), { name: "acon_c", learned: { p1: 1, p2: 0.25, b: 1 } });
  assert.deepEqual(epochMeans(Float32Array.from({ length: 40 }, (_, i) => (i < 15 ? 2 : 1))), [2, 1]);
});

test("a copy reads all that it should", async () => {
  const { copyText, median } = await load("time.js");
  assert.match(copyText(2), /out\[i\] = in0\[i\] \^ in1\[i\];/);
  assert.equal(median([9, 1, 5]), 5);
});

test("nothing is loaded from elsewhere, and no text becomes code or markup", () => {
  const own = readdirSync(site).filter((name) => /\.(js|css|html|svg)$/.test(name));
  assert.ok(own.length > 20);
  for (const name of own) {
    const text = readFileSync(join(site, name), "utf8").replaceAll("http://www.w3.org/2000/svg", "");
    assert.doesNotMatch(text, /https?:\/\/|\/\/\w+\.\w+\//, name);
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|style="/, name);
    assert.ok(text.split("\n").length <= 600, name);
  }
});
