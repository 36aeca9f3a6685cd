// What is held for a channel: parameters, statistics, gradients, sums. C is the type of a value of each channel that a
// lane goes through; here that is four, whose values are `stride` elements apart.
@group(0) @binding(0) var<storage, read> parameters: array<f32>; //#bind
@group(0) @binding(1) var<storage, read> saved: array<f32>; //#bind
@group(0) @binding(2) var<storage, read> gradients: array<f32>; //#bind
@group(0) @binding(3) var<storage, read_write> scratch: array<f32>; //#bind

alias C = vec4<f32>;

const UNIT: u32 = 4u; // Channels that a lane goes through together.

// The places of the four values.
fn four(at: u32, stride: u32) -> vec4<u32> {
    return vec4(at, at + stride, at + 2u * stride, at + 3u * stride);
}

fn parameters_of(at: u32, stride: u32) -> C {
    let i = four(at, stride);
    return C(parameters[i.x], parameters[i.y], parameters[i.z], parameters[i.w]);
}

fn saved_of(at: u32, stride: u32) -> C {
    let i = four(at, stride);
    return C(saved[i.x], saved[i.y], saved[i.z], saved[i.w]);
}

fn gradients_of(at: u32, stride: u32) -> C {
    let i = four(at, stride);
    return C(gradients[i.x], gradients[i.y], gradients[i.z], gradients[i.w]);
}

fn put(at: u32, stride: u32, v: C) {
    let i = four(at, stride);
    scratch[i.x] = v.x;
    scratch[i.y] = v.y;
    scratch[i.z] = v.z;
    scratch[i.w] = v.w;
}
