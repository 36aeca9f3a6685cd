// Images' elements with values that a channel, or a channel of a sample (a plane), has one of.
alias T = f32; //#stub

// Of the images, how many elements or words of four: in all, and in a plane.
override LEN: u32;
override PLACES: u32;
override CHANNELS: u32;
// How many elements a mean was taken of.
override COUNT: f32;
// What a batch norm adds to variances.
override EPS: f32;

@group(0) @binding(0) var<storage, read_write> out: array<T>;
@group(0) @binding(1) var<storage, read> x: array<T>;
// One for each channel or plane, as the entry point says.
@group(0) @binding(2) var<storage, read> v: array<f32>;
// A batch norm's, one for each channel: means, 1 / sqrt(variance + eps), weight and bias.
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> inverse: array<f32>;
@group(0) @binding(5) var<storage, read> weight: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
// The gradients of a batch norm's value, and of its weight and bias.
@group(0) @binding(7) var<storage, read> d: array<T>;
@group(0) @binding(8) var<storage, read> dweight: array<f32>;
@group(0) @binding(9) var<storage, read> dbias: array<f32>;

struct At {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The element of `out` that an invocation writes, if it is below LEN.
fn element(at: At) -> u32 {
    return (at.workgroup.y * at.grid.x + at.workgroup.x) * 256u + at.lane;
}

fn plane(i: u32) -> u32 {
    return i / PLACES;
}

fn channel(i: u32) -> u32 {
    return i / PLACES % CHANNELS;
}

@compute @workgroup_size(256)
fn scale_channels(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = x[i] * v[channel(i)];
    }
}

@compute @workgroup_size(256)
fn scale_planes(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = x[i] * v[plane(i)];
    }
}

// Adds to a gradient, x, what comes by way of the planes' means, whose gradients are v.
@compute @workgroup_size(256)
fn add_means_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = x[i] + v[plane(i)] / COUNT;
    }
}

// v has the channels' variances; `out` has as many elements.
@compute @workgroup_size(256)
fn inverse_deviation(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = T(1.0 / sqrt(v[i] + EPS));
    }
}

@compute @workgroup_size(256)
fn normalize(at: At) {
    let i = element(at);
    if i < LEN {
        let c = channel(i);
        out[i] = (x[i] - mean[c]) * inverse[c] * weight[c] + bias[c];
    }
}

// Where means and variances are those of x, which x has a part in.
@compute @workgroup_size(256)
fn normalize_backward_training(at: At) {
    let i = element(at);
    if i < LEN {
        let c = channel(i);
        let part = dbias[c] + (x[i] - mean[c]) * inverse[c] * dweight[c];
        out[i] = (d[i] - part / COUNT) * (weight[c] * inverse[c]);
    }
}

// Where means and variances are constants.
@compute @workgroup_size(256)
fn normalize_backward(at: At) {
    let i = element(at);
    if i < LEN {
        let c = channel(i);
        out[i] = d[i] * (weight[c] * inverse[c]);
    }
}
