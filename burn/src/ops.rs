//! What a backend does for this package: a pass of a chain, a pass of a layer.

use crate::call::{ChainCall, LayerCall, Wants};
#[cfg(feature = "fusion")]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};

macro_rules! tensors {
    ($($variant:ident $count:literal: $($item:ident)+;)+) => {
        /// Some tensors, in the order that the call says. A variant has as many as its name says: what crosses burn's
        /// dispatch, autodiff and fusion has a shape that is known when it is compiled.
        #[derive(ExtensionType)]
        #[cfg_attr(feature = "fusion", extension_type(fusion))]
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
            lists!(Tensors, $($variant $count: $($item)+;)+);
        }

        #[cfg(feature = "fusion")]
        impl List for TensorsMetadata {
            type Item = TensorSpec;
            lists!(TensorsMetadata, $($variant $count: $($item)+;)+);
        }
    };
}

macro_rules! lists {
    ($name:ident, $($variant:ident $count:literal: $($item:ident)+;)+) => {
        fn of(items: impl IntoIterator<Item = Self::Item>) -> Self {
            let items: Vec<Self::Item> = items.into_iter().collect();
            $(
                let items = match <[Self::Item; $count]>::try_from(items) {
                    Ok([$($item),+]) => return $name::$variant($($item),+),
                    Err(items) => items,
                };
            )+
            assert!(items.is_empty(), "{} tensors in one call", items.len());
            $name::T0
        }

        fn list(self) -> Vec<Self::Item> {
            match self {
                $name::T0 => vec![],
                $($name::$variant($($item),+) => vec![$($item),+],)+
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
#[backend_extension(Cube, Autodiff, Fusion: cfg(feature = "fusion"))]
pub trait NonlinOps: Backend {
    /// A chain's value, of x's shape and element type. The operands are in the chain's order.
    #[fusion(meta = |_call, x, _operands| x.clone())]
    fn chain_forward(
        call: ChainCall,
        x: FloatTensor<Self>,
        #[extension_type] operands: Tensors<Self>,
    ) -> FloatTensor<Self>;

    /// The gradients that are wanted, that of x first, then the operands'.
    #[fusion(meta = backward_metadata)]
    fn chain_backward(
        call: ChainCall,
        wants: Wants,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        #[extension_type] operands: Tensors<Self>,
    ) -> Tensors<Self>;

    /// The value of a chain with one operand, its last step a gate, of a packed tensor: the first half of the
    /// last axis is x, the second is the operand.
    #[fusion(meta = |_call, packed| half(packed))]
    fn gated_forward(call: ChainCall, packed: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradient of the packed tensor.
    #[fusion(meta = |_call, packed, _dy| packed.clone())]
    fn gated_backward(
        call: ChainCall,
        packed: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// A layer's value, and what it leaves for backward, if anything. With a batch norm that trains, the parameters as
    /// kernels have them, with renewed statistics, come last. The parameters are in the layer's order.
    #[fusion(meta = layer_forward_metadata)]
    fn layer_forward(
        call: LayerCall,
        x: FloatTensor<Self>,
        #[extension_type] parameters: Tensors<Self>,
    ) -> Tensors<Self>;

    /// The gradients of x and of the parameters that are learned.
    #[fusion(meta = layer_backward_metadata)]
    fn layer_backward(
        call: LayerCall,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        #[extension_type] parameters: Tensors<Self>,
        #[extension_type] saved: Tensors<Self>,
    ) -> Tensors<Self>;
}

#[cfg(feature = "fusion")]
fn half(packed: &TensorSpec) -> TensorSpec {
    TensorSpec::new(half_shape(&packed.shape), packed.dtype)
}

/// Half of a shape's last axis.
pub(crate) fn half_shape(shape: &burn::tensor::Shape) -> burn::tensor::Shape {
    let mut lengths = shape.as_slice().to_vec();
    if let Some(last) = lengths.last_mut() {
        *last /= 2;
    }
    lengths.into()
}

#[cfg(feature = "fusion")]
fn backward_metadata(
    _call: &ChainCall,
    wants: &Wants,
    x: &TensorSpec,
    _dy: &TensorSpec,
    operands: &TensorsMetadata,
) -> TensorsMetadata {
    let operands = operands.clone().list();
    let all = std::iter::once(x.clone()).chain(operands);
    let wanted = all.zip(wants.each());
    TensorsMetadata::of(wanted.filter(|(_, wanted)| *wanted).map(|(spec, _)| spec))
}

#[cfg(feature = "fusion")]
fn layer_forward_metadata(
    call: &LayerCall,
    x: &TensorSpec,
    parameters: &TensorsMetadata,
) -> TensorsMetadata {
    let flat = |len| {
        let shape = burn::tensor::Shape::from([len]);
        TensorSpec::new(shape, burn::tensor::DType::F32)
    };
    let mut all = vec![x.clone()];
    if call.saved_len() > 0 {
        all.push(flat(call.saved_len() as usize));
    }
    if call.trains() {
        let each = parameters.clone().list().into_iter();
        all.push(flat(each.map(|spec| spec.shape.num_elements()).sum()));
    }
    TensorsMetadata::of(all)
}

#[cfg(feature = "fusion")]
fn layer_backward_metadata(
    call: &LayerCall,
    x: &TensorSpec,
    _dy: &TensorSpec,
    parameters: &TensorsMetadata,
    _saved: &TensorsMetadata,
) -> TensorsMetadata {
    let parameters = parameters.clone().list().into_iter().zip(call.forms());
    let learned = parameters.filter(|(_, form)| form.learned);
    TensorsMetadata::of(std::iter::once(x.clone()).chain(learned.map(|(spec, _)| spec)))
}
