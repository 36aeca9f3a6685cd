// Writes the kernels' folders, in the form that the Hub's kernels for WebGPU have: node web/kernels/make.mjs FOLDER.
// The package must be built before: cargo xtask kernels does both.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { folder, KERNELS } from "./kernels.mjs";

const target = process.argv[2];
if (!target) throw new Error("which folder?");
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
for (const kernel of KERNELS) {
  const own = join(target, `nonlin.${kernel.name}`);
  rmSync(own, { recursive: true, force: true });
  const files = Object.entries(folder(kernel, version));
  for (const [path, text] of files) {
    mkdirSync(dirname(join(own, path)), { recursive: true });
    writeFileSync(join(own, path), text);
  }
  console.log(`${own}: ${files.length} files, ${files.reduce((sum, [, text]) => sum + text.length, 0)} bytes`);
}
