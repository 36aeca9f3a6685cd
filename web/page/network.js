// A multilayer perceptron on the GPU, as examples/train_mlp of the Rust library has it: the products, the loss and Adam are its
// kernels.wgsl, which the site brings along; activations and their gradients are nonlin's recipes. Everything is bound once and
// recorded in every step, and the same seed gives the same bits.
import { bind, createBuffer, read, write } from "./nonlin/run.js";

export const PIXELS = 64;
export const TRAINED = 1440;
export const BATCH = 96;
const DIGITS = 10;
const WIDTHS = [PIXELS, 16, 16, DIGITS];
const RATE = 0.02;
/** Learned parameters begin where a binding may: 256 bytes. */
const ALIGNED = 64;

/** SplitMix64, as the example draws. */
export class Noise {
  constructor(seed) {
    this.state = BigInt.asUintN(64, BigInt(seed));
  }

  next() {
    this.state = BigInt.asUintN(64, this.state + 0x9e3779b97f4a7c15n);
    let z = this.state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }

  /** Between -1 and 1. */
  number() {
    return Number(this.next() >> 40n) / 2 ** 23 - 1;
  }
}

/** Images from 0 to 1, and labels, from the file's 65 bytes for each. */
export function digitsOf(bytes) {
  const count = bytes.length / (PIXELS + 1);
  const images = new Float32Array(count * PIXELS);
  const labels = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const first = i * (PIXELS + 1);
    for (let k = 0; k < PIXELS; k++) images[i * PIXELS + k] = bytes[first + k] / 16;
    labels[i] = bytes[first + PIXELS];
  }
  return { images, labels, count };
}

/** Which images the steps see: in an epoch every image once, shuffled. */
export function orderOf(seed, epochs) {
  const noise = new Noise(~BigInt(seed));
  const images = Uint32Array.from({ length: TRAINED }, (_, i) => i);
  const order = new Uint32Array(epochs * TRAINED);
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (let last = TRAINED - 1; last > 0; last--) {
      const other = Number(noise.next() % BigInt(last + 1));
      [images[last], images[other]] = [images[other], images[last]];
    }
    order.set(images, epoch * TRAINED);
  }
  return order;
}

/** Weights as He et al. (2015) draw them, biases of zero, and the activation's own parameters, one for each unit. */
export function parametersOf(seed, learned) {
  const noise = new Noise(seed);
  const values = [];
  const layers = WIDTHS.slice(1).map((outputs, layer) => {
    const inputs = WIDTHS[layer];
    const first = values.length;
    const bound = Math.sqrt(6 / inputs);
    for (let i = 0; i < inputs * outputs; i++) values.push(bound * noise.number());
    for (let i = 0; i < outputs; i++) values.push(0);
    const own = {};
    for (const [name, value] of layer < WIDTHS.length - 2 ? Object.entries(learned) : []) {
      while (values.length % ALIGNED) values.push(0);
      own[name] = values.length;
      for (let i = 0; i < outputs; i++) values.push(value);
    }
    return { inputs, outputs, first, own };
  });
  while (values.length % ALIGNED) values.push(0);
  return { layers, values: Float32Array.from(values) };
}

/** The kernels, compiled once for all networks. */
export function compiled(device, text) {
  const module = device.createShaderModule({ label: "network", code: text });
  const pipeline = (entryPoint) => {
    const constants = entryPoint === "adam" ? { rate: RATE } : {};
    return device.createComputePipeline({ label: entryPoint, layout: "auto", compute: { module, entryPoint, constants } });
  };
  const names = ["forward", "weight_gradients", "input_gradients", "gather", "cross_entropy", "adam", "finish"];
  return Object.fromEntries(names.map((name) => [name, pipeline(name)]));
}

/** setting: { chain, learned: { name: first value }, seed, epochs }. */
export class Network {
  #device;
  #core;
  #pipelines;
  #setting;
  #limits;
  #freed = [];
  #works = [];

  static async make(gpu, core, pipelines, digits, setting) {
    const network = new Network(gpu, core, pipelines, setting);
    await network.#build(digits);
    return network;
  }

  constructor(gpu, core, pipelines, setting) {
    this.#device = gpu.device;
    this.#limits = gpu.limits;
    this.#core = core;
    this.#pipelines = pipelines;
    this.#setting = setting;
  }

  #buffer(contents) {
    const values = typeof contents === "number" ? new Float32Array(contents) : contents;
    const buffer = createBuffer(this.#device, values.byteLength);
    write(this.#device, buffer, values);
    this.#freed.push(buffer);
    return buffer;
  }

  /** Adds a kernel of the network's own. */
  #own(name, sizes, invocations, buffers) {
    const device = this.#device;
    const uniform = device.createBuffer({ size: 16, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(uniform, 0, Uint32Array.from(sizes));
    this.#freed.push(uniform);
    const pipeline = this.#pipelines[name];
    const entries = Object.entries({ 0: uniform, ...buffers }).map(([binding, buffer]) => {
      return { binding: Number(binding), resource: buffer.buffer ? buffer : { buffer } };
    });
    const group = device.createBindGroup({ label: name, layout: pipeline.getBindGroupLayout(0), entries });
    this.#works.push((pass) => {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(Math.ceil(invocations / 64));
    });
  }

  /** Adds the activation behind a layer; backward leaves the gradients of its parameters among all others. */
  async #activation({ outputs, own }, rows, pass, places) {
    const { chain } = this.#setting;
    const names = Object.keys(own);
    const operands = Object.fromEntries(names.map((name) => [name, { length: outputs }]));
    const backward = pass === "backward" ? { gradients: names, inPlace: { dx: "dy" } } : {};
    const recipe = await this.#core.call("recipe", chain, pass, { shape: [rows, outputs], operands, limits: this.#limits, ...backward });
    const buffers = { ...places };
    for (const name of names) {
      buffers[`@${name}`] = { buffer: this.parameters, offset: own[name] * 4 };
      buffers[`d@${name}`] = { buffer: this.gradients, offset: own[name] * 4 };
    }
    const record = bind(this.#device, recipe, buffers);
    this.#freed.push(record);
    this.#works.push(record);
  }

  /** Adds the way from images to their losses, and to the gradient with respect to the last layer's values. */
  async #forward(rows, images, labels, outcomes) {
    const layers = [];
    let x = images;
    for (const [index, layer] of this.layers.entries()) {
      const { inputs, outputs, first } = layer;
      const [z, y, dz] = [0, 1, 2].map(() => this.#buffer(rows * outputs));
      this.#own("forward", [rows, inputs, outputs, first], rows * outputs, { 1: x, 2: this.parameters, 3: z });
      if (index < this.layers.length - 1) await this.#activation(layer, rows, "forward", { x: z, y });
      else this.#own("cross_entropy", [rows, 0, outputs, 0], rows, { 1: z, 6: dz, 7: labels, 8: outcomes });
      layers.push({ x, z, dz });
      x = y;
    }
    return layers;
  }

  /** Adds the way back, to the gradients of all parameters. */
  async #backward(rows, kept) {
    for (let index = this.layers.length - 1; index >= 0; index--) {
      const layer = this.layers[index];
      const { inputs, outputs, first } = layer;
      const { x, z, dz } = kept[index];
      const sizes = [rows, inputs, outputs, first];
      if (index < this.layers.length - 1) await this.#activation(layer, rows, "backward", { x: z, dy: dz });
      this.#own("weight_gradients", sizes, (inputs + 1) * outputs, { 1: x, 4: dz, 5: this.gradients });
      if (index) this.#own("input_gradients", sizes, rows * inputs, { 2: this.parameters, 4: dz, 6: kept[index - 1].dz });
    }
  }

  async #build(digits) {
    const { seed, epochs, learned: initial } = this.#setting;
    const { layers, values } = parametersOf(seed, initial);
    this.layers = layers;
    this.steps = (epochs * TRAINED) / BATCH;
    this.parameters = this.#buffer(values);
    this.gradients = this.#buffer(values.length);
    const [images, labels, order] = [digits.images, digits.labels, orderOf(seed, epochs)].map((array) => this.#buffer(array));
    const [x, batchLabels, batchOutcomes] = [BATCH * PIXELS, BATCH, 2 * BATCH].map((count) => this.#buffer(count));
    const [taken, means] = [1, 2 * values.length].map((count) => this.#buffer(count));
    this.outcomes = this.#buffer(2 * digits.count);
    this.history = this.#buffer(this.steps);
    this.#own("gather", [BATCH, PIXELS, 0, 0], BATCH * PIXELS, { 7: labels, 9: taken, 10: images, 11: order, 12: x, 13: batchLabels });
    await this.#backward(BATCH, await this.#forward(BATCH, x, batchLabels, batchOutcomes));
    // Adam's rate falls with the length of the history, which is this many words and not a padded buffer.
    const history = { buffer: this.history, size: this.steps * 4 };
    const learned = { 9: taken, 14: this.parameters, 15: this.gradients, 16: means, 17: history };
    this.#own("adam", [values.length, 0, 0, 0], values.length, learned);
    this.#own("finish", [BATCH, 0, 0, 0], 1, { 9: taken, 17: history, 18: batchOutcomes });
    this.step = this.#works;
    this.#works = [];
    await this.#forward(digits.count, images, labels, this.outcomes);
    this.evaluation = this.#works;
    this.count = digits.count;
  }

  #submit(works, times) {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < times; i++) works.forEach((record) => record(pass));
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Takes steps, and gives the losses of all that were taken so far: the mean of each step's images, before the step. */
  async train(steps, taken) {
    this.#submit(this.step, steps);
    return new Float32Array(await read(this.#device, this.history, (taken + steps) * 4));
  }

  /** The mean loss of the images that are trained on, and the share of the others that is recognised. */
  async evaluate() {
    this.#submit(this.evaluation, 1);
    const found = new Float32Array(await read(this.#device, this.outcomes, this.count * 8));
    const mean = (from, to, which) => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += found[2 * i + which];
      return sum / (to - from);
    };
    return { loss: mean(0, TRAINED, 0), recognised: mean(TRAINED, this.count, 1) };
  }

  destroy() {
    this.#freed.forEach((one) => one.destroy());
  }
}
