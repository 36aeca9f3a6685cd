// log_softmax: z - m less the logarithm of the sum of e^(z - m); m is the largest z.
//#use math/log.wgsl
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn max_of(v: V) -> f32 { return v.x; } //#stub
fn exps(d: V) -> V { return d; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub
fn m_log_from_one(v: f32) -> f32 { return v; } //#stub

struct Stats {
    log: f32,
}

const HAS_FIRST: bool = true; // Whether something must be known of the row before its terms.
// Less than all. With it in the place of -inf, z - m is -inf and no NaN where a row is wholly masked.
const FIRST_NOTHING: f32 = -3.4028234e38;
const NOTHING: f32 = 0.0;
const KEPT_NOTHING: f32 = -3.4028234e38; // What of an element that is not there adds nothing.

fn row_first(z: V) -> f32 {
    return max_of(z);
}

fn row_join_first(a: f32, b: f32) -> f32 {
    return max(a, b);
}

fn row_centre(first: f32, parameter: f32) -> f32 {
    return first;
}

// Whether the row is NaN for what it is measured from: nothing is as far from infinity as infinity.
fn row_is_lost(centre: f32, parameter: f32) -> bool {
    return bitcast<u32>(centre) == 0x7f800000u;
}

fn row_kept(z: V, column: C, centre: f32) -> V {
    return z - V(centre);
}

fn row_term(kept: V) -> f32 {
    return sum_of(exps(kept));
}

fn row_join(a: f32, b: f32) -> f32 {
    return a + b;
}

fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats {
    return Stats(m_log_from_one(max(sum, 1.0)));
}

fn row_value(kept: V, column: C, s: Stats) -> V {
    return kept - V(s.log);
}

fn row_back(value: V, gradient: V, sum: f32, product: f32, s: Stats) -> V {
    return gradient - masked(V(sum), exps(value));
}
