// What TypeScript makes of the package: this compiles, and is not run.
import { recipe, compare, layerCompare, layerParameters, list, type Recipe } from "nonlin";
import { define, compare as compareOwn, recipe as recipeOwn, type Activation } from "nonlin/custom";
import { bind, createBuffer, read, write } from "nonlin/run";
export async function f(device: GPUDevice, pass: GPUComputePassEncoder): Promise<boolean> {
  const made: Recipe = recipe("silu | gate(@g)", "forward", { shape: [4], operands: { g: { length: 4 } }, limits: device.limits });
  const x = createBuffer(device, made.buffers["x"]!);
  write(device, x, new Float32Array(4));
  const bound = bind(device, made, { x, "@g": { buffer: x, offset: 256 }, y: x });
  bound(pass);
  bound.destroy();
  const ys = new Float32Array(await read(device, x));
  console.log(list().activations[0]?.budgetUlp);
  const [found] = compare("silu | gate(@g)", { x: [1], g: [2] }, { y: ys });
  return found!.passed;
}
const own: Activation = {
  name: "hill",
  parameters: { width: 1 },
  wgsl: "fn act_hill(x: f32, width: f32) -> f32 { return 1.0 / (1.0 + x * x * width); }",
  y: (x, width) => 1 / (1 + x * x * width!),
  dx: (x: number) => x,
};
console.log(define(own).values, compareOwn("hill", { x: [1] }, { y: [0.5] })[0]?.passed);
export const bound = (device: GPUDevice, x: GPUBuffer) => bind(device, recipeOwn("hill", "forward", { shape: [4] }), { x, y: x });
const [weight] = layerParameters("frelu", { shape: [1, 2, 3, 4] });
const parameters = new Float32Array(weight!.length);
console.log(layerCompare("frelu", { x: [1], parameters }, { y: [1] }, { shape: [1, 1, 1, 1] })[0]?.worst?.off);
// @ts-expect-error an activation needs WGSL
define({ name: "hill" });
// @ts-expect-error no such pass
recipe("silu", "sideways", {});
