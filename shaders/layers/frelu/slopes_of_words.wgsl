// The gradients of the convolutions of a row, as far beyond the strip as windows reach, which may be four columns of
// the words beside it or more.
//#use layers/frelu/words.wgsl
//#use layers/frelu/slope.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
alias Flags = vec4<bool>; //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
struct Row { far_left: V, left: V, own: V, right: V, far_right: V } //#stub
struct Ring { a: Row, b: Row, c: Row, d: Row, e: Row, f: Row, g: Row } //#stub
fn ring_left(r: Ring) -> Ring { return r; } //#stub
fn ring_right(r: Ring) -> Ring { return r; } //#stub
fn is_inside(row: i32, column: i32) -> bool { return row >= column; } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
fn seen(r: Ring) -> Patch { return Patch(); } //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Windows { a: WindowTaps } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
struct Backs { a: Back } //#stub
struct Held { windows: Windows, norms: Norms, backs: Backs } //#stub
struct Slope { own: V, a: V, b: V } //#stub
fn slope_at(h: Held, near: Patch, dy: V, inside: Flags) -> Slope { return Slope(); } //#stub
struct Slopes { own: Row, a: Row, b: Row } //#stub
override SIDE: i32 = 1; // Columns that windows reach to either side.

// What windows see around the two columns before a strip and the two behind it, which make one word together.
fn line_beside(r: Row) -> Line {
    return Line(
        V(r.far_left.w, r.left.x, r.own.yz), //#if SIDE >= 3
        V(r.left.xy, r.own.zw), //#if SIDE >= 2
        V(r.left.yz, r.own.w, r.right.x), //#if SIDE >= 1
        V(r.left.zw, r.right.xy),
        V(r.left.w, r.own.x, r.right.yz), //#if SIDE >= 1
        V(r.own.xy, r.right.zw), //#if SIDE >= 2
        V(r.own.yz, r.right.w, r.far_right.x), //#if SIDE >= 3
    );
}

fn seen_beside(r: Ring) -> Patch {
    return Patch(
        line_beside(r.a), //#if HEIGHT >= 7
        line_beside(r.b), //#if HEIGHT >= 5
        line_beside(r.c), //#if HEIGHT >= 3
        line_beside(r.d),
        line_beside(r.e), //#if HEIGHT >= 3
        line_beside(r.f), //#if HEIGHT >= 5
        line_beside(r.g), //#if HEIGHT >= 7
    );
}

fn slopes_around(h: Held, s: Strip, row: i32, x: Ring, dy: Row) -> Slopes {
    var all: Slopes;
    let own = slope_at(h, seen(x), dy.own, Flags(is_inside(row, s.first)));
    all.own.own = own.own;
    all.a.own = own.a;
    all.b.own = own.b;
    let before = is_inside(row, s.first - 4);
    let behind = is_inside(row, s.first + 4);
    let inside = Flags(before, before, behind, behind); //#if SIDE >= 1 & SIDE < 3
    let beside = slope_at(h, seen_beside(x), V(dy.left.zw, dy.right.xy), inside); //#if SIDE >= 1 & SIDE < 3
    all.a.left = V(0.0, 0.0, beside.a.xy); //#if SIDE >= 1 & SIDE < 3
    all.b.left = V(0.0, 0.0, beside.b.xy); //#if SIDE >= 1 & SIDE < 3
    all.a.right = V(beside.a.zw, 0.0, 0.0); //#if SIDE >= 1 & SIDE < 3
    all.b.right = V(beside.b.zw, 0.0, 0.0); //#if SIDE >= 1 & SIDE < 3
    let left = slope_at(h, seen(ring_left(x)), dy.left, Flags(before)); //#if SIDE == 3
    let right = slope_at(h, seen(ring_right(x)), dy.right, Flags(behind)); //#if SIDE == 3
    all.a.left = left.a; //#if SIDE == 3
    all.b.left = left.b; //#if SIDE == 3
    all.a.right = right.a; //#if SIDE == 3
    all.b.right = right.b; //#if SIDE == 3
    return all;
}
