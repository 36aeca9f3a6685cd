//! Passes over whole rows: how rows are cut into dispatches, and what is left of gradients that are summed.

use super::launch::Launches;
use super::placed::Placed;
use super::slots::Slot;
use super::work::{Cut, Piece, WORD, Work};
use crate::chain::Chain;
use crate::error::{DeviceError, Error};
use crate::pass::Pass;
use crate::tensor::layout::Broadcast;
use crate::wgsl::{self, Access, RowArgs, Strips, SumOf, Sweep};

/// Lanes of a workgroup; rows of more words than the lanes hold get the larger one.
const LANES: u32 = 64;
const MOST_LANES: u32 = 256;

/// Rows whose columns' sums a lane adds up at most, eight at least; and workgroups that there are before it is more.
const BLOCK: u64 = 64;
const GROUPS: u64 = 256;

/// What is left of a summed gradient, and how the partial sums of one value lie among all.
pub(super) struct Left {
    pub(super) of: SumOf,
    /// Of all.
    pub(super) count: u64,
    /// Of one value, in runs of `run` that are `skip` apart.
    pub(super) terms: u64,
    pub(super) run: u64,
    pub(super) skip: u64,
    /// Values whose partial sums lie beside each other, before `period` more follow.
    pub(super) values: u64,
    pub(super) period: u64,
}

/// Rows, and how lanes go over them.
struct Lines {
    access: Access,
    rows: u64,
    columns: u64,
    inner: u64,
    lanes: u32,
    beside: u32,
    /// Words that a lane has of a row at most ([`Limits::row_words`](super::limits::Limits::row_words)).
    held: u64,
    /// The same of a longer row at a time, whose code stands in more than one loop.
    strip: u64,
    block: u64,
}

impl Lines {
    /// Words, or elements, of a row.
    fn words(&self) -> u64 {
        match self.access {
            Access::Vec4 => self.columns / WORD,
            Access::Scalar => self.columns,
        }
    }

    /// How lanes go over so many rows at a time, where a grid has so many workgroups in a row.
    fn strips(&self, at_once: u64, grid: u64) -> Strips {
        let words = self.words().div_ceil(u64::from(self.beside));
        let held = words <= self.held;
        let strip = if held { words.max(1) } else { self.strip };
        let is_full = |rows: u64| rows.is_multiple_of(self.slots() * self.block);
        Strips {
            lanes: self.lanes,
            beside: self.beside,
            words: strip as u32,
            held,
            whole: self.words().is_multiple_of(strip * u64::from(self.beside))
                && is_full(at_once)
                && is_full(self.rows % at_once)
                && self.groups(at_once) <= grid,
            turns: self.block > 1,
        }
    }

    /// Rows in a workgroup at a time.
    fn slots(&self) -> u64 {
        u64::from(self.lanes / self.beside)
    }

    fn groups(&self, rows: u64) -> u64 {
        rows.div_ceil(self.slots() * self.block)
    }
}

impl<'a> Work<'a> {
    /// The dispatches of a chain with a step over whole rows.
    pub(super) fn rows(&self, launches: &mut Launches<'a>) -> Result<(), Error> {
        let lines = self.lines();
        self.check_parameter()?;
        let samples = lines.rows / lines.inner;
        let outputs: Vec<&Slot<'a>> = self.slots.outputs.iter().collect();
        let sample = lines.columns * lines.inner;
        let room = self.capacity(&outputs, lines.access) / sample;
        let at_once = if self.has_rows(&outputs, lines.access) && room < samples {
            0
        } else {
            room.min(samples)
        };
        if at_once == 0 {
            return Err(Error::Device(DeviceError::TooLarge {
                what: "a row, or a tensor with gaps between its rows,".into(),
                bytes: sample * self.size(),
                limit: self.machine.limit(),
            }));
        }
        let left = self.left(&lines);
        let scratch = left.iter().map(|left| left.count * 4).sum();
        self.check_scratch(scratch)?;
        let grid = self.machine.limits.max_compute_workgroups_per_dimension;
        let cut = Cut {
            access: lines.access,
            sweep: Sweep::Whole(lines.strips(at_once * lines.inner, grid.into())),
            holds: false,
            outputs,
            scratch,
            sums_of: left.iter().map(|left| left.of).collect(),
        };
        self.check_dispatches(samples.div_ceil(at_once))?;
        launches.scratch = scratch;
        let mut slots = 0;
        for first in (0..samples).step_by(at_once as usize) {
            let rows = at_once.min(samples - first) * lines.inner;
            let groups = lines.groups(rows);
            let piece = Piece {
                start: first * sample,
                len: rows * lines.columns,
                groups,
                sweep: None,
                rows: Some(self.row_args(&lines, &left, first * lines.inner, rows, slots)),
            };
            slots += groups * lines.slots();
            launches.push(self.machine, self.launch(&cut, &piece)?)?;
        }
        if !left.is_empty() {
            launches.push(self.machine, self.finish(&left, scratch))?;
        }
        Ok(())
    }

    fn row_args(
        &self,
        lines: &Lines,
        left: &[Left],
        first_row: u64,
        rows: u64,
        slots: u64,
    ) -> RowArgs {
        let mut base = 0;
        let sums = left.iter().map(|left| {
            let begin = match left.of {
                SumOf::Column => base + slots * lines.columns,
                SumOf::Row | SumOf::Element => base,
            };
            base += left.count;
            begin as u32
        });
        RowArgs {
            sums: sums.collect(),
            rows: rows as u32,
            first_row: first_row as u32,
            words: lines.words() as u32,
            inner: lines.inner as u32,
            columns: lines.columns as u32,
            block: lines.block as u32,
            // As many as there are, and more, are one matrix.
            queries: self.queries.unwrap_or(lines.rows).min(lines.rows).max(1) as u32,
        }
    }

    /// Refuses values of the row step's parameter that are not one for all of a row.
    fn check_parameter(&self) -> Result<(), Error> {
        let parameter = self.task.chain.as_ref().and_then(Chain::row_parameter);
        let variable = parameter.map(wgsl::arg);
        let mut inputs = self.slots.inputs.iter();
        let slot = inputs.find(|input| Some(&input.variable) == variable.as_ref());
        slot.map_or(Ok(()), |slot| {
            let p = &slot.placed;
            self.layout.check_of_rows(
                &p.name,
                p.operand.len(),
                self.layout.spread(p.whose, self.len),
            )
        })
    }

    fn lines(&self) -> Lines {
        let inner = self.layout.inner.max(1);
        let columns = self.layout.channels;
        let access = self.row_access();
        let words = match access {
            Access::Vec4 => columns / WORD,
            Access::Scalar => columns,
        };
        let held = u64::from(self.machine.limits.row_words);
        let most = self.machine.limits.max_compute_invocations_per_workgroup;
        let lanes = if words > held * u64::from(LANES) && inner == 1 && most >= MOST_LANES {
            MOST_LANES
        } else {
            LANES
        };
        // Rows between the elements of a row are best gone over side by side.
        let beside = match inner {
            1 if lanes == MOST_LANES => lanes,
            1 => words
                .div_ceil(held)
                .max(1)
                .next_power_of_two()
                .min(u64::from(lanes)) as u32,
            _ => 1,
        };
        let rows = self.layout.outer * inner;
        let slots = u64::from(lanes / beside);
        // Barriers in a loop are dear; only columns' sums are added up over rows.
        let is_of_columns = |sum: &Placed<'_>| {
            let spread = self.layout.spread(sum.whose, self.len);
            self.is_of_columns(spread, columns, inner)
        };
        let block = match self.slots.sums.iter().any(is_of_columns) {
            true => rows.div_ceil(slots * GROUPS).clamp(BLOCK / 8, BLOCK),
            false => 1,
        };
        Lines {
            access,
            rows,
            columns,
            inner,
            lanes,
            beside,
            held,
            strip: match self.task.pass {
                Pass::Backward => (held / 4).max(1),
                _ => (held / 2).max(1),
            },
            block,
        }
    }

    /// Whether words of four columns can be loaded of every operand.
    fn row_access(&self) -> Access {
        let is_apart = self.placed().all(|p| p.pairs().is_none());
        let is_whole = self.layout.inner == 1 && self.layout.channels.is_multiple_of(WORD);
        match self.access() {
            Access::Vec4 if is_apart && is_whole => Access::Vec4,
            _ => Access::Scalar,
        }
    }

    /// What is left of each summed gradient.
    fn left(&self, lines: &Lines) -> Vec<Left> {
        let sums = self.slots.sums.iter();
        sums.map(|sum| self.left_of_row(sum, lines)).collect()
    }

    /// Whether values so spread are one for each column.
    fn is_of_columns(&self, spread: Broadcast, columns: u64, inner: u64) -> bool {
        let columns = Broadcast {
            inner,
            count: columns,
            period: self.len,
        };
        spread == columns && !self.layout.is_of_rows(spread)
    }

    fn left_of_row(&self, sum: &Placed<'_>, lines: &Lines) -> Left {
        let spread = self.layout.spread(sum.whose, self.len);
        let Broadcast {
            inner,
            count,
            period,
        } = spread;
        let columns = lines.columns;
        // Of elements, or of rows, which are fewer by the columns.
        let left = |of, inner: u64, period: u64, all: u64| Left {
            of,
            count: all,
            terms: period / count,
            run: inner,
            skip: inner * count,
            values: count,
            period,
        };
        if self.layout.is_of_rows(spread) {
            let run = match inner.is_multiple_of(columns * lines.inner) {
                true => inner / columns,
                false => inner,
            };
            return left(SumOf::Row, run, period / columns, lines.rows);
        }
        if self.is_of_columns(spread, columns, lines.inner) {
            let slots = self.slots_of(lines);
            return Left {
                of: SumOf::Column,
                count: slots * columns,
                terms: slots,
                run: 1,
                skip: columns,
                values: columns,
                period: 0,
            };
        }
        left(SumOf::Element, inner, period, self.len)
    }

    /// Runs of rows that leave sums of their own, in all dispatches.
    fn slots_of(&self, lines: &Lines) -> u64 {
        let outputs: Vec<_> = self.slots.outputs.iter().collect();
        let sample = lines.columns * lines.inner;
        let samples = lines.rows / lines.inner;
        let room = (self.capacity(&outputs, lines.access) / sample).clamp(1, samples.max(1));
        let slots = |samples: u64| lines.groups(samples * lines.inner) * lines.slots();
        let whole = samples / room * slots(room);
        match samples % room {
            0 => whole,
            rest => whole + slots(rest),
        }
    }
}
