//! Operations, recorded one by one.

use super::{Dispatch, Steps, Unfused, Work};
use naga::Module;
use nonlin::Gpu;
use nonlin::layers::Images;
use nonlin::wgpu::{self, BufferUsages};
use std::collections::HashMap;

/// Invocations in a workgroup of kernels that write an element each; where a value is a sum, it has a workgroup.
const WIDE: u64 = 256;

/// Most workgroups in a row of the grid.
const ROW: u64 = 32_768;

/// A file of kernels.
pub(super) struct File {
    text: &'static str,
    /// Whether its kernels can take four elements at a time.
    has_words: bool,
}

pub(super) const ELEMENTS: File = File::new(include_str!("elements.wgsl"), true);
pub(super) const CHANNELS: File = File::new(include_str!("channels.wgsl"), true);
pub(super) const LINES: File = File::new(include_str!("lines.wgsl"), true);
pub(super) const ATTENTION: File = File::new(include_str!("attention.wgsl"), true);
pub(super) const CONVOLUTION: File = File::new(include_str!("convolution.wgsl"), false);
pub(super) const CONVOLUTION_WEIGHT: File =
    File::new(include_str!("convolution_weight.wgsl"), false);
const DENSE: File = File::new(include_str!("dense.wgsl"), false);
const SUMS: File = File::new(include_str!("sums.wgsl"), true);

const ONE: &str = include_str!("one.wgsl");
const FOUR: &str = include_str!("four.wgsl");

impl File {
    const fn new(text: &'static str, has_words: bool) -> Self {
        File { text, has_words }
    }

    /// The text for a device.
    fn wgsl(&self, in_words: bool) -> String {
        let own = self.text.lines().filter(|line| !line.ends_with("//#stub"));
        let front = if in_words { FOUR } else { ONE };
        front.lines().chain(own).collect::<Vec<_>>().join("\n")
    }
}

/// What a value has its elements for.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Of {
    /// Everything: N x C x H x W.
    Each,
    /// A sample's places: N x H x W.
    Place,
    /// So many in each sample: N x J.
    Row(u64),
    /// So many in all.
    Column(u64),
}

/// A value in memory.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) buffer: wgpu::Buffer,
    of: Of,
    /// How many such values lie behind each other.
    count: u64,
}

/// An operand by its name in a kernel.
pub(super) type Named<'a> = (&'a str, &'a Value);

/// A number by its name in a kernel.
pub(super) type Number<'a> = (&'a str, f64);

/// A layer, growing by a dispatch at a time.
pub(super) struct Tape<'a> {
    gpu: &'a Gpu,
    pub(super) images: Images,
    pub(super) x: Value,
    pub(super) dy: Value,
    parameters: HashMap<String, Value>,
    steps: Steps,
    gradients: HashMap<String, wgpu::Buffer>,
}

impl<'a> Tape<'a> {
    pub(super) fn new(work: &Work<'a>) -> Self {
        let each = |buffer: &wgpu::Buffer| Value {
            buffer: buffer.clone(),
            of: Of::Each,
            count: 1,
        };
        let mut tape = Tape {
            gpu: work.gpu,
            images: work.images,
            x: each(work.x),
            dy: each(work.dy),
            parameters: HashMap::new(),
            steps: Steps::default(),
            gradients: HashMap::new(),
        };
        let mut rest = work.values;
        for parameter in work.listed {
            let count = parameter.shape.iter().product::<u64>() as usize;
            let (own, behind) = rest.split_at(count);
            rest = behind;
            let value = tape.constant(own);
            tape.parameters.insert(parameter.name.clone(), value);
        }
        tape
    }

    pub(super) fn channels(&self) -> u64 {
        self.images.channels
    }

    pub(super) fn places(&self) -> u64 {
        self.images.height * self.images.width
    }

    fn len(&self, of: Of) -> u64 {
        let samples = self.images.samples;
        match of {
            Of::Each => samples * self.channels() * self.places(),
            Of::Place => samples * self.places(),
            Of::Row(j) => samples * j,
            Of::Column(j) => j,
        }
    }

    /// Room for `count` values behind each other.
    pub(super) fn room(&self, of: Of, count: u64) -> Value {
        let buffer = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("a value between"),
            size: (self.len(of) * count * 4).next_multiple_of(16),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Value { buffer, of, count }
    }

    /// A value that is there from the beginning.
    pub(super) fn constant(&self, elements: &[f32]) -> Value {
        let value = self.room(Of::Column(elements.len() as u64), 1);
        let bytes = bytemuck::cast_slice(elements);
        self.gpu.queue().write_buffer(&value.buffer, 0, bytes);
        value
    }

    pub(super) fn parameter(&self, name: &str) -> Value {
        self.parameters[name].clone()
    }

    pub(super) fn has_parameter(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    pub(super) fn keep(&mut self, name: impl Into<String>, gradient: Value) {
        self.gradients.insert(name.into(), gradient.buffer);
    }

    /// Whether planes are whole words of four elements.
    fn has_words(&self) -> bool {
        self.places().is_multiple_of(4)
    }

    /// A value whose elements are computed one by one, or word by word.
    pub(super) fn map(
        &mut self,
        file: &File,
        entry: &str,
        of: Of,
        inputs: &[Named<'_>],
        numbers: &[Number<'_>],
    ) -> Value {
        let out = self.room(of, 1);
        self.map_into(file, entry, (&out, 0), inputs, numbers);
        out
    }

    /// The same, at a place among values that lie behind each other.
    pub(super) fn map_into(
        &mut self,
        file: &File,
        entry: &str,
        (out, index): (&Value, u64),
        inputs: &[Named<'_>],
        numbers: &[Number<'_>],
    ) {
        let of_places = matches!(out.of, Of::Each | Of::Place);
        let in_words = file.has_words && of_places && self.has_words();
        let len = self.len(out.of) / if in_words { 4 } else { 1 };
        let mut all = vec![("LEN", len as f64), ("FIRST", (index * len) as f64)];
        all.extend(numbers);
        let text = file.wgsl(in_words);
        let kernel = Kernel::new(&text, entry, in_words);
        self.dispatch(&kernel, len.div_ceil(WIDE), out, inputs, &all);
    }

    /// A value whose elements are sums.
    pub(super) fn sums(
        &mut self,
        file: &File,
        entry: &str,
        of: Of,
        inputs: &[Named<'_>],
        numbers: &[Number<'_>],
    ) -> Value {
        let out = self.room(of, 1);
        self.sums_into(file, entry, (&out, 0), self.len(of), inputs, numbers);
        out
    }

    /// The same at a place among values that lie behind each other, by so many workgroups.
    pub(super) fn sums_into(
        &mut self,
        file: &File,
        entry: &str,
        (out, index): (&Value, u64),
        groups: u64,
        inputs: &[Named<'_>],
        numbers: &[Number<'_>],
    ) {
        let in_words = file.has_words && self.has_words();
        let len = self.len(out.of);
        let mut all = vec![("LEN", len as f64), ("FIRST", (index * len) as f64)];
        all.extend(numbers);
        let text = file.wgsl(in_words);
        let kernel = Kernel::new(&text, entry, in_words);
        self.dispatch(&kernel, groups, out, inputs, &all);
    }

    /// Records a kernel that writes one of the values in `out`.
    fn dispatch(
        &mut self,
        kernel: &Kernel<'_>,
        groups: u64,
        out: &Value,
        inputs: &[Named<'_>],
        numbers: &[Number<'_>],
    ) {
        let places = self.places() / if kernel.in_words { 4 } else { 1 };
        let mut all = vec![
            ("SAMPLES", self.images.samples as f64),
            ("CHANNELS", self.channels() as f64),
            ("PLACES", places as f64),
        ];
        all.extend(numbers);
        let pipeline = kernel.pipeline(self.gpu, &all);
        let mut operands = vec![("out", out)];
        operands.extend(inputs);
        let entries: Vec<_> = operands
            .iter()
            .map(|(name, value)| wgpu::BindGroupEntry {
                binding: kernel.binding(name),
                resource: value.buffer.as_entire_binding(),
            })
            .collect();
        let device = self.gpu.device();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("unfused"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let read = inputs.iter().map(|(_, v)| self.len(v.of) * v.count);
        self.steps.bytes += 4 * (self.len(out.of) + read.sum::<u64>());
        let row = groups.min(ROW);
        self.steps.dispatches.push(Dispatch {
            pipeline,
            bind_group,
            groups: [row as u32, groups.div_ceil(row) as u32],
        });
    }

    /// The steps so far; those to come are another pass's.
    pub(super) fn take(&mut self) -> Steps {
        std::mem::take(&mut self.steps)
    }

    pub(super) fn finish(mut self, forward: Steps, y: Value, dx: Value) -> Unfused {
        Unfused {
            forward,
            backward: self.take(),
            y: y.buffer,
            dx: dx.buffer,
            gradients: self.gradients,
        }
    }
}

/// An entry point, and what the text around it names.
struct Kernel<'a> {
    text: &'a str,
    entry: &'a str,
    in_words: bool,
    module: Module,
}

impl<'a> Kernel<'a> {
    fn new(text: &'a str, entry: &'a str, in_words: bool) -> Self {
        let module = naga::front::wgsl::parse_str(text);
        Kernel {
            text,
            entry,
            in_words,
            // A text that cannot be read is one that wgpu refuses, and says why.
            module: module.unwrap_or_default(),
        }
    }

    /// Where an operand is bound.
    fn binding(&self, name: &str) -> u32 {
        let mut globals = self.module.global_variables.iter();
        let found = globals.find(|(_, global)| global.name.as_deref() == Some(name));
        let binding = found.and_then(|(_, global)| global.binding);
        binding.map_or(u32::MAX, |found| found.binding)
    }

    fn pipeline(&self, gpu: &Gpu, numbers: &[Number<'_>]) -> wgpu::ComputePipeline {
        let overrides = self.module.overrides.iter();
        let names: Vec<_> = overrides.filter_map(|(_, o)| o.name.as_deref()).collect();
        // wgpu refuses numbers that a text does not name.
        let named = numbers.iter().filter(|(name, _)| names.contains(name));
        let constants: Vec<Number<'_>> = named.copied().collect();
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("unfused"),
            source: wgpu::ShaderSource::Wgsl(self.text.into()),
        });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(self.entry),
            layout: None,
            module: &module,
            entry_point: Some(self.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                ..Default::default()
            },
            cache: None,
        })
    }
}

/// Operations that more than one layer has.
impl Tape<'_> {
    /// An operation on the elements of values that are alike.
    pub(super) fn each(&mut self, entry: &str, inputs: &[Named<'_>]) -> Value {
        let of = inputs.first().map_or(Of::Each, |(_, value)| value.of);
        self.map(&ELEMENTS, entry, of, inputs, &[])
    }

    pub(super) fn add(&mut self, a: &Value, b: &Value) -> Value {
        self.each("add", &[("a", a), ("b", b)])
    }

    /// One sum, mean or other total for each plane of x.
    pub(super) fn of_planes(&mut self, entry: &str, inputs: &[Named<'_>]) -> Value {
        let of = Of::Row(self.channels());
        let count = [("COUNT", self.places() as f64)];
        self.sums(&SUMS, entry, of, inputs, &count)
    }

    /// The same, into a place among others.
    pub(super) fn of_planes_into(&mut self, entry: &str, out: (&Value, u64), inputs: &[Named<'_>]) {
        let groups = self.len(out.0.of);
        self.sums_into(&SUMS, entry, out, groups, inputs, &[]);
    }

    /// One for each sample, of values that each of its places has.
    pub(super) fn of_samples(&mut self, entry: &str, inputs: &[Named<'_>]) -> Value {
        self.sums(&SUMS, entry, Of::Row(1), inputs, &[])
    }

    /// One for each channel, over all samples.
    pub(super) fn of_channels(&mut self, entry: &str, inputs: &[Named<'_>]) -> Value {
        let of = Of::Column(self.channels());
        let count = [("COUNT", (self.images.samples * self.places()) as f64)];
        self.sums(&SUMS, entry, of, inputs, &count)
    }

    /// A fully connected layer of `outputs`, of the parameters that begin with `name`.
    pub(super) fn dense(&mut self, name: &str, x: &Value, inputs: u64, outputs: u64) -> Value {
        let [w, b] = ["weight", "bias"].map(|part| self.parameter(&format!("{name}_{part}")));
        let operands = [("x", x), ("w", &w), ("b", &b)];
        let numbers = [("INPUTS", inputs as f64), ("OUTPUTS", outputs as f64)];
        self.map(&DENSE, "forward", Of::Row(outputs), &operands, &numbers)
    }

    /// Its gradients, and that of its input.
    pub(super) fn dense_backward(
        &mut self,
        name: &str,
        x: &Value,
        d: &Value,
        inputs: u64,
        outputs: u64,
    ) -> Value {
        let numbers = [("INPUTS", inputs as f64), ("OUTPUTS", outputs as f64)];
        let weight = Of::Column(inputs * outputs);
        let operands = [("d", d), ("x", x)];
        let dw = self.map(&DENSE, "weight_gradient", weight, &operands, &numbers);
        self.keep(format!("{name}_weight"), dw);
        let db = self.over_samples(d, outputs);
        self.keep(format!("{name}_bias"), db);
        let w = self.parameter(&format!("{name}_weight"));
        let operands = [("d", d), ("w", &w)];
        let of = Of::Row(inputs);
        self.map(&DENSE, "input_gradient", of, &operands, &numbers)
    }

    /// The sum over samples of so many values each.
    pub(super) fn over_samples(&mut self, d: &Value, count: u64) -> Value {
        let of = Of::Column(count);
        let numbers = [("OUTPUTS", count as f64)];
        self.map(&DENSE, "bias_gradient", of, &[("d", d)], &numbers)
    }

    /// Adds to dx what comes by way of the planes' means.
    pub(super) fn means_backward(&mut self, dx: &Value, dmeans: &Value) -> Value {
        let inputs = [("x", dx), ("v", dmeans)];
        let count = [("COUNT", self.places() as f64)];
        self.map(&CHANNELS, "add_means_backward", Of::Each, &inputs, &count)
    }
}
