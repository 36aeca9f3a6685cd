// Images in NHWC: the channels of a place lie beside each other. A workgroup goes through several of them, so that what
// its lanes load together lies together.
struct Args { channels: u32, places: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

const BESIDE: u32 = 16u; // Units of channels that a workgroup goes through.

// The element of sample n and channel c at `place`, a row times the width and a column.
fn element(n: u32, c: u32, place: u32) -> u32 {
    return (n * args.places + place) * args.channels + c;
}
