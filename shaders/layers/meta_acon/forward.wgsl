// Meta-ACON's y.
//#use layers/meta_acon/held.wgsl
alias V = f32; //#stub
alias Flags = bool; //#stub
alias Channels = f32; //#stub
struct Held { p1: Channels, p2: Channels, beta: Channels } //#stub
fn m_acon_of_word(x: V, p1: V, p2: V, beta: V) -> V { return x * p1 * p2 * beta; } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn y_store(i: u32, v: V, nan: Flags) { _ = select(v, f32(i), nan); } //#stub
fn nans(v: V) -> Flags { return v > 0.0; } //#stub

fn write(i: u32, held: Held, place: u32) {
    let x = x_load(i);
    y_store(i, m_acon_of_word(x, V(held.p1), V(held.p2), V(held.beta)), nans(x));
}
