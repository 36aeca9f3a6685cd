// Which row a lane has, and where that lies: rows are counted along the samples and then, where elements of other rows lie
// between a row's own, beside each other.
//#use rows/lane_counts.wgsl
//#use math/divide.wgsl
override LANES: u32 = 64u; //#stub
override BESIDE: u32 = 64u; //#stub
fn m_divide(n: u32, magic: u32, shift: u32) -> u32 { return n / (magic >> shift); } //#stub
struct Args { row: u32, rows: u32, words: u32, inner: u32, inner_magic: u32, inner_shift: u32, block: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// The row's words, none where there is no such row; the first of them, and how far it is from one to the next.
struct Place {
    row: u32,
    words: u32,
    first: u32,
    step: u32,
}

// Of a workgroup, the lanes in each row are one beside the other, and so are the rows of one turn: a lane has `block` rows,
// one after another.
fn slot_of(group: u32, lane: u32) -> u32 {
    return group * (LANES / BESIDE) + lane / BESIDE;
}

fn place_of(group: u32, lane: u32, turn: u32) -> Place {
    let counted = slot_of(group * args.block + turn, lane);
    // Past the last row lanes go along with it, and store nothing.
    let row = min(counted, args.rows - 1u);
    let sample = m_divide(row, args.inner_magic, args.inner_shift);
    let first = sample * args.words * args.inner + row - sample * args.inner;
    return Place(row, select(0u, args.words, counted < args.rows), first, args.inner);
}
