// Writes the sums of a window's gradient: a row at a time, so that what lanes share stays small.
alias C = f32; //#stub
struct Share { lane: u32, unit: u32, c: u32, block: u32, begin: u32, end: u32 } //#stub
struct WindowRow { a: C, b: C, c: C, d: C, e: C, f: C, g: C } //#stub
struct WindowTaps { a: WindowRow, b: WindowRow, c: WindowRow, d: WindowRow, e: WindowRow, f: WindowRow, g: WindowRow } //#stub
fn share_sum(s: Share, index: i32, sum: C) { return; } //#stub
fn put_sums(s: Share, first: u32, count: u32) { return; } //#stub
override WINDOW_HEIGHT: i32 = 3; //#stub
override WINDOW_WIDTH: i32 = 3; //#stub
override WINDOW_FIRST: u32 = 0u; // The number of its first element's sum among all sums.

fn window_put_row(s: Share, i: i32, sums: WindowRow) {
    let middle = WINDOW_WIDTH / 2;
    share_sum(s, middle - 3, sums.a); //#if WINDOW_WIDTH >= 7
    share_sum(s, middle - 2, sums.b); //#if WINDOW_WIDTH >= 5
    share_sum(s, middle - 1, sums.c); //#if WINDOW_WIDTH >= 3
    share_sum(s, middle, sums.d);
    share_sum(s, middle + 1, sums.e); //#if WINDOW_WIDTH >= 3
    share_sum(s, middle + 2, sums.f); //#if WINDOW_WIDTH >= 5
    share_sum(s, middle + 3, sums.g); //#if WINDOW_WIDTH >= 7
    put_sums(s, WINDOW_FIRST + u32(i * WINDOW_WIDTH), u32(WINDOW_WIDTH));
}

fn window_put(s: Share, sums: WindowTaps) {
    let middle = WINDOW_HEIGHT / 2;
    window_put_row(s, middle - 3, sums.a); //#if WINDOW_HEIGHT >= 7
    window_put_row(s, middle - 2, sums.b); //#if WINDOW_HEIGHT >= 5
    window_put_row(s, middle - 1, sums.c); //#if WINDOW_HEIGHT >= 3
    window_put_row(s, middle, sums.d);
    window_put_row(s, middle + 1, sums.e); //#if WINDOW_HEIGHT >= 3
    window_put_row(s, middle + 2, sums.f); //#if WINDOW_HEIGHT >= 5
    window_put_row(s, middle + 3, sums.g); //#if WINDOW_HEIGHT >= 7
}
