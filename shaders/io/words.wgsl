// Four elements at a time.
alias V = vec4<f32>;
alias Flags = vec4<bool>;

// Which are NaN, by their bits: no comparison of floats tells that on every driver.
fn nans(v: V) -> Flags {
    return (bitcast<vec4<u32>>(v) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}
