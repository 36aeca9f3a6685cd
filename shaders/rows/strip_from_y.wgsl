// Strips of values that are given, and where gradients go.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn word_to_load(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn word_of(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn has_word(place: Place, k: u32, i: u32) -> bool { return k < i; } //#stub
fn given(i: u32) -> V { return V(f32(i)); } //#stub
fn back(i: u32, dz: V, nan: bool) { _ = i; } //#stub

fn word_given(place: Place, k: u32, i: u32) -> V {
    let there = word_to_load(k, i);
    return select(V(0.0), given(place.first + there * place.step), has_word(place, k, i));
}

fn strip_given(place: Place, k: u32) -> Strip {
    var s: Strip;
    s.a = word_given(place, k, 0u);
    if WORDS > 1u { s.b = word_given(place, k, 1u); }
    if WORDS > 2u { s.c = word_given(place, k, 2u); }
    if WORDS > 3u { s.d = word_given(place, k, 3u); }
    if WORDS > 4u { s.e = word_given(place, k, 4u); }
    if WORDS > 5u { s.f = word_given(place, k, 5u); }
    if WORDS > 6u { s.g = word_given(place, k, 6u); }
    if WORDS > 7u { s.h = word_given(place, k, 7u); }
    return s;
}

fn word_stored(place: Place, k: u32, i: u32, dz: V, nan: bool) {
    if has_word(place, k, i) {
        back(place.first + word_of(k, i) * place.step, dz, nan);
    }
}

fn strip_stored(place: Place, k: u32, dz: Strip, nan: bool) {
    word_stored(place, k, 0u, dz.a, nan);
    if WORDS > 1u { word_stored(place, k, 1u, dz.b, nan); }
    if WORDS > 2u { word_stored(place, k, 2u, dz.c, nan); }
    if WORDS > 3u { word_stored(place, k, 3u, dz.d, nan); }
    if WORDS > 4u { word_stored(place, k, 4u, dz.e, nan); }
    if WORDS > 5u { word_stored(place, k, 5u, dz.f, nan); }
    if WORDS > 6u { word_stored(place, k, 6u, dz.g, nan); }
    if WORDS > 7u { word_stored(place, k, 7u, dz.h, nan); }
}
