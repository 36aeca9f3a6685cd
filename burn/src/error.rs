use burn::tensor::DType;

/// What can go wrong before anything runs. Lengths are in elements.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The chain, or an operand beside it, is not as it must be.
    #[error(transparent)]
    Nonlin(#[from] nonlin::Error),
    /// A tensor is not on a device that runs WGSL.
    #[error(
        "{operand} is on {device}, which takes no kernels in WGSL; {}",
        if .device.starts_with("wgpu") {
            "burn's features `vulkan` and `metal` bring compilers of their own: leave them out, or \
             share the device with nonlin_burn::share"
        } else {
            "use a device of burn's feature `wgpu`"
        }
    )]
    Device {
        /// The tensor.
        operand: String,
        /// What it is on, as burn calls it.
        device: String,
    },
    /// A tensor of elements that are neither f32 nor f16 nor bf16.
    #[error("{operand} has elements of {dtype:?}; f32, f16 and bf16 are known")]
    DType {
        /// The tensor.
        operand: String,
        /// Its element type.
        dtype: DType,
    },
    /// A tensor is not where x is.
    #[error("{operand} is on {device}, but x is on {x}")]
    OtherDevice {
        /// The tensor.
        operand: String,
        /// Where it is.
        device: String,
        /// Where x is.
        x: String,
    },
    /// An operand with as many elements as x, in another shape.
    #[error("{operand} has the shape {shape:?}, but x has {x:?}")]
    Shape {
        /// The operand.
        operand: String,
        /// Its shape.
        shape: Vec<usize>,
        /// x's shape.
        x: Vec<usize>,
    },
    /// x has no such axis.
    #[error("x has {rank} axes; there is no axis {axis} for channels")]
    Axis {
        /// How many axes x has.
        rank: usize,
        /// The axis asked for.
        axis: isize,
    },
    /// A tensor that wants a gradient stands where there is none to be had.
    #[error(
        "@{operand} is tracked by autodiff, but its function has no derivative with respect to it"
    )]
    NoGradient {
        /// The operand.
        operand: String,
    },
    /// A packed tensor whose last axis has no halves.
    #[error("the last axis of {shape:?} is not even, so it has no halves")]
    Odd {
        /// The tensor's shape.
        shape: Vec<usize>,
    },
    /// More operands than a call can carry.
    #[error("the chain has {operands} operands; a call carries {limit}")]
    TooMany {
        /// How many it has.
        operands: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A module was given a tensor of other channels than it was made for.
    #[error("{module} was made for {expected} channels, but x, of shape {shape:?}, has {found}")]
    Channels {
        /// The module.
        module: &'static str,
        /// What it was made for.
        expected: usize,
        /// What x has.
        found: usize,
        /// x's shape.
        shape: Vec<usize>,
    },
}

impl From<nonlin::OperandError> for Error {
    fn from(error: nonlin::OperandError) -> Self {
        Error::Nonlin(error.into())
    }
}

impl From<nonlin::LayerError> for Error {
    fn from(error: nonlin::LayerError) -> Self {
        Error::Nonlin(error.into())
    }
}
