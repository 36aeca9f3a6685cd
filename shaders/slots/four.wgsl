fn bits_it(at: u32) -> u32 { return at; } //#stub

// Four values of `it` beside each other.
fn four_it(at: u32) -> vec4<u32> {
    return vec4(bits_it(at), bits_it(at + 1u), bits_it(at + 2u), bits_it(at + 3u));
}
