//! `nonlin adapters`, and the choice of one.

use crate::output::{complain, show, show_json, table};
use crate::{Failure, Result, Verdict};
use nonlin::wgpu::{Adapter, AdapterInfo, DeviceType, Features};
use nonlin::{DeviceError, Error, Gpu, GpuBuilder, describe};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::path::PathBuf;

/// List the adapters that can run compute shaders
///
/// The one marked with * is taken by default.
///
/// --json prints {"adapters": [{"index", "name", "backend", "device_type", "driver", "driver_info",
/// "default", "max_storage_buffer_binding_size", "max_buffer_size"}]}; sizes are in bytes,
/// device_type is one of discrete, integrated, virtual, cpu, other.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

const NONE: &str = "no adapter that can run compute shaders. On Linux, Mesa's software Vulkan is \
                    one: package mesa-vulkan-drivers";

pub(crate) fn adapters(args: &Args) -> Result<Verdict> {
    let adapters = nonlin::adapters();
    let default = default_index(&adapters);
    if args.json {
        show_json(&document(&adapters, default))?;
    }
    if adapters.is_empty() {
        return Err(Failure(NONE.into()));
    }
    if !args.json {
        show(table(&rows(&adapters, default), 6))?;
    }
    if default.is_none() {
        complain("WGPU_ADAPTER_NAME names none of these adapters");
    }
    Ok(Verdict::Fine)
}

fn document(adapters: &[Adapter], default: Option<usize>) -> Value {
    let adapters = adapters.iter().enumerate().map(|(index, adapter)| {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        json!({
            "index": index,
            "name": info.name,
            "backend": info.backend.to_str(),
            "device_type": device_type(&info),
            "driver": info.driver,
            "driver_info": info.driver_info,
            "default": Some(index) == default,
            "max_storage_buffer_binding_size": limits.max_storage_buffer_binding_size,
            "max_buffer_size": limits.max_buffer_size,
        })
    });
    json!({ "adapters": adapters.collect::<Vec<_>>() })
}

fn rows(adapters: &[Adapter], default: Option<usize>) -> Vec<Vec<String>> {
    let titles = [
        "",
        "",
        "name",
        "backend",
        "type",
        "driver",
        "max binding",
        "max buffer",
    ];
    let mut rows = vec![titles.map(String::from).to_vec()];
    for (index, adapter) in adapters.iter().enumerate() {
        let (info, limits) = (adapter.get_info(), adapter.limits());
        let mark = if Some(index) == default { "*" } else { "" };
        let driver = format!("{} {}", info.driver, info.driver_info);
        rows.push(vec![
            mark.into(),
            index.to_string(),
            info.name.clone(),
            info.backend.to_str().into(),
            device_type(&info).into(),
            driver.trim().into(),
            mebibytes(limits.max_storage_buffer_binding_size),
            mebibytes(limits.max_buffer_size),
        ]);
    }
    rows
}

/// Opens the adapter whose description contains the text, or the default.
pub(crate) fn open(text: Option<&str>) -> Result<Gpu> {
    opened(builder(text))
}

/// The same with what the driver compiles kept from one run to the next.
pub(crate) fn open_kept(text: Option<&str>, kept: &Kept) -> Result<Gpu> {
    let builder = builder(text);
    opened(match kept.folder() {
        Some(folder) => builder.cache(folder),
        None => builder,
    })
}

/// The same with timestamps, where the adapter has them.
pub(crate) fn open_timed(text: Option<&str>) -> Result<Gpu> {
    opened(builder(text).features(Features::TIMESTAMP_QUERY))
}

fn builder(text: Option<&str>) -> GpuBuilder {
    match text {
        Some(text) => Gpu::builder().adapter(text),
        None => Gpu::builder(),
    }
}

fn opened(builder: GpuBuilder) -> Result<Gpu> {
    builder.open().map_err(|error| match error {
        Error::Device(DeviceError::NoAdapter { found, .. }) if found.is_empty() => {
            Failure(NONE.into())
        }
        error => error.into(),
    })
}

/// Whether what drivers compile is kept.
#[derive(clap::Args)]
pub(crate) struct Kept {
    /// Do not keep what the driver compiles for the next run, nor use what was kept, in the folder `nonlin` of the user's
    /// cache; with the variable NONLIN_NO_CACHE set, that is so without this option
    #[arg(long)]
    no_cache: bool,
}

impl Kept {
    /// In which folder, if in any.
    fn folder(&self) -> Option<PathBuf> {
        let is_set = |value: OsString| !value.is_empty();
        let unwanted = self.no_cache || std::env::var_os("NONLIN_NO_CACHE").is_some_and(is_set);
        let folder = dirs::cache_dir().filter(|_| !unwanted);
        folder.map(|folder| folder.join("nonlin"))
    }
}

/// The opened adapter in one line.
pub(crate) fn name(gpu: &Gpu) -> String {
    describe(&gpu.device().adapter_info())
}

/// Which adapter [`Gpu::new`] takes.
fn default_index(adapters: &[Adapter]) -> Option<usize> {
    let wanted = std::env::var("WGPU_ADAPTER_NAME")
        .unwrap_or_default()
        .to_lowercase();
    let mut names = adapters
        .iter()
        .map(|adapter| describe(&adapter.get_info()).to_lowercase());
    names.position(|name| name.contains(&wanted))
}

fn device_type(info: &AdapterInfo) -> &'static str {
    match info.device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Cpu => "cpu",
        DeviceType::Other => "other",
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}
