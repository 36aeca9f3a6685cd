// Images in words of four elements where channels lie beside each other (NHWC): a word is four channels at one place.
//#use layers/pooled/four.wgsl as channels
//#use layers/pooled/one.wgsl as places
alias V = vec4<f32>; //#stub
alias Channels = vec4<f32>; //#stub
alias Places = f32; //#stub

// What a lane has summed over a word's places.
fn over_places(v: V) -> Channels {
    return v;
}

// Adds to `sum` what is to be summed over a word's channels.
fn plus_channels(sum: Places, v: V) -> Places {
    return (((sum + v.x) + v.y) + v.z) + v.w;
}

// The sum over a word's channels of their values times x.
fn weighted(weights: Channels, x: V) -> Places {
    return dot(weights, x);
}
