// Cases: small ones whose results are known in f64, and large ones to be timed. Inputs have few digits, so that both types hold
// them exactly.
import { list, reference } from "../index.js";

/** The error that the library allows, in units in the last place; none of rows, whose sums have bounds of their own. */
export function budget(kernel) {
  return list().activations.find(({ name }) => name === kernel.activation)?.budgetUlp;
}

/** Numbers that look random, multiples of 1/64 from -8 to 8. */
function numbers(count, seed) {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * 1024) / 64 - 8;
  });
}

/** What forward gave is above zero: 1/16 of the other numbers. */
const inputOf = (name, count, seed) => numbers(count, seed).map((value) => (name === "y" ? Math.abs(value) / 16 : value));

/** dx = y (dy - sum of dy y), of each row. */
function softmaxBackward({ y, dy }, columns) {
  return y.map((value, index) => {
    const row = index - (index % columns);
    let sum = 0;
    for (let at = row; at < row + columns; at++) sum += y[at] * dy[at];
    return value * (dy[index] - sum);
  });
}

function resultsOf(kernel, inputs, shape) {
  if (kernel.isOfRows) return { dx: softmaxBackward(inputs, shape.at(-1)) };
  const operands = Object.fromEntries((kernel.operands ?? []).map((name) => [name, { shape }]));
  const { dx, gradients } = reference(kernel.chain, inputs, { shape, operands, gradients: kernel.operands ?? [] });
  const others = Object.entries(gradients).map(([name, numbers]) => [`d${name}`, [...numbers]]);
  return { dx: [...dx], ...Object.fromEntries(others) };
}

/** Nine digits are all of an f32; JSON has no infinity and no NaN. */
const told = (number) => (Number.isFinite(number) ? Number(number.toPrecision(9)) : `${number}`);

/** How far results may be off: relative to what is expected, or absolutely. */
function toleranceOf(kernel, dtype) {
  // A gradient's units in the last place are those of 1/8 where it is smaller, and dy is at most 8. Of sums, those of a row.
  const absolute = (kernel.isOfRows ? 16 : budget(kernel)) * 2 ** -23;
  if (dtype === "float32") return { relative: absolute, absolute };
  return { relative: 2 ** -10, absolute: absolute + 2 ** -24 };
}

function testOf(kernel, dtype, shape, special) {
  const count = shape.reduce((product, length) => product * length, 1);
  const inputs = Object.fromEntries(kernel.inputs.map((name, seed) => [name, inputOf(name, count, seed + 1)]));
  if (special) special.forEach((value, index) => (inputs.x[index] = value));
  const tensor = (data, dtype) => ({ dtype, shape, data: data.map(told) });
  const results = Object.entries(resultsOf(kernel, inputs, shape)).map(([name, data]) => {
    const own = name === "dx" ? dtype : "float32";
    return [name, { ...tensor(data, own), tolerance: toleranceOf(kernel, own) }];
  });
  return {
    id: `${dtype}-${shape.join("x")}${special ? "-special" : ""}`,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, tensor(data, dtype)])),
    outputs: Object.fromEntries(results),
  };
}

const SHAPES = [[4], [2, 3], [7], [4, 64], [3, 5, 67]];
/** For every way to go over rows. */
const ROWS = [[3, 4], [70, 7], [2, 36], [5, 50], [3, 260], [2, 101], [2, 2052], [1, 4096], [1, 8196], [2, 514], [1, 2051]];

/** test.json: correctness cases. */
export function tests(kernel) {
  const cases = [];
  for (const shape of kernel.isOfRows ? ROWS : SHAPES) {
    cases.push(testOf(kernel, "float32", shape));
    const fits = (kernel.isOfRows ? shape.at(-1) : shape.reduce((product, length) => product * length, 1)) % 4 === 0;
    if (fits) cases.push(testOf(kernel, "float16", shape));
  }
  if (!kernel.isOfRows) cases.push(testOf(kernel, "float32", [16], [NaN, Infinity, -Infinity, 0, -0, 100, -100, 3e38, -3e38, 1e-30]));
  return { cases };
}

/** bench.json: what is worth timing. */
export function benches(kernel) {
  const shapes = kernel.isOfRows ? [[32768, 128], [4096, 1024], [1024, 4096], [128, 32768]] : [[1024, 1024], [4096, 4096], [2048, 11008]];
  const cases = [];
  for (const shape of shapes) {
    for (const dtype of ["float32", "float16"]) {
      cases.push({
        id: `${dtype}-${shape.join("x")}`,
        inputs: Object.fromEntries(kernel.inputs.map((name) => [name, { dtype, shape }])),
      });
    }
  }
  return { cases };
}
