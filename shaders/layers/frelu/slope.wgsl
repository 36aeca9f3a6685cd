// The gradients of the convolutions at a place, from x around it and dy.
//#use layers/frelu/held.wgsl
//#use layers/frelu/split.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
alias Flags = vec4<bool>; //#stub
struct Row { far_left: V, left: V, own: V, right: V, far_right: V } //#stub
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
fn first_conv(v: Convs) -> V { return v.a; } //#stub
fn second_conv(v: Convs) -> V { return v.a; } //#stub

// At a strip's columns, or at as many others: what of dy goes to x directly, and the gradient of each window's
// convolution. Outside of the image there is none.
struct Slope {
    own: V,
    a: V,
    b: V,
}

fn slope_at(h: Held, near: Patch, dy: V, inside: Flags) -> Slope {
    let hat = hats(h.norms, convs(h.windows, near));
    let d = split(near.d.d, funnel(h.norms, hat), dy);
    let slope = slopes(h.backs, d.dt, hat);
    let a = select(V(0.0), first_conv(slope), inside);
    let b = select(V(0.0), second_conv(slope), inside);
    return Slope(d.own, a, b);
}

// Of a row: what goes to x directly in a strip's own columns, and the gradients as far beyond them as windows reach.
struct Slopes {
    own: Row,
    a: Row,
    b: Row,
}
