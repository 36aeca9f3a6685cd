//! A layer's pass as a program: its buffers, its numbers and its dispatches.

use super::super::{Images, Order, Parameter};
use crate::pass::Pass;
use crate::tensor::dtype::DTypes;
use crate::wgsl::{self, Access, Kernel, Text, divisor};
use std::ops::Range;

/// Invocations in a workgroup that sums.
pub(super) const LANES: u64 = wgsl::LANES as u64;

/// Channels' words beside each other in a workgroup that sums, where channels lie beside each other.
const BESIDE: u64 = 16;

/// What a program's text depends on beside its layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) images: Images,
    pub(crate) pass: Pass,
    pub(crate) dtypes: DTypes,
    pub(crate) access: Access,
}

impl Form {
    pub(super) fn is_nchw(&self) -> bool {
        self.images.order == Order::Nchw
    }

    /// Elements in what is loaded at once.
    pub(super) fn word(&self) -> u64 {
        match self.access {
            Access::Vec4 => 4,
            Access::Scalar => 1,
        }
    }

    /// Whether four channels beside each other are reached at once.
    pub(super) fn has_channel_words(&self) -> bool {
        self.access == Access::Vec4 && !self.is_nchw()
    }

    /// Channels reached at once.
    pub(super) fn unit(&self) -> u64 {
        if self.has_channel_words() { 4 } else { 1 }
    }

    /// The units of channels in a workgroup that sums, and the lanes that each of them has.
    pub(super) fn beside(&self) -> (u64, u64) {
        let units = if self.is_nchw() { 1 } else { BESIDE };
        (units, LANES / units)
    }
}

/// The buffers of a program, in the order of their bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Buffer {
    X,
    Y,
    Dy,
    Dx,
    Parameters,
    Saved,
    Gradients,
    Scratch,
}

impl Buffer {
    /// All of them, in the order of their bindings.
    const ALL: [Buffer; 8] = [
        Buffer::X,
        Buffer::Y,
        Buffer::Dy,
        Buffer::Dx,
        Buffer::Parameters,
        Buffer::Saved,
        Buffer::Gradients,
        Buffer::Scratch,
    ];

    fn named(name: &str) -> Option<Buffer> {
        Buffer::ALL.into_iter().find(|buffer| buffer.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Buffer::X => "x",
            Buffer::Y => "y",
            Buffer::Dy => "dy",
            Buffer::Dx => "dx",
            Buffer::Parameters => "parameters",
            Buffer::Saved => "saved",
            Buffer::Gradients => "gradients",
            Buffer::Scratch => "scratch",
        }
    }

    /// Whether it has the images' elements; the others are f32, one by one.
    pub(crate) fn has_images(self) -> bool {
        matches!(self, Buffer::X | Buffer::Y | Buffer::Dy | Buffer::Dx)
    }
}

/// A named part of a buffer of f32.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    pub(crate) name: String,
    pub(crate) buffer: Buffer,
    pub(crate) elements: Range<u64>,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) label: String,
    pub(crate) text: String,
    pub(crate) groups: u64,
    /// The buffers that it binds, and whether it writes them.
    pub(crate) buffers: Vec<(Buffer, bool)>,
    /// The fields of its uniform, by name.
    pub(crate) fields: Vec<String>,
}

impl Stage {
    /// The text for operands of which some lie in one buffer: every one is bound read_write.
    pub(crate) fn in_one_buffer(&self) -> String {
        wgsl::all_written(&self.text)
    }
}

/// A layer's pass.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) form: Form,
    pub(crate) regions: Vec<Region>,
    /// Uniform numbers by name; floats as their bits.
    pub(crate) numbers: Vec<(String, u32)>,
    pub(crate) stages: Vec<Stage>,
}

impl Program {
    /// With the learned parameters and their gradients as regions.
    pub(super) fn new(form: &Form, parameters: &[Parameter]) -> Program {
        let mut program = Program {
            form: *form,
            regions: Vec::new(),
            numbers: Vec::new(),
            stages: Vec::new(),
        };
        for parameter in parameters {
            let elements = parameter.elements().unwrap_or(u64::MAX);
            program.region(Buffer::Parameters, &parameter.name, elements);
        }
        if form.pass == Pass::Backward {
            for parameter in parameters {
                let elements = parameter.elements().unwrap_or(u64::MAX);
                program.region(
                    Buffer::Gradients,
                    &format!("d_{}", parameter.name),
                    elements,
                );
            }
        }
        program
    }

    /// Elements that a buffer needs.
    pub(crate) fn elements(&self, buffer: Buffer) -> u64 {
        let regions = self.regions.iter().filter(|region| region.buffer == buffer);
        regions.map(|region| region.elements.end).max().unwrap_or(0)
    }

    /// Makes room for a region behind the others.
    pub(super) fn region(&mut self, buffer: Buffer, name: &str, elements: u64) {
        let start = self.elements(buffer);
        self.regions.push(Region {
            name: name.to_owned(),
            buffer,
            elements: start..start.saturating_add(elements),
        });
    }

    pub(super) fn number(&mut self, name: &str, value: u64) {
        self.numbers.push((name.to_owned(), value as u32));
    }

    pub(super) fn float(&mut self, name: &str, value: f64) {
        let bits = (value as f32).to_bits();
        self.numbers.push((name.to_owned(), bits));
    }

    /// A number that kernels divide by, by `m_divide`.
    pub(super) fn divisor(&mut self, name: &str, value: u64) {
        let [magic, shift] = divisor(value as u32);
        self.number(name, value);
        self.number(&format!("{name}_magic"), u64::from(magic));
        self.number(&format!("{name}_shift"), u64::from(shift));
    }

    /// Adds to a kernel's text how it reads, or writes, one of the images: `NAME_load(i)`, or
    /// `NAME_store(i, v, nan)`, of the i-th word or element.
    pub(super) fn image(&self, text: &mut Text, buffer: Buffer, is_written: bool) {
        let dtype = self.form.dtypes.of(buffer.name());
        let unit = match self.form.access {
            Access::Vec4 => "words",
            Access::Scalar => "elements",
        };
        let bits = 8 * dtype.size();
        let written = if is_written { "_written" } else { "" };
        text.file(&format!("io/{dtype}.wgsl"));
        text.file_as(
            &format!("io/{unit}_{bits}{written}.wgsl"),
            &[("it", buffer.name()), ("dtype", &dtype.to_string())],
        );
    }

    /// Adds a dispatch of a kernel made of files.
    pub(super) fn dispatch(&mut self, label: &str, groups: u64, text: &Text) {
        let Kernel {
            text,
            buffers,
            fields,
        } = text.kernel(&Buffer::ALL.map(Buffer::name));
        let buffers = buffers.iter();
        let buffers = buffers.filter_map(|(name, written)| Some((Buffer::named(name)?, *written)));
        self.stages.push(Stage {
            label: label.to_owned(),
            text,
            groups,
            buffers: buffers.collect(),
            fields,
        });
    }

    /// A number by its name in `struct Args`: where a region or an image begins, given what of a buffer's binding lies
    /// before, or what was set.
    pub(crate) fn value(&self, name: &str, at: impl Fn(Buffer) -> u32) -> Option<u32> {
        if let Some(region) = self.regions.iter().find(|region| region.name == name) {
            return Some(at(region.buffer) + region.elements.start as u32);
        }
        let image = name.strip_suffix("_at").and_then(Buffer::named);
        if let Some(image) = image.filter(|image| image.has_images()) {
            return Some(at(image));
        }
        let number = self.numbers.iter().find(|(known, _)| known == name);
        number.map(|(_, value)| *value)
    }
}
