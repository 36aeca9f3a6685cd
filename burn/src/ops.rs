//! What a backend does for this package: a pass of a chain, a pass of a layer.

use crate::call::{ChainCall, LayerCall, Wants};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};

macro_rules! tensors {
    ($($variant:ident $count:literal: $($item:ident)+;)+) => {
        /// Some tensors, in the order that the call says. A variant has as many as its name says: what crosses burn's
        /// dispatch and autodiff has a shape that is known when it is compiled.
        #[derive(ExtensionType)]
        pub enum Tensors<B: Backend> {
            /// None.
            T0,
            $(
                #[doc = concat!("Tensors: ", $count, ".")]
                $variant($(#[doc = stringify!($item)] FloatTensor<B>),+),
            )+
        }

        impl<B: Backend> List for Tensors<B> {
            type Item = FloatTensor<B>;

            fn of(items: impl IntoIterator<Item = Self::Item>) -> Self {
                let items: Vec<Self::Item> = items.into_iter().collect();
                $(
                    let items = match <[Self::Item; $count]>::try_from(items) {
                        Ok([$($item),+]) => return Tensors::$variant($($item),+),
                        Err(items) => items,
                    };
                )+
                assert!(items.is_empty(), "{} tensors in one call", items.len());
                Tensors::T0
            }

            fn list(self) -> Vec<Self::Item> {
                match self {
                    Tensors::T0 => vec![],
                    $(Tensors::$variant($($item),+) => vec![$($item),+],)+
                }
            }
        }
    };
}

tensors! {
    T1 1: a;
    T2 2: a b;
    T3 3: a b c;
    T4 4: a b c d;
    T5 5: a b c d e;
    T6 6: a b c d e f;
    T7 7: a b c d e f g;
    T8 8: a b c d e f g h;
    T9 9: a b c d e f g h i;
    T10 10: a b c d e f g h i j;
    T11 11: a b c d e f g h i j k;
    T12 12: a b c d e f g h i j k l;
    T13 13: a b c d e f g h i j k l m;
    T14 14: a b c d e f g h i j k l m n;
    T15 15: a b c d e f g h i j k l m n o;
    T16 16: a b c d e f g h i j k l m n o p;
}

/// The most operands that a chain can have here, beside x. How many of them a device binds is another question:
/// [`nonlin::DeviceError::TooManyOperands`].
pub(crate) const MOST: usize = 15;

/// A list of at most sixteen things, as an enum.
pub(crate) trait List {
    type Item;
    fn of(items: impl IntoIterator<Item = Self::Item>) -> Self;
    fn list(self) -> Vec<Self::Item>;
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

    /// A layer's value, and what it leaves for backward, if anything. With a batch norm that trains, the parameters as
    /// kernels have them, with renewed statistics, come last. The parameters are in the layer's order.
    fn layer_forward(
        call: LayerCall,
        x: FloatTensor<Self>,
        #[extension_type] parameters: Tensors<Self>,
    ) -> Tensors<Self>;

    /// The gradients of x and of the parameters that are learned.
    fn layer_backward(
        call: LayerCall,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        #[extension_type] parameters: Tensors<Self>,
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
