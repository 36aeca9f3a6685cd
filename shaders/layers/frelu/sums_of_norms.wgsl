// The sums for the gradients of a norm that trains. The windows' need these first.
//#use layers/frelu/split.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Windows { a: WindowTaps } //#stub
fn windows_of(c: u32) -> Windows { return Windows(); } //#stub
struct Convs { a: V } //#stub
fn convs(k: Windows, x: Patch) -> Convs { return Convs(); } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
fn norms_of(c: u32) -> Norms { return Norms(); } //#stub
fn hats(n: Norms, conv: Convs) -> Convs { return conv; } //#stub
fn funnel(n: Norms, hat: Convs) -> V { return hat.a; } //#stub
struct Split { own: V, dt: V } //#stub
fn split(x: V, t: V, dy: V) -> Split { return Split(x, dy); } //#stub
struct NormSums { plain: C, a: C } //#stub
fn norm_sums(sums: NormSums, dt: V, hat: Convs) -> NormSums { return sums; } //#stub
fn norm_sums_plus(a: NormSums, b: NormSums) -> NormSums { return a; } //#stub
fn norm_sums_put(s: Share, sums: NormSums) { return; } //#stub

struct Held {
    windows: Windows,
    norms: Norms,
}

fn hold(c: u32) -> Held {
    return Held(windows_of(c), norms_of(c));
}

struct Sums {
    norms: NormSums,
}

fn terms(sums: Sums, h: Held, x: Patch, dy: V) -> Sums {
    let hat = hats(h.norms, convs(h.windows, x));
    let d = split(x.d.d, funnel(h.norms, hat), dy);
    return Sums(norm_sums(sums.norms, d.dt, hat));
}

fn plus(a: Sums, b: Sums) -> Sums {
    return Sums(norm_sums_plus(a.norms, b.norms));
}

fn sums_put(s: Share, sums: Sums) {
    norm_sums_put(s, sums.norms);
}
