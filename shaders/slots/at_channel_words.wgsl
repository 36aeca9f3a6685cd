//#use math/divide.wgsl
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return (n * magic) >> shift; } //#stub
struct Args { start: u32, it: u32, words_it: u32, words_magic_it: u32, words_shift_it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// `it`, an operand with a value for each channel, where channels lie beside each other in whole words of four.
fn at_it(i: u32) -> u32 {
    let word = (args.start >> 2u) + i;
    return args.it + word - args.words_it * m_divide(word, args.words_magic_it, args.words_shift_it);
}
