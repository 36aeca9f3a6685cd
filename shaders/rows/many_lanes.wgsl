// What the 256 lanes of a workgroup have, joined in a fixed order; each gets the result. All of them have one row, and must
// come here together.
// How many are joined at a time is told, for drivers unroll loops whose end they know, and then take long to compile them.
struct Args { joined: u32, joined_again: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct It { nan: u32 } //#stub
fn it_plus(a: It, b: It) -> It { return It(a.nan | b.nan); } //#stub

var<workgroup> it_lanes: array<It, 256>;
var<workgroup> it_eights: array<It, 32>;
var<workgroup> it_all: array<It, 4>;
var<workgroup> it_sum: It;

fn it_joined(lane: u32, own: It) -> It {
    it_lanes[lane] = own;
    workgroupBarrier();
    if lane < 32u {
        var eight = it_lanes[lane * 8u];
        for (var k = 1u; k < args.joined; k += 1u) {
            eight = it_plus(eight, it_lanes[lane * 8u + k]);
        }
        it_eights[lane] = eight;
    }
    workgroupBarrier();
    if lane < 4u {
        var eight = it_eights[lane * 8u];
        for (var k = 1u; k < args.joined; k += 1u) {
            eight = it_plus(eight, it_eights[lane * 8u + k]);
        }
        it_all[lane] = eight;
    }
    // The next call writes one array before each of its barriers, which all have read before the barrier before.
    workgroupBarrier();
    if lane == 0u {
        it_sum = it_plus(it_plus(it_all[0], it_all[1]), it_plus(it_all[2], it_all[3]));
    }
    workgroupBarrier();
    return it_sum;
}
