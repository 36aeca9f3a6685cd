// One window.
//#use layers/frelu/patch.wgsl
//#use layers/frelu/norm.wgsl
//#use layers/frelu/moments.wgsl
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
struct Line { a: V, b: V, c: V, d: V, e: V, f: V, g: V } //#stub
struct Patch { a: Line, b: Line, c: Line, d: Line, e: Line, f: Line, g: Line } //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
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
override NORM_FIRST: u32 = 0u; // The number of the norms' first sum among all sums.

struct Windows {
    a: WindowTaps,
}

fn windows_of(c: u32) -> Windows {
    return Windows(window_of(c));
}

// Values of each window at the same place: convolutions, or what follows from them.
struct Convs {
    a: V,
}

fn convs(k: Windows, x: Patch) -> Convs {
    return Convs(window_conv(k.a, x));
}

struct Norms {
    a: Norm,
}

fn norms_of(c: u32) -> Norms {
    return Norms(bn_of(c));
}

fn hats(n: Norms, conv: Convs) -> Convs {
    return Convs(norm_hat(n.a, conv.a));
}

// T, whose larger with x is FReLU.
fn funnel(n: Norms, hat: Convs) -> V {
    return norm_value(n.a, hat.a);
}

struct Backs {
    a: Back,
}

fn backs_of(c: u32, n: Norms) -> Backs {
    return Backs(bn_back(c, n.a));
}

// The gradients of the convolutions, from that of T.
fn slopes(b: Backs, dt: V, hat: Convs) -> Convs {
    return Convs(norm_back(b.a, dt, hat.a));
}

fn first_conv(v: Convs) -> V {
    return v.a;
}

// There is no second: what is made of this zero, compilers drop.
fn second_conv(v: Convs) -> V {
    return V(0.0);
}

// The gradient of x: what it has directly, and by the convolutions around it, of which a and b are the gradients.
fn dx_of(own: V, k: Windows, a: Patch, b: Patch) -> V {
    return window_back(own, k.a, a);
}

// Sums for the windows' gradients.
struct WindowSums {
    a: WindowTaps,
}

fn window_sums(sums: WindowSums, slope: Convs, x: Patch) -> WindowSums {
    return WindowSums(window_terms(sums.a, slope.a, x));
}

fn window_sums_plus(a: WindowSums, b: WindowSums) -> WindowSums {
    return WindowSums(window_plus(a.a, b.a));
}

fn window_sums_put(s: Share, sums: WindowSums) {
    window_put(s, sums.a);
}

// Sums for the norms' gradients: of the gradient of T, and of its products with the hats.
struct NormSums {
    plain: C,
    a: C,
}

fn norm_sums(sums: NormSums, dt: V, hat: Convs) -> NormSums {
    return NormSums(sums.plain + along(dt), sums.a + along_product(dt, hat.a));
}

fn norm_sums_plus(a: NormSums, b: NormSums) -> NormSums {
    return NormSums(a.plain + b.plain, a.a + b.a);
}

fn norm_sums_put(s: Share, sums: NormSums) {
    share_sum(s, 0, sums.plain);
    share_sum(s, 1, sums.a);
    put_sums(s, NORM_FIRST, 2u);
}

// Statistics of the convolutions: of a strip, and of a lane.
struct Runs {
    a: Run,
}

fn runs_plus(r: Runs, conv: Convs, is_first: bool) -> Runs {
    return Runs(run_plus(r.a, conv.a, is_first));
}

struct Statistics {
    a: Moments,
}

fn statistics_joined(m: Statistics, r: Runs, count: f32, here: f32) -> Statistics {
    return Statistics(moments_joined(m.a, r.a, count, here));
}

fn statistics_put(s: Share, count: f32, m: Statistics) {
    put_moments(s, 0u, count, m.a);
}
