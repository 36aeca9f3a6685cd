// Four f32 in one 16-byte word.
alias Word = vec4<u32>;
alias Value = vec4<f32>;
alias Mask = vec4<bool>;

fn decode(word: Word) -> Value {
    return bitcast<Value>(word);
}

// An integer test: no comparison of floats tells NaN on every driver.
fn is_nan(word: Word) -> Mask {
    return (word & Word(0x7fffffffu)) > Word(0x7f800000u);
}

fn encode(value: Value, nan: Mask) -> Word {
    return select(bitcast<Word>(value), Word(0x7fc00000u), nan);
}
