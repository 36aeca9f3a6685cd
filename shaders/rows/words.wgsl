// Four columns of a row at a time.
//#use io/words.wgsl
//#use rows/exp.wgsl
alias V = vec4<f32>; //#stub
alias Flags = vec4<bool>; //#stub
fn nans(v: V) -> Flags { return v == v; } //#stub
fn exp_down(d: f32) -> f32 { return d; } //#stub

alias C = vec4<u32>;
const WIDTH: u32 = 4u; // Columns in a word.

fn sum_of(v: V) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

fn max_of(v: V) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

fn has_nan(v: V) -> bool {
    return any(nans(v));
}

fn exps(d: V) -> V {
    return V(exp_down(d.x), exp_down(d.y), exp_down(d.z), exp_down(d.w));
}

// The columns' numbers, of the k-th word of a row.
fn columns_of(k: u32) -> C {
    return vec4(4u * k) + vec4(0u, 1u, 2u, 3u);
}

// Which of a gradient's elements do not come through, since what they are multiplied by is zero though they are infinite.
fn masked(gradient: V, slope: V) -> V {
    let is_infinite = (bitcast<vec4<u32>>(gradient) & vec4(0x7fffffffu)) == vec4(0x7f800000u);
    return select(gradient * slope, V(), is_infinite & (slope == V()));
}
