//! The denoiser of examples/denoise on every adapter: it takes noise away, its gradients are the slopes of its loss,
//! and the picture that it draws can be read.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "../examples/denoise/images.rs"]
mod images;
#[path = "../examples/denoise/network.rs"]
mod network;

use common::Share;
use images::{Digits, PIXELS, SIDE, Sheet, TRAINED, psnr};
use libtest_mimic::Failed;
use network::{Activation, BATCH, Dispatches, MOST_CHANNELS, Network, Setting, TAPS, Tensor};
use nonlin::Gpu;
use std::path::Path;

/// The noise of the example, and its learning rate.
const NOISE: f32 = 0.25;
const RATE: f64 = 0.03;

/// How far a gradient may be from the slope, in units of the largest slope of its tensor. The GPU's sums are of f32
/// and their terms cancel; the software adapters are within 3e-6.
const TOLERANCE: f64 = 1e-5;

/// By how many dB two epochs are to raise the ratio. They do by 1.73 with relu, 1.82 with frelu and 2.32 with
/// meta_acon.
const GAIN: f64 = 1.5;

/// How far a parameter is moved to either side. Short, so that few values move over a kink.
const STEP: f64 = 1e-6;

/// The network in f64, written from the definitions. Planes are in the order samples, channels, rows, columns.
struct Model<'a> {
    activation: &'a Activation,
    tensors: &'a [Tensor],
    channels: usize,
    /// Whether a batch norm takes the batch's statistics.
    training: bool,
}

/// The network's output, and on which side of its kink each value of the activation is.
struct Passed {
    output: Vec<f64>,
    sides: Vec<bool>,
}

/// A convolution of 3 x 3 of one plane, added to another.
fn convolve(x: &[f64], weight: &[f64], z: &mut [f64]) {
    for (place, z) in z.iter_mut().enumerate() {
        for (tap, weight) in weight.iter().enumerate() {
            let row = (place / SIDE + tap / 3).checked_sub(1);
            let column = (place % SIDE + tap % 3).checked_sub(1);
            if let (Some(row @ 0..SIDE), Some(column @ 0..SIDE)) = (row, column) {
                *z += weight * x[row * SIDE + column];
            }
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Each of the rows of a matrix by a vector, and a bias.
fn dense(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let rows = weight.chunks(x.len()).zip(bias);
    rows.map(|(row, bias)| bias + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
        .collect()
}

impl<'a> Model<'a> {
    fn new(network: &'a Network, setting: &Setting<'a>, training: bool) -> Self {
        Model {
            activation: setting.activation,
            tensors: &network.tensors,
            channels: setting.channels,
            training,
        }
    }

    fn tensor<'b>(&self, parameters: &'b [f64], name: &str) -> &'b [f64] {
        let mut found = self.tensors.iter().filter(|tensor| tensor.name == name);
        &parameters[found.next().expect("the network has it").range.clone()]
    }

    fn forward(&self, parameters: &[f64], x: &[f64]) -> Passed {
        let (weight, bias) = (
            self.tensor(parameters, "first.weight"),
            self.tensor(parameters, "first.bias"),
        );
        let mut z = Vec::new();
        for image in x.chunks(PIXELS) {
            for (weight, bias) in weight.chunks(TAPS).zip(bias) {
                let mut plane = vec![*bias; PIXELS];
                convolve(image, weight, &mut plane);
                z.extend(plane);
            }
        }
        let mut sides = Vec::new();
        let y = match self.activation {
            Activation::Frelu => self.frelu(parameters, &z, &mut sides),
            Activation::MetaAcon => self.meta_acon(parameters, &z),
            // The one chain here is relu.
            Activation::Chain(_) => {
                sides = z.iter().map(|z| *z > 0.0).collect();
                z.iter().map(|z| z.max(0.0)).collect()
            }
        };
        let weight = self.tensor(parameters, "second.weight");
        let bias = self.tensor(parameters, "second.bias");
        let mut output = vec![bias[0]; x.len()];
        let images = output.chunks_mut(PIXELS);
        for (output, planes) in images.zip(y.chunks(self.channels * PIXELS)) {
            for (plane, weight) in planes.chunks(PIXELS).zip(weight.chunks(TAPS)) {
                convolve(plane, weight, output);
            }
        }
        Passed { output, sides }
    }

    fn frelu(&self, parameters: &[f64], z: &[f64], sides: &mut Vec<bool>) -> Vec<f64> {
        let own = |name: &str| self.tensor(parameters, &format!("activation.{name}"));
        let window = own("weight");
        let mut t = vec![0.0; z.len()];
        let planes = t.chunks_mut(PIXELS).zip(z.chunks(PIXELS));
        for (index, (t, z)) in planes.enumerate() {
            let channel = index % self.channels;
            convolve(z, &window[channel * TAPS..][..TAPS], t);
        }
        for channel in 0..self.channels {
            let (mean, variance) = if self.training {
                let of = |t: &[f64], value: &dyn Fn(f64) -> f64| {
                    let planes = t.chunks(PIXELS).skip(channel).step_by(self.channels);
                    let values: Vec<f64> = planes.flatten().map(|t| value(*t)).collect();
                    values.iter().sum::<f64>() / values.len() as f64
                };
                let mean = of(&t, &|t| t);
                (mean, of(&t, &|t| (t - mean).powi(2)))
            } else {
                (own("running_mean")[channel], own("running_var")[channel])
            };
            let (weight, bias) = (own("bn_weight")[channel], own("bn_bias")[channel]);
            let planes = t.chunks_mut(PIXELS).skip(channel).step_by(self.channels);
            for t in planes.flatten() {
                *t = weight * (*t - mean) / (variance + 1e-5).sqrt() + bias;
            }
        }
        sides.extend(z.iter().zip(&t).map(|(z, t)| z > t));
        z.iter().zip(&t).map(|(z, t)| z.max(*t)).collect()
    }

    fn meta_acon(&self, parameters: &[f64], z: &[f64]) -> Vec<f64> {
        let own = |name: &str| self.tensor(parameters, &format!("activation.{name}"));
        let (p1, p2) = (own("p1"), own("p2"));
        let mut y = Vec::new();
        for sample in z.chunks(self.channels * PIXELS) {
            let planes = sample.chunks(PIXELS);
            let means = planes.map(|plane| plane.iter().sum::<f64>() / PIXELS as f64);
            let means: Vec<f64> = means.collect();
            let inner = dense(&means, own("fc1_weight"), own("fc1_bias"));
            let outer = dense(&inner, own("fc2_weight"), own("fc2_bias"));
            for (channel, plane) in sample.chunks(PIXELS).enumerate() {
                let (beta, p2) = (sigmoid(outer[channel]), p2[channel]);
                let d = p1[channel] - p2;
                y.extend(plane.iter().map(|z| d * z * sigmoid(beta * d * z) + p2 * z));
            }
        }
        y
    }

    /// The mean squared error, and the sides of the kinks.
    fn loss(&self, parameters: &[f64], x: &[f64], truth: &[f64]) -> (f64, Vec<bool>) {
        let Passed { output, sides } = self.forward(parameters, x);
        let squares = output
            .iter()
            .zip(truth)
            .map(|(y, truth)| (y - truth).powi(2));
        (squares.sum::<f64>() / truth.len() as f64, sides)
    }

    /// The difference quotient of the loss by a parameter; none where a value moves over its kink.
    fn slope(&self, parameters: &mut [f64], index: usize, x: &[f64], truth: &[f64]) -> Option<f64> {
        let at = parameters[index];
        parameters[index] = at - STEP;
        let (low, below) = self.loss(parameters, x, truth);
        parameters[index] = at + STEP;
        let (high, above) = self.loss(parameters, x, truth);
        parameters[index] = at;
        (below == above).then(|| (high - low) / (2.0 * STEP))
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// The images that a step sees, noisy and clean.
fn batch(setting: &Setting<'_>, digits: &Digits, step: usize) -> (Vec<f64>, Vec<f64>) {
    let order = setting.order();
    let seen = &order[step * setting.batch..][..setting.batch];
    let of = |images: &[f32]| {
        let pixels = seen
            .iter()
            .flat_map(|image| &images[*image as usize * PIXELS..][..PIXELS]);
        pixels.map(|pixel| f64::from(*pixel)).collect()
    };
    (of(&digits.noisy), of(&digits.clean))
}

/// The gradient that is farthest from its slope: how far, in units of its tensor's largest slope, and which it is.
fn worst(tensors: &[Tensor], gradients: &[f32], slopes: &[Option<f64>]) -> (f64, String) {
    let mut worst = (0.0, String::from("none"));
    for tensor in tensors.iter().filter(|tensor| tensor.learned) {
        let known = slopes[tensor.range.clone()].iter().flatten();
        let largest = known.fold(0.0, |largest: f64, slope| largest.max(slope.abs()));
        for index in tensor.range.clone() {
            let Some(slope) = slopes[index] else { continue };
            let off = (f64::from(gradients[index]) - slope).abs() / largest;
            // Not a number is worse than any.
            if off.is_nan() || off > worst.0 {
                let at = format!("{}[{}]", tensor.name, index - tensor.range.start);
                worst = (off, format!("{at}: {:e}, not {slope:e}", gradients[index]));
            }
        }
    }
    worst
}

fn text(error: Box<dyn std::error::Error>) -> Failed {
    error.to_string().into()
}

/// All gradients against difference quotients; and errors that are put in are found.
fn gradients(gpu: &Gpu, activation: &str) -> Result<(), Failed> {
    // Odd numbers of all things, so that nothing fits by chance.
    let (activation, steps) = (activation.parse()?, 5);
    let setting = Setting {
        activation: &activation,
        channels: 5,
        batch: 7,
        epochs: 1,
        rate: RATE,
        seed: 3,
    };
    let digits = Digits::new(NOISE);
    let network = Network::new(gpu, &setting, &digits).map_err(text)?;
    network.train(steps);
    network.backward();
    let mut parameters = wide(&network.parameters().map_err(text)?);
    let gradients = network.gradients().map_err(text)?;
    let model = Model::new(&network, &setting, true);
    let (x, truth) = batch(&setting, &digits, steps);
    let mut slopes = vec![None; parameters.len()];
    let learned = network.tensors.iter().filter(|tensor| tensor.learned);
    let learned: Vec<usize> = learned.flat_map(|tensor| tensor.range.clone()).collect();
    for index in &learned {
        slopes[*index] = model.slope(&mut parameters, *index, &x, &truth);
    }
    let compared = slopes.iter().flatten().count();
    if (learned.len() - compared) * 20 > learned.len() {
        return Err(format!("only {compared} of {} are compared", learned.len()).into());
    }
    let (off, which) = worst(&network.tensors, &gradients, &slopes);
    if off > TOLERANCE {
        return Err(format!("off by {off:.1e}: {which}").into());
    }
    // A thousandth of any one tensor is seen, and so is one gradient in the place of another.
    for tensor in network.tensors.iter().filter(|tensor| tensor.learned) {
        let (mut scaled, mut moved) = (gradients.clone(), gradients.clone());
        for gradient in &mut scaled[tensor.range.clone()] {
            *gradient *= 1.001;
        }
        moved[tensor.range.clone()].rotate_right(1);
        let is_found = |wrong: &[f32]| worst(&network.tensors, wrong, &slopes).0 > TOLERANCE;
        // One number has no other place.
        if !is_found(&scaled) || (tensor.range.len() > 1 && !is_found(&moved)) {
            return Err(format!("a wrong gradient of {} is not found", tensor.name).into());
        }
    }
    Ok(())
}

/// A short training raises the test set's ratio by [`GAIN`] dB; the first loss is the model's; the denoised images
/// are what the model makes of them with the running statistics; and the same seed gives the same bits.
fn trains(gpu: &Gpu, activation: &str) -> Result<(), Failed> {
    let activation = activation.parse()?;
    let setting = Setting {
        activation: &activation,
        channels: 8,
        batch: BATCH,
        epochs: 2,
        rate: RATE,
        seed: 1,
    };
    let digits = Digits::new(NOISE);
    let (noisy, truth) = digits.test();
    let network = Network::new(gpu, &setting, &digits).map_err(text)?;
    let start = network.parameters().map_err(text)?;
    let untrained = network.denoise().map_err(text)?;
    network.train(setting.epochs * setting.steps());
    let end = network.parameters().map_err(text)?;
    let denoised = network.denoise().map_err(text)?;
    let Dispatches {
        forward,
        backward,
        evaluation,
    } = network.dispatches;
    let is_chain = matches!(activation, Activation::Chain(_));
    if is_chain && [forward, backward, evaluation] != [1; 3] {
        return Err(format!("a chain takes one dispatch, not {:?}", network.dispatches).into());
    }
    let [before, untrained, after] = [noisy, &untrained, &denoised].map(|i| psnr(i, truth));
    let gain = after - before;
    if gain.is_nan() || gain < GAIN || untrained > before {
        let found = format!("from {before:.2} dB to {after:.2} dB");
        return Err(format!("{found}, untrained {untrained:.2} dB").into());
    }
    let (x, clean) = batch(&setting, &digits, 0);
    let history = network.history().map_err(text)?;
    let model = Model::new(&network, &setting, true);
    let (loss, _) = model.loss(&wide(&start), &x, &clean);
    let off = (f64::from(history[0]) / loss - 1.0).abs();
    if off.is_nan() || off > 1e-5 {
        return Err(format!("a first loss of {}, not {loss}", history[0]).into());
    }
    let model = Model::new(&network, &setting, false);
    let Passed { output, .. } = model.forward(&wide(&end), &wide(&noisy[..9 * PIXELS]));
    for (at, (pixel, gpu)) in output.iter().zip(&denoised).enumerate() {
        let off = (pixel - f64::from(*gpu)).abs();
        if off.is_nan() || off > 1e-5 {
            return Err(format!("pixel {at} is {gpu}, not {pixel}").into());
        }
    }
    let unmoved = |tensor: &&Tensor| start[tensor.range.clone()] == end[tensor.range.clone()];
    if let Some(tensor) = network.tensors.iter().find(unmoved) {
        return Err(format!("{tensor:?} has not moved").into());
    }
    // The losses hang on all that was done before.
    let (again, steps) = (Network::new(gpu, &setting, &digits).map_err(text)?, 30);
    again.train(steps);
    let repeated = again.history().map_err(text)?;
    let mut pairs = history.iter().zip(&repeated).take(steps);
    if let Some(step) = pairs.position(|(once, twice)| once.to_bits() != twice.to_bits()) {
        return Err(format!("the same training, and another loss in step {step}").into());
    }
    Ok(())
}

/// The picture, of what a denoiser makes of the test set before it has learned anything, decodes to what it was
/// drawn from.
fn picture(gpu: &Gpu) -> Result<(), Failed> {
    let setting = Setting {
        activation: &"frelu".parse()?,
        channels: 3,
        batch: BATCH,
        epochs: 1,
        rate: RATE,
        seed: 1,
    };
    let digits = Digits::new(NOISE);
    let network = Network::new(gpu, &setting, &digits).map_err(text)?;
    let (denoised, (noisy, truth)) = (network.denoise().map_err(text)?, digits.test());
    let (shown, scale) = (digits.shown(), 3);
    let adapter = nonlin::describe(&gpu.device().adapter_info()).replace('/', "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("denoise {adapter}"));
    let file = folder.join("digits.png");
    let sheet = Sheet::new(&[noisy, &denoised, truth], &shown, scale);
    sheet.save(&file, "noisy, frelu, truth")?;
    let bytes = std::fs::read(&file)?;
    // A file is no folder.
    let refused = sheet.save(&file.join("digits.png"), "");
    std::fs::remove_dir_all(&folder)?;
    if !matches!(&refused, Err(text) if text.contains("digits.png")) {
        return Err(format!("{refused:?}").into());
    }
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info()?;
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("a picture too large")?];
    let info = reader.next_frame(&mut pixels)?;
    let pitch = (SIDE + 1) * scale;
    let (width, height) = (3 * pitch + scale, 10 * pitch + scale);
    let size = (info.width as usize, info.height as usize);
    let kind = (info.color_type, info.bit_depth);
    if size != (width, height) || kind != (png::ColorType::Grayscale, png::BitDepth::Eight) {
        return Err(format!("{size:?}, {kind:?}").into());
    }
    // The middle of each pixel of the truth's column, and no denoised digit of one grey.
    for (row, image) in shown.iter().enumerate() {
        let at = |column: usize, place: usize| {
            let middle = |tile: usize, pixel: usize| tile * pitch + scale + pixel * scale + 1;
            pixels[middle(row, place / SIDE) * width + middle(column, place % SIDE)]
        };
        let truth = &truth[image * PIXELS..][..PIXELS];
        if (0..PIXELS).any(|place| at(2, place) != (truth[place] * 255.0).round() as u8) {
            return Err(format!("digit {row} is not what it was").into());
        }
        if (0..PIXELS).all(|place| at(1, place) == at(1, 0)) {
            return Err(format!("digit {row} is blank").into());
        }
    }
    Ok(())
}

/// The images are those that they should be: each step's batch is of the first ones, each digit is shown, and the
/// noise is as strong as it is said to be where no pixel is cut.
fn data() -> Result<(), Failed> {
    let digits = Digits::new(0.01);
    let off = digits.noisy.iter().zip(&digits.clean);
    let uncut: Vec<f64> = off
        .filter(|(_, clean)| (0.1..0.9).contains(*clean))
        .map(|(noisy, clean)| f64::from(noisy - clean))
        .collect();
    let mean = uncut.iter().sum::<f64>() / uncut.len() as f64;
    let sigma = (uncut.iter().map(|off| off * off).sum::<f64>() / uncut.len() as f64).sqrt();
    let shown: Vec<_> = digits
        .shown()
        .iter()
        .map(|image| digits.labels[TRAINED + image])
        .collect();
    let is_right = digits.clean.len() == 1797 * PIXELS
        && shown == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        && mean.abs() < 2e-4
        && (sigma - 0.01).abs() < 2e-4;
    if !is_right {
        return Err(format!("{} pixels, {shown:?}, {mean}, {sigma}", digits.clean.len()).into());
    }
    // Half of the range off everywhere is a quarter in square, which is 6.02 dB; cut pixels are not off.
    let ratios = [
        psnr(&[0.5, 0.0], &[0.0, 0.5]),
        psnr(&[1.5, -1.0], &[1.0, 0.5]),
    ];
    if (ratios[0] - 6.0206).abs() > 1e-4 || (ratios[1] - 9.0309).abs() > 1e-4 {
        return Err(format!("{ratios:?}").into());
    }
    Ok(())
}

/// Activations that the denoiser has no use for are refused with a reason.
fn refusals() -> Result<(), Failed> {
    for (activation, why) in [
        ("prelu(weight=@w)", "nothing to bind @w to"),
        ("dropout(0.1) | relu", "draw the same numbers"),
        ("frelux", "neither frelu nor meta_acon"),
    ] {
        let found = activation.parse::<Activation>();
        if !matches!(&found, Err(text) if text.contains(why)) {
            return Err(format!("{activation}: {found:?}").into());
        }
    }
    Ok(())
}

/// As many channels as the example allows can be dispatched.
fn channels(gpu: &Gpu) -> Result<(), Failed> {
    let setting = Setting {
        activation: &"frelu".parse()?,
        channels: MOST_CHANNELS,
        batch: 2,
        epochs: 1,
        rate: RATE,
        seed: 1,
    };
    let network = Network::new(gpu, &setting, &Digits::new(NOISE)).map_err(text)?;
    network.train(1);
    let images = network.denoise().map_err(text)?;
    match images.iter().all(|pixel| pixel.is_finite()) {
        true => Ok(()),
        false => Err("there are pixels that are no numbers".into()),
    }
}

fn main() -> ! {
    common::main(|on| {
        let share = Share::of(on);
        for (number, activation) in ["relu", "frelu", "meta_acon"].into_iter().enumerate() {
            on.add(format!("gradients::{activation}"), move |gpu| {
                gradients(gpu, activation)
            });
            // That a network without a layer learns is shown in tests/train.rs.
            if activation != "relu" && share.has(number) {
                on.add(format!("trains::{activation}"), move |gpu| {
                    trains(gpu, activation)
                });
            }
        }
        on.add("picture", picture);
        on.add("channels", channels);
        on.add("data", |_| data());
        on.add("refusals", |_| refusals());
    })
}
