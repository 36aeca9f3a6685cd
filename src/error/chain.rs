//! What can be wrong with a chain.

use super::shown;

/// What can be wrong with a chain: its text, its steps and their arguments, what is asked of it. Steps are counted from
/// 1.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ChainError {
    /// A chain without steps.
    #[error("the chain is empty; it needs at least one step, such as \"silu\" or \"scale(2)\"")]
    Empty,
    /// A step that is neither `scale` nor an activation.
    #[error(
        "step {step}: unknown activation \"{}\"; {}",
        shown(.name),
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
        "{}{name} has no parameter \"{}\"; {}",
        match .step {
            Some(step) => format!("step {step}: "),
            None => String::new(),
        },
        shown(.parameter),
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
    #[error("step {step}: {parameter} of {name} must be a finite f32, not \"{}\"", shown(.value))]
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
    #[error("step {step}: {parameter} of {name} must be {needs}, not {}", shown(.value))]
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
    /// A step that cannot stand where it does.
    #[error("step {step}: {name} cannot stand here: {problem}")]
    Misplaced {
        /// Which step, from 1.
        step: usize,
        /// The step's name.
        name: String,
        /// The reason.
        problem: &'static str,
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
    /// Double backward was asked of a chain with a step that has no second derivative here.
    #[error("step {step}: {name} has no second derivative here: {why}")]
    NoSecondDerivative {
        /// Which step, from 1.
        step: usize,
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
    /// WGSL of an activation of the user's own, whose derivative was to be derived, that has none.
    #[error("activation {name}: line {line}, column {column}: {message}")]
    NoDerivative {
        /// The activation's name.
        name: String,
        /// The line of the text, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// What has no derivative there, and why.
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
    /// Text that is no chain.
    #[error("step {step}: cannot read \"{}\": {problem}", shown(.text))]
    Syntax {
        /// Which step, from 1.
        step: usize,
        /// The step's text.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A prefix that WGSL names cannot begin with.
    #[error(
        "\"{}\" cannot begin names in WGSL; letters, digits and underscores can, a letter first",
        shown(.prefix)
    )]
    BadPrefix {
        /// The prefix as given.
        prefix: String,
    },
}
