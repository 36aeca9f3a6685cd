// `it`, a function of ACON's, of a word of one element.
alias V = f32; //#stub
fn it(x: f32, p1: f32, p2: f32, beta: f32) -> f32 { return x * p1 * p2 * beta; } //#stub

fn it_of_word(x: V, p1: V, p2: V, beta: V) -> V {
    return it(x, p1, p2, beta);
}
