//! A chain's pass over given operands, and how it is cut into dispatches: element by element here, by sweeps that hold
//! or sum channels' values in sweep.rs.

use super::launch::Launches;
use super::limits::Machine;
use super::operand::Rows;
use super::operands::Operands;
use super::placed::{Given, Placed};
use super::slots::{Slot, Slots};
use super::task::Task;
use crate::chain::Chain;
use crate::error::{ChainError, DeviceError, Error};
use crate::tensor::layout::{Broadcast, Layout, Whose};
use crate::wgsl::{Access, Body, RowArgs, SumOf, Sweep, SweepArgs, settles};

/// Elements in a word of [`Access::Vec4`].
pub(super) const WORD: u64 = 4;

/// What kernels that divide can count to.
const COUNTABLE: u64 = 1 << 31;

/// Dispatches of a pass, where bindings reach a part of the elements: of 128 MiB each they reach 512 GiB.
const MOST_DISPATCHES: u64 = 1 << 12;

/// A pass over operands, while its dispatches are worked out.
pub(super) struct Work<'a> {
    pub(super) task: &'a Task,
    pub(super) machine: &'a Machine,
    /// Elements of x.
    pub(super) len: u64,
    pub(super) layout: Layout,
    /// Seed and offset.
    pub(super) random: [u64; 2],
    /// Rows of a matrix, where they are masked by their number.
    pub(super) queries: Option<u64>,
    pub(super) slots: Slots<'a>,
}

/// How dispatches go through the elements, and what they write.
pub(super) struct Cut<'w, 'a> {
    pub(super) access: Access,
    pub(super) sweep: Sweep,
    /// Whether a sweep's channels are the operands' own, so that their values can be held.
    pub(super) holds: bool,
    pub(super) outputs: Vec<&'w Slot<'a>>,
    /// Bytes of partial sums; zero where nothing is summed.
    pub(super) scratch: u64,
    /// Over whole rows, what is left of each summed gradient.
    pub(super) sums_of: Vec<SumOf>,
}

/// The elements of one dispatch.
pub(super) struct Piece {
    pub(super) start: u64,
    pub(super) len: u64,
    /// Workgroups.
    pub(super) groups: u64,
    /// For sweeps, how they go.
    pub(super) sweep: Option<SweepArgs>,
    pub(super) rows: Option<RowArgs>,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        task: &'a Task,
        machine: &'a Machine,
        given: Given<'a>,
        operands: &Operands<'_>,
    ) -> Result<Self, Error> {
        let (layout, len) = (given.layout, given.len);
        let work = Work {
            task,
            machine,
            len,
            layout,
            random: operands.random,
            queries: operands.queries,
            slots: Slots::new(task, given)?,
        };
        if work.counts() && len >= COUNTABLE {
            let size = work.size();
            return Err(Error::Device(DeviceError::TooLarge {
                what: "x, with channels, rows or random numbers,".into(),
                bytes: len.saturating_mul(size),
                limit: COUNTABLE * size,
            }));
        }
        Ok(work)
    }

    pub(super) fn body(&self) -> Body<'a> {
        self.task.body()
    }

    /// Bytes of an element of x, or of y where the pass is from y.
    pub(super) fn size(&self) -> u64 {
        self.slots.inputs[0].placed.dtype.size()
    }

    /// All operands that are not sums.
    pub(super) fn placed(&self) -> impl Iterator<Item = &Placed<'a>> {
        let slots = self.slots.inputs.iter().chain(&self.slots.outputs);
        slots.map(|slot| &slot.placed)
    }

    /// Whether kernels count elements from the beginning of x.
    fn counts(&self) -> bool {
        let draws = self.task.chain.as_ref().is_some_and(Chain::is_random);
        let mut placed = self.placed();
        draws
            || !self.slots.sums.is_empty()
            || placed.any(|p| p.rows().is_some() || !matches!(p.whose, Whose::Each | Whose::Shared))
    }

    /// Whether all operands that are reached element by element allow four at a time.
    pub(super) fn access(&self) -> Access {
        let fits = |p: &Placed<'_>| {
            if p.pairs().is_some() {
                return true;
            }
            let word = WORD * p.dtype.size();
            let rows = p.rows().is_none_or(|Rows { len, stride }| {
                len.is_multiple_of(WORD) && stride.is_multiple_of(WORD)
            });
            rows && p.bytes.start.is_multiple_of(word)
                && matches!(p.bytes.end.checked_next_multiple_of(word), Some(end) if end <= p.operand.end())
        };
        let all = self.placed().all(|p| match p.whose {
            Whose::Each => fits(p),
            Whose::Shared => true,
            whose => {
                let Broadcast {
                    inner,
                    count,
                    period,
                } = self.layout.spread(whose, self.len);
                inner.is_multiple_of(WORD)
                    || (inner == 1 && count.is_multiple_of(WORD))
                    || (inner > WORD && period == self.len)
            }
        });
        if all { Access::Vec4 } else { Access::Scalar }
    }

    /// All that is dispatched, in order.
    pub(super) fn launches(&self) -> Result<Launches<'a>, Error> {
        let mut launches = Launches::default();
        if self.task.is_over_rows() {
            self.rows(&mut launches)?;
            return Ok(launches);
        }
        self.refuse_broadcast_sums()?;
        let access = self.access();
        let outputs: Vec<_> = self.slots.outputs.iter().collect();
        let small = outputs.iter().any(|output| output.placed.dtype.size() < 4);
        let partials = self.partials(access);
        // What is summed goes along with what is written, but where two elements that share 32 bits
        // may come to different workgroups: then x is read once more.
        let apart = small && partials.access == Access::Scalar;
        // A word's channels beside each other are found by one division; to hold them is worth it only if they are many.
        let holds = partials.holds && partials.sweep != Sweep::Columns(1);
        let sweeps = !self.slots.sums.is_empty()
            || (holds && !apart && self.blocks_at_once(&partials, &outputs).is_some());
        if sweeps {
            self.swept(&mut launches, &partials, apart)?;
        }
        if apart || !sweeps {
            self.each(&mut launches, access, small)?;
        }
        Ok(launches)
    }

    /// Sweeps sum for channels, and for all; of what is broadcast otherwise, only kernels over whole rows leave shares.
    fn refuse_broadcast_sums(&self) -> Result<(), Error> {
        let mut sums = self.slots.sums.iter();
        let found = sums.find(|sum| matches!(sum.whose, Whose::Broadcast(_)));
        found.map_or(Ok(()), |sum| {
            Err(Error::Chain(ChainError::NoGradient {
                operand: sum.name.replacen("d_", "@", 1),
                why: "its values are broadcast in a way that only chains with a step over whole rows sum for"
                    .into(),
            }))
        })
    }

    /// The dispatches that write what is written element by element.
    fn each(&self, launches: &mut Launches<'a>, access: Access, small: bool) -> Result<(), Error> {
        let outputs = &self.slots.outputs;
        if access == Access::Vec4 || !small || outputs.len() == 1 {
            return self.pieces(launches, access, outputs.iter().collect());
        }
        // Outputs that share 32 bits with their neighbours, each in its own way, are written one after
        // another; those in the place of an input last.
        let (replacing, others): (Vec<_>, Vec<_>) =
            outputs.iter().partition(|output| output.in_place.is_some());
        if let [first, second, ..] = replacing.as_slice() {
            return Err(first.placed.overlap(&second.placed));
        }
        for output in others.into_iter().chain(replacing) {
            self.pieces(launches, access, vec![output])?;
        }
        Ok(())
    }

    /// Covers all elements by dispatches that reach as far as one binding and one grid do.
    fn pieces(
        &self,
        launches: &mut Launches<'a>,
        access: Access,
        outputs: Vec<&Slot<'a>>,
    ) -> Result<(), Error> {
        // Both ends of a binding may have to be rounded outwards. Pieces begin at aligned places whatever
        // the dtype, so that each has the whole's offsets.
        let alignment = self.machine.alignment();
        let piece = if self.has_rows(&outputs, access) {
            self.len
        } else {
            (self.capacity(&outputs, access) / alignment * alignment).max(alignment)
        };
        self.check_dispatches(self.len.div_ceil(piece))?;
        // Where 32 bits hold two results, the first may be alone in its word.
        let sizes = outputs.iter().map(|output| output.placed.dtype.size());
        let size = sizes.min().unwrap_or(4);
        let is_ragged = outputs.iter().any(|output| output.placed.is_ragged());
        let cut = Cut {
            access,
            sweep: Sweep::Each,
            holds: false,
            outputs,
            scratch: 0,
            sums_of: Vec::new(),
        };
        for start in (0..self.len).step_by(piece as usize) {
            let len = piece.min(self.len - start);
            let words = match (access, size) {
                (Access::Vec4, _) => len.div_ceil(WORD),
                (Access::Scalar, _) if is_ragged => len,
                (Access::Scalar, 4) => len,
                (Access::Scalar, _) => len / 2 + 1,
            };
            let geometry = self.machine.geometry;
            let piece = Piece {
                start,
                len,
                groups: words.div_ceil(u64::from(geometry.workgroup) * u64::from(self.words())),
                sweep: None,
                rows: None,
            };
            launches.push(self.machine, self.launch(&cut, &piece)?)?;
        }
        Ok(())
    }

    /// Words of an invocation.
    pub(super) fn words(&self) -> u32 {
        let inputs = self.slots.inputs.iter().map(|slot| slot.placed.dtype);
        let result = self.slots.outputs.first().map(|slot| slot.placed.dtype);
        let settles = result.is_some_and(|result| settles(self.task.body(), inputs, result));
        self.machine.words(settles)
    }

    /// Refuses to cut the elements into more pieces than anyone would launch.
    pub(super) fn check_dispatches(&self, count: u64) -> Result<(), Error> {
        if count <= MOST_DISPATCHES {
            return Ok(());
        }
        let bytes = self.len.saturating_mul(self.size());
        Err(Error::Device(DeviceError::TooLarge {
            what: format!("x, in {count} dispatches,"),
            bytes,
            limit: (bytes / count).saturating_mul(MOST_DISPATCHES),
        }))
    }

    /// Whether operands in rows with gaps, which cannot be cut, are among what is read and these outputs. Pairs are not, where
    /// four are taken at a time.
    pub(super) fn has_rows(&self, outputs: &[&Slot<'_>], access: Access) -> bool {
        let mut slots = self.slots.inputs.iter().chain(outputs.iter().copied());
        slots.any(|slot| {
            let is_cut = access == Access::Vec4 && slot.placed.pairs().is_some();
            slot.placed.rows().is_some() && !is_cut
        })
    }

    /// Elements that one binding of each operand can hold.
    pub(super) fn capacity(&self, outputs: &[&Slot<'_>], access: Access) -> u64 {
        let slots = self.slots.inputs.iter().chain(outputs.iter().copied());
        let size = |slot: &Slot<'_>| {
            let pairs = slot.placed.pairs().filter(|_| access == Access::Vec4);
            slot.placed.dtype.size() * if pairs.is_some() { 2 } else { 1 }
        };
        let largest = slots.map(size).fold(1, u64::max);
        // Both ends are rounded outwards: to the alignment, and to a word.
        let rounding = self.machine.alignment() + WORD * largest;
        self.machine.limit().saturating_sub(rounding) / largest
    }
}
