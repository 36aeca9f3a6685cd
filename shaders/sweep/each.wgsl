// Each invocation has its words and sums nothing. There is no loop: wgpu counts the turns of every loop, and that
// would cost more than a copy. Of the sixteen calls only those remain that WORDS asks for.
override WORKGROUP: u32 = 256u; // Invocations in a workgroup.
override WORDS: u32 = 1u; // Words that an invocation has, WORKGROUP apart.
fn word(i: u32) { _ = i; } //#stub
struct Args { row: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (group.y * args.row + group.x) * (WORKGROUP * WORDS) + lane;
    word(first);
    if WORDS > 1u { word(first + WORKGROUP); }
    if WORDS > 2u { word(first + 2u * WORKGROUP); }
    if WORDS > 3u { word(first + 3u * WORKGROUP); }
    if WORDS > 4u { word(first + 4u * WORKGROUP); }
    if WORDS > 5u { word(first + 5u * WORKGROUP); }
    if WORDS > 6u { word(first + 6u * WORKGROUP); }
    if WORDS > 7u { word(first + 7u * WORKGROUP); }
    if WORDS > 8u { word(first + 8u * WORKGROUP); }
    if WORDS > 9u { word(first + 9u * WORKGROUP); }
    if WORDS > 10u { word(first + 10u * WORKGROUP); }
    if WORDS > 11u { word(first + 11u * WORKGROUP); }
    if WORDS > 12u { word(first + 12u * WORKGROUP); }
    if WORDS > 13u { word(first + 13u * WORKGROUP); }
    if WORDS > 14u { word(first + 14u * WORKGROUP); }
    if WORDS > 15u { word(first + 15u * WORKGROUP); }
}
