// A depthwise convolution of planes of ROWS x COLUMNS, with zeros beside them, and the gradient of its input.

// How many elements there are, and how many of them are a plane.
override LEN: u32;
override PLACES: u32;
override CHANNELS: u32;
override ROWS: u32;
override COLUMNS: u32;
// Of the window.
override HEIGHT: u32;
override WIDTH: u32;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<f32>;

struct At {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The element of `out` that an invocation writes, if it is below LEN.
fn element(at: At) -> u32 {
    return (at.workgroup.y * at.grid.x + at.workgroup.x) * 256u + at.lane;
}

// The sum over the window around element i. `forward` is 1; where it is -1, the window is turned round: that takes an
// input's element to the outputs that it has a part in.
fn convolve(i: u32, forward: i32) -> f32 {
    let p = i % PLACES;
    let plane = i / PLACES * PLACES;
    let size = HEIGHT * WIDTH;
    let first = i / PLACES % CHANNELS * size;
    var sum = 0.0;
    for (var k = 0u; k < size; k += 1u) {
        let row = i32(p / COLUMNS) + forward * (i32(k / WIDTH) - i32(HEIGHT / 2u));
        let column = i32(p % COLUMNS) + forward * (i32(k % WIDTH) - i32(WIDTH / 2u));
        let inside = (row >= 0) & (row < i32(ROWS)) & (column >= 0) & (column < i32(COLUMNS));
        let place = plane + u32(select(0, row * i32(COLUMNS) + column, inside));
        sum += select(0.0, x[place] * w[first + k], inside);
    }
    return sum;
}

@compute @workgroup_size(256)
fn convolution(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = convolve(i, 1);
    }
}

@compute @workgroup_size(256)
fn convolution_with_bias(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = convolve(i, 1) + b[i / PLACES % CHANNELS];
    }
}

// x is the gradient of the output.
@compute @workgroup_size(256)
fn input_gradient(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = convolve(i, -1);
    }
}
