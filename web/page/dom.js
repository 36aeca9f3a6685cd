// Elements and numbers as text. Text is only ever set as text, so that nothing that is typed or pasted can become markup.

export const $ = (id) => document.getElementById(id);

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** An element of HTML; functions among its attributes listen to the event of that name. */
export const h = (tag, attributes = {}, ...children) => filled(document.createElement(tag), attributes, children);

/** An element of SVG. */
export const s = (tag, attributes = {}, ...children) =>
  filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** A table: heads as { text, number }, and rows of texts or nodes. */
export function table(heads, rows, caption) {
  const kind = (index) => (heads[index].number ? "number" : heads[index].name ? "name" : undefined);
  const head = heads.map(({ text, number }) => h("th", { scope: "col", class: number ? "number" : undefined }, text));
  const body = rows.map((row) => h("tr", {}, ...row.map((cell, index) => h("td", { class: kind(index) }, cell))));
  return h("table", { "aria-label": caption }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
}

/** A number with at most so many digits, and a real minus. */
export function short(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Object.is(value, -0)) return "−0";
  const size = Math.abs(value);
  const isPlain = size === 0 || (size >= 1e-3 && size < 1e6);
  const text = isPlain ? String(Number(value.toPrecision(digits))) : value.toExponential(Math.max(0, digits - 1));
  return text.replace(/\.?0+e/, "e").replace("e+", "e").replaceAll("-", "−");
}

/** A whole number with commas. */
export const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

/** Copies text; where the browser does not let us, selects it in the element that shows it. */
export async function copy(text, shown) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    shown.closest("details")?.setAttribute("open", "");
    getSelection().selectAllChildren(shown);
    shown.focus();
    return false;
  }
}

/** Calls at most once in so many milliseconds, with the last arguments. */
export function later(milliseconds, work) {
  let timer;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...args), milliseconds);
  };
}
