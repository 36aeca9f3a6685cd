//! A physics-informed network: a small network that is the solution of the wave equation, since its loss is what it fails the
//! equation by (Raissi et al. 2019, Physics-informed neural networks).
//!
//! A string of length 1 is plucked: u_tt = u_xx, u = 0 at both ends, u = sin(pi x) and u_t = 0 at first, so that
//! u = sin(pi x) cos(pi t). As two equations of first order, with a second function w: u_t + u_x = w and w_t - w_x = 0, so that
//! w = pi cos(pi (x + t)). The loss has the network's derivatives with respect to x and t in it, which are its values' tangents;
//! through the sine they go by `Fused::backward`, and the loss's own gradient by double backward.
//!
//! `cargo run -p nonlin-burn --example burn_wave -- --steps 800`

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use nonlin_burn::Fused;
use std::error::Error;
use std::f32::consts::PI;

/// Points of a grid on a side of x from 0 to 1 and t from 0 to 1.
const SIDE: usize = 11;
const HIDDEN: usize = 24;

/// After so many steps the error is what is stated.
pub(crate) const STEPS: usize = 800;

/// The worst that the trained network may be off anywhere, as a share of the string's height.
pub(crate) const STATED: f32 = 0.05;

/// From x and t to u and w.
#[derive(Module, Debug)]
pub(crate) struct Network {
    first: Linear,
    second: Linear,
    output: Linear,
}

/// A tensor with its derivatives with respect to x, and below them, as further rows, those with respect to t.
struct Tangents {
    value: Tensor<2>,
    d: Tensor<2>,
}

impl Network {
    fn new(device: &Device) -> Self {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        Network {
            first: linear(2, HIDDEN),
            second: linear(HIDDEN, HIDDEN),
            output: linear(HIDDEN, 2),
        }
    }

    /// u and w at rows of x and t, with their derivatives.
    fn forward(&self, points: Tensor<2>) -> Result<Tangents, nonlin_burn::Error> {
        let one = Tensor::<2>::ones([points.dims()[0], 1], &points.device());
        let zero = one.zeros_like();
        let along_x = Tensor::cat(vec![one.clone(), zero.clone()], 1);
        let along_t = Tensor::cat(vec![zero, one], 1);
        let start = Tangents {
            value: points,
            d: Tensor::cat(vec![along_x, along_t], 0),
        };
        let first = sine(linear(&self.first, start))?;
        let second = sine(linear(&self.second, first))?;
        Ok(linear(&self.output, second))
    }
}

/// A linear layer: tangents go through its weight alone.
fn linear(layer: &Linear, of: Tangents) -> Tangents {
    Tangents {
        value: layer.forward(of.value),
        d: of.d.matmul(layer.weight.val()),
    }
}

/// The activation: a tangent is dy of its backward pass.
fn sine(of: Tangents) -> Result<Tangents, nonlin_burn::Error> {
    let sine = Fused::new(nonlin::Activation::Sine { omega: 1.0 }.into());
    let both = Tensor::cat(vec![of.value.clone(), of.value.clone()], 0);
    Ok(Tangents {
        d: sine.clone().backward(both, of.d)?,
        value: sine.forward(of.value)?,
    })
}

/// The points of the grid, and what u is there.
fn grid(device: &Device) -> (Tensor<2>, Vec<f32>) {
    let at = |i: usize| i as f32 / (SIDE - 1) as f32;
    let points: Vec<[f32; 2]> = (0..SIDE * SIDE)
        .map(|i| [at(i / SIDE), at(i % SIDE)])
        .collect();
    let u = points.iter().map(|[x, t]| (PI * x).sin() * (PI * t).cos());
    let u = u.collect();
    let points: Vec<f32> = points.into_iter().flatten().collect();
    let data = TensorData::new(points, [SIDE * SIDE, 2]);
    (Tensor::from_data(data, device), u)
}

/// The mean square of a column.
fn mean_square(of: Tensor<2>) -> Tensor<1> {
    (of.clone() * of).mean()
}

/// What the network fails the equation, the ends and the beginning by.
fn loss(network: &Network, points: &Tensor<2>) -> Result<Tensor<1>, nonlin_burn::Error> {
    let column = |of: &Tensor<2>, at: usize| of.clone().narrow(1, at, 1);
    let Tangents { value, d } = network.forward(points.clone())?;
    let [dx, dt] = [0, 1].map(|half| d.clone().narrow(0, half * SIDE * SIDE, SIDE * SIDE));
    let (u, w) = (column(&value, 0), column(&value, 1));
    let first = column(&dt, 0) + column(&dx, 0) - w.clone();
    let second = column(&dt, 1) - column(&dx, 1);
    // Rows of x = 0 are the first, those of x = 1 the last; t = 0 is each side's first.
    let ends = Tensor::cat(
        vec![
            u.clone().narrow(0, 0, SIDE),
            u.clone().narrow(0, SIDE * (SIDE - 1), SIDE),
        ],
        0,
    );
    let begin = |of: Tensor<2>| of.reshape([SIDE, SIDE]).narrow(1, 0, 1);
    let x = begin(column(points, 0));
    let u_first = begin(u) - (x.clone() * PI).sin();
    let w_first = begin(w) - (x * PI).cos() * PI;
    Ok(mean_square(first)
        + mean_square(second)
        + (mean_square(ends) + mean_square(u_first)) * 3.0
        + mean_square(w_first))
}

/// What a run came to.
pub(crate) struct Run {
    /// The loss, now and then.
    pub(crate) losses: Vec<f32>,
    /// The largest difference from the solution, over the grid.
    pub(crate) error: f32,
}

/// Trains a network for so many steps.
pub(crate) fn train(steps: usize, seed: u64, device: &Device) -> Result<Run, Box<dyn Error>> {
    let device = device.clone().autodiff();
    device.seed(seed);
    let mut network = Network::new(&device);
    let (points, want) = grid(&device);
    let mut optimiser = AdamConfig::new().init();
    let mut losses = Vec::new();
    for step in 0..steps {
        let loss = loss(&network, &points)?;
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        // A rate that falls nearly to nothing, evenly.
        let rate = 2e-2 * (1.0 - 0.97 * step as f64 / steps as f64);
        network = optimiser.step(rate, network, gradients);
        if step % 100 == 0 || step + 1 == steps {
            losses.push(loss.inner().into_scalar::<f32>());
        }
    }
    let u = network.forward(points)?.value.narrow(1, 0, 1);
    let u = u.inner().into_data().try_into_vec::<f32>()?;
    let off = u.iter().zip(&want).map(|(u, want)| (u - want).abs());
    Ok(Run {
        losses,
        error: off.fold(0.0, f32::max),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut steps = STEPS;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--steps", Some(count)) => steps = count.parse()?,
            _ => return Err("usage: burn_wave [--steps N]".into()),
        }
    }
    let run = train(steps, 1, &Device::default())?;
    println!("step     loss");
    for (index, loss) in run.losses.iter().enumerate() {
        println!(
            "{:>4}{loss:>13.3e}",
            (index * 100).min(steps.saturating_sub(1))
        );
    }
    println!(
        "off by {:.4} of the string's height at the worst point; stated: {STATED}",
        run.error
    );
    Ok(())
}
