// Where channels lie beside each other (NHWC): the `unit`-th word of channels at place `q`.
struct Args { units: u32, steps: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

fn word_of(n: u32, unit: u32, q: u32) -> u32 {
    return (n * args.steps + q) * args.units + unit;
}
