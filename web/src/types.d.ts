
/** How elements are stored. Arithmetic is f32. */
export type DType = "f32" | "f16" | "bf16";

/** A way through a chain or a layer. */
export type PassName = "forward" | "backward" | "backward-from-y" | "double-backward";

export interface OperandOptions {
  /** Elements: one for all, as many as x has channels, samples times channels, or elements. */
  length?: number;
  /** Instead of length; with as many axes as x has, lengths of 1 are broadcast, as NumPy has it. */
  shape?: number[];
  /** "f32" if not given. */
  dtype?: DType;
}

export interface Options {
  /** The shape of x. */
  shape?: number[];
  /** The axis of x along which its channels lie, or the rows of softmax and the like; 1, and of rows the last, if not given. */
  axis?: number;
  /** How x, y and their gradients are stored: "f32" if not given. */
  dtype?: DType;
  /** What the chain calls @name. */
  operands?: Record<string, OperandOptions>;
  /** The operands whose gradients a backward pass writes, in f32. */
  gradients?: string[];
  /** Rows of a matrix, for `causal`; all, if not given. */
  queries?: number;
  /** What dropout and rrelu draw: the same seed and offset give the same numbers. */
  seed?: number;
  offset?: number;
  /** Buffers that take the place of others: { y: "x" }, or { dx: "dy" }. */
  inPlace?: Record<string, string>;
  /** Of recipes: buffers end with their elements, rounded up to 4 bytes. Otherwise they are filled up to 16, which kernels that
      take four elements at once may use. */
  exact?: boolean;
  /** Of layers: in which order images lie in memory. */
  order?: "nchw" | "nhwc";
  /** `device.limits`; what WebGPU promises of every device, if not given. */
  limits?: object;
}

export interface Binding {
  /** "x", "y", "dy", "dx", "@name", "d@name" (the gradient of @name), or "scratch"; of layers also "parameters", "gradients" and "saved". */
  buffer: string;
  /** The first byte, and how many. */
  offset: number;
  size: number;
  /** Whether the kernel writes it. */
  written: boolean;
}

export interface Dispatch {
  label: string;
  /** The kernel; its entry point is `main`. Equal texts are one kernel. */
  wgsl: string;
  /** Storage bindings of group 0, numbered from 0. */
  bindings: Binding[];
  /** The words of a uniform buffer, which is bound behind them. */
  uniform: number[];
  workgroups: [number, number, number];
}

export interface Recipe {
  /** To be dispatched in this order; each sees what the one before it wrote. */
  dispatches: Dispatch[];
  /** Bytes that the dispatches need between them. */
  scratchBytes: number;
  /** Bytes of each buffer. */
  buffers: Record<string, number>;
}

/** f32 as numbers; f16 and bf16 as their bits. */
export type Elements = Float32Array | Uint16Array | number[];

/** x, dy for a backward pass, and each operand by its name. */
export type Arrays = { x: Elements; dy?: Elements } & Record<string, Elements | undefined>;

export interface Results {
  y?: Elements;
  dx?: Elements;
  gradients?: Record<string, Float32Array | number[]>;
}

export interface Compared {
  /** "y", "dx", or the operand whose gradient it is. */
  tensor: string;
  compared: number;
  failed: number;
  /** Elements of f16 and bf16 that are not the number nearest to the reference. */
  misrounded?: number;
  passed: boolean;
  /** The element nearest to, or furthest over, what is allowed to it, in units in the last place. */
  worst?: { index: number; x: number; got: number; want: number; ulp: number; allowed: number };
}

/** x, the parameters of a layer, one behind the other as `layerParameters` tells, and dy for a backward pass. */
export interface LayerArrays {
  x: Elements;
  parameters: Float32Array | number[];
  dy?: Elements;
}

export interface LayerResults {
  y?: Elements;
  /** With y, of a layer whose batch norm trains: the parameters with the running statistics as they are then. */
  parameters?: Float32Array | number[];
  dx?: Elements;
  /** With dx: the parameters' gradients, one behind the other. */
  gradients?: Float32Array | number[];
}

/** What a layer's results are measured by is one number for a tensor: `allowed` is in the tensor's own unit. */
export interface LayerCompared {
  /** "y", "dx", or a parameter: a running statistic, or the one whose gradient it is. */
  tensor: string;
  compared: number;
  failed: number;
  passed: boolean;
  /** Whether the comparison says nothing, and does not pass: the reference is zero, or more than a quarter of it is allowed. */
  blunt: boolean;
  allowed: number;
  /** The largest magnitude in the reference. */
  magnitude: number;
  /** The element furthest off; none where all are exact. */
  worst?: { index: number; got: number; want: number; off: number };
}

export interface LayerParameter {
  name: string;
  /** As PyTorch has it. */
  shape: number[];
  /** Whether it has a gradient; running statistics have none. */
  learned: boolean;
  /** The first element, and how many, in the buffers "parameters" and "gradients". */
  offset: number;
  length: number;
}

export interface Parsed {
  /** The chain with all its parameters. */
  text: string;
  operands: string[];
  learnable: string[];
  /** The constants of its steps, in order. */
  values: number[];
  passes: PassName[];
  isRandom: boolean;
  isOfRows: boolean;
}

export interface List {
  activations: {
    name: string;
    aliases: string[];
    parameters: { name: string; default: number }[];
    learnable: string[];
    formula: string;
    source: string;
    budgetUlp: number;
    backwardFromY: boolean;
  }[];
  presets: { name: string; aliases: string[]; chain: string }[];
  layers: string[];
}

/** The activations, presets and layers that there are. */
export function list(): List;
/** A chain's text, as it is understood. */
export function parse(chain: string): Parsed;
/** The WGSL functions `<prefix>_y(x, c)` and `<prefix>_dx(x, dy, c)` of a chain, for a kernel of your own; c is a
    `<prefix>_Scalars` of the numbers that parse() gives as values. */
export function functions(chain: string, prefix: string): string;
/** What a pass of a chain dispatches. */
export function recipe(chain: string, pass: PassName, options: Options): Recipe;
/** What a pass of a layer dispatches. */
export function layerRecipe(layer: string, pass: PassName, options: Options): Recipe;
/** The reference in f64: y; with dy, dx and the gradients that the options name. */
export function reference(
  chain: string,
  arrays: Arrays,
  options?: Options,
): { y?: Float64Array; dx?: Float64Array; gradients?: Record<string, Float64Array> };
/** Compares results with the reference, each tensor that there is. */
export function compare(chain: string, arrays: Arrays, results: Results, options?: Options): Compared[];
/** The parameters of a layer for images of a shape, as they lie in the buffers "parameters" and "gradients". */
export function layerParameters(layer: string, options: Options): LayerParameter[];
/** The reference of a layer in f64: y, and the parameters with renewed running statistics; with dy, dx and the parameters'
    gradients. */
export function layerReference(
  layer: string,
  arrays: LayerArrays,
  options: Options,
): { y?: Float64Array; parameters?: Float64Array; dx?: Float64Array; gradients?: Float64Array };
/** Compares results of a layer with the reference, each tensor that there is. */
export function layerCompare(layer: string, arrays: LayerArrays, results: LayerResults, options: Options): LayerCompared[];
