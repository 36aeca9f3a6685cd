//! A function of f32 numbers as a graph: each operation once, behind what it takes.

use naga::MathFunction;
use std::collections::HashMap;

/// An operation of a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(u32);

impl Id {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What an operation gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Float,
    Int,
    Uint,
    Bool,
    /// `Exp` of math/exp.wgsl, an exponential that is not yet multiplied out. In f64 it is the exponent.
    Exp,
    /// What `m_turns` makes of an angle. In f64 it is the angle.
    Turns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Equal,
    NotEqual,
    And,
    Or,
}

impl Binary {
    pub(super) fn compares(self) -> bool {
        use Binary::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(
            self,
            Less | LessEqual | Greater | GreaterEqual | Equal | NotEqual
        )
    }
}

/// A function that is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Callee {
    /// One of the text's own, by its place in the [`Book`](super::trace::Book).
    Own(usize),
    /// Its derivative with respect to a parameter.
    Partial(usize, usize),
    /// One of the library's whose derivative is known, by its place among the rules.
    Library(usize),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Op {
    /// A parameter of the function.
    Argument(usize),
    /// By its bits.
    Float(u32),
    Int(i32),
    Uint(u32),
    Bool(bool),
    Negate(Id),
    Not(Id),
    Binary(Binary, Id, Id),
    Select {
        condition: Id,
        accept: Id,
        reject: Id,
    },
    /// A built-in function of numbers.
    Math(MathFunction, Vec<Id>),
    Call(Callee, Vec<Id>),
    /// The same number as another kind.
    Cast(Id),
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) op: Op,
    pub(super) kind: Kind,
}

impl Node {
    /// What it takes.
    pub(super) fn takes(&self) -> Vec<Id> {
        match &self.op {
            Op::Negate(a) | Op::Not(a) | Op::Cast(a) => vec![*a],
            Op::Binary(_, a, b) => vec![*a, *b],
            Op::Select {
                condition,
                accept,
                reject,
            } => vec![*condition, *accept, *reject],
            Op::Math(_, all) | Op::Call(_, all) => all.clone(),
            _ => Vec::new(),
        }
    }
}

/// Operations in an order in which they can be computed.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    known: HashMap<(Op, Kind), Id>,
    /// What people call values.
    names: HashMap<Id, String>,
}

impl Graph {
    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id.index()]
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// All operations in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        (0..self.nodes.len() as u32).map(Id)
    }

    pub(super) fn kind(&self, id: Id) -> Kind {
        self.node(id).kind
    }

    pub(super) fn name(&self, id: Id) -> Option<&str> {
        self.names.get(&id).map(String::as_str)
    }

    /// Names a value that has no name yet. Numbers and parameters need none.
    pub(super) fn call(&mut self, id: Id, name: &str) {
        if !self.is_leaf(id) {
            self.names.entry(id).or_insert_with(|| name.to_owned());
        }
    }

    pub(super) fn is_leaf(&self, id: Id) -> bool {
        self.is_constant(id) || matches!(self.node(id).op, Op::Argument(_))
    }

    pub(super) fn is_constant(&self, id: Id) -> bool {
        let op = &self.node(id).op;
        matches!(op, Op::Float(_) | Op::Int(_) | Op::Uint(_) | Op::Bool(_))
    }

    /// Adds an operation, if it is not there.
    pub(super) fn add(&mut self, op: Op, kind: Kind) -> Id {
        let key = (op, kind);
        if let Some(id) = self.known.get(&key) {
            return *id;
        }
        let id = Id(self.nodes.len() as u32);
        let op = key.0.clone();
        self.nodes.push(Node { op, kind });
        self.known.insert(key, id);
        id
    }

    pub(super) fn argument(&mut self, index: usize) -> Id {
        self.add(Op::Argument(index), Kind::Float)
    }

    pub(super) fn float(&mut self, value: f32) -> Id {
        self.add(Op::Float(value.to_bits()), Kind::Float)
    }

    /// A whole number of a kind.
    pub(super) fn whole(&mut self, value: i64, kind: Kind) -> Id {
        match kind {
            Kind::Uint => self.add(Op::Uint(value as u32), kind),
            _ => self.add(Op::Int(value as i32), Kind::Int),
        }
    }

    pub(super) fn bool(&mut self, value: bool) -> Id {
        self.add(Op::Bool(value), Kind::Bool)
    }

    pub(super) fn as_float(&self, id: Id) -> Option<f32> {
        match self.node(id).op {
            Op::Float(bits) => Some(f32::from_bits(bits)),
            _ => None,
        }
    }

    pub(super) fn as_whole(&self, id: Id) -> Option<i64> {
        match self.node(id).op {
            Op::Int(value) => Some(value.into()),
            Op::Uint(value) => Some(value.into()),
            _ => None,
        }
    }

    pub(super) fn as_bool(&self, id: Id) -> Option<bool> {
        match self.node(id).op {
            Op::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn negate(&mut self, a: Id) -> Id {
        let kind = self.kind(a);
        if let Some(value) = self.as_float(a) {
            return self.float(-value);
        }
        if let Some(value) = self.as_whole(a) {
            return self.whole(value.wrapping_neg(), kind);
        }
        match self.node(a).op {
            Op::Negate(inner) => inner,
            _ => self.add(Op::Negate(a), kind),
        }
    }

    pub(super) fn not(&mut self, a: Id) -> Id {
        match self.node(a).op {
            Op::Bool(value) => self.bool(!value),
            Op::Not(inner) => inner,
            _ => self.add(Op::Not(a), Kind::Bool),
        }
    }

    /// An operation of two values of one kind. What is known of constants is computed; adding zero and multiplying by one
    /// are left out.
    pub(super) fn binary(&mut self, op: Binary, a: Id, b: Id) -> Id {
        let kind = match self.kind(a) {
            _ if op.compares() => Kind::Bool,
            kind => kind,
        };
        if let Some(known) = self.folded(op, a, b) {
            return known;
        }
        let is = |graph: &Self, id, value| graph.as_float(id) == Some(value);
        match op {
            Binary::Add if is(self, a, 0.0) => b,
            Binary::Add | Binary::Subtract if is(self, b, 0.0) => a,
            Binary::Multiply if is(self, a, 1.0) => b,
            Binary::Multiply | Binary::Divide if is(self, b, 1.0) => a,
            Binary::And | Binary::Or => self.junction(op, a, b),
            _ => self.add(Op::Binary(op, a, b), kind),
        }
    }

    /// What two constants make.
    fn folded(&mut self, op: Binary, a: Id, b: Id) -> Option<Id> {
        if let (Some(a), Some(b)) = (self.as_float(a), self.as_float(b)) {
            if let Some(holds) = compared(op, a, b) {
                return Some(self.bool(holds));
            }
            let (a, b) = (f64::from(a), f64::from(b));
            let value = match op {
                Binary::Add => a + b,
                Binary::Subtract => a - b,
                Binary::Multiply => a * b,
                Binary::Divide => a / b,
                _ => a % b,
            } as f32;
            return value.is_finite().then(|| self.float(value));
        }
        let kind = self.kind(a);
        let (a, b) = (self.as_whole(a)?, self.as_whole(b)?);
        if let Some(holds) = compared(op, a, b) {
            return Some(self.bool(holds));
        }
        let value = match op {
            Binary::Add => a.wrapping_add(b),
            Binary::Subtract => a.wrapping_sub(b),
            Binary::Multiply => a.wrapping_mul(b),
            Binary::Divide => a.checked_div(b)?,
            Binary::Remainder => a.checked_rem(b)?,
            Binary::And => a & b,
            Binary::Or => a | b,
            _ => return None,
        };
        Some(self.whole(value, kind))
    }

    /// `&` and `|` of truth values.
    fn junction(&mut self, op: Binary, a: Id, b: Id) -> Id {
        let absorbs = op == Binary::Or;
        match (self.as_bool(a), self.as_bool(b)) {
            (Some(known), _) if known == absorbs => a,
            (_, Some(known)) if known == absorbs => b,
            (Some(_), _) => b,
            (_, Some(_)) => a,
            _ if a == b => a,
            _ => {
                let kind = self.kind(a);
                self.add(Op::Binary(op, a, b), kind)
            }
        }
    }

    pub(super) fn select(&mut self, condition: Id, accept: Id, reject: Id) -> Id {
        let kind = self.kind(accept);
        match self.as_bool(condition) {
            Some(true) => return accept,
            Some(false) => return reject,
            None if accept == reject => return accept,
            None => {}
        }
        match (self.as_bool(accept), self.as_bool(reject)) {
            (Some(true), _) => return self.binary(Binary::Or, condition, reject),
            (_, Some(false)) => return self.binary(Binary::And, condition, accept),
            (Some(false), _) => {
                let condition = self.not(condition);
                return self.binary(Binary::And, condition, reject);
            }
            (_, Some(true)) => {
                let condition = self.not(condition);
                return self.binary(Binary::Or, condition, accept);
            }
            (None, None) => {}
        }
        let op = Op::Select {
            condition,
            accept,
            reject,
        };
        self.add(op, kind)
    }

    pub(super) fn math(&mut self, function: MathFunction, takes: &[Id]) -> Id {
        let kind = self.kind(takes[0]);
        self.add(Op::Math(function, takes.to_vec()), kind)
    }

    /// The same number as another kind.
    pub(super) fn cast(&mut self, a: Id, kind: Kind) -> Id {
        if self.kind(a) == kind {
            return a;
        }
        let whole = self.as_whole(a);
        match (whole.or(self.as_bool(a).map(i64::from)), kind) {
            (Some(value), Kind::Float) => self.float(value as f32),
            (Some(value), Kind::Int | Kind::Uint) => self.whole(value, kind),
            (Some(value), Kind::Bool) => self.bool(value != 0),
            _ => self.add(Op::Cast(a), kind),
        }
    }
}

/// What a comparison says of two numbers; none where the operation is none.
fn compared<T: PartialOrd>(op: Binary, a: T, b: T) -> Option<bool> {
    Some(match op {
        Binary::Less => a < b,
        Binary::LessEqual => a <= b,
        Binary::Greater => a > b,
        Binary::GreaterEqual => a >= b,
        Binary::Equal => a == b,
        Binary::NotEqual => a != b,
        _ => return None,
    })
}
