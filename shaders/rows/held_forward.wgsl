// Forward over rows that are held.
//#use rows/place.wgsl
//#use rows/strip.wgsl
//#use rows/strip_forward.wgsl
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
fn first_word(lane: u32) -> u32 { return lane; } //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn place_of(group: u32, lane: u32, turn: u32) -> Place { return Place(group, lane, turn, 1u); } //#stub
struct Known { kept: Strip, stats: Stats, nan: bool } //#stub
fn known(lane: u32, place: Place) -> Known { return Known(Strip(), Stats(1.0), lane == place.row); } //#stub
fn strip_value(k: u32, kept: Strip, stats: Stats) -> Strip { return kept; } //#stub
fn strip_behind(place: Place, k: u32, value: Strip, nan: bool) { _ = k; } //#stub

fn go(group: u32, lane: u32, turn: u32) {
    let own = first_word(lane);
    let place = place_of(group, lane, turn);
    let row = known(lane, place);
    strip_behind(place, own, strip_value(own, row.kept, row.stats), row.nan);
}
