// Numbers with 64 digits, by integers: for the few results of 16 bits that lie too near the middle between two numbers for
// f32 to tell which is nearer. No driver's rounding, flushing or reordering comes in.
//
// Every operation rounds to odd: what is cut off is kept as the last digit, 1, so that the one rounding at the end sees on
// which side of a tie the result is.
//#use math/divide.wgsl
fn m_multiply_high(a: u32, b: u32) -> u32 { return a * b; } //#stub

// (high 2^32 + low) 2^(e - 63), and high begins with a one; or high and low are zero.
struct Wide {
    negative: bool,
    e: i32,
    high: u32,
    low: u32,
}

// The exponent of zero.
const W_NOTHING: i32 = -1000000;

const W_ONE: Wide = Wide(false, 0, 0x80000000u, 0u);
const W_ZERO: Wide = Wide(false, W_NOTHING, 0u, 0u);

// Integers of 64 bits, the upper half first.
fn w_plus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.y + b.y;
    return vec2(a.x + b.x + select(0u, 1u, low < b.y), low);
}

fn w_minus64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    return vec2(a.x - b.x - select(0u, 1u, a.y < b.y), a.y - b.y);
}

fn w_product64(a: u32, b: u32) -> vec2<u32> {
    return vec2(m_multiply_high(a, b), a * b);
}

// By up to 63.
fn w_left64(m: vec2<u32>, n: u32) -> vec2<u32> {
    let far = n >= 32u;
    let high = select(m.x, m.y, far);
    let low = select(m.y, 0u, far);
    let by = n & 31u;
    return vec2((high << by) | ((low >> 1u) >> (31u - by)), low << by);
}

// By any number; the third part is not zero where a one was lost.
fn w_right64(m: vec2<u32>, n: u32) -> vec3<u32> {
    let far = n >= 32u;
    let high = select(m.x, 0u, far);
    let low = select(m.y, m.x, far);
    let by = n & 31u;
    let lost = select(0u, m.y, far) | (low & ((1u << by) - 1u));
    let kept = vec2(high >> by, (low >> by) | ((high << 1u) << (31u - by)));
    return select(vec3(kept, lost), vec3(0u, 0u, m.x | m.y), n >= 64u);
}

fn w_odd(lost: u32) -> u32 {
    return select(0u, 1u, lost != 0u);
}

// m 2^(e - 63), wherever m begins.
fn w_normal(negative: bool, e: i32, m: vec2<u32>) -> Wide {
    let n = select(countLeadingZeros(m.x), 32u + countLeadingZeros(m.y), m.x == 0u);
    let shifted = w_left64(m, min(n, 63u));
    return Wide(negative, select(e - i32(n), W_NOTHING, n == 64u), shifted.x, shifted.y);
}

fn w_whole(n: u32) -> Wide {
    return w_normal(false, 31, vec2(n, 0u));
}

fn w_minus(a: Wide) -> Wide {
    return Wide(!a.negative, a.e, a.high, a.low);
}

fn w_abs(a: Wide) -> Wide {
    return Wide(false, a.e, a.high, a.low);
}

fn w_times_power(a: Wide, k: i32) -> Wide {
    return Wide(a.negative, a.e + k, a.high, a.low);
}

fn w_is_zero(a: Wide) -> bool {
    return a.high == 0u;
}

fn w_choose(no: Wide, yes: Wide, is_it: bool) -> Wide {
    return Wide(
        select(no.negative, yes.negative, is_it),
        select(no.e, yes.e, is_it),
        select(no.high, yes.high, is_it),
        select(no.low, yes.low, is_it),
    );
}

// Whether |a| < |b|.
fn w_is_smaller(a: Wide, b: Wide) -> bool {
    let below = (a.high < b.high) | ((a.high == b.high) & (a.low < b.low));
    return (a.e < b.e) | ((a.e == b.e) & below);
}

// a < b, of which one at least is not zero.
fn w_is_below(a: Wide, b: Wide) -> bool {
    let alike = select(w_is_smaller(a, b), w_is_smaller(b, a), a.negative);
    return select(alike, a.negative, a.negative != b.negative);
}

fn w_mul(a: Wide, b: Wide) -> Wide {
    let low = w_product64(a.low, b.low);
    let one = w_plus64(w_product64(a.low, b.high), vec2(0u, low.x));
    let two = w_plus64(w_product64(a.high, b.low), vec2(0u, one.y));
    let high = w_plus64(w_plus64(w_product64(a.high, b.high), vec2(0u, one.x)), vec2(0u, two.x));
    // From 1 up to 4: one digit more or less.
    let small = high.x < 0x80000000u;
    let m = select(high, vec2((high.x << 1u) | (high.y >> 31u), (high.y << 1u) | (two.y >> 31u)), small);
    let lost = select(two.y, two.y << 1u, small) | low.y;
    return Wide(a.negative != b.negative, a.e + b.e + select(1, 0, small), m.x, m.y | w_odd(lost));
}

fn w_add(a: Wide, b: Wide) -> Wide {
    let swap = w_is_smaller(a, b);
    let large = w_choose(a, b, swap);
    let small = w_choose(b, a, swap);
    let m = vec2(large.high, large.low);
    let right = w_right64(vec2(small.high, small.low), u32(large.e - small.e));
    let odd = w_odd(right.z);
    let differ = large.negative != small.negative;
    let sum = w_plus64(m, right.xy);
    let carry = sum.x < m.x;
    let half = vec2((sum.x >> 1u) | 0x80000000u, (sum.y >> 1u) | (sum.x << 31u) | (sum.y & 1u));
    let up = select(sum, half, carry);
    let down = w_minus64(w_minus64(m, right.xy), vec2(0u, odd));
    let e = large.e + select(0, 1, carry & !differ);
    let bits = select(up, down, differ);
    return w_normal(large.negative, e, vec2(bits.x, bits.y | odd));
}

fn w_sub(a: Wide, b: Wide) -> Wide {
    return w_add(a, w_minus(b));
}

// To 48 digits. Eight at a time are found by f32, at most two too small, and put right.
fn w_div(a: Wide, b: Wide) -> Wide {
    // 54 digits of each leave room for a product with eight.
    let divisor3 = w_right64(vec2(b.high, b.low), 10u);
    let rest3 = w_right64(vec2(a.high, a.low), 10u);
    let divisor = vec2(divisor3.x, divisor3.y | w_odd(divisor3.z));
    let estimate = 255.99 / f32(divisor.x + 1u);
    var rest = vec2(rest3.x, rest3.y | w_odd(rest3.z));
    var quotient = vec2(0u, 0u);
    for (var turn = 0u; turn < 6u; turn += 1u) {
        let digit = u32(f32(rest.x) * estimate);
        let part = w_product64(divisor.y, digit);
        rest = w_minus64(w_left64(rest, 8u), vec2(divisor.x * digit + part.x, part.y));
        let one = (rest.x > divisor.x) | ((rest.x == divisor.x) & (rest.y >= divisor.y));
        rest = select(rest, w_minus64(rest, divisor), one);
        let two = (rest.x > divisor.x) | ((rest.x == divisor.x) & (rest.y >= divisor.y));
        rest = select(rest, w_minus64(rest, divisor), two);
        let more = select(0u, 1u, one) + select(0u, 1u, two);
        quotient = w_plus64(w_left64(quotient, 8u), vec2(0u, digit + more));
    }
    let odd = w_odd(rest.x | rest.y);
    // The first digit stands at 2^-8 or above.
    let m = w_left64(quotient, 8u);
    return w_normal(a.negative != b.negative, a.e - b.e + 7, vec2(m.x, m.y | odd));
}

// To 40 digits, one at a time.
fn w_sqrt(a: Wide) -> Wide {
    // The power of two behind m is made even. Digits of m come in from above, two at a time.
    let fits_as_is = (a.e & 1) == 1;
    let m = vec2(a.high, a.low);
    var digits = select(vec2(m.x >> 1u, (m.y >> 1u) | (m.x << 31u)), m, fits_as_is);
    let lost = select(m.y & 1u, 0u, fits_as_is);
    var rest = vec2(0u, 0u);
    var root = vec2(0u, 0u);
    for (var turn = 0u; turn < 40u; turn += 1u) {
        rest = w_left64(rest, 2u) | vec2(0u, digits.x >> 30u);
        digits = w_left64(digits, 2u);
        let trial = w_left64(root, 2u) | vec2(0u, 1u);
        let fits = (trial.x < rest.x) | ((trial.x == rest.x) & (trial.y <= rest.y));
        rest = select(rest, w_minus64(rest, trial), fits);
        root = w_left64(root, 1u) | vec2(0u, select(0u, 1u, fits));
    }
    let odd = w_odd(rest.x | rest.y | digits.x | digits.y | lost);
    let found = w_left64(root, 24u);
    return w_normal(false, a.e >> 1u, vec2(found.x, found.y | odd));
}

fn w_inverse(a: Wide) -> Wide {
    return w_div(W_ONE, a);
}
