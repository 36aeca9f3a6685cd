//! The only floor that knows wgpu: compiled kernels, plans bound to buffers, and the blocking door for slices.

mod adapters;
mod bind;
mod buffers;
mod kernels;
mod layer_plan;
mod plan;
mod slices;
mod slices_layer;

pub use adapters::{adapters, describe};
pub use bind::Bound;
pub use kernels::Kernels;
pub use layer_plan::LayerPlan;
pub use plan::Plan;
pub use slices::Gpu;

use crate::error::{DeviceError, Error};

/// Runs `work` and turns what wgpu reports meanwhile into an error; wgpu's default is a panic.
fn guarded<T>(
    device: &wgpu::Device,
    doing: &'static str,
    work: impl FnOnce() -> Result<T, Error>,
) -> Result<T, Error> {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    // The last one pushed is heard first: memory that ran out explains what is invalid after it.
    let scopes = [Validation, Internal, OutOfMemory].map(|filter| device.push_error_scope(filter));
    let result = work();
    let errors = scopes
        .into_iter()
        .rev()
        .map(|scope| pollster::block_on(scope.pop()));
    // All scopes are to be popped, whichever of them caught something.
    match errors.collect::<Vec<_>>().into_iter().flatten().next() {
        Some(error) => Err(Error::Device(DeviceError::Refused {
            doing,
            message: error.to_string().trim().to_owned(),
        })),
        None => result,
    }
}
