//! Sweeps: dispatches that go through the elements channel by channel, so that a channel's values are loaded once, and
//! gradients of values that elements share are summed on the way. Where channels lie beside each other, what sums nothing is swept
//! only if an invocation has several words of a sample.
//!
//! A sum is taken in three stages, so that it is never long and its order depends on the shape and on
//! [`Limits::column_words`](super::limits::Limits::column_words) alone. An invocation adds up `chunk` terms at a time; a
//! workgroup adds up its invocations, which gives one partial sum for each part of the tensor; one more dispatch adds up the
//! partial sums of each value.

use super::dispatch::COPY_ALIGNMENT;
use super::launch::{Binding, Code, Launch, Launches};
use super::placed::Placed;
use super::rows::Left;
use super::slots::Slot;
use super::work::{Cut, Piece, WORD, Work};
use crate::error::{DeviceError, Error};
use crate::tensor::layout::{Layout, Whose};
use crate::wgsl::{Access, LANES, SumOf, Sweep, SweepArgs};

/// Elements of a row that a workgroup sums. Where an invocation has single elements, half of it, since its sum has four
/// times as many terms.
const TILE: u64 = 4096;

/// Words in one running sum.
const CHUNK: u64 = 16;

/// Invocations that have words beside each other: what is one transaction of a GPU's memory, and what a processor runs at a time.
const EIGHT: u64 = 8;

/// Such eights in a workgroup.
const EIGHTS: u64 = LANES as u64 / EIGHT;

/// Words of a row that an invocation has, if it has so many, before other invocations go along the row as well.
const ROW_WORDS: u64 = 8;

/// Samples that a workgroup has at least where channels lie beside each other.
const ROWS: u64 = 128;

/// Rows of fewer elements than this are summed by columns.
const SHORT_ROW: u64 = 32;

/// Elements that a row has at least for a sweep that sums nothing.
const HELD_ROW: u64 = 1024;

/// How elements are swept, and how the summed gradients' partial sums lie: `blocks` times `channels` times
/// `tiles` of each.
pub(super) struct Partials {
    pub(super) sweep: Sweep,
    /// Whether channels are the operands' own, so that their values can be held.
    pub(super) holds: bool,
    pub(super) access: Access,
    outer: u64,
    channels: u64,
    inner: u64,
    /// Samples that are summed together.
    block: u64,
    /// Elements of a row that a workgroup has, and such parts in a row.
    tile: u64,
    tiles: u64,
    /// Eights of invocations that go along a row, a power of two. The others of a workgroup have other channels.
    along: u64,
    /// Words of a sample that a workgroup has, where channels lie beside each other.
    columns: u64,
}

impl Partials {
    fn blocks(&self) -> u64 {
        self.outer.div_ceil(self.block)
    }

    /// Of each gradient.
    fn count(&self) -> u64 {
        self.blocks() * self.channels * self.tiles
    }

    /// Elements of a sample.
    fn sample(&self) -> u64 {
        self.channels * self.inner
    }

    /// The dispatch of `here` blocks from `block` on, of `len` elements in all. The kernel counts along rows, or across
    /// channels, in words.
    fn piece(&self, block: u64, here: u64, len: u64) -> Piece {
        let unit = match self.access {
            Access::Vec4 => WORD,
            Access::Scalar => 1,
        };
        let outer = (here * self.block).min(self.outer - block * self.block);
        let start = block * self.block * self.sample();
        let first = block * self.channels * self.tiles;
        let common = SweepArgs {
            outer: outer as u32,
            block: self.block as u32,
            stride: self.count() as u32,
            ..SweepArgs::default()
        };
        let sweep = if let Sweep::Columns(_) = self.sweep {
            let tiles = (self.channels / unit).div_ceil(self.columns);
            SweepArgs {
                groups: (here * tiles) as u32,
                channels: (self.channels / unit) as u32,
                inner: self.inner as u32,
                chunk: CHUNK.div_ceil(self.inner) as u32,
                tile: self.columns as u32,
                tiles: tiles as u32,
                first: (first / unit) as u32,
                ..common
            }
        } else {
            let words = self.inner.min(self.tile) / unit;
            let across = self.channels.div_ceil(EIGHTS / self.along);
            SweepArgs {
                groups: (here * self.tiles * across) as u32,
                channels: self.channels as u32,
                across: across as u32,
                inner: (self.inner / unit) as u32,
                along_log2: self.along.ilog2(),
                chunk: CHUNK.div_ceil(words.div_ceil(EIGHT * self.along)) as u32,
                tile: (self.tile / unit) as u32,
                tiles: self.tiles as u32,
                first: first as u32,
                ..common
            }
        };
        Piece {
            start,
            len: (outer * self.sample()).min(len - start),
            groups: sweep.groups.into(),
            sweep: Some(sweep),
            rows: None,
        }
    }
}

impl<'a> Work<'a> {
    /// Whether values of a channel are among the inputs or the sums.
    fn has_channels(&self) -> bool {
        let inputs = self.slots.inputs.iter().map(|input| input.placed.whose);
        let mut all = inputs.chain(self.slots.sums.iter().map(|sum| sum.whose));
        all.any(|whose| matches!(whose, Whose::Channel | Whose::SampleChannel))
    }

    /// Whether gradients are summed for values of this kind.
    fn sums_for(&self, whose: Whose) -> bool {
        self.slots.sums.iter().any(|sum| sum.whose == whose)
    }

    /// Blocks of samples that one dispatch reaches: pieces are whole blocks, and rows are not cut. None if it
    /// reaches too few.
    pub(super) fn blocks_at_once(&self, partials: &Partials, outputs: &[&Slot<'_>]) -> Option<u64> {
        let block = partials.sample() * partials.block;
        let blocks = (self.capacity(outputs, partials.access) / block).min(partials.blocks());
        let too_few =
            blocks == 0 || (self.has_rows(outputs, partials.access) && blocks < partials.blocks());
        (!too_few).then_some(blocks)
    }

    /// How elements are swept.
    pub(super) fn partials(&self, access: Access) -> Partials {
        let wide = access == Access::Vec4 && self.len.is_multiple_of(WORD);
        let room = self.capacity(&self.slots.outputs.iter().collect::<Vec<_>>(), access);
        let Layout {
            outer,
            channels,
            inner,
        } = self.layout;
        let by_rows = inner >= SHORT_ROW;
        let wide_here = match by_rows {
            true => wide && inner.is_multiple_of(WORD),
            false => wide && inner == 1 && channels.is_multiple_of(WORD),
        };
        let unit = if wide_here { WORD } else { 1 };
        // Where nothing is summed: to find the channels of each word is faster than to sweep by rows of fewer words.
        let is_worth_it = match by_rows {
            true => wide_here && inner >= HELD_ROW,
            false => inner < WORD && channels / unit >= u64::from(LANES) / 2,
        };
        let holds = self.has_channels() && is_worth_it;
        let tile = if unit == 1 { TILE / 2 } else { TILE };
        let of_channels = self.sums_for(Whose::SampleChannel) || self.sums_for(Whose::Channel);
        let access = |wide| if wide { Access::Vec4 } else { Access::Scalar };
        if !of_channels && !holds {
            return self.flat(access(wide), tile.min(room / WORD * WORD).max(WORD));
        }
        // Samples that one binding can hold, and that are enough for a workgroup or an invocation.
        let most = (room / (channels * inner)).max(1).min(outer);
        let (words, beside) = self.column_words(channels / unit);
        let along = match self.slots.sums.is_empty() {
            true => EIGHTS,
            false => (inner.min(tile) / unit).div_ceil(EIGHT * ROW_WORDS),
        };
        let along = along.next_power_of_two().min(EIGHTS);
        Partials {
            sweep: match by_rows {
                true => Sweep::Rows,
                false => Sweep::Columns(words),
            },
            holds: true,
            access: access(wide_here),
            outer,
            channels,
            inner,
            block: self.block(by_rows, EIGHTS / along).min(most),
            tile: if by_rows { tile } else { 1 },
            tiles: if by_rows { inner.div_ceil(tile) } else { 1 },
            along,
            columns: beside * u64::from(words),
        }
    }

    /// Where channels do not matter: rows of one tile each.
    fn flat(&self, access: Access, tile: u64) -> Partials {
        Partials {
            sweep: Sweep::Rows,
            holds: false,
            access,
            outer: self.len.div_ceil(tile),
            channels: 1,
            inner: tile,
            block: 1,
            tile,
            tiles: 1,
            along: EIGHTS,
            columns: 1,
        }
    }

    /// How many words of a sample an invocation has where channels lie beside each other, and how many invocations go through
    /// one sample.
    fn column_words(&self, words: u64) -> (u32, u64) {
        let most = self.machine.column_words(self.slots.sums.len());
        // Where each sample has sums of its own, there are no others to share a workgroup.
        if most == 1 || self.sums_for(Whose::SampleChannel) {
            return (most, u64::from(LANES));
        }
        // No more than there are: lavapipe executes what stands there for more.
        let needed = words.div_ceil(EIGHT).next_power_of_two();
        (needed.min(most.into()) as u32, EIGHT)
    }

    /// Samples that are enough for a workgroup that has rows of so many channels, or an invocation that has columns.
    fn block(&self, by_rows: bool, at_once: u64) -> u64 {
        let Layout { outer, inner, .. } = self.layout;
        let sums = self.slots.sums.len() as u64;
        if self.sums_for(Whose::SampleChannel) || (by_rows && sums == 0) {
            // Each sample has sums of its own, or there are none.
            1
        } else if by_rows {
            // Of a long tensor, 1024 workgroups or more remain. A processor has enough of fewer, and takes some ten
            // microseconds for the barriers of each.
            let least = if self.machine.is_serial() { 4 } else { 1 };
            let elements = (self.len / 1024).clamp(least * TILE, 4 * TILE);
            if self.sums_for(Whose::Channel) {
                // Blocks of as many samples each.
                let samples = elements.div_ceil(inner * at_once);
                outer.div_ceil(outer.div_ceil(samples).max(1))
            } else {
                1
            }
        } else {
            // As many rows to a workgroup as keep all sums below 1/512 of x.
            let rows = (sums * 4 * 512 / self.size()).max(ROWS).div_ceil(inner);
            outer.div_ceil((outer / rows).max(1))
        }
    }

    /// The dispatches that sweep, which sum, and write what is written along with it if it is not written apart;
    /// and the one that adds up the partial sums, if there are any.
    pub(super) fn swept(
        &self,
        launches: &mut Launches<'a>,
        partials: &Partials,
        apart: bool,
    ) -> Result<(), Error> {
        let outputs = if apart { &[] } else { &self.slots.outputs[..] };
        let scratch = partials.count() * self.slots.sums.len() as u64 * 4;
        self.check_scratch(scratch)?;
        let cut = Cut {
            access: partials.access,
            sweep: partials.sweep,
            holds: partials.holds,
            outputs: outputs.iter().collect(),
            scratch,
            sums_of: Vec::new(),
        };
        let Some(blocks) = self.blocks_at_once(partials, &cut.outputs) else {
            return Err(Error::Device(DeviceError::TooLarge {
                what: "what is summed at a time".into(),
                bytes: partials.sample() * partials.block * self.size(),
                limit: self.capacity(&cut.outputs, cut.access) * self.size(),
            }));
        };
        self.check_dispatches(partials.blocks().div_ceil(blocks))?;
        launches.scratch = scratch;
        for block in (0..partials.blocks()).step_by(blocks as usize) {
            let here = blocks.min(partials.blocks() - block);
            let piece = partials.piece(block, here, self.len);
            launches.push(self.machine, self.launch(&cut, &piece)?)?;
        }
        if !self.slots.sums.is_empty() {
            let sums = self.slots.sums.iter();
            let left: Vec<_> = sums.map(|sum| Self::left_of(sum, partials)).collect();
            launches.push(self.machine, self.finish(&left, scratch))?;
        }
        Ok(())
    }

    /// How the partial sums of a gradient lie.
    fn left_of(sum: &Placed<'_>, partials: &Partials) -> Left {
        let count = partials.count();
        let (run, skip, terms) = match sum.whose {
            Whose::SampleChannel => (partials.tiles, count, partials.tiles),
            Whose::Channel => (
                partials.tiles,
                partials.channels * partials.tiles,
                partials.blocks() * partials.tiles,
            ),
            _ => (count, count, count),
        };
        Left {
            of: SumOf::Column,
            count,
            terms,
            run,
            skip,
            values: sum.operand.len(),
            period: 0,
        }
    }

    /// The dispatch that adds up what is left of each summed gradient.
    pub(super) fn finish(&self, left: &[Left], scratch: u64) -> Launch<'a> {
        let sums = &self.slots.sums;
        // Partial sums of a value that one invocation adds up: 256 are sixteen parts of sixteen, no more than a running sum may
        // have, and spare a processor the barriers of a workgroup. On a GPU so many loads in turn would take long.
        let alone = if self.machine.is_serial() { 256 } else { 8 };
        let lanes = |left: &Left| match left.terms <= alone {
            true => 1,
            false => u64::from(LANES),
        };
        let groups = |(left, sum): (&Left, &Placed<'_>)| {
            let words = match sum.dtype.size() {
                4 => sum.operand.len(),
                _ => sum.operand.len() / 2 + 1,
            };
            (words * lanes(left)).div_ceil(LANES.into())
        };
        let most = left.iter().zip(sums).map(groups).fold(1, u64::max);
        let [row, rows] = self.machine.grid(most);
        let mut bindings = vec![Binding::scratch(scratch)];
        let mut uniform = vec![row, 0, 0, 0];
        let mut base = 0;
        for (left, sum) in left.iter().zip(sums) {
            let size = sum.dtype.size();
            let (offset, binding) = self.binding(sum, sum.bytes.clone(), size, COPY_ALIGNMENT);
            bindings.push(binding);
            let Left {
                terms,
                run,
                skip,
                values,
                period,
                ..
            } = *left;
            let (len, offset) = (sum.operand.len(), u64::from(offset));
            // As `struct Sum` of shaders/sweep/finish.wgsl has them.
            let fields = [
                base,
                len,
                terms,
                run,
                skip,
                offset,
                4 / size,
                values,
                period,
                lanes(left),
            ];
            base += left.count;
            uniform.extend(fields.map(|value| value as u32));
            uniform.resize(uniform.len().next_multiple_of(4), 0);
        }
        Launch {
            code: Code::Finish(sums.iter().map(|sum| sum.dtype).collect()),
            bindings,
            uniform,
            random: None,
            grid: [row, sums.len() as u32, rows],
        }
    }

    /// Refuses partial sums of more bytes than one binding has.
    pub(super) fn check_scratch(&self, bytes: u64) -> Result<(), Error> {
        let limit = self.machine.limit();
        if bytes > limit {
            return Err(Error::Device(DeviceError::TooLarge {
                what: "the partial sums".into(),
                bytes,
                limit,
            }));
        }
        Ok(())
    }
}
