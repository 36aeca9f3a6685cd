// What is summed of a row's gradients.
//#use rows/sums.wgsl
alias V = vec4<f32>; //#stub
struct Part { a: f32, b: f32, nan: u32 } //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub

fn part_of(value: V, gradient: V) -> Part {
    return Part(sum_of(gradient), sum_of(masked(gradient, value)), select(0u, 1u, has_nan(gradient)));
}
