// Backward over whole rows: their statistics, then the sums of the gradients of the values, then every element's gradient.
//#use rows/lane_counts.wgsl
//#use rows/place.wgsl
//#use rows/statistics.wgsl
//#use rows/back.wgsl
override LANES: u32 = 64u; //#stub
override BESIDE: u32 = 64u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Stats { by: f32 } //#stub
struct Known { centre: f32, stats: Stats, nan: bool } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn known(lane: u32, place: Place) -> Known { return Known(f32(lane + place.row), Stats(1.0), false); } //#stub
fn place_of(group: u32, lane: u32, turn: u32) -> Place { return Place(group, lane, turn, 1u); } //#stub
fn columns_of(k: u32) -> C { return C(k); } //#stub
fn seen(i: u32, place: Place, k: u32) -> V { return V(f32(i)); } //#stub
fn row_kept(z: V, column: C, centre: f32) -> V { return z - V(centre); } //#stub
fn row_value(kept: V, column: C, s: Stats) -> V { return kept * V(s.by); } //#stub
struct Part { a: f32, b: f32, nan: u32 } //#stub
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub
fn part_of(value: V, gradient: V) -> Part { return Part(value.x, gradient.x, 0u); } //#stub
fn part_plus(x: Part, y: Part) -> Part { return Part(x.a + y.a, x.b + y.b, x.nan | y.nan); } //#stub
fn unseen(gradient: V, place: Place, k: u32) -> V { return gradient; } //#stub
fn row_back(value: V, gradient: V, sum: f32, product: f32, s: Stats) -> V { return value * gradient; } //#stub
fn row_parameter_back(product: f32, s: Stats) -> f32 { return product * s.by; } //#stub
struct Args { row: u32, block: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Terms { nan: u32 } //#stub
fn terms_plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
fn gradient(i: u32, value: V) -> V { return value; } //#stub
fn back(i: u32, column: u32, turn: Turn, dz: V, value: V, lost: bool, nan: bool) -> Terms { return Terms(i); } //#stub
fn put(row: u32, sum: Terms) { _ = row; } //#stub
fn put_parameter(row: u32, term: f32, nan: bool) { _ = row; } //#stub
fn terms_joined(lane: u32, own: Terms) -> Terms { return own; } //#stub
const WIDTH: u32 = 4u; //#stub
fn slot_of(group: u32, lane: u32) -> u32 { return group + lane; } //#stub
const HAS_SUMS: bool = true; //#stub

// Which of the rows that are summed together a lane is at, and whether it is the first of them.
struct Turn {
    slot: u32,
    is_first: bool,
}

fn value_at(i: u32, k: u32, place: Place, row: Known) -> V {
    return row_value(row_kept(seen(i, place, k), columns_of(k), row.centre), columns_of(k), row.stats);
}

// No running sum is long: sixteen terms are added to a part, parts to the total.
fn sums_of_row(lane: u32, place: Place, row: Known) -> Part {
    var total = Part();
    var part = Part();
    var count = 0u;
    for (var k = lane & (BESIDE - 1u); k < place.words; k += BESIDE) {
        let i = place.first + k * place.step;
        let value = value_at(i, k, place, row);
        part = part_plus(part, part_of(value, gradient(i, value)));
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
    let own = lane & (BESIDE - 1u);
    for (var turn = 0u; turn < args.block; turn += 1u) {
        let place = place_of(group, lane, turn);
        let row = known(lane, place);
        let sums = sums_of_row(lane, place, row);
        let nan = row.nan | (sums.nan > 0u);
        let here = Turn(slot_of(group, lane), turn == 0u);
        var terms = Terms();
        for (var k = own; k < place.words; k += BESIDE) {
            let i = place.first + k * place.step;
            let value = value_at(i, k, place, row);
            let dz = unseen(row_back(value, gradient(i, value), sums.a, sums.b, row.stats), place, k);
            terms = terms_plus(terms, back(i, k * WIDTH, here, dz, value, row.nan, nan));
        }
        if HAS_SUMS {
            terms = terms_joined(lane, terms);
            if (own == 0u) & (place.words > 0u) {
                put(place.row, terms);
                put_parameter(place.row, row_parameter_back(sums.b, row.stats), nan);
            }
        }
    }
}
