//! The blocking door: slices in, vectors out.

use super::adapters::{adapters, describe};
use super::bind::Bound;
use super::guarded;
use super::kernels::Kernels;
use crate::chain::Chain;
use crate::error::{DeviceError, Error, same_length};
use crate::pass::Pass;
use crate::plan::limits::Geometry;
use crate::plan::operand::Operand;
use crate::plan::operands::Operands;
use crate::plan::placed::missing;
use crate::tensor::dtype::{DType, Element};
use crate::tensor::values::Values;

/// Elements that are on the device at one time: 64 MiB an f32 operand.
const CHUNK: usize = 16 << 20;

/// A device with its queue and kernels, for callers who have none of their own.
#[derive(Clone, Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
}

impl Gpu {
    /// Opens the best adapter: hardware before software. `WGPU_ADAPTER_NAME`, where it is set, is the
    /// text of [`with_adapter`](Self::with_adapter).
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::Refused`].
    ///
    /// ```no_run
    /// let gpu = nonlin::Gpu::new()?;
    /// let y = gpu.forward(&"scale(0.5) | silu".parse()?, &[1.0, 2.0, 3.0])?;
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    pub fn new() -> Result<Self, Error> {
        Self::find(
            std::env::var("WGPU_ADAPTER_NAME")
                .ok()
                .filter(|text| !text.is_empty()),
        )
    }

    /// Opens the first adapter whose [description](describe) contains a text, in upper or lower case.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::Refused`].
    pub fn with_adapter(text: &str) -> Result<Self, Error> {
        Self::find(Some(text.to_owned()))
    }

    fn find(wanted: Option<String>) -> Result<Self, Error> {
        let text = wanted.as_deref().unwrap_or("").to_lowercase();
        let mut found = Vec::new();
        for adapter in adapters() {
            let description = describe(&adapter.get_info());
            if description.to_lowercase().contains(&text) {
                return Self::open(&adapter);
            }
            found.push(description);
        }
        Err(Error::Device(DeviceError::NoAdapter { wanted, found }))
    }

    /// Opens a device on an adapter, with all of the adapter's limits and no features.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] where the driver refuses.
    pub fn open(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("nonlin"),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        });
        let (device, queue) = pollster::block_on(request).map_err(|error| {
            Error::Device(DeviceError::Refused {
                doing: "opening a device",
                message: error.to_string(),
            })
        })?;
        let kernels = Kernels::new(&device);
        Ok(Gpu {
            device,
            queue,
            kernels,
        })
    }

    /// Uses a device that is there already.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let kernels = Kernels::new(&device);
        Gpu {
            device,
            queue,
            kernels,
        }
    }

    /// The same device with kernels of another geometry.
    ///
    /// # Errors
    /// [`DeviceError::BadGeometry`].
    pub fn with_geometry(self, geometry: Geometry) -> Result<Self, Error> {
        let kernels = Kernels::with_geometry(&self.device, geometry)?;
        Ok(Gpu { kernels, ..self })
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The device's queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// The device's kernels.
    pub fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// The chain's value for each element of `x`: of f32, `half::f16` or `half::bf16`. Blocks until it is
    /// there; any length will do.
    ///
    /// # Errors
    /// Those of [`Kernels::plan`]; [`DeviceError::Refused`] where the device has no memory or is lost.
    pub fn forward<T: Element>(&self, chain: &Chain, x: &[T]) -> Result<Vec<T>, Error> {
        if chain.is_random() || chain.row().is_some() {
            return self.forward_with(chain, x, &Values::new());
        }
        self.run(chain, Pass::Forward, &[x])
    }

    /// The chain's value, with the values of its operands. All of it has to fit on the device.
    ///
    /// # Errors
    /// Those of [`Kernels::plan`] and [`Plan::bind`](crate::Plan::bind).
    pub fn forward_with<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        values: &Values,
    ) -> Result<Vec<T>, Error> {
        Ok(self.run_with(chain, Pass::Forward, &[x], values, &[])?.0)
    }

    /// The gradients with respect to `x` and to operands by name, with the values of all operands.
    /// Gradients of operands are f32, in the order in which they are asked for. All of it has to fit on
    /// the device.
    ///
    /// # Errors
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch), and those of
    /// [`forward_with`](Self::forward_with).
    pub fn backward_with<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        values: &Values,
        gradients: &[&str],
    ) -> Result<(Vec<T>, Vec<Vec<f32>>), Error> {
        same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
        self.run_with(chain, Pass::Backward, &[x, dy], values, gradients)
    }

    /// The gradient with respect to `x`, from the chain's value `y`; for chains of which
    /// [`Chain::supports`] says that it can be had.
    ///
    /// # Errors
    /// [`ChainError::NeedsInput`](crate::ChainError::NeedsInput), and those of [`backward`](Self::backward).
    pub fn backward_from_y<T: Element>(
        &self,
        chain: &Chain,
        y: &[T],
        dy: &[T],
    ) -> Result<Vec<T>, Error> {
        same_length("y", y.len() as u64, "dy", dy.len() as u64)?;
        if chain.row().is_some() {
            return self.backward_from_y_with(chain, y, dy, &Values::new());
        }
        self.run(chain, Pass::BackwardFromY, &[y, dy])
    }

    /// The same for rows that lie as the values' layout says.
    ///
    /// # Errors
    /// As [`backward_from_y`](Self::backward_from_y).
    pub fn backward_from_y_with<T: Element>(
        &self,
        chain: &Chain,
        y: &[T],
        dy: &[T],
        values: &Values,
    ) -> Result<Vec<T>, Error> {
        same_length("y", y.len() as u64, "dy", dy.len() as u64)?;
        Ok(self
            .run_with(chain, Pass::BackwardFromY, &[y, dy], values, &[])?
            .0)
    }

    /// The gradient with respect to `x`, given that with respect to the chain's value. Blocks until it is
    /// there; any length will do.
    ///
    /// # Errors
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch), and those of [`forward`](Self::forward).
    pub fn backward<T: Element>(&self, chain: &Chain, x: &[T], dy: &[T]) -> Result<Vec<T>, Error> {
        same_length("x", x.len() as u64, "dy", dy.len() as u64)?;
        if chain.is_random() || chain.row().is_some() {
            return Ok(self.backward_with(chain, x, dy, &Values::new(), &[])?.0);
        }
        self.run(chain, Pass::Backward, &[x, dy])
    }

    fn run<T: Element>(&self, chain: &Chain, pass: Pass, inputs: &[&[T]]) -> Result<Vec<T>, Error> {
        let plan = self.kernels.plan(chain, pass, T::DTYPE)?;
        let len = inputs[0].len();
        let limit = self.device.limits().max_buffer_size / T::DTYPE.size();
        let chunk = len.min(CHUNK).min(limit as usize / 4 * 4);
        let mut result = Vec::with_capacity(len);
        if len == 0 {
            return Ok(result);
        }
        let usage = wgpu::BufferUsages::STORAGE;
        // Whole words, so that the last one has room.
        let size = (chunk.next_multiple_of(4) * size_of::<T>()) as u64;
        guarded(&self.device, "running a chain", || {
            let buffer = |label, usage| {
                let descriptor = wgpu::BufferDescriptor {
                    label,
                    size,
                    usage,
                    mapped_at_creation: false,
                };
                self.device.create_buffer(&descriptor)
            };
            let sources: Vec<_> = inputs
                .iter()
                .map(|_| buffer(Some("nonlin input"), usage | wgpu::BufferUsages::COPY_DST))
                .collect();
            let target = buffer(Some("nonlin output"), usage | wgpu::BufferUsages::COPY_SRC);
            let readback = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let readback = buffer(Some("nonlin readback"), readback);
            for start in (0..len).step_by(chunk) {
                let count = chunk.min(len - start);
                for (source, input) in sources.iter().zip(inputs) {
                    self.write(source, bytemuck::cast_slice(&input[start..start + count]));
                }
                let operands = operands(pass, &sources, &target, count as u64);
                self.submit(&plan.bind(operands)?);
                result.extend(self.read::<T>(&target, &readback, count)?);
            }
            Ok(result)
        })
    }

    /// A buffer with room for so many bytes, in whole words of four elements.
    pub(super) fn buffer(
        &self,
        what: &str,
        bytes: usize,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, Error> {
        let limit = self.device.limits().max_buffer_size;
        let size = bytes.max(4).next_multiple_of(16) as u64;
        if size > limit {
            return Err(Error::Device(DeviceError::TooLarge {
                what: what.to_owned(),
                bytes: size,
                limit,
            }));
        }
        Ok(self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(what),
            size,
            usage,
            mapped_at_creation: false,
        }))
    }

    /// A buffer with these bytes in it.
    pub(super) fn upload(
        &self,
        what: &str,
        bytes: &[u8],
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, Error> {
        let buffer = self.buffer(what, bytes.len(), usage)?;
        self.write(&buffer, bytes);
        Ok(buffer)
    }

    /// Writes bytes to a buffer's beginning. wgpu writes whole 32-bit words: half a word is filled up.
    fn write(&self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        let (whole, rest) = bytes.split_at(bytes.len() / 4 * 4);
        self.queue.write_buffer(buffer, 0, whole);
        if !rest.is_empty() {
            let mut word = [0; 4];
            word[..rest.len()].copy_from_slice(rest);
            self.queue.write_buffer(buffer, whole.len() as u64, &word);
        }
    }

    /// The same for chains with operands, in one go.
    fn run_with<T: Element>(
        &self,
        chain: &Chain,
        pass: Pass,
        inputs: &[&[T]],
        values: &Values,
        gradients: &[&str],
    ) -> Result<(Vec<T>, Vec<Vec<f32>>), Error> {
        let plan = self.kernels.plan(chain, pass, T::DTYPE)?;
        let len = inputs[0].len();
        guarded(&self.device, "running a chain", || {
            let read = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
            let upload = |bytes: &[u8]| self.upload("nonlin input", bytes, read);
            let written = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
            let output = |what, bytes| self.buffer(what, bytes, written);
            let sources = inputs.iter();
            let sources: Vec<_> = sources
                .map(|input| upload(bytemuck::cast_slice(input)))
                .collect::<Result<_, _>>()?;
            let target = output("nonlin output", size_of_val(inputs[0]))?;
            let args = values.args.iter().map(|value| upload(&value.bytes));
            let args: Vec<_> = args.collect::<Result<_, _>>()?;
            let mut grads = Vec::new();
            for name in gradients {
                let value = values.args.iter().find(|value| value.name == *name);
                let value = value.ok_or_else(|| missing(pass, &format!("@{name}")))?;
                let count = value.values.len();
                grads.push((*name, output("nonlin gradient", count * 4)?, count));
            }

            let mut operands = with_values(operands(pass, &sources, &target, len as u64), values);
            for (value, buffer) in values.args.iter().zip(&args) {
                let operand = Operand::new(buffer, 0, value.values.len() as u64);
                operands = operands.arg(&value.name, operand, value.dtype);
            }
            for (name, buffer, count) in &grads {
                let operand = Operand::new(buffer, 0, *count as u64);
                operands = operands.grad(name, operand, DType::F32);
            }
            let bound = plan.bind(operands)?;
            if len == 0 {
                let zeros = grads.iter().map(|(.., count)| vec![0.0; *count]);
                return Ok((Vec::new(), zeros.collect()));
            }
            self.submit(&bound);
            let sizes = grads.iter().map(|(.., count)| count * 4);
            let largest = sizes.fold(size_of_val(inputs[0]), usize::max);
            let readback = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let readback = self.buffer("nonlin readback", largest, readback)?;
            let result = self.read(&target, &readback, len)?;
            let grads = grads.iter();
            let grads = grads.map(|(_, buffer, count)| self.read(buffer, &readback, *count));
            Ok((result, grads.collect::<Result<_, _>>()?))
        })
    }

    /// Runs a bound plan once.
    pub(super) fn submit(&self, bound: &Bound) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        bound.record(&mut encoder.begin_compute_pass(&Default::default()));
        self.queue.submit([encoder.finish()]);
    }

    /// The first `count` elements of `target`.
    pub(super) fn read<T: Element>(
        &self,
        target: &wgpu::Buffer,
        readback: &wgpu::Buffer,
        count: usize,
    ) -> Result<Vec<T>, Error> {
        let failed = |message: String| {
            Error::Device(DeviceError::Refused {
                doing: "reading the result",
                message,
            })
        };
        let bytes = ((count * size_of::<T>()) as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(target, 0, readback, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        readback.map_async(wgpu::MapMode::Read, ..bytes, move |mapped| {
            _ = sender.send(mapped)
        });
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|e| failed(e.to_string()))?;
        // Another thread that polls the same device may be the one that answers, and just about to.
        match receiver.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the device did not answer".into())),
        }
        let view = readback
            .get_mapped_range(..bytes)
            .map_err(|e| failed(e.to_string()))?;
        let result = bytemuck::cast_slice(&view)[..count].to_vec();
        drop(view);
        readback.unmap();
        Ok(result)
    }
}

/// The same with the values' layout and random numbers.
fn with_values<'a>(mut operands: Operands<'a>, values: &'a Values) -> Operands<'a> {
    if let Some(layout) = values.layout {
        operands = operands.layout(layout);
    }
    if let Some(rows) = values.queries {
        operands = operands.queries(rows);
    }
    for (name, broadcast) in &values.broadcasts {
        operands = operands.broadcast(name, *broadcast);
    }
    let [seed, offset] = values.random;
    operands.random(seed, offset)
}

/// The operands of a pass, each at the beginning of its buffer.
fn operands<'a>(
    pass: Pass,
    sources: &'a [wgpu::Buffer],
    target: &'a wgpu::Buffer,
    len: u64,
) -> Operands<'a> {
    let at = |buffer| Operand::new(buffer, 0, len);
    let operands = Operands::new();
    match pass {
        Pass::Forward => operands.x(at(&sources[0])).y(at(target)),
        Pass::Backward => operands
            .x(at(&sources[0]))
            .dy(at(&sources[1]))
            .dx(at(target)),
        Pass::BackwardFromY => operands
            .y(at(&sources[0]))
            .dy(at(&sources[1]))
            .dx(at(target)),
    }
}
