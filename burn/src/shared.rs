//! Devices whose burn takes no WGSL: kernels go to the queue, between burn's own submissions.

use crate::Error;
use crate::recipes::Prepared;
use burn::backend::DispatchDevice;
use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::device::DeviceId;
use burn_cubecl::cubecl::server::Handle;
use burn_cubecl::cubecl::wgpu::{AutoCompiler, WgpuServer};
use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Lets nonlin's kernels run on a device whose burn compiles SPIR-V or MSL, as its features `vulkan` and `metal` do.
///
/// The setup is what the device was made with, or what making it gave. On such a device each operation of nonlin is
/// a submission of its own, behind what burn has queued, which is submitted first: some tens of microseconds more
/// than a launch on burn's stream, which is what devices that take WGSL get, shared or not.
///
/// # Errors
/// [`Error::Device`] for a device that is not one of burn's wgpu.
///
/// ```no_run
/// use burn::tensor::Device;
///
/// let (device, setup) = Device::wgpu_options().init_with_setup()?;
/// nonlin_burn::share(&device, &setup)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn share(device: &Device, setup: &WgpuSetup) -> Result<(), Error> {
    register(device, setup, false)
}

/// The same for all devices, also those that take WGSL: for tests, which have no others.
#[doc(hidden)]
pub fn share_always(device: &Device, setup: &WgpuSetup) -> Result<(), Error> {
    register(device, setup, true)
}

fn register(device: &Device, setup: &WgpuSetup, always: bool) -> Result<(), Error> {
    let mut dispatch = device.as_dispatch();
    while let DispatchDevice::Autodiff(inner) = dispatch {
        dispatch = inner;
    }
    let mut client = None;
    if let DispatchDevice::Cube(device) = dispatch {
        client = Some(device.client());
    }
    let client = client.filter(|client| client.name().starts_with("wgpu"));
    let client = client.ok_or_else(|| Error::Device {
        operand: "the device to share".into(),
        device: format!("{dispatch:?}"),
    })?;
    let shared = Shared {
        device: setup.device.clone(),
        queue: setup.queue.clone(),
        pipelines: Mutex::default(),
        always,
    };
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let id = client.service_id().device;
    all.retain(|(known, _)| *known != id);
    all.push((id, Arc::new(shared)));
    IS_SHARED.store(true, Ordering::Release);
    Ok(())
}

/// Shared devices, by what burn calls them.
static ALL: Mutex<Vec<(DeviceId, Arc<Shared>)>> = Mutex::new(Vec::new());

/// Whether there are any: most programs share nothing, and need not be asked twice.
static IS_SHARED: AtomicBool = AtomicBool::new(false);

/// What a kernel goes to instead of burn's stream, if it must.
pub(crate) fn instead(client: &Client) -> Option<Arc<Shared>> {
    if !IS_SHARED.load(Ordering::Acquire) {
        return None;
    }
    of(client).filter(|shared| shared.always || !takes_wgsl(client))
}

/// Whether kernels of nonlin run on a client's device.
pub(crate) fn runs(client: &Client) -> bool {
    takes_wgsl(client) || of(client).is_some()
}

fn takes_wgsl(client: &Client) -> bool {
    client.name() == "wgpu<wgsl>"
}

/// A device that burn's owner has shared.
pub(crate) struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// By the numbers of kernels' texts.
    pipelines: Mutex<HashMap<u64, wgpu::ComputePipeline>>,
    always: bool,
}

/// The shared device behind a client.
fn of(client: &Client) -> Option<Arc<Shared>> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let id = client.service_id().device;
    // Other runtimes count their devices for themselves.
    let is_wgpu = client.name().starts_with("wgpu");
    let found = all.iter().find(|(known, _)| is_wgpu && *known == id);
    found.map(|(_, shared)| Arc::clone(shared))
}

impl Shared {
    fn pipeline(&self, number: u64, label: &str, text: &str) -> wgpu::ComputePipeline {
        let mut pipelines = self
            .pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let made = pipelines.entry(number).or_insert_with(|| {
            let label = Some(label);
            let module = self
                .device
                .create_shader_module(wgpu::ShaderModuleDescriptor {
                    label,
                    source: wgpu::ShaderSource::Wgsl(text.into()),
                });
            self.device
                .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label,
                    layout: None,
                    module: &module,
                    entry_point: Some("main"),
                    compilation_options: Default::default(),
                    cache: None,
                })
        });
        made.clone()
    }

    /// Submits a recipe. `scratch` is the last of the handles, if the recipe has any.
    ///
    /// burn's rules, and why each line is there:
    /// - All of it runs on the device's own thread (`exclusive`), so that no other thread's operation comes between,
    ///   which may submit, or move a page of memory whose buffer was just asked for.
    /// - Asking for a buffer puts what is queued for its stream into that stream's encoder, but submits nothing:
    ///   the streams of all operands, and our own, are flushed behind it.
    /// - What burn submits later sees what is written here, since queues are in order; memory that is freed when
    ///   this returns is handed on to such later work only.
    pub(crate) fn submit(
        &self,
        client: &Client,
        prepared: &Prepared,
        handles: &[&Handle],
        scratch: Option<&Handle>,
        random: [u64; 2],
    ) {
        let done = client.exclusive(|| -> Result<(), String> {
            let all: Vec<&Handle> = handles.iter().copied().chain(scratch).collect();
            let mut resources = Vec::with_capacity(all.len());
            for handle in &all {
                let resource = client.get_resource::<WgpuServer<AutoCompiler>>((*handle).clone());
                resources.push(resource.map_err(|error| error.to_string())?);
            }
            client.flush().map_err(|error| error.to_string())?;
            let mut flushed = Vec::new();
            for handle in &all {
                if !flushed.contains(&handle.stream) {
                    flushed.push(handle.stream);
                    let done = handle.stream.executes(|| client.flush());
                    done.map_err(|error| error.to_string())?;
                }
            }
            let mut encoder = self.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let dispatches = prepared.recipe.dispatches().iter();
            for (dispatch, kernel) in dispatches.zip(&prepared.kernels) {
                let pipeline = self.pipeline(kernel.number, dispatch.label(), dispatch.wgsl());
                let arguments = self.arguments(&dispatch.arguments_with(random[0], random[1]))?;
                let mut entries = Vec::new();
                for binding in dispatch.bindings() {
                    let at = binding.id().map_or(handles.len(), |id| id as usize);
                    let resource = resources[at].resource();
                    entries.push(wgpu::BindGroupEntry {
                        binding: entries.len() as u32,
                        resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                            buffer: &resource.buffer,
                            offset: resource.offset + binding.offset(),
                            size: NonZeroU64::new(binding.size()),
                        }),
                    });
                }
                entries.push(wgpu::BindGroupEntry {
                    binding: entries.len() as u32,
                    resource: arguments.as_entire_binding(),
                });
                self.record(&mut pass, &pipeline, &entries, dispatch.workgroups());
            }
            drop(pass);
            self.queue.submit([encoder.finish()]);
            Ok(())
        });
        let done = done
            .map_err(|error| error.to_string())
            .and_then(|done| done);
        if let Err(message) = done {
            panic!("nonlin: {message}");
        }
    }

    /// A uniform buffer of a dispatch's arguments.
    fn arguments(&self, words: &[u32]) -> Result<wgpu::Buffer, String> {
        let arguments = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("nonlin arguments"),
            size: words.len() as u64 * 4,
            usage: wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: true,
        });
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut mapped = arguments
            .get_mapped_range_mut(..)
            .map_err(|error| error.to_string())?;
        mapped.copy_from_slice(&bytes);
        drop(mapped);
        arguments.unmap();
        Ok(arguments)
    }

    fn record(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        pipeline: &wgpu::ComputePipeline,
        entries: &[wgpu::BindGroupEntry<'_>],
        [x, y, z]: [u32; 3],
    ) {
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("nonlin operands"),
            layout: &pipeline.get_bind_group_layout(0),
            entries,
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}
