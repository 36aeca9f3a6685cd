//! What a pass dispatches, as text and numbers, on no device.

pub(crate) mod launch;
pub(crate) mod layer;
pub(crate) mod operand;
pub(crate) mod recipe;
pub(crate) mod work;
