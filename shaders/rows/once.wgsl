// Each lane has one row, or a share in one.
//#use rows/lane_counts.wgsl
override LANES: u32 = 64u; //#stub
struct Args { row: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub
fn go(group: u32, lane: u32, turn: u32) { _ = group; } //#stub

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    go(workgroup.y * args.row + workgroup.x, lane, 0u);
}
