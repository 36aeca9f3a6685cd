// The kernels of a chain as text, coloured a little.
import { $, copy, h, whole } from "./dom.js";
import { operandsFor } from "./operands.js";

const TYPES = "f32|f16|u32|i32|bool|array|vec[234]|atomic|ptr";
const WORDS = "fn|let|var|const|override|struct|if|else|for|while|loop|switch|case|default|return|break|continue|storage|read|read_write|uniform|workgroup|enable";
/** Comments, numbers, types and keywords, as the classes c, n, t and k. */
const TOKEN = new RegExp(`(?<c>//[^\\n]*)|(?<n>\\b\\d[\\w.]*\\b)|(?<t>\\b(?:${TYPES})\\b)|(?<k>@\\w+|\\b(?:${WORDS})\\b)`, "g");

/** Text and coloured spans, in order. */
export function coloured(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [kind] = Object.entries(match.groups).find(([, found]) => found !== undefined);
    parts.push(text.slice(from, match.index), h("span", { class: kind }, match[0]));
    from = match.index + match[0].length;
  }
  parts.push(text.slice(from));
  return parts;
}

/** The library leaves the heads of parts in; the chain's own function is what to look at first. */
const CHAIN = /\/\/ (?:forward|backward)[^\n]* of /;

export class Kernels {
  #core;
  #chain = null;
  #asked = 0;
  #text = "";

  constructor(core) {
    this.#core = core;
    for (const id of ["kernel", "stored"]) $(id).addEventListener("change", () => this.show(this.#chain));
    $("copy-wgsl").addEventListener("click", () => this.#copy());
  }

  async #copy() {
    const done = await copy(this.#text, $("wgsl"));
    $("copy-wgsl").textContent = done ? "Copied" : "Selected";
    setTimeout(() => ($("copy-wgsl").textContent = "Copy"), 1500);
  }

  async show(chain) {
    if (!chain) return;
    this.#chain = chain;
    const from = $("kernel").querySelector('[value="backward-from-y"]');
    from.disabled = !chain.passes.includes("backward-from-y");
    if (from.disabled && $("kernel").value === from.value) $("kernel").value = "backward";
    const what = $("kernel").value;
    $("stored").disabled = what === "functions";
    const asked = ++this.#asked;
    try {
      const [text, note] = what === "functions" ? await this.#functions(chain) : await this.#kernels(chain, what);
      if (asked !== this.#asked) return;
      this.#text = text;
      $("wgsl").replaceChildren(...coloured(text));
      $("wgsl-note").textContent = note;
      this.#scroll();
    } catch (error) {
      if (asked !== this.#asked) return;
      this.#text = "";
      $("wgsl").replaceChildren();
      $("wgsl-note").textContent = error.message;
    }
  }

  /** Brings the chain's own lines into view; what they call stands above them. */
  #scroll() {
    const pre = $("wgsl");
    pre.scrollTop = 0;
    const line = [...pre.querySelectorAll(".c")].find(({ textContent }) => CHAIN.test(textContent));
    if (!line) return;
    const above = 7 * parseFloat(getComputedStyle(pre).lineHeight) + 1;
    pre.scrollTop = line.getBoundingClientRect().top - pre.getBoundingClientRect().top - above;
  }

  async #functions({ text }) {
    const wgsl = await this.#core.call("functions", text, "act");
    return [wgsl, "The chain and its gradient, for a kernel of your own: act_y(x) and act_dx(x, dy)."];
  }

  async #kernels(chain, pass) {
    const shape = chain.isOfRows ? [64, 1024] : [65536];
    const { options } = operandsFor(chain, shape, chain.value);
    const { dispatches } = await this.#core.call("recipe", chain.text, pass, { shape, dtype: $("stored").value, operands: options });
    const head = (index) => (dispatches.length > 1 ? `// Dispatch ${index + 1} of ${dispatches.length}\n\n` : "");
    const text = dispatches.map(({ wgsl }, index) => head(index) + wgsl).join("\n\n");
    const count = dispatches.length === 1 ? "One dispatch" : `${dispatches.length} dispatches`;
    const lines = text.split("\n").length;
    const about = `${count} for all steps, ${whole(lines)} lines; shown for ${shape.map(whole).join(" × ")} elements.`;
    return [text, `${about} The chain's own lines are in view; what they call stands above.`];
  }
}
