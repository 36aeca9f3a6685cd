//! A network with learned activations that several devices train together: each has a copy of the network and a part of
//! every batch, and the gradients' mean goes to all of them. The losses are those of one device with whole batches.
//!
//! `cargo run -p nonlin-burn --example burn_data_parallel -- --adapter llvmpipe --adapter swiftshader`
//!
//! burn has collective operations for that (`burn::tensor::distributed`), but wgpu has no transport between its devices
//! that they could use (burn/README.md). So gradients travel as tensors do, by `to_device`, and are added on the first
//! device. With burn's remote devices, `--server ws://...`, they go from server to server.

use burn::module::{Module, ModuleVisitor, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLoss;
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, Int, Tensor, TensorData};
use nonlin_burn::modules::{AconC, AconCConfig, Frelu, FreluConfig, Prelu, PreluConfig};
use std::error::Error;
use std::fmt;

/// 1,797 images of 8 x 8 pixels from 0 to 16, each followed by its digit.
const DIGITS: &[u8] = include_bytes!("../../examples/data/digits.bin");
const SIDE: usize = 8;
const PIXELS: usize = SIDE * SIDE;
const BATCH: usize = 96;
const CHANNELS: usize = 8;
const RATE: f64 = 5e-3;

/// Three learned activations, one of them a layer.
#[derive(Module, Debug)]
pub(crate) struct Network {
    first: Conv2d,
    acon: AconC,
    second: Conv2d,
    frelu: Frelu,
    hidden: Linear,
    prelu: Prelu,
    output: Linear,
}

impl Network {
    fn new(device: &Device) -> Self {
        let convolution = |from| {
            Conv2dConfig::new([from, CHANNELS], [3, 3])
                .with_padding(PaddingConfig2d::Same)
                .init(device)
        };
        Network {
            first: convolution(1),
            acon: AconCConfig::new()
                .with_num_parameters(CHANNELS)
                .init(device),
            second: convolution(CHANNELS),
            // A batch norm's statistics would be those of a part of the batch.
            frelu: FreluConfig::new(CHANNELS).with_norm(false).init(device),
            hidden: LinearConfig::new(CHANNELS * PIXELS, 32).init(device),
            prelu: PreluConfig::new().with_num_parameters(32).init(device),
            output: LinearConfig::new(32, 10).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.acon.forward(self.first.forward(images));
        let x = self.frelu.forward(self.second.forward(x));
        let x = self
            .prelu
            .forward(self.hidden.forward(x.flatten::<2>(1, 3)));
        self.output.forward(x)
    }
}

/// Images and their digits, from this one on, round and round.
fn images(first: usize, count: usize, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let rows = DIGITS.chunks_exact(PIXELS + 1).cycle();
    let rows = rows.skip(first).take(count);
    let pixels = rows.clone().flat_map(|row| &row[..PIXELS]);
    let pixels: Vec<f32> = pixels.map(|pixel| f32::from(*pixel) / 16.0).collect();
    let digits: Vec<i32> = rows.map(|row| i32::from(row[PIXELS])).collect();
    (
        Tensor::from_data(TensorData::new(pixels, [count, 1, SIDE, SIDE]), device),
        Tensor::from_data(TensorData::new(digits, [count]), device),
    )
}

/// One of the devices, with its copy of the network.
struct Replica {
    device: Device,
    network: Network,
    optimiser: ModuleOptimizer,
}

/// A replica that did not do its part: its device is lost, or the server that has it is gone.
#[derive(Debug)]
pub(crate) struct Lost {
    /// Which of the devices.
    pub(crate) replica: usize,
    /// In which step.
    pub(crate) step: usize,
    /// What burn says.
    pub(crate) reason: String,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lost {
            replica,
            step,
            reason,
        } = self;
        write!(f, "replica {replica} was lost in step {step}: {reason}")
    }
}

impl Error for Lost {}

/// Puts the mean of all replicas' gradients in the place of each, added in the replicas' order on the first one's device.
struct Mean<'a> {
    shares: &'a mut [GradientsParams],
    devices: Vec<Device>,
}

impl ModuleVisitor for Mean<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let first = &self.devices[0];
        let shares = self.shares.iter_mut();
        let shares = shares.filter_map(|share| share.remove::<D>(param.id));
        let sum = shares
            .map(|share| share.to_device(first))
            .reduce(|sum, share| sum + share);
        let Some(sum) = sum else { return };
        let parts = self.devices.len() as f32;
        for (share, device) in self.shares.iter_mut().zip(&self.devices) {
            // A tensor of its own for each: burn's servers may free one that is used while it is sent (burn/README.md).
            share.register(param.id, (sum.clone() / parts).to_device(device));
        }
    }
}

/// What a training came to.
#[derive(Debug)]
pub(crate) struct Run {
    /// The loss of each step, over the whole batch.
    pub(crate) losses: Vec<f32>,
    /// Each replica's parameters at the end, one behind the other.
    pub(crate) parameters: Vec<Vec<f32>>,
}

/// Trains with every batch split between these devices. Before each step, `before` is called with its number.
pub(crate) fn train(
    devices: &[Device],
    steps: usize,
    mut before: impl FnMut(usize),
) -> Result<Run, Lost> {
    let devices: Vec<Device> = devices.iter().map(|d| d.clone().autodiff()).collect();
    devices[0].seed(1);
    let network = Network::new(&devices[0]);
    let mut replicas: Vec<Replica> = devices
        .into_iter()
        .map(|device| Replica {
            network: network.clone().fork(&device),
            optimiser: AdamConfig::new().init(),
            device,
        })
        .collect();
    let mut losses = Vec::new();
    for step in 0..steps {
        before(step);
        losses.push(trained(&mut replicas, step)?);
    }
    let mut parameters = Vec::new();
    for (replica, Replica { network, .. }) in replicas.iter().enumerate() {
        let mut read = Read(Ok(Vec::new()));
        network.visit(&mut read);
        let lost = |reason| Lost {
            replica,
            step: steps,
            reason,
        };
        parameters.push(read.0.map_err(lost)?);
    }
    Ok(Run { losses, parameters })
}

/// One step; the loss before it.
fn trained(replicas: &mut [Replica], step: usize) -> Result<f32, Lost> {
    let part = BATCH / replicas.len();
    let (mut losses, mut shares) = (Vec::new(), Vec::new());
    // All devices are at work before the first result is waited for.
    for (
        index,
        Replica {
            device, network, ..
        },
    ) in replicas.iter().enumerate()
    {
        let (x, digits) = images(step * BATCH + index * part, part, device);
        let loss = CrossEntropyLoss::new(None, device).forward(network.forward(x), digits);
        let gradients = loss.backward();
        shares.push(GradientsParams::from_grads(gradients, network));
        losses.push(loss.inner());
    }
    let lost = |replica, reason: String| Lost {
        replica,
        step,
        reason,
    };
    let mut sum = 0.0;
    for (replica, loss) in losses.into_iter().enumerate() {
        let data = loss.try_into_data();
        let data = data.map_err(|error| lost(replica, error.to_string()))?;
        let values = data.try_into_vec::<f32>();
        sum += values.map_err(|error| lost(replica, format!("{error:?}")))?[0];
    }
    let devices = replicas.iter().map(|replica| replica.device.clone());
    let mut mean = Mean {
        shares: &mut shares,
        devices: devices.map(Device::inner).collect(),
    };
    replicas[0].network.visit(&mut mean);
    for (replica, mean) in replicas.iter_mut().zip(shares) {
        replica.network = replica.optimiser.step(RATE, replica.network.clone(), mean);
    }
    // So that a replica is missed in the step in which it is lost.
    for (index, replica) in replicas.iter().enumerate() {
        let done = replica.device.sync();
        done.map_err(|error| lost(index, error.to_string()))?;
    }
    Ok(sum / replicas.len() as f32)
}

/// The parameters' values, or why they cannot be had.
struct Read(Result<Vec<f32>, String>);

impl ModuleVisitor for Read {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Ok(all) = &mut self.0 else { return };
        let data = param
            .val()
            .inner()
            .try_into_data()
            .map_err(|error| error.to_string());
        let values = data.and_then(|data| {
            data.try_into_vec::<f32>()
                .map_err(|error| format!("{error:?}"))
        });
        match values {
            Ok(values) => all.extend(values),
            Err(reason) => self.0 = Err(reason),
        }
    }
}

/// A device of burn on the adapter whose name has this text in it, or on the first there is.
fn local(name: &str) -> Result<Device, Box<dyn Error>> {
    let instance =
        wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let adapter = adapters
        .into_iter()
        .find(|adapter| {
            adapter
                .get_info()
                .name
                .to_lowercase()
                .contains(&name.to_lowercase())
        })
        .ok_or_else(|| format!("no adapter is called {name}"))?;
    let mut features = adapter.features();
    features.remove(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS);
    features.remove(wgpu::Features::all_experimental_mask());
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: features,
        required_limits: adapter.limits(),
        ..Default::default()
    });
    let (device, queue) = pollster::block_on(request)?;
    let backend = adapter.get_info().backend;
    let setup = WgpuSetup {
        instance,
        adapter,
        device,
        queue,
        backend,
    };
    Ok(Device::wgpu_options().setup(setup).init()?)
}

/// The device that a server has.
#[cfg(feature = "remote-websocket")]
fn remote(url: &str) -> Result<Device, Box<dyn Error>> {
    let host = burn::remote::RemoteHost::websocket(url);
    Ok(Device::remote_options(&host).init()?)
}

#[cfg(not(feature = "remote-websocket"))]
fn remote(_url: &str) -> Result<Device, Box<dyn Error>> {
    Err("servers need the feature remote-websocket".into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut steps, mut devices) = (20, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--steps", Some(count)) => steps = count.parse()?,
            ("--adapter", Some(name)) => devices.push(local(&name)?),
            ("--server", Some(url)) => devices.push(remote(&url)?),
            _ => {
                let usage = "burn_data_parallel [--steps N] [--adapter NAME]... [--server URL]...";
                return Err(format!("usage: {usage}").into());
            }
        }
    }
    if devices.is_empty() {
        devices = vec![local("")?, local("")?];
    }
    let alone = train(&devices[..1], steps, |_| ())?;
    let together = train(&devices, steps, |_| ())?;
    println!("step   loss of one device   of {}", devices.len());
    for (step, (one, all)) in alone.losses.iter().zip(&together.losses).enumerate() {
        println!("{step:>4}{one:>21.7}{all:>12.7}");
    }
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let first = bits(&together.parameters[0]);
    let equal = together
        .parameters
        .iter()
        .filter(|other| bits(other) == first);
    println!(
        "parameters: {} numbers, equal bit for bit on {} of {} devices",
        first.len(),
        equal.count(),
        devices.len()
    );
    Ok(())
}
