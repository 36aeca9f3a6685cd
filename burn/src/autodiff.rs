//! The passes under autodiff: one node of the graph for a chain or a layer, whose backward is one of nonlin's.

use crate::call::{ChainCall, LayerCall, Wants};
use crate::ops::{List, NonlinOps, Tensors};
use burn::backend::AutodiffBackend;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::autodiff::{Autodiff, NodeId};
use burn::backend::tensor::FloatTensor;

/// Backward of a chain with N - 1 operands: x is the first parent, the operands are the others.
#[derive(Debug)]
struct ChainBackward;

impl<B: NonlinOps, const N: usize> Backward<B, N> for ChainBackward {
    type State = (ChainCall, [NodeId; N]);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let dy = grads.consume::<B>(&ops.node);
        let (call, kept) = ops.state;
        let mut inputs = kept
            .into_iter()
            .map(|id| checkpointer.retrieve_node_output::<FloatTensor<B>>(id));
        let Some(x) = inputs.next() else { return };
        let operands = Tensors::of(inputs);
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
            let kept = inputs.each_ref().map(|input| prep.checkpoint(input));
            let inputs = inputs.map(|input| input.into_primitive());
            let y = forward(call.clone(), inputs);
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

/// Backward of a layer: x is the first parent, the parameters are the second.
#[derive(Debug)]
struct LayerBackward;

impl<B: NonlinOps> Backward<B, 2> for LayerBackward {
    type State = (LayerCall, NodeId, FloatTensor<B>, Option<FloatTensor<B>>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let dy = grads.consume::<B>(&ops.node);
        let (call, x, parameters, saved) = ops.state;
        let x = checkpointer.retrieve_node_output::<FloatTensor<B>>(x);
        let gradients = B::layer_backward(call, x, parameters, dy, Tensors::of(saved)).list();
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: NonlinOps, C: CheckpointStrategy> NonlinOps for Autodiff<B, C> {
    fn chain_forward(
        call: ChainCall,
        x: FloatTensor<Self>,
        operands: Tensors<Self>,
    ) -> FloatTensor<Self> {
        match operands {
            Tensors::T0 => chain::<B, C, 1>(call, [x]),
            Tensors::T1(a) => chain::<B, C, 2>(call, [x, a]),
            Tensors::T2(a, b) => chain::<B, C, 3>(call, [x, a, b]),
            Tensors::T3(a, b, c) => chain::<B, C, 4>(call, [x, a, b, c]),
            Tensors::T4(a, b, c, d) => chain::<B, C, 5>(call, [x, a, b, c, d]),
            Tensors::T5(a, b, c, d, e) => chain::<B, C, 6>(call, [x, a, b, c, d, e]),
            Tensors::T6(a, b, c, d, e, f) => chain::<B, C, 7>(call, [x, a, b, c, d, e, f]),
        }
    }

    /// dx is tracked, if x or dy is, and backward from there is double backward; gradients of operands are not.
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
        if wants != Wants::of([true]) {
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
        parameters: FloatTensor<Self>,
    ) -> Tensors<Self> {
        let nodes = [x.node(), parameters.node()];
        let forward = |call, x, parameters| {
            let mut all = B::layer_forward(call, x, parameters).list();
            let y = all.remove(0);
            (y, all)
        };
        let (y, others) = match LayerBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(mut prep) => {
                let kept = prep.checkpoint(&x);
                let parameters = parameters.into_primitive();
                let (y, others) = forward(call.clone(), x.into_primitive(), parameters.clone());
                let saved = others.first().filter(|_| call.saved_len() > 0).cloned();
                (prep.finish((call, kept, parameters, saved), y), others)
            }
            OpsKind::UnTracked(prep) => {
                let (y, others) = forward(call, x.into_primitive(), parameters.into_primitive());
                (prep.finish(y), others)
            }
        };
        Tensors::of(std::iter::once(y).chain(others.into_iter().map(leaf::<B, C>)))
    }

    fn layer_backward(
        call: LayerCall,
        x: FloatTensor<Self>,
        parameters: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        saved: Tensors<Self>,
    ) -> Tensors<Self> {
        let saved = saved.list().into_iter().map(|s| s.into_primitive());
        wrapped(B::layer_backward(
            call,
            x.into_primitive(),
            parameters.into_primitive(),
            dy.into_primitive(),
            Tensors::of(saved),
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
