// What of dy goes to x directly, and what to T: all to the larger of the two, and half to each where they are alike, as
// with torch.maximum.
alias V = vec4<f32>; //#stub

struct Split {
    own: V,
    dt: V,
}

fn split(x: V, t: V, dy: V) -> Split {
    let d = select(dy, dy * 0.5, x == t);
    return Split(select(d, V(0.0), x < t), select(d, V(0.0), x > t));
}
