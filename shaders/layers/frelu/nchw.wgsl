// Images in NCHW: a channel's plane lies in one piece.
struct Args { channels: u32, places: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

const BESIDE: u32 = 1u; // Units of channels that a workgroup goes through.

// The element of sample n and channel c at `place`, a row times the width and a column.
fn element(n: u32, c: u32, place: u32) -> u32 {
    return (n * args.channels + c) * args.places + place;
}
