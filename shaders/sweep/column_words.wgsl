// Of the samples that some lanes go through together: the words that a lane has of each, WORDS at most, and what it holds of them.
struct Held { nan: u32 } //#stub
fn hold(channel: u32) -> Held { return Held(channel); } //#stub
const WIDTH: u32 = 4u; //#stub
const WORDS: u32 = 8u; //#stub

// How many, and how far apart.
struct Words { count: u32, apart: u32 }

struct Holds { a: Held, b: Held, c: Held, d: Held, e: Held, f: Held, g: Held, h: Held }

fn hold_words(column: u32, w: Words) -> Holds {
    var holds: Holds;
    if w.count > 0u { holds.a = hold(WIDTH * column); }
    if WORDS > 1u {
        if w.count > 1u { holds.b = hold(WIDTH * (column + w.apart)); }
    }
    if WORDS > 2u {
        if w.count > 2u { holds.c = hold(WIDTH * (column + 2u * w.apart)); }
        if w.count > 3u { holds.d = hold(WIDTH * (column + 3u * w.apart)); }
    }
    if WORDS > 4u {
        if w.count > 4u { holds.e = hold(WIDTH * (column + 4u * w.apart)); }
        if w.count > 5u { holds.f = hold(WIDTH * (column + 5u * w.apart)); }
        if w.count > 6u { holds.g = hold(WIDTH * (column + 6u * w.apart)); }
        if w.count > 7u { holds.h = hold(WIDTH * (column + 7u * w.apart)); }
    }
    return holds;
}
