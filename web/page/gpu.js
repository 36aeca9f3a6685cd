// The visitor's GPU: who it is, whether it is one at all, and one pass on it from arrays to arrays.
import { bind, createBuffer, read, write } from "./nonlin/run.js";

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render|\bwarp\b|\bcpu\b/i;
const LIMITS = [
  "maxComputeWorkgroupsPerDimension", "maxComputeInvocationsPerWorkgroup", "maxStorageBufferBindingSize", "maxUniformBufferBindingSize",
  "maxStorageBuffersPerShaderStage", "minStorageBufferOffsetAlignment",
];

/** What an adapter says of itself, in the report's words. */
export function described(info, isFallback) {
  const { vendor = "", architecture = "", device = "", description = "" } = info;
  const name = description || [vendor, architecture, device].filter(Boolean).join(" ") || "an adapter that does not say its name";
  const software = isFallback || SOFTWARE.test(`${vendor} ${architecture} ${device} ${description}`);
  const known = { "discrete GPU": "discrete", "integrated GPU": "integrated", CPU: "cpu" }[info.type];
  return { name, backend: "webgpu", driver: description, vendor, kind: software ? "cpu" : (known ?? "other"), software };
}

/** An adapter and a device, or why there is none. */
export async function findGpu() {
  if (!globalThis.isSecureContext) return { why: "insecure" };
  if (!navigator.gpu) return { why: "no-webgpu" };
  try {
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) return { why: "no-adapter" };
    const requiredFeatures = adapter.features.has("timestamp-query") ? ["timestamp-query"] : [];
    const device = await adapter.requestDevice({ requiredFeatures });
    const about = described(adapter.info, adapter.isFallbackAdapter || adapter.info.isFallbackAdapter || false);
    // Those of a GPUDevice are no plain object, and do not go to a worker.
    const limits = Object.fromEntries(LIMITS.map((name) => [name, device.limits[name]]));
    return { adapter, device, about, limits, hasTimestamps: requiredFeatures.length > 0 };
  } catch (error) {
    return { why: "failed", message: error.message };
  }
}

/** Does GPU work, and throws what the device had to say of it. One after another: error scopes are a stack of the device's. */
export function watched(gpu, work) {
  const done = (gpu.before ?? Promise.resolve()).then(() => scoped(gpu, work));
  gpu.before = done.catch(() => {});
  return done;
}

async function scoped({ device }, work) {
  const kinds = ["validation", "out-of-memory", "internal"];
  kinds.forEach((kind) => device.pushErrorScope(kind));
  const outcome = await Promise.resolve()
    .then(work)
    .then((value) => ({ value }), (error) => ({ error }));
  const errors = await Promise.all(kinds.map(() => device.popErrorScope()));
  const said = errors.find(Boolean);
  if (said) throw new Error(said.message);
  if (outcome.error) throw outcome.error;
  return outcome.value;
}

/** Buffers for all that a recipe names, filled where there are arrays: { x, dy, "@name" } by the recipe's names. */
export function buffersFor(device, recipe, arrays) {
  const buffers = {};
  for (const [name, bytes] of Object.entries(recipe.buffers)) {
    buffers[name] = createBuffer(device, bytes);
    const values = arrays[name.replace(/^@/, "")];
    if (values) write(device, buffers[name], values);
  }
  return buffers;
}

/** Runs a recipe once, and gives the bytes of one of its buffers. */
export function runOnce(gpu, recipe, arrays, output) {
  const { device } = gpu;
  return watched(gpu, async () => {
    const buffers = buffersFor(device, recipe, arrays);
    const record = bind(device, recipe, buffers);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    record(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
    const bytes = await read(device, buffers[output], recipe.buffers[output]);
    record.destroy();
    Object.values(buffers).forEach((buffer) => buffer.destroy());
    return bytes;
  });
}
