// Backward from the values over rows that are held: these and their gradients.
//#use rows/place.wgsl
//#use rows/strip.wgsl
//#use rows/strip_back.wgsl
//#use rows/strip_from_y.wgsl
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
struct Part { nan: u32 } //#stub
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub
fn strip_gradient(place: Place, k: u32, value: Strip) -> Strip { return value; } //#stub
fn strip_part(value: Strip, gradient: Strip) -> Part { return Part(u32(value.a.x)); } //#stub
fn strip_back(place: Place, k: u32, value: Strip, gradient: Strip, sums: Part, stats: Stats) -> Strip { return value; } //#stub
fn strip_given(place: Place, k: u32) -> Strip { return Strip(); } //#stub
fn strip_has_nan(s: Strip) -> bool { return s.a.x == 0.0; } //#stub
fn strip_stored(place: Place, k: u32, dz: Strip, nan: bool) { _ = k; } //#stub

fn go(group: u32, lane: u32, turn: u32) {
    let own = first_word(lane);
    let place = place_of(group, lane, turn);
    let value = strip_given(place, own);
    let gradient = strip_gradient(place, own, value);
    var part = strip_part(value, gradient);
    part.nan |= select(0u, 1u, strip_has_nan(value));
    let sums = part_joined(lane, part);
    strip_stored(place, own, strip_back(place, own, value, gradient, sums, Stats()), sums.nan > 0u);
}
