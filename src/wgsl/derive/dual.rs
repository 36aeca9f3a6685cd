//! Graphs in f64, with dual numbers: a value, and its derivative with respect to one thing.

use super::graph::{Binary, Callee, Graph, Id, Kind, Node, Op};
use super::rules::{self, masked};
use super::trace::Own;
use naga::MathFunction;

/// A value and its derivative. Truth values are 0 and 1, whole numbers are themselves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slope: f64,
}

impl Dual {
    pub(super) fn constant(value: f64) -> Dual {
        Dual { value, slope: 0.0 }
    }
}

/// Functions that call each other.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) functions: Vec<Own>,
}

impl Program {
    /// A function's value, and its derivative along those of its arguments.
    pub(super) fn call(&self, function: usize, arguments: &[Dual]) -> Dual {
        let own = &self.functions[function];
        if let Some(rule) = own.rule {
            return of_rule(rule, arguments);
        }
        self.run(&own.graph, own.root, arguments)
    }

    /// A graph's value.
    pub(super) fn run(&self, graph: &Graph, root: Id, arguments: &[Dual]) -> Dual {
        let mut all: Vec<Dual> = Vec::with_capacity(root.index() + 1);
        for id in graph.ids().take(root.index() + 1) {
            let dual = self.operation(graph, graph.node(id), arguments, &all);
            all.push(dual);
        }
        all[root.index()]
    }

    fn operation(&self, graph: &Graph, node: &Node, arguments: &[Dual], all: &[Dual]) -> Dual {
        let at = |id: &Id| all[id.index()];
        match &node.op {
            Op::Argument(index) => arguments[*index],
            Op::Float(bits) => Dual::constant(f32::from_bits(*bits).into()),
            Op::Int(value) => Dual::constant((*value).into()),
            Op::Uint(value) => Dual::constant((*value).into()),
            Op::Bool(value) => Dual::constant(f64::from(*value)),
            Op::Negate(a) => Dual {
                value: -at(a).value,
                slope: -at(a).slope,
            },
            Op::Not(a) => Dual::constant(1.0 - at(a).value),
            Op::Binary(op, a, b) if graph.kind(*a) == Kind::Float => of_binary(*op, at(a), at(b)),
            Op::Binary(op, a, b) => {
                let value = of_whole(*op, at(a).value, at(b).value);
                Dual::constant(wrapped(value, node.kind))
            }
            Op::Select {
                condition,
                accept,
                reject,
            } => match at(condition).value != 0.0 {
                true => at(accept),
                false => at(reject),
            },
            Op::Math(function, of) => {
                let are_numbers = of[1..].iter().all(|id| graph.is_constant(*id));
                let of: Vec<Dual> = of.iter().map(at).collect();
                of_math(*function, &of, are_numbers)
            }
            Op::Call(Callee::Own(function), of) => {
                let of: Vec<Dual> = of.iter().map(at).collect();
                self.call(*function, &of)
            }
            Op::Call(Callee::Partial(function, parameter), of) => {
                // Its value alone: there are no second derivatives.
                let along = |index| f64::from(index == *parameter);
                let of = of.iter().map(at).enumerate();
                let of: Vec<Dual> = of
                    .map(|(index, of)| Dual {
                        value: of.value,
                        slope: along(index),
                    })
                    .collect();
                Dual::constant(self.call(*function, &of).slope)
            }
            Op::Call(Callee::Library(rule), of) => {
                let of: Vec<Dual> = of.iter().map(at).collect();
                of_rule(*rule, &of)
            }
            Op::Cast(a) => Dual::constant(wrapped(at(a).value, node.kind)),
        }
    }
}

/// A whole number as its kind holds it.
fn wrapped(value: f64, kind: Kind) -> f64 {
    match kind {
        Kind::Int => f64::from(value as i64 as i32),
        Kind::Uint => f64::from(value as i64 as u32),
        Kind::Bool => f64::from(value != 0.0),
        _ => value,
    }
}

/// The sum of slopes times derivatives. What is flat passes nothing, whatever it is of.
fn along(of: &[Dual], partial: impl Fn(usize) -> f64) -> f64 {
    let moving = of.iter().enumerate().filter(|(_, of)| of.slope != 0.0);
    moving.map(|(at, of)| masked(of.slope, partial(at))).sum()
}

fn of_rule(rule: usize, of: &[Dual]) -> Dual {
    let rule = &rules::ALL[rule];
    let values: Vec<f64> = of.iter().map(|of| of.value).collect();
    let value = (rule.value)(&values);
    // What has no limit has no derivative there either, whatever it is of.
    let slope = match rule.name == "m_if_finite" && value.is_nan() {
        true => f64::NAN,
        false => along(of, |at| (rule.partial)(&values, at)),
    };
    Dual { value, slope }
}

fn compared(op: Binary, a: f64, b: f64) -> Option<f64> {
    let holds = match op {
        Binary::Less => a < b,
        Binary::LessEqual => a <= b,
        Binary::Greater => a > b,
        Binary::GreaterEqual => a >= b,
        Binary::Equal => a == b,
        Binary::NotEqual => a != b,
        _ => return None,
    };
    Some(f64::from(holds))
}

/// Of whole numbers and truth values.
fn of_whole(op: Binary, a: f64, b: f64) -> f64 {
    if let Some(holds) = compared(op, a, b) {
        return holds;
    }
    let (a, b) = (a as i64, b as i64);
    let value = match op {
        Binary::Add => a.wrapping_add(b),
        Binary::Subtract => a.wrapping_sub(b),
        Binary::Multiply => a.wrapping_mul(b),
        Binary::Divide => a.checked_div(b).unwrap_or(a),
        Binary::Remainder => a.checked_rem(b).unwrap_or(0),
        Binary::Or => a | b,
        _ => a & b,
    };
    // Beyond what f64 holds, the lower 32 bits are what counts.
    (value as i32).into()
}

fn of_binary(op: Binary, a: Dual, b: Dual) -> Dual {
    if let Some(holds) = compared(op, a.value, b.value) {
        return Dual::constant(holds);
    }
    let of = [a, b];
    let (a, b) = (a.value, b.value);
    match op {
        Binary::Add => Dual {
            value: a + b,
            slope: along(&of, |_| 1.0),
        },
        Binary::Subtract => Dual {
            value: a - b,
            slope: along(&of, |at| [1.0, -1.0][at]),
        },
        Binary::Multiply => Dual {
            value: a * b,
            slope: along(&of, |at| [b, a][at]),
        },
        Binary::Divide => Dual {
            value: a / b,
            slope: along(&of, |at| [1.0 / b, -(a / b) / b][at]),
        },
        _ => Dual {
            value: a % b,
            slope: along(&of, |at| [1.0, -(a / b).trunc()][at]),
        },
    }
}

/// A built-in function; `are_numbers` where all that it takes but the first are.
fn of_math(function: MathFunction, of: &[Dual], are_numbers: bool) -> Dual {
    let values: Vec<f64> = of.iter().map(|of| of.value).collect();
    let value = value(function, &values);
    let partial = |at| match function {
        // On bounds that are numbers the derivative is 0.
        MathFunction::Clamp if are_numbers => {
            f64::from(values[0] > values[1] && values[0] < values[2])
        }
        _ => partial(function, &values, value, at),
    };
    Dual {
        value,
        slope: along(of, partial),
    }
}

/// Whether an angle is infinite in f32, where these functions are NaN: no limit is to be had from f64's wider range.
fn has_no_value(function: MathFunction, x: f64) -> bool {
    use MathFunction as F;
    matches!(function, F::Cos | F::Sin | F::Tan) && x.abs() > f64::from(f32::MAX)
}

/// A built-in function.
fn value(function: MathFunction, of: &[f64]) -> f64 {
    use MathFunction as F;
    let x = of[0];
    match function {
        _ if has_no_value(function, x) => f64::NAN,
        F::Abs => x.abs(),
        F::Min => x.min(of[1]),
        F::Max => x.max(of[1]),
        F::Clamp => x.max(of[1]).min(of[2]),
        F::Cos => x.cos(),
        F::Cosh => x.cosh(),
        F::Sin => x.sin(),
        F::Sinh => x.sinh(),
        F::Tan => x.tan(),
        F::Tanh => x.tanh(),
        F::Acos => x.acos(),
        F::Asin => x.asin(),
        F::Atan => x.atan(),
        F::Atan2 => x.atan2(of[1]),
        F::Asinh => x.asinh(),
        F::Acosh => x.acosh(),
        F::Atanh => x.atanh(),
        F::Ceil => x.ceil(),
        F::Floor => x.floor(),
        F::Round => x.round_ties_even(),
        F::Fract => x - x.floor(),
        F::Trunc => x.trunc(),
        F::Exp => x.exp(),
        F::Exp2 => x.exp2(),
        F::Log => x.ln(),
        F::Log2 => x.log2(),
        F::Pow => x.powf(of[1]),
        F::Sign if x == 0.0 => 0.0,
        F::Sign => x.signum(),
        F::Fma => x * of[1] + of[2],
        F::Mix => x * (1.0 - of[2]) + of[1] * of[2],
        F::Step => f64::from(of[1] >= x),
        F::Sqrt => x.sqrt(),
        F::InverseSqrt => x.sqrt().recip(),
        F::Length => of.iter().fold(0.0, |all: f64, part| all.hypot(*part)),
        _ => f64::NAN,
    }
}

/// The derivative of a built-in function with respect to one of what it takes, with PyTorch's choice at kinks.
fn partial(function: MathFunction, of: &[f64], y: f64, at: usize) -> f64 {
    use MathFunction as F;
    let x = of[0];
    let tie = |first: bool| match (of[0] == of[1], (at == 0) == first) {
        (true, _) => 0.5,
        (false, is_it) => f64::from(is_it),
    };
    match function {
        _ if has_no_value(function, x) => f64::NAN,
        F::Abs if x == 0.0 => 0.0,
        F::Abs => x.signum(),
        F::Min => tie(of[0] < of[1]),
        F::Max => tie(of[0] > of[1]),
        F::Clamp => of_clamp(of, at),
        F::Cos => -x.sin(),
        F::Cosh => x.sinh(),
        F::Sin => x.cos(),
        F::Sinh => x.cosh(),
        F::Tan => 1.0 + y * y,
        F::Tanh => x.cosh().powi(-2),
        F::Acos => -((1.0 - x) * (1.0 + x)).sqrt().recip(),
        F::Asin => ((1.0 - x) * (1.0 + x)).sqrt().recip(),
        F::Atan => (1.0 + x * x).recip(),
        F::Atan2 => [of[1], -x][at] / (x * x + of[1] * of[1]),
        F::Asinh => (x * x + 1.0).sqrt().recip(),
        F::Acosh => ((x - 1.0) * (x + 1.0)).sqrt().recip(),
        F::Atanh => ((1.0 - x) * (1.0 + x)).recip(),
        F::Fract => 1.0,
        F::Exp => y,
        F::Exp2 => std::f64::consts::LN_2 * y,
        F::Log => x.recip(),
        F::Log2 => (x * std::f64::consts::LN_2).recip(),
        F::Pow => power(of, y, at),
        F::Fma => [of[1], x, 1.0][at],
        F::Mix => [1.0 - of[2], of[2], of[1] - x][at],
        F::Sqrt => 0.5 / y,
        F::InverseSqrt => -0.5 * y * y * y,
        F::Length if y == 0.0 => 0.0,
        F::Length => of[at] / y,
        _ => 0.0,
    }
}

/// Where a bound is computed, x and the bound that it is on have half each.
fn of_clamp(of: &[f64], at: usize) -> f64 {
    let [x, low, high] = [of[0], of[1], of[2]];
    let is_open = low < high;
    let (is_beyond, is_on) = match at {
        0 => (x > low && x < high, x == low || x == high),
        1 => (x < low && is_open, x == low),
        _ => (x > high || !is_open, x == high),
    };
    match (is_beyond, is_on && is_open) {
        (true, _) => 1.0,
        (false, true) => 0.5,
        (false, false) => 0.0,
    }
}

fn power(of: &[f64], y: f64, at: usize) -> f64 {
    let [a, b] = [of[0], of[1]];
    match at {
        0 if b == 0.0 => 0.0,
        0 => b * a.powf(b - 1.0),
        _ if a == 0.0 && b >= 0.0 => 0.0,
        _ => y * a.ln(),
    }
}
