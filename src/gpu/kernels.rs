//! The cache of compiled kernels of one device.

use super::{Plan, guarded};
use crate::compose::{self, Access, Body, Form};
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
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) device: wgpu::Device,
    pub(super) limits: wgpu::Limits,
    pub(super) shape: Shape,
    families: Mutex<HashMap<Key, Arc<Family>>>,
    compiled: AtomicUsize,
}

/// What a kernel's text depends on, beside its operands' places.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    /// The names of the steps; none for a plain copy.
    steps: Vec<&'static str>,
    pass: Pass,
    dtypes: Vec<DType>,
}

/// A kernel in all its forms, each compiled when first needed.
#[derive(Debug)]
pub(super) struct Family {
    /// By access, sharing, and the input that the output takes the place of.
    forms: [OnceLock<Result<Kernel, Error>>; 12],
}

/// A compiled kernel.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Kernels {
    /// An empty cache for a device. The device needs no feature; with wgpu's default limits or better it
    /// serves.
    pub fn new(device: &wgpu::Device) -> Self {
        let limits = device.limits();
        let shape = Shape {
            workgroup: Shape::default()
                .workgroup
                .min(limits.max_compute_invocations_per_workgroup),
            ..Shape::default()
        };
        Self::of(device, limits, shape)
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
            return Ok(Self::of(device, limits, shape));
        };
        Err(Error::BadShape {
            workgroup,
            words,
            problem,
        })
    }

    fn of(device: &wgpu::Device, limits: wgpu::Limits, shape: Shape) -> Self {
        let (families, compiled) = Default::default();
        let inner = Inner {
            device: device.clone(),
            limits,
            shape,
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
        let dtypes = dtypes.into().of(pass);
        let family = self.family(chain.structure(), pass, &dtypes);
        Plan::new(self, family, Some(chain), pass, dtypes)
    }

    /// A plan that reads and writes what a chain's pass does, and computes nothing (backward combines
    /// its two inputs by an exclusive or). It is the roof for the speed of every chain on this device.
    ///
    /// # Errors
    /// [`Error::Device`] where the driver refuses.
    pub fn copy(&self, pass: Pass, dtype: DType) -> Result<Plan, Error> {
        let dtypes = DTypes::from(dtype).of(pass);
        let family = self.family(Vec::new(), pass, &dtypes);
        Plan::new(self, family, None, pass, dtypes)
    }

    /// How many kernels were compiled so far.
    pub fn compiled(&self) -> usize {
        self.inner.compiled.load(Ordering::Relaxed)
    }

    /// The shape of this cache's kernels.
    pub fn shape(&self) -> Shape {
        self.inner.shape
    }

    fn family(&self, steps: Vec<&'static str>, pass: Pass, dtypes: &[DType]) -> Arc<Family> {
        let mut families = self
            .inner
            .families
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let key = Key {
            steps,
            pass,
            dtypes: dtypes.to_vec(),
        };
        let fresh = || {
            Arc::new(Family {
                forms: Default::default(),
            })
        };
        Arc::clone(families.entry(key).or_insert_with(fresh))
    }
}

impl Family {
    /// The kernel in this form, compiled if need be.
    pub(super) fn kernel(
        &self,
        inner: &Inner,
        body: Body<'_>,
        form: &Form,
    ) -> Result<&Kernel, Error> {
        let places = usize::from(form.access == Access::Scalar) * 2 + usize::from(form.shared);
        let index = places * 3 + form.in_place.map_or(0, |input| input + 1);
        let kernel = self.forms[index].get_or_init(|| inner.compile(body, form));
        kernel.as_ref().map_err(Clone::clone)
    }
}

/// A kernel's name, for labels: wgpu's messages and debuggers show it.
pub(super) fn label(body: Body<'_>, dtypes: &[DType]) -> String {
    let steps = match body {
        Body::Chain(chain, _) => chain.structure().join("|"),
        Body::Copy(_) => "copy".into(),
    };
    let same = dtypes.windows(2).all(|pair| pair[0] == pair[1]);
    let names: Vec<_> = dtypes.iter().map(|dtype| dtype.name()).collect();
    let dtypes = if same {
        names[0].to_owned()
    } else {
        names.join(",")
    };
    format!("nonlin {steps} {} {dtypes}", body.pass())
}

impl Inner {
    fn compile(&self, body: Body<'_>, form: &Form) -> Result<Kernel, Error> {
        let source = compose::kernel(body, form);
        let shared = if form.shared { " in one buffer" } else { "" };
        let in_place = if form.in_place.is_some() {
            " in place"
        } else {
            ""
        };
        let label = format!(
            "{} {:?}{shared}{in_place}",
            label(body, &form.dtypes),
            form.access
        );
        let device = &self.device;
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
        let operands = body.pass().operands().len();
        // The binding that is written, and how many there are.
        let (written, last) = match form.in_place {
            Some(input) => (input + 1, operands - 1),
            None => (operands, operands),
        };
        let storage = |binding| wgpu::BufferBindingType::Storage {
            read_only: !form.shared && binding != written,
        };
        let entries: Vec<_> = std::iter::once(entry(0, wgpu::BufferBindingType::Uniform))
            .chain((1..=last).map(|binding| entry(binding, storage(binding))))
            .collect();
        guarded(device, "compiling a kernel", || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(&label),
                entries: &entries,
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(&label),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[("WORKGROUP", f64::from(self.shape.workgroup))],
                    ..Default::default()
                },
                cache: None,
            });
            self.compiled.fetch_add(1, Ordering::Relaxed);
            Ok(Kernel { pipeline, layout })
        })
    }
}
