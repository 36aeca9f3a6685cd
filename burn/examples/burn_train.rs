//! A small convolutional network of burn that learns handwritten digits, once with burn's own activations and once
//! with nonlin's: the same weights to begin with, the same batches, the same losses.
//!
//! `cargo run -p nonlin-burn --example burn_train -- --epochs 5`

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLoss;
use burn::nn::{Linear, LinearConfig, PRelu, PReluConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use nonlin_burn::functions;
use nonlin_burn::modules::{Prelu, PreluConfig};
use std::error::Error;
use std::time::Instant;

/// 1,797 images of 8 x 8 pixels from 0 to 16, each followed by its digit.
const DIGITS: &[u8] = include_bytes!("../../examples/data/digits.bin");
const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;

/// The images that are trained on come first; the others are the test set.
const TRAINED: usize = 1440;
const BATCH: usize = 48;
const CHANNELS: usize = 16;

/// A learned activation and a plain one, by burn or by nonlin.
#[derive(Module, Debug)]
enum Activations {
    /// burn's PReLU and silu.
    Burn(PRelu),
    /// nonlin's.
    Nonlin(Prelu),
}

impl Activations {
    fn learned(&self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Activations::Burn(prelu) => prelu.forward(x),
            Activations::Nonlin(prelu) => prelu.forward(x),
        }
    }

    fn plain<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activations::Burn(_) => activation::silu(x),
            Activations::Nonlin(_) => functions::silu(x),
        }
    }
}

/// Two convolutions and two linear layers.
#[derive(Module, Debug)]
pub(crate) struct Network {
    first: Conv2d,
    second: Conv2d,
    hidden: Linear,
    output: Linear,
    activations: Activations,
}

impl Network {
    /// With burn's own activations.
    fn new(device: &Device) -> Self {
        let convolution = |from| {
            Conv2dConfig::new([from, CHANNELS], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        let prelu = PReluConfig::new().with_num_parameters(CHANNELS);
        Network {
            first: convolution(1),
            second: convolution(CHANNELS),
            hidden: LinearConfig::new(CHANNELS * PIXELS, 64).init(device),
            output: LinearConfig::new(64, 10).init(device),
            activations: Activations::Burn(prelu.init(device)),
        }
    }

    /// The same with nonlin's.
    fn with_nonlin(self, device: &Device) -> Self {
        let prelu = PreluConfig::new().with_num_parameters(CHANNELS);
        Network {
            activations: Activations::Nonlin(prelu.init(device)),
            ..self
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.activations.learned(self.first.forward(images));
        let x = self.activations.plain(self.second.forward(x));
        let x = self
            .activations
            .plain(self.hidden.forward(x.flatten::<2>(1, 3)));
        self.output.forward(x)
    }
}

/// Images and their digits.
fn images(range: std::ops::Range<usize>, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let rows = DIGITS
        .chunks_exact(PIXELS + 1)
        .skip(range.start)
        .take(range.len());
    let pixels = rows.clone().flat_map(|row| &row[..PIXELS]);
    let pixels: Vec<f32> = pixels.map(|pixel| f32::from(*pixel) / 16.0).collect();
    let digits: Vec<i32> = rows.map(|row| i32::from(row[PIXELS])).collect();
    let count = digits.len();
    (
        Tensor::from_data(TensorData::new(pixels, [count, 1, SIDE, SIDE]), device),
        Tensor::from_data(TensorData::new(digits, [count]), device),
    )
}

/// What a run came to.
pub(crate) struct Run {
    /// The mean loss of each epoch.
    pub(crate) losses: Vec<f32>,
    /// The share of the test set that is recognised.
    pub(crate) accuracy: f32,
    /// Seconds in all.
    pub(crate) seconds: f32,
}

fn train(mut network: Network, epochs: usize, device: &Device) -> Result<Run, Box<dyn Error>> {
    let start = Instant::now();
    let mut optimiser = AdamConfig::new().init();
    let loss = CrossEntropyLoss::new(None, device);
    let mut losses = Vec::new();
    for _ in 0..epochs {
        let mut sum: Option<Tensor<1>> = None;
        for batch in 0..TRAINED / BATCH {
            let (x, digits) = images(batch * BATCH..(batch + 1) * BATCH, device);
            let loss = loss.forward(network.forward(x), digits);
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimiser.step(2e-3, network, gradients);
            let loss = loss.inner();
            sum = Some(sum.map_or(loss.clone(), |sum| sum + loss));
        }
        let sum = sum.ok_or("an epoch has batches")?.into_scalar::<f32>();
        losses.push(sum / (TRAINED / BATCH) as f32);
    }
    let count = DIGITS.len() / (PIXELS + 1);
    let (x, digits) = images(TRAINED..count, device);
    let found = network.forward(x).argmax(1).flatten::<1>(0, 1);
    let right = found.equal(digits).int().sum().into_scalar::<i64>();
    Ok(Run {
        losses,
        accuracy: right as f32 / (count - TRAINED) as f32,
        seconds: start.elapsed().as_secs_f32(),
    })
}

/// Trains with burn's own activations and with nonlin's, from the same weights.
pub(crate) fn both(epochs: usize, seed: u64, device: &Device) -> Result<[Run; 2], Box<dyn Error>> {
    let device = device.clone().autodiff();
    device.seed(seed);
    let network = Network::new(&device);
    Ok([
        train(network.clone(), epochs, &device)?,
        train(network.with_nonlin(&device), epochs, &device)?,
    ])
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut epochs = 5;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--epochs", Some(count)) => epochs = count.parse()?,
            _ => return Err("usage: burn_train [--epochs N]".into()),
        }
    }
    let [burn, nonlin] = both(epochs, 1, &Device::default())?;
    println!("epoch   loss with burn's   with nonlin's");
    for (epoch, (burn, nonlin)) in burn.losses.iter().zip(&nonlin.losses).enumerate() {
        println!("{:>5}{burn:>19.6}{nonlin:>16.6}", epoch + 1);
    }
    let percent = |run: &Run| 100.0 * run.accuracy;
    println!("right{:>18.2}%{:>15.2}%", percent(&burn), percent(&nonlin));
    println!("seconds{:>17.2}{:>16.2}", burn.seconds, nonlin.seconds);
    println!("kernels of nonlin's: {}", nonlin_burn::kernels());
    Ok(())
}
