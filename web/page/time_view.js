// The times, as a table: nanoseconds an element, beside a copy and beside the steps one after another.
import { $, h, short, table, whole } from "./dom.js";
import { tooMuch } from "./mistake.js";
import { Clock, Subject, elementsFor, timed } from "./time.js";

const OTHERS = ["relu", "silu", "gelu", "softplus", "scale(0.5) | silu | scale(2)"];
const HEADS = [
  { text: "chain", name: true }, { text: "pass" }, { text: "fused ÷ copy", number: true }, { text: "unfused ÷ fused", number: true },
  { text: "fused", number: true }, { text: "copy", number: true }, { text: "unfused, ns", number: true },
];
const CLOCKS = { timestamps: "the GPU's timestamps", host: "the browser's clock, from submit to done" };

export class TimeView {
  #page;

  constructor(page) {
    this.#page = page;
    $("time").addEventListener("click", () => page.exclusive("time", (signal) => this.#run(signal)));
  }

  async #run(signal) {
    const { gpu, core, chain, report } = this.#page;
    const dtype = $("time-stored").value;
    const said = $("time-said");
    const refused = tooMuch(chain?.text ?? "");
    if (refused) throw new Error(refused);
    said.className = "quiet";
    said.textContent = "Looking for a size that is large enough …";
    const clock = new Clock(gpu);
    try {
      const elements = await elementsFor(gpu, core, clock, signal);
      const chains = [...new Set([chain?.text, ...($("time-others").checked ? OTHERS : [])].filter(Boolean))];
      const speed = { elements, clock: clock.kind, copy_ns: 0, rows: [] };
      const lines = [];
      for (const text of chains) {
        const parsed = await core.call("parse", text);
        for (const pass of ["forward", "backward"].filter((one) => parsed.passes.includes(one))) {
          if (signal.aborted) break;
          said.textContent = `${text}, ${pass} …`;
          await this.#one(clock, parsed, pass, dtype, speed, lines, signal);
        }
      }
      speed.clock = clock.kind;
      report.speed = speed.rows.length ? speed : report.speed;
      const what = `Nanoseconds an element, of ${whole(elements)} elements of ${dtype}; median of 7 samples, by ${CLOCKS[clock.kind]}.`;
      const warning = gpu.about.software ? h("b", { class: "bad" }, " On a CPU that stands in for a GPU: no measure of one.") : "";
      said.replaceChildren(signal.aborted ? "Stopped. " : "", what, warning);
      said.className = "";
      this.#page.reported();
    } finally {
      clock.destroy();
    }
  }

  async #one(clock, parsed, pass, dtype, speed, lines, signal) {
    const { gpu, core } = this.#page;
    const subject = new Subject(gpu, core, parsed, pass, dtype, speed.elements);
    try {
      const found = await timed(clock, subject, signal);
      if (!found) return;
      const { copy, fused, unfused } = found;
      if (!speed.rows.length) speed.copy_ns = copy;
      speed.rows.push({ chain: parsed.text, pass, dtype, ns: fused, copy: fused / copy, unfused_ns: unfused ?? null });
      const ns = [fused, copy, unfused].map((value) => short(value, 3));
      lines.push([parsed.text, pass, short(fused / copy, 3), unfused ? short(unfused / fused, 3) : "–", ...ns]);
      $("time-table").replaceChildren(table(HEADS, lines, "Times"));
    } finally {
      subject.destroy();
    }
  }
}
