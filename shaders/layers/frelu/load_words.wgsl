// A row of `it`, as many columns beyond the strip's own as IT_HALO says.
//#use layers/frelu/words.wgsl
alias V = vec4<f32>; //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
struct Row { far_left: V, left: V, own: V, right: V, far_right: V } //#stub
fn it_at(s: Strip, row: i32, column: i32) -> V { return V(f32(s.first + row + column)); } //#stub
override IT_HALO: i32 = 1;

fn it_row(s: Strip, row: i32) -> Row {
    var r: Row;
    r.own = it_at(s, row, s.first);
    r.left = it_at(s, row, s.first - 4); //#if IT_HALO >= 1
    r.right = it_at(s, row, s.first + 4); //#if IT_HALO >= 1
    r.far_left = it_at(s, row, s.first - 8); //#if IT_HALO >= 5
    r.far_right = it_at(s, row, s.first + 8); //#if IT_HALO >= 5
    return r;
}
