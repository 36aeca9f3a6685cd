// What is held of the channels of a word, forward and where gradients are summed: their lines.
//#use layers/dynamic_relu/lines.wgsl
alias Channels = f32; //#stub
struct Line { slope: Channels, intercept: Channels } //#stub
struct Lines { k0: Line, k1: Line, k2: Line, k3: Line } //#stub
fn lines_of(n: u32, c: u32) -> Lines { return Lines(); } //#stub

alias Held = Lines;

fn hold(n: u32, c: u32) -> Held {
    return lines_of(n, c);
}
