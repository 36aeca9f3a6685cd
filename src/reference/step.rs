//! A step in f64.

use crate::act::{Activation, Bend, Counts, Room, Second};
use crate::chain::custom::Reference;
use crate::chain::nodes::Node;
use crate::chain::step::{Argument, Function};
use crate::error::Error;
use crate::tensor::dtype::DType;
use std::sync::Arc;

/// The value of `f` at `x`; NaN for NaN; for an infinite `x` the limit, taken from a point so far out that
/// anything which still grows there has left the range of f32.
pub(crate) fn at(f: impl Fn(f64, &[f64]) -> f64, x: f64, p: &[f64]) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.is_finite() {
        return f(x, p);
    }
    let y = f(f64::copysign(1e100, x), p);
    if y.abs() > 1e50 { y * f64::INFINITY } else { y }
}

/// A number rounded once to a dtype.
pub(crate) fn rounded(dtype: DType, x: f64) -> f64 {
    match dtype {
        DType::F16 => half::f16::from_f64(x).to_f64(),
        DType::BF16 => half::bf16::from_f64(x).to_f64(),
        _ => f64::from(x as f32),
    }
}

/// A gradient times a derivative. Where a function is constant, nothing of a gradient passes, infinite or not, as with
/// the masks of PyTorch and JAX; NaN is never lost.
pub(super) fn masked(gradient: f64, slope: f64, is_mask: bool) -> f64 {
    if is_mask && slope == 0.0 && gradient.is_infinite() {
        0.0
    } else {
        gradient * slope
    }
}

/// What a step does, in f64.
pub(crate) enum Kind64 {
    /// Multiply by the parameter.
    Product,
    /// Add the parameter.
    Sum,
    /// Round to a dtype.
    Round(DType),
    /// A function of whole rows, or their mask: no value is an element's own.
    Rows,
    Activation(&'static Room),
    Custom(Arc<Reference>, f64),
}

/// A step in f64: its function and constants.
pub(crate) struct Step64 {
    pub(crate) function: Kind64,
    /// The constants; what comes from elsewhere has a place here.
    pub(super) constants: Vec<f64>,
    /// An activation's parameters.
    parameters: &'static [&'static str],
    pub(super) random: Option<Random>,
}

/// The first parameter of a random step is drawn.
pub(super) struct Random {
    /// The how manyeth random step it is.
    pub(super) ordinal: u64,
    /// Dropout: below which of 2^32 numbers the factor is zero, and what it is else.
    pub(super) keep: Option<(f64, f64)>,
    /// rrelu: the slope's bounds.
    pub(super) bounds: (f64, f64),
}

impl Step64 {
    /// The step of a node, the `ordinal`-th random one if it is that.
    pub(super) fn new(node: &Node<'_>, ordinal: u64) -> Result<Self, Error> {
        let arguments = node.step.arguments().iter();
        let constants = arguments.map(Argument::constant);
        let constants = constants.map(|value| value.map_or(f64::NAN, f64::from));
        let constants: Vec<f64> = constants.collect();
        let (mut random, mut parameters) = (None, &[][..]);
        let function = match node.step.function() {
            Function::Scale | Function::Gate => Kind64::Product,
            Function::Bias | Function::Residual => Kind64::Sum,
            Function::Round(dtype) => Kind64::Round(*dtype),
            Function::Row(_) | Function::Causal => Kind64::Rows,
            Function::Activation(activation) => {
                parameters = activation.parameters();
                Kind64::Activation(activation.entry().room)
            }
            Function::Custom(custom) => Kind64::Custom(custom.reference()?, custom.budget()),
            drawn => {
                let (kind, drawn) = drawn_kind(drawn, ordinal, &constants);
                random = Some(drawn);
                kind
            }
        };
        Ok(Step64 {
            function,
            constants,
            parameters,
            random,
        })
    }

    pub(crate) fn value(&self, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            // What dropout drops is zero, whatever it was.
            Kind64::Product if self.random.is_some() && p[0] == 0.0 && !x.is_nan() => 0.0,
            Kind64::Product => x * p[0],
            Kind64::Sum => x + p[0],
            Kind64::Round(dtype) => rounded(*dtype, x),
            Kind64::Rows => f64::NAN,
            _ if self.is_spoiled(p) => f64::NAN,
            Kind64::Activation(room) => at(room.y, x, p),
            Kind64::Custom(reference, _) => at(&reference.y, x, p),
        }
    }

    /// Whether a parameter is NaN that is used whatever the input: comparisons in a definition may lose it.
    fn is_spoiled(&self, p: &[f64]) -> bool {
        let mut numbered = p.iter().enumerate();
        numbered.any(|(index, p)| p.is_nan() && self.counts(index) == Counts::Everywhere)
    }

    /// Where a parameter is used.
    pub(crate) fn counts(&self, parameter: usize) -> Counts {
        let Some(room) = self.room() else {
            return Counts::Everywhere;
        };
        let name = self.parameters.get(parameter);
        let found = room.gradients.iter().find(|g| Some(&g.parameter) == name);
        found.map_or(Counts::Everywhere, |gradient| gradient.counts)
    }

    pub(crate) fn slope(&self, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            Kind64::Product => p[0],
            Kind64::Sum | Kind64::Round(_) => 1.0,
            Kind64::Rows => f64::NAN,
            _ if self.is_spoiled(p) => f64::NAN,
            Kind64::Activation(room) => at(room.dx, x, p),
            Kind64::Custom(reference, _) => at(&reference.dx, x, p),
        }
    }

    /// The second derivative; NaN where there is none.
    pub(crate) fn bend(&self, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            Kind64::Product | Kind64::Sum | Kind64::Round(_) => 0.0,
            _ if self.is_spoiled(p) => f64::NAN,
            Kind64::Activation(room) => match &room.second {
                Second::Zero if x.is_nan() => x,
                Second::Zero => 0.0,
                Second::Is(bend) => at(bend.d2x, x, p),
                Second::No(_) => f64::NAN,
            },
            Kind64::Custom(reference, _) => match &reference.d2x {
                Some(d2x) => at(d2x, x, p),
                None => f64::NAN,
            },
            Kind64::Rows => f64::NAN,
        }
    }

    /// What the room says of it, if it is not zero everywhere.
    pub(crate) fn room_bend(&self) -> Option<&'static Bend> {
        match &self.room()?.second {
            Second::Is(bend) => Some(bend),
            _ => None,
        }
    }

    /// Whether it is zero everywhere.
    pub(crate) fn is_straight(&self) -> bool {
        match &self.function {
            Kind64::Activation(room) => matches!(room.second, Second::Zero),
            Kind64::Custom(..) | Kind64::Rows => false,
            _ => true,
        }
    }

    /// The value's derivative with respect to a parameter.
    pub(crate) fn share(&self, parameter: usize, name: &str, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            Kind64::Product => x,
            Kind64::Sum | Kind64::Round(_) => 1.0,
            Kind64::Rows => f64::NAN,
            _ if self.is_spoiled(p) => f64::NAN,
            Kind64::Activation(room) => {
                let found = room.gradients.iter().find(|g| g.parameter == name);
                found.map_or(f64::NAN, |gradient| at(gradient.d, x, p))
            }
            Kind64::Custom(reference, _) => match reference.shares.get(parameter) {
                Some(share) => at(share, x, p),
                None => quotient(reference, parameter, x, p),
            },
        }
    }

    /// What a gradient becomes on its way through the step, whose derivative is `slope` there.
    pub(crate) fn passed(&self, gradient: f64, slope: f64) -> f64 {
        masked(gradient, slope, self.is_mask())
    }

    /// Whether the step lets nothing pass where its derivative is exactly zero: it is constant there, or drops it.
    pub(crate) fn is_mask(&self) -> bool {
        let is_dropout = matches!(self.function, Kind64::Product) && self.random.is_some();
        is_dropout || self.room().is_some_and(|room| room.is_flat)
    }

    /// The same of a parameter's derivative.
    pub(crate) fn is_share_mask(&self, name: &str) -> bool {
        let mut gradients = self.room().into_iter().flat_map(|room| room.gradients);
        gradients.any(|gradient| gradient.parameter == name && gradient.is_flat)
    }

    /// Whether dropout drops the element whose parameters these are.
    pub(crate) fn drops(&self, p: &[f64]) -> bool {
        self.random.is_some() && p[0] == 0.0
    }

    /// A built-in activation's room.
    pub(crate) fn room(&self) -> Option<&'static Room> {
        match &self.function {
            Kind64::Activation(room) => Some(room),
            _ => None,
        }
    }

    /// The error allowed to an activation's value and derivatives, in ULP.
    pub(crate) fn budget(&self) -> f64 {
        match &self.function {
            Kind64::Activation(room) => room.budget,
            Kind64::Custom(_, budget) => *budget,
            Kind64::Product | Kind64::Sum | Kind64::Round(_) | Kind64::Rows => 0.5,
        }
    }

    /// How far from the f64 value the first parameter may be that a kernel drew in f32.
    pub(crate) fn jitter(&self) -> f64 {
        match &self.random {
            Some(Random {
                keep: None,
                bounds: (lower, upper),
                ..
            }) => 2.0 * crate::ulp::ulp(lower.abs().max(upper.abs())),
            _ => 0.0,
        }
    }
}

/// A difference quotient: a reference given by hand has the value and one derivative.
fn quotient(reference: &Reference, parameter: usize, x: f64, p: &[f64]) -> f64 {
    let step = 1e-6 * p[parameter].abs().max(1.0);
    let moved = |by: f64| {
        let mut p = p.to_vec();
        p[parameter] += by;
        at(&reference.y, x, &p)
    };
    (moved(step) - moved(-step)) / (2.0 * step)
}

/// What a random step does, and what it draws; `ordinal` counts the random steps before it.
fn drawn_kind(function: &Function, ordinal: u64, constants: &[f64]) -> (Kind64, Random) {
    let is_dropout = *function == Function::Dropout;
    let keep = is_dropout.then(|| {
        // As the kernel is told: rounded to f32.
        let kept = 1.0 / (1.0 - constants[0] as f32);
        (constants[0] * 2f64.powi(32), f64::from(kept))
    });
    let random = Random {
        ordinal,
        keep,
        bounds: (constants[0], constants.last().copied().unwrap_or(0.0)),
    };
    let kind = if is_dropout {
        Kind64::Product
    } else {
        let sloped = Activation::LeakyRelu {
            negative_slope: 0.0,
        };
        Kind64::Activation(sloped.entry().room)
    };
    (kind, random)
}

impl Step64 {
    /// The constants, for steps that have nothing else.
    pub(crate) fn constants(&self) -> &[f64] {
        &self.constants
    }
}
