//! What is timed.

use super::chain::Part;
use super::{Bench, SAMPLE, WARM_UP, unfused};
use crate::Result;
use crate::output::Progress;
use nonlin::wgpu::CommandEncoder;
use nonlin::{Bound, Chain, Element, Pass};
use std::time::{Duration, Instant};

/// One way to do a pass: dispatches in order, and how long they took.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) bounds: Vec<Bound>,
    /// Dispatches that are not the library's.
    pub(super) plain: Vec<unfused::Dispatch>,
    /// Bytes that forward leaves for backward.
    pub(super) kept: u64,
    /// For each of the dispatches, if they are yet to be compared.
    pub(super) parts: Vec<Part>,
    pub(super) bytes: u64,
    pub(super) times: Vec<Duration>,
}

/// What was timed: whether it is a chain or a layer, its text, and the pass.
#[derive(Clone)]
pub(super) struct Subject {
    pub(super) kind: &'static str,
    pub(super) what: String,
    pub(super) pass: String,
}

impl Subject {
    pub(super) fn chain(chain: &Chain, pass: Pass) -> Self {
        Subject {
            kind: "chain",
            what: chain.to_string(),
            pass: pass.to_string(),
        }
    }
}

/// The variants of a pass, the copy first.
pub(super) struct Timed {
    pub(super) subject: Subject,
    pub(super) repeats: u32,
    pub(super) variants: Vec<Variant>,
}

impl<T: Element> Bench<'_, T> {
    pub(super) fn time(
        &self,
        subject: Subject,
        mut variants: Vec<Variant>,
        progress: &Progress,
    ) -> Result<Timed> {
        progress.doing(format!("{} of {}", subject.pass, subject.what));
        // The last copy of the warm-up says how many make a sample.
        let mut once = Duration::ZERO;
        for _ in 0..WARM_UP {
            for variant in variants.iter().rev() {
                once = self.sample(variant, 1)?;
                progress.advance(1);
            }
        }
        let repeats = SAMPLE.as_secs_f64() / once.as_secs_f64().max(1e-9);
        let repeats = repeats.ceil().clamp(1.0, 1000.0) as u32;
        for _ in 0..self.samples {
            for variant in &mut variants {
                let time = self.sample(variant, repeats)?;
                variant.times.push(time);
                progress.advance(1);
            }
        }
        for variant in &mut variants {
            variant.times.sort_unstable();
        }
        Ok(Timed {
            subject,
            repeats,
            variants,
        })
    }

    /// How long a variant takes, from its submit until the device is done with it.
    fn sample(&self, variant: &Variant, repeats: u32) -> Result<Duration> {
        let mut encoder = self.encoder();
        variant.record(&mut encoder, repeats);
        let commands = encoder.finish();
        let start = Instant::now();
        self.gpu.queue().submit([commands]);
        self.wait()?;
        Ok(start.elapsed() / repeats)
    }
}

impl Variant {
    pub(super) fn new(name: &'static str) -> Self {
        Variant {
            name,
            bounds: Vec::new(),
            plain: Vec::new(),
            kept: 0,
            parts: Vec::new(),
            bytes: 0,
            times: Vec::new(),
        }
    }

    fn record(&self, encoder: &mut CommandEncoder, repeats: u32) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for _ in 0..repeats {
            self.bounds.iter().for_each(|bound| bound.record(&mut pass));
            self.plain.iter().for_each(|plain| plain.record(&mut pass));
        }
    }

    /// Bytes beside x, y, their gradients and the parameters, of the library's dispatches.
    pub(super) fn extra_bytes(&self) -> u64 {
        self.kept + self.bounds.iter().map(Bound::scratch_bytes).sum::<u64>()
    }

    pub(super) fn dispatches(&self) -> usize {
        self.plain.len() + self.bounds.iter().map(Bound::dispatches).sum::<usize>()
    }

    /// Shortest, median and longest time of the sorted samples, in nanoseconds.
    pub(super) fn nanoseconds(&self) -> [f64; 3] {
        let last = self.times.len().saturating_sub(1);
        let at = |index: usize| self.times.get(index).map_or(0.0, |t| t.as_secs_f64() * 1e9);
        [at(0), (at(last / 2) + at(last - last / 2)) / 2.0, at(last)]
    }

    pub(super) fn median(&self) -> f64 {
        self.nanoseconds()[1]
    }
}

impl Timed {
    pub(super) fn named(&self, name: &str) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.name == name)
    }

    /// How many times as long as the fused form another takes.
    pub(super) fn to_fused(&self, name: &str) -> Option<f64> {
        let [other, fused] = [name, "fused"].map(|name| self.named(name).map(Variant::median));
        Some(other? / fused?)
    }

    pub(super) fn ratio_to_copy(&self, variant: &Variant) -> f64 {
        variant.median() / self.variants[0].median()
    }
}
