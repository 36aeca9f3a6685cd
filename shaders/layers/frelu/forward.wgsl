// FReLU: y = max(x, T), T a window's sum around x, behind its norm. A lane walks down its strips with the rows that the
// window needs in a ring, so that each x is loaded once and the convolution is never stored.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
alias Flags = vec4<bool>; //#stub
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
fn windows_of(c: u32) -> Windows { return Windows(); } //#stub
struct Convs { a: V } //#stub
fn convs(k: Windows, x: Patch) -> Convs { return Convs(); } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
fn norms_of(c: u32) -> Norms { return Norms(); } //#stub
fn hats(n: Norms, conv: Convs) -> Convs { return conv; } //#stub
fn funnel(n: Norms, hat: Convs) -> V { return hat.a; } //#stub
fn index(s: Strip, row: i32, column: i32) -> u32 { return s.n + u32(row + column); } //#stub
fn nans(v: V) -> Flags { return Flags(false); } //#stub
fn y_store(i: u32, v: V, nan: Flags) { return; } //#stub
struct Args { row: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let share = share_of(at.y * args.row + at.x, lane);
    let k = windows_of(share.c);
    let n = norms_of(share.c);
    // A lane has one strip, or none: a loop in a loop with rings in it takes FXC twice as long.
    if share.begin < share.end {
        let s = strip_at(share.begin, share.c);
        var ring = Ring();
        for (var below = s.top - UP; below < s.bottom + UP; below += 1) {
            push(&ring, x_row(s, below));
            // The window is complete when the row that comes in is UP below its middle.
            let row = below - UP;
            if row >= s.top {
                let x = ring.d.own;
                let t = funnel(n, hats(n, convs(k, seen(ring))));
                y_store(index(s, row, s.first), select(t, x, x > t), nans(x));
            }
        }
    }
}
