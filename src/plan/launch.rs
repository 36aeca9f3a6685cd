//! Dispatches as text and numbers, before anything of them is on a device.

use super::operand::Memory;
use super::work::{Dispatch, Task};
use crate::gpu::kernels::{Family, Inner, Kernel};
use crate::gpu::{Bound, Shape, guarded};
use crate::wgsl::{self, Form};
use crate::{DType, Error};

/// What of a device decides how work is cut.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) limits: wgpu::Limits,
    pub(crate) shape: Shape,
}

impl Machine {
    pub(crate) fn new(limits: wgpu::Limits) -> Self {
        let shape = Shape {
            workgroup: Shape::default()
                .workgroup
                .min(limits.max_compute_invocations_per_workgroup),
            ..Shape::default()
        };
        Machine { limits, shape }
    }

    /// Workgroups in a row, and rows, for so many in all. Rows are of equal length: 65,536 groups are 2 x
    /// 32,768, not 2 x 65,535.
    pub(crate) fn grid(&self, groups: u64) -> [u32; 2] {
        let most = u64::from(self.limits.max_compute_workgroups_per_dimension);
        let rows = groups.div_ceil(most);
        [groups.div_ceil(rows) as u32, rows as u32]
    }

    /// Bytes that one binding can hold.
    pub(crate) fn limit(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(1 << 31)
    }

    pub(crate) fn alignment(&self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment)
    }
}

/// Which kernel a dispatch runs.
#[derive(Clone, Debug)]
pub(crate) enum Code {
    /// The task's, in this form.
    Pass(Form),
    /// The one that adds up partial sums, to gradients of these dtypes.
    Finish(Vec<DType>),
    /// One of which all is said by its text.
    Text {
        label: String,
        text: String,
        written: Vec<bool>,
    },
}

/// What a binding binds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum From<'a> {
    Memory(Memory<'a>),
    Scratch,
}

/// A storage binding: whose memory, the first byte, which is aligned as the device asks, and bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'a> {
    pub(crate) from: From<'a>,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// One dispatch: a kernel, its storage bindings in their order, and the uniform behind them.
#[derive(Clone, Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) code: Code,
    pub(crate) bindings: Vec<Binding<'a>>,
    pub(crate) uniform: Vec<u32>,
    /// Which words of the uniform are the seed and the offset of random numbers, if there are any.
    pub(crate) random: Option<usize>,
    pub(crate) grid: [u32; 3],
}

/// All that a pass dispatches, in order, and the bytes of scratch that they share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launches<'a> {
    pub(crate) all: Vec<Launch<'a>>,
    pub(crate) scratch: u64,
}

impl<'a> Launches<'a> {
    pub(crate) fn push(&mut self, machine: &Machine, launch: Launch<'a>) -> Result<(), Error> {
        let bytes = launch.uniform.len() as u64 * 4;
        let limit = machine.limits.max_uniform_buffer_binding_size;
        if bytes > limit {
            let what = "the chain's parameters".into();
            return Err(Error::TooLarge { what, bytes, limit });
        }
        let (operands, limit) = (
            launch.bindings.len(),
            machine.limits.max_storage_buffers_per_shader_stage,
        );
        if operands as u64 > u64::from(limit) {
            return Err(Error::TooManyOperands { operands, limit });
        }
        self.all.push(launch);
        Ok(())
    }

    /// Compiles what is not compiled yet, and makes what recording needs. A layer has no task.
    pub(crate) fn bound(
        self,
        inner: &Inner,
        task: Option<(&Task, &Family)>,
        len: u64,
    ) -> Result<Bound, Error> {
        let mut kernels = Vec::with_capacity(self.all.len());
        for launch in &self.all {
            let kernel = match (&launch.code, task) {
                (Code::Pass(form), Some((task, family))) => {
                    family.kernel(inner, task.body(), form)?
                }
                (Code::Pass(_), None) => unreachable!("a layer's kernels are text"),
                (Code::Finish(dtypes), _) => inner.finish(dtypes)?,
                (
                    Code::Text {
                        label,
                        text,
                        written,
                    },
                    _,
                ) => inner.text(label, text, written)?,
            };
            kernels.push(kernel);
        }
        guarded(&inner.device, "binding operands", || {
            let scratch = (self.scratch > 0).then(|| {
                inner.device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some("nonlin scratch"),
                    size: self.scratch,
                    usage: wgpu::BufferUsages::STORAGE,
                    mapped_at_creation: false,
                })
            });
            let launches = self.all.iter().zip(&kernels);
            let dispatches =
                launches.map(|(launch, kernel)| dispatch(inner, kernel, launch, scratch.as_ref()));
            Ok(Bound {
                dispatches: dispatches.collect::<Result<_, _>>()?,
                scratch: self.scratch,
                len,
            })
        })
    }
}

/// Arguments in a uniform buffer, and a bind group.
fn dispatch(
    inner: &Inner,
    kernel: &Kernel,
    launch: &Launch<'_>,
    scratch: Option<&wgpu::Buffer>,
) -> Result<Dispatch, Error> {
    let device = &inner.device;
    let arguments = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("nonlin arguments"),
        size: launch.uniform.len() as u64 * 4,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: true,
    });
    match arguments.get_mapped_range_mut(..) {
        Ok(mut view) => view.copy_from_slice(bytemuck::cast_slice(&launch.uniform)),
        Err(error) => {
            return Err(Error::Device {
                doing: "writing a kernel's arguments",
                message: error.to_string(),
            });
        }
    }
    arguments.unmap();
    let mut entries = Vec::with_capacity(launch.bindings.len() + 1);
    for binding in &launch.bindings {
        let buffer = match (binding.from, scratch) {
            (From::Memory(Memory::Buffer(buffer)), _) | (From::Scratch, Some(buffer)) => buffer,
            _ => return Err(Error::NotABuffer),
        };
        entries.push(wgpu::BindGroupEntry {
            binding: entries.len() as u32,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset: binding.offset,
                size: std::num::NonZeroU64::new(binding.size),
            }),
        });
    }
    entries.push(wgpu::BindGroupEntry {
        binding: entries.len() as u32,
        resource: arguments.as_entire_binding(),
    });
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("nonlin operands"),
        layout: &kernel.layout,
        entries: &entries,
    });
    Ok(Dispatch {
        pipeline: kernel.pipeline.clone(),
        bind_group,
        grid: launch.grid,
        arguments,
        random: launch.random.map(|word| word as u64 * 4),
    })
}

impl Code {
    /// The kernel's name and its text, for hosts whose operands may lie in one buffer.
    pub(crate) fn text(&self, task: Option<&Task>, machine: &Machine) -> (String, String) {
        let (label, text) = match (self, task) {
            (Code::Pass(form), Some(task)) => (
                crate::gpu::kernels::label(task.body(), form),
                wgsl::kernel(task.body(), form),
            ),
            (Code::Pass(_), None) => unreachable!("a layer's kernels are text"),
            (Code::Finish(dtypes), _) => ("nonlin finish".into(), wgsl::finish(dtypes)),
            (Code::Text { label, text, .. }, _) => (label.clone(), text.clone()),
        };
        let Shape { workgroup, words } = machine.shape;
        let text = text
            .replace("var<storage, read>", "var<storage, read_write>")
            .replace(
                "override WORKGROUP: u32 = 256u;",
                &format!("const WORKGROUP: u32 = {workgroup}u;"),
            )
            .replace(
                "override WORDS: u32 = 1u;",
                &format!("const WORDS: u32 = {words}u;"),
            );
        (label, text)
    }

    /// Whether each operand is written, in the order of the bindings, where none must be for another's sake.
    pub(crate) fn written(&self) -> Vec<bool> {
        match self {
            Code::Pass(form) => form.written(),
            Code::Finish(dtypes) => std::iter::once(false)
                .chain(dtypes.iter().map(|_| true))
                .collect(),
            Code::Text { written, .. } => written.clone(),
        }
    }
}
