// The gradients of the convolutions of a row, as far beyond the strip as windows reach.
//#use layers/frelu/columns.wgsl
//#use layers/frelu/slope.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
alias Flags = vec4<bool>; //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
struct Row { l6: V, l5: V, l4: V, l3: V, l2: V, l1: V, own: V, r1: V, r2: V, r3: V, r4: V, r5: V, r6: V } //#stub
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

fn slopes_around(h: Held, s: Strip, row: i32, x: Ring, dy: Row) -> Slopes {
    var all: Slopes;
    let own = slope_at(h, seen(x), dy.own, Flags(is_inside(row, s.first)));
    all.own.own = own.own;
    all.a.own = own.a;
    all.b.own = own.b;
    let left_1 = ring_left(x); //#if SIDE >= 1
    let right_1 = ring_right(x); //#if SIDE >= 1
    let l1 = slope_at(h, seen(left_1), dy.l1, Flags(is_inside(row, s.first - 1))); //#if SIDE >= 1
    let r1 = slope_at(h, seen(right_1), dy.r1, Flags(is_inside(row, s.first + 1))); //#if SIDE >= 1
    all.a.l1 = l1.a; //#if SIDE >= 1
    all.b.l1 = l1.b; //#if SIDE >= 1
    all.a.r1 = r1.a; //#if SIDE >= 1
    all.b.r1 = r1.b; //#if SIDE >= 1
    let left_2 = ring_left(left_1); //#if SIDE >= 2
    let right_2 = ring_right(right_1); //#if SIDE >= 2
    let l2 = slope_at(h, seen(left_2), dy.l2, Flags(is_inside(row, s.first - 2))); //#if SIDE >= 2
    let r2 = slope_at(h, seen(right_2), dy.r2, Flags(is_inside(row, s.first + 2))); //#if SIDE >= 2
    all.a.l2 = l2.a; //#if SIDE >= 2
    all.b.l2 = l2.b; //#if SIDE >= 2
    all.a.r2 = r2.a; //#if SIDE >= 2
    all.b.r2 = r2.b; //#if SIDE >= 2
    let left_3 = ring_left(left_2); //#if SIDE >= 3
    let right_3 = ring_right(right_2); //#if SIDE >= 3
    let l3 = slope_at(h, seen(left_3), dy.l3, Flags(is_inside(row, s.first - 3))); //#if SIDE >= 3
    let r3 = slope_at(h, seen(right_3), dy.r3, Flags(is_inside(row, s.first + 3))); //#if SIDE >= 3
    all.a.l3 = l3.a; //#if SIDE >= 3
    all.b.l3 = l3.b; //#if SIDE >= 3
    all.a.r3 = r3.a; //#if SIDE >= 3
    all.b.r3 = r3.b; //#if SIDE >= 3
    return all;
}
