// Images in words of four elements where planes lie in one piece (NCHW): a word is one channel at four places.
//#use layers/pooled/one.wgsl as channels
//#use layers/pooled/four.wgsl as places
alias V = vec4<f32>; //#stub
alias Channels = f32; //#stub
alias Places = vec4<f32>; //#stub

// What a lane has summed over a word's places.
fn over_places(v: V) -> Channels {
    return (v.x + v.y) + (v.z + v.w);
}

// Adds to `sum` what is to be summed over a word's channels.
fn plus_channels(sum: Places, v: V) -> Places {
    return sum + v;
}

// The sum over a word's channels of their values times x.
fn weighted(weights: Channels, x: V) -> Places {
    return weights * x;
}
