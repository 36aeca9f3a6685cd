// Stores what becomes of a strip's values.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn word_of(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn has_word(place: Place, k: u32, i: u32) -> bool { return k < i; } //#stub
fn behind(i: u32, value: V, nan: bool) { _ = i; } //#stub

fn word_behind(place: Place, k: u32, i: u32, value: V, nan: bool) {
    if has_word(place, k, i) {
        behind(place.first + word_of(k, i) * place.step, value, nan);
    }
}

fn strip_behind(place: Place, k: u32, value: Strip, nan: bool) {
    word_behind(place, k, 0u, value.a, nan);
    if WORDS > 1u { word_behind(place, k, 1u, value.b, nan); }
    if WORDS > 2u { word_behind(place, k, 2u, value.c, nan); }
    if WORDS > 3u { word_behind(place, k, 3u, value.d, nan); }
    if WORDS > 4u { word_behind(place, k, 4u, value.e, nan); }
    if WORDS > 5u { word_behind(place, k, 5u, value.f, nan); }
    if WORDS > 6u { word_behind(place, k, 6u, value.g, nan); }
    if WORDS > 7u { word_behind(place, k, 7u, value.h, nan); }
}
