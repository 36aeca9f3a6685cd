// A strip's gradients.
//#use rows/sums.wgsl
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V } //#stub
struct Args { words: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct Part { a: f32, b: f32, nan: u32 } //#stub
struct Stats { by: f32 } //#stub
fn part_plus(x: Part, y: Part) -> Part { return Part(x.a + y.a, x.b + y.b, x.nan | y.nan); } //#stub
fn word_of(k: u32, i: u32) -> u32 { return k + i; } //#stub
fn has_word(place: Place, k: u32, i: u32) -> bool { return k < i; } //#stub
fn sum_of(v: V) -> f32 { return v.x; } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub
fn masked(gradient: V, slope: V) -> V { return gradient * slope; } //#stub
fn gradient(i: u32, value: V) -> V { return value; } //#stub
fn unseen(gradient: V, place: Place, k: u32) -> V { return gradient; } //#stub
fn row_back(value: V, gradient: V, sum: f32, product: f32, s: Stats) -> V { return value * gradient; } //#stub

fn word_gradient(place: Place, k: u32, i: u32, value: V) -> V {
    let there = min(word_of(k, i), args.words - 1u);
    let g = gradient(place.first + there * place.step, value);
    return select(V(0.0), g, has_word(place, k, i));
}

fn strip_gradient(place: Place, k: u32, value: Strip) -> Strip {
    var s: Strip;
    s.a = word_gradient(place, k, 0u, value.a);
    if WORDS > 1u { s.b = word_gradient(place, k, 1u, value.b); }
    if WORDS > 2u { s.c = word_gradient(place, k, 2u, value.c); }
    if WORDS > 3u { s.d = word_gradient(place, k, 3u, value.d); }
    return s;
}

fn part_of(value: V, gradient: V) -> Part {
    return Part(sum_of(gradient), sum_of(masked(gradient, value)), select(0u, 1u, has_nan(gradient)));
}

fn strip_part(value: Strip, gradient: Strip) -> Part {
    var part = part_of(value.a, gradient.a);
    if WORDS > 1u { part = part_plus(part, part_of(value.b, gradient.b)); }
    if WORDS > 2u { part = part_plus(part, part_of(value.c, gradient.c)); }
    if WORDS > 3u { part = part_plus(part, part_of(value.d, gradient.d)); }
    return part;
}

// The gradients of what the row step is applied to.
fn word_back(place: Place, k: u32, i: u32, value: V, gradient: V, sums: Part, stats: Stats) -> V {
    return unseen(row_back(value, gradient, sums.a, sums.b, stats), place, word_of(k, i));
}

fn strip_back(place: Place, k: u32, value: Strip, gradient: Strip, sums: Part, stats: Stats) -> Strip {
    var s: Strip;
    s.a = word_back(place, k, 0u, value.a, gradient.a, sums, stats);
    if WORDS > 1u { s.b = word_back(place, k, 1u, value.b, gradient.b, sums, stats); }
    if WORDS > 2u { s.c = word_back(place, k, 2u, value.c, gradient.c, sums, stats); }
    if WORDS > 3u { s.d = word_back(place, k, 3u, value.d, gradient.d, sums, stats); }
    return s;
}
