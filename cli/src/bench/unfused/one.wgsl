// What an invocation takes at a time, where planes are not whole words of four elements: one.

alias T = f32;

fn total(v: T) -> f32 {
    return v;
}

fn greatest(v: T) -> f32 {
    return v;
}
