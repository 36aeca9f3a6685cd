//! The only floor that knows wgpu: compiled kernels, plans bound to buffers, and the door for slices.

mod adapters;
mod bind;
mod buffers;
mod device;
mod kernels;
mod layer_plan;
mod plan;
mod slices;
mod slices_layer;
mod slices_second;
mod wait;

#[cfg(not(target_arch = "wasm32"))]
pub use adapters::adapters;
pub use adapters::{adapters_async, describe};
pub use bind::Bound;
pub use device::Gpu;
pub use kernels::Kernels;
pub use layer_plan::LayerPlan;
pub use plan::Plan;
