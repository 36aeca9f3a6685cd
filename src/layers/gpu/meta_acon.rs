//! Meta-ACON's kernels.

use super::super::parts::too_few;
use super::super::{Images, MetaAcon};
use super::Sizes;
use super::phases::{Dense, Norm, Phase, keep, phases};
use super::pooled::{Over, channel_gradient, lengths, means};
use super::program::{Buffer, Form, Program};
use crate::error::Error;
use crate::pass::Pass;
use crate::wgsl::{Access, Text};

/// The layer with its lengths.
struct Lengths<'a> {
    layer: &'a MetaAcon,
    sizes: Sizes,
    /// Values between the two small layers.
    narrow: u64,
}

impl MetaAcon {
    pub(in super::super) fn on_gpu(&self, form: &Form) -> Result<Program, Error> {
        let images: &Images = &form.images;
        let sizes = Sizes::new(images)?;
        let mut program = Program::new(form, &self.parameters(images)?);
        let training = self.norm.as_ref().is_some_and(|norm| norm.training);
        if training && sizes.samples == 1 {
            return Err(too_few(images));
        }
        let lengths = self.lengths(sizes)?;
        program.number("narrow", lengths.narrow);
        if let Some(norm) = &self.norm {
            program.float("eps", norm.eps);
            program.float("momentum", norm.momentum);
        }
        for (name, count) in lengths.saved() {
            program.region(Buffer::Saved, &name, count);
        }
        match form.pass {
            Pass::Forward => lengths.forward(&mut program),
            _ => lengths.backward(&mut program),
        }
        Ok(program)
    }

    pub(super) fn saved_len(&self, sizes: Sizes) -> Result<u64, Error> {
        let saved = self.lengths(sizes)?.saved();
        Ok(saved.iter().map(|(_, count)| count).sum())
    }

    fn lengths(&self, sizes: Sizes) -> Result<Lengths<'_>, Error> {
        let narrow = self.hidden(sizes.channels);
        sizes.check_small(narrow, sizes.channels)?;
        Ok(Lengths {
            layer: self,
            sizes,
            narrow,
        })
    }
}

impl Lengths<'_> {
    /// What forward leaves for backward, and of how many elements each is.
    fn saved(&self) -> Vec<(String, u64)> {
        let (samples, channels, narrow) = (self.sizes.samples, self.sizes.channels, self.narrow);
        let mut all = vec![
            ("means".into(), samples * channels),
            ("narrowed".into(), samples * narrow),
            ("q".into(), samples * channels),
            ("beta".into(), samples * channels),
        ];
        for norm in self.norms().into_iter().flatten() {
            let (name, count) = (format!("bn{}", norm.mark), norm.width.1);
            all.push((format!("{name}_plain"), samples * count));
            all.push((format!("{name}_mean"), count));
            all.push((format!("{name}_inverse"), count));
        }
        all
    }

    /// The small layers.
    fn dense(&self) -> [Dense<'static>; 2] {
        let wide = ("channels", self.sizes.channels);
        let thin = ("narrow", self.narrow);
        [
            Dense {
                name: "fc1",
                given: "means",
                inputs: wide,
                outputs: thin,
            },
            Dense {
                name: "fc2",
                given: "narrowed",
                inputs: thin,
                outputs: wide,
            },
        ]
    }

    /// The norms behind them.
    fn norms(&self) -> Option<[Norm<'_>; 2]> {
        let norm = self.layer.norm.as_ref()?;
        let all = [
            ("1", ("narrow", self.narrow)),
            ("2", ("channels", self.sizes.channels)),
        ];
        Some(all.map(|(mark, width)| Norm { norm, mark, width }))
    }

    /// Multiplications of the small layers.
    fn work(&self) -> u64 {
        2 * self.sizes.samples * self.narrow * self.sizes.channels
    }

    fn forward(&self, program: &mut Program) {
        let sizes = self.sizes;
        lengths(program, sizes, 1);
        means(program, sizes);
        self.coefficients(program);
        let each = lifted(program, &["m_acon"]);
        let over = Over {
            label: "values",
            images: &[(Buffer::X, false), (Buffer::Y, true)],
            add: &|text| {
                each(text);
                text.file("layers/meta_acon/forward.wgsl");
            },
            has_spots: false,
        };
        over.map(program, sizes);
    }

    /// From the sums of x to beta.
    fn coefficients(&self, program: &mut Program) {
        let samples = self.sizes.samples;
        let mut text = Text::default();
        text.file("layers/pooled/means_step.wgsl");
        let mut all = vec![Phase::of("means", samples * self.sizes.channels)];
        let [fc1, fc2] = self.dense();
        let beta = |text: &mut Text, of: &str| {
            text.file_as("layers/meta_acon/beta.wgsl", &[("it", of)]);
        };
        if let Some([bn1, bn2]) = self.norms() {
            keep(&mut text, "fc1", "saved", "bn1_plain");
            all.push(fc1.forward(&mut text, samples));
            keep(&mut text, "bn1", "saved", "narrowed");
            all.extend(bn1.forward(&mut text, samples));
            keep(&mut text, "fc2", "saved", "bn2_plain");
            all.push(fc2.forward(&mut text, samples));
            beta(&mut text, "bn2");
            all.extend(bn2.forward(&mut text, samples));
        } else {
            keep(&mut text, "fc1", "saved", "narrowed");
            all.push(fc1.forward(&mut text, samples));
            beta(&mut text, "fc2");
            all.push(fc2.forward(&mut text, samples));
        }
        phases(program, "coefficients", self.work(), &text, &all);
    }

    fn backward(&self, program: &mut Program) {
        let sizes = self.sizes;
        lengths(program, sizes, 3);
        let each = lifted(program, &["m_acon_d_p1", "m_acon_d_p2", "m_acon_d_beta"]);
        let over = Over {
            label: "sums",
            images: &[(Buffer::X, false), (Buffer::Dy, false)],
            add: &|text| {
                each(text);
                text.file("layers/meta_acon/terms.wgsl");
            },
            has_spots: false,
        };
        over.sums(program, sizes, 3);
        self.small_gradients(program);
        let each = lifted(program, &["m_acon_derivative"]);
        let over = Over {
            label: "dx",
            images: &[(Buffer::X, false), (Buffer::Dy, false), (Buffer::Dx, true)],
            add: &|text| {
                each(text);
                text.file("layers/meta_acon/dx.wgsl");
            },
            has_spots: false,
        };
        over.map(program, sizes);
    }

    /// From the sums to the gradients of parameters and means.
    fn small_gradients(&self, program: &mut Program) {
        let (samples, channels, narrow) = (self.sizes.samples, self.sizes.channels, self.narrow);
        for (name, count) in [
            ("dq", channels),
            ("dnarrowed", narrow),
            ("dmeans", channels),
        ] {
            program.region(Buffer::Scratch, name, samples * count);
        }
        let mut text = Text::default();
        text.file("layers/meta_acon/dq_step.wgsl");
        channel_gradient(&mut text, "d_p1", 0);
        channel_gradient(&mut text, "d_p2", 1);
        let first = Phase::of("dq", samples * channels);
        let mut all = vec![first.and("d_p1", channels).and("d_p2", channels)];
        let [fc1, fc2] = self.dense();
        keep(&mut text, "fc2_inputs", "scratch", "dnarrowed");
        text.file("layers/pooled/dmeans.wgsl");
        if let Some([bn1, bn2]) = self.norms() {
            program.region(Buffer::Scratch, "bn1_dplain", samples * narrow);
            program.region(Buffer::Scratch, "bn2_dplain", samples * channels);
            let training = bn1.norm.training;
            all.extend(bn2.backward(&mut text, samples, "dq"));
            all.push(fc2.backward(&mut text, samples, "bn2_dplain", training));
            all.extend(bn1.backward(&mut text, samples, "dnarrowed"));
            all.push(fc1.backward(&mut text, samples, "bn1_dplain", training));
        } else {
            all.push(fc2.backward(&mut text, samples, "dq", false));
            all.push(fc1.backward(&mut text, samples, "dnarrowed", false));
        }
        phases(program, "small gradients", 2 * self.work(), &text, &all);
    }
}

/// Adds functions of one element, taken for a word's.
fn lifted<'a>(program: &Program, functions: &'a [&'a str]) -> impl Fn(&mut Text) + use<'a> {
    let file = match program.form.access {
        Access::Vec4 => "layers/meta_acon/each_word.wgsl",
        Access::Scalar => "layers/meta_acon/each_element.wgsl",
    };
    move |text| {
        text.file("math/acon.wgsl");
        for function in functions {
            text.file_as(file, &[("it", function)]);
        }
    }
}
