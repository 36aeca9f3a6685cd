//! A chain's pass as statements for one element, and as WGSL functions.

mod second;

pub(super) use second::SECOND;

use super::files::Text;
use super::items::prefixed;
use crate::act::{Activation, Counts};
use crate::chain::Chain;
use crate::chain::nodes::{Node, Source, counts_everywhere};
use crate::chain::step::Function;
use crate::pass::Pass;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Range;

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

/// The variable of a value.
fn variable(source: Source<'_>) -> String {
    match source {
        Source::X => "x".to_owned(),
        Source::Operand(name) => arg(name),
        Source::Node(index) => format!("v{}", index + 1),
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
    for Node { step, .. } in chain.nodes() {
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
    let nodes = chain.nodes().into_iter().enumerate();
    let fields: String = nodes
        .flat_map(|(i, n)| n.step.scalars().into_iter().map(move |(p, _)| scalar(i, p)))
        .map(|field| format!("    {field}: f32,\n"))
        .collect();
    if !fields.is_empty() {
        out.push(&format!("struct Scalars {{\n{fields}}}\n"));
    }
    !fields.is_empty()
}

/// The statements of a pass over a chain, or over a part of one, for one element, and what they read beside the pass's own
/// operands.
pub(crate) struct ChainCode<'a> {
    chain: &'a Chain,
    pass: Pass,
    /// What its functions' names begin with.
    name: &'static str,
    /// All of the chain's; of a part's first step, the value before it is x.
    nodes: Vec<Node<'a>>,
    part: Range<usize>,
    /// Values of nodes, as far as something depends on them.
    values: String,
    lines: String,
    /// The pass's result, as an expression.
    result: String,
    /// The names of the gradients that were asked for and can be had.
    gradients: Vec<String>,
    operands: BTreeSet<String>,
    draws: BTreeSet<usize>,
    reads_x: bool,
    /// The nodes whose values are read.
    read: BTreeSet<usize>,
    /// Of each node's value: whether a step may have made NaN of numbers. `min` and `select` in an activation would lose it,
    /// where multiplications and sums do not.
    born: Vec<bool>,
}

/// A gradient on its way back: an expression, and whether a product may have made NaN of numbers in it.
#[derive(Clone)]
struct Gradient {
    text: String,
    born: bool,
}

/// Of each node's value, whether a step may have made NaN of numbers: by 0 x inf or inf - inf. What an operand holds may be
/// infinite; a constant is not, but may be 0.
fn born(nodes: &[Node<'_>]) -> Vec<bool> {
    let mut born = Vec::with_capacity(nodes.len());
    for node in nodes {
        let makes = match node.step.function() {
            Function::Scale | Function::Gate | Function::Custom(_) => true,
            Function::Activation(a) if a.entry().room.turns.is_some() => true,
            _ => node.taken().next().is_some(),
        };
        let is_born = makes || matches!(node.from, Source::Node(index) if born[index]);
        born.push(is_born);
    }
    born
}

/// Whether a value's gradient is needed, when that of x is, and those of operands that are asked for; of nodes as far as it
/// is known.
fn is_wanted(source: Source<'_>, asked: &[&str], nodes: &[bool]) -> bool {
    match source {
        Source::X => true,
        Source::Operand(name) => asked.contains(&name),
        Source::Node(index) => nodes[index],
    }
}

impl<'a> ChainCode<'a> {
    pub(crate) fn new(chain: &'a Chain, pass: Pass, gradients: &[&str]) -> Self {
        let part = 0..chain.nodes().len();
        Self::of_part(chain, part, "chain", pass, gradients)
    }

    /// The same of some of the chain's nodes, one behind the other.
    pub(super) fn of_part(
        chain: &'a Chain,
        part: Range<usize>,
        name: &'static str,
        pass: Pass,
        gradients: &[&str],
    ) -> Self {
        let mut nodes = chain.nodes();
        for node in &mut nodes[part.clone()] {
            if matches!(node.from, Source::Node(index) if index < part.start) {
                node.from = Source::X;
            }
        }
        let mut code = ChainCode {
            chain,
            pass,
            name,
            part,
            values: String::new(),
            lines: String::new(),
            result: String::new(),
            gradients: Vec::new(),
            operands: BTreeSet::new(),
            draws: BTreeSet::new(),
            reads_x: false,
            read: BTreeSet::new(),
            born: born(&nodes),
            nodes,
        };
        match pass {
            Pass::Forward => {
                code.result = code.value(code.last());
            }
            Pass::Backward => code.backward(gradients),
            Pass::BackwardFromY => code.backward_from_y(),
            Pass::DoubleBackward => code.double_backward(),
        }
        code.forward();
        code
    }

    /// Where the part's value is.
    fn last(&self) -> Source<'a> {
        match self.part.is_empty() {
            true => Source::X,
            false => Source::Node(self.part.end - 1),
        }
    }

    /// The operands of arguments that the pass reads, in the chain's order.
    pub(crate) fn operands(&self) -> Vec<String> {
        let names = self.chain.operands().into_iter();
        let read = names.filter(|name| self.operands.contains(*name));
        read.map(str::to_owned).collect()
    }

    /// The random steps, as indices of nodes, whose numbers the pass draws.
    pub(crate) fn draws(&self) -> Vec<usize> {
        self.draws.iter().copied().collect()
    }

    /// The gradients of operands that it has.
    pub(super) fn gradients(&self) -> &[String] {
        &self.gradients
    }

    /// Whether it reads x beside what it passes on.
    pub(super) fn reads_x(&self) -> bool {
        self.reads_x
    }

    /// A value that is read.
    fn value(&mut self, source: Source<'_>) -> String {
        match source {
            Source::X => self.reads_x = true,
            Source::Operand(name) => {
                self.operands.insert(name.to_owned());
            }
            Source::Node(index) => {
                self.read.insert(index);
            }
        }
        variable(source)
    }

    /// The value that a node's step is applied to.
    fn from(&mut self, index: usize) -> String {
        self.value(self.nodes[index].from)
    }

    /// A node's argument, as an expression.
    fn argument(&mut self, index: usize, parameter: usize) -> String {
        match self.nodes[index].arguments[parameter] {
            None => {
                let names = self.nodes[index].step.parameters();
                format!("c.{}", scalar(index, names[parameter]))
            }
            Some(source) => self.value(source),
        }
    }

    /// All of a node's arguments, each behind a comma.
    fn arguments(&mut self, index: usize) -> String {
        let all = 0..self.nodes[index].arguments.len();
        all.map(|p| format!(", {}", self.argument(index, p)))
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

    /// Whether NaN in a value is to be looked for where the value is used. In x, and in operands that every element uses, it
    /// is found where they are loaded.
    fn is_born(&self, source: Source<'_>) -> bool {
        match source {
            Source::X => false,
            Source::Operand(name) => !counts_everywhere(&self.nodes, name),
            Source::Node(index) => self.born[index],
        }
    }

    /// What a node's function makes of the value before it, and NaN of NaN: of that value, and of parameters where they are
    /// used.
    fn or_nan(&mut self, result: String, index: usize) -> String {
        let node = self.nodes[index].clone();
        let from = self.value(node.from);
        let mut result = or_nan(result, &from, self.is_born(node.from));
        for (_, parameter, source) in node.taken() {
            let is_used = match node.step.function().counts(parameter) {
                Counts::Everywhere => {
                    // An operand that is a parameter itself is tested as it is loaded.
                    let is_born = self.is_born(source);
                    result = or_nan(result, &variable(source), is_born);
                    continue;
                }
                Counts::AboveZero => format!("m_is_above_zero({from})"),
                Counts::UpToZero => format!("!m_is_above_zero({from})"),
            };
            result = format!("m_or_nan_if({result}, {}, {is_used})", variable(source));
        }
        result
    }

    /// The values of nodes that are read, and of those that they depend on.
    fn forward(&mut self) {
        let mut lines = Vec::new();
        for index in self.part.clone().rev() {
            if self.read.contains(&index) {
                let result = self.forward_step(index);
                lines.push(format!(
                    "    let {} = {result};\n",
                    variable(Source::Node(index))
                ));
            }
        }
        self.values = lines.into_iter().rev().collect();
    }

    fn forward_step(&mut self, index: usize) -> String {
        let (step, from) = (self.nodes[index].step, self.from(index));
        match step.function() {
            Function::Scale | Function::Gate => format!("{from} * {}", self.argument(index, 0)),
            Function::Round(dtype) => format!("{dtype}_value({dtype}_bits({from}, false))"),
            Function::Bias | Function::Residual => format!("{from} + {}", self.argument(index, 0)),
            Function::Dropout => {
                let is_born = self.is_born(self.nodes[index].from);
                self.dropped(&from, index, is_born)
            }
            Function::Rrelu => {
                let value = format!("act_leaky_relu({from}, {})", self.random(index));
                self.or_nan(value, index)
            }
            function => {
                let arguments = self.arguments(index);
                self.or_nan(format!("act_{}({from}{arguments})", function.name()), index)
            }
        }
    }

    /// Of each node: whether its value's gradient is needed, for that of x or of an operand.
    fn wanted(&self, asked: &[&str]) -> Vec<bool> {
        let mut wanted: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let taken = node.taken().map(|(.., source)| source);
            let mut sources = taken.chain([node.from]);
            let is_wanted = sources.any(|source| is_wanted(source, asked, &wanted));
            wanted.push(is_wanted);
        }
        wanted
    }

    fn backward(&mut self, asked: &[&str]) {
        let wanted = self.wanted(asked);
        let mut gradients: Vec<Option<Gradient>> = vec![None; self.nodes.len()];
        let dy = Gradient {
            text: "dy".to_owned(),
            born: false,
        };
        match self.last() {
            Source::Node(last) => gradients[last] = Some(dy),
            _ => self.result = dy.text,
        }
        for index in self.part.clone().rev() {
            let Some(gradient) = gradients[index].take() else {
                continue;
            };
            let node = self.nodes[index].clone();
            for (_, name, source) in node.taken() {
                if is_wanted(source, asked, &wanted) {
                    let term = self.of_parameter(index, name, &gradient);
                    self.arrive(source, term, &format!("g{index}_{name}"), &mut gradients);
                }
            }
            if is_wanted(node.from, asked, &wanted) {
                let product = self.of_value(index, &gradient);
                self.arrive(node.from, product, &format!("g{index}"), &mut gradients);
            }
        }
        // In the order in which they were asked for.
        let found = std::mem::take(&mut self.gradients);
        let had = asked.iter().filter(|name| found.iter().any(|f| f == *name));
        self.gradients = had.map(ToString::to_string).collect();
    }

    /// A gradient has come to a value: under a name of its own, unless it is what another variable holds.
    fn arrive(
        &mut self,
        at: Source<'_>,
        mut gradient: Gradient,
        name: &str,
        gradients: &mut [Option<Gradient>],
    ) {
        let is_expression = gradient.text.contains(['(', '*']);
        let name = match at {
            Source::Operand(operand) => format!("d_{operand}"),
            _ => name.to_owned(),
        };
        if is_expression || matches!(at, Source::Operand(_)) {
            _ = writeln!(self.lines, "    let {name} = {};", gradient.text);
            gradient.text = name;
        }
        match at {
            Source::X => self.result = gradient.text,
            Source::Operand(operand) => self.gradients.push(operand.to_owned()),
            Source::Node(index) => gradients[index] = Some(gradient),
        }
    }

    /// The gradient of the value that a node's step is applied to, from that of the step's value.
    fn of_value(&mut self, index: usize, gradient: &Gradient) -> Gradient {
        let (step, Gradient { text, born }) = (self.nodes[index].step, gradient);
        let product = match step.function() {
            Function::Bias | Function::Residual | Function::Round(_) => return gradient.clone(),
            Function::Scale | Function::Gate => format!("{text} * {}", self.argument(index, 0)),
            Function::Dropout => {
                return Gradient {
                    text: self.dropped(text, index, *born),
                    born: *born,
                };
            }
            Function::Rrelu => {
                let (from, slope) = (self.from(index), self.random(index));
                let slope = format!("act_leaky_relu_dx({from}, {slope})");
                passed(text, &self.or_nan(slope, index), false)
            }
            function => {
                let (from, arguments) = (self.from(index), self.arguments(index));
                let slope = format!("act_{}_dx({from}{arguments})", function.name());
                passed(text, &self.or_nan(slope, index), function.is_flat())
            }
        };
        Gradient {
            text: product,
            born: true,
        }
    }

    /// The gradient of a node's parameter, from that of the step's value.
    fn of_parameter(&mut self, index: usize, name: &str, gradient: &Gradient) -> Gradient {
        let (step, Gradient { text, .. }) = (self.nodes[index].step, gradient);
        let term = match step.function() {
            Function::Bias | Function::Residual => return gradient.clone(),
            Function::Scale | Function::Gate => format!("{text} * {}", self.from(index)),
            function => {
                let (from, arguments) = (self.from(index), self.arguments(index));
                let share = format!("act_{}_d_{name}({from}{arguments})", function.name());
                passed(text, &self.or_nan(share, index), function.is_flat_in(name))
            }
        };
        Gradient {
            text: term,
            born: true,
        }
    }

    /// Of chains that [`Chain::supports`] lets pass: they have no branches, so that nodes are steps.
    fn backward_from_y(&mut self) {
        let is_activation =
            |node: &Node<'_>| matches!(node.step.function(), Function::Activation(_));
        let activation = self.nodes.iter().position(is_activation);
        let (mut gradient, mut from) = ("dy".to_owned(), "y".to_owned());
        for index in self.part.clone().rev() {
            let step = self.nodes[index].step;
            let behind = activation.is_some_and(|at| at < index);
            let slope = match step.function() {
                Function::Activation(a) => {
                    let arguments = self.arguments(index);
                    format!("act_{}_dx_from_y({from}{arguments})", a.name())
                }
                Function::Scale => self.argument(index, 0),
                _ => String::new(),
            };
            if behind {
                let operator = if slope.is_empty() { '-' } else { '/' };
                let by = self.argument(index, 0);
                _ = writeln!(self.lines, "    let v{index} = {from} {operator} {by};");
                from = format!("v{index}");
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
        let (inputs, outputs) = self.pass.parts();
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
            name,
            values,
            lines,
            result,
            gradients,
            ..
        } = self;
        if *pass == Pass::DoubleBackward {
            out.push(&format!(
                "struct Second {{\n    ddy: f32,\n    dx: f32,\n}}\n\n// {pass} of {chain}\n\
                 fn {name}_{SECOND}({parameters}) -> Second {{\n{values}{lines}    return Second({result});\n}}\n"
            ));
            return;
        }
        if gradients.is_empty() {
            let output = outputs[0];
            out.push(&format!(
                "// {pass} of {chain}\nfn {name}_{output}({parameters}) -> f32 {{\n{values}{lines}    return {result};\n}}\n"
            ));
            return;
        }
        let fields = gradients.iter().map(|name| format!("    d_{name}: f32,\n"));
        let fields: String = fields.collect();
        let terms: Vec<_> = gradients.iter().map(|name| format!("d_{name}")).collect();
        let kind = match *name {
            "before" => "BeforeGradients",
            "behind" => "BehindGradients",
            _ => "Gradients",
        };
        out.push(&format!(
            "struct {kind} {{\n    dx: f32,\n{fields}}}\n\n// {pass} of {chain}\n\
             fn {name}_gradients({parameters}) -> {kind} {{\n{values}{lines}    return {kind}({result}, {});\n}}\n",
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
    let draws = chain.draws();
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
