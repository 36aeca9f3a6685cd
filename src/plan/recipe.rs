//! Recipes: a pass as text and numbers, for hosts that launch kernels themselves.

use super::launch::{Launch, Launches, Source, random_words};
use super::layer::LayerTask;
use super::layer_operands::LayerOperands;
use super::limits::{CHAINS, LAYERS, Limits, Machine};
use super::operands::Operands;
use super::task::Task;
use crate::chain::Chain;
use crate::error::{Error, OperandError};
use crate::layers::{Images, Layer};
use crate::pass::Pass;
use crate::tensor::dtype::DTypes;

/// A pass as kernels' text and numbers, for a host that launches kernels itself: one with a stream, a pipeline
/// cache or a render graph of its own. Nothing of it is on a device.
///
/// It needs a host that runs WGSL. The operands are in [`Memory::External`](crate::Memory::External); which of them
/// share a buffer, the recipe need not know, since it binds all of them read_write.
///
/// ```
/// use nonlin::{Chain, DType, Limits, Memory, Operand, Operands, Pass, Recipe};
///
/// let chain: Chain = "scale(0.5) | silu".parse()?;
/// let at = |id| Operand::in_memory(Memory::External { id, size: 4000 }, 0, 1000);
/// let operands = Operands::new().x(at(0)).y(at(1));
/// let recipe = Recipe::new(&chain, Pass::Forward, DType::F32, &operands, &Limits::default())?;
/// let [dispatch] = recipe.dispatches() else { panic!("one dispatch") };
/// assert_eq!(dispatch.workgroups(), [1, 1, 1]);
/// let bound: Vec<_> = dispatch.bindings().iter().map(|binding| binding.id()).collect();
/// assert_eq!(bound, [Some(0), Some(1)]);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Recipe {
    dispatches: Vec<RecipeDispatch>,
    scratch: u64,
}

/// One dispatch of a [`Recipe`].
#[derive(Clone, Debug)]
pub struct RecipeDispatch {
    label: String,
    wgsl: String,
    bindings: Vec<RecipeBinding>,
    arguments: Vec<u32>,
    random: Option<usize>,
    workgroups: [u32; 3],
}

/// A storage binding of a [`RecipeDispatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipeBinding {
    id: Option<u64>,
    offset: u64,
    size: u64,
    is_written: bool,
}

impl RecipeBinding {
    /// Whose memory, by the number that the host gave it; none for the recipe's scratch.
    pub fn id(&self) -> Option<u64> {
        self.id
    }

    /// The first byte, a multiple of the limit `min_storage_buffer_offset_alignment`.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes, a multiple of 4.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether the kernel writes it. The text says read_write of all.
    pub fn is_written(&self) -> bool {
        self.is_written
    }
}

impl Recipe {
    /// The recipe of a chain's pass, for a device with these limits: `&Limits::from(&device.limits())` where the device
    /// is wgpu's.
    ///
    /// # Errors
    /// As [`Kernels::plan`](crate::Kernels::plan) and [`Plan::bind`](crate::Plan::bind), without
    /// [`DeviceError::Refused`](crate::DeviceError::Refused); [`OperandError::NotExternal`] for an operand in a buffer;
    /// [`DeviceError::BadLimit`](crate::DeviceError::BadLimit).
    pub fn new(
        chain: &Chain,
        pass: Pass,
        dtypes: impl Into<DTypes>,
        operands: &Operands<'_>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        limits.check(CHAINS)?;
        let task = Task::of_chain(chain, pass, dtypes.into())?;
        let machine = Machine::new(*limits);
        let (launches, _) = task.launches(&machine, operands)?;
        Self::of(launches, &machine)
    }

    /// The recipe of a layer's pass. All parameters are one operand, in the order of
    /// [`Layer::parameters`], one behind the other; so are their gradients. What forward leaves for backward
    /// has [`Layer::saved_len`] elements.
    ///
    /// # Errors
    /// As [`Kernels::layer`](crate::Kernels::layer) and [`LayerPlan::bind`](crate::LayerPlan::bind), without
    /// [`DeviceError::Refused`](crate::DeviceError::Refused); [`OperandError::NotExternal`] for an operand in a buffer;
    /// [`DeviceError::BadLimit`](crate::DeviceError::BadLimit).
    pub fn layer(
        layer: &Layer,
        images: &Images,
        pass: Pass,
        dtypes: impl Into<DTypes>,
        operands: &LayerOperands<'_>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        limits.check(LAYERS)?;
        let task = LayerTask::new(layer, images, pass, dtypes.into())?;
        let machine = Machine::new(*limits);
        let (launches, _) = task.launches(&machine, operands)?;
        Self::of(launches, &machine)
    }

    fn of(launches: Launches<'_>, machine: &Machine) -> Result<Self, Error> {
        let mut dispatches = Vec::with_capacity(launches.all.len());
        // Pieces of one tensor, which may be many, have one text.
        for alike in launches.all.chunk_by(|a, b| a.code == b.code) {
            let text = alike[0].code.text(machine.geometry);
            for launch in alike {
                dispatches.push(RecipeDispatch::of(launch, text.clone())?);
            }
        }
        Ok(Recipe {
            dispatches,
            scratch: launches.scratch,
        })
    }

    /// What is to be dispatched, in order; each sees what the one before it wrote. Nothing for zero elements.
    pub fn dispatches(&self) -> &[RecipeDispatch] {
        &self.dispatches
    }

    /// Bytes of memory that the dispatches need between them, beside the operands.
    pub fn scratch_bytes(&self) -> u64 {
        self.scratch
    }
}

impl RecipeDispatch {
    fn of(launch: &Launch<'_>, (label, wgsl): (String, String)) -> Result<Self, Error> {
        let written = launch.code.written();
        let mut bindings = Vec::with_capacity(launch.bindings.len());
        for (binding, is_written) in launch.bindings.iter().zip(written) {
            let id = match binding.from {
                Source::Operand(memory) => Some(
                    memory
                        .external()
                        .ok_or(Error::Operand(OperandError::NotExternal))?,
                ),
                Source::Scratch => None,
            };
            bindings.push(RecipeBinding {
                id,
                offset: binding.offset,
                size: binding.size,
                is_written,
            });
        }
        Ok(RecipeDispatch {
            label,
            wgsl,
            bindings,
            arguments: launch.uniform.clone(),
            random: launch.random,
            workgroups: launch.grid,
        })
    }

    /// What the kernel is called.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The kernel, whose entry point is `main`. Its bindings are in group 0: storage buffers, numbered as in
    /// [`bindings`](Self::bindings), then a uniform buffer of [`arguments`](Self::arguments). Equal texts are
    /// one kernel: other values and lengths have other arguments. What it reads of workgroup memory it has written, so that
    /// a host need not have that zeroed.
    pub fn wgsl(&self) -> &str {
        &self.wgsl
    }

    /// The same kernel where no two of the operands share a buffer: what it only reads, it binds read-only, as the
    /// kernels of plans do then.
    pub fn wgsl_apart(&self) -> String {
        let mut text = self.wgsl.clone();
        for (index, binding) in self.bindings.iter().enumerate() {
            if !binding.is_written {
                let bound = |access| format!("@binding({index}) var<storage, {access}>");
                text = text.replace(&bound("read_write"), &bound("read"));
            }
        }
        text
    }

    /// The storage bindings, in order.
    pub fn bindings(&self) -> &[RecipeBinding] {
        &self.bindings
    }

    /// The uniform's words, a multiple of four of them.
    pub fn arguments(&self) -> &[u32] {
        &self.arguments
    }

    /// The same with another seed and offset for what random steps draw
    /// ([`Operands::random`](crate::Operands::random)).
    pub fn arguments_with(&self, seed: u64, offset: u64) -> Vec<u32> {
        let mut arguments = self.arguments.clone();
        if let Some(at) = self.random {
            arguments[at..at + 4].copy_from_slice(&random_words([seed, offset]));
        }
        arguments
    }

    /// Workgroups to dispatch.
    pub fn workgroups(&self) -> [u32; 3] {
        self.workgroups
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{DynamicRelu, Frelu, MetaAcon};
    use crate::plan::memory::Memory;
    use crate::plan::operand::Operand;
    use crate::tensor::dtype::DType;

    fn operand(id: u64, len: u64) -> Operand<'static> {
        Operand::in_memory(Memory::External { id, size: 4 * len }, 0, len)
    }

    fn is_as_planned(layer: &Layer, pass: Pass) {
        let images = Images::nchw(2, 8, 4, 4);
        let task = LayerTask::new(layer, &images, pass, DType::F32.into()).unwrap();
        let lengths = layer.parameters(&images).unwrap();
        let count = lengths.iter().filter_map(|p| p.elements()).sum();
        let mut operands = LayerOperands::new().x(operand(0, 256));
        operands = match pass {
            Pass::Forward => operands.y(operand(1, 256)),
            _ => {
                let operands = operands.dy(operand(1, 256)).dx(operand(2, 256));
                operands.gradients(operand(3, count))
            }
        };
        operands = operands.parameters(operand(4, count));
        if task.saved_len() > 0 {
            operands = operands.saved(operand(5, task.saved_len()));
        }
        let limits = Limits::default();
        let recipe = Recipe::layer(layer, &images, pass, DType::F32, &operands, &limits).unwrap();
        assert_eq!(recipe.dispatches().len(), task.stages().count());
        for (dispatch, planned) in recipe.dispatches().iter().zip(task.stages()) {
            let planned = planned.replace("override WORKGROUP", "const WORKGROUP");
            assert_eq!(dispatch.wgsl_apart(), planned, "{}", dispatch.label());
            assert_ne!(dispatch.wgsl_apart(), dispatch.wgsl());
        }
    }

    /// Without what is for operands in one buffer, a recipe's kernels are those of a plan.
    #[test]
    fn apart_it_is_what_plans_compile() {
        for pass in Pass::FROM_X {
            is_as_planned(&Frelu::default().into(), pass);
            is_as_planned(&MetaAcon::default().into(), pass);
            is_as_planned(&DynamicRelu::default().into(), pass);
        }
    }
}
