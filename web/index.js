// The package: loads the WebAssembly module beside this file, in browsers and in Node.
import init, {
  compare, functions, layerCompare, layerParameters, layerRecipe,
  layerReference, list, parse, recipe, reference,
} from "./pkg/nonlin.js";

const file = new URL("./pkg/nonlin_bg.wasm", import.meta.url);
// Node's fetch does not read files.
const isOnDisk = file.protocol === "file:" && globalThis.process?.versions?.node;
const module = isOnDisk ? (await import("node:fs/promises")).readFile(file) : file;
await init({ module_or_path: await module });

export {
  compare, functions, layerCompare, layerParameters, layerRecipe,
  layerReference, list, parse, recipe, reference,
};
