// Sums for the parameters' gradients: a workgroup leaves those of its part of the images. No running sum is long: a
// strip's terms are added to a part, parts to the lane's total.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
fn share_of(group: u32, lane: u32) -> Share { return Share(lane, group, group, group, 0u, 1u); } //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
fn strip_at(index: u32, c: u32) -> Strip { return Strip(index, c, 0, 0, 1); } //#stub
struct Row { far_left: V, left: V, own: V, right: V, far_right: V } //#stub
struct Ring { a: Row, b: Row, c: Row, d: Row, e: Row, f: Row, g: Row } //#stub
fn x_row(s: Strip, row: i32) -> Row { return Row(); } //#stub
fn push(ring: ptr<function, Ring>, row: Row) { (*ring).d = row; } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
fn seen(r: Ring) -> Patch { return Patch(); } //#stub
override UP: i32 = 1; //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Windows { a: WindowTaps } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
struct Held { windows: Windows, norms: Norms } //#stub
fn hold(c: u32) -> Held { return Held(); } //#stub
struct NormSums { plain: C, a: C } //#stub
struct Sums { norms: NormSums } //#stub
fn terms(sums: Sums, h: Held, x: Patch, dy: V) -> Sums { return sums; } //#stub
fn plus(a: Sums, b: Sums) -> Sums { return a; } //#stub
fn sums_put(s: Share, sums: Sums) { return; } //#stub
fn dy_at(s: Strip, row: i32, column: i32) -> V { return V(0.0); } //#stub
struct Args { row: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let share = share_of(at.y * args.row + at.x, lane);
    let h = hold(share.c);
    var total: Sums;
    for (var strip = share.begin; strip < share.end; strip += 1u) {
        let s = strip_at(strip, share.c);
        var ring = Ring();
        var part = Sums();
        for (var below = s.top - UP; below < s.bottom + UP; below += 1) {
            push(&ring, x_row(s, below));
            let row = below - UP;
            if row >= s.top {
                part = terms(part, h, seen(ring), dy_at(s, row, s.first));
            }
        }
        total = plus(total, part);
    }
    sums_put(share, total);
}
