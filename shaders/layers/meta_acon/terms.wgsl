// What a word adds to the gradients of p1, p2 and beta, summed over an image's places.
//#use layers/meta_acon/held.wgsl
//#use layers/lanes.wgsl as channels
alias V = f32; //#stub
alias Channels = f32; //#stub
struct Held { p1: Channels, p2: Channels, beta: Channels } //#stub
fn m_acon_d_p1_of_word(x: V, p1: V, p2: V, beta: V) -> V { return x * p1 * p2 * beta; } //#stub
fn m_acon_d_p2_of_word(x: V, p1: V, p2: V, beta: V) -> V { return x * p1 * p2 * beta; } //#stub
fn m_acon_d_beta_of_word(x: V, p1: V, p2: V, beta: V) -> V { return x * p1 * p2 * beta; } //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn dy_load(i: u32) -> V { return f32(i); } //#stub
fn over_places(v: V) -> Channels { return v; } //#stub
fn channels_keep(sum: u32, lane: u32, v: Channels) { _ = v + f32(sum + lane); } //#stub

struct Terms {
    p1: V,
    p2: V,
    beta: V,
}

fn terms(i: u32, held: Held, place: u32) -> Terms {
    let x = x_load(i);
    let dy = dy_load(i);
    let p1 = V(held.p1);
    let p2 = V(held.p2);
    let beta = V(held.beta);
    return Terms(
        dy * m_acon_d_p1_of_word(x, p1, p2, beta),
        dy * m_acon_d_p2_of_word(x, p1, p2, beta),
        dy * m_acon_d_beta_of_word(x, p1, p2, beta),
    );
}

fn plus(a: Terms, b: Terms) -> Terms {
    return Terms(a.p1 + b.p1, a.p2 + b.p2, a.beta + b.beta);
}

fn keep(lane: u32, first: u32, t: Terms) {
    channels_keep(first, lane, over_places(t.p1));
    channels_keep(first + 1u, lane, over_places(t.p2));
    channels_keep(first + 2u, lane, over_places(t.beta));
}
