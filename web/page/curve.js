// What is drawn of a chain: its value and its derivative from the f64 reference, so that this needs no GPU.
import { $, short } from "./dom.js";
import { operandsFor } from "./operands.js";
import { Plot } from "./plot.js";

const POINTS = 601;
/** A row is drawn as a row: all of its elements see each other. */
const ROW = 65;

export class Curve {
  #core;
  #plot = new Plot($("plot"), $("readout"));
  #chain = null;
  #asked = 0;

  constructor(core) {
    this.#core = core;
    for (const id of ["from", "to"]) $(id).addEventListener("input", () => this.#draw());
  }

  show(chain) {
    this.#chain = chain;
    return this.#draw();
  }

  #range() {
    const [from, to] = [$("from").valueAsNumber, $("to").valueAsNumber];
    return Number.isFinite(from) && Number.isFinite(to) && from < to && Math.max(-from, to) < 1e30 ? [from, to] : null;
  }

  async #draw() {
    const range = this.#range();
    if (!this.#chain || !range) {
      if (!range) $("drawn").textContent = "“from” must be less than “to”.";
      return;
    }
    const [from, to] = range;
    const { text, isOfRows, isRandom, value } = this.#chain;
    const count = isOfRows ? ROW : POINTS;
    const x = Float32Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
    const shape = isOfRows ? [1, count] : [count];
    const operands = operandsFor(this.#chain, shape, value);
    const options = { shape, operands: operands.options, seed: 7 };
    // Of a row, the gradient of its middle value; of everything else, the derivative at each x.
    const dy = new Float32Array(count).fill(isOfRows ? 0 : 1);
    if (isOfRows) dy[count >> 1] = 1;
    const asked = ++this.#asked;
    try {
      const arrays = { x, ...operands.arrays };
      const [{ y }, back] = await Promise.all([
        this.#core.call("reference", text, arrays, options),
        this.#core.call("reference", text, { ...arrays, dy }, options).catch(() => ({})),
      ]);
      if (asked !== this.#asked) return;
      this.#plot.show({ xs: x, y, dx: back.dx, name: isOfRows ? "dx of the middle y" : undefined, isDotted: isRandom });
      $("drawn").textContent = this.#note(isOfRows, isRandom, x);
    } catch (error) {
      if (asked === this.#asked) $("drawn").textContent = `Cannot be drawn: ${error.message}`;
    }
  }

  #note(isOfRows, isRandom, x) {
    const notes = ["The f64 reference, at f32 values of x."];
    const middle = short(x[x.length >> 1]);
    if (isOfRows) notes.push(`x is one row of ${x.length} elements; the derivative is that of y at x = ${middle} with respect to each.`);
    if (isRandom) notes.push("Random steps draw with seed 7.");
    return notes.join(" ");
  }
}
