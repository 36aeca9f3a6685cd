//#use math/sigmoid.wgsl
fn m_times_sigmoid(x: f32, z: f32) -> f32 { return x * z; } //#stub
//#use math/sin.wgsl
fn m_turns(z: f32) -> u32 { return u32(z); } //#stub
fn m_sin(z: f32, turns: u32) -> f32 { return z * f32(turns); } //#stub
//#default beta = 1.702
fn act_mine(x: f32, beta: f32) -> f32 {
    let z = beta * x;
    return m_times_sigmoid(x, z) + m_sin(z, m_turns(z));
}
