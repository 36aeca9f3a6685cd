//! WGSL's built-in functions of numbers.

use super::graph::{Binary, Id, Kind, Op};
use super::trace::{Frame, Traced, Value};
use naga::{MathFunction, Span};

/// Whether a function of numbers is an operation of graphs.
fn is_plain(function: MathFunction) -> bool {
    use MathFunction as F;
    matches!(
        function,
        F::Abs
            | F::Min
            | F::Max
            | F::Clamp
            | F::Cos
            | F::Cosh
            | F::Sin
            | F::Sinh
            | F::Tan
            | F::Tanh
            | F::Acos
            | F::Asin
            | F::Atan
            | F::Atan2
            | F::Asinh
            | F::Acosh
            | F::Atanh
            | F::Ceil
            | F::Floor
            | F::Round
            | F::Fract
            | F::Trunc
            | F::Exp
            | F::Exp2
            | F::Log
            | F::Log2
            | F::Pow
            | F::Sign
            | F::Fma
            | F::Mix
            | F::Step
            | F::Sqrt
            | F::InverseSqrt
    )
}

impl Frame<'_, '_> {
    pub(super) fn built_in(
        &mut self,
        function: MathFunction,
        values: &[Value],
        span: Span,
    ) -> Traced<Value> {
        use MathFunction as F;
        match function {
            F::Dot => Ok(Value::One(self.dot(&values[0], &values[1], span)?)),
            F::Length => Ok(Value::One(self.length(&values[0], span)?)),
            F::Distance => {
                let between = self.arithmetic(Binary::Subtract, &values[0], &values[1], span)?;
                Ok(Value::One(self.length(&between, span)?))
            }
            F::Normalize => {
                let length = Value::One(self.length(&values[0], span)?);
                self.arithmetic(Binary::Divide, &values[0], &length, span)
            }
            F::Cross => self.cross(&values[0], &values[1], span),
            F::FaceForward => {
                let dot = self.dot(&values[1], &values[2], span)?;
                let zero = self.graph.float(0.0);
                let is_below = self.graph.binary(Binary::Less, dot, zero);
                let turned =
                    self.each(&values[..1], span, &mut |f, of| Ok(f.graph.negate(of[0])))?;
                self.choose(is_below, &values[0], &turned, span)
            }
            F::Reflect => self.reflect(&values[0], &values[1], span),
            F::Refract => self.refract(values, span),
            F::Modf => {
                let whole = self.each(values, span, &mut |f, of| Ok(f.graph.math(F::Trunc, of)))?;
                let fract = self.arithmetic(Binary::Subtract, &values[0], &whole, span)?;
                Ok(Value::Parts(vec![fract, whole]))
            }
            F::Frexp => self.refuse(
                span,
                "frexp has no derivative: its exponent is a whole number made of a float",
            ),
            F::Outer | F::Inverse | F::Transpose | F::Determinant => {
                self.refuse(span, "matrices are not taken; write out their products")
            }
            _ => self.each(values, span, &mut |f, of| f.of_numbers(function, of, span)),
        }
    }

    /// A built-in function of numbers, one part at a time.
    fn of_numbers(&mut self, function: MathFunction, of: &[Id], span: Span) -> Traced<Id> {
        use MathFunction as F;
        let is_whole = matches!(self.graph.kind(of[0]), Kind::Int | Kind::Uint);
        if is_whole && function != F::Ldexp {
            return self.of_whole_numbers(function, of, span);
        }
        Ok(match function {
            _ if is_plain(function) => self.graph.math(function, of),
            F::Saturate => {
                let bounds = [self.graph.float(0.0), self.graph.float(1.0)];
                self.graph.math(F::Clamp, &[of[0], bounds[0], bounds[1]])
            }
            F::Radians | F::Degrees => {
                let one: f32 = 1.0;
                let factor = match function {
                    F::Radians => one.to_radians(),
                    _ => one.to_degrees(),
                };
                let factor = self.graph.float(factor);
                self.graph.binary(Binary::Multiply, of[0], factor)
            }
            F::SmoothStep => self.smooth_step(of),
            F::Ldexp => match self.graph.as_whole(of[1]) {
                Some(power @ -126..=127) => {
                    let power = self.graph.float(2f32.powi(power as i32));
                    self.graph.binary(Binary::Multiply, of[0], power)
                }
                _ => {
                    let message = "ldexp is taken with a constant from -126 to 127";
                    return self.refuse(span, message);
                }
            },
            _ => {
                let message = "this function is of bits, which have no derivative";
                return self.refuse(span, message);
            }
        })
    }

    /// The same of whole numbers that are known.
    fn of_whole_numbers(&mut self, function: MathFunction, of: &[Id], span: Span) -> Traced<Id> {
        let kind = self.graph.kind(of[0]);
        let known = of.iter().map(|id| self.graph.as_whole(*id));
        let known: Option<Vec<i64>> = known.collect();
        let value = match (function, known.as_deref()) {
            (MathFunction::Abs, Some([a])) => a.abs(),
            (MathFunction::Sign, Some([a])) => a.signum(),
            (MathFunction::Min, Some([a, b])) => *a.min(b),
            (MathFunction::Max, Some([a, b])) => *a.max(b),
            (MathFunction::Clamp, Some([a, low, high])) => *a.max(low).min(high),
            _ => return self.refuse(span, "this function of whole numbers is not taken here"),
        };
        Ok(self.graph.whole(value, kind))
    }

    fn arithmetic(&mut self, op: Binary, a: &Value, b: &Value, span: Span) -> Traced<Value> {
        let values = [a.clone(), b.clone()];
        self.each(&values, span, &mut |f, of| {
            Ok(f.graph.binary(op, of[0], of[1]))
        })
    }

    fn numbers(&mut self, value: &Value, span: Span) -> Traced<Vec<Id>> {
        let parts = match value {
            Value::Parts(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        let ids = parts.iter().map(|part| match part {
            Value::One(id) => Some(*id),
            _ => None,
        });
        match ids.collect::<Option<Vec<Id>>>() {
            Some(ids) => Ok(ids),
            None => self.refuse(span, "a vector is needed here"),
        }
    }

    fn dot(&mut self, a: &Value, b: &Value, span: Span) -> Traced<Id> {
        let products = self.arithmetic(Binary::Multiply, a, b, span)?;
        let products = self.numbers(&products, span)?;
        let sum = products.into_iter();
        let sum = sum.reduce(|sum, part| self.graph.binary(Binary::Add, sum, part));
        match sum {
            Some(sum) => Ok(sum),
            None => self.refuse(span, "a vector is needed here"),
        }
    }

    fn length(&mut self, value: &Value, span: Span) -> Traced<Id> {
        let parts = self.numbers(value, span)?;
        Ok(match parts.as_slice() {
            [one] => self.graph.math(MathFunction::Abs, &[*one]),
            _ => self
                .graph
                .add(Op::Math(MathFunction::Length, parts), Kind::Float),
        })
    }

    fn cross(&mut self, a: &Value, b: &Value, span: Span) -> Traced<Value> {
        let (a, b) = (self.numbers(a, span)?, self.numbers(b, span)?);
        let part = |at: usize, graph: &mut super::graph::Graph| {
            let (next, last) = ((at + 1) % 3, (at + 2) % 3);
            let one = graph.binary(Binary::Multiply, a[next], b[last]);
            let other = graph.binary(Binary::Multiply, a[last], b[next]);
            Value::One(graph.binary(Binary::Subtract, one, other))
        };
        if (a.len(), b.len()) != (3, 3) {
            return self.refuse(span, "vectors of three are needed here");
        }
        let parts = (0..3).map(|at| part(at, self.graph));
        Ok(Value::Parts(parts.collect()))
    }

    /// e - 2 dot(n, e) n
    fn reflect(&mut self, e: &Value, n: &Value, span: Span) -> Traced<Value> {
        let dot = self.dot(n, e, span)?;
        let two = self.graph.float(2.0);
        let twice = Value::One(self.graph.binary(Binary::Multiply, two, dot));
        let along = self.arithmetic(Binary::Multiply, &twice, n, span)?;
        self.arithmetic(Binary::Subtract, e, &along, span)
    }

    /// eta e - (eta dot(n, e) + sqrt k) n with k = 1 - eta^2 (1 - dot(n, e)^2), or zero where k is below zero.
    fn refract(&mut self, values: &[Value], span: Span) -> Traced<Value> {
        let (e, n, eta) = (&values[0], &values[1], &values[2]);
        let dot = self.dot(n, e, span)?;
        let Value::One(ratio) = *eta else {
            return self.refuse(span, "a number is needed here");
        };
        let graph = &mut *self.graph;
        let (zero, one) = (graph.float(0.0), graph.float(1.0));
        let square = graph.binary(Binary::Multiply, dot, dot);
        let rest = graph.binary(Binary::Subtract, one, square);
        let ratios = graph.binary(Binary::Multiply, ratio, ratio);
        let less = graph.binary(Binary::Multiply, ratios, rest);
        let k = graph.binary(Binary::Subtract, one, less);
        let root = graph.math(MathFunction::Sqrt, &[k]);
        let along = graph.binary(Binary::Multiply, ratio, dot);
        let along = Value::One(graph.binary(Binary::Add, along, root));
        let is_total = graph.binary(Binary::Less, k, zero);
        let along = self.arithmetic(Binary::Multiply, &along, n, span)?;
        let bent = self.arithmetic(Binary::Multiply, eta, e, span)?;
        let bent = self.arithmetic(Binary::Subtract, &bent, &along, span)?;
        let none = self.each(std::slice::from_ref(e), span, &mut |_, _| Ok(zero))?;
        self.choose(is_total, &none, &bent, span)
    }

    /// t^2 (3 - 2 t) with t = clamp((x - low) / (high - low), 0, 1).
    fn smooth_step(&mut self, of: &[Id]) -> Id {
        let graph = &mut *self.graph;
        let [low, high, x] = [of[0], of[1], of[2]];
        let along = graph.binary(Binary::Subtract, x, low);
        let all = graph.binary(Binary::Subtract, high, low);
        let share = graph.binary(Binary::Divide, along, all);
        let bounds = [graph.float(0.0), graph.float(1.0)];
        let t = graph.math(MathFunction::Clamp, &[share, bounds[0], bounds[1]]);
        let (two, three) = (graph.float(2.0), graph.float(3.0));
        let twice = graph.binary(Binary::Multiply, two, t);
        let rest = graph.binary(Binary::Subtract, three, twice);
        let square = graph.binary(Binary::Multiply, t, t);
        graph.binary(Binary::Multiply, square, rest)
    }
}
