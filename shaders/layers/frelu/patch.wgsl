// A window's taps, what of x it sees, and the ring of rows that it sees it in.
//
// Windows are up to 7 x 7. What has a part for each of seven rows or columns has fields a to g, and d is the middle; a
// smaller window uses those around d, and compilers drop the rest. (Arrays and loops would take fewer lines, but
// SwiftShader keeps arrays that are indexed by a loop in memory: it is 13 to 28 times slower with them.)
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Row { far_left: V, left: V, own: V, right: V, far_right: V } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
fn line(r: Row) -> Line { return Line(r.left, r.left, r.left, r.own, r.right, r.right, r.right); } //#stub
fn step_left(r: Row) -> Row { return r; } //#stub
fn step_right(r: Row) -> Row { return r; } //#stub
override HEIGHT: i32 = 3; // Rows that windows see; of two windows, the higher one's.
override UP: i32 = 1; // Of these, the rows above the middle.

// A row of a window.
struct TapRow {
    a: C,
    b: C,
    c: C,
    d: C,
    e: C,
    f: C,
    g: C,
}

// A window, or a sum for each of its elements.
struct Taps {
    a: TapRow,
    b: TapRow,
    c: TapRow,
    d: TapRow,
    e: TapRow,
    f: TapRow,
    g: TapRow,
}

// Rows as a lane has them that walks down an image: the middle one is d.
struct Ring {
    a: Row,
    b: Row,
    c: Row,
    d: Row,
    e: Row,
    f: Row,
    g: Row,
}

// A row comes in below, and all others move up by one.
fn push(ring: ptr<function, Ring>, row: Row) {
    if HEIGHT >= 7 {
        (*ring).a = (*ring).b;
    }
    if HEIGHT >= 5 {
        (*ring).b = (*ring).c;
    }
    if HEIGHT >= 3 {
        (*ring).c = (*ring).d;
        (*ring).d = (*ring).e;
    }
    if HEIGHT >= 5 {
        (*ring).e = (*ring).f;
    }
    if HEIGHT >= 7 {
        (*ring).f = (*ring).g;
    }
    if HEIGHT == 7 {
        (*ring).g = row;
    }
    if HEIGHT == 5 {
        (*ring).f = row;
    }
    if HEIGHT == 3 {
        (*ring).e = row;
    }
    if HEIGHT == 1 {
        (*ring).d = row;
    }
}

// What a window around the middle of a ring sees.
struct Patch {
    a: Line,
    b: Line,
    c: Line,
    d: Line,
    e: Line,
    f: Line,
    g: Line,
}

fn seen(r: Ring) -> Patch {
    return Patch(line(r.a), line(r.b), line(r.c), line(r.d), line(r.e), line(r.f), line(r.g));
}

// The ring seen from the word, or column, to the left, or to the right.
fn ring_left(r: Ring) -> Ring {
    return Ring(
        step_left(r.a),
        step_left(r.b),
        step_left(r.c),
        step_left(r.d),
        step_left(r.e),
        step_left(r.f),
        step_left(r.g),
    );
}

fn ring_right(r: Ring) -> Ring {
    return Ring(
        step_right(r.a),
        step_right(r.b),
        step_right(r.c),
        step_right(r.d),
        step_right(r.e),
        step_right(r.f),
        step_right(r.g),
    );
}

// The first row that came in of those in the ring.
fn oldest(ring: Ring) -> Row {
    var row = ring.d;
    if HEIGHT == 3 {
        row = ring.c;
    }
    if HEIGHT == 5 {
        row = ring.b;
    }
    if HEIGHT == 7 {
        row = ring.a;
    }
    return row;
}
