// Puts the page together. The package runs in workers; this thread has the controls, the drawings and the GPU.
import { CheckView } from "./check_view.js";
import { Core } from "./core.js";
import { Curve } from "./curve.js";
import { $, copy, h } from "./dom.js";
import { Editor } from "./editor.js";
import { findGpu } from "./gpu.js";
import { Numbers } from "./numbers.js";
import { workOffline } from "./offline.js";
import { printed, reportOf } from "./report.js";
import { TimeView } from "./time_view.js";
import { TrainView } from "./train_view.js";
import { Kernels } from "./wgsl.js";

const VERSION = "0.1.0";
const ACTIONS = ["check", "time", "train"];

const page = {
  /** For what is typed, which nobody wants to wait for; and for comparisons. */
  core: new Core(6000),
  checker: new Core(60000),
  gpu: null,
  list: null,
  chain: null,
  report: { checks: [], speed: null },
  exclusive,
  reported,
  draw: () => {},
};

/** One thing at a time on the GPU, with a button that stops it. */
async function exclusive(what, work) {
  const stop = new AbortController();
  const end = () => stop.abort();
  for (const id of ACTIONS) $(id).disabled = true;
  $(`${what}-stop`).hidden = false;
  $(`${what}-stop`).addEventListener("click", end);
  try {
    await work(stop.signal);
  } catch (error) {
    $(`${what}-said`).textContent = error.message;
    $(`${what}-said`).className = "bad";
  } finally {
    $(`${what}-stop`).hidden = true;
    $(`${what}-stop`).removeEventListener("click", end);
    for (const id of ACTIONS) $(id).disabled = !page.gpu.device || page.gpu.isLost;
  }
}

/** Writes the report anew. */
function reported() {
  const { checks, speed } = page.report;
  $("report").textContent = printed(reportOf({ version: VERSION, about: page.gpu?.about, checks, speed, navigator }));
}

const HELP = {
  insecure: ["This page needs https, or localhost, for WebGPU.", []],
  "no-webgpu": ["This browser has no WebGPU.", [
    "Chrome and Edge have it since 113, Safari since 26, Firefox since 141 on Windows, and on more systems since.",
    "On Linux it may have to be switched on: chrome://flags/#enable-unsafe-webgpu and Vulkan, or dom.webgpu.enabled in about:config.",
  ]],
  "no-adapter": ["WebGPU is here, but it offers no GPU.", [
    "chrome://gpu or about:support says why: often an old driver, or hardware acceleration that is switched off in the settings.",
    "On Linux, Chrome may need --enable-features=Vulkan and chrome://flags/#enable-unsafe-webgpu.",
  ]],
  failed: ["The GPU's device could not be opened.", []],
  lost: ["The GPU's device was lost. Reload the page to have another.", []],
};

function without(why, message) {
  const [title, lines] = HELP[why];
  const list = [...lines, message].filter(Boolean).map((line) => h("li", {}, line));
  const parts = [h("p", {}, title)];
  if (list.length) parts.push(h("ul", {}, ...list));
  const rest = "Curves, kernels and the reference need no GPU: all of “Chain” works. Checking, timing and training need one.";
  if (why !== "lost") parts.push(h("p", {}, rest));
  $("no-gpu").replaceChildren(...parts);
  $("no-gpu").hidden = false;
  for (const id of ACTIONS) $(id).disabled = true;
}

function introduce({ about, hasTimestamps }) {
  const clock = hasTimestamps ? "with timestamps" : "without timestamps";
  const parts = [h("b", {}, about.name), ` · WebGPU, ${clock}`];
  $("adapter").replaceChildren(...parts);
  if (!about.software) return;
  const what = "A software adapter: this is your CPU, not a GPU.";
  const worth = "What it computes can be checked; how fast it is says nothing about any GPU.";
  $("adapter").append(h("br"), h("b", { class: "bad", id: "software" }, `${what} ${worth}`));
}

async function openGpu() {
  page.gpu = await findGpu();
  const { device, why, message } = page.gpu;
  if (!device) {
    $("adapter").textContent = "No GPU.";
    without(why, message);
    return;
  }
  introduce(page.gpu);
  device.lost.then(({ message: said }) => {
    page.gpu.isLost = true;
    without("lost", said);
  });
}

function openChain() {
  const [curve, kernels, numbers] = [new Curve(page.core), new Kernels(page.core), new Numbers(page)];
  const editor = new Editor(page.core, page.list, (chain) => {
    page.chain = chain;
    curve.show(chain);
    kernels.show(chain);
    numbers.show(chain);
  });
  page.draw = (text) => {
    editor.set(text);
    $("chain-title").scrollIntoView({ block: "start" });
  };
  editor.read();
}

async function open() {
  const gpu = openGpu();
  for (const id of ACTIONS) $(id).disabled = true;
  try {
    page.list = await page.core.call("list");
  } catch (error) {
    $("adapter").textContent = `The package could not be loaded: ${error.message}`;
    $("adapter").className = "adapter bad";
    return;
  }
  openChain();
  await gpu;
  [CheckView, TimeView, TrainView].forEach((View) => new View(page));
  for (const id of ACTIONS) $(id).disabled = !page.gpu.device;
  reported();
  $("copy-report").addEventListener("click", async () => {
    const done = await copy($("report").textContent, $("report"));
    $("report-said").textContent = done ? "Copied." : "Selected: press Ctrl+C or ⌘C.";
  });
  document.documentElement.dataset.ready = "true";
}

open();
workOffline();
