// Where in a chain's text a mistake is: the library says which step, and names what it could not read.

/** Characters that a chain may have here. Longer ones are refused before anything reads them. */
export const LONGEST = 2000;

/** Steps of a chain, those of its gates' own chains included, that a kernel may have here. SwiftShader took a minute over a kernel of
    a hundred steps, and the whole tab waited with it. */
const MOST_ON_GPU = 16;

/** Why a chain, as it is printed, is not given to the GPU, or nothing. */
export function tooMuch(text) {
  const count = text.split("|").length;
  return count > MOST_ON_GPU ? `This page gives a GPU at most ${MOST_ON_GPU} steps at once; this chain has ${count}.` : null;
}

/** The steps of a text, split at each "|" outside parentheses, with where they begin. */
export function steps(text) {
  const found = [];
  let depth = 0;
  let first = 0;
  for (let at = 0; at <= text.length; at++) {
    const letter = text[at];
    if (letter === "(") depth++;
    if (letter === ")") depth = Math.max(0, depth - 1);
    if (at < text.length && !(letter === "|" && depth === 0)) continue;
    const raw = text.slice(first, at);
    const start = first + (raw.length - raw.trimStart().length);
    found.push({ text: raw.trim(), start });
    first = at + 1;
  }
  return found;
}

/** What to say of a chain that is too long, or nothing. */
export function tooLong(text, what = "A chain") {
  if (text.length <= LONGEST) return null;
  return `${what} may have ${LONGEST} characters here; this has ${text.length}`;
}

/** From the library's message: which characters are meant, what to say, and what to write in their place. */
export function locate(text, message) {
  const [, number, rest] = /^step (\d+): ([^]*)$/.exec(message) ?? [];
  const said = (rest ?? message).replace(/; known are [^]*$/, "");
  const short = said.length > 240 ? `${said.slice(0, 240)} …` : said;
  const step = number === undefined ? undefined : steps(text)[number - 1];
  if (!step) return { start: 0, end: text.length, message: short };
  const where = { start: step.start, end: step.start + step.text.length, message: short };
  const named = [...said.matchAll(/"([^"]+)"/g)].map(([, name]) => name);
  const name = named.find((name) => step.text.includes(name));
  if (name) {
    where.start = step.start + step.text.lastIndexOf(name);
    where.end = where.start + name.length;
  }
  // A step that is missing is pointed at where it would stand.
  if (where.start === where.end) where.end = Math.min(text.length, where.start + 1);
  const [, instead] = /did you mean "([^"]+)"\?/.exec(said) ?? [];
  if (instead) where.instead = instead;
  return where;
}
