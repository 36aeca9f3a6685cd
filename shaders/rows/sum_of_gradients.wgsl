// What lanes add up of the gradients of a row's values: these, and whether one is NaN.
alias V = vec4<f32>; //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub

struct Part {
    sum: f32,
    nan: u32,
}

fn part_of(value: V, gradient: V) -> Part {
    return Part(sum_of(gradient), select(0u, 1u, has_nan(gradient)));
}

fn part_plus(x: Part, y: Part) -> Part {
    return Part(x.sum + y.sum, x.nan | y.nan);
}
