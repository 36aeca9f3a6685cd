//! The door for slices: slices in, vectors out; blocking, and as futures.

use super::device::Gpu;
use super::plan::Plan;
use super::wait::{self, watched};
use crate::chain::Chain;
use crate::error::{Error, same_length};
use crate::pass::Pass;
use crate::plan::operand::Operand;
use crate::plan::operands::Operands;
use crate::plan::placed::missing;
use crate::tensor::dtype::{DType, Element};
use crate::tensor::values::Values;

/// Elements that are on the device at one time: 64 MiB an f32 operand.
const CHUNK: usize = 16 << 20;

/// What is asked of a chain.
pub(super) struct Ask<'a, T> {
    chain: &'a Chain,
    pass: Pass,
    /// x or y.
    first: &'a [T],
    /// dy and ddx, as far as the pass reads them.
    others: Vec<&'a [T]>,
    /// None for chains that need none: these go in pieces, of any length.
    values: Option<&'a Values>,
    gradients: &'a [&'a str],
}

impl<'a, T> Ask<'a, T> {
    pub(super) fn new(chain: &'a Chain, pass: Pass, first: &'a [T], others: &[&'a [T]]) -> Self {
        Ask {
            chain,
            pass,
            first,
            others: others.to_vec(),
            values: None,
            gradients: &[],
        }
    }

    pub(super) fn with(self, values: &'a Values, gradients: &'a [&'a str]) -> Self {
        Ask {
            values: Some(values),
            gradients,
            ..self
        }
    }

    fn inputs(&self) -> impl Iterator<Item = &'a [T]> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }
}

impl Gpu {
    /// The chain's value for each element of `x`: of f32, `half::f16` or `half::bf16`. Blocks until it is
    /// there; any length will do.
    ///
    /// # Errors
    /// Those of [`Kernels::plan`](crate::Kernels::plan); [`DeviceError::Refused`](crate::DeviceError::Refused) where the
    /// device has no memory or is lost.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn forward<T: Element>(&self, chain: &Chain, x: &[T]) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::Forward, x, &[]);
        Ok(self.wait(&ask)?.0)
    }

    /// [`forward`](Self::forward) as a future.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub async fn forward_async<T: Element>(&self, chain: &Chain, x: &[T]) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::Forward, x, &[]);
        Ok(self.answer(&ask).await?.0)
    }

    /// The chain's value, with the values of its operands. All of it has to fit on the device.
    ///
    /// # Errors
    /// Those of [`Kernels::plan`](crate::Kernels::plan) and [`Plan::bind`](crate::Plan::bind).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn forward_with<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        values: &Values,
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::Forward, x, &[]).with(values, &[]);
        Ok(self.wait(&ask)?.0)
    }

    /// [`forward_with`](Self::forward_with) as a future.
    ///
    /// # Errors
    /// As [`forward_with`](Self::forward_with).
    pub async fn forward_with_async<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        values: &Values,
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::Forward, x, &[]).with(values, &[]);
        Ok(self.answer(&ask).await?.0)
    }

    /// The gradient with respect to `x`, given that with respect to the chain's value. Blocks until it is
    /// there; any length will do.
    ///
    /// # Errors
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch), and those of [`forward`](Self::forward).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn backward<T: Element>(&self, chain: &Chain, x: &[T], dy: &[T]) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::Backward, x, &[dy]);
        Ok(self.wait(&ask)?.0)
    }

    /// [`backward`](Self::backward) as a future.
    ///
    /// # Errors
    /// As [`backward`](Self::backward).
    pub async fn backward_async<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::Backward, x, &[dy]);
        Ok(self.answer(&ask).await?.0)
    }

    /// The gradients with respect to `x` and to operands by name, with the values of all operands.
    /// Gradients of operands are f32, in the order in which they are asked for. All of it has to fit on
    /// the device.
    ///
    /// # Errors
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch), and those of
    /// [`forward_with`](Self::forward_with).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn backward_with<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        values: &Values,
        gradients: &[&str],
    ) -> Result<(Vec<T>, Vec<Vec<f32>>), Error> {
        let ask = Ask::new(chain, Pass::Backward, x, &[dy]).with(values, gradients);
        self.wait(&ask)
    }

    /// [`backward_with`](Self::backward_with) as a future.
    ///
    /// # Errors
    /// As [`backward_with`](Self::backward_with).
    pub async fn backward_with_async<T: Element>(
        &self,
        chain: &Chain,
        x: &[T],
        dy: &[T],
        values: &Values,
        gradients: &[&str],
    ) -> Result<(Vec<T>, Vec<Vec<f32>>), Error> {
        let ask = Ask::new(chain, Pass::Backward, x, &[dy]).with(values, gradients);
        self.answer(&ask).await
    }

    /// The gradient with respect to `x`, from the chain's value `y`; for chains of which
    /// [`Chain::supports`] says that it can be had.
    ///
    /// # Errors
    /// [`ChainError::NeedsInput`](crate::ChainError::NeedsInput), and those of [`backward`](Self::backward).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn backward_from_y<T: Element>(
        &self,
        chain: &Chain,
        y: &[T],
        dy: &[T],
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::BackwardFromY, y, &[dy]);
        Ok(self.wait(&ask)?.0)
    }

    /// [`backward_from_y`](Self::backward_from_y) as a future.
    ///
    /// # Errors
    /// As [`backward_from_y`](Self::backward_from_y).
    pub async fn backward_from_y_async<T: Element>(
        &self,
        chain: &Chain,
        y: &[T],
        dy: &[T],
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::BackwardFromY, y, &[dy]);
        Ok(self.answer(&ask).await?.0)
    }

    /// The same for rows that lie as the values' layout says.
    ///
    /// # Errors
    /// As [`backward_from_y`](Self::backward_from_y).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn backward_from_y_with<T: Element>(
        &self,
        chain: &Chain,
        y: &[T],
        dy: &[T],
        values: &Values,
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::BackwardFromY, y, &[dy]).with(values, &[]);
        Ok(self.wait(&ask)?.0)
    }

    /// [`backward_from_y_with`](Self::backward_from_y_with) as a future.
    ///
    /// # Errors
    /// As [`backward_from_y_with`](Self::backward_from_y_with).
    pub async fn backward_from_y_with_async<T: Element>(
        &self,
        chain: &Chain,
        y: &[T],
        dy: &[T],
        values: &Values,
    ) -> Result<Vec<T>, Error> {
        let ask = Ask::new(chain, Pass::BackwardFromY, y, &[dy]).with(values, &[]);
        Ok(self.answer(&ask).await?.0)
    }

    /// The answer of a pass that writes one operand, as soon as it is there.
    #[cfg(not(target_arch = "wasm32"))]
    fn wait<T: Element>(&self, ask: &Ask<'_, T>) -> Result<(Vec<T>, Vec<Vec<f32>>), Error> {
        Ok(only(self.waited(self.compute(ask))?))
    }

    /// What a future gives; what was compiled for it is kept, if the device was opened so.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn waited<T>(&self, future: impl Future<Output = T>) -> T {
        let answer = wait::wait(self.device(), future);
        // The answer is there: that the next process may have to compile again is no reason to lose it.
        _ = self.write_cache();
        answer
    }

    async fn answer<T: Element>(&self, ask: &Ask<'_, T>) -> Result<(Vec<T>, Vec<Vec<f32>>), Error> {
        Ok(only(wait::polled(self.device(), self.compute(ask)).await?))
    }

    /// What the pass writes, and the gradients that were asked for.
    pub(super) async fn compute<T: Element>(
        &self,
        ask: &Ask<'_, T>,
    ) -> Result<(Vec<Vec<T>>, Vec<Vec<f32>>), Error> {
        let names = ask.pass.operands();
        for (name, other) in names[1..].iter().zip(&ask.others) {
            let len = ask.first.len() as u64;
            same_length(names[0], len, name, other.len() as u64)?;
        }
        let none = Values::new();
        match ask.values {
            Some(values) => self.run_with(ask, values).await,
            None if ask.chain.is_random() || ask.chain.row().is_some() => {
                self.run_with(ask, &none).await
            }
            None => Ok((self.run(ask).await?, Vec::new())),
        }
    }

    async fn plan<T: Element>(&self, ask: &Ask<'_, T>) -> Result<Plan, Error> {
        let plan = || self.kernels().plan(ask.chain, ask.pass, T::DTYPE);
        watched(self.device(), "compiling a kernel", plan).await
    }

    async fn run<T: Element>(&self, ask: &Ask<'_, T>) -> Result<Vec<Vec<T>>, Error> {
        let plan = self.plan(ask).await?;
        let len = ask.first.len();
        let limit = self.device().limits().max_buffer_size / T::DTYPE.size();
        let chunk = len.min(CHUNK).min(limit as usize / 4 * 4);
        let outputs = ask.pass.outputs();
        let mut results = vec![Vec::with_capacity(len); outputs.len()];
        if len == 0 {
            return Ok(results);
        }
        let bytes = chunk * size_of::<T>();
        let buffers = watched(self.device(), "running a chain", || {
            let sources = ask
                .inputs()
                .map(|_| self.buffer("nonlin input", bytes, READ));
            let targets = outputs
                .iter()
                .map(|_| self.buffer("nonlin output", bytes, WRITTEN));
            Ok((
                sources.collect::<Result<Vec<_>, _>>()?,
                targets.collect::<Result<Vec<_>, _>>()?,
                self.buffer("nonlin readback", bytes, READBACK)?,
            ))
        });
        let (sources, targets, readback) = buffers.await?;
        for start in (0..len).step_by(chunk) {
            let count = chunk.min(len - start);
            let run = watched(self.device(), "running a chain", || {
                for (source, input) in sources.iter().zip(ask.inputs()) {
                    self.write(source, bytemuck::cast_slice(&input[start..start + count]));
                }
                let operands = operands(ask.pass, &sources, &targets, count as u64);
                self.submit(&plan.bind(operands)?);
                Ok(())
            });
            run.await?;
            for (result, target) in results.iter_mut().zip(&targets) {
                result.extend(self.read::<T>(target, &readback, count).await?);
            }
        }
        Ok(results)
    }

    /// The same for chains with operands, in one go.
    async fn run_with<T: Element>(
        &self,
        ask: &Ask<'_, T>,
        values: &Values,
    ) -> Result<(Vec<Vec<T>>, Vec<Vec<f32>>), Error> {
        let plan = self.plan(ask).await?;
        let len = ask.first.len();
        let run = watched(self.device(), "running a chain", || {
            let upload = |bytes: &[u8]| self.upload("nonlin input", bytes, READ);
            let output = |what, bytes| self.buffer(what, bytes, WRITTEN);
            let sources = ask
                .inputs()
                .map(|input| upload(bytemuck::cast_slice(input)));
            let sources: Vec<_> = sources.collect::<Result<_, _>>()?;
            let outputs = ask.pass.outputs().iter();
            let targets = outputs.map(|_| output("nonlin output", size_of_val(ask.first)));
            let targets: Vec<_> = targets.collect::<Result<_, _>>()?;
            let args = values.args.iter().map(|value| upload(&value.bytes));
            let args: Vec<_> = args.collect::<Result<_, _>>()?;
            let mut grads = Vec::new();
            for name in ask.gradients {
                let value = values.args.iter().find(|value| value.name == *name);
                let value = value.ok_or_else(|| missing(ask.pass, &format!("@{name}")))?;
                let count = value.values.len();
                grads.push((*name, output("nonlin gradient", count * 4)?, count));
            }

            let mut operands =
                with_values(operands(ask.pass, &sources, &targets, len as u64), values);
            for (value, buffer) in values.args.iter().zip(&args) {
                let operand = Operand::new(buffer, 0, value.values.len() as u64);
                operands = operands.arg(&value.name, operand, value.dtype);
            }
            for (name, buffer, count) in &grads {
                let operand = Operand::new(buffer, 0, *count as u64);
                operands = operands.grad(name, operand, DType::F32);
            }
            let bound = plan.bind(operands)?;
            if len > 0 {
                self.submit(&bound);
            }
            let sizes = grads.iter().map(|(.., count)| count * 4);
            let largest = sizes.fold(size_of_val(ask.first), usize::max);
            let readback = self.buffer("nonlin readback", largest, READBACK)?;
            Ok((targets, grads, readback))
        });
        let (targets, grads, readback) = run.await?;
        if len == 0 {
            let zeros = grads.iter().map(|(.., count)| vec![0.0; *count]);
            return Ok((vec![Vec::new(); targets.len()], zeros.collect()));
        }
        let (mut results, mut told) = (Vec::new(), Vec::new());
        for target in &targets {
            results.push(self.read(target, &readback, len).await?);
        }
        for (_, buffer, count) in &grads {
            told.push(self.read(buffer, &readback, *count).await?);
        }
        Ok((results, told))
    }
}

const READ: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_DST);
const WRITTEN: wgpu::BufferUsages = wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC);
const READBACK: wgpu::BufferUsages =
    wgpu::BufferUsages::MAP_READ.union(wgpu::BufferUsages::COPY_DST);

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
    targets: &'a [wgpu::Buffer],
    len: u64,
) -> Operands<'a> {
    let at = |buffer| Operand::new(buffer, 0, len);
    let operands = Operands::new();
    match pass {
        Pass::Forward => operands.x(at(&sources[0])).y(at(&targets[0])),
        Pass::Backward => operands
            .x(at(&sources[0]))
            .dy(at(&sources[1]))
            .dx(at(&targets[0])),
        Pass::BackwardFromY => operands
            .y(at(&sources[0]))
            .dy(at(&sources[1]))
            .dx(at(&targets[0])),
        Pass::DoubleBackward => operands
            .x(at(&sources[0]))
            .dy(at(&sources[1]))
            .ddx(at(&sources[2]))
            .ddy(at(&targets[0]))
            .dx(at(&targets[1])),
    }
}

/// The one operand that a pass writes, with the gradients that were asked for.
fn only<T>((results, gradients): (Vec<Vec<T>>, Vec<Vec<f32>>)) -> (Vec<T>, Vec<Vec<f32>>) {
    let mut results = results.into_iter();
    (results.next().unwrap_or_default(), gradients)
}
