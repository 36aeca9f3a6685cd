//! Kernels beside the reference, before they are timed.

use super::{Call, SEED, Set, Tensor};
use crate::Result;
use nonlin::check::{self, Expected, Report};
use nonlin::{Element, Pass, Values, wgpu};

impl<T: Element> Set<'_, T> {
    pub(super) fn run(&self, call: &Call) -> Result<()> {
        let mut encoder = self.bench.encoder();
        // What another way left there must not pass for this one's result.
        let written = call
            .out
            .iter()
            .chain(call.grads.iter().map(|grad| &grad.buffer))
            .chain(self.packed.iter().map(|packed| &packed.d_both));
        written.for_each(|buffer| encoder.clear_buffer(buffer, 0, None));
        let bound = self.bind(call)?;
        bound.record(&mut encoder.begin_compute_pass(&Default::default()));
        self.bench.gpu.queue().submit([encoder.finish()]);
        Ok(())
    }

    /// What is wrong with a call's results, if anything is.
    pub(super) fn compare(&self, way: &str, call: &Call) -> Result<Option<String>> {
        let all = |buffer: &wgpu::Buffer| self.bench.read::<T>(buffer, call.len);
        let x = all(&call.x)?;
        let mut values = Values::new()
            .layout(self.layout(call))
            .random(SEED, call.drawn);
        for Tensor { name, buffer, len } in &call.args {
            values = values.arg(name, &self.bench.read::<T>(buffer, *len)?);
        }
        let mut reports: Vec<(String, Report)> = Vec::new();
        let dy = call.dy.as_ref().map(all).transpose()?.unwrap_or_default();
        let packed = self
            .packed
            .as_ref()
            .filter(|_| call.is_packed && call.pass != Pass::Forward);
        let both = match packed {
            Some(packed) => self.bench.read::<T>(&packed.d_both, 2 * call.len)?,
            None => Vec::new(),
        };
        let part = |first: usize| both.iter().copied().skip(first).step_by(2).collect();
        if let Some(out) = &call.out {
            let got: Vec<T> = match packed {
                Some(_) => part(0),
                None => all(out)?,
            };
            let expected = match call.pass {
                Pass::Forward => Expected::forward_with(&call.chain, &x, &values)?,
                Pass::BackwardFromY => {
                    Expected::backward_from_y_with(&call.chain, &x, &dy, &values)?
                }
                _ => Expected::backward_with(&call.chain, &x, &dy, &values)?,
            };
            reports.push((call.pass.to_string(), expected.compare(&got)?));
        }
        for Tensor { name, buffer, len } in &call.grads {
            let got: Vec<T> = match packed.filter(|packed| packed.gate == *name) {
                Some(_) => part(1),
                None => self.bench.read::<T>(buffer, *len)?,
            };
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
