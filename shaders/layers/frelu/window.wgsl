// One window: its taps, the convolution, and the gradients that go back through it. The sums are in the order of the
// window's rows, and of the columns in each.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Args { weight: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
//#use layers/frelu/patch.wgsl
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
fn along_product(a: V, b: V) -> C { return a.x * b.x; } //#stub
fn parameters_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub
override WINDOW_HEIGHT: i32 = 3;
override WINDOW_WIDTH: i32 = 3;

// A row of a window.
struct WindowRow {
    a: C, //#if WINDOW_WIDTH >= 7
    b: C, //#if WINDOW_WIDTH >= 5
    c: C, //#if WINDOW_WIDTH >= 3
    d: C,
    e: C, //#if WINDOW_WIDTH >= 3
    f: C, //#if WINDOW_WIDTH >= 5
    g: C, //#if WINDOW_WIDTH >= 7
}

// A window, or a sum for each of its elements.
struct WindowTaps {
    a: WindowRow, //#if WINDOW_HEIGHT >= 7
    b: WindowRow, //#if WINDOW_HEIGHT >= 5
    c: WindowRow, //#if WINDOW_HEIGHT >= 3
    d: WindowRow,
    e: WindowRow, //#if WINDOW_HEIGHT >= 3
    f: WindowRow, //#if WINDOW_HEIGHT >= 5
    g: WindowRow, //#if WINDOW_HEIGHT >= 7
}

// The element in row i and column j, of channel c and those beside it.
fn window_tap(c: u32, i: i32, j: i32) -> C {
    let size = u32(WINDOW_HEIGHT * WINDOW_WIDTH);
    return parameters_of(args.weight + c * size + u32(i * WINDOW_WIDTH + j), size);
}

fn window_taps(c: u32, i: i32) -> WindowRow {
    let middle = WINDOW_WIDTH / 2;
    var k: WindowRow;
    k.d = window_tap(c, i, middle);
    k.c = window_tap(c, i, middle - 1); //#if WINDOW_WIDTH >= 3
    k.e = window_tap(c, i, middle + 1); //#if WINDOW_WIDTH >= 3
    k.b = window_tap(c, i, middle - 2); //#if WINDOW_WIDTH >= 5
    k.f = window_tap(c, i, middle + 2); //#if WINDOW_WIDTH >= 5
    k.a = window_tap(c, i, middle - 3); //#if WINDOW_WIDTH >= 7
    k.g = window_tap(c, i, middle + 3); //#if WINDOW_WIDTH >= 7
    return k;
}

fn window_of(c: u32) -> WindowTaps {
    let middle = WINDOW_HEIGHT / 2;
    var k: WindowTaps;
    k.d = window_taps(c, middle);
    k.c = window_taps(c, middle - 1); //#if WINDOW_HEIGHT >= 3
    k.e = window_taps(c, middle + 1); //#if WINDOW_HEIGHT >= 3
    k.b = window_taps(c, middle - 2); //#if WINDOW_HEIGHT >= 5
    k.f = window_taps(c, middle + 2); //#if WINDOW_HEIGHT >= 5
    k.a = window_taps(c, middle - 3); //#if WINDOW_HEIGHT >= 7
    k.g = window_taps(c, middle + 3); //#if WINDOW_HEIGHT >= 7
    return k;
}

// `sum` and the products of a row of the window.
fn window_across(sum: V, k: WindowRow, x: Line) -> V {
    var v = sum;
    v += k.a * x.a; //#if WINDOW_WIDTH >= 7
    v += k.b * x.b; //#if WINDOW_WIDTH >= 5
    v += k.c * x.c; //#if WINDOW_WIDTH >= 3
    v += k.d * x.d;
    v += k.e * x.e; //#if WINDOW_WIDTH >= 3
    v += k.f * x.f; //#if WINDOW_WIDTH >= 5
    v += k.g * x.g; //#if WINDOW_WIDTH >= 7
    return v;
}

// The convolution of the x that the window sees.
fn window_conv(k: WindowTaps, x: Patch) -> V {
    var v = V(0.0);
    v = window_across(v, k.a, x.a); //#if WINDOW_HEIGHT >= 7
    v = window_across(v, k.b, x.b); //#if WINDOW_HEIGHT >= 5
    v = window_across(v, k.c, x.c); //#if WINDOW_HEIGHT >= 3
    v = window_across(v, k.d, x.d);
    v = window_across(v, k.e, x.e); //#if WINDOW_HEIGHT >= 3
    v = window_across(v, k.f, x.f); //#if WINDOW_HEIGHT >= 5
    v = window_across(v, k.g, x.g); //#if WINDOW_HEIGHT >= 7
    return v;
}

// `sum` and what goes back to x by a row of the window. An output to the left of x took x by an element to the right of
// the middle, so that rows and columns are those on the other side.
fn window_back_across(sum: V, k: WindowRow, d: Line) -> V {
    var v = sum;
    v += k.a * d.g; //#if WINDOW_WIDTH >= 7
    v += k.b * d.f; //#if WINDOW_WIDTH >= 5
    v += k.c * d.e; //#if WINDOW_WIDTH >= 3
    v += k.d * d.d;
    v += k.e * d.c; //#if WINDOW_WIDTH >= 3
    v += k.f * d.b; //#if WINDOW_WIDTH >= 5
    v += k.g * d.a; //#if WINDOW_WIDTH >= 7
    return v;
}

// `sum` and the gradient of x, from those of the convolutions around it.
fn window_back(sum: V, k: WindowTaps, d: Patch) -> V {
    var v = sum;
    v = window_back_across(v, k.a, d.g); //#if WINDOW_HEIGHT >= 7
    v = window_back_across(v, k.b, d.f); //#if WINDOW_HEIGHT >= 5
    v = window_back_across(v, k.c, d.e); //#if WINDOW_HEIGHT >= 3
    v = window_back_across(v, k.d, d.d);
    v = window_back_across(v, k.e, d.c); //#if WINDOW_HEIGHT >= 3
    v = window_back_across(v, k.f, d.b); //#if WINDOW_HEIGHT >= 5
    v = window_back_across(v, k.g, d.a); //#if WINDOW_HEIGHT >= 7
    return v;
}

// The window's own gradient: to a sum for each element, the products of a convolution's gradient and the x that the
// element met there.
fn window_terms_across(sums: WindowRow, d: V, x: Line) -> WindowRow {
    var s = sums;
    s.a += along_product(d, x.a); //#if WINDOW_WIDTH >= 7
    s.b += along_product(d, x.b); //#if WINDOW_WIDTH >= 5
    s.c += along_product(d, x.c); //#if WINDOW_WIDTH >= 3
    s.d += along_product(d, x.d);
    s.e += along_product(d, x.e); //#if WINDOW_WIDTH >= 3
    s.f += along_product(d, x.f); //#if WINDOW_WIDTH >= 5
    s.g += along_product(d, x.g); //#if WINDOW_WIDTH >= 7
    return s;
}

fn window_terms(sums: WindowTaps, d: V, x: Patch) -> WindowTaps {
    var s = sums;
    s.a = window_terms_across(s.a, d, x.a); //#if WINDOW_HEIGHT >= 7
    s.b = window_terms_across(s.b, d, x.b); //#if WINDOW_HEIGHT >= 5
    s.c = window_terms_across(s.c, d, x.c); //#if WINDOW_HEIGHT >= 3
    s.d = window_terms_across(s.d, d, x.d);
    s.e = window_terms_across(s.e, d, x.e); //#if WINDOW_HEIGHT >= 3
    s.f = window_terms_across(s.f, d, x.f); //#if WINDOW_HEIGHT >= 5
    s.g = window_terms_across(s.g, d, x.g); //#if WINDOW_HEIGHT >= 7
    return s;
}

fn window_plus_across(a: WindowRow, b: WindowRow) -> WindowRow {
    var s = a;
    s.a += b.a; //#if WINDOW_WIDTH >= 7
    s.b += b.b; //#if WINDOW_WIDTH >= 5
    s.c += b.c; //#if WINDOW_WIDTH >= 3
    s.d += b.d;
    s.e += b.e; //#if WINDOW_WIDTH >= 3
    s.f += b.f; //#if WINDOW_WIDTH >= 5
    s.g += b.g; //#if WINDOW_WIDTH >= 7
    return s;
}

fn window_plus(a: WindowTaps, b: WindowTaps) -> WindowTaps {
    var s = a;
    s.a = window_plus_across(s.a, b.a); //#if WINDOW_HEIGHT >= 7
    s.b = window_plus_across(s.b, b.b); //#if WINDOW_HEIGHT >= 5
    s.c = window_plus_across(s.c, b.c); //#if WINDOW_HEIGHT >= 3
    s.d = window_plus_across(s.d, b.d);
    s.e = window_plus_across(s.e, b.e); //#if WINDOW_HEIGHT >= 3
    s.f = window_plus_across(s.f, b.f); //#if WINDOW_HEIGHT >= 5
    s.g = window_plus_across(s.g, b.g); //#if WINDOW_HEIGHT >= 7
    return s;
}
