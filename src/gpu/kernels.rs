//! The cache of compiled kernels of one device.

use super::{LayerPlan, Plan, guarded};
use crate::layers::{Images, Layer};
use crate::plan::launch::{Code, Machine};
use crate::wgsl::{self, Body, Form, Sweep};
use crate::{Chain, DType, DTypes, Error, Pass};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How a kernel is cut into invocations. The default serves; measure before choosing another
/// (`nonlin bench --workgroup 64 --words 4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Invocations in a workgroup.
    pub workgroup: u32,
    /// Words (of 4 elements where the operands' places allow it) that each invocation handles.
    pub words: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Shape {
            workgroup: 256,
            words: 1,
        }
    }
}

/// The compiled kernels of one device, to be kept as long as the device. Clones share them.
///
/// Each kernel is compiled once, when the first plan needs it, also where several threads ask at the
/// same time. What a plan's parameters are is not part of a kernel: another scale compiles nothing.
#[derive(Clone, Debug)]
pub struct Kernels {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) device: wgpu::Device,
    pub(crate) machine: Machine,
    families: Mutex<HashMap<Key, Arc<Family>>>,
    compiled: AtomicUsize,
}

/// What a kernel's text depends on, beside its operands' places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The chain's structure; none for a plain copy.
    Pass(Option<String>, Pass),
    /// What adds up partial sums, to gradients of these dtypes.
    Finish(Vec<DType>),
    /// A layer's kernel: its text, and whether it writes each operand.
    Text(String, Vec<bool>),
}

/// What compiling came to, once it was tried.
type Compiled = OnceLock<Result<Kernel, Error>>;

/// A kernel in all its forms, each compiled when first needed.
#[derive(Debug, Default)]
pub(crate) struct Family {
    forms: Mutex<HashMap<Option<Form>, Arc<Compiled>>>,
}

/// A compiled kernel.
#[derive(Clone, Debug)]
pub(crate) struct Kernel {
    pub(crate) pipeline: wgpu::ComputePipeline,
    pub(crate) layout: wgpu::BindGroupLayout,
}

impl Kernels {
    /// An empty cache for a device. The device needs no feature; with wgpu's default limits or better it
    /// serves.
    pub fn new(device: &wgpu::Device) -> Self {
        Self::of(device, Machine::new(device.limits()))
    }

    /// The same with a kernel shape of the caller's choice.
    ///
    /// # Errors
    /// [`Error::BadShape`] where the device does not allow the workgroup, or the words are not 1 to 16.
    pub fn with_shape(device: &wgpu::Device, shape: Shape) -> Result<Self, Error> {
        let limits = device.limits();
        let Shape { workgroup, words } = shape;
        let most = limits
            .max_compute_invocations_per_workgroup
            .min(limits.max_compute_workgroup_size_x);
        let problem = if workgroup == 0 || workgroup > most {
            format!("this device allows workgroups of 1 to {most}")
        } else if words == 0 || words > 16 {
            "an invocation handles 1 to 16 words".into()
        } else {
            return Ok(Self::of(device, Machine { limits, shape }));
        };
        Err(Error::BadShape {
            workgroup,
            words,
            problem,
        })
    }

    fn of(device: &wgpu::Device, machine: Machine) -> Self {
        let (families, compiled) = Default::default();
        let inner = Inner {
            device: device.clone(),
            machine,
            families,
            compiled,
        };
        Kernels {
            inner: Arc::new(inner),
        }
    }

    /// Compiles a pass of a chain, unless that is done already. The dtypes are those of the pass's
    /// operands; one [`DType`] stands for all of them.
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::BadValue`], and [`Error::Device`] where the driver refuses.
    pub fn plan(
        &self,
        chain: &Chain,
        pass: Pass,
        dtypes: impl Into<DTypes>,
    ) -> Result<Plan, Error> {
        chain.validate()?;
        chain.supports(pass)?;
        let family = self.family(Key::Pass(Some(chain.structure()), pass));
        Plan::new(self, family, Some(chain), pass, dtypes.into())
    }

    /// A plan that reads and writes what a chain's pass does, and computes nothing (backward combines
    /// its two inputs by an exclusive or). It is the roof for the speed of every chain on this device.
    ///
    /// # Errors
    /// [`Error::Device`] where the driver refuses.
    pub fn copy(&self, pass: Pass, dtype: DType) -> Result<Plan, Error> {
        let family = self.family(Key::Pass(None, pass));
        Plan::new(self, family, None, pass, dtype.into())
    }

    /// Makes a layer's pass ready for such images. The dtypes are those of x, y, dy and dx; parameters,
    /// and all else, are f32.
    ///
    /// # Errors
    /// [`Error::BadSetting`], [`Error::BadImages`]; [`Error::TooLarge`] for 2^31 elements and more;
    /// [`Error::NeedsInput`] for [`Pass::BackwardFromY`].
    pub fn layer<L: Layer>(
        &self,
        layer: &L,
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

    /// The shape of this cache's kernels.
    pub fn shape(&self) -> Shape {
        self.inner.machine.shape
    }

    fn family(&self, key: Key) -> Arc<Family> {
        self.inner.family(key)
    }
}

impl Family {
    /// The kernel in this form, compiled if need be.
    pub(crate) fn kernel(
        &self,
        inner: &Inner,
        body: Body<'_>,
        form: &Form,
    ) -> Result<Kernel, Error> {
        self.get(Some(form), || inner.compile(body, form))
    }

    fn get(
        &self,
        form: Option<&Form>,
        compile: impl FnOnce() -> Result<Kernel, Error>,
    ) -> Result<Kernel, Error> {
        let cell = {
            let mut forms = self.forms.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(forms.entry(form.cloned()).or_default())
        };
        cell.get_or_init(compile).clone()
    }
}

/// A kernel's name, for labels: wgpu's messages and debuggers show it.
pub(crate) fn label(body: Body<'_>, form: &Form) -> String {
    let steps = body
        .chain()
        .map_or("copy".into(), |chain| chain.names().join("|"));
    let inputs = form.inputs.iter().map(|input| input.dtype.name());
    let outputs = form.outputs.iter().map(|output| output.dtype.name());
    let mut dtypes: Vec<_> = inputs.chain(outputs).collect();
    if dtypes.windows(2).all(|pair| pair[0] == pair[1]) {
        dtypes.truncate(1);
    }
    let mut label = format!("nonlin {steps} {} {}", body.pass(), dtypes.join(","));
    if !form.sums.is_empty() {
        label += &format!(" with {}", form.sums.join(", "));
    }
    label
}

impl Inner {
    fn family(&self, key: Key) -> Arc<Family> {
        let mut families = self.families.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(families.entry(key).or_default())
    }

    /// The kernel that adds up partial sums.
    pub(crate) fn finish(&self, dtypes: &[DType]) -> Result<Kernel, Error> {
        let family = self.family(Key::Finish(dtypes.to_vec()));
        family.get(None, || {
            let written = Code::Finish(dtypes.to_vec()).written();
            self.pipeline("nonlin finish", wgsl::finish(dtypes), &written, &[])
        })
    }

    /// A kernel of which all is said by its text.
    pub(crate) fn text(&self, label: &str, text: &str, written: &[bool]) -> Result<Kernel, Error> {
        let family = self.family(Key::Text(text.to_owned(), written.to_vec()));
        family.get(None, || self.pipeline(label, text.to_owned(), written, &[]))
    }

    fn compile(&self, body: Body<'_>, form: &Form) -> Result<Kernel, Error> {
        let source = wgsl::kernel(body, form);
        let shared = if form.shared { " in one buffer" } else { "" };
        let in_place = form.outputs.iter().any(|output| output.in_place.is_some());
        let in_place = if in_place { " in place" } else { "" };
        let label = format!("{} {:?}{shared}{in_place}", label(body, form), form.access);
        let written = form.written().into_iter();
        let written: Vec<_> = written.map(|w| w || form.shared).collect();
        let shape = [
            ("WORKGROUP", f64::from(self.machine.shape.workgroup)),
            ("WORDS", f64::from(form.words)),
        ];
        let constants = match form.sweep {
            Sweep::Each => &shape[..],
            _ => &[],
        };
        self.pipeline(&label, source, &written, constants)
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
            return Err(Error::TooManyOperands {
                operands: written.len(),
                limit: most,
            });
        }
        let entry = |binding: usize, ty| wgpu::BindGroupLayoutEntry {
            binding: binding as u32,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let storage = |written: &bool| wgpu::BufferBindingType::Storage {
            read_only: !written,
        };
        let entries: Vec<_> = written
            .iter()
            .map(storage)
            .chain([wgpu::BufferBindingType::Uniform])
            .enumerate()
            .map(|(binding, ty)| entry(binding, ty))
            .collect();
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
                    ..Default::default()
                },
                cache: None,
            });
            self.compiled.fetch_add(1, Ordering::Relaxed);
            Ok(Kernel { pipeline, layout })
        })
    }
}
