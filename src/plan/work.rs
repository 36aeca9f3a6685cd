//! Plans, and plans bound to operands.

use super::launch::{Binding, Code, From, Launch, Launches, Machine};
use super::operand::{Given, Placed, Rows, missing};
use crate::gpu::kernels::{Family, Inner, label};
use crate::gpu::{Kernels, Operands};
use crate::tensor::layout::Whose;
use crate::tensor::values::Spread;
use crate::wgsl::{
    self, Access, Args, At, Body, Form, Input, LANES, Output, Place, Sweep, SweepArgs,
};
use crate::{Chain, DTypes, Error, Layout, Pass};
use std::sync::Arc;

/// Elements in a word of [`Access::Vec4`].
const WORD: u64 = 4;

/// Elements of a row that a workgroup sums, and that it sweeps where it only holds a channel's values.
/// Where an invocation has single elements, half of it, since its sum has four times as many terms.
const TILE: u64 = 4096;
const HOLDING_TILE: u64 = 2048;

/// Words in one running sum.
const CHUNK: u64 = 16;

/// Rows of fewer elements than this are summed by columns.
const SHORT_ROW: u64 = 32;

/// What kernels that divide can count to.
const COUNTABLE: u64 = 1 << 31;

/// A compiled pass of a chain, with its constants. Cheap to make again once it was made.
#[derive(Clone, Debug)]
pub struct Plan {
    inner: Arc<Inner>,
    family: Arc<Family>,
    task: Task,
}

/// What is to be computed.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// None for a plain copy.
    pub(crate) chain: Option<Chain>,
    pub(crate) pass: Pass,
    pub(crate) dtypes: DTypes,
}

impl Task {
    pub(crate) fn body(&self) -> Body<'_> {
        match &self.chain {
            Some(chain) => Body::Chain(chain, self.pass),
            None => Body::Copy(self.pass),
        }
    }

    /// Checks the operands, and says what is to be dispatched.
    pub(crate) fn launches<'a>(
        &self,
        machine: &Machine,
        operands: &Operands<'a>,
    ) -> Result<(Launches<'a>, u64), Error> {
        let given = operands.placed(self.chain.as_ref(), self.pass, self.dtypes)?;
        self.refuse_gradients(&given)?;
        let work = Work::new(self, machine, given, operands.random)?;
        if work.len == 0 {
            return Ok((Launches::default(), 0));
        }
        Ok((work.launches()?, work.len))
    }

    /// Refuses gradients that there are no functions for.
    fn refuse_gradients(&self, given: &Given<'_>) -> Result<(), Error> {
        let Some(chain) = &self.chain else {
            return Ok(());
        };
        for grad in &given.grads {
            let name = grad.name.strip_prefix("d_").unwrap_or_default();
            if !chain.learnable().contains(&name) {
                return Err(Error::no_derivative(name));
            }
        }
        Ok(())
    }
}

impl Plan {
    pub(crate) fn new(
        kernels: &Kernels,
        family: Arc<Family>,
        chain: Option<&Chain>,
        pass: Pass,
        dtypes: DTypes,
    ) -> Result<Self, Error> {
        let inner = Arc::clone(&kernels.inner);
        let plan = Plan {
            inner,
            family,
            task: Task {
                chain: chain.cloned(),
                pass,
                dtypes,
            },
        };
        // The form that most operands need; what the driver has to say against it, it says here. What
        // operands of arguments need is not known yet.
        let body = plan.task.body();
        if body.needs(&[]).is_empty() {
            let whole = true;
            let form = Form {
                whole,
                ..plan.plain()
            };
            plan.family.kernel(&plan.inner, body, &form)?;
        }
        Ok(plan)
    }

    /// The form for operands apart from each other at the best of places, of any length.
    fn plain(&self) -> Form {
        Form {
            words: self.inner.machine.shape.words,
            ..Form::plain(self.task.body(), self.task.dtypes)
        }
    }

    /// The pass.
    pub fn pass(&self) -> Pass {
        self.task.pass
    }

    /// What the kernel is called in wgpu's messages and in debuggers.
    pub fn label(&self) -> String {
        label(self.task.body(), &self.plain())
    }

    /// The kernel's WGSL, in the form that operands apart from each other get, at places that are
    /// multiples of 4 elements, for any length; those of arguments as long as x.
    pub fn wgsl(&self) -> String {
        wgsl::kernel(self.task.body(), &self.plain())
    }

    /// Bytes read and written for `len` elements, without the operands of arguments.
    pub fn bytes(&self, len: u64) -> u64 {
        let operands = self.task.pass.operands().iter();
        len * operands
            .map(|name| self.task.dtypes.of(name).size())
            .sum::<u64>()
    }

    /// Binds the plan to operands: checks everything, makes what recording needs. The result holds on
    /// to the buffers and can be recorded any number of times.
    ///
    /// Operands may lie in one buffer. One that is written may take the place of one that is read
    /// (y that of x, dx that of dy or x), if their dtypes are the same; otherwise it must not overlap another.
    /// An operand larger than the device's binding limit is covered by several dispatches. The first
    /// binding of operands in place, in one buffer, at places that are not multiples of 4 elements, or
    /// with arguments and gradients, compiles a kernel for them.
    ///
    /// # Errors
    /// [`Error::MissingOperand`], [`Error::UnexpectedOperand`], [`Error::LengthMismatch`],
    /// [`Error::BadLength`], [`Error::NoGradient`], [`Error::MissingUsage`], [`Error::Misaligned`],
    /// [`Error::OddRows`], [`Error::OutOfRange`], [`Error::Overlap`]; [`Error::NotABuffer`] for
    /// [`Memory::Host`](crate::Memory::Host); [`Error::TooManyOperands`] for more
    /// than the device can bind; [`Error::TooLarge`] for a chain with more parameters than a uniform buffer
    /// holds, and where channels, rows or random numbers cannot be cut to what the device can bind;
    /// [`Error::Device`] where wgpu refuses, as it does a buffer of another device.
    pub fn bind(&self, operands: Operands<'_>) -> Result<Bound, Error> {
        let (launches, len) = self.task.launches(&self.inner.machine, &operands)?;
        launches.bound(&self.inner, Some((&self.task, &self.family)), len)
    }
}

/// An input in a kernel: the operand and whose its values are.
struct Read<'a> {
    placed: Placed<'a>,
    variable: String,
}

/// One binding of a plan, while it is worked out.
struct Work<'a, 'b> {
    task: &'a Task,
    machine: &'a Machine,
    len: u64,
    layout: Layout,
    random: [u64; 2],
    inputs: Vec<Read<'b>>,
    /// y or dx, if it is wanted, and gradients as long as x.
    outputs: Vec<Placed<'b>>,
    /// The input that each output takes the place of.
    in_place: Vec<Option<usize>>,
    /// Gradients that are summed.
    sums: Vec<Placed<'b>>,
}

/// How elements are swept, and how the summed gradients' partial sums lie: `blocks` times `channels` times
/// `tiles` of each.
struct Partials {
    sweep: Sweep,
    /// Whether channels are the operands' own, so that their values can be held.
    holds: bool,
    access: Access,
    outer: u64,
    channels: u64,
    inner: u64,
    block: u64,
    tile: u64,
    tiles: u64,
}

impl Partials {
    fn blocks(&self) -> u64 {
        self.outer.div_ceil(self.block)
    }

    /// Of each gradient.
    fn count(&self) -> u64 {
        self.blocks() * self.channels * self.tiles
    }
}

impl<'a, 'b> Work<'a, 'b> {
    fn new(
        task: &'a Task,
        machine: &'a Machine,
        given: Given<'b>,
        random: [u64; 2],
    ) -> Result<Self, Error> {
        let Given {
            inputs: passed,
            output,
            args,
            grads,
            layout,
            len,
        } = given;
        let asked: Vec<_> = grads
            .iter()
            .filter_map(|grad| grad.name.strip_prefix("d_"))
            .collect();
        let passed = passed.into_iter().map(|placed| Read {
            variable: placed.name.clone(),
            placed,
        });
        let mut inputs: Vec<Read<'b>> = passed.collect();
        for name in task.body().needs(&asked) {
            let placed = args.iter().find(|arg| arg.name == name);
            let placed = placed
                .ok_or_else(|| missing(task.pass, &format!("@{name}")))?
                .clone();
            let variable = wgsl::arg(&name);
            inputs.push(Read { placed, variable });
        }
        let (each, sums): (Vec<_>, Vec<_>) =
            grads.into_iter().partition(|g| g.whose == Whose::Each);
        let outputs: Vec<_> = output.into_iter().chain(each).collect();

        let mut in_place: Vec<Option<usize>> = Vec::new();
        for (index, output) in outputs.iter().enumerate() {
            let mut found = None;
            for (at, Read { placed, .. }) in inputs.iter().enumerate() {
                if placed.is_apart(output) {
                    continue;
                }
                let free = found.is_none() && !in_place.contains(&Some(at));
                if !free || !placed.is_same(output) {
                    return Err(placed.overlap(output));
                }
                found = Some(at);
            }
            in_place.push(found);
            if let Some(other) = outputs[..index]
                .iter()
                .find(|other| !other.is_apart(output))
            {
                return Err(other.overlap(output));
            }
        }
        for (index, sum) in sums.iter().enumerate() {
            let others = inputs
                .iter()
                .map(|read| &read.placed)
                .chain(&outputs)
                .chain(&sums[..index]);
            if let Some(other) = others.clone().find(|other| !other.is_apart(sum)) {
                return Err(other.overlap(sum));
            }
        }
        let work = Work {
            task,
            machine,
            len,
            layout,
            random,
            inputs,
            outputs,
            in_place,
            sums,
        };
        if work.counts() && len >= COUNTABLE {
            return Err(Error::TooLarge {
                what: "x, with channels, rows or random numbers,".into(),
                bytes: len.saturating_mul(work.inputs[0].placed.dtype.size()),
                limit: COUNTABLE * work.inputs[0].placed.dtype.size(),
            });
        }
        Ok(work)
    }

    fn body(&self) -> Body<'a> {
        self.task.body()
    }

    fn chain_draws(&self) -> bool {
        self.task.chain.as_ref().is_some_and(Chain::is_random)
    }

    /// Whether kernels count elements from the beginning of x.
    fn counts(&self) -> bool {
        let inputs = self.inputs.iter().map(|read| &read.placed);
        self.chain_draws()
            || !self.sums.is_empty()
            || inputs.chain(&self.outputs).any(|p| {
                p.rows().is_some() || matches!(p.whose, Whose::Channel | Whose::SampleChannel)
            })
    }

    /// Whether all operands that are reached element by element allow four at a time.
    fn access(&self) -> Access {
        let fits = |p: &Placed<'_>| {
            let word = WORD * p.dtype.size();
            let rows = p.rows().is_none_or(|Rows { len, stride }| {
                len.is_multiple_of(WORD) && stride.is_multiple_of(WORD)
            });
            rows && p.bytes.start.is_multiple_of(word)
                && p.bytes.end.next_multiple_of(word) <= p.operand.memory().size()
        };
        let inputs = self.inputs.iter().map(|read| &read.placed);
        let all = inputs.chain(&self.outputs).all(|p| match p.whose {
            Whose::Each => fits(p),
            Whose::Shared => true,
            whose => {
                let Spread { inner, count } = self.layout.spread(whose, self.len);
                inner.is_multiple_of(WORD) || (inner == 1 && count.is_multiple_of(WORD))
            }
        });
        if all { Access::Vec4 } else { Access::Scalar }
    }

    fn form(&self, access: Access, holds: bool) -> Form {
        let at = |p: &Placed<'_>| match p.whose {
            Whose::Each if p.rows().is_some() => At::Rows,
            Whose::Each => At::Each,
            Whose::Shared => At::Shared,
            Whose::Channel if holds => At::Held,
            Whose::SampleChannel if holds => At::HeldSample,
            _ if self.layout.inner == 1 && access == Access::Vec4 => At::Channels,
            _ => At::Channel,
        };
        let inputs = self.inputs.iter().map(|Read { placed, variable }| Input {
            name: variable.clone(),
            dtype: placed.dtype,
            at: at(placed),
        });
        let outputs = self
            .outputs
            .iter()
            .zip(&self.in_place)
            .map(|(placed, in_place)| Output {
                name: placed.name.clone(),
                dtype: placed.dtype,
                rows: placed.rows().is_some(),
                in_place: *in_place,
            });
        let mut form = Form {
            access,
            shared: false,
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            sums: Vec::new(),
            sweep: Sweep::Each,
            words: self.machine.shape.words,
            whole: access == Access::Scalar || self.len.is_multiple_of(WORD),
        };
        form.shared = self.is_shared(&form, &self.outputs.iter().collect::<Vec<_>>());
        form
    }

    /// Whether an input that is only read lies in the buffer of an output.
    fn is_shared(&self, form: &Form, outputs: &[&Placed<'_>]) -> bool {
        let read_only = self.inputs.iter().enumerate().filter(|(index, _)| {
            form.outputs
                .iter()
                .all(|output| output.in_place != Some(*index))
        });
        read_only.into_iter().any(|(_, read)| {
            outputs
                .iter()
                .any(|output| output.operand.memory() == read.placed.operand.memory())
        })
    }

    fn launches(&self) -> Result<Launches<'b>, Error> {
        let access = self.access();
        let form = self.form(access, false);
        let mut launches = Launches::default();
        let small = self.outputs.iter().any(|output| output.dtype.size() < 4);
        let partials = self.partials(access);
        // What is summed goes along with what is written, but where two elements that share 32 bits
        // may come to different workgroups: then x is read once more.
        let apart = small && partials.access == Access::Scalar;
        let sweeps = if self.sums.is_empty() {
            let outputs: Vec<_> = self.outputs.iter().collect();
            partials.holds && !apart && self.blocks_at_once(&partials, &outputs).is_some()
        } else {
            true
        };
        if sweeps {
            self.swept(&mut launches, &partials, apart)?;
        }
        if apart || !sweeps {
            self.each(&mut launches, &form, small)?;
        }
        Ok(launches)
    }

    /// Blocks of samples that one dispatch reaches: pieces are whole blocks, and rows are not cut. None if it
    /// reaches too few.
    fn blocks_at_once(&self, partials: &Partials, outputs: &[&Placed<'b>]) -> Option<u64> {
        let block = partials.channels * partials.inner * partials.block;
        let blocks = (self.capacity(outputs) / block).min(partials.blocks());
        let too_few = blocks == 0 || (self.has_rows(outputs) && blocks < partials.blocks());
        (!too_few).then_some(blocks)
    }

    /// Whether values of a channel are among the inputs or the sums.
    fn has_channels(&self) -> bool {
        let inputs = self.inputs.iter().map(|read| read.placed.whose);
        let mut all = inputs.chain(self.sums.iter().map(|sum| sum.whose));
        all.any(|whose| matches!(whose, Whose::Channel | Whose::SampleChannel))
    }

    /// The dispatches that write what is written element by element.
    fn each(&self, launches: &mut Launches<'b>, form: &Form, small: bool) -> Result<(), Error> {
        if form.access == Access::Vec4 || !small || self.outputs.len() == 1 {
            let outputs: Vec<_> = self.outputs.iter().collect();
            return self.pieces(launches, form, &outputs);
        }
        // Outputs that share 32 bits with their neighbours, each in its own way, are written one after
        // another; those in the place of an input last.
        let mut order: Vec<usize> = (0..self.outputs.len()).collect();
        order.sort_by_key(|index| self.in_place[*index].is_some());
        let replaced: Vec<_> = order
            .iter()
            .filter(|i| self.in_place[**i].is_some())
            .collect();
        if let [first, second, ..] = replaced.as_slice() {
            return Err(self.outputs[**first].overlap(&self.outputs[**second]));
        }
        for index in order {
            let outputs = [&self.outputs[index]];
            let mut one = Form {
                outputs: vec![form.outputs[index].clone()],
                ..form.clone()
            };
            one.shared = self.is_shared(&one, &outputs);
            self.pieces(launches, &one, &outputs)?;
        }
        Ok(())
    }

    /// Covers all elements by dispatches that reach as far as one binding and one grid do.
    fn pieces(
        &self,
        launches: &mut Launches<'b>,
        form: &Form,
        outputs: &[&Placed<'b>],
    ) -> Result<(), Error> {
        // Both ends of a binding may have to be rounded outwards. Pieces begin at aligned places whatever
        // the dtype, so that each has the whole's offsets.
        let alignment = self.machine.alignment();
        let piece = (self.capacity(outputs) / alignment * alignment).max(alignment);
        let piece = if self.has_rows(outputs) {
            self.len
        } else {
            piece
        };
        // Where 32 bits hold two results, the first may be alone in its word.
        let sizes = outputs.iter().map(|output| output.dtype.size());
        let size = sizes.min().unwrap_or(4);
        for start in (0..self.len).step_by(piece as usize) {
            let len = piece.min(self.len - start);
            let words = match (form.access, size) {
                (Access::Vec4, _) => len.div_ceil(WORD),
                (Access::Scalar, 4) => len,
                (Access::Scalar, _) => len / 2 + 1,
            };
            let shape = self.machine.shape;
            let groups = words.div_ceil(u64::from(shape.workgroup) * u64::from(shape.words));
            let launch = self.launch(form, outputs, start, len, groups, None)?;
            launches.push(self.machine, launch)?;
        }
        Ok(())
    }

    fn has_rows(&self, outputs: &[&Placed<'_>]) -> bool {
        self.inputs.iter().any(|read| read.placed.rows().is_some())
            || outputs.iter().any(|output| output.rows().is_some())
    }

    /// Elements that one binding of each operand can hold.
    fn capacity(&self, outputs: &[&Placed<'_>]) -> u64 {
        let alignment = self.machine.alignment();
        let inputs = self.inputs.iter().map(|read| &read.placed);
        let sizes = inputs
            .chain(outputs.iter().copied())
            .map(|p| p.dtype.size());
        let largest = sizes.fold(1, u64::max);
        self.machine
            .limit()
            .saturating_sub(alignment + WORD * largest)
            / largest
    }

    /// How elements are swept.
    fn partials(&self, access: Access) -> Partials {
        let wide = access == Access::Vec4 && self.len.is_multiple_of(WORD);
        let room = self.capacity(&self.outputs.iter().collect::<Vec<_>>());
        let is = |whose| self.sums.iter().any(|sum| sum.whose == whose);
        let (alone, together) = (is(Whose::SampleChannel), is(Whose::Channel));
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
        // A sweep by the operands' channels that leaves lanes idle is worth it only for their sums.
        let along = if by_rows { inner } else { channels };
        let holds = self.has_channels() && along / unit >= u64::from(LANES) / 2;
        let sums = self.sums.len() as u64;
        let tile = match (sums, unit) {
            (0, _) => HOLDING_TILE,
            (_, 1) => TILE / 2,
            _ => TILE,
        };
        if !alone && !together && !holds {
            let tile = tile.min(room / WORD * WORD).max(WORD);
            return Partials {
                sweep: Sweep::Rows,
                holds: false,
                access: if wide { Access::Vec4 } else { Access::Scalar },
                outer: self.len.div_ceil(tile),
                channels: 1,
                inner: tile,
                block: 1,
                tile,
                tiles: 1,
            };
        }
        let access = if wide_here {
            Access::Vec4
        } else {
            Access::Scalar
        };
        // Samples that one binding can hold, and that are enough for a workgroup or an invocation.
        let most = (room / (channels * inner)).max(1).min(outer);
        let block = if alone {
            1
        } else if by_rows {
            // Of a long tensor, 1024 workgroups or more remain.
            let elements = (self.len / 1024).clamp(TILE, 4 * TILE);
            if together {
                elements.div_ceil(inner)
            } else {
                1
            }
        } else if sums == 0 {
            CHUNK.div_ceil(inner)
        } else {
            // As many rows to a sum as keep all sums below 1/512 of x.
            let size = self.inputs[0].placed.dtype.size();
            let rows = (sums * 4 * 512 / size).div_ceil(inner);
            outer.div_ceil((outer / rows).max(1))
        };
        Partials {
            sweep: if by_rows { Sweep::Rows } else { Sweep::Columns },
            holds: true,
            access,
            outer,
            channels,
            inner,
            block: block.min(most),
            tile: if by_rows { tile } else { 1 },
            tiles: if by_rows { inner.div_ceil(tile) } else { 1 },
        }
    }

    /// The dispatches that sweep, which sum, and write what is written along with it if it is not written apart;
    /// and the one that adds up the partial sums, if there are any.
    fn swept(
        &self,
        launches: &mut Launches<'b>,
        partials: &Partials,
        apart: bool,
    ) -> Result<(), Error> {
        let names = self.sums.iter();
        let mut form = Form {
            access: partials.access,
            sweep: partials.sweep,
            sums: names
                .filter_map(|s| s.name.strip_prefix("d_"))
                .map(String::from)
                .collect(),
            ..self.form(partials.access, partials.holds)
        };
        let outputs: Vec<_> = if apart {
            form.outputs.clear();
            form.shared = false;
            Vec::new()
        } else {
            self.outputs.iter().collect()
        };
        let count = partials.count();
        launches.scratch = count * self.sums.len() as u64 * 4;
        let limit = self.machine.limit();
        if launches.scratch > limit {
            return Err(Error::TooLarge {
                what: "the partial sums".into(),
                bytes: launches.scratch,
                limit,
            });
        }
        let sample = partials.channels * partials.inner;
        let Some(blocks) = self.blocks_at_once(partials, &outputs) else {
            let size = self.inputs[0].placed.dtype.size();
            return Err(Error::TooLarge {
                what: "what is summed at a time".into(),
                bytes: sample * partials.block * size,
                limit: self.capacity(&outputs) * size,
            });
        };
        let wide = partials.access == Access::Vec4;
        // Lengths as the kernel counts them.
        let unit = if wide { WORD } else { 1 };
        let columns = partials.sweep == Sweep::Columns;
        for block in (0..partials.blocks()).step_by(blocks as usize) {
            let here = blocks.min(partials.blocks() - block);
            let outer = (here * partials.block).min(partials.outer - block * partials.block);
            let start = block * partials.block * sample;
            let len = (outer * sample).min(self.len - start);
            let tiles = if columns {
                (partials.channels / unit).div_ceil(u64::from(LANES))
            } else {
                partials.tiles
            };
            let groups = here * tiles * if columns { 1 } else { partials.channels };
            let first = block * partials.channels * partials.tiles;
            let sweep = SweepArgs {
                groups: groups as u32,
                outer: outer as u32,
                channels: (partials.channels / if columns { unit } else { 1 }) as u32,
                inner: (partials.inner / if columns { 1 } else { unit }) as u32,
                block: partials.block as u32,
                chunk: match partials.sweep {
                    Sweep::Rows => {
                        let words = partials.inner.min(partials.tile) / unit;
                        CHUNK.div_ceil(words.div_ceil(u64::from(LANES)))
                    }
                    _ => CHUNK.div_ceil(partials.inner),
                } as u32,
                tile: (partials.tile / if columns { 1 } else { unit }) as u32,
                tiles: tiles as u32,
                first: (first / if columns { unit } else { 1 }) as u32,
                stride: count as u32,
            };
            let launch = self.launch(
                &form,
                &outputs,
                start,
                len,
                groups,
                Some((sweep, launches.scratch)),
            )?;
            launches.push(self.machine, launch)?;
        }
        if !self.sums.is_empty() {
            let finish = self.finish(partials, launches.scratch);
            launches.push(self.machine, finish)?;
        }
        Ok(())
    }

    /// The dispatch that adds up partial sums.
    fn finish(&self, partials: &Partials, scratch: u64) -> Launch<'b> {
        let count = partials.count();
        let mut words = 1;
        let mut bindings = vec![Binding {
            from: From::Scratch,
            offset: 0,
            size: scratch,
        }];
        let mut sums = Vec::new();
        for (index, sum) in self.sums.iter().enumerate() {
            // Runs of partial sums that belong to one value.
            let (run, skip, terms) = match sum.whose {
                Whose::SampleChannel => (partials.tiles, count, partials.tiles),
                Whose::Channel => (
                    partials.tiles,
                    partials.channels * partials.tiles,
                    partials.blocks() * partials.tiles,
                ),
                _ => (count, count, count),
            };
            let (offset, binding) = self.place(sum, 0, sum.operand.len(), sum.dtype.size(), 4);
            bindings.push(binding);
            let base = index as u64 * count;
            let in_word = 4 / sum.dtype.size();
            sums.push([
                base,
                sum.operand.len(),
                terms,
                run,
                skip,
                u64::from(offset),
                in_word,
            ]);
            words = words.max(match sum.dtype.size() {
                4 => sum.operand.len(),
                _ => sum.operand.len() / 2 + 1,
            });
        }
        let [row, rows] = self.machine.grid(words);
        let mut uniform = vec![row, 0, 0, 0];
        for sum in sums {
            uniform.extend(sum.map(|value| value as u32));
            uniform.resize(uniform.len().next_multiple_of(4), 0);
        }
        Launch {
            code: Code::Finish(self.sums.iter().map(|sum| sum.dtype).collect()),
            bindings,
            uniform,
            random: None,
            grid: [row, self.sums.len() as u32, rows],
        }
    }

    /// One dispatch of a kernel, for `len` elements from `start` on.
    fn launch(
        &self,
        form: &Form,
        outputs: &[&Placed<'b>],
        start: u64,
        len: u64,
        groups: u64,
        sweep: Option<(SweepArgs, u64)>,
    ) -> Result<Launch<'b>, Error> {
        let mut args = Args {
            len: len as u32,
            start: start as u32,
            sweep: sweep.map(|(sweep, _)| sweep),
            ..Args::default()
        };
        let mut bindings = Vec::new();
        // What offsets count, and what bindings must be multiples of.
        let units = |p: &Placed<'_>| match form.access {
            Access::Vec4 => (WORD * p.dtype.size(), WORD * p.dtype.size()),
            Access::Scalar => (p.dtype.size(), wgpu::COPY_BUFFER_ALIGNMENT),
        };
        let elementwise = |p: &Placed<'b>| {
            let (unit, whole) = units(p);
            let (offset, binding) = match p.rows() {
                None => self.place(p, start, len, unit, whole),
                Some(_) => self.whole(p, unit, whole)?,
            };
            let per = unit / p.dtype.size();
            let rows = p.rows().unwrap_or(Rows {
                len: per,
                stride: per,
            });
            let place = Place {
                offset,
                row: (rows.len / per) as u32,
                gap: ((rows.stride - rows.len) / per) as u32,
                ..Place::default()
            };
            Ok((place, binding))
        };
        for (Read { placed, .. }, input) in self.inputs.iter().zip(&form.inputs) {
            if placed.whose == Whose::Each {
                let (place, binding) = elementwise(placed)?;
                args.inputs.push(place);
                bindings.push(binding);
                continue;
            }
            let (offset, binding) = self.whole(placed, placed.dtype.size(), 4)?;
            let spread = self.layout.spread(placed.whose, self.len);
            // A sweep counts samples from its own first one.
            let before = match input.at {
                At::HeldSample => start / spread.inner,
                _ => 0,
            };
            args.inputs.push(Place {
                offset: offset + before as u32,
                inner: spread.inner as u32,
                channels: spread.count as u32,
                ..Place::default()
            });
            bindings.push(binding);
        }
        for (output, placed) in form.outputs.iter().zip(outputs) {
            let (place, binding) = elementwise(placed)?;
            args.outputs.push(place);
            if output.in_place.is_none() {
                bindings.push(binding);
            }
        }
        if let Some((_, size)) = sweep.filter(|_| !form.sums.is_empty()) {
            bindings.push(Binding {
                from: From::Scratch,
                offset: 0,
                size,
            });
        }

        let [row, rows] = self.machine.grid(groups);
        args.row = row;
        if !self.body().draws(&form.gradients()).is_empty() {
            args.random = Some(random_words(self.random));
        }
        let fields = wgsl::fields(form, &args);
        let random = fields.iter().position(|(name, _)| name == "seed_low");
        let mut uniform: Vec<u32> = fields.into_iter().map(|(_, value)| value).collect();
        uniform.resize(uniform.len().next_multiple_of(4), 0);
        let values = self.task.chain.iter().flat_map(Chain::values);
        uniform.extend(values.map(f32::to_bits));
        uniform.resize(uniform.len().next_multiple_of(4), 0);
        Ok(Launch {
            code: Code::Pass(form.clone()),
            bindings,
            uniform,
            random,
            grid: [row, rows, 1],
        })
    }

    /// A binding of `len` elements from `start` on, and where in it they begin, in units.
    fn place(
        &self,
        p: &Placed<'b>,
        start: u64,
        len: u64,
        unit: u64,
        whole: u64,
    ) -> (u32, Binding<'b>) {
        let first = p.bytes.start + start * p.dtype.size();
        self.binding(p, first, first + len * p.dtype.size(), unit, whole)
    }

    /// The same of a whole operand, with the gaps between its rows.
    fn whole(&self, p: &Placed<'b>, unit: u64, whole: u64) -> Result<(u32, Binding<'b>), Error> {
        let (alignment, limit) = (self.machine.alignment(), self.machine.limit());
        let bytes = p.bytes.end - p.bytes.start;
        if bytes + alignment + whole > limit {
            return Err(Error::TooLarge {
                what: format!("{}, which cannot be cut,", p.name),
                bytes,
                limit,
            });
        }
        Ok(self.binding(p, p.bytes.start, p.bytes.end, unit, whole))
    }

    fn binding(
        &self,
        p: &Placed<'b>,
        first: u64,
        end: u64,
        unit: u64,
        whole: u64,
    ) -> (u32, Binding<'b>) {
        let alignment = self.machine.alignment();
        let offset = first / alignment * alignment;
        let binding = Binding {
            from: From::Memory(p.operand.memory()),
            offset,
            size: end.next_multiple_of(whole) - offset,
        };
        (((first - offset) / unit) as u32, binding)
    }
}

/// A plan with its operands, ready to be recorded into compute passes of the same device.
#[derive(Clone, Debug)]
pub struct Bound {
    pub(crate) dispatches: Vec<Dispatch>,
    pub(crate) scratch: u64,
    pub(crate) len: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Dispatch {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) bind_group: wgpu::BindGroup,
    pub(crate) grid: [u32; 3],
    pub(crate) arguments: wgpu::Buffer,
    /// Where in the arguments the seed and the offset of random numbers are, if there are any.
    pub(crate) random: Option<u64>,
}

/// Seed and offset as kernels are told them.
pub(crate) fn random_words([seed, offset]: [u64; 2]) -> [u32; 4] {
    let halves = |value: u64| [value as u32, (value >> 32) as u32];
    let ([a, b], [c, d]) = (halves(seed), halves(offset));
    [a, b, c, d]
}

impl Bound {
    /// Records the dispatches. Nothing is allocated here, submitted or waited for; the pass is left with
    /// this plan's pipeline and bind group 0. Zero elements record nothing.
    ///
    /// With summed gradients, two recordings of one bound must not run at the same time on two queues: they
    /// share the partial sums.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let mut last = None;
        for dispatch in &self.dispatches {
            if last != Some(&dispatch.pipeline) {
                pass.set_pipeline(&dispatch.pipeline);
                last = Some(&dispatch.pipeline);
            }
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            let [x, y, z] = dispatch.grid;
            pass.dispatch_workgroups(x, y, z);
        }
    }

    /// Gives random steps another seed and offset ([`Operands::random`]) for what is submitted from here on: each
    /// step of a training has its own, and nothing is bound anew. A chain that draws nothing is left as it is.
    pub fn set_random(&self, queue: &wgpu::Queue, seed: u64, offset: u64) {
        let words = random_words([seed, offset]);
        for dispatch in &self.dispatches {
            if let Some(at) = dispatch.random {
                queue.write_buffer(&dispatch.arguments, at, bytemuck::cast_slice(&words));
            }
        }
    }

    /// Elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many dispatches are recorded: one, unless an operand is larger than the device can bind; two
    /// with summed gradients.
    pub fn dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Bytes of device memory that this bound holds for partial sums: zero without summed gradients.
    pub fn scratch_bytes(&self) -> u64 {
        self.scratch
    }
}
