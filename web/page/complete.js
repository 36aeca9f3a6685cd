// What may be written next in a chain: names of steps, and of the parameters of the one that is open.

/** Steps that list() does not have, as they are written. */
export const STEPS = [
  ["scale(2)", "x * factor"], ["bias(1)", "x + value"], ["gate(@g)", "x * g"], ["residual(@r)", "x + r"],
  ["dropout(0.1)", "x / (1 - p), or 0"], ["rrelu", "a random slope below 0"], ["softmax", "of rows"], ["log_softmax", "of rows"],
  ["hardmax", "of rows"], ["rms_norm", "of rows"], ["layer_norm", "of rows"], ["causal(0)", "masks what is later, before softmax"],
  ["round(f16)", "to the nearest f16"], ["round(bf16)", "to the nearest bf16"],
];

/** What can be completed, from the package's list. */
export function words({ activations, presets }) {
  const all = activations.map(({ name, aliases, formula, parameters }) => ({ name, aliases, note: formula, parameters }));
  const more = presets.map(({ name, aliases, chain }) => ({ name, aliases, note: chain, parameters: [] }));
  const steps = STEPS.map(([name, note]) => ({ name, aliases: [], note, parameters: [] }));
  return [...all, ...steps, ...more];
}

/** How well a word begins with what is typed: less is better, and nothing is no match. */
function rank(word, typed) {
  const low = typed.toLowerCase();
  if (word.name.startsWith(low)) return 0;
  if (word.aliases.some((alias) => alias.toLowerCase().startsWith(low))) return 1;
  return low.length > 1 && word.name.includes(low) ? 2 : undefined;
}

/** The parameters of the step whose parenthesis is open before the word. */
function parametersOf(known, before) {
  const [, name] = /(?:^|[|(\s])(\w+)\([^()|]*(?:\([^()]*\)[^()|]*)*$/.exec(before) ?? [];
  const step = known.find((word) => word.name === name || word.aliases.includes(name));
  return step?.parameters ?? [];
}

/** At a place in the text: from where to where it is replaced, and by what. */
export function complete(known, text, caret, most = 40) {
  const before = text.slice(0, caret);
  const [typed] = /[A-Za-z_][\w.]*$/.exec(before) ?? [""];
  const start = caret - typed.length;
  const head = before.slice(0, start);
  // The rest of the word that the caret is in goes too.
  const end = caret + /^\w*/.exec(text.slice(caret))[0].length;
  if (/(?:^|\|)\s*$/.test(head)) {
    const ranked = known.map((word) => ({ word, order: rank(word, typed) })).filter(({ order }) => order !== undefined);
    ranked.sort((a, b) => a.order - b.order || (typed ? a.word.name.length - b.word.name.length : 0));
    const found = ranked.slice(0, most).map(({ word: { name, note } }) => ({ text: name, note }));
    return { start, end, found };
  }
  if (/[(,]\s*$/.test(head)) {
    const parameters = parametersOf(known, head).filter(({ name }) => name.startsWith(typed));
    const found = parameters.map(({ name, default: usual }) => ({ text: `${name}=`, note: `${usual} if not given` }));
    return { start, end, found };
  }
  return { start, end, found: [] };
}
