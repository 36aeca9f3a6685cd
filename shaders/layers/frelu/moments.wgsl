// Means and spreads (sums of squares of the differences from the mean), of values that come one after another.
//
// A sum of squares minus the square of a sum would lose all digits where the mean is far from zero. So a strip's sums
// are of the differences from its first value, which is near its mean, and parts are joined by their means: Chan, Golub
// and LeVeque 1979, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances.
alias V = vec4<f32>; //#stub
alias C = f32; //#stub
const BESIDE: u32 = 1u; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
fn first_of(v: V) -> C { return v.x; } //#stub
fn plus_each(sum: C, v: V) -> C { return sum + v.x; } //#stub
fn put_value(s: Share, value: u32, v: C) { return; } //#stub

// Of a strip: its first value, and the sums of the differences from it and of their squares.
struct Run {
    base: C,
    sum: C,
    squares: C,
}

fn run_plus(run: Run, conv: V, is_first: bool) -> Run {
    let base = select(run.base, first_of(conv), is_first);
    let off = conv - base;
    return Run(base, plus_each(run.sum, off), plus_each(run.squares, off * off));
}

struct Moments {
    mean: C,
    spread: C,
}

// Moments of `count` values, joined with a strip of `here`.
fn moments_joined(m: Moments, run: Run, count: f32, here: f32) -> Moments {
    let both = count + here;
    let mean = run.base + run.sum / here;
    let spread = run.squares - run.sum * (run.sum / here);
    let apart = mean - m.mean;
    return Moments(
        m.mean + apart * (here / both),
        m.spread + (spread + apart * apart * (count * here / both)),
    );
}

var<workgroup> counts: array<f32, 64>;
var<workgroup> means: array<C, 64>;
var<workgroup> spreads: array<C, 64>;

// Joins the lanes' moments, and leaves count, mean and spread as three values.
fn put_moments(s: Share, value: u32, count: f32, m: Moments) {
    counts[s.lane] = count;
    means[s.lane] = m.mean;
    spreads[s.lane] = m.spread;
    workgroupBarrier();
    if s.lane < BESIDE {
        let base = means[s.lane];
        var all = 0.0;
        var off = C(0.0);
        for (var l = s.lane; l < 64u; l += BESIDE) {
            all += counts[l];
            off += (means[l] - base) * counts[l];
        }
        let mean = base + off / max(all, 1.0);
        var spread = C(0.0);
        for (var l = s.lane; l < 64u; l += BESIDE) {
            let apart = means[l] - mean;
            spread += spreads[l] + apart * apart * counts[l];
        }
        put_value(s, value, C(all));
        put_value(s, value + 1u, mean);
        put_value(s, value + 2u, spread);
    }
    workgroupBarrier();
}
