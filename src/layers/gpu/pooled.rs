//! Kernels over images of layers whose coefficients two small layers make from an image's means.

use super::Sizes;
use super::program::{Buffer, Form, LANES, Program};
use crate::wgsl::{Access, Text, WORKGROUP};

/// Words of a channel that one lane sums.
const SPAN: u64 = 256;

/// Elements of a channel that a workgroup sums where they lie beside each other.
const TILE: u64 = 4096;

/// Channels that a workgroup takes together where it needs what belongs to a place, which is costlier to get than x.
const TOGETHER: u64 = 4;

/// Channels' words beside each other in a workgroup that sums, where channels lie beside each other.
const BESIDE: u64 = 16;

/// The numbers that all kernels over images use; `values` is how many sums over places there are of a channel.
pub(super) fn lengths(program: &mut Program, sizes: Sizes, values: u64) {
    let form = program.form;
    let Sizes {
        samples,
        channels,
        places,
        ..
    } = sizes;
    let planes = samples * channels;
    let units = channels / form.unit();
    let tiles = tiles(&form, sizes);
    for (name, value) in [
        ("samples", samples),
        ("channels", channels),
        ("planes", planes),
        ("words", planes * places / form.word()),
        ("steps", steps(&form, sizes)),
        ("span", span(&form)),
        ("tiles", tiles),
        ("blocks", units.div_ceil(BESIDE)),
        ("fours", channels.div_ceil(TOGETHER)),
    ] {
        program.number(name, value);
    }
    program.divisor("places", places);
    program.divisor("units", units);
    program.region(Buffer::Scratch, "partials", values * planes * tiles);
}

/// Words of a plane, or places where channels lie beside each other.
fn steps(form: &Form, sizes: Sizes) -> u64 {
    if form.is_nchw() {
        sizes.places / form.word()
    } else {
        sizes.places
    }
}

/// How many of them a workgroup takes.
fn span(form: &Form) -> u64 {
    if form.is_nchw() {
        TILE / form.word()
    } else {
        LANES / BESIDE * SPAN
    }
}

fn tiles(form: &Form, sizes: Sizes) -> u64 {
    steps(form, sizes).div_ceil(span(form))
}

/// Workgroups that stay in a tile: of a plane, of some planes beside each other, or of some words of channels.
fn groups_of_tiles(form: &Form, sizes: Sizes, has_spots: bool) -> u64 {
    let blocks = match (form.is_nchw(), has_spots) {
        (true, false) => sizes.channels,
        (true, true) => sizes.channels.div_ceil(TOGETHER),
        (false, _) => (sizes.channels / form.unit()).div_ceil(BESIDE),
    };
    sizes.samples * blocks * tiles(form, sizes)
}

/// Places in a block of `softmax.wgsl`'s, which is a workgroup's.
pub(super) fn places_of_block(form: &Form) -> u64 {
    match (form.access, form.is_nchw()) {
        (Access::Vec4, true) => 4 * LANES,
        _ => LANES,
    }
}

/// How words lie, and what belongs to their channels and places.
pub(super) fn order(form: &Form, text: &mut Text) {
    text.file(match (form.access, form.is_nchw()) {
        (Access::Vec4, true) => "layers/pooled/words_of_places.wgsl",
        (Access::Vec4, false) => "layers/pooled/words_of_channels.wgsl",
        (Access::Scalar, _) => "layers/pooled/elements.wgsl",
    });
}

/// How what belongs to a word's places is written to a buffer.
pub(super) fn written_places(form: &Form, text: &mut Text, buffer: &str) {
    let file = match (form.access, form.is_nchw()) {
        (Access::Vec4, true) => "layers/pooled/four_written.wgsl",
        _ => "layers/pooled/one_written.wgsl",
    };
    text.file_as(file, &[("it", "places"), ("buffer", buffer)]);
}

/// A kernel over images, beside the sweep itself.
pub(super) struct Over<'a> {
    pub(super) label: &'a str,
    /// The images, and whether it writes them.
    pub(super) images: &'a [(Buffer, bool)],
    /// The layer's overrides and files.
    pub(super) add: &'a dyn Fn(&mut Text),
    /// Whether it needs `spot`, what belongs to a place.
    pub(super) has_spots: bool,
}

impl Over<'_> {
    fn add(&self, program: &Program, text: &mut Text) {
        for (image, is_written) in self.images {
            program.image(text, *image, *is_written);
        }
        order(&program.form, text);
        (self.add)(text);
        if self.has_spots && !program.form.is_nchw() {
            text.file("layers/dynamic_relu/at_place.wgsl");
        }
    }

    /// Adds a dispatch that leaves in `partials` the sums, over an image's places, of what `terms` gives: so many
    /// values of a channel.
    pub(super) fn sums(&self, program: &mut Program, sizes: Sizes, values: u64) {
        let form = program.form;
        let mut text = Text::default();
        let (sweep, together, beside) = match (form.is_nchw(), self.has_spots) {
            (true, false) => ("plane_sums", 1, 1),
            (true, true) => ("four_planes_sums", TOGETHER, 1),
            (false, _) => ("place_sums", 1, BESIDE),
        };
        text.set("VALUES", values);
        text.set("CHANNELS_SUMS", values * together);
        text.set("CHANNELS_BESIDE", beside);
        self.add(program, &mut text);
        if !form.is_nchw() {
            let file = match form.access {
                Access::Vec4 => "layers/pooled/four_written.wgsl",
                Access::Scalar => "layers/pooled/one_written.wgsl",
            };
            text.file_as(file, &[("it", "channels"), ("buffer", "scratch")]);
        }
        text.file(&format!("layers/pooled/{sweep}.wgsl"));
        let groups = groups_of_tiles(&form, sizes, self.has_spots);
        program.dispatch(self.label, groups, &text);
    }

    /// Adds a dispatch that writes each word.
    pub(super) fn map(&self, program: &mut Program, sizes: Sizes) {
        let form = program.form;
        let mut text = Text::default();
        self.add(program, &mut text);
        let words = sizes.samples * sizes.channels * sizes.places / form.word();
        let (sweep, groups) = match (form.is_nchw(), self.has_spots) {
            (true, false) => ("plane_map", groups_of_tiles(&form, sizes, false)),
            (true, true) => ("four_planes_map", groups_of_tiles(&form, sizes, true)),
            (false, _) => ("place_map", words.div_ceil(WORKGROUP)),
        };
        text.file(&format!("layers/pooled/{sweep}.wgsl"));
        program.dispatch(self.label, groups, &text);
    }
}

/// Adds the dispatch that sums x over an image's places.
pub(super) fn means(program: &mut Program, sizes: Sizes) {
    let over = Over {
        label: "means",
        images: &[(Buffer::X, false)],
        add: &|text| text.file("layers/pooled/means.wgsl"),
        has_spots: false,
    };
    over.sums(program, sizes, 1);
}

/// Adds the step for a parameter of channels whose gradient is the `value`-th of the sums.
pub(super) fn channel_gradient(text: &mut Text, name: &str, value: u64) {
    text.set(&format!("{}_VALUE", name.to_uppercase()), value);
    text.file_as("layers/pooled/channel_gradient.wgsl", &[("it", name)]);
}
