//! A multilayer perceptron on the GPU. Its matmuls, its loss and its optimiser are kernels.wgsl; its
//! activations are `nonlin`'s, whose parameters and gradients lie among all others in the same two buffers.

use nonlin::wgpu::{self, util::DeviceExt};
use nonlin::{
    Argument, Bound, Chain, DType, Function, Gpu, Layout, Operand, Operands, Pass, Values,
    reference,
};
use std::ops::Range;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Pixels of an image, and digits.
pub(crate) const PIXELS: usize = 64;
pub(crate) const DIGITS: usize = 10;

/// Images that are trained on, the first ones; the others are the test set.
pub(crate) const TRAINED: usize = 1440;

/// Images of a step, and steps of an epoch.
pub(crate) const BATCH: usize = 96;
pub(crate) const STEPS: usize = TRAINED / BATCH;

/// The handwritten digits of examples/data.
pub(crate) struct Digits {
    /// [`PIXELS`] for each image, from 0 to 1.
    pub(crate) images: Vec<f32>,
    pub(crate) labels: Vec<u32>,
}

impl Digits {
    pub(crate) fn new() -> Self {
        let images = include_bytes!("../data/digits.bin").chunks_exact(PIXELS + 1);
        let pixels = images.clone().flat_map(|image| &image[..PIXELS]);
        Digits {
            images: pixels.map(|pixel| f32::from(*pixel) / 16.0).collect(),
            labels: images.map(|image| u32::from(image[PIXELS])).collect(),
        }
    }
}

/// The operands of a chain as parameters to be learned, each with the value that it begins with: the default; or
/// why they, or the chain, cannot be.
pub(crate) fn learned(chain: &Chain) -> Result<Vec<(&str, f32)>> {
    if chain.is_random() {
        // What is drawn is part of a binding.
        let why = "the network binds its activations once, so that dropout and rrelu would draw the same \
                   numbers in every step";
        return Err(format!("{chain}: {why}").into());
    }
    let mut found = Vec::new();
    for step in chain.steps() {
        for (index, argument) in step.arguments().iter().enumerate() {
            let Argument::Operand(name) = argument else {
                continue;
            };
            let initial = match step.function() {
                Function::Activation(activation) => activation.values()[index],
                Function::Scale => 1.0,
                Function::Bias => 0.0,
                _ => {
                    let why = format!(
                        "{} takes a tensor, not a parameter to be learned",
                        step.name()
                    );
                    return Err(format!("{chain}: {why}").into());
                }
            };
            found.push((name.as_str(), initial));
        }
    }
    // The library says which parameters have no gradient.
    let values = found.iter().fold(Values::new(), |values, (name, initial)| {
        values.arg(name, &[*initial])
    });
    for (name, _) in &found {
        reference::gradient(chain, &[1.0f32], &[1.0f32], &values, name)
            .map_err(|error| format!("{chain}: {error}"))?;
    }
    Ok(found)
}

/// The same chain with constants in the place of operands: the values that they begin with.
pub(crate) fn frozen(chain: &Chain) -> Result<Chain> {
    let mut initial = learned(chain)?.into_iter();
    let mut frozen = Chain::new();
    for step in chain.steps() {
        let mut constant = step.clone();
        for (parameter, argument) in step.parameters().into_iter().zip(step.arguments()) {
            if let Argument::Operand(_) = argument
                && let Some((_, value)) = initial.next()
            {
                constant = constant.with(parameter, value)?;
            }
        }
        frozen = frozen.step(constant);
    }
    Ok(frozen)
}

/// Numbers that look random, and are the same for the same seed.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Between -1 and 1.
    fn number(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// A tensor of parameters.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    /// Counted from 0.
    pub(crate) layer: usize,
    /// `weights`, a row for each input; `biases`; or an operand, `@name`.
    pub(crate) name: String,
    /// Which of all parameters they are.
    pub(crate) range: Range<usize>,
}

/// What is trained, and how.
#[derive(Clone, Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) chain: &'a Chain,
    /// Units of each hidden layer.
    pub(crate) hidden: &'a [usize],
    /// Images of a step.
    pub(crate) batch: usize,
    pub(crate) epochs: usize,
    pub(crate) seed: u64,
}

impl Setting<'_> {
    /// From the pixels to the digits.
    pub(crate) fn widths(&self) -> Vec<usize> {
        [&[PIXELS], self.hidden, &[DIGITS]].concat()
    }

    pub(crate) fn steps(&self) -> usize {
        self.epochs * TRAINED / self.batch
    }

    /// Which images the steps see: in an epoch every image once, shuffled.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut noise = Noise(!self.seed);
        let mut images: Vec<u32> = (0..TRAINED as u32).collect();
        let mut order = Vec::with_capacity(self.epochs * TRAINED);
        for _ in 0..self.epochs {
            for last in (1..TRAINED).rev() {
                images.swap(last, (noise.next() % (last as u64 + 1)) as usize);
            }
            order.extend(&images);
        }
        order
    }

    /// The tensors, and what is in them at first: weights as He et al. (2015) draw them, here uniformly;
    /// biases of zero; the activations' own parameters, one for each unit. The weights do not depend on the
    /// chain.
    fn parameters(&self) -> Result<(Vec<Tensor>, Vec<f32>)> {
        let learned = learned(self.chain)?;
        let (mut noise, mut tensors, mut values) = (Noise(self.seed), Vec::new(), Vec::new());
        for (layer, width) in self.widths().windows(2).enumerate() {
            let (inputs, outputs) = (width[0], width[1]);
            let mut add = |name: String, new: Vec<f32>| {
                let range = values.len()..values.len() + new.len();
                values.extend(new);
                tensors.push(Tensor { layer, name, range });
            };
            let bound = (6.0 / inputs as f32).sqrt();
            let weights = (0..inputs * outputs).map(|_| bound * noise.number());
            add("weights".into(), weights.collect());
            add("biases".into(), vec![0.0; outputs]);
            if layer < self.hidden.len() {
                for (name, initial) in &learned {
                    add(format!("@{name}"), vec![*initial; outputs]);
                }
            }
        }
        Ok((tensors, values))
    }
}

/// The example's own kernels, compiled once for all networks.
pub(crate) struct Own(Vec<(&'static str, wgpu::ComputePipeline)>);

impl Own {
    /// With the optimiser's learning rate.
    pub(crate) fn new(gpu: &Gpu, rate: f64) -> Self {
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::include_wgsl!("kernels.wgsl"));
        let pipeline = |name: &'static str| {
            let rate: &[(&str, f64)] = if name == "adam" {
                &[("rate", rate)]
            } else {
                &[]
            };
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(name),
                layout: None,
                module: &module,
                entry_point: Some(name),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: rate,
                    ..Default::default()
                },
                cache: None,
            });
            (name, pipeline)
        };
        let matmuls = ["forward", "weight_gradients", "input_gradients"];
        let others = ["gather", "cross_entropy", "adam", "finish"];
        Own(matmuls.into_iter().chain(others).map(pipeline).collect())
    }
}

/// What is recorded: a kernel of the example's own, or an activation.
enum Work {
    Own(wgpu::ComputePipeline, wgpu::BindGroup, u32),
    Activation(Bound),
}

impl Work {
    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        match self {
            Work::Own(pipeline, bind_group, groups) => {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bind_group, &[]);
                pass.dispatch_workgroups(*groups, 1, 1);
            }
            Work::Activation(bound) => bound.record(pass),
        }
    }
}

/// A network with all that its training takes, bound once.
pub(crate) struct Network {
    gpu: Gpu,
    pub(crate) tensors: Vec<Tensor>,
    parameters: wgpu::Buffer,
    gradients: wgpu::Buffer,
    history: wgpu::Buffer,
    outcomes: wgpu::Buffer,
    /// The gradients of a step's loss, the step itself, and the loss of all images.
    backward: Vec<Work>,
    update: Vec<Work>,
    evaluate: Vec<Work>,
}

impl Network {
    pub(crate) fn new(
        gpu: &Gpu,
        own: &Own,
        setting: &Setting<'_>,
        digits: &Digits,
    ) -> Result<Self> {
        let (tensors, values) = setting.parameters()?;
        let (batch, count) = (setting.batch, digits.labels.len());
        let zeros = |count: usize| buffer(gpu, &vec![0.0f32; count]);
        let (parameters, gradients) = (buffer(gpu, &values), zeros(values.len()));
        let (images, labels) = (buffer(gpu, &digits.images), buffer(gpu, &digits.labels));
        let order = buffer(gpu, &setting.order());
        let (x, batch_labels) = (zeros(batch * PIXELS), zeros(batch));
        let (batch_outcomes, outcomes) = (zeros(2 * batch), zeros(2 * count));
        let (taken, history, means) = (zeros(1), zeros(setting.steps()), zeros(2 * values.len()));
        let mut build = Build {
            gpu,
            own,
            setting,
            tensors: &tensors,
            parameters: &parameters,
            gradients: &gradients,
            works: Vec::new(),
        };

        build.own(
            "gather",
            [batch, PIXELS, 0, 0],
            batch * PIXELS,
            &[
                (7, &labels),
                (9, &taken),
                (10, &images),
                (11, &order),
                (12, &x),
                (13, &batch_labels),
            ],
        );
        let layers = build.forward(batch, &x, &batch_labels, &batch_outcomes)?;
        build.backward(batch, &layers)?;
        let backward = std::mem::take(&mut build.works);

        build.own(
            "adam",
            [values.len(), 0, 0, 0],
            values.len(),
            &[
                (9, &taken),
                (14, &parameters),
                (15, &gradients),
                (16, &means),
                (17, &history),
            ],
        );
        let bindings = [(9, &taken), (17, &history), (18, &batch_outcomes)];
        build.own("finish", [batch, 0, 0, 0], 1, &bindings);
        let update = std::mem::take(&mut build.works);

        build.forward(count, &images, &labels, &outcomes)?;
        let evaluate = build.works;
        Ok(Network {
            gpu: gpu.clone(),
            tensors,
            parameters,
            gradients,
            history,
            outcomes,
            backward,
            update,
            evaluate,
        })
    }

    /// Computes the gradients of the step that is next, without taking it.
    pub(crate) fn backward(&self) {
        self.submit(&[&self.backward]);
    }

    /// Takes steps, in one pass and one submit.
    pub(crate) fn train(&self, steps: usize) {
        self.submit(&[&self.backward[..], &self.update].repeat(steps));
    }

    fn submit(&self, works: &[&[Work]]) {
        let mut encoder = self
            .gpu
            .device()
            .create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            works
                .iter()
                .copied()
                .flatten()
                .for_each(|work| work.record(&mut pass));
        }
        self.gpu.queue().submit([encoder.finish()]);
    }

    /// All parameters; [`Tensor::range`] says which is which.
    pub(crate) fn parameters(&self) -> Result<Vec<f32>> {
        self.read(&self.parameters)
    }

    /// The gradients that were computed last.
    pub(crate) fn gradients(&self) -> Result<Vec<f32>> {
        self.read(&self.gradients)
    }

    /// The mean loss of each step's images, before the step.
    pub(crate) fn history(&self) -> Result<Vec<f32>> {
        self.read(&self.history)
    }

    /// The mean loss of the images that are trained on, and the share of the others that is recognised.
    pub(crate) fn evaluate(&self) -> Result<(f64, f64)> {
        self.submit(&[&self.evaluate]);
        let outcomes = self.read(&self.outcomes)?;
        let (trained, tested) = outcomes.split_at(2 * TRAINED);
        let mean = |part: &[f32], which: usize| {
            let sum: f64 = part
                .chunks(2)
                .map(|outcome| f64::from(outcome[which]))
                .sum();
            sum / (part.len() / 2) as f64
        };
        Ok((mean(trained, 0), mean(tested, 1)))
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
            _ = sender.send(mapped)
        });
        device.poll(wgpu::PollType::wait_indefinitely())?;
        // Another thread may be the one that polls.
        receiver.recv()??;
        Ok(bytemuck::cast_slice(&readback.get_mapped_range(..)?).to_vec())
    }
}

/// A buffer that kernels read and write.
fn buffer<T: bytemuck::NoUninit>(gpu: &Gpu, contents: &[T]) -> wgpu::Buffer {
    gpu.device()
        .create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(contents),
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
        })
}

/// What is done, in order, while it is put together.
struct Build<'a> {
    gpu: &'a Gpu,
    own: &'a Own,
    setting: &'a Setting<'a>,
    tensors: &'a [Tensor],
    parameters: &'a wgpu::Buffer,
    gradients: &'a wgpu::Buffer,
    works: Vec<Work>,
}

/// A layer's input, its value before the activation, and room for the latter's gradient.
struct Layer {
    x: wgpu::Buffer,
    z: wgpu::Buffer,
    dz: wgpu::Buffer,
}

impl<'a> Build<'a> {
    /// Adds a kernel of the example's own: its sizes, numbers that it writes, and buffers by binding.
    fn own(
        &mut self,
        name: &str,
        sizes: [usize; 4],
        invocations: usize,
        buffers: &[(u32, &wgpu::Buffer)],
    ) {
        let device = self.gpu.device();
        let Some((_, pipeline)) = self.own.0.iter().find(|(known, _)| *known == name) else {
            unreachable!("{name} is one of them");
        };
        let sizes = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some(name),
            contents: bytemuck::cast_slice(&sizes.map(|size| size as u32)),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let bindings = [(0, &sizes)].into_iter().chain(buffers.iter().copied());
        let entries: Vec<_> = bindings
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let groups = invocations.div_ceil(64) as u32;
        self.works
            .push(Work::Own(pipeline.clone(), bind_group, groups));
    }

    /// The sizes of a layer.
    fn sizes(&self, layer: usize, rows: usize) -> [usize; 4] {
        let widths = self.setting.widths();
        let mine = |tensor: &&Tensor| tensor.layer == layer;
        let first = self
            .tensors
            .iter()
            .find(mine)
            .map_or(0, |weights| weights.range.start);
        [rows, widths[layer], widths[layer + 1], first]
    }

    /// Adds the activation behind a layer. Its parameters are one for each unit, among all others; backward
    /// writes their gradients among all gradients, in the dispatches that write the gradient of its input.
    fn activation<'b>(
        &mut self,
        layer: usize,
        rows: usize,
        pass: Pass,
        passed: Operands<'b>,
    ) -> Result<()>
    where
        'a: 'b,
    {
        let units = self.setting.hidden[layer] as u64;
        let mut operands = passed.layout(Layout {
            outer: rows as u64,
            channels: units,
            inner: 1,
        });
        for tensor in self.tensors.iter().filter(|tensor| tensor.layer == layer) {
            let Some(name) = tensor.name.strip_prefix('@') else {
                continue;
            };
            let place = |buffer: &'a wgpu::Buffer| {
                Operand::new(buffer, tensor.range.start as u64 * 4, units)
            };
            operands = operands.arg(name, place(self.parameters), DType::F32);
            if pass == Pass::Backward {
                operands = operands.grad(name, place(self.gradients), DType::F32);
            }
        }
        let plan = self
            .gpu
            .kernels()
            .plan(self.setting.chain, pass, DType::F32)?;
        self.works.push(Work::Activation(plan.bind(operands)?));
        Ok(())
    }

    /// Adds the way from images to their losses, and to the gradients of the mean loss with respect to the last
    /// layer's values.
    fn forward(
        &mut self,
        rows: usize,
        images: &wgpu::Buffer,
        labels: &wgpu::Buffer,
        outcomes: &wgpu::Buffer,
    ) -> Result<Vec<Layer>> {
        let (mut layers, mut x) = (Vec::new(), images.clone());
        for (layer, width) in self.setting.widths()[1..].iter().enumerate() {
            let count = rows * width;
            let [z, y, dz] = [(); 3].map(|()| buffer(self.gpu, &vec![0.0f32; count]));
            let bindings = [(1, &x), (2, self.parameters), (3, &z)];
            self.own("forward", self.sizes(layer, rows), count, &bindings);
            if layer < self.setting.hidden.len() {
                let all = |buffer| Operand::new(buffer, 0, count as u64);
                let operands = Operands::new().x(all(&z)).y(all(&y));
                self.activation(layer, rows, Pass::Forward, operands)?;
            } else {
                let bindings = [(1, &z), (6, &dz), (7, labels), (8, outcomes)];
                self.own("cross_entropy", [rows, 0, *width, 0], rows, &bindings);
            }
            layers.push(Layer { x, z, dz });
            x = y;
        }
        Ok(layers)
    }

    /// Adds the way back, to the gradients of all parameters.
    fn backward(&mut self, rows: usize, layers: &[Layer]) -> Result<()> {
        for (layer, Layer { x, z, dz }) in layers.iter().enumerate().rev() {
            let sizes = self.sizes(layer, rows);
            if layer < self.setting.hidden.len() {
                // dx takes the place of dy.
                let all = |buffer| Operand::new(buffer, 0, (rows * sizes[2]) as u64);
                let operands = Operands::new().x(all(z)).dy(all(dz)).dx(all(dz));
                self.activation(layer, rows, Pass::Backward, operands)?;
            }
            let bindings = [(1, x), (4, dz), (5, self.gradients)];
            self.own(
                "weight_gradients",
                sizes,
                (sizes[1] + 1) * sizes[2],
                &bindings,
            );
            if let Some(before) = layer.checked_sub(1) {
                let bindings = [(2, self.parameters), (4, dz), (6, &layers[before].dz)];
                self.own("input_gradients", sizes, rows * sizes[1], &bindings);
            }
        }
        Ok(())
    }
}
