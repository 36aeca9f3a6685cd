//! A chain's pass as statements for one element, and as WGSL functions.

use super::files::Text;
use super::items::prefixed;
use crate::act::{Activation, Counts};
use crate::chain::Chain;
use crate::chain::step::{Argument, Function, Step};
use crate::pass::Pass;
use std::collections::BTreeSet;
use std::fmt::Write;

/// What rrelu does with the slope that it drew.
const SLOPED: Activation = Activation::LeakyRelu {
    negative_slope: 0.0,
};

/// The variable of an argument's operand.
pub(crate) fn arg(operand: &str) -> String {
    format!("arg_{operand}")
}

/// The variable of what a random step drew: the factor for dropout, the slope for rrelu.
pub(super) fn random(index: usize) -> String {
    format!("random_{}", index + 1)
}

/// The name under which a step's constant stands in `struct Scalars`.
pub(super) fn scalar(index: usize, parameter: &str) -> String {
    format!("s{}_{parameter}", index + 1)
}

/// The value behind `index` steps.
fn value(index: usize) -> String {
    if index == 0 {
        "x".to_owned()
    } else {
        format!("v{index}")
    }
}

/// `result` where `from` is no NaN, which a step may have made.
fn or_nan(result: String, from: &str, born: bool) -> String {
    match born {
        true => format!("m_or_nan({result}, {from})"),
        false => result,
    }
}

/// A gradient behind a function whose derivative is `slope`, and which is constant where that is zero if it is flat.
fn passed(gradient: &str, slope: &str, is_flat: bool) -> String {
    match is_flat {
        true => format!("m_masked({gradient}, {slope})"),
        false => format!("{gradient} * {slope}"),
    }
}

/// The rooms of a chain's activations, each once, and what all of them share.
pub(super) fn rooms(text: &mut Text, chain: &Chain) {
    text.file("math/nan.wgsl");
    text.file("math/sign.wgsl");
    for step in chain.steps() {
        let activation = match step.function() {
            Function::Custom(custom) => {
                text.known(custom.name(), custom.wgsl());
                continue;
            }
            Function::Activation(activation) => *activation,
            Function::Rrelu => SLOPED,
            Function::Round(dtype) => {
                text.file(&format!("io/{dtype}.wgsl"));
                continue;
            }
            _ => continue,
        };
        let entry = activation.entry();
        text.known(entry.name, entry.wgsl);
    }
}

/// `struct Scalars`, the chain's constants by name, if it has any.
pub(super) fn scalars(out: &mut Text, chain: &Chain) -> bool {
    let steps = chain.steps().iter().enumerate();
    let fields: String = steps
        .flat_map(|(i, s)| s.scalars().into_iter().map(move |(p, _)| scalar(i, p)))
        .map(|field| format!("    {field}: f32,\n"))
        .collect();
    if !fields.is_empty() {
        out.push(&format!("struct Scalars {{\n{fields}}}\n"));
    }
    !fields.is_empty()
}

/// The statements of a chain's pass, for one element, and what they read beside the pass's own operands.
pub(crate) struct ChainCode<'a> {
    chain: &'a Chain,
    pass: Pass,
    /// Values, from the first step's on, as far as something depends on them.
    values: String,
    lines: String,
    /// The pass's result, as an expression.
    result: String,
    /// The names of the gradients that were asked for and can be had.
    gradients: Vec<String>,
    operands: BTreeSet<String>,
    draws: BTreeSet<usize>,
    /// The last step whose value is read.
    last: usize,
    /// Of x, and of the value behind each step: whether a step may have made NaN of numbers. `min` and `select` in an
    /// activation would lose it, where multiplications and sums do not.
    born: Vec<bool>,
    /// Of the gradient at this point of a backward pass.
    gradient_born: bool,
}

/// Of x, and of the value behind each step, whether a step may have made NaN of numbers: by 0 x inf or inf - inf. What an
/// operand holds may be infinite; a constant is not, but may be 0.
fn born(chain: &Chain) -> Vec<bool> {
    let mut born = vec![false];
    for step in chain.steps() {
        let learned = step.arguments().iter();
        let learned = learned
            .into_iter()
            .any(|a| matches!(a, Argument::Operand(_)));
        let makes = match step.function() {
            Function::Scale | Function::Gate | Function::Custom(_) => true,
            _ => learned,
        };
        born.push(makes || born.last().is_some_and(|born| *born));
    }
    born
}

impl<'a> ChainCode<'a> {
    pub(crate) fn new(chain: &'a Chain, pass: Pass, gradients: &[&str]) -> Self {
        let mut code = ChainCode {
            chain,
            pass,
            values: String::new(),
            lines: String::new(),
            result: String::new(),
            gradients: Vec::new(),
            operands: BTreeSet::new(),
            draws: BTreeSet::new(),
            last: 0,
            born: born(chain),
            gradient_born: false,
        };
        match pass {
            Pass::Forward => {
                code.result = code.value(chain.steps().len());
            }
            Pass::Backward => code.backward(gradients),
            Pass::BackwardFromY => code.backward_from_y(),
        }
        code.forward();
        code
    }

    /// The operands of arguments that the pass reads, in the chain's order.
    pub(crate) fn operands(&self) -> Vec<String> {
        let names = self.chain.operands().into_iter();
        let read = names.filter(|name| self.operands.contains(*name));
        read.map(str::to_owned).collect()
    }

    /// The random steps, by index, whose numbers the pass draws.
    pub(crate) fn draws(&self) -> Vec<usize> {
        self.draws.iter().copied().collect()
    }

    fn value(&mut self, index: usize) -> String {
        self.last = self.last.max(index);
        value(index)
    }

    /// A step's argument, as an expression.
    fn argument(&mut self, index: usize, step: &Step, parameter: usize) -> String {
        match &step.arguments()[parameter] {
            Argument::Constant(_) => format!("c.{}", scalar(index, step.parameters()[parameter])),
            Argument::Operand(name) => {
                self.operands.insert(name.clone());
                arg(name)
            }
        }
    }

    /// All of a step's arguments, each behind a comma.
    fn arguments(&mut self, index: usize, step: &Step) -> String {
        let all = 0..step.arguments().len();
        all.map(|p| format!(", {}", self.argument(index, step, p)))
            .collect()
    }

    fn random(&mut self, index: usize) -> String {
        self.draws.insert(index);
        random(index)
    }

    /// A product with what dropout drew. What it drops is zero even where it was infinite.
    fn dropped(&mut self, what: &str, index: usize, born: bool) -> String {
        let factor = self.random(index);
        let dropped = format!("select({what} * {factor}, 0.0, {factor} == 0.0)");
        or_nan(dropped, what, born)
    }

    /// What a function makes of the value behind `index` steps, and NaN of NaN: of that value, and of parameters that it
    /// is used for. For other parameters that is tested where they are loaded.
    fn or_nan(&self, result: String, index: usize) -> String {
        let (from, step) = (value(index), &self.chain.steps()[index]);
        let mut result = or_nan(result, &from, self.born[index]);
        for (parameter, argument) in step.parameters().into_iter().zip(step.arguments()) {
            let Argument::Operand(name) = argument else {
                continue;
            };
            let is_used = match step.function().counts(parameter) {
                Counts::Everywhere => continue,
                Counts::AboveZero => format!("m_is_above_zero({from})"),
                Counts::UpToZero => format!("!m_is_above_zero({from})"),
            };
            result = format!("m_or_nan_if({result}, {}, {is_used})", arg(name));
        }
        result
    }

    /// The values behind the steps up to the last that is read.
    fn forward(&mut self) {
        let steps = self.chain.steps().iter().enumerate();
        for (index, step) in steps.take(self.last) {
            let from = value(index);
            let result = match step.function() {
                Function::Scale | Function::Gate => {
                    format!("{from} * {}", self.argument(index, step, 0))
                }
                Function::Round(dtype) => format!("{dtype}_value({dtype}_bits({from}, false))"),
                Function::Bias | Function::Residual => {
                    format!("{from} + {}", self.argument(index, step, 0))
                }
                Function::Dropout => self.dropped(&from, index, self.born[index]),
                Function::Rrelu => {
                    let value = format!("act_leaky_relu({from}, {})", self.random(index));
                    self.or_nan(value, index)
                }
                function => {
                    let arguments = self.arguments(index, step);
                    self.or_nan(format!("act_{}({from}{arguments})", function.name()), index)
                }
            };
            _ = writeln!(self.values, "    let {} = {result};", value(index + 1));
        }
    }

    fn backward(&mut self, asked: &[&str]) {
        let steps: Vec<_> = self.chain.steps().iter().enumerate().collect();
        let mut gradient = "dy".to_owned();
        for (index, step) in steps.into_iter().rev() {
            self.operands_gradients(index, step, &gradient, asked);
            let product = match step.function() {
                Function::Bias | Function::Residual | Function::Round(_) => continue,
                Function::Scale | Function::Gate => {
                    format!("{gradient} * {}", self.argument(index, step, 0))
                }
                Function::Dropout => self.dropped(&gradient, index, self.gradient_born),
                Function::Rrelu => {
                    let (from, slope) = (self.value(index), self.random(index));
                    let slope = format!("act_leaky_relu_dx({from}, {slope})");
                    passed(&gradient, &self.or_nan(slope, index), false)
                }
                function => {
                    let (from, arguments) = (self.value(index), self.arguments(index, step));
                    let slope = format!("act_{}_dx({from}{arguments})", function.name());
                    passed(&gradient, &self.or_nan(slope, index), function.is_flat())
                }
            };
            _ = writeln!(self.lines, "    let g{index} = {product};");
            self.gradient_born |= *step.function() != Function::Dropout;
            gradient = format!("g{index}");
        }
        // In the order in which they were asked for.
        let found = std::mem::take(&mut self.gradients);
        let had = asked.iter().filter(|name| found.iter().any(|f| f == *name));
        self.gradients = had.map(ToString::to_string).collect();
        self.result = gradient;
    }

    /// The gradients of a step's operands, as far as they are asked for, from that of the step's value.
    fn operands_gradients(&mut self, index: usize, step: &Step, gradient: &str, asked: &[&str]) {
        for (parameter, argument) in step.parameters().into_iter().zip(step.arguments()) {
            let name = match argument {
                Argument::Operand(name) if asked.contains(&name.as_str()) => name,
                _ => continue,
            };
            let term = match step.function() {
                Function::Bias | Function::Residual => gradient.to_owned(),
                Function::Scale | Function::Gate => format!("{gradient} * {}", self.value(index)),
                function => {
                    let (from, arguments) = (self.value(index), self.arguments(index, step));
                    let name = function.name();
                    let share = format!("act_{name}_d_{parameter}({from}{arguments})");
                    let is_flat = function.is_flat_in(parameter);
                    passed(gradient, &self.or_nan(share, index), is_flat)
                }
            };
            _ = writeln!(self.lines, "    let d_{name} = {term};");
            self.gradients.push(name.clone());
        }
    }

    /// Of chains that [`Chain::supports`] lets pass.
    fn backward_from_y(&mut self) {
        let is_activation = |step: &Step| matches!(step.function(), Function::Activation(_));
        let activation = self.chain.steps().iter().position(is_activation);
        let (mut gradient, mut from) = ("dy".to_owned(), "y".to_owned());
        let steps: Vec<_> = self.chain.steps().iter().enumerate().collect();
        for (index, step) in steps.into_iter().rev() {
            let behind = activation.is_some_and(|at| at < index);
            let slope = match step.function() {
                Function::Activation(a) => {
                    let arguments = self.arguments(index, step);
                    format!("act_{}_dx_from_y({from}{arguments})", a.name())
                }
                Function::Scale => self.argument(index, step, 0),
                _ => String::new(),
            };
            if behind {
                let operator = if slope.is_empty() { '-' } else { '/' };
                let by = self.argument(index, step, 0);
                _ = writeln!(self.lines, "    let v{index} = {from} {operator} {by};");
                from = value(index);
            }
            if !slope.is_empty() {
                let product = passed(&gradient, &slope, step.function().is_flat());
                _ = writeln!(self.lines, "    let g{index} = {product};");
                gradient = format!("g{index}");
            }
        }
        self.result = gradient;
    }

    /// The chain's function of one element: `chain_y` or `chain_dx`, or, where gradients are asked for,
    /// `chain_gradients`, which returns a struct. `operands` and `draws` are its parameters beside the pass's own.
    pub(super) fn function(
        &self,
        out: &mut Text,
        operands: &[String],
        draws: &[usize],
        has_scalars: bool,
    ) {
        let names = self.pass.operands();
        let (output, inputs) = names.split_last().unwrap_or((&"", &[]));
        let inputs = inputs.iter().map(ToString::to_string);
        let operands = operands.iter().map(|name| arg(name));
        let draws = draws.iter().map(|index| random(*index));
        let parameters = inputs.chain(operands).chain(draws);
        let mut parameters: Vec<_> = parameters.map(|name| format!("{name}: f32")).collect();
        if has_scalars {
            parameters.push("c: Scalars".into());
        }
        let parameters = parameters.join(", ");
        let ChainCode {
            chain,
            pass,
            values,
            lines,
            result,
            gradients,
            ..
        } = self;
        if gradients.is_empty() {
            out.push(&format!(
                "// {pass} of {chain}\nfn chain_{output}({parameters}) -> f32 {{\n{values}{lines}    return {result};\n}}\n"
            ));
            return;
        }
        let fields = gradients.iter().map(|name| format!("    d_{name}: f32,\n"));
        let fields: String = fields.collect();
        let terms: Vec<_> = gradients.iter().map(|name| format!("d_{name}")).collect();
        out.push(&format!(
            "struct Gradients {{\n    dx: f32,\n{fields}}}\n\n// {pass} of {chain}\n\
             fn chain_gradients({parameters}) -> Gradients {{\n{values}{lines}    return Gradients({result}, {});\n}}\n",
            terms.join(", ")
        ));
    }
}

/// The chain as functions for somebody's own kernel: `<prefix>_y(x)` and `<prefix>_dx(x, dy)`, both with
/// the operands of arguments, what random steps drew and `<prefix>_Scalars` behind as far as the chain has
/// them, and `<prefix>_gradients`; and all that they use under names with the prefix.
pub(crate) fn functions(chain: &Chain, prefix: &str) -> String {
    let mut out = Text::default();
    rooms(&mut out, chain);
    let has_scalars = scalars(&mut out, chain);
    let operands: Vec<_> = chain.operands().iter().map(ToString::to_string).collect();
    let steps = chain.steps().iter().enumerate();
    let draws: Vec<_> = steps
        .filter(|(_, s)| s.function().is_random())
        .map(|(i, _)| i)
        .collect();
    let learned = chain.learnable();
    let mut wanted: Vec<(Pass, &[&str])> = vec![(Pass::Forward, &[]), (Pass::Backward, &[])];
    if !learned.is_empty() {
        wanted.push((Pass::Backward, &learned));
    }
    for (pass, gradients) in wanted {
        ChainCode::new(chain, pass, gradients).function(&mut out, &operands, &draws, has_scalars);
    }
    prefixed(
        &out.finish(&["chain_y", "chain_dx", "chain_gradients"]),
        prefix,
    )
}
