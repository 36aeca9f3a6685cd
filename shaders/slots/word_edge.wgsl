struct Edge { channel: u32, next: u32, left: u32 } //#stub
fn at_it(i: u32) -> Edge { return Edge(i, i, 1u); } //#stub
fn bits_it(at: u32) -> u32 { return at; } //#stub
struct Args { it: u32 } //#stub
@group(0) @binding(0) var<uniform> args: Args; //#stub

// The values of `it` for four elements, among which a channel may begin.
fn word_it(i: u32) -> vec4<u32> {
    let edge = at_it(i);
    let this_channel = vec4(bits_it(args.it + edge.channel));
    let next_channel = vec4(bits_it(args.it + edge.next));
    return select(this_channel, next_channel, vec4(0u, 1u, 2u, 3u) >= vec4(edge.left));
}
