fn at_it(i: u32) -> u32 { return i; } //#stub
fn lane_it(at: u32, lane: u32, e: u32) { _ = at + lane + e; } //#stub
struct Args { len: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// Stores the i-th four elements of `it` one by one: what lies between them stays as it is.
fn put_it(i: u32, e: vec4<u32>) {
    let at = at_it(i);
    if args.len - 4u * i < 4u { end_it(at, args.len - 4u * i, e); return; } //#if ENDS == 1
    lane_it(at, 0u, e.x);
    lane_it(at, 1u, e.y);
    lane_it(at, 2u, e.z);
    lane_it(at, 3u, e.w);
}

fn end_it(at: u32, left: u32, e: vec4<u32>) {
    lane_it(at, 0u, e.x);
    if left > 1u {
        lane_it(at, 1u, e.y);
    }
    if left > 2u {
        lane_it(at, 2u, e.z);
    }
}
