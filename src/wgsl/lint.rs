//! What no kernel may hold, read from naga's IR: what some driver computes wrongly, or takes minutes or gigabytes to
//! compile. docs/DESIGN.md, "Numbers", says what was seen.

use naga::valid::{FunctionInfo, ModuleInfo};
use naga::{
    AddressSpace, BinaryOperator, Block, Expression, Function, Handle, MathFunction, Module,
    ScalarKind, Statement, TypeInner, UnaryOperator,
};

/// The built-ins that every driver computes exactly, or rounds as IEEE 754 does. All others are off by some ULP, or by
/// millions, on some driver. (`sqrt` may be off by an ULP or two, which budgets allow for; `dot` is products and sums.)
const ACCURATE: [MathFunction; 9] = [
    MathFunction::Abs,
    MathFunction::Min,
    MathFunction::Max,
    MathFunction::Clamp,
    MathFunction::Floor,
    MathFunction::Round,
    MathFunction::Trunc,
    MathFunction::Sqrt,
    MathFunction::Dot,
];

/// What is wrong with a kernel, each with the function that has it.
pub(crate) fn faults(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let mut faults = Vec::new();
    let functions = module.functions.iter();
    let functions = functions.map(|(handle, function)| (function, &info[handle]));
    let entries = module.entry_points.iter().enumerate();
    let entries = entries.map(|(index, entry)| (&entry.function, info.get_entry_point(index)));
    for (function, info) in functions.chain(entries) {
        let name = function.name.as_deref().unwrap_or("main");
        let code = Code {
            module,
            function,
            info,
        };
        let found = function
            .expressions
            .iter()
            .filter_map(|(_, expression)| code.fault(expression));
        let found = found.chain(code.shortcut()).chain(code.branch());
        faults.extend(found.map(|fault| format!("fn {name}: {fault}")));
    }
    faults
}

struct Code<'a> {
    module: &'a Module,
    function: &'a Function,
    info: &'a FunctionInfo,
}

impl Code<'_> {
    fn inner(&self, expression: Handle<Expression>) -> &TypeInner {
        self.info[expression].ty.inner_with(&self.module.types)
    }

    fn is_float(&self, expression: Handle<Expression>) -> bool {
        let kind = self.inner(expression).scalar_kind();
        matches!(kind, Some(ScalarKind::Float | ScalarKind::AbstractFloat))
    }

    fn fault(&self, expression: &Expression) -> Option<String> {
        match *expression {
            Expression::Math { fun, arg, .. } => {
                let is_fine = ACCURATE.contains(&fun) || !self.is_float(arg);
                (!is_fine).then(|| format!("{fun:?} is not accurate on every driver"))
            }
            Expression::Binary { op, left, right } => self.comparison(op, left, right),
            Expression::Unary {
                op: UnaryOperator::LogicalNot,
                expr,
            } => match self.function.expressions[expr] {
                Expression::Binary { op, left, .. } if is_order(op) && self.is_float(left) => {
                    Some("the negation of a comparison of floats depends on NaN".into())
                }
                _ => None,
            },
            Expression::Access { base, index } => self.local_index(base, index),
            _ => None,
        }
    }

    /// A comparison whose result depends on whether a float is NaN, as `x != x` does. Compilers that assume that there
    /// are no NaN make a constant of it.
    fn comparison(
        &self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Option<String> {
        if !self.is_float(left) {
            return None;
        }
        let is_same = left == right || self.is_same_load(left, right);
        match op {
            BinaryOperator::NotEqual => Some("`!=` of floats is true of NaN".into()),
            BinaryOperator::Equal if is_same => Some("`x == x` asks for NaN".into()),
            op if is_order(op) && is_same => Some("`x <= x` asks for NaN".into()),
            _ => None,
        }
    }

    fn is_same_load(&self, left: Handle<Expression>, right: Handle<Expression>) -> bool {
        let pointer = |expression| match self.function.expressions[expression] {
            Expression::Load { pointer } => match self.function.expressions[pointer] {
                Expression::LocalVariable(variable) => Some(variable),
                _ => None,
            },
            _ => None,
        };
        pointer(left).is_some() && pointer(left) == pointer(right)
    }

    /// An index that is not constant, into an array of the function's own: SwiftShader keeps such an array in memory
    /// and is 13 to 28 times slower.
    fn local_index(&self, base: Handle<Expression>, index: Handle<Expression>) -> Option<String> {
        let is_constant = matches!(
            self.function.expressions[index],
            Expression::Literal(_) | Expression::Constant(_) | Expression::Override(_)
        );
        // Of a vector, drivers make a choice between registers.
        let is_array = |inner: &TypeInner| matches!(inner, TypeInner::Array { .. });
        let is_local = match *self.inner(base) {
            TypeInner::Pointer { base, space } => {
                space == AddressSpace::Function && is_array(&self.module.types[base].inner)
            }
            ref inner => is_array(inner),
        };
        (is_local && !is_constant).then(|| "a dynamic index into an array of its own".into())
    }

    /// `&&` and `||`, which naga makes into a branch around a nameless variable.
    fn shortcut(&self) -> Option<String> {
        let mut locals = self.function.local_variables.iter();
        let is_shortcut = |inner: &TypeInner| inner.scalar_kind() == Some(ScalarKind::Bool);
        let found = locals.any(|(_, local)| {
            local.name.is_none() && is_shortcut(&self.module.types[local.ty].inner)
        });
        found.then(|| "`&&` and `||` are branches; `&` and `|` serve".into())
    }

    /// A branch in a function of one element: with some of them in one kernel SwiftShader takes gigabytes.
    fn branch(&self) -> Option<String> {
        let name = self.function.name.as_deref().unwrap_or_default();
        let is_formula = name.starts_with("act_") || name.starts_with("m_");
        (is_formula && branches(&self.function.body)).then(|| "a branch in a formula".into())
    }
}

fn is_order(op: BinaryOperator) -> bool {
    use BinaryOperator::{Greater, GreaterEqual, Less, LessEqual};
    matches!(op, Less | LessEqual | Greater | GreaterEqual)
}

fn branches(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Block(block) => branches(block),
        Statement::If { .. } | Statement::Switch { .. } | Statement::Loop { .. } => true,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Vec<String> {
        let source = format!(
            "@group(0) @binding(0) var<storage, read_write> y: array<f32>;\n{body}\n\
             @compute @workgroup_size(64)\nfn main(@builtin(local_invocation_index) i: u32) {{\n    \
             y[i] = act_f(y[i], i);\n}}\n"
        );
        let module = naga::front::wgsl::parse_str(&source).unwrap();
        let flags = naga::valid::ValidationFlags::all();
        let info = naga::valid::Validator::new(flags, naga::valid::Capabilities::empty())
            .validate(&module)
            .unwrap();
        faults(&module, &info)
    }

    /// Each fault is found, alone, and what looks like it is not.
    #[test]
    fn faults_are_found() {
        for (wrong, right, fault) in [
            ("return exp(x);", "return max(x, 0.0);", "Exp is not"),
            ("return tanh(x);", "return floor(x);", "Tanh is not"),
            ("return pow(x, 2.0);", "return x * x;", "Pow is not"),
            (
                "return select(x, 0.0, x != x);",
                "return select(x, 0.0, i != 3u);",
                "`!=` of floats",
            ),
            (
                "return select(x, 0.0, x == x);",
                "return select(x, 0.0, x == 0.0);",
                "`x == x` asks",
            ),
            (
                "var z = x; return select(x, 0.0, z == z);",
                "var z = x; return select(x, 0.0, z == x);",
                "`x == x` asks",
            ),
            (
                "return select(x, 0.0, !(x < 3.0));",
                "return select(x, 0.0, x >= 3.0);",
                "the negation",
            ),
            (
                "return select(x, 0.0, x > 0.0 && x < 1.0);",
                "return select(x, 0.0, (x > 0.0) & (x < 1.0));",
                "`&&` and `||`",
            ),
            (
                "if x > 0.0 { return x; } return 0.0;",
                "return select(0.0, x, x > 0.0);",
                "a branch",
            ),
            (
                "var a = array<f32, 4>(x, x, x, 1.0); return a[i];",
                "var a = vec4(x, x, x, 1.0); return a[i];",
                "a dynamic index",
            ),
        ] {
            let function = |body: &str| format!("fn act_f(x: f32, i: u32) -> f32 {{ {body} }}");
            let faults = found(&function(wrong));
            assert!(!faults.is_empty(), "{wrong}");
            let is_it = |found: &String| found.starts_with(&format!("fn act_f: {fault}"));
            assert!(faults.iter().any(is_it), "{wrong}: {faults:?}");
            assert_eq!(found(&function(right)), [""; 0], "{right}");
        }
    }
}
