//! The bits of results, beside those that were recorded of the same adapter and driver. Elsewhere results are judged by
//! their error; here nothing may change at all, which is what work on the kernels' text promises.
//!
//! `CORPUS=record cargo test --test corpus` writes tests/data/corpus again: what a change of bits on purpose needs.

#[expect(dead_code, reason = "other tests use the rest")]
mod common;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "common/layer_trials.rs"]
mod layer_trials;

#[path = "common/corpus.rs"]
mod cases;

use cases::{Case, Place, What, cases, chain};
use common::sentinels::SENTINEL;
use common::{download, is_gl, small_bindings, submit, upload};
use layer_trials::Random;
use libtest_mimic::Failed;
use nonlin::half::{bf16, f16};
use nonlin::layers::{Images, Layer};
use nonlin::{
    Chain, DType, Element, Gpu, LayerOperands, Layout, Operand, Operands, Pass, Rows, describe,
    wgpu,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// FNV-1a. Each byte's step is a bijection of the state, so that one changed byte is always seen.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |state, byte| {
        (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The operands of a pass, on their way to the device: where each lies, in a buffer of its own or in one.
struct Memory {
    place: Place,
    buffers: Vec<Vec<u8>>,
    found: BTreeMap<String, (usize, u64, u64)>,
}

impl Memory {
    fn new(place: Place) -> Self {
        Memory {
            place,
            buffers: Vec::new(),
            found: BTreeMap::new(),
        }
    }

    /// Makes room for an operand, with these bytes in it, or with poison for those that are to be written.
    fn put(&mut self, name: &str, dtype: DType, len: u64, bytes: Option<&[u8]>) {
        let one = matches!(self.place, Place::OneBuffer | Place::OneOdd);
        let off = matches!(self.place, Place::Odd | Place::OneOdd);
        if !one || self.buffers.is_empty() {
            self.buffers.push(Vec::new());
        }
        let index = self.buffers.len() - 1;
        let buffer = &mut self.buffers[index];
        let poison = |buffer: &mut Vec<u8>, size: usize| {
            let missing = size.saturating_sub(buffer.len());
            buffer.extend(SENTINEL.into_iter().cycle().take(missing));
        };
        let start = buffer.len() + usize::from(off) * dtype.size() as usize;
        poison(buffer, start);
        let size = (len * dtype.size()) as usize;
        match bytes {
            Some(bytes) => buffer.extend(&bytes[..size]),
            None => poison(buffer, start + size),
        }
        let end = buffer.len().next_multiple_of(16) + 16;
        poison(buffer, end);
        self.found
            .insert(name.to_owned(), (index, start as u64, len));
    }

    fn fill(&mut self, name: &str, dtype: DType, len: u64, value: impl FnMut() -> f32) {
        let mut value = value;
        let mut bytes = Vec::new();
        for _ in 0..len {
            let value = f64::from(value());
            match dtype {
                DType::F16 => bytes.extend(<f16 as Element>::from_f64(value).to_le_bytes()),
                DType::BF16 => bytes.extend(<bf16 as Element>::from_f64(value).to_le_bytes()),
                _ => bytes.extend((value as f32).to_le_bytes()),
            }
        }
        self.put(name, dtype, len, Some(&bytes));
    }

    fn upload(&self, gpu: &Gpu) -> Vec<wgpu::Buffer> {
        let words = |bytes: &Vec<u8>| upload(gpu, &bytemuck::pod_collect_to_vec(bytes));
        self.buffers.iter().map(words).collect()
    }

    fn at<'a>(&self, buffers: &'a [wgpu::Buffer], name: &str) -> Operand<'a> {
        let (buffer, start, len) = self.found[name];
        Operand::new(&buffers[buffer], start, len)
    }
}

/// All that a pass leaves, and y.
type Bytes = (Vec<u8>, Option<Vec<u8>>);

/// All that is in the buffers.
fn all(gpu: &Gpu, buffers: &[wgpu::Buffer]) -> Vec<u8> {
    let words = buffers.iter().flat_map(|buffer| download(gpu, buffer));
    words.flat_map(u32::to_le_bytes).collect()
}

/// Any f32; every other one is from -4 to 4.
fn any(random: &mut Random) -> f32 {
    let bits = random.bits();
    match bits & 1 {
        0 => f32::from_bits((bits >> 32) as u32),
        _ => 2.0 * random.number() as f32,
    }
}

impl Case {
    /// All that it leaves in memory, with the inputs, sentinels between the operands and poison behind them.
    fn bytes(&self, gpu: &Gpu) -> Result<Vec<u8>, Failed> {
        let run = || match &self.what {
            What::Chain { passes, .. } => {
                let mut all = Vec::new();
                let mut y = None;
                for pass in passes {
                    let (bytes, value) = self.chain(gpu, *pass, y.as_deref())?;
                    all.extend(bytes);
                    y = value.or(y);
                }
                Ok(all)
            }
            What::Packed { text, h, first } => self.packed(gpu, text, *h, *first),
            What::Layer { layer, images } => self.layer(gpu, layer, images),
        };
        run().map_err(|failed: Failed| {
            let text = failed.message().unwrap_or_default();
            format!("{}: {text}", self.name).into()
        })
    }

    fn hash(&self, gpu: &Gpu) -> Result<u64, Failed> {
        Ok(hash(&self.bytes(gpu)?))
    }

    /// One pass of a chain: all bytes, and those of y if it is there, which backward from y is given.
    fn chain(&self, gpu: &Gpu, pass: Pass, y: Option<&[u8]>) -> Result<Bytes, Failed> {
        let What::Chain { text, layout, .. } = &self.what else {
            return Err("it is no chain".into());
        };
        let chain: Chain = text.parse()?;
        let names = chain.operands();
        let memory = self.memory(&names, pass, y);
        let buffers = memory.upload(gpu);
        let operands = self.operands(&memory, &buffers, &names);
        let [outer, channels, inner] = *layout;
        let layout = Layout {
            outer,
            channels,
            inner,
        };
        let plan = gpu.kernels().plan(&chain, pass, self.dtypes)?;
        let bound = plan.bind(operands.layout(layout).random(7, 1 << 33))?;
        submit(gpu, |pass| bound.record(pass));
        let y = memory.found.get("y").map(|(buffer, start, _)| {
            let words = download(gpu, &buffers[*buffer]);
            bytemuck::cast_slice::<u32, u8>(&words)[*start as usize..].to_vec()
        });
        Ok((all(gpu, &buffers), y))
    }

    /// The dtype of operands' gradients: the doors for slices have f32.
    fn summed(&self) -> DType {
        match self.place {
            Place::Apart => DType::F32,
            _ => self.dtypes.dx,
        }
    }

    /// What one pass of a chain works on.
    fn memory(&self, names: &[&str], pass: Pass, y: Option<&[u8]>) -> Memory {
        let mut memory = Memory::new(self.place);
        let What::Chain {
            layout,
            kinds,
            wide,
            ..
        } = &self.what
        else {
            return memory;
        };
        let (len, dtypes) = (layout.iter().product(), self.dtypes);
        let mut random = Random(len);
        match pass {
            Pass::BackwardFromY => memory.put("y", dtypes.y, len, y),
            _ if *wide => memory.fill("x", dtypes.x, len, || any(&mut random)),
            _ => memory.fill("x", dtypes.x, len, || 2.0 * random.number() as f32),
        }
        for (name, kind) in names.iter().zip(kinds.iter().cycle()) {
            let count = match *name {
                "g" | "h" | "r" => len, // of gates and residuals
                _ => [1, layout[1], layout[0] * layout[1], len][*kind],
            };
            // About one: some divide by it.
            let value = || 0.9 + 0.2 * random.number() as f32;
            memory.fill(name, dtypes.x, count, value);
        }
        let (output, dtype, over) = match pass {
            Pass::Forward => ("y", dtypes.y, "x"),
            _ => ("dx", dtypes.dx, "dy"),
        };
        if pass != Pass::Forward {
            memory.fill("dy", dtypes.dy, len, || random.number() as f32);
            for name in names {
                let (.., count) = memory.found[*name];
                memory.put(&format!("d_{name}"), self.summed(), count, None);
            }
        }
        if self.place == Place::Over {
            let found = memory.found[over];
            memory.found.insert(output.to_owned(), found);
        } else {
            memory.put(output, dtype, len, None);
        }
        memory
    }

    /// The operands of a chain that are in memory.
    fn operands<'a>(
        &self,
        memory: &Memory,
        buffers: &'a [wgpu::Buffer],
        names: &[&'a str],
    ) -> Operands<'a> {
        let mut operands = Operands::new();
        let at = |name: &str| {
            let is_there = memory.found.contains_key(name);
            is_there.then(|| memory.at(buffers, name))
        };
        for (name, set) in [
            ("x", Operands::x as fn(Operands<'a>, Operand<'a>) -> _),
            ("y", Operands::y),
            ("dy", Operands::dy),
            ("dx", Operands::dx),
        ] {
            operands = match at(name) {
                Some(operand) => set(operands, operand),
                None => operands,
            };
        }
        for name in names {
            operands = operands.arg(name, memory.at(buffers, name), self.dtypes.x);
            if let Some(grad) = at(&format!("d_{name}")) {
                operands = operands.grad(name, grad, self.summed());
            }
        }
        operands
    }

    fn packed(&self, gpu: &Gpu, text: &str, h: u64, first: bool) -> Result<Vec<u8>, Failed> {
        let chain: Chain = text.parse()?;
        let (rows, dtype) = (37, self.dtypes.x);
        let mut memory = Memory::new(self.place);
        let mut random = Random(h);
        memory.fill("packed", dtype, rows * 2 * h, || {
            1.5 * random.number() as f32
        });
        memory.fill("dy", dtype, rows * h, || random.number() as f32);
        memory.put("y", dtype, rows * h, None);
        memory.put("gradients", dtype, rows * 2 * h, None);
        let buffers = memory.upload(gpu);
        let half = |name: &str, second: bool| {
            let (buffer, start, _) = memory.found[name];
            let start = start + u64::from(second) * h * dtype.size();
            Operand::new(&buffers[buffer], start, rows * h).rows(Rows {
                len: h,
                stride: 2 * h,
            })
        };
        let operands = Operands::new().x(half("packed", !first));
        let operands = operands.arg("g", half("packed", first), dtype);
        let forward = gpu.kernels().plan(&chain, Pass::Forward, dtype)?;
        let forward = forward.bind(operands.clone().y(memory.at(&buffers, "y")))?;
        let operands = operands.dy(memory.at(&buffers, "dy"));
        let operands = operands.dx(half("gradients", !first));
        let backward = gpu.kernels().plan(&chain, Pass::Backward, dtype)?;
        let backward = backward.bind(operands.grad("g", half("gradients", first), dtype))?;
        submit(gpu, |pass| {
            forward.record(pass);
            backward.record(pass);
        });
        Ok(all(gpu, &buffers))
    }

    fn layer(&self, gpu: &Gpu, layer: &Layer, images: &Images) -> Result<Vec<u8>, Failed> {
        let plan = |pass| gpu.kernels().layer(layer, images, pass, self.dtypes);
        let (forward, backward) = (plan(Pass::Forward)?, plan(Pass::Backward)?);
        let (len, dtypes) = (images.elements()?, self.dtypes);
        let mut memory = Memory::new(self.place);
        let mut random = Random(len);
        memory.fill("x", dtypes.x, len, || random.number() as f32);
        memory.fill("dy", dtypes.dy, len, || random.number() as f32);
        let mut values = Vec::new();
        for (parameter, range) in forward.parameters() {
            let wide = parameter.shape.iter().skip(1).product::<u64>().max(1);
            let is_variance = parameter.name.contains("var");
            values.extend(range.map(|_| match (random.number(), is_variance) {
                (number, true) => number.abs() as f32 + 0.5,
                (number, false) => (number / (wide as f64).sqrt()) as f32,
            }));
        }
        let (count, mut values) = (values.len() as u64, values.into_iter());
        memory.fill("parameters", DType::F32, count, || {
            values.next().unwrap_or_default()
        });
        memory.put("gradients", DType::F32, count, None);
        memory.put("saved", DType::F32, forward.saved_len(), None);
        memory.put("y", dtypes.y, len, None);
        memory.put("dx", dtypes.dx, len, None);
        let buffers = memory.upload(gpu);
        let at = |name| memory.at(&buffers, name);
        let mut operands = LayerOperands::new().x(at("x")).parameters(at("parameters"));
        if forward.saved_len() > 0 {
            operands = operands.saved(at("saved"));
        }
        let forward = forward.bind(operands.clone().y(at("y")))?;
        let operands = operands.dy(at("dy")).dx(at("dx"));
        let backward = backward.bind(operands.gradients(at("gradients")))?;
        submit(gpu, |pass| {
            forward.record(pass);
            backward.record(pass);
        });
        Ok(all(gpu, &buffers))
    }
}

/// The hashes of all cases, in order.
fn computed(gpu: &Gpu, cases: &[Case]) -> Result<String, Failed> {
    let small = small_bindings(gpu)?;
    let mut lines = String::new();
    // Neighbours share kernels; those of all cases together would take gigabytes.
    for cases in cases.chunks(24) {
        let fresh = |gpu: &Gpu| Gpu::from_device(gpu.device().clone(), gpu.queue().clone());
        let (large, small) = (fresh(gpu), fresh(&small));
        for case in cases {
            let gpu = match case.place {
                Place::Pieces => &small,
                _ => &large,
            };
            lines += &format!("{} {:016x}\n", case.name, case.hash(gpu)?);
        }
    }
    Ok(lines)
}

/// Names with hashes, of lines.
fn parsed(lines: &str) -> BTreeMap<&str, &str> {
    let pairs = lines.lines().filter_map(|line| line.rsplit_once(' '));
    pairs.collect()
}

/// What differs between lines that were recorded and those of now.
fn compare(recorded: &str, now: &str) -> Result<(), Failed> {
    let (recorded, now) = (parsed(recorded), parsed(now));
    let names: BTreeSet<_> = recorded.keys().chain(now.keys()).collect();
    let count = names.len();
    let mut differ: Vec<String> = Vec::new();
    for name in names {
        match (recorded.get(name), now.get(name)) {
            (Some(_), None) => differ.push(format!("{name}: no such case any more")),
            (None, Some(_)) => differ.push(format!("{name}: not recorded")),
            (before, after) if before != after => differ.push((*name).to_owned()),
            _ => {}
        }
    }
    if differ.is_empty() {
        return Ok(());
    }
    let (wrong, list) = (differ.len(), differ.join("\n"));
    Err(format!("other bits than recorded in {wrong} of {count} cases:\n{list}").into())
}

/// The lines recorded of that adapter, or why they say nothing here.
fn comparable<'a>(record: &'a str, description: &str) -> Result<&'a str, String> {
    let (of, lines) = record.split_once('\n').unwrap_or_default();
    match of == description {
        true => Ok(lines),
        false => Err(format!("recorded of {of:?}, and this is {description:?}")),
    }
}

fn file(adapter: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
    // An adapter's description may have slashes.
    folder.join(adapter.replace('/', "-")).with_extension("txt")
}

fn bits(gpu: &Gpu, adapter: &str) -> Result<(), Failed> {
    let (path, cases) = (file(adapter), cases(is_gl(gpu)));
    let description = describe(&gpu.device().adapter_info());
    if std::env::var("CORPUS").is_ok_and(|value| value == "record") {
        std::fs::create_dir_all(path.parent().ok_or("it is in a folder")?)?;
        let lines = computed(gpu, &cases)?;
        return Ok(std::fs::write(&path, format!("{description}\n{lines}"))?);
    }
    let Ok(record) = std::fs::read_to_string(&path) else {
        eprintln!("{adapter}: not comparable: nothing is recorded of it");
        return Ok(());
    };
    match comparable(&record, &description) {
        Ok(lines) => compare(lines, &computed(gpu, &cases)?),
        // Another driver may well have other bits.
        Err(why) => {
            eprintln!("{adapter}: not comparable: {why}");
            Ok(())
        }
    }
}

/// A changed bit is found, wherever it is, and so are cases that came or went.
fn teeth(gpu: &Gpu) -> Result<(), Failed> {
    let case = |factor: &str| {
        let what = chain(&format!("scale({factor})"), [1, 1, 33], &[]);
        Case::new(what, DType::F32, Place::Odd)
    };
    let (right, wrong) = (case("2"), case("2.0000002"));
    let mut bytes = right.bytes(gpu)?;
    let before = hash(&bytes);
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if hash(&bytes) == before {
            return Err(format!("nobody sees bit {bit}").into());
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    if before != right.hash(gpu)? || before == wrong.hash(gpu)? {
        return Err("the hash is not that of the results".into());
    }
    let record = computed(gpu, &[right.clone(), wrong.clone()])?;
    compare(&record, &record)?;
    let (first, second) = record.split_once('\n').ok_or("two lines")?;
    let (name, digits) = first.rsplit_once(' ').ok_or("a hash")?;
    let digits = u64::from_str_radix(digits, 16)?;
    let corrupted = format!("{name} {:016x}\n{second}", digits ^ 1);
    for (other, named) in [
        (corrupted.as_str(), &right),
        (second, &right),
        (first, &wrong),
    ] {
        for found in [compare(&record, other), compare(other, &record)] {
            let failed = found.err().ok_or("a change is not found")?;
            let text = failed.message().unwrap_or_default();
            if !text.contains("in 1 of 2 cases") || !text.contains(&named.name) {
                return Err(format!("not the case that differs: {text}").into());
            }
        }
    }
    let whole = format!("a driver 1.0\n{record}");
    let (same, other) = (
        comparable(&whole, "a driver 1.0"),
        comparable(&whole, "a driver 1.1"),
    );
    if same.as_deref() != Ok(record.as_str()) || other.is_ok() {
        return Err("drivers are not told apart".into());
    }
    Ok(())
}

fn main() -> ! {
    common::main_with(1, |on| {
        let adapter = on.adapter().to_owned();
        on.add("bits", move |gpu| bits(gpu, &adapter));
        on.add("teeth", teeth);
    })
}
