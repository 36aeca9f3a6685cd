//! The work of the passes as it is put together: the buffers, and the kernels in order.

use super::{Own, Ready, Result, Setting, Tensor};
use crate::images::{Digits, PIXELS, SIDE};
use nonlin::wgpu::{self, util::DeviceExt};
use nonlin::{Bound, Gpu, LayerOperands, Operand, Operands};
use std::ops::Range;

/// What is recorded: a kernel of the example's own, or an activation.
pub(super) enum Work {
    Own {
        pipeline: wgpu::ComputePipeline,
        bind_group: wgpu::BindGroup,
        groups: u32,
    },
    Activation(Bound),
}

impl Work {
    pub(super) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        match self {
            Work::Own {
                pipeline,
                bind_group,
                groups,
            } => {
                pass.set_pipeline(pipeline);
                pass.set_bind_group(0, bind_group, &[]);
                pass.dispatch_workgroups(*groups, 1, 1);
            }
            Work::Activation(bound) => bound.record(pass),
        }
    }
}

/// A buffer that kernels read and write.
pub(super) fn buffer<T: bytemuck::NoUninit>(gpu: &Gpu, contents: &[T]) -> wgpu::Buffer {
    let descriptor = wgpu::util::BufferInitDescriptor {
        label: None,
        contents: bytemuck::cast_slice(contents),
        usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
    };
    gpu.device().create_buffer_init(&descriptor)
}

/// Room for numbers.
pub(super) fn zeros(gpu: &Gpu, count: usize) -> wgpu::Buffer {
    buffer(gpu, &vec![0.0f32; count])
}

/// Workgroups for so many invocations.
fn invocations(count: usize) -> usize {
    count.div_ceil(64)
}

/// Workgroups for the gradients of a convolution of such sizes: one for each row of a window, and for each bias.
fn windows([_, inputs, outputs, _]: [usize; 4]) -> usize {
    (3 * inputs + 1) * outputs
}

/// All elements of a buffer of f32.
fn all(buffer: &wgpu::Buffer) -> Operand<'_> {
    Operand::new(buffer, 0, buffer.size() / 4)
}

/// The images on their way, and their gradients on the way back.
pub(super) struct Planes {
    pub(super) samples: usize,
    pub(super) x: wgpu::Buffer,
    /// Before and behind the activation.
    pub(super) z: wgpu::Buffer,
    pub(super) y: wgpu::Buffer,
    pub(super) output: wgpu::Buffer,
    pub(super) dz: wgpu::Buffer,
    pub(super) dy: wgpu::Buffer,
    pub(super) doutput: wgpu::Buffer,
    /// What the activation's forward pass leaves for the backward pass, if anything.
    pub(super) saved: Option<wgpu::Buffer>,
}

impl Planes {
    pub(super) fn new(gpu: &Gpu, samples: usize, channels: usize, forward: &Ready) -> Self {
        let planes = |channels: usize| zeros(gpu, samples * channels * PIXELS);
        let saved = match forward {
            Ready::Layer(plan) => plan.saved_len() as usize,
            Ready::Chain(_) => 0,
        };
        Planes {
            samples,
            x: planes(1),
            z: planes(channels),
            y: planes(channels),
            output: planes(1),
            dz: planes(channels),
            dy: planes(channels),
            doutput: planes(1),
            saved: (saved > 0).then(|| zeros(gpu, saved)),
        }
    }
}

/// What training keeps from one step to the next.
pub(super) struct Course {
    /// How many steps were taken, and which images each step sees.
    taken: wgpu::Buffer,
    order: wgpu::Buffer,
    /// The step's images without noise, and how far from them the network is.
    truth: wgpu::Buffer,
    errors: wgpu::Buffer,
    /// The optimiser's, for each parameter.
    moments: wgpu::Buffer,
    pub(super) history: wgpu::Buffer,
}

impl Course {
    pub(super) fn new(gpu: &Gpu, setting: &Setting<'_>, parameters: usize) -> Self {
        Course {
            taken: zeros(gpu, 1),
            order: buffer(gpu, &setting.order()),
            truth: zeros(gpu, setting.batch * PIXELS),
            errors: zeros(gpu, setting.batch * SIDE),
            moments: zeros(gpu, 2 * parameters),
            history: zeros(gpu, setting.epochs * setting.steps()),
        }
    }
}

/// What is done, in order, while it is put together.
pub(super) struct Build<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) own: &'a Own,
    pub(super) channels: usize,
    pub(super) tensors: &'a [Tensor],
    pub(super) parameters: &'a wgpu::Buffer,
    pub(super) gradients: &'a wgpu::Buffer,
    pub(super) works: Vec<Work>,
}

impl Build<'_> {
    /// Adds a kernel of the example's own, with its sizes, as kernels.wgsl has them, and buffers by binding.
    fn own(
        &mut self,
        pipeline: &wgpu::ComputePipeline,
        sizes: [usize; 4],
        groups: usize,
        buffers: &[(u32, &wgpu::Buffer)],
    ) {
        let device = self.gpu.device();
        let sizes = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("sizes"),
            contents: bytemuck::cast_slice(&sizes.map(|size| size as u32)),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let bindings = [(0, &sizes)].into_iter().chain(buffers.iter().copied());
        let entries: Vec<_> = bindings
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.works.push(Work::Own {
            pipeline: pipeline.clone(),
            bind_group,
            groups: groups as u32,
        });
    }

    /// Which of all parameters belong to `first`, `activation` or `second`.
    fn range(&self, part: &str) -> Range<usize> {
        let mine = self.tensors.iter().filter(|tensor| {
            tensor
                .name
                .split_once('.')
                .is_some_and(|(of, _)| of == part)
        });
        let ranges = mine.map(|tensor| tensor.range.clone());
        ranges
            .reduce(|all, next| all.start..next.end)
            .unwrap_or(0..0)
    }

    /// The activation's part of the parameters, or of their gradients.
    fn activations<'b>(&self, buffer: &'b wgpu::Buffer) -> Operand<'b> {
        let range = self.range("activation");
        Operand::new(buffer, range.start as u64 * 4, range.len() as u64)
    }

    /// Adds the choice of the step's images.
    pub(super) fn gather(&mut self, digits: &Digits, course: &Course, planes: &Planes) {
        let (clean, noisy) = (
            buffer(self.gpu, &digits.clean),
            buffer(self.gpu, &digits.noisy),
        );
        let bindings = [
            (7, &course.taken),
            (8, &course.order),
            (9, &noisy),
            (10, &clean),
            (11, &planes.x),
            (12, &course.truth),
        ];
        let groups = invocations(planes.samples * SIDE);
        self.own(
            &self.own.gather,
            [planes.samples, 0, 0, 0],
            groups,
            &bindings,
        );
    }

    /// Adds the loss, and the gradient of the network's output.
    pub(super) fn error(&mut self, course: &Course, planes: &Planes) {
        let bindings = [
            (1, &planes.output),
            (6, &planes.doutput),
            (13, &course.truth),
            (14, &course.errors),
        ];
        let groups = invocations(planes.samples * SIDE);
        self.own(
            &self.own.squared_error,
            [planes.samples, 0, 0, 0],
            groups,
            &bindings,
        );
    }

    /// Adds the step itself.
    pub(super) fn update(&mut self, course: &Course, samples: usize) {
        let bindings = [
            (7, &course.taken),
            (15, self.parameters),
            (16, self.gradients),
            (17, &course.moments),
            (18, &course.history),
        ];
        let count = self.tensors.last().map_or(0, |tensor| tensor.range.end);
        self.own(
            &self.own.adam,
            [0, count, 0, 0],
            invocations(count),
            &bindings,
        );
        let bindings = [
            (7, &course.taken),
            (18, &course.history),
            (19, &course.errors),
        ];
        self.own(&self.own.finish, [samples, 0, 0, 0], 1, &bindings);
    }

    /// Adds the way from noisy images to the network's output. Returns the activation's dispatches.
    pub(super) fn forward(&mut self, activation: &Ready, planes: &Planes) -> Result<usize> {
        let (samples, channels) = (planes.samples, self.channels);
        let Planes { x, z, y, .. } = planes;
        let sizes = [samples, 1, channels, self.range("first").start];
        let groups = invocations(samples * channels * SIDE);
        let bindings = [(1, x), (2, self.parameters), (3, z)];
        self.own(&self.own.convolve, sizes, groups, &bindings);
        let bound = match activation {
            Ready::Layer(plan) => {
                let operands = LayerOperands::new().x(all(z)).y(all(y));
                let operands = operands.parameters(self.activations(self.parameters));
                plan.bind(match &planes.saved {
                    Some(saved) => operands.saved(all(saved)),
                    None => operands,
                })?
            }
            Ready::Chain(plan) => plan.bind(Operands::new().x(all(z)).y(all(y)))?,
        };
        let dispatches = bound.dispatches();
        self.works.push(Work::Activation(bound));
        let sizes = [samples, channels, 1, self.range("second").start];
        let bindings = [(1, y), (2, self.parameters), (3, &planes.output)];
        self.own(
            &self.own.convolve,
            sizes,
            invocations(samples * SIDE),
            &bindings,
        );
        Ok(dispatches)
    }

    /// Adds the way back from the output's gradient to those of all parameters. Returns the activation's dispatches.
    pub(super) fn backward(&mut self, activation: &Ready, planes: &Planes) -> Result<usize> {
        let (samples, channels) = (planes.samples, self.channels);
        let Planes { z, dz, dy, .. } = planes;
        let sizes = [samples, channels, 1, self.range("second").start];
        let bindings = [(1, &planes.y), (4, &planes.doutput), (5, self.gradients)];
        self.own(&self.own.weight_gradients, sizes, windows(sizes), &bindings);
        let bindings = [(2, self.parameters), (4, &planes.doutput), (6, dy)];
        let groups = invocations(samples * channels * SIDE);
        self.own(&self.own.input_gradients, sizes, groups, &bindings);
        let bound = match activation {
            Ready::Layer(plan) => {
                let operands = LayerOperands::new().x(all(z)).dy(all(dy)).dx(all(dz));
                let operands = operands
                    .parameters(self.activations(self.parameters))
                    .gradients(self.activations(self.gradients));
                plan.bind(match &planes.saved {
                    Some(saved) => operands.saved(all(saved)),
                    None => operands,
                })?
            }
            Ready::Chain(plan) => plan.bind(Operands::new().x(all(z)).dy(all(dy)).dx(all(dz)))?,
        };
        let dispatches = bound.dispatches();
        self.works.push(Work::Activation(bound));
        let bindings = [(1, &planes.x), (4, dz), (5, self.gradients)];
        let sizes = [samples, 1, channels, self.range("first").start];
        self.own(&self.own.weight_gradients, sizes, windows(sizes), &bindings);
        Ok(dispatches)
    }
}
