struct Args { it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand of 32 bits an element whose elements alternate with another's: four pairs have two words.
fn at_it(i: u32) -> u32 {
    return args.it + 2u * i;
}
