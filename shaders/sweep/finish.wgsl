// Adds up the partial sums that a sweep left: a lane for each 32 bits of a gradient where there are few of them, else a
// workgroup. workgroup.y says which gradient, x and z which part of it.
//#use sweep/eights.wgsl
struct Args { row: u32 } //#stub
@group(0) @binding(0) var<storage, read> partials: array<u32>; //#stub
@group(0) @binding(1) var<uniform> args: Args; //#stub
fn sum_of(gradient: u32) -> Sum { return Sum(gradient, 1u, 1u, 1u, 1u, 0u, 1u, 1u, 0u, 1u); } //#stub
fn put(gradient: u32, at: u32, sum: Terms) { _ = gradient + at + sum.nan; } //#stub
const NARROW: bool = true; //#stub
fn add_eights(lane: u32, along: u32, own: Terms) -> Terms { return Terms(own.sum, own.nan + lane + along); } //#stub

// Of a gradient: where its partial sums begin, how many values it has, how many partial sums each of them has, and how
// these lie: runs of `run`, `skip` apart; where its values go; how many values 32 bits hold; of how many values the partial
// sums lie among each other, before those of others begin, `period` further; and how many lanes add up a value: 1 or 64.
struct Sum {
    base: u32,
    len: u32,
    terms: u32,
    run: u32,
    skip: u32,
    offset: u32,
    in_word: u32,
    values: u32,
    period: u32,
    lanes: u32,
}

struct Terms {
    sum: f32,
    nan: u32,
}

fn plus(a: Terms, b: Terms) -> Terms {
    return Terms(a.sum + b.sum, a.nan | b.nan);
}

// A lane's share of one value's terms, or all of them: sixteen are added to a part, parts to the total.
fn add_up(lane: u32, s: Sum, value: u32) -> Terms {
    var nan = 0u;
    var total = 0.0;
    var part = 0.0;
    var count = 0u;
    let first = s.base + (value / s.values) * s.period + (value % s.values) * s.run;
    for (var term = lane; term < s.terms; term += s.lanes) {
        let bits = partials[first + (term / s.run) * s.skip + term % s.run];
        part += bitcast<f32>(bits);
        nan |= select(0u, 1u, (bits & 0x7fffffffu) > 0x7f800000u);
        count += 1u;
        if (count & 15u) == 0u {
            total += part;
            part = 0.0;
        }
    }
    return Terms(total + part, nan);
}

fn alone(gradient: u32, s: Sum, value: u32) {
    if value < s.len {
        put(gradient, s.offset + value, add_up(0u, s, value));
    }
}

fn together(lane: u32, gradient: u32, s: Sum, value: u32) {
    if value < s.len {
        let sum = add_eights(lane, 8u, add_up(lane, s, value));
        if lane == 0u {
            put(gradient, s.offset + value, sum);
        }
        // What the lanes hold is read by then.
        workgroupBarrier();
    }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let gradient = workgroup.y;
    let s = sum_of(gradient);
    let group = workgroup.z * args.row + workgroup.x;
    // Two values share 32 bits, with each other or with a neighbour that is not ours: one lane writes both. The first wraps
    // below zero where it is the neighbour's.
    let odd = s.offset & (s.in_word - 1u);
    if s.lanes == 1u {
        let first = (group * 64u + lane) * s.in_word - odd;
        alone(gradient, s, first);
        if NARROW & (s.in_word == 2u) {
            alone(gradient, s, first + 1u);
        }
        return;
    }
    let first = group * s.in_word - odd;
    together(lane, gradient, s, first);
    if NARROW & (s.in_word == 2u) {
        together(lane, gradient, s, first + 1u);
    }
}
