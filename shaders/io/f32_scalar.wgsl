// One f32 in one 4-byte word, for operands that no 16-byte word fits.
alias Word = u32;
alias Value = f32;
alias Mask = bool;

fn decode(word: Word) -> Value {
    return bitcast<Value>(word);
}

// An integer test: no comparison of floats tells NaN on every driver.
fn is_nan(word: Word) -> Mask {
    return (word & 0x7fffffffu) > 0x7f800000u;
}

fn encode(value: Value, nan: Mask) -> Word {
    return select(bitcast<Word>(value), 0x7fc00000u, nan);
}
