// Numbers that somebody pastes: value and derivative of each, from the reference, and beside them what this GPU computes.
import { $, h, later, short, table, whole } from "./dom.js";
import { runOnce } from "./gpu.js";
import { tooMuch } from "./mistake.js";
import { operandsFor } from "./operands.js";

export const MOST_NUMBERS = 256;
const MOST_LETTERS = 16384;
const WORDS = { nan: NaN, inf: Infinity, infinity: Infinity, "-inf": -Infinity, "-infinity": -Infinity };

/** The numbers of a text, or an error that says which is none. */
export function numbersOf(text) {
  if (text.length > MOST_LETTERS) throw new Error(`At most ${whole(MOST_LETTERS)} characters; these are ${whole(text.length)}.`);
  const parts = text.replace(/[[\]]/g, " ").split(/[\s,;]+/).filter(Boolean);
  if (parts.length > MOST_NUMBERS) throw new Error(`At most ${MOST_NUMBERS} numbers; these are ${whole(parts.length)}.`);
  const numbers = parts.map((part, index) => {
    const value = WORDS[part.toLowerCase()] ?? Number(part.replace("−", "-"));
    if (Number.isNaN(value) && part.toLowerCase() !== "nan") throw new Error(`Number ${index + 1} is none: “${part.slice(0, 40)}”.`);
    return value;
  });
  if (!numbers.length) throw new Error("There is no number.");
  return Float32Array.from(numbers);
}

/** How far a number is from the reference, in units in the last place of f32 there. */
export function ulps(got, want) {
  if (Object.is(got, want) || got === want || (Number.isNaN(got) && Number.isNaN(want))) return 0;
  const size = Math.min(Math.abs(want), 3.4028234663852886e38);
  const unit = 2 ** (Math.max(-126, Math.floor(Math.log2(size || 1e-45))) - 23);
  return Math.abs(got - want) / unit;
}

/** The same as text: two digits behind the point, and a word for what drivers may do with subnormal numbers. */
function far(got, want) {
  if (got === 0 && Math.abs(want) < 1.1754943508222875e-38 && Math.abs(want) > 1e-45) return "flushed";
  return short(Math.round(ulps(got, want) * 100) / 100, 3);
}

export class Numbers {
  #page;
  #chain = null;
  #asked = 0;
  #good = $("pasted").value;

  constructor(page) {
    this.#page = page;
    const run = later(250, () => this.run());
    const refuse = (text, event) => {
      if (text.length <= MOST_LETTERS) return false;
      event.preventDefault();
      this.#error(`At most ${whole(MOST_LETTERS)} characters; these are ${whole(text.length)}.`);
      return true;
    };
    $("pasted").addEventListener("paste", (event) => refuse(event.clipboardData?.getData("text") ?? "", event));
    $("pasted").addEventListener("input", (event) => {
      if (refuse($("pasted").value, event)) $("pasted").value = this.#good;
      else run();
      this.#good = $("pasted").value;
    });
    $("numbers").addEventListener("toggle", () => this.run());
  }

  show(chain) {
    this.#chain = chain;
    this.run();
  }

  #error(message) {
    $("numbers-error").textContent = message ?? "";
    $("numbers-error").hidden = !message;
  }

  async run() {
    if (!$("numbers").open || !this.#chain) return;
    const asked = ++this.#asked;
    try {
      const x = numbersOf($("pasted").value);
      const rows = await this.#rows(x);
      if (asked !== this.#asked) return;
      this.#error(this.#page.gpu?.device ? tooMuch(this.#chain.text) : null);
      $("numbers-table").replaceChildren(rows);
    } catch (error) {
      if (asked === this.#asked) this.#error(error.message);
    }
  }

  async #rows(x) {
    const { core, gpu } = this.#page;
    const { text, isOfRows, value } = this.#chain;
    const shape = isOfRows ? [1, x.length] : [x.length];
    const operands = operandsFor(this.#chain, shape, value);
    const options = { shape, operands: operands.options, seed: 7 };
    const arrays = { x, ...operands.arrays };
    const slopes = { ...arrays, dy: new Float32Array(x.length).fill(1) };
    const { y } = await core.call("reference", text, arrays, options);
    const { dx } = await core.call("reference", text, slopes, options);
    const onGpu = async (pass, given, output) => {
      if (!gpu?.device || gpu.isLost || tooMuch(text)) return null;
      const recipe = await core.call("recipe", text, pass, { ...options, limits: gpu.limits });
      return new Float32Array(await runOnce(gpu, recipe, given, output));
    };
    const [gotY, gotDx] = [await onGpu("forward", arrays, "y"), await onGpu("backward", slopes, "dx")];
    const pair = (got, want, index) => (gotY ? [short(got[index], 8), far(got[index], want[index])] : []);
    const told = (got, want, index) => [short(want[index], 10), ...pair(got, want, index)];
    const lines = [...x].map((at, index) => [short(at, 8), ...told(gotY, y, index), ...told(gotDx, dx, index)]);
    const number = (head) => ({ text: head, number: true });
    const extra = gotY ? [number("this GPU"), number("ULP")] : [];
    return table([number("x"), number("y"), ...extra, number("dy/dx"), ...extra], lines, "Value and derivative of each number");
  }
}
