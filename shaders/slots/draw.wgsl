//#use math/philox.wgsl
fn m_philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> { return counter ^ key.xyxy; } //#stub
struct Args { seed_low: u32, seed_high: u32, offset_low: u32, offset_high: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// The numbers that a random step draws for four elements, of which `first` is one. Each step has an offset of its own, which is
// the counter's upper half.
fn draw(first: u32, step: u32) -> vec4<u32> {
    let low = args.offset_low + step;
    let high = args.offset_high + select(0u, 1u, low < args.offset_low);
    return m_philox(vec4(first >> 2u, 0u, low, high), vec2(args.seed_low, args.seed_high));
}
