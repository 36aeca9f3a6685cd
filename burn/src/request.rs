//! A pass and all that it is asked with beside tensors, as one value: what burn's fusion keeps until it runs, and what
//! goes over a network.

use crate::call::{ChainCall, LayerCall, Wants};
use crate::check::Spec;
use crate::ops::{List, NonlinOps, Tensors, half_shape};
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape};

/// What burn calls the operations.
pub(crate) const CHAIN_FORWARD: &str = "nonlin::chain_forward";
pub(crate) const CHAIN_BACKWARD: &str = "nonlin::chain_backward";
pub(crate) const CHAIN_DOUBLE_BACKWARD: &str = "nonlin::chain_double_backward";
pub(crate) const GATED_FORWARD: &str = "nonlin::gated_forward";
pub(crate) const GATED_BACKWARD: &str = "nonlin::gated_backward";
pub(crate) const LAYER_FORWARD: &str = "nonlin::layer_forward";
pub(crate) const LAYER_BACKWARD: &str = "nonlin::layer_backward";

/// All of these.
#[cfg(feature = "remote-server")]
pub(crate) const NAMES: [&str; 7] = [
    CHAIN_FORWARD,
    CHAIN_BACKWARD,
    CHAIN_DOUBLE_BACKWARD,
    GATED_FORWARD,
    GATED_BACKWARD,
    LAYER_FORWARD,
    LAYER_BACKWARD,
];

/// One of [`NonlinOps`]' passes, without its tensors. Its inputs are a list: the tensors of the method of that name, in the
/// order in which it takes them.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    ChainForward(ChainCall),
    ChainBackward(ChainCall, Wants),
    ChainDoubleBackward(ChainCall),
    GatedForward(ChainCall),
    GatedBackward(ChainCall),
    LayerForward(LayerCall),
    LayerBackward(LayerCall),
}

impl Request {
    /// What burn calls the operation.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Request::ChainForward(_) => CHAIN_FORWARD,
            Request::ChainBackward(..) => CHAIN_BACKWARD,
            Request::ChainDoubleBackward(_) => CHAIN_DOUBLE_BACKWARD,
            Request::GatedForward(_) => GATED_FORWARD,
            Request::GatedBackward(_) => GATED_BACKWARD,
            Request::LayerForward(_) => LAYER_FORWARD,
            Request::LayerBackward(_) => LAYER_BACKWARD,
        }
    }

    /// What comes of such inputs.
    pub(crate) fn outputs(&self, inputs: &[Spec]) -> Vec<Spec> {
        let like = |index: usize| inputs[index].clone();
        match self {
            Request::ChainForward(_) | Request::GatedBackward(_) => vec![like(0)],
            Request::ChainBackward(_, wants) => {
                // The second input is dy.
                let all = inputs[..1].iter().chain(&inputs[2..]).zip(wants.each());
                let wanted = all.filter(|(_, wanted)| *wanted);
                wanted.map(|(spec, _)| spec.clone()).collect()
            }
            // The gradients of dy and of x.
            Request::ChainDoubleBackward(_) => vec![like(1), like(0)],
            Request::GatedForward(_) => vec![(half_shape(&inputs[0].0), inputs[0].1)],
            Request::LayerForward(call) => {
                let saved = call.saved_len();
                let saved = (saved > 0).then(|| (Shape::from([saved as usize]), DType::F32));
                let parameters = inputs[1..].iter().map(|spec| spec.0.num_elements());
                let all: usize = parameters.sum();
                let renewed = call.trains().then(|| (Shape::from([all]), DType::F32));
                [Some(like(0)), saved, renewed]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            Request::LayerBackward(call) => {
                // The second input is dy.
                let parameters = inputs[2..].iter().zip(call.forms());
                let learned = parameters.filter(|(_, form)| form.learned);
                let learned = learned.map(|(spec, _)| spec.clone());
                std::iter::once(like(0)).chain(learned).collect()
            }
        }
    }

    /// Asks a backend for it.
    pub(crate) fn run<B: NonlinOps>(&self, inputs: Vec<FloatTensor<B>>) -> Vec<FloatTensor<B>> {
        let mut inputs = inputs.into_iter();
        let mut next = || match inputs.next() {
            Some(tensor) => tensor,
            None => panic!("nonlin: {} with too few tensors", self.name()),
        };
        match self.clone() {
            Request::ChainForward(call) => {
                let x = next();
                vec![B::chain_forward(call, x, Tensors::of(inputs))]
            }
            Request::ChainBackward(call, wants) => {
                let (x, dy) = (next(), next());
                B::chain_backward(call, wants, x, dy, Tensors::of(inputs)).list()
            }
            Request::ChainDoubleBackward(call) => {
                let (x, dy, ddx) = (next(), next(), next());
                B::chain_double_backward(call, x, dy, ddx, Tensors::of(inputs)).list()
            }
            Request::GatedForward(call) => vec![B::gated_forward(call, next())],
            Request::GatedBackward(call) => vec![B::gated_backward(call, next(), next())],
            Request::LayerForward(call) => {
                let x = next();
                B::layer_forward(call, x, Tensors::of(inputs)).list()
            }
            Request::LayerBackward(call) => {
                let (x, dy) = (next(), next());
                let parameters = Tensors::of(inputs.by_ref().take(call.forms().len()));
                B::layer_backward(call, x, dy, parameters, Tensors::of(inputs)).list()
            }
        }
    }
}

/// The methods of [`NonlinOps`] for a backend that does none of it itself: `$send(request, inputs)` has the outputs come from
/// somewhere else.
macro_rules! by_request {
    ($send:path) => {
        fn chain_forward(
            call: ChainCall,
            x: FloatTensor<Self>,
            operands: Tensors<Self>,
        ) -> FloatTensor<Self> {
            let inputs = std::iter::once(x).chain(operands.list()).collect();
            $send(Request::ChainForward(call), inputs).swap_remove(0)
        }

        fn chain_backward(
            call: ChainCall,
            wants: Wants,
            x: FloatTensor<Self>,
            dy: FloatTensor<Self>,
            operands: Tensors<Self>,
        ) -> Tensors<Self> {
            let inputs = [x, dy].into_iter().chain(operands.list()).collect();
            Tensors::of($send(Request::ChainBackward(call, wants), inputs))
        }

        fn chain_double_backward(
            call: ChainCall,
            x: FloatTensor<Self>,
            dy: FloatTensor<Self>,
            ddx: FloatTensor<Self>,
            operands: Tensors<Self>,
        ) -> Tensors<Self> {
            let inputs = [x, dy, ddx].into_iter().chain(operands.list()).collect();
            Tensors::of($send(Request::ChainDoubleBackward(call), inputs))
        }

        fn gated_forward(call: ChainCall, packed: FloatTensor<Self>) -> FloatTensor<Self> {
            $send(Request::GatedForward(call), vec![packed]).swap_remove(0)
        }

        fn gated_backward(
            call: ChainCall,
            packed: FloatTensor<Self>,
            dy: FloatTensor<Self>,
        ) -> FloatTensor<Self> {
            $send(Request::GatedBackward(call), vec![packed, dy]).swap_remove(0)
        }

        fn layer_forward(
            call: LayerCall,
            x: FloatTensor<Self>,
            parameters: Tensors<Self>,
        ) -> Tensors<Self> {
            let inputs = std::iter::once(x).chain(parameters.list()).collect();
            Tensors::of($send(Request::LayerForward(call), inputs))
        }

        fn layer_backward(
            call: LayerCall,
            x: FloatTensor<Self>,
            dy: FloatTensor<Self>,
            parameters: Tensors<Self>,
            saved: Tensors<Self>,
        ) -> Tensors<Self> {
            let inputs = [x, dy].into_iter().chain(parameters.list());
            let inputs = inputs.chain(saved.list()).collect();
            Tensors::of($send(Request::LayerBackward(call), inputs))
        }
    };
}

pub(crate) use by_request;
