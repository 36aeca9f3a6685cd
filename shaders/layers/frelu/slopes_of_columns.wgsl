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
struct TapRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct Taps { a: TapRow, b: TapRow, c: TapRow, d: TapRow, e: TapRow, f: TapRow, g: TapRow } //#stub
struct Windows { a: Taps } //#stub
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
    let left_1 = ring_left(x);
    let right_1 = ring_right(x);
    if SIDE >= 1 {
        let l = slope_at(h, seen(left_1), dy.l1, Flags(is_inside(row, s.first - 1)));
        let r = slope_at(h, seen(right_1), dy.r1, Flags(is_inside(row, s.first + 1)));
        all.a.l1 = l.a;
        all.b.l1 = l.b;
        all.a.r1 = r.a;
        all.b.r1 = r.b;
    }
    let left_2 = ring_left(left_1);
    let right_2 = ring_right(right_1);
    if SIDE >= 2 {
        let l = slope_at(h, seen(left_2), dy.l2, Flags(is_inside(row, s.first - 2)));
        let r = slope_at(h, seen(right_2), dy.r2, Flags(is_inside(row, s.first + 2)));
        all.a.l2 = l.a;
        all.b.l2 = l.b;
        all.a.r2 = r.a;
        all.b.r2 = r.b;
    }
    let left_3 = ring_left(left_2);
    let right_3 = ring_right(right_2);
    if SIDE >= 3 {
        let l = slope_at(h, seen(left_3), dy.l3, Flags(is_inside(row, s.first - 3)));
        let r = slope_at(h, seen(right_3), dy.r3, Flags(is_inside(row, s.first + 3)));
        all.a.l3 = l.a;
        all.b.l3 = l.b;
        all.a.r3 = r.a;
        all.b.r3 = r.b;
    }
    return all;
}
