//! The door for slices, of layers.

use super::device::Gpu;
use super::layer_plan::LayerPlan;
use super::wait::{self, watched};
use crate::error::Error;
use crate::layers::{Images, Layer, Parameters, has_parameters, has_shape};
use crate::pass::Pass;
use crate::plan::layer_operands::LayerOperands;
use crate::plan::operand::Operand;
use crate::tensor::dtype::Element;

impl Gpu {
    /// A layer's value for images of f32, `half::f16` or `half::bf16`, and the running statistics as they are then,
    /// if it trains any. Blocks until it is there.
    ///
    /// # Errors
    /// Those of [`Layer::forward`], of [`Kernels::layer`](crate::Kernels::layer) and of
    /// [`LayerPlan::bind`](crate::LayerPlan::bind).
    ///
    /// ```no_run
    /// use nonlin::layers::{Frelu, Images, Layer, Parameters};
    ///
    /// let gpu = nonlin::Gpu::new()?;
    /// let layer = Layer::from(Frelu { norm: None, ..Frelu::default() });
    /// let parameters = Parameters::new().with("weight", &[0.25f32; 9]);
    /// let (y, _) = gpu.layer_forward(&layer, &Images::nchw(1, 1, 4, 4), &parameters, &[1.0f32; 16])?;
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    #[cfg(not(target_arch = "wasm32"))]
    pub fn layer_forward<T: Element>(
        &self,
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[T],
    ) -> Result<(Vec<T>, Parameters), Error> {
        let run = self.run_layer(layer, images, parameters, x, None);
        self.waited(run)
    }

    /// [`layer_forward`](Self::layer_forward) as a future.
    ///
    /// # Errors
    /// As [`layer_forward`](Self::layer_forward).
    pub async fn layer_forward_async<T: Element>(
        &self,
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[T],
    ) -> Result<(Vec<T>, Parameters), Error> {
        let run = self.run_layer(layer, images, parameters, x, None);
        wait::polled(self.device(), run).await
    }

    /// The gradient with respect to `x`, given that with respect to the layer's value, and those of the learned
    /// parameters.
    ///
    /// # Errors
    /// Those of [`layer_forward`](Self::layer_forward).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn layer_backward<T: Element>(
        &self,
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[T],
        dy: &[T],
    ) -> Result<(Vec<T>, Parameters), Error> {
        let run = self.run_layer(layer, images, parameters, x, Some(dy));
        self.waited(run)
    }

    /// [`layer_backward`](Self::layer_backward) as a future.
    ///
    /// # Errors
    /// As [`layer_backward`](Self::layer_backward).
    pub async fn layer_backward_async<T: Element>(
        &self,
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[T],
        dy: &[T],
    ) -> Result<(Vec<T>, Parameters), Error> {
        let run = self.run_layer(layer, images, parameters, x, Some(dy));
        wait::polled(self.device(), run).await
    }

    async fn run_layer<T: Element>(
        &self,
        layer: &Layer,
        images: &Images,
        parameters: &Parameters,
        x: &[T],
        dy: Option<&[T]>,
    ) -> Result<(Vec<T>, Parameters), Error> {
        images.elements()?;
        has_parameters(layer, images, parameters)?;
        has_shape("x", &images.shape(), x.len())?;
        if let Some(dy) = dy {
            has_shape("dy", &images.shape(), dy.len())?;
        }
        let run = watched(self.device(), "running a layer", || {
            let plan = |pass| self.kernels().layer(layer, images, pass, T::DTYPE);
            let forward = plan(Pass::Forward)?;
            let buffers = Buffers::new(self, &forward, parameters, x)?;
            self.submit(&forward.bind(buffers.forward(&forward))?);
            if let Some(dy) = dy {
                let backward = plan(Pass::Backward)?;
                let dy = self.upload("dy", bytemuck::cast_slice(dy), usage())?;
                self.submit(&backward.bind(buffers.backward(&backward, &dy))?);
            }
            let bytes = size_of_val(x).max(buffers.count as usize * 4);
            let readback = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
            let readback = self.buffer("a readback", bytes, readback)?;
            Ok((forward, buffers, readback))
        });
        let (forward, buffers, readback) = run.await?;
        let result = self.read(&buffers.output, &readback, x.len()).await?;
        let tensors = match dy {
            Some(_) => &buffers.gradients,
            None => &buffers.parameters,
        };
        let numbers: Vec<f32> = match buffers.count {
            0 => Vec::new(),
            count => self.read(tensors, &readback, count as usize).await?,
        };
        let told = match dy {
            None if !forward.trains() => Parameters::new(),
            _ => tensors_of(&forward, &numbers, dy.is_some()),
        };
        Ok((result, told))
    }
}

/// The learned tensors, or the others, out of all parameters or of all their gradients.
fn tensors_of(plan: &LayerPlan, numbers: &[f32], learned: bool) -> Parameters {
    let wanted = plan.parameters();
    let wanted = wanted.filter(|(parameter, _)| parameter.learned == learned);
    wanted.fold(Parameters::new(), |tensors, (parameter, range)| {
        let numbers = &numbers[range.start as usize..range.end as usize];
        tensors.with(&parameter.name, numbers)
    })
}

fn usage() -> wgpu::BufferUsages {
    wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC
}

/// The operands of both passes.
struct Buffers {
    input: wgpu::Buffer,
    /// y, then dx.
    output: wgpu::Buffer,
    parameters: wgpu::Buffer,
    gradients: wgpu::Buffer,
    saved: wgpu::Buffer,
    /// Elements of x, and of all parameters.
    len: u64,
    count: u64,
}

impl Buffers {
    fn new<T: Element>(
        gpu: &Gpu,
        forward: &LayerPlan,
        parameters: &Parameters,
        x: &[T],
    ) -> Result<Self, Error> {
        let mut values = Vec::new();
        for (parameter, _) in forward.parameters() {
            let tensor = parameters.get(&parameter.name).unwrap_or_default();
            values.extend(tensor.iter().map(|value| *value as f32));
        }
        let buffer = |what, bytes| gpu.buffer(what, bytes, usage());
        let upload = |what, bytes: &[u8]| gpu.upload(what, bytes, usage());
        Ok(Buffers {
            parameters: upload("the parameters", bytemuck::cast_slice(&values))?,
            input: upload("x", bytemuck::cast_slice(x))?,
            output: buffer("y", size_of_val(x))?,
            saved: buffer("saved", forward.saved_len() as usize * 4)?,
            gradients: buffer("the gradients", values.len() * 4)?,
            len: x.len() as u64,
            count: values.len() as u64,
        })
    }

    fn forward(&self, plan: &LayerPlan) -> LayerOperands<'_> {
        self.common(plan).y(Operand::new(&self.output, 0, self.len))
    }

    fn backward<'a>(&'a self, plan: &LayerPlan, dy: &'a wgpu::Buffer) -> LayerOperands<'a> {
        self.common(plan)
            .dy(Operand::new(dy, 0, self.len))
            .dx(Operand::new(&self.output, 0, self.len))
            .gradients(Operand::new(&self.gradients, 0, self.count))
    }

    fn common(&self, plan: &LayerPlan) -> LayerOperands<'_> {
        let operands = LayerOperands::new()
            .x(Operand::new(&self.input, 0, self.len))
            .parameters(Operand::new(&self.parameters, 0, self.count));
        match plan.saved_len() {
            0 => operands,
            len => operands.saved(Operand::new(&self.saved, 0, len)),
        }
    }
}
