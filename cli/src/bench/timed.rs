//! What is timed.

use super::chain::Part;
use super::clock::{Clock, Sample, median};
use super::{Bench, SAMPLE, SAMPLE_OF_HOST, WARM_UP, unfused};
use crate::Result;
use crate::output::Progress;
use nonlin::wgpu::{CommandEncoder, ComputePassDescriptor, ComputePassTimestampWrites};
use nonlin::{Bound, Chain, Element, Pass};
use std::time::Instant;

/// One way to do a pass: dispatches in order, and how long they took.
pub(super) struct Variant {
    pub(super) name: &'static str,
    pub(super) bounds: Vec<Bound>,
    /// Dispatches that are not the library's.
    pub(super) plain: Vec<unfused::Dispatch>,
    /// The same on other buffers, which take turns with these.
    more: Vec<(Vec<Bound>, Vec<unfused::Dispatch>)>,
    /// Bytes that forward leaves for backward.
    pub(super) kept: u64,
    /// For each of the dispatches, if they are yet to be compared.
    pub(super) parts: Vec<Part>,
    pub(super) bytes: u64,
    /// In the order in which they were taken.
    pub(super) samples: Vec<Sample>,
    /// By the clock that counts, in nanoseconds, sorted.
    times: Vec<f64>,
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

/// Most times that a variant stands in a sample.
const MOST: u32 = 4096;

impl<T: Element> Bench<'_, T> {
    pub(super) fn time(
        &self,
        subject: Subject,
        mut variants: Vec<Variant>,
        progress: &Progress,
    ) -> Result<Timed> {
        progress.doing(format!("{} of {}", subject.pass, subject.what));
        for _ in 0..WARM_UP {
            for variant in variants.iter().rev() {
                // All buffers: the first use of one makes wgpu clear it.
                self.sample(variant, 0, 1 + variant.more.len() as u32)?;
                progress.advance(1);
            }
        }
        let repeats = self.repeats(&variants[0])?;
        for turn in 0..self.samples {
            for variant in &mut variants {
                let from = turn as usize * repeats as usize;
                let sample = self.sample(variant, from, repeats)?;
                variant.samples.push(sample);
                progress.advance(1);
            }
        }
        Ok(Timed {
            subject,
            repeats,
            variants,
        })
    }

    /// How many copies, of all variants the shortest, make a sample that is long enough for its clock.
    fn repeats(&self, copy: &Variant) -> Result<u32> {
        let mut repeats = 1;
        loop {
            let sample = self.sample(copy, 0, repeats)?;
            let (once, least) = match sample.stamped {
                None if !self.stage.is_software => (sample.host, SAMPLE_OF_HOST),
                stamped => (stamped.unwrap_or(sample.host), SAMPLE),
            };
            let wanted = least.as_nanos() as f64 / once.max(1e-3);
            // Samples differ; nearly as long is long enough.
            if 0.9 * wanted <= f64::from(repeats) || repeats >= MOST {
                return Ok(repeats);
            }
            // Tenfold at a time: the fewer there are, the more each takes.
            repeats = (wanted.min(10.0 * f64::from(repeats)).ceil() as u32).min(MOST);
        }
    }

    /// How long a variant takes, where it stands so many times behind each other, the buffers in turns.
    fn sample(&self, variant: &Variant, from: usize, repeats: u32) -> Result<Sample> {
        let stamps = self.stage.stamps.as_ref();
        let mut encoder = self.encoder();
        variant.record(
            &mut encoder,
            stamps.map(|stamps| stamps.writes()),
            from,
            repeats,
        );
        if let Some(stamps) = stamps {
            stamps.resolve(&mut encoder);
        }
        let commands = encoder.finish();
        let start = Instant::now();
        self.gpu.queue().submit([commands]);
        self.wait()?;
        let host = start.elapsed().as_secs_f64() * 1e9;
        let stamped = match stamps {
            Some(stamps) => stamps.read(|| self.wait())?,
            None => None,
        };
        let repeats = f64::from(repeats);
        Ok(Sample {
            host: host / repeats,
            stamped: stamped.map(|time| time / repeats),
        })
    }
}

impl Variant {
    pub(super) fn new(name: &'static str) -> Self {
        Variant {
            name,
            bounds: Vec::new(),
            plain: Vec::new(),
            more: Vec::new(),
            kept: 0,
            parts: Vec::new(),
            bytes: 0,
            samples: Vec::new(),
            times: Vec::new(),
        }
    }

    fn record(
        &self,
        encoder: &mut CommandEncoder,
        timestamp_writes: Option<ComputePassTimestampWrites<'_>>,
        from: usize,
        repeats: u32,
    ) {
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor {
            label: None,
            timestamp_writes,
        });
        for turn in from..from + repeats as usize {
            let (bounds, plain) = match turn % (1 + self.more.len()) {
                0 => (&self.bounds, &self.plain),
                other => {
                    let (bounds, plain) = &self.more[other - 1];
                    (bounds, plain)
                }
            };
            bounds.iter().for_each(|bound| bound.record(&mut pass));
            plain.iter().for_each(|plain| plain.record(&mut pass));
        }
    }

    /// Sorts the samples' times by a clock.
    pub(super) fn settle(&mut self, clock: Clock) {
        self.times = self.samples.iter().map(|sample| sample.by(clock)).collect();
        self.times.sort_unstable_by(f64::total_cmp);
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
        let at = |index: usize| self.times.get(index).copied().unwrap_or(0.0);
        [at(0), median(self.times.clone()), at(last)]
    }

    pub(super) fn median(&self) -> f64 {
        self.nanoseconds()[1]
    }
}

/// Adds the same variants on other buffers.
pub(super) fn take_turns(variants: &mut [Variant], others: Vec<Variant>) {
    for (variant, other) in variants.iter_mut().zip(others) {
        variant.more.push((other.bounds, other.plain));
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
