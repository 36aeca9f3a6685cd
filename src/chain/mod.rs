//! Chains: short lists of steps, as data ([`step`]) and as text ([`text`]).

pub(crate) mod custom;
pub(crate) mod nodes;
pub(crate) mod preset;
pub(crate) mod row;
pub(crate) mod step;
pub(crate) mod text;

use crate::act::{Activation, FromY, Second};
use crate::error::{ChainError, Error};
use crate::pass::Pass;
use crate::tensor::dtype::DType;
use nodes::{Source, path};
use step::{Argument, Branch, Function, Step};

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
///
/// // A value may be what a chain of its own makes of an operand.
/// let clamped: Chain = "silu | gate(@up | clip(-7, 7) | bias(1))".parse()?;
/// assert_eq!(clamped.operands(), ["up"]);
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

    /// Adds a step that multiplies by an operand, or by what a [`Branch`] makes of one.
    #[must_use]
    pub fn gate(self, tensor: impl Into<Argument>) -> Self {
        self.step(Step::gate(tensor))
    }

    /// Adds a step that adds an operand, or what a [`Branch`] makes of one.
    #[must_use]
    pub fn residual(self, tensor: impl Into<Argument>) -> Self {
        self.step(Step::residual(tensor))
    }

    /// Adds a step that puts zero with probability `p`.
    #[must_use]
    pub fn dropout(self, p: f32) -> Self {
        self.step(Step::dropout(p))
    }

    /// Adds a step that rounds to a dtype.
    ///
    /// With such steps a chain is what a framework computes operation by operation in that dtype, bit for bit:
    ///
    /// ```
    /// let chain: nonlin::Chain = "scale(0.1) | round(bf16) | silu".parse()?;
    /// let y = nonlin::reference::forward(&"scale(0.1) | round(bf16)".parse()?, &[1.0f32])?;
    /// assert_eq!(y, [0.10009765625]);
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    #[must_use]
    pub fn round(self, dtype: DType) -> Self {
        self.step(Step::round(dtype))
    }

    /// Adds an activation.
    #[must_use]
    pub fn act(self, activation: Activation) -> Self {
        self.step(activation)
    }

    /// Adds any step: a [`Step`], an [`Activation`] or a [`Custom`](crate::Custom).
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
        let mut names = Vec::new();
        add_operands(&mut names, &self.steps);
        names
    }

    /// The operands whose gradients the backward pass can be asked for.
    ///
    /// ```
    /// let chain: nonlin::Chain = "hardtanh(min_val=@low) | scale(@s) | residual(@r)".parse()?;
    /// assert_eq!(chain.learnable(), ["s", "r"]);
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn learnable(&self) -> Vec<&str> {
        let nodes = self.nodes();
        let learns = |name: &&str| {
            let mut path = path(&nodes, Source::Operand(name)).into_iter();
            path.all(|(node, parameter)| parameter.is_none_or(|p| nodes[node].step.has_gradient(p)))
        };
        self.operands().into_iter().filter(learns).collect()
    }

    /// Whether every element has a use for its value of an operand.
    pub(crate) fn counts_everywhere(&self, operand: &str) -> bool {
        nodes::counts_everywhere(&self.nodes(), operand)
    }

    /// Whether steps draw random numbers.
    pub fn is_random(&self) -> bool {
        has_random(&self.steps)
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
        let mut steps: Vec<Step> = self.steps.iter().filter_map(evaluation).collect();
        if steps.is_empty() && !self.steps.is_empty() {
            steps.push(Activation::Identity.into());
        }
        Chain { steps }
    }

    /// Whether all results of this dtype are the numbers nearest to what they should be, ties to even, if the operands have
    /// it too: those of f16 and bf16 are, forward, and backward where dy is 1, of every activation with its default
    /// parameters.
    ///
    /// ```
    /// use nonlin::{Activation, Chain, DType, Pass};
    ///
    /// assert!(Chain::from(Activation::Silu).rounds_right(Pass::Forward, DType::F16));
    /// assert!(!Chain::from(Activation::Silu).rounds_right(Pass::Forward, DType::F32));
    /// ```
    pub fn rounds_right(&self, pass: Pass, dtype: DType) -> bool {
        let is_default = |activation: Activation| activation == activation.plain();
        Pass::FROM_X.contains(&pass) && dtype.size() == 2 && self.single().is_some_and(is_default)
    }

    /// The activation that this chain is, if it is one with constants.
    pub(crate) fn single(&self) -> Option<Activation> {
        let [step] = self.steps.as_slice() else {
            return None;
        };
        let constants: Option<Vec<f32>> = step.arguments().iter().map(Argument::constant).collect();
        match step.function() {
            Function::Activation(activation) => Some(activation.with_values(&constants?)),
            _ => None,
        }
    }

    /// Whether a pass can be had of this chain: an error says why not. Forward and backward from x can
    /// be had of all; backward from y needs at most one activation, one whose derivative is a function
    /// of its value, and neither operands nor random steps beside it; scales behind it must not be zero. Double backward
    /// needs second derivatives of all steps from x to the chain's value.
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
    /// [`ChainError::NeedsInput`], [`ChainError::NoSecondDerivative`].
    pub fn supports(&self, pass: Pass) -> Result<(), Error> {
        if pass == Pass::DoubleBackward {
            return self.supports_second();
        }
        if let Some(place) = self.row_place() {
            return self.supports_rows(pass, &place);
        }
        if pass != Pass::BackwardFromY {
            return Ok(());
        }
        let needs_input = |step: &Step, why: &str| {
            Error::Chain(ChainError::NeedsInput {
                name: step.name().to_owned(),
                why: why.to_owned(),
            })
        };
        let mut found = false;
        for step in &self.steps {
            if step.arguments.iter().any(|a| a.constant().is_none()) {
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
                        FromY::Yes(_) => {}
                        FromY::If { holds, .. } if holds(&values) => {}
                        FromY::If { needs, .. } => {
                            return Err(needs_input(step, &format!("that needs {needs}")));
                        }
                        FromY::No(why) => return Err(needs_input(step, why)),
                    }
                }
                Function::Scale if found && step.arguments[0].constant() == Some(0.0) => {
                    return Err(needs_input(step, "a factor of zero loses it"));
                }
                Function::Scale | Function::Bias => {}
                Function::Round(_) => return Err(needs_input(step, "it loses digits")),
                _ => return Err(needs_input(step, "it takes more than its value")),
            }
        }
        Ok(())
    }

    /// Whether all steps have second derivatives. Those of branches do not matter: x is not in what they make.
    fn supports_second(&self) -> Result<(), Error> {
        let without = |(index, step): (usize, &Step)| {
            let why = match &step.function {
                Function::Activation(activation) => match activation.entry().room.second {
                    Second::No(why) => why,
                    _ => return None,
                },
                Function::Custom(custom) if !custom.has_second() => {
                    "its text has no function for it, act_NAME_d2x"
                }
                Function::Row(_) | Function::Causal => "it goes over whole rows",
                _ => return None,
            };
            Some(Error::Chain(ChainError::NoSecondDerivative {
                step: index + 1,
                name: step.name().to_owned(),
                why: why.to_owned(),
            }))
        };
        let mut steps = self.steps.iter().enumerate();
        steps.find_map(without).map_or(Ok(()), Err)
    }

    /// The constants of all steps, in order: all that two chains of one structure differ in. Behind the p
    /// of dropout stands 1 / (1 - p).
    pub fn values(&self) -> Vec<f32> {
        let nodes = self.nodes().into_iter();
        nodes
            .flat_map(|node| node.step.scalars().into_iter().map(|(_, v)| v))
            .collect()
    }

    /// Whether the chain can be made a kernel of: it has steps, functions have a use for their values, and no
    /// operand stands in two places.
    ///
    /// # Errors
    /// [`ChainError::Empty`], [`ChainError::BadValue`], [`ChainError::BadArgument`], [`ChainError::RepeatedOperand`].
    pub fn validate(&self) -> Result<(), Error> {
        if self.steps.is_empty() {
            return Err(Error::Chain(ChainError::Empty));
        }
        for (index, step) in self.steps.iter().enumerate() {
            step.validate(index + 1)?;
        }
        self.validate_rows()?;
        let names = self.operands();
        for (index, name) in names.iter().enumerate() {
            if names[..index].contains(name) {
                return Err(Error::Chain(ChainError::RepeatedOperand {
                    operand: (*name).to_owned(),
                }));
            }
        }
        Ok(())
    }

    /// The names of the steps.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.steps.iter().map(Step::name).collect()
    }
}

/// Adds the names of the operands of steps, and of the steps in their branches.
fn add_operands<'a>(names: &mut Vec<&'a str>, steps: &'a [Step]) {
    for argument in steps.iter().flat_map(|step| &step.arguments) {
        if let Some((name, steps)) = argument.operand() {
            names.push(name);
            add_operands(names, steps);
        }
    }
}

/// Whether steps, or those in their branches, draw.
fn has_random(steps: &[Step]) -> bool {
    steps.iter().any(|step| {
        let mut branches = step.arguments.iter().filter_map(Argument::operand);
        step.function.is_random() || branches.any(|(_, steps)| has_random(steps))
    })
}

/// A step after training; none of dropout.
fn evaluation(step: &Step) -> Option<Step> {
    let mut step = match (&step.function, step.arguments.as_slice()) {
        (Function::Rrelu, [Argument::Constant(lower), Argument::Constant(upper)]) => {
            let negative_slope = lower.midpoint(*upper);
            Activation::LeakyRelu { negative_slope }.into()
        }
        (Function::Dropout, _) => return None,
        _ => step.clone(),
    };
    for argument in &mut step.arguments {
        if let Argument::Branch(branch) = argument {
            let steps = branch.chain().steps.iter().filter_map(evaluation);
            let chain = Chain {
                steps: steps.collect(),
            };
            *argument = Branch::new(branch.operand(), chain).into();
        }
    }
    Some(step)
}

impl<S: Into<Step>> From<S> for Chain {
    fn from(step: S) -> Self {
        Chain::new().step(step)
    }
}
