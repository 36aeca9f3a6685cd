// One window: its taps, the convolution, and the gradients that go back through it. The sums are in the order of the
// window's rows, and of the columns in each.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Args { weight: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
//#use layers/frelu/patch.wgsl
struct TapRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct Taps { a: TapRow, b: TapRow, c: TapRow, d: TapRow, e: TapRow, f: TapRow, g: TapRow } //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
fn along_product(a: V, b: V) -> C { return a.x * b.x; } //#stub
fn parameters_of(at: u32, stride: u32) -> C { return C(f32(at + stride)); } //#stub
override WINDOW_HEIGHT: i32 = 3;
override WINDOW_WIDTH: i32 = 3;

// The element in row i and column j, of channel c and those beside it.
fn window_tap(c: u32, i: i32, j: i32) -> C {
    let size = u32(WINDOW_HEIGHT * WINDOW_WIDTH);
    return parameters_of(args.weight + c * size + u32(i * WINDOW_WIDTH + j), size);
}

fn window_taps(c: u32, i: i32) -> TapRow {
    let middle = WINDOW_WIDTH / 2;
    var k: TapRow;
    k.d = window_tap(c, i, middle);
    if WINDOW_WIDTH >= 3 {
        k.c = window_tap(c, i, middle - 1);
        k.e = window_tap(c, i, middle + 1);
    }
    if WINDOW_WIDTH >= 5 {
        k.b = window_tap(c, i, middle - 2);
        k.f = window_tap(c, i, middle + 2);
    }
    if WINDOW_WIDTH >= 7 {
        k.a = window_tap(c, i, middle - 3);
        k.g = window_tap(c, i, middle + 3);
    }
    return k;
}

fn window_of(c: u32) -> Taps {
    let middle = WINDOW_HEIGHT / 2;
    var k: Taps;
    k.d = window_taps(c, middle);
    if WINDOW_HEIGHT >= 3 {
        k.c = window_taps(c, middle - 1);
        k.e = window_taps(c, middle + 1);
    }
    if WINDOW_HEIGHT >= 5 {
        k.b = window_taps(c, middle - 2);
        k.f = window_taps(c, middle + 2);
    }
    if WINDOW_HEIGHT >= 7 {
        k.a = window_taps(c, middle - 3);
        k.g = window_taps(c, middle + 3);
    }
    return k;
}

// `sum` and the products of a row of the window.
fn window_across(sum: V, k: TapRow, x: Line) -> V {
    var v = sum;
    if WINDOW_WIDTH >= 7 {
        v += k.a * x.a;
    }
    if WINDOW_WIDTH >= 5 {
        v += k.b * x.b;
    }
    if WINDOW_WIDTH >= 3 {
        v += k.c * x.c;
    }
    v += k.d * x.d;
    if WINDOW_WIDTH >= 3 {
        v += k.e * x.e;
    }
    if WINDOW_WIDTH >= 5 {
        v += k.f * x.f;
    }
    if WINDOW_WIDTH >= 7 {
        v += k.g * x.g;
    }
    return v;
}

// The convolution of the x that the window sees.
fn window_conv(k: Taps, x: Patch) -> V {
    var v = V(0.0);
    if WINDOW_HEIGHT >= 7 {
        v = window_across(v, k.a, x.a);
    }
    if WINDOW_HEIGHT >= 5 {
        v = window_across(v, k.b, x.b);
    }
    if WINDOW_HEIGHT >= 3 {
        v = window_across(v, k.c, x.c);
    }
    v = window_across(v, k.d, x.d);
    if WINDOW_HEIGHT >= 3 {
        v = window_across(v, k.e, x.e);
    }
    if WINDOW_HEIGHT >= 5 {
        v = window_across(v, k.f, x.f);
    }
    if WINDOW_HEIGHT >= 7 {
        v = window_across(v, k.g, x.g);
    }
    return v;
}

// `sum` and what goes back to x by a row of the window. An output to the left of x took x by an element to the right of
// the middle, so that rows and columns are those on the other side.
fn window_back_across(sum: V, k: TapRow, d: Line) -> V {
    var v = sum;
    if WINDOW_WIDTH >= 7 {
        v += k.a * d.g;
    }
    if WINDOW_WIDTH >= 5 {
        v += k.b * d.f;
    }
    if WINDOW_WIDTH >= 3 {
        v += k.c * d.e;
    }
    v += k.d * d.d;
    if WINDOW_WIDTH >= 3 {
        v += k.e * d.c;
    }
    if WINDOW_WIDTH >= 5 {
        v += k.f * d.b;
    }
    if WINDOW_WIDTH >= 7 {
        v += k.g * d.a;
    }
    return v;
}

// `sum` and the gradient of x, from those of the convolutions around it.
fn window_back(sum: V, k: Taps, d: Patch) -> V {
    var v = sum;
    if WINDOW_HEIGHT >= 7 {
        v = window_back_across(v, k.a, d.g);
    }
    if WINDOW_HEIGHT >= 5 {
        v = window_back_across(v, k.b, d.f);
    }
    if WINDOW_HEIGHT >= 3 {
        v = window_back_across(v, k.c, d.e);
    }
    v = window_back_across(v, k.d, d.d);
    if WINDOW_HEIGHT >= 3 {
        v = window_back_across(v, k.e, d.c);
    }
    if WINDOW_HEIGHT >= 5 {
        v = window_back_across(v, k.f, d.b);
    }
    if WINDOW_HEIGHT >= 7 {
        v = window_back_across(v, k.g, d.a);
    }
    return v;
}

// The window's own gradient: to a sum for each element, the products of a convolution's gradient and the x that the
// element met there.
fn window_terms_across(sums: TapRow, d: V, x: Line) -> TapRow {
    var s = sums;
    if WINDOW_WIDTH >= 7 {
        s.a += along_product(d, x.a);
    }
    if WINDOW_WIDTH >= 5 {
        s.b += along_product(d, x.b);
    }
    if WINDOW_WIDTH >= 3 {
        s.c += along_product(d, x.c);
    }
    s.d += along_product(d, x.d);
    if WINDOW_WIDTH >= 3 {
        s.e += along_product(d, x.e);
    }
    if WINDOW_WIDTH >= 5 {
        s.f += along_product(d, x.f);
    }
    if WINDOW_WIDTH >= 7 {
        s.g += along_product(d, x.g);
    }
    return s;
}

fn window_terms(sums: Taps, d: V, x: Patch) -> Taps {
    var s = sums;
    if WINDOW_HEIGHT >= 7 {
        s.a = window_terms_across(s.a, d, x.a);
    }
    if WINDOW_HEIGHT >= 5 {
        s.b = window_terms_across(s.b, d, x.b);
    }
    if WINDOW_HEIGHT >= 3 {
        s.c = window_terms_across(s.c, d, x.c);
    }
    s.d = window_terms_across(s.d, d, x.d);
    if WINDOW_HEIGHT >= 3 {
        s.e = window_terms_across(s.e, d, x.e);
    }
    if WINDOW_HEIGHT >= 5 {
        s.f = window_terms_across(s.f, d, x.f);
    }
    if WINDOW_HEIGHT >= 7 {
        s.g = window_terms_across(s.g, d, x.g);
    }
    return s;
}

fn window_plus_across(a: TapRow, b: TapRow) -> TapRow {
    var s = a;
    if WINDOW_WIDTH >= 7 {
        s.a += b.a;
    }
    if WINDOW_WIDTH >= 5 {
        s.b += b.b;
    }
    if WINDOW_WIDTH >= 3 {
        s.c += b.c;
    }
    s.d += b.d;
    if WINDOW_WIDTH >= 3 {
        s.e += b.e;
    }
    if WINDOW_WIDTH >= 5 {
        s.f += b.f;
    }
    if WINDOW_WIDTH >= 7 {
        s.g += b.g;
    }
    return s;
}

fn window_plus(a: Taps, b: Taps) -> Taps {
    var s = a;
    if WINDOW_HEIGHT >= 7 {
        s.a = window_plus_across(s.a, b.a);
    }
    if WINDOW_HEIGHT >= 5 {
        s.b = window_plus_across(s.b, b.b);
    }
    if WINDOW_HEIGHT >= 3 {
        s.c = window_plus_across(s.c, b.c);
    }
    s.d = window_plus_across(s.d, b.d);
    if WINDOW_HEIGHT >= 3 {
        s.e = window_plus_across(s.e, b.e);
    }
    if WINDOW_HEIGHT >= 5 {
        s.f = window_plus_across(s.f, b.f);
    }
    if WINDOW_HEIGHT >= 7 {
        s.g = window_plus_across(s.g, b.g);
    }
    return s;
}
