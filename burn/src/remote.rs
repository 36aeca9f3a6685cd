//! The passes on a device that another process hosts: each is an operation of burn's that the server knows by its name.

use crate::call::{ChainCall, LayerCall, Wants};
use crate::check::Spec;
use crate::ops::{List, NonlinOps, Tensors};
use crate::request::{Request, by_request};
use crate::wire;
use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn_remote::ir::{CustomOpIr, OperationIr, TensorIr};
use burn_remote::{RemoteChannel, RouterClient};
use burn_router::BackendRouter;

/// burn's remote backend, without the fusion that may be around it.
pub(crate) type Router = BackendRouter<RemoteChannel>;

impl NonlinOps for Router {
    by_request!(sent);
}

/// Sends a pass. Nothing is waited for: that a server is gone is told where a tensor is read.
fn sent(request: Request, inputs: Vec<FloatTensor<Router>>) -> Vec<FloatTensor<Router>> {
    let client = inputs[0].client.clone();
    let specs: Vec<Spec> = inputs.iter().map(|t| (t.shape(), t.dtype())).collect();
    let outputs = request.outputs(&specs).into_iter();
    let outputs = outputs
        .map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype))
        .collect();
    client.register(OperationIr::Custom(CustomOpIr {
        id: request.name().to_owned(),
        inputs: inputs.into_iter().map(|input| input.into_ir()).collect(),
        outputs,
        scalars: wire::written(&request),
    }))
}
