// Writes what belongs to the `it` of a word, one value, to `buffer`; see four_written.wgsl.
alias It = f32; //#stub
@group(0) @binding(0) var<storage, read_write> buffer: array<f32>; //#bind

fn it_store(at: u32, stride: u32, v: It) {
    buffer[at] = v;
}
