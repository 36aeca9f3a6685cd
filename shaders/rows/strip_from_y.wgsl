// Strips of values that are given, and where gradients go.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V } //#stub
struct Args { words: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn word_of(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn has_word(place: Place, k: u32, i: u32) -> bool { return k < i; } //#stub
fn given(i: u32) -> V { return V(f32(i)); } //#stub
fn back(i: u32, dz: V, nan: bool) { _ = i; } //#stub

fn word_given(place: Place, k: u32, i: u32) -> V {
    let there = min(word_of(k, i), args.words - 1u);
    return select(V(0.0), given(place.first + there * place.step), has_word(place, k, i));
}

fn strip_given(place: Place, k: u32) -> Strip {
    var s: Strip;
    s.a = word_given(place, k, 0u);
    if WORDS > 1u { s.b = word_given(place, k, 1u); }
    if WORDS > 2u { s.c = word_given(place, k, 2u); }
    if WORDS > 3u { s.d = word_given(place, k, 3u); }
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
}
