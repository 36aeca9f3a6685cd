// The network's own kernels, one invocation for each number that they write. Every sum is taken in one order, so
// that the same seed gives the same bits.

struct Sizes {
    rows: u32,
    inputs: u32,
    outputs: u32,
    // Where among all parameters a layer's weights begin: a row of `outputs` for each input, and one of biases.
    first: u32,
}

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> parameters: array<f32>;
@group(0) @binding(3) var<storage, read_write> z: array<f32>;
@group(0) @binding(4) var<storage, read> dz: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<f32>;

// z = x w + bias
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / sizes.outputs;
    let column = id.x % sizes.outputs;
    if row >= sizes.rows {
        return;
    }
    var sum = parameters[sizes.first + sizes.inputs * sizes.outputs + column];
    for (var k = 0u; k < sizes.inputs; k++) {
        sum += x[row * sizes.inputs + k] * parameters[sizes.first + k * sizes.outputs + column];
    }
    z[id.x] = sum;
}

// dw = x^T dz, and the bias has an input that is always 1.
@compute @workgroup_size(64)
fn weight_gradients(@builtin(global_invocation_id) id: vec3<u32>) {
    let k = id.x / sizes.outputs;
    let column = id.x % sizes.outputs;
    if k > sizes.inputs {
        return;
    }
    var sum = 0.0;
    for (var row = 0u; row < sizes.rows; row++) {
        let d = dz[row * sizes.outputs + column];
        if k < sizes.inputs {
            sum += x[row * sizes.inputs + k] * d;
        } else {
            sum += d;
        }
    }
    gradients[sizes.first + id.x] = sum;
}

// dx = dz w^T
@compute @workgroup_size(64)
fn input_gradients(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / sizes.inputs;
    let k = id.x % sizes.inputs;
    if row >= sizes.rows {
        return;
    }
    var sum = 0.0;
    for (var column = 0u; column < sizes.outputs; column++) {
        let weight = parameters[sizes.first + k * sizes.outputs + column];
        sum += dz[row * sizes.outputs + column] * weight;
    }
    dx[id.x] = sum;
}

@group(0) @binding(7) var<storage, read> labels: array<u32>;
// For each row the loss, and 1 where the largest output is the label's.
@group(0) @binding(8) var<storage, read_write> outcomes: array<vec2<f32>>;

// Softmax and cross-entropy of the outputs x, and dx, the gradient of the rows' mean.
@compute @workgroup_size(64)
fn cross_entropy(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= sizes.rows {
        return;
    }
    let first = id.x * sizes.outputs;
    var best = 0u;
    for (var i = 1u; i < sizes.outputs; i++) {
        if x[first + i] > x[first + best] {
            best = i;
        }
    }
    let largest = x[first + best];
    var sum = 0.0;
    for (var i = 0u; i < sizes.outputs; i++) {
        sum += exp(x[first + i] - largest);
    }
    let label = labels[id.x];
    outcomes[id.x] = vec2(log(sum) + largest - x[first + label], select(0.0, 1.0, best == label));
    for (var i = 0u; i < sizes.outputs; i++) {
        let share = exp(x[first + i] - largest) / sum;
        dx[first + i] = (share - select(0.0, 1.0, i == label)) / f32(sizes.rows);
    }
}

// How many steps were taken.
@group(0) @binding(9) var<storage, read_write> taken: u32;
@group(0) @binding(10) var<storage, read> images: array<f32>;
@group(0) @binding(11) var<storage, read> order: array<u32>;
@group(0) @binding(12) var<storage, read_write> batch: array<f32>;
@group(0) @binding(13) var<storage, read_write> batch_labels: array<u32>;

// The step's images and labels, `inputs` pixels each.
@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / sizes.inputs;
    let pixel = id.x % sizes.inputs;
    if row >= sizes.rows {
        return;
    }
    let image = order[taken * sizes.rows + row];
    batch[id.x] = images[image * sizes.inputs + pixel];
    if pixel == 0u {
        batch_labels[row] = labels[image];
    }
}

@group(0) @binding(14) var<storage, read_write> learned: array<f32>;
@group(0) @binding(15) var<storage, read> slopes: array<f32>;
// Running means of the gradient and of its square.
@group(0) @binding(16) var<storage, read_write> means: array<vec2<f32>>;
// The mean loss of each step that there will be.
@group(0) @binding(17) var<storage, read_write> history: array<f32>;

override rate: f32;

// Adam (Kingma and Ba 2014, arXiv:1412.6980), for all parameters alike: as many as there are rows. The rate falls
// to zero with the last step.
@compute @workgroup_size(64)
fn adam(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= sizes.rows {
        return;
    }
    let decay = vec2(0.9, 0.999);
    let slope = slopes[id.x];
    let mean = decay * means[id.x] + (1.0 - decay) * vec2(slope, slope * slope);
    means[id.x] = mean;
    let unbiased = mean / (1.0 - pow(decay, vec2(f32(taken + 1u))));
    let left = 1.0 - f32(taken) / f32(arrayLength(&history));
    learned[id.x] -= left * rate * unbiased.x / (sqrt(unbiased.y) + 1e-8);
}

@group(0) @binding(18) var<storage, read> batch_outcomes: array<vec2<f32>>;

// The step's loss is written down, and the step is over.
@compute @workgroup_size(1)
fn finish() {
    var sum = 0.0;
    for (var row = 0u; row < sizes.rows; row++) {
        sum += batch_outcomes[row].x;
    }
    history[taken] = sum / f32(sizes.rows);
    taken += 1u;
}
