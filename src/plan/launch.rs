//! Dispatches as text and numbers, before anything of them is on a device.

use super::limits::{Geometry, Machine};
use super::memory::Memory;
use crate::error::{DeviceError, Error};
use crate::tensor::dtype::DType;
use crate::wgsl::{self, Body, Form};

/// Which kernel a dispatch runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Code<'a> {
    /// A chain's pass, or a copy, in this form.
    Pass(Body<'a>, Form),
    /// The one that adds up partial sums, to gradients of these dtypes.
    Finish(Vec<DType>),
    /// One of which all is said by its text.
    Text {
        label: String,
        text: String,
        written: Vec<bool>,
        /// Whether the text binds all of them read_write, since some lie in one buffer.
        shared: bool,
    },
}

/// What a binding binds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source<'a> {
    Operand(Memory<'a>),
    Scratch,
}

/// A storage binding: whose memory, the first byte, which is aligned as the device asks, and bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding<'a> {
    pub(crate) from: Source<'a>,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

impl Binding<'_> {
    /// All of the scratch, of so many bytes.
    pub(crate) fn scratch(size: u64) -> Self {
        Binding {
            from: Source::Scratch,
            offset: 0,
            size,
        }
    }
}

/// One dispatch: a kernel, its storage bindings in their order, and the uniform behind them.
#[derive(Clone, Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) code: Code<'a>,
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
    /// Adds a dispatch, if the device can bind what it needs.
    pub(crate) fn push(&mut self, machine: &Machine, launch: Launch<'a>) -> Result<(), Error> {
        let bytes = launch.uniform.len() as u64 * 4;
        let limit = machine.limits.max_uniform_buffer_binding_size;
        if bytes > limit {
            let what = "the chain's parameters".into();
            return Err(Error::Device(DeviceError::TooLarge { what, bytes, limit }));
        }
        let operands = launch.bindings.len();
        let limit = machine.limits.max_storage_buffers_per_shader_stage;
        if operands as u64 > u64::from(limit) {
            return Err(Error::Device(DeviceError::TooManyOperands {
                operands,
                limit,
            }));
        }
        let limit = machine.limit();
        if let Some(binding) = launch.bindings.iter().find(|b| b.size > limit) {
            return Err(Error::Device(DeviceError::TooLarge {
                what: "what one dispatch reaches of an operand".into(),
                bytes: binding.size,
                limit,
            }));
        }
        let (workgroups, limit) = (
            launch.grid,
            machine.limits.max_compute_workgroups_per_dimension,
        );
        if workgroups.iter().any(|groups| *groups > limit) {
            return Err(Error::Device(DeviceError::TooManyWorkgroups {
                workgroups,
                limit,
            }));
        }
        self.all.push(launch);
        Ok(())
    }
}

impl Code<'_> {
    /// The kernel's name and its text, for hosts whose operands may lie in one buffer.
    pub(crate) fn text(&self, geometry: Geometry) -> (String, String) {
        let (label, text) = match self {
            Code::Pass(body, form) => (label(*body, form), wgsl::kernel(*body, form)),
            Code::Finish(dtypes) => (FINISH.into(), wgsl::finish(dtypes)),
            Code::Text { label, text, .. } => (label.clone(), text.clone()),
        };
        let Geometry { workgroup, words } = geometry;
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
            Code::Pass(_, form) => form.written(),
            Code::Finish(dtypes) => std::iter::once(false)
                .chain(dtypes.iter().map(|_| true))
                .collect(),
            Code::Text { written, .. } => written.clone(),
        }
    }
}

/// The name of the kernel that adds up partial sums.
pub(crate) const FINISH: &str = "nonlin finish";

/// A kernel's name, for labels: wgpu's messages and debuggers show it.
pub(crate) fn label(body: Body<'_>, form: &Form) -> String {
    let steps = body
        .chain()
        .map_or("copy".into(), |chain| chain.names().join("|"));
    let inputs = form.inputs.iter().map(|input| input.dtype.name());
    let outputs = form.outputs.iter().map(|output| output.dtype.name());
    let mut dtypes: Vec<_> = inputs.chain(outputs).collect();
    if dtypes.windows(2).all(|pair| pair[0] == pair[1]) {
        dtypes.truncate(1);
    }
    let mut label = format!("nonlin {steps} {} {}", body.pass(), dtypes.join(","));
    if !form.sums.is_empty() {
        label += &format!(" with {}", form.sums.join(", "));
    }
    label
}

/// Seed and offset as kernels are told them.
pub(crate) fn random_words([seed, offset]: [u64; 2]) -> [u32; 4] {
    let halves = |value: u64| [value as u32, (value >> 32) as u32];
    let ([a, b], [c, d]) = (halves(seed), halves(offset));
    [a, b, c, d]
}
