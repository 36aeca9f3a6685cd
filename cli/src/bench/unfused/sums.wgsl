// Sums over a plane or a channel, each by one workgroup: its invocations ("lanes") take every 64th element, or word, and
// the first adds up what they have. A value for each place of a sample lies as a plane does, and is summed as one.
alias T = f32; //#stub
fn total(v: T) -> f32 { return v; } //#stub
fn greatest(v: T) -> f32 { return v; } //#stub

// How many sums there are.
override LEN: u32;
override SAMPLES: u32;
override CHANNELS: u32;
// Elements, or words of four, in a plane.
override PLACES: u32;
// How many elements a mean is of.
override COUNT: f32;
// Where in `out` the first sum goes.
override FIRST: u32;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<T>;
@group(0) @binding(2) var<storage, read> d: array<T>;
// Of each channel, the mean of x and 1 / its standard deviation.
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> inverse: array<f32>;

struct At {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
}

// The value that a workgroup sums up, if it is below LEN.
fn value(at: At) -> u32 {
    return at.workgroup.y * at.grid.x + at.workgroup.x;
}

var<workgroup> lanes: array<f32, 64>;

// The sum of what all lanes have, for lane 0; the others get none.
fn sum_of_lanes(lane: u32, own: T) -> f32 {
    lanes[lane] = total(own);
    workgroupBarrier();
    var sum = 0.0;
    if lane == 0u {
        for (var l = 0u; l < 64u; l += 1u) {
            sum += lanes[l];
        }
    }
    return sum;
}

// Lane 0 writes, where there is something to write: the grid may have a few workgroups too many.
fn put(at: At, result: f32) {
    if (at.lane == 0u) & (value(at) < LEN) {
        out[FIRST + value(at)] = result;
    }
}

// The k-th element of a channel, all samples' planes of it behind each other.
fn in_channel(c: u32, k: u32) -> u32 {
    return (k / PLACES * CHANNELS + c) * PLACES + k % PLACES;
}

fn over_plane(at: At) -> f32 {
    var sum = T(0.0);
    for (var p = at.lane; p < PLACES; p += 64u) {
        sum += x[value(at) * PLACES + p];
    }
    return sum_of_lanes(at.lane, sum);
}

fn over_channel(at: At) -> f32 {
    var sum = T(0.0);
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        sum += x[in_channel(value(at), k)];
    }
    return sum_of_lanes(at.lane, sum);
}

@compute @workgroup_size(64)
fn plane_sum(at: At) {
    put(at, over_plane(at));
}

@compute @workgroup_size(64)
fn plane_mean(at: At) {
    put(at, over_plane(at) / COUNT);
}

// The sum of products.
@compute @workgroup_size(64)
fn plane_dot(at: At) {
    var sum = T(0.0);
    for (var p = at.lane; p < PLACES; p += 64u) {
        let i = value(at) * PLACES + p;
        sum += d[i] * x[i];
    }
    put(at, sum_of_lanes(at.lane, sum));
}

@compute @workgroup_size(64)
fn plane_largest(at: At) {
    var most = T(-3.0e38);
    for (var p = at.lane; p < PLACES; p += 64u) {
        most = max(most, x[value(at) * PLACES + p]);
    }
    lanes[at.lane] = greatest(most);
    workgroupBarrier();
    var all = lanes[0];
    if at.lane == 0u {
        for (var l = 1u; l < 64u; l += 1u) {
            all = max(all, lanes[l]);
        }
    }
    put(at, all);
}

@compute @workgroup_size(64)
fn channel_sum(at: At) {
    put(at, over_channel(at));
}

@compute @workgroup_size(64)
fn channel_mean(at: At) {
    put(at, over_channel(at) / COUNT);
}

@compute @workgroup_size(64)
fn channel_variance(at: At) {
    let c = value(at);
    var sum = T(0.0);
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        let off = x[in_channel(c, k)] - mean[c];
        sum += off * off;
    }
    put(at, sum_of_lanes(at.lane, sum) / COUNT);
}

@compute @workgroup_size(64)
fn channel_dot(at: At) {
    var sum = T(0.0);
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        let i = in_channel(value(at), k);
        sum += d[i] * x[i];
    }
    put(at, sum_of_lanes(at.lane, sum));
}

// The gradient of a batch norm's weight: d with what the norm makes of x.
@compute @workgroup_size(64)
fn channel_dot_normalized(at: At) {
    let c = value(at);
    var sum = T(0.0);
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        let i = in_channel(c, k);
        sum += d[i] * (x[i] - mean[c]) * inverse[c];
    }
    put(at, sum_of_lanes(at.lane, sum));
}

// d has one element for each place of a sample.
@compute @workgroup_size(64)
fn channel_dot_places(at: At) {
    var sum = T(0.0);
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        sum += d[k] * x[in_channel(value(at), k)];
    }
    put(at, sum_of_lanes(at.lane, sum));
}
