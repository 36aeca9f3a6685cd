// The lines of a channel, and the largest of them.
//#use layers/dynamic_relu/form.wgsl
const LINES: u32 = 2u; //#stub
const SHARED: bool = false; //#stub
alias V = f32; //#stub
alias Channels = f32; //#stub
fn channels_of_saved(at: u32, stride: u32) -> Channels { return f32(at + stride); } //#stub
struct Args { channels: u32, lines: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub

struct Line {
    slope: Channels,
    intercept: Channels,
}

// Those beyond LINES are of no use, and left out by guards that are constant.
struct Lines {
    k0: Line,
    k1: Line,
    k2: Line,
    k3: Line,
}

// A set of LINES slopes, and of as many intercepts behind them, begins at `line_set`; the next channel's is `stride` further.
fn line_at(line_set: u32, stride: u32, k: u32) -> Line {
    return Line(channels_of_saved(line_set + k, stride), channels_of_saved(line_set + LINES + k, stride));
}

fn lines_of(n: u32, c: u32) -> Lines {
    let line_set = args.lines + 2u * LINES * select(n * args.channels + c, n, SHARED);
    let stride = select(2u * LINES, 0u, SHARED);
    var lines = Lines();
    lines.k0 = line_at(line_set, stride, 0u);
    if LINES >= 2u {
        lines.k1 = line_at(line_set, stride, 1u);
    }
    if LINES >= 3u {
        lines.k2 = line_at(line_set, stride, 2u);
    }
    if LINES >= 4u {
        lines.k3 = line_at(line_set, stride, 3u);
    }
    return lines;
}

// The largest line at x, its slope, and which it is, as a float: so it is of the type that x has.
struct Largest {
    value: V,
    slope: V,
    k: V,
}

// Among equal lines the first stays.
fn or_line(best: Largest, x: V, line: Line, k: f32) -> Largest {
    let slope = V(line.slope);
    let value = slope * x + V(line.intercept);
    let above = value > best.value;
    return Largest(
        select(best.value, value, above),
        select(best.slope, slope, above),
        select(best.k, V(k), above),
    );
}

fn largest_of(x: V, lines: Lines) -> Largest {
    let slope = V(lines.k0.slope);
    var best = Largest(slope * x + V(lines.k0.intercept), slope, V(0.0));
    if LINES >= 2u {
        best = or_line(best, x, lines.k1, 1.0);
    }
    if LINES >= 3u {
        best = or_line(best, x, lines.k2, 2.0);
    }
    if LINES >= 4u {
        best = or_line(best, x, lines.k3, 3.0);
    }
    return best;
}
