//! The network of examples/train_mlp on every adapter: it trains, to the same bits each time, and its gradients,
//! those of weights, biases and activations' parameters, are the slopes of its loss.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[path = "../examples/train_mlp/network.rs"]
mod network;

use libtest_mimic::Failed;
use network::{BATCH, DIGITS, Digits, Network, Own, PIXELS, STEPS, Setting, Tensor};
use nonlin::{Chain, Gpu, Layout, Values, reference};

/// The example's learning rate.
const RATE: f64 = 0.02;

/// How far a gradient may be from the slope, in units of the largest slope of its tensor. The GPU's sums are of
/// f32, their terms cancel, and WGSL lets exp be off by some 1e-6 in the softmax; the software adapters are
/// within 1e-6. The slopes themselves are good to 1e-8 or so.
const TOLERANCE: f64 = 1e-5;

/// How far a parameter is moved to either side.
const STEP: f64 = 1e-5;

/// The network in f64, on some images.
struct Model<'a> {
    setting: &'a Setting<'a>,
    tensors: &'a [Tensor],
    images: Vec<f64>,
    labels: Vec<usize>,
}

impl<'a> Model<'a> {
    /// On the images of a step.
    fn new(setting: &'a Setting<'a>, tensors: &'a [Tensor], digits: &Digits, step: usize) -> Self {
        let order = setting.order();
        let images = &order[step * setting.batch..][..setting.batch];
        let pixels = |image: &u32| &digits.images[*image as usize * PIXELS..][..PIXELS];
        Model {
            setting,
            tensors,
            images: images
                .iter()
                .flat_map(pixels)
                .map(|v| f64::from(*v))
                .collect(),
            labels: images
                .iter()
                .map(|image| digits.labels[*image as usize] as usize)
                .collect(),
        }
    }

    /// The mean loss, and which of the activations' inputs are positive.
    fn loss(&self, parameters: &[f64]) -> Result<(f64, Vec<bool>), Failed> {
        let (rows, widths) = (self.labels.len(), self.setting.widths());
        let (mut x, mut positive) = (self.images.clone(), Vec::new());
        for (layer, width) in widths.windows(2).enumerate() {
            let (inputs, outputs) = (width[0], width[1]);
            let tensor = |name: &str| {
                let mut found = self
                    .tensors
                    .iter()
                    .filter(|t| t.layer == layer && t.name == name);
                &parameters[found.next().expect("every layer has it").range.clone()]
            };
            let (weights, biases) = (tensor("weights"), tensor("biases"));
            let mut z = Vec::with_capacity(rows * outputs);
            for x in x.chunks(inputs) {
                let mut row = biases.to_vec();
                for (x, weights) in x.iter().zip(weights.chunks(outputs)) {
                    row.iter_mut()
                        .zip(weights)
                        .for_each(|(z, weight)| *z += x * weight);
                }
                z.extend(row);
            }
            if layer < self.setting.hidden.len() {
                positive.extend(z.iter().map(|z| *z > 0.0));
                let mut values = Values::new().layout(Layout {
                    outer: rows as u64,
                    channels: outputs as u64,
                    inner: 1,
                });
                for name in self.setting.chain.operands() {
                    // f32 numbers in f64: what they are moved to is rounded before.
                    let operand = tensor(&format!("@{name}")).iter().map(|v| *v as f32);
                    values = values.arg(name, &operand.collect::<Vec<_>>());
                }
                x = activation(self.setting.chain, &z, &values)?;
            } else {
                x = z;
            }
        }
        let losses = x.chunks(DIGITS).zip(&self.labels).map(|(row, label)| {
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|z| (z - largest).exp()).sum();
            sum.ln() + largest - row[*label]
        });
        Ok((losses.sum::<f64>() / rows as f64, positive))
    }

    /// The difference quotient of the loss by a parameter; none where an activation's input changes its sign
    /// on the way, where there may be a kink.
    fn slope(&self, parameters: &mut [f64], index: usize) -> Result<Option<f64>, Failed> {
        let at = parameters[index];
        // The same distance to either side, but for a rounding to f32.
        let ends = [at - STEP, at + STEP].map(|end| f64::from(end as f32));
        let mut losses = Vec::new();
        for end in ends {
            parameters[index] = end;
            losses.push(self.loss(parameters)?);
        }
        parameters[index] = at;
        let [(low, signs), (high, others)] = &losses[..] else {
            return Err("there are two ends".into());
        };
        Ok((signs == others).then(|| (high - low) / (ends[1] - ends[0])))
    }
}

/// The reference of an activation takes f32; what f64 has beyond that is carried along the derivative, so that
/// nothing above 1e-14 is lost.
fn activation(chain: &Chain, z: &[f64], values: &Values) -> Result<Vec<f64>, Failed> {
    let rounded: Vec<f32> = z.iter().map(|z| *z as f32).collect();
    let y = reference::forward_with(chain, &rounded, values)?;
    let slopes = reference::backward_with(chain, &rounded, &vec![1.0f32; z.len()], values)?;
    let rest = z
        .iter()
        .zip(&rounded)
        .map(|(z, rounded)| z - f64::from(*rounded));
    Ok(y.iter()
        .zip(slopes)
        .zip(rest)
        .map(|((y, slope), rest)| y + slope * rest)
        .collect())
}

/// The gradient that is farthest from its slope: how far, in units of its tensor's largest slope, and which it
/// is.
fn worst(tensors: &[Tensor], gradients: &[f32], slopes: &[Option<f64>]) -> (f64, String) {
    let mut worst = (0.0, String::from("none"));
    for Tensor { layer, name, range } in tensors {
        let largest = slopes[range.clone()]
            .iter()
            .flatten()
            .fold(0.0, |a: f64, b| a.max(b.abs()));
        for index in range.clone() {
            let Some(slope) = slopes[index] else { continue };
            let off = (f64::from(gradients[index]) - slope).abs() / largest;
            // Not a number is worse than any.
            let off = if off.is_nan() { f64::INFINITY } else { off };
            if off > worst.0 {
                let (gradient, at) = (gradients[index], index - range.start);
                let text = format!("{name}[{at}] of layer {layer}: {gradient:e}, not {slope:e}");
                worst = (off, text);
            }
        }
    }
    worst
}

fn text(error: Box<dyn std::error::Error>) -> Failed {
    error.to_string().into()
}

/// Gradients against difference quotients: all of them, or no more than `most` of a tensor; and errors that are
/// put in are found.
fn gradients(gpu: &Gpu, setting: &Setting<'_>, most: usize) -> Result<(), Failed> {
    let (chain, digits) = (setting.chain, Digits::new());
    let network = Network::new(gpu, &Own::new(gpu, RATE), setting, &digits).map_err(text)?;
    // After some steps all units' parameters differ.
    let steps = 5;
    network.train(steps);
    network.backward();
    let mut parameters: Vec<f64> = network
        .parameters()
        .map_err(text)?
        .into_iter()
        .map(f64::from)
        .collect();
    let gradients = network.gradients().map_err(text)?;
    let model = Model::new(setting, &network.tensors, &digits, steps);
    let (mut slopes, mut skipped, mut compared) = (vec![None; parameters.len()], 0, 0);
    for tensor in &network.tensors {
        for index in tensor
            .range
            .clone()
            .step_by(tensor.range.len().div_ceil(most))
        {
            slopes[index] = model.slope(&mut parameters, index)?;
            compared += 1;
            skipped += usize::from(slopes[index].is_none());
        }
    }
    if skipped * 50 > compared {
        return Err(format!("{chain}: {skipped} of {compared} moved over a kink").into());
    }
    let (off, which) = worst(&network.tensors, &gradients, &slopes);
    if off > TOLERANCE {
        return Err(format!("{chain}: off by {off:.1e}: {which}").into());
    }
    // A thousandth of any one tensor is seen, and so is one unit's gradient in the place of another's.
    for Tensor { layer, name, range } in &network.tensors {
        let (mut scaled, mut moved) = (gradients.clone(), gradients.clone());
        scaled[range.clone()]
            .iter_mut()
            .for_each(|gradient| *gradient *= 1.001);
        moved[range.clone()].rotate_right(1);
        for (what, wrong) in [("scaled", scaled), ("moved", moved)] {
            if worst(&network.tensors, &wrong, &slopes).0 <= TOLERANCE {
                return Err(
                    format!("{chain}: {name} of layer {layer}, {what}, is not found").into(),
                );
            }
        }
    }
    Ok(())
}

/// Training brings the loss below `most`, moves what is to be learned, and gives the same bits again.
fn trains(gpu: &Gpu, chain: &str, most: f64) -> Result<(), Failed> {
    let chain: Chain = chain.parse()?;
    let (digits, own) = (Digits::new(), Own::new(gpu, RATE));
    let setting = Setting {
        chain: &chain,
        hidden: &[16, 16],
        batch: BATCH,
        epochs: 6,
        seed: 1,
    };
    let train = || {
        let network = Network::new(gpu, &own, &setting, &digits)?;
        let (before, _) = network.evaluate()?;
        let start = network.parameters()?;
        for _ in 0..setting.epochs {
            network.train(STEPS);
        }
        let (after, accuracy) = network.evaluate()?;
        let end = network.parameters()?;
        for tensor in network
            .tensors
            .iter()
            .filter(|tensor| tensor.name.starts_with('@'))
        {
            if tensor.range.clone().any(|index| start[index] == end[index]) {
                return Err(format!("{tensor:?} has not moved").into());
            }
        }
        let numbers = [end, network.history()?, network.gradients()?];
        let bits: Vec<u32> = numbers
            .iter()
            .flatten()
            .map(|number| number.to_bits())
            .collect();
        Ok((before, after, accuracy, bits))
    };
    let (before, after, accuracy, bits) = train().map_err(text)?;
    let falls = before > 2.0 && after < most;
    if !falls || accuracy < 0.8 {
        let found = format!("from a loss of {before} to {after}, {accuracy} are right");
        return Err(format!("{chain}: {found}").into());
    }
    if train().map_err(text)?.3 != bits {
        return Err(format!("{chain}: the same training, and other bits").into());
    }
    Ok(())
}

/// The images and labels are those that they should be, and seen once an epoch.
fn data() -> Result<(), Failed> {
    let Digits { images, labels } = Digits::new();
    let counts: Vec<_> = (0..DIGITS as u32)
        .map(|d| labels.iter().filter(|l| **l == d).count())
        .collect();
    let in_range = images.iter().all(|pixel| (0.0..=1.0).contains(pixel));
    if counts != [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        || !in_range
        || images.len() != 1797 * PIXELS
    {
        return Err(format!("{counts:?}").into());
    }
    Ok(())
}

/// Chains that the network has no use for are refused with a reason.
fn refusals() -> Result<(), Failed> {
    for (chain, why) in [
        ("relu | gate(@g)", "gate takes a tensor, not a parameter"),
        (
            "residual(@r) | relu",
            "residual takes a tensor, not a parameter",
        ),
        ("dropout(0.1) | relu", "the same numbers in every step"),
        ("softplus(beta=@b)", "no derivative with respect to it"),
    ] {
        let chain: Chain = chain.parse()?;
        let found = network::learned(&chain).map_err(|error| error.to_string());
        if !matches!(&found, Err(text) if text.contains(why)) {
            return Err(format!("{chain}: {found:?}").into());
        }
    }
    let chain = "scale(@s) | bias(@c) | acon_c(p1=2, beta=@b)".parse()?;
    let frozen = network::frozen(&chain).map_err(text)?.to_string();
    if frozen != "scale(1) | bias(0) | acon_c(p1=2, p2=0.25, beta=1)" {
        return Err(frozen.into());
    }
    Ok(())
}

fn main() -> ! {
    common::main(|on| {
        for chain in [
            "relu",
            "prelu(weight=@w)",
            "swish(beta=@b)",
            "acon_c(p1=@p1, p2=@p2, beta=@b)",
            "scale(@s) | bias(@c) | swish(beta=@b)",
        ] {
            // Odd widths: units and places that are no whole words.
            on.add(format!("gradients::{chain}"), move |gpu| {
                let setting = Setting {
                    chain: &chain.parse()?,
                    hidden: &[13, 9],
                    batch: 7,
                    epochs: 1,
                    seed: 3,
                };
                gradients(gpu, &setting, usize::MAX)
            });
        }
        on.add("gradients::wide", |gpu| {
            let setting = Setting {
                chain: &"acon_c(p1=@p1, p2=@p2, beta=@b)".parse()?,
                hidden: &[64, 64],
                batch: BATCH,
                epochs: 1,
                seed: 4,
            };
            gradients(gpu, &setting, 16)
        });
        on.add("trains::relu", |gpu| trains(gpu, "relu", 0.3));
        on.add("trains::acon_c", |gpu| {
            trains(gpu, "acon_c(p1=@p1, p2=@p2, beta=@b)", 0.1)
        });
        on.add("data", |_| data());
        on.add("refusals", |_| refusals());
    })
}
