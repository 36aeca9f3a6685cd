// Stores a strip's gradients, and adds up what is summed: what columns have, held by the lane that has these of every row.
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

struct HeldSums {
    a: ColumnSums,
    b: ColumnSums,
    c: ColumnSums,
    d: ColumnSums,
    e: ColumnSums,
    f: ColumnSums,
    g: ColumnSums,
    h: ColumnSums,
}

struct Held {
    terms: Terms,
    sums: HeldSums,
}

fn word_held(place: Place, k: u32, i: u32, dz: V, value: V, old: ColumnSums, lost: bool, nan: bool) -> Put {
    var put = Put(Terms(), old);
    if has_word(place, k, i) {
        let there = word_of(k, i);
        put = back(place.first + there * place.step, there * WIDTH, old, dz, value, lost, nan);
    }
    return put;
}

fn strip_held(place: Place, k: u32, dz: Strip, value: Strip, old: HeldSums, lost: bool, nan: bool) -> Held {
    var held: Held;
    var put = word_held(place, k, 0u, dz.a, value.a, old.a, lost, nan);
    held.terms = put.terms;
    held.sums.a = put.sums;
    if WORDS > 1u {
        put = word_held(place, k, 1u, dz.b, value.b, old.b, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.b = put.sums;
    }
    if WORDS > 2u {
        put = word_held(place, k, 2u, dz.c, value.c, old.c, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.c = put.sums;
    }
    if WORDS > 3u {
        put = word_held(place, k, 3u, dz.d, value.d, old.d, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.d = put.sums;
    }
    if WORDS > 4u {
        put = word_held(place, k, 4u, dz.e, value.e, old.e, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.e = put.sums;
    }
    if WORDS > 5u {
        put = word_held(place, k, 5u, dz.f, value.f, old.f, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.f = put.sums;
    }
    if WORDS > 6u {
        put = word_held(place, k, 6u, dz.g, value.g, old.g, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.g = put.sums;
    }
    if WORDS > 7u {
        put = word_held(place, k, 7u, dz.h, value.h, old.h, lost, nan);
        held.terms = terms_plus(held.terms, put.terms);
        held.sums.h = put.sums;
    }
    return held;
}

fn word_summed(slot: u32, k: u32, i: u32, sums: ColumnSums) {
    let there = word_of(k, i);
    if there < args.words {
        sums_put(slot, there * WIDTH, sums);
    }
}

fn strip_summed(slot: u32, k: u32, sums: HeldSums) {
    word_summed(slot, k, 0u, sums.a);
    if WORDS > 1u { word_summed(slot, k, 1u, sums.b); }
    if WORDS > 2u { word_summed(slot, k, 2u, sums.c); }
    if WORDS > 3u { word_summed(slot, k, 3u, sums.d); }
    if WORDS > 4u { word_summed(slot, k, 4u, sums.e); }
    if WORDS > 5u { word_summed(slot, k, 5u, sums.f); }
    if WORDS > 6u { word_summed(slot, k, 6u, sums.g); }
    if WORDS > 7u { word_summed(slot, k, 7u, sums.h); }
}
