// Rows of images that are reached one column at a time, of one channel or of four: a strip is one column wide.
alias V = vec4<f32>; //#stub
alias C = vec4<f32>; //#stub

const COLUMNS: u32 = 1u;

// A strip's own column, and those to its left and right.
struct Row {
    l6: V,
    l5: V,
    l4: V,
    l3: V,
    l2: V,
    l1: V,
    own: V,
    r1: V,
    r2: V,
    r3: V,
    r4: V,
    r5: V,
    r6: V,
}

// What a window around the column sees of a row: d is the column itself.
struct Line {
    a: V,
    b: V,
    c: V,
    d: V,
    e: V,
    f: V,
    g: V,
}

fn line(r: Row) -> Line {
    return Line(r.l3, r.l2, r.l1, r.own, r.r1, r.r2, r.r3);
}

// The row seen from the column to the left, or to the right.
fn step_left(r: Row) -> Row {
    return Row(V(0.0), r.l6, r.l5, r.l4, r.l3, r.l2, r.l1, r.own, r.r1, r.r2, r.r3, r.r4, r.r5);
}

fn step_right(r: Row) -> Row {
    return Row(r.l5, r.l4, r.l3, r.l2, r.l1, r.own, r.r1, r.r2, r.r3, r.r4, r.r5, r.r6, V(0.0));
}

// `sum` and the values of a strip's columns, of which there is one.
fn plus_each(sum: C, v: V) -> C {
    return sum + v;
}

fn along(v: V) -> C {
    return v;
}

fn along_product(a: V, b: V) -> C {
    return a * b;
}

fn first_of(v: V) -> C {
    return v;
}
