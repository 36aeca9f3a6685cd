// Adds up what the lanes of a workgroup hold, in an order that the shape alone decides.
alias C = f32; //#stub
struct Args { channels: u32, sweep_parts: u32, sweep_blocks: u32, units: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
const BESIDE: u32 = 1u; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
fn put(at: u32, stride: u32, v: C) { return; } //#stub

var<workgroup> lanes: array<C, 448>; // Seven sums at once, of each of 64 lanes.
var<workgroup> eights: array<C, 64>; // The eight parts of each; and a place for the lanes that would have an eighth sum.

// A value, of each of a unit's channels, that a workgroup leaves: its number, and its blocks' beside each other.
fn put_value(s: Share, value: u32, v: C) {
    if s.unit < args.units {
        let blocks = args.sweep_blocks;
        put(args.sweep_parts + (value * args.channels + s.c) * blocks + s.block, blocks, v);
    }
}

fn share_sum(s: Share, index: i32, sum: C) {
    lanes[u32(index) * 64u + s.lane] = sum;
}

// The sum of eight of a unit's lanes, from the k-th place on, or of all if there are fewer.
fn add_eight(k: u32) -> C {
    var part = C(0.0) + lanes[k] + lanes[k + BESIDE];
    part = part + lanes[k + 2u * BESIDE] + lanes[k + 3u * BESIDE];
    if BESIDE < 16u {
        part = part + lanes[k + 4u * BESIDE] + lanes[k + 5u * BESIDE];
        part = part + lanes[k + 6u * BESIDE] + lanes[k + 7u * BESIDE];
    }
    return part;
}

fn add_up(value: u32, unit: u32) -> C {
    if BESIDE >= 8u {
        return C(0.0) + add_eight(value * 64u + unit);
    }
    let k = value * 8u + unit;
    var sum = C(0.0) + eights[k];
    if BESIDE < 8u {
        sum += eights[k + BESIDE];
    }
    if BESIDE < 4u {
        sum = sum + eights[k + 2u * BESIDE] + eights[k + 3u * BESIDE];
    }
    if BESIDE < 2u {
        sum = sum + eights[k + 4u] + eights[k + 5u] + eights[k + 6u] + eights[k + 7u];
    }
    return sum;
}

// Adds up the `count` sums that lanes share, and leaves them as values from `first` on. A unit's lanes are BESIDE
// apart: eight of them are added to a part, parts to the sum.
fn put_sums(s: Share, first: u32, count: u32) {
    workgroupBarrier();
    if BESIDE < 8u {
        let part = s.lane % 8u;
        let begin = part / BESIDE * 8u * BESIDE + part % BESIDE;
        eights[s.lane] = add_eight(min(s.lane / 8u, 6u) * 64u + begin);
        workgroupBarrier();
    }
    let own = 64u / BESIDE;
    for (var value = s.lane / BESIDE; value < count; value += own) {
        put_value(s, first + value, add_up(value, s.lane % BESIDE));
    }
    workgroupBarrier();
}
