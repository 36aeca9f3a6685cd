// What a report must be, as the page and the command `nonlin report` write it: problems() says what is wrong with one.

const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isCount = (value) => Number.isInteger(value) && value >= 0;
const isText = (value) => typeof value === "string";
const orNull = (is) => (value) => value === null || is(value);
const oneOf = (...known) => (value) => known.includes(value);

const ADAPTER = {
  name: isText, backend: isText, driver: isText, vendor: isText, kind: oneOf("cpu", "integrated", "discrete", "virtual", "other"),
  software: (value) => typeof value === "boolean",
};
const CHECK = {
  chain: isText, pass: oneOf("forward", "backward"), dtype: oneOf("f32", "f16", "bf16"), compared: isCount, wrong: isCount,
  misrounded: orNull(isCount), worst_ulp: orNull(isNumber), allowed_ulp: orNull(isNumber), at: orNull((value) => isNumber(value) || isText(value)),
};
const TIMED = { chain: isText, pass: CHECK.pass, dtype: CHECK.dtype, ns: isNumber, copy: isNumber, unfused_ns: orNull(isNumber) };
const SPEED = { elements: isCount, clock: oneOf("timestamps", "host"), copy_ns: isNumber, rows: Array.isArray };
const REPORT = {
  schema: oneOf(1), nonlin: (value) => /^\d+\.\d+\.\d+$/.test(value), made: (value) => /^\d{4}-\d\d-\d\d$/.test(value), by: isText,
  system: isText, adapter: (value) => typeof value === "object", checks: Array.isArray, speed: (value) => typeof value === "object",
};

/** Exactly these names, each with a value of its kind. */
function fields(where, value, kinds) {
  if (typeof value !== "object" || value === null) return [`${where} is no object`];
  const extra = Object.keys(value).filter((name) => !Object.hasOwn(kinds, name)).map((name) => `${where} may not have ${name}`);
  const wrong = Object.entries(kinds).filter(([name, is]) => !Object.hasOwn(value, name) || !is(value[name]));
  return [...extra, ...wrong.map(([name]) => `${where}.${name} is ${JSON.stringify(value[name])}`)];
}

export function problems(report) {
  const found = fields("report", report, REPORT);
  if (found.length) return found;
  const { adapter, checks, speed } = report;
  const rows = (where, list, kinds) => list.flatMap((row, index) => fields(`${where}[${index}]`, row, kinds));
  return [
    ...fields("adapter", adapter, ADAPTER), ...rows("checks", checks, CHECK), ...fields("speed", speed, SPEED),
    ...(Array.isArray(speed?.rows) ? rows("speed.rows", speed.rows, TIMED) : []),
  ];
}
