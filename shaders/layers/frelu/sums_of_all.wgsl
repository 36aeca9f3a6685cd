// The sums for the gradients of the windows, and of norms and biases, where no norm trains.
//#use layers/frelu/held.wgsl
//#use layers/frelu/split.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Windows { a: WindowTaps } //#stub
struct Convs { a: V } //#stub
fn convs(k: Windows, x: Patch) -> Convs { return Convs(); } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
fn hats(n: Norms, conv: Convs) -> Convs { return conv; } //#stub
fn funnel(n: Norms, hat: Convs) -> V { return hat.a; } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
struct Backs { a: Back } //#stub
fn slopes(b: Backs, dt: V, hat: Convs) -> Convs { return hat; } //#stub
struct Held { windows: Windows, norms: Norms, backs: Backs } //#stub
struct Split { own: V, dt: V } //#stub
fn split(x: V, t: V, dy: V) -> Split { return Split(x, dy); } //#stub
struct WindowSums { a: WindowTaps } //#stub
fn window_sums(sums: WindowSums, slope: Convs, x: Patch) -> WindowSums { return sums; } //#stub
fn window_sums_plus(a: WindowSums, b: WindowSums) -> WindowSums { return a; } //#stub
fn window_sums_put(s: Share, sums: WindowSums) { return; } //#stub
struct NormSums { plain: C, a: C } //#stub
fn norm_sums(sums: NormSums, dt: V, hat: Convs) -> NormSums { return sums; } //#stub
fn norm_sums_plus(a: NormSums, b: NormSums) -> NormSums { return a; } //#stub
fn norm_sums_put(s: Share, sums: NormSums) { return; } //#stub

struct Sums {
    windows: WindowSums,
    norms: NormSums,
}

fn terms(sums: Sums, h: Held, x: Patch, dy: V) -> Sums {
    let hat = hats(h.norms, convs(h.windows, x));
    let d = split(x.d.d, funnel(h.norms, hat), dy);
    let slope = slopes(h.backs, d.dt, hat);
    return Sums(window_sums(sums.windows, slope, x), norm_sums(sums.norms, d.dt, hat));
}

fn plus(a: Sums, b: Sums) -> Sums {
    return Sums(window_sums_plus(a.windows, b.windows), norm_sums_plus(a.norms, b.norms));
}

fn sums_put(s: Share, sums: Sums) {
    window_sums_put(s, sums.windows);
    norm_sums_put(s, sums.norms);
}
