//! What plans take of wgpu's: operands in buffers, and a device's limits.

use crate::plan::limits::Limits;
use crate::plan::memory::Memory;
use crate::plan::operand::Operand;

impl<'a> Operand<'a> {
    /// [`in_memory`](Self::in_memory) of a buffer, from byte `offset` on.
    pub fn new(buffer: &'a wgpu::Buffer, offset: u64, len: u64) -> Self {
        Self::in_memory(Memory::Buffer(buffer), offset, len)
    }

    /// The first `len` elements of a slice of a buffer. Nothing outside of the slice is read or written, except for the
    /// other bytes of a 32-bit word that it shares.
    pub fn in_slice(slice: wgpu::BufferSlice<'a>, len: u64) -> Self {
        let end = slice.offset() + slice.size();
        Self::within(Memory::Buffer(slice.buffer()), end, slice.offset(), len)
    }
}

impl From<&wgpu::Limits> for Limits {
    fn from(limits: &wgpu::Limits) -> Self {
        Limits {
            max_compute_workgroups_per_dimension: limits.max_compute_workgroups_per_dimension,
            max_compute_invocations_per_workgroup: limits.max_compute_invocations_per_workgroup,
            max_storage_buffer_binding_size: limits.max_storage_buffer_binding_size,
            max_uniform_buffer_binding_size: limits.max_uniform_buffer_binding_size,
            max_storage_buffers_per_shader_stage: limits.max_storage_buffers_per_shader_stage,
            min_storage_buffer_offset_alignment: limits.min_storage_buffer_offset_alignment,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both are what WebGPU promises.
    #[test]
    fn the_defaults_are_wgpus() {
        assert_eq!(Limits::from(&wgpu::Limits::default()), Limits::default());
    }
}
