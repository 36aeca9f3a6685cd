// What belongs to the `it` of a word, channels or places, where a word has four of them: the four values of each, `stride`
// apart in a buffer.
//#use layers/pooled/power.wgsl
fn power_of(v: f32) -> f32 { return v; } //#stub
@group(0) @binding(0) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> scratch: array<f32>; //#bind

alias It = vec4<f32>;

const IT_COUNT: u32 = 4u;

fn it_of_parameters(at: u32, stride: u32) -> It {
    return It(parameters[at], parameters[at + stride], parameters[at + 2u * stride], parameters[at + 3u * stride]);
}

fn it_of_saved(at: u32, stride: u32) -> It {
    return It(saved[at], saved[at + stride], saved[at + 2u * stride], saved[at + 3u * stride]);
}

fn it_of_scratch(at: u32, stride: u32) -> It {
    return It(scratch[at], scratch[at + stride], scratch[at + 2u * stride], scratch[at + 3u * stride]);
}

fn it_largest(v: It) -> f32 {
    return max(max(v.x, v.y), max(v.z, v.w));
}

fn it_total(v: It) -> f32 {
    return ((v.x + v.y) + v.z) + v.w;
}

fn it_power(v: It) -> It {
    return It(power_of(v.x), power_of(v.y), power_of(v.z), power_of(v.w));
}
