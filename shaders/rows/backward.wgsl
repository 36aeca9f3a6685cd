// Backward over whole rows: their statistics, then the sums of the gradients of the values, then every element's gradient.
//#use rows/place.wgsl
//#use rows/strip.wgsl
//#use rows/strip_back.wgsl
//#use rows/strip_put.wgsl
//#use rows/row_sums.wgsl
//#use rows/lane_counts.wgsl
override BESIDE: u32 = 64u; //#stub
struct Args { words: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
override WORDS: u32 = 4u; //#stub
fn first_word(lane: u32) -> u32 { return lane; } //#stub
alias V = vec4<f32>; //#stub
alias C = vec4<u32>; //#stub
struct Strip { a: V, b: V, c: V, d: V, e: V, f: V, g: V, h: V } //#stub
struct Stats { by: f32 } //#stub
struct Place { row: u32, words: u32, first: u32, step: u32 } //#stub
fn place_of(group: u32, lane: u32, turn: u32) -> Place { return Place(group, lane, turn, 1u); } //#stub
struct Known { centre: f32, stats: Stats, nan: bool } //#stub
fn known(lane: u32, place: Place) -> Known { return Known(1.0, Stats(1.0), lane == place.row); } //#stub
fn strip_seen(place: Place, k: u32) -> Strip { return Strip(); } //#stub
fn strip_kept(place: Place, k: u32, z: Strip, centre: f32) -> Strip { return z; } //#stub
fn strip_value(k: u32, kept: Strip, stats: Stats) -> Strip { return kept; } //#stub
struct Part { nan: u32 } //#stub
fn part_joined(lane: u32, own: Part) -> Part { return own; } //#stub
fn strip_gradient(place: Place, k: u32, value: Strip) -> Strip { return value; } //#stub
fn strip_part(value: Strip, gradient: Strip) -> Part { return Part(u32(value.a.x)); } //#stub
fn strip_back(place: Place, k: u32, value: Strip, gradient: Strip, sums: Part, stats: Stats) -> Strip { return value; } //#stub
struct Terms { nan: u32 } //#stub
struct Turn { slot: u32, is_first: bool, lost: bool, nan: bool } //#stub
fn strip_put(place: Place, k: u32, turn: Turn, dz: Strip, value: Strip) -> Terms { return Terms(k); } //#stub
fn slot_of(group: u32, lane: u32) -> u32 { return group + lane; } //#stub
fn part_plus(x: Part, y: Part) -> Part { return Part(x.nan | y.nan); } //#stub
fn terms_plus(a: Terms, b: Terms) -> Terms { return Terms(a.nan | b.nan); } //#stub
fn put_row(lane: u32, is_first: bool, place: Place, own: Terms, sums: Part, stats: Stats, nan: bool) { _ = lane; } //#stub

fn strip_at(place: Place, k: u32, row: Known) -> Strip {
    return strip_value(k, strip_kept(place, k, strip_seen(place, k), row.centre), row.stats);
}

// No running sum is long: eight strips are added to a part, parts to the total.
fn sums_of_row(lane: u32, place: Place, row: Known) -> Part {
    var total = Part();
    var part = Part();
    var count = 0u;
    for (var k = first_word(lane); k < place.words; k += WORDS * BESIDE) {
        let value = strip_at(place, k, row);
        part = part_plus(part, strip_part(value, strip_gradient(place, k, value)));
        count += 1u;
        if (count & 7u) == 0u {
            total = part_plus(total, part);
            part = Part();
        }
    }
    return part_joined(lane, part_plus(total, part));
}

fn go(group: u32, lane: u32, turn: u32) {
    let own = first_word(lane);
    let place = place_of(group, lane, turn);
    let row = known(lane, place);
    let sums = sums_of_row(lane, place, row);
    let nan = row.nan | (sums.nan > 0u);
    let here = Turn(slot_of(group, lane), turn == 0u, row.nan, nan);
    var terms = Terms();
    // As often for all lanes: FXC takes no barrier in a loop in which there is another one that ends for each lane by itself.
    for (var begin = 0u; begin < args.words; begin += WORDS * BESIDE) {
        let k = begin + own;
        if k < place.words {
            let value = strip_at(place, k, row);
            let gradient = strip_gradient(place, k, value);
            let dz = strip_back(place, k, value, gradient, sums, row.stats);
            terms = terms_plus(terms, strip_put(place, k, here, dz, value));
        }
    }
    put_row(lane, own == 0u, place, terms, sums, row.stats, nan);
}
