//! From naga's IR to graphs: a function is gone through with values that are not known yet. Loops are gone through as often
//! as they turn, both sides of a branch are taken and one is selected, vectors and structs are their parts.

use super::graph::{Binary, Callee, Graph, Id, Kind, Op};
use super::rules::{self, Tangent};
use naga::valid::ModuleInfo;
use naga::{
    Block, Expression, Function, Handle, Module, Scalar, Span, Statement, SwitchCase, SwitchValue,
    Type, TypeInner,
};
use std::collections::HashMap;

/// Most operations of a text's functions, loops written out: beyond, nobody would read it, and drivers take long.
const MOST: usize = 4096;

/// Most statements and expressions that are gone through, those without an operation too.
const STEPS: usize = 1 << 17;

/// How deep calls may stand in calls, so that no text exhausts the stack.
const DEPTH: usize = 32;

/// Why something has no derivative, and where it stands.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) span: Span,
    pub(super) message: String,
}

pub(super) type Traced<T> = Result<T, Refusal>;

/// A function of f32 numbers.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) name: String,
    pub(super) parameters: Vec<String>,
    pub(super) graph: Graph,
    pub(super) root: Id,
    /// Among the rules, where the library's function of that name has another value in f64 than its text.
    pub(super) rule: Option<usize>,
}

/// A value while a function is gone through.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    One(Id),
    /// A vector's, a struct's or an array's.
    Parts(Vec<Value>),
    /// A place in a variable: its number, and the parts on the way.
    Place(usize, Vec<usize>),
}

/// A text and the functions of it that were gone through.
pub(super) struct Book<'a> {
    pub(super) module: &'a Module,
    pub(super) info: &'a ModuleInfo,
    /// Where the user's own text ends: behind it is the library's.
    pub(super) end: usize,
    pub(super) functions: Vec<Own>,
    known: HashMap<Handle<Function>, usize>,
    /// Of the functions that were gone through.
    operations: usize,
    steps: usize,
    depth: usize,
}

impl<'a> Book<'a> {
    pub(super) fn new(module: &'a Module, info: &'a ModuleInfo, end: usize) -> Self {
        Book {
            module,
            info,
            end,
            functions: Vec::new(),
            known: HashMap::new(),
            operations: 0,
            steps: 0,
            depth: 0,
        }
    }

    fn is_library(&self, function: Handle<Function>) -> bool {
        let span = self.module.functions.get_span(function).to_range();
        span.is_some_and(|range| range.start > self.end)
    }

    /// Goes through a function of f32 numbers, whose place it says. `site` is where the user's own text calls it.
    pub(super) fn function(&mut self, handle: Handle<Function>, site: Span) -> Traced<usize> {
        if let Some(index) = self.known.get(&handle) {
            return Ok(*index);
        }
        let function = &self.module.functions[handle];
        let mut graph = Graph::default();
        let count = function.arguments.len();
        let arguments = (0..count).map(|index| Value::One(graph.argument(index)));
        let arguments = arguments.collect();
        let value = self.call(&mut graph, handle, arguments, site)?;
        let Value::One(root) = value else {
            unreachable!("a number, by its signature");
        };
        let names = function.arguments.iter();
        self.operations += graph.len();
        self.functions.push(Own {
            name: function.name.clone().unwrap_or_default(),
            parameters: names
                .map(|argument| argument.name.clone().unwrap_or_default())
                .collect(),
            graph,
            root,
            rule: self.rule(handle),
        });
        self.known.insert(handle, self.functions.len() - 1);
        Ok(self.functions.len() - 1)
    }

    /// The place among the rules of a function of the library's.
    fn rule(&self, handle: Handle<Function>) -> Option<usize> {
        let name = self.module.functions[handle].name.as_deref();
        name.filter(|_| self.is_library(handle))
            .and_then(rules::by_name)
    }

    /// Whether a function takes and gives f32 numbers alone.
    fn is_of_floats(&self, function: &Function) -> bool {
        let is_float = |ty: Handle<Type>| matches!(self.module.types[ty].inner, TypeInner::Scalar(s) if s == Scalar::F32);
        function.arguments.iter().all(|a| is_float(a.ty))
            && function.result.as_ref().is_some_and(|r| is_float(r.ty))
    }

    /// Goes through a function with these arguments.
    fn call(
        &mut self,
        graph: &mut Graph,
        handle: Handle<Function>,
        arguments: Vec<Value>,
        site: Span,
    ) -> Traced<Value> {
        if self.depth == DEPTH {
            return Err(Refusal {
                span: site,
                message: format!("calls stand more than {DEPTH} deep in calls"),
            });
        }
        self.depth += 1;
        let is_library = self.is_library(handle);
        let module = self.module;
        let function = &module.functions[handle];
        let mut frame = Frame {
            inner: &self.info[handle],
            book: self,
            graph,
            function,
            site: is_library.then_some(site),
            arguments,
            values: vec![None; function.expressions.len()],
            state: State::default(),
        };
        let value = frame.run()?;
        self.depth -= 1;
        Ok(value)
    }
}

/// What changes on the way through a function.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) locals: Vec<Value>,
    /// When it has returned, and what.
    returned: Option<(Id, Value)>,
}

/// What comes behind a block.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Flow {
    On,
    Returned,
    Break,
    Continue,
}

/// A function that is gone through.
pub(super) struct Frame<'a, 'b> {
    pub(super) book: &'b mut Book<'a>,
    pub(super) graph: &'b mut Graph,
    pub(super) function: &'a Function,
    pub(super) inner: &'a naga::valid::FunctionInfo,
    /// Where the user's own text calls the library's function that this is.
    site: Option<Span>,
    pub(super) arguments: Vec<Value>,
    pub(super) values: Vec<Option<Value>>,
    pub(super) state: State,
}

impl Frame<'_, '_> {
    pub(super) fn refuse<T>(&self, span: Span, message: impl Into<String>) -> Traced<T> {
        let message = message.into();
        let name = self.function.name.as_deref().unwrap_or_default();
        Err(match self.site {
            Some(span) => Refusal {
                span,
                message: format!("{name}, of the library: {message}"),
            },
            None => Refusal { span, message },
        })
    }

    /// Counts what is gone through.
    fn step(&mut self, span: Span) -> Traced<()> {
        self.book.steps += 1;
        if self.book.operations + self.graph.len() > MOST || self.book.steps > STEPS {
            let message =
                format!("it takes more than {MOST} operations, with its loops written out");
            return self.refuse(span, message);
        }
        Ok(())
    }

    fn run(&mut self) -> Traced<Value> {
        let function = self.function;
        for (_, local) in function.local_variables.iter() {
            let value = match local.init {
                Some(init) => self.value(init)?,
                None => self.zero(local.ty, Span::UNDEFINED)?,
            };
            self.state.locals.push(value);
        }
        self.block(&function.body)?;
        match self.state.returned.take() {
            Some((_, value)) => Ok(value),
            None => Ok(Value::Parts(Vec::new())),
        }
    }

    fn block(&mut self, block: &Block) -> Traced<Flow> {
        for (statement, span) in block.span_iter() {
            self.step(*span)?;
            let flow = self.statement(statement, *span)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn statement(&mut self, statement: &Statement, span: Span) -> Traced<Flow> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    self.step(self.function.expressions.get_span(handle))?;
                    let value = self.evaluate(handle)?;
                    self.name(handle, &value);
                    self.values[handle.index()] = Some(value);
                }
            }
            Statement::Block(block) => return self.block(block),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let condition = self.one(*condition)?;
                return self.branch(condition, span, |f| f.block(accept), |f| f.block(reject));
            }
            Statement::Switch { selector, cases } => return self.switch(*selector, cases, span),
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => return self.turn(body, continuing, *break_if, span),
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Return { value } => return self.give(*value, span),
            Statement::Store { pointer, value } => {
                let value = self.value(*value)?;
                self.store(*pointer, value, span)?;
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let value = self.call(*function, arguments, span)?;
                if let Some(result) = result {
                    self.name(*result, &value);
                    self.values[result.index()] = Some(value);
                }
            }
            _ => {
                return self.refuse(
                    span,
                    "this statement has no place in a function of a number",
                );
            }
        }
        Ok(Flow::On)
    }

    /// Returns a value, where nothing was returned before.
    fn give(&mut self, value: Option<Handle<Expression>>, span: Span) -> Traced<Flow> {
        let value = match value {
            Some(value) => self.value(value)?,
            None => Value::Parts(Vec::new()),
        };
        let value = match self.state.returned.take() {
            Some((when, before)) => self.choose(when, &before, &value, span)?,
            None => value,
        };
        self.state.returned = Some((self.graph.bool(true), value));
        Ok(Flow::Returned)
    }

    /// Gives what the text calls a value that name.
    fn name(&mut self, handle: Handle<Expression>, value: &Value) {
        let named = self.function.named_expressions.get(&handle);
        if let (Some(name), Value::One(id)) = (named, value) {
            self.graph.call(*id, name);
        }
    }

    fn store(&mut self, pointer: Handle<Expression>, value: Value, span: Span) -> Traced<()> {
        let Value::Place(local, path) = self.value(pointer)? else {
            return self.refuse(span, "only variables of the function's own can be written");
        };
        let mut variables = self.function.local_variables.iter();
        let name = variables
            .nth(local)
            .and_then(|(_, local)| local.name.as_deref());
        if let (Some(name), Value::One(id), []) = (name, &value, &path[..]) {
            self.graph.call(*id, name);
        }
        let mut place = &mut self.state.locals[local];
        for part in path {
            place = match place {
                Value::Parts(parts) if part < parts.len() => &mut parts[part],
                _ => return self.refuse(span, "there is no such part"),
            };
        }
        *place = value;
        Ok(())
    }

    fn call(
        &mut self,
        handle: Handle<Function>,
        arguments: &[Handle<Expression>],
        span: Span,
    ) -> Traced<Value> {
        let arguments = arguments.iter().map(|a| self.value(*a));
        let arguments: Vec<Value> = arguments.collect::<Traced<_>>()?;
        let function = &self.book.module.functions[handle];
        let name = function.name.as_deref().unwrap_or_default();
        let site = self.site.unwrap_or(span);
        if arguments.iter().any(|a| matches!(a, Value::Place(..))) {
            let message = format!("{name} takes a pointer; write a function of values");
            return self.refuse(span, message);
        }
        match self.book.rule(handle) {
            Some(rule) if !matches!(rules::ALL[rule].tangent, Tangent::OfText) => {
                return self.library(rule, &arguments, span);
            }
            _ => {}
        }
        if self.book.is_of_floats(function) {
            let index = self.book.function(handle, site)?;
            let takes = arguments.iter().map(|a| match a {
                Value::One(id) => *id,
                _ => unreachable!("a number, by its signature"),
            });
            let call = Op::Call(Callee::Own(index), takes.collect());
            return Ok(Value::One(self.graph.add(call, Kind::Float)));
        }
        self.book.call(self.graph, handle, arguments, site)
    }

    /// A call of a function of the library's whose derivative is known.
    fn library(&mut self, rule: usize, arguments: &[Value], span: Span) -> Traced<Value> {
        let (index, rule) = (rule, &rules::ALL[rule]);
        let name = rule.name;
        if matches!(rule.tangent, Tangent::Unknown) {
            let message =
                format!("{name} is a derivative itself, and has none here; write the value");
            return self.refuse(span, message);
        }
        let takes = arguments.iter().map(|a| match a {
            Value::One(id) => Some(*id),
            _ => None,
        });
        let takes: Vec<Id> = takes.flatten().collect();
        let kinds = takes.iter().map(|id| self.graph.kind(*id));
        if takes.len() != arguments.len() || !kinds.eq(rule.takes.iter().copied()) {
            let message = format!("{name} takes what m_exp and its like give, as they give it");
            return self.refuse(span, message);
        }
        let call = Op::Call(Callee::Library(index), takes);
        Ok(Value::One(self.graph.add(call, rule.gives)))
    }

    /// Takes both sides of a branch, or the one that is known to be taken.
    fn branch(
        &mut self,
        condition: Id,
        span: Span,
        accept: impl FnOnce(&mut Self) -> Traced<Flow>,
        reject: impl FnOnce(&mut Self) -> Traced<Flow>,
    ) -> Traced<Flow> {
        match self.graph.as_bool(condition) {
            Some(true) => return accept(self),
            Some(false) => return reject(self),
            None => {}
        }
        let before = self.state.clone();
        let accepted = accept(self)?;
        let after = std::mem::replace(&mut self.state, before);
        let rejected = reject(self)?;
        self.join(condition, (accepted, after), rejected, span)
    }

    /// Makes one state of two: that where the condition holds, and this one.
    fn join(
        &mut self,
        condition: Id,
        (accepted, after): (Flow, State),
        rejected: Flow,
        span: Span,
    ) -> Traced<Flow> {
        let returned = self.state.returned.take();
        self.state.returned = match (after.returned, returned) {
            (None, None) => None,
            (Some((when, value)), None) => {
                Some((self.graph.binary(Binary::And, condition, when), value))
            }
            (None, Some((when, value))) => {
                let otherwise = self.graph.not(condition);
                Some((self.graph.binary(Binary::And, otherwise, when), value))
            }
            (Some((when, value)), Some((other, otherwise))) => {
                let value = self.choose(condition, &value, &otherwise, span)?;
                Some((self.graph.select(condition, when, other), value))
            }
        };
        match (accepted, rejected) {
            (Flow::Returned, flow) => Ok(flow),
            (flow, Flow::Returned) => {
                self.state.locals = after.locals;
                Ok(flow)
            }
            (one, other) if one == other => {
                let pairs = after.locals.into_iter().zip(self.state.locals.clone());
                let chosen = pairs.map(|(a, b)| self.choose(condition, &a, &b, span));
                self.state.locals = chosen.collect::<Traced<_>>()?;
                Ok(one)
            }
            _ => self.refuse(
                span,
                "whether a loop turns again, or a case ends, depends on the input; only loops that turn a fixed number of \
                 times are taken",
            ),
        }
    }

    /// One value or another.
    pub(super) fn choose(
        &mut self,
        when: Id,
        accept: &Value,
        reject: &Value,
        span: Span,
    ) -> Traced<Value> {
        if accept == reject {
            return Ok(accept.clone());
        }
        match (accept, reject) {
            (Value::One(a), Value::One(b)) => {
                if matches!(self.graph.kind(*a), Kind::Exp | Kind::Turns) {
                    let message = "what m_exp and its like give cannot be chosen by a condition; choose what goes in";
                    return self.refuse(span, message);
                }
                Ok(Value::One(self.graph.select(when, *a, *b)))
            }
            (Value::Parts(a), Value::Parts(b)) if a.len() == b.len() => {
                let parts = a.iter().zip(b);
                let parts = parts.map(|(a, b)| self.choose(when, a, b, span));
                Ok(Value::Parts(parts.collect::<Traced<_>>()?))
            }
            _ => self.refuse(span, "a variable is set on one side of a branch alone"),
        }
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &[SwitchCase],
        span: Span,
    ) -> Traced<Flow> {
        let selector = self.one(selector)?;
        let is_default = |case: &SwitchCase| case.value == SwitchValue::Default;
        let value = |case: &SwitchCase| match case.value {
            SwitchValue::I32(value) => Some(i64::from(value)),
            SwitchValue::U32(value) => Some(i64::from(value)),
            SwitchValue::Default => None,
        };
        let default = cases.iter().position(is_default);
        if let Some(known) = self.graph.as_whole(selector) {
            let found = cases.iter().position(|case| value(case) == Some(known));
            return match found.or(default) {
                Some(at) => self.case(&cases[at..]),
                None => Ok(Flow::On),
            };
        }
        let before = self.state.clone();
        let mut flow = match default {
            Some(at) => self.case(&cases[at..])?,
            None => Flow::On,
        };
        for (at, case) in cases.iter().enumerate().rev() {
            let Some(value) = value(case) else { continue };
            let value = self.graph.whole(value, self.graph.kind(selector));
            let is_it = self.graph.binary(Binary::Equal, selector, value);
            let rest = std::mem::replace(&mut self.state, before.clone());
            let accepted = self.case(&cases[at..])?;
            let after = std::mem::replace(&mut self.state, rest);
            flow = self.join(is_it, (accepted, after), flow, span)?;
        }
        Ok(flow)
    }

    /// The first of these cases, and those that it falls through to.
    fn case(&mut self, cases: &[SwitchCase]) -> Traced<Flow> {
        for case in cases {
            match self.block(&case.body)? {
                Flow::On if case.fall_through => {}
                Flow::On | Flow::Break => return Ok(Flow::On),
                flow => return Ok(flow),
            }
        }
        Ok(Flow::On)
    }

    /// A loop, as often as it turns.
    fn turn(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
        span: Span,
    ) -> Traced<Flow> {
        loop {
            self.step(span)?;
            match self.block(body)? {
                Flow::Break => return Ok(Flow::On),
                Flow::Returned => return Ok(Flow::Returned),
                Flow::On | Flow::Continue => {}
            }
            self.block(continuing)?;
            let Some(condition) = break_if else { continue };
            let condition = self.one(condition)?;
            match self.graph.as_bool(condition) {
                Some(true) => return Ok(Flow::On),
                Some(false) => {}
                None => {
                    let message = "when the loop ends depends on the input; only loops that turn a fixed number of times \
                                   are taken";
                    return self.refuse(span, message);
                }
            }
        }
    }
}
