//! Operands at any place, and what holds for every recipe.

use arbitrary::{Arbitrary, Result, Unstructured};
use nonlin::{DType, DTypes, Limits, Memory, Operand, Pass, Recipe, Rows};

/// A number of any size. Small ones, and those about a power of two, come most often: there things end.
pub fn number(from: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match from.int_in_range(0..=9)? {
        0..=4 => from.int_in_range(0..=80)?,
        5 | 6 => 4 * from.int_in_range(0..=1024)?,
        7 => from.arbitrary::<u16>()?.into(),
        8 => {
            let near = from.int_in_range(-2..=2)?;
            (1u64 << from.int_in_range(0..=63)?).wrapping_add_signed(near)
        }
        _ => from.arbitrary()?,
    })
}

/// Once in so many times; never where the input has ended.
pub fn seldom(from: &mut Unstructured<'_>, times: u8) -> Result<bool> {
    Ok(!from.ratio(times - 1, times)?)
}

pub fn dtype(from: &mut Unstructured<'_>) -> Result<DType> {
    from.choose(DType::ALL).copied()
}

/// One for all, most often.
pub fn dtypes(from: &mut Unstructured<'_>) -> Result<DTypes> {
    let mut dtypes = DTypes::from(dtype(from)?);
    if seldom(from, 3)? {
        for dtype in [&mut dtypes.x, &mut dtypes.y, &mut dtypes.dy, &mut dtypes.dx] {
            *dtype = self::dtype(from)?;
        }
    }
    Ok(dtypes)
}

/// That of a pass's operand.
pub fn dtype_of(dtypes: DTypes, operand: &str) -> DType {
    match operand {
        "x" => dtypes.x,
        "y" => dtypes.y,
        "dy" => dtypes.dy,
        _ => dtypes.dx,
    }
}

pub fn pass(from: &mut Unstructured<'_>) -> Result<Pass> {
    from.choose(&Pass::ALL).copied()
}

/// Those of a device, most often, or any.
pub fn limits(from: &mut Unstructured<'_>) -> Result<Limits> {
    let mut limits = Limits::default();
    if seldom(from, 2)? {
        limits.max_storage_buffer_binding_size = number(from)?;
    }
    if seldom(from, 4)? {
        limits.min_storage_buffer_offset_alignment = match seldom(from, 8)? {
            true => number(from)? as u32,
            false => 4 << from.int_in_range(0..=12)?,
        };
    }
    if seldom(from, 4)? {
        limits.max_compute_workgroups_per_dimension = number(from)? as u32;
    }
    if seldom(from, 8)? {
        limits.max_compute_invocations_per_workgroup = number(from)? as u32;
    }
    if seldom(from, 8)? {
        limits.max_uniform_buffer_binding_size = number(from)?;
    }
    if seldom(from, 8)? {
        limits.max_storage_buffers_per_shader_stage = number(from)? as u32;
    }
    Ok(limits)
}

/// The host's memory: a few pieces that operands share, and one for each operand that has its own.
#[derive(Debug)]
pub struct Memories {
    sizes: Vec<u64>,
    /// Where in shared pieces the last operand ends.
    ends: [u64; SHARED],
}

/// Pieces that operands share.
const SHARED: usize = 3;

impl<'a> Arbitrary<'a> for Memories {
    fn arbitrary(from: &mut Unstructured<'a>) -> Result<Self> {
        let size = |from: &mut Unstructured<'_>| match seldom(from, 2)? {
            true => Ok(number(from)?.saturating_mul(64)),
            false => Ok(1 << 32),
        };
        Ok(Memories {
            sizes: (0..SHARED).map(|_| size(from)).collect::<Result<_>>()?,
            ends: [0; SHARED],
        })
    }
}

impl Memories {
    fn memory(&self, id: usize) -> Memory<'static> {
        Memory::External {
            id: id as u64,
            size: self.sizes[id],
        }
    }

    /// An operand of so many elements, or not quite so many, somewhere.
    pub fn operand(
        &mut self,
        from: &mut Unstructured<'_>,
        len: u64,
        dtype: DType,
    ) -> Result<Operand<'static>> {
        let len = if seldom(from, 32)? {
            number(from)?
        } else {
            len
        };
        let rows = rows(from, len)?;
        let gaps = (len / rows.len.max(1)).saturating_sub(1);
        let last = gaps.saturating_mul(rows.stride).saturating_add(rows.len);
        let bytes = last.saturating_mul(dtype.size());
        if seldom(from, 3)? {
            let id = from.int_in_range(0..=SHARED - 1)?;
            let unit = if seldom(from, 16)? { 1 } else { dtype.size() };
            let mut offset = number(from)?.saturating_mul(unit);
            // Behind the one before it, or anywhere.
            if !seldom(from, 3)? {
                let end = self.ends[id].div_ceil(4).saturating_mul(4);
                offset = offset.saturating_add(end);
            }
            self.ends[id] = offset.saturating_add(bytes);
            return Ok(Operand::in_memory(self.memory(id), offset, len).rows(rows));
        }
        // With room for it, mostly to the word.
        let offset = if seldom(from, 4)? { number(from)? } else { 0 };
        let offset = offset.saturating_mul(dtype.size());
        let size = bytes.saturating_add(offset);
        let is_exact = seldom(from, 8)?;
        self.sizes.push(match size.checked_next_multiple_of(16) {
            Some(whole) if !is_exact => whole,
            _ => size,
        });
        let memory = self.memory(self.sizes.len() - 1);
        Ok(Operand::in_memory(memory, offset, len).rows(rows))
    }

    /// What holds for every recipe: its bindings lie in their memory, where and as large as the device allows, and only what
    /// outputs lie in is written.
    pub fn check(&self, recipe: &Recipe, limits: &Limits, outputs: &[Operand<'_>]) {
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        // Scratch that a layer has no need of is empty.
        let outputs = outputs.iter().filter(|output| !output.is_empty());
        let outputs: Vec<_> = outputs.map(id).collect();
        let mut written = Vec::new();
        for dispatch in recipe.dispatches() {
            let bindings = dispatch.bindings();
            assert!(bindings.len() <= limits.max_storage_buffers_per_shader_stage as usize);
            let bound = dispatch.wgsl().matches("@binding(").count();
            assert_eq!(bound, bindings.len() + 1, "{}", dispatch.label());
            let lanes = lanes(dispatch.wgsl()).expect("a workgroup's size");
            assert!(lanes <= limits.max_compute_invocations_per_workgroup);
            for binding in bindings {
                let size = match binding.id() {
                    // The last word is bound whole.
                    Some(id) => self.sizes[id as usize].div_ceil(4).saturating_mul(4),
                    None => recipe.scratch_bytes(),
                };
                let end = binding.offset().checked_add(binding.size());
                assert!(end.is_some_and(|end| end <= size), "{binding:?} of {size}");
                assert!(binding.size() <= limits.max_storage_buffer_binding_size);
                assert!(binding.size() > 0 && binding.size().is_multiple_of(4));
                assert!(binding.offset().is_multiple_of(alignment));
                if let Some(id) = binding.id().filter(|_| binding.is_written()) {
                    assert!(outputs.contains(&id), "{binding:?} is no output");
                    written.push(id);
                }
            }
            let uniform = 4 * dispatch.arguments().len() as u64;
            assert!(uniform <= limits.max_uniform_buffer_binding_size);
            for groups in dispatch.workgroups() {
                assert!((1..=limits.max_compute_workgroups_per_dimension).contains(&groups));
            }
        }
        let is_written = |id: &u64| written.contains(id);
        assert!(recipe.dispatches().is_empty() || outputs.iter().all(is_written));
    }
}

/// Invocations of a kernel's workgroup: a number, or a constant's.
fn lanes(text: &str) -> Option<u32> {
    let behind = |what: &str, end| Some(text.split_once(what)?.1.split_once(end)?.0);
    let number = |text: &str| text.trim_end_matches('u').parse().ok();
    let size = behind("@workgroup_size(", ')')?;
    number(size).or_else(|| number(behind(&format!("const {size}: u32 = "), ';')?))
}

/// The number of an operand's memory.
fn id(operand: &Operand<'_>) -> u64 {
    match operand.memory() {
        Memory::External { id, .. } => id,
        _ => unreachable!("memory of the host"),
    }
}

/// How elements lie: without gaps, most often.
fn rows(from: &mut Unstructured<'_>, len: u64) -> Result<Rows> {
    let flat = Rows { len, stride: len };
    Ok(match from.int_in_range(0..=7)? {
        0..=4 => flat,
        5 => Rows { len: 1, stride: 2 },
        6 => {
            let row = len / from.int_in_range(1..=16)?;
            let gap = number(from)?;
            Rows {
                len: row,
                stride: row.saturating_add(gap),
            }
        }
        _ => Rows {
            len: number(from)?,
            stride: number(from)?,
        },
    })
}
