// The spatial attention of dynamic ReLU's variant C: a 1 x 1 convolution to one channel, softmax over a sample's places,
// and factors, which are GAMMA times that, at most 1.
alias T = f32; //#stub

// How many elements of `out`, or words of four; and of a plane.
override LEN: u32;
override PLACES: u32;
override CHANNELS: u32;
override TEMPERATURE: f32;
override GAMMA: f32;

@group(0) @binding(0) var<storage, read_write> out: array<T>;
// One for each element of the images.
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> dy: array<T>;
// One for each place of a sample.
@group(0) @binding(3) var<storage, read> a: array<T>;
@group(0) @binding(4) var<storage, read> d: array<T>;
// One for each sample.
@group(0) @binding(5) var<storage, read> v: array<f32>;
// The convolution's weight and bias.
@group(0) @binding(6) var<storage, read> w: array<f32>;
@group(0) @binding(7) var<storage, read> b: array<f32>;

struct At {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The element of `out` that an invocation writes, if it is below LEN.
fn element(at: At) -> u32 {
    return (at.workgroup.y * at.grid.x + at.workgroup.x) * 256u + at.lane;
}

// The place that element i of the images is at, among all samples' places.
fn place(i: u32) -> u32 {
    return i / (PLACES * CHANNELS) * PLACES + i % PLACES;
}

// The element of channel c at a place.
fn at_place(i: u32, c: u32) -> u32 {
    return (i / PLACES * CHANNELS + c) * PLACES + i % PLACES;
}

@compute @workgroup_size(256)
fn logits(at: At) {
    let i = element(at);
    if i < LEN {
        var sum = T(0.0);
        for (var c = 0u; c < CHANNELS; c += 1u) {
            sum += x[at_place(i, c)] * w[c];
        }
        out[i] = (sum + b[0]) / TEMPERATURE;
    }
}

// Softmax is the same whatever is taken off; v, the largest, keeps exponentials from overflowing.
@compute @workgroup_size(256)
fn powers(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = exp(a[i] - v[i / PLACES]);
    }
}

// v has the sums of powers.
@compute @workgroup_size(256)
fn softmax(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = a[i] / v[i / PLACES];
    }
}

// a is the softmax.
@compute @workgroup_size(256)
fn factors(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = min(a[i] * GAMMA, T(1.0));
    }
}

// x, or a gradient, times factors.
@compute @workgroup_size(256)
fn times_factors(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = x[i] * a[place(i)];
    }
}

@compute @workgroup_size(256)
fn factors_gradient(at: At) {
    let i = element(at);
    if i < LEN {
        var sum = T(0.0);
        for (var c = 0u; c < CHANNELS; c += 1u) {
            sum += dy[at_place(i, c)] * x[at_place(i, c)];
        }
        out[i] = sum;
    }
}

// a is the softmax, d the gradient of factors.
@compute @workgroup_size(256)
fn factors_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = select(T(0.0), d[i] * GAMMA, a[i] * GAMMA < T(1.0));
    }
}

// d is the softmax's gradient, v the sum of a * d over a sample's places.
@compute @workgroup_size(256)
fn softmax_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = a[i] * (d[i] - v[i / PLACES]) / TEMPERATURE;
    }
}

// Adds to a gradient, x, what comes by way of the logits, whose gradient is d.
@compute @workgroup_size(256)
fn add_logits_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = x[i] + d[place(i)] * w[i / PLACES % CHANNELS];
    }
}
