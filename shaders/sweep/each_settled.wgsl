// As each.wgsl, of a kernel whose results may be in doubt: `word` returns a bit for each of its elements that is, and these
// are settled behind all words. Software adapters run the body of a loop once even if no lane asks for it; so there is one
// loop, and it costs the less the more words an invocation has.
override WORKGROUP: u32 = 256u; // Invocations in a workgroup.
override WORDS: u32 = 1u; // Words that an invocation has, up to 16: eight lanes have a stretch of memory.
fn word(i: u32) -> u32 { return i; } //#stub
fn settle(i: u32, lane: u32) { _ = i + lane; } //#stub
struct Args { row: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let beside = select(WORKGROUP, 8u, WORKGROUP % 8u == 0u);
    let groups = (group.y * args.row + group.x) * (WORKGROUP * WORDS);
    let first = groups + (lane / beside) * (beside * WORDS) + lane % beside;
    // Eight words have 32 bits.
    var near = word(first);
    var far = 0u;
    if WORDS > 1u { near |= word(first + beside) << 4u; }
    if WORDS > 2u { near |= word(first + 2u * beside) << 8u; }
    if WORDS > 3u { near |= word(first + 3u * beside) << 12u; }
    if WORDS > 4u { near |= word(first + 4u * beside) << 16u; }
    if WORDS > 5u { near |= word(first + 5u * beside) << 20u; }
    if WORDS > 6u { near |= word(first + 6u * beside) << 24u; }
    if WORDS > 7u { near |= word(first + 7u * beside) << 28u; }
    if WORDS > 8u { far |= word(first + 8u * beside); }
    if WORDS > 9u { far |= word(first + 9u * beside) << 4u; }
    if WORDS > 10u { far |= word(first + 10u * beside) << 8u; }
    if WORDS > 11u { far |= word(first + 11u * beside) << 12u; }
    if WORDS > 12u { far |= word(first + 12u * beside) << 16u; }
    if WORDS > 13u { far |= word(first + 13u * beside) << 20u; }
    if WORDS > 14u { far |= word(first + 14u * beside) << 24u; }
    if WORDS > 15u { far |= word(first + 15u * beside) << 28u; }
    while (near | far) != 0u {
        let is_near = near != 0u;
        let bit = countTrailingZeros(select(far, near, is_near)) + select(32u, 0u, is_near);
        settle(first + (bit >> 2u) * beside, bit & 3u);
        far = select(far & (far - 1u), far, is_near);
        near &= near - 1u;
    }
}
