// What softmax and log_softmax have in common: sums of exponentials.
//#use rows/largest.wgsl
fn exp_down(d: f32) -> f32 { return d; } //#stub

alias Term = f32;

const NOTHING: f32 = 0.0;

fn term_seen(sum: f32, nan: bool) -> Term {
    return sum;
}

fn term_plus(a: Term, b: Term) -> Term {
    return a + b;
}

fn term_join(a: f32, b: f32) -> f32 {
    return a + b;
}

fn term_value(sum: Term) -> f32 {
    return sum;
}

// A sum that was measured from a smaller number before.
fn term_moved(sum: f32, before: f32, now: f32) -> f32 {
    return sum * exp_down(before - now);
}
