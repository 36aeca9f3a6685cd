// Adds up what the lanes of a workgroup hold, in an order that the shape alone decides.
alias C = f32; //#stub
struct Args { channels: u32, sweep_parts: u32, sweep_blocks: u32, units: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
const BESIDE: u32 = 1u; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
fn put(at: u32, stride: u32, v: C) { return; } //#stub

var<workgroup> lanes: array<C, 448>; // Seven sums at once, of each of 64 lanes.

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

// Adds up the `count` sums that lanes share, and leaves them as values from `first` on. A unit's lanes are BESIDE
// apart: eight of them are added to a part, parts to the sum.
fn put_sums(s: Share, first: u32, count: u32) {
    let own = 64u / BESIDE;
    workgroupBarrier();
    for (var value = s.lane / BESIDE; value < count; value += own) {
        var sum = C(0.0);
        for (var some = 0u; some < own; some += 8u) {
            var part = C(0.0);
            for (var l = some; l < min(some + 8u, own); l += 1u) {
                part += lanes[value * 64u + l * BESIDE + s.lane % BESIDE];
            }
            sum += part;
        }
        put_value(s, first + value, sum);
    }
    workgroupBarrier();
}
