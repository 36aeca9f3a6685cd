// What lanes join of a row: a number, and whether anything is NaN.
struct First {
    v: f32,
    nan: u32,
}

fn row_join_first(a: f32, b: f32) -> f32 { return max(a, b); } //#stub
fn row_join(a: f32, b: f32) -> f32 { return a + b; } //#stub

fn first_plus(a: First, b: First) -> First {
    return First(row_join_first(a.v, b.v), a.nan | b.nan);
}

struct Term {
    v: f32,
    nan: u32,
}

fn term_plus(a: Term, b: Term) -> Term {
    return Term(row_join(a.v, b.v), a.nan | b.nan);
}
