// Backward from the value over whole rows: the sums of the gradients of the values, then every element's gradient.
//#use rows/lane_counts.wgsl
//#use rows/place.wgsl
//#use rows/back.wgsl
override LANES: u32 = 64u; //#stub
override BESIDE: u32 = 64u; //#stub
alias V = vec4<f32>; //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn place_of(group: u32, lane: u32, turn: u32) -> Place { return Place(group, lane, turn, 1u); } //#stub
struct Part { a: f32, b: f32, nan: u32 } //#stub
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub
fn part_of(value: V, gradient: V) -> Part { return Part(value.x, gradient.x, 0u); } //#stub
fn part_plus(x: Part, y: Part) -> Part { return Part(x.a + y.a, x.b + y.b, x.nan | y.nan); } //#stub
fn unseen(gradient: V, place: Place, k: u32) -> V { return gradient; } //#stub
fn row_back(value: V, gradient: V, sum: f32, product: f32, s: Stats) -> V { return value * gradient; } //#stub
struct Args { row: u32, block: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
fn value(i: u32) -> V { return V(f32(i)); } //#stub
fn gradient(i: u32) -> V { return V(f32(i)); } //#stub
fn back(i: u32, dz: V, nan: bool) { _ = i; } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub

// No running sum is long: sixteen terms are added to a part, parts to the total.
fn sums_of_row(lane: u32, place: Place) -> Part {
    var total = Part();
    var part = Part();
    var count = 0u;
    for (var k = lane & (BESIDE - 1u); k < place.words; k += BESIDE) {
        let i = place.first + k * place.step;
        let v = value(i);
        part = part_plus(part, part_of(v, gradient(i)));
        part.nan |= select(0u, 1u, has_nan(v));
        count += 1u;
        if (count & 15u) == 0u {
            total = part_plus(total, part);
            part = Part();
        }
    }
    return part_joined(lane, part_plus(total, part));
}

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    for (var turn = 0u; turn < args.block; turn += 1u) {
        let place = place_of(group, lane, turn);
        let sums = sums_of_row(lane, place);
        for (var k = lane & (BESIDE - 1u); k < place.words; k += BESIDE) {
            let i = place.first + k * place.step;
            let dz = row_back(value(i), gradient(i), sums.a, sums.b, Stats());
            back(i, unseen(dz, place, k), sums.nan > 0u);
        }
    }
}
