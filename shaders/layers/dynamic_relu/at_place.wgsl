// Where a word is of one place, what belongs to the place is asked for with each word.
alias Places = f32; //#stub
alias V = f32; //#stub
alias Held = u32; //#stub
struct Spot { factor: Places } //#stub
fn spot(place: u32) -> Spot { return Spot(f32(place)); } //#stub
struct Terms { x: V } //#stub
fn spot_terms(i: u32, held: Held, s: Spot) -> Terms { return Terms(f32(i + held) * s.factor); } //#stub
fn spot_write(i: u32, held: Held, s: Spot) { _ = f32(i + held) * s.factor; } //#stub

fn terms(i: u32, held: Held, place: u32) -> Terms {
    return spot_terms(i, held, spot(place));
}

fn write(i: u32, held: Held, place: u32) {
    spot_write(i, held, spot(place));
}
