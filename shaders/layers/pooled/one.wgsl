// What belongs to the `it` of a word, channels or places, where a word has one of them: its value of each, `stride` apart in
// a buffer (which is of no use where there is but one).
//#use layers/pooled/power.wgsl
fn power_of(v: f32) -> f32 { return v; } //#stub
@group(0) @binding(0) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> scratch: array<f32>; //#bind

alias It = f32;

const IT_COUNT: u32 = 1u;

fn it_of_parameters(at: u32, stride: u32) -> It {
    return parameters[at];
}

fn it_of_saved(at: u32, stride: u32) -> It {
    return saved[at];
}

fn it_of_scratch(at: u32, stride: u32) -> It {
    return scratch[at];
}

fn it_largest(v: It) -> f32 {
    return v;
}

fn it_total(v: It) -> f32 {
    return v;
}

fn it_power(v: It) -> It {
    return power_of(v);
}
