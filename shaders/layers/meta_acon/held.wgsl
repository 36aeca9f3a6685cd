// What Meta-ACON holds of the channels of a word: p1 and p2 are learned, beta is made from the image.
alias Channels = f32; //#stub
fn channels_of_parameters(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn channels_of_saved(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
struct Args { channels: u32, p1: u32, p2: u32, beta: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

struct Held {
    p1: Channels,
    p2: Channels,
    beta: Channels,
}

fn hold(n: u32, c: u32) -> Held {
    return Held(
        channels_of_parameters(args.p1 + c, 1u),
        channels_of_parameters(args.p2 + c, 1u),
        channels_of_saved(args.beta + n * args.channels + c, 1u),
    );
}
