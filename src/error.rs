//! The one error type. Every message names the operand or the step, and the numbers.

use crate::pass::Pass;
use crate::tensor::dtype::DType;

/// What can go wrong. Steps are counted from 1, lengths are in elements, offsets and sizes in bytes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A chain without steps.
    #[error("the chain is empty; it needs at least one step, such as \"silu\" or \"scale(2)\"")]
    EmptyChain,
    /// A step that is neither `scale` nor an activation.
    #[error(
        "step {step}: unknown activation \"{name}\"; {}",
        match .suggestion {
            Some(known) => format!("did you mean \"{known}\"?"),
            None => format!("known are {}", .known.join(", ")),
        }
    )]
    UnknownStep {
        /// Which step, from 1.
        step: usize,
        /// The name as given.
        name: String,
        /// The known name most like it.
        suggestion: Option<&'static str>,
        /// All known names.
        known: Vec<&'static str>,
    },
    /// A parameter that the step does not have.
    #[error(
        "{}{name} has no parameter \"{parameter}\"; {}",
        match .step {
            Some(step) => format!("step {step}: "),
            None => String::new(),
        },
        if .known.is_empty() { "it takes none".into() } else { format!("it takes {}", .known.join(", ")) }
    )]
    UnknownParameter {
        /// Which step of a chain, from 1; none where the step is in no chain.
        step: Option<usize>,
        /// The step's name.
        name: String,
        /// The parameter as given.
        parameter: String,
        /// The parameters that it has.
        known: Vec<String>,
    },
    /// A parameter without a default was left out.
    #[error("step {step}: {name} needs a value for {parameter}, as in {name}({parameter}=2)")]
    MissingParameter {
        /// Which step, from 1.
        step: usize,
        /// The step's name.
        name: String,
        /// The parameter left out.
        parameter: String,
    },
    /// A parameter's value that is not a finite f32.
    #[error("step {step}: {parameter} of {name} must be a finite f32, not \"{value}\"")]
    BadValue {
        /// Which step, from 1.
        step: usize,
        /// The step's name.
        name: String,
        /// The parameter.
        parameter: String,
        /// The value as given.
        value: String,
    },
    /// A value that the step's function has no use for.
    #[error("step {step}: {parameter} of {name} must be {needs}, not {value}")]
    BadArgument {
        /// Which step, from 1.
        step: usize,
        /// The step's name.
        name: String,
        /// The parameter.
        parameter: String,
        /// What it must be.
        needs: &'static str,
        /// The value as given.
        value: String,
    },
    /// Two arguments of a chain are operands of one name.
    #[error("@{operand} stands in two places; each argument needs an operand of its own")]
    RepeatedOperand {
        /// The operand.
        operand: String,
    },
    /// Backward from y was asked of a chain whose value does not say enough.
    #[error("{name} cannot work backward from its value: {why}; keep x and use the backward pass")]
    NeedsInput {
        /// The step's name.
        name: String,
        /// The reason.
        why: String,
    },
    /// WGSL of an activation of the user's own that is not as it must be. The message is naga's, with the
    /// line, where the text is no WGSL.
    #[error("activation {name}: {message}")]
    BadActivation {
        /// The activation's name.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// The f64 reference was asked of an activation that came without one.
    #[error("activation {name} has no f64 reference to compare with; give it one with_reference")]
    NoReference {
        /// The activation's name.
        name: String,
    },
    /// A gradient that cannot be had.
    #[error("the gradient of {operand} cannot be had: {why}")]
    NoGradient {
        /// The argument's operand.
        operand: String,
        /// The reason.
        why: String,
    },
    /// An argument's operand, or gradient, whose length fits no layout of its values.
    #[error(
        "{operand} has {len} elements; for x of {outer} x {channels} x {inner} it must have {}",
        .allowed.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
    )]
    BadLength {
        /// The operand.
        operand: String,
        /// Its length.
        len: u64,
        /// The layout's samples.
        outer: u64,
        /// The layout's channels.
        channels: u64,
        /// The layout's elements per sample and channel.
        inner: u64,
        /// The lengths that fit.
        allowed: Vec<u64>,
    },
    /// Text that is no chain.
    #[error("step {step}: cannot read \"{text}\": {problem}")]
    Syntax {
        /// Which step, from 1.
        step: usize,
        /// The step's text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A name that is no dtype's.
    #[error("unknown dtype \"{text}\"; known are f32, f16, bf16")]
    UnknownDType {
        /// The name as given.
        text: String,
    },
    /// A prefix that WGSL names cannot begin with.
    #[error(
        "\"{prefix}\" cannot begin names in WGSL; letters, digits and underscores can, a letter first"
    )]
    BadPrefix {
        /// The prefix as given.
        prefix: String,
    },
    /// Operands, or slices, that must have one length and do not.
    #[error("{first} has {first_len} elements but {second} has {second_len}; they must agree")]
    LengthMismatch {
        /// The one operand.
        first: String,
        /// Its length.
        first_len: u64,
        /// The other operand.
        second: String,
        /// Its length.
        second_len: u64,
    },
    /// The pass needs an operand that was not given.
    #[error("the {pass} pass needs the operand {operand}")]
    MissingOperand {
        /// The pass.
        pass: Pass,
        /// The operand.
        operand: String,
    },
    /// The pass has no use for an operand that was given.
    #[error("the {pass} pass has no operand {operand}")]
    UnexpectedOperand {
        /// The pass.
        pass: Pass,
        /// The operand.
        operand: String,
    },
    /// An operand was given twice.
    #[error("the operand {operand} is given twice")]
    GivenTwice {
        /// The operand; a gradient's is `d_` and the name of what it is the gradient of.
        operand: String,
    },
    /// The operand's buffer was created without the usage STORAGE.
    #[error("the buffer of {operand} lacks usage BufferUsages(STORAGE); it has {usage}")]
    MissingUsage {
        /// The operand.
        operand: String,
        /// What the buffer has.
        usage: String,
    },
    /// The operand does not begin at an element's boundary.
    #[error("{operand} begins at byte {offset}, which is not a multiple of {alignment}")]
    Misaligned {
        /// The operand.
        operand: String,
        /// Its offset.
        offset: u64,
        /// What it must be a multiple of.
        alignment: u64,
    },
    /// The operand ends behind its buffer.
    #[error("{operand} takes bytes {offset} to {end} of a buffer of {size} bytes")]
    OutOfRange {
        /// The operand.
        operand: String,
        /// Its first byte.
        offset: u64,
        /// The byte behind its last; `u64::MAX` where the sum overflows.
        end: u64,
        /// The buffer's size.
        size: u64,
    },
    /// Two operands share bytes of one buffer, and one of them is written.
    #[error(
        "{first} (bytes {} to {}) and {second} (bytes {} to {}) overlap in one buffer",
        .first_bytes.start, .first_bytes.end, .second_bytes.start, .second_bytes.end
    )]
    Overlap {
        /// The one operand.
        first: String,
        /// Its bytes.
        first_bytes: std::ops::Range<u64>,
        /// The other operand.
        second: String,
        /// Its bytes.
        second_bytes: std::ops::Range<u64>,
    },
    /// Something is larger than the device allows.
    #[error("{what} takes {bytes} bytes; this device allows {limit}")]
    TooLarge {
        /// What it is.
        what: String,
        /// Its size.
        bytes: u64,
        /// The device's limit.
        limit: u64,
    },
    /// More operands than one dispatch can have.
    #[error("the kernel needs {operands} operands; this device allows {limit} in one dispatch")]
    TooManyOperands {
        /// What the kernel needs.
        operands: usize,
        /// The device's limit.
        limit: u32,
    },
    /// Rows of 16-bit elements that do not begin and end at whole 32-bit words.
    #[error(
        "the rows of {operand} have {row} elements, {stride} apart, from byte {offset} on; in {dtype} all \
             three must be whole 32-bit words"
    )]
    OddRows {
        /// The operand.
        operand: String,
        /// Its dtype.
        dtype: DType,
        /// Elements in a row.
        row: u64,
        /// Elements from one row to the next.
        stride: u64,
        /// Its first byte.
        offset: u64,
    },
    /// Rows with gaps where elements must lie one behind the other.
    #[error(
        "{operand} is in rows with gaps; only a chain's operands that are as long as x may have them"
    )]
    Gaps {
        /// The operand.
        operand: String,
    },
    /// A kernel shape that the device cannot run.
    #[error("a workgroup of {workgroup} with {words} words per invocation cannot run: {problem}")]
    BadShape {
        /// Invocations in a workgroup.
        workgroup: u32,
        /// Words per invocation.
        words: u32,
        /// What is wrong with it.
        problem: String,
    },
    /// No adapter that can run compute shaders, or none with the name asked for.
    #[error(
        "no adapter {}; found: {}",
        match .wanted {
            Some(text) => format!("whose description contains \"{text}\""),
            None => "that can run compute shaders".into(),
        },
        if .found.is_empty() { "none".into() } else { .found.join("; ") }
    )]
    NoAdapter {
        /// The text asked for.
        wanted: Option<String>,
        /// Descriptions of the adapters that are there.
        found: Vec<String>,
    },
    /// A layer's setting that has no meaning.
    #[error("{layer}: {setting} must be {needs}, not {value}")]
    BadSetting {
        /// The layer's name.
        layer: &'static str,
        /// The setting.
        setting: &'static str,
        /// What it must be.
        needs: String,
        /// The value as given.
        value: String,
    },
    /// A name that is none of those that there are: a layer's, a pass's, an order's, a variant's.
    #[error("unknown {what} \"{text}\"; known are {}", .known.join(", "))]
    UnknownName {
        /// What it should name.
        what: &'static str,
        /// The name as given.
        text: String,
        /// The known names.
        known: Vec<String>,
    },
    /// A setting that the layer does not have.
    #[error("{layer} has no setting \"{setting}\"; it has {}", .known.join(", "))]
    UnknownSetting {
        /// The layer's name.
        layer: &'static str,
        /// The setting as given.
        setting: String,
        /// The settings that it has.
        known: Vec<&'static str>,
    },
    /// A setting of something that the layer, with its other settings, does not have.
    #[error("{layer}: {setting} changes nothing without {needs}")]
    UselessSetting {
        /// The layer's name.
        layer: &'static str,
        /// The setting.
        setting: &'static str,
        /// What must be set besides.
        needs: &'static str,
    },
    /// Text that is no layer.
    #[error("cannot read \"{text}\" of a layer: {problem}")]
    LayerSyntax {
        /// The text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Images that a layer cannot work on.
    #[error(
        "images of {samples} samples, {channels} channels, {height} rows, {width} columns: {problem}"
    )]
    BadImages {
        /// How many images.
        samples: u64,
        /// Channels.
        channels: u64,
        /// Rows.
        height: u64,
        /// Columns.
        width: u64,
        /// What is wrong with them.
        problem: &'static str,
    },
    /// A layer's parameter, or x or dy, whose length is not that of its shape.
    #[error(
        "{name} has {len} elements; its shape is {shape:?}, which takes {}",
        match .shape.iter().try_fold(1u64, |product, length| product.checked_mul(*length)) {
            Some(elements) => elements.to_string(),
            None => "more than can be counted".into(),
        }
    )]
    BadTensor {
        /// The tensor's name.
        name: String,
        /// The shape that it must have.
        shape: Vec<u64>,
        /// Its length.
        len: u64,
    },
    /// A layer's parameter was not given.
    #[error("{layer} needs the parameter {name}, of shape {shape:?}")]
    MissingTensor {
        /// The layer's name.
        layer: &'static str,
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Vec<u64>,
    },
    /// A parameter was given that the layer, with its settings, does not have.
    #[error("{layer} has no parameter \"{name}\" here; it has {}", .known.join(", "))]
    UnknownTensor {
        /// The layer's name.
        layer: &'static str,
        /// The parameter.
        name: String,
        /// The parameters that it has.
        known: Vec<String>,
    },
    /// An operand in memory of an embedding engine was given to a plan.
    #[error("an operand is in an engine's memory, which a plan cannot bind; a recipe can")]
    NotABuffer,
    /// An operand in a buffer was given to a recipe.
    #[error(
        "an operand is in a buffer; a recipe's are in an engine's memory, and a plan binds buffers"
    )]
    NotExternal,
    /// wgpu or the driver refused; the text is theirs.
    #[error("{doing}: {message}")]
    Device {
        /// What was being done.
        doing: &'static str,
        /// The message.
        message: String,
    },
}

impl Error {
    /// A gradient of an operand that no function has a derivative for.
    pub(crate) fn no_derivative(operand: &str) -> Error {
        Error::NoGradient {
            operand: format!("@{operand}"),
            why: "its function has no derivative with respect to it here".into(),
        }
    }
}

/// The one of all that is displayed as this text.
pub(crate) fn named<T: Copy + std::fmt::Display>(
    what: &'static str,
    all: &[T],
    text: &str,
) -> Result<T, Error> {
    let known = all.iter().find(|known| known.to_string() == text);
    known.copied().ok_or_else(|| Error::UnknownName {
        what,
        text: text.to_owned(),
        known: all.iter().map(ToString::to_string).collect(),
    })
}

/// Refuses two operands of different lengths.
pub(crate) fn same_length(
    first: &str,
    first_len: u64,
    second: &str,
    second_len: u64,
) -> Result<(), Error> {
    if first_len == second_len {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        first: first.to_owned(),
        first_len,
        second: second.to_owned(),
        second_len,
    })
}
