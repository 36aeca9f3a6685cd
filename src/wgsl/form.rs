//! What a chain's kernel depends on beside its steps: operands, how they are reached, and the order of work.

use super::chain::{ChainCode, arg};
use super::rows::RowCode;
use crate::chain::Chain;
use crate::pass::Pass;
use crate::tensor::dtype::{DType, DTypes};

/// How elements are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Four elements at a time, all operands at places that are multiples of four elements.
    Vec4,
    /// Elements one by one, at any place.
    Scalar,
}

impl Access {
    /// Elements in a word.
    pub(super) fn lanes(self) -> usize {
        match self {
            Access::Vec4 => 4,
            Access::Scalar => 1,
        }
    }
}

/// Which of an input's values belongs to an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// Its own.
    Each,
    /// Its own, in rows with gaps between them.
    Rows,
    /// The same of a 16-bit result whose rows begin or end within 32 bits.
    Ragged,
    /// Its own, the first of each pair of elements: another operand's are the second ones.
    Even,
    /// The second of each pair.
    Odd,
    /// The only one.
    Shared,
    /// That of its channel, one for the four elements of a word.
    Channel,
    /// That of its channel, where another may begin within a word; a channel has four elements at least.
    Edge,
    /// That of its channel, four in a row for the four elements of a word.
    Channels,
    /// The same, where these are words too.
    ChannelWords,
    /// That of the channel, or the channels of a word, that the sweep is at.
    Held,
    /// The same of the sample that the sweep is at.
    HeldSample,
}

impl At {
    /// Whether the element's channel says which it is.
    pub(crate) fn is_of_channel(self) -> bool {
        matches!(
            self,
            At::Channel | At::Edge | At::Channels | At::ChannelWords
        )
    }
}

/// An operand that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Input {
    /// Its variable: `x`, `dy`, `arg_w`.
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) at: At,
    /// The input, by index, whose binding has its elements too, since the two alternate.
    pub(crate) beside: Option<usize>,
    /// Whether other values follow after some elements, and so on.
    pub(crate) has_periods: bool,
    /// The input before it, by name, whose values belong to the same elements.
    pub(crate) like: Option<String>,
}

impl Input {
    /// Whether its elements alternate with another's, and it has the binding.
    pub(super) fn is_first_of_pairs(&self) -> bool {
        matches!(self.at, At::Even | At::Odd) && self.beside.is_none()
    }
}

/// An operand that is written, element by element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Output {
    /// Its variable: `y`, `dx`, `d_w`.
    pub(crate) name: String,
    pub(crate) dtype: DType,
    /// How its elements lie: [`At::Each`], [`At::Rows`], [`At::Ragged`], [`At::Even`] or [`At::Odd`].
    pub(crate) at: At,
    /// The input, by index, that it takes the place of.
    pub(crate) in_place: Option<usize>,
    /// The output, by index, that it alternates with, and is stored together with.
    pub(crate) beside: Option<usize>,
}

/// The order in which a kernel goes through the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sweep {
    /// Each invocation has its words, and sums nothing.
    Each,
    /// A workgroup has a part of some rows of one channel, loads the channel's values once, and may sum.
    Rows,
    /// A workgroup has some channels that lie beside each other, in some rows; an invocation has so many words of each row,
    /// and may sum.
    Columns(u32),
    /// A workgroup has whole rows, strip by strip.
    Whole(Strips),
}

/// How a workgroup goes over whole rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Strips {
    /// Of the workgroup.
    pub(crate) lanes: u32,
    /// Lanes beside each other that share a row.
    pub(crate) beside: u32,
    /// Words that a lane has of a strip.
    pub(crate) words: u32,
    /// Whether a row is one strip, which its lanes hold.
    pub(crate) held: bool,
    /// Whether each lane has as many words of every row, and every lane has one.
    pub(crate) whole: bool,
    /// Whether a lane has rows one after another.
    pub(crate) turns: bool,
}

/// What a kernel over whole rows leaves as partial sums of a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SumOf {
    /// One for each row.
    Row,
    /// One for each column, of the rows that a lane has.
    Column,
    /// One for each element: nothing is summed yet.
    Element,
}

/// Invocations in a workgroup that sweeps, as shaders/sweep has it.
pub(crate) const LANES: u32 = 64;

/// What a kernel's text depends on beside its body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) access: Access,
    /// Binds every operand read_write, as operands in one buffer need it.
    pub(crate) shared: bool,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    /// The operands whose gradients are summed.
    pub(crate) sums: Vec<String>,
    /// Over whole rows, what is left of each.
    pub(crate) sums_of: Vec<SumOf>,
    pub(crate) sweep: Sweep,
    /// Words per invocation.
    pub(crate) words: u32,
    /// No operand ends within a word of four.
    pub(crate) whole: bool,
    /// Whether an operand with a value for each element begins elsewhere than its binding does. Most do not: then one index
    /// reaches all of them, where elements are not reached one by one.
    pub(crate) offsets: bool,
}

impl Form {
    /// Whole words, for any length, operands apart from each other and as long as x, one word an invocation.
    pub(crate) fn plain(body: Body<'_>, dtypes: DTypes) -> Form {
        let pass = body.pass();
        let (inputs, outputs) = pass.parts();
        let input = |name: String, dtype| Input {
            name,
            dtype,
            at: At::Each,
            beside: None,
            has_periods: false,
            like: None,
        };
        let args = body.needs(&[]).into_iter();
        Form {
            access: Access::Vec4,
            shared: false,
            inputs: inputs
                .iter()
                .map(|name| input((*name).to_owned(), dtypes.of(name)))
                .chain(args.map(|name| input(arg(&name), dtypes.x)))
                .collect(),
            outputs: outputs
                .iter()
                .map(|output| Output {
                    name: (*output).to_owned(),
                    dtype: dtypes.of(output),
                    at: At::Each,
                    in_place: None,
                    beside: None,
                })
                .collect(),
            sums: Vec::new(),
            sums_of: Vec::new(),
            sweep: match body.chain().and_then(Chain::row) {
                Some(_) => Sweep::Whole(Strips {
                    lanes: LANES,
                    beside: LANES,
                    words: 4,
                    held: true,
                    whole: false,
                    turns: false,
                }),
                None => Sweep::Each,
            },
            words: 1,
            whole: false,
            offsets: false,
        }
    }

    /// Whether a variable is written half a word at a time by lanes that know nothing of each other.
    pub(super) fn is_atomic(&self, variable: &str) -> bool {
        let is_here = self.access == Access::Scalar && matches!(self.sweep, Sweep::Whole(_));
        let narrow = self.outputs.iter().filter(|output| output.dtype.size() < 4);
        let mut targets = narrow.map(|output| self.target(output));
        is_here && targets.any(|target| target == variable)
    }

    /// Whether `struct Args` says where an operand that is reached so begins.
    pub(super) fn has_offset(&self, at: At) -> bool {
        self.offsets || self.access == Access::Scalar || at != At::Each
    }

    /// The input, by index, in whose binding an input's elements are.
    pub(crate) fn bound(&self, input: usize) -> usize {
        self.inputs[input].beside.unwrap_or(input)
    }

    /// The variable that an output is stored through.
    pub(super) fn target<'a>(&'a self, output: &'a Output) -> &'a str {
        match (output.beside, output.in_place) {
            (Some(other), _) => self.target(&self.outputs[other]),
            (_, Some(input)) => self.memory(&self.inputs[input]),
            _ => &output.name,
        }
    }

    /// The output that alternates with one, and is stored along with it.
    pub(super) fn other_of_pairs(&self, index: usize) -> Option<&Output> {
        let mut others = self.outputs.iter();
        others.find(|other| other.beside == Some(index))
    }

    /// The variable that an input is loaded from.
    pub(super) fn memory<'a>(&'a self, input: &'a Input) -> &'a str {
        input
            .beside
            .map_or(&input.name, |other| &self.inputs[other].name)
    }

    /// The outputs with a binding of their own.
    pub(crate) fn own_outputs(&self) -> impl Iterator<Item = &Output> {
        let outputs = self.outputs.iter();
        outputs.filter(|output| output.in_place.is_none() && output.beside.is_none())
    }

    /// Whether each operand is written, in the order of the bindings, were it in a buffer of its own.
    pub(crate) fn written(&self) -> Vec<bool> {
        let replaced = self.outputs.iter().filter_map(|output| output.in_place);
        let replaced: Vec<_> = replaced.map(|input| self.bound(input)).collect();
        let own = (0..self.inputs.len()).filter(|input| self.bound(*input) == *input);
        let inputs = own.map(|input| replaced.contains(&input));
        let outputs = self.own_outputs().map(|_| true);
        let sums = (!self.sums.is_empty()).then_some(true);
        inputs.chain(outputs).chain(sums).collect()
    }

    /// The names of the operands with gradients, summed or not.
    pub(crate) fn gradients(&self) -> Vec<&str> {
        let outputs = self
            .outputs
            .iter()
            .filter_map(|o| o.name.strip_prefix("d_"));
        outputs
            .chain(self.sums.iter().map(String::as_str))
            .collect()
    }
}

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body<'a> {
    /// A chain's pass.
    Chain(&'a Chain, Pass),
    /// The pass's reads and writes with no arithmetic to speak of: the roof for its speed.
    Copy(Pass),
}

impl<'a> Body<'a> {
    pub(crate) fn pass(self) -> Pass {
        match self {
            Body::Chain(_, pass) | Body::Copy(pass) => pass,
        }
    }

    pub(crate) fn chain(self) -> Option<&'a Chain> {
        match self {
            Body::Chain(chain, _) => Some(chain),
            Body::Copy(_) => None,
        }
    }

    /// The chain's statements, with these gradients.
    pub(crate) fn code(self, gradients: &[&str]) -> Option<ChainCode<'a>> {
        match self {
            Body::Chain(chain, pass) => Some(ChainCode::new(chain, pass, gradients)),
            Body::Copy(_) => None,
        }
    }

    /// The same of a chain with a step over whole rows.
    pub(super) fn rows(self, gradients: &[&str]) -> Option<RowCode<'a>> {
        match self {
            Body::Chain(chain, pass) => RowCode::new(chain, pass, gradients),
            Body::Copy(_) => None,
        }
    }

    /// The operands of arguments that the pass reads, if these gradients are asked for.
    pub(crate) fn needs(self, gradients: &[&str]) -> Vec<String> {
        // Without any there is no need for code to see which.
        if self.chain().is_none_or(|chain| chain.operands().is_empty()) {
            return Vec::new();
        }
        match self.rows(gradients) {
            Some(rows) => rows.operands(),
            None => self
                .code(gradients)
                .map_or_else(Vec::new, |code| code.operands()),
        }
    }

    /// The random steps, as indices of nodes, whose numbers the pass draws.
    pub(crate) fn draws(self, gradients: &[&str]) -> Vec<usize> {
        if !self.chain().is_some_and(Chain::is_random) {
            return Vec::new();
        }
        match self.rows(gradients) {
            Some(rows) => rows.draws(),
            None => self
                .code(gradients)
                .map_or_else(Vec::new, |code| code.draws()),
        }
    }
}

/// Where an operand is, in numbers: what `struct Args` says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The first word or element.
    pub(crate) offset: u32,
    /// Rows: the length of one, and what lies between one and the next.
    pub(crate) row: u32,
    pub(crate) gap: u32,
    /// Channels: elements beside each other that share a value, and how many values there are.
    pub(crate) inner: u32,
    pub(crate) channels: u32,
    /// Elements after which other values follow.
    pub(crate) period: u32,
}

/// The numbers of one dispatch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    /// Elements.
    pub(crate) len: u32,
    /// Workgroups in a row of the grid.
    pub(crate) row: u32,
    /// The first element, counted from the operands' beginning: for channels and random numbers.
    pub(crate) start: u32,
    pub(crate) inputs: Vec<Place>,
    pub(crate) outputs: Vec<Place>,
    /// Seed and offset of the random numbers.
    pub(crate) random: Option<[u32; 4]>,
    pub(crate) sweep: Option<SweepArgs>,
    pub(crate) rows: Option<RowArgs>,
}

impl Args {
    /// What [`Form::offsets`] is with these numbers. Where elements are reached one by one, the text asks for offsets anyway.
    pub(crate) fn has_offsets(&self, form: &Form) -> bool {
        let inputs = form.inputs.iter().map(|input| input.at);
        let inputs = inputs.zip(&self.inputs);
        let outputs = form.outputs.iter().map(|output| output.at);
        let mut all = inputs.chain(outputs.zip(&self.outputs));
        let is_behind = all.any(|(at, place)| at == At::Each && place.offset > 0);
        form.access == Access::Vec4 && is_behind
    }
}

/// The part of `struct Args` that kernels over whole rows need.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowArgs {
    /// Rows of this dispatch, and those before it.
    pub(crate) rows: u32,
    pub(crate) first_row: u32,
    /// Words, or elements as the access has it, of a row, and of rows between one and the next of these.
    pub(crate) words: u32,
    pub(crate) inner: u32,
    pub(crate) columns: u32,
    /// Rows that a lane has.
    pub(crate) block: u32,
    /// Rows of a matrix.
    pub(crate) queries: u32,
    /// Where the partial sums of each gradient begin.
    pub(crate) sums: Vec<u32>,
}

/// The part of `struct Args` that sweeps need. Lengths are in words or elements, as the access has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SweepArgs {
    /// Workgroups.
    pub(crate) groups: u32,
    /// Samples, channels, and elements beside each other of one channel.
    pub(crate) outer: u32,
    pub(crate) channels: u32,
    pub(crate) inner: u32,
    /// Samples that are summed together, and for columns in one running sum; elements of a row that one
    /// workgroup has, and such parts in a row; for columns, workgroups beside each other.
    pub(crate) block: u32,
    pub(crate) chunk: u32,
    pub(crate) tile: u32,
    pub(crate) tiles: u32,
    /// How many eights of invocations go along a row, as a power of two: there are eight of them, and the others have other
    /// channels; and workgroups across all channels.
    pub(crate) along_log2: u32,
    pub(crate) across: u32,
    /// Where in the partial sums this dispatch's begin, and how many there are of each operand.
    pub(crate) first: u32,
    pub(crate) stride: u32,
}

/// What `m_divide` of shaders/math/divide.wgsl needs for a divisor.
pub(crate) fn divisor(d: u32) -> [u32; 2] {
    let shift = u32::BITS - d.max(1).saturating_sub(1).leading_zeros();
    let magic = (1u64 << (31 + shift)).div_ceil(u64::from(d.max(1)));
    [magic as u32, shift]
}

/// The fields of `struct Args`, with their values: one list, so that the text and the numbers agree.
pub(crate) fn fields(form: &Form, args: &Args) -> Vec<(String, u32)> {
    let mut all: Vec<(String, u32)> = Vec::new();
    let mut put = |name: &str, value: u32| all.push((name.to_owned(), value));
    put("len", args.len);
    put("row", args.row);
    put("start", args.start);
    let place = |index: usize, places: &[Place]| places.get(index).copied().unwrap_or_default();
    for (index, input) in form.inputs.iter().enumerate() {
        if form.has_offset(input.at) {
            put(&input.name, place(index, &args.inputs).offset);
        }
        input_fields(&mut put, input, place(index, &args.inputs));
    }
    for (index, output) in form.outputs.iter().enumerate() {
        let place = place(index, &args.outputs);
        if form.has_offset(output.at) {
            put(&output.name, place.offset);
        }
        if matches!(output.at, At::Rows | At::Ragged) {
            row_fields(&mut put, &output.name, place);
        }
        if output.at == At::Ragged {
            put(&format!("row_{}", output.name), place.row);
        }
    }
    let random = ["seed_low", "seed_high", "offset_low", "offset_high"];
    for (name, value) in random.iter().zip(args.random.iter().flatten()) {
        put(name, *value);
    }
    if let Some(sweep) = args.sweep {
        sweep_fields(&mut put, sweep);
    }
    if let Some(rows) = &args.rows {
        rows_fields(&mut put, rows);
        for (index, name) in form.sums.iter().enumerate() {
            let first = rows.sums.get(index).copied().unwrap_or_default();
            put(&format!("sum_{name}"), first);
        }
    }
    all
}

fn rows_fields(put: &mut impl FnMut(&str, u32), rows: &RowArgs) {
    for (name, value) in [
        ("rows", rows.rows),
        ("first_row", rows.first_row),
        ("words", rows.words),
        ("inner", rows.inner),
        ("inner_magic", divisor(rows.inner)[0]),
        ("inner_shift", divisor(rows.inner)[1]),
        ("columns", rows.columns),
        ("block", rows.block),
        ("queries", rows.queries),
        ("queries_magic", divisor(rows.queries)[0]),
        ("queries_shift", divisor(rows.queries)[1]),
        ("nothing", f32::NEG_INFINITY.to_bits()),
    ] {
        put(name, value);
    }
}

fn row_fields(put: &mut impl FnMut(&str, u32), name: &str, place: Place) {
    let [magic, shift] = divisor(place.row);
    put(&format!("row_magic_{name}"), magic);
    put(&format!("row_shift_{name}"), shift);
    put(&format!("gap_{name}"), place.gap);
}

fn input_fields(put: &mut impl FnMut(&str, u32), input: &Input, place: Place) {
    let Input { name, at, .. } = input;
    match at {
        At::Each | At::Even | At::Odd | At::Shared | At::Held | At::HeldSample => {}
        At::Rows | At::Ragged => row_fields(put, name, place),
        At::ChannelWords => {
            let [magic, shift] = divisor(place.channels / 4);
            put(&format!("words_{name}"), place.channels / 4);
            put(&format!("words_magic_{name}"), magic);
            put(&format!("words_shift_{name}"), shift);
        }
        At::Channel | At::Edge | At::Channels => {
            if *at == At::Edge {
                put(&format!("inner_{name}"), place.inner);
            }
            for (what, d) in [("inner", place.inner), ("channels", place.channels)] {
                let [magic, shift] = divisor(d);
                put(&format!("{what}_magic_{name}"), magic);
                put(&format!("{what}_shift_{name}"), shift);
            }
            put(&format!("channels_{name}"), place.channels);
            if input.has_periods {
                let [magic, shift] = divisor(place.period);
                put(&format!("period_magic_{name}"), magic);
                put(&format!("period_shift_{name}"), shift);
            }
        }
    }
}

fn sweep_fields(put: &mut impl FnMut(&str, u32), sweep: SweepArgs) {
    for (name, value) in [
        ("groups", sweep.groups),
        ("outer", sweep.outer),
        ("channels", sweep.channels),
        ("inner", sweep.inner),
        ("block", sweep.block),
        ("chunk", sweep.chunk),
        ("tile", sweep.tile),
        ("tiles", sweep.tiles),
        ("along_log2", sweep.along_log2),
        ("tiles_magic", divisor(sweep.tiles)[0]),
        ("tiles_shift", divisor(sweep.tiles)[1]),
        ("across", sweep.across),
        ("across_magic", divisor(sweep.across)[0]),
        ("across_shift", divisor(sweep.across)[1]),
        ("first", sweep.first),
        ("stride", sweep.stride),
    ] {
        put(name, value);
    }
}
