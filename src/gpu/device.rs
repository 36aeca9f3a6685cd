//! A device for callers who have none of their own: opened, and its buffers written and read.

use super::bind::Bound;
use super::builder::GpuBuilder;
use super::kernels::Kernels;
#[cfg(not(target_arch = "wasm32"))]
use super::stored::Stored;
use super::wait::{mapped, watched};
use crate::error::{DeviceError, Error};
use crate::plan::limits::{Geometry, Limits};
use crate::tensor::dtype::Element;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::Arc;

/// A device with its queue and kernels, for callers who have none of their own.
#[derive(Clone, Debug)]
pub struct Gpu {
    device: wgpu::Device,
    queue: wgpu::Queue,
    kernels: Kernels,
    /// The pipeline cache that the kernels go through, and its file.
    #[cfg(not(target_arch = "wasm32"))]
    stored: Option<Arc<Stored>>,
}

impl Gpu {
    /// Says more of what is to be opened than [`new`](Self::new) and its like: a cache in a folder, features.
    pub fn builder() -> GpuBuilder {
        GpuBuilder::default()
    }

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
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Self, Error> {
        pollster::block_on(Self::new_async())
    }

    /// [`new`](Self::new) as a future, which is what there is on the web.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::Refused`].
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), nonlin::Error> {
    /// let gpu = nonlin::Gpu::new_async().await?;
    /// let y = gpu.forward_async(&"scale(0.5) | silu".parse()?, &[1.0, 2.0, 3.0]).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn new_async() -> Result<Self, Error> {
        Self::builder().open_async().await
    }

    /// Opens the first adapter whose [description](crate::describe) contains a text, in upper or lower case.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::Refused`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_adapter(text: &str) -> Result<Self, Error> {
        pollster::block_on(Self::with_adapter_async(text))
    }

    /// [`with_adapter`](Self::with_adapter) as a future.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::Refused`].
    pub async fn with_adapter_async(text: &str) -> Result<Self, Error> {
        Self::builder().adapter(text).open_async().await
    }

    /// Opens a device on an adapter, with all of the adapter's limits and no features.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] where the driver refuses.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        pollster::block_on(Self::open_async(adapter))
    }

    /// [`open`](Self::open) as a future.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] where the driver refuses.
    pub async fn open_async(adapter: &wgpu::Adapter) -> Result<Self, Error> {
        Gpu::builder().open_on_async(adapter).await
    }

    /// Uses a device that is there already.
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        let kernels = Kernels::new(&device);
        Self::of(device, queue, kernels)
    }

    pub(super) fn of(device: wgpu::Device, queue: wgpu::Queue, kernels: Kernels) -> Self {
        Gpu {
            device,
            queue,
            kernels,
            #[cfg(not(target_arch = "wasm32"))]
            stored: None,
        }
    }

    /// The same with kernels that go through a pipeline cache, if there is one.
    fn with_kernels(self, kernels: Kernels) -> Self {
        #[cfg(not(target_arch = "wasm32"))]
        let kernels = match &self.stored {
            Some(stored) => kernels.with_pipeline_cache(stored.cache()),
            None => kernels,
        };
        Gpu { kernels, ..self }
    }

    /// The same with a pipeline cache in a file.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn with_stored(self, stored: Stored) -> Self {
        let kernels = self.kernels.clone();
        let stored = Some(Arc::new(stored));
        Gpu { stored, ..self }.with_kernels(kernels)
    }

    /// Writes the file of the [cache](GpuBuilder::cache), if there is one, and something was compiled since it was written.
    /// The doors for slices that block do so by themselves.
    ///
    /// # Errors
    /// Those of the file system. What was in the file's place stays then.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn write_cache(&self) -> std::io::Result<()> {
        let compiled = self.kernels.compiled();
        self.stored
            .as_ref()
            .map_or(Ok(()), |stored| stored.write(compiled))
    }

    /// The same device with kernels of another geometry.
    ///
    /// # Errors
    /// [`DeviceError::BadGeometry`].
    pub fn with_geometry(self, geometry: Geometry) -> Result<Self, Error> {
        let kernels = Kernels::with_geometry(&self.device, geometry)?;
        Ok(self.with_kernels(kernels))
    }

    /// The same device with limits of the caller's choice ([`Kernels::with_limits`]).
    ///
    /// # Errors
    /// [`DeviceError::BadLimit`].
    pub fn with_limits(self, limits: Limits) -> Result<Self, Error> {
        let kernels = Kernels::with_limits(&self.device, limits)?;
        Ok(self.with_kernels(kernels))
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
    pub(super) fn write(&self, buffer: &wgpu::Buffer, bytes: &[u8]) {
        let (whole, rest) = bytes.split_at(bytes.len() / 4 * 4);
        self.queue.write_buffer(buffer, 0, whole);
        if !rest.is_empty() {
            let mut word = [0; 4];
            word[..rest.len()].copy_from_slice(rest);
            self.queue.write_buffer(buffer, whole.len() as u64, &word);
        }
    }

    /// Runs a bound plan once.
    pub(super) fn submit(&self, bound: &Bound) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        bound.record(&mut encoder.begin_compute_pass(&Default::default()));
        self.queue.submit([encoder.finish()]);
    }

    /// The first `count` elements of `target`.
    pub(super) async fn read<T: Element>(
        &self,
        target: &wgpu::Buffer,
        readback: &wgpu::Buffer,
        count: usize,
    ) -> Result<Vec<T>, Error> {
        let bytes = ((count * size_of::<T>()) as u64).next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT);
        let copied = watched(&self.device, "reading the result", || {
            let mut encoder = self.device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(target, 0, readback, 0, bytes);
            self.queue.submit([encoder.finish()]);
            Ok(())
        });
        copied.await?;
        mapped(&self.device, readback, bytes).await?;
        let taken = watched(&self.device, "reading the result", || {
            let view = readback.get_mapped_range(..bytes).map_err(|error| {
                Error::Device(DeviceError::Refused {
                    doing: "reading the result",
                    message: error.to_string(),
                })
            })?;
            let result = bytemuck::cast_slice(&view)[..count].to_vec();
            drop(view);
            readback.unmap();
            Ok(result)
        });
        taken.await
    }
}
