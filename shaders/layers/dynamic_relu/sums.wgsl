// What a word of variants A and B adds to the sums over an image's places.
//#use layers/dynamic_relu/held.wgsl
//#use layers/dynamic_relu/terms.wgsl
alias V = f32; //#stub
alias Channels = f32; //#stub
struct Line { slope: Channels, intercept: Channels } //#stub
struct Lines { k0: Line, k1: Line, k2: Line, k3: Line } //#stub
fn lines_of(n: u32, c: u32) -> Lines { return Lines(); } //#stub
struct Largest { value: V, slope: V, k: V } //#stub
fn largest_of(x: V, lines: Lines) -> Largest { return Largest(x, x, x); } //#stub
struct Share { slope: V, intercept: V } //#stub
struct Terms { k0: Share, k1: Share, k2: Share, k3: Share, weight: V } //#stub
fn terms_of(x: V, g: V, best: Largest, weight: V) -> Terms { return Terms(); } //#stub
alias Held = Lines; //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn dy_load(i: u32) -> V { return f32(i); } //#stub

fn terms(i: u32, held: Held, place: u32) -> Terms {
    let x = x_load(i);
    return terms_of(x, dy_load(i), largest_of(x, held), V(0.0));
}
