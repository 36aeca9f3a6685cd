// rms_norm: z over the root of the mean of z^2 + eps.
struct Args { columns: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub

struct Stats {
    by: f32,
}

const HAS_FIRST: bool = false; // Whether something must be known of the row before its terms.
const FIRST_NOTHING: f32 = 0.0;
const NOTHING: f32 = 0.0;
const KEPT_NOTHING: f32 = 0.0; // What of an element that is not there adds nothing.

fn row_first(z: V) -> f32 {
    return 0.0;
}

fn row_join_first(a: f32, b: f32) -> f32 {
    return a;
}

fn row_centre(first: f32, parameter: f32) -> f32 {
    return 0.0;
}

fn row_is_lost(centre: f32, parameter: f32) -> bool {
    return false;
}

fn row_kept(z: V, column: C, centre: f32) -> V {
    return z;
}

fn row_term(kept: V) -> f32 {
    return sum_of(kept * kept);
}

fn row_join(a: f32, b: f32) -> f32 {
    return a + b;
}

fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats {
    return Stats(1.0 / sqrt(sum / f32(args.columns) + parameter));
}

fn row_value(kept: V, column: C, s: Stats) -> V {
    return kept * V(s.by);
}

fn row_back(value: V, gradient: V, sum: f32, product: f32, s: Stats) -> V {
    return V(s.by) * (gradient - value * V(product / f32(args.columns)));
}
