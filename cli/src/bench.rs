//! `nonlin bench`.
//!
//! For each pass three variants of the same work: a plain copy (the pass's reads and writes without
//! arithmetic), the chain as one dispatch, and the chain as one dispatch for each step. Results are
//! compared with the reference before anything is timed; then samples of the variants take turns,
//! so that what disturbs the machine disturbs all of them. The catalogue (`--all`) has the first
//! two variants of every activation.

mod layer;
mod operands;
mod unfused;

use crate::layers::{Given, Known};
use crate::output::{Progress, complain, dtypes, show, show_json, table};
use crate::subject::{self, Lengths};
use crate::{Failure, Result, Verdict, adapters};
use nonlin::half::{bf16, f16};
use nonlin::wgpu::{self, BufferUsages, CommandEncoder, ErrorFilter};
use nonlin::{
    Activation, Bound, Chain, DType, Element, Error, Function, Gpu, Layout, Operand, Operands,
    Pass, Plan, Shape,
};
use serde_json::{Value, json};
use std::fmt::Write;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

/// Time a chain or a layer: fused, unfused, and against a plain copy
///
/// copy reads and writes what the pass does and computes nothing: the roof. fused is the chain as
/// one dispatch. unfused is one dispatch for each step, with the same kernels: forward through a
/// buffer for each intermediate value, backward from each step's input (computed before, not timed)
/// and the gradient that comes in. Backward of a scale is a scale of the gradient, and reads no more.
///
/// A chain with operands is timed with the gradients of all of them, beside dx_only, the same without. What
/// passes a gradient on unchanged takes no dispatch of the unfused form, but a residual's gradient is a
/// copy; a gate's two gradients are two products. Gates and residuals are as long as x.
///
/// A layer (frelu, meta_acon, dyrelu_a, dyrelu_b, dyrelu_c) is timed on images, forward, backward with all gradients,
/// and both behind each other. Its unfused form has a simple kernel for each operation: pooling, matrix products,
/// each elementwise operation, convolutions, norms, sums.
///
/// Results of all dispatches are compared with the reference first; if they are wrong, nothing is
/// timed and the exit code is 1. A sample is one submit, from handing it over until the device is
/// done; it holds the variant several times over where once would take less than 5 ms. Samples of
/// the variants take turns. Times are medians.
///
/// --all times every activation instead, with its default parameters, as one dispatch and against
/// the copy. One whose results are wrong is not timed; that is said on stderr, and the exit code
/// is 1.
///
/// --json prints {"adapter", "len", "dtype", "workgroup", "words", "samples", "chain", "passes":
/// [{"chain", "pass", "repeats", "copy", "dx_only", "fused", "unfused", "speedup"}]}; of a layer there are "layer"
/// instead of "chain", and "shape", but neither "workgroup" nor "words". Each variant has
/// {"dispatches", "scratch_bytes", "bytes", "median_ns", "min_ns", "max_ns", "ns_per_element", "gb_per_s",
/// "ratio_to_copy"}; speedup is unfused over fused. A layer's scratch_bytes hold what is kept for backward too. With --all there is no "chain", and instead of
/// "passes" there is "results": [{"chain", "pass", "repeats", "copy", "fused"}].
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin bench
    nonlin bench 'gelu | scale(2)' --len 1000000 --samples 31
    nonlin bench --all --dtype f16
    nonlin bench 'silu | gate(@g)'
    nonlin bench 'prelu(weight=@w)' --shape 32x256x2048
    nonlin bench frelu --set norm=train --shape 16x64x56x56
    nonlin bench silu --workgroup 64 --words 4 --json")]
pub(crate) struct Args {
    /// The steps, or a layer; `nonlin list` shows what there is
    #[arg(default_value = "scale(0.5) | silu | scale(2)")]
    chain: String,
    /// Time every activation
    #[arg(long, conflicts_with = "chain")]
    all: bool,
    /// How elements are stored
    #[arg(long, default_value = "f32", value_parser = dtypes())]
    dtype: DType,
    /// Elements in every buffer, 16777216 if not given; a chain of three steps needs eight buffers
    #[arg(long)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    len: Option<u64>,
    /// Samples, channels and elements of each, such as 32x256x2048, instead of --len: operands then have a
    /// value for each channel, else one for all. For a layer, samples, channels, height and width; 16x64x56x56 if not
    /// given
    #[arg(long, value_name = "NxCxL", value_parser = Lengths::parse, conflicts_with = "len")]
    shape: Option<Lengths>,
    /// A setting of a layer; `nonlin list` shows what there is
    #[arg(long, value_name = "KEY=VALUE", value_parser = Given::parse)]
    set: Vec<Given>,
    /// Use the first adapter whose description contains this, in upper or lower case
    #[arg(long, value_name = "TEXT")]
    adapter: Option<String>,
    /// Invocations in a workgroup; the library's default, if not given
    #[arg(long)]
    workgroup: Option<u32>,
    /// Words of four elements that an invocation handles; the library's default, if not given
    #[arg(long)]
    words: Option<u32>,
    /// Samples of each variant
    #[arg(long, default_value_t = 11)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    samples: u32,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// Untimed samples of each variant.
const WARM_UP: u32 = 2;

/// How long a sample should take at least.
const SAMPLE: Duration = Duration::from_millis(5);

/// Elements compared with the reference at either end of a result.
const COMPARED: u64 = 1 << 15;

/// Elements, if neither --len nor --shape is given.
const LEN: u64 = 1 << 24;

pub(crate) fn bench(args: &Args) -> Result<Verdict> {
    if let (Some(known), false) = (Known::by_name(&args.chain), args.all) {
        return layer::bench(args, known);
    }
    if !args.set.is_empty() {
        return Err(Failure(format!(
            "--set is for layers; {} is none",
            args.chain
        )));
    }
    match args.dtype {
        DType::F16 => bench_as::<f16>(args),
        DType::BF16 => bench_as::<bf16>(args),
        _ => bench_as::<f32>(args),
    }
}

fn bench_as<T: Element>(args: &Args) -> Result<Verdict> {
    let chain = subject::chain(&args.chain, "bench")?;
    let layout = match &args.shape {
        None => Layout {
            outer: 1,
            channels: 1,
            inner: args.len.unwrap_or(LEN),
        },
        Some(shape) => shape.layout()?,
    };
    let gpu = adapters::open(args.adapter.as_deref())?;
    let default = gpu.kernels().shape();
    let gpu = gpu.with_shape(Shape {
        workgroup: args.workgroup.unwrap_or(default.workgroup),
        words: args.words.unwrap_or(default.words),
    })?;
    let bench = Bench::<T> {
        gpu: &gpu,
        len: layout.outer * layout.channels * layout.inner,
        samples: args.samples,
        dtype: PhantomData,
    };
    let (timed, wrong) = bench.guarded(|| match args.all {
        true => bench.catalogue(),
        false if chain.is_random() || !chain.operands().is_empty() => {
            bench.with_operands(&chain, layout)
        }
        false => bench.passes(&chain),
    })?;
    wrong.iter().for_each(|wrong| complain(wrong));
    if !timed.is_empty() {
        match args.all {
            true => bench.show_catalogue(&timed, args.json)?,
            false => bench.show_passes(&[("chain", &args.chain)], &timed, args.json)?,
        }
    }
    Ok(match wrong.as_slice() {
        [] => Verdict::Fine,
        _ => Verdict::CheckFailed,
    })
}

/// What was timed, and what is wrong with that which was not.
type Outcome = (Vec<Timed>, Vec<String>);

struct Bench<'a, T> {
    gpu: &'a Gpu,
    len: u64,
    samples: u32,
    dtype: PhantomData<T>,
}

/// What a dispatch of a variant should come to.
struct Part {
    /// None for a copy.
    chain: Option<Chain>,
    pass: Pass,
    inputs: Vec<wgpu::Buffer>,
    output: wgpu::Buffer,
}

/// One way to do a pass: dispatches in order, and how long they took.
struct Variant {
    name: &'static str,
    bounds: Vec<Bound>,
    /// Dispatches that are not the library's.
    plain: Vec<unfused::Dispatch>,
    /// Bytes that forward leaves for backward.
    kept: u64,
    /// For each of the dispatches, if they are yet to be compared.
    parts: Vec<Part>,
    bytes: u64,
    times: Vec<Duration>,
}

/// What was timed: whether it is a chain or a layer, its text, and the pass.
#[derive(Clone)]
struct Subject {
    kind: &'static str,
    what: String,
    pass: String,
}

impl Subject {
    fn chain(chain: &Chain, pass: Pass) -> Self {
        Subject {
            kind: "chain",
            what: chain.to_string(),
            pass: pass.to_string(),
        }
    }
}

/// The variants of a pass, the copy first.
struct Timed {
    subject: Subject,
    repeats: u32,
    variants: Vec<Variant>,
}

impl<T: Element> Bench<'_, T> {
    /// Times both passes of a chain.
    fn passes(&self, chain: &Chain) -> Result<Outcome> {
        let x = self.inputs("x", x_at)?;
        let steps = chain.steps().len();
        // The input of each step, and behind the last one the chain's value.
        let mut values = vec![x];
        for _ in 0..steps {
            values.push(self.buffer("value")?);
        }
        let dy = self.inputs("dy", dy_at)?;
        let dx = self.buffer("dx")?;
        // Gradients between steps go to and fro between two buffers at most.
        let mut gradients = Vec::new();
        for _ in 1..steps.min(3) {
            gradients.push(self.buffer("gradient")?);
        }

        let whole = |pass| self.whole(chain, pass, &values[0], &values[steps], &dy, &dx);
        let mut forward = whole(Pass::Forward)?;
        forward.push(self.unfused_forward(chain, &values)?);
        let mut backward = whole(Pass::Backward)?;
        backward.push(self.unfused_backward(chain, &values, &dy, &dx, &gradients)?);
        // The unfused forward pass also leaves the values that the backward pass starts from.
        for variants in [&forward, &backward] {
            if let Some(wrong) = self.compare_all(variants)? {
                return Ok((Vec::new(), vec![wrong]));
            }
        }
        let progress = Progress::new(u64::from(self.samples + WARM_UP) * 6);
        let mut timed = Vec::new();
        for (pass, variants) in [(Pass::Forward, forward), (Pass::Backward, backward)] {
            timed.push(self.time(Subject::chain(chain, pass), variants, &progress)?);
        }
        Ok((timed, Vec::new()))
    }

    /// Times both passes of every activation.
    fn catalogue(&self) -> Result<Outcome> {
        let (x, dy) = (self.inputs("x", x_at)?, self.inputs("dy", dy_at)?);
        let (y, dx) = (self.buffer("y")?, self.buffer("dx")?);
        let (mut timed, mut wrong) = (Vec::new(), Vec::new());
        let each = u64::from(self.samples + WARM_UP) * 2;
        let progress = Progress::new(each * 2 * Activation::ALL.len() as u64);
        for activation in Activation::ALL {
            let chain = Chain::from(*activation);
            for pass in Pass::FROM_X {
                let variants = self.whole(&chain, pass, &x, &y, &dy, &dx)?;
                match self.compare_all(&variants)? {
                    None => {
                        let subject = Subject::chain(&chain, pass);
                        timed.push(self.time(subject, variants, &progress)?);
                    }
                    Some(message) => {
                        wrong.push(message);
                        progress.advance(each);
                    }
                }
            }
        }
        Ok((timed, wrong))
    }

    /// A pass as one dispatch, behind the copy of the same bytes.
    fn whole(
        &self,
        chain: &Chain,
        pass: Pass,
        x: &wgpu::Buffer,
        y: &wgpu::Buffer,
        dy: &wgpu::Buffer,
        dx: &wgpu::Buffer,
    ) -> Result<Vec<Variant>> {
        let (inputs, output) = match pass {
            Pass::Forward => (vec![x], y),
            _ => (vec![x, dy], dx),
        };
        let mut copy = Variant::new("copy");
        let plan = self.gpu.kernels().copy(pass, T::DTYPE)?;
        self.dispatch(&mut copy, None, &plan, &inputs, output)?;
        let mut fused = Variant::new("fused");
        self.step(&mut fused, chain.clone(), pass, &inputs, output)?;
        Ok(vec![copy, fused])
    }

    fn unfused_forward(&self, chain: &Chain, values: &[wgpu::Buffer]) -> Result<Variant> {
        let mut unfused = Variant::new("unfused");
        for (step, values) in chain.steps().iter().zip(values.windows(2)) {
            let step = Chain::new().step(step.clone());
            self.step(&mut unfused, step, Pass::Forward, &[&values[0]], &values[1])?;
        }
        Ok(unfused)
    }

    fn unfused_backward(
        &self,
        chain: &Chain,
        values: &[wgpu::Buffer],
        dy: &wgpu::Buffer,
        dx: &wgpu::Buffer,
        gradients: &[wgpu::Buffer],
    ) -> Result<Variant> {
        let mut unfused = Variant::new("unfused");
        let mut from = dy;
        for (index, step) in chain.steps().iter().enumerate().rev() {
            let to = match index {
                0 => dx,
                _ => &gradients[index % gradients.len()],
            };
            let (pass, inputs) = match step.function() {
                Function::Scale => (Pass::Forward, vec![from]),
                _ => (Pass::Backward, vec![&values[index], from]),
            };
            self.step(
                &mut unfused,
                Chain::new().step(step.clone()),
                pass,
                &inputs,
                to,
            )?;
            from = to;
        }
        Ok(unfused)
    }

    /// Adds a chain's pass to a variant.
    fn step(
        &self,
        variant: &mut Variant,
        chain: Chain,
        pass: Pass,
        inputs: &[&wgpu::Buffer],
        output: &wgpu::Buffer,
    ) -> Result<()> {
        let plan = self.gpu.kernels().plan(&chain, pass, T::DTYPE)?;
        self.dispatch(variant, Some(chain), &plan, inputs, output)
    }

    fn dispatch(
        &self,
        variant: &mut Variant,
        chain: Option<Chain>,
        plan: &Plan,
        inputs: &[&wgpu::Buffer],
        output: &wgpu::Buffer,
    ) -> Result<()> {
        let operand = |buffer| Operand::new(buffer, 0, self.len);
        let operands = match inputs {
            [x, dy] => Operands::new()
                .x(operand(x))
                .dy(operand(dy))
                .dx(operand(output)),
            inputs => Operands::new().x(operand(inputs[0])).y(operand(output)),
        };
        variant.bytes += plan.bytes(self.len);
        variant.bounds.push(plan.bind(operands)?);
        variant.parts.push(Part {
            chain,
            pass: plan.pass(),
            inputs: inputs.iter().map(|buffer| (*buffer).clone()).collect(),
            output: output.clone(),
        });
        Ok(())
    }

    /// What is wrong with the first of the variants that has wrong results.
    fn compare_all(&self, variants: &[Variant]) -> Result<Option<String>> {
        for variant in variants {
            if let Some(wrong) = self.compare(variant)? {
                return Ok(Some(wrong));
            }
        }
        Ok(None)
    }

    /// Runs a variant and compares both ends of each dispatch's result with what it should be.
    fn compare(&self, variant: &Variant) -> Result<Option<String>> {
        for (part, bound) in variant.parts.iter().zip(&variant.bounds) {
            let mut encoder = self.encoder();
            // What another variant left there must not pass for this one's result.
            encoder.clear_buffer(&part.output, 0, None);
            bound.record(&mut encoder.begin_compute_pass(&Default::default()));
            self.gpu.queue().submit([encoder.finish()]);
            let inputs = part.inputs.iter().map(|input| self.ends(input));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            let got = self.ends(&part.output)?;
            let pass = part.pass;
            let Some(chain) = &part.chain else {
                let bits = |values: &[T]| bytemuck::cast_slice::<T, u8>(values).to_vec();
                let mut expected = bits(&inputs[0]);
                for input in &inputs[1..] {
                    let pairs = expected.iter_mut().zip(bits(input));
                    pairs.for_each(|(expected, byte)| *expected ^= byte);
                }
                if bits(&got) != expected {
                    return Ok(Some(format!("the {pass} copy kernel does not copy")));
                }
                continue;
            };
            let report = match pass {
                Pass::Forward => nonlin::check::forward(chain, &inputs[0], &got)?,
                _ => nonlin::check::backward(chain, &inputs[0], &inputs[1], &got)?,
            };
            if let Some(worst) = report.worst.filter(|worst| !worst.passes()) {
                let (name, failed, compared) = (variant.name, report.failed, report.compared);
                return Ok(Some(format!(
                    "{chain} {pass}, {name}: {failed} of {compared} elements fail; worst: {worst}"
                )));
            }
        }
        Ok(None)
    }

    /// The first and the last elements in a buffer.
    fn ends(&self, buffer: &wgpu::Buffer) -> Result<Vec<T>> {
        let most = COMPARED * T::DTYPE.size();
        let first = buffer.size().min(most);
        let last = (buffer.size() - first).min(most);
        let readback = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin readback"),
            size: first + last,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, first);
        encoder.copy_buffer_to_buffer(buffer, buffer.size() - last, &readback, first, last);
        self.gpu.queue().submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let view = readback.get_mapped_range(..).map_err(lost)?;
        let mut elements: Vec<T> = bytemuck::cast_slice(&view).to_vec();
        // Behind the elements the buffer is filled up to whole words.
        let filling = buffer.size() / T::DTYPE.size() - self.len;
        elements.truncate(elements.len() - filling as usize);
        Ok(elements)
    }

    /// The first elements in a buffer.
    fn read<E: Element>(&self, buffer: &wgpu::Buffer, len: u64) -> Result<Vec<E>> {
        let bytes = (len * E::DTYPE.size()).next_multiple_of(4);
        let gpu = self.gpu;
        let readback = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin readback"),
            size: bytes,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.encoder();
        encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, bytes);
        gpu.queue().submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let view = readback.get_mapped_range(..).map_err(lost)?;
        Ok(bytemuck::cast_slice(&view)[..len as usize].to_vec())
    }

    fn encoder(&self) -> CommandEncoder {
        let device = self.gpu.device();
        device.create_command_encoder(&Default::default())
    }

    fn time(
        &self,
        subject: Subject,
        mut variants: Vec<Variant>,
        progress: &Progress,
    ) -> Result<Timed> {
        progress.doing(format!("{} of {}", subject.pass, subject.what));
        // The last copy of the warm-up says how many make a sample.
        let mut once = Duration::ZERO;
        for _ in 0..WARM_UP {
            for variant in variants.iter().rev() {
                once = self.sample(variant, 1)?;
                progress.advance(1);
            }
        }
        let repeats = SAMPLE.as_secs_f64() / once.as_secs_f64().max(1e-9);
        let repeats = repeats.ceil().clamp(1.0, 1000.0) as u32;
        for _ in 0..self.samples {
            for variant in &mut variants {
                let time = self.sample(variant, repeats)?;
                variant.times.push(time);
                progress.advance(1);
            }
        }
        for variant in &mut variants {
            variant.times.sort_unstable();
        }
        Ok(Timed {
            subject,
            repeats,
            variants,
        })
    }

    /// How long a variant takes, from its submit until the device is done with it.
    fn sample(&self, variant: &Variant, repeats: u32) -> Result<Duration> {
        let mut encoder = self.encoder();
        variant.record(&mut encoder, repeats);
        let commands = encoder.finish();
        let start = Instant::now();
        self.gpu.queue().submit([commands]);
        self.wait()?;
        Ok(start.elapsed() / repeats)
    }

    fn wait(&self) -> Result<()> {
        let done = self.gpu.device().poll(wgpu::PollType::wait_indefinitely());
        done.map(|_| ()).map_err(lost)
    }

    /// A buffer for all elements and, so that whole words can be read, up to three more.
    fn buffer(&self, what: &'static str) -> Result<wgpu::Buffer> {
        self.sized(what, self.len)
    }

    fn sized(&self, what: &'static str, len: u64) -> Result<wgpu::Buffer> {
        let size = (len * T::DTYPE.size()).next_multiple_of(16);
        let limit = self.gpu.device().limits().max_buffer_size;
        if size > limit {
            let what = "a buffer for --len elements";
            return Err(Error::TooLarge {
                what: what.to_owned(),
                bytes: size,
                limit,
            }
            .into());
        }
        let buffer = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Ok(buffer)
    }

    /// A buffer with its elements set.
    fn inputs(&self, what: &'static str, at: fn(u64) -> f32) -> Result<wgpu::Buffer> {
        self.filled(what, self.len, at)
    }

    fn filled(
        &self,
        what: &'static str,
        len: u64,
        at: impl Fn(u64) -> f32,
    ) -> Result<wgpu::Buffer> {
        const PIECE: usize = 1 << 20;
        let buffer = self.sized(what, len)?;
        for start in (0..len).step_by(PIECE) {
            let end = len.min(start + PIECE as u64);
            let piece = (start..end).map(|index| T::from_f64(at(index).into()));
            let mut piece: Vec<T> = piece.collect();
            // wgpu writes whole words of 4 bytes; the buffer has room for them.
            piece.resize(piece.len().next_multiple_of(4), T::from_f64(0.0));
            let bytes = bytemuck::cast_slice(&piece);
            let offset = start * T::DTYPE.size();
            self.gpu.queue().write_buffer(&buffer, offset, bytes);
            // Else wgpu would hold all pieces until the first submit.
            self.gpu.queue().submit([]);
            self.wait()?;
        }
        Ok(buffer)
    }

    /// Turns what wgpu reports during the work into an error; by default wgpu panics.
    fn guarded<R>(&self, work: impl FnOnce() -> Result<R>) -> Result<R> {
        // A buffer that got no memory also makes its every use invalid: the cause comes first.
        let filters = [
            ErrorFilter::Validation,
            ErrorFilter::Internal,
            ErrorFilter::OutOfMemory,
        ];
        let scopes = filters.map(|filter| self.gpu.device().push_error_scope(filter));
        let result = work();
        let mut caught = None;
        for scope in scopes.into_iter().rev() {
            let error = pollster::block_on(scope.pop());
            caught = caught.or(error);
        }
        match caught {
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Failure(format!(
                "the device has not enough memory to bench {} elements",
                self.len
            ))),
            Some(error) => Err(device_error("the bench", error)),
            None => result,
        }
    }
}

impl<T: Element> Bench<'_, T> {
    /// What all kinds of document begin with.
    fn document(&self, kind: &str) -> Value {
        let mut document = json!({
            "adapter": adapters::name(self.gpu),
            "len": self.len,
            "dtype": T::DTYPE.name(),
        });
        // Layers have shapes of their own.
        if kind != "layer" {
            let Shape { workgroup, words } = self.gpu.kernels().shape();
            document["workgroup"] = workgroup.into();
            document["words"] = words.into();
        }
        document["samples"] = self.samples.into();
        document
    }

    /// What all kinds of text begin with.
    fn title(&self, kind: &str, what: &str) -> String {
        let (name, len, dtype) = (adapters::name(self.gpu), self.len, T::DTYPE);
        let mut text = format!("{name}\n{what}\n{len} {dtype}");
        if kind != "layer" {
            let Shape { workgroup, words } = self.gpu.kernels().shape();
            text += &format!(", workgroup {workgroup}, words {words}");
        }
        text + &format!(", samples {}\n", self.samples)
    }

    /// Shows the passes of what `about` tells by name: first the chain or layer, then what else there is of it.
    fn show_passes(&self, about: &[(&str, &str)], passes: &[Timed], json: bool) -> Result<()> {
        let kind = about[0].0;
        let results: Vec<_> = passes.iter().map(|timed| timed.json(self.len)).collect();
        if json {
            let mut document = self.document(kind);
            for (name, text) in about {
                document[*name] = (*text).into();
            }
            document["passes"] = results.into();
            return show_json(&document);
        }
        let about: Vec<_> = about.iter().map(|(_, text)| *text).collect();
        let mut text = self.title(kind, &about.join(", "));
        text += &table(&rows(passes, self.len), 2);
        if let ("layer", Some(fused)) = (kind, passes.last().and_then(|both| both.named("fused"))) {
            let extra = fused.extra_bytes();
            let share = self.len * T::DTYPE.size() / extra.max(1);
            _ = writeln!(
                text,
                "fused: scratch, and what is kept for backward, {extra} bytes, 1/{share} of x"
            );
        }
        for timed in passes {
            let pass = &timed.subject.pass;
            if let Some(speedup) = timed.to_fused("unfused") {
                _ = writeln!(
                    text,
                    "{pass}: fused is {speedup:.2} times as fast as unfused"
                );
            }
            if let (Some(dx), Some(fused)) = (timed.to_fused("dx_only"), timed.named("fused")) {
                let scratch = fused.extra_bytes();
                let share = self.len * T::DTYPE.size() / scratch.max(1);
                _ = writeln!(
                    text,
                    "{pass}: with all gradients, {:.2} times as long as without; scratch {scratch} \
                     bytes, 1/{share} of x",
                    1.0 / dx
                );
            }
        }
        show(text)
    }

    fn show_catalogue(&self, all: &[Timed], json: bool) -> Result<()> {
        if json {
            let mut document = self.document("chain");
            document["results"] = all.iter().map(|timed| timed.json(self.len)).collect();
            return show_json(&document);
        }
        let titles = [
            "activation",
            "pass",
            "ms",
            "ns/element",
            "copy ms",
            "x copy",
        ];
        let mut rows = vec![titles.map(String::from).to_vec()];
        for timed in all {
            let [copy, fused] = [0, 1].map(|index| &timed.variants[index]);
            rows.push(vec![
                timed.subject.what.clone(),
                timed.subject.pass.clone(),
                format!("{:.3}", fused.median() / 1e6),
                format!("{:.4}", fused.median() / self.len as f64),
                format!("{:.3}", copy.median() / 1e6),
                format!("{:.2}", timed.ratio_to_copy(fused)),
            ]);
        }
        show(self.title("chain", "every activation") + &table(&rows, 2))
    }
}

fn lost(error: impl std::fmt::Display) -> Failure {
    device_error("waiting for the device", error)
}

fn device_error(doing: &'static str, error: impl std::fmt::Display) -> Failure {
    let message = error.to_string().trim().to_owned();
    Error::Device { doing, message }.into()
}

impl Variant {
    fn new(name: &'static str) -> Self {
        Variant {
            name,
            bounds: Vec::new(),
            plain: Vec::new(),
            kept: 0,
            parts: Vec::new(),
            bytes: 0,
            times: Vec::new(),
        }
    }

    fn record(&self, encoder: &mut CommandEncoder, repeats: u32) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..repeats {
            self.bounds.iter().for_each(|bound| bound.record(&mut pass));
            self.plain.iter().for_each(|plain| plain.record(&mut pass));
        }
    }

    /// Bytes beside x, y, their gradients and the parameters, of the library's dispatches.
    fn extra_bytes(&self) -> u64 {
        self.kept + self.bounds.iter().map(Bound::scratch_bytes).sum::<u64>()
    }

    fn dispatches(&self) -> usize {
        self.plain.len() + self.bounds.iter().map(Bound::dispatches).sum::<usize>()
    }

    /// Shortest, median and longest time of the sorted samples, in nanoseconds.
    fn nanoseconds(&self) -> [f64; 3] {
        let last = self.times.len().saturating_sub(1);
        let at = |index: usize| self.times.get(index).map_or(0.0, |t| t.as_secs_f64() * 1e9);
        [at(0), (at(last / 2) + at(last - last / 2)) / 2.0, at(last)]
    }

    fn median(&self) -> f64 {
        self.nanoseconds()[1]
    }
}

impl Timed {
    fn named(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// How many times as long as the fused form another takes.
    fn to_fused(&self, name: &str) -> Option<f64> {
        let [other, fused] = [name, "fused"].map(|name| self.named(name).map(Variant::median));
        Some(other? / fused?)
    }

    fn ratio_to_copy(&self, variant: &Variant) -> f64 {
        variant.median() / self.variants[0].median()
    }

    fn json(&self, len: u64) -> Value {
        let Subject { kind, what, pass } = &self.subject;
        let mut document = json!({*kind: what, "pass": pass, "repeats": self.repeats});
        for variant in &self.variants {
            let [min, median, max] = variant.nanoseconds();
            document[variant.name] = json!({
                "dispatches": variant.dispatches(),
                "scratch_bytes": variant.extra_bytes(),
                "bytes": variant.bytes,
                "median_ns": median,
                "min_ns": min,
                "max_ns": max,
                "ns_per_element": median / len as f64,
                "gb_per_s": variant.bytes as f64 / median,
                "ratio_to_copy": self.ratio_to_copy(variant),
            });
        }
        if let Some(speedup) = self.to_fused("unfused") {
            document["speedup"] = speedup.into();
        }
        document
    }
}

fn rows(passes: &[Timed], len: u64) -> Vec<Vec<String>> {
    let titles = [
        "pass",
        "variant",
        "ms",
        "min",
        "max",
        "ns/element",
        "MB moved",
        "GB/s",
        "x copy",
    ];
    let mut rows = vec![titles.map(String::from).to_vec()];
    for timed in passes {
        for variant in &timed.variants {
            let [min, median, max] = variant.nanoseconds();
            rows.push(vec![
                timed.subject.pass.clone(),
                variant.name.into(),
                format!("{:.3}", median / 1e6),
                format!("{:.3}", min / 1e6),
                format!("{:.3}", max / 1e6),
                format!("{:.4}", median / len as f64),
                format!("{:.1}", variant.bytes as f64 / 1e6),
                format!("{:.2}", variant.bytes as f64 / median),
                format!("{:.2}", timed.ratio_to_copy(variant)),
            ]);
        }
    }
    rows
}

/// Inputs from -8 to 8 without order: multiples of the golden ratio, less their whole part.
fn x_at(index: u64) -> f32 {
    spread(index.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * 8.0
}

/// Gradients from -1 to 1: the same of the square root of two.
fn dy_at(index: u64) -> f32 {
    spread(index.wrapping_mul(0x6a09_e667_f3bc_c909))
}

/// The upper bits, from -1 to 1.
fn spread(bits: u64) -> f32 {
    (bits >> 40) as f32 / (1 << 23) as f32 - 1.0
}
