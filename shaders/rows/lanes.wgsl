// What the lanes of a row have, joined in a fixed order: BESIDE of them, 16 to 64, one beside the other, of which each gets
// the result. All lanes of the workgroup must come here together.
// There are eight eights of lanes, and each lane joins one of them, though eight lanes have the same one, so that there is no
// branch; and as in few_lanes.wgsl there is no loop.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
struct It { nan: u32 } //#stub
fn it_plus(a: It, b: It) -> It { return It(a.nan | b.nan); } //#stub

var<workgroup> it_lanes: array<It, 64>;
var<workgroup> it_eights: array<It, 64>;

fn it_joined(lane: u32, own: It) -> It {
    it_lanes[lane] = own;
    workgroupBarrier();
    let k = 8u * (lane & 7u);
    var eight = it_plus(it_lanes[k], it_lanes[k + 1u]);
    eight = it_plus(it_plus(eight, it_lanes[k + 2u]), it_lanes[k + 3u]);
    eight = it_plus(it_plus(eight, it_lanes[k + 4u]), it_lanes[k + 5u]);
    it_eights[lane] = it_plus(it_plus(eight, it_lanes[k + 6u]), it_lanes[k + 7u]);
    workgroupBarrier();
    let first = lane / BESIDE * (BESIDE / 8u);
    var all = it_plus(it_eights[first], it_eights[first + 1u]);
    if BESIDE > 16u {
        all = it_plus(it_plus(all, it_eights[first + 2u]), it_eights[first + 3u]);
    }
    if BESIDE > 32u {
        all = it_plus(it_plus(all, it_eights[first + 4u]), it_eights[first + 5u]);
        all = it_plus(it_plus(all, it_eights[first + 6u]), it_eights[first + 7u]);
    }
    return all;
}
