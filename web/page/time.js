// How long a chain takes: fused, its steps one after another, and a copy of the same bytes. Browsers' clocks are coarse, so a
// sample is as many passes in one submit as it takes to be long beside the clock's steps; the median of several samples counts.
import { watched } from "./gpu.js";
import { kindOf } from "./operands.js";
import { steps } from "./mistake.js";
import { bind, createBuffer } from "./nonlin/run.js";

const SAMPLES = 7;
/** Milliseconds of a sample: timestamps come in steps of 0.1 ms, and a host's sample has the submit in it. */
const LONG = { timestamps: 20, host: 60 };
const MOST_PASSES = 2048;
const MOST_BYTES = 512 * 2 ** 20;

/** A kernel that reads n arrays and writes one, of 16 bytes an invocation; what it writes needs all that it reads. */
export function copyText(inputs) {
  const names = Array.from({ length: inputs }, (_, index) => `in${index}`);
  const bindings = names.map((name, index) => `@group(0) @binding(${index}) var<storage, read> ${name}: array<vec4<u32>>;`);
  return `${bindings.join("\n")}
@group(0) @binding(${inputs}) var<storage, read_write> out: array<vec4<u32>>;
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    if i < arrayLength(&out) {
        out[i] = ${names.map((name) => `${name}[i]`).join(" ^ ")};
    }
}
`;
}

/** The middle one. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** The clock: nanoseconds that a submit of some passes takes. */
export class Clock {
  #gpu;
  kind;

  constructor(gpu) {
    this.#gpu = gpu;
    this.kind = gpu.hasTimestamps ? "timestamps" : "host";
    if (!gpu.hasTimestamps) return;
    const { device } = gpu;
    this.queries = device.createQuerySet({ type: "timestamp", count: 2 });
    this.resolved = device.createBuffer({ size: 256, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    this.mapped = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  }

  async sample(record, passes) {
    const { device } = this.#gpu;
    const encoder = device.createCommandEncoder();
    const stamped = this.kind === "timestamps";
    const timestampWrites = stamped ? { querySet: this.queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 } : undefined;
    const pass = encoder.beginComputePass({ timestampWrites });
    for (let i = 0; i < passes; i++) record(pass);
    pass.end();
    if (stamped) {
      encoder.resolveQuerySet(this.queries, 0, 2, this.resolved, 0);
      encoder.copyBufferToBuffer(this.resolved, 0, this.mapped, 0, 16);
    }
    await device.queue.onSubmittedWorkDone();
    const before = performance.now();
    device.queue.submit([encoder.finish()]);
    if (!stamped) {
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - before) * 1e6;
    }
    await this.mapped.mapAsync(GPUMapMode.READ);
    const [begin, end] = new BigUint64Array(this.mapped.getMappedRange(0, 16));
    const ns = Number(end - begin);
    this.mapped.unmap();
    // Some drivers' timestamps stand still: then the host's clock it is.
    if (ns > 0) return ns;
    this.kind = "host";
    return this.sample(record, passes);
  }

  destroy() {
    this.queries?.destroy();
    this.resolved?.destroy();
    this.mapped?.destroy();
  }
}

/** Buffers that variants share, filled with ordinary numbers; freed together. */
class Memory {
  #device;
  #all = new Map();

  constructor(device) {
    this.#device = device;
  }

  get(name, bytes) {
    const known = this.#all.get(name);
    if (known) return known;
    const buffer = createBuffer(this.#device, bytes);
    // f32 from about -4 to 4 in a pattern of 1,021 words, or pairs of halves that are as ordinary.
    const words = new Uint32Array(Math.min(bytes >> 2, 1 << 18)).map((_, i) => (i & 1 ? 0xbf803f00 : 0x3f003f80) + ((i * 7919) % 1021));
    for (let at = 0; at < bytes >> 2; at += words.length) {
      this.#device.queue.writeBuffer(buffer, at * 4, words, 0, Math.min(words.length, (bytes >> 2) - at));
    }
    this.#all.set(name, buffer);
    return buffer;
  }

  destroy() {
    for (const buffer of this.#all.values()) buffer.destroy();
  }
}

const sizeOf = (dtype) => (dtype === "f32" ? 4 : 2);

/** A pass of a chain, and everything that it takes. */
export class Subject {
  constructor(gpu, core, parsed, pass, dtype, elements) {
    Object.assign(this, { gpu, core, parsed, pass, dtype });
    this.elements = parsed.isOfRows ? Math.ceil(elements / 1024) * 1024 : elements;
    this.memory = new Memory(gpu.device);
    this.freed = [];
  }

  get bytes() {
    return this.elements * sizeOf(this.dtype);
  }

  /** The recipe of a chain over this subject's elements, bound to buffers by name. */
  async bound({ text, operands, isOfRows }, pass, places) {
    const shape = isOfRows || this.parsed.isOfRows ? [this.elements / 1024, 1024] : [this.elements];
    const length = (name) => (kindOf(this.parsed.text, name) === "element" ? this.elements : 1);
    const given = Object.fromEntries(operands.map((name) => [name, { length: length(name) }]));
    const options = { shape, dtype: this.dtype, operands: given, limits: this.gpu.limits };
    const recipe = await this.core.call("recipe", text, pass, options);
    const buffers = {};
    for (const [name, bytes] of Object.entries(recipe.buffers)) buffers[name] = this.memory.get(places[name] ?? name, bytes);
    const record = bind(this.gpu.device, recipe, buffers);
    this.freed.push(record);
    return record;
  }

  fused() {
    return this.bound(this.parsed, this.pass, {});
  }

  /** The steps one after another, each to memory and back; none where there is one step, or too much memory is needed. */
  async unfused() {
    const texts = steps(this.parsed.text).map(({ text }) => text);
    const count = texts.length;
    if (count < 2 || (count + 3) * this.bytes > MOST_BYTES) return null;
    const all = await Promise.all(texts.map((text) => this.core.call("parse", text)));
    const forward = [];
    for (const [i, step] of all.entries()) {
      const places = { x: i ? `x${i}` : "x", y: i === count - 1 ? "y" : `x${i + 1}` };
      forward.push(await this.bound(step, "forward", places));
    }
    const together = (records) => (pass) => records.forEach((record) => record(pass));
    if (this.pass === "forward") return together(forward);
    // What backward reads is there already, as it is in training.
    await this.once(together(forward));
    const backward = [];
    for (let i = count - 1; i >= 0; i--) {
      const places = { x: i ? `x${i}` : "x", dy: i === count - 1 ? "dy" : `d${i + 1}`, dx: i ? `d${i}` : "dx" };
      backward.push(await this.bound(all[i], "backward", places));
    }
    return together(backward);
  }

  async once(record) {
    const encoder = this.gpu.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    record(pass);
    pass.end();
    this.gpu.device.queue.submit([encoder.finish()]);
    await this.gpu.device.queue.onSubmittedWorkDone();
  }

  /** Reads and writes what the fused pass does, each operand of x's length included. */
  copy() {
    const { device } = this.gpu;
    const long = this.parsed.operands.filter((name) => kindOf(this.parsed.text, name) === "element");
    const inputs = [this.memory.get("x", this.bytes), ...(this.pass === "forward" ? [] : [this.memory.get("dy", this.bytes)])];
    // Operands are f32, whatever x is: as many arrays of x's bytes as they have bytes.
    const parts = Array.from({ length: 4 / sizeOf(this.dtype) }, (_, part) => part);
    for (const name of long) inputs.push(...parts.map((part) => this.memory.get(`copied ${name} ${part}`, this.bytes)));
    const module = device.createShaderModule({ label: "copy", code: copyText(inputs.length) });
    const pipeline = device.createComputePipeline({ label: "copy", layout: "auto", compute: { module } });
    const buffers = [...inputs, this.memory.get("copied", this.bytes)];
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const groups = Math.ceil(this.bytes / 16 / 256);
    const row = Math.min(groups, 32768);
    return (pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(row, Math.ceil(groups / row));
    };
  }

  destroy() {
    this.freed.forEach((record) => record.destroy());
    this.memory.destroy();
  }
}

/** As many passes as make a sample long enough, from a first look at them. */
async function passesFor(clock, record, signal) {
  let passes = 1;
  await clock.sample(record, passes);
  while (passes < MOST_PASSES && !signal.aborted) {
    const ms = (await clock.sample(record, passes)) / 1e6;
    const long = LONG[clock.kind];
    if (ms >= long) return passes;
    passes = Math.min(MOST_PASSES, Math.max(passes * 2, Math.ceil((passes * long * 1.2) / Math.max(ms, long / 8))));
  }
  return passes;
}

/** Times the variants of a subject, in turn; gives nanoseconds an element. */
export function timed(clock, subject, signal) {
  return watched(subject.gpu, async () => {
    const all = { copy: subject.copy(), fused: await subject.fused(), unfused: await subject.unfused() };
    const variants = [];
    for (const [name, record] of Object.entries(all)) {
      if (record && !signal.aborted) variants.push({ name, record, passes: await passesFor(clock, record, signal), samples: [] });
    }
    for (let i = 0; i < SAMPLES && !signal.aborted; i++) {
      for (const variant of variants) variant.samples.push((await clock.sample(variant.record, variant.passes)) / variant.passes);
    }
    if (signal.aborted) return null;
    const ns = Object.fromEntries(variants.map(({ name, samples }) => [name, median(samples) / subject.elements]));
    return { ...ns, passes: variants[0].passes };
  });
}

/** Elements to time: grown until a copy takes long beside a dispatch, or memory is large enough. */
export async function elementsFor(gpu, core, clock, signal) {
  const parsed = await core.call("parse", "identity");
  const most = gpu.about.software ? 2 ** 20 : 2 ** 24;
  let elements = 2 ** 18;
  while (elements < most && !signal.aborted) {
    const subject = new Subject(gpu, core, parsed, "forward", "f32", elements);
    const record = subject.copy();
    await clock.sample(record, 2);
    const ms = (await clock.sample(record, 4)) / 4e6;
    subject.destroy();
    // Caches have to be too small for it, and a pass must not take long: a sample has many.
    if (ms > (gpu.about.software ? 0.5 : 2)) break;
    elements *= 4;
  }
  return Math.min(elements, most);
}
