// A row of `it`, as many columns beyond the strip's own as IT_HALO says.
//#use layers/frelu/columns.wgsl
alias V = vec4<f32>; //#stub
struct Strip { n: u32, c: u32, first: i32, top: i32, bottom: i32 } //#stub
struct Row { l6: V, l5: V, l4: V, l3: V, l2: V, l1: V, own: V, r1: V, r2: V, r3: V, r4: V, r5: V, r6: V } //#stub
fn it_at(s: Strip, row: i32, column: i32) -> V { return V(f32(s.first + row + column)); } //#stub
override IT_HALO: i32 = 1;

fn it_row(s: Strip, row: i32) -> Row {
    var r: Row;
    r.own = it_at(s, row, s.first);
    r.l1 = it_at(s, row, s.first - 1); //#if IT_HALO >= 1
    r.r1 = it_at(s, row, s.first + 1); //#if IT_HALO >= 1
    r.l2 = it_at(s, row, s.first - 2); //#if IT_HALO >= 2
    r.r2 = it_at(s, row, s.first + 2); //#if IT_HALO >= 2
    r.l3 = it_at(s, row, s.first - 3); //#if IT_HALO >= 3
    r.r3 = it_at(s, row, s.first + 3); //#if IT_HALO >= 3
    r.l4 = it_at(s, row, s.first - 4); //#if IT_HALO >= 4
    r.r4 = it_at(s, row, s.first + 4); //#if IT_HALO >= 4
    r.l5 = it_at(s, row, s.first - 5); //#if IT_HALO >= 5
    r.r5 = it_at(s, row, s.first + 5); //#if IT_HALO >= 5
    r.l6 = it_at(s, row, s.first - 6); //#if IT_HALO >= 6
    r.r6 = it_at(s, row, s.first + 6); //#if IT_HALO >= 6
    return r;
}
