// The check: a pass on the GPU, its result against the reference in a worker. The GPU is at the next one while the worker compares.
import { runOnce } from "./gpu.js";
import { halves, singles, slopes } from "./inputs.js";

export const PASSES = ["forward", "backward"];
export const DTYPES = ["f32", "f16", "bf16"];
const SINGLES = 32768;

/** All cases of activations, those of one activation beside each other. */
export const casesOf = (names) =>
  names.flatMap((chain) => PASSES.flatMap((pass) => DTYPES.map((dtype) => ({ chain, pass, dtype }))));

/** x, and dy for a backward pass. */
export function arraysFor(pass, dtype) {
  const x = dtype === "f32" ? singles(SINGLES) : halves();
  return pass === "backward" ? { x, dy: slopes(x.length, dtype) } : { x };
}

const plain = (value) => (Number.isFinite(value) ? value : null);
/** JSON has no infinity and no NaN: they are written as texts. */
const told = (value) => (Number.isFinite(value) ? value : String(value));

/** What was compared, in the report's words; and what the page shows of it beside. Nothing is the worst where all is exact. */
export function entry({ chain, pass, dtype }, { compared, failed, misrounded, worst }) {
  const row = {
    chain, pass, dtype, compared, wrong: failed, misrounded: misrounded ?? null,
    worst_ulp: worst ? plain(worst.ulp) : compared > 0 ? 0 : null, allowed_ulp: plain(worst?.allowed), at: worst ? told(worst.x) : null,
  };
  return { row, worst };
}

/** The GPU's result of a case. */
async function computed(gpu, core, { chain, pass, dtype }, arrays) {
  const options = { shape: [arrays.x.length], dtype, limits: gpu.limits };
  const recipe = await core.call("recipe", chain, pass, options);
  const output = pass === "forward" ? "y" : "dx";
  const bytes = await runOnce(gpu, recipe, arrays, output);
  const Stored = dtype === "f32" ? Float32Array : Uint16Array;
  return { [output]: new Stored(bytes).slice(0, arrays.x.length) };
}

/** Checks cases; core makes recipes, checker compares. found is told each entry, or an error beside its case. */
export async function check({ gpu, core, checker, cases, found, signal }) {
  let before = Promise.resolve();
  for (const each of cases) {
    if (signal.aborted || gpu.isLost) break;
    const arrays = arraysFor(each.pass, each.dtype);
    const wrong = (error) => found({ row: null, each, error });
    const results = await computed(gpu, core, each, arrays).catch((error) => void wrong(error));
    // One ahead, and no more.
    await before;
    if (!results) continue;
    const compared = checker.call("compare", each.chain, arrays, results, { dtype: each.dtype });
    before = compared.then(([outcome]) => found(entry(each, outcome)), wrong);
  }
  await before;
}
