//! Dynamic ReLU's kernels.

use super::super::{DynamicRelu, Images, Variant};
use super::Sizes;
use super::phases::{Dense, Phase, phases};
use super::pooled::{
    Over, channel_gradient, lengths, means, order, places_of_block, written_places,
};
use super::program::{Buffer, Form, LANES, Program};
use crate::act::Activation;
use crate::error::Error;
use crate::pass::Pass;
use crate::wgsl::Text;

/// The layer with its lengths.
struct Lengths<'a> {
    layer: &'a DynamicRelu,
    sizes: Sizes,
    /// Values between the two small layers, and behind them.
    narrow: u64,
    outputs: u64,
    /// Blocks of places in an image, of variant C's softmax.
    blocks: u64,
}

impl DynamicRelu {
    pub(in super::super) fn on_gpu(&self, form: &Form) -> Result<Program, Error> {
        let images: &Images = &form.images;
        let sizes = Sizes::new(images)?;
        let mut program = Program::new(form, &self.parameters(images)?);
        let lengths = self.lengths(sizes, places_of_block(form))?;
        lengths.settings(&mut program);
        for (name, count) in lengths.saved() {
            program.region(Buffer::Saved, name, count);
        }
        match form.pass {
            Pass::Forward => lengths.forward(&mut program),
            _ => lengths.backward(&mut program),
        }
        Ok(program)
    }

    /// Wherever operands lie: blocks are smallest, and most, where elements are reached one by one.
    pub(super) fn saved_len(&self, sizes: Sizes) -> Result<u64, Error> {
        let lengths = self.lengths(sizes, LANES)?;
        Ok(lengths.saved().iter().map(|(_, count)| count).sum())
    }

    fn lengths(&self, sizes: Sizes, places_of_block: u64) -> Result<Lengths<'_>, Error> {
        let narrow = self.hidden(sizes.channels);
        // They have been found to be countable.
        let outputs = self.outputs(sizes.channels).unwrap_or(u64::MAX);
        sizes.check_small(narrow, outputs)?;
        Ok(Lengths {
            layer: self,
            sizes,
            narrow,
            outputs,
            blocks: sizes.places.div_ceil(places_of_block),
        })
    }
}

impl Lengths<'_> {
    fn is_spatial(&self) -> bool {
        self.layer.variant == Variant::C
    }

    fn settings(&self, program: &mut Program) {
        program.number("narrow", self.narrow);
        program.number("outputs", self.outputs);
        program.float("lambda_slope", self.layer.lambda_slope);
        program.float("lambda_intercept", self.layer.lambda_intercept);
        let mut initial = self.layer.initial();
        initial.resize(8, 0.0);
        for (index, initial) in initial.into_iter().enumerate() {
            program.float(&format!("initial{index}"), initial);
        }
        if self.is_spatial() {
            let gamma = self.layer.gamma;
            program.float("gamma", gamma.unwrap_or(self.sizes.places as f64 / 3.0));
            program.float("warmth", 1.0 / self.layer.temperature);
            program.number("place_blocks", self.blocks);
        }
    }

    /// What forward leaves for backward, and of how many elements each is.
    fn saved(&self) -> Vec<(&'static str, u64)> {
        let samples = self.sizes.samples;
        let mut all = vec![
            ("means", samples * self.sizes.channels),
            ("narrowed", samples * self.narrow),
            ("q", samples * self.outputs),
            ("lines", samples * self.outputs),
        ];
        if self.is_spatial() {
            all.push(("powers", samples * self.sizes.places));
            all.push(("shares", samples * self.blocks));
        }
        all
    }

    /// The beginning of a kernel's text: which of the layer's forms this is.
    fn text(&self) -> Text {
        let mut text = Text::default();
        self.set(&mut text);
        text
    }

    fn set(&self, text: &mut Text) {
        text.set("LINES", self.layer.k);
        text.set("SHARED", self.layer.variant == Variant::A);
        text.set("SPATIAL", self.is_spatial());
    }

    /// A file of the layer's, or its sibling for variant C.
    fn file(&self, name: &str) -> String {
        let spatial = if self.is_spatial() { "spatial_" } else { "" };
        format!("layers/dynamic_relu/{spatial}{name}.wgsl")
    }

    /// The small layers.
    fn dense(&self) -> [Dense<'static>; 2] {
        let thin = ("narrow", self.narrow);
        [
            Dense {
                name: "fc1",
                given: "means",
                inputs: ("channels", self.sizes.channels),
                outputs: thin,
            },
            Dense {
                name: "fc2",
                given: "narrowed",
                inputs: thin,
                outputs: ("outputs", self.outputs),
            },
        ]
    }

    /// Multiplications of the small layers.
    fn work(&self) -> u64 {
        self.sizes.samples * self.narrow * (self.sizes.channels + self.outputs)
    }

    fn over<'a>(
        &self,
        label: &'a str,
        images: &'a [(Buffer, bool)],
        add: &'a dyn Fn(&mut Text),
    ) -> Over<'a> {
        Over {
            label,
            images,
            add,
            has_spots: self.is_spatial(),
        }
    }

    fn forward(&self, program: &mut Program) {
        let sizes = self.sizes;
        lengths(program, sizes, 1);
        means(program, sizes);
        if self.is_spatial() {
            self.logits(program);
        }
        self.coefficients(program);
        let add = |text: &mut Text| {
            self.set(text);
            text.file(&self.file("forward"));
        };
        let images = [(Buffer::X, false), (Buffer::Y, true)];
        self.over("values", &images, &add).map(program, sizes);
    }

    /// From the sums of x to the lines and, in variant C, to the blocks' shares.
    fn coefficients(&self, program: &mut Program) {
        let samples = self.sizes.samples;
        let mut text = self.text();
        for file in [
            "layers/pooled/means_step.wgsl",
            "layers/dynamic_relu/relu.wgsl",
            "layers/dynamic_relu/lines_put.wgsl",
            "layers/dynamic_relu/shares_step.wgsl",
        ] {
            text.file(file);
        }
        tanh(&mut text);
        let mut first = Phase::of("means", samples * self.sizes.channels);
        if self.is_spatial() {
            first = first.and("shares", samples);
        }
        let [fc1, fc2] = self.dense();
        let all = [
            first,
            fc1.forward(&mut text, samples),
            fc2.forward(&mut text, samples),
        ];
        phases(program, "coefficients", self.work(), &text, &all);
    }

    /// The dispatch that makes the places' logits.
    fn logits(&self, program: &mut Program) {
        let groups = self.sizes.samples * self.blocks;
        for name in ["part_largest", "part_powers"] {
            program.region(Buffer::Scratch, name, groups);
        }
        let mut text = self.text();
        self.over_places(program, &mut text, &[Buffer::X], "saved");
        text.file("layers/dynamic_relu/logits.wgsl");
        program.dispatch("logits", groups, &text);
    }

    /// Adds what kernels with a lane for each word's places use.
    fn over_places(&self, program: &Program, text: &mut Text, images: &[Buffer], written: &str) {
        let form = &program.form;
        for image in images {
            program.image(text, *image, false);
        }
        order(form, text);
        written_places(form, text, written);
        text.file(if form.is_nchw() {
            "layers/pooled/in_planes.wgsl"
        } else {
            "layers/pooled/in_places.wgsl"
        });
    }

    fn backward(&self, program: &mut Program) {
        let sizes = self.sizes;
        let values = 2 * self.layer.k + u64::from(self.is_spatial());
        lengths(program, sizes, values);
        for (name, count) in [
            ("dq", self.outputs),
            ("dnarrowed", self.narrow),
            ("dmeans", sizes.channels),
        ] {
            program.region(Buffer::Scratch, name, sizes.samples * count);
        }
        if self.is_spatial() {
            self.factors(program);
        }
        let add = |text: &mut Text| {
            self.set(text);
            text.file(&self.file("sums"));
        };
        let images = [(Buffer::X, false), (Buffer::Dy, false)];
        self.over("sums", &images, &add)
            .sums(program, sizes, values);
        self.small_gradients(program);
        let add = |text: &mut Text| {
            self.set(text);
            text.file(&self.file("dx"));
        };
        let images = [(Buffer::X, false), (Buffer::Dy, false), (Buffer::Dx, true)];
        self.over("dx", &images, &add).map(program, sizes);
    }

    /// The dispatches that make the gradients of the places' softmax.
    fn factors(&self, program: &mut Program) {
        let samples = self.sizes.samples;
        let groups = samples * self.blocks;
        program.region(Buffer::Scratch, "dpowers", samples * self.sizes.places);
        program.region(Buffer::Scratch, "part_bends", groups);
        program.region(Buffer::Scratch, "bends", samples);
        let mut text = self.text();
        self.over_places(program, &mut text, &[Buffer::X, Buffer::Dy], "scratch");
        text.set("BEND_SUMS", 1);
        text.set("BEND_BESIDE", 1);
        text.file("layers/dynamic_relu/factors.wgsl");
        program.dispatch("factors", groups, &text);
        let mut text = Text::default();
        text.file("layers/dynamic_relu/bends_step.wgsl");
        phases(program, "bends", 0, &text, &[Phase::of("bends", samples)]);
    }

    /// From the sums to the gradients of parameters and means.
    fn small_gradients(&self, program: &mut Program) {
        let (samples, channels) = (self.sizes.samples, self.sizes.channels);
        let mut text = self.text();
        text.file("layers/dynamic_relu/dq_step.wgsl");
        tanh(&mut text);
        let mut first = Phase::of("dq", samples * self.outputs);
        if self.is_spatial() {
            channel_gradient(&mut text, "d_spatial_weight", 2 * self.layer.k);
            // The logits' gradients of an image add up to zero, whatever they are.
            text.file_as("layers/small/zero.wgsl", &[("it", "d_spatial_bias")]);
            first = first
                .and("d_spatial_weight", channels)
                .and("d_spatial_bias", 1);
        }
        let [fc1, fc2] = self.dense();
        text.file("layers/dynamic_relu/drelu.wgsl");
        text.file("layers/pooled/dmeans.wgsl");
        let all = [
            first,
            fc2.backward(&mut text, samples, "dq", false),
            fc1.backward(&mut text, samples, "dnarrowed", false),
        ];
        phases(program, "small gradients", 2 * self.work(), &text, &all);
    }
}

fn tanh(text: &mut Text) {
    let entry = Activation::Tanh.entry();
    text.known(entry.name, entry.wgsl);
}
