//! The reference: the same chain with the same arguments, in f64 on the CPU, from the mathematical
//! definitions. Nothing of it is shared with the shaders.

use crate::act::Activation;
use crate::act::{FromY, Room};
use crate::chain::Chain;
use crate::chain::custom::Function64;
use crate::chain::step::Function;
use crate::error::{ChainError, Error};
use crate::pass::Pass;
use crate::philox;
use crate::tensor::dtype::{DType, Element};
use crate::tensor::layout::Spread;
use crate::tensor::values::Value;
use crate::tensor::values::Values;
use std::borrow::Cow;
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
fn masked(gradient: f64, slope: f64, is_mask: bool) -> f64 {
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
    Activation(&'static Room),
    Custom(Arc<[Function64; 2]>, f64),
}

/// A step in f64: its function, and where its parameters come from.
pub(crate) struct Step64 {
    pub(crate) function: Kind64,
    /// The constants; what comes from elsewhere has a place here.
    constants: Vec<f64>,
    /// Parameters, by index, that come from operands, by index.
    operands: Vec<(usize, usize)>,
    random: Option<Random>,
}

/// The first parameter of a random step is drawn.
struct Random {
    /// The how manyeth random step it is.
    ordinal: u64,
    /// Dropout: below which of 2^32 numbers the factor is zero, and what it is else.
    keep: Option<(f64, f64)>,
    /// rrelu: the slope's bounds.
    bounds: (f64, f64),
}

impl Step64 {
    pub(crate) fn value(&self, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            // What dropout drops is zero, whatever it was.
            Kind64::Product if self.random.is_some() && p[0] == 0.0 && !x.is_nan() => 0.0,
            Kind64::Product => x * p[0],
            Kind64::Sum => x + p[0],
            Kind64::Round(dtype) => rounded(*dtype, x),
            Kind64::Activation(room) => at(room.y, x, p),
            Kind64::Custom(functions, _) => at(&functions[0], x, p),
        }
    }

    pub(crate) fn slope(&self, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            Kind64::Product => p[0],
            Kind64::Sum | Kind64::Round(_) => 1.0,
            Kind64::Activation(room) => at(room.dx, x, p),
            Kind64::Custom(functions, _) => at(&functions[1], x, p),
        }
    }

    /// The value's derivative with respect to a parameter.
    pub(crate) fn share(&self, parameter: usize, name: &str, x: f64, p: &[f64]) -> f64 {
        match &self.function {
            Kind64::Product => x,
            Kind64::Sum | Kind64::Round(_) => 1.0,
            Kind64::Activation(room) => {
                let found = room.gradients.iter().find(|g| g.parameter == name);
                found.map_or(f64::NAN, |gradient| at(gradient.d, x, p))
            }
            // A difference quotient: own activations come with value and derivative only.
            Kind64::Custom(functions, _) => {
                let step = 1e-6 * p[parameter].abs().max(1.0);
                let moved = |by: f64| {
                    let mut p = p.to_vec();
                    p[parameter] += by;
                    at(&functions[0], x, &p)
                };
                (moved(step) - moved(-step)) / (2.0 * step)
            }
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
            Kind64::Product | Kind64::Sum | Kind64::Round(_) => 0.5,
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

/// A chain with the values of its operands.
pub(crate) struct Eval {
    pub(crate) steps: Vec<Step64>,
    values: Vec<(Vec<f32>, Spread)>,
    /// Of each operand, whether every element has a use for it.
    counts_everywhere: Vec<bool>,
    random: [u64; 2],
}

impl Eval {
    pub(crate) fn new(
        chain: &Chain,
        pass: Pass,
        len: usize,
        values: &Values,
    ) -> Result<Eval, Error> {
        chain.validate()?;
        let given: Vec<(&Value, Spread)> = values.of(&chain.operands(), pass, len as u64)?;
        let (mut steps, mut operand, mut ordinal) = (Vec::new(), 0, 0);
        for step in chain.steps() {
            let mut operands = Vec::new();
            let mut constants = Vec::new();
            for (index, argument) in step.arguments().iter().enumerate() {
                constants.push(match argument.constant() {
                    Some(value) => f64::from(value),
                    None => {
                        operands.push((index, operand));
                        operand += 1;
                        f64::NAN
                    }
                });
            }
            let mut random = None;
            let function = match step.function() {
                Function::Scale | Function::Gate => Kind64::Product,
                Function::Bias | Function::Residual => Kind64::Sum,
                Function::Round(dtype) => Kind64::Round(*dtype),
                Function::Activation(activation) => Kind64::Activation(activation.entry().room),
                Function::Custom(custom) => Kind64::Custom(custom.reference()?, custom.budget()),
                drawn => {
                    let (kind, drawn) = drawn_kind(drawn, ordinal, &constants);
                    random = Some(drawn);
                    ordinal += 1;
                    kind
                }
            };
            steps.push(Step64 {
                function,
                constants,
                operands,
                random,
            });
        }
        let random = values.random;
        let operands = chain.operands().into_iter();
        let counts_everywhere = operands.map(|name| chain.counts_everywhere(name));
        let values = given
            .into_iter()
            .map(|(value, spread)| (value.values.clone(), spread));
        Ok(Eval {
            steps,
            values: values.collect(),
            counts_everywhere: counts_everywhere.collect(),
            random,
        })
    }

    /// A step's parameters at an element.
    pub(crate) fn parameters<'s>(&'s self, step: &'s Step64, element: usize) -> Cow<'s, [f64]> {
        if step.operands.is_empty() && step.random.is_none() {
            return Cow::Borrowed(&step.constants);
        }
        let mut p = step.constants.clone();
        for (parameter, operand) in &step.operands {
            let (values, spread) = &self.values[*operand];
            p[*parameter] = f64::from(values[spread.index(element)]);
        }
        if let Some(Random {
            ordinal,
            keep,
            bounds: (lower, upper),
        }) = &step.random
        {
            let bits = philox::draw(self.random, *ordinal, element as u64);
            p[0] = match keep {
                Some((below, _)) if f64::from(bits) < *below => 0.0,
                Some((_, kept)) => *kept,
                None => lower + (upper - lower) * f64::from(bits >> 8) * 2f64.powi(-24),
            };
        }
        Cow::Owned(p)
    }

    /// Whether a value that an element takes from an operand is NaN.
    pub(crate) fn takes_nan(&self, element: usize) -> bool {
        let mut values = self.values.iter();
        values.any(|(values, spread)| values[spread.index(element)].is_nan())
    }

    /// The same of operands that every element has a use for.
    pub(crate) fn must_take_nan(&self, element: usize) -> bool {
        let mut values = self.values.iter().zip(&self.counts_everywhere);
        values.any(|((values, spread), counts)| *counts && values[spread.index(element)].is_nan())
    }

    fn value(&self, x: f64, element: usize) -> f64 {
        self.steps
            .iter()
            .fold(x, |v, step| step.value(v, &self.parameters(step, element)))
    }
}

/// The chain's value for each element of `x`, of any [`Element`] type.
///
/// # Errors
/// [`ChainError::Empty`], [`ChainError::BadValue`] for a parameter that is not finite, and
/// [`OperandError::Missing`](crate::OperandError::Missing) for a chain with operands, whose values [`forward_with`]
/// takes.
///
/// ```
/// let y = nonlin::reference::forward(&"silu | scale(2)".parse()?, &[1.0])?;
/// assert!((y[0] - 1.4621171572600097).abs() < 1e-15);
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn forward<X: Element>(chain: &Chain, x: &[X]) -> Result<Vec<f64>, Error> {
    forward_with(chain, x, &Values::new())
}

/// The chain's value, with the values of its operands.
///
/// # Errors
/// As [`forward`], and [`OperandError::BadLength`](crate::OperandError::BadLength).
pub fn forward_with<X: Element>(
    chain: &Chain,
    x: &[X],
    values: &Values,
) -> Result<Vec<f64>, Error> {
    let eval = Eval::new(chain, Pass::Forward, x.len(), values)?;
    let elements = x.iter().enumerate();
    Ok(elements
        .map(|(index, x)| eval.value(f64::from(x.to_f32()), index))
        .collect())
}

/// The gradient with respect to `x`, given that with respect to the chain's value, `dy`.
///
/// # Errors
/// As [`forward`], and [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch) where `x` and `dy` differ
/// in length.
pub fn backward<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
) -> Result<Vec<f64>, Error> {
    backward_with(chain, x, dy, &Values::new())
}

/// The gradient with respect to `x`, with the values of the chain's operands.
///
/// # Errors
/// As [`backward`], and [`OperandError::BadLength`](crate::OperandError::BadLength).
pub fn backward_with<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    values: &Values,
) -> Result<Vec<f64>, Error> {
    crate::error::same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
    let eval = Eval::new(chain, Pass::Backward, x.len(), values)?;
    let gradient = |(index, (x, dy)): (usize, (&X, &G))| {
        let (mut v, mut slopes) = (f64::from(x.to_f32()), Vec::with_capacity(eval.steps.len()));
        for step in &eval.steps {
            let p = eval.parameters(step, index);
            slopes.push(step.slope(v, &p));
            v = step.value(v, &p);
        }
        let steps = eval.steps.iter().zip(slopes).rev();
        steps.fold(f64::from(dy.to_f32()), |gradient, (step, slope)| {
            step.passed(gradient, slope)
        })
    };
    Ok(x.iter().zip(dy).enumerate().map(gradient).collect())
}

/// The gradient with respect to the operand `@name`, as long as that operand: each element's share,
/// summed where elements share a value.
///
/// # Errors
/// As [`backward_with`], and [`ChainError::NoGradient`].
pub fn gradient<X: Element, G: Element>(
    chain: &Chain,
    x: &[X],
    dy: &[G],
    values: &Values,
    name: &str,
) -> Result<Vec<f64>, Error> {
    crate::error::same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
    let shares = Shares::new(chain, x.len(), values, name)?;
    let mut sums = vec![0.0; shares.count()];
    for (index, (x, dy)) in x.iter().zip(dy).enumerate() {
        sums[shares.spread.index(index)] += shares.at(x.to_f32(), dy.to_f32(), index);
    }
    Ok(sums)
}

/// The elements' shares of an operand's gradient.
pub(crate) struct Shares {
    pub(crate) eval: Eval,
    pub(crate) step: usize,
    pub(crate) parameter: usize,
    pub(crate) name: String,
    pub(crate) spread: Spread,
    count: usize,
}

impl Shares {
    pub(crate) fn new(
        chain: &Chain,
        len: usize,
        values: &Values,
        name: &str,
    ) -> Result<Self, Error> {
        let eval = Eval::new(chain, Pass::Backward, len, values)?;
        let found = chain
            .arguments()
            .enumerate()
            .find(|(_, (.., operand))| *operand == name);
        let (operand, (step, parameter, _)) = found.ok_or_else(|| {
            Error::Chain(ChainError::NoGradient {
                operand: format!("@{name}"),
                why: "the chain has no such operand".into(),
            })
        })?;
        if !chain.learnable().contains(&name) {
            return Err(Error::no_derivative(name));
        }
        let (values, spread) = &eval.values[operand];
        let (count, spread) = (values.len(), *spread);
        let name = chain.steps()[step].parameters()[parameter].to_owned();
        Ok(Shares {
            eval,
            step,
            parameter,
            name,
            spread,
            count,
        })
    }

    /// How many sums there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn at(&self, x: f32, dy: f32, element: usize) -> f64 {
        let eval = &self.eval;
        let (mut v, mut slopes) = (f64::from(x), Vec::new());
        for (index, step) in eval.steps.iter().enumerate() {
            let p = eval.parameters(step, element);
            if index == self.step {
                let share = step.share(self.parameter, &self.name, v, &p);
                slopes.push((share, step.is_share_mask(&self.name)));
            } else if index > self.step {
                slopes.push((step.slope(v, &p), step.is_mask()));
            }
            v = step.value(v, &p);
        }
        let slopes = slopes.into_iter().rev();
        slopes.fold(f64::from(dy), |gradient, (slope, is_mask)| {
            masked(gradient, slope, is_mask)
        })
    }
}

/// The gradient with respect to x, as [`backward`], from the chain's value `y` in the place of x. For a y that
/// is no value of the chain, it means nothing.
///
/// # Errors
/// As [`backward`], and [`ChainError::NeedsInput`].
///
/// ```
/// let dx = nonlin::reference::backward_from_y(&"tanh".parse()?, &[0.5], &[1.0])?;
/// assert_eq!(dx, [0.75]);
/// # Ok::<(), nonlin::Error>(())
/// ```
pub fn backward_from_y<Y: Element, G: Element>(
    chain: &Chain,
    y: &[Y],
    dy: &[G],
) -> Result<Vec<f64>, Error> {
    crate::error::same_length("y", y.len() as u64, "dy", dy.len() as u64)?;
    let steps = from_y(chain, y.len())?;
    let gradient = |(y, dy): (&Y, &G)| {
        let (mut v, mut gradient) = (f64::from(y.to_f32()), f64::from(dy.to_f32()));
        for (step, dx) in &steps {
            let p = &step.constants;
            let slope = dx.map_or_else(|| step.slope(v, p), |dx| at(dx, v, p));
            gradient = step.passed(gradient, slope);
            v = match &step.function {
                Kind64::Product => v / p[0],
                Kind64::Sum => v - p[0],
                _ => f64::NAN,
            };
        }
        gradient
    };
    Ok(y.iter().zip(dy).map(gradient).collect())
}

/// A derivative as a function of the value.
pub(crate) type FromValue = fn(f64, &[f64]) -> f64;

/// The steps from the last to the first, the activation with its derivative as a function of the value.
pub(crate) fn from_y(chain: &Chain, len: usize) -> Result<Vec<(Step64, Option<FromValue>)>, Error> {
    chain.validate()?;
    chain.supports(Pass::BackwardFromY)?;
    let eval = Eval::new(chain, Pass::BackwardFromY, len, &Values::new())?;
    let with = |step: Step64| {
        let dx = match &step.function {
            Kind64::Activation(room) => match room.from_y {
                FromY::Yes(dx) | FromY::If { dx, .. } => Some(dx),
                FromY::No(_) => None,
            },
            _ => None,
        };
        (step, dx)
    };
    Ok(eval.steps.into_iter().rev().map(with).collect())
}

impl Step64 {
    /// The constants, for steps that have nothing else.
    pub(crate) fn constants(&self) -> &[f64] {
        &self.constants
    }
}
