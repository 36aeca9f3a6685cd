// What the lanes of a row have, joined in a fixed order. A workgroup has LANES lanes, a row BESIDE of them, one beside the
// other; all of these get the result. All lanes of the workgroup must come here together.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
struct It { nan: u32 } //#stub
fn it_plus(a: It, b: It) -> It { return It(a.nan | b.nan); } //#stub

var<workgroup> it_lanes: array<It, 256>;
var<workgroup> it_groups: array<It, 32>;

fn it_joined(lane: u32, own: It) -> It {
    if BESIDE == 1u {
        return own;
    }
    it_lanes[lane] = own;
    workgroupBarrier();
    let begin = lane & ~(BESIDE - 1u);
    if BESIDE <= 8u {
        var all = it_lanes[begin];
        for (var k = 1u; k < BESIDE; k += 1u) {
            all = it_plus(all, it_lanes[begin + k]);
        }
        // The next of these calls writes where others still read.
        workgroupBarrier();
        return all;
    }
    if (lane & 7u) == 0u {
        var eight = own;
        for (var k = 1u; k < 8u; k += 1u) {
            eight = it_plus(eight, it_lanes[lane + k]);
        }
        it_groups[lane >> 3u] = eight;
    }
    workgroupBarrier();
    // The next call writes it_lanes, which all have read by now, and comes to a barrier before it writes it_groups.
    var all = it_groups[begin >> 3u];
    for (var k = 1u; k < BESIDE / 8u; k += 1u) {
        all = it_plus(all, it_groups[(begin >> 3u) + k]);
    }
    return all;
}
