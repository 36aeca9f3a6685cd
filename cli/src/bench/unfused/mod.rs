//! Layers without fusion, in f32 and NCHW: one dispatch for each operation, with every value in memory, as a
//! framework runs them that has no kernels of its own for them. These kernels are the simplest that do it well:
//! elementwise ones take four elements at a time where planes allow it, and a sum has a workgroup.

use nonlin::Gpu;
use nonlin::layers::{BatchNorm, DynamicRelu, Frelu, Images, MetaAcon, Parameter, Variant};
use nonlin::wgpu::{self, BufferUsages, ComputePass};
use std::collections::HashMap;
use std::fmt::Write;

/// Invocations in a workgroup of a kernel without sums.
const WIDE: u64 = 256;

/// Invocations that add up a sum.
const LANES: u64 = 64;

/// Workgroups in a row of the grid.
const ROW: u64 = 32_768;

/// What a value has its elements for.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    /// Everything: N x C x H x W.
    Each,
    /// A sample's places: N x H x W.
    Place,
    /// So many in each sample: N x J.
    Row(u64),
    /// So many in all.
    Column(u64),
}

/// A value in memory.
#[derive(Clone)]
struct Value {
    buffer: wgpu::Buffer,
    of: Of,
}

/// A value and its name in a kernel.
type Named<'a> = (&'a str, &'a Value);

/// A kernel with its operands.
#[derive(Clone)]
pub(crate) struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    groups: [u32; 2],
}

impl Dispatch {
    pub(crate) fn record(&self, pass: &mut ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.groups[0], self.groups[1], 1);
    }
}

/// One pass: its dispatches, and the bytes that they read and write.
#[derive(Default)]
pub(crate) struct Steps {
    pub(crate) dispatches: Vec<Dispatch>,
    pub(crate) bytes: u64,
}

/// A layer's passes. Backward takes what forward left in memory.
pub(crate) struct Unfused {
    pub(crate) forward: Steps,
    pub(crate) backward: Steps,
    pub(crate) y: wgpu::Buffer,
    pub(crate) dx: wgpu::Buffer,
    /// Of each learned parameter, by name.
    pub(crate) gradients: HashMap<String, wgpu::Buffer>,
}

/// What a layer works on.
pub(crate) struct Work<'a> {
    pub(crate) gpu: &'a Gpu,
    /// In NCHW.
    pub(crate) images: Images,
    pub(crate) x: &'a wgpu::Buffer,
    pub(crate) dy: &'a wgpu::Buffer,
    /// The layer's parameters as it lists them, and their elements, one behind the other.
    pub(crate) listed: &'a [Parameter],
    pub(crate) values: &'a [f32],
}

/// A layer, growing by a dispatch at a time.
struct Tape<'a> {
    gpu: &'a Gpu,
    images: Images,
    x: Value,
    dy: Value,
    parameters: HashMap<String, Value>,
    steps: Steps,
    gradients: HashMap<String, wgpu::Buffer>,
}

impl<'a> Tape<'a> {
    fn new(work: &Work<'a>) -> Self {
        let each = |buffer: &wgpu::Buffer| Value {
            buffer: buffer.clone(),
            of: Of::Each,
        };
        let mut tape = Tape {
            gpu: work.gpu,
            images: work.images,
            x: each(work.x),
            dy: each(work.dy),
            parameters: HashMap::new(),
            steps: Steps::default(),
            gradients: HashMap::new(),
        };
        let mut rest = work.values;
        for parameter in work.listed {
            let value = tape.value(Of::Column(parameter.shape.iter().product()));
            let (own, behind) = rest.split_at(tape.len(value.of) as usize);
            rest = behind;
            let bytes = bytemuck::cast_slice(own);
            tape.gpu.queue().write_buffer(&value.buffer, 0, bytes);
            tape.parameters.insert(parameter.name.clone(), value);
        }
        tape
    }

    fn channels(&self) -> u64 {
        self.images.channels
    }

    fn places(&self) -> u64 {
        self.images.height * self.images.width
    }

    fn len(&self, of: Of) -> u64 {
        let samples = self.images.samples;
        match of {
            Of::Each => samples * self.channels() * self.places(),
            Of::Place => samples * self.places(),
            Of::Row(j) => samples * j,
            Of::Column(j) => j,
        }
    }

    fn value(&self, of: Of) -> Value {
        let buffer = self.gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("a value between"),
            size: (self.len(of) * 4).next_multiple_of(16),
            usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Value { buffer, of }
    }

    fn parameter(&self, name: &str) -> Value {
        self.parameters[name].clone()
    }

    fn keep(&mut self, name: impl Into<String>, gradient: Value) {
        self.gradients.insert(name.into(), gradient.buffer);
    }

    /// Whether planes are whole words of four elements.
    fn has_words(&self) -> bool {
        self.places().is_multiple_of(4)
    }

    /// Each element is `term`, of the inputs' elements.
    fn map(&mut self, of: Of, term: &str, inputs: &[Named<'_>]) -> Value {
        self.fold(of, 0, ["", "", term], inputs)
    }

    /// Each element is `last`, of `sum`, the sum over `k` of `count` terms. `before` are statements in front of the
    /// term. Kernels with such take elements one by one.
    fn fold(
        &mut self,
        of: Of,
        count: u64,
        [before, term, last]: [&str; 3],
        inputs: &[Named<'_>],
    ) -> Value {
        let out = self.value(of);
        let wide = matches!(of, Of::Each | Of::Place) && before.is_empty() && self.has_words();
        let len = self.len(of) / if wide { 4 } else { 1 };
        let mut body = format!(
            "    let i = group * {WIDE}u + lane;\n    if i >= {len}u {{\n        return;\n    }}\n"
        );
        body += &match of {
            Of::Each => {
                "    let n = i / PLACES / CHANNELS;\n    let c = i / PLACES % CHANNELS;\n    \
                         let p = i % PLACES;\n"
                    .into()
            }
            Of::Place => "    let n = i / PLACES;\n    let p = i % PLACES;\n".into(),
            Of::Row(count) => format!("    let n = i / {count}u;\n    let j = i % {count}u;\n"),
            Of::Column(_) => String::new(),
        };
        if count > 0 {
            _ = writeln!(
                body,
                "    var sum = T(0.0);\n    for (var k = 0u; k < {count}u; k += 1u) {{\n{before}        sum += \
                 {term};\n    }}"
            );
        }
        _ = writeln!(body, "    out[i] = {last};");
        self.dispatch(&out, wide, WIDE, len.div_ceil(WIDE), "", &body, inputs);
        out
    }

    /// Sums of `terms`, over a plane for `Row(channels)`, over all samples' planes for `Column(channels)`, over a
    /// sample's places for `Row(1)`: so many for each that there are terms.
    fn sums(
        &mut self,
        of: Of,
        before: &str,
        terms: &[String],
        last: &str,
        inputs: &[Named<'_>],
    ) -> Value {
        let each = terms.len() as u64;
        let out = self.value(match of {
            Of::Row(count) => Of::Row(count * each),
            Of::Column(count) => Of::Column(count * each),
            of => of,
        });
        let wide = before.is_empty() && self.has_words();
        let count = match of {
            Of::Column(_) => "SAMPLES * PLACES",
            _ => "PLACES",
        };
        let place = match of {
            Of::Column(_) => {
                "        let c = group;\n        let n = k / PLACES;\n        let p = k % PLACES;\n"
            }
            Of::Row(1) => "        let n = group;\n        let p = k;\n",
            _ => {
                "        let n = group / CHANNELS;\n        let c = group % CHANNELS;\n        let p = k;\n"
            }
        };
        let index = match of {
            Of::Row(1) => "",
            _ => "        let i = (n * CHANNELS + c) * PLACES + p;\n",
        };
        let all = |text: &dyn Fn(usize, &str) -> String| -> String {
            let terms = terms.iter().enumerate();
            terms.map(|(v, term)| text(v, term)).collect()
        };
        let open = all(&|v, _| format!("    var sum_{v} = T(0.0);\n"));
        let add = all(&|v, term| format!("        sum_{v} += {term};\n"));
        let put = all(&|v, _| {
            let total = match wide {
                true => format!("dot(sum_{v}, vec4<f32>(1.0))"),
                false => format!("sum_{v}"),
            };
            format!("    lanes[{v}u * {LANES}u + lane] = {total};\n")
        });
        let body = format!(
            "{open}    for (var k = lane; k < {count}; k += {LANES}u) {{
{place}{index}{before}{add}    }}
{put}    workgroupBarrier();
    if lane == 0u {{
        for (var v = 0u; v < {each}u; v += 1u) {{
            var sum = 0.0;
            for (var l = 0u; l < {LANES}u; l += 1u) {{
                sum += lanes[v * {LANES}u + l];
            }}
            out[group * {each}u + v] = {last};
        }}
    }}
"
        );
        let shared = format!("var<workgroup> lanes: array<f32, {}>;\n", LANES * each);
        let groups = self.len(of);
        self.dispatch(&out, wide, LANES, groups, &shared, &body, inputs);
        out
    }

    #[expect(clippy::too_many_arguments, reason = "what a kernel is made of")]
    fn dispatch(
        &mut self,
        out: &Value,
        wide: bool,
        workgroup: u64,
        groups: u64,
        shared: &str,
        body: &str,
        inputs: &[Named<'_>],
    ) {
        let kind = if wide { "vec4<f32>" } else { "f32" };
        let element = |value: &Value| match value.of {
            Of::Each | Of::Place => kind,
            _ => "f32",
        };
        let places = self.places() / if wide { 4 } else { 1 };
        let mut text = format!(
            "alias T = {kind};\nconst SAMPLES = {}u;\nconst CHANNELS = {}u;\nconst PLACES = {places}u;\n{shared}",
            self.images.samples, self.images.channels,
        );
        let mut bindings = vec![("out", out)];
        bindings.extend(inputs);
        for (binding, (name, value)) in bindings.iter().enumerate() {
            let access = if binding == 0 { "read_write" } else { "read" };
            _ = writeln!(
                text,
                "@group(0) @binding({binding}) var<storage, {access}> {name}: array<{}>;",
                element(value)
            );
        }
        let row = groups.min(ROW);
        _ = write!(
            text,
            "@compute @workgroup_size({workgroup})
fn main(@builtin(workgroup_id) at: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    let group = at.y * {row}u + at.x;
{body}}}
"
        );
        let device = self.gpu.device();
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("unfused"),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("unfused"),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        let entries: Vec<_> = bindings
            .iter()
            .enumerate()
            .map(|(binding, (_, value))| wgpu::BindGroupEntry {
                binding: binding as u32,
                resource: value.buffer.as_entire_binding(),
            })
            .collect();
        let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("unfused"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let values = bindings.iter().map(|(_, value)| self.len(value.of) * 4);
        self.steps.bytes += values.sum::<u64>();
        self.steps.dispatches.push(Dispatch {
            pipeline,
            bind_group,
            groups: [row as u32, groups.div_ceil(row) as u32],
        });
    }

    /// The channels' means in each sample.
    fn means(&mut self, x: &Value) -> Value {
        let last = format!("sum / {}.0", self.places());
        let of = Of::Row(self.channels());
        self.sums(of, "", &["x[i]".into()], &last, &[("x", x)])
    }

    /// A fully connected layer of `outputs`, of the parameters that begin with `name`.
    fn dense(&mut self, name: &str, x: &Value, inputs: u64, outputs: u64) -> Value {
        let [w, b] = ["weight", "bias"].map(|part| self.parameter(&format!("{name}_{part}")));
        let term = format!("x[n * {inputs}u + k] * w[j * {inputs}u + k]");
        self.fold(
            Of::Row(outputs),
            inputs,
            ["", &term, "sum + b[j]"],
            &[("x", x), ("w", &w), ("b", &b)],
        )
    }

    /// Its gradients, and that of its input.
    fn dense_backward(
        &mut self,
        name: &str,
        x: &Value,
        d: &Value,
        inputs: u64,
        outputs: u64,
    ) -> Value {
        let samples = self.images.samples;
        let w = self.parameter(&format!("{name}_weight"));
        let term = format!("d[k * {outputs}u + i / {inputs}u] * x[k * {inputs}u + i % {inputs}u]");
        let of = Of::Column(inputs * outputs);
        let dw = self.fold(of, samples, ["", &term, "sum"], &[("d", d), ("x", x)]);
        self.keep(format!("{name}_weight"), dw);
        let db = self.over_samples(d, outputs);
        self.keep(format!("{name}_bias"), db);
        let term = format!("d[n * {outputs}u + k] * w[k * {inputs}u + j]");
        self.fold(
            Of::Row(inputs),
            outputs,
            ["", &term, "sum"],
            &[("d", d), ("w", &w)],
        )
    }

    /// The sum over samples of so many values each.
    fn over_samples(&mut self, d: &Value, count: u64) -> Value {
        let term = format!("d[k * {count}u + i]");
        let samples = self.images.samples;
        self.fold(Of::Column(count), samples, ["", &term, "sum"], &[("d", d)])
    }

    /// Adds to dx what comes by way of the means.
    fn means_backward(&mut self, dx: &Value, dmeans: &Value) -> Value {
        let term = format!("dx[i] + d[n * CHANNELS + c] / {}.0", self.places());
        self.map(Of::Each, &term, &[("dx", dx), ("d", dmeans)])
    }

    /// The steps so far; those to come are another pass's.
    fn take(&mut self) -> Steps {
        std::mem::take(&mut self.steps)
    }

    fn finish(mut self, forward: Steps, y: Value, dx: Value) -> Unfused {
        Unfused {
            forward,
            backward: self.take(),
            y: y.buffer,
            dx: dx.buffer,
            gradients: self.gradients,
        }
    }
}

const SIGMOID: &str = "T(1.0) / (T(1.0) + exp(-v[i]))";

/// Of a sigmoid, from its value.
const SIGMOID_BACKWARD: &str = "d[i] * s[i] * (T(1.0) - s[i])";

const PER_CHANNEL: &str = "x[i] * v[c]";
const PER_PLANE: &str = "x[i] * v[n * CHANNELS + c]";

/// As the authors' code and YOLOv5's write it, without norms.
pub(crate) fn meta_acon(work: &Work<'_>, layer: &MetaAcon) -> Unfused {
    use Of::{Column, Each, Row};
    let mut tape = Tape::new(work);
    let t = &mut tape;
    let (x, dy) = (t.x.clone(), t.dy.clone());
    let channels = t.channels();
    let hidden = layer.minimum.max(channels / layer.reduction);
    let [p1, p2] = ["p1", "p2"].map(|name| t.parameter(name));
    let means = t.means(&x);
    let inner = t.dense("fc1", &means, channels, hidden);
    let q = t.dense("fc2", &inner, hidden, channels);
    let beta = t.map(Row(channels), "1.0 / (1.0 + exp(-v[i]))", &[("v", &q)]);
    let d = t.map(Column(channels), "a[i] - b[i]", &[("a", &p1), ("b", &p2)]);
    let u = t.map(Each, PER_CHANNEL, &[("x", &x), ("v", &d)]);
    let z = t.map(Each, PER_PLANE, &[("x", &u), ("v", &beta)]);
    let s = t.map(Each, SIGMOID, &[("v", &z)]);
    let us = t.map(Each, "a[i] * b[i]", &[("a", &u), ("b", &s)]);
    let px = t.map(Each, PER_CHANNEL, &[("x", &x), ("v", &p2)]);
    let y = t.map(Each, "a[i] + b[i]", &[("a", &us), ("b", &px)]);
    let forward = t.take();

    let product = ["d[i] * x[i]".to_owned()];
    let to_p2 = t.sums(
        Column(channels),
        "",
        &product,
        "sum",
        &[("d", &dy), ("x", &x)],
    );
    let dx = t.map(Each, PER_CHANNEL, &[("x", &dy), ("v", &p2)]);
    let du = t.map(Each, "a[i] * b[i]", &[("a", &dy), ("b", &s)]);
    let ds = t.map(Each, "a[i] * b[i]", &[("a", &dy), ("b", &u)]);
    let dz = t.map(Each, SIGMOID_BACKWARD, &[("d", &ds), ("s", &s)]);
    let dbeta = t.sums(Row(channels), "", &product, "sum", &[("d", &dz), ("x", &u)]);
    let more = t.map(Each, PER_PLANE, &[("x", &dz), ("v", &beta)]);
    let du = t.map(Each, "a[i] + b[i]", &[("a", &du), ("b", &more)]);
    let dd = t.sums(
        Column(channels),
        "",
        &product,
        "sum",
        &[("d", &du), ("x", &x)],
    );
    let more = t.map(Each, PER_CHANNEL, &[("x", &du), ("v", &d)]);
    let dx = t.map(Each, "a[i] + b[i]", &[("a", &dx), ("b", &more)]);
    let dp2 = t.map(
        Column(channels),
        "a[i] - b[i]",
        &[("a", &to_p2), ("b", &dd)],
    );
    t.keep("p1", dd);
    t.keep("p2", dp2);
    let dq = t.map(
        Row(channels),
        "d[i] * s[i] * (1.0 - s[i])",
        &[("d", &dbeta), ("s", &beta)],
    );
    let dinner = t.dense_backward("fc2", &inner, &dq, hidden, channels);
    let dmeans = t.dense_backward("fc1", &means, &dinner, channels, hidden);
    let dx = t.means_backward(&dx, &dmeans);
    tape.finish(forward, y, dx)
}

/// The lines one by one, and the largest of them.
pub(crate) fn dynamic_relu(work: &Work<'_>, layer: &DynamicRelu) -> Unfused {
    use Of::{Column, Each, Place, Row};
    let mut tape = Tape::new(work);
    let t = &mut tape;
    let (x, dy) = (t.x.clone(), t.dy.clone());
    let (channels, k) = (t.channels(), layer.k);
    let hidden = (channels / layer.reduction).max(1);
    let shared = layer.variant == Variant::A;
    let sets = if shared { 1 } else { channels };
    let outputs = 2 * k * sets;
    let means = t.means(&x);
    let before = t.dense("fc1", &means, channels, hidden);
    let inner = t.map(Row(hidden), "max(v[i], 0.0)", &[("v", &before)]);
    let q = t.dense("fc2", &inner, hidden, outputs);
    let s = t.map(Row(outputs), "1.0 / (1.0 + exp(-v[i]))", &[("v", &q)]);
    // The coefficient of a set, first slopes, then intercepts, that element i has.
    let which = format!("i % {}u", 2 * k);
    let given = |values: &[f64], at: u64| values.get(at as usize).copied().unwrap_or(0.0) as f32;
    let each = |slope: &dyn Fn(u64) -> f32, intercept: &dyn Fn(u64) -> f32| {
        let all = (0..k).map(slope).chain((0..k).map(intercept)).enumerate();
        all.fold("0.0".to_owned(), |text, (at, value)| {
            format!("select({text}, {value:?}, {which} == {at}u)")
        })
    };
    let lambdas = each(&|_| layer.lambda_slope as f32, &|_| {
        layer.lambda_intercept as f32
    });
    let initial = each(&|at| given(&layer.initial_slopes, at), &|at| {
        given(&layer.initial_intercepts, at)
    });
    let term = format!("{initial} + {lambdas} * (2.0 * v[i] - 1.0)");
    let lines = t.map(Row(outputs), &term, &[("v", &s)]);
    let set = if shared { "n" } else { "(n * CHANNELS + c)" };
    let at = |which: u64| format!("v[{set} * {}u + {which}u]", 2 * k);
    let mut values = Vec::new();
    for line in 0..k {
        let term = format!("x[i] * {}", at(line));
        let slope = t.map(Each, &term, &[("x", &x), ("v", &lines)]);
        let term = format!("x[i] + {}", at(k + line));
        values.push(t.map(Each, &term, &[("x", &slope), ("v", &lines)]));
    }
    let names = ["l0", "l1", "l2", "l3"];
    let named: Vec<Named<'_>> = names.into_iter().zip(&values).collect();
    let mut largest = "l0[i]".to_owned();
    for (name, _) in &named[1..] {
        largest = format!("max({largest}, {name}[i])");
    }
    let value = match k {
        1 => values[0].clone(),
        _ => t.map(Each, &largest, &named),
    };
    let places = t.places();
    let factors = (layer.variant == Variant::C).then(|| {
        let [w, b] = ["spatial_weight", "spatial_bias"].map(|name| t.parameter(name));
        let term = "x[(n * CHANNELS + k) * PLACES + p] * w[k]";
        let logits = t.fold(
            Place,
            channels,
            [
                "",
                term,
                &format!("(sum + b[0]) / {:?}", layer.temperature as f32),
            ],
            &[("x", &x), ("w", &w), ("b", &b)],
        );
        let largest = t.largest(&logits);
        let powers = t.map(
            Place,
            "exp(v[i] - m[n])",
            &[("v", &logits), ("m", &largest)],
        );
        let sum = t.sums(
            Row(1),
            "",
            &["v[n * PLACES + p]".into()],
            "sum",
            &[("v", &powers)],
        );
        let softmax = t.map(Place, "v[i] / s[n]", &[("v", &powers), ("s", &sum)]);
        let gamma = layer.gamma.unwrap_or(places as f64 / 3.0) as f32;
        let term = format!("min(v[i] * {gamma:?}, T(1.0))");
        let factors = t.map(Place, &term, &[("v", &softmax)]);
        (softmax, factors, gamma, w)
    });
    let y = match &factors {
        Some((_, factors, ..)) => {
            let term = "v[i] * f[n * PLACES + p]";
            t.map(Each, term, &[("v", &value), ("f", factors)])
        }
        None => value.clone(),
    };
    let forward = t.take();

    let mut dvalue = dy.clone();
    let mut dlogits = None;
    if let Some((softmax, factors, gamma, _)) = &factors {
        let at = "(n * CHANNELS + k) * PLACES + p";
        let dfactors = t.fold(
            Place,
            channels,
            ["", &format!("d[{at}] * v[{at}]"), "sum"],
            &[("d", &dy), ("v", &value)],
        );
        let term = "d[i] * f[n * PLACES + p]";
        dvalue = t.map(Each, term, &[("d", &dy), ("f", factors)]);
        let term = format!("select(T(0.0), d[i] * {gamma:?}, s[i] * {gamma:?} < T(1.0))");
        let dsoftmax = t.map(Place, &term, &[("d", &dfactors), ("s", softmax)]);
        let at = "n * PLACES + p";
        let term = format!("d[{at}] * s[{at}]");
        let mean = t.sums(
            Row(1),
            "",
            &[term],
            "sum",
            &[("d", &dsoftmax), ("s", softmax)],
        );
        let term = format!("s[i] * (d[i] - m[n]) / {:?}", layer.temperature as f32);
        dlogits = Some(t.map(
            Place,
            &term,
            &[("s", softmax), ("d", &dsoftmax), ("m", &mean)],
        ));
    }
    let mut dx: Option<Value> = None;
    let mut sums = Vec::new();
    for line in 0..k {
        // The first of the largest takes the gradient.
        let mut wins = format!("{}[i] == {largest}", names[line as usize]);
        for before in &names[..line as usize] {
            wins = format!("({wins}) & ({before}[i] != {largest})");
        }
        let mut inputs = vec![("d", &dvalue)];
        inputs.extend(&named);
        let dline = match k {
            1 => dvalue.clone(),
            _ => t.map(Each, &format!("select(T(0.0), d[i], {wins})"), &inputs),
        };
        let rows = Row(channels);
        let dintercept = t.sums(rows, "", &["d[i]".into()], "sum", &[("d", &dline)]);
        let product = ["d[i] * x[i]".to_owned()];
        let dslope = t.sums(rows, "", &product, "sum", &[("d", &dline), ("x", &x)]);
        sums.push((line, dslope));
        sums.push((k + line, dintercept));
        let term = format!("x[i] * {}", at(line));
        let more = t.map(Each, &term, &[("x", &dline), ("v", &lines)]);
        dx = Some(match dx {
            Some(dx) => t.map(Each, "a[i] + b[i]", &[("a", &dx), ("b", &more)]),
            None => more,
        });
    }
    let mut dx = dx.unwrap_or(dvalue);
    // The lines' gradients as fc2 has its outputs.
    sums.sort_by_key(|(which, _)| *which);
    let names = ["g0", "g1", "g2", "g3", "g4", "g5", "g6", "g7"];
    let named: Vec<Named<'_>> = names
        .into_iter()
        .zip(sums.iter().map(|(_, sum)| sum))
        .collect();
    let mut joined = "0.0".to_owned();
    for (which, (name, _)) in named.iter().enumerate() {
        let unit = if shared {
            "n * CHANNELS + k"
        } else {
            "n * CHANNELS + j / WIDTH"
        };
        joined = format!("select({joined}, {name}[{unit}], j % WIDTH == {which}u)");
    }
    let joined = joined.replace("WIDTH", &format!("{}u", 2 * k));
    let dlines = if shared {
        t.fold(Row(outputs), channels, ["", &joined, "sum"], &named)
    } else {
        t.map(Row(outputs), &joined, &named)
    };
    let term = format!("d[i] * {lambdas} * 2.0 * s[i] * (1.0 - s[i])");
    let dq = t.map(Row(outputs), &term, &[("d", &dlines), ("s", &s)]);
    let dinner = t.dense_backward("fc2", &inner, &dq, hidden, outputs);
    let dbefore = t.map(
        Row(hidden),
        "select(0.0, d[i], v[i] > 0.0)",
        &[("d", &dinner), ("v", &before)],
    );
    let dmeans = t.dense_backward("fc1", &means, &dbefore, channels, hidden);
    dx = t.means_backward(&dx, &dmeans);
    if let (Some(d), Some((.., w))) = (&dlogits, &factors) {
        let term = "d[n * PLACES + p] * x[i]".to_owned();
        let dw = t.sums(Column(channels), "", &[term], "sum", &[("d", d), ("x", &x)]);
        t.keep("spatial_weight", dw);
        let term = "d[n * PLACES + p]".to_owned();
        let of_samples = t.sums(Row(1), "", &[term], "sum", &[("d", d)]);
        let db = t.over_samples(&of_samples, 1);
        t.keep("spatial_bias", db);
        let term = "dx[i] + d[n * PLACES + p] * w[c]";
        dx = t.map(Each, term, &[("dx", &dx), ("d", d), ("w", w)]);
    }
    tape.finish(forward, y, dx)
}

/// A window of a depthwise convolution: what stands behind its parameters' names, its height and its width.
type Window = (&'static str, u64, u64);

impl Tape<'_> {
    /// The largest of each sample's places.
    fn largest(&mut self, v: &Value) -> Value {
        let term = "v[n * PLACES + p]";
        // Softmax is the same whatever is taken off; the largest keeps exponentials from overflowing.
        let out = self.value(Of::Row(1));
        let wide = self.has_words();
        let (last, most) = if wide {
            ("max(max(m.x, m.y), max(m.z, m.w))", "T(-3.0e38)")
        } else {
            ("m", "T(-3.0e38)")
        };
        let body = format!(
            "    let n = group;\n    var m = {most};\n    for (var p = lane; p < PLACES; p += {LANES}u) {{\n        \
             m = max(m, {term});\n    }}\n    lanes[lane] = {last};\n    workgroupBarrier();\n    if lane == 0u \
             {{\n        var all = lanes[0];\n        for (var l = 1u; l < {LANES}u; l += 1u) {{\n            all \
             = max(all, lanes[l]);\n        }}\n        out[group] = all;\n    }}\n"
        );
        let shared = format!("var<workgroup> lanes: array<f32, {LANES}>;\n");
        let samples = self.images.samples;
        self.dispatch(&out, wide, LANES, samples, &shared, &body, &[("v", v)]);
        out
    }

    /// Statements that find the place which a window's element `k` takes for output `p`, or, backward, the output
    /// that takes input `p` with it.
    fn tap(&self, (_, height, width): Window, backward: bool) -> String {
        let Images {
            height: rows,
            width: columns,
            ..
        } = self.images;
        let sign = if backward { "-" } else { "+" };
        format!(
            "        let row = i32(p / {columns}u) {sign} (i32(k / {width}u) - {}i);
        let column = i32(p % {columns}u) {sign} (i32(k % {width}u) - {}i);
        let inside = (row >= 0i) & (row < {rows}i) & (column >= 0i) & (column < {columns}i);
        let place = (n * CHANNELS + c) * PLACES + u32(select(0i, row * {columns}i + column, inside));
",
            height / 2,
            width / 2
        )
    }

    /// A convolution, or the gradient of its input.
    fn convolution(&mut self, window: Window, x: &Value, backward: bool) -> Value {
        let (mark, height, width) = window;
        let size = height * width;
        let w = self.parameter(&format!("weight{mark}"));
        let term = format!("select(0.0, x[place] * w[c * {size}u + k], inside)");
        let bias = self.parameters.get(&format!("bias{mark}")).cloned();
        let mut inputs = vec![("x", x), ("w", &w)];
        let mut last = "sum";
        if let (Some(bias), false) = (&bias, backward) {
            inputs.push(("b", bias));
            last = "sum + b[c]";
        }
        let before = self.tap(window, backward);
        self.fold(Of::Each, size, [&before, &term, last], &inputs)
    }

    fn convolution_weight(&mut self, window: Window, x: &Value, d: &Value) {
        let (mark, height, width) = window;
        let (size, tap) = (height * width, self.tap(window, false));
        let mut before = String::new();
        let mut terms = Vec::new();
        for k in 0..size {
            let own = tap.replace("i32(k", &format!("i32({k}u"));
            let own = ["row", "column", "inside", "place"]
                .iter()
                .fold(own, |own, name| own.replace(name, &format!("{name}_{k}")));
            before += &own;
            terms.push(format!("select(0.0, d[i] * x[place_{k}], inside_{k})"));
        }
        let of = Of::Column(self.channels());
        let dw = self.sums(of, &before, &terms, "sum", &[("d", d), ("x", x)]);
        self.keep(format!("weight{mark}"), dw);
    }
}

/// A convolution, and what its norm takes off and multiplies by.
struct Normalized {
    conv: Value,
    mean: Value,
    inverse: Value,
}

/// Convolution, batch norm, and the larger.
pub(crate) fn frelu(work: &Work<'_>, layer: &Frelu) -> Unfused {
    use Of::{Column, Each};
    let mut tape = Tape::new(work);
    let t = &mut tape;
    let (x, dy) = (t.x.clone(), t.dy.clone());
    let per_channel = Column(t.channels());
    let (height, width) = layer.kernel;
    let windows = match layer.light {
        true => vec![("", 1, width), ("2", height, 1)],
        false => vec![("", height, width)],
    };
    let mut parts = Vec::new();
    let mut norms = Vec::new();
    for window in &windows {
        let conv = t.convolution(*window, &x, false);
        let Some(norm) = &layer.norm else {
            parts.push(conv);
            norms.push(None);
            continue;
        };
        let (part, normalized) = t.normalize(window.0, norm, &conv);
        parts.push(part);
        norms.push(Some(normalized));
    }
    let funnel = match &parts[..] {
        [one, two] => t.map(Each, "a[i] + b[i]", &[("a", one), ("b", two)]),
        parts => parts[0].clone(),
    };
    let y = t.map(Each, "max(x[i], t[i])", &[("x", &x), ("t", &funnel)]);
    let forward = t.take();

    let share =
        |wins: &str| format!("select(select(T(0.0), d[i] * 0.5, x[i] == t[i]), d[i], {wins})");
    let inputs = [("d", &dy), ("x", &x), ("t", &funnel)];
    let mut dx = t.map(Each, &share("x[i] > t[i]"), &inputs);
    let dt = t.map(Each, &share("x[i] < t[i]"), &inputs);
    for (window, norm) in windows.iter().zip(&norms) {
        let mark = window.0;
        let mut d = dt.clone();
        if let (Some(normalized), Some(norm)) = (norm, &layer.norm) {
            let sum = ["d[i]".to_owned()];
            let dbias = t.sums(per_channel, "", &sum, "sum", &[("d", &dt)]);
            let Normalized {
                conv,
                mean,
                inverse,
            } = normalized;
            let sum = ["d[i] * (v[i] - m[c]) * s[c]".to_owned()];
            let mut inputs = vec![("d", &dt), ("v", conv), ("m", mean), ("s", inverse)];
            let dweight = t.sums(per_channel, "", &sum, "sum", &inputs);
            let gain = t.parameter(&format!("bn{mark}_weight"));
            d = if norm.training {
                let count = t.images.samples * t.places();
                inputs.extend([("g", &gain), ("b", &dbias), ("w", &dweight)]);
                let term = format!(
                    "(d[i] - (b[c] + (v[i] - m[c]) * s[c] * w[c]) / {count}.0) * (g[c] * s[c])"
                );
                t.map(Each, &term, &inputs)
            } else {
                let inputs = [("d", &dt), ("g", &gain), ("s", inverse)];
                t.map(Each, "d[i] * (g[c] * s[c])", &inputs)
            };
            t.keep(format!("bn{mark}_bias"), dbias);
            t.keep(format!("bn{mark}_weight"), dweight);
        }
        if layer.bias {
            let sum = ["d[i]".to_owned()];
            let dbias = t.sums(per_channel, "", &sum, "sum", &[("d", &d)]);
            t.keep(format!("bias{mark}"), dbias);
        }
        t.convolution_weight(*window, &x, &d);
        let more = t.convolution(*window, &d, true);
        dx = t.map(Each, "a[i] + b[i]", &[("a", &dx), ("b", &more)]);
    }
    tape.finish(forward, y, dx)
}

impl Tape<'_> {
    /// A batch norm, without renewing running statistics.
    fn normalize(&mut self, mark: &str, norm: &BatchNorm, v: &Value) -> (Value, Normalized) {
        use Of::{Column, Each};
        let channels = Column(self.channels());
        let (mean, var) = if norm.training {
            let last = format!("sum / {}.0", self.images.samples * self.places());
            let mean = self.sums(channels, "", &["v[i]".into()], &last, &[("v", v)]);
            let square = "(v[i] - m[c]) * (v[i] - m[c])".to_owned();
            let inputs = [("v", v), ("m", &mean)];
            let var = self.sums(channels, "", &[square], &last, &inputs);
            (mean, var)
        } else {
            let running = |name: &str| self.parameter(&format!("running_{name}{mark}"));
            (running("mean"), running("var"))
        };
        let term = format!("1.0 / sqrt(v[i] + {:?})", norm.eps as f32);
        let inverse = self.map(channels, &term, &[("v", &var)]);
        let [gain, lift] =
            ["weight", "bias"].map(|part| self.parameter(&format!("bn{mark}_{part}")));
        let inputs = [
            ("v", v),
            ("m", &mean),
            ("s", &inverse),
            ("g", &gain),
            ("l", &lift),
        ];
        let value = self.map(Each, "(v[i] - m[c]) * s[c] * g[c] + l[c]", &inputs);
        let conv = v.clone();
        let normalized = Normalized {
            conv,
            mean,
            inverse,
        };
        (value, normalized)
    }
}
