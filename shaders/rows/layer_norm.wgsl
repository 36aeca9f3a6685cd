// layer_norm: z less its mean, over the root of the mean square of that + eps.
//#use rows/mean_square.wgsl
//#use rows/both_sums.wgsl
struct Args { columns: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Part { sum: f32, product: f32, nan: u32 } //#stub
struct Stats { by: f32 } //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub

const HAS_FIRST: bool = true; // Whether something must be known of the row before its terms.

struct First {
    sum: f32,
    nan: u32,
}

fn row_first(z: V) -> f32 {
    return sum_of(z);
}

fn first_join(a: f32, b: f32) -> f32 {
    return a + b;
}

fn first_seen(first: f32, nan: bool) -> First {
    return First(first, select(0u, 1u, nan));
}

fn first_plus(a: First, b: First) -> First {
    return First(a.sum + b.sum, a.nan | b.nan);
}

fn first_value(first: First) -> f32 {
    return first.sum;
}

fn row_centre(first: f32, parameter: f32) -> f32 {
    return first / f32(args.columns);
}

alias Term = f32;

fn term_seen(sum: f32, nan: bool) -> Term {
    return sum;
}

fn term_plus(a: Term, b: Term) -> Term {
    return a + b;
}

fn term_value(term: Term) -> f32 {
    return term;
}

// Whether the row is NaN, for one of its elements or for its mean.
fn row_is_lost(first: First, centre: f32, sum: Term, parameter: f32) -> bool {
    return (first.nan > 0u) | ((bitcast<u32>(centre) & 0x7fffffffu) >= 0x7f800000u);
}

fn row_kept(z: V, column: C, centre: f32) -> V {
    return z - V(centre);
}

fn row_back(value: V, gradient: V, sums: Part, s: Stats) -> V {
    let n = f32(args.columns);
    return V(s.by) * (gradient - V(sums.sum / n) - value * V(sums.product / n));
}
