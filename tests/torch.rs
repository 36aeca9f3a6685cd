//! The reference against PyTorch's float64 kernels and autograd, on a hidden layer's real values. What made
//! the arrays is tests/data/make.py. That the GPU agrees with the reference on the same data is tested in
//! tests/accuracy.rs.

#[path = "common/digits.rs"]
mod digits;

use nonlin::{Activation, Chain, reference};

#[test]
fn the_reference_is_what_pytorch_computes() {
    let (x, dy): (Vec<f32>, Vec<f32>) = (
        digits::array("digits_x.npy"),
        digits::array("digits_dy.npy"),
    );
    let mut names = Vec::new();
    for (text, file) in digits::chains() {
        let torch: Vec<f64> = digits::array(&file);
        let (torch_y, torch_dx) = torch.split_at(torch.len() / 2);
        assert_eq!(torch_y.len(), 1024);
        let (x, dy) = (&x[..torch_y.len()], &dy[..torch_y.len()]);
        let chain: Chain = text.parse().unwrap();
        names.extend(chain.steps().iter().map(|step| step.name().to_owned()));
        let y = reference::forward(&chain, x).unwrap();
        let dx = reference::backward(&chain, x, dy).unwrap();
        for i in 0..x.len() {
            // PyTorch's formulas lose some digits where two terms cancel.
            let near =
                |a: f64, b: f64, scale: f64| (a - b).abs() <= 1e-13 * b.abs() + 1e-15 * scale;
            assert!(
                near(y[i], torch_y[i], 1.0),
                "{chain}: y at {} is {}, not {}",
                x[i],
                y[i],
                torch_y[i]
            );
            let scale = f64::from(dy[i]).abs();
            assert!(
                near(dx[i], torch_dx[i], scale),
                "{chain}: dx at {} is {}, not {}",
                x[i],
                dx[i],
                torch_dx[i]
            );
        }
    }
    for activation in Activation::ALL {
        assert!(
            names.iter().any(|name| name == activation.name()),
            "PyTorch has no {activation} here"
        );
    }
}
