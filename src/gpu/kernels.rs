//! The cache of compiled kernels of one device.

use super::{Plan, guarded};
use crate::compose::{self, Access, Body};
use crate::{Chain, DType, Error, Pass};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How a kernel is cut into invocations. The default serves; measure before choosing another
/// (`nonlin bench --workgroup 64 --words 4`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Invocations in a workgroup.
    pub workgroup: u32,
    /// Words (of 16 bytes where the operands' places allow it) that each invocation handles.
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
    dtype: DType,
}

/// A kernel in all its forms, each compiled when first needed.
#[derive(Debug)]
pub(super) struct Family {
    /// By access and sharing.
    forms: [OnceLock<Result<Kernel, Error>>; 4],
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

    /// Compiles a pass of a chain, unless that is done already.
    ///
    /// # Errors
    /// [`Error::EmptyChain`], [`Error::BadValue`], and [`Error::Device`] where the driver refuses.
    pub fn plan(&self, chain: &Chain, pass: Pass, dtype: DType) -> Result<Plan, Error> {
        chain.validate()?;
        let steps = chain.structure();
        Plan::new(
            self,
            self.family(steps, pass, dtype),
            Some(chain),
            pass,
            dtype,
        )
    }

    /// A plan that reads and writes what a chain's pass does, and computes nothing (backward combines
    /// its two inputs by an exclusive or). It is the roof for the speed of every chain on this device.
    ///
    /// # Errors
    /// [`Error::Device`] where the driver refuses.
    pub fn copy(&self, pass: Pass, dtype: DType) -> Result<Plan, Error> {
        Plan::new(
            self,
            self.family(Vec::new(), pass, dtype),
            None,
            pass,
            dtype,
        )
    }

    /// How many kernels were compiled so far.
    pub fn compiled(&self) -> usize {
        self.inner.compiled.load(Ordering::Relaxed)
    }

    /// The shape of this cache's kernels.
    pub fn shape(&self) -> Shape {
        self.inner.shape
    }

    fn family(&self, steps: Vec<&'static str>, pass: Pass, dtype: DType) -> Arc<Family> {
        let mut families = self
            .inner
            .families
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = || {
            Arc::new(Family {
                forms: Default::default(),
            })
        };
        Arc::clone(
            families
                .entry(Key { steps, pass, dtype })
                .or_insert_with(fresh),
        )
    }
}

impl Family {
    /// The kernel's form for these operands, compiled if need be.
    pub(super) fn kernel(
        &self,
        inner: &Inner,
        body: Body<'_>,
        access: Access,
        shared: bool,
    ) -> Result<&Kernel, Error> {
        let form = &self.forms[usize::from(access == Access::Scalar) * 2 + usize::from(shared)];
        let kernel = form.get_or_init(|| inner.compile(body, access, shared));
        kernel.as_ref().map_err(Clone::clone)
    }
}

/// A kernel's name, for labels: wgpu's messages and debuggers show it.
pub(super) fn label(body: Body<'_>, dtype: DType) -> String {
    match body {
        Body::Chain(chain, pass) => {
            format!("nonlin {} {pass} {dtype}", chain.structure().join("|"))
        }
        Body::Copy(pass) => format!("nonlin copy {pass} {dtype}"),
    }
}

impl Inner {
    fn compile(&self, body: Body<'_>, access: Access, shared: bool) -> Result<Kernel, Error> {
        let source = compose::kernel(body, access, shared, self.shape.words);
        let places = if shared { " in one buffer" } else { "" };
        let label = format!("{} {access:?}{places}", label(body, DType::F32));
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
        let last = body.pass().operands().len();
        let storage = |binding| wgpu::BufferBindingType::Storage {
            read_only: !shared && binding != last,
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
