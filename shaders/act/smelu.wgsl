fn act_smelu(x: f32, beta: f32) -> f32 {
    let up = clamp(x, -beta, beta) + beta;
    let bend = up * (up / (4.0 * beta));
    return select(bend, x, x >= beta);
}

fn act_smelu_dx(x: f32, beta: f32) -> f32 {
    return (clamp(x, -beta, beta) + beta) / (2.0 * beta);
}

// (beta + x) (beta - x) / (2 beta)^2.
fn act_smelu_d_beta(x: f32, beta: f32) -> f32 {
    let inner = clamp(x, -beta, beta);
    return ((beta + inner) / (2.0 * beta)) * ((beta - inner) / (2.0 * beta));
}
