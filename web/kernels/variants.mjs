// What a kernel's manifest says of its shaders: for which tensors each is, and the numbers of a dispatch as expressions of their
// shapes. The texts are those of recipes; tests hold the expressions to recipes of many shapes.
import { recipe } from "../index.js";

/** Names of dtypes, there and here. */
export const DTYPES = { float32: "f32", float16: "f16" };

/** The recipe of a kernel for tensors of one shape, in buffers that end with their elements. */
export function madeOf(kernel, dtype, shape) {
  const operands = Object.fromEntries((kernel.operands ?? []).map((name) => [name, { shape, dtype: DTYPES[dtype] }]));
  const options = { shape, dtype: DTYPES[dtype], operands, gradients: kernel.operands ?? [], exact: true };
  return recipe(kernel.chain, kernel.pass, options);
}

function only(kernel, dtype, shape) {
  const { dispatches } = madeOf(kernel, dtype, shape);
  if (dispatches.length !== 1) throw new Error(`${kernel.name}: ${shape} takes ${dispatches.length} dispatches`);
  return dispatches[0];
}

/** The most elements, rounded down to rows of 1024, that are one dispatch whatever the device. */
function most(kernel) {
  let [low, high] = [1, 2 ** 16];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (madeOf(kernel, "float32", [middle, 1024]).dispatches.length === 1) low = middle;
    else high = middle;
  }
  return low * 1024;
}

/** The names in a kernel's struct of numbers, in order; what fills it up has names that begin with an underscore. */
export function argumentsOf(wgsl) {
  const [, fields] = /struct Args \{([^}]*)\}/.exec(wgsl);
  const names = [];
  for (const field of fields.split(",").map((text) => text.trim()).filter(Boolean)) {
    if (field.startsWith("@align(16)")) while (names.length % 4 !== 0) names.push(`_${names.length}`);
    names.push(/(\w+):/.exec(field)[1]);
  }
  return names;
}

/** A kernel's uniform: each word with its expression, or the number that it always is. */
function uniform({ wgsl, uniform: words }, expressions) {
  const names = argumentsOf(wgsl);
  const named = words.map((word, index) => ({ name: names[index] ?? `_${index}`, type: "u32", value: word }));
  const known = named.map((field) => ({ ...field, value: expressions[field.name] ?? field.value }));
  return { name: "args", buffer: "uniform", structName: "Args", struct: known };
}

function variant(kernel, dispatch, { id, file, when, derive, expressions }) {
  const tensors = [...kernel.inputs, ...kernel.outputs];
  return {
    id,
    when,
    derive,
    passes: [{ id: "main", shader: file, bindings: [...tensors, uniform(dispatch, expressions)], dispatch: { x: "groups" } }],
  };
}

/** Four elements at a time, or where the last ones would lie behind the buffer, single ones. */
function ofElements(kernel, limit) {
  const first = kernel.inputs[0];
  const alike = [...kernel.inputs.slice(1)].map((name) => `sameShape(shapes.${first}, shapes.${name})`);
  const all = [];
  for (const [dtype, words] of [["float32", true], ["float16", true], ["float32", false]]) {
    const count = 2 ** 20 + (words ? 0 : 1);
    const dispatch = only(kernel, dtype, [count]);
    const each = 2 ** Math.round(Math.log2(count / dispatch.workgroups[0]));
    const id = `${DTYPES[dtype]}_${words ? "words" : "elements"}`;
    const file = `${kernel.file}-${id.replace("_", "-")}.wgsl.jinja`;
    const when = [`dtypes.T == "${DTYPES[dtype]}"`, `numel(shapes.${first}) % 4 ${words ? "==" : "!="} 0`, ...alike];
    const derive = { length: `numel(shapes.${first})`, groups: `ceilDiv(numel(shapes.${first}), ${each})` };
    const expressions = { len: "length", row: "groups" };
    when.push(`numel(shapes.${first}) <= ${limit}`);
    all.push({ file, text: dispatch.wgsl, variant: variant(kernel, dispatch, { id, file, when, derive, expressions }) });
  }
  return all;
}

/** How rows are gone over: lanes beside each other in one, each with so many words. */
const SPANS = [
  { id: "lane", upTo: 8, beside: () => "1" },
  { id: "lanes", upTo: 64, beside: (words) => `pow2ceil(${words} / 8)` },
  { id: "group", upTo: 512, beside: (words) => `pow2ceil(${words} / 8)` },
  { id: "wide", upTo: 2048, beside: () => "256" },
  { id: "long", upTo: Infinity, beside: () => "256", each: "4" },
];

/** Rows of `from` to `upTo` words. Which variant is taken is decided before its own names are known. */
function span(kernel, dtype, words, { id: name, upTo, beside, each }, from, limit) {
  const [first] = kernel.inputs;
  const width = words ? 4 : 1;
  const dispatch = only(kernel, dtype, [3, words || (from + 1) % 4 !== 0 ? (from + 1) * width : from + 2]);
  const id = `${DTYPES[dtype]}_${words ? "words" : "elements"}_${name}`;
  const file = `${kernel.file}-${id.replaceAll("_", "-")}.wgsl.jinja`;
  const lanes = Number(/const LANES: u32 = (\d+)u;/.exec(dispatch.wgsl)[1]);
  const wordsOf = words ? "(columns / 4)" : "columns";
  const groups = `ceilDiv(row_count, ${lanes} / ${beside(wordsOf)})`;
  const when = [
    `dtypes.T == "${DTYPES[dtype]}"`,
    `sameShape(shapes.${first}, shapes.${kernel.inputs[1]})`,
    `columns % 4 ${words ? "==" : "!="} 0`,
    `columns > ${from * width}`,
    ...(Number.isFinite(upTo) ? [`columns <= ${upTo * width}`] : []),
    `numel(shapes.${first}) <= ${limit}`,
    `${groups} <= DISPATCH_FOLD_WIDTH`,
  ];
  const derive = {
    row_words: wordsOf,
    beside: beside("row_words"),
    words_each: each ?? "ceilDiv(row_words, beside)",
    whole: `'true' if row_words % (beside * words_each) == 0 and row_count % (${lanes} / beside) == 0 else 'false'`,
    groups,
  };
  const expressions = { len: `numel(shapes.${first})`, row: "groups", rows: "row_count", words: "row_words", columns: "columns" };
  const text = dispatch.wgsl
    .replace(/(const BESIDE: u32 =) \d+u;/, "$1 {{ beside }}u;")
    .replace(/(const WORDS: u32 =) \d+u;/, "$1 {{ words_each }}u;")
    .replace(/(const WHOLE: bool =) \w+;/, "$1 {{ whole }};");
  return { file, text, variant: variant(kernel, dispatch, { id, file, when, derive, expressions }) };
}

/** Rows along the last axis. */
function ofRows(kernel, limit) {
  const all = [];
  for (const [dtype, words] of [["float32", true], ["float16", true], ["float32", false]]) {
    let from = 0;
    for (const each of SPANS) {
      all.push(span(kernel, dtype, words, each, from, limit));
      from = each.upTo;
    }
  }
  return all;
}

/** Names that all variants of kernels of rows have. */
export const ROW_NAMES = (kernel) => ({ columns: `dim(shapes.${kernel.inputs[0]}, -1)`, row_count: `rows(shapes.${kernel.inputs[0]}, -1)` });

/** All variants of a kernel, each with the file of its shader. */
export function variants(kernel) {
  const limit = most(kernel);
  return kernel.isOfRows ? ofRows(kernel, limit) : ofElements(kernel, limit);
}
