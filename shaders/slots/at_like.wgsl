fn at_other(i: u32) -> u32 { return i; } //#stub
struct Args { it: u32, other: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand whose values belong to the same elements as those of `other`.
fn at_it(i: u32) -> u32 {
    return args.it + (at_other(i) - args.other);
}
