// The gradient of a depthwise convolution's window: a workgroup for each of its elements. Its invocations ("lanes") take
// every 64th element of the channel, and the first adds up what they have.

// How many elements the windows of all channels have.
override LEN: u32;
override SAMPLES: u32;
override CHANNELS: u32;
// The elements of a plane, its rows and columns.
override PLACES: u32;
override ROWS: u32;
override COLUMNS: u32;
// Of the window.
override HEIGHT: u32;
override WIDTH: u32;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
// The gradient of the output.
@group(0) @binding(2) var<storage, read> d: array<f32>;

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

@compute @workgroup_size(64)
fn weight_gradient(at: At) {
    let size = HEIGHT * WIDTH;
    let channel = value(at) / size;
    let tap = value(at) % size;
    let down = i32(tap / WIDTH) - i32(HEIGHT / 2u);
    let right = i32(tap % WIDTH) - i32(WIDTH / 2u);
    var sum = 0.0;
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        let plane = (k / PLACES * CHANNELS + channel) * PLACES;
        let p = k % PLACES;
        let row = i32(p / COLUMNS) + down;
        let column = i32(p % COLUMNS) + right;
        let inside = (row >= 0) & (row < i32(ROWS)) & (column >= 0) & (column < i32(COLUMNS));
        let place = plane + u32(select(0, row * i32(COLUMNS) + column, inside));
        sum += select(0.0, d[plane + p] * x[place], inside);
    }
    lanes[at.lane] = sum;
    workgroupBarrier();
    if (at.lane == 0u) & (value(at) < LEN) {
        var all = 0.0;
        for (var l = 0u; l < 64u; l += 1u) {
            all += lanes[l];
        }
        out[value(at)] = all;
    }
}
