//! Results as text and as JSON.

use super::Bench;
use super::clock::Clock;
use super::timed::{Subject, Timed};
use crate::output::{show, show_json, table};
use crate::{Result, adapters};
use nonlin::{Element, Geometry};
use serde_json::{Value, json};
use std::fmt::Write;

impl<T: Element> Bench<'_, T> {
    /// What all kinds of document begin with.
    fn document(&self, kind: &str, clock: Clock) -> Value {
        let mut document = json!({
            "adapter": adapters::name(self.gpu),
            "len": self.len,
            "dtype": T::DTYPE.name(),
        });
        // Layers have shapes of their own.
        if kind != "layer" {
            let Geometry { workgroup, words } = self.gpu.kernels().geometry();
            document["workgroup"] = workgroup.into();
            document["words"] = words.into();
        }
        document["samples"] = self.samples.into();
        document["clock"] = clock.name().into();
        document["buffer_sets"] = self.sets().into();
        document
    }

    /// What all kinds of text begin with.
    fn title(&self, kind: &str, what: &str, clock: Clock) -> String {
        let (name, len, dtype) = (adapters::name(self.gpu), self.len, T::DTYPE);
        let mut text = format!("{name}\n{what}\n{len} {dtype}");
        if kind != "layer" {
            let Geometry { workgroup, words } = self.gpu.kernels().geometry();
            text += &format!(", workgroup {workgroup}, words {words}");
        }
        text += &format!(", samples {}", self.samples);
        if self.sets() > 1 {
            text += &format!(", {} sets of buffers in turns", self.sets());
        }
        text + &format!("\n{clock}\n")
    }

    /// Shows the passes of what `about` tells by name: first the chain or layer, then what else there is of it.
    pub(super) fn show_passes(
        &self,
        about: &[(&str, &str)],
        clock: Clock,
        passes: &[Timed],
        json: bool,
    ) -> Result<()> {
        let kind = about[0].0;
        let results: Vec<_> = passes.iter().map(|timed| timed.json(self.len)).collect();
        if json {
            let mut document = self.document(kind, clock);
            for (name, text) in about {
                document[*name] = (*text).into();
            }
            document["passes"] = results.into();
            return show_json(&document);
        }
        let about: Vec<_> = about.iter().map(|(_, text)| *text).collect();
        let mut text = self.title(kind, &about.join(", "), clock);
        text += &table(&rows(passes, self.len), 2);
        if let ("layer", Some(fused)) = (kind, passes.last().and_then(|both| both.named("fused"))) {
            let extra = fused.extra_bytes();
            let share = self.len * T::DTYPE.size() / extra.max(1);
            _ = writeln!(
                text,
                "fused: scratch, and what is kept for backward, {extra} bytes, 1/{share} of x"
            );
        }
        for timed in passes {
            let pass = &timed.subject.pass;
            if let Some(speedup) = timed.to_fused("unfused") {
                _ = writeln!(
                    text,
                    "{pass}: fused is {speedup:.2} times as fast as unfused"
                );
            }
            if let (Some(dx), Some(fused)) = (timed.to_fused("dx_only"), timed.named("fused")) {
                let scratch = fused.extra_bytes();
                let share = self.len * T::DTYPE.size() / scratch.max(1);
                _ = writeln!(
                    text,
                    "{pass}: with all gradients, {:.2} times as long as without; scratch {scratch} \
                     bytes, 1/{share} of x",
                    1.0 / dx
                );
            }
        }
        show(text)
    }

    pub(super) fn show_catalogue(&self, clock: Clock, all: &[Timed], json: bool) -> Result<()> {
        if json {
            let mut document = self.document("chain", clock);
            document["results"] = all.iter().map(|timed| timed.json(self.len)).collect();
            return show_json(&document);
        }
        let titles = [
            "activation",
            "pass",
            "ms",
            "ns/element",
            "copy ms",
            "x copy",
        ];
        let mut rows = vec![titles.map(String::from).to_vec()];
        for timed in all {
            let [copy, fused] = [0, 1].map(|index| &timed.variants[index]);
            rows.push(vec![
                timed.subject.what.clone(),
                timed.subject.pass.clone(),
                format!("{:.3}", fused.median() / 1e6),
                format!("{:.4}", fused.median() / self.len as f64),
                format!("{:.3}", copy.median() / 1e6),
                format!("{:.2}", timed.ratio_to_copy(fused)),
            ]);
        }
        show(self.title("chain", "every activation", clock) + &table(&rows, 2))
    }
}

impl Timed {
    fn json(&self, len: u64) -> Value {
        let Subject { kind, what, pass } = &self.subject;
        let mut document = json!({*kind: what, "pass": pass, "repeats": self.repeats});
        for variant in &self.variants {
            let [min, median, max] = variant.nanoseconds();
            document[variant.name] = json!({
                "dispatches": variant.dispatches(),
                "scratch_bytes": variant.extra_bytes(),
                "bytes": variant.bytes,
                "median_ns": median,
                "min_ns": min,
                "max_ns": max,
                "ns_per_element": median / len as f64,
                "gb_per_s": variant.bytes as f64 / median,
                "ratio_to_copy": self.ratio_to_copy(variant),
            });
        }
        if let Some(speedup) = self.to_fused("unfused") {
            document["speedup"] = speedup.into();
        }
        document
    }
}

fn rows(passes: &[Timed], len: u64) -> Vec<Vec<String>> {
    let titles = [
        "pass",
        "variant",
        "ms",
        "min",
        "max",
        "ns/element",
        "MB moved",
        "GB/s",
        "x copy",
    ];
    let mut rows = vec![titles.map(String::from).to_vec()];
    for timed in passes {
        for variant in &timed.variants {
            let [min, median, max] = variant.nanoseconds();
            rows.push(vec![
                timed.subject.pass.clone(),
                variant.name.into(),
                format!("{:.3}", median / 1e6),
                format!("{:.3}", min / 1e6),
                format!("{:.3}", max / 1e6),
                format!("{:.4}", median / len as f64),
                format!("{:.1}", variant.bytes as f64 / 1e6),
                format!("{:.2}", variant.bytes as f64 / median),
                format!("{:.2}", timed.ratio_to_copy(variant)),
            ]);
        }
    }
    rows
}
