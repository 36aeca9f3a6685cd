// Forward over whole rows: their statistics, then every element's value.
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
struct Known { centre: f32, stats: Stats, nan: bool } //#stub
fn known(lane: u32, place: Place) -> Known { return Known(1.0, Stats(1.0), lane == place.row); } //#stub
fn strip_seen(place: Place, k: u32) -> Strip { return Strip(); } //#stub
fn strip_kept(place: Place, k: u32, z: Strip, centre: f32) -> Strip { return z; } //#stub
fn strip_value(k: u32, kept: Strip, stats: Stats) -> Strip { return kept; } //#stub
fn strip_behind(place: Place, k: u32, value: Strip, nan: bool) { _ = k; } //#stub

fn go(group: u32, lane: u32, turn: u32) {
    let place = place_of(group, lane, turn);
    let row = known(lane, place);
    for (var k = first_word(lane); k < place.words; k += WORDS * BESIDE) {
        let kept = strip_kept(place, k, strip_seen(place, k), row.centre);
        strip_behind(place, k, strip_value(k, kept, row.stats), row.nan);
    }
}
