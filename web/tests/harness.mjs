// A browser with WebGPU on SwiftShader, the page on localhost, and a watch over all that the page should never do: errors in the
// console, what its own policy refuses, requests that fail or go elsewhere.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const types = {
  ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html", ".css": "text/css", ".svg": "image/svg+xml", ".wgsl": "text/plain",
};

/** Serves a folder; close() lets go of the port. */
export async function serve(folder) {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, "http://localhost").pathname);
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    if (!existsSync(file) || !statSync(file).isFile()) return response.writeHead(404).end();
    response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections()));
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}

// Without a display; nothing is asked of any other host.
const args = [
  "--enable-unsafe-webgpu", "--enable-features=Vulkan", "--use-webgpu-adapter=swiftshader", "--use-vulkan=swiftshader",
  "--enable-unsafe-swiftshader", "--disable-vulkan-surface", "--no-sandbox", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--disable-quic",
];
export function launch() {
  const { NONLIN_CHROMIUM: executablePath } = process.env;
  if (!executablePath) throw new Error("NONLIN_CHROMIUM names no browser");
  return chromium.launch({ executablePath, args });
}

/** A tab in a profile of its own, and what it said that it should not have: said. before runs in the page before anything else. */
export async function open(browser, url, { width = 1400, height = 900, before, isReady = true, ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...more });
  const tab = await context.newPage();
  const said = [];
  tab.on("console", (message) => message.type() === "error" && said.push(`console: ${message.text()}`));
  tab.on("pageerror", (error) => said.push(`error: ${error}`));
  tab.on("requestfailed", (request) => said.push(`failed: ${request.url()}`));
  tab.on("request", (request) => request.url().startsWith(url) || said.push(`elsewhere: ${request.url()}`));
  await tab.exposeFunction("refusedByPolicy", (what) => said.push(`policy: ${what}`));
  await tab.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => window.refusedByPolicy(`${event.violatedDirective} ${event.blockedURI}`));
  });
  if (before) await tab.addInitScript(before);
  await tab.goto(url);
  if (isReady) await tab.waitForSelector("html[data-ready]", { timeout: 60_000 });
  return { tab, said, close: () => context.close() };
}

/** Pixels by which a tab's page is wider than its window. */
export const overflow = (tab) => tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

/** Starts one of the page's actions, and waits until it has ended. */
export async function act(tab, what, timeout = 120_000) {
  await tab.click(`#${what}`);
  await tab.waitForSelector(`#${what}-stop`, { state: "hidden", timeout });
  return tab.textContent(`#${what}-said`);
}
