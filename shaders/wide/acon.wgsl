// ACON-C, x (p1 s(z) + p2 s(-z)) with z = beta (p1 - p2) x; ACON-B is that with p1 = 1.
//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_logistic_tail(z: Wide) -> Wide { return z; } //#stub

// What value and derivative have in common: d = p1 - p2, z = beta d x, s(z), s(-z), and p1 s(z) + p2 s(-z).
struct Acon {
    d: Wide,
    z: Wide,
    s: Wide,
    other: Wide,
    factor: Wide,
}

fn w_acon_parts(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Acon {
    let d = w_sub(p1, p2);
    let z = w_mul(beta, w_mul(d, x));
    let tail = w_logistic_tail(z);
    let rest = w_sub(W_ONE, tail);
    let s = w_choose(rest, tail, z.negative);
    let other = w_choose(tail, rest, z.negative);
    return Acon(d, z, s, other, w_add(w_mul(p1, s), w_mul(p2, other)));
}

fn w_acon(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide {
    return w_mul(x, w_acon_parts(x, p1, p2, beta).factor);
}

fn w_acon_dx(x: Wide, p1: Wide, p2: Wide, beta: Wide) -> Wide {
    let parts = w_acon_parts(x, p1, p2, beta);
    return w_add(parts.factor, w_mul(w_mul(parts.d, parts.z), w_mul(parts.s, parts.other)));
}
