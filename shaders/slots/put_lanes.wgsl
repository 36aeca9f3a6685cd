fn lane_it(at: u32, lane: u32, e: u32) { _ = at + lane + e; } //#stub

// Stores four elements of `it` one by one, what is left of the last ones too: what lies between them stays as it is.
fn all_it(at: u32, e: vec4<u32>) {
    lane_it(at, 0u, e.x);
    lane_it(at, 1u, e.y);
    lane_it(at, 2u, e.z);
    lane_it(at, 3u, e.w);
}

fn end_it(at: u32, left: u32, e: vec4<u32>) {
    lane_it(at, 0u, e.x);
    if left > 1u {
        lane_it(at, 1u, e.y);
    }
    if left > 2u {
        lane_it(at, 2u, e.z);
    }
}
