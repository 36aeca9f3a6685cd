//! Steps: functions, and where their parameters' values come from.

use super::Chain;
use super::custom::Custom;
use super::row::Row;
use crate::act::{Activation, Counts};
use crate::error::{ChainError, Error};
use crate::tensor::dtype::DType;

/// Where a step's value comes from.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A number, the same for every element. A subnormal one counts as zero, which many drivers take it for.
    Constant(f32),
    /// An operand of this name, `@name` in text: one value for all elements, one per channel, one per
    /// sample and channel, or one per element, as its length has it
    /// ([`Operands::arg`](crate::Operands::arg)).
    Operand(String),
    /// The value of a chain that begins with an operand.
    Branch(Branch),
}

/// A chain whose x is an operand, `@name | step | step` in text, as the value of another chain's parameter.
///
/// ```
/// use nonlin::{Branch, Chain};
///
/// let up = Branch::new("u", "clip(-7, 7) | bias(1)".parse()?);
/// let chain = Chain::new().act(nonlin::Activation::Silu).gate(up);
/// assert_eq!(chain, "silu | gate(@u | clip(-7, 7) | bias(1))".parse()?);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    operand: String,
    chain: Chain,
}

impl Branch {
    /// What a chain makes of an operand.
    pub fn new(operand: &str, chain: Chain) -> Self {
        Branch {
            operand: operand.to_owned(),
            chain,
        }
    }

    /// The name of the operand.
    pub fn operand(&self) -> &str {
        &self.operand
    }

    /// What becomes of it.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

impl Argument {
    /// A constant, as it counts.
    pub(crate) fn constant(&self) -> Option<f32> {
        match self {
            Argument::Constant(value) if value.is_subnormal() => Some(0.0),
            Argument::Constant(value) => Some(*value),
            Argument::Operand(_) | Argument::Branch(_) => None,
        }
    }

    /// The operand that it comes from, and what becomes of that before it is taken.
    pub(crate) fn operand(&self) -> Option<(&str, &[Step])> {
        match self {
            Argument::Constant(_) => None,
            Argument::Operand(name) => Some((name, &[])),
            Argument::Branch(branch) => Some((&branch.operand, branch.chain.steps())),
        }
    }
}

impl From<f32> for Argument {
    fn from(value: f32) -> Self {
        Argument::Constant(value)
    }
}

/// Rounded to f32.
impl From<f64> for Argument {
    fn from(value: f64) -> Self {
        Argument::Constant(value as f32)
    }
}

/// The operand of that name.
impl From<&str> for Argument {
    fn from(name: &str) -> Self {
        Argument::Operand(name.to_owned())
    }
}

/// The operand of that name.
impl From<&String> for Argument {
    fn from(name: &String) -> Self {
        Argument::Operand(name.clone())
    }
}

/// A branch without steps is its operand.
impl From<Branch> for Argument {
    fn from(branch: Branch) -> Self {
        match branch.chain.steps() {
            [] => Argument::Operand(branch.operand),
            _ => Argument::Branch(branch),
        }
    }
}

/// What a step does with an element.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// Multiply.
    Scale,
    /// Add.
    Bias,
    /// Multiply by an operand, most often an element of another tensor.
    Gate,
    /// Add an operand, most often an element of another tensor.
    Residual,
    /// With probability `p` put zero, else multiply by 1 / (1 - p), as torch.nn.Dropout does in training.
    Dropout,
    /// torch.nn.RReLU in training: a leaky ReLU whose slope is drawn for each element, uniformly
    /// from `lower` to `upper`.
    Rrelu,
    /// Look at what is not ahead: in the rows of an attention matrix, column c of row r is masked, minus infinity, where
    /// c > r + `offset`, as in torch.tril. Softmax or log_softmax stands behind it.
    Causal,
    /// A function of whole rows.
    Row(Row),
    /// Round to a dtype of 16 bits, to the nearest, ties to even; gradients pass. A framework that computes in that dtype
    /// does so after each of its operations.
    Round(DType),
    /// A built-in activation; the parameters' values are the step's arguments.
    Activation(Activation),
    /// An activation of the user's own.
    Custom(Custom),
}

/// Functions other than activations: name, parameters, defaults.
pub(super) type Plain = (
    Function,
    &'static str,
    &'static [&'static str],
    &'static [Option<f32>],
);
pub(super) const PLAIN: &[Plain] = &[
    (Function::Scale, "scale", &["factor"], &[None]),
    (Function::Bias, "bias", &["value"], &[None]),
    (Function::Gate, "gate", &["tensor"], &[None]),
    (Function::Residual, "residual", &["tensor"], &[None]),
    (Function::Dropout, "dropout", &["p"], &[Some(0.5)]),
    (
        Function::Rrelu,
        "rrelu",
        &["lower", "upper"],
        &[Some(0.125), Some(1.0 / 3.0)],
    ),
    (Function::Causal, "causal", &["offset"], &[Some(0.0)]),
    (
        Function::Row(Row::Softmax),
        "softmax",
        &["sink"],
        &[Some(f32::NEG_INFINITY)],
    ),
    (Function::Row(Row::LogSoftmax), "log_softmax", &[], &[]),
    (Function::Row(Row::Hardmax), "hardmax", &[], &[]),
    (
        Function::Row(Row::RmsNorm),
        "rms_norm",
        &["eps"],
        &[Some(1e-6)],
    ),
    (
        Function::Row(Row::LayerNorm),
        "layer_norm",
        &["eps"],
        &[Some(1e-5)],
    ),
    (Function::Round(DType::F16), "round(f16)", &[], &[]),
    (Function::Round(DType::BF16), "round(bf16)", &[], &[]),
];

/// Offsets beyond this are not whole numbers in f32.
const MOST_COLUMNS: f32 = 16_777_216.0;

impl Function {
    fn plain(&self) -> Option<&'static Plain> {
        PLAIN.iter().find(|(function, ..)| function == self)
    }

    /// The name, as text chains spell it.
    pub fn name(&self) -> &str {
        match self {
            Function::Activation(activation) => activation.name(),
            Function::Custom(custom) => custom.name(),
            plain => plain.plain().map_or("", |(_, name, ..)| name),
        }
    }

    /// Whether parameters may be infinite.
    pub(crate) fn takes_infinity(&self) -> bool {
        match self {
            Function::Activation(activation) => activation.entry().room.takes_infinity,
            function => *function == Function::Row(Row::Softmax),
        }
    }

    /// Whether it is constant in some region, and lets no gradient pass there.
    pub(crate) fn is_flat(&self) -> bool {
        matches!(self, Function::Activation(activation) if activation.entry().room.is_flat)
    }

    /// The same of how it depends on a parameter.
    pub(crate) fn is_flat_in(&self, parameter: &str) -> bool {
        let Function::Activation(activation) = self else {
            return false;
        };
        let mut gradients = activation.entry().room.gradients.iter();
        gradients.any(|gradient| gradient.parameter == parameter && gradient.is_flat)
    }

    /// Where a parameter is used at all.
    pub(crate) fn counts(&self, parameter: &str) -> Counts {
        let Function::Activation(activation) = self else {
            return Counts::Everywhere;
        };
        let mut gradients = activation.entry().room.gradients.iter();
        let found = gradients.find(|gradient| gradient.parameter == parameter);
        found.map_or(Counts::Everywhere, |gradient| gradient.counts)
    }

    /// The parameters' names.
    pub fn parameters(&self) -> Vec<&str> {
        match self {
            Function::Activation(activation) => activation.parameters().to_vec(),
            Function::Custom(custom) => custom.parameters().collect(),
            plain => plain.plain().map_or(&[][..], |(_, _, p, _)| p).to_vec(),
        }
    }

    /// The parameters' defaults, where they have one.
    pub fn defaults(&self) -> Vec<Option<f32>> {
        match self {
            Function::Activation(activation) => activation.values().into_iter().map(Some).collect(),
            Function::Custom(custom) => custom.defaults().map(Some).collect(),
            plain => plain.plain().map_or(&[][..], |(.., d)| d).to_vec(),
        }
    }

    pub(super) fn by_name(name: &str, own: &[Custom]) -> Option<Function> {
        let custom = own
            .iter()
            .find(|custom| custom.name() == name)
            .cloned()
            .map(Function::Custom);
        let plain = || {
            let plain = PLAIN.iter().find(|(_, known, ..)| *known == name);
            plain.map(|(function, ..)| function.clone())
        };
        custom
            .or_else(|| Activation::by_name(name).map(Function::Activation))
            .or_else(plain)
    }

    /// Whether each element draws a number.
    pub(crate) fn is_random(&self) -> bool {
        matches!(self, Function::Dropout | Function::Rrelu)
    }
}

/// One link of a [`Chain`](crate::Chain): a function and a value for each of its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub(super) function: Function,
    pub(super) arguments: Vec<Argument>,
    /// Over whole rows, the axis that text said they lie along.
    pub(super) axis: Option<i64>,
}

impl Step {
    /// Multiply by a number or an operand.
    pub fn scale(factor: impl Into<Argument>) -> Self {
        Step::new(Function::Scale, vec![factor.into()])
    }

    /// Add a number or an operand.
    pub fn bias(value: impl Into<Argument>) -> Self {
        Step::new(Function::Bias, vec![value.into()])
    }

    /// Multiply by an operand, or by what a [`Branch`] makes of one.
    pub fn gate(tensor: impl Into<Argument>) -> Self {
        Step::new(Function::Gate, vec![tensor.into()])
    }

    /// Add an operand, or what a [`Branch`] makes of one.
    pub fn residual(tensor: impl Into<Argument>) -> Self {
        Step::new(Function::Residual, vec![tensor.into()])
    }

    /// Put zero with probability `p`.
    pub fn dropout(p: f32) -> Self {
        Step::new(Function::Dropout, vec![p.into()])
    }

    /// Mask what is ahead: column c of row r, where c > r + `offset`.
    pub fn causal(offset: i32) -> Self {
        Step::new(Function::Causal, vec![(offset as f32).into()])
    }

    /// A function of whole rows, with its defaults.
    pub fn row(row: Row) -> Self {
        let function = Function::Row(row);
        let defaults = function.defaults().into_iter().flatten();
        let defaults = defaults.map(Argument::Constant).collect();
        Step::new(function, defaults)
    }

    /// A leaky ReLU with a slope from `lower` to `upper`, drawn for each element.
    pub fn rrelu(lower: f32, upper: f32) -> Self {
        Step::new(Function::Rrelu, vec![lower.into(), upper.into()])
    }

    /// Round to a dtype, to the nearest, ties to even; to f32 changes nothing.
    pub fn round(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Activation::Identity.into(),
            dtype => Step::new(Function::Round(dtype), Vec::new()),
        }
    }

    pub(super) fn new(function: Function, arguments: Vec<Argument>) -> Self {
        Step {
            function,
            arguments,
            axis: None,
        }
    }

    /// The same step with another value for one parameter, such as an operand that is learned.
    ///
    /// # Errors
    /// [`ChainError::UnknownParameter`].
    ///
    /// ```
    /// use nonlin::{Activation, Step};
    ///
    /// let step = Step::from(Activation::Swish { beta: 1.0 }).with("beta", "b")?;
    /// assert_eq!(step.to_string(), "swish(beta=@b)");
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn with(mut self, parameter: &str, argument: impl Into<Argument>) -> Result<Self, Error> {
        let index = self.index_of(None, parameter)?;
        self.arguments[index] = argument.into();
        Ok(self)
    }

    pub(super) fn index_of(&self, step: Option<usize>, parameter: &str) -> Result<usize, Error> {
        let names = self.function.parameters();
        let index = names.iter().position(|name| *name == parameter);
        index.ok_or_else(|| {
            Error::Chain(ChainError::UnknownParameter {
                step,
                name: self.name().to_owned(),
                parameter: parameter.to_owned(),
                known: names.iter().map(ToString::to_string).collect(),
            })
        })
    }

    /// What it does.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// The activation, with its values, if it is a built-in one all of whose values are constants.
    pub fn activation(&self) -> Option<Activation> {
        let values = self.arguments.iter().map(Argument::constant);
        match &self.function {
            Function::Activation(plain) => {
                let values: Option<Vec<f32>> = values.collect();
                values.map(|values| plain.with_values(&values))
            }
            _ => None,
        }
    }

    /// The name, as text chains spell it.
    pub fn name(&self) -> &str {
        self.function.name()
    }

    /// The parameters' names.
    pub fn parameters(&self) -> Vec<&str> {
        self.function.parameters()
    }

    /// The parameters' values, in the order of [`parameters`](Self::parameters).
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    /// Whether there is a gradient with respect to a parameter.
    pub(crate) fn has_gradient(&self, parameter: usize) -> bool {
        let name = self.parameters()[parameter];
        match &self.function {
            Function::Activation(activation) => {
                let gradients = activation.entry().room.gradients;
                gradients.iter().any(|gradient| gradient.parameter == name)
            }
            Function::Custom(custom) => custom.has_gradient(name),
            Function::Causal => false,
            Function::Row(row) => *row == Row::Softmax,
            function => !function.is_random(),
        }
    }

    /// What a kernel is told of the constants, by name. Dropout is told the factor of what it keeps, too.
    pub(crate) fn scalars(&self) -> Vec<(&str, f32)> {
        let mut scalars = Vec::new();
        for (parameter, argument) in self.parameters().into_iter().zip(&self.arguments) {
            if let Some(value) = argument.constant() {
                scalars.push((parameter, value));
                if self.function == Function::Dropout {
                    // Of what is all dropped nothing is kept.
                    let kept = if value == 1.0 {
                        0.0
                    } else {
                        1.0 / (1.0 - value)
                    };
                    scalars.push(("kept", kept));
                }
            }
        }
        scalars
    }

    /// Refuses values that a function has no use for.
    pub(super) fn validate(&self, step: usize) -> Result<(), Error> {
        for (parameter, argument) in self.parameters().into_iter().zip(&self.arguments) {
            let bad = |needs| self.bad(step, parameter, needs, argument);
            match (&self.function, argument) {
                (Function::Gate | Function::Residual, Argument::Constant(_)) => {
                    return Err(bad("an operand, such as @t"));
                }
                (function, Argument::Constant(value))
                    if value.is_nan() || (value.is_infinite() && !function.takes_infinity()) =>
                {
                    return Err(Error::Chain(ChainError::BadValue {
                        step,
                        name: self.name().to_owned(),
                        parameter: parameter.to_owned(),
                        value: value.to_string(),
                    }));
                }
                (Function::Dropout, Argument::Constant(p)) if !(0.0..=1.0).contains(p) => {
                    return Err(bad("a number from 0 to 1"));
                }
                (Function::Row(Row::Softmax), Argument::Constant(sink))
                    if *sink == f32::INFINITY =>
                {
                    return Err(bad("a number, or -inf for none"));
                }
                (Function::Row(Row::Softmax), Argument::Branch(_)) => {
                    return Err(bad("a number or an operand, such as @s"));
                }
                (Function::Row(Row::Softmax), _) => {}
                (Function::Row(_), Argument::Constant(eps)) if *eps < 0.0 => {
                    return Err(bad("0 or more"));
                }
                (Function::Causal, Argument::Constant(offset))
                    if offset.fract() != 0.0 || offset.abs() > MOST_COLUMNS =>
                {
                    return Err(bad("a whole number"));
                }
                (
                    Function::Dropout | Function::Rrelu | Function::Causal | Function::Row(_),
                    Argument::Operand(_) | Argument::Branch(_),
                ) => {
                    return Err(bad("a number"));
                }
                _ => {}
            }
            let Some((name, steps)) = argument.operand() else {
                continue;
            };
            if !is_name(name) {
                return Err(bad(
                    "a name of letters, digits and underscores, a letter first, other than x, y, dy \
                     and dx",
                ));
            }
            for inner in steps {
                inner.validate(step)?;
            }
        }
        self.validate_domain(step)
    }

    /// Refuses constants for which the function has no meaning. What operands hold cannot be refused.
    fn validate_domain(&self, step: usize) -> Result<(), Error> {
        let constants = self.arguments.iter().map(Argument::constant);
        let constants = constants.map(|value| value.map_or(f64::NAN, f64::from));
        let constants: Vec<f64> = constants.collect();
        if self.function == Function::Rrelu && constants[0] > constants[1] {
            let needs = "no less than lower";
            return Err(self.bad(step, "upper", needs, &self.arguments[1]));
        }
        let Function::Activation(activation) = &self.function else {
            return Ok(());
        };
        for domain in activation.entry().room.domain {
            let named = self.parameters().into_iter().zip(&self.arguments);
            let mut constants_of = named.filter(|(_, argument)| argument.constant().is_some());
            let found = constants_of.find(|(name, _)| *name == domain.parameter);
            if let Some((name, argument)) = found.filter(|_| !(domain.holds)(&constants)) {
                return Err(self.bad(step, name, domain.needs, argument));
            }
        }
        Ok(())
    }

    fn bad(&self, step: usize, parameter: &str, needs: &'static str, value: &Argument) -> Error {
        Error::Chain(ChainError::BadArgument {
            step,
            name: self.name().to_owned(),
            parameter: parameter.to_owned(),
            needs,
            value: value.to_string(),
        })
    }
}

/// Whether an operand can be called so.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !["x", "y", "dy", "dx"].contains(&name)
}

impl From<Activation> for Step {
    fn from(activation: Activation) -> Self {
        let values = activation.values().into_iter().map(Argument::Constant);
        Step::new(Function::Activation(activation.plain()), values.collect())
    }
}

impl From<Custom> for Step {
    fn from(custom: Custom) -> Self {
        let values = custom.defaults().map(Argument::Constant).collect();
        Step::new(Function::Custom(custom), values)
    }
}
