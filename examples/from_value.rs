//! An activation of one's own from the text of its value alone: x times a bump whose width is learned. The derivatives with
//! respect to x and to the width are derived from it; so is the reference that the GPU is compared with.

use nonlin::{Chain, Custom, Gpu, Values, check};

const BUMP: &str = "
//#default width = 1.0
fn act_bump(x: f32, width: f32) -> f32 {
    let z = x / width;
    if abs(z) > 3.0 {
        return 0.0;
    }
    return x * bump_of(z * z);
}

// (1 - s / 9)^3
fn bump_of(s: f32) -> f32 {
    let rest = 1.0 - s / 9.0;
    return rest * rest * rest;
}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bump = Custom::from_value("bump", BUMP)?;
    println!("{}", bump.wgsl());

    // What has no derivative comes back with its place.
    let bits = BUMP.replace(
        "1.0 - s / 9.0",
        "1.0 - bitcast<f32>(bitcast<u32>(s) - (3u << 23u))",
    );
    let error = Custom::from_value("bump", &bits).expect_err("bits have no derivative");
    println!("{error}\n");

    let gpu = Gpu::new()?;
    let chain = Chain::parse_with("scale(0.5) | bump(width=@w)", &[bump])?;
    let x: Vec<f32> = (0..4096).map(|i| i as f32 / 512.0 - 2.0).collect();
    let dy = vec![1.0; x.len()];
    let values = Values::new().arg("w", &[1.25f32]);
    let (dx, gradients) = gpu.backward_with(&chain, &x, &dy, &values, &["w"])?;
    let report = check::Expected::backward_with(&chain, &x, &dy, &values)?.compare(&dx)?;
    let worst = report.worst.as_ref().map_or(0.0, |worst| worst.ulp);
    println!(
        "{chain}: dx is off by {worst:.2} ULP at most, and the gradient of w is {}",
        gradients[0][0]
    );
    assert!(report.passes());

    // A budget is a promise that is held to from then on.
    let bump = Custom::from_value("bump", BUMP)?.with_budget(16.0);
    let chain = Chain::from(bump);
    let y = gpu.forward(&chain, &x)?;
    let report = check::forward(&chain, &x, &y)?;
    println!(
        "{} of {} values are off by more than 16 ULP",
        report.failed, report.compared
    );
    Ok(())
}
