struct Args { len: u32 } //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub

// Which of a word's four elements are in doubt, as a bit above their 16 says: a bit for each.
fn doubts(e: vec4<u32>) -> u32 {
    let bits = e >> vec4(16u);
    return bits.x | (bits.y << 1u) | (bits.z << 2u) | (bits.w << 3u);
}

// The same of the i-th word of an operand: what is behind its end is nobody's.
fn doubts_before_end(i: u32, e: vec4<u32>) -> u32 {
    return doubts(e) & ((1u << min(args.len - 4u * i, 4u)) - 1u);
}
