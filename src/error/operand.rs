//! What can be wrong with operands.

use crate::pass::Pass;

/// What can be wrong with operands: which are given, where they lie, how long they are. Lengths are in elements,
/// offsets and sizes in bytes.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OperandError {
    /// An argument's operand, or gradient, whose length fits no layout of its values.
    #[error(
        "{operand} has {len} elements; for x of {outer} x {channels} x {inner} {}",
        match .allowed.as_slice() {
            [] => "no number fits".into(),
            allowed => {
                let allowed: Vec<_> = allowed.iter().map(u64::to_string).collect();
                format!("it must have {}", allowed.join(", "))
            }
        }
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
    Missing {
        /// The pass.
        pass: Pass,
        /// The operand.
        operand: String,
    },
    /// The pass has no use for an operand that was given.
    #[error("the {pass} pass has no operand {operand}")]
    Unexpected {
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
    /// The operand ends behind its buffer, or the slice of one.
    #[error(
        "{operand} takes bytes {offset} to {end} of a buffer, or a slice of one, that ends at byte {size}"
    )]
    OutOfRange {
        /// The operand.
        operand: String,
        /// Its first byte.
        offset: u64,
        /// The byte behind its last; `u64::MAX` where the sum overflows.
        end: u64,
        /// Where the buffer ends, or the slice of it that was given.
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
    /// Rows that elements cannot lie in: the last is not whole, or they overlap.
    #[error("the {len} elements of {operand} cannot lie in rows of {row}, {stride} apart")]
    BadRows {
        /// The operand.
        operand: String,
        /// Its length.
        len: u64,
        /// Elements in a row.
        row: u64,
        /// Elements from one row to the next.
        stride: u64,
    },
    /// Rows with gaps where elements must lie one behind the other.
    #[error(
        "{operand} is in rows with gaps; only a chain's operands that are as long as x may have them"
    )]
    Gaps {
        /// The operand.
        operand: String,
    },
    /// An operand in memory of an embedding engine was given to a plan.
    #[error("an operand is in an engine's memory, which a plan cannot bind; a recipe can")]
    NotABuffer,
    /// An operand in a buffer was given to a recipe.
    #[error(
        "an operand is in a buffer; a recipe's are in an engine's memory, and a plan binds buffers"
    )]
    NotExternal,
}
