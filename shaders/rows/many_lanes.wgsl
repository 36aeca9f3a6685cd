// What the 256 lanes of a workgroup have, joined in a fixed order; each gets the result. All of them have one row, and must
// come here together. There is no loop, as in few_lanes.wgsl, but there are branches: with a place for each lane everywhere, the
// four things that a kernel joins would not fit the memory of a workgroup.
struct It { nan: u32 } //#stub
fn it_plus(a: It, b: It) -> It { return It(a.nan | b.nan); } //#stub

var<workgroup> it_lanes: array<It, 256>;
var<workgroup> it_eights: array<It, 32>;
var<workgroup> it_all: array<It, 4>;

fn it_joined(lane: u32, own: It) -> It {
    it_lanes[lane] = own;
    workgroupBarrier();
    if lane < 32u {
        let k = 8u * lane;
        var eight = it_plus(it_lanes[k], it_lanes[k + 1u]);
        eight = it_plus(it_plus(eight, it_lanes[k + 2u]), it_lanes[k + 3u]);
        eight = it_plus(it_plus(eight, it_lanes[k + 4u]), it_lanes[k + 5u]);
        it_eights[lane] = it_plus(it_plus(eight, it_lanes[k + 6u]), it_lanes[k + 7u]);
    }
    workgroupBarrier();
    if lane < 4u {
        let k = 8u * lane;
        var eight = it_plus(it_eights[k], it_eights[k + 1u]);
        eight = it_plus(it_plus(eight, it_eights[k + 2u]), it_eights[k + 3u]);
        eight = it_plus(it_plus(eight, it_eights[k + 4u]), it_eights[k + 5u]);
        it_all[lane] = it_plus(it_plus(eight, it_eights[k + 6u]), it_eights[k + 7u]);
    }
    workgroupBarrier();
    return it_plus(it_plus(it_all[0], it_all[1]), it_plus(it_all[2], it_all[3]));
}
