// Axes: round numbers for their marks, and places of values.
import { s, short } from "./dom.js";

/** Round numbers from low to high, about so many. */
export function ticks(low, high, about) {
  const raw = (high - low) / Math.max(1, about);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((factor) => raw <= factor * power * 1.0001) ?? 10);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(at * step || 0);
  return found;
}

/** Powers of ten from low to high, with 2 and 5 between them where there are few. */
export function logTicks(low, high) {
  const found = [];
  const isWide = Math.log10(high / low) > 2.5;
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const factor of isWide ? [1] : [1, 2, 5]) {
      const value = Number((factor * 10 ** power).toPrecision(3));
      if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
    }
  }
  return found;
}

/** A linear way from values to places. */
export const linear = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low)) * (to - from);

/** A line through points; it is broken where a value is not finite, and leaves out what lies far outside. */
export function path(xs, ys, toX, toY, [top, bottom]) {
  let text = "";
  let isOpen = false;
  for (let i = 0; i < xs.length; i++) {
    if (!Number.isFinite(ys[i])) {
      isOpen = false;
      continue;
    }
    const y = Math.max(top - 4000, Math.min(bottom + 4000, toY(ys[i])));
    text += `${isOpen ? "L" : "M"}${toX(xs[i]).toFixed(2)} ${y.toFixed(2)}`;
    isOpen = true;
  }
  return text;
}

/** A dot for each point, for what is no line. */
export function dots(xs, ys, toX, toY, [top, bottom]) {
  const isSeen = (y) => y >= top && y <= bottom;
  return [...ys].map((value, i) => [toX(xs[i]), toY(value)]).filter(([, y]) => isSeen(y))
    .map(([x, y]) => `M${x.toFixed(2)} ${y.toFixed(2)}h0.01`).join("");
}

/** Lines and numbers of both axes. */
export function axes({ left, right, top, bottom }, xTicks, yTicks, toX, toY) {
  const group = s("g");
  for (const value of xTicks) {
    const x = toX(value);
    const kind = value === 0 ? "axis" : "grid";
    group.append(s("line", { x1: x, x2: x, y1: top, y2: bottom, class: kind }));
    group.append(s("text", { x, y: bottom + 17, "text-anchor": "middle" }, short(value)));
  }
  for (const value of yTicks) {
    const y = toY(value);
    const kind = value === 0 ? "axis" : "grid";
    group.append(s("line", { x1: left, x2: right, y1: y, y2: y, class: kind }));
    group.append(s("text", { x: left - 7, y: y + 4, "text-anchor": "end" }, short(value)));
  }
  return group;
}
