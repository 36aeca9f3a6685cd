// The package with activations of the page's own: a module of its own, which has everything that the first has.
import init, {
  compare, define, functions, layerCompare, layerParameters, layerRecipe,
  layerReference, list, parse, recipe, reference,
} from "./pkg/nonlin_custom.js";

const file = new URL("./pkg/nonlin_custom_bg.wasm", import.meta.url);
// Node's fetch does not read files.
const isOnDisk = file.protocol === "file:" && globalThis.process?.versions?.node;
const module = isOnDisk ? (await import("node:fs/promises")).readFile(file) : file;
await init({ module_or_path: await module });

export {
  compare, define, functions, layerCompare, layerParameters, layerRecipe,
  layerReference, list, parse, recipe, reference,
};
