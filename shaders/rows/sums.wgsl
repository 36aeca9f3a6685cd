// What lanes add up: two sums, and whether any term is NaN.
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub

struct Part {
    a: f32,
    b: f32,
    nan: u32,
}

fn part_plus(x: Part, y: Part) -> Part {
    return Part(x.a + y.a, x.b + y.b, x.nan | y.nan);
}
