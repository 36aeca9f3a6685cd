// What lanes add up of a row's values and their gradients: the products of these, and whether a gradient is NaN.
alias V = vec4<f32>; //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub

struct Part {
    product: f32,
    nan: u32,
}

fn part_of(value: V, gradient: V) -> Part {
    return Part(sum_of(masked(gradient, value)), select(0u, 1u, has_nan(gradient)));
}

fn part_plus(x: Part, y: Part) -> Part {
    return Part(x.product + y.product, x.nan | y.nan);
}
