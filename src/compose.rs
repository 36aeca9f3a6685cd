//! Composes a chain's kernel: the rooms of its steps, what they use, and the glue between.
//!
//! The shader files are ordinary WGSL; two kinds of comment do the composing. `//#use math/exp.wgsl`
//! pulls a file in once, and a line that ends in `//#stub` stands in for it, so that the file also
//! validates alone; such lines are dropped here.

use crate::chain::{Argument, Function, Step};
use crate::{Chain, DType, DTypes, Pass};
use std::fmt::Write;

/// How elements are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Four elements at a time, all operands at places that are multiples of four elements.
    Vec4,
    /// Elements one by one, at any place.
    Scalar,
}

/// Which of an input's values belongs to an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    /// Its own.
    Each,
    /// Its own, in rows with gaps between them.
    Rows,
    /// The only one.
    Shared,
    /// That of its channel, one for the four elements of a word.
    Channel,
    /// That of its channel, four in a row for the four elements of a word.
    Channels,
    /// That of the channel, or the channels of a word, that the sweep is at.
    Held,
    /// The same of the sample that the sweep is at.
    HeldSample,
}

/// An operand that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Input {
    /// Its variable: `x`, `dy`, `arg_w`.
    pub(crate) name: String,
    pub(crate) dtype: DType,
    pub(crate) at: At,
}

/// An operand that is written, element by element.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Output {
    /// Its variable: `y`, `dx`, `d_w`.
    pub(crate) name: String,
    pub(crate) dtype: DType,
    /// In rows with gaps between them.
    pub(crate) rows: bool,
    /// The input, by index, that it takes the place of.
    pub(crate) in_place: Option<usize>,
}

/// The order in which a kernel goes through the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sweep {
    /// Each invocation has its words, and sums nothing.
    Each,
    /// A workgroup has a part of some rows of one channel, loads the channel's values once, and may sum.
    Rows,
    /// An invocation has a channel (or four beside each other) of some rows, likewise.
    Columns,
}

/// Invocations in a workgroup that sweeps.
pub(crate) const LANES: u32 = 64;

/// What a kernel's text depends on beside its body.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Form {
    pub(crate) access: Access,
    /// Binds every operand read_write, as operands in one buffer need it.
    pub(crate) shared: bool,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    /// The operands whose gradients are summed.
    pub(crate) sums: Vec<String>,
    pub(crate) sweep: Sweep,
    /// Words per invocation.
    pub(crate) words: u32,
    /// No operand ends within a word of four.
    pub(crate) whole: bool,
}

impl Form {
    /// Whole words, for any length, operands apart from each other and as long as x, one word an invocation.
    pub(crate) fn plain(body: Body<'_>, dtypes: DTypes) -> Form {
        let pass = body.pass();
        let (output, inputs) = pass.operands().split_last().unwrap_or((&"", &[]));
        let input = |name: String, dtype| Input {
            name,
            dtype,
            at: At::Each,
        };
        let args = body.needs(&[]).into_iter();
        Form {
            access: Access::Vec4,
            shared: false,
            inputs: inputs
                .iter()
                .map(|name| input((*name).to_owned(), dtypes.of(name)))
                .chain(args.map(|name| input(arg(&name), dtypes.x)))
                .collect(),
            outputs: vec![Output {
                name: (*output).to_owned(),
                dtype: dtypes.of(output),
                rows: false,
                in_place: None,
            }],
            sums: Vec::new(),
            sweep: Sweep::Each,
            words: 1,
            whole: false,
        }
    }

    /// Whether each operand is written, in the order of the bindings, were it in a buffer of its own.
    pub(crate) fn written(&self) -> Vec<bool> {
        let mut written = vec![false; self.inputs.len()];
        for output in &self.outputs {
            match output.in_place {
                Some(input) => written[input] = true,
                None => written.push(true),
            }
        }
        if !self.sums.is_empty() {
            written.push(true);
        }
        written
    }

    /// The names of the operands with gradients, summed or not.
    pub(crate) fn gradients(&self) -> Vec<&str> {
        let outputs = self
            .outputs
            .iter()
            .filter_map(|o| o.name.strip_prefix("d_"));
        outputs
            .chain(self.sums.iter().map(String::as_str))
            .collect()
    }
}

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Body<'a> {
    /// A chain's pass.
    Chain(&'a Chain, Pass),
    /// The pass's reads and writes with no arithmetic to speak of: the roof for its speed.
    Copy(Pass),
}

impl<'a> Body<'a> {
    pub(crate) fn pass(self) -> Pass {
        match self {
            Body::Chain(_, pass) | Body::Copy(pass) => pass,
        }
    }

    pub(crate) fn chain(self) -> Option<&'a Chain> {
        match self {
            Body::Chain(chain, _) => Some(chain),
            Body::Copy(_) => None,
        }
    }

    /// The operands of arguments that the pass reads, if these gradients are asked for.
    pub(crate) fn needs(self, gradients: &[&str]) -> Vec<String> {
        let Body::Chain(chain, pass) = self else {
            return Vec::new();
        };
        let code = ChainCode::new(chain, pass, gradients);
        let names = chain.operands().into_iter();
        let needed = names.filter(|name| mentions(&code.lines, &arg(name)));
        needed.map(str::to_owned).collect()
    }

    /// The random steps, by index, whose numbers the pass draws.
    pub(crate) fn draws(self, gradients: &[&str]) -> Vec<usize> {
        let Body::Chain(chain, pass) = self else {
            return Vec::new();
        };
        let code = ChainCode::new(chain, pass, gradients);
        let steps = chain.steps().iter().enumerate();
        let drawn = steps.filter(|(index, step)| {
            step.function().is_random() && mentions(&code.lines, &random(*index))
        });
        drawn.map(|(index, _)| index).collect()
    }
}

/// The files a `//#use` can name.
const FILES: &[(&str, &str)] = &[
    ("io/bf16.wgsl", include_str!("../shaders/io/bf16.wgsl")),
    ("io/f16.wgsl", include_str!("../shaders/io/f16.wgsl")),
    ("io/f32.wgsl", include_str!("../shaders/io/f32.wgsl")),
    ("math/acon.wgsl", include_str!("../shaders/math/acon.wgsl")),
    (
        "math/divide.wgsl",
        include_str!("../shaders/math/divide.wgsl"),
    ),
    ("math/exp.wgsl", include_str!("../shaders/math/exp.wgsl")),
    (
        "math/expm1.wgsl",
        include_str!("../shaders/math/expm1.wgsl"),
    ),
    (
        "math/ldexp.wgsl",
        include_str!("../shaders/math/ldexp.wgsl"),
    ),
    (
        "math/log1p.wgsl",
        include_str!("../shaders/math/log1p.wgsl"),
    ),
    (
        "math/normal.wgsl",
        include_str!("../shaders/math/normal.wgsl"),
    ),
    (
        "math/philox.wgsl",
        include_str!("../shaders/math/philox.wgsl"),
    ),
    (
        "math/sigmoid.wgsl",
        include_str!("../shaders/math/sigmoid.wgsl"),
    ),
];

/// The variable of an argument's operand.
pub(crate) fn arg(operand: &str) -> String {
    format!("arg_{operand}")
}

/// The variable of what a random step drew: the factor for dropout, the slope for rrelu.
fn random(index: usize) -> String {
    format!("random_{}", index + 1)
}

/// The name under which a step's constant stands in `struct Scalars`.
fn scalar(index: usize, parameter: &str) -> String {
    format!("s{}_{parameter}", index + 1)
}

/// Whether text has this identifier.
pub(crate) fn mentions(text: &str, identifier: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .any(|token| token == identifier)
}

/// Text under construction, and the files that are in it.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) text: String,
    files: Vec<String>,
}

impl Module {
    /// Appends a file behind those that it uses; an error names a file that is not there.
    fn file(&mut self, name: &str) -> Result<(), String> {
        let found = FILES.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| format!("there is no {name} to use"))?;
        if self.files.iter().any(|known| known == name) {
            return Ok(());
        }
        self.files.push(name.to_owned());
        self.append(text)
    }

    fn append(&mut self, text: &str) -> Result<(), String> {
        text.lines()
            .filter_map(used)
            .try_for_each(|name| self.file(name))?;
        for line in text
            .lines()
            .filter(|line| used(line).is_none() && !is_stub(line))
        {
            self.text.push_str(line);
            self.text.push('\n');
        }
        self.text.push('\n');
        Ok(())
    }

    /// A file of the project's own, or text that was tried before.
    pub(crate) fn known(&mut self, name: &str, text: Option<&str>) {
        let done = match text {
            None => self.file(name),
            Some(_) if self.files.iter().any(|known| known == name) => Ok(()),
            Some(text) => {
                self.files.push(name.to_owned());
                self.append(text)
            }
        };
        if let Err(problem) = done {
            unreachable!("{problem}");
        }
    }

    /// The rooms of a chain's activations, each once, and what random steps draw with.
    fn rooms(&mut self, chain: &Chain) {
        for step in chain.steps() {
            let activation = match step.function() {
                Function::Custom(custom) => {
                    self.known(custom.name(), Some(custom.wgsl()));
                    continue;
                }
                Function::Activation(activation) => *activation,
                Function::Rrelu => SLOPED,
                _ => continue,
            };
            let entry = activation.entry();
            self.known(entry.name, Some(entry.wgsl));
        }
    }
}

/// What rrelu does with the slope that it drew.
const SLOPED: crate::Activation = crate::Activation::LeakyRelu {
    negative_slope: 0.0,
};

/// The file that a line asks for.
fn used(line: &str) -> Option<&str> {
    line.trim().strip_prefix("//#use ").map(str::trim)
}

fn is_stub(line: &str) -> bool {
    line.trim_end().ends_with("//#stub")
}

/// Text of the user's own with empty lines for its stubs, and what it uses.
pub(crate) fn standing_alone(text: &str) -> Result<(String, String), String> {
    let mut module = Module::default();
    text.lines()
        .filter_map(used)
        .try_for_each(|name| module.file(name))?;
    let lines = text
        .lines()
        .map(|line| if is_stub(line) { "" } else { line });
    Ok((lines.collect::<Vec<_>>().join("\n"), module.text))
}

/// `struct Scalars`, the chain's constants by name, if it has any.
fn scalars(out: &mut String, chain: &Chain) -> bool {
    let steps = chain.steps().iter().enumerate();
    let fields: Vec<_> = steps
        .flat_map(|(i, s)| s.scalars().into_iter().map(move |(p, _)| scalar(i, p)))
        .collect();
    if !fields.is_empty() {
        out.push_str("struct Scalars {\n");
        fields
            .iter()
            .for_each(|field| _ = writeln!(out, "    {field}: f32,"));
        out.push_str("}\n\n");
    }
    !fields.is_empty()
}

/// The statements of a chain's pass, for one element.
struct ChainCode {
    lines: String,
    /// The pass's result, as an expression.
    result: String,
    /// The gradients that were asked for, as expressions.
    gradients: Vec<String>,
}

impl ChainCode {
    fn new(chain: &Chain, pass: Pass, gradients: &[&str]) -> ChainCode {
        match pass {
            Pass::Forward => {
                let mut lines = String::new();
                forward(&mut lines, chain, chain.steps().len());
                let result = value(chain.steps().len());
                let gradients = Vec::new();
                ChainCode {
                    lines,
                    result,
                    gradients,
                }
            }
            Pass::Backward => Self::backward(chain, gradients),
            Pass::BackwardFromY => Self::backward_from_y(chain),
        }
    }

    fn backward(chain: &Chain, asked: &[&str]) -> ChainCode {
        let steps: Vec<_> = chain.steps().iter().enumerate().collect();
        let mut lines = String::new();
        let mut found: Vec<(String, String)> = Vec::new();
        let mut gradient = "dy".to_owned();
        for (index, step) in steps.into_iter().rev() {
            let from = value(index);
            let named = |f: &Function| f.name().to_owned();
            for (parameter, argument) in step.parameters().into_iter().zip(step.arguments()) {
                let Argument::Operand(name) = argument else {
                    continue;
                };
                if !asked.contains(&name.as_str()) {
                    continue;
                }
                let term = match step.function() {
                    Function::Bias | Function::Residual => gradient.clone(),
                    Function::Scale | Function::Gate => format!("{gradient} * {from}"),
                    function => {
                        let arguments = arguments(index, step);
                        format!(
                            "{gradient} * act_{}_d_{parameter}({from}{arguments})",
                            named(function)
                        )
                    }
                };
                _ = writeln!(lines, "    let d_{name} = {term};");
                found.push((name.clone(), format!("d_{name}")));
            }
            let product = match step.function() {
                Function::Bias | Function::Residual => continue,
                Function::Scale | Function::Gate => {
                    format!("{gradient} * {}", argument(index, step, 0))
                }
                Function::Dropout => dropped(&gradient, index),
                Function::Rrelu => {
                    format!("{gradient} * act_leaky_relu_dx({from}, {})", random(index))
                }
                function => {
                    let arguments = arguments(index, step);
                    format!("{gradient} * act_{}_dx({from}{arguments})", named(function))
                }
            };
            _ = writeln!(lines, "    let g{index} = {product};");
            gradient = format!("g{index}");
        }
        // Values, as far as something above depends on them.
        let last = (1..=chain.steps().len()).rfind(|index| mentions(&lines, &value(*index)));
        let mut all = String::new();
        forward(&mut all, chain, last.unwrap_or(0));
        let of = |name: &&str| {
            found
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, d)| d.clone())
        };
        ChainCode {
            lines: all + &lines,
            result: gradient,
            gradients: asked.iter().filter_map(of).collect(),
        }
    }

    /// Of chains that [`Chain::supports`] lets pass.
    fn backward_from_y(chain: &Chain) -> ChainCode {
        let is_activation = |step: &Step| matches!(step.function(), Function::Activation(_));
        let activation = chain.steps().iter().position(is_activation);
        let (mut lines, mut gradient, mut from) = (String::new(), "dy".to_owned(), "y".to_owned());
        for (index, step) in chain.steps().iter().enumerate().rev() {
            let behind = activation.is_some_and(|at| at < index);
            let slope = match step.function() {
                Function::Activation(a) => {
                    let arguments = arguments(index, step);
                    format!("act_{}_dx_from_y({from}{arguments})", a.name())
                }
                Function::Scale => argument(index, step, 0),
                _ => String::new(),
            };
            if behind {
                let operator = if slope.is_empty() { '-' } else { '/' };
                let by = argument(index, step, 0);
                _ = writeln!(lines, "    let v{index} = {from} {operator} {by};");
                from = value(index);
            }
            if !slope.is_empty() {
                _ = writeln!(lines, "    let g{index} = {gradient} * {slope};");
                gradient = format!("g{index}");
            }
        }
        ChainCode {
            lines,
            result: gradient,
            gradients: Vec::new(),
        }
    }
}

fn value(index: usize) -> String {
    if index == 0 {
        "x".to_owned()
    } else {
        format!("v{index}")
    }
}

/// A step's argument, as an expression.
fn argument(index: usize, step: &Step, parameter: usize) -> String {
    match &step.arguments()[parameter] {
        Argument::Constant(_) => format!("c.{}", scalar(index, step.parameters()[parameter])),
        Argument::Operand(name) => arg(name),
    }
}

/// All of a step's arguments, each behind a comma.
fn arguments(index: usize, step: &Step) -> String {
    let all = 0..step.arguments().len();
    all.map(|p| format!(", {}", argument(index, step, p)))
        .collect()
}

/// A product with what dropout drew. What it drops is zero even where it was infinite.
fn dropped(what: &str, index: usize) -> String {
    let factor = random(index);
    format!("select({what} * {factor}, 0.0, {factor} == 0.0)")
}

/// The values behind the first `upto` steps.
fn forward(out: &mut String, chain: &Chain, upto: usize) {
    for (index, step) in chain.steps().iter().enumerate().take(upto) {
        let from = value(index);
        let result = match step.function() {
            Function::Scale | Function::Gate => format!("{from} * {}", argument(index, step, 0)),
            Function::Bias | Function::Residual => {
                format!("{from} + {}", argument(index, step, 0))
            }
            Function::Dropout => dropped(&from, index),
            Function::Rrelu => format!("act_leaky_relu({from}, {})", random(index)),
            function => format!("act_{}({from}{})", function.name(), arguments(index, step)),
        };
        _ = writeln!(out, "    let {} = {result};", value(index + 1));
    }
}

/// The chain's function of one element: `chain_y` or `chain_dx`, or, where gradients are asked for,
/// `chain_gradients`, which returns a struct. `operands` and `draws` are its parameters beside the pass's own.
fn chain_function(
    out: &mut String,
    chain: &Chain,
    pass: Pass,
    gradients: &[&str],
    operands: &[String],
    draws: &[usize],
    has_scalars: bool,
) {
    let code = ChainCode::new(chain, pass, gradients);
    let names = pass.operands();
    let (output, inputs) = names.split_last().unwrap_or((&"", &[]));
    let inputs = inputs.iter().map(ToString::to_string);
    let operands = operands.iter().map(|name| arg(name));
    let draws = draws.iter().map(|index| random(*index));
    let mut parameters: Vec<_> = inputs
        .chain(operands)
        .chain(draws)
        .map(|name| format!("{name}: f32"))
        .collect();
    if has_scalars {
        parameters.push("c: Scalars".into());
    }
    let parameters = parameters.join(", ");
    let ChainCode {
        lines,
        result,
        gradients: terms,
    } = code;
    if gradients.is_empty() {
        _ = writeln!(
            out,
            "// {pass} of {chain}\nfn chain_{output}({parameters}) -> f32 {{\n{lines}    return {result};\n}}\n"
        );
    } else {
        let fields: String = gradients
            .iter()
            .map(|name| format!("    d_{name}: f32,\n"))
            .collect();
        _ = writeln!(
            out,
            "struct Gradients {{\n    dx: f32,\n{fields}}}\n\n// {pass} of {chain}\n\
             fn chain_gradients({parameters}) -> Gradients {{\n{lines}    return Gradients({result}, {});\n}}\n",
            terms.join(", ")
        );
    }
}

/// The chain as functions for somebody's own kernel: `<prefix>_y(x)` and `<prefix>_dx(x, dy)`, both with
/// the operands of arguments, what random steps drew and `<prefix>_Scalars` behind as far as the chain has
/// them, and `<prefix>_gradients`; and all that they use under names with the prefix.
pub(crate) fn functions(chain: &Chain, prefix: &str) -> String {
    let mut module = Module::default();
    module.rooms(chain);
    let mut out = module.text;
    let has_scalars = scalars(&mut out, chain);
    let operands: Vec<_> = chain.operands().iter().map(ToString::to_string).collect();
    let steps = chain.steps().iter().enumerate();
    let draws: Vec<_> = steps
        .filter(|(_, s)| s.function().is_random())
        .map(|(i, _)| i)
        .collect();
    let mut function = |pass, gradients: &[&str]| {
        chain_function(
            &mut out,
            chain,
            pass,
            gradients,
            &operands,
            &draws,
            has_scalars,
        );
    };
    function(Pass::Forward, &[]);
    function(Pass::Backward, &[]);
    let learned = chain.learnable();
    if !learned.is_empty() {
        function(Pass::Backward, &learned);
    }
    prefixed(&out, prefix)
}

/// Whether there is a gradient with respect to a step's parameter.
pub(crate) fn has_gradient(step: &Step, parameter: usize) -> bool {
    let name = step.parameters()[parameter];
    match step.function() {
        Function::Activation(activation) => {
            let gradients = activation.entry().room.gradients;
            gradients.iter().any(|gradient| gradient.parameter == name)
        }
        Function::Custom(custom) => custom.has_gradient(name),
        function => !function.is_random(),
    }
}

/// Puts a prefix before every name that WGSL text declares at module scope.
fn prefixed(text: &str, prefix: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let declared = |line: &str| {
        let rest = ["fn ", "const ", "struct "]
            .iter()
            .find_map(|word| line.strip_prefix(word))?;
        rest.split(|c| !is_part(c)).next().map(str::to_owned)
    };
    let globals: Vec<String> = text.lines().filter_map(declared).collect();
    let mut out = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        let (code, comment) = line.split_at(line.find("//").unwrap_or(line.len()));
        for token in code.split_inclusive(|c| !is_part(c)) {
            let name = token.trim_end_matches(|c| !is_part(c));
            // A field may have a global's name.
            if globals.iter().any(|global| global == name) && !out.ends_with('.') {
                out.push_str(prefix);
                out.push('_');
                out.push_str(name.strip_prefix("chain_").unwrap_or(name));
                out.push_str(&token[name.len()..]);
            } else {
                out.push_str(token);
            }
        }
        out.push_str(comment);
        out.push('\n');
    }
    out
}

/// Where an operand is, in numbers: what `struct Args` says of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The first word or element.
    pub(crate) offset: u32,
    /// Rows: the length of one, and what lies between one and the next.
    pub(crate) row: u32,
    pub(crate) gap: u32,
    /// Channels: elements beside each other that share a value, and how many values there are.
    pub(crate) inner: u32,
    pub(crate) channels: u32,
}

/// The numbers of one dispatch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Args {
    /// Elements.
    pub(crate) len: u32,
    /// Workgroups in a row of the grid.
    pub(crate) row: u32,
    /// The first element, counted from the operands' beginning: for channels and random numbers.
    pub(crate) start: u32,
    pub(crate) inputs: Vec<Place>,
    pub(crate) outputs: Vec<Place>,
    /// Seed and offset of the random numbers.
    pub(crate) random: Option<[u32; 4]>,
    pub(crate) sweep: Option<SweepArgs>,
}

/// The part of `struct Args` that sweeps need. Lengths are in words or elements, as the access has it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SweepArgs {
    /// Workgroups.
    pub(crate) groups: u32,
    /// Samples, channels, and elements beside each other of one channel.
    pub(crate) outer: u32,
    pub(crate) channels: u32,
    pub(crate) inner: u32,
    /// Samples that are summed together, and for columns in one running sum; elements of a row that one
    /// workgroup has, and such parts in a row; for columns, workgroups beside each other.
    pub(crate) block: u32,
    pub(crate) chunk: u32,
    pub(crate) tile: u32,
    pub(crate) tiles: u32,
    /// Where in the partial sums this dispatch's begin, and how many there are of each operand.
    pub(crate) first: u32,
    pub(crate) stride: u32,
}

/// What [`m_divide`] of shaders/math/divide.wgsl needs for a divisor.
pub(crate) fn divisor(d: u32) -> [u32; 2] {
    let shift = u32::BITS - d.max(1).saturating_sub(1).leading_zeros();
    let magic = (1u64 << (31 + shift)).div_ceil(u64::from(d.max(1)));
    [magic as u32, shift]
}

/// The fields of `struct Args`, with their values: one list, so that the text and the numbers agree.
pub(crate) fn fields(form: &Form, args: &Args) -> Vec<(String, u32)> {
    let mut all: Vec<(String, u32)> = Vec::new();
    let mut put = |name: &str, value: u32| all.push((name.to_owned(), value));
    put("len", args.len);
    put("row", args.row);
    put("start", args.start);
    let place = |index: usize, places: &[Place]| places.get(index).copied().unwrap_or_default();
    fn rows(put: &mut impl FnMut(&str, u32), name: &str, place: Place) {
        let [magic, shift] = divisor(place.row);
        put(&format!("row_magic_{name}"), magic);
        put(&format!("row_shift_{name}"), shift);
        put(&format!("gap_{name}"), place.gap);
    }
    for (index, Input { name, at, .. }) in form.inputs.iter().enumerate() {
        let place = place(index, &args.inputs);
        put(name, place.offset);
        match at {
            At::Each | At::Shared | At::Held | At::HeldSample => {}
            At::Rows => rows(&mut put, name, place),
            At::Channel | At::Channels => {
                for (what, d) in [("inner", place.inner), ("channels", place.channels)] {
                    let [magic, shift] = divisor(d);
                    put(&format!("{what}_magic_{name}"), magic);
                    put(&format!("{what}_shift_{name}"), shift);
                }
                put(&format!("channels_{name}"), place.channels);
            }
        }
    }
    for (index, output) in form.outputs.iter().enumerate() {
        let place = place(index, &args.outputs);
        put(&output.name, place.offset);
        if output.rows {
            rows(&mut put, &output.name, place);
        }
    }
    if let Some(random) = args.random {
        for (name, value) in ["seed_low", "seed_high", "offset_low", "offset_high"]
            .iter()
            .zip(random)
        {
            put(name, value);
        }
    }
    if let Some(sweep) = args.sweep {
        for (name, value) in [
            ("groups", sweep.groups),
            ("outer", sweep.outer),
            ("channels", sweep.channels),
            ("inner", sweep.inner),
            ("block", sweep.block),
            ("chunk", sweep.chunk),
            ("tile", sweep.tile),
            ("tiles", sweep.tiles),
            ("tiles_magic", divisor(sweep.tiles)[0]),
            ("tiles_shift", divisor(sweep.tiles)[1]),
            ("channels_magic", divisor(sweep.channels)[0]),
            ("channels_shift", divisor(sweep.channels)[1]),
            ("first", sweep.first),
            ("stride", sweep.stride),
        ] {
            put(name, value);
        }
    }
    all
}

/// The whole kernel.
pub(crate) fn kernel(body: Body<'_>, form: &Form) -> String {
    let pass = body.pass();
    let gradients = form.gradients();
    let draws = body.draws(&gradients);
    let kernel = Kernel {
        form,
        draws: &draws,
    };
    let sweeps = form.sweep != Sweep::Each;

    let mut module = Module::default();
    if let Body::Chain(chain, _) = body {
        let dtypes = form
            .inputs
            .iter()
            .map(|i| i.dtype)
            .chain(form.outputs.iter().map(|o| o.dtype));
        dtypes.for_each(|dtype| module.known(&format!("io/{dtype}.wgsl"), None));
        if kernel.divides() {
            module.known("math/divide.wgsl", None);
        }
        if !draws.is_empty() {
            module.known("math/philox.wgsl", None);
        }
        module.rooms(chain);
    }
    let mut out = module.text;
    let has_scalars = match body {
        Body::Chain(chain, pass) => {
            let has_scalars = scalars(&mut out, chain);
            // Those that are bound, which another dispatch of the same binding may need more of.
            let operands = form
                .inputs
                .iter()
                .filter_map(|i| i.name.strip_prefix("arg_"));
            let operands: Vec<_> = operands.map(str::to_owned).collect();
            chain_function(
                &mut out,
                chain,
                pass,
                &gradients,
                &operands,
                &draws,
                has_scalars,
            );
            has_scalars
        }
        Body::Copy(_) => false,
    };

    // Places and sizes. Offsets are in words or in elements, as the access has it, len is in elements; row
    // is the number of workgroups in a row of the grid.
    if !sweeps {
        out.push_str("override WORKGROUP: u32 = 256u;\n\n");
    }
    let args = Args {
        random: (!draws.is_empty()).then_some([0; 4]),
        sweep: sweeps.then(SweepArgs::default),
        ..Args::default()
    };
    out.push_str("struct Args {\n");
    fields(form, &args)
        .iter()
        .for_each(|(name, _)| _ = writeln!(out, "    {name}: u32,"));
    if has_scalars {
        out.push_str("    @align(16) scalars: Scalars,\n");
    }
    out.push_str("}\n\n");
    kernel.bindings(&mut out);
    kernel.element(&mut out, body, pass, has_scalars);
    kernel.word(&mut out);
    match form.sweep {
        Sweep::Each => kernel.each(&mut out),
        Sweep::Rows => kernel.rows(&mut out),
        Sweep::Columns => kernel.columns(&mut out),
    }
    out
}

/// What a pass does with its operands, in WGSL.
struct Kernel<'a> {
    form: &'a Form,
    /// The random steps, by index.
    draws: &'a [usize],
}

/// The element of index `at` (an identifier) as bits.
fn fetch(name: &str, dtype: DType, at: &str) -> String {
    match dtype.size() {
        4 => format!("{name}[{at}]"),
        _ => format!("({name}[{at} >> 1u] >> (16u * ({at} & 1u))) & 0xffffu"),
    }
}

impl Kernel<'_> {
    fn divides(&self) -> bool {
        let inputs = self.form.inputs.iter();
        let divided = |input: &Input| matches!(input.at, At::Rows | At::Channel | At::Channels);
        self.form.sweep != Sweep::Each
            || inputs.clone().any(divided)
            || self.form.outputs.iter().any(|output| output.rows)
    }

    /// Whether elements are counted from the beginning of x: for channels and random numbers.
    fn counts(&self) -> bool {
        let per_channel = |input: &Input| matches!(input.at, At::Channel | At::Channels);
        !self.draws.is_empty() || self.form.inputs.iter().any(per_channel)
    }

    /// Inputs that a sweep loads once for many words, and hands to `word`.
    fn held(&self) -> impl Iterator<Item = &Input> {
        let sweeps = self.form.sweep != Sweep::Each;
        let inputs = self.form.inputs.iter();
        inputs.filter(move |input| {
            sweeps && matches!(input.at, At::Shared | At::Held | At::HeldSample)
        })
    }

    /// Whether an input has a value for each of the four elements of a word.
    fn is_fourfold(&self, at: At) -> bool {
        let columns = self.form.sweep == Sweep::Columns && self.form.access == Access::Vec4;
        at == At::Channels || (columns && matches!(at, At::Held | At::HeldSample | At::Shared))
    }

    /// Statements that load what is held: its values `w_<name>`, from `place` on, and in `n_<name>` whether
    /// they are NaN.
    fn hold(&self, out: &mut String, at: At, place: &str) {
        let indent = if at == At::HeldSample {
            "        "
        } else {
            "    "
        };
        for Input { name, dtype, .. } in self.held().filter(|input| input.at == at) {
            let value = |bits: &str| format!("{dtype}_value({bits})");
            let nan = |bits: &str| format!("select(0u, 1u, {dtype}_is_nan({bits}))");
            let bits = format!("bits_{name}");
            let (values, nans) = if self.is_fourfold(at) {
                let each = |text: &dyn Fn(&str) -> String| {
                    let lanes = [0, 1, 2, 3].map(|lane| text(&format!("{bits}[{lane}]")));
                    format!("vec4({})", lanes.join(", "))
                };
                (each(&value), each(&nan))
            } else {
                (value(&bits), nan(&bits))
            };
            let plus = if place.is_empty() { "" } else { " + " };
            _ = writeln!(
                out,
                "{indent}let at_{name} = args.{name}{plus}{place};
{indent}let {bits} = {};
{indent}let w_{name} = {values};
{indent}let n_{name} = {nans};",
                self.values_at(name, *dtype, at)
            );
        }
        // All of it is there.
        let samples = self.held().any(|input| input.at == At::HeldSample);
        if (samples && at == At::HeldSample) || (!samples && at == At::Held) {
            let nans: Vec<_> = self
                .held()
                .map(|input| format!("n_{}", input.name))
                .collect();
            if !nans.is_empty() {
                _ = writeln!(out, "{indent}let held_nan = {};", nans.join(" | "));
            }
        }
    }

    /// An input's value or values from `at_<name>` on, as bits.
    fn values_at(&self, name: &str, dtype: DType, at: At) -> String {
        let value = |plus: &str| fetch(name, dtype, &format!("(at_{name}{plus})"));
        if !self.is_fourfold(at) {
            fetch(name, dtype, &format!("at_{name}"))
        } else if at == At::Shared {
            format!("vec4({})", value(""))
        } else {
            let lanes = [0, 1, 2, 3].map(|lane| value(&format!(" + {lane}u")));
            format!("vec4({})", lanes.join(", "))
        }
    }

    /// What `word` is told of what is held: name and type.
    fn told(&self) -> Vec<(String, &'static str)> {
        let fourfold = self.held().any(|input| self.is_fourfold(input.at));
        let (float, uint) = if fourfold {
            ("vec4<f32>", "vec4<u32>")
        } else {
            ("f32", "u32")
        };
        let values = self
            .held()
            .map(|input| (format!("w_{}", input.name), float));
        let nan = self.held().next().map(|_| ("held_nan".to_owned(), uint));
        values.chain(nan).collect()
    }

    /// A call of `word` for the word or element `at`.
    fn call_word(&self, at: &str) -> String {
        let held = self.told().into_iter().map(|(name, _)| format!(", {name}"));
        format!("word({at}{})", held.collect::<String>())
    }

    /// The variable that each output is stored through.
    fn targets(&self) -> Vec<&str> {
        let outputs = self.form.outputs.iter();
        outputs
            .map(|output| match output.in_place {
                Some(input) => self.form.inputs[input].name.as_str(),
                None => output.name.as_str(),
            })
            .collect()
    }

    /// An input is reached in words only where its elements lie as x's do.
    fn is_wide(&self, at: At) -> bool {
        self.form.access == Access::Vec4 && matches!(at, At::Each | At::Rows)
    }

    fn bindings(&self, out: &mut String) {
        let Form {
            inputs,
            outputs,
            shared,
            access,
            sums,
            ..
        } = self.form;
        let mut binding = 0;
        let mut put = |name: &str, written: bool, wide: Option<DType>| {
            let mode = if *shared || written {
                "read_write"
            } else {
                "read"
            };
            let word = wide.map_or("u32".into(), |dtype| format!("vec{}<u32>", dtype.size()));
            _ = writeln!(
                out,
                "@group(0) @binding({binding}) var<storage, {mode}> {name}: array<{word}>;"
            );
            binding += 1;
        };
        for (index, Input { name, dtype, at }) in inputs.iter().enumerate() {
            let written = outputs.iter().any(|output| output.in_place == Some(index));
            put(name, written, self.is_wide(*at).then_some(*dtype));
        }
        for Output {
            name,
            dtype,
            in_place,
            ..
        } in outputs
        {
            if in_place.is_none() {
                put(name, true, (*access == Access::Vec4).then_some(*dtype));
            }
        }
        if !sums.is_empty() {
            put("partials", true, None);
        }
        _ = writeln!(
            out,
            "@group(0) @binding({binding}) var<uniform> args: Args;"
        );
    }

    /// The function of one element, from bits to bits; with more than one result, to a struct.
    fn element(&self, out: &mut String, body: Body<'_>, pass: Pass, has_scalars: bool) {
        let Form {
            inputs,
            outputs,
            sums,
            ..
        } = self.form;
        let is_held = |input: &Input| self.held().any(|held| held.name == input.name);
        let mut parameters: Vec<_> = inputs
            .iter()
            .map(|input| match is_held(input) {
                true => format!("w_{}: f32", input.name),
                false => format!("{}_bits: u32", input.name),
            })
            .collect();
        parameters.extend(
            self.draws
                .iter()
                .map(|index| format!("{}_bits: u32", random(*index))),
        );
        parameters.extend(self.held().next().map(|_| "held_nan: u32".into()));
        let parameters = parameters.join(", ");
        let join = |text: &dyn Fn(&Input) -> String, separator: &str| {
            inputs.iter().map(text).collect::<Vec<_>>().join(separator)
        };
        let Body::Chain(chain, _) = body else {
            let result = join(&|input| format!("{}_bits", input.name), " ^ ");
            _ = writeln!(
                out,
                "\nfn element({parameters}) -> u32 {{\n    return {result};\n}}\n"
            );
            return;
        };
        let mut values = vec![join(
            &|input| match (is_held(input), &input.name, input.dtype) {
                (true, name, _) => format!("w_{name}"),
                (false, name, dtype) => format!("{dtype}_value({name}_bits)"),
            },
            ", ",
        )];
        for index in self.draws {
            let bits = format!("{}_bits", random(*index));
            let function = if *chain.steps()[*index].function() == Function::Rrelu {
                "m_uniform"
            } else {
                "m_keep"
            };
            let constants = chain.steps()[*index].scalars().into_iter();
            let constants: String = constants
                .map(|(p, _)| format!(", args.scalars.{}", scalar(*index, p)))
                .collect();
            values.push(format!("{function}({bits}{constants})"));
        }
        if has_scalars {
            values.push("args.scalars".into());
        }
        let values = values.join(", ");
        let tests = inputs.iter().filter(|input| !is_held(input));
        let tests = tests.map(|Input { name, dtype, .. }| format!("{dtype}_is_nan({name}_bits)"));
        let held = self.held().next().map(|_| "(held_nan > 0u)".into());
        let nan = tests.chain(held).collect::<Vec<_>>().join(" | ");
        if self.is_plain() {
            let output = &outputs[0];
            _ = writeln!(
                out,
                "\nfn element({parameters}) -> u32 {{\n    return {}_bits(chain_{}({values}), {nan});\n}}\n",
                output.dtype, output.name
            );
            return;
        }
        _ = writeln!(out, "\nstruct Element {{");
        outputs
            .iter()
            .for_each(|output| _ = writeln!(out, "    {}: u32,", output.name));
        sums.iter()
            .for_each(|name| _ = writeln!(out, "    sum_{name}: f32,"));
        let mut results = Vec::new();
        let learns = !self.form.gradients().is_empty();
        for Output { name, dtype, .. } in outputs {
            let result = if learns {
                format!("g.{name}")
            } else {
                "g".into()
            };
            results.push(format!("{dtype}_bits({result}, nan)"));
        }
        results.extend(sums.iter().map(|name| format!("g.d_{name}")));
        if !sums.is_empty() {
            out.push_str("    nan: bool,\n");
            results.push("nan".into());
        }
        let function = if learns {
            "gradients"
        } else {
            pass.operands().last().copied().unwrap_or("")
        };
        _ = writeln!(
            out,
            "}}\n\nfn element({parameters}) -> Element {{\n    let nan = {nan};\n    let g = \
             chain_{function}({values});\n    return Element({});\n}}\n",
            results.join(", ")
        );
    }

    /// Whether an element has one result, the pass's.
    fn is_plain(&self) -> bool {
        self.form.outputs.len() == 1 && self.form.gradients().is_empty()
    }

    /// An element's result for an output.
    fn result(&self, element: &str, output: &Output) -> String {
        if self.is_plain() {
            element.to_owned()
        } else {
            format!("{element}.{}", output.name)
        }
    }

    /// `fn word(i)`: the i-th word, or element, or pair of elements; where there are sums, it returns its share.
    fn word(&self, out: &mut String) {
        let Form {
            access,
            sums,
            sweep,
            ..
        } = self.form;
        let wide = *access == Access::Vec4 && *sweep == Sweep::Columns;
        let held = self.told().into_iter();
        let held = held.map(|(name, ty)| format!(", {name}: {ty}"));
        let parameters = format!("i: u32{}", held.collect::<String>());
        if sums.is_empty() {
            _ = writeln!(out, "fn word({parameters}) {{");
        } else {
            let (float, uint) = if wide {
                ("vec4<f32>", "vec4<u32>")
            } else {
                ("f32", "u32")
            };
            out.push_str("struct Terms {\n");
            sums.iter()
                .for_each(|name| _ = writeln!(out, "    {name}: {float},"));
            _ = writeln!(
                out,
                "    nan: {uint},\n}}\n\nfn word({parameters}) -> Terms {{"
            );
        }
        match access {
            Access::Vec4 => self.vec4_word(out),
            Access::Scalar => self.scalar_word(out),
        }
        if !sums.is_empty() {
            let terms = sums
                .iter()
                .map(|name| format!("sum_{name}"))
                .chain(["nan".into()]);
            let bit = |nan: &str| format!("select(0u, 1u, {nan})");
            let lanes = |field: &str| [0, 1, 2, 3].map(|lane| format!("e{lane}.{field}"));
            let terms = terms.map(|field| match (access, wide, field == "nan") {
                (Access::Scalar, _, false) => format!("e0.{field}"),
                (Access::Scalar, _, true) => bit("e0.nan"),
                (_, true, false) => format!("vec4({})", lanes(&field).join(", ")),
                (_, true, true) => {
                    format!("vec4({})", lanes(&field).map(|nan| bit(&nan)).join(", "))
                }
                (_, false, false) => {
                    format!("(e0.{field} + e1.{field}) + (e2.{field} + e3.{field})")
                }
                (_, false, true) => bit(&lanes(&field).join(" | ")),
            });
            let terms: Vec<_> = terms.collect();
            _ = writeln!(out, "    return Terms({});", terms.join(", "));
        }
        out.push_str("}\n\n");
    }

    /// Where the element or word `i` of an operand lies.
    fn place(name: &str, rows: bool, i: &str) -> String {
        if rows {
            format!(
                "args.{name} + {i} + m_divide({i}, args.row_magic_{name}, args.row_shift_{name}) * \
                 args.gap_{name}"
            )
        } else {
            format!("args.{name} + {i}")
        }
    }

    /// Statements that find the channel of an element: `at_<name>` is the place of its value.
    fn channel(out: &mut String, name: &str, element: &str) {
        _ = writeln!(
            out,
            "    let row_{name} = m_divide({element}, args.inner_magic_{name}, args.inner_shift_{name});
    let at_{name} = args.{name} + row_{name} - args.channels_{name} * \
    m_divide(row_{name}, args.channels_magic_{name}, args.channels_shift_{name});"
        );
    }

    /// The numbers that the random steps draw for four elements, the first of which is a multiple of 4.
    fn draw(&self, out: &mut String, first: &str) {
        for (index, step) in self.draws.iter().enumerate() {
            // Each step has an offset of its own, which is the counter's upper half.
            let low = format!("args.offset_low + {index}u");
            let high = format!("args.offset_high + select(0u, 1u, {low} < args.offset_low)");
            _ = writeln!(
                out,
                "    let draws_{} = m_philox(vec4(({first}) >> 2u, 0u, {low}, {high}), \
                 vec2(args.seed_low, args.seed_high));",
                step + 1
            );
        }
    }

    /// Four elements at a time.
    fn vec4_word(&self, out: &mut String) {
        let Form {
            inputs,
            outputs,
            sweep,
            whole,
            ..
        } = self.form;
        // What is swept always is.
        let is_whole = *whole || *sweep != Sweep::Each;
        if *sweep == Sweep::Each {
            out.push_str("    if 4u * i >= args.len {\n        return;\n    }\n");
        }
        if self.counts() {
            out.push_str("    let first = args.start + 4u * i;\n");
        }
        for Input { name, dtype, at } in inputs {
            match at {
                At::Each | At::Rows => {
                    let place = Self::place(name, *at == At::Rows, "i");
                    _ = writeln!(out, "    let w_{name} = {name}[{place}];");
                    continue;
                }
                At::Shared if *sweep == Sweep::Each => {
                    _ = writeln!(out, "    let at_{name} = args.{name};");
                }
                At::Channel | At::Channels => Self::channel(out, name, "first"),
                At::Shared | At::Held | At::HeldSample => continue,
            }
            _ = writeln!(
                out,
                "    let w_{name} = {};",
                self.values_at(name, *dtype, *at)
            );
        }
        self.draw(out, "first");
        let lane_bits = |lane: usize| {
            let mut bits: Vec<_> = inputs
                .iter()
                .map(|Input { name, dtype, at }| match (at, dtype.size(), lane) {
                    _ if self.is_fourfold(*at) => format!("w_{name}[{lane}]"),
                    (At::Shared | At::Channel | At::Held | At::HeldSample, ..) => {
                        format!("w_{name}")
                    }
                    (_, 4, _) => format!("w_{name}[{lane}]"),
                    (_, _, 0 | 2) => format!("w_{name}[{}] & 0xffffu", lane / 2),
                    _ => format!("w_{name}[{}] >> 16u", lane / 2),
                })
                .collect();
            bits.extend(
                self.draws
                    .iter()
                    .map(|step| format!("draws_{}[{lane}]", step + 1)),
            );
            bits.extend(
                self.held()
                    .next()
                    .map(|input| match self.is_fourfold(input.at) {
                        true => format!("held_nan[{lane}]"),
                        false => "held_nan".into(),
                    }),
            );
            format!("element({})", bits.join(", "))
        };
        for lane in 0..4 {
            _ = writeln!(out, "    let e{lane} = {};", lane_bits(lane));
        }
        if outputs.is_empty() {
            return;
        }
        let targets = self.targets();
        for (output, target) in outputs.iter().zip(&targets) {
            let Output {
                name, dtype, rows, ..
            } = output;
            let [a, b, c, d] = ["e0", "e1", "e2", "e3"].map(|e| self.result(e, output));
            let result = if dtype.size() == 4 {
                format!("vec4({a}, {b}, {c}, {d})")
            } else {
                format!("vec2({a} | ({b} << 16u), {c} | ({d} << 16u))")
            };
            _ = writeln!(
                out,
                "    let r_{name} = {result};\n    let o_{name} = {};",
                Self::place(name, *rows, "i")
            );
            if is_whole {
                _ = writeln!(out, "    {target}[o_{name}] = r_{name};");
            }
        }
        if is_whole {
            return;
        }
        // The last word may reach behind the operand: there only its own elements are written, and an
        // element's neighbour in the same 32 bits is written back as it was.
        out.push_str("    let left = args.len - 4u * i;\n    if left >= 4u {\n");
        for (Output { name, .. }, target) in outputs.iter().zip(&targets) {
            _ = writeln!(out, "        {target}[o_{name}] = r_{name};");
        }
        out.push_str("        return;\n    }\n");
        for (Output { name, dtype, .. }, target) in outputs.iter().zip(&targets) {
            let at = format!("{target}[o_{name}]");
            _ = if dtype.size() == 4 {
                writeln!(
                    out,
                    "    {at}.x = r_{name}.x;
    if left > 1u {{
        {at}.y = r_{name}.y;
    }}
    if left > 2u {{
        {at}.z = r_{name}.z;
    }}"
                )
            } else {
                writeln!(
                    out,
                    "    if left == 1u {{
        {at}.x = ({at}.x & 0xffff0000u) | (r_{name}.x & 0xffffu);
    }} else {{
        {at}.x = r_{name}.x;
    }}
    if left == 3u {{
        {at}.y = ({at}.y & 0xffff0000u) | (r_{name}.y & 0xffffu);
    }}"
                )
            };
        }
    }

    /// Statements that call `element` for the element `e`, an identifier, and call the result `to`.
    fn scalar_element(&self, out: &mut String, e: &str, to: &str) {
        let mut bits = Vec::new();
        if self.counts() {
            _ = writeln!(out, "    let first = args.start + {e};");
        }
        for Input { name, dtype, at } in &self.form.inputs {
            match at {
                At::Each | At::Rows => {
                    let place = Self::place(name, *at == At::Rows, e);
                    _ = writeln!(out, "    let at_{name} = {place};");
                }
                At::Shared if self.form.sweep == Sweep::Each => {
                    _ = writeln!(out, "    let at_{name} = args.{name};");
                }
                At::Channel | At::Channels => Self::channel(out, name, "first"),
                At::Shared | At::Held | At::HeldSample => {
                    bits.push(format!("w_{name}"));
                    continue;
                }
            }
            bits.push(fetch(name, *dtype, &format!("at_{name}")));
        }
        self.draw(out, "first");
        bits.extend(
            self.draws
                .iter()
                .map(|step| format!("draws_{}[first & 3u]", step + 1)),
        );
        bits.extend(self.held().next().map(|_| "held_nan".into()));
        _ = writeln!(out, "    let {to} = element({});", bits.join(", "));
    }

    /// Single elements: the element of 32-bit results, or the two that share the 32 bits of a smaller one, so
    /// that no two invocations write to the same place.
    fn scalar_word(&self, out: &mut String) {
        let Form { outputs, sweep, .. } = self.form;
        let targets = self.targets();
        let small = outputs.iter().any(|output| output.dtype.size() < 4);
        if !small {
            if *sweep == Sweep::Each {
                out.push_str("    if i >= args.len {\n        return;\n    }\n");
            }
            self.scalar_element(out, "i", "e0");
            for (output, target) in outputs.iter().zip(&targets) {
                let Output { name, rows, .. } = output;
                let result = self.result("e0", output);
                _ = writeln!(
                    out,
                    "    {target}[{}] = {result};",
                    Self::place(name, *rows, "i")
                );
            }
            return;
        }
        // There is one output. Its first element is the upper half of its word where the offset is odd: e
        // wraps below zero then. Rows begin at whole words.
        let (Output { name, rows, .. }, target) = (&outputs[0], targets[0]);
        _ = writeln!(
            out,
            "    let e = 2u * i - (args.{name} & 1u);
    let low = e < args.len;
    let high = e + 1u < args.len;
    if !low && !high {{
        return;
    }}"
        );
        let at = if *rows {
            format!("({}) >> 1u", Self::place(name, true, "e"))
        } else {
            format!("(args.{name} >> 1u) + i")
        };
        _ = writeln!(
            out,
            "    let at = {at};
    var bits = {target}[at];
    if low {{
        bits = (bits & 0xffff0000u) | one(e);
    }}
    if high {{
        bits = (bits & 0xffffu) | (one(e + 1u) << 16u);
    }}
    {target}[at] = bits;"
        );
    }

    fn each(&self, out: &mut String) {
        let Form {
            access,
            outputs,
            words,
            ..
        } = self.form;
        let small = outputs.iter().any(|output| output.dtype.size() < 4);
        if *access == Access::Scalar && small {
            out.push_str("fn one(e: u32) -> u32 {\n");
            self.scalar_element(out, "e", "result");
            let result = self.result("result", &outputs[0]);
            _ = writeln!(out, "    return {result};\n}}\n");
        }
        out.push_str("@compute @workgroup_size(WORKGROUP)\nfn main(\n");
        out.push_str("    @builtin(workgroup_id) group: vec3<u32>,\n");
        out.push_str("    @builtin(local_invocation_index) lane: u32,\n) {\n");
        _ = writeln!(
            out,
            "    let first = (group.y * args.row + group.x) * (WORKGROUP * {words}u) + lane;"
        );
        for index in 0..*words {
            let at = if index == 0 {
                "first".into()
            } else {
                format!("first + {index}u * WORKGROUP")
            };
            _ = writeln!(out, "    word({at});");
        }
        out.push_str("}\n");
    }

    /// The loops of a sweep over a block's samples, with a call of `word` in each; `open` and `close` are the
    /// loop over a sample, `place` is where its values are held. No sum is long: one is taken of some samples,
    /// and these sums are added up.
    fn sweep(&self, out: &mut String, place: &str, open: &str, at: &str, close: &str) {
        let fourfold = self.form.sweep == Sweep::Columns && self.form.access == Access::Vec4;
        let (float, uint) = if fourfold {
            ("vec4(0.0)", "vec4(0u)")
        } else {
            ("0.0", "0u")
        };
        let sums = &self.form.sums;
        out.push_str(
            "    let begin = block * args.block;\n    let end = min(begin + args.block, args.outer);\n",
        );
        let mut samples = "begin; sample < end";
        if !sums.is_empty() {
            for name in sums {
                _ = writeln!(out, "    var total_{name} = {float};");
            }
            _ = writeln!(
                out,
                "    var nan = {uint};\n    for (var chunk = begin; chunk < end; chunk += args.chunk) {{"
            );
            for name in sums {
                _ = writeln!(out, "    var part_{name} = {float};");
            }
            samples = "chunk; sample < min(chunk + args.chunk, end)";
        }
        _ = writeln!(out, "    for (var sample = {samples}; sample += 1u) {{");
        self.hold(out, At::HeldSample, place);
        out.push_str(open);
        let call = self.call_word(at);
        if sums.is_empty() {
            _ = writeln!(out, "            {call};");
        } else {
            _ = writeln!(out, "            let terms = {call};");
            for name in sums {
                _ = writeln!(out, "            part_{name} += terms.{name};");
            }
            out.push_str("            nan |= terms.nan;\n");
        }
        _ = writeln!(out, "{close}    }}");
        for name in sums {
            _ = writeln!(out, "    total_{name} += part_{name};");
        }
        if !sums.is_empty() {
            out.push_str("    }\n");
        }
    }

    fn rows(&self, out: &mut String) {
        let sums = &self.form.sums;
        for name in sums {
            _ = writeln!(out, "var<workgroup> lanes_{name}: array<f32, {LANES}>;");
        }
        if !sums.is_empty() {
            _ = writeln!(out, "var<workgroup> lanes_nan: array<u32, {LANES}>;\n");
        }
        _ = writeln!(
            out,
            "@compute @workgroup_size({LANES})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let group = workgroup.y * args.row + workgroup.x;
    if group >= args.groups {{
        return;
    }}
    let row = m_divide(group, args.tiles_magic, args.tiles_shift);
    let tile = group - row * args.tiles;
    let block = m_divide(row, args.channels_magic, args.channels_shift);
    let channel = row - block * args.channels;"
        );
        self.hold(out, At::Shared, "");
        self.hold(out, At::Held, "channel");
        let len = match self.form.access {
            Access::Vec4 => "args.len / 4u",
            Access::Scalar => "args.len",
        };
        let open = format!(
            "        let first = (sample * args.channels + channel) * args.inner;
        let stop = min(min(args.inner, (tile + 1u) * args.tile), {len} - first);
        for (var at = tile * args.tile + lane; at < stop; at += {LANES}u) {{\n"
        );
        let place = "sample * args.channels + channel";
        self.sweep(out, place, &open, "first + at", "        }\n");
        if sums.is_empty() {
            out.push_str("}\n");
            return;
        }
        for name in sums {
            _ = writeln!(out, "    lanes_{name}[lane] = total_{name};");
        }
        out.push_str("    lanes_nan[lane] = nan;\n    workgroupBarrier();\n");
        tree(out, sums);
        out.push_str("    if lane == 0u {\n");
        for (index, name) in sums.iter().enumerate() {
            _ = writeln!(
                out,
                "        partials[{index}u * args.stride + args.first + group] = \
                 select(bitcast<u32>(lanes_{name}[0]), 0x7fc00000u, lanes_nan[0] > 0u);"
            );
        }
        out.push_str("    }\n}\n");
    }

    fn columns(&self, out: &mut String) {
        let wide = self.form.access == Access::Vec4;
        _ = writeln!(
            out,
            "@compute @workgroup_size({LANES})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let group = workgroup.y * args.row + workgroup.x;
    let block = m_divide(group, args.tiles_magic, args.tiles_shift);
    let column = (group - block * args.tiles) * {LANES}u + lane;
    if group >= args.groups || column >= args.channels {{
        return;
    }}"
        );
        let unit = if wide { "4u * " } else { "" };
        self.hold(out, At::Shared, "");
        self.hold(out, At::Held, &format!("{unit}column"));
        let place = format!("{unit}(sample * args.channels + column)");
        // Whole words are rows of one element each; else a row is gone through.
        if wide {
            self.sweep(out, &place, "", "sample * args.channels + column", "");
        } else {
            let open = "        for (var k = 0u; k < args.inner; k += 1u) {\n";
            let at = "(sample * args.channels + column) * args.inner + k";
            self.sweep(out, &place, open, at, "        }\n");
        }
        if self.form.sums.is_empty() {
            out.push_str("}\n");
            return;
        }
        out.push_str("    let at = args.first + block * args.channels + column;\n");
        for (index, name) in self.form.sums.iter().enumerate() {
            let sum = format!("total_{name}");
            if wide {
                _ = writeln!(
                    out,
                    "    let sum_{name} = select(bitcast<vec4<u32>>({sum}), vec4(0x7fc00000u), nan > vec4(0u));"
                );
                for lane in 0..4 {
                    _ = writeln!(
                        out,
                        "    partials[{index}u * args.stride + 4u * at + {lane}u] = sum_{name}[{lane}];"
                    );
                }
            } else {
                _ = writeln!(
                    out,
                    "    partials[{index}u * args.stride + at] = \
                     select(bitcast<u32>({sum}), 0x7fc00000u, nan > 0u);"
                );
            }
        }
        out.push_str("}\n");
    }
}

/// Statements that add up what the lanes have, in a fixed order, in lane 0.
fn tree(out: &mut String, sums: &[String]) {
    for (lanes, stride) in [(8, 1), (1, 8)] {
        _ = writeln!(out, "    if lane < {lanes}u {{\n        let a = lane * 8u;");
        let at = |k: u32| {
            if stride == 1 {
                format!("a + {k}u")
            } else {
                format!("{}u", k * stride)
            }
        };
        // Lane by lane, what it sums lies in places that only it reads from here on.
        for name in sums {
            let v = |k| format!("lanes_{name}[{}]", at(k));
            let pair = |k| format!("({} + {})", v(k), v(k + 1));
            _ = writeln!(
                out,
                "        lanes_{name}[a] = ({} + {}) + ({} + {});",
                pair(0),
                pair(2),
                pair(4),
                pair(6)
            );
        }
        let v: Vec<_> = (0..8).map(|k| format!("lanes_nan[{}]", at(k))).collect();
        _ = writeln!(out, "        lanes_nan[a] = {};\n    }}", v.join(" | "));
        out.push_str("    workgroupBarrier();\n");
    }
}

/// The kernel that adds up partial sums: a workgroup for each 32 bits of each gradient, of the dtypes given.
pub(crate) fn finish(dtypes: &[DType]) -> String {
    let mut module = Module::default();
    for dtype in dtypes {
        module.known(&format!("io/{dtype}.wgsl"), None);
    }
    let mut out = module.text;
    // Of each gradient: where its partial sums begin, how many values it has, how many partial sums
    // each of them has, and how these lie: runs of `run`, `skip` apart; and where its values go.
    out.push_str("struct Sum {\n    base: u32,\n    len: u32,\n    terms: u32,\n    run: u32,\n    skip: u32,\n    offset: u32,\n}\n\n");
    out.push_str("struct Args {\n    row: u32,\n");
    (0..dtypes.len()).for_each(|index| _ = writeln!(out, "    @align(16) sum_{index}: Sum,"));
    out.push_str(
        "}

@group(0) @binding(0) var<storage, read> partials: array<u32>;
",
    );
    for index in 0..dtypes.len() {
        let binding = index + 1;
        _ = writeln!(
            out,
            "@group(0) @binding({binding}) var<storage, read_write> d_{index}: array<u32>;"
        );
    }
    let binding = dtypes.len() + 1;
    _ = write!(
        out,
        "@group(0) @binding({binding}) var<uniform> args: Args;

var<workgroup> lanes_sum: array<f32, {LANES}>;
var<workgroup> lanes_nan: array<u32, {LANES}>;

// The sum of one value's terms, in lanes_sum[0].
fn add_up(lane: u32, s: Sum, value: u32) {{
    workgroupBarrier();
    var nan = 0u;
    var total = 0.0;
    var part = 0.0;
    var count = 0u;
    for (var term = lane; term < s.terms; term += {LANES}u) {{
        let bits = partials[s.base + (term / s.run) * s.skip + value * s.run + term % s.run];
        part += bitcast<f32>(bits);
        nan |= select(0u, 1u, (bits & 0x7fffffffu) > 0x7f800000u);
        count += 1u;
        if (count & 15u) == 0u {{
            total += part;
            part = 0.0;
        }}
    }}
    lanes_sum[lane] = total + part;
    lanes_nan[lane] = nan;
    workgroupBarrier();
"
    );
    tree(&mut out, &["sum".into()]);
    _ = write!(
        out,
        "}}

@compute @workgroup_size({LANES})
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let word = workgroup.z * args.row + workgroup.x;
"
    );
    for (index, dtype) in dtypes.iter().enumerate() {
        let s = format!("args.sum_{index}");
        let bits = format!("{dtype}_bits(lanes_sum[0], lanes_nan[0] > 0u)");
        _ = writeln!(out, "    if workgroup.y == {index}u {{");
        if dtype.size() == 4 {
            _ = writeln!(
                out,
                "        if word >= {s}.len {{
            return;
        }}
        add_up(lane, {s}, word);
        if lane == 0u {{
            d_{index}[{s}.offset + word] = {bits};
        }}"
            );
        } else {
            // Two values share 32 bits, with each other or with a neighbour that is not ours.
            _ = writeln!(
                out,
                "        let e = 2u * word - ({s}.offset & 1u);
        let at = ({s}.offset >> 1u) + word;
        if e < {s}.len {{
            add_up(lane, {s}, e);
            if lane == 0u {{
                d_{index}[at] = (d_{index}[at] & 0xffff0000u) | {bits};
            }}
        }}
        if e + 1u < {s}.len {{
            add_up(lane, {s}, e + 1u);
            if lane == 0u {{
                d_{index}[at] = (d_{index}[at] & 0xffffu) | ({bits} << 16u);
            }}
        }}"
            );
        }
        out.push_str("    }\n");
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Activation;
    use naga::ShaderStage::Compute;
    use naga::back::{glsl, hlsl, msl, pipeline_constants::process_overrides, spv};
    use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};

    /// Translates a kernel to every backend's language, with the options that wgpu uses there.
    pub(crate) fn translate(source: &str) {
        let module = naga::front::wgsl::parse_str(source)
            .unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
        let flags = naga::valid::ValidationFlags::all();
        let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}\n{source}", e.emit_to_string(source)));
        let workgroup = source
            .contains("override WORKGROUP")
            .then(|| ("WORKGROUP".to_owned(), 64.0));
        let constants = workgroup.into_iter().collect();
        let (module, info) =
            process_overrides(&module, &info, Some((Compute, "main")), &constants).unwrap();
        let entry_point = "main".to_owned();

        for buffer in [BoundsCheckPolicy::Restrict, BoundsCheckPolicy::Unchecked] {
            let bounds_check_policies = BoundsCheckPolicies {
                index: BoundsCheckPolicy::Restrict,
                buffer,
                ..Default::default()
            };
            for lang_version in [(1, 0), (1, 3), (1, 6)] {
                let options = spv::Options {
                    lang_version,
                    bounds_check_policies,
                    ..Default::default()
                };
                let pipeline = spv::PipelineOptions {
                    shader_stage: Compute,
                    entry_point: entry_point.clone(),
                };
                spv::write_vec(&module, &info, &options, Some(&pipeline)).unwrap();
            }
            for lang_version in [(2, 4), (3, 0)] {
                let resource = |mutable| msl::BindTarget {
                    buffer: Some(0),
                    mutable,
                    ..Default::default()
                };
                let resources = (0..9).map(|binding| {
                    let at = naga::ResourceBinding { group: 0, binding };
                    (at, resource(binding > 0))
                });
                let entry_resources = msl::EntryPointResources {
                    resources: resources.collect(),
                    sizes_buffer: Some(8),
                    ..Default::default()
                };
                let options = msl::Options {
                    lang_version,
                    per_entry_point_map: [(entry_point.clone(), entry_resources)]
                        .into_iter()
                        .collect(),
                    bounds_check_policies,
                    fake_missing_bindings: false,
                    ..Default::default()
                };
                let pipeline = msl::PipelineOptions {
                    entry_point: Some((Compute, entry_point.clone())),
                    ..Default::default()
                };
                msl::write_string(&module, &info, &options, &pipeline).unwrap();
            }
        }
        for shader_model in [hlsl::ShaderModel::V5_1, hlsl::ShaderModel::V6_2] {
            let options = hlsl::Options {
                shader_model,
                ..Default::default()
            };
            let pipeline = hlsl::PipelineOptions {
                entry_point: Some((Compute, entry_point.clone())),
            };
            let mut text = String::new();
            hlsl::Writer::new(&mut text, &options, &pipeline)
                .write(&module, &info, None)
                .unwrap();
        }
        let options = glsl::Options {
            version: glsl::Version::Embedded {
                version: 310,
                is_webgl: false,
            },
            ..Default::default()
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: Compute,
            entry_point,
            multiview: None,
        };
        let mut text = String::new();
        let policies = BoundsCheckPolicies::default();
        glsl::Writer::new(&mut text, &module, &info, &options, &pipeline, policies)
            .unwrap()
            .write()
            .unwrap();
    }

    /// What browsers say to a kernel, where tint is installed.
    pub(crate) fn tint(source: &str) {
        use std::io::Write;
        use std::process::{Command, Stdio};
        let tint = Command::new("tint")
            .args(["--input-format", "wgsl", "--format", "wgsl", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut tint) = tint else { return };
        tint.stdin
            .take()
            .unwrap()
            .write_all(source.as_bytes())
            .unwrap();
        let output = tint.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}\n{source}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn with_dtypes(form: &Form, dtypes: &[DType]) -> Form {
        let mut form = form.clone();
        let mut dtypes = dtypes.iter().copied().cycle();
        let mut next = || dtypes.next().unwrap_or_default();
        form.inputs
            .iter_mut()
            .for_each(|input| input.dtype = next());
        form.outputs
            .iter_mut()
            .for_each(|output| output.dtype = next());
        form
    }

    fn every_form(body: Body<'_>) {
        let plain = Form::plain(body, DType::F32.into());
        let mut forms = vec![Form {
            words: 3,
            ..plain.clone()
        }];
        for access in [Access::Vec4, Access::Scalar] {
            let form = Form {
                access,
                ..plain.clone()
            };
            let mixed = [DType::F16, DType::BF16, DType::F32];
            let dtypes = DType::ALL
                .iter()
                .map(std::slice::from_ref)
                .chain([&mixed[..]]);
            forms.extend(dtypes.map(|dtypes| with_dtypes(&form, dtypes)));
            forms.push(Form {
                shared: true,
                ..form.clone()
            });
            for dtypes in [&[DType::F32][..], &mixed] {
                forms.push(Form {
                    whole: true,
                    ..with_dtypes(&form, dtypes)
                });
            }
            let mut in_place = with_dtypes(&form, &[DType::BF16]);
            in_place.outputs[0].in_place = Some(0);
            forms.push(in_place);
        }
        forms.iter().for_each(|form| try_form(body, form));
    }

    fn try_form(body: Body<'_>, form: &Form) {
        let source = kernel(body, form);
        translate(&source);
        tint(&source);
    }

    #[test]
    fn every_activation_translates_in_every_form() {
        for activation in Activation::ALL {
            let chain = Chain::from(*activation);
            for pass in Pass::ALL {
                if chain.supports(pass).is_ok() {
                    every_form(Body::Chain(&chain, pass));
                }
            }
        }
    }

    #[test]
    fn a_chain_of_everything_and_the_copies_translate() {
        let start = Chain::new().scale(2.0);
        let chain = Activation::ALL
            .iter()
            .fold(start, |chain, a| chain.act(*a).scale(0.5));
        for pass in Pass::FROM_X {
            every_form(Body::Chain(&chain, pass));
            every_form(Body::Chain(&Chain::new().scale(3.0), pass));
            every_form(Body::Copy(pass));
        }
    }

    /// Operands of all kinds, random numbers, sums in every order, rows with gaps, several outputs.
    #[test]
    fn learned_and_random_chains_translate() {
        let texts = [
            "scale(@s) | bias(@b) | mish | dropout(0.1) | residual(@r)",
            "acon_c(p1=@p1, p2=@p2, beta=@b)",
            "silu | gate(@g)",
            "rrelu | scale(@s)",
            // Names that could be those of numbers beside another operand.
            "scale(@w) | bias(@w_channels) | prelu(weight=@w_gap) | scale(@w_bits)",
        ];
        for text in texts {
            let chain: Chain = text.parse().unwrap();
            for pass in Pass::FROM_X {
                every_form(Body::Chain(&chain, pass));
            }
            let body = Body::Chain(&chain, Pass::Backward);
            let names = chain.operands();
            for access in [Access::Vec4, Access::Scalar] {
                for at in [
                    At::Each,
                    At::Rows,
                    At::Shared,
                    At::Channel,
                    At::Channels,
                    At::Held,
                    At::HeldSample,
                ] {
                    if (access, at) == (Access::Scalar, At::Channels) {
                        continue;
                    }
                    let mut form = Form {
                        access,
                        ..Form::plain(body, DType::F32.into())
                    };
                    form.inputs = body
                        .needs(&names)
                        .into_iter()
                        .map(|name| Input {
                            name: arg(&name),
                            dtype: DType::F16,
                            at,
                        })
                        .collect();
                    let passed = Form::plain(Body::Copy(Pass::Backward), DType::F32.into()).inputs;
                    form.inputs.splice(0..0, passed);
                    let mut each = form.clone();
                    each.outputs.extend(names.iter().map(|name| Output {
                        name: format!("d_{name}"),
                        dtype: DType::F32,
                        rows: at == At::Rows,
                        in_place: None,
                    }));
                    if !matches!(at, At::Held | At::HeldSample) {
                        try_form(body, &each);
                    }
                    for sweep in [Sweep::Rows, Sweep::Columns] {
                        try_form(
                            body,
                            &Form {
                                sweep,
                                ..form.clone()
                            },
                        );
                        let sums = names.iter().map(ToString::to_string).collect();
                        let mut sums = Form {
                            sweep,
                            sums,
                            ..form.clone()
                        };
                        try_form(body, &sums);
                        sums.outputs.clear();
                        try_form(body, &sums);
                    }
                }
            }
        }
        for dtypes in [&[DType::F32][..], &[DType::F16, DType::BF16, DType::F32]] {
            let source = finish(dtypes);
            translate(&source);
            tint(&source);
        }
    }

    #[test]
    fn values_are_not_in_the_text() {
        let text = |factor| {
            let chain = Chain::new().scale(factor).act(Activation::Silu);
            let text = kernel(
                Body::Chain(&chain, Pass::Forward),
                &Form::plain(Body::Chain(&chain, Pass::Forward), DType::F32.into()),
            );
            // The comment that names the chain is for the reader.
            text.lines()
                .filter(|l| !l.starts_with("// "))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(text(2.0), text(-0.125));
    }

    /// Functions of two chains stand in one module beside names like theirs, and are complete.
    #[test]
    fn functions_clash_with_nothing() {
        let everything = Activation::ALL
            .iter()
            .fold(Chain::new(), |chain, a| chain.act(*a).scale(2.0));
        let plain = Chain::from(Activation::Gelu);
        let source = functions(&everything, "all")
            + &functions(&plain, "own_gelu")
            + "struct Exp { e: f32 }
            fn m_exp(x: f32) -> f32 { return x; }
            fn chain_y(x: f32, c: all_Scalars) -> f32 {
                return own_gelu_y(x) + own_gelu_dx(x, 1.0) + all_y(x, c) + all_dx(x, m_exp(x), c);
            }";
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|e| panic!("{}", e.emit_to_string(&source)));
        let flags = naga::valid::ValidationFlags::all();
        naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .unwrap();
        let theirs = ["Exp", "m_exp", "chain_y"];
        for (_, function) in module.functions.iter() {
            let name = function.name.as_deref().unwrap();
            let ours = name.starts_with("all_") || name.starts_with("own_gelu_");
            assert!(ours || theirs.contains(&name), "{name}");
        }
        assert!(!source.contains("//#"));
    }

    #[test]
    fn each_file_is_in_a_kernel_once() {
        let chain: Chain = "mish | silu | mish | sigmoid".parse().unwrap();
        let text = kernel(
            Body::Chain(&chain, Pass::Forward),
            &Form::plain(Body::Chain(&chain, Pass::Forward), DType::F32.into()),
        );
        for function in [
            "fn m_exp(",
            "fn act_mish(",
            "fn act_silu(",
            "fn m_times_sigmoid(",
        ] {
            assert_eq!(text.matches(function).count(), 1, "{function}");
        }
        assert!(!text.contains("//#"));
    }
}
