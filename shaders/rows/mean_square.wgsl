// What rms_norm and layer_norm have in common: the mean of squares, which values are measured by.
struct Args { columns: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub

struct Stats {
    by: f32,
}

const FIRST_NOTHING: f32 = 0.0;
const NOTHING: f32 = 0.0;
const KEPT_NOTHING: f32 = 0.0; // What of an element that is not there adds nothing.

fn row_term(kept: V) -> f32 {
    return sum_of(kept * kept);
}

fn term_join(a: f32, b: f32) -> f32 {
    return a + b;
}

fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats {
    return Stats(1.0 / sqrt(sum / f32(args.columns) + parameter));
}

fn row_value(kept: V, column: C, s: Stats) -> V {
    return kept * V(s.by);
}
