//! How elements are stored. Arithmetic is f32 whatever the storage.

/// The type in which an operand's elements are stored.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum DType {
    /// IEEE 754 binary32.
    #[default]
    F32,
}

impl DType {
    /// Every dtype.
    pub const ALL: &'static [DType] = &[DType::F32];

    /// The name, as WGSL and Rust spell it.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> u64 {
        match self {
            DType::F32 => 4,
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
