//! One dispatch of a chain's kernel: what each operand means for the kernel's text, its numbers and its bindings.

use super::launch::{Binding, Code, Launch, Source, random_words};
use super::operand::{PAIR_WORD, Rows, bytes_of_pairs};
use super::placed::Placed;
use super::slots::Slot;
use super::work::{Cut, Piece, WORD, Work};
use crate::chain::Chain;
use crate::error::{DeviceError, Error};
use crate::tensor::layout::{Broadcast, Whose};
use crate::wgsl::{self, Access, Args, At, Form, Input, Place};
use std::ops::Range;

/// What wgpu binds whole: bindings begin and end at multiples of so many bytes.
pub(super) const COPY_ALIGNMENT: u64 = 4;

impl<'a> Work<'a> {
    /// The dispatch of a piece.
    pub(super) fn launch(&self, cut: &Cut<'_, 'a>, piece: &Piece) -> Result<Launch<'a>, Error> {
        let mut form = Form {
            access: cut.access,
            shared: self.is_shared(cut),
            inputs: Vec::new(),
            outputs: Vec::new(),
            sums: Vec::new(),
            sums_of: cut.sums_of.clone(),
            sweep: cut.sweep,
            words: self.words(),
            whole: cut.access == Access::Scalar || self.len.is_multiple_of(WORD),
            offsets: false,
        };
        let [row, rows] = self.machine.grid(piece.groups);
        let mut args = Args {
            len: piece.len as u32,
            row,
            start: piece.start as u32,
            sweep: piece.sweep,
            rows: piece.rows.clone(),
            ..Args::default()
        };
        let mut bindings = Vec::new();
        for slot in &self.slots.inputs {
            let (input, place, binding) = self.read(slot, cut, piece)?;
            args.inputs.push(place);
            bindings.extend(input.beside.is_none().then_some(binding));
            form.inputs.push(input);
        }
        self.find_likes(&mut form);
        for slot in &cut.outputs {
            let at = match self.at(&slot.placed, cut) {
                At::Rows if slot.placed.is_ragged() => At::Ragged,
                at => at,
            };
            let (place, binding) = self.reach(slot, at, cut.access, piece)?;
            let output = slot.output(at);
            let is_own = output.in_place.is_none() && output.beside.is_none();
            args.outputs.push(place);
            bindings.extend(is_own.then_some(binding));
            form.outputs.push(output);
        }
        if cut.scratch > 0 {
            let names = self.slots.sums.iter();
            let names = names.filter_map(|sum| sum.name.strip_prefix("d_"));
            form.sums = names.map(String::from).collect();
            bindings.push(Binding::scratch(cut.scratch));
        }
        let is_random = !self.body().draws(&form.gradients()).is_empty();
        args.random = is_random.then(|| random_words(self.random));
        form.offsets = args.has_offsets(&form);
        let (uniform, random) = self.uniform(&form, &args);
        Ok(Launch {
            code: Code::Pass(self.body(), form),
            bindings,
            uniform,
            random,
            grid: [row, rows, 1],
        })
    }

    /// Says of inputs whose values belong to the same elements that where one lies, the others do.
    fn find_likes(&self, form: &mut Form) {
        let spread = |index: usize| {
            let whose = self.slots.inputs[index].placed.whose;
            self.layout.spread(whose, self.len)
        };
        for index in 0..form.inputs.len() {
            let (before, rest) = form.inputs.split_at_mut(index);
            let input = &mut rest[0];
            if input.at.is_of_channel() {
                let mut others = before.iter().enumerate();
                let like = others.find(|(other, before)| {
                    before.at == input.at && spread(*other) == spread(index)
                });
                input.like = like.map(|(_, before)| before.name.clone());
            }
        }
    }

    /// What the kernel's text says of an operand that is read, its numbers and its binding.
    fn read(
        &self,
        slot: &Slot<'a>,
        cut: &Cut<'_, 'a>,
        piece: &Piece,
    ) -> Result<(Input, Place, Binding<'a>), Error> {
        let at = self.at(&slot.placed, cut);
        let (place, binding) = self.reach(slot, at, cut.access, piece)?;
        let mut input = slot.input(at);
        let spread = self.layout.spread(slot.placed.whose, self.len);
        input.has_periods = spread.period < self.len;
        Ok((input, place, binding))
    }

    /// The words of `struct Args`, with the chain's constants behind them, and where among them the seed is.
    fn uniform(&self, form: &Form, args: &Args) -> (Vec<u32>, Option<usize>) {
        let fields = wgsl::fields(form, args);
        let random = fields.iter().position(|(name, _)| name == "seed_low");
        let mut uniform: Vec<u32> = fields.into_iter().map(|(_, value)| value).collect();
        uniform.resize(uniform.len().next_multiple_of(4), 0);
        let values = self.task.chain.iter().flat_map(Chain::values);
        uniform.extend(values.map(f32::to_bits));
        uniform.resize(uniform.len().next_multiple_of(4), 0);
        (uniform, random)
    }

    /// Which of an operand's values belongs to an element.
    fn at(&self, p: &Placed<'_>, cut: &Cut<'_, '_>) -> At {
        let pairs = p.pairs().filter(|_| cut.access == Access::Vec4);
        match p.whose {
            Whose::Each if pairs.is_some_and(|(_, odd)| odd) => At::Odd,
            Whose::Each if pairs.is_some() => At::Even,
            Whose::Each if p.rows().is_some() => At::Rows,
            Whose::Each => At::Each,
            Whose::Shared => At::Shared,
            Whose::Channel if cut.holds => At::Held,
            Whose::SampleChannel if cut.holds => At::HeldSample,
            _ if cut.access == Access::Scalar => At::Channel,
            whose => {
                let Broadcast { inner, period, .. } = self.layout.spread(whose, self.len);
                // Do words of channels begin where words do?
                let is_aligned = p.bytes.start.is_multiple_of(WORD * p.dtype.size());
                match inner {
                    1 if is_aligned && period == self.len => At::ChannelWords,
                    1 => At::Channels,
                    _ if inner.is_multiple_of(WORD) => At::Channel,
                    _ => At::Edge,
                }
            }
        }
    }

    /// Whether an input that is only read lies in the memory of an output. wgpu refuses one buffer bound for reading
    /// and for writing in one dispatch, so that all must be bound for both then.
    fn is_shared(&self, cut: &Cut<'_, '_>) -> bool {
        let inputs = self.slots.inputs.iter().enumerate();
        let mut read_only =
            inputs.filter(|(index, _)| cut.outputs.iter().all(|o| o.in_place != Some(*index)));
        read_only.any(|(_, input)| {
            let memory = input.placed.operand.memory();
            let mut outputs = cut.outputs.iter();
            outputs.any(|output| output.placed.operand.memory() == memory)
        })
    }

    /// Where in its binding an operand's elements of a piece are, and the binding.
    fn reach(
        &self,
        slot: &Slot<'a>,
        at: At,
        access: Access,
        piece: &Piece,
    ) -> Result<(Place, Binding<'a>), Error> {
        let p = &slot.placed;
        // What offsets count, and what ends of bindings must be multiples of.
        let (unit, whole) = match access {
            Access::Vec4 => (WORD * p.dtype.size(), WORD * p.dtype.size()),
            Access::Scalar => (p.dtype.size(), COPY_ALIGNMENT),
        };
        let plain = |(offset, binding)| {
            let place = Place {
                offset,
                ..Place::default()
            };
            (place, binding)
        };
        match at {
            At::Each => Ok(plain(self.part(p, piece, unit, whole))),
            At::Even | At::Odd => {
                let (pairs, _) = p.pairs().unwrap_or((p.bytes.start, false));
                let first = pairs + 2 * piece.start * p.dtype.size();
                let end = first + bytes_of_pairs(piece.len, p.dtype.size());
                Ok(plain(self.binding(p, first..end, PAIR_WORD, PAIR_WORD)))
            }
            At::Rows | At::Ragged => {
                let (offset, binding) = self.whole(p, unit, whole)?;
                let Rows { len, stride } = p.operand.in_rows();
                let per = unit / p.dtype.size();
                let place = Place {
                    offset,
                    row: (len / per) as u32,
                    gap: ((stride - len) / per) as u32,
                    ..Place::default()
                };
                Ok((place, binding))
            }
            _ => self.reach_values(p, at, piece, unit, whole),
        }
    }

    /// The same of values that elements share, all of which are bound.
    fn reach_values(
        &self,
        p: &Placed<'a>,
        at: At,
        piece: &Piece,
        unit: u64,
        whole: u64,
    ) -> Result<(Place, Binding<'a>), Error> {
        let (offset, binding) = match at {
            At::ChannelWords => self.whole(p, unit, whole)?,
            _ => self.whole(p, p.dtype.size(), COPY_ALIGNMENT)?,
        };
        let spread = self.layout.spread(p.whose, self.len);
        // A sweep counts samples from its own first one.
        let before = match at {
            At::HeldSample => piece.start / spread.inner,
            _ => 0,
        };
        let place = Place {
            offset: offset + before as u32,
            inner: spread.inner as u32,
            channels: spread.count as u32,
            period: spread.period as u32,
            ..Place::default()
        };
        Ok((place, binding))
    }

    /// A binding of a piece of an operand, and where in it the piece begins, in units.
    fn part(&self, p: &Placed<'a>, piece: &Piece, unit: u64, whole: u64) -> (u32, Binding<'a>) {
        let first = p.bytes.start + piece.start * p.dtype.size();
        let end = first + piece.len * p.dtype.size();
        self.binding(p, first..end, unit, whole)
    }

    /// The same of a whole operand, with the gaps between its rows.
    fn whole(&self, p: &Placed<'a>, unit: u64, whole: u64) -> Result<(u32, Binding<'a>), Error> {
        let (alignment, limit) = (self.machine.alignment(), self.machine.limit());
        let bytes = p.bytes.end - p.bytes.start;
        if bytes.saturating_add(alignment + whole) > limit {
            return Err(Error::Device(DeviceError::TooLarge {
                what: format!("{}, which cannot be cut,", p.name),
                bytes,
                limit,
            }));
        }
        Ok(self.binding(p, p.bytes.clone(), unit, whole))
    }

    /// A binding of these bytes of an operand, which begins where the device allows it, and where in it they begin.
    pub(super) fn binding(
        &self,
        p: &Placed<'a>,
        bytes: Range<u64>,
        unit: u64,
        whole: u64,
    ) -> (u32, Binding<'a>) {
        let alignment = self.machine.alignment();
        let offset = bytes.start / alignment * alignment;
        let binding = Binding {
            from: Source::Operand(p.operand.memory()),
            offset,
            size: bytes.end.next_multiple_of(whole) - offset,
        };
        (((bytes.start - offset) / unit) as u32, binding)
    }
}
