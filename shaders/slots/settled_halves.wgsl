fn again(i: u32) -> u32 { return i; } //#stub

// Evaluates those of the elements `e` and `e + 1` again that are in doubt, as a bit above their 16 says: in one loop, since
// DX12's compilers put all of `again` in the place of each call, and processors go through a loop that no lane needs.
fn settled_halves(e: u32, found: vec2<u32>) -> vec2<u32> {
    var halves = found;
    var open = (halves.x >> 16u) | ((halves.y >> 16u) << 1u);
    loop {
        if open != 0u {
            let half = countTrailingZeros(open);
            halves = select(halves, vec2(again(e + half)), vec2(0u, 1u) == vec2(half));
        }
        continuing {
            open &= open - 1u;
            break if open == 0u;
        }
    }
    return halves;
}
