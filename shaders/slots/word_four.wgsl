fn at_it(i: u32) -> u32 { return i; } //#stub
fn four_it(at: u32) -> vec4<u32> { return vec4(at); } //#stub

// The values of `it` for four elements, one behind the other.
fn word_it(i: u32) -> vec4<u32> {
    return four_it(at_it(i));
}
