// What a word of variant C adds to the sums over an image's places.
//#use layers/dynamic_relu/held.wgsl
//#use layers/dynamic_relu/terms.wgsl
//#use layers/dynamic_relu/spot_backward.wgsl
alias V = f32; //#stub
alias Channels = f32; //#stub
alias Places = f32; //#stub
struct Line { slope: Channels, intercept: Channels } //#stub
struct Lines { k0: Line, k1: Line, k2: Line, k3: Line } //#stub
fn lines_of(n: u32, c: u32) -> Lines { return Lines(); } //#stub
struct Largest { value: V, slope: V, k: V } //#stub
fn largest_of(x: V, lines: Lines) -> Largest { return Largest(x, x, x); } //#stub
struct Share { slope: V, intercept: V } //#stub
struct Terms { k0: Share, k1: Share, k2: Share, k3: Share, weight: V } //#stub
fn terms_of(x: V, g: V, best: Largest, weight: V) -> Terms { return Terms(); } //#stub
alias Held = Lines; //#stub
struct Spot { factor: Places, dlogit: Places } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn dy_load(i: u32) -> V { return f32(i); } //#stub

fn spot_terms(i: u32, held: Held, s: Spot) -> Terms {
    let x = x_load(i);
    let g = dy_load(i) * V(s.factor);
    return terms_of(x, g, largest_of(x, held), V(s.dlogit) * x);
}
