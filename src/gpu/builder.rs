//! How a device is opened.

use super::adapters::{adapters_async, describe};
use super::device::Gpu;
use super::kernels::Kernels;
#[cfg(not(target_arch = "wasm32"))]
use super::stored::Stored;
use crate::error::{DeviceError, Error};
#[cfg(not(target_arch = "wasm32"))]
use std::path::PathBuf;

/// How a [`Gpu`] is to be opened.
///
/// ```no_run
/// let gpu = nonlin::Gpu::builder().adapter("llvmpipe").cache("/var/cache/my_program").open()?;
/// # Ok::<(), nonlin::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct GpuBuilder {
    adapter: Option<String>,
    features: wgpu::Features,
    #[cfg(not(target_arch = "wasm32"))]
    cache: Option<PathBuf>,
}

impl GpuBuilder {
    /// The first adapter whose [description](describe) contains a text, in upper or lower case. Without it, that is the
    /// text of `WGPU_ADAPTER_NAME`, and where that is not set, the best adapter is opened: hardware before software.
    #[must_use]
    pub fn adapter(self, text: impl Into<String>) -> Self {
        let adapter = Some(text.into());
        GpuBuilder { adapter, ..self }
    }

    /// Opens the device with those of these features that the adapter has. nonlin itself needs none.
    #[must_use]
    pub fn features(self, features: wgpu::Features) -> Self {
        GpuBuilder { features, ..self }
    }

    /// Keeps what the driver compiles in this folder, so that the next process need not compile it again. Nothing is read or
    /// written unless this asks for it, nor where wgpu has no pipeline caches: Vulkan has them, Metal, DX12 and GL do not.
    /// Most drivers of desktops keep a cache of their own, beside which this changes little; those of phones do not.
    ///
    /// The folder, which is made if need be, should be the user's own, as a folder below `$XDG_CACHE_HOME` is. It gets one
    /// file for each kind of adapter, of 32 MiB at most, which takes the place of the one before at once, and can be deleted at
    /// any time. The doors for slices that block write it when something was compiled;
    /// [`write_cache`](Gpu::write_cache) does for programs that plan for themselves. A file is believed if it is whole and
    /// of the same adapter and driver, and if nobody but its owner may write there; otherwise it is as if there were none.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub fn cache(self, folder: impl Into<PathBuf>) -> Self {
        let cache = Some(folder.into());
        GpuBuilder { cache, ..self }
    }

    /// Opens the device, with all of the adapter's limits.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::Refused`]. What is wrong with a cache is no error: there is none then.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn open(&self) -> Result<Gpu, Error> {
        pollster::block_on(self.open_async())
    }

    /// [`open`](Self::open) as a future.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_async(&self) -> Result<Gpu, Error> {
        let of_environment = || std::env::var("WGPU_ADAPTER_NAME").ok();
        let wanted = self.adapter.clone();
        let wanted = wanted.or_else(|| of_environment().filter(|text| !text.is_empty()));
        let text = wanted.as_deref().unwrap_or("").to_lowercase();
        let mut found = Vec::new();
        for adapter in adapters_async().await {
            let description = describe(&adapter.get_info());
            if description.to_lowercase().contains(&text) {
                return self.open_on_async(&adapter).await;
            }
            found.push(description);
        }
        Err(Error::Device(DeviceError::NoAdapter { wanted, found }))
    }

    /// The same on this adapter.
    pub(super) async fn open_on_async(&self, adapter: &wgpu::Adapter) -> Result<Gpu, Error> {
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("nonlin"),
            required_features: self.wanted() & adapter.features(),
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
        let kernels = Kernels::new(&device);
        Ok(self.with_cache(Gpu::of(device, queue, kernels)))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn wanted(&self) -> wgpu::Features {
        match self.cache {
            Some(_) => self.features | wgpu::Features::PIPELINE_CACHE,
            None => self.features,
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn with_cache(&self, gpu: Gpu) -> Gpu {
        let folder = self.cache.as_deref();
        match folder.and_then(|folder| Stored::open(gpu.device(), folder)) {
            Some(stored) => gpu.with_stored(stored),
            None => gpu,
        }
    }

    #[cfg(target_arch = "wasm32")]
    fn wanted(&self) -> wgpu::Features {
        self.features
    }

    #[cfg(target_arch = "wasm32")]
    fn with_cache(&self, gpu: Gpu) -> Gpu {
        gpu
    }
}
