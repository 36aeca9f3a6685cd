//! The cases of which result bits are recorded.

use crate::common::LEARNED;
use nonlin::layers::{BatchNorm, DynamicRelu, Frelu, Images, Layer, MetaAcon, Variant};
use nonlin::{Activation, Chain, DType, DTypes, Pass};
use std::collections::BTreeSet;

/// Where the operands of a case lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    /// Each at the beginning of a buffer of its own.
    Apart,
    /// One element behind such a beginning.
    Odd,
    /// The output in the place of the last input.
    Over,
    /// All behind each other in one buffer.
    OneBuffer,
    /// The same, each off by one element.
    OneOdd,
    /// Apart, on a device that binds 4 KiB at most.
    Pieces,
}

const PLACES: [Place; 5] = [
    Place::Apart,
    Place::Odd,
    Place::Over,
    Place::OneBuffer,
    Place::OneOdd,
];

/// What a case runs.
#[derive(Clone, Debug)]
pub(crate) enum What {
    /// A chain; of its operands' kinds, 0 is shared, 1 per channel, 2 per sample and channel, 3 per element.
    Chain {
        text: String,
        layout: [u64; 3],
        kinds: Vec<usize>,
        passes: Vec<Pass>,
        /// Whether x is any f32, NaN and infinities among them. Elsewhere drivers may choose which NaN it is that
        /// an operation makes.
        wide: bool,
    },
    /// A gate `@g` from the other half of packed rows of 2 h elements; the first half is x, or the second.
    Packed { text: String, h: u64, first: bool },
    /// A layer, forward and backward.
    Layer { layer: Layer, images: Images },
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) what: What,
    pub(crate) dtypes: DTypes,
    pub(crate) place: Place,
}

impl Case {
    pub(crate) fn new(what: What, dtypes: impl Into<DTypes>, place: Place) -> Case {
        let dtypes = dtypes.into();
        let shown = match &what {
            What::Chain {
                text,
                layout: [outer, channels, inner],
                kinds,
                passes,
                ..
            } => {
                let passes: Vec<_> = passes.iter().map(Pass::to_string).collect();
                let passes = passes.join(", ");
                format!("{text}, {passes}, {outer}x{channels}x{inner} {kinds:?}")
            }
            What::Packed { text, h, first } => format!("{text}, packed {h} {first}"),
            What::Layer { layer, images } => {
                let shape = images.shape();
                format!("{layer:?}, {:?} {shape:?}", images.order)
            }
        };
        let DTypes { x, y, dy, dx } = dtypes;
        let stored = match [y, dy, dx].iter().all(|other| *other == x) {
            true => x.to_string(),
            false => format!("{x} {y} {dy} {dx}"),
        };
        Case {
            name: format!("{shown}, {stored}, {place:?}"),
            what,
            dtypes,
            place,
        }
    }

    /// Whether GL takes seconds to compile it.
    fn is_slow(&self) -> bool {
        match &self.what {
            What::Layer { layer, .. } => match layer {
                Layer::Frelu(_) => true,
                Layer::DynamicRelu(layer) => layer.variant == Variant::C,
                Layer::MetaAcon(_) => false,
            },
            _ => false,
        }
    }
}

/// Every activation: f32 pass by pass, 16 bits in turns.
fn activations(cases: &mut Vec<Case>) {
    for (index, activation) in Activation::ALL.iter().enumerate() {
        let chain = Chain::from(*activation);
        let mut passes = vec![vec![Pass::Forward], vec![Pass::Backward]];
        if chain.supports(Pass::BackwardFromY).is_ok() {
            passes.push(vec![Pass::Forward, Pass::BackwardFromY]);
        }
        let what = |passes: &Vec<Pass>, layout| What::Chain {
            text: chain.to_string(),
            layout,
            kinds: Vec::new(),
            passes: passes.clone(),
            wide: true,
        };
        for passes in &passes {
            let inner = [4096, 4099, 2050][index % 3];
            let what = what(passes, [1, 1, inner]);
            cases.push(Case::new(what, DType::F32, Place::Apart));
        }
        let dtype = [DType::F16, DType::BF16][index % 2];
        let (what, place) = (what(&passes.concat(), [1, 1, 2051]), PLACES[index % 5]);
        cases.push(Case::new(what, dtype, place));
    }
}

/// Chains whose arguments are numbers, with gates and residuals, at all kinds of places.
const PLAIN: [&str; 15] = [
    "scale(-1.5)",
    "bias(3)",
    "gate(@g)",
    "residual(@r)",
    "dropout(0.3)",
    "rrelu",
    "scale(0.5) | silu | scale(2)",
    "gelu | tanh | mish",
    "scale(2) | bias(-1) | relu | scale(0.5)",
    "scale(1.5) | rrelu | dropout(0.5)",
    "elu(alpha=0.5) | softplus(beta=2) | bias(0.1)",
    "silu | gate(@g)",
    "gate(@g) | sigmoid | residual(@r)",
    "gelu | dropout(0.1) | residual(@r)",
    "tanh | gate(@g) | gate(@h)",
];

pub(crate) fn chain(text: &str, layout: [u64; 3], kinds: &[usize]) -> What {
    What::Chain {
        text: text.to_owned(),
        layout,
        kinds: kinds.to_vec(),
        passes: Pass::FROM_X.to_vec(),
        wide: false,
    }
}

fn plain(cases: &mut Vec<Case>) {
    for (index, text) in PLAIN.into_iter().enumerate() {
        for (turn, dtype) in DType::ALL.iter().enumerate() {
            let inner = [1024, 4097, 2054, 7][(index + turn) % 4];
            let place = PLACES[(index + 2 * turn) % 5];
            cases.push(Case::new(chain(text, [1, 1, inner], &[3]), *dtype, place));
        }
    }
    let (half, full) = (DType::F16, DType::F32);
    for (x, y, dy, dx) in [
        (half, full, full, half),
        (DType::BF16, half, half, full),
        (full, DType::BF16, full, full),
    ] {
        let dtypes = DTypes { x, y, dy, dx };
        // Forward and backward by themselves: y and dx have dtypes of their own.
        let what = chain("scale(0.5) | gelu | residual(@r)", [1, 1, 1027], &[3]);
        cases.push(Case::new(what, dtypes, Place::Apart));
    }
    for (index, name) in ["relu", "silu", "gelu"].into_iter().enumerate() {
        for (h, dtype) in [(64, DType::F32), (7, DType::F32), (22, DType::F16)] {
            let (text, first) = (
                format!("{name} | gate(@g)"),
                (index as u64 + h).is_multiple_of(2),
            );
            cases.push(Case::new(
                What::Packed { text, h, first },
                dtype,
                Place::Apart,
            ));
        }
    }
    let what = What::Packed {
        text: "sigmoid | gate(@g)".into(),
        h: 4,
        first: true,
    };
    cases.push(Case::new(what, DType::BF16, Place::Apart));
}

/// Rows of whole words, odd rows, several workgroups to a row, channels beside each other, in whole words and not, one
/// sample, one channel, channels enough for a workgroup.
const LAYOUTS: [[u64; 3]; 13] = [
    [3, 4, 64],
    [2, 5, 37],
    [2, 3, 5000],
    [2, 2, 8192],
    [33, 8, 1],
    [1030, 3, 1],
    [40, 7, 3],
    [1, 6, 40],
    [1, 1, 1001],
    [1, 9, 1],
    [37, 132, 1],
    [19, 33, 3],
    [2, 3, 132],
];

fn learned(cases: &mut Vec<Case>) {
    let kinds: [&[usize]; 5] = [&[0], &[1], &[2], &[3], &[1, 2, 0]];
    for (index, text) in LEARNED.into_iter().enumerate() {
        for (turn, kinds) in kinds[..4].iter().enumerate() {
            let layout = LAYOUTS[(index + 3 * turn) % LAYOUTS.len()];
            let dtype = DType::ALL[if turn % 2 == 1 { index % 3 } else { 0 }];
            let place = [Place::Apart, Place::Apart, PLACES[index % 5]][(index + turn) % 3];
            cases.push(Case::new(chain(text, layout, kinds), dtype, place));
        }
    }
    let mixed = "scale(@s) | prelu(weight=@w) | bias(@b)";
    for (index, layout) in LAYOUTS.into_iter().enumerate() {
        for dtype in [DType::F32, DType::ALL[1 + index / 2 % 2]] {
            if dtype != DType::F32 && index % 2 == 1 {
                continue;
            }
            let place = [Place::Apart, Place::OneOdd][usize::from(dtype != DType::F32)];
            cases.push(Case::new(chain(mixed, layout, kinds[4]), dtype, place));
        }
    }
    for (layout, kinds) in [
        ([40, 3, 36], &[0, 1]),
        ([300, 8, 1], &[2, 1]),
        ([9, 5, 160], &[1, 2]),
        ([40, 66, 1], &[1, 1]),
    ] {
        let what = chain("scale(@s) | prelu(weight=@w) | dropout(0.2)", layout, kinds);
        cases.push(Case::new(what, DType::F32, Place::Pieces));
    }
}

fn norm(training: bool) -> Option<BatchNorm> {
    Some(BatchNorm {
        training,
        ..BatchNorm::default()
    })
}

/// Images in either order whose lengths make whole words, and images whose do not.
const IMAGES: [Images; 4] = [
    Images::nchw(2, 3, 19, 24),
    Images::nhwc(2, 9, 7, 5),
    Images::nchw(3, 5, 11, 17),
    Images::nhwc(2, 13, 6, 16),
];

/// FReLU: kernel, bias, light, norm.
type Funnel = ((u64, u64), bool, bool, Option<BatchNorm>);

fn layers(cases: &mut Vec<Case>) {
    let funnels: [Funnel; 9] = [
        ((3, 3), false, false, None),
        ((3, 3), true, false, norm(true)),
        ((3, 3), true, false, norm(false)),
        ((3, 3), true, true, norm(false)),
        ((3, 3), false, true, norm(true)),
        ((1, 1), false, false, None),
        ((5, 3), false, false, None),
        ((5, 3), true, false, norm(true)),
        ((5, 3), false, true, None),
    ];
    let mut all: Vec<Layer> = Vec::new();
    for (kernel, bias, light, norm) in funnels {
        all.push(Layer::Frelu(Frelu {
            kernel,
            bias,
            light,
            norm,
        }));
    }
    for norm in [None, norm(false), norm(true)] {
        all.push(Layer::MetaAcon(MetaAcon {
            norm,
            ..MetaAcon::default()
        }));
    }
    for variant in [Variant::C, Variant::A, Variant::B] {
        for k in [2, 1, 3, 4] {
            let gamma = (k == 3).then_some(2.5);
            all.push(Layer::DynamicRelu(DynamicRelu {
                variant,
                k,
                gamma,
                ..DynamicRelu::default()
            }));
        }
    }
    for (index, layer) in all.into_iter().enumerate() {
        for (turn, images) in IMAGES.into_iter().enumerate() {
            // Of four shapes two in f32, in both orders; of every other layer one in 16 bits.
            let (dtype, place) = match (index + turn) % 4 {
                0 | 3 => (DType::F32, PLACES[3 * (index % 2)]),
                1 if index % 2 == 0 => (
                    DType::ALL[1 + index / 2 % 2],
                    [Place::OneOdd, Place::Apart][index / 4 % 2],
                ),
                _ => continue,
            };
            let layer = layer.clone();
            cases.push(Case::new(What::Layer { layer, images }, dtype, place));
        }
    }
    // So many channels that the small layers take a dispatch for each step.
    let dynamic = DynamicRelu {
        reduction: 64,
        ..DynamicRelu::default()
    };
    for layer in [
        Layer::MetaAcon(MetaAcon::default()),
        Layer::DynamicRelu(dynamic),
    ] {
        let images = Images::nchw(1, 4096, 1, 1);
        cases.push(Case::new(
            What::Layer { layer, images },
            DType::F32,
            Place::Apart,
        ));
    }
}

/// The cases of an adapter. On GL there are fewer, since a kernel takes long to compile there.
pub(crate) fn cases(gl: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    for add in [activations, plain, learned, layers] {
        add(&mut cases);
    }
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "each case has a name of its own");
    let (mut index, mut slow) = (0, 0);
    cases.retain(|case| {
        let count = if case.is_slow() {
            &mut slow
        } else {
            &mut index
        };
        *count += 1;
        let every = if case.is_slow() { SLOW_ON_GL } else { ON_GL };
        !gl || *count % every == 1
    });
    cases
}

/// One of so many cases runs on GL.
const ON_GL: usize = 6;
const SLOW_ON_GL: usize = 23;
