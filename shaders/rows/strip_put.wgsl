// Stores a strip's gradients, and adds up what is summed: what columns have, in memory.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Args { words: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct Terms { nan: u32 } //#stub
fn terms_plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
struct ColumnSums { nothing: u32 } //#stub
struct Put { terms: Terms, sums: ColumnSums } //#stub
fn word_of(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn has_word(place: Place, k: u32, i: u32) -> bool { return k < i; } //#stub
fn back(i: u32, column: u32, old: ColumnSums, dz: V, value: V, lost: bool, nan: bool) -> Put { return Put(Terms(i), old); } //#stub
fn sums_put(slot: u32, column: u32, sums: ColumnSums) { _ = slot; } //#stub
const WIDTH: u32 = 4u; //#stub
fn sums_at(slot: u32, column: u32) -> ColumnSums { return ColumnSums(slot); } //#stub

// Which of the rows that are summed together a lane is at, whether it is the first of them, and whether the row's values, or
// its gradients, are NaN.
struct Turn {
    slot: u32,
    is_first: bool,
    lost: bool,
    nan: bool,
}

fn word_put(place: Place, k: u32, i: u32, turn: Turn, dz: V, value: V) -> Terms {
    let there = word_of(k, i);
    var put = Put();
    if there < args.words {
        // What lies where the first sums go is nobody's, and where there is no row for them they are zero.
        if !turn.is_first {
            put.sums = sums_at(turn.slot, there * WIDTH);
        }
        if has_word(place, k, i) {
            let at = place.first + there * place.step;
            put = back(at, there * WIDTH, put.sums, dz, value, turn.lost, turn.nan);
        }
        sums_put(turn.slot, there * WIDTH, put.sums);
    }
    return put.terms;
}

fn strip_put(place: Place, k: u32, turn: Turn, dz: Strip, value: Strip) -> Terms {
    var terms = word_put(place, k, 0u, turn, dz.a, value.a);
    if WORDS > 1u { terms = terms_plus(terms, word_put(place, k, 1u, turn, dz.b, value.b)); }
    if WORDS > 2u { terms = terms_plus(terms, word_put(place, k, 2u, turn, dz.c, value.c)); }
    if WORDS > 3u { terms = terms_plus(terms, word_put(place, k, 3u, turn, dz.d, value.d)); }
    if WORDS > 4u { terms = terms_plus(terms, word_put(place, k, 4u, turn, dz.e, value.e)); }
    if WORDS > 5u { terms = terms_plus(terms, word_put(place, k, 5u, turn, dz.f, value.f)); }
    if WORDS > 6u { terms = terms_plus(terms, word_put(place, k, 6u, turn, dz.g, value.g)); }
    if WORDS > 7u { terms = terms_plus(terms, word_put(place, k, 7u, turn, dz.h, value.h)); }
    return terms;
}
