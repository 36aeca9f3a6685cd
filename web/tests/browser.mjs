// The package in Chromium, on WebGPU: serves it and the test's page on localhost, and says what the page found.
// NONLIN_PACKAGE is the folder that the package was unpacked to; NONLIN_CHROMIUM the browser. Another page is named as the first
// argument: kernels_page.js runs the folders of kernels in NONLIN_KERNELS.
import assert from "node:assert/strict";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./harness.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const types = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
const page = `<!doctype html><title>nonlin</title>
<script type="importmap">{"imports": {"nonlin": "/nonlin/index.js", "nonlin/custom": "/nonlin/custom.js", "nonlin/run": "/nonlin/run.js"}}</script>
<script type="module" src="/${process.argv[2] ?? "browser_page.js"}"></script>`;

const server = createServer((request, response) => {
  const path = normalize(new URL(request.url, "http://localhost").pathname);
  const [, folder, below] = /^\/(nonlin|kernels)\/(.*)/.exec(path) ?? [];
  const file = folder ? join(process.env[folder === "nonlin" ? "NONLIN_PACKAGE" : "NONLIN_KERNELS"], below) : join(here, path);
  if (path === "/") return response.setHeader("content-type", types[".html"]).end(page);
  if (path === "/kernels") return response.end(JSON.stringify(readdirSync(process.env.NONLIN_KERNELS)));
  if (!existsSync(file)) return response.writeHead(404).end();
  response.setHeader("content-type", types[extname(file)] ?? "text/plain");
  createReadStream(file).pipe(response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

const browser = await launch();
try {
  const tab = await browser.newPage();
  const said = [];
  tab.on("console", (message) => message.type() === "error" && said.push(message.text()));
  tab.on("pageerror", (error) => said.push(`${error}`));
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  await tab.waitForFunction(() => window.found, undefined, { timeout: 480_000, polling: 500 });
  const found = await tab.evaluate(() => window.found);
  console.log(`${found.adapter}: ${found.compared} elements compared, ${found.wrong.length} tensors wrong`);
  // Browsers ask for an icon that there is not.
  assert.deepEqual(said.filter((text) => !text.includes("404")), []);
  assert.deepEqual(found.errors, []);
  assert.deepEqual(found.wrong, []);
  assert.ok(found.refuses && found.compared > (found.least ?? 500_000), `${found.compared} compared`);
} finally {
  await browser.close();
  server.close();
}
