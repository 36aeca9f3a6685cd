// What is known of a row whose lanes hold all of it, one strip, and what they keep of that.
//#use rows/strip.wgsl
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
fn first_word(lane: u32) -> u32 { return lane; } //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
alias First = u32; //#stub
alias Term = f32; //#stub
const FIRST_NOTHING: f32 = 0.0; //#stub
fn first_seen(first: f32, nan: bool) -> First { return select(u32(first), 1u, nan); } //#stub
fn first_joined(lane: u32, own: First) -> First { return own; } //#stub
fn first_value(first: First) -> f32 { return f32(first); } //#stub
fn term_seen(sum: f32, nan: bool) -> Term { return select(sum, 1.0, nan); } //#stub
fn term_joined(lane: u32, own: Term) -> Term { return own; } //#stub
fn term_value(term: Term) -> f32 { return term; } //#stub
fn strip_seen(place: Place, k: u32) -> Strip { return Strip(); } //#stub
fn strip_has_nan(s: Strip) -> bool { return s.a.x == 0.0; } //#stub
fn strip_first(s: Strip) -> f32 { return s.a.x; } //#stub
fn strip_kept(place: Place, k: u32, z: Strip, centre: f32) -> Strip { return z; } //#stub
fn strip_term(kept: Strip) -> f32 { return kept.a.x; } //#stub
fn row_centre(first: f32, parameter: f32) -> f32 { return max(first, parameter); } //#stub
fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats { return Stats(sum); } //#stub
fn row_is_lost(first: First, centre: f32, sum: Term, parameter: f32) -> bool { return centre > parameter; } //#stub
fn parameter(i: u32) -> f32 { return f32(i); } //#stub
const HAS_FIRST: bool = true; //#stub

struct Known {
    kept: Strip,
    stats: Stats,
    nan: bool,
}

fn known(lane: u32, place: Place) -> Known {
    let own = first_word(lane);
    let z = strip_seen(place, own);
    let nan = strip_has_nan(z);
    var first = first_seen(FIRST_NOTHING, nan);
    if HAS_FIRST {
        first = first_joined(lane, first_seen(strip_first(z), nan));
    }
    let p = parameter(place.first);
    let centre = row_centre(first_value(first), p);
    let kept = strip_kept(place, own, z, centre);
    let sum = term_joined(lane, term_seen(strip_term(kept), nan));
    return Known(kept, row_stats(centre, term_value(sum), p), row_is_lost(first, centre, sum, p));
}
