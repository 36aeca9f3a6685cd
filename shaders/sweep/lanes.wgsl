// Adds up what the 64 lanes of a workgroup have, in a fixed order. All lanes must come here together.
struct Terms { nan: u32 } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub

var<workgroup> lanes: array<Terms, 64>;

// The sum of eight, `by` apart from `a` on.
fn add_eight(a: u32, by: u32) -> Terms {
    let low = plus(plus(lanes[a], lanes[a + by]), plus(lanes[a + 2u * by], lanes[a + 3u * by]));
    let high = plus(
        plus(lanes[a + 4u * by], lanes[a + 5u * by]),
        plus(lanes[a + 6u * by], lanes[a + 7u * by]),
    );
    return plus(low, high);
}

// The sum, which only lane 0 gets.
fn add_lanes(lane: u32, own: Terms) -> Terms {
    lanes[lane] = own;
    workgroupBarrier();
    // From here on, what a lane sums lies in places that only it reads.
    if lane < 8u {
        lanes[lane * 8u] = add_eight(lane * 8u, 1u);
    }
    workgroupBarrier();
    var sum = own;
    if lane == 0u {
        sum = add_eight(0u, 8u);
    }
    return sum;
}
