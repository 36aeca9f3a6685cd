// One column of a row at a time.
//#use io/elements.wgsl
//#use rows/exp.wgsl
alias V = f32; //#stub
alias Flags = bool; //#stub
fn nans(v: V) -> Flags { return v == 0.0; } //#stub
fn exp_down(d: f32) -> f32 { return d; } //#stub

alias C = u32;
const WIDTH: u32 = 1u; // Columns in a word.

fn sum_of(v: V) -> f32 {
    return v;
}

fn max_of(v: V) -> f32 {
    return v;
}

fn has_nan(v: V) -> bool {
    return nans(v);
}

fn exps(d: V) -> V {
    return exp_down(d);
}

fn columns_of(k: u32) -> C {
    return k;
}

// A gradient that does not come through where what it is multiplied by is zero, not even an infinite one.
fn masked(gradient: V, slope: V) -> V {
    let is_infinite = (bitcast<u32>(gradient) & 0x7fffffffu) == 0x7f800000u;
    return select(gradient * slope, 0.0, is_infinite & (slope == 0.0));
}
