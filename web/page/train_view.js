// Training, as it goes: the loss of a network that learns its activation's parameters, beside that of one whose are frozen.
import { axes, linear, logTicks, path, ticks } from "./axes.js";
import { $, h, s, short, table } from "./dom.js";
import { watched } from "./gpu.js";
import { BATCH, Network, TRAINED, compiled, digitsOf } from "./network.js";

const CHAINS = ["acon_c(p1=@p1, p2=@p2, beta=@b)", "prelu(weight=@w)", "swish(beta=@b)", "snake_beta(alpha=@a, beta=@b)"];
const STEPS = TRAINED / BATCH;

/** The parameters that a chain learns, from its activation's defaults, and the same chain frozen. */
export function learnedOf(text, activations) {
  const [, name] = /^(\w+)/.exec(text);
  const { parameters } = activations.find((activation) => activation.name === name);
  const learned = {};
  for (const [, parameter, operand] of text.matchAll(/(\w+)=@(\w+)/g)) {
    learned[operand] = parameters.find((one) => one.name === parameter).default;
  }
  return { name, learned };
}

/** Means of an epoch's losses, as the curve is drawn. */
export function epochMeans(history) {
  const means = [];
  for (let at = 0; at + STEPS <= history.length; at += STEPS) {
    means.push(history.slice(at, at + STEPS).reduce((sum, loss) => sum + loss, 0) / STEPS);
  }
  return means;
}

export class TrainView {
  #page;
  #runs = [];
  #epochs = 1;

  constructor(page) {
    this.#page = page;
    $("learned").append(...CHAINS.map((text) => h("option", { value: text }, /^\w+/.exec(text)[0])));
    $("train").addEventListener("click", () => page.exclusive("train", (signal) => this.#run(signal)));
    new ResizeObserver(() => this.#draw()).observe($("loss"));
  }

  async #run(signal) {
    const said = $("train-said");
    said.className = "quiet";
    said.textContent = "Loading the digits …";
    const bounded = (id, most) => Math.max(Number($(id).min), Math.min(most, Math.round($(id).valueAsNumber || Number($(id).min))));
    const [epochs, seed] = [bounded("epochs", 200), bounded("seed", 999999)];
    const text = $("learned").value;
    const { name, learned } = learnedOf(text, this.#page.list.activations);
    const { gpu, core } = this.#page;
    const files = await Promise.all(["digits.bin", "kernels.wgsl"].map((file) => fetch(file)));
    if (files.some((file) => !file.ok)) throw new Error("the digits could not be loaded");
    const digits = digitsOf(new Uint8Array(await files[0].arrayBuffer()));
    const kernels = await files[1].text();
    this.#epochs = epochs;
    this.#runs = [];
    $("train-table").replaceChildren();
    $("loss").hidden = false;
    await watched(gpu, async () => {
      const pipelines = compiled(gpu.device, kernels);
      const settings = [{ chain: text, learned, label: `${name}, learned` }, { chain: name, learned: {}, label: `${name}, frozen` }];
      for (const setting of settings) {
        const network = await Network.make(gpu, core, pipelines, digits, { ...setting, seed, epochs });
        this.#runs.push({ label: setting.label, network, history: [], outcome: null });
      }
      try {
        await this.#epochsOf(epochs, signal);
      } finally {
        this.#runs.forEach(({ network }) => network.destroy());
      }
    });
    said.textContent = `${signal.aborted ? "Stopped. " : ""}${this.#verdict()}`;
    said.className = "";
  }

  async #epochsOf(epochs, signal) {
    for (let epoch = 0; epoch < epochs && !signal.aborted; epoch++) {
      for (const run of this.#runs) run.history = await run.network.train(STEPS, epoch * STEPS);
      $("train-said").textContent = `Epoch ${epoch + 1} of ${epochs} …`;
      this.#draw();
    }
    for (const run of this.#runs) run.outcome = await run.network.evaluate();
    const heads = [{ text: "", name: true }, { text: "training loss", number: true }, { text: "recognised", number: true }];
    const rows = this.#runs.map(({ label, outcome }) => [label, short(outcome.loss, 4), `${(100 * outcome.recognised).toFixed(1)} %`]);
    $("train-table").replaceChildren(table(heads, rows, "What came of it"));
  }

  #verdict() {
    const [learned, frozen] = this.#runs.map(({ outcome }) => outcome.loss);
    return `Training loss at the end: learned has ${short(learned / frozen, 3)} of what frozen has. One seed is one seed; try others.`;
  }

  /** Both losses, as means of epochs, on a logarithmic axis. */
  #draw() {
    const curves = this.#runs.map(({ history }) => epochMeans(history));
    const all = curves.flat().filter((loss) => loss > 0);
    const { width, height } = $("loss").getBoundingClientRect();
    if (!all.length || width < 60) return;
    const inner = { width: width - 22, height: height - 22 };
    const frame = { left: 52, right: inner.width - 10, top: 8, bottom: inner.height - 36 };
    const [low, high] = [Math.min(...all) * 0.85, Math.max(...all) * 1.15];
    const toX = linear([1, Math.max(2, this.#epochs)], [frame.left, frame.right]);
    const log = linear([Math.log(low), Math.log(high)], [frame.bottom, frame.top]);
    const toY = (value) => log(Math.log(value));
    const wholes = ticks(1, Math.max(2, this.#epochs), inner.width / 90).filter(Number.isInteger);
    const marks = axes(frame, wholes, logTicks(low, high), toX, toY);
    const lines = curves.map((losses, index) => {
      const xs = losses.map((_, epoch) => epoch + 1);
      return s("path", { class: `line ${index ? "second" : "first"}`, d: path(xs, losses, toX, toY, [frame.top, frame.bottom]) });
    });
    const names = this.#runs.map(({ label }, index) => {
      const place = { x: frame.right - 6, y: frame.top + 14 + 17 * index, "text-anchor": "end", class: `name${index + 1}` };
      return s("text", place, `${index ? "╌" : "—"} ${label}`);
    });
    const below = { x: (frame.left + frame.right) / 2, y: inner.height - 3, "text-anchor": "middle" };
    const title = s("text", below, "epoch · mean loss of its steps");
    const label = `Training loss: ${this.#runs.map((run, index) => `${run.label} ${short(curves[index].at(-1), 3)}`).join(", ")}`;
    const about = { viewBox: `0 0 ${inner.width} ${inner.height}`, role: "img", "aria-label": label };
    $("loss").replaceChildren(s("svg", about, marks, ...lines.reverse(), ...names, title));
  }
}
