//! Layers.

use super::timed::{Subject, Timed, Variant, take_turns};
use super::unfused::{self, Steps, Unfused, Work};
use super::{Args, Bench, Stage, WARM_UP, dy_at, spread, x_at};
use crate::layers::Known;
use crate::output::{Progress, complain};
use crate::subject::Lengths;
use crate::{Failure, Result, Verdict, adapters, seeded};
use nonlin::layers::{Images, Layer, Parameter, Parameters};
use nonlin::wgpu;
use nonlin::{Bound, DType, LayerOperands, LayerPlan, Operand, Operands, Pass};
use std::collections::HashMap;
use std::marker::PhantomData;

/// The images, if --shape is not given.
const SHAPE: [u64; 4] = [16, 64, 56, 56];

/// What y and dx may be off by, in units of their largest magnitude. The tests' bounds are far closer; here a wrong
/// kernel is to be found, or one that did not run.
const TOLERANCE: f64 = 1e-3;

/// And gradients of parameters: sums in which an element at a tie may be on either side.
const OF_SUMS: f64 = 1e-2;

/// The least unit, for gradients that are zero by construction: that of a bias before a softmax or batch statistics.
const LEAST: f64 = 0.1;

/// Of how many elements one may be off by more: where a maximum's sides are as good as equal, either may take a gradient.
const AT_TIES: usize = 100_000;

pub(super) fn bench(args: &Args, known: &Known) -> Result<Verdict> {
    let layer = known.build(&args.set)?;
    let refuse = |what: &str| Err(Failure(format!("{what}, but {} is a layer", known.name)));
    let [samples, channels, height, width] = match args.shape.as_ref() {
        None if args.len.is_some() => return refuse("--len is for chains"),
        None => SHAPE,
        Some(Lengths(lengths)) => match lengths[..] {
            [n, c, h, w] => [n, c, h, w],
            _ => return refuse("--shape has three lengths, which is for chains"),
        },
    };
    if args.dtype != DType::F32 {
        return refuse("--dtype is for chains");
    }
    if args.workgroup.or(args.words).is_some() {
        return refuse("--workgroup and --words are for chains");
    }
    if let Layer::MetaAcon(layer) = &layer
        && layer.norm.is_some()
    {
        return refuse("its unfused form is there without norms only");
    }
    let images = Images::nchw(samples, channels, height, width);
    let listed = layer.parameters(&images)?;
    let gpu = adapters::open_timed(args.adapter.as_deref())?;
    let stage = Stage::new(&gpu, args.buffer_sets);
    let bench = Bench::<f32> {
        gpu: &gpu,
        stage: &stage,
        len: images.elements()?,
        samples: args.samples,
        dtype: PhantomData,
    };
    let mut text = known.name.to_owned();
    for given in &args.set {
        text += &format!(" {given}");
    }
    bench.guarded(|| {
        let set = Set::new(&bench, &layer, images, &listed)?;
        if let Some(wrong) = set.wrong()? {
            complain(&wrong);
            return Ok(Verdict::CheckFailed);
        }
        let shape = format!("{samples}x{channels}x{height}x{width}");
        let about = [("layer", text.as_str()), ("shape", shape.as_str())];
        let mut sets = vec![set];
        for _ in 1..bench.sets() {
            let other = Set::new(&bench, &layer, images, &listed)?;
            other.run()?;
            sets.push(other);
        }
        let mut timed = time(&sets, &text)?;
        let clock = stage.settle(args.clock, &mut timed)?;
        bench.show_passes(&about, clock, &timed, args.json)?;
        Ok(Verdict::Fine)
    })
}

/// What the layer works on, and both forms of it, ready to be recorded.
struct Set<'a> {
    bench: &'a Bench<'a, f32>,
    layer: &'a Layer,
    images: Images,
    parameters: Parameters,
    x: wgpu::Buffer,
    dy: wgpu::Buffer,
    fused: Fused,
    unfused: Unfused,
}

/// The library's form.
struct Fused {
    forward: LayerPlan,
    backward: LayerPlan,
    y: wgpu::Buffer,
    dx: wgpu::Buffer,
    parameters: wgpu::Buffer,
    gradients: wgpu::Buffer,
    saved: wgpu::Buffer,
}

/// A parameter's elements.
fn elements(parameter: &Parameter, seed: u64) -> Vec<f32> {
    let at = |i: u64| (i + seed).wrapping_mul(0xbb67_ae85_84ca_a73b);
    seeded::parameter(parameter, |i| spread(at(i)))
}

impl<'a> Set<'a> {
    fn new(
        bench: &'a Bench<'a, f32>,
        layer: &'a Layer,
        images: Images,
        listed: &'a [Parameter],
    ) -> Result<Self> {
        let (x, dy) = (
            bench.inputs("x", |index| x_at(index) * 0.25)?,
            bench.inputs("dy", dy_at)?,
        );
        let mut values = Vec::new();
        let mut parameters = Parameters::new();
        for (index, parameter) in listed.iter().enumerate() {
            let own = elements(parameter, 1000 * index as u64);
            parameters = parameters.with(&parameter.name, &own);
            values.extend(own);
        }
        let fused = Fused::new(bench, layer, images, &values)?;
        let work = Work {
            gpu: bench.gpu,
            images,
            x: &x,
            dy: &dy,
            listed,
            values: &values,
        };
        let unfused = match layer {
            Layer::Frelu(layer) => unfused::frelu(&work, layer),
            Layer::MetaAcon(layer) => unfused::meta_acon(&work, layer),
            Layer::DynamicRelu(layer) => unfused::dynamic_relu(&work, layer),
        };
        Ok(Set {
            bench,
            layer,
            images,
            parameters,
            x,
            dy,
            fused,
            unfused,
        })
    }

    /// Runs both passes of both forms.
    fn run(&self) -> Result<()> {
        let mut encoder = self.bench.encoder();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for each in [Pass::Forward, Pass::Backward] {
            self.fused.bind(self, each)?.record(&mut pass);
        }
        for Steps { dispatches, .. } in [&self.unfused.forward, &self.unfused.backward] {
            dispatches.iter().for_each(|step| step.record(&mut pass));
        }
        drop(pass);
        self.bench.gpu.queue().submit([encoder.finish()]);
        Ok(())
    }

    /// What is wrong with either form's results, if anything is.
    fn wrong(&self) -> Result<Option<String>> {
        self.run()?;
        let len = self.bench.len;
        let x = self.bench.read::<f32>(&self.x, len)?;
        let dy = self.bench.read::<f32>(&self.dy, len)?;
        let (images, parameters) = (&self.images, &self.parameters);
        let y = self.layer.forward(images, parameters, &x)?.y;
        let wanted = self.layer.backward(images, parameters, &x, &dy)?;
        for (name, y_at, dx_at, gradients) in [
            (
                "fused",
                &self.fused.y,
                &self.fused.dx,
                self.fused_gradients()?,
            ),
            (
                "unfused",
                &self.unfused.y,
                &self.unfused.dx,
                self.unfused_gradients()?,
            ),
        ] {
            let y_got = self.bench.read(y_at, len)?;
            let dx_got = self.bench.read(dx_at, len)?;
            let mut all = vec![
                ("y".to_owned(), TOLERANCE, &y_got, &y[..]),
                ("dx".to_owned(), TOLERANCE, &dx_got, &wanted.dx),
            ];
            for (Parameter { name, .. }, _) in self.fused.forward.parameters() {
                if let Some(wanted) = wanted.parameters.get(name) {
                    let got = &gradients[name];
                    all.push((format!("gradient of {name}"), OF_SUMS, got, wanted));
                }
            }
            for (what, tolerance, got, wanted) in all {
                if let Some(problem) = differs(got, wanted, tolerance) {
                    return Ok(Some(format!(
                        "{} {what}, {name}: {problem}",
                        self.layer.name()
                    )));
                }
            }
        }
        Ok(None)
    }

    /// Of each parameter by name.
    fn fused_gradients(&self) -> Result<HashMap<String, Vec<f32>>> {
        let plan = &self.fused.forward;
        let buffer = &self.fused.gradients;
        let all = self.bench.read::<f32>(buffer, plan.parameters_len())?;
        let each = plan.parameters().map(|(parameter, range)| {
            let own = &all[range.start as usize..range.end as usize];
            (parameter.name.clone(), own.to_vec())
        });
        Ok(each.collect())
    }

    /// Of each learned parameter by name.
    fn unfused_gradients(&self) -> Result<HashMap<String, Vec<f32>>> {
        let mut gradients = HashMap::new();
        for (parameter, range) in self.fused.forward.parameters() {
            if let Some(buffer) = self.unfused.gradients.get(&parameter.name) {
                let own = self.bench.read(buffer, range.end - range.start)?;
                gradients.insert(parameter.name.clone(), own);
            }
        }
        Ok(gradients)
    }

    /// The copy, the library's form and the unfused one, of passes behind each other.
    fn variants(&self, passes: &[Pass]) -> Result<[Variant; 3]> {
        let mut variants = ["copy", "fused", "unfused"].map(Variant::new);
        for pass in passes {
            let [copy, fused, unfused] = &mut variants;
            copy.bounds.push(self.copy(*pass)?);
            copy.bytes += if *pass == Pass::Forward { 8 } else { 12 } * self.bench.len;
            let steps = match pass {
                Pass::Forward => &self.unfused.forward,
                _ => &self.unfused.backward,
            };
            unfused.plain.extend(steps.dispatches.iter().cloned());
            unfused.bytes += steps.bytes;
            fused.bounds.push(self.fused.bind(self, *pass)?);
            fused.bytes += self.fused.plan(*pass).bytes();
            fused.kept = 4 * self.fused.forward.saved_len();
        }
        Ok(variants)
    }

    fn copy(&self, pass: Pass) -> Result<Bound> {
        let [x, dy, y, dx] = [&self.x, &self.dy, &self.fused.y, &self.fused.dx]
            .map(|buffer| Operand::new(buffer, 0, self.bench.len));
        let operands = match pass {
            Pass::Forward => Operands::new().x(x).y(y),
            _ => Operands::new().x(x).dy(dy).dx(dx),
        };
        let plan = self.bench.gpu.kernels().copy(pass, DType::F32)?;
        Ok(plan.bind(operands)?)
    }
}

/// Times forward, backward, and one behind the other, the sets in turns.
fn time(sets: &[Set<'_>], what: &str) -> Result<Vec<Timed>> {
    let bench = sets[0].bench;
    let mut timed = Vec::new();
    let progress = Progress::new(u64::from(bench.samples + WARM_UP) * 9);
    for (pass, passes) in [
        ("forward", &[Pass::Forward][..]),
        ("backward", &[Pass::Backward]),
        ("both", &[Pass::Forward, Pass::Backward]),
    ] {
        let mut variants = sets[0].variants(passes)?;
        for set in &sets[1..] {
            take_turns(&mut variants, set.variants(passes)?.into());
        }
        let subject = Subject {
            kind: "layer",
            what: what.to_owned(),
            pass: pass.to_owned(),
        };
        timed.push(bench.time(subject, variants.into(), &progress)?);
    }
    Ok(timed)
}

impl Fused {
    fn new(bench: &Bench<'_, f32>, layer: &Layer, images: Images, values: &[f32]) -> Result<Self> {
        let plan = |pass| {
            let kernels = bench.gpu.kernels();
            kernels.layer(layer, &images, pass, DType::F32)
        };
        let (forward, backward) = (plan(Pass::Forward)?, plan(Pass::Backward)?);
        let at = |index: u64| values.get(index as usize).copied().unwrap_or(0.0);
        let count = forward.parameters_len();
        Ok(Fused {
            y: bench.buffer("y")?,
            dx: bench.buffer("dx")?,
            parameters: bench.filled("parameters", count, at)?,
            gradients: bench.sized("gradients", count)?,
            saved: bench.sized("saved", forward.saved_len().max(1))?,
            forward,
            backward,
        })
    }

    fn plan(&self, pass: Pass) -> &LayerPlan {
        match pass {
            Pass::Forward => &self.forward,
            _ => &self.backward,
        }
    }

    fn bind(&self, set: &Set<'_>, pass: Pass) -> Result<Bound> {
        let each = |buffer| Operand::new(buffer, 0, set.bench.len);
        let plan = self.plan(pass);
        let count = plan.parameters_len();
        let mut operands = LayerOperands::new()
            .x(each(&set.x))
            .parameters(Operand::new(&self.parameters, 0, count));
        operands = match pass {
            Pass::Forward => operands.y(each(&self.y)),
            _ => operands
                .dy(each(&set.dy))
                .dx(each(&self.dx))
                .gradients(Operand::new(&self.gradients, 0, count)),
        };
        if plan.saved_len() > 0 {
            operands = operands.saved(Operand::new(&self.saved, 0, plan.saved_len()));
        }
        Ok(plan.bind(operands)?)
    }
}

/// What is wrong with results, if anything is.
fn differs(got: &[f32], wanted: &[f64], tolerance: f64) -> Option<String> {
    let largest = wanted.iter().fold(LEAST, |most, v| v.abs().max(most));
    let off = |(got, wanted): (&f32, &f64)| (f64::from(*got) - wanted).abs();
    let bad = |off: &f64| off.is_nan() || *off > tolerance * largest;
    let failed: Vec<f64> = got.iter().zip(wanted).map(off).filter(bad).collect();
    let worst = failed.iter().copied().fold(0.0, f64::max);
    (failed.len() > got.len() / AT_TIES).then(|| {
        format!(
            "{} of {} elements are off, the worst by {worst:e} where the largest is {largest:e}",
            failed.len(),
            got.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_off_is_found() {
        let wanted = [1.0, -2.0, 0.5];
        assert_eq!(differs(&[1.0, -2.0, 0.5005], &wanted, TOLERANCE), None);
        let one = differs(&[1.0, -2.0, 0.6], &wanted, TOLERANCE).unwrap();
        assert!(
            one.starts_with("1 of 3 elements are off, the worst by 1"),
            "{one}"
        );
        assert!(differs(&[1.0, f32::NAN, 0.5], &wanted, OF_SUMS).is_some());
        // Of many, as many as may lie at a tie.
        let wanted = vec![1.0; 2 * AT_TIES];
        let mut got = vec![1.0; wanted.len()];
        got[..2].fill(0.0);
        assert_eq!(differs(&got, &wanted, TOLERANCE), None);
        got[2] = 0.0;
        assert!(differs(&got, &wanted, TOLERANCE).is_some());
        // Where all should be zero.
        assert!(differs(&[0.01], &[0.0], OF_SUMS).is_some());
        assert_eq!(differs(&[1e-4], &[0.0], OF_SUMS), None);
    }
}
