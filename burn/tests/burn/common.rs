//! Devices of burn, one for each adapter, and trials on them.

#[path = "../../../tests/common/trials.rs"]
mod trials;

use burn::tensor::wgpu::{WgpuSetup, wgpu};
use burn::tensor::{Device, Tensor, TensorData};
use libtest_mimic::Failed;
use nonlin::check::Report;
use std::sync::OnceLock;

#[cfg(feature = "vulkan")]
pub(crate) use trials::leave;

pub(crate) type Result<T = ()> = std::result::Result<T, Failed>;

/// The software adapters that the results are promised on, and devices on them that are shared. Nothing is promised of
/// burn's SPIR-V.
#[cfg(not(feature = "vulkan"))]
const EXPECTED: &[&str] = &[
    "lavapipe",
    "lavapipe-shared",
    "swiftshader",
    "swiftshader-shared",
];
#[cfg(feature = "vulkan")]
const EXPECTED: &[&str] = &[];

/// Ends the name of an adapter whose devices are shared.
pub(crate) const SHARED: &str = "-shared";

/// Trials on one device.
pub(crate) type Trials = trials::Trials<Device>;

/// The device that burn's SPIR-V needs, which wgpu cannot be asked for.
#[cfg(feature = "vulkan")]
fn request(adapter: &wgpu::Adapter, _: wgpu::Limits) -> Result<(wgpu::Device, wgpu::Queue)> {
    use burn_cubecl::cubecl::wgpu::vulkan::try_request_vulkan_device;
    let device = pollster::block_on(try_request_vulkan_device(adapter));
    let device = device.map_err(|error| format!("{error:?}"))?;
    device.ok_or_else(|| "the driver lacks what burn's SPIR-V needs".into())
}

#[cfg(not(feature = "vulkan"))]
fn request(adapter: &wgpu::Adapter, limits: wgpu::Limits) -> Result<(wgpu::Device, wgpu::Queue)> {
    let mut features = adapter.features();
    features.remove(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS);
    features.remove(wgpu::Features::all_experimental_mask());
    let request = adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: features,
        required_limits: limits,
        ..Default::default()
    });
    Ok(pollster::block_on(request)?)
}

/// A device of burn on an adapter, with what burn itself would ask for, but for experimental features. Where it
/// submits, nonlin's kernels do not go to burn's stream but to the queue.
fn open(
    instance: &wgpu::Instance,
    adapter: &wgpu::Adapter,
    limits: wgpu::Limits,
    submits: bool,
) -> Result<(Device, WgpuSetup)> {
    let (device, queue) = request(adapter, limits)?;
    let setup = WgpuSetup {
        instance: instance.clone(),
        adapter: adapter.clone(),
        device,
        queue,
        backend: adapter.get_info().backend,
    };
    let opened = Device::wgpu_options().setup(setup.clone()).init()?;
    if submits && cfg!(feature = "vulkan") {
        nonlin_burn::share(&opened, &setup)?;
    } else if submits {
        nonlin_burn::share_always(&opened, &setup)?;
    }
    Ok((opened, setup))
}

/// A device on the adapter of this name that binds so few storage buffers.
pub(crate) fn binds(adapter: &str, buffers: u32) -> Result<Device> {
    let instance = instance();
    let mut found = adapters(&instance).into_iter();
    let found = found.find(|(key, _)| key == adapter);
    let (_, found) = found.ok_or("there is no such adapter")?;
    let limits = wgpu::Limits {
        max_storage_buffers_per_shader_stage: buffers,
        ..found.limits()
    };
    Ok(open(&instance, &found, limits, false)?.0)
}

/// The adapters that burn can use, by their short names.
fn adapters(instance: &wgpu::Instance) -> Vec<(String, wgpu::Adapter)> {
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    // burn asks more of GL than drivers give: its adapters are for machines that have no others.
    if adapters
        .iter()
        .any(|a| a.get_info().backend != wgpu::Backend::Gl)
    {
        adapters.retain(|a| a.get_info().backend != wgpu::Backend::Gl);
    }
    let mut all: Vec<(String, wgpu::Adapter)> = Vec::new();
    for adapter in adapters {
        let key = trials::key(&adapter.get_info());
        if !all.iter().any(|(known, _)| *known == key) {
            all.push((key, adapter));
        }
    }
    all
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env())
}

/// The short names of the adapters that burn can use.
pub(crate) fn names() -> Vec<String> {
    let found = adapters(&instance()).into_iter();
    found.map(|(key, _)| key).collect()
}

/// One more device on an adapter, which is called as its trials are, and what the device was made with.
pub(crate) fn another(adapter: &str) -> Result<(Device, WgpuSetup)> {
    let instance = instance();
    let plain = adapter.trim_end_matches(SHARED);
    let mut found = adapters(&instance).into_iter();
    let found = found.find(|(key, _)| key == plain);
    let (_, found) = found.ok_or("there is no such adapter")?;
    open(&instance, &found, found.limits(), plain != adapter)
}

/// A device that is not shared.
#[cfg(feature = "vulkan")]
pub(crate) fn open_alone(adapter: &str) -> Result<Device> {
    Ok(another(adapter.trim_end_matches(SHARED))?.0)
}

/// The adapters whose driver is right with burn's SPIR-V but for matrix products. Where burn compiles WGSL, nobody says so
/// of any.
static NO_PRODUCTS: OnceLock<Vec<String>> = OnceLock::new();

/// Whether burn's matrix products are right on an adapter.
pub(crate) fn multiplies(adapter: &str) -> bool {
    let none = NO_PRODUCTS.get();
    none.is_none_or(|none| none.iter().all(|known| known != adapter))
}

/// The adapters to try, all or one, and whether their devices are shared.
#[cfg(not(feature = "vulkan"))]
fn to_try(instance: &wgpu::Instance, all: bool) -> Vec<(String, (wgpu::Adapter, bool))> {
    let mut adapters = adapters(instance);
    if !all {
        let shared = |key: &str| format!("{key}{SHARED}");
        adapters.retain(|(key, _)| trials::is_wanted(key) || trials::is_wanted(&shared(key)));
        adapters.truncate(1);
    }
    let mut tried = Vec::new();
    for (key, adapter) in adapters {
        tried.push((key.clone(), (adapter.clone(), false)));
        tried.push((key + SHARED, (adapter, true)));
    }
    tried
}

/// The same where burn compiles SPIR-V: those on which what it does of its own is right, shared.
#[cfg(feature = "vulkan")]
fn to_try(instance: &wgpu::Instance, _: bool) -> Vec<(String, (wgpu::Adapter, bool))> {
    use crate::spirv::{self, Own};
    spirv::try_if_asked();
    let (mut all, mut none) = (Vec::new(), Vec::new());
    for (key, adapter) in adapters(instance) {
        let own = spirv::of(&key);
        let shared = key.clone() + SHARED;
        match &own {
            Own::All => {}
            Own::NoProducts => {
                println!("{key}: matrix products of burn's SPIR-V are wrong; no trial has them");
                none.push(shared.clone());
            }
            Own::Nothing(why) => {
                println!("{key} is left out: burn's own SPIR-V fails on it: {why}");
                continue;
            }
        }
        all.push((shared, (adapter, true)));
    }
    if all.is_empty() {
        eprintln!("burn's own SPIR-V is right on no adapter of this machine");
        leave(2);
    }
    NO_PRODUCTS.get_or_init(|| none);
    all
}

/// Runs the same trials on every Vulkan adapter found, and on those expected; or on the best there is. On one of them where
/// what is tried is in front of drivers, so that one tells as much as all.
pub(crate) fn main(all: bool, add: impl Fn(&mut Trials)) -> ! {
    let instance = instance();
    let tried = to_try(&instance, all);
    // Where there is none, its trials are ignored, or fail if they are asked for.
    let expected = if all || tried.is_empty() {
        EXPECTED
    } else {
        &[]
    };
    let open = |(adapter, submits): &(wgpu::Adapter, bool)| {
        let opened = open(&instance, adapter, adapter.limits(), *submits);
        let opened = opened.map(|(device, _)| device);
        opened.map_err(|error| error.message().unwrap_or("it does not open").to_owned())
    };
    // A thread that calls burn and the device's own wait for each other without sleeping.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    trials::run((cores / 2).max(1), 1, tried, expected, open, add)
}

/// A report as a trial's result.
pub(crate) fn verdict(what: &str, report: &Report) -> Result {
    trials::verdict(report).map_err(|failed| {
        let message = failed.message().unwrap_or_default();
        format!("{what}: {message}").into()
    })
}

/// A tensor's elements, in the order of its shape, as f32.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    Ok(tensor.into_data().convert::<f32>().try_into_vec::<f32>()?)
}

pub(crate) fn tensor<const D: usize>(
    values: &[f32],
    shape: [usize; D],
    device: &Device,
) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), device)
}

/// Numbers that look random, the same for the same seed, from -4 to 4.
pub(crate) fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 21) as f32 - 4.0
    };
    (0..count).map(|_| next()).collect()
}

/// The largest difference, beside the largest magnitude of what it should be; NaN must meet NaN.
pub(crate) fn near(what: &str, got: &[f32], want: &[f32], allowed: f32) -> Result {
    if got.len() != want.len() {
        return Err(format!("{what}: {} elements, not {}", got.len(), want.len()).into());
    }
    let scale = want.iter().fold(1e-30f32, |max, v| max.max(v.abs()));
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let differs = (got - want).abs() > allowed * scale || got.is_nan() != want.is_nan();
        if differs {
            return Err(format!("{what}[{index}]: {got}, not {want}").into());
        }
    }
    Ok(())
}
