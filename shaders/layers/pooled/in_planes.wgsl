// Where planes lie in one piece (NCHW): the word at `q` of a channel's plane.
struct Args { channels: u32, steps: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

fn word_of(n: u32, unit: u32, q: u32) -> u32 {
    return (n * args.channels + unit) * args.steps + q;
}
