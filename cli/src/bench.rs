//! `nonlin bench`.
//!
//! For each pass three variants of the same work: a plain copy (the pass's reads and writes without
//! arithmetic), the chain as one dispatch, and the chain as one dispatch for each step. Results are
//! compared with the reference before anything is timed; then samples of the variants take turns,
//! so that what disturbs the machine disturbs all of them.

use crate::output::{Progress, complain, show, show_json, table};
use crate::{Failure, Result, Verdict, adapters};
use nonlin::wgpu::{self, BufferUsages, CommandEncoder, ErrorFilter};
use nonlin::{Bound, Chain, DType, Error, Gpu, Operand, Operands, Pass, Plan, Shape, Step};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// Time a chain: fused, unfused, and against a plain copy
///
/// copy reads and writes what the pass does and computes nothing: the roof. fused is the chain as
/// one dispatch. unfused is one dispatch for each step, with the same kernels: forward through a
/// buffer for each intermediate value, backward from each step's input (computed before, not timed)
/// and the gradient that comes in. Backward of a scale is a scale of the gradient, and reads no more.
///
/// Results of all three are compared with the reference first; if they are wrong, nothing is timed
/// and the exit code is 1. A sample is one submit, from handing it over until the device is done;
/// it holds the variant several times over where once would take less than 5 ms. Samples of the
/// variants take turns. Times are medians.
///
/// --json prints {"adapter", "chain", "len", "dtype", "workgroup", "words", "samples", "passes":
/// [{"pass", "repeats", "copy", "fused", "unfused", "speedup"}]}. Each variant has {"dispatches",
/// "bytes", "median_ns", "min_ns", "max_ns", "ns_per_element", "gb_per_s", "ratio_to_copy"};
/// speedup is unfused over fused.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
    nonlin bench
    nonlin bench 'gelu | scale(2)' --len 1000000 --samples 31
    nonlin bench silu --workgroup 64 --words 4 --json")]
pub(crate) struct Args {
    /// The steps; `nonlin list` shows what there is
    #[arg(default_value = "scale(0.5) | silu | scale(2)")]
    chain: String,
    /// Elements, of 4 bytes each in every buffer; a chain of three steps needs eight buffers
    #[arg(long, default_value_t = 1 << 24)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    len: u64,
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

const DTYPE: DType = DType::F32;

/// Untimed samples of each variant.
const WARM_UP: u32 = 2;

/// How long a sample should take at least.
const SAMPLE: Duration = Duration::from_millis(5);

/// Elements compared with the reference at either end of a result.
const COMPARED: u64 = 1 << 15;

pub(crate) fn bench(args: &Args) -> Result<Verdict> {
    let chain: Chain = args.chain.parse()?;
    let mut gpu = adapters::open(args.adapter.as_deref())?;
    let default = gpu.kernels().shape();
    let workgroup = args.workgroup.unwrap_or(default.workgroup);
    let words = args.words.unwrap_or(default.words);
    gpu = gpu.with_shape(Shape { workgroup, words })?;

    let bench = Bench {
        gpu: &gpu,
        chain: &chain,
        len: args.len,
        samples: args.samples,
    };
    let (passes, wrong) = bench.guarded(|| bench.passes())?;
    if let Some(wrong) = wrong {
        complain(&wrong);
        return Ok(Verdict::CheckFailed);
    }
    let adapter = adapters::name(&gpu);
    if args.json {
        show_json(&json!({
            "adapter": adapter,
            "chain": chain.to_string(),
            "len": args.len,
            "dtype": DTYPE.name(),
            "workgroup": workgroup,
            "words": words,
            "samples": args.samples,
            "passes": passes.iter().map(|timed| timed.json(args.len)).collect::<Vec<_>>(),
        }))?;
    } else {
        let len = args.len;
        let samples = args.samples;
        let mut text = format!(
            "{adapter}\n{chain}\n\
             {len} {DTYPE}, workgroup {workgroup}, words {words}, samples {samples}\n"
        );
        text += &table(&rows(&passes, len), 2);
        for timed in &passes {
            let (pass, speedup) = (timed.pass, timed.speedup());
            _ = writeln!(
                text,
                "{pass}: fused is {speedup:.2} times as fast as unfused"
            );
        }
        show(text)?;
    }
    Ok(Verdict::Fine)
}

struct Bench<'a> {
    gpu: &'a Gpu,
    chain: &'a Chain,
    len: u64,
    samples: u32,
}

/// One way to do a pass: dispatches in order, and how long they took.
struct Variant {
    name: &'static str,
    bound: Vec<Bound>,
    bytes: u64,
    times: Vec<Duration>,
}

/// The three variants of a pass.
struct Timed {
    pass: Pass,
    repeats: u32,
    variants: [Variant; 3],
}

impl Bench<'_> {
    /// Times both passes; or says what is wrong with the results.
    fn passes(&self) -> Result<(Vec<Timed>, Option<String>)> {
        let x = self.inputs("x", x_at)?;
        let steps = self.chain.steps().len();
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

        let forward = self.forward(&values)?;
        let backward = self.backward(&values, &dy, &dx, &gradients)?;
        // The unfused forward pass also leaves the values that the backward pass starts from.
        for (pass, variants, target) in [
            (Pass::Forward, &forward, &values[steps]),
            (Pass::Backward, &backward, &dx),
        ] {
            for variant in variants {
                if let Some(wrong) = self.compare(variant, pass, target)? {
                    return Ok((Vec::new(), Some(wrong)));
                }
            }
        }
        let mut timed = Vec::new();
        let progress = Progress::new(u64::from(self.samples + WARM_UP) * 6);
        for (pass, variants) in [(Pass::Forward, forward), (Pass::Backward, backward)] {
            progress.doing(format!("{pass} of {}", self.chain));
            timed.push(self.time(pass, variants, &progress)?);
        }
        Ok((timed, None))
    }

    fn forward(&self, values: &[wgpu::Buffer]) -> Result<[Variant; 3]> {
        let bind = |plan: &Plan, from, to| {
            let (x, y) = (self.operand(from), self.operand(to));
            plan.bind(Operands::new().x(x).y(y))
        };
        let kernels = self.gpu.kernels();
        let (x, y) = (&values[0], &values[values.len() - 1]);
        let whole = |name, plan: Plan| -> Result<Variant> {
            Ok(Variant::new(
                name,
                vec![bind(&plan, x, y)?],
                plan.bytes(self.len),
            ))
        };
        let copy = whole("copy", kernels.copy(Pass::Forward, DTYPE)?)?;
        let fused = whole("fused", kernels.plan(self.chain, Pass::Forward, DTYPE)?)?;
        let mut unfused = Variant::new("unfused", Vec::new(), 0);
        for (step, values) in self.chain.steps().iter().zip(values.windows(2)) {
            let plan = kernels.plan(&Chain::new().step(*step), Pass::Forward, DTYPE)?;
            unfused.bound.push(bind(&plan, &values[0], &values[1])?);
            unfused.bytes += plan.bytes(self.len);
        }
        Ok([copy, fused, unfused])
    }

    fn backward(
        &self,
        values: &[wgpu::Buffer],
        dy: &wgpu::Buffer,
        dx: &wgpu::Buffer,
        gradients: &[wgpu::Buffer],
    ) -> Result<[Variant; 3]> {
        let bind = |plan: &Plan, x, dy, dx| {
            let (x, dy, dx) = (self.operand(x), self.operand(dy), self.operand(dx));
            plan.bind(Operands::new().x(x).dy(dy).dx(dx))
        };
        let kernels = self.gpu.kernels();
        let whole = |name, plan: Plan| -> Result<Variant> {
            let bound = bind(&plan, &values[0], dy, dx)?;
            Ok(Variant::new(name, vec![bound], plan.bytes(self.len)))
        };
        let copy = whole("copy", kernels.copy(Pass::Backward, DTYPE)?)?;
        let fused = whole("fused", kernels.plan(self.chain, Pass::Backward, DTYPE)?)?;
        let mut unfused = Variant::new("unfused", Vec::new(), 0);
        let mut from = dy;
        for (index, step) in self.chain.steps().iter().enumerate().rev() {
            let to = if index == 0 {
                dx
            } else {
                &gradients[index % gradients.len()]
            };
            let pass = match step {
                Step::Scale(_) => Pass::Forward,
                _ => Pass::Backward,
            };
            let plan = kernels.plan(&Chain::new().step(*step), pass, DTYPE)?;
            unfused.bound.push(match pass {
                Pass::Forward => {
                    let (x, y) = (self.operand(from), self.operand(to));
                    plan.bind(Operands::new().x(x).y(y))?
                }
                Pass::Backward => bind(&plan, &values[index], from, to)?,
            });
            unfused.bytes += plan.bytes(self.len);
            from = to;
        }
        Ok([copy, fused, unfused])
    }

    /// Runs a variant and compares both ends of its result with what it should be.
    fn compare(
        &self,
        variant: &Variant,
        pass: Pass,
        target: &wgpu::Buffer,
    ) -> Result<Option<String>> {
        let device = self.gpu.device();
        let first = self.len.min(COMPARED);
        let last = (self.len - first).min(COMPARED);
        let readback = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin readback"),
            size: (first + last) * DTYPE.size(),
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        // What another variant left there must not pass for this one's result.
        encoder.clear_buffer(target, 0, None);
        variant.record(&mut encoder, 1);
        let (start, bytes) = ((self.len - last) * DTYPE.size(), first * DTYPE.size());
        encoder.copy_buffer_to_buffer(target, 0, &readback, 0, bytes);
        encoder.copy_buffer_to_buffer(target, start, &readback, bytes, last * DTYPE.size());
        self.gpu.queue().submit([encoder.finish()]);
        readback.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let view = readback.get_mapped_range(..).map_err(lost)?;
        let got: &[f32] = bytemuck::cast_slice(&view);

        let indices = || (0..first).chain(self.len - last..self.len);
        let x: Vec<f32> = indices().map(x_at).collect();
        let dy: Vec<f32> = indices().map(dy_at).collect();
        if variant.name == "copy" {
            let expected = x.iter().zip(&dy).map(|(x, dy)| match pass {
                Pass::Forward => x.to_bits(),
                Pass::Backward => x.to_bits() ^ dy.to_bits(),
            });
            let right = got.iter().map(|value| value.to_bits()).eq(expected);
            return Ok((!right).then(|| format!("the {pass} copy kernel does not copy")));
        }
        let report = match pass {
            Pass::Forward => nonlin::check::forward(self.chain, &x, got)?,
            Pass::Backward => nonlin::check::backward(self.chain, &x, &dy, got)?,
        };
        let wrong = report.worst.filter(|worst| !worst.passes());
        Ok(wrong.map(|worst| {
            let (name, failed, compared) = (variant.name, report.failed, report.compared);
            let chain = self.chain;
            format!("{chain} {pass}, {name}: {failed} of {compared} elements fail; worst: {worst}")
        }))
    }

    fn time(&self, pass: Pass, mut variants: [Variant; 3], progress: &Progress) -> Result<Timed> {
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
            pass,
            repeats,
            variants,
        })
    }

    /// How long a variant takes, from its submit until the device is done with it.
    fn sample(&self, variant: &Variant, repeats: u32) -> Result<Duration> {
        let mut encoder = self
            .gpu
            .device()
            .create_command_encoder(&Default::default());
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

    fn operand<'b>(&self, buffer: &'b wgpu::Buffer) -> Operand<'b> {
        Operand::new(buffer, 0, self.len)
    }

    /// A buffer for all elements and, so that whole words can be read, up to three more.
    fn buffer(&self, what: &'static str) -> Result<wgpu::Buffer> {
        let size = (self.len * DTYPE.size()).next_multiple_of(16);
        let limit = self.gpu.device().limits().max_buffer_size;
        if size > limit {
            let what = "a buffer for --len elements";
            return Err(Error::TooLarge {
                what,
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
        const PIECE: usize = 1 << 20;
        let buffer = self.buffer(what)?;
        for start in (0..self.len).step_by(PIECE) {
            let end = self.len.min(start + PIECE as u64);
            let piece: Vec<f32> = (start..end).map(at).collect();
            let bytes = bytemuck::cast_slice(&piece);
            self.gpu
                .queue()
                .write_buffer(&buffer, start * DTYPE.size(), bytes);
            // Else wgpu would hold all pieces until the first submit.
            self.gpu.queue().submit([]);
            self.wait()?;
        }
        Ok(buffer)
    }

    /// Turns what wgpu reports during the work into an error; by default wgpu panics.
    fn guarded<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
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

fn lost(error: impl std::fmt::Display) -> Failure {
    device_error("waiting for the device", error)
}

fn device_error(doing: &'static str, error: impl std::fmt::Display) -> Failure {
    let message = error.to_string().trim().to_owned();
    Error::Device { doing, message }.into()
}

impl Variant {
    fn new(name: &'static str, bound: Vec<Bound>, bytes: u64) -> Self {
        Variant {
            name,
            bound,
            bytes,
            times: Vec::new(),
        }
    }

    fn record(&self, encoder: &mut CommandEncoder, repeats: u32) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..repeats {
            self.bound.iter().for_each(|bound| bound.record(&mut pass));
        }
    }

    fn dispatches(&self) -> usize {
        self.bound.iter().map(Bound::dispatches).sum()
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
    fn speedup(&self) -> f64 {
        let [_, fused, unfused] = &self.variants;
        unfused.median() / fused.median()
    }

    fn ratio_to_copy(&self, variant: &Variant) -> f64 {
        variant.median() / self.variants[0].median()
    }

    fn json(&self, len: u64) -> Value {
        let mut document = json!({ "pass": self.pass.to_string(), "repeats": self.repeats });
        for variant in &self.variants {
            let [min, median, max] = variant.nanoseconds();
            document[variant.name] = json!({
                "dispatches": variant.dispatches(),
                "bytes": variant.bytes,
                "median_ns": median,
                "min_ns": min,
                "max_ns": max,
                "ns_per_element": median / len as f64,
                "gb_per_s": variant.bytes as f64 / median,
                "ratio_to_copy": self.ratio_to_copy(variant),
            });
        }
        document["speedup"] = self.speedup().into();
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
                timed.pass.to_string(),
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
