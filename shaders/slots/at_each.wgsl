// `it`, an operand that begins where its binding does.
fn at_it(i: u32) -> u32 {
    return i;
}
