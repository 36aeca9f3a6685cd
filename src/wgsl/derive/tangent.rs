//! A graph's derivative as a graph: beside each value its derivative, with PyTorch's choice at kinks.

use super::graph::{Binary, Callee, Graph, Id, Kind, Op};
use super::rules::{self, Tangent};
use super::trace::Own;
use naga::MathFunction;
use std::collections::HashMap;
use std::rc::Rc;

/// A function's derivative with respect to one parameter: none where it is zero.
pub(super) type Partial = Option<Rc<(Graph, Id)>>;

/// The derivatives of functions.
pub(super) struct Tangents<'p> {
    functions: &'p [Own],
    known: HashMap<(usize, usize), Partial>,
}

/// A sum of terms, of which there may be none.
pub(super) fn plus(graph: &mut Graph, a: Option<Id>, b: Option<Id>) -> Option<Id> {
    let (Some(a), Some(b)) = (a, b) else {
        return a.or(b);
    };
    if a == b {
        let two = graph.float(2.0);
        return Some(times(graph, two, a));
    }
    Some(match (&graph.node(a).op, &graph.node(b).op) {
        (_, Op::Negate(inner)) => {
            let inner = *inner;
            graph.binary(Binary::Subtract, a, inner)
        }
        (Op::Negate(inner), _) => {
            let inner = *inner;
            graph.binary(Binary::Subtract, b, inner)
        }
        _ => graph.binary(Binary::Add, a, b),
    })
}

/// A product, with signs in front of it.
pub(super) fn times(graph: &mut Graph, a: Id, b: Id) -> Id {
    let is_minus = |graph: &Graph, id| graph.as_float(id) == Some(-1.0);
    if is_minus(graph, a) {
        return graph.negate(b);
    }
    if is_minus(graph, b) {
        return graph.negate(a);
    }
    match (graph.node(a).op.clone(), graph.node(b).op.clone()) {
        (Op::Negate(inner), _) => {
            let product = times(graph, inner, b);
            graph.negate(product)
        }
        (_, Op::Negate(inner)) => {
            let product = times(graph, a, inner);
            graph.negate(product)
        }
        // A number stands first.
        (_, Op::Float(_)) => graph.binary(Binary::Multiply, b, a),
        _ => graph.binary(Binary::Multiply, a, b),
    }
}

/// A quotient, with its sign in front.
fn quotient(graph: &mut Graph, a: Id, b: Id) -> Id {
    match graph.node(a).op {
        Op::Negate(inner) => {
            let quotient = graph.binary(Binary::Divide, inner, b);
            graph.negate(quotient)
        }
        _ => graph.binary(Binary::Divide, a, b),
    }
}

/// A product with a slope that may be zero where the other factor is infinite: nothing passes there, as in the library's own
/// functions.
fn saturating(graph: &mut Graph, d: Id, slope: Id) -> Id {
    match is_bounded(graph, d, 4) {
        true => times(graph, slope, d),
        false => rules::call(graph, "m_masked", &[d, slope]),
    }
}

/// Whether a value is finite, as a glance at the last operations tells.
fn is_bounded(graph: &Graph, id: Id, glance: u32) -> bool {
    use MathFunction::{Cos, Sign, Sin, Tanh};
    let next = |id: &Id| glance > 0 && is_bounded(graph, *id, glance - 1);
    match &graph.node(id).op {
        Op::Float(_) | Op::Math(Sign | Sin | Cos | Tanh, _) => true,
        Op::Negate(a) => next(a),
        Op::Binary(Binary::Multiply, a, b) => next(a) && next(b),
        Op::Select { accept, reject, .. } => next(accept) && next(reject),
        _ => false,
    }
}

/// 0 where there is no derivative.
fn or_zero(graph: &mut Graph, d: Option<Id>) -> Id {
    d.unwrap_or_else(|| graph.float(0.0))
}

/// A choice between derivatives; none where both are zero.
fn choice(graph: &mut Graph, when: Id, accept: Option<Id>, reject: Option<Id>) -> Option<Id> {
    if accept.is_none() && reject.is_none() {
        return None;
    }
    let (accept, reject) = (or_zero(graph, accept), or_zero(graph, reject));
    Some(graph.select(when, accept, reject))
}

impl<'p> Tangents<'p> {
    pub(super) fn new(functions: &'p [Own]) -> Self {
        Tangents {
            functions,
            known: HashMap::new(),
        }
    }

    /// The derivative of a function with respect to a parameter.
    pub(super) fn of(&mut self, function: usize, parameter: usize) -> Partial {
        if let Some(known) = self.known.get(&(function, parameter)) {
            return known.clone();
        }
        let own = &self.functions[function];
        let mut graph = own.graph.clone();
        let mut all: Vec<Option<Id>> = Vec::with_capacity(graph.len());
        for id in own.graph.ids().take(own.root.index() + 1) {
            let d = self.of_operation(&mut graph, id, parameter, &all);
            if let (Some(d), Some(name)) = (d, own.graph.name(id))
                && d.index() >= own.graph.len()
            {
                graph.call(d, &format!("d_{name}"));
            }
            all.push(d);
        }
        let root = all[own.root.index()];
        let partial = root.map(|root| Rc::new((graph, root)));
        self.known.insert((function, parameter), partial.clone());
        partial
    }

    fn of_operation(
        &mut self,
        graph: &mut Graph,
        id: Id,
        parameter: usize,
        all: &[Option<Id>],
    ) -> Option<Id> {
        let d = |of: Id| all[of.index()];
        match graph.node(id).op.clone() {
            Op::Argument(index) => (index == parameter).then(|| graph.float(1.0)),
            Op::Negate(a) => {
                let d = d(a)?;
                Some(graph.negate(d))
            }
            Op::Binary(op, a, b) => of_binary(graph, op, (a, b), id, [d(a), d(b)]),
            Op::Select {
                condition,
                accept,
                reject,
            } => choice(graph, condition, d(accept), d(reject)),
            Op::Math(function, of) => {
                let ds: Vec<_> = of.iter().map(|of| d(*of)).collect();
                if ds.iter().all(Option::is_none) {
                    return None;
                }
                of_math(graph, function, &of, id, &ds)
            }
            Op::Call(Callee::Own(function), of) => {
                let mut sum = None;
                for (parameter, of_one) in of.iter().enumerate() {
                    let Some(d) = d(*of_one) else { continue };
                    let Some(partial) = self.of(function, parameter) else {
                        continue;
                    };
                    let slope = match partial.0.as_float(partial.1) {
                        Some(constant) => graph.float(constant),
                        None => {
                            let callee = Callee::Partial(function, parameter);
                            graph.add(Op::Call(callee, of.clone()), Kind::Float)
                        }
                    };
                    let term = times(graph, slope, d);
                    sum = plus(graph, sum, Some(term));
                }
                sum
            }
            Op::Call(Callee::Library(rule), of) => {
                let ds: Vec<_> = of.iter().map(|of| d(*of)).collect();
                match rules::ALL[rule].tangent {
                    Tangent::By(by) => by(graph, &of, id, &ds),
                    Tangent::None | Tangent::OfText | Tangent::Unknown => None,
                }
            }
            _ => None,
        }
    }
}

/// Of sums, products and quotients.
fn of_binary(
    graph: &mut Graph,
    op: Binary,
    (a, b): (Id, Id),
    value: Id,
    [da, db]: [Option<Id>; 2],
) -> Option<Id> {
    match op {
        Binary::Add => plus(graph, da, db),
        Binary::Subtract => {
            let minus = db.map(|db| graph.negate(db));
            plus(graph, da, minus)
        }
        Binary::Multiply => {
            let first = da.map(|da| times(graph, da, b));
            let second = db.map(|db| times(graph, a, db));
            plus(graph, first, second)
        }
        Binary::Divide => {
            // Divided last: the square of what is divided by leaves the range of f32 before the result does.
            let second = db.map(|db| {
                let term = saturating(graph, db, value);
                graph.negate(term)
            });
            let sum = plus(graph, da, second)?;
            Some(quotient(graph, sum, b))
        }
        Binary::Remainder => {
            let second = db.map(|db| {
                let ratio = graph.binary(Binary::Divide, a, b);
                let whole = graph.math(MathFunction::Trunc, &[ratio]);
                let term = times(graph, whole, db);
                graph.negate(term)
            });
            plus(graph, da, second)
        }
        _ => None,
    }
}

/// Of built-in functions, of which something has a derivative.
fn of_math(
    graph: &mut Graph,
    function: MathFunction,
    of: &[Id],
    value: Id,
    d: &[Option<Id>],
) -> Option<Id> {
    use MathFunction as F;
    match function {
        F::Sign | F::Floor | F::Ceil | F::Round | F::Trunc | F::Step => None,
        F::Fract => d[0],
        F::Min | F::Max => of_extreme(graph, function, of, d),
        F::Clamp => of_clamp(graph, of, d),
        F::Pow => of_power(graph, of, value, d),
        F::Fma => {
            let first = d[0].map(|d| times(graph, d, of[1]));
            let second = d[1].map(|d| times(graph, of[0], d));
            let product = plus(graph, first, second);
            plus(graph, product, d[2])
        }
        F::Mix => {
            let one = graph.float(1.0);
            let first = d[0].map(|d| {
                let rest = graph.binary(Binary::Subtract, one, of[2]);
                times(graph, rest, d)
            });
            let second = d[1].map(|d| times(graph, of[2], d));
            let third = d[2].map(|d| {
                let between = graph.binary(Binary::Subtract, of[1], of[0]);
                times(graph, between, d)
            });
            let sum = plus(graph, first, second);
            plus(graph, sum, third)
        }
        F::Length => {
            let mut sum = None;
            for (part, d) in of.iter().zip(d) {
                let term = d.map(|d| times(graph, *part, d));
                sum = plus(graph, sum, term);
            }
            let slope = graph.binary(Binary::Divide, sum?, value);
            let zero = graph.float(0.0);
            let is_zero = graph.binary(Binary::Equal, value, zero);
            Some(graph.select(is_zero, zero, slope))
        }
        F::Atan2 => {
            let squares = [of[0], of[1]].map(|a| graph.binary(Binary::Multiply, a, a));
            let square = graph.binary(Binary::Add, squares[0], squares[1]);
            let first = d[0].map(|d| times(graph, of[1], d));
            let second = d[1].map(|d| {
                let term = times(graph, of[0], d);
                graph.negate(term)
            });
            let sum = plus(graph, first, second)?;
            Some(graph.binary(Binary::Divide, sum, square))
        }
        _ => of_one_number(graph, function, of[0], value, d[0]?),
    }
}

/// 1 - v^2 as (1 - v) (1 + v), which rounds less.
fn less_square(graph: &mut Graph, v: Id) -> Id {
    let one = graph.float(1.0);
    let less = graph.binary(Binary::Subtract, one, v);
    let more = graph.binary(Binary::Add, one, v);
    graph.binary(Binary::Multiply, less, more)
}

fn more_square(graph: &mut Graph, v: Id) -> Id {
    let one = graph.float(1.0);
    let square = graph.binary(Binary::Multiply, v, v);
    graph.binary(Binary::Add, one, square)
}

/// Of the inverses of sines, hyperbolic ones and others.
fn of_inverse(graph: &mut Graph, function: MathFunction, u: Id, d: Id) -> Id {
    use MathFunction as F;
    let one = graph.float(1.0);
    let square = match function {
        F::Asin | F::Acos | F::Atanh => less_square(graph, u),
        F::Acosh => {
            let less = graph.binary(Binary::Subtract, u, one);
            let more = graph.binary(Binary::Add, u, one);
            graph.binary(Binary::Multiply, less, more)
        }
        _ => more_square(graph, u),
    };
    match function {
        F::Atan => {
            let bell = graph.binary(Binary::Divide, one, square);
            saturating(graph, d, bell)
        }
        F::Atanh => graph.binary(Binary::Divide, d, square),
        _ => {
            let root = graph.math(F::Sqrt, &[square]);
            let slope = graph.binary(Binary::Divide, d, root);
            match function {
                F::Acos => graph.negate(slope),
                _ => slope,
            }
        }
    }
}

/// Of functions of one number.
fn of_one_number(graph: &mut Graph, function: MathFunction, u: Id, value: Id, d: Id) -> Option<Id> {
    use MathFunction as F;
    let slope = |graph: &mut Graph, slope: Id| Some(times(graph, slope, d));
    match function {
        F::Abs => {
            let sign = graph.math(F::Sign, &[u]);
            slope(graph, sign)
        }
        F::Sin | F::Sinh | F::Cosh => {
            let other = match function {
                F::Sin => F::Cos,
                F::Sinh => F::Cosh,
                _ => F::Sinh,
            };
            let other = graph.math(other, &[u]);
            slope(graph, other)
        }
        F::Cos => {
            let sine = graph.math(F::Sin, &[u]);
            let down = graph.negate(sine);
            slope(graph, down)
        }
        F::Tan => {
            let more = more_square(graph, value);
            slope(graph, more)
        }
        F::Tanh => {
            let bell = less_square(graph, value);
            Some(saturating(graph, d, bell))
        }
        F::Asin | F::Acos | F::Atan | F::Asinh | F::Acosh | F::Atanh => {
            Some(of_inverse(graph, function, u, d))
        }
        F::Exp => Some(saturating(graph, d, value)),
        F::Exp2 => {
            let log = graph.float(std::f32::consts::LN_2);
            let grows = graph.binary(Binary::Multiply, log, value);
            Some(saturating(graph, d, grows))
        }
        F::Log => Some(graph.binary(Binary::Divide, d, u)),
        F::Log2 => {
            let factor = graph.float(std::f32::consts::LOG2_E);
            let ratio = graph.binary(Binary::Divide, factor, u);
            slope(graph, ratio)
        }
        F::Sqrt => {
            let half = graph.float(0.5);
            let half = times(graph, half, d);
            Some(graph.binary(Binary::Divide, half, value))
        }
        F::InverseSqrt => {
            let factor = graph.float(-0.5);
            let square = graph.binary(Binary::Multiply, value, value);
            let cube = graph.binary(Binary::Multiply, square, value);
            let down = graph.binary(Binary::Multiply, factor, cube);
            slope(graph, down)
        }
        _ => None,
    }
}

/// Of the smaller or the larger: of that which it is, and half of either's where both are alike, as PyTorch has it.
fn of_extreme(
    graph: &mut Graph,
    function: MathFunction,
    of: &[Id],
    d: &[Option<Id>],
) -> Option<Id> {
    if d[0] == d[1] {
        return d[0];
    }
    let is_first = match function {
        MathFunction::Min => graph.binary(Binary::Less, of[0], of[1]),
        _ => graph.binary(Binary::Greater, of[0], of[1]),
    };
    let is_tie = graph.binary(Binary::Equal, of[0], of[1]);
    let half = graph.float(0.5);
    let sum = plus(graph, d[0], d[1])?;
    let mean = times(graph, half, sum);
    let rest = choice(graph, is_tie, Some(mean), d[1]);
    choice(graph, is_first, d[0], rest)
}

/// Of x between the bounds, of a bound where x is beyond it, as PyTorch has it. On a bound that is a number it is 0; where a
/// bound is computed, x and that bound have half each.
fn of_clamp(graph: &mut Graph, of: &[Id], d: &[Option<Id>]) -> Option<Id> {
    let [x, low, high] = [of[0], of[1], of[2]];
    let is_above = graph.binary(Binary::Greater, x, low);
    let is_below = graph.binary(Binary::Less, x, high);
    let is_inside = graph.binary(Binary::And, is_above, is_below);
    if graph.is_constant(low) && graph.is_constant(high) {
        return choice(graph, is_inside, d[0], None);
    }
    let is_open = graph.binary(Binary::Less, low, high);
    let [on_low, on_high] = [low, high].map(|bound| {
        let is_on = graph.binary(Binary::Equal, x, bound);
        graph.binary(Binary::And, is_on, is_open)
    });
    let share = |graph: &mut Graph, d: Option<Id>, whole, half_where| {
        let half = graph.float(0.5);
        let half = times(graph, half, d?);
        let rest = choice(graph, half_where, Some(half), None);
        choice(graph, whole, d, rest)
    };
    let on = graph.binary(Binary::Or, on_low, on_high);
    let inside = share(graph, d[0], is_inside, on);
    let beyond = graph.binary(Binary::Less, x, low);
    let beyond = graph.binary(Binary::And, beyond, is_open);
    let of_low = share(graph, d[1], beyond, on_low);
    let beyond = graph.binary(Binary::Greater, x, high);
    let is_closed = graph.not(is_open);
    let beyond = graph.binary(Binary::Or, beyond, is_closed);
    let of_high = share(graph, d[2], beyond, on_high);
    let sum = plus(graph, inside, of_low);
    plus(graph, sum, of_high)
}

/// Of a^b: b a^(b - 1), zero where b is; and a^b log a, zero where a is and b is not below.
fn of_power(graph: &mut Graph, of: &[Id], value: Id, d: &[Option<Id>]) -> Option<Id> {
    let [a, b] = [of[0], of[1]];
    let (zero, one) = (graph.float(0.0), graph.float(1.0));
    let first = d[0].and_then(|d| {
        let slope = match graph.as_float(b) {
            Some(0.0) => return None,
            Some(1.0) => one,
            Some(2.0) => graph.binary(Binary::Multiply, b, a),
            Some(3.0) => {
                let square = graph.binary(Binary::Multiply, a, a);
                graph.binary(Binary::Multiply, b, square)
            }
            known => {
                let less = graph.binary(Binary::Subtract, b, one);
                let power = graph.math(MathFunction::Pow, &[a, less]);
                let slope = graph.binary(Binary::Multiply, b, power);
                let is_zero = graph.binary(Binary::Equal, b, zero);
                match known {
                    Some(_) => slope,
                    None => graph.select(is_zero, zero, slope),
                }
            }
        };
        Some(times(graph, slope, d))
    });
    let second = d[1].map(|d| {
        let log = graph.math(MathFunction::Log, &[a]);
        let slope = graph.binary(Binary::Multiply, value, log);
        let is_zero = graph.binary(Binary::Equal, a, zero);
        let is_fine = graph.binary(Binary::GreaterEqual, b, zero);
        let is_flat = graph.binary(Binary::And, is_zero, is_fine);
        let slope = graph.select(is_flat, zero, slope);
        times(graph, slope, d)
    });
    plus(graph, first, second)
}
