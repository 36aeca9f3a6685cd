// Four elements of each of two operands that alternate.
struct Pairs {
    even: vec4<u32>,
    odd: vec4<u32>,
}
