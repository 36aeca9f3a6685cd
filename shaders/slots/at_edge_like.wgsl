struct Edge { channel: u32, next: u32, left: u32 } //#stub
fn at_other(i: u32) -> Edge { return Edge(i, i, 1u); } //#stub

// `it`, an operand whose values belong to the same elements as those of `other`.
fn at_it(i: u32) -> Edge {
    return at_other(i);
}
