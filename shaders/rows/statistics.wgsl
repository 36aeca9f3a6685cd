// What is known of a row from all of its elements: what they are measured from, and what they are measured by. A row's
// elements are loaded twice here, but for functions that need no centre.
//#use rows/lane_counts.wgsl
//#use rows/sums.wgsl
override BESIDE: u32 = 64u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Part { a: f32, b: f32, nan: u32 } //#stub
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub
fn first_joined(lane: u32, own: First) -> First { return own; } //#stub
fn term_joined(lane: u32, own: Term) -> Term { return own; } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub
fn columns_of(k: u32) -> C { return C(k); } //#stub
struct Stats { by: f32 } //#stub
const HAS_FIRST: bool = true; //#stub
const FIRST_NOTHING: f32 = 0.0; //#stub
const NOTHING: f32 = 0.0; //#stub
fn row_first(z: V) -> f32 { return z.x; } //#stub
fn row_join_first(a: f32, b: f32) -> f32 { return max(a, b); } //#stub
fn row_centre(first: f32, parameter: f32) -> f32 { return max(first, parameter); } //#stub
fn row_kept(z: V, column: C, centre: f32) -> V { return z - V(centre); } //#stub
fn row_term(kept: V) -> f32 { return kept.x; } //#stub
fn row_join(a: f32, b: f32) -> f32 { return a + b; } //#stub
fn row_stats(centre: f32, sum: f32, parameter: f32) -> Stats { return Stats(sum); } //#stub
fn row_is_lost(centre: f32, parameter: f32) -> bool { return centre > parameter; } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn seen(i: u32, place: Place, k: u32) -> V { return V(f32(i)); } //#stub
fn parameter(i: u32) -> f32 { return f32(i); } //#stub

struct First {
    v: f32,
    nan: u32,
}

fn first_plus(a: First, b: First) -> First {
    return First(row_join_first(a.v, b.v), a.nan | b.nan);
}

struct Term {
    v: f32,
    nan: u32,
}

fn term_plus(a: Term, b: Term) -> Term {
    return Term(row_join(a.v, b.v), a.nan | b.nan);
}

struct Known {
    centre: f32,
    stats: Stats,
    nan: bool,
}

// No running sum is long: sixteen terms are added to a part, parts to the total.
fn known(lane: u32, place: Place) -> Known {
    let own = lane & (BESIDE - 1u);
    var first = First(FIRST_NOTHING, 0u);
    if HAS_FIRST {
        for (var k = own; k < place.words; k += BESIDE) {
            let z = seen(place.first + k * place.step, place, k);
            first = first_plus(first, First(row_first(z), select(0u, 1u, has_nan(z))));
        }
        first = first_joined(lane, first);
    }
    let p = parameter(place.first);
    let centre = row_centre(first.v, p);
    var total = Term(NOTHING, 0u);
    var part = Term(NOTHING, 0u);
    var count = 0u;
    for (var k = own; k < place.words; k += BESIDE) {
        let z = seen(place.first + k * place.step, place, k);
        // Where a centre was looked for, NaN was seen.
        let nan = select(0u, 1u, !HAS_FIRST & has_nan(z));
        part = term_plus(part, Term(row_term(row_kept(z, columns_of(k), centre)), nan));
        count += 1u;
        if (count & 15u) == 0u {
            total = term_plus(total, part);
            part = Term(NOTHING, 0u);
        }
    }
    let sum = term_joined(lane, term_plus(total, part));
    let nan = ((first.nan | sum.nan) > 0u) | row_is_lost(centre, p);
    return Known(centre, row_stats(centre, sum.v, p), nan);
}
