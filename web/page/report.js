// The report: what was found, with who found it, as one JSON that the command `nonlin report` writes as well.

/** The browser and the system in words, from what the browser says of itself. */
export function systemOf({ userAgent = "", userAgentData } = {}) {
  // Browsers made of Chromium name it beside themselves, and a brand that there is not.
  const brands = (userAgentData?.brands ?? []).filter(({ brand }) => !/not.?a.?brand/i.test(brand));
  const brand = brands.find(({ brand }) => brand !== "Chromium") ?? brands[0];
  const [, name, version] = /(Firefox|Edg|OPR|Chrome|Version)\/(\d+)/.exec(userAgent.replace(/Chrome\/\d+[^]*?(Edg|OPR)/, "$1")) ?? [];
  const names = { Edg: "Edge", OPR: "Opera", Version: "Safari" };
  const browser = brand ? `${brand.brand} ${brand.version}` : name ? `${names[name] ?? name} ${version}` : "an unknown browser";
  const [system] = /Windows|Android|iPhone|iPad|Mac OS X|CrOS|Linux/.exec(userAgent) ?? [];
  return `${browser}, ${userAgentData?.platform || system?.replace("Mac OS X", "macOS") || "an unknown system"}`;
}

const NOBODY = { name: "none", backend: "webgpu", driver: "", vendor: "", kind: "other", software: false };

/** One object; what was not asked for is empty. */
export function reportOf({ version, about, checks, speed, navigator, date = new Date() }) {
  return {
    schema: 1,
    nonlin: version,
    made: date.toISOString().slice(0, 10),
    by: "page",
    system: systemOf(navigator),
    adapter: about ?? NOBODY,
    checks,
    speed: speed ?? { elements: 0, clock: "host", copy_ns: 0, rows: [] },
  };
}

/** As JSON, with a line for each row. */
export function printed(report) {
  const rows = (list) => (list.length ? `[\n${list.map((row) => `    ${JSON.stringify(row)}`).join(",\n")}\n  ]` : "[]");
  const { checks, speed, ...head } = report;
  const lines = Object.entries(head).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  const { rows: timed, ...about } = speed;
  const of = `${JSON.stringify(about).slice(0, -1)},"rows":${rows(timed)}}`;
  return `{\n${[...lines, `  "checks": ${rows(checks)}`, `  "speed": ${of}`].join(",\n")}\n}`;
}
