// What a word adds to the sum over an image's places of x itself: nothing belongs to a channel.
//#use layers/lanes.wgsl as channels
alias V = f32; //#stub
alias Channels = f32; //#stub
fn x_load(i: u32) -> V { return f32(i); } //#stub
fn over_places(v: V) -> Channels { return v; } //#stub
fn channels_keep(sum: u32, lane: u32, v: Channels) { _ = v + f32(sum + lane); } //#stub

alias Held = u32;

fn hold(n: u32, c: u32) -> Held {
    return c;
}

struct Terms {
    x: V,
}

fn terms(i: u32, held: Held, place: u32) -> Terms {
    return Terms(x_load(i));
}

fn plus(a: Terms, b: Terms) -> Terms {
    return Terms(a.x + b.x);
}

fn keep(lane: u32, first: u32, t: Terms) {
    channels_keep(first, lane, over_places(t.x));
}
