// What is known of a row from all of its elements: what they are measured from, and what they are measured by. They are
// loaded twice here, but for functions that need no centre.
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
fn row_centre(first: f32, parameter: f32) -> f32 { return max(first, parameter); } //#stub
fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats { return Stats(sum); } //#stub
fn row_is_lost(centre: f32, parameter: f32) -> bool { return centre > parameter; } //#stub
fn parameter(i: u32) -> f32 { return f32(i); } //#stub
fn first_plus(a: First, b: First) -> First { return First(a.v + b.v, a.nan | b.nan); } //#stub
fn term_plus(a: Term, b: Term) -> Term { return Term(a.v + b.v, a.nan | b.nan); } //#stub

struct Known {
    centre: f32,
    stats: Stats,
    nan: bool,
}

// No running sum is long: eight strips are added to a part, parts to the total.
fn known(lane: u32, place: Place) -> Known {
    let own = lane & (BESIDE - 1u);
    var first = First(FIRST_NOTHING, 0u);
    if HAS_FIRST {
        for (var k = own; k < place.words; k += WORDS * BESIDE) {
            let z = strip_seen(place, k);
            first = first_plus(first, First(strip_first(z), select(0u, 1u, strip_has_nan(z))));
        }
        first = first_joined(lane, first);
    }
    let p = parameter(place.first);
    let centre = row_centre(first.v, p);
    var total = Term(NOTHING, first.nan);
    var part = Term(NOTHING, 0u);
    var count = 0u;
    for (var k = own; k < place.words; k += WORDS * BESIDE) {
        let z = strip_seen(place, k);
        // Where a centre was looked for, NaN was seen.
        let nan = select(0u, 1u, !HAS_FIRST & strip_has_nan(z));
        part = term_plus(part, Term(strip_term(strip_kept(place, k, z, centre)), nan));
        count += 1u;
        if (count & 7u) == 0u {
            total = term_plus(total, part);
            part = Term(NOTHING, 0u);
        }
    }
    let sum = term_joined(lane, term_plus(total, part));
    return Known(centre, row_stats(centre, sum.v, p), (sum.nan > 0u) | row_is_lost(centre, p));
}
