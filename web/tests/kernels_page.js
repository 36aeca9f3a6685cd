// Runs the folders of kernels in the browser, on the page's own GPU: every case of test.json through the variant that its manifest
// gives, in buffers that end with their elements. Leaves what it found in window.found.
import { prepared } from "./kernels_loader.js";

const numel = (shape) => shape.reduce((product, length) => product * length, 1);

/** The number that 16 bits are. */
function ofHalf(bits) {
  const [exponent, mantissa] = [(bits >> 10) & 31, bits & 1023];
  const magnitude = exponent === 31 ? (mantissa ? NaN : Infinity) : exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24;
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** The bits of a number that an f16 holds exactly. */
function toHalf(value) {
  const magnitude = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (magnitude < 2 ** -14) return sign | Math.round(magnitude * 2 ** 24);
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | ((exponent + 15) << 10) | Math.round((magnitude / 2 ** exponent - 1) * 1024);
}

function bytesOf(data, dtype) {
  const numbers = data.map(Number);
  const array = dtype === "float16" ? Uint16Array.from(numbers, toHalf) : Float32Array.from(numbers);
  const bytes = new Uint8Array(Math.ceil(array.byteLength / 4) * 4);
  bytes.set(new Uint8Array(array.buffer));
  return bytes;
}

const buffer = (device, size) =>
  device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });

/** Binds as manifests say: tensors in order, read or written, and the numbers behind them. */
function dispatch(device, made, buffers, written) {
  const numbers = device.createBuffer({ size: made.uniform.byteLength, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(numbers, 0, made.uniform);
  const types = [...made.tensors.map((name) => (written.includes(name) ? "storage" : "read-only-storage")), "uniform"];
  const layout = device.createBindGroupLayout({
    entries: types.map((type, binding) => ({ binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } })),
  });
  const all = [...made.tensors.map((name) => buffers[name]), numbers];
  const group = device.createBindGroup({ layout, entries: all.map((buffer, binding) => ({ binding, resource: { buffer } })) });
  const module = device.createShaderModule({ code: made.wgsl });
  const compute = { module, entryPoint: "main" };
  const pipeline = device.createComputePipeline({ layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }), compute });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, group);
  pass.dispatchWorkgroups(made.workgroups);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

async function read(device, from, dtype, count) {
  const target = device.createBuffer({ size: from.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(from, 0, target, 0, from.size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  const bytes = target.getMappedRange().slice(0);
  target.destroy();
  const numbers = dtype === "float16" ? Array.from(new Uint16Array(bytes), ofHalf) : Array.from(new Float32Array(bytes));
  return numbers.slice(0, count);
}

/** The elements that are further off than is allowed. */
function wrong({ data, tolerance: { relative, absolute } }, got) {
  const isRight = (want, got) => Object.is(want, got) || want === got || Math.abs(got - want) <= absolute + relative * Math.abs(want);
  return data.map(Number).flatMap((want, index) => (isRight(want, got[index]) ? [] : [`[${index}]: ${got[index]}, not ${want}`]));
}

async function run(device, manifest, texts, { inputs, outputs }) {
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  const made = prepared(manifest, (file) => texts[file], inputs.dy.dtype, shapes);
  const buffers = {};
  for (const [name, { data, dtype }] of Object.entries(inputs)) {
    const bytes = bytesOf(data, dtype);
    buffers[name] = buffer(device, bytes.length);
    device.queue.writeBuffer(buffers[name], 0, bytes);
  }
  for (const [name, { dtype }] of Object.entries(outputs)) {
    const bytes = numel(made.outputs[name]) * (dtype === "float16" ? 2 : 4);
    buffers[name] = buffer(device, Math.ceil(bytes / 4) * 4);
  }
  dispatch(device, made, buffers, Object.keys(outputs));
  const results = Object.entries(outputs).map(async ([name, { dtype, data }]) => [name, await read(device, buffers[name], dtype, data.length)]);
  const all = Object.fromEntries(await Promise.all(results));
  Object.values(buffers).forEach((buffer) => buffer.destroy());
  return all;
}

const found = { adapter: "", compared: 0, wrong: [], errors: [], refuses: true, least: 40_000 };
try {
  const adapter = await navigator.gpu.requestAdapter();
  found.adapter = `${adapter.info.vendor} ${adapter.info.architecture}`;
  const device = await adapter.requestDevice();
  device.onuncapturederror = ({ error }) => found.errors.push(error.message);
  for (const kernel of await (await fetch("/kernels")).json()) {
    const fetched = (file) => fetch(`/kernels/${kernel}/build/webgpu/${file}`);
    const manifest = await (await fetched("manifest.json")).json();
    const files = manifest.variants.map(({ passes: [{ shader }] }) => shader);
    const texts = Object.fromEntries(await Promise.all(files.map(async (file) => [file, await (await fetched(file)).text()])));
    for (const each of (await (await fetched("test.json")).json()).cases) {
      const results = await run(device, manifest, texts, each);
      for (const [name, output] of Object.entries(each.outputs)) {
        found.compared += output.data.length;
        const off = wrong(output, results[name]);
        if (off.length > 0) found.wrong.push(`${kernel} ${each.id} ${name}: ${off.length} wrong, ${off[0]}`);
        // A harness that finds nothing wrong proves nothing: what is expected, a little off, must be refused.
        const planted = { ...output, data: output.data.map((value) => Number(value) * 1.01 + 1e-3) };
        found.refuses &&= wrong(planted, results[name]).length > 0;
      }
    }
  }
} catch (error) {
  found.errors.push(`${error.stack ?? error}`);
}
window.found = found;
