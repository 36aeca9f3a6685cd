// A fully connected layer, and its gradients. Each sample has INPUTS elements of x and OUTPUTS of `out`, or of d, the
// gradient of those. The weight is OUTPUTS x INPUTS, as PyTorch's.

// How many elements `out` has.
override LEN: u32;
override SAMPLES: u32;
override INPUTS: u32;
override OUTPUTS: u32;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;
@group(0) @binding(4) var<storage, read> d: array<f32>;

struct At {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The element of `out` that an invocation writes, if it is below LEN.
fn element(at: At) -> u32 {
    return (at.workgroup.y * at.grid.x + at.workgroup.x) * 256u + at.lane;
}

@compute @workgroup_size(256)
fn forward(at: At) {
    let i = element(at);
    if i >= LEN {
        return;
    }
    let n = i / OUTPUTS;
    let j = i % OUTPUTS;
    var sum = 0.0;
    for (var k = 0u; k < INPUTS; k += 1u) {
        sum += x[n * INPUTS + k] * w[j * INPUTS + k];
    }
    out[i] = sum + b[j];
}

@compute @workgroup_size(256)
fn input_gradient(at: At) {
    let i = element(at);
    if i >= LEN {
        return;
    }
    let n = i / INPUTS;
    let j = i % INPUTS;
    var sum = 0.0;
    for (var k = 0u; k < OUTPUTS; k += 1u) {
        sum += d[n * OUTPUTS + k] * w[k * INPUTS + j];
    }
    out[i] = sum;
}

@compute @workgroup_size(256)
fn weight_gradient(at: At) {
    let i = element(at);
    if i >= LEN {
        return;
    }
    var sum = 0.0;
    for (var n = 0u; n < SAMPLES; n += 1u) {
        sum += d[n * OUTPUTS + i / INPUTS] * x[n * INPUTS + i % INPUTS];
    }
    out[i] = sum;
}

@compute @workgroup_size(256)
fn bias_gradient(at: At) {
    let i = element(at);
    if i >= LEN {
        return;
    }
    var sum = 0.0;
    for (var n = 0u; n < SAMPLES; n += 1u) {
        sum += d[n * OUTPUTS + i];
    }
    out[i] = sum;
}
