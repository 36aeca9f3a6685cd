// The sum of what workgroups left in scratch.
@group(0) @binding(0) var<storage, read> scratch: array<f32>; //#bind

// The sum of `count` elements of scratch from `first` on. Thirty-two are added to a part, parts to the sum, so that no
// running sum is long.
fn partial_sum(first: u32, count: u32) -> f32 {
    var sum = 0.0;
    for (var begin = 0u; begin < count; begin += 32u) {
        let end = min(begin + 32u, count);
        var part = 0.0;
        for (var k = begin; k < end; k += 1u) {
            part += scratch[first + k];
        }
        sum += part;
    }
    return sum;
}
