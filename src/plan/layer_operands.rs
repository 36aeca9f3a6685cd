//! The operands of a layer's pass.

use super::operand::Operand;
use crate::layers::gpu::Buffer;

/// The operands of a layer's pass. Forward reads x and the parameters, and writes y and what it saves for
/// backward; a batch norm that trains renews the running statistics among the parameters. Backward reads x,
/// dy, the parameters and what was saved, and writes dx and the parameters' gradients.
#[derive(Clone, Debug, Default)]
pub struct LayerOperands<'a> {
    pub(super) given: Vec<(Buffer, Operand<'a>)>,
}

impl<'a> LayerOperands<'a> {
    /// No operands, to be given some.
    pub fn new() -> Self {
        Self::default()
    }

    fn give(mut self, buffer: Buffer, operand: Operand<'a>) -> Self {
        self.given.retain(|(known, _)| *known != buffer);
        self.given.push((buffer, operand));
        self
    }

    /// The input, in the images' order.
    #[must_use]
    pub fn x(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::X, operand)
    }

    /// The value, which forward writes.
    #[must_use]
    pub fn y(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Y, operand)
    }

    /// The gradient with respect to the value, which backward reads.
    #[must_use]
    pub fn dy(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Dy, operand)
    }

    /// The gradient with respect to x, which backward writes.
    #[must_use]
    pub fn dx(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Dx, operand)
    }

    /// The parameters, of [`LayerPlan::parameters_len`](crate::LayerPlan::parameters_len) elements of f32.
    #[must_use]
    pub fn parameters(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Parameters, operand)
    }

    /// The parameters' gradients, as long as they, which backward writes. Those of running statistics, which
    /// have none, are left as they are.
    #[must_use]
    pub fn gradients(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Gradients, operand)
    }

    /// What forward leaves for backward, of [`LayerPlan::saved_len`](crate::LayerPlan::saved_len) elements of f32.
    /// Not needed where that is zero.
    #[must_use]
    pub fn saved(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Saved, operand)
    }

    /// Memory of [`LayerPlan::scratch_len`](crate::LayerPlan::scratch_len) elements of f32 that the pass may use
    /// while it runs. Where it is left out, the bound has its own.
    #[must_use]
    pub fn scratch(self, operand: Operand<'a>) -> Self {
        self.give(Buffer::Scratch, operand)
    }
}
