//! Where operands' bytes are. The one file outside gpu/ that names wgpu: with it an operand may be in a buffer.

/// Where an operand's bytes are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Memory<'a> {
    /// In a buffer, which needs the usage [`STORAGE`](wgpu::BufferUsages::STORAGE).
    #[cfg(feature = "wgpu")]
    Buffer(&'a wgpu::Buffer),
    /// In device memory of an embedding engine, for a [`Recipe`](crate::Recipe).
    External {
        /// The engine's own number for it: two operands with one number lie in the same memory.
        id: u64,
        /// Bytes that the engine can bind. Kernels read and write whole words of 32 bits: the last one is bound whole.
        size: u64,
    },
    /// No value is this. Without wgpu nothing else has the lifetime.
    #[cfg(not(feature = "wgpu"))]
    #[doc(hidden)]
    Never(std::convert::Infallible, std::marker::PhantomData<&'a ()>),
}

impl Memory<'_> {
    /// Bytes.
    pub(crate) fn size(&self) -> u64 {
        match self {
            #[cfg(feature = "wgpu")]
            Memory::Buffer(buffer) => buffer.size(),
            Memory::External { size, .. } => *size,
            #[cfg(not(feature = "wgpu"))]
            Memory::Never(never, _) => match *never {},
        }
    }

    /// The engine's number for the memory, if it is an engine's.
    pub(crate) fn external(&self) -> Option<u64> {
        match self {
            Memory::External { id, .. } => Some(*id),
            #[cfg(feature = "wgpu")]
            Memory::Buffer(_) => None,
            #[cfg(not(feature = "wgpu"))]
            Memory::Never(never, _) => match *never {},
        }
    }

    /// The usages of a buffer that kernels cannot bind.
    pub(crate) fn lacks_storage(&self) -> Option<String> {
        match self {
            #[cfg(feature = "wgpu")]
            Memory::Buffer(buffer) if !buffer.usage().contains(wgpu::BufferUsages::STORAGE) => {
                Some(format!("{:?}", buffer.usage()))
            }
            _ => None,
        }
    }
}
