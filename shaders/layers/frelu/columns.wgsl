// Rows of images that are reached one column at a time, of one channel or of four: a strip is one column wide.
alias V = vec4<f32>; //#stub
alias C = vec4<f32>; //#stub

const COLUMNS: u32 = 1u;

// A strip's own column, and those to its left and right.
struct Row {
    l6: V, //#if X_HALO >= 6
    l5: V, //#if X_HALO >= 5
    l4: V, //#if X_HALO >= 4
    l3: V, //#if X_HALO >= 3
    l2: V, //#if X_HALO >= 2
    l1: V, //#if X_HALO >= 1
    own: V,
    r1: V, //#if X_HALO >= 1
    r2: V, //#if X_HALO >= 2
    r3: V, //#if X_HALO >= 3
    r4: V, //#if X_HALO >= 4
    r5: V, //#if X_HALO >= 5
    r6: V, //#if X_HALO >= 6
}

// What a window around the column sees of a row: d is the column itself.
struct Line {
    a: V, //#if SIDE >= 3
    b: V, //#if SIDE >= 2
    c: V, //#if SIDE >= 1
    d: V,
    e: V, //#if SIDE >= 1
    f: V, //#if SIDE >= 2
    g: V, //#if SIDE >= 3
}

fn line(r: Row) -> Line {
    return Line(
        r.l3, //#if SIDE >= 3
        r.l2, //#if SIDE >= 2
        r.l1, //#if SIDE >= 1
        r.own,
        r.r1, //#if SIDE >= 1
        r.r2, //#if SIDE >= 2
        r.r3, //#if SIDE >= 3
    );
}

// The row seen from the column to the left, or to the right.
fn step_left(r: Row) -> Row {
    return Row(
        V(0.0),
        r.l6, //#if X_HALO >= 6
        r.l5, //#if X_HALO >= 5
        r.l4, //#if X_HALO >= 4
        r.l3, //#if X_HALO >= 3
        r.l2, //#if X_HALO >= 2
        r.l1, //#if X_HALO >= 1
        r.own, //#if X_HALO >= 1
        r.r1, //#if X_HALO >= 2
        r.r2, //#if X_HALO >= 3
        r.r3, //#if X_HALO >= 4
        r.r4, //#if X_HALO >= 5
        r.r5, //#if X_HALO >= 6
    );
}

fn step_right(r: Row) -> Row {
    return Row(
        r.l5, //#if X_HALO >= 6
        r.l4, //#if X_HALO >= 5
        r.l3, //#if X_HALO >= 4
        r.l2, //#if X_HALO >= 3
        r.l1, //#if X_HALO >= 2
        r.own, //#if X_HALO >= 1
        r.r1, //#if X_HALO >= 1
        r.r2, //#if X_HALO >= 2
        r.r3, //#if X_HALO >= 3
        r.r4, //#if X_HALO >= 4
        r.r5, //#if X_HALO >= 5
        r.r6, //#if X_HALO >= 6
        V(0.0),
    );
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
