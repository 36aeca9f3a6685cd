// As much of what loads the Hub's kernels for WebGPU as ours need: which variant is taken, its text, and the numbers of its
// dispatch. For tests; in Node and in browsers.

const numel = (shape) => shape.reduce((product, length) => product * length, 1);
const at = (shape, axis) => (axis + shape.length) % shape.length;
const HELPERS = {
  DISPATCH_FOLD_WIDTH: 65535,
  numel,
  dim: (shape, axis) => shape[at(shape, axis)],
  rows: (shape, axis) => numel(shape.filter((_, index) => index !== at(shape, axis))),
  ceilDiv: (a, b) => Math.ceil(a / b),
  pow2ceil: (value) => (value <= 1 ? 1 : 2 ** Math.ceil(Math.log2(value))),
  sameShape: (a, b) => a.length === b.length && a.every((length, index) => length === b[index]),
};

const compiled = new Map();

/** An expression of Jinja, as far as manifests of ours have them. */
export function evaluate(expression, names) {
  if (typeof expression !== "string") return expression;
  const scope = { ...HELPERS, ...names };
  const key = `${expression} ${Object.keys(scope)}`;
  if (!compiled.has(key)) {
    const [, yes, condition, no] = /^(.*) if (.*) else (.*)$/.exec(expression) ?? [, expression];
    const script = condition ? `(${condition}) ? (${yes}) : (${no})` : yes;
    const operators = script.replaceAll(" and ", " && ");
    compiled.set(key, new Function(...Object.keys(scope), `"use strict"; return ${operators};`));
  }
  return compiled.get(key)(...Object.values(scope));
}

const derived = (names, expressions) => {
  const all = { ...names };
  for (const [name, expression] of Object.entries(expressions ?? {})) all[name] = evaluate(expression, all);
  return all;
};

/** What the kernel dispatches for inputs of these shapes and this type: the variant, its shader's text, bindings and numbers. */
export function prepared(manifest, readText, dtype, shapes) {
  const dtypes = { T: { float32: "f32", float16: "f16" }[dtype] };
  const common = derived({ dtypes, shapes }, manifest.derive);
  const variant = manifest.variants.find(({ when }) => when.every((clause) => evaluate(clause, common)));
  if (!variant) throw new Error(`${manifest.name}: no variant for ${dtype} ${JSON.stringify(shapes)}`);
  const names = derived(common, variant.derive);
  const [pass] = variant.passes;
  const template = readText(pass.shader).replace(/\n$/, "");
  const tensors = pass.bindings.filter((binding) => typeof binding === "string");
  const { struct } = pass.bindings.at(-1);
  const uniform = new Uint32Array(Math.ceil(struct.length / 4) * 4);
  struct.forEach(({ value }, index) => (uniform[index] = evaluate(value, names)));
  return {
    variant: variant.id,
    wgsl: template.replace(/\{\{ (\w+) \}\}/g, (_, name) => `${names[name]}`),
    tensors,
    struct,
    uniform,
    workgroups: evaluate(pass.dispatch.x, names),
    outputs: Object.fromEntries(Object.entries(manifest.outputs).map(([name, { shape }]) => [name, evaluate(shape, names)])),
  };
}
