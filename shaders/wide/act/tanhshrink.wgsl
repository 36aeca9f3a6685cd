//#use wide/exp.wgsl
//#use wide/wide.wgsl
struct Wide { negative: bool, e: i32, high: u32, low: u32 } //#stub
fn w_whole(n: u32) -> Wide { return Wide(false, 0, n, n); } //#stub
fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide { return no; } //#stub
fn w_mul(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_add(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_sub(a: Wide, b: Wide) -> Wide { return a; } //#stub
fn w_div(a: Wide, b: Wide) -> Wide { return a; } //#stub
const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u); //#stub
fn w_tanh(x: Wide) -> Wide { return x; } //#stub
fn w_tanh_up(x: Wide) -> Wide { return x; } //#stub

fn wide_tanhshrink(x: Wide) -> Wide {
    // Below 1/2 by the continued fraction of tanh, x / (1 + s / (3 + s / (5 + ...))) with s = x^2: with what stands below the
    // first line bar as t, x - tanh(x) is x t / (1 + t).
    let s = w_mul(x, x);
    var t = w_div(s, w_whole(15u));
    for (var odd = 13u; odd >= 3u; odd -= 2u) {
        t = w_div(s, w_add(w_whole(odd), t));
    }
    let near = w_div(w_mul(x, t), w_add(W_ONE, t));
    return w_choose(w_sub(x, w_tanh(x)), near, x.e < -1);
}

fn wide_tanhshrink_dx(x: Wide) -> Wide {
    let t = w_tanh_up(x);
    return w_mul(t, t);
}
