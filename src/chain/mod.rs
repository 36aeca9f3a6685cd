//! Chains: short lists of steps, as data and as text.

pub(crate) mod custom;

use crate::wgsl::{self, Body, Form};
use crate::{Activation, DType, Error};
use custom::Custom;
use std::fmt;
use std::str::FromStr;

/// Which way a chain is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// From x to y, the chain's value.
    Forward,
    /// From x and dy, the gradient with respect to the value, to dx, that with respect to x.
    Backward,
    /// From y, the value, and dy to dx, for chains whose value says enough
    /// ([`Chain::supports`]): x need not be kept.
    BackwardFromY,
}

impl Pass {
    /// Every pass.
    pub const ALL: [Pass; 3] = [Pass::Forward, Pass::Backward, Pass::BackwardFromY];

    /// The passes that work from x, which every chain has.
    pub const FROM_X: [Pass; 2] = [Pass::Forward, Pass::Backward];

    /// The names of the operands, in the order of their bindings; the last one is written.
    pub const fn operands(self) -> &'static [&'static str] {
        match self {
            Pass::Forward => &["x", "y"],
            Pass::Backward => &["x", "dy", "dx"],
            Pass::BackwardFromY => &["y", "dy", "dx"],
        }
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pass::Forward => "forward",
            Pass::Backward => "backward",
            Pass::BackwardFromY => "backward from y",
        })
    }
}

/// Where a step's value comes from.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A number, the same for every element.
    Constant(f32),
    /// An operand of this name, `@name` in text: one value for all elements, one per channel, one per
    /// sample and channel, or one per element, as its length has it
    /// ([`Operands::arg`](crate::Operands::arg)).
    Operand(String),
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

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Argument::Constant(value) => value.fmt(f),
            Argument::Operand(name) => write!(f, "@{name}"),
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
    /// Multiply by another tensor's element.
    Gate,
    /// Add another tensor's element.
    Residual,
    /// With probability `p` put zero, else multiply by 1 / (1 - p), as torch.nn.Dropout does in training.
    Dropout,
    /// torch.nn.RReLU in training: a leaky ReLU whose slope is drawn for each element, uniformly
    /// from `lower` to `upper`.
    Rrelu,
    /// A built-in activation; the parameters' values are the step's arguments.
    Activation(Activation),
    /// An activation of the user's own.
    Custom(Custom),
}

/// Functions other than activations: name, parameters, defaults.
type Plain = (
    Function,
    &'static str,
    &'static [&'static str],
    &'static [Option<f32>],
);
const PLAIN: &[Plain] = &[
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
];

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

    fn by_name(name: &str, own: &[Custom]) -> Option<Function> {
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

/// One link of a [`Chain`]: a function and a value for each of its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    function: Function,
    arguments: Vec<Argument>,
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

    /// Multiply by the element of an operand as long as x.
    pub fn gate(tensor: &str) -> Self {
        Step::new(Function::Gate, vec![tensor.into()])
    }

    /// Add the element of an operand as long as x.
    pub fn residual(tensor: &str) -> Self {
        Step::new(Function::Residual, vec![tensor.into()])
    }

    /// Put zero with probability `p`.
    pub fn dropout(p: f32) -> Self {
        Step::new(Function::Dropout, vec![p.into()])
    }

    /// A leaky ReLU with a slope from `lower` to `upper`, drawn for each element.
    pub fn rrelu(lower: f32, upper: f32) -> Self {
        Step::new(Function::Rrelu, vec![lower.into(), upper.into()])
    }

    fn new(function: Function, arguments: Vec<Argument>) -> Self {
        Step {
            function,
            arguments,
        }
    }

    /// The same step with another value for one parameter, such as an operand that is learned.
    ///
    /// # Errors
    /// [`Error::UnknownParameter`].
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

    fn index_of(&self, step: Option<usize>, parameter: &str) -> Result<usize, Error> {
        let names = self.function.parameters();
        let index = names.iter().position(|name| *name == parameter);
        index.ok_or_else(|| Error::UnknownParameter {
            step,
            name: self.name().to_owned(),
            parameter: parameter.to_owned(),
            known: names.iter().map(ToString::to_string).collect(),
        })
    }

    /// What it does.
    pub fn function(&self) -> &Function {
        &self.function
    }

    /// The activation, with its values, if it is a built-in one all of whose values are constants.
    pub fn activation(&self) -> Option<Activation> {
        let values = self.arguments.iter().map(|argument| match argument {
            Argument::Constant(value) => Some(*value),
            Argument::Operand(_) => None,
        });
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
            function => !function.is_random(),
        }
    }

    /// What a kernel is told of the constants, by name. Dropout is told the factor of what it keeps, too.
    pub(crate) fn scalars(&self) -> Vec<(&str, f32)> {
        let mut scalars = Vec::new();
        for (parameter, argument) in self.parameters().into_iter().zip(&self.arguments) {
            if let Argument::Constant(value) = argument {
                scalars.push((parameter, *value));
                if self.function == Function::Dropout {
                    scalars.push(("kept", 1.0 / (1.0 - value)));
                }
            }
        }
        scalars
    }

    /// Refuses values that a function has no use for.
    fn validate(&self, step: usize) -> Result<(), Error> {
        for (parameter, argument) in self.parameters().into_iter().zip(&self.arguments) {
            let bad = |needs| Error::BadArgument {
                step,
                name: self.name().to_owned(),
                parameter: parameter.to_owned(),
                needs,
                value: argument.to_string(),
            };
            match (&self.function, argument) {
                (Function::Gate | Function::Residual, Argument::Constant(_)) => {
                    return Err(bad("an operand, such as @t"));
                }
                (_, Argument::Constant(value)) if !value.is_finite() => {
                    return Err(Error::BadValue {
                        step,
                        name: self.name().to_owned(),
                        parameter: parameter.to_owned(),
                        value: value.to_string(),
                    });
                }
                (Function::Dropout, Argument::Constant(p)) if !(0.0..1.0).contains(p) => {
                    return Err(bad("a number from 0 up to, but not, 1"));
                }
                (Function::Dropout | Function::Rrelu, Argument::Operand(_)) => {
                    return Err(bad("a number"));
                }
                (_, Argument::Operand(name)) if !is_name(name) => {
                    return Err(bad(
                        "a name of letters, digits and underscores, a letter first, other than x, y, dy \
                         and dx",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
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

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if self.arguments.is_empty() {
            return Ok(());
        }
        let positional = matches!(
            self.function,
            Function::Scale | Function::Bias | Function::Gate | Function::Residual
        );
        let pairs = self.parameters().into_iter().zip(&self.arguments);
        let arguments: Vec<_> = pairs
            .map(|(p, v)| {
                if positional {
                    v.to_string()
                } else {
                    format!("{p}={v}")
                }
            })
            .collect();
        write!(f, "({})", arguments.join(", "))
    }
}

/// A short list of steps, applied in order to each element, as one dispatch.
///
/// ```
/// use nonlin::{Activation, Chain};
///
/// let chain = Chain::new().scale(0.5).act(Activation::Silu).scale(2.0);
/// assert_eq!(chain, "scale(0.5) | silu | scale(2)".parse()?);
/// assert_eq!(chain.to_string(), "scale(0.5) | silu | scale(2)");
///
/// let leaky: Chain = "leaky_relu(0.1)".parse()?;
/// assert_eq!(leaky.to_string(), "leaky_relu(negative_slope=0.1)");
///
/// // Values from operands, whose gradients the backward pass can have too.
/// let learned: Chain = "scale(@s) | bias(@b) | prelu(weight=@w)".parse()?;
/// assert_eq!(learned.operands(), ["s", "b", "w"]);
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    steps: Vec<Step>,
}

impl Chain {
    /// A chain without steps, to be given some.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that multiplies by a number or, given a name, an operand.
    #[must_use]
    pub fn scale(self, factor: impl Into<Argument>) -> Self {
        self.step(Step::scale(factor))
    }

    /// Adds a step that adds a number or, given a name, an operand.
    #[must_use]
    pub fn bias(self, value: impl Into<Argument>) -> Self {
        self.step(Step::bias(value))
    }

    /// Adds a step that multiplies by the element of an operand as long as x.
    #[must_use]
    pub fn gate(self, tensor: &str) -> Self {
        self.step(Step::gate(tensor))
    }

    /// Adds a step that adds the element of an operand as long as x.
    #[must_use]
    pub fn residual(self, tensor: &str) -> Self {
        self.step(Step::residual(tensor))
    }

    /// Adds a step that puts zero with probability `p`.
    #[must_use]
    pub fn dropout(self, p: f32) -> Self {
        self.step(Step::dropout(p))
    }

    /// Adds an activation.
    #[must_use]
    pub fn act(self, activation: Activation) -> Self {
        self.step(activation)
    }

    /// Adds any step: a [`Step`], an [`Activation`] or a [`Custom`].
    #[must_use]
    pub fn step(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The names of the operands that steps take their values from, in order.
    pub fn operands(&self) -> Vec<&str> {
        self.arguments().map(|(.., name)| name).collect()
    }

    /// The operands whose gradients the backward pass can be asked for.
    ///
    /// ```
    /// let chain: nonlin::Chain = "hardtanh(min_val=@low) | scale(@s) | residual(@r)".parse()?;
    /// assert_eq!(chain.learnable(), ["s", "r"]);
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn learnable(&self) -> Vec<&str> {
        let learns = |(step, parameter, _): &(usize, usize, &str)| {
            self.steps[*step].has_gradient(*parameter)
        };
        self.arguments()
            .filter(learns)
            .map(|(.., name)| name)
            .collect()
    }

    /// The operands that steps take their values from: step, parameter, name.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = (usize, usize, &str)> {
        self.steps.iter().enumerate().flat_map(|(index, step)| {
            let arguments = step.arguments.iter().enumerate();
            arguments.filter_map(move |(parameter, argument)| match argument {
                Argument::Operand(name) => Some((index, parameter, name.as_str())),
                Argument::Constant(_) => None,
            })
        })
    }

    /// Whether an operand can only be as long as x.
    pub(crate) fn is_elementwise(&self, operand: &str) -> bool {
        self.arguments().any(|(step, _, name)| {
            let function = self.steps[step].function();
            name == operand && matches!(function, Function::Gate | Function::Residual)
        })
    }

    /// Whether steps draw random numbers.
    pub fn is_random(&self) -> bool {
        self.steps.iter().any(|step| step.function.is_random())
    }

    /// The chain as it is evaluated after training: without dropout, and with the mean slope for rrelu.
    ///
    /// ```
    /// let chain: nonlin::Chain = "rrelu(0.2, 0.4) | dropout(0.1)".parse()?;
    /// assert_eq!(chain.evaluation().to_string(), "leaky_relu(negative_slope=0.3)");
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    #[must_use]
    pub fn evaluation(&self) -> Chain {
        let step = |step: &Step| match (&step.function, step.arguments.as_slice()) {
            (Function::Rrelu, [Argument::Constant(lower), Argument::Constant(upper)]) => {
                let negative_slope = (lower + upper) / 2.0;
                Some(Activation::LeakyRelu { negative_slope }.into())
            }
            (Function::Dropout, _) => None,
            _ => Some(step.clone()),
        };
        let mut steps: Vec<Step> = self.steps.iter().filter_map(step).collect();
        if steps.is_empty() && !self.steps.is_empty() {
            steps.push(Activation::Identity.into());
        }
        Chain { steps }
    }

    /// Whether a pass can be had of this chain: an error says why not. Forward and backward from x can
    /// be had of all; backward from y needs at most one activation, one whose derivative is a function
    /// of its value, and neither operands nor random steps beside it; scales behind it must not be zero.
    ///
    /// ```
    /// use nonlin::{Activation, Chain, Pass};
    ///
    /// assert!(Chain::from(Activation::Tanh).supports(Pass::BackwardFromY).is_ok());
    /// let error = Chain::from(Activation::Silu).supports(Pass::BackwardFromY).unwrap_err();
    /// assert!(error.to_string().starts_with("silu cannot work backward from its value"), "{error}");
    /// ```
    ///
    /// # Errors
    /// [`Error::NeedsInput`].
    pub fn supports(&self, pass: Pass) -> Result<(), Error> {
        if pass != Pass::BackwardFromY {
            return Ok(());
        }
        let needs_input = |step: &Step, why: &str| Error::NeedsInput {
            name: step.name().to_owned(),
            why: why.to_owned(),
        };
        let mut found = false;
        for step in &self.steps {
            if step
                .arguments
                .iter()
                .any(|a| matches!(a, Argument::Operand(_)))
            {
                return Err(needs_input(step, "its argument is an operand"));
            }
            match &step.function {
                Function::Activation(_) | Function::Custom(_) if found => {
                    return Err(needs_input(step, "another activation stands before it"));
                }
                Function::Activation(activation) => {
                    found = true;
                    let values = step.scalars().into_iter().map(|(_, v)| f64::from(v));
                    let values: Vec<_> = values.collect();
                    match &activation.entry().room.from_y {
                        crate::act::FromY::Yes(_) => {}
                        crate::act::FromY::If { holds, .. } if holds(&values) => {}
                        crate::act::FromY::If { needs, .. } => {
                            return Err(needs_input(step, &format!("that needs {needs}")));
                        }
                        crate::act::FromY::No(why) => return Err(needs_input(step, why)),
                    }
                }
                Function::Scale if found && step.arguments == [Argument::Constant(0.0)] => {
                    return Err(needs_input(step, "a factor of zero loses it"));
                }
                Function::Scale | Function::Bias => {}
                _ => return Err(needs_input(step, "it takes more than its value")),
            }
        }
        Ok(())
    }

    /// The WGSL of a pass as one kernel, in the form that f32 operands at 16-byte places get: four
    /// elements a word, one word an invocation, for any length. Operands that steps take their values from are as long as
    /// x there, and no gradient but dx is asked for.
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::BadValue`] for a parameter that is not finite, and
    /// [`Error::NeedsInput`].
    pub fn wgsl(&self, pass: Pass) -> Result<String, Error> {
        self.validate()?;
        self.supports(pass)?;
        Ok(wgsl::kernel(
            Body::Chain(self, pass),
            &Form::plain(Body::Chain(self, pass), DType::F32.into()),
        ))
    }

    /// The chain as WGSL functions of one element, to be pasted into somebody's own kernel:
    ///
    /// - `<prefix>_y(x: f32) -> f32`, the value,
    /// - `<prefix>_dx(x: f32, dy: f32) -> f32`, the gradient with respect to x.
    ///
    /// Operands that steps take their values from are f32 parameters behind these, under their names, and
    /// `<prefix>_gradients`, which takes what `<prefix>_dx` takes, returns the gradients with respect to x
    /// and to each of them that has one, as a struct with `dx` and `d_<name>`: the element's share, to be
    /// summed where several elements have one value. The numbers that random steps draw are f32
    /// parameters `random_<step>`: the factor for dropout, the slope for rrelu.
    ///
    /// If the chain has constants, all take a `c: <prefix>_Scalars` at the end: a struct of one f32 for each,
    /// in the order of [`values`](Self::values); the text does not depend on what they are. Everything
    /// else in the text has names that begin with the prefix. A NaN is not taken care of: test x by its
    /// bits if it matters (no comparison of floats tells NaN on every driver).
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::BadValue`], and [`Error::BadPrefix`].
    ///
    /// ```
    /// use nonlin::Chain;
    ///
    /// let text = "gelu | scale(2)".parse::<Chain>()?.functions("epilogue")?;
    /// assert!(text.contains("fn epilogue_y(x: f32, c: epilogue_Scalars) -> f32"));
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn functions(&self, prefix: &str) -> Result<String, Error> {
        self.validate()?;
        let letter_first = prefix.starts_with(|c: char| c.is_ascii_alphabetic());
        if !letter_first || prefix.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            return Err(Error::BadPrefix {
                prefix: prefix.to_owned(),
            });
        }
        Ok(wgsl::functions(self, prefix))
    }

    /// The constants of all steps, in order: all that two chains of one structure differ in. Behind the p
    /// of dropout stands 1 / (1 - p).
    pub fn values(&self) -> Vec<f32> {
        let steps = self.steps.iter();
        steps
            .flat_map(|step| step.scalars().into_iter().map(|(_, v)| v))
            .collect()
    }

    /// Whether the chain can be made a kernel of: it has steps, functions have a use for their values, and no
    /// operand stands in two places.
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::BadValue`], [`Error::BadArgument`], [`Error::RepeatedOperand`].
    pub fn validate(&self) -> Result<(), Error> {
        if self.steps.is_empty() {
            return Err(Error::EmptyChain);
        }
        for (index, step) in self.steps.iter().enumerate() {
            step.validate(index + 1)?;
        }
        let names = self.operands();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(Error::RepeatedOperand {
                    operand: (*name).to_owned(),
                });
            }
        }
        Ok(())
    }

    /// All that a kernel's text depends on.
    pub(crate) fn structure(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            text += match &step.function {
                Function::Custom(custom) => custom.wgsl(),
                function => function.name(),
            };
            for argument in &step.arguments {
                text.push(' ');
                match argument {
                    Argument::Constant(_) => text.push('#'),
                    Argument::Operand(name) => text += name,
                }
            }
            text.push('|');
        }
        text
    }

    /// The names of the steps.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.steps.iter().map(Step::name).collect()
    }

    /// Reads a chain in which activations of the user's own may stand.
    ///
    /// # Errors
    /// As [`parse`](str::parse).
    pub fn parse_with(text: &str, own: &[Custom]) -> Result<Self, Error> {
        if text.trim().is_empty() {
            return Err(Error::EmptyChain);
        }
        let steps = text.split('|').enumerate();
        let steps = steps
            .map(|(index, text)| parse_step(index + 1, text, own))
            .collect::<Result<_, _>>()?;
        let chain = Chain { steps };
        chain.validate()?;
        Ok(chain)
    }
}

impl<S: Into<Step>> From<S> for Chain {
    fn from(step: S) -> Self {
        Chain::new().step(step)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            let separator = if index == 0 { "" } else { " | " };
            write!(f, "{separator}{step}")?;
        }
        Ok(())
    }
}

impl FromStr for Chain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Chain::parse_with(text, &[])
    }
}

/// The names of all steps.
pub(crate) fn known_steps() -> Vec<&'static str> {
    let plain = PLAIN.iter().map(|(_, name, ..)| *name);
    plain
        .chain(Activation::ALL.iter().map(Activation::name))
        .collect()
}

/// Reads one step: a name, and in parentheses its arguments by position or by name.
pub(crate) fn parse_step(step: usize, text: &str, own: &[Custom]) -> Result<Step, Error> {
    let text = text.trim();
    let syntax = |problem| Error::Syntax {
        step,
        text: text.to_owned(),
        problem,
    };
    let (name, arguments) = match text.split_once('(') {
        None => (text, ""),
        Some((name, rest)) => match rest.strip_suffix(')') {
            Some(arguments) => (name.trim_end(), arguments),
            None => return Err(syntax("the parenthesis is not closed")),
        },
    };
    if name.is_empty() {
        return Err(syntax("a step's name is missing"));
    }
    let function = Function::by_name(name, own).ok_or_else(|| Error::UnknownStep {
        step,
        name: name.to_owned(),
        suggestion: suggest(name),
    })?;
    let defaults = function.defaults();
    let mut read = Step::new(function, Vec::new());
    let parameters: Vec<String> = read.parameters().iter().map(ToString::to_string).collect();
    let mut values: Vec<Option<Argument>> = vec![None; parameters.len()];
    let given = arguments.split(',').map(str::trim).enumerate();
    for (position, argument) in
        given.filter(|(_, a)| !(a.is_empty() && arguments.trim().is_empty()))
    {
        let (index, value) = match argument.split_once('=') {
            Some((parameter, value)) => {
                (read.index_of(Some(step), parameter.trim())?, value.trim())
            }
            None if position < parameters.len() => (position, argument),
            None => (read.index_of(Some(step), argument)?, argument),
        };
        if values[index].is_some() {
            return Err(syntax("a parameter is given twice"));
        }
        values[index] = Some(match value.strip_prefix('@') {
            Some(name) => name.into(),
            None => {
                let parsed = value.parse::<f32>().ok().filter(|v| v.is_finite());
                let parsed = parsed.ok_or_else(|| Error::BadValue {
                    step,
                    name: read.name().to_owned(),
                    parameter: parameters[index].clone(),
                    value: value.to_owned(),
                });
                parsed?.into()
            }
        });
    }
    for ((value, default), parameter) in values.into_iter().zip(defaults).zip(parameters) {
        let value = value.or(default.map(Argument::Constant));
        read.arguments
            .push(value.ok_or_else(|| Error::MissingParameter {
                step,
                name: read.name().to_owned(),
                parameter,
            })?);
    }
    read.validate(step)?;
    Ok(read)
}

/// The known name most like `name`, if one is like it at all.
fn suggest(name: &str) -> Option<&'static str> {
    let aliases = Activation::ALL.iter().flat_map(|a| a.aliases()).copied();
    let name = name.to_ascii_lowercase();
    let scored = known_steps()
        .into_iter()
        .chain(aliases)
        .map(|k| (strsim::jaro_winkler(&name, k), k));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.8).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Chain, Error> {
        text.parse()
    }

    #[test]
    fn every_activation_round_trips() {
        for activation in Activation::ALL {
            let text = activation.to_string();
            assert_eq!(text.parse(), Ok(*activation), "{text}");
            for alias in activation.aliases() {
                assert_eq!(Activation::by_name(alias), Some(*activation), "{alias}");
            }
        }
    }

    #[test]
    fn names_and_aliases_are_unique() {
        let aliases = Activation::ALL.iter().flat_map(|a| a.aliases()).copied();
        let mut all: Vec<_> = known_steps().into_iter().chain(aliases).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn arguments_by_position_and_by_name() {
        let named = parse("softplus(threshold=10, beta=2)").unwrap();
        assert_eq!(parse(" softplus ( 2 , 10 ) ").unwrap(), named);
        assert_eq!(parse("softplus()").unwrap(), parse("softplus").unwrap());
        assert_eq!(
            parse("scale(factor=-1e-3)").unwrap(),
            Chain::new().scale(-1e-3)
        );
    }

    #[test]
    fn mistakes_say_where_and_what() {
        for (text, message) in [
            (
                "",
                "the chain is empty; it needs at least one step, such as \"silu\" or \"scale(2)\"",
            ),
            (
                "relu | silux",
                "step 2: unknown activation \"silux\"; did you mean \"silu\"?",
            ),
            (
                "relu||relu",
                "step 2: cannot read \"\": a step's name is missing",
            ),
            (
                "relu | scale(2",
                "step 2: cannot read \"scale(2\": the parenthesis is not closed",
            ),
            (
                "scale",
                "step 1: scale needs a value for factor, as in scale(factor=2)",
            ),
            (
                "scale(x)",
                "step 1: factor of scale must be a finite f32, not \"x\"",
            ),
            (
                "scale(inf)",
                "step 1: factor of scale must be a finite f32, not \"inf\"",
            ),
            (
                "scale(1e40)",
                "step 1: factor of scale must be a finite f32, not \"1e40\"",
            ),
            (
                "scale(1, 2)",
                "step 1: scale has no parameter \"2\"; it takes factor",
            ),
            (
                "silu(beta=1)",
                "step 1: silu has no parameter \"beta\"; it takes none",
            ),
            (
                "swish(beta=1,)",
                "step 1: swish has no parameter \"\"; it takes beta",
            ),
            (
                "swish(beta=1, beta=2)",
                "step 1: cannot read \"swish(beta=1, beta=2)\": a parameter is given twice",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
        }
        let unlike = parse("qqqq").unwrap_err().to_string();
        assert!(unlike.contains("known are scale, "), "{unlike}");
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let chain = Chain::new().scale(f32::NAN);
        assert!(matches!(
            chain.validate(),
            Err(Error::BadValue { step: 1, .. })
        ));
    }
}
