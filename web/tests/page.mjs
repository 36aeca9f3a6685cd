// The page in Chromium, on WebGPU. NONLIN_SITE is the folder that it was put together in, NONLIN_CHROMIUM the browser; words on
// the command line choose tests by their names.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { act, launch, open, overflow, serve } from "./harness.mjs";
import { problems } from "./report.mjs";

const site = await serve(process.env.NONLIN_SITE);
const browser = await launch();
const tests = [];
const test = (name, work) => tests.push({ name, work });
/** Opens the page for some work, and holds it to having said nothing that it should not. */
async function onPage(options, work) {
  const { tab, said, close } = await open(browser, site.url, options);
  try {
    await work(tab, said);
    assert.deepEqual(said, []);
  } finally {
    await close();
  }
}
const type = (tab, text) => tab.fill("#chain-input", text).then(() => tab.press("#chain-input", "Escape"));
const isCurve = (tab) => tab.waitForFunction(() => document.querySelector("#plot path.first")?.getAttribute("d").length > 1000);
const withoutGpu = () => Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined });

for (const [width, colorScheme] of [[400, "light"], [1400, "dark"]]) {
  test(`at ${width} pixels nothing is wider than the window`, () => onPage({ width, colorScheme }, async (tab) => {
    await isCurve(tab);
    await tab.click("#numbers summary");
    await tab.waitForSelector("#numbers-table td");
    for (const text of ["swiglu_oai", "silu | foo | tanh | scale(2) | gate(@a) | gate(@b) | gate(@c) | gate(@d) | silu", "tanh | scale(4) | softmax"]) {
      await type(tab, text);
      await tab.waitForTimeout(400);
      assert.equal(await overflow(tab), 0, text);
    }
    await tab.fill("#only", "silu");
    await act(tab, "check");
    await tab.fill("#epochs", "2");
    await act(tab, "train");
    await act(tab, "time");
    assert.equal(await overflow(tab), 0, "with all results");
    // What measures it can find something.
    await tab.evaluate(() => document.querySelector("main").append(document.createElement("pre")));
    await tab.evaluate(() => (document.querySelector("main > pre").textContent = "x".repeat(1000)));
    assert.ok((await overflow(tab)) > 100);
  }));
}

test("the watch sees what is refused, what fails and what is said", async () => {
  const { tab, said, close } = await open(browser, site.url);
  await tab.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.isRun = true";
    document.body.append(script);
    const image = document.createElement("img");
    image.src = "https://example.invalid/x.png";
    document.body.append(image);
    console.error("something");
    return fetch("missing.js").catch(() => {});
  });
  await tab.waitForTimeout(300);
  const all = said.join("\n");
  for (const words of [/policy: script-src-elem inline/, /policy: img-src https:\/\/example/, /console: something/, /console:.*404/]) assert.match(all, words);
  assert.equal(await tab.evaluate(() => window.isRun), undefined);
  await close();
});

test("the policy lets no text become code", () => onPage({}, async (tab, said) => {
  const policy = await tab.getAttribute('meta[http-equiv="Content-Security-Policy"]', "content");
  assert.match(policy, /^default-src 'none';/);
  assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval'? (?!;)|\*|https?:/);
  const refused = await tab.evaluate(async () => {
    // What runs within evaluate() itself is let through by the browser: so a moment later.
    const later = new Promise((resolve, reject) => setTimeout(() => {
      try {
        resolve(new Function("return 1")());
      } catch (error) {
        reject(error);
      }
    }, 10));
    const tried = await Promise.allSettled([later, fetch("https://example.invalid/")]);
    return tried.map(({ status }) => status);
  });
  assert.deepEqual(refused, ["rejected", "rejected"]);
  await tab.waitForTimeout(300);
  assert.match(said.join("\n"), /policy: connect-src/);
  said.length = 0;
}));

test("a software adapter is said in red, and stands in the report", () => onPage({}, async (tab) => {
  const red = await tab.evaluate(() => getComputedStyle(document.getElementById("software")).color);
  const [r, g, b] = red.match(/\d+/g).map(Number);
  assert.ok(r > 150 && g < 80 && b < 80, red);
  const { adapter } = JSON.parse(await tab.textContent("#report"));
  assert.deepEqual([adapter.software, adapter.kind, adapter.backend], [true, "cpu", "webgpu"]);
}));

test("a chain is drawn, printed and read out", () => onPage({}, async (tab) => {
  await type(tab, "scale(3) | tanh");
  await isCurve(tab);
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("forward of scale(3) | tanh"));
  await tab.focus("#plot svg");
  await tab.keyboard.press("End");
  assert.match(await tab.textContent("#readout"), /^x 6 +y 1/);
  await tab.keyboard.press("Home");
  assert.match(await tab.textContent("#readout"), /^x −6 +y −1/);
  await tab.selectOption("#kernel", "functions");
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("fn act_dx"));
  await tab.selectOption("#kernel", "backward");
  await tab.selectOption("#stored", "bf16");
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("bf16_value"));
  assert.match(await tab.evaluate(() => location.hash), /^#chain=scale\(3\)%20%7C%20tanh$/);
  await tab.evaluate(() => (location.hash = "chain=mish"));
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("backward of mish"));
  assert.equal(await tab.inputValue("#chain-input"), "mish");
}));

test("completion by keys", () => onPage({}, async (tab) => {
  await tab.fill("#chain-input", "");
  await tab.locator("#chain-input").pressSequentially("tanh | hardsw");
  assert.equal(await tab.getAttribute("#chain-input", "aria-expanded"), "true");
  assert.equal(await tab.isVisible("#mistake"), false, "a word half typed is no mistake yet");
  await tab.keyboard.press("ArrowDown");
  assert.equal(await tab.getAttribute("#chain-input", "aria-activedescendant"), "option-0");
  await tab.keyboard.press("Enter");
  assert.equal(await tab.inputValue("#chain-input"), "tanh | hardswish");
  assert.equal(await tab.isVisible("#options"), false);
}));

test("a wrong chain's mistake is pointed at, and mended", () => onPage({ width: 400 }, async (tab) => {
  await type(tab, "scale(0.5) | gelo | scale(2)");
  await tab.waitForSelector("#mistake", { state: "visible" });
  assert.equal(await tab.textContent("#mistake mark"), "gelo");
  assert.match(await tab.textContent("#mistake p"), /unknown activation "gelo"; did you mean "gelu"\?/);
  const [text, pointer] = (await tab.textContent("#mistake pre")).split("\n");
  assert.equal(pointer.indexOf("^"), text.indexOf("gelo"));
  assert.equal(await tab.getAttribute("#chain-input", "aria-invalid"), "true");
  await tab.click("#mistake button");
  await tab.waitForSelector("#mistake", { state: "hidden" });
  assert.equal(await tab.inputValue("#chain-input"), "scale(0.5) | gelu | scale(2)");
}));

test("markup that is typed stays text", () => onPage({}, async (tab) => {
  await type(tab, '<img src=x onerror="window.isRun=1"> | silu');
  await tab.waitForSelector("#mistake", { state: "visible" });
  assert.equal(await tab.locator("#mistake img").count(), 0);
  assert.equal(await tab.evaluate(() => window.isRun), undefined);
}));

test("what is timed as unfused is what is timed as fused", () => onPage({}, async (tab) => {
  const far = await tab.evaluate(async () => {
    const [{ findGpu }, { Core }, { Subject }, { read }] = await Promise.all(["gpu", "core", "time", "nonlin/run"].map((name) => import(`./${name}.js`)));
    const [gpu, core] = [await findGpu(), new Core(10000)];
    const found = {};
    for (const text of ["scale(0.5) | silu | gate(@g | tanh) | bias(@b) | mish", "tanh | scale(4) | softmax | scale(3)"]) {
      for (const pass of ["forward", "backward"]) {
        const subject = new Subject(gpu, core, await core.call("parse", text), pass, "f32", 4096);
        const [fused, unfused] = [await subject.fused(), await subject.unfused()];
        const output = subject.memory.get(pass === "forward" ? "y" : "dx");
        const all = [];
        for (const record of [fused, unfused]) {
          gpu.device.queue.writeBuffer(output, 0, new Float32Array(4096).fill(99));
          await subject.once(record);
          all.push(new Float32Array(await read(gpu.device, output, 16384)));
        }
        subject.destroy();
        const size = all[0].reduce((most, value) => Math.max(most, Math.abs(value)), 0);
        found[`${text} ${pass}`] = { size, far: all[0].reduce((most, value, i) => Math.max(most, Math.abs(value - all[1][i])), 0) / size };
      }
    }
    return found;
  });
  for (const [what, { size, far: share }] of Object.entries(far)) assert.ok(size > 1e-6 && size < 99 && share < 1e-5, `${what}: ${size}, ${share}`);
}));

/** Pastes as a user would, with a clipboard of its own. */
const paste = (tab, selector, text) => tab.evaluate(([where, length, letter]) => {
  const data = new DataTransfer();
  data.setData("text", letter.repeat(length));
  const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  return document.querySelector(where).dispatchEvent(event);
}, [selector, text.length, text[0]]);

test("a megabyte of text is an error, and the page still answers", () => onPage({}, async (tab) => {
  const huge = "x".repeat(2 ** 20);
  const start = Date.now();
  assert.equal(await paste(tab, "#chain-input", huge), false, "the browser does not insert it");
  assert.match(await tab.textContent("#mistake"), /2000 characters here; this has 1048576/);
  await tab.fill("#chain-input", huge);
  assert.equal((await tab.inputValue("#chain-input")).length < 2000, true);
  await tab.click("#numbers summary");
  assert.equal(await paste(tab, "#pasted", huge), false);
  assert.match(await tab.textContent("#numbers-error"), /1,048,576/);
  await tab.fill("#pasted", "1 ".repeat(2 ** 19));
  assert.match(await tab.textContent("#numbers-error"), /1,048,576/);
  await tab.goto(`${site.url}#chain=${"a".repeat(100_000)}`);
  await type(tab, "gelu");
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("forward of gelu"));
  assert.ok(Date.now() - start < 20_000);
}));

test("the longest chains that are let in are drawn, or refused, in time", () => onPage({}, async (tab) => {
  await tab.click("#numbers summary");
  const longest = ["tanh|".repeat(399) + "tanh", "gate(".repeat(400), `${"gate(@g | ".repeat(150)}silu${")".repeat(150)}`, "x".repeat(2000)];
  for (const text of longest) {
    await type(tab, text);
    await tab.waitForTimeout(200);
    await type(tab, "relu");
    await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("forward of relu"), undefined, { timeout: 30_000 });
  }
  await type(tab, longest[0]);
  await tab.waitForFunction(() => /at most 16 steps at once; this chain has 400/.test(document.getElementById("numbers-error").textContent));
  assert.match(await act(tab, "time"), /at most 16 steps/);
}));

test("what takes too long is ended, and the next call is answered", () => onPage({}, async (tab) => {
  const said = await tab.evaluate(async () => {
    const { Core } = await import("./core.js");
    const x = new Float32Array(2 ** 22);
    const [quick, enough] = [new Core(1), new Core(30000)];
    const ended = await quick.call("reference", "silu | gelu | mish", { x }, {}).catch((error) => error.message);
    const next = await enough.call("parse", "silu").then(({ text }) => text);
    const [first, second, unknown] = await Promise.allSettled([enough.call("parse", "silu | foo"), enough.call("parse", "tanh"), enough.call("constructor")]);
    return { ended, next, first: first.reason.message, second: second.value.text, unknown: unknown.reason.message };
  });
  assert.match(said.ended, /it took longer than 0.001 seconds/);
  assert.deepEqual([said.next, said.second], ["silu", "tanh"]);
  assert.match(said.first, /step 2/);
  assert.match(said.unknown, /has no constructor/);
}));

test("without WebGPU there is a notice, and what needs none", () => onPage({ before: withoutGpu }, async (tab) => {
  assert.match(await tab.textContent("#no-gpu"), /This browser has no WebGPU.*Chrome and Edge have it since/s);
  await type(tab, "mish");
  await isCurve(tab);
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("forward of mish"));
  await tab.click("#numbers summary");
  await tab.waitForSelector("#numbers-table td");
  for (const id of ["check", "time", "train"]) assert.ok(await tab.isDisabled(`#${id}`));
  assert.deepEqual(problems(JSON.parse(await tab.textContent("#report"))), []);
}));

test("without an adapter too", () => onPage({ before: () => (GPU.prototype.requestAdapter = async () => null) }, async (tab) => {
  assert.match(await tab.textContent("#no-gpu"), /it offers no GPU/);
  await isCurve(tab);
}));

test("a file that is missing is said", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nonlin-missing-"));
  cpSync(process.env.NONLIN_SITE, folder, { recursive: true });
  rmSync(join(folder, "nonlin/pkg/nonlin_bg.wasm"));
  const host = await serve(folder);
  const { tab, close } = await open(browser, host.url, { isReady: false });
  await tab.waitForFunction(() => /could not be loaded: .*nonlin_bg.wasm/.test(document.getElementById("adapter").textContent));
  await close();
  await host.close();
  rmSync(folder, { recursive: true });
});

test("numbers of one's own, beside this GPU's", () => onPage({}, async (tab) => {
  await type(tab, "silu");
  await tab.click("#numbers summary");
  await tab.fill("#pasted", "1 nan");
  await tab.waitForFunction(() => document.querySelector("#numbers-table tbody")?.rows.length === 2);
  const row = await tab.evaluate(() => [...document.querySelector("#numbers-table tbody tr").cells].map(({ textContent }) => textContent));
  assert.equal(row.length, 7);
  assert.ok(row[1] === "0.7310585786" && Number(row[2]) > 0.73105 && Number(row[3]) < 4, `${row}`);
}));

/** A kernel with a mistake in it, as a driver's compiler might make one. */
const plant = () => {
  const compile = GPUDevice.prototype.createShaderModule;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    return compile.call(this, { ...descriptor, code: descriptor.code.replace("let v1 = act_silu(x);", "let v1 = act_silu(x) * 1.00001;") });
  };
};

test("Check finds a kernel that is wrong, and says where in red", () => onPage({ before: plant }, async (tab) => {
  await tab.fill("#only", "silu");
  assert.match(await act(tab, "check"), /3 of 6 are wrong/);
  assert.match(await tab.textContent("#check-wrong"), /silu forward f32: [\d,]+ of 32,768 wrong; at x = .* got .*, want .*, .* ULP of/);
  assert.equal(await tab.locator("#check-tables td.wrong").count(), 3);
  const report = JSON.parse(await tab.textContent("#report"));
  assert.deepEqual(report.checks.filter(({ wrong }) => wrong > 0).map(({ pass, dtype }) => `${pass} ${dtype}`), ["forward f32", "forward f16", "forward bf16"]);
}));

test("a kernel that does not compile is an error, not a result", () => onPage({
  before: () => {
    const compile = GPUDevice.prototype.createShaderModule;
    GPUDevice.prototype.createShaderModule = function (descriptor) {
      return compile.call(this, { ...descriptor, code: descriptor.code.replace("act_silu(x)", "act_none(x)") });
    };
  },
}, async (tab, said) => {
  await tab.fill("#only", "silu");
  assert.match(await act(tab, "check"), /3 of 6 are wrong/);
  assert.match(await tab.textContent("#check-wrong"), /silu forward f32: .*act_none/s);
  // Chromium says so in the console too.
  said.length = 0;
}));

test("Check can be stopped", () => onPage({}, async (tab) => {
  await tab.click("#check");
  await tab.waitForFunction(() => /^[3-9] of 306/.test(document.getElementById("check-said").textContent));
  await tab.click("#check-stop");
  await tab.waitForSelector("#check-stop", { state: "hidden" });
  assert.match(await tab.textContent("#check-said"), /Stopped after \d+ of 306/);
  assert.ok(await tab.isEnabled("#check"));
}));

test("Check passes for every activation, while the tab answers", () => onPage({}, async (tab) => {
  await tab.evaluate(() => {
    window.longest = 0;
    let last = performance.now();
    setInterval(() => {
      window.longest = Math.max(window.longest, performance.now() - last);
      last = performance.now();
    }, 20);
  });
  assert.match(await act(tab, "check", 500_000), /^All 306 are right: 16,711,680 numbers/);
  const report = JSON.parse(await tab.textContent("#report"));
  assert.deepEqual(problems(report), []);
  assert.equal(report.checks.length, 306);
  assert.ok(report.checks.every(({ wrong, compared }) => wrong === 0 && compared >= 32768));
  const longest = await tab.evaluate(() => window.longest);
  console.log(`  the longest that the tab did not answer: ${longest.toFixed(0)} ms`);
  assert.ok(longest < 3000, `${longest} ms`);
}));

test("Time it, of a chain with an operand as long as x", () => onPage({}, async (tab) => {
  await type(tab, "scale(0.5) | silu | gate(@g)");
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("gate(@g)"));
  await act(tab, "time");
  const report = JSON.parse(await tab.textContent("#report"));
  assert.deepEqual(problems(report), []);
  const { rows, elements, copy_ns: copy } = report.speed;
  assert.deepEqual(rows.map(({ pass }) => pass), ["forward", "backward"]);
  assert.ok(elements >= 2 ** 18 && copy > 0 && rows.every(({ ns, copy: ratio, unfused_ns: unfused }) => ns > 0 && ratio > 0 && unfused > 0));
  assert.match(await tab.textContent("#time-said"), /On a CPU that stands in for a GPU/);
}));

test("Time it, by the host's clock where there are no timestamps", () => onPage({
  before: () => Object.defineProperty(GPUAdapter.prototype, "features", { get: () => new Set() }),
}, async (tab) => {
  await type(tab, "softmax");
  await tab.waitForFunction(() => document.getElementById("wgsl").textContent.includes("softmax"));
  await act(tab, "time");
  const { speed } = JSON.parse(await tab.textContent("#report"));
  assert.equal(speed.clock, "host");
  assert.deepEqual(speed.rows.map(({ unfused_ns: unfused }) => unfused), [null, null]);
}));

test("Train's loss falls, the same for the same seed, and the learned network is another", () => onPage({}, async (tab) => {
  const label = () => tab.getAttribute("#loss svg", "aria-label");
  const losses = (text) => [...text.matchAll(/(?:learned|frozen) ([\d.]+)/g)].map(([, loss]) => Number(loss));
  await tab.fill("#epochs", "1");
  await act(tab, "train");
  const first = await label();
  await tab.fill("#epochs", "8");
  assert.match(await act(tab, "train"), /Training loss at the end: learned has [\d.]+ of what frozen has/);
  const last = await label();
  const [early, late] = [losses(first), losses(last)];
  assert.ok(early.length === 2 && early.every((loss, index) => loss > 3 * late[index]), `${early} ${late}`);
  assert.notEqual(late[0], late[1]);
  const table = await tab.textContent("#train-table");
  await act(tab, "train");
  assert.equal(await tab.textContent("#train-table"), table);
  const share = Number(/frozen[\d.]+?(\d\d\.\d) %/.exec(table)[1]);
  assert.ok(share > 80, table);
}));

test("the report is copied, and has its schema", () => onPage({ permissions: ["clipboard-read", "clipboard-write"] }, async (tab) => {
  await tab.fill("#only", "relu");
  await act(tab, "check");
  await tab.click("#copy-report");
  await tab.waitForFunction(() => document.getElementById("report-said").textContent === "Copied.");
  const report = JSON.parse(await tab.evaluate(() => navigator.clipboard.readText()));
  assert.deepEqual(problems(report), []);
  assert.ok(report.checks.length > 6 && report.by === "page" && /^[A-Za-z ]+ \d+, \w+$/.test(report.system), report.system);
}));

test("below another path, and offline once loaded", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nonlin-offline-"));
  cpSync(process.env.NONLIN_SITE, join(folder, "some/where"), { recursive: true });
  const host = await serve(folder);
  const { tab, said, close } = await open(browser, `${host.url}some/where/`);
  const controlled = () => tab.waitForFunction(() => navigator.serviceWorker.controller?.state === "activated");
  await controlled();
  await tab.context().setOffline(true);
  await host.close();
  await tab.reload();
  await tab.waitForSelector("html[data-ready]");
  await isCurve(tab);
  await tab.fill("#epochs", "1");
  await act(tab, "train");
  assert.deepEqual(said, []);
  await close();
  rmSync(folder, { recursive: true });
});

test("a newer version is offered, and takes over when asked", async () => {
  const folder = mkdtempSync(join(tmpdir(), "nonlin-newer-"));
  cpSync(process.env.NONLIN_SITE, folder, { recursive: true });
  const host = await serve(folder);
  const { tab, said, close } = await open(browser, host.url);
  await tab.waitForFunction(() => navigator.serviceWorker.controller);
  for (const [name, from, to] of [["index.html", "<title>nonlin", "<title>newer nonlin"], ["files.js", /version: "/, 'version: "newer']]) {
    const text = readFileSync(join(folder, name), "utf8");
    assert.match(text, typeof from === "string" ? new RegExp(from) : from);
    writeFileSync(join(folder, name), text.replace(from, to));
  }
  // Not before it is asked: this page is one version throughout.
  await tab.reload();
  assert.doesNotMatch(await tab.title(), /newer/);
  await tab.waitForSelector("#update", { state: "visible" });
  await tab.click("#reload");
  await tab.waitForFunction(() => document.title.startsWith("newer"));
  assert.deepEqual(await tab.evaluate(async () => (await caches.keys()).map((key) => key.includes("newer"))), [true]);
  assert.deepEqual(said, []);
  await close();
  await host.close();
  rmSync(folder, { recursive: true });
});

const chosen = process.argv.slice(2);
let failed = 0;
for (const { name, work } of tests.filter((one) => chosen.every((word) => one.name.includes(word)))) {
  const start = Date.now();
  const error = await work().then(() => null, (thrown) => thrown);
  console.log(`${error ? "not ok" : "ok"} - ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  if (!error) continue;
  failed += 1;
  console.log(`${error.stack ?? error}`.replace(/^/gm, "    "));
}
await browser.close();
await site.close();
if (failed) {
  console.log(`${failed} failed`);
  process.exitCode = 1;
}
