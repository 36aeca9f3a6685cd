//! What of a device decides how work is cut.

use crate::error::{DeviceError, Error};

/// What a device allows, as far as it matters here, under WebGPU's names. The default is what WebGPU promises of every
/// device.
///
/// ```
/// // An engine whose device binds more, at places further apart.
/// let limits = nonlin::Limits {
///     max_storage_buffer_binding_size: 1 << 30,
///     min_storage_buffer_offset_alignment: 4096,
///     ..nonlin::Limits::default()
/// };
/// assert_eq!(limits.max_compute_workgroups_per_dimension, 65_535);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Workgroups of a dispatch in one dimension.
    pub max_compute_workgroups_per_dimension: u32,
    /// Invocations in a workgroup: 64 at least, which some kernels are written for; layers need 256.
    pub max_compute_invocations_per_workgroup: u32,
    /// Bytes of a storage binding.
    pub max_storage_buffer_binding_size: u64,
    /// Bytes of a uniform binding.
    pub max_uniform_buffer_binding_size: u64,
    /// Storage bindings of a kernel.
    pub max_storage_buffers_per_shader_stage: u32,
    /// What offsets of storage bindings are multiples of, in bytes: a power of two, 4 at least.
    pub min_storage_buffer_offset_alignment: u32,
    /// Words (of 4 elements) that an invocation has of a row, 1 to 8, before another joins it. Each has the chain's code once
    /// more: FXC, which DX12 compiles with by default, takes up to ten times as long for 8 as for 2, many seconds where rows
    /// are f16. [`Kernels`](crate::Kernels) has [`ROW_WORDS_ON_DX12`](Self::ROW_WORDS_ON_DX12) there, and 8 elsewhere. This is
    /// ours, not WebGPU's.
    pub row_words: u32,
    /// Words that an invocation has of a sample, 1 to 8, where channels lie beside each other and their values are held: fewer
    /// if several gradients are summed. On a GPU one, since all invocations read at once; on a processor eight, since it reads
    /// memory as it lies only then, and takes a fifth of the time. FXC takes up to half a minute over eight.
    /// [`Kernels`](crate::Kernels) has [`COLUMN_WORDS_ON_PROCESSORS`](Self::COLUMN_WORDS_ON_PROCESSORS) where the adapter is
    /// one, but on DX12. More than one also says that few invocations run at a time: sums of rows then have fewer workgroups,
    /// and fewer stages. Sums may differ in their last bits from those with one. This is ours, not WebGPU's.
    pub column_words: u32,
}

/// Of a row, or of a sample, at most.
const MOST_WORDS: u32 = 8;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_compute_workgroups_per_dimension: 65_535,
            max_compute_invocations_per_workgroup: 256,
            max_storage_buffer_binding_size: 128 << 20,
            max_uniform_buffer_binding_size: 64 << 10,
            max_storage_buffers_per_shader_stage: 8,
            min_storage_buffer_offset_alignment: 256,
            row_words: MOST_WORDS,
            column_words: 1,
        }
    }
}

impl Limits {
    /// [`row_words`](Self::row_words) for DX12's compilers.
    pub const ROW_WORDS_ON_DX12: u32 = 2;

    /// [`column_words`](Self::column_words) for adapters that are processors.
    pub const COLUMN_WORDS_ON_PROCESSORS: u32 = 8;

    /// Refuses what no kernel can keep to, whose workgroups have so many invocations.
    pub(crate) fn check(&self, invocations: u32) -> Result<(), Error> {
        let groups = self.max_compute_workgroups_per_dimension;
        let most = self.max_compute_invocations_per_workgroup;
        let alignment = self.min_storage_buffer_offset_alignment;
        let refused = |limit, needs, value| {
            Err(Error::Device(DeviceError::BadLimit {
                limit,
                needs,
                value,
            }))
        };
        if groups == 0 {
            return refused("max_compute_workgroups_per_dimension", "1 at least", groups);
        }
        if most < invocations {
            let needs = match invocations {
                LAYERS => "256 at least for a layer",
                _ => "64 at least",
            };
            return refused("max_compute_invocations_per_workgroup", needs, most);
        }
        if alignment < 4 || !alignment.is_power_of_two() {
            let needs = "a power of two, 4 at least";
            return refused("min_storage_buffer_offset_alignment", needs, alignment);
        }
        let words = [
            ("row_words", self.row_words),
            ("column_words", self.column_words),
        ];
        let bad = words
            .into_iter()
            .find(|(_, words)| !(1..=MOST_WORDS).contains(words));
        bad.map_or(Ok(()), |(limit, words)| refused(limit, "1 to 8", words))
    }
}

/// Invocations of a workgroup that chains' kernels need, and layers'.
pub(crate) const CHAINS: u32 = 64;
pub(super) const LAYERS: u32 = 256;

/// How a kernel is cut into invocations. The default serves; measure before choosing another
/// (`nonlin bench --workgroup 64 --words 4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Invocations in a workgroup.
    pub workgroup: u32,
    /// Words (of 4 elements where the operands' places allow it) that each invocation handles.
    pub words: u32,
}

impl Default for Geometry {
    fn default() -> Self {
        Geometry {
            workgroup: 256,
            words: 1,
        }
    }
}

/// A device as plans know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) limits: Limits,
    pub(crate) geometry: Geometry,
    /// Whether it is a processor, whose drivers run what no lane of a loop asks for.
    pub(crate) is_processor: bool,
}

impl Machine {
    pub(crate) fn new(limits: Limits) -> Self {
        let geometry = Geometry {
            workgroup: Geometry::default()
                .workgroup
                .min(limits.max_compute_invocations_per_workgroup),
            ..Geometry::default()
        };
        Machine {
            limits,
            geometry,
            is_processor: false,
        }
    }

    /// Whether few invocations run at a time, as on a processor: then a few of much work each are better than many.
    pub(crate) fn is_serial(&self) -> bool {
        self.limits.column_words > 1
    }

    /// Words of an invocation, of a kernel that settles some elements behind the others or not: a processor takes as long over
    /// none of them as over one, so that an invocation has many words there.
    pub(crate) fn words(&self, settles: bool) -> u32 {
        match self.is_processor && settles {
            true => self.geometry.words.max(8),
            false => self.geometry.words,
        }
    }

    /// Words of a sample that an invocation has where channels lie beside each other and `sums` gradients are summed: as many
    /// as are asked for, of which registers and 16 KiB of workgroup memory hold the sums. A power of two.
    pub(crate) fn column_words(&self, sums: usize) -> u32 {
        let room = match sums {
            0 | 1 => 8,
            2 | 3 => 4,
            4..=7 => 2,
            _ => 1,
        };
        let asked = self.limits.column_words.min(room);
        1 << asked.ilog2()
    }

    /// Workgroups in a row, and rows, for so many in all. Rows are of equal length: 65,536 groups are 2 x
    /// 32,768, not 2 x 65,535.
    pub(crate) fn grid(&self, groups: u64) -> [u32; 2] {
        let most = u64::from(self.limits.max_compute_workgroups_per_dimension);
        let rows = groups.div_ceil(most);
        [groups.div_ceil(rows) as u32, rows as u32]
    }

    /// Bytes that one binding can hold.
    pub(crate) fn limit(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(1 << 31)
    }

    pub(crate) fn alignment(&self) -> u64 {
        u64::from(self.limits.min_storage_buffer_offset_alignment)
    }
}
