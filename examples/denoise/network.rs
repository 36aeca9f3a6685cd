//! The denoiser: a 3 x 3 convolution to some channels, an activation, a 3 x 3 convolution back to one. The
//! convolutions, the loss and the optimiser are kernels.wgsl; the activation, forward and backward, is `nonlin`'s.
//! Its parameters and their gradients lie among all others in the same two buffers.

#[path = "network/build.rs"]
mod build;

use crate::images::{Digits, PIXELS, Random, SIDE, TRAINED};
use build::{Build, Course, Planes, Work, buffer, zeros};
use nonlin::layers::{BatchNorm, Frelu, Images, MetaAcon};
use nonlin::wgpu;
use nonlin::{Chain, DType, Gpu, LayerPlan, Pass, Plan};
use std::ops::Range;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Elements of a convolution's window.
pub(crate) const TAPS: usize = 9;

/// Images of a step, and steps of an epoch, in the example.
pub(crate) const BATCH: usize = 16;

/// The most channels that the example takes; dispatches over the test set have room for many more.
pub(crate) const MOST_CHANNELS: usize = 256;

/// What stands between the two convolutions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Activation {
    /// FReLU with a window of 3 x 3 and its batch norm.
    Frelu,
    /// Meta-ACON with [`META_ACON`]'s settings.
    MetaAcon,
    /// Any chain without operands.
    Chain(Chain),
}

/// With four hidden values and eight channels there are 92 parameters, about as many as FReLU's 88.
pub(crate) const META_ACON: MetaAcon = MetaAcon {
    reduction: 16,
    minimum: 4,
    norm: None,
};

/// With the batch's statistics, or with the running ones.
pub(crate) fn frelu(training: bool) -> Frelu {
    let norm = BatchNorm {
        training,
        ..BatchNorm::default()
    };
    Frelu {
        norm: Some(norm),
        ..Frelu::default()
    }
}

impl std::str::FromStr for Activation {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let chain: Chain = match text {
            "frelu" => return Ok(Activation::Frelu),
            "meta_acon" => return Ok(Activation::MetaAcon),
            _ => text.parse().map_err(|error| {
                format!("{text:?} is neither frelu nor meta_acon, nor a chain: {error}")
            })?,
        };
        if let Some(operand) = chain.operands().first() {
            return Err(format!(
                "{chain}: the denoiser has nothing to bind @{operand} to"
            ));
        }
        if chain.is_random() {
            return Err(format!(
                "{chain}: the denoiser binds its activation once, so that every step would draw the same numbers"
            ));
        }
        Ok(Activation::Chain(chain))
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Activation::Frelu => f.write_str("frelu"),
            Activation::MetaAcon => f.write_str("meta_acon"),
            Activation::Chain(chain) => chain.fmt(f),
        }
    }
}

/// A pass of an activation, made ready.
enum Ready {
    Layer(Box<LayerPlan>),
    Chain(Plan),
}

impl Activation {
    fn ready(&self, gpu: &Gpu, images: &Images, pass: Pass, training: bool) -> Result<Ready> {
        let kernels = gpu.kernels();
        let layer = match self {
            Activation::Frelu => {
                kernels.layer(&frelu(training).into(), images, pass, DType::F32)?
            }
            Activation::MetaAcon => kernels.layer(&META_ACON.into(), images, pass, DType::F32)?,
            Activation::Chain(chain) => {
                return Ok(Ready::Chain(kernels.plan(chain, pass, DType::F32)?));
            }
        };
        Ok(Ready::Layer(Box::new(layer)))
    }
}

/// A tensor of parameters.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// `first.` or `second.`, the convolution, with `weight` or `bias`; or `activation.` with the layer's name for
    /// it.
    pub(crate) name: String,
    /// Which of all parameters they are.
    pub(crate) range: Range<usize>,
    /// Running statistics are not.
    pub(crate) learned: bool,
}

/// What is trained, and how.
#[derive(Clone, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) activation: &'a Activation,
    /// Between the convolutions.
    pub(crate) channels: usize,
    /// Images of a step.
    pub(crate) batch: usize,
    pub(crate) epochs: usize,
    /// Of Adam, at first.
    pub(crate) rate: f64,
    pub(crate) seed: u64,
}

impl Setting<'_> {
    /// In an epoch; images that are too few for another step are left out.
    pub(crate) fn steps(&self) -> usize {
        TRAINED / self.batch
    }

    /// Which images the steps see, each epoch shuffled anew.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut random = Random::new(self.seed, 1);
        let mut images: Vec<u32> = (0..TRAINED as u32).collect();
        let mut order = Vec::new();
        for _ in 0..self.epochs {
            for end in (2..=TRAINED).rev() {
                images.swap(end - 1, random.below(end));
            }
            order.extend(&images[..self.steps() * self.batch]);
        }
        order
    }

    /// What the activation works on.
    pub(crate) fn hidden(&self, samples: usize) -> Images {
        let side = SIDE as u64;
        Images::nchw(samples as u64, self.channels as u64, side, side)
    }
}

/// The tensors, and what is in them at first.
struct Initial {
    tensors: Vec<Tensor>,
    values: Vec<f32>,
}

impl Initial {
    fn add(&mut self, name: String, learned: bool, new: Vec<f32>) {
        let range = self.values.len()..self.values.len() + new.len();
        self.values.extend(new);
        self.tensors.push(Tensor {
            name,
            range,
            learned,
        });
    }

    /// The convolutions' weights, which depend on the seed and not on the activation, and the activation's own.
    fn new(setting: &Setting<'_>, activation: &Ready) -> Self {
        let (mut random, mut others) = (Random::new(setting.seed, 2), Random::new(setting.seed, 3));
        let mut initial = Initial {
            tensors: Vec::new(),
            values: Vec::new(),
        };
        let channels = setting.channels;
        let weights = drawn(&mut random, channels * TAPS, TAPS);
        initial.add("first.weight".into(), true, weights);
        initial.add("first.bias".into(), true, vec![0.0; channels]);
        if let Ready::Layer(plan) = activation {
            // In the order in which the plan wants them.
            for (parameter, range) in plan.parameters() {
                let count = (range.end - range.start) as usize;
                let new = if let [_, window @ ..] = &parameter.shape[..]
                    && !window.is_empty()
                {
                    drawn(&mut others, count, window.iter().product::<u64>() as usize)
                } else {
                    vec![plain(&parameter.name); count]
                };
                let name = format!("activation.{}", parameter.name);
                initial.add(name, parameter.learned, new);
            }
        }
        let weights = drawn(&mut random, channels * TAPS, channels * TAPS);
        initial.add("second.weight".into(), true, weights);
        initial.add("second.bias".into(), true, vec![0.0; 1]);
        initial
    }
}

/// Weights as He et al. (2015) draw them, here uniformly, each output being a sum over `inputs`.
fn drawn(random: &mut Random, count: usize, inputs: usize) -> Vec<f32> {
    let bound = (6.0 / inputs as f32).sqrt();
    let weights = (0..count).map(|_| bound * (2.0 * random.uniform() - 1.0));
    weights.collect()
}

/// What a layer's parameter that is no weight begins with: a norm that changes nothing, and ACON-C with p1 = 1 and
/// p2 = 0, which is swish.
fn plain(name: &str) -> f32 {
    match name {
        "bn_weight" | "running_var" | "p1" => 1.0,
        _ => 0.0,
    }
}

/// The example's own kernels. The optimiser's rate is part of its kernel.
struct Own {
    convolve: wgpu::ComputePipeline,
    input_gradients: wgpu::ComputePipeline,
    weight_gradients: wgpu::ComputePipeline,
    gather: wgpu::ComputePipeline,
    squared_error: wgpu::ComputePipeline,
    adam: wgpu::ComputePipeline,
    finish: wgpu::ComputePipeline,
}

impl Own {
    fn new(gpu: &Gpu, rate: f64) -> Self {
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::include_wgsl!("kernels.wgsl"));
        let pipeline = |name, constants| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: None,
                module: &module,
                entry_point: Some(name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    ..Default::default()
                },
                cache: None,
            })
        };
        Own {
            convolve: pipeline("convolve", &[]),
            input_gradients: pipeline("input_gradients", &[]),
            weight_gradients: pipeline("weight_gradients", &[]),
            gather: pipeline("gather", &[]),
            squared_error: pipeline("squared_error", &[]),
            adam: pipeline("adam", &[("rate", rate)]),
            finish: pipeline("finish", &[]),
        }
    }
}

/// How many dispatches the activation takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dispatches {
    pub(crate) forward: usize,
    pub(crate) backward: usize,
    pub(crate) evaluation: usize,
}

/// A denoiser with all that its training takes, bound once.
pub(crate) struct Network {
    gpu: Gpu,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) dispatches: Dispatches,
    parameters: wgpu::Buffer,
    gradients: wgpu::Buffer,
    history: wgpu::Buffer,
    denoised: wgpu::Buffer,
    /// The gradients of a step's loss, the step itself, and the test set's images without noise.
    gradient: Vec<Work>,
    update: Vec<Work>,
    evaluate: Vec<Work>,
}

impl Network {
    pub(crate) fn new(gpu: &Gpu, setting: &Setting<'_>, digits: &Digits) -> Result<Self> {
        let (samples, hidden) = (setting.batch, setting.hidden(setting.batch));
        let ready = |pass, training| setting.activation.ready(gpu, &hidden, pass, training);
        let (forward, backward) = (ready(Pass::Forward, true)?, ready(Pass::Backward, true)?);
        let Initial { tensors, values } = Initial::new(setting, &forward);
        let parameters = buffer(gpu, &values);
        let gradients = zeros(gpu, values.len());
        let course = Course::new(gpu, setting, values.len());
        let planes = Planes::new(gpu, samples, setting.channels, &forward);
        let mut build = Build {
            gpu,
            own: &Own::new(gpu, setting.rate),
            channels: setting.channels,
            tensors: &tensors,
            parameters: &parameters,
            gradients: &gradients,
            works: Vec::new(),
        };
        build.gather(digits, &course, &planes);
        let forward = build.forward(&forward, &planes)?;
        build.error(&course, &planes);
        let backward = build.backward(&backward, &planes)?;
        let gradient = std::mem::take(&mut build.works);

        build.update(&course, samples);
        let update = std::mem::take(&mut build.works);

        let (test, _) = digits.test();
        let samples = test.len() / PIXELS;
        let images = setting.hidden(samples);
        let activation = setting.activation;
        let ready = activation.ready(gpu, &images, Pass::Forward, false)?;
        let planes = Planes {
            x: buffer(gpu, test),
            ..Planes::new(gpu, samples, setting.channels, &ready)
        };
        let evaluation = build.forward(&ready, &planes)?;
        let evaluate = build.works;
        Ok(Network {
            gpu: gpu.clone(),
            tensors,
            dispatches: Dispatches {
                forward,
                backward,
                evaluation,
            },
            parameters,
            gradients,
            history: course.history,
            denoised: planes.output,
            gradient,
            update,
            evaluate,
        })
    }

    /// Computes the gradients of the step that is next, without taking it. (A batch norm's running statistics are
    /// renewed.)
    pub(crate) fn backward(&self) {
        self.submit(&[&self.gradient]);
    }

    /// Takes steps, in one pass and one submit.
    pub(crate) fn train(&self, steps: usize) {
        self.submit(&[&self.gradient[..], &self.update].repeat(steps));
    }

    /// The test set's images without their noise, as far as that goes.
    pub(crate) fn denoise(&self) -> Result<Vec<f32>> {
        self.submit(&[&self.evaluate]);
        self.read(&self.denoised)
    }

    /// All parameters; [`Tensor::range`] says which is which.
    pub(crate) fn parameters(&self) -> Result<Vec<f32>> {
        self.read(&self.parameters)
    }

    /// The gradients that were computed last.
    pub(crate) fn gradients(&self) -> Result<Vec<f32>> {
        self.read(&self.gradients)
    }

    /// The loss of each step's images, before the step; zero for steps that were not taken.
    pub(crate) fn history(&self) -> Result<Vec<f32>> {
        self.read(&self.history)
    }

    fn submit(&self, works: &[&[Work]]) {
        let device = self.gpu.device();
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for work in works.iter().copied().flatten() {
            work.record(&mut pass);
        }
        drop(pass);
        self.gpu.queue().submit([encoder.finish()]);
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
        let (device, size) = (self.gpu.device(), buffer.size());
        let readback = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, size);
        self.gpu.queue().submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        readback.map_async(wgpu::MapMode::Read, .., move |mapped| {
            // The receiver is gone only where polling has failed.
            _ = sender.send(mapped);
        });
        device.poll(wgpu::PollType::wait_indefinitely())?;
        receiver.recv()??;
        let view = readback.get_mapped_range(..)?;
        Ok(bytemuck::cast_slice(&view).to_vec())
    }
}
