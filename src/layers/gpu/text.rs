//! The text that all layers' kernels have in common.

use super::super::{Images, Order, Parameter};
use crate::wgsl::{Kernel, Text, divisor, mentions};
use crate::{DTypes, Pass};
use std::fmt::Write;
use std::ops::Range;

/// Invocations in a workgroup that sums.
pub(crate) const LANES: u64 = 64;

/// Invocations in a workgroup that does not.
pub(crate) const WIDE: u64 = 256;

/// Channels' words beside each other in a workgroup that sums, where channels lie beside each other.
const BESIDE: u64 = 16;

/// Bytes of workgroup memory that sums may take; devices have 16 KiB at least.
const SHARED: usize = 12288;

/// The components of four values.
pub(super) const COMPONENTS: [&str; 4] = ["x", "y", "z", "w"];

/// Text for each component, by its index and name.
pub(super) fn each_component(text: impl Fn(usize, &str) -> String) -> String {
    let all = COMPONENTS.into_iter().enumerate();
    all.map(|(index, name)| text(index, name)).collect()
}

/// How x, y and their gradients are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Four elements at a time, all operands at places that are multiples of four elements.
    Vec4,
    /// One by one, at any place.
    Scalar,
}

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
    /// The fields of its uniform, where they are not all of the program's.
    pub(crate) fields: Option<Vec<String>>,
}

impl Stage {
    /// The text for operands of which some lie in one buffer: every one is bound read_write.
    pub(crate) fn in_one_buffer(&self) -> String {
        self.text
            .replace("var<storage, read>", "var<storage, read_write>")
    }
}

/// A layer's pass.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) form: Form,
    pub(crate) regions: Vec<Region>,
    /// Uniform numbers by name; floats as their bits.
    pub(crate) numbers: Vec<(String, u32, &'static str)>,
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
        self.numbers.push((name.to_owned(), value as u32, "u32"));
    }

    pub(super) fn float(&mut self, name: &str, value: f64) {
        let bits = (value as f32).to_bits();
        self.numbers.push((name.to_owned(), bits, "f32"));
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
        let of_name = |name: &str| Buffer::ALL.into_iter().find(|buffer| buffer.name() == name);
        let buffers = buffers.iter();
        let buffers = buffers.filter_map(|(name, written)| Some((of_name(name)?, *written)));
        self.stages.push(Stage {
            label: label.to_owned(),
            text,
            groups,
            buffers: buffers.collect(),
            fields: Some(fields),
        });
    }

    /// Adds a dispatch: what its text uses, its functions with `fn main`, and its buffers. In the text `ROW` stands
    /// for the groups in a row of the grid.
    pub(super) fn stage(
        &mut self,
        label: &str,
        groups: u64,
        uses: &[&str],
        buffers: &[(Buffer, bool)],
        body: &str,
    ) {
        let row = format!("row{}", self.stages.len());
        // How long a row is, the device decides.
        self.number(&row, 0);
        let mut buffers = buffers.to_vec();
        buffers.sort();
        let text = uses.join(" ") + "\u{0}" + &body.replace("ROW", &format!("u.{row}"));
        self.stages.push(Stage {
            label: label.to_owned(),
            text,
            groups,
            buffers,
            fields: None,
        });
    }

    /// Completes the stages' text, once all regions and numbers are known.
    pub(super) fn finish(mut self) -> Program {
        let mut stages = std::mem::take(&mut self.stages);
        for stage in stages.iter_mut().filter(|stage| stage.fields.is_none()) {
            let (uses, body) = stage.text.split_once('\u{0}').unwrap_or_default();
            // A host that takes layouts from the text binds what it mentions, and nothing else.
            stage.buffers.retain(|(buffer, _)| {
                let name = buffer.name();
                let ways = [
                    name.to_owned(),
                    format!("{name}_load"),
                    format!("{name}_store"),
                ];
                ways.iter().any(|way| mentions(body, way))
            });
            stage.text = self.whole(uses, body, &stage.buffers);
        }
        self.stages = stages;
        self
    }

    /// The fields of `struct Sizes`: places of regions, places of images, then the numbers.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let regions = self
            .regions
            .iter()
            .map(|region| (region.name.as_str(), "u32"));
        let images = ["x_at", "y_at", "dy_at", "dx_at"].map(|name| (name, "u32"));
        let numbers = self.numbers.iter();
        regions
            .chain(images)
            .chain(numbers.map(|(name, _, kind)| (name.as_str(), *kind)))
    }

    fn whole(&self, uses: &str, body: &str, buffers: &[(Buffer, bool)]) -> String {
        let mut module = Text::default();
        module.file("io/f32.wgsl");
        module.file("math/divide.wgsl");
        for (buffer, _) in buffers.iter().filter(|(buffer, _)| buffer.has_images()) {
            let dtype = self.form.dtypes.of(buffer.name());
            module.file(&format!("io/{dtype}.wgsl"));
        }
        for name in uses.split_whitespace() {
            match name {
                "act/tanh.wgsl" => {
                    let entry = crate::Activation::Tanh.entry();
                    module.known(entry.name, entry.wgsl);
                }
                file => module.file(file),
            }
        }
        let mut out = String::new();
        out.push_str("struct Sizes {\n");
        for (name, kind) in self.fields() {
            _ = writeln!(out, "    {name}: {kind},");
        }
        out.push_str("}\n\n");
        for (binding, (buffer, written)) in buffers.iter().enumerate() {
            let access = if *written { "read_write" } else { "read" };
            let element = self.stored(*buffer, *written);
            _ = writeln!(
                out,
                "@group(0) @binding({binding}) var<storage, {access}> {}: array<{element}>;",
                buffer.name()
            );
        }
        _ = writeln!(
            out,
            "@group(0) @binding({}) var<uniform> u: Sizes;",
            buffers.len()
        );
        let wide = if self.form.has_channel_words() {
            "vec4<f32>"
        } else {
            "f32"
        };
        _ = writeln!(
            out,
            "\n// The values of the channels reached at once.\nalias T = {wide};\n"
        );
        for (buffer, written) in buffers.iter().filter(|(buffer, _)| buffer.has_images()) {
            if *written {
                self.store(&mut out, *buffer);
            } else {
                self.load(&mut out, *buffer);
            }
        }
        out.push_str("fn is_nan(v: f32) -> bool {\n    return f32_is_nan(bitcast<u32>(v));\n}\n\n");
        out += body;
        module.push(&out);
        module.finish(&[])
    }

    /// The type of a buffer's elements.
    fn stored(&self, buffer: Buffer, written: bool) -> &'static str {
        if !buffer.has_images() {
            return "f32";
        }
        let small = self.form.dtypes.of(buffer.name()).size() < 4;
        match (self.form.access, small) {
            (Access::Vec4, false) => "vec4<u32>",
            (Access::Vec4, true) => "vec2<u32>",
            // Two elements that share a word may belong to two invocations.
            (Access::Scalar, true) if written => "atomic<u32>",
            (Access::Scalar, _) => "u32",
        }
    }

    /// `NAME_load(i)`: the i-th word, or element.
    fn load(&self, out: &mut String, buffer: Buffer) {
        let name = buffer.name();
        let dtype = self.form.dtypes.of(name);
        let value = |bits: &str| format!("{dtype}_value({bits})");
        _ = match (self.form.access, dtype.size() < 4) {
            (Access::Vec4, false) => {
                let values = COMPONENTS.map(|c| value(&format!("w.{c}")));
                writeln!(
                    out,
                    "fn {name}_load(i: u32) -> vec4<f32> {{\n    let w = {name}[u.{name}_at + \
                     i];\n    return vec4<f32>({});\n}}\n",
                    values.join(", ")
                )
            }
            (Access::Vec4, true) => {
                let halves = ["x & 0xffffu", "x >> 16u", "y & 0xffffu", "y >> 16u"];
                let values = halves.map(|half| value(&format!("w.{half}")));
                writeln!(
                    out,
                    "fn {name}_load(i: u32) -> vec4<f32> {{\n    let w = {name}[u.{name}_at + \
                     i];\n    return vec4<f32>({});\n}}\n",
                    values.join(", ")
                )
            }
            (Access::Scalar, false) => writeln!(
                out,
                "fn {name}_load(i: u32) -> f32 {{\n    return {};\n}}\n",
                value(&format!("{name}[u.{name}_at + i]"))
            ),
            (Access::Scalar, true) => writeln!(
                out,
                "fn {name}_load(i: u32) -> f32 {{\n    let e = u.{name}_at + i;\n    return {};\n}}\n",
                value(&format!("({name}[e >> 1u] >> ((e & 1u) * 16u)) & 0xffffu"))
            ),
        };
    }

    /// `NAME_store(i, v, nan)`: the i-th word, or element.
    fn store(&self, out: &mut String, buffer: Buffer) {
        let name = buffer.name();
        let dtype = self.form.dtypes.of(name);
        let bits = |c: &str| format!("{dtype}_bits(v{c}, nan{c})");
        let head = match self.form.access {
            Access::Vec4 => {
                format!("fn {name}_store(i: u32, v: vec4<f32>, nan: vec4<bool>) {{")
            }
            Access::Scalar => format!("fn {name}_store(i: u32, v: f32, nan: bool) {{"),
        };
        _ = match (self.form.access, dtype.size() < 4) {
            (Access::Vec4, false) => {
                let words = [".x", ".y", ".z", ".w"].map(bits);
                writeln!(
                    out,
                    "{head}\n    {name}[u.{name}_at + i] = vec4<u32>({});\n}}\n",
                    words.join(", ")
                )
            }
            (Access::Vec4, true) => {
                let pair = |low, high| format!("{} | ({} << 16u)", bits(low), bits(high));
                writeln!(
                    out,
                    "{head}\n    {name}[u.{name}_at + i] = vec2<u32>({}, {});\n}}\n",
                    pair(".x", ".y"),
                    pair(".z", ".w")
                )
            }
            (Access::Scalar, false) => {
                writeln!(
                    out,
                    "{head}\n    {name}[u.{name}_at + i] = {};\n}}\n",
                    bits("")
                )
            }
            (Access::Scalar, true) => writeln!(
                out,
                "{head}\n    let e = u.{name}_at + i;\n    let shift = (e & 1u) * 16u;\n    \
                 atomicAnd(&{name}[e >> 1u], 0xffff0000u >> shift);\n    atomicOr(&{name}[e >> \
                 1u], {} << shift);\n}}\n",
                bits("")
            ),
        };
    }
}

/// `let group`: which workgroup of the stage this is.
pub(super) fn main(workgroup: u64) -> String {
    format!(
        "@compute @workgroup_size({workgroup})
fn main(
    @builtin(workgroup_id) at: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {{
    let group = at.y * ROW + at.x;
"
    )
}

/// Adds up what the lanes of a workgroup hold in `total_0` to `total_N`, of the type `T`, in a fixed order, and
/// hands each sum to the function `put(value, part, sum)`. `parts` sums lie beside each other.
pub(super) fn reduce(form: &Form, values: u64, shared: &mut String) -> String {
    let (parts, lanes) = form.beside();
    let size = if form.has_channel_words() { 16 } else { 4 };
    let at_once = (SHARED / (LANES as usize * size)) as u64;
    _ = writeln!(
        shared,
        "var<workgroup> lanes: array<T, {}>;\n",
        LANES * at_once.min(values)
    );
    let mut out = String::new();
    for first in (0..values).step_by(at_once as usize) {
        let here = at_once.min(values - first);
        if first > 0 {
            out.push_str("    workgroupBarrier();\n");
        }
        for value in 0..here {
            _ = writeln!(
                out,
                "    lanes[{}u + lane] = total_{};",
                value * LANES,
                first + value
            );
        }
        _ = writeln!(
            out,
            "    workgroupBarrier();
    for (var value = lane / {parts}u; value < {here}u; value += {lanes}u) {{
        var sum = T(0.0);
        for (var some = 0u; some < {lanes}u; some += 8u) {{
            var part_of_it = T(0.0);
            for (var l = some; l < min(some + 8u, {lanes}u); l += 1u) {{
                part_of_it += lanes[value * {LANES}u + l * {parts}u + lane % {parts}u];
            }}
            sum += part_of_it;
        }}
        put({first}u + value, sum, group, lane % {parts}u);
    }}"
        );
    }
    out
}

/// A sum of `count` terms in parts of 32, so that no running sum is long. `term` is of `k`; the value is
/// in `into`.
pub(super) fn sum(into: &str, count: &str, term: &str) -> String {
    format!(
        "    var {into} = 0.0;
    for (var {into}_from = 0u; {into}_from < {count}; {into}_from += 32u) {{
        let {into}_end = min({into}_from + 32u, {count});
        var {into}_part = 0.0;
        for (var k = {into}_from; k < {into}_end; k += 1u) {{
            {into}_part += {term};
        }}
        {into} += {into}_part;
    }}
"
    )
}
