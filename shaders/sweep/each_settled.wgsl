// As each.wgsl, of a kernel whose results may be in doubt: `word` returns a bit for each of its elements that is, and these
// are settled behind all words. Software adapters run the body of a loop once even if no lane asks for it, so there is
// one, and the more words an invocation has the less it costs.
override WORKGROUP: u32 = 256u; // Invocations in a workgroup.
override WORDS: u32 = 1u; // Words that an invocation has, WORKGROUP apart.
fn word(i: u32) -> u32 { return i; } //#stub
fn settle(i: u32, lane: u32) { _ = i + lane; } //#stub
struct Args { row: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y * args.row + group.x) * (WORKGROUP * WORDS) + lane;
    var open = word(first);
    var behind = 0u;
    if WORDS > 1u { open |= word(first + WORKGROUP) << 4u; }
    if WORDS > 2u { open |= word(first + 2u * WORKGROUP) << 8u; }
    if WORDS > 3u { open |= word(first + 3u * WORKGROUP) << 12u; }
    if WORDS > 4u { open |= word(first + 4u * WORKGROUP) << 16u; }
    if WORDS > 5u { open |= word(first + 5u * WORKGROUP) << 20u; }
    if WORDS > 6u { open |= word(first + 6u * WORKGROUP) << 24u; }
    if WORDS > 7u { open |= word(first + 7u * WORKGROUP) << 28u; }
    if WORDS > 8u { behind |= word(first + 8u * WORKGROUP); }
    if WORDS > 9u { behind |= word(first + 9u * WORKGROUP) << 4u; }
    if WORDS > 10u { behind |= word(first + 10u * WORKGROUP) << 8u; }
    if WORDS > 11u { behind |= word(first + 11u * WORKGROUP) << 12u; }
    if WORDS > 12u { behind |= word(first + 12u * WORKGROUP) << 16u; }
    if WORDS > 13u { behind |= word(first + 13u * WORKGROUP) << 20u; }
    if WORDS > 14u { behind |= word(first + 14u * WORKGROUP) << 24u; }
    if WORDS > 15u { behind |= word(first + 15u * WORKGROUP) << 28u; }
    while (open | behind) != 0u {
        let is_near = open != 0u;
        let bit = countTrailingZeros(select(behind, open, is_near)) + select(32u, 0u, is_near);
        settle(first + (bit >> 2u) * WORKGROUP, bit & 3u);
        behind = select(behind & (behind - 1u), behind, is_near);
        open &= open - 1u;
    }
}
