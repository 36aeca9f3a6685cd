//! The cache of compiled kernels of one device.

use super::bind::KeptArguments;
use super::layer_plan::LayerPlan;
use super::plan::Plan;
use super::wait::guarded;
use crate::chain::Chain;
use crate::chain::nodes::Source;
use crate::chain::step::Function;
use crate::error::{DeviceError, Error};
use crate::layers::{Images, Layer};
use crate::pass::Pass;
use crate::plan::launch::{Code, FINISH, label};
use crate::plan::limits::{CHAINS, Geometry, Limits, Machine};
use crate::plan::task::Task;
use crate::tensor::dtype::{DType, DTypes};
use crate::wgsl::{self, Body, Form, Sweep};
use std::collections::HashMap;
use std::fmt::Write;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
#[cfg(not(target_arch = "wasm32"))]
use std::time::{Duration, Instant};

/// The compiled kernels of one device, to be kept as long as the device. Clones share them.
///
/// Each kernel is compiled once, when the first plan needs it, also where several threads ask at the
/// same time. What a plan's parameters are is not part of a kernel: another scale compiles nothing.
#[derive(Clone, Debug)]
pub struct Kernels {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) device: wgpu::Device,
    pub(super) machine: Machine,
    /// What the driver keeps of compiled kernels, if the caller has such a thing.
    pipelines: Option<wgpu::PipelineCache>,
    pub(super) arguments: KeptArguments,
    kernels: Mutex<HashMap<Key, Arc<Compiled>>>,
    compiled: AtomicUsize,
    /// Nanoseconds that compiling took, of all threads. The web has no such clock.
    #[cfg(not(target_arch = "wasm32"))]
    took: AtomicU64,
}

/// What a kernel's text depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The chain's structure, none for a plain copy; the pass; and the form that the operands' places ask for.
    Pass(Option<String>, Pass, Form),
    /// What adds up partial sums, to gradients of these dtypes.
    Finish(Vec<DType>),
    /// A layer's kernel: its text, and whether it writes each operand.
    Text(String, Vec<bool>),
}

impl Key {
    fn of(code: &Code<'_>) -> Self {
        match code {
            Code::Pass(body, form) => {
                Key::Pass(body.chain().map(structure), body.pass(), form.clone())
            }
            Code::Finish(dtypes) => Key::Finish(dtypes.clone()),
            Code::Text { text, written, .. } => Key::Text(text.clone(), written.clone()),
        }
    }
}

/// What compiling came to, once it was tried.
type Compiled = OnceLock<Result<Kernel, Error>>;

/// A compiled kernel.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// A device's limits, and what its compilers are quick with.
fn limits(device: &wgpu::Device) -> Limits {
    let limits = Limits::from(&device.limits());
    let info = device.adapter_info();
    match (info.backend, info.device_type) {
        (wgpu::Backend::Dx12, _) => Limits {
            row_words: Limits::ROW_WORDS_ON_DX12,
            ..limits
        },
        (_, wgpu::DeviceType::Cpu) => Limits {
            column_words: Limits::COLUMN_WORDS_ON_PROCESSORS,
            ..limits
        },
        _ => limits,
    }
}

impl Kernels {
    /// An empty cache for a device. The device needs no feature; with wgpu's default limits or better it
    /// serves.
    pub fn new(device: &wgpu::Device) -> Self {
        Self::of(device, Machine::new(limits(device)))
    }

    /// The same with a kernel shape of the caller's choice.
    ///
    /// # Errors
    /// [`DeviceError::BadGeometry`] where the device does not allow the workgroup, or the words are not 1 to 16.
    pub fn with_geometry(device: &wgpu::Device, geometry: Geometry) -> Result<Self, Error> {
        let limits = device.limits();
        let Geometry { workgroup, words } = geometry;
        let most = limits
            .max_compute_invocations_per_workgroup
            .min(limits.max_compute_workgroup_size_x);
        let problem = if workgroup == 0 || workgroup > most {
            format!("this device allows workgroups of 1 to {most}")
        } else if words == 0 || words > 16 {
            "an invocation handles 1 to 16 words".into()
        } else {
            let limits = self::limits(device);
            let machine = Machine {
                geometry,
                ..Machine::new(limits)
            };
            return Ok(Self::of(device, machine));
        };
        Err(Error::Device(DeviceError::BadGeometry {
            workgroup,
            words,
            problem,
        }))
    }

    /// The same with limits of the caller's choice: tighter ones than the device's, or other
    /// [`row_words`](Limits::row_words), such as 8 on DX12 with DXC.
    ///
    /// # Errors
    /// [`DeviceError::BadLimit`]. Limits that the device does not keep are refused when operands are bound.
    pub fn with_limits(device: &wgpu::Device, limits: Limits) -> Result<Self, Error> {
        limits.check(CHAINS)?;
        Ok(Self::of(device, Machine::new(limits)))
    }

    /// The same shape of kernels, none of them compiled yet, that go through a pipeline cache: what the driver finds in it, it
    /// need not compile. The device, which the cache is of, has
    /// [`Features::PIPELINE_CACHE`](wgpu::Features::PIPELINE_CACHE). To keep what is in it is the caller's;
    /// [`GpuBuilder::cache`](crate::GpuBuilder::cache) does that.
    #[must_use]
    pub fn with_pipeline_cache(&self, cache: &wgpu::PipelineCache) -> Self {
        let Inner {
            device, machine, ..
        } = &*self.inner;
        Self::through(device, *machine, Some(cache.clone()))
    }

    fn of(device: &wgpu::Device, machine: Machine) -> Self {
        let machine = Machine {
            is_processor: device.adapter_info().device_type == wgpu::DeviceType::Cpu,
            ..machine
        };
        Self::through(device, machine, None)
    }

    fn through(
        device: &wgpu::Device,
        machine: Machine,
        pipelines: Option<wgpu::PipelineCache>,
    ) -> Self {
        let inner = Inner {
            device: device.clone(),
            machine,
            pipelines,
            arguments: KeptArguments::default(),
            kernels: Mutex::default(),
            compiled: AtomicUsize::default(),
            #[cfg(not(target_arch = "wasm32"))]
            took: AtomicU64::default(),
        };
        Kernels {
            inner: Arc::new(inner),
        }
    }

    /// Compiles a pass of a chain, unless that is done already. The dtypes are those of the pass's
    /// operands; one [`DType`] stands for all of them. What a chain with operands or a step over rows compiles depends on
    /// the operands: [`Plan::bind`] does it, or [`compile_ahead`](Self::compile_ahead).
    ///
    /// # Errors
    /// [`ChainError::Empty`](crate::ChainError::Empty), [`ChainError::BadValue`](crate::ChainError::BadValue), and
    /// [`DeviceError::Refused`] where the driver refuses.
    pub fn plan(
        &self,
        chain: &Chain,
        pass: Pass,
        dtypes: impl Into<DTypes>,
    ) -> Result<Plan, Error> {
        Plan::new(self, Task::of_chain(chain, pass, dtypes.into())?)
    }

    /// A plan that reads and writes what a chain's pass does, and computes nothing (backward combines
    /// its two inputs by an exclusive or). It is the roof for the speed of every chain on this device.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] where the driver refuses.
    pub fn copy(&self, pass: Pass, dtype: DType) -> Result<Plan, Error> {
        let task = Task {
            chain: None,
            pass,
            dtypes: dtype.into(),
        };
        Plan::new(self, task)
    }

    /// Makes a layer's pass ready for such images. The dtypes are those of x, y, dy and dx; parameters,
    /// and all else, are f32.
    ///
    /// # Errors
    /// [`LayerError::BadSetting`](crate::LayerError::BadSetting),
    /// [`LayerError::BadImages`](crate::LayerError::BadImages); [`DeviceError::TooLarge`] for 2^31 elements and more;
    /// [`ChainError::NeedsInput`](crate::ChainError::NeedsInput) for [`Pass::BackwardFromY`].
    pub fn layer(
        &self,
        layer: &Layer,
        images: &Images,
        pass: Pass,
        dtypes: impl Into<DTypes>,
    ) -> Result<LayerPlan, Error> {
        LayerPlan::new(self, layer, images, pass, dtypes.into())
    }

    /// How many kernels were compiled so far.
    pub fn compiled(&self) -> usize {
        self.inner.compiled.load(Ordering::Relaxed)
    }

    /// How long that took, of all threads together: from composing the text to the pipeline, as naga and the driver make it.
    /// Some drivers, lavapipe among them, leave a part of it to the first dispatch.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn compile_time(&self) -> Duration {
        Duration::from_nanos(self.inner.took.load(Ordering::Relaxed))
    }

    /// The shape of this cache's kernels.
    pub fn geometry(&self) -> Geometry {
        self.inner.machine.geometry
    }

    /// The limits that kernels keep to: the device's, and how many words an invocation has. A
    /// [`Recipe`](crate::Recipe) made with them has the same kernels, and gives the same bits.
    pub fn limits(&self) -> Limits {
        self.inner.machine.limits
    }
}

impl Inner {
    /// The kernel of a dispatch, compiled if need be. Others that ask for it meanwhile wait.
    pub(super) fn kernel(&self, code: &Code<'_>) -> Result<Kernel, Error> {
        let cell = {
            let mut kernels = self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kernels.entry(Key::of(code)).or_default())
        };
        cell.get_or_init(|| self.timed(code)).clone()
    }

    /// Compiles a kernel, and counts it.
    fn timed(&self, code: &Code<'_>) -> Result<Kernel, Error> {
        #[cfg(not(target_arch = "wasm32"))]
        let start = Instant::now();
        let kernel = self.compile(code)?;
        #[cfg(not(target_arch = "wasm32"))]
        let _ = self
            .took
            .fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        self.compiled.fetch_add(1, Ordering::Relaxed);
        Ok(kernel)
    }

    fn compile(&self, code: &Code<'_>) -> Result<Kernel, Error> {
        let written = code.written();
        match code {
            Code::Pass(body, form) => {
                let written: Vec<_> = written.into_iter().map(|w| w || form.shared).collect();
                let geometry = [
                    ("WORKGROUP", f64::from(self.machine.geometry.workgroup)),
                    ("WORDS", f64::from(form.words)),
                ];
                let constants = match form.sweep {
                    Sweep::Each => &geometry[..],
                    _ => &[],
                };
                let text = wgsl::kernel(*body, form);
                self.pipeline(&told(*body, form), text, &written, constants)
            }
            Code::Finish(dtypes) => self.pipeline(FINISH, wgsl::finish(dtypes), &written, &[]),
            Code::Text {
                label,
                text,
                shared,
                ..
            } => {
                let written: Vec<_> = written.into_iter().map(|w| w || *shared).collect();
                self.pipeline(label, text.clone(), &written, &[])
            }
        }
    }

    /// Compiles a kernel whose operands are storage, written or only read, and whose arguments are a uniform
    /// behind them.
    fn pipeline(
        &self,
        label: &str,
        source: String,
        written: &[bool],
        constants: &[(&str, f64)],
    ) -> Result<Kernel, Error> {
        let device = &self.device;
        let most = self.machine.limits.max_storage_buffers_per_shader_stage;
        if written.len() as u64 > u64::from(most) {
            return Err(Error::Device(DeviceError::TooManyOperands {
                operands: written.len(),
                limit: most,
            }));
        }
        let entries = layout_entries(written);
        let label = Some(label);
        guarded(device, "compiling a kernel", || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label,
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label,
                entries: &entries,
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label,
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    // Kernels write of it what they read. FXC, one of DX12's compilers, makes a store of every element
                    // that is zeroed, and takes seconds over hundreds of them.
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.pipelines.as_ref(),
            });
            Ok(Kernel { pipeline, layout })
        })
    }
}

/// All of a chain that its kernels' text depends on.
fn structure(chain: &Chain) -> String {
    let mut text = String::new();
    for node in chain.nodes() {
        text += match node.step.function() {
            Function::Custom(custom) => custom.wgsl(),
            function => function.name(),
        };
        for source in [Some(node.from)].into_iter().chain(node.arguments) {
            text.push(' ');
            match source {
                None => text.push('#'),
                Some(Source::X) => text.push('x'),
                Some(Source::Operand(name)) => text += name,
                Some(Source::Node(index)) => _ = write!(text, "{index}"),
            }
        }
        text.push('|');
    }
    text
}

/// Storage, written or only read, and a uniform behind it.
fn layout_entries(written: &[bool]) -> Vec<wgpu::BindGroupLayoutEntry> {
    let storage = written
        .iter()
        .map(|written| wgpu::BufferBindingType::Storage {
            read_only: !written,
        });
    let all = storage.chain([wgpu::BufferBindingType::Uniform]);
    all.zip(0..)
        .map(|(ty, binding)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        })
        .collect()
}

/// A kernel's label, which tells its forms apart.
fn told(body: Body<'_>, form: &Form) -> String {
    let shared = if form.shared { " in one buffer" } else { "" };
    let in_place = form.outputs.iter().any(|output| output.in_place.is_some());
    let in_place = if in_place { " in place" } else { "" };
    format!("{} {:?}{shared}{in_place}", label(body, form), form.access)
}
