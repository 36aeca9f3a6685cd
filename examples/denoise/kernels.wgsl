// The denoiser's own kernels. Images are in the order samples, channels, rows, columns. Convolutions are of 3 x 3,
// of stride 1, and see zeros around the image. Sums are taken in a fixed order: a seed gives the same bits again.

// They are no uniforms: where a loop's end is one, Mesa's software adapter may compile the kernel at every dispatch,
// which takes it longer than to run it.
struct Sizes {
    samples: u32,
    // Channels of a convolution's input and output.
    inputs: u32,
    outputs: u32,
    // Where among all parameters the convolution's weights [outputs, inputs, 3, 3] begin; behind them are the
    // biases [outputs].
    first: u32,
}

// A row of an image, from left to right. One invocation handles a whole row: it reads each pixel once for all the
// places that see it, and an adapter in software is slow at reading.
struct Row {
    a: vec4<f32>,
    b: vec4<f32>,
}

// Rows of an image, and pixels.
const ROWS = 8u;
const PIXELS = 64u;

@group(0) @binding(0) var<storage, read> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<Row>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<Row>;
@group(0) @binding(4) var<storage, read> dz: array<Row>;
@group(0) @binding(5) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<Row>;

// What each place has on its left, and on its right.
fn left(row: Row) -> Row {
    return Row(vec4(0.0, row.a.xyz), vec4(row.a.w, row.b.xyz));
}

fn right(row: Row) -> Row {
    return Row(vec4(row.a.yzw, row.b.x), vec4(row.b.yzw, 0.0));
}

fn times(row: Row, other: Row) -> f32 {
    return dot(row.a, other.a) + dot(row.b, other.b);
}

// Adds what a row of a window makes of a row of an image.
fn add(sum: Row, weights: vec3<f32>, row: Row) -> Row {
    let l = left(row);
    let r = right(row);
    return Row(
        sum.a + weights.x * l.a + weights.y * row.a + weights.z * r.a,
        sum.b + weights.x * l.b + weights.y * row.b + weights.z * r.b,
    );
}

// The window's row i, from one channel to another.
fn window(output: u32, input: u32, i: u32) -> vec3<f32> {
    let at = sizes.first + ((output * sizes.inputs + input) * 3u + i) * 3u;
    return vec3(parameters[at], parameters[at + 1u], parameters[at + 2u]);
}

// An invocation for each row of z.
@compute @workgroup_size(64)
fn convolve(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x % ROWS;
    let output = id.x / ROWS % sizes.outputs;
    let sample = id.x / ROWS / sizes.outputs;
    if sample >= sizes.samples {
        return;
    }
    let bias = parameters[sizes.first + sizes.outputs * sizes.inputs * 9u + output];
    var sum = Row(vec4(bias), vec4(bias));
    for (var input = 0u; input < sizes.inputs; input++) {
        let first = (sample * sizes.inputs + input) * ROWS;
        for (var i = 0u; i < 3u; i++) {
            // Above the first row it wraps around to a large number.
            let other = row + i - 1u;
            if other < ROWS {
                sum = add(sum, window(output, input, i), x[first + other]);
            }
        }
    }
    z[id.x] = sum;
}

// An invocation for each row of dx: the convolution's way back, through the window turned around.
@compute @workgroup_size(64)
fn input_gradients(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x % ROWS;
    let input = id.x / ROWS % sizes.inputs;
    let sample = id.x / ROWS / sizes.inputs;
    if sample >= sizes.samples {
        return;
    }
    var sum = Row();
    for (var output = 0u; output < sizes.outputs; output++) {
        let first = (sample * sizes.outputs + output) * ROWS;
        for (var i = 0u; i < 3u; i++) {
            let other = row + 1u - i;
            if other < ROWS {
                sum = add(sum, window(output, input, i).zyx, dz[first + other]);
            }
        }
    }
    dx[id.x] = sum;
}

const LANES = 64u;

var<workgroup> partial: array<vec3<f32>, LANES>;

// A workgroup for each row of a window, and behind them for each bias. A weight is used at every place of every
// sample: its gradient is a sum of a thousand terms and more, too many for one invocation.
@compute @workgroup_size(LANES)
fn weight_gradients(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let windows = sizes.outputs * sizes.inputs * 3u;
    let is_bias = group.x >= windows;
    let output = select(group.x / 3u / sizes.inputs, group.x - windows, is_bias);
    let input = group.x / 3u % sizes.inputs;
    var sum = vec3(0.0);
    for (var at = lane; at < sizes.samples * ROWS; at += LANES) {
        let sample = at / ROWS;
        let row = at % ROWS;
        let other = row + group.x % 3u - 1u;
        let d = dz[(sample * sizes.outputs + output) * ROWS + row];
        if is_bias {
            sum.x += dot(d.a + d.b, vec4(1.0));
        } else if other < ROWS {
            let seen = x[(sample * sizes.inputs + input) * ROWS + other];
            sum += vec3(times(d, left(seen)), times(d, seen), times(d, right(seen)));
        }
    }
    partial[lane] = sum;
    for (var count = LANES / 2u; count > 0u; count /= 2u) {
        workgroupBarrier();
        if lane < count {
            partial[lane] += partial[lane + count];
        }
    }
    if lane > 0u {
        return;
    }
    if is_bias {
        gradients[sizes.first + windows * 3u + output] = partial[0].x;
    } else {
        for (var j = 0u; j < 3u; j++) {
            gradients[sizes.first + group.x * 3u + j] = partial[0][j];
        }
    }
}

// How many steps were taken.
@group(0) @binding(7) var<storage, read_write> taken: u32;
@group(0) @binding(8) var<storage, read> order: array<u32>;
@group(0) @binding(9) var<storage, read> noisy: array<Row>;
@group(0) @binding(10) var<storage, read> clean: array<Row>;
@group(0) @binding(11) var<storage, read_write> batch: array<Row>;
@group(0) @binding(12) var<storage, read_write> batch_truth: array<Row>;

// The images of the step, noisy and clean; an invocation for each row.
@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    let sample = id.x / ROWS;
    if sample >= sizes.samples {
        return;
    }
    let row = order[taken * sizes.samples + sample] * ROWS + id.x % ROWS;
    batch[id.x] = noisy[row];
    batch_truth[id.x] = clean[row];
}

@group(0) @binding(13) var<storage, read> truth: array<Row>;
// For each row of each sample, the sum of its pixels' squared errors.
@group(0) @binding(14) var<storage, read_write> errors: array<f32>;

// The squared errors of x, and dx, the gradient of their mean; an invocation for each row.
@compute @workgroup_size(64)
fn squared_error(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= sizes.samples * ROWS {
        return;
    }
    let off = Row(x[id.x].a - truth[id.x].a, x[id.x].b - truth[id.x].b);
    let slope = 2.0 / f32(sizes.samples * PIXELS);
    errors[id.x] = times(off, off);
    dx[id.x] = Row(slope * off.a, slope * off.b);
}

@group(0) @binding(15) var<storage, read_write> learned: array<f32>;
@group(0) @binding(16) var<storage, read> slopes: array<f32>;
// Running means of each gradient and of its square.
@group(0) @binding(17) var<storage, read_write> moments: array<vec2<f32>>;
// The loss of each step that there will be.
@group(0) @binding(18) var<storage, read_write> history: array<f32>;

override rate: f32;

// A step of Adam (Kingma and Ba 2014, arXiv:1412.6980), whose rate falls to zero in a straight line. What has no
// gradient, as running statistics, has a slope of zero here, and stays where it is. An invocation for each of the
// parameters, which are `inputs` many.
@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= sizes.inputs {
        return;
    }
    let keep = vec2(0.9, 0.999);
    let slope = slopes[id.x];
    let moment = mix(vec2(slope, slope * slope), moments[id.x], keep);
    moments[id.x] = moment;
    let steps = f32(taken);
    let unbiased = moment / (1.0 - pow(keep, vec2(steps + 1.0)));
    let falling = rate * (1.0 - steps / f32(arrayLength(&history)));
    learned[id.x] -= falling * unbiased.x / (sqrt(unbiased.y) + 1e-8);
}

@group(0) @binding(19) var<storage, read> batch_errors: array<f32>;

// Writes the step's loss down, and counts the step.
@compute @workgroup_size(1)
fn finish() {
    var sum = 0.0;
    for (var row = 0u; row < sizes.samples * ROWS; row++) {
        sum += batch_errors[row];
    }
    history[taken] = sum / f32(sizes.samples * PIXELS);
    taken += 1u;
}
