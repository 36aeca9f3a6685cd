//! An activation of one's own: ISRU, x / sqrt(1 + a x^2) (Carlile et al. 2017, arXiv:1710.09967), from WGSL
//! text, in a chain with built-in steps, checked against its own f64 definition.

use nonlin::{Chain, Custom, Gpu, Values, check};

const ISRU: &str = "
fn act_isru(x: f32, a: f32) -> f32 {
    return x / isru_root(x, a);
}

fn act_isru_dx(x: f32, a: f32) -> f32 {
    let r = 1.0 / isru_root(x, a);
    return r * r * r;
}

// The derivative with respect to a, so that a can be learned.
fn act_isru_d_a(x: f32, a: f32) -> f32 {
    let r = act_isru(x, a);
    return -0.5 * r * r * r;
}

fn isru_root(x: f32, a: f32) -> f32 {
    return sqrt(1.0 + a * x * x);
}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let isru = Custom::new("isru", &[("a", 1.0)], ISRU)?
        .with_reference(
            |x, p| x / (1.0 + p[0] * x * x).sqrt(),
            |x, p| (1.0 + p[0] * x * x).powf(-1.5),
        )
        // A cube of a quotient of a root: the roundings add up to more than the usual 4 ULP.
        .with_budget(12.0);

    // A mistake comes back with its line.
    let error = Custom::new(
        "isru",
        &[("a", 1.0)],
        &ISRU.replace("r * r * r", "r * r * t"),
    );
    println!(
        "A mistake in the text:\n{}\n",
        error.expect_err("t is not defined")
    );

    let gpu = Gpu::new()?;
    let x: Vec<f32> = (0..4096).map(|i| i as f32 / 1024.0 - 2.0).collect();
    let dy = vec![1.0; x.len()];

    let chain = Chain::parse_with("scale(2) | isru(a=0.5)", std::slice::from_ref(&isru))?;
    let y = gpu.forward(&chain, &x)?;
    let report = check::forward(&chain, &x, &y)?;
    println!(
        "{chain}: {} of {} elements are wrong",
        report.failed, report.compared
    );
    let dx = gpu.backward(&chain, &x, &dy)?;
    let backward = check::backward(&chain, &x, &dy, &dx)?;
    println!(
        "its derivative: {} of {}",
        backward.failed, backward.compared
    );

    // The same with a learned parameter.
    let chain = Chain::parse_with("isru(a=@a)", &[isru])?;
    let values = Values::new().arg("a", &[0.5f32]);
    let (_, gradients) = gpu.backward_with(&chain, &x, &dy, &values, &["a"])?;
    let gradient = check::gradient(&chain, &x, &dy, &values, "a", &gradients[0])?;
    println!("{chain}: the gradient of a is {}", gradients[0][0]);

    if report.passes() && backward.passes() && gradient.passes() {
        Ok(())
    } else {
        Err("the results are wrong".into())
    }
}
