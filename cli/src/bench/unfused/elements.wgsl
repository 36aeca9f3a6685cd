// One operation on each element of values that are alike, whatever they are values of.
alias T = f32; //#stub

// How many elements, or words of four.
override LEN: u32;

@group(0) @binding(0) var<storage, read_write> out: array<T>;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> b: array<T>;
// What comes back: the gradient of an operation's value.
@group(0) @binding(3) var<storage, read> d: array<T>;

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
fn add(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = a[i] + b[i];
    }
}

@compute @workgroup_size(256)
fn subtract(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = a[i] - b[i];
    }
}

@compute @workgroup_size(256)
fn multiply(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = a[i] * b[i];
    }
}

@compute @workgroup_size(256)
fn larger(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = max(a[i], b[i]);
    }
}

// The gradient of `a`. Where both are equal, each gets half.
@compute @workgroup_size(256)
fn larger_backward(at: At) {
    let i = element(at);
    if i < LEN {
        let half = select(T(0.0), d[i] * 0.5, a[i] == b[i]);
        out[i] = select(half, d[i], a[i] > b[i]);
    }
}

@compute @workgroup_size(256)
fn relu(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = max(a[i], T(0.0));
    }
}

@compute @workgroup_size(256)
fn relu_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = select(T(0.0), d[i], a[i] > T(0.0));
    }
}

@compute @workgroup_size(256)
fn sigmoid(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = T(1.0) / (T(1.0) + exp(-a[i]));
    }
}

// `a` is the sigmoid's value.
@compute @workgroup_size(256)
fn sigmoid_backward(at: At) {
    let i = element(at);
    if i < LEN {
        out[i] = d[i] * a[i] * (T(1.0) - a[i]);
    }
}
