// The line where a chain is typed: completion, mistakes that are pointed at, values of operands, and a listener that gets each
// chain that is right.
import { complete, words } from "./complete.js";
import { $, h, later } from "./dom.js";
import { LONGEST, locate, tooLong } from "./mistake.js";
import { initial } from "./operands.js";

const EXAMPLES = [
  "silu", "gelu", "scale(0.5) | silu | scale(2)", "swiglu_oai", "prelu(weight=@w)", "snake_beta(alpha=2, beta=1)",
  "tanh | scale(4) | softmax",
];

export class Editor {
  #core;
  #list;
  #words;
  #onChain;
  #asked = 0;
  #input = $("chain-input");
  #good = "";
  #values = new Map();
  #menu = { found: [], at: -1, start: 0, end: 0 };
  /** A mistake that waits until the menu, which covers its place, is gone: a word that is half typed is none. */
  #held = null;

  constructor(core, list, onChain) {
    this.#core = core;
    this.#list = list;
    this.#words = words(list);
    this.#onChain = onChain;
    this.#good = this.#input.value;
    const read = later(120, () => this.#read());
    this.#input.addEventListener("paste", (event) => this.#pasted(event));
    this.#input.addEventListener("input", () => this.#typed(read));
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => this.#close());
    for (const text of EXAMPLES) {
      $("examples").append(h("button", { type: "button", click: () => this.set(text) }, text));
    }
    this.#shared();
    addEventListener("hashchange", () => this.#shared() && this.#read());
  }

  /** Puts a chain into the line, as if it had been typed. */
  set(text) {
    if (this.#refuses(text)) return;
    this.#input.value = text;
    this.#good = text;
    this.#close();
    this.#read();
  }

  read() {
    this.#read();
  }

  /** Takes the chain that the address has, if it has one. */
  #shared() {
    const [, encoded] = /^#chain=(.*)$/.exec(location.hash) ?? [];
    if (encoded === undefined) return false;
    try {
      const text = decodeURIComponent(encoded);
      if (this.#refuses(text)) return false;
      this.#input.value = this.#good = text;
      return true;
    } catch {
      return false; // An address that is none of ours.
    }
  }

  #share(text) {
    try {
      history.replaceState(null, "", `#chain=${encodeURIComponent(text)}`);
    } catch {
      // Some browsers allow only so many in a while.
    }
  }

  #refuses(text, what) {
    const message = tooLong(text, what);
    if (message) this.#show({ message });
    return message !== null;
  }

  /** What is too long never gets into the line, where the browser would have to lay it out. */
  #pasted(event) {
    const text = event.clipboardData?.getData("text") ?? "";
    if (text.length > LONGEST && this.#refuses(text)) event.preventDefault();
  }

  #typed(read) {
    if (this.#refuses(this.#input.value)) {
      this.#input.value = this.#good;
      return;
    }
    this.#good = this.#input.value;
    this.#open();
    read();
  }

  async #read() {
    const text = this.#input.value;
    const asked = ++this.#asked;
    try {
      const parsed = await this.#core.call("parse", text);
      if (asked !== this.#asked) return;
      this.#show(null);
      this.#offer(parsed);
      this.#share(text);
      this.#tell(parsed);
    } catch (error) {
      if (asked === this.#asked) this.#show({ ...locate(text, error.message), text });
    }
  }

  #tell(parsed) {
    this.#onChain({ ...parsed, value: (name) => this.#values.get(name) ?? 1 });
  }

  /** Fields for the operands' values. */
  #offer(parsed) {
    const fields = parsed.operands.map((name) => {
      if (!this.#values.has(name)) this.#values.set(name, initial(parsed.text, name, this.#list.activations));
      const changed = ({ target }) => {
        if (!Number.isFinite(target.valueAsNumber)) return;
        this.#values.set(name, target.valueAsNumber);
        this.#tell(parsed);
      };
      const field = h("input", { type: "number", step: "any", value: this.#values.get(name), input: changed });
      return h("label", {}, h("code", {}, `@${name}`), " = ", field);
    });
    $("operands").replaceChildren(...(fields.length ? [h("span", { class: "quiet" }, "Drawn with"), ...fields] : []));
    $("operands").hidden = !fields.length;
  }

  /** The mistake below the line, with a pointer at its place. */
  #show(mistake) {
    const isOpen = !$("options").hidden;
    this.#held = isOpen ? mistake : null;
    if (isOpen && mistake?.text !== undefined) return;
    this.#input.setAttribute("aria-invalid", mistake ? "true" : "false");
    $("mistake").hidden = !mistake;
    if (!mistake) return;
    const { text, start, end, message, instead } = mistake;
    const parts = [];
    if (text) {
      // A window of the text, so that the place is seen on a small screen too.
      const fit = Math.floor(($("mistake").clientWidth - 30) / 8.8);
      const from = text.length <= fit ? 0 : Math.max(0, Math.min(start - (fit >> 1), text.length - fit + 2));
      const [before, wrong] = [text.slice(from, start), text.slice(start, end)];
      const cut = from > 0 ? "…" : "";
      const pointer = " ".repeat(cut.length + before.length) + "^".repeat(Math.min(wrong.length, 200) || 1);
      parts.push(h("pre", {}, cut + before, h("mark", {}, wrong), `${text.slice(end, end + 200)}\n`, h("span", { class: "bad" }, pointer)));
    }
    const mend = () => this.set(text.slice(0, start) + instead + text.slice(end));
    const button = instead && h("button", { type: "button", click: mend }, `Write ${instead}`);
    $("mistake").replaceChildren(...parts, h("p", {}, message, button));
  }

  #open() {
    const { start, end, found } = complete(this.#words, this.#input.value, this.#input.selectionStart);
    const typed = this.#input.value.slice(start, this.#input.selectionStart);
    const isDone = found.some(({ text }) => text === typed);
    if (!found.length || isDone || (!typed && !found[0].text.endsWith("="))) return this.#close();
    this.#menu = { found, at: -1, start, end };
    const items = found.map(({ text, note }, index) => {
      const take = (event) => {
        event.preventDefault();
        this.#take(index);
      };
      return h("li", { role: "option", id: `option-${index}`, "aria-selected": "false", mousedown: take }, text, h("span", {}, note));
    });
    $("options").replaceChildren(...items);
    $("options").hidden = false;
    $("options").scrollTop = 0;
    this.#input.setAttribute("aria-expanded", "true");
    this.#input.removeAttribute("aria-activedescendant");
  }

  #close() {
    $("options").hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
    if (this.#held) this.#show(this.#held);
  }

  #move(to) {
    const { found, at } = this.#menu;
    $(`option-${at}`)?.setAttribute("aria-selected", "false");
    this.#menu.at = (to + found.length) % found.length;
    const item = $(`option-${this.#menu.at}`);
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.#input.setAttribute("aria-activedescendant", item.id);
  }

  #take(index) {
    const { found, start, end } = this.#menu;
    const { text } = found[index];
    const value = this.#input.value;
    this.#input.value = value.slice(0, start) + text + value.slice(end);
    this.#input.setSelectionRange(start + text.length, start + text.length);
    this.#good = this.#input.value;
    this.#close();
    this.#read();
  }

  #key(event) {
    const isOpen = !$("options").hidden;
    const { at } = this.#menu;
    const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.key === "ArrowDown" && !isOpen) this.#open();
    else if (isOpen && event.key === "ArrowDown") this.#move(at + 1);
    else if (isOpen && event.key === "ArrowUp") this.#move(at < 0 ? -1 : at - 1);
    else if (isOpen && event.key === "Escape") this.#close();
    else if (isOpen && isPlain && event.key === "Enter" && at >= 0) this.#take(at);
    else if (isOpen && isPlain && event.key === "Tab" && !event.shiftKey && at >= 0) this.#take(at);
    else return;
    event.preventDefault();
  }
}
