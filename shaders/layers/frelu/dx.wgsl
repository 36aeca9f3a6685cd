// The gradient of x: what goes to x directly, and what comes back by every window that sees it.
//
// As a row of x comes in, the convolutions of the row UP above it are complete, and so are their gradients, which go
// into rings of their own; with these the windows around the row another UP above have all that they saw, and its dx is
// stored. So strips begin and end 2 UP rows beyond their own. Convolutions beyond the strip's columns, and beyond its
// rows, are computed again by the neighbour: no lane waits for another.
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
fn dy_row(s: Strip, row: i32) -> Row { return Row(); } //#stub
fn push(ring: ptr<function, Ring>, row: Row) { (*ring).d = row; } //#stub
fn oldest(ring: Ring) -> Row { return ring.d; } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
fn seen(r: Ring) -> Patch { return Patch(); } //#stub
override UP: i32 = 1; //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Windows { a: WindowTaps } //#stub
fn dx_of(own: V, k: Windows, a: Patch, b: Patch) -> V { return own; } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Norms { a: Norm } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
struct Backs { a: Back } //#stub
struct Held { windows: Windows, norms: Norms, backs: Backs } //#stub
fn hold(c: u32) -> Held { return Held(); } //#stub
struct Slopes { own: Row, a: Row, b: Row } //#stub
fn slopes_around(h: Held, s: Strip, row: i32, x: Ring, dy: Row) -> Slopes { return Slopes(); } //#stub
fn index(s: Strip, row: i32, column: i32) -> u32 { return s.n + u32(row + column); } //#stub
fn nans(v: V) -> Flags { return Flags(false); } //#stub
fn dx_store(i: u32, v: V, nan: Flags) { return; } //#stub
struct Args { row: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let share = share_of(at.y * args.row + at.x, lane);
    let h = hold(share.c);
    // A lane has one strip, or none: a loop in a loop with rings in it takes FXC twice as long.
    if share.begin < share.end {
        let s = strip_at(share.begin, share.c);
        var x = Ring();
        // The gradients of the convolutions, and what goes to x directly.
        var a = Ring();
        var b = Ring();
        var own = Ring();
        for (var below = s.top - 2 * UP; below < s.bottom + 2 * UP; below += 1) {
            push(&x, x_row(s, below));
            if below >= s.top {
                let row = below - UP;
                let slopes = slopes_around(h, s, row, x, dy_row(s, row));
                push(&a, slopes.a);
                push(&b, slopes.b);
                push(&own, slopes.own);
            }
            let done = below - 2 * UP;
            if done >= s.top {
                let dx = dx_of(own.d.own, h.windows, seen(a), seen(b));
                dx_store(index(s, done, s.first), dx, nans(oldest(x).own + dx));
            }
        }
    }
}
