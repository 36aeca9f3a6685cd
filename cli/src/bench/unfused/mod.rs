//! Layers without fusion, in f32 and NCHW, which `nonlin bench` and the bench of layers compare the library's with: one
//! dispatch for each operation, with every value in memory, as a framework runs them that has no kernels of its own for
//! them.
//!
//! The kernels are the files of this folder. None of them is the library's, and the library's are none of these: they
//! are the simplest that do an operation well. Elementwise ones take four elements at a time where planes allow it, and a
//! sum has a workgroup. A file has one entry point for each operation, and names its operands and numbers; [`tape::Tape`]
//! finds both by name. Lines that end in `//#stub` let a file be checked by itself; what they stand for is in one.wgsl or
//! four.wgsl, one of which goes in front.

mod dynamic_relu;
mod frelu;
mod meta_acon;
mod tape;

pub(crate) use dynamic_relu::dynamic_relu;
pub(crate) use frelu::frelu;
pub(crate) use meta_acon::meta_acon;

use nonlin::Gpu;
use nonlin::layers::{Images, Parameter};
use nonlin::wgpu::{self, ComputePass};
use std::collections::HashMap;

/// What a layer works on.
pub(crate) struct Work<'a> {
    pub(crate) gpu: &'a Gpu,
    /// In NCHW.
    pub(crate) images: Images,
    pub(crate) x: &'a wgpu::Buffer,
    pub(crate) dy: &'a wgpu::Buffer,
    /// The layer's parameters as it lists them, and their elements, one behind the other.
    pub(crate) listed: &'a [Parameter],
    pub(crate) values: &'a [f32],
}

/// A layer's passes. Backward takes what forward left in memory.
pub(crate) struct Unfused {
    pub(crate) forward: Steps,
    pub(crate) backward: Steps,
    pub(crate) y: wgpu::Buffer,
    pub(crate) dx: wgpu::Buffer,
    /// Of each learned parameter, by name.
    pub(crate) gradients: HashMap<String, wgpu::Buffer>,
}

/// One pass: its dispatches, and the bytes that they read and write.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) dispatches: Vec<Dispatch>,
    pub(crate) bytes: u64,
}

/// A kernel with its operands.
#[derive(Clone)]
pub(crate) struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: [u32; 2],
}

impl Dispatch {
    pub(crate) fn record(&self, pass: &mut ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.groups[0], self.groups[1], 1);
    }
}
