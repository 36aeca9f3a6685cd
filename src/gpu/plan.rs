//! Plans of chains.

use super::bind::{Bound, bind};
use super::kernels::{Inner, Kernel, Kernels};
use crate::error::Error;
use crate::pass::Pass;
use crate::plan::launch::{Code, label};
use crate::plan::operands::Operands;
use crate::plan::task::Task;
use crate::wgsl::{self, Form};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A compiled pass of a chain, with its constants. Cheap to make again once it was made.
#[derive(Clone, Debug)]
pub struct Plan {
    inner: Arc<Inner>,
    task: Task,
    /// Of this chain's pass, so that binding again need not say what chain it is.
    kernels: Arc<Mutex<HashMap<Form, Kernel>>>,
}

impl Plan {
    pub(super) fn new(kernels: &Kernels, task: Task) -> Result<Self, Error> {
        let inner = Arc::clone(&kernels.inner);
        let plan = Plan {
            inner,
            task,
            kernels: Arc::default(),
        };
        // The form that most operands need; what the driver has to say against it, it says here. What operands of
        // arguments need is not known yet, nor how long rows are.
        let body = plan.task.body();
        if body.needs(&[]).is_empty() && !plan.task.is_over_rows() {
            let plain = plan.plain();
            let inputs = plain.inputs.iter().map(|input| input.dtype);
            let settles = wgsl::settles(body, inputs, plain.outputs[0].dtype);
            let form = Form {
                whole: true,
                words: plan.inner.machine.words(settles),
                ..plain
            };
            plan.kernel(&Code::Pass(body, form))?;
        }
        Ok(plan)
    }

    /// The form for operands apart from each other at the best of places, of any length.
    fn plain(&self) -> Form {
        Form {
            words: self.inner.machine.geometry.words,
            ..Form::plain(self.task.body(), self.task.dtypes)
        }
    }

    /// The pass.
    pub fn pass(&self) -> Pass {
        self.task.pass
    }

    /// What the kernel is called in wgpu's messages and in debuggers.
    pub fn label(&self) -> String {
        label(self.task.body(), &self.plain())
    }

    /// The kernel's WGSL, in the form that operands apart from each other get that begin where a binding
    /// can, for any length; those of arguments as long as x.
    pub fn wgsl(&self) -> String {
        wgsl::kernel(self.task.body(), &self.plain())
    }

    /// Bytes read and written for `len` elements, without the operands of arguments.
    pub fn bytes(&self, len: u64) -> u64 {
        let operands = self.task.pass.operands().iter();
        len * operands
            .map(|name| self.task.dtypes.of(name).size())
            .sum::<u64>()
    }

    /// Compiles what binding such operands needs.
    pub(super) fn compile(&self, operands: &Operands<'_>) -> Result<(), Error> {
        let (launches, _) = self.task.launches(&self.inner.machine, operands)?;
        let mut codes = launches.all.iter().map(|launch| &launch.code);
        codes.try_for_each(|code| self.kernel(code).map(drop))
    }

    /// Binds the plan to operands: checks everything, makes what recording needs. The result holds on
    /// to the buffers and can be recorded any number of times.
    ///
    /// Operands may lie in one buffer. One that is written may take the place of one that is read
    /// (y that of x, dx that of dy or x), if their dtypes are the same; otherwise it must not overlap another.
    /// An operand larger than the device's binding limit is covered by several dispatches. The first
    /// binding of operands in place, in one buffer, at places that are not multiples of 4 elements, or
    /// with arguments and gradients, or of rows of such a length, compiles a kernel for them.
    ///
    /// # Errors
    /// [`OperandError::Missing`](crate::OperandError::Missing),
    /// [`OperandError::Unexpected`](crate::OperandError::Unexpected),
    /// [`OperandError::LengthMismatch`](crate::OperandError::LengthMismatch),
    /// [`OperandError::BadLength`](crate::OperandError::BadLength),
    /// [`ChainError::NoGradient`](crate::ChainError::NoGradient),
    /// [`OperandError::MissingUsage`](crate::OperandError::MissingUsage),
    /// [`OperandError::Misaligned`](crate::OperandError::Misaligned),
    /// [`OperandError::Gaps`](crate::OperandError::Gaps),
    /// [`OperandError::OutOfRange`](crate::OperandError::OutOfRange),
    /// [`OperandError::Overlap`](crate::OperandError::Overlap);
    /// [`OperandError::NotABuffer`](crate::OperandError::NotABuffer) for [`Memory::External`](crate::Memory::External);
    /// [`DeviceError::TooManyOperands`](crate::DeviceError::TooManyOperands) for more than the device can bind;
    /// [`DeviceError::TooLarge`](crate::DeviceError::TooLarge) for a chain with more parameters than a uniform buffer
    /// holds, and where channels, rows or random numbers cannot be cut to what the device can bind;
    /// [`DeviceError::Refused`](crate::DeviceError::Refused) where wgpu refuses, as it does a buffer of another device.
    pub fn bind(&self, operands: Operands<'_>) -> Result<Bound, Error> {
        let (launches, len) = self.task.launches(&self.inner.machine, &operands)?;
        bind(&self.inner, launches, len, |code| self.kernel(code))
    }

    fn kernel(&self, code: &Code<'_>) -> Result<Kernel, Error> {
        let Code::Pass(_, form) = code else {
            return self.inner.kernel(code);
        };
        let kernels = || self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = kernels().get(form) {
            return Ok(kernel.clone());
        }
        let kernel = self.inner.kernel(code)?;
        kernels().insert(form.clone(), kernel.clone());
        Ok(kernel)
    }
}
