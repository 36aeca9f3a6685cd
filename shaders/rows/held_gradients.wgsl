// The gradients of what the row step is applied to, over rows that are held: their values and the gradients of these.
//#use rows/place.wgsl
//#use rows/strip.wgsl
//#use rows/strip_back.wgsl
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
struct Part { nan: u32 } //#stub
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub
fn strip_gradient(place: Place, k: u32, value: Strip) -> Strip { return value; } //#stub
fn strip_part(value: Strip, gradient: Strip) -> Part { return Part(u32(value.a.x)); } //#stub
fn strip_back(place: Place, k: u32, value: Strip, gradient: Strip, sums: Part, stats: Stats) -> Strip { return value; } //#stub

struct RowBack {
    place: Place,
    value: Strip,
    dz: Strip,
    sums: Part,
    stats: Stats,
    lost: bool,
    nan: bool,
}

fn gradients(group: u32, lane: u32, turn: u32) -> RowBack {
    let own = first_word(lane);
    let place = place_of(group, lane, turn);
    let row = known(lane, place);
    let value = strip_value(own, row.kept, row.stats);
    let gradient = strip_gradient(place, own, value);
    let sums = part_joined(lane, strip_part(value, gradient));
    let dz = strip_back(place, own, value, gradient, sums, row.stats);
    return RowBack(place, value, dz, sums, row.stats, row.nan, row.nan | (sums.nan > 0u));
}
