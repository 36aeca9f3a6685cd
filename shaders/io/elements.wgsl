// One element at a time.
alias V = f32;
alias Flags = bool;

// Whether it is NaN, by its bits: no comparison of floats tells that on every driver.
fn nans(v: V) -> Flags {
    return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}
