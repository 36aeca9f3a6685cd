// What is held for a channel: parameters, statistics, gradients, sums. C is the type of a value of each channel that a
// lane goes through; here that is one.
@group(0) @binding(0) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> gradients: array<f32>; //#bind
@group(0) @binding(3) var<storage, read_write> scratch: array<f32>; //#bind

alias C = f32;

const UNIT: u32 = 1u; // Channels that a lane goes through together.

fn parameters_of(at: u32, stride: u32) -> C {
    return parameters[at];
}

fn saved_of(at: u32, stride: u32) -> C {
    return saved[at];
}

fn gradients_of(at: u32, stride: u32) -> C {
    return gradients[at];
}

fn put(at: u32, stride: u32, v: C) {
    scratch[at] = v;
}
