fn at_it(i: u32) -> u32 { return i; } //#stub
fn bits_it(at: u32) -> u32 { return at; } //#stub

// The value of `it` that four elements have in common.
fn word_it(i: u32) -> vec4<u32> {
    return vec4(bits_it(at_it(i)));
}
