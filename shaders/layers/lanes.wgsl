// Adds up what the 64 lanes of a workgroup have, in a fixed order: eight lanes to a part, parts to the sum.
//
// A workgroup may have several sums, IT_SUMS of them, and IT_BESIDE units of channels beside each other: lane l belongs to
// unit l % IT_BESIDE, and each unit has sums of its own. A lane hands over its part of each sum by `it_keep`; then all
// lanes come to `it_add_lanes` together, and each sum of each unit is given to `it_put`.
alias It = f32; //#stub
fn it_put(value: u32, sum: It, group: u32, unit: u32) { _ = value + group + unit; _ = sum; } //#stub

override IT_SUMS: u32 = 1u;
override IT_BESIDE: u32 = 1u;

var<workgroup> it_lanes: array<It, 64u * IT_SUMS>;

fn it_keep(sum: u32, lane: u32, v: It) {
    it_lanes[sum * 64u + lane] = v;
}

fn it_add_lanes(lane: u32, group: u32) {
    workgroupBarrier();
    let unit = lane % IT_BESIDE;
    // Of each unit.
    let count = 64u / IT_BESIDE;
    for (var sum = lane / IT_BESIDE; sum < IT_SUMS; sum += count) {
        var all = It(0.0);
        for (var begin = 0u; begin < count; begin += 8u) {
            var part = It(0.0);
            for (var l = begin; l < min(begin + 8u, count); l += 1u) {
                part += it_lanes[sum * 64u + l * IT_BESIDE + unit];
            }
            all += part;
        }
        it_put(sum, all, group, unit);
    }
}
