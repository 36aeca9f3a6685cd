// What is loaded at once of `it` at a row and a column; zero outside of the image.
alias V = vec4<f32>; //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
fn is_inside(row: i32, column: i32) -> bool { return row >= column; } //#stub
fn index(s: Strip, row: i32, column: i32) -> u32 { return s.n + u32(row + column); } //#stub
fn it_load(i: u32) -> V { return V(f32(i)); } //#stub

fn it_at(s: Strip, row: i32, column: i32) -> V {
    let inside = is_inside(row, column);
    let v = it_load(index(s, select(0, row, inside), select(0, column, inside)));
    return select(V(0.0), v, inside);
}
