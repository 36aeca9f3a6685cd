// No norm: T is the convolution and its bias.
//#use layers/frelu/norm.wgsl
alias C = f32; //#stub
struct Norm { center: C, scale: C, gain: C, lift: C } //#stub
struct Back { factor: C, mean: C, variance: C } //#stub
fn bias_of(c: u32) -> C { return C(f32(c)); } //#stub

fn bn_of(c: u32) -> Norm {
    return Norm(-bias_of(c), C(1.0), C(1.0), C(0.0));
}

fn bn_back(c: u32, n: Norm) -> Back {
    return Back(n.gain * n.scale, C(0.0), C(0.0));
}
