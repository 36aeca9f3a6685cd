//! Chains with operands or random steps. All gradients that there are get asked for.

use super::timed::{Subject, Timed, Variant};
use super::{Bench, Outcome, WARM_UP, dy_at, x_at};
use crate::Result;
use crate::output::Progress;
use nonlin::check::{self, Expected, Report};
use nonlin::wgpu;
use nonlin::{
    Argument, Bound, Chain, Element, Function, Layout, Operand, Operands, Pass, Step, Values,
};

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

/// The buffers of a chain. Values are shared by all samples of a channel, gates and residuals have one for
/// each element.
struct Set<'a, T> {
    bench: &'a Bench<'a, T>,
    chain: &'a Chain,
    layout: Layout,
    /// x, what each step but the last makes of it, and y.
    values: Vec<wgpu::Buffer>,
    dy: wgpu::Buffer,
    /// Where gradients of values go, in turns.
    dx: [wgpu::Buffer; 2],
    args: Vec<Tensor>,
    grads: Vec<Tensor>,
}

/// A plan, and the buffers that it is to be bound to.
#[derive(Clone)]
struct Call {
    chain: Chain,
    pass: Pass,
    x: wgpu::Buffer,
    dy: Option<wgpu::Buffer>,
    /// y or dx.
    out: Option<wgpu::Buffer>,
    args: Vec<Tensor>,
    grads: Vec<Tensor>,
    /// The random steps before this chain's.
    drawn: u64,
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

        let set = Set::new(self, chain, layout)?;
        let passes = [
            (Pass::Forward, set.forward()?),
            (Pass::Backward, set.backward()?),
        ];
        let samples = u64::from(self.samples + WARM_UP);
        let progress =
            Progress::new(samples * passes.iter().map(|p| p.1.len() as u64 + 1).sum::<u64>());
        let mut timed: Vec<Timed> = Vec::new();
        for (pass, ways) in passes {
            let mut copy = Variant::new("copy");
            let plan = self.gpu.kernels().copy(pass, T::DTYPE)?;
            let inputs = match pass {
                Pass::Forward => vec![&set.values[0]],
                _ => vec![&set.values[0], &set.dy],
            };
            self.dispatch(&mut copy, None, &plan, &inputs, &set.dx[0])?;
            let mut variants = vec![copy];
            for (name, calls) in ways {
                let mut variant = Variant::new(name);
                for call in calls {
                    variant.bytes += set.bytes(&call);
                    variant.bounds.push(set.bind(&call)?);
                }
                variants.push(variant);
            }
            timed.push(self.time(Subject::chain(chain, pass), variants, &progress)?);
        }
        Ok((timed, Vec::new()))
    }
}

/// Ways to do a pass, by name.
type Ways = Vec<(&'static str, Vec<Call>)>;

impl<'a, T: Element> Set<'a, T> {
    fn new(bench: &'a Bench<'a, T>, chain: &'a Chain, layout: Layout) -> Result<Self> {
        let mut values = vec![bench.inputs("x", x_at)?];
        for _ in chain.steps() {
            values.push(bench.buffer("value")?);
        }
        let (mut args, mut grads) = (Vec::new(), Vec::new());
        let arguments = chain.steps().iter().flat_map(|step| {
            let defaults = step.function().defaults();
            step.arguments()
                .iter()
                .zip(defaults)
                .map(move |pair| (step, pair))
        });
        for (step, (argument, default)) in arguments {
            let Argument::Operand(name) = argument else {
                continue;
            };
            let tensor = |buffer, len| Tensor {
                name: name.clone(),
                buffer,
                len,
            };
            let arg = if matches!(step.function(), Function::Gate | Function::Residual) {
                tensor(bench.inputs("argument", dy_at)?, bench.len)
            } else {
                // About its default, which suits every function; where there is none, about one.
                let value = |channel| default.unwrap_or(1.0) * (1.0 + 0.25 * dy_at(channel));
                let len = layout.channels;
                tensor(bench.filled("argument", len, value)?, len)
            };
            if chain.learnable().contains(&name.as_str()) {
                grads.push(tensor(bench.sized("gradient", arg.len)?, arg.len));
            }
            args.push(arg);
        }
        Ok(Set {
            bench,
            chain,
            layout,
            values,
            dy: bench.inputs("dy", dy_at)?,
            dx: [bench.buffer("dx")?, bench.buffer("dx")?],
            args,
            grads,
        })
    }

    /// The whole chain, and step by step.
    fn forward(&self) -> Result<Ways> {
        let steps = self.chain.steps().iter().enumerate();
        let unfused = steps.map(|(index, _)| {
            let [x, y] = [index, index + 1].map(|at| self.values[at].clone());
            Ok(self.call(index, Pass::Forward, x, None, Some(y)))
        });
        let last = &self.values[self.chain.steps().len()];
        let fused = self.whole(Pass::Forward, Some(last.clone()), Vec::new());
        Ok(vec![
            ("fused", vec![fused]),
            ("unfused", unfused.collect::<Result<_>>()?),
        ])
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
        ways.push(("fused", vec![fused]));
        ways.push(("unfused", self.unfused_backward()?));
        Ok(ways)
    }

    /// The least that separate kernels can do: what passes a gradient on unchanged takes no dispatch, what
    /// multiplies it takes a product, and x is read only where it is needed.
    fn unfused_backward(&self) -> Result<Vec<Call>> {
        let mut calls = Vec::new();
        let mut from = self.dy.clone();
        let mut turn = 0;
        for (index, step) in self.chain.steps().iter().enumerate().rev() {
            let x = self.values[index].clone();
            let to = self.dx[turn].clone();
            let learns = self.grads_of(index).next().is_some();
            let product = self.call(index, Pass::Forward, from.clone(), None, Some(to.clone()));
            match step.function() {
                Function::Residual => {
                    for grad in self.grads_of(index) {
                        // The gradient, as it is.
                        let chain = Chain::new().scale(1.0);
                        let out = Some(grad.buffer.clone());
                        calls.push(Call {
                            chain,
                            out,
                            args: Vec::new(),
                            ..product.clone()
                        });
                    }
                    continue;
                }
                Function::Bias if learns => {
                    calls.push(self.call(index, Pass::Backward, x, Some(from.clone()), None));
                    continue;
                }
                Function::Bias => continue,
                Function::Gate => {
                    for grad in self.grads_of(index) {
                        let out = Some(grad.buffer.clone());
                        let by = Tensor {
                            buffer: x.clone(),
                            ..grad.clone()
                        };
                        calls.push(Call {
                            out,
                            args: vec![by],
                            ..product.clone()
                        });
                    }
                    calls.push(product);
                }
                Function::Scale if !learns => calls.push(product),
                Function::Dropout => calls.push(product),
                _ => calls.push(self.call(index, Pass::Backward, x, Some(from), Some(to.clone()))),
            }
            from = to;
            turn = 1 - turn;
        }
        Ok(calls)
    }

    fn whole(&self, pass: Pass, out: Option<wgpu::Buffer>, grads: Vec<Tensor>) -> Call {
        Call {
            chain: self.chain.clone(),
            pass,
            x: self.values[0].clone(),
            dy: (pass == Pass::Backward).then(|| self.dy.clone()),
            out,
            args: self.args.clone(),
            grads,
            drawn: 0,
        }
    }

    /// A pass of one step, with its gradients if it is backward.
    fn call(
        &self,
        index: usize,
        pass: Pass,
        x: wgpu::Buffer,
        dy: Option<wgpu::Buffer>,
        out: Option<wgpu::Buffer>,
    ) -> Call {
        let step = &self.chain.steps()[index];
        let chain = Chain::new().step(step.clone());
        let named = |tensor: &&Tensor| chain.operands().contains(&tensor.name.as_str());
        let args = self.args.iter().filter(named).cloned().collect();
        let grads = match pass {
            Pass::Backward => self.grads_of(index).cloned().collect(),
            _ => Vec::new(),
        };
        let before = self.chain.steps()[..index].iter();
        let is_random = |step: &&Step| Chain::new().step((*step).clone()).is_random();
        let drawn = before.filter(is_random).count() as u64;
        Call {
            chain,
            pass,
            x,
            dy,
            out,
            args,
            grads,
            drawn,
        }
    }

    /// The gradients of a step's operands.
    fn grads_of(&self, index: usize) -> impl Iterator<Item = &Tensor> {
        let step = &self.chain.steps()[index];
        self.grads.iter().filter(|grad| {
            let is = |argument: &Argument| matches!(argument, Argument::Operand(name) if *name == grad.name);
            step.arguments().iter().any(is)
        })
    }

    fn bind(&self, call: &Call) -> Result<Bound> {
        let whole = |buffer| Operand::new(buffer, 0, self.bench.len);
        let mut operands = Operands::new()
            .x(whole(&call.x))
            .layout(self.layout)
            .random(SEED, call.drawn);
        if let Some(dy) = &call.dy {
            operands = operands.dy(whole(dy));
        }
        operands = match (&call.out, call.pass) {
            (Some(y), Pass::Forward) => operands.y(whole(y)),
            (Some(dx), _) => operands.dx(whole(dx)),
            (None, _) => operands,
        };
        for Tensor { name, buffer, len } in &call.args {
            operands = operands.arg(name, Operand::new(buffer, 0, *len), T::DTYPE);
        }
        for Tensor { name, buffer, len } in &call.grads {
            operands = operands.grad(name, Operand::new(buffer, 0, *len), T::DTYPE);
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
        let whole = |tensor: &&Tensor| tensor.len == self.bench.len;
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
        tensors as u64 * self.bench.len * T::DTYPE.size()
    }

    fn run(&self, call: &Call) -> Result<()> {
        let mut encoder = self.bench.encoder();
        // What another way left there must not pass for this one's result.
        let written = call
            .out
            .iter()
            .chain(call.grads.iter().map(|grad| &grad.buffer));
        written.for_each(|buffer| encoder.clear_buffer(buffer, 0, None));
        let bound = self.bind(call)?;
        bound.record(&mut encoder.begin_compute_pass(&Default::default()));
        self.bench.gpu.queue().submit([encoder.finish()]);
        Ok(())
    }

    /// What is wrong with a call's results, if anything is.
    fn compare(&self, way: &str, call: &Call) -> Result<Option<String>> {
        let all = |buffer: &wgpu::Buffer| self.bench.read::<T>(buffer, self.bench.len);
        let x = all(&call.x)?;
        let mut values = Values::new().layout(self.layout).random(SEED, call.drawn);
        for Tensor { name, buffer, len } in &call.args {
            values = values.arg(name, &self.bench.read::<T>(buffer, *len)?);
        }
        let mut reports: Vec<(String, Report)> = Vec::new();
        let dy = call.dy.as_ref().map(all).transpose()?.unwrap_or_default();
        if let Some(out) = &call.out {
            let expected = match call.pass {
                Pass::Forward => Expected::forward_with(&call.chain, &x, &values)?,
                _ => Expected::backward_with(&call.chain, &x, &dy, &values)?,
            };
            reports.push((call.pass.to_string(), expected.compare(&all(out)?)?));
        }
        for Tensor { name, buffer, len } in &call.grads {
            let got = self.bench.read::<T>(buffer, *len)?;
            let report = check::gradient(&call.chain, &x, &dy, &values, name, &got)?;
            reports.push((format!("gradient of {name}"), report));
        }
        let wrong = reports.into_iter().find_map(|(what, report)| {
            let worst = report.worst.filter(|worst| !worst.passes())?;
            let (chain, failed, compared) = (&call.chain, report.failed, report.compared);
            Some(format!(
                "{chain} {what}, {way}: {failed} of {compared} elements fail; worst: {worst}"
            ))
        });
        Ok(wrong)
    }
}
