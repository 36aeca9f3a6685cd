// What an invocation takes at a time, where planes are whole words of four elements: a word. LEN and PLACES count words.

alias T = vec4<f32>;

fn total(v: T) -> f32 {
    return dot(v, T(1.0));
}

fn greatest(v: T) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}
