// `it`, a function of ACON's, of a word of four elements.
alias V = vec4<f32>; //#stub
fn it(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x * p1 * p2 * beta; } //#stub

fn it_of_word(x: V, p1: V, p2: V, beta: V) -> V {
    return V(
        it(x.x, p1.x, p2.x, beta.x),
        it(x.y, p1.y, p2.y, beta.y),
        it(x.z, p1.z, p2.z, beta.z),
        it(x.w, p1.w, p2.w, beta.w),
    );
}
