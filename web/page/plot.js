// A chain's value and derivative as curves, with a hair that is moved by pointer or arrow keys and a line that reads them out.
import { axes, dots as points, linear, path, ticks } from "./axes.js";
import { h, s, short } from "./dom.js";

/** What is shown of the y axis: all of it, unless it is much larger than the x axis; then some of it. */
export function range(curves, span) {
  const all = curves.flatMap((curve) => [...curve]).filter(Number.isFinite);
  if (!all.length) return [-1, 1];
  const cap = 1.5 * span;
  let low = Math.max(-cap, Math.min(0, ...all));
  let high = Math.min(cap, Math.max(0, ...all));
  if (high - low < 1e-30) [low, high] = [-1, 1];
  const room = 0.06 * (high - low);
  return [low - room, high + room];
}

export class Plot {
  #host;
  #readout;
  #data = null;
  #at = null;
  #parts = null;

  constructor(host, readout) {
    this.#host = host;
    this.#readout = readout;
    new ResizeObserver(() => this.#draw()).observe(host);
  }

  /** Draws { xs, y, dx, name, isDotted }: the curves that there are, as lines or as dots. */
  show(data) {
    if (this.#data?.xs.length !== data.xs.length) this.#at = null;
    this.#data = data;
    this.#draw();
  }

  #draw() {
    const { width, height } = this.#host.getBoundingClientRect();
    if (!this.#data || width < 50) return;
    const { xs, y, dx, name, isDotted } = this.#data;
    const frame = { left: 46, right: width - 10, top: 26, bottom: height - 24 };
    const [first, last] = [xs[0], xs[xs.length - 1]];
    const curves = [y, dx].filter(Boolean);
    const [low, high] = range(curves, last - first);
    const toX = linear([first, last], [frame.left, frame.right]);
    const toY = linear([low, high], [frame.bottom, frame.top]);
    const box = { x: frame.left, y: frame.top, width: frame.right - frame.left, height: frame.bottom - frame.top };
    const clip = s("clipPath", { id: "frame" }, s("rect", box));
    const trace = isDotted ? points : path;
    const line = (values, kind) => {
      if (!values) return null;
      const d = trace(xs, values, toX, toY, [frame.top, frame.bottom]);
      return s("path", { class: `line ${kind} ${isDotted ? "dots" : ""}`, d, "clip-path": "url(#frame)" });
    };
    const marks = axes(frame, ticks(first, last, width / 70), ticks(low, high, height / 48), toX, toY);
    const names = [
      s("text", { x: frame.left, y: 13, class: "name1" }, "— y"),
      dx && s("text", { x: frame.left + 44, y: 13, class: "name2" }, `╌ ${name ?? "dy/dx"}`),
    ];
    const hair = s("line", { class: "hair", y1: frame.top, y2: frame.bottom, visibility: "hidden" });
    const dots = ["first", "second"].map((kind) => s("circle", { class: kind, r: 4.5, "stroke-width": 1.5, visibility: "hidden" }));
    const all = [clip, marks, line(dx, "second"), line(y, "first"), ...names, hair, ...dots].filter(Boolean);
    const label = `Curve of the value and derivative for x from ${short(first)} to ${short(last)}; arrow keys read it out`;
    const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", tabindex: 0, "aria-label": label }, ...all);
    this.#parts = { hair, dots, toX, toY, frame, first, last };
    this.#listen(svg, width);
    this.#host.replaceChildren(svg);
    this.#point();
  }

  #listen(svg, width) {
    const { frame } = this.#parts;
    const count = this.#data.xs.length;
    const move = (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      const share = (x - frame.left) / (frame.right - frame.left);
      this.#at = Math.max(0, Math.min(count - 1, Math.round(share * (count - 1))));
      this.#point();
    };
    svg.addEventListener("pointermove", move);
    svg.addEventListener("pointerdown", move);
    svg.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -50, PageUp: 50, Home: -1e9, End: 1e9 }[event.key];
      if (by === undefined) return;
      event.preventDefault();
      this.#at = Math.max(0, Math.min(count - 1, (this.#at ?? (count - 1) >> 1) + by * (event.shiftKey ? 10 : 1)));
      this.#point();
    });
  }

  #point() {
    const { xs, y, dx, name } = this.#data;
    const at = this.#at;
    if (at === null) {
      this.#readout.replaceChildren(h("span", { class: "quiet" }, "Point at the curve to read it out."));
      return;
    }
    const { hair, dots, toX, toY, frame } = this.#parts;
    const x = toX(xs[at]);
    for (const [attribute, value] of [["x1", x], ["x2", x], ["visibility", "visible"]]) hair.setAttribute(attribute, value);
    [y, dx].forEach((values, index) => {
      const place = values ? toY(values[at]) : NaN;
      const isSeen = place >= frame.top && place <= frame.bottom;
      dots[index].setAttribute("visibility", isSeen ? "visible" : "hidden");
      if (!isSeen) return;
      dots[index].setAttribute("cx", x);
      dots[index].setAttribute("cy", place);
    });
    const parts = [`x ${short(xs[at], 5)}   `, h("b", {}, `y ${short(y[at], 7)}`), "   "];
    if (dx) parts.push(h("b", {}, `${name ?? "dy/dx"} ${short(dx[at], 7)}`));
    this.#readout.replaceChildren(...parts);
  }
}
