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

// Rows as a lane has them that walks down an image: the middle one is d.
struct Ring {
    a: Row, //#if HEIGHT >= 7
    b: Row, //#if HEIGHT >= 5
    c: Row, //#if HEIGHT >= 3
    d: Row,
    e: Row, //#if HEIGHT >= 3
    f: Row, //#if HEIGHT >= 5
    g: Row, //#if HEIGHT >= 7
}

// A row comes in below, and all others move up by one.
fn push(ring: ptr<function, Ring>, row: Row) {
    (*ring).a = (*ring).b; //#if HEIGHT >= 7
    (*ring).b = (*ring).c; //#if HEIGHT >= 5
    (*ring).c = (*ring).d; //#if HEIGHT >= 3
    (*ring).d = (*ring).e; //#if HEIGHT >= 3
    (*ring).e = (*ring).f; //#if HEIGHT >= 5
    (*ring).f = (*ring).g; //#if HEIGHT >= 7
    (*ring).g = row; //#if HEIGHT == 7
    (*ring).f = row; //#if HEIGHT == 5
    (*ring).e = row; //#if HEIGHT == 3
    (*ring).d = row; //#if HEIGHT == 1
}

// What a window around the middle of a ring sees.
struct Patch {
    a: Line, //#if HEIGHT >= 7
    b: Line, //#if HEIGHT >= 5
    c: Line, //#if HEIGHT >= 3
    d: Line,
    e: Line, //#if HEIGHT >= 3
    f: Line, //#if HEIGHT >= 5
    g: Line, //#if HEIGHT >= 7
}

fn seen(r: Ring) -> Patch {
    return Patch(
        line(r.a), //#if HEIGHT >= 7
        line(r.b), //#if HEIGHT >= 5
        line(r.c), //#if HEIGHT >= 3
        line(r.d),
        line(r.e), //#if HEIGHT >= 3
        line(r.f), //#if HEIGHT >= 5
        line(r.g), //#if HEIGHT >= 7
    );
}

// The ring seen from the word, or column, to the left, or to the right.
fn ring_left(r: Ring) -> Ring {
    return Ring(
        step_left(r.a), //#if HEIGHT >= 7
        step_left(r.b), //#if HEIGHT >= 5
        step_left(r.c), //#if HEIGHT >= 3
        step_left(r.d),
        step_left(r.e), //#if HEIGHT >= 3
        step_left(r.f), //#if HEIGHT >= 5
        step_left(r.g), //#if HEIGHT >= 7
    );
}

fn ring_right(r: Ring) -> Ring {
    return Ring(
        step_right(r.a), //#if HEIGHT >= 7
        step_right(r.b), //#if HEIGHT >= 5
        step_right(r.c), //#if HEIGHT >= 3
        step_right(r.d),
        step_right(r.e), //#if HEIGHT >= 3
        step_right(r.f), //#if HEIGHT >= 5
        step_right(r.g), //#if HEIGHT >= 7
    );
}

// The first row that came in of those in the ring.
fn oldest(ring: Ring) -> Row {
    var row = ring.d;
    row = ring.c; //#if HEIGHT == 3
    row = ring.b; //#if HEIGHT == 5
    row = ring.a; //#if HEIGHT == 7
    return row;
}
