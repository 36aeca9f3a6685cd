//! Elements, how they are grouped, and operands' values as slices.

pub(crate) mod dtype;
pub(crate) mod layout;
pub(crate) mod values;
