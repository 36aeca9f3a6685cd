// What is known of a row whose lanes hold all of it, one strip, and what they keep of that.
//#use rows/strip.wgsl
//#use rows/folds.wgsl
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V } //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct Term { v: f32, nan: u32 } //#stub
struct First { v: f32, nan: u32 } //#stub
fn first_joined(lane: u32, own: First) -> First { return own; } //#stub
fn term_joined(lane: u32, own: Term) -> Term { return own; } //#stub
const HAS_FIRST: bool = true; //#stub
const FIRST_NOTHING: f32 = 0.0; //#stub
const NOTHING: f32 = 0.0; //#stub
fn strip_seen(place: Place, k: u32) -> Strip { return Strip(); } //#stub
fn strip_has_nan(s: Strip) -> bool { return s.a.x == 0.0; } //#stub
fn strip_first(s: Strip) -> f32 { return s.a.x; } //#stub
fn strip_kept(place: Place, k: u32, z: Strip, centre: f32) -> Strip { return z; } //#stub
fn strip_term(kept: Strip) -> f32 { return kept.a.x; } //#stub
fn row_join_first(a: f32, b: f32) -> f32 { return max(a, b); } //#stub
fn row_centre(first: f32, parameter: f32) -> f32 { return max(first, parameter); } //#stub
fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats { return Stats(sum); } //#stub
fn row_is_lost(centre: f32, parameter: f32) -> bool { return centre > parameter; } //#stub
fn parameter(i: u32) -> f32 { return f32(i); } //#stub

struct Known {
    kept: Strip,
    stats: Stats,
    nan: bool,
}

fn known(lane: u32, place: Place) -> Known {
    let own = lane & (BESIDE - 1u);
    let z = strip_seen(place, own);
    let nan = select(0u, 1u, strip_has_nan(z));
    var first = First(FIRST_NOTHING, nan);
    if HAS_FIRST {
        first = first_joined(lane, First(row_join_first(FIRST_NOTHING, strip_first(z)), nan));
    }
    let p = parameter(place.first);
    let centre = row_centre(first.v, p);
    let kept = strip_kept(place, own, z, centre);
    let sum = term_joined(lane, Term(strip_term(kept), nan));
    return Known(kept, row_stats(centre, sum.v, p), (sum.nan > 0u) | row_is_lost(centre, p));
}
