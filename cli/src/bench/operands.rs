//! Chains with operands or random steps. All gradients that there are get asked for.

mod compared;

use super::timed::{Subject, Timed, Variant, take_turns};
use super::{Bench, Outcome, WARM_UP, dy_at, x_at};
use crate::Result;
use crate::output::Progress;
use crate::subject::{is_elementwise, is_of_rows, taken};
use nonlin::wgpu;
use nonlin::{
    Argument, Bound, Chain, Element, Function, Layout, Operand, Operands, Pass, Rows, Step,
};
use std::collections::HashMap;

/// Samples are taken from so many elements at most when kernels are compared with the reference.
const COMPARED: u64 = 1 << 20;

/// What random steps draw.
const SEED: u64 = 1;

/// An operand, or its gradient.
#[derive(Clone)]
struct Tensor {
    name: String,
    buffer: wgpu::Buffer,
    len: u64,
}

/// What a step is applied to or makes.
#[derive(Clone)]
struct Value {
    buffer: wgpu::Buffer,
    len: u64,
}

/// A step by itself, as the unfused form has it.
struct Node {
    /// What a branch computes is an operand here, as all others are.
    step: Step,
    /// What it is applied to, and what it makes, by index.
    x: usize,
    y: usize,
    args: Vec<Tensor>,
    /// Of each that has a gradient, where that goes; of what a branch computes, whose gradient it is, by index.
    grads: Vec<(Tensor, Option<usize>)>,
    /// Whether it is in a branch.
    in_branch: bool,
    /// The random steps before it.
    drawn: u64,
}

/// The buffers of a chain. Values are shared by all samples of a channel, gates and residuals have one for
/// each element.
struct Set<'a, T> {
    bench: &'a Bench<'a, T>,
    chain: &'a Chain,
    layout: Layout,
    /// x, and what each step makes.
    values: Vec<Value>,
    /// The steps, those of branches before the step that takes their value.
    nodes: Vec<Node>,
    dy: wgpu::Buffer,
    /// Where gradients of values go, in turns.
    dx: [wgpu::Buffer; 2],
    args: Vec<Tensor>,
    grads: Vec<Tensor>,
    packed: Option<Packed>,
}

/// Where the chain has one gate: it and x alternate in one buffer, and so do their gradients.
struct Packed {
    gate: String,
    both: wgpu::Buffer,
    d_both: wgpu::Buffer,
}

/// A plan, and the buffers that it is to be bound to.
#[derive(Clone)]
struct Call {
    chain: Chain,
    pass: Pass,
    len: u64,
    /// y where the pass begins with that.
    x: wgpu::Buffer,
    dy: Option<wgpu::Buffer>,
    /// y or dx.
    out: Option<wgpu::Buffer>,
    args: Vec<Tensor>,
    grads: Vec<Tensor>,
    /// The random steps before this chain's.
    drawn: u64,
    /// Whether x and the gate are those of [`Packed`].
    is_packed: bool,
}

impl<T: Element> Bench<'_, T> {
    /// Times both passes of a chain.
    pub(super) fn with_operands(&self, chain: &Chain, layout: Layout) -> Result<Outcome> {
        let sample = (layout.channels * layout.inner).max(1);
        let fewer = Layout {
            outer: layout.outer.min(COMPARED.div_ceil(sample)),
            ..layout
        };
        // The same kernels with fewer samples: all of their results are compared.
        let small = Bench {
            len: fewer.outer * sample,
            ..*self
        };
        let small = Set::new(&small, chain, fewer)?;
        for calls in small.forward()?.iter().chain(&small.backward()?) {
            for call in &calls.1 {
                small.run(call)?;
                if let Some(wrong) = small.compare(calls.0, call)? {
                    return Ok((Vec::new(), vec![wrong]));
                }
            }
        }

        let sets = (0..self.sets()).map(|_| Set::new(self, chain, layout));
        let sets: Vec<Set<'_, T>> = sets.collect::<Result<_>>()?;
        let mut passes = Vec::new();
        for pass in Pass::FROM_X {
            let mut variants = sets[0].variants(pass)?;
            for set in &sets[1..] {
                take_turns(&mut variants, set.variants(pass)?);
            }
            passes.push((pass, variants));
        }
        let ways: usize = passes.iter().map(|(_, variants)| variants.len()).sum();
        let progress = Progress::new(u64::from(self.samples + WARM_UP) * ways as u64);
        let mut timed: Vec<Timed> = Vec::new();
        for (pass, variants) in passes {
            timed.push(self.time(Subject::chain(chain, pass), variants, &progress)?);
        }
        Ok((timed, Vec::new()))
    }
}

/// Ways to do a pass, by name.
type Ways = Vec<(&'static str, Vec<Call>)>;

impl<'a, T: Element> Set<'a, T> {
    fn new(bench: &'a Bench<'a, T>, chain: &'a Chain, layout: Layout) -> Result<Self> {
        let (mut args, mut grads) = (Vec::new(), Vec::new());
        for found in taken(chain) {
            let tensor = |buffer, len| Tensor {
                name: found.name.to_owned(),
                buffer,
                len,
            };
            let arg = if is_elementwise(chain, found.name) {
                tensor(bench.inputs("argument", dy_at)?, bench.len)
            } else {
                // About its default, which suits every function; where there is none, about one.
                let default = found.step.function().defaults()[found.parameter];
                // A sink, which a row has one of, has no number for a default.
                let default = default.filter(|default| default.is_finite());
                let value = |channel| default.unwrap_or(1.0) * (1.0 + 0.25 * dy_at(channel));
                let len = match is_of_rows(chain, found.name) {
                    true => 1,
                    false => layout.channels,
                };
                tensor(bench.filled("argument", len, value)?, len)
            };
            if chain.learnable().contains(&found.name) {
                grads.push(tensor(bench.sized("gradient", arg.len)?, arg.len));
            }
            args.push(arg);
        }
        let x = Value {
            buffer: bench.inputs("x", x_at)?,
            len: bench.len,
        };
        let mut set = Set {
            bench,
            chain,
            layout,
            values: vec![x],
            nodes: Vec::new(),
            dy: bench.inputs("dy", dy_at)?,
            dx: [bench.buffer("dx")?, bench.buffer("dx")?],
            args,
            grads,
            packed: None,
        };
        set.add(chain.steps(), 0, false)?;
        set.packed = set.pack()?;
        Ok(set)
    }

    fn pack(&self) -> Result<Option<Packed>> {
        let gates = self
            .args
            .iter()
            .filter(|arg| is_elementwise(self.chain, &arg.name));
        let [gate] = gates
            .filter(|_| self.chain.row().is_none())
            .collect::<Vec<_>>()[..]
        else {
            return Ok(None);
        };
        let (bench, len) = (self.bench, 2 * self.bench.len);
        let value = |i| match i % 2 {
            0 => x_at(i / 2),
            _ => dy_at(i / 2),
        };
        Ok(Some(Packed {
            gate: gate.name.clone(),
            both: bench.filled("packed", len, value)?,
            d_both: bench.sized("packed gradients", len)?,
        }))
    }

    /// The same call on a packed tensor, if there is one.
    fn alternating(&self, call: &Call) -> Option<(&'static str, Vec<Call>)> {
        let packed = Call {
            is_packed: true,
            ..call.clone()
        };
        self.packed.as_ref().map(|_| ("alternating", vec![packed]))
    }

    /// Adds steps that begin with a value. Says which is theirs.
    fn add(&mut self, steps: &[Step], mut from: usize, in_branch: bool) -> Result<usize> {
        for step in steps {
            let (mut alone, mut args, mut grads) = (step.clone(), Vec::new(), Vec::new());
            for (parameter, argument) in step.parameters().into_iter().zip(step.arguments()) {
                let of = |tensors: &[Tensor], name: &str| {
                    tensors.iter().find(|tensor| tensor.name == name).cloned()
                };
                match argument {
                    Argument::Operand(name) => {
                        args.extend(of(&self.args, name));
                        grads.extend(of(&self.grads, name).map(|grad| (grad, None)));
                    }
                    Argument::Branch(branch) => {
                        let operand = of(&self.args, branch.operand());
                        self.values.extend(
                            operand.map(|Tensor { buffer, len, .. }| Value { buffer, len }),
                        );
                        let first = self.values.len() - 1;
                        let last = self.add(branch.chain().steps(), first, true)?;
                        let Value { buffer, len } = self.values[last].clone();
                        let name = format!("value{last}");
                        alone = alone.with(parameter, &name)?;
                        let gradient = self.bench.sized("gradient", len)?;
                        let tensor = |buffer| Tensor {
                            name: name.clone(),
                            buffer,
                            len,
                        };
                        args.push(tensor(buffer));
                        grads.push((tensor(gradient), Some(last)));
                    }
                    _ => {}
                }
            }
            let len = self.values[from].len;
            let buffer = self.bench.sized("value", len)?;
            self.values.push(Value { buffer, len });
            let is_random = |node: &&Node| Chain::from(node.step.clone()).is_random();
            let drawn = self.nodes.iter().filter(is_random).count() as u64;
            let y = self.values.len() - 1;
            self.nodes.push(Node {
                step: alone,
                x: from,
                y,
                args,
                grads,
                in_branch,
                drawn,
            });
            from = y;
        }
        Ok(from)
    }

    /// A copy, and the ways to do a pass, ready to be recorded.
    fn variants(&self, pass: Pass) -> Result<Vec<Variant>> {
        let (ways, inputs) = match pass {
            Pass::Forward => (self.forward()?, vec![&self.values[0].buffer]),
            _ => (self.backward()?, vec![&self.values[0].buffer, &self.dy]),
        };
        let mut copy = Variant::new("copy");
        let plan = self.bench.gpu.kernels().copy(pass, T::DTYPE)?;
        let bench = self.bench;
        bench.dispatch(&mut copy, None, &plan, &inputs, &self.dx[0])?;
        let mut variants = vec![copy];
        for (name, calls) in ways {
            let mut variant = Variant::new(name);
            for call in calls {
                variant.bytes += self.bytes(&call);
                variant.bounds.push(self.bind(&call)?);
            }
            variants.push(variant);
        }
        Ok(variants)
    }

    /// The whole chain, and step by step.
    fn forward(&self) -> Result<Ways> {
        let nodes = self.nodes.iter();
        let unfused = nodes.map(|node| {
            let [x, y] = [node.x, node.y].map(|at| self.values[at].buffer.clone());
            self.call(node, Pass::Forward, x, None, Some(y))
        });
        let last = self.values.last().map(|value| value.buffer.clone());
        let fused = self.whole(Pass::Forward, last, Vec::new());
        let packed = self.alternating(&fused);
        let ways = [("fused", vec![fused]), ("unfused", unfused.collect())];
        Ok(ways.into_iter().chain(packed).collect())
    }

    /// The whole chain without gradients of operands and with them, and step by step.
    fn backward(&self) -> Result<Ways> {
        let dx = || Some(self.dx[0].clone());
        let fused = self.whole(Pass::Backward, dx(), self.grads.clone());
        let mut ways = Vec::new();
        if !self.grads.is_empty() {
            let alone = self.whole(Pass::Backward, dx(), Vec::new());
            ways.push(("dx_only", vec![alone]));
        }
        let packed = self.alternating(&fused);
        ways.push(("fused", vec![fused]));
        ways.push(("unfused", self.unfused_backward()?));
        ways.extend(packed);
        ways.extend(self.only_y());
        Ok(ways)
    }

    /// The whole chain from its value, which forward has left, where that is enough.
    fn only_y(&self) -> Option<(&'static str, Vec<Call>)> {
        let pass = Pass::BackwardFromY;
        let kernels = self.bench.gpu.kernels();
        let can = self.args.is_empty() && kernels.plan(self.chain, pass, T::DTYPE).is_ok();
        let y = self.values.last().filter(|_| can)?.buffer.clone();
        let call = Call {
            pass,
            x: y,
            ..self.whole(Pass::Backward, Some(self.dx[0].clone()), Vec::new())
        };
        Some(("from_y", vec![call]))
    }

    /// The least that separate kernels can do: what passes a gradient on unchanged takes no dispatch, what
    /// multiplies it takes a product, and x is read only where it is needed.
    fn unfused_backward(&self) -> Result<Vec<Call>> {
        let mut calls = Vec::new();
        // Of values, where their gradients are.
        let mut at = HashMap::from([(self.values.len() - 1, self.dy.clone())]);
        let mut turn = 0;
        for node in self.nodes.iter().rev() {
            let Some(from) = at.get(&node.y).cloned() else {
                continue;
            };
            let to = match node.in_branch {
                true => self.gradient_in_branch(node)?,
                false => self.dx[turn].clone(),
            };
            let branches = node.grads.iter();
            at.extend(branches.filter_map(|(grad, of)| Some(((*of)?, grad.buffer.clone()))));
            let passes_on = self.unfused_backward_of(node, &from, &to, &mut calls);
            if !passes_on && !node.in_branch {
                turn = 1 - turn;
            }
            at.insert(node.x, if passes_on { from } else { to });
        }
        Ok(calls)
    }

    /// The same of one step, from the gradient of what it makes to that of what it is applied to. Says whether the two are
    /// the same.
    fn unfused_backward_of(
        &self,
        node: &Node,
        from: &wgpu::Buffer,
        to: &wgpu::Buffer,
        calls: &mut Vec<Call>,
    ) -> bool {
        let Value { buffer: x, len } = &self.values[node.x];
        let learns = !node.grads.is_empty();
        let whole = node.grads.iter().all(|(grad, _)| grad.len == *len);
        let product = self.call(node, Pass::Forward, from.clone(), None, Some(to.clone()));
        let own = |out| self.call(node, Pass::Backward, x.clone(), Some(from.clone()), out);
        match node.step.function() {
            Function::Residual if whole => {
                // The gradient, as it is.
                calls.extend(node.grads.iter().map(|(grad, _)| Call {
                    chain: Chain::new().scale(1.0),
                    out: Some(grad.buffer.clone()),
                    args: Vec::new(),
                    ..product.clone()
                }));
                return true;
            }
            Function::Bias | Function::Residual => {
                calls.extend(learns.then(|| own(None)));
                return true;
            }
            Function::Round(_) => return true,
            Function::Gate if whole => {
                calls.extend(node.grads.iter().map(|(grad, _)| Call {
                    out: Some(grad.buffer.clone()),
                    args: vec![Tensor {
                        buffer: x.clone(),
                        ..grad.clone()
                    }],
                    ..product.clone()
                }));
                calls.push(product);
            }
            Function::Scale if !learns => calls.push(product),
            Function::Dropout => calls.push(product),
            _ => calls.push(own(Some(to.clone()))),
        }
        false
    }

    /// Where the gradient goes of what a branch's step is applied to: the operand's own, of the first.
    fn gradient_in_branch(&self, node: &Node) -> Result<wgpu::Buffer> {
        let Value { buffer, len } = &self.values[node.x];
        let operand = self.args.iter().find(|arg| arg.buffer == *buffer);
        let own = operand.and_then(|arg| self.grads.iter().find(|grad| grad.name == arg.name));
        match own {
            Some(grad) => Ok(grad.buffer.clone()),
            None => self.bench.sized("gradient", *len),
        }
    }

    fn whole(&self, pass: Pass, out: Option<wgpu::Buffer>, grads: Vec<Tensor>) -> Call {
        Call {
            chain: self.chain.clone(),
            pass,
            len: self.bench.len,
            x: self.values[0].buffer.clone(),
            dy: (pass == Pass::Backward).then(|| self.dy.clone()),
            out,
            args: self.args.clone(),
            grads,
            drawn: 0,
            is_packed: false,
        }
    }

    /// A pass of one step, with its gradients if it is backward.
    fn call(
        &self,
        node: &Node,
        pass: Pass,
        x: wgpu::Buffer,
        dy: Option<wgpu::Buffer>,
        out: Option<wgpu::Buffer>,
    ) -> Call {
        let grads = node.grads.iter().filter(|_| pass == Pass::Backward);
        Call {
            chain: Chain::from(node.step.clone()),
            pass,
            len: self.values[node.x].len,
            x,
            dy,
            out,
            args: node.args.clone(),
            grads: grads.map(|(grad, _)| grad.clone()).collect(),
            drawn: node.drawn,
            is_packed: false,
        }
    }

    /// How what a call works on is laid out: a value that is shorter than x has an element for each of its own.
    fn layout(&self, call: &Call) -> Layout {
        match call.len == self.bench.len {
            true => self.layout,
            false => Layout {
                outer: 1,
                channels: 1,
                inner: call.len,
            },
        }
    }

    fn bind(&self, call: &Call) -> Result<Bound> {
        let whole = |buffer| Operand::new(buffer, 0, call.len);
        let half = |buffer, part| {
            let rows = Rows { len: 1, stride: 2 };
            Operand::new(buffer, part * T::DTYPE.size(), call.len).rows(rows)
        };
        let packed = self.packed.as_ref().filter(|_| call.is_packed);
        let of = |packed: &Packed, name: &str| packed.gate == name;
        let x = packed.map_or(whole(&call.x), |packed| half(&packed.both, 0));
        let mut operands = match call.pass {
            Pass::BackwardFromY => Operands::new().y(x),
            _ => Operands::new().x(x),
        };
        operands = operands.layout(self.layout(call)).random(SEED, call.drawn);
        if let Some(dy) = &call.dy {
            operands = operands.dy(whole(dy));
        }
        operands = match (&call.out, call.pass) {
            (Some(y), Pass::Forward) => operands.y(whole(y)),
            (Some(dx), _) => {
                operands.dx(packed.map_or(whole(dx), |packed| half(&packed.d_both, 0)))
            }
            (None, _) => operands,
        };
        for Tensor { name, buffer, len } in &call.args {
            let operand = match packed.filter(|packed| of(packed, name)) {
                Some(packed) => half(&packed.both, 1),
                None => Operand::new(buffer, 0, *len),
            };
            operands = operands.arg(name, operand, T::DTYPE);
        }
        for Tensor { name, buffer, len } in &call.grads {
            let operand = match packed.filter(|packed| of(packed, name)) {
                Some(packed) => half(&packed.d_both, 1),
                None => Operand::new(buffer, 0, *len),
            };
            operands = operands.grad(name, operand, T::DTYPE);
        }
        let plan = self
            .bench
            .gpu
            .kernels()
            .plan(&call.chain, call.pass, T::DTYPE)?;
        Ok(plan.bind(operands)?)
    }

    /// Bytes that a call reads and writes, without what is small.
    fn bytes(&self, call: &Call) -> u64 {
        let whole = |tensor: &&Tensor| tensor.len == call.len;
        // Backward of a residual has no use for it.
        let steps = call.chain.steps();
        let residual = |arg: &&Tensor| steps.contains(&Step::residual(&arg.name));
        let read = call.args.iter().filter(whole);
        let read = read.filter(|arg| call.pass == Pass::Forward || !residual(arg));
        let tensors = 1
            + usize::from(call.dy.is_some())
            + usize::from(call.out.is_some())
            + read.count()
            + call.grads.iter().filter(whole).count();
        tensors as u64 * call.len * T::DTYPE.size()
    }
}
