// hardmax: 1 in the first column that has the row's largest z, 0 in the others. What is summed up, by a maximum, is the
// negative of that column's number.
//#use rows/largest.wgsl
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
alias First = u32; //#stub
const FIRST_NOTHING: f32 = 0.0; //#stub
fn max_of(v: V) -> f32 { return v.x; } //#stub
fn first_is_nan(first: First) -> bool { return first > 1u; } //#stub

struct Stats {
    column: f32,
}

const NOTHING: f32 = -3.4028234e38;
const KEPT_NOTHING: f32 = -3.4028234e38; // What of an element that is not there adds nothing.

alias Term = f32;

fn row_centre(first: f32, parameter: f32) -> f32 {
    return first;
}

fn row_is_lost(first: First, centre: f32, sum: Term, parameter: f32) -> bool {
    return first_is_nan(first);
}

fn row_kept(z: V, column: C, centre: f32) -> V {
    // In a row of nothing but -inf the first column is the one.
    return select(V(NOTHING), -V(column), max(z, V(FIRST_NOTHING)) == V(centre));
}

fn row_term(kept: V) -> f32 {
    return max_of(kept);
}

fn term_join(a: f32, b: f32) -> f32 {
    return max(a, b);
}

fn term_seen(sum: f32, nan: bool) -> Term {
    return sum;
}

fn term_plus(a: Term, b: Term) -> Term {
    return max(a, b);
}

fn term_value(term: Term) -> f32 {
    return term;
}

fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats {
    return Stats(sum);
}

fn row_value(kept: V, column: C, s: Stats) -> V {
    return select(V(0.0), V(1.0), -V(column) == V(s.column));
}
