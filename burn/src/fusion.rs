//! The passes under burn's fusion: an operation that waits among others until burn runs them.

use crate::call::{ChainCall, LayerCall, Wants};
use crate::check::Spec;
use crate::ops::{List, NonlinOps, Tensors};
use crate::request::{Request, by_request};
use burn::backend::fusion::custom::{
    CustomOpIr, HandleContainer, OperationFn, OperationIr, ScalarIr, StreamId, TensorIr,
};
use burn::backend::fusion::{Fusion, FusionBackend, FusionRuntime, FusionTensor};
use burn::backend::tensor::FloatTensor;
use std::any::TypeId;

impl<B: FusionBackend + NonlinOps> NonlinOps for Fusion<B> {
    by_request!(deferred::<B>);
}

type Handle<B> = <<B as FusionBackend>::FusionRuntime as FusionRuntime>::FusionHandle;

/// Queues a pass of the backend behind the fusion. As burn's macro would, had it a way to write a call down: a graph of
/// operations that goes over a network has nothing else of this one.
fn deferred<B: FusionBackend + NonlinOps>(
    request: Request,
    inputs: Vec<FusionTensor<B::FusionRuntime>>,
) -> Vec<FusionTensor<B::FusionRuntime>> {
    let client = inputs[0].client.clone();
    let specs: Vec<Spec> = inputs.iter().map(|t| (t.shape.clone(), t.dtype)).collect();
    let outputs = request.outputs(&specs).into_iter();
    let outputs: Vec<TensorIr> = outputs
        .map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
        .collect();
    let inputs: Vec<TensorIr> = inputs.into_iter().map(|input| input.into_ir()).collect();
    let operation = CustomOpIr {
        id: request.name().to_owned(),
        inputs: inputs.clone(),
        outputs: outputs.clone(),
        scalars: written(TypeId::of::<B>(), &request),
    };
    let run = OperationFn(move |handles: &mut HandleContainer<Handle<B>>| {
        let given = inputs.iter();
        let given = given.map(|input| handles.get_float_tensor::<B>(input));
        let made = request.run::<B>(given.collect());
        for (output, tensor) in outputs.iter().zip(made) {
            handles.register_float_tensor::<B>(&output.id, tensor);
        }
        Ok(())
    });
    client.register(StreamId::current(), OperationIr::Custom(operation), run)
}

/// The request as numbers, where it goes over a network.
fn written(_backend: TypeId, _request: &Request) -> Vec<ScalarIr> {
    #[cfg(feature = "remote")]
    if _backend == TypeId::of::<crate::remote::Router>() {
        return crate::wire::written(_request);
    }
    Vec::new()
}
