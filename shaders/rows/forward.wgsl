// Forward over whole rows: their statistics, then every element's value.
//#use rows/lane_counts.wgsl
//#use rows/place.wgsl
//#use rows/statistics.wgsl
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
fn behind(i: u32, value: V, nan: bool) { _ = i; } //#stub
struct Args { row: u32, block: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    for (var turn = 0u; turn < args.block; turn += 1u) {
        let place = place_of(group, lane, turn);
        let row = known(lane, place);
        for (var k = lane & (BESIDE - 1u); k < place.words; k += BESIDE) {
            let i = place.first + k * place.step;
            let kept = row_kept(seen(i, place, k), columns_of(k), row.centre);
            behind(i, row_value(kept, columns_of(k), row.stats), row.nan);
        }
    }
}
