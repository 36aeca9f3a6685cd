// What a word adds to the sums over an image's places: the gradients of the lines and, in variant C, of the weight that x
// has in its place's logit.
//#use layers/dynamic_relu/form.wgsl
//#use layers/dynamic_relu/lines.wgsl
//#use layers/lanes.wgsl as channels
const LINES: u32 = 2u; //#stub
const SPATIAL: bool = false; //#stub
alias V = f32; //#stub
alias Channels = f32; //#stub
struct Largest { value: V, slope: V, k: V } //#stub
fn over_places(v: V) -> Channels { return v; } //#stub
fn channels_keep(sum: u32, lane: u32, v: Channels) { _ = v + f32(sum + lane); } //#stub

struct Share {
    slope: V,
    intercept: V,
}

// Those beyond LINES are of no use, and left out by guards that are constant.
struct Terms {
    k0: Share,
    k1: Share,
    k2: Share,
    k3: Share,
    weight: V,
}

// The gradient of line k, where g is that of the largest.
fn share_of(x: V, g: V, best: Largest, k: f32) -> Share {
    let own = best.k == V(k);
    return Share(select(V(0.0), g * x, own), select(V(0.0), g, own));
}

fn terms_of(x: V, g: V, best: Largest, weight: V) -> Terms {
    var t = Terms();
    t.k0 = share_of(x, g, best, 0.0);
    if LINES >= 2u {
        t.k1 = share_of(x, g, best, 1.0);
    }
    if LINES >= 3u {
        t.k2 = share_of(x, g, best, 2.0);
    }
    if LINES >= 4u {
        t.k3 = share_of(x, g, best, 3.0);
    }
    t.weight = weight;
    return t;
}

fn plus_share(a: Share, b: Share) -> Share {
    return Share(a.slope + b.slope, a.intercept + b.intercept);
}

fn plus(a: Terms, b: Terms) -> Terms {
    var sum = a;
    sum.k0 = plus_share(a.k0, b.k0);
    if LINES >= 2u {
        sum.k1 = plus_share(a.k1, b.k1);
    }
    if LINES >= 3u {
        sum.k2 = plus_share(a.k2, b.k2);
    }
    if LINES >= 4u {
        sum.k3 = plus_share(a.k3, b.k3);
    }
    if SPATIAL {
        sum.weight = a.weight + b.weight;
    }
    return sum;
}

fn keep_share(lane: u32, sum: u32, s: Share) {
    channels_keep(sum, lane, over_places(s.slope));
    channels_keep(sum + LINES, lane, over_places(s.intercept));
}

// The sums are in the order of fc2's outputs: all slopes, then all intercepts; the weight's is the last.
fn keep(lane: u32, first: u32, t: Terms) {
    keep_share(lane, first, t.k0);
    if LINES >= 2u {
        keep_share(lane, first + 1u, t.k1);
    }
    if LINES >= 3u {
        keep_share(lane, first + 2u, t.k2);
    }
    if LINES >= 4u {
        keep_share(lane, first + 3u, t.k3);
    }
    if SPATIAL {
        channels_keep(first + 2u * LINES, lane, over_places(t.weight));
    }
}
