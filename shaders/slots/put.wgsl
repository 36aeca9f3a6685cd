fn at_it(i: u32) -> u32 { return i; } //#stub
fn all_it(at: u32, e: vec4<u32>) { _ = e + vec4(at); } //#stub
fn end_it(at: u32, left: u32, e: vec4<u32>) { _ = e + vec4(at + left); } //#stub
struct Args { len: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// Stores the i-th four elements of `it`. The last word may reach behind the operand: there only its own elements are written.
fn put_it(i: u32, e: vec4<u32>) {
    let at = at_it(i);
    if args.len - 4u * i < 4u { end_it(at, args.len - 4u * i, e); return; } //#if ENDS == 1
    all_it(at, e);
}
