//! Layers whose coefficients two small layers make from an image's means: Meta-ACON and dynamic ReLU.

use super::super::parts::too_few;
use super::super::{DynamicRelu, Images, Layer, MetaAcon, Variant};
use super::small::{Phase, norm_backward, norm_forward, phases};
use super::text::{Buffer, Form, LANES, Program, WIDE, each_component, main, reduce, sum};
use super::{Access, Sizes};
use crate::{Error, Pass};
use std::fmt::Write;

/// Channels that a workgroup takes together where it needs what belongs to a place, which is costlier to get than x.
const TOGETHER: u64 = 4;

/// Words of a channel that one lane sums; every so many it begins a new running sum.
const SPAN: u64 = 256;
const RUN: u64 = 16;

/// Elements of a channel that a workgroup sums where they lie beside each other.
const TILE: u64 = 4096;

/// What the kernels that go over images call.
struct Over<'a> {
    uses: &'a [&'a str],
    /// `struct Held`, `fn hold(n, c) -> Held` and, where `spots` is set, `fn block(i) -> Block` and
    /// `fn spot(i, block) -> Spot`; then `fn value` or `fn terms`, of x, dy where `dy` is set, what is held, and the
    /// spot.
    functions: &'a str,
    dy: bool,
    spots: bool,
    buffers: &'a [(Buffer, bool)],
}

impl Over<'_> {
    fn is_held(&self) -> bool {
        self.functions.contains("fn hold(")
    }

    /// What a function is called with for component `j`, `""` of the only one.
    fn arguments(&self, form: &Form, j: &str) -> String {
        let mut all = vec![format!("x{j}")];
        if self.dy {
            all.push(format!("dy{j}"));
        }
        let of = |name: &str, apart: bool| {
            let index = j.trim_start_matches('.');
            if apart {
                format!("{name}{index}")
            } else {
                name.to_owned()
            }
        };
        if self.is_held() {
            all.push(of("h", form.has_channel_words()));
        }
        if self.spots {
            all.push(of("s", form.access == Access::Vec4 && form.is_nchw()));
        }
        all.join(", ")
    }

    /// Channels that a workgroup takes together, of NCHW.
    fn together(&self, form: &Form) -> u64 {
        if self.spots && form.is_nchw() {
            TOGETHER
        } else {
            1
        }
    }

    /// The statements that get the spots of component 0, `at`, and those behind it.
    fn get_spots(&self, form: &Form, at: &str) -> String {
        if !self.spots {
            return String::new();
        }
        if form.access == Access::Vec4 && form.is_nchw() {
            let block = format!("let b = block({at});\n");
            block + &each_component(|j, name| format!("let s{name} = spot({at} + {j}u, b);\n"))
        } else {
            format!("let s = spot({at}, block({at}));\n")
        }
    }

    /// The statements that hold what belongs to channel `c` of sample `n`, and those beside it.
    fn hold(&self, form: &Form) -> String {
        if !self.is_held() {
            return String::new();
        }
        if form.has_channel_words() {
            each_component(|j, name| format!("let h{name} = hold(n, c + {j}u);\n"))
        } else {
            "let h = hold(n, c);\n".into()
        }
    }

    /// In NCHW, the statements that find sample `n` and channel `c`, the first of those that a workgroup takes
    /// together, from `rest`, and hold what belongs to each.
    fn plane(&self, form: &Form) -> String {
        let together = self.together(form);
        let mut text = format!(
            "let blocks = (u.channels + {together}u - 1u) / {together}u;
    let n = rest / blocks;
    let c = (rest - n * blocks) * {together}u;
"
        );
        for g in (0..together).filter(|_| self.is_held()) {
            _ = writeln!(
                text,
                "    let h_{g} = hold(n, min(c + {g}u, u.channels - 1u));"
            );
        }
        text
    }

    /// Statements for word `i` of each of those channels.
    fn each_plane(&self, form: &Form, statements: impl Fn(u64) -> String) -> String {
        let mut text = String::new();
        for g in 0..self.together(form) {
            _ = writeln!(text, "if c + {g}u < u.channels {{");
            if self.is_held() {
                _ = writeln!(text, "let h = h_{g};");
            }
            _ = writeln!(
                text,
                "let i = (n * u.channels + c + {g}u) * u.steps + q;\n{}}}",
                statements(g)
            );
        }
        text
    }

    fn loads(&self, index: &str) -> String {
        let mut loads = format!("let x = x_load({index});\n");
        if self.dy {
            loads += &format!("let dy = dy_load({index});\n");
        }
        loads
    }
}

/// The components of what is loaded at once, as they are written behind a value.
fn components(form: &Form) -> &'static [&'static str] {
    match form.access {
        Access::Vec4 => &[".x", ".y", ".z", ".w"],
        Access::Scalar => &[""],
    }
}

/// The numbers that all kernels over images use.
fn lengths(program: &mut Program, sizes: Sizes, values: u64) {
    let form = program.form;
    let unit = form.unit();
    program.number("samples", sizes.samples);
    program.number("channels", sizes.channels);
    program.number("places", sizes.places);
    program.number(
        "words",
        sizes.samples * sizes.channels * sizes.places / form.word(),
    );
    // Words of a plane, or of a place.
    let along = if form.is_nchw() {
        sizes.places / form.word()
    } else {
        sizes.channels / unit
    };
    program.divisor("along", along);
    program.divisor(
        "over",
        if form.is_nchw() {
            sizes.channels
        } else {
            sizes.places
        },
    );

    let units = sizes.channels / unit;
    let steps = if form.is_nchw() { along } else { sizes.places };
    let (parts, lanes) = form.beside();
    let span = if form.is_nchw() {
        TILE / form.word()
    } else {
        lanes * SPAN
    };
    let tiles = steps.div_ceil(span);
    program.number("units", units);
    program.number("steps", steps);
    program.number("span", span);
    program.number("tiles", tiles);
    program.number("blocks", units.div_ceil(parts));
    let count = values * sizes.samples * sizes.channels * tiles;
    program.region(Buffer::Scratch, "partials", count);
}

/// Workgroups of a kernel that stays in a tile of a plane, or of some planes beside each other.
fn groups_of_tiles(program: &Program, sizes: Sizes, together: u64) -> u64 {
    let number = |wanted: &str| {
        let found = program.numbers.iter().find(|(name, ..)| name == wanted);
        found.map_or(0, |(_, value, _)| u64::from(*value))
    };
    sizes.samples * number("blocks").div_ceil(together) * number("tiles")
}

/// A dispatch that leaves in `partials` the sums, over an image's places, of what `terms` gives.
fn sums(program: &mut Program, sizes: Sizes, label: &str, values: u64, over: &Over<'_>) {
    let form = program.form;
    let (parts, lanes) = form.beside();
    let together = over.together(&form);
    let kind = match form.access {
        Access::Vec4 => "vec4<f32>",
        Access::Scalar => "f32",
    };
    let mut text = over.functions.to_owned();
    let all = values * together;
    let each = |f: &dyn Fn(u64) -> String| (0..all).map(f).collect::<String>();
    _ = writeln!(
        text,
        "fn put(value: u32, sum: T, group: u32, part: u32) {{
    let rest = group / u.tiles;
    let blocks = (u.blocks + {together}u - 1u) / {together}u;
    let unit = ((rest % blocks) * {parts}u + part) * {together}u + value / {values}u;
    if unit < u.units {{
        let c = unit * {unit}u;
        let first = ((value % {values}u) * u.samples + rest / blocks) * u.channels + c;
        let at = u.partials + first * u.tiles + group % u.tiles;",
        unit = form.unit()
    );
    if form.has_channel_words() {
        text += &each_component(|j, name| {
            format!("        scratch[at + {j}u * u.tiles] = sum.{name};\n")
        });
    } else {
        text.push_str("        scratch[at] = sum;\n");
    }
    text.push_str("    }\n}\n\n");
    let reduced = reduce(&form, all, &mut text);
    text += &main(LANES);
    let calls: String = components(&form)
        .iter()
        .map(|j| {
            let name = j.trim_start_matches('.');
            format!("let t{name} = terms({});\n", over.arguments(&form, j))
        })
        .collect();
    let gather = |g: u64| {
        let terms = |v: u64| {
            let terms = components(&form).iter();
            let terms = terms.map(|j| format!("t{}.t{v}", j.trim_start_matches('.')));
            terms.collect::<Vec<_>>().join(", ")
        };
        let gathers: String = (0..values)
            .map(|v| format!("acc_{} += {kind}({});\n", g * values + v, terms(v)))
            .collect();
        over.loads("i") + &calls + &gathers
    };
    let (place, spot, gathers) = if form.is_nchw() {
        (
            over.plane(&form),
            format!("n * u.places + q * {}u", form.word()),
            over.each_plane(&form, gather),
        )
    } else {
        (
            format!(
                "    let n = rest / u.blocks;
    let unit = (rest % u.blocks) * {parts}u + lane % {parts}u;
    let c = min(unit, u.units - 1u) * {word}u;
    {hold}",
                word = form.unit(),
                hold = over.hold(&form),
            ),
            "n * u.places + q".into(),
            "let i = (n * u.places + q) * u.units + c / UNIT;\n"
                .replace("UNIT", &format!("{}u", form.unit()))
                + &gather(0),
        )
    };
    _ = writeln!(
        text,
        "    let tile = group % u.tiles;
    let rest = group / u.tiles;
    {place}
    {totals}
    let first = tile * u.span + lane / {parts}u;
    let end = min((tile + 1u) * u.span, u.steps);
    for (var begin = first; begin < end; begin += {stride}u) {{
        {starts}
        for (var q = begin; q < min(begin + {stride}u, end); q += {lanes}u) {{
            {spots}{gathers}
        }}
        {adds}
    }}",
        totals = each(&|v| format!("var sum_{v} = {kind}(0.0);\n")),
        stride = lanes * RUN,
        starts = each(&|v| format!("var acc_{v} = {kind}(0.0);\n")),
        spots = over.get_spots(&form, &spot),
        adds = each(&|v| format!("sum_{v} += acc_{v};\n")),
    );
    let total = |v: u64| {
        if form.access == Access::Vec4 && form.is_nchw() {
            format!("    let total_{v} = (sum_{v}.x + sum_{v}.y) + (sum_{v}.z + sum_{v}.w);\n")
        } else {
            format!("    let total_{v} = sum_{v};\n")
        }
    };
    text += &each(&total);
    text += &reduced;
    text.push_str("}\n");
    let groups = groups_of_tiles(program, sizes, together);
    program.stage(label, groups, over.uses, over.buffers, &text);
}

/// A dispatch that writes `value` for each element.
fn map(program: &mut Program, sizes: Sizes, label: &str, to: Buffer, over: &Over<'_>) {
    let form = program.form;
    let name = to.name();
    let values: Vec<_> = components(&form)
        .iter()
        .map(|j| format!("value({})", over.arguments(&form, j)))
        .collect();
    let nans: Vec<_> = components(&form)
        .iter()
        .map(|j| {
            let dy = if over.dy {
                format!(" | is_nan(dy{j})")
            } else {
                String::new()
            };
            format!("is_nan(x{j}){dy}")
        })
        .collect();
    let (kind, flags) = match form.access {
        Access::Vec4 => ("vec4<f32>", "vec4<bool>"),
        Access::Scalar => ("", ""),
    };
    let store = over.loads("i")
        + &format!(
            "{name}_store(i, {kind}({}), {flags}({}));\n",
            values.join(", "),
            nans.join(", ")
        );
    let (workgroup, groups, body) = if form.is_nchw() {
        // A workgroup stays in a plane, or a few, so that what it holds is loaded once.
        let body = format!(
            "    let tile = group % u.tiles;
    let rest = group / u.tiles;
    {}
    let end = min((tile + 1u) * u.span, u.steps);
    for (var q = tile * u.span + lane; q < end; q += {LANES}u) {{
        {}{}
    }}
",
            over.plane(&form),
            over.get_spots(&form, &format!("n * u.places + q * {}u", form.word())),
            over.each_plane(&form, |_| store.clone())
        );
        let groups = groups_of_tiles(program, sizes, over.together(&form));
        (LANES, groups, body)
    } else {
        let body = format!(
            "    let i = group * {WIDE}u + lane;
    if i >= u.words {{
        return;
    }}
    let outer = m_divide(i, u.along_magic, u.along_shift);
    let n = m_divide(outer, u.over_magic, u.over_shift);
    let c = (i - outer * u.along) * {}u;
    {}{}
    {store}
",
            form.unit(),
            over.hold(&form),
            over.get_spots(&form, "outer"),
        );
        let words = sizes.samples * sizes.channels * sizes.places / form.word();
        (WIDE, words.div_ceil(WIDE), body)
    };
    let text = over.functions.to_owned() + &main(workgroup) + &body + "}\n";
    program.stage(label, groups, over.uses, over.buffers, &text);
}

/// The dispatch that sums x over an image's places.
fn means(program: &mut Program, sizes: Sizes) {
    let over = Over {
        uses: &[],
        functions: "struct Terms {\n    t0: f32,\n}\n\nfn terms(x: f32) -> Terms {\n    return Terms(x);\n}\n\n",
        dy: false,
        spots: false,
        buffers: &[(Buffer::X, false), (Buffer::Scratch, true)],
    };
    sums(program, sizes, "means", 1, &over);
}

/// The sum of a value's partial sums for channel `i` of all samples' channels.
fn partial(into: &str, value: &str, i: &str) -> String {
    let from = format!("{into}_first");
    let term = format!("scratch[{from} + k]");
    format!(
        "    let {from} = u.partials + ({value} * u.samples * u.channels + {i}) * u.tiles;\n{}",
        sum(into, "u.tiles", &term)
    )
}

/// fc1's values in `to`, from the means: `wrap` is what becomes of each.
fn dense(to: &str, fc: &str, from: &str, inputs: &str, outputs: &str, wrap: &str) -> String {
    let term = format!(
        "parameters[u.{fc}_weight + o * {inputs} + k] * saved[u.{from} + n * {inputs} + k]"
    );
    format!(
        "    let n = i / {outputs};
    let o = i - n * {outputs};
{}    let v = sum + parameters[u.{fc}_bias + o];
    saved[u.{to} + i] = {wrap};
",
        sum("sum", inputs, &term)
    )
}

/// A dense layer's backward pass.
struct DenseBackward<'a> {
    fc: &'a str,
    /// The scratch region of its values' gradient.
    from: &'a str,
    /// The saved region of its inputs.
    kept: &'a str,
    inputs: (&'a str, u64),
    outputs: (&'a str, u64),
    /// The scratch region of its inputs' gradient, and what becomes of each `sum` there.
    to: &'a str,
    wrap: &'a str,
    /// Whether a norm that trains stands behind it, which no bias moves.
    is_normed: bool,
}

impl DenseBackward<'_> {
    fn phase(&self, samples: u64) -> Phase {
        let DenseBackward {
            fc,
            from,
            kept,
            to,
            wrap,
            ..
        } = self;
        let ((inputs, width), (outputs, height)) = (self.inputs, self.outputs);
        let mut phase = Phase::default();
        let term =
            format!("scratch[u.{from} + k * {outputs} + o] * saved[u.{kept} + k * {inputs} + c]");
        phase.each(
            width * height,
            format!(
                "    let o = i / {inputs};
    let c = i - o * {inputs};
{}    gradients[u.d_{fc}_weight + i] = sum;
",
                sum("sum", "u.samples", &term)
            ),
        );
        let term = format!("scratch[u.{from} + k * {outputs} + i]");
        let (bias, value) = if self.is_normed {
            (String::new(), "0.0")
        } else {
            (sum("sum", "u.samples", &term), "sum")
        };
        phase.each(
            height,
            format!("{bias}    gradients[u.d_{fc}_bias + i] = {value};\n"),
        );
        let term = format!(
            "scratch[u.{from} + n * {outputs} + k] * parameters[u.{fc}_weight + k * {inputs} + c]"
        );
        phase.each(
            samples * width,
            format!(
                "    let n = i / {inputs};
    let c = i - n * {inputs};
{}    scratch[u.{to} + i] = {wrap};
",
                sum("sum", outputs, &term)
            ),
        );
        phase
    }
}

/// The phase that turns sums of x into means.
fn means_phase(sizes: Sizes) -> Phase {
    let mut phase = Phase::default();
    phase.each(
        sizes.samples * sizes.channels,
        partial("sum", "0u", "i") + "    saved[u.means + i] = sum / f32(u.places);\n",
    );
    phase
}

/// The buffers of what the small layers do, forward and backward.
const SMALL: &[(Buffer, bool)] = &[
    (Buffer::Parameters, false),
    (Buffer::Saved, true),
    (Buffer::Scratch, true),
];

const SMALL_BACKWARD: &[(Buffer, bool)] = &[
    (Buffer::Parameters, false),
    (Buffer::Saved, false),
    (Buffer::Gradients, true),
    (Buffer::Scratch, true),
];

/// Those of the map that writes dx.
const DX: &[(Buffer, bool)] = &[
    (Buffer::X, false),
    (Buffer::Dy, false),
    (Buffer::Dx, true),
    (Buffer::Parameters, false),
    (Buffer::Saved, false),
    (Buffer::Scratch, false),
];

const ACON_HELD: &str = "\
struct Held {
    p1: f32,
    p2: f32,
    beta: f32,
    dmean: f32,
}

fn hold(n: u32, c: u32) -> Held {
    let beta = saved[u.beta + n * u.channels + c];
    return Held(parameters[u.p1 + c], parameters[u.p2 + c], beta, DMEAN);
}

";

impl MetaAcon {
    pub(in super::super) fn on_gpu(&self, form: &Form) -> Result<Program, Error> {
        let images: &Images = &form.images;
        let sizes = Sizes::new(images)?;
        let Sizes {
            samples, channels, ..
        } = sizes;
        let mut program = Program::new(form, &self.parameters(images)?);
        let narrow = self.minimum.max(channels / self.reduction);
        let training = self.norm.as_ref().is_some_and(|norm| norm.training);
        if training && samples == 1 {
            return Err(too_few(images));
        }
        program.number("narrow", narrow);
        if let Some(norm) = &self.norm {
            program.float("eps", norm.eps);
            program.float("momentum", norm.momentum);
        }
        for (name, count) in [
            ("means", channels),
            ("narrowed", narrow),
            ("q", channels),
            ("beta", channels),
        ] {
            program.region(Buffer::Saved, name, samples * count);
        }
        if self.norm.is_some() {
            for (mark, count) in [("1", narrow), ("2", channels)] {
                program.region(Buffer::Saved, &format!("plain{mark}"), samples * count);
                program.region(Buffer::Saved, &format!("mean{mark}"), count);
                program.region(Buffer::Saved, &format!("inverse{mark}"), count);
            }
        }
        let work = samples * narrow * channels * 2;
        let uses = ["math/sigmoid.wgsl", "math/acon.wgsl"];
        let beta = "saved[u.beta + i] = 1.0 / (1.0 + m_exp_value(m_exp(-min(abs(v), SIGMOID_END), 0.0)));\n    if v < 0.0 {\n        saved[u.beta + i] = m_times_sigmoid(1.0, v);\n    }\n";
        match form.pass {
            Pass::Forward => {
                lengths(&mut program, sizes, 1);
                means(&mut program, sizes);
                let mut all = vec![means_phase(sizes)];
                let fc1 = |to| dense(to, "fc1", "means", "u.channels", "u.narrow", "v");
                let fc2 = |to| dense(to, "fc2", "narrowed", "u.narrow", "u.channels", "v");
                let mut buffers = SMALL.to_vec();
                if let Some(norm) = &self.norm {
                    buffers[0].1 = norm.training;
                    all.push(Phase::of(samples * narrow, fc1("plain1")));
                    all.extend(norm_forward(
                        norm,
                        "1",
                        "u.narrow",
                        narrow,
                        samples,
                        "saved[u.narrowed + i] = v;\n",
                    ));
                    all.push(Phase::of(samples * channels, fc2("plain2")));
                    let last = format!("saved[u.q + i] = v;\n    {beta}");
                    all.extend(norm_forward(
                        norm,
                        "2",
                        "u.channels",
                        channels,
                        samples,
                        &last,
                    ));
                } else {
                    all.push(Phase::of(samples * narrow, fc1("narrowed")));
                    all.push(Phase::of(samples * channels, fc2("q") + "    " + beta));
                }
                phases(&mut program, "coefficients", work, &uses, &buffers, &all);
                let functions = ACON_HELD.replace("DMEAN", "0.0")
                    + "fn value(x: f32, h: Held) -> f32 {\n    return m_acon(x, h.p1, h.p2, h.beta);\n}\n\n";
                let over = Over {
                    uses: &["math/acon.wgsl"],
                    functions: &functions,
                    dy: false,
                    spots: false,
                    buffers: &[
                        (Buffer::X, false),
                        (Buffer::Y, true),
                        (Buffer::Parameters, false),
                        (Buffer::Saved, false),
                    ],
                };
                map(&mut program, sizes, "values", Buffer::Y, &over);
            }
            _ => {
                lengths(&mut program, sizes, 3);
                for (name, count) in [
                    ("dq", channels),
                    ("dnarrowed", narrow),
                    ("dmeans", channels),
                ] {
                    program.region(Buffer::Scratch, name, samples * count);
                }
                if self.norm.is_some() {
                    program.region(Buffer::Scratch, "dplain1", samples * narrow);
                    program.region(Buffer::Scratch, "dplain2", samples * channels);
                }
                let functions = ACON_HELD.replace("DMEAN", "0.0")
                    + "\
struct Terms {
    t0: f32,
    t1: f32,
    t2: f32,
}

fn terms(x: f32, dy: f32, h: Held) -> Terms {
    return Terms(
        dy * m_acon_d_p1(x, h.p1, h.p2, h.beta),
        dy * m_acon_d_p2(x, h.p1, h.p2, h.beta),
        dy * m_acon_d_beta(x, h.p1, h.p2, h.beta),
    );
}

";
                let over = Over {
                    uses: &["math/acon.wgsl"],
                    functions: &functions,
                    dy: true,
                    spots: false,
                    buffers: &[
                        (Buffer::X, false),
                        (Buffer::Dy, false),
                        (Buffer::Parameters, false),
                        (Buffer::Saved, false),
                        (Buffer::Scratch, true),
                    ],
                };
                sums(&mut program, sizes, "sums", 3, &over);

                let mut first = Phase::default();
                first.each(
                    samples * channels,
                    partial("sum", "2u", "i")
                        + "    let q = saved[u.q + i];\n    scratch[u.dq + i] = sum * m_sigmoid_derivative(q);\n",
                );
                for (value, name) in ["p1", "p2"].iter().enumerate() {
                    let body = format!(
                        "{}    gradients[u.d_{name} + i] = total;\n",
                        over_samples("total", &format!("{value}u"))
                    );
                    first.each(channels, body);
                }
                let mut all = vec![first];
                let mut outer = "dq";
                if let Some(norm) = &self.norm {
                    all.extend(norm_backward(
                        norm,
                        "2",
                        "u.channels",
                        channels,
                        samples,
                        "dq",
                    ));
                    outer = "dplain2";
                }
                let (wide, thin) = (("u.channels", channels), ("u.narrow", narrow));
                all.push(
                    DenseBackward {
                        fc: "fc2",
                        from: outer,
                        kept: "narrowed",
                        inputs: thin,
                        outputs: wide,
                        to: "dnarrowed",
                        wrap: "sum",
                        is_normed: training,
                    }
                    .phase(samples),
                );
                let mut inner = "dnarrowed";
                if let Some(norm) = &self.norm {
                    all.extend(norm_backward(
                        norm,
                        "1",
                        "u.narrow",
                        narrow,
                        samples,
                        "dnarrowed",
                    ));
                    inner = "dplain1";
                }
                let mean = "sum / f32(u.places)";
                all.push(
                    DenseBackward {
                        fc: "fc1",
                        from: inner,
                        kept: "means",
                        inputs: wide,
                        outputs: thin,
                        to: "dmeans",
                        wrap: mean,
                        is_normed: training,
                    }
                    .phase(samples),
                );
                phases(
                    &mut program,
                    "small gradients",
                    2 * work,
                    &uses,
                    SMALL_BACKWARD,
                    &all,
                );

                let functions = ACON_HELD
                    .replace("DMEAN", "scratch[u.dmeans + n * u.channels + c]")
                    + "\
fn value(x: f32, dy: f32, h: Held) -> f32 {
    return dy * m_acon_derivative(x, h.p1, h.p2, h.beta) + h.dmean;
}

";
                let over = Over {
                    uses: &["math/acon.wgsl"],
                    functions: &functions,
                    dy: true,
                    spots: false,
                    buffers: DX,
                };
                map(&mut program, sizes, "dx", Buffer::Dx, &over);
            }
        }
        Ok(program.finish())
    }
}

/// The sum over samples of a value's partial sums for channel `i`.
fn over_samples(into: &str, value: &str) -> String {
    format!(
        "    var {into} = 0.0;
    for (var n = 0u; n < u.samples; n += 1u) {{
{}        {into} += sum;
    }}
",
        partial("sum", value, "(n * u.channels + i)")
    )
}

impl DynamicRelu {
    pub(in super::super) fn on_gpu(&self, form: &Form) -> Result<Program, Error> {
        let images: &Images = &form.images;
        let sizes = Sizes::new(images)?;
        let Sizes {
            samples, channels, ..
        } = sizes;
        let mut program = Program::new(form, &self.parameters(images)?);
        let k = self.lines() as u64;
        let narrow = (channels / self.reduction).max(1);
        let sets = if self.variant == Variant::A {
            1
        } else {
            channels
        };
        let outputs = sets * 2 * k;
        let spatial = self.variant == Variant::C;
        program.number("narrow", narrow);
        program.number("outputs", outputs);
        for (index, (lambda, initial)) in self.lambdas().iter().zip(self.initial()).enumerate() {
            program.float(&format!("lambda{index}"), *lambda);
            program.float(&format!("initial{index}"), initial);
        }
        for (name, count) in [
            ("means", channels),
            ("narrowed", narrow),
            ("q", outputs),
            ("lines", outputs),
        ] {
            program.region(Buffer::Saved, name, samples * count);
        }
        if spatial {
            let gamma = self.gamma.unwrap_or(sizes.places as f64 / 3.0);
            program.float("gamma", gamma);
            program.float("warmth", 1.0 / self.temperature);
            let blocks = Spots::new(form, sizes).blocks;
            program.number("spot_blocks", blocks);
            program.divisor("spots", sizes.places);
            program.region(Buffer::Saved, "powers", samples * sizes.places);
            program.region(Buffer::Saved, "shares", samples * blocks);
        }
        let work = samples * narrow * (channels + outputs);
        let set = if sets == 1 {
            "n"
        } else {
            "(n * u.channels + c)"
        };
        let held = self.held(set);
        let bare = bare(&held);
        let largest = self.largest_text();
        let pi = if spatial {
            power(form, sizes) + SPOT_FORWARD
        } else {
            String::new()
        };
        match form.pass {
            Pass::Forward => {
                lengths(&mut program, sizes, 1);
                means(&mut program, sizes);
                if spatial {
                    logits(&mut program, sizes);
                }
                let mut all = vec![means_phase(sizes)];
                let relu = "select(v, 0.0, v <= 0.0)";
                let fc1 = dense("narrowed", "fc1", "means", "u.channels", "u.narrow", relu);
                all.push(Phase::of(samples * narrow, fc1));
                let mut fc2 = dense("q", "fc2", "narrowed", "u.narrow", "u.outputs", "v");
                fc2 += &self.coefficient("lambda", "initial");
                // 2 sigmoid(v) - 1
                fc2 += "    saved[u.lines + i] = initial + lambda * act_tanh(0.5 * v);\n";
                all.push(Phase::of(samples * outputs, fc2));
                if spatial {
                    all[0].each(samples, SOFTMAX_FINISH.into());
                }
                phases(
                    &mut program,
                    "coefficients",
                    work,
                    &["act/tanh.wgsl", "math/exp.wgsl"],
                    SMALL,
                    &all,
                );
                let value = if spatial { "s.pi * v" } else { "v" };
                let spot = if spatial { ", s: Spot" } else { "" };
                let functions = format!(
                    "{bare}{pi}{largest}fn value(x: f32, h: Held{spot}) -> f32 {{\n    let v = largest(x, \
                     h).value;\n    return {value};\n}}\n\n"
                );
                let over = Over {
                    uses: &[],
                    functions: &functions,
                    dy: false,
                    spots: spatial,
                    buffers: &[
                        (Buffer::X, false),
                        (Buffer::Y, true),
                        (Buffer::Saved, false),
                    ],
                };
                map(&mut program, sizes, "values", Buffer::Y, &over);
            }
            _ => self.backward_on_gpu(&mut program, sizes, work, &held, &largest, sets, outputs),
        }
        Ok(program.finish())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what forward and backward have in common"
    )]
    fn backward_on_gpu(
        &self,
        program: &mut Program,
        sizes: Sizes,
        work: u64,
        held: &str,
        largest: &str,
        sets: u64,
        outputs: u64,
    ) {
        let Sizes {
            samples, channels, ..
        } = sizes;
        let k = self.lines() as u64;
        let narrow = (channels / self.reduction).max(1);
        let spatial = self.variant == Variant::C;
        let values = 2 * k + u64::from(spatial);
        lengths(program, sizes, values);
        for (name, count) in [("dq", outputs), ("dnarrowed", narrow), ("dmeans", channels)] {
            program.region(Buffer::Scratch, name, samples * count);
        }
        if spatial {
            dfactors(program, sizes, &bare(held), largest);
        }
        let spots = if spatial {
            power(&program.form, sizes) + SPOT_BACKWARD
        } else {
            String::new()
        };
        let spot = if spatial { ", s: Spot" } else { "" };
        let through = if spatial { "dy * s.pi" } else { "dy" };
        let fields: String = (0..values).map(|v| format!("    t{v}: f32,\n")).collect();
        let mut parts: Vec<String> = (0..k)
            .map(|i| format!("select(0.0, g * x, line.k == {i}u)"))
            .collect();
        parts.extend((0..k).map(|i| format!("select(0.0, g, line.k == {i}u)")));
        if spatial {
            parts.push("s.ds * x".into());
        }
        let bare = bare(held);
        let functions = format!(
            "{bare}{spots}{largest}struct Terms {{\n{fields}}}\n\nfn terms(x: f32, dy: f32, h: Held{spot}) -> Terms \
             {{\n    let line = largest(x, h);\n    let g = {through};\n    return \
             Terms({});\n}}\n\n",
            parts.join(", ")
        );
        let over = Over {
            uses: &[],
            functions: &functions,
            dy: true,
            spots: spatial,
            buffers: &[
                (Buffer::X, false),
                (Buffer::Dy, false),
                (Buffer::Saved, false),
                (Buffer::Scratch, true),
            ],
        };
        sums(program, sizes, "sums", values, &over);

        let mut first = Phase::default();
        let which = if sets == 1 {
            format!(
                "    let n = i / u.outputs;
    let value = i - n * u.outputs;
    var total = 0.0;
    for (var begin = 0u; begin < u.channels; begin += 32u) {{
        var some = 0.0;
        for (var c = begin; c < min(begin + 32u, u.channels); c += 1u) {{
{}            some += sum;
        }}
        total += some;
    }}
",
                partial("sum", "value", "(n * u.channels + c)")
            )
        } else {
            format!(
                "    let value = i % {}u;\n    let block = i / {}u;\n{}    let total = sum;\n",
                2 * k,
                2 * k,
                partial("sum", "value", "block")
            )
        };
        // The derivative of tanh(q / 2).
        let dq = "    let q = saved[u.q + i];\n    scratch[u.dq + i] = total * lambda * 0.5 * act_tanh_dx(0.5 * q);\n";
        first.each(
            samples * outputs,
            which + &self.coefficient("lambda", "") + dq,
        );
        if spatial {
            let value = format!("{}u", 2 * k);
            let body = format!(
                "{}    gradients[u.d_spatial_weight + i] = total;\n",
                over_samples("total", &value)
            );
            first.each(channels, body);
            // The logits' gradients of an image add up to zero, whatever they are.
            first.each(1, "    gradients[u.d_spatial_bias] = 0.0;\n".into());
        }
        let mut all = vec![first];
        let (thin, wide, last) = (
            ("u.narrow", narrow),
            ("u.channels", channels),
            ("u.outputs", outputs),
        );
        let masked = "select(sum, 0.0, saved[u.narrowed + i] <= 0.0)";
        all.push(
            DenseBackward {
                fc: "fc2",
                from: "dq",
                kept: "narrowed",
                inputs: thin,
                outputs: last,
                to: "dnarrowed",
                wrap: masked,
                is_normed: false,
            }
            .phase(samples),
        );
        let mean = "sum / f32(u.places)";
        all.push(
            DenseBackward {
                fc: "fc1",
                from: "dnarrowed",
                kept: "means",
                inputs: wide,
                outputs: thin,
                to: "dmeans",
                wrap: mean,
                is_normed: false,
            }
            .phase(samples),
        );
        phases(
            program,
            "small gradients",
            2 * work,
            &["act/tanh.wgsl"],
            SMALL_BACKWARD,
            &all,
        );

        let more = if spatial { " + s.ds * h.spatial" } else { "" };
        let held = held.replace("DMEAN", "scratch[u.dmeans + n * u.channels + c]");
        let weight = if spatial {
            "parameters[u.spatial_weight + c]"
        } else {
            "0.0"
        };
        let held = held.replace("SPATIAL", weight);
        let functions = format!(
            "{held}{spots}{largest}fn value(x: f32, dy: f32, h: Held{spot}) -> f32 {{\n    let line = largest(x, \
             h);\n    return {through} * line.slope + h.dmean{more};\n}}\n\n"
        );
        let over = Over {
            uses: &[],
            functions: &functions,
            dy: true,
            spots: spatial,
            buffers: DX,
        };
        map(program, sizes, "dx", Buffer::Dx, &over);
    }

    /// `struct Held` and `fn hold`: a set's slopes and intercepts.
    fn held(&self, set: &str) -> String {
        let k = self.lines();
        let fields: String = (0..k)
            .map(|i| format!("    a{i}: f32,\n    b{i}: f32,\n"))
            .collect();
        let values: Vec<_> = (0..k)
            .map(|i| format!("saved[at + {i}u], saved[at + {}u]", k + i))
            .collect();
        format!(
            "struct Held {{\n{fields}    dmean: f32,\n    spatial: f32,\n}}\n\nfn hold(n: u32, c: u32) -> Held {{\n    \
             let at = u.lines + {set} * {}u;\n    return Held({}, DMEAN, SPATIAL);\n}}\n\n",
            2 * k,
            values.join(", ")
        )
    }

    /// `fn largest(x, h)`: the first of the largest lines.
    fn largest_text(&self) -> String {
        let mut text = String::from(
            "struct Line {
    value: f32,
    slope: f32,
    k: u32,
}

fn largest(x: f32, h: Held) -> Line {
    var line = Line(h.a0 * x + h.b0, h.a0, 0u);
",
        );
        for i in 1..self.lines() {
            _ = writeln!(
                text,
                "    let v{i} = h.a{i} * x + h.b{i};
    let above{i} = v{i} > line.value;
    line.value = select(line.value, v{i}, above{i});
    line.slope = select(line.slope, h.a{i}, above{i});
    line.k = select(line.k, {i}u, above{i});"
            );
        }
        text + "    return line;\n}\n\n"
    }

    /// Statements that find the lambda, and the initial value, of coefficient `i`.
    fn coefficient(&self, lambda: &str, initial: &str) -> String {
        let k = 2 * self.lines();
        let mut text = format!("    let which = i % {k}u;\n");
        for name in [lambda, initial].iter().filter(|name| !name.is_empty()) {
            _ = writeln!(text, "    var {name} = u.{name}0;");
            for i in 1..k {
                _ = writeln!(
                    text,
                    "    {name} = select({name}, u.{name}{i}, which == {i}u);"
                );
            }
        }
        text
    }
}

/// What is held where no gradient of a mean, and no weight of a logit, is needed.
fn bare(held: &str) -> String {
    held.replace("DMEAN", "0.0").replace("SPATIAL", "0.0")
}

/// The softmax over a sample's places at place `i` of all samples' places. A block of places shares a factor: powers
/// are counted from the block's largest logit.
fn power(form: &Form, sizes: Sizes) -> String {
    format!(
        "\
struct Block {{
    n: u32,
    share: f32,
}}

struct Spot {{
    pi: f32,
    ds: f32,
}}

fn block(i: u32) -> Block {{
    let n = m_divide(i, u.spots_magic, u.spots_shift);
    return Block(n, saved[u.shares + n * u.spot_blocks + (i - n * u.spots) / {}u]);
}}

fn power(i: u32, block: Block) -> f32 {{
    return saved[u.powers + i] * block.share;
}}

",
        Spots::new(form, sizes).places()
    )
}

/// A place's factor, min(gamma softmax, 1).
const SPOT_FORWARD: &str = "\
fn spot(i: u32, block: Block) -> Spot {
    return Spot(min(u.gamma * power(i, block), 1.0), 0.0);
}

";

/// The same with the gradient of its logit.
const SPOT_BACKWARD: &str = "\
fn spot(i: u32, block: Block) -> Spot {
    let p = power(i, block);
    let ds = p * (scratch[u.dpowers + i] - scratch[u.bends + block.n]) * u.warmth;
    return Spot(min(u.gamma * p, 1.0), ds);
}

";

/// Each block's factor in sample `i`: its largest logit's power beside the sample's largest, over the sum of
/// all powers.
const SOFTMAX_FINISH: &str = "\
    let first = i * u.spot_blocks;
    var largest = scratch[u.part_largest + first];
    for (var b = 1u; b < u.spot_blocks; b += 1u) {
        largest = max(largest, scratch[u.part_largest + first + b]);
    }
    var powers = 0.0;
    for (var b = 0u; b < u.spot_blocks; b += 1u) {
        let e = m_exp(max(scratch[u.part_largest + first + b] - largest, -250.0), 0.0);
        powers += m_exp_times(e, scratch[u.part_powers + first + b]);
    }
    for (var b = 0u; b < u.spot_blocks; b += 1u) {
        let e = m_exp(max(scratch[u.part_largest + first + b] - largest, -250.0), 0.0);
        saved[u.shares + first + b] = m_exp_times(e, 1.0 / powers);
    }
";

/// Kernels with a lane for each place, or for four beside each other.
struct Spots {
    /// How many a lane has, and how their values are written.
    components: &'static [&'static str],
    kind: &'static str,
    blocks: u64,
}

impl Spots {
    fn new(form: &Form, sizes: Sizes) -> Spots {
        let four = form.access == Access::Vec4 && form.is_nchw();
        let (components, kind): (&'static [&'static str], _) = if four {
            (&[".x", ".y", ".z", ".w"], "vec4<f32>")
        } else {
            (&[""], "f32")
        };
        let steps = sizes.places / components.len() as u64;
        let blocks = steps.div_ceil(LANES);
        Spots {
            components,
            kind,
            blocks,
        }
    }

    /// Places in a block, which is a workgroup's.
    fn places(&self) -> u64 {
        LANES * self.components.len() as u64
    }

    /// The beginning of `fn main`: sample `n`, and `q`, the lane's place or four places.
    fn main(&self) -> String {
        main(LANES)
            + &format!(
                "    let n = group / u.spot_blocks;
    let q = (group % u.spot_blocks) * {LANES}u + lane;
    let inside = q < u.steps;
    let spot_at = n * u.places + q * {}u;
",
                self.components.len()
            )
    }

    /// Where channel `c`, or unit of channels, lies at the lane's place.
    fn index(&self, form: &Form) -> &'static str {
        if form.is_nchw() {
            "(n * u.channels + c) * u.steps + q"
        } else {
            "(n * u.places + q) * u.units + c"
        }
    }
}

/// The dispatch that makes the places' logits.
fn logits(program: &mut Program, sizes: Sizes) {
    let form = program.form;
    let spots = Spots::new(&form, sizes);
    for name in ["part_largest", "part_powers"] {
        program.region(Buffer::Scratch, name, sizes.samples * spots.blocks);
    }
    let weight = |c: &str| format!("parameters[u.spatial_weight + {c}]");
    let x = format!("x_load({})", spots.index(&form));
    let term = if form.has_channel_words() {
        let weights = [0, 1, 2, 3].map(|j| weight(&format!("c * 4u + {j}u")));
        format!("dot(vec4<f32>({}), {x})", weights.join(", "))
    } else {
        format!("{} * {x}", weight("c"))
    };
    let (kind, components) = (spots.kind, spots.components);
    let mut text = format!(
        "var<workgroup> largests: array<f32, {LANES}>;\nvar<workgroup> sums: array<f32, {LANES}>;\n\n"
    );
    text += &spots.main();
    let each = |f: &dyn Fn(usize, &str) -> String| -> String {
        components
            .iter()
            .enumerate()
            .map(|(j, c)| f(j, c))
            .collect()
    };
    _ = writeln!(
        text,
        "    largests[lane] = -3.4028234e38;
    sums[lane] = 0.0;
    var s = {kind}(0.0);
    if inside {{
        for (var begin = 0u; begin < u.units; begin += 32u) {{
            var some = {kind}(0.0);
            for (var c = begin; c < min(begin + 32u, u.units); c += 1u) {{
                some += {term};
            }}
            s += some;
        }}
        s = (s + parameters[u.spatial_bias]) * u.warmth;
        var largest = s{first};
        {maxima}
        largests[lane] = largest;
    }}
    workgroupBarrier();
    var largest = largests[0];
    for (var l = 1u; l < {LANES}u; l += 1u) {{
        largest = max(largest, largests[l]);
    }}
    if inside {{
        var powers = 0.0;
        {powers}
        sums[lane] = powers;
    }}
    workgroupBarrier();
    if lane == 0u {{
        var powers = 0.0;
        for (var l = 0u; l < {LANES}u; l += 1u) {{
            powers += sums[l];
        }}
        scratch[u.part_largest + group] = largest;
        scratch[u.part_powers + group] = powers;
    }}
}}",
        first = components[0],
        maxima = each(&|_, c| format!("largest = max(largest, s{c});\n")),
        powers = each(&|j, c| {
            format!(
                "let p{j} = m_exp_times(m_exp(max(s{c} - largest, -250.0), 0.0), 1.0);
        saved[u.powers + spot_at + {j}u] = p{j};
        powers += p{j};
"
            )
        }),
    );
    let buffers = [
        (Buffer::X, false),
        (Buffer::Parameters, false),
        (Buffer::Saved, true),
        (Buffer::Scratch, true),
    ];
    let groups = sizes.samples * spots.blocks;
    program.stage("logits", groups, &["math/exp.wgsl"], &buffers, &text);
}

/// The dispatches that make the gradients of the places' softmax.
fn dfactors(program: &mut Program, sizes: Sizes, held: &str, largest: &str) {
    let form = program.form;
    let spots = Spots::new(&form, sizes);
    program.region(Buffer::Scratch, "dpowers", sizes.samples * sizes.places);
    program.region(Buffer::Scratch, "part_bends", sizes.samples * spots.blocks);
    program.region(Buffer::Scratch, "bends", sizes.samples);
    let (kind, components) = (spots.kind, spots.components);
    let index = spots.index(&form);
    let power = power(&form, sizes);
    let mut text = format!("{power}{held}{largest}var<workgroup> sums: array<f32, {LANES}>;\n\n");
    text += &spots.main();
    let terms = if form.has_channel_words() {
        each_component(|j, c| {
            format!("some += dy.{c} * largest(x.{c}, hold(n, c * 4u + {j}u)).value;\n")
        })
    } else {
        let values: Vec<_> = components
            .iter()
            .map(|c| format!("largest(x{c}, h).value"))
            .collect();
        format!(
            "let h = hold(n, c);\nsome += dy * {kind}({});\n",
            values.join(", ")
        )
    };
    let ends = components.iter().enumerate().map(|(j, c)| {
        format!(
            "let p{j} = power(spot_at + {j}u, share);
        let d{j} = select(0.0, u.gamma * dpi{c}, u.gamma * p{j} < 1.0);
        scratch[u.dpowers + spot_at + {j}u] = d{j};
        bend += d{j} * p{j};
"
        )
    });
    _ = writeln!(
        text,
        "    var bend = 0.0;
    if inside {{
        var dpi = {kind}(0.0);
        for (var begin = 0u; begin < u.units; begin += 32u) {{
            var some = {kind}(0.0);
            for (var c = begin; c < min(begin + 32u, u.units); c += 1u) {{
                let x = x_load({index});
                let dy = dy_load({index});
                {terms}
            }}
            dpi += some;
        }}
        let share = block(spot_at);
        {}
    }}
    sums[lane] = bend;
    workgroupBarrier();
    if lane == 0u {{
        var sum = 0.0;
        for (var l = 0u; l < {LANES}u; l += 8u) {{
            var some = 0.0;
            for (var m = l; m < l + 8u; m += 1u) {{
                some += sums[m];
            }}
            sum += some;
        }}
        scratch[u.part_bends + group] = sum;
    }}
}}",
        ends.collect::<String>()
    );
    let buffers = [
        (Buffer::X, false),
        (Buffer::Dy, false),
        (Buffer::Saved, false),
        (Buffer::Scratch, true),
    ];
    let groups = sizes.samples * spots.blocks;
    program.stage("factors", groups, &[], &buffers, &text);
    let body = sum(
        "sum",
        "u.spot_blocks",
        "scratch[u.part_bends + i * u.spot_blocks + k]",
    );
    let phase = Phase::of(sizes.samples, body + "    scratch[u.bends + i] = sum;\n");
    phases(
        program,
        "bends",
        0,
        &[],
        &[(Buffer::Scratch, true)],
        &[phase],
    );
}
