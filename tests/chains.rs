//! Random chains on random data against the reference, forward and backward; with operands, whose gradients
//! are asked for too, in any layout, dtype and place.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;

use common::{download, submit, upload};
use libtest_mimic::Failed;
use nonlin::check::{self, Expected, Report};
use nonlin::half::{bf16, f16};
use nonlin::{
    Activation, Argument, Branch, Chain, DType, DTypes, Element, Error, Function, Gpu, Kernels,
    Layout, Operand, Operands, Pass, Step, Values, wgpu,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestError, TestRng, TestRunner};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The same cases every time, others for each `stream` and each adapter; as many as said, or as `PROPTEST_CASES` has
/// it. `PROPTEST_RNG_SEED` draws others.
fn runner(gpu: &Gpu, cases: u32, stream: u64) -> TestRunner {
    let stream = common::seed(gpu) + stream;
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config.rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(stream),
        RngSeed::Fixed(seed) => RngSeed::Fixed(seed.wrapping_add(stream)),
    };
    TestRunner::new(config)
}

fn step() -> impl Strategy<Value = Step> {
    let activation =
        (0..Activation::ALL.len(), -3f32..3.0, 0.1f32..3.0).prop_map(|(index, slope, beta)| {
            Step::from(match Activation::ALL[index] {
                Activation::LeakyRelu { .. } => Activation::LeakyRelu {
                    negative_slope: slope,
                },
                Activation::Swish { .. } => Activation::Swish { beta: slope },
                Activation::Softplus { .. } => Activation::Softplus {
                    beta,
                    threshold: 10.0 * beta,
                },
                plain => plain,
            })
        });
    let scale = prop_oneof![-4f32..4.0, Just(0.0), Just(1e-3), Just(300.0)];
    let scale = scale.prop_map(|factor: f32| Step::scale(factor));
    let bias = prop_oneof![-4f32..4.0, Just(0.0)].prop_map(|value: f32| Step::bias(value));
    prop_oneof![2 => scale, 1 => bias, 3 => activation]
}

fn data() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -6f32..6.0,
        2 => -100f32..100.0,
        1 => any::<u32>().prop_map(f32::from_bits),
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(-3.0), Just(3.0), Just(6.0)],
        2 => prop_oneof![Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(f32::NAN)],
    ]
}

/// Random chains on random data, stored as T.
fn random_chains<T: Element + std::fmt::Debug>(gpu: &Gpu) -> Result<(), Failed> {
    let chains = proptest::collection::vec(step(), 1..6);
    let elements = proptest::collection::vec((data(), data()), 1..400);
    // Each new structure compiles two kernels: a few cases are many elements.
    let cases = fewer(gpu, T::DTYPE, 9);
    let outcome =
        runner(gpu, cases, T::DTYPE as u64).run(&(chains, elements), |(steps, elements)| {
            let chain = steps.into_iter().fold(Chain::new(), Chain::step);
            let fail = |e: nonlin::Error| TestCaseError::fail(e.to_string());
            prop_assert_eq!(&chain.to_string().parse::<Chain>().map_err(fail)?, &chain);
            let stored = |v: f32| T::from_f64(v.into());
            let (x, dy): (Vec<T>, Vec<T>) = elements
                .into_iter()
                .map(|(x, dy)| (stored(x), stored(dy)))
                .unzip();
            let y = gpu.forward(&chain, &x).map_err(fail)?;
            let dx = gpu.backward(&chain, &x, &dy).map_err(fail)?;
            for report in [
                check::forward(&chain, &x, &y).map_err(fail)?,
                check::backward(&chain, &x, &dy, &dx).map_err(fail)?,
            ] {
                let worst = report
                    .worst
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                prop_assert!(report.passes(), "{}: {}", chain, worst);
            }
            Ok(())
        });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, _)) => Err(reason.to_string().into()),
        Err(TestError::Abort(reason)) => Err(reason.to_string().into()),
    }
}

/// Cases of each dtype: a case compiles three to eight kernels.
const CASES: u32 = 8;

/// A third of them on GL, which compiles slowly, and half of them in 16 bits, where loads and stores alone differ.
fn fewer(gpu: &Gpu, dtype: DType, cases: u32) -> u32 {
    let cases = if dtype == DType::F32 {
        cases
    } else {
        cases / 2
    };
    if common::is_gl(gpu) { cases / 3 } else { cases }
}

/// Elements of a case, at most.
const MOST: u64 = 20_000;

/// Operands of a chain, at most: a device may bind no more than 16 buffers, some no more than 10, and the
/// backward pass binds x, dy, dx, partial sums and, of each operand, values and gradient.
const MOST_OPERANDS: usize = 5;

/// An operand that a step takes its value from.
#[derive(Clone, Copy, Debug)]
struct Take {
    /// Shared, per channel, per sample and channel, per element.
    kind: usize,
    /// Among [`BRANCHES`].
    branch: usize,
    dtype: DType,
    /// The element of its buffer at which it begins.
    first: u64,
    /// The same of its gradient, if that is asked for.
    grad: Option<(DType, u64)>,
}

/// Where an argument's value comes from.
#[derive(Clone, Copy, Debug)]
enum Source {
    Default,
    /// From the lower end of what suits the parameter to the upper.
    Number(f32),
    Operand,
}

/// A function with a source for each of its parameters.
type Drawn = (Step, [(Source, Take); 4]);

/// An operand of a chain.
#[derive(Clone, Debug)]
struct Arg {
    name: String,
    take: Take,
    /// Between which values its own lie; none where they are drawn as x's are.
    range: Option<(f32, f32)>,
}

#[derive(Clone, Copy, Debug)]
enum Data {
    /// A few units, and the places where activations bend.
    Tame,
    /// Hundreds, zeros and small numbers among them.
    Wide,
    /// Any bits at all among them, NaN and infinities.
    Wild,
}

/// A chain with operands, and all that it runs on.
#[derive(Clone, Debug)]
struct Case {
    chain: Chain,
    args: Vec<Arg>,
    layout: Layout,
    dtypes: DTypes,
    /// The elements of their buffers at which x, y, dy and dx begin.
    first: [u64; 4],
    /// y is written over x, and dx over dy, where their dtypes are the same.
    in_place: bool,
    data: Data,
    seed: u64,
    random: [u64; 2],
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout {
            outer,
            channels,
            inner,
        } = self.layout;
        let DTypes { x, y, dy, dx } = self.dtypes;
        let [at_x, at_y, at_dy, at_dx] = self.first;
        write!(f, "{}\n  layout {outer} x {channels} x {inner}", self.chain)?;
        write!(
            f,
            ", x {x}+{at_x}, y {y}+{at_y}, dy {dy}+{at_dy}, dx {dx}+{at_dx}"
        )?;
        f.write_str(if self.in_place { ", in place" } else { "" })?;
        write!(
            f,
            "\n  {:?} data of seed {}, random {:?}",
            self.data, self.seed, self.random
        )?;
        for Arg { name, take, .. } in &self.args {
            let kinds = [
                "shared",
                "per channel",
                "per sample and channel",
                "per element",
            ];
            write!(
                f,
                "\n  {name}: {}, {}+{}",
                kinds[take.kind], take.dtype, take.first
            )?;
            if let Some((dtype, first)) = take.grad {
                write!(f, ", gradient {dtype}+{first}")?;
            }
        }
        Ok(())
    }
}

/// Values that suit a parameter: those that its function has a use for.
fn suits(function: &str, parameter: &str) -> (f32, f32) {
    match (function, parameter) {
        ("softplus" | "onnx_hardsigmoid", "beta") | ("squareplus", "b") => (0.1, 3.0),
        (_, "alpha" | "alpha_p" | "alpha_n") => (0.1, 3.0),
        ("softplus", "threshold") => (1.0, 30.0),
        ("hardtanh", "min_val") => (-2.0, 0.0),
        ("hardtanh", "max_val") | (_, "lambd") => (0.0, 2.0),
        ("xielu", "eps") => (-0.5, -0.01),
        ("dropout", _) => (0.0, 0.9),
        ("rrelu", "lower") => (-0.5, 0.25),
        ("rrelu", _) => (0.25, 1.0),
        _ => (-3.0, 3.0),
    }
}

/// What may stand behind an operand; in the place of NAME, an operand of the branch's own.
const BRANCHES: [&str; 8] = [
    "",
    "",
    "",
    "tanh",
    "clip(-2, 2) | bias(1)",
    "scale(0.5) | dropout(0.3)",
    "relu | gate(@NAME | sigmoid)",
    "prelu(weight=@NAME) | silu",
];

/// The argument that is an operand, or what a branch makes of it.
fn branched(name: &str, branch: &str, take: Take, args: &mut Vec<Arg>) -> Argument {
    if branch.is_empty() || (branch.contains("NAME") && args.len() == MOST_OPERANDS) {
        return name.into();
    }
    let inner = format!("{name}_inner");
    if branch.contains("NAME") {
        args.push(Arg {
            name: inner.clone(),
            take,
            range: None,
        });
    }
    let chain = branch.replace("NAME", &inner);
    Branch::new(name, chain.parse().expect("a chain")).into()
}

/// A chain of the functions drawn, and its operands, each called by its parameter and its step's number.
fn chain_of(links: Vec<Drawn>) -> (Chain, Vec<Arg>) {
    let (mut chain, mut args) = (Chain::new(), Vec::new());
    for (number, (mut step, sources)) in (1..).zip(links) {
        let function = step.function().clone();
        let tensor = matches!(function, Function::Gate | Function::Residual);
        let random = matches!(function, Function::Dropout | Function::Rrelu);
        if tensor && args.len() == MOST_OPERANDS {
            continue;
        }
        for (parameter, (source, mut take)) in function.parameters().into_iter().zip(sources) {
            let (low, high) = suits(function.name(), parameter);
            let argument = match source {
                Source::Default if !tensor => continue,
                Source::Number(share) if !tensor => {
                    // Two decimals are easier to read.
                    Argument::from(((low + share * (high - low)) * 100.0).round() / 100.0)
                }
                _ if random || args.len() == MOST_OPERANDS => continue,
                _ => {
                    let mut range = None;
                    let mut branch = BRANCHES[take.branch % BRANCHES.len()];
                    if let Function::Activation(activation) = &function {
                        // Its value would have to suit the parameter.
                        branch = "";
                        range = Some((low, high));
                        take.grad = take
                            .grad
                            .filter(|_| activation.learnable().contains(&parameter));
                    }
                    let name = format!("{parameter}{number}");
                    args.push(Arg {
                        name: name.clone(),
                        take,
                        range,
                    });
                    branched(&name, branch, take, &mut args)
                }
            };
            step = step
                .with(parameter, argument)
                .expect("the function has this parameter");
        }
        chain = chain.step(step);
    }
    if chain.steps().is_empty() {
        chain = chain.scale(1.0);
    }
    (chain, args)
}

/// Layouts whose rows are single elements, short and odd, of whole words, long, and of several workgroups.
fn layouts() -> impl Strategy<Value = Layout> {
    let inner = prop_oneof![
        3 => Just(1u64),
        2 => 2u64..32,
        2 => (1u64..80).prop_map(|words| 4 * words),
        2 => 33u64..400,
        1 => 4097u64..9000,
        1 => (1025u64..2500).prop_map(|words| 4 * words),
    ];
    let channels =
        prop_oneof![3 => 1u64..8, 1 => (1u64..40).prop_map(|words| 4 * words), 1 => 1u64..600];
    let outer = prop_oneof![2 => 1u64..8, 1 => 1u64..200, 1 => 1u64..MOST];
    (inner, channels, outer).prop_map(|(inner, channels, outer)| {
        let channels = channels.min(MOST / inner);
        let outer = outer.min(MOST / inner / channels);
        Layout {
            outer,
            channels,
            inner,
        }
    })
}

fn cases(gpu: &Gpu, usual: DType) -> impl Strategy<Value = Case> + use<> {
    let most_bound = gpu.device().limits().max_storage_buffers_per_shader_stage as usize;
    // Where a difference in dtype or place matters, one operand that differs shows it.
    let dtype = move || prop_oneof![5 => Just(usual), 1 => select(DType::ALL)];
    let first = || prop_oneof![12 => Just(0u64), 1 => 1u64..6];
    let take = (
        0..4usize,
        0..BRANCHES.len(),
        dtype(),
        first(),
        proptest::option::weighted(0.8, (dtype(), first())),
    );
    let take = take.prop_map(|(kind, branch, dtype, first, grad)| Take {
        kind,
        branch,
        dtype,
        first,
        grad,
    });
    let source = prop_oneof![
        1 => Just(Source::Default),
        1 => (0f32..1.0).prop_map(Source::Number),
        4 => Just(Source::Operand),
    ];
    let all = Activation::ALL.iter().copied();
    let learned = all
        .clone()
        .filter(|activation| !activation.learnable().is_empty());
    let with_values = [
        Step::scale(1.0),
        Step::bias(0.0),
        Step::gate("t"),
        Step::residual("t"),
    ];
    let function = prop_oneof![
        3 => select(with_values.to_vec()),
        1 => select(vec![Step::dropout(0.5), Step::rrelu(0.125, 0.25)]),
        4 => select(learned.map(Step::from).collect::<Vec<_>>()),
        2 => select(all.map(Step::from).collect::<Vec<_>>()),
    ];
    let link = (function, proptest::array::uniform4((source, take)));
    (
        proptest::collection::vec(link, 1..=4),
        layouts(),
        [dtype(), dtype(), dtype()],
        [first(), first(), first(), first()],
        any::<bool>(),
        select(&[Data::Tame, Data::Wide, Data::Wild][..]),
        // A smaller seed is no simpler.
        any::<[u64; 3]>().no_shrink(),
    )
        .prop_map(
            move |(links, layout, [y, dy, dx], first, in_place, data, [seed, random, offset])| {
                let (chain, mut args) = chain_of(links);
                // Only as many gradients as the device can bind.
                let room = most_bound.saturating_sub(4 + args.len());
                let asked = args.iter_mut().filter(|arg| arg.take.grad.is_some());
                asked.skip(room).for_each(|arg| arg.take.grad = None);
                Case {
                    chain,
                    args,
                    layout,
                    dtypes: DTypes {
                        x: usual,
                        y,
                        dy,
                        dx,
                    },
                    first,
                    in_place,
                    data,
                    seed: seed >> 48,
                    random: [random, offset],
                }
            },
        )
}

/// A number that looks random, and is the same each time.
fn noise(seed: u64, index: usize) -> u64 {
    let mut z = (index as u64 ^ seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// An element of x, dy, or a tensor: from -4 to 4, or what the data has among that.
fn element(data: Data, bits: u64) -> f32 {
    let unit = (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    let bend = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0][bits as usize / 256 % 9];
    match (data, bits % 256) {
        (_, 0..16) => bend,
        (Data::Wide | Data::Wild, 16..48) => 150.0 * unit,
        (Data::Wide | Data::Wild, 48..64) => 1e-3 * unit,
        (Data::Wild, 64) => f32::from_bits((bits >> 8) as u32),
        (Data::Wild, 65..74) => {
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][bits as usize / 256 % 3]
        }
        _ => 4.0 * unit,
    }
}

/// Runs an expression for a dtype's type.
macro_rules! typed {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F16 => {
                type $T = f16;
                $body
            }
            _ => {
                type $T = bf16;
                $body
            }
        }
    };
}

/// What a dtype makes of numbers, in bytes.
fn packed(dtype: DType, values: &[f32]) -> Vec<u8> {
    typed!(dtype, T => {
        let stored = values.iter().map(|value| T::from_f64(f64::from(*value)));
        bytemuck::cast_slice(&stored.collect::<Vec<T>>()).to_vec()
    })
}

/// The same as numbers again.
fn stored(dtype: DType, values: impl Iterator<Item = f32>) -> Vec<f32> {
    typed!(dtype, T => values.map(|value| T::from_f64(f64::from(value)).to_f32()).collect())
}

/// What a case's passes read, as it is stored.
#[derive(Clone)]
struct Inputs {
    x: Vec<f32>,
    dy: Vec<f32>,
    args: Vec<Vec<f32>>,
}

/// What they wrote.
#[derive(Clone)]
struct Outputs {
    y: Vec<u8>,
    dx: Vec<u8>,
    /// dx where no gradient was asked for.
    alone: Vec<u8>,
    /// Whether the two are to be the same bits. Not on GL: GLSL lets a compiler reorder products, and Mesa's
    /// does, as suits the rest of a kernel. Each is within the error allowed there, too.
    same: bool,
    grads: Vec<Gradient>,
}

/// The operand, the gradient's dtype, and its bytes.
type Gradient = (String, DType, Vec<u8>);

/// Around what is read and written, and where that is not written yet.
const FILL: u8 = 0xa5;

/// Some elements in a buffer of their own.
struct Memory {
    buffer: wgpu::Buffer,
    dtype: DType,
    first: u64,
    len: u64,
}

impl Memory {
    fn new(gpu: &Gpu, dtype: DType, first: u64, data: &[u8]) -> Self {
        let mut bytes = vec![FILL; (first * dtype.size()) as usize];
        bytes.extend(data);
        // Room behind for whole groups of four elements.
        bytes.resize((bytes.len() + 8).next_multiple_of(16), FILL);
        let len = data.len() as u64 / dtype.size();
        let buffer = upload(gpu, &bytemuck::pod_collect_to_vec(&bytes));
        Memory {
            buffer,
            dtype,
            first,
            len,
        }
    }

    fn blank(gpu: &Gpu, dtype: DType, first: u64, len: u64) -> Self {
        Self::new(
            gpu,
            dtype,
            first,
            &vec![FILL; (len * dtype.size()) as usize],
        )
    }

    fn operand(&self) -> Operand<'_> {
        Operand::new(&self.buffer, self.first * self.dtype.size(), self.len)
    }

    /// The elements; an error where what lies around them was written.
    fn read(&self, gpu: &Gpu, name: &str) -> Result<Vec<u8>, String> {
        let bytes = bytemuck::pod_collect_to_vec::<u32, u8>(&download(gpu, &self.buffer));
        let from = (self.first * self.dtype.size()) as usize;
        let to = from + (self.len * self.dtype.size()) as usize;
        if bytes[..from]
            .iter()
            .chain(&bytes[to..])
            .any(|byte| *byte != FILL)
        {
            return Err(format!("what lies beside {name} was written"));
        }
        Ok(bytes[from..to].to_vec())
    }
}

impl Case {
    /// The length of an operand of a kind.
    fn length(&self, kind: usize) -> u64 {
        let Layout {
            outer,
            channels,
            inner,
        } = self.layout;
        [1, channels, outer * channels, outer * channels * inner][kind]
    }

    /// Where in an operand of a kind an element's value is.
    fn index(&self, kind: usize, element: usize) -> usize {
        let row = element / self.layout.inner as usize;
        [0, row % self.layout.channels as usize, row, element][kind]
    }

    fn inputs(&self) -> Inputs {
        let draw = |number: u64, dtype, kind, range: Option<(f32, f32)>| {
            let bits =
                (0..self.length(kind) as usize).map(|i| noise(self.seed + (number << 20), i));
            let values = bits.map(|bits| match range {
                Some((low, high)) => low + (bits >> 40) as f32 / (1u64 << 24) as f32 * (high - low),
                None => element(self.data, bits),
            });
            stored(dtype, values)
        };
        let args = self.args.iter().zip(2..);
        Inputs {
            x: draw(0, self.dtypes.x, 3, None),
            dy: draw(1, self.dtypes.dy, 3, None),
            args: args
                .map(|(Arg { take, range, .. }, number)| {
                    draw(number, take.dtype, take.kind, *range)
                })
                .collect(),
        }
    }

    /// The operands' values, for the reference.
    fn values(&self, inputs: &Inputs) -> Values {
        let [seed, offset] = self.random;
        let values = Values::new().layout(self.layout).random(seed, offset);
        let args = self.args.iter().zip(&inputs.args);
        args.fold(values, |values, (arg, data)| values.arg(&arg.name, data))
    }

    /// Both passes, backward with gradients and without.
    fn run(&self, gpu: &Gpu, inputs: &Inputs) -> Result<Outputs, String> {
        // wgpu panics where a thread waits for GL's context for more than 6 s, and compiling a large kernel
        // takes that on a busy machine: one case at a time there.
        static CONTEXT: Mutex<()> = Mutex::new(());
        let gl = gpu.device().adapter_info().backend == wgpu::Backend::Gl;
        let _alone = gl.then(|| CONTEXT.lock().unwrap_or_else(PoisonError::into_inner));
        // Kernels of its own: those of all cases together would take gigabytes.
        let kernels = Kernels::new(gpu.device());
        let (y, _) = self.pass(gpu, &kernels, Pass::Forward, inputs, false)?;
        let (dx, grads) = self.pass(gpu, &kernels, Pass::Backward, inputs, true)?;
        let (alone, _) = self.pass(gpu, &kernels, Pass::Backward, inputs, false)?;
        Ok(Outputs {
            y,
            dx,
            alone,
            grads,
            same: !gl,
        })
    }

    /// y or dx, and gradients.
    fn pass(
        &self,
        gpu: &Gpu,
        kernels: &Kernels,
        pass: Pass,
        inputs: &Inputs,
        gradients: bool,
    ) -> Result<(Vec<u8>, Vec<Gradient>), String> {
        let text = |e: Error| e.to_string();
        let DTypes { x, y, dy, dx } = self.dtypes;
        let [at_x, at_y, at_dy, at_dx] = self.first;
        let memory = |dtype, first, data| Memory::new(gpu, dtype, first, &packed(dtype, data));
        let (mx, mdy) = (memory(x, at_x, &inputs.x), memory(dy, at_dy, &inputs.dy));
        let forward = pass == Pass::Forward;
        let (name, dtype, first, source) = if forward {
            ("y", y, at_y, &mx)
        } else {
            ("dx", dx, at_dx, &mdy)
        };
        let apart;
        let target = if self.in_place && source.dtype == dtype {
            source
        } else {
            apart = Memory::blank(gpu, dtype, first, mx.len);
            &apart
        };
        let args = self.args.iter().zip(&inputs.args);
        let args = args.map(|(arg, data)| (arg, memory(arg.take.dtype, arg.take.first, data)));
        let args: Vec<(&Arg, Memory)> = args.collect();
        let asked = self.args.iter().filter(|_| gradients).filter_map(|arg| {
            let (dtype, first) = arg.take.grad?;
            Some((
                arg,
                Memory::blank(gpu, dtype, first, self.length(arg.take.kind)),
            ))
        });
        let grads: Vec<(&Arg, Memory)> = asked.collect();

        let [seed, offset] = self.random;
        let mut operands = Operands::new()
            .x(mx.operand())
            .layout(self.layout)
            .random(seed, offset);
        operands = match forward {
            true => operands.y(target.operand()),
            false => operands.dy(mdy.operand()).dx(target.operand()),
        };
        for (arg, memory) in &args {
            operands = operands.arg(&arg.name, memory.operand(), memory.dtype);
        }
        for (arg, memory) in &grads {
            operands = operands.grad(&arg.name, memory.operand(), memory.dtype);
        }
        let plan = kernels.plan(&self.chain, pass, self.dtypes).map_err(text)?;
        let bound = plan.bind(operands).map_err(text)?;
        submit(gpu, |pass| bound.record(pass));
        let read = grads.iter().map(|(arg, memory)| {
            let found = memory.read(gpu, &format!("d_{}", arg.name))?;
            Ok((arg.name.clone(), memory.dtype, found))
        });
        Ok((
            target.read(gpu, name)?,
            read.collect::<Result<_, String>>()?,
        ))
    }

    /// Compares with the reference.
    fn judge(&self, inputs: &Inputs, outputs: &Outputs) -> Result<(), String> {
        let (chain, values, Inputs { x, dy, .. }) = (&self.chain, self.values(inputs), inputs);
        let verdict = |what: &str, report: Result<Report, Error>| {
            let report = report.map_err(|e| format!("{what}: {e}"))?;
            common::verdict(&report)
                .map_err(|e| format!("{what}: {}", e.message().unwrap_or_default()))
        };
        let compare = |expected: Result<Expected, Error>, dtype, bytes: &[u8]| {
            typed!(dtype, T => {
                let found = bytemuck::pod_collect_to_vec::<u8, T>(bytes);
                expected?.compare(&found)
            })
        };
        let expected = Expected::forward_with(chain, x, &values);
        verdict("y", compare(expected, self.dtypes.y, &outputs.y))?;
        for (what, dx) in [
            ("dx", &outputs.dx),
            ("dx without gradients", &outputs.alone),
        ] {
            let expected = Expected::backward_with(chain, x, dy, &values);
            verdict(what, compare(expected, self.dtypes.dx, dx))?;
        }
        for (name, dtype, bytes) in &outputs.grads {
            let report = typed!(*dtype, T => {
                let found = bytemuck::pod_collect_to_vec::<u8, T>(bytes);
                check::gradient(chain, x, dy, &values, name, &found)
            });
            verdict(&format!("gradient of {name}"), report)?;
        }
        let size = self.dtypes.dx.size() as usize;
        let pairs = outputs.dx.chunks(size).zip(outputs.alone.chunks(size));
        for (at, (dx, alone)) in pairs.enumerate() {
            // Where something that a kernel reads is NaN, dx is; without gradients it reads less.
            let reads_nan = || {
                let mut args = self.args.iter().zip(&inputs.args);
                args.any(|(arg, data)| data[self.index(arg.take.kind, at)].is_nan())
            };
            if outputs.same && dx != alone && !reads_nan() {
                return Err(format!(
                    "dx[{at}] is {dx:02x?} where gradients are asked for, else {alone:02x?}"
                ));
            }
        }
        Ok(())
    }
}

/// Random chains with operands; `spoil` changes what the reference is told.
fn with_operands(
    mut runner: TestRunner,
    gpu: &Gpu,
    cases: impl Strategy<Value = Case>,
    spoil: impl Fn(&mut Inputs),
) -> Result<(), Failed> {
    let outcome = runner.run(&cases, |case| {
        let parsed = case.chain.to_string().parse::<Chain>();
        prop_assert_eq!(parsed.as_ref(), Ok(&case.chain));
        let mut inputs = case.inputs();
        let outputs = case.run(gpu, &inputs).map_err(TestCaseError::fail)?;
        spoil(&mut inputs);
        case.judge(&inputs, &outputs).map_err(TestCaseError::fail)
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, case) => format!("{case}\n  {reason}").into(),
        TestError::Abort(reason) => reason.to_string().into(),
    })
}

/// A harness that finds nothing wrong proves nothing.
fn teeth(gpu: &Gpu) -> Result<(), Failed> {
    let arg = |name: &str, kind| Arg {
        name: name.into(),
        take: Take {
            kind,
            branch: 0,
            dtype: DType::F32,
            first: 0,
            grad: Some((DType::F32, 0)),
        },
        range: Some((0.25, 2.0)),
    };
    let case = Case {
        chain: "scale(@s) | bias(@b) | prelu(weight=@w) | dropout(0.2)".parse()?,
        args: vec![arg("s", 1), arg("b", 1), arg("w", 3)],
        layout: Layout {
            outer: 5,
            channels: 3,
            inner: 36,
        },
        dtypes: DType::F32.into(),
        first: [0; 4],
        in_place: false,
        data: Data::Tame,
        seed: 1,
        random: [2, 3],
    };
    let inputs = case.inputs();
    let outputs = case.run(gpu, &inputs)?;
    case.judge(&inputs, &outputs)?;
    let found = |what: &str, case: &Case, inputs: &Inputs, outputs: &Outputs| match case
        .judge(inputs, outputs)
    {
        Ok(()) => Err(format!("{what} is not found")),
        Err(_) => Ok(()),
    };
    for (index, arg) in case.args.iter().enumerate() {
        // One element of many; a weight, where it has an effect: below zero, and kept by dropout.
        let mut changed = inputs.clone();
        let below =
            (0..inputs.x.len()).find(|i| outputs.y[4 * i + 3] & 0x80 != 0 && inputs.x[*i] < -0.1);
        let at = if arg.take.kind == 3 {
            below.ok_or("no element is below zero")?
        } else {
            1
        };
        changed.args[index][at] *= 1.001;
        found(
            &format!("another value of {}", arg.name),
            &case,
            &changed,
            &outputs,
        )?;
    }
    let mut swapped = outputs.clone();
    swapped.grads[0].2 = outputs.grads[1].2.clone();
    found("another operand's gradient", &case, &inputs, &swapped)?;
    let mut apart = outputs.clone();
    apart.alone[0] ^= 1;
    apart.same = true;
    found("another dx without gradients", &case, &inputs, &apart)?;
    let other = Case {
        random: [2, 4],
        ..case.clone()
    };
    found(
        "another offset of random numbers",
        &other,
        &inputs,
        &outputs,
    )?;
    // Through all that draws and tells.
    let config = Config {
        cases: 8,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let runner = TestRunner::new_with_rng(config, rng);
    let spoil = |inputs: &mut Inputs| {
        for value in inputs.args.iter_mut().flatten() {
            *value += 0.01;
        }
    };
    match with_operands(runner, gpu, cases(gpu, DType::F32).no_shrink(), spoil) {
        Err(e) if e.message().is_some_and(|text| text.contains("layout")) => Ok(()),
        Err(e) => Err(e),
        Ok(()) => Err("other values of operands are not found".into()),
    }
}

fn main() -> ! {
    common::main(|trials| {
        trials.add("random_chains::f32", random_chains::<f32>);
        trials.add("random_chains::f16", random_chains::<f16>);
        trials.add("random_chains::bf16", random_chains::<bf16>);
        for dtype in DType::ALL {
            trials.add(format!("random_operands::{dtype}"), |gpu| {
                let runner = runner(gpu, fewer(gpu, *dtype, CASES), 16 + *dtype as u64);
                with_operands(runner, gpu, cases(gpu, *dtype), |_| ())
            });
        }
        trials.add("random_operands::teeth", teeth);
        // The promise is made for these by name.
        for text in [
            "scale(0.5) | silu | scale(2)",
            "scale(-0.3) | softplus | scale(7)",
            "mish | scale(0.1) | gelu",
        ] {
            trials.add(text, move |gpu| {
                let chain: Chain = text.parse()?;
                let x = check::inputs(&chain, 1 << 18);
                let dy: Vec<f32> = (0..x.len()).map(|i| (i % 17) as f32 * 0.37 - 2.0).collect();
                common::agrees(gpu, &chain, &x, &dy)
            });
        }
    })
}
