//! What is planned, on a device: kernels, arguments and bind groups, ready to be recorded.

use super::kernels::{Inner, Kernel};
use super::wait::guarded;
use crate::error::{DeviceError, Error, OperandError};
use crate::plan::launch::{Code, Launch, Launches, Source, random_words};
use crate::plan::memory::Memory;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A plan with its operands, ready to be recorded into compute passes of the same device.
#[derive(Clone, Debug)]
pub struct Bound {
    dispatches: Vec<Dispatch>,
    scratch: u64,
    len: u64,
}

#[derive(Clone, Debug)]
struct Dispatch {
    /// None where it is that of the dispatch before.
    pipeline: Option<wgpu::ComputePipeline>,
    bind_group: wgpu::BindGroup,
    grid: [u32; 3],
    arguments: wgpu::Buffer,
    /// Where in the arguments the seed and the offset of random numbers are, if there are any.
    random: Option<u64>,
}

impl Bound {
    /// Records the dispatches. Nothing is allocated here, submitted or waited for; the pass is left with
    /// this plan's pipeline and bind group 0. Zero elements record nothing.
    ///
    /// With summed gradients, two recordings of one bound must not run at the same time on two queues: they
    /// share the partial sums.
    #[inline]
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for dispatch in &self.dispatches {
            if let Some(pipeline) = &dispatch.pipeline {
                pass.set_pipeline(pipeline);
            }
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            let [x, y, z] = dispatch.grid;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Gives random steps another seed and offset ([`Operands::random`](crate::Operands::random)) for what is submitted
    /// from here on: each step of a training has its own, and nothing is bound anew. A chain that draws nothing is left
    /// as it is.
    pub fn set_random(&self, queue: &wgpu::Queue, seed: u64, offset: u64) {
        let words = random_words([seed, offset]);
        for dispatch in &self.dispatches {
            if let Some(at) = dispatch.random {
                queue.write_buffer(&dispatch.arguments, at, bytemuck::cast_slice(&words));
            }
        }
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many dispatches are recorded: one, unless an operand is larger than the device can bind; two
    /// with summed gradients.
    pub fn dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Bytes of device memory that this bound holds for partial sums: zero without summed gradients.
    pub fn scratch_bytes(&self) -> u64 {
        self.scratch
    }
}

/// Makes what recording needs, for `len` elements; `kernel` has, or compiles, each dispatch's.
pub(super) fn bind<'a>(
    inner: &Inner,
    launches: Launches<'a>,
    len: u64,
    kernel: impl Fn(&Code<'a>) -> Result<Kernel, Error>,
) -> Result<Bound, Error> {
    let kernels = launches.all.iter().map(|launch| kernel(&launch.code));
    let kernels: Vec<_> = kernels.collect::<Result<_, _>>()?;
    let bound = guarded(&inner.device, "binding operands", || {
        let scratch = (launches.scratch > 0).then(|| {
            inner.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("nonlin scratch"),
                size: launches.scratch,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            })
        });
        let mut dispatches: Vec<Dispatch> = Vec::with_capacity(kernels.len());
        let mut last = None;
        for (launch, kernel) in launches.all.iter().zip(&kernels) {
            let mut next = dispatch(inner, kernel, launch, scratch.as_ref())?;
            next.pipeline = (last != Some(&kernel.pipeline)).then(|| kernel.pipeline.clone());
            last = Some(&kernel.pipeline);
            dispatches.push(next);
        }
        Ok(Bound {
            dispatches,
            scratch: launches.scratch,
            len,
        })
    })?;
    let dispatches = launches.all.into_iter().zip(&bound.dispatches);
    for (launch, dispatch) in dispatches.filter(|(launch, _)| launch.random.is_none()) {
        inner.arguments.keep(launch.uniform, &dispatch.arguments);
    }
    Ok(bound)
}

/// Arguments in a uniform buffer, and a bind group.
fn dispatch(
    inner: &Inner,
    kernel: &Kernel,
    launch: &Launch<'_>,
    scratch: Option<&wgpu::Buffer>,
) -> Result<Dispatch, Error> {
    let arguments = match launch.random {
        None => inner.arguments.get(&launch.uniform),
        Some(_) => None,
    };
    let arguments = arguments.map_or_else(|| self::arguments(inner, launch), Ok)?;
    let mut entries = Vec::with_capacity(launch.bindings.len() + 1);
    for binding in &launch.bindings {
        let buffer = match (binding.from, scratch) {
            (Source::Operand(Memory::Buffer(buffer)), _) | (Source::Scratch, Some(buffer)) => {
                buffer
            }
            _ => return Err(Error::Operand(OperandError::NotABuffer)),
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
    let bind_group = inner.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some("nonlin operands"),
        layout: &kernel.layout,
        entries: &entries,
    });
    Ok(Dispatch {
        pipeline: None,
        bind_group,
        grid: launch.grid,
        arguments,
        random: launch.random.map(|word| word as u64 * 4),
    })
}

/// A uniform buffer of a dispatch's arguments.
fn arguments(inner: &Inner, launch: &Launch<'_>) -> Result<wgpu::Buffer, Error> {
    let arguments = inner.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("nonlin arguments"),
        size: launch.uniform.len() as u64 * 4,
        usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: true,
    });
    match arguments.get_mapped_range_mut(..) {
        Ok(mut view) => view.copy_from_slice(bytemuck::cast_slice(&launch.uniform)),
        Err(error) => {
            return Err(Error::Device(DeviceError::Refused {
                doing: "writing a kernel's arguments",
                message: error.to_string(),
            }));
        }
    }
    arguments.unmap();
    Ok(arguments)
}

/// Buffers of arguments are kept up to so many, before all are let go. Bounds hold on to their own.
const KEPT: usize = 1024;

/// Buffers of arguments by what they hold. Making one costs more than all else of a binding, and what is bound again, or of
/// the same shape, has the same numbers. They are never written again: random steps, whose seeds change, have their own.
#[derive(Debug, Default)]
pub(super) struct KeptArguments(Mutex<HashMap<Vec<u32>, wgpu::Buffer>>);

impl KeptArguments {
    fn all(&self) -> MutexGuard<'_, HashMap<Vec<u32>, wgpu::Buffer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, words: &[u32]) -> Option<wgpu::Buffer> {
        self.all().get(words).cloned()
    }

    fn keep(&self, words: Vec<u32>, buffer: &wgpu::Buffer) {
        let mut all = self.all();
        if all.len() >= KEPT {
            all.clear();
        }
        all.entry(words).or_insert_with(|| buffer.clone());
    }
}
