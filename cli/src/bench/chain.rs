//! Chains without operands, and the catalogue.

use super::timed::{Subject, Variant, take_turns};
use super::{Bench, Outcome, WARM_UP, dy_at, x_at};
use crate::Result;
use crate::output::Progress;
use nonlin::wgpu;
use nonlin::{Activation, Chain, Element, Function, Operand, Operands, Pass, Plan};

/// What a dispatch of a variant should come to.
pub(super) struct Part {
    /// None for a copy.
    pub(super) chain: Option<Chain>,
    pub(super) pass: Pass,
    pub(super) inputs: Vec<wgpu::Buffer>,
    pub(super) output: wgpu::Buffer,
}

impl<T: Element> Bench<'_, T> {
    /// Times both passes of a chain.
    pub(super) fn passes(&self, chain: &Chain) -> Result<Outcome> {
        let mut passes = self.ways(chain)?;
        // The unfused forward pass also leaves the values that the backward pass starts from.
        for variants in &passes {
            if let Some(wrong) = self.compare_all(variants)? {
                return Ok((Vec::new(), vec![wrong]));
            }
        }
        for _ in 1..self.sets() {
            for (variants, others) in passes.iter_mut().zip(self.ways(chain)?) {
                take_turns(variants, others);
            }
        }
        let ways: usize = passes.iter().map(Vec::len).sum();
        let progress = Progress::new(u64::from(self.samples + WARM_UP) * ways as u64);
        let mut timed = Vec::new();
        for (pass, variants) in Pass::FROM_X.into_iter().zip(passes) {
            timed.push(self.time(Subject::chain(chain, pass), variants, &progress)?);
        }
        Ok((timed, Vec::new()))
    }

    /// The variants of both passes, on buffers of their own.
    fn ways(&self, chain: &Chain) -> Result<[Vec<Variant>; 2]> {
        let x = self.inputs("x", x_at)?;
        let steps = chain.steps().len();
        // The input of each step, and behind the last one the chain's value.
        let mut values = vec![x];
        for _ in 0..steps {
            values.push(self.buffer("value")?);
        }
        let dy = self.inputs("dy", dy_at)?;
        let dx = self.buffer("dx")?;
        // Gradients between steps go to and fro between two buffers at most.
        let mut gradients = Vec::new();
        for _ in 1..steps.min(3) {
            gradients.push(self.buffer("gradient")?);
        }

        let whole = |pass| self.whole(chain, pass, &values[0], &values[steps], &dy, &dx);
        let mut forward = whole(Pass::Forward)?;
        forward.push(self.unfused_forward(chain, &values)?);
        let mut backward = whole(Pass::Backward)?;
        backward.push(self.unfused_backward(chain, &values, &dy, &dx, &gradients)?);
        // Forward has left y when this runs.
        if self
            .gpu
            .kernels()
            .plan(chain, Pass::BackwardFromY, T::DTYPE)
            .is_ok()
        {
            let mut from_y = Variant::new("from_y");
            let inputs = [&values[steps], &dy];
            self.step(
                &mut from_y,
                chain.clone(),
                Pass::BackwardFromY,
                &inputs,
                &dx,
            )?;
            backward.push(from_y);
        }
        Ok([forward, backward])
    }

    /// Times both passes of every activation.
    pub(super) fn catalogue(&self) -> Result<Outcome> {
        let set = |_| {
            let (x, dy) = (self.inputs("x", x_at)?, self.inputs("dy", dy_at)?);
            Ok([x, self.buffer("y")?, dy, self.buffer("dx")?])
        };
        let sets: Vec<[wgpu::Buffer; 4]> = (0..self.sets()).map(set).collect::<Result<_>>()?;
        let (mut timed, mut wrong) = (Vec::new(), Vec::new());
        let each = u64::from(self.samples + WARM_UP) * 2;
        let progress = Progress::new(each * 2 * Activation::ALL.len() as u64);
        for activation in Activation::ALL {
            let chain = Chain::from(*activation);
            for pass in Pass::FROM_X {
                let ways =
                    |[x, y, dy, dx]: &[wgpu::Buffer; 4]| self.whole(&chain, pass, x, y, dy, dx);
                let mut variants = ways(&sets[0])?;
                for set in &sets[1..] {
                    take_turns(&mut variants, ways(set)?);
                }
                match self.compare_all(&variants)? {
                    None => {
                        let subject = Subject::chain(&chain, pass);
                        timed.push(self.time(subject, variants, &progress)?);
                    }
                    Some(message) => {
                        wrong.push(message);
                        progress.advance(each);
                    }
                }
            }
        }
        Ok((timed, wrong))
    }

    /// A pass as one dispatch, behind the copy of the same bytes.
    fn whole(
        &self,
        chain: &Chain,
        pass: Pass,
        x: &wgpu::Buffer,
        y: &wgpu::Buffer,
        dy: &wgpu::Buffer,
        dx: &wgpu::Buffer,
    ) -> Result<Vec<Variant>> {
        let (inputs, output) = match pass {
            Pass::Forward => (vec![x], y),
            _ => (vec![x, dy], dx),
        };
        let mut copy = Variant::new("copy");
        let plan = self.gpu.kernels().copy(pass, T::DTYPE)?;
        self.dispatch(&mut copy, None, &plan, &inputs, output)?;
        let mut fused = Variant::new("fused");
        self.step(&mut fused, chain.clone(), pass, &inputs, output)?;
        Ok(vec![copy, fused])
    }

    fn unfused_forward(&self, chain: &Chain, values: &[wgpu::Buffer]) -> Result<Variant> {
        let mut unfused = Variant::new("unfused");
        for (step, values) in chain.steps().iter().zip(values.windows(2)) {
            let step = Chain::new().step(step.clone());
            self.step(&mut unfused, step, Pass::Forward, &[&values[0]], &values[1])?;
        }
        Ok(unfused)
    }

    fn unfused_backward(
        &self,
        chain: &Chain,
        values: &[wgpu::Buffer],
        dy: &wgpu::Buffer,
        dx: &wgpu::Buffer,
        gradients: &[wgpu::Buffer],
    ) -> Result<Variant> {
        let mut unfused = Variant::new("unfused");
        let mut from = dy;
        for (index, step) in chain.steps().iter().enumerate().rev() {
            let to = match index {
                0 => dx,
                _ => &gradients[index % gradients.len()],
            };
            let (pass, inputs) = match step.function() {
                Function::Scale => (Pass::Forward, vec![from]),
                _ => (Pass::Backward, vec![&values[index], from]),
            };
            self.step(
                &mut unfused,
                Chain::new().step(step.clone()),
                pass,
                &inputs,
                to,
            )?;
            from = to;
        }
        Ok(unfused)
    }

    /// Adds a chain's pass to a variant.
    fn step(
        &self,
        variant: &mut Variant,
        chain: Chain,
        pass: Pass,
        inputs: &[&wgpu::Buffer],
        output: &wgpu::Buffer,
    ) -> Result<()> {
        let plan = self.gpu.kernels().plan(&chain, pass, T::DTYPE)?;
        self.dispatch(variant, Some(chain), &plan, inputs, output)
    }

    pub(super) fn dispatch(
        &self,
        variant: &mut Variant,
        chain: Option<Chain>,
        plan: &Plan,
        inputs: &[&wgpu::Buffer],
        output: &wgpu::Buffer,
    ) -> Result<()> {
        let operand = |buffer| Operand::new(buffer, 0, self.len);
        let operands = match (plan.pass(), inputs) {
            (Pass::BackwardFromY, [y, dy]) => Operands::new()
                .y(operand(y))
                .dy(operand(dy))
                .dx(operand(output)),
            (_, [x, dy]) => Operands::new()
                .x(operand(x))
                .dy(operand(dy))
                .dx(operand(output)),
            (_, inputs) => Operands::new().x(operand(inputs[0])).y(operand(output)),
        };
        variant.bytes += plan.bytes(self.len);
        variant.bounds.push(plan.bind(operands)?);
        variant.parts.push(Part {
            chain,
            pass: plan.pass(),
            inputs: inputs.iter().map(|buffer| (*buffer).clone()).collect(),
            output: output.clone(),
        });
        Ok(())
    }

    /// What is wrong with the first of the variants that has wrong results.
    fn compare_all(&self, variants: &[Variant]) -> Result<Option<String>> {
        for variant in variants {
            if let Some(wrong) = self.compare(variant)? {
                return Ok(Some(wrong));
            }
        }
        Ok(None)
    }

    /// Runs a variant and compares both ends of each dispatch's result with what it should be.
    fn compare(&self, variant: &Variant) -> Result<Option<String>> {
        for (part, bound) in variant.parts.iter().zip(&variant.bounds) {
            let mut encoder = self.encoder();
            // What another variant left there must not pass for this one's result.
            encoder.clear_buffer(&part.output, 0, None);
            bound.record(&mut encoder.begin_compute_pass(&Default::default()));
            self.gpu.queue().submit([encoder.finish()]);
            let inputs = part.inputs.iter().map(|input| self.ends(input));
            let inputs = inputs.collect::<Result<Vec<_>>>()?;
            let got = self.ends(&part.output)?;
            let pass = part.pass;
            let Some(chain) = &part.chain else {
                let bits = |values: &[T]| bytemuck::cast_slice::<T, u8>(values).to_vec();
                let mut expected = bits(&inputs[0]);
                for input in &inputs[1..] {
                    let pairs = expected.iter_mut().zip(bits(input));
                    pairs.for_each(|(expected, byte)| *expected ^= byte);
                }
                if bits(&got) != expected {
                    return Ok(Some(format!("the {pass} copy kernel does not copy")));
                }
                continue;
            };
            let report = match pass {
                Pass::Forward => nonlin::check::forward(chain, &inputs[0], &got)?,
                Pass::BackwardFromY => {
                    nonlin::check::backward_from_y(chain, &inputs[0], &inputs[1], &got)?
                }
                _ => nonlin::check::backward(chain, &inputs[0], &inputs[1], &got)?,
            };
            if let Some(worst) = report.worst.filter(|worst| !worst.passes()) {
                let (name, failed, compared) = (variant.name, report.failed, report.compared);
                return Ok(Some(format!(
                    "{chain} {pass}, {name}: {failed} of {compared} elements fail; worst: {worst}"
                )));
            }
        }
        Ok(None)
    }
}
