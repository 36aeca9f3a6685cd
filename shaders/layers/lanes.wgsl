// Adds up what the 64 lanes of a workgroup have, in a fixed order: eight lanes to a part, parts to the sum.
//
// A workgroup may have several sums, IT_SUMS of them, and IT_BESIDE units of channels beside each other: lane l belongs to
// unit l % IT_BESIDE, and each unit has sums of its own. A lane hands over its part of each sum by `it_keep`; then all
// lanes come to `it_add_lanes` together, and each sum of each unit is given to `it_put`.
//
// What is added is written out, with no more loops than there must be: wgpu counts the turns of each.
alias It = f32; //#stub
fn it_put(value: u32, sum: It, group: u32, unit: u32) { _ = value + group + unit; _ = sum; } //#stub

override IT_SUMS: u32 = 1u;
override IT_BESIDE: u32 = 1u;

var<workgroup> it_lanes: array<It, 64u * IT_SUMS>;
// The eight parts of each sum; as many as eight sums have, so that each lane has a place.
var<workgroup> it_eights: array<It, 64u * ((IT_SUMS + 7u) / 8u)>;

fn it_keep(sum: u32, lane: u32, v: It) {
    it_lanes[sum * 64u + lane] = v;
}

// The sum of eight of a unit's lanes, from the k-th place on, or of all if there are fewer.
fn it_eight(k: u32) -> It {
    var part = It(0.0) + it_lanes[k];
    if IT_BESIDE < 64u {
        part += it_lanes[k + IT_BESIDE];
    }
    if IT_BESIDE < 32u {
        part += it_lanes[k + 2u * IT_BESIDE];
        part += it_lanes[k + 3u * IT_BESIDE];
    }
    if IT_BESIDE < 16u {
        part += it_lanes[k + 4u * IT_BESIDE];
        part += it_lanes[k + 5u * IT_BESIDE];
        part += it_lanes[k + 6u * IT_BESIDE];
        part += it_lanes[k + 7u * IT_BESIDE];
    }
    return part;
}

// The parts of eight sums, from `first` on: a lane has one of them.
fn it_join_eights(lane: u32, first: u32) {
    let sum = min(first + lane / 8u, IT_SUMS - 1u);
    let part = lane % 8u;
    let begin = part / IT_BESIDE * 8u * IT_BESIDE + part % IT_BESIDE;
    it_eights[8u * first + lane] = it_eight(sum * 64u + begin);
}

fn it_sum(sum: u32, unit: u32) -> It {
    if IT_BESIDE >= 8u {
        return It(0.0) + it_eight(sum * 64u + unit);
    }
    let k = sum * 8u + unit;
    var all = It(0.0) + it_eights[k];
    if IT_BESIDE < 8u {
        all += it_eights[k + IT_BESIDE];
    }
    if IT_BESIDE < 4u {
        all += it_eights[k + 2u * IT_BESIDE];
        all += it_eights[k + 3u * IT_BESIDE];
    }
    if IT_BESIDE < 2u {
        all += it_eights[k + 4u];
        all += it_eights[k + 5u];
        all += it_eights[k + 6u];
        all += it_eights[k + 7u];
    }
    return all;
}

fn it_add_lanes(lane: u32, group: u32) {
    workgroupBarrier();
    if IT_BESIDE < 8u {
        it_join_eights(lane, 0u);
        if IT_SUMS > 8u {
            for (var first = 8u; first < IT_SUMS; first += 8u) {
                it_join_eights(lane, first);
            }
        }
        workgroupBarrier();
    }
    let unit = lane % IT_BESIDE;
    let sum = lane / IT_BESIDE;
    if sum < IT_SUMS {
        it_put(sum, it_sum(sum, unit), group, unit);
    }
    if IT_SUMS > 64u / IT_BESIDE {
        for (var more = sum + 64u / IT_BESIDE; more < IT_SUMS; more += 64u / IT_BESIDE) {
            it_put(more, it_sum(more, unit), group, unit);
        }
    }
}
