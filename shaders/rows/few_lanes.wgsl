// What the lanes of a row have, joined in a fixed order: BESIDE of them, two to eight, one beside the other, of which each gets
// the result. All lanes of the workgroup must come here together.
// Each lane joins for itself, so that one barrier is enough; and what is joined is written out, since wgpu counts the turns of
// every loop.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
struct It { nan: u32 } //#stub
fn it_plus(a: It, b: It) -> It { return It(a.nan | b.nan); } //#stub

var<workgroup> it_lanes: array<It, 64>;

fn it_joined(lane: u32, own: It) -> It {
    // A kernel joins another thing before it joins this one again, so that all have read these by then.
    it_lanes[lane] = own;
    workgroupBarrier();
    let k = lane & ~(BESIDE - 1u);
    var all = it_plus(it_lanes[k], it_lanes[k + 1u]);
    if BESIDE > 2u {
        all = it_plus(it_plus(all, it_lanes[k + 2u]), it_lanes[k + 3u]);
    }
    if BESIDE > 4u {
        all = it_plus(it_plus(all, it_lanes[k + 4u]), it_lanes[k + 5u]);
        all = it_plus(it_plus(all, it_lanes[k + 6u]), it_lanes[k + 7u]);
    }
    return all;
}
