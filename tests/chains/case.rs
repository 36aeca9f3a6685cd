//! The drawing of random chains, of their operands, and of all that they run on.

use nonlin::{Activation, Argument, Branch, Chain, DType, DTypes, Function, Gpu, Layout, Step};
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;

pub(crate) fn step() -> impl Strategy<Value = Step> {
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

pub(crate) fn data() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -6f32..6.0,
        2 => -100f32..100.0,
        1 => any::<u32>().prop_map(f32::from_bits),
        2 => prop_oneof![Just(0.0), Just(-0.0), Just(-3.0), Just(3.0), Just(6.0)],
        2 => prop_oneof![Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(f32::NAN)],
    ]
}

/// Elements of a case, at most.
const MOST: u64 = 20_000;

/// Operands of a chain, at most: a device may bind no more than 16 buffers, some no more than 10, and the
/// backward pass binds x, dy, dx, partial sums and, of each operand, values and gradient.
const MOST_OPERANDS: usize = 5;

/// An operand that a step takes its value from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Take {
    /// Shared, per channel, per sample and channel, per element.
    pub(crate) kind: usize,
    /// Among [`BRANCHES`].
    pub(crate) branch: usize,
    pub(crate) dtype: DType,
    /// The element of its buffer at which it begins.
    pub(crate) first: u64,
    /// The same of its gradient, if that is asked for.
    pub(crate) grad: Option<(DType, u64)>,
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
pub(crate) struct Arg {
    pub(crate) name: String,
    pub(crate) take: Take,
    /// Between which values its own lie; none where they are drawn as x's are.
    pub(crate) range: Option<(f32, f32)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    /// A few units, and the places where activations bend.
    Tame,
    /// Hundreds, zeros and small numbers among them.
    Wide,
    /// Any bits at all among them, NaN and infinities.
    Wild,
}

/// A chain with operands, and all that it runs on.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) chain: Chain,
    pub(crate) args: Vec<Arg>,
    pub(crate) layout: Layout,
    pub(crate) dtypes: DTypes,
    /// The elements of their buffers at which x, y, dy and dx begin.
    pub(crate) first: [u64; 4],
    /// y is written over x, and dx over dy, where their dtypes are the same.
    pub(crate) in_place: bool,
    pub(crate) data: Data,
    pub(crate) seed: u64,
    pub(crate) random: [u64; 2],
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

pub(crate) fn cases(gpu: &Gpu, usual: DType) -> impl Strategy<Value = Case> + use<> {
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
