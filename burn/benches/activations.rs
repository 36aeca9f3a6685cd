//! nonlin-burn beside burn's own activations, with and without burn's fusion, in one run on one adapter.
//!
//! ```text
//! cargo bench --workspace --bench activations                      # everything
//! cargo bench --workspace --bench activations -- silu host         # rows whose names contain one of these
//! cargo bench --workspace --bench activations -- --elements 1048576 --samples 3
//! ```
//!
//! What is compared:
//!
//! - All run on burn's backends directly, so that one program has both: `Cube`, which is burn with fusion, and
//!   `CubeBackend`, without. burn's activations are composed as burn's own source composes them; those which it
//!   has not, of the operations that its users would take.
//! - copy is nonlin's identity through the same doors: one read and one write forward, two reads and one write
//!   backward.
//! - Results of all variants are compared with each other before anything is timed.
//! - A sample is the host's work and the device's, until the device is done. Samples of a row's variants take turns;
//!   a ratio is the median of the ratios of samples beside each other, so that a machine's moods are on both sides.
//!
//! Forward and backward are what a network's training does with an activation in its middle: x and the parameters
//! are tracked, all gradients are taken, y stays, and the gradient of y is there already ([`Seed`]). Between the two
//! passes, and wherever else a network has other layers, fusion is made to launch what it holds back ([`drain`]), or
//! it would make one kernel of both passes, with y computed and dy read in one place; no training could.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, AutodiffBackend, Backend, Cube, DispatchDevice, TensorMetadata,
    get_or_init_device_settings,
};
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, FloatDType, Shape, Tensor, TensorData, activation};
use burn_cubecl::{CubeBackend, CubeDevice};
use nonlin::Chain;
use nonlin_burn::{ChainCall, NonlinOps, Tensors, functions};
use std::error::Error;
use std::time::{Duration, Instant};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the package is made for; its manifest asks for exactly this.
const BURN: &str = "0.22.1";

/// The most channels that x has.
const CHANNELS: usize = 256;

/// The most elements beside each other that a channel has.
const INNER: usize = 2048;

/// Untimed samples of each variant: the first ones compile, and teach fusion.
const WARM_UP: usize = 2;

/// How long a sample should take at least; work that takes less is done several times in it.
const SAMPLE: Duration = Duration::from_millis(5);

/// Elements of the tensors that the host's work is measured on.
const SMALL: usize = 1024;

/// Calls without waiting: fewer than cubecl queues before it looks after the device.
const BURST: usize = 200;

/// Bursts for each sample of the other tables.
const BURSTS: usize = 5;

/// Something applied to x.
struct Row {
    name: &'static str,
    /// nonlin's.
    chain: &'static str,
    /// burn's.
    kind: Kind,
    /// How far results may differ, relative to the largest.
    tolerance: f32,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Relu,
    HardSwish,
    Gelu,
    Silu,
    Mish,
    Softplus,
    ScaledSilu,
    Prelu,
    Swish,
    AconC,
    SwiGlu,
    Softmax,
    LogSoftmax,
}

const ROWS: [Row; 13] = [
    row("relu", "relu", Kind::Relu),
    row("hard_swish", "hardswish", Kind::HardSwish),
    Row {
        // burn's derivative of gelu is that of the approximation with tanh, with constants of six digits.
        tolerance: 2e-3,
        ..row("gelu", "gelu", Kind::Gelu)
    },
    row("silu", "silu", Kind::Silu),
    row("mish", "mish", Kind::Mish),
    row("softplus", "softplus", Kind::Softplus),
    row(
        "scale, silu, scale",
        "scale(0.5) | silu | scale(2)",
        Kind::ScaledSilu,
    ),
    row("prelu", "prelu(weight=@w)", Kind::Prelu),
    row("swish, learned beta", "swish(beta=@b)", Kind::Swish),
    row("acon_c", "acon_c(p1=@p, p2=@q, beta=@b)", Kind::AconC),
    row("swiglu", "silu | gate(@g)", Kind::SwiGlu),
    row("softmax", "softmax", Kind::Softmax),
    row("log_softmax", "log_softmax", Kind::LogSoftmax),
];

const fn row(name: &'static str, chain: &'static str, kind: Kind) -> Row {
    Row {
        name,
        chain,
        kind,
        tolerance: 1e-4,
    }
}

/// A value for each channel, as it meets `[N, C, L]`.
fn per_channel<B: Backend>(values: &FloatTensor<B>) -> FloatTensor<B> {
    let channels = values.shape().num_elements();
    B::float_reshape(values.clone(), Shape::from([1, channels, 1]))
}

/// burn's activations as burn's `activation` module composes them; swish and ACON-C, which are not there, from the
/// operations that they are written with.
fn burn<B: Backend>(kind: Kind, x: FloatTensor<B>, operands: &[FloatTensor<B>]) -> FloatTensor<B> {
    let silu = |x: FloatTensor<B>| B::float_mul(x.clone(), B::sigmoid(x));
    match (kind, operands) {
        (Kind::Relu, _) => B::relu(x),
        (Kind::HardSwish, _) => {
            let gate = B::hard_sigmoid(x.clone(), (1.0 / 6.0).into(), 0.5.into());
            B::float_mul(x, gate)
        }
        (Kind::Gelu, _) => B::gelu(x),
        (Kind::Silu, _) => silu(x),
        (Kind::Mish, _) => B::float_mul(x.clone(), B::float_tanh(softplus::<B>(x))),
        (Kind::Softplus, _) => softplus::<B>(x),
        (Kind::ScaledSilu, _) => {
            let y = silu(B::float_mul_scalar(x, 0.5.into()));
            B::float_mul_scalar(y, 2.0.into())
        }
        (Kind::Prelu, [weight]) => B::prelu(x, per_channel::<B>(weight)),
        (Kind::Swish, [beta]) => {
            let gate = B::sigmoid(B::float_mul(x.clone(), per_channel::<B>(beta)));
            B::float_mul(x, gate)
        }
        (Kind::AconC, [p1, p2, beta]) => {
            let p2 = per_channel::<B>(p2);
            let slope = B::float_sub(per_channel::<B>(p1), p2.clone());
            let scaled = B::float_mul(x.clone(), slope);
            let gate = B::sigmoid(B::float_mul(scaled.clone(), per_channel::<B>(beta)));
            B::float_add(B::float_mul(scaled, gate), B::float_mul(x, p2))
        }
        (Kind::SwiGlu, [gate]) => B::float_mul(silu(x), gate.clone()),
        (Kind::Softmax, _) => B::softmax(x, 2),
        (Kind::LogSoftmax, _) => B::log_softmax(x, 2),
        _ => unreachable!("operands are made for the row"),
    }
}

fn softplus<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let (beta, threshold) = (1.0, 20.0);
    let bools = get_or_init_device_settings::<B>(&x.device()).bool_dtype;
    let scaled = B::float_mul_scalar(x.clone(), beta.into());
    let mask = B::float_greater_elem(scaled.clone(), threshold.into(), bools);
    let capped = B::float_mask_fill(scaled, mask.clone(), threshold.into());
    let y = B::float_div_scalar(B::float_log1p(B::float_exp(capped)), beta.into());
    B::float_mask_where(y, mask, x)
}

/// Where differentiation ends: it gives y's node a gradient that is there already, an existing tensor, as the layer
/// behind an activation does. (burn begins with ones; a loss such as the sum of y * dy would add kernels for all
/// alike.) Its value is a tensor of one element, so that burn's ones are one element too.
#[derive(Debug)]
struct Seed;

impl<B: Backend> Backward<B, 1> for Seed {
    type State = FloatTensor<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        gradients.consume::<B>(&ops.node);
        if let [Some(node)] = ops.parents {
            gradients.register::<B>(node.id, ops.state);
        }
    }
}

fn seed<B: Backend>(
    y: &FloatTensor<Autodiff<B>>,
    dy: FloatTensor<B>,
    one: FloatTensor<B>,
) -> FloatTensor<Autodiff<B>> {
    let prepared = <Seed as Backward<B, 1>>::prepare::<NoCheckpointing>(Seed, [y.node()]);
    match prepared.compute_bound().stateful() {
        OpsKind::Tracked(prepared) => prepared.finish(dy, one),
        OpsKind::UnTracked(prepared) => prepared.finish(one),
    }
}

/// Makes fusion launch what it holds back. Nothing is submitted, and nothing waited for: it is what the next matrix
/// product does to the operations before it.
#[cfg(feature = "fusion")]
fn drain(device: &CubeDevice) {
    burn::backend::fusion::get_client::<CubeBackend>(device).sync(|| ());
}

/// Nothing is held back without fusion.
fn launched(_device: &CubeDevice) {}

#[cfg(not(feature = "fusion"))]
use launched as drain;

/// What all rows of a backend share.
#[derive(Clone)]
struct Data<B: Backend> {
    device: CubeDevice,
    drain: fn(&CubeDevice),
    x: FloatTensor<B>,
    /// A gate, as long as x.
    gate: FloatTensor<B>,
    dy: FloatTensor<B>,
    /// Values for each channel.
    parameters: [FloatTensor<B>; 3],
    one: FloatTensor<B>,
}

impl<B: Backend<Device = CubeDevice>> Data<B> {
    fn new(device: &CubeDevice, drain: fn(&CubeDevice), shape: [usize; 3]) -> Self {
        let tensor = |seed, shape: &[usize], from, to| {
            let values = values(shape.iter().product(), seed, from, to);
            B::float_from_data(TensorData::new(values, shape), device)
        };
        let channels = &shape[1..2];
        Data {
            device: device.clone(),
            drain,
            x: tensor(1, &shape, -4.0, 4.0),
            gate: tensor(2, &shape, -1.0, 1.0),
            dy: tensor(3, &shape, -1.0, 1.0),
            parameters: [4, 5, 6].map(|seed| tensor(seed, channels, 0.25, 1.25)),
            one: B::float_ones(Shape::from([1]), device, FloatDType::F32),
        }
    }
}

/// Numbers that look random, the same for the same seed. None is where an activation has a kink, which everybody
/// gives a derivative of their own.
fn values(count: usize, seed: u64, from: f32, to: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        from + (to - from) * ((state >> 41) as f32 + 0.5) / (1u64 << 23) as f32
    };
    (0..count).map(|_| next()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Pass {
    Forward,
    Both,
}

/// A row's function on a backend.
struct Subject<B: Backend> {
    data: Data<B>,
    kind: Kind,
    operands: Vec<FloatTensor<B>>,
    /// nonlin's chain; burn's own operations without.
    call: Option<ChainCall>,
}

impl<B: NonlinOps<Device = CubeDevice>> Subject<B> {
    fn new(data: &Data<B>, kind: Kind, chain: Option<Chain>) -> Self {
        let [a, b, c] = &data.parameters;
        let operands = match kind {
            Kind::Prelu | Kind::Swish => vec![a],
            Kind::AconC => vec![a, b, c],
            Kind::SwiGlu => vec![&data.gate],
            _ => vec![],
        };
        Subject {
            data: data.clone(),
            kind,
            operands: operands.into_iter().cloned().collect(),
            call: chain.map(|chain| {
                // Rows lie along the last axis.
                let axis = if chain.row().is_some() { 2 } else { 1 };
                ChainCall::new(chain, axis)
            }),
        }
    }

    fn apply<A: NonlinOps>(
        &self,
        x: FloatTensor<A>,
        operands: &[FloatTensor<A>],
    ) -> FloatTensor<A> {
        let Some(call) = &self.call else {
            return burn::<A>(self.kind, x, operands);
        };
        let operands = match operands {
            [a] => Tensors::T1(a.clone()),
            [a, b, c] => Tensors::T3(a.clone(), b.clone(), c.clone()),
            _ => Tensors::T0,
        };
        A::chain_forward(call.clone(), x, operands)
    }

    /// y, then the gradients, if they are asked for.
    fn run(&self, pass: Pass) -> Result<Vec<FloatTensor<B>>> {
        let Data { x, dy, one, .. } = &self.data;
        if pass == Pass::Forward {
            return Ok(vec![self.apply::<B>(x.clone(), &self.operands)]);
        }
        let leaves = std::iter::once(x).chain(&self.operands).map(|tensor| {
            let leaf = Autodiff::<B>::from_inner(tensor.clone());
            Autodiff::<B>::float_set_require_grad(leaf, true)
        });
        let leaves: Vec<_> = leaves.collect();
        let y = self.apply::<Autodiff<B>>(leaves[0].clone(), &leaves[1..]);
        (self.data.drain)(&self.data.device);
        let end = seed::<B>(&y, dy.clone(), one.clone());
        let mut gradients = Autodiff::<B>::backward(end);
        let mut outputs = vec![Autodiff::<B>::inner(y)];
        for leaf in &leaves {
            let gradient = Autodiff::<B>::grad_remove(leaf, &mut gradients);
            outputs.push(gradient.ok_or("a gradient is missing")?);
        }
        Ok(outputs)
    }
}

/// What can be timed.
trait Variant {
    /// Until the device is done.
    fn sample(&self, pass: Pass, repeats: u32) -> Result<Duration>;

    fn results(&self, pass: Pass) -> Result<Vec<Vec<f32>>>;
}

impl<B: NonlinOps<Device = CubeDevice>> Variant for Subject<B> {
    fn sample(&self, pass: Pass, repeats: u32) -> Result<Duration> {
        let device = &self.data.device;
        B::sync(device)?;
        let start = Instant::now();
        let mut kept = Vec::new();
        for _ in 0..repeats {
            kept = self.run(pass)?;
            (self.data.drain)(device);
        }
        B::sync(device)?;
        let time = start.elapsed() / repeats;
        drop(kept);
        Ok(time)
    }

    fn results(&self, pass: Pass) -> Result<Vec<Vec<f32>>> {
        let read = |tensor| -> Result<Vec<f32>> {
            let data = pollster::block_on(B::float_into_data(tensor))?;
            Ok(data
                .try_into_vec::<f32>()
                .map_err(|error| format!("{error:?}"))?)
        };
        self.run(pass)?.into_iter().map(read).collect()
    }
}

/// The middle, the least and the greatest.
struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values[middle - 1] + values[middle]) / 2.0,
            _ => values[middle],
        };
        Spread {
            median,
            least: values[0],
            greatest: values[values.len() - 1],
        }
    }

    fn show(&self, digits: usize) -> String {
        let Spread {
            median,
            least,
            greatest,
        } = self;
        format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
    }
}

/// The largest difference of two results, relative to the largest magnitude; NaN where only one has it.
fn difference(got: &[f32], want: &[f32]) -> f32 {
    let largest = want
        .iter()
        .fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    let differences = got.iter().zip(want).map(|(got, want)| (got - want).abs());
    let worst = differences.fold(
        0.0,
        |max: f32, d| if d > max || d.is_nan() { d } else { max },
    );
    worst / largest
}

/// Refuses to time what does not compute the same. Tells the largest difference.
fn compare(row: &Row, pass: Pass, variants: &[&dyn Variant]) -> Result<f32> {
    let mut worst = 0.0f32;
    let mut first: Option<Vec<Vec<f32>>> = None;
    for variant in variants {
        let results = variant.results(pass)?;
        let Some(first) = &first else {
            first = Some(results);
            continue;
        };
        for (index, (got, want)) in results.iter().zip(first).enumerate() {
            let difference = difference(got, want);
            let same = got.len() == want.len() && difference <= row.tolerance;
            if !same {
                let what = match index {
                    0 => "y".to_owned(),
                    1 => "the gradient of x".to_owned(),
                    _ => format!("the gradient of operand {}", index - 1),
                };
                return Err(format!("{}: {what} differs by {difference:e}", row.name).into());
            }
            worst = worst.max(difference);
        }
    }
    Ok(worst)
}

/// One table: every row in one pass.
fn table(
    settings: &Settings,
    pass: Pass,
    fused: &Data<Cube>,
    plain: &Data<CubeBackend>,
) -> Result<()> {
    let rows = ROWS.iter().filter(|row| settings.wants(row.name));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    match pass {
        Pass::Forward => println!("\n### Forward\n"),
        Pass::Both => println!("\n### Forward and backward\n"),
    }
    println!(
        "| ns per element | copy | nonlin, fusion on | burn, fusion on | burn : nonlin | nonlin, fusion off \
         | burn, fusion off | burn : nonlin | differ by |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let elements = fused.x.shape().num_elements() as f64;
    let copy = Subject::new(plain, Kind::Relu, Some("identity".parse()?));
    for row in rows {
        let chain: Chain = row.chain.parse()?;
        let ours = Some(chain);
        let variants: [&dyn Variant; 5] = [
            &copy,
            &Subject::new(fused, row.kind, ours.clone()),
            &Subject::new(fused, row.kind, None),
            &Subject::new(plain, row.kind, ours),
            &Subject::new(plain, row.kind, None),
        ];
        let differ = compare(row, pass, &variants[1..])?;
        for _ in 0..WARM_UP {
            for variant in variants {
                variant.sample(pass, 1)?;
            }
        }
        let once = copy.sample(pass, 1)?.as_secs_f64();
        let repeats = (SAMPLE.as_secs_f64() / once).ceil().clamp(1.0, 1000.0) as u32;
        let mut times = [const { Vec::new() }; 5];
        for _ in 0..settings.samples {
            for (variant, times) in variants.iter().zip(&mut times) {
                let time = variant.sample(pass, repeats)?;
                times.push(time.as_secs_f64() * 1e9 / elements);
            }
        }
        let ratio = |burn: usize, ours: usize| {
            let pairs = times[burn].iter().zip(&times[ours]);
            Spread::of(pairs.map(|(burn, ours)| burn / ours).collect()).median
        };
        let (on, off) = (ratio(2, 1), ratio(4, 3));
        let [copy, ours_on, burn_on, ours_off, burn_off] = times.map(Spread::of);
        println!(
            "| {} | {:.2} | {} | {} | {on:.2} | {} | {} | {off:.2} | {differ:.0e} |",
            row.name,
            copy.median,
            ours_on.show(2),
            burn_on.show(2),
            ours_off.show(2),
            burn_off.show(2),
        );
    }
    Ok(())
}

/// What the host pays for calls.
trait Calls {
    /// The time that calls take to return, and until the device is done with all of them.
    fn burst(&self) -> Result<[Duration; 2]>;
}

fn burst<T>(
    call: impl Fn() -> Result<T>,
    drain: impl Fn(),
    sync: impl Fn() -> Result<()>,
) -> Result<[Duration; 2]> {
    sync()?;
    // Results stay, as those of a network's layers do.
    let mut kept = Vec::with_capacity(BURST);
    let start = Instant::now();
    for _ in 0..BURST {
        kept.push(call()?);
        drain();
    }
    let returned = start.elapsed();
    sync()?;
    let done = start.elapsed();
    drop(kept);
    Ok([returned, done])
}

impl<B: NonlinOps<Device = CubeDevice>> Calls for Subject<B> {
    fn burst(&self) -> Result<[Duration; 2]> {
        burst(
            || self.run(Pass::Forward),
            || (self.data.drain)(&self.data.device),
            || Ok(B::sync(&self.data.device)?),
        )
    }
}

/// Calls as users write them.
struct Users {
    device: Device,
    cube: CubeDevice,
    x: Tensor<3>,
    call: fn(Tensor<3>) -> Result<Tensor<3>>,
}

impl Calls for Users {
    fn burst(&self) -> Result<[Duration; 2]> {
        burst(
            || (self.call)(self.x.clone()),
            || drain(&self.cube),
            || Ok(self.device.sync()?),
        )
    }
}

fn host(settings: &Settings, device: &Device, cube: &CubeDevice) -> Result<()> {
    let shape = [1, 1, SMALL];
    let fused = Data::<Cube>::new(cube, drain, shape);
    let plain = Data::<CubeBackend>::new(cube, launched, shape);
    let x = Tensor::<3>::from_data(TensorData::new(values(SMALL, 1, -4.0, 4.0), shape), device);
    println!(
        "\n### The host's work: {BURST} calls on {SMALL} elements, forward; us per call until it returns \
         / until all are done\n"
    );
    println!(
        "| | nonlin, fusion on | burn, fusion on | nonlin, fusion off | burn, fusion off | nonlin's function \
         | burn's function |"
    );
    println!("|---|---|---|---|---|---|---|");
    type Call = fn(Tensor<3>) -> Result<Tensor<3>>;
    let users: [(Kind, Call, Call); 3] = [
        (
            Kind::Relu,
            |x| Ok(functions::relu(x)),
            |x| Ok(activation::relu(x)),
        ),
        (
            Kind::Silu,
            |x| Ok(functions::silu(x)),
            |x| Ok(activation::silu(x)),
        ),
        (
            Kind::ScaledSilu,
            |x| {
                let chain = Chain::new()
                    .scale(0.5)
                    .act(nonlin::Activation::Silu)
                    .scale(2.0);
                Ok(nonlin_burn::activation(&chain, x)?)
            },
            |x| Ok(activation::silu(x * 0.5) * 2.0),
        ),
    ];
    for (kind, ours, burns) in users {
        let row = ROWS.iter().find(|row| row.kind == kind);
        let row = row.ok_or("every kind has a row")?;
        let chain: Chain = row.chain.parse()?;
        let user = |call| Users {
            device: device.clone(),
            cube: cube.clone(),
            x: x.clone(),
            call,
        };
        let all: [&dyn Calls; 6] = [
            &Subject::new(&fused, kind, Some(chain.clone())),
            &Subject::new(&fused, kind, None),
            &Subject::new(&plain, kind, Some(chain)),
            &Subject::new(&plain, kind, None),
            &user(ours),
            &user(burns),
        ];
        let mut times = [const { [const { Vec::new() }; 2] }; 6];
        for sample in 0..WARM_UP + BURSTS * settings.samples {
            for (calls, times) in all.iter().zip(&mut times) {
                let burst = calls.burst()?;
                if sample < WARM_UP {
                    continue;
                }
                for (times, time) in times.iter_mut().zip(burst) {
                    times.push(time.as_secs_f64() * 1e6 / BURST as f64);
                }
            }
        }
        print!("| {} |", row.name);
        for times in times {
            let [returned, done] = times.map(Spread::of);
            print!(" {} / {:.1} |", returned.show(1), done.median);
        }
        println!();
    }
    Ok(())
}

struct Settings {
    elements: usize,
    samples: usize,
    filters: Vec<String>,
}

impl Settings {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let mut settings = Settings {
            elements: 1 << 24,
            samples: 11,
            filters: Vec::new(),
        };
        while let Some(arg) = args.next() {
            let mut number = || -> Result<usize> {
                let value = args.next().and_then(|value| value.parse().ok());
                let value = value.filter(|value| *value > 0);
                Ok(value.ok_or_else(|| format!("{arg} needs a number above 0"))?)
            };
            match arg.as_str() {
                "--elements" => settings.elements = number()?,
                "--samples" => settings.samples = number()?,
                // Cargo says so to every bench.
                "--bench" => {}
                flag if flag.starts_with('-') => {
                    return Err(format!("{flag}: there are --elements N and --samples N").into());
                }
                _ => settings.filters.push(arg),
            }
        }
        Ok(settings)
    }

    fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }

    /// Samples, channels and elements beside each other: at most as many elements as asked for.
    fn shape(&self) -> [usize; 3] {
        let channels = CHANNELS.min(self.elements);
        let inner = INNER.min(self.elements / channels);
        [self.elements / (channels * inner), channels, inner]
    }
}

/// burn's device on the adapter that `WGPU_ADAPTER_NAME` names, or on the best one, with what burn itself would ask
/// for; but experimental features need `unsafe`.
fn open() -> Result<(Device, CubeDevice)> {
    let wanted = std::env::var("WGPU_ADAPTER_NAME").unwrap_or_default();
    let wanted = wanted.to_lowercase();
    let mut infos = nonlin::adapters().into_iter().map(|found| found.get_info());
    let info = infos
        .find(|info| nonlin::describe(info).to_lowercase().contains(&wanted))
        .ok_or("there is no such adapter")?;
    println!("{}", nonlin::describe(&info));
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle_from_env();
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let adapter = adapters
        .into_iter()
        .find(|adapter| adapter.get_info() == info)
        .ok_or("the adapter is gone")?;
    let left_out =
        wgpu::Features::MAPPABLE_PRIMARY_BUFFERS.union(wgpu::Features::all_experimental_mask());
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: adapter.features().difference(left_out),
        required_limits: adapter.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..Default::default()
    });
    let (device, queue) = pollster::block_on(request)?;
    let setup = WgpuSetup {
        instance,
        adapter,
        device,
        queue,
        backend: info.backend,
    };
    let device = Device::wgpu_options().setup(setup).init()?;
    let cube = match device.as_dispatch() {
        DispatchDevice::Cube(cube) => cube.clone(),
        other => return Err(format!("{other:?} is no device of CubeCL").into()),
    };
    Ok((device, cube))
}

fn main() -> Result<()> {
    if cfg!(not(feature = "fusion")) {
        return Err("both sides are burn without fusion: build with the feature `fusion`".into());
    }
    let settings = Settings::read(std::env::args().skip(1))?;
    if !ROWS.iter().any(|row| settings.wants(row.name)) && !settings.wants("host") {
        let names = ROWS.iter().map(|row| row.name).collect::<Vec<_>>();
        return Err(format!("there are {} and host", names.join("; ")).into());
    }
    let (device, cube) = open()?;
    let shape = settings.shape();
    let [samples, channels, inner] = shape;
    println!(
        "burn {BURN}; {} f32, {samples} x {channels} x {inner}; medians of {} samples taken in turns (least to \
         greatest)",
        samples * channels * inner,
        settings.samples
    );
    let fused = Data::<Cube>::new(&cube, drain, shape);
    let plain = Data::<CubeBackend>::new(&cube, launched, shape);
    for pass in [Pass::Forward, Pass::Both] {
        table(&settings, pass, &fused, &plain)?;
    }
    if settings.wants("host") {
        host(&settings, &device, &cube)?;
    }
    Ok(())
}
