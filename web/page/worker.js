// The package, away from the page's own thread: whatever a chain takes here, the page goes on answering. core.js calls it, and
// ends it when it takes too long.
import { compare, functions, list, parse, recipe, reference } from "./nonlin/index.js";

const calls = { compare, functions, list, parse, recipe, reference };

addEventListener("message", ({ data: { id, name, values } }) => {
  try {
    if (!Object.hasOwn(calls, name)) throw new Error(`the worker has no ${name}`);
    postMessage({ id, value: calls[name](...values) });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
});
postMessage({ isReady: true });
