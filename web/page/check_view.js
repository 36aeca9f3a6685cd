// What the check found, as it goes: a cell for each activation, pass and dtype, a summary, and what is wrong, in red.
import { DTYPES, PASSES, casesOf, check } from "./check.js";
import { $, h, short, table, whole } from "./dom.js";

const keyOf = ({ chain, pass, dtype }) => `${chain} ${pass} ${dtype}`;
const shownAt = (at, digits = 3) => (typeof at === "number" ? short(at, digits) : (at ?? "–"));

/** How much of what is allowed is used: 0 to 3. Of f16 and bf16, whose half ULP is the rounding's own: is anything misrounded? */
export function heat({ worst_ulp: ulp, allowed_ulp: allowed, misrounded }) {
  if (misrounded !== null) return misrounded > 0 ? 1 : 0;
  if (ulp === null || !(allowed > 0)) return 0;
  return Math.max(0, Math.min(3, Math.floor((ulp / allowed) * 4)));
}

/** The worst entry of those given: what is wrong before what is far off. */
export function worstOf(rows) {
  const order = (row) => (row.wrong > 0 ? 1e9 : 0) + (row.worst_ulp ?? 0);
  return rows.reduce((worst, row) => (worst === null || order(row) > order(worst) ? row : worst), null);
}

export class CheckView {
  #page;
  #cells = new Map();
  #errors = [];

  constructor(page) {
    this.#page = page;
    $("check").addEventListener("click", () => page.exclusive("check", (signal) => this.#run(signal)));
  }

  #names() {
    const only = $("only").value.trim().toLowerCase();
    return this.#page.list.activations.map(({ name }) => name).filter((name) => name.includes(only));
  }

  async #run(signal) {
    const names = this.#names();
    const cases = casesOf(names);
    const { gpu, core, checker, report } = this.#page;
    this.#errors = [];
    report.checks = [];
    this.#tables(names);
    $("check-wrong").replaceChildren();
    $("check-progress").hidden = false;
    let done = 0;
    const found = (outcome) => {
      done += 1;
      this.#found(outcome);
      $("check-progress").value = done / cases.length;
      $("check-said").textContent = `${done} of ${cases.length} …`;
      $("check-said").className = "quiet";
    };
    try {
      await check({ gpu, core, checker, cases, found, signal });
    } finally {
      $("check-progress").hidden = true;
      this.#say(done, cases.length);
      this.#page.reported();
    }
  }

  #say(done, all) {
    const { checks } = this.#page.report;
    const compared = checks.reduce((sum, row) => sum + row.compared, 0);
    const wrong = checks.filter((row) => row.wrong > 0).length + this.#errors.length;
    const isWhole = done === all && all > 0;
    const part = isWhole ? "" : all ? `Stopped after ${done} of ${all}. ` : "No activation has that in its name. ";
    const right = `${isWhole ? "All" : "Those"} ${done} are right: ${whole(compared)} numbers, each within what is allowed to it.`;
    const said = wrong ? `${wrong} of ${done} are wrong.` : done ? right : "";
    $("check-said").textContent = part + said;
    $("check-said").className = wrong ? "bad" : isWhole ? "good" : "";
  }

  #tables(names) {
    this.#cells.clear();
    const half = names.length > 12 ? Math.ceil(names.length / 2) : names.length;
    const parts = [names.slice(0, half), names.slice(half)].filter((part) => part.length);
    $("check-tables").replaceChildren(...parts.map((part) => this.#table(part)));
  }

  #table(names) {
    const groups = PASSES.map((pass) => h("th", { scope: "colgroup", colspan: 3 }, pass));
    const columns = PASSES.flatMap(() => DTYPES.map((dtype) => h("th", { scope: "col" }, dtype)));
    const head = h("thead", {}, h("tr", {}, h("th", {}, "worst ULP"), ...groups), h("tr", {}, h("th", {}, ""), ...columns));
    const rows = names.map((name) => {
      const cells = casesOf([name]).map((each) => {
        const cell = h("td", { class: "cell" }, "");
        this.#cells.set(keyOf(each), cell);
        return cell;
      });
      const open = h("button", { type: "button", title: `Draw ${name}`, click: () => this.#page.draw(name) }, name);
      return h("tr", {}, h("td", { class: "name" }, open), ...cells);
    });
    return h("table", { "aria-label": "The worst error of each activation" }, head, h("tbody", {}, ...rows));
  }

  #found({ row, each, error, worst }) {
    const cell = this.#cells.get(keyOf(row ?? each));
    if (error) {
      this.#errors.push({ each, error });
      cell.className = "cell wrong";
      cell.replaceChildren("error");
      this.#wrong(`${keyOf(each)}: ${error.message}`);
      return;
    }
    this.#page.report.checks.push(row);
    const isWrong = row.wrong > 0;
    cell.className = `cell ${isWrong ? "wrong" : `w${heat(row)}`}`;
    const where = row.at === null ? "\u00a0" : `at ${shownAt(row.at, 2)}`;
    const [mark, more] = isWrong ? ["✗", `${whole(row.wrong)} wrong`] : [short(row.worst_ulp, 2), where];
    cell.replaceChildren(mark, h("small", {}, more));
    const misrounded = row.misrounded === null ? "" : `; ${whole(row.misrounded)} not the nearest`;
    const counts = `${whole(row.compared)} compared, ${whole(row.wrong)} wrong${misrounded}`;
    cell.title = `${keyOf(row)}: ${counts}; worst ${short(row.worst_ulp)} of ${short(row.allowed_ulp)} ULP at x = ${shownAt(row.at)}`;
    if (isWrong) this.#wrong(this.#sentence(row, worst));
    this.#summary();
  }

  #sentence(row, worst) {
    const what = `${keyOf(row)}: ${whole(row.wrong)} of ${whole(row.compared)} wrong`;
    if (!worst) return what;
    const [x, got, want] = [worst.x, worst.got, worst.want].map((value) => short(value, 9));
    return `${what}; at x = ${x} got ${got}, want ${want}, ${short(worst.ulp)} ULP of ${short(worst.allowed)}`;
  }

  #wrong(text) {
    if (!$("check-wrong").firstChild) $("check-wrong").append(h("ul", {}));
    $("check-wrong").firstChild.append(h("li", {}, text));
  }

  /** A line for each pass and dtype: how many are right, and which is the worst, and where. */
  #summary() {
    const { checks } = this.#page.report;
    const rows = PASSES.flatMap((pass) => DTYPES.map((dtype) => checks.filter((row) => row.pass === pass && row.dtype === dtype)));
    const lines = rows.filter((group) => group.length).map((group) => {
      const worst = worstOf(group);
      const right = group.filter((row) => row.wrong === 0).length;
      const misrounded = group.reduce((sum, row) => sum + (row.misrounded ?? 0), 0);
      const kind = right === group.length ? "good" : "bad";
      const allowed = worst.allowed_ulp === null ? "" : ` of ${short(worst.allowed_ulp, 3)}`;
      return [
        `${worst.pass} ${worst.dtype}`, h("span", { class: kind }, `${right} of ${group.length}`),
        `${short(worst.worst_ulp, 3)}${allowed}`, worst.chain, shownAt(worst.at),
        worst.dtype === "f32" ? "–" : whole(misrounded), whole(group.reduce((sum, row) => sum + row.compared, 0)),
      ];
    });
    const heads = [
      { text: "" }, { text: "right" }, { text: "worst ULP", number: true }, { text: "in", name: true }, { text: "at x", number: true },
      { text: "misrounded", number: true }, { text: "numbers", number: true },
    ];
    $("check-summary").replaceChildren(table(heads, lines, "Summary of the check"));
  }
}
