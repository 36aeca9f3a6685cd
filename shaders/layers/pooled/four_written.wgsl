// Writes what belongs to the `it` of a word, four values, `stride` apart, to `buffer`.
alias It = vec4<f32>; //#stub
@group(0) @binding(0) var<storage, read_write> buffer: array<f32>; //#bind

fn it_store(at: u32, stride: u32, v: It) {
    buffer[at] = v.x;
    buffer[at + stride] = v.y;
    buffer[at + 2u * stride] = v.z;
    buffer[at + 3u * stride] = v.w;
}
