fn put_it(i: u32, e: vec4<u32>) { _ = e + vec4(i); } //#stub

// Stores the i-th four pairs of `it` and the operand that it alternates with, 16 bits an element: a pair has 32.
fn put_pairs_it(i: u32, even: vec4<u32>, odd: vec4<u32>) {
    put_it(i, even | (odd << vec4(16u)));
}
