// log_softmax: z - m less the logarithm of the sum of e^(z - m); m is the largest z.
//#use rows/exponentials.wgsl
//#use rows/sum_of_gradients.wgsl
//#use math/log.wgsl
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Part { sum: f32, nan: u32 } //#stub
alias First = u32; //#stub
alias Term = f32; //#stub
fn first_is_infinite(first: First) -> bool { return first > 1u; } //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn exps(d: V) -> V { return d; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub
fn m_log_from_one(v: f32) -> f32 { return v; } //#stub

struct Stats {
    log: f32,
}

const KEPT_NOTHING: f32 = -3.4028234e38; // What of an element that is not there adds nothing.

fn row_centre(first: f32, parameter: f32) -> f32 {
    return first;
}

// Nothing is as far from infinity as infinity: the row is NaN for it, too.
fn row_is_lost(first: First, centre: f32, sum: Term, parameter: f32) -> bool {
    return first_is_infinite(first);
}

fn row_kept(z: V, column: C, centre: f32) -> V {
    return z - V(centre);
}

fn row_term(kept: V) -> f32 {
    return sum_of(exps(kept));
}

fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats {
    return Stats(m_log_from_one(max(sum, 1.0)));
}

fn row_value(kept: V, column: C, s: Stats) -> V {
    return kept - V(s.log);
}

fn row_back(value: V, gradient: V, sums: Part, s: Stats) -> V {
    return gradient - masked(V(sums.sum), exps(value));
}
