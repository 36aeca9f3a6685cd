// Forward over rows that are held.
//#use rows/place.wgsl
//#use rows/held_statistics.wgsl
//#use rows/strip_forward.wgsl
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
override LANES: u32 = 64u; //#stub
struct Strip { a: V, b: V, c: V, d: V } //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn place_of(group: u32, lane: u32, turn: u32) -> Place { return Place(group, lane, turn, 1u); } //#stub
struct Args { row: u32, block: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Known { kept: Strip, stats: Stats, nan: bool } //#stub
fn known(lane: u32, place: Place) -> Known { return Known(Strip(), Stats(1.0), lane == place.row); } //#stub
fn strip_value(k: u32, kept: Strip, stats: Stats) -> Strip { return kept; } //#stub
fn strip_behind(place: Place, k: u32, value: Strip, nan: bool) { _ = k; } //#stub

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = workgroup.y * args.row + workgroup.x;
    let own = lane & (BESIDE - 1u);
    let place = place_of(group, lane, 0u);
    let row = known(lane, place);
    strip_behind(place, own, strip_value(own, row.kept, row.stats), row.nan);
}
