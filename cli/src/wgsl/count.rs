//! Operations that an element takes, counted in naga's form of the kernel.

use crate::output::table;
use crate::{Failure, Result};
use naga::valid::{Capabilities, FunctionInfo, ModuleInfo, ValidationFlags, Validator};
use naga::{
    BinaryOperator as Binary, Block, Expression, Function, Handle, MathFunction as Math, Module,
    ScalarKind, Statement,
};
use nonlin::{Chain, Pass};

/// The function of a kernel that has all that is done with one element, but for its load and store.
const ELEMENT: &str = "element";

/// Kinds of operation, in the order of the table.
pub(super) const KINDS: [&str; 11] = [
    "add",
    "multiply",
    "divide",
    "min, max, abs",
    "round",
    "sqrt",
    "other",
    "compare",
    "select",
    "integer",
    "convert",
];

/// How many there are of each kind.
pub(super) type Counts = [usize; KINDS.len()];

/// A table of all passes that the chain has.
pub(super) fn count(chain: &Chain) -> Result<String> {
    if chain.row().is_some() {
        return Err(Failure(format!(
            "--count is for chains that go element by element; {chain} has a step over whole rows"
        )));
    }
    let mut titles = vec!["pass".to_owned(), "all".to_owned()];
    titles.extend(KINDS.map(String::from));
    let mut rows = vec![titles];
    for pass in Pass::ALL {
        if chain.supports(pass).is_err() {
            continue;
        }
        let counts = of_kernel(&chain.wgsl(pass)?)?;
        let mut row = vec![pass.to_string(), counts.iter().sum::<usize>().to_string()];
        row.extend(counts.map(|count| count.to_string()));
        rows.push(row);
    }
    Ok(table(&rows, 1))
}

pub(super) fn of_kernel(source: &str) -> Result<Counts> {
    let failed =
        |error: &dyn std::fmt::Display| Failure(format!("the kernel cannot be counted: {error}"));
    let module = naga::front::wgsl::parse_str(source).map_err(|error| failed(&error))?;
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    let info = validator
        .validate(&module)
        .map_err(|error| failed(&error))?;
    let mut functions = module.functions.iter();
    let element = functions.find(|(_, function)| function.name.as_deref() == Some(ELEMENT));
    let (handle, _) = element.ok_or_else(|| failed(&"it has no function of one element"))?;
    let mut counter = Counter {
        module: &module,
        info: &info,
        counts: Counts::default(),
    };
    counter.function(handle);
    Ok(counter.counts)
}

struct Counter<'a> {
    module: &'a Module,
    info: &'a ModuleInfo,
    counts: Counts,
}

impl Counter<'_> {
    /// A function's operations and, as often as it calls them, those of others.
    fn function(&mut self, handle: Handle<Function>) {
        let function = &self.module.functions[handle];
        self.block(function, &self.info[handle], &function.body);
    }

    /// Both sides of a branch, and a loop once: kernels have neither in what is done with an element.
    fn block(&mut self, function: &Function, info: &FunctionInfo, block: &Block) {
        for statement in block {
            match statement {
                Statement::Emit(range) => {
                    for handle in range.clone() {
                        let kind = kind(self.module, function, info, handle);
                        if let Some(kind) = kind {
                            self.counts[kind] += 1;
                        }
                    }
                }
                Statement::Call { function, .. } => self.function(*function),
                Statement::Block(inner) => self.block(function, info, inner),
                Statement::If { accept, reject, .. } => {
                    self.block(function, info, accept);
                    self.block(function, info, reject);
                }
                Statement::Switch { cases, .. } => {
                    for case in cases {
                        self.block(function, info, &case.body);
                    }
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    self.block(function, info, body);
                    self.block(function, info, continuing);
                }
                _ => {}
            }
        }
    }
}

/// Which kind an expression is of, as an index of [`KINDS`]; none for what computes nothing: loads, parts of structs, and
/// bits that are taken for another type.
fn kind(
    module: &Module,
    function: &Function,
    info: &FunctionInfo,
    handle: Handle<Expression>,
) -> Option<usize> {
    let is_float = |handle: Handle<Expression>| {
        let inner = info[handle].ty.inner_with(&module.types);
        inner.scalar_kind() == Some(ScalarKind::Float)
    };
    let name = match &function.expressions[handle] {
        Expression::Binary { op, left, .. } => match op {
            Binary::Equal
            | Binary::NotEqual
            | Binary::Less
            | Binary::LessEqual
            | Binary::Greater
            | Binary::GreaterEqual => "compare",
            _ if !is_float(*left) => "integer",
            Binary::Add | Binary::Subtract => "add",
            Binary::Multiply => "multiply",
            Binary::Divide => "divide",
            _ => "other",
        },
        Expression::Unary { expr, .. } if is_float(*expr) => "add",
        Expression::Unary { .. } => "integer",
        Expression::Select { .. } => "select",
        Expression::Math { fun, arg, .. } => match fun {
            _ if !is_float(*arg) => "integer",
            Math::Min | Math::Max | Math::Clamp | Math::Saturate | Math::Abs | Math::Sign => {
                "min, max, abs"
            }
            Math::Round | Math::Floor | Math::Ceil | Math::Trunc | Math::Fract => "round",
            Math::Sqrt | Math::InverseSqrt => "sqrt",
            _ => "other",
        },
        Expression::As {
            convert: Some(_), ..
        } => "convert",
        _ => return None,
    };
    KINDS.iter().position(|kind| *kind == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(source: &str) -> Vec<(&'static str, usize)> {
        let counts = of_kernel(source).unwrap();
        let counts = KINDS.into_iter().zip(counts);
        counts.filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn operations_are_counted_by_hand() {
        let source = "
            fn twice(a: f32) -> f32 { return a * 2.0; }
            fn unused(a: f32) -> f32 { return a / 3.0; }
            fn element(x_bits: u32) -> u32 {
                let x = bitcast<f32>(x_bits);
                let y = twice(x) + twice(-x) - 1.0;
                let z = select(max(y, 0.0), floor(y), x_bits > 7u);
                return (bitcast<u32>(sqrt(z)) & 3u) + u32(i32(z));
            }
            @compute @workgroup_size(1) fn main() { _ = element(1u); }";
        let wanted = [
            ("add", 3),
            ("multiply", 2),
            ("min, max, abs", 1),
            ("round", 1),
            ("sqrt", 1),
            ("compare", 1),
            ("select", 1),
            ("integer", 2),
            ("convert", 2),
        ];
        assert_eq!(counted(source), wanted);
        assert!(of_kernel("fn other() {}").is_err() && of_kernel("fn").is_err());
    }

    #[test]
    fn a_chain_takes_what_its_steps_take() {
        let kernel = |chain: &str, pass| {
            let chain: Chain = chain.parse().unwrap();
            of_kernel(&chain.wgsl(pass).unwrap()).unwrap()
        };
        let [scaled, twice] =
            ["scale(2)", "scale(2) | scale(3)"].map(|chain| kernel(chain, Pass::Forward));
        let multiplies = KINDS.iter().position(|kind| *kind == "multiply").unwrap();
        assert_eq!(twice[multiplies], scaled[multiplies] + 1);
        let all = |chain| kernel(chain, Pass::Forward).iter().sum::<usize>();
        assert!(all("relu") < all("silu") && all("silu") < all("gelu_tanh"));
    }
}
