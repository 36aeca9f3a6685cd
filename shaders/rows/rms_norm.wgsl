// rms_norm: z over the root of the mean of z^2 + eps.
//#use rows/mean_square.wgsl
//#use rows/sum_of_products.wgsl
struct Args { columns: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Part { product: f32, nan: u32 } //#stub
struct Stats { by: f32 } //#stub

const HAS_FIRST: bool = false; // Whether something must be known of the row before its terms.

alias First = f32;

fn row_first(z: V) -> f32 {
    return 0.0;
}

fn first_join(a: f32, b: f32) -> f32 {
    return 0.0;
}

fn first_seen(first: f32, nan: bool) -> First {
    return 0.0;
}

fn first_plus(a: First, b: First) -> First {
    return 0.0;
}

fn first_value(first: First) -> f32 {
    return first;
}

fn row_centre(first: f32, parameter: f32) -> f32 {
    return 0.0;
}

struct Term {
    sum: f32,
    nan: u32,
}

fn term_seen(sum: f32, nan: bool) -> Term {
    return Term(sum, select(0u, 1u, nan));
}

fn term_plus(a: Term, b: Term) -> Term {
    return Term(a.sum + b.sum, a.nan | b.nan);
}

fn term_value(term: Term) -> f32 {
    return term.sum;
}

fn row_is_lost(first: First, centre: f32, sum: Term, parameter: f32) -> bool {
    return sum.nan > 0u;
}

fn row_kept(z: V, column: C, centre: f32) -> V {
    return z;
}

fn row_back(value: V, gradient: V, sums: Part, s: Stats) -> V {
    return V(s.by) * (gradient - value * V(sums.product / f32(args.columns)));
}
