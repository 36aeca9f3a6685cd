//! A graph as a WGSL function: what has a name, or is used more than once, is a `let`.

use super::graph::{Binary, Callee, Graph, Id, Kind, Op};
use super::rules;
use super::trace::Own;
use naga::MathFunction;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Write;

/// How many operations may stand in one expression.
const LONG: usize = 9;

/// What calls of functions are written as, and what was called.
pub(super) struct Written<'p> {
    pub(super) functions: &'p [Own],
    /// The activation's name.
    pub(super) name: &'p str,
    /// What the text declares at module scope.
    pub(super) taken: HashSet<String>,
    /// The derivatives that are called, and still to be written.
    pub(super) partials: BTreeSet<(usize, usize)>,
    /// The library's functions that are called, by their places among the rules.
    pub(super) library: BTreeSet<usize>,
}

/// How tightly an expression holds together.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Logic,
    Comparison,
    Sum,
    Product,
    Sign,
    Whole,
}

/// An expression as text.
#[derive(Clone)]
struct Text {
    text: String,
    level: Level,
    /// Operations in it.
    length: usize,
}

impl Text {
    fn whole(text: String, length: usize) -> Self {
        Text {
            text,
            level: Level::Whole,
            length,
        }
    }

    /// In parentheses, unless it holds together as tightly as this.
    fn at(&self, level: Level) -> String {
        match self.level >= level {
            true => self.text.clone(),
            false => format!("({})", self.text),
        }
    }
}

impl Written<'_> {
    /// The name of a function's derivative with respect to a parameter.
    pub(super) fn partial(&self, function: usize, parameter: usize) -> String {
        let own = &self.functions[function];
        let is_ours = own.name.starts_with(&format!("{}_", self.name));
        let prefix = match is_ours {
            true => String::new(),
            false => format!("{}_", self.name),
        };
        let mut name = format!("{prefix}{}_d_{}", own.name, own.parameters[parameter]);
        while self.taken.contains(&name) {
            name.push_str("_of_it");
        }
        name
    }

    /// A function: its head is `name` and the parameters; where `bounded` is set, an infinite first parameter counts as the
    /// largest number.
    pub(super) fn function(
        &mut self,
        name: &str,
        parameters: &[String],
        graph: &Graph,
        root: Id,
        bounded: bool,
    ) -> String {
        let uses = uses(graph, root);
        let mut names: HashSet<String> = parameters.iter().cloned().collect();
        let typed: Vec<_> = parameters.iter().map(|p| format!("{p}: f32")).collect();
        let mut out = format!("fn {name}({}) -> f32 {{\n", typed.join(", "));
        let mut arguments = parameters.to_vec();
        if bounded && needs_bound(graph, &uses) {
            let near = self.free(&names, "near");
            let x = &parameters[0];
            _ = writeln!(
                out,
                "    let {near} = clamp({x}, -3.4028234e38, 3.4028234e38);"
            );
            arguments[0].clone_from(&near);
            names.insert(near);
        }
        let mut all: Vec<Option<Text>> = vec![None; graph.len()];
        for id in graph.ids().take(root.index() + 1) {
            let count = uses[id.index()];
            if count == 0 {
                continue;
            }
            let mut text = self.operation(graph, id, &arguments, &all);
            let is_sign = matches!(graph.node(id).op, Op::Negate(_)) && text.length == 1;
            let is_worth = !graph.is_leaf(id) && !is_sign;
            let is_shared = count > 1 || text.length > LONG || graph.name(id).is_some();
            if is_worth && is_shared && id != root {
                let name = self.free(&names, graph.name(id).unwrap_or("t"));
                _ = writeln!(out, "    let {name} = {};", text.text);
                names.insert(name.clone());
                text = Text::whole(name, 0);
            }
            all[id.index()] = Some(text);
        }
        let root = all[root.index()].take();
        let root = root.map_or_else(String::new, |root| root.text);
        out + &format!("    return {root};\n}}\n")
    }

    /// A name like this that nothing has.
    fn free(&self, names: &HashSet<String>, name: &str) -> String {
        let is_free = |name: &String| {
            !names.contains(name) && !self.taken.contains(name) && !is_built_in(name)
        };
        let numbered = (1..).map(|number| match name {
            "t" => format!("t{number}"),
            _ => format!("{name}_{number}"),
        });
        let plain = (name != "t").then(|| name.to_owned());
        let mut all = plain.into_iter().chain(numbered);
        all.find(is_free).unwrap_or_default()
    }

    /// The name of a function that is called, of which note is taken.
    fn callee(&mut self, callee: Callee) -> String {
        match callee {
            Callee::Own(function) => self.functions[function].name.clone(),
            Callee::Partial(function, parameter) => {
                self.partials.insert((function, parameter));
                self.partial(function, parameter)
            }
            Callee::Library(rule) => {
                self.library.insert(rule);
                rules::ALL[rule].name.to_owned()
            }
        }
    }

    fn operation(
        &mut self,
        graph: &Graph,
        id: Id,
        arguments: &[String],
        all: &[Option<Text>],
    ) -> Text {
        let node = graph.node(id);
        let at = |id: &Id| {
            let text = all[id.index()].clone();
            text.unwrap_or_else(|| Text::whole(String::new(), 0))
        };
        let list = |ids: &[Id]| {
            let texts: Vec<Text> = ids.iter().map(at).collect();
            let length = texts.iter().map(|text| text.length).sum::<usize>() + 1;
            let texts: Vec<String> = texts.into_iter().map(|text| text.text).collect();
            (texts.join(", "), length)
        };
        let called = |name: &str, ids: &[Id]| {
            let (texts, length) = list(ids);
            Text::whole(format!("{name}({texts})"), length)
        };
        match &node.op {
            Op::Argument(index) => Text::whole(arguments[*index].clone(), 0),
            Op::Float(bits) => number(float(f32::from_bits(*bits))),
            Op::Int(value) => number(format!("{value}i")),
            Op::Uint(value) => number(format!("{value}u")),
            Op::Bool(value) => Text::whole(value.to_string(), 0),
            Op::Negate(a) => signed("-", &at(a)),
            Op::Not(a) => signed("!", &at(a)),
            Op::Binary(op, a, b) => {
                let is_bits = node.kind != Kind::Bool && matches!(op, Binary::And | Binary::Or);
                infix(*op, &at(a), &at(b), is_bits)
            }
            Op::Select {
                condition,
                accept,
                reject,
            } => called("select", &[*reject, *accept, *condition]),
            Op::Math(MathFunction::Length, of) => {
                let (texts, length) = list(of);
                Text::whole(format!("length(vec{}({texts}))", of.len()), length)
            }
            Op::Math(function, of) => called(built_in(*function), of),
            Op::Call(callee, of) => {
                let name = self.callee(*callee);
                called(&name, of)
            }
            Op::Cast(a) => {
                let name = match node.kind {
                    Kind::Int => "i32",
                    Kind::Uint => "u32",
                    Kind::Bool => "bool",
                    _ => "f32",
                };
                called(name, &[*a])
            }
        }
    }
}

/// How often each operation is used on the way to the root.
fn uses(graph: &Graph, root: Id) -> Vec<usize> {
    let mut uses = vec![0; graph.len()];
    uses[root.index()] = 1;
    let all: Vec<Id> = graph.ids().take(root.index() + 1).collect();
    for id in all.into_iter().rev() {
        if uses[id.index()] > 0 {
            for taken in graph.node(id).takes() {
                uses[taken.index()] += 1;
            }
        }
    }
    uses
}

/// Whether an infinite input could make NaN: sums and products of numbers keep the limit mostly, others lose it. What asks
/// whether x is finite is told the truth.
fn needs_bound(graph: &Graph, uses: &[usize]) -> bool {
    let mut used = graph.ids().filter(|id| uses[id.index()] > 0);
    let asks = |id: Id| match graph.node(id).op {
        Op::Call(Callee::Library(rule), _) => rules::ALL[rule].name == "m_if_finite",
        _ => false,
    };
    if graph.ids().any(|id| uses[id.index()] > 0 && asks(id)) {
        return false;
    }
    used.any(|id| {
        let op = &graph.node(id).op;
        matches!(
            op,
            Op::Math(..) | Op::Call(..) | Op::Binary(Binary::Divide | Binary::Remainder, ..)
        )
    })
}

fn number(text: String) -> Text {
    let level = match text.starts_with('-') {
        true => Level::Sign,
        false => Level::Whole,
    };
    Text {
        text,
        level,
        length: 0,
    }
}

/// A number with all its digits.
fn float(value: f32) -> String {
    match value.abs() == f32::MAX {
        // Rounded up it would be no f32.
        true => format!("{}3.4028234e38", if value < 0.0 { "-" } else { "" }),
        false => format!("{value:?}"),
    }
}

fn signed(sign: &str, a: &Text) -> Text {
    Text {
        text: format!("{sign}{}", a.at(Level::Whole)),
        level: Level::Sign,
        length: a.length + 1,
    }
}

fn infix(op: Binary, a: &Text, b: &Text, is_bits: bool) -> Text {
    let (sign, level) = match op {
        Binary::Add => ("+", Level::Sum),
        Binary::Subtract => ("-", Level::Sum),
        Binary::Multiply => ("*", Level::Product),
        Binary::Divide => ("/", Level::Product),
        Binary::Remainder => ("%", Level::Product),
        Binary::Less => ("<", Level::Comparison),
        Binary::LessEqual => ("<=", Level::Comparison),
        Binary::Greater => (">", Level::Comparison),
        Binary::GreaterEqual => (">=", Level::Comparison),
        Binary::Equal => ("==", Level::Comparison),
        Binary::NotEqual => ("!=", Level::Comparison),
        Binary::And => ("&", Level::Logic),
        Binary::Or => ("|", Level::Logic),
    };
    // Of one level, what stands on the right is in parentheses; WGSL asks for them in comparisons and `&` and `|`.
    let (left, right) = match level {
        Level::Sum => (Level::Sum, Level::Product),
        Level::Product => (Level::Product, Level::Sign),
        Level::Comparison if !is_bits => (Level::Sum, Level::Sum),
        _ => (Level::Sign, Level::Sign),
    };
    Text {
        text: format!("{} {sign} {}", a.at(left), b.at(right)),
        level,
        length: a.length + b.length + 1,
    }
}

/// The names of WGSL's own that text here may use: a `let` of that name would hide them.
fn is_built_in(name: &str) -> bool {
    const OTHERS: [&str; 9] = [
        "select", "length", "vec2", "vec3", "vec4", "f32", "i32", "u32", "bool",
    ];
    OTHERS.contains(&name) || NAMES.iter().any(|(_, known)| *known == name)
}

fn built_in(function: MathFunction) -> &'static str {
    let found = NAMES.iter().find(|(known, _)| *known == function);
    found.map_or("", |(_, name)| name)
}

const NAMES: [(MathFunction, &str); 33] = {
    use MathFunction as F;
    [
        (F::Abs, "abs"),
        (F::Min, "min"),
        (F::Max, "max"),
        (F::Clamp, "clamp"),
        (F::Cos, "cos"),
        (F::Cosh, "cosh"),
        (F::Sin, "sin"),
        (F::Sinh, "sinh"),
        (F::Tan, "tan"),
        (F::Tanh, "tanh"),
        (F::Acos, "acos"),
        (F::Asin, "asin"),
        (F::Atan, "atan"),
        (F::Atan2, "atan2"),
        (F::Asinh, "asinh"),
        (F::Acosh, "acosh"),
        (F::Atanh, "atanh"),
        (F::Ceil, "ceil"),
        (F::Floor, "floor"),
        (F::Round, "round"),
        (F::Fract, "fract"),
        (F::Trunc, "trunc"),
        (F::Exp, "exp"),
        (F::Exp2, "exp2"),
        (F::Log, "log"),
        (F::Log2, "log2"),
        (F::Pow, "pow"),
        (F::Sign, "sign"),
        (F::Fma, "fma"),
        (F::Mix, "mix"),
        (F::Step, "step"),
        (F::Sqrt, "sqrt"),
        (F::InverseSqrt, "inverseSqrt"),
    ]
};
