//! Expressions of naga's IR as values of a graph.

use super::graph::{Binary, Graph, Id, Kind};
use super::trace::{Frame, Traced, Value};
use naga::{
    ArraySize, BinaryOperator, Expression, Handle, Literal, RelationalFunction, ScalarKind, Span,
    Type, TypeInner, UnaryOperator,
};

/// Most parts of a variable.
const PARTS: u32 = 1024;

/// Why a number that is made whole is refused.
const WHOLE: &str =
    "a whole number made of a float has no derivative; floor, round and trunc stay floats";

/// A literal; none of kinds that no f32 function needs.
fn literal(graph: &mut Graph, literal: Literal) -> Option<Id> {
    Some(match literal {
        Literal::F32(value) => graph.float(value),
        Literal::AbstractFloat(value) => graph.float(value as f32),
        Literal::I32(value) => graph.whole(value.into(), Kind::Int),
        Literal::U32(value) => graph.whole(value.into(), Kind::Uint),
        Literal::AbstractInt(value) => graph.whole(value, Kind::Int),
        Literal::Bool(value) => graph.bool(value),
        _ => return None,
    })
}

impl Frame<'_, '_> {
    /// The value of an expression that was gone through, or that needs no going through.
    pub(super) fn value(&mut self, handle: Handle<Expression>) -> Traced<Value> {
        match &self.values[handle.index()] {
            Some(value) => Ok(value.clone()),
            None => self.evaluate(handle),
        }
    }

    pub(super) fn one(&mut self, handle: Handle<Expression>) -> Traced<Id> {
        match self.value(handle)? {
            Value::One(id) => Ok(id),
            _ => self.refuse(self.span(handle), "a number is needed here"),
        }
    }

    pub(super) fn span(&self, handle: Handle<Expression>) -> Span {
        self.function.expressions.get_span(handle)
    }

    fn inner(&self, handle: Handle<Expression>) -> &TypeInner {
        self.inner[handle].ty.inner_with(&self.book.module.types)
    }

    pub(super) fn evaluate(&mut self, handle: Handle<Expression>) -> Traced<Value> {
        let span = self.span(handle);
        let function = self.function;
        if matches!(self.inner(handle), TypeInner::Matrix { .. }) {
            return self.refuse(span, "matrices are not taken; write out their products");
        }
        match &function.expressions[handle] {
            Expression::Literal(value) => match literal(self.graph, *value) {
                Some(id) => Ok(Value::One(id)),
                None => self.refuse(span, "numbers are f32, i32, u32 or bool here"),
            },
            Expression::Constant(constant) => {
                self.global(self.book.module.constants[*constant].init, span)
            }
            Expression::ZeroValue(ty) => self.zero(*ty, span),
            Expression::Compose { ty, components } => self.compose(*ty, components),
            Expression::Access { base, index } => {
                let index = self.one(*index)?;
                let Some(index) = self.graph.as_whole(index) else {
                    let message = "an index that depends on the input; select among the parts";
                    return self.refuse(span, message);
                };
                self.part(*base, usize::try_from(index).ok(), span)
            }
            Expression::AccessIndex { base, index } => {
                self.part(*base, Some(*index as usize), span)
            }
            Expression::Splat { size, value } => {
                let value = self.value(*value)?;
                Ok(Value::Parts(vec![value; *size as usize]))
            }
            Expression::Swizzle {
                size,
                vector,
                pattern,
            } => {
                let Value::Parts(parts) = self.value(*vector)? else {
                    return self.refuse(span, "a vector is needed here");
                };
                let wanted = pattern[..*size as usize].iter();
                let picked = wanted.filter_map(|at| parts.get(*at as usize).cloned());
                Ok(Value::Parts(picked.collect()))
            }
            Expression::FunctionArgument(index) => Ok(self.arguments[*index as usize].clone()),
            Expression::LocalVariable(local) => Ok(Value::Place(local.index(), Vec::new())),
            Expression::Load { pointer } => self.load(*pointer, span),
            operation => self.operation(operation, span),
        }
    }

    /// An operation of values.
    fn operation(&mut self, expression: &Expression, span: Span) -> Traced<Value> {
        match expression {
            Expression::Unary { op, expr } => {
                let value = self.value(*expr)?;
                self.each(&[value], span, &mut |f, of| f.unary(*op, of[0], span))
            }
            Expression::Binary { op, left, right } => {
                let values = [self.value(*left)?, self.value(*right)?];
                self.each(&values, span, &mut |f, of| {
                    f.binary(*op, of[0], of[1], span)
                })
            }
            Expression::Select {
                condition,
                accept,
                reject,
            } => {
                let values = [*condition, *accept, *reject];
                let [when, accept, reject] = values.map(|handle| self.value(handle));
                let (when, accept, reject) = (when?, accept?, reject?);
                match when {
                    Value::One(when) => self.choose(when, &accept, &reject, span),
                    when => self.each(&[when, accept, reject], span, &mut |f, of| {
                        Ok(f.graph.select(of[0], of[1], of[2]))
                    }),
                }
            }
            Expression::Relational { fun, argument } => self.relational(*fun, *argument, span),
            Expression::Math {
                fun,
                arg,
                arg1,
                arg2,
                arg3,
            } => {
                let all = [Some(*arg), *arg1, *arg2, *arg3];
                let values = all.into_iter().flatten().map(|a| self.value(a));
                let values: Vec<Value> = values.collect::<Traced<_>>()?;
                self.built_in(*fun, &values, span)
            }
            Expression::As {
                expr,
                kind,
                convert,
            } => {
                let value = self.value(*expr)?;
                if convert.is_none() {
                    return self.refuse(span, "bitcast has no derivative: bits are no numbers");
                }
                self.each(&[value], span, &mut |f, of| f.cast(of[0], *kind, span))
            }
            _ => self.refuse(span, "this has no place in a function of a number"),
        }
    }

    /// An expression at module scope.
    fn global(&mut self, handle: Handle<Expression>, span: Span) -> Traced<Value> {
        let module = self.book.module;
        match &module.global_expressions[handle] {
            Expression::Literal(value) => match literal(self.graph, *value) {
                Some(id) => Ok(Value::One(id)),
                None => self.refuse(span, "numbers are f32, i32, u32 or bool here"),
            },
            Expression::ZeroValue(ty) => self.zero(*ty, span),
            Expression::Constant(constant) => self.global(module.constants[*constant].init, span),
            Expression::Compose { ty, components } => {
                let parts = components.iter().map(|part| self.global(*part, span));
                let parts = parts.collect::<Traced<Vec<_>>>()?;
                Ok(self.joined(*ty, parts))
            }
            Expression::Splat { size, value } => {
                let value = self.global(*value, span)?;
                Ok(Value::Parts(vec![value; *size as usize]))
            }
            _ => self.refuse(span, "this constant is not taken"),
        }
    }

    /// Zero of a type.
    pub(super) fn zero(&mut self, ty: Handle<Type>, span: Span) -> Traced<Value> {
        let mut left = PARTS;
        self.zeros(ty, &mut left, span)
    }

    fn zeros(&mut self, ty: Handle<Type>, left: &mut u32, span: Span) -> Traced<Value> {
        let Some(less) = left.checked_sub(1) else {
            let message = format!("a variable of more than {PARTS} parts");
            return self.refuse(span, message);
        };
        *left = less;
        let module = self.book.module;
        let zero = |graph: &mut Graph, kind| match kind {
            ScalarKind::Float => graph.float(0.0),
            ScalarKind::Sint => graph.whole(0, Kind::Int),
            ScalarKind::Uint => graph.whole(0, Kind::Uint),
            _ => graph.bool(false),
        };
        match &module.types[ty].inner {
            TypeInner::Scalar(scalar) => Ok(Value::One(zero(self.graph, scalar.kind))),
            TypeInner::Vector { size, scalar } => {
                let zero = Value::One(zero(self.graph, scalar.kind));
                Ok(Value::Parts(vec![zero; *size as usize]))
            }
            TypeInner::Struct { members, .. } => {
                let parts = members.iter().map(|m| self.zeros(m.ty, left, span));
                Ok(Value::Parts(parts.collect::<Traced<_>>()?))
            }
            TypeInner::Array {
                base,
                size: ArraySize::Constant(count),
                ..
            } => {
                let parts = (0..count.get()).map(|_| self.zeros(*base, left, span));
                Ok(Value::Parts(parts.collect::<Traced<_>>()?))
            }
            _ => self.refuse(
                span,
                "variables are numbers, vectors, structs and arrays here",
            ),
        }
    }

    fn compose(&mut self, ty: Handle<Type>, parts: &[Handle<Expression>]) -> Traced<Value> {
        let parts = parts.iter().map(|part| self.value(*part));
        let parts = parts.collect::<Traced<Vec<_>>>()?;
        Ok(self.joined(ty, parts))
    }

    /// Parts as a value of a type; those of a vector may be vectors.
    fn joined(&self, ty: Handle<Type>, parts: Vec<Value>) -> Value {
        let inner = &self.book.module.types[ty].inner;
        if !matches!(inner, TypeInner::Vector { .. }) {
            return Value::Parts(parts);
        }
        let flat = parts.into_iter().flat_map(|part| match part {
            Value::Parts(parts) => parts,
            one => vec![one],
        });
        Value::Parts(flat.collect())
    }

    /// A part of a value, or of a place.
    fn part(&mut self, base: Handle<Expression>, at: Option<usize>, span: Span) -> Traced<Value> {
        let found = match (self.value(base)?, at) {
            (Value::Place(local, mut path), Some(at)) => {
                path.push(at);
                Some(Value::Place(local, path))
            }
            (Value::Parts(parts), Some(at)) => parts.get(at).cloned(),
            (Value::One(_), _) => {
                let message = "the parts of what m_exp and its like give are bits; m_exp_times and m_exp_value make \
                               numbers of it";
                return self.refuse(span, message);
            }
            _ => None,
        };
        match found {
            Some(value) => Ok(value),
            None => self.refuse(span, "there is no such part"),
        }
    }

    fn load(&mut self, pointer: Handle<Expression>, span: Span) -> Traced<Value> {
        let Value::Place(local, path) = self.value(pointer)? else {
            return self.refuse(span, "only variables of the function's own can be read");
        };
        let mut place = &self.state.locals[local];
        for part in path {
            place = match place {
                Value::Parts(parts) if part < parts.len() => &parts[part],
                Value::One(_) => {
                    let message = "the parts of what m_exp and its like give are bits; m_exp_times and m_exp_value \
                                   make numbers of it";
                    return self.refuse(span, message);
                }
                _ => return self.refuse(span, "there is no such part"),
            };
        }
        Ok(place.clone())
    }

    /// A function of numbers, of each part of vectors; a number beside vectors is the same for all.
    pub(super) fn each(
        &mut self,
        values: &[Value],
        span: Span,
        function: &mut dyn FnMut(&mut Self, &[Id]) -> Traced<Id>,
    ) -> Traced<Value> {
        let parts = values.iter().filter_map(|value| match value {
            Value::Parts(parts) => Some(parts.len()),
            _ => None,
        });
        let at = |index: usize| {
            let ids = values.iter().map(move |value| match value {
                Value::One(id) => Some(*id),
                Value::Parts(parts) => match parts.get(index) {
                    Some(Value::One(id)) => Some(*id),
                    _ => None,
                },
                Value::Place(..) => None,
            });
            ids.collect::<Option<Vec<Id>>>()
        };
        let count = parts.max();
        let mut made = Vec::new();
        for index in 0..count.unwrap_or(1) {
            match at(index) {
                Some(ids) => made.push(Value::One(function(self, &ids)?)),
                None => return self.refuse(span, "numbers or vectors are needed here"),
            }
        }
        match count {
            Some(_) => Ok(Value::Parts(made)),
            None => Ok(made.remove(0)),
        }
    }

    fn unary(&mut self, op: UnaryOperator, a: Id, span: Span) -> Traced<Id> {
        match op {
            UnaryOperator::Negate => Ok(self.graph.negate(a)),
            UnaryOperator::LogicalNot => Ok(self.graph.not(a)),
            UnaryOperator::BitwiseNot => match self.graph.as_whole(a) {
                Some(value) => Ok(self.graph.whole(!value, self.graph.kind(a))),
                None => self.refuse(span, "bits of a number that depends on the input"),
            },
        }
    }

    fn binary(&mut self, op: BinaryOperator, a: Id, b: Id, span: Span) -> Traced<Id> {
        let is_bool = self.graph.kind(a) == Kind::Bool;
        if !matches!(self.graph.kind(a), Kind::Float | Kind::Bool) {
            return self.of_whole(op, a, b, span);
        }
        let op = match op {
            BinaryOperator::Add => Binary::Add,
            BinaryOperator::Subtract => Binary::Subtract,
            BinaryOperator::Multiply => Binary::Multiply,
            BinaryOperator::Divide => Binary::Divide,
            BinaryOperator::Modulo => Binary::Remainder,
            BinaryOperator::And | BinaryOperator::LogicalAnd => Binary::And,
            BinaryOperator::InclusiveOr | BinaryOperator::LogicalOr => Binary::Or,
            BinaryOperator::ExclusiveOr => Binary::NotEqual,
            op => compared(op),
        };
        if let (true, Some(known)) = (is_bool, self.graph.as_bool(b)) {
            // Of truth values, `==` and `!=` with one that is known.
            match op {
                Binary::Equal if known => return Ok(a),
                Binary::NotEqual if !known => return Ok(a),
                Binary::Equal | Binary::NotEqual => return Ok(self.graph.not(a)),
                _ => {}
            }
        }
        Ok(self.graph.binary(op, a, b))
    }

    /// Of whole numbers: what is known is computed; of others sums, products and comparisons are left.
    fn of_whole(&mut self, op: BinaryOperator, a: Id, b: Id, span: Span) -> Traced<Id> {
        let kind = self.graph.kind(a);
        let known = self.graph.as_whole(a).zip(self.graph.as_whole(b));
        let shift = |b: i64| u32::try_from(b).unwrap_or(0) & 31;
        let bits = match (op, known) {
            (BinaryOperator::ExclusiveOr, Some((a, b))) => Some(a ^ b),
            (BinaryOperator::ShiftLeft, Some((a, b))) => Some(a << shift(b)),
            (BinaryOperator::ShiftRight, Some((a, b))) => Some(a >> shift(b)),
            _ => None,
        };
        if let Some(bits) = bits {
            return Ok(self.graph.whole(bits, kind));
        }
        let op = match (op, known) {
            (BinaryOperator::Add, _) => Binary::Add,
            (BinaryOperator::Subtract, _) => Binary::Subtract,
            (BinaryOperator::Multiply, _) => Binary::Multiply,
            (BinaryOperator::Divide, Some((_, 1..))) => Binary::Divide,
            (BinaryOperator::Modulo, Some((_, 1..))) => Binary::Remainder,
            (BinaryOperator::And, Some(_)) => Binary::And,
            (BinaryOperator::InclusiveOr, Some(_)) => Binary::Or,
            (op, _) if compared(op).compares() => compared(op),
            _ => return self.refuse(span, "this operation of whole numbers is not taken here"),
        };
        Ok(self.graph.binary(op, a, b))
    }

    fn cast(&mut self, a: Id, to: ScalarKind, span: Span) -> Traced<Id> {
        let to = match to {
            ScalarKind::Float | ScalarKind::AbstractFloat => Kind::Float,
            ScalarKind::Sint | ScalarKind::AbstractInt => Kind::Int,
            ScalarKind::Uint => Kind::Uint,
            ScalarKind::Bool => Kind::Bool,
        };
        match (self.graph.kind(a), to) {
            (Kind::Float, Kind::Float) => Ok(a),
            (Kind::Float, Kind::Int | Kind::Uint) => match self.graph.as_float(a) {
                Some(value) => Ok(self.graph.whole(value as i64, to)),
                None => self.refuse(span, WHOLE),
            },
            (Kind::Float, _) => {
                let zero = self.graph.float(0.0);
                Ok(self.graph.binary(Binary::NotEqual, a, zero))
            }
            (Kind::Exp | Kind::Turns, _) => {
                self.refuse(span, "what m_exp and its like give is no number yet")
            }
            _ => Ok(self.graph.cast(a, to)),
        }
    }

    fn relational(
        &mut self,
        fun: RelationalFunction,
        argument: Handle<Expression>,
        span: Span,
    ) -> Traced<Value> {
        let op = match fun {
            RelationalFunction::All => Binary::And,
            RelationalFunction::Any => Binary::Or,
            _ => return self.refuse(span, "this function is not taken"),
        };
        let parts = match self.value(argument)? {
            Value::Parts(parts) => parts,
            one => vec![one],
        };
        let mut all = None;
        for part in parts {
            let Value::One(id) = part else {
                return self.refuse(span, "truth values are needed here");
            };
            all = Some(match all {
                Some(before) => self.graph.binary(op, before, id),
                None => id,
            });
        }
        match all {
            Some(id) => Ok(Value::One(id)),
            None => self.refuse(span, "truth values are needed here"),
        }
    }
}

/// A comparison; another operator is refused before it comes here.
fn compared(op: BinaryOperator) -> Binary {
    match op {
        BinaryOperator::Equal => Binary::Equal,
        BinaryOperator::NotEqual => Binary::NotEqual,
        BinaryOperator::Less => Binary::Less,
        BinaryOperator::LessEqual => Binary::LessEqual,
        BinaryOperator::Greater => Binary::Greater,
        BinaryOperator::GreaterEqual => Binary::GreaterEqual,
        _ => Binary::Add,
    }
}
