// The two windows of the light form, a row and a column: T is the sum of what becomes of both.
//#use layers/frelu/patch.wgsl
//#use layers/frelu/norm.wgsl
//#use layers/frelu/moments.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
struct Window2Row { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct Window2Taps { a: Window2Row, b: Window2Row, c: Window2Row, d: Window2Row, e: Window2Row, f: Window2Row, g: Window2Row } //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
fn norm_hat(n: Norm, conv: V) -> V { return conv - n.center; } //#stub
fn norm_value(n: Norm, hat: V) -> V { return hat * n.gain; } //#stub
fn norm_back(b: Back, dt: V, hat: V) -> V { return dt * b.factor; } //#stub
fn along(v: V) -> C { return v.x; } //#stub
fn along_product(a: V, b: V) -> C { return a.x * b.x; } //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
struct Run { base: C, sum: C, squares: C } //#stub
struct Moments { mean: C, spread: C } //#stub
fn run_plus(run: Run, conv: V, is_first: bool) -> Run { return run; } //#stub
fn moments_joined(m: Moments, run: Run, count: f32, here: f32) -> Moments { return m; } //#stub
fn put_moments(s: Share, value: u32, count: f32, m: Moments) { return; } //#stub
fn share_sum(s: Share, index: i32, sum: C) { return; } //#stub
fn put_sums(s: Share, first: u32, count: u32) { return; } //#stub
fn window_of(c: u32) -> WindowTaps { return WindowTaps(); } //#stub
fn window_conv(k: WindowTaps, x: Patch) -> V { return x.d.d * k.d.d; } //#stub
fn window_back(sum: V, k: WindowTaps, d: Patch) -> V { return sum + d.d.d * k.d.d; } //#stub
fn window_terms(sums: WindowTaps, d: V, x: Patch) -> WindowTaps { return sums; } //#stub
fn window_plus(a: WindowTaps, b: WindowTaps) -> WindowTaps { return a; } //#stub
fn window_put(s: Share, sums: WindowTaps) { return; } //#stub
fn bn_of(c: u32) -> Norm { return Norm(); } //#stub
fn bn_back(c: u32, n: Norm) -> Back { return Back(); } //#stub
fn window2_of(c: u32) -> Window2Taps { return Window2Taps(); } //#stub
fn window2_conv(k: Window2Taps, x: Patch) -> V { return x.d.d * k.d.d; } //#stub
fn window2_back(sum: V, k: Window2Taps, d: Patch) -> V { return sum + d.d.d * k.d.d; } //#stub
fn window2_terms(sums: Window2Taps, d: V, x: Patch) -> Window2Taps { return sums; } //#stub
fn window2_plus(a: Window2Taps, b: Window2Taps) -> Window2Taps { return a; } //#stub
fn window2_put(s: Share, sums: Window2Taps) { return; } //#stub
fn bn2_of(c: u32) -> Norm { return Norm(); } //#stub
fn bn2_back(c: u32, n: Norm) -> Back { return Back(); } //#stub
override NORM_FIRST: u32 = 0u; // The number of the norms' first sum among all sums.

struct Windows {
    a: WindowTaps,
    b: Window2Taps,
}

fn windows_of(c: u32) -> Windows {
    return Windows(window_of(c), window2_of(c));
}

// Values of each window at the same place: convolutions, or what follows from them.
struct Convs {
    a: V,
    b: V,
}

fn convs(k: Windows, x: Patch) -> Convs {
    return Convs(window_conv(k.a, x), window2_conv(k.b, x));
}

struct Norms {
    a: Norm,
    b: Norm,
}

fn norms_of(c: u32) -> Norms {
    return Norms(bn_of(c), bn2_of(c));
}

fn hats(n: Norms, conv: Convs) -> Convs {
    return Convs(norm_hat(n.a, conv.a), norm_hat(n.b, conv.b));
}

// T, whose larger with x is FReLU.
fn funnel(n: Norms, hat: Convs) -> V {
    return norm_value(n.a, hat.a) + norm_value(n.b, hat.b);
}

struct Backs {
    a: Back,
    b: Back,
}

fn backs_of(c: u32, n: Norms) -> Backs {
    return Backs(bn_back(c, n.a), bn2_back(c, n.b));
}

// The gradients of the convolutions, from that of T.
fn slopes(b: Backs, dt: V, hat: Convs) -> Convs {
    return Convs(norm_back(b.a, dt, hat.a), norm_back(b.b, dt, hat.b));
}

fn first_conv(v: Convs) -> V {
    return v.a;
}

fn second_conv(v: Convs) -> V {
    return v.b;
}

// The gradient of x: what it has directly, and by the convolutions around it, of which a and b are the gradients.
fn dx_of(own: V, k: Windows, a: Patch, b: Patch) -> V {
    return window2_back(window_back(own, k.a, a), k.b, b);
}

// Sums for the windows' gradients.
struct WindowSums {
    a: WindowTaps,
    b: Window2Taps,
}

fn window_sums(sums: WindowSums, slope: Convs, x: Patch) -> WindowSums {
    return WindowSums(window_terms(sums.a, slope.a, x), window2_terms(sums.b, slope.b, x));
}

fn window_sums_plus(a: WindowSums, b: WindowSums) -> WindowSums {
    return WindowSums(window_plus(a.a, b.a), window2_plus(a.b, b.b));
}

fn window_sums_put(s: Share, sums: WindowSums) {
    window_put(s, sums.a);
    window2_put(s, sums.b);
}

// Sums for the norms' gradients: of the gradient of T, and of its products with the hats.
struct NormSums {
    plain: C,
    a: C,
    b: C,
}

fn norm_sums(sums: NormSums, dt: V, hat: Convs) -> NormSums {
    return NormSums(sums.plain + along(dt), sums.a + along_product(dt, hat.a), sums.b + along_product(dt, hat.b));
}

fn norm_sums_plus(a: NormSums, b: NormSums) -> NormSums {
    return NormSums(a.plain + b.plain, a.a + b.a, a.b + b.b);
}

fn norm_sums_put(s: Share, sums: NormSums) {
    share_sum(s, 0, sums.plain);
    share_sum(s, 1, sums.a);
    share_sum(s, 2, sums.b);
    put_sums(s, NORM_FIRST, 3u);
}

// Statistics of the convolutions: of a strip, and of a lane.
struct Runs {
    a: Run,
    b: Run,
}

fn runs_plus(r: Runs, conv: Convs, is_first: bool) -> Runs {
    return Runs(run_plus(r.a, conv.a, is_first), run_plus(r.b, conv.b, is_first));
}

struct Statistics {
    a: Moments,
    b: Moments,
}

fn statistics_joined(m: Statistics, r: Runs, count: f32, here: f32) -> Statistics {
    return Statistics(moments_joined(m.a, r.a, count, here), moments_joined(m.b, r.b, count, here));
}

fn statistics_put(s: Share, count: f32, m: Statistics) {
    put_moments(s, 0u, count, m.a);
    put_moments(s, 3u, count, m.b);
}
