//! The GPU side: kernels and plans, operands, and the blocking door for slices.

pub(crate) mod kernels;
mod slices;

pub use crate::plan::layer::{LayerOperands, LayerPlan};
pub use crate::plan::operand::{Memory, Operand, Operands};
pub use crate::plan::recipe::{Recipe, RecipeBinding, RecipeDispatch};
pub use crate::plan::work::{Bound, Plan};
pub use kernels::{Kernels, Shape};
pub use slices::{Gpu, adapters, describe};

pub(crate) use crate::plan::layer::saved_len;

use crate::Error;

/// Runs `work` and turns what wgpu reports meanwhile into an error; wgpu's default is a panic.
pub(crate) fn guarded<T>(
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
        Some(error) => Err(Error::Device {
            doing,
            message: error.to_string().trim().to_owned(),
        }),
        None => result,
    }
}
