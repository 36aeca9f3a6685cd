//! A random case on an adapter: its data, the memory that it runs in, both passes, and the comparison.

use crate::case::{Arg, Case, Data};
use crate::common::{self, download, submit, upload};
use nonlin::check::{self, Expected, Report};
use nonlin::half::{bf16, f16};
use nonlin::{
    DType, DTypes, Element, Error, Gpu, Kernels, Layout, Operand, Operands, Pass, Values, wgpu,
};
use std::sync::{Mutex, PoisonError};

/// A number that looks random, and is the same each time.
fn noise(seed: u64, index: usize) -> u64 {
    let mut z = (index as u64 ^ seed << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

/// An element of x, dy, or a tensor: from -4 to 4, or what the data has among that.
fn element(data: Data, bits: u64) -> f32 {
    let unit = (bits >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
    let bend = [0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0][bits as usize / 256 % 9];
    match (data, bits % 256) {
        (_, 0..16) => bend,
        (Data::Wide | Data::Wild, 16..48) => 150.0 * unit,
        (Data::Wide | Data::Wild, 48..64) => 1e-3 * unit,
        (Data::Wild, 64) => f32::from_bits((bits >> 8) as u32),
        (Data::Wild, 65..74) => {
            [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][bits as usize / 256 % 3]
        }
        _ => 4.0 * unit,
    }
}

/// Runs an expression for a dtype's type.
macro_rules! typed {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F16 => {
                type $T = f16;
                $body
            }
            _ => {
                type $T = bf16;
                $body
            }
        }
    };
}

/// What a dtype makes of numbers, in bytes.
fn packed(dtype: DType, values: &[f32]) -> Vec<u8> {
    typed!(dtype, T => {
        let stored = values.iter().map(|value| T::from_f64(f64::from(*value)));
        bytemuck::cast_slice(&stored.collect::<Vec<T>>()).to_vec()
    })
}

/// The same as numbers again.
fn stored(dtype: DType, values: impl Iterator<Item = f32>) -> Vec<f32> {
    typed!(dtype, T => values.map(|value| T::from_f64(f64::from(value)).to_f32()).collect())
}

/// What a case's passes read, as it is stored.
#[derive(Clone)]
pub(crate) struct Inputs {
    pub(crate) x: Vec<f32>,
    pub(crate) dy: Vec<f32>,
    pub(crate) args: Vec<Vec<f32>>,
}

/// What they wrote.
#[derive(Clone)]
pub(crate) struct Outputs {
    pub(crate) y: Vec<u8>,
    pub(crate) dx: Vec<u8>,
    /// dx where no gradient was asked for.
    pub(crate) alone: Vec<u8>,
    /// Whether the two are to be the same bits. Not on GL: GLSL lets a compiler reorder products, and Mesa's
    /// does, as suits the rest of a kernel. Each is within the error allowed there, too.
    pub(crate) same: bool,
    pub(crate) grads: Vec<Gradient>,
}

/// The operand, the gradient's dtype, and its bytes.
type Gradient = (String, DType, Vec<u8>);

/// Around what is read and written, and where that is not written yet.
const FILL: u8 = 0xa5;

/// Some elements in a buffer of their own.
struct Memory {
    buffer: wgpu::Buffer,
    dtype: DType,
    first: u64,
    len: u64,
}

impl Memory {
    fn new(gpu: &Gpu, dtype: DType, first: u64, data: &[u8]) -> Self {
        let mut bytes = vec![FILL; (first * dtype.size()) as usize];
        bytes.extend(data);
        // Room behind for whole groups of four elements.
        bytes.resize((bytes.len() + 8).next_multiple_of(16), FILL);
        let len = data.len() as u64 / dtype.size();
        let buffer = upload(gpu, &bytemuck::pod_collect_to_vec(&bytes));
        Memory {
            buffer,
            dtype,
            first,
            len,
        }
    }

    fn blank(gpu: &Gpu, dtype: DType, first: u64, len: u64) -> Self {
        Self::new(
            gpu,
            dtype,
            first,
            &vec![FILL; (len * dtype.size()) as usize],
        )
    }

    fn operand(&self) -> Operand<'_> {
        Operand::new(&self.buffer, self.first * self.dtype.size(), self.len)
    }

    /// The elements; an error where what lies around them was written.
    fn read(&self, gpu: &Gpu, name: &str) -> Result<Vec<u8>, String> {
        let bytes = bytemuck::pod_collect_to_vec::<u32, u8>(&download(gpu, &self.buffer));
        let from = (self.first * self.dtype.size()) as usize;
        let to = from + (self.len * self.dtype.size()) as usize;
        if bytes[..from]
            .iter()
            .chain(&bytes[to..])
            .any(|byte| *byte != FILL)
        {
            return Err(format!("what lies beside {name} was written"));
        }
        Ok(bytes[from..to].to_vec())
    }
}

impl Case {
    /// The length of an operand of a kind.
    fn length(&self, kind: usize) -> u64 {
        let Layout {
            outer,
            channels,
            inner,
        } = self.layout;
        [1, channels, outer * channels, outer * channels * inner][kind]
    }

    /// Where in an operand of a kind an element's value is.
    fn index(&self, kind: usize, element: usize) -> usize {
        let row = element / self.layout.inner as usize;
        [0, row % self.layout.channels as usize, row, element][kind]
    }

    pub(crate) fn inputs(&self) -> Inputs {
        let draw = |number: u64, dtype, kind, range: Option<(f32, f32)>| {
            let bits =
                (0..self.length(kind) as usize).map(|i| noise(self.seed + (number << 20), i));
            let values = bits.map(|bits| match range {
                Some((low, high)) => low + (bits >> 40) as f32 / (1u64 << 24) as f32 * (high - low),
                None => element(self.data, bits),
            });
            stored(dtype, values)
        };
        let args = self.args.iter().zip(2..);
        Inputs {
            x: draw(0, self.dtypes.x, 3, None),
            dy: draw(1, self.dtypes.dy, 3, None),
            args: args
                .map(|(Arg { take, range, .. }, number)| {
                    draw(number, take.dtype, take.kind, *range)
                })
                .collect(),
        }
    }

    /// The operands' values, for the reference.
    fn values(&self, inputs: &Inputs) -> Values {
        let [seed, offset] = self.random;
        let values = Values::new().layout(self.layout).random(seed, offset);
        let args = self.args.iter().zip(&inputs.args);
        args.fold(values, |values, (arg, data)| values.arg(&arg.name, data))
    }

    /// Both passes, backward with gradients and without.
    pub(crate) fn run(&self, gpu: &Gpu, inputs: &Inputs) -> Result<Outputs, String> {
        // wgpu panics where a thread waits for GL's context for more than 6 s, and compiling a large kernel
        // takes that on a busy machine: one case at a time there.
        static CONTEXT: Mutex<()> = Mutex::new(());
        let gl = gpu.device().adapter_info().backend == wgpu::Backend::Gl;
        let _alone = gl.then(|| CONTEXT.lock().unwrap_or_else(PoisonError::into_inner));
        // Kernels of its own: those of all cases together would take gigabytes.
        let kernels = Kernels::new(gpu.device());
        let (y, _) = self.pass(gpu, &kernels, Pass::Forward, inputs, false)?;
        let (dx, grads) = self.pass(gpu, &kernels, Pass::Backward, inputs, true)?;
        let (alone, _) = self.pass(gpu, &kernels, Pass::Backward, inputs, false)?;
        Ok(Outputs {
            y,
            dx,
            alone,
            grads,
            same: !gl,
        })
    }

    /// y or dx, and gradients.
    fn pass(
        &self,
        gpu: &Gpu,
        kernels: &Kernels,
        pass: Pass,
        inputs: &Inputs,
        gradients: bool,
    ) -> Result<(Vec<u8>, Vec<Gradient>), String> {
        let text = |e: Error| e.to_string();
        let DTypes { x, y, dy, dx } = self.dtypes;
        let [at_x, at_y, at_dy, at_dx] = self.first;
        let memory = |dtype, first, data| Memory::new(gpu, dtype, first, &packed(dtype, data));
        let (mx, mdy) = (memory(x, at_x, &inputs.x), memory(dy, at_dy, &inputs.dy));
        let forward = pass == Pass::Forward;
        let (name, dtype, first, source) = if forward {
            ("y", y, at_y, &mx)
        } else {
            ("dx", dx, at_dx, &mdy)
        };
        let apart;
        let target = if self.in_place && source.dtype == dtype {
            source
        } else {
            apart = Memory::blank(gpu, dtype, first, mx.len);
            &apart
        };
        let args = self.args.iter().zip(&inputs.args);
        let args = args.map(|(arg, data)| (arg, memory(arg.take.dtype, arg.take.first, data)));
        let args: Vec<(&Arg, Memory)> = args.collect();
        let asked = self.args.iter().filter(|_| gradients).filter_map(|arg| {
            let (dtype, first) = arg.take.grad?;
            Some((
                arg,
                Memory::blank(gpu, dtype, first, self.length(arg.take.kind)),
            ))
        });
        let grads: Vec<(&Arg, Memory)> = asked.collect();

        let [seed, offset] = self.random;
        let mut operands = Operands::new()
            .x(mx.operand())
            .layout(self.layout)
            .random(seed, offset);
        operands = match forward {
            true => operands.y(target.operand()),
            false => operands.dy(mdy.operand()).dx(target.operand()),
        };
        for (arg, memory) in &args {
            operands = operands.arg(&arg.name, memory.operand(), memory.dtype);
        }
        for (arg, memory) in &grads {
            operands = operands.grad(&arg.name, memory.operand(), memory.dtype);
        }
        let plan = kernels.plan(&self.chain, pass, self.dtypes).map_err(text)?;
        let bound = plan.bind(operands).map_err(text)?;
        submit(gpu, |pass| bound.record(pass));
        let read = grads.iter().map(|(arg, memory)| {
            let found = memory.read(gpu, &format!("d_{}", arg.name))?;
            Ok((arg.name.clone(), memory.dtype, found))
        });
        Ok((
            target.read(gpu, name)?,
            read.collect::<Result<_, String>>()?,
        ))
    }

    /// Compares with the reference.
    pub(crate) fn judge(&self, inputs: &Inputs, outputs: &Outputs) -> Result<(), String> {
        let (chain, values, Inputs { x, dy, .. }) = (&self.chain, self.values(inputs), inputs);
        let verdict = |what: &str, report: Result<Report, Error>| {
            let report = report.map_err(|e| format!("{what}: {e}"))?;
            common::verdict(&report)
                .map_err(|e| format!("{what}: {}", e.message().unwrap_or_default()))
        };
        let compare = |expected: Result<Expected, Error>, dtype, bytes: &[u8]| {
            typed!(dtype, T => {
                let found = bytemuck::pod_collect_to_vec::<u8, T>(bytes);
                expected?.compare(&found)
            })
        };
        let expected = Expected::forward_with(chain, x, &values);
        verdict("y", compare(expected, self.dtypes.y, &outputs.y))?;
        for (what, dx) in [
            ("dx", &outputs.dx),
            ("dx without gradients", &outputs.alone),
        ] {
            let expected = Expected::backward_with(chain, x, dy, &values);
            verdict(what, compare(expected, self.dtypes.dx, dx))?;
        }
        for (name, dtype, bytes) in &outputs.grads {
            let report = typed!(*dtype, T => {
                let found = bytemuck::pod_collect_to_vec::<u8, T>(bytes);
                check::gradient(chain, x, dy, &values, name, &found)
            });
            verdict(&format!("gradient of {name}"), report)?;
        }
        let size = self.dtypes.dx.size() as usize;
        let pairs = outputs.dx.chunks(size).zip(outputs.alone.chunks(size));
        for (at, (dx, alone)) in pairs.enumerate() {
            // Where something that a kernel reads is NaN, dx is; without gradients it reads less.
            let reads_nan = || {
                let mut args = self.args.iter().zip(&inputs.args);
                args.any(|(arg, data)| data[self.index(arg.take.kind, at)].is_nan())
            };
            if outputs.same && dx != alone && !reads_nan() {
                return Err(format!(
                    "dx[{at}] is {dx:02x?} where gradients are asked for, else {alone:02x?}"
                ));
            }
        }
        Ok(())
    }
}
