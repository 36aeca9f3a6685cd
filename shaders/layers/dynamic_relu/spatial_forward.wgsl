// y of variant C: the largest line, times the place's factor.
//#use layers/dynamic_relu/held.wgsl
//#use layers/dynamic_relu/lines.wgsl
//#use layers/dynamic_relu/spot.wgsl
alias V = f32; //#stub
alias Flags = bool; //#stub
alias Channels = f32; //#stub
alias Places = f32; //#stub
struct Line { slope: Channels, intercept: Channels } //#stub
struct Lines { k0: Line, k1: Line, k2: Line, k3: Line } //#stub
fn lines_of(n: u32, c: u32) -> Lines { return Lines(); } //#stub
struct Largest { value: V, slope: V, k: V } //#stub
fn largest_of(x: V, lines: Lines) -> Largest { return Largest(x, x, x); } //#stub
alias Held = Lines; //#stub
struct Spot { factor: Places } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn y_store(i: u32, v: V, nan: Flags) { _ = select(v, f32(i), nan); } //#stub
fn nans(v: V) -> Flags { return v > 0.0; } //#stub

fn spot_write(i: u32, held: Held, s: Spot) {
    let x = x_load(i);
    y_store(i, V(s.factor) * largest_of(x, held).value, nans(x));
}
