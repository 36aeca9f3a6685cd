//! The only floor that knows wgpu: compiled kernels, plans bound to buffers, and the door for slices.

mod adapters;
mod ahead;
mod bind;
mod buffers;
mod builder;
mod device;
mod kernels;
mod layer_plan;
mod plan;
mod slices;
mod slices_layer;
mod slices_second;
#[cfg(not(target_arch = "wasm32"))]
mod stored;
mod wait;

#[cfg(not(target_arch = "wasm32"))]
pub use adapters::adapters;
pub use adapters::{adapters_async, describe};
pub use ahead::Ahead;
pub use bind::Bound;
pub use builder::GpuBuilder;
pub use device::Gpu;
pub use kernels::Kernels;
pub use layer_plan::LayerPlan;
pub use plan::Plan;
