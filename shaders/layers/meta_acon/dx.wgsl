// Meta-ACON's dx: through the formula, and through the mean, of which beta is made.
alias V = f32; //#stub
alias Flags = bool; //#stub
alias Channels = f32; //#stub
fn m_acon_derivative_of_word(x: V, p1: V, p2: V, beta: V) -> V { return x * p1 * p2 * beta; } //#stub
fn channels_of_parameters(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn channels_of_saved(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn channels_of_scratch(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn dy_load(i: u32) -> V { return f32(i); } //#stub
fn dx_store(i: u32, v: V, nan: Flags) { _ = select(v, f32(i), nan); } //#stub
fn nans(v: V) -> Flags { return v > 0.0; } //#stub
struct Args { channels: u32, p1: u32, p2: u32, beta: u32, dmeans: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

struct Held {
    p1: Channels,
    p2: Channels,
    beta: Channels,
    dmean: Channels,
}

fn hold(n: u32, c: u32) -> Held {
    let plane = n * args.channels + c;
    return Held(
        channels_of_parameters(args.p1 + c, 1u),
        channels_of_parameters(args.p2 + c, 1u),
        channels_of_saved(args.beta + plane, 1u),
        channels_of_scratch(args.dmeans + plane, 1u),
    );
}

fn write(i: u32, held: Held, place: u32) {
    let x = x_load(i);
    let dy = dy_load(i);
    let slope = m_acon_derivative_of_word(x, V(held.p1), V(held.p2), V(held.beta));
    dx_store(i, dy * slope + V(held.dmean), nans(x) | nans(dy));
}
