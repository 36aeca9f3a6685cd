// softmax: e = e^(z - m), over the sum of these and of the sink's e^(sink - m); m is the largest of all.
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn max_of(v: V) -> f32 { return v.x; } //#stub
fn exps(d: V) -> V { return d; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub
fn exp_down(d: f32) -> f32 { return d; } //#stub

// What is known of a row: one over the sum, and the sink's share of it.
struct Stats {
    by: f32,
    share: f32,
}

const HAS_FIRST: bool = true; // Whether something must be known of the row before its terms.
// Less than all. With it in the place of -inf, z - m is -inf and no NaN where a row is wholly masked.
const FIRST_NOTHING: f32 = -3.4028234e38;
const NOTHING: f32 = 0.0;
const KEPT_NOTHING: f32 = 0.0; // What of an element that is not there adds nothing.

fn row_first(z: V) -> f32 {
    return max_of(z);
}

fn row_join_first(a: f32, b: f32) -> f32 {
    return max(a, b);
}

fn row_centre(first: f32, parameter: f32) -> f32 {
    return max(first, parameter);
}

// Whether the row is NaN for what it is measured from: nothing is as far from infinity as infinity.
fn row_is_lost(centre: f32, parameter: f32) -> bool {
    let is_nan = (bitcast<u32>(parameter) & 0x7fffffffu) > 0x7f800000u;
    return is_nan | (bitcast<u32>(centre) == 0x7f800000u);
}

// What is kept of an element.
fn row_kept(z: V, column: C, centre: f32) -> V {
    return exps(z - V(centre));
}

fn row_term(kept: V) -> f32 {
    return sum_of(kept);
}

fn row_join(a: f32, b: f32) -> f32 {
    return a + b;
}

fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats {
    let sink = exp_down(parameter - centre);
    let total = sum + sink;
    let by = select(1.0 / total, 0.0, total == 0.0);
    return Stats(by, sink * by);
}

fn row_value(kept: V, column: C, s: Stats) -> V {
    return kept * V(s.by);
}

// The gradient of z, from that of the value and its sums over the row: of itself, and times the value.
fn row_back(value: V, gradient: V, sum: f32, product: f32, s: Stats) -> V {
    return masked(gradient - V(product), value);
}

fn row_parameter_back(product: f32, s: Stats) -> f32 {
    return -(s.share * product);
}
