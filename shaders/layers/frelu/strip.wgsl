// How images are cut: a strip is COLUMNS columns of an image, and at most ROWS rows. A lane walks down one strip after
// another, all of the same channel, or the same UNIT of channels.
struct Args { units: u32, strips: u32, across: u32, chunks: u32, height: u32, width: u32, sweep_each: u32, sweep_blocks: u32 } //#args
@group(0) @binding(0) var<uniform> args: Args; //#stub
const COLUMNS: u32 = 4u; //#stub
const UNIT: u32 = 1u; //#stub
const BESIDE: u32 = 1u; //#stub
fn element(n: u32, c: u32, place: u32) -> u32 { return n + c + place; } //#stub
override ROWS: u32 = 64u;

// A lane's work: its unit of channels, the first of these, and its strips. Lanes whose unit is behind the last have no
// strips, but take part in barriers. `block` is the workgroup's number among those of its channels.
struct Share {
    lane: u32,
    unit: u32,
    c: u32,
    block: u32,
    begin: u32,
    end: u32,
}

fn share_of(group: u32, lane: u32) -> Share {
    let block = group % args.sweep_blocks;
    let unit = (group / args.sweep_blocks) * BESIDE + lane % BESIDE;
    let c = min(unit, args.units - 1u) * UNIT;
    let begin = (block * (64u / BESIDE) + lane / BESIDE) * args.sweep_each;
    let end = select(0u, min(begin + args.sweep_each, args.strips), unit < args.units);
    return Share(lane, unit, c, block, begin, end);
}

// A strip of sample n and channel c: its first column, its first row, and the row behind its last.
struct Strip {
    n: u32,
    c: u32,
    first: i32,
    top: i32,
    bottom: i32,
}

fn strip_at(index: u32, c: u32) -> Strip {
    let above = index / args.across;
    let first = i32((index - above * args.across) * COLUMNS);
    let n = above / args.chunks;
    let top = i32((above - n * args.chunks) * ROWS);
    return Strip(n, c, first, top, min(top + i32(ROWS), i32(args.height)));
}

fn is_inside(row: i32, column: i32) -> bool {
    return (row >= 0) & (row < i32(args.height)) & (column >= 0) & (column < i32(args.width));
}

// The number of what is loaded at once at a row and a column of the image.
fn index(s: Strip, row: i32, column: i32) -> u32 {
    return element(s.n, s.c, u32(row * i32(args.width) + column)) / (COLUMNS * UNIT);
}
