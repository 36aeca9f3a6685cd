//! Kernels that are compiled before they are needed, by several threads.

use super::kernels::Kernels;
use super::plan::Plan;
use crate::chain::Chain;
use crate::error::Error;
use crate::pass::Pass;
use crate::plan::operands::Operands;
use crate::tensor::dtype::DTypes;
#[cfg(not(target_arch = "wasm32"))]
use std::{
    num::NonZero,
    panic::resume_unwind,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// A plan that will be needed, for [`Kernels::compile_ahead`].
#[derive(Clone, Debug)]
pub struct Ahead<'a> {
    chain: &'a Chain,
    pass: Pass,
    dtypes: DTypes,
    operands: Option<Operands<'a>>,
}

impl<'a> Ahead<'a> {
    /// What [`Kernels::plan`] takes.
    pub fn new(chain: &'a Chain, pass: Pass, dtypes: impl Into<DTypes>) -> Self {
        Ahead {
            chain,
            pass,
            dtypes: dtypes.into(),
            operands: None,
        }
    }

    /// Compiles what binding such operands needs as well: in place, with arguments and gradients, at odd places. Where their
    /// buffers are not there yet, [`Memory::External`](crate::Memory::External) stands in for them, with one number for
    /// operands that will lie in one buffer. Only lengths, places, dtypes and the layout count.
    #[must_use]
    pub fn bound_to(self, operands: Operands<'a>) -> Self {
        Ahead {
            operands: Some(operands),
            ..self
        }
    }
}

impl Kernels {
    /// Makes plans of a list, each in its place, on as many threads as the machine has processors. Planning and binding the
    /// same later compiles nothing.
    ///
    /// ```no_run
    /// use nonlin::{Ahead, Chain, DType, Layout, Memory, Operand, Operands, Pass};
    ///
    /// # let gpu = nonlin::Gpu::new()?;
    /// let silu: Chain = "scale(0.5) | silu".parse()?;
    /// let learned: Chain = "prelu(weight=@w)".parse()?;
    /// // 32 images of 16 channels and 8 x 8 places, whose buffers are not there yet.
    /// let at = |id, len: u64| Operand::in_memory(Memory::External { id, size: 4 * len }, 0, len);
    /// let layout = Layout { outer: 32, channels: 16, inner: 64 };
    /// let operands = Operands::new().x(at(0, 1 << 15)).y(at(1, 1 << 15)).layout(layout);
    /// let plans = gpu.kernels().compile_ahead(&[
    ///     Ahead::new(&silu, Pass::Forward, DType::F32),
    ///     Ahead::new(&silu, Pass::Backward, DType::F32),
    ///     Ahead::new(&learned, Pass::Forward, DType::F32)
    ///         .bound_to(operands.arg("w", at(2, 16), DType::F32)),
    /// ]);
    /// let plans = plans.into_iter().collect::<Result<Vec<_>, _>>()?;
    /// # Ok::<(), nonlin::Error>(())
    /// ```
    ///
    /// # Errors
    /// In a plan's place those of [`plan`](Self::plan) and, where operands were given, of [`Plan::bind`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn compile_ahead(&self, wanted: &[Ahead<'_>]) -> Vec<Result<Plan, Error>> {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut made = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(one) = wanted.get(index) else {
                    return made;
                };
                made.push((index, self.ahead(one)));
            }
        };
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let mut made = thread::scope(|scope| {
            let others = 1..threads.min(wanted.len());
            // Where the system has no thread to give, the others do its work.
            let others =
                others.map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok());
            let others: Vec<_> = others.collect();
            let mut made = work();
            for other in others {
                made.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            made
        });
        made.sort_by_key(|(index, _)| *index);
        made.into_iter().map(|(_, plan)| plan).collect()
    }

    /// Makes plans of a list, each in its place. On the web a device belongs to one thread.
    ///
    /// # Errors
    /// In a plan's place those of [`plan`](Self::plan) and, where operands were given, of [`Plan::bind`].
    #[cfg(target_arch = "wasm32")]
    pub fn compile_ahead(&self, wanted: &[Ahead<'_>]) -> Vec<Result<Plan, Error>> {
        wanted.iter().map(|one| self.ahead(one)).collect()
    }

    fn ahead(&self, wanted: &Ahead<'_>) -> Result<Plan, Error> {
        let plan = self.plan(wanted.chain, wanted.pass, wanted.dtypes)?;
        if let Some(operands) = &wanted.operands {
            plan.compile(operands)?;
        }
        Ok(plan)
    }
}
