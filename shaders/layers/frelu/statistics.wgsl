// The mean and the spread of the convolutions, for a norm that trains: a workgroup leaves those of its part of the
// images.
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
fn windows_of(c: u32) -> Windows { return Windows(); } //#stub
struct Convs { a: V } //#stub
fn convs(k: Windows, x: Patch) -> Convs { return Convs(); } //#stub
struct Run { base: C, sum: C, squares: C } //#stub
struct Runs { a: Run } //#stub
fn runs_plus(r: Runs, conv: Convs, is_first: bool) -> Runs { return r; } //#stub
struct Moments { mean: C, spread: C } //#stub
struct Statistics { a: Moments } //#stub
fn statistics_joined(m: Statistics, r: Runs, count: f32, here: f32) -> Statistics { return m; } //#stub
fn statistics_put(s: Share, count: f32, m: Statistics) { return; } //#stub
const COLUMNS: u32 = 4u; //#stub
struct Args { row: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let share = share_of(at.y * args.row + at.x, lane);
    let k = windows_of(share.c);
    var count = 0.0;
    var all: Statistics;
    for (var strip = share.begin; strip < share.end; strip += 1u) {
        let s = strip_at(strip, share.c);
        var ring = Ring();
        var runs = Runs();
        for (var below = s.top - UP; below < s.bottom + UP; below += 1) {
            push(&ring, x_row(s, below));
            let row = below - UP;
            if row >= s.top {
                runs = runs_plus(runs, convs(k, seen(ring)), row == s.top);
            }
        }
        let here = f32((s.bottom - s.top) * i32(COLUMNS));
        all = statistics_joined(all, runs, count, here);
        count += here;
    }
    statistics_put(share, count, all);
}
