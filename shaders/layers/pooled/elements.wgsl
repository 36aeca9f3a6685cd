// Images element by element: a word, what is loaded at once, is one channel at one place.
//#use layers/pooled/one.wgsl as channels
//#use layers/pooled/one.wgsl as places
alias V = f32; //#stub
alias Channels = f32; //#stub
alias Places = f32; //#stub

// What a lane has summed over a word's places.
fn over_places(v: V) -> Channels {
    return v;
}

// Adds to `sum` what is to be summed over a word's channels.
fn plus_channels(sum: Places, v: V) -> Places {
    return sum + v;
}

// The sum over a word's channels of their values times x.
fn weighted(weights: Channels, x: V) -> Places {
    return weights * x;
}
