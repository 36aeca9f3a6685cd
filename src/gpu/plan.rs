//! Plans, and plans bound to operands.

use super::kernels::{Family, Inner, label};
use super::operand::{Placed, in_place};
use super::{Kernels, Operands, guarded};
use crate::compose::{self, Access, Body, Form};
use crate::{Chain, DType, Error, Pass};
use std::sync::Arc;

/// Elements in a word of [`Access::Vec4`].
const WORD: u64 = 4;

/// A compiled pass of a chain, with its parameters. Cheap to make again once it was made.
#[derive(Clone, Debug)]
pub struct Plan {
    inner: Arc<Inner>,
    family: Arc<Family>,
    /// None for a plain copy.
    chain: Option<Chain>,
    pass: Pass,
    /// In the order of the pass's operands.
    dtypes: Vec<DType>,
}

impl Plan {
    pub(super) fn new(
        kernels: &Kernels,
        family: Arc<Family>,
        chain: Option<&Chain>,
        pass: Pass,
        dtypes: Vec<DType>,
    ) -> Result<Self, Error> {
        let inner = Arc::clone(&kernels.inner);
        let plan = Plan {
            inner,
            family,
            chain: chain.cloned(),
            pass,
            dtypes,
        };
        // The form that most operands need; what the driver has to say against it, it says here.
        plan.family
            .kernel(&plan.inner, plan.body(), &plan.plain())?;
        Ok(plan)
    }

    fn body(&self) -> Body<'_> {
        match &self.chain {
            Some(chain) => Body::Chain(chain, self.pass),
            None => Body::Copy(self.pass),
        }
    }

    /// The form for operands apart from each other at the best of places.
    fn plain(&self) -> Form {
        let (dtypes, words) = (self.dtypes.clone(), self.inner.shape.words);
        Form {
            access: Access::Vec4,
            shared: false,
            in_place: None,
            dtypes,
            words,
        }
    }

    /// The pass.
    pub fn pass(&self) -> Pass {
        self.pass
    }

    /// What the kernel is called in wgpu's messages and in debuggers.
    pub fn label(&self) -> String {
        label(self.body(), &self.dtypes)
    }

    /// The kernel's WGSL, in the form that operands apart from each other get, at places that are
    /// multiples of 4 elements.
    pub fn wgsl(&self) -> String {
        compose::kernel(self.body(), &self.plain())
    }

    /// Bytes read and written for `len` elements.
    pub fn bytes(&self, len: u64) -> u64 {
        len * self.dtypes.iter().map(|dtype| dtype.size()).sum::<u64>()
    }

    /// Binds the plan to operands: checks everything, makes what recording needs. The result holds on
    /// to the buffers and can be recorded any number of times.
    ///
    /// Operands may lie in one buffer. The one that is written may take the place of one that is read
    /// (y that of x, dx that of dy or x), if their dtypes are the same; otherwise it must not overlap another.
    /// An operand larger than the device's binding limit is covered by several dispatches. The first
    /// binding of operands in place, in one buffer, or at places that are not multiples of 4 elements
    /// compiles a kernel for such places.
    ///
    /// # Errors
    /// [`Error::MissingOperand`], [`Error::UnexpectedOperand`], [`Error::LengthMismatch`],
    /// [`Error::MissingUsage`], [`Error::Misaligned`], [`Error::OutOfRange`], [`Error::Overlap`];
    /// [`Error::TooLarge`] for a chain with more parameters than a uniform buffer holds;
    /// [`Error::Device`] where wgpu refuses, as it does a buffer of another device.
    pub fn bind(&self, operands: Operands<'_>) -> Result<Bound, Error> {
        let mut placed = operands.placed(self.pass, &self.dtypes)?;
        let in_place = in_place(&placed)?;
        let len = placed.first().map_or(0, |first| first.operand.len());
        let mut bound = Bound {
            pipeline: None,
            dispatches: Vec::new(),
            len,
        };
        if len == 0 {
            return Ok(bound);
        }
        let limits = &self.inner.limits;
        let uniform_bytes = self.uniform(0, 0, &[]).len() as u64 * 4;
        if uniform_bytes > limits.max_uniform_buffer_binding_size {
            return Err(Error::TooLarge {
                what: "the chain's parameters",
                bytes: uniform_bytes,
                limit: limits.max_uniform_buffer_binding_size,
            });
        }

        let access = access(&placed);
        if in_place.is_some() {
            placed.pop();
        }
        let written = in_place.unwrap_or(placed.len() - 1);
        let shared = (0..placed.len()).any(|index| {
            index != written && placed[index].operand.buffer() == placed[written].operand.buffer()
        });
        let form = Form {
            access,
            shared,
            in_place,
            ..self.plain()
        };
        let kernel = self.family.kernel(&self.inner, self.body(), &form)?;

        // A dispatch reaches as far as one binding and one grid do; both ends of a binding may have to
        // be rounded outwards. Pieces begin at aligned places whatever the dtype, so that each has the
        // whole's offsets.
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        let largest = self
            .dtypes
            .iter()
            .map(|dtype| dtype.size())
            .fold(1, u64::max);
        let binding = limits.max_storage_buffer_binding_size.min(1 << 31);
        let room = binding.saturating_sub(alignment + WORD * largest) / largest;
        let piece = (room / alignment * alignment).max(alignment);
        guarded(&self.inner.device, "binding operands", || {
            bound.dispatches.reserve_exact(len.div_ceil(piece) as usize);
            for start in (0..len).step_by(piece as usize) {
                let len = piece.min(len - start);
                bound
                    .dispatches
                    .push(self.dispatch(&placed, &kernel.layout, &form, start, len)?);
            }
            bound.pipeline = Some(kernel.pipeline.clone());
            Ok(bound)
        })
    }

    /// One dispatch, for `len` elements from `start` on.
    fn dispatch(
        &self,
        placed: &[Placed<'_>],
        layout: &wgpu::BindGroupLayout,
        form: &Form,
        start: u64,
        len: u64,
    ) -> Result<Dispatch, Error> {
        let device = &self.inner.device;
        let alignment = u64::from(self.inner.limits.min_storage_buffer_offset_alignment);

        let mut offsets = Vec::with_capacity(self.dtypes.len());
        let mut bindings = Vec::with_capacity(placed.len());
        for p in placed {
            // What offsets count, and what bindings must be multiples of.
            let (unit, whole) = match form.access {
                Access::Vec4 => (WORD * p.dtype.size(), WORD * p.dtype.size()),
                Access::Scalar => (p.dtype.size(), wgpu::COPY_BUFFER_ALIGNMENT),
            };
            let first = p.bytes.start + start * p.dtype.size();
            let offset = first / alignment * alignment;
            let end = (first + len * p.dtype.size()).next_multiple_of(whole);
            offsets.push(((first - offset) / unit) as u32);
            bindings.push(wgpu::BufferBinding {
                buffer: p.operand.buffer(),
                offset,
                size: std::num::NonZeroU64::new(end - offset),
            });
        }
        offsets.extend(form.in_place.map(|input| offsets[input]));

        // Where 32 bits hold two results, the first may be alone in its word.
        let written = self.dtypes.last().map_or(4, |dtype| dtype.size());
        let words = match (form.access, written) {
            (Access::Vec4, _) => len.div_ceil(WORD),
            (Access::Scalar, 4) => len,
            (Access::Scalar, _) => len / 2 + 1,
        };
        let shape = self.inner.shape;
        let groups = words.div_ceil(u64::from(shape.workgroup) * u64::from(shape.words));
        let most = u64::from(self.inner.limits.max_compute_workgroups_per_dimension);
        let rows = groups.div_ceil(most);
        // Rows of equal length: a grid of 65,536 groups is 2 x 32,768, not 2 x 65,535.
        let row = groups.div_ceil(rows);
        let grid = [row as u32, rows as u32];

        let uniform = self.uniform(len as u32, grid[0], &offsets);
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin arguments"),
            size: uniform.len() as u64 * 4,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        match buffer.get_mapped_range_mut(..) {
            Ok(mut view) => view.copy_from_slice(bytemuck::cast_slice(&uniform)),
            Err(error) => {
                let message = error.to_string();
                return Err(Error::Device {
                    doing: "writing a kernel's arguments",
                    message,
                });
            }
        }
        buffer.unmap();

        let resources = std::iter::once(buffer.as_entire_binding())
            .chain(bindings.into_iter().map(wgpu::BindingResource::Buffer));
        let entries: Vec<_> = resources
            .enumerate()
            .map(|(binding, resource)| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource,
            })
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("nonlin operands"),
            layout,
            entries: &entries,
        });
        Ok(Dispatch { bind_group, grid })
    }

    /// `struct Args` of the kernel: header, offsets, and from the next multiple of 16 bytes on the
    /// chain's parameters.
    fn uniform(&self, len: u32, row: u32, offsets: &[u32]) -> Vec<u32> {
        let header = (2 + self.pass.operands().len()).next_multiple_of(4);
        let mut words = vec![len, row];
        words.extend(offsets);
        words.resize(header, 0);
        let values = self.chain.iter().flat_map(Chain::values);
        words.extend(values.map(f32::to_bits));
        words.resize(words.len().next_multiple_of(4), 0);
        words
    }
}

/// Whole words serve where each operand begins at a multiple of one and its buffer does not end inside its
/// last one.
fn access(placed: &[Placed<'_>]) -> Access {
    let fits = |p: &Placed<'_>| {
        let word = WORD * p.dtype.size();
        p.bytes.start.is_multiple_of(word)
            && p.bytes.end.next_multiple_of(word) <= p.operand.buffer().size()
    };
    if placed.iter().all(fits) {
        Access::Vec4
    } else {
        Access::Scalar
    }
}

/// A plan with its operands, ready to be recorded into compute passes of the same device.
#[derive(Clone, Debug)]
pub struct Bound {
    pipeline: Option<wgpu::ComputePipeline>,
    dispatches: Vec<Dispatch>,
    len: u64,
}

#[derive(Clone, Debug)]
struct Dispatch {
    bind_group: wgpu::BindGroup,
    grid: [u32; 2],
}

impl Bound {
    /// Records the dispatches. Nothing is allocated here, submitted or waited for; the pass is left with
    /// this plan's pipeline and bind group 0. Zero elements record nothing.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let Some(pipeline) = &self.pipeline else {
            return;
        };
        pass.set_pipeline(pipeline);
        for dispatch in &self.dispatches {
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            pass.dispatch_workgroups(dispatch.grid[0], dispatch.grid[1], 1);
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

    /// How many dispatches are recorded: one, unless an operand is larger than the device can bind.
    pub fn dispatches(&self) -> usize {
        self.dispatches.len()
    }
}
