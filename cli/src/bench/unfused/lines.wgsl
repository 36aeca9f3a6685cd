// Dynamic ReLU's lines. A set of them has 2 LINES coefficients: first the slopes, then the intercepts.
alias T = f32; //#stub

override LINES: u32;
// How many elements of `out`, or words of four, or of one line's, where lines lie behind each other.
override LEN: u32;
override SAMPLES: u32;
override CHANNELS: u32;
// Elements of a plane, or words; and how many planes share a set of lines: one, or all of a sample.
override PLACES: u32;
override PLANES: u32;
// Which coefficient of a set, or which line.
override WHICH: u32;
// Where in `out` the first result goes.
override FIRST: u32;
// How far coefficients may be off the initial ones.
override LAMBDA_SLOPE: f32;
override LAMBDA_INTERCEPT: f32;

@group(0) @binding(0) var<storage, read_write> out: array<T>;
@group(0) @binding(1) var<storage, read> x: array<T>;
// Sets of coefficients.
@group(0) @binding(2) var<storage, read> coefficients: array<f32>;
// The first set, which all have at the beginning.
@group(0) @binding(3) var<storage, read> initial: array<f32>;
// What the small layers have for each coefficient, from 0 to 1.
@group(0) @binding(4) var<storage, read> s: array<f32>;
// The lines' values, line by line.
@group(0) @binding(5) var<storage, read> lines: array<T>;
// The gradient of the largest.
@group(0) @binding(6) var<storage, read> d: array<T>;
// Gradients of coefficients: as they were summed, all planes' of the first one, then of the next; or set by set.
@group(0) @binding(7) var<storage, read> sums: array<f32>;

struct At {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The element of `out` that an invocation writes, if it is below LEN.
fn element(at: At) -> u32 {
    return (at.workgroup.y * at.grid.x + at.workgroup.x) * 256u + at.lane;
}

// That of coefficients WHICH which element i of x has.
fn coefficient(i: u32) -> f32 {
    return coefficients[i / PLACES / PLANES * 2u * LINES + WHICH];
}

fn lambda(i: u32) -> f32 {
    return select(LAMBDA_INTERCEPT, LAMBDA_SLOPE, i % (2u * LINES) < LINES);
}

@compute @workgroup_size(256)
fn coefficients_of(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = T(initial[i % (2u * LINES)] + lambda(i) * (2.0 * s[i] - 1.0));
    }
}

// The gradient of what the sigmoid is taken of.
@compute @workgroup_size(256)
fn coefficients_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = T(sums[i] * lambda(i) * 2.0 * s[i] * (1.0 - s[i]));
    }
}

@compute @workgroup_size(256)
fn times_slope(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = x[i] * coefficient(i);
    }
}

@compute @workgroup_size(256)
fn plus_intercept(at: At) {
    let i = element(at);
    if i < LEN {
        out[FIRST + i] = x[i] + coefficient(i);
    }
}

fn largest_of(i: u32) -> T {
    var most = lines[i];
    for (var k = 1u; k < LINES; k += 1u) {
        most = max(most, lines[k * LEN + i]);
    }
    return most;
}

@compute @workgroup_size(256)
fn largest(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = largest_of(i);
    }
}

// The gradient of line WHICH: the first of the largest lines takes it.
@compute @workgroup_size(256)
fn largest_backward(at: At) {
    let i = element(at);
    if i < LEN {
        let most = largest_of(i);
        var wins = lines[WHICH * LEN + i] == most;
        for (var k = 0u; k < WHICH; k += 1u) {
            wins = wins & (lines[k * LEN + i] != most);
        }
        out[i] = select(T(0.0), d[i], wins);
    }
}

// Coefficients' gradients set by set, where each plane has a set.
@compute @workgroup_size(256)
fn join_planes(at: At) {
    let i = element(at);
    if i < LEN {
        let each = 2u * LINES;
        out[i] = T(sums[i % each * SAMPLES * CHANNELS + i / each]);
    }
}

// The same where a sample's planes share one.
@compute @workgroup_size(256)
fn join_samples(at: At) {
    let i = element(at);
    if i < LEN {
        let each = 2u * LINES;
        let first = (i % each * SAMPLES + i / each) * CHANNELS;
        var sum = 0.0;
        for (var c = 0u; c < CHANNELS; c += 1u) {
            sum += sums[first + c];
        }
        out[i] = T(sum);
    }
}
