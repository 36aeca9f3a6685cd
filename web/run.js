// Runs recipes on a GPUDevice: compiles what is new, binds the caller's buffers, and records into the caller's pass.
// Nothing is submitted here, and nothing waited for.

/** Pipelines by their text, for each device. */
const compiled = new WeakMap();

function pipeline(device, { label, wgsl }) {
  if (!compiled.has(device)) compiled.set(device, new Map());
  const known = compiled.get(device);
  if (!known.has(wgsl)) {
    const module = device.createShaderModule({ label, code: wgsl });
    const compute = { module, entryPoint: "main" };
    known.set(wgsl, device.createComputePipeline({ label, layout: "auto", compute }));
  }
  return known.get(wgsl);
}

/** A buffer that has room for one of a recipe's. */
export function createBuffer(device, bytes, usage = 0) {
  const size = Math.max(16, Math.ceil(bytes / 16) * 16);
  const all = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  return device.createBuffer({ size, usage: all | usage });
}

/** Binds a recipe to buffers by name: GPUBuffers, or { buffer, offset } where one holds several. Gives a function that
    records all of its dispatches into a compute pass, as often as it is called; destroy() frees what is its own. */
export function bind(device, recipe, buffers) {
  const scratch = recipe.scratchBytes > 0 ? createBuffer(device, recipe.scratchBytes) : undefined;
  const uniforms = [];
  const dispatches = recipe.dispatches.map((dispatch) => {
    const { label, bindings, workgroups } = dispatch;
    const storage = bindings.map(({ buffer: name, offset, size }, binding) => {
      const given = name === "scratch" ? scratch : buffers[name];
      if (!given) throw new Error(`${label} needs the buffer ${name}`);
      const { buffer, offset: first = 0 } = given instanceof GPUBuffer ? { buffer: given } : given;
      return { binding, resource: { buffer, offset: first + offset, size } };
    });
    const words = new Uint32Array(dispatch.uniform);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const uniform = device.createBuffer({ size: words.byteLength, usage });
    device.queue.writeBuffer(uniform, 0, words);
    uniforms.push(uniform);
    const compute = pipeline(device, dispatch);
    const layout = compute.getBindGroupLayout(0);
    const entries = [...storage, { binding: bindings.length, resource: { buffer: uniform } }];
    return { compute, group: device.createBindGroup({ label, layout, entries }), workgroups };
  });
  const record = (pass) => {
    for (const { compute, group, workgroups } of dispatches) {
      pass.setPipeline(compute);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
  };
  record.destroy = () => [scratch, ...uniforms].forEach((buffer) => buffer?.destroy());
  return record;
}

/** Writes a typed array to the beginning of a buffer; WebGPU writes whole words, so half a word is filled up. */
export function write(device, buffer, values) {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const whole = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  whole.set(bytes);
  device.queue.writeBuffer(buffer, 0, whole);
}

/** The bytes that a buffer holds, once all that is submitted is done. */
export async function read(device, buffer, bytes = buffer.size) {
  const size = Math.ceil(bytes / 4) * 4;
  const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
  const target = device.createBuffer({ size, usage });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, target, 0, size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  const copy = target.getMappedRange().slice(0, bytes);
  target.destroy();
  return copy;
}
