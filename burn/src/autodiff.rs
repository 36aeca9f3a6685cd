//! The passes under autodiff: one node of the graph for a chain or a layer, whose backward is one of nonlin's.

use crate::call::{ChainCall, LayerCall, Wants};
use crate::ops::{List, NonlinOps, Tensors};
use burn::backend::AutodiffBackend;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;

/// What a chain keeps for backward: x, or y where that is enough, and the operands. The layer behind a chain often keeps y
/// anyway, and x is then free.
#[derive(Clone, Debug)]
struct Kept<B: NonlinOps> {
    y: Option<FloatTensor<B>>,
    inputs: Vec<NodeId>,
}

/// Backward of a chain with N - 1 operands: x is the first parent, the operands are the others.
#[derive(Debug)]
struct ChainBackward;

impl<B: NonlinOps, const N: usize> Backward<B, N> for ChainBackward {
    type State = (ChainCall, Kept<B>);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let dy = grads.consume::<B>(&ops.node);
        let (call, kept) = ops.state;
        let inputs = kept.inputs.into_iter();
        let inputs = inputs.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let mut all = kept.y.into_iter().chain(inputs);
        let Some(x) = all.next() else { return };
        let operands = Tensors::of(all);
        let wants = Wants::of(ops.parents.iter().map(Option::is_some));
        let gradients = B::chain_backward(call, wants, x, dy, operands).list();
        for (node, gradient) in ops.parents.into_iter().flatten().zip(gradients) {
            grads.register::<B>(node.id, gradient);
        }
    }
}

/// Backward of a chain's backward: x is the first parent, dy the second. The operands are constants.
#[derive(Debug)]
struct DoubleBackward;

impl<B: NonlinOps> Backward<B, 2> for DoubleBackward {
    type State = (ChainCall, [NodeId; 2], Vec<FloatTensor<B>>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let ddx = grads.consume::<B>(&ops.node);
        let (call, kept, operands) = ops.state;
        let [x, dy] = kept.map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let operands = Tensors::of(operands);
        let gradients = B::chain_double_backward(call, x, dy, ddx, operands).list();
        // It gives that of dy first.
        for (node, gradient) in ops.parents.into_iter().rev().zip(gradients) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

fn chain<B: NonlinOps, C: CheckpointStrategy, const N: usize>(
    call: ChainCall,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> FloatTensor<Autodiff<B, C>> {
    let forward = |call, inputs: [FloatTensor<B>; N]| {
        let mut inputs = inputs.into_iter();
        match inputs.next() {
            Some(x) => B::chain_forward(call, x, Tensors::of(inputs)),
            None => unreachable!("x is always there"),
        }
    };
    let nodes = inputs.each_ref().map(|input| input.node());
    match ChainBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut prep) => {
            let kept = &inputs[usize::from(call.from_y)..];
            let kept = kept.iter().map(|input| prep.checkpoint(input)).collect();
            let inputs = inputs.map(|input| input.into_primitive());
            let y = forward(call.clone(), inputs);
            let kept = Kept {
                y: call.from_y.then(|| y.clone()),
                inputs: kept,
            };
            prep.finish((call, kept), y)
        }
        OpsKind::UnTracked(prep) => {
            let inputs = inputs.map(|input| input.into_primitive());
            prep.finish(forward(call, inputs))
        }
    }
}

/// Backward of a gated chain: the packed tensor is the parent.
#[derive(Debug)]
struct GatedBackward;

impl<B: NonlinOps> Backward<B, 1> for GatedBackward {
    type State = (ChainCall, NodeId);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let dy = grads.consume::<B>(&ops.node);
        let (call, packed) = ops.state;
        let packed = checkpointer.retrieve_node_output::<FloatTensor<B>>(packed);
        if let [Some(node)] = ops.parents {
            grads.register::<B>(node.id, B::gated_backward(call, packed, dy));
        }
    }
}

/// Backward of a layer with N - 1 parameters: x is the first parent, the parameters are the others.
#[derive(Debug)]
struct LayerBackward;

impl<B: NonlinOps, const N: usize> Backward<B, N> for LayerBackward {
    type State = (LayerCall, [NodeId; N], Option<FloatTensor<B>>);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let dy = grads.consume::<B>(&ops.node);
        let (call, kept, saved) = ops.state;
        let mut inputs = kept
            .into_iter()
            .map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let Some(x) = inputs.next() else { return };
        let parameters = Tensors::of(inputs);
        let gradients = B::layer_backward(call.clone(), x, dy, parameters, Tensors::of(saved));
        let learned = call.forms().iter().map(|form| form.learned);
        let with_gradients = std::iter::once(true).chain(learned);
        let nodes = ops.parents.into_iter().zip(with_gradients);
        let nodes = nodes.filter_map(|(node, learned)| learned.then_some(node));
        for (node, gradient) in nodes.zip(gradients.list()) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

fn layer<B: NonlinOps, C: CheckpointStrategy, const N: usize>(
    call: LayerCall,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> Tensors<Autodiff<B, C>> {
    let forward = |call, inputs: [FloatTensor<B>; N]| {
        let mut inputs = inputs.into_iter();
        let Some(x) = inputs.next() else {
            unreachable!("x is always there")
        };
        let mut all = B::layer_forward(call, x, Tensors::of(inputs)).list();
        let y = all.remove(0);
        (y, all)
    };
    let nodes = inputs.each_ref().map(|input| input.node());
    let (y, others) = match LayerBackward.prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(mut prep) => {
            let kept = inputs.each_ref().map(|input| prep.checkpoint(input));
            let inputs = inputs.map(|input| input.into_primitive());
            let (y, others) = forward(call.clone(), inputs);
            let saved = others.first().filter(|_| call.saved_len() > 0).cloned();
            (prep.finish((call, kept, saved), y), others)
        }
        OpsKind::UnTracked(prep) => {
            let inputs = inputs.map(|input| input.into_primitive());
            let (y, others) = forward(call, inputs);
            (prep.finish(y), others)
        }
    };
    Tensors::of(std::iter::once(y).chain(others.into_iter().map(leaf::<B, C>)))
}

/// A function of an array of inputs, given a list of as many as it has.
macro_rules! of_length {
    ($inputs:expr, $function:ident, $call:expr, $($n:literal)+) => {{
        let inputs: Vec<_> = $inputs;
        $(
            let inputs = match <[_; $n]>::try_from(inputs) {
                Ok(inputs) => return $function::<B, C, $n>($call, inputs),
                Err(inputs) => inputs,
            };
        )+
        unreachable!("{} tensors in one call", inputs.len())
    }};
}

impl<B: NonlinOps, C: CheckpointStrategy> NonlinOps for Autodiff<B, C> {
    fn chain_forward(
        call: ChainCall,
        x: FloatTensor<Self>,
        operands: Tensors<Self>,
    ) -> FloatTensor<Self> {
        let inputs = std::iter::once(x).chain(operands.list()).collect();
        of_length!(inputs, chain, call, 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    }

    /// dx is tracked, if x or dy is, and backward from there is double backward; gradients of operands are not, nor is what
    /// comes of y, since double backward reads x.
    fn chain_backward(
        call: ChainCall,
        wants: Wants,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        operands: Tensors<Self>,
    ) -> Tensors<Self> {
        let operands = operands.list().into_iter().map(|o| o.into_primitive());
        let operands: Vec<FloatTensor<B>> = operands.collect();
        let backward = |call, x: FloatTensor<Self>, dy: FloatTensor<Self>, operands| {
            let (x, dy) = (x.into_primitive(), dy.into_primitive());
            B::chain_backward(call, wants, x, dy, Tensors::of(operands))
        };
        if wants != Wants::of([true]) || call.from_y {
            return wrapped(backward(call, x, dy, operands));
        }
        let only = |gradients: Tensors<B>| match gradients.list().pop() {
            Some(dx) => dx,
            None => unreachable!("dx was asked for"),
        };
        let nodes = [x.node(), dy.node()];
        let dx = match DoubleBackward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let kept = [prep.checkpoint(&x), prep.checkpoint(&dy)];
                let dx = only(backward(call.clone(), x, dy, operands.clone()));
                prep.finish((call, kept, operands), dx)
            }
            OpsKind::UnTracked(prep) => prep.finish(only(backward(call, x, dy, operands))),
        };
        Tensors::T1(dx)
    }

    /// Third derivatives are not tracked.
    fn chain_double_backward(
        call: ChainCall,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        ddx: FloatTensor<Self>,
        operands: Tensors<Self>,
    ) -> Tensors<Self> {
        let [x, dy, ddx] = [x, dy, ddx].map(|tensor| tensor.into_primitive());
        let operands = operands.list().into_iter().map(|o| o.into_primitive());
        wrapped(B::chain_double_backward(
            call,
            x,
            dy,
            ddx,
            Tensors::of(operands),
        ))
    }

    fn gated_forward(call: ChainCall, packed: FloatTensor<Self>) -> FloatTensor<Self> {
        let node = packed.node();
        match GatedBackward
            .prepare::<C>([node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let kept = prep.checkpoint(&packed);
                let y = B::gated_forward(call.clone(), packed.into_primitive());
                prep.finish((call, kept), y)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::gated_forward(call, packed.into_primitive()))
            }
        }
    }

    /// Gradients of gradients are not tracked.
    fn gated_backward(
        call: ChainCall,
        packed: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        leaf::<B, C>(B::gated_backward(
            call,
            packed.into_primitive(),
            dy.into_primitive(),
        ))
    }

    fn layer_forward(
        call: LayerCall,
        x: FloatTensor<Self>,
        parameters: Tensors<Self>,
    ) -> Tensors<Self> {
        let inputs = std::iter::once(x).chain(parameters.list()).collect();
        of_length!(inputs, layer, call, 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    }

    fn layer_backward(
        call: LayerCall,
        x: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        parameters: Tensors<Self>,
        saved: Tensors<Self>,
    ) -> Tensors<Self> {
        let inner = |tensors: Tensors<Self>| {
            let tensors = tensors.list().into_iter();
            Tensors::of(tensors.map(|tensor| tensor.into_primitive()))
        };
        wrapped(B::layer_backward(
            call,
            x.into_primitive(),
            dy.into_primitive(),
            inner(parameters),
            inner(saved),
        ))
    }
}

/// A tensor that nothing leads back from.
fn leaf<B: NonlinOps, C: CheckpointStrategy>(
    tensor: FloatTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    <Autodiff<B, C> as AutodiffBackend>::from_inner(tensor)
}

fn wrapped<B: NonlinOps, C: CheckpointStrategy>(tensors: Tensors<B>) -> Tensors<Autodiff<B, C>> {
    Tensors::of(tensors.list().into_iter().map(leaf::<B, C>))
}
