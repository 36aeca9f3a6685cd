//! What a backend does for this package: a pass of a chain, a pass of a layer.

use crate::call::{ChainCall, LayerCall, Wants};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};

/// Some tensors, in the order that the call says.
#[derive(ExtensionType)]
pub enum Tensors<B: Backend> {
    /// None.
    T0,
    /// One.
    T1(FloatTensor<B>),
    /// Two.
    T2(FloatTensor<B>, FloatTensor<B>),
    /// Three.
    T3(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>),
    /// Four.
    T4(
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
    ),
    /// Five.
    T5(
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
    ),
    /// Six.
    T6(
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
        FloatTensor<B>,
    ),
}

/// The most operands that a chain can have here, beside x.
pub(crate) const MOST: usize = 5;

/// A list of at most six things, as an enum.
pub(crate) trait List {
    type Item;
    fn of(items: impl IntoIterator<Item = Self::Item>) -> Self;
    fn list(self) -> Vec<Self::Item>;
}

impl<B: Backend> List for Tensors<B> {
    type Item = FloatTensor<B>;

    fn of(items: impl IntoIterator<Item = Self::Item>) -> Self {
        let mut items = items.into_iter();
        let mut next = || items.next();
        match (next(), next(), next(), next(), next(), next()) {
            (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) => Tensors::T6(a, b, c, d, e, f),
            (Some(a), Some(b), Some(c), Some(d), Some(e), _) => Tensors::T5(a, b, c, d, e),
            (Some(a), Some(b), Some(c), Some(d), ..) => Tensors::T4(a, b, c, d),
            (Some(a), Some(b), Some(c), ..) => Tensors::T3(a, b, c),
            (Some(a), Some(b), ..) => Tensors::T2(a, b),
            (Some(a), ..) => Tensors::T1(a),
            _ => Tensors::T0,
        }
    }

    fn list(self) -> Vec<Self::Item> {
        match self {
            Tensors::T0 => vec![],
            Tensors::T1(a) => vec![a],
            Tensors::T2(a, b) => vec![a, b],
            Tensors::T3(a, b, c) => vec![a, b, c],
            Tensors::T4(a, b, c, d) => vec![a, b, c, d],
            Tensors::T5(a, b, c, d, e) => vec![a, b, c, d, e],
            Tensors::T6(a, b, c, d, e, f) => vec![a, b, c, d, e, f],
        }
    }
}

/// The passes that this package brings to burn's backends: on [`Cube`](burn::backend::Cube), kernels of nonlin
/// launched on burn's own stream. [`Fused`](crate::Fused) and the modules are the way to call them.
#[backend_extension(Cube, Remote: cfg(feature = "remote"), Autodiff)]
pub trait NonlinOps: Backend {
    /// A chain's value, of x's shape and element type. The operands are in the chain's order.
    fn chain_forward(
        call: ChainCall,
        x: FloatTensor<Self>,
        #[extension_type] operands: Tensors<Self>,
    ) -> FloatTensor<Self>;

    /// The gradients that are wanted, that of x first, then the operands'.
    fn chain_backward(
        call: ChainCall,
        wants: Wants,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        #[extension_type] operands: Tensors<Self>,
    ) -> Tensors<Self>;

    /// Double backward of a chain: the gradients with respect to dy and to x, in this order, of ddx, that with respect to dx.
    fn chain_double_backward(
        call: ChainCall,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        ddx: FloatTensor<Self>,
        #[extension_type] operands: Tensors<Self>,
    ) -> Tensors<Self>;

    /// The value of a chain with one operand, its last step a gate, of a packed tensor: the first half of the
    /// last axis is x, the second is the operand.
    fn gated_forward(call: ChainCall, packed: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradient of the packed tensor.
    fn gated_backward(
        call: ChainCall,
        packed: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// A layer's value, and what it leaves for backward, if anything. With a batch norm that trains, the
    /// parameters with renewed statistics come last.
    fn layer_forward(
        call: LayerCall,
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
    ) -> Tensors<Self>;

    /// The gradients of x and of the parameters.
    fn layer_backward(
        call: LayerCall,
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        #[extension_type] saved: Tensors<Self>,
    ) -> Tensors<Self>;
}

/// Half of a shape's last axis.
pub(crate) fn half_shape(shape: &burn::tensor::Shape) -> burn::tensor::Shape {
    let mut lengths = shape.as_slice().to_vec();
    if let Some(last) = lengths.last_mut() {
        *last /= 2;
    }
    lengths.into()
}
