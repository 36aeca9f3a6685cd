// Adds up what some eights of the 64 lanes of a workgroup have, 1, 2, 4 or all 8 eights beside each other, in a fixed order. All
// lanes must come here together.
struct Terms { nan: u32 } //#stub
fn plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub

// What the lanes have, and nothing behind it.
var<workgroup> lanes: array<Terms, 65>;

fn add_two(a: u32, b: u32) -> Terms {
    return plus(lanes[a], lanes[b]);
}

fn add_four(a: vec4<u32>) -> Terms {
    return plus(add_two(a.x, a.y), add_two(a.z, a.w));
}

// The sum, which only the first lane of so many eights gets.
fn add_eights(lane: u32, along: u32, own: Terms) -> Terms {
    lanes[lane] = own;
    if lane == 0u {
        lanes[64] = Terms();
    }
    workgroupBarrier();
    let low = vec4(0u, 1u, 2u, 3u);
    let high = vec4(4u, 5u, 6u, 7u);
    // From here on, what a lane sums lies in places that only it reads.
    if lane < 8u {
        lanes[lane * 8u] = plus(add_four(8u * lane + low), add_four(8u * lane + high));
    }
    workgroupBarrier();
    let first = lane - lane % (8u * along);
    // Eights that are not among them count as nothing. Software adapters would take the time of a branch for each number of eights.
    let a = select(vec4(64u), first + 8u * low, low < vec4(along));
    let b = select(vec4(64u), first + 8u * high, high < vec4(along));
    return plus(add_four(a), add_four(b));
}
