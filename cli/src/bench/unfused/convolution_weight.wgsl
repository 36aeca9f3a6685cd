// The gradient of a depthwise convolution's window: a workgroup for each of its rows, of up to seven elements. Its
// invocations ("lanes") take every 64th element of the channel, which has a part in each element of the row; then a lane
// for each element adds up what they have.

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

// The row that a workgroup sums up, among those of all windows.
fn window_row(at: At) -> u32 {
    return at.workgroup.y * at.grid.x + at.workgroup.x;
}

var<workgroup> lanes: array<array<f32, 64>, 7>;

// x at a place, or zero beside the plane.
fn tap(row: Row, column: i32) -> f32 {
    let inside = row.inside & (column >= 0) & (column < i32(COLUMNS));
    return select(0.0, x[row.first + u32(select(0, column, inside))], inside);
}

// A row of a plane, if there is such a one, and where it begins.
struct Row {
    inside: bool,
    first: u32,
}

@compute @workgroup_size(64)
fn weight_gradient(at: At) {
    let channel = window_row(at) / HEIGHT;
    let down = i32(window_row(at) % HEIGHT) - i32(HEIGHT / 2u);
    // Variables of their own, since drivers keep an array in memory.
    var sum_0 = 0.0;
    var sum_1 = 0.0;
    var sum_2 = 0.0;
    var sum_3 = 0.0;
    var sum_4 = 0.0;
    var sum_5 = 0.0;
    var sum_6 = 0.0;
    for (var k = at.lane; k < SAMPLES * PLACES; k += 64u) {
        let plane = (k / PLACES * CHANNELS + channel) * PLACES;
        let p = k % PLACES;
        let own = d[plane + p];
        let y = i32(p / COLUMNS) + down;
        let inside = (y >= 0) & (y < i32(ROWS));
        let row = Row(inside, plane + u32(select(0, y, inside)) * COLUMNS);
        let column = i32(p % COLUMNS) - i32(WIDTH / 2u);
        sum_0 += own * tap(row, column);
        if WIDTH > 1u {
            sum_1 += own * tap(row, column + 1);
        }
        if WIDTH > 2u {
            sum_2 += own * tap(row, column + 2);
        }
        if WIDTH > 3u {
            sum_3 += own * tap(row, column + 3);
        }
        if WIDTH > 4u {
            sum_4 += own * tap(row, column + 4);
        }
        if WIDTH > 5u {
            sum_5 += own * tap(row, column + 5);
        }
        if WIDTH > 6u {
            sum_6 += own * tap(row, column + 6);
        }
    }
    lanes[0][at.lane] = sum_0;
    lanes[1][at.lane] = sum_1;
    lanes[2][at.lane] = sum_2;
    lanes[3][at.lane] = sum_3;
    lanes[4][at.lane] = sum_4;
    lanes[5][at.lane] = sum_5;
    lanes[6][at.lane] = sum_6;
    workgroupBarrier();
    let result = window_row(at) * WIDTH + at.lane;
    if (at.lane < WIDTH) & (result < LEN) {
        var all = 0.0;
        for (var l = 0u; l < 64u; l += 1u) {
            all += lanes[at.lane][l];
        }
        out[result] = all;
    }
}
