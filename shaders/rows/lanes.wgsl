// What the lanes of a row have, joined in a fixed order: BESIDE of them, 16 to 64, one beside the other, of which each gets
// the result. All lanes of the workgroup must come here together.
// How many are joined at a time is told, for drivers unroll loops whose end they know, and then take long to compile them.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
struct Args { joined: u32, joined_again: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct It { nan: u32 } //#stub
fn it_plus(a: It, b: It) -> It { return It(a.nan | b.nan); } //#stub

var<workgroup> it_lanes: array<It, 64>;
var<workgroup> it_eights: array<It, 8>;
var<workgroup> it_rows: array<It, 4>;

fn it_joined(lane: u32, own: It) -> It {
    it_lanes[lane] = own;
    workgroupBarrier();
    if (lane & 7u) == 0u {
        var eight = own;
        for (var k = 1u; k < args.joined; k += 1u) {
            eight = it_plus(eight, it_lanes[lane + k]);
        }
        it_eights[lane / 8u] = eight;
    }
    workgroupBarrier();
    if (lane & (BESIDE - 1u)) == 0u {
        var all = it_eights[lane / 8u];
        for (var k = 1u; k < args.joined_again; k += 1u) {
            all = it_plus(all, it_eights[lane / 8u + k]);
        }
        it_rows[lane / BESIDE] = all;
    }
    // The next call writes one array before each of its barriers, which all have read before the barrier before.
    workgroupBarrier();
    return it_rows[lane / BESIDE];
}
