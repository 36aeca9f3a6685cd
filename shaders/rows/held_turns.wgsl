// Backward over rows that are held: each lane has rows one after another, as many as `block` says, and holds what its columns
// add up to.
//#use rows/held_gradients.wgsl
//#use rows/strip_held.wgsl
//#use rows/row_sums.wgsl
//#use rows/lane_counts.wgsl
override LANES: u32 = 64u; //#stub
struct Args { row: u32, block: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
alias V = vec4<f32>; //#stub
struct Part { nan: u32 } //#stub
struct Stats { by: f32 } //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct RowBack { place: Place, value: Strip, dz: Strip, sums: Part, stats: Stats, lost: bool, nan: bool } //#stub
fn gradients(group: u32, lane: u32, turn: u32) -> RowBack { return RowBack(Place(group, lane, turn, 1u), Strip(), Strip(), Part(0u), Stats(1.0), false, false); } //#stub
fn first_word(lane: u32) -> u32 { return lane; } //#stub
fn slot_of(group: u32, lane: u32) -> u32 { return group + lane; } //#stub
struct Terms { nan: u32 } //#stub
struct ColumnSums { nothing: u32 } //#stub
struct HeldSums { a: ColumnSums, b: ColumnSums, c: ColumnSums, d: ColumnSums, e: ColumnSums, f: ColumnSums, g: ColumnSums, h: ColumnSums } //#stub
struct Held { terms: Terms, sums: HeldSums } //#stub
fn strip_held(place: Place, k: u32, dz: Strip, value: Strip, old: HeldSums, lost: bool, nan: bool) -> Held { return Held(Terms(k), old); } //#stub
fn strip_summed(slot: u32, k: u32, sums: HeldSums) { _ = slot + k; } //#stub
fn put_row(lane: u32, is_first: bool, place: Place, own: Terms, sums: Part, stats: Stats, nan: bool) { _ = lane; } //#stub

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    let own = first_word(lane);
    var held: Held;
    for (var turn = 0u; turn < args.block; turn += 1u) {
        let row = gradients(group, lane, turn);
        held = strip_held(row.place, own, row.dz, row.value, held.sums, row.lost, row.nan);
        put_row(lane, own == 0u, row.place, held.terms, row.sums, row.stats, row.nan);
    }
    strip_summed(slot_of(group, lane), own, held.sums);
}
