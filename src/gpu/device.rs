//! A device for callers who have none of their own: opened, and its buffers written and read.

use super::adapters::{adapters_async, describe};
use super::bind::Bound;
use super::kernels::Kernels;
use super::wait::{mapped, watched};
use crate::error::{DeviceError, Error};
use crate::plan::limits::{Geometry, Limits};
use crate::tensor::dtype::Element;

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
        let wanted = std::env::var("WGPU_ADAPTER_NAME").ok();
        Self::find(wanted.filter(|text| !text.is_empty())).await
    }

    /// Opens the first adapter whose [description](describe) contains a text, in upper or lower case.
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
        Self::find(Some(text.to_owned())).await
    }

    async fn find(wanted: Option<String>) -> Result<Self, Error> {
        let text = wanted.as_deref().unwrap_or("").to_lowercase();
        let mut found = Vec::new();
        for adapter in adapters_async().await {
            let description = describe(&adapter.get_info());
            if description.to_lowercase().contains(&text) {
                return Self::open_async(&adapter).await;
            }
            found.push(description);
        }
        Err(Error::Device(DeviceError::NoAdapter { wanted, found }))
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
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("nonlin"),
            required_limits: adapter.limits(),
            memory_hints: wgpu::MemoryHints::Performance,
            ..Default::default()
        });
        let (device, queue) = request.await.map_err(|error| {
            Error::Device(DeviceError::Refused {
                doing: "opening a device",
                message: error.to_string(),
            })
        })?;
        Ok(Self::from_device(device, queue))
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

    /// The same device with limits of the caller's choice ([`Kernels::with_limits`]).
    ///
    /// # Errors
    /// [`DeviceError::BadLimit`].
    pub fn with_limits(self, limits: Limits) -> Result<Self, Error> {
        let kernels = Kernels::with_limits(&self.device, limits)?;
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
        mapped(readback, bytes).await?;
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
    }
}
