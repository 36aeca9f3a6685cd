//! Neural-network activations on the GPU through wgpu, forward and backward, in one dispatch.
//!
//! # Words
//! - **activation**: a scalar function with named parameters, its derivative and its f64 reference.
//! - **step**: one link of a chain: a scale, bias, gate, residual, dropout or an activation.
//! - **argument**: where a step's value comes from: a constant, or an operand by name.
//! - **chain**: a short list of steps, pure data, in the user's order: `scale(0.5) | silu | scale(2)`.
//! - **pass**: forward or backward.
//! - **plan**: a compiled pass of a chain.
//! - **operand**: a range of elements in a buffer.
//! - **bound**: a plan with operands, ready to be recorded many times.
//! - **knot**: an input where an activation changes formula. **root**: a zero of a derivative.
//! - **budget**: the error allowed, in ULP (units in the last place).
//!
//! # Doors
//! With slices, and nothing else, use [`Gpu`]:
//! ```no_run
//! # #[cfg(feature = "wgpu")] {
//! let gpu = nonlin::Gpu::new()?;
//! let chain = "scale(0.5) | silu | scale(2)".parse()?;
//! let y = gpu.forward(&chain, &[1.0, 2.0, 3.0])?;
//! let dx = gpu.backward(&chain, &[1.0, 2.0, 3.0], &[1.0, 1.0, 1.0])?;
//! # }
//! # Ok::<(), nonlin::Error>(())
//! ```
//! With a wgpu device, buffers and compute passes of your own, use [`Kernels`]; nothing is submitted and
//! no queue is needed:
//! ```no_run
//! # #[cfg(feature = "wgpu")]
//! # fn f(device: wgpu::Device, x: wgpu::Buffer, y: wgpu::Buffer, n: u64, pass: &mut wgpu::ComputePass)
//! # -> Result<(), nonlin::Error> {
//! use nonlin::{Activation, Chain, DType, Kernels, Operand, Operands, Pass};
//!
//! let kernels = Kernels::new(&device);
//! let chain = Chain::new().scale(0.5).act(Activation::Silu).scale(2.0);
//! let plan = kernels.plan(&chain, Pass::Forward, DType::F32)?;
//! let bound = plan.bind(Operands::new().x(Operand::new(&x, 0, n)).y(Operand::new(&y, 0, n)))?;
//! bound.record(pass); // as often as you like
//! # Ok(())
//! # }
//! ```
//! In an engine that launches kernels itself, whatever its version of wgpu, use [`Recipe`], which is text and numbers;
//! in a kernel of your own, paste the text of [`Chain::functions`]. Both are there with `default-features = false`,
//! where the library does not depend on wgpu (docs/EMBEDDING.md).
//!
//! Without a GPU, use [`reference`](mod@reference), which is f64; [`check`] compares results with it.
//! Whole layers (FReLU, Meta-ACON, dynamic ReLU) are in [`layers`], in f64 on the CPU; on the GPU they go
//! through [`Kernels::layer`] or [`Gpu::layer_forward`].
//!
//! # Numbers
//! Every value and derivative is within [`Activation::budget`] ULP of the reference over all f32, on
//! every adapter that the tests run on. NaN gives NaN, an infinite input the limit; subnormal numbers
//! may be flushed to zero. Operands are stored as f32, f16 or bf16, each as it likes; arithmetic is f32, and a
//! result is rounded once.

mod act;
mod chain;
pub mod check;
mod error;
#[cfg(feature = "wgpu")]
mod gpu;
pub mod layers;
mod pass;
mod philox;
mod plan;
pub mod reference;
mod tensor;
pub mod ulp;
mod wgsl;

pub use act::Activation;
pub use chain::Chain;
pub use chain::custom::Custom;
pub use chain::preset::Preset;
pub use chain::row::Row;
pub use chain::step::{Argument, Branch, Function, Step};
pub use error::{ChainError, DeviceError, Error, LayerError, OperandError};
#[cfg(all(feature = "wgpu", not(target_arch = "wasm32")))]
pub use gpu::adapters;
#[cfg(feature = "wgpu")]
pub use gpu::{Ahead, Bound, Gpu, GpuBuilder, Kernels, LayerPlan, Plan, adapters_async, describe};
pub use half;
pub use pass::Pass;
pub use plan::layer_operands::LayerOperands;
pub use plan::limits::{Geometry, Limits};
pub use plan::memory::Memory;
pub use plan::operand::{Operand, Rows};
pub use plan::operands::Operands;
pub use plan::recipe::{Recipe, RecipeBinding, RecipeDispatch};
pub use tensor::dtype::{DType, DTypes, Element};
pub use tensor::layout::{Broadcast, Layout};
pub use tensor::values::Values;
#[cfg(feature = "wgpu")]
pub use wgpu;
