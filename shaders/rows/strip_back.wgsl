// A strip's gradients.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct Part { nan: u32 } //#stub
struct Stats { by: f32 } //#stub
fn part_plus(x: Part, y: Part) -> Part { return Part(x.nan | y.nan); } //#stub
fn part_of(value: V, gradient: V) -> Part { return Part(u32(value.x)); } //#stub
fn word_to_load(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn word_of(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn has_word(place: Place, k: u32, i: u32) -> bool { return k < i; } //#stub
fn gradient(i: u32, value: V) -> V { return value; } //#stub
fn unseen(gradient: V, place: Place, k: u32) -> V { return gradient; } //#stub
fn row_back(value: V, gradient: V, sums: Part, s: Stats) -> V { return value * gradient; } //#stub

fn word_gradient(place: Place, k: u32, i: u32, value: V) -> V {
    let there = word_to_load(k, i);
    let g = gradient(place.first + there * place.step, value);
    return select(V(0.0), g, has_word(place, k, i));
}

fn strip_gradient(place: Place, k: u32, value: Strip) -> Strip {
    var s: Strip;
    s.a = word_gradient(place, k, 0u, value.a);
    if WORDS > 1u { s.b = word_gradient(place, k, 1u, value.b); }
    if WORDS > 2u { s.c = word_gradient(place, k, 2u, value.c); }
    if WORDS > 3u { s.d = word_gradient(place, k, 3u, value.d); }
    if WORDS > 4u { s.e = word_gradient(place, k, 4u, value.e); }
    if WORDS > 5u { s.f = word_gradient(place, k, 5u, value.f); }
    if WORDS > 6u { s.g = word_gradient(place, k, 6u, value.g); }
    if WORDS > 7u { s.h = word_gradient(place, k, 7u, value.h); }
    return s;
}

fn strip_part(value: Strip, gradient: Strip) -> Part {
    var part = part_of(value.a, gradient.a);
    if WORDS > 1u { part = part_plus(part, part_of(value.b, gradient.b)); }
    if WORDS > 2u { part = part_plus(part, part_of(value.c, gradient.c)); }
    if WORDS > 3u { part = part_plus(part, part_of(value.d, gradient.d)); }
    if WORDS > 4u { part = part_plus(part, part_of(value.e, gradient.e)); }
    if WORDS > 5u { part = part_plus(part, part_of(value.f, gradient.f)); }
    if WORDS > 6u { part = part_plus(part, part_of(value.g, gradient.g)); }
    if WORDS > 7u { part = part_plus(part, part_of(value.h, gradient.h)); }
    return part;
}

// The gradients of what the row step is applied to.
fn word_back(place: Place, k: u32, i: u32, value: V, gradient: V, sums: Part, stats: Stats) -> V {
    return unseen(row_back(value, gradient, sums, stats), place, word_of(k, i));
}

fn strip_back(place: Place, k: u32, value: Strip, gradient: Strip, sums: Part, stats: Stats) -> Strip {
    var s: Strip;
    s.a = word_back(place, k, 0u, value.a, gradient.a, sums, stats);
    if WORDS > 1u { s.b = word_back(place, k, 1u, value.b, gradient.b, sums, stats); }
    if WORDS > 2u { s.c = word_back(place, k, 2u, value.c, gradient.c, sums, stats); }
    if WORDS > 3u { s.d = word_back(place, k, 3u, value.d, gradient.d, sums, stats); }
    if WORDS > 4u { s.e = word_back(place, k, 4u, value.e, gradient.e, sums, stats); }
    if WORDS > 5u { s.f = word_back(place, k, 5u, value.f, gradient.f, sums, stats); }
    if WORDS > 6u { s.g = word_back(place, k, 6u, value.g, gradient.g, sums, stats); }
    if WORDS > 7u { s.h = word_back(place, k, 7u, value.h, gradient.h, sums, stats); }
    return s;
}
