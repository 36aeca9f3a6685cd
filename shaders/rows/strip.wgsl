// A strip of a row: the words that lanes have at a time, each up to eight. There is no loop over them: wgpu counts the turns of
// every loop, which would cost more than what is computed here.
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
override WORDS: u32 = 4u; //#stub
override WHOLE: bool = false; //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Args { words: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn seen(i: u32, place: Place, k: u32) -> V { return V(f32(i)); } //#stub
fn has_nan(v: V) -> bool { return v.x == 0.0; } //#stub
fn columns_of(k: u32) -> C { return C(k); } //#stub
struct Stats { by: f32 } //#stub
const FIRST_NOTHING: f32 = 0.0; //#stub
const KEPT_NOTHING: f32 = 0.0; //#stub
fn row_kept(z: V, column: C, centre: f32) -> V { return z - V(centre); } //#stub
fn row_value(kept: V, column: C, s: Stats) -> V { return kept * V(s.by); } //#stub
fn row_first(z: V) -> f32 { return z.x; } //#stub
fn first_join(a: f32, b: f32) -> f32 { return max(a, b); } //#stub
fn row_term(kept: V) -> f32 { return kept.x; } //#stub
fn term_join(a: f32, b: f32) -> f32 { return a + b; } //#stub

struct Strip {
    a: V,
    b: V,
    c: V,
    d: V,
    e: V,
    f: V,
    g: V,
    h: V,
}

// Eight lanes have a stretch of the strip: their first words beside each other, which is one transaction of a GPU's memory, and
// behind these the second ones. With all first words of the row before all second ones a processor, which runs the lanes one
// after another, would come by the same page of memory several times, and take twice as long.
const STRETCH: u32 = 8u;

fn beside() -> u32 {
    return min(BESIDE, STRETCH);
}

fn first_word(lane: u32) -> u32 {
    let in_stretch = lane & (beside() - 1u);
    return ((lane & (BESIDE - 1u)) - in_stretch) * WORDS + in_stretch;
}

// Where the i-th of a lane's words is, given its first, and whether the row has that.
fn word_of(k: u32, i: u32) -> u32 {
    return k + i * beside();
}

fn has_word(place: Place, k: u32, i: u32) -> bool {
    return WHOLE | (word_of(k, i) < place.words);
}

// The word to load in its place: the row's last, where it has none.
fn word_to_load(k: u32, i: u32) -> u32 {
    let there = word_of(k, i);
    return select(min(there, args.words - 1u), there, WHOLE);
}

// Behind the row's end is what changes nothing.
fn word_seen(place: Place, k: u32, i: u32) -> V {
    let there = word_to_load(k, i);
    let z = seen(place.first + there * place.step, place, there);
    return select(V(FIRST_NOTHING), z, has_word(place, k, i));
}

fn strip_seen(place: Place, k: u32) -> Strip {
    var s: Strip;
    s.a = word_seen(place, k, 0u);
    if WORDS > 1u { s.b = word_seen(place, k, 1u); }
    if WORDS > 2u { s.c = word_seen(place, k, 2u); }
    if WORDS > 3u { s.d = word_seen(place, k, 3u); }
    if WORDS > 4u { s.e = word_seen(place, k, 4u); }
    if WORDS > 5u { s.f = word_seen(place, k, 5u); }
    if WORDS > 6u { s.g = word_seen(place, k, 6u); }
    if WORDS > 7u { s.h = word_seen(place, k, 7u); }
    return s;
}

fn strip_has_nan(s: Strip) -> bool {
    var found = has_nan(s.a);
    if WORDS > 1u { found |= has_nan(s.b); }
    if WORDS > 2u { found |= has_nan(s.c); }
    if WORDS > 3u { found |= has_nan(s.d); }
    if WORDS > 4u { found |= has_nan(s.e); }
    if WORDS > 5u { found |= has_nan(s.f); }
    if WORDS > 6u { found |= has_nan(s.g); }
    if WORDS > 7u { found |= has_nan(s.h); }
    return found;
}

fn strip_first(s: Strip) -> f32 {
    var first = row_first(s.a);
    if WORDS > 1u { first = first_join(first, row_first(s.b)); }
    if WORDS > 2u { first = first_join(first, row_first(s.c)); }
    if WORDS > 3u { first = first_join(first, row_first(s.d)); }
    if WORDS > 4u { first = first_join(first, row_first(s.e)); }
    if WORDS > 5u { first = first_join(first, row_first(s.f)); }
    if WORDS > 6u { first = first_join(first, row_first(s.g)); }
    if WORDS > 7u { first = first_join(first, row_first(s.h)); }
    return first;
}

fn word_kept(place: Place, k: u32, i: u32, z: V, centre: f32) -> V {
    let kept = row_kept(z, columns_of(word_of(k, i)), centre);
    return select(V(KEPT_NOTHING), kept, has_word(place, k, i));
}

fn strip_kept(place: Place, k: u32, z: Strip, centre: f32) -> Strip {
    var s: Strip;
    s.a = word_kept(place, k, 0u, z.a, centre);
    if WORDS > 1u { s.b = word_kept(place, k, 1u, z.b, centre); }
    if WORDS > 2u { s.c = word_kept(place, k, 2u, z.c, centre); }
    if WORDS > 3u { s.d = word_kept(place, k, 3u, z.d, centre); }
    if WORDS > 4u { s.e = word_kept(place, k, 4u, z.e, centre); }
    if WORDS > 5u { s.f = word_kept(place, k, 5u, z.f, centre); }
    if WORDS > 6u { s.g = word_kept(place, k, 6u, z.g, centre); }
    if WORDS > 7u { s.h = word_kept(place, k, 7u, z.h, centre); }
    return s;
}

fn strip_term(kept: Strip) -> f32 {
    var sum = row_term(kept.a);
    if WORDS > 1u { sum = term_join(sum, row_term(kept.b)); }
    if WORDS > 2u { sum = term_join(sum, row_term(kept.c)); }
    if WORDS > 3u { sum = term_join(sum, row_term(kept.d)); }
    if WORDS > 4u { sum = term_join(sum, row_term(kept.e)); }
    if WORDS > 5u { sum = term_join(sum, row_term(kept.f)); }
    if WORDS > 6u { sum = term_join(sum, row_term(kept.g)); }
    if WORDS > 7u { sum = term_join(sum, row_term(kept.h)); }
    return sum;
}

fn strip_value(k: u32, kept: Strip, stats: Stats) -> Strip {
    var s: Strip;
    s.a = row_value(kept.a, columns_of(word_of(k, 0u)), stats);
    if WORDS > 1u { s.b = row_value(kept.b, columns_of(word_of(k, 1u)), stats); }
    if WORDS > 2u { s.c = row_value(kept.c, columns_of(word_of(k, 2u)), stats); }
    if WORDS > 3u { s.d = row_value(kept.d, columns_of(word_of(k, 3u)), stats); }
    if WORDS > 4u { s.e = row_value(kept.e, columns_of(word_of(k, 4u)), stats); }
    if WORDS > 5u { s.f = row_value(kept.f, columns_of(word_of(k, 5u)), stats); }
    if WORDS > 6u { s.g = row_value(kept.g, columns_of(word_of(k, 6u)), stats); }
    if WORDS > 7u { s.h = row_value(kept.h, columns_of(word_of(k, 7u)), stats); }
    return s;
}
