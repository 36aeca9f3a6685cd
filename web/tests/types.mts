// What TypeScript makes of the package: this compiles, and is not run.
import { recipe, compare, list, type Recipe } from "nonlin";
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
// @ts-expect-error no such pass
recipe("silu", "sideways", {});
