//#use slots/doubts.wgsl
fn doubts(e: vec4<u32>) -> u32 { return e.x; } //#stub
fn again(i: u32, lane: u32) -> u32 { return i + lane; } //#stub

// Evaluates those of the i-th word's elements again that are in doubt.
fn settled(i: u32, found: vec4<u32>) -> vec4<u32> {
    var e = found;
    var open = doubts(e);
    loop {
        if open != 0u {
            let lane = countTrailingZeros(open);
            e = select(e, vec4(again(i, lane)), vec4(0u, 1u, 2u, 3u) == vec4(lane));
        }
        continuing {
            open &= open - 1u;
            break if open == 0u;
        }
    }
    return e;
}
