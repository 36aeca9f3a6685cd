// What activations are checked on: the same numbers on every machine.

/** Numbers that look random: mulberry32, as whole numbers below 2^32. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
}

const [LARGEST, SMALLEST] = [3.4028234663852886e38, 1.1754943508222875e-38];
const SPECIAL = [0, -0, NaN, Infinity, -Infinity, LARGEST, -LARGEST, SMALLEST, -SMALLEST];
const AROUND = [0.5, 1, 1.5, 2, 2.5, 3, 4, 6, 7, 8, 9, 10, 16, 20, 44, 80, 87, 88, 89, 90, 103, 104, 128, 150, 300, 1000];

/** f32: special numbers, neighbours of those where formulas change, subnormals, all magnitudes, and ordinary ones. */
export function singles(count, seed = 1) {
  const next = seeded(seed);
  const bits = new Uint32Array(count);
  const values = new Float32Array(bits.buffer);
  let at = 0;
  for (const value of SPECIAL) values[at++] = value;
  for (const value of AROUND) {
    for (const sign of [1, -1]) {
      values[at] = sign * value;
      const middle = bits[at];
      for (let by = -4; by <= 4; by++) bits[at++] = middle + by;
    }
  }
  for (let i = 0; i < 512; i++) bits[at++] = (next() & 0x80000000) | (next() >>> 9);
  const ordinary = at + Math.floor((count - at) / 2);
  // Any bits but NaN's and infinity's: every magnitude alike.
  while (at < ordinary) {
    const any = next();
    bits[at++] = ((any >>> 23) & 255) === 255 ? any & 0xff7fffff : any;
  }
  while (at < count) values[at++] = (next() / 2 ** 32) * 24 - 12;
  return values;
}

/** All numbers that 16 bits can hold. */
export const halves = () => Uint16Array.from({ length: 65536 }, (_, index) => index);

/** dy for a backward pass: ordinary magnitudes, as elements are stored. */
export function slopes(count, dtype, seed = 2) {
  const next = seeded(seed);
  const ordinary = () => (next() / 2 ** 32) * 8 - 4;
  if (dtype === "f32") return Float32Array.from({ length: count }, ordinary);
  // A sign, an exponent around that of 1, and any digits.
  const [shift, bias, spread] = dtype === "f16" ? [10, 15, 8] : [7, 127, 16];
  return Uint16Array.from({ length: count }, () => {
    const any = next();
    const exponent = bias - spread / 2 + ((any >>> 16) % spread);
    return (any & 0x8000) | (exponent << shift) | (any & ((1 << shift) - 1));
  });
}
