// softmax: e = e^(z - m), over the sum of these and of the sink's e^(sink - m); m is the largest of all.
//#use rows/exponentials.wgsl
//#use rows/sum_of_products.wgsl
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Part { product: f32, nan: u32 } //#stub
alias First = u32; //#stub
alias Term = f32; //#stub
fn first_is_infinite(first: First) -> bool { return first > 1u; } //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn exps(d: V) -> V { return d; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub
fn exp_down(d: f32) -> f32 { return d; } //#stub

// What is known of a row: one over the sum, and the sink's share of it.
struct Stats {
    by: f32,
    share: f32,
}

const KEPT_NOTHING: f32 = 0.0; // What of an element that is not there adds nothing.

fn row_centre(first: f32, parameter: f32) -> f32 {
    return max(first, parameter);
}

// Nothing is as far from infinity as infinity: the row is NaN for it, too.
fn row_is_lost(first: First, centre: f32, sum: Term, parameter: f32) -> bool {
    let sink = bitcast<u32>(parameter);
    let is_nan = (sink & 0x7fffffffu) > 0x7f800000u;
    return first_is_infinite(first) | is_nan | (sink == 0x7f800000u);
}

// What is kept of an element.
fn row_kept(z: V, column: C, centre: f32) -> V {
    return exps(z - V(centre));
}

fn row_term(kept: V) -> f32 {
    return sum_of(kept);
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

// The gradient of z, from that of the value.
fn row_back(value: V, gradient: V, sums: Part, s: Stats) -> V {
    return masked(gradient - V(sums.product), value);
}

fn row_parameter_back(sums: Part, s: Stats) -> f32 {
    return -(s.share * sums.product);
}
