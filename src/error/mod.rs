//! The error type: what can go wrong, in groups. Every message names the operand or the step, and the numbers.

mod chain;
mod device;
mod layer;
mod operand;

pub use chain::ChainError;
pub use device::DeviceError;
pub use layer::LayerError;
pub use operand::OperandError;

/// What can go wrong. A group's message is that of the error in it, which [`source`](std::error::Error::source) gives
/// as well.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A chain.
    #[error("{0}")]
    Chain(
        #[from]
        #[source]
        ChainError,
    ),
    /// A layer.
    #[error("{0}")]
    Layer(
        #[from]
        #[source]
        LayerError,
    ),
    /// Operands.
    #[error("{0}")]
    Operand(
        #[from]
        #[source]
        OperandError,
    ),
    /// A device.
    #[error("{0}")]
    Device(
        #[from]
        #[source]
        DeviceError,
    ),
    /// A name that is none of those that there are: a layer's, a pass's, an order's, a variant's.
    #[error("unknown {what} \"{}\"; known are {}", shown(.text), .known.join(", "))]
    UnknownName {
        /// What it should name.
        what: &'static str,
        /// The name as given.
        text: String,
        /// The known names.
        known: Vec<String>,
    },
}

impl Error {
    /// A gradient of an operand that no function has a derivative for.
    pub(crate) fn no_derivative(operand: &str) -> Error {
        Error::Chain(ChainError::NoGradient {
            operand: format!("@{operand}"),
            why: "its function has no derivative with respect to it here".into(),
        })
    }
}

/// What the user wrote, on one line: a message has no other.
fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
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
    Err(Error::Operand(OperandError::LengthMismatch {
        first: first.to_owned(),
        first_len,
        second: second.to_owned(),
        second_len,
    }))
}
