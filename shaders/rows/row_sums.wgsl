// Adds up what is summed over a row, and stores that.
struct Part { nan: u32 } //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
struct Terms { nan: u32 } //#stub
fn terms_joined(lane: u32, own: Terms) -> Terms { return own; } //#stub
fn row_parameter_back(sums: Part, s: Stats) -> f32 { return s.by; } //#stub
fn put(row: u32, sum: Terms) { _ = row; } //#stub
fn put_parameter(row: u32, term: f32, nan: bool) { _ = row; } //#stub
const HAS_SUMS: bool = true; //#stub

fn put_row(lane: u32, is_first: bool, place: Place, own: Terms, sums: Part, stats: Stats, nan: bool) {
    if HAS_SUMS {
        let terms = terms_joined(lane, own);
        if is_first & (place.words > 0u) {
            put(place.row, terms);
            put_parameter(place.row, row_parameter_back(sums, stats), nan);
        }
    }
}
