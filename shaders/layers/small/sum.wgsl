// The sum of `count` terms, it_term(k, a, b) each, in parts of 32, so that no running sum is long. What a and b are, the
// term says: mostly, where its operands begin.
fn it_term(k: u32, a: u32, b: u32) -> f32 { return f32(k + a + b); } //#stub

fn it_sum(count: u32, a: u32, b: u32) -> f32 {
    var sum = 0.0;
    for (var begin = 0u; begin < count; begin += 32u) {
        var part = 0.0;
        for (var k = begin; k < min(begin + 32u, count); k += 1u) {
            part += it_term(k, a, b);
        }
        sum += part;
    }
    return sum;
}
