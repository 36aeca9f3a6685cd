//! What a backend does for this package: a pass of a chain, a pass of a layer.

use crate::call::{ChainCall, LayerCall, Wants};
#[cfg(feature = "fusion")]
use burn::backend::fusion::custom::TensorSpec;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, ExtensionType, backend_extension};

/// Some tensors, in the order that the call says.
#[derive(ExtensionType)]
#[cfg_attr(feature = "fusion", extension_type(fusion))]
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

macro_rules! lists {
    ($name:ident) => {
        fn of(items: impl IntoIterator<Item = Self::Item>) -> Self {
            let mut items = items.into_iter();
            let mut next = || items.next();
            match (next(), next(), next(), next(), next(), next()) {
                (Some(a), Some(b), Some(c), Some(d), Some(e), Some(f)) => {
                    $name::T6(a, b, c, d, e, f)
                }
                (Some(a), Some(b), Some(c), Some(d), Some(e), _) => $name::T5(a, b, c, d, e),
                (Some(a), Some(b), Some(c), Some(d), ..) => $name::T4(a, b, c, d),
                (Some(a), Some(b), Some(c), ..) => $name::T3(a, b, c),
                (Some(a), Some(b), ..) => $name::T2(a, b),
                (Some(a), ..) => $name::T1(a),
                _ => $name::T0,
            }
        }

        fn list(self) -> Vec<Self::Item> {
            match self {
                $name::T0 => vec![],
                $name::T1(a) => vec![a],
                $name::T2(a, b) => vec![a, b],
                $name::T3(a, b, c) => vec![a, b, c],
                $name::T4(a, b, c, d) => vec![a, b, c, d],
                $name::T5(a, b, c, d, e) => vec![a, b, c, d, e],
                $name::T6(a, b, c, d, e, f) => vec![a, b, c, d, e, f],
            }
        }
    };
}

/// A list of at most six things, as an enum.
pub(crate) trait List {
    type Item;
    fn of(items: impl IntoIterator<Item = Self::Item>) -> Self;
    fn list(self) -> Vec<Self::Item>;
}

impl<B: Backend> List for Tensors<B> {
    type Item = FloatTensor<B>;
    lists!(Tensors);
}

#[cfg(feature = "fusion")]
impl List for TensorsMetadata {
    type Item = TensorSpec;
    lists!(TensorsMetadata);
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

    /// Double backward of a chain: the gradients with respect to dy and to x, in this order, of ddx, that with respect to dx.
    #[fusion(meta = |_call, x, dy, _ddx, _operands| TensorsMetadata::of([dy.clone(), x.clone()]))]
    fn chain_double_backward(
        call: ChainCall,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        ddx: FloatTensor<Self>,
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

    /// A layer's value, and what it leaves for backward, if anything. With a batch norm that trains, the
    /// parameters with renewed statistics come last.
    #[fusion(meta = layer_forward_metadata)]
    fn layer_forward(
        call: LayerCall,
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
    ) -> Tensors<Self>;

    /// The gradients of x and of the parameters.
    #[fusion(meta = |_call, x, parameters, _dy, _saved| TensorsMetadata::of([x.clone(), parameters.clone()]))]
    fn layer_backward(
        call: LayerCall,
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        dy: FloatTensor<Self>,
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
    parameters: &TensorSpec,
) -> TensorsMetadata {
    let mut all = vec![x.clone()];
    if call.saved_len() > 0 {
        let shape = burn::tensor::Shape::from([call.saved_len() as usize]);
        all.push(TensorSpec::new(shape, burn::tensor::DType::F32));
    }
    if call.trains() {
        all.push(parameters.clone());
    }
    TensorsMetadata::of(all)
}
