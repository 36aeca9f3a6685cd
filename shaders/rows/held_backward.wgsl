// Backward over rows that are held.
//#use rows/held_gradients.wgsl
//#use rows/strip_put.wgsl
//#use rows/row_sums.wgsl
alias V = vec4<f32>; //#stub
struct Part { nan: u32 } //#stub
struct Stats { by: f32 } //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct RowBack { place: Place, value: Strip, dz: Strip, sums: Part, stats: Stats, lost: bool, nan: bool } //#stub
fn gradients(group: u32, lane: u32, turn: u32) -> RowBack { return RowBack(Place(group, lane, turn, 1u), Strip(), Strip(), Part(0u), Stats(1.0), false, false); } //#stub
fn first_word(lane: u32) -> u32 { return lane; } //#stub
fn slot_of(group: u32, lane: u32) -> u32 { return group + lane; } //#stub
struct Turn { slot: u32, is_first: bool, lost: bool, nan: bool } //#stub
struct Terms { nan: u32 } //#stub
fn strip_put(place: Place, k: u32, turn: Turn, dz: Strip, value: Strip) -> Terms { return Terms(k); } //#stub
fn put_row(lane: u32, is_first: bool, place: Place, own: Terms, sums: Part, stats: Stats, nan: bool) { _ = lane; } //#stub

fn go(group: u32, lane: u32, turn: u32) {
    let own = first_word(lane);
    let row = gradients(group, lane, turn);
    let here = Turn(slot_of(group, lane), turn == 0u, row.lost, row.nan);
    let terms = strip_put(row.place, own, here, row.dz, row.value);
    put_row(lane, own == 0u, row.place, terms, row.sums, row.stats, row.nan);
}
