import type { Recipe } from "./index.js";

/** A GPUBuffer, or a place in one. */
export type Place = GPUBuffer | { buffer: GPUBuffer; offset?: number };

/** Records all dispatches of a bound recipe into a compute pass. */
export interface Bound {
  (pass: GPUComputePassEncoder): void;
  /** Frees the scratch and the uniforms; not before what was recorded is submitted. */
  destroy(): void;
}

/** A storage buffer with room for so many bytes. */
export function createBuffer(device: GPUDevice, bytes: number, usage?: number): GPUBuffer;
/** Binds a recipe to buffers by name. */
export function bind(device: GPUDevice, recipe: Recipe, buffers: Record<string, Place>): Bound;
/** Writes a typed array to the beginning of a buffer. */
export function write(device: GPUDevice, buffer: GPUBuffer, values: Float32Array | Uint16Array): void;
/** The bytes that a buffer holds, once all that is submitted is done. */
export function read(device: GPUDevice, buffer: GPUBuffer, bytes?: number): Promise<ArrayBuffer>;
