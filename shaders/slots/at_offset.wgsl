struct Args { it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand that begins somewhere in its binding.
fn at_it(i: u32) -> u32 {
    return args.it + i;
}
