// The gradients of the convolutions of a row, as far beyond the strip as windows reach.
//#use layers/frelu/words.wgsl
//#use layers/frelu/held.wgsl
//#use layers/frelu/split.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
struct Row { far_left: V, left: V, own: V, right: V, far_right: V } //#stub
struct Ring { a: Row, b: Row, c: Row, d: Row, e: Row, f: Row, g: Row } //#stub
fn ring_left(r: Ring) -> Ring { return r; } //#stub
fn ring_right(r: Ring) -> Ring { return r; } //#stub
fn is_inside(row: i32, column: i32) -> bool { return row >= column; } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
fn seen(r: Ring) -> Patch { return Patch(); } //#stub
struct TapRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct Taps { a: TapRow, b: TapRow, c: TapRow, d: TapRow, e: TapRow, f: TapRow, g: TapRow } //#stub
struct Windows { a: Taps } //#stub
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
override SIDE: i32 = 1; // Columns that windows reach to either side.

// At one place: what of dy goes to x directly, and the gradient of each window's convolution. Outside of the image
// there is none.
struct Slope {
    own: V,
    a: V,
    b: V,
}

fn slope_at(h: Held, x: Ring, dy: V, inside: bool) -> Slope {
    let near = seen(x);
    let hat = hats(h.norms, convs(h.windows, near));
    let d = split(near.d.d, funnel(h.norms, hat), dy);
    let slope = slopes(h.backs, d.dt, hat);
    let a = select(V(0.0), first_conv(slope), inside);
    let b = select(V(0.0), second_conv(slope), inside);
    return Slope(d.own, a, b);
}

struct Slopes {
    own: Row,
    a: Row,
    b: Row,
}

fn slopes_around(h: Held, s: Strip, row: i32, x: Ring, dy: Row) -> Slopes {
    var all: Slopes;
    let own = slope_at(h, x, dy.own, is_inside(row, s.first));
    all.own.own = own.own;
    all.a.own = own.a;
    all.b.own = own.b;
    if SIDE > 0 {
        let left = slope_at(h, ring_left(x), dy.left, is_inside(row, s.first - 4));
        let right = slope_at(h, ring_right(x), dy.right, is_inside(row, s.first + 4));
        all.a.left = left.a;
        all.b.left = left.b;
        all.a.right = right.a;
        all.b.right = right.b;
    }
    return all;
}
