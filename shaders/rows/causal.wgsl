// Rows of an attention matrix: of row q, columns above q + offset are masked.
//#use math/divide.wgsl
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
alias Flags = vec4<bool>; //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn before(i: u32) -> V { return V(f32(i)); } //#stub
fn columns_of(k: u32) -> C { return C(k); } //#stub
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
fn offset() -> f32 { return 0.0; } //#stub
struct Args { first_row: u32, queries: u32, queries_magic: u32, queries_shift: u32, nothing: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

fn is_masked(place: Place, k: u32) -> Flags {
    let row = args.first_row + place.row;
    let query = row - args.queries * m_divide(row, args.queries_magic, args.queries_shift);
    let visible = i32(query) + i32(offset()) + 1;
    return columns_of(k) >= C(u32(max(visible, 0)));
}

fn seen(i: u32, place: Place, k: u32) -> V {
    // The bits of -inf, which no constant may be.
    return select(before(i), V(bitcast<f32>(args.nothing)), is_masked(place, k));
}

fn unseen(gradient: V, place: Place, k: u32) -> V {
    return select(gradient, V(0.0), is_masked(place, k));
}
